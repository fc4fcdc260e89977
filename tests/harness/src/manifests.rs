//! Applying manifests so that the next line of a test can use what they bring.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};

use crate::{ControlPlane, Failure, Tool, access, eventually::poll};

const SERVED_WITHIN: Duration = Duration::from_secs(30);

/// The form of `/apis` in which kubectl reads all names at once. Source: KEP-3352.
const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const CRD: &str = "customresourcedefinition.apiextensions.k8s.io/";

/// `kubectl` is told what to apply and nothing else.
pub(crate) async fn apply(plane: &ControlPlane, kubectl: Tool) -> Result<(), Failure> {
    let applied = kubectl.args(["apply", "--server-side", "-o", "name"]).succeed().await?;
    let client = plane.client("admin").await?;
    for name in applied.lines().filter_map(|line| line.strip_prefix(CRD)) {
        await_served(&client, name).await?;
        await_known(&client, name).await?;
    }
    Ok(())
}

/// Established is not served: for some 10 ms more a list may be answered with 429 or 404.
async fn await_served(client: &Client, crd: &str) -> Result<(), Failure> {
    let served = poll(SERVED_WITHIN, async || {
        for path in paths_of(client, crd).await? {
            access::read(client, &path).await?;
        }
        Ok::<(), Failure>(())
    });
    served.await.map_err(|seen| match seen {
        Some(failure) => failure,
        None => Failure::new(format!("see {crd} served"), "the API server does not answer"),
    })
}

/// Served is not known to kubectl: what it asks first, for names and for `explain`, is put together a moment later.
async fn await_known(client: &Client, crd: &str) -> Result<(), Failure> {
    let step = || format!("see {crd} in what kubectl asks first");
    let (plural, group) = crd.split_once('.').unwrap_or((crd, ""));
    let (resource, path) = (format!(r#""resource":"{plural}""#), format!(r#""apis/{group}/"#));
    let known = poll(SERVED_WITHIN, async || {
        let names = access::read_as(client, "/apis", DISCOVERY).await?;
        let documents = access::read(client, "/openapi/v3").await?;
        let of_group = names.split(r#""metadata":"#).find(|of| of.contains(&format!(r#""name":"{group}""#)));
        let is_known = of_group.is_some_and(|of| of.contains(&resource)) && documents.contains(&path);
        if is_known { Ok(()) } else { Err(Failure::new(step(), "it is not there yet")) }
    });
    known.await.map_err(|seen| seen.unwrap_or_else(|| Failure::new(step(), "the API server does not answer")))
}

/// A list in every served version; a failure until the CRD is Established.
async fn paths_of(client: &Client, crd: &str) -> Result<Vec<String>, Failure> {
    let step = || format!("see {crd} served");
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = definitions.get(crd).await.map_err(Failure::to(step()))?;
    let conditions = definition.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let is_established = conditions.into_iter().any(|it| it.type_ == "Established" && it.status == "True");
    if !is_established {
        return Err(Failure::new(step(), "it is not Established"));
    }
    let spec = definition.spec;
    let served = spec.versions.iter().filter(|version| version.served);
    Ok(served.map(|it| format!("/apis/{}/{}/{}?limit=1", spec.group, it.name, spec.names.plural)).collect())
}
