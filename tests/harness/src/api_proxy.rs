//! Between an operator and its API server: lets everything pass, but for what a test asks to be struck.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::stream;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{ControlPlane, Failure, Scratch, users};

type AnyError = Box<dyn std::error::Error + Send + Sync>;
type Watched = watch::Receiver<Watches>;
type Answer = Response<UnsyncBoxBody<Bytes, AnyError>>;

/// Which requests a fault is for.
#[derive(Clone, Debug)]
pub struct ApiMatch {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub verb: String,
    /// `customeroffboardings/status`
    pub resource: String,
    /// A part of the path or of the body; or the namespace that a record is about, once it was written. Empty: any.
    pub about: String,
}

/// What happens instead of the answer.
#[derive(Clone, Debug)]
pub enum ApiStrike {
    /// This status, as the API server words it.
    Status {
        /// The HTTP status.
        code: u16,
        /// The header `Retry-After`, where there is one.
        retry_after: Option<&'static str>,
    },
    /// The connection ends without an answer.
    Reset,
    /// No answer comes for so long, then the connection ends.
    Silence(Duration),
    /// The answer comes so much later.
    Late(Duration),
    /// An answer that is no JSON.
    Garbage,
    /// The answer ends after so many bytes; a watch, too.
    Truncated(usize),
}

/// A fault: the first `skip` requests that match pass, the next `times` are struck.
#[derive(Clone, Debug)]
pub struct ApiFault {
    /// Which requests.
    pub matches: ApiMatch,
    /// So many pass first.
    pub skip: u32,
    /// So many are struck then.
    pub times: u32,
    /// How.
    pub strike: ApiStrike,
    /// Whether the request takes effect all the same.
    pub applies: bool,
}

/// A fault in force, and what has become of it.
struct Armed {
    id: u64,
    fault: ApiFault,
    seen: u32,
    struck: u32,
}

/// What befalls watches, by resource.
#[derive(Default)]
struct Watches {
    held: HashSet<String>,
    /// How often they were cut.
    cuts: HashMap<String, u64>,
}

impl Watches {
    fn cuts(&self, resource: &str) -> u64 {
        self.cuts.get(resource).copied().unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    faults: Vec<Armed>,
    /// The id of the last fault.
    last_fault: u64,
    /// Whom a record is about, by its name.
    records: HashMap<String, String>,
    /// How many requests passed or were struck, by verb and resource.
    counts: HashMap<String, u64>,
    struck: u64,
}

/// A running proxy. Dropping it ends it.
pub struct ApiProxy {
    state: Arc<Mutex<State>>,
    watches: watch::Sender<Watches>,
    kubeconfig: PathBuf,
    serving: JoinHandle<()>,
    _scratch: Scratch,
}

impl ApiProxy {
    /// In front of this control plane, with plain HTTP on the loopback interface.
    ///
    /// # Errors
    /// When no port is free or no client can be made.
    pub async fn start(plane: &ControlPlane) -> Result<ApiProxy, Failure> {
        let step = "start a proxy of the API server";
        let mut config = plane.client_config("admin").await?;
        // Who asks says so in each request.
        config.auth_info = kube::config::AuthInfo::default();
        config.read_timeout = None;
        let upstream = Client::try_from(config).map_err(Failure::to(step))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(Failure::to(step))?;
        let address = listener.local_addr().map_err(Failure::to(step))?;
        let scratch = Scratch::new("api-proxy")?;
        let kubeconfig = users::kubeconfig_of("operator", &json!({ "server": format!("http://{address}") }));
        let kubeconfig = scratch.write("operator.kubeconfig", &kubeconfig)?;
        let state = Arc::<Mutex<State>>::default();
        let watches = watch::Sender::new(Watches::default());
        let serving = tokio::spawn(serve(listener, upstream, state.clone(), watches.subscribe()));
        Ok(ApiProxy { state, watches, kubeconfig, serving, _scratch: scratch })
    }

    /// The operator's kubeconfig, by way of the proxy.
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// One fault more; its id is for [`ApiProxy::lift`].
    pub fn strike(&self, fault: ApiFault) -> u64 {
        let mut state = self.state();
        state.last_fault += 1;
        let id = state.last_fault;
        state.faults.push(Armed { id, fault, seen: 0, struck: 0 });
        id
    }

    /// How often a fault has struck so far.
    pub fn struck_by(&self, id: u64) -> u32 {
        self.state().faults.iter().find(|armed| armed.id == id).map_or(0, |armed| armed.struck)
    }

