//! What a player has more where its log is live.

use std::sync::Arc;

use super::growth::Growth;
use super::status::{Answer, LiveStatus};
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
    pub(super) now: Instant,
    /// Whether the clock on screen stands at the newest entry, not at `now`.
    pub(super) logs_time: bool,
    pub(super) held_since: Option<Instant>,
    pub(super) rewound: bool,
    pub(super) fresh: u64,
    pub(super) status: Arc<LiveStatus>,
    pub(super) lost: u64,
    pub(super) closed: Option<Arc<str>>,
    pub(super) again: Option<Instant>,
    pub(super) read_only: Option<Arc<str>>,
    pub(super) owns: bool,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) answer: Option<Arc<Answer>>,
}
