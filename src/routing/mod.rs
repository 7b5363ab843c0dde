//! Policy, ladder and decision.

mod attempt;

pub use attempt::{Check, Status};
