//! The file: its tables, its versions and how it is opened.
//!
//! Invariants: a file of another program or a newer version is never written to; the tables change only by a new step
//! at the end of [`STEPS`].

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::chain::{self, Chain};
pub(super) use super::chain::{CHAINED, CORRECTED};
use super::encoding::text_hash;
use super::lock::{WriteLock, beside};
use super::{Durability, LedgerError};

/// Marks a SQLite file as a ledger: "pmld".
const APPLICATION_ID: i32 = 0x706d_6c64;
/// How each version is made from the one before; the place in the list is the version it starts from.
const STEPS: &[&str] = &[
    include_str!("schema_1.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
];
/// How long one try waits for a lock that another process holds.
const LOCK_PATIENCE: Duration = Duration::from_millis(250);
/// How large the write-ahead log may stay on disk once it was written back.
const KEPT_WAL: i64 = 64 << 20;

/// The version that this program writes.
pub(super) const VERSION: i64 = 5;
const _: () = assert!(STEPS.len() == 5, "every step raises the version by one");

/// Says whether a file is a ledger, by its first bytes.
pub fn is_ledger(path: &Path) -> bool {
    File::open(path).and_then(|file| looks(&file)).is_ok_and(|looks| looks == Looks::Ledger)
}

/// What a file is by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    Empty,
    Ledger,
    Other,
}

/// Says what a file is.
pub(super) fn looks(mut file: &File) -> io::Result<Looks> {
    let mut head = [0u8; 100];
    if !file.metadata()?.is_file() {
        return Ok(Looks::Other);
    }
    file.rewind()?;
    let mut have = 0;
    while let Some(rest) = head.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            count => have += count,
        }
    }
    let id = head.get(68..72).unwrap_or_default();
    Ok(match have {
        0 => Looks::Empty,
        100 if head.starts_with(b"SQLite format 3\0") && id == APPLICATION_ID.to_be_bytes() => Looks::Ledger,
        _ => Looks::Other,
    })
}

/// Opens a ledger for writing, filling it where it is empty and bringing it to the newest version; `tick` hears how many of
/// how many operations an older one has been brought on with. A crash on the way leaves it as it was.
pub(super) fn open_to_write(
    path: &Path,
    durability: Durability,
    lock: &WriteLock,
    mut tick: impl FnMut(u64, u64),
) -> Result<Connection, LedgerError> {
    let fault = |what| move |source| LedgerError::from_sqlite(path, what, source);
    match looks(lock.main()) {
        Ok(Looks::Other) => return Err(LedgerError::NotALedger { path: path.to_owned() }),
        Ok(Looks::Empty | Looks::Ledger) => {}
        Err(source) => return Err(LedgerError::Folder { path: path.to_owned(), source }),
    }
    let mut conn = Connection::open(path).map_err(fault("opening"))?;
    conn.busy_timeout(LOCK_PATIENCE).map_err(fault("opening"))?;
    let found = version(&conn, path)?;
    if found > VERSION {
        return Err(LedgerError::Newer { path: path.to_owned(), found, known: VERSION });
    }
    for (version, step) in (1..).zip(STEPS).skip(usize::try_from(found).unwrap_or(0)) {
        let version: i64 = version;
        let change = conn.transaction().map_err(fault("bringing the tables up to date"))?;
        change
            .execute_batch(step)
            .and_then(|()| if version == CHAINED { begin_chain(&change, &mut tick) } else { Ok(()) })
            .and_then(|()| change.pragma_update(None, "application_id", APPLICATION_ID))
            .and_then(|()| change.pragma_update(None, "user_version", version))
            .and_then(|()| change.commit())
            .map_err(fault("bringing the tables up to date"))?;
    }
    let level = match durability {
        Durability::Normal => "NORMAL",
        Durability::Strict => "FULL",
    };
    conn.pragma_update(None, "journal_mode", "WAL")
        .and_then(|()| conn.pragma_update(None, "synchronous", level))
        .and_then(|()| conn.pragma_update(None, "fullfsync", durability == Durability::Strict))
        // A reference that leads nowhere is for `check` to find; it must not keep other charges from being written.
        .and_then(|()| conn.pragma_update(None, "foreign_keys", "OFF"))
        // Only words of ours are written, and a list of three is made a table anew for each row; readers check them all the same.
        .and_then(|()| conn.pragma_update(None, "ignore_check_constraints", "ON"))
        // Prompts that are past their time must not linger in free pages.
        .and_then(|()| conn.pragma_update(None, "secure_delete", "ON"))
        .and_then(|()| conn.pragma_update(None, "journal_size_limit", KEPT_WAL))
        // Otherwise a value bound beside a partial index has each statement planned anew, whenever it is run.
        .and_then(|()| conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop))
        .map_err(fault("setting up"))?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// Opens a ledger for reading, with its version; `damaged` also where a part of it is missing. It may be written meanwhile, and it may be older than this program.
