//! The usage block of OpenAI (chat and responses) and of the many servers that speak its dialect.
//!
//! The prompt count includes cached tokens unless the row proves otherwise. Besides OpenAI's own keys: Mistral's
//! `num_cached_tokens` and misspelt `prompt_token_details`, hit and miss counts (`prompt_cache_hit_tokens`), the Anthropic
//! keys that LiteLLM passes through, `LangChain`'s `input_token_details`, Cohere's `billed_units`. Where several keys tell
//! the same count, the largest holds: gateways fill keys that they do not know with zeros.

use super::iterations::{Iterations, Lifetimes};
use super::meters::{Said, ServerTools, Unlisted, place};
use super::shown::SESSIONS;
use super::{Claim, Counted, Parts, Plainly, UsageError, Writes};
use crate::pricing::Terms;
use crate::record::json::Num;
use crate::record::value::{FromValue, Value};

block! {
    /// Usage as OpenAI and compatible servers report it.
    pub struct OpenAiUsage {
        prompt_tokens: Num,
        input_tokens: Num,
        completion_tokens: Num,
        output_tokens: Num,
        total_tokens: Num,
        prompt_tokens_details: PromptDetails,
        prompt_token_details: PromptDetails,
        input_tokens_details: PromptDetails,
        input_token_details: PromptDetails,
        completion_tokens_details: AnswerDetails,
        output_tokens_details: AnswerDetails,
        output_token_details: AnswerDetails,
        reasoning_tokens: Num,
        num_cached_tokens: Num,
        cached_tokens: Num,
        prompt_cache_hit_tokens: Num,
        prompt_cache_miss_tokens: Num,
        cache_read_input_tokens: Num,
        cache_creation_input_tokens: Num,
        cache_creation: Lifetimes,
        billed_units: Billed,
        service_tier: Said,
        speed: Said,
        inference_geo: Said,
        server_tool_use: ServerTools,
        iterations: Iterations,
    }
    beside {
        /// What the answer itself shows besides its usage.
        shown: Terms,
        /// Whether it quotes sources of a search.
        is_cited: bool,
    }
    fn take_over;
}

block! {
    struct PromptDetails {
        cached_tokens: Num,
        cache_read: Num,
        cache_write_tokens: Num,
        cache_creation_tokens: Num,
        cache_creation: Lifetimes,
        cache_read_input_tokens: Num,
        cache_creation_input_tokens: Num,
        cache_write_input_tokens: Num,
        ephemeral_5m_input_tokens: Num,
        ephemeral_1h_input_tokens: Num,
        cache_creation_token_details: Lifetimes,
        audio_tokens | "audio": Num,
        image_tokens | "image": Num,
        /// As LiteLLM has it.
        web_search_requests: Num,
        cached_tokens_details: Sound,
    }
    fn absorb;
}

/// Cached tokens by kind, as the realtime API has them.
#[derive(Clone, Copy, Debug, Default)]
struct Sound {
    audio_tokens: Num,
}

block! {
    struct AnswerDetails {
        reasoning_tokens: Num,
        thinking_tokens: Num,
        reasoning: Num,
        audio_tokens | "audio": Num,
        image_tokens | "image": Num,
    }
    fn absorb;
}

block! {
    struct Billed {
        input_tokens: Num,
        output_tokens: Num,
    }
    fn absorb;
}

impl AnswerDetails {
    fn all(self) -> Num {
        self.reasoning_tokens.most(self.thinking_tokens).most(self.reasoning)
    }
}

impl FromValue for Sound {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        Ok(Self { audio_tokens: value.object()?.count("audio_tokens")? })
    }
}

impl Plainly for Sound {}

impl Sound {
    fn absorb(&mut self, then: Self) {
        absorb!(then into self: audio_tokens);
    }
}

/// How the blocks of a model are counted where they do not show it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Custom {
    is_reasoning_open: bool,
}

impl Custom {
    /// Returns that of a named model: xAI's own counts reasoning beside the answer, gateways in front of it within.
    pub(crate) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        Self { is_reasoning_open: name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("grok")) }
    }
}

