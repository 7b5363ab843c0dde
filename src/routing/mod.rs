//! Policy, ladder and decision: which model serves a request, and why.
//!
//! Invariants: a decision depends on its inputs alone; thresholds never rise along a ladder; no signal goes to the rung
//! that the policy names for it (the strongest unless said otherwise), never to the cheapest by default.

mod attempt;
mod decide;
mod limits;
mod policy;
mod trail;

pub use attempt::{Check, Status};
pub use decide::{Decision, NO_RUNG, Next, Signals, after_attempt, decide, match_route};
pub use limits::{StreamFigures, StreamLimit, StreamLimits};
pub use policy::{
    AUTO, MAX_RUNGS, Matcher, Policy, PolicyError, PolicySpec, Route, RouteId, RouteSpec, Rung, RungSpec,
    Thresholds,
};
pub use trail::{ConfidenceSource, Step, Trail, Why};
