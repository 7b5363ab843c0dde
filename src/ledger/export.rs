//! Writes a stretch of a ledger as a log in our own format, so that it replays like any other.
//!
//! Invariants: requests stand in their order of arrival; a request that is still open is left out and counted; the
//! stretch begins with the policy in force at its first request.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use rusqlite::{Row, Rows, params};

use super::file::{LedgerFile, Range, STRIDE, WITHIN};
use super::row::{count_at, read_check, read_cost, read_terms, usage_at};
use super::salvage::Faults;
use super::{LedgerError, price};
use crate::config;
use crate::pricing::{Charged, Cost, PriceRow, Terms};
use crate::record::{
    Attempt, Attempts, Entry, Header, Label, PolicyChange, PriceChange, Record, Status, Writer, some_terms,
};
use crate::routing::PolicySpec;
use crate::units::{Instant, Names, PerMille, Pico};

/// What an export contains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportOptions {
    /// Write the prices charged at as price events, so that a replay charges as the ledger did whatever its price book.
    pub prices: bool,
}

/// What an export wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Requests.
    pub requests: u64,
    /// Requests left out because they are still open.
    pub open: u64,
    /// Policies, prices and notes.
    pub events: u64,
}

/// Writes a stretch of the ledger at `path` as a log.
///
/// # Errors
/// As [`LedgerFile::export`].
pub fn export(path: &Path, range: &Range, out: impl Write) -> Result<Exported, LedgerError> {
    LedgerFile::open(path)?.export(range, ExportOptions::default(), out, |_, _| true)
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
        out: impl Write,
        mut tick: impl FnMut(u64, u64) -> bool,
    ) -> Result<Exported, LedgerError> {
        let fails = |source| self.failed(source);
        let moment = self.conn.unchecked_transaction().map_err(fails)?;
        let newest = self.newest()?;
        if !tick(0, newest) {
            return Err(LedgerError::Cancelled);
        }
        let [first, last, from, to] = range.bounds();
        let mut all = self
            .conn
            .prepare(&format!("SELECT {OPERATION} FROM operations o WHERE {WITHIN} ORDER BY o.seq"))
            .map_err(fails)?;
        let mut attempts = self
            .conn
            .prepare(&format!(
                "SELECT {ATTEMPT}, {} {JOINED} WHERE a.seq BETWEEN ?1 AND ?2 ORDER BY a.seq, a.n",
                self.particulars()
            ))
            .map_err(fails)?;
        let mut labels = self
            .conn
            .prepare(
                "SELECT seq, model, quality, output FROM labels WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq, id",
            )
            .map_err(fails)?;
        let mut attempts = Ahead::new(attempts.query([first, last]).map_err(fails)?, StoredAttempt::read);
        let mut labels = Ahead::new(labels.query([first, last]).map_err(fails)?, StoredLabel::read);
        let mut rows = all.query(params![first, last, from, to]).map_err(fails)?;
        let mut written = Exported::default();
        let mut events = self.events(range, &mut Faults::fatal())?.into_iter().peekable();
        let mut prices = options.prices.then(|| self.rates()).transpose()?.map(Prices::new);
        let mut out = Writer::new(out, &self.header(range)?);
        let mut passed = 0;
        while let Some(row) = rows.next().map_err(fails)? {
            let seq = count_at(row, 0).map_err(fails)?;
            let own_attempts = attempts.of(seq).map_err(fails)?;
            let own_labels = labels.of(seq).map_err(fails)?;
            while let Some(event) = events.next_if(|event| event.before <= seq) {
                event.write(&mut out)?;
                written.events += 1;
            }
            let open = row.get_ref(1).and_then(|state| Ok(state.as_str()? == "open")).map_err(fails)?;
            if open {
                written.open += 1;
            } else {
                let record = record(row, seq, &own_attempts, &own_labels)?;
                if let Some(prices) = &mut prices {
                    written.events += prices.tell(record.at, &own_attempts, &mut out)?;
                }
                out.write(&Entry::Request(record))?;
                written.requests += 1;
            }
            passed += 1;
            if passed % STRIDE == 0 && !tick(seq, newest) {
                return Err(LedgerError::Cancelled);
            }
        }
        if range.to.is_none() && range.last.is_none() {
            for event in events {
                event.write(&mut out)?;
                written.events += 1;
            }
        }
        out.finish()?;
        drop((rows, attempts, labels));
        moment.finish().map_err(fails)?;
        Ok(written)
    }

    pub(super) fn header(&self, range: &Range) -> Result<Header, LedgerError> {
        let fails = |source| self.failed(source);
        let mut all = self
            .conn
            .prepare(&format!(
                "SELECT DISTINCT o.simulated FROM operations o WHERE {WITHIN} AND o.simulated <> '' ORDER BY 1 LIMIT 32"
            ))
            .map_err(fails)?;
        let names = all.query_map(range.bounds(), |row| row.get(0)).map_err(fails)?;
        let simulated = names.collect::<rusqlite::Result<_>>().map_err(fails)?;
        Ok(Header { source: "pointsman ledger".to_owned(), simulated })
    }

    /// Gives notes and policies with the operations they stand before.
    pub(super) fn events(&self, range: &Range, faults: &mut Faults) -> Result<Vec<Event>, LedgerError> {
        let fails = |source| self.failed(source);
        let within = format!("SELECT o.seq FROM operations o WHERE {WITHIN} ORDER BY o.seq LIMIT 1");
        let mut first = self.conn.prepare(&within).map_err(fails)?;
        let first: Option<i64> = first
            .query_map(range.bounds(), |row| row.get(0))
            .and_then(|mut found| found.next().transpose())
            .or_else(|error| faults.pass("requests", error).map(|()| None))
            .map_err(fails)?;
        let first = first.unwrap_or(0);
        let mut events = Vec::new();
        let whole = range.from.is_none() && range.first.is_none();
        let mut notes = self
            .conn
            .prepare("SELECT before_seq, at, text, simulated FROM notes WHERE before_seq > ?1 ORDER BY before_seq, id")
            .map_err(fails)?;
        let since = if whole { -1 } else { first };
        let found = notes.query_map([since], |row| {
            let what = What::Note { text: row.get(2)?, simulated: row.get(3)? };
            Ok(Event { before: count_at(row, 0)?, at: Instant(row.get(1)?), what })
        });
        for event in found.map_err(fails)? {
            match event {
                Ok(event) => events.push(event),
                Err(error) => faults.pass("notes", error).map_err(fails)?,
            }
        }
        let mut policies = self.policies(faults).map_err(fails)?;
        // The stretch begins with the one in force at its first request.
        let opening = u64::try_from(first).unwrap_or(0);
        let within = policies.iter().rposition(|stored| !whole && stored.before <= opening).unwrap_or(0);
        for stored in policies.drain(within..) {
            events.push(stored.event());
        }
        events.sort_by_key(|event| event.before);
        Ok(events)
    }

    fn policies(&self, faults: &mut Faults) -> rusqlite::Result<Vec<StoredPolicy>> {
        let mut all = self
            .conn
            .prepare("SELECT version, at, from_seq, who, what, text FROM policies ORDER BY version")?;
        let all = all.query_map([], |row| {
            Ok(StoredPolicy {
                version: row.get(0)?,
                at: Instant(row.get(1)?),
                before: count_at(row, 2)?,
                who: row.get(3)?,
                what: row.get(4)?,
                text: row.get(5)?,
            })
        })?;
        let mut found = Vec::new();
        for policy in all {
            match policy {
                Ok(policy) => found.push(policy),
                Err(error) => faults.pass("policies", error)?,
            }
        }
        Ok(found)
    }

    /// Gives the prices charged at, by number.
    fn rates(&self) -> Result<BTreeMap<i64, PriceRow>, LedgerError> {
        let fails = |source| self.failed(source);
        let mut all = self.conn.prepare("SELECT price, id, rates, source FROM price_rows").map_err(fails)?;
        let found = all.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get(3)?))
        });
        let mut prices = BTreeMap::new();
        for row in found.map_err(fails)? {
            let (number, id, text, source) = row.map_err(fails)?;
            let Some(row) = price::read(&text) else {
                return Err(LedgerError::Value { seq: 0, field: "price", found: id });
            };
            prices.insert(number, PriceRow { source, ..row });
        }
        Ok(prices)
    }
}

