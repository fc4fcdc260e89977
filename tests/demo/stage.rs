//! The stage: a control plane, the sandbox with its customers, and the operator as its service account.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use harness::{
    Binaries, ControlPlane, Failure, Launch, Options, Process, Sandbox, Scratch, workspace_binary,
};

use super::{
    cast::cast,
    show::{OPERATOR, heading, kubectl, remark},
};

/// An approval that is younger than the policies by less than 10 s does not count: they might not have been in force.
const POLICIES_ARE_IN_FORCE: Duration = Duration::from_secs(12);

/// Who may do what in the namespace: ClusterRoles of `deploy/personas.yaml`, and to whom they are bound.
const PERSONAS: &[(&str, &[&str])] = &[
    ("offboarding-requester", &["--group=requesters"]),
    // In a small team who asks may agree too, but not to what they asked for.
    ("offboarding-approver", &["--group=approvers", "--user=alice"]),
    ("offboarding-platform", &["--group=platform"]),
];

/// Everything that runs, until it is dropped.
pub struct Stage {
    pub plane: ControlPlane,
    pub sandbox: Sandbox,
    installed: Instant,
    operator: Process,
    _scratch: Scratch,
}

impl Stage {
    /// Starts everything, with roles, kinds, customers, Secrets and provider objects, but without a request.
    pub async fn set() -> Result<Stage, Failure> {
        Stage::set_with(async |plane, scratch| {
            install(plane).await?;
            operator(plane, scratch).await
        })
        .await
    }

    /// The same with another way to install, which gives the operator that runs.
    pub async fn set_with(
        run: impl AsyncFnOnce(&ControlPlane, &Scratch) -> Result<Process, Failure>,
    ) -> Result<Stage, Failure> {
        std::env::set_current_dir(env!("CARGO_MANIFEST_DIR"))
            .map_err(|why| Failure::new("go to the project's directory", why))?;
        heading("The stage: a real API server, a sandbox of two providers, the operator");
        let begun = Instant::now();
        let plane = ControlPlane::start(Options::default().with_controller_manager()).await?;
        remark(&format!("etcd, kube-apiserver and kube-controller-manager run ({})", seconds(begun)));
        let sandbox = Sandbox::start().await?;
        let addresses = sandbox.addresses();
        remark(&format!("sandbox: Juicyway at {}, Revolv3 at {}", addresses.juicyway, addresses.revolv3));
        for customer in cast().iter().flat_map(|part| &part.customers) {
            if let Some(seed) = &customer.seed {
                sandbox.seed(customer.provider, customer.id, seed).await?;
            }
        }
        let scratch = Scratch::new("demo")?;
        let operator = run(&plane, &scratch).await?;
        let installed = Instant::now();
        people(&plane).await?;
        providers(&plane, &sandbox, &scratch).await?;
        Ok(Stage { plane, sandbox, installed, operator, _scratch: scratch })
    }

    /// Waits until an approval counts.
    pub async fn approvals_count(&self) {
        tokio::time::sleep(POLICIES_ARE_IN_FORCE.saturating_sub(self.installed.elapsed())).await;
    }

    /// Leaves everything as it is until Ctrl-C, and says what to do with it.
    pub async fn stay(&self) -> Result<(), Failure> {
        let kubectl = Binaries::ready(&["kubectl"]).await?.path("kubectl");
        let directory = kubectl.parent().unwrap_or(Path::new("/")).display().to_string();
        let plugin = workspace_binary(OPERATOR, "kubectl-offboarding")?;
        let plugin = plugin.parent().unwrap_or(Path::new("/")).display().to_string();
        heading("Everything is still running. In another terminal:");
        println!(
            "{}",
            THINGS_TO_TRY
                .replace("${KUBECONFIG}", &self.plane.kubeconfig("admin").display().to_string())
                .replace("${DIRECTORY}", &directory)
                .replace("${PLUGIN}", &plugin)
                .replace("${ADMIN}", &self.sandbox.addresses().admin)
                .replace("${LOG}", &self.operator.log_path().display().to_string())
        );
        println!("\nCtrl-C ends everything and removes it.");
        tokio::signal::ctrl_c().await.map_err(|why| Failure::new("wait for Ctrl-C", why))
    }
}

