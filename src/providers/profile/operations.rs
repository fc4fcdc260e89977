//! The operations of a profile, compiled: what each may use, and what each must contain.

use super::{
    Account, Check, Control, Operation, Presence, Problems, Step, facts, probe,
    requests::{self, Use},
    rules,
    target::{self, Ids},
};
use crate::{
    api,
    providers::{
        expression::{Expression, Known, Variable},
        http::{auth::Placement, classify::Rule, template::Allowed},
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
    pub(super) auth: &'a [Placement],
    captured: Vec<String>,
    pub(super) problems: &'a mut Problems,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(source: &'a api::Profile, auth: &'a [Placement], problems: &'a mut Problems) -> Self {
        let captured = source.presence.operation.capture.keys().cloned().collect();
        Self { source, auth, captured, problems }
    }

    pub(super) fn envelope(&mut self) -> Option<Expression> {
        let envelope = self.problems.expression("envelope", &self.source.envelope, WITHOUT_CUSTOMER)?;
        probe::inspect_envelope("envelope", &envelope, self.problems);
        Some(envelope)
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
        let fingerprint: Option<Vec<_>> = source
            .fingerprint
            .iter()
            .enumerate()
            .map(|(at, text)| expression(&format!("fingerprint[{at}]"), &text.0))
            .collect();
        if let Some(id) = &id {
            probe::inspect_id("presence.id", id, self.problems);
        }
        let inactive = self.proof("presence.inactive", &source.inactive);
        let tombstoned = self.proof("presence.tombstoned", &source.tombstoned);
        let absent = self.proof("presence.absent", &source.absent);
        Some(Presence {
            operation: operation?,
            id: id?,
            present: present?,
            inactive: inactive?,
            tombstoned: tombstoned?,
            absent: absent?,
            created_at: created_at?,
            fingerprint: fingerprint?,
            capture: capture?,
        })
    }

    /// A predicate that can end in "gone".
    fn proof(&mut self, field: &str, source: &str) -> Option<Expression> {
        let predicate = self.problems.expression(field, source, LOOK)?;
        probe::inspect(field, &predicate, self.problems);
        Some(predicate)
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
        } else if source.requires != [api::RequiredState::Present] {
            // Whoever asks for it would have customers deleted who are not deactivated.
            self.problems.add(
                format!("{field}.requires"),
                "deleting only who is deactivated, or them too, is not built yet: keep `[Present]`",
            );
        }
        self.refuse_list_fields(field, &source.operation);
        self.refuse_capture(field, &source.operation);
        let captured = self.captured.clone();
        let known = Known { variables: AFTER_LOOK, captured: &captured };
        let allowed = Allowed { customer: true, captured: &captured };
        let operation = self.operation(field, &source.operation, Use::Destructive, allowed, known);
        if let Some(operation) = &operation {
            target::inspect_target(&operation.request, self.problems);
            let promised = self.source.guarantees.conditional_delete;
            target::inspect_condition(&operation.request, promised, self.problems);
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
        self.refuse_auth_places(&field, &source.request);
        let request =
            requests::request(&field, &source.request, self.source, purpose, allowed, self.problems)?;
        Some(Operation { request, rules })
    }

    fn refuse_auth_places(&mut self, field: &str, request: &api::RequestTemplate) {
        let own = request.headers.keys().map(|name| (format!("{field}.headers.{name}"), name));
        let shared = self.source.headers.keys().map(|name| (format!("headers.{name}"), name));
        for (field, name) in own.chain(shared) {
            let is_taken = |taken: &http::HeaderName| name.eq_ignore_ascii_case(taken.as_str());
            if self.auth.iter().any(|placement| placement.place.header().is_some_and(is_taken)) {
                self.problems.add(field, "carries a credential: see `auth`");
            }
        }
        for name in request.query.keys() {
            if self.auth.iter().any(|placement| placement.place.query() == Some(name)) {
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

fn is_identifier(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
