//! The plain-HTTP listener with which a test sets the scene and reads what happened.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, header};
use hyper_util::rt::TokioIo;
use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout_at};

use crate::ledger::Filter;
use crate::provider::{Backstage, Name};
use crate::summary::summary;
use crate::world::Shared;

type Query = Vec<(String, String)>;

/// What the admin listener answers.
enum Reply {
    Json(Value),
    Lines(String),
    NotFound,
    Invalid(String),
}

/// Serves until the process ends.
pub async fn serve(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&shared), request));
            let served = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            drop(served); // a test that hangs up is nobody's concern
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let query: Query =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let reply = match body.collect().await {
        Ok(body) => route(&shared, &parts.method, parts.uri.path(), &query, &body.to_bytes()).await,
        Err(why) => Reply::Invalid(why.to_string()),
    };
    Ok(reply.into_response())
}

async fn route(shared: &Shared, method: &Method, path: &str, query: &Query, body: &[u8]) -> Reply {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["admin", "reset"]) => {
            shared.world().reset();
            done()
        }
        ("POST", ["admin", "clock"]) => {
            parsed(body).map_or_else(Reply::Invalid, |Advance { advance }| advance_clock(shared, advance))
        }
        ("GET", ["admin", "clock"]) => Reply::Json(json!({"now": shared.world().now()})),
        ("POST", ["admin", "disconnect"]) => {
            shared.hang_up.send_modify(|times| *times += 1);
            done()
        }
        ("GET", ["admin", "summary"]) => Reply::Json(summary(shared.world().ledger.entries())),
        ("GET", ["admin", "ledger"]) => ledger(shared, query).await,
        ("DELETE", ["admin", "ledger"]) => {
            shared.world().clear_ledger();
            done()
        }
        (_, ["admin", "faults"]) => faults(shared, method, body),
        (_, ["admin", "scripted"]) => script(shared, method, body),
        (_, ["admin", provider]) => named(provider, |name| config(shared, name, method, body)),
        ("GET", ["admin", provider, "customers"]) => named(provider, |name| customers(shared, name)),
        (_, ["admin", provider, "customers", id]) => {
            let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy();
            named(provider, |name| customer(shared, name, &id, method, query, body))
        }
        _ => Reply::NotFound,
    }
}

/// Only Juicyway and Revolv3 have settings and customers.
fn named(provider: &str, reply: impl FnOnce(Name) -> Reply) -> Reply {
    Name::parse(provider).filter(|name| *name != Name::Scripted).map_or(Reply::NotFound, reply)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance: SignedDuration,
}

fn advance_clock(shared: &Shared, by: SignedDuration) -> Reply {
    let mut world = shared.world();
    world.advance(by);
    Reply::Json(json!({"now": world.now()}))
}

fn faults(shared: &Shared, method: &Method, body: &[u8]) -> Reply {
    let mut world = shared.world();
    let outcome = match method.as_str() {
        "GET" => Ok(()),
        "PUT" => parsed(body).and_then(|list| world.faults.replace(list)),
        "DELETE" => world.faults.replace(Vec::new()),
        _ => return Reply::NotFound,
    };
    outcome.map_or_else(Reply::Invalid, |()| Reply::Json(world.faults.report()))
}

fn script(shared: &Shared, method: &Method, body: &[u8]) -> Reply {
    let mut world = shared.world();
    let rules = match method.as_str() {
        "GET" => Ok(world.scripted.rules().to_vec()),
        "PUT" => parsed(body),
        "DELETE" => Ok(Vec::new()),
        _ => return Reply::NotFound,
    };
    rules.map_or_else(Reply::Invalid, |rules| {
        world.scripted.load(rules);
        Reply::Json(json!(world.scripted.rules()))
    })
}

fn config(shared: &Shared, name: Name, method: &Method, body: &[u8]) -> Reply {
    let mut world = shared.world();
    let outcome = match method.as_str() {
        "GET" => Ok(()),
        "PATCH" => parsed::<Value>(body).and_then(|changes| world.configure(name, &changes)),
        _ => return Reply::NotFound,
    };
    outcome.map_or_else(Reply::Invalid, |()| Reply::Json(world.config(name)))
}

