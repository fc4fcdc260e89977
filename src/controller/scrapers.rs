//! Who may read `/metrics` from outside: whoever shows a bearer token that the API server knows, of somebody who may `get` it.
//!
//! Strangers may ask, too: so each answer is remembered for a while, no more of them than fit, and few questions are put to the API
//! server at once. A token is remembered by its digest.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec, UserInfo},
    authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
};
use ring::digest::{SHA256, digest};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use super::api_server::{ApiError, ApiServer};

/// What may be read, and how: a ClusterRole says so in `nonResourceURLs`.
const PATH: &str = "/metrics";
const VERB: &str = "get";

/// How long an answer holds. Who loses the right, or gets it, is known within this.
const ALLOWED_FOR: Duration = Duration::from_secs(60);
const REFUSED_FOR: Duration = Duration::from_secs(10);

/// So many answers are remembered of those who may, and of those who may not: strangers can show as many tokens as they like.
const MOST_KNOWN: usize = 64;

/// So many questions are put to the API server at once, and so long one waits for its place.
const AT_ONCE: usize = 2;
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether somebody may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    Allowed,
    /// The API server does not know the token.
    Unknown,
    /// It knows whose it is, and they may not.
    Forbidden,
    /// Nobody can tell: it did not answer, or too many ask.
    Unanswered,
}

/// Who has asked for the metrics, and may or may not.
pub struct Scrapers {
    known: Mutex<Known>,
    asking: Semaphore,
    /// That nobody can tell stands in the log already: strangers may ask as often as they like.
    told: AtomicBool,
}

impl Default for Scrapers {
    fn default() -> Self {
        Self { known: Mutex::default(), asking: Semaphore::new(AT_ONCE), told: AtomicBool::new(false) }
    }
}

type Token = [u8; 32];

/// Answers that still hold.
#[derive(Default)]
struct Known {
    allowed: HashMap<Token, Instant>,
    refused: HashMap<Token, (Reader, Instant)>,
}

impl Known {
    fn of(&self, token: &Token, now: Instant) -> Option<Reader> {
        let allowed = self.allowed.get(token).filter(|until| now < **until).map(|_| Reader::Allowed);
        let refused = || self.refused.get(token).filter(|(_, until)| now < *until).map(|(reader, _)| *reader);
        allowed.or_else(refused)
    }

    /// Where there are too many, one more is not remembered: whoever asked costs a question again.
    fn learn(&mut self, token: Token, reader: Reader, now: Instant) {
        self.allowed.retain(|_, until| now < *until);
        self.refused.retain(|_, (_, until)| now < *until);
        match reader {
            Reader::Allowed if self.allowed.len() < MOST_KNOWN => {
                self.allowed.insert(token, now + ALLOWED_FOR);
            }
            Reader::Unknown | Reader::Forbidden if self.refused.len() < MOST_KNOWN => {
                self.refused.insert(token, (reader, now + REFUSED_FOR));
            }
            Reader::Allowed | Reader::Unknown | Reader::Forbidden | Reader::Unanswered => {}
        }
    }
}

impl Scrapers {
    /// Whether whoever shows this token may read the metrics.
    pub async fn judge(&self, api: &ApiServer, token: &str) -> Reader {
        let digested = digested(token);
        if let Some(known) = self.known().of(&digested, Instant::now()) {
            return known;
        }
        let Ok(Ok(_place)) = timeout(PATIENCE, self.asking.acquire()).await else {
            return Reader::Unanswered;
        };
        // Somebody with the same token may have been answered meanwhile.
        if let Some(known) = self.known().of(&digested, Instant::now()) {
            return known;
        }
        let reader = match ask(api, token).await {
            Ok(reader) => {
                self.told.store(false, Ordering::Relaxed);
                reader
            }
            Err(error) => {
                if !self.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "nobody can tell who may read the metrics: tokenreviews, subjectaccessreviews: {error}"
                    );
                }
                Reader::Unanswered
            }
        };
        self.known().learn(digested, reader, Instant::now());
        reader
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn digested(token: &str) -> Token {
    let mut digested = Token::default();
    digested.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    digested
}

async fn ask(api: &ApiServer, token: &str) -> Result<Reader, ApiError> {
    let spec = TokenReviewSpec { token: Some(token.to_owned()), ..TokenReviewSpec::default() };
    let review = api.review(&TokenReview { spec, ..TokenReview::default() }).await?;
    let status = review.status.unwrap_or_default();
    let (Some(true), Some(user)) = (status.authenticated, status.user) else { return Ok(Reader::Unknown) };
    let review = api.review(&may_read(user)).await?;
    let status = review.status.unwrap_or_default();
    Ok(if status.allowed && status.denied != Some(true) { Reader::Allowed } else { Reader::Forbidden })
}

fn may_read(user: UserInfo) -> SubjectAccessReview {
    let UserInfo { username, uid, groups, extra } = user;
    let spec = SubjectAccessReviewSpec {
        user: username,
        uid,
        groups,
        extra: extra.filter(|extra: &BTreeMap<String, Vec<String>>| !extra.is_empty()),
        non_resource_attributes: Some(NonResourceAttributes {
            path: Some(PATH.to_owned()),
            verb: Some(VERB.to_owned()),
        }),
        resource_attributes: None,
    };
    SubjectAccessReview { spec, ..SubjectAccessReview::default() }
}

#[cfg(test)]
mod tests;
