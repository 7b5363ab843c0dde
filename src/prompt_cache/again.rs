//! How often a model's prompts come again while its provider's cache would still hold them, and whether that pays for writing
//! them there.
//!
//! Invariants: nothing pays before it was seen to; memory is bounded, whatever comes; what was seen long ago counts less.

use rustc_hash::FxHashMap;

use super::held::{Held, Warm};
use super::rule::Rule;
use crate::units::Instant;

/// The most prompts that are remembered: 64 bytes each.
const MOST: usize = 100_000;
/// The most models of which is counted.
const MODELS: usize = 1024;
/// From so many prompts on what was seen before counts half.
const LONG: u32 = 1000;
/// The fewest prompts that have to have come again.
const LEAST: u32 = 3;

/// Prompts of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    prompts: u32,
    again: u32,
}

impl Seen {
    fn ages(&mut self) {
        if self.prompts >= LONG {
            (self.prompts, self.again) = (self.prompts / 2, self.again / 2);
        }
    }

    /// Says whether reading what comes again saves more than writing everything costs besides.
    fn pays(self, rule: &Rule) -> bool {
        let saved = u64::from(self.again) * u64::from(1000u32.saturating_sub(rule.read));
        let paid = u64::from(self.prompts) * u64::from(rule.write.saturating_sub(1000));
        self.again >= LEAST && saved > paid
    }
}

/// What came again so far.
#[derive(Clone, Debug)]
pub struct Again {
    ends: Warm,
    /// Of each model the prompts that begin something, and those that go on from one that was seen.
    models: FxHashMap<u64, [Seen; 2]>,
}

impl Default for Again {
    fn default() -> Self {
        Self { ends: Warm::new(MOST), models: FxHashMap::default() }
    }
}

impl Again {
    /// Takes a prompt in, by the model's number and the hashes of its beginnings, the longest last, and says whether it pays to
    /// have it written into the cache: the share of such prompts that came again, times what a read saves, is more than what a
    /// write costs besides.
    pub fn take(&mut self, model: u64, rule: &Rule, prefix: &[u64], now: Instant) -> bool {
        let Some(&longest) = prefix.last() else { return false };
        let key = |hash: u64| hash ^ model.rotate_left(17);
        let known = |(hash, held): (u64, Held)| rule.holds(held.at, now).then_some((hash, held));
        let found = prefix.iter().rev().find_map(|&hash| known((hash, self.ends.get(key(hash))?)));
        if self.models.len() >= MODELS && !self.models.contains_key(&model) {
            self.models.clear();
        }
        let seen = self.models.entry(model).or_default();
        if let Some((hash, held)) = found
            && held.unread > 0
        {
            // `tokens` says which kind the one was that has come again.
            let [begins, goes_on] = seen;
            let kind = if held.tokens == 0 { begins } else { goes_on };
            kind.again = kind.again.saturating_add(1).min(kind.prompts);
            self.ends.put(key(hash), Held { unread: 0, at: now, ..held });
        }
        let goes_on = found.is_some();
        self.ends.put(key(longest), Held { at: now, tokens: u32::from(goes_on), unread: 1 });
        let [begins, continues] = seen;
        let kind = if goes_on { continues } else { begins };
        let pays = kind.pays(rule);
        kind.ages();
        kind.prompts += 1;
        pays
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    fn rule() -> Rule {
        Rule {
            minimum: 1024,
            step: 1,
            ttl: Span::mins(5),
            ttl_long: None,
            read: 100,
            write: 1250,
            write_long: None,
            storage: None,
            asked: true,
        }
    }

    /// Sessions of so many turns, one after another; returns what share of the prompts paid.
    fn share(sessions: u64, turns: u64, idle: i64) -> f64 {
        let (mut again, mut paid, mut at) = (Again::default(), 0u64, 0);
        for session in 0..sessions {
            let hashes: Vec<u64> = (0..turns).map(|turn| session * 1000 + turn).collect();
            for turn in 1..=hashes.len() {
                at += idle;
                paid += u64::from(again.take(7, &rule(), &hashes[..turn], Instant::from_secs(at)));
            }
        }
        f64::from(u32::try_from(paid).unwrap()) / f64::from(u32::try_from(sessions * turns).unwrap())
    }

    #[test]
    fn prompts_are_written_where_they_come_again_and_nowhere_else() {
        assert!(share(200, 1, 1) == 0.0, "what never comes again is never paid for");
        assert!(share(100, 8, 10) > 0.95, "conversations go on");
        assert!(share(100, 8, 301) == 0.0, "when the next turn comes nothing is held any more");
        // One of two goes on once: 0.5 x 0.9 pays for 0.25, what follows the second turn does not.
        let pairs = share(200, 2, 10);
        assert!((0.45..0.51).contains(&pairs), "{pairs}");
    }

    #[test]
    fn the_same_prompt_again_counts_once_and_models_are_apart() {
        let (mut again, rule) = (Again::default(), rule());
        let at = Instant::from_secs;
        let first: Vec<bool> = (0..6).map(|n| again.take(1, &rule, &[5, 6], at(n))).collect();
        assert_eq!(first, [false, false, false, false, true, true], "three had to come again");
        assert!(!again.take(2, &rule, &[5, 6], at(7)), "another model's cache holds none of it");
        assert!(!again.take(1, &rule, &[], at(8)), "what is too short to be told apart");
    }

    #[test]
    fn what_stopped_coming_again_stops_paying() {
        let (mut again, rule) = (Again::default(), rule());
        for n in 0..900 {
            again.take(1, &rule, &[1], Instant::from_secs(n));
        }
        let later: Vec<bool> =
            (0..20_000u64).map(|n| again.take(1, &rule, &[n + 10], Instant::from_secs(900))).collect();
        assert!(later.iter().rev().take(15_000).all(|pays| !pays));
    }
}
