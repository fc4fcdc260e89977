//! Every command that a page tells is done by a test: each block of commands is looked up here. A new one fails until somebody runs it.

use std::fmt;

use super::{
    none,
    source::{files, read},
};

/// A test that takes the blocks of one page that are marked `sh test`, in their order.
struct Reader {
    page: &'static str,
    test: &'static str,
    name: &'static str,
    /// What may stand behind the mark.
    words: &'static [&'static str],
}

const READERS: &[Reader] = &[
    Reader {
        page: "README.md",
        test: "tests/examples.rs",
        name: "what_the_readme_says_works",
        words: &["", "operator", "alice", "bob", "erin"],
    },
    Reader {
        page: "docs/install.md",
        test: "tests/install/page.rs",
        name: "what_the_page_about_installing_says_works",
        words: &["", "key"],
    },
    Reader {
        page: "docs/gitops.md",
        test: "tests/gitops/typed.rs",
        name: "what_the_page_says_to_type_works",
        words: &[""],
    },
    Reader {
        page: "docs/image.md",
        test: "tests/image/built.rs",
        name: "what_the_page_says_works",
        words: &[""],
    },
    Reader {
        page: "docs/upgrading.md",
        test: "tests/upgrade/page.rs",
        name: "what_the_page_says_works",
        words: &[""],
    },
];

/// Every block of a page below it is run, marked by `sh` alone.
const RUNBOOKS: (&str, &str, &str) =
    ("docs/runbooks/", "tests/runbooks/main.rs", "every_command_of_the_runbooks_works");

/// Where blocks of other pages are run.
const OTHER_PAGES: &str = "tests/runbooks/other_pages.rs";

/// A block marked by `sh` alone, by its page and first command.
struct Block {
    page: &'static str,
    begins: &'static str,
    /// The file of the test, and what it does.
    test: &'static str,
    how: &'static str,
}

const BLOCKS: &[Block] = &[
    Block {
        page: "README.md",
        begins: "make demo",
        test: "tests/demo/demo.rs",
        how: "the demo is a test, too; `make test` runs it, and is what .ci/run calls",
    },
    Block {
        page: "charts/customer-offboarding-operator/README.md",
        begins: "helm install offboarding charts/customer-offboarding-operator --namespace customer-offboarding --create-namespace",
        test: OTHER_PAGES,
        how: "as it stands, on a bare API server",
    },
    Block {
        page: "docs/configuration.md",
        begins: "kubectl port-forward -n customer-offboarding pod/POD 8080:8080 &",
        test: OTHER_PAGES,
        how: "kubectl has to find nothing wrong but that no kubelet runs the pod; curl asks the operator at its own address",
    },
    Block {
        page: "docs/configuration.md",
        begins: "customer-offboarding-operator operator --egress-proxy http://proxy.example.com:3128 --egress-proxy-credentials /etc/proxy/credentials",
        test: OTHER_PAGES,
        how: "with a proxy on the loopback, which is asked to connect and shown the credentials",
    },
    Block {
        page: "docs/configuration.md",
        begins: "KUBECONFIG=operator.kubeconfig customer-offboarding-operator check",
        test: OTHER_PAGES,
        how: "with the kubeconfig and the flag of the operator that runs; it finds nothing to mend",
    },
    Block {
        page: "docs/image.md",
        begins: "make image",
        test: "tests/image/built.rs",
        how: "`make image-test` begins with it, and looks at what it made; not part of `make test`",
    },
    Block {
        page: "docs/image.md",
        begins: r#"docker build --build-arg REVISION="$(git rev-parse HEAD)" --build-arg CREATED="$(git log -1 --format=%cI)""#,
        test: "tests/image/dockerfile.rs",
        how: "not run, because there is no engine: arguments, target and script are compared with the Dockerfile, of which `make image` makes the rest",
    },
    Block {
        page: "docs/metrics.md",
        begins: "kubectl create clusterrolebinding prometheus-reads-offboarding --clusterrole=offboarding-metrics-reader --serviceaccount=monitoring:prometheus",
        test: OTHER_PAGES,
        how: "as it stands; the account may get /metrics then",
    },
    Block {
        page: "docs/reference/kubectl-offboarding.md",
        begins: "kubectl offboarding pending",
        test: OTHER_PAGES,
        how: "as it stands, in the namespace of a request, with the words typed that are asked for",
    },
    Block {
        page: "docs/traces.md",
        begins: "customer-offboarding-operator operator --otlp-endpoint http://collector.observability:4318",
        test: OTHER_PAGES,
        how: "with a collector on the loopback, which is told of a request",
    },
    Block {
        page: "docs/traces.md",
        begins: "kubectl get cob NAME -n NAMESPACE -o jsonpath='{.metadata.uid}' | tr -d -",
        test: OTHER_PAGES,
        how: "as it stands; it is the id in the status",
    },
    Block {
        page: "sandbox/README.md",
        begins: "cargo run -p sandbox -- --exit-with-parent",
        test: OTHER_PAGES,
        how: "by the sandbox that is built already; it ends with its standard input",
    },
];

