//! Alerts: what somebody should be told of, once.
//!
//! Invariants: a fold over the order of events, so live traffic and its replay tell the same at the same moments; nothing is told
//! twice of one threshold in one window; what is over is told of again in a later window only; nothing here reads a clock.

mod pace;
mod rule;
mod state;

pub use pace::Pace;
pub use rule::{Burn, Level, Pattern, Rule, Rules, Source};
pub use state::{Alert, Alerts, Change, Silence, Subject};

#[cfg(test)]
mod tests;
