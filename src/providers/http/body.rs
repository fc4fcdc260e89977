//! Answers: read up to a cap, and believed as JSON only where nothing about them can be read in two ways.

use std::{cell::Cell, collections::BTreeMap, fmt};

use http::{HeaderMap, header};
use jiff::Timestamp;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::date::read_date;
use crate::{
    domain::{Cause, Class, Failure},
    providers::Response,
};

/// How many bytes of a body are read: 1 MiB. Source: design.md section 5.
pub const MOST_BODY_BYTES: usize = 1 << 20;

/// How many bytes the header names and values of an answer may have together: 64 KiB. Source: security.md R37.
pub(super) const MOST_HEADER_BYTES: usize = 64 << 10;

/// How many bytes of a body are kept as text.
const TEXT_BYTES: usize = 64 << 10;

/// How deeply arrays and objects may be nested: a scalar has depth 0, `[]` 1, `[[]]` 2.
const DEEPEST: usize = 64;

/// How many values, lists and objects among them, an answer may consist of. A few bytes of text can become an object of half
/// a kilobyte: the cap on bytes alone does not bound the memory.
pub(crate) const MOST_VALUES: usize = 50_000;

/// A body that arrives in pieces; refuses to grow beyond the cap.
#[derive(Default)]
pub(super) struct Body(Vec<u8>);

impl Body {
    /// A body of which the headers say how long it is; a longer one is refused before a byte of it is read.
    pub(super) fn expecting(headers: &HeaderMap) -> Result<Self, Failure> {
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let too_long = announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|n| n > cap());
        if too_long || size > MOST_HEADER_BYTES { Err(too_large()) } else { Ok(Self::default()) }
    }

    /// Adds a piece.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), Failure> {
        if piece.len() > MOST_BODY_BYTES.saturating_sub(self.0.len()) {
            return Err(too_large());
        }
        self.0.extend_from_slice(piece);
        Ok(())
    }

    /// The answer, once the last piece is there.
    pub(super) fn into_response(self, status: u16, headers: &HeaderMap) -> Response {
        read_response(status, headers, &self.0)
    }
}

const fn cap() -> u64 {
    MOST_BODY_BYTES as u64
}

pub(super) fn too_large() -> Failure {
    Failure::new(Class::Indeterminate, Cause::ResponseTooLarge)
}

/// An answer as the profile's expressions see it. A compressed body is not unpacked: it counts as no JSON and no text.
#[must_use]
pub fn read_response(status: u16, headers: &HeaderMap, body: &[u8]) -> Response {
    let plain = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity") || coding.is_empty());
    let text = std::str::from_utf8(body).ok().filter(|_| plain);
    let headers = joined(headers);
    Response {
        status,
        json: text.and_then(strict_json),
        text: text.map(first_of).unwrap_or_default(),
        body_bytes: body.len(),
        date: date_of(&headers),
        headers,
    }
}

/// What is kept as text: whole characters only.
fn first_of(text: &str) -> String {
    let end = (0..=text.len().min(TEXT_BYTES)).rev().find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}

/// Repeated headers joined with `, ` in the order in which they came. Source: RFC 9110 section 5.3.
fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .keys()
        .map(|name| {
            let values: Vec<_> =
                headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            (name.as_str().to_owned(), values.join(", "))
        })
        .collect()
}

fn date_of(headers: &BTreeMap<String, String>) -> Option<Timestamp> {
    headers.get("date").and_then(|date| read_date(date))
}

/// A JSON text that can be read in one way only; `None` for anything else.
///
/// Refused: nothing at all, a byte-order mark, text after the value, a key that stands twice in one object (after its escapes
/// are read), nesting deeper than 64, more than 50,000 values, `NaN`, `Infinity`, numbers that no double holds, unpaired
/// surrogates, control characters in strings. Source: RFC 8259 sections 4, 6, 8; RFC 7493 (I-JSON) section 2.
#[must_use]
pub fn strict_json(text: &str) -> Option<Value> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let left = Cell::new(MOST_VALUES);
    let value = Strict { room: DEEPEST, left: &left }.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(value)
}

/// Reads one value that may hold `room` more levels; the whole text may have `left` more values.
#[derive(Clone, Copy)]
struct Strict<'a> {
    room: usize,
    left: &'a Cell<usize>,
}

impl Strict<'_> {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let room = self.room.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Self { room, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| D::Error::custom("too many values"))?;
        self.left.set(left);
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no finite number"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut read = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if read.contains_key(&key) {
                return Err(A::Error::custom("a key stands twice"));
            }
            let value = entries.next_value_seed(inner)?;
            read.insert(key, value);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
