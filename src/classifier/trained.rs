//! What training adds to a classifier: what the strong answer is worth more, told by words, surface and tags, as whole numbers.
//!
//! Invariant: integers alone decide, in one fixed order, so the same request gets the same confidence on every machine; a request
//! unlike what was trained on gets none.

use super::grams::{BUCKETS, CHARACTERS, Counts, MET, WORD_SLOTS, WORDS_BEFORE, word_slot};
use super::reading::Reading;
use super::surface::Surface;
use super::{FeatureId, Measures, Tags};
use crate::units::PerMille;

/// How deep a tree is.
pub const DEPTH: usize = 3;
/// Its splits.
pub const INNER: usize = (1 << DEPTH) - 1;
/// Its leaves.
pub const LEAVES: usize = 1 << DEPTH;
/// The most knots of a curve.
pub const MOST_KNOTS: usize = 64;

/// A shallow tree: a number of the surface at or above a threshold leads to the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tree {
    /// Which number, and its threshold; top down, left to right.
    pub splits: [(u8, i16); INNER],
    /// What each way down adds, in millionths of quality.
    pub leaves: [i32; LEAVES],
}

impl Tree {
    fn value(&self, surface: &Surface) -> i64 {
        let mut at = 0;
        for _ in 0..DEPTH {
            let (number, threshold) = self.splits.get(at).copied().unwrap_or((0, i16::MAX));
            at = 2 * at + 1 + usize::from(surface.get(usize::from(number)) >= threshold);
        }
        self.leaves.get(at - INNER).map_or(0, |&leaf| i64::from(leaf))
    }
}

/// Trained weights. All worth is in millionths of quality, above zero where the strong answer is better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trained {
    /// The mean gain.
    pub mean: i32,
    /// A weight for every bucket, in units of `unit`; [fewer of words](WORDS_BEFORE) where it was trained when there were fewer.
    pub buckets: Box<[i8]>,
    /// Billionths of quality that a weight of one is worth in a text of one bucket.
    pub unit: i32,
    /// The trees.
    pub trees: Vec<Tree>,
    /// Worth by tag, sorted: by task, by project.
    pub tags: [Vec<(u64, i32)>; 2],
    /// A bit for every slot of words that were met.
    pub known: Box<[u64]>,
    /// The most words per mille that may be unknown.
    pub most_unknown: u16,
    /// Gain to confidence: gains rise, confidences fall, straight lines between.
    pub curve: Vec<(i32, PerMille)>,
}

/// What each part adds to the gain, in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Parts {
    /// Words and characters.
    pub text: i64,
    /// The surface.
    pub surface: i64,
    /// Tags: task, project; none where not in the table.
    pub tags: [Option<i64>; 2],
    /// Words per mille that were never met.
    pub unknown: u16,
    /// Whether there was a text.
    pub has_text: bool,
}

impl Trained {
    /// Returns the byte that the end of a line is read as.
    pub(super) fn line_end(&self) -> u8 {
        if self.buckets.len() == BUCKETS { b'\n' } else { b' ' }
    }

    /// Returns the tags to look up: the task in the client's own words, or else the class that these mean.
    pub fn tags_of(&self, measures: &Measures) -> Tags {
        let [task, project] = measures.tags.0;
        let is_known = |tag: u64| self.tags[0].binary_search_by_key(&tag, |&(known, _)| known).is_ok();
        match measures.task {
            Some(class) if !is_known(task) => Tags([Tags::of(class.name(), "").0[0], project]),
            _ => measures.tags,
        }
    }

    /// Returns what each part says of a request.
    pub fn parts(&self, reading: Option<&Reading>, tags: Tags) -> Parts {
        let Some(reading) = reading else { return self.parts_of((0, 0), Counts::default(), None, tags) };
        let ([characters, words], counts) = reading.weigh(&self.buckets);
        let parts = self.parts_of((characters, words), counts, Some(&reading.surface), tags);
        Parts { unknown: self.unknown(reading), ..parts }
    }

