//! Opens the ledger for writing: takes the right to it, brings its tables up to date, settles what a crash left open.
//!
//! Invariant: whatever fails, nothing stays locked and no charge is changed, so it may be tried again.

use super::guard::Guard;
use super::lock::{WriteLock, owner_only_folder};
use super::options::now;
use super::recover::{Recovery, recover};
use super::sqlite::Sqlite;
use super::{LedgerError, LedgerOptions};

/// A ledger that is open for writing.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) store: Sqlite,
    // Behind the store: these files may be closed only when its database is.
    pub(super) guard: Guard,
    pub(super) recovery: Recovery,
}

/// Opens the ledger and begins a run in it.
pub(super) fn open(options: &LedgerOptions) -> Result<Opened, LedgerError> {
    let path = &options.path;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        owner_only_folder(folder)
            .map_err(|source| LedgerError::Folder { path: folder.to_owned(), source })?;
    }
    let lock = WriteLock::take(path)?;
    let mut store = match Sqlite::open(options, &lock) {
        Err(error) if error.is_busy() => {
            // Over a network a lock of one kind may keep out those of another.
            lock.unlock_main();
            Sqlite::open(options, &lock)?
        }
        opened => opened?,
    };
    let fault = |source| LedgerError::from_sqlite(path, "settling what was left open", source);
    let recovery = recover(&mut store, &options.run, now()).map_err(fault)?;
    let guard = Guard::new(path, lock);
    Ok(Opened { store, guard, recovery })
}
