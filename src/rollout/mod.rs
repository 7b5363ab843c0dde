//! Rollouts: a change of a route that begins beside the traffic, then decides a growing share of its sessions, and is taken back
//! where the evidence turns.
//!
//! Invariants: a state machine that is told requests, judgements and moments, and says what is to be done; whoever does it
//! writes a policy into the log, so that a replay decides the same without asking here. One canary a route: nobody else turns
//! that knob meanwhile. Whole numbers say when a step may come; that quality is in doubt is told from outside.

mod arm;
mod evidence;
mod plan;
mod saved;
mod stage;
#[cfg(test)]
mod tests;

pub use arm::{Arm, Arms, Seen, Side};
pub use evidence::{Judged, Lack};
pub use plan::{Change, Needs, Plan, STAGES};
pub use saved::Saved;
pub use stage::{Order, Phase, Rollout, Turn};
