//! The requests of a profile: what to send, how to read the answer, and what the answer is for.

use std::collections::BTreeMap;

use kube::{KubeSchema, core::Rule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;

/// A text of a header's value: visible ASCII, with placeholders.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
#[schemars(inline)]
pub struct HeaderValueTemplate(#[schemars(length(max = 1024))] pub String);

/// A text of a query or form value, with placeholders.
pub type ValueTemplate = HeaderValueTemplate;

/// The words of an HTTP method.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline)]
pub enum Method {
    #[default]
    GET,
    POST,
    PATCH,
    DELETE,
}

/// One HTTP request, as a template.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::text("path", r"^(/([^/?#{} \\]*|[{][a-z]+[.][A-Za-z0-9_:.-]+[}]))+$",
    "must start with `/` and contain no `?`, `#`, backslash or space; a placeholder such as `{customer.id}` is a whole segment"))]
#[x_kube(validation = rules::must("path", "!self.path.contains('//') && !self.path.contains('..')", "must not contain `//` or `..`"))]
pub struct RequestTemplate {
    /// GET, POST, PATCH or DELETE; `GET` by default. Reads are GET, or POST with `readOnly: true`; anything else stands only
    /// under `delete`.
    #[serde(default)]
    pub method: Method,
    /// The path below the provider object's `baseUrl`; starts with `/`. A placeholder is a whole segment, for example
    /// `/customers/{customer.id}`.
    #[schemars(length(max = 512))]
    pub path: String,
    /// Query parameters, for example `limit: "1"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub query: BTreeMap<String, ValueTemplate>,
    /// Headers of this request, besides the profile's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    #[x_kube(validation = rules::headers())]
    pub headers: BTreeMap<String, HeaderValueTemplate>,
    /// The body: JSON or a form; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyTemplate>,
    /// Set for a POST that only reads (GraphQL queries, searches); `false` by default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

/// Exactly one of `json` and `form`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.json) != has(self.form)").message("exactly one of `json` and `form` must be set"))]
pub struct BodyTemplate {
    /// A JSON object, sent as it stands; placeholders stand in its string values, for example `{objectId: "{customer.id}"}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub json: Option<serde_json::Value>,
    /// Form fields, for example `delete_payment_method: "true"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 16))]
    pub form: Option<BTreeMap<String, ValueTemplate>>,
}

fn any_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// One request and how its answer is read.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// What is sent.
    pub request: RequestTemplate,
    /// CEL: the list in an answer, page by page; `response.json` by default. Bound to `items`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub items: Option<String>,
    /// Statuses that mean an empty list; `[204]` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(range(min = 200, max = 299)), extend("x-kubernetes-list-type" = "set"))]
    pub empty_statuses: Option<Vec<i32>>,
    /// How to get the next page; absent means that there is one page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paginate: Option<Paginate>,
    /// Values for later requests of the same pass, by name: CEL, a scalar, for example `email: response.json.data.email`; then
    /// `{vars.email}` in a template, `vars.email` in an expression. In memory only: they may be personal data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    #[x_kube(validation = rules::names())]
    pub capture: BTreeMap<String, Expression>,
    /// Rules for this operation; the first match wins, before the profile's and the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub classify: Vec<ClassifyRule>,
}

/// A CEL expression over `response`, `customer`, `items`, `vars`, `prior` and `now`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Expression(#[schemars(length(min = 1, max = 1024))] pub String);

/// Exactly one way to page: `cursor`, `page`, `link` or `nextUrl`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.cursor) ? 1 : 0) + (has(self.page) ? 1 : 0) + (has(self.link) ? 1 : 0) + (has(self.nextUrl) ? 1 : 0) == 1")
    .message("exactly one of `cursor`, `page`, `link` and `nextUrl` must be set"))]
pub struct Paginate {
    /// The answer names a cursor, which goes into a query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<CursorPaging>,
    /// Numbered pages; a page that is not full is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<NumberedPaging>,
    /// A `Link` header with `rel="next"` (RFC 8288); written `link: {}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkPaging>,
    /// The answer names the next page's address, which must lie below the base URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_url: Option<NextUrlPaging>,
    /// More pages than this, and the answer counts as incomplete: 50 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_pages: Option<i32>,
    /// More items than this, and the answer counts as incomplete: 5,000 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_items: Option<i32>,
}

