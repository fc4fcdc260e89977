//! Lists of several pages. A list that is not complete is no list: what is missing could be what blocks.

use std::collections::BTreeSet;

use url::Url;

use super::{auth::Placement, request::is_below};
use crate::{
    domain::{Cause, Class, Failure},
    providers::{
        PreparedRequest, Response,
        expression::{Expression, ExpressionFailed, Scalar, Scope},
    },
};

/// How to get the next page.
#[derive(Debug)]
pub(crate) enum Paging {
    /// There is one page.
    Single,
    Cursor {
        param: String,
        next: Expression,
    },
    Numbered {
        param: String,
        start: u32,
        size_param: String,
        size: usize,
    },
    Link,
    NextUrl {
        next: Expression,
    },
}

/// Paging with its caps.
#[derive(Debug)]
pub(crate) struct Paginate {
    pub(crate) paging: Paging,
    pub(crate) max_pages: usize,
    pub(crate) max_items: usize,
}

/// What one page says about the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    End,
    Cursor(String),
    Number,
    Address(String),
}

/// The list is not complete, or nobody can tell.
pub(crate) fn incomplete() -> Failure {
    Failure::new(Class::Indeterminate, Cause::IncompleteList)
}

impl Paging {
    /// What a page of `items` items says about the next.
    ///
    /// A missing last key, null and an empty text end the list; a missing key on the way there does not, for then the answer is not
    /// shaped as the profile believes.
    ///
    /// # Errors
    /// `Indeterminate`: it cannot be told.
    pub(crate) fn next(&self, response: &Response, scope: &Scope, items: usize) -> Result<Next, Failure> {
        match self {
            Paging::Single => Ok(Next::End),
            Paging::Cursor { next, .. } => Ok(token(next, scope)?.map_or(Next::End, Next::Cursor)),
            Paging::NextUrl { next } => Ok(token(next, scope)?.map_or(Next::End, Next::Address)),
            Paging::Numbered { size, .. } => Ok(if items < *size { Next::End } else { Next::Number }),
            Paging::Link => match response.headers.get("link") {
                None => Ok(Next::End),
                Some(header) => Ok(next_link(header)?.map_or(Next::End, Next::Address)),
            },
        }
    }
}

fn token(next: &Expression, scope: &Scope) -> Result<Option<String>, Failure> {
    match next.evaluate_scalar(scope) {
        Ok(Scalar::Text(text)) => Ok((!text.is_empty()).then_some(text)),
        Ok(Scalar::Whole(whole)) => Ok(Some(whole.to_string())),
        Ok(Scalar::Null) | Err(ExpressionFailed::LastKeyMissing) => Ok(None),
        Ok(Scalar::Number(_) | Scalar::Truth(_))
        | Err(ExpressionFailed::KeyMissing | ExpressionFailed::WrongType | ExpressionFailed::Failed) => {
            Err(incomplete())
        }
    }
}

/// The address with `rel="next"` in a `Link` header (RFC 8288, section 3); several headers arrive joined by commas.
fn next_link(header: &str) -> Result<Option<String>, Failure> {
    let mut found = None;
    let mut rest = header.trim();
    while !rest.is_empty() {
        let (address, after) =
            rest.strip_prefix('<').and_then(|inner| inner.split_once('>')).ok_or_else(incomplete)?;
        let end = end_of_link(after);
        let parameters = &after[..end];
        if is_next(parameters) && found.replace(address.to_owned()).is_some() {
            return Err(incomplete());
        }
        rest = after[end..].trim_start_matches([',', ' ', '\t']);
    }
    Ok(found)
}

/// Where the parameters of a link end: at a comma outside quotes, or with the header.
fn end_of_link(parameters: &str) -> usize {
    let mut is_quoted = false;
    let comma = parameters.char_indices().find(|(_, char)| {
        is_quoted ^= *char == '"';
        *char == ',' && !is_quoted
    });
    comma.map_or(parameters.len(), |(at, _)| at)
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value
                .trim()
                .trim_matches('"')
                .split_ascii_whitespace()
                .any(|rel| rel.eq_ignore_ascii_case("next"))
    })
}

