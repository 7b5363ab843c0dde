//! Training from end to end: three kinds of models fitted, weighed by what they say of rows they have not seen, calibrated, and
//! turned into whole numbers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::calibrate::{self, millionths, whole};
use super::evaluate::{kept, reliability};
use super::examples::Examples;
use super::forest::{Binned, Forest};
use super::linear::{Linear, narrow};
use super::measure::{Ranked, area, interval, sorted};
use super::stack::{self, PARTS, Said};
use super::tags::Tags;
use crate::classifier::{About, BUCKETS, Bucket, Classifier, Counts, Trained, Tree, WORD_SLOTS};
use crate::units::Draw;

/// Parts of the rows of which each is judged by what the others taught.
const FOLDS: u8 = 5;
/// The fewest rows with both answers known.
const FEWEST: usize = 30;
/// The share of rows per thousand that may hold more unknown words than the guard lets pass, and the least and the most it lets pass.
const STRANGE: usize = 1;
const LEAST_UNKNOWN: u16 = 250;
const MOST_UNKNOWN: u16 = 500;
/// The most questions of which a trace is kept.
const MOST_SEEN: usize = 60_000;

/// What to train, and what is to be said of it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The name of the weights.
    pub name: String,
    /// The models, cheapest first.
    pub ladder: Vec<String>,
    /// What is learned from, with licences.
    pub data: Vec<(String, String)>,
    /// The seed.
    pub seed: u64,
    /// Which rows these are.
    pub split: String,
}

/// Why nothing was trained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// Too few rows.
    #[error(
        "what the answers of both {cheap} and {strong} were worth is known of {}, and {FEWEST} are needed; name other models, or label more requests", crate::units::counted(*.rows as u64, "row")
    )]
    TooFew {
        /// How many there are.
        rows: usize,
        /// The cheaper model.
        cheap: String,
        /// The stronger one.
        strong: String,
    },
    /// Too few questions to learn from some and judge by others.
    #[error(
        "{rows} rows ask only {questions} different questions: what some teach has to be tried on others; rows need the `prompt` (or `id`) that they are told apart by"
    )]
    TooAlike {
        /// How many rows there are.
        rows: usize,
        /// How many of them ask something else.
        questions: usize,
    },
    /// Nothing to tell apart.
    #[error(
        "{cheap} and {strong} differ by the same quality in all {rows} rows: there is nothing to learn; name other models, or label more requests"
    )]
    NoDifference {
        /// How many there are.
        rows: usize,
        /// The cheaper model.
        cheap: String,
        /// The stronger one.
        strong: String,
    },
    /// The tables came out in a wrong shape.
    #[error("the trained tables are not fit for use: {0}")]
    Shape(#[from] crate::classifier::WeightsError),
}

/// What one fitting taught of a pair of models.
struct Model {
    linear: Linear,
    forest: Forest,
    tags: [Tags; 2],
}

impl Model {
    fn fit(examples: &Examples, binned: &Binned, pair: &PairRows, without: Option<u8>, seed: u64) -> Self {
        let (rows, target): (Vec<u32>, Vec<f32>) = (pair.rows.iter().zip(&pair.gains))
            .filter(|(row, _)| without.is_none_or(|fold| fold_of(examples, **row, seed) != fold))
            .map(|(&row, &gain)| (row, gain - pair.mean))
            .unzip();
        let trees = (rows.len() / 30).clamp(30, 180);
        Self {
            linear: Linear::fit(examples, &rows, &target, seed),
            forest: Forest::fit(binned, &examples.surfaces, &rows, &target, trees, seed),
            tags: [0, 1].map(|kind| Tags::fit(&examples.tags, kind, &rows, &target)),
        }
    }

    fn say(&self, examples: &Examples, row: usize) -> Said {
        let tags = examples.tags.get(row).copied().unwrap_or_default();
        let [task, project] = tags.0;
        let [tasks, projects] = &self.tags;
        [
            self.linear.say(examples.grams(row), tags),
            examples
                .surfaces
                .get(row)
                .and_then(Option::as_ref)
                .map_or(0.0, |surface| self.forest.value(surface)),
            tasks.value(task),
            projects.value(project),
        ]
    }
}

