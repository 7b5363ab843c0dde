//! How hard a model is to think: OpenAI's words, Anthropic's and Gemini's budgets, and which models know of it at all.
//!
//! Effort is a hint. A model that would refuse the word is not told it; nothing else here looks at a model's name.

pub(super) use crate::routing::Effort;

/// Says whether an OpenAI model takes `reasoning_effort` and `max_completion_tokens` (and refuses `max_tokens`).
pub(super) fn thinks_before_answering(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    let is_o = name.strip_prefix('o').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    is_o || (gpt(name).is_some_and(|version| version >= (5, 0)) && !name.contains("chat"))
}

/// Reads the version of a GPT model, and of no other.
fn gpt(name: &str) -> Option<(u32, u32)> {
    let mut numbers = name.strip_prefix("gpt-")?.split(['-', '.']);
    // `gpt-4o` is none.
    let major = numbers.next()?.parse().ok()?;
    let minor = name.split_once('.').and_then(|(_, rest)| rest.split('-').next()?.parse().ok()).unwrap_or(0);
    Some((major, minor))
}

/// Returns OpenAI's word for an effort as a model takes it: those before GPT-5.1 cannot be told not to think at all, the
/// o-series not even to think least, and those from 5.1 know no least; more than a lot is known from 5.1-codex-max on.
pub(super) fn openai_word(model: &str, effort: Effort) -> &'static str {
    let name = model.rsplit('/').next().unwrap_or(model);
    match (effort, gpt(name)) {
        (Effort::None | Effort::Minimal, None) => "low",
        (Effort::None, Some(version)) if version < (5, 1) => "minimal",
        (Effort::Minimal, Some(version)) if version >= (5, 1) => "low",
        (Effort::XHigh | Effort::Max, Some(version))
            if version >= (5, 2) || name.starts_with("gpt-5.1-codex-max") =>
        {
            "xhigh"
        }
        (Effort::XHigh | Effort::Max, _) => "high",
        _ => effort.name(),
    }
}

/// Returns the `thinking.type` of other makers for an effort.
pub(super) fn thinking_type(effort: Effort) -> &'static str {
    if effort == Effort::None { "disabled" } else { "enabled" }
}

/// The least budget of thinking that Anthropic takes.
pub(super) const LEAST_BUDGET: u64 = 1_024;

/// How a Claude model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claude {
    /// It cannot be told.
    Not,
    /// By a budget of tokens.
    Budget,
    /// As it sees fit, with an effort beside it.
    Adaptive,
}

/// Says how a Claude model is told to think, by the version in its name.
pub(super) fn claude(model: &str) -> Claude {
    if model.contains("claude-3-7") {
        return Claude::Budget;
    }
    match claude_version(model) {
        Some(version) if version >= (4, 6) => Claude::Adaptive,
        Some((4, _)) => Claude::Budget,
        _ => Claude::Not,
    }
}

/// Returns Anthropic's word for an effort as a model takes it: more than a lot is known from 4.7 on, the most from 4.6 on, and
/// least nowhere.
pub(super) fn claude_word(model: &str, effort: Effort) -> &'static str {
    match effort {
        Effort::Minimal => "low",
        Effort::XHigh if claude_version(model).is_none_or(|version| version < (4, 7)) => "high",
        Effort::Max if claude_version(model).is_none_or(|version| version < (4, 6)) => "high",
        _ => effort.name(),
    }
}

/// Says whether a Gemini model cannot be told not to think.
pub(super) fn gemini_always_thinks(model: &str) -> bool {
    model.contains("gemini-2.5-pro")
        || model.contains("gemini-pro-latest")
        || (model.contains("gemini-3") && model.contains("pro"))
}

/// Returns the budget of thinking next to `budget` that a Gemini model takes.
/// <https://ai.google.dev/gemini-api/docs/thinking>
pub(super) fn gemini_budget(model: &str, budget: u64) -> u64 {
    match budget {
        _ if gemini_always_thinks(model) => budget.clamp(128, 32_768),
        0 => 0,
        _ if model.contains("flash-lite") => budget.clamp(512, 24_576),
        _ => budget.min(24_576),
    }
}

/// Says whether a Claude model keeps its thoughts to itself unless it is asked for them.
pub(super) fn claude_keeps_thoughts(model: &str) -> bool {
    claude_version(model).is_some_and(|version| version >= (4, 7))
}

