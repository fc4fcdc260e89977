//! What Revolv3 stores about a customer, how the outside world changes it, and how it is shown.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A customer with everything that belongs to it. A delete changes `active` and nothing else.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Customer {
    pub incarnation: u64,
    pub active: bool,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub merchant_customer_ref_id: String,
    pub subscriptions: Vec<Subscription>,
    pub invoices: Vec<Invoice>,
}

/// A recurring charge.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    pub subscription_id: u64,
    pub subscription_status_type: String,
    pub subscription_cancel_type: String,
    pub next_bill_date: Timestamp,
    pub cancelled_at: Option<Timestamp>,
}

/// A charge, open or closed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invoice {
    pub invoice_id: u64,
    pub merchant_invoice_ref_id: String,
    pub invoice_status: String,
    pub total: f64,
    pub currency: String,
    pub billing_date: Timestamp,
}

/// What the admin listener may say about a customer; everything is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Seed {
    first_name: Option<String>,
    last_name: Option<String>,
    email: Option<String>,
    merchant_customer_ref_id: Option<String>,
    subscriptions: Option<Vec<SubscriptionSeed>>,
    invoices: Option<Vec<InvoiceSeed>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SubscriptionSeed {
    subscription_id: Option<u64>,
    subscription_status_type: Option<String>,
    subscription_cancel_type: Option<String>,
    next_bill_date: Option<Timestamp>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InvoiceSeed {
    invoice_id: Option<u64>,
    merchant_invoice_ref_id: Option<String>,
    invoice_status: Option<String>,
    total: Option<f64>,
    currency: Option<String>,
    billing_date: Option<Timestamp>,
}

/// The 19 known names; the number of each in `invoiceStatusEnum` is ours, the pairing is documented nowhere.
const INVOICE_STATUSES: [&str; 19] = [
    "Paid",
    "Pending",
    "Void",
    "Noncollectable",
    "Failed",
    "Recycle",
    "Refund",
    "PartialRefund",
    "MerchantPaid",
    "MerchantCancelled",
    "RefundDeclined",
    "RefundFailed",
    "Delinquent",
    "OneTimePaymentPending",
    "BatchPending",
    "CapturePending",
    "RefundPending",
    "RetryPending",
    "RecurringPending",
];

impl Customer {
    /// The next life of a customer: names stay unless given, subscriptions and invoices do not.
    pub fn created(
        id: u64,
        last: Option<&Customer>,
        seed: Seed,
        next_id: &mut u64,
        now: Timestamp,
    ) -> Customer {
        let mut customer = last.cloned().unwrap_or_else(|| Customer::unnamed(id));
        customer.incarnation += 1;
        customer.active = true;
        customer.subscriptions.clear();
        customer.invoices.clear();
        customer.amend(seed, next_id, now);
        customer
    }

    fn unnamed(id: u64) -> Customer {
        Customer {
            first_name: "Test".to_owned(),
            last_name: id.to_string(),
            email: format!("{id}@example.com"),
            merchant_customer_ref_id: format!("ref-{id}"),
            ..Customer::default()
        }
    }

    /// Changes what the seed names and nothing else. `next_id` numbers subscriptions and invoices.
    pub fn amend(&mut self, seed: Seed, next_id: &mut u64, now: Timestamp) {
        let Seed { first_name, last_name, email, merchant_customer_ref_id, subscriptions, invoices } = seed;
        set(&mut self.first_name, first_name);
        set(&mut self.last_name, last_name);
        set(&mut self.email, email);
        set(&mut self.merchant_customer_ref_id, merchant_customer_ref_id);
        if let Some(subscriptions) = subscriptions {
            self.subscriptions =
                subscriptions.into_iter().map(|seed| seed.subscription(next_id, now)).collect();
        }
        if let Some(invoices) = invoices {
            self.invoices = invoices.into_iter().map(|seed| seed.invoice(next_id, now)).collect();
        }
    }

    /// Cancels what is still running, for accounts whose delete does that.
    pub fn cancel_subscriptions(&mut self, now: Timestamp) {
        for subscription in self.subscriptions.iter_mut().filter(|subscription| !subscription.is_cancelled())
        {
            subscription.subscription_status_type = "Cancelled".to_owned();
            subscription.cancelled_at = Some(now);
        }
    }

    /// The `CustomerDTO`: no status, no creation date.
    pub fn shown(&self, id: u64) -> Value {
        json!({
            "customerId": id, "merchantCustomerRefId": self.merchant_customer_ref_id,
            "firstName": self.first_name, "lastName": self.last_name,
            "billingAddresses": [{"addressLine1": "1 Sample Street", "city": "Springfield", "state": "CA", "postalCode": "90001", "country": "US"}],
            "shippingAddresses": [], "taxAddresses": [],
            "subscriptions": self.subscriptions.iter().map(|subscription| subscription.shown(id)).collect::<Vec<_>>(),
        })
    }
}

impl Subscription {
    /// Cancelled, or about to be.
    pub fn is_cancelled(&self) -> bool {
        let status = self.subscription_status_type.to_ascii_lowercase().replace(' ', "");
        status == "cancelled" || status == "pendingcancellation"
    }

    /// As the lists show it.
    pub fn shown(&self, customer: u64) -> Value {
        json!({
            "subscriptionId": self.subscription_id, "customerId": customer,
            "subscriptionStatusType": self.subscription_status_type, "subscriptionCancelType": self.subscription_cancel_type,
            "nextBillDate": self.next_bill_date, "cancelledAt": self.cancelled_at,
        })
    }
}

impl Invoice {
    /// As the lists show it.
    pub fn shown(&self, id: u64, customer: &Customer) -> Value {
        let number =
            INVOICE_STATUSES.iter().position(|name| *name == self.invoice_status).map(|index| index + 1);
        json!({
            "invoiceId": self.invoice_id, "customerId": id, "merchantInvoiceRefId": self.merchant_invoice_ref_id,
            "invoiceStatus": self.invoice_status, "invoiceStatusEnum": number,
            "subtotal": self.total, "tax": 0.0, "total": self.total, "currency": self.currency,
            "billingDate": self.billing_date.to_zoned(TimeZone::UTC).strftime("%d-%b-%y").to_string(),
            "binNumber": "411111", "last4Digit": "1111",
            "customerFirstName": customer.first_name, "customerLastName": customer.last_name,
            "subscriptionId": null, "invoiceLineItems": [], "invoiceAttempts": [],
        })
    }
}

impl SubscriptionSeed {
    fn subscription(self, next_id: &mut u64, now: Timestamp) -> Subscription {
        Subscription {
            subscription_id: self.subscription_id.unwrap_or_else(|| draw(next_id)),
            subscription_status_type: self.subscription_status_type.unwrap_or_else(|| "Current".to_owned()),
            subscription_cancel_type: self.subscription_cancel_type.unwrap_or_else(|| "Immediate".to_owned()),
            next_bill_date: self.next_bill_date.unwrap_or(now),
            cancelled_at: None,
        }
    }
}

impl InvoiceSeed {
    fn invoice(self, next_id: &mut u64, now: Timestamp) -> Invoice {
        let invoice_id = self.invoice_id.unwrap_or_else(|| draw(next_id));
        Invoice {
            invoice_id,
            merchant_invoice_ref_id: self
                .merchant_invoice_ref_id
                .unwrap_or_else(|| format!("inv-{invoice_id}")),
            invoice_status: self.invoice_status.unwrap_or_else(|| "Paid".to_owned()),
            total: self.total.unwrap_or(10.0),
            currency: self.currency.unwrap_or_else(|| "USD".to_owned()),
            billing_date: self.billing_date.unwrap_or(now),
        }
    }
}

fn draw(next_id: &mut u64) -> u64 {
    *next_id += 1;
    *next_id
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *field = value;
    }
}