pub(super) fn open_to_read(path: &Path, damaged: bool) -> Result<(Connection, i64), LedgerError> {
    let fault = |source| LedgerError::from_sqlite(path, "opening", source);
    // Not by its first bytes: this process may write it, and closing a file takes the locks away that SQLite has on it.
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(LedgerError::NotALedger { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(LedgerError::Missing { path: path.to_owned() });
        }
        Err(source) => return Err(LedgerError::Folder { path: path.to_owned(), source }),
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let readable = |conn: Connection| {
        conn.busy_timeout(LOCK_PATIENCE * 20)?;
        if damaged {
            // Otherwise a file that is shorter than its head says is not read at all.
            conn.pragma_update(None, "writable_schema", "ON")?;
        }
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        match conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())) {
            // It has read by now which tables there are, but for those that begin past the end of the file.
            Err(error) if damaged && error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {}
            found => found?,
        }
        Ok::<_, rusqlite::Error>(conn)
    };
    let conn = match Connection::open_with_flags(path, flags).and_then(readable) {
        Ok(conn) => conn,
        // In a folder that cannot be written SQLite cannot share the file; nobody else can write it there either.
        Err(error) if cannot_share(&error) => {
            // What is not written back yet would be left out without a word.
            if std::fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0) {
                return Err(LedgerError::NotWrittenBack { path: path.to_owned() });
            }
            let uri = format!("file:{}?immutable=1", escaped(path));
            Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
                .and_then(readable)
                .map_err(fault)?
        }
        Err(error) => return Err(fault(error)),
    };
    let id: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(fault)?;
    if id != APPLICATION_ID {
        return Err(LedgerError::NotALedger { path: path.to_owned() });
    }
    match version(&conn, path)? {
        found @ 1..=VERSION => Ok((conn, found)),
        found if found > VERSION => Err(LedgerError::Newer { path: path.to_owned(), found, known: VERSION }),
        found => Err(LedgerError::Older { path: path.to_owned(), found, known: VERSION }),
    }
}

/// Puts an empty table in the place of each that cannot be found, and names those.
pub(super) fn stand_in(conn: &Connection, version: i64) -> rusqlite::Result<Vec<String>> {
    let whole = Connection::open_in_memory()?;
    for step in STEPS.iter().take(usize::try_from(version).unwrap_or(0)) {
        whole.execute_batch(step)?;
    }
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    let mut all = whole
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")?;
    let mut lost = Vec::new();
    for table in all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (name, sql): (String, String) = table?;
        if conn.prepare(&format!("SELECT 1 FROM {name}")).is_err() {
            conn.execute_batch(&sql.replacen("CREATE TABLE", "CREATE TEMP TABLE", 1))?;
            lost.push(name);
        }
    }
    Ok(lost)
}

/// Names the gateway, and chains what stands there already.
fn begin_chain(conn: &Connection, tick: impl FnMut(u64, u64)) -> rusqlite::Result<()> {
    Chain::begin(conn, 0, &chain::new_id())?;
    let mut put = conn.prepare("UPDATE prompts SET hash = ?2 WHERE id = ?1")?;
    let mut all = conn.prepare("SELECT id, body FROM prompts")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        put.execute(params![row.get::<_, i64>(0)?, text_hash(row.get_ref(1)?.as_str()?)])?;
    }
    chain::link_all(conn, tick)
}

fn cannot_share(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

fn escaped(path: &Path) -> String {
    path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

fn version(conn: &Connection, path: &Path) -> Result<i64, LedgerError> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|source| LedgerError::from_sqlite(path, "opening", source))
}
