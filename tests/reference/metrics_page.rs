//! `docs/metrics.md`: how metrics are served, and what each of them says, from the catalogue that they are registered by.

use std::fmt::Write as _;

use offboarding::{
    metrics::catalogue::{ALL, CUSTOM, Described, Label, NO_ANSWER, Section, Type, Values},
    providers::built_in_names,
};

const ABOUT: &str = "\
# Metrics

In the OpenMetrics text format. Labels come from closed sets; no customer, request, namespace or object is named. The one label whose
values come from objects is `account`, and it has as many as the platform team's provider objects have accounts with a budget. However
many customers are offboarded, there are no more series.

## Where they are

| flag (environment) | default | what is there | who may |
|---|---|---|---|
| `--admin-address` (`ADMIN_ADDRESS`) | `127.0.0.1:8080` | `/healthz`, `/readyz`, `/metrics` | whoever is on the machine: only a loopback address is taken |
| `--probe-address` (`PROBE_ADDRESS`) | nowhere | `/healthz`, `/readyz` | everybody; for kubelet |
| `--metrics-address` (`METRICS_ADDRESS`) | nowhere | `/metrics`, over TLS | who shows a bearer token of somebody who may `get` the nonResourceURL `/metrics`; for Prometheus |

`--metrics-certificate` and `--metrics-key` are PEM files, read again within a minute after they change. Without them a certificate is made
at the start that nobody can verify: whoever scrapes then (`insecureSkipVerify`) cannot know to whom the token is given.

Whose token it is, and whether they may, is asked of the API server (TokenReview and SubjectAccessReview, the ClusterRole
`customer-offboarding-operator-metrics` of `deploy/roles.yaml`). A yes holds for 60 s, a no for 10 s, an API server that does not answer is
a 503. Each address takes 32 connections at once, one request each, with a head of at most 16 KiB within 5 s; two tokens are asked about
at a time.

```sh
kubectl create clusterrolebinding prometheus-reads-offboarding --clusterrole=offboarding-metrics-reader --serviceaccount=monitoring:prometheus
kubectl create token prometheus --namespace monitoring
```

## Who shows what

Every process shows what it did itself. **What is counted in the domain is the leader's to tell**: who stands by shows nothing of it, not
even a 0. So `sum` and `max` over all processes are right, and while nobody leads these series are absent, which
`sum(leader_election_master_status) < 1` tells. Counters begin at 0 with each process; series that can be known are there from the start.
";

const SECTIONS: &[(Section, &str)] = &[
    (Section::Standard, "Names that existing dashboards know"),
    (Section::Operator, "The operator"),
    (Section::Providers, "Providers"),
    (Section::Domain, "The domain, on the leader alone"),
];

pub fn page() -> String {
    let mut page = ABOUT.to_owned();
    for (section, title) in SECTIONS {
        page +=
            &format!("\n## {title}\n\n| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n");
        for of in ALL.iter().filter(|of| of.section == *section) {
            let labels: Vec<String> = of.labels.iter().map(label).collect();
            writeln!(
                page,
                "| {} | {} | {} | {} | {}{} |",
                name(of),
                kind(of.kind),
                if of.unit.is_empty() { "–" } else { of.unit },
                if labels.is_empty() { "–".to_owned() } else { labels.join("; ") },
                of.meaning,
                if of.always { "." } else { ". Comes with the first." },
            )
            .expect("a text takes everything");
        }
    }
    page
}

fn name(of: &Described) -> String {
    match of.kind {
        Type::Histogram => format!("`{0}_bucket`, `{0}_sum`, `{0}_count`", of.name),
        Type::Counter | Type::Gauge | Type::Info => format!("`{}`", of.exposed()),
    }
}

fn kind(kind: Type) -> &'static str {
    match kind {
        Type::Counter => "counter",
        Type::Gauge => "gauge",
        Type::Histogram => "histogram",
        Type::Info => "info",
    }
}

fn label(label: &Label) -> String {
    let quoted =
        |words: Vec<&str>| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let values = match label.values {
        Values::Words(words) => quoted(words.to_vec()),
        Values::Of(words) if words().len() > 12 => {
            "a reason of [conditions](reference/conditions.md)".to_owned()
        }
        Values::Of(words) => quoted(words()),
        Values::Profiles => quoted([built_in_names(), vec![CUSTOM]].concat()),
        Values::Statuses => format!("`100` to `599`, `{NO_ANSWER}` without an answer"),
        Values::Accounts => "`spec.account` of a provider object, or `*` for all".to_owned(),
        Values::Version => "that of the program".to_owned(),
    };
    format!("`{}`: {values}", label.name)
}
