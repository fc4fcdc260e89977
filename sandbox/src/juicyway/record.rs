//! What Juicyway stores about a customer, how the outside world changes it, and how it is shown.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::window::earlier;

/// A customer with everything that belongs to it. After a delete the record stays as a tombstone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    pub incarnation: u64,
    pub present: bool,
    /// When this incarnation appeared in the store, or, on a tombstone, when it went.
    pub since: Timestamp,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub phone_number: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub restricted: bool,
    pub subscriptions: u32,
    pub payment_methods: u32,
    pub wallets: Vec<Wallet>,
    pub payments: Vec<Payment>,
}

/// Money held for a customer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wallet {
    pub id: String,
    pub currency: String,
    pub status: String,
    pub balance: i64,
}

/// A transaction record; it outlives its customer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    pub correlation_id: String,
    pub status: String,
    pub amount: i64,
    pub currency: String,
    pub created_at: Timestamp,
    /// The customer is gone: shown as `customer: null`.
    pub orphaned: bool,
}

/// What the admin listener may say about a customer; everything is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Seed {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    phone_number: Option<String>,
    created_at: Option<Timestamp>,
    restricted: Option<bool>,
    subscriptions: Option<u32>,
    payment_methods: Option<u32>,
    wallets: Option<Vec<WalletSeed>>,
    payments: Option<Vec<PaymentSeed>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WalletSeed {
    id: Option<String>,
    currency: Option<String>,
    status: Option<String>,
    balance: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PaymentSeed {
    correlation_id: Option<String>,
    status: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    created_at: Option<Timestamp>,
}

impl Customer {
    /// The next life of a customer: names stay unless given, what belonged to the last one does not.
    pub fn created(id: &str, last: Option<&Customer>, seed: Seed, now: Timestamp) -> Customer {
        let age = if last.is_some() { SignedDuration::ZERO } else { SignedDuration::from_hours(400 * 24) };
        let created_at = seed.created_at.unwrap_or_else(|| earlier(now, age));
        let mut customer = last.map_or_else(|| Customer::unnamed(id), |last| last.removed(now));
        if let Some(last) = last.filter(|last| last.present) {
            customer.take_names_of(last);
        } else if last.is_some() {
            customer.take_names_of(&Customer::unnamed(id));
        }
        customer.incarnation += 1;
        customer.present = true;
        customer.since = now;
        customer.restricted = false;
        customer.created_at = created_at;
        customer.updated_at = created_at;
        customer.payment_methods = 1;
        customer.amend(id, seed, now);
        customer
    }

    fn unnamed(id: &str) -> Customer {
        Customer {
            first_name: "Test".to_owned(),
            last_name: id.to_owned(),
            email: format!("{id}@example.com"),
            phone_number: "+15550100000".to_owned(),
            ..Customer::default()
        }
    }

    fn take_names_of(&mut self, other: &Customer) {
        self.first_name.clone_from(&other.first_name);
        self.last_name.clone_from(&other.last_name);
        self.email.clone_from(&other.email);
        self.phone_number.clone_from(&other.phone_number);
    }

    /// Changes what the seed names and nothing else.
    pub fn amend(&mut self, id: &str, seed: Seed, now: Timestamp) {
        let Seed { first_name, last_name, email, phone_number, created_at, restricted, .. } = seed;
        let Seed { subscriptions, payment_methods, wallets, payments, .. } = seed;
        set(&mut self.first_name, first_name);
        set(&mut self.last_name, last_name);
        set(&mut self.email, email);
        set(&mut self.phone_number, phone_number);
        set(&mut self.created_at, created_at);
        set(&mut self.restricted, restricted);
        set(&mut self.subscriptions, subscriptions);
        set(&mut self.payment_methods, payment_methods);
        if let Some(wallets) = wallets {
            self.wallets = (1..).zip(wallets).map(|(nth, seed)| seed.wallet(id, nth)).collect();
        }
        if let Some(payments) = payments {
            self.payments.retain(|payment| payment.orphaned);
            let first = self.payments.len() + 1;
            self.payments.extend((first..).zip(payments).map(|(nth, seed)| seed.payment(id, nth, now)));
        }
    }

    /// What a hard delete leaves: the number of the life that ended, and its payments without a customer.
    pub fn removed(&self, now: Timestamp) -> Customer {
        let payments =
            self.payments.iter().cloned().map(|payment| Payment { orphaned: true, ..payment }).collect();
        Customer { incarnation: self.incarnation, since: now, payments, ..Customer::default() }
    }

    /// Whether a payment is open.
    pub fn has_pending_payment(&self) -> bool {
        self.payments.iter().any(|payment| !payment.orphaned && payment.status == "pending")
    }

    /// Whether a wallet that is not closed holds money.
    pub fn has_balance(&self) -> bool {
        self.wallets.iter().any(|wallet| wallet.status != "deleted" && wallet.balance != 0)
    }

    /// As `GET /customers/{id}` shows it.
    pub fn shown(&self, id: &str) -> Value {
        json!({
            "id": id, "first_name": self.first_name, "last_name": self.last_name, "email": self.email,
            "phone_number": self.phone_number, "billing_address": address(),
            "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }

    /// The `payment_methods` of `include`; their shape is ours.
    pub fn shown_payment_methods(&self, id: &str) -> Vec<Value> {
        (1..=self.payment_methods)
            .map(|nth| json!({"id": format!("pm_{id}_{nth}"), "type": "card", "last4": "4242"}))
            .collect()
    }
}

impl Wallet {
    /// As the wallet endpoints show it.
    pub fn shown(&self, customer: &str) -> Value {
        json!({
            "id": self.id, "customer_id": customer, "currency": self.currency, "status": self.status,
            "balance": {"amount": self.balance, "currency": self.currency},
        })
    }

    /// The one credit that explains the balance.
    pub fn transaction(&self) -> Option<Value> {
        (self.balance != 0).then(|| {
            json!({"id": format!("wtx_{}", self.id), "wallet_id": self.id, "type": "credit", "amount": self.balance, "currency": self.currency})
        })
    }
}

impl Payment {
    /// As `GET /payments` lists it; `customer_id` only if the account shows it.
    pub fn shown(&self, customer: Option<(&str, &Customer)>, with_id: bool) -> Value {
        let customer = customer.filter(|_| !self.orphaned).map(|(id, customer)| {
            let mut shown = json!({
                "first_name": customer.first_name, "last_name": customer.last_name,
                "email": customer.email, "billing_address": address(),
            });
            if with_id {
                shown["id"] = json!(id);
            }
            shown
        });
        json!({
            "auth_type": "none", "expires_at": null, "links": [], "message": null,
            "payment": {
                "amount": self.amount, "cancellation_reason": null, "correlation_id": self.correlation_id,
                "currency": self.currency, "customer": customer, "status": self.status, "created_at": self.created_at,
            },
        })
    }
}

impl WalletSeed {
    fn wallet(self, customer: &str, nth: usize) -> Wallet {
        Wallet {
            id: self.id.unwrap_or_else(|| format!("wal_{customer}_{nth}")),
            currency: self.currency.unwrap_or_else(|| "NGN".to_owned()),
            status: self.status.unwrap_or_else(|| "active".to_owned()),
            balance: self.balance.unwrap_or(0),
        }
    }
}

impl PaymentSeed {
    fn payment(self, customer: &str, nth: usize, now: Timestamp) -> Payment {
        Payment {
            correlation_id: self.correlation_id.unwrap_or_else(|| format!("pay_{customer}_{nth}")),
            status: self.status.unwrap_or_else(|| "settled".to_owned()),
            amount: self.amount.unwrap_or(1000),
            currency: self.currency.unwrap_or_else(|| "NGN".to_owned()),
            created_at: self.created_at.unwrap_or(now),
            orphaned: false,
        }
    }
}

fn address() -> Value {
    json!({"line1": "1 Sample Street", "line2": null, "city": "Lagos", "state": "Lagos", "zip_code": "100001", "country": "NG"})
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *field = value;
    }
}