/// Says whether a model that is asked as Claude is has no structured outputs: they came with Opus 4.1 and Sonnet 4.5, and models
/// of other makers that take messages have none.
pub(super) fn claude_lacks_schemas(model: &str) -> bool {
    const CLAUDES: [&str; 7] = ["claude", "anthropic", "opus", "sonnet", "haiku", "fable", "mythos"];
    !CLAUDES.iter().any(|name| model.contains(name))
        || model.contains("claude-3")
        || model.contains("claude-2")
        || claude_version(model) == Some((4, 0))
}

/// Reads the version in the name of a Claude model.
fn claude_version(model: &str) -> Option<(u32, u32)> {
    let families = ["opus-", "sonnet-", "haiku-", "fable-", "mythos-"];
    let version = families.iter().find_map(|family| {
        let mut numbers = model.split_once(family)?.1.split(['-', '.', '@', ':']).map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        // What follows may be a date.
        let minor = numbers.next().and_then(Result::ok).filter(|minor| *minor < 100).unwrap_or(0);
        Some((major, minor))
    });
    version.filter(|version| version.0 < 1_000)
}

/// Says whether a Gemini model takes `thinkingConfig`.
pub(super) fn gemini_thinks(model: &str) -> bool {
    !["gemini-1", "gemini-2.0", "gemma"].iter().any(|old| model.contains(old))
}

/// Says whether a model may think before it answers without being told to, so that a small limit would leave no answer.
pub fn may_think(model: &str) -> bool {
    thinks_before_answering(model) || (model.contains("gemini") && gemini_thinks(model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_model_is_told_what_it_would_refuse() {
        for (model, want) in [
            ("claude-opus-4-6", Claude::Adaptive),
            ("claude-sonnet-4-5-20250929", Claude::Budget),
            ("claude-opus-4-20250514", Claude::Budget),
            ("anthropic/claude-sonnet-5", Claude::Adaptive),
            ("claude-3-7-sonnet-20250219", Claude::Budget),
            ("claude-3-5-sonnet-20241022", Claude::Not),
            ("claude-3-haiku-20240307", Claude::Not),
            ("simulated", Claude::Not),
        ] {
            assert_eq!(claude(model), want, "{model}");
        }
        assert!(
            ["o3", "o4-mini", "gpt-5-mini", "openai/o1", "gpt-5.6-sol", "gpt-6.2-sol"]
                .iter()
                .all(|model| thinks_before_answering(model))
        );
        assert!(
            !["gpt-4.1", "gpt-4o", "omni", "gpt-5-chat-latest", "gpt-oss-120b"]
                .iter()
                .any(|model| thinks_before_answering(model))
        );
        for (model, effort, want) in [
            ("o3", Effort::None, "low"),
            ("gpt-5", Effort::None, "minimal"),
            ("gpt-5.2", Effort::None, "none"),
            ("gpt-6-sol", Effort::Minimal, "low"),
            ("gpt-5-mini", Effort::Minimal, "minimal"),
            ("gpt-5.2", Effort::Max, "xhigh"),
            ("gpt-5.1", Effort::XHigh, "high"),
            ("openai/gpt-5.1-codex-max", Effort::XHigh, "xhigh"),
            ("o3", Effort::Max, "high"),
        ] {
            assert_eq!(openai_word(model, effort), want, "{model}");
        }
        assert!(claude_lacks_schemas("claude-sonnet-4-20250514") && !claude_lacks_schemas("claude-opus-4-1"));
        assert!(gemini_thinks("gemini-2.5-flash") && !gemini_thinks("gemini-2.0-flash"));
        for (model, want) in [
            ("gemini-2.5-flash", [0, 100, 24_576, 24_576]),
            ("gemini-2.5-flash-lite", [0, 512, 24_576, 24_576]),
            ("gemini-2.5-pro", [128, 128, 30_000, 32_768]),
            ("gemini-pro-latest", [128, 128, 30_000, 32_768]),
            ("gemini-3-pro-preview", [128, 128, 30_000, 32_768]),
        ] {
            assert_eq!([0, 100, 30_000, 60_000].map(|budget| gemini_budget(model, budget)), want, "{model}");
        }
    }
}
