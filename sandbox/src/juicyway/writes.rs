//! The two documented writes: delete a customer, change the status of a wallet.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::config::Dependency;
use super::record::Customer;
use super::{Juicyway, envelope};
use crate::http::{Answer, Request};
use crate::provider::Performed;

const WALLET_STATUSES: [&str; 3] = ["active", "frozen", "deleted"];

impl Juicyway {
    /// `DELETE /customers/{id}`: at once and for good.
    pub(super) fn delete_customer(&mut self, id: &str, now: Timestamp) -> Performed {
        let Some(customer) = self.living(id) else { return Performed::nothing(self.missing()) };
        if customer.restricted {
            let body = envelope("deletion_restricted", "This customer cannot be deleted", "permission_error");
            return Performed::nothing(Answer::json(403, &body));
        }
        if self.config.conflict_on.iter().any(|dependency| blocks(*dependency, customer)) {
            let body = envelope("deletion_conflict", "The customer has open business", "conflict_error");
            return Performed::nothing(Answer::json(409, &body));
        }
        let tombstone = customer.removed(now);
        self.customers.entry(id.to_owned()).or_default().change(now, tombstone);
        Performed { answer: Answer::empty(204), changed: Some(id.to_owned()) }
    }

    /// `PATCH /wallets/{id}/status`: `deleted` is final.
    pub(super) fn set_wallet_status(&mut self, wallet: &str, request: &Request, now: Timestamp) -> Performed {
        let Some(owner) = self.owner_of(wallet) else { return Performed::nothing(self.missing()) };
        let Some(mut customer) = self.living(&owner).cloned() else {
            return Performed::nothing(self.missing());
        };
        let Some(held) = customer.wallets.iter_mut().find(|held| held.id == wallet) else {
            return Performed::nothing(self.missing());
        };
        let wanted = wanted_status(request);
        let Some(wanted) = wanted.filter(|wanted| held.status != "deleted" || wanted == "deleted") else {
            let body = envelope(
                "invalid_status_transition",
                "The wallet cannot take that status",
                "invalid_request_error",
            );
            return Performed::nothing(Answer::json(422, &body));
        };
        held.status = wanted;
        let answer = Answer::json(200, &json!({"data": held.shown(&owner)}));
        self.customers.entry(owner.clone()).or_default().change(now, customer);
        Performed { answer, changed: Some(owner) }
    }
}

fn blocks(dependency: Dependency, customer: &Customer) -> bool {
    match dependency {
        Dependency::PendingPayment => customer.has_pending_payment(),
        Dependency::Subscription => customer.subscriptions > 0,
        Dependency::WalletBalance => customer.has_balance(),
    }
}

fn wanted_status(request: &Request) -> Option<String> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    body["status"].as_str().filter(|status| WALLET_STATUSES.contains(status)).map(str::to_owned)
}
