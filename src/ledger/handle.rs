//! The handle that everyone holds: recording never waits, waiting for a commit has an end.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::queue::{FULL, Shared};
use super::recover::Recovery;
use super::{Cursor, Entry, Health, LedgerError, LedgerOptions, LedgerState, opening, writer};

/// A ledger that is open for writing. Clones share it; the last one to go closes it.
#[derive(Clone, Debug)]
pub struct Ledger {
    pub(super) shared: Arc<Shared>,
    owner: Arc<Owner>,
}

/// Joins the writer when the last handle goes.
#[derive(Debug)]
struct Owner {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// How long entries may wait before the ledger says that it is behind.
const BEHIND: Duration = Duration::from_secs(1);
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
