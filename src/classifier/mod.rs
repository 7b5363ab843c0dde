//! What kind of work a request is, and how sure we are that the cheap answer will do.

mod class;

pub use class::TaskClass;
