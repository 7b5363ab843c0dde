//! The writer's thread: takes what waits, writes it in one transaction, and keeps it until that worked.
//!
//! Invariants: entries leave the queue's account only after their commit; with nothing to do the thread sleeps.

use std::sync::PoisonError;
use std::time::{Duration, Instant as Moment};

use super::entry::Shift;
use super::guard::{Finding, Guard};
use super::opening::Opened;
use super::options::now;
use super::queue::{Lost, Shared};
use super::sqlite::Sqlite;
use super::{Entry, Note};
use crate::units::Instant;

/// The most entries in one transaction.
const MOST: usize = 16_384;
/// The first and the longest pause between tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));
/// How long closing goes on trying.
const PARTING: Duration = Duration::from_secs(5);
/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// By how many pages the write-ahead log grows until it is written back.
const WRITE_BACK: u64 = 1_000;

/// What is said where the file that stands for the right to write was taken away.
const LOCK_GONE: &str = "the file that keeps others from writing the ledger (.lock) was taken away while it was \
                         written; it stands there again";

/// Tells everyone when the thread ends, however it ends.
struct LastWord<'s>(&'s Shared);

impl Drop for LastWord<'_> {
    fn drop(&mut self) {
        if self.0.lock().ended.is_none() {
            self.0.end("its writer ended unexpectedly".to_owned());
        }
    }
}

/// Opens the ledger as soon as that is possible, and writes until it is closed.
pub(super) fn run_later(shared: &Shared) {
    let last_word = LastWord(shared);
    match open_late(shared) {
        Ok(opened) => {
            let (found, policy) = (&opened.recovery, opened.recovery.policy.as_ref());
            let shift = Shift {
                operations: found.next_seq.saturating_sub(1),
                policies: policy.map_or(0, |policy| policy.version),
            };
            let mut inner = shared.lock();
            inner.shift = shift;
            inner.failing = None;
            let settled = match found.settled_attempts {
                0 => String::new(),
                calls => format!("; {calls} calls of an earlier run were settled as estimates"),
            };
            inner.remark(format!("the ledger could be opened, and what waited is written{settled}"));
            drop(inner);
            write_all(shared, opened);
        }
        Err(reason) => shared.end(reason),
    }
    drop(last_word);
}

