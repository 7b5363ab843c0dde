//! JSON output: indented, in the order of the struct, ending in a newline.

use std::fmt::Write as _;

use serde::Serialize;

/// Writes a report as indented JSON.
///
/// # Errors
/// Only where a value cannot be written as JSON, which no report has.
pub fn to_json<T: Serialize>(report: &T) -> Result<String, serde_json::Error> {
    let mut text = safe(&serde_json::to_string_pretty(report)?);
    text.push('\n');
    Ok(text)
}

/// Escapes what JSON leaves as it is, within strings, and some terminals take as commands.
pub(super) fn safe(written: &str) -> String {
    let mut text = String::with_capacity(written.len() + 1);
    for c in written.chars() {
        if ('\u{7f}'..='\u{9f}').contains(&c) {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}
