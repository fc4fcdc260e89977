//! One customer at one provider, as a pass works on it: where it comes from, its record, its provider, its id.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::ResourceExt as _;
use tokio::sync::oneshot;

use super::{
    connection::Connection,
    context::Context,
    credential::{InUse, credentials_of},
    error::Error,
    person::{Person, ids_are_personal},
    provider_kinds::{ProviderKey, ProviderObject},
    secrets,
};
use crate::{
    api::{CustomerOffboarding, OffboardingRecord, RecordProvider, RecordRequest},
    domain::{
        BudgetSeen, CustomerId, CustomerSeen, CustomerSource, Facts, HoldSeen, InvalidSpec, Memory,
        Observation, Plan, ProviderSeen, RecordProblem, Sent, Whole, mode_of,
    },
    evidence::{Keys, record},
    providers::Captured,
    traces::Pass,
};

/// Where a case comes from: a request, or the record that is left of one.
#[derive(Clone, Debug)]
pub struct Origin {
    pub namespace: String,
    pub name: String,
    pub uid: String,
}

/// The record as this pass last read or wrote it.
#[derive(Clone, Debug)]
pub enum Stored {
    /// Nobody asked, because its name is not known.
    NotRead,
    /// The API server did not answer.
    Unread,
    /// There is none.
    None,
    /// This one.
    Read(Box<OffboardingRecord>),
}

impl Stored {
    fn version(&self) -> Option<&str> {
        match self {
            Stored::Read(object) => object.metadata.resource_version.as_deref(),
            Stored::NotRead | Stored::Unread | Stored::None => None,
        }
    }
}

/// An outcome that only this process knows.
#[derive(Clone, Debug)]
pub struct Unsaved {
    pub attempt_id: String,
    pub sent: Sent,
    pub answered_at: Timestamp,
}

/// One customer at one provider.
pub struct Case {
    pub origin: Origin,
    pub plan: Plan,
    pub keys: Option<Arc<Keys>>,
    pub provider: ProviderSeen,
    pub connection: Option<Arc<Connection>>,
    pub customer: Option<CustomerId>,
    pub customer_seen: CustomerSeen,
    pub customer_ref: Option<String>,
    pub person: Person,
    pub record_name: Option<String>,
    pub stored: Stored,
    pub unsaved: Option<Unsaved>,
    /// Told once the outcome stands in the record; dropped without that, the task that sent writes it down.
    pub stands: Option<oneshot::Sender<()>>,
    pub in_use: Option<InUse>,
    pub captured: Captured,
    pub memory: Memory,
    pub hold: HoldSeen,
    pub budget: BudgetSeen,
    pub whole: Arc<Whole>,
    /// What is told of this pass.
    pub pass: Pass,
}

impl Case {
    /// The case of a request: its record first, because what is finished needs nothing else.
    ///
    /// # Errors
    /// `Incomplete`: the API server handed over an object without uid or namespace.
    pub async fn of_request(ctx: &Context, object: &CustomerOffboarding, plan: Plan) -> Result<Self, Error> {
        let origin = Origin {
            namespace: object.namespace().ok_or(Error::Incomplete)?,
            name: object.name_any(),
            uid: object.uid().ok_or(Error::Incomplete)?,
        };
        let told = || {
            let mut targets = object.status.as_ref()?.targets.iter();
            targets.find(|target| target.name == plan.target)?.record.clone()
        };
        let hint = ctx.records.name_of(&origin.uid, &plan.target).or_else(told);
        let mut case = Self::begin(ctx, origin, plan).await;
        if let Some(name) = hint {
            case.read_record(ctx, &name).await;
        }
        if !case.is_mine() {
            case.forget_record();
        }
        if case.is_closed() {
            case.take_the_provider_of_the_record(ctx).await;
        } else {
            case.complete(ctx).await;
        }
        Ok(case)
    }

    /// The case of an open record whose request is gone. What was sent is finished; nothing more is sent.
    pub async fn of_record(ctx: &Context, object: &OffboardingRecord) -> Self {
        let RecordRequest { namespace, name, uid, target, mode } = object.spec.request.clone();
        let plan = Plan {
            request_uid: uid.clone(),
            wish: crate::domain::Wish::Withdrawn,
            customer: CustomerSource::Sealed,
            person: None,
            target,
            // For the sentence alone: what is looked for, the record says.
            provider_kind: object.spec.provider.kind.parse().unwrap_or_default(),
            provider: object.spec.provider.name.clone(),
            mode: Some(mode),
            depends_on: Vec::new(),
            accept_absent: false,
            reason: None,
            not_before: None,
        };
        let mut case = Self::begin(ctx, Origin { namespace, name, uid }, plan).await;
        case.read_record(ctx, &object.name_any()).await;
        if !case.is_closed() {
            case.complete(ctx).await;
        }
        case
    }