/// Tries to open the ledger again and again, until it is closed.
fn open_late(shared: &Shared) -> Result<Opened, String> {
    let mut pause = PAUSES.0;
    loop {
        let mut inner = shared.lock();
        let until = Moment::now() + pause;
        while let Some(left) = until.checked_duration_since(Moment::now()).filter(|left| !left.is_zero())
            && !inner.closing
        {
            inner = shared.wake.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let closing = inner.closing;
        drop(inner);
        let error = match super::opening::open(&shared.options) {
            Ok(opened) => return Ok(opened),
            Err(error) => error.in_a_line(),
        };
        shared.lock().note_failure(&error);
        if closing {
            return Err(error);
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Writes until the ledger is closed.
pub(super) fn run(shared: &Shared, opened: Opened) {
    let last_word = LastWord(shared);
    write_all(shared, opened);
    drop(last_word);
}

fn write_all(shared: &Shared, opened: Opened) {
    let Opened { store, guard, .. } = opened;
    shared.lock().head = Some(store.head());
    let mut writer = Writer {
        shared,
        store: Some(store),
        guard,
        looked: None,
        due: None,
        written_back: 0,
        batch: Vec::new(),
    };
    writer.forget();
    writer.look();
    let reason = loop {
        let closing = writer.gather();
        if writer.batch.is_empty() && closing {
            break "it was closed".to_owned();
        }
        if writer.batch.is_empty() {
            writer.look();
        } else if let Err(reason) = writer.write() {
            break reason;
        }
        if writer.due.is_some_and(|due| due <= now()) {
            writer.forget();
        }
    };
    let may = writer.guard.may_write_back();
    if let Some(mut store) = writer.store.take() {
        if may {
            let _ = store.write_back(true);
        } else if writer.guard.is_broken() {
            store.leave();
        }
    }
    drop(writer);
    shared.end(reason);
}

struct Writer<'s> {
    shared: &'s Shared,
    /// None only where it could not be opened anew; in front of the guard, which has to outlive it.
    store: Option<Sqlite>,
    guard: Guard,
    batch: Vec<Entry>,
    looked: Option<Moment>,
    /// When the next stored prompt is past its time.
    due: Option<Instant>,
    /// How long the write-ahead log was when it was last written back, in pages.
    written_back: u64,
}

impl Writer<'_> {
    /// Waits for entries, lets some more come unless someone is in a hurry, and takes them; says whether to close.
    fn gather(&mut self) -> bool {
        let mut inner = self.shared.lock();
        while inner.queue.is_empty() && !inner.closing {
            inner.sleeps = true;
            let rest = LOOK.saturating_sub(self.looked.map_or(LOOK, |looked| looked.elapsed()));
            if rest.is_zero() {
                inner.sleeps = false;
                return false;
            }
            inner = self.shared.wake.wait_timeout(inner, rest).unwrap_or_else(PoisonError::into_inner).0;
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
        if inner.shift != Shift::default() {
            self.batch.iter_mut().for_each(|entry| entry.shift(inner.shift));
        }
        inner.take_note_of(&self.batch);
        inner.closing
    }

    /// Writes the batch; where one of its entries is the trouble, each for itself, and that one is given up aloud.
    fn write(&mut self) -> Result<(), String> {
        let batch = std::mem::take(&mut self.batch);
        let mut odd = self.persist(&batch, &batch)?;
        if odd.is_none() {
            let mut sum = 0;
            for (at, entry) in batch.iter().enumerate() {
                let rest = batch.get(at..).unwrap_or_default();
                match self.persist(std::slice::from_ref(entry), rest)? {
                    Some(found) => sum += found,
                    None => self.shared.lock().lost.add(entry),
                }
            }
            odd = Some(sum);
        }
        self.batch = batch;
        self.done(odd.unwrap_or_default());
        Ok(())
    }

    /// Writes entries, again and again until it works, and counts those that are about something settled before or never opened; gives
    /// up only while closing, and then `rest` is lost. `None`: what they say cannot be written, whatever the surroundings.
    fn persist(&mut self, entries: &[Entry], rest: &[Entry]) -> Result<Option<u64>, String> {
        let mut pause = PAUSES.0;
        let mut parting: Option<Moment> = None;
        loop {
            // SQLite would go on writing into a file that has no name any more.
            let stands = self.guard.stands().is_some();
            let trouble =
                if stands && self.store.is_some() && !self.has_to_look() { None } else { self.watch() };
            let reason = match (trouble, &mut self.store) {
                (Some(trouble), _) => trouble,
                (None, None) => "the file is not open".to_owned(),
                (None, Some(store)) => match store.append(entries) {
                    // What was cut away meanwhile may have taken this with it.
                    Ok(odd) => {
                        if let Some(pages) = self.guard.stands() {
                            self.write_back(pages);
                        }
                        let Some(trouble) = self.watch_broken() else { return Ok(Some(odd)) };
                        trouble
                    }
                    Err(error) if error.may_pass => error.words,
                    Err(error) => {
                        tracing::error!(entries = entries.len(), "cannot be written: {}", error.words);
                        return Ok(None);
                    }
                },
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

    /// Says why nothing may be written any more, where the files were damaged.
    fn watch_broken(&mut self) -> Option<String> {
        if self.guard.is_broken() { self.watch() } else { None }
    }

    /// Writes the write-ahead log back where it has grown by enough since the last time.
    fn write_back(&mut self, pages: u64) {
        if pages < self.written_back {
            self.written_back = 0;
        }
        if pages < self.written_back + WRITE_BACK {
            return;
        }
        self.written_back = pages;
        if let Some(store) = self.store.as_mut().filter(|_| self.guard.may_write_back()) {
            let _ = store.write_back(false);
            self.guard.is_whole();
        }
    }

    /// Tells that the batch is committed.
    fn done(&mut self, odd: u64) {
        if odd > 0 {
            tracing::warn!(count = odd, "entries of operations that were settled before or never opened");
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
        inner.take_note_of(&[]);
        inner.last_commit = Some(now());
        if let Some(store) = &self.store {
            inner.head = Some(store.head());
        }
        inner.waiting = (!inner.queue.is_empty()).then(Moment::now);
        inner.recovered();
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
        self.store.as_mut()?.append(&[Entry::Note(Box::new(note))]).ok().map(|_| lost)
    }

    /// Deletes stored prompts that are past their time.
    fn forget(&mut self) {
        let Some(store) = self.store.as_mut().filter(|_| self.guard.stands().is_some()) else {
            self.due = self.due.map(|_| Instant(now().0 + 60_000_000));
            return;
        };
        match store.forget(now()) {
            Ok((gone, due)) => {
                self.due = due;
                if gone > 0 {
                    tracing::info!(gone, "stored prompts deleted after their time");
                }
            }
            Err(error) => {
                tracing::warn!("stored prompts could not be deleted: {}", error.words);
                self.due = Some(Instant(now().0 + 60_000_000));
            }
        }
    }

    /// Says whether the files were last looked at some time ago.
    fn has_to_look(&self) -> bool {
        self.looked.is_none_or(|looked| looked.elapsed() >= LOOK)
    }

    /// Looks at the files, now and then; nothing waits to be written.
    fn look(&mut self) {
        if !self.has_to_look() {
            return;
        }
        let trouble = self.watch();
        let size = super::vacuum::size(&self.shared.options.path);
        let mut inner = self.shared.lock();
        inner.size = size;
        match trouble {
            Some(trouble) => inner.note_failure(&trouble),
            None => inner.recovered(),
        }
    }

    /// Looks at the files, and takes up anew what can be; says why nothing may be written.
    fn watch(&mut self) -> Option<String> {
        self.looked = Some(Moment::now());
        if !self.guard.holds_lock() {
            match self.guard.renew_lock() {
                Ok(()) => self.shared.lock().remark(LOCK_GONE.to_owned()),
                Err(error) => return Some(error.in_a_line()),
            }
        }
        match self.guard.look() {
            Finding::Trouble(trouble) => return Some(trouble),
            Finding::Reopen(what) => {
                if let Some(trouble) = self.reopen() {
                    return Some(format!("{what}; {trouble}"));
                }
                let text =
                    format!("{what} while it was written; everything was written back, and it goes on");
                self.shared.lock().remark(text);
            }
            Finding::Sound if self.store.is_none() => return self.reopen(),
            Finding::Sound => {}
        }
        None
    }

    /// Writes back what only this process can still read, and opens the file anew; says what hinders that.
    fn reopen(&mut self) -> Option<String> {
        if let Some(store) = &mut self.store {
            if !self.guard.may_write_back() {
                return Some("it cannot be written back".to_owned());
            }
            match store.write_back(true) {
                Ok(true) if self.guard.is_whole() => {}
                Ok(true) => return Some("it was damaged meanwhile".to_owned()),
                Ok(false) => return Some("another process holds the file".to_owned()),
                Err(error) => return Some(error.words),
            }
        }
        self.store = None;
        self.guard.let_go();
        match self.guard.open_store(&self.shared.options) {
            Ok(store) => {
                self.store = Some(store);
                self.guard.take_up();
                None
            }
            Err(error) => Some(error.in_a_line()),
        }
    }
}
