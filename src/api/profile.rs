//! A provider as data: what to ask, how to read the answers, what a deletion there means.
//!
//! The same shape is compiled in for the built-in providers and accepted as `customProfile`. Whether the expressions and
//! templates in it make sense is checked when a profile is loaded (`providers::profile`), not by the schema.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// How to look a customer up at one provider, check for blockers, delete, and verify.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// A DNS label that names the provider, for example `juicyway`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Addresses of the pages that the facts below come from. Not part of the profile hash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    pub docs: Vec<String>,
    /// What a customer id at this provider looks like. An id that does not fit is refused before any call.
    #[serde(default)]
    pub customer_id: CustomerIdRule,
    /// Where the credentials go in a request; all entries apply. Names in braces are names of credentials.
    #[schemars(length(min = 1, max = 8))]
    pub auth: Vec<AuthPlacement>,
    /// Headers of every request, in addition to `Accept: application/json`. Host, Authorization, Cookie, Content-Length,
    /// Transfer-Encoding, Connection and Proxy-* are refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub headers: BTreeMap<String, HeaderValueTemplate>,
    /// A cheap authenticated read that must succeed, with the same base URL and credential, for an absence to count.
    pub control: Control,
    /// CEL: whether a 404 or 410 carries the provider's own error format. A 404 without it proves nothing.
    #[serde(default = "default_envelope")]
    #[schemars(length(min = 1, max = 1024))]
    pub envelope: String,
    /// A read that names the account behind the credential. Its value is part of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountProbe>,
    /// Rules for every operation, after the operation's own; the first match wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub classify: Vec<ClassifyRule>,
    /// How fast this provider may be called. Not part of the profile hash.
    #[serde(default)]
    pub limits: ProfileLimits,
    /// What the provider promises about ids and time. The defaults are the pessimistic ones.
    #[serde(default)]
    pub guarantees: Guarantees,
    /// What a deletion is here: the upper bound of every result.
    pub finality: Finality,
    /// What a deletion does, in words for the approver.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 200)))]
    pub effects: Vec<String>,
    /// What the provider keeps nevertheless. Anything here caps the result at `ErasedWithRetention`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 200)))]
    pub retains: Vec<String>,
    /// What happens to personal data.
    pub erasure: Erasure,
    /// How to look at a customer.
    pub presence: Presence,
    /// Checks that must be clear before a deletion; read at planning and again before the intent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub preflight: Vec<Check>,
    /// The destructive calls, in order. More than one step needs a capability that is not built yet and is refused.
    #[schemars(length(min = 1, max = 4))]
    pub delete: Vec<DeleteStep>,
    /// How "gone" is established.
    #[serde(default)]
    pub verify: VerifyRule,
}

fn default_envelope() -> String {
    "response.json != null".to_owned()
}

/// The shape of a customer id.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CustomerIdRule {
    /// A regular expression, anchored at both ends. Empty ids, `.`, `..`, `/`, `%` and control characters are always refused.
    #[serde(default = "default_id_pattern")]
    #[schemars(length(min = 1, max = 256))]
    pub pattern: String,
    /// Set where ids are whole numbers: leading zeros and values outside the range are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integer: Option<IntegerRange>,
}

fn default_id_pattern() -> String {
    "^[A-Za-z0-9._~:@-]{1,128}$".to_owned()
}

impl Default for CustomerIdRule {
    fn default() -> Self {
        Self { pattern: default_id_pattern(), integer: None }
    }
}

/// The smallest and the largest id, both inclusive.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct IntegerRange {
    /// Smallest id.
    pub min: i64,
    /// Largest id.
    pub max: i64,
}

/// A text of a header's value: visible ASCII, with placeholders.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(transparent)]
#[schemars(inline)]
pub struct HeaderValueTemplate(#[schemars(length(max = 1024))] pub String);

/// A text of a query or form value, with placeholders.
pub type ValueTemplate = HeaderValueTemplate;

/// Where credentials go: exactly one of `header` with `value`, `query` with `value`, or `basic`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("(has(self.header) ? 1 : 0) + (has(self.query) ? 1 : 0) + (has(self.basic) ? 1 : 0) == 1")
    .message("exactly one of `header`, `query` and `basic` must be set"))]
#[x_kube(validation = kube::core::Rule::new("has(self.basic) != has(self.value)")
    .message("`value` belongs to `header` and `query`, and is required there"))]
pub struct AuthPlacement {
    /// Name of a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub header: Option<String>,
    /// Name of a query parameter. It is redacted everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub query: Option<String>,
    /// HTTP basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,
    /// The header's or parameter's value; `{token}` stands for the credential `token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub value: Option<String>,
    /// Left out of the request where the provider object does not configure the credential.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What the credential looks like in each environment: a wrong one is found without a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<ExpectedCredential>,
}

