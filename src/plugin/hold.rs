//! `hold create|list|release`: nothing that a hold names is deleted while it stands.

use jiff::Timestamp;
use kube::{
    ResourceExt as _,
    api::{ListParams, ObjectMeta},
};

use super::{
    args::HoldArguments,
    cluster::Cluster,
    consent::moment_after,
    problem::Problem,
    terminal::Terminal,
    text::{columns, harmless, moment},
};
use crate::api::{CustomerHold, CustomerHoldSpec, HeldCustomer, HeldProvider, ProviderKind};

const MOST: usize = 10_000;

/// Makes a hold.
///
/// # Errors
/// A problem: nothing is held.
pub async fn create(
    cluster: &Cluster,
    terminal: &Terminal,
    arguments: &HoldArguments,
    now: Timestamp,
) -> Result<(), Problem> {
    let hold = hold(arguments, now)?;
    if arguments.all && !arguments.yes {
        terminal.say(&format!("This stops every deletion {}.\n", where_it_holds(&hold.spec)))?;
        terminal.confirm("hold everything", "in scripts use --yes").await?;
    }
    let made = cluster.create(&cluster.everywhere(), &hold).await?.name_any();
    let release = cluster.here.kubectl_anywhere(&format!("offboarding hold release {made}"));
    terminal.done(
        &format!("customerhold.offboarding.dev/{made} created\n"),
        &format!("To let it go: {release}\n"),
    );
    Ok(())
}

/// Lists all holds.
///
/// # Errors
/// A problem with the API server.
pub async fn list(cluster: &Cluster, terminal: &Terminal) -> Result<(), Problem> {
    let holds: Vec<CustomerHold> = cluster.list(&cluster.everywhere(), &ListParams::default(), MOST).await?;
    if holds.is_empty() {
        return terminal.say("nothing is held\n");
    }
    let rows: Vec<Vec<String>> = holds.iter().map(row).collect();
    terminal.print(&columns(&["NAME", "TYPE", "HOLDS", "WHERE", "REFERENCE", "EXPIRES"], &rows))
}

/// Lets a hold go.
///
/// # Errors
/// A problem: it stands, unless the server did not answer.
pub async fn release(cluster: &Cluster, terminal: &Terminal, name: &str, yes: bool) -> Result<(), Problem> {
    let api = cluster.everywhere::<CustomerHold>();
    let hold = cluster.get(&api, name).await?;
    if !yes {
        let table = columns(&["NAME", "TYPE", "HOLDS", "WHERE", "REFERENCE", "EXPIRES"], &[row(&hold)]);
        terminal.say(&format!("{table}What it holds is planned anew and goes on.\n"))?;
        terminal.confirm(name, "in scripts use --yes").await?;
    }
    cluster.delete(&api, &hold).await?;
    terminal.done(&format!("customerhold.offboarding.dev/{name} released\n"), "");
    Ok(())
}

fn hold(arguments: &HoldArguments, now: Timestamp) -> Result<CustomerHold, Problem> {
    let held = |reference: &String| HeldCustomer { reference: Some(reference.clone()), id_from: None };
    let expires_at = arguments.expires_in.map(|span| moment_after(now, span)).transpose()?;
    let metadata = match &arguments.name {
        Some(name) => ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        None => ObjectMeta { generate_name: Some("hold-".to_owned()), ..ObjectMeta::default() },
    };
    let spec = CustomerHoldSpec {
        kind: arguments.kind,
        all: arguments.all,
        customers: arguments.refs.iter().map(held).collect(),
        providers: arguments.providers.iter().map(|text| provider(text)).collect::<Result<_, _>>()?,
        reference: arguments.reference.clone(),
        expires_at,
    };
    Ok(CustomerHold { metadata, spec })
}

fn provider(text: &str) -> Result<HeldProvider, Problem> {
    let is_name = |name: &str| !name.is_empty() && !name.contains('/');
    match text.split_once('/') {
        Some((namespace, name)) if is_name(namespace) && is_name(name) => Ok(HeldProvider {
            kind: ProviderKind::OffboardingProvider,
            namespace: Some(namespace.to_owned()),
            name: name.to_owned(),
        }),
        None if is_name(text) => Ok(HeldProvider {
            kind: ProviderKind::ClusterOffboardingProvider,
            namespace: None,
            name: text.to_owned(),
        }),
        _ => Err(Problem::Input(format!(
            "--provider {}: must be NAMESPACE/NAME, or NAME of a ClusterOffboardingProvider",
            harmless(text)
        ))),
    }
}

fn row(hold: &CustomerHold) -> Vec<String> {
    let spec = &hold.spec;
    let holds = match (spec.all, spec.customers.as_slice()) {
        (true, _) => "EVERYTHING".to_owned(),
        (false, [one]) => one.reference.clone().unwrap_or_else(|| "the customer in a Secret".to_owned()),
        (false, many) => format!("{} customers", many.len()),
    };
    vec![
        harmless(&hold.name_any()),
        spec.kind.to_string(),
        harmless(&holds),
        where_it_holds(spec),
        harmless(spec.reference.as_deref().unwrap_or("-")),
        spec.expires_at.map_or_else(|| "never".to_owned(), moment),
    ]
}

fn where_it_holds(spec: &CustomerHoldSpec) -> String {
    if spec.providers.is_empty() {
        return "everywhere".to_owned();
    }
    let name = |it: &HeldProvider| {
        it.namespace.as_ref().map_or(it.name.clone(), |place| format!("{place}/{}", it.name))
    };
    harmless(&format!("at {}", spec.providers.iter().map(name).collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_with_a_namespace_is_a_namespaced_one() {
        let kind = |text| provider(text).map(|it| (it.kind, it.namespace, it.name)).ok();
        let name = || "revolv3".to_owned();
        assert_eq!(
            kind("team/revolv3"),
            Some((ProviderKind::OffboardingProvider, Some("team".to_owned()), name()))
        );
        assert_eq!(kind("revolv3"), Some((ProviderKind::ClusterOffboardingProvider, None, name())));
        for wrong in ["", "/", "team/", "/revolv3", "a/b/c"] {
            assert_eq!(kind(wrong), None, "{wrong}");
        }
    }
}
