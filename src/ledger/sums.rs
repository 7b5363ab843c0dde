//! Sums of charges by model and team, exact, with what is unknown kept apart.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use rusqlite::{Connection, params};
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

/// The sums that are kept with every batch.
#[derive(Debug, Default)]
pub(super) struct Running {
    cells: FxHashMap<Text, FxHashMap<Text, Cell>>,
    touched: Vec<(Text, Text)>,
}

#[derive(Debug, Default)]
struct Cell {
    sum: Sum,
    touched: bool,
}

impl Running {
    /// Reads them from the ledger.
    pub(super) fn load(conn: &Connection) -> rusqlite::Result<Self> {
        let mut running = Self::default();
        each(conn, |model, team, sum| {
            running.cell(model, team).sum = sum;
        })?;
        Ok(running)
    }

    fn cell(&mut self, model: &str, team: &str) -> &mut Cell {
        let teams = looked_up(&mut self.cells, model);
        looked_up(teams, team)
    }

    /// Adds a charge.
    pub(super) fn add(&mut self, model: &str, team: &str, cost: Cost) {
        let cell = self.cell(model, team);
        cell.sum.add(cost);
        if !std::mem::replace(&mut cell.touched, true) {
            self.touched.push((model.into(), team.into()));
        }
    }

    /// Writes what changed.
    pub(super) fn store(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut put = conn.prepare_cached(
            "INSERT OR REPLACE INTO sums (model, team, known, estimated, unknown, calls) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for (model, team) in std::mem::take(&mut self.touched) {
            let cell = self.cell(&model, &team);
            cell.touched = false;
            let Sum { cost, calls } = cell.sum;
            put.execute(params![
                &*model,
                &*team,
                cost.known.0.to_string(),
                cost.estimated.0.to_string(),
                super::row::whole(cost.unknown),
                super::row::whole(calls),
            ])?;
        }
        Ok(())
    }

    /// Gives them as totals.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for (model, teams) in &self.cells {
            for (team, cell) in teams {
                totals.add_sum(model, team, &cell.sum);
            }
        }
        totals
    }
}

/// Gives what stands under a name, which is copied only the first time.
fn looked_up<'m, V: Default>(map: &'m mut FxHashMap<Text, V>, name: &str) -> &'m mut V {
    if !map.contains_key(name) {
        map.insert(name.into(), V::default());
    }
    map.entry(name.into()).or_default()
}

/// Walks the stored sums.
pub(super) fn each(conn: &Connection, mut take: impl FnMut(&str, &str, Sum)) -> rusqlite::Result<()> {
    let mut all = conn.prepare("SELECT model, team, known, estimated, unknown, calls FROM sums")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let amount = |at: usize| -> rusqlite::Result<Pico> {
            let text = row.get_ref(at)?.as_str()?;
            text.parse().map(Pico).map_err(|error| super::row::unreadable(at, error))
        };
        let count = |at: usize| -> rusqlite::Result<u64> { super::row::count_at(row, at) };
        let cost =
            CostSum { known: amount(2)?, estimated: amount(3)?, unknown: count(4)?, ..CostSum::default() };
        take(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, Sum { cost, calls: count(5)? });
    }
    Ok(())
}
