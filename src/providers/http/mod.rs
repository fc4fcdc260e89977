//! HTTP as profiles speak it: requests from templates, credentials in their places, answers in classes, lists page by page.

pub(crate) mod auth;
pub(crate) mod classify;
pub(crate) mod paginate;
pub(crate) mod request;
pub(crate) mod template;

pub use auth::Credentials;
pub use classify::{Answer, outcome_of};
