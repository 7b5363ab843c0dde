//! The classifier: features times weights, a logistic score, a calibrated confidence; or what training found instead.

use std::sync::LazyLock;

use super::about::About;
use super::feature::Features;
use super::logistic::sigmoid;
use super::opinion::{Basis, Contribution, Opinion};
use super::reading::Reading;
use super::trained::{Trained, contributions};
use super::weights::{CLASSES, Classifier};
use super::{FeatureId, Measures, TaskClass, ask, extract};

/// The classifier file that comes with the program.
pub const BUILTIN: &str = include_str!("../../config/classifier.toml");

/// Weights trained on public sets of questions; nobody gets them without asking.
const PUBLIC: &str = include_str!("../../config/classifier-public.toml");

impl Classifier {
    /// Returns the trained weights that come with the program, by their name: `public`.
    pub fn shipped(name: &str) -> Option<Self> {
        (name == "public").then(|| Self::from_toml(PUBLIC).ok()).flatten()
    }

    /// Returns the classifier that is built in: a conservative cold start until one is trained on the operator's own log.
    pub fn builtin() -> Self {
        Self::cold_start()
    }

    /// Returns the weights that are set by hand; trained ones read requests through their lexicon.
    pub fn cold_start() -> Self {
        // Read once. A test holds that the file is good; were it not, a classifier that never has a signal is the safe one.
        static READ: LazyLock<Classifier> =
            LazyLock::new(|| Classifier::from_toml(BUILTIN).unwrap_or_else(|_| Classifier::silent()));
        READ.clone()
    }

    /// Returns what it says of itself, where it was trained.
    pub fn about(&self) -> Option<&About> {
        self.about.as_deref()
    }

    /// Returns the tables that training found, where it was trained.
    pub fn tables(&self) -> Option<&Trained> {
        self.trained.as_deref()
    }

    /// Returns the name the weights file states.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version the weights file states.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Returns the hash of everything that decides: thresholds belong to one hash and to no other.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Says whether this is the hash that is meant: whole, or its first eight digits or more; a name may stand before it.
    pub fn is_named(&self, hash: &str) -> bool {
        let digits = hash.rsplit(' ').next().unwrap_or("").to_ascii_lowercase();
        digits.len() >= 8 && format!("{:016x}", self.hash).starts_with(&digits)
    }

    /// Returns the weight of a feature, in milli-logits at full strength.
    pub fn weight(&self, feature: FeatureId) -> i16 {
        self.weights.get(feature.index()).copied().unwrap_or(0)
    }

    /// Returns the class of a request and the confidence that the cheap answer will do, or none without a signal.
    pub fn classify(&self, text: Option<&str>, measures: &Measures) -> Opinion {
        let Some(trained) = self.trained.as_deref() else { return self.by_weights(text, measures) };
        let mut reading = Reading::new();
        let (mut features, told) = self.look(text, measures, Some(&mut reading));
        let class = self.class(&mut features, measures, basis_of(told, measures) != Basis::NoSignal);
        let parts = trained.parts(told.map(|_| &reading), trained.tags_of(measures));
        let unlike = Contribution { feature: FeatureId::PART_UNLIKE, milli_logits: -10_000 };
        if !trained.has_signal(&parts) {
            let mut opinion = Opinion::without_signal(class);
            if parts.has_text {
                opinion.note(unlike);
            }
            return opinion;
        }
        let basis = if parts.has_text { Basis::Text } else { Basis::Measures };
        let mut opinion = Opinion::new(class, trained.confidence(trained.gain(&parts)), basis);
        for (feature, milli_logits) in contributions(&parts) {
            opinion.note(Contribution { feature, milli_logits });
        }
        opinion
    }

