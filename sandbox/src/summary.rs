//! The ledger in a few figures: what the oracle of every scenario looks at first.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::ledger::Entry;
use crate::provider::Name;

/// Figures per customer and per provider.
pub fn summary(entries: &[Entry]) -> Value {
    let customers: BTreeSet<(Name, &str)> =
        entries.iter().filter_map(|entry| Some((entry.provider, entry.customer.as_deref()?))).collect();
    json!({
        "customers": customers.into_iter().map(|(provider, customer)| of_customer(entries, provider, customer)).collect::<Vec<_>>(),
        "providers": Name::ALL.map(|provider| (provider.as_str(), of_provider(entries, provider))).into_iter().collect::<BTreeMap<_, _>>(),
    })
}

fn of_customer(entries: &[Entry], provider: Name, customer: &str) -> Value {
    let all: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.provider == provider && entry.customer.as_deref() == Some(customer))
        .collect();
    let destructive: Vec<&Entry> = all.iter().copied().filter(|entry| entry.destructive).collect();
    let applied: Vec<&Entry> = destructive.iter().copied().filter(|entry| entry.applied).collect();
    let mut per_incarnation: BTreeMap<String, u64> = BTreeMap::new();
    for entry in &applied {
        let incarnation =
            entry.incarnation_before.map_or_else(|| "unknown".to_owned(), |number| number.to_string());
        *per_incarnation.entry(incarnation).or_default() += 1;
    }
    json!({
        "provider": provider, "customer": customer, "requests": all.len(),
        "destructiveReceived": destructive.len(), "destructiveApplied": applied.len(),
        "appliedPerIncarnation": per_incarnation,
        "maxConcurrent": destructive.iter().map(|entry| entry.in_flight).max().unwrap_or(0),
        "destructiveWithoutLook": destructive.iter().filter(|entry| !looked_before(&all, entry)).count(),
        "receivedAt": destructive.iter().map(|entry| entry.received).collect::<Vec<_>>(),
        "appliedAt": applied.iter().map(|entry| entry.applied_at).collect::<Vec<_>>(),
        "readsAfterLastDestructive": reads_after_last_destructive(&all),
    })
}

/// A destructive request must follow a read of the same life of the same customer that was answered 200.
fn looked_before(all: &[&Entry], destructive: &Entry) -> bool {
    all.iter().any(|entry| {
        entry.look
            && entry.seq < destructive.seq
            && entry.status == Some(200)
            && entry.finished.is_some_and(|finished| finished <= destructive.received)
            && entry.incarnation_before == destructive.incarnation_before
    })
}

fn of_provider(entries: &[Entry], provider: Name) -> Value {
    let all: Vec<&Entry> = entries.iter().filter(|entry| entry.provider == provider).collect();
    let with_status = |status: u16| all.iter().filter(|entry| entry.status == Some(status)).count();
    json!({
        "requests": all.len(),
        "connections": all.iter().map(|entry| entry.connection).collect::<BTreeSet<_>>().len(),
        "unauthorized": with_status(401), "rateLimited": with_status(429),
        "undocumented": all.iter().filter(|entry| entry.undocumented).count(),
        "cut": all.iter().filter(|entry| entry.ended.is_some() && entry.finished.is_none()).count(),
        "readsAfterLastDestructive": reads_after_last_destructive(&all),
        "leakedCredentials": all.iter().map(|entry| entry.leaks.len()).sum::<usize>(),
    })
}

fn reads_after_last_destructive(all: &[&Entry]) -> usize {
    let last = all.iter().filter(|entry| entry.destructive).map(|entry| entry.seq).max();
    last.map_or(0, |last| all.iter().filter(|entry| entry.method == "GET" && entry.seq > last).count())
}
