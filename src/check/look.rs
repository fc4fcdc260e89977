//! Reading what is judged: Kubernetes by the operator's own client, providers by its own connections. Nothing is written.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, future::join_all, stream};
use http::{Request, header};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::{
        authentication::v1::SelfSubjectReview,
        authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
        coordination::v1::Lease,
        core::v1::{Namespace, Secret},
    },
    apimachinery::pkg::version::Info,
};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, PostParams},
    client::Body,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    clocks::surely_ahead,
    definitions::{self, Definition},
    facts::{
        Answer, Facts, Healthy, KeyFound, LeaseFound, ProviderFound, Reach, RecordsFound, StampFound, Version,
    },
    judge::BACKED_UP,
    rights::{self, EVERYWHERE, EXCESS, Excess, Right},
};
use crate::{
    api::{
        ClusterOffboardingProvider, OffboardingProvider, OffboardingRecord, ProviderConditionType, Truth,
        crds,
    },
    controller::{ApiError, ApiServer, INSTALLATION_KEY_SECRET, LEASE, ProviderObject, class_of, policies},
    evidence::Keys,
    providers::http::{Egress, Endpoint, EndpointParts, reach, read_date},
};

/// One question's total deadline.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many questions, and connections to providers, are under way at once.
const AT_ONCE: usize = 8;

/// Objects of a list that come in one answer.
const PAGE: u32 = 500;

/// Where to look, and with what.
#[derive(Clone)]
pub struct Place {
    pub client: Client,
    pub operator_namespace: String,
    /// The namespaces that the operator watches; empty for all.
    pub watched: Vec<String>,
    pub egress: Egress,
    pub clock: fn() -> Timestamp,
}

/// Nothing can be found out at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// Nobody who is known to it asks.
    #[error("the API server refuses the credentials")]
    Refused,
    /// It is not there, or too slow.
    #[error("the API server does not answer")]
    Unanswered,
}

/// Everything that is judged.
///
/// # Errors
/// `Unusable`: mend the kubeconfig or the API server first.
pub async fn look(place: &Place) -> Result<Facts, Unusable> {
    let (version, ahead) = version(place).await.map_err(|error| match error {
        ApiError::Forbidden => Unusable::Refused,
        _ => Unusable::Unanswered,
    })?;
    let api = ApiServer::new(place.client.clone());
    let key = key(place, &api);
    let (user, definitions, policies, stamp, lacking, excess, key, lease, namespace, providers) = futures::join!(
        user(&place.client),
        served(&place.client),
        policies::live(&api),
        stamp(&place.client),
        lacking(place),
        excess(place),
        key,
        lease(place, &api),
        namespace(place, &api),
        providers(place),
    );
    let (key, records) = key;
    Ok(Facts {
        now: (place.clock)(),
        operator_namespace: place.operator_namespace.clone(),
        lists_namespaces: !place.watched.is_empty(),
        version,
        ahead,
        user,
        definitions,
        policies,
        stamp,
        lacking,
        excess,
        namespace,
        key,
        records,
        lease,
        providers,
    })
}

/// The API server's version, and its clock: both of one answer.
async fn version(place: &Place) -> Answer<(Version, Option<SignedDuration>)> {
    let request = Request::get("/version").body(Body::empty()).map_err(|_| ApiError::Invalid)?;
    let before = (place.clock)();
    let answer = within(place.client.send(request)).await?;
    let after = (place.clock)();
    match answer.status().as_u16() {
        200 => {}
        401 | 403 => return Err(ApiError::Forbidden),
        _ => return Err(ApiError::Unanswered),
    }
    let date = answer.headers().get(header::DATE).and_then(|date| read_date(date.to_str().ok()?));
    let bytes = within(answer.into_body().collect_bytes()).await?;
    let said: Info = serde_json::from_slice(&bytes).map_err(|_| ApiError::Invalid)?;
    let version = Version { major: number(&said.major), minor: number(&said.minor), name: said.git_version };
    Ok((version, date.map(|date| surely_ahead(before, after, date))))
}

/// Some write `27+`.
fn number(text: &str) -> u32 {
    let digits = text.find(|it: char| !it.is_ascii_digit()).map_or(text, |end| &text[..end]);
    digits.parse().unwrap_or(0)
}

async fn user(client: &Client) -> Answer<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = within(reviews.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
    let user = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    user.ok_or(ApiError::Invalid)
}

/// What the API server publishes of our kinds.
async fn served(client: &Client) -> Answer<Vec<Definition>> {
    let published = match raw(client, "/openapi/v3/apis/offboarding.dev/v1alpha1").await {
        Ok(document) => Some(document),
        Err(ApiError::NotFound) => None,
        Err(error) => return Err(error),
    };
    Ok(definitions::compared(&crds(), published.as_ref()))
}

