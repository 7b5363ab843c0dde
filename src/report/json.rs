//! JSON output: indented, in the order of the struct, ending in a newline.

use std::fmt::Write as _;

use serde::Serialize;

use crate::units::is_safe;

/// Writes a report as indented JSON.
///
/// # Errors
/// Only where a value cannot be written as JSON, which no report has.
pub fn to_json<T: Serialize>(report: &T) -> Result<String, serde_json::Error> {
    let mut text = safe(&serde_json::to_string_pretty(report)?);
    text.push('\n');
    Ok(text)
}

/// Escapes what JSON leaves as it is, within strings, and some terminals take as commands or hide something by.
pub(super) fn safe(written: &str) -> String {
    let mut text = String::with_capacity(written.len() + 1);
    for c in written.chars() {
        // JSON leaves these as they are, within strings; some terminals take them as commands, or hide something by them.
        if c >= '\u{7f}' && !is_safe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}
