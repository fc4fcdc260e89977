//! The operations of a profile, compiled: what each may use, and what each must contain.

use super::{
    Account, Check, Control, Operation, Presence, Problems, Step, facts, probe,
    requests::{self, Use},
    rules,
};
use crate::{
    api::{self, ConditionalDelete, Method},
    providers::{
        expression::{Expression, Known, Variable},
        http::{
            auth::Placement,
            classify::Rule,
            paginate::{Paginate, Paging},
            request::{BodyTemplate, RequestTemplate},
            template::{Allowed, Text},
        },
    },
};

/// What holds where a profile says nothing; part of the profile hash.
pub(super) mod defaults {
    pub(crate) const ITEMS: &str = "response.json";
    pub(crate) const EMPTY_STATUSES: [i32; 1] = [204];
    pub(crate) const MAX_PAGES: i32 = 50;
    pub(crate) const MAX_ITEMS: i32 = 5_000;
}

/// The control request and the account probe know no customer; nor do rules that stand for every operation.
const WITHOUT_CUSTOMER: Known<'static> =
    Known { variables: &[Variable::Response, Variable::Now], captured: &[] };

/// A look comes first: nothing is captured yet.
const LOOK: Known<'static> =
    Known { variables: &[Variable::Response, Variable::Customer, Variable::Now], captured: &[] };

/// Checks and the destructive step come after a look.
const AFTER_LOOK: &[Variable] =
    &[Variable::Response, Variable::Customer, Variable::Vars, Variable::Prior, Variable::Now];

/// `blockWhen` sees all pages as `items`.
const WITH_ITEMS: &[Variable] = &[
    Variable::Response,
    Variable::Customer,
    Variable::Items,
    Variable::Vars,
    Variable::Prior,
    Variable::Now,
];

