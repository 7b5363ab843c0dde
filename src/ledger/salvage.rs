//! Brings every row that can be read out of a damaged ledger, and says what is missing.
//!
//! Invariants: one row that cannot be read hides no other; a call that is brought out is charged as it was, or its charge
//! is unknown; whatever is left out is counted.

use std::io::Write;

use rusqlite::{Connection, Row, Statement, params};

use super::corrections::{self, StoredCorrection};
use super::error::{Faults, LedgerError};
use super::export::Exported;
use super::file::{LedgerFile, Range};
use super::guard::marks;
use super::marks::{Marks, Out};
use super::options::now;
use super::row::{STRIDE, count_at, whole};
use super::stored::{JOINED, REST, StoredAttempt, StoredLabel, record};
use crate::record::{Attempts, Entry, Header, Record, Writer};
use crate::units::Instant;

/// The tables of what belongs to a request.
const BELONGS: [&str; 4] = ["attempts", "charges", "labels", "corrections"];

/// What was brought out of a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// What was written.
    pub exported: Exported,
    /// Numbers of requests that cannot be read; some of them may never have been given.
    pub unread: u64,
    /// Requests that came out without all that belongs to them.
    pub partial: u64,
    /// Calls that came out, and how many the ledger's own sums count, where those can be read.
    pub calls: (u64, Option<u64>),
    /// Where and why something is missing.
    pub faults: Faults,
}

impl Salvaged {
    /// Says whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.faults.count == 0
    }
}

/// The statements that bring out what belongs to a request.
struct Parts<'c> {
    attempts: Statement<'c>,
    /// Likewise, where the charges cannot be read.
    uncharged: Statement<'c>,
    labels: Statement<'c>,
    corrections: Statement<'c>,
    orphans: Statement<'c>,
    /// Whether a whole table of what belongs to requests is missing.
    lacking: bool,
}

