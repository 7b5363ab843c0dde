//! Policy, ladder and decision: which model serves a request, and why.
//!
//! Invariants: a decision depends on its inputs alone; thresholds never rise along a ladder; no signal goes to the rung
//! that the policy names for it (the strongest unless said otherwise), never to the cheapest by default.

mod adapt;
mod adapting;
mod affinity;
mod attempt;
mod canary;
mod decide;
mod drawn;
mod effort;
mod error;
mod explore;
mod exploring;
mod facts;
mod follows;
mod guard;
mod in_flight;
mod limits;
mod lot;
mod matched;
mod matcher;
mod needs;
mod policy;
mod rungs;
mod shape;
mod signals;
mod spec;
#[cfg(test)]
mod tests;
mod trail;
mod turns;

pub use adapt::{Adapt, AdaptSpec, LearnFrom, Method};
pub use attempt::{Check, Status};
pub use canary::Canary;
pub use decide::{Decision, Next, Reach, after_attempt, decide};
pub use drawn::{Drawn, is_lot};
pub use effort::Effort;
pub use error::PolicyError;
pub use explore::{CHANCE, Draw, Explore, ExploreSpec, UNDRAWN, chance_told, propensity_told};
pub use facts::{Capabilities, Capability, Facts, FactsSpec, Labels, REGION};
pub use guard::{Availability, forbids, is_constrained};
pub use in_flight::InFlight;
pub use limits::{StreamFigures, StreamLimit, StreamLimits};
pub use lot::Lot;
pub use matched::match_route;
pub use matcher::Matcher;
pub use needs::{
    AtMost, BEFORE, Circumstance, CircumstanceId, Circumstances, FULL, Needs, RUNAWAY, STOPPED, Short, TAG,
    UNREACHED, WAITED, on_grid, up_to_grid,
};
pub use policy::{AUTO, Policy, Route, RouteId, Rung, Thresholds};
pub use rungs::{Bar, MAX_RUNGS, NO_RUNG, Rungs};
pub use signals::{ConfidenceSource, Signals};
pub use spec::{
    Caching, CanarySpec, Mode, Parameters, PolicySpec, RouteSpec, RungSpec, WhenFailed, WhenFull,
};
pub use trail::{Stay, Step, Trail, Why};
pub use turns::{AskId, Follows};
