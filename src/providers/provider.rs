//! One provider object, ready to be asked: looks, control, account, checks, the destructive request and its answer.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cel::Value;
use futures::future::BoxFuture;
use http::HeaderValue;
use jiff::Timestamp;
use url::Url;

use super::{
    Captured, CustomerId, IdempotencySeed, PreparedRequest, Response,
    answer::{read_answer, request_id},
    checks::{About, CheckFailed, Page, judge, read_page, require_success},
    expression::{Scalar, Scope, off_thread},
    http::{
        MOST_VALUES, ReadClient,
        auth::{Credentials, place_all},
        classify::{Asked, Reading, classify},
        paginate::{Pager, incomplete},
        request::RequestTemplate,
        template::{Filling, template_failed},
    },
    look::{Sighting, Verdict, expression_failed, read_look},
    profile::{Check, LoadedProfile, Operation, ProfileProblem},
};
use crate::{
    api::{CheckOverride, Environment},
    domain::{Cause, CheckSeen, CheckVerdict, Class, Control, Failure, Outcome, Sent, Step},
};

/// How many bytes the pages of one list may have together: 8 MiB. They are held until the last one is read.
const MOST_LIST_BYTES: usize = 8 << 20;

/// And how many values: eight of the longest answers. A few bytes of text can become an object of half a kilobyte.
const MOST_LIST_VALUES: usize = 8 * MOST_VALUES;

/// Sends a read and gives its answer.
pub trait Read: Send + Sync {
    /// Sends a read: within its deadline and caps, at the provider's pace, again where that is worth it. `credential_version` names
    /// the state of the credentials, so that a rejected one is not tried for ever.
    ///
    /// # Errors
    /// No answer came that could be read completely; an answer of any status is no error.
    fn read(
        &self,
        request: PreparedRequest,
        credential_version: &str,
    ) -> BoxFuture<'_, Result<Response, Failure>>;

    /// Nothing may be asked for a while: the answer said so, or said for how long, in words that only the profile understands.
    /// `wish` is the length, where the provider named one. A longer pause stays.
    fn pause(&self, wish: Option<Duration>);
}

impl Read for ReadClient {
    fn read(
        &self,
        request: PreparedRequest,
        credential_version: &str,
    ) -> BoxFuture<'_, Result<Response, Failure>> {
        let credential_version = credential_version.to_owned();
        Box::pin(async move { ReadClient::read(self, request, &credential_version).await })
    }

    fn pause(&self, wish: Option<Duration>) {
        ReadClient::pause(self, wish);
    }
}

/// One provider object: a profile at an address, in an environment.
pub struct Provider {
    profile: Arc<LoadedProfile>,
    base_url: Url,
    environment: Environment,
    overrides: BTreeMap<String, CheckOverride>,
    reader: Arc<dyn Read>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("profile", &self.profile.source().name).finish_non_exhaustive()
    }
}

