//! After the intent: the customer once more, then everything else live and at once. Anything off or unanswered: no.

use std::{sync::Arc, time::Duration};

use kube::ResourceExt as _;
use tokio::{sync::Mutex, time::Instant};

use super::{
    cases, consents, credential::credentials_of, delete::Errand, holds, observe::look_of, policies,
    provider_kinds::ProviderKey, secrets,
};
use crate::{
    api::CustomerOffboarding,
    domain::{
        ApprovalsSeen, BudgetSeen, Cause, Class, CustomerSeen, CustomerSource, Failure, Live, Observation,
        Plan, PolicyState, ProviderSeen, Whole, nothing_changed,
    },
    failpoint,
    providers::{Captured, http::Reservation},
    traces::{Key, Name},
};

/// The provider object as it is now.
struct Found {
    seen: ProviderSeen,
    /// Keyed hash of the credential that it names.
    credential: Option<String>,
    /// Whether the connection that is about to be used was made of it.
    is_ours: bool,
}

impl Found {
    fn without_a_credential(seen: ProviderSeen) -> Self {
        Self { seen, credential: None, is_ours: false }
    }
}

/// Nothing changed since the intent.
pub(super) struct Permitted {
    pub(super) captured: Captured,
    /// When the live reads began.
    pub(super) read_at: Instant,
}

impl Errand {
    /// Looks at the customer once more, then reads everything else live and at once. Anything off or unanswered: no.
    pub(super) async fn permitted(
        &self,
        reservation: &Arc<Mutex<Reservation>>,
    ) -> Result<Permitted, Failure> {
        let mut step = self.step(Name::ReRead);
        let permitted = self.read_again(reservation).await;
        match &permitted {
            Ok(_) => step.say(Key::Outcome, "Unchanged"),
            Err(failure) => step.failed(failure),
        }
        permitted
    }

    async fn read_again(&self, reservation: &Arc<Mutex<Reservation>>) -> Result<Permitted, Failure> {
        let provider = self.connection.reserved(reservation.clone());
        failpoint!("relook.before");
        // Not with the reads that must be young: whoever wrote an intent later counts this one, and a day may have more records than
        // are read in the time that those have. Before the look, which must not grow old over it.
        let budget = self.budget_now().await;
        let sighting = provider.look(&self.in_use.credentials, &self.customer, (self.ctx.clock)()).await;
        failpoint!("relook.after");
        let look = look_of(&self.keys, &sighting);
        let read_at = Instant::now();
        let provider_name = self.connection.facts.object_name();
        let ((plan, author), found, customer, consent, holds) = futures::join!(
            self.request_now(),
            self.provider_now(),
            self.customer_now(),
            self.consent_now(),
            holds::live(&self.ctx.api, &self.ctx.operator_namespace, &self.keys, &provider_name),
        );
        failpoint!("reread.after");
        let now = (self.ctx.clock)();
        let (approvals, policies) = consent;
        let seen = Observation {
            key_is_good: true,
            provider: found.seen,
            customer,
            credential: found.credential,
            look: Some(look),
            looked_at: Duration::ZERO,
            created_long_ago: false,
            control: None,
            checks: self.checks.clone(),
            hold: self.person.held(&holds, Some(&self.customer_ref), &provider_name, now),
            budget,
            whole: Arc::new(Whole {
                approvals,
                policies,
                author,
                told: None,
                created_at: self.whole.created_at,
            }),
        };
        let send_takes = self.ctx.timing.request_deadline;
        let live = Live { plan: plan.as_ref(), seen: &seen, now, send_takes };
        nothing_changed(&self.order, &self.in_use.reference, &live)?;
        // What nobody agreed to may have changed all the same, as whom is believed there. The next attempt goes by it.
        if !found.is_ours {
            return Err(Failure::new(Class::Conflict, Cause::ProviderChanged));
        }
        // Another process may work by other locks.
        if self.ctx.installation.keys().await.is_none() {
            return Err(Failure::new(Class::Transient, Cause::Unread));
        }
        Ok(Permitted { captured: sighting.captured, read_at })
    }

