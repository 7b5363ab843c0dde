//! What the user may set, read from files into plain values.
//!
//! Invariant: every message about a file names the file and the line.

pub mod console;
pub mod keys;
pub mod themes;
