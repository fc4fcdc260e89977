//! One namespace with the people who work in it, and `kubectl` with the plugin in its PATH.

use std::{
    collections::BTreeMap,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{Binaries, ControlPlane, Failure, Namespace, Output, Scratch};
use kube::Client;
use offboarding::api::{CustomerOffboarding, OffboardingApproval, OffboardingProvider};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::pty::Pty;

const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-offboarding");

pub const HASH: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// A customer's pseudonym.
pub const CUSTOMER: &str = "hmac:0a1b2c3d:00112233445566778899aabbccddeeff";

/// Somebody's place of work.
pub struct Stage {
    pub plane: &'static ControlPlane,
    pub admin: Client,
    pub namespace: Namespace,
    /// `kubectl` and the plugin, side by side.
    path: PathBuf,
    _scratch: Scratch,
}

impl Stage {
    pub async fn new(prefix: &str) -> Result<Stage, Failure> {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let plane = ControlPlane::shared().await?;
        INSTALLED
            .get_or_try_init(|| async {
                plane.apply(&offboarding::cli::crds_yaml().unwrap()).await?;
                plane.apply(include_str!("roles.yaml")).await
            })
            .await?;
        let namespace = plane.namespace(prefix).await?;
        plane.apply(&bindings(namespace.name())).await?;
        let scratch = Scratch::new("plugin")?;
        let kubectl = Binaries::ready(&["kubectl"]).await?.path("kubectl");
        symlink(kubectl, scratch.join("kubectl")).unwrap();
        symlink(PLUGIN, scratch.join("kubectl-offboarding")).unwrap();
        let path = scratch.path().to_owned();
        Ok(Stage { plane, admin: plane.client("admin").await?, namespace, path, _scratch: scratch })
    }

    /// A request as somebody applies it; nobody has looked at it.
    pub async fn request(&self, name: &str, labels: &[(&str, &str)]) -> CustomerOffboarding {
        let labels: BTreeMap<_, _> = labels.iter().copied().collect();
        let object = json!({
            "apiVersion": "offboarding.dev/v1alpha1",
            "kind": "CustomerOffboarding",
            "metadata": { "name": name, "labels": labels },
            "spec": {
                "customer": { "id": "90017" },
                "targets": [{ "name": "billing", "providerRef": { "name": "revolv3" } }],
            },
        });
        let object = serde_json::from_value(object).unwrap();
        self.requests().create(&Default::default(), &object).await.unwrap()
    }

    /// What the operator would write into its status.
    pub async fn told(&self, request: &CustomerOffboarding, status: Value) -> CustomerOffboarding {
        let name = request.metadata.name.as_deref().unwrap();
        let mut object = self.requests().get(name).await.unwrap();
        object.status = Some(serde_json::from_value(status).unwrap());
        self.requests().replace_status(name, &Default::default(), &object).await.unwrap()
    }

    /// The provider object of the requests, and how long its approvals may hold.
    pub async fn provider(&self, name: &str, max_validity: &str) {
        let object = json!({
            "apiVersion": "offboarding.dev/v1alpha1",
            "kind": "OffboardingProvider",
            "metadata": { "name": name },
            "spec": {
                "profile": "revolv3",
                "baseUrl": "https://api-sandbox.revolv3.com",
                "account": "acct-eu",
                "environment": "sandbox",
                "allowedModes": ["Soft"],
                "approvals": { "required": 1, "separationOfDuties": true, "maxValidity": max_validity },
            },
        });
        let object = serde_json::from_value(object).unwrap();
        let api = self.namespace.api::<OffboardingProvider>(&self.admin);
        api.create(&Default::default(), &object).await.unwrap();
    }

    /// A request whose plan awaits an approval.
    pub async fn planned(&self, name: &str) -> CustomerOffboarding {
        let request = self.request(name, &[("cohort", "november")]).await;
        self.told(&request, awaiting_approval(HASH)).await
    }

    pub fn requests(&self) -> kube::Api<CustomerOffboarding> {
        self.namespace.api(&self.admin)
    }

    /// What was agreed to so far.
    pub async fn approvals(&self) -> Vec<OffboardingApproval> {
        self.namespace.api(&self.admin).list(&Default::default()).await.unwrap().items
    }

    /// Runs the plugin without a terminal, in the namespace.
    pub async fn run(&self, user: &str, args: &[&str]) -> Output {
        let tool = self.plane.tool(user, PLUGIN).args(args).args(["-n", self.namespace.name()]);
        tool.run().await.unwrap()
    }

    /// Types a whole command into a terminal, as it was printed: a shell finds kubectl, and kubectl the plugin.
    pub fn types(&self, user: &str, command: &str, env: &[(&str, &str)]) -> Pty {
        let path = format!("{}:/usr/bin:/bin", self.path.display());
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env_clear().env("PATH", path).env("TERM", "xterm");
        shell.env("KUBECONFIG", self.plane.kubeconfig(user)).env("HOME", &self.path);
        shell.envs(env.iter().copied());
        Pty::start(shell)
    }
}

/// A status in which only an approval is missing.
pub fn awaiting_approval(hash: &str) -> Value {
    json!({
        "observedGeneration": 1,
        "phase": "AwaitingApproval",
        "finished": false,
        "waitingFor": "0 of 1 approvals; read status.plan, then approve exactly its hash",
        "targets": [{ "name": "billing", "state": "Present", "customerRef": CUSTOMER }],
        "plan": {
            "hash": hash,
            "madeAt": "2026-11-23T10:00:00Z",
            "requiredApprovals": 1,
            "summary": [],
            "inputs": {},
            "targets": [{
                "name": "billing",
                "mode": "Soft",
                "operation": "DELETE /api/Customers/{customer.id}",
                "account": "acct-eu",
                "environment": "live",
                "found": "Present",
                "blockers": [{ "check": "wallets", "reason": "BlockersFound" }],
                "effects": ["the customer is deactivated"],
                "retains": ["invoices"],
                "finality": "SoftDelete",
            }],
        },
    })
}

/// The commands that a text tells people to type.
pub fn commands(text: &str) -> Vec<String> {
    let starts = text.match_indices("kubectl ").map(|(at, _)| &text[at..]);
    starts.map(|rest| rest.split(['`', '\n', '\r']).next().unwrap().trim().to_owned()).collect()
}

fn bindings(namespace: &str) -> String {
    let binding = |(role, user): (&str, &str)| {
        format!(
            "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
             metadata: {{name: {role}-{user}, namespace: {namespace}}}\n\
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\n\
             subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {user}}}]\n"
        )
    };
    let people = [
        ("offboarding-requester", "alice"),
        ("offboarding-approver", "bob"),
        ("offboarding-approver", "carol"),
        ("offboarding-view", "ivan"),
    ];
    people.into_iter().map(binding).collect()
}

/// A file of the repository.
pub fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}
