//! What goes wrong is told with the object and the next command; ids are never told.

use harness::{Failure, Scratch};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::ObjectMeta;
use serde_json::json;
use tokio::net::TcpListener;

use crate::stage::{HASH, Stage, commands};

#[tokio::test]
async fn an_error_names_the_object_and_what_to_type_next() -> Result<(), Failure> {
    let stage = Stage::new("errors").await?;
    let namespace = stage.namespace.name().to_owned();
    stage.planned("acme").await;
    stage.request("unseen", &[]).await;
    let cases: &[(&str, &[&str], &str)] = &[
        (
            "bob",
            &["plan", "nobody"],
            &format!(
                "customeroffboardings \"nobody\" in namespace {namespace} is not there\nlook with `kubectl get cob -n {namespace}`"
            ),
        ),
        (
            "bob",
            &["plan", "unseen"],
            &format!("has no plan yet\nsee `kubectl offboarding explain unseen -n {namespace}`"),
        ),
        ("bob", &["approve", "unseen", "--yes", "--plan", HASH], "has no plan yet"),
        (
            "alice",
            &["approve", "acme", "--yes", "--plan", HASH],
            "ask for a RoleBinding to the ClusterRole offboarding-approver",
        ),
        ("bob", &["suspend", "acme"], "ask for a RoleBinding to the ClusterRole offboarding-requester"),
        ("dave", &["plan", "acme"], "ask for a RoleBinding to the ClusterRole offboarding-view"),
        ("bob", &["pending", "-A"], "ask for a ClusterRoleBinding to the ClusterRole offboarding-view"),
        ("bob", &["hold", "list"], "ask for a ClusterRoleBinding to the ClusterRole offboarding-legal"),
        ("bob", &["ref"], "only those who may read the installation key can compute pseudonyms"),
        ("bob", &["plan", "acme", "--context", "nowhere"], "there is no cluster to speak to"),
    ];
    for (user, args, due) in cases {
        let said = stage.run(user, args).await;
        assert_eq!(said.status.code(), Some(1), "{args:?}: {said:?}");
        assert!(said.stdout.is_empty() && said.stderr.contains(due), "{args:?}: {said:?}\ndue: {due}");
        assert!(!said.stderr.contains("90017"), "{said:?}");
    }
    let look = commands(&stage.run("bob", &["plan", "nobody"]).await.stderr).pop().unwrap();
    assert_eq!(stage.types("bob", &look, &[]).ends().await.0, Some(0), "{look}");
    Ok(())
}

#[tokio::test]
async fn ctrl_c_ends_a_command_that_waits_for_the_api_server() -> Result<(), Failure> {
    let stage = Stage::new("silent").await?;
    let (scratch, silent) = (Scratch::new("silent")?, TcpListener::bind("127.0.0.1:0").await.unwrap());
    let server = format!("http://{}", silent.local_addr().unwrap());
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "test", "user": {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    });
    let path = scratch.write("kubeconfig", &kubeconfig.to_string())?.display().to_string();
    let terminal = stage.types("bob", "exec kubectl offboarding plan acme", &[("KUBECONFIG", path.as_str())]);
    let (connection, _) = silent.accept().await.unwrap();
    connection.readable().await.unwrap();
    terminal.interrupt();
    let (code, told) = terminal.ends().await;
    assert_eq!(code, Some(130), "{told}");
    assert!(told.contains("interrupted; nothing was changed"), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_pseudonym_is_computed_without_showing_the_id() -> Result<(), Failure> {
    let stage = Stage::new("ref").await?;
    let namespace = stage.namespace.name();
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some("customer-offboarding-installation-key".to_owned()),
            ..ObjectMeta::default()
        },
        data: Some([("key".to_owned(), ByteString(vec![7; 32]))].into()),
        ..Secret::default()
    };
    stage.namespace.api::<Secret>(&stage.admin).create(&Default::default(), &secret).await.unwrap();
    let keys = offboarding::evidence::Keys::new(&[7; 32]).unwrap();
    let due = keys.customer_ref(&offboarding::domain::CustomerId::new("90017".to_owned()));

    let ask = format!("kubectl offboarding ref --operator-namespace {namespace}");
    let mut terminal = stage.types("admin", &ask, &[]);
    terminal.sees("Customer id (is not shown): ").await;
    terminal.types("90017");
    let (code, told) = terminal.ends().await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(&due) && !told.contains("90017"), "{told}");

    let piped = format!("printf '90017\\n' | {ask}");
    let (code, told) = stage.types("admin", &piped, &[]).ends().await;
    assert_eq!((code, told.trim_end()), (Some(0), due.as_str()));
    let (code, told) = stage.types("admin", &format!("printf '90 017' | {ask}"), &[]).ends().await;
    assert_eq!(code, Some(2));
    assert!(!told.contains("017"), "{told}");
    let (code, _) = stage.types("admin", &format!("{ask} 90017"), &[]).ends().await;
    assert_eq!(code, Some(2), "an argument stays in the shell's history");
    Ok(())
}

#[tokio::test]
async fn nothing_that_is_printed_holds_the_customers_id() -> Result<(), Failure> {
    let stage = Stage::new("private").await?;
    stage.planned("acme").await;
    let commands: &[&[&str]] = &[
        &["plan", "acme"],
        &["plan", "acme", "-o", "yaml"],
        &["plan", "acme", "-o", "json"],
        &["pending"],
        &["explain", "acme"],
        &["status", "acme"],
        &["approve", "acme", "-o", "yaml"],
        &["deny", "acme", "--reason", "no", "-o", "json"],
        &["approve", "acme"],
        &["cancel", "acme"],
    ];
    for args in commands {
        let said = stage.run("bob", args).await;
        assert!(!(said.stdout.clone() + &said.stderr).contains("90017"), "{args:?}: {said:?}");
        assert!(!(said.stdout + &said.stderr).is_empty(), "{args:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_completion_script_needs_no_cluster() -> Result<(), Failure> {
    let stage = Stage::new("completion").await?;
    for shell in ["bash", "zsh", "fish"] {
        let said = stage.run("bob", &["completion", shell, "--kubeconfig", "nowhere"]).await;
        assert!(said.status.success() && said.stdout.contains("explain"), "{shell}: {}", said.stderr);
    }
    Ok(())
}
