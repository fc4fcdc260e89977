//! Who plays: the customers at the sandbox, where each request stops at first, and how it must end.

use harness::Provider::{self, Juicyway, Revolv3};
use serde_json::{Value, json};

/// One request of `examples/demo/requests.yaml`.
pub struct Part {
    /// The request's name.
    pub name: &'static str,
    pub provider: Provider,
    /// The customer's id there.
    pub customer: &'static str,
    /// What the sandbox knows of the customer before; nothing for one that does not exist.
    pub seed: Option<Value>,
    /// Where it stops until somebody does something: the phase, and words of the column WAITING-FOR.
    pub stops: Option<(&'static str, &'static str)>,
    /// The phase and result in the end.
    pub ends: (&'static str, Option<&'static str>),
    /// How many DELETEs the provider received in the end.
    pub deletes: usize,
}

pub fn cast() -> Vec<Part> {
    let done_soft = ("Completed", Some("Deactivated"));
    let done_hard = ("Completed", Some("ErasedWithRetention"));
    let subscription = json!({"subscriptionId": 7, "subscriptionStatusType": "Current"});
    let invoice = json!({"invoiceId": 31, "invoiceStatus": "Pending", "total": 49.0});
    vec![
        Part {
            name: "hard-delete",
            provider: Juicyway,
            customer: "cus_amina",
            seed: Some(json!({"firstName": "Amina"})),
            stops: None,
            ends: done_hard,
            deletes: 1,
        },
        Part {
            name: "soft-delete",
            provider: Revolv3,
            customer: "90017",
            seed: Some(json!({"firstName": "Ada", "invoices": [{"invoiceStatus": "Paid"}]})),
            stops: None,
            ends: done_soft,
            deletes: 1,
        },
        Part {
            name: "subscribed",
            provider: Revolv3,
            customer: "90018",
            seed: Some(json!({"firstName": "Bea", "subscriptions": [subscription]})),
            stops: Some(("Blocked", "subscriptions (BlockersFound)")),
            ends: done_soft,
            deletes: 1,
        },
        Part {
            name: "unpaid",
            provider: Revolv3,
            customer: "90019",
            seed: Some(json!({"firstName": "Cem", "invoices": [invoice]})),
            stops: Some(("Blocked", "invoices (BlockersFound)")),
            ends: done_soft,
            deletes: 1,
        },
        Part {
            name: "wrong-token",
            provider: Juicyway,
            customer: "cus_bola",
            seed: Some(json!({"firstName": "Bola"})),
            stops: Some(("Planning", "mend the Secret")),
            ends: done_hard,
            deletes: 1,
        },
        Part {
            name: "unknown",
            provider: Juicyway,
            customer: "cus_anima",
            seed: None,
            stops: Some(("Failed", "customer not found")),
            ends: ("Failed", Some("Failed")),
            deletes: 0,
        },
        Part {
            name: "unapproved",
            provider: Revolv3,
            customer: "90020",
            seed: Some(json!({"firstName": "Dee"})),
            stops: Some(("AwaitingApproval", "approve")),
            ends: ("AwaitingApproval", None),
            deletes: 0,
        },
    ]
}
