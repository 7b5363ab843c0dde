//! What a log shows of each model: how its latency grows with the answer, how much answer lengths spread.
//!
//! Fitted on integers from the first stretch of a log and then frozen, so every estimate of a run rests on the same profile.

use super::habits::{HabitFit, ONE};
use super::{Evidence, Habits, Scale, Scales};
use crate::classifier::TaskClass;
use crate::pricing::PriceTable;
use crate::units::{Count, Millis, ModelId};

/// Fewer observations than this give no profile.
const LEAST: u64 = 20;

/// Sums from which a profile is fitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    timed: u64,
    latency: i128,
    output_timed: i128,
    output_timed_squared: i128,
    product: i128,
    counted: u64,
    output: i128,
    output_squared: i128,
    prompted: u64,
    prompt: i128,
    prompt_squared: i128,
}

/// Lengths of two models' answers to one request: of any other model, and of the one that is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Both {
    n: i128,
    other: i128,
    own: i128,
    other_squared: i128,
    own_squared: i128,
    product: i128,
}

impl Both {
    fn add(&mut self, other: i128, own: i128) {
        self.n += 1;
        self.other += other;
        self.own += own;
        self.other_squared += other * other;
        self.own_squared += own * own;
        self.product += other * own;
    }

    /// Returns their correlation in thousandths, held to one half as by [`HALVES`] requests; nobody is sure of what was not seen.
    fn correlation(&self) -> i128 {
        let spread = |sum: i128, squared: i128| {
            let about = (self.n * squared - sum * sum).max(0).unsigned_abs().isqrt();
            i128::try_from(about).unwrap_or(i128::MAX)
        };
        let spreads =
            spread(self.other, self.other_squared).saturating_mul(spread(self.own, self.own_squared));
        let common = (self.n * self.product - self.other * self.own).saturating_mul(1000);
        let seen = if spreads > 0 { (common / spreads).clamp(0, MOST_ALIKE) } else { 500 };
        (self.n * seen + HALVES * 500) / (self.n + HALVES)
    }
}

/// How many requests the correlation is held to one half by, and the most that is believed, in thousandths.
const HALVES: i128 = 40;
const MOST_ALIKE: i128 = 950;

/// Collects observations for [`Profiles`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileFit {
    models: Vec<Sums>,
    all: Sums,
    /// By model, what it and others wrote to the same requests.
    both: Vec<Both>,
    both_all: Both,
    habits: HabitFit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Profile {
    /// Milliseconds before the answer grows, and per thousand tokens of it; `None` where too little was seen.
    latency: Option<(i64, i64)>,
    /// How far an answer is from what another model's to the same request lets expect, as a standard deviation in tokens; `None`
    /// where too little was seen.
    spread: Option<u64>,
    /// That of prompts.
    prompt_spread: Option<u64>,
}

/// Frozen profiles by model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles {
    models: Vec<Profile>,
    all: Profile,
    habits: Habits,
}

impl Sums {
    fn add(&mut self, output: i128, prompt: Option<i128>, latency: Option<i128>) {
        if let Some(prompt) = prompt {
            self.prompted += 1;
            self.prompt += prompt;
            self.prompt_squared += prompt * prompt;
        }
        self.counted += 1;
        self.output += output;
        self.output_squared += output * output;
        if let Some(latency) = latency {
            self.timed += 1;
            self.latency += latency;
            self.output_timed += output;
            self.output_timed_squared += output * output;
            self.product += output * latency;
        }
    }

    fn fit(&self) -> Profile {
        let latency = (self.timed >= LEAST).then(|| {
            let n = i128::from(self.timed);
            let denominator = n * self.output_timed_squared - self.output_timed * self.output_timed;
            let numerator = n * self.product - self.latency * self.output_timed;
            let slope = if denominator > 0 { (numerator * 1000 / denominator).max(0) } else { 0 };
            let base = ((self.latency - slope * self.output_timed / 1000) / n).max(0);
            (i64::try_from(base).unwrap_or(i64::MAX), i64::try_from(slope).unwrap_or(i64::MAX))
        });
        let spread = |n: u64, sum: i128, squared: i128| {
            (n >= LEAST).then(|| {
                let n = i128::from(n);
                let variance = (n * squared - sum * sum).max(0) / (n * n);
                variance.unsigned_abs().isqrt().try_into().unwrap_or(u64::MAX)
            })
        };
        Profile {
            latency,
            spread: spread(self.counted, self.output, self.output_squared),
            prompt_spread: spread(self.prompted, self.prompt, self.prompt_squared),
        }
    }
}

