//! What exploring costs at worst, read from a frontier.

use super::frontier::Frontier;
use super::lots::Exploring;
use crate::routing::Explore;
use crate::units::{PerMille, Pico};

impl Frontier {
    /// Says what exploring comes to at most under thresholds.
    pub(super) fn exploring(&self, explore: Explore, thresholds: &[PerMille]) -> Exploring {
        let start = |by: PerMille| {
            let first = thresholds.iter().position(|threshold| by >= *threshold).unwrap_or(thresholds.len());
            // No confidence leads to a fallback.
            first.max(self.shape().2)
        };
        let mut found = Exploring::default();
        let mut weighed = 0_i128;
        for (at, &count) in self.histogram().iter().enumerate().filter(|(_, count)| **count > 0) {
            let Some(confidence) = u16::try_from(at).ok().and_then(PerMille::new) else { continue };
            let own = start(confidence);
            let sums = |rung: usize| self.row(rung).get(at).copied().unwrap_or_default();
            let total = |rung: usize| sums(rung).known.saturating_add(sums(rung).estimated);
            let mut is_near = false;
            for (other, chance) in explore.ways(confidence).map(|(by, chance)| (start(by), chance)) {
                let more = match other.cmp(&own) {
                    std::cmp::Ordering::Equal => continue,
                    std::cmp::Ordering::Less => sums(other).cascade.first.0,
                    std::cmp::Ordering::Greater => total(other).saturating_sub(total(own)).max(0),
                };
                is_near = true;
                weighed = weighed.saturating_add(more.saturating_mul(chance.into()));
            }
            found.requests += u64::from(if is_near { count } else { 0 });
        }
        found.worst = Pico(weighed).ratio(1, 1000);
        found
    }
}
