//! From the honest answer and a fault to the answer that is sent.

use flate2::{Compress, Compression, Crc, FlushCompress};
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::faults::{Encoding, Envelope, JsonVariant, Kind, RateVariant};
use crate::http::{Answer, Body};
use crate::provider::Provider;
use crate::window::later;

/// What an answer may depend on besides the honest one.
pub struct Scene<'a> {
    /// Who answers: its own envelopes.
    pub provider: &'a dyn Provider,
    /// The time of the sandbox.
    pub now: Timestamp,
    /// Where a redirect leads, if this fault is one.
    pub location: Option<String>,
}

/// The answer under a fault. `honest` is what the provider would have said, if it was asked at all.
pub fn distort(kind: &Kind, honest: Answer, scene: &Scene<'_>) -> Answer {
    match kind {
        Kind::Status { status, body, headers, .. } => {
            let answer =
                body.as_ref().map_or_else(|| scene.provider.error(*status), |body| spoken(*status, body));
            headers.iter().fold(answer, |answer, (name, value)| answer.with(name, value))
        }
        Kind::Unauthorized { .. } => scene.provider.error(401),
        Kind::Forbidden { .. } => scene.provider.error(403),
        Kind::Pending { body, .. } => {
            spoken(202, body.as_ref().unwrap_or(&json!({"data": {"status": "pending"}})))
        }
        Kind::Redirect { status, .. } => {
            Answer::empty(*status).with("Location", scene.location.as_deref().unwrap_or_default())
        }
        Kind::RateLimit { variant, seconds, .. } => rate_limited(*variant, *seconds, scene),
        Kind::HugeBody { bytes, encoding, .. } => huge(*bytes, *encoding),
        Kind::ContentType { value } => honest.with("Content-Type", value),
        Kind::Headers { set } => set.iter().fold(honest, |answer, (name, value)| match value {
            Some(value) => answer.with(name, value),
            None => answer.without(name),
        }),
        Kind::Json { variant, depth } => spoilt(*variant, *depth, honest),
        Kind::Html { status, .. } => Answer::html(*status, page_title(*status)),
        Kind::Lie404 { envelope: Envelope::Own, .. } => scene.provider.error(404),
        Kind::Lie404 { envelope: Envelope::Html, .. } => Answer::html(404, "404 Not Found"),
        Kind::Lie404 { envelope: Envelope::Empty, .. } => Answer::empty(404),
        Kind::Latency { .. } | Kind::Cut { .. } | Kind::Slow { .. } | Kind::Tls { .. } => honest,
        Kind::Noop {} | Kind::Stale { .. } | Kind::Raw { .. } => honest,
    }
}

/// Whether the provider's own headers stand on an answer under this fault.
pub fn keeps_standing_headers(kind: &Kind) -> bool {
    !matches!(
        kind,
        Kind::RateLimit { .. } | Kind::Html { .. } | Kind::Lie404 { envelope: Envelope::Html, .. }
    )
}

fn page_title(status: u16) -> &'static str {
    match status {
        200 => "Sign in",
        404 => "404 Not Found",
        _ => "502 Bad Gateway",
    }
}

/// A body given by a test: a string is sent as it is, null is none.
fn spoken(status: u16, body: &Value) -> Answer {
    match body {
        Value::Null => Answer::empty(status),
        Value::String(text) => Answer::typed(status, "text/plain; charset=utf-8", text.as_str()),
        json => Answer::json(status, json),
    }
}

fn rate_limited(variant: RateVariant, seconds: i64, scene: &Scene<'_>) -> Answer {
    let answer = scene.provider.error(429);
    let reset = later(scene.now, SignedDuration::from_secs(seconds));
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&reset).unwrap_or_default();
    match variant {
        RateVariant::RetryAfter => answer.with("Retry-After", &seconds.to_string()),
        RateVariant::HttpDate => answer.with("Retry-After", &date),
        RateVariant::Underscore => answer.with("retry_after", &seconds.to_string()),
        RateVariant::Reset => answer
            .with("X-RateLimit-Remaining", "0")
            .with("X-RateLimit-Reset", &reset.as_second().to_string()),
        RateVariant::ResetDelta => {
            answer.with("X-RateLimit-Remaining", "0").with("X-RateLimit-Reset", &seconds.to_string())
        }
        RateVariant::Body => with_member(&answer, "retry_after", json!(seconds)),
        RateVariant::Bare => answer,
        RateVariant::Huge => answer.with("Retry-After", "1000000000"),
        RateVariant::Negative => answer.with("Retry-After", "-5"),
        RateVariant::Garbage => answer.with("Retry-After", "soon").with("X-RateLimit-Reset", "NaN"),
    }
}

fn with_member(answer: &Answer, name: &str, value: Value) -> Answer {
    let mut body: Value = serde_json::from_slice(answer.bytes()).unwrap_or_else(|_| json!({}));
    body[name] = value;
    Answer { body: Body::Whole(body.to_string().into()), ..answer.clone() }
}

fn huge(bytes: u64, encoding: Encoding) -> Answer {
    let answer = Answer::empty(200).with("Content-Type", "application/json");
    match encoding {
        Encoding::Identity => Answer { body: Body::Filler(bytes.max(2)), ..answer },
        Encoding::ChunkedEndless => Answer { body: Body::Endless, ..answer },
        Encoding::Gzip => {
            Answer { body: Body::Whole(bomb(bytes)), ..answer.with("Content-Encoding", "gzip") }
        }
    }
}

