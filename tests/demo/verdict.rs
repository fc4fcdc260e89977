//! Whether everything ended as promised: one line for each promise.

use harness::{Failure, Provider, Sandbox};
use serde_json::Value;

use crate::{
    cast::{Part, cast},
    ledger,
    story::Seen,
};

/// Says for each promise whether it was kept, and fails where one was not.
pub async fn given(sandbox: &Sandbox, seen: &Seen) -> Result<(), Failure> {
    let mut broken = 0;
    for (promise, was_kept) in promises(sandbox, seen).await? {
        println!("{} {promise}", if was_kept { "✓" } else { "✗ NOT SO:" });
        broken += usize::from(!was_kept);
    }
    if broken == 0 { Ok(()) } else { Err(Failure::new("keep every promise", format!("{broken} not kept"))) }
}

async fn promises(sandbox: &Sandbox, seen: &Seen) -> Result<Vec<(String, bool)>, Failure> {
    let mut told = Vec::new();
    for part in cast() {
        let deletes = ledger::deletes(sandbox, &part).await?;
        told.push(end(&part, &seen[part.name], &deletes));
    }
    let all = &ledger::of(sandbox, &cast()[0]).await?;
    let statuses: Vec<&Value> = all.iter().map(|entry| &entry["status"]).collect();
    let gone = statuses.iter().rev().find(|status| **status != 200);
    told.push((
        "hard-delete: the provider answered 204, and 404 afterwards; a control request proved that the 404 means something"
            .to_owned(),
        statuses.contains(&&Value::from(204)) && gone == Some(&&Value::from(404))
            && condition(seen, "hard-delete", "Verified")["reason"] == "Absent",
    ));
    let erased = condition(seen, "soft-delete", "DataErased");
    told.push((
        format!(
            "soft-delete: DataErased is False, and says what is kept: {}",
            erased["message"].as_str().unwrap_or("-")
        ),
        erased["status"] == "False"
            && erased["message"].to_string().contains("personal data, transactions, invoices"),
    ));
    told.push(untouched(sandbox, &["unknown", "unapproved"]).await?);
    told.push(clean(&sandbox.summary().await?));
    Ok(told)
}

fn end(part: &Part, status: &Value, deletes: &[Value]) -> (String, bool) {
    let (phase, result) = part.ends;
    let times = match part.deletes {
        0 => "no DELETE".to_owned(),
        1 => "exactly one DELETE".to_owned(),
        n => format!("{n} DELETEs"),
    };
    let promise =
        format!("{}: {phase}{}, {times}", part.name, result.map(|it| format!("/{it}")).unwrap_or_default());
    let kept =
        status["phase"] == phase && status["result"].as_str() == result && deletes.len() == part.deletes;
    (promise, kept)
}

/// Whoever must not be deleted is there.
async fn untouched(sandbox: &Sandbox, names: &[&str]) -> Result<(String, bool), Failure> {
    let mut kept = true;
    for part in cast().iter().filter(|part| names.contains(&part.name) && part.seed.is_some()) {
        kept &= sandbox.truth(part.provider, part.customer).await?["active"] == true;
    }
    Ok(("the customer whom nobody approved is untouched".to_owned(), kept))
}

/// Nothing undocumented was asked of a provider, and no credential went astray.
fn clean(summary: &Value) -> (String, bool) {
    let is_clean = |provider: Provider| {
        let figures = &summary["providers"][provider.name()];
        figures["undocumented"] == 0 && figures["leakedCredentials"] == 0
    };
    let kept = is_clean(Provider::Juicyway) && is_clean(Provider::Revolv3);
    (
        "only documented requests, never two DELETEs at once, no credential where it does not belong"
            .to_owned(),
        kept && alone(summary),
    )
}

fn alone(summary: &Value) -> bool {
    let customers = summary["customers"].as_array().into_iter().flatten();
    customers.into_iter().all(|customer| customer["maxConcurrent"].as_u64().unwrap_or(0) <= 1)
}

pub fn condition<'a>(seen: &'a Seen, name: &str, type_: &str) -> &'a Value {
    let conditions = seen.get(name).and_then(|status| status["conditions"].as_array());
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == type_);
    found.unwrap_or(&Value::Null)
}
