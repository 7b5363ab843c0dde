//! Sums of charges by model and team, exact, with what is unknown kept apart.

use std::collections::BTreeMap;
use std::collections::hash_map::Entry;
use std::ops::AddAssign;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use rustc_hash::FxHashMap;

use super::Text;
use crate::pricing::{Cost, CostSum};
use crate::units::Pico;

/// A sum of charges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Known and estimated amounts, and how many calls have neither.
    pub cost: CostSum,
    /// Calls charged, unknown ones included.
    pub calls: u64,
}

impl Sum {
    /// Adds a charge.
    pub fn add(&mut self, cost: Cost) {
        self.cost.add(cost);
        self.calls += 1;
    }
}

impl AddAssign<&Sum> for Sum {
    fn add_assign(&mut self, other: &Sum) {
        self.cost += &other.cost;
        self.calls += other.calls;
    }
}

/// Sums of a ledger or a stretch of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Everything.
    pub all: Sum,
    /// By the model billed.
    pub by_model: BTreeMap<String, Sum>,
    /// By the team that pays; the empty name is "not named".
    pub by_team: BTreeMap<String, Sum>,
}

impl Totals {
    /// Adds a charge.
    pub fn add(&mut self, model: &str, team: &str, cost: Cost) {
        let mut sum = Sum::default();
        sum.add(cost);
        self.add_sum(model, team, &sum);
    }

    fn add_sum(&mut self, model: &str, team: &str, sum: &Sum) {
        fn to(table: &mut BTreeMap<String, Sum>, name: &str, sum: &Sum) {
            match table.get_mut(name) {
                Some(there) => *there += sum,
                None => {
                    table.insert(name.to_owned(), *sum);
                }
            }
        }
        self.all += sum;
        to(&mut self.by_model, model, sum);
        to(&mut self.by_team, team, sum);
    }
}

/// The sums that are kept with every batch: those in use, read from the ledger at first need. However many names there are
/// in the ledger, memory holds a bounded number.
#[derive(Debug, Default)]
pub(super) struct Running {
    cells: FxHashMap<(Text, Text), Cell>,
    touched: Vec<(Text, Text)>,
}

/// Sums that stay in memory from one batch to the next.
const MOST: usize = 4096;

#[derive(Debug, Default)]
struct Cell {
    sum: Sum,
    touched: bool,
}

impl Running {
    /// Adds a charge.
    pub(super) fn add(
        &mut self,
        conn: &Connection,
        model: &str,
        team: &str,
        cost: Cost,
    ) -> rusqlite::Result<()> {
        let key: (Text, Text) = (model.into(), team.into());
        let cell = match self.cells.entry(key) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(Cell { sum: stored(conn, model, team)?, touched: false }),
        };
        cell.sum.add(cost);
        if !std::mem::replace(&mut cell.touched, true) {
            self.touched.push((model.into(), team.into()));
        }
        Ok(())
    }

    /// Writes what changed.
    pub(super) fn store(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut put = conn.prepare_cached(
            "INSERT OR REPLACE INTO sums (model, team, known, estimated, unknown, calls) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for key in std::mem::take(&mut self.touched) {
            let Some(cell) = self.cells.get_mut(&key) else { continue };
            cell.touched = false;
            let Sum { cost, calls } = cell.sum;
            put.execute(params![
                &*key.0,
                &*key.1,
                cost.known.0.to_string(),
                cost.estimated.0.to_string(),
                super::row::whole(cost.unknown),
                super::row::whole(calls),
            ])?;
        }
        if self.cells.len() > MOST {
            self.cells = FxHashMap::default();
        }
        Ok(())
    }
}

/// Reads one stored sum; nothing where there is none yet.
fn stored(conn: &Connection, model: &str, team: &str) -> rusqlite::Result<Sum> {
    let mut find = conn
        .prepare_cached("SELECT known, estimated, unknown, calls FROM sums WHERE model = ?1 AND team = ?2")?;
    Ok(find.query_row([model, team], |row| read(row, 0)).optional()?.unwrap_or_default())
}

/// Reads a sum from a row, beginning at a column.
fn read(row: &Row<'_>, from: usize) -> rusqlite::Result<Sum> {
    let amount = |at: usize| -> rusqlite::Result<Pico> {
        let text = row.get_ref(at)?.as_str()?;
        text.parse().map(Pico).map_err(|error| super::row::unreadable(at, error))
    };
    let count = |at: usize| -> rusqlite::Result<u64> { super::row::count_at(row, at) };
    let cost = CostSum {
        known: amount(from)?,
        estimated: amount(from + 1)?,
        unknown: count(from + 2)?,
        ..CostSum::default()
    };
    Ok(Sum { cost, calls: count(from + 3)? })
}

/// Walks the stored sums.
pub(super) fn each(conn: &Connection, mut take: impl FnMut(&str, &str, Sum)) -> rusqlite::Result<()> {
    let mut all = conn.prepare("SELECT model, team, known, estimated, unknown, calls FROM sums")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        take(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, read(row, 2)?);
    }
    Ok(())
}

/// Gives the stored sums as totals.
pub(super) fn totals(conn: &Connection) -> rusqlite::Result<Totals> {
    let mut totals = Totals::default();
    each(conn, |model, team, sum| totals.add_sum(model, team, &sum))?;
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::lock::WriteLock;
    use crate::ledger::{Durability, schema};

    #[test]
    fn very_many_names_are_summed_exactly_and_not_all_kept_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let lock = WriteLock::take(&path).unwrap();
        let conn = schema::open_to_write(&path, Durability::Normal, &lock).unwrap();
        let mut running = Running::default();
        for batch in 0..12 {
            for n in 0..1_000 {
                running.add(&conn, "m", &format!("team {}", batch * 500 + n), Cost::Known(Pico(7))).unwrap();
            }
            running.store(&conn).unwrap();
            assert!(running.cells.len() <= MOST, "{}", running.cells.len());
        }
        let totals = totals(&conn).unwrap();
        assert_eq!((totals.all.calls, totals.all.cost.known), (12_000, Pico(84_000)));
        assert_eq!((totals.by_team.len(), totals.by_team["team 700"].calls), (6_500, 2));
    }
}
