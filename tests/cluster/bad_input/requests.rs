//! Requests that cannot be carried out, or that change while they are.

use harness::Provider::{Juicyway, Revolv3};
use serde_json::{Value, json};

use super::{Wrong, everybody_else_goes_on};
use crate::{
    stage::play,
    story::{Story, condition, timeless},
};

struct Case {
    row: u8,
    name: &'static str,
    customer: &'static str,
    spec: Value,
    told: (&'static str, &'static str),
    phase: &'static str,
    sentence: &'static str,
}

fn at(provider: &str) -> Value {
    json!({"targets": [{"name": "billing", "providerRef": {"name": provider}}]})
}

fn at_in_mode(provider: &str, mode: &str) -> Value {
    json!({"targets": [{"name": "billing", "providerRef": {"name": provider}, "mode": mode}]})
}

const IMPOSSIBLE_ID: &str = "`spec` can never be carried out at provider 'revolv3': the id does not match its pattern, must come from a Secret (`idFrom`), or two targets are the same customer there; create another CustomerOffboarding";

fn cases() -> Vec<Case> {
    let case = |row, name, customer, spec, told, phase, sentence| Case {
        row,
        name,
        customer,
        spec,
        told,
        phase,
        sentence,
    };
    let invalid = ("Stalled", "InvalidSpec");
    let mode = ("Stalled", "ModeNotAllowed");
    vec![
        case(7, "letters", "abc", json!({}), invalid, "Failed", IMPOSSIBLE_ID),
        case(7, "zero", "0", json!({}), invalid, "Failed", IMPOSSIBLE_ID),
        case(7, "with-zeros", "0090017", json!({}), invalid, "Failed", IMPOSSIBLE_ID),
        case(7, "too-great", "1000000001", json!({}), invalid, "Failed", IMPOSSIBLE_ID),
        case(
            7,
            "personal",
            "90020",
            at("personal"),
            invalid,
            "Failed",
            "`spec` can never be carried out at provider 'personal': the id does not match its pattern, must come from a Secret (`idFrom`), or two targets are the same customer there; create another CustomerOffboarding",
        ),
        case(
            14,
            "nobody",
            "90014",
            at("later"),
            ("Stalled", "ProviderNotFound"),
            "Blocked",
            "provider 'later' is not available to this namespace; create the OffboardingProvider",
        ),
        case(
            14,
            "of-others",
            "90015",
            at("elsewhere"),
            ("Stalled", "ProviderNotFound"),
            "Blocked",
            "provider 'elsewhere' is not available to this namespace; create the OffboardingProvider",
        ),
        case(
            16,
            "hard",
            "90016",
            at_in_mode("both", "Hard"),
            mode,
            "Blocked",
            "provider 'both' cannot erase data; use `mode: Soft` and its erasure process",
        ),
        case(
            16,
            "not-allowed",
            "90017",
            at_in_mode("revolv3", "Hard"),
            mode,
            "Blocked",
            "provider 'revolv3' does not allow mode Hard",
        ),
        case(
            16,
            "ambiguous",
            "90018",
            at("both"),
            mode,
            "Blocked",
            "provider 'both' allows more than one mode; create a request with `mode`",
        ),
        case(
            21,
            "never-there",
            "90021",
            json!({}),
            ("Stalled", "CustomerNotFound"),
            "Failed",
            "customer not found, or deactivated already, at provider 'revolv3'; nothing was deleted. Check the id, or accept it with `acceptAbsent: true` in a new request",
        ),
        case(
            24,
            "suspended",
            "90024",
            json!({"suspend": true}),
            ("Waiting", "Suspended"),
            "Planning",
            "`spec.suspend` to be false; no request will be sent before",
        ),
    ]
}

