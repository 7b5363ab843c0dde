//! The file beside a ledger that keeps what the latest bill said of it.
//!
//! Invariant: one that cannot be read is taken for none: it is no more than something to look at.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::write_whole;
use crate::pricing::Billed;

/// Returns the file that belongs to a ledger or a log.
pub fn path_of(ledger: &Path) -> PathBuf {
    let mut name = OsString::from(ledger.as_os_str());
    name.push(".bill.json");
    name.into()
}

/// Reads what the latest bill said of a ledger; none where nobody kept it.
pub fn read(ledger: &Path) -> Option<Billed> {
    let text = std::fs::read_to_string(path_of(ledger)).ok()?;
    serde_json::from_str(&text).ok().filter(|billed: &Billed| billed.error().is_some())
}

/// Keeps what a bill said of a ledger, in place of what one before said.
///
/// # Errors
/// Where it cannot be written.
pub fn keep(ledger: &Path, billed: &Billed) -> io::Result<PathBuf> {
    let path = path_of(ledger);
    let text = serde_json::to_string_pretty(billed).map_err(io::Error::other)? + "\n";
    write_whole(&path, |file| io::Write::write_all(file, text.as_bytes()))?;
    Ok(path)
}
