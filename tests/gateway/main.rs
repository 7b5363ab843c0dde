//! The gateway between clients that misbehave and model APIs that go wrong: what clients see, what is charged, and that
//! nothing leaks.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's own scaffolding may fail the test"
)]

mod accounts;
mod adapted;
mod alerts;
mod answers;
mod automations;
mod away;
mod bounds;
mod budgets;
mod caps;
mod charged_to;
mod charges;
mod checked;
mod client;
#[path = "../support/cloud.rs"]
mod cloud;
mod clouds;
mod corrected;
mod crash;
mod disk;
mod doors;
mod edited;
mod fallback;
mod faults;
#[path = "../support/front.rs"]
mod front;
mod inbound;
mod kept;
mod keys;
mod leaving;
mod limits;
mod lists;
mod marked;
mod pages;
mod queued;
mod rehearsal;
mod replayed;
mod rollouts;
mod runaways;
mod rungs;
mod second;
mod shadowed;
mod soak;
mod stage;
mod steering;
mod streams;
mod surface;
mod tiers;
mod tool_turns;
mod tried;
#[cfg(target_os = "linux")]
mod turned_back;
mod unseen;
#[path = "../support/upstream.rs"]
mod upstream;
mod warm;
