//! What the facts about provider objects mean: what the operator says of each, whether it can be reached from here, and its clock.

use super::{
    facts::{Answer, Healthy, ProviderFound, Reach},
    judge::{clock, unseen},
    line::{Line, Verdict},
};
use crate::domain::{Cause, CauseWord, Failure, answer};

/// Up to three lines for each provider object.
pub(super) fn judge(found: &Answer<Vec<ProviderFound>>) -> Vec<Line> {
    match found {
        Err(error) => vec![unseen("providers", *error, "list provider objects")],
        Ok(found) if found.is_empty() => vec![Line::bad(
            "providers",
            Verdict::Warn,
            "there is no provider object: nothing can be deleted anywhere",
            "kubectl apply -f examples/revolv3.yaml",
        )],
        Ok(found) => found.iter().flat_map(lines).collect(),
    }
}

fn lines(found: &ProviderFound) -> Vec<Line> {
    let mut lines = vec![ready(found), reach(found)];
    if let Reach::Reached { ahead: Some(ahead) } = found.reach {
        lines.push(clock(&format!("clock {}", found.name), "the provider", Some(ahead)));
    }
    lines
}

fn ready(found: &ProviderFound) -> Line {
    let check = format!("provider {}", found.name);
    let describe = format!("kubectl describe {}", found.kubectl);
    match &found.ready {
        _ if found.suspended => {
            let says = "suspended by `spec.suspend`: nothing is sent there";
            Line::bad(
                check,
                Verdict::Warn,
                says,
                format!("kubectl edit {}, once it may go on", found.kubectl),
            )
        }
        None => {
            let says = "the operator has not looked at it as it is now written";
            Line::bad(check, Verdict::Unknown, says, format!("{describe}; does the operator run?"))
        }
        Some(Healthy { is_ready: true, reason, .. }) => Line::ok(check, format!("ready ({reason})")),
        Some(Healthy { is_ready: false, reason, message }) => {
            let says = format!("not ready ({reason}): {message}");
            Line::bad(check, Verdict::Fail, says, format!("docs/runbooks/{reason}.md"))
        }
    }
}

fn reach(found: &ProviderFound) -> Line {
    let check = format!("reach {}", found.name);
    let is_ready = found.ready.as_ref().is_some_and(|it| it.is_ready);
    match &found.reach {
        Reach::Reached { .. } => {
            Line::ok(check, "a connection stands, its certificate is believed, and no credential was shown")
        }
        Reach::Unusable(why) => {
            Line::bad(check, Verdict::Fail, why.clone(), format!("kubectl edit {}", found.kubectl))
        }
        Reach::Failed(failure) if found.has_client_certificate && is_tls(failure) => {
            if is_ready {
                Line::ok(
                    check,
                    "it wants a client certificate, which is not shown here; the operator's own request went well",
                )
            } else {
                let says = "it wants a client certificate, which is not shown here";
                Line::bad(check, Verdict::Unknown, says, format!("kubectl describe {}", found.kubectl))
            }
        }
        Reach::Failed(failure) => Line::bad(check, Verdict::Fail, answer(failure), cure(failure)),
    }
}

fn is_tls(failure: &Failure) -> bool {
    failure.cause == CauseWord::Ours(Cause::TlsFailed)
}

fn cure(failure: &Failure) -> &'static str {
    match failure.cause {
        CauseWord::Ours(Cause::AddressNotAllowed) => "docs/runbooks/AddressNotAllowed.md",
        CauseWord::Ours(Cause::NameNotResolved) => {
            "DNS: getent hosts HOST; behind a proxy, too, names are looked up here"
        }
        CauseWord::Ours(Cause::TlsFailed) => {
            "`spec.tls.caBundle`, or a proxy that opens TLS: openssl s_client -connect HOST:443"
        }
        CauseWord::Ours(Cause::ProxyUnavailable | Cause::ProxyRefused | Cause::ProxyUnauthorized) => {
            "--egress-proxy (docs/configuration.md)"
        }
        _ => "firewall, NetworkPolicy, or --egress-proxy (docs/configuration.md): curl -v https://HOST",
    }
}
