//! Disjoint token buckets of one attempt. Every provider's own way of counting is turned into these at the edge.

use crate::units::Count;

/// Tokens of one attempt in disjoint buckets; `reasoning` alone is a part of `output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Usage {
    /// Prompt tokens billed at the full input price.
    pub input: Count,
    /// Prompt tokens read from the provider's cache.
    pub cache_read: Count,
    /// Prompt tokens written to a cache that lives 5 minutes.
    pub write_5m: Count,
    /// Prompt tokens written to a cache that lives 1 hour.
    pub write_1h: Count,
    /// Answer tokens, reasoning included.
    pub output: Count,
    /// The part of `output` spent on reasoning; unknown where the provider does not say.
    pub reasoning: Count,
}

impl Usage {
    /// Nothing used: what a refused call costs.
    pub const NONE: Self = Self::each(Count::ZERO);
    /// Nothing known.
    pub const UNKNOWN: Self = Self::each(Count::UNKNOWN);

    const fn each(count: Count) -> Self {
        Self {
            input: count,
            cache_read: count,
            write_5m: count,
            write_1h: count,
            output: count,
            reasoning: count,
        }
    }

    /// Builds usage of a call without caching; `None` where a count is too large.
    pub fn plain(input: u64, output: u64) -> Option<Self> {
        Some(Self {
            input: Count::new(input)?,
            output: Count::new(output)?,
            reasoning: Count::UNKNOWN,
            ..Self::NONE
        })
    }

    /// Returns the length of the whole prompt, cached parts included; this picks the price tier.
    pub fn prompt(&self) -> Option<u64> {
        Some(self.input.get()? + self.cache_read.get()? + self.write_5m.get()? + self.write_1h.get()?)
    }

    /// Returns prompt and answer together.
    pub fn total(&self) -> Option<u64> {
        Some(self.prompt()? + self.output.get()?)
    }

    /// Returns the tokens of the buckets that are known.
    pub fn told(&self) -> u64 {
        [self.input, self.output].into_iter().map(Count::or_zero).fold(self.cached(), u64::saturating_add)
    }

    /// Returns the tokens read from caches and written to them, as far as they are known.
    pub fn cached(&self) -> u64 {
        let parts = [self.cache_read, self.write_5m, self.write_1h];
        parts.into_iter().map(Count::or_zero).fold(0, u64::saturating_add)
    }

    /// Says whether every billed bucket is known.
    pub fn is_complete(&self) -> bool {
        self.prompt().is_some() && self.output.is_known()
    }

    /// Says whether any bucket is known.
    pub fn is_known(&self) -> bool {
        [self.input, self.cache_read, self.write_5m, self.write_1h, self.output].iter().any(|c| c.is_known())
    }
}
