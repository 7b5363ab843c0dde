//! What the surface of an ask shows, in small whole numbers: the shallow trees of a trained classifier look at these.
//!
//! Invariant: a number's place and meaning change only together with [`SURFACE_VERSION`].

use super::Measures;
use super::feature::{FEATURES, Features};
use super::grams::{Folded, count};
use super::logistic::log2_milli;

/// The version of the meaning of all surface numbers; a trained classifier names the one it was made for.
pub const SURFACE_VERSION: u32 = 1;
/// The numbers beside the features.
const OWN: usize = 20;
/// How many numbers there are.
pub const SURFACE: usize = OWN + FEATURES;

/// The surface of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surface([i16; SURFACE]);

impl Surface {
    /// Nothing at all.
    pub(super) const EMPTY: Self = Self([0; SURFACE]);

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
        let (text, words) = (folded.text(), &folded.words);
        let mut all = [0i16; SURFACE];
        let whole = u64::try_from(text.len()).unwrap_or(u64::MAX).max(1);
        let share = |part: u32| u64::from(part) * 1000 / whole;
        let log = |count: u32| log2_milli(u64::from(count) + 1);
        let (many, stops) = (words.count, count(text, |byte| matches!(byte, b'.' | b'?' | b'!' | b';')));
        let own: [u64; OWN] = [
            log2_milli(bytes as u64),
            log(many),
            u64::from(count(text, |byte| matches!(byte, b'a'..=b'z' | 0x80..))) * 100
                / u64::from(many.max(1)),
            log(words.longest),
            log(words.numbers),
            u64::from(words.longest_number),
            log(count(text, |byte| matches!(byte, b','))),
            log(count(text, |byte| matches!(byte, b'"' | b'\''))),
            u64::from(count(text, |byte| matches!(byte, b'_'))),
            u64::from(count(text, |byte| matches!(byte, b'(' | b'[' | b'{'))),
            log(stops),
            u64::from(many) * 100 / u64::from(stops + 1),
            share(count(text, |byte| matches!(byte, b'+' | b'=' | b'*' | b'/' | b'^' | b'<' | b'>'))),
            share(count(text, |byte: u8| byte.is_ascii_digit())),
            u64::from(words.opening),
            u64::from(words.asking),
            last(text),
            u64::from(measures.tools.unwrap_or(0)),
            u64::from(count(text, |byte| matches!(byte, b'\\'))),
            u64::from(count(text, |byte| matches!(byte, b'%' | b'$'))),
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

/// Returns what kind of byte an ask ends on.
fn last(text: &[u8]) -> u64 {
    match text.trim_ascii_end().last() {
        Some(b'?') => 1,
        Some(b'.') => 2,
        Some(b':') => 3,
        Some(b'0'..=b'9') => 4,
        Some(b'"' | b'\'' | b'`') => 5,
        _ => 0,
    }
}