/// Paging by cursor.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CursorPaging {
    /// Query parameter that takes the cursor, for example `after`.
    #[schemars(length(min = 1, max = 64))]
    pub param: String,
    /// CEL: the next cursor, for example `response.json.pagination.after`; null, empty or missing ends.
    #[schemars(length(min = 1, max = 1024))]
    pub next: String,
}

/// Paging by number.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NumberedPaging {
    /// Query parameter that takes the page's number, for example `page`.
    #[schemars(length(min = 1, max = 64))]
    pub param: String,
    /// Number of the first page: 0 or 1.
    #[schemars(range(min = 0, max = 1))]
    pub start: i32,
    /// Query parameter that takes the page's size, for example `pageSize`.
    #[schemars(length(min = 1, max = 64))]
    pub size_param: String,
    /// Items per page, 1 to 1,000.
    #[schemars(range(min = 1, max = 1000))]
    pub size: i32,
}

/// Paging by `Link` header; written `{}`: it has no settings.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct LinkPaging {}

/// Paging by an address in the answer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NextUrlPaging {
    /// CEL: the next page's address; null, empty or missing ends.
    #[schemars(length(min = 1, max = 1024))]
    pub next: String,
}

/// How one kind of answer is understood.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::must("as", "!(self.__as__ in ['Succeeded', 'Pending', 'Partial']) || self.status.all(status, status >= 200 && status <= 299)",
    "only the statuses 200 to 299 may become Succeeded, Pending or Partial"))]
#[x_kube(validation = rules::must("retryAfter", "!has(self.retryAfter) || self.__as__ == 'RateLimited'", "belongs to `as: RateLimited`"))]
#[x_kube(validation = rules::text("reason", "^[A-Z][A-Za-z0-9]*$", "must be a word in PascalCase, such as DeletionRestricted"))]
pub struct ClassifyRule {
    /// HTTP statuses it applies to, for example `[403]`.
    #[schemars(length(min = 1, max = 16), inner(range(min = 100, max = 599)))]
    pub status: Vec<i32>,
    /// CEL: further condition, for example `response.json.code == 71`; `true` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub when: Option<String>,
    /// What the answer is: Succeeded, Pending, Partial, Transient, RateLimited, Auth, Forbidden, Conflict, NotFound, Invalid or
    /// Indeterminate. Only the statuses 200 to 299 may become one of the first three.
    #[serde(rename = "as")]
    pub class: AnswerWord,
    /// A word for people, in PascalCase, for example `DeletionRestricted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
    /// CEL: seconds to pause; only with `as: RateLimited`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub retry_after: Option<String>,
}

/// What an answer is classified to.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(inline)]
pub enum AnswerWord {
    Succeeded,
    Pending,
    Partial,
    Transient,
    RateLimited,
    Auth,
    Forbidden,
    Conflict,
    NotFound,
    Invalid,
    Indeterminate,
}

/// Everything but `delete` only reads.
fn is_a_read() -> Rule {
    rules::must(
        "request.method",
        "self.request.method == 'GET' || (self.request.method == 'POST' && has(self.request.readOnly) && self.request.readOnly)",
        "must be GET, or POST with `readOnly: true`: only `delete` changes anything",
    )
}

/// The control request.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = is_a_read())]
pub struct Control {
    /// The read.
    #[serde(flatten)]
    pub operation: Operation,
    /// CEL: whether the answer is a good one, for example `has(response.json.data)`.
    #[schemars(length(min = 1, max = 1024))]
    pub ok: String,
}

/// The account probe.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = is_a_read())]
pub struct AccountProbe {
    /// The read.
    #[serde(flatten)]
    pub operation: Operation,
    /// CEL: the account's name or number, for example `response.json.account.id`.
    #[schemars(length(min = 1, max = 1024))]
    pub value: String,
}

