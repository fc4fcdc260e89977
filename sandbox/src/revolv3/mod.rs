//! Revolv3 as its documents describe it: a soft delete behind a token header.

mod backstage;
mod config;
mod reads;
mod record;
mod writes;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::provider::{Credential, Performed, Provider, Reading};
use crate::route::{Endpoint, Place, place};
use crate::timeline::Timeline;
use crate::window::{Windows, earlier, seconds_until};
use config::{AfterDelete, Config};
use record::Customer;

/// The documented endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Route {
    ListCustomers,
    GetCustomer,
    DeleteCustomer,
    ListCustomerSubscriptions,
    ListSubscriptions,
    CancelSubscription,
    ListCustomerInvoices,
    ListInvoices,
}

const INVOICE_QUERY: &[&str] =
    &["merchantCustomerRefId", "merchantInvoiceRefId", "startDate", "endDate", "page", "pageSize"];
const ALL_INVOICES_QUERY: &[&str] = &[
    "page",
    "pageSize",
    "merchantCustomerRefId",
    "billingStartDate",
    "billingEndDate",
    "lastUpdateStartDate",
    "lastUpdateEndDate",
    "lastAttemptOnly",
    "orderBy",
];

const ROUTES: &[Endpoint<Route>] = &[
    Endpoint {
        method: "GET",
        path: "/api/Customers",
        route: Route::ListCustomers,
        query: &["merchantCustomerRefId", "firstName", "lastName"],
    },
    Endpoint { method: "GET", path: "/api/Customers/{}", route: Route::GetCustomer, query: &[] },
    Endpoint { method: "DELETE", path: "/api/Customers/{}", route: Route::DeleteCustomer, query: &[] },
    Endpoint {
        method: "GET",
        path: "/api/Customers/{}/subscriptions",
        route: Route::ListCustomerSubscriptions,
        query: &[],
    },
    Endpoint { method: "GET", path: "/api/Subscriptions", route: Route::ListSubscriptions, query: &[] },
    Endpoint {
        method: "POST",
        path: "/api/Subscriptions/{}/cancel",
        route: Route::CancelSubscription,
        query: &[],
    },
    Endpoint {
        method: "GET",
        path: "/api/Customers/{}/invoices",
        route: Route::ListCustomerInvoices,
        query: INVOICE_QUERY,
    },
    Endpoint {
        method: "GET",
        path: "/api/Invoices/v1",
        route: Route::ListInvoices,
        query: ALL_INVOICES_QUERY,
    },
    Endpoint { method: "GET", path: "/api/Invoices", route: Route::ListInvoices, query: ALL_INVOICES_QUERY },
];

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const QUARTER: SignedDuration = SignedDuration::from_mins(15);

/// The simulated account.
#[derive(Clone, Debug, Default)]
pub struct Revolv3 {
    config: Config,
    customers: BTreeMap<u64, Timeline<Customer>>,
    seconds: Windows,
    quarters: Windows,
    /// The last number given to a subscription or an invoice.
    last_id: u64,
}

impl Revolv3 {
    fn place(request: &Request) -> Place<Route> {
        place(ROUTES, request.method.as_str(), &request.path)
    }

    fn credential(&self, request: &Request) -> Credential {
        let Some(value) = request.headers.get("x-revolv3-token") else { return Credential::Absent };
        match value.to_str().ok().and_then(|token| self.config.tokens.get(token)) {
            Some(environment) if *environment == self.config.environment => Credential::Ok,
            Some(_) => Credential::OtherEnvironment,
            None => Credential::Wrong,
        }
    }

    /// Whom a request addresses; of a cancellation it is the owner of the subscription.
    fn addressed(&self, request: &Request) -> Option<String> {
        match Self::place(request) {
            Place::At { endpoint: Endpoint { route: Route::CancelSubscription, .. }, id } => {
                self.owner_of(id?.parse().ok()?).map(|owner| owner.to_string())
            }
            Place::At { id, .. } => id,
            Place::OtherMethod { id } => id.filter(|_| request.path.starts_with("/api/Customers/")),
            Place::Nowhere => None,
        }
    }

    fn owner_of(&self, subscription: u64) -> Option<u64> {
        let owns = |customer: &Customer| {
            customer.subscriptions.iter().any(|owned| owned.subscription_id == subscription)
        };
        self.customers.iter().find(|(_, timeline)| timeline.current().is_some_and(owns)).map(|(id, _)| *id)
    }

    fn current(&self, id: u64) -> Option<&Customer> {
        self.customers.get(&id)?.current()
    }

    fn active(&self, id: u64) -> Option<&Customer> {
        self.current(id).filter(|customer| customer.active)
    }

    fn change(&mut self, id: u64, customer: Customer, now: Timestamp) {
        self.customers.entry(id).or_default().change(now, customer);
    }

    /// The customer as reads of it see it at a moment.
    fn visible(&self, id: u64, at: Timestamp) -> Option<&Customer> {
        let customer = self.customers.get(&id)?.as_of(at)?;
        (customer.active || self.config.after_delete != AfterDelete::NotFound).then_some(customer)
    }

    fn text(&self, status: u16, body: &Value) -> Answer {
        Answer::typed(status, &self.config.content_type, body.to_string())
    }

    fn missing(&self) -> Answer {
        self.text(404, &json!({"message": "Unable to find an entity with the provided data."}))
    }

    fn invalid(&self, error: &str) -> Answer {
        self.text(400, &json!({"message": "One or more validation errors occurred.", "errors": [error]}))
    }

