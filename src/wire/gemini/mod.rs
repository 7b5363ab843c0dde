//! Google's generateContent.

pub(super) mod listed;
pub(super) mod names;
pub(super) mod read_request;
pub(super) mod read_schema;
pub(super) mod sink;
pub(super) mod source;
pub(super) mod write_request;
