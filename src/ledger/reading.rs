//! A ledger read as a log without its text: runs of operations on several threads, each over a connection of its own, given
//! in order.
//!
//! Invariants: all connections see the same moment of the ledger; what comes is the same on any number of threads; what
//! cannot be read ends it with an error behind all that could be.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rusqlite::{Row, params};

use super::LedgerError;
use super::corrections::{self, StoredCorrection};
use super::error::Faults;
use super::export::Event;
use super::extract::{CALL, Extract, NEEDS, NO_NEEDS, OPERATION, Places};
use super::file::{LedgerFile, Range, WITHIN};
use super::proof::SOURCE;
use super::row::{Beside, charge_at, count_at, whole};
use crate::record::{BudgetFiles, EntryBatch, EntryReader, Header};

/// Operations in one run, by their numbers.
const RUN: i64 = 2_048;
/// Operations that a run has room for from the start.
const ROOM: usize = 2_048;
/// Threads, at most.
const MOST: usize = 8;
/// Runs under way for each of them.
const EACH: usize = 3;
/// How often connections are opened anew until all see the same.
const TRIES: usize = 8;

/// Opens a stretch of the ledger at `path` as the entries of a log, on as many threads as pay.
///
/// # Errors
/// Where there is none, or it is of another version or damaged.
pub fn entries(path: &Path, range: &Range) -> Result<LedgerEntries, LedgerError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    entries_on(path, range, cores.min(MOST))
}

/// The same on so many threads, at most.
///
/// # Errors
/// As [`entries`].
pub fn entries_on(path: &Path, range: &Range, threads: usize) -> Result<LedgerEntries, LedgerError> {
    let aside = LedgerFile::open(path)?;
    let mut files = at_one_moment(path, threads.max(1))?;
    let Some(first) = files.first() else { return Err(LedgerError::Cancelled) };
    let [from, to, since, until] = first.bounds(range)?;
    let events = VecDeque::from(first.events(range, &mut Faults::fatal())?);
    let (low, high) = first.ends((from, to))?;
    let runs = usize::try_from(high.saturating_sub(low) / RUN).unwrap_or(MOST).saturating_add(1);
    files.truncate(runs);
    let under_way = files.len() * EACH;
    let ((permit, permits), (send, runs)) = (channel(), channel());
    for _ in 0..under_way {
        let _ = permit.send(());
    }
    let cut = Cut { next: low, last: high, taken: 0, ended: false, failed: None, permits };
    let cut = Arc::new(Mutex::new(cut));
    let mut started = None;
    for file in files {
        let (cut, send) = (Arc::clone(&cut), send.clone());
        let read = move || file.read_runs(&cut, (since, until), &send);
        let thread = std::thread::Builder::new().name("ledger read".to_owned()).spawn(read).map(drop);
        // One is enough.
        if !matches!(started, Some(Ok(()))) {
            started = Some(thread);
        }
    }
    started.unwrap_or(Ok(())).map_err(|source| LedgerError::Folder { path: path.to_owned(), source })?;
    let is_open_ended = range.to.is_none() && range.last.is_none();
    Ok(LedgerEntries {
        budgets: aside.budgets(range)?,
        aside,
        range: *range,
        cut,
        runs,
        permit,
        early: BTreeMap::new(),
        next: 0,
        events,
        is_open_ended,
        failed: None,
        is_over: false,
    })
}

/// A ledger's operations and events as the entries of a log. The threads end with it.
pub struct LedgerEntries {
    /// Asked for what is in no run.
    aside: LedgerFile,
    range: Range,
    budgets: BudgetFiles,
    cut: Arc<Mutex<Cut>>,
    runs: Receiver<(u64, Run)>,
    permit: Sender<()>,
    /// Those that came before their turn.
    early: BTreeMap<u64, Run>,
    next: u64,
    /// What stands between operations and has not been given.
    events: VecDeque<Event>,
    /// Whether what stands behind all operations belongs to it.
    is_open_ended: bool,
    /// What is told once all before it is given.
    failed: Option<LedgerError>,
    is_over: bool,
}

/// Where the next run begins.
struct Cut {
    next: i64,
    last: i64,
    /// How many runs were taken.
    taken: u64,
    ended: bool,
    /// Why it cannot be cut any further.
    failed: Option<LedgerError>,
    /// One for each run that may be under way.
    permits: Receiver<()>,
}

/// A run as far as it could be read, and what ended it before its end.
type Run = (Extract, Option<LedgerError>);

impl std::fmt::Debug for LedgerEntries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerEntries").field("next", &self.next).finish_non_exhaustive()
    }
}

