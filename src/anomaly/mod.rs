//! What is unlike its past: series scored point by point, and incidents with their cause.
//!
//! Invariants: everything is a fold in order of time with constant work a point, without a clock and without looking ahead;
//! floats score and never decide what is routed, charged or refused, which is why nothing that decides may name this room.

mod detector;
mod drift;
mod habit;
mod incident;
mod metric;
mod profile;
mod scope;
mod survey;
mod tail;
mod tally;
mod watch;

pub use detector::{Detector, Floor, Score};
pub use incident::{Cause, Changed, Incident, Window};
pub use metric::Metric;
pub use scope::{Dimension, Scope};
pub use survey::{Knobs, Survey};
pub use tally::Tally;
pub use watch::Onset;