/// Something between requests.
pub(super) struct Event {
    /// The first operation after it.
    pub(super) before: u64,
    at: Instant,
    what: What,
}

enum What {
    Note { text: String, simulated: bool },
    Policy { version: u32, who: String, what: String, spec: PolicySpec },
}

impl Event {
    pub(super) fn write(&self, out: &mut Writer<impl Write>) -> Result<(), LedgerError> {
        match &self.what {
            What::Note { text, simulated } => {
                out.write(&Entry::Note { at: self.at, text: text.into(), simulated: *simulated })?;
            }
            What::Policy { version, who, what, spec } => {
                let change = PolicyChange {
                    undo: false,
                    version: *version,
                    at: self.at,
                    who: who.into(),
                    what: what.into(),
                    spec: spec.clone(),
                };
                out.write(&Entry::Policy(Box::new(change)))?;
            }
        }
        Ok(())
    }
}

struct StoredPolicy {
    version: u32,
    at: Instant,
    before: u64,
    who: String,
    what: String,
    text: String,
}

impl StoredPolicy {
    /// Turns it into an event; one that cannot be read becomes a note that says so, and keeps the rest from nothing.
    fn event(self) -> Event {
        let Self { version, at, before, who, what, text } = self;
        let mut names = Names::default();
        let what = match config::policy::parse(&text, &format!("policy {version}"), &mut names) {
            Ok(policy) => What::Policy { version, who, what, spec: policy.spec(&names) },
            Err(error) => What::Note {
                text: format!(
                    "policy {version} came into force, and its stored text cannot be read: {error}"
                ),
                simulated: false,
            },
        };
        Event { before, at, what }
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
        out: &mut Writer<impl Write>,
    ) -> Result<u64, LedgerError> {
        let mut count = 0;
        for attempt in attempts {
            let Some((number, row)) =
                attempt.price.and_then(|number| Some((number, self.known.get(&number)?)))
            else {
                continue;
            };
            if self.told.get(&attempt.model) == Some(&number) {
                continue;
            }
            let row = PriceRow { from: Some(at), ..row.clone() };
            let change = PriceChange { model: attempt.model.as_str().into(), row, simulated: false };
            out.write(&Entry::Price(Box::new(change)))?;
            self.told.insert(attempt.model.clone(), number);
            count += 1;
        }
        Ok(count)
    }
}

