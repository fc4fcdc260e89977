//! The manifest for Krew, as a release would fill it in.

use serde_json::Value;

use crate::stage::text;

#[test]
fn the_krew_manifest_has_what_krew_requires() {
    let sum = "0".repeat(64);
    let mut filled = text("deploy/krew/offboarding.yaml");
    for (name, value) in
        [("VERSION", env!("CARGO_PKG_VERSION")), ("REPOSITORY", "https://example.com/operator")]
    {
        filled = filled.replace(&format!("${{{name}}}"), value);
    }
    for platform in ["LINUX_AMD64", "LINUX_ARM64", "DARWIN_ARM64"] {
        filled = filled.replace(&format!("${{SHA256_{platform}}}"), &sum);
    }
    let body: String =
        filled.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert!(!body.contains("${"), "a placeholder is left: {body}");
    let plugin: Value = serde_saphyr::from_str(&filled).unwrap();
    assert_eq!(plugin["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!((&plugin["kind"], &plugin["metadata"]["name"]), (&"Plugin".into(), &"offboarding".into()));
    let spec = &plugin["spec"];
    assert_eq!(spec["version"], format!("v{}", env!("CARGO_PKG_VERSION")));
    let short = spec["shortDescription"].as_str().unwrap();
    assert!((10..=50).contains(&short.len()) && !short.ends_with('.'), "{short}");
    for field in ["homepage", "description"] {
        assert!(!spec[field].as_str().unwrap().is_empty(), "{field}");
    }
    let platforms = spec["platforms"].as_array().unwrap();
    assert_eq!(platforms.len(), 3);
    for platform in platforms {
        let labels = &platform["selector"]["matchLabels"];
        let (os, arch) = (labels["os"].as_str().unwrap(), labels["arch"].as_str().unwrap());
        let uri = platform["uri"].as_str().unwrap();
        assert!(
            uri.starts_with("https://") && uri.ends_with(&format!("kubectl-offboarding-{os}-{arch}.tar.gz")),
            "{uri}"
        );
        assert_eq!(platform["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(platform["bin"], "kubectl-offboarding");
        let files = platform["files"].as_array().unwrap();
        let has = |name: &str| files.iter().any(|file| file["from"] == name && file["to"] == ".");
        assert!(has("kubectl-offboarding") && has("LICENSE"), "{files:?}");
    }
}
