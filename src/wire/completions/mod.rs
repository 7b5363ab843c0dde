//! OpenAI's older completions: a prompt that is continued. Many servers of open models have them still. Answers are read as
//! chat's are.

pub(super) mod read_request;
pub(super) mod sink;

/// The tokens of an answer where the client names no limit, as OpenAI documents.
pub(super) const USUAL_LIMIT: u64 = 16;
