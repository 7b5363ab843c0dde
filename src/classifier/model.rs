//! The classifier: features times weights, a logistic score, a calibrated confidence.

use super::feature::Features;
use super::logistic::sigmoid;
use super::opinion::{Basis, Contribution, Opinion};
use super::weights::{CLASSES, Classifier};
use super::{FeatureId, Measures, TaskClass, extract};

/// The classifier file that comes with the program.
pub const BUILTIN: &str = include_str!("../../config/classifier.toml");

impl Classifier {
    /// Returns the classifier that is built in: a conservative cold start until one is trained on the operator's own log.
    pub fn builtin() -> Self {
        // A test holds that the file is good; were it not, a classifier that never has a signal is the safe one.
        Self::from_toml(BUILTIN).unwrap_or_else(|_| Self::silent())
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

    /// Returns the weight of a feature, in milli-logits at full strength.
    pub fn weight(&self, feature: FeatureId) -> i16 {
        self.weights.get(feature.index()).copied().unwrap_or(0)
    }

    /// Returns the class of a request and the confidence that the cheap answer will do, or none without a signal.
    pub fn classify(&self, text: Option<&str>, measures: &Measures) -> Opinion {
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

    /// Returns the features of a request, what they rest on and the class they speak for; training learns from these.
    pub fn features(&self, text: Option<&str>, measures: &Measures) -> (Features, Basis, TaskClass) {
        let mut features = Features::default();
        extract::measures(measures, &mut features);
        let text = text.and_then(|text| extract::text(text, &self.lexicon, self.least_known, &mut features));
        let basis = match text {
            Some(true) => Basis::Text,
            // The turn and the tools say how a request is made, not what it asks.
            None if measures.prompt_tokens.is_some() || measures.task.is_some() => Basis::Measures,
            Some(false) | None => Basis::NoSignal,
        };
        let class = measures.task.unwrap_or_else(|| match basis {
            Basis::NoSignal => TaskClass::Other,
            _ => self.vote(&features),
        });
        features.set(FeatureId::of_class(class), 1000);
        (features, basis, class)
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

impl Default for Classifier {
    fn default() -> Self {
        Self::builtin()
    }
}