/// Rows that belong to operations, read along with them.
struct Ahead<'s, T> {
    rows: Rows<'s>,
    read: fn(&Row<'_>) -> rusqlite::Result<(u64, T)>,
    next: Option<(u64, T)>,
    ended: bool,
}

impl<'s, T> Ahead<'s, T> {
    fn new(rows: Rows<'s>, read: fn(&Row<'_>) -> rusqlite::Result<(u64, T)>) -> Self {
        Self { rows, read, next: None, ended: false }
    }

    /// Gives the rows of an operation; those before it are passed over.
    fn of(&mut self, seq: u64) -> rusqlite::Result<Vec<T>> {
        let mut found = Vec::new();
        loop {
            if self.next.is_none() && !self.ended {
                self.next = self.rows.next()?.map(self.read).transpose()?;
                self.ended = self.next.is_none();
            }
            match self.next.take() {
                Some((own, row)) if own == seq => found.push(row),
                Some((own, _)) if own < seq => {}
                other => {
                    self.next = other;
                    return Ok(found);
                }
            }
        }
    }
}

pub(super) const ATTEMPT: &str = "a.seq, a.asked, a.model, a.provider, a.price, a.status, a.checked, a.error, a.latency_ms, \
                       a.ttft_ms, a.input, a.cache_read, a.write_5m, a.write_1h, a.output, a.reasoning, a.estimated, \
                       c.kind, c.why, c.amount";
pub(super) const JOINED: &str = "FROM attempts a LEFT JOIN charges c ON c.seq = a.seq AND c.n = a.n";

pub(super) struct StoredAttempt {
    asked: String,
    model: String,
    provider: String,
    price: Option<i64>,
    status: Option<String>,
    checked: Option<String>,
    error: Option<String>,
    latency_ms: Option<u32>,
    ttft_ms: Option<u32>,
    usage: crate::pricing::Usage,
    estimated: bool,
    cost: Option<Cost>,
    /// None where the columns cannot be read.
    terms: Option<Terms>,
    left_out: Vec<String>,
    gap_ms: Option<u32>,
}

impl StoredAttempt {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<(u64, Self)> {
        let (kind, why): (Option<String>, Option<String>) = (row.get(17)?, row.get(18)?);
        let amount: Option<String> = row.get(19)?;
        let (tier, meters): (Option<String>, Option<String>) = (row.get(20)?, row.get(21)?);
        let left_out: Option<String> = row.get(22)?;
        let attempt = Self {
            asked: row.get(1)?,
            model: row.get(2)?,
            provider: row.get(3)?,
            price: row.get(4)?,
            status: row.get(5)?,
            checked: row.get(6)?,
            error: row.get(7)?,
            latency_ms: row.get(8)?,
            ttft_ms: row.get(9)?,
            usage: usage_at(row, 10)?,
            estimated: row.get(16)?,
            cost: kind.and_then(|kind| read_cost(&kind, why.as_deref(), amount.as_deref())),
            terms: read_terms(tier.as_deref(), meters.as_deref()),
            left_out: left_out.and_then(|names| serde_json::from_str(&names).ok()).unwrap_or_default(),
            gap_ms: row.get(23)?,
        };
        Ok((count_at(row, 0)?, attempt))
    }

