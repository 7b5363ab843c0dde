//! What is wrong with a policy.

/// What is wrong with a policy. `field` is the path that a person finds in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PolicyError {
    /// Where: `route.extraction.ladder[1].threshold`.
    pub field: String,
    /// What is wrong and how to mend it.
    pub problem: String,
}