#[tokio::test]
async fn rows_7_to_24_a_request_that_cannot_be_carried_out_says_what_must_change() {
    play("requests", async |story| {
        let elsewhere = story.stage.story("elsewhere").await;
        elsewhere.provider_as("elsewhere", Revolv3, json!({})).await;
        story.provider(Revolv3, json!({})).await;
        story.provider_as("both", Revolv3, json!({"allowedModes": ["Soft", "Hard"]})).await;
        story.provider_as("personal", Revolv3, json!({"idClass": "Personal"})).await;
        let (cases, mut wrong) = (cases(), Vec::new());
        for case in &cases {
            story.request_with(case.name, Revolv3, case.customer, case.spec.clone()).await;
        }
        for case in &cases {
            let mut about = Wrong::about(case.row, case.name);
            let status = story.reason(case.name, case.told.0, case.told.1).await;
            about.unless_equal(&status["phase"], &case.phase);
            about.unless_equal(&status["waitingFor"], &case.sentence);
            about.unless_equal(&status["finished"], &(case.phase == "Failed"));
            about.unless_equal(&condition(&status, "Deleted")["reason"], &"NotStarted");
            let asked = story.received(Revolv3, "GET", case.customer).await;
            about.unless_equal(&asked.is_empty(), &(case.row != 21));
            wrong.extend(about.told());
        }
        assert_eq!(wrong, [""; 0]);
        everybody_else_goes_on(story).await;

        // Row 14 goes on when the provider object is there, row 24 when it is told to.
        for customer in ["90014", "90024"] {
            story.sandbox.seed(Revolv3, customer, &json!({})).await.unwrap();
        }
        story.provider_as("later", Revolv3, json!({})).await;
        assert_eq!(story.finished("nobody").await["result"], "Deactivated");
        story.edit("suspended", json!({"suspend": false})).await;
        assert_eq!(story.finished("suspended").await["result"], "Deactivated");
        // Row 21, the other half.
        story.request_with("accepted", Revolv3, "90021", json!({"acceptAbsent": true})).await;
        assert_eq!(story.finished("accepted").await["result"], "AlreadyAbsent");
        assert_eq!(story.deletes(Revolv3, "90021").await, 0);
    })
    .await;
}

#[tokio::test]
async fn row_19_a_second_request_waits_for_the_first_and_finds_its_work_done() {
    play("duplicate", async |story| {
        story.sandbox.seed(Juicyway, "cus_twice", &json!({})).await.unwrap();
        let conflict =
            json!([{"match": {"method": "DELETE"}, "times": 1, "do": {"kind": "status", "status": 409}}]);
        story.sandbox.set_faults(&conflict).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request("first", Juicyway, "cus_twice").await;
        story.reason("first", "Unblocked", "ProviderConflict").await;
        story.request("second", Juicyway, "cus_twice").await;
        let status = story.reason("second", "Unblocked", "Duplicate").await;
        assert_eq!(status["phase"], "Blocked");
        assert_eq!(
            status["waitingFor"],
            "another CustomerOffboarding owns this customer; this one goes on when that one is finished"
        );
        everybody_else_goes_on(story).await;
        assert_eq!(story.finished("first").await["result"], "ErasedWithRetention");
        assert_eq!(story.finished("second").await["result"], "AlreadyAbsent");
        assert_eq!(story.deletes(Juicyway, "cus_twice").await, 2, "the refused one and the one that did it");
    })
    .await;
}

#[tokio::test]
async fn row_20_a_customer_that_was_deleted_before_is_not_deleted_again() {
    play("again", async |story| {
        for customer in ["cus_gone", "cus_back"] {
            story.sandbox.seed(Juicyway, customer, &json!({})).await.unwrap();
        }
        story.provider(Juicyway, json!({})).await;
        for (request, customer) in [("gone", "cus_gone"), ("back", "cus_back")] {
            story.request(request, Juicyway, customer).await;
            assert_eq!(story.finished(request).await["result"], "ErasedWithRetention");
        }
        story.sandbox.seed(Juicyway, "cus_back", &json!({})).await.unwrap();
        story.request("gone-again", Juicyway, "cus_gone").await;
        story.request("back-again", Juicyway, "cus_back").await;
        let status = story.finished("gone-again").await;
        assert_eq!(status["result"], "AlreadyAbsent");
        assert_eq!(status["waitingFor"], "the customer was already gone; nothing was deleted");
        let status = story.reason("back-again", "Unblocked", "Resurrected").await;
        assert_eq!(
            status["waitingFor"],
            "this customer was offboarded before and is there again; a person must decide: 0 of 1 approvals; read status.plan, then approve exactly its hash, or cancel"
        );
        everybody_else_goes_on(story).await;
        for customer in ["cus_gone", "cus_back"] {
            assert_eq!(story.deletes(Juicyway, customer).await, 1, "{customer}");
        }
        let truth = story.sandbox.truth(Juicyway, "cus_back").await.unwrap();
        assert_eq!(truth["exists"], true);
    })
    .await;
}

