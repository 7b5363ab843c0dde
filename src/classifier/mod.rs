//! What kind of work a request is, and how sure we are that the cheap answer will do.
//!
//! Invariants: the same request and weights give the same opinion on every machine (integers only); a request without a
//! signal gets no confidence, never a low or a high one; nothing is allocated while classifying.

mod ask;
mod class;
mod extract;
mod feature;
#[cfg(test)]
mod golden;
mod lexicon;
mod logistic;
mod model;
mod opinion;
mod saw;
mod weights;

pub use class::TaskClass;
pub use feature::{FEATURES, FEATURES_VERSION, FeatureId, Features, Measures};
pub use model::BUILTIN;
pub use opinion::{Basis, Contribution, Opinion};
pub use saw::Saw;
pub use weights::{Classifier, WeightsError};