/// Walks through the pages of one list.
pub(crate) struct Pager<'a> {
    paginate: &'a Paginate,
    placements: &'a [Placement],
    base: &'a Url,
    /// The first request, without paging.
    bare: PreparedRequest,
    pages: usize,
    items: usize,
    seen: BTreeSet<String>,
}

impl<'a> Pager<'a> {
    pub(crate) fn new(
        paginate: &'a Paginate,
        placements: &'a [Placement],
        base: &'a Url,
        bare: PreparedRequest,
    ) -> Self {
        Self { paginate, placements, base, bare, pages: 0, items: 0, seen: BTreeSet::new() }
    }

    /// The request for the first page.
    pub(crate) fn first(&self) -> PreparedRequest {
        self.numbered(0)
    }

    /// The request for the page after one with `items` items, which said `next`; `None` at the end.
    ///
    /// # Errors
    /// `IncompleteList`: a cap is reached, a cursor comes back, or the next address lies elsewhere.
    pub(crate) fn after(
        &mut self,
        current: &Url,
        items: usize,
        next: Next,
    ) -> Result<Option<PreparedRequest>, Failure> {
        self.pages += 1;
        self.items += items;
        if self.items > self.paginate.max_items {
            return Err(incomplete());
        }
        if next == Next::End {
            return Ok(None);
        }
        if self.pages >= self.paginate.max_pages {
            return Err(incomplete());
        }
        match next {
            Next::End => Ok(None),
            Next::Number => Ok(Some(self.numbered(self.pages))),
            Next::Cursor(cursor) => self.with_cursor(cursor).map(Some),
            Next::Address(address) => self.at(current, &address).map(Some),
        }
    }

    fn numbered(&self, pages_before: usize) -> PreparedRequest {
        let mut request = self.bare.clone();
        if let Paging::Numbered { param, start, size_param, size } = &self.paginate.paging {
            let number = *start as usize + pages_before;
            request
                .url
                .query_pairs_mut()
                .append_pair(param, &number.to_string())
                .append_pair(size_param, &size.to_string());
        }
        request
    }

    fn with_cursor(&mut self, cursor: String) -> Result<PreparedRequest, Failure> {
        let Paging::Cursor { param, .. } = &self.paginate.paging else { return Err(incomplete()) };
        let mut request = self.bare.clone();
        request.url.query_pairs_mut().append_pair(param, &cursor);
        if !self.seen.insert(cursor) {
            return Err(incomplete());
        }
        Ok(request)
    }

    /// The next address must lie below the base URL: otherwise the credential would be sent elsewhere.
    fn at(&mut self, current: &Url, address: &str) -> Result<PreparedRequest, Failure> {
        let mut url = current.join(address).map_err(|_| incomplete())?;
        url.set_fragment(None);
        if !is_below(&url, self.base) || !self.seen.insert(url.to_string()) {
            return Err(incomplete());
        }
        let mut request = self.bare.clone();
        self.keep_credentials(&mut url);
        request.url = url;
        Ok(request)
    }

    /// Query parameters that carry credentials stay ours, whatever the address says.
    fn keep_credentials(&self, url: &mut Url) {
        let names: BTreeSet<&str> =
            self.placements.iter().filter_map(|placement| placement.place.query()).collect();
        if names.is_empty() {
            return;
        }
        let is_ours = |name: &str| names.contains(name);
        let theirs: Vec<(String, String)> =
            url.query_pairs().into_owned().filter(|(name, _)| !is_ours(name)).collect();
        let ours: Vec<(String, String)> =
            self.bare.url.query_pairs().into_owned().filter(|(name, _)| is_ours(name)).collect();
        url.query_pairs_mut().clear().extend_pairs(theirs.into_iter().chain(ours));
    }
}

#[cfg(test)]
#[path = "paginate_tests.rs"]
mod tests;