    async fn begin(ctx: &Context, origin: Origin, plan: Plan) -> Self {
        Self {
            origin,
            plan,
            keys: ctx.installation.keys().await,
            provider: ProviderSeen::NotFound,
            connection: None,
            customer: None,
            customer_seen: CustomerSeen::NotAsked,
            customer_ref: None,
            person: Person::TheCustomer,
            record_name: None,
            stored: Stored::NotRead,
            unsaved: None,
            stands: None,
            in_use: None,
            captured: Captured::nothing(),
            memory: Memory::default(),
            hold: HoldSeen::Unread,
            budget: BudgetSeen::Unread,
            whole: Arc::new(Whole::unread()),
            pass: Pass::default(),
        }
    }

    /// What the record says, with the outcome that is not written down yet. Without the key nobody can find it or believe it.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let Some(keys) = &self.keys else { return Facts::Unusable(RecordProblem::AnotherKey) };
        let object = match &self.stored {
            Stored::Unread => return Facts::Unread,
            Stored::NotRead | Stored::None => return Facts::None,
            Stored::Read(object) => object,
        };
        let name = object.name_any();
        let facts = record::facts_of(Some((&name, &object.spec)), &self.origin.uid, keys);
        match (facts, &self.unsaved) {
            (Facts::Mine(mut mine), Some(unsaved)) => {
                if let Some(last) = mine.attempts.last_mut().filter(|last| last.id == unsaved.attempt_id) {
                    last.outcome = Some(unsaved.sent.outcome.clone());
                    last.answered_at = last.answered_at.or(Some(unsaved.answered_at));
                    mine.unsaved = true;
                }
                Facts::Mine(mine)
            }
            (facts, _) => facts,
        }
    }

    fn is_mine(&self) -> bool {
        match &self.stored {
            Stored::Read(object) => record::is_about(&object.spec, &self.origin.uid),
            Stored::Unread => true,
            Stored::NotRead | Stored::None => false,
        }
    }

    /// Whether its record says how this request ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.facts(), Facts::Mine(mine) if mine.closed.is_some())
    }

    fn forget_record(&mut self) {
        self.stored = Stored::NotRead;
        self.record_name = None;
        self.customer_ref = None;
        self.memory = Memory::default();
    }

    async fn read_record(&mut self, ctx: &Context, name: &str) {
        self.stored = match ctx.records.read(name).await {
            Ok(Some(object)) => {
                self.customer_ref = Some(object.spec.customer_ref.clone());
                if object.spec.request.uid == self.origin.uid {
                    ctx.records.remember(&self.origin.uid, &object.spec.request.target, name);
                }
                Stored::Read(Box::new(object))
            }
            Ok(None) => Stored::None,
            Err(_) => Stored::Unread,
        };
        self.record_name = Some(name.to_owned());
        self.memory = ctx.records.memory(name, &self.origin.uid);
    }

    /// The outcome is written down; who sent has done so already where it does not listen any more.
    pub fn outcome_stands(&mut self) {
        self.unsaved = None;
        let _ = self.stands.take().map(|stands| stands.send(()));
    }

    /// Reads the record again: somebody else wrote it, or nobody knows.
    pub async fn read_again(&mut self, ctx: &Context) {
        if let Some(name) = self.record_name.clone() {
            self.read_record(ctx, &name).await;
        }
    }

    /// Reads the record once more; whether it is still the one that this turn decided by, or still not there.
    pub async fn is_unchanged(&mut self, ctx: &Context) -> bool {
        let before = self.stored.version().map(str::to_owned);
        self.read_again(ctx).await;
        !matches!(self.stored, Stored::Unread) && self.stored.version() == before.as_deref()
    }

    /// Provider, id, record and credential, in the order in which each needs the one before.
    async fn complete(&mut self, ctx: &Context) {
        match self.provider_object(ctx) {
            Some(object) => self.take_provider(ctx, &object).await,
            None => self.provider = ProviderSeen::NotFound,
        }
        self.person = Person::of(ctx, &self.plan, &self.origin.namespace, self.keys.as_deref()).await;
        let (Some(keys), Some(connection)) = (self.keys.clone(), self.connection.clone()) else { return };
        self.customer_seen = self.find_customer(ctx, &keys, &connection).await;
        if let (CustomerSeen::Known { reference }, Some(customer)) = (&self.customer_seen, &self.customer) {
            self.customer_ref = Some(reference.clone());
            if matches!(self.stored, Stored::NotRead) {
                let name = keys.record_name(&connection.facts.account, customer);
                self.read_record(ctx, &name).await;
            }
        }
        if !self.is_closed() && matches!(self.customer_seen, CustomerSeen::Known { .. }) {
            self.take_credentials(ctx).await;
        }
    }

    /// The provider object that a closed record names, where it is still there: how a request ended is told with what its
    /// profile declares, also when the first try to save that status was lost.
    async fn take_the_provider_of_the_record(&mut self, ctx: &Context) {
        let Stored::Read(record) = &self.stored else { return };
        let named = &record.spec.provider;
        let found = ProviderKey::of_record(named).and_then(|key| ctx.providers.get(&key));
        if let Some(object) = found.filter(|object| object.metadata().uid.as_ref() == Some(&named.uid)) {
            self.take_provider(ctx, &object).await;
        }
    }

    /// The provider object: for a request, if it serves the request's namespace. An open record without its request goes by
    /// the record, also where the namespace was taken off the list: what was sent is finished.
    fn provider_object(&self, ctx: &Context) -> Option<ProviderObject> {
        if let (CustomerSource::Sealed, Stored::Read(record)) = (&self.plan.customer, &self.stored) {
            return ctx.providers.get(&ProviderKey::of_record(&record.spec.provider)?);
        }
        let namespace = &self.origin.namespace;
        let key = ProviderKey::named(self.plan.provider_kind, &self.plan.provider, namespace);
        let found = ctx.providers.get(&key)?;
        let serves = found.serves(namespace);
        if !serves {
            // Only the log tells it from one that is not there.
            tracing::info!(
                namespace,
                provider = key.name,
                "the provider object does not allow this namespace"
            );
        }
        serves.then_some(found)
    }

    /// Takes a provider object over, as it is written now.
    pub async fn take_provider(&mut self, ctx: &Context, object: &ProviderObject) {
        match ctx.connections.of(object).await {
            Ok(connection) => {
                self.provider = ProviderSeen::Found(Box::new(connection.facts.clone()));
                self.connection = Some(connection);
            }
            Err(unusable) => {
                self.provider = ProviderSeen::Unusable(unusable.reason);
                self.connection = None;
            }
        }
    }

    async fn find_customer(&mut self, ctx: &Context, keys: &Keys, connection: &Connection) -> CustomerSeen {
        let sealed = self.sealed_id(keys);
        // As long as nothing is at the provider: each re-read before a send compares them, and each would cost an intent.
        if let (Some(sealed), CustomerSource::Secret(from), true) =
            (&sealed, &self.plan.customer, self.facts().may_be_begun())
            && let Some(other) = secrets::no_longer(&ctx.api, &self.origin.namespace, from, sealed).await
        {
            return other;
        }
        let customer = match (&sealed, &self.plan.customer) {
            (Some(customer), _) => customer.clone(),
            (None, CustomerSource::Literal(_)) if ids_are_personal(connection) => {
                return CustomerSeen::Refused(InvalidSpec::PersonalId);
            }
            (None, CustomerSource::Literal(customer)) => customer.clone(),
            (None, CustomerSource::Secret(from)) => {
                let read = secrets::customer_id(&ctx.api, &self.origin.namespace, from).await;
                let Ok(customer) = read else { return CustomerSeen::SecretUnavailable };
                customer
            }
            (None, CustomerSource::Sealed) => return CustomerSeen::NotAsked,
        };
        if !connection.profile.accepts_id(customer.expose()) {
            return CustomerSeen::Refused(InvalidSpec::IdPattern);
        }
        let reference = keys.customer_ref(&customer);
        self.customer = Some(customer);
        CustomerSeen::Known { reference }
    }

    /// The id that the record holds; it wins over a changed Secret.
    fn sealed_id(&self, keys: &Keys) -> Option<CustomerId> {
        let Stored::Read(object) = &self.stored else { return None };
        let sealed = object.spec.sealed_id.as_deref()?;
        keys.unseal(&object.name_any(), &object.spec.request.uid, sealed).ok()
    }

    /// Reads the credential live. Where it cannot be used, the provider counts as unusable.
    pub async fn take_credentials(&mut self, ctx: &Context) {
        let (Some(keys), Some(connection)) = (self.keys.clone(), self.connection.clone()) else { return };
        match credentials_of(ctx, &connection, &keys).await {
            Ok(in_use) => self.in_use = Some(in_use),
            Err(reason) => {
                self.in_use = None;
                self.provider = ProviderSeen::Unusable(reason);
                ctx.provider_is_unusable(&connection);
            }
        }
    }

    /// What was seen without looking at the customer.
    #[must_use]
    pub fn seen_without_a_look(&self) -> Observation {
        Observation {
            key_is_good: self.keys.is_some(),
            provider: self.provider.clone(),
            customer: self.customer_seen.clone(),
            credential: self.in_use.as_ref().map(|in_use| in_use.reference.clone()),
            look: None,
            looked_at: Duration::ZERO,
            created_long_ago: false,
            control: None,
            checks: Vec::new(),
            hold: self.hold.clone(),
            budget: self.budget,
            whole: self.whole.clone(),
        }
    }

    /// The request, as a record names it.
    #[must_use]
    pub fn record_request(&self) -> Option<RecordRequest> {
        let ProviderSeen::Found(provider) = &self.provider else { return None };
        Some(RecordRequest {
            namespace: self.origin.namespace.clone(),
            name: self.origin.name.clone(),
            uid: self.origin.uid.clone(),
            target: self.plan.target.clone(),
            mode: mode_of(&self.plan, provider).ok()?,
        })
    }

    /// The provider object, as a record names it.
    #[must_use]
    pub fn record_provider(&self) -> Option<RecordProvider> {
        let ProviderSeen::Found(provider) = &self.provider else { return None };
        Some(RecordProvider {
            kind: provider.kind.to_string(),
            namespace: provider.namespace.clone(),
            name: provider.name.clone(),
            uid: provider.uid.clone(),
            base_url: provider.base_url.clone(),
            environment: provider.environment,
        })
    }
}
