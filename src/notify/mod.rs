//! Who is told of alerts, and how: the outbox and its receivers.
//!
//! Invariants: what is to be told is in the ledger before it is told, and stays there until it was; each receiver is told in order and by
//! itself, so that one that hangs holds up nobody else; no address of a receiver is ever shown or logged; a replay has no outbox.

mod job;
mod message;
mod notifier;
mod outbox;
pub(crate) mod program;
mod send;

pub use notifier::{Counts, Notifier, Told};
pub use send::Outcome;
