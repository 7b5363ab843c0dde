//! One writer at a time: a lock that the system takes away with the process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::LedgerError;

/// Holds the right to write a ledger for as long as it lives.
#[derive(Debug)]
pub(super) struct WriteLock {
    _file: File,
}

/// Gives the lock's file, which stands beside the ledger.
fn place(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

impl WriteLock {
    /// Takes the lock, or says who holds it.
    pub(super) fn take(ledger: &Path) -> Result<Self, LedgerError> {
        let path = place(ledger);
        let fails = |source| LedgerError::Folder { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        owner_only(&mut options);
        let mut file = options.open(&path).map_err(fails)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::InUse { path: ledger.to_owned(), by: holder(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(fails(source)),
        }
        // Only for people: who it is decides nothing, and a full disk must not keep the ledger shut.
        let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(20).read_to_string(&mut text));
    match (read, text.trim().parse::<u32>()) {
        (Ok(_), Ok(id)) => format!(" (process {id})"),
        _ => String::new(),
    }
}

/// Makes a new file readable to its owner alone.
#[cfg(unix)]
pub(super) fn owner_only(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

/// Makes a new file readable to its owner alone.
#[cfg(not(unix))]
pub(super) fn owner_only(_: &mut OpenOptions) {}
