//! The handle that everyone holds: recording never waits, waiting for a commit has an end.
//!
//! Invariants: an operation is kept whole or given up whole, so a full queue never leaves half an account; what is
//! given up is counted with its money.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant as Moment, SystemTime, UNIX_EPOCH};

use rustc_hash::FxHashSet;
use tokio::sync::watch;

use super::entry::Shift;
use super::recover::Recovery;
use super::{Cursor, Entry, Head, Health, LedgerError, LedgerState, Sum, opening, writer};
use crate::units::Instant;

/// What a commit promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the program loses nothing committed; a power failure may lose the last moments.
    #[default]
    Normal,
    /// What is committed is on the disk.
    Strict,
}

/// What a run is written down with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Program and version.
    pub program: String,
    /// Where it listens.
    pub listen: String,
    /// The classifier's name and hash.
    pub classifier: String,
    /// The price book's name and date.
    pub prices: String,
}

/// How a ledger is kept.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// The file.
    pub path: PathBuf,
    /// What a commit promises.
    pub durability: Durability,
    /// How long entries gather before they are written, unless someone waits for them.
    pub batch: Duration,
    /// The most entries that wait in memory while nothing can be written; operations under way may exceed it a little.
    pub queue_limit: usize,
    /// How long a commit is waited for.
    pub deadline: Duration,
    /// What the run is written down with.
    pub run: Run,
    /// The gateway that writes, by its id; the one whose ledger it is where none is named.
    pub gateway: Option<String>,
    /// Hears how many of how many operations of an older ledger have been brought up to date.
    pub progress: fn(u64, u64),
}

impl LedgerOptions {
    /// Keeps a ledger at a path, everything else as usual.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Normal,
            batch: Duration::from_millis(10),
            queue_limit: 200_000,
            deadline: Duration::from_secs(2),
            run: Run { program: format!("pointsman {}", env!("CARGO_PKG_VERSION")), ..Run::default() },
            gateway: None,
            progress: |_, _| {},
        }
    }
}

/// A ledger that is open for writing. Clones share it; the last one to go closes it.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) shared: Arc<Shared>,
    owner: Arc<Owner>,
}

/// What handles and writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: LedgerOptions,
    inner: Mutex<Inner>,
    /// Wakes the writer.
    pub(super) wake: Condvar,
    /// How many entries are committed; [`u64::MAX`] when nothing ever will be again.
    pub(super) committed: watch::Sender<u64>,
}

/// What changes.
#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) queue: Vec<Entry>,
    /// Entries taken by the writer and not committed yet.
    pub(super) in_flight: usize,
    /// Bytes of the entries that wait, roughly, and of those with the writer.
    bytes: usize,
    in_flight_bytes: usize,
    /// Entries recorded so far.
    pub(super) recorded: u64,
    /// Entries committed so far.
    pub(super) committed: u64,
    /// Someone waits until this many are committed.
    pub(super) urgent: u64,
    pub(super) closing: bool,
    /// The writer waits for the first entry of a batch.
    pub(super) sleeps: bool,
    /// Why nothing is written any more.
    pub(super) ended: Option<String>,
    pub(super) failing: Option<Failing>,
    pub(super) lost: Lost,
    /// Operations given up whose further entries are still to come.
    refused: FxHashSet<u64>,
    /// Since when the oldest entry waits.
    pub(super) waiting: Option<Moment>,
    pub(super) last_commit: Option<Instant>,
    /// Where the chain ended then.
    pub(super) head: Option<Head>,
    pub(super) size: u64,
    /// What stands in the file before the first operation of this run, where that was not known when it began.
    pub(super) shift: Shift,
    /// What somebody should be told; the newest few.
    pub(super) remarks: VecDeque<String>,
}

/// Trouble that lasts.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    pub(super) reason: String,
    pub(super) since: Instant,
    pub(super) began: Moment,
}

