//! Holds, as the watch shows them, and live: who is held is a pseudonym, or an id in a Secret of the operator's namespace.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::future::join_all;
use kube::{ResourceExt as _, runtime::watcher::Event};

use super::{
    api_server::ApiServer,
    secrets::{self, SecretProblem},
};
use crate::{
    api::{CustomerHold, HeldCustomer, HeldProvider},
    domain::{Held, Hold, HoldsSeen, ProviderName},
    evidence::Keys,
};

/// So many Secrets are read at once: a hold may name 500 customers.
const AT_ONCE: usize = 32;

/// The holds, as the watch shows them.
#[derive(Default)]
pub struct Holds {
    known: Mutex<Known>,
    /// One at a time finds out whom they name: an older answer must not replace a newer one.
    resolving: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    /// Set once the watch has shown what there is.
    listed: bool,
    /// Set once it is known whom that names.
    filled: bool,
    objects: HashMap<String, CustomerHold>,
    /// What a watch that begins again has shown so far.
    again: HashMap<String, CustomerHold>,
    /// The same, ready to be judged by.
    seen: Vec<Hold>,
}

impl Holds {
    /// What the watch knows.
    #[must_use]
    pub fn seen(&self) -> HoldsSeen {
        let known = self.known();
        if known.filled { HoldsSeen::Seen(known.seen.clone()) } else { HoldsSeen::Unread }
    }

    /// Takes an event of the watch in; whether somebody may be held or released by it. Call `resolve` then.
    pub fn take(&self, event: Event<CustomerHold>) -> bool {
        let mut known = self.known();
        match event {
            Event::Init => {
                known.again.clear();
                false
            }
            Event::InitApply(object) => {
                known.again.insert(object.name_any(), object);
                false
            }
            Event::InitDone => {
                let again = std::mem::take(&mut known.again);
                known.objects = again;
                known.listed = true;
                true
            }
            Event::Apply(object) => {
                known.objects.insert(object.name_any(), object);
                true
            }
            Event::Delete(object) => {
                known.objects.remove(&object.name_any());
                true
            }
        }
    }

    /// Finds out whom the holds name, again: a Secret may be there by now. Before the watch has shown them nobody knows.
    pub async fn resolve(&self, api: &ApiServer, operator_namespace: &str, keys: Option<&Keys>) {
        let _alone = self.resolving.lock().await;
        let objects: Vec<CustomerHold> = {
            let known = self.known();
            if !known.listed {
                return;
            }
            known.objects.values().cloned().collect()
        };
        let mut seen = Vec::with_capacity(objects.len());
        for object in &objects {
            seen.push(hold_of(api, operator_namespace, keys, object).await);
        }
        let mut known = self.known();
        known.seen = seen;
        known.filled = true;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The holds that may be about a provider object now, in one list. Whom the others name is not asked: there is a second for all reads.
pub async fn live(
    api: &ApiServer,
    operator_namespace: &str,
    keys: &Keys,
    provider: &ProviderName,
) -> HoldsSeen {
    let Ok(objects) = api.list_all::<CustomerHold>().await else { return HoldsSeen::Unread };
    let mut seen = Vec::with_capacity(objects.len());
    for object in objects.iter().filter(|object| may_be_about(object, provider)) {
        seen.push(hold_of(api, operator_namespace, Some(keys), object).await);
    }
    HoldsSeen::Seen(seen)
}

fn may_be_about(object: &CustomerHold, provider: &ProviderName) -> bool {
    let here = providers_of(object);
    here.is_empty() || here.contains(provider)
}

fn providers_of(object: &CustomerHold) -> Vec<ProviderName> {
    let name_of = |provider: &HeldProvider| ProviderName {
        kind: provider.kind,
        namespace: provider.namespace.clone().unwrap_or_default(),
        name: provider.name.clone(),
    };
    object.spec.providers.iter().map(name_of).collect()
}

async fn hold_of(
    api: &ApiServer,
    operator_namespace: &str,
    keys: Option<&Keys>,
    object: &CustomerHold,
) -> Hold {
    let spec = &object.spec;
    let whom = if spec.all || spec.customers.is_empty() {
        Held::Everybody
    } else {
        let mut refs = Vec::with_capacity(spec.customers.len());
        for some in spec.customers.chunks(AT_ONCE) {
            let asked: Vec<_> =
                some.iter().map(|customer| pseudonym(api, operator_namespace, keys, customer)).collect();
            refs.extend(join_all(asked).await);
        }
        Held::Customers(refs)
    };
    Hold {
        name: object.name_any(),
        kind: spec.kind,
        whom,
        providers: providers_of(object),
        expires_at: spec.expires_at,
    }
}

/// `None` where nobody can tell who it is: then it may be anybody.
async fn pseudonym(
    api: &ApiServer,
    operator_namespace: &str,
    keys: Option<&Keys>,
    customer: &HeldCustomer,
) -> Option<String> {
    let keys = keys?;
    if let Some(reference) = &customer.reference {
        let ours = reference.strip_prefix("hmac:").and_then(|rest| rest.split_once(':'));
        return ours.filter(|(key, _)| *key == keys.id()).map(|_| reference.clone());
    }
    let from = &customer.id_from.as_ref()?.secret_key_ref;
    match secrets::customer_id(api, operator_namespace, from).await {
        Ok(id) => Some(keys.customer_ref(&id)),
        Err(SecretProblem::Unavailable | SecretProblem::Unanswered) => None,
    }
}

#[cfg(test)]
mod tests;
