//! How much longer one model's prompts and answers are than another's, from a log in which each answered other requests.
//!
//! Models differ in length by habit (tokenizer, wordiness), so the tokens of one are no estimate of another's. The ratio of
//! their means within a class of work is, as far as the same kinds of requests went to both; where confidence chose who got
//! which, it is pulled back towards what is known without a log: that prompts are about as long, answers less surely so.
//! In integers, so that every machine estimates alike.

use super::Evidence;
use super::lengths::{Lengths, VARIANCE};
use crate::classifier::TaskClass;
use crate::pricing::{PriceTable, Usage};
use crate::units::{Count, ModelId};

/// One, in the parts that ratios and variances are counted in.
pub(super) const ONE: i128 = 1_000_000;
/// Fewer answers than this say nothing of a class of work.
const LEAST: i128 = 8;
/// Models with the most answers that are compared with each other.
const COMPARED: usize = 64;
const CLASSES: usize = TaskClass::ALL.len();
/// Requests without a confidence, and with one in each quarter.
const BANDS: usize = 5;
/// From this overlap of confidences on two models were asked alike, and what they did may be believed however far it lies.
const ALIKE: i128 = ONE * 7 / 10;
/// The variance of a ratio where nobody chose who got which request: runs of agents differ eightfold.
const OPEN: i128 = ONE * 64 / 100;

/// What is thought of a ratio before a log is seen, as variances of its logarithm.
#[derive(Clone, Copy)]
struct Prior {
    /// The ratio that is thought of, in millionths.
    ratio: i128,
    /// Of two models at all: tokenizers differ by a sixth, answers by half (the public outcome sets of `docs/figures.md`).
    models: i128,
    /// Of a class of work within two models.
    class: i128,
    /// What choosing by confidence does to a ratio of means where none of the same confidence went to both.
    chosen: i128,
    /// Whether such a ratio tells anything: prompts vary by far more than tokenizers do.
    is_telling: bool,
}

const PROMPT: Prior = Prior { ratio: ONE, models: 22_500, class: 40_000, chosen: ONE, is_telling: false };
const ANSWER: Prior = Prior { ratio: ONE, models: 250_000, class: 90_000, chosen: 160_000, is_telling: true };

/// How much longer, and how surely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// The ratio, in millionths.
    pub ratio: i128,
    /// One standard deviation, as a share of it, in millionths.
    pub deviation: i128,
}

/// The scales of prompt and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scales {
    /// Of prompts.
    pub prompt: Scale,
    /// Of answers.
    pub answer: Scale,
}

impl Scales {
    /// One, in the parts that ratios and deviations are counted in.
    pub const ONE: i128 = ONE;

    /// A model's own tokens.
    pub const SAME: Self = {
        let same = Scale { ratio: ONE, deviation: 0 };
        Self { prompt: same, answer: same }
    };

    /// Models of which a log says nothing.
    fn unseen() -> Self {
        Self::thought(ANSWER)
    }

    /// What is thought of them before.
    fn thought(answer: Prior) -> Self {
        let of = |prior: Prior| Scale { ratio: prior.ratio, deviation: root(prior.models) };
        Self { prompt: of(PROMPT), answer: of(answer) }
    }

    /// Scales tokens.
    pub fn apply(&self, usage: &Usage) -> Usage {
        let by = |count: Count, scale: Scale| {
            let scaled = count.get().map(|tokens| (i128::from(tokens) * scale.ratio + ONE / 2) / ONE);
            scaled.and_then(|tokens| Count::new(u64::try_from(tokens).ok()?)).unwrap_or(count)
        };
        Usage {
            input: by(usage.input, self.prompt),
            cache_read: by(usage.cache_read, self.prompt),
            write_5m: by(usage.write_5m, self.prompt),
            write_1h: by(usage.write_1h, self.prompt),
            output: by(usage.output, self.answer),
            reasoning: Count::UNKNOWN,
        }
    }
}

/// Sums of a length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Length {
    sum: i128,
    squared: i128,
}

impl Length {
    fn add(&mut self, tokens: u64) {
        let tokens = i128::from(tokens);
        self.sum += tokens;
        self.squared += tokens * tokens;
    }

