//! Tokens of a span, under whichever names they stand.
//!
//! Invariant: input should include cached tokens by the conventions; what the span itself proves goes before that.

use super::document::Attributes;
use super::names::{
    FRESH, INPUT, LANGFUSE_USAGE, OUTPUT, PROVIDER_SAYS, READ, REASONING, TOTAL, USAGE, WRITE,
};
use crate::record::foreign::langfuse;
use crate::record::foreign::served::keeps_conventions;
use crate::record::json::Num;
use crate::record::skip::Refusal;
use crate::record::usage::{AnthropicUsage, Claim, Counted, GeminiUsage, OpenAiUsage, Parts, Writes};
use crate::record::value::{FromValue, Object, Value, read};

/// What a provider says besides, as the AI SDK passes it on: counts that had no attribute of their own for long.
#[derive(Default)]
struct ProviderSays {
    /// What it says of the whole call.
    whole: Option<Counted>,
    details: Details,
}

impl FromValue for ProviderSays {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let says = value.object()?;
        let (anthropic, bedrock) = (says.object("anthropic")?, says.object("bedrock")?.object("usage")?);
        let (openai, azure) = (says.object("openai")?, says.object("azure")?);
        let usage: Option<AnthropicUsage> = anthropic.maybe("usage")?;
        let google: Option<GeminiUsage> = says.object("google")?.maybe("usageMetadata")?;
        let whole = usage.map(|usage| usage.counted()).or(google.map(|usage| usage.counted()));
        let read = anthropic
            .count("cacheReadInputTokens")?
            .most(bedrock.count("cacheReadInputTokens")?)
            .most(openai.count("cachedPromptTokens")?)
            .most(azure.count("cachedPromptTokens")?);
        let written =
            anthropic.count("cacheCreationInputTokens")?.most(bedrock.count("cacheWriteInputTokens")?);
        let reasoning = openai.count("reasoningTokens")?.most(azure.count("reasoningTokens")?);
        Ok(Self { whole: whole.and_then(Result::ok), details: Details { read, written, reasoning } })
    }
}

/// Reads the tokens of a span.
pub(super) fn counted(of: &Attributes<'_>, provider: &str, model: &str) -> Result<Counted, Refusal> {
    let (input, output) = (of.count(INPUT)?, of.count(OUTPUT)?);
    if input.0.is_none()
        && output.0.is_none()
        && let Some(counted) = within_text(of)?
    {
        return Ok(counted);
    }
    let says: ProviderSays = read(of.get(&[PROVIDER_SAYS])).unwrap_or_default();
    if let Some(counted) = says.whole.filter(|counted| counted.usage.is_complete()) {
        return Ok(counted);
    }
    let (says, details) = (says.details, details(of));
    let read = of.count(READ)?.most(says.read).most(details.read);
    let written = of.count(WRITE)?.most(says.written).most(details.written);
    let reasoning = of.count(REASONING)?.most(says.reasoning).most(details.reasoning);
    let mut parts = Parts {
        input: input.0,
        read: read.or_zero(),
        writes: Writes { total: written.0, ..Writes::default() },
        output: output.0,
        reasoning: reasoning.0,
        total: of.count(TOTAL)?.0,
        ..Parts::default()
    };
    let cached = parts.read.saturating_add(written.or_zero());
    if let Some(fresh) = of.count(FRESH)?.0
        && parts.input.is_none_or(|input| input == fresh || input == fresh.saturating_add(cached))
    {
        // The prompt is told apart, so nothing is left to prove.
        let total = None;
        return Ok(Parts { input: Some(fresh), total, ..parts }.counted(Claim::FRESH)?);
    }
    // Until its version 6 the AI SDK gave Anthropic's own number, and a total of input and output alone.
    let is_raw = of.has(&["ai.usage.inputTokens", "ai.usage.promptTokens", "ai.usage.cachedInputTokens"])
        && ["anthropic", "bedrock"].iter().any(|name| provider.contains(name));
    if is_raw {
        parts.total = None;
        return Ok(parts.counted(Claim::FRESH)?);
    }
    // Makers that count as the conventions ask leave nothing open. For the others it depends on who wrote the span.
    let (keeps_cached, keeps_reasoning) = keeps_conventions(provider, model);
    Ok(parts.counted(Claim::WHOLE.open(!keeps_cached, !keeps_reasoning))?)
}

/// Cached and reasoning tokens that stand as JSON within text.
#[derive(Default)]
struct Details {
    read: Num,
    written: Num,
    reasoning: Num,
}

fn details(of: &Attributes<'_>) -> Details {
    let most = |names: [&str; 2], keys: &[&str]| {
        let mut most = Num(None);
        for told in names.iter().filter_map(|name| Object::read(of.get(&[name])).ok()) {
            // One that holds anything but counts tells nothing.
            let counts = told.members().map(|(key, value)| Ok((key, value.count()?)));
            let counts: Vec<_> = counts.collect::<Result<_, String>>().unwrap_or_default();
            counts.iter().filter(|(key, _)| keys.contains(key)).for_each(|(_, count)| most.absorb(*count));
        }
        most
    };
    let (input, output) = (
        ["gen_ai.usage.input_token_details", "gen_ai.usage.prompt_tokens_details"],
        ["gen_ai.usage.output_token_details", "gen_ai.usage.completion_tokens_details"],
    );
    Details {
        read: most(input, &["cache_read", "cached_tokens"]),
        written: most(
            input,
            &["cache_creation", "cache_write", "cache_write_tokens", "cache_creation_tokens"],
        ),
        reasoning: most(output, &["reasoning", "reasoning_tokens"]),
    }
}

/// Reads usage that stands whole as JSON within text.
fn within_text(of: &Attributes<'_>) -> Result<Option<Counted>, Refusal> {
    if let Some(counted) = langfuse::usage(of.get(&[LANGFUSE_USAGE]))? {
        return Ok(Some(counted));
    }
    Ok(match read::<OpenAiUsage>(of.get(USAGE)) {
        Ok(usage) if usage.says_anything() => Some(usage.counted()?),
        _ => None,
    })
}
