//! How hard a model is to think: OpenAI's words, Anthropic's and Gemini's budgets, and which models know of it at all.
//!
//! Effort is a hint. A model that would refuse the word is not told it; nothing else here looks at a model's name.

/// How hard a model is to think before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
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
}

impl Effort {
    /// Reads OpenAI's word.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" | "xhigh" | "max" => Self::High,
            _ => return None,
        })
    }

    /// Gives OpenAI's word.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// Reads a budget in tokens.
    pub(super) fn from_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..=2_048 => Self::Low,
            2_049..=12_288 => Self::Medium,
            _ => Self::High,
        }
    }

    /// Gives a budget in tokens: the figures by which Google reads OpenAI's words.
    pub(super) fn budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1_024,
            Self::Medium => 8_192,
            Self::High => 24_576,
        }
    }
}

/// Says whether an OpenAI model takes `reasoning_effort` and `max_completion_tokens` (and refuses `max_tokens`).
pub(super) fn thinks_before_answering(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let is_o = name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    is_o || (name.starts_with("gpt-5") && !name.contains("chat"))
}

/// Says whether a Claude model takes `thinking`.
pub(super) fn claude_thinks(model: &str) -> bool {
    !model.contains("claude-3-") || model.contains("claude-3-7")
}

/// Says whether a Gemini model takes `thinkingConfig`.
pub(super) fn gemini_thinks(model: &str) -> bool {
    !["gemini-1", "gemini-2.0", "gemma"].iter().any(|old| model.contains(old))
}
