//! Secrets: read by name when they are needed, never listed, never watched, and only those of the right type.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;

use super::api_server::{ApiError, ApiServer};
use crate::{
    api::{FromSecret, SecretKeyRef},
    domain::{CustomerId, CustomerSeen},
};

/// Type of the Secrets that hold a provider's credentials.
pub const CREDENTIALS_TYPE: &str = "offboarding.dev/credentials";

/// Type of the Secrets that hold a customer's id.
pub const CUSTOMER_ID_TYPE: &str = "offboarding.dev/customer-id";

/// Type of the Secrets that hold a client certificate.
pub const CERTIFICATE_TYPE: &str = "kubernetes.io/tls";

/// Why a value cannot be read. Missing, forbidden and of another type are one answer: it tells nothing about foreign Secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    #[error("not available")]
    Unavailable,
    #[error("the API server did not answer")]
    Unanswered,
}

impl From<ApiError> for SecretProblem {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Unanswered | ApiError::Conflict | ApiError::TooMany => SecretProblem::Unanswered,
            ApiError::NotFound | ApiError::Forbidden | ApiError::Invalid | ApiError::AlreadyExists => {
                SecretProblem::Unavailable
            }
        }
    }
}

/// Values by name, and which versions of which Secrets they come from. Has no `Debug`: it holds credentials.
pub struct Values {
    pub values: BTreeMap<String, Vec<u8>>,
    /// `uid:resourceVersion` of each Secret: changes when, and only when, one of them changes.
    pub version: String,
}

/// Reads several values; each Secret once.
///
/// # Errors
/// `SecretProblem` for the first value that cannot be read.
pub async fn values(
    api: &ApiServer,
    namespace: &str,
    type_: &str,
    wanted: &BTreeMap<String, FromSecret>,
) -> Result<Values, SecretProblem> {
    let mut secrets: BTreeMap<&str, Secret> = BTreeMap::new();
    let mut values = BTreeMap::new();
    for (name, FromSecret { secret_key_ref }) in wanted {
        if !secrets.contains_key(secret_key_ref.name.as_str()) {
            secrets.insert(&secret_key_ref.name, read(api, namespace, type_, &secret_key_ref.name).await?);
        }
        let value =
            secrets.get(secret_key_ref.name.as_str()).and_then(|secret| entry(secret, &secret_key_ref.key));
        values.insert(name.clone(), value.ok_or(SecretProblem::Unavailable)?);
    }
    let version: Vec<String> = secrets.values().map(version_of).collect();
    Ok(Values { values, version: version.join(",") })
}

/// Reads a customer's id; one trailing newline is not part of it.
///
/// # Errors
/// As `values`; an id that is no text is not available.
pub async fn customer_id(
    api: &ApiServer,
    namespace: &str,
    from: &SecretKeyRef,
) -> Result<CustomerId, SecretProblem> {
    let secret = read(api, namespace, CUSTOMER_ID_TYPE, &from.name).await?;
    let bytes = entry(&secret, &from.key).ok_or(SecretProblem::Unavailable)?;
    let text = String::from_utf8(bytes).map_err(|_| SecretProblem::Unavailable)?;
    Ok(CustomerId::new(text.strip_suffix('\n').unwrap_or(&text).to_owned()))
}

/// What is wrong with the Secret of an id that was this one; `None` where it still is.
pub async fn no_longer(
    api: &ApiServer,
    namespace: &str,
    from: &SecretKeyRef,
    known: &CustomerId,
) -> Option<CustomerSeen> {
    match customer_id(api, namespace, from).await {
        Ok(now) if now == *known => None,
        Ok(_) => Some(CustomerSeen::Changed),
        Err(SecretProblem::Unavailable | SecretProblem::Unanswered) => Some(CustomerSeen::SecretUnavailable),
    }
}

/// Reads one Secret of a type, live.
///
/// # Errors
/// As `values`.
pub async fn read(
    api: &ApiServer,
    namespace: &str,
    type_: &str,
    name: &str,
) -> Result<Secret, SecretProblem> {
    let secret = api.get::<Secret>(namespace, name).await?.ok_or(SecretProblem::Unavailable)?;
    if secret.type_.as_deref() == Some(type_) { Ok(secret) } else { Err(SecretProblem::Unavailable) }
}

/// One entry's bytes.
#[must_use]
pub fn entry(secret: &Secret, key: &str) -> Option<Vec<u8>> {
    Some(secret.data.as_ref()?.get(key)?.0.clone())
}

/// Changes when, and only when, the Secret does.
#[must_use]
pub fn version_of(secret: &Secret) -> String {
    let uid = secret.metadata.uid.as_deref().unwrap_or_default();
    format!("{uid}:{}", secret.metadata.resource_version.as_deref().unwrap_or_default())
}
