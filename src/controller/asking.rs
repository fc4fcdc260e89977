//! Requests to one provider object, counted: how long a turn was waited for, what came back, and how long that took.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    domain::{Class, Failure, Step},
    metrics::Metrics,
    providers::{
        PreparedRequest, Read, Response,
        http::{ReadClient, Reservation, SendResult, class_of_status},
    },
};

/// Asks a provider, each read in its turn.
#[derive(Clone)]
pub struct Asking {
    client: ReadClient,
    metrics: Arc<Metrics>,
    profile: &'static str,
}

/// The same under a reservation: it never waits for its turn.
pub struct Reserved {
    asking: Asking,
    reservation: Arc<Mutex<Reservation>>,
}

impl Asking {
    /// Asks with this client; `profile` is what the profile is called in a label.
    #[must_use]
    pub fn new(client: ReadClient, metrics: Arc<Metrics>, profile: &'static str) -> Self {
        Self { client, metrics, profile }
    }

    /// What the profile is called in a label.
    #[must_use]
    pub fn profile(&self) -> &'static str {
        self.profile
    }

    /// The same under a reservation.
    #[must_use]
    pub fn reserved(&self, reservation: Arc<Mutex<Reservation>>) -> Reserved {
        Reserved { asking: self.clone(), reservation }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// As the turn: it did not come in time.
    pub async fn turn<T>(&self, turn: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let since = Instant::now();
        let turn = turn.await;
        self.metrics.waited(self.profile, since.elapsed(), turn.as_ref().err());
        turn
    }

    /// Sends the destructive request.
    pub async fn sent(&self, sending: impl Future<Output = SendResult>) -> SendResult {
        let since = Instant::now();
        let result = sending.await;
        let failed = match &result {
            SendResult::Answered { response, .. } => class_of_status(response.status),
            SendResult::NotSent(failure) => Some(failure.class),
            SendResult::Unknown { .. } => Some(Class::Transient),
        };
        self.metrics.asked(self.profile, Step::delete, failed, since.elapsed());
        result
    }

    async fn reads(
        &self,
        step: Step,
        reading: impl Future<Output = Result<Response, Failure>>,
    ) -> Result<Response, Failure> {
        let since = Instant::now();
        let answer = reading.await;
        self.metrics.asked(self.profile, step, failed(&answer), since.elapsed());
        answer
    }
}

fn failed(answer: &Result<Response, Failure>) -> Option<Class> {
    match answer {
        Ok(response) => class_of_status(response.status),
        Err(failure) => Some(failure.class),
    }
}

impl Read for Asking {
    fn read(
        &self,
        request: PreparedRequest,
        credential_version: &str,
    ) -> BoxFuture<'_, Result<Response, Failure>> {
        let credential_version = credential_version.to_owned();
        async move {
            let slot = self.turn(self.client.turn(&credential_version)).await?;
            self.reads(request.step, self.client.read_in_turn(&request, slot)).await
        }
        .boxed()
    }

    fn pause(&self, wish: Option<Duration>) {
        self.client.pause(wish);
    }
}

impl Read for Reserved {
    fn read(&self, request: PreparedRequest, _: &str) -> BoxFuture<'_, Result<Response, Failure>> {
        async move {
            let mut reservation = self.reservation.lock().await;
            let step = request.step;
            self.asking.reads(step, self.asking.client.read_reserved(request, &mut reservation)).await
        }
        .boxed()
    }

    fn pause(&self, wish: Option<Duration>) {
        self.asking.client.pause(wish);
    }
}
