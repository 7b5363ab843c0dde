//! Checks of answers: what a route has judged of them, and what a verdict says.
//!
//! Invariants: what cannot be judged is abstained from, never passed and never failed; a verdict is evidence, and what follows
//! from it is the route's to say; no verdict quotes an answer.

mod compiled;
mod curve;
mod schema;
mod spec;
#[cfg(test)]
mod tests;
mod verdict;
mod words;

pub use compiled::{Checker, Checks, Command};
pub use spec::{CheckSpec, CheckWhen, Kind, OnFail};
pub use verdict::{Call, Ended, Said, Says, Verdict};
pub use words::{Others, Weights, Words};
