//! The CEL expressions of a profile: compiled once, evaluated on answers. An error is never a value.

mod cost;
mod functions;
mod inspect;
mod memory;
mod pattern;

use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
    time::Duration,
};

use cel::{Context, Env, ExecutionError, Program, Value, common::ast::Expr, objects::Map};
use jiff::Timestamp;

pub(crate) use inspect::{ExpressionProblem, Known, Variable};
pub(crate) use pattern::whole_text;

use super::{CustomerId, Response, captured::Captured};

/// The longest expression, in bytes. CEL has no budget at run time, so its size is bounded.
const MAX_BYTES: usize = 1_024;

/// How long one answer may be thought about. An evaluation cannot be cancelled; after this its result no longer counts.
const EVALUATION_LIMIT: Duration = Duration::from_secs(10);

/// Every compilation and every evaluation share one environment.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(functions::environment()));

/// One compiled expression.
#[derive(Debug)]
pub(crate) struct Expression {
    program: Program,
    /// The key that is selected last, as `after` in `response.json.paging.after`.
    last_key: Option<String>,
}

/// Why an expression gave nothing. Carries no value: an error of CEL would quote the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExpressionFailed {
    /// The key that is selected last is not there.
    LastKeyMissing,
    /// A key on the way is not there.
    KeyMissing,
    /// It gave a value of another type than is due here.
    WrongType,
    /// Anything else, a panic included.
    Failed,
}

/// A single value, as an expression gave it. Prints its type only.
#[derive(Clone, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Whole(i64),
    Number(f64),
    Truth(bool),
    Null,
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scalar::Text(_) => "Text",
            Scalar::Whole(_) => "Whole",
            Scalar::Number(_) => "Number",
            Scalar::Truth(_) => "Truth",
            Scalar::Null => "Null",
        })
    }
}

impl Expression {
    /// Compiles an expression that may use what is `known` where it stands.
    ///
    /// # Errors
    /// Every problem that shows before any answer is there: size, unknown names, patterns, nested loops, memory; of the syntax only
    /// the first, because the others follow from it.
    pub(crate) fn compile(source: &str, known: Known<'_>) -> Result<Self, Vec<ExpressionProblem>> {
        if source.len() > MAX_BYTES {
            return Err(vec![ExpressionProblem::whole(format!("must be at most {MAX_BYTES} bytes"))]);
        }
        let program = catch_unwind(|| ENVIRONMENT.compile(source))
            .map_err(|_| vec![ExpressionProblem::whole("does not compile")])?
            .map_err(|errors| vec![ExpressionProblem::of_syntax(errors.errors.first())])?;
        let problems = inspect::inspect(&program, known);
        if !problems.is_empty() {
            return Err(problems);
        }
        let last_key = match &program.expression().expr {
            Expr::Select(select) if !select.test => Some(select.field.clone()),
            _ => None,
        };
        Ok(Self { program, last_key })
    }

    /// True or false; anything else is an error.
    pub(crate) fn evaluate_bool(&self, scope: &Scope) -> Result<bool, ExpressionFailed> {
        match self.evaluate(scope)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(ExpressionFailed::WrongType),
        }
    }

    /// A text, number, truth value or null; anything else is an error.
    pub(crate) fn evaluate_scalar(&self, scope: &Scope) -> Result<Scalar, ExpressionFailed> {
        match self.evaluate(scope)? {
            Value::String(text) => Ok(Scalar::Text(Arc::unwrap_or_clone(text))),
            Value::Int(whole) => Ok(Scalar::Whole(whole)),
            Value::Float(number) => Ok(Scalar::Number(number)),
            Value::Bool(truth) => Ok(Scalar::Truth(truth)),
            Value::Null => Ok(Scalar::Null),
            _ => Err(ExpressionFailed::WrongType),
        }
    }

    /// A list; anything else is an error.
    pub(crate) fn evaluate_list(&self, scope: &Scope) -> Result<Vec<Value>, ExpressionFailed> {
        match self.evaluate(scope)? {
            Value::List(list) => Ok(Arc::unwrap_or_clone(list)),
            _ => Err(ExpressionFailed::WrongType),
        }
    }

    fn evaluate(&self, scope: &Scope) -> Result<Value, ExpressionFailed> {
        let evaluated = catch_unwind(AssertUnwindSafe(|| self.program.execute(&scope.context)));
        match evaluated {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(ExecutionError::NoSuchKey(key))) if Some(&*key) == self.last_key.as_ref() => {
                Err(ExpressionFailed::LastKeyMissing)
            }
            Ok(Err(ExecutionError::NoSuchKey(_))) => Err(ExpressionFailed::KeyMissing),
            Ok(Err(_)) | Err(_) => Err(ExpressionFailed::Failed),
        }
    }
}