    fn by_weights(&self, text: Option<&str>, measures: &Measures) -> Opinion {
        let (features, basis, class) = self.features(text, measures);
        if basis == Basis::NoSignal || self.calibration.knots().is_empty() {
            return Opinion::without_signal(class);
        }
        let mut opinion =
            Opinion::new(class, self.calibration.apply(sigmoid(self.score(&features, basis))), basis);
        for (feature, strength) in features.present() {
            opinion.note(Contribution { feature, milli_logits: self.contribution(feature, strength) });
        }
        opinion
    }

    /// Returns the features of a request, what they rest on and the class they speak for.
    pub fn features(&self, text: Option<&str>, measures: &Measures) -> (Features, Basis, TaskClass) {
        let (mut features, told) = self.look(text, measures, None);
        let basis = basis_of(told, measures);
        let class = self.class(&mut features, measures, basis != Basis::NoSignal);
        (features, basis, class)
    }

    /// Reads a request as a classifier does that is trained now; returns whether there is an ask.
    pub fn read(&self, text: &str, measures: &Measures, reading: &mut Reading) -> bool {
        let mut features = Features::default();
        extract::measures(measures, &mut features);
        let ask = ask::find(text);
        let has_ask = extract::text(&ask, &self.lexicon, self.least_known, &mut features).is_some();
        if has_ask {
            reading.fill(&ask, &features, measures, b'\n');
        }
        has_ask
    }

    /// Finds the ask and its features, with a word on whether the lexicon knows it; and reads it for a trained classifier.
    fn look(
        &self,
        text: Option<&str>,
        measures: &Measures,
        reading: Option<&mut Reading>,
    ) -> (Features, Option<bool>) {
        let mut features = Features::default();
        extract::measures(measures, &mut features);
        let ask = text.map(ask::find).unwrap_or_default();
        let told = extract::text(&ask, &self.lexicon, self.least_known, &mut features);
        if let Some(reading) = reading.filter(|_| told.is_some()) {
            let line_end = self.trained.as_deref().map_or(b'\n', Trained::line_end);
            reading.fill(&ask, &features, measures, line_end);
        }
        (features, told)
    }

    fn class(&self, features: &mut Features, measures: &Measures, votes: bool) -> TaskClass {
        let class =
            measures.task.unwrap_or_else(|| if votes { self.vote(features) } else { TaskClass::Other });
        features.set(FeatureId::of_class(class), 1000);
        class
    }

    /// Returns the score in milli-logits, before the logistic function and the calibration.
    pub fn score(&self, features: &Features, basis: Basis) -> i64 {
        let bias = if basis == Basis::Text { self.bias } else { self.measures_bias };
        let parts =
            features.present().map(|(feature, strength)| i64::from(self.contribution(feature, strength)));
        i64::from(bias) + parts.sum::<i64>()
    }

    fn contribution(&self, feature: FeatureId, strength: u16) -> i16 {
        let thousandths = i32::from(self.weight(feature)) * i32::from(strength);
        i16::try_from(thousandths / 1000).unwrap_or(0)
    }

    fn vote(&self, features: &Features) -> TaskClass {
        let mut sums = [0i32; CLASSES];
        for (feature, strength) in features.present() {
            let Some(votes) = self.votes.get(feature.index()) else { continue };
            for (sum, &vote) in sums.iter_mut().zip(votes) {
                *sum += i32::from(vote) * i32::from(strength) / 1000;
            }
        }
        let mut best = (TaskClass::Other, self.least_votes.saturating_sub(1));
        for (class, sum) in TaskClass::ALL.into_iter().zip(sums) {
            if sum > best.1 {
                best = (class, sum);
            }
        }
        best.0
    }
}

fn basis_of(told: Option<bool>, measures: &Measures) -> Basis {
    match told {
        Some(true) => Basis::Text,
        // The turn and the tools say how a request is made, not what it asks.
        None if measures.prompt_tokens.is_some() || measures.task.is_some() => Basis::Measures,
        Some(false) | None => Basis::NoSignal,
    }
}

impl Default for Classifier {
    fn default() -> Self {
        Self::builtin()
    }
}
