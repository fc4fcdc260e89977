//! The image as `make image` made it, and made again elsewhere. `make image-test` runs this: a release build takes minutes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use harness::Scratch;
use serde_json::Value;

use crate::{PROGRAM, made, materials::Bill, root, said, text};

/// Design: less than 20 MB, of what is pulled and of what lies on a node.
const MOST_BYTES: u64 = 20_000_000;

/// An image's manifest and configuration, from an OCI layout.
pub struct Image {
    pub manifest: Value,
    pub config: Value,
    layout: std::path::PathBuf,
}

impl Image {
    pub fn open(layout: &Path) -> Image {
        let json = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
        let index = json(&layout.join("index.json"));
        let manifest = json(&blob(layout, &index["manifests"][0]));
        let config = json(&blob(layout, &manifest["config"]));
        Image { manifest, config, layout: layout.to_owned() }
    }

    /// Unpacks its only layer.
    pub fn unpack(&self, into: &Path) {
        said(Command::new("tar").arg("-xpzf").arg(self.layer()).arg("-C").arg(into));
    }

    fn layer(&self) -> std::path::PathBuf {
        let layers = self.manifest["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 1, "{layers:?}");
        blob(&self.layout, &layers[0])
    }
}

fn blob(layout: &Path, descriptor: &Value) -> std::path::PathBuf {
    layout.join("blobs/sha256").join(descriptor["digest"].as_str().unwrap().trim_start_matches("sha256:"))
}

#[test]
#[ignore = "make image-test: a release build takes minutes"]
fn built_in_another_place_at_another_time_it_has_the_same_digest() {
    assert_eq!(
        said(Command::new("git").args(["status", "--porcelain"])),
        "",
        "commit first: the second build is of the commit"
    );
    let elsewhere = Scratch::new("image-elsewhere").unwrap();
    let tree = elsewhere.join("another/name");
    said(Command::new("git").args(["clone", "--quiet", "--no-hardlinks", "."]).arg(&tree));
    let build = "umask 077; image/build.sh \"$0\"";
    let mut again = Command::new("bash");
    again.args(["-c", build]).arg(elsewhere.join("out")).env("TZ", "Asia/Kathmandu").env("LC_ALL", "C.UTF-8");
    again.env_remove("SOURCE_DATE_EPOCH");
    let output = again.current_dir(&tree).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let digest = |out: &Path| fs::read_to_string(out.join("digest")).unwrap();
    for file in ["sbom.cdx.json".to_owned(), format!("rootfs/{PROGRAM}"), "rootfs/licenses/crates".to_owned()]
    {
        let same =
            fs::read(made().join(&file)).unwrap() == fs::read(elsewhere.join("out").join(&file)).unwrap();
        assert!(same, "{file} is another one");
    }
    assert_eq!(digest(&made()), digest(&elsewhere.join("out")));
    println!("built twice: {}", digest(&made()));
}

#[test]
#[ignore = "make image-test: needs the image"]
fn it_says_who_it_is_and_runs_as_65532() {
    let image = Image::open(&made().join("oci"));
    let config = &image.config["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!([format!("/{PROGRAM}")]));
    let labels = config["Labels"].as_object().unwrap();
    let revision = said(Command::new("git").args(["rev-parse", "HEAD"]));
    let label = |name: &str| labels[&format!("org.opencontainers.image.{name}")].as_str().unwrap();
    assert_eq!(label("title"), PROGRAM);
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("licenses"), "Apache-2.0");
    assert_eq!(label("description"), env!("CARGO_PKG_DESCRIPTION"));
    assert_eq!(label("revision"), revision.trim());
    assert_eq!(label("created"), image.config["created"].as_str().unwrap());
    assert!(config.get("ExposedPorts").is_none() && config.get("Volumes").is_none(), "{config}");
}

#[test]
#[ignore = "make image-test: needs the image"]
fn it_is_small_and_holds_nothing_but_the_program_the_roots_and_the_licences() {
    let image = Image::open(&made().join("oci"));
    let pulled: u64 = image.manifest["layers"][0]["size"].as_u64().unwrap();
    let listed = said(Command::new("tar").args(["--numeric-owner", "-tvzf"]).arg(image.layer()));
    let mut files = BTreeMap::new();
    for line in listed.lines() {
        let [mode, owner, size, .., name] = line.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        assert_eq!(owner, "0/0", "whoever runs it owns nothing: {line}");
        let due = if name.ends_with('/') {
            "drwxr-xr-x"
        } else if name == PROGRAM {
            "-rwxr-xr-x"
        } else {
            "-rw-r--r--"
        };
        assert_eq!(mode, due, "{line}");
        if !name.ends_with('/') {
            files.insert(name, size.parse::<u64>().unwrap());
        }
    }
    let (unpacked, names): (u64, Vec<&str>) = (files.values().sum(), files.keys().copied().collect());
    let licences = ["ca-certificates", "crates", PROGRAM, "libc6-dev", "libgcc-12-dev"]
        .map(|it| format!("licenses/{it}"));
    let mut due = vec![PROGRAM.to_owned(), "etc/ssl/certs/ca-certificates.crt".to_owned()];
    due.extend(licences);
    due.sort();
    assert_eq!(names, due);
    println!(
        "{pulled} bytes are pulled, {unpacked} bytes lie on the node, {} of them the program",
        files[PROGRAM]
    );
    assert!(pulled < MOST_BYTES && unpacked < MOST_BYTES);
}

#[test]
#[ignore = "make image-test: needs the image"]
fn the_program_needs_no_other_file_and_does_not_say_where_it_was_made() {
    let program = made().join("rootfs").join(PROGRAM);
    let headers = said(Command::new("readelf").args(["-W", "-l", "-d"]).arg(&program));
    assert!(!headers.contains("INTERP") && !headers.contains("NEEDED"), "{headers}");
    assert!(headers.contains("DYN (Position-Independent"), "loaded anywhere: {headers}");
    let home = std::env::var("HOME").unwrap();
    let host = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let names = [home.as_str(), root().to_str().unwrap(), "/rustup/", "FAILPOINTS", "permit.granted"];
    let names = names.into_iter().chain((host.trim().len() > 4).then_some(host.trim()));
    for name in names {
        let found = Command::new("grep").args(["-a", "-c", "-F", name]).arg(&program).output().unwrap();
        assert_eq!(found.status.code(), Some(1), "it holds {name}");
    }
}

/// A crate declares what its build script would need, and is published without the script.
const OF_NO_SCRIPT: [&str; 2] = ["rustc_version", "semver"];

/// Cargo says what it compiled; the bill was made of what it would compile.
#[test]
#[ignore = "make image-test: needs the image"]
fn the_bill_of_materials_is_what_was_compiled() {
    let host = said(Command::new("rustc").arg("-vV"));
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let place = format!("/{host}/release/");
    let (mut linked, mut compiled) = (BTreeSet::new(), BTreeSet::new());
    for line in fs::read_to_string(made().join("compiled.jsonl")).unwrap().lines() {
        let told: Value = serde_json::from_str(line).unwrap();
        let name =
            told["package_id"].as_str().unwrap_or_default().rsplit('#').next().unwrap().replace('@', " ");
        if told["reason"] != "compiler-artifact" || name.starts_with(PROGRAM) {
            continue;
        }
        // For the image, or for the machine that compiled it: macros, build scripts and what those are made of.
        if told["filenames"].as_array().unwrap().iter().any(|it| it.as_str().unwrap().contains(&place)) {
            linked.insert(name.clone());
        }
        compiled.insert(name);
    }
    let bill = Bill::read(&fs::read_to_string(made().join("sbom.cdx.json")).unwrap());
    let listed = |scopes: &[&str]| -> BTreeSet<String> {
        let fits = bill.crates.iter().filter(|(_, scope)| scopes.contains(&scope.as_str()));
        fits.map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(linked, listed(&["required"]), "what is linked in");
    let listed = listed(&["required", "excluded"]);
    assert_eq!(compiled.difference(&listed).collect::<Vec<_>>(), [""; 0], "compiled, and not on the bill");
    let only_listed = listed.difference(&compiled).filter_map(|it| it.split(' ').next());
    assert_eq!(
        only_listed.collect::<BTreeSet<_>>(),
        BTreeSet::from(OF_NO_SCRIPT),
        "on the bill, and not compiled"
    );
}

/// What panics would say names files: another witness, which does not ask cargo.
#[test]
#[ignore = "make image-test: needs the image"]
fn every_crate_that_the_program_names_is_on_the_bill() {
    let program = made().join("rootfs").join(PROGRAM);
    let mut grep = Command::new("grep");
    grep.args(["-a", "-o", "-E", "/cargo/registry/src/[^/]+/[A-Za-z0-9_+.-]+/"]).arg(&program);
    let named: BTreeSet<String> = said(&mut grep)
        .lines()
        .map(|it| it.trim_end_matches('/').rsplit('/').next().unwrap().to_owned())
        .collect();
    assert!(named.len() > 30, "{named:?}");
    let bill = Bill::read(&fs::read_to_string(made().join("sbom.cdx.json")).unwrap());
    let listed: BTreeSet<String> = bill
        .crates
        .iter()
        .filter(|(_, scope)| *scope == "required")
        .map(|(it, _)| it.replace(' ', "-"))
        .collect();
    assert_eq!(named.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// What the page says is typed as it stands.
#[test]
#[ignore = "make image-test: needs the image"]
fn what_the_page_says_works() {
    let page = text("docs/image.md");
    let blocks: Vec<&str> =
        page.split("```sh test\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let block = block.replace("target/image", made().to_str().unwrap());
        println!("{block}\n{}", said(Command::new("bash").args(["-euo", "pipefail", "-c", &block])));
    }
}