    /// The request as it is now, and who asked; one that is deleted, being deleted, re-created under its name, or finished is
    /// withdrawn.
    async fn request_now(&self) -> (Option<Plan>, Option<String>) {
        let found =
            self.ctx.api.get::<CustomerOffboarding>(&self.request.namespace, &self.request.name).await;
        let Ok(found) = found else { return (None, None) };
        let withdrawn = Plan { wish: crate::domain::Wish::Withdrawn, ..self.plan.clone() };
        let Some(found) = found else { return (Some(withdrawn), None) };
        let same = found.uid().as_deref() == Some(&self.request.uid)
            && found.metadata.deletion_timestamp.is_none()
            && !found.is_finished();
        if !same {
            return (Some(withdrawn), None);
        }
        let plans = Plan::of_each_target(&self.request.uid, &found.spec).unwrap_or_default();
        (plans.into_iter().find(|plan| plan.target == self.plan.target), cases::author(&found))
    }

    /// What people say now: whoever need not be asked may still have said no. And whether the policies prove it; they are asked
    /// only where somebody must agree, or passed over a blocker.
    async fn consent_now(&self) -> (ApprovalsSeen, PolicyState) {
        let approvals = consents::live(&self.ctx.api, &self.request.namespace, &self.request.uid);
        if self.order.demands.required == 0 && self.order.waivers.is_empty() {
            return (approvals.await, self.ctx.policies());
        }
        let (approvals, policies) = futures::join!(approvals, policies::live(&self.ctx.api));
        self.ctx.learn_policies(policies.clone());
        (approvals, policies)
    }

    /// Whether the account has seen more than it may, this attempt included, by the records as they are now.
    async fn budget_now(&self) -> BudgetSeen {
        let facts = &self.connection.facts;
        let counted = self.ctx.budgets.is_exceeded(&facts.account, facts.budget, (self.ctx.clock)());
        match tokio::time::timeout(self.ctx.timing.send_deadline, counted).await {
            Ok(Ok(false)) => BudgetSeen::Free,
            Ok(Ok(true)) => BudgetSeen::Full { until: None },
            Ok(Err(_)) | Err(_) => BudgetSeen::Unread,
        }
    }

    async fn provider_now(&self) -> Found {
        let facts = &self.connection.facts;
        let Ok(found) = ProviderKey::of(facts).read(&self.ctx.api).await else {
            return Found::without_a_credential(ProviderSeen::Found(Box::new(facts.clone())));
        };
        let Some(found) = found.filter(|found| found.serves(&self.request.namespace)) else {
            return Found::without_a_credential(ProviderSeen::NotFound);
        };
        let now = match self.ctx.connections.of(&found).await {
            Ok(now) => now,
            Err(unusable) => return Found::without_a_credential(ProviderSeen::Unusable(unusable.reason)),
        };
        let credential = credentials_of(&self.ctx, &now, &self.keys).await;
        Found {
            seen: ProviderSeen::Found(Box::new(now.facts.clone())),
            credential: credential.ok().map(|in_use| in_use.reference),
            is_ours: now.is_as(&self.connection),
        }
    }

    /// The id as it is now: where a Secret holds it, it must still be the one that was looked at.
    async fn customer_now(&self) -> CustomerSeen {
        let known = CustomerSeen::Known { reference: self.customer_ref.clone() };
        match &self.plan.customer {
            CustomerSource::Literal(_) | CustomerSource::Sealed => known,
            CustomerSource::Secret(from) => {
                match secrets::customer_id(&self.ctx.api, &self.request.namespace, from).await {
                    Ok(customer) => CustomerSeen::Known { reference: self.keys.customer_ref(&customer) },
                    Err(_) => CustomerSeen::SecretUnavailable,
                }
            }
        }
    }
}
