//! The usage block of Gemini: the prompt includes cached tokens, thoughts stand outside the candidates unless the total
//! proves otherwise.

use serde::Deserialize;

use super::{Claim, Counted, Parts, UsageError, grow};
use crate::record::json::Num;

/// Usage as Gemini reports it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are the provider's")]
pub struct GeminiUsage {
    #[serde(alias = "prompt_token_count")]
    prompt_token_count: Num,
    #[serde(alias = "candidates_token_count")]
    candidates_token_count: Num,
    #[serde(alias = "total_token_count")]
    total_token_count: Num,
    #[serde(alias = "cached_content_token_count")]
    cached_content_token_count: Num,
    #[serde(alias = "thoughts_token_count")]
    thoughts_token_count: Num,
    #[serde(alias = "tool_use_prompt_token_count")]
    tool_use_prompt_token_count: Num,
}

impl GeminiUsage {
    /// Takes over what another chunk of the same stream says: its counts are running totals, so the largest holds.
    pub fn absorb(&mut self, then: &Self) {
        grow(&mut self.prompt_token_count, then.prompt_token_count);
        grow(&mut self.candidates_token_count, then.candidates_token_count);
        grow(&mut self.total_token_count, then.total_token_count);
        grow(&mut self.cached_content_token_count, then.cached_content_token_count);
        grow(&mut self.thoughts_token_count, then.thoughts_token_count);
        grow(&mut self.tool_use_prompt_token_count, then.tool_use_prompt_token_count);
    }

    /// Turns the block into disjoint buckets.
    pub fn counted(&self) -> Result<Counted, UsageError> {
        let tools = self.tool_use_prompt_token_count.or_zero();
        let prompt = self.prompt_token_count.0.map(|prompt| prompt.saturating_add(tools));
        let thoughts = self.thoughts_token_count.or_zero();
        // Zeros are left out on the wire, so an absent candidates count is what the total leaves.
        let candidates = self
            .candidates_token_count
            .0
            .or_else(|| self.total_token_count.0?.checked_sub(prompt?)?.checked_sub(thoughts));
        Parts {
            input: prompt,
            read: self.cached_content_token_count.or_zero(),
            output: candidates,
            reasoning: self.thoughts_token_count.0,
            total: self.total_token_count.0,
            ..Parts::default()
        }
        .counted(Claim::SPOKEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::json::read;
    use crate::units::Count;

    #[test]
    fn thoughts_are_billed_with_the_answer() {
        let block: GeminiUsage = read(
            r#"{"promptTokenCount":4200,"candidatesTokenCount":310,"totalTokenCount":5050,"cachedContentTokenCount":2048,"thoughtsTokenCount":540}"#,
        )
        .unwrap();
        let u = block.counted().unwrap().usage;
        assert_eq!(
            [u.input, u.cache_read, u.output, u.reasoning].map(Count::get),
            [Some(2152), Some(2048), Some(850), Some(540)]
        );
    }

    #[test]
    fn thoughts_within_the_candidates_are_not_billed_twice() {
        let block: GeminiUsage = read(
            r#"{"promptTokenCount":100,"candidatesTokenCount":600,"totalTokenCount":700,"thoughtsTokenCount":540}"#,
        )
        .unwrap();
        assert_eq!(block.counted().unwrap().usage.output.get(), Some(600));
    }

    #[test]
    fn candidates_left_out_follow_from_the_total() {
        let block: GeminiUsage =
            read(r#"{"promptTokenCount":4200,"totalTokenCount":4740,"thoughtsTokenCount":540}"#).unwrap();
        assert_eq!(block.counted().unwrap().usage.output.get(), Some(540));
        let silent: GeminiUsage = read(r#"{"promptTokenCount":4200}"#).unwrap();
        assert_eq!(silent.counted().unwrap().usage.output.get(), None);
    }
}
