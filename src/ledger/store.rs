//! What the writer needs of a place where entries are kept, whatever database that is.
//!
//! Invariants: an entry is known by its gateway, its sequence and its attempt, so that what is appended again changes nothing;
//! sums are increments; what cannot be written for reasons that lie outside of the entries says so.

use std::fmt;

use super::{Entry, Head};
use crate::units::Instant;

/// A place where one gateway's entries are kept, perhaps beside those of others.
pub(super) trait Store: fmt::Debug + Send {
    /// Appends entries, all or none of them, and returns each that has become final its place in the gateway's chain.
    fn append(&mut self, entries: &[Entry]) -> Result<Oddities, StoreError>;

    /// Deletes texts that are past their time; says how many, and when the next is due.
    fn forget(&mut self, now: Instant) -> Result<(usize, Option<Instant>), StoreError>;

    /// Returns the end of the gateway's chain.
    fn head(&self) -> Head;

    /// Puts in its final place what was appended, all of it or what can be at once; false where somebody hinders that.
    fn write_back(&mut self, all: bool) -> Result<bool, StoreError>;

    /// Ends without that.
    fn leave(self: Box<Self>);
}

/// What a batch brought that should not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Oddities {
    /// Entries about something that was settled before, or never opened.
    pub(super) unexpected: u64,
}

/// Why a store did not do what it was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoreError {
    /// Whether the trouble lies in the store or the system and may pass, not in what is to be written.
    pub(super) may_pass: bool,
    /// In a person's words.
    pub(super) words: String,
}
