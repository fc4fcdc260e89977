//! What the sandbox received: the truth of every test. An entry is appended before the request is
//! processed and completed after; one without `finished` was cut.

use std::collections::{BTreeMap, HashMap};

use hyper::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::http::Request;
use crate::provider::{Credential, Name, Reading};

/// One request. README.md explains each field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub seq: u64,
    pub connection: u64,
    pub received: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// The exchange is over, answered or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    pub provider: Name,
    pub method: String,
    pub path: String,
    pub query: String,
    pub operation: Option<String>,
    pub customer: Option<String>,
    pub destructive: bool,
    pub look: bool,
    pub undocumented: bool,
    pub undocumented_because: Vec<String>,
    pub headers: BTreeMap<String, Option<String>>,
    pub credential: Credential,
    /// Where a credential stood that does not belong there.
    pub leaks: Vec<String>,
    pub body_bytes: usize,
    pub body_sha256: Option<String>,
    pub request_id: String,
    pub idempotency_key: Option<String>,
    pub fault: Option<String>,
    pub applied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    pub status: Option<u16>,
    pub bytes_sent: u64,
    pub incarnation_before: Option<u64>,
    pub incarnation_after: Option<u64>,
    /// Destructive requests for this customer that were being processed when this one came, itself included.
    pub in_flight: u32,
}

/// Who a request came to, and over what.
pub struct Origin {
    pub provider: Name,
    pub connection: u64,
    pub received: Timestamp,
}

/// A credential value and where it is allowed to stand.
pub struct Secret {
    pub value: String,
    pub provider: Name,
    pub header: &'static str,
}

/// All entries since the start, or since the ledger was cleared.
#[derive(Debug)]
pub struct Ledger {
    entries: Vec<Entry>,
    last: u64,
    in_flight: HashMap<(Name, String), u32>,
    changed: watch::Sender<u64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Ledger { entries: Vec::new(), last: 0, in_flight: HashMap::new(), changed: watch::Sender::new(0) }
    }
}

impl Ledger {
    /// Writes down a request that is about to be processed; its number is `seq`.
    pub fn append(
        &mut self,
        origin: &Origin,
        request: &Request,
        reading: Reading,
        incarnation: Option<u64>,
        secrets: &[Secret],
    ) -> u64 {
        self.last += 1;
        let in_flight = self.begin(origin.provider, &reading);
        self.entries.push(Entry {
            seq: self.last,
            connection: origin.connection,
            received: origin.received,
            finished: None,
            ended: None,
            provider: origin.provider,
            method: request.method.to_string(),
            path: redacted(&request.path, secrets),
            query: redacted(&request.query, secrets),
            operation: reading.operation,
            customer: reading.customer.map(|customer| redacted(&customer, secrets)),
            destructive: reading.destructive,
            look: reading.look,
            undocumented: !reading.undocumented.is_empty(),
            undocumented_because: reading.undocumented,
            headers: recorded(&request.headers, secrets),
            credential: reading.credential,
            leaks: leaks(origin.provider, request, secrets),
            body_bytes: request.body.len(),
            body_sha256: (!request.body.is_empty()).then(|| sha256(&request.body)),
            request_id: request_id(self.last),
            idempotency_key: request.header("idempotency-key").map(|key| redacted(key, secrets)),
            fault: None,
            applied: false,
            applied_at: None,
            status: None,
            bytes_sent: 0,
            incarnation_before: incarnation,
            incarnation_after: incarnation,
            in_flight,
        });
        self.changed.send_replace(self.last);
        self.last
    }

    fn begin(&mut self, provider: Name, reading: &Reading) -> u32 {
        let Some(customer) = reading.customer.as_ref().filter(|_| reading.destructive) else { return 0 };
        let running = self.in_flight.entry((provider, customer.clone())).or_default();
        *running += 1;
        *running
    }

    /// Changes an entry; `None` if the ledger was cleared meanwhile.
    pub fn update(&mut self, seq: u64, change: impl FnOnce(&mut Entry)) -> Option<&Entry> {
        let index = self.entries.binary_search_by_key(&seq, |entry| entry.seq).ok()?;
        change(&mut self.entries[index]);
        self.changed.send_modify(|version| *version += 1);
        Some(&self.entries[index])
    }

    /// One entry.
    pub fn entry(&self, seq: u64) -> Option<&Entry> {
        let index = self.entries.binary_search_by_key(&seq, |entry| entry.seq).ok()?;
        self.entries.get(index)
    }

    /// The exchange is over: the customer's next destructive request no longer overlaps with it.
    pub fn end(&mut self, seq: u64, now: Timestamp, finished: bool) {
        let Some(entry) = self.update(seq, |entry| {
            entry.ended = Some(now);
            entry.finished = finished.then_some(now);
        }) else {
            return;
        };
        let key =
            entry.customer.clone().filter(|_| entry.destructive).map(|customer| (entry.provider, customer));
        if let Some(running) = key.and_then(|key| self.in_flight.get_mut(&key)) {
            *running = running.saturating_sub(1);
        }
    }

