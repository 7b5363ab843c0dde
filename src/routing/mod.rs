//! Policy, ladder and decision: which model serves a request, and why.
//!
//! Invariants: a decision depends on its inputs alone; thresholds never rise along a ladder; no signal goes to the rung
//! that the policy names for it (the strongest unless said otherwise), never to the cheapest by default.

mod attempt;
mod decide;
mod effort;
mod facts;
mod guard;
mod in_flight;
mod limits;
mod needs;
mod policy;
mod spec;
mod trail;

pub use attempt::{Check, Status};
pub use decide::{Decision, NO_RUNG, Next, Signals, after_attempt, decide, match_route};
pub use effort::Effort;
pub use facts::{Capabilities, Capability, Facts, FactsSpec, Labels, REGION};
pub use guard::{Availability, Bar, Rungs, forbids};
pub use in_flight::InFlight;
pub use limits::{StreamFigures, StreamLimit, StreamLimits};
pub use needs::{Circumstance, CircumstanceId, Circumstances, FULL, Needs, on_grid};
pub use policy::{AUTO, MAX_RUNGS, Matcher, Policy, Route, RouteId, Rung, Thresholds};
pub use spec::{Mode, Parameters, PolicyError, PolicySpec, RouteSpec, RungSpec, WhenFull};
pub use trail::{ConfidenceSource, Step, Trail, Why};