impl LedgerFile {
    /// Writes every request of a stretch that can be read as a log, and says what is missing.
    ///
    /// # Errors
    /// Where not even the tables can be found, the output cannot be written, or the work was cancelled.
    pub fn salvage(
        &self,
        range: &Range,
        out: &mut dyn Write,
        tick: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Salvaged, LedgerError> {
        let fault = |source| self.failed(source);
        let mut found = Salvaged::default();
        for mark in marks(&self.path) {
            found.faults.tell(mark);
        }
        for table in &self.lost {
            found
                .faults
                .tell(format!("table {table} began in the part that is missing: nothing of it can be read"));
        }
        let [first, last, from, to] = range.bounds();
        let newest = whole(self.highest());
        let last = last.min(newest);
        let mut all = self
            .conn
            .prepare(&format!(
                "SELECT {}, {REST} FROM operations o WHERE o.seq BETWEEN ?1 AND ?2 AND o.at >= ?3 AND o.at < ?4 ORDER BY o.seq",
                self.operation_columns()
            ))
            .map_err(fault)?;
        let mut parts = self.parts().map_err(fault)?;
        let simulated = self.header(range).map(|header| header.simulated).unwrap_or_default();
        let header =
            Header { source: "pointsman ledger, salvaged".to_owned(), simulated, ..Header::default() };
        let mut events = self.events(range, &mut found.faults)?.into_iter().peekable();
        let mut marks = Marks::new(self, false).map_err(fault)?;
        let mut out = Writer::new(out, &header);
        let (mut next, mut passed, mut broken) = (first.max(1), 0, None);
        let whole_time = range.from.is_none() && range.to.is_none();
        while next <= last {
            let mut rows = all.query(params![next, last, from, to]).map_err(fault)?;
            loop {
                passed += 1;
                if passed % STRIDE == 0 && !tick(next.unsigned_abs(), newest.unsigned_abs()) {
                    return Err(LedgerError::Cancelled);
                }
                let row = match rows.next() {
                    Ok(Some(row)) => row,
                    Ok(None) => {
                        if whole_time {
                            found.orphans(&mut parts, (next, last), &mut out)?;
                        }
                        next = last.saturating_add(1);
                        break;
                    }
                    Err(error) => {
                        broken.get_or_insert_with(|| (next, error.to_string()));
                        found.unread += 1;
                        found.orphans(&mut parts, (next, next), &mut out)?;
                        next += 1;
                        break;
                    }
                };
                found.told(&mut broken, next);
                let seq = count_at(row, 0).map_err(fault)?;
                if whole_time && whole(seq) > next {
                    // A page of which a part is missing reads as if it had never held some of its rows.
                    let before = found.exported.requests;
                    found.orphans(&mut parts, (next, whole(seq) - 1), &mut out)?;
                    let came = found.exported.requests - before;
                    found.unread += (whole(seq) - next).unsigned_abs().saturating_sub(came);
                }
                next = whole(seq).saturating_add(1);
                while let Some(event) = events.next_if(|event| event.before <= seq) {
                    event.write(&mut out, &mut marks)?;
                    found.exported.events += 1;
                }
                if row.get_ref(1).is_ok_and(|state| state.as_str().is_ok_and(|state| state == "open")) {
                    found.exported.open += 1;
                    continue;
                }
                found.request(row, seq, &mut parts, (&mut marks, &mut out))?;
            }
        }
        found.told(&mut broken, next);
        for event in events.filter(|_| range.to.is_none() && range.last.is_none()) {
            event.write(&mut out, &mut marks)?;
            found.exported.events += 1;
        }
        let sums = "SELECT coalesce(sum(calls), 0) FROM sums";
        let is_all = *range == Range::default();
        found.calls.1 = self.conn.query_row(sums, [], |row| count_at(row, 0)).ok().filter(|_| is_all);
        if !found.is_whole() {
            let text = format!(
                "SALVAGED from a damaged ledger: {} requests cannot be read, {} are not whole",
                found.unread, found.partial
            );
            out.write(&Entry::Note { at: now(), text: text.into(), simulated: false })?;
        }
        out.finish()?;
        Ok(found)
    }

    fn parts(&self) -> rusqlite::Result<Parts<'_>> {
        let charge_of = |charged, from: &str| {
            let columns = self.call_columns(charged);
            self.conn.prepare(&format!("SELECT {columns} {from} WHERE a.seq = ?1 ORDER BY a.n"))
        };
        Ok(Parts {
            attempts: charge_of(true, JOINED)?,
            uncharged: charge_of(false, "FROM attempts a")?,
            labels: self.conn.prepare("SELECT seq, model, quality, output, source FROM labels WHERE seq = ?1 ORDER BY id")?,
            corrections: self.conn.prepare(&corrections::of_stretch(self.version))?,
            orphans: self.conn.prepare(
                "SELECT seq, min(started) FROM attempts WHERE seq BETWEEN ?1 AND ?2 GROUP BY seq ORDER BY seq",
            )?,
            lacking: self.lost.iter().any(|table| BELONGS.contains(&table.as_str())),
        })
    }

    /// Returns the highest number of a request that anything still speaks of.
    fn highest(&self) -> u64 {
        let one = |sql: &str| self.conn.query_row(sql, [], |row| count_at(row, 0));
        let operations = one("SELECT coalesce(max(seq), 0) FROM operations");
        let others = [
            "SELECT max(seq) FROM attempts",
            "SELECT max(seq) FROM charges",
            "SELECT max(from_seq) - 1 FROM policies",
        ];
        let known = others.iter().filter_map(|sql| one(sql).ok()).max().unwrap_or(0);
        if let Ok(operations) = operations {
            return operations.max(known);
        }
        // Where each request made a call, there were no more of them.
        let calls = one("SELECT coalesce(sum(calls), 0) FROM sums").unwrap_or(0);
        known.max(calls).max(by_index(&self.conn))
    }
}

/// Returns the highest request that the index of ids names, as far as that can be read.
fn by_index(conn: &Connection) -> u64 {
    let all = "SELECT seq FROM operations INDEXED BY sqlite_autoindex_operations_1 ORDER BY id";
    let Ok(mut all) = conn.prepare(all) else { return 0 };
    let Ok(rows) = all.query_map([], |row| count_at(row, 0)) else { return 0 };
    rows.map_while(Result::ok).max().unwrap_or(0)
}