/// Reads a profile's operations, and writes down what is wrong with them.
pub(super) struct Compiler<'a> {
    source: &'a api::Profile,
    auth: &'a [Placement],
    captured: Vec<String>,
    problems: &'a mut Problems,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(source: &'a api::Profile, auth: &'a [Placement], problems: &'a mut Problems) -> Self {
        let captured = source.presence.operation.capture.keys().cloned().collect();
        Self { source, auth, captured, problems }
    }

    pub(super) fn envelope(&mut self) -> Option<Expression> {
        self.problems.expression("envelope", &self.source.envelope, WITHOUT_CUSTOMER)
    }

    pub(super) fn rules(&mut self) -> Vec<Rule> {
        rules::rules("classify", &self.source.classify, WITHOUT_CUSTOMER, self.problems)
    }

    pub(super) fn control(&mut self) -> Option<Control> {
        let source = &self.source.control;
        self.refuse_list_fields("control", &source.operation);
        self.refuse_capture("control", &source.operation);
        let allowed = Allowed { customer: false, captured: &[] };
        let operation = self.operation("control", &source.operation, Use::Read, allowed, WITHOUT_CUSTOMER);
        let ok = self.problems.expression("control.ok", &source.ok, WITHOUT_CUSTOMER);
        Some(Control { operation: operation?, ok: ok? })
    }

    /// `Some(None)` where the profile has no probe, `None` where it is wrong.
    pub(super) fn account(&mut self) -> Option<Option<Account>> {
        let Some(source) = &self.source.account else { return Some(None) };
        self.refuse_list_fields("account", &source.operation);
        self.refuse_capture("account", &source.operation);
        let allowed = Allowed { customer: false, captured: &[] };
        let operation = self.operation("account", &source.operation, Use::Read, allowed, WITHOUT_CUSTOMER);
        let value = self.problems.expression("account.value", &source.value, WITHOUT_CUSTOMER);
        Some(Some(Account { operation: operation?, value: value? }))
    }

    pub(super) fn presence(&mut self) -> Option<Presence> {
        let source = &self.source.presence;
        self.refuse_list_fields("presence", &source.operation);
        let allowed = Allowed { customer: true, captured: &[] };
        let operation = self.operation("presence", &source.operation, Use::Read, allowed, LOOK);
        if operation.as_ref().is_some_and(|operation| Ids::of(&operation.request).all == 0) {
            self.problems
                .add("presence.request", "must contain `{customer.id}`: the look is at one customer");
        }
        let capture = self.named("presence.capture", &source.operation.capture, LOOK);
        let created_at =
            self.problems.optional_expression("presence.createdAt", source.created_at.as_deref(), LOOK);
        let mut expression =
            |name: &str, text: &str| self.problems.expression(&format!("presence.{name}"), text, LOOK);
        let id = expression("id", &source.id);
        let present = expression("present", &source.present);
        let inactive = expression("inactive", &source.inactive);
        let tombstoned = expression("tombstoned", &source.tombstoned);
        let absent = expression("absent", &source.absent);
        let fingerprint: Option<Vec<_>> = source
            .fingerprint
            .iter()
            .enumerate()
            .map(|(at, text)| expression(&format!("fingerprint[{at}]"), &text.0))
            .collect();
        let presence = Presence {
            operation: operation?,
            id: id?,
            present: present?,
            inactive: inactive?,
            tombstoned: tombstoned?,
            absent: absent?,
            created_at: created_at?,
            fingerprint: fingerprint?,
            capture: capture?,
        };
        probe::inspect(&presence, self.problems);
        Some(presence)
    }

    pub(super) fn checks(&mut self) -> Vec<Check> {
        let mut checks: Vec<Check> = Vec::new();
        for (at, source) in self.source.preflight.iter().enumerate() {
            let field = format!("preflight[{at}]");
            if checks.iter().any(|check| check.name == source.name) {
                self.problems.add(format!("{field}.name"), "another check has this name");
            }
            checks.extend(self.check(&field, source));
        }
        checks
    }

    fn check(&mut self, field: &str, source: &api::Check) -> Option<Check> {
        if !facts::is_dns_label(&source.name) {
            self.problems
                .add(format!("{field}.name"), "must be a DNS label: lower-case letters, digits and `-`");
        }
        if source.environments.is_empty() {
            self.problems.add(format!("{field}.environments"), "must name at least one environment");
        }
        self.refuse_capture(field, &source.operation);
        let captured = self.captured.clone();
        let known = Known { variables: AFTER_LOOK, captured: &captured };
        let allowed = Allowed { customer: true, captured: &captured };
        let operation = self.operation(field, &source.operation, Use::Read, allowed, known);
        let items = source.operation.items.as_deref().unwrap_or(defaults::ITEMS);
        let items = self.problems.expression(&format!("{field}.items"), items, known);
        let empty_statuses = self.empty_statuses(field, source.operation.empty_statuses.as_deref());
        let paginate = self.paginate(&format!("{field}.paginate"), &source.operation, known);
        let block_when = self.problems.expression(
            &format!("{field}.blockWhen"),
            &source.block_when,
            Known { variables: WITH_ITEMS, captured: &captured },
        );
        Some(Check {
            name: source.name.clone(),
            operation: operation?,
            items: items?,
            empty_statuses,
            paginate: paginate?,
            block_when: block_when?,
            on_unavailable: source.on_unavailable,
            environments: source.environments.clone(),
            waivable: source.waivable,
        })
    }

    /// A status that usually carries a list must not stand for an empty one.
    fn empty_statuses(&mut self, field: &str, source: Option<&[i32]>) -> Vec<u16> {
        let statuses = source.unwrap_or(&defaults::EMPTY_STATUSES);
        if statuses.iter().any(|status| !matches!(status, 201 | 203..=205 | 207..=299)) {
            self.problems.add(
                format!("{field}.emptyStatuses"),
                "must be within 201-299, without 202 and 206: only their items say whether a list is empty",
            );
        }
        statuses.iter().filter_map(|status| u16::try_from(*status).ok()).collect()
    }

    fn paginate(&mut self, field: &str, operation: &api::Operation, known: Known<'_>) -> Option<Paginate> {
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

    pub(super) fn step(&mut self) -> Option<Step> {
        let [source] = self.source.delete.as_slice() else {
            let message = if self.source.delete.is_empty() {
                "must have one step"
            } else {
                "more than one step (a deactivation and then a deletion) is not built yet: keep one"
            };
            self.problems.add("delete", message);
            return None;
        };
        let field = "delete[0]";
        if !facts::is_dns_label(&source.name) {
            self.problems
                .add(format!("{field}.name"), "must be a DNS label: lower-case letters, digits and `-`");
        }
        if source.requires.is_empty() {
            self.problems.add(format!("{field}.requires"), "must name at least one state");
        }
        self.refuse_list_fields(field, &source.operation);
        self.refuse_capture(field, &source.operation);
        let captured = self.captured.clone();
        let known = Known { variables: AFTER_LOOK, captured: &captured };
        let allowed = Allowed { customer: true, captured: &captured };
        let operation = self.operation(field, &source.operation, Use::Destructive, allowed, known);
        if let Some(operation) = &operation {
            self.inspect_target(&operation.request);
            self.inspect_condition(&operation.request);
        }
        let idempotency = self.idempotency(source, operation.as_ref());
        let keep = self.named(&format!("{field}.keep"), &source.keep, known);
        Some(Step {
            name: source.name.clone(),
            operation: operation?,
            idempotency: idempotency?,
            keep: keep?,
        })
    }

    /// The customer's id occurs once, where nothing can widen what it names.
    fn inspect_target(&mut self, request: &RequestTemplate) {
        let ids = Ids::of(request);
        let path = "delete[0].request.path";
        match (ids.all, ids.whole) {
            (1, 1) => {}
            (0, _) => self.problems.add(path, "must contain `{customer.id}` exactly once as a whole segment"),
            (1, _) => self.problems.add(
                "delete[0].request",
                "`{customer.id}` must be a whole segment, query value or body value, or the end of a JSON text",
            ),
            _ => self.problems.add(path, "the request must contain `{customer.id}` exactly once"),
        }
    }

    /// A deletion that is declared to be conditional must carry what was seen.
    fn inspect_condition(&mut self, request: &RequestTemplate) {
        let has_if_match =
            request.headers.iter().any(|(name, value)| *name == http::header::IF_MATCH && value.has_vars());
        match self.source.guarantees.conditional_delete {
            ConditionalDelete::IfMatch if !has_if_match => {
                self.problems.add(
                    "delete[0].request.headers",
                    "`conditionalDelete: IfMatch` needs `If-Match: '{vars.NAME}'`",
                );
            }
            ConditionalDelete::Version if !uses_captured(request) => {
                self.problems.add(
                    "delete[0].request",
                    "`conditionalDelete: Version` needs a captured value: `{vars.NAME}`",
                );
            }
            ConditionalDelete::None | ConditionalDelete::IfMatch | ConditionalDelete::Version => {}
        }
    }

    /// `None` where it is wrong, `Some(None)` where there is none.
    fn idempotency(
        &mut self,
        source: &api::DeleteStep,
        operation: Option<&Operation>,
    ) -> Option<Option<(http::HeaderName, api::KeyScope)>> {
        let Some(key) = &source.idempotency_key else { return Some(None) };
        let field = "delete[0].idempotencyKey.header";
        let name = self.problems.take(field, requests::header_name(&key.header))?;
        let is_taken = operation
            .is_some_and(|operation| operation.request.headers.iter().any(|(taken, _)| *taken == name))
            || self.auth.iter().any(|placement| placement.place.header() == Some(&name));
        if is_taken {
            self.problems.add(field, "another header has this name");
        }
        Some(Some((name, key.scope)))
    }

    fn operation(
        &mut self,
        field: &str,
        source: &api::Operation,
        purpose: Use,
        allowed: Allowed<'_>,
        known: Known<'_>,
    ) -> Option<Operation> {
        let rules = rules::rules(&format!("{field}.classify"), &source.classify, known, self.problems);
        let field = format!("{field}.request");
        let request =
            requests::request(&field, &source.request, self.source, purpose, allowed, self.problems)?;
        self.refuse_auth_places(&field, &request);
        Some(Operation { request, rules })
    }

    fn refuse_auth_places(&mut self, field: &str, request: &RequestTemplate) {
        for placement in self.auth {
            if let Some(name) = placement.place.header()
                && request.headers.iter().any(|(taken, _)| taken == name)
            {
                self.problems.add(format!("{field}.headers.{name}"), "carries a credential: see `auth`");
            }
            if let Some(name) = placement.place.query()
                && request.query.iter().any(|(taken, _)| taken == name)
            {
                self.problems.add(format!("{field}.query.{name}"), "carries a credential: see `auth`");
            }
        }
    }

    /// Named expressions, `NAME` being usable in `vars.NAME`.
    fn named(
        &mut self,
        field: &str,
        source: &std::collections::BTreeMap<String, api::Expression>,
        known: Known<'_>,
    ) -> Option<Vec<(String, Expression)>> {
        let mut named = Vec::new();
        for (name, text) in source {
            if !is_identifier(name) {
                self.problems.add(format!("{field}.{name}"), "must have a name of letters, digits and `_`");
            }
            named.push((name.clone(), self.problems.expression(&format!("{field}.{name}"), &text.0, known)));
        }
        named.into_iter().map(|(name, compiled)| Some((name, compiled?))).collect()
    }

    fn refuse_list_fields(&mut self, field: &str, operation: &api::Operation) {
        for (name, is_set) in [
            ("items", operation.items.is_some()),
            ("emptyStatuses", operation.empty_statuses.is_some()),
            ("paginate", operation.paginate.is_some()),
        ] {
            if is_set {
                self.problems.add(format!("{field}.{name}"), "lists are read in `preflight` only");
            }
        }
    }

    fn refuse_capture(&mut self, field: &str, operation: &api::Operation) {
        if !operation.capture.is_empty() {
            self.problems.add(format!("{field}.capture"), "values are captured by `presence` only");
        }
    }
}

