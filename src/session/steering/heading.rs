//! Where a limit that is steered towards heads, and what is moved for it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::units::{Instant, PerMille, Pico};

/// How a limit's window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// What was spent of it.
    pub spent: Pico,
    /// What may be.
    pub amount: Pico,
    /// When it ends.
    pub ends: Instant,
}

/// A threshold that is moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moved {
    /// The route.
    pub route: Arc<str>,
    /// The rung.
    pub rung: Arc<str>,
    /// Where it stands.
    pub from: PerMille,
    /// Where it is to stand.
    pub to: PerMille,
}

/// What is moved towards a limit, or proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The limit.
    pub limit: Arc<str>,
    /// Whether they are taken without asking anybody.
    pub acts: bool,
    /// The thresholds.
    pub moves: Vec<Moved>,
}

/// What is said of a limit that is steered towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Heading {
    /// There is too little traffic yet.
    #[default]
    Learning,
    /// Thresholds cost what they may.
    OnCourse,
    /// Thresholds are to be moved.
    Moves,
    /// No thresholds that are allowed cost as little.
    OutOfReach,
    /// No one threshold makes it as quick as it is to be.
    TooSlow,
    /// The most expensive thresholds that are allowed cost less than they may.
    RoomLeft,
}