impl Provider {
    /// Puts a provider together.
    ///
    /// `overrides` are the provider object's `checks`, by name. `base_url` is the provider object's, with its path prefix.
    ///
    /// # Errors
    /// An override that names no check of the profile, or ignores one that must not be. The platform team mends it.
    pub fn new(
        profile: Arc<LoadedProfile>,
        base_url: Url,
        environment: Environment,
        overrides: BTreeMap<String, CheckOverride>,
        reader: Arc<dyn Read>,
    ) -> Result<Self, Vec<ProfileProblem>> {
        let problems: Vec<_> =
            overrides.iter().filter_map(|(name, wish)| override_problem(&profile, name, *wish)).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { profile, base_url, environment, overrides, reader })
    }

    /// The same provider, asked through another reader.
    #[must_use]
    pub fn with_reader(&self, reader: Arc<dyn Read>) -> Self {
        Self {
            profile: self.profile.clone(),
            base_url: self.base_url.clone(),
            environment: self.environment,
            overrides: self.overrides.clone(),
            reader,
        }
    }

    /// Whether these credentials are complete and of this environment, as far as that can be known without a call.
    ///
    /// # Errors
    /// `Auth`: `SecretUnavailable`, `EnvironmentMismatch`, `SecretInvalid`.
    pub fn accepts(&self, credentials: &Credentials) -> Result<(), Failure> {
        let nobody = Captured::nothing();
        let filling = Filling { customer: None, captured: &nobody };
        self.prepare(Step::control, &self.profile.control.operation.request, filling, credentials).map(drop)
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Arc<LoadedProfile> {
        &self.profile
    }

    /// Looks at one customer.
    ///
    /// Never fails: an unanswered look is `Unknown`. `Absent` counts only with a good control request after it, and a second look after that.
    pub async fn look(&self, credentials: &Credentials, id: &CustomerId, now: Timestamp) -> Sighting {
        self.try_look(credentials, id, now).await.unwrap_or_else(Sighting::unknown)
    }

    async fn try_look(
        &self,
        credentials: &Credentials,
        id: &CustomerId,
        now: Timestamp,
    ) -> Result<Sighting, Failure> {
        let nothing = Captured::nothing();
        let filling = Filling { customer: Some(id), captured: &nothing };
        let template = &self.profile.presence.operation.request;
        let request = self.prepare(Step::look, template, filling, credentials)?;
        let response = self.reader.read(request, credentials.version()).await?;
        let (profile, id, status) = (Arc::clone(&self.profile), id.clone(), response.status);
        let read = move || read_look(&profile, &response, &id, now);
        let sighting = off_thread(read).await.map_err(|_| expression_failed())?;
        if let Verdict::Unknown(failure) = &sighting.verdict {
            self.pause_after(status, failure);
        }
        Ok(sighting)
    }

    /// Whoever made the request heard a 429 already, but not how long a pause a rule of the profile reads out of it; the same in
    /// other words, as GraphQL says it, is heard here.
    fn pause_after(&self, status: u16, failure: &Failure) {
        let is_news = status != 429 || failure.retry_after.is_some();
        if failure.class == Class::RateLimited && is_news {
            self.reader.pause(failure.retry_after);
        }
    }

    /// Asks the control request: do this address and this credential still work?
    ///
    /// Never fails: anything but a good answer is `Bad`.
    pub async fn control(&self, credentials: &Credentials, now: Timestamp) -> Control {
        let operation: OperationOf = |profile| Some(&profile.control.operation);
        match self.ask(Step::control, operation, is_good, credentials, now).await {
            Ok(()) => Control::Good,
            Err(failure) => Control::Bad(failure),
        }
    }

    /// Asks which account answers; `None` where the profile has no such request.
    ///
    /// # Errors
    /// Inside: the request was not answered, or named no account of 1 to 128 visible characters.
    pub async fn account(
        &self,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Option<Result<String, Failure>> {
        self.profile.account.as_ref()?;
        let operation: OperationOf = |profile| profile.account.as_ref().map(|probe| &probe.operation);
        Some(self.ask(Step::account, operation, account_name, credentials, now).await)
    }

    /// Asks something that is not about a customer, and reads a successful answer.
    async fn ask<T: Send + 'static>(
        &self,
        step: Step,
        operation: OperationOf,
        read: fn(&LoadedProfile, &Scope) -> Result<T, Failure>,
        credentials: &Credentials,
        now: Timestamp,
    ) -> Result<T, Failure> {
        let nothing = Captured::nothing();
        let filling = Filling { customer: None, captured: &nothing };
        let template = &operation(&self.profile).ok_or_else(template_failed)?.request;
        let request = self.prepare(step, template, filling, credentials)?;
        let response = self.reader.read(request, credentials.version()).await?;
        let (profile, status) = (Arc::clone(&self.profile), response.status);
        let read = move || {
            let scope = Scope::of_response(&response, now);
            let rules = operation(&profile).map_or(&[][..], |operation| &operation.rules);
            let answer = classify(&Reading {
                asked: Asked::Read,
                rules: [rules, &profile.rules],
                envelope: &profile.envelope,
                response: &response,
                scope: &scope,
                now,
            });
            require_success(answer).and_then(|()| read(&profile, &scope))
        };
        let read = off_thread(read).await.map_err(|_| expression_failed())?;
        read.inspect_err(|failure| self.pause_after(status, failure))
    }

    /// Makes the profile's checks, in its order, as this provider object and environment want them.
    ///
    /// Shape: one entry for each check of this environment; the others are not made and not listed.
    /// Never fails: a check that could not be answered says so, and blocks unless the profile only warns.
    pub async fn checks(
        &self,
        credentials: &Credentials,
        id: &CustomerId,
        captured: &Captured,
        now: Timestamp,
    ) -> Vec<CheckSeen> {
        let about = About { id: id.clone(), captured: captured.clone(), now };
        let mut seen = Vec::new();
        for (at, check) in self.profile.checks.iter().enumerate() {
            if !check.environments.contains(&self.environment) {
                continue;
            }
            let verdict = if check.waivable && self.overrides.get(&check.name) == Some(&CheckOverride::Ignore)
            {
                CheckVerdict::Ignored
            } else {
                self.check(at, check, credentials, &about)
                    .await
                    .unwrap_or_else(|failed| failed.verdict(check.on_unavailable))
            };
            seen.push(CheckSeen { name: check.name.clone(), verdict, waivable: check.waivable });
        }
        seen
    }

    async fn check(
        &self,
        at: usize,
        check: &Check,
        credentials: &Credentials,
        about: &About,
    ) -> Result<CheckVerdict, CheckFailed> {
        let filling = Filling { customer: Some(&about.id), captured: &about.captured };
        let bare = self
            .prepare(Step::check, &check.operation.request, filling, credentials)
            .map_err(CheckFailed::NotUnderstood)?;
        let mut pager = Pager::new(&check.paginate, &self.profile.auth, &self.base_url, bare);
        let mut request = pager.first();
        let (mut items, mut bytes, mut values) = (Vec::new(), 0_usize, 0_usize);
        loop {
            let url = request.url.clone();
            let response = self.reader.read(request, credentials.version()).await;
            let response = Arc::new(response.map_err(CheckFailed::Unavailable)?);
            bytes = bytes.saturating_add(response.body_bytes);
            values = values.saturating_add(response.values());
            if bytes > MOST_LIST_BYTES || values > MOST_LIST_VALUES {
                return Err(CheckFailed::NotUnderstood(incomplete()));
            }
            let page = self.read_page(at, &response, about).await?;
            let next = pager.after(&url, page.items.len(), page.next).map_err(CheckFailed::NotUnderstood)?;
            items.extend(page.items);
            match next {
                Some(next) => request = next,
                None => return self.judge(at, response, about, items).await,
            }
        }
    }

    async fn read_page(
        &self,
        at: usize,
        response: &Arc<Response>,
        about: &About,
    ) -> Result<Page, CheckFailed> {
        let (profile, response, about) = (Arc::clone(&self.profile), Arc::clone(response), about.clone());
        let status = response.status;
        let read = move || match profile.checks.get(at) {
            Some(check) => read_page(&profile, check, &response, &about),
            None => Err(CheckFailed::NotUnderstood(expression_failed())),
        };
        let page = off_thread(read).await.map_err(|_| CheckFailed::NotUnderstood(expression_failed()))?;
        if let Err(CheckFailed::Unavailable(failure)) = &page {
            self.pause_after(status, failure);
        }
        page
    }

    async fn judge(
        &self,
        at: usize,
        response: Arc<Response>,
        about: &About,
        items: Vec<Value>,
    ) -> Result<CheckVerdict, CheckFailed> {
        let (profile, about) = (Arc::clone(&self.profile), about.clone());
        let judge = move || match profile.checks.get(at) {
            Some(check) => judge(check, &response, &about, items),
            None => Err(CheckFailed::NotUnderstood(expression_failed())),
        };
        off_thread(judge).await.map_err(|_| CheckFailed::NotUnderstood(expression_failed()))?
    }

    /// The destructive request, complete with credentials. Nothing is sent here.
    ///
    /// # Errors
    /// `TemplateFailed`: the id or a captured value is missing or does not fit. `Auth`: a credential is missing or belongs to the
    /// other environment.
    pub fn prepare_delete(
        &self,
        credentials: &Credentials,
        id: &CustomerId,
        captured: &Captured,
        idempotency: &IdempotencySeed<'_>,
    ) -> Result<PreparedRequest, Failure> {
        let step = &self.profile.step;
        let filling = Filling { customer: Some(id), captured };
        let mut request = self.prepare(Step::delete, &step.operation.request, filling, credentials)?;
        if let Some((name, scope)) = &step.idempotency {
            let key = idempotency.key(&step.name, *scope).to_string();
            let value = HeaderValue::from_str(&key).map_err(|_| template_failed())?;
            request.headers.push((name.clone(), value));
        }
        Ok(request)
    }

    /// Reads the answer to the destructive call.
    ///
    /// Never fails: what cannot be read is `Unknown`, never `Accepted`. A 404 is `Unknown`, too: whether the customer is gone is for a
    /// look to say. `sent_at` is when the first byte left.
    pub async fn read_sent(
        &self,
        response: Response,
        id: &CustomerId,
        captured: &Captured,
        sent_at: Timestamp,
        now: Timestamp,
    ) -> Sent {
        let about = About { id: id.clone(), captured: captured.clone(), now };
        let (status, request_id) = (response.status, request_id(&response, &about));
        let profile = Arc::clone(&self.profile);
        let read = move || read_answer(&profile, &response, &about);
        let (outcome, keep) = off_thread(read)
            .await
            .unwrap_or_else(|_| (Outcome::Unknown(expression_failed()), BTreeMap::new()));
        if let Some(failure) = outcome.failure() {
            self.pause_after(status, failure);
        }
        Sent { outcome, sent_at: Some(sent_at), http_status: Some(status), request_id, keep }
    }

    fn prepare(
        &self,
        step: Step,
        template: &RequestTemplate,
        filling: Filling<'_>,
        credentials: &Credentials,
    ) -> Result<PreparedRequest, Failure> {
        if filling.customer.is_some_and(|id| !self.profile.accepts_id(id.expose())) {
            return Err(template_failed());
        }
        let mut request = template.fill(step, &self.base_url, filling)?;
        place_all(&self.profile.auth, credentials, self.environment, &mut request)?;
        Ok(request)
    }
}

