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
        let (counts, words) = (Counted::of(folded.text()), &folded.words);
        let mut all = [0i16; SURFACE];
        let whole = u64::try_from(folded.text().len()).unwrap_or(u64::MAX).max(1);
        let share = |part: u32| u64::from(part) * 1000 / whole;
        let log = |count: u32| log2_milli(u64::from(count) + 1);
        let (many, stops) = (words.count(), counts.get(Kind::Stop));
        let own: [u64; OWN] = [
            log2_milli(bytes as u64),
            log(many),
            u64::from(counts.get(Kind::Letter)) * 100 / u64::from(many.max(1)),
            log(words.longest),
            log(words.numbers),
            u64::from(words.longest_number),
            log(counts.get(Kind::Comma)),
            log(counts.get(Kind::Quote)),
            u64::from(counts.get(Kind::Gap)),
            u64::from(counts.get(Kind::Bracket)),
            log(stops),
            u64::from(many) * 100 / u64::from(stops + 1),
            share(counts.get(Kind::Operator)),
            share(counts.get(Kind::Digit)),
            u64::from(words.opening),
            u64::from(words.asking),
            last(folded.text()),
            u64::from(measures.tools.unwrap_or(0)),
            u64::from(counts.get(Kind::Backslash)),
            u64::from(counts.get(Kind::Percent)),
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

/// What a byte counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Other,
    Letter,
    Digit,
    Comma,
    Quote,
    Bracket,
    Stop,
    Operator,
    Backslash,
    Percent,
    Gap,
}

const KINDS: [Kind; 256] = {
    let mut table = [Kind::Other; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = match byte {
            b'a'..=b'z' | 0x80.. => Kind::Letter,
            b'0'..=b'9' => Kind::Digit,
            b',' => Kind::Comma,
            b'"' | b'\'' => Kind::Quote,
            b'(' | b'[' | b'{' => Kind::Bracket,
            b'.' | b'?' | b'!' | b';' => Kind::Stop,
            b'+' | b'=' | b'*' | b'/' | b'^' | b'<' | b'>' => Kind::Operator,
            b'\\' => Kind::Backslash,
            b'%' | b'$' => Kind::Percent,
            b'_' => Kind::Gap,
            _ => Kind::Other,
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// Room for every kind, so that no kind is out of bounds.
const KINDS_HELD: usize = 16;

/// How many bytes there are of each kind.
struct Counted([u32; KINDS_HELD]);

impl Counted {
    fn of(text: &[u8]) -> Self {
        // Four tables in turn: a count need not wait for the one just before it, which is mostly of the same kind.
        let mut tables = [[0u32; KINDS_HELD]; 4];
        for four in text.chunks(4) {
            for (table, &byte) in tables.iter_mut().zip(four) {
                let kind = KINDS.get(usize::from(byte)).copied().unwrap_or(Kind::Other);
                if let Some(count) = table.get_mut(kind as usize) {
                    *count += 1;
                }
            }
        }
        Self(std::array::from_fn(|kind| tables.iter().filter_map(|table| table.get(kind)).sum()))
    }

    fn get(&self, kind: Kind) -> u32 {
        self.0.get(kind as usize).copied().unwrap_or(0)
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