/// Marks of blocks that nobody types.
const NO_COMMANDS: &[&str] = &["json", "rust", "text", "text check", "yaml"];

/// A block as it stands in a page.
struct Found {
    page: String,
    line: usize,
    mark: String,
    /// Its first line, without what goes on or is remarked behind it.
    begins: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: `{}`", self.page, self.line, self.begins)
    }
}

#[test]
fn every_command_that_a_page_tells_is_run_by_a_test() {
    let pages = files(&[""]).into_iter().filter(|path| path.ends_with(".md"));
    let blocks: Vec<Found> = pages.flat_map(|page| blocks(&page, &read(&page))).collect();
    assert!(blocks.len() > 150, "the blocks are found: {}", blocks.len());
    let mut findings: Vec<String> = blocks.iter().filter_map(problem).collect();
    for Block { page, begins, how, .. } in BLOCKS {
        let is_there = blocks.iter().any(|it| it.page == *page && it.begins == *begins && it.mark == "sh");
        if !is_there {
            findings.push(format!(
                "{page} has no block any more that begins with `{begins}` ({how}): take it out of the table"
            ));
        }
    }
    for Reader { page, .. } in READERS {
        if !blocks.iter().any(|it| it.page == *page && it.mark.starts_with("sh test")) {
            findings.push(format!(
                "{page} has no block any more that is marked `sh test`: take it out of the table"
            ));
        }
    }
    none(findings);
}

/// Why nobody runs it, and what to do.
fn problem(block: &Found) -> Option<String> {
    let (runbooks, _, _) = RUNBOOKS;
    if let Some(word) = block.mark.strip_prefix("sh test") {
        return match READERS.iter().find(|reader| reader.page == block.page) {
            Some(reader) if reader.words.contains(&word.trim()) => None,
            Some(reader) => {
                let known = reader.words.join(", ");
                let what = format!(
                    "{} of {} does not know `sh test{word}`, only: {known}",
                    reader.name, reader.test
                );
                Some(format!("{block}: {what}"))
            }
            None if block.page.starts_with(runbooks) => Some(format!(
                "{block}: mark it `sh`: of runbooks every block is run, and none that is marked otherwise"
            )),
            None => Some(format!("{block}: no test takes the marked blocks of this page; {WHAT_TO_DO}")),
        };
    }
    if block.mark != "sh" {
        let what = "mark it `sh`, or `sh test` where a test takes those, if it holds commands; else name its language, as in";
        let is_known = NO_COMMANDS.contains(&block.mark.as_str());
        return (!is_known).then(|| format!("{block}: {what} {}", NO_COMMANDS.join(", ")));
    }
    let is_run = block.page.starts_with(runbooks)
        || BLOCKS.iter().any(|it| it.page == block.page && it.begins == block.begins);
    (!is_run).then(|| match READERS.iter().find(|reader| reader.page == block.page) {
        Some(reader) => {
            format!(
                "{block}: nothing runs it; mark it `sh test`, and {} of {} does",
                reader.name, reader.test
            )
        }
        None => format!("{block}: nothing runs it; {WHAT_TO_DO}"),
    })
}

