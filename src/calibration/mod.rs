//! How well a confidence keeps what it promises: isotonic regression, reliability, expected calibration error; and how
//! far two who judge agree.
//!
//! Isotonic regression is in integers, so that a table fitted on one machine is the table of every machine. The rest scores
//! in floats and decides nothing.

mod agreement;
mod isotonic;
mod logistic;
mod reliability;
pub mod special;
mod words;
mod worth;

pub use agreement::{Agreement, Kappa};
pub use isotonic::Isotonic;
pub use logistic::Logistic;
pub use reliability::{Bin, Diagram, Judged, wilson};
pub use words::{JudgedWords, WordsWorth, worth_of_words};
pub use worth::{Worth, worth};

#[cfg(test)]
mod tests;
