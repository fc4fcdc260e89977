//! Who plays: the customers at the sandbox, where each request stops at first, and how it must end.

use harness::Provider::{self, Juicyway, Revolv3};
use serde_json::{Value, json};

/// One request of `examples/demo/requests.yaml`.
pub struct Part {
    /// The request's name.
    pub name: &'static str,
    /// Whom it is about, at each of its targets; one DELETE each in the end, where it succeeds.
    pub customers: Vec<Customer>,
    /// Where it stops until somebody does something: the phase, and words of the column WAITING-FOR.
    pub stops: Option<(&'static str, &'static str)>,
    /// The phase and result in the end.
    pub ends: (&'static str, &'static str),
}

/// A customer at one provider.
pub struct Customer {
    pub provider: Provider,
    /// The customer's id there.
    pub id: &'static str,
    /// What the sandbox knows of the customer before; nothing for one that does not exist.
    pub seed: Option<Value>,
}

const DEACTIVATED: (&str, &str) = ("Completed", "Deactivated");
const ERASED: (&str, &str) = ("Completed", "ErasedWithRetention");
const UNAPPROVED: Option<(&str, &str)> = Some(("AwaitingApproval", "0 of 1 approvals"));

pub fn cast() -> Vec<Part> {
    let subscription = json!({"subscriptionId": 7, "subscriptionStatusType": "Current"});
    let invoice = json!({"invoiceId": 31, "invoiceStatus": "Pending", "total": 49.0});
    let amina = at(Juicyway, "cus_amina", json!({"firstName": "Amina"}));
    let ada = at(Revolv3, "90017", json!({"firstName": "Ada", "invoices": [{"invoiceStatus": "Paid"}]}));
    let bea = at(Revolv3, "90018", json!({"firstName": "Bea", "subscriptions": [subscription]}));
    let cem = at(Revolv3, "90019", json!({"firstName": "Cem", "invoices": [invoice]}));
    let bola = at(Juicyway, "cus_bola", json!({"firstName": "Bola"}));
    let nobody = Customer { provider: Juicyway, id: "cus_anima", seed: None };
    let dee = at(Revolv3, "90020", json!({"firstName": "Dee"}));
    let eve = at(Revolv3, "90021", json!({"firstName": "Eve"}));
    let dayo = [("90022", Revolv3), ("cus_dayo", Juicyway)]
        .map(|(id, provider)| at(provider, id, json!({"firstName": "Dayo"})));
    let subscribed = Some(("Blocked", "subscriptions (BlockersFound)"));
    let unpaid = Some(("Blocked", "invoices (BlockersFound)"));
    vec![
        part("hard-delete", [amina], None, ERASED),
        part("soft-delete", [ada], None, DEACTIVATED),
        part("subscribed", [bea], subscribed, DEACTIVATED),
        part("unpaid", [cem], unpaid, DEACTIVATED),
        part("wrong-token", [bola], Some(("Planning", "mend the Secret")), ERASED),
        part("unknown", [nobody], Some(("Failed", "customer not found")), ("Failed", "Failed")),
        part("unapproved", [dee], UNAPPROVED, DEACTIVATED),
        part("disputed", [eve], UNAPPROVED, DEACTIVATED),
        part("everywhere", dayo, UNAPPROVED, DEACTIVATED),
    ]
}

fn at(provider: Provider, id: &'static str, seed: Value) -> Customer {
    Customer { provider, id, seed: Some(seed) }
}

fn part<const N: usize>(
    name: &'static str,
    customers: [Customer; N],
    stops: Option<(&'static str, &'static str)>,
    ends: (&'static str, &'static str),
) -> Part {
    Part { name, customers: customers.into(), stops, ends }
}

/// # Panics
/// When nobody of that name plays: the story is misspelt.
pub fn the(name: &str) -> Part {
    cast().into_iter().find(|part| part.name == name).expect("it is in the cast")
}
