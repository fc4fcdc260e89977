//! `approve`, `deny` and `waive`: the plan is shown, words are typed, one object is made.

use std::{collections::BTreeSet, fmt::Write as _};

use jiff::Timestamp;
use kube::{ResourceExt as _, api::ListParams};

use super::{
    args::{Consent, Format, Which},
    cluster::Cluster,
    consent::{Item, MOST, Word, approval, expiry, is_as_read, words_to_type},
    object::printed,
    plan,
    problem::Problem,
    terminal::Terminal,
    text::{harmless, moment},
};
use crate::api::{
    ApprovalDecision, CustomerOffboarding, OffboardingProvider, ProviderKind, REQUESTED_BY_ANNOTATION, Span,
};

/// What scripts type instead of words.
const FOR_SCRIPTS: &str = "in scripts use --yes --plan HASH, with the hash that was read";

/// Agrees to the plans.
///
/// # Errors
/// A problem: nothing was agreed to.
pub async fn approve(
    cluster: &Cluster,
    terminal: &Terminal,
    which: &Which,
    consent: &Consent,
    now: Timestamp,
) -> Result<(), Problem> {
    let items = items(cluster, terminal, which).await?;
    agree(cluster, terminal, &items, "Delete".to_owned(), consent, now).await
}

/// Agrees that one check is passed over, and to nothing else.
///
/// # Errors
/// A problem: nothing was agreed to.
pub async fn waive(
    cluster: &Cluster,
    terminal: &Terminal,
    name: &str,
    check: &str,
    consent: &Consent,
    now: Timestamp,
) -> Result<(), Problem> {
    let which = Which { names: vec![name.to_owned()], selector: None };
    let items = items(cluster, terminal, &which).await?;
    for item in &items {
        blocks(item, check, cluster)?;
    }
    agree(cluster, terminal, &items, format!("Waive:{check}"), consent, now).await
}

/// Refuses: it binds the requests, whatever their plans.
///
/// # Errors
/// A problem: nothing was refused.
pub async fn deny(
    cluster: &Cluster,
    terminal: &Terminal,
    which: &Which,
    reason: &str,
    yes: bool,
    output: Option<Format>,
) -> Result<(), Problem> {
    let items = items(cluster, terminal, which).await?;
    let word = Word {
        decision: ApprovalDecision::Deny,
        approver: cluster.who_am_i().await?,
        grants: Vec::new(),
        expires_at: None,
        reason: Some(reason.to_owned()),
    };
    show(cluster, terminal, &items)?;
    let asks = !yes && output.is_none();
    if asks {
        terminal.confirm(&words_to_type(&items), "in scripts use --yes").await?;
    }
    write(cluster, terminal, word, &items, output).await
}

async fn agree(
    cluster: &Cluster,
    terminal: &Terminal,
    items: &[Item],
    grant: String,
    consent: &Consent,
    now: Timestamp,
) -> Result<(), Problem> {
    let expires_at = expiry(now, consent.expires_in)?;
    for item in items {
        item.planned(&cluster.here)?;
    }
    is_as_read(items, &consent.plan, &cluster.here)?;
    holds_no_longer_than_allowed(cluster, items, consent.expires_in).await?;
    let approver = cluster.who_am_i().await?;
    show(cluster, terminal, items)?;
    warn_of_own_requests(terminal, items, &approver)?;
    if !consent.yes && consent.output.is_none() {
        terminal.confirm(&words_to_type(items), FOR_SCRIPTS).await?;
    }
    let word = Word {
        decision: ApprovalDecision::Approve,
        approver,
        grants: vec![grant],
        expires_at: Some(expires_at),
        reason: None,
    };
    write(cluster, terminal, word, items, consent.output).await
}

/// An approval that holds for longer than a provider object allows does not count, and says so only later. Provider objects
/// that may not be read are left to the operator.
async fn holds_no_longer_than_allowed(
    cluster: &Cluster,
    items: &[Item],
    expires_in: Span,
) -> Result<(), Problem> {
    let targets = items.iter().flat_map(|item| &item.request.spec.targets);
    let ours =
        targets.filter(|it| it.provider_ref.kind.unwrap_or_default() == ProviderKind::OffboardingProvider);
    let names: BTreeSet<&str> = ours.map(|it| it.provider_ref.name.as_str()).collect();
    for name in names {
        let provider = match cluster.get(&cluster.api::<OffboardingProvider>(), name).await {
            Ok(provider) => provider,
            Err(Problem::Interrupted) => return Err(Problem::Interrupted),
            Err(_unread) => continue,
        };
        let most = provider.spec.approvals.max_validity;
        if expires_in > most {
            return Err(Problem::Input(format!(
                "--expires-in {expires_in}: provider object '{name}' accepts approvals of at most {most}; type --expires-in {most}"
            )));
        }
    }
    Ok(())
}

