//! `ApiServer` lists whole kinds: all of them, whatever the page.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use harness::Failure;
use offboarding::{
    api::{CustomerHold, OffboardingApproval},
    controller::ApiServer,
};

use crate::{
    Hall,
    fixtures::{approval, hold, record},
};

/// More than two pages.
const MANY: usize = 1_050;

#[tokio::test]
async fn a_list_is_complete_however_many_pages_it_has() -> Result<(), Failure> {
    let hall = Hall::open("lists").await?;
    let client = hall.client("bob").await;
    let api = ApiServer::new(hall.client("operator").await);
    assert_eq!(api.list::<OffboardingApproval>(hall.namespace.name()).await.unwrap(), []);
    let create = |n: usize| {
        let mut create = hall.create(&approval(&format!("a-{n}")));
        create.path = create.path.replace("dryRun=All&", "");
        let (hall, client) = (&hall, &client);
        async move { hall.tries_with(client, &create).await.map(drop) }
    };
    stream::iter((0..MANY).map(create)).buffer_unordered(16).try_collect::<()>().await.unwrap();
    let listed = api.list::<OffboardingApproval>(hall.namespace.name()).await.unwrap();
    let mut names: Vec<_> = listed.into_iter().filter_map(|it| it.metadata.name).collect();
    let mut due: Vec<_> = (0..MANY).map(|n| format!("a-{n}")).collect();
    names.sort();
    due.sort();
    assert_eq!(names, due);
    Ok(())
}

#[tokio::test]
async fn what_belongs_to_no_namespace_is_listed_and_read_by_name() -> Result<(), Failure> {
    let hall = Hall::open("holds").await?;
    let name = format!("hold-{}", hall.namespace);
    let as_erin = ApiServer::new(hall.client("erin").await);
    assert_eq!(as_erin.get_cluster::<CustomerHold>(&name).await.unwrap(), None);
    hall.does("erin", hall.create(&hold(&name))).await;
    let read = as_erin.get_cluster::<CustomerHold>(&name).await.unwrap().unwrap();
    assert!(read.spec.all);
    // The operator reads all of them together, and may ask for none by its name.
    let api = ApiServer::new(hall.client("operator").await);
    assert!(api.get_cluster::<CustomerHold>(&name).await.is_err());
    let listed = api.list_all::<CustomerHold>().await.unwrap();
    assert!(listed.contains(&read), "{listed:?}");
    // Whatever cannot be told completely is an error and not a shorter list.
    let as_alice = ApiServer::new(hall.client("alice").await);
    assert!(as_alice.list_all::<CustomerHold>().await.is_err());
    assert!(as_alice.list::<offboarding::api::OffboardingRecord>(hall.namespace.name()).await.is_err());
    hall.does("grace", hall.create(&record("r"))).await;
    Ok(())
}