    /// Returns the variance of the mean of `n`, as a share of its square.
    fn variance(self, n: i128) -> i128 {
        let square = self.sum.saturating_mul(self.sum);
        let about = (n.saturating_mul(self.squared) - square).max(0);
        // In two steps, so that nothing overflows: both are far above a million where they matter.
        about / (square.saturating_mul(n - 1) / ONE).max(1)
    }
}

/// Answers of one model to one class of work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Answers {
    n: i128,
    prompt: Length,
    answer: Length,
    bands: [i128; BANDS],
}

impl Answers {
    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        for (mine, theirs) in [(&mut self.prompt, &other.prompt), (&mut self.answer, &other.answer)] {
            mine.sum += theirs.sum;
            mine.squared += theirs.squared;
        }
        for (mine, theirs) in self.bands.iter_mut().zip(&other.bands) {
            *mine += theirs;
        }
    }

    fn is_enough(&self) -> bool {
        self.n >= LEAST && self.prompt.sum > 0 && self.answer.sum > 0
    }

    /// Returns how far the confidences of two models' requests overlap.
    fn overlap(&self, other: &Self) -> i128 {
        let both = self.bands.iter().zip(&other.bands).map(|(a, b)| (a * other.n).min(b * self.n));
        both.sum::<i128>() * ONE / (self.n * other.n).max(1)
    }
}

type OfModel = [Answers; CLASSES];

/// Collects what a log shows for [`Habits`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HabitFit {
    models: Vec<OfModel>,
    /// Published lengths, of so many models.
    lengths: Lengths,
    named: usize,
}

/// Frozen scales by model answering, model estimated and class of work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// By model: its place among those compared.
    places: Vec<Option<usize>>,
    compared: usize,
    scales: Vec<[Scales; CLASSES]>,
    lengths: Lengths,
}

impl HabitFit {
    /// Adds what one operation shows. A model is one under all its names.
    pub(super) fn add(&mut self, evidence: &Evidence<'_>, prices: &PriceTable) {
        if self.named != prices.len() {
            (self.lengths, self.named) = (Lengths::of(prices), prices.len());
        }
        let operation = evidence.operation;
        let band =
            operation.confidence().map_or(0, |confidence| 1 + usize::from(confidence.get()).min(999) / 250);
        for seen in evidence.attempts().filter(|seen| seen.status.is_ok()) {
            let tokens = seen.usage.prompt().zip(seen.usage.output.get());
            let (Some(model), Some((prompt, answer))) = (prices.identity(seen.model).index(), tokens) else {
                continue;
            };
            if self.models.len() <= model {
                self.models.resize_with(model + 1, Default::default);
            }
            let of = &mut self.models[model][operation.class as usize];
            of.n += 1;
            of.prompt.add(prompt);
            of.answer.add(answer);
            of.bands[band] += 1;
        }
    }

    /// Compares the models with the most answers.
    pub(super) fn finish(&self) -> Habits {
        let count = |of: &OfModel| of.iter().map(|answers| answers.n).sum::<i128>();
        let mut order: Vec<usize> =
            (0..self.models.len()).filter(|&at| count(&self.models[at]) >= LEAST).collect();
        crate::units::sort_by_key(&mut order, |&at| std::cmp::Reverse(count(&self.models[at])));
        order.truncate(COMPARED);
        let mut places = vec![None; self.models.len()];
        for (place, &model) in order.iter().enumerate() {
            places[model] = Some(place);
        }
        let pairs = order.iter().flat_map(|&from| order.iter().map(move |&to| (from, to)));
        let id = |index: usize| u16::try_from(index).map_or(ModelId::NONE, ModelId);
        let scales = pairs.map(|(from, to)| {
            let answer = thought(&self.lengths, id(from), id(to));
            compare(&self.models[from], &self.models[to], answer)
        });
        let scales = scales.collect();
        Habits { places, compared: order.len(), scales, lengths: self.lengths.clone() }
    }
}