/// What was given up.
#[derive(Clone, Debug, Default)]
pub(super) struct Lost {
    /// All of it, since the start.
    pub(super) entries: u64,
    /// What no note in the ledger tells of yet.
    pub(super) untold: u64,
    /// Since when.
    pub(super) since: Option<Instant>,
    /// Its operations.
    pub(super) operations: u64,
    /// Its charges.
    pub(super) charges: Sum,
}

/// Joins the writer when the last handle goes.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How many waiting entries count as a full batch.
pub(super) const FULL: usize = 4_096;
/// How long entries may wait before the ledger says that it is behind.
const BEHIND: Duration = Duration::from_secs(1);
/// How many remarks wait to be told.
const REMARKS: usize = 16;

impl Ledger {
    /// Opens the ledger, settles what a crash left open, and starts the writer.
    ///
    /// # Errors
    /// Where the file cannot be used: another process writes it, it is damaged, newer, or no ledger.
    pub fn open(options: LedgerOptions) -> Result<(Self, Recovery), LedgerError> {
        let opened = opening::open(&options)?;
        let recovery = opened.recovery.clone();
        let marks = super::guard::marks(&options.path);
        let shared = Shared::new(options);
        // Known at once, not when the writer's thread has begun.
        shared.lock().head = Some(opened.store.head());
        for mark in marks {
            shared.lock().remark(mark);
        }
        Ok((Self::start(shared, |shared| writer::run(shared, opened))?, recovery))
    }

