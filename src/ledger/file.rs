//! A ledger opened for reading, whether or not somebody writes it meanwhile: what a stretch of it is, and who is in it.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Params, Row};

use super::encoding::text_hash;
use super::row::{all, charge_at, count_at, maybe, plain, whole};
use super::schema::CHAINED;
use super::{LedgerError, schema};
use crate::pricing::Cost;
use crate::units::{Instant, hex};

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
    /// Says whether it goes on to the end of the ledger.
    pub(super) fn is_open(&self) -> bool {
        self.to.is_none() && self.last.is_none()
    }

    /// Returns the four bounds that [`WITHIN`] takes.
    pub(super) fn bounds(&self) -> [i64; 4] {
        [
            self.first.map_or(0, whole),
            self.last.map_or(i64::MAX, whole),
            self.from.map_or(i64::MIN, |from| from.0),
            self.to.map_or(i64::MAX, |to| to.0),
        ]
    }
}

/// The numbers between which a stretch of time lies; answered by the index of times alone.
pub(super) const SPAN: &str = "SELECT min(seq), max(seq) FROM operations WHERE at >= ?1 AND at < ?2";

/// Amounts as an older ledger has them, decimal text, in the form of today.
const OLD_AMOUNTS: &str = "CASE WHEN c.amount NOT GLOB '*[^0-9]*' THEN \
    CAST(substr('000000' || c.amount, 1, length(c.amount)) AS INTEGER) END, \
    CASE WHEN c.amount NOT GLOB '*[^0-9]*' THEN CAST(substr('000000' || c.amount, -6) AS INTEGER) END";

/// Who served an operation, and who paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedBy {
    /// Its place in the order of arrival.
    pub seq: u64,
    /// The model that served last; empty for none.
    pub model: String,
    /// The team that paid; may be empty.
    pub team: String,
    /// The key's name.
    pub key: String,
}

/// A policy as the ledger keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyInForce {
    /// Its version.
    pub version: u32,
    /// Since when.
    pub at: Instant,
    /// Its text.
    pub text: String,
    /// The hash of the text.
    pub hash: String,
}

const BUSIEST_TEAMS: &str =
    "SELECT team FROM sums WHERE team <> '' GROUP BY team ORDER BY sum(calls) DESC, team LIMIT ?1";
/// Of the latest operations alone: looking at all of them would hold up the start.
const BUSIEST_PROJECTS: &str = "SELECT project FROM (SELECT project FROM operations ORDER BY seq DESC LIMIT 65536) \
     WHERE project <> '' GROUP BY project ORDER BY count(*) DESC, project LIMIT ?1";

/// A ledger opened for reading.
#[derive(Debug)]
pub struct LedgerFile {
    pub(super) path: PathBuf,
    pub(super) conn: Connection,
    /// The version of its tables.
    pub(super) version: i64,
    /// Tables of a damaged one that cannot be found; empty ones stand in their place.
    pub(super) lost: Vec<String>,
}

