//! The records as this process reaches them: live by name, open ones from the watch, and who waits for whom.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store};

use super::{
    api_server::{ApiError, ApiServer},
    provider_kinds::ProviderKey,
};
use crate::{
    api::{CustomerOffboarding, OffboardingRecord, OffboardingRecordSpec},
    domain::Memory,
    evidence::{Keys, record},
    traces::Traces,
};

/// The records in the operator's namespace.
pub struct Records {
    api: ApiServer,
    namespace: String,
    open: Store<OffboardingRecord>,
    traces: Traces,
    known: Mutex<Known>,
}

/// What this process knows beyond the records themselves. Lost on a restart, and nothing depends on it but speed and waits.
#[derive(Default)]
struct Known {
    /// The record of a request's target, by the request's uid and the target's name.
    of_target: HashMap<(String, String), String>,
    /// What was seen of the customer of a record, by its name and the uid of the request that saw it.
    memories: HashMap<(String, String), Memory>,
    /// How often this process began to lead, and in which of these terms the records of a request were asked for last.
    term: u64,
    searched: HashMap<String, u64>,
    /// Requests that wait for a record to be closed.
    waiting: HashMap<String, HashSet<ObjectRef<CustomerOffboarding>>>,
}

impl Records {
    /// The records of one namespace; `open` is what the watch of unclosed ones keeps.
    #[must_use]
    pub fn new(api: ApiServer, namespace: String, open: Store<OffboardingRecord>, traces: Traces) -> Self {
        Self { api, namespace, open, traces, known: Mutex::default() }
    }

    /// The record of a name, live.
    ///
    /// # Errors
    /// As `ApiServer::get`.
    pub async fn read(&self, name: &str) -> Result<Option<OffboardingRecord>, ApiError> {
        self.api.get(&self.namespace, name).await
    }

    /// The name of the record of a request's target, where this process has seen it: also when its customer id cannot be read any
    /// more.
    #[must_use]
    pub fn name_of(&self, request_uid: &str, target: &str) -> Option<String> {
        if let Some(name) = self.known().of_target.get(&(request_uid.to_owned(), target.to_owned())) {
            return Some(name.clone());
        }
        let open = self.open.state();
        let mine = |record: &&Arc<OffboardingRecord>| {
            record.spec.request.uid == request_uid && record.spec.request.target == target
        };
        open.iter().find(mine)?.metadata.name.clone()
    }

    /// Asks the API server for the records of a request, once in each term: who led before may have begun what no watch shows yet,
    /// for an id or an account that are others by now. What is begun later, this process begins.
    ///
    /// # Errors
    /// As `ApiServer::list_where`. Whether it has records is not known then.
    pub async fn find(&self, request_uid: &str) -> Result<(), ApiError> {
        let term = self.known().term;
        if self.known().searched.get(request_uid) == Some(&term) {
            return Ok(());
        }
        let fields = format!("spec.request.uid={request_uid}");
        let mut found = self.api.list_where::<OffboardingRecord>(&self.namespace, &fields).await?;
        // Where an id changed between two, the open one is worked on.
        found.sort_by_key(|record| !record.spec.closed);
        for record in &found {
            let name = record.metadata.name.as_deref().unwrap_or_default();
            self.remember(request_uid, &record.spec.request.target, name);
        }
        self.known().searched.insert(request_uid.to_owned(), term);
        Ok(())
    }

    /// This process is about to lead: what others have begun meanwhile it does not know.
    pub fn term_begins(&self) {
        let mut known = self.known();
        known.term += 1;
        known.searched.clear();
    }

    /// All open records.
    #[must_use]
    pub fn open(&self) -> Vec<ObjectRef<OffboardingRecord>> {
        self.open.state().iter().map(|record| ObjectRef::from_obj(record.as_ref())).collect()
    }

    /// The same, as they are.
    #[must_use]
    pub fn open_ones(&self) -> Vec<Arc<OffboardingRecord>> {
        self.open.state()
    }

    /// Open records of a request.
    #[must_use]
    pub fn open_of(&self, request_uid: &str) -> Vec<ObjectRef<OffboardingRecord>> {
        let open = self.open.state();
        let mine = open.iter().filter(|record| record.spec.request.uid == request_uid);
        mine.map(|record| ObjectRef::from_obj(record.as_ref())).collect()
    }

