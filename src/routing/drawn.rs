//! How a holdout draws requests: a share of sessions, so that what routing saves can be measured.
//!
//! Invariants: a session is drawn whole, by its name alone; how a request was drawn is kept with it, on either side, so that a
//! replay decides the same and whoever compares knows the chance of it.

use super::{Lot, PolicyError};
use crate::units::PerMille;

/// How a request was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Drawn {
    /// Whether it is held out.
    pub held: bool,
    /// The share of sessions that are.
    pub share: PerMille,
}

const HELD: &str = "holdout:";
const ROUTED: &str = "routed:";

impl Drawn {
    /// Draws a session by its name.
    pub fn draw(session: &str, share: PerMille) -> Self {
        Self { held: lot("", session) < u64::from(share.get()), share }
    }

    /// Writes it as a log does, among what could not be called: `holdout:50`, `routed:50`.
    pub fn word(self) -> String {
        format!("{}{}", if self.held { HELD } else { ROUTED }, self.share.get())
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        let (held, share) = match (word.strip_prefix(HELD), word.strip_prefix(ROUTED)) {
            (Some(share), _) => (true, share),
            (_, Some(share)) => (false, share),
            _ => return None,
        };
        let share = share.parse().ok().and_then(PerMille::new)?;
        Some(Self { held, share })
    }
}

/// Draws a number from 0 to 999 by a name; each purpose draws independently of the others.
pub(super) fn lot(purpose: &str, name: &str) -> u64 {
    let with = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let hash = name.bytes().fold(purpose.bytes().fold(0xcbf2_9ce4_8422_2325, with), with);
    // Names that differ in their last digit alone are spread as well (the finaliser of `SplitMix64`).
    let mut mixed = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    mixed % 1000
}

/// Reads the share of sessions that a route holds out: one of nobody or of everybody measures nothing.
pub(super) fn held_out(share: i64, field: &str) -> Result<PerMille, PolicyError> {
    let share = u16::try_from(share).ok().filter(|share| (1..1000).contains(share)).and_then(PerMille::new);
    let problem = "is a share of sessions in per mille, 1 to 999; leave it out to hold nobody out";
    share.ok_or_else(|| PolicyError { field: field.to_owned(), problem: problem.into() })
}

/// Says whether a word among what could not be called tells how a request was drawn, by a holdout or for a canary.
pub fn is_lot(word: &str) -> bool {
    Drawn::parse(word).is_some() || Lot::parse(word).is_some()
}

/// What changes may cost is a share, and of use only where changes are weighed.
pub(super) fn capped(cap: i64, minds_caches: bool, field: &str) -> Result<PerMille, PolicyError> {
    if !minds_caches {
        let problem = "caps what changes of a session's model cost; it needs cache = \"aware\" beside it";
        return Err(PolicyError { field: field.to_owned(), problem: problem.into() });
    }
    let problem = "is a share of what never changing costs, in per mille, 0 to 1000";
    let cap = u16::try_from(cap).ok().and_then(PerMille::new);
    cap.ok_or_else(|| PolicyError { field: field.to_owned(), problem: problem.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_sessions_is_drawn_and_each_of_them_whole() {
        let share = PerMille::new(50).unwrap();
        let held = (0..20_000).filter(|n| Drawn::draw(&format!("session-{n}"), share).held).count();
        assert!((850..=1150).contains(&held), "{held} of 20000 at 50 per mille");
        assert_eq!(Drawn::draw("one", share), Drawn::draw("one", share));
        assert!(!Drawn::draw("one", PerMille::ZERO).held && Drawn::draw("one", PerMille::ONE).held);
    }

    #[test]
    fn what_a_log_writes_is_read_again_and_models_are_none_of_it() {
        for held in [true, false] {
            let drawn = Drawn { held, share: PerMille::new(50).unwrap() };
            assert_eq!(Drawn::parse(&drawn.word()), Some(drawn));
        }
        for word in ["gpt-4.1", "holdout:", "holdout:1001", "routed:x", "full:gpt-4.1"] {
            assert_eq!(Drawn::parse(word), None, "{word}");
        }
    }
}
