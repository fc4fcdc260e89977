//! The sandbox provider: started, filled, disturbed, and asked what really happened.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Url};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Failure, Launch, Process, Scratch, plain_http, workspace_binary};

const READY_WITHIN: Duration = Duration::from_secs(30);

/// One of the sandbox's providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Customers that are gone after a DELETE.
    Juicyway,
    /// Customers that are deactivated by a DELETE.
    Revolv3,
    /// Answers what its script says.
    Scripted,
}

impl Provider {
    /// As in the sandbox's paths and start line.
    pub fn name(self) -> &'static str {
        match self {
            Provider::Juicyway => "juicyway",
            Provider::Revolv3 => "revolv3",
            Provider::Scripted => "scripted",
        }
    }
}

/// What the sandbox says when it has started.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxAddresses {
    /// `https://127.0.0.1:<port>`
    pub juicyway: String,
    /// `https://127.0.0.1:<port>`
    pub revolv3: String,
    /// `https://127.0.0.1:<port>`
    pub scripted: String,
    /// `http://127.0.0.1:<port>`
    pub admin: String,
    /// The certificate, in PEM, that vouches for the three.
    pub ca_bundle: String,
}

/// Which entries of the ledger; by default all.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LedgerFilter<'a> {
    /// Of this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// With this HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'a str>,
    /// On this customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<&'a str>,
    /// After the entry with this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// A running sandbox. Dropping it ends it, and so does the end of our process.
#[derive(Debug)]
pub struct Sandbox {
    process: Process,
    addresses: SandboxAddresses,
    admin: Client,
    _scratch: Scratch,
}

impl Sandbox {
    /// Starts the workspace's `sandbox` on free ports.
    ///
    /// # Errors
    /// When it was not built (the error names the command) or does not start.
    pub async fn start() -> Result<Sandbox, Failure> {
        Sandbox::start_with_args(&[]).await
    }

    /// The same with arguments, for example `--state FILE` or `--name HOST`.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub async fn start_with_args(args: &[&str]) -> Result<Sandbox, Failure> {
        let scratch = Scratch::new("sandbox")?;
        let launch = Launch::new("sandbox", workspace_binary("sandbox", "sandbox")?).args(args);
        let mut process = launch.start(scratch.path())?;
        let is_start_line = |line: &str| serde_json::from_str::<SandboxAddresses>(line).is_ok();
        let line = process.wait_for_line(is_start_line, READY_WITHIN).await?;
        let addresses = serde_json::from_str(&line).map_err(Failure::to("read the sandbox's start line"))?;
        Ok(Sandbox { process, addresses, admin: plain_http::client()?, _scratch: scratch })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &SandboxAddresses {
        &self.addresses
    }

    /// Its process, to kill or pause it.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Puts a customer into the store, instead of the one with that id.
    ///
    /// # Errors
    /// With the sandbox's answer; so in all calls below.
    pub async fn seed(&self, provider: Provider, id: &str, customer: &Value) -> Result<(), Failure> {
        let path = ["admin", provider.name(), "customers", id];
        self.send(Method::PUT, &path, |request| request.json(customer)).await.map(drop)
    }

    /// Changes some fields of a customer: the same one, not another life of it.
    pub async fn change(&self, provider: Provider, id: &str, fields: &Value) -> Result<(), Failure> {
        let path = ["admin", provider.name(), "customers", id];
        self.send(Method::PATCH, &path, |request| request.json(fields)).await.map(drop)
    }

    /// Takes a customer out of the store, behind everybody's back.
    pub async fn remove(&self, provider: Provider, id: &str) -> Result<(), Failure> {
        self.send(Method::DELETE, &["admin", provider.name(), "customers", id], bare).await.map(drop)
    }

    /// What is really there of a customer, whatever the provider's GET would show.
    pub async fn truth(&self, provider: Provider, id: &str) -> Result<Value, Failure> {
        self.read(&["admin", provider.name(), "customers", id]).await
    }

    /// Changes how a provider behaves.
    pub async fn configure(&self, provider: Provider, settings: &Value) -> Result<(), Failure> {
        let path = ["admin", provider.name()];
        self.send(Method::PATCH, &path, |request| request.json(settings)).await.map(drop)
    }

    /// Sets the ordered list of faults.
    pub async fn set_faults(&self, faults: &Value) -> Result<(), Failure> {
        self.send(Method::PUT, &["admin", "faults"], |request| request.json(faults)).await.map(drop)
    }

    /// The list with its hit counts.
    pub async fn faults(&self) -> Result<Value, Failure> {
        self.read(&["admin", "faults"]).await
    }

    /// No faults any more.
    pub async fn clear_faults(&self) -> Result<(), Failure> {
        self.send(Method::DELETE, &["admin", "faults"], bare).await.map(drop)
    }

    /// Sets what the scripted listener answers.
    pub async fn set_script(&self, rules: &Value) -> Result<(), Failure> {
        self.send(Method::PUT, &["admin", "scripted"], |request| request.json(rules)).await.map(drop)
    }

    /// Closes idle connections, so that the next request needs a new one.
    pub async fn disconnect(&self) -> Result<(), Failure> {
        self.send(Method::POST, &["admin", "disconnect"], bare).await.map(drop)
    }

    /// The requests that the providers received, oldest first.
    pub async fn ledger(&self, filter: &LedgerFilter<'_>) -> Result<Vec<Value>, Failure> {
        let lines = self.send(Method::GET, &["admin", "ledger"], |request| request.query(filter)).await?;
        let entries = lines.lines().filter(|line| !line.is_empty()).map(serde_json::from_str);
        entries.collect::<Result<_, _>>().map_err(Failure::to("read the sandbox's ledger"))
    }

    /// Forgets the requests received so far.
    pub async fn clear_ledger(&self) -> Result<(), Failure> {
        self.send(Method::DELETE, &["admin", "ledger"], bare).await.map(drop)
    }

    /// Per customer and provider: destructive requests received, applied, at once; 401s; leaked credentials.
    pub async fn summary(&self) -> Result<Value, Failure> {
        self.read(&["admin", "summary"]).await
    }

    /// Moves its clock forward: `90s`, `1h`.
    pub async fn advance(&self, duration: &str) -> Result<(), Failure> {
        let advance = serde_json::json!({ "advance": duration });
        self.send(Method::POST, &["admin", "clock"], |request| request.json(&advance)).await.map(drop)
    }

    /// Everything as after the start.
    pub async fn reset(&self) -> Result<(), Failure> {
        self.send(Method::POST, &["admin", "reset"], bare).await.map(drop)
    }

    async fn read(&self, path: &[&str]) -> Result<Value, Failure> {
        let body = self.send(Method::GET, path, bare).await?;
        serde_json::from_str(&body).map_err(Failure::to(format!("read the sandbox's {}", path.join("/"))))
    }

    /// `path` in segments, not yet percent-encoded: an id may hold anything.
    async fn send(
        &self,
        method: Method,
        path: &[&str],
        fill: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<String, Failure> {
        let step = format!("ask the sandbox: {method} {}", path.join("/"));
        let mut url = Url::parse(&self.addresses.admin).map_err(Failure::to(&step))?;
        let segments = url.path_segments_mut();
        segments.map_err(|()| Failure::new(&step, "its admin address has no path"))?.clear().extend(path);
        plain_http::send(&step, fill(self.admin.request(method, url))).await
    }
}

fn bare(request: RequestBuilder) -> RequestBuilder {
    request
}
