//! The profile's checks: lists of what must not be there. A check that could not be answered blocks.

use cel::Value;
use jiff::Timestamp;

use super::{
    Captured, CustomerId, Response,
    expression::Scope,
    http::{
        classify::{Answer, Asked, Reading, classify},
        paginate::Next,
    },
    look::expression_failed,
    profile::{Check, LoadedProfile},
};
use crate::{
    api::OnUnavailable,
    domain::{Cause, CheckVerdict, Class, Failure},
};

/// Why a check gave no verdict.
#[derive(Debug)]
pub(crate) enum CheckFailed {
    /// The provider did not answer it; the profile says whether that blocks.
    Unavailable(Failure),
    /// The answer was not understood, is not complete, or could not be asked for. Always blocks.
    NotUnderstood(Failure),
}

impl CheckFailed {
    /// What it means for the deletion.
    pub(crate) fn verdict(self, on_unavailable: OnUnavailable) -> CheckVerdict {
        match (self, on_unavailable) {
            (CheckFailed::Unavailable(failure), OnUnavailable::Warn) => CheckVerdict::Unanswered(failure),
            (CheckFailed::Unavailable(failure), OnUnavailable::Block) => CheckVerdict::Failed(failure),
            (CheckFailed::NotUnderstood(failure), _) => CheckVerdict::Failed(failure),
        }
    }
}

/// What everything about one customer is read with.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) id: CustomerId,
    pub(crate) captured: Captured,
    pub(crate) now: Timestamp,
}

impl About {
    pub(crate) fn scope(&self, response: &Response) -> Scope {
        Scope::of_response(response, self.now).with_customer(&self.id).with_captured(&self.captured)
    }
}

/// One page of a list.
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) next: Next,
}

/// Reads one page of a check's list.
pub(crate) fn read_page(
    profile: &LoadedProfile,
    check: &Check,
    response: &Response,
    about: &About,
) -> Result<Page, CheckFailed> {
    let scope = about.scope(response);
    let answer = classify(&Reading {
        asked: Asked::Read,
        rules: [&check.operation.rules, &profile.rules],
        envelope: &profile.envelope,
        response,
        scope: &scope,
        now: about.now,
    });
    require_success(answer).map_err(CheckFailed::Unavailable)?;
    if check.empty_statuses.contains(&response.status) {
        return Ok(Page { items: Vec::new(), next: Next::End });
    }
    let not_understood = |_| CheckFailed::NotUnderstood(expression_failed());
    let items = check.items.evaluate_list(&scope).map_err(not_understood)?;
    let next =
        check.paginate.paging.next(response, &scope, items.len()).map_err(CheckFailed::NotUnderstood)?;
    Ok(Page { items, next })
}

/// A read counts only if it succeeded; what is pending has not been read.
pub(crate) fn require_success(answer: Answer) -> Result<(), Failure> {
    match answer {
        Answer::Succeeded => Ok(()),
        Answer::Pending | Answer::Partial => Err(Failure::new(Class::Indeterminate, Cause::Pending)),
        Answer::Failed(failure) => Err(failure),
    }
}

/// The verdict over all items. `response` is the last page's.
pub(crate) fn judge(
    check: &Check,
    response: &Response,
    about: &About,
    items: Vec<Value>,
) -> Result<CheckVerdict, CheckFailed> {
    match check.block_when.evaluate_bool(&about.scope(response).with_items(items)) {
        Ok(true) => Ok(CheckVerdict::Blocks),
        Ok(false) => Ok(CheckVerdict::Clear),
        Err(_) => Err(CheckFailed::NotUnderstood(expression_failed())),
    }
}