impl LedgerEntries {
    /// Waits for the next run; `None` at the end.
    fn run(&mut self) -> Result<Option<Run>, LedgerError> {
        let at = self.next;
        loop {
            if let Some(run) = self.early.remove(&at) {
                self.next += 1;
                // Where nobody waits for it any more there is nothing to permit.
                let _ = self.permit.send(());
                return Ok(Some(run));
            }
            if let Ok((at, run)) = self.runs.recv() {
                self.early.insert(at, run);
                continue;
            }
            let Ok(mut cut) = self.cut.lock() else { return Err(LedgerError::Cancelled) };
            return match cut.failed.take() {
                Some(error) => Err(error),
                None if cut.ended && cut.taken == at => Ok(None),
                // A thread of it has ended before its time.
                None => Err(LedgerError::Cancelled),
            };
        }
    }
}

impl EntryReader for LedgerEntries {
    fn header(&self) -> Header {
        Header { source: SOURCE.to_owned(), budgets: self.budgets.clone(), ..Header::default() }
    }

    fn whole_header(&self) -> Header {
        self.aside.header(&self.range).unwrap_or_else(|_| self.header())
    }

    fn next_batch(&mut self) -> io::Result<Option<Box<dyn EntryBatch>>> {
        if let Some(error) = self.failed.take() {
            self.is_over = true;
            return Err(io::Error::other(error));
        }
        while !self.is_over {
            let mut extract = match self.run() {
                Ok(Some((extract, error))) => {
                    self.failed = error;
                    extract
                }
                Ok(None) => {
                    self.is_over = true;
                    let mut rest = Extract::default();
                    let behind = std::mem::take(&mut self.events).into_iter().filter(|_| self.is_open_ended);
                    behind.for_each(|event| rest.take_event(Some(event)));
                    return Ok((rest.count() > 0).then(|| Box::new(rest) as Box<dyn EntryBatch>));
                }
                Err(error) => {
                    self.is_over = true;
                    return Err(io::Error::other(error));
                }
            };
            extract.interleave(&mut self.events);
            if extract.count() > 0 {
                return Ok(Some(Box::new(extract)));
            }
            if let Some(error) = self.failed.take() {
                self.is_over = true;
                return Err(io::Error::other(error));
            }
        }
        Ok(None)
    }
}

/// Opens a ledger as often as wanted, all at one moment; fewer times where it is written too fast for that.
fn at_one_moment(path: &Path, wanted: usize) -> Result<Vec<LedgerFile>, LedgerError> {
    let mut files: Vec<LedgerFile> = Vec::new();
    for _ in 0..TRIES {
        files.clear();
        let mut moment = None;
        for _ in 0..wanted {
            let file = LedgerFile::open(path)?;
            let seen = file.begin()?;
            if *moment.get_or_insert_with(|| seen.clone()) != seen {
                break;
            }
            files.push(file);
        }
        if files.len() == wanted {
            break;
        }
    }
    Ok(files)
}

impl LedgerFile {
    /// Holds the moment at which it is read from here on, and returns what tells it from others: no entry becomes final, and
    /// none is opened, without changing one of these numbers.
    fn begin(&self) -> Result<Vec<i64>, LedgerError> {
        self.conn.execute_batch("BEGIN").map_err(|source| self.failed(source))?;
        let mut seen = vec![self.version, whole(self.newest()?)];
        if self.is_chained() {
            let heads = "SELECT gateway, head FROM gateways ORDER BY gateway";
            let heads: Vec<[i64; 2]> = self.all(heads, [], |row| Ok([row.get(0)?, row.get(1)?]))?;
            seen.extend(heads.concat());
        }
        Ok(seen)
    }

    /// Returns the first and the last operation between two bounds; a first one behind the last where there is none.
    fn ends(&self, (from, to): (i64, i64)) -> Result<(i64, i64), LedgerError> {
        // Two statements: asked for both at once, SQLite goes through all between.
        let one = |which: &str| -> Result<Option<i64>, LedgerError> {
            let sql = format!("SELECT {which}(seq) FROM operations WHERE seq BETWEEN ?1 AND ?2");
            Ok(self.one(&sql, [from, to], |row| row.get(0))?.flatten())
        };
        Ok((one("min")?.unwrap_or(1), one("max")?.unwrap_or(0)))
    }

    /// Takes runs and reads them until there is none, or nobody wants more.
    fn read_runs(&self, cut: &Mutex<Cut>, (since, until): (i64, i64), send: &Sender<(u64, Run)>) {
        let statements = Statements::of(self);
        loop {
            let taken = cut.lock().ok().and_then(|mut cut| cut.take(self));
            let Some((at, first, last)) = taken else { return };
            let mut extract = Extract::with_room(ROOM);
            let read = statements.read(self, [first, last, since, until], &mut extract);
            if send.send((at, (extract, read.err()))).is_err() {
                return;
            }
        }
    }
}