    /// Open records at a provider object.
    #[must_use]
    pub fn open_at(&self, provider: &ProviderKey) -> Vec<ObjectRef<OffboardingRecord>> {
        let open = self.open.state();
        let there = |record: &&Arc<OffboardingRecord>| {
            ProviderKey::of_record(&record.spec.provider).as_ref() == Some(provider)
        };
        open.iter().filter(there).map(|record| ObjectRef::from_obj(record.as_ref())).collect()
    }

    /// Signs and stores a record: creates it where there was none, else replaces exactly what was read.
    ///
    /// # Errors
    /// `AlreadyExists`, `Conflict`: somebody else wrote. `Unanswered`: it may be written or not; read it.
    pub async fn write(
        &self,
        name: &str,
        read: Option<&OffboardingRecord>,
        spec: OffboardingRecordSpec,
        keys: &Keys,
    ) -> Result<OffboardingRecord, ApiError> {
        let trace_id = self.traces.id_of(&spec.request.uid, spec.trace_id.as_deref());
        let spec = record::signed(OffboardingRecordSpec { trace_id, ..spec }, name, keys);
        self.remember(&spec.request.uid, &spec.request.target, name);
        match read {
            None => {
                let metadata = ObjectMeta {
                    name: Some(name.to_owned()),
                    namespace: Some(self.namespace.clone()),
                    ..ObjectMeta::default()
                };
                self.api.create(&self.namespace, &OffboardingRecord { metadata, spec }).await
            }
            Some(read) => {
                let replaced = OffboardingRecord { metadata: read.metadata.clone(), spec };
                self.api.replace(&self.namespace, &replaced).await
            }
        }
    }

    /// Remembers which record belongs to a request's target.
    pub fn remember(&self, request_uid: &str, target: &str, name: &str) {
        self.known().of_target.insert((request_uid.to_owned(), target.to_owned()), name.to_owned());
    }

    /// What a request has learned of a record's customer in this process; what another one saw proves nothing to it.
    #[must_use]
    pub fn memory(&self, name: &str, request_uid: &str) -> Memory {
        let of_it = (name.to_owned(), request_uid.to_owned());
        self.known().memories.get(&of_it).cloned().unwrap_or_default()
    }

    /// Keeps what a request has learned of a record's customer.
    pub fn keep(&self, name: &str, memory: &Memory, request_uid: &str) {
        self.known().memories.insert((name.to_owned(), request_uid.to_owned()), memory.clone());
    }

    /// Forgets what a request that is gone has seen; but of an open record of its own, which is finished without it.
    pub fn forget_request(&self, request_uid: &str, request: &ObjectRef<CustomerOffboarding>) {
        let mut known = self.known();
        known.searched.remove(request_uid);
        known.waiting.retain(|_, waiting| {
            waiting.remove(request);
            !waiting.is_empty()
        });
        known.memories.retain(|(name, uid), _| uid != request_uid || self.is_open_of(name, uid));
        known.of_target.retain(|(uid, _), name| uid != request_uid || self.is_open_of(name, uid));
    }

    /// Forgets a customer that nothing more is to be done for in the name of a request. What another one saw of the customer is of
    /// use to that one.
    pub fn forget(&self, request_uid: &str, target: &str, name: &str) {
        let mut known = self.known();
        known.of_target.remove(&(request_uid.to_owned(), target.to_owned()));
        known.memories.remove(&(name.to_owned(), request_uid.to_owned()));
    }

    /// Notes that a request waits for a record to be closed.
    pub fn wait_for(&self, name: &str, request: ObjectRef<CustomerOffboarding>) {
        self.known().waiting.entry(name.to_owned()).or_default().insert(request);
    }

    /// Whether a record is open as far as the watch knows. One that was made a moment ago may be missing.
    #[must_use]
    pub fn may_be_open(&self, name: &str) -> bool {
        self.open.get(&ObjectRef::new(name).within(&self.namespace)).is_some()
    }

    /// Whether a record is open, and a request's own.
    fn is_open_of(&self, name: &str, request_uid: &str) -> bool {
        let open = self.open.get(&ObjectRef::new(name).within(&self.namespace));
        open.is_some_and(|record| record.spec.request.uid == request_uid)
    }

    /// The requests that waited for a record; they are told once.
    #[must_use]
    pub fn waiting_for(&self, name: &str) -> Vec<ObjectRef<CustomerOffboarding>> {
        self.known().waiting.remove(name).into_iter().flatten().collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
