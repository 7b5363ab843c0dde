//! The writer's thread: takes what waits, writes it in one transaction, and keeps it until that worked.
//!
//! Invariants: entries leave the queue's account only after their commit; with nothing to do the thread sleeps.

use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, Instant as Moment};

use rusqlite::ErrorCode;

use super::error::words;
use super::handle::{FULL, Failing, Inner, Lost, Shared, now};
use super::lock::WriteLock;
use super::store::{Oddities, Store};
use super::{Entry, Note};
use crate::units::Instant;

/// The most entries in one transaction.
const MOST: usize = 16_384;
/// The first and the longest pause between tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long closing goes on trying.
const PARTING: Duration = Duration::from_secs(5);
/// How often the file's size is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Tells everyone when the thread ends, however it ends.
struct LastWord<'s>(&'s Shared);

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        if self.0.lock().ended.is_none() {
            self.0.end("its writer ended unexpectedly".to_owned());
        }
    }
}

/// Writes until the ledger is closed.
pub(super) fn run(shared: &Shared, store: Store, lock: WriteLock) {
    let _last_word = LastWord(shared);
    let place = Place::of(&shared.options.path);
    let mut writer = Writer { shared, store, place, looked: None, due: None, batch: Vec::new() };
    writer.forget();
    writer.look();
    let reason = loop {
        let closing = writer.gather();
        if writer.batch.is_empty() {
            if closing {
                break "it was closed".to_owned();
            }
            writer.forget();
            continue;
        }
        if let Err(reason) = writer.write() {
            break reason;
        }
        if writer.due.is_some_and(|due| due <= now()) {
            writer.forget();
        }
    };
    let _ = writer.store.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    drop(writer);
    drop(lock);
    shared.end(reason);
}

struct Writer<'s> {
    shared: &'s Shared,
    store: Store,
    batch: Vec<Entry>,
    /// The file as it was opened.
    place: Option<Place>,
    looked: Option<Moment>,
    /// When the next stored prompt is past its time.
    due: Option<Instant>,
}