/// The rows of which both answers of a pair are known.
struct PairRows {
    rows: Vec<u32>,
    gains: Vec<f32>,
    mean: f32,
}

impl PairRows {
    fn of(examples: &Examples, low: usize, plan: &Plan) -> Result<Self, TrainError> {
        let (rows, gains): (Vec<u32>, Vec<f32>) = (0u32..)
            .zip(0..examples.len())
            .filter_map(|(row, at)| {
                let (cheap, strong) = examples.pair(at, low, low + 1)?;
                Some((row, narrow(strong - cheap)))
            })
            .unzip();
        let name = |rung: usize| plan.ladder.get(rung).cloned().unwrap_or_default();
        let (cheap, strong) = (name(low), name(low + 1));
        if rows.len() < FEWEST {
            return Err(TrainError::TooFew { rows: rows.len(), cheap, strong });
        }
        let first = gains.first().copied().unwrap_or(0.0);
        if gains.iter().all(|gain| (gain - first).abs() < 1e-6) {
            return Err(TrainError::NoDifference { rows: rows.len(), cheap, strong });
        }
        let mean = gains.iter().map(|gain| f64::from(*gain)).sum::<f64>() / gains.len() as f64;
        Ok(Self { rows, gains, mean: narrow(mean) })
    }
}

/// Returns the part of the rows that a row belongs to: all rows of one question to the same.
fn fold_of(examples: &Examples, row: u32, seed: u64) -> u8 {
    let group = examples.groups.get(row as usize).copied().unwrap_or(0);
    u8::try_from(Draw::new(group ^ seed.rotate_left(32)).below(usize::from(FOLDS))).unwrap_or(0)
}

/// What a job brings back.
enum Done {
    /// What models that have not seen these rows say of them.
    Said(Vec<(usize, Said)>),
    /// The model fitted to all rows.
    Model(Box<Model>),
}

/// Trains a classifier over the lexicon of `over`; `told` hears how many of how many fittings are done.
///
/// # Errors
/// Where too little is known, or nothing differs.
pub fn train(
    examples: &Examples,
    plan: &Plan,
    over: &Classifier,
    told: &(dyn Fn(usize, usize) + Sync),
) -> Result<Classifier, TrainError> {
    let pairs: Vec<PairRows> =
        (0..examples.rungs() - 1).map(|low| PairRows::of(examples, low, plan)).collect::<Result<_, _>>()?;
    let questions: std::collections::BTreeSet<&u64> = examples.groups.iter().collect();
    if questions.len() < usize::from(FOLDS) {
        return Err(TrainError::TooAlike { rows: examples.len(), questions: questions.len() });
    }
    let binned = Binned::of(&examples.surfaces);
    let jobs: Vec<(usize, Option<u8>)> = (0..pairs.len())
        .flat_map(|pair| (0..FOLDS).map(Some).chain([None]).map(move |fold| (pair, fold)))
        .collect();
    let work = |&(pair, fold): &(usize, Option<u8>)| {
        let Some(rows) = pairs.get(pair) else { return Done::Said(Vec::new()) };
        let model = Model::fit(examples, &binned, rows, fold, plan.seed);
        let Some(fold) = fold else { return Done::Model(Box::new(model)) };
        let rows =
            (0u32..).zip(0..examples.len()).filter(|&(row, _)| fold_of(examples, row, plan.seed) == fold);
        Done::Said(rows.map(|(_, at)| (at, model.say(examples, at))).collect())
    };
    let done = in_parallel(&jobs, work, told);

    let mut gains = vec![pairs.iter().map(|pair| f64::from(pair.mean)).sum::<f64>(); examples.len()];
    let mut sum = Sum::new(gains.first().copied().unwrap_or(0.0));
    for (place, pair) in pairs.iter().enumerate() {
        let of_pair =
            || jobs.iter().zip(&done).filter(move |((of, _), _)| *of == place).map(|(_, done)| done);
        let mut said = vec![[0.0; PARTS]; examples.len()];
        for (row, one) in of_pair()
            .filter_map(|done| if let Some(Done::Said(rows)) = done { Some(rows) } else { None })
            .flatten()
        {
            if let Some(slot) = said.get_mut(*row) {
                *slot = *one;
            }
        }
        let known: Vec<Said> = pair.rows.iter().filter_map(|&row| said.get(row as usize).copied()).collect();
        let wanted: Vec<f64> = pair.gains.iter().map(|gain| f64::from(gain - pair.mean)).collect();
        let weights = stack::weigh(&known, &wanted);
        for (gain, said) in gains.iter_mut().zip(&said) {
            *gain += weights.iter().zip(said).map(|(weight, said)| weight * f64::from(*said)).sum::<f64>();
        }
        for done in of_pair() {
            if let Some(Done::Model(model)) = done {
                sum.add(model, weights);
            }
        }
    }
    let ends = Ends::of(examples, &gains, plan.seed);
    if ends.rows.len() < FEWEST {
        let name = |model: Option<&String>| model.cloned().unwrap_or_default();
        let (cheap, strong) = (name(plan.ladder.first()), name(plan.ladder.last()));
        return Err(TrainError::TooFew { rows: ends.rows.len(), cheap, strong });
    }
    let (known, most_unknown) = words_met(examples, plan.seed);
    let curve = calibrate::fit(&ends.rows);
    let trained = sum.whole(curve, known, most_unknown);
    let about = About {
        ladder: plan.ladder.clone(),
        data: plan.data.clone(),
        rows: examples.len() as u64,
        seed: plan.seed,
        split: plan.split.clone(),
        apgr: ends.apgr(plan.seed),
        length_only: ends.by_length(examples),
        calibration_error: Some(ends.calibration_error()),
        quantised: sum.moved(&trained, examples),
        seen: seen(examples),
    };
    Ok(over.trained(&plan.name, 1, trained, about)?)
}

