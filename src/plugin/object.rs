//! Objects as they are.

use serde::Serialize;

use super::{args::Format, problem::Problem};

/// The object in the format that was asked for, with a line's end.
///
/// # Errors
/// `Input`, where it cannot be written: a bug of ours.
pub fn printed(object: &impl Serialize, format: Format) -> Result<String, Problem> {
    let failed = |why: &dyn std::fmt::Display| Problem::Input(format!("the object cannot be printed: {why}"));
    let mut text = match format {
        Format::Json => serde_json::to_string_pretty(object).map_err(|error| failed(&error))?,
        Format::Yaml => serde_saphyr::to_string(object).map_err(|error| failed(&error))?,
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
