//! A control plane of one's own: etcd, an API server with RBAC and real users, and who cleans up after them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{Client, Config};
use tokio::sync::OnceCell;

use crate::{
    Binaries, Counters, Failure, Namespace, Process, Scratch, Tool, access, audit, component::Component,
    manifests, plain_http, port::free_port, programs, users,
};

/// Generous: on two busy cores a start that takes four seconds alone takes far longer.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// How often a start is tried when somebody else took a port between our look and the server's bind.
const STARTS: usize = 3;

/// What a control plane has beyond etcd and the API server. By default nothing.
#[derive(Clone, Debug, Default)]
pub struct Options {
    controller_manager: bool,
    audit_log: bool,
    durable: bool,
    api_server_args: Vec<String>,
}

impl Options {
    /// With a kube-controller-manager: namespaces finish terminating, owner references collect garbage.
    #[must_use]
    pub fn with_controller_manager(mut self) -> Options {
        self.controller_manager = true;
        self
    }

    /// With an audit log of every request (metadata, when answered): [`ControlPlane::audit_events`].
    #[must_use]
    pub fn with_audit_log(mut self) -> Options {
        self.audit_log = true;
        self
    }

    /// With an etcd that waits for the disk, as in production: for benchmarks.
    #[must_use]
    pub fn durable(mut self) -> Options {
        self.durable = true;
        self
    }

    /// With one more argument of kube-apiserver.
    #[must_use]
    pub fn with_api_server_arg(mut self, arg: impl Into<String>) -> Options {
        self.api_server_args.push(arg.into());
        self
    }
}

/// A running control plane. Dropping it ends it and removes its data; so does the end of our process.
#[derive(Debug)]
pub struct ControlPlane {
    // The order of the fields is the order of the end: nobody loses the one it calls.
    controller_manager: Option<Component>,
    api_server: Component,
    etcd: Component,
    etcd_url: String,
    server: String,
    binaries: Binaries,
    audit_log: Option<PathBuf>,
    scratch: Scratch,
}

impl ControlPlane {
    /// Starts one and waits until it is ready (`/readyz`).
    ///
    /// # Errors
    /// When its binaries cannot be had, or a part of it does not get ready: with the end of that part's log.
    pub async fn start(options: Options) -> Result<ControlPlane, Failure> {
        let mut names = vec!["etcd", "kube-apiserver", "kubectl"];
        names.extend(options.controller_manager.then_some("kube-controller-manager"));
        let binaries = Binaries::ready(&names).await?;
        for _ in 1..STARTS {
            match ControlPlane::start_once(&options, &binaries).await {
                Err(failure) if failure.to_string().contains("address already in use") => {}
                result => return result,
            }
        }
        ControlPlane::start_once(&options, &binaries).await
    }

