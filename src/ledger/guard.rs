//! Watches over the ledger's files while they are written: whether each is still the one that was opened, and as long as
//! what was written to it.
//!
//! Invariants: nothing here opens a file that the database has open without keeping it open as long as that; what is
//! found is told as trouble, and what only needs to be taken up anew says so.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::lock::{Place, WriteLock, beside};
use super::schema::{Looks, looks};
use super::sqlite::Sqlite;
use super::wal::{self, Index, Seen};
use super::{LedgerError, LedgerOptions};

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

/// The files of a ledger that is written.
#[derive(Debug)]
pub(super) struct Guard {
    path: PathBuf,
    lock: WriteLock,
    /// The write-ahead log and its index.
    log: Option<File>,
    index: Option<File>,
    seen: Seen,
    /// How long the ledger was at the last look.
    length: u64,
    /// What cannot be mended while this process has the files open.
    broken: Option<String>,
}

impl Guard {
    /// Watches the files from now on; the database is open and has been written to.
    pub(super) fn new(path: &Path, lock: WriteLock) -> Self {
        let mut guard = Self {
            path: path.to_owned(),
            lock,
            log: None,
            index: None,
            seen: Seen::default(),
            length: 0,
            broken: None,
        };
        guard.take_up();
        guard
    }

    /// Takes note of the files beside a database that has just been opened.
    pub(super) fn take_up(&mut self) {
        let open = |suffix| File::open(beside(&self.path, suffix)).ok();
        // Windows knows no name without its file.
        self.seen = Seen::default();
        (self.log, self.index) = if cfg!(unix) { (open("-wal"), open("-shm")) } else { (None, None) };
    }

    /// Lets go of the files beside a database that has been closed.
    pub(super) fn let_go(&mut self) {
        (self.log, self.index) = (None, None);
    }

    /// Says whether the ledger still stands under its name.
    fn is_there(&self) -> bool {
        self.broken.is_none() && Place::of(&self.path) == Place::of_file(self.lock.main())
    }

    /// Says whether the files were damaged while they were open: nothing may be written back then.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Says whether the ledger is there, no shorter than it was, and its write-ahead log what was written to it; asked before
    /// each write and after it, and returns the log's length in pages.
    pub(super) fn stands(&mut self) -> Option<u64> {
        if !self.is_there() || self.lock.main().metadata().is_ok_and(|main| main.len() < self.length) {
            return None;
        }
        self.look_at_log(1).ok()
    }

    /// Says whether all of the write-ahead log may be written back: SQLite would copy a hole in it into the ledger, and make a
    /// ledger that was cut short as long as it was, with a hole.
    pub(super) fn may_write_back(&mut self) -> bool {
        if !self.is_there() {
            return false;
        }
        if let (Some(log), Some(index)) = (&self.log, &self.index) {
            // What writing back waits for before it copies; done here, nothing takes long between this look and the copy.
            let _ = log.sync_data();
            if self.seen.prove(log, index).is_err() {
                self.breaks(LOG_DAMAGED);
                return false;
            }
        }
        self.is_whole()
    }

    /// Says whether the ledger itself is as long as it was at the last look; asked before and after writing back.
    pub(super) fn is_whole(&mut self) -> bool {
        if let Some(what) = self.damage() {
            self.breaks(what);
        }
        self.broken.is_none()
    }

    /// Looks at all of the files.
    pub(super) fn look(&mut self) -> Finding {
        if let Some(broken) = &self.broken {
            return Finding::Trouble(broken.clone());
        }
        if !self.is_there() {
            return Finding::Trouble(MOVED.to_owned());
        }
        if let Some(what) = self.damage() {
            return Finding::Trouble(self.breaks(what));
        }
        if let Err(broken) = self.look_at_log(TURNS) {
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
    pub(super) fn open_store(&self, options: &LedgerOptions) -> Result<Sqlite, LedgerError> {
        Sqlite::open(options, &self.lock)
    }

    /// Says whether the file that stands for the right to write is still there.
    pub(super) fn holds_lock(&self) -> bool {
        self.lock.stands()
    }

    /// Takes the right to write on the file that stands for it now.
    pub(super) fn renew_lock(&mut self) -> Result<(), LedgerError> {
        self.lock.renew()
    }

    /// Looks at the write-ahead log, with so many of its pages in turn.
    fn look_at_log(&mut self, turns: u64) -> Result<u64, String> {
        let (Some(log), Some(index)) = (&self.log, &self.index) else { return Ok(0) };
        self.seen.look(log, index, turns).map_err(|_| self.breaks(LOG_DAMAGED))
    }

    /// Says what was done to the ledger itself.
    fn damage(&mut self) -> Option<&'static str> {
        let main = self.lock.main();
        if matches!(looks(main), Ok(Looks::Other | Looks::Empty)) {
            return Some("the file was overwritten or emptied");
        }
        let length = main.metadata().ok()?.len();
        let index = self.index.as_ref().and_then(Index::read);
        // Another program may have made it smaller in good order; then the index knows of it.
        let is_short =
            index.is_some_and(|index| length < self.length.min(index.pages.saturating_mul(index.page)));
        self.length = length;
        is_short.then_some("the file was cut short")
    }

    /// Writes no more from now on, and leaves a mark for whoever looks at the ledger later.
    fn breaks(&mut self, what: &str) -> String {
        let text = format!(
            "{what} while it was written; keep a copy, see `pointsman ledger check`, put a sound ledger in its place and restart"
        );
        self.broken = Some(text.clone());
        leave_mark(&self.path, what);
        self.set_aside();
        text
    }

    /// Takes a write-ahead log away of which less is whole than the ledger has already: the next to open the two would lay old
    /// pages over newer ones.
    fn set_aside(&self) {
        let (Some(log), Some(index)) = (&self.log, self.index.as_ref().and_then(Index::read)) else { return };
        let name = beside(&self.path, "-wal");
        if wal::whole(log, &index) < index.written_back && Place::of(&name) == Place::of_file(log) {
            let _ = std::fs::rename(&name, beside(&self.path, "-wal-damaged"));
        }
    }
}

/// Writes down beside a ledger what became of it; where that fails the program has said it all the same.
fn leave_mark(path: &Path, what: &str) {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    super::lock::owner_only(&mut options);
    let line = format!("{}: {what} while it was written\n", super::options::now());
    let written = options.open(beside(path, MARK)).and_then(|mut mark| mark.write_all(line.as_bytes()));
    if let Err(error) = written {
        tracing::warn!("the mark of a damaged ledger could not be written: {error}");
    }
}

/// Returns what was found about a ledger while it was written, a line each, as long as the mark of it lies beside it.
pub(super) fn marks(path: &Path) -> Vec<String> {
    let mark = beside(path, MARK);
    let Ok(text) = std::fs::read(&mark) else { return Vec::new() };
    let text = String::from_utf8_lossy(text.get(..4096).unwrap_or(&text)).into_owned();
    let hint = format!(
        "what was recorded last may be missing (delete {} when another ledger stands here)",
        mark.display()
    );
    text.lines().map(|line| format!("{line}; {hint}")).collect()
}

/// The end of the name under which a mark lies beside a ledger.
const MARK: &str = "-damaged";
/// Pages of the write-ahead log that are looked at each second.
const TURNS: u64 = 64;
const LOG_DAMAGED: &str = "its write-ahead log (-wal) was cut short or overwritten";
const MOVED: &str = "the file was moved or deleted, or another stands in its place; put it back, or restart to begin a new one";
const LOG_GONE: &str = "its write-ahead log (-wal) was taken away";
const INDEX_GONE: &str = "the index of its write-ahead log (-shm) was taken away";
