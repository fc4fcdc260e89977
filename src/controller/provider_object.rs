//! One pass over one provider object: can it be used, does it answer, and who is to be told.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::ResourceExt as _;

use super::{
    api_server::version_of,
    connection::{Connection, Unusable},
    context::Shared,
    credential::credentials_of,
    error::Error,
    passes::Action,
    provider_kinds::{ProviderKey, ProviderObject},
};
use crate::{
    api::{
        ClusterOffboardingProvider, Condition, CustomerOffboarding, OffboardingProvider,
        ProviderConditionType, ProviderReason, ProviderStatus, Truth,
    },
    domain::{Cause, CauseWord, Class, Control, Failure, answer},
    providers::http::{CircuitState, OpenedBy},
};

/// A provider object that is not ready is looked at again after this long: a mended Secret is noticed within it.
const WHILE_NOT_READY: Duration = Duration::from_secs(25);

/// One that is ready needs no visit of its own.
const WHILE_READY: Duration = Duration::from_secs(280);

/// What was found out about a provider object.
struct Health {
    profile_hash: Option<String>,
    reason: ProviderReason,
    message: String,
    circuit: Option<OpenedBy>,
    paused_for: Option<Duration>,
}

/// One pass over one provider object.
///
/// # Errors
/// `SaveStatus`.
pub async fn reconcile<K>(object: Arc<K>, ctx: Shared) -> Result<Action, Error>
where
    Arc<K>: Into<ProviderObject>,
{
    pass(&object.into(), &ctx).await
}

async fn pass(object: &ProviderObject, ctx: &Shared) -> Result<Action, Error> {
    let health = examine(ctx, object).await;
    let ready = health.reason == ProviderReason::ProbeSucceeded;
    let generation = object.metadata().generation.unwrap_or_default();
    let previous = object.status().cloned().unwrap_or_default();
    let status = status_of(&health, generation, &previous, (ctx.clock)());
    let uid = object.metadata().uid.as_deref().ok_or(Error::Incomplete)?;
    // Before the status is saved: who waits for it need not wait for that.
    if ctx.connections.is_news(uid, generation, ready) {
        let key = object.key();
        tracing::info!(provider = key.name, kind = %key.kind, reason = %health.reason, "provider object: {}", health.message);
        wake_users(ctx, &key);
    }
    if status != previous {
        put(ctx, object, status).await?;
    }
    ctx.backoff.succeeded(uid);
    Ok(Action::requeue(if ready { WHILE_READY } else { WHILE_NOT_READY }))
}

async fn examine(ctx: &Shared, object: &ProviderObject) -> Health {
    let connection = match ctx.connections.of(object).await {
        Ok(connection) => connection,
        Err(Unusable { reason, message }) => {
            return Health { profile_hash: None, reason, message, circuit: None, paused_for: None };
        }
    };
    let (reason, message) = probe(ctx, &connection).await;
    Health {
        profile_hash: Some(connection.profile.hash().to_owned()),
        reason,
        message,
        circuit: match connection.limiter.circuit() {
            CircuitState::Closed => None,
            CircuitState::Open { because, .. } => Some(because),
            CircuitState::HalfOpen => previous_circuit(object),
        },
        paused_for: connection.limiter.paused_for(),
    }
}

/// A half-open circuit is told as it was.
fn previous_circuit(object: &ProviderObject) -> Option<OpenedBy> {
    let conditions = &object.status()?.conditions;
    let open =
        conditions.iter().find(|condition| condition.type_ == ProviderConditionType::CircuitOpen.as_str())?;
    match (open.status, open.reason.as_str()) {
        (Truth::True, "AuthFailed") => Some(OpenedBy::Auth),
        (Truth::True, _) => Some(OpenedBy::Transient),
        _ => None,
    }
}

/// The control request, where this credential and generation were not probed well yet.
async fn probe(ctx: &Shared, connection: &Connection) -> (ProviderReason, String) {
    let Some(keys) = ctx.installation.keys().await else {
        return (ProviderReason::ControlFailed, "the installation key is not available".to_owned());
    };
    let in_use = match credentials_of(ctx, connection, &keys).await {
        Ok(in_use) => in_use,
        Err(reason) => return (reason, credential_problem(reason).to_owned()),
    };
    let version = in_use.credentials.version();
    let closed = connection.limiter.circuit() == CircuitState::Closed;
    if closed && connection.was_probed_with(version) {
        return (ProviderReason::ProbeSucceeded, "the control request succeeded".to_owned());
    }
    match connection.provider.control(&in_use.credentials, (ctx.clock)()).await {
        Control::Good => {
            connection.probed_with(version);
            (ProviderReason::ProbeSucceeded, "the control request succeeded".to_owned())
        }
        Control::Bad(failure) => {
            connection.not_probed();
            (reason_of(&failure), format!("the control request failed: {}", answer(&failure)))
        }
    }
}

fn reason_of(failure: &Failure) -> ProviderReason {
    match (failure.class, &failure.cause) {
        (Class::Auth, _) => ProviderReason::AuthFailed,
        (_, CauseWord::Ours(Cause::AddressNotAllowed)) => ProviderReason::AddressNotAllowed,
        _ => ProviderReason::ControlFailed,
    }
}

fn credential_problem(reason: ProviderReason) -> &'static str {
    match reason {
        ProviderReason::SecretUnavailable => {
            "a credential is not available; create it with `kubectl create secret generic NAME --type=offboarding.dev/credentials --from-file=…`"
        }
        ProviderReason::EnvironmentMismatch => {
            "the credential belongs to another environment than `spec.environment` says"
        }
        _ => "a credential is empty, longer than 8192 bytes, or contains characters not allowed in a header",
    }
}