    /// How long until both windows let this token through again.
    fn wait(&self, token: &str, now: Timestamp) -> i64 {
        let limit = &self.config.rate_limit;
        let quarter = self.quarters.allowance(token, limit.per15m, QUARTER, now);
        let second = self.seconds.allowance(token, limit.per_second, SECOND, now);
        let full = if limit.per15m > 0 && quarter.remaining == 0 { quarter } else { second };
        seconds_until(full.reset, now)
    }
}

/// A customer id is an integer of 1 to 1,000,000,000.
fn customer_id(text: &str) -> Option<u64> {
    text.parse().ok().filter(|id| (1..=1_000_000_000).contains(id))
}

fn token(request: &Request) -> &str {
    request.header("x-revolv3-token").unwrap_or_default()
}

impl Provider for Revolv3 {
    fn read(&self, request: &Request) -> Reading {
        let place = Self::place(request);
        Reading {
            operation: place.operation(),
            customer: self.addressed(request),
            destructive: request.method == "DELETE",
            look: matches!(place, Place::At { endpoint: Endpoint { route: Route::GetCustomer, .. }, .. }),
            credential: self.credential(request),
            undocumented: place.deviations(request, |_| false),
        }
    }

    fn admit(&mut self, request: &Request, now: Timestamp) -> Result<(), Answer> {
        let place = Self::place(request);
        if matches!(place, Place::Nowhere) {
            return Err(Answer::empty(404));
        }
        if self.credential(request) != Credential::Ok {
            return Err(self.error(401));
        }
        if let Place::OtherMethod { id } = place {
            let inactive = id.and_then(|id| customer_id(&id)).is_some_and(|id| self.active(id).is_none());
            return Err(if inactive { self.missing() } else { Answer::empty(405) });
        }
        let limit = self.config.rate_limit.clone();
        let allowed = self.quarters.take(token(request), limit.per15m, QUARTER, now)
            && self.seconds.take(token(request), limit.per_second, SECOND, now);
        if allowed {
            return Ok(());
        }
        let refusal = self.error(429);
        Err(if limit.retry_after {
            refusal.with("Retry-After", &self.wait(token(request), now).to_string())
        } else {
            refusal
        })
    }

    fn perform(&mut self, request: &Request, now: Timestamp, staleness: SignedDuration) -> Performed {
        let Place::At { endpoint, id } = Self::place(request) else {
            return Performed::nothing(Answer::empty(404));
        };
        let id = id.as_deref().map(customer_id);
        if id == Some(None) {
            return Performed::nothing(self.invalid("The value is not a valid id."));
        }
        let id = id.flatten().unwrap_or_default();
        let at = earlier(now, staleness);
        match endpoint.route {
            Route::DeleteCustomer => self.delete_customer(id, now),
            Route::CancelSubscription => self.cancel_subscription(id, now),
            Route::ListCustomers => Performed::nothing(self.list_customers(request, at)),
            Route::GetCustomer => Performed::nothing(self.get_customer(id, at)),
            Route::ListCustomerSubscriptions => Performed::nothing(self.list_customer_subscriptions(id, at)),
            Route::ListSubscriptions => Performed::nothing(self.list_subscriptions(at)),
            Route::ListCustomerInvoices => Performed::nothing(self.list_customer_invoices(id, request, at)),
            Route::ListInvoices => Performed::nothing(self.list_invoices(request, at)),
        }
    }

    fn rehearse(&self, request: &Request, now: Timestamp) -> Answer {
        self.clone().perform(request, now, SignedDuration::ZERO).answer
    }

    fn standing_headers(&self, _: &Request, _: Timestamp) -> Vec<(String, String)> {
        Vec::new()
    }

    fn error(&self, status: u16) -> Answer {
        match status {
            401 => self.text(401, &json!({"message": "Attempted to perform an unauthorized operation."})),
            404 => self.missing(),
            400 => self.invalid("The request is invalid."),
            429 => self.text(429, &json!({"message": "Too many requests."})),
            status => self.text(status, &json!({"message": "An error occurred."})),
        }
    }

    fn incarnation(&self, customer: &str) -> Option<u64> {
        self.current(customer_id(customer)?).map(|customer| customer.incarnation)
    }

    fn secrets(&self) -> Vec<String> {
        self.config.tokens.keys().cloned().collect()
    }

    fn credential_header(&self) -> &'static str {
        "x-revolv3-token"
    }

    fn stored(&self, customer: &str) -> Value {
        customer_id(customer)
            .and_then(|id| self.customers.get(&id))
            .map_or(Value::Null, |timeline| json!(timeline))
    }

    fn restore(&mut self, customer: &str, stored: Value) -> Result<(), String> {
        let id = customer_id(customer).ok_or("not a customer id")?;
        let timeline: Option<Timeline<Customer>> =
            serde_json::from_value(stored).map_err(|why| why.to_string())?;
        let Some(timeline) = timeline else {
            self.customers.remove(&id);
            return Ok(());
        };
        if let Some(customer) = timeline.current() {
            let subscriptions =
                customer.subscriptions.iter().map(|subscription| subscription.subscription_id);
            let invoices = customer.invoices.iter().map(|invoice| invoice.invoice_id);
            self.last_id = subscriptions.chain(invoices).fold(self.last_id, u64::max);
        }
        self.customers.insert(id, timeline);
        Ok(())
    }
}
