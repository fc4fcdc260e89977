//! How the lists of checks are read: what counts as empty, and how the pages follow.

use super::operations::{Compiler, defaults};
use crate::{
    api::{self, Method},
    providers::{
        expression::Known,
        http::paginate::{Paginate, Paging},
    },
};

impl Compiler<'_> {
    /// A status that usually carries a list must not stand for an empty one.
    pub(super) fn empty_statuses(&mut self, field: &str, source: Option<&[i32]>) -> Vec<u16> {
        let statuses = source.unwrap_or(&defaults::EMPTY_STATUSES);
        if statuses.iter().any(|status| !matches!(status, 201 | 203..=205 | 207..=299)) {
            self.problems.add(
                format!("{field}.emptyStatuses"),
                "must be within 201-299, without 202 and 206: only their items say whether a list is empty",
            );
        }
        statuses.iter().filter_map(|status| u16::try_from(*status).ok()).collect()
    }

    pub(super) fn paginate(
        &mut self,
        field: &str,
        operation: &api::Operation,
        known: Known<'_>,
    ) -> Option<Paginate> {
        let Some(source) = &operation.paginate else {
            return Some(Paginate { paging: Paging::Single, max_pages: 1, max_items: usize::MAX });
        };
        if operation.request.method != Method::GET {
            self.problems.add(field, "only a GET is read page by page");
        }
        let max_pages = self.cap(&format!("{field}.maxPages"), source.max_pages, defaults::MAX_PAGES, 1_000);
        let max_items =
            self.cap(&format!("{field}.maxItems"), source.max_items, defaults::MAX_ITEMS, 100_000);
        let paging = match (&source.cursor, &source.page, &source.link, &source.next_url) {
            (Some(cursor), None, None, None) => {
                self.refuse_taken(&format!("{field}.cursor.param"), &cursor.param, operation);
                let next = self.problems.expression(&format!("{field}.cursor.next"), &cursor.next, known);
                Paging::Cursor { param: cursor.param.clone(), next: next? }
            }
            (None, Some(page), None, None) => self.numbered(&format!("{field}.page"), page, operation)?,
            (None, None, Some(_), None) => Paging::Link,
            (None, None, None, Some(next_url)) => {
                let next = self.problems.expression(&format!("{field}.nextUrl.next"), &next_url.next, known);
                Paging::NextUrl { next: next? }
            }
            _ => {
                self.problems.add(field, "exactly one of `cursor`, `page`, `link` and `nextUrl` must be set");
                return None;
            }
        };
        Some(Paginate { paging, max_pages: max_pages?, max_items: max_items? })
    }

    fn numbered(
        &mut self,
        field: &str,
        page: &api::NumberedPaging,
        operation: &api::Operation,
    ) -> Option<Paging> {
        self.refuse_taken(&format!("{field}.param"), &page.param, operation);
        self.refuse_taken(&format!("{field}.sizeParam"), &page.size_param, operation);
        if page.param == page.size_param {
            self.problems.add(format!("{field}.sizeParam"), "must differ from `param`");
        }
        let start = u32::try_from(page.start).ok().filter(|start| *start <= 1);
        let size = usize::try_from(page.size).ok().filter(|size| (1..=1_000).contains(size));
        let start = self.problems.take(&format!("{field}.start"), start.ok_or("must be 0 or 1"))?;
        let size = self.problems.take(&format!("{field}.size"), size.ok_or("must be 1 to 1000"))?;
        Some(Paging::Numbered { param: page.param.clone(), start, size_param: page.size_param.clone(), size })
    }

    fn cap(&mut self, field: &str, source: Option<i32>, default: i32, max: i32) -> Option<usize> {
        let cap = source.unwrap_or(default);
        let cap = usize::try_from(cap).ok().filter(|_| (1..=max).contains(&cap));
        self.problems.take(field, cap.ok_or(format!("must be 1 to {max}")))
    }

    fn refuse_taken(&mut self, field: &str, name: &str, operation: &api::Operation) {
        let is_auth = self.auth.iter().any(|placement| placement.place.query() == Some(name));
        if name.is_empty() || operation.request.query.contains_key(name) || is_auth {
            self.problems.add(field, "must be a query parameter that nothing else sets");
        }
    }
}
