//! The functions on texts that CEL's standard library lacks. Their results are bounded, since CEL has no budget.

use std::sync::Arc;

use cel::{Context, ExecutionError, FunctionContext, Value, extractors::This};

/// The longest text that a function may make, in bytes: as long as the longest answer.
const MAX_BYTES: usize = 1 << 20;

/// The names under which the functions are known.
pub(super) const NAMES: [&str; 3] = ["lowerAscii", "replace", "split"];

/// Adds the functions. A name that the standard library takes over one day is left to it.
pub(super) fn register(context: &mut Context<'_, '_>) {
    let _standard_wins = context
        .add_function(NAMES[0], lower_ascii)
        .and_then(|()| context.add_function(NAMES[1], replace))
        .and_then(|()| context.add_function(NAMES[2], split));
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
    let grown = this.matches(from.as_str()).count().saturating_mul(to.len()).saturating_add(this.len());
    if grown > MAX_BYTES {
        return Err(ftx.error("the result is too long"));
    }
    Ok(Value::String(Arc::new(this.replace(from.as_str(), &to))))
}

fn split(This(this): This<Arc<String>>, separator: Arc<String>) -> Arc<Vec<Value>> {
    Arc::new(this.split(separator.as_str()).map(|part| Value::String(Arc::new(part.to_owned()))).collect())
}
