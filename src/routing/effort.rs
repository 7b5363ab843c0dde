//! How hard a model is to think before it answers.

use crate::units::words;

/// How hard a model is to think before it answers, in OpenAI's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Effort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// A little.
    Low,
    /// As it sees fit.
    Medium,
    /// A lot.
    High,
    /// More than a lot.
    XHigh,
    /// As much as it can.
    Max,
}

words!(Effort {
    None = "none", Minimal = "minimal", Low = "low", Medium = "medium", High = "high", XHigh = "xhigh",
    Max = "max",
});

impl Effort {
    /// Returns OpenAI's word as JSON.
    pub fn quoted(self) -> &'static str {
        match self {
            Self::None => "\"none\"",
            Self::Minimal => "\"minimal\"",
            Self::Low => "\"low\"",
            Self::Medium => "\"medium\"",
            Self::High => "\"high\"",
            Self::XHigh => "\"xhigh\"",
            Self::Max => "\"max\"",
        }
    }

    /// Says whether it is more than what every model that thinks knows.
    pub fn is_beyond_high(self) -> bool {
        matches!(self, Self::XHigh | Self::Max)
    }

    /// Reads a budget in tokens.
    pub fn from_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..=2_048 => Self::Low,
            2_049..=12_288 => Self::Medium,
            _ => Self::High,
        }
    }

    /// Returns a budget in tokens: the figures by which Google reads OpenAI's words.
    pub fn budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1_024,
            Self::Medium => 8_192,
            Self::High | Self::XHigh | Self::Max => 24_576,
        }
    }
}