/// How often a request contains the customer's id.
struct Ids {
    all: usize,
    /// Of these, where it is a whole value, or the end of a JSON text (`gid://shopify/Customer/{customer.id}`).
    whole: usize,
}

impl Ids {
    fn of(request: &RequestTemplate) -> Self {
        let mut ids = Self { all: 0, whole: 0 };
        let in_path = request.path.iter().filter(|segment| segment.is_the_customer_id()).count();
        ids.add(in_path, in_path);
        for (_, text) in &request.headers {
            ids.add(text.customer_ids(), 0);
        }
        let form = match &request.body {
            Some(BodyTemplate::Form(fields)) => fields.as_slice(),
            Some(BodyTemplate::Json(_)) | None => &[],
        };
        for (_, text) in request.query.iter().chain(form) {
            ids.add(text.customer_ids(), usize::from(text.is_the_customer_id()));
        }
        if let Some(BodyTemplate::Json(json)) = &request.body {
            json.visit(&mut |text: Option<&Text>| match text {
                None => ids.add(1, 1),
                Some(text) => ids.add(text.customer_ids(), usize::from(text.ends_with_the_customer_id())),
            });
        }
        ids
    }

    fn add(&mut self, all: usize, whole: usize) {
        self.all += all;
        self.whole += whole;
    }
}

fn uses_captured(request: &RequestTemplate) -> bool {
    let mut in_body = false;
    match &request.body {
        Some(BodyTemplate::Json(json)) => json.visit(&mut |text| in_body |= text.is_some_and(Text::has_vars)),
        Some(BodyTemplate::Form(fields)) => in_body = fields.iter().any(|(_, text)| text.has_vars()),
        None => {}
    }
    in_body
        || request.query.iter().any(|(_, text)| text.has_vars())
        || request.headers.iter().any(|(_, text)| text.has_vars())
}

fn is_identifier(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
