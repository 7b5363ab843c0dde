//! Requests that a crash left between two calls, or before the first one as far as the file knows: each gets the call it was
//! about to make, open, to be settled like any other.
//!
//! Invariant: who reads the ledger, its export or a replay of it finds the same end: nothing follows that call, and what it
//! cost nobody knows.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::row::all;
use crate::config::policy;
use crate::routing::{Check, Status};
use crate::units::{Names, members};

members! {
    /// An operation that is open, with its last call.
    struct Interrupted;
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let last: Option<u32> = row.get(7)?;
    }
    seq: i64 = row.get(0)?,
    at: i64 = row.get(1)?,
    asked: String = row.get(2)?,
    pinned: bool = row.get(3)?,
    route: String = row.get(4)?,
    rung: Option<u8> = row.get(5)?,
    policy: i64 = row.get(6)?,
    last: Option<Last> = last.map(|n| Last::read(row, n)).transpose()?,
}

members! {
    struct Last;
    fn read(row: &Row<'_>, n: u32) -> Result<Self, rusqlite::Error> {
        let (state, status): (String, Option<String>) = (row.get(12)?, row.get(13)?);
        let checked = super::row::read_check(row.get::<_, Option<String>>(14)?.as_deref());
        let status = status.as_deref().and_then(Status::from_name).unwrap_or_default();
        let is_unfit = checked.is_some_and(|(check, _)| check == Check::Failed);
        let failed = status.is_retryable() || (status.is_ok() && is_unfit);
    }
    n: u32 = n,
    asked: String = row.get(8)?,
    provider: String = row.get(9)?,
    rung: Option<u8> = row.get(10)?,
    /// When it was over.
    over: i64 = row.get(11)?,
    /// Whether another call was to follow.
    goes_on: bool = state == "settled" && failed,
}

/// Begins the calls that open operations were about to make.
pub(super) fn begin_lost(conn: &Connection, [first, last]: [i64; 2]) -> rusqlite::Result<()> {
    let open = "SELECT o.seq, o.at, o.asked, o.pinned, o.route, o.rung, o.policy, a.n, a.asked, a.provider, a.rung, \
         a.started + 1000 * coalesce(a.latency_ms, 0), a.state, a.status, a.checked FROM operations o \
         LEFT JOIN attempts a ON a.seq = o.seq AND a.n = (SELECT max(n) FROM attempts WHERE seq = o.seq) \
         WHERE o.state = 'open' AND o.seq BETWEEN ?1 AND ?2 ORDER BY o.seq";
    let found: Vec<Interrupted> = all(conn, open, [first, last], Interrupted::read)?;
    let mut put = conn.prepare(
        "INSERT INTO attempts (seq, n, asked, model, provider, rung, started, state) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, 'open')",
    )?;
    for operation in found {
        let Interrupted { seq, at, rung, .. } = operation;
        match &operation.last {
            Some(Last { n, asked, provider, rung, over, goes_on: true }) => {
                put.execute(params![seq, n + 1, asked, provider, rung, over])?;
            }
            Some(_) => {}
            None => {
                let model = first_model(conn, &operation)?;
                put.execute(params![seq, 0, model, "", rung, at])?;
            }
        }
    }
    Ok(())
}

/// Returns the model that an operation was to be sent to first; empty where none may serve it.
fn first_model(conn: &Connection, operation: &Interrupted) -> rusqlite::Result<String> {
    let Some(rung) = operation.rung else {
        return Ok(if operation.pinned { operation.asked.clone() } else { String::new() });
    };
    let find = "SELECT text FROM policies WHERE version = ?1";
    let text: Option<String> = conn.query_row(find, [operation.policy], |row| row.get(0)).optional()?;
    let mut names = Names::default();
    let policy = text.and_then(|text| policy::parse(&text, "a stored policy", &mut names).ok());
    let model = policy.and_then(|policy| {
        let route = policy.routes.iter().find(|route| *route.name == *operation.route)?;
        Some(names.model(route.ladder.get(usize::from(rung))?.model).to_owned())
    });
    Ok(model.unwrap_or_else(|| operation.asked.clone()))
}