/// Does jobs on as many threads as there are processors; what comes back stands in the order of the jobs.
fn in_parallel<J: Sync, D: Send>(
    jobs: &[J],
    work: impl Fn(&J) -> D + Sync,
    told: &(dyn Fn(usize, usize) + Sync),
) -> Vec<Option<D>> {
    let (next, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let slots: Vec<Mutex<Option<D>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(job), Some(slot)) = (jobs.get(at), slots.get(at)) else { return };
                    let done = work(job);
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
                    told(ended.fetch_add(1, Ordering::Relaxed) + 1, jobs.len());
                }
            });
        }
    });
    slots.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// The models of all pairs of a ladder as one: gains add up along it.
struct Sum {
    mean: f64,
    linear: Vec<f64>,
    trees: Vec<(super::forest::Tree, f64)>,
    tags: [std::collections::BTreeMap<u64, f64>; 2],
}

impl Sum {
    fn new(mean: f64) -> Self {
        Self { mean, linear: vec![0.0; BUCKETS], trees: Vec::new(), tags: Default::default() }
    }

    fn add(&mut self, model: &Model, [text, surface, task, project]: [f64; PARTS]) {
        for (slot, weight) in self.linear.iter_mut().zip(&model.linear.buckets) {
            *slot += text * f64::from(*weight);
        }
        if surface > 0.0 {
            self.trees.extend(model.forest.0.iter().map(|tree| (tree.clone(), surface)));
        }
        for (table, tags) in self.tags.iter_mut().zip(&model.linear.tags) {
            for (&tag, worth) in tags {
                *table.entry(tag).or_default() += text * f64::from(*worth);
            }
        }
        for ((table, tags), weight) in self.tags.iter_mut().zip(&model.tags).zip([task, project]) {
            for (&tag, worth) in &tags.0 {
                *table.entry(tag).or_default() += weight * f64::from(*worth);
            }
        }
    }

