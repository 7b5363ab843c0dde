//! Writes a stretch of a ledger as a log in our own format, so that it replays like any other.
//!
//! Invariants: requests stand in their order of arrival; a request that is still open is left out and counted; the
//! stretch begins with the policy in force at its first request.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use rusqlite::{Params, Row, params};

use super::chain::{Kind, own};
use super::corrections::{self, StoredCorrection};
use super::error::Faults;
use super::file::{LedgerFile, Range, WITHIN};
use super::marks::{self, Marks, Out};
use super::proof::{Member, PolicyRest, SOURCE};
use super::row::{Beside, STRIDE, count_at, plain, whole};
use super::schema::CORRECTED;
use super::stored::{
    ATTEMPT, JOINED, LateStored, NEEDS, NO_NEEDS, OPERATION, REST, REST_AT, StoredAttempt, StoredLabel,
    record, rest,
};
use super::{Cursor, LedgerError, price};
use crate::config;
use crate::pricing::PriceRow;
use crate::record::{Entry, Header, PolicyChange, PriceChange, Signal, Under, Writer};
use crate::routing::PolicySpec;
use crate::units::{Instant, Names, members};

const LABELS: &str = "SELECT seq, model, quality, output, source, at, id FROM labels WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq, id";

/// What an export contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Write the prices charged at as price events, so that a replay charges as the ledger did whatever its price book.
    pub prices: bool,
    /// Write with each line its place in the ledger's chain and what it takes to prove it, and judgements as events of their own.
    pub chain: bool,
}

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Requests.
    pub requests: u64,
    /// Requests left out because they are still open.
    pub open: u64,
    /// Policies, prices, judgements and notes.
    pub events: u64,
    /// Where whoever has read all of this goes on; none for a stretch, or without marks.
    pub next: Option<Cursor>,
}

/// Writes a stretch of the ledger at `path` as a log.
///
/// # Errors
/// As [`LedgerFile::export`].
pub fn export(path: &Path, range: &Range, out: &mut dyn Write) -> Result<Exported, LedgerError> {
    LedgerFile::open(path)?.export(range, ExportOptions::default(), out, &mut |_, _| true)
}

