//! Why a certificate no longer stands.

/// Why a certificate no longer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// The classifier is another.
    Classifier,
    /// One of the models is another.
    Model,
    /// One of the models is asked otherwise.
    Parameters,
    /// Prices have changed.
    Prices,
    /// It is too old.
    Age,
    /// Losses are above what it promises.
    Alarm,
    /// Confidences are no longer spread as they were.
    Drift,
    /// More is lost than confidences say, and than was lost at them.
    Calibration,
}

impl Withdrawn {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Classifier,
        Self::Model,
        Self::Parameters,
        Self::Prices,
        Self::Age,
        Self::Alarm,
        Self::Drift,
        Self::Calibration,
    ];

    /// Says it in a word, as it is kept.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Classifier => "classifier",
            Self::Model => "model",
            Self::Parameters => "parameters",
            Self::Prices => "prices",
            Self::Age => "age",
            Self::Alarm => "alarm",
            Self::Drift => "drift",
            Self::Calibration => "calibration",
        }
    }

    /// Says it to a reader.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Classifier => "the classifier is another",
            Self::Model => "a model is another",
            Self::Parameters => "a model is asked otherwise",
            Self::Prices => "prices changed",
            Self::Age => "it is too old",
            Self::Alarm => "losses rose above it",
            Self::Drift => "confidences drifted",
            Self::Calibration => "confidences hold less",
        }
    }
}