impl LedgerFile {
    /// Opens a ledger; writes nothing to it.
    ///
    /// # Errors
    /// Where there is none, or it is of another version or damaged.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let (conn, version) = schema::open_to_read(path, false)?;
        Ok(Self { path: path.to_owned(), conn, version, lost: Vec::new() })
    }

    /// Opens a ledger of which a part may be missing, for [`Self::salvage`] and for nothing else.
    ///
    /// # Errors
    /// Where not even its beginning can be read.
    pub fn open_damaged(path: &Path) -> Result<Self, LedgerError> {
        let (conn, version) = schema::open_to_read(path, true)?;
        let lost = schema::stand_in(&conn, version)
            .map_err(|source| LedgerError::from_sqlite(path, "opening", source))?;
        Ok(Self { path: path.to_owned(), conn, version, lost })
    }

    /// Returns what it keeps of an operation's prompt.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn prompt(&self, id: &str) -> Result<Option<String>, LedgerError> {
        let find = "SELECT p.body FROM operations o JOIN prompts p ON p.seq = o.seq \
                    WHERE o.id = ?1 AND p.kind = 'prompt' AND p.body IS NOT NULL";
        self.one(find, [id], |row| row.get(0))
    }

    /// Reads the row that a question has, if there is one.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, LedgerError> {
        let find = || self.conn.prepare_cached(sql)?.query_row(params, read).optional();
        find().map_err(|source| self.failed(source))
    }

    /// Reads the row that a question has.
    pub(super) fn only<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, LedgerError> {
        let found = self.one(sql, params, read)?;
        found.ok_or_else(|| self.failed(rusqlite::Error::QueryReturnedNoRows))
    }

    /// Reads the charge of a row, whose columns from `at` on are kind, why and amount.
    pub(super) fn charge(&self, row: &Row<'_>, at: usize) -> Result<Cost, LedgerError> {
        let fault = |source| self.failed(source);
        let (cost, kind) = (charge_at(row, at).map_err(fault)?, maybe(row, at).map_err(fault)?);
        let seq = row.get(0).map_err(fault)?;
        let found = || kind.unwrap_or_default().to_owned();
        cost.ok_or_else(|| LedgerError::Value { seq: plain(seq), field: "charge", found: found() })
    }

    /// Collects what is read of every row that a question has.
    pub(super) fn all<T, All: FromIterator<T>>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<All, LedgerError> {
        all(&self.conn, sql, params, read).map_err(|source| self.failed(source))
    }

    /// Returns the columns of attempts that came with version 2, as this ledger has them.
    pub(super) fn particulars(&self) -> &'static str {
        if self.version < 2 { "NULL, NULL, NULL, NULL" } else { "a.tier, a.meters, a.left_out, a.gap_ms" }
    }

    /// Says whether its entries are chained.
    pub(super) fn is_chained(&self) -> bool {
        self.version >= CHAINED
    }

    /// Returns the two columns of a charge's amount, as this ledger has them.
    pub(super) fn amounts(&self) -> &'static str {
        if self.version < CHAINED { OLD_AMOUNTS } else { "c.micro, c.pico" }
    }

    /// Returns the four bounds that [`WITHIN`] takes, narrowed to the operations of that time.
    pub(super) fn bounds(&self, range: &Range) -> Result<[i64; 4], LedgerError> {
        let [first, last, from, to] = range.bounds();
        if (range.from.is_none() && range.to.is_none()) || self.version < CHAINED {
            return Ok([first, last, from, to]);
        }
        let span = self.one(SPAN, [from, to], |row| <(Option<i64>, Option<i64>)>::try_from(row))?;
        let (low, high) = span.unwrap_or_default();
        Ok([first.max(low.unwrap_or(1)), last.min(high.unwrap_or(0)), from, to])
    }

    /// Returns the teams and the projects that were heard of most, at most so many of each: teams of all time, projects of
    /// the latest operations.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn busiest(&self, most: usize) -> Result<(Vec<String>, Vec<String>), LedgerError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let list = |sql: &str| self.all(sql, [most], |row| row.get(0));
        Ok((list(BUSIEST_TEAMS)?, list(BUSIEST_PROJECTS)?))
    }

    /// Returns the highest operation, 0 where there is none.
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
        let find = "SELECT seq, at FROM operations WHERE id = ?1";
        self.one(find, [id], |row| Ok((count_at(row, 0)?, Instant(row.get(1)?))))
    }

    /// Finds an operation by its id, with the model that served last, and who paid.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn served(&self, id: &str) -> Result<Option<ServedBy>, LedgerError> {
        let find = "SELECT o.seq, coalesce((SELECT a.model FROM attempts a WHERE a.seq = o.seq ORDER BY a.n DESC LIMIT 1), ''), \
                    o.team, o.key_name FROM operations o WHERE o.id = ?1";
        self.one(find, [id], |row| {
            let (model, team, key) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(ServedBy { seq: count_at(row, 0)?, model, team, key })
        })
    }

    pub(super) fn failed(&self, source: rusqlite::Error) -> LedgerError {
        LedgerError::from_sqlite(&self.path, "reading", source)
    }
}

/// Reads the newest policy.
pub(super) fn newest_policy(conn: &Connection) -> rusqlite::Result<Option<PolicyInForce>> {
    let newest = "SELECT version, at, text FROM policies ORDER BY version DESC LIMIT 1";
    let found = conn.query_row(newest, [], |row| {
        let version = u32::try_from(count_at(row, 0)?).unwrap_or(u32::MAX);
        let text: String = row.get(2)?;
        Ok(PolicyInForce { version, at: Instant(row.get(1)?), hash: hex(&text_hash(&text)), text })
    });
    found.optional()
}