impl ProfileFit {
    /// Adds what one operation shows. A model is one under all its names.
    pub fn add(&mut self, evidence: &Evidence<'_>, prices: &PriceTable) {
        for seen in evidence.attempts() {
            let model = prices.identity(seen.model).index();
            let (Some(index), Some(output)) = (model, seen.usage.output.get()) else { continue };
            if !seen.status.is_ok() {
                continue;
            }
            if self.models.len() <= index {
                self.models.resize_with(index + 1, Sums::default);
            }
            let latency = seen.latency.get().map(i128::from);
            let prompt = seen.usage.prompt().map(i128::from);
            self.models[index].add(i128::from(output), prompt, latency);
            self.all.add(i128::from(output), prompt, latency);
        }
        self.compare(evidence, prices);
        self.habits.add(evidence, prices);
    }

    /// Adds what several models wrote to one request: those that were called, and those whose answer a label measured.
    fn compare(&mut self, evidence: &Evidence<'_>, prices: &PriceTable) {
        // Most requests have one answer, and their logs are long.
        let Some(extra) = evidence.extra else { return };
        let called = evidence.attempts().filter(|seen| seen.status.is_ok());
        let called = called.filter_map(|seen| Some((seen.model, seen.usage.output.get()?)));
        let measured = extra.labels.iter().filter_map(|label| Some((label.model, u64::from(label.output?))));
        let mut lengths: arrayvec::ArrayVec<(usize, i128), COMPARED> = arrayvec::ArrayVec::new();
        for (model, output) in called.chain(measured) {
            let Some(index) = prices.identity(model).index() else { continue };
            if lengths.iter().all(|(known, _)| *known != index) {
                let _ = lengths.try_push((index, i128::from(output)));
            }
        }
        for &(index, own) in &lengths {
            for &(_, other) in lengths.iter().filter(|(known, _)| *known != index) {
                if self.both.len() <= index {
                    self.both.resize_with(index + 1, Both::default);
                }
                if let Some(both) = self.both.get_mut(index) {
                    both.add(other, own);
                }
                self.both_all.add(other, own);
            }
        }
    }

    /// Fits the profiles.
    pub fn finish(&self) -> Profiles {
        let together = |both: Option<&Both>| {
            let both = both.filter(|both| both.n >= i128::from(LEAST)).unwrap_or(&self.both_all);
            both.correlation()
        };
        let of = |(at, sums): (usize, &Sums)| sums.fit().given(together(self.both.get(at)));
        Profiles {
            models: self.models.iter().enumerate().map(of).collect(),
            all: self.all.fit().given(together(None)),
            habits: self.habits.finish(),
        }
    }
}

/// Answers to one request that are compared.
const COMPARED: usize = 4;

impl Profile {
    /// Narrows or widens the spread of answers to what is left of it where another model's answer to the same request is known: with
    /// a correlation of one half all of it.
    fn given(self, correlation: i128) -> Self {
        let root = ((2_000 - 2 * correlation).max(0) * 1_000).unsigned_abs().isqrt();
        let left = |spread: u64| u64::try_from(u128::from(spread) * root / 1_000).unwrap_or(u64::MAX);
        Self { spread: self.spread.map(left), ..self }
    }
}

impl Profiles {
    /// `model` is the identity of one.
    fn of(&self, model: ModelId) -> Profile {
        model.index().and_then(|index| self.models.get(index)).copied().unwrap_or_default()
    }

    /// Estimates the latency of an answer of that length; unknown for a model that was hardly seen.
    pub fn latency(&self, model: ModelId, output: Count) -> Millis {
        let (Some((base, slope)), Some(output)) = (self.of(model).latency, output.get()) else {
            return Millis::UNKNOWN;
        };
        let output = i64::try_from(output).unwrap_or(i64::MAX);
        let millis = base.saturating_add(slope.saturating_mul(output) / 1000);
        Millis::new(u64::try_from(millis).unwrap_or(0))
    }

    /// Says how the tokens of one model's answer become those of another's; both are identities.
    pub fn scales(&self, from: ModelId, to: ModelId, class: TaskClass) -> Scales {
        self.habits.scales(from, to, class)
    }

    /// Returns the spread of a prompt that was scaled: where the ratio says that both read the same text, what tokenizers
    /// make of texts; else that of the model's prompts.
    pub fn prompt_spread(&self, model: ModelId, scale: Scale, prompt: u64) -> u64 {
        let of_text = prompt / 10;
        if (ONE * 7 / 10..=ONE * 14 / 10).contains(&scale.ratio) {
            return of_text;
        }
        self.of(model).prompt_spread.or(self.all.prompt_spread).unwrap_or(of_text)
    }

    /// Returns the spread (standard deviation) of a model's answer around what another's to the same request lets expect, or of all
    /// models' where it was hardly seen.
    pub fn output_spread(&self, model: ModelId) -> u64 {
        self.of(model).spread.or(self.all.spread).unwrap_or(0)
    }
}
