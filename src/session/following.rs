//! What a player has more where its log is live.

use std::sync::Arc;

use super::growth::Growth;
use super::status::LiveView;
use crate::engine::Engine;
use crate::outcome::{Extra, Operation};
use crate::routing::Policy;
use crate::units::Instant;

/// What the player wants done by whoever drives the live traffic.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// Bring this policy into force.
    Apply {
        /// The policy, under the version that it is to follow.
        policy: Arc<Policy>,
        /// What changes, in one line.
        what: String,
        /// Whether that takes the latest change back.
        undo: bool,
    },
}

/// An operation that waits until the view is moved.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) operation: Operation,
    pub(super) extra: Option<Extra>,
}

/// What a player has more where its log is live.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) growth: Growth,
    /// The sums of what memory let go, by reading.
    pub(super) floors: [Engine; 2],
    pub(super) waiting: Vec<Waiting>,
    /// When this console began; policies of before are not changes seen here.
    pub(super) started: Instant,
    /// Whether the clock on screen stands at the newest entry, not at the moment of the world.
    pub(super) logs_time: bool,
    pub(super) held_since: Option<Instant>,
    /// What readers see of it, but for what is worked out when they look.
    pub(super) view: LiveView,
    pub(super) outgoing: Vec<Outgoing>,
}
