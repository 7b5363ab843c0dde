//! The screens: each a state, a pure drawing of (snapshot, state, theme, area), and answers to keys and mouse.
//!
//! Invariant: a screen draws what the snapshot says and asks for what it wants; it changes no figure itself.

pub mod detail;
pub mod events;
pub(in crate::console) mod figures;
pub mod models;
pub mod overview;
pub mod quality;
pub mod rollout;
pub mod spend;
pub mod traffic;
mod trend;
pub mod tune;
pub mod welcome;
pub mod worlds;
