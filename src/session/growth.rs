//! A log that grows while it is watched: what comes in is inserted at its place in time, the oldest is let go.
//!
//! Invariant: whatever the order of arrival, the log is the same as one loaded at once in order of time (property tests).

use std::collections::VecDeque;
use std::sync::Arc;

use super::log::{PROFILED, STRIP};
use super::{Ingest, LiveView, Log, LogNote, StripCell};
use crate::engine::Engine;
use crate::outcome::{Evidence, Extra, Operation, ProfileFit};
use crate::pricing::PriceBook;
use crate::routing::Policy;
use crate::units::{Instant, SessionId};

/// Profiles are fitted for the first time on this many operations, and again whenever their number has doubled.
const FIRST_FIT: usize = 256;
/// Notes kept.
const NOTES: usize = 500;
/// Sessions that may have become nobody's before a sweep is worth it.
const SWEEP: usize = 65_536;

/// Counts of traffic in slots of time that double in length as the log does.
#[derive(Clone, Debug)]
struct Strip {
    /// A slot's length in microseconds.
    slot: i64,
    /// The number of the first slot since the epoch.
    first: i64,
    cells: VecDeque<StripCell>,
}

impl Strip {
    fn new() -> Self {
        Self { slot: 1_000_000, first: 0, cells: VecDeque::new() }
    }

    fn number(&self, at: Instant) -> i64 {
        at.0.div_euclid(self.slot)
    }

    fn add(&mut self, at: Instant, failed: bool) {
        if self.cells.is_empty() {
            self.first = self.number(at);
        }
        loop {
            let number = self.number(at);
            let last = self.first + i64::try_from(self.cells.len()).unwrap_or(0) - 1;
            let needed = number.max(last) - number.min(self.first) + 1;
            if usize::try_from(needed).is_ok_and(|needed| needed <= STRIP) {
                break;
            }
            self.coarsen();
        }
        let number = self.number(at);
        while number < self.first {
            self.cells.push_front(StripCell::default());
            self.first -= 1;
        }
        let place = usize::try_from(number - self.first).unwrap_or(0);
        self.cells.resize(self.cells.len().max(place + 1), StripCell::default());
        if let Some(cell) = self.cells.get_mut(place) {
            cell.requests = cell.requests.saturating_add(1);
            cell.errors = cell.errors.saturating_add(u32::from(failed));
        }
    }

    fn remove(&mut self, at: Instant, failed: bool) {
        let place = usize::try_from(self.number(at) - self.first).unwrap_or(usize::MAX);
        if let Some(cell) = self.cells.get_mut(place) {
            cell.requests = cell.requests.saturating_sub(1);
            cell.errors = cell.errors.saturating_sub(u32::from(failed));
        }
    }

    /// Doubles the length of a slot.
    fn coarsen(&mut self) {
        let mut cells: VecDeque<StripCell> = VecDeque::with_capacity(self.cells.len() / 2 + 1);
        let first = self.first.div_euclid(2);
        for (number, cell) in (self.first..).zip(&self.cells) {
            let place = usize::try_from(number.div_euclid(2) - first).unwrap_or(0);
            cells.resize(cells.len().max(place + 1), StripCell::default());
            if let Some(sum) = cells.get_mut(place) {
                sum.requests = sum.requests.saturating_add(cell.requests);
                sum.errors = sum.errors.saturating_add(cell.errors);
            }
        }
        self.slot = self.slot.saturating_mul(2);
        self.first = first;
        self.cells = cells;
    }

    /// Drops slots before a moment.
    fn start_at(&mut self, at: Instant) {
        while self.first < self.number(at) && !self.cells.is_empty() {
            self.cells.pop_front();
            self.first += 1;
        }
    }
}

/// What a log needs in order to grow.
#[derive(Debug)]
pub(super) struct Growth {
    pub(super) ingest: Ingest,
    pub(super) book: PriceBook,
    pub(super) keep: usize,
    fit: ProfileFit,
    /// Operations taken in, in all.
    seen: usize,
    /// Operations that the profiles rest on.
    pub(super) fitted: usize,
    strip: Strip,
    swept: usize,
}

/// A policy that whoever drives the live traffic is to bring into force.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The policy, under the version that it is to follow.
    pub policy: Arc<Policy>,
    /// What changes, in one line.
    pub what: String,
    /// Whether that takes the latest change back.
    pub undo: bool,
}

/// An operation that waits until the view is moved.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) operation: Operation,
    pub(super) extra: Option<Extra>,
}

/// What a player has more where its log is live.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) growth: Growth,
    /// The sums of what memory let go, by reading.
    pub(super) floors: [Engine; 2],
    pub(super) waiting: Vec<Waiting>,
    /// When this console began; policies of before are not changes seen here.
    pub(super) started: Instant,
    /// Whether the clock on screen stands at the newest entry, not at the moment of the world.
    pub(super) logs_time: bool,
    pub(super) held_since: Option<Instant>,
    /// What readers see of it, but for what is worked out when they look.
    pub(super) view: LiveView,
    pub(super) outgoing: Vec<Outgoing>,
}

/// Says whether any call of an operation failed.
pub(super) fn failed(evidence: &Evidence<'_>) -> bool {
    evidence.attempts().any(|attempt| !attempt.status.is_ok())
}

impl Growth {
    pub(super) fn new(ingest: Ingest, book: PriceBook, keep: usize) -> Self {
        Self {
            ingest,
            book,
            keep,
            fit: ProfileFit::default(),
            seen: 0,
            fitted: 0,
            strip: Strip::new(),
            swept: 0,
        }
    }

