//! Budgets as a picture has them: plain rows.
//!
//! Invariant: the fullest come first, and what is not shown is counted.

use serde::{Deserialize, Serialize};

use crate::budget::{Dimension, Limit, Mode, Period, Standing};
use crate::forecast::Method;
use crate::units::{Instant, Pico};

/// The most accounts that are shown: the fullest.
const MOST: usize = 100;

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
    /// Requests that waited for room.
    #[serde(default)]
    pub waited: u64,
    /// Those that wait for it now.
    #[serde(default)]
    pub waiting: u32,
    /// Calls that cost more than was held for them.
    pub beyond: u64,
    /// The window's first moment; none for all of time.
    pub starts: Option<Instant>,
    /// The first moment after it; none where it never ends.
    pub ends: Option<Instant>,
    /// When there first was no room for a request.
    pub ran_out: Option<Instant>,
    /// What the window will have cost at its end, where that can be foretold.
    #[serde(default, with = "maybe_usd")]
    pub expected: Option<Pico>,
    /// What one case in ten stays below, where that is known.
    #[serde(default, with = "maybe_usd")]
    pub low: Option<Pico>,
    /// What one case in ten goes above.
    #[serde(default, with = "maybe_usd")]
    pub high: Option<Pico>,
    /// When what may be spent will be spent, where that is foretold to be within the window.
    #[serde(default)]
    pub runs_out: Option<Instant>,
    /// Whether both are the plain rate: there is less than a week to learn from.
    #[serde(default)]
    pub by_rate: bool,
    /// What its requests have in common: by dimension the values, of which the empty one is no name. None where requests are not
    /// told apart so once they are over.
    pub traits: Option<Vec<(String, Vec<String>)>>,
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

/// The same of an amount that may be missing.
mod maybe_usd {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::units::Pico;

    #[expect(clippy::ref_option, reason = "serde gives the field as it is")]
    pub(super) fn serialize<S: Serializer>(amount: &Option<Pico>, to: S) -> Result<S::Ok, S::Error> {
        amount.map(Pico::usd).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Pico>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Pico::from_usd(&text).map_err(D::Error::custom)).transpose()
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

/// Names a window as rows have it.
pub(super) fn window_name(period: Period) -> String {
    match period {
        Period::Every(span) => span.to_string(),
        period => period.to_string(),
    }
}

impl From<&Standing> for BudgetRow {
    fn from(standing: &Standing) -> Self {
        let Standing { limit, member, amount, account, waiting, ahead, between, .. } = standing;
        // A limit that nobody has drawn on is nobody's yet.
        let is_drawn = account.calls > 0 || account.holds > 0 || account.ran_out.is_some();
        let apart = limit.scope.each.is_some() && (is_drawn || !member.is_empty());
        let member = apart.then(|| member.to_string());
        Self {
            budget: limit.budget.to_string(),
            window: window_name(limit.period),
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
            waited: account.waited,
            waiting: *waiting,
            beyond: account.beyond,
            starts: Some(account.window.start).filter(|start| start.0 != i64::MIN),
            ends: account.window.end,
            ran_out: account.ran_out,
            expected: ahead.and_then(|ahead| ahead.end),
            low: between.map(|(low, _)| low),
            high: between.map(|(_, high)| high),
            runs_out: ahead.and_then(|ahead| ahead.runs_out),
            by_rate: ahead.is_some_and(|ahead| ahead.method == Method::RunRate),
            traits: traits(limit, member.as_deref()),
            member,
        }
    }
}

/// Returns what the requests of an account have in common.
fn traits(limit: &Limit, member: Option<&str>) -> Option<Vec<(String, Vec<String>)>> {
    let of = |dimension: &Dimension, values: Vec<String>| {
        let is_kept = !matches!(dimension, Dimension::User | Dimension::Key | Dimension::Tag(_));
        is_kept.then(|| (dimension.to_string(), values))
    };
    let listed = |values: &[std::sync::Arc<str>]| values.iter().map(ToString::to_string).collect();
    let lists = limit.scope.lists.iter().map(|(dimension, values)| of(dimension, listed(values)));
    let each = limit.scope.each.as_ref().zip(member);
    lists.chain(each.map(|(dimension, member)| of(dimension, vec![member.to_owned()]))).collect()
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
        // Those of one limit stand where its fullest does.
        let place = |row: &BudgetRow| rows.iter().position(|one| one.is_of(row));
        let places: Vec<Option<usize>> = rows.iter().map(place).collect();
        let mut placed: Vec<_> = places.into_iter().zip(rows).collect();
        crate::units::sort_by_key(&mut placed, |(place, _)| *place);
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
