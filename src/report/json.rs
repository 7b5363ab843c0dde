//! JSON output: indented, in the order of the struct, ending in a newline.

use serde::Serialize;

/// Writes a report as indented JSON.
///
/// # Errors
/// Only where a value cannot be written as JSON, which no report has.
pub fn to_json<T: Serialize>(report: &T) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}
