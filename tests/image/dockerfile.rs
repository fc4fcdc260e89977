//! What the image says of itself is what the manifest of the program says, and what the page tells an engine is what the file takes.

use crate::text;

/// The instructions of the last stage, with their continuations.
fn last_stage() -> String {
    let file = text("Dockerfile").replace("\\\n", " ");
    let (_, last) = file.rsplit_once("\nFROM ").unwrap();
    last.to_owned()
}

#[test]
fn the_image_is_made_from_scratch_and_runs_as_nobody_in_particular() {
    let stage = last_stage();
    let lines: Vec<&str> = stage.lines().collect();
    assert_eq!(lines[0], "scratch");
    for line in [
        "COPY --from=build /rootfs/ /",
        "USER 65532:65532",
        r#"ENTRYPOINT ["/customer-offboarding-operator"]"#,
    ] {
        assert!(lines.contains(&line), "{line}: {stage}");
    }
}

#[test]
fn the_labels_say_what_the_manifest_says() {
    let stage = last_stage();
    for label in [
        concat!(r#"title=""#, env!("CARGO_PKG_NAME"), r#"""#),
        concat!(r#"description=""#, env!("CARGO_PKG_DESCRIPTION"), r#"""#),
        r#"licenses="Apache-2.0""#,
        r#"version="$VERSION""#,
        r#"revision="$REVISION""#,
        r#"created="$CREATED""#,
    ] {
        assert!(stage.contains(&format!("org.opencontainers.image.{label}")), "{label}: {stage}");
    }
    assert!(stage.contains(concat!("ARG VERSION=", env!("CARGO_PKG_VERSION"), "\n")), "{stage}");
}

#[test]
fn the_dockerfile_compiles_with_a_compiler_that_is_new_enough() {
    let file = text("Dockerfile");
    let base = file.split("FROM docker.io/library/rust:").nth(1).unwrap();
    let minor = |version: &str| -> u32 { version.split(['.', '-', '"']).nth(1).unwrap().parse().unwrap() };
    let manifest = text("Cargo.toml");
    let wanted = manifest.split("rust-version = \"").nth(1).unwrap();
    assert!(minor(base) >= minor(wanted), "{} for {}", &base[..8], &wanted[..6]);
}

/// Where the tests run there is no engine. `make image` makes the last stage; the first one runs the script that it runs.
#[test]
fn what_the_page_tells_an_engine_is_what_the_dockerfile_takes() {
    let (page, file) = (text("docs/image.md"), text("Dockerfile"));
    let told = |flag: &str| -> Vec<&str> {
        page.split(flag).skip(1).filter_map(|rest| rest.split([' ', '=', '\n']).next()).collect()
    };
    assert_eq!(told("--build-arg "), ["REVISION", "CREATED", "SOURCE_DATE_EPOCH"]);
    for argument in told("--build-arg ") {
        assert!(file.contains(&format!("\nARG {argument}=")), "{argument}");
    }
    assert_eq!(told("--target "), ["sbom"]);
    assert!(file.contains("\nFROM scratch AS sbom\nCOPY --from=build /sbom.cdx.json /\n"), "{file}");
    assert!(file.contains("\nRUN SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH image/rootfs.sh /\n"), "{file}");
    assert!(text("image/build.sh").contains("\nimage/rootfs.sh \"$out\"\n"));
    assert!(text("image/rootfs.sh").contains(r#">"$out/sbom.cdx.json""#));
}
