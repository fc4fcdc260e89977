//! The API server: objects with uid and resourceVersion, whose whole history is kept, so that a cache can show any of it.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use jiff::Timestamp;
use offboarding::{
    api::{CustomerOffboardingSpec, OffboardingRecordSpec, OffboardingStatus},
    domain::{Approval, Facts, Hold, PolicyState, ProviderFacts},
    evidence::record,
};

use crate::{people::KEYS, scenario::Ms};

/// A `CustomerOffboarding`. `name` stands for namespace and name.
#[derive(Clone, Debug)]
pub struct Request {
    pub name: usize,
    pub uid: String,
    pub version: u64,
    pub generation: i64,
    pub spec: CustomerOffboardingSpec,
    pub status: OffboardingStatus,
    pub created_at: Timestamp,
    pub author: Option<String>,
}

/// An `OffboardingRecord`.
#[derive(Clone, Debug)]
pub struct Stored {
    pub name: String,
    pub version: u64,
    pub spec: OffboardingRecordSpec,
    /// What it says to each request that read it, so that it is verified once.
    says: RefCell<BTreeMap<String, Facts>>,
}

impl Stored {
    pub fn new(name: String, version: u64, spec: OffboardingRecordSpec) -> Self {
        Self { name, version, spec, says: RefCell::default() }
    }

    pub fn facts_of(&self, request_uid: &str) -> Facts {
        let mut says = self.says.borrow_mut();
        let read = || record::facts_of(Some((&self.name, &self.spec)), request_uid, &KEYS);
        says.entry(request_uid.to_owned()).or_insert_with(read).clone()
    }
}

/// A provider object, and the Secret that it names: that one is never watched.
#[derive(Clone, Debug)]
pub struct ProviderObject {
    pub facts: ProviderFacts,
    pub credential: String,
}

/// What somebody said about a request.
#[derive(Clone, Debug)]
pub struct Said {
    pub request_uid: String,
    pub approval: Approval,
}

/// Kinds of objects; each has a watch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    Requests,
    Records,
    Approvals,
    Holds,
    Providers,
    Policies,
}

pub const KINDS: [Watched; 6] = [
    Watched::Requests,
    Watched::Records,
    Watched::Approvals,
    Watched::Holds,
    Watched::Providers,
    Watched::Policies,
];

/// Everything that is stored at one time.
#[derive(Clone, Debug)]
pub struct View {
    pub requests: BTreeMap<usize, Rc<Request>>,
    pub records: BTreeMap<String, Rc<Stored>>,
    pub said: Rc<Vec<Said>>,
    pub holds: Rc<Vec<Hold>>,
    pub providers: Vec<Option<Rc<ProviderObject>>>,
    pub policies: Rc<PolicyState>,
}

/// Why a call came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    AlreadyExists,
    Conflict,
    NotFound,
    /// It may have been carried out or not.
    Unanswered,
}

pub struct Api {
    history: Vec<(Ms, Rc<View>)>,
    versions: u64,
    /// Nobody is answered until then.
    pub unavailable_until: Ms,
}

impl Api {
    pub fn new(first: View) -> Self {
        Self { history: vec![(0, Rc::new(first))], versions: 1, unavailable_until: 0 }
    }

    /// The newest state.
    pub fn view(&self) -> &Rc<View> {
        &self.history[self.newest()].1
    }

    pub fn newest(&self) -> usize {
        self.history.len() - 1
    }

    pub fn at(&self, index: usize) -> &Rc<View> {
        &self.history[index.min(self.newest())].1
    }

    /// The newest state that was there at a time.
    pub fn index_at(&self, time: Ms) -> usize {
        self.history.partition_point(|(at, _)| *at <= time).saturating_sub(1)
    }

    pub fn next_version(&mut self) -> u64 {
        self.versions += 1;
        self.versions
    }

    pub fn store(&mut self, now: Ms, view: View) {
        self.history.push((now, Rc::new(view)));
    }
}
