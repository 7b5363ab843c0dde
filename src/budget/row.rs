//! How an account stands, as it is written for programs and people.

use serde::{Deserialize, Serialize};

use super::{Over, Standing};
use crate::pricing::Cost;
use crate::units::Instant;

/// One window of one account. Amounts are US dollars, moments RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingRow {
    /// The budget.
    pub budget: String,
    /// How long the limit lasts: `month`.
    pub window: String,
    /// Whom it is about.
    pub scope: String,
    /// Who draws on it; empty where all do together.
    pub member: String,
    /// What it is for: `hard`, `soft`, `observe`.
    pub mode: String,
    /// How much may be spent in a window.
    pub limit: String,
    /// What was spent.
    pub spent: String,
    /// The part of it that is an estimate, or a bound on a cost that nobody told.
    pub assumed: String,
    /// What is held for calls under way.
    pub held: String,
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
    pub starts: Option<String>,
    /// The first moment after it; none where it never ends.
    pub ends: Option<String>,
    /// When there first was no room for a request.
    pub ran_out: Option<String>,
    /// What the window will have cost at its end, where that can be foretold.
    #[serde(default)]
    pub expected: Option<String>,
    /// What one case in ten stays below, where there is a week to learn from and it is among the fullest.
    #[serde(default)]
    pub expected_p10: Option<String>,
    /// What one case in ten goes above.
    #[serde(default)]
    pub expected_p90: Option<String>,
    /// When what may be spent will be spent; none where not within the window, or not known.
    #[serde(default)]
    pub runs_out: Option<String>,
    /// How both were found: `profile`, or `run_rate` of less than a week.
    #[serde(default)]
    pub method: Option<String>,
}

impl From<&Standing> for StandingRow {
    fn from(standing: &Standing) -> Self {
        let Standing { limit, member, amount, account, waiting, ahead, between, .. } = standing;
        Self {
            budget: limit.budget.to_string(),
            window: limit.period.to_string(),
            scope: limit.scope.describe(),
            member: member.to_string(),
            mode: limit.mode.name().to_owned(),
            limit: amount.usd(),
            spent: account.spent.usd(),
            assumed: account.assumed.usd(),
            held: account.held.usd(),
            open: account.holds,
            calls: account.calls,
            refused: account.refused,
            moved: account.moved,
            waited: account.waited,
            waiting: *waiting,
            beyond: account.beyond,
            starts: (account.window.start.0 != i64::MIN).then(|| account.window.start.rfc3339()),
            ends: account.window.end.map(Instant::rfc3339),
            ran_out: account.ran_out.map(Instant::rfc3339),
            expected: ahead.and_then(|ahead| ahead.end).map(crate::units::Pico::usd),
            expected_p10: between.map(|(low, _)| low.usd()),
            expected_p90: between.map(|(_, high)| high.usd()),
            runs_out: ahead.and_then(|ahead| ahead.runs_out).map(Instant::rfc3339),
            method: ahead.map(|ahead| ahead.method.name().to_owned()),
        }
    }
}

/// A call that was made before anybody held anything for it, and who paid.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// When its request arrived.
    pub at: Instant,
    /// Who paid.
    pub payer: super::Payer<'a>,
    /// What it cost.
    pub cost: Cost,
    /// The tokens of its prompt and of its answer at most, should its cost be unknown.
    pub at_most: (u64, u64),
    /// The model billed, where it may be another than was called; empty where nobody says.
    pub billed: &'a str,
    /// Whether part of its prompt lay elsewhere.
    pub is_elsewhere: bool,
    /// Whether a service tier was asked for that has no price.
    pub any_tier: bool,
    /// Whether other models were billed besides.
    pub other_models: bool,
}

fn source(limit: &super::Limit, member: &str) -> String {
    let name = limit.name();
    if member.is_empty() { name } else { format!("{name} of {member}") }
}

impl Over {
    /// Names the limit, and whose it is where each has one: `teams/day of search`.
    pub fn source(&self) -> String {
        source(&self.limit, &self.member)
    }
}

impl Standing {
    /// Names the limit, and whose it is where each has one: `teams/day of search`.
    pub fn source(&self) -> String {
        source(&self.limit, &self.member)
    }
}
