//! What is learned from: requests of which the quality of several answers is known, as buckets and numbers; no text is kept.

use crate::classifier::{Bucket, Classifier, Measures, Met, Reading, Surface, Tags, word_slot};

/// The quality of each rung's answer, 0 to 1, cheapest first; none where not known.
pub type Qualities = [Option<f32>];

/// All examples, in the order in which they were read.
#[derive(Clone, Debug, Default)]
pub struct Examples {
    rungs: usize,
    qualities: Vec<Option<f32>>,
    /// What groups the same question: such rows are never parted between fitting and judging.
    pub(super) groups: Vec<u64>,
    pub(super) tags: Vec<Tags>,
    pub(super) surfaces: Vec<Option<Surface>>,
    /// The bytes of each text.
    pub(super) lengths: Vec<usize>,
    grams: Vec<Bucket>,
    gram_ends: Vec<(usize, usize)>,
    words: Vec<u32>,
    word_ends: Vec<usize>,
}

impl Examples {
    /// Starts without any, for a ladder of so many rungs.
    pub fn new(rungs: usize) -> Self {
        Self { rungs: rungs.max(2), ..Self::default() }
    }

    /// Takes a request in, with what the answer of each rung was worth.
    pub fn push(
        &mut self,
        text: Option<&str>,
        measures: &Measures,
        group: u64,
        qualities: &Qualities,
        reader: &Classifier,
    ) {
        let mut read = Reading::new();
        let reading = text.is_some_and(|text| reader.read(text, measures, &mut read)).then_some(&read);
        let mut characters = 0;
        if let Some(reading) = reading {
            let counts = reading.grams(&mut Met::default(), |bucket, is_new| {
                if is_new {
                    self.grams.push(bucket);
                }
            });
            characters = counts.characters as usize;
            self.words.extend(reading.words().iter().map(|&word| word_slot(word)));
        }
        let start = self.gram_ends.last().map_or(0, |&(_, end)| end);
        self.gram_ends.push((start + characters, self.grams.len()));
        self.word_ends.push(self.words.len());
        self.surfaces.push(reading.map(|reading| reading.surface));
        self.lengths.push(text.map_or(0, str::len));
        self.tags.push(measures.tags);
        self.groups.push(group);
        self.qualities.extend((0..self.rungs).map(|rung| qualities.get(rung).copied().flatten()));
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Returns how many rungs the ladder has.
    pub fn rungs(&self) -> usize {
        self.rungs
    }

    /// Returns what the answers of two rungs are worth, where both are known.
    pub(super) fn pair(&self, row: usize, low: usize, high: usize) -> Option<(f64, f64)> {
        let of = |rung: usize| self.qualities.get(row * self.rungs + rung).copied().flatten().map(f64::from);
        Some((of(low)?, of(high)?))
    }

    /// Returns the buckets of characters and those of words of a row.
    pub(super) fn grams(&self, row: usize) -> (&[Bucket], &[Bucket]) {
        let start = row.checked_sub(1).and_then(|row| self.gram_ends.get(row)).map_or(0, |&(_, end)| end);
        let Some(&(middle, end)) = self.gram_ends.get(row) else { return (&[], &[]) };
        (self.grams.get(start..middle).unwrap_or(&[]), self.grams.get(middle..end).unwrap_or(&[]))
    }

    /// Returns the slots of the words of a row.
    pub(super) fn words(&self, row: usize) -> &[u32] {
        let start = row.checked_sub(1).and_then(|row| self.word_ends.get(row)).copied().unwrap_or(0);
        let end = self.word_ends.get(row).copied().unwrap_or(start);
        self.words.get(start..end).unwrap_or(&[])
    }
}
