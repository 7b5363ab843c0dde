//! What is watched of a slot: eight figures, each with how far off it may be by chance.

use super::detector::Floor;
use super::tally::Tally;
use crate::units::words;

/// By so many draws of what was usual a share is drawn to it.
const DRAWN: f64 = 2.0;

/// A figure that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// What was spent.
    Spend,
    /// How many requests came.
    Requests,
    /// What a request cost.
    CostPerRequest,
    /// Tokens of a request.
    TokensPerRequest,
    /// The share of requests that went up the ladder.
    Escalations,
    /// The share of calls that failed.
    Errors,
    /// How long answers took: the geometric mean.
    Latency,
    /// The share of prompt tokens read from caches.
    CacheHits,
}

/// A figure on the scale on which it is watched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) value: f64,
    /// How far off it may be by chance, one standard deviation.
    pub(super) noise: f64,
}

pub(super) fn float(count: u64) -> f64 {
    count as f64
}

fn wide(sum: u128) -> f64 {
    sum as f64
}

words!(Metric {
    Spend = "spend", Requests = "requests", CostPerRequest = "cost_per_request",
    TokensPerRequest = "tokens_per_request", Escalations = "escalation_rate", Errors = "error_rate",
    Latency = "latency", CacheHits = "cache_hit_share",
});

impl Metric {
    /// Says whether it is a share of something.
    pub fn is_share(self) -> bool {
        matches!(self, Self::Escalations | Self::Errors | Self::CacheHits)
    }

    /// Says whether a change to this side is one to be told of: of most figures only the rise, of cache hits the fall.
    pub(super) fn tells(self, change: f64) -> bool {
        match self {
            Self::Requests => true,
            Self::CacheHits => change < 0.0,
            _ => change > 0.0,
        }
    }

    /// Returns the least change of it that matters: a twentieth where it is watched as a logarithm, of a tenth about a point.
    pub(super) fn floor(self) -> Floor {
        Floor::Amount(if self.is_share() { 0.02 } else { 0.05 })
    }

    /// Returns the figure over a window as people know it: dollars, requests, tokens, milliseconds, or a share from 0 to 1.
    pub fn figure(self, tally: &Tally) -> Option<f64> {
        let (part, whole) = self.parts(tally);
        (whole > 0.0).then(|| match self {
            Self::Latency => (part / whole / 1000.0).exp(),
            _ => part / whole,
        })
    }

    /// Returns what the figure is a ratio of: a part and its whole; of a sum the whole is one.
    fn parts(self, tally: &Tally) -> (f64, f64) {
        match self {
            Self::Spend => (tally.cost.to_f64(), 1.0),
            Self::Requests => (float(tally.requests), 1.0),
            Self::CostPerRequest => (tally.whole.to_f64(), float(tally.priced)),
            Self::TokensPerRequest => (float(tally.tokens), float(tally.counted)),
            Self::Escalations => (float(tally.escalated), float(tally.requests)),
            Self::Errors => (float(tally.failed), float(tally.calls)),
            Self::Latency => (float(tally.latency_logs), float(tally.timed)),
            Self::CacheHits => (float(tally.cached), float(tally.prompt)),
        }
    }

    /// Returns the ratio over a window; nothing of a sum.
    pub(super) fn usual(self, before: &Tally) -> f64 {
        match self.parts(before) {
            _ if matches!(self, Self::Spend | Self::Requests) => 0.0,
            (part, whole) if whole > 0.0 => part / whole,
            _ => 0.0,
        }
    }

    /// Returns what a part of the traffic has beyond the usual ratio: this adds up over parts to the whole's.
    pub(super) fn excess(self, tally: &Tally, usual: f64) -> f64 {
        let (part, whole) = self.parts(tally);
        part - whole * usual
    }

    /// Returns how much of the traffic this is, by what such a figure is of.
    pub(super) fn weight(self, tally: &Tally) -> f64 {
        match self.parts(tally) {
            (part, _) if matches!(self, Self::Spend | Self::Requests) => part,
            (_, whole) => whole,
        }
    }

    /// Reads it off a slot; `past` is all before it, which tells the size of a usual request. `None` where the slot says nothing.
    pub(super) fn read(self, slot: &Tally, past: &Tally) -> Option<Reading> {
        // Of `of` draws, on the scale on which a share is off by the same wherever it lies; drawn a little to what was usual, so
        // that few draws show little.
        let share = |of: u64| {
            let (part, whole) = self.parts(slot);
            let likely = (part / whole * float(of) + DRAWN * self.usual(past)) / (float(of) + DRAWN);
            (of > 0 && whole > 0.0).then(|| Reading {
                value: likely.clamp(0.0, 1.0).sqrt().asin(),
                noise: 0.5 / (float(of) + 0.5).sqrt(),
            })
        };
        match self {
            Self::Requests => {
                let count = float(slot.requests) + 1.0;
                Some(Reading { value: count.ln(), noise: 1.0 / count.sqrt() })
            }
            Self::Spend => {
                let one = Self::CostPerRequest.figure(past).filter(|one| *one > 0.0)?;
                let cost = slot.cost.to_f64().max(0.0) + one;
                let noise = (wide(slot.cost_squares) / 1e12 + one * one).sqrt() / cost;
                Some(Reading { value: cost.ln(), noise })
            }
            Self::CostPerRequest => {
                let dollars = |tally: &Tally| Sums {
                    count: tally.priced,
                    sum: tally.whole.to_f64(),
                    squares: wide(tally.cost_squares) / 1e12,
                };
                mean(&dollars(slot), &dollars(past))
            }
            Self::TokensPerRequest => {
                let tokens = |tally: &Tally| Sums {
                    count: tally.counted,
                    sum: float(tally.tokens),
                    squares: wide(tally.token_squares),
                };
                mean(&tokens(slot), &tokens(past))
            }
            Self::Escalations => share(slot.requests),
            Self::Errors => share(slot.calls),
            Self::CacheHits => share(slot.cache_told),
            Self::Latency => {
                let variance = |tally: &Tally| {
                    let count = float(tally.timed.max(1));
                    let usual = float(tally.latency_logs) / count;
                    (wide(tally.latency_log_squares) / count - usual * usual).max(0.0) / 1e6
                };
                let off = variance(slot).max(variance(past));
                (slot.timed > 0).then(|| Reading {
                    value: float(slot.latency_logs) / float(slot.timed) / 1000.0,
                    noise: (off / float(slot.timed)).sqrt(),
                })
            }
        }
    }
}

struct Sums {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Sums {
    fn mean(&self) -> f64 {
        self.sum / float(self.count.max(1))
    }

    /// Returns the variance as a share of the squared mean.
    fn variation(&self) -> f64 {
        let mean = self.mean();
        if mean > 0.0 {
            (self.squares / float(self.count.max(1)) / (mean * mean) - 1.0).max(0.0)
        } else {
            0.0
        }
    }
}

/// Reads the logarithm of a mean. A few requests show little of how much requests differ; the past shows it as well.
fn mean(slot: &Sums, past: &Sums) -> Option<Reading> {
    let usual = past.mean();
    if slot.count == 0 || usual <= 0.0 {
        return None;
    }
    let variation = slot.variation().max(past.variation());
    Some(Reading {
        value: (slot.mean().max(0.0) + usual * 0.01).ln(),
        noise: (variation / float(slot.count)).sqrt(),
    })
}
