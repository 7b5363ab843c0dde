//! Measures a request: one pass over the ask and a few numbers beside it become features in thousandths.
//!
//! Invariant: nothing is allocated, every count saturates, and only integers are used.

use super::ask::Ask;
use super::feature::{FEATURES, Features};
use super::lexicon::{Lexicon, Spelling};
use super::logistic::log2_milli;
use super::{FeatureId, Measures};

/// The bytes at each end of the ask in which a word counts as asking; further in it is taken for material.
const ASK_ZONE: usize = 400;
/// How strongly a group of words is there after none, one, two and three hits.
const HITS: [u64; 4] = [0, 600, 850, 1000];

/// What a byte is, for counting.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Capital,
    Digit,
    Operator,
    Mark,
    Brace,
    Stop,
    Question,
    Punctuation,
    Space,
    Line,
    Control,
    Beyond,
}

const KINDS: [Kind; 256] = kinds();

const fn kinds() -> [Kind; 256] {
    let mut table = [Kind::Control; 256];
    let mut byte = 0u8;
    loop {
        table[byte as usize] = match byte {
            b'a'..=b'z' => Kind::Letter,
            b'A'..=b'Z' => Kind::Capital,
            b'0'..=b'9' => Kind::Digit,
            b'+' | b'*' | b'=' | b'<' | b'>' | b'^' | b'%' => Kind::Operator,
            b'\\' | b'$' | b'`' | b'-' | b'(' => Kind::Mark,
            b'{' | b'}' | b';' | b'_' => Kind::Brace,
            b'.' | b'!' | b':' => Kind::Stop,
            b'?' => Kind::Question,
            b' ' | b'\t' | b'\r' => Kind::Space,
            b'\n' => Kind::Line,
            0..32 | 127 => Kind::Control,
            0x80.. => Kind::Beyond,
            _ => Kind::Punctuation,
        };
        if byte == 255 {
            return table;
        }
        byte += 1;
    }
}

fn kind(byte: u8) -> Kind {
    KINDS.get(usize::from(byte)).copied().unwrap_or(Kind::Control)
}

/// The highest bit of each of eight bytes.
const HIGHEST: u64 = 0x8080_8080_8080_8080;

/// Returns eight bytes, the first of them lowest; zeros behind the end.
fn eight_at(bytes: &[u8], at: usize) -> u64 {
    if let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        return u64::from_le_bytes(*eight);
    }
    bytes.get(at..).unwrap_or(&[]).iter().rev().fold(0, |all, &byte| all << 8 | u64::from(byte))
}

/// Returns the highest bit of each of eight bytes that is an ASCII letter.
const fn letters(eight: u64) -> u64 {
    const ONES: u64 = HIGHEST >> 7;
    let small = (eight | HIGHEST >> 2) & !HIGHEST;
    let from_a = small + ONES * (0x80 - b'a' as u64);
    let beyond_z = small + ONES * (0x7f - b'z' as u64);
    from_a & !beyond_z & !eight & HIGHEST
}

/// Counts bytes by their highest bits; the others are none.
const fn sum_of_highest(eight: u64) -> u32 {
    ((eight >> 7).wrapping_mul(HIGHEST >> 7) >> 56) as u32
}

/// Counts of one pass over an ask.
pub(super) struct Tally {
    letters: u32,
    capitals: u32,
    digits: u32,
    operators: u32,
    punctuation: u32,
    beyond: u32,
    control: u32,
    code_marks: u32,
    math_marks: u32,
    questions: u32,
    sentences: u32,
    bullets: u32,
    choices: u32,
    has_fence: bool,
    words: u32,
    known: u32,
    common: u32,
    long_words: u32,
    hits: [u8; FEATURES],
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            letters: 0,
            capitals: 0,
            digits: 0,
            operators: 0,
            punctuation: 0,
            beyond: 0,
            control: 0,
            code_marks: 0,
            math_marks: 0,
            questions: 0,
            sentences: 0,
            bullets: 0,
            choices: 0,
            has_fence: false,
            words: 0,
            known: 0,
            common: 0,
            long_words: 0,
            hits: [0; FEATURES],
        }
    }
}