impl Cut {
    /// Takes the next run, once few enough are under way; `None` at the end, or where nobody wants more.
    fn take(&mut self, file: &LedgerFile) -> Option<(u64, i64, i64)> {
        if self.ended {
            return None;
        }
        self.permits.recv().ok()?;
        // A number that nobody has is passed over, and as many as follow it.
        match file.ends_at_least(self.next, self.last) {
            Ok(Some(first)) => {
                let last = first.saturating_add(RUN - 1).min(self.last);
                let at = self.taken;
                self.taken += 1;
                self.next = last.saturating_add(1);
                Some((at, first, last))
            }
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                (self.ended, self.failed) = (true, Some(error));
                None
            }
        }
    }
}

impl LedgerFile {
    fn ends_at_least(&self, from: i64, to: i64) -> Result<Option<i64>, LedgerError> {
        let first = "SELECT min(seq) FROM operations WHERE seq BETWEEN ?1 AND ?2";
        Ok(self.one(first, [from, to], |row| row.get(0))?.flatten())
    }
}

/// What is asked of each run.
struct Statements {
    operations: String,
    calls: String,
    charges: String,
    corrections: String,
}

const OPEN: &str = "SELECT seq FROM operations WHERE state = 'open' AND seq BETWEEN ?1 AND ?2 ORDER BY seq";
const LABELS: &str =
    "SELECT seq, model, quality, output, source FROM labels WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq, id";

impl Statements {
    fn of(file: &LedgerFile) -> Self {
        let is_chained = file.is_chained();
        let needs = if is_chained { NEEDS } else { NO_NEEDS };
        let effort = if is_chained { "a.effort" } else { "NULL" };
        let particulars = file.particulars();
        let amounts = file.amounts();
        Self {
            operations: format!(
                "SELECT {OPERATION}, {needs} FROM operations o WHERE {WITHIN} ORDER BY o.seq"
            ),
            calls: format!(
                "SELECT {CALL}, {particulars}, {effort} FROM attempts a WHERE a.seq BETWEEN ?1 AND ?2 ORDER BY a.seq, a.n"
            ),
            charges: format!(
                "SELECT c.seq, c.n, c.kind, c.why, {amounts} FROM charges c WHERE c.seq BETWEEN ?1 AND ?2 ORDER BY c.seq, c.n"
            ),
            corrections: corrections::of_stretch(file.version),
        }
    }

    /// Reads a run, up to what cannot be read.
    fn read(
        &self,
        file: &LedgerFile,
        [first, last, since, until]: [i64; 4],
        extract: &mut Extract,
    ) -> Result<(), LedgerError> {
        let fails = |source| file.failed(source);
        let prepare = |sql: &str| file.conn.prepare_cached(sql).map_err(fails);
        let (mut operations, mut calls) = (prepare(&self.operations)?, prepare(&self.calls)?);
        let (mut charges, mut corrected) = (prepare(&self.charges)?, prepare(&self.corrections)?);
        let (mut labels, mut open) = (prepare(LABELS)?, prepare(OPEN)?);
        let between = [first, last];
        let open: Vec<i64> =
            open.query_map(between, |row| row.get(0)).and_then(Iterator::collect).map_err(fails)?;
        let mut calls = Beside::new(calls.query(between).map_err(fails)?);
        let mut charges = Beside::new(charges.query(between).map_err(fails)?);
        let mut corrected = Beside::new(corrected.query(between).map_err(fails)?);
        let mut labels = Beside::new(labels.query(between).map_err(fails)?);
        let mut late: Vec<StoredCorrection> = Vec::new();
        let mut rows = operations.query(params![first, last, since, until]).map_err(fails)?;
        while let Some(row) = rows.next().map_err(fails)? {
            let seq = count_at(row, 0).map_err(fails)?;
            let own_calls = take_own(&mut calls, seq, |row| {
                let call: (u64, i64) = (count_at(row, 0)?, row.get(1)?);
                let charge =
                    charges.next(&call, |row| Ok(((count_at(row, 0)?, row.get(1)?), charge_at(row, 2)?)));
                extract.call(row, charge?.flatten())
            });
            let own_calls = own_calls.map_err(fails)?;
            let own_labels = take_own(&mut labels, seq, |row| extract.label(row)).map_err(fails)?;
            if open.binary_search(&whole(seq)).is_ok() {
                extract.pass(seq);
                continue;
            }
            extract.operation(row, seq, (own_calls, own_labels))?;
            let corrections = take_own(&mut corrected, seq, |row| {
                late.push(StoredCorrection::read(row)?);
                Ok(u32::try_from(late.len() - 1).unwrap_or(u32::MAX))
            });
            for correction in corrections.map_err(fails)?.of(&late) {
                extract.correction(seq, correction.clone())?;
            }
        }
        Ok(())
    }
}

/// Takes in the rows of an operation, and one behind them; `take` returns the place of each.
fn take_own(
    beside: &mut Beside<'_, u64, u32>,
    seq: u64,
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<u32>,
) -> rusqlite::Result<Places> {
    let mut places = Places::default();
    while let Some(place) = beside.next(&seq, |row| Ok((count_at(row, 0)?, take(row)?)))? {
        places.add(place);
    }
    Ok(places)
}
