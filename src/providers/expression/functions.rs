//! The functions on texts that CEL's standard library lacks. Their results are bounded, since CEL has no budget.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use cel::{
    Context, Env, ExecutionError, FunctionContext, Value,
    common::ast::{CallExpr, Expr},
    extractors::This,
    parser::Macro,
};
use regex::Regex;

use super::pattern::whole_text;

/// How long `replace` may make a text, in bytes, unless it was longer before: a loop may do it to every item.
pub(super) const MAX_GROWN_BYTES: usize = 1 << 10;

/// How many parts `split` may make: as many as the values of the longest answer.
pub(super) const MAX_PARTS: usize = 50_000;

pub(super) const LOWER_ASCII: &str = "lowerAscii";
pub(super) const REPLACE: &str = "replace";
pub(super) const SPLIT: &str = "split";

/// The names under which the functions are known.
pub(super) const NAMES: [&str; 3] = [LOWER_ASCII, REPLACE, SPLIT];

/// What `matches` becomes. Nobody can write this name.
pub(super) const MATCHES: &str = "@matches";

/// Patterns that are kept compiled. CEL's own `matches` compiles its pattern again for each item of a list.
static PATTERNS: LazyLock<Mutex<BTreeMap<String, Regex>>> = LazyLock::new(Mutex::default);

/// More than all profiles of an installation have; then the patterns are compiled anew.
const MAX_PATTERNS: usize = 1_000;

/// The standard library without optional values, `matches` being ours.
pub(super) fn environment() -> Env {
    let mut environment = Env::stdlib().with_optional_support(false);
    // Were the library to take a macro over one day, `matches` would be refused at load, and tests fail.
    let _library_wins = environment
        .add_macro(Macro::receiver("matches", 1, |helper, target, arguments| {
            let call = CallExpr {
                func_name: MATCHES.to_owned(),
                target: target.take().map(Box::new),
                args: std::mem::take(arguments),
            };
            Ok(Some(helper.next_expr(Expr::Call(call))))
        }))
        .and_then(|()| {
            environment.add_macro(Macro::global("matches", 2, |helper, _, arguments| {
                let args = std::mem::take(arguments);
                let call = CallExpr { func_name: MATCHES.to_owned(), target: None, args };
                Ok(Some(helper.next_expr(Expr::Call(call))))
            }))
        });
    environment
}

/// Adds the functions. A name that the standard library takes over one day is left to it.
pub(super) fn register(context: &mut Context<'_, '_>) {
    let _standard_wins = context
        .add_function(LOWER_ASCII, lower_ascii)
        .and_then(|()| context.add_function(REPLACE, replace))
        .and_then(|()| context.add_function(SPLIT, split))
        .and_then(|()| context.add_function(MATCHES, matches));
}

/// Whether the whole text matches; the pattern was checked at load.
fn matches(
    ftx: &FunctionContext,
    This(this): This<Arc<String>>,
    pattern: Arc<String>,
) -> Result<bool, ExecutionError> {
    let compiled = compiled(&pattern).map_err(|why| ftx.error(why))?;
    Ok(compiled.is_match(&this))
}

fn compiled(pattern: &str) -> Result<Regex, &'static str> {
    let mut patterns = PATTERNS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(compiled) = patterns.get(pattern) {
        return Ok(compiled.clone());
    }
    let compiled = whole_text(pattern)?;
    if patterns.len() >= MAX_PATTERNS {
        patterns.clear();
    }
    patterns.insert(pattern.to_owned(), compiled.clone());
    Ok(compiled)
}

fn lower_ascii(This(this): This<Arc<String>>) -> String {
    this.to_ascii_lowercase()
}

fn replace(
    ftx: &FunctionContext,
    This(this): This<Arc<String>>,
    from: Arc<String>,
    to: Arc<String>,
) -> Result<Value, ExecutionError> {
    let replaced = this.matches(from.as_str()).count();
    let kept = this.len().saturating_sub(replaced.saturating_mul(from.len()));
    let grown = replaced.saturating_mul(to.len()).saturating_add(kept);
    if grown > this.len().max(MAX_GROWN_BYTES) {
        return Err(ftx.error("the result is too long"));
    }
    Ok(Value::String(Arc::new(this.replace(from.as_str(), &to))))
}

fn split(
    ftx: &FunctionContext,
    This(this): This<Arc<String>>,
    separator: Arc<String>,
) -> Result<Value, ExecutionError> {
    let parts = this.split(separator.as_str());
    let parts: Vec<_> =
        parts.take(MAX_PARTS + 1).map(|part| Value::String(Arc::new(part.to_owned()))).collect();
    if parts.len() > MAX_PARTS {
        return Err(ftx.error("there are too many parts"));
    }
    Ok(Value::List(Arc::new(parts)))
}
