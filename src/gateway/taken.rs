//! What an ask was taken for, remembered for the turns that lean on it.

use std::sync::Arc;

use crate::classifier::TaskClass;
use crate::routing::AskId;
use crate::units::PerMille;

/// What an ask was taken for.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The operation that it was.
    pub(super) operation: Arc<str>,
    pub(super) class: TaskClass,
    pub(super) confidence: Option<PerMille>,
    pub(super) ask: AskId,
}
