//! Which ids were seen, in bounded memory.
//!
//! Invariant: an id counts as seen for at least [`KEPT`] others after it. Ids are kept as 64-bit hashes: of two different
//! ones among all that are remembered, the chance to be taken for one is below one in a million millions for each new id.

use std::collections::hash_map::DefaultHasher;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use rustc_hash::FxHasher;

use crate::units::Instant;

/// How many ids a generation holds: what fits two million places of a hash table.
pub(super) const KEPT: usize = 1_835_008;

type Set = std::collections::HashSet<u64, BuildHasherDefault<FxHasher>>;

/// Ids in two generations: when the younger is full, the older is forgotten. 38 MB at most.
#[derive(Debug)]
pub(super) struct Ids {
    young: Set,
    old: Set,
    kept: usize,
}

impl Default for Ids {
    fn default() -> Self {
        Self::keeping(KEPT)
    }
}

impl Ids {
    fn keeping(kept: usize) -> Self {
        Self { young: Set::default(), old: Set::default(), kept }
    }

    /// Takes an id in; says whether it is new.
    pub(super) fn insert(&mut self, id: u64) -> bool {
        if self.old.contains(&id) || !self.young.insert(id) {
            return false;
        }
        if self.young.len() >= self.kept {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        true
    }
}

/// Says whether what stands in the place of a name is none: a word for nothing, or zeros, also those of bytes in base 64.
pub(crate) fn names_nothing(name: &str) -> bool {
    const WORDS: [&str; 8] = ["null", "none", "nil", "nan", "n/a", "undefined", "unknown", "\\n"];
    let is_word = || WORDS.iter().any(|word| name.eq_ignore_ascii_case(word));
    let is_zeros = || name.bytes().all(|byte| matches!(byte, b'0' | b'-'));
    let is_no_bytes = || {
        name.strip_suffix('=').is_some_and(|rest| rest.trim_end_matches('=').bytes().all(|byte| byte == b'A'))
    };
    // `chatcmpl-00000000..`
    let is_kind_of_zeros = || {
        name.split_once(['-', '_']).is_some_and(|(kind, rest)| {
            kind.bytes().all(|byte| byte.is_ascii_alphabetic())
                && rest.len() >= 8
                && rest.bytes().all(|byte| matches!(byte, b'0' | b'-'))
        })
    };
    is_zeros() || is_word() || is_no_bytes() || is_kind_of_zeros()
}

/// Makes an id of what names an answer; `None` where nothing does.
pub(crate) fn id_of(parts: &[&str]) -> Option<u64> {
    if parts.first().is_none_or(|first| names_nothing(first)) {
        return None;
    }
    // Made so, the hasher has no seed: the same log gives the same ids everywhere.
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    Some(hasher.finish())
}

/// Says whether a name is so long that nobody gives it twice.
pub(super) fn is_unique(name: &str) -> bool {
    name.len() >= 20
}

/// Makes an id of the name that a provider gave an answer, by which every format knows it; `None` where it is so short
/// that servers may give it again.
pub(crate) fn answer_key(name: &str) -> Option<u64> {
    if is_unique(name) { id_of(&[name, "answer", ""]) } else { None }
}

/// Makes an id of a name and a moment, faster: it is made for every line of our own format.
pub(super) fn id_at(name: &str, at: Instant, model: &str) -> u64 {
    let mut hasher = FxHasher::default();
    (name, at.0, model).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_for_as_long_as_promised_and_memory_stays() {
        let mut ids = Ids::keeping(100);
        for n in 0..1000 {
            assert!(ids.insert(n));
            for back in 0..n.min(100) {
                assert!(!ids.insert(n - back), "{n} {back}");
            }
            assert!(ids.young.len() + ids.old.len() <= 200);
        }
        assert!(ids.insert(0), "what is long gone counts as new");
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(id_of(&["ab", "c"]), id_of(&["a", "bc"]));
        assert_eq!(id_of(&["", "c"]), None);
    }

    #[test]
    fn what_names_nothing_is_no_id() {
        let zeros = [
            "0",
            "0000000000000000",
            "00000000-0000-0000-0000-000000000000",
            "AAAAAAAAAAA=",
            "AAAAAAAAAAAAAAAAAAAAAA==",
            "chatcmpl-00000000000000000000000000000000",
        ];
        for name in zeros.into_iter().chain(["", "-", "None", "null", "undefined", "N/A", "unknown"]) {
            assert_eq!(id_of(&[name, "c"]), None, "{name}");
        }
        for name in ["1", "0a", "AAAA", "QUFBQQ==", "none-1", "req-0", "00000000-0000-0000-0000-000000000001"]
        {
            assert!(id_of(&[name]).is_some(), "{name}");
        }
    }
}
