//! Usage told in a client's own convention: OpenAI's prompt includes cached tokens, Anthropic's leaves them out.

use super::json::Object;
use crate::record::usage::Counted;
use crate::units::Count;

/// Writes the members of chat's usage block.
pub(super) fn chat(o: &mut Object<'_>, counted: &Counted) {
    let usage = counted.usage;
    let (prompt, output) = (whole_prompt(counted), usage.output.or_zero());
    o.number("prompt_tokens", prompt);
    o.number("completion_tokens", output);
    o.number("total_tokens", prompt + output);
    o.object("prompt_tokens_details", |o| cached(o, counted));
    if let Some(reasoning) = usage.reasoning.get() {
        o.object("completion_tokens_details", |o| o.number("reasoning_tokens", reasoning));
    }
}

/// Writes the members of the responses' usage block.
pub(super) fn responses(o: &mut Object<'_>, counted: &Counted) {
    let usage = counted.usage;
    let (prompt, output) = (whole_prompt(counted), usage.output.or_zero());
    o.number("input_tokens", prompt);
    o.object("input_tokens_details", |o| cached(o, counted));
    o.number("output_tokens", output);
    o.object("output_tokens_details", |o| o.number("reasoning_tokens", usage.reasoning.or_zero()));
    o.number("total_tokens", prompt + output);
}

/// Writes the members of Gemini's usage block: cached tokens lie within the prompt's, thoughts beside the answer's.
pub(super) fn gemini(o: &mut Object<'_>, counted: &Counted) {
    let usage = counted.usage;
    let (prompt, output, thoughts) =
        (whole_prompt(counted), usage.output.or_zero(), usage.reasoning.or_zero());
    o.number("promptTokenCount", prompt);
    o.number("candidatesTokenCount", output.saturating_sub(thoughts));
    o.number("totalTokenCount", prompt.saturating_add(output));
    if usage.cache_read.or_zero() > 0 {
        o.number("cachedContentTokenCount", usage.cache_read.or_zero());
    }
    if thoughts > 0 {
        o.number("thoughtsTokenCount", thoughts);
    }
}

/// Writes the members of Anthropic's usage block.
pub(super) fn messages(o: &mut Object<'_>, counted: &Counted) {
    let usage = counted.usage;
    o.number("input_tokens", usage.input.or_zero());
    o.number("cache_creation_input_tokens", usage.write_5m.or_zero() + usage.write_1h.or_zero());
    o.number("cache_read_input_tokens", usage.cache_read.or_zero());
    o.number("output_tokens", usage.output.or_zero());
}

/// Gives usage of which the prompt alone is known, as an estimate.
pub(super) fn prompt_alone(tokens: u64) -> Counted {
    let input = Count::new(tokens.min(u64::from(u32::MAX - 2))).unwrap_or(Count::UNKNOWN);
    Counted { usage: crate::pricing::Usage { input, ..crate::pricing::Usage::UNKNOWN }, ..Counted::default() }
}

fn whole_prompt(counted: &Counted) -> u64 {
    let usage = counted.usage;
    [usage.input, usage.cache_read, usage.write_5m, usage.write_1h].into_iter().map(Count::or_zero).sum()
}

fn cached(o: &mut Object<'_>, counted: &Counted) {
    let usage = counted.usage;
    o.number("cached_tokens", usage.cache_read.or_zero());
    o.number("cache_write_tokens", usage.write_5m.or_zero() + usage.write_1h.or_zero());
}
