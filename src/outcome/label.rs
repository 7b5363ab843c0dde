//! What is known of a model's answer, and who says so.

use crate::units::{ModelId, PerMille, words};

/// Who or what judged an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LabelSource {
    /// The log itself says it, and not who.
    #[default]
    Told,
    /// A client, through the gateway.
    Feedback,
    /// Somebody who compared two answers blindly.
    Person,
    /// A model.
    Judge,
    /// A model for want of whose key its verdict was made up, or anybody, of an answer that was.
    Simulated,
    /// A check of the answer.
    Check,
    /// Anybody else.
    Other,
}

words!(LabelSource {
    Told = "log", Feedback = "feedback", Person = "people", Judge = "judge", Simulated = "simulated",
    Check = "checks", Other = "other",
});

impl LabelSource {
    /// Reads it off the words of a log, whose first says what it is: `feedback by ci`, `label by ann`, `judge gpt-5`; the
    /// last two may be `(simulated)`.
    pub fn of(words: &str) -> Self {
        match words.split_whitespace().next() {
            None => Self::Told,
            Some("feedback") => Self::Feedback,
            Some("judge" | "label") if words.trim_end().ends_with("(simulated)") => Self::Simulated,
            Some("label") => Self::Person,
            Some("judge") => Self::Judge,
            Some("check") => Self::Check,
            Some(_) => Self::Other,
        }
    }

    /// Says whether a model judged, a real one or not.
    pub const fn is_model(self) -> bool {
        matches!(self, Self::Judge | Self::Simulated)
    }

    /// Says whether a person judged, as far as can be told.
    pub const fn is_person(self) -> bool {
        matches!(self, Self::Feedback | Self::Person)
    }
}

/// What is known of one model's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelLabel {
    /// The model.
    pub model: ModelId,
    /// How good the answer was.
    pub quality: Option<PerMille>,
    /// The tokens it took, where it was really made.
    pub output: Option<u32>,
    /// Who says so.
    pub source: LabelSource,
}

impl ModelLabel {
    /// Returns what it says of a request: a verdict that was made up says nothing of one that was served in truth.
    #[must_use]
    pub fn about(self, is_simulated: bool) -> Self {
        let is_word = is_simulated || self.source != LabelSource::Simulated;
        Self { quality: self.quality.filter(|_| is_word), output: self.output.filter(|_| is_word), ..self }
    }
}

/// Takes in a label; of several from one source the latest word on each thing counts, and stands last.
pub(super) fn judge(labels: &mut Vec<ModelLabel>, mut label: ModelLabel) {
    let same = |known: &ModelLabel| known.model == label.model && known.source == label.source;
    if let Some(at) = labels.iter().position(same) {
        let known = labels.remove(at);
        label.quality = label.quality.or(known.quality);
        label.output = label.output.or(known.output);
    }
    labels.push(label);
}

/// Brings together what several said of one answer: the latest word counts, but a model's only where nobody else spoke.
#[inline]
pub(super) fn together(labels: impl Iterator<Item = ModelLabel>) -> Option<ModelLabel> {
    let mut all: Option<ModelLabel> = None;
    for label in labels {
        let known = *all.get_or_insert(label);
        let yields = label.source.is_model() && !known.source.is_model();
        let (first, second) = if yields { (known, label) } else { (label, known) };
        let source = if first.quality.is_some() { first.source } else { second.source };
        all = Some(ModelLabel {
            model: first.model,
            quality: first.quality.or(second.quality),
            output: first.output.or(second.output),
            source,
        });
    }
    all
}
