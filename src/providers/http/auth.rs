//! Credentials: their values, and their places in a request.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header::AUTHORIZATION};
use regex::Regex;
use secrecy::{ExposeSecret, SecretString};

use super::request::is_header_text;
use crate::{
    api::Environment,
    domain::{Cause, Class, Failure},
    providers::PreparedRequest,
};

/// The longest credential value, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// The credentials of one provider object. Prints names only.
#[derive(Clone)]
pub struct Credentials {
    values: BTreeMap<String, SecretString>,
    version: String,
}

impl Credentials {
    /// Takes values as they stand in Secrets, by credential name. `version` names this state of them (uid and resourceVersion
    /// of the Secrets) and is opaque here.
    ///
    /// One newline at the end is cut off.
    ///
    /// # Errors
    /// `Auth`, `SecretInvalid`: a value is empty or blank, longer than 8 KiB, or contains anything but visible ASCII and blanks.
    /// The platform team mends the Secret.
    pub fn new(values: BTreeMap<String, Vec<u8>>, version: String) -> Result<Self, Failure> {
        let values = values
            .into_iter()
            .map(|(name, value)| Ok((name, credential(value)?)))
            .collect::<Result<_, Failure>>()?;
        Ok(Self { values, version })
    }

    /// Names this state of the credentials; opaque.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether a text contains one of the values.
    #[must_use]
    pub fn occur_in(&self, text: &str) -> bool {
        self.values.values().any(|value| text.contains(value.expose_secret()))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(ExposeSecret::expose_secret)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("names", &self.values.keys()).finish_non_exhaustive()
    }
}

fn credential(bytes: Vec<u8>) -> Result<SecretString, Failure> {
    let text = String::from_utf8(bytes).map_err(|_| secret_invalid())?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |cut| cut.strip_suffix('\r').unwrap_or(cut));
    if text.trim().is_empty() || text.len() > MAX_BYTES || !is_header_text(text) {
        return Err(secret_invalid());
    }
    Ok(SecretString::from(text.to_owned()))
}

fn secret_invalid() -> Failure {
    Failure::new(Class::Auth, Cause::SecretInvalid)
}

/// A text with names of credentials in it, as `Bearer {token}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretText(Vec<SecretPiece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum SecretPiece {
    Literal(String),
    Credential(String),
}

impl SecretText {
    /// Reads a text in which every brace belongs to a credential's name.
    ///
    /// # Errors
    /// A brace that belongs to none, or a character that no header carries.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        if !is_header_text(source) {
            return Err("must be visible ASCII".to_owned());
        }
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or("has a `{` without `}`")?;
            if !is_credential_name(name) {
                return Err("braces hold the name of a credential: letters, digits, `-` and `_`".to_owned());
            }
            pieces.push(SecretPiece::Literal(before.to_owned()));
            pieces.push(SecretPiece::Credential(name.to_owned()));
            rest = after;
        }
        pieces.push(SecretPiece::Literal(rest.to_owned()));
        pieces.retain(|piece| *piece != SecretPiece::Literal(String::new()));
        let is_plain = |piece: &SecretPiece| match piece {
            SecretPiece::Literal(literal) => !literal.contains('}'),
            SecretPiece::Credential(_) => true,
        };
        if !pieces.iter().all(is_plain) {
            return Err("has a `}` without `{`".to_owned());
        }
        Ok(Self(pieces))
    }

    /// The credentials that it names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            SecretPiece::Literal(_) => None,
            SecretPiece::Credential(name) => Some(name.as_str()),
        })
    }

    /// Whether a fixed part contains this character.
    pub(crate) fn has_literal(&self, char: char) -> bool {
        self.0.iter().any(|piece| matches!(piece, SecretPiece::Literal(literal) if literal.contains(char)))
    }

    fn fill(&self, credentials: &Credentials) -> Result<String, Failure> {
        self.0
            .iter()
            .map(|piece| match piece {
                SecretPiece::Literal(literal) => Ok(literal.as_str()),
                SecretPiece::Credential(name) => {
                    credentials.value(name).ok_or(Failure::new(Class::Auth, Cause::SecretUnavailable))
                }
            })
            .collect()
    }
}

fn is_credential_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Where a credential goes.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Header(HeaderName, SecretText),
    Query(String, SecretText),
    Basic { username: SecretText, password: SecretText },
}

impl Place {
    /// The header that it takes.
    pub(crate) fn header(&self) -> Option<&HeaderName> {
        match self {
            Place::Header(name, _) => Some(name),
            Place::Basic { .. } => Some(&AUTHORIZATION),
            Place::Query(..) => None,
        }
    }

    /// The query parameter that it takes.
    pub(crate) fn query(&self) -> Option<&str> {
        match self {
            Place::Query(name, _) => Some(name),
            Place::Header(..) | Place::Basic { .. } => None,
        }
    }

    /// The credentials that it names.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        match self {
            Place::Header(_, value) | Place::Query(_, value) => value.names().collect(),
            Place::Basic { username, password } => username.names().chain(password.names()).collect(),
        }
    }
}

/// One place, checked.
#[derive(Clone, Debug)]
pub(crate) struct Placement {
    pub(crate) place: Place,
    /// Left out where its credentials are not configured.
    pub(crate) optional: bool,
    /// What its one credential looks like in each environment.
    pub(crate) expected: Expected,
}

/// What a credential looks like, where the profile says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) live: Option<Regex>,
    pub(crate) sandbox: Option<Regex>,
}

impl Expected {
    fn of(&self, environment: Environment) -> Option<&Regex> {
        match environment {
            Environment::live => self.live.as_ref(),
            Environment::sandbox => self.sandbox.as_ref(),
        }
    }
}

/// Puts the credentials into a request.
///
/// # Errors
/// `Auth`: one is missing (`SecretUnavailable`), cannot stand where it should (`SecretInvalid`) or belongs to the other environment
/// (`EnvironmentMismatch`). Nothing was sent.
pub(crate) fn place_all(
    placements: &[Placement],
    credentials: &Credentials,
    environment: Environment,
    request: &mut PreparedRequest,
) -> Result<(), Failure> {
    for placement in placements {
        let names = placement.place.names();
        if placement.optional && names.iter().any(|name| credentials.value(name).is_none()) {
            continue;
        }
        let expected = placement.expected.of(environment);
        let is_expected = |name: &&str| match (expected, credentials.value(name)) {
            (Some(pattern), Some(value)) => pattern.is_match(value),
            (None, _) | (_, None) => true,
        };
        if !names.iter().all(is_expected) {
            return Err(Failure::new(Class::Auth, Cause::EnvironmentMismatch));
        }
        place(&placement.place, credentials, request)?;
    }
    Ok(())
}

fn place(place: &Place, credentials: &Credentials, request: &mut PreparedRequest) -> Result<(), Failure> {
    match place {
        Place::Header(name, value) => {
            request.headers.push((name.clone(), sensitive(&value.fill(credentials)?)?));
        }
        Place::Query(name, value) => {
            request.url.query_pairs_mut().append_pair(name, &value.fill(credentials)?);
        }
        Place::Basic { username, password } => {
            let username = username.fill(credentials)?;
            if username.contains(':') {
                return Err(secret_invalid());
            }
            let pair = STANDARD.encode(format!("{username}:{}", password.fill(credentials)?));
            request.headers.push((AUTHORIZATION, sensitive(&format!("Basic {pair}"))?));
        }
    }
    Ok(())
}

fn sensitive(text: &str) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(text).map_err(|_| secret_invalid())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
