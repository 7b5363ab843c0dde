//! What an ask was taken for, remembered for the turns that lean on it.

use crate::classifier::TaskClass;
use crate::routing::AskId;
use crate::units::PerMille;

/// What an ask was taken for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    pub(super) class: TaskClass,
    pub(super) confidence: Option<PerMille>,
    pub(super) ask: AskId,
}
