//! One pass as the controllers make it: counted, and a panic ends only itself.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use kube::{Resource, ResourceExt as _, runtime::controller, runtime::reflector::ObjectRef};
use tokio::time::Instant;

use super::{api_server::ApiError, context::Shared, error::Error};
use crate::metrics::{Controller, Key};

/// When an object is to be looked at again. kube's own cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(Option<Duration>);

impl Action {
    /// After this long, or when it is woken before.
    #[must_use]
    pub const fn requeue(after: Duration) -> Self {
        Self(Some(after))
    }

    /// When it is woken.
    #[must_use]
    pub const fn await_change() -> Self {
        Self(None)
    }

    fn of_kube(self) -> controller::Action {
        self.0.map_or_else(controller::Action::await_change, controller::Action::requeue)
    }
}

/// An object, as its controller's queue knows it.
pub fn key_of<K: Resource<DynamicType = ()>>(object: &K) -> Key {
    Key::of(object.meta().namespace.as_deref(), &object.name_any())
}

/// The same of a name.
pub fn key_of_name<K: kube::runtime::reflector::Lookup>(name: &ObjectRef<K>) -> Key {
    Key::of(name.namespace.as_deref(), &name.name)
}

/// A pass whose panic ends only itself. Where another process leads, it is left out: `Elector` has everything looked at when
/// this one leads.
pub fn guarded<K, F>(
    name: Controller,
    pass: impl Fn(Arc<K>, Shared) -> F + Clone + Send + 'static,
) -> impl FnMut(Arc<K>, Shared) -> BoxFuture<'static, Result<controller::Action, Error>>
where
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
    F: Future<Output = Result<Action, Error>> + Send + 'static,
{
    move |object, ctx| {
        let key = key_of(object.as_ref());
        ctx.metrics.begins(name, key);
        if !ctx.leadership.is_held() {
            ctx.metrics.left_out(name, key);
            return std::future::ready(Ok(controller::Action::await_change())).boxed();
        }
        let (metrics, started) = (ctx.metrics.clone(), Instant::now());
        let pass = AssertUnwindSafe(pass(object, ctx)).catch_unwind();
        async move {
            let result = pass.await.unwrap_or_else(|_| {
                metrics.panicked(name);
                Err(Error::Panicked)
            });
            match &result {
                Ok(Action(again)) => metrics.passed(name, key, *again, started.elapsed()),
                Err(error) => metrics.failed(name, key, error.step(), started.elapsed()),
            }
            result.map(Action::of_kube)
        }
        .boxed()
    }
}

/// When an object whose pass failed is looked at again, and what is said about it.
pub fn error_policy<K: Resource<DynamicType = ()>>(
    controller: Controller,
) -> impl Fn(Arc<K>, &Error, Shared) -> controller::Action {
    move |object, error, ctx| {
        let name = object.name_any();
        let uid = object.uid().unwrap_or_else(|| name.clone());
        let again = ctx.backoff.after(&uid, error);
        ctx.metrics.retried(controller, key_of(object.as_ref()), again);
        match error {
            Error::SaveStatus(ApiError::Conflict | ApiError::NotFound) => {
                tracing::debug!(%controller, name, step = error.step(), "the object moved on");
            }
            // Told once, by the elector.
            Error::LeaseLost => tracing::debug!(%controller, name, step = error.step(), "left to the leader"),
            error => {
                tracing::warn!(%controller, name, step = error.step(), "{error}; tried again in {again:?}")
            }
        }
        Action::requeue(again).of_kube()
    }
}
