//! R11: no policy stands in the way of what goes. Real deletions, with the real collectors of the controller manager.

use harness::{Failure, eventually};
use http::Method;
use serde_json::{Value, json};

use crate::{
    Hall, SOON, Try,
    fixtures::{approval, denial, hold, provider, record, request},
};

#[tokio::test]
async fn a_namespace_with_every_kind_in_it_goes() -> Result<(), Failure> {
    let hall = Hall::open("goes").await?;
    hall.does("alice", hall.create(&request("acme"))).await;
    hall.does("bob", hall.create(&approval("yes"))).await;
    hall.does("bob", hall.create(&denial("no"))).await;
    hall.does("dave", hall.create(&provider("revolv3"))).await;
    hall.does("grace", hall.create(&record("r"))).await;
    hall.namespace.delete(&hall.plane.client("admin").await?).await
}

/// As Argo CD prunes by default: the collector takes its finalizer away with a PATCH, which is an UPDATE.
#[tokio::test]
async fn every_kind_can_be_deleted_in_the_foreground_and_in_the_background() -> Result<(), Failure> {
    let hall = Hall::open("foreground").await?;
    for policy in ["Foreground", "Background"] {
        for (author, object) in [
            ("alice", request("acme")),
            ("bob", approval("yes")),
            ("bob", denial("no")),
            ("dave", provider("revolv3")),
            ("erin", hold(&format!("hold-{}", hall.namespace))),
            ("grace", record("r")),
        ] {
            hall.does(author, hall.create(&object)).await;
            // Something that hangs on it, so that the collector has work.
            let mut delete = Try {
                method: Method::DELETE,
                path: hall.path_of(&object),
                content: "application/json",
                body: json!({ "propagationPolicy": policy }),
            };
            hall.tries(author, &delete)
                .await
                .unwrap_or_else(|why| panic!("{} {policy}: {why}", object["kind"]));
            delete.method = Method::GET;
            delete.body = Value::Null;
            eventually(SOON, &format!("{} goes in the {policy}", object["kind"]), async || {
                match hall.tries("admin", &delete).await {
                    Err(why) if why.contains("not found") => Ok(()),
                    still => Err(still),
                }
            })
            .await;
        }
    }
    Ok(())
}
