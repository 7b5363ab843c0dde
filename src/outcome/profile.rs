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

/// Collects observations for [`Profiles`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileFit {
    models: Vec<Sums>,
    all: Sums,
    habits: HabitFit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Profile {
    /// Milliseconds before the answer grows, and per thousand tokens of it; `None` where too little was seen.
    latency: Option<(i64, i64)>,
    /// Standard deviation of answer length in tokens; `None` where too little was seen.
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
        self.habits.add(evidence, prices);
    }

    /// Fits the profiles.
    pub fn finish(&self) -> Profiles {
        Profiles {
            models: self.models.iter().map(Sums::fit).collect(),
            all: self.all.fit(),
            habits: self.habits.finish(),
        }
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

    /// Returns the spread (standard deviation) of a model's answer length, or of all models' where it was hardly seen.
    pub fn output_spread(&self, model: ModelId) -> u64 {
        self.of(model).spread.or(self.all.spread).unwrap_or(0)
    }
}
