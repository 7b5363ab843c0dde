//! What is unlike its past: series scored point by point, and incidents with their cause.
//!
//! Invariants: everything is a fold in order of time with constant work a point, without a clock and without looking ahead;
//! floats score and never decide what is routed, charged or refused, which is why nothing that decides may name this room.

mod detector;
mod habit;
mod profile;

pub use detector::{Detector, Floor, Score};
