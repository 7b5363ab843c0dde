//! A contextual bandit: what verdicts on answers say of which rung a request had better start on (`LinUCB` with forgetting).
//!
//! Invariants: whole numbers alone; what is known of a route is a function of its last [`KEPT`] lessons in order and of nothing
//! else, so that it comes out the same live, in a replay and over a restart; each answer teaches once.

mod advice;
mod learners;
mod memory;
mod solve;
#[cfg(test)]
mod tests;

pub use advice::{ADAPT, Advice, Offer};
pub use learners::{LATE, Learners, Pending, SETTLES, Taught};
pub use memory::{KEPT, Memory, Terms};
pub use solve::Context;

/// Returns the number by which a route, a rung or a request is told apart, the same in every run.
pub fn key_of(name: &str) -> u64 {
    name.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
