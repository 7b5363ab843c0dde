//! Sums over traffic: by model, team, project, route and task; latency; trends; and the what-if frontier.
//!
//! Invariants: everything is integer sums, so adding and taking away are exact inverses, parts add up to the whole, and
//! sums from several logs or machines simply add.

mod cascade;
mod cell;
mod frontier;
mod grid;
mod health;
mod in_time;
mod latency;
mod lots;
mod menu;
mod optimum;
mod pairs;
mod sign;
mod spend;
mod sums;
mod totals;
mod trend;
mod visit;

pub use cascade::Cascade;
pub use cell::{Cell, TokenSums};
pub use frontier::{CurvePoint, Forecast, Frontier, Prefix};
pub use health::{Breaker, Headroom, ModelHealth, QuotaWindow};
pub use latency::{Latencies, LatencyBuckets, Percentiles};
pub use lots::{Exploring, Lot, Lots};
pub use menu::{Basis, Graded, Grades};
pub use optimum::{Choice, Goal, Menu, Optimum, Outcome, optimise};
pub use pairs::{Pair, Pairs};
pub use sign::Sign;
pub use spend::{
    Dimension, MeterKey, MeterSum, Metered, Meters, Period, Spend, SpendCell, SpendOptions, SpendTable, Unit,
    UnitCell, Value,
};
pub use sums::Moved;
pub use totals::Totals;
pub use trend::{Slot, Trend};

#[cfg(test)]
mod tests;
