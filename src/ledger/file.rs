//! A ledger opened for reading: sums of any stretch, whether or not somebody writes it meanwhile.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, params};

use super::row::{count_at, read_cost, whole};
use super::{LedgerError, Totals, recover, schema};
use crate::units::Instant;

/// A stretch of a ledger; everything where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// From this moment of arrival, inclusive.
    pub from: Option<Instant>,
    /// To this moment of arrival, exclusive.
    pub to: Option<Instant>,
    /// From this operation, inclusive.
    pub first: Option<u64>,
    /// To this operation, inclusive.
    pub last: Option<u64>,
}

/// What a stretch is in SQL: `seq BETWEEN ?1 AND ?2 AND at >= ?3 AND at < ?4`.
pub(super) const WITHIN: &str = "o.seq BETWEEN ?1 AND ?2 AND o.at >= ?3 AND o.at < ?4";

impl Range {
    /// Gives the four bounds that [`WITHIN`] takes.
    pub(super) fn bounds(&self) -> [i64; 4] {
        [
            self.first.map_or(0, whole),
            self.last.map_or(i64::MAX, whole),
            self.from.map_or(i64::MIN, |from| from.0),
            self.to.map_or(i64::MAX, |to| to.0),
        ]
    }
}

/// A ledger opened for reading.
#[derive(Debug)]
pub struct LedgerFile {
    pub(super) path: PathBuf,
    pub(super) conn: Connection,
    /// The version of its tables.
    version: i64,
}

impl LedgerFile {
    /// Opens a ledger; writes nothing to it.
    ///
    /// # Errors
    /// Where there is none, or it is of another version or damaged.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let (conn, version) = schema::open_to_read(path, false)?;
        Ok(Self { path: path.to_owned(), conn, version })
    }

    /// Opens a ledger of which a part may be missing, for [`Self::salvage`] and for nothing else.
    ///
    /// # Errors
    /// Where not even its beginning can be read.
    pub fn open_damaged(path: &Path) -> Result<Self, LedgerError> {
        let (conn, version) = schema::open_to_read(path, true)?;
        Ok(Self { path: path.to_owned(), conn, version })
    }

    /// Gives the columns of attempts that came with version 2, as this ledger has them.
    pub(super) fn particulars(&self) -> &'static str {
        if self.version < 2 { "NULL, NULL, NULL, NULL" } else { "a.tier, a.meters, a.left_out, a.gap_ms" }
    }

    /// Adds up the charges of a stretch, one by one. `tick` hears how many came and may cancel by answering false.
    ///
    /// # Errors
    /// Where the file cannot be read, holds something unreadable, or the work was cancelled.
    pub fn totals(&self, range: &Range, mut tick: impl FnMut(u64) -> bool) -> Result<Totals, LedgerError> {
        let fails = |source| self.failed(source);
        let mut all = self
            .conn
            .prepare(&format!(
                "SELECT c.seq, a.model, o.team, c.kind, c.why, c.amount FROM operations o \
                 CROSS JOIN charges c ON c.seq = o.seq CROSS JOIN attempts a ON a.seq = c.seq AND a.n = c.n WHERE {WITHIN}"
            ))
            .map_err(fails)?;
        let [first, last, from, to] = range.bounds();
        let mut rows = all.query(params![first, last, from, to]).map_err(fails)?;
        let (mut totals, mut count) = (Totals::default(), 0);
        while let Some(row) = rows.next().map_err(fails)? {
            let text = |at| row.get_ref(at).and_then(|value| Ok(value.as_str()?));
            let maybe = |at| row.get_ref(at).and_then(|value| Ok(value.as_str_or_null()?));
            let kind = text(3).map_err(fails)?;
            let cost = read_cost(kind, maybe(4).map_err(fails)?, maybe(5).map_err(fails)?);
            let Some(cost) = cost else {
                let seq: i64 = row.get(0).map_err(fails)?;
                let seq = u64::try_from(seq).unwrap_or(0);
                return Err(LedgerError::Value { seq, field: "charge", found: kind.to_owned() });
            };
            totals.add(text(1).map_err(fails)?, text(2).map_err(fails)?, cost);
            count += 1;
            if count % STRIDE == 0 && !tick(count) {
                return Err(LedgerError::Cancelled);
            }
        }
        Ok(totals)
    }

    /// Gives the highest operation, 0 where there is none.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn newest(&self) -> Result<u64, LedgerError> {
        let newest = "SELECT coalesce(max(seq), 0) FROM operations";
        self.conn.query_row(newest, [], |row| count_at(row, 0)).map_err(|source| self.failed(source))
    }

    /// Finds an operation by its id, with the moment it arrived.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn find(&self, id: &str) -> Result<Option<(u64, Instant)>, LedgerError> {
        let find = || {
            let mut find = self.conn.prepare_cached("SELECT seq, at FROM operations WHERE id = ?1")?;
            find.query_row([id], |row| Ok((count_at(row, 0)?, Instant(row.get(1)?)))).optional()
        };
        find().map_err(|source| self.failed(source))
    }

    /// Finds an operation by its id, with the model that served last and the team that paid.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn served(&self, id: &str) -> Result<Option<(u64, String, String)>, LedgerError> {
        let find = || {
            let mut find = self.conn.prepare_cached(
                "SELECT o.seq, coalesce((SELECT a.model FROM attempts a WHERE a.seq = o.seq ORDER BY a.n DESC LIMIT 1), ''), \
                 o.team FROM operations o WHERE o.id = ?1",
            )?;
            find.query_row([id], |row| Ok((count_at(row, 0)?, row.get(1)?, row.get(2)?))).optional()
        };
        find().map_err(|source| self.failed(source))
    }

    /// Gives the newest policy.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn policy(&self) -> Result<Option<recover::PolicyInForce>, LedgerError> {
        recover::newest_policy(&self.conn).map_err(|source| self.failed(source))
    }

    pub(super) fn failed(&self, source: rusqlite::Error) -> LedgerError {
        LedgerError::from_sqlite(&self.path, "reading", source)
    }
}

/// How many rows go by between two looks at the progress.
pub(super) const STRIDE: u64 = 4_096;
