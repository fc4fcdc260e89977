//! What the listeners, the faults and the ledger need from a provider.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::http::{Answer, Request};

/// The three HTTPS listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Name {
    /// Hard delete.
    Juicyway,
    /// Soft delete.
    Revolv3,
    /// Answers what its script says.
    Scripted,
}

impl Name {
    /// All listeners.
    pub const ALL: [Name; 3] = [Name::Juicyway, Name::Revolv3, Name::Scripted];

    /// As in URLs and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Juicyway => "juicyway",
            Name::Revolv3 => "revolv3",
            Name::Scripted => "scripted",
        }
    }

    /// The listener of that name.
    pub fn parse(text: &str) -> Option<Name> {
        Name::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

/// What kind of credential a request carried. The value itself is never kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Credential {
    /// None at all.
    Absent,
    /// Accepted.
    Ok,
    /// Not a credential of this provider, or not in the form it wants.
    Wrong,
    /// `Bearer …` where the raw key is wanted.
    Bearer,
    /// A good one of the other environment.
    OtherEnvironment,
    /// Not looked at (scripted listener).
    Unchecked,
}

/// What a request asks for, seen before anything is done about it.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Name of the documented endpoint.
    pub operation: Option<String>,
    /// The customer whom the request addresses, also when the path is not served.
    pub customer: Option<String>,
    /// It is meant to delete a customer.
    pub destructive: bool,
    /// It reads that one customer.
    pub look: bool,
    /// What it showed as credential.
    pub credential: Credential,
    /// Every way in which the documents do not allow it.
    pub undocumented: Vec<String>,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Performed {
    /// The honest answer.
    pub answer: Answer,
    /// The customer whose state it changed.
    pub changed: Option<String>,
}

impl Performed {
    /// An answer without effect.
    pub fn nothing(answer: Answer) -> Performed {
        Performed { answer, changed: None }
    }
}

/// A simulated provider. The order of use is `read`, `admit`, `perform`.
pub trait Provider {
    /// What the request asks for; changes nothing.
    fn read(&self, request: &Request) -> Reading;

    /// Route, authentication, rate limit: `Err` is the refusal.
    fn admit(&mut self, request: &Request, now: Timestamp) -> Result<(), Answer>;

    /// Carries an admitted request out. A read sees the state as it was `staleness` ago.
    fn perform(&mut self, request: &Request, now: Timestamp, staleness: SignedDuration) -> Performed;

    /// The answer that `perform` would give, without the effect.
    fn rehearse(&self, request: &Request, now: Timestamp) -> Answer;

    /// Headers that this provider puts on every answer.
    fn standing_headers(&self, request: &Request, now: Timestamp) -> Vec<(String, String)>;

    /// An error in the provider's own envelope.
    fn error(&self, status: u16) -> Answer;

    /// Which life of that customer the store holds; `None` if there is no such customer.
    fn incarnation(&self, customer: &str) -> Option<u64>;

    /// Credential values that must show up nowhere but in this provider's own header.
    fn secrets(&self) -> Vec<String>;

    /// The header in which the credential belongs, in lower case.
    fn credential_header(&self) -> &'static str;

    /// The stored past of a customer, for the state file; null if there is none.
    fn stored(&self, customer: &str) -> Value;

    /// Puts back what `stored` gave; null removes the customer.
    fn restore(&mut self, customer: &str, stored: Value) -> Result<(), String>;
}

/// What the admin listener can do to the customers of a provider behind its clients' backs.
pub trait Backstage {
    /// Creates the customer, or creates it anew.
    fn seed(&mut self, customer: &str, seed: Value, now: Timestamp) -> Result<(), String>;

    /// Changes the living customer without a new incarnation; `false` if there is none.
    fn amend(&mut self, customer: &str, seed: Value, now: Timestamp) -> Result<bool, String>;

    /// Deletes the customer as its provider would; `purge` leaves no trace. `false` if there was none.
    fn remove(&mut self, customer: &str, purge: bool, now: Timestamp) -> bool;

    /// The true state of a customer, whatever reads show.
    fn truth(&self, customer: &str) -> Value;

    /// All customers ever stored.
    fn customers(&self) -> Vec<String>;

    /// The settings.
    fn config(&self) -> Value;

    /// Replaces the settings.
    fn configure(&mut self, config: Value) -> Result<(), String>;
}
