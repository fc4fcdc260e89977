//! Every fault of the sandbox, by name, and what kind of answer comes under it.

use serde_json::{Value, json};

/// What kind of answer comes under a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The honest one: odd, late or slow, but true.
    Honest,
    /// Well-formed and in the provider's own words, but a lie: no reader of it alone can tell. Prior presence, the control request
    /// and the settle window are there for these.
    Lie,
    /// A success in JSON that holds something else than was asked for. The control request and the deletion ask for little.
    Odd,
    /// Anything else: none at all, a refusal, or not in the provider's own words.
    Unusable,
}
/// Name, what it does as the sandbox takes it, and what comes of it.
pub type Fault = (&'static str, Value, Answer);

pub fn faults() -> Vec<Fault> {
    use Answer::{Honest, Lie, Odd, Unusable};
    let mut faults = vec![
        ("none", json!(null), Honest),
        ("late, within the deadline", json!({"kind": "latency", "ms": 30}), Honest),
        ("slow, within the deadline", json!({"kind": "slow", "bytesPerSecond": 40_000}), Honest),
        ("content type text/html", json!({"kind": "contentType", "value": "text/html"}), Honest),
        ("no content type", json!({"kind": "headers", "set": {"Content-Type": null}}), Honest),
        (
            "another clock",
            json!({"kind": "headers", "set": {"Date": "Sat, 01 Jan 2000 00:00:00 GMT"}}),
            Honest,
        ),
        ("an odd Date", json!({"kind": "headers", "set": {"Date": "yesterday"}}), Honest),
        ("the state of an hour ago", json!({"kind": "stale", "seconds": 3600}), Lie),
        ("done without effect", json!({"kind": "noop"}), Lie),
        ("404 in its own words", json!({"kind": "lie404", "envelope": "own"}), Lie),
        ("404 without a body", json!({"kind": "lie404", "envelope": "empty"}), Unusable),
        ("404 of a proxy", json!({"kind": "html", "status": 404}), Unusable),
        ("login page", json!({"kind": "html", "status": 200}), Unusable),
        ("login page, and it was done", json!({"kind": "html", "status": 200, "apply": true}), Unusable),
        ("502 of a proxy", json!({"kind": "html", "status": 502}), Unusable),
        ("500, and it was done", json!({"kind": "status", "status": 500, "apply": true}), Unusable),
        ("accepted for later", json!({"kind": "pending", "applyAfter": "1h"}), Odd),
        ("accepted for never", json!({"kind": "pending"}), Odd),
        ("unauthorized", json!({"kind": "unauthorized"}), Unusable),
        ("forbidden", json!({"kind": "forbidden"}), Unusable),
        ("late, before it is done", json!({"kind": "latency", "ms": 60_000}), Unusable),
        ("late, after it is done", json!({"kind": "latency", "ms": 60_000, "at": "afterApply"}), Unusable),
        ("slow beyond the deadline", json!({"kind": "slow", "bytesPerSecond": 20}), Unusable),
        ("slow headers", json!({"kind": "slow", "headerDelay": "2s"}), Unusable),
    ];
    // A reset at accept is seen by TCP or by TLS, as it happens: it has a test of its own.
    faults.push(("cut at accept", json!({"kind": "cut", "at": "accept", "how": "fin"}), Unusable));
    for (name, at) in [
        ("cut before it is done", "beforeApply"),
        ("cut after it is done", "afterApply"),
        ("cut in the headers", "midHeaders"),
        ("cut in the body", "midBody"),
    ] {
        faults.push((name, json!({"kind": "cut", "at": at, "how": "rst"}), Unusable));
        faults.push((name, json!({"kind": "cut", "at": at, "how": "fin"}), Unusable));
    }
    for variant in ["expired", "otherName", "unknownCa"] {
        faults.push(("certificate", json!({"kind": "tls", "variant": variant}), Unusable));
    }
    for status in [301, 302, 303, 307, 308] {
        let redirect = json!({"kind": "redirect", "status": status, "to": "scripted"});
        faults.push(("redirect", redirect, Unusable));
    }
    // In the provider's own error format, which says "not found" only under 404.
    for status in [
        400, 402, 405, 406, 407, 408, 409, 411, 412, 413, 414, 415, 416, 417, 418, 421, 422, 423, 424, 425,
        426, 428, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 508, 511, 520, 521, 522, 523, 524, 525,
        526, 529, 530, 599, 300, 305, 399,
    ] {
        faults.push(("status", json!({"kind": "status", "status": status}), Unusable));
    }
    faults.push(("status", json!({"kind": "status", "status": 410}), Lie));
    for (status, answer) in [
        (201, Odd),
        (202, Odd),
        (203, Odd),
        (206, Unusable),
        (207, Unusable),
        (226, Unusable),
        (299, Unusable),
    ] {
        let success = json!({"kind": "status", "status": status, "body": {"ok": true}});
        faults.push(("a success with nothing in it", success, answer));
    }
    for (status, answer) in [(200, Odd), (201, Odd), (205, Unusable), (304, Unusable)] {
        let empty = json!({"kind": "status", "status": status, "body": ""});
        faults.push(("no body", empty, answer));
    }
    for (body, answer) in [
        (" ", Unusable),
        ("{}", Odd),
        ("[]", Lie), // this is how Revolv3 says that there are none
        ("null", Odd),
        ("0", Odd),
        ("\"\"", Odd),
        ("true", Odd),
        ("[[]]", Odd),
        (r#"{"data":null}"#, Odd),
        (r#"{"data":{}}"#, Odd),
        (r#"{"error":{},"message":"gone"}"#, Odd),
    ] {
        faults.push(("200 with", json!({"kind": "status", "status": 200, "body": body}), answer));
    }
    for variant in [
        "retryAfter",
        "httpDate",
        "retry_after",
        "reset",
        "resetDelta",
        "body",
        "bare",
        "huge",
        "negative",
        "garbage",
    ] {
        let limited =
            json!({"kind": "rateLimit", "variant": variant, "seconds": 90, "apply": variant == "bare"});
        faults.push(("429", limited, Unusable));
    }
    for encoding in ["identity", "gzip", "chunkedEndless"] {
        let huge = json!({"kind": "hugeBody", "bytes": 32 << 20, "encoding": encoding});
        faults.push(("huge", huge, Unusable));
    }
    for (variant, answer) in [
        ("truncated", Unusable),
        ("nan", Unusable),
        ("badUtf8", Unusable),
        ("utf16", Unusable),
        ("deep", Unusable),
        ("duplicateId", Unusable),
        ("bom", Unusable),
        ("otherId", Odd),
        ("wrongType", Lie), // an id as text or as number is the same id
    ] {
        faults.push(("JSON", json!({"kind": "json", "variant": variant}), answer));
    }
    for (name, text) in RAW {
        faults.push((name, json!({"kind": "raw", "text": text}), Unusable));
    }
    faults
}

/// Answers that are hardly HTTP, each made of the words that would be "gone" or "done" if they were believed.
const RAW: [(&str, &str); 13] = [
    ("silence", ""),
    ("no HTTP", "SSH-2.0-OpenSSH_9.6\r\n"),
    ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("HTTP/0.9", "{\"error\":{},\"message\":\"gone\"}"),
    ("status 99", "HTTP/1.1 99 Gone\r\nContent-Length: 0\r\n\r\n"),
    ("status 1000", "HTTP/1.1 1000 Gone\r\nContent-Length: 0\r\n\r\n"),
    ("status 999", "HTTP/1.1 999 Gone\r\nContent-Length: 0\r\n\r\n"),
    ("status 404 and no more", "HTTP/1.1 404 Not Found\r\n"),
    ("interim answers only", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"),
    ("switching protocols", "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
    (
        "two lengths",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 28\r\nContent-Length: 2\r\n\r\n{\"error\":{},\"message\":\"gone\"}",
    ),
    (
        "shorter than announced",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n{\"error\":{},\"message\":\"gone\"}",
    ),
    (
        "a chunk that does not end",
        "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1c\r\n{\"error\":{},\"mess",
    ),
];