    /// One fault less: how often it has struck.
    pub fn lift(&self, id: u64) -> u32 {
        let mut state = self.state();
        let at = state.faults.iter().position(|armed| armed.id == id);
        at.map_or(0, |at| state.faults.remove(at).struck)
    }

    /// No faults any more for what is about this; all where it is empty.
    pub fn spare(&self, about: &str) {
        self.state().faults.retain(|armed| !about.is_empty() && armed.fault.matches.about != about);
    }

    /// From now on no watch of this resource shows anything new: as if from a replica of the API server that lags behind.
    pub fn hold_back(&self, resource: &str) {
        self.watches.send_modify(|watches| {
            watches.held.insert(resource.to_owned());
        });
    }

    /// Every watch catches up.
    pub fn let_go(&self) {
        self.watches.send_modify(|watches| watches.held.clear());
    }

    /// Every watch of this resource that runs now ends, as an API server ends them now and then: the next one is asked for.
    pub fn cut_watches(&self, resource: &str) {
        self.watches.send_modify(|watches| *watches.cuts.entry(resource.to_owned()).or_default() += 1);
    }

    /// How many requests were struck so far.
    pub fn struck(&self) -> u64 {
        self.state().struck
    }

    /// How many requests there were so far, by verb and resource: `get secrets` → 2.
    pub fn counts(&self) -> HashMap<String, u64> {
        self.state().counts.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Every connection ends with the proxy.
async fn serve(listener: TcpListener, upstream: Client, state: Arc<Mutex<State>>, watched: Watched) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (upstream, state, watched) = (upstream.clone(), state.clone(), watched.clone());
        connections.spawn(async move {
            let service =
                service_fn(|request| answer(request, upstream.clone(), state.clone(), watched.clone()));
            // A connection that a fault ends is no error of ours.
            let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    upstream: Client,
    state: Arc<Mutex<State>>,
    watched: Watched,
) -> Result<Answer, AnyError> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let asked = Asked::new(&head.method, &head.uri, &body);
    let struck = asked.strike(&mut state.lock().unwrap_or_else(PoisonError::into_inner));
    let forward = async || {
        let honest = forward(&upstream, &head, body.clone()).await?;
        let is_watch = asked.verb == "watch";
        Ok::<_, AnyError>(if is_watch {
            gated(honest, asked.resource.clone(), watched.clone())
        } else {
            honest
        })
    };
    let Some(fault) = struck else { return forward().await };
    let honest = if fault.applies { Some(forward().await?) } else { None };
    match fault.strike {
        ApiStrike::Status { code, retry_after } => Ok(refusal(code, retry_after)),
        ApiStrike::Reset => Err("the connection is reset".into()),
        ApiStrike::Silence(time) => {
            tokio::time::sleep(time).await;
            Err("the connection is reset".into())
        }
        ApiStrike::Late(time) => {
            tokio::time::sleep(time).await;
            match honest {
                Some(honest) => Ok(honest),
                None => forward().await,
            }
        }
        ApiStrike::Garbage => Ok(whole(StatusCode::OK, "<html>no JSON</html>".into())),
        ApiStrike::Truncated(bytes) => {
            let honest = match honest {
                Some(honest) => honest,
                None => forward().await?,
            };
            Ok(honest.map(|body| Cut { body, left: bytes }.boxed_unsync()))
        }
    }
}

async fn forward(upstream: &Client, head: &http::request::Parts, body: Bytes) -> Result<Answer, AnyError> {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::builder().method(head.method.clone()).uri(path).body(Body::from(body))?;
    let passed = [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT, header::USER_AGENT];
    let pass: HeaderMap = passed
        .into_iter()
        .filter_map(|name| head.headers.get(&name).map(|value| (name, value.clone())))
        .collect();
    request.headers_mut().extend(pass);
    let (mut head, body) = upstream.send(request).await?.into_parts();
    for hop in [header::CONNECTION, header::TRANSFER_ENCODING] {
        head.headers.remove(hop);
    }
    Ok(Response::from_parts(head, body.map_err(AnyError::from).boxed_unsync()))
}

/// A watch that shows nothing new while its resource is held back, and ends when it is cut.
fn gated(answer: Answer, resource: String, watched: Watched) -> Answer {
    let cuts = watched.borrow().cuts(&resource);
    answer.map(|body| {
        let begin = (body, watched, resource);
        let frames = stream::unfold(begin, move |(mut body, mut watched, resource)| async move {
            let frame = tokio::select! {
                frame = body.frame() => frame?,
                Ok(_) = watched.wait_for(|watches| watches.cuts(&resource) != cuts) => return None,
            };
            // Nobody holds anything back any more where the proxy is gone.
            drop(watched.wait_for(|watches| !watches.held.contains(&resource)).await);
            Some((frame, (body, watched, resource)))
        });
        StreamBody::new(frames).boxed_unsync()
    })
}

fn refusal(code: u16, retry_after: Option<&str>) -> Answer {
    let reason = match code {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        504 => "Timeout",
        _ => "InternalError",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "struck by the test", "reason": reason, "code": code,
    });
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = whole(code, status.to_string());
    if let Some(value) = retry_after.and_then(|value| value.parse().ok()) {
        answer.headers_mut().insert(header::RETRY_AFTER, value);
    }
    answer
}

fn whole(status: StatusCode, text: String) -> Answer {
    let body = Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    answer
}

/// A body that ends in the middle.
struct Cut<B> {
    body: B,
    left: usize,
}

impl<B: hyper::body::Body<Data = Bytes, Error = AnyError> + Unpin> hyper::body::Body for Cut<B> {
    type Data = Bytes;
    type Error = AnyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, AnyError>>> {
        if self.left == 0 {
            return std::task::Poll::Ready(Some(Err("the answer is cut".into())));
        }
        let left = self.left;
        std::pin::Pin::new(&mut self.body).poll_frame(cx).map_ok(|frame| match frame.into_data() {
            Ok(data) => {
                let part = data.slice(..data.len().min(left));
                self.left -= part.len();
                Frame::data(part)
            }
            Err(frame) => frame,
        })
    }
}

/// One request, as the API server names it.
struct Asked {
    verb: &'static str,
    resource: String,
    name: String,
    text: String,
    /// The namespace that a written record is about.
    record_about: Option<String>,
}

impl Asked {
    fn new(method: &Method, uri: &http::Uri, body: &[u8]) -> Asked {
        let segments: Vec<&str> = uri.path().split('/').filter(|part| !part.is_empty()).collect();
        // /api/v1/… or /apis/<group>/<version>/…
        let mut rest = segments.get(if segments.first() == Some(&"api") { 2 } else { 3 }..).unwrap_or(&[]);
        if rest.first() == Some(&"namespaces") && rest.len() > 2 {
            rest = &rest[2..];
        }
        let name = rest.get(1).copied().unwrap_or_default();
        let below = rest.get(2).map(|below| format!("/{below}")).unwrap_or_default();
        let query = uri.query().unwrap_or_default();
        let verb = match *method {
            Method::GET if query.contains("watch=") => "watch",
            Method::GET if name.is_empty() => "list",
            Method::GET => "get",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            _ => "delete",
        };
        let resource = rest.first().map(|resource| format!("{resource}{below}")).unwrap_or_default();
        let written: Option<Value> =
            (resource == "offboardingrecords").then(|| serde_json::from_slice(body).ok()).flatten();
        let name = written
            .as_ref()
            .and_then(|record| record["metadata"]["name"].as_str())
            .map_or_else(|| name.to_owned(), str::to_owned);
        let record_about =
            written.and_then(|record| record["spec"]["request"]["namespace"].as_str().map(str::to_owned));
        let text = format!("{}?{query} {}", uri.path(), String::from_utf8_lossy(body));
        Asked { verb, resource, name, text, record_about }
    }

    /// The fault that strikes it, if one does; counted either way.
    fn strike(&self, state: &mut State) -> Option<ApiFault> {
        *state.counts.entry(format!("{} {}", self.verb, self.resource)).or_default() += 1;
        if let Some(about) = &self.record_about {
            state.records.insert(self.name.clone(), about.clone());
        }
        let about = state.records.get(&self.name).filter(|_| self.resource == "offboardingrecords").cloned();
        for armed in &mut state.faults {
            let ApiMatch { verb, resource, about: part } = &armed.fault.matches;
            let is_about = self.text.contains(part.as_str()) || about.as_ref() == Some(part);
            if *verb != self.verb || *resource != self.resource || !is_about {
                continue;
            }
            armed.seen += 1;
            if armed.seen > armed.fault.skip && armed.seen <= armed.fault.skip + armed.fault.times {
                armed.struck += 1;
                state.struck += 1;
                return Some(armed.fault.clone());
            }
        }
        None
    }
}
