//! What a headless replay comes to.

use std::sync::Arc;

use super::constraints::Constraints;
use super::events::LogEvents;
use super::frontiers::Frontiers;
use super::log::Skipped;
use super::slow::SlowStreams;
use super::wanted::Search;
use crate::outcome::Profiles;
use crate::pricing::{PriceTable, Recharge};
use crate::record::Timing;
use crate::routing::{Circumstances, Policy};
use crate::telemetry::{Spend, Totals};
use crate::units::{Instant, Names, Span};

/// What a headless replay found.
#[derive(Debug, Default)]
pub struct StreamResult {
    /// Sums; empty where something else was asked for.
    pub totals: Totals,
    /// What the log's policies would make of other thresholds, where that was asked for.
    pub frontiers: Option<Frontiers>,
    /// Whether there are tool loops in it, whose turns go where the turn before went.
    pub has_loops: bool,
    /// Names of everything in the sums.
    pub names: Names,
    /// Lines that could not be used.
    pub skipped: Skipped,
    /// The first moment.
    pub first_at: Option<Instant>,
    /// The last moment.
    pub last_at: Option<Instant>,
    /// How much time was looked at, where a stretch was asked for.
    pub looked_at: Option<Span>,
    /// Operations marked as synthetic.
    pub simulated: u64,
    /// Operations that the classifier judged because the log carries no confidence.
    pub classified: u64,
    /// What the policy's limits on streams would have done.
    pub slow: SlowStreams,
    /// What the log's own charges come to.
    pub recharge: Recharge,
    /// Whether calls went where policy or key forbid.
    pub constraints: Constraints,
    /// Meters that the price book has no price for, with how many calls told them.
    pub unknown_meters: Vec<(String, u64)>,
    /// Whether latency of unobserved answers was estimated from profiles.
    pub profiles: Profiles,
    /// The policies that decided, in order of time.
    pub policies: Vec<Arc<Policy>>,
    /// The request that was asked for, with what it is settled by.
    pub one: Option<One>,
    /// The same, with one that came into force behind all requests.
    pub spans: Vec<Arc<Policy>>,
    /// All events of the log, where some stood behind requests of their time, which were counted without them.
    pub late: Option<Arc<LogEvents>>,
    /// Models that answer for others and models whose end is near, with the first moment.
    pub news: Vec<(Instant, String)>,
    /// How well the moments are known.
    pub timing: Timing,
    /// What that means, where they are synthetic.
    pub undated: Option<String>,
    /// Spend, where asked for.
    pub spend: Option<Spend>,
}

/// What a search found, and what that is settled by.
#[derive(Debug)]
pub struct One {
    /// What was found.
    pub search: Search,
    /// The policies, each with the moment from which on it decides.
    pub(super) policies: Vec<(Instant, Arc<Policy>)>,
    pub(super) prices: Arc<PriceTable>,
    pub(super) circumstances: Circumstances,
}