const THINGS_TO_TRY: &str = r#"
export KUBECONFIG=${KUBECONFIG} PATH=${DIRECTORY}:${PLUGIN}:$PATH
kubectl get cob -w                                              # the requests
kubectl get offboarding -A                                      # everything of ours
kubectl offboarding explain everywhere                          # how far it got; `plan` shows what was agreed to
kubectl get coba,cobh                                           # who agreed; who is held
kubectl explain cob.spec
tail -f ${LOG}

curl -X PUT ${ADMIN}/admin/revolv3/customers/90100 -d '{"subscriptions": [{}]}'         # a customer, with a subscription
kubectl apply -f - <<END
{apiVersion: offboarding.dev/v1alpha1, kind: CustomerOffboarding, metadata: {name: mine},
 spec: {customer: {id: "90100"}, targets: [{name: billing, providerRef: {name: revolv3}}]}}
END
curl -X PATCH ${ADMIN}/admin/revolv3/customers/90100 -d '{"subscriptions": []}'         # cancelled: it goes on by itself
curl -s '${ADMIN}/admin/ledger?customer=90100&method=DELETE'    # what the provider received

kubectl delete cob unapproved                                   # deletes a request, and no customer
kubectl delete namespace demo                                   # nothing hangs: there is no finalizer"#;

/// What a cluster needs once: the kinds, the operator's rights, the policies, and what people may do.
async fn install(plane: &ControlPlane) -> Result<(), Failure> {
    kubectl(plane, &["apply", "--server-side", "-f", "crds/"]).await?;
    kubectl(plane, &["apply", "--server-side", "-f", "deploy/"]).await?;
    // Once more, because this one waits until they are served.
    plane.apply_path(&PathBuf::from("crds")).await?;
    plane.stamps_requests().await
}

async fn operator(plane: &ControlPlane, scratch: &Scratch) -> Result<Process, Failure> {
    let args = ["operator", "--allowed-cidrs", "127.0.0.0/8", "--admin-address", "127.0.0.1:0"];
    println!("$ {OPERATOR} {} &     # as its service account", args.join(" "));
    let mut operator = Launch::new("operator", workspace_binary(OPERATOR, OPERATOR)?)
        .args(args)
        .env("KUBECONFIG", plane.kubeconfig("operator"))
        .start(scratch.path())?;
    operator.wait_for_line(|line| line.contains("ready"), Duration::from_secs(60)).await?;
    Ok(operator)
}

/// The namespace, and who may do what in it; legal everywhere.
async fn people(plane: &ControlPlane) -> Result<(), Failure> {
    kubectl(plane, &["create", "namespace", "demo"]).await?;
    let here = ["config", "set-context", "--current", "--namespace=demo"];
    kubectl(plane, &here).await?;
    for user in ["alice", "bob", "erin"] {
        plane.kubectl(user).args(here).succeed().await?;
    }
    for (role, subjects) in PERSONAS {
        let role_of = format!("--clusterrole={role}");
        let binding = ["create", "rolebinding", role, &role_of];
        kubectl(plane, &[&binding, *subjects].concat()).await?;
    }
    let legal = "offboarding-legal";
    let role_of = format!("--clusterrole={legal}");
    kubectl(plane, &["create", "clusterrolebinding", legal, &role_of, "--group=legal"]).await?;
    remark("alice asks, bob agrees, erin is legal");
    Ok(())
}

/// Credentials and provider objects: what a platform team does once.
async fn providers(plane: &ControlPlane, sandbox: &Sandbox, scratch: &Scratch) -> Result<(), Failure> {
    for (name, token) in
        [("juicyway", "test_ok"), ("juicyway-mistyped", "test_oj"), ("revolv3", "rv3_sandbox")]
    {
        let literal = format!("--from-literal=token={token}");
        let command = ["create", "secret", "generic", name, "--type=offboarding.dev/credentials", &literal];
        kubectl(plane, &command).await?;
    }
    let template = "examples/demo/providers.yaml.template";
    let text =
        std::fs::read_to_string(template).map_err(|why| Failure::new(format!("read {template}"), why))?;
    let addresses = sandbox.addresses();
    let filled = text
        .replace("${JUICYWAY_URL}", &addresses.juicyway)
        .replace("${REVOLV3_URL}", &addresses.revolv3)
        .replace("${CA_BUNDLE}", &serde_json::json!(addresses.ca_bundle).to_string());
    let file = scratch.write("providers.yaml", &filled)?;
    remark(&format!("{template}, with the sandbox's addresses and certificate put in:"));
    kubectl(plane, &["apply", "-f", &file.display().to_string()]).await.map(drop)
}

pub fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f32())
}
