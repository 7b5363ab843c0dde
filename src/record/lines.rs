//! Lines of our own format as they come over a wire, without a file around them, and a file that lines are added to.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::cut::MAX_ENTRY;
use super::skip::Refusal;
use super::{Entry, Skip, native};

/// Ends the last line of a file that more are added to, where it has no end: an editor or a crash may have left it so.
///
/// # Errors
/// Where it cannot be read or written.
pub fn end_line(file: &mut (impl Read + Seek + Write)) -> io::Result<()> {
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == [b'\n'] { Ok(()) } else { file.write_all(b"\n") }
}

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