/// Holds the planning of a customer up for two seconds, so that something can change in between.
async fn while_it_is_planned(story: &Story<'_>, customer: &str, change: impl AsyncFnOnce()) {
    story.until_received(Revolv3, "GET", customer, 2).await;
    change().await;
}

fn slow_check(customer: &str) -> Value {
    let path = "/api/Customers/*/subscriptions";
    json!([{"match": {"path": path, "customer": customer}, "times": 1, "do": {"kind": "latency", "ms": 2000}}])
}

#[tokio::test]
async fn row_22_a_customer_that_changes_between_plan_and_deletion_is_not_touched() {
    play("changed", async |story| {
        story.sandbox.seed(Revolv3, "90022", &json!({"firstName": "Old"})).await.unwrap();
        story.sandbox.set_faults(&slow_check("90022")).await.unwrap();
        story.provider(Revolv3, json!({})).await;
        story.request("acme", Revolv3, "90022").await;
        while_it_is_planned(story, "90022", async || {
            story.sandbox.seed(Revolv3, "90022", &json!({"firstName": "New"})).await.unwrap();
        })
        .await;
        let status = story.reason("acme", "Planned", "PlanChanged").await;
        assert_eq!(
            status["waitingFor"],
            "another customer than the planned one has this id now; it was not touched. To offboard it, delete this request and create another"
        );
        let record = story.record_until("the attempt is told", |record| record["attempts"][0]["outcome"].is_string()).await;
        let attempt = &record["attempts"][0];
        assert_eq!([&attempt["outcome"], &attempt["reason"]], ["NotSent", "CustomerChanged"]);
        everybody_else_goes_on(story).await;
        assert_eq!(story.deletes(Revolv3, "90022").await, 0);
    })
    .await;
}

