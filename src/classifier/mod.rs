//! What kind of work a request is, and how sure we are that the cheap answer will do.
//!
//! Invariants: the same request and weights give the same opinion on every machine (integers only); a request without a
//! signal gets no confidence, never a low or a high one; nothing is allocated while classifying.

mod about;
mod ask;
mod class;
mod extract;
mod feature;
#[cfg(test)]
mod golden;
mod grams;
mod lexicon;
mod logistic;
mod model;
mod opinion;
mod reading;
mod saw;
mod surface;
mod trained;
mod trained_file;
mod weights;

pub use about::About;
pub use class::TaskClass;
pub use feature::{FEATURES, FEATURES_VERSION, FeatureId, Features, Measures, Tags};
pub use grams::{BUCKETS, Bucket, CHARACTERS, Counts, Met, WORD_SLOTS, WORDS, WORDS_BEFORE, word_slot};
pub use model::BUILTIN;
pub use opinion::{Basis, Contribution, Opinion};
pub use reading::Reading;
pub use saw::Saw;
pub use surface::{SURFACE, SURFACE_VERSION, Surface};
pub use trained::{DEPTH, INNER, LEAVES, MOST_KNOTS, Parts, Trained, Tree};
pub use trained_file::TRAINED_HEAD;
pub use weights::{Classifier, WeightsError};
