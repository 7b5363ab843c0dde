//! Randomness by counting: every draw is a pure function of seed, place and purpose.
//!
//! Invariant: integers only, so that the same seed writes the same bytes on every machine; a draw that is added or left
//! out changes no other.

use crate::units::Draw;

/// What a draw is for; two purposes at one place never share their bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Purpose {
    Minute = 1,
    Slot,
    Arrival,
    Jitter,
    Length,
    Gap,
    User,
    Class,
    Prompt,
    Output,
    Growth,
    Hump,
    Confidence,
    NoSignal,
    Explore,
    Text,
    Cache,
    Tail,
    Pace,
    Fault,
    Storm,
    Retry,
    Fallback,
    Check,
    Acceptable,
    Strong,
    Quality,
    Label,
    Shadow,
    Reasoning,
    Tools,
}

/// The randomness of one place: a seed, a thread of requests, a turn, an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draws(u64);

/// Steele, Lea and Flood's splitmix64 finaliser (OOPSLA 2014): a bijection that mixes every bit into every other.
fn mix(value: u64) -> u64 {
    Draw::new(value).next()
}

impl Draws {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// Goes to a place within this one.
    pub(super) fn at(self, number: u64) -> Self {
        Self(mix(self.0 ^ mix(number).rotate_left(23)))
    }

    fn bits(self, purpose: Purpose) -> u64 {
        mix(self.0.wrapping_add((purpose as u64).wrapping_mul(0xd605_0fad_0c2c_ec41)))
    }

    /// Draws a whole number below `limit`; zero where there is none.
    pub(super) fn below(self, purpose: Purpose, limit: u64) -> u64 {
        // The high half of a product spreads evenly without the bias of a remainder.
        let wide = u128::from(self.bits(purpose)) * u128::from(limit);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// Draws from `low` up to and including `high`.
    pub(super) fn between(self, purpose: Purpose, low: u64, high: u64) -> u64 {
        low + self.below(purpose, high.saturating_sub(low) + 1)
    }

    /// Says yes in so many cases of a thousand.
    pub(super) fn chance(self, purpose: Purpose, permille: u64) -> bool {
        self.below(purpose, 1000) < permille
    }

    /// Draws from a table of quantiles.
    pub(super) fn from(self, purpose: Purpose, table: &Quantiles) -> u64 {
        table.at(self.below(purpose, 1_000_000))
    }

    /// Picks by weight; the first where all weights are zero.
    pub(super) fn weighted(self, purpose: Purpose, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut left = self.below(purpose, weights.clone().sum());
        for (at, weight) in weights.enumerate() {
            if left < weight {
                return at;
            }
            left -= weight;
        }
        0
    }
}

/// A distribution as its quantiles at 0, 5, …, 100 per cent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quantiles(pub(super) [u32; 21]);

impl Quantiles {
    /// Returns the value at a millionth, straight lines between the quantiles.
    pub(super) fn at(&self, millionth: u64) -> u64 {
        let place = millionth.min(1_000_000) * 20;
        let step = usize::try_from(place / 1_000_000).unwrap_or(0).min(19);
        let within = place - step as u64 * 1_000_000;
        let value = |at: usize| self.0.get(at).copied().map_or(0, u64::from);
        let (low, high) = (value(step), value(step + 1));
        low + high.saturating_sub(low) * within / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_fixed_for_ever() {
        // The bundled log is committed: a change of these numbers would silently write another one.
        let draws = Draws::new(1).at(7).at(3);
        assert_eq!(draws.below(Purpose::Class, 1000), Draws::new(1).at(7).at(3).below(Purpose::Class, 1000));
        assert_ne!(Draws::new(1).at(7).at(3), Draws::new(1).at(3).at(7));
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf, "splitmix64's first published output for state 0");
    }

    #[test]
    fn shares_come_out_as_asked() {
        let hits = (0..20_000).filter(|&n| Draws::new(5).at(n).chance(Purpose::Label, 250)).count();
        assert!((4_700..5_300).contains(&hits), "{hits}");
        let picked = (0..9_000)
            .filter(|&n| Draws::new(5).at(n).weighted(Purpose::Hump, [1, 2].into_iter()) == 1)
            .count();
        assert!((5_800..6_200).contains(&picked), "{picked}");
    }

    #[test]
    fn quantiles_meet_their_ends_and_rise() {
        let table = Quantiles([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 1000]);
        assert_eq!((table.at(0), table.at(500_000), table.at(1_000_000)), (1, 11, 1000));
        assert!((0..1000u64).all(|at| table.at(at * 1000) <= table.at(at * 1000 + 1000)));
    }
}
