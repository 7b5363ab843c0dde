//! The lot of a request: a number drawn from whose it is, so that a share of sessions goes one way and each of them whole.
//!
//! Invariants: a lot depends on names alone, the same on every machine, live and in replay; at a larger share all that were
//! drawn before stay drawn.

use crate::units::{PerMille, UNKEYED};

/// How a log writes a request's lot, among what could not be called: `lot:5f3a9c12`.
const WORD: &str = "lot:";

/// The lot of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Lot(u32);

impl Lot {
    /// Draws the lot of a request: by its session, else by its user, else by its key, else by itself.
    pub fn of(session: &str, user: &str, key: &str, id: &str) -> Self {
        // All who come without a key bear that name: one lot for them would send everything one way.
        let key = if key == UNKEYED { "" } else { key };
        let whose = [session, user, key].into_iter().find(|name| !name.is_empty()).unwrap_or(id);
        Self((hash(whose) >> 32) as u32)
    }

    /// Says whether it is within a share that is drawn under a key of its own.
    pub fn is_within(self, key: u64, share: PerMille) -> bool {
        mixed(key ^ u64::from(self.0)) % 1000 < u64::from(share.get())
    }

    /// Puts it into one of so many groups.
    pub fn group(self, groups: u32) -> u32 {
        self.0 % groups.max(1)
    }

    /// Writes it as a log does.
    pub fn word(self) -> String {
        format!("{WORD}{:08x}", self.0)
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        let digits = word.strip_prefix(WORD).filter(|digits| digits.len() == 8)?;
        u32::from_str_radix(digits, 16).ok().map(Self)
    }
}

/// Hashes a name, eight bytes at a time.
pub(super) fn hash(name: &str) -> u64 {
    let step = |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    let (words, rest) = name.as_bytes().as_chunks::<8>();
    let hash = words.iter().fold(name.len() as u64, |hash, word| step(hash, u64::from_le_bytes(*word)));
    mixed(step(hash, rest.iter().fold(1, |word, &byte| word << 8 | u64::from(byte))))
}

/// Spreads a number (the finaliser of `SplitMix64`), so that names that differ in one letter lie far apart.
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn share(per_mille: u16) -> PerMille {
        PerMille::new(per_mille).unwrap()
    }

    #[test]
    fn lots_fall_evenly_and_apart_by_key() {
        let lots: Vec<Lot> = (0..20_000).map(|n| Lot::of(&format!("session-{n}"), "", "", "")).collect();
        let (one, other) = (hash("one"), hash("other"));
        for per_mille in [10, 50, 250, 500] {
            let drawn = lots.iter().filter(|lot| lot.is_within(one, share(per_mille))).count();
            let wanted = 20 * usize::from(per_mille);
            assert!(drawn.abs_diff(wanted) < 60 + wanted / 10, "{drawn} of 20000 at {per_mille} per mille");
        }
        let half = share(500);
        let both = lots.iter().filter(|lot| lot.is_within(one, half) && lot.is_within(other, half)).count();
        assert!((4_700..5_300).contains(&both), "{both}: what one key draws says nothing of another");
    }

    #[test]
    fn a_session_goes_before_user_key_and_request() {
        let lot = Lot::of("s", "u", "k", "1");
        assert_eq!(lot, Lot::of("s", "v", "l", "2"));
        assert_eq!(Lot::of("", "u", "k", "1"), Lot::of("", "u", "l", "2"));
        assert_eq!(Lot::of("", "", "k", "1"), Lot::of("", "", "k", "2"));
        assert_ne!(Lot::of("", "", "", "1"), Lot::of("", "", "", "2"));
    }

    /// A share of 60% of a gateway without keys was all of its traffic, and one of 40% none.
    #[test]
    fn a_share_of_what_comes_without_session_user_and_key_is_that_share_of_its_requests() {
        let lots = (0..20_000).map(|n| Lot::of("", "", UNKEYED, &format!("op-1-{n:x}")));
        let drawn = lots.filter(|lot| lot.is_within(hash("day"), share(600))).count();
        assert!((11_500..12_500).contains(&drawn), "{drawn} of 20000 at 600 per mille");
        assert_eq!(Lot::of("s", "", UNKEYED, "1"), Lot::of("s", "", UNKEYED, "2"), "a session stays whole");
    }

    #[test]
    fn a_log_made_long_ago_draws_the_same() {
        assert_eq!(Lot::of("session-1", "", "", "").word(), "lot:15e3adaa");
        assert_eq!(Lot::parse("lot:0000001f"), Some(Lot(31)));
        for word in ["lot:", "lot:1", "lot:zzzzzzzz", "gpt-4.1", "holdout:50"] {
            assert_eq!(Lot::parse(word), None, "{word}");
        }
    }

    proptest! {
        #[test]
        fn a_larger_share_only_adds(session in ".*", key in any::<u64>(), one in 0u16..=1000, other in 0u16..=1000) {
            let lot = Lot::of(&session, "", "", "id");
            let (less, more) = (share(one.min(other)), share(one.max(other)));
            prop_assert!(!lot.is_within(key, less) || lot.is_within(key, more));
            prop_assert!(!lot.is_within(key, PerMille::ZERO) && lot.is_within(key, PerMille::ONE));
            prop_assert_eq!(Lot::parse(&lot.word()), Some(lot));
        }
    }
}
