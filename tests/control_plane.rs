//! The promises of the harness itself: a control plane in seconds, real users, and nothing left behind.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use harness::{ControlPlane, Failure, Launch, Options, Scratch, eventually};
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    core::v1::{ConfigMap, Namespace},
};
use kube::{
    Api,
    api::{ListParams, ObjectMeta, PostParams},
};

/// Set to a directory: this test process is the one to be killed, and tells there where its control plane is.
const VICTIM: &str = "CONTROL_PLANE_TEST_VICTIM";

#[tokio::test]
async fn users_are_who_they_are() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    for (user, username, group) in [
        ("admin", "admin", "system:masters"),
        ("alice", "alice", "requesters"),
        ("bob", "bob", "approvers"),
        ("carol", "carol", "approvers"),
        ("dave", "dave", "platform"),
        ("erin", "erin", "legal"),
        ("ivan", "ivan", "auditors"),
        (
            "operator",
            "system:serviceaccount:customer-offboarding:customer-offboarding-operator",
            "system:serviceaccounts:customer-offboarding",
        ),
    ] {
        let reviews: Api<SelfSubjectReview> = Api::all(plane.client(user).await?);
        let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await;
        let who = review.map_err(failed("ask who I am"))?.status.and_then(|status| status.user_info);
        let who = who.expect("the API server knows who asked");
        assert_eq!(who.username.as_deref(), Some(username));
        assert!(who.groups.iter().flatten().any(|it| it == group), "{user} is not in {group}: {who:?}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_but_admin_may_do_anything_before_a_role_says_so() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let refused = plane.kubectl("alice").args(["get", "secrets", "-A"]).run().await?;
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("User \"alice\" cannot list resource \"secrets\""), "{}", refused.stderr);
    plane.kubectl("admin").args(["get", "secrets", "-A"]).succeed().await?;
    Ok(())
}

#[tokio::test]
async fn a_namespace_is_deleted_with_all_that_is_in_it() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let client = plane.client("admin").await?;
    let namespace = plane.namespace("goes").await?;
    create_config_map(&namespace.api(&client), "content").await?;
    namespace.delete(&client).await?;
    let left = namespace.api::<ConfigMap>(&client).list(&ListParams::default()).await;
    assert!(left.map_err(failed("list what is left"))?.items.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_applied_crd_can_be_used_at_once() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    plane.apply(WIDGETS).await?;
    let namespace = plane.namespace("widgets").await?;
    let kubectl = plane.kubectl("admin").args(["create", "-n", namespace.name(), "-o", "name"]);
    let widget = "{apiVersion: test.offboarding.dev/v1, kind: Widget, metadata: {name: first}}";
    assert_eq!(kubectl.manifests(widget)?.succeed().await?.trim(), "widget.test.offboarding.dev/first");
    Ok(())
}

#[tokio::test]
async fn each_request_is_counted_and_audited() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let client = plane.client("admin").await?;
    let namespace = plane.namespace("counted").await?;
    let posts = [("verb", "POST"), ("resource", "configmaps"), ("code", "201")];
    let before = plane.counters().await?.sum("apiserver_request_total", &posts);
    for name in ["one", "two", "three"] {
        create_config_map(&namespace.api(&client), name).await?;
    }
    let counted = plane.counters().await?.sum("apiserver_request_total", &posts) - before;
    assert!(counted >= 3.0, "{counted} of 3 were counted; other tests of this binary may add to it");

    let audited = plane.audit_events()?.into_iter().filter(|event| {
        event["objectRef"]["namespace"] == namespace.name()
            && event["verb"] == "create"
            && event["objectRef"]["resource"] == "configmaps"
    });
    let names: Vec<_> = audited.map(|event| event["objectRef"]["name"].clone()).collect();
    assert_eq!(names, ["one", "two", "three"]);
    Ok(())
}

#[tokio::test]
async fn it_starts_in_seconds_and_a_restarted_one_still_knows_everything() -> Result<(), Failure> {
    let begun = Instant::now();
    let mut plane = ControlPlane::start(Options::default()).await?;
    let took = begun.elapsed();
    eprintln!("ready after {took:?}");
    assert!(took < Duration::from_secs(45), "ready after {took:?}; four seconds on a quiet machine");

    let namespace = plane.namespace("stays").await?;
    plane.restart_api_server().await?;
    assert_is_there(&plane, namespace.name()).await;

    plane.stop_etcd();
    let namespaces: Api<Namespace> = Api::all(plane.client("admin").await?);
    let unanswered = tokio::time::timeout(Duration::from_secs(2), namespaces.get(namespace.name())).await;
    assert!(!matches!(unanswered, Ok(Ok(_))), "an answer without etcd: {unanswered:?}");
    plane.start_etcd().await?;
    assert_is_there(&plane, namespace.name()).await;
    Ok(())
}

