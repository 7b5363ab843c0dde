//! The store in SQLite. Whatever is written twice counts once, so a batch may be tried again.
//!
//! Invariants: a batch is one transaction; what is remembered here is read anew after one that failed.

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, TransactionBehavior};
use rustc_hash::FxHashMap;

use super::batch::Batch;
use super::chain::{Chain, OWN, base, own};
use super::encoding::Encoding;
use super::entry::Entry;
use super::error::words;
use super::lock::WriteLock;
use super::sums::Increments;
use super::writing::Writing;
use super::{Head, LedgerError, LedgerOptions, schema};
use crate::units::Instant;

/// The open file, and what has to be known to write on.
#[derive(Debug)]
pub(super) struct Sqlite {
    pub(super) conn: Connection,
    pub(super) run: i64,
    pub(super) sums: Increments,
    pub(super) chain: Chain,
    /// The gateway's highest operation written.
    pub(super) newest: u64,
    /// The highest operation of which any call was written.
    called: u64,
    /// When the last operation arrived.
    pub(super) last_at: Option<Instant>,
    prices: FxHashMap<String, i64>,
    form: Encoding,
    /// Whether what is remembered here may differ from the file, because a transaction failed.
    stale: bool,
}

impl Sqlite {
    /// Opens the file for a gateway.
    pub(super) fn open(options: &LedgerOptions, lock: &WriteLock) -> Result<Self, LedgerError> {
        let path = options.path.as_path();
        let conn = schema::open_to_write(path, options.durability, lock, options.progress)?;
        if cfg!(unix) {
            // Only what was proved is written back, and the writer asks for it.
            let own = conn.pragma_update(None, "wal_autocheckpoint", 0);
            own.map_err(|source| LedgerError::from_sqlite(path, "setting up", source))?;
        }
        let fault = |source| LedgerError::from_sqlite(path, "reading the last state", source);
        let gateway = gateway(&conn, options.gateway.as_deref()).map_err(fault)?;
        let chain = Chain::take_up(&conn, gateway).map_err(fault)?;
        let chain = chain.ok_or(rusqlite::Error::QueryReturnedNoRows).map_err(fault)?;
        let mut store = Self {
            conn,
            run: 0,
            sums: Increments::default(),
            chain,
            newest: 0,
            called: 0,
            last_at: None,
            prices: FxHashMap::default(),
            form: Encoding::of(""),
            stale: true,
        };
        store.refresh().map_err(fault)?;
        Ok(store)
    }

    /// Reads again what is remembered here.
    fn refresh(&mut self) -> rusqlite::Result<()> {
        let gateway = self.chain.gateway;
        if let Some(chain) = Chain::take_up(&self.conn, gateway)? {
            self.chain = chain;
        }
        self.sums = Increments::default();
        self.prices.clear();
        let run = "SELECT max(run) FROM runs WHERE gateway = ?1";
        let run: Option<i64> = self.conn.query_row(run, [gateway], |row| row.get(0))?;
        self.run = run.unwrap_or(0);
        let last = "SELECT seq, at FROM operations WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq DESC LIMIT 1";
        let all = [base(gateway), base(gateway) | OWN];
        let last: Option<(i64, i64)> =
            self.conn.query_row(last, all, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        self.newest = last.map_or(0, |(seq, _)| u64::try_from(own(seq)).unwrap_or(0));
        let called = "SELECT max(seq) FROM attempts WHERE seq BETWEEN ?1 AND ?2";
        let called: Option<i64> = self.conn.query_row(called, all, |row| row.get(0))?;
        self.called = called.map_or(0, |seq| u64::try_from(own(seq)).unwrap_or(0));
        self.last_at = last.map(|(_, at)| Instant(at));
        self.stale = false;
        Ok(())
    }

    /// Does something in one transaction; says what came of it.
    pub(super) fn change<T>(
        &mut self,
        what: impl FnOnce(&mut Writing<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        if self.stale {
            self.refresh()?;
        }
        self.stale = true;
        let Self { conn, run, sums, chain, form, newest, called, last_at, prices, .. } = self;
        let change = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (run, odd) = (*run, 0);
        let mut writing =
            Writing { conn: &change, run, prices, sums, chain, form, newest, called, last_at, odd };
        let done = what(&mut writing)?;
        change.commit()?;
        self.stale = false;
        Ok(done)
    }

    /// Appends entries, all or none of them, and gives each that has become final its place in the gateway's chain; says how many
    /// are about something that was settled before, or never opened. What is appended again changes nothing.
    pub(super) fn append(&mut self, entries: &[Entry]) -> Result<u64, StoreError> {
        if self.stale {
            self.refresh()?;
        }
        let batch = Batch::gather(entries, self.newest);
        let done = self.change(|writing| {
            writing.batch(&batch)?;
            Ok(writing.odd)
        });
        Ok(done?)
    }

    /// Deletes texts that are past their time; says how many, and when the next is due.
    pub(super) fn forget(&mut self, now: Instant) -> Result<(usize, Option<Instant>), StoreError> {
        super::kept::forget(&self.conn, now)?;
        Ok(forget_prompts(&self.conn, now)?)
    }

    /// Returns the end of the gateway's chain.
    pub(super) fn head(&self) -> Head {
        self.chain.head()
    }

    /// Puts in its final place what was appended, all of it or what can be at once; false where somebody hinders that.
    pub(super) fn write_back(&mut self, all: bool) -> Result<bool, StoreError> {
        let how = if all { "PRAGMA wal_checkpoint(TRUNCATE)" } else { "PRAGMA wal_checkpoint(PASSIVE)" };
        Ok(self.conn.query_row(how, [], |row| row.get::<_, bool>(0)).map(|hindered| !hindered)?)
    }

    /// Ends without that.
    pub(super) fn leave(self) {
        let _ = self.conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
    }
}

/// Why entries were not written.
#[derive(Debug)]
pub(super) struct StoreError {
    /// Whether the trouble lies in the store or the system and may pass, not in what is to be written.
    pub(super) may_pass: bool,
    /// In a person's words.
    pub(super) words: String,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let may_pass = match &error {
            rusqlite::Error::SqliteFailure(failure, _) => !matches!(
                failure.code,
                ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig
            ),
            _ => false,
        };
        Self { may_pass, words: words(&error) }
    }
}

/// Returns the number of a gateway in a store, at first sight a new one.
fn gateway(conn: &Connection, id: Option<&str>) -> rusqlite::Result<i64> {
    let Some(id) = id else { return Ok(0) };
    let find = "SELECT gateway FROM gateways WHERE id = ?1";
    if let Some(known) = conn.query_row(find, [id], |row| row.get(0)).optional()? {
        return Ok(known);
    }
    let next = "SELECT max(gateway) + 1 FROM gateways";
    let next = conn.query_row(next, [], |row| row.get(0))?;
    Chain::begin(conn, next, id)?;
    Ok(next)
}

/// Deletes prompts that are past their time; says how many, and when the next is due.
pub(super) fn forget_prompts(conn: &Connection, now: Instant) -> rusqlite::Result<(usize, Option<Instant>)> {
    let gone =
        conn.execute("UPDATE prompts SET body = NULL WHERE expires_at <= ?1 AND body IS NOT NULL", [now.0])?;
    let next = "SELECT min(expires_at) FROM prompts WHERE body IS NOT NULL";
    let next: Option<i64> = conn.query_row(next, [], |row| row.get(0))?;
    Ok((gone, next.map(Instant)))
}