    /// Turns everything into whole numbers.
    fn whole(&self, curve: calibrate::Curve, known: Box<[u64]>, most_unknown: u16) -> Trained {
        let most = self.linear.iter().fold(0.0f64, |most, weight| most.max(weight.abs()));
        // Billionths of quality that a weight of one stands for, so that the largest is 127.
        let unit = whole((most * 1e9 / 127.0).ceil()).max(1);
        let small =
            |weight: &f64| i8::try_from(whole(weight * 1e9 / unit as f64).clamp(-127, 127)).unwrap_or(0);
        let tree = |(tree, weight): &(super::forest::Tree, f64)| Tree {
            splits: tree.splits,
            leaves: tree.leaves.map(|leaf| millionths(f64::from(leaf) * weight)),
        };
        Trained {
            mean: millionths(self.mean),
            buckets: self.linear.iter().map(small).collect(),
            unit: i32::try_from(unit).unwrap_or(i32::MAX),
            trees: self.trees.iter().map(tree).collect(),
            tags: [0, 1].map(|kind| {
                let table = self.tags.get(kind).into_iter().flatten();
                table.map(|(&tag, &worth)| (tag, millionths(worth))).collect()
            }),
            known,
            most_unknown,
            curve,
        }
    }

    /// Compares confidences in whole numbers with those in floats: the most they differ by, and the mean in thousandths; per mille.
    fn moved(&self, trained: &Trained, examples: &Examples) -> Option<[i64; 2]> {
        let (mut most, mut all) = (0.0f64, 0.0f64);
        for row in 0..examples.len() {
            let grams = examples.grams(row);
            let tags = examples.tags.get(row).copied().unwrap_or_default();
            let surface = examples.surfaces.get(row).and_then(Option::as_ref);
            let (of_characters, of_words) = super::linear::shares(grams);
            let float = |buckets: &[Bucket]| -> f64 {
                buckets.iter().filter_map(|&bucket| self.linear.get(bucket as usize)).sum()
            };
            let mut gain =
                self.mean + float(grams.0) * f64::from(of_characters) + float(grams.1) * f64::from(of_words);
            if let Some(surface) = surface {
                gain += self
                    .trees
                    .iter()
                    .map(|(tree, weight)| f64::from(tree.value(surface)) * weight)
                    .sum::<f64>();
            }
            gain += self.tags.iter().zip(tags.0).filter_map(|(table, tag)| table.get(&tag)).sum::<f64>();

            let sum = |buckets: &[Bucket]| -> i64 {
                buckets
                    .iter()
                    .filter_map(|&bucket| trained.buckets.get(bucket as usize))
                    .map(|&w| i64::from(w))
                    .sum()
            };
            let count = |buckets: &[Bucket]| u32::try_from(buckets.len()).unwrap_or(u32::MAX);
            let counts = Counts { characters: count(grams.0), words: count(grams.1) };
            let parts = trained.parts_of((sum(grams.0), sum(grams.1)), counts, surface, tags);
            let said = f64::from(trained.confidence(trained.gain(&parts)).get());
            let off = (said - calibrate::exact(&trained.curve, gain)).abs();
            most = most.max(off);
            all += off;
        }
        (!examples.is_empty()).then(|| [whole(most.ceil()), whole(all * 1000.0 / examples.len() as f64)])
    }
}

/// The rows of which both ends of the ladder are known, with what models that had not seen them say.
struct Ends {
    /// Gain as foreseen, and whether the cheap answer did.
    rows: Vec<(f64, bool)>,
    ranked: Vec<Ranked>,
    folds: Vec<u8>,
    places: Vec<usize>,
}

impl Ends {
    fn of(examples: &Examples, gains: &[f64], seed: u64) -> Self {
        let mut ends = Self { rows: Vec::new(), ranked: Vec::new(), folds: Vec::new(), places: Vec::new() };
        for ((row, at), &foreseen) in (0u32..).zip(0..examples.len()).zip(gains) {
            let Some((cheap, strong)) = examples.pair(at, 0, examples.rungs() - 1) else { continue };
            let group = examples.groups.get(at).copied().unwrap_or(0);
            ends.rows.push((foreseen, cheap >= strong));
            ends.ranked.push(Ranked { hard: i64::from(millionths(foreseen)), gain: strong - cheap, group });
            ends.folds.push(fold_of(examples, row, seed));
            ends.places.push(at);
        }
        ends
    }