    pub(super) fn attempt(&self, seq: u64) -> Result<Attempt<'_>, LedgerError> {
        let strange = |field, found: &str| LedgerError::Value { seq, field, found: found.to_owned() };
        let status = match &self.status {
            None => Status::default(),
            Some(word) => Status::from_name(word).ok_or_else(|| strange("status", word))?,
        };
        let check = read_check(self.checked.as_deref())
            .ok_or_else(|| strange("check", self.checked.as_deref().unwrap_or_default()))?;
        let terms = self.terms.as_ref().ok_or_else(|| strange("meters", "something unreadable"))?;
        // The model called; who was billed is told beside it where it is another.
        let model = if self.asked.is_empty() { &self.model } else { &self.asked };
        let billed = if *model == self.model { "" } else { &self.model };
        Ok(Attempt {
            model: model.as_str().into(),
            billed: billed.into(),
            provider: self.provider.as_str().into(),
            usage: self.usage,
            estimated: self.estimated,
            latency_ms: self.latency_ms,
            ttft_ms: self.ttft_ms,
            status,
            error: self.error.as_deref().unwrap_or_default().into(),
            check,
            terms: some_terms(terms),
            left_out: self.left_out.iter().map(|name| name.as_str().into()).collect(),
            gap_ms: self.gap_ms,
            charged: self.cost.map(Charged::new).unwrap_or_default(),
            ..Attempt::default()
        })
    }
}

pub(super) struct StoredLabel {
    model: String,
    quality: Option<PerMille>,
    output: Option<u64>,
}

impl StoredLabel {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<(u64, Self)> {
        let quality: Option<u16> = row.get(2)?;
        let output: Option<i64> = row.get(3)?;
        let label = Self {
            model: row.get(1)?,
            quality: quality.and_then(PerMille::new),
            output: output.and_then(|output| u64::try_from(output).ok()),
        };
        Ok((count_at(row, 0)?, label))
    }
}

pub(super) const OPERATION: &str = "o.seq, o.state, o.id, o.at, o.team, o.project, o.user, o.session, o.asked, o.pinned, o.task, \
                         o.confidence, o.turn, o.tools, o.history, o.simulated";

pub(super) fn record<'a>(
    row: &Row<'_>,
    seq: u64,
    attempts: &'a [StoredAttempt],
    labels: &'a [StoredLabel],
) -> Result<Record<'a>, LedgerError> {
    let strange = |field, found: String| LedgerError::Value { seq, field, found };
    let read = |source: rusqlite::Error| strange("operation", source.to_string());
    let text = |at: usize| row.get::<_, String>(at).map(Into::into).map_err(read);
    let task: Option<String> = row.get(10).map_err(read)?;
    let task = task.map(|word| word.parse().map_err(|()| strange("task", word.clone()))).transpose()?;
    let confidence: Option<u16> = row.get(11).map_err(read)?;
    Ok(Record {
        id: text(2)?,
        at: Instant(row.get(3).map_err(read)?),
        team: text(4)?,
        project: text(5)?,
        user: text(6)?,
        session: text(7)?,
        asked: text(8)?,
        pinned: row.get(9).map_err(read)?,
        task,
        confidence: confidence.and_then(PerMille::new),
        // Live, a classifier always looked.
        unsure: confidence.is_none(),
        turn: row.get(12).map_err(read)?,
        tools: row.get(13).map_err(read)?,
        history: row.get(14).map_err(read)?,
        attempts: attempts.iter().map(|attempt| attempt.attempt(seq)).collect::<Result<Attempts<'_>, _>>()?,
        labels: labels
            .iter()
            .map(|label| Label {
                model: label.model.as_str().into(),
                quality: label.quality,
                output: label.output,
            })
            .collect(),
        claimed_usd: claimed(attempts).map(|amount| amount.usd().into()),
        simulated: text(15)?,
        ..Record::default()
    })
}

/// Gives what was charged for an operation where all of it is known or estimated.
fn claimed(attempts: &[StoredAttempt]) -> Option<Pico> {
    let amounts: Option<Vec<Pico>> = attempts.iter().map(|attempt| attempt.cost?.amount()).collect();
    amounts.filter(|amounts| !amounts.is_empty()).map(|amounts| amounts.into_iter().sum())
}
