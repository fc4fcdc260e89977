//! Files that are generated and committed: compared as they are, or rewritten with `ACCEPT=1`.

use std::path::{Path, PathBuf};

/// The directory holds exactly these files, byte for byte.
///
/// With `ACCEPT=1` in the environment they are written instead, and files that are no longer made are removed.
pub fn assert_directory_holds(directory: &str, files: &[(String, String)], extension: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    if std::env::var_os("ACCEPT").is_some() {
        std::fs::create_dir_all(&root).expect("the directory can be made");
        for stale in present(&root, extension) {
            std::fs::remove_file(stale).expect("an old file can be removed");
        }
        for (name, text) in files {
            std::fs::write(root.join(name), text).expect("a file can be written");
        }
    }
    let made: Vec<PathBuf> = files.iter().map(|(name, _)| root.join(name)).collect();
    assert_eq!(present(&root, extension), made, "the files of {directory}; {HOW}");
    for (name, text) in files {
        let committed = std::fs::read_to_string(root.join(name)).expect("it is there");
        assert!(committed == *text, "{directory}/{name} is not what is generated now; {HOW}");
    }
}

const HOW: &str = "run the test with ACCEPT=1, and read the difference";

fn present(root: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).map(|entries| entries.flatten().map(|it| it.path()));
    let mut paths: Vec<_> = entries.into_iter().flatten().collect();
    paths.retain(|path| path.extension().is_some_and(|it| it == extension));
    paths.sort();
    paths
}
