//! Lines of our own format as they come over a wire, without a file around them.

use super::cut::MAX_ENTRY;
use super::skip::Refusal;
use super::{Entry, Skip, native};

/// Calls `f` for every entry of some lines, with the number of its line from 1; headers and empty lines are passed over.
pub fn each_line<'a>(lines: &'a str, mut f: impl FnMut(u64, Result<Entry<'a>, Skip>)) {
    for (number, line) in (1u64..).zip(lines.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if line.len() > MAX_ENTRY {
            let reason = format!("the entry is longer than {} MiB", MAX_ENTRY >> 20);
            f(number, Err(Refusal::Bad(reason).at_line(number)));
            continue;
        }
        match native::parse(line) {
            Ok(None) => {}
            Ok(Some(entry)) => f(number, Ok(entry)),
            Err(refusal) => f(number, Err(refusal.at_line(number))),
        }
    }
}
