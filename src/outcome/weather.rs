//! What a changed world does to the calls of one request: they fail, take longer, find their cache cold, cost something else.
//!
//! Invariant: where nothing is changed, every figure is to the last digit what it is without; what is changed is an estimate.

use super::Observed;
use crate::pricing::{Charged, PriceTable, Usage};
use crate::routing::Status;
use crate::units::{Count, Instant, Millis, ModelId};

/// The weather at one request. Models stand by their identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// Models whose calls fail: how, and after how many milliseconds.
    pub fails: Vec<(ModelId, Status, u32)>,
    /// Models whose calls take so many thousandths of their time.
    pub slow: Vec<(ModelId, u32)>,
    /// Models that no longer hold what they were sent before.
    pub cold: Vec<ModelId>,
    /// Models whose price is another, whatever was charged.
    pub priced: Vec<ModelId>,
}

impl Weather {
    /// Empties it for the next request.
    pub fn clear(&mut self) {
        self.fails.clear();
        self.slow.clear();
        self.cold.clear();
        self.priced.clear();
    }

    /// Says how a call to a model fails, and after how many milliseconds; none where it does not.
    pub(super) fn fails(&self, identity: ModelId) -> Option<(Status, u32)> {
        self.fails.iter().find(|(other, ..)| *other == identity).map(|&(_, status, takes)| (status, takes))
    }

    /// Returns an observed call with other tokens, or without what was charged for it; none where it stands as it is.
    pub(super) fn changed(
        &self,
        identity: ModelId,
        call: &Observed,
        at: Instant,
        prices: &PriceTable,
    ) -> Option<Observed> {
        let is_cold = self.cold.contains(&identity) && call.usage.cache_read.or_zero() > 0;
        let is_changed = is_cold || self.priced.contains(&identity);
        is_changed.then(|| Observed {
            usage: self.usage(identity, call.usage, at, prices),
            charged: Charged::NONE,
            ..*call
        })
    }

    /// Returns how long a call to a model takes.
    pub(super) fn latency(&self, identity: ModelId, latency: Millis) -> Millis {
        let slow = self.slow.iter().find(|(model, _)| *model == identity);
        match (slow, latency.get()) {
            (Some((_, thousandths)), Some(millis)) => {
                Millis::new(millis.saturating_mul(u64::from(*thousandths)) / 1000)
            }
            _ => latency,
        }
    }

    /// Returns the tokens of a call to a model: of a cold cache nothing is read, and what was to be read is written, where its
    /// model has prices of writes, or sent anew.
    pub(super) fn usage(&self, identity: ModelId, usage: Usage, at: Instant, prices: &PriceTable) -> Usage {
        let Some(read) = usage.cache_read.get().filter(|read| *read > 0 && self.cold.contains(&identity))
        else {
            return usage;
        };
        let plus = |count: Count| count.get().and_then(|count| Count::new(count.saturating_add(read)));
        let mut usage = Usage { cache_read: Count::ZERO, ..usage };
        let writes = prices.rates(identity, at).is_some_and(|rates| rates.base.prices_writes());
        let place = if writes { &mut usage.write_5m } else { &mut usage.input };
        *place = plus(*place).unwrap_or(Count::UNKNOWN);
        usage
    }
}