/// A look at a customer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = is_a_read())]
pub struct Presence {
    /// The read.
    #[serde(flatten)]
    pub operation: Operation,
    /// CEL: the id in the answer, for example `response.json.data.id`. It must equal the customer's id exactly.
    #[schemars(length(min = 1, max = 1024))]
    pub id: String,
    /// CEL: the customer is there and active. `response.status == 200` by default.
    #[serde(default = "default_present")]
    #[schemars(length(min = 1, max = 1024))]
    pub present: String,
    /// CEL: the customer is there and deactivated. `false` by default.
    #[serde(default = "never")]
    #[schemars(length(min = 1, max = 1024))]
    pub inactive: String,
    /// CEL: the provider shows a tombstone. `false` by default.
    #[serde(default = "never")]
    #[schemars(length(min = 1, max = 1024))]
    pub tombstoned: String,
    /// CEL: the provider says that there is no such customer. `response.status in [404, 410]` by default.
    #[serde(default = "default_absent")]
    #[schemars(length(min = 1, max = 1024))]
    pub absent: String,
    /// CEL: when the provider created the customer (RFC 3339). Older than `consistencyLag`: verification need not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub created_at: Option<String>,
    /// CEL, each: stable values that the provider assigned, which tell a customer from one that is created again under the same id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub fingerprint: Vec<Expression>,
}

fn default_present() -> String {
    "response.status == 200".to_owned()
}

fn never() -> String {
    "false".to_owned()
}

fn default_absent() -> String {
    "response.status in [404, 410]".to_owned()
}

/// Something that must not be there before a deletion.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = is_a_read())]
#[x_kube(validation = rules::dns_label("name"))]
pub struct Check {
    /// A DNS label, unique in the profile, for example `subscriptions`.
    #[schemars(length(max = 63))]
    pub name: String,
    /// The read.
    #[serde(flatten)]
    pub operation: Operation,
    /// CEL over `items` (all pages): true blocks, for example `items.exists(i, i.status != "paid")`. An error blocks, too.
    #[schemars(length(min = 1, max = 1024))]
    pub block_when: String,
    /// What an unanswered check does: `Block` by default; `Warn` shows it in the plan and goes on. Where people agreed to a plan
    /// in which it was answered, the answer is waited for.
    #[serde(default)]
    pub on_unavailable: OnUnavailable,
    /// The environments in which it is made; both, `[live, sandbox]`, by default.
    #[serde(default = "both_environments")]
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub environments: Vec<super::Environment>,
    /// Whether the provider object may ignore it, or an approver waive it; `true` by default.
    #[serde(default = "yes")]
    pub waivable: bool,
}

fn both_environments() -> Vec<super::Environment> {
    vec![super::Environment::live, super::Environment::sandbox]
}

const fn yes() -> bool {
    true
}

/// What an unanswered check does.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline)]
pub enum OnUnavailable {
    #[default]
    Block,
    Warn,
}

/// One destructive call.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::must("request.method", "self.request.method != 'GET'", "must be DELETE, POST or PATCH: a deletion is no read"))]
#[x_kube(validation = rules::must("request.readOnly", "!has(self.request.readOnly) || !self.request.readOnly", "must not be set: a deletion is no read"))]
#[x_kube(validation = rules::dns_label("name"))]
pub struct DeleteStep {
    /// A DNS label, unique in the profile, for example `delete`.
    #[schemars(length(max = 63))]
    pub name: String,
    /// `Soft` steps deactivate, `Hard` ones delete; `Hard` by default. The modes that a provider supports follow from its steps.
    #[serde(default)]
    pub phase: super::Mode,
    /// The call.
    #[serde(flatten)]
    pub operation: Operation,
    /// The states, in the fresh look before the intent, in which it may be sent; `[Present]`, the default, is the only one so far.
    #[serde(default = "present_only")]
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub requires: Vec<RequiredState>,
    /// An idempotency key, for providers that document one for this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// Values of the answer to keep in the record, by name: CEL, each matching `^[A-Za-z0-9_.:-]{1,128}$`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
    #[x_kube(validation = rules::names())]
    pub keep: BTreeMap<String, Expression>,
}

fn present_only() -> Vec<RequiredState> {
    vec![RequiredState::Present]
}

/// A state in which a step may be sent.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(inline)]
pub enum RequiredState {
    Present,
    Inactive,
}

/// Where an idempotency key goes, and how long one is used.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::header_name("header"))]
pub struct IdempotencyKey {
    /// Name of the header, for example `Idempotency-Key`.
    #[schemars(length(max = 64))]
    pub header: String,
    /// `Target`: the same key for all attempts; `Attempt`: a new one for each.
    pub scope: KeyScope,
}

/// How long an idempotency key is used.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(inline)]
pub enum KeyScope {
    Target,
    Attempt,
}
