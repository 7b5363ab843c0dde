//! Budgets under a policy or limits that are tried: whom they would have turned away or moved, and when each would have run out.
//!
//! Invariant: each request is decided in order of arrival on how the budgets stood then, on either side by the same fold.

use std::sync::Arc;

use super::BudgetRow;
use super::spending::Budgeted;
use crate::alert::{Alert, Level, Rules};
use crate::budget::{LimitHistory, Standing};
use crate::outcome::Settled;
use crate::pricing::CostSum;
use crate::units::{Instant, Pico};

/// What a what-if is tried against.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tries {
    /// The limits.
    pub limits: LimitHistory,
    /// What is told of; none where nobody says.
    pub rules: Option<Arc<Rules>>,
    /// How the accounts stand now, where more was spent than the log knows of; empty where it knows all.
    pub now: Arc<[BudgetRow]>,
}

impl Tries {
    /// Says whether there is nothing to try against.
    pub fn is_empty(&self) -> bool {
        self.limits.is_empty() && self.rules.is_none()
    }
}

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
    /// Requests that waited for room.
    pub waited: u64,
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
    /// Requests that waited for room: in force, and tried.
    pub waited: (u64, u64),
    /// What all requests come to: in force, and tried.
    pub came_to: [CameTo; 2],
    /// The windows, in order of limits and of time.
    pub rows: Vec<TriedRow>,
    /// Alerts that would have fired: in force, and tried; none where no rules were given.
    pub alerts: Option<(usize, usize)>,
    /// Those that would have fired on one side alone, or at another moment, the earliest first.
    pub told: Vec<TriedAlert>,
}

/// An alert that goes another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedAlert {
    /// What it comes from, what it is about and what was passed: `budget teams/day of search 75%`.
    pub name: String,
    /// How urgent it is.
    pub level: Level,
    /// When it would have fired; in force, and tried.
    pub fired: [Option<Instant>; 2],
}

/// One side of a what-if.
#[derive(Clone, Debug)]
pub struct TriedRun {
    /// What budgets come to.
    pub budgets: Budgeted,
    /// What would have been told; none where no rules were given.
    pub alerts: Option<Vec<Alert>>,
    /// What all requests came to.
    pub came_to: CameTo,
}

/// What all requests come to under limits, whoever was turned away or moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameTo {
    /// Requests.
    pub requests: u64,
    /// What they cost.
    pub cost: CostSum,
    /// Those without an answer, the refused ones among them.
    pub failed: u64,
}

impl CameTo {
    pub(super) fn add(&mut self, settled: &Settled) {
        self.requests += 1;
        self.cost.add_operation(settled.costs());
        self.failed += u64::from(!settled.status.is_ok());
    }
}

impl BudgetsTried {
    /// Sets two runs beside one another.
    pub fn beside(applied: &TriedRun, staged: &TriedRun) -> Self {
        let alerts = applied.alerts.as_deref().zip(staged.alerts.as_deref());
        let told = alerts.map(|(applied, staged)| told(applied, staged)).unwrap_or_default();
        let alerts = alerts.map(|(applied, staged)| (applied.len(), staged.len()));
        let came_to = [applied.came_to, staged.came_to];
        let (applied, staged) = (&applied.budgets, &staged.budgets);
        let mut rows: Vec<TriedRow> = Vec::new();
        for (standings, is_staged) in [(&applied.standings, false), (&staged.standings, true)] {
            for one @ Standing { amount, account, .. } in standings {
                let name = one.source();
                let starts = Some(account.window.start).filter(|start| start.0 != i64::MIN);
                let at = rows.iter().position(|row| row.name == name && row.starts == starts);
                let at = at.unwrap_or_else(|| {
                    rows.push(TriedRow { name, starts, applied: None, staged: None });
                    rows.len() - 1
                });
                let TriedRow { applied, staged, .. } = &mut rows[at];
                *(if is_staged { staged } else { applied }) = Some(TriedSide {
                    limit: *amount,
                    spent: account.spent,
                    refused: account.refused,
                    moved: account.moved,
                    waited: account.waited,
                    ran_out: account.ran_out,
                });
            }
        }
        let (refused, moved) = ((applied.refused, staged.refused), (applied.moved, staged.moved));
        let waited = (applied.waited, staged.waited);
        Self { refused, moved, waited, came_to, rows, alerts, told }
    }

    /// Lists the windows that go another way on the other side: they run out, or at another moment, or turn others away.
    pub fn changed(&self) -> impl Iterator<Item = &TriedRow> {
        let went =
            |side: Option<TriedSide>| side.map(|side| (side.ran_out, side.refused, side.moved, side.waited));
        let is_quiet =
            |side: Option<(Option<Instant>, u64, u64, u64)>| side.is_none_or(|side| side == (None, 0, 0, 0));
        self.rows.iter().filter(move |row| {
            let (applied, staged) = (went(row.applied), went(row.staged));
            applied != staged && !(is_quiet(applied) && is_quiet(staged))
        })
    }
}

/// Lists the alerts that do not fire at the same moment on both sides.
fn told(applied: &[Alert], staged: &[Alert]) -> Vec<TriedAlert> {
    let fired = |side: &[Alert], id: &str| side.iter().find(|alert| alert.id == id).map(|alert| alert.at);
    let gone = applied.iter();
    let new = staged.iter().filter(|alert| fired(applied, &alert.id).is_none());
    let both = gone.chain(new).map(|alert| TriedAlert {
        name: format!("{} {} {}", alert.rule, alert.scope, alert.threshold).trim_end().to_owned(),
        level: alert.level,
        fired: [fired(applied, &alert.id), fired(staged, &alert.id)],
    });
    let mut list: Vec<TriedAlert> = both.filter(|alert| alert.fired[0] != alert.fired[1]).collect();
    crate::units::sort_by(&mut list, |one, other| {
        let first = |alert: &TriedAlert| alert.fired.iter().flatten().min().copied();
        first(one).cmp(&first(other)).then_with(|| one.name.cmp(&other.name))
    });
    list
}

/// What changes of model come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switching {
    /// Requests that name a session and were answered.
    pub turns: u64,
    /// Changes of model.
    pub switches: u64,
    /// What was paid to write anew what the model before held warm.
    pub lost: Pico,
    /// What all requests cost with caches run anew.
    pub cost: CostSum,
}