/// Where a pass stands in the ask.
struct Place {
    /// Words before this offset, and from the next one on, may ask.
    zones: (usize, usize),
    /// The offset in the ask of the piece being read.
    base: usize,
    /// Whether the next word opens a sentence or line; an ask stands there more often than material does.
    opening: bool,
    /// The word before, where it may start a pair.
    before: Option<Spelling>,
}

impl Tally {
    /// Reads an ask.
    pub(super) fn of(ask: &Ask<'_>, lexicon: &Lexicon) -> Self {
        let mut tally = Self::default();
        let zones = (ASK_ZONE, ask.read.saturating_sub(ASK_ZONE));
        let mut place = Place { zones, base: 0, opening: true, before: None };
        for piece in &ask.pieces {
            tally.line(piece.as_bytes());
            tally.piece(piece.as_bytes(), lexicon, &mut place);
            place.base += piece.len();
            place.before = None;
        }
        if let Some(hits) = tally.hits.get_mut(FeatureId::COMMON.index()) {
            *hits = hits.saturating_add(u8::try_from(tally.common).unwrap_or(u8::MAX));
        }
        tally
    }

    fn piece(&mut self, bytes: &[u8], lexicon: &Lexicon, place: &mut Place) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if byte == b' ' {
                at += 1;
                continue;
            }
            let next = bytes.get(at + 1).copied();
            match kind(byte) {
                Kind::Letter | Kind::Capital | Kind::Beyond => {
                    let end = self.word(bytes, at, lexicon, place);
                    if end > at {
                        at = end;
                        continue;
                    }
                    // Typographic marks (U+2000 to U+203F) and the replacement character part words; three bytes each.
                    if byte == 0xEF {
                        self.control += 3;
                    } else {
                        self.punctuation += 1;
                    }
                    at += 2;
                }
                Kind::Digit => {
                    self.digits += 1;
                    place.before = None;
                    place.opening = false;
                }
                Kind::Operator => {
                    self.operators += 1;
                    self.code_marks += u32::from(byte == b'=' && next == Some(b'='));
                    self.math_marks += u32::from(byte == b'^');
                }
                Kind::Mark => match (byte, next) {
                    (b'\\', Some(b'a'..=b'z' | b'A'..=b'Z')) | (b'$', Some(b'\\' | b'a'..=b'z')) => {
                        self.math_marks += 1;
                    }
                    (b'`', Some(b'`')) => self.has_fence |= bytes.get(at + 2) == Some(&b'`'),
                    (b'-', Some(b'>')) | (b'(', Some(b')')) => self.code_marks += 1,
                    _ => self.punctuation += 1,
                },
                Kind::Brace => self.code_marks += 1,
                Kind::Stop | Kind::Question => {
                    self.punctuation += 1;
                    self.code_marks += u32::from(byte == b':' && next == Some(b':'));
                    if next.is_none_or(|b| matches!(b, b' ' | b'\n' | b'"' | b')')) {
                        self.questions += u32::from(byte == b'?');
                        self.sentences += u32::from(byte != b':');
                        place.opening = true;
                    }
                    place.before = None;
                }
                Kind::Punctuation => {
                    self.punctuation += 1;
                    place.before = None;
                }
                Kind::Line => {
                    self.line(bytes.get(at + 1..).unwrap_or(&[]));
                    place.opening = true;
                }
                Kind::Space => {}
                Kind::Control => self.control += 1,
            }
            at += 1;
        }
    }

    /// Looks at the start of a line: is it listed, is it a lettered choice?
    fn line(&mut self, rest: &[u8]) {
        let rest = rest.get(..rest.len().min(12)).unwrap_or(&[]).trim_ascii_start();
        match rest {
            [b'-' | b'*', b' ', ..]
            | [b'0'..=b'9', b'.' | b')', b' ', ..]
            | [b'0'..=b'9', b'0'..=b'9', b'.' | b')', b' ', ..] => self.bullets += 1,
            [b'A'..=b'J' | b'a'..=b'j', b'.' | b')' | b':', b' ', ..]
            | [b'(', b'A'..=b'J' | b'a'..=b'j', b')', ..] => self.choices += 1,
            _ => {}
        }
    }

    /// Reads the word that starts at `from`; returns where it ends, which is `from` where no word is.
    fn word(&mut self, bytes: &[u8], from: usize, lexicon: &Lexicon, place: &mut Place) -> usize {
        let (mut at, mut hash, mut beyond) = (from, Spelling::START, 0);
        loop {
            let eight = eight_at(bytes, at);
            let letters = letters(eight);
            let run = (!letters & HIGHEST).trailing_zeros() / 8;
            let kept = (1u64 << (run * 8 % 64)).wrapping_sub(1) | u64::from(run < 8).wrapping_sub(1);
            if run > 0 {
                hash = hash.with((eight | HIGHEST >> 2) & kept);
                // A capital has no fifth bit.
                self.capitals += sum_of_highest(letters & kept & !eight << 2);
            }
            at += run as usize;
            if run < 8 {
                break;
            }
        }
        if bytes.get(at).is_some_and(|byte| *byte >= 0x80) {
            (at, beyond) = self.rest(bytes, at);
            hash = Spelling::of(bytes.get(from..at).unwrap_or(&[]));
        }
        let len = at - from;
        if len == 0 {
            return from;
        }
        self.beyond += beyond;
        self.letters += u32::try_from(len).unwrap_or(u32::MAX);
        self.words += 1;
        self.long_words += u32::from(len >= 10);
        let start = place.base + from;
        let in_zone = start < place.zones.0 || start >= place.zones.1;
        if let Some(before) = place.before
            && let Some(feature) = lexicon.find(before.then(hash)).feature()
        {
            self.hit(feature, in_zone, place.opening);
        }
        let found = lexicon.find(hash);
        self.known += u32::from(found.counts());
        place.before = found.starts_pair().then_some(hash);
        // Most known words are merely common: they are counted without a branch.
        self.common += u32::from(found.is(FeatureId::COMMON));
        let mut stays_open = false;
        if found.counts()
            && !found.is(FeatureId::COMMON)
            && let Some(feature) = found.feature()
        {
            stays_open = feature == FeatureId::POLITE;
            self.hit(feature, in_zone, place.opening);
        }
        place.opening &= stays_open;
        at
    }

    /// Reads on where a letter beyond ASCII stands in a word; gives where it ends, and how many bytes are no ASCII.
    fn rest(&mut self, bytes: &[u8], from: usize) -> (usize, u32) {
        let (mut at, mut beyond) = (from, 0);
        while let Some(&byte) = bytes.get(at) {
            match kind(byte) {
                Kind::Letter => {}
                Kind::Capital => self.capitals += 1,
                Kind::Beyond => {
                    let mark = matches!(
                        (byte, bytes.get(at + 1), bytes.get(at + 2)),
                        (0xE2, Some(0x80), _) | (0xEF, Some(0xBF), Some(0xBD))
                    );
                    if mark {
                        break;
                    }
                    beyond += 1;
                }
                _ => break,
            }
            at += 1;
        }
        (at, beyond)
    }

    fn hit(&mut self, feature: FeatureId, in_zone: bool, opening: bool) {
        if feature.is_ask() && !in_zone {
            return;
        }
        if let Some(hits) = self.hits.get_mut(feature.index()) {
            *hits = hits.saturating_add(1 + u8::from(opening && feature.is_ask()));
        }
    }

    fn known_share(&self) -> u64 {
        share(self.known, self.words)
    }

    /// Says whether the text is like anything the features were made for: enough known words, or code or formulas,
    /// and not binary.
    pub(super) fn is_readable(&self, features: &Features, least_known: u16) -> bool {
        let seen = self.letters.saturating_add(self.digits).saturating_add(self.punctuation).max(1);
        let is_text = u64::from(self.control) * 50 <= u64::from(seen);
        let is_code = features.get(FeatureId::CODE_MARKS) >= 500
            && self.hits.get(FeatureId::CODE_WORDS.index()) > Some(&1);
        let is_formula = self.digits >= 2 && self.operators >= 1 && self.words <= 3;
        let has_words = self.known >= 1 && self.known_share() >= u64::from(least_known);
        is_text && (has_words || is_code || is_formula)
    }

    /// Turns the counts into features.
    pub(super) fn features(&self, ask: &Ask<'_>, features: &mut Features) {
        let seen = u32::try_from(ask.read).unwrap_or(u32::MAX);
        let log = log2_milli(ask.len as u64);
        features.set(FeatureId::LONG_TEXT, log.saturating_sub(7000) / 7);
        features.set(FeatureId::SHORT_TEXT, 6000u64.saturating_sub(log) / 2);
        features.set(FeatureId::DIGITS, share(self.digits, seen) * 5);
        features.set(FeatureId::OPERATORS, share(self.operators, seen) * 10);
        features.set(FeatureId::UPPER_CASE, share(self.capitals, self.letters) * 3);
        features.set(FeatureId::PUNCTUATION, share(self.punctuation, seen) * 5);
        features.set(FeatureId::NON_ASCII, share(self.beyond, seen) * 2);
        features.set(FeatureId::LONG_WORDS, share(self.long_words, self.words) * 4);
        features.set(
            FeatureId::UNKNOWN_WORDS,
            if self.words == 0 { 0 } else { 1000 - self.known_share().min(1000) },
        );
        features.set(FeatureId::QUESTIONS, u64::from(self.questions) * 250);
        features.set(FeatureId::SENTENCES, log2_milli(u64::from(self.sentences)) / 5);
        features.set(FeatureId::BULLETS, u64::from(self.bullets) * 125);
        features.set(FeatureId::CHOICES, if self.choices >= 3 { 1000 } else { 0 });
        features.set(FeatureId::CODE_FENCE, if self.has_fence { 1000 } else { 0 });
        let code = if self.code_marks >= 3 { share(self.code_marks, seen) * 20 } else { 0 };
        features.set(FeatureId::CODE_MARKS, code);
        features.set(FeatureId::MATH_MARKS, u64::from(self.math_marks) * 100);
        for (id, &hits) in FeatureId::all().zip(&self.hits) {
            if id.counts_words() {
                features.set(id, HITS.get(usize::from(hits)).copied().unwrap_or(1000));
            }
        }
    }
}