impl Habits {
    /// Says how the tokens of one model's answer become those of another's; both are identities.
    pub fn scales(&self, from: ModelId, to: ModelId, class: TaskClass) -> Scales {
        if from == to && from.is_some() {
            // The same model told to think harder or less: the same prompt, another answer.
            return Scales { prompt: Scales::SAME.prompt, ..Scales::unseen() };
        }
        let place = |model: ModelId| self.places.get(model.index()?).copied().flatten();
        let known =
            place(from).zip(place(to)).and_then(|(from, to)| self.scales.get(from * self.compared + to));
        let unseen = || Scales::thought(thought(&self.lengths, from, to));
        known.map_or_else(unseen, |classes| classes[class as usize])
    }
}

/// Says what is thought of answers before a log is seen: what was published of both models, else that they are as long.
fn thought(lengths: &Lengths, from: ModelId, to: ModelId) -> Prior {
    match lengths.ratio(from, to, ONE) {
        Some(ratio) => Prior { ratio, models: VARIANCE, ..ANSWER },
        None => ANSWER,
    }
}

fn compare(from: &OfModel, to: &OfModel, thought: Prior) -> [Scales; CLASSES] {
    let of = |length: fn(&Answers) -> Length, prior| {
        let over_all = over_all(from, to, length, prior);
        std::array::from_fn::<Scale, CLASSES, _>(|class| {
            let (ratio, variance) = match ratio(&from[class], &to[class], length, prior) {
                Some(found) => pull(found, over_all, prior.class),
                None => (over_all.0, over_all.1 + prior.class),
            };
            Scale { ratio, deviation: root(variance) }
        })
    };
    let (prompt, answer) = (of(|answers| answers.prompt, PROMPT), of(|answers| answers.answer, thought));
    std::array::from_fn(|class| Scales { prompt: prompt[class], answer: answer[class] })
}

/// Returns the ratio of two means and the variance of its logarithm.
fn ratio(from: &Answers, to: &Answers, length: fn(&Answers) -> Length, prior: Prior) -> Option<(i128, i128)> {
    if !from.is_enough() || !to.is_enough() {
        return None;
    }
    let (a, b) = (length(from), length(to));
    let overlap = from.overlap(to);
    if overlap < ALIKE && !prior.is_telling {
        return None;
    }
    let ratio = b.sum * from.n * ONE / (a.sum * to.n);
    Some((ratio, a.variance(from.n) + b.variance(to.n) + chosen(overlap, prior)))
}

fn chosen(overlap: i128, prior: Prior) -> i128 {
    let apart = ONE - overlap;
    apart * apart / ONE * prior.chosen / ONE
}

/// Compares two models over all classes: as the first one's share of each class, where both answered some; pulled to what is
/// thought.
fn over_all(from: &OfModel, to: &OfModel, length: fn(&Answers) -> Length, prior: Prior) -> (i128, i128) {
    let (mut was, mut would, mut variance, mut overlap, mut n) = (0, 0, 0, 0, 0);
    for (a, b) in from.iter().zip(to).filter(|(a, b)| a.is_enough() && b.is_enough()) {
        let there = length(b).sum * a.n / b.n;
        was += length(a).sum;
        would += there;
        let both = length(a).variance(a.n) + length(b).variance(b.n);
        variance += there.saturating_mul(there) / ONE * both;
        overlap += a.overlap(b) * a.n;
        n += a.n;
    }
    let found = if n > 0 && would > 0 {
        let square = (would.saturating_mul(would) / ONE).max(1);
        overlap /= n;
        (overlap >= ALIKE || prior.is_telling)
            .then(|| (would * ONE / was.max(1), variance / square + chosen(overlap, prior)))
    } else {
        // They did different work.
        let all = |model: &OfModel| {
            let mut all = Answers::default();
            for answers in model {
                all.merge(answers);
            }
            all
        };
        overlap = 0;
        ratio(&all(from), &all(to), length, prior).map(|(ratio, variance)| (ratio, variance + prior.chosen))
    };
    let models = if overlap >= ALIKE { OPEN } else { prior.models };
    found.map_or((prior.ratio, prior.models), |found| pull(found, (prior.ratio, 0), models))
}

