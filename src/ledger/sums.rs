//! Sums of charges by model and team, exact, with what is unknown kept apart.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use rustc_hash::FxHashMap;

use super::Text;
use super::row::{amount, amount_at, count_at, unreadable, whole};
use super::schema::CHAINED;
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

/// What a batch adds to the sums that are kept.
#[derive(Debug, Default)]
pub(super) struct Increments(FxHashMap<(Text, Text), Sum>);

impl Increments {
    /// Adds a charge.
    pub(super) fn add(&mut self, model: &str, team: &str, cost: Cost) {
        self.0.entry((model.into(), team.into())).or_default().add(cost);
    }

    /// Adds them to the sums; whoever else adds to those meanwhile loses nothing by it.
    pub(super) fn store(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut put = conn.prepare_cached(
            "INSERT INTO sums (model, team, known_micro, known_pico, estimated_micro, estimated_pico, unknown, calls) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (model, team) DO UPDATE SET \
             known_micro = known_micro + excluded.known_micro + (known_pico + excluded.known_pico) / 1000000, \
             known_pico = (known_pico + excluded.known_pico) % 1000000, \
             estimated_micro = estimated_micro + excluded.estimated_micro + (estimated_pico + excluded.estimated_pico) / 1000000, \
             estimated_pico = (estimated_pico + excluded.estimated_pico) % 1000000, \
             unknown = unknown + excluded.unknown, calls = calls + excluded.calls",
        )?;
        for ((model, team), Sum { cost, calls }) in self.0.drain() {
            let ((known, known_pico), (estimated, estimated_pico)) =
                (amount(cost.known)?, amount(cost.estimated)?);
            let (unknown, calls) = (whole(cost.unknown), whole(calls));
            put.execute(params![
                &*model,
                &*team,
                known,
                known_pico,
                estimated,
                estimated_pico,
                unknown,
                calls
            ])?;
        }
        Ok(())
    }
}

/// Reads a sum from a row, beginning at a column.
fn read(row: &Row<'_>, from: usize, old: bool) -> rusqlite::Result<Sum> {
    let amount = |place: usize| -> rusqlite::Result<Pico> {
        let at = if old { from + place } else { from + 2 * place };
        if !old {
            return amount_at(row, at)?.ok_or(rusqlite::Error::InvalidColumnType(
                at,
                "amount".into(),
                Type::Null,
            ));
        }
        let text = row.get_ref(at)?.as_str()?;
        text.parse().map(Pico).map_err(|error| unreadable(at, error))
    };
    let counts = if old { from + 2 } else { from + 4 };
    let cost = CostSum {
        known: amount(0)?,
        estimated: amount(1)?,
        unknown: count_at(row, counts)?,
        ..CostSum::default()
    };
    Ok(Sum { cost, calls: count_at(row, counts + 1)? })
}

/// Walks the stored sums.
pub(super) fn each(
    conn: &Connection,
    version: i64,
    mut take: impl FnMut(&str, &str, Sum),
) -> rusqlite::Result<()> {
    let old = version < CHAINED;
    let amounts =
        if old { "known, estimated" } else { "known_micro, known_pico, estimated_micro, estimated_pico" };
    let mut all = conn.prepare(&format!("SELECT model, team, {amounts}, unknown, calls FROM sums"))?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        take(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, read(row, 2, old)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::lock::WriteLock;
    use crate::ledger::{Durability, schema};

    #[test]
    fn increments_of_many_batches_and_names_add_up_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let lock = WriteLock::take(&path).unwrap();
        let conn = schema::open_to_write(&path, Durability::Normal, &lock, |_, _| {}).unwrap();
        let dear = Pico(99_999_999_999_999_999_999);
        let (mut one, mut other) = (Increments::default(), Increments::default());
        for batch in 0..12 {
            // Two that write know nothing of each other.
            let adding = if batch % 2 == 0 { &mut one } else { &mut other };
            for n in 0..1_000 {
                adding.add("m", &format!("team {}", batch * 500 + n), Cost::Known(Pico(700_007)));
                adding.add("m", "all", Cost::Estimated(dear));
            }
            adding.store(&conn).unwrap();
        }
        let mut totals = Totals::default();
        each(&conn, schema::VERSION, |model, team, sum| totals.add_sum(model, team, &sum)).unwrap();
        assert_eq!((totals.all.calls, totals.all.cost.known), (24_000, Pico(12_000 * 700_007)));
        assert_eq!(totals.all.cost.estimated, Pico(12_000 * dear.0));
        assert_eq!((totals.by_team.len(), totals.by_team["team 700"].calls), (6_501, 2));
        let mut absurd = Increments::default();
        absurd.add("m", "", Cost::Known(Pico(i128::MAX)));
        assert!(absurd.store(&conn).is_err(), "more than two integers hold is no other amount");
    }
}
