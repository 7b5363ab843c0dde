//! Faults of the program or its surroundings, told apart from what a person can mend in the input: exit code 1, not 2.

/// Marks such a fault.
#[derive(Debug, thiserror::Error)]
#[error("internal error: {0}")]
pub struct Internal(String);

impl Internal {
    /// Wraps what went wrong, causes included.
    pub fn from_any(error: impl Into<anyhow::Error>) -> Self {
        Self(format!("{:#}", error.into()))
    }
}
