//! Words, pairs of words and runs of three to five characters of an ask, hashed into buckets: what a trained classifier reads of a text.
//!
//! Invariant: nothing is allocated, work is bounded by what [`ask`](super::ask) leaves to be read, and the same text gives the same
//! buckets in the same order on every machine.

use arrayvec::ArrayVec;

use super::ask::{self, Ask};

/// The buckets of runs of characters; words and their pairs follow.
pub const CHARACTERS: usize = 1 << 17;
/// The buckets of words and pairs of words.
pub const WORDS: usize = 1 << 16;
/// All buckets.
pub const BUCKETS: usize = CHARACTERS + WORDS;
/// How many slots tell which words are known.
pub const WORD_SLOTS: usize = 1 << 18;
/// The most bytes read, with a gap between pieces and room for a wide load.
const READ: usize = ask::HEAD + ask::TAIL + 256;
/// Beyond the text, so that eight bytes can be loaded anywhere.
const SLACK: usize = 8;

/// Which buckets have been met.
#[derive(Clone, Debug)]
pub struct Met([u64; BUCKETS / 64]);

impl Default for Met {
    fn default() -> Self {
        Self([0; BUCKETS / 64])
    }
}

impl Met {
    /// Takes a bucket in; says whether it is new.
    fn take(&mut self, bucket: u32) -> bool {
        let Some(slot) = self.0.get_mut((bucket >> 6) as usize) else { return false };
        let bit = 1u64 << (bucket & 63);
        let is_new = *slot & bit == 0;
        *slot |= bit;
        is_new
    }
}

/// How much of each kind an ask holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Distinct buckets of runs of characters.
    pub characters: u32,
    /// Distinct buckets of words and pairs.
    pub words: u32,
}

const fn mix(value: u64) -> u64 {
    let mixed = value.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// Returns the slot of a word's hash.
pub const fn word_slot(word: u64) -> u32 {
    (mix(word) >> (64 - WORD_SLOTS.ilog2())) as u32
}

/// The ask in small letters, with one blank for every run of white space.
pub(super) struct Folded(ArrayVec<u8, { READ + SLACK }>);

impl Folded {
    pub(super) fn of(ask: &Ask<'_>) -> Self {
        let mut folded = ArrayVec::<u8, { READ + SLACK }>::new();
        let mut blank = true;
        let _ = folded.try_push(b' ');
        for piece in &ask.pieces {
            for &byte in piece.as_bytes() {
                let is_blank = byte <= b' ';
                if is_blank && blank {
                    continue;
                }
                if folded.len() >= READ {
                    break;
                }
                blank = is_blank;
                let _ = folded.try_push(if is_blank { b' ' } else { byte.to_ascii_lowercase() });
            }
            if !blank && folded.len() < READ {
                let _ = folded.try_push(b' ');
                blank = true;
            }
        }
        let _ = folded.try_extend_from_slice(&[0; SLACK]);
        Self(folded)
    }

    pub(super) fn text(&self) -> &[u8] {
        self.0.get(..self.0.len().saturating_sub(SLACK)).unwrap_or(&[])
    }

    /// Gives every bucket once, in order of first sight: those of characters first.
    pub(super) fn grams(&self, met: &mut Met, mut give: impl FnMut(u32)) -> Counts {
        let mut counts = Counts::default();
        let text = self.text();
        for (at, window) in self.0.windows(SLACK).take(text.len().saturating_sub(2)).enumerate() {
            let Ok(bytes) = <[u8; SLACK]>::try_from(window) else { continue };
            let eight = u64::from_le_bytes(bytes);
            let room = text.len() - at;
            for (size, mask) in [(3, 0xFF_FFFF), (4, 0xFFFF_FFFF), (5, 0xFF_FFFF_FFFF_u64)] {
                if size > room {
                    break;
                }
                let bucket = (mix((eight & mask) | (size as u64) << 56) >> (64 - CHARACTERS.ilog2())) as u32;
                if met.take(bucket) {
                    counts.characters += 1;
                    give(bucket);
                }
            }
        }
        let mut before = None;
        self.each_word(|word| {
            for hash in [Some(word), before.map(|before: u64| mix(before ^ word.rotate_left(23)))].into_iter().flatten() {
                let bucket = CHARACTERS as u32 + (mix(hash) >> (64 - WORDS.ilog2())) as u32;
                if met.take(bucket) {
                    counts.words += 1;
                    give(bucket);
                }
            }
            before = Some(word);
        });
        counts
    }

    /// Gives the hash of every word.
    pub(super) fn each_word(&self, mut give: impl FnMut(u64)) {
        let (mut hash, mut len) = (0u64, 0u32);
        for &byte in self.text() {
            if byte.is_ascii_alphanumeric() || byte >= 0x80 {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(7);
                len += 1;
            } else if len > 0 {
                give(hash ^ u64::from(len));
                (hash, len) = (0, 0);
            }
        }
    }
}