    /// Puts an entry of the state file back.
    pub fn restore(&mut self, entry: Entry) {
        self.last = self.last.max(entry.seq);
        match self.entries.binary_search_by_key(&entry.seq, |known| known.seq) {
            Ok(index) => self.entries[index] = entry,
            Err(index) => self.entries.insert(index, entry),
        }
    }

    /// Forgets all entries; numbers go on.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.in_flight.clear();
        self.changed.send_modify(|version| *version += 1);
    }

    /// The number of the latest request.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many entries are wanted.
    pub fn count(&self, filter: &Filter) -> usize {
        self.entries.iter().filter(|entry| filter.wants(entry)).count()
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}

/// Which entries a reader wants.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub provider: Option<Name>,
    pub method: Option<String>,
    pub customer: Option<String>,
    pub operation: Option<String>,
    /// Only entries with a greater number.
    pub since: u64,
    /// Only exchanges that are over, or only those that are not.
    pub ended: Option<bool>,
}

impl Filter {
    /// Whether an entry is wanted.
    pub fn wants(&self, entry: &Entry) -> bool {
        entry.seq > self.since
            && self.provider.is_none_or(|wanted| wanted == entry.provider)
            && self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(&entry.method))
            && self.customer.as_ref().is_none_or(|wanted| Some(wanted) == entry.customer.as_ref())
            && self.operation.as_ref().is_none_or(|wanted| Some(wanted) == entry.operation.as_ref())
            && self.ended.is_none_or(|wanted| wanted == entry.ended.is_some())
    }
}

/// The `X-Request-Id` of the request with that number.
pub fn request_id(seq: u64) -> String {
    format!("req_{seq:08}")
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn redacted(text: &str, secrets: &[Secret]) -> String {
    secrets.iter().fold(text.to_owned(), |text, secret| text.replace(&secret.value, "***"))
}

/// Header names, and the values of those that carry no credential.
fn recorded(headers: &HeaderMap, secrets: &[Secret]) -> BTreeMap<String, Option<String>> {
    let value = |name: &str| {
        let all: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        redacted(&all.join(", "), secrets)
    };
    headers
        .keys()
        .map(|name| (name.to_string(), (!is_credential(name.as_str())).then(|| value(name.as_str()))))
        .collect()
}

fn is_credential(header: &str) -> bool {
    ["authorization", "cookie", "token", "secret", "api-key", "apikey"]
        .iter()
        .any(|word| header.contains(word))
}

/// Every place of a request where a known credential stands and should not.
fn leaks(provider: Name, request: &Request, secrets: &[Secret]) -> Vec<String> {
    let decoded = percent_encoding::percent_decode_str(&request.query).decode_utf8_lossy();
    let body = String::from_utf8_lossy(&request.body);
    let rest = [("path", request.path.as_str()), ("query", &decoded), ("body", &body)];
    let in_headers = request.headers.iter().flat_map(|(name, value)| {
        let shown = shown(&String::from_utf8_lossy(value.as_bytes()), secrets);
        let foreign =
            shown.into_iter().filter(move |secret| provider != secret.provider || *name != secret.header);
        foreign.map(move |secret| format!("{} credential in header {name}", secret.provider.as_str()))
    });
    let in_rest = rest.into_iter().flat_map(|(place, text)| {
        shown(text, secrets)
            .into_iter()
            .map(move |secret| format!("{} credential in {place}", secret.provider.as_str()))
    });
    in_headers.chain(in_rest).collect()
}

/// The secrets that a text shows. They come longest first, and one that is only part of another is not shown.
fn shown<'a>(text: &str, secrets: &'a [Secret]) -> Vec<&'a Secret> {
    let mut left = text.to_owned();
    let mut found = Vec::new();
    for secret in secrets.iter().filter(|secret| text.contains(&secret.value)) {
        if left.contains(&secret.value) {
            left = left.replace(&secret.value, "\0");
            found.push(secret);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_that_is_part_of_a_longer_one_is_not_a_leak() {
        let secret = |value: &str, provider, header| Secret { value: value.to_owned(), provider, header };
        let secrets = [
            secret("rv3_test_ok", Name::Revolv3, "x-revolv3-token"),
            secret("test_ok", Name::Juicyway, "authorization"),
        ];
        let values =
            |text: &str| shown(text, &secrets).iter().map(|secret| secret.value.clone()).collect::<Vec<_>>();
        assert_eq!(values("rv3_test_ok"), ["rv3_test_ok"]);
        assert_eq!(values("test_ok and rv3_test_ok"), ["rv3_test_ok", "test_ok"]);
        assert!(values("nothing").is_empty());
    }
}
