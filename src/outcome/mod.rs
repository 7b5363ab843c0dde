//! What became of an operation, and what would have become of it on another rung.
//!
//! Invariants: what was observed and what is estimated are never mixed without a mark; the way up a ladder is computed
//! in one place, so live routing, replay and what-if agree to the pico-dollar.

mod attempt;
mod habits;
mod history;
mod label;
mod lengths;
mod operation;
mod packed;
mod profile;
mod settle;
mod simulated;
mod spread;
#[cfg(test)]
mod tests;
mod weather;

pub use attempt::{Attempt, Outlook, calls, on_model, priced, recharge, seen_attempt, spread_of, visit};
pub use habits::{Habits, Scale, Scales};
pub use history::{History, Recalled};
pub use label::{LabelSource, ModelLabel};
pub use operation::{
    Choice, Evidence, Extra, Least, Observed, Operation, PackedConfidence, Particulars, Second, Seen,
    Timeline,
};
pub use profile::{ProfileFit, Profiles};
pub use settle::{Settled, recorded, routed};
pub use simulated::{ALL_SIMULATED, SIMULATED, is_stand_in, simulated_word};
pub use spread::Spread;
pub use weather::Weather;
