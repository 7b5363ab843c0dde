//! One writer at a time: locks that the system takes away with the process, however that ends.
//!
//! Invariants: on Linux the ledger itself is locked beside the file that stands for it, so that taking one of the two away
//! lets nobody else in; a handle on the ledger lives at least as long as its database is open, for closing any would give
//! up the locks that SQLite holds on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::LedgerError;

/// Which file it is that stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64, u64);

impl Place {
    /// Returns the file under a name, if there is one.
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|found| Self::said(&found))
    }

    /// Returns an open file.
    pub(super) fn of_file(file: &File) -> Option<Self> {
        file.metadata().ok().map(|found| Self::said(&found))
    }

    #[cfg(unix)]
    fn said(found: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(found.dev(), found.ino())
    }

    #[cfg(not(unix))]
    fn said(_: &std::fs::Metadata) -> Self {
        Self(0, 0)
    }
}

/// Holds the right to write a ledger for as long as it lives.
#[derive(Debug)]
pub(super) struct WriteLock {
    ledger: PathBuf,
    own: File,
    main: File,
}

/// Returns a file that stands beside the ledger.
pub(super) fn beside(ledger: &Path, suffix: &str) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

impl WriteLock {
    /// Takes the lock, or says who holds it. Makes an empty ledger where there is none.
    pub(super) fn take(ledger: &Path) -> Result<Self, LedgerError> {
        let own = take_own(ledger)?;
        let fault = |source| LedgerError::Folder { path: ledger.to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        owner_only(&mut options);
        let main = options.open(ledger).map_err(fault)?;
        // Elsewhere this lock and those of SQLite are one kind, and it would lock itself out.
        if cfg!(target_os = "linux") && matches!(main.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(LedgerError::InUse { path: ledger.to_owned(), by: String::new() });
        }
        sign(&own);
        Ok(Self { ledger: ledger.to_owned(), own, main })
    }

    /// Returns the ledger's file.
    pub(super) fn main(&self) -> &File {
        &self.main
    }

    /// Leaves the ledger's own file unlocked, for file systems where that lock keeps SQLite out too.
    pub(super) fn unlock_main(&self) {
        if cfg!(target_os = "linux") {
            let _ = self.main.unlock();
        }
    }

    /// Says whether the file that stands for the lock is still the one that is locked.
    pub(super) fn stands(&self) -> bool {
        Place::of(&beside(&self.ledger, ".lock")) == Place::of_file(&self.own)
    }

    /// Takes the lock anew on the file that stands there now.
    pub(super) fn renew(&mut self) -> Result<(), LedgerError> {
        self.own = take_own(&self.ledger)?;
        sign(&self.own);
        Ok(())
    }
}

fn take_own(ledger: &Path) -> Result<File, LedgerError> {
    let path = beside(ledger, ".lock");
    let fault = |source| LedgerError::Folder { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    owner_only(&mut options);
    let mut file = options.open(&path).map_err(fault)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(LedgerError::InUse { path: ledger.to_owned(), by: holder(&mut file) })
        }
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}

/// Only for people: who it is decides nothing, and a full disk must not keep the ledger shut.
fn sign(mut file: &File) {
    let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
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

/// Makes a folder that only its owner may enter, and those above it.
pub(super) fn owner_only_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder)
}