    /// Returns the same of what was read before: sums of weights of characters and of words, and of how many.
    pub fn parts_of(
        &self,
        (characters, words): (i64, i64),
        counts: Counts,
        surface: Option<&Surface>,
        tags: Tags,
    ) -> Parts {
        // Each kind has length one: its sum is divided by the root of how many there are.
        let share = |sum: i64, count: u32| {
            let root = (u64::from(count.max(1)) << 16).isqrt().cast_signed();
            sum.saturating_mul(i64::from(self.unit)).saturating_mul(256) / root.max(1) / 1000
        };
        let mut parts = Parts {
            text: share(characters, counts.characters) + share(words, counts.words),
            has_text: surface.is_some(),
            ..Parts::default()
        };
        if let Some(surface) = surface {
            parts.surface = self.trees.iter().map(|tree| tree.value(surface)).sum();
        }
        for ((slot, table), tag) in parts.tags.iter_mut().zip(&self.tags).zip(tags.0) {
            let at = table.binary_search_by_key(&tag, |&(known, _)| known);
            *slot = at.ok().and_then(|at| table.get(at)).map(|&(_, worth)| i64::from(worth));
        }
        parts
    }

    /// Returns how many words per mille were never met; all of them where there are none.
    fn unknown(&self, reading: &Reading) -> u16 {
        let words = reading.words();
        let is_unknown = |word: &u64| {
            let slot = word_slot(*word);
            let bits = self.known.get((slot >> 6) as usize).copied().unwrap_or(0);
            usize::from(bits >> (slot & 63) & 1 == 0)
        };
        let unknown: usize = words.iter().map(is_unknown).sum();
        (unknown * 1000).checked_div(words.len()).and_then(|share| u16::try_from(share).ok()).unwrap_or(1000)
    }

    /// Says whether there is something to go by: a text like those trained on, or else a tag that was met.
    pub fn has_signal(&self, parts: &Parts) -> bool {
        if parts.has_text {
            parts.unknown <= self.most_unknown
        } else {
            parts.tags.iter().any(Option::is_some)
        }
    }

    /// Adds the parts up: what the strong answer is worth more, in millionths.
    pub fn gain(&self, parts: &Parts) -> i64 {
        i64::from(self.mean) + parts.text + parts.surface + parts.tags.iter().flatten().sum::<i64>()
    }

    /// Turns a gain into the confidence that the cheap answer will do.
    pub fn confidence(&self, gain: i64) -> PerMille {
        let mut last: Option<(i64, i64)> = None;
        for &(x, y) in &self.curve {
            let (x, y) = (i64::from(x), i64::from(y.get()) * 1000);
            if gain <= x {
                let millis = last.map_or(y, |(x0, y0)| y0 + (y - y0) * (gain - x0) / (x - x0).max(1));
                return PerMille::clamped((millis + 500) / 1000);
            }
            last = Some((x, y));
        }
        PerMille::clamped(last.map_or(0, |(_, y)| (y + 500) / 1000))
    }

    /// Says what is wrong with the shape of the tables; the words are for whoever reads the file.
    pub(super) fn fault(&self) -> Option<(&'static str, String)> {
        let invalid = |field, problem: &str| Some((field, problem.to_owned()));
        if self.known.len() != WORD_SLOTS / 64 {
            return invalid("trained.known", "must hold a bit for every slot of words");
        }
        if self.buckets.len() != BUCKETS && self.buckets.len() != CHARACTERS + WORDS_BEFORE {
            return invalid("trained.buckets", "holds a wrong number of weights");
        }
        if self.buckets.contains(&MET) {
            return invalid("trained.buckets", "holds a weight of -128; -127 is the least");
        }
        if self.curve.len() < 2 || self.curve.len() > MOST_KNOTS {
            return invalid("trained.curve", "2 to 64 knots are needed");
        }
        if self.curve.windows(2).any(|pair| matches!(pair, [a, b] if a.0 >= b.0 || a.1 < b.1)) {
            return invalid("trained.curve", "gains must rise and confidences must not, from knot to knot");
        }
        if self.tags.iter().any(|table| table.windows(2).any(|pair| matches!(pair, [a, b] if a.0 >= b.0))) {
            return invalid("trained.tags", "tags must be sorted, each once");
        }
        None
    }
}

/// The parts as features that an opinion names, with what they add: above zero for the cheap model, in milli-logits.
pub(super) fn contributions(parts: &Parts) -> [(FeatureId, i16); 4] {
    // Around the middle a logit changes four times as fast as what it stands for.
    let logits = |gain: i64| {
        i16::try_from((-gain * 4 / 1000).clamp(i64::from(-i16::MAX), i64::from(i16::MAX))).unwrap_or(0)
    };
    let [task, project] = parts.tags.map(Option::unwrap_or_default);
    [
        (FeatureId::PART_WORDS, logits(parts.text)),
        (FeatureId::PART_SURFACE, logits(parts.surface)),
        (FeatureId::PART_TASK, logits(task)),
        (FeatureId::PART_PROJECT, logits(project)),
    ]
}