    fn apgr(&self, seed: u64) -> Option<[i64; 3]> {
        let sorted = sorted(self.ranked.clone());
        let (low, high) = interval(&sorted, seed)?;
        Some([area(&sorted)?, low, high].map(|share| whole(share * 1000.0)))
    }

    fn by_length(&self, examples: &Examples) -> Option<i64> {
        let length = |at: &usize| examples.lengths.get(*at).copied().unwrap_or(0);
        let by = |(row, at): (&Ranked, &usize)| Ranked {
            hard: i64::try_from(length(at)).unwrap_or(i64::MAX),
            ..*row
        };
        let sorted = sorted(self.ranked.iter().zip(&self.places).map(by).collect());
        Some(whole(area(&sorted)? * 1000.0))
    }

    /// Measures a curve on rows that it was not fitted to.
    fn calibration_error(&self) -> i64 {
        let mut told = Vec::with_capacity(self.rows.len());
        for fold in 0..FOLDS {
            let (own, others): (Vec<_>, Vec<_>) =
                self.rows.iter().zip(&self.folds).partition(|(_, of)| **of == fold);
            let others: Vec<(f64, bool)> = others.into_iter().map(|(row, _)| *row).collect();
            let curve = calibrate::fit(&others);
            let say = |gain| u16::try_from(whole(calibrate::exact(&curve, gain))).unwrap_or(0);
            told.extend(own.into_iter().map(|((gain, did), _)| kept(say(*gain), *did)));
        }
        whole(reliability(&mut told).ece() * 1000.0)
    }
}

/// Finds the words met, and how many unknown ones a text may hold: what hardly any held before it had been met itself.
fn words_met(examples: &Examples, seed: u64) -> (Box<[u64]>, u16) {
    let mut folds = vec![0u8; WORD_SLOTS];
    for (row, at) in (0u32..).zip(0..examples.len()) {
        let bit = 1 << fold_of(examples, row, seed);
        for &word in examples.words(at) {
            if let Some(slot) = folds.get_mut(word as usize) {
                *slot |= bit;
            }
        }
    }
    let mut unknown: Vec<u16> = Vec::with_capacity(examples.len());
    for (row, at) in (0u32..).zip(0..examples.len()) {
        let words = examples.words(at);
        let own = 1 << fold_of(examples, row, seed);
        let new = words.iter().filter(|&&word| folds.get(word as usize).is_some_and(|met| met & !own == 0));
        if let Some(share) = (new.count() * 1000).checked_div(words.len()) {
            unknown.push(u16::try_from(share).unwrap_or(1000));
        }
    }
    unknown.sort_unstable_by(|a, b| b.cmp(a));
    let most = unknown.get(unknown.len() * STRANGE / 1000).copied().unwrap_or(0);
    let most = most.clamp(LEAST_UNKNOWN, MOST_UNKNOWN);
    let known = folds
        .chunks(64)
        .map(|slots| (0u32..).zip(slots).fold(0, |bits, (at, &met)| bits | u64::from(met != 0) << at));
    (known.collect(), most)
}

fn seen(examples: &Examples) -> Vec<u32> {
    let mut seen: Vec<u32> = examples.groups.iter().map(|&group| About::start_of(group)).collect();
    seen.sort_unstable();
    seen.dedup();
    seen.truncate(MOST_SEEN);
    seen
}

/// Returns what models that have not seen a row say of it.
#[cfg(test)]
pub(super) fn unseen(examples: &Examples, binned: &Binned, plan: &Plan, row: u32) -> Option<Said> {
    let pair = PairRows::of(examples, 0, plan).ok()?;
    // The mean of all is no model; it is held equal so that the parts alone are compared.
    let pair = PairRows { mean: 0.0, ..pair };
    let fold = fold_of(examples, row, plan.seed);
    Some(Model::fit(examples, binned, &pair, Some(fold), plan.seed).say(examples, row as usize))
}