fn status_of(health: &Health, generation: i64, previous: &ProviderStatus, now: Timestamp) -> ProviderStatus {
    let ready = health.reason == ProviderReason::ProbeSucceeded;
    let (open, because, words) = match health.circuit {
        None => (Truth::False, ProviderReason::Closed, "requests go out".to_owned()),
        Some(OpenedBy::Auth) => (
            Truth::True,
            ProviderReason::AuthFailed,
            "no request goes out: the credential was refused; mend the Secret".to_owned(),
        ),
        Some(OpenedBy::Transient) => (
            Truth::True,
            ProviderReason::RepeatedFailures,
            "no request goes out after repeated failures; tried again after 15m".to_owned(),
        ),
    };
    let told = [
        (
            ProviderConditionType::Ready,
            if ready { Truth::True } else { Truth::False },
            health.reason,
            health.message.clone(),
        ),
        (ProviderConditionType::CircuitOpen, open, because, words),
    ];
    let conditions = told.map(|(type_, status, reason, message)| {
        Condition {
            type_: type_.to_string(),
            status,
            reason: reason.to_string(),
            message,
            observed_generation: generation,
            last_transition_time: now,
        }
        .told(&previous.conditions)
    });
    ProviderStatus {
        observed_generation: Some(generation),
        profile_hash: health.profile_hash.clone(),
        paused_until: paused_until(health.paused_for, previous.paused_until, now),
        conditions: conditions.to_vec(),
        unknown: previous.unknown.clone(),
    }
}

/// Whole seconds, and steady: the same pause is always told as the same moment.
fn paused_until(left: Option<Duration>, before: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let until = now.saturating_add(left?).ok()?;
    let steady =
        before.filter(|before| before.duration_since(until).abs() < jiff::SignedDuration::from_secs(3));
    steady.or_else(|| Timestamp::from_second(until.as_second() + 1).ok())
}

async fn put(ctx: &Shared, object: &ProviderObject, status: ProviderStatus) -> Result<(), Error> {
    let status = Some(status);
    let put = match object {
        ProviderObject::Namespaced(object) => {
            let namespace = object.namespace().ok_or(Error::Incomplete)?;
            let (metadata, spec) = (version_of(object.as_ref()), object.spec.clone());
            let replaced = OffboardingProvider { metadata, spec, status };
            ctx.api.replace_status(&namespace, &replaced).await.map(drop)
        }
        ProviderObject::Cluster(object) => {
            let (metadata, spec) = (version_of(object.as_ref()), object.spec.clone());
            let replaced = ClusterOffboardingProvider { metadata, spec, status };
            ctx.api.replace_status_of_cluster(&replaced).await.map(drop)
        }
    };
    put.map_err(Error::SaveStatus)
}

/// Everything that names this provider object looks again: also who may not use it any more, and open records whose request is gone.
pub fn wake_users(ctx: &Shared, provider: &ProviderKey) {
    let names_it = |request: &CustomerOffboarding| {
        let namespace = request.namespace().unwrap_or_default();
        let mut targets = request.spec.targets.iter().map(|target| &target.provider_ref);
        targets.any(|named| {
            ProviderKey::named(named.kind.unwrap_or_default(), &named.name, &namespace) == *provider
        })
    };
    let requests = ctx.requests.state();
    ctx.wake_together(requests.iter().filter(|request| names_it(request)));
    ctx.wake_open_records(ctx.records.open_at(provider));
}

#[cfg(test)]
mod golden_tests;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_control_request_that_fails_names_the_page_to_read() {
        for (class, cause, expected) in [
            (Class::Transient, Cause::AddressNotAllowed, ProviderReason::AddressNotAllowed),
            (Class::Transient, Cause::NameNotResolved, ProviderReason::ControlFailed),
            (Class::Transient, Cause::ConnectFailed, ProviderReason::ControlFailed),
            (Class::Auth, Cause::Unauthorized, ProviderReason::AuthFailed),
            (Class::Forbidden, Cause::AccessDenied, ProviderReason::ControlFailed),
        ] {
            assert_eq!(reason_of(&Failure::new(class, cause)), expected, "{class:?} {cause:?}");
        }
    }

    #[test]
    fn a_half_open_circuit_is_told_as_it_was_before() {
        let condition = |status: &str, reason: &str| {
            json!([{
                "type": "CircuitOpen", "status": status, "reason": reason, "message": "", "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }])
        };
        for (conditions, told) in [
            (condition("True", "AuthFailed"), Some(OpenedBy::Auth)),
            (condition("True", "RepeatedFailures"), Some(OpenedBy::Transient)),
            (condition("False", "Closed"), None),
            (json!([]), None),
        ] {
            let object: OffboardingProvider = serde_json::from_value(json!({
                "apiVersion": "offboarding.dev/v1alpha1", "kind": "OffboardingProvider",
                "metadata": {"name": "acme-pay", "namespace": "team"},
                "spec": {
                    "profile": "juicyway", "baseUrl": "https://api.example.com", "account": "acct-eu",
                    "environment": "live", "allowedModes": ["Hard"],
                    "credentials": {"token": {"secretKeyRef": {"name": "acme-pay", "key": "token"}}},
                },
                "status": {"conditions": conditions.clone()},
            }))
            .unwrap();
            assert_eq!(previous_circuit(&Arc::new(object).into()), told, "{conditions}");
        }
    }
}
