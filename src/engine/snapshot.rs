//! The immutable picture that reports, metrics and the console read.

use std::sync::Arc;

use crate::routing::Policy;
use crate::telemetry::Totals;
use crate::units::Instant;

/// Events that fit nothing; counted so that they can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Unexpected {
    /// Attempts of operations that are not open.
    pub unknown_operations: u64,
    /// Arrivals of operations that are open already.
    pub repeated_arrivals: u64,
    /// Policies that are not newer than the one in force.
    pub stale_policies: u64,
}

/// The engine at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineSnapshot {
    /// The latest moment seen.
    pub at: Instant,
    /// Events applied.
    pub applied: u64,
    /// Operations sent and not answered.
    pub open: usize,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// Sums.
    pub totals: Totals,
    /// Events that fit nothing.
    pub unexpected: Unexpected,
}
