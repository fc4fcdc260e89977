//! Whether everything ended as promised: one line for each promise.

use harness::{Failure, Provider};
use serde_json::Value;

use super::{
    cast::{Part, cast, the},
    ledger,
    stage::Stage,
    story::{Seen, condition},
};

/// In words, and whether it was kept.
pub type Promise = (String, bool);

/// Says for each promise whether it was kept, and fails where one was not.
pub async fn given(stage: &Stage, seen: &Seen, witnessed: Vec<Promise>) -> Result<(), Failure> {
    let mut broken = 0;
    for (promise, was_kept) in promises(stage, seen, witnessed).await? {
        println!("{} {promise}", if was_kept { "✓" } else { "✗ NOT SO:" });
        broken += usize::from(!was_kept);
    }
    if broken == 0 { Ok(()) } else { Err(Failure::new("keep every promise", format!("{broken} not kept"))) }
}

async fn promises(stage: &Stage, seen: &Seen, witnessed: Vec<Promise>) -> Result<Vec<Promise>, Failure> {
    let sandbox = &stage.sandbox;
    let mut told = Vec::new();
    for part in cast() {
        let deletes = ledger::deletes(sandbox, &part).await?;
        told.push(end(&part, &seen[part.name], &deletes));
    }
    let all = &ledger::of(sandbox, &the("hard-delete").customers[0]).await?;
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
    told.extend(witnessed);
    told.extend(agreed(stage, seen).await?);
    told.push(clean(&sandbox.summary().await?));
    Ok(told)
}

fn end(part: &Part, status: &Value, deletes: &[usize]) -> Promise {
    let (phase, result) = part.ends;
    let due = usize::from(phase == "Completed");
    let times = match (due, part.customers.len()) {
        (0, _) => "no DELETE",
        (_, 1) => "exactly one DELETE",
        (_, _) => "exactly one DELETE at each provider",
    };
    let kept =
        status["phase"] == phase && status["result"] == result && deletes.iter().all(|count| *count == due);
    (format!("{}: {phase}/{result}, {times}", part.name), kept)
}

/// The records say who agreed to what.
async fn agreed(stage: &Stage, seen: &Seen) -> Result<Vec<Promise>, Failure> {
    let listed = ["get", "cobr", "-n", "customer-offboarding", "-o", "json"];
    let listed = stage.plane.kubectl("admin").args(listed).succeed().await?;
    let listed: Value = serde_json::from_str(&listed).map_err(|why| Failure::new("read the records", why))?;
    let mut attempts: Vec<(&Value, &Value)> = Vec::new();
    for record in listed["items"].as_array().into_iter().flatten() {
        let of_record = record["spec"]["attempts"].as_array().into_iter().flatten();
        attempts.extend(of_record.map(|attempt| (&record["spec"]["request"]["name"], attempt)));
    }
    let of =
        |name: &str| attempts.iter().filter(|(of, _)| **of == name).map(|(_, it)| *it).collect::<Vec<_>>();
    let by_bob = |attempt: &Value| {
        let approvals = attempt["approvals"].as_array();
        approvals.is_some_and(|all| all.len() == 1 && all[0]["approver"] == "bob")
    };
    let consented = ["unapproved", "disputed", "everywhere"].map(of);
    let [_, _, everywhere] = &consented;
    let plan = &seen["everywhere"]["plan"]["hash"];
    let is_one = |attempt: &&Value| {
        attempt["planHash"] == *plan && attempt["approvals"][0]["uid"] == everywhere[0]["approvals"][0]["uid"]
    };
    Ok(vec![
        (
            "unapproved, disputed, everywhere: each record names bob, and nobody else".to_owned(),
            consented.iter().all(|all| !all.is_empty() && all.iter().all(|attempt| by_bob(attempt))),
        ),
        (
            "everywhere: one plan and one approval for both deletions".to_owned(),
            everywhere.len() == 2 && everywhere.iter().all(is_one),
        ),
    ])
}

/// Nothing undocumented was asked of a provider, and no credential went astray.
fn clean(summary: &Value) -> Promise {
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
