//! What people said: approvals and denials by the request that they name, from the watch; and live, after an intent.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use kube::{ResourceExt as _, runtime::reflector::ObjectRef, runtime::watcher::Event};

use super::api_server::{ApiError, ApiServer};
use crate::{
    api::{ApprovalDecision, ApprovedPlan, CustomerOffboarding, OffboardingApproval},
    domain::{Approval, ApprovalsSeen, Grant, Says},
};

/// The approvals of all namespaces, as the watch shows them.
#[derive(Default)]
pub struct Consents(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Set once the watch has shown what there is.
    filled: bool,
    /// What was said about a request, by its namespace and uid: what is said in another namespace was allowed by other rights.
    about: HashMap<(String, String), Vec<Approval>>,
    /// Which requests an approval names, by its own uid: so that it can be forgotten.
    names: HashMap<String, Vec<Named>>,
    /// What a watch that begins again has shown so far.
    again: HashMap<String, Vec<Named>>,
}

/// A request that an approval names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub uid: String,
    pub object: ObjectRef<CustomerOffboarding>,
}

impl Consents {
    /// What the watch knows about a request: what was said in its own namespace.
    #[must_use]
    pub fn about(&self, namespace: &str, request_uid: &str) -> ApprovalsSeen {
        let known = self.known();
        if !known.filled {
            return ApprovalsSeen::Unread;
        }
        let key = (namespace.to_owned(), request_uid.to_owned());
        ApprovalsSeen::Seen(known.about.get(&key).cloned().unwrap_or_default())
    }

    /// Takes an event of the watch in; gives the requests that it is about.
    pub fn take(&self, event: &Event<OffboardingApproval>) -> Vec<Named> {
        let mut known = self.known();
        match event {
            Event::Init => {
                known.again.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                let named = known.learn(object);
                known.again.insert(object.uid().unwrap_or_default(), named.clone());
                named
            }
            Event::InitDone => {
                let again = std::mem::take(&mut known.again);
                let gone: Vec<String> =
                    known.names.keys().filter(|uid| !again.contains_key(*uid)).cloned().collect();
                known.filled = true;
                gone.iter().flat_map(|uid| known.forget(uid)).collect()
            }
            Event::Apply(object) => known.learn(object),
            Event::Delete(object) => known.forget(&object.uid().unwrap_or_default()),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn learn(&mut self, object: &OffboardingApproval) -> Vec<Named> {
        let uid = object.uid().unwrap_or_default();
        if object.metadata.deletion_timestamp.is_some() {
            return self.forget(&uid); // withdrawn, also while somebody's finalizer keeps it
        }
        if let Some(known) = self.names.get(&uid) {
            return known.clone(); // it never changes
        }
        let namespace = object.namespace().unwrap_or_default();
        let mut named = Vec::new();
        for item in &object.spec.items {
            let Some(approval) = said(object, item) else { continue };
            self.about.entry((namespace.clone(), item.uid.clone())).or_default().push(approval);
            named
                .push(Named { uid: item.uid.clone(), object: ObjectRef::new(&item.name).within(&namespace) });
        }
        self.names.insert(uid, named.clone());
        named
    }

    fn forget(&mut self, uid: &str) -> Vec<Named> {
        let named = self.names.remove(uid).unwrap_or_default();
        for Named { uid: request, object } in &named {
            let key = (object.namespace.clone().unwrap_or_default(), request.clone());
            if let Some(said) = self.about.get_mut(&key) {
                said.retain(|approval| approval.uid != uid);
                if said.is_empty() {
                    self.about.remove(&key);
                }
            }
        }
        named
    }
}

/// What is said about a request now, in one list of its namespace.
pub async fn live(api: &ApiServer, namespace: &str, request_uid: &str) -> ApprovalsSeen {
    let listed: Result<Vec<OffboardingApproval>, ApiError> = api.list(namespace).await;
    let Ok(listed) = listed else { return ApprovalsSeen::Unread };
    let about = |object: &OffboardingApproval| {
        let items = object.spec.items.iter().filter(|item| item.uid == request_uid);
        items.filter_map(|item| said(object, item)).collect::<Vec<_>>()
    };
    ApprovalsSeen::Seen(listed.iter().flat_map(about).collect())
}

/// What an object says about one of the requests that it names; nothing where it is on its way out, or says nothing that this
/// version understands.
fn said(object: &OffboardingApproval, item: &ApprovedPlan) -> Option<Approval> {
    let metadata = &object.metadata;
    if metadata.deletion_timestamp.is_some() {
        return None;
    }
    let says = match object.spec.decision {
        ApprovalDecision::Deny => Says::Deny,
        ApprovalDecision::Approve => Says::Approve {
            plan_hash: item.plan_hash.clone()?,
            grants: object.spec.grants.iter().filter_map(|grant| grant.parse::<Grant>().ok()).collect(),
            expires_at: object.spec.expires_at?,
        },
    };
    Some(Approval {
        uid: metadata.uid.clone()?,
        approver: object.spec.approver.clone(),
        says,
        created_at: metadata.creation_timestamp.as_ref()?.0,
    })
}

#[cfg(test)]
mod tests;