/// A gzip stream of one member that unpacks to so many bytes, rounded up to whole MiB. The same packed
/// block is repeated, so that a bomb of any size is made in no time.
fn bomb(bytes: u64) -> Vec<u8> {
    const BLOCK: usize = 1 << 20;
    let plain = vec![b'a'; BLOCK];
    let mut packed = Vec::with_capacity(BLOCK / 64);
    let packing =
        Compress::new(Compression::default(), false).compress_vec(&plain, &mut packed, FlushCompress::Full);
    debug_assert!(packing.is_ok());
    let mut of_block = Crc::new();
    of_block.update(&plain);
    let mut checksum = Crc::new();
    let mut stream = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    for _ in 0..bytes.div_ceil(BLOCK as u64).max(1) {
        stream.extend_from_slice(&packed);
        checksum.combine(&of_block);
    }
    stream.extend_from_slice(&[3, 0]); // the empty last block
    stream.extend_from_slice(&checksum.sum().to_le_bytes());
    stream.extend_from_slice(&checksum.amount().to_le_bytes());
    stream
}

fn spoilt(variant: JsonVariant, depth: usize, honest: Answer) -> Answer {
    let body = std::str::from_utf8(honest.bytes()).ok().filter(|body| !body.is_empty());
    let body = body.unwrap_or(r#"{"data":{"id":"unknown"}}"#);
    let spoilt: Vec<u8> = match variant {
        JsonVariant::Truncated => body.as_bytes()[..body.len() / 2].to_vec(),
        JsonVariant::Nan => with_first_member(body, br#""spoilt":NaN"#),
        JsonVariant::BadUtf8 => with_first_member(body, b"\"spoilt\":\"\xff\xfe\""),
        JsonVariant::Utf16 => {
            [0xfeff].into_iter().chain(body.encode_utf16()).flat_map(u16::to_be_bytes).collect()
        }
        JsonVariant::Deep => with_first_member(
            body,
            format!("\"spoilt\":{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes(),
        ),
        JsonVariant::Bom => [b"\xef\xbb\xbf", body.as_bytes()].concat(),
        JsonVariant::DuplicateId => with_id(body, |key, id| format!("{key}{},{key}{id}", other(id))),
        JsonVariant::OtherId => with_id(body, |key, id| format!("{key}{}", other(id))),
        JsonVariant::WrongType => with_id(body, |key, id| format!("{key}{}", of_other_type(id))),
    };
    let status = if honest.status == 204 { 200 } else { honest.status };
    Answer { status, body: Body::Whole(spoilt), ..honest }.or_with("Content-Type", "application/json")
}

/// Puts a member in front of the first one of the object, or of an object in front of the array's items.
fn with_first_member(body: &str, member: &[u8]) -> Vec<u8> {
    let rest = body.get(1..).unwrap_or_default();
    let comma: &[u8] = if rest.len() > 1 { b"," } else { b"" };
    match body.as_bytes().first() {
        Some(b'[') => [b"[{", member, b"}", comma, rest.as_bytes()].concat(),
        _ => [b"{", member, comma, rest.as_bytes()].concat(),
    }
}

/// Rewrites the first `id` or `customerId` of a document, given as `"key":` and its value.
fn with_id(body: &str, rewrite: impl Fn(&str, &str) -> String) -> Vec<u8> {
    for key in [r#""customerId":"#, r#""id":"#] {
        let Some(at) = body.find(key) else { continue };
        let (before, rest) = (&body[..at], &body[at + key.len()..]);
        let end = rest.find([',', '}']).unwrap_or(rest.len()); // our ids hold neither
        return [before, &rewrite(key, &rest[..end]), &rest[end..]].concat().into();
    }
    br#"{"id":{"not":"an id"}}"#.to_vec()
}

fn other(id: &str) -> String {
    if id.starts_with('"') { r#""someone-else""#.to_owned() } else { "999999999".to_owned() }
}

fn of_other_type(id: &str) -> String {
    if id.starts_with('"') { "90017".to_owned() } else { format!("\"{id}\"") }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_bomb_is_a_valid_gzip_stream_of_the_promised_size() {
        let packed = bomb(5 << 20);
        assert!(packed.len() < 64 << 10, "{}", packed.len());
        let mut plain = Vec::new();
        let unpacked = flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut plain);
        assert_eq!((unpacked.ok(), plain.len()), (Some(5 << 20), 5 << 20));
    }

    #[test]
    fn each_spoilt_document_differs_in_what_its_name_says() {
        let honest = Answer::json(200, &json!({"data": {"id": "cus_1", "name": "A"}}));
        for (variant, expected) in [
            (JsonVariant::Truncated, r#"{"data":{"id":"cu"#.to_owned()),
            (JsonVariant::Nan, r#"{"spoilt":NaN,"data":{"id":"cus_1","name":"A"}}"#.to_owned()),
            (JsonVariant::Deep, r#"{"spoilt":[[[]]],"data":{"id":"cus_1","name":"A"}}"#.to_owned()),
            (JsonVariant::Bom, format!("\u{feff}{}", r#"{"data":{"id":"cus_1","name":"A"}}"#)),
            (
                JsonVariant::DuplicateId,
                r#"{"data":{"id":"someone-else","id":"cus_1","name":"A"}}"#.to_owned(),
            ),
            (JsonVariant::OtherId, r#"{"data":{"id":"someone-else","name":"A"}}"#.to_owned()),
            (JsonVariant::WrongType, r#"{"data":{"id":90017,"name":"A"}}"#.to_owned()),
        ] {
            let spoilt = spoilt(variant, 3, honest.clone());
            assert_eq!(String::from_utf8_lossy(spoilt.bytes()), expected, "{variant:?}");
        }
        assert!(std::str::from_utf8(spoilt(JsonVariant::BadUtf8, 0, honest).bytes()).is_err());
    }
}