fn customers(shared: &Shared, name: Name) -> Reply {
    let mut world = shared.world();
    Reply::Json(world.backstage(name).map_or(Value::Null, |backstage| json!(backstage.customers())))
}

fn customer(shared: &Shared, name: Name, id: &str, method: &Method, query: &Query, body: &[u8]) -> Reply {
    let mut world = shared.world();
    let now = world.now();
    let Some(backstage) = world.backstage(name) else { return Reply::NotFound };
    let seed = || if body.is_empty() { Ok(json!({})) } else { parsed(body) };
    let purge = value(query, "purge") == Some("true");
    let outcome = match method.as_str() {
        "GET" => return Reply::Json(backstage.truth(id)),
        "PUT" => seed().and_then(|seed| backstage.seed(id, seed, now)).map(|()| true),
        "PATCH" => seed().and_then(|seed| backstage.amend(id, seed, now)),
        "DELETE" => Ok(backstage.remove(id, purge, now)),
        _ => return Reply::NotFound,
    };
    match outcome {
        Ok(true) => {
            let truth = Backstage::truth(backstage, id);
            world.keep(name, id, None);
            Reply::Json(truth)
        }
        Ok(false) => Reply::NotFound,
        Err(why) => Reply::Invalid(why),
    }
}

/// The entries that fit, as JSON lines; with `wait`, only when there are `atLeast` of them or time is up.
async fn ledger(shared: &Shared, query: &Query) -> Reply {
    let (filter, wait, at_least) = match asked(query) {
        Ok(asked) => asked,
        Err(why) => return Reply::Invalid(why),
    };
    let until = Instant::now() + wait.unsigned_abs();
    let mut changes = shared.world().ledger.changes();
    while shared.world().ledger.count(&filter) < at_least {
        if !matches!(timeout_at(until, changes.changed()).await, Ok(Ok(()))) {
            break;
        }
    }
    let world = shared.world();
    let wanted = world.ledger.entries().iter().filter(|entry| filter.wants(entry));
    Reply::Lines(wanted.map(|entry| format!("{}\n", json!(entry))).collect())
}

fn asked(query: &Query) -> Result<(Filter, SignedDuration, usize), String> {
    let mut filter = Filter::default();
    let (mut wait, mut at_least) = (SignedDuration::ZERO, 1);
    for (key, value) in query {
        let invalid = || format!("{key}={value} is not understood");
        match key.as_str() {
            "provider" => filter.provider = Some(Name::parse(value).ok_or_else(invalid)?),
            "method" => filter.method = Some(value.clone()),
            "customer" => filter.customer = Some(value.clone()),
            "operation" => filter.operation = Some(value.clone()),
            "since" => filter.since = value.parse().map_err(|_| invalid())?,
            "ended" => filter.ended = Some(value.parse().map_err(|_| invalid())?),
            "wait" => wait = value.parse().map_err(|_| invalid())?,
            "atLeast" => at_least = value.parse().map_err(|_| invalid())?,
            _ => return Err(invalid()),
        }
    }
    Ok((filter, wait, at_least))
}

fn value<'a>(query: &'a Query, key: &str) -> Option<&'a str> {
    query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|why| why.to_string())
}

fn done() -> Reply {
    Reply::Json(json!({"ok": true}))
}

impl Reply {
    fn into_response(self) -> Response<Full<Bytes>> {
        let (status, content_type, body) = match self {
            Reply::Json(body) => (200, "application/json", body.to_string()),
            Reply::Lines(lines) => (200, "application/x-ndjson", lines),
            Reply::NotFound => (404, "application/json", json!({"error": "no such thing"}).to_string()),
            Reply::Invalid(why) => (400, "application/json", json!({"error": why}).to_string()),
        };
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
        response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
        response
    }
}