/// Of a group and version that k8s-openapi does not know yet: read as it is.
async fn stamp(client: &Client) -> Answer<StampFound> {
    let group = "/apis/admissionregistration.k8s.io/v1";
    let resources = raw(client, group).await?;
    let mut names = resources["resources"].as_array().into_iter().flatten().map(|it| &it["name"]);
    if !names.any(|name| name == "mutatingadmissionpolicies") {
        return Ok(StampFound::NotServed);
    }
    for kind in ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"] {
        match raw(client, &format!("{group}/{kind}/stamp-requester.offboarding.dev")).await {
            Ok(_) => {}
            Err(ApiError::NotFound) => return Ok(StampFound::Missing),
            Err(error) => return Err(error),
        }
    }
    Ok(StampFound::Present)
}

async fn lacking(place: &Place) -> Answer<(Vec<Right>, usize)> {
    let wanted = rights::shipped(&place.operator_namespace, &place.watched);
    let count = wanted.len();
    let answers = stream::iter(wanted).map(|right| async move {
        let allowed = may(&place.client, &right).await;
        allowed.map(|allowed| (right, allowed))
    });
    let answers: Vec<_> = answers.buffered(AT_ONCE).collect().await;
    let answers = answers.into_iter().collect::<Answer<Vec<_>>>()?;
    Ok((answers.into_iter().filter(|(_, allowed)| !allowed).map(|(right, _)| right).collect(), count))
}

async fn excess(place: &Place) -> Answer<Vec<&'static Excess>> {
    let where_listed = (!place.watched.is_empty()).then_some(&EVERYWHERE);
    let answers = EXCESS.iter().chain(where_listed).map(|excess| async move {
        let allowed = may(&place.client, &excess.right()).await;
        allowed.map(|allowed| (excess, allowed))
    });
    let answers = join_all(answers).await.into_iter().collect::<Answer<Vec<_>>>()?;
    Ok(answers.into_iter().filter(|(_, allowed)| *allowed).map(|(excess, _)| excess).collect())
}

