//! Juicyway as its documents describe it: a hard delete behind a raw API key.

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
use crate::window::{Windows, earlier, later, seconds_until};
use config::{AuthScheme, Config, Page, WrongRoute};
use record::Customer;

/// The documented endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Route {
    ListCustomers,
    GetCustomer,
    DeleteCustomer,
    ListPayments,
    ListWallets,
    ListWalletTransactions,
    GetWalletTransaction,
    GetWallet,
    SetWalletStatus,
}

const ROUTES: &[Endpoint<Route>] = &[
    Endpoint {
        method: "GET",
        path: "/customers",
        route: Route::ListCustomers,
        query: &["limit", "after", "before", "email", "created_after", "created_before", "sort"],
    },
    Endpoint {
        method: "GET",
        path: "/customers/{}",
        route: Route::GetCustomer,
        query: &["fields", "version", "include"],
    },
    Endpoint { method: "DELETE", path: "/customers/{}", route: Route::DeleteCustomer, query: &[] },
    Endpoint {
        method: "GET",
        path: "/payments",
        route: Route::ListPayments,
        query: &["status", "before", "after", "limit", "created_after", "created_before"],
    },
    Endpoint {
        method: "GET",
        path: "/wallets/all",
        route: Route::ListWallets,
        query: &["customer_id", "currency", "status"],
    },
    Endpoint {
        method: "GET",
        path: "/wallets/transactions",
        route: Route::ListWalletTransactions,
        query: &["wallet_id", "type"],
    },
    Endpoint {
        method: "GET",
        path: "/wallets/transactions/{}",
        route: Route::GetWalletTransaction,
        query: &[],
    },
    Endpoint { method: "GET", path: "/wallets/{}", route: Route::GetWallet, query: &[] },
    Endpoint { method: "PATCH", path: "/wallets/{}/status", route: Route::SetWalletStatus, query: &[] },
];

/// The simulated account.
#[derive(Clone, Debug, Default)]
pub struct Juicyway {
    config: Config,
    customers: BTreeMap<String, Timeline<Customer>>,
    windows: Windows,
}

impl Juicyway {
    fn place(&self, request: &Request) -> Place<Route> {
        match request.path.strip_prefix(self.config.prefix.as_str()) {
            Some(path) => place(ROUTES, request.method.as_str(), path),
            None => Place::Nowhere,
        }
    }

    fn credential(&self, request: &Request) -> Credential {
        let Some(value) = request.headers.get("authorization") else { return Credential::Absent };
        let Ok(value) = value.to_str() else { return Credential::Wrong };
        let bearer = value.strip_prefix("Bearer ");
        let key = match self.config.auth_scheme {
            AuthScheme::Raw if bearer.is_some() => return Credential::Bearer,
            AuthScheme::Raw => Some(value),
            AuthScheme::Bearer => bearer,
        };
        match key.and_then(|key| self.config.keys.get(key)) {
            Some(environment) if *environment == self.config.environment => Credential::Ok,
            Some(_) => Credential::OtherEnvironment,
            None => Credential::Wrong,
        }
    }

    /// Whom a path addresses, under either prefix: a DELETE that missed its route is still counted for the right customer.
    fn addressed(&self, request: &Request, place: &Place<Route>) -> Option<String> {
        let path = request.path.strip_prefix("/v1").unwrap_or(&request.path);
        if let Some(id) = path.strip_prefix("/customers/").filter(|id| !id.is_empty() && !id.contains('/')) {
            return Some(percent_encoding::percent_decode_str(id).decode_utf8_lossy().into_owned());
        }
        match place {
            Place::At { endpoint: Endpoint { route: Route::ListWallets, .. }, .. } => {
                request.query_value("customer_id")
            }
            Place::At {
                endpoint: Endpoint { route: Route::GetWallet | Route::SetWalletStatus, .. },
                id: Some(wallet),
            } => self.owner_of(wallet),
            _ => None,
        }
    }

    fn owner_of(&self, wallet: &str) -> Option<String> {
        let owns = |customer: &Customer| customer.wallets.iter().any(|owned| owned.id == wallet);
        self.customers
            .iter()
            .find(|(_, timeline)| timeline.current().is_some_and(owns))
            .map(|(id, _)| id.clone())
    }

    fn living(&self, customer: &str) -> Option<&Customer> {
        self.customers.get(customer)?.current().filter(|customer| customer.present)
    }

    /// The customer as reads see it at a moment, both lags considered.
    fn visible<'a>(&self, timeline: &'a Timeline<Customer>, at: Timestamp) -> Option<&'a Customer> {
        let customer = timeline.as_of(at)?;
        match customer.present {
            true if at < later(customer.since, self.config.create_lag) => None,
            true => Some(customer),
            false if at < later(customer.since, self.config.visibility_lag) => {
                timeline.latest(at, |customer| customer.present)
            }
            false => None,
        }
    }

    fn missing(&self) -> Answer {
        match self.config.envelope_404 {
            Page::Json => not_found(),
            Page::Empty => Answer::empty(404),
            Page::Html => Answer::html(404, "404 Not Found"),
        }
    }

    fn wrong_route(&self) -> Answer {
        match self.config.wrong_route_404 {
            WrongRoute::Json => not_found(),
            WrongRoute::Html => Answer::html(404, "404 Not Found"),
        }
    }

    fn too_many(&self, request: &Request, now: Timestamp) -> Answer {
        let limit = &self.config.rate_limit;
        let wait = seconds_until(
            self.windows.allowance(rate_key(request), limit.limit, limit.window, now).reset,
            now,
        );
        let mut body = envelope("rate_limit_exceeded", "Too many requests", "rate_limit_error");
        body["error"]["details"]["retry_after"] = json!(wait);
        Answer::json(429, &body).with("retry_after", &wait.to_string())
    }
}

