//! Lines of our own format as they come over a wire, without a file around them, and a file that lines are added to.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::block::giant;
use super::cut::MAX_ENTRY;
use super::input::{GZIP, ZSTD};
use super::{Entry, Skip, native};

/// Opens or makes a file that lines are added to, each in one piece; the last line of what is there gets its end where an editor
/// or a crash left none.
///
/// # Errors
/// Where it cannot be written, or is packed: plain lines would damage it.
pub fn open_to_add(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    let packed = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "lines are added to plain files alone, and it is packed; name another",
        )
    };
    if path.extension().is_some_and(|end| end == "gz" || end == "zst") {
        return Err(packed());
    }
    let mut file = how.create(true).read(true).append(true).open(path)?;
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(4).read_to_end(&mut start)?;
    if start.starts_with(&GZIP) || start == ZSTD {
        return Err(packed());
    }
    if !start.is_empty() {
        let mut last = [b'\n'];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != [b'\n'] {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

/// Calls `f` for every entry of some lines, with the number of its line from 1; headers and empty lines are passed over.
pub fn each_line<'a>(lines: &'a str, mut f: impl FnMut(u64, Result<Entry<'a>, Skip>)) {
    for (number, line) in (1u64..).zip(lines.lines()) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if line.len() > MAX_ENTRY {
            f(number, Err(giant(number)));
            continue;
        }
        match native::parse(line) {
            Ok(None) => {}
            Ok(Some(entry)) => f(number, Ok(entry)),
            Err(refusal) => f(number, Err(refusal.at_line(number))),
        }
    }
}
