//! Where a figure lies with a chance of 95 %, in whole pico-dollars.
//!
//! Invariant: no interval is better than a made-up one: where the spread is unknown there is none.

use crate::outcome::Spread;
use crate::units::Pico;

/// Fewer sessions than this on either side give no interval.
const LEAST: usize = 30;

/// Where a figure lies with a chance of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// Its lower end.
    pub low: Pico,
    /// Its upper end.
    pub high: Pico,
}

impl Interval {
    /// Lays one around a figure by half its width.
    pub fn around(middle: Pico, half: Pico) -> Self {
        Self { low: Pico(middle.0.saturating_sub(half.0)), high: Pico(middle.0.saturating_add(half.0)) }
    }
}

/// A cluster's requests and what they cost.
pub(super) type Cluster = (u64, Pico);

/// Returns the mean cost of a request of clusters, and the variance of that mean: requests of one session go together, so it
/// is the sessions that are drawn. In nano-dollars, so that squares fit.
fn mean(clusters: &[Cluster]) -> Option<(Pico, i128)> {
    let requests: u64 = clusters.iter().map(|(requests, _)| requests).sum();
    let cost: Pico = clusters.iter().map(|(_, cost)| *cost).sum();
    if clusters.len() < LEAST || requests == 0 {
        return None;
    }
    let mean = cost.proportion([1], [requests]);
    // The residuals of a ratio: what a session cost beyond what its requests would at the mean.
    let residual = |(requests, cost): &Cluster| {
        let off = (cost.0 - mean.0.saturating_mul(i128::from(*requests))) / 1000;
        off.saturating_mul(off)
    };
    let squares = clusters.iter().map(residual).fold(0i128, i128::saturating_add);
    let count = i128::try_from(clusters.len()).ok()?;
    let spread = squares / (count - 1).max(1) * count;
    let requests = i128::from(requests);
    // Of a mean in pico-dollars: a thousand squared again.
    let variance = spread.saturating_mul(1_000_000) / requests.saturating_mul(requests).max(1);
    Some((mean, variance))
}

/// Returns how much more a request of the first costs than one of the second, on average, and where that lies; none where there
/// are too few sessions to say.
pub fn mean_difference(held: &[Cluster], routed: &[Cluster]) -> Option<(Pico, Interval)> {
    let ((one, a), (other, b)) = (mean(held)?, mean(routed)?);
    let difference = one - other;
    Some((
        difference,
        Interval::around(difference, (Spread { chance: a.saturating_add(b), habit: 0 }).half_width()),
    ))
}
