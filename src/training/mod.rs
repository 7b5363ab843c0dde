//! How a classifier is trained and what it is worth: in floats, for nothing here decides; what comes out is whole numbers.
//!
//! Invariant: the same rows, ladder and seed give the same weights, byte for byte, on any number of threads.

mod calibrate;
mod evaluate;
mod examples;
mod fit;
mod forest;
mod linear;
mod measure;
mod stack;
mod tags;
#[cfg(test)]
mod tests;

pub use evaluate::{Baselines, Evaluation, Judged, evaluate};
pub use examples::{Examples, Qualities};
pub use fit::{Plan, TrainError, train};