    /// Stands in for a ledger that could not be opened, and goes on trying. What is recorded meanwhile waits in memory and
    /// takes its place behind what the file holds, whatever numbers it was given.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn open_later(options: LedgerOptions, error: &LedgerError) -> Result<Self, LedgerError> {
        let shared = Shared::new(options);
        shared.lock().note_failure(&error.in_a_line());
        Self::start(shared, writer::run_later)
    }

    fn start(shared: Arc<Shared>, run: impl FnOnce(&Shared) + Send + 'static) -> Result<Self, LedgerError> {
        let its = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("ledger".to_owned()).spawn(move || run(&its));
        let thread =
            thread.map_err(|source| LedgerError::Folder { path: shared.options.path.clone(), source })?;
        Ok(Self::over(shared, Some(thread)))
    }

    /// Stands in for a ledger that nobody wants: keeps nothing, and says so.
    pub fn absent(options: LedgerOptions, reason: impl Into<String>) -> Self {
        let shared = Shared::new(options);
        shared.end(reason.into());
        Self::over(shared, None)
    }

    fn over(shared: Arc<Shared>, thread: Option<JoinHandle<()>>) -> Self {
        let owner = Arc::new(Owner { shared: Arc::clone(&shared), thread: Mutex::new(thread) });
        Self { shared, owner }
    }

    /// Records an entry. Never waits on the disk.
    pub fn record(&self, entry: Entry) {
        self.record_all([entry]);
    }

    /// Records an entry without waking the writer: [`Self::wake`] has to follow soon.
    ///
    /// Waking a thread costs more than recording, and at a moment when somebody waits for an answer.
    pub fn record_quietly(&self, entry: Entry) {
        self.shared.lock().take(entry, self.shared.options.queue_limit);
    }

    /// Wakes the writer, if anything waits for it.
    pub fn wake(&self) {
        let mut inner = self.shared.lock();
        // One that gathers a batch wakes by itself when that is full or its time is up.
        if !inner.queue.is_empty() && std::mem::take(&mut inner.sleeps) {
            drop(inner);
            self.shared.wake.notify_one();
        }
    }

    /// Records entries that belong together.
    pub fn record_all(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut inner = self.shared.lock();
        let before = inner.queue.len();
        for entry in entries {
            inner.take(entry, self.shared.options.queue_limit);
        }
        let after = inner.queue.len();
        // A writer that waits for more to come is woken again only where the batch is full.
        let wakes = after > before && (std::mem::take(&mut inner.sleeps) || (before < FULL && after >= FULL));
        drop(inner);
        if wakes {
            self.shared.wake.notify_one();
        }
    }

    /// Waits until everything recorded so far is committed.
    ///
    /// # Errors
    /// Where that takes longer than the deadline, or nothing can be written; traffic then goes on as the policy says.
    pub async fn commit(&self) -> Result<(), LedgerError> {
        let (target, untold) = {
            let mut inner = self.shared.lock();
            if let Some(reason) = &inner.ended {
                return Err(LedgerError::Closed(reason.clone()));
            }
            let deadline = self.shared.options.deadline;
            // Trouble that has lasted longer than anyone waits makes nobody wait again.
            if let Some(failing) = &inner.failing
                && failing.began.elapsed() >= deadline
            {
                return Err(LedgerError::Late { waited: Duration::ZERO, reason: failing.reason.clone() });
            }
            inner.urgent = inner.urgent.max(inner.recorded);
            (inner.recorded, inner.lost.untold)
        };
        self.shared.wake.notify_one();
        let mut committed = self.shared.committed.subscribe();
        let waited = self.shared.options.deadline;
        let done = tokio::time::timeout(waited, committed.wait_for(|done| *done >= target)).await;
        let done = done.map(|done| done.map(|done| *done));
        match done {
            Ok(Ok(done)) if done < u64::MAX => match untold {
                0 => Ok(()),
                lost => Err(LedgerError::Lost { lost }),
            },
            Ok(_) => Err(LedgerError::Closed(self.shared.lock().ended.clone().unwrap_or_default())),
            Err(_) => {
                let failing = self.shared.lock().failing.clone();
                let reason = failing.map_or_else(|| "the disk is slow".to_owned(), |failing| failing.reason);
                Err(LedgerError::Late { waited, reason })
            }
        }
    }

    /// Says how the ledger is doing.
    pub fn state(&self) -> LedgerState {
        let inner = self.shared.lock();
        let queued = inner.queue.len() + inner.in_flight;
        let failing = |reason: &str, since| Health::Failing {
            reason: reason.to_owned(),
            since,
            queued,
            lost: inner.lost.untold,
        };
        let since = inner.failing.as_ref().map(|failing| failing.since).or(inner.lost.since);
        let health = match (&inner.ended, &inner.failing) {
            (Some(reason), _) => failing(reason, since.unwrap_or_default()),
            (None, Some(trouble)) => failing(&trouble.reason, trouble.since),
            (None, None) if inner.lost.untold > 0 => {
                failing("more came in than could be written", since.unwrap_or_default())
            }
            (None, None) if inner.waiting.is_some_and(|since| since.elapsed() > BEHIND) => {
                Health::Behind { queued }
            }
            (None, None) => Health::Ok,
        };
        LedgerState {
            path: self.shared.options.path.clone(),
            size: inner.size,
            last_commit: inner.last_commit,
            durability: self.shared.options.durability,
            written: inner.committed,
            lost: inner.lost.entries,
            health,
        }
    }

    /// Counts the bytes of what waits to be written, roughly.
    pub fn waiting_bytes(&self) -> usize {
        let inner = self.shared.lock();
        inner.bytes.saturating_add(inner.in_flight_bytes)
    }

    /// Takes what somebody should be told: what became of the files, and what was done about it.
    pub fn take_remarks(&self) -> Vec<String> {
        self.shared.lock().remarks.drain(..).collect()
    }

    /// Returns the number under which entries have to speak of an operation that was found in the file.
    pub fn number_of(&self, seq: u64) -> u64 {
        seq.wrapping_sub(self.shared.lock().shift.operations)
    }

    /// Returns the newest place that is committed; none where no ledger was opened.
    pub fn newest(&self) -> Option<Cursor> {
        self.shared.lock().head.as_ref().map(|head| head.cursor.clone())
    }

    /// Says whether nothing can be written, or something was lost: what [`Health::Failing`] says, without its words.
    pub fn is_failing(&self) -> bool {
        let inner = self.shared.lock();
        inner.ended.is_some() || inner.failing.is_some() || inner.lost.untold > 0
    }

    /// Writes what is waiting and closes the file. What cannot be written within a few seconds is told of as lost.
    ///
    /// # Errors
    /// Where entries were lost.
    pub fn close(self) -> Result<(), LedgerError> {
        self.owner.end();
        let lost = self.shared.lock().lost.untold;
        if lost == 0 { Ok(()) } else { Err(LedgerError::Lost { lost }) }
    }
}

