//! What the surface of an ask shows, in small whole numbers: the shallow trees of a trained classifier look at these.
//!
//! Invariant: a number's place and meaning change only together with [`SURFACE_VERSION`].

use super::Measures;
use super::feature::{FEATURES, Features};
use super::grams::Folded;
use super::logistic::log2_milli;

/// The version of the meaning of all surface numbers; a trained classifier names the one it was made for.
pub const SURFACE_VERSION: u32 = 1;
/// The numbers beside the features.
const OWN: usize = 20;
/// How many numbers there are.
pub const SURFACE: usize = OWN + FEATURES;

/// The first words that ask.
const QUESTION_WORDS: [&[u8]; 16] = [
    b"what", b"which", b"who", b"when", b"where", b"why", b"how", b"is", b"are", b"does", b"do", b"can", b"find", b"write", b"given", b"if",
];

/// The surface of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surface([i16; SURFACE]);

impl Surface {
    /// Returns the number at a place.
    pub fn get(&self, at: usize) -> i16 {
        self.0.get(at).copied().unwrap_or(0)
    }

    /// Lists all numbers.
    pub fn values(&self) -> &[i16] {
        &self.0
    }

    /// Measures an ask; its features have been found before.
    pub(super) fn of(folded: &Folded, bytes: usize, features: &Features, measures: &Measures) -> Self {
        let counts = Counted::of(folded.text());
        let mut all = [0i16; SURFACE];
        let per = |part: u32, whole: u32| u64::from(part) * 1000 / u64::from(whole.max(1));
        let log = |count: u32| log2_milli(u64::from(count) + 1);
        let own: [u64; OWN] = [
            log2_milli(bytes as u64),
            log(counts.words),
            u64::from(counts.letters) * 100 / u64::from(counts.words.max(1)),
            log(counts.longest),
            log(counts.numbers),
            u64::from(counts.digits_most),
            log(counts.commas),
            log(counts.quotes),
            u64::from(counts.gaps),
            u64::from(counts.brackets),
            log(counts.stops),
            per(counts.words, counts.stops + 1) / 10,
            per(counts.operators, counts.all),
            per(counts.digits, counts.all),
            u64::from(counts.opening),
            u64::from(counts.asking),
            u64::from(counts.last),
            u64::from(measures.tools.unwrap_or(0)),
            u64::from(counts.backslashes),
            u64::from(counts.percents),
        ];
        for (slot, value) in all.iter_mut().zip(own) {
            *slot = i16::try_from(value).unwrap_or(i16::MAX);
        }
        for (slot, value) in all.iter_mut().skip(OWN).zip(features.values()) {
            *slot = i16::try_from(value).unwrap_or(i16::MAX);
        }
        Self(all)
    }
}

/// Counts of one pass.
#[derive(Default)]
struct Counted {
    all: u32,
    words: u32,
    letters: u32,
    longest: u32,
    numbers: u32,
    digits: u32,
    digits_most: u32,
    commas: u32,
    quotes: u32,
    gaps: u32,
    brackets: u32,
    stops: u32,
    operators: u32,
    backslashes: u32,
    percents: u32,
    /// The first word of the ask, where it is one that asks; from 1.
    opening: u32,
    /// How many words that ask stand in it.
    asking: u32,
    /// What the ask ends on.
    last: u32,
}

impl Counted {
    fn of(text: &[u8]) -> Self {
        let mut counted = Self { all: u32::try_from(text.len()).unwrap_or(u32::MAX), ..Self::default() };
        let (mut start, mut run_of_digits, mut gap) = (None, 0u32, false);
        for (at, &byte) in text.iter().enumerate() {
            let is_letter = byte.is_ascii_lowercase() || byte >= 0x80;
            if is_letter {
                start = start.or(Some(at));
            } else if let Some(from) = start.take() {
                counted.word(text.get(from..at).unwrap_or(&[]));
            }
            if byte.is_ascii_digit() {
                run_of_digits += 1;
                counted.digits += 1;
                counted.numbers += u32::from(run_of_digits == 1);
                counted.digits_most = counted.digits_most.max(run_of_digits);
            } else {
                run_of_digits = 0;
            }
            counted.gaps += u32::from(byte == b'_' && !gap);
            gap = byte == b'_';
            match byte {
                b',' => counted.commas += 1,
                b'"' | b'\'' => counted.quotes += 1,
                b'(' | b'[' | b'{' => counted.brackets += 1,
                b'.' | b'?' | b'!' | b';' => counted.stops += 1,
                b'+' | b'=' | b'*' | b'/' | b'^' | b'<' | b'>' => counted.operators += 1,
                b'\\' => counted.backslashes += 1,
                b'%' | b'$' => counted.percents += 1,
                _ => {}
            }
        }
        counted.last = match text.trim_ascii_end().last() {
            Some(b'?') => 1,
            Some(b'.') => 2,
            Some(b':') => 3,
            Some(b'0'..=b'9') => 4,
            Some(b'"' | b'\'' | b'`') => 5,
            _ => 0,
        };
        counted
    }

    fn word(&mut self, word: &[u8]) {
        let len = u32::try_from(word.len()).unwrap_or(u32::MAX);
        self.words += 1;
        self.letters = self.letters.saturating_add(len);
        self.longest = self.longest.max(len);
        if len <= 5
            && let Some(at) = QUESTION_WORDS.iter().position(|asks| *asks == word)
        {
            self.asking += 1;
            if self.words == 1 {
                self.opening = u32::try_from(at).unwrap_or(0) + 1;
            }
        }
    }
}