/// The requests by their names, or all unfinished ones that a selector finds.
async fn items(cluster: &Cluster, terminal: &Terminal, which: &Which) -> Result<Vec<Item>, Problem> {
    let requests = match &which.selector {
        Some(selector) => return selected(cluster, terminal, selector).await,
        None if which.names.len() > MOST => {
            return Err(Problem::TooMany { count: which.names.len().to_string(), most: MOST });
        }
        None => &which.names,
    };
    let api = cluster.api::<CustomerOffboarding>();
    let mut items: Vec<Item> = Vec::new();
    for name in requests {
        let item = Item::of(cluster.get(&api, name).await?, &cluster.here)?;
        if items.iter().all(|known| known.uid != item.uid) {
            items.push(item);
        }
    }
    Ok(items)
}

async fn selected(cluster: &Cluster, terminal: &Terminal, selector: &str) -> Result<Vec<Item>, Problem> {
    let unfinished = ListParams::default().labels(selector).fields("status.finished!=true");
    let found = cluster.list(&cluster.api::<CustomerOffboarding>(), &unfinished, MOST).await?;
    if found.len() > MOST {
        return Err(Problem::TooMany { count: format!("more than {MOST}"), most: MOST });
    }
    let has_plan = |it: &CustomerOffboarding| it.status.as_ref().is_some_and(|status| status.plan.is_some());
    let (planned, others): (Vec<_>, Vec<_>) = found.into_iter().partition(has_plan);
    for request in &others {
        terminal.say(&format!("left out: {} has no plan yet\n", harmless(&request.name_any())))?;
    }
    if planned.is_empty() {
        return Err(Problem::NoMatch {
            namespace: cluster.here.namespace.clone(),
            which: format!("with labels {} has a plan", harmless(selector)),
            look: cluster.here.kubectl("get cob --show-labels"),
        });
    }
    planned.into_iter().map(|request| Item::of(request, &cluster.here)).collect()
}

/// Whether the plan names this check as a blocker.
fn blocks(item: &Item, check: &str, cluster: &Cluster) -> Result<(), Problem> {
    let plan = item.planned(&cluster.here)?;
    let names: Vec<String> = plan
        .targets
        .iter()
        .flat_map(|target| target.blockers.iter().map(|blocker| format!("{}/{}", target.name, blocker.check)))
        .collect();
    if names.iter().any(|name| name == check) {
        return Ok(());
    }
    let known = match names.as_slice() {
        [] => "nothing blocks it".to_owned(),
        names => format!("it has {}", harmless(&names.join(", "))),
    };
    Err(Problem::NoSuchCheck {
        what: format!("offboarding {}/{}", cluster.here.namespace, item.name),
        check: harmless(check),
        known,
    })
}

/// On standard error: standard output is for the object.
fn show(cluster: &Cluster, terminal: &Terminal, items: &[Item]) -> Result<(), Problem> {
    let mut text = String::new();
    for item in items {
        match &item.plan {
            Some(plan) => text += &plan::table(&item.request, plan, &cluster.here, terminal.err),
            None => {
                let _infallible = writeln!(
                    text,
                    "REQUEST       {}/{}\nplan          none yet",
                    cluster.here.namespace, item.name
                );
            }
        }
        text.push('\n');
    }
    terminal.say(&text)
}

fn warn_of_own_requests(terminal: &Terminal, items: &[Item], approver: &str) -> Result<(), Problem> {
    for item in items {
        let author =
            item.request.metadata.annotations.as_ref().and_then(|all| all.get(REQUESTED_BY_ANNOTATION));
        if author.is_some_and(|author| author == approver) {
            terminal.say(&format!(
                "note: you requested {} yourself; unless its provider objects say `separationOfDuties: false`, your approval does not count\n",
                harmless(&item.name)
            ))?;
        }
    }
    Ok(())
}

async fn write(
    cluster: &Cluster,
    terminal: &Terminal,
    word: Word,
    items: &[Item],
    output: Option<Format>,
) -> Result<(), Problem> {
    let (decision, expires_at) = (word.decision, word.expires_at);
    let object = approval(word, items, &cluster.here);
    if let Some(format) = output {
        return terminal.print(&printed(&object, format)?);
    }
    let made = cluster.create(&cluster.api(), &object).await?.name_any();
    let until = expires_at.map_or_else(String::new, |at| format!("It holds until {}. ", moment(at)));
    let takes_back = match decision {
        ApprovalDecision::Approve => "withdraw it",
        ApprovalDecision::Deny => "take it back",
    };
    let follow = match items {
        [item] => cluster.here.offboarding(&format!("status {} --watch", item.name)),
        _ => cluster.here.kubectl("get cob -w"),
    };
    let delete = cluster.here.kubectl(&format!("delete coba {made}"));
    terminal.done(
        &format!("offboardingapproval.offboarding.dev/{made} created\n"),
        &format!("{until}To {takes_back}: {delete}\nTo see how it goes on: {follow}\n"),
    );
    Ok(())
}