impl Provider for Juicyway {
    fn read(&self, request: &Request) -> Reading {
        let place = self.place(request);
        let look = matches!(place, Place::At { endpoint: Endpoint { route: Route::GetCustomer, .. }, .. });
        Reading {
            operation: place.operation(),
            customer: self.addressed(request, &place),
            destructive: request.method == "DELETE",
            look,
            credential: self.credential(request),
            undocumented: place.deviations(request, |route| *route == Route::SetWalletStatus),
        }
    }

    fn admit(&mut self, request: &Request, now: Timestamp) -> Result<(), Answer> {
        let Place::At { endpoint, .. } = self.place(request) else { return Err(self.wrong_route()) };
        if endpoint.path.starts_with("/wallets") && !self.config.wallets {
            return Err(self.wrong_route());
        }
        if self.credential(request) != Credential::Ok {
            return Err(self.error(401));
        }
        let limit = &self.config.rate_limit;
        if !self.windows.take(rate_key(request), limit.limit, limit.window, now) {
            return Err(self.too_many(request, now));
        }
        Ok(())
    }

    fn perform(&mut self, request: &Request, now: Timestamp, staleness: SignedDuration) -> Performed {
        let Place::At { endpoint, id } = self.place(request) else {
            return Performed::nothing(self.wrong_route());
        };
        let id = id.unwrap_or_default();
        let at = earlier(now, staleness);
        match endpoint.route {
            Route::DeleteCustomer => self.delete_customer(&id, now),
            Route::SetWalletStatus => self.set_wallet_status(&id, request, now),
            Route::ListCustomers => Performed::nothing(self.list_customers(request, at)),
            Route::GetCustomer => Performed::nothing(self.get_customer(&id, request, at)),
            Route::ListPayments => Performed::nothing(self.list_payments(request, at)),
            Route::ListWallets => Performed::nothing(self.list_wallets(request, at)),
            Route::ListWalletTransactions => Performed::nothing(self.list_wallet_transactions(request, at)),
            Route::GetWalletTransaction => Performed::nothing(self.get_wallet_transaction(&id, at)),
            Route::GetWallet => Performed::nothing(self.get_wallet(&id, at)),
        }
    }

    fn rehearse(&self, request: &Request, now: Timestamp) -> Answer {
        self.clone().perform(request, now, SignedDuration::ZERO).answer
    }

    fn standing_headers(&self, request: &Request, now: Timestamp) -> Vec<(String, String)> {
        let limit = &self.config.rate_limit;
        if !limit.headers {
            return Vec::new();
        }
        let left = self.windows.allowance(rate_key(request), limit.limit, limit.window, now);
        [
            ("Limit", limit.limit.to_string()),
            ("Remaining", left.remaining.to_string()),
            ("Reset", left.reset.as_second().to_string()),
        ]
        .map(|(name, value)| (format!("X-RateLimit-{name}"), value))
        .into()
    }

    fn error(&self, status: u16) -> Answer {
        let body = match status {
            401 => envelope("unauthorized", "Invalid API key", "authentication_error"),
            403 => envelope("forbidden", "Insufficient permissions", "permission_error"),
            404 => return not_found(),
            429 => envelope("rate_limit_exceeded", "Too many requests", "rate_limit_error"),
            400..=499 => {
                envelope("invalid_request", "The request cannot be processed", "invalid_request_error")
            }
            _ => envelope("internal_error", "Something went wrong", "api_error"),
        };
        Answer::json(status, &body)
    }

    fn incarnation(&self, customer: &str) -> Option<u64> {
        self.living(customer).map(|customer| customer.incarnation)
    }

    fn secrets(&self) -> Vec<String> {
        self.config.keys.keys().cloned().collect()
    }

    fn credential_header(&self) -> &'static str {
        "authorization"
    }

    fn stored(&self, customer: &str) -> Value {
        self.customers.get(customer).map_or(Value::Null, |timeline| json!(timeline))
    }

    fn restore(&mut self, customer: &str, stored: Value) -> Result<(), String> {
        match serde_json::from_value(stored).map_err(|why| why.to_string())? {
            Some(timeline) => self.customers.insert(customer.to_owned(), timeline),
            None => self.customers.remove(customer),
        };
        Ok(())
    }
}

/// The window a request counts against: that of its key.
fn rate_key(request: &Request) -> &str {
    request.header("authorization").unwrap_or_default()
}

/// The documented error envelope.
fn envelope(code: &str, message: &str, kind: &str) -> Value {
    json!({"error": {"code": code, "message": message, "type": kind, "details": {}}})
}

/// The documented body of a missing customer.
fn not_found() -> Answer {
    Answer::json(404, &json!({"error": {"code": "not_found", "message": "Customer not found"}}))
}

/// 400 in the documented envelope.
fn invalid(message: &str) -> Answer {
    Answer::json(400, &envelope("invalid_request", message, "invalid_request_error"))
}
