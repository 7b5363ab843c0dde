//! The usage block of Gemini: the prompt includes cached tokens, thoughts stand outside the candidates unless the total
//! proves otherwise.

use super::meters::{Said, Unlisted};
use super::shown::Grounding;
use super::{Claim, Counted, Parts, Plainly, UsageError};
use crate::pricing::Terms;
use crate::record::json::Num;
use crate::record::value::{FromValue, Value};

block! {
    /// Usage as Gemini reports it.
    pub struct GeminiUsage {
        "promptTokenCount" | prompt_token_count: Num,
        "candidatesTokenCount" | candidates_token_count: Num,
        "totalTokenCount" | total_token_count: Num,
        "cachedContentTokenCount" | cached_content_token_count: Num,
        "thoughtsTokenCount" | thoughts_token_count: Num,
        "toolUsePromptTokenCount" | tool_use_prompt_token_count: Num,
        "promptTokensDetails" | prompt_tokens_details: Kinds,
        "toolUsePromptTokensDetails" | tool_use_prompt_tokens_details: Kinds,
        "cacheTokensDetails" | cache_tokens_details: Kinds,
        "candidatesTokensDetails" | candidates_tokens_details: Kinds,
        "trafficType" | traffic_type: Said,
        "serviceTier" | service_tier: Said,
    }
    beside {
        /// What the answer rests on.
        grounding: Grounding,
    }
    fn take_over;
}

/// Tokens by kind, of which sound and pictures may have a price of their own.
#[derive(Clone, Copy, Debug, Default)]
struct Kinds {
    audio: Num,
    image: Num,
    video: Num,
    /// Of every kind.
    all: Num,
    /// A kind that nobody here knows.
    other: (Said, u64),
}

impl FromValue for Kinds {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let mut kinds = Self::default();
        for kind in value.items()? {
            let kind = kind.object()?;
            let count = kind.count("tokenCount|token_count")?;
            kinds.all = Num(Some(kinds.all.or_zero().saturating_add(count.or_zero())));
            match kind.word("modality")?.to_ascii_uppercase().as_str() {
                "AUDIO" => kinds.audio.absorb(count),
                "IMAGE" => kinds.image.absorb(count),
                "VIDEO" => kinds.video.absorb(count),
                "" | "TEXT" | "DOCUMENT" | "MODALITY_UNSPECIFIED" => {}
                other => {
                    let name = Said::new(&format!("{}_tokens", other.to_ascii_lowercase()));
                    kinds.absorb_other((name, count.or_zero()));
                }
            }
        }
        Ok(kinds)
    }
}

impl Plainly for Kinds {}

impl Kinds {
    fn absorb(&mut self, then: Self) {
        absorb!(then into self: audio image video all);
        self.absorb_other(then.other);
    }

    fn absorb_other(&mut self, then: (Said, u64)) {
        if then.1 > self.other.1 {
            self.other = then;
        }
    }
}

/// Returns the service tier that a kind of traffic is.
fn tier_of(traffic: &str) -> &str {
    match traffic {
        "" | "ON_DEMAND" | "TRAFFIC_TYPE_UNSPECIFIED" => "",
        "ON_DEMAND_PRIORITY" => "priority",
        "ON_DEMAND_FLEX" => "flex",
        other => other,
    }
}

impl GeminiUsage {
    /// Returns the tokens of the answer so far; none where it does not say.
    pub(crate) fn answer(&self) -> u64 {
        self.candidates_token_count.or_zero().max(self.thoughts_token_count.or_zero())
    }

    /// Takes over what another chunk of the same stream says: its counts are running totals, so the largest holds.
    pub fn absorb(&mut self, then: &Self) {
        self.take_over(*then);
        self.grounding.absorb(then.grounding);
    }

    /// Takes the service tier that stands beside the block in the answer; one that is not said changes nothing.
    pub(crate) fn serve(&mut self, tier: &str) {
        self.service_tier.absorb(Said::new(tier));
    }

    /// Takes what the answer says it rests on.
    pub(crate) fn rest_on(&mut self, grounding: Grounding) {
        self.grounding.absorb(grounding);
    }

    /// Returns what the answer is billed by besides tokens at the ordinary price.
    fn terms(&self) -> Terms {
        let mut terms = Terms::NONE;
        terms.serve(self.service_tier.as_str());
        terms.serve(tier_of(self.traffic_type.as_str()));
        let cached = self.cache_tokens_details;
        let tools = self.tool_use_prompt_tokens_details;
        let audio = self.prompt_tokens_details.audio.or_zero().saturating_add(tools.audio.or_zero());
        let image = self.prompt_tokens_details.image.or_zero().saturating_add(tools.image.or_zero());
        terms.meter("audio_input", audio.saturating_sub(cached.audio.or_zero()));
        terms.meter("audio_cached", cached.audio.or_zero());
        terms.meter("audio_output", self.candidates_tokens_details.audio.or_zero());
        terms.meter("image_input", image.saturating_sub(cached.image.or_zero()));
        terms.meter("image_output", self.candidates_tokens_details.image.or_zero());
        terms.meter("video_output", self.candidates_tokens_details.video.or_zero());
        for kinds in [self.prompt_tokens_details, tools, cached, self.candidates_tokens_details] {
            terms.meter(kinds.other.0.as_str(), kinds.other.1);
        }
        self.unlisted.tell(&mut terms);
        terms
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
        // Where the prompt is not told, it is what the total leaves of the others.
        let answered = self.candidates_token_count.0.map(|answer| answer.saturating_add(thoughts));
        let left =
            self.total_token_count.0.zip(answered).and_then(|(total, answer)| total.checked_sub(answer));
        let prompt = prompt.filter(|prompt| *prompt > 0).or(left).or(prompt);
        let parts = Parts {
            input: prompt,
            read: self.cached_content_token_count.most(self.cache_tokens_details.all).or_zero(),
            output: candidates,
            reasoning: self.thoughts_token_count.0,
            total: self.total_token_count.0,
            ..Parts::default()
        };
        let mut terms = self.terms();
        let is_grounded = self.grounding.tell(&mut terms);
        let mut counted = parts.counted(Claim::SPOKEN)?.on(terms, &[self.service_tier, self.traffic_type]);
        counted.is_guess |= is_grounded || self.unlisted.is_in_doubt();
        Ok(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::value::read;
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
    fn a_prompt_that_is_not_told_is_what_the_total_leaves() {
        let block: GeminiUsage =
            read(r#"{"candidatesTokenCount":200,"thoughtsTokenCount":100,"totalTokenCount":1300}"#).unwrap();
        let usage = block.counted().unwrap().usage;
        assert_eq!((usage.input.get(), usage.output.get()), (Some(1000), Some(300)));
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
    fn cached_tokens_told_by_kind_alone_are_cached() {
        let block: GeminiUsage = read(
            r#"{"promptTokenCount":4200,"candidatesTokenCount":310,"totalTokenCount":4510,"cachedContentTokenCount":0,
            "cacheTokensDetails":[{"modality":"TEXT","tokenCount":2000},{"modality":"AUDIO","tokenCount":48}]}"#,
        )
        .unwrap();
        let u = block.counted().unwrap().usage;
        assert_eq!([u.input, u.cache_read].map(Count::get), [Some(2152), Some(2048)]);
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
