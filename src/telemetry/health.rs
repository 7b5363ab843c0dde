//! How healthy a model is at the provider that serves it: plain figures for screens and exports.
//!
//! Times are relative to the moment the figures were taken, so that whoever shows them needs no clock.

/// The health of one model at one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelHealth {
    /// The provider's name.
    pub provider: String,
    /// What the provider calls the model.
    pub model: String,
    /// Whether answers are simulated.
    pub simulated: bool,
    /// Whether calls go through.
    pub breaker: BreakerState,
    /// How long the provider asked to be left alone, in milliseconds from now; zero where it did not.
    pub blocked_ms: u64,
    /// What is left of the quota of requests, where the provider says so.
    pub requests: Option<QuotaLeft>,
    /// What is left of the quota of tokens, where the provider says so.
    pub tokens: Option<QuotaLeft>,
    /// The windows of a subscription, where the provider says.
    pub windows: Vec<QuotaWindow>,
    /// Calls under way.
    pub in_flight: u32,
    /// What went wrong last, for people, and how many milliseconds ago.
    pub last_error: Option<(String, u64)>,
}

/// Whether calls to a model go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// They do.
    Closed,
    /// None does.
    Open {
        /// For that many milliseconds from now.
        for_ms: u64,
    },
    /// One may try.
    HalfOpen,
}

/// What is left of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaLeft {
    /// What is there now.
    pub remaining: u64,
    /// What is there when nothing is used.
    pub limit: u64,
    /// When that will be, in milliseconds from now.
    pub resets_ms: u64,
}

/// A window of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaWindow {
    /// As the provider calls it: `5h`, `7d`.
    pub name: String,
    /// What of it is used, in thousandths.
    pub used: u32,
    /// When it begins anew, in milliseconds from now.
    pub resets_ms: u64,
    /// Whether calls are refused until then.
    pub is_closed: bool,
}
