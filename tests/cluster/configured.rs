//! What can be set from outside: the proxy for all traffic to providers, and the log level while it runs.

use std::sync::{Arc, Mutex};

use harness::{Options, Provider::Juicyway};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::stage::Stage;

/// A proxy that connects, or refuses, and writes down what it was asked for.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    refuses: Arc<Mutex<bool>>,
    _connections: JoinSet<()>,
}

impl Proxy {
    async fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, refuses) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(false)));
        let mut accepting = JoinSet::new();
        let (ledger, manner) = (asked.clone(), refuses.clone());
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, ledger.clone(), manner.clone()));
            }
        });
        Proxy { url, asked, refuses, _connections: accepting }
    }
}

async fn serve(mut stream: TcpStream, asked: Arc<Mutex<Vec<String>>>, refuses: Arc<Mutex<bool>>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte.into());
    }
    let target = head.split(' ').nth(1).unwrap().to_owned();
    asked.lock().unwrap().push(head);
    let is_refused = *refuses.lock().unwrap();
    if is_refused {
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        return;
    }
    let mut server = TcpStream::connect(&target).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
    let _ended = copy_bidirectional(&mut stream, &mut server).await;
}

#[tokio::test]
async fn an_offboarding_goes_through_the_egress_proxy_and_not_around_it() {
    let proxy = Proxy::start().await;
    let stage = Stage::start_with(Options::default(), &["--egress-proxy", &proxy.url], &[]).await.unwrap();
    let story = stage.story("proxied").await;
    for customer in ["cus_through", "cus_refused"] {
        story.sandbox.seed(Juicyway, customer, &json!({})).await.unwrap();
    }
    story.provider(Juicyway, json!({})).await;
    story.request("through", Juicyway, "cus_through").await;
    assert_eq!(story.finished("through").await["result"], "ErasedWithRetention");
    assert_eq!(story.deletes(Juicyway, "cus_through").await, 1);
    let asked = proxy.asked.lock().unwrap().clone();
    let port =
        story.sandbox.addresses().juicyway.rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let expected = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n");
    assert!(asked.len() >= 5 && asked.iter().all(|head| head.starts_with(&expected)), "{asked:?}");
    assert!(!asked.concat().contains("cus_through") && !asked.concat().contains("test_ok"), "{asked:?}");

    *proxy.refuses.lock().unwrap() = true;
    let before = story.looks(Juicyway, "cus_refused").await;
    story.request("refused", Juicyway, "cus_refused").await;
    let words = "the operator's egress proxy refuses to connect to its address; nothing was sent";
    let says_so = |status: &Value| status["waitingFor"].as_str().is_some_and(|it| it.contains(words));
    story.until("refused", "it names the proxy", says_so).await;
    assert_eq!(story.looks(Juicyway, "cus_refused").await, before, "nobody goes around it");
    *proxy.refuses.lock().unwrap() = false;
    assert_eq!(story.finished("refused").await["phase"], "Completed", "it goes on by itself");
    story.judged().await;
}

#[tokio::test]
async fn the_log_level_is_changed_on_the_loopback_while_it_runs() {
    let stage = Stage::start(Options::default()).await.unwrap();
    assert_eq!(put(&stage, "/log-level", "debug").await, (200, "debug\n".to_owned()));
    let sentence = (400, "must be error, warn, info, debug or trace\n".to_owned());
    for level in ["loud", "off", "hyper=trace", ""] {
        assert_eq!(put(&stage, "/log-level", level).await, sentence, "{level}");
    }
    assert_eq!(stage.ask_operator("/log-level").await.0, 405, "it is set, not read");
    assert_eq!(put(&stage, "/log-level", "error\n").await.0, 200);
    assert_eq!(put(&stage, "/log-level", "trace").await.0, 200);
    let log = stage.operator.lock().await.log();
    let levels: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("the log level is changed level=").map(|(_, level)| level))
        .collect();
    assert_eq!(levels, [r#""debug""#, r#""error""#, r#""trace""#], "{log}");

    // At the loudest level of ours, nothing of what libraries know is told.
    let story = stage.story("loud").await;
    story.sandbox.seed(Juicyway, "cus_loud", &json!({})).await.unwrap();
    story.provider(Juicyway, json!({})).await;
    story.request("loud", Juicyway, "cus_loud").await;
    assert_eq!(story.finished("loud").await["phase"], "Completed");
    let log = stage.operator.lock().await.log();
    for secret in ["cus_loud", "test_ok", "authorization", "token-of-operator", "hyper", "rustls"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
    story.judged().await;
}

async fn put(stage: &Stage, path: &str, body: &str) -> (u16, String) {
    let log = stage.operator.lock().await.log();
    let line = log.lines().rfind(|line| line.contains("serving /healthz")).unwrap();
    let port = line.split("127.0.0.1:").nth(1).unwrap().split(|at: char| !at.is_ascii_digit()).next();
    let address = format!("127.0.0.1:{}", port.unwrap());
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let length = body.len();
    let request = format!(
        "PUT {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
