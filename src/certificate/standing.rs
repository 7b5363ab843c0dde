//! What a certificate rests on, and when it no longer stands.

use crate::units::{Instant, PerMille, Span};

/// What decides and prices a route: where any of it changes, its certificate is void.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Grounds {
    /// Name and digest of the classifier.
    pub classifier: String,
    /// The cheap model, as the policy names it.
    pub cheap: String,
    /// The strong one.
    pub strong: String,
    /// A digest of what both cost.
    pub prices: String,
}

/// A statement that a route's loss at or above a threshold is at most epsilon, but for a chance of delta.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The route.
    pub route: String,
    /// The rung whose threshold it is about.
    pub rung: String,
    /// The lowest threshold that is certified.
    pub threshold: PerMille,
    /// The most loss, in millionths.
    pub epsilon_millionths: u32,
    /// The chance that it is wrong, in millionths.
    pub delta_millionths: u32,
    /// Whether the loss is that among the served alone.
    pub is_of_served: bool,
    /// Labels behind it.
    pub n: u64,
    /// Failures among them.
    pub failures: u64,
    /// When it was given.
    pub at: Instant,
    /// How long it stands at most.
    pub lasts: Span,
    /// What it rests on.
    pub grounds: Grounds,
}

/// Why a certificate no longer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// The classifier is another.
    Classifier,
    /// One of the models is another.
    Model,
    /// Prices have changed.
    Prices,
    /// It is too old.
    Age,
    /// Losses are above what it promises.
    Alarm,
    /// Confidences are no longer spread as they were.
    Drift,
}

impl Withdrawn {
    /// All reasons.
    pub const ALL: [Self; 6] =
        [Self::Classifier, Self::Model, Self::Prices, Self::Age, Self::Alarm, Self::Drift];

    /// Says it in a word, as it is kept.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Classifier => "classifier",
            Self::Model => "model",
            Self::Prices => "prices",
            Self::Age => "age",
            Self::Alarm => "alarm",
            Self::Drift => "drift",
        }
    }

    /// Says it to a reader.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Classifier => "the classifier is another",
            Self::Model => "a model is another",
            Self::Prices => "prices changed",
            Self::Age => "it is too old",
            Self::Alarm => "losses rose above it",
            Self::Drift => "confidences drifted",
        }
    }
}

impl Certificate {
    /// Says why it does not stand at a moment, on what holds then; `None` where it stands.
    pub fn void(&self, at: Instant, now: &Grounds) -> Option<Withdrawn> {
        let of = &self.grounds;
        if of.classifier != now.classifier {
            Some(Withdrawn::Classifier)
        } else if of.cheap != now.cheap || of.strong != now.strong {
            Some(Withdrawn::Model)
        } else if of.prices != now.prices {
            Some(Withdrawn::Prices)
        } else if at - self.at > self.lasts {
            Some(Withdrawn::Age)
        } else {
            None
        }
    }
}