impl LedgerFile {
    /// Writes a stretch as a log. `tick` hears how many operations of the ledger are passed, and how many there are, and
    /// may cancel by answering false.
    ///
    /// # Errors
    /// Where the ledger cannot be read, the output cannot be written, or the work was cancelled.
    pub fn export(
        &self,
        range: &Range,
        options: ExportOptions,
        out: &mut dyn Write,
        tick: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Exported, LedgerError> {
        let fault = |source| self.failed(source);
        let moment = self.conn.unchecked_transaction().map_err(fault)?;
        let newest = self.newest()?;
        if !tick(0, newest) {
            return Err(LedgerError::Cancelled);
        }
        let [first, last, from, to] = self.bounds(range)?;
        let mut marks = Marks::new(self, options.chain).map_err(fault)?;
        marks.cover_range(range)?;
        let mut all = self
            .conn
            .prepare(&format!(
                "SELECT {}, {REST} FROM operations o WHERE {WITHIN} ORDER BY o.seq",
                self.operation_columns()
            ))
            .map_err(fault)?;
        let mut attempts = self
            .conn
            .prepare(&format!(
                "SELECT {} {JOINED} WHERE a.seq BETWEEN ?1 AND ?2 ORDER BY a.seq, a.n",
                self.call_columns(true)
            ))
            .map_err(fault)?;
        let (mut labels, mut late) =
            (self.conn.prepare(LABELS).map_err(fault)?, self.conn.prepare(LABELS).map_err(fault)?);
        // Where lines are marked a judgement is an event of its own; else it stands on its request.
        let (joined, own_lines) = if marks.on() { (-1, last) } else { (last, -1) };
        let mut late = Beside::new(late.query([first, own_lines]).map_err(fault)?);
        let mut attempts = Beside::new(attempts.query([first, last]).map_err(fault)?);
        let mut labels = Beside::new(labels.query([first, joined]).map_err(fault)?);
        let mut corrected = self.conn.prepare(&corrections::of_stretch(self.version)).map_err(fault)?;
        let mut corrected = Beside::new(corrected.query([first, last]).map_err(fault)?);
        let mut rows = all.query(params![first, last, from, to]).map_err(fault)?;
        let mut written = Exported::default();
        let events = self.events(range, &mut Faults::fatal())?;
        self.cover_events(range, &events, &mut marks)?;
        let mut events = events.into_iter().peekable();
        let mut prices = options.prices.then(|| self.rates()).transpose()?.map(Prices::new);
        let mut out = Writer::new(out, &self.header(range)?);
        let (mut passed, mut run) = (0, None);
        while let Some(row) = rows.next().map_err(fault)? {
            let seq = count_at(row, 0).map_err(fault)?;
            let own_attempts = own_rows(&mut attempts, seq, StoredAttempt::read).map_err(fault)?;
            let own_labels = own_rows(&mut labels, seq, StoredLabel::read).map_err(fault)?;
            while let Some(event) = events.next_if(|event| event.before <= seq) {
                event.write(&mut out, &mut marks)?;
                written.events += 1;
            }
            let open = row.get_ref(1).and_then(|state| Ok(state.as_str()? == "open")).map_err(fault)?;
            if open {
                written.open += 1;
            } else {
                let record = record(row, seq, &own_attempts, &own_labels)?;
                let of_run: i64 = row.get(REST_AT).map_err(fault)?;
                if run.replace(of_run) != Some(of_run) {
                    self.tell_run(of_run, &mut marks, &mut out)?;
                }
                if let Some(prices) = &mut prices {
                    written.events += prices.tell(record.at, &own_attempts, &mut out)?;
                }
                let member = marks.member(Kind::Operation, whole(seq)).map_err(fault)?;
                let member = member.map(|member| marked(member, row, seq, &own_attempts)).transpose();
                let id = record.id.to_string();
                marks::write_entry(&mut out, &Entry::Request(record), member.map_err(fault)?.as_ref())?;
                written.requests += 1;
                for judged in own_rows(&mut late, seq, LateStored::read).map_err(fault)? {
                    let member = marks.member(Kind::Label, judged.number).map_err(fault)?;
                    let member = member.map(|member| Member { seq: Some(own(whole(seq))), ..member });
                    marks::write_entry(&mut out, &judged.event(&id), member.as_ref())?;
                    written.events += 1;
                }
                for correction in own_rows(&mut corrected, seq, StoredCorrection::read).map_err(fault)? {
                    correction.tell((seq, &id), &mut marks, &mut out)?;
                    written.events += 1;
                }
            }
            passed += 1;
            if passed % STRIDE == 0 && !tick(seq, newest) {
                return Err(LedgerError::Cancelled);
            }
        }
        if range.is_open() {
            for event in events {
                event.write(&mut out, &mut marks)?;
                written.events += 1;
            }
        }
        if marks.on() && *range == Range::default() {
            written.next = self.heads()?.into_iter().next().map(|head| head.cursor);
        }
        marks.finish(&mut out)?;
        out.finish()?;
        drop((rows, attempts, labels, late, corrected));
        moment.finish().map_err(fault)?;
        Ok(written)
    }

    /// Has the links of events told that stand between the requests of a stretch, or behind the last where it has no end: one may
    /// have been written before the first of those was over, or after the last.
    fn cover_events(
        &self,
        range: &Range,
        events: &[Event],
        marks: &mut Marks<'_>,
    ) -> Result<(), LedgerError> {
        if !marks.on() {
            return Ok(());
        }
        let ends = format!("SELECT min(o.seq), max(o.seq) FROM operations o WHERE {WITHIN}");
        let ends: Vec<(Option<i64>, Option<i64>)> =
            self.all(&ends, self.bounds(range)?, |row| row.try_into())?;
        let (first, last) = ends.first().copied().unwrap_or_default();
        let is_whole = range.from.is_none() && range.first.is_none();
        let first = if is_whole { -1 } else { first.unwrap_or(0) };
        let last = if range.is_open() { i64::MAX } else { last.unwrap_or(-1) };
        let within = |event: &&Event| (first + 1..=last).contains(&whole(event.before));
        for event in events.iter().filter(within) {
            let (kind, number) = event.entry();
            marks.widen(kind, number).map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    /// Returns the columns that [`record`] takes.
    pub(super) fn operation_columns(&self) -> String {
        format!("{OPERATION}, {}", if self.is_chained() { NEEDS } else { NO_NEEDS })
    }

    /// Returns the columns that [`StoredAttempt::read`] takes, with the charge or as if there were none.
    pub(super) fn call_columns(&self, charged: bool) -> String {
        let amounts = self.amounts();
        let charge =
            if charged { format!("c.kind, c.why, {amounts}") } else { "NULL, NULL, NULL, NULL".into() };
        let rest = "a.rung, a.started, a.prompt, a.delivered, a.state";
        let effort = if self.is_chained() { "a.effort" } else { "NULL" };
        format!("{ATTEMPT}, {charge}, {}, {rest}, {effort}", self.particulars())
    }

    pub(super) fn header(&self, range: &Range) -> Result<Header, LedgerError> {
        let all = format!(
            "SELECT DISTINCT o.simulated FROM operations o WHERE {WITHIN} AND o.simulated <> '' ORDER BY 1 LIMIT 32"
        );
        let simulated = self.all(&all, self.bounds(range)?, |row| row.get(0))?;
        Ok(Header { source: SOURCE.to_owned(), simulated, budgets: self.budgets(range)? })
    }

    /// Returns notes and policies with the operations they stand before.
    pub(super) fn events(&self, range: &Range, faults: &mut Faults) -> Result<Vec<Event>, LedgerError> {
        let fault = |source| self.failed(source);
        let within = format!("SELECT o.seq FROM operations o WHERE {WITHIN} ORDER BY o.seq LIMIT 1");
        let bounds = self.bounds(range)?;
        let first = self.readable("requests", &within, bounds, faults, |row| row.get(0)).map_err(fault)?;
        let first = first.into_iter().next().unwrap_or(0);
        let whole = range.from.is_none() && range.first.is_none();
        let since = [if whole { -1 } else { first }];
        let notes = "SELECT before_seq, at, id, text, simulated FROM notes WHERE before_seq > ?1 ORDER BY before_seq, id";
        let notes = self.readable("notes", notes, since, faults, |row| {
            Event::read(row, What::Note { text: row.get(3)?, simulated: row.get(4)? })
        });
        let mut events = notes.map_err(fault)?;
        if self.version >= CORRECTED {
            let signals = "SELECT before_seq, at, id, model, until, why FROM signals WHERE before_seq > ?1 ORDER BY before_seq, id";
            let signals = self.readable("signals", signals, since, faults, |row| {
                let until: Option<i64> = row.get(4)?;
                Event::read(
                    row,
                    What::Signal { model: row.get(3)?, until: until.map(Instant), why: row.get(5)? },
                )
            });
            events.extend(signals.map_err(fault)?);
        }
        let undo = if self.is_chained() { "undo" } else { "0" };
        let policies =
            format!("SELECT version, at, from_seq, who, what, text, {undo} FROM policies ORDER BY version");
        let mut policies =
            self.readable("policies", &policies, [], faults, StoredPolicy::read).map_err(fault)?;
        // The stretch begins with the one in force at its first request.
        let opening = plain(first);
        let within = policies.iter().rposition(|stored| !whole && stored.before <= opening).unwrap_or(0);
        for stored in policies.drain(within..) {
            events.push(stored.event());
        }
        crate::units::sort_by_key(&mut events, |event| event.before);
        Ok(events)
    }

    /// Collects what is read of every row that a question has; one that cannot be read is a fault.
    fn readable<T>(
        &self,
        what: &str,
        sql: &str,
        params: impl Params,
        faults: &mut Faults,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Vec<T>> {
        let mut found = Vec::new();
        for one in self.conn.prepare(sql)?.query_map(params, read)? {
            match one {
                Ok(one) => found.push(one),
                Err(error) => faults.pass(what, error)?,
            }
        }
        Ok(found)
    }

    /// Returns the rows of prices charged at, by number.
    fn rates(&self) -> Result<BTreeMap<i64, PriceRow>, LedgerError> {
        let all = "SELECT price, id, rates, source FROM price_rows";
        let all: Vec<(i64, String, String, Option<String>)> = self.all(all, [], |row| row.try_into())?;
        let mut prices = BTreeMap::new();
        for (number, id, text, source) in all {
            let Some(row) = price::read_dated(&text) else {
                return Err(LedgerError::Value { seq: 0, field: "price", found: id });
            };
            prices.insert(number, PriceRow { source, ..row });
        }
        Ok(prices)
    }
}

/// Something between requests.
#[derive(Debug)]
pub(super) struct Event {
    /// The first operation after it.
    pub(super) before: u64,
    at: Instant,
    /// Its number among its kind.
    number: i64,
    what: What,
}

#[derive(Debug)]
enum What {
    Note {
        text: String,
        simulated: bool,
    },
    Signal {
        model: String,
        until: Option<Instant>,
        why: String,
    },
    Policy {
        version: u32,
        who: String,
        what: String,
        spec: PolicySpec,
        text: String,
        undo: bool,
    },
    /// A policy whose text cannot be read.
    Unreadable(String),
}

impl Event {
    /// Reads one whose first columns are the first operation after it, moment and number.
    fn read(row: &Row<'_>, what: What) -> rusqlite::Result<Self> {
        Ok(Self { before: count_at(row, 0)?, at: Instant(row.get(1)?), number: row.get(2)?, what })
    }

    /// Returns its kind and number in the chain.
    pub(super) fn entry(&self) -> (i64, i64) {
        match self.what {
            What::Note { .. } => (Kind::Note.code(), self.number),
            What::Signal { .. } => (Kind::Signal.code(), self.number),
            What::Policy { .. } | What::Unreadable(_) => (Kind::Policy.code(), self.number),
        }
    }

    pub(super) fn write(&self, out: &mut Out<'_>, marks: &mut Marks<'_>) -> Result<(), LedgerError> {
        let before = own(whole(self.before));
        let mut member = |kind| marks.member(kind, self.number).map_err(|source| marks.failed(source));
        let member = match &self.what {
            What::Note { .. } => member(Kind::Note)?.map(|member| Member { seq: Some(before), ..member }),
            What::Signal { .. } => member(Kind::Signal)?.map(|member| Member { seq: Some(before), ..member }),
            What::Unreadable(_) => None,
            What::Policy { text, .. } => {
                let rest = || Some(PolicyRest(before, text.clone()));
                member(Kind::Policy)?.map(|member| Member { policy: rest(), ..member })
            }
        };
        marks::write_entry(out, &self.told(), member.as_ref())?;
        Ok(())
    }

    /// Returns it as an entry of a log.
    pub(super) fn told(&self) -> Entry<'_> {
        match &self.what {
            What::Note { text, simulated } => {
                Entry::Note { at: self.at, text: text.into(), simulated: *simulated }
            }
            What::Signal { model, until, why } => {
                let (model, why) = (model.into(), why.into());
                Entry::Signal(Signal { at: self.at, model, until: *until, why })
            }
            What::Unreadable(text) => Entry::Note { at: self.at, text: text.into(), simulated: false },
            What::Policy { version, who, what, spec, text: _, undo } => {
                Entry::Policy(Box::new(PolicyChange {
                    undo: *undo,
                    version: *version,
                    at: self.at,
                    who: who.into(),
                    what: what.into(),
                    // The run's line says it.
                    under: Under::default(),
                    spec: spec.clone(),
                }))
            }
        }
    }
}

/// Adds to the member of an operation's line what the ledger keeps besides.
pub(super) fn marked(
    member: Member,
    row: &Row<'_>,
    seq: u64,
    calls: &[StoredAttempt],
) -> rusqlite::Result<Member> {
    let calls = calls.iter().map(StoredAttempt::rest).collect();
    Ok(Member { operation: Some(rest(row, seq)?), calls, ..member })
}

members! {
    struct StoredPolicy;
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {}
    version: u32 = row.get(0)?,
    at: Instant = Instant(row.get(1)?),
    before: u64 = count_at(row, 2)?,
    who: String = row.get(3)?,
    what: String = row.get(4)?,
    text: String = row.get(5)?,
    undo: bool = row.get(6)?,
}

impl StoredPolicy {
    /// Turns it into an event; one that cannot be read becomes a note that says so, and keeps the rest from nothing.
    fn event(self) -> Event {
        let Self { version, at, before, who, what, text, undo } = self;
        let mut names = Names::default();
        let what = match config::policy::parse(&text, &format!("policy {version}"), &mut names) {
            Ok(policy) => What::Policy { version, who, what, spec: policy.spec(&names), text, undo },
            Err(error) => What::Unreadable(format!(
                "policy {version} came into force, and its stored text cannot be read: {error}"
            )),
        };
        Event { before, at, number: i64::from(version), what }
    }
}

/// Tells each price when it is first charged at, and again whenever it changed.
struct Prices {
    known: BTreeMap<i64, PriceRow>,
    told: BTreeMap<String, i64>,
}

impl Prices {
    fn new(known: BTreeMap<i64, PriceRow>) -> Self {
        Self { known, told: BTreeMap::new() }
    }

    fn tell(
        &mut self,
        at: Instant,
        attempts: &[StoredAttempt],
        out: &mut Out<'_>,
    ) -> Result<u64, LedgerError> {
        let mut count = 0;
        for attempt in attempts {
            let (model, price) = attempt.priced();
            let Some((number, row)) = price.and_then(|number| Some((number, self.known.get(&number)?)))
            else {
                continue;
            };
            let told = self.told.get(model);
            // What is asked in other hours of the same row was told with it.
            let is_hour = |told| !row.scheduled.is_empty() && self.known.get(told) == Some(row);
            if told.is_some_and(|told| *told == number || is_hour(told)) {
                continue;
            }
            let row = row.clone().starting(Some(at));
            let change = PriceChange { model: model.into(), row, simulated: false };
            out.write(&Entry::Price(Box::new(change)))?;
            self.told.insert(model.to_owned(), number);
            count += 1;
        }
        Ok(count)
    }
}

/// Reads the rows of an operation.
fn own_rows<T>(
    beside: &mut Beside<'_, u64, T>,
    seq: u64,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let next = || beside.next(&seq, |row| Ok((count_at(row, 0)?, read(row)?))).transpose();
    std::iter::from_fn(next).collect()
}
