//! One running sandbox and a client that trusts it. It ends with the test that started it.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use reqwest::{Certificate, Client, Method, Response};
use serde_json::{Value, json};

pub struct Scene {
    pub juicyway: String,
    pub revolv3: String,
    pub scripted: String,
    pub admin: String,
    pub ca: String,
    pub http: Client,
    child: Child,
    /// Closing it ends the process.
    stdin: Option<ChildStdin>,
}

impl Scene {
    pub fn start() -> Scene {
        Scene::start_with(&[])
    }

    pub fn start_with(arguments: &[&str]) -> Scene {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .arg("--exit-with-parent")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let started: Value = serde_json::from_str(&line).unwrap();
        let text = |key: &str| started[key].as_str().unwrap().to_owned();
        let ca = text("caBundle");
        Scene {
            juicyway: text("juicyway"),
            revolv3: text("revolv3"),
            scripted: text("scripted"),
            admin: text("admin"),
            http: client(&ca, 0),
            ca,
            stdin: child.stdin.take(),
            child,
        }
    }

    /// A request with the good credential of the provider it goes to.
    pub async fn send(&self, method: &str, url: &str) -> reqwest::Result<Response> {
        let request = self.http.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        let request = match url {
            url if url.starts_with(&self.juicyway) => request.header("Authorization", "test_ok"),
            url if url.starts_with(&self.revolv3) => request.header("x-revolv3-token", "rv3_sandbox"),
            _ => request,
        };
        request.send().await
    }

    pub async fn juicyway(&self, method: &str, path: &str) -> Answer {
        Answer::of(self.send(method, &format!("{}{path}", self.juicyway)).await.unwrap()).await
    }

    pub async fn revolv3(&self, method: &str, path: &str) -> Answer {
        Answer::of(self.send(method, &format!("{}{path}", self.revolv3)).await.unwrap()).await
    }

    pub async fn scripted(&self, method: &str, path: &str) -> Answer {
        Answer::of(self.send(method, &format!("{}{path}", self.scripted)).await.unwrap()).await
    }

    /// An admin request that must succeed.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.ask_admin(method, path, body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
        answer.json
    }

    pub async fn ask_admin(&self, method: &str, path: &str, body: Value) -> Answer {
        let request = self
            .http
            .request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}/admin/{path}", self.admin));
        let request = if body.is_null() { request } else { request.body(body.to_string()) };
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn seed(&self, provider: &str, id: &str, seed: Value) {
        self.admin("PUT", &format!("{provider}/customers/{id}"), seed).await;
    }

    pub async fn truth(&self, provider: &str, id: &str) -> Value {
        self.admin("GET", &format!("{provider}/customers/{id}"), Value::Null).await
    }

    pub async fn set(&self, provider: &str, settings: Value) {
        self.admin("PATCH", provider, settings).await;
    }

    /// Puts one fault in force, for the first request that matches.
    pub async fn fault(&self, wanted: Value, kind: Value) {
        self.admin("PUT", "faults", json!([{"match": wanted, "do": kind}])).await;
    }

    pub async fn advance(&self, by: &str) {
        self.admin("POST", "clock", json!({"advance": by})).await;
    }

    pub async fn ledger(&self, query: &str) -> Vec<Value> {
        let answer = self.ask_admin("GET", &format!("ledger?{query}"), Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The entry of the latest request.
    pub async fn last(&self) -> Value {
        self.ledger("").await.pop().unwrap()
    }

    pub async fn summary(&self) -> Value {
        self.admin("GET", "summary", Value::Null).await
    }

    /// Closes its standard input and waits for the process to end.
    pub fn end(&mut self) -> bool {
        drop(self.stdin.take());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.end();
    }
}

/// A client that trusts one authority and follows no redirect.
pub fn client(ca: &str, idle_connections: usize) -> Client {
    let installed = rustls::crypto::ring::default_provider().install_default();
    drop(installed); // another test of this process may have been first
    Client::builder()
        .tls_certs_only([Certificate::from_pem(ca.as_bytes()).unwrap()])
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(idle_connections)
        .build()
        .unwrap()
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// Null if the body is not JSON.
    pub json: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Answer {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = String::from_utf8_lossy(&response.bytes().await.unwrap()).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, text, json }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
