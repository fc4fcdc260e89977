//! The stage of the end-to-end tests: a real API server, the operator as its service account, and a sandbox for each story.

use std::{
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    time::Duration,
};

use futures::{FutureExt as _, future::join_all};
use harness::{ControlPlane, Failure, Launch, Options, Process, Scratch};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{OnceCell, Semaphore},
};

use crate::story::Story;

/// How long a story may take to get where it should: generous, because nothing waits for it to pass.
pub const SOON: Duration = Duration::from_secs(60);

/// Short deadlines, so that the settle window of a test is seconds; the code path is the shipped one.
/// In the environment, where a story's own flags win.
const OPERATOR_ENV: &[(&str, &str)] =
    &[("ALLOWED_CIDRS", "127.0.0.0/8"), ("SEND_DEADLINE", "4s"), ("REQUEST_DEADLINE", "4s")];

/// One API server with the CRDs and the operator's roles, and an operator that runs on it.
pub struct Stage {
    pub plane: ControlPlane,
    pub operator: tokio::sync::Mutex<Process>,
    pub launch: Launch,
    pub scratch: Scratch,
}

static SHARED: OnceCell<Stage> = OnceCell::const_new();

/// Plays one story on the stage that all share.
pub async fn play(name: &str, story: impl AsyncFnOnce(&Story<'_>)) {
    Stage::shared().await.play(name, story).await;
}

/// Plays the rows of a table at once. Each is played to its end, so that one run tells of every row that fails.
pub async fn all<Row: Future<Output = ()>>(rows: impl Iterator<Item = Row>) {
    let played = join_all(rows.map(|row| AssertUnwindSafe(row).catch_unwind())).await;
    let failed = played.iter().filter(|row| row.is_err()).count();
    assert_eq!(failed, 0, "rows that failed, of {}; each is told above", played.len());
}

/// How many rows of long tables two cores play in time: each send needs reads that are younger than a second.
static PLACES: Semaphore = Semaphore::const_new(8);

/// The same for a long table: a few at once, whichever tables they are of.
pub async fn a_few_at_once<Row: Future<Output = ()>>(rows: impl Iterator<Item = Row>) {
    all(rows.map(async |row| {
        let _place = PLACES.acquire().await.unwrap();
        row.await;
    }))
    .await;
}

impl Stage {
    /// The stage of all stories that leave the operator alone.
    pub async fn shared() -> &'static Stage {
        SHARED
            .get_or_init(|| async {
                Stage::start(Options::default().with_controller_manager().with_audit_log()).await.unwrap()
            })
            .await
    }

    /// A stage of one's own, for stories that stop the operator or the API server.
    pub async fn start(options: Options) -> Result<Stage, Failure> {
        Self::start_with(options, &[], &[]).await
    }

    /// The same with further flags and environment of the operator.
    pub async fn start_with(
        options: Options,
        flags: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Stage, Failure> {
        let plane = ControlPlane::start(options).await?;
        plane.apply_path(&root().join("crds")).await?;
        Self::start_on(plane, flags, env).await
    }

    /// The same on a control plane that has its CRDs already.
    pub async fn start_on(
        plane: ControlPlane,
        flags: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Stage, Failure> {
        install(&plane).await?;
        plane.stamps_requests().await?;
        let scratch = Scratch::new("operator")?;
        let mut launch = Launch::new("operator", env!("CARGO_BIN_EXE_customer-offboarding-operator"))
            .args(["operator", "--admin-address", "127.0.0.1:0"])
            .args(flags)
            .env("KUBECONFIG", plane.kubeconfig("operator").to_str().unwrap());
        for (name, value) in OPERATOR_ENV.iter().chain(env) {
            launch = launch.env(name, value);
        }
        let operator = leading(&launch, scratch.path()).await?;
        Ok(Stage { plane, operator: tokio::sync::Mutex::new(operator), launch, scratch })
    }

    /// Starts the operator again, after it ended. Its lease is given back for it: `leaders.rs` shows how long it takes otherwise.
    pub async fn restart_operator(&self) -> Result<(), Failure> {
        self.free_the_lease().await?;
        *self.operator.lock().await = leading(&self.launch, self.scratch.path()).await?;
        Ok(())
    }

    /// Gives the lease back in the name of an operator that could not.
    pub async fn free_the_lease(&self) -> Result<(), Failure> {
        let lease = self.plane.kubectl("admin").args(["-n", "customer-offboarding", "patch", "lease"]);
        let nobody = r#"{"spec": {"holderIdentity": null}}"#;
        lease.args(["customer-offboarding-operator", "--type=merge", "-p", nobody]).succeed().await.map(drop)
    }

    /// Starts the operator again with more environment than before; what it wrote so far stays in its log.
    pub async fn restart_operator_with(&mut self, env: &[(&str, &str)]) -> Result<(), Failure> {
        for (name, value) in env {
            self.launch = self.launch.clone().env(name, value);
        }
        self.restart_operator().await
    }

    /// Asks the running operator's own endpoint: status and body.
    pub async fn ask_operator(&self, path: &str) -> (u16, String) {
        ask(&*self.operator.lock().await, path).await
    }

    /// Kills the operator, without a chance to say goodbye.
    pub async fn kill_operator(&self) {
        self.operator.lock().await.kill_hard().unwrap();
    }

    /// Plays one story in a namespace and with a sandbox of its own. Then the ledger is judged, whatever the story was about.
    pub async fn play(&self, name: &str, story: impl AsyncFnOnce(&Story<'_>)) {
        let played = self.story(name).await;
        story(&played).await;
        played.judged().await;
    }

    /// A namespace and a sandbox for one story; who takes it this way has it judged.
    pub async fn story(&self, name: &str) -> Story<'_> {
        Story::begin(self, name).await
    }
}

/// What users apply: rights, policies and personas.
pub async fn install(plane: &ControlPlane) -> Result<(), Failure> {
    plane.apply_path(&root().join("deploy")).await
}

/// Starts the operator and waits until its caches are filled, whether it leads or stands by.
pub async fn ready(launch: &Launch, log_directory: &Path) -> Result<Process, Failure> {
    let mut operator = launch.start(log_directory)?;
    says(&mut operator, "ready").await?;
    Ok(operator)
}

/// The same where nobody else leads.
async fn leading(launch: &Launch, log_directory: &Path) -> Result<Process, Failure> {
    let mut operator = ready(launch, log_directory).await?;
    says(&mut operator, "leading").await?;
    Ok(operator)
}

/// Waits for a line of an operator's log, in either format.
pub async fn says(operator: &mut Process, message: &str) -> Result<(), Failure> {
    let (text, json) = (format!(": {message}"), format!(r#""message":"{message}""#));
    operator.wait_for_line(|line| line.ends_with(&text) || line.contains(&json), SOON).await.map(drop)
}

/// Asks an operator's own endpoint: status and body. It tells its address in its log.
pub async fn ask(operator: &Process, path: &str) -> (u16, String) {
    plain_get(&told_address(operator, "serving /healthz"), path).await
}

/// An address on the loopback that an operator's log tells with these words.
pub fn told_address(operator: &Process, words: &str) -> String {
    let log = operator.log();
    let line = log.lines().rfind(|line| line.contains(words)).unwrap();
    let port = line.split("127.0.0.1:").nth(1).unwrap().split(|at: char| !at.is_ascii_digit()).next();
    format!("127.0.0.1:{}", port.unwrap())
}

/// One GET without TLS.
pub async fn plain_get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
