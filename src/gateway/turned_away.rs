//! What the gate turned away, by reason: none of it became a request of the traffic, so no total has it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::session::TurnedAway;

/// The reasons, in words for a screen, with the statuses that mean them; the last one takes all others.
const REASONS: [(&str, &[u16]); 7] = [
    ("no valid key", &[401]),
    ("not allowed", &[403]),
    ("not found", &[404]),
    ("over a limit", &[429]),
    ("too large", &[413, 431]),
    ("no room", &[503, 529]),
    ("malformed", &[]),
];

/// Counts by reason.
#[derive(Debug, Default)]
pub(super) struct Counts([AtomicU64; REASONS.len()]);

impl Counts {
    /// Counts one that was answered with this status.
    pub(super) fn count(&self, status: u16) {
        let place = REASONS.iter().position(|(_, statuses)| statuses.contains(&status));
        if let Some(count) = self.0.get(place.unwrap_or(REASONS.len() - 1)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns every reason with its count.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REASONS.iter().zip(&self.0).map(|((reason, _), count)| (*reason, count.load(Ordering::Relaxed)))
    }

    /// Returns those that happened, the most frequent first.
    pub(super) fn told(&self) -> Vec<TurnedAway> {
        let found = self.all().filter(|(_, count)| *count > 0);
        let mut found: Vec<_> =
            found.map(|(reason, count)| TurnedAway { reason: reason.to_owned(), count }).collect();
        crate::units::sort_by_key(&mut found, |one| std::cmp::Reverse(one.count));
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_one_reason_and_the_most_frequent_is_told_first() {
        let counts = Counts::default();
        for status in [404, 401, 404, 400, 415, 422, 405] {
            counts.count(status);
        }
        let told: Vec<_> = counts.told().into_iter().map(|one| (one.reason, one.count)).collect();
        let want = [("malformed", 4), ("not found", 2), ("no valid key", 1)];
        assert_eq!(told, want.map(|(reason, count)| (reason.to_owned(), count)));
    }
}
