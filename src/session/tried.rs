//! Budgets under a policy or limits that are tried: whom they would have turned away or moved, and when each would have run out.
//!
//! Invariant: each request is decided in order of arrival on how the budgets stood then, on either side by the same fold.

use super::spending::Budgeted;
use crate::budget::Standing;
use crate::units::{Instant, Pico};

/// One window of one account, on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedRow {
    /// The limit, and whose it is: `teams/day of search`.
    pub name: String,
    /// The window's first moment; none for all of time.
    pub starts: Option<Instant>,
    /// The side in force; none where it has no such limit.
    pub applied: Option<TriedSide>,
    /// The side that is tried.
    pub staged: Option<TriedSide>,
}

/// How one window of one account went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriedSide {
    /// How much may be spent.
    pub limit: Pico,
    /// What was spent.
    pub spent: Pico,
    /// Requests refused.
    pub refused: u64,
    /// Requests that went to another rung.
    pub moved: u64,
    /// When there first was no room.
    pub ran_out: Option<Instant>,
}

/// Budgets on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetsTried {
    /// Requests refused: in force, and tried.
    pub refused: (u64, u64),
    /// Requests moved: in force, and tried.
    pub moved: (u64, u64),
    /// The windows, in order of limits and of time.
    pub rows: Vec<TriedRow>,
}

impl BudgetsTried {
    /// Sets two runs beside one another.
    pub fn beside(applied: &Budgeted, staged: &Budgeted) -> Self {
        let mut rows: Vec<TriedRow> = Vec::new();
        let side_of = |row: &mut TriedRow, is_staged: bool, side: TriedSide| {
            *(if is_staged { &mut row.staged } else { &mut row.applied }) = Some(side);
        };
        let sides = [(&applied.standings, false), (&staged.standings, true)];
        for (standings, is_staged) in sides {
            for Standing { limit, member, amount, account, .. } in standings {
                let name =
                    if member.is_empty() { limit.name() } else { format!("{} of {member}", limit.name()) };
                let starts = Some(account.window.start).filter(|start| start.0 != i64::MIN);
                let at = rows.iter().position(|row| row.name == name && row.starts == starts);
                let at = at.unwrap_or_else(|| {
                    rows.push(TriedRow { name, starts, applied: None, staged: None });
                    rows.len() - 1
                });
                if let Some(row) = rows.get_mut(at) {
                    let side = TriedSide {
                        limit: *amount,
                        spent: account.spent,
                        refused: account.refused,
                        moved: account.moved,
                        ran_out: account.ran_out,
                    };
                    side_of(row, is_staged, side);
                }
            }
        }
        Self { refused: (applied.refused, staged.refused), moved: (applied.moved, staged.moved), rows }
    }

    /// Lists the windows that go another way on the other side: they run out, or at another moment, or turn others away.
    pub fn changed(&self) -> impl Iterator<Item = &TriedRow> {
        let went = |side: Option<TriedSide>| side.map(|side| (side.ran_out, side.refused, side.moved));
        let is_quiet =
            |side: Option<(Option<Instant>, u64, u64)>| side.is_none_or(|side| side == (None, 0, 0));
        self.rows.iter().filter(move |row| {
            let (applied, staged) = (went(row.applied), went(row.staged));
            applied != staged && !(is_quiet(applied) && is_quiet(staged))
        })
    }
}