/// The variables of an evaluation. Built where it is used, off the async threads; prints nothing.
pub(crate) struct Scope {
    context: Context<'static, 'static>,
}

impl Scope {
    /// `response` and `now`.
    pub(crate) fn of_response(response: &Response, now: Timestamp) -> Self {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        functions::register(&mut context);
        context.add_variable_from_value("now", now.as_second());
        context.add_variable_from_value(
            "response",
            map([
                ("status", Value::Int(response.status.into())),
                ("headers", map(response.headers.iter().map(|(name, value)| (name.as_str(), text(value))))),
                ("json", response.json.as_ref().map_or(Value::Null, of_json)),
                ("text", text(&response.text)),
            ]),
        );
        Self { context }
    }

    /// Adds `customer`.
    pub(crate) fn with_customer(mut self, id: &CustomerId) -> Self {
        self.context.add_variable_from_value("customer", map([("id", text(id.expose()))]));
        self
    }

    /// Adds `vars` and `prior`: what the look before captured.
    pub(crate) fn with_captured(mut self, captured: &Captured) -> Self {
        let vars = captured.vars().map(|(name, value)| (name, of_scalar(value)));
        self.context.add_variable_from_value("vars", map(vars));
        if let Some((state, status)) = captured.prior() {
            let prior = map([("state", text(state.as_str())), ("status", Value::Int(status.into()))]);
            self.context.add_variable_from_value("prior", prior);
        }
        self
    }

    /// Adds `items`: the list of all pages.
    pub(crate) fn with_items(mut self, items: Vec<Value>) -> Self {
        self.context.add_variable_from_value("items", Value::List(Arc::new(items)));
        self
    }
}

/// Runs `work` off the async threads, within a time limit.
///
/// # Errors
/// `ExpressionFailed::Failed`: it took too long, or panicked. Its answer, if one comes later, is dropped.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ExpressionFailed> {
    off_thread_within(EVALUATION_LIMIT, work).await
}

async fn off_thread_within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ExpressionFailed> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) | Err(_) => Err(ExpressionFailed::Failed),
    }
}

fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let entries: HashMap<String, Value> =
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Value::Map(Map::from(entries))
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

fn of_scalar(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Text(value) => text(value),
        Scalar::Whole(whole) => Value::Int(*whole),
        Scalar::Number(number) => Value::Float(*number),
        Scalar::Truth(truth) => Value::Bool(*truth),
        Scalar::Null => Value::Null,
    }
}

/// JSON as CEL sees it. Whole numbers are `int`, never `uint`: CEL refuses to calculate with a mixture. Those beyond 63 bits
/// become texts: a float would make different ids equal.
fn of_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => of_number(number),
        serde_json::Value::String(value) => text(value),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.iter().map(of_json).collect())),
        serde_json::Value::Object(entries) => {
            map(entries.iter().map(|(key, value)| (key.as_str(), of_json(value))))
        }
    }
}

fn of_number(number: &serde_json::Number) -> Value {
    match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(whole), _, _) => Value::Int(whole),
        (None, Some(whole), _) => text(&whole.to_string()),
        (None, None, Some(number)) => Value::Float(number),
        (None, None, None) => Value::Null,
    }
}

#[cfg(test)]
mod tests;
