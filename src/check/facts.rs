//! What was found, before anybody says what it means.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    definitions::Definition,
    rights::{Excess, Right},
};
use crate::{
    controller::ApiError,
    domain::{Failure, PolicyState},
};

/// What the API server said, or why it said nothing.
pub type Answer<T> = Result<T, ApiError>;

/// Everything that was found.
#[derive(Clone, Debug)]
pub struct Facts {
    pub now: Timestamp,
    /// Where the records are.
    pub operator_namespace: String,
    /// Whether requests are looked for in listed namespaces alone.
    pub lists_namespaces: bool,
    pub version: Version,
    /// By how much the API server's clock is surely ahead of ours; nothing where it does not tell its time.
    pub ahead: Option<SignedDuration>,
    /// As whom the API server knows us.
    pub user: Answer<String>,
    pub definitions: Answer<Vec<Definition>>,
    pub policies: PolicyState,
    pub stamp: Answer<StampFound>,
    /// The shipped rights that we lack, of how many.
    pub lacking: Answer<(Vec<Right>, usize)>,
    /// Rights that we should not have.
    pub excess: Answer<Vec<&'static Excess>>,
    /// Whether the operator's namespace is there.
    pub namespace: Answer<bool>,
    pub key: Answer<KeyFound>,
    pub records: Answer<RecordsFound>,
    pub lease: Answer<Option<LeaseFound>>,
    pub providers: Answer<Vec<ProviderFound>>,
}

/// Which Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    /// As it calls itself: `v1.37.2`.
    pub name: String,
}

/// The mutating policy that writes down who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StampFound {
    /// Policy and binding are there.
    Present,
    /// One of them is not.
    Missing,
    /// This Kubernetes is too old for it.
    NotServed,
}

/// The installation key's Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFound {
    Missing,
    /// It holds no key of 32 bytes under `key`.
    Unusable,
    Found {
        /// Names the key without telling it.
        id: String,
        /// Whether type and immutability are those that it was made with.
        is_as_made: bool,
        /// The annotation that a person sets after the backup, as it is written there.
        backed_up_at: Option<String>,
    },
}

/// The records, as far as the key is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordsFound {
    /// Whether there is any.
    pub any: bool,
    /// How many were made with another key than the Secret holds.
    pub of_another_key: usize,
}

/// Who leads, by the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseFound {
    pub holder: Option<String>,
    pub renewed_at: Option<Timestamp>,
    pub duration: Duration,
}

/// One provider object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderFound {
    /// `billing/revolv3`, without a namespace for the cluster's.
    pub name: String,
    /// For a command: `cobp revolv3 -n billing`.
    pub kubectl: String,
    pub suspended: bool,
    /// Its condition `Ready`, where the operator has looked at this generation.
    pub ready: Option<Healthy>,
    /// Whether it asks for a client certificate, which is a credential and not shown here.
    pub has_client_certificate: bool,
    pub reach: Reach,
}

/// The condition `Ready`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healthy {
    pub is_ready: bool,
    pub reason: String,
    pub message: String,
}

/// What came of a connection from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The object says where in a way that nobody can use.
    Unusable(String),
    Failed(Failure),
    /// By how much its clock is surely ahead of ours, where it tells its time.
    Reached {
        ahead: Option<SignedDuration>,
    },
}
