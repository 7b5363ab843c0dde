//! What is wrong with a policy, and shares that are checked on the way.

use crate::units::PerMille;

/// What is wrong with a policy. `field` is the path that a person finds in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct PolicyError {
    /// Where: `route.extraction.ladder[1].threshold`.
    pub field: String,
    /// What is wrong and how to mend it.
    pub problem: String,
}

impl PolicyError {
    fn new(field: String, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// A share of nobody or of everybody measures nothing.
pub(super) fn held_out(share: i64, field: &str) -> Result<PerMille, PolicyError> {
    let share = u16::try_from(share).ok().filter(|share| (1..1000).contains(share)).and_then(PerMille::new);
    share.ok_or_else(|| {
        PolicyError::new(
            field.to_owned(),
            "is a share of sessions in per mille, 1 to 999; leave it out to hold nobody out",
        )
    })
}

/// What changes may cost is a share, and of use only where changes are weighed.
pub(super) fn capped(cap: i64, minds_caches: bool, field: &str) -> Result<PerMille, PolicyError> {
    if !minds_caches {
        return Err(PolicyError::new(
            field.to_owned(),
            "caps what changes of a session's model cost; it needs cache = \"aware\" beside it",
        ));
    }
    u16::try_from(cap).ok().and_then(PerMille::new).ok_or_else(|| {
        PolicyError::new(field.to_owned(), "is a share of what never changing costs, in per mille, 0 to 1000")
    })
}
