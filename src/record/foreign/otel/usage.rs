//! Tokens of a span, under whichever names they stand.
//!
//! Invariant: input should include cached tokens by the conventions; what the span itself proves goes before that.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::document::Attributes;
use super::names::{
    FRESH, INPUT, LANGFUSE_USAGE, OUTPUT, PROVIDER_SAYS, READ, REASONING, TOTAL, USAGE, WRITE,
};
use crate::record::foreign::langfuse;
use crate::record::foreign::served::keeps_conventions;
use crate::record::json::{self, Num, maybe, nullable};
use crate::record::skip::Refusal;
use crate::record::usage::{AnthropicUsage, Claim, Counted, GeminiUsage, OpenAiUsage, Parts, Writes};

/// What a provider says besides, as the AI SDK passes it on: counts that had no attribute of their own for long.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProviderSays {
    #[serde(deserialize_with = "nullable")]
    anthropic: AnthropicSays,
    #[serde(deserialize_with = "nullable")]
    bedrock: BedrockSays,
    #[serde(deserialize_with = "nullable")]
    openai: OpenAiSays,
    #[serde(deserialize_with = "nullable")]
    azure: OpenAiSays,
    #[serde(deserialize_with = "nullable")]
    google: GoogleSays,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AnthropicSays {
    cache_creation_input_tokens: Num,
    cache_read_input_tokens: Num,
    #[serde(deserialize_with = "maybe")]
    usage: Option<AnthropicUsage>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BedrockSays {
    #[serde(deserialize_with = "nullable")]
    usage: BedrockUsage,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BedrockUsage {
    cache_write_input_tokens: Num,
    cache_read_input_tokens: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OpenAiSays {
    cached_prompt_tokens: Num,
    reasoning_tokens: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GoogleSays {
    #[serde(deserialize_with = "maybe")]
    usage_metadata: Option<GeminiUsage>,
}

/// Reads the tokens of a span.
pub(super) fn counted(of: &Attributes, provider: &str, model: &str) -> Result<Counted, Refusal> {
    let (input, output) = (of.count(INPUT)?, of.count(OUTPUT)?);
    if input.0.is_none()
        && output.0.is_none()
        && let Some(counted) = within_text(of)?
    {
        return Ok(counted);
    }
    let says: ProviderSays = json::read(of.get(&[PROVIDER_SAYS]).as_str()).unwrap_or_default();
    let whole = says
        .anthropic
        .usage
        .map(|usage| usage.counted())
        .or(says.google.usage_metadata.map(|usage| usage.counted()));
    if let Some(Ok(counted)) = whole
        && counted.usage.is_complete()
    {
        return Ok(counted);
    }
    let details = details(of);
    let read = of
        .count(READ)?
        .most(says.anthropic.cache_read_input_tokens)
        .most(says.bedrock.usage.cache_read_input_tokens)
        .most(says.openai.cached_prompt_tokens)
        .most(says.azure.cached_prompt_tokens)
        .most(details.read);
    let written = of
        .count(WRITE)?
        .most(says.anthropic.cache_creation_input_tokens)
        .most(says.bedrock.usage.cache_write_input_tokens)
        .most(details.written);
    let reasoning = of
        .count(REASONING)?
        .most(says.openai.reasoning_tokens)
        .most(says.azure.reasoning_tokens)
        .most(details.reasoning);
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
#[derive(Debug, Default)]
struct Details {
    read: Num,
    written: Num,
    reasoning: Num,
}

fn details(of: &Attributes) -> Details {
    let mut details = Details::default();
    let read =
        |name: &str| -> BTreeMap<String, Num> { json::read(of.get(&[name]).as_str()).unwrap_or_default() };
    for name in ["gen_ai.usage.input_token_details", "gen_ai.usage.prompt_tokens_details"] {
        for (key, count) in read(name) {
            match key.as_str() {
                "cache_read" | "cached_tokens" => details.read = details.read.most(count),
                "cache_creation" | "cache_write" | "cache_write_tokens" | "cache_creation_tokens" => {
                    details.written = details.written.most(count);
                }
                _ => {}
            }
        }
    }
    for name in ["gen_ai.usage.output_token_details", "gen_ai.usage.completion_tokens_details"] {
        for (key, count) in read(name) {
            if matches!(key.as_str(), "reasoning" | "reasoning_tokens") {
                details.reasoning = details.reasoning.most(count);
            }
        }
    }
    details
}

/// Reads usage that stands whole as JSON within text.
fn within_text(of: &Attributes) -> Result<Option<Counted>, Refusal> {
    let text = of.get(&[LANGFUSE_USAGE]);
    if let Some(counted) = langfuse::usage(text.as_str())? {
        return Ok(Some(counted));
    }
    let text = of.get(USAGE);
    Ok(match json::read::<OpenAiUsage>(text.as_str()) {
        Ok(usage) if usage.says_anything() => Some(usage.counted()?),
        _ => None,
    })
}