/// User name and password of HTTP basic authentication; `{key}` stands for the credential `key`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuth {
    /// User name.
    #[schemars(length(max = 256))]
    pub username: String,
    /// Password; may be empty.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub password: String,
}

/// Regular expressions on the credential's value, one for each environment.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExpectedCredential {
    /// In environment `live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub live: Option<String>,
    /// In environment `sandbox`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub sandbox: Option<String>,
}

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
pub struct RequestTemplate {
    /// `GET` by default. Reads are GET, or POST with `readOnly: true`; anything else stands only under `delete`.
    #[serde(default)]
    pub method: Method,
    /// The path below the provider object's `baseUrl`; starts with `/`. A placeholder is a whole segment.
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^/"))]
    pub path: String,
    /// Query parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub query: BTreeMap<String, ValueTemplate>,
    /// Headers of this request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub headers: BTreeMap<String, HeaderValueTemplate>,
    /// The body: JSON or a form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyTemplate>,
    /// Set for a POST that only reads (GraphQL queries, searches).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

/// Exactly one of `json` and `form`.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("has(self.json) != has(self.form)").message("exactly one of `json` and `form` must be set"))]
pub struct BodyTemplate {
    /// A JSON object; placeholders stand in its string values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub json: Option<serde_json::Value>,
    /// Form fields.
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
    /// What to send.
    pub request: RequestTemplate,
    /// CEL: the list in an answer, page by page; `response.json` by default. Bound to `items`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub items: Option<String>,
    /// Statuses that mean an empty list; `[204]` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), inner(range(min = 200, max = 299)))]
    pub empty_statuses: Option<Vec<i32>>,
    /// How to get the next page; absent means that there is one page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paginate: Option<Paginate>,
    /// Values for later requests of the same pass, by name: CEL, a scalar. In memory only: they may be personal data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
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
#[x_kube(validation = kube::core::Rule::new("(has(self.cursor) ? 1 : 0) + (has(self.page) ? 1 : 0) + (has(self.link) ? 1 : 0) + (has(self.nextUrl) ? 1 : 0) == 1")
    .message("exactly one of `cursor`, `page`, `link` and `nextUrl` must be set"))]
pub struct Paginate {
    /// The answer names a cursor, which goes into a query parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<CursorPaging>,
    /// Numbered pages; a page that is not full is the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<NumberedPaging>,
    /// A `Link` header with `rel="next"` (RFC 8288).
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
    /// Query parameter that takes the cursor.
    #[schemars(length(min = 1, max = 64))]
    pub param: String,
    /// CEL: the next cursor; null, empty or missing ends.
    #[schemars(length(min = 1, max = 1024))]
    pub next: String,
}

/// Paging by number.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct NumberedPaging {
    /// Query parameter that takes the page's number.
    #[schemars(length(min = 1, max = 64))]
    pub param: String,
    /// Number of the first page.
    #[schemars(range(min = 0, max = 1))]
    pub start: i32,
    /// Query parameter that takes the page's size.
    #[schemars(length(min = 1, max = 64))]
    pub size_param: String,
    /// Items per page.
    #[schemars(range(min = 1, max = 1000))]
    pub size: i32,
}

/// Paging by `Link` header; has no settings.
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
pub struct ClassifyRule {
    /// HTTP statuses it applies to.
    #[schemars(length(min = 1, max = 16), inner(range(min = 100, max = 599)))]
    pub status: Vec<i32>,
    /// CEL: further condition; `true` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub when: Option<String>,
    /// The class. Only 200 to 299 may become Succeeded, Pending or Partial.
    #[serde(rename = "as")]
    pub class: AnswerWord,
    /// A word for people, in PascalCase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub reason: Option<String>,
    /// CEL: seconds to pause, for RateLimited.
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

/// The control request.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// The read.
    #[serde(flatten)]
    pub operation: Operation,
    /// CEL: whether the answer is a good one.
    #[schemars(length(min = 1, max = 1024))]
    pub ok: String,
}

/// The account probe.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AccountProbe {
    /// The read.
    #[serde(flatten)]
    pub operation: Operation,
    /// CEL: the account's name or number.
    #[schemars(length(min = 1, max = 1024))]
    pub value: String,
}

