//! Worked examples: a workload, a few policies tried on it one after another, and what each costs.
//!
//! Invariant: a scenario file describes calls and policies only; every amount comes out of the engine and the price book.

mod outcome;
mod read;
mod run;

pub use outcome::{Curve, CurvePoint, Found, Outcome, StepOutcome, outcome};
pub use read::{
    Caching, CallSpec, CurveSpec, Error, FindSpec, Goal, LineSpec, Scenario, StepSpec, Vary, parse,
};
pub use run::{Run, RunError, run};

/// The scenarios that come with the program: name and text.
pub const BUILTIN: [(&str, &str); 3] = [
    ("agent-task", include_str!("../../config/scenarios/agent-task.toml")),
    ("classification", include_str!("../../config/scenarios/classification.toml")),
    ("spreads", include_str!("../../config/scenarios/spreads.toml")),
];
