//! How sessions of a route go on: how many turns are served as cheaply as the last one, and whether they come back up.
//!
//! Invariants: without anything seen it is a guess of two turns; what was seen long ago counts less.

use crate::units::PerMille;

/// From so many turns on what was seen before counts half.
const LONG: u32 = 1000;
/// The most turns that are reckoned with, in thousandths.
const MOST_TURNS: u64 = 20_000;
/// What the guess weighs, in turns, half of which go on.
const PRIOR: u64 = 4;
/// Of runs that end, the share that is guessed to come back up, in thousandths.
const RETURNS: u64 = 900;

/// Turns of one route's sessions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Runs {
    turns: u32,
    stayed: u32,
    returned: u32,
}

impl Runs {
    /// Takes a turn: the rung that it asked for, and the one that the turn before did.
    pub(super) fn saw(&mut self, wanted: u8, before: Option<u8>) {
        if self.turns >= LONG {
            (self.turns, self.stayed, self.returned) = (self.turns / 2, self.stayed / 2, self.returned / 2);
        }
        self.turns += 1;
        match before {
            Some(before) if wanted <= before => self.stayed += 1,
            Some(_) => self.returned += 1,
            None => {}
        }
    }

    /// Returns how many turns are expected from this one on that ask for no stronger rung, in thousandths.
    pub(super) fn turns(self) -> u64 {
        let all = u64::from(self.turns) + PRIOR;
        let ends = all.saturating_sub(u64::from(self.stayed) + PRIOR / 2);
        (all * 1000).checked_div(ends).unwrap_or(MOST_TURNS).clamp(1000, MOST_TURNS)
    }

    /// Returns the chance that a session comes back up after them.
    pub(super) fn returns(self) -> PerMille {
        let ended = u64::from(self.turns.saturating_sub(self.stayed)) + 2;
        let chance = (u64::from(self.returned) * 1000 + 2 * RETURNS) / ended;
        PerMille::clamped(i64::try_from(chance).unwrap_or(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sessions_do_outweighs_the_guess() {
        let mut runs = Runs::default();
        assert_eq!((runs.turns(), runs.returns().get()), (2000, 900));
        for turn in 0..10_000u32 {
            // Nine turns alike, then one that asks for more.
            let wanted = u8::from(turn % 10 == 9);
            runs.saw(wanted, Some(u8::from(turn % 10 == 0)));
        }
        assert!((8_000..=11_000).contains(&runs.turns()), "{}", runs.turns());
        assert!(runs.returns().get() > 950, "every run ends with a return: {}", runs.returns());
        let mut single = Runs::default();
        for _ in 0..5000 {
            single.saw(0, None);
        }
        assert!(single.turns() < 1010 && single.returns().get() < 10, "nothing ever goes on");
    }
}