/// A look at a customer.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Presence {
    /// The read.
    #[serde(flatten)]
    pub operation: Operation,
    /// CEL: the id in the answer. It must equal the customer's id exactly.
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
pub struct Check {
    /// A DNS label, for example `subscriptions`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The read.
    #[serde(flatten)]
    pub operation: Operation,
    /// CEL over `items` (all pages): true blocks. An error blocks, too.
    #[schemars(length(min = 1, max = 1024))]
    pub block_when: String,
    /// What an unanswered check does: `Block` by default; `Warn` shows it in the plan and goes on.
    #[serde(default)]
    pub on_unavailable: OnUnavailable,
    /// The environments in which it is made; both by default.
    #[serde(default = "both_environments")]
    #[schemars(length(min = 1, max = 2))]
    pub environments: Vec<super::Environment>,
    /// Whether the provider object may ignore it, or an approver waive it; true by default.
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
pub struct DeleteStep {
    /// A DNS label, for example `delete`.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// `Soft` steps deactivate; `Hard` ones delete. The modes that a provider supports follow from its steps.
    #[serde(default)]
    pub phase: super::Mode,
    /// The call.
    #[serde(flatten)]
    pub operation: Operation,
    /// The states, in the fresh look before the intent, in which it may be sent; `[Present]` by default.
    #[serde(default = "present_only")]
    #[schemars(length(min = 1, max = 2))]
    pub requires: Vec<RequiredState>,
    /// An idempotency key, for providers that document one for this call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// Values of the answer to keep in the record, by name: CEL, each matching `^[A-Za-z0-9_.:-]{1,128}$`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 8))]
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
pub struct IdempotencyKey {
    /// Name of the header.
    #[schemars(length(min = 1, max = 64))]
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

/// Speed limits of a provider.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProfileLimits {
    /// Used where the provider object says nothing; 60 per minute, burst 2, 1 in flight by default.
    #[serde(default)]
    pub default: Limits,
    /// The most that a provider object may ask for; more is cut to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Limits>,
}

/// How fast a provider object may be called.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Requests per minute, of all kinds.
    #[schemars(range(min = 1, max = 60_000))]
    pub requests_per_minute: i32,
    /// How many may go out at once after a pause.
    #[schemars(range(min = 1, max = 1_000))]
    pub burst: i32,
    /// Requests in flight at the same time.
    #[schemars(range(min = 1, max = 100))]
    pub max_in_flight: i32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_minute: 60, burst: 2, max_in_flight: 1 }
    }
}

/// What the provider promises.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Guarantees {
    /// Whether an id may be given to another customer later.
    #[serde(default)]
    pub id_reuse: IdReuse,
    /// Whether the provider can be asked to delete only what was seen.
    #[serde(default)]
    pub conditional_delete: ConditionalDelete,
    /// After this long, every read shows every earlier write; 60s by default.
    #[serde(default = "one_minute")]
    pub consistency_lag: Span,
    /// After this long, a request that we gave up on is executed or dead; 60s by default.
    #[serde(default = "one_minute")]
    pub max_request_lifetime: Span,
    /// Whether a 429 is documented to be answered before anything is done.
    #[serde(default, rename = "rejects429BeforeExecution")]
    pub rejects_429_before_execution: bool,
}

const fn one_minute() -> Span {
    Span::seconds(60)
}

impl Default for Guarantees {
    fn default() -> Self {
        Self {
            id_reuse: IdReuse::Unknown,
            conditional_delete: ConditionalDelete::None,
            consistency_lag: one_minute(),
            max_request_lifetime: one_minute(),
            rejects_429_before_execution: false,
        }
    }
}

/// Whether an id may be given to another customer later.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline)]
pub enum IdReuse {
    Never,
    Possible,
    #[default]
    Unknown,
}

/// Whether a deletion can be made conditional on what was seen.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline)]
pub enum ConditionalDelete {
    #[default]
    None,
    IfMatch,
    Version,
}

/// What a deletion is at a provider.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(inline)]
pub enum Finality {
    HardDelete,
    Redaction,
    SoftDelete,
    Archive,
    DeletionRequested,
}

/// What a deletion does to personal data.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Erasure {
    /// How much of it is erased.
    pub scope: ErasureScope,
    /// How long backups keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_retention: Option<Span>,
    /// How long the provider can undo the deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversible_for: Option<Span>,
    /// What a person must do for the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manual_step: Option<ManualStep>,
}

/// How much personal data a deletion erases.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
#[schemars(inline)]
pub enum ErasureScope {
    Full,
    Partial,
    None,
    Scheduled,
}

/// A step that a person must take.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ManualStep {
    /// What to do.
    #[schemars(length(min = 1, max = 200))]
    pub text: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub url: Option<String>,
}

/// How "gone" is established.
#[derive(Serialize, Deserialize, KubeSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct VerifyRule {
    /// What it means that an accepted deletion still shows the customer at the deadline.
    #[serde(default)]
    pub when_present: WhenPresent,
    /// Used where the provider object says nothing. Not part of the profile hash.
    #[serde(default)]
    pub default: super::Verify,
}

/// What a customer that is still shown after an accepted deletion means.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[schemars(inline)]
pub enum WhenPresent {
    #[default]
    StillPresent,
    NotObservable,
}
