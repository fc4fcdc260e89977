//! The two documented writes: delete (make inactive) a customer, cancel a subscription.

use jiff::Timestamp;
use serde_json::json;

use super::Revolv3;
use crate::http::Answer;
use crate::provider::Performed;

impl Revolv3 {
    /// `DELETE /api/Customers/{id}`: marks inactive and erases nothing.
    pub(super) fn delete_customer(&mut self, id: u64, now: Timestamp) -> Performed {
        let Some(mut customer) = self.active(id).cloned() else { return Performed::nothing(self.missing()) };
        customer.active = false;
        if self.config.cancels_subscriptions {
            customer.cancel_subscriptions(now);
        }
        self.change(id, customer, now);
        Performed { answer: Answer::empty(self.config.delete_status), changed: Some(id.to_string()) }
    }

    /// `POST /api/Subscriptions/{id}/cancel`: at once, or at the end of the cycle.
    pub(super) fn cancel_subscription(&mut self, subscription: u64, now: Timestamp) -> Performed {
        let Some(owner) = self.owner_of(subscription) else { return Performed::nothing(self.missing()) };
        let Some(mut customer) = self.active(owner).cloned() else {
            return Performed::nothing(self.missing());
        };
        let Some(running) =
            customer.subscriptions.iter_mut().find(|owned| owned.subscription_id == subscription)
        else {
            return Performed::nothing(self.missing());
        };
        if running.is_cancelled() {
            return Performed::nothing(self.invalid("The subscription is already cancelled."));
        }
        let at_end = running.subscription_cancel_type.eq_ignore_ascii_case("EndOfCycle");
        running.subscription_status_type =
            if at_end { "PendingCancellation" } else { "Cancelled" }.to_owned();
        running.cancelled_at = Some(now);
        let status = &running.subscription_status_type;
        let body = json!({"subscriptionId": subscription, "customerId": owner, "subscriptionStatus": status, "cancelledAt": now});
        self.change(owner, customer, now);
        Performed { answer: self.text(200, &body), changed: Some(owner.to_string()) }
    }
}
