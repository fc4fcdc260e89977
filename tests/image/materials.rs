//! The bill of materials, as `image/sbom.sh` writes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;

use crate::{PROGRAM, root, said, text};

/// The bill, and what is in it: `name version` and scope.
pub struct Bill {
    pub whole: Value,
    pub crates: BTreeMap<String, String>,
}

impl Bill {
    pub fn read(json: &str) -> Bill {
        let whole: Value = serde_json::from_str(json).unwrap();
        let listed = whole["components"].as_array().unwrap().iter();
        let crates = listed.filter(|it| word(&it["purl"]).starts_with("pkg:cargo/"));
        let crates = crates.map(|it| {
            (format!("{} {}", word(&it["name"]), word(&it["version"])), word(&it["scope"]).to_owned())
        });
        let crates = crates.collect();
        Bill { whole, crates }
    }

    /// As it is now, made once.
    fn now() -> &'static Bill {
        static NOW: LazyLock<Bill> = LazyLock::new(Bill::made);
        &NOW
    }

    fn made() -> Bill {
        Bill::read(&said(Command::new(root().join("image/sbom.sh")).env("SOURCE_DATE_EPOCH", "1700000000")))
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The bill names packages of Debian, so elsewhere there is none: the `Dockerfile` makes it there.
fn is_debian() -> bool {
    Path::new("/var/lib/dpkg/status").is_file()
}

/// Every crate of the lock file with its checksum; ours have none.
fn locked() -> BTreeMap<String, Option<String>> {
    let lock = text("Cargo.lock");
    let value = |package: &str, field: &str| -> Option<String> {
        let line = package.lines().find_map(|line| line.strip_prefix(&format!("{field} = \"")))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .map(|it| {
            let (name, version) = (value(it, "name").unwrap(), value(it, "version").unwrap());
            (format!("{name} {version}"), value(it, "checksum"))
        })
        .collect()
}

#[test]
fn the_bill_of_materials_names_what_is_linked_in_and_what_only_helped() {
    if !is_debian() {
        return;
    }
    let bill = Bill::now();
    let scope_of = |name: &str| -> BTreeSet<&str> {
        let named = bill.crates.iter().filter(|(it, _)| it.split(' ').next() == Some(name));
        named.map(|(_, scope)| scope.as_str()).collect()
    };
    let manifest = text("Cargo.toml");
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let direct = section.lines().take_while(|line| !line.starts_with('['));
    for name in direct.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()) {
        assert_eq!(scope_of(name), BTreeSet::from(["required"]), "{name}");
    }
    for name in ["serde_derive", "kube-derive", "syn", "cc"] {
        assert_eq!(scope_of(name), BTreeSet::from(["excluded"]), "{name}");
    }
    for name in ["sandbox", "harness", "model", "proptest", "tower-test", PROGRAM] {
        assert_eq!(scope_of(name), BTreeSet::new(), "{name}");
    }
    assert_eq!(bill.whole["metadata"]["component"]["name"], PROGRAM);
}

#[test]
fn every_crate_of_the_bill_is_the_one_of_the_lock_file_and_has_a_licence() {
    if !is_debian() {
        return;
    }
    let (bill, locked) = (Bill::now(), locked());
    assert!(bill.crates.len() > 150, "{}", bill.crates.len());
    for component in bill.whole["components"].as_array().unwrap() {
        let name = format!("{} {}", word(&component["name"]), word(&component["version"]));
        assert!(!word(&component["licenses"][0]["expression"]).contains('/'), "{component}");
        if word(&component["purl"]).starts_with("pkg:cargo/") {
            let due = locked.get(&name).unwrap_or_else(|| panic!("{name} is not locked"));
            assert_eq!(component["hashes"][0]["content"].as_str(), due.as_deref(), "{name}");
        }
    }
}

#[test]
fn the_bill_is_complete_in_itself_and_the_same_each_time() {
    if !is_debian() {
        return;
    }
    let bill = Bill::now();
    let component = &bill.whole["metadata"]["component"];
    let mut known: BTreeSet<&str> = BTreeSet::from([word(&component["bom-ref"])]);
    for component in bill.whole["components"].as_array().unwrap() {
        assert!(known.insert(word(&component["bom-ref"])), "twice: {component}");
    }
    let mut reached = BTreeSet::new();
    for edge in bill.whole["dependencies"].as_array().unwrap() {
        let below: Vec<&str> = edge["dependsOn"].as_array().unwrap().iter().map(word).collect();
        for name in below.iter().copied().chain([word(&edge["ref"])]) {
            assert!(known.contains(name), "{name} is referred to, and not there");
        }
        reached.extend(below);
    }
    let crates =
        known.iter().filter(|it| it.starts_with("pkg:cargo/") && **it != word(&component["bom-ref"]));
    assert_eq!(crates.copied().collect::<BTreeSet<_>>(), reached, "each crate is there for another one");
    assert_eq!((&bill.whole["bomFormat"], &bill.whole["specVersion"]), (&"CycloneDX".into(), &"1.6".into()));
    assert_eq!(bill.whole, Bill::made().whole);
}