    /// The one that all tests of a test binary share, with controller manager and audit log; started by the first.
    ///
    /// Tests keep apart by [`ControlPlane::namespace`]. It ends with the process.
    ///
    /// # Errors
    /// As [`ControlPlane::start`].
    pub async fn shared() -> Result<&'static ControlPlane, Failure> {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        let options = Options::default().with_controller_manager().with_audit_log();
        SHARED.get_or_try_init(|| ControlPlane::start(options)).await
    }

    async fn start_once(options: &Options, binaries: &Binaries) -> Result<ControlPlane, Failure> {
        let mut plane = ControlPlane::prepare(options, binaries)?;
        plane.start_etcd().await?;
        plane.start_api_server().await?;
        if let Some(controller_manager) = &mut plane.controller_manager {
            // Ready is what it does, not what it says: who needs it awaits the deletion or collection itself.
            controller_manager.start(&plane.scratch, READY_WITHIN, async || Ok(())).await?;
        }
        Ok(plane)
    }

    fn prepare(options: &Options, binaries: &Binaries) -> Result<ControlPlane, Failure> {
        let scratch = Scratch::new("control-plane")?;
        let etcd_url = format!("http://127.0.0.1:{}", free_port());
        let port = free_port();
        let server = format!("https://127.0.0.1:{port}");
        users::write_tokens(&scratch)?;
        users::write_kubeconfigs(&scratch, &server, &scratch.join("certs/apiserver.crt"))?;
        programs::write_service_account_keys(&scratch)?;
        let audit_log = if options.audit_log { Some(audit::prepare(&scratch)?) } else { None };
        let api_server = programs::api_server(binaries, &scratch, &etcd_url, port)
            .args(audit_log.iter().flat_map(|log| audit::args(&scratch, log)))
            .args(&options.api_server_args);
        Ok(ControlPlane {
            controller_manager: options.controller_manager.then(|| {
                Component::new("kube-controller-manager", programs::controller_manager(binaries, &scratch))
            }),
            api_server: Component::new("kube-apiserver", api_server),
            etcd: Component::new("etcd", programs::etcd(binaries, &scratch, &etcd_url, options.durable)),
            etcd_url,
            server,
            binaries: binaries.clone(),
            audit_log,
            scratch,
        })
    }

    /// `https://127.0.0.1:<port>`, the same after a restart.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Where its logs and data are, and where a test may put files of its own.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The process ids of what runs now: etcd, API server, controller manager.
    pub fn process_ids(&self) -> Vec<u32> {
        let parts = [Some(&self.etcd), Some(&self.api_server), self.controller_manager.as_ref()];
        parts.into_iter().flatten().filter_map(Component::process).map(Process::id).collect()
    }

    /// The kubeconfig of admin (`system:masters`), grace (the same and break-glass), alice (requesters), bob or carol (approvers),
    /// frank (both), dave (platform), erin (legal), ivan (auditors), `argocd`, a robot that applies what Git says, or
    /// `operator`, the operator's service account. What their groups may do: [`ControlPlane::bind_personas`].
    ///
    /// # Panics
    /// When there is no such user.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        self.scratch.join(&users::kubeconfig_name(user))
    }

    /// A client of that user, without retries: what the server answers is what the test sees.
    ///
    /// Each call makes a new one, because a client's connections belong to the runtime of one test.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn client(&self, user: &str) -> Result<Client, Failure> {
        access::client(&self.kubeconfig(user)).await
    }

    /// What [`ControlPlane::client`] is made of, for a test that changes it.
    ///
    /// # Errors
    /// As [`ControlPlane::client`].
    pub async fn client_config(&self, user: &str) -> Result<Config, Failure> {
        access::config(&self.kubeconfig(user)).await
    }

    /// A kubectl of that user.
    pub fn kubectl(&self, user: &str) -> Tool {
        self.tool(user, self.binaries.path("kubectl"))
    }

    /// A helm of that user; built on the first use.
    ///
    /// # Errors
    /// When it cannot be built.
    pub async fn helm(&self, user: &str) -> Result<Tool, Failure> {
        Ok(self.tool(user, Binaries::ready(&["helm"]).await?.path("helm")))
    }

    /// Any program that finds its cluster through `KUBECONFIG`, the operator's own subcommands for example.
    pub fn tool(&self, user: &str, program: impl Into<PathBuf>) -> Tool {
        Tool::new(program.into(), &self.kubeconfig(user), self.scratch.path())
    }

    /// Applies manifests as admin and waits until every CRD among them is served.
    ///
    /// # Errors
    /// With what kubectl says.
    pub async fn apply(&self, manifests: &str) -> Result<(), Failure> {
        manifests::apply(self, self.kubectl("admin").manifests(manifests)?).await
    }

    /// The same with a file or a directory.
    ///
    /// # Errors
    /// With what kubectl says.
    pub async fn apply_path(&self, path: &Path) -> Result<(), Failure> {
        manifests::apply(self, self.kubectl("admin").arg("-f").arg(path)).await
    }

    /// A new namespace named `<prefix>-<random>`.
    ///
    /// # Errors
    /// With what the API server says.
    pub async fn namespace(&self, prefix: &str) -> Result<Namespace, Failure> {
        Namespace::create(self.client("admin").await?, prefix).await
    }

    /// The API server's counters now (`/metrics`).
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn counters(&self) -> Result<Counters, Failure> {
        Ok(Counters::parse(&access::read(&self.client("admin").await?, "/metrics").await?))
    }

    /// The audit log's file: one JSON object a line.
    pub fn audit_log(&self) -> Option<&Path> {
        self.audit_log.as_deref()
    }

    /// Every request answered so far, oldest first, as `audit.k8s.io/v1` events.
    ///
    /// # Errors
    /// When there is no audit log, or it cannot be read.
    pub fn audit_events(&self) -> Result<Vec<serde_json::Value>, Failure> {
        let missing = || Failure::new("read the audit log", "start with Options::with_audit_log");
        audit::read(self.audit_log().ok_or_else(missing)?)
    }

    /// Starts etcd on the data it had; nothing happens if it runs.
    ///
    /// # Errors
    /// With the end of its log.
    pub async fn start_etcd(&mut self) -> Result<(), Failure> {
        let health = format!("{}/health", self.etcd_url);
        self.etcd.start(&self.scratch, READY_WITHIN, async || plain_http::get(&health).await.map(drop)).await
    }

    /// Kills etcd (SIGKILL); the API server stays and cannot read or write.
    pub fn stop_etcd(&mut self) {
        self.etcd.stop();
    }

    /// Starts the API server on its port; nothing happens if it runs.
    ///
    /// # Errors
    /// With the end of its log.
    pub async fn start_api_server(&mut self) -> Result<(), Failure> {
        let admin = self.kubeconfig("admin");
        let is_ready = async || access::read(&access::client(&admin).await?, "/readyz").await.map(drop);
        self.api_server.start(&self.scratch, READY_WITHIN, is_ready).await
    }

    /// Kills the API server (SIGKILL): connections and watches break, data stay in etcd.
    pub fn stop_api_server(&mut self) {
        self.api_server.stop();
    }

    /// Both: a new API server with the same address, identities and data.
    ///
    /// # Errors
    /// As [`ControlPlane::start_api_server`].
    pub async fn restart_api_server(&mut self) -> Result<(), Failure> {
        self.stop_api_server();
        self.start_api_server().await
    }
}
