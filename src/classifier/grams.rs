//! Words, pairs of words and runs of three to five characters of an ask, hashed into buckets: what a trained classifier reads of a text.
//!
//! Invariant: nothing is allocated, work is bounded by what [`ask`](super::ask) leaves to be read, and the same text gives the same
//! buckets in the same order on every machine.

use arrayvec::ArrayVec;

use super::ask::Ask;

/// The buckets of runs of characters; words and their pairs follow.
pub const CHARACTERS: usize = 1 << 15;
/// The buckets of words and pairs of words.
pub const WORDS: usize = 1 << 17;
/// Those of weights that were trained when there were fewer, and line ends were blanks: each holds all whose numbers begin alike.
pub const WORDS_BEFORE: usize = 1 << 15;
/// All buckets.
pub const BUCKETS: usize = CHARACTERS + WORDS;
/// One of them.
pub type Bucket = u32;
/// How many slots tell which words are known.
pub const WORD_SLOTS: usize = 1 << 18;
/// The bytes read at each end of an ask.
const END: usize = 2048;
/// The most bytes read, with blanks between pieces.
const READ: usize = 2 * END + 256;
/// Beyond the text, so that eight bytes can be loaded anywhere.
const SLACK: usize = 8;
/// The bytes whose words are found at a time.
const BLOCK: usize = 64;
/// Room for the text and what is beyond it, in whole blocks.
const HELD: usize = (READ + SLACK).next_multiple_of(BLOCK);
/// Stands for the weight of a bucket that has been met: no weight is as low.
pub(super) const MET: i8 = i8::MIN;
/// The most words that are read; a text of nothing but short words has fewer.
const MOST_WORDS: usize = READ / 4;
const CHARACTER_SHIFT: u32 = u64::BITS - CHARACTERS.ilog2();
const WORD_SHIFT: u32 = u64::BITS - WORDS.ilog2();

/// Where what is met again is counted, above sums of weights.
const AGAIN_SHIFT: u32 = 32;

/// What each weight adds, so that what is new and what is met again are summed up in one step without a branch, half of which would be
/// foretold wrongly.
const WORTH: [i64; 256] = {
    let (mut worth, mut weight) = ([1 << AGAIN_SHIFT; 256], MET + 1);
    loop {
        worth[weight.cast_unsigned() as usize] = weight as i64;
        if weight == i8::MAX {
            break worth;
        }
        weight += 1;
    }
};

/// Which buckets have been met.
#[derive(Clone, Debug)]
pub struct Met([u64; BUCKETS / 64]);

impl Default for Met {
    #[expect(
        clippy::large_stack_arrays,
        reason = "of 20 KiB, cleared for each ask; on the heap it would be made for each"
    )]
    fn default() -> Self {
        Self([0; BUCKETS / 64])
    }
}

