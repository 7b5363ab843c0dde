//! What routing saved: the traffic beside the same traffic on a baseline, net of all that routing itself costs.
//!
//! Invariants: integers only; the lines add up to what was saved to the pico-dollar; a line without data is unknown or left out,
//! never zero; a request whose cost or baseline is unknown is in neither sum, and is counted.

mod holdout;
mod interval;
mod tally;
mod warm;

pub use holdout::{Arm, Arms, Measured};
pub use interval::{Interval, mean_difference};
pub use tally::{Against, Line, Savings, Tally};

#[cfg(test)]
mod tests;