impl Owner {
    fn end(&self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the ledger's writer ended badly");
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn new(options: LedgerOptions) -> Arc<Self> {
        let (committed, _) = watch::channel(0);
        Arc::new(Self { options, inner: Mutex::default(), wake: Condvar::new(), committed })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all writing: whatever still waits is lost, and whoever waits is told.
    pub(super) fn end(&self, reason: String) {
        let mut inner = self.lock();
        let waiting = std::mem::take(&mut inner.queue);
        (inner.in_flight, inner.bytes, inner.in_flight_bytes) = (0, 0, 0);
        for entry in &waiting {
            inner.lost.add(entry);
        }
        if inner.failing.is_none() {
            inner.failing = Some(Failing { reason: reason.clone(), since: now(), began: Moment::now() });
        }
        inner.ended = Some(reason);
        drop(inner);
        self.committed.send_replace(u64::MAX);
    }
}

impl Inner {
    /// Takes note of what the writer took of the queue.
    pub(super) fn hand_over(&mut self, batch: &[Entry]) {
        self.in_flight = batch.len();
        self.in_flight_bytes = batch.iter().map(Entry::bytes).sum();
        self.bytes = self.bytes.saturating_sub(self.in_flight_bytes);
    }

    /// Queues an entry, or gives it up where too many wait: operations whole, changes of policy never.
    fn take(&mut self, entry: Entry, limit: usize) {
        if self.ended.is_some() {
            self.lost.add(&entry);
            return;
        }
        let full = self.queue.len() + self.in_flight >= limit;
        if full || !self.refused.is_empty() {
            let refused = match &entry {
                Entry::Opened(opened) if full => {
                    self.refused.insert(opened.seq);
                    true
                }
                Entry::Closed(closed) => self.refused.remove(&closed.seq),
                Entry::Policy(_) | Entry::Audit(_) | Entry::Opened(_) => false,
                Entry::Note(_) | Entry::Kept(_) => full,
                Entry::Label(label) => full || self.refused.contains(&label.seq),
                Entry::Prompt(prompt) => full || self.refused.contains(&prompt.seq),
                entry => entry.seq().is_some_and(|seq| self.refused.contains(&seq)),
            };
            if refused {
                self.lost.add(&entry);
                return;
            }
        }
        self.recorded += 1;
        self.bytes = self.bytes.saturating_add(entry.bytes());
        self.waiting.get_or_insert_with(Moment::now);
        self.queue.push(entry);
    }
}

impl Inner {
    /// Keeps something that somebody should be told.
    pub(super) fn remark(&mut self, text: String) {
        tracing::warn!(text, "ledger");
        if self.remarks.len() >= REMARKS {
            self.remarks.pop_front();
        }
        self.remarks.push_back(text);
    }
}

impl Lost {
    pub(super) fn add(&mut self, entry: &Entry) {
        if self.untold == 0 {
            self.since = Some(now());
            tracing::error!("the ledger can keep no more entries in memory: from here on they are LOST");
        }
        self.entries += 1;
        self.untold += 1;
        match entry {
            Entry::Opened(_) => self.operations += 1,
            Entry::AttemptEnded(ended) => self.charges.add(ended.cost),
            _ => {}
        }
    }
}

/// Returns the time of day; for the ledger's own account of itself, never for what it is told.
pub(super) fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
