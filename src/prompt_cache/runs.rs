//! How sessions of a route go on: for how many turns they ask for no more than a rung gives, and whether they ask for more then.
//!
//! Invariants: a turn counts for every rung that would have done; without anything seen it is a guess of two turns; what was
//! seen long ago counts less.

use crate::units::PerMille;

/// Rungs that are told apart; the last counts for all above it.
const RUNGS: usize = 8;
/// From so many turns on what was seen before counts half.
const LONG: u32 = 1000;
/// The most turns that are reckoned with, in thousandths.
const MOST_TURNS: u64 = 20_000;
/// What the guess weighs, in turns, half of which go on.
const PRIOR: u64 = 4;
/// Of runs that end, the share that is guessed to come back up, in thousandths.
const RETURNS: u64 = 900;

/// Turns for which one rung would have done.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    turns: u32,
    /// Turns before which another such stood.
    stayed: u32,
    /// Turns that asked for more, with such a one before.
    returned: u32,
}

/// Turns of one route's sessions, by rung.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Runs([Run; RUNGS]);

impl Runs {
    /// Takes a turn: the rung that it asked for, and the one that the turn before did.
    pub(super) fn saw(&mut self, wanted: u8, before: Option<u8>) {
        let wanted = usize::from(wanted).min(RUNGS - 1);
        for (rung, run) in self.0.iter_mut().enumerate() {
            let did = before.is_some_and(|before| usize::from(before) <= rung);
            if wanted <= rung {
                run.ages();
                run.turns += 1;
                run.stayed += u32::from(did);
            } else {
                run.returned += u32::from(did);
            }
        }
    }

    /// Returns for how many turns a rung is expected to do, from one on for which it does, in thousandths.
    pub(super) fn turns(&self, rung: usize) -> u64 {
        let run = self.of(rung);
        let all = u64::from(run.turns) + PRIOR;
        let ends = all.saturating_sub(u64::from(run.stayed) + PRIOR / 2);
        (all * 1000).checked_div(ends).unwrap_or(MOST_TURNS).clamp(1000, MOST_TURNS)
    }

    /// Returns the chance that a session asks for more after them.
    pub(super) fn returns(&self, rung: usize) -> PerMille {
        let run = self.of(rung);
        let ended = u64::from(run.turns.saturating_sub(run.stayed)) + 2;
        let chance = (u64::from(run.returned) * 1000 + 2 * RETURNS) / ended;
        PerMille::clamped(i64::try_from(chance).unwrap_or(1000))
    }

    fn of(&self, rung: usize) -> Run {
        self.0.get(rung.min(RUNGS - 1)).copied().unwrap_or_default()
    }
}

impl Run {
    fn ages(&mut self) {
        if self.turns >= LONG {
            (self.turns, self.stayed, self.returned) = (self.turns / 2, self.stayed / 2, self.returned / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sessions_do_outweighs_the_guess() {
        let mut runs = Runs::default();
        assert_eq!((runs.turns(0), runs.returns(0).get()), (2000, 900));
        for turn in 0..10_000u32 {
            // Nine turns alike, then one that asks for more.
            let wanted = u8::from(turn % 10 == 9);
            runs.saw(wanted, Some(u8::from(turn % 10 == 0)));
        }
        assert!((8_000..=11_000).contains(&runs.turns(0)), "{}", runs.turns(0));
        assert!(runs.returns(0).get() > 950, "every run ends with a return: {}", runs.returns(0));
        let mut single = Runs::default();
        for _ in 0..5000 {
            single.saw(0, None);
        }
        assert!(single.turns(0) < 1010 && single.returns(0).get() < 10, "nothing ever goes on");
    }

    #[test]
    fn hard_turns_in_a_row_say_nothing_of_how_long_easy_ones_go_on() {
        let mut runs = Runs::default();
        let mut before = None;
        for turn in 0..10_000u32 {
            // One easy turn, then four hard ones.
            let wanted = u8::from(turn % 5 != 0);
            runs.saw(wanted, before);
            before = Some(wanted);
        }
        assert!(runs.turns(0) < 1_050, "each easy turn is alone: {}", runs.turns(0));
        assert!(runs.returns(0).get() > 950);
        assert!(runs.turns(1) > 10_000, "the strong one would do for all of them: {}", runs.turns(1));
    }
}
