//! Budgets as a picture has them: plain rows; over a log, kept at the play head.
//!
//! Invariant: over a log they stand as recorded, the same however one got to the head (played, sought forwards or backwards).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::listing::quoted;
use super::spending::Spending;
use super::{Log, Player, PolicySpan};
use crate::budget::{Dimension, Limit, Mode, Period, Standing};
use crate::outcome::{Settled, recorded};
use crate::routing::match_route;
use crate::units::{Instant, Pico};

/// The most accounts that are shown: the fullest.
const MOST: usize = 100;
/// Operations between two states that are kept to go back to.
const CHECKPOINT: usize = 65_536;

/// One window of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRow {
    /// The budget.
    pub budget: String,
    /// How long the limit lasts: `month`.
    pub window: String,
    /// Whom the limit is about.
    pub scope: String,
    /// Who draws on it; none where all do together, empty where nobody is named.
    pub member: Option<String>,
    /// What it is for.
    pub mode: Mode,
    /// How much may be spent in a window.
    #[serde(with = "usd")]
    pub limit: Pico,
    /// What was spent.
    #[serde(with = "usd")]
    pub spent: Pico,
    /// The part of it that is an estimate, or a bound on a cost that nobody told.
    #[serde(with = "usd")]
    pub assumed: Pico,
    /// What is held for calls under way.
    #[serde(with = "usd")]
    pub held: Pico,
    /// The calls under way.
    pub open: u32,
    /// The calls that are over.
    pub calls: u64,
    /// Requests refused for want of room.
    pub refused: u64,
    /// Requests that went to a cheaper rung for want of room.
    pub moved: u64,
    /// Calls that cost more than was held for them.
    pub beyond: u64,
    /// The window's first moment; none for all of time.
    pub starts: Option<Instant>,
    /// The first moment after it; none where it never ends.
    pub ends: Option<Instant>,
    /// When there first was no room for a request.
    pub ran_out: Option<Instant>,
    /// The filter that lists its requests; none where filters cannot tell them apart.
    pub filter: Option<String>,
}

/// Amounts in text: JSON numbers are not wide enough.
mod usd {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::units::Pico;