    /// Looks up what was named for the first time; says whether there are new models.
    pub(super) fn new_models(&mut self, log: &mut Arc<Log>) -> bool {
        if self.ingest.names.models().len() == log.names.models().len() {
            return false;
        }
        let log = Arc::make_mut(log);
        log.names = self.ingest.names.share();
        Arc::make_mut(&mut log.prices).extend(&self.book, &log.names);
        true
    }

    /// Returns the log the circumstances met lately.
    pub(super) fn share_circumstances(&self, log: &mut Arc<Log>) {
        if self.ingest.circumstances.len() != log.circumstances.len() {
            Arc::make_mut(log).circumstances = Arc::new(self.ingest.circumstances.clone());
        }
    }

    /// Returns the log the names met lately.
    pub(super) fn share_names(&self, log: &mut Arc<Log>) {
        let (ours, theirs) = (&self.ingest.names, &log.names);
        let same = ours.session_count() == theirs.session_count()
            && ours.teams().len() == theirs.teams().len()
            && ours.projects().len() == theirs.projects().len();
        if !same {
            Arc::make_mut(log).names = self.ingest.names.share();
        }
    }

    /// Learns from an operation what profiles rest on; says whether they were fitted anew.
    pub(super) fn learn(&mut self, operation: &Operation, extra: Option<&Extra>, log: &mut Arc<Log>) -> bool {
        if self.seen >= PROFILED {
            return false;
        }
        self.fit.add(&Evidence { operation, extra }, &log.prices);
        self.seen += 1;
        if self.seen < FIRST_FIT || !self.seen.is_power_of_two() {
            return false;
        }
        self.fitted = self.seen;
        Arc::make_mut(log).profiles = self.fit.finish();
        true
    }

    /// Takes an operation in at its place and returns its index.
    pub(super) fn insert(
        &mut self,
        log: &mut Arc<Log>,
        id: &str,
        mut operation: Operation,
        extra: Option<Extra>,
    ) -> usize {
        self.ingest.go_on(&mut operation);
        let log = Arc::make_mut(log);
        let failed = failed(&Evidence { operation: &operation, extra: extra.as_ref() });
        log.classified += usize::from(!operation.source.is_told());
        log.simulated += usize::from(operation.simulated);
        self.strip.add(operation.at, failed);
        let end = log.history.len();
        let index = log.history.insert(id, operation, extra);
        let narrow = u32::try_from(index).unwrap_or(u32::MAX);
        if index < end {
            log.inserts.note(index);
            for error in log.errors.iter_mut().rev().take_while(|error| **error >= narrow) {
                *error = error.saturating_add(1);
            }
        }
        if failed {
            let place = log.errors.partition_point(|&error| error < narrow);
            log.errors.insert(place, narrow);
        }
        index
    }

    /// Takes a note in at its place.
    pub(super) fn note(log: &mut Arc<Log>, note: LogNote) {
        let notes = &mut Arc::make_mut(log).notes;
        let place = notes.partition_point(|old| old.at <= note.at);
        notes.insert(place, note);
        if notes.len() > NOTES {
            notes.remove(0);
        }
    }

    /// Lets the oldest operations go; their number comes from [`crate::outcome::History::spare`].
    pub(super) fn let_go(&mut self, log: &mut Arc<Log>, operations: usize) {
        let log = Arc::make_mut(log);
        let (start, to) = (log.history.start(), log.history.start() + operations);
        for (_, recalled) in log.history.range(start, to) {
            let evidence = recalled.evidence();
            self.strip.remove(evidence.operation.at, failed(&evidence));
            log.simulated = log.simulated.saturating_sub(usize::from(evidence.operation.simulated));
            let classified = !evidence.operation.source.is_told();
            log.classified = log.classified.saturating_sub(usize::from(classified));
        }
        log.history.let_go(operations);
        log.errors.retain(|&error| error as usize >= to);
        if let Some((first, _)) = log.history.bounds() {
            self.strip.start_at(first);
            log.shadowed.let_go(first);
        }
        if self.strip.cells.len() < STRIP / 8 {
            self.redraw_strip(log);
        }
        let sessions = self.ingest.names.session_count();
        if sessions - self.swept > SWEEP {
            self.swept = sessions;
            let mut used = vec![false; sessions];
            for (_, recalled) in log.history.range(to, log.history.len()) {
                let evidence = recalled.evidence();
                let index = evidence.operation.session.index();
                if let Some(slot) = index.and_then(|index| used.get_mut(index)) {
                    *slot = true;
                }
            }
            let keep = |id: SessionId| id.index().and_then(|at| used.get(at)).copied().unwrap_or(false);
            self.ingest.names.forget_sessions(keep);
            log.names = self.ingest.names.share();
        }
    }

    fn redraw_strip(&mut self, log: &Log) {
        self.strip = Strip::new();
        for (_, recalled) in log.history.range(0, log.history.len()) {
            let evidence = recalled.evidence();
            self.strip.add(evidence.operation.at, failed(&evidence));
        }
    }

    /// Returns the log its strip.
    pub(super) fn draw_strip(&self, log: &mut Arc<Log>) {
        if !log.strip.iter().eq(self.strip.cells.iter()) {
            Arc::make_mut(log).strip = self.strip.cells.iter().copied().collect();
        }
    }
}
