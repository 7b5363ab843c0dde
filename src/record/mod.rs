//! Request logs: our own format, foreign formats, and the writer of ours.
//!
//! Invariants: a bad line is reported with its number and reason, never dropped in silence; a count that a log does not
//! carry is unknown, not zero; files stream, however large.

mod record;

pub use record::{Attempt, Check, Entry, Label, PriceChange, Record, Status, WriteTtl};
