//! The admission policies that prove who agreed, as they are in force.

use super::api_server::ApiServer;
use crate::domain::PolicyState;

/// What is in force now, held against what this operator was built with.
pub async fn live(_: &ApiServer) -> PolicyState {
    PolicyState::Unanswered
}
