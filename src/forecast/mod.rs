//! What a stretch of time will have cost when it is over, from what its hours have cost so far.
//!
//! Invariants: integers only; nothing is foretold from less than a week but the plain rate, and that says so; the error beside
//! a forecast is that of the same method on the same past.

mod ahead;
mod level;
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

impl Method {
    /// Returns its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::RunRate => "run_rate",
        }
    }
}

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

/// Foretells a stretch of time. `spent` is what it has cost so far, what is left begins where the hours end: first `rest`
/// thousandths of the hour under way (0 where none is), then so many whole `hours`.
pub fn forecast(past: &Hours, spent: Pico, rest: u64, hours: usize) -> Outcome {
    let Some(model) = past.model(past.len()) else {
        let rate = past.total().proportion([HOUR * hours as u64 + rest], [HOUR * (past.len() as u64).max(1)]);
        return Outcome {
            spent,
            p50: spent + rate,
            p10: None,
            p90: None,
            method: Method::RunRate,
            backtest: None,
        };
    };
    let expected = model.ahead(rest, hours);
    let (backtest, (low, high)) = past.scatter(&model, rest, hours);
    let times = |ratio: u64| expected.proportion([ratio], [past::ONE]);
    Outcome {
        spent,
        p50: spent + expected,
        p10: Some(spent + times(low)),
        p90: Some(spent + times(high)),
        method: Method::Profile,
        backtest,
    }
}

/// Says after how many hours, the one under way being the first, what is left of a limit is spent, if within so many hours.
pub fn runs_out(past: &Hours, left: Pico, rest: u64, hours: usize) -> Option<usize> {
    if left <= Pico::ZERO {
        return Some(0);
    }
    let first = usize::from(rest > 0);
    let model = past.model(past.len());
    let per_hour = |hours: usize| past.total().proportion([hours as u64], [(past.len() as u64).max(1)]);
    let spent =
        |whole: usize| model.as_ref().map_or_else(|| per_hour(whole), |model| model.ahead(rest, whole));
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
