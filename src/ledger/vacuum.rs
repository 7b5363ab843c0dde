//! Tidies a ledger that nobody writes: deletes prompts past their time and gives unused space back.

use std::path::Path;

use super::lock::{WriteLock, beside};
use super::options::now;
use super::sqlite::forget_prompts;
use super::{Durability, LedgerError, schema};

/// What tidying did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vacuumed {
    /// The size before, in bytes.
    pub before: u64,
    /// The size after.
    pub after: u64,
    /// Stored prompts and answers deleted after their time.
    pub prompts: usize,
}

/// Tidies a ledger. No charge is touched. `tick` hears how many of how many operations of an older one are brought up to date.
///
/// # Errors
/// Where someone writes it, or the disk has no room for the copy that SQLite makes on the way.
pub fn vacuum(path: &Path, tick: impl FnMut(u64, u64)) -> Result<Vacuumed, LedgerError> {
    if !path.exists() {
        return Err(LedgerError::Missing { path: path.to_owned() });
    }
    let lock = WriteLock::take(path)?;
    let fault = |what| move |source| LedgerError::from_sqlite(path, what, source);
    let conn = schema::open_to_write(path, Durability::Strict, &lock, tick)?;
    let before = size(path);
    let (prompts, _) = forget_prompts(&conn, now()).map_err(fault("deleting old prompts"))?;
    super::kept::forget(&conn, now()).map_err(fault("deleting what is known of old answers"))?;
    conn.execute_batch(
        "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA optimize",
    )
    .map_err(fault("tidying"))?;
    Ok(Vacuumed { before, after: size(path), prompts })
}

/// Returns the size of a ledger with what is not written back yet.
pub(super) fn size(path: &Path) -> u64 {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    size(path) + size(&beside(path, "-wal"))
}