    pub(super) fn serialize<S: Serializer>(amount: &Pico, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&amount.usd())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Pico, D::Error> {
        Pico::from_usd(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl BudgetRow {
    /// Returns how much of the limit is spent or held, in thousandths; what may not be spent at all is full.
    pub fn used(&self) -> u32 {
        let used = self.spent.0.saturating_add(self.held.0).max(0);
        thousandths(used, self.limit.0)
    }

    /// Returns how much of the limit is spent, in thousandths.
    pub fn spent_share(&self) -> u32 {
        thousandths(self.spent.0.max(0), self.limit.0)
    }

    /// Returns what is left of the limit; less than nothing where more was spent.
    pub fn left(&self) -> Pico {
        Pico(self.limit.0.saturating_sub(self.spent.0).saturating_sub(self.held.0))
    }

    /// Says whether another row is of the same limit.
    pub fn is_of(&self, other: &Self) -> bool {
        self.budget == other.budget && self.window == other.window
    }
}

fn thousandths(part: i128, whole: i128) -> u32 {
    let share = part.saturating_mul(1000).checked_div(whole);
    share.map_or(1000, |share| u32::try_from(share).unwrap_or(u32::MAX))
}

impl From<&Standing> for BudgetRow {
    fn from(Standing { limit, member, amount, account }: &Standing) -> Self {
        // A limit that nobody has drawn on is nobody's yet.
        let is_drawn = account.calls > 0 || account.holds > 0 || account.ran_out.is_some();
        let apart = limit.scope.each.is_some() && (is_drawn || !member.is_empty());
        let member = apart.then(|| member.to_string());
        Self {
            budget: limit.budget.to_string(),
            window: match limit.period {
                Period::Every(span) => span.to_string(),
                period => period.to_string(),
            },
            scope: limit.scope.describe(),
            mode: limit.mode,
            limit: *amount,
            spent: account.spent,
            assumed: account.assumed,
            held: account.held,
            open: account.holds,
            calls: account.calls,
            refused: account.refused,
            moved: account.moved,
            beyond: account.beyond,
            starts: Some(account.window.start).filter(|start| start.0 != i64::MIN),
            ends: account.window.end,
            ran_out: account.ran_out,
            filter: filter(limit, member.as_deref()),
            member,
        }
    }
}

/// Returns the filter that lists the requests of an account.
fn filter(limit: &Limit, member: Option<&str>) -> Option<String> {
    let of = |dimension: &Dimension, values: &[&str]| {
        let known = !matches!(dimension, Dimension::User | Dimension::Key | Dimension::Tag(_));
        let values: Vec<String> = values
            .iter()
            .map(|value| if value.is_empty() { "-".to_owned() } else { quoted(value) })
            .collect();
        known.then(|| format!("{dimension}:{}", values.join(",")))
    };
    let lists = limit.scope.lists.iter();
    let mut terms = lists
        .map(|(dimension, values)| of(dimension, &values.iter().map(|value| &**value).collect::<Vec<_>>()))
        .collect::<Option<Vec<_>>>()?;
    if let (Some(dimension), Some(member)) = (&limit.scope.each, member) {
        terms.push(of(dimension, &[member])?);
    }
    Some(terms.join(" "))
}

/// How budgets stand, as rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BudgetsView {
    /// The accounts, those of one limit together, the fullest first.
    pub rows: Vec<BudgetRow>,
    /// Accounts that are not shown: less full than those.
    pub left_out: u64,
    /// Where the budgets are from, where that is to be said.
    pub source: String,
}

impl BudgetsView {
    /// Puts accounts in order.
    pub fn of(standings: &[Standing], source: &str) -> Self {
        let mut rows: Vec<BudgetRow> = standings.iter().map(BudgetRow::from).collect();
        rows.sort_by_cached_key(|row| std::cmp::Reverse(row.used()));
        let left_out = rows.len().saturating_sub(MOST) as u64;
        rows.truncate(MOST);
        let mut limits: Vec<(String, String)> = Vec::new();
        let mut places = Vec::with_capacity(rows.len());
        for row in &rows {
            let known =
                limits.iter().position(|(budget, window)| *budget == row.budget && *window == row.window);
            places.push(known.unwrap_or_else(|| {
                limits.push((row.budget.clone(), row.window.clone()));
                limits.len() - 1
            }));
        }
        let mut placed: Vec<(usize, BudgetRow)> = places.into_iter().zip(rows).collect();
        placed.sort_by_key(|(place, _)| *place);
        Self { rows: placed.into_iter().map(|(_, row)| row).collect(), left_out, source: source.to_owned() }
    }

    /// Says whether no budget is in force.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Returns the fullest account of a hard limit.
    pub fn fullest(&self) -> Option<&BudgetRow> {
        let hard = self.rows.iter().filter(|row| row.mode == Mode::Hard);
        // The first of those that are equally full.
        hard.reduce(|fullest, row| if row.used() > fullest.used() { row } else { fullest })
    }
}

/// Budgets over a log, at the play head.
#[derive(Debug)]
pub(super) struct Played {
    source: String,
    start: Spending,
    /// Operations counted.
    at: usize,
    spending: Spending,
    checkpoints: Vec<(usize, Spending)>,
    view: (Instant, Arc<BudgetsView>),
    settled: Settled,
}

impl Played {
    fn new(limits: &[Limit], source: String, log: &Log) -> Self {
        let start = Spending::new(limits, &log.names);
        Self {
            source,
            at: log.history.start(),
            spending: start.clone(),
            start,
            checkpoints: Vec::new(),
            view: (Instant(i64::MIN), Arc::default()),
            settled: Settled::default(),
        }
    }

    /// Goes to the state in which `head` operations have been counted.
    fn move_to(&mut self, log: &Log, policies: &[PolicySpan], head: usize) -> bool {
        if head == self.at {
            return false;
        }
        if head < self.at {
            // What was changed since at the head holds from there on.
            self.checkpoints.retain(|(at, _)| *at <= head);
            let back = self.checkpoints.last();
            let start = || (log.history.start(), self.start.clone());
            (self.at, self.spending) = back.cloned().unwrap_or_else(start);
        }
        let outlook = log.outlook();
        for (index, evidence) in log.history.range(self.at, head) {
            if index.is_multiple_of(CHECKPOINT) && self.checkpoints.last().is_none_or(|(at, _)| *at < index) {
                self.checkpoints.push((index, self.spending.clone()));
            }
            let span = policies.iter().rev().find(|span| span.from <= index).or(policies.first());
            let policy = span.map_or(&log.policy, |span| &span.policy);
            let route = match_route(policy, &evidence.operation.signals());
            recorded(&evidence, policy, route, &outlook, &mut self.settled);
            self.spending.count(index, &evidence, &policy.route(route).name, (&self.settled, &outlook));
        }
        self.at = head;
        true
    }
}

impl Player {
    /// Plays the log against budgets; `source` says where they are from.
    pub fn set_budgets(&mut self, limits: &[Limit], source: String) {
        self.budgets = Some(Box::new(Played::new(limits, source, &self.log)));
        self.touch();
    }

    /// Returns how budgets stand at the head.
    pub(super) fn budgets(&mut self) -> Arc<BudgetsView> {
        let (log, head, clock) = (Arc::clone(&self.log), self.head, self.clock);
        let Some(played) = &mut self.budgets else { return Arc::default() };
        if played.move_to(&log, &self.policies, head) || played.view.0 != clock {
            let view = BudgetsView::of(&played.spending.standings(clock), &played.source);
            played.view = (clock, Arc::new(view));
        }
        Arc::clone(&played.view.1)
    }
}
