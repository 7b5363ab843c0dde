//! Entries that no text holds: whoever keeps them reads them, batch by batch, and readers of logs take them as lines.
//!
//! Invariant: the entries of a reader are those that a log written of them would give, in the same order.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::{Entry, Header};

/// Reads the entries of a log in order.
pub trait EntryReader: Send {
    /// Returns what the header of such a log would say, as far as that is known without reading it.
    fn header(&self) -> Header;

    /// Returns all that it would say; whoever keeps the entries may have to look through them.
    fn whole_header(&self) -> Header {
        self.header()
    }

    /// Returns the next entries; `None` at the end.
    ///
    /// # Errors
    /// Where they cannot be read; those before have been given.
    fn next_batch(&mut self) -> io::Result<Option<Box<dyn EntryBatch>>>;
}

/// Some entries in order, on any thread.
pub trait EntryBatch: fmt::Debug + Send + Sync {
    /// Returns how many there are.
    fn len(&self) -> usize;

    /// Returns one by its place.
    fn entry(&self, place: usize) -> Option<Entry<'_>>;

    /// Says whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Opens something that keeps entries.
pub type EntryOpener = Arc<dyn Fn() -> io::Result<Box<dyn EntryReader>> + Send + Sync>;