async fn assert_is_there(plane: &ControlPlane, namespace: &str) {
    eventually(Duration::from_secs(60), "the namespace is still there", async || {
        let namespaces: Api<Namespace> = Api::all(plane.client("admin").await?);
        namespaces.get(namespace).await.map(drop).map_err(failed("look for it"))
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_when_it_is_dropped() -> Result<(), Failure> {
    let plane = ControlPlane::start(Options::default().with_controller_manager()).await?;
    let directory = plane.scratch().path().to_owned();
    assert_eq!(plane.process_ids().len(), 3);
    drop(plane);
    assert_nothing_is_left_of(&directory).await;
    Ok(())
}

/// The test starts itself again; the second one starts a control plane and is killed without warning.
#[tokio::test]
async fn nothing_is_left_when_the_test_process_is_killed() -> Result<(), Failure> {
    if let Some(directory) = std::env::var_os(VICTIM) {
        return wait_to_be_killed(Path::new(&directory)).await;
    }
    let scratch = Scratch::new("victim")?;
    let myself = std::env::current_exe().map_err(failed("find myself"))?;
    let mut victim = Launch::new("victim", myself)
        .args(["--exact", "nothing_is_left_when_the_test_process_is_killed", "--nocapture"])
        .env(VICTIM, scratch.path())
        .start(scratch.path())?;
    let told = scratch.join("plane");
    let directory = eventually(Duration::from_secs(90), "the victim's control plane is ready", async || {
        std::fs::read_to_string(&told).map(PathBuf::from)
    })
    .await;
    assert!(processes_of(&directory).len() >= 3, "{:?}", processes_of(&directory));
    victim.kill_hard()?;
    assert_nothing_is_left_of(&directory).await;
    Ok(())
}

async fn wait_to_be_killed(tell: &Path) -> Result<(), Failure> {
    let plane = ControlPlane::start(Options::default().with_controller_manager()).await?;
    let path = plane.scratch().path().display().to_string();
    std::fs::write(tell.join("unfinished"), path).map_err(failed("tell where it is"))?;
    std::fs::rename(tell.join("unfinished"), tell.join("plane")).map_err(failed("tell where it is"))?;
    std::future::pending().await
}

async fn assert_nothing_is_left_of(directory: &Path) {
    eventually(Duration::from_secs(10), "every process and file is gone", async || {
        let left = (processes_of(directory), directory.exists());
        if left == (Vec::new(), false) { Ok(()) } else { Err(left) }
    })
    .await;
}

/// The command lines that name the directory; a process that has ended has none, also if nobody waited for it.
fn processes_of(directory: &Path) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("/proc lists the processes");
    let command_lines = processes.flatten().filter_map(|it| std::fs::read(it.path().join("cmdline")).ok());
    let command_lines = command_lines.map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    command_lines.filter(|line| line.contains(&directory.display().to_string())).collect()
}

#[tokio::test]
async fn a_process_tells_its_lines_and_how_it_ended() -> Result<(), Failure> {
    let scratch = Scratch::new("process")?;
    let script =
        "trap 'echo asked to end; exit 7' TERM; echo first; echo second >&2; while :; do sleep 0.05; done";
    let mut process = Launch::new("talker", "sh").args(["-c", script]).start(scratch.path())?;
    let patience = Duration::from_secs(20);
    assert_eq!(process.wait_for_line(|line| line.starts_with('f'), patience).await?, "first");
    assert_eq!(process.wait_for_line(|_| true, patience).await?, "second");
    process.terminate()?;
    assert_eq!(process.wait(patience).await?.code(), Some(7));
    assert_eq!(process.log(), "first\nsecond\nasked to end\n");
    let failure =
        process.wait_for_line(|line| line == "third", patience).await.expect_err("there is no third");
    assert!(failure.to_string().contains("it has ended"), "{failure}");
    Ok(())
}

#[tokio::test]
async fn a_program_that_fails_to_start_shows_what_it_said() -> Result<(), Failure> {
    let refused = ControlPlane::start(Options::default().with_api_server_arg("--no-such-flag")).await;
    let failure = refused.expect_err("kube-apiserver does not know the flag").to_string();
    assert!(failure.contains("failed to start kube-apiserver: it ended with exit status: 1"), "{failure}");
    assert!(failure.contains("unknown flag: --no-such-flag"), "{failure}");
    Ok(())
}

async fn create_config_map(config_maps: &Api<ConfigMap>, name: &str) -> Result<(), Failure> {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let config_map = ConfigMap { metadata, ..ConfigMap::default() };
    config_maps
        .create(&PostParams::default(), &config_map)
        .await
        .map(drop)
        .map_err(failed("create a config map"))
}

fn failed<E: std::fmt::Display>(step: &str) -> impl FnOnce(E) -> Failure {
    move |error| Failure::new(step, error)
}

const WIDGETS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.offboarding.dev}
spec:
  group: test.offboarding.dev
  names: {kind: Widget, plural: widgets, singular: widget}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
";

/// The demo and load tests do several things at once on tasks of their own.
#[tokio::test]
async fn it_can_be_used_from_spawned_tasks() -> Result<(), Failure> {
    let namespace = tokio::spawn(async {
        let plane = ControlPlane::shared().await?;
        let namespace = plane.namespace("spawned").await?;
        plane.apply(WIDGETS).await?;
        plane.kubectl("admin").args(["get", "namespace", namespace.name()]).succeed().await?;
        let client = plane.client("admin").await?;
        eventually(Duration::from_secs(20), "the namespace is listed", async || {
            Api::<Namespace>::all(client.clone()).get(namespace.name()).await
        })
        .await;
        namespace.delete(&client).await?;
        let mut own = ControlPlane::start(Options::default()).await?;
        own.restart_api_server().await?;
        Ok::<_, Failure>(namespace)
    });
    assert!(namespace.await.expect("the task does not panic")?.name().starts_with("spawned-"));
    Ok(())
}
