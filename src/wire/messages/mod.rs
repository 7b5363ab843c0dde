//! Anthropic's messages.

mod own_tools;
pub(super) mod read_request;
mod schema;
pub(super) mod sink;
pub(super) mod source;
pub(super) mod write_request;

/// Stands for the signature of a thought that another provider's model had. Anthropic takes no such thought back, so one
/// with this signature is left out on its way there.
pub(super) const SIGNATURE: &str = "cG9pbnRzbWFuOm5vLXNpZ25hdHVyZQ==";
