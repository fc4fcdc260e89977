//! Whether a provider can be reached from here at all, for the doctor: no credential is shown and nothing is asked for.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use super::{connect::connect, endpoint::Endpoint, once::Outgoing};
use crate::{
    api::Method,
    domain::{Failure, Step},
    providers::PreparedRequest,
};

/// How long the answer may take, once the connection stands.
const ANSWER: Duration = Duration::from_secs(5);

/// A connection stood, and its certificate was believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The provider's own clock, in whole seconds, where it told it.
    pub date: Option<Timestamp>,
}

/// Connects as every request does, and reads the base URL without a credential; the `Date` of the answer is kept, whatever it says.
///
/// # Errors
/// Those of a connection, all `Transient`: `NameNotResolved`, `AddressNotAllowed`, `ConnectFailed`, `TlsFailed`,
/// `ProxyUnavailable`, `ProxyRefused`, `ProxyUnauthorized`.
pub async fn reach(endpoint: &Endpoint) -> Result<Reached, Failure> {
    let stream = connect(endpoint).await?;
    let url = endpoint.base_url().url().clone();
    let request =
        PreparedRequest { step: Step::control, method: Method::GET, url, headers: Vec::new(), body: None };
    let exchange = Outgoing::new(&request, endpoint)?.exchange(stream);
    let answer = timeout(ANSWER, exchange).await.ok().and_then(Result::ok);
    Ok(Reached { date: answer.and_then(|answer| answer.date) })
}