impl Met {
    /// Takes a bucket in; says whether it is new.
    fn take(&mut self, bucket: usize) -> bool {
        let Some(slot) = self.0.get_mut(bucket / 64) else { return false };
        let bit = 1u64 << (bucket % 64);
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

/// An odd number whose multiples spread over the upper bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

const fn mix(value: u64) -> u64 {
    let mixed = value.wrapping_mul(SPREAD);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// Returns the slot of a word's hash.
#[expect(clippy::cast_possible_truncation, reason = "eighteen bits are left")]
pub const fn word_slot(word: u64) -> u32 {
    (mix(word) >> (64 - WORD_SLOTS.ilog2())) as u32
}

/// Says whether a byte is part of a word.
const fn is_inside(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

/// What the words of an ask are like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    /// How many there are.
    pub(super) count: u32,
    /// The bytes of the longest.
    pub(super) longest: u32,
    /// How many begin with a digit, and the bytes of the longest of them.
    pub(super) numbers: u32,
    pub(super) longest_number: u32,
    /// How many ask, and the number of the first word, where it does.
    pub(super) asking: u32,
    pub(super) opening: u32,
}

impl Words {
    const NONE: Self = Self { count: 0, longest: 0, numbers: 0, longest_number: 0, asking: 0, opening: 0 };

    /// Takes a word in, whose first eight bytes are given with what follows it; returns its hash.
    fn take(&mut self, eight: u64, word: &[u8]) -> u64 {
        let len = u32::try_from(word.len()).unwrap_or(u32::MAX);
        let first = if len < 8 { eight & ((1 << (len * 8)) - 1) } else { eight };
        let mut hash = mix(first ^ u64::from(len) << 56);
        for more in word.get(SLACK..).unwrap_or_default().chunks(SLACK) {
            let packed = more.iter().fold(0, |packed, &byte| packed << 8 | u64::from(byte));
            hash = mix(hash ^ packed);
        }
        self.longest = self.longest.max(len);
        let number = u32::from(word.first().is_some_and(u8::is_ascii_digit));
        self.numbers += number;
        self.longest_number = self.longest_number.max(len * number);
        let asks = asks(first);
        self.asking += u32::from(asks > 0);
        if self.count == 0 {
            self.opening = asks;
        }
        self.count += 1;
        hash
    }
}

const fn short(word: &str) -> u64 {
    let (bytes, mut packed, mut at) = (word.as_bytes(), 0, word.len());
    while at > 0 {
        at -= 1;
        packed = packed << 8 | bytes[at] as u64;
    }
    packed
}

/// The words that ask, packed.
const ASKS: [u64; 16] = [
    short("what"),
    short("which"),
    short("who"),
    short("when"),
    short("where"),
    short("why"),
    short("how"),
    short("is"),
    short("are"),
    short("does"),
    short("do"),
    short("can"),
    short("find"),
    short("write"),
    short("given"),
    short("if"),
];

/// Slots of the table of words that ask.
const ASK_SLOTS: usize = 64;

/// Returns the slot of a packed word; the factor is one that gives every word that asks a slot of its own.
#[expect(clippy::cast_possible_truncation, reason = "six bits are left")]
const fn ask_slot(packed: u64, factor: u64) -> usize {
    (packed.wrapping_mul(factor) >> (u64::BITS - ASK_SLOTS.ilog2())) as usize
}

/// The factor, and by slot the number of the word that asks, from 1.
const ASK_TABLE: (u64, [u8; ASK_SLOTS]) = {
    let mut factor = SPREAD;
    'factors: loop {
        let (mut table, mut word) = ([0u8; ASK_SLOTS], 0u8);
        while (word as usize) < ASKS.len() {
            let slot = ask_slot(ASKS[word as usize], factor);
            if table[slot] != 0 {
                factor = factor.wrapping_mul(SPREAD);
                continue 'factors;
            }
            word += 1;
            table[slot] = word;
        }
        break (factor, table);
    }
};

/// Returns the number of a word that asks, from 1; 0 for any other.
fn asks(packed: u64) -> u32 {
    let number = ASK_TABLE.1.get(ask_slot(packed, ASK_TABLE.0)).copied().unwrap_or(0);
    let is_it = ASKS.get(usize::from(number).wrapping_sub(1)) == Some(&packed);
    u32::from(number) * u32::from(is_it)
}

/// Counts those of which something holds; so few at a time that a byte can count them, sixteen bytes in one step.
pub(super) fn count<T: Copy>(all: &[T], holds: impl Fn(T) -> bool) -> u32 {
    let some = |some: &[T]| u32::from(some.iter().map(|&one| u8::from(holds(one))).sum::<u8>());
    all.chunks(240).map(some).sum()
}

/// Returns a bit for each byte that is part of a word.
fn inside(bytes: &[u8; BLOCK]) -> u64 {
    let mut flags = [0u8; BLOCK];
    for (flag, &byte) in flags.iter_mut().zip(bytes) {
        *flag = u8::from(is_inside(byte));
    }
    // The lowest bits of eight bytes, moved side by side into the uppermost one.
    let bits = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    (0u32..).step_by(8).zip(flags.as_chunks().0).fold(0, |all, (at, eight)| all | bits(eight) << at)
}

/// The ask in small letters, with a blank for every control character but line ends.
pub(super) struct Folded {
    text: [u8; HELD],
    len: usize,
    hashes: ArrayVec<u64, MOST_WORDS>,
    pub(super) words: Words,
}

impl Folded {
    /// Starts empty.
    pub(super) const fn new() -> Self {
        Self { text: [0; HELD], len: 0, hashes: ArrayVec::new_const(), words: Words::NONE }
    }

    /// Reads an ask, with a byte for the ends of its lines; where it is large it is better not moved afterwards.
    pub(super) fn read(&mut self, ask: &Ask<'_>, line_end: u8) {
        self.put(b' ');
        let (mut from, tail) = (0, ask.read.saturating_sub(END));
        for piece in &ask.pieces {
            let bytes = piece.as_bytes();
            let head = END.saturating_sub(from).min(bytes.len());
            let rest = tail.saturating_sub(from).clamp(head, bytes.len());
            for end in
                [bytes.get(..head), bytes.get(rest..)].into_iter().flatten().filter(|end| !end.is_empty())
            {
                self.take(end, line_end);
                if rest > head {
                    self.put(b' ');
                }
            }
            self.put(b' ');
            from += bytes.len();
        }
        self.find_words();
    }

    /// Writes a byte at the end; a blank behind a blank or the end of a line is written over it.
    fn put(&mut self, byte: u8) {
        let after_blank = matches!(self.text.get(self.len.wrapping_sub(1)), Some(b' ' | b'\n'));
        let at = self.len - usize::from(byte == b' ' && after_blank);
        if let Some(slot) = self.text.get_mut(at).filter(|_| at < READ) {
            *slot = byte;
            self.len = at + 1;
        }
    }

    /// Writes a piece behind what is there; eight or more bytes at a time, for nothing in it depends on its neighbours.
    fn take(&mut self, piece: &[u8], line_end: u8) {
        let room = self.text.get_mut(self.len..READ).unwrap_or_default();
        let count = room.len().min(piece.len());
        for (slot, &byte) in room.iter_mut().zip(piece) {
            let small = byte.to_ascii_lowercase();
            let blank = if byte == b'\n' { line_end } else { b' ' };
            *slot = if small < b' ' { blank } else { small };
        }
        self.len += count;
    }

    /// Finds the words by where they begin and end in 64 bytes at a time: asking every byte would be foretold wrongly at each of them.
    fn find_words(&mut self) {
        let (mut words, mut was_inside, mut start) = (Words::NONE, 0u64, None);
        let blocks = self.text.as_chunks().0;
        for (block, bytes) in blocks.iter().take(self.len / BLOCK + 1).enumerate() {
            let inside = inside(bytes);
            let mut edges = inside ^ (inside << 1 | was_inside);
            was_inside = inside >> 63;
            while edges != 0 {
                let at = block * BLOCK + edges.trailing_zeros() as usize;
                edges &= edges - 1;
                let Some(from) = start.take() else {
                    start = Some(at);
                    continue;
                };
                let (word, eight) = (self.text.get(from..at), self.text.get(from..from + SLACK));
                let eight = eight.and_then(|eight| eight.try_into().ok()).map(u64::from_le_bytes);
                let hash = words.take(eight.unwrap_or_default(), word.unwrap_or_default());
                let _ = self.hashes.try_push(hash);
            }
        }
        self.words = words;
    }

    pub(super) fn text(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or(&[])
    }

    /// Lists the hash of every word.
    pub(super) fn words(&self) -> &[u64] {
        &self.hashes
    }

    /// Returns the bucket of everything that stands there, those of characters first, and whether it is met for the first time.
    pub(super) fn grams(&self, met: &mut Met, mut give: impl FnMut(Bucket, bool)) -> Counts {
        let mut counts = Counts::default();
        let mut take = |bucket: usize, count: &mut u32| {
            let is_new = met.take(bucket);
            *count += u32::from(is_new);
            give(Bucket::try_from(bucket).unwrap_or(0), is_new);
        };
        self.characters(|bucket| take(bucket, &mut counts.characters));
        self.pairs(|bucket| take(CHARACTERS + bucket, &mut counts.words));
        counts
    }

    /// Adds up the weights of all distinct buckets: of characters, and of words, whose buckets may be [as few](WORDS_BEFORE) as they were.
    pub(super) fn weigh(&self, weights: &[i8]) -> ([i64; 2], Counts) {
        let Some((of_characters, of_words)) = weights.split_first_chunk() else { return Default::default() };
        let (sum, characters) = self.weigh_characters(of_characters);
        let (words_sum, words) =
            match (of_words.first_chunk::<WORDS>(), of_words.first_chunk::<WORDS_BEFORE>()) {
                (Some(weights), _) => self.weigh_words(weights),
                (None, Some(weights)) => self.weigh_words(weights),
                (None, None) => (0, 0),
            };
        ([sum, words_sum], Counts { characters, words })
    }

    /// What has been met is marked in a copy of the weights: one table fits into the fastest memory, two would not.
    #[expect(clippy::indexing_slicing, reason = "buckets index all weights; nothing is checked at run time")]
    fn weigh_characters(&self, weights: &[i8; CHARACTERS]) -> (i64, u32) {
        let (mut left, mut sum, mut all) = (*weights, 0, 0);
        self.characters(|bucket| {
            let weight = std::mem::replace(&mut left[bucket % CHARACTERS], MET);
            sum += WORTH[usize::from(weight.cast_unsigned())];
            all += 1;
        });
        let again = (sum + (1 << (AGAIN_SHIFT - 1))) >> AGAIN_SHIFT;
        (sum - (again << AGAIN_SHIFT), all - u32::try_from(again).unwrap_or(0))
    }

    /// Whether a bucket is new is turned into all ones or none, for half of the branches would be foretold wrongly.
    #[expect(clippy::indexing_slicing, reason = "buckets index all weights; nothing is checked at run time")]
    fn weigh_words<const HELD: usize>(&self, weights: &[i8; HELD]) -> (i64, u32) {
        let (mut met, mut sum, mut count) = ([0u64; WORDS / 64], 0i64, 0u32);
        self.pairs(|bucket| {
            let bucket = bucket % WORDS / (WORDS / HELD);
            let (slot, bit) = (&mut met[bucket / 64], 1u64 << (bucket % 64));
            let new = i64::from(*slot & bit != 0) - 1;
            *slot |= bit;
            count += u32::from(new != 0);
            sum += i64::from(weights[bucket]) & new;
        });
        (sum, count)
    }

    /// Passes on the bucket of every run of three to five characters, of each place the shortest first.
    #[inline]
    fn characters(&self, mut give: impl FnMut(usize)) {
        let mut take = |packed: u64, kind: u64| {
            let bucket = packed.wrapping_mul(SPREAD ^ kind) >> CHARACTER_SHIFT;
            give(usize::try_from(bucket).unwrap_or(0));
        };
        // The last places have no room for the longer ones.
        let whole = self.len.saturating_sub(4);
        for place in self.text.windows(SLACK).take(whole) {
            let eight = u64::from_le_bytes(place.try_into().unwrap_or_default());
            take(eight << 40, 0);
            take(eight << 32, 0xFF00);
            take(eight << 24, 0xFF_0000);
        }
        for at in whole..self.len.saturating_sub(2) {
            let place = self.text.get(at..at + SLACK).and_then(|place| place.try_into().ok());
            let eight = u64::from_le_bytes(place.unwrap_or_default());
            take(eight << 40, 0);
            if at == whole {
                take(eight << 32, 0xFF00);
            }
        }
    }

    /// Passes on the bucket, among those of words, of every word and of every word with the one before it.
    #[inline]
    fn pairs(&self, mut give: impl FnMut(usize)) {
        let mut take = |hash: u64| give(usize::try_from(mix(hash) >> WORD_SHIFT).unwrap_or(0));
        let mut before = 0;
        for &word in &self.hashes {
            take(word);
            if before != 0 {
                take(before ^ word.rotate_left(23));
            }
            before = word;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::ask;
    use proptest::prelude::*;

    fn folded(text: &str) -> Folded {
        let mut folded = Folded::new();
        folded.read(&ask::find(text), b'\n');
        folded
    }

    /// What training counts and what decides must read a text alike, or weights would be of other buckets than they were fitted to.
    fn both(text: &str) {
        let weights: Vec<i8> =
            (1..=BUCKETS as u64).map(|bucket| mix(bucket).to_le_bytes()[7].cast_signed().max(-127)).collect();
        let (mut sums, folded) = ([0i64; 2], folded(text));
        let mut before = std::collections::BTreeSet::new();
        let counts = folded.grams(&mut Met::default(), |bucket, is_new| {
            let bucket = bucket as usize;
            let kind = usize::from(bucket >= CHARACTERS);
            sums[kind] += i64::from(weights[bucket]) * i64::from(is_new);
            if kind == 1 {
                before.insert(CHARACTERS + (bucket - CHARACTERS) * WORDS_BEFORE / WORDS);
            }
        });
        assert_eq!(folded.weigh(&weights), (sums, counts), "{text:?}");
        // Weights that were trained when there were fewer buckets read what they were fitted to.
        sums[1] = before.iter().map(|&bucket| i64::from(weights[bucket])).sum();
        let counts = Counts { words: u32::try_from(before.len()).unwrap(), ..counts };
        assert_eq!(folded.weigh(&weights[..CHARACTERS + WORDS_BEFORE]), (sums, counts), "{text:?}");
    }

    #[test]
    fn short_texts_and_very_long_ones_are_read_alike_by_both() {
        for text in ["", "a", "ab", "abc", "abcd", "abcde", "Is it? It is.", "é", "what"] {
            both(text);
        }
        both(&"The cat sat on the mat, and it was 12 o'clock. ".repeat(400));
    }

    #[test]
    fn words_that_ask_are_told_apart_from_all_others() {
        for (number, word) in
            (1u32..).zip(["what", "which", "who", "when", "where", "why", "how", "is", "are"])
        {
            assert_eq!(folded(word).words.opening, number, "{word}");
        }
        for word in ["whom", "that", "i", "areas", "findings", "zzzzz", "0"] {
            assert_eq!((folded(word).words.opening, folded(word).words.asking), (0, 0), "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_alike_by_both(text in "\\PC{0,300}") {
            both(&text);
        }
    }
}