/// Pulls what was found towards what was thought, `between` apart by habit: the mean and variance of what is thought then.
fn pull((found, variance): (i128, i128), (thought, unsure): (i128, i128), between: i128) -> (i128, i128) {
    let prior = between + unsure;
    let sum = (prior + variance).max(1);
    // The weighted geometric mean, which lies between the arithmetic and the harmonic one.
    let above = (found * prior + thought * variance) / sum;
    let below = found * thought * sum / (found * variance + thought * prior).max(1);
    let ratio = (above * below).unsigned_abs().isqrt();
    (i128::try_from(ratio).unwrap_or(ONE), prior * variance / sum)
}

fn root(variance: i128) -> i128 {
    i128::try_from((variance.max(0) * ONE).unsigned_abs().isqrt()).unwrap_or(ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(n: i128, mean: i128, spread: i128, band: usize) -> OfModel {
        let mut answers = Answers { n, ..Answers::default() };
        for at in 0..n {
            let tokens = u64::try_from(mean + if at % 2 == 0 { spread } else { -spread }).unwrap();
            answers.prompt.add(tokens);
            answers.answer.add(tokens);
        }
        answers.bands[band] = n;
        let mut of = OfModel::default();
        of[TaskClass::Code as usize] = answers;
        of
    }

    fn scales(from: &OfModel, to: &OfModel, class: TaskClass) -> Scales {
        let fit = HabitFit { models: vec![*from, *to], ..HabitFit::default() };
        fit.finish().scales(ModelId(0), ModelId(1), class)
    }

    #[test]
    fn what_both_models_were_asked_alike_tells_how_their_lengths_differ() {
        let found = scales(&answers(1000, 100, 10, 0), &answers(1000, 250, 25, 0), TaskClass::Code);
        assert!((2_480_000..=2_500_000).contains(&found.answer.ratio), "{found:?}");
        assert!(
            (2_480_000..=2_500_000).contains(&found.prompt.ratio),
            "runs of agents differ in what they read"
        );
        assert!(found.answer.deviation < 10_000, "{found:?}");
        let few = scales(&answers(9, 100, 90, 0), &answers(9, 250, 240, 0), TaskClass::Code);
        assert!(few.answer.deviation > 200_000, "{few:?}");
        assert!(few.answer.ratio < found.answer.ratio);
    }

    #[test]
    fn prompts_of_requests_that_were_chosen_say_little_of_a_tokenizer() {
        let found = scales(&answers(1000, 100, 10, 4), &answers(1000, 800, 80, 1), TaskClass::Code);
        assert!(found.prompt.ratio < 1_200_000, "{found:?}");
        assert!(found.prompt.deviation >= 130_000, "{found:?}");
        assert!(found.answer.deviation >= 250_000, "{found:?}");
    }

    #[test]
    fn a_model_that_was_not_seen_is_as_long_and_that_unsurely() {
        let nobody = scales(&answers(1000, 100, 10, 0), &OfModel::default(), TaskClass::Code);
        assert_eq!(nobody, Scales::unseen());
        assert_eq!((nobody.answer.ratio, nobody.answer.deviation), (ONE, 500_000));
        let elsewhere = scales(&answers(1000, 100, 10, 0), &answers(1000, 250, 25, 0), TaskClass::Agent);
        assert!(elsewhere.answer.deviation >= 300_000, "another class of work: {elsewhere:?}");
        assert_eq!(
            HabitFit::default().finish().scales(ModelId(3), ModelId(3), TaskClass::Code).prompt,
            Scales::SAME.prompt
        );
    }

    #[test]
    fn scaled_tokens_stay_apart_and_unknown_ones_unknown() {
        let scale = |ratio| Scale { ratio, deviation: 0 };
        let scales = Scales { prompt: scale(ONE * 3 / 2), answer: scale(ONE / 2) };
        let usage = Usage {
            cache_read: Count::new(10).unwrap(),
            write_1h: Count::UNKNOWN,
            ..Usage::plain(100, 7).unwrap()
        };
        let scaled = scales.apply(&usage);
        assert_eq!(
            (scaled.input.get(), scaled.cache_read.get(), scaled.output.get()),
            (Some(150), Some(15), Some(4))
        );
        assert!(!scaled.write_1h.is_known());
        assert_eq!(Scales::SAME.apply(&usage), usage);
    }
}
