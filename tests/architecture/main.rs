//! How the house is built: who may import whom, what may be named where. Each finding has its file and line.

mod commands;
mod source;

use std::collections::BTreeSet;

use source::{Source, files, read, sources};

/// A room of `src/`, what it may import of ours, and which of our dependencies it may name.
struct Room {
    name: &'static str,
    ours: &'static [&'static str],
    crates: Crates,
    /// Words that have no place in it.
    never: &'static [&'static str],
}

enum Crates {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

/// Neither waits nor asks: the same input gives the same answer.
const IMPURE: &[&str] = &["async", "await", "Instant", "SystemTime", "fs", "env", "net", "process", "thread"];

const ROOMS: &[Room] = &[
    Room {
        name: "api",
        ours: &["api"],
        crates: Crates::Only(&[
            "jiff",
            "k8s_openapi",
            "kube",
            "schemars",
            "serde",
            "serde_json",
            "thiserror",
        ]),
        never: IMPURE,
    },
    Room {
        name: "domain",
        ours: &["domain", "api"],
        crates: Crates::Only(&["data_encoding", "jiff", "ring", "serde_json", "thiserror"]),
        never: IMPURE,
    },
    Room {
        name: "evidence",
        ours: &["evidence", "domain", "api"],
        crates: Crates::Only(&[
            "base64",
            "data_encoding",
            "jiff",
            "ring",
            "serde",
            "serde_json",
            "thiserror",
        ]),
        never: IMPURE,
    },
    Room {
        name: "providers",
        ours: &["providers", "domain", "api"],
        crates: Crates::AllBut(&[
            "axum",
            "clap",
            "k8s_openapi",
            "kube",
            "prometheus_client",
            "tracing",
            "tracing_subscriber",
        ]),
        never: &["SystemTime", "fs", "env"],
    },
    Room {
        name: "controller",
        ours: &["controller", "providers", "evidence", "domain", "api", "metrics", "traces", "failpoint"],
        crates: Crates::AllBut(&["axum", "cel", "clap", "hyper", "hyper_util", "reqwest", "tokio_rustls"]),
        never: &["SystemTime", "fs", "env"],
    },
    Room {
        name: "metrics",
        ours: &["metrics", "domain", "api"],
        crates: Crates::Only(&["futures", "http", "prometheus_client", "rustix", "tokio", "tower"]),
        never: &["SystemTime", "env"],
    },
    Room {
        name: "check",
        ours: &["check", "controller", "providers", "evidence", "domain", "api"],
        crates: Crates::AllBut(&[
            "axum",
            "cel",
            "clap",
            "hyper",
            "hyper_util",
            "reqwest",
            "tokio_rustls",
            "tracing",
        ]),
        never: &["SystemTime", "fs", "env"],
    },
    Room {
        name: "plugin",
        ours: &["plugin", "evidence", "domain", "api", "kubeconfig"],
        crates: Crates::AllBut(&["axum", "cel", "hyper", "hyper_util", "reqwest", "tokio_rustls", "tracing"]),
        never: &["SystemTime", "fs"],
    },
];

/// What is named in few places only, and where.
const ONLY: &[(&str, &[&str], &str)] = &[
    (
        "reqwest",
        &["src/providers/http/", "src/traces/collector.rs"],
        "it follows redirects and retries: only these places tell it not to",
    ),
    ("opentelemetry_proto", &["src/traces/"], "what a span may say is a closed list"),
    (
        "hyper",
        &["src/providers/http/", "src/admin/"],
        "the destructive send has its own client, and who listens to strangers bounds them",
    ),
    ("cel", &["src/providers/"], "rules over answers are the profile's"),
    (
        "kube",
        &[
            "src/api/",
            "src/check/look.rs",
            "src/controller/",
            "src/plugin/",
            "src/cli/connect.rs",
            "src/kubeconfig.rs",
        ],
        "one room of each program talks to Kubernetes",
    ),
    (
        "clap",
        &[
            "src/cli.rs",
            "src/cli/arguments.rs",
            "src/plugin/args.rs",
            "src/plugin/mod.rs",
            "src/telemetry.rs",
        ],
        "arguments are read in one place",
    ),
    (
        "DestructivePermit",
        &["src/domain/mod.rs", "src/domain/permit.rs", "src/providers/http/send.rs"],
        "the right to send is granted in one place and spent in one",
    ),
    ("CustomerOffboardingSpec", &["src/api/", "src/domain/plan.rs"], "the plan is the only reader of a spec"),
    (
        "replace_status",
        &["src/controller/api_server.rs", "src/controller/save.rs", "src/controller/provider_object.rs"],
        "a status is told in one place",
    ),
    (
        "remove_version",
        &["src/controller/api_server.rs", "src/controller/removal.rs"],
        "finished requests are all that is ever removed",
    ),
    (
        "replace_status_of_cluster",
        &["src/controller/api_server.rs", "src/controller/provider_object.rs"],
        "a status is told in one place",
    ),
];

/// Longer than this is two things.
const LINES: usize = 450;
const LONG: &[&str] = &["src/domain/decide.rs"];

#[test]
fn no_room_imports_one_to_its_left() {
    let mut findings = Vec::new();
    for room in ROOMS {
        let place = format!("src/{}", room.name);
        for source in production().iter().filter(|it| it.is_below(&format!("{place}/"))) {
            // A macro or a function at the root of the crate is no room.
            let rooms = source.rooms(&place).into_iter().filter(|(_, it)| is_room(it));
            let foreign = rooms.filter(|(_, it)| !room.ours.contains(&it.as_str()));
            findings
                .extend(foreign.map(|(at, it)| finding(source, at, format!("{} imports {it}", room.name))));
        }
    }
    none(findings);
}

#[test]
fn each_room_names_only_what_belongs_there() {
    let dependencies = dependencies();
    let mut findings = Vec::new();
    for room in ROOMS {
        for source in production().iter().filter(|it| it.is_below(&format!("src/{}/", room.name))) {
            for (at, word) in source.words() {
                let (before, after) = source.around(at, word);
                let is_crate =
                    dependencies.contains(word) && after.starts_with("::") && !before.ends_with("::");
                if is_crate && !room.crates.allow(word) {
                    findings.push(finding(source, at, format!("{} names the crate {word}", room.name)));
                }
                let is_meant =
                    after.starts_with("::") || before.ends_with("::") || ["async", "await"].contains(&word);
                if room.never.contains(&word) && is_meant {
                    findings.push(finding(source, at, format!("{} says `{word}`", room.name)));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn only_the_command_line_asks_for_the_time() {
    let mut findings = Vec::new();
    for source in production().iter().filter(|it| it.path != "src/cli.rs") {
        for (at, word) in source.words().filter(|(_, word)| *word == "now") {
            let (before, _) = source.around(at, word);
            let pure = ["src/api/", "src/domain/", "src/evidence/"].iter().any(|room| source.is_below(room));
            let asks = before.ends_with("Timestamp::")
                || before.ends_with("Zoned::")
                || before.ends_with("SystemTime::");
            if asks || (pure && before.ends_with("::")) {
                findings.push(finding(source, at, "asks for the time; take `now`".to_owned()));
            }
        }
    }
    none(findings);
}

#[test]
fn what_is_dangerous_is_named_in_few_places() {
    let mut findings = Vec::new();
    for (name, places, why) in ONLY {
        let mut is_used = false;
        for source in production() {
            for (at, word) in source.words().filter(|(_, word)| word == name) {
                if dependencies().contains(*name) && !source.around(at, word).1.starts_with("::") {
                    continue;
                }
                is_used = true;
                if !places.iter().any(|place| source.is_below(place)) {
                    findings.push(finding(&source, at, format!("names `{name}`: {why}")));
                }
            }
        }
        assert!(is_used, "nothing names `{name}` any more: the rule is out of date");
    }
    none(findings);
}

#[test]
fn one_function_makes_a_permit_and_one_takes_it() {
    let sources = production();
    let count = |wanted: &dyn Fn(&str, &str) -> bool| -> Vec<String> {
        let mut found = Vec::new();
        for source in &sources {
            for (at, word) in source.words().filter(|(_, word)| *word == "DestructivePermit") {
                let (before, after) = source.around(at, word);
                if wanted(before, after) {
                    found.push(source.path.clone());
                }
            }
        }
        found
    };
    let made = count(&|before, after| after.starts_with('(') && !before.ends_with("struct"));
    assert_eq!(made, ["src/domain/permit.rs"], "made");
    assert_eq!(
        count(&|before, _| before.ends_with(':') && !before.ends_with("::")),
        ["src/providers/http/send.rs"],
        "taken"
    );
    let permit = sources.iter().find(|it| it.path == "src/domain/permit.rs").expect("it is there");
    let (before, _) = permit.code.split_once("struct DestructivePermit").expect("it is declared there");
    let attributes = before.rsplit([';', '}']).next().unwrap_or_default();
    for copy in ["Clone", "Copy", "Default", "Deserialize"] {
        assert!(!attributes.contains(copy), "a permit is not {copy}: it is spent once");
    }
}

#[test]
fn nothing_of_ours_keeps_an_object_from_going() {
    let mut findings = Vec::new();
    for path in files(&["src", "crds", "deploy", "charts", "examples"]) {
        let name = concat!("final", "izers");
        for (line, _) in read(&path).lines().enumerate().filter(|(_, text)| text.contains(name)) {
            findings.push(format!("{path}:{}: says `{name}`", line + 1));
        }
    }
    let mut removes = 0;
    for source in production().iter().filter(|it| it.is_below("src/controller/")) {
        for (at, word) in source.words() {
            let (before, after) = source.around(at, word);
            let verbs = ["delete", "delete_collection", "patch", "patch_status"];
            let is_one = verbs.contains(&word) && before.ends_with('.') && after.starts_with('(');
            // `ApiServer::remove_version`, which the table above watches.
            if is_one && word == "delete" && source.path == "src/controller/api_server.rs" {
                removes += 1;
            } else if is_one {
                let what = format!("`.{word}(`: objects are created and replaced, nothing else");
                findings.push(finding(source, at, what));
            }
        }
    }
    assert_eq!(removes, 1, "one function removes an object");
    none(findings);
}

#[test]
fn the_sandbox_shares_nothing_with_the_operator() {
    let mut findings = Vec::new();
    for source in sources(&["sandbox"]) {
        let foreign = ["offboarding", "customer_offboarding_operator", "harness"];
        let named = source
            .words()
            .filter(|(at, word)| foreign.contains(word) && source.around(*at, word).1.starts_with("::"));
        findings.extend(named.map(|(at, word)| finding(&source, at, format!("names `{word}`"))));
        for outside in ["../src/", "../../src/"] {
            let found = source.text.match_indices(outside);
            findings
                .extend(found.map(|(at, _)| finding(&source, at, "reads the operator's source".to_owned())));
        }
    }
    let manifest = read("sandbox/Cargo.toml");
    if manifest.contains("path =") || manifest.contains("customer-offboarding") {
        findings.push("sandbox/Cargo.toml: depends on a neighbour".to_owned());
    }
    none(findings);
}

#[test]
fn nothing_is_half_done_and_no_lint_is_silenced_without_a_reason() {
    let mut findings = Vec::new();
    for source in sources(&["src", "sandbox", "tests", "examples"]) {
        for (at, word) in source.words() {
            let (before, after) = source.around(at, word);
            if ["todo", "unimplemented", "dbg"].contains(&word) && after.starts_with('!') {
                findings.push(finding(&source, at, format!("`{word}!`")));
            }
            let is_attribute = before.ends_with("#[") || before.ends_with("#![");
            if ["allow", "expect"].contains(&word) && is_attribute {
                let reason = after.split(']').next().is_some_and(|it| it.contains("reason"));
                if !reason {
                    findings.push(finding(&source, at, format!("`{word}` without a reason")));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    // In two halves, so that this file does not name them either.
    let machine = [("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/")];
    let hosts = [
        ("crates", ".io"),
        ("proxy.golang", ".org"),
        ("npmjs", ".org"),
        ("pypi", ".org"),
        ("deb.debian", ".org"),
    ];
    let mut findings = Vec::new();
    for path in files(&[""]).iter().filter(|path| !path.ends_with("Cargo.lock")) {
        for (line, text) in read(path).lines().enumerate() {
            for (one, two) in machine.iter().chain(&hosts) {
                let name = format!("{one}{two}");
                if text.contains(&name) {
                    findings.push(format!("{path}:{}: names {name}", line + 1));
                }
            }
        }
    }
    none(findings);
}

#[test]
fn no_file_is_too_long() {
    let mut findings = Vec::new();
    for source in sources(&["src", "sandbox/src", "tests/harness/src"]).iter().filter(|it| !it.is_test()) {
        let lines = source.text.lines().count();
        if lines > LINES && !LONG.contains(&source.path.as_str()) {
            findings.push(format!("{}:{LINES}: has {lines} lines; make it two", source.path));
        }
    }
    none(findings);
}

/// What is compiled into the operator.
fn production() -> Vec<Source> {
    let mut found = sources(&["src"]);
    found.retain(|source| !source.is_test());
    assert!(found.len() > 20, "the sources are found");
    found
}

fn is_room(name: &str) -> bool {
    files(&["src"])
        .iter()
        .any(|path| *path == format!("src/{name}.rs") || path.starts_with(&format!("src/{name}/")))
}

/// The names of `[dependencies]`, as Rust spells them.
fn dependencies() -> BTreeSet<String> {
    let manifest = read("Cargo.toml");
    let section = manifest.split("\n[dependencies]\n").nth(1).expect("there are dependencies");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty());
    names.map(|name| name.replace('-', "_")).collect()
}

impl Crates {
    fn allow(&self, name: &str) -> bool {
        match self {
            Crates::Only(names) => names.contains(&name),
            Crates::AllBut(names) => !names.contains(&name),
        }
    }
}

fn finding(source: &Source, at: usize, what: String) -> String {
    format!("{}: {what}", source.place(at))
}

fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}
