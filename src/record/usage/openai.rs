//! The usage block of OpenAI (chat and responses) and of the many servers that speak its dialect.
//!
//! The prompt count includes cached tokens. Besides OpenAI's own keys: Mistral's `num_cached_tokens` and misspelt
//! `prompt_token_details`, hit and miss counts (`prompt_cache_hit_tokens`), and the Anthropic keys that LiteLLM passes through.

use serde::Deserialize;

use super::{Counted, Parts, UsageError, Writes, later};
use crate::record::json::{Num, nullable};

/// Usage as OpenAI and compatible servers report it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OpenAiUsage {
    prompt_tokens: Num,
    input_tokens: Num,
    completion_tokens: Num,
    output_tokens: Num,
    total_tokens: Num,
    #[serde(deserialize_with = "nullable")]
    prompt_tokens_details: PromptDetails,
    #[serde(deserialize_with = "nullable")]
    prompt_token_details: PromptDetails,
    #[serde(deserialize_with = "nullable")]
    input_tokens_details: PromptDetails,
    #[serde(deserialize_with = "nullable")]
    completion_tokens_details: AnswerDetails,
    #[serde(deserialize_with = "nullable")]
    output_tokens_details: AnswerDetails,
    num_cached_tokens: Num,
    cached_tokens: Num,
    prompt_cache_hit_tokens: Num,
    prompt_cache_miss_tokens: Num,
    cache_read_input_tokens: Num,
    cache_creation_input_tokens: Num,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Num,
    cache_write_tokens: Num,
    cache_creation_tokens: Num,
    #[serde(deserialize_with = "nullable")]
    cache_creation_token_details: Lifetimes,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Lifetimes {
    ephemeral_5m_input_tokens: Num,
    ephemeral_1h_input_tokens: Num,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct AnswerDetails {
    reasoning_tokens: Num,
}

impl PromptDetails {
    fn absorb(&mut self, then: Self) {
        later(&mut self.cached_tokens, then.cached_tokens);
        later(&mut self.cache_write_tokens, then.cache_write_tokens);
        later(&mut self.cache_creation_tokens, then.cache_creation_tokens);
        let (now, then) = (&mut self.cache_creation_token_details, then.cache_creation_token_details);
        later(&mut now.ephemeral_5m_input_tokens, then.ephemeral_5m_input_tokens);
        later(&mut now.ephemeral_1h_input_tokens, then.ephemeral_1h_input_tokens);
    }

    fn or(mut self, other: Self) -> Self {
        let mine = self;
        self = other;
        self.absorb(mine);
        self
    }
}

impl OpenAiUsage {
    /// Builds a block from bare prompt and answer counts.
    pub(crate) fn bare(prompt: Num, completion: Num) -> Self {
        Self { prompt_tokens: prompt, completion_tokens: completion, ..Self::default() }
    }

    /// Says whether the block carries any count at all.
    pub(crate) fn says_anything(&self) -> bool {
        let counts = [
            self.prompt_tokens,
            self.input_tokens,
            self.completion_tokens,
            self.output_tokens,
            self.prompt_cache_hit_tokens,
        ];
        counts.iter().any(|count| count.0.is_some())
    }

    /// Takes over what a later block of the same stream says.
    pub fn absorb(&mut self, then: &Self) {
        later(&mut self.prompt_tokens, then.prompt_tokens);
        later(&mut self.input_tokens, then.input_tokens);
        later(&mut self.completion_tokens, then.completion_tokens);
        later(&mut self.output_tokens, then.output_tokens);
        later(&mut self.total_tokens, then.total_tokens);
        later(&mut self.num_cached_tokens, then.num_cached_tokens);
        later(&mut self.cached_tokens, then.cached_tokens);
        later(&mut self.prompt_cache_hit_tokens, then.prompt_cache_hit_tokens);
        later(&mut self.prompt_cache_miss_tokens, then.prompt_cache_miss_tokens);
        later(&mut self.cache_read_input_tokens, then.cache_read_input_tokens);
        later(&mut self.cache_creation_input_tokens, then.cache_creation_input_tokens);
        self.prompt_tokens_details.absorb(then.prompt_tokens_details);
        self.prompt_token_details.absorb(then.prompt_token_details);
        self.input_tokens_details.absorb(then.input_tokens_details);
        later(
            &mut self.completion_tokens_details.reasoning_tokens,
            then.completion_tokens_details.reasoning_tokens,
        );
        later(&mut self.output_tokens_details.reasoning_tokens, then.output_tokens_details.reasoning_tokens);
    }

    /// Turns the block into disjoint buckets.
    pub fn counted(&self) -> Result<Counted, UsageError> {
        let details = self.prompt_tokens_details.or(self.prompt_token_details).or(self.input_tokens_details);
        let hit_and_miss = match (self.prompt_cache_hit_tokens.0, self.prompt_cache_miss_tokens.0) {
            (Some(hit), Some(miss)) => Num(Some(hit.saturating_add(miss))),
            _ => Num(None),
        };
        let prompt = self.prompt_tokens.or(self.input_tokens).or(hit_and_miss).0;
        let read = details
            .cached_tokens
            .or(self.cache_read_input_tokens)
            .or(self.num_cached_tokens)
            .or(self.prompt_cache_hit_tokens)
            .or(self.cached_tokens);
        let lifetimes = details.cache_creation_token_details;
        let writes = Writes {
            total: details
                .cache_creation_tokens
                .or(self.cache_creation_input_tokens)
                .or(details.cache_write_tokens)
                .0,
            short: lifetimes.ephemeral_5m_input_tokens.0,
            long: lifetimes.ephemeral_1h_input_tokens.0,
        };
        let reasoning =
            self.completion_tokens_details.reasoning_tokens.or(self.output_tokens_details.reasoning_tokens).0;
        let mut output = self.completion_tokens.or(self.output_tokens).0;
        // Embeddings have no answer and name no count for it; the total says the same.
        output = output.or_else(|| self.total_tokens.0?.checked_sub(prompt?));
        // Some servers leave reasoning out of the answer; their own total proves it.
        if let (Some(prompt), Some(answer), Some(hidden), Some(total)) =
            (prompt, output, reasoning, self.total_tokens.0)
            && hidden > 0
            && prompt.checked_add(answer).and_then(|sum| sum.checked_add(hidden)) == Some(total)
        {
            output = answer.checked_add(hidden);
        }
        Parts { input: prompt, read: read.or_zero(), writes, output, reasoning }.inclusive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WriteTtl;
    use crate::record::json::read;

    fn counted(text: &str) -> Counted {
        read::<OpenAiUsage>(text).unwrap().counted().unwrap()
    }

    fn buckets(text: &str) -> [Option<u64>; 6] {
        let u = counted(text).usage;
        [u.input, u.cache_read, u.write_5m, u.write_1h, u.output, u.reasoning].map(crate::units::Count::get)
    }

    #[test]
    fn cached_tokens_are_part_of_the_prompt() {
        let want = [Some(3808), Some(8192), Some(0), Some(0), Some(650), Some(0)];
        for text in [
            r#"{"prompt_tokens":12000,"completion_tokens":650,"prompt_tokens_details":{"cached_tokens":8192},"completion_tokens_details":{"reasoning_tokens":0}}"#,
            r#"{"input_tokens":12000,"output_tokens":650,"input_tokens_details":{"cached_tokens":8192,"cache_write_tokens":0},"output_tokens_details":{"reasoning_tokens":0}}"#,
            r#"{"prompt_cache_hit_tokens":8192,"prompt_cache_miss_tokens":3808,"completion_tokens":650,"completion_tokens_details":{"reasoning_tokens":0}}"#,
            r#"{"prompt_tokens":12000,"completion_tokens":650,"prompt_token_details":{"cached_tokens":8192},"completion_tokens_details":{"reasoning_tokens":0},"prompt_audio_seconds":{}}"#,
        ] {
            assert_eq!(buckets(text), want, "{text}");
        }
    }

    #[test]
    fn absent_details_are_no_cache_and_unknown_reasoning() {
        let text = r#"{"prompt_tokens":900,"total_tokens":1050,"completion_tokens":150,"prompt_tokens_details":null}"#;
        assert_eq!(buckets(text), [Some(900), Some(0), Some(0), Some(0), Some(150), None]);
        assert_eq!(buckets("{}"), [None; 6]);
        assert_eq!(buckets(r#"{"prompt_tokens":0,"completion_tokens":0}"#)[0], Some(0));
    }

    #[test]
    fn undated_writes_are_assumed_short_and_dated_ones_are_not() {
        let plain = counted(
            r#"{"prompt_tokens":22708,"completion_tokens":812,"prompt_tokens_details":{"cached_tokens":18432,"cache_write_tokens":3072}}"#,
        );
        assert_eq!(plain.write_ttl, WriteTtl::Assumed);
        assert_eq!(plain.usage.write_5m.get(), Some(3072));
        assert_eq!(plain.usage.input.get(), Some(1204));
        let dated = counted(
            r#"{"prompt_tokens":22708,"completion_tokens":812,"prompt_tokens_details":{"cached_tokens":18432,"cache_creation_tokens":3072,
            "cache_creation_token_details":{"ephemeral_5m_input_tokens":2048,"ephemeral_1h_input_tokens":1024}}}"#,
        );
        assert_eq!(dated.write_ttl, WriteTtl::Reported);
        assert_eq!((dated.usage.write_5m.get(), dated.usage.write_1h.get()), (Some(2048), Some(1024)));
        assert_eq!(dated.usage.input.get(), Some(1204));
    }

    #[test]
    fn reasoning_outside_the_answer_is_added_where_the_total_proves_it() {
        let outside = r#"{"prompt_tokens":100,"completion_tokens":10,"total_tokens":150,"completion_tokens_details":{"reasoning_tokens":40}}"#;
        assert_eq!(counted(outside).usage.output.get(), Some(50));
        let inside = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"completion_tokens_details":{"reasoning_tokens":40}}"#;
        assert_eq!(counted(inside).usage.output.get(), Some(50));
    }

    #[test]
    fn more_cached_than_prompt_is_refused() {
        let block: OpenAiUsage = read(
            r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":11}}"#,
        )
        .unwrap();
        assert_eq!(block.counted(), Err(UsageError::CacheExceedsPrompt { cached: 11, prompt: 10 }));
        let block: OpenAiUsage =
            read(r#"{"prompt_tokens":18446744073709551615,"completion_tokens":1}"#).unwrap();
        assert!(matches!(block.counted(), Err(UsageError::TooLarge { field: "input", .. })));
    }

    #[test]
    fn a_stream_keeps_the_last_value_said() {
        let mut block: OpenAiUsage = read(r#"{"prompt_tokens":12000}"#).unwrap();
        block.absorb(
            &read(r#"{"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":8192}}"#).unwrap(),
        );
        block.absorb(&read(r#"{"completion_tokens":650,"prompt_tokens_details":null}"#).unwrap());
        let usage = block.counted().unwrap().usage;
        assert_eq!(
            (usage.input.get(), usage.cache_read.get(), usage.output.get()),
            (Some(3808), Some(8192), Some(650))
        );
    }
}