impl OpenAiUsage {
    /// Takes over what stands beside the block of its plain counts.
    pub(crate) fn absorb_counts(&mut self, prompt: Num, completion: Num, total: Num) {
        self.prompt_tokens.absorb(prompt);
        self.completion_tokens.absorb(completion);
        self.total_tokens.absorb(total);
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

    /// Takes over what another block of the same answer says.
    pub fn absorb(&mut self, then: &Self) {
        self.take_over(*then);
        if self.shown.is_none() {
            self.shown = then.shown;
        }
        self.is_cited |= then.is_cited;
    }

    /// Returns the tokens of the answer so far; none where it does not say.
    pub(crate) fn answer(&self) -> u64 {
        self.completion_tokens.most(self.output_tokens).most(self.billed_units.output_tokens).or_zero()
    }

    /// Takes the service tier that stands beside the block in the answer; one that is not said changes nothing.
    pub(crate) fn serve(&mut self, tier: &str) {
        self.service_tier.absorb(Said::new(tier));
    }

    /// Returns the service tier that the block tells.
    pub(crate) fn tier(&self) -> Said {
        self.service_tier
    }

    /// Takes a source that an answer quotes for a search; how many there were, chat does not tell.
    pub(crate) fn cite(&mut self) {
        self.is_cited = true;
    }

    /// Counts something that the answer itself shows and that is billed, like a search among its items.
    pub(crate) fn show(&mut self, meter: &str, count: u64) {
        // Calls within one answer share a container.
        if meter != SESSIONS || self.shown.meters().all(|(known, _)| known != meter) {
            self.shown.meter(meter, count);
        }
    }

    /// Says whether what is billed besides tokens follows from the answer without being counted in it.
    fn is_shown_only(&self, prompt: &PromptDetails, terms: &Terms) -> bool {
        let counts = |searches: Num| searches.or_zero() > 0;
        let is_counted = counts(self.server_tool_use.searches()) || counts(prompt.web_search_requests);
        (self.is_cited && !is_counted) || terms.meters().any(|(name, _)| name == SESSIONS)
    }

    /// Returns what the answer is billed by besides tokens at the ordinary price.
    fn terms(&self, prompt: &PromptDetails) -> Terms {
        let mut terms = Terms::NONE;
        terms.serve(self.service_tier.as_str());
        terms.serve(self.speed.as_str());
        place(self.inference_geo, &mut terms);
        let mut answer = self.completion_tokens_details;
        answer.absorb(self.output_tokens_details);
        answer.absorb(self.output_token_details);
        let cached = prompt.cached_tokens_details.audio_tokens.or_zero();
        terms.meter("audio_input", prompt.audio_tokens.or_zero().saturating_sub(cached));
        terms.meter("audio_cached", cached);
        terms.meter("audio_output", answer.audio_tokens.or_zero());
        terms.meter("image_input", prompt.image_tokens.or_zero());
        terms.meter("image_output", answer.image_tokens.or_zero());
        let mut tools = self.server_tool_use;
        tools.searched(prompt.web_search_requests);
        tools.tell(&mut terms);
        self.iterations.tell(&mut terms);
        // What usage tells of searches, its answer shows once more.
        let told = terms;
        let shown = self.shown.meters().filter(|(name, _)| told.meters().all(|(known, _)| known != *name));
        shown.for_each(|(name, count)| terms.meter(name, count));
        if self.is_cited && terms.meters().all(|(name, _)| !name.starts_with("web_search")) {
            terms.meter("web_search", 1);
        }
        for unlisted in [self.unlisted, prompt.unlisted, answer.unlisted, self.billed_units.unlisted] {
            unlisted.tell(&mut terms);
        }
        terms
    }

    /// Returns the details of the prompt under whichever name they stand.
    fn prompt_details(&self) -> PromptDetails {
        let mut all = self.prompt_tokens_details;
        all.absorb(self.prompt_token_details);
        all.absorb(self.input_tokens_details);
        all.absorb(self.input_token_details);
        all
    }

    /// Takes the block for one of embeddings, which have no answer: a total that stands alone is the prompt.
    #[must_use]
    pub fn of_embeddings(mut self) -> Self {
        let is_told = [self.prompt_tokens, self.input_tokens, self.billed_units.input_tokens];
        if is_told.iter().all(|tokens| tokens.or_zero() == 0) {
            self.prompt_tokens = self.total_tokens.or(self.prompt_tokens);
        }
        self
    }

    /// Turns the block into disjoint buckets.
    pub fn counted(&self) -> Result<Counted, UsageError> {
        self.counted_by(Claim::WHOLE)
    }

    /// Turns the block of a named model into disjoint buckets.
    pub(crate) fn counted_of(&self, model: &str) -> Result<Counted, UsageError> {
        self.counted_in(Custom::of(model))
    }

    /// Turns the block into disjoint buckets, by the custom of its model.
    pub(crate) fn counted_in(&self, custom: Custom) -> Result<Counted, UsageError> {
        self.counted_by(Claim::WHOLE.open(false, custom.is_reasoning_open))
    }

    fn counted_by(&self, claim: Claim) -> Result<Counted, UsageError> {
        let details = self.prompt_details();
        let hit_and_miss = match (self.prompt_cache_hit_tokens.0, self.prompt_cache_miss_tokens.0) {
            (Some(hit), Some(miss)) => Num(Some(hit.saturating_add(miss))),
            _ => Num(None),
        };
        let prompt = self.prompt_tokens.most(self.input_tokens).or(hit_and_miss);
        let prompt = prompt.or(self.billed_units.input_tokens).0;
        let within = details
            .cached_tokens
            .most(details.cache_read)
            .most(details.cache_read_input_tokens)
            .most(self.num_cached_tokens)
            .most(self.prompt_cache_hit_tokens)
            .most(self.cached_tokens);
        let read = within.most(self.cache_read_input_tokens);
        // Under Anthropic's names alone the prompt is Anthropic's, too, which leaves cached tokens out; not all keep to it.
        let is_fresh = self.prompt_tokens.0.or(within.0).is_none() && self.input_tokens.0.is_some();
        let claim =
            if is_fresh && self.cache_read_input_tokens.0.or(self.cache_creation_input_tokens.0).is_some() {
                Claim { is_cached_within: false, is_cached_open: true, ..claim }
            } else {
                claim
            };
        let mut lifetimes = details.cache_creation_token_details;
        lifetimes.absorb(details.cache_creation);
        lifetimes.absorb(self.cache_creation);
        let told = details
            .cache_creation_tokens
            .most(details.cache_creation_input_tokens)
            .most(lifetimes.all)
            .most(self.cache_creation_input_tokens);
        let written = details.cache_write_tokens.most(details.cache_write_input_tokens);
        let writes = Writes {
            total: told.most(written).0,
            short: lifetimes.ephemeral_5m_input_tokens.most(details.ephemeral_5m_input_tokens).0,
            long: lifetimes.ephemeral_1h_input_tokens.most(details.ephemeral_1h_input_tokens).0,
        };
        let reasoning = self
            .reasoning_tokens
            .most(self.completion_tokens_details.all())
            .most(self.output_tokens_details.all())
            .most(self.output_token_details.all());
        let output = self.completion_tokens.most(self.output_tokens).or(self.billed_units.output_tokens).0;
        // Where the prompt is not told, or as nothing, it is what the total leaves.
        let is_untold = prompt.unwrap_or(0) == 0 && read.or_zero() == 0 && writes.all() == 0;
        let left = self.total_tokens.0.zip(output).and_then(|(total, output)| total.checked_sub(output));
        let prompt = left.filter(|_| is_untold).or(prompt);
        // Embeddings have no answer and name no count for it; the total says the same.
        let output = output.or_else(|| self.total_tokens.0?.checked_sub(prompt?));
        // What Anthropic tells of several passes, gateways forward as it is.
        let passes = &self.iterations;
        let is_summed = passes.prompts().0 > prompt || passes.output.0 > output;
        let parts = Parts {
            input: Num(prompt).most(passes.prompts()).0,
            read: read.most(passes.read).or_zero(),
            writes: if passes.writes().all() > writes.all() { passes.writes() } else { writes },
            output: Num(output).most(passes.output).0,
            reasoning: reasoning.0,
            total: if is_summed { None } else { self.total_tokens.0 },
            are_writes_cut: told.or_zero() < written.or_zero(),
        };
        let terms = self.terms(&details);
        let mut counted = parts.counted(claim)?.on(terms, &[self.service_tier, self.speed]);
        counted.is_guess |= self.is_shown_only(&details, &terms) || self.unlisted.is_in_doubt();
        Ok(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WriteTtl;
    use crate::record::value::read;

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
    fn a_prompt_that_is_not_told_is_what_the_total_leaves() {
        for text in [
            r#"{"prompt_tokens":null,"completion_tokens":50,"total_tokens":1050}"#,
            r#"{"prompt_tokens":0,"completion_tokens":50,"total_tokens":1050}"#,
            r#"{"output_tokens":50,"total_tokens":1050}"#,
        ] {
            assert_eq!(buckets(text)[..1], [Some(1000)], "{text}");
            assert_eq!(buckets(text)[4], Some(50), "{text}");
        }
        for text in [r#"{"prompt_tokens":0,"total_tokens":5000}"#, r#"{"total_tokens":5000}"#] {
            let usage = read::<OpenAiUsage>(text).unwrap().of_embeddings().counted().unwrap().usage;
            assert_eq!((usage.input.get(), usage.output.get()), (Some(5000), Some(0)), "{text}");
        }
    }

    #[test]
    fn under_the_names_of_anthropic_the_prompt_is_what_was_not_cached() {
        let named = r#""input_tokens":600,"cache_read_input_tokens":400,"output_tokens":100"#;
        let of = |more: &str| {
            let told = counted(&format!("{{{named}{more}}}"));
            (told.usage.input.get(), told.usage.cache_read.get(), told.is_guess)
        };
        assert_eq!(of(""), (Some(600), Some(400), true));
        assert_eq!(of(r#","total_tokens":1100"#), (Some(600), Some(400), false));
        assert_eq!(of(r#","total_tokens":700"#), (Some(200), Some(400), false));
        assert_eq!(of(r#","input_tokens_details":{"cached_tokens":400}"#), (Some(200), Some(400), false));
        assert_eq!(of(r#","prompt_tokens":600"#), (Some(200), Some(400), false));
        let more_than_all =
            counted(r#"{"input_tokens":4,"cache_read_input_tokens":2455,"output_tokens":23}"#);
        assert!(!more_than_all.is_guess && more_than_all.usage.input.get() == Some(4));
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
        let more = r#"{"prompt_tokens":12,"completion_tokens":1,"completion_tokens_details":{"reasoning_tokens":386}}"#;
        assert_eq!(counted(more).usage.output.get(), Some(387), "more reasoning than answer proves it, too");
        let inside = r#"{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,"completion_tokens_details":{"reasoning_tokens":40}}"#;
        assert_eq!(counted(inside).usage.output.get(), Some(50));
    }

    #[test]
    fn more_cached_than_prompt_proves_that_the_prompt_leaves_it_out() {
        let text =
            r#"{"prompt_tokens":10,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":11}}"#;
        assert_eq!(buckets(text)[..2], [Some(10), Some(11)]);
    }

    #[test]
    fn counts_beyond_any_request_are_refused() {
        let block: OpenAiUsage =
            read(r#"{"prompt_tokens":18446744073709551615,"completion_tokens":1}"#).unwrap();
        assert!(matches!(block.counted(), Err(UsageError::TooLarge { field: "input", .. })));
    }

    #[test]
    fn a_zero_hides_no_sibling_that_says_more() {
        let want = [Some(4), Some(2455), Some(0), Some(0), Some(23), None];
        for cached in [
            r#""prompt_tokens_details":{"cached_tokens":0},"cache_read_input_tokens":2455"#,
            r#""prompt_tokens_details":{"cached_tokens":2455},"cache_read_input_tokens":0"#,
            r#""prompt_tokens_details":{"cached_tokens":0},"prompt_cache_hit_tokens":2455,"prompt_cache_miss_tokens":4"#,
            r#""prompt_tokens_details":{"cached_tokens":0},"input_tokens_details":{"cached_tokens":2455}"#,
            r#""prompt_tokens_details":{"cached_tokens":0},"input_token_details":{"cache_read":2455}"#,
            r#""num_cached_tokens":0,"cached_tokens":2455,"input_tokens":0"#,
        ] {
            let text =
                format!(r#"{{"prompt_tokens":2459,"completion_tokens":23,"total_tokens":2482,{cached}}}"#);
            assert_eq!(buckets(&text), want, "{text}");
        }
        let written = counted(
            r#"{"total_tokens":12857,"prompt_tokens":12307,"completion_tokens":550,"prompt_tokens_details":
            {"cached_tokens":0,"cache_creation_tokens":0},"cache_read_input_tokens":0,"cache_creation_input_tokens":12304}"#,
        );
        assert_eq!((written.usage.input.get(), written.usage.write_5m.get()), (Some(3), Some(12_304)));
    }

    #[test]
    fn a_stream_keeps_the_largest_value_said() {
        let mut block: OpenAiUsage = read(r#"{"prompt_tokens":12000}"#).unwrap();
        block.absorb(
            &read(r#"{"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":8192}}"#).unwrap(),
        );
        block.absorb(&read(r#"{"completion_tokens":650,"prompt_tokens_details":null}"#).unwrap());
        block.absorb(
            &read(r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"prompt_tokens_details":{"cached_tokens":0}}"#)
                .unwrap(),
        );
        let usage = block.counted().unwrap().usage;
        assert_eq!(
            (usage.input.get(), usage.cache_read.get(), usage.output.get()),
            (Some(3808), Some(8192), Some(650))
        );
    }
}
