//! What waits for the writer: entries, what became of them, and who waits for a commit.
//!
//! Invariants: an operation is kept whole or given up whole, so a full queue never leaves half an account; what is
//! given up is counted with its money.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant as Moment;

use rustc_hash::FxHashSet;
use tokio::sync::watch;

use super::chain::Head;
use super::entry::{Entry, Shift};
use super::options::{LedgerOptions, now};
use super::sums::Sum;
use crate::units::Instant;

/// How many waiting entries count as a full batch.
pub(super) const FULL: usize = 4_096;
/// How many remarks wait to be told.
const REMARKS: usize = 16;

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
    pub(super) bytes: usize,
    pub(super) in_flight_bytes: usize,
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

impl Shared {
    pub(super) fn new(options: LedgerOptions) -> Arc<Self> {
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
    pub(super) fn take_note_of(&mut self, batch: &[Entry]) {
        self.in_flight = batch.len();
        self.in_flight_bytes = batch.iter().map(Entry::bytes).sum();
        self.bytes = self.bytes.saturating_sub(self.in_flight_bytes);
    }

    /// Queues an entry, or gives it up where too many wait: operations whole, changes of policy never.
    pub(super) fn take(&mut self, mut entry: Entry, limit: usize) {
        if self.ended.is_some() {
            self.lost.add(&entry);
            return;
        }
        let full = self.queue.len() + self.in_flight >= limit;
        if full || !self.refused.is_empty() {
            let of_refused = entry.seq().is_some_and(|seq| self.refused.contains(seq));
            let refused = match &entry {
                Entry::Opened(opened) if full => {
                    self.refused.insert(opened.seq);
                    true
                }
                Entry::Closed(closed) => self.refused.remove(&closed.seq),
                Entry::Policy(_) | Entry::Audit(_) | Entry::Alerting(_) | Entry::Opened(_) => false,
                Entry::Note(_) | Entry::Signal(_) | Entry::Kept(_) => full,
                Entry::Label(_) | Entry::Correction(_) | Entry::Prompt(_) => full || of_refused,
                _ => of_refused,
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

    /// Keeps something that somebody should be told.
    pub(super) fn remark(&mut self, text: String) {
        tracing::warn!(text, "ledger");
        if self.remarks.len() >= REMARKS {
            self.remarks.pop_front();
        }
        self.remarks.push_back(text);
    }

    pub(super) fn note_failure(&mut self, reason: &str) {
        match &mut self.failing {
            Some(failing) if failing.reason == reason => {}
            Some(failing) => reason.clone_into(&mut failing.reason),
            None => {
                tracing::error!(reason, "the ledger cannot be written; entries wait in memory");
                self.failing =
                    Some(Failing { reason: reason.to_owned(), since: now(), began: Moment::now() });
            }
        }
    }

    pub(super) fn recovered(&mut self) {
        if let Some(failing) = self.failing.take() {
            tracing::info!(seconds = failing.began.elapsed().as_secs(), "the ledger is written again");
        }
    }

    pub(super) fn in_hurry(&self) -> bool {
        self.closing || self.queue.len() >= FULL || self.urgent > self.committed
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