/// Turns the numbers beside a request into features.
pub(super) fn measures(measures: &Measures, features: &mut Features) {
    if let Some(tokens) = measures.prompt_tokens.map(|tokens| tokens.saturating_sub(measures.after)) {
        let log = log2_milli(tokens);
        features.set(FeatureId::BIG_PROMPT, log.saturating_sub(8000) / 8);
        features.set(FeatureId::SMALL_PROMPT, 9000u64.saturating_sub(log) / 3);
        let history = u64::from(measures.history.unwrap_or(0)).saturating_mul(1000);
        features.set(FeatureId::HISTORY_SHARE, history.checked_div(tokens).unwrap_or(0));
    }
    if let Some(turn) = measures.turn {
        features.set(FeatureId::LATE_TURN, log2_milli(u64::from(turn).saturating_add(1)) / 5);
    }
    if let Some(tools @ 1..) = measures.tools {
        features.set(FeatureId::TOOLS_OFFERED, 500 + log2_milli(u64::from(tools)) / 10);
    }
}

/// Returns the features of an ask with a word on whether they can be trusted; `None` for an empty one.
pub(super) fn text(
    ask: &Ask<'_>,
    lexicon: &Lexicon,
    least_known: u16,
    features: &mut Features,
) -> Option<bool> {
    if ask.has_results {
        features.set(FeatureId::TOOL_RESULTS, 1000);
    }
    if ask.pieces.iter().all(|piece| piece.trim().is_empty()) {
        return None;
    }
    let tally = Tally::of(ask, lexicon);
    tally.features(ask, features);
    Some(tally.is_readable(features, least_known))
}

fn share(part: u32, whole: u32) -> u64 {
    (u64::from(part) * 1000).checked_div(u64::from(whole)).unwrap_or(0)
}