const WHAT_TO_DO: &str = "mark it `sh`, run it in tests/runbooks/other_pages.rs or in a test of its own, and name that in tests/architecture/commands.rs";

/// What the tables name is there. A reader splits its page at the mark, and whoever runs other pages names them.
#[test]
fn the_tests_that_run_the_pages_are_there() {
    let (_, test, name) = RUNBOOKS;
    let tests = READERS.iter().map(|reader| (reader.test, reader.name)).chain([(test, name)]);
    for (test, name) in tests {
        assert!(read(test).contains(&format!("fn {name}(")), "{test} has no test {name} any more");
    }
    for Reader { test, .. } in READERS {
        assert!(read(test).contains("```sh test"), "{test} does not look for blocks marked `sh test`");
    }
    for Block { page, begins, test, .. } in BLOCKS {
        let text = read(test);
        assert!(text.contains("#[test]") || text.contains("#[tokio::test]"), "{test} has no test");
        assert!(*test != OTHER_PAGES || text.contains(page), "{test} does not name {page}: `{begins}`");
    }
}

/// Each block of a page, whatever it is marked by.
fn blocks(page: &str, text: &str) -> Vec<Found> {
    let (mut found, mut open) = (Vec::<Found>::new(), false);
    for (at, line) in text.lines().enumerate() {
        let Some(mark) = line.trim_start().strip_prefix("```") else { continue };
        open = !open;
        if open {
            let first = text.lines().nth(at + 1).unwrap_or_default();
            let (page, mark) = (page.to_owned(), mark.trim_end().to_owned());
            found.push(Found { page, line: at + 1, mark, begins: command(first) });
        }
    }
    assert!(!open, "{page}: a block has no end");
    found
}

/// Remarks stand apart: two blanks, at least, before the sign.
fn command(line: &str) -> String {
    let line = line.split("  #").next().unwrap_or_default().trim();
    line.strip_suffix('\\').unwrap_or(line).trim_end().to_owned()
}

#[test]
fn a_block_that_nobody_runs_is_told_with_what_to_do() {
    let said =
        |page: &str, text: &str| -> Vec<String> { blocks(page, text).iter().filter_map(problem).collect() };
    for (page, text) in [
        ("docs/runbooks/Any.md", "   ```sh\n   kubectl get x\n   ```\n"),
        ("README.md", "```sh\nmake demo    # two minutes\n```\n```sh test alice\nkubectl get y\n```\n"),
        ("docs/any.md", "```yaml\nkind: X\n```\n"),
    ] {
        assert_eq!(said(page, text), [""; 0]);
    }
    for (page, text, told) in [
        (
            "docs/any.md",
            "```sh\nkubectl get x   # y\n```\n",
            "docs/any.md:1: `kubectl get x`: nothing runs it; mark it `sh`, run it in",
        ),
        (
            "docs/any.md",
            "\n```sh test\nx\n```\n",
            "docs/any.md:2: `x`: no test takes the marked blocks of this page",
        ),
        ("docs/any.md", "```bash\nx\n```\n", "docs/any.md:1: `x`: mark it `sh`"),
        ("docs/any.md", "```\nx\n```\n", "docs/any.md:1: `x`: mark it `sh`"),
        (
            "README.md",
            "```sh\nx\n```\n",
            "README.md:1: `x`: nothing runs it; mark it `sh test`, and what_the_readme",
        ),
        (
            "docs/gitops.md",
            "```sh test bob\nx\n```\n",
            "docs/gitops.md:1: `x`: what_the_page_says_to_type_works of",
        ),
        (
            "docs/runbooks/Any.md",
            "```sh test\nx\n```\n",
            "docs/runbooks/Any.md:1: `x`: mark it `sh`: of runbooks",
        ),
    ] {
        let said = said(page, text);
        assert!(said.len() == 1 && said[0].starts_with(told), "{text}: {said:?}");
    }
}
