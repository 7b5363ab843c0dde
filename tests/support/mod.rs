//! What several test programs share. Each takes only the part that it needs.

pub mod source;
