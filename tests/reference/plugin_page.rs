//! The manual of `kubectl offboarding`: its own help, and what a help has no room for.

use std::fmt::Write;

use clap::Command;
use offboarding::plugin;

const BEFORE: &str = "\
# kubectl offboarding

Plans, approvals and holds of customer offboardings, for the people who decide about them. `kubectl` finds it as
`kubectl-offboarding` in the PATH: `cargo build --release --bin kubectl-offboarding`, or by Krew with `deploy/krew/offboarding.yaml`.

```sh
kubectl offboarding pending                # what awaits me
kubectl offboarding plan acme              # what would be done
kubectl offboarding approve acme           # agree to exactly that: asks to type acct-eu/acme
kubectl offboarding explain acme           # why it does not go on, and what would make it
```

- **It asks before it decides.** `approve`, `deny` and `waive` show the plan and ask to type every account and the request's name;
  something else ends with exit code 3 and changes nothing. Scripts say `--yes --plan HASH`: another plan is not agreed to.
- **It says who you are as the API server knows it** (SelfSubjectReview), never what you claim.
- **It prints no customer's id and no credential.** `ref` asks for an id without showing it.
- It finds the cluster as kubectl does: KUBECONFIG, `~/.kube/config`, or a pod's service account; credentials by client certificate,
  token or exec plugin. Proxies and the removed `auth-provider` entries are not supported, nor `insecure-skip-tls-verify` except on
  loopback: what is shown might be forged, and you would agree to it.
- Color is for terminals, and for those who did not set NO_COLOR.
- `kubectl offboarding completion bash` completes `kubectl-offboarding`. For `kubectl offboarding <TAB>`, put an executable
  `kubectl_complete-offboarding` into the PATH as kubectl's plugin documentation says.

| to | ask for a binding to the ClusterRole |
|---|---|
| `plan`, `pending`, `explain`, `status` | `offboarding-view` |
| `approve`, `deny` | `offboarding-approver` |
| `waive` | `offboarding-waiver` |
| `cancel`, `suspend`, `resume`, `retry` | `offboarding-requester` |
| `hold` | `offboarding-legal` |
| `ref` | none: whoever may read the installation key's Secret |
";

/// The whole page.
pub fn page() -> String {
    let mut page = BEFORE.to_owned();
    let mut command = plugin::command();
    command.build();
    for it in command.get_subcommands().filter(|it| it.get_name() != "help") {
        section(&mut page, it, "kubectl offboarding");
    }
    page += "\n## For all of them\n\n";
    options(&mut page, &command);
    page += "\n## Exit codes\n\n| code | it means |\n|---|---|\n";
    for (code, meaning) in plugin::exit_codes() {
        writeln!(page, "| {code} | {meaning} |").expect("a text takes what is written");
    }
    page
}

fn section(page: &mut String, command: &Command, parent: &str) {
    let name = format!("{parent} {}", command.get_name());
    let below: Vec<&Command> = command.get_subcommands().filter(|it| it.get_name() != "help").collect();
    if !below.is_empty() {
        below.iter().for_each(|it| section(page, it, &name));
        return;
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    write!(page, "\n## {name}\n\n{}.\n\n`{usage}`\n\n", about.trim_end_matches('.')).expect("as above");
    options(page, command);
}

fn options(page: &mut String, command: &Command) {
    let own = command.get_arguments().filter(|it| !["help", "version"].contains(&it.get_id().as_str()));
    let is_here = |it: &&clap::Arg| !it.is_global_set() || command.get_name() == "kubectl-offboarding";
    for argument in own.filter(is_here) {
        let default: Vec<String> =
            argument.get_default_values().iter().map(|it| it.to_string_lossy().into_owned()).collect();
        let default = match default.as_slice() {
            [value] if argument.get_action().takes_values() => format!(" Default: `{value}`."),
            _ => String::new(),
        };
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let short = argument.get_short().map_or_else(String::new, |it| format!("-{it}, "));
        writeln!(page, "- `{short}{argument}`: {}.{default}", help.trim_end_matches('.')).expect("as above");
    }
}
