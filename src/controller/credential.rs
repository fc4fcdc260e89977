//! The credential of a provider object: read live when it is needed, and judged as far as that can be done without a call.

use super::{connection::Connection, context::Context, secrets};
use crate::{
    api::ProviderReason,
    domain::{Cause, CauseWord, Failure},
    evidence::Keys,
    providers::Credentials,
};

/// The credential of this pass.
#[derive(Clone, Debug)]
pub struct InUse {
    pub credentials: Credentials,
    /// Keyed hash of its values.
    pub reference: String,
}

/// Reads the credentials that a connection's object names, and checks what can be checked without a call. By that object and no
/// later one: what is meant for another address must not go to this one.
///
/// # Errors
/// The reason that its condition `Ready` shows.
pub async fn credentials_of(
    ctx: &Context,
    connection: &Connection,
    keys: &Keys,
) -> Result<InUse, ProviderReason> {
    let object = &connection.object;
    let namespace = object.namespace_of_secrets(&ctx.operator_namespace);
    let read =
        secrets::values(&ctx.api, namespace, secrets::CREDENTIALS_TYPE, &object.spec().credentials).await;
    let secrets::Values { values, version } = read.map_err(|_| ProviderReason::SecretUnavailable)?;
    let named: Vec<&[u8]> =
        values.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_slice()]).collect();
    let reference = keys.credential(&named);
    let credentials = Credentials::new(values, version).map_err(|_| ProviderReason::SecretInvalid)?;
    connection.provider.accepts(&credentials).map_err(|failure| reason_of(&failure))?;
    Ok(InUse { credentials, reference })
}

fn reason_of(failure: &Failure) -> ProviderReason {
    match failure.cause {
        CauseWord::Ours(Cause::EnvironmentMismatch) => ProviderReason::EnvironmentMismatch,
        CauseWord::Ours(Cause::SecretUnavailable) => ProviderReason::SecretUnavailable,
        _ => ProviderReason::SecretInvalid,
    }
}
