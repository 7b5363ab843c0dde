//! The gateway between clients that misbehave and model APIs that go wrong: what clients see, what is charged, and that
//! nothing leaks.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's own scaffolding may fail the test"
)]

mod client;
mod rehearsal;
#[path = "../support/upstream.rs"]
mod upstream;