impl Writer<'_> {
    /// Waits for entries, lets some more come unless someone is in a hurry, and takes them; says whether to close.
    fn gather(&mut self) -> bool {
        let mut inner = self.shared.lock();
        while inner.queue.is_empty() && !inner.closing {
            inner.sleeps = true;
            let Some(due) = self.due else {
                inner = self.shared.wake.wait(inner).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = due.0.saturating_sub(now().0);
            let Ok(left @ 1..) = u64::try_from(left) else { return false };
            let left = Duration::from_micros(left.min(3_600_000_000));
            inner = self.shared.wake.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.sleeps = false;
        let until = Moment::now() + self.shared.options.batch;
        while !inner.in_hurry() {
            let left = until.saturating_duration_since(Moment::now());
            if left.is_zero() {
                break;
            }
            inner = self.shared.wake.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if inner.queue.len() <= MOST {
            std::mem::swap(&mut self.batch, &mut inner.queue);
        } else {
            self.batch.extend(inner.queue.drain(..MOST));
        }
        inner.hand_over(&self.batch);
        inner.closing
    }

    /// Writes the batch; where one of its entries is the trouble, each for itself, and that one is given up aloud.
    fn write(&mut self) -> Result<(), String> {
        let batch = std::mem::take(&mut self.batch);
        let mut odd = self.persist(&batch, &batch)?;
        if odd.is_none() {
            let mut sum = Oddities::default();
            for (at, entry) in batch.iter().enumerate() {
                let rest = batch.get(at..).unwrap_or_default();
                match self.persist(std::slice::from_ref(entry), rest)? {
                    Some(found) => sum.strays += found.strays,
                    None => self.shared.lock().lost.add(entry),
                }
            }
            odd = Some(sum);
        }
        self.batch = batch;
        self.done(odd.unwrap_or_default());
        Ok(())
    }

    /// Writes entries, again and again until it works; gives up only while closing, and then `rest` is lost. `None`:
    /// what they say cannot be written, whatever the surroundings.
    fn persist(&mut self, entries: &[Entry], rest: &[Entry]) -> Result<Option<Oddities>, String> {
        let mut pause = PAUSES.0;
        let mut parting: Option<Moment> = None;
        loop {
            // SQLite would go on writing into a file that has no name any more.
            let reason = if self.place.is_some() && Place::of(&self.shared.options.path) != self.place {
                "the file was moved or deleted; put it back, or restart to begin a new one".to_owned()
            } else {
                match self.store.write(entries) {
                    Ok(odd) => return Ok(Some(odd)),
                    Err(error) if is_surroundings(&error) => words(&error),
                    Err(error) => {
                        tracing::error!(entries = entries.len(), "cannot be written: {}", words(&error));
                        return Ok(None);
                    }
                }
            };
            let mut inner = self.shared.lock();
            inner.note_failure(&reason);
            if inner.closing && parting.get_or_insert_with(Moment::now).elapsed() >= PARTING {
                for entry in rest {
                    inner.lost.add(entry);
                }
                return Err(reason);
            }
            // Being closed cuts one pause short.
            let cut = inner.closing;
            let until = Moment::now() + pause;
            while let Some(left) = until.checked_duration_since(Moment::now()).filter(|left| !left.is_zero())
            {
                inner = self.shared.wake.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
                if inner.closing && !cut {
                    break;
                }
            }
            drop(inner);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// Tells that the batch is committed.
    fn done(&mut self, odd: Oddities) {
        if odd.strays > 0 {
            tracing::warn!(
                count = odd.strays,
                "entries of operations that were settled before or never opened"
            );
        }
        for entry in &self.batch {
            if let Entry::Prompt(prompt) = entry {
                self.due = Some(self.due.map_or(prompt.expires_at, |due| due.min(prompt.expires_at)));
            }
        }
        let told = self.tell_losses();
        self.look();
        let mut inner = self.shared.lock();
        inner.committed += self.batch.len() as u64;
        inner.hand_over(&[]);
        inner.last_commit = Some(now());
        inner.waiting = (!inner.queue.is_empty()).then(Moment::now);
        if let Some(failing) = inner.failing.take() {
            tracing::info!(seconds = failing.began.elapsed().as_secs(), "the ledger is written again");
        }
        if let Some(told) = told {
            let Lost { entries, untold, operations, .. } = inner.lost;
            inner.lost = Lost {
                entries,
                untold: untold.saturating_sub(told.untold),
                operations: operations.saturating_sub(told.operations),
                ..Lost::default()
            };
        }
        let committed = inner.committed;
        drop(inner);
        self.batch.clear();
        self.shared.committed.send_replace(committed);
    }

    /// Writes down what had to be given up, so that the ledger itself knows of its gap.
    fn tell_losses(&mut self) -> Option<Lost> {
        let lost = self.shared.lock().lost.clone();
        if lost.untold == 0 {
            return None;
        }
        let text = format!(
            "GAP: {} entries of {} requests could not be kept while the ledger could not be written; they were charged \
             {} USD in {} calls ({} of unknown cost), which no sum here contains",
            lost.untold,
            lost.operations,
            lost.charges.cost.total().usd(),
            lost.charges.calls,
            lost.charges.cost.unknown,
        );
        let note = Note { at: now(), text: text.as_str().into(), simulated: false };
        self.store.write(&[Entry::Note(Box::new(note))]).ok().map(|_| lost)
    }

    /// Deletes stored prompts that are past their time.
    fn forget(&mut self) {
        match self.store.forget_prompts(now()) {
            Ok((gone, due)) => {
                self.due = due;
                if gone > 0 {
                    tracing::info!(gone, "stored prompts deleted after their time");
                }
            }
            Err(error) => {
                tracing::warn!("stored prompts could not be deleted: {}", words(&error));
                self.due = Some(Instant(now().0 + 60_000_000));
            }
        }
    }

    /// Looks at the file's size, now and then.
    fn look(&mut self) {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Moment::now());
        let size = super::vacuum::size(&self.shared.options.path);
        self.shared.lock().size = size;
    }
}

/// Which file it is that stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place(u64, u64);

impl Place {
    #[cfg(unix)]
    fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(path).ok().map(|found| Self(found.dev(), found.ino()))
    }

    #[cfg(not(unix))]
    fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|_| Self(0, 0))
    }
}

impl Inner {
    fn note_failure(&mut self, reason: &str) {
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

    fn in_hurry(&self) -> bool {
        self.closing || self.queue.len() >= FULL || self.urgent > self.committed
    }
}

/// Says whether trouble lies in the file or the system and may pass, not in what is written.
fn is_surroundings(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => !matches!(
            failure.code,
            ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig
        ),
        _ => false,
    }
}
