//! The words that say what is asked, found by hash in one probe and without copying the text.
//!
//! Invariant: lookup is blind to ASCII case; no two words of a lexicon share a hash (a lexicon that had such would be refused).

use super::FeatureId;

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
/// The slots of the table; half may be filled, which keeps probes short.
const SLOTS: usize = 4096;
/// The most words and pairs of words.
pub(super) const MOST_WORDS: usize = SLOTS / 2;
const EMPTY: u16 = u16::MAX;
const STARTS_PAIR: u16 = 0x100;
/// Stands for a word that only starts a pair and counts for nothing alone.
const NO_FEATURE: u16 = 0xff;

/// A word's hash while it is read (FNV-1a over lower-case bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WordHash(u64);

impl WordHash {
    pub(super) const START: Self = Self(OFFSET);

    pub(super) const fn with(self, byte: u8) -> Self {
        Self((self.0 ^ byte.to_ascii_lowercase() as u64).wrapping_mul(PRIME))
    }

    pub(super) fn of(word: &[u8]) -> Self {
        word.iter().fold(Self::START, |hash, &byte| hash.with(byte))
    }

    pub(super) const fn then(self, next: Self) -> Self {
        Self((self.0.rotate_left(5) ^ next.0).wrapping_mul(PRIME))
    }

    pub(super) const fn get(self) -> u64 {
        self.0
    }
}

/// What the lexicon knows of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The feature the word counts for; a word that merely starts a pair has none.
    pub(super) feature: Option<FeatureId>,
    /// Whether a pair of words may start here.
    pub(super) starts_pair: bool,
}

/// Words and pairs of words, each with the feature it counts for.
#[derive(Clone, Debug)]
pub(super) struct Lexicon {
    tags: Box<[u32]>,
    values: Box<[u16]>,
    words: Vec<(u64, u8)>,
}

impl Default for Lexicon {
    fn default() -> Self {
        Self { tags: vec![0; SLOTS].into(), values: vec![EMPTY; SLOTS].into(), words: Vec::new() }
    }
}

fn place(hash: WordHash) -> (usize, u32) {
    let mixed = hash.0 ^ (hash.0 >> 29);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits choose the slot, the high half is the tag"
    )]
    let (slot, tag) = (mixed as usize % SLOTS, (hash.0 >> 32) as u32);
    (slot, tag)
}

impl Lexicon {
    /// Finds a word or a pair.
    pub(super) fn find(&self, hash: WordHash) -> Option<Found> {
        let (mut slot, tag) = place(hash);
        for _ in 0..SLOTS {
            let value = *self.values.get(slot)?;
            if value == EMPTY {
                return None;
            }
            if self.tags.get(slot) == Some(&tag) {
                let feature =
                    u8::try_from(value & 0xff).ok().filter(|&f| u16::from(f) != NO_FEATURE).map(FeatureId);
                return Some(Found { feature, starts_pair: value & STARTS_PAIR != 0 });
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    /// Adds a word, or two words parted by a space. Refuses what could never be found and what is there already.
    pub(super) fn add(&mut self, entry: &str, feature: FeatureId) -> Result<(), &'static str> {
        if self.words.len() >= MOST_WORDS {
            return Err("the lexicon is full");
        }
        let mut parts = entry.split(' ');
        let (first, second) = (parts.next().unwrap_or(""), parts.next());
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b >= 0x80);
        if !is_word(first) || !second.is_none_or(is_word) || parts.next().is_some() {
            return Err("write one or two lower-case words without digits or signs");
        }
        let head = WordHash::of(first.as_bytes());
        let hash = second.map_or(head, |second| head.then(WordHash::of(second.as_bytes())));
        if self.words.iter().any(|&(known, _)| known == hash.0) {
            return Err("stands in the lexicon twice");
        }
        self.words.push((hash.0, feature.0));
        self.put(hash, |value| (value & !0xff) | u16::from(feature.0));
        if second.is_some() {
            self.put(head, |value| value | STARTS_PAIR);
        }
        Ok(())
    }

    fn put(&mut self, hash: WordHash, change: impl FnOnce(u16) -> u16) {
        let (mut slot, tag) = place(hash);
        for _ in 0..SLOTS {
            let (Some(value), Some(held)) = (self.values.get_mut(slot), self.tags.get_mut(slot)) else {
                return;
            };
            if *value == EMPTY {
                *held = tag;
                *value = change(NO_FEATURE);
                return;
            }
            if *held == tag {
                *value = change(*value);
                return;
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// Lists hash and feature of every entry, sorted, whatever the order they came in.
    pub(super) fn sorted(&self) -> Vec<(u64, u8)> {
        let mut words = self.words.clone();
        words.sort_unstable();
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_any_case_and_pairs_only_together() {
        let mut lexicon = Lexicon::default();
        lexicon.add("prove", FeatureId::ASKS_PROVE).unwrap();
        lexicon.add("by step", FeatureId::ASKS_STEPS).unwrap();
        lexicon.add("übersetze", FeatureId::ASKS_TRANSLATE).unwrap();
        let find = |word: &str| lexicon.find(WordHash::of(word.as_bytes()));
        assert_eq!(find("PrOvE").unwrap().feature, Some(FeatureId::ASKS_PROVE));
        assert_eq!(find("übersetze").unwrap().feature, Some(FeatureId::ASKS_TRANSLATE));
        assert_eq!(find("by"), Some(Found { feature: None, starts_pair: true }));
        assert_eq!(find("step"), None);
        let pair = WordHash::of(b"by").then(WordHash::of(b"step"));
        assert_eq!(lexicon.find(pair).unwrap().feature, Some(FeatureId::ASKS_STEPS));
    }

    #[test]
    fn refuses_what_could_never_be_found() {
        let mut lexicon = Lexicon::default();
        lexicon.add("prove", FeatureId::ASKS_PROVE).unwrap();
        for bad in ["", " ", "Prove", "two  words", "one two three", "co-op", "utf8", "prove"] {
            assert!(lexicon.add(bad, FeatureId::COMMON).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_full_lexicon_still_finds_every_word() {
        let mut lexicon = Lexicon::default();
        let word = |n: usize| -> String {
            (0..4).map(|i| char::from(b'a' + u8::try_from(n / 26usize.pow(i) % 26).unwrap())).collect()
        };
        for n in 0..MOST_WORDS {
            lexicon.add(&word(n), FeatureId(u8::try_from(n % 50).unwrap())).unwrap();
        }
        assert!(lexicon.add("overflowing", FeatureId::COMMON).is_err());
        for n in 0..MOST_WORDS {
            let found = lexicon.find(WordHash::of(word(n).as_bytes())).unwrap();
            assert_eq!(found.feature, Some(FeatureId(u8::try_from(n % 50).unwrap())), "{}", word(n));
        }
    }
}
