//! Watches over the ledger's files while they are written: whether each is still the one that was opened, and as long as
//! what was written to it.
//!
//! Invariants: nothing here opens a file that the database has open without keeping it open as long as that; what is
//! found is told as trouble, and what only needs to be taken up anew says so.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::lock::{WriteLock, beside};
use super::schema::{Looks, looks};
use super::store::Store;
use super::{Durability, LedgerError};

/// What became of the files.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// They are as they were left.
    Sound,
    /// They have to be opened anew: everything written can still be reached from here, and from nowhere else.
    Reopen(&'static str),
    /// Nothing may be written, and why.
    Trouble(String),
}

/// Which file it is that stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u64, u64);

impl Place {
    /// Gives the file under a name, if there is one.
    pub(super) fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|found| Self::said(&found))
    }

    /// Gives an open file.
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

/// The files of a ledger that is written.
#[derive(Debug)]
pub(super) struct Guard {
    path: PathBuf,
    lock: WriteLock,
    /// The write-ahead log and its index.
    log: Option<File>,
    index: Option<File>,
    /// How long the ledger was at the last look.
    length: u64,
    /// What cannot be mended while this process has the files open.
    broken: Option<String>,
}

impl Guard {
    /// Watches the files from now on; the database is open and has been written to.
    pub(super) fn new(path: &Path, lock: WriteLock) -> Self {
        let mut guard = Self { path: path.to_owned(), lock, log: None, index: None, length: 0, broken: None };
        guard.take_up();
        guard
    }

    /// Takes note of the files beside a database that has just been opened.
    pub(super) fn take_up(&mut self) {
        let open = |suffix| File::open(beside(&self.path, suffix)).ok();
        // Windows knows no name without its file.
        (self.log, self.index) = if cfg!(unix) { (open("-wal"), open("-shm")) } else { (None, None) };
    }

    /// Lets go of the files beside a database that has been closed.
    pub(super) fn let_go(&mut self) {
        (self.log, self.index) = (None, None);
    }

    /// Says whether the ledger still stands under its name; all that is asked before each write.
    pub(super) fn is_there(&self) -> bool {
        self.broken.is_none() && Place::of(&self.path) == Place::of_file(self.lock.main())
    }

    /// Looks at all of the files.
    pub(super) fn look(&mut self) -> Finding {
        if let Some(broken) = &self.broken {
            return Finding::Trouble(broken.clone());
        }
        if !self.is_there() {
            return Finding::Trouble(MOVED.to_owned());
        }
        if let Some(broken) = self.damage() {
            self.broken = Some(broken.clone());
            return Finding::Trouble(broken);
        }
        for (file, suffix, what) in [(&self.log, "-wal", LOG_GONE), (&self.index, "-shm", INDEX_GONE)] {
            let opened = file.as_ref().and_then(Place::of_file);
            if opened.is_some() && Place::of(&beside(&self.path, suffix)) != opened {
                return Finding::Reopen(what);
            }
        }
        Finding::Sound
    }

    /// Opens the database anew.
    pub(super) fn open_store(&self, path: &Path, durability: Durability) -> Result<Store, LedgerError> {
        Store::open(path, durability, &self.lock)
    }

    /// Says whether the file that stands for the right to write is still there.
    pub(super) fn holds_lock(&self) -> bool {
        self.lock.stands()
    }

    /// Takes the right to write on the file that stands for it now.
    pub(super) fn renew_lock(&mut self) -> Result<(), LedgerError> {
        self.lock.renew()
    }

    /// Says what was done to the contents.
    fn damage(&mut self) -> Option<String> {
        let main = self.lock.main();
        if matches!(looks(main), Ok(Looks::Other | Looks::Empty)) {
            return Some(broken("the file was overwritten or emptied"));
        }
        let length = main.metadata().ok()?.len();
        let Some(index) = self.index.as_ref().and_then(Index::read) else {
            self.length = length;
            return None;
        };
        // Another program may have made it smaller in good order; then the index knows of it.
        if length < self.length.min(index.pages.saturating_mul(index.page)) {
            return Some(broken("the file was cut short"));
        }
        self.length = length;
        let log = self.log.as_ref()?.metadata().ok()?.len();
        (log < index.logged()).then(|| broken("its write-ahead log (-wal) was cut short"))
    }
}

const MOVED: &str = "the file was moved or deleted, or another stands in its place; put it back, or restart to begin a new one";
const LOG_GONE: &str = "its write-ahead log (-wal) was taken away";
const INDEX_GONE: &str = "the index of its write-ahead log (-shm) was taken away";

fn broken(what: &str) -> String {
    format!(
        "{what} while it was written; keep a copy, see `pointsman ledger check`, put a sound ledger in its place and restart"
    )
}

/// What the head of the shared index says of the write-ahead log; its form is part of SQLite's file format.
struct Index {
    page: u64,
    frames: u64,
    pages: u64,
}

impl Index {
    #[cfg(unix)]
    fn read(file: &File) -> Option<Self> {
        use std::os::unix::fs::FileExt as _;
        let mut head = [0; 96];
        file.read_exact_at(&mut head, 0).ok()?;
        Self::of(&head)
    }

    #[cfg(not(unix))]
    fn read(_: &File) -> Option<Self> {
        None
    }

    /// Reads the head, which stands there twice; none where the two differ, as it is being written.
    fn of(head: &[u8; 96]) -> Option<Self> {
        let (first, second) = head.split_at(48);
        let word = |at: usize| Some(u32::from_ne_bytes(first.get(at..at + 4)?.try_into().ok()?));
        let page = u16::from_ne_bytes(first.get(14..16)?.try_into().ok()?);
        let is_ready = first == second && first.get(12).is_some_and(|ready| *ready != 0);
        is_ready.then_some(Self {
            page: if page == 1 { 65_536 } else { u64::from(page) },
            frames: u64::from(word(16)?),
            pages: u64::from(word(20)?),
        })
    }

    /// Gives how long the write-ahead log has to be.
    fn logged(&self) -> u64 {
        if self.frames == 0 { 0 } else { 32 + self.frames * (self.page + 24) }
    }
}
