//! The commands of a page, in the order in which it tells them.

/// Named in a sentence, not told to be typed.
const MENTIONS: &[&str] =
    &["kubectl apply", "kubectl describe pod", "kubectl get cobr", "kubectl offboarding ref"];

/// How a command begins that changes nothing.
const READS: &[&str] = &[
    "kubectl get",
    "kubectl describe",
    "kubectl logs",
    "kubectl auth",
    "kubectl diff",
    "kubectl port-forward",
    "kubectl offboarding explain",
    "kubectl offboarding plan",
    "kubectl offboarding status",
    "kubectl offboarding pending",
    "kubectl offboarding hold list",
    "curl",
    "nslookup",
    "echo test |",
];

/// What the plugin asks about, unless `--yes` is given.
const ASKED: &[&str] = &["approve", "deny", "waive", "cancel", "hold create", "hold release"];

/// One line as somebody types it, without the remark behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub text: String,
}

impl Command {
    /// Whether doing it twice shows nothing new.
    pub fn reads(&self) -> bool {
        READS.iter().any(|beginning| self.text.starts_with(beginning)) && !self.text.contains('>')
    }

    /// Whether the plugin waits for words to be typed.
    pub fn is_asked(&self) -> bool {
        let what = self.text.strip_prefix("kubectl offboarding ").unwrap_or_default();
        ASKED.iter().any(|beginning| what.starts_with(beginning)) && !what.contains("--yes")
    }
}

/// Lines of the blocks marked `sh`, and what stands in backticks in a sentence and begins like a command.
pub fn commands(page: &str) -> Vec<Command> {
    let (mut found, mut block, mut begun) = (Vec::new(), false, String::new());
    for line in page.lines() {
        let line = line.trim();
        if line.starts_with("```") {
            block = line == "```sh";
        } else if block {
            begun += line.strip_suffix('\\').unwrap_or(line);
            if !line.ends_with('\\') {
                found.push(without_remark(&begun));
                begun.clear();
            }
        } else {
            found.extend(
                line.split('`').skip(1).step_by(2).filter(|span| is_command(span)).map(str::to_owned),
            );
        }
    }
    assert!(begun.is_empty(), "a line goes on after the end: {begun}");
    found.into_iter().map(|text| Command { text }).collect()
}

fn is_command(span: &str) -> bool {
    (span.starts_with("kubectl ") || span.starts_with("echo test |")) && !MENTIONS.contains(&span)
}

/// Remarks stand apart: two blanks, at least, before the sign.
fn without_remark(line: &str) -> String {
    line.split("  #").next().unwrap_or_default().trim().to_owned()
}

#[test]
fn commands_are_found_in_blocks_and_in_sentences() {
    let page = "Say `kubectl get cob -A` or `InvalidSpec`, not `kubectl apply`:\n   ```sh\n   kubectl get x \\\n     -o y | grep '#'   # remark\n   curl z\n   ```\n```text\nkubectl nothing\n```\n";
    let texts: Vec<String> = commands(page).into_iter().map(|it| it.text).collect();
    assert_eq!(texts, ["kubectl get cob -A", "kubectl get x -o y | grep '#'", "curl z"]);
}

#[test]
fn what_asks_and_what_changes_something_is_told_apart() {
    for (text, reads, is_asked) in [
        ("kubectl offboarding approve NAME -n NAMESPACE", false, true),
        ("kubectl offboarding hold create restored --all --type Freeze --yes", false, false),
        ("kubectl offboarding hold list", true, false),
        ("kubectl offboarding suspend NAME -n NAMESPACE", false, false),
        ("kubectl get cobr -n customer-offboarding -o yaml > records.yaml", false, false),
        ("kubectl delete coba DENIAL -n NAMESPACE", false, false),
    ] {
        let command = Command { text: text.to_owned() };
        assert_eq!((command.reads(), command.is_asked()), (reads, is_asked), "{text}");
    }
}
