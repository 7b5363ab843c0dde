//! Why cost changed between two stretches of time.
//!
//! Invariants: integers only; the parts of a change add up to it to the pico-dollar; what is unknown is no part of an
//! explanation and stands by itself.

mod bucket;
mod slices;
mod split;
mod window;

pub use slices::{Course, Dimension, Explained, Hit, Slice, Trouble, explain};
pub use split::{Mix, Parts, Side, Split};
pub use window::{Ends, Place, Window};

#[cfg(test)]
mod tests;
