//! Whether a threshold may be called safe: certificates from labels, evidence as it comes, drift.
//!
//! Everything is deterministic in its labels and their order. Figures here are chances, in floats: they say which thresholds
//! are certified, and never route or charge anything (Learn then Test, arXiv 2110.01052; betting, arXiv 2010.09686).

mod drift;
mod evidence;
mod kept;
mod label;
mod learn;
mod off_policy;
mod spread;
mod standing;
mod tails;
mod watch;

pub use drift::{Drift, DriftReading, Reference};
pub use evidence::{Alarm, Steps};
pub use kept::{Kept, Losses};
pub use label::{Label, Loss};
pub use learn::{Finding, Promise, Scope, Test, certify};
pub use off_policy::{Estimate, Explored, LEAST, OffPolicy, off_policy};
pub use spread::Spread;
pub use standing::Withdrawn;
pub use tails::{Judge, needed, needed_at_rate};
pub use watch::{Given, Standing, Terms, Turn, Watch};

#[cfg(test)]
mod explored;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
