//! The imperative shell: watch, observe, decide, perform, save. The only room that talks to Kubernetes.

mod api_server;
mod budgets;
mod case;
mod cases;
mod connection;
mod consents;
mod context;
mod delete;
mod error;
mod events;
mod holds;
mod installation;
mod lease;
mod line;
mod observe;
mod orphan;
mod people;
mod perform;
pub mod policies;
mod provider_kinds;
mod provider_object;
mod reconcile;
mod records;
mod reread;
mod run;
mod save;
mod secrets;

pub use api_server::{ApiError, ApiServer, ClusterScoped, Namespaced};
pub use consents::{Consents, Named};
pub use context::{Context, Shared, Timing};
pub use error::{Backoff, Error, Intervals, left, wake};
pub use holds::Holds;
pub use installation::{KeyProblem, SECRET as INSTALLATION_KEY_SECRET};
pub use lease::{LEASE, LeaseTiming, LeaseTimingProblem};
pub use run::{Clients, Settings, run};
pub use secrets::{CREDENTIALS_TYPE, CUSTOMER_ID_TYPE};