/// One of a profile's operations.
type OperationOf = fn(&LoadedProfile) -> Option<&Operation>;

fn override_problem(profile: &LoadedProfile, name: &str, wish: CheckOverride) -> Option<ProfileProblem> {
    let check = profile.checks.iter().find(|check| check.name == name);
    let message = match (check, wish) {
        (None, _) => "the profile has no check of this name",
        (Some(check), CheckOverride::Ignore) if !check.waivable => "this check must not be ignored",
        (Some(_), CheckOverride::Ignore | CheckOverride::Block) => return None,
    };
    Some(ProfileProblem { field: format!("checks.{name}"), column: None, message: message.to_owned() })
}

fn is_good(profile: &LoadedProfile, scope: &Scope) -> Result<(), Failure> {
    match profile.control.ok.evaluate_bool(scope) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Failure::new(Class::Indeterminate, Cause::ControlFailed)),
    }
}

/// The account's name or number: it stands in plans, so it is short and visible.
fn account_name(profile: &LoadedProfile, scope: &Scope) -> Result<String, Failure> {
    let value = profile.account.as_ref().map(|probe| probe.value.evaluate_scalar(scope));
    let name = match value {
        Some(Ok(Scalar::Text(text))) => text,
        Some(Ok(Scalar::Whole(whole))) => whole.to_string(),
        Some(Ok(Scalar::Number(_) | Scalar::Truth(_) | Scalar::Null) | Err(_)) | None => {
            return Err(expression_failed());
        }
    };
    let is_visible = name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    let is_fit = is_visible && !name.trim().is_empty() && name.len() <= 128;
    if is_fit { Ok(name) } else { Err(expression_failed()) }
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
