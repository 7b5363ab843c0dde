//! The parts that screens are put together from.
//!
//! Invariant: each is a pure function of its data and the area; each is safe at any size, down to nothing; each writes
//! straight into the buffer.

pub mod bars;
mod canvas;
pub mod chart;
pub mod histogram;
pub mod key_values;
pub mod panel;
pub mod replay;
pub mod table;
