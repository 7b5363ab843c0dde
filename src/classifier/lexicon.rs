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
const STARTS_PAIR: u16 = 0x100;
/// Stands for a word that only starts a pair and counts for nothing alone.
const NO_FEATURE: u16 = 0xff;

/// A word's hash in that of the whole lexicon (FNV-1a over lower-case bytes).
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

/// A word as it is looked up: eight bytes at a time, in small letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spelling(u64);

impl Spelling {
    pub(super) const START: Self = Self(0);

    /// Adds eight bytes, the first of them lowest; zeros behind the end.
    pub(super) const fn with(self, eight: u64) -> Self {
        let mixed = (self.0.rotate_left(23) ^ eight).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self(mixed ^ (mixed >> 32))
    }

    pub(super) fn of(word: &[u8]) -> Self {
        let pack = |eight: &[u8]| {
            eight.iter().rev().fold(0, |all, byte| all << 8 | u64::from(byte.to_ascii_lowercase()))
        };
        word.chunks(8).fold(Self::START, |spelling, eight| spelling.with(pack(eight)))
    }

    pub(super) const fn then(self, next: Self) -> Self {
        Self((self.0.rotate_left(5) ^ next.0).wrapping_mul(PRIME))
    }
}

/// What the lexicon knows of a word: the feature that it counts for, and whether a pair of words may start with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found(u16);

impl Found {
    const NOTHING: Self = Self(NO_FEATURE);

    /// Returns the feature that the word counts for; a word that merely starts a pair has none.
    pub(super) fn feature(self) -> Option<FeatureId> {
        u8::try_from(self.0 & 0xff).ok().filter(|_| self.counts()).map(FeatureId)
    }

    /// Says whether the word counts for a feature.
    pub(super) const fn counts(self) -> bool {
        self.0 & 0xff != NO_FEATURE
    }

    /// Says whether it counts for this feature.
    pub(super) const fn is(self, feature: FeatureId) -> bool {
        self.0 & 0xff == feature.0 as u16
    }

    /// Says whether a pair of words may start here.
    pub(super) const fn starts_pair(self) -> bool {
        self.0 & STARTS_PAIR != 0
    }
}

/// Words and pairs of words, each with the feature it counts for.
#[derive(Clone, Debug)]
pub(super) struct Lexicon {
    tags: Box<[u32; SLOTS]>,
    values: Box<[Found; SLOTS]>,
    words: Vec<(u64, u8)>,
}

impl Default for Lexicon {
    fn default() -> Self {
        Self { tags: Box::new([0; SLOTS]), values: Box::new([Found::NOTHING; SLOTS]), words: Vec::new() }
    }
}

fn place(hash: Spelling) -> (usize, u32) {
    let mixed = hash.0 ^ (hash.0 >> 29);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits choose the slot, the high half is the tag"
    )]
    let (slot, tag) = (mixed as usize % SLOTS, (hash.0 >> 32) as u32);
    (slot, tag)
}

impl Lexicon {
    /// Finds a word or a pair; two slots are looked at before any branch, for whether a word is known cannot be foretold.
    pub(super) fn find(&self, hash: Spelling) -> Found {
        let (slot, tag) = place(hash);
        let at = |slot: usize| {
            let (held, value) = (self.tags.get(slot % SLOTS), self.values.get(slot % SLOTS));
            (held == Some(&tag), value.copied().unwrap_or(Found::NOTHING))
        };
        let ((is_first, first), (is_next, next)) = (at(slot), at(slot + 1));
        if is_first || is_next || first == Found::NOTHING || next == Found::NOTHING {
            let other = if is_next { next } else { Found::NOTHING };
            return if is_first { first } else { other };
        }
        let farther = (2..SLOTS).map(|step| at(slot + step));
        let mut farther = farther.take_while(|(_, value)| *value != Found::NOTHING);
        farther.find(|(is_it, _)| *is_it).map_or(Found::NOTHING, |(_, value)| value)
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
        let start = Spelling::of(first.as_bytes());
        let whole = second.map_or(start, |second| start.then(Spelling::of(second.as_bytes())));
        if self.words.iter().any(|&(known, _)| known == hash.0) {
            return Err("stands in the lexicon twice");
        }
        self.words.push((hash.0, feature.0));
        self.put(whole, |value| (value & !0xff) | u16::from(feature.0));
        if second.is_some() {
            self.put(start, |value| value | STARTS_PAIR);
        }
        Ok(())
    }

    fn put(&mut self, hash: Spelling, change: impl FnOnce(u16) -> u16) {
        let (mut slot, tag) = place(hash);
        for _ in 0..SLOTS {
            let (Some(value), Some(held)) = (self.values.get_mut(slot), self.tags.get_mut(slot)) else {
                return;
            };
            if *value == Found::NOTHING {
                *held = tag;
                *value = Found(change(NO_FEATURE));
                return;
            }
            if *held == tag {
                *value = Found(change(value.0));
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
        let find = |word: &str| lexicon.find(Spelling::of(word.as_bytes()));
        assert_eq!(find("PrOvE").feature(), Some(FeatureId::ASKS_PROVE));
        assert_eq!(find("übersetze").feature(), Some(FeatureId::ASKS_TRANSLATE));
        assert!(find("by").starts_pair() && !find("by").counts());
        assert_eq!(find("step"), Found::NOTHING);
        let pair = Spelling::of(b"by").then(Spelling::of(b"step"));
        assert_eq!(lexicon.find(pair).feature(), Some(FeatureId::ASKS_STEPS));
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
            let found = lexicon.find(Spelling::of(word(n).as_bytes()));
            assert_eq!(found.feature(), Some(FeatureId(u8::try_from(n % 50).unwrap())), "{}", word(n));
        }
    }
}
