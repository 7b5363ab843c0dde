//! OpenAI's chat completions, and the many servers that speak the same.

pub(super) mod chunks;
pub(super) mod mistral;
pub(super) mod read_request;
pub(super) mod sink;
pub(super) mod source;
pub(super) mod write_request;