async fn may(client: &Client, right: &Right) -> Answer<bool> {
    let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let asked = ResourceAttributes {
        verb: part(&right.verb),
        group: part(&right.group),
        resource: part(&right.resource),
        subresource: part(&right.subresource),
        name: part(&right.name),
        namespace: part(&right.namespace),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(asked), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = within(reviews.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

async fn namespace(place: &Place, api: &ApiServer) -> Answer<bool> {
    api.get_cluster::<Namespace>(&place.operator_namespace).await.map(|found| found.is_some())
}

/// What a record says of its key, whatever else it says.
#[derive(Clone, Debug, Deserialize)]
struct MadeWith {
    #[serde(default)]
    spec: Seal,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Seal {
    key_id: String,
    customer_ref: String,
}

impl Seal {
    /// One that contradicts itself was forged, and says nothing of any key; as the operator judges it.
    fn is_of_a_key(&self) -> bool {
        let named = self.customer_ref.strip_prefix("hmac:").and_then(|rest| rest.split_once(':'));
        !self.key_id.is_empty() && named.is_some_and(|(key, _)| key == self.key_id)
    }
}

async fn key(place: &Place, api: &ApiServer) -> (Answer<KeyFound>, Answer<RecordsFound>) {
    let secret = api.get::<Secret>(&place.operator_namespace, INSTALLATION_KEY_SECRET).await;
    let key = secret.map(|secret| secret.as_ref().map_or(KeyFound::Missing, key_of));
    let id = match &key {
        Ok(KeyFound::Found { id, .. }) => Some(id.as_str()),
        Ok(KeyFound::Missing | KeyFound::Unusable) | Err(_) => None,
    };
    let records = records(api, &place.operator_namespace, id).await;
    (key, records)
}

fn key_of(secret: &Secret) -> KeyFound {
    let bytes = secret.data.as_ref().and_then(|data| data.get("key"));
    let Some(keys) = bytes.and_then(|bytes| Keys::new(&bytes.0).ok()) else { return KeyFound::Unusable };
    KeyFound::Found {
        id: keys.id().to_owned(),
        is_as_made: secret.immutable == Some(true)
            && secret.type_.as_deref() == Some("offboarding.dev/installation-key"),
        backed_up_at: secret.annotations().get(BACKED_UP).cloned(),
    }
}

async fn records(api: &ApiServer, namespace: &str, ours: Option<&str>) -> Answer<RecordsFound> {
    let any = api.one::<OffboardingRecord>(namespace).await?.is_some();
    let Some(ours) = ours else { return Ok(RecordsFound { any, of_another_key: 0 }) };
    // Few, if any: the server leaves out all that agree.
    let others: Vec<MadeWith> =
        api.cached::<OffboardingRecord, _>(namespace, &format!("spec.keyId!={ours}")).await?;
    let of_another_key = others.iter().filter(|record| record.spec.is_of_a_key()).count();
    Ok(RecordsFound { any, of_another_key })
}

async fn lease(place: &Place, api: &ApiServer) -> Answer<Option<LeaseFound>> {
    let found = api.get::<Lease>(&place.operator_namespace, LEASE).await?;
    Ok(found.map(|lease| {
        let spec = lease.spec.unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        LeaseFound {
            holder: spec.holder_identity,
            renewed_at: spec.renew_time.map(|time| time.0),
            duration: Duration::from_secs(seconds.unwrap_or(0)),
        }
    }))
}

async fn providers(place: &Place) -> Answer<Vec<ProviderFound>> {
    let mut objects: Vec<ProviderObject> = Vec::new();
    if place.watched.is_empty() {
        objects.extend(all(Api::<OffboardingProvider>::all(place.client.clone())).await?);
    }
    for namespace in &place.watched {
        objects.extend(all(Api::<OffboardingProvider>::namespaced(place.client.clone(), namespace)).await?);
    }
    objects.extend(all(Api::<ClusterOffboardingProvider>::all(place.client.clone())).await?);
    let found = stream::iter(&objects).map(|object| provider(object, &place.egress));
    Ok(found.buffered(AT_ONCE).collect().await)
}

/// Every object of a list, page by page.
async fn all<K>(api: Api<K>) -> Answer<Vec<ProviderObject>>
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
    ProviderObject: From<Arc<K>>,
{
    let mut found = Vec::new();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let list = within(api.list(&page)).await?;
        found.extend(list.items.into_iter().map(|object| Arc::new(object).into()));
        page.continue_token = list.metadata.continue_.filter(|token| !token.is_empty());
        if page.continue_token.is_none() {
            return Ok(found);
        }
    }
}

async fn provider(object: &ProviderObject, egress: &Egress) -> ProviderFound {
    let (spec, key) = (object.spec(), object.key());
    let (name, kubectl) = match key.namespace.as_str() {
        "" => (key.name.clone(), format!("ccobp {}", key.name)),
        namespace => (format!("{namespace}/{}", key.name), format!("cobp {} -n {namespace}", key.name)),
    };
    let tls = spec.tls.as_ref();
    let parts = EndpointParts {
        base_url: &spec.base_url,
        allowed_cidrs: &spec.allowed_cidrs,
        ca_bundle: tls.and_then(|tls| tls.ca_bundle.as_deref()),
        client_identity: None,
    };
    ProviderFound {
        name,
        kubectl,
        suspended: spec.suspend,
        ready: ready(object),
        has_client_certificate: tls.is_some_and(|tls| tls.client_certificate.is_some()),
        reach: reached(parts, egress).await,
    }
}

/// What was said of the object as it is written now.
fn ready(object: &ProviderObject) -> Option<Healthy> {
    let wanted = ProviderConditionType::Ready.as_str();
    let condition = object.status()?.conditions.iter().find(|it| it.type_ == wanted)?;
    let is_current = Some(condition.observed_generation) == object.metadata().generation;
    is_current.then(|| Healthy {
        is_ready: condition.status == Truth::True,
        reason: condition.reason.clone(),
        message: condition.message.clone(),
    })
}

async fn reached(parts: EndpointParts<'_>, egress: &Egress) -> Reach {
    let endpoint = match Endpoint::new(parts, egress) {
        Ok(endpoint) => endpoint,
        Err(problem) => return Reach::Unusable(problem.to_string()),
    };
    let before = (egress.clock)();
    match reach(&endpoint).await {
        Ok(reached) => {
            let after = (egress.clock)();
            Reach::Reached { ahead: reached.date.map(|date| surely_ahead(before, after, date)) }
        }
        Err(failure) => Reach::Failed(failure),
    }
}

async fn raw(client: &Client, path: &str) -> Answer<Value> {
    let request = Request::get(path).body(Vec::new()).map_err(|_| ApiError::Invalid)?;
    within(client.request::<Value>(request)).await
}

async fn within<T>(call: impl Future<Output = kube::Result<T>>) -> Answer<T> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => answer.map_err(|error| class_of(&error)),
        Err(_) => Err(ApiError::Unanswered),
    }
}
