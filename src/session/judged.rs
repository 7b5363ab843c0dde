//! What was said of answers after their requests had been told.

use crate::units::{Instant, ModelId, PerMille};

/// What somebody said of a model's answer, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// When.
    pub at: Instant,
    /// The request, by the number of its id.
    pub id: u64,
    /// The model.
    pub model: ModelId,
    /// How good the answer was.
    pub quality: PerMille,
}
