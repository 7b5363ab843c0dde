//! Automations: when a signal says so, a share of a route's sessions starts on another rung, until it does no longer.
//!
//! Invariants: a state machine that is told readings and moments; two bounds, a least stay and a bounded step keep it from
//! swinging; what it does is a policy in the log, so that a replay decides the same without asking here. One writer a route: where
//! a route has a canary of somebody else's, it is left alone, and that is said. What only proposes changes nothing.

mod rule;
mod shift;

pub use rule::{Bounds, Rule, Signal};
pub use shift::{Automation, Proposal};
