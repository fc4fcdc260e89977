//! What the providers themselves say they received.

use harness::{Failure, LedgerFilter, Sandbox};
use serde_json::Value;

use super::{
    cast::{Customer, Part},
    show::{row, table},
};

/// The requests that addressed one customer, oldest first.
pub async fn of(sandbox: &Sandbox, customer: &Customer) -> Result<Vec<Value>, Failure> {
    let filter = LedgerFilter {
        provider: Some(customer.provider),
        customer: Some(customer.id),
        ..LedgerFilter::default()
    };
    sandbox.ledger(&filter).await
}

/// How many DELETEs each customer of a part has seen.
pub async fn deletes(sandbox: &Sandbox, part: &Part) -> Result<Vec<usize>, Failure> {
    let mut counts = Vec::new();
    for customer in &part.customers {
        let entries = of(sandbox, customer).await?;
        counts.push(entries.iter().filter(|entry| entry["destructive"] == true).count());
    }
    Ok(counts)
}

/// Whether no provider received a DELETE for a part.
pub async fn is_untouched(sandbox: &Sandbox, part: &Part) -> Result<bool, Failure> {
    Ok(deletes(sandbox, part).await?.iter().all(|count| *count == 0))
}

/// Everything received, by request; equal requests in a row are one line with a count.
pub async fn shown(sandbox: &Sandbox, cast: &[Part]) -> Result<String, Failure> {
    let mut rows = vec![row(["FOR", "PROVIDER", "METHOD", "PATH", "STATUS", "TIMES"])];
    let all = sandbox.ledger(&LedgerFilter::default()).await?;
    for part in cast {
        for customer in &part.customers {
            rows.extend(folded(part.name, of(sandbox, customer).await?.iter()));
        }
    }
    let mut others: Vec<&Value> = all.iter().filter(|entry| entry["customer"].is_null()).collect();
    others.sort_by_key(|entry| (entry["path"].to_string(), entry["status"].to_string()));
    rows.extend(folded("(control)", others.into_iter()));
    Ok(table(&rows))
}

fn folded<'a>(name: &str, entries: impl Iterator<Item = &'a Value>) -> Vec<Vec<String>> {
    let mut rows: Vec<(Vec<String>, usize)> = Vec::new();
    for entry in entries {
        let word = |field: &str| entry[field].as_str().unwrap_or("-");
        let status = entry["status"].to_string();
        let next = row([name, word("provider"), word("method"), word("path"), &status]);
        match rows.last_mut() {
            Some((last, times)) if *last == next => *times += 1,
            _ => rows.push((next, 1)),
        }
    }
    let counted = rows.into_iter().map(|(mut row, times)| {
        row.push(times.to_string());
        row
    });
    counted.collect()
}
