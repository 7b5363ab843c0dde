//! What of a request a route looks at.

use super::{Draw, Lot};
use crate::classifier::TaskClass;
use crate::units::{ModelId, PerMille, ProjectId, TeamId};

/// Where a confidence comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum ConfidenceSource {
    /// There is none.
    #[default]
    None,
    /// The log carries it.
    Recorded,
    /// The log carries it with what our classifier saw when the request arrived.
    Judged,
    /// Our classifier read the text.
    Text,
    /// Our classifier read measures only (tokens, turn, tools, history).
    Measures,
}

impl ConfidenceSource {
    /// Says whether the log carries the confidence, whoever judged.
    pub fn is_told(self) -> bool {
        matches!(self, Self::Recorded | Self::Judged)
    }

    /// Says it in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::None => "no signal",
            Self::Recorded => "recorded in the log",
            Self::Judged => "by the classifier, when it arrived",
            Self::Text => "classified from text",
            Self::Measures => "classified from measures",
        }
    }
}

/// What a decision looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Signals {
    /// The team that pays.
    pub team: TeamId,
    /// The project.
    pub project: ProjectId,
    /// The kind of work.
    pub class: TaskClass,
    /// The model or alias asked for.
    pub asked: ModelId,
    /// The id that stands for that model under all its names.
    pub known_as: ModelId,
    /// The confidence that the cheap answer will do.
    pub confidence: Option<PerMille>,
    /// Where that confidence comes from.
    pub source: ConfidenceSource,
    /// By what canaries draw it.
    pub lot: Lot,
    /// Whether the client named a concrete model, which then serves whatever the confidence.
    pub pinned: bool,
    /// Its lot, where its route explores.
    pub draw: Draw,
}
