//! OpenAI's responses.

mod item;
mod object;
pub(super) mod read_request;
pub(super) mod sink;
pub(super) mod source;
