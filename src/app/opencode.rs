//! opencode's database as a log: one line for each message, with what its session says of it.
//!
//! Invariant: it is opened to read only; its writer is never in the way, nor we in its.

use std::io::{self, Read as _, Write};
use std::path::Path;

use super::exported::Export;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

/// How a database in SQLite begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Says whether a file is a database of opencode.
pub(super) fn is_database(path: &Path) -> bool {
    let mut start = [0; 16];
    let is_sqlite = path.is_file()
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok()
        && &start == MAGIC;
    is_sqlite
        && open(path)
            .is_ok_and(|connection| has(&connection, "message", "data") && has(&connection, "session", "id"))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

fn has(connection: &Connection, table: &str, column: &str) -> bool {
    let found =
        connection
            .query_row("SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2", [table, column], |_| Ok(()));
    found.optional().is_ok_and(|found| found.is_some())
}

/// Returns the export of every message.
pub(super) fn export(path: &Path) -> io::Result<Export> {
    let connection = open(path).map_err(io::Error::other)?;
    Ok(Box::new(move |into| write(&connection, into)))
}

fn write(connection: &Connection, into: &mut dyn Write) -> io::Result<()> {
    let column =
        |name: &str| if has(connection, "session", name) { format!("s.{name}") } else { "NULL".to_owned() };
    let (folder, parent) = (column("directory"), column("parent_id"));
    let text = format!(
        "SELECT m.id, m.session_id, m.data, {folder}, {parent} FROM message m LEFT JOIN session s ON s.id = m.session_id \
         ORDER BY m.id"
    );
    let mut query = connection.prepare(&text).map_err(io::Error::other)?;
    let mut rows = query.query([]).map_err(io::Error::other)?;
    while let Some(row) = rows.next().map_err(io::Error::other)? {
        let word = |at: usize| row.get::<_, Option<String>>(at).map_err(io::Error::other);
        let data = word(2)?.unwrap_or_default();
        // A row that is no JSON is told as a bad line.
        let data = serde_json::from_str(&data).unwrap_or(serde_json::Value::String(data));
        let line = serde_json::json!({
            "opencode": 1, "id": word(0)?, "session_id": word(1)?, "directory": word(3)?, "parent_id": word(4)?, "data": data,
        });
        writeln!(into, "{line}")?;
    }
    Ok(())
}
