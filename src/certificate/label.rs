//! Paired labels, and the loss that a certificate bounds.

use crate::calibration::Judged;
use crate::telemetry::Pair;
use crate::units::PerMille;

/// How good the cheap and the strong answer to one request were, and how sure the classifier was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The confidence of the request.
    pub confidence: PerMille,
    /// The quality of the cheap answer.
    pub cheap: PerMille,
    /// The quality of the strong answer.
    pub strong: PerMille,
    /// The least confidence of which answers are judged as this one was; below it nothing is known of any.
    pub judged_from: PerMille,
}

impl Label {
    /// Takes a label of a sample in which every confidence had its chance.
    pub fn fair(confidence: PerMille, cheap: PerMille, strong: PerMille) -> Self {
        Self { confidence, cheap, strong, judged_from: PerMille::ZERO }
    }
}

/// What is lost where the cheap model serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All, where the strong answer would have been acceptable and the cheap one was not: of this quality or better.
    Acceptable(PerMille),
    /// As much as the cheap answer was worse.
    Graded,
}

impl Loss {
    /// Judges a confidence by what is kept where the cheap answer is served.
    pub fn judged(self, label: &Label) -> Judged {
        let kept = PerMille::new(1000 - self.of(label).get()).unwrap_or_default();
        Judged { confidence: label.confidence, quality: kept }
    }

    /// Says whether labels leave anything to lose: by this measure some strong answer was worth having.
    pub fn may_be_any<'l>(self, labels: impl IntoIterator<Item = &'l Label>) -> bool {
        match self {
            Self::Acceptable(floor) => labels.into_iter().any(|label| label.strong >= floor),
            Self::Graded => true,
        }
    }

    /// Returns the loss of serving the cheap answer.
    pub fn of(self, label: &Label) -> PerMille {
        match self {
            Self::Acceptable(floor) if label.strong >= floor && label.cheap < floor => PerMille::ONE,
            Self::Acceptable(_) => PerMille::ZERO,
            Self::Graded => {
                PerMille::new(label.strong.get().saturating_sub(label.cheap.get())).unwrap_or_default()
            }
        }
    }
}

impl From<Pair> for Label {
    fn from(Pair { confidence, cheap, strong, judged_from }: Pair) -> Self {
        Self { confidence, cheap, strong, judged_from }
    }
}
