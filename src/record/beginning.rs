//! What the beginning of a log tells before its entries are cut: its header, its columns, whether it is ours.
//!
//! Invariant: nothing here takes more of a log than its first line.

use super::csv::Columns;
use super::native::{self, Header};
use super::recognise::recognise;
use super::{Error, InputFormat};

/// Says whether a log is in our own format, which no mapping is for.
pub(super) fn is_ours(start: &[u8]) -> bool {
    let first = start.trim_ascii_start();
    first.starts_with(b"{\"pointsman\":") && recognise(first) == Some(InputFormat::Native)
}

/// Says whether the beginning of a log already tells how it is cut: two whole lines, of which none begins a larger value.
pub(super) fn is_shape_plain(start: &[u8]) -> bool {
    let text = bare(start).trim_ascii_start();
    let mut lines = text.split(|&byte| byte == b'\n');
    let first = lines.next().unwrap_or_default().trim_ascii();
    let is_whole = first.last() == Some(&b'}') || !matches!(first.first(), Some(b'{' | b'['));
    is_whole && lines.count() >= 2
}

/// Returns a text without the mark that some programs put before it.
pub(super) fn bare(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Takes the header row off a CSV file.
pub(super) fn take_columns(
    carry: &mut Vec<u8>,
    line: &mut u64,
    file: &str,
    format: InputFormat,
) -> Result<Columns, Error> {
    let columns = Columns::read(take_line(carry, line).trim(), b',');
    if let Some(column) = format.needed_columns().iter().find(|column| !columns.has(column)) {
        return Err(Error::Column { file: file.to_owned(), column, format });
    }
    Ok(columns)
}

/// Takes the first line off a file.
pub(super) fn take_line(carry: &mut Vec<u8>, line: &mut u64) -> String {
    let blank = carry.len() - carry.trim_ascii_start().len();
    let end = memchr::memchr(b'\n', carry.get(blank..).unwrap_or_default());
    let taken: Vec<u8> = carry.drain(..end.map_or(carry.len(), |at| blank + at + 1)).collect();
    *line += memchr::memchr_iter(b'\n', &taken).count() as u64;
    String::from_utf8_lossy(taken.trim_ascii()).into_owned()
}

/// Reads the header of a log in our format, if it has one, and refuses versions to come.
pub(super) fn first_header(start: &[u8], file: &str) -> Result<Option<Header>, Error> {
    let lines = start.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let Some(first) = lines.into_iter().find(|line| !line.is_empty()) else { return Ok(None) };
    let header = std::str::from_utf8(first).ok().and_then(native::header);
    header
        .transpose()
        .map_err(|refusal| Error::Header { file: file.to_owned(), reason: refusal.at_line(1).reason })
}
