//! How healthy a model is at the provider that serves it: plain figures for screens and exports.

use serde::{Deserialize, Serialize};

use crate::units::Instant;

/// What a breaker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Breaker {
    /// Calls go through.
    #[default]
    Closed,
    /// Calls are refused until a moment.
    Open {
        /// When a call is tried again.
        until: Instant,
    },
    /// One call is tried.
    HalfOpen,
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headroom {
    /// What is left.
    pub left: u64,
    /// The limit, where known.
    pub limit: Option<u64>,
}

/// A window of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QuotaWindow {
    /// As the provider calls it: `5h`, `7d`.
    pub name: String,
    /// What of it is used, in thousandths.
    pub used: u32,
    /// When it begins anew.
    pub resets: Instant,
    /// Whether calls are refused until then.
    pub is_closed: bool,
}

/// How one model at one provider is.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelHealth {
    /// The provider.
    pub provider: String,
    /// The model, as in the traffic.
    pub model: String,
    /// The breaker.
    pub breaker: Breaker,
    /// Until when the provider asked to be left alone, where it did; the breaker knows nothing of it.
    #[serde(skip)]
    pub blocked: Option<Instant>,
    /// Calls going on.
    pub in_flight: u64,
    /// Requests left in the provider's quota, where it says.
    pub requests: Option<Headroom>,
    /// Tokens left in the provider's quota, where it says.
    pub tokens: Option<Headroom>,
    /// When the quota is full again, where the provider says.
    pub resets: Option<Instant>,
    /// The windows of a subscription, where the provider says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<QuotaWindow>,
    /// Sessions whose last prompt the account's cache may still hold; none where no route minds caches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_sessions: Option<u64>,
    /// The last error; empty where there was none lately.
    pub last_error: String,
    /// Whether the answers are simulated.
    pub simulated: bool,
}

impl ModelHealth {
    /// Returns the provider, without the account.
    pub fn owner(&self) -> &str {
        self.provider.split_once('/').map_or(&*self.provider, |(owner, _)| owner)
    }
}
