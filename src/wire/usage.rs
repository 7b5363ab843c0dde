//! Usage told in a client's own convention: OpenAI's prompt includes cached tokens, Anthropic's leaves them out.

use super::json::{Object, put};
use crate::record::usage::Counted;
use crate::units::Count;

/// Writes the members of chat's usage block.
pub(super) fn chat(o: &mut Object<'_>, counted: &Counted) {
    let (prompt, output) = (whole_prompt(counted), counted.usage.output.or_zero());
    put!(o, "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output);
    put!(o, "prompt_tokens_details": |o| cached(o, counted));
    if let Some(reasoning) = counted.usage.reasoning.get() {
        put!(o, "completion_tokens_details": { "reasoning_tokens": reasoning });
    }
}

/// Writes the members of the responses' usage block.
pub(super) fn responses(o: &mut Object<'_>, counted: &Counted) {
    let (prompt, output) = (whole_prompt(counted), counted.usage.output.or_zero());
    put!(o, "input_tokens": prompt, "input_tokens_details": |o| cached(o, counted), "output_tokens": output);
    put!(o, "output_tokens_details": { "reasoning_tokens": counted.usage.reasoning.or_zero() });
    put!(o, "total_tokens": prompt + output);
}

/// Writes the members of Gemini's usage block: cached tokens lie within the prompt's, thoughts beside the answer's.
pub(super) fn gemini(o: &mut Object<'_>, counted: &Counted) {
    let usage = counted.usage;
    let (prompt, output, thoughts) =
        (whole_prompt(counted), usage.output.or_zero(), usage.reasoning.or_zero());
    put!(o, "promptTokenCount": prompt, "candidatesTokenCount": output.saturating_sub(thoughts));
    put!(o, "totalTokenCount": prompt.saturating_add(output));
    put!(o, "cachedContentTokenCount"?: Some(usage.cache_read.or_zero()).filter(|cached| *cached > 0));
    put!(o, "thoughtsTokenCount"?: Some(thoughts).filter(|thoughts| *thoughts > 0));
}

/// Writes the members of Anthropic's usage block.
pub(super) fn messages(o: &mut Object<'_>, counted: &Counted) {
    let usage = counted.usage;
    let written = usage.write_5m.or_zero() + usage.write_1h.or_zero();
    put!(o, "input_tokens": usage.input.or_zero(), "cache_creation_input_tokens": written);
    put!(o, "cache_read_input_tokens": usage.cache_read.or_zero(), "output_tokens": usage.output.or_zero());
}

/// Fills what nobody told by what it likely is, for a dialect that has to say something: the prompt by its estimate, the
/// answer by its bytes.
pub(super) fn filled(counted: Option<Counted>, prompt_tokens: u64, written_bytes: u64) -> Counted {
    let mut counted = counted.unwrap_or_default();
    let fill = |count: &mut Count, tokens: u64| {
        if !count.is_known() {
            *count = Count::new(tokens.min(u64::from(u32::MAX - 2))).unwrap_or(Count::UNKNOWN);
        }
    };
    fill(&mut counted.usage.input, prompt_tokens);
    fill(&mut counted.usage.output, written_bytes.div_ceil(4));
    counted
}

fn whole_prompt(counted: &Counted) -> u64 {
    let usage = counted.usage;
    [usage.input, usage.cache_read, usage.write_5m, usage.write_1h].into_iter().map(Count::or_zero).sum()
}

fn cached(o: &mut Object<'_>, counted: &Counted) {
    let usage = counted.usage;
    put!(o,
        "cached_tokens": usage.cache_read.or_zero(),
        "cache_write_tokens": usage.write_5m.or_zero() + usage.write_1h.or_zero(),
    );
}
