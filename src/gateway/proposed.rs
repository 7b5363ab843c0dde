//! What steering proposes, until it is accepted or looked at again.

use std::sync::Arc;

use crate::session::{Moved, SteerRow};

/// What is known of all limits that are steered towards.
#[derive(Debug, Default)]
pub(super) struct Steered {
    /// How each stands.
    pub(super) rows: Vec<SteerRow>,
    /// By limit: what is proposed.
    pub(super) proposed: Vec<(Arc<str>, Vec<Moved>)>,
}
