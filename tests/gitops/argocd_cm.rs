//! deploy/gitops/argocd/argocd-cm.yaml: the Lua beside it, in the form that Argo CD reads.

use crate::{page, stage::root};

const HERE: &str = "deploy/gitops/argocd";

/// Each kind, and the directory with its Lua.
const KINDS: &[(&str, &str)] = &[
    ("ClusterOffboardingProvider", "OffboardingProvider"),
    ("CustomerOffboarding", "CustomerOffboarding"),
    ("OffboardingProvider", "OffboardingProvider"),
];

const ACTIONS: &[&str] = &["cancel", "resume", "retry", "suspend"];

#[test]
fn the_config_map_for_argo_cd_is_made_of_the_lua_beside_it() {
    let mut text = "# Generated from the Lua beside it: `ACCEPT=1 cargo test --test gitops`\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: argocd-cm, namespace: argocd}\ndata:\n"
        .to_owned();
    let customize = "  resource.customizations";
    for (kind, directory) in KINDS {
        text += &format!("{customize}.health.offboarding.dev_{kind}: |\n{}", lua(directory, "health", 4));
    }
    let own = "CustomerOffboarding";
    text += &format!("{customize}.actions.offboarding.dev_{own}: |\n    discovery.lua: |\n");
    text += &lua(own, "actions/discovery", 6);
    text += "    definitions:\n";
    for action in ACTIONS {
        text += &format!("    - name: {action}\n      action.lua: |\n");
        text += &lua(own, &format!("actions/{action}"), 8);
    }
    page::is_committed(&format!("{HERE}/argocd-cm.yaml"), &text);
}

fn lua(directory: &str, name: &str, indent: usize) -> String {
    let text = std::fs::read_to_string(root().join(format!("{HERE}/{directory}/{name}.lua"))).unwrap();
    text.lines().map(|line| format!("{:indent$}{line}\n", "")).collect()
}
