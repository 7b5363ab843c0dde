//! What a stretch of time will have cost when it is over, from what its hours have cost so far.
//!
//! Invariants: integers only; nothing is foretold from less than a week but the plain rate, and that says so, and nothing at all
//! from less than an hour; the error beside
//! a forecast is that of the same method on the same past.

mod ahead;
mod past;
mod profile;
mod week;

pub use ahead::{Ahead, ahead, spread};
pub use past::{BackTest, HOUR, Hours};
pub use week::Week;

use crate::units::Pico;

/// How a forecast was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By the hour of the week, times the level of the last days.
    Profile,
    /// What an hour cost on average: there is less than a week to learn from.
    RunRate,
}

crate::units::spelt!(Method { Profile = "profile", RunRate = "run_rate" });

/// What a stretch of time will have cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What is spent of it already.
    pub spent: Pico,
    /// The middle of what is expected, what is spent included.
    pub p50: Pico,
    /// One in ten ends below.
    pub p10: Option<Pico>,
    /// One in ten ends above.
    pub p90: Option<Pico>,
    /// How it was made.
    pub method: Method,
    /// How far the same method would have been off, where there is enough to try it on.
    pub backtest: Option<BackTest>,
}

/// A change to come that somebody knows of: a price, a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The first whole hour that it is in, counted from where whole hours begin.
    pub hour: usize,
    /// What an hour costs from then on, in thousandths of what it would.
    pub times: u32,
}

/// Returns what so many whole hours are expected to cost with what is known to change; `ahead` says it without.
fn stepped(ahead: impl Fn(usize) -> Pico, hours: usize, steps: &[Step]) -> Pico {
    let mut bounds: Vec<usize> = steps.iter().map(|step| step.hour).filter(|hour| *hour < hours).collect();
    bounds.push(hours);
    bounds.sort_unstable();
    let (mut sum, mut from) = (ahead(0), 0);
    for to in bounds {
        // Of several changes each is on top of those before.
        let in_force = steps.iter().filter(|step| step.hour <= from);
        let times = |amount: Pico, step: &Step| amount.proportion([step.times.into()], [1000]);
        sum += in_force.fold(ahead(to) - ahead(from), times);
        from = to;
    }
    sum
}

/// Foretells a stretch of time. `spent` is what it has cost so far, what is left begins where the hours end: first `rest`
/// thousandths of the hour under way (0 where none is), then so many whole `hours`; `steps` are what is known to change. None where
/// there is no whole hour to learn from.
pub fn forecast(past: &Hours, spent: Pico, (rest, hours): (u64, usize), steps: &[Step]) -> Option<Outcome> {
    if past.is_empty() {
        return None;
    }
    let Some(model) = past.model(past.len()) else {
        let each = [HOUR * past.len() as u64];
        let rate = stepped(|hours| past.total().proportion([HOUR * hours as u64 + rest], each), hours, steps);
        return Some(Outcome {
            spent,
            p50: spent + rate,
            p10: None,
            p90: None,
            method: Method::RunRate,
            backtest: None,
        });
    };
    let expected = stepped(|hours| model.ahead(rest, hours), hours, steps);
    let (backtest, (low, high)) = past.scatter(&model, rest, hours);
    let times = |ratio: u64| expected.proportion([ratio], [past::ONE]);
    Some(Outcome {
        spent,
        p50: spent + expected,
        p10: Some(spent + times(low)),
        p90: Some(spent + times(high)),
        method: Method::Profile,
        backtest,
    })
}

/// Says after how many hours, the one under way being the first, what is left of a limit is spent, if within so many hours.
pub fn runs_out(past: &Hours, left: Pico, (rest, hours): (u64, usize), steps: &[Step]) -> Option<usize> {
    if left <= Pico::ZERO {
        return Some(0);
    }
    let first = usize::from(rest > 0);
    let model = past.model(past.len());
    let each = [HOUR * (past.len() as u64).max(1)];
    let per_hour = |hours: usize| past.total().proportion([HOUR * hours as u64 + rest], each);
    let ahead =
        |whole: usize| model.as_ref().map_or_else(|| per_hour(whole), |model| model.ahead(rest, whole));
    let spent = |whole: usize| stepped(ahead, whole, steps);
    // What is spent only grows: the first hour at which it is all gone.
    if spent(hours) < left {
        return None;
    }
    let (mut low, mut high) = (0, hours);
    while low < high {
        let middle = usize::midpoint(low, high);
        if spent(middle) < left { low = middle + 1 } else { high = middle }
    }
    Some(low + first)
}

#[cfg(test)]
mod tests;
