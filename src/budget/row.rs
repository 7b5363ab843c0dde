//! How an account stands, as it is written for programs and people.

use serde::{Deserialize, Serialize};

use super::{Over, Standing};
use crate::pricing::Cost;
use crate::units::{Instant, Pico, members};

members! {
    /// One window of one account. Amounts are US dollars, moments RFC 3339.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct StandingRow;
    /// Writes how one stands.
    pub fn from(standing: &Standing) {
        let Standing { limit, member, amount, account, waiting, ahead, between, .. } = standing;
    }
    /// The budget.
    pub budget: String = limit.budget.to_string(),
    /// How long the limit lasts: `month`.
    pub window: String = limit.period.to_string(),
    /// Whom it is about.
    pub scope: String = limit.scope.describe(),
    /// Who draws on it; empty where all do together.
    pub member: String = member.to_string(),
    /// What it is for: `hard`, `soft`, `observe`.
    pub mode: String = limit.mode.name().to_owned(),
    /// How much may be spent in a window.
    pub limit: String = amount.usd(),
    /// What was spent.
    pub spent: String = account.spent.usd(),
    /// The part of it that is an estimate, or a bound on a cost that nobody told.
    pub assumed: String = account.assumed.usd(),
    /// What is held for calls under way.
    pub held: String = account.held.usd(),
    /// The calls under way.
    pub open: u32 = account.holds,
    /// The calls that are over.
    pub calls: u64 = account.calls,
    /// Requests refused for want of room.
    pub refused: u64 = account.refused,
    /// Requests that went to a cheaper rung for want of room.
    pub moved: u64 = account.moved,
    /// Requests that waited for room.
    #[serde(default)]
    pub waited: u64 = account.waited,
    /// Those that wait for it now.
    #[serde(default)]
    pub waiting: u32 = *waiting,
    /// Calls that cost more than was held for them.
    pub beyond: u64 = account.beyond,
    /// The window's first moment; none for all of time.
    pub starts: Option<String> = (account.window.start.0 != i64::MIN).then(|| account.window.start.rfc3339()),
    /// The first moment after it; none where it never ends.
    pub ends: Option<String> = account.window.end.map(Instant::rfc3339),
    /// When there first was no room for a request.
    pub ran_out: Option<String> = account.ran_out.map(Instant::rfc3339),
    /// What the window will have cost at its end, where that can be foretold.
    #[serde(default)]
    pub expected: Option<String> = ahead.and_then(|ahead| ahead.end).map(Pico::usd),
    /// What one case in ten stays below, where there is a week to learn from and it is among the fullest.
    #[serde(default)]
    pub expected_p10: Option<String> = between.map(|(low, _)| low.usd()),
    /// What one case in ten goes above.
    #[serde(default)]
    pub expected_p90: Option<String> = between.map(|(_, high)| high.usd()),
    /// When what may be spent will be spent; none where not within the window, or not known.
    #[serde(default)]
    pub runs_out: Option<String> = ahead.and_then(|ahead| ahead.runs_out).map(Instant::rfc3339),
    /// How both were found: `profile`, or `run_rate` of less than a week.
    #[serde(default)]
    pub method: Option<String> = ahead.map(|ahead| ahead.method.name().to_owned()),
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
    /// The model billed, where it may be another than was called; empty where nobody says.
    pub billed: &'a str,
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