#[tokio::test]
async fn row_48_a_credential_that_is_rotated_between_plan_and_deletion_is_looked_at_again() {
    play("rotated", async |story| {
        let tokens = json!({"tokens": {"rv3_sandbox": "sandbox", "rv3_next": "sandbox"}});
        story.sandbox.configure(Revolv3, &tokens).await.unwrap();
        story.sandbox.seed(Revolv3, "90048", &json!({})).await.unwrap();
        story.sandbox.set_faults(&slow_check("90048")).await.unwrap();
        story.provider(Revolv3, json!({})).await;
        story.request("acme", Revolv3, "90048").await;
        while_it_is_planned(story, "90048", async || story.secret("revolv3", "rv3_next").await).await;
        let status = story.finished("acme").await;
        assert_eq!(status["result"], "Deactivated");
        let record = story.record_until("it is closed", |record| record["closed"] == true).await;
        let attempts = record["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "the one that was never sent is folded into the next: {attempts:#?}");
        assert_eq!(attempts[0]["count"], 2);
        assert_eq!(story.deletes(Revolv3, "90048").await, 1);
        everybody_else_goes_on(story).await;
    })
    .await;
}

#[tokio::test]
async fn row_26_a_request_or_namespace_that_goes_deletes_nobody_and_an_open_attempt_is_finished() {
    play("going", async |story| {
        for customer in ["cus_blocked", "cus_open"] {
            story.sandbox.seed(Juicyway, customer, &json!({"subscriptions": 0})).await.unwrap();
        }
        story.sandbox.seed(Juicyway, "cus_blocked", &json!({"wallets": [{"balance": 5}]})).await.unwrap();
        let cut =
            json!([{"match": {"method": "DELETE"}, "times": 1, "do": {"kind": "cut", "at": "afterApply"}}]);
        story.sandbox.set_faults(&cut).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request("blocked", Juicyway, "cus_blocked").await;
        story.reason("blocked", "Unblocked", "BlockersFound").await;
        story.request("open", Juicyway, "cus_open").await;
        story.reason("open", "Deleted", "OutcomeUnknown").await;
        story.delete("open").await;
        story.delete("blocked").await;
        // What was in its way goes, and nobody asks for it any more.
        story.sandbox.seed(Juicyway, "cus_blocked", &json!({})).await.unwrap();
        let record =
            story.record_until("the open attempt is finished", |record| record["closed"] == true).await;
        assert_eq!(record["result"], "ErasedWithRetention");
        everybody_else_goes_on(story).await;
        assert_eq!(story.deletes(Juicyway, "cus_open").await, 1);
        assert_eq!(story.deletes(Juicyway, "cus_blocked").await, 0);

        story.sandbox.seed(Juicyway, "cus_last", &json!({"wallets": [{"balance": 5}]})).await.unwrap();
        story.request("last", Juicyway, "cus_last").await;
        story.reason("last", "Unblocked", "BlockersFound").await;
        story.namespace.delete(&story.client).await.unwrap();
        assert_eq!(story.deletes(Juicyway, "cus_last").await, 0);
    })
    .await;
}

#[tokio::test]
async fn row_27_finalizers_and_owners_of_others_change_nothing() {
    play("foreign", async |story| {
        story.sandbox.seed(Juicyway, "cus_foreign", &json!({})).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        let owner = story.get("OffboardingProvider", "juicyway").await.unwrap();
        story
            .apply(&json!({
                "apiVersion": "offboarding.dev/v1alpha1", "kind": "CustomerOffboarding",
                "metadata": {
                    "name": "acme", "namespace": story.namespace.name(),
                    "finalizers": ["example.com/theirs"],
                    "ownerReferences": [{
                        "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingProvider",
                        "name": "juicyway", "uid": owner["metadata"]["uid"],
                    }],
                },
                "spec": {
                    "customer": {"id": "cus_foreign"},
                    "targets": [{"name": "billing", "providerRef": {"name": "juicyway"}}],
                },
            }))
            .await;
        assert_eq!(story.finished("acme").await["result"], "ErasedWithRetention");
        let metadata = story.get("CustomerOffboarding", "acme").await.unwrap()["metadata"].clone();
        assert_eq!(metadata["finalizers"], json!(["example.com/theirs"]), "ours is none of them");
        assert_eq!(metadata["ownerReferences"].as_array().unwrap().len(), 1);
        story.patch("CustomerOffboarding", "acme", json!({"metadata": {"finalizers": null}})).await;
        story.delete("acme").await;
        assert_eq!(story.deletes(Juicyway, "cus_foreign").await, 1);
    })
    .await;
}

#[tokio::test]
async fn rows_83_84_and_86_what_is_found_after_and_before_a_deletion_is_told_as_it_is() {
    play("found", async |story| {
        // 83: deleted, and the answer lost; before anybody looks, somebody new has the id.
        story.sandbox.seed(Juicyway, "cus_new", &json!({})).await.unwrap();
        let cut = json!([{"match": {"customer": "cus_new", "method": "DELETE"}, "do": {"kind": "cut", "at": "afterApply"}}]);
        story.sandbox.set_faults(&cut).await.unwrap();
        story.provider(Juicyway, json!({})).await;
        story.request("recreated", Juicyway, "cus_new").await;
        story.reason("recreated", "Deleted", "OutcomeUnknown").await;
        story.sandbox.seed(Juicyway, "cus_new", &json!({})).await.unwrap();
        // 86, at the other provider
        let blocked = json!({"subscriptions": [{}], "invoices": [{"invoiceStatus": "Open"}]});
        story.sandbox.seed(Revolv3, "90086", &blocked).await.unwrap();
        story.provider(Revolv3, json!({})).await;
        story.request("blocked", Revolv3, "90086").await;
        let status = story.reason("blocked", "Unblocked", "BlockersFound").await;
        assert_eq!(
            timeless(&status["waitingFor"]),
            "blocking dependencies at provider 'revolv3' to be cleared: subscriptions (BlockersFound), invoices (BlockersFound)"
        );
        assert_eq!(status["plan"]["targets"][0]["blockers"].as_array().unwrap().len(), 2);
        assert_eq!(story.deletes(Revolv3, "90086").await, 0);
        everybody_else_goes_on(story).await;
        story.sandbox.seed(Revolv3, "90086", &json!({})).await.unwrap();
        // 84: it goes on by itself, at its next look, and a deactivation is told as one.
        let status = story.finished("blocked").await;
        assert_eq!(status["result"], "Deactivated");
        assert_eq!(status["waitingFor"], "deactivated and verified; personal data was not erased");
        assert_eq!(condition(&status, "Ready")["reason"], "Deactivated");
        assert_eq!(condition(&status, "DataErased")["reason"], "SoftDeleteOnly");

        let status = story.finished("recreated").await;
        assert_eq!(condition(&status, "Stalled")["reason"], "Recreated");
        assert_eq!(status["waitingFor"], "a new customer now has this id; it was not touched");
        assert_eq!(story.deletes(Juicyway, "cus_new").await, 1);
        assert_eq!(story.sandbox.truth(Juicyway, "cus_new").await.unwrap()["exists"], true);
    })
    .await;
}