impl Salvaged {
    /// Tells of a stretch of requests that could not be read, which ends before `next`.
    fn told(&mut self, broken: &mut Option<(i64, String)>, next: i64) {
        let Some((since, error)) = broken.take() else { return };
        let until = next.saturating_sub(1).max(since);
        let which =
            if since == until { format!("request {since}") } else { format!("requests {since} to {until}") };
        self.faults.tell(format!("{which} cannot be read: {error}"));
    }

    /// Brings out a request that can be read, with what can be read of its calls.
    fn request(
        &mut self,
        row: &Row<'_>,
        seq: u64,
        parts: &mut Parts<'_>,
        (marks, out): (&mut Marks<'_>, &mut Out<'_>),
    ) -> Result<(), LedgerError> {
        let before = self.faults.count;
        let mut attempts = self.attempts(parts, seq);
        let labels = self.labels(parts, seq);
        attempts.retain(|attempt| match attempt.attempt(seq, Instant::default()) {
            Ok(_) => true,
            Err(error) => {
                self.faults.tell(error.in_a_line());
                false
            }
        });
        match record(row, seq, &attempts, &labels) {
            Ok(record) => {
                let id = record.id.to_string();
                out.write(&Entry::Request(record))?;
                let (corrections, one) = (&mut parts.corrections, whole(seq));
                let read =
                    corrections.query_map([one, one], StoredCorrection::read).and_then(Iterator::collect);
                let read: Vec<StoredCorrection> = read.unwrap_or_else(|error: rusqlite::Error| {
                    self.faults.tell(format!("request {seq}: corrections cannot be read: {error}"));
                    Vec::new()
                });
                for correction in &read {
                    correction.tell((seq, &id), marks, out)?;
                    self.exported.events += 1;
                }
                self.exported.requests += 1;
                self.calls.0 += attempts.len() as u64;
                self.partial += u64::from(parts.lacking || self.faults.count > before);
                Ok(())
            }
            Err(error) => {
                self.faults.tell(error.in_a_line());
                self.unread += 1;
                self.orphans(parts, (whole(seq), whole(seq)), out)
            }
        }
    }

    fn attempts(&mut self, parts: &mut Parts<'_>, seq: u64) -> Vec<StoredAttempt> {
        match each(&mut parts.attempts, seq, StoredAttempt::read) {
            Ok(found) => found,
            Err(error) => {
                self.faults.tell(format!("request {seq}: its calls and charges cannot be read: {error}"));
                each(&mut parts.uncharged, seq, StoredAttempt::read).unwrap_or_default()
            }
        }
    }

    fn labels(&mut self, parts: &mut Parts<'_>, seq: u64) -> Vec<StoredLabel> {
        each(&mut parts.labels, seq, StoredLabel::read).unwrap_or_else(|error| {
            self.faults.tell(format!("request {seq}: judgements cannot be read: {error}"));
            Vec::new()
        })
    }

    /// Brings out calls whose request is missing: what they cost was charged all the same.
    fn orphans(
        &mut self,
        parts: &mut Parts<'_>,
        (first, last): (i64, i64),
        out: &mut Out<'_>,
    ) -> Result<(), LedgerError> {
        if first > last {
            return Ok(());
        }
        let found = parts.orphans.query_map([first, last], |row| Ok((count_at(row, 0)?, row.get(1)?)));
        let found: rusqlite::Result<Vec<(u64, i64)>> = found.map(|rows| rows.map_while(Result::ok).collect());
        for (seq, started) in found.unwrap_or_default() {
            let mut attempts = self.attempts(parts, seq);
            let arrived = Instant(started);
            attempts.retain(|attempt| attempt.attempt(seq, arrived).is_ok());
            let calls: Attempts<'_> =
                attempts.iter().filter_map(|attempt| attempt.attempt(seq, arrived).ok()).collect();
            self.calls.0 += attempts.len() as u64;
            self.partial += 1;
            self.exported.requests += 1;
            self.faults.tell(format!("request {seq}: only its calls are left"));
            let record = Record {
                id: format!("lost-{seq}").into(),
                at: arrived,
                attempts: calls,
                ..Record::default()
            };
            out.write(&Entry::Request(record))?;
        }
        Ok(())
    }
}

/// Reads the rows of one request.
fn each<T>(
    statement: &mut Statement<'_>,
    seq: u64,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    statement.query_map([whole(seq)], read)?.collect()
}
