//! The usage block of Anthropic messages: input leaves cached tokens out, thinking is a part of the output.
//! Servers that speak the dialect may add a total, which tells whether they do the same.

use super::iterations::{Iterations, Lifetimes};
use super::meters::{Said, ServerTools, Unlisted, place};
use super::shown::ServerBlocks;
use super::{Claim, Counted, Parts, Plainly, UsageError, Writes};
use crate::pricing::Terms;
use crate::record::json::Num;
use crate::record::value::{FromValue, Value};

block! {
    /// Usage as Anthropic reports it.
    pub struct AnthropicUsage {
        input_tokens: Num,
        cache_creation_input_tokens: Num,
        cache_read_input_tokens: Num,
        cache_creation: Lifetimes,
        output_tokens: Num,
        total_tokens: Num,
        output_tokens_details: Details,
        service_tier: Said,
        speed: Said,
        inference_geo: Said,
        server_tool_use: ServerTools,
        iterations: Iterations,
    }
    beside {
        /// What the message itself shows besides its usage.
        shown: ServerBlocks,
    }
    fn take_over;
}

#[derive(Clone, Copy, Debug, Default)]
struct Details {
    thinking_tokens: Num,
}

impl FromValue for Details {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        Ok(Self { thinking_tokens: value.object()?.count("thinking_tokens")? })
    }
}

impl Plainly for Details {}

impl Details {
    fn absorb(&mut self, then: Self) {
        absorb!(then into self: thinking_tokens);
    }
}

impl AnthropicUsage {
    /// Takes over what another event of the same stream says: its counts are running totals, so the largest holds, but for
    /// the prompt.
    pub fn absorb(&mut self, then: &Self) {
        // Gateways start a stream with an estimate of the whole prompt, and tell at the end what it came to, or its cached
        // part apart. Nothing and one token are what servers say that do not count.
        let is_split = then.input_tokens.or_zero() > 0 && then.cached() > self.cached();
        let is_counted = then.input_tokens.or_zero() > 1 && then.output_tokens.or_zero() > self.answer();
        if (is_split || is_counted) && then.input_tokens.0 < self.input_tokens.0 {
            self.input_tokens = then.input_tokens;
            self.total_tokens = then.total_tokens;
        }
        self.take_over(*then);
        self.shown.absorb(then.shown);
    }

    /// Returns the tokens of the answer so far; none where it does not say.
    pub(crate) fn answer(&self) -> u64 {
        self.output_tokens.or_zero()
    }

    /// Takes what the message shows of tools that the provider ran.
    pub(crate) fn show(&mut self, blocks: ServerBlocks) {
        self.shown.absorb(blocks);
    }

    /// Returns what the answer is billed by besides tokens at the ordinary price, and whether that is told for sure.
    fn terms(&self) -> (Terms, bool) {
        let mut terms = Terms::NONE;
        terms.serve(self.service_tier.as_str());
        terms.serve(self.speed.as_str());
        place(self.inference_geo, &mut terms);
        self.server_tool_use.tell(&mut terms);
        self.iterations.tell(&mut terms);
        self.unlisted.tell(&mut terms);
        let is_guess = self.shown.tell(&mut terms);
        (terms, !is_guess)
    }

    fn writes(&self) -> Writes {
        let all = Writes {
            total: self.cache_creation_input_tokens.most(self.cache_creation.all).0,
            short: self.cache_creation.ephemeral_5m_input_tokens.0,
            long: self.cache_creation.ephemeral_1h_input_tokens.0,
        };
        let passes = self.iterations.writes();
        if passes.all() > all.all() { passes } else { all }
    }

    fn cached(&self) -> u64 {
        self.cache_read_input_tokens.or_zero().saturating_add(self.writes().all())
    }

    /// Turns the block into disjoint buckets.
    pub fn counted(&self) -> Result<Counted, UsageError> {
        let passes = &self.iterations;
        let is_summed = passes.prompts().0
            > Num(self.input_tokens.0.map(|input| input.saturating_add(self.cached()))).0
            || passes.output.0 > self.output_tokens.0;
        let parts = Parts {
            input: self.input_tokens.most(passes.input).0,
            read: self.cache_read_input_tokens.most(passes.read).or_zero(),
            writes: self.writes(),
            output: self.output_tokens.most(passes.output).0,
            reasoning: self.output_tokens_details.thinking_tokens.0,
            // A total is that of the top.
            total: if is_summed { None } else { self.total_tokens.0 },
            ..Parts::default()
        };
        let (terms, is_sure) = self.terms();
        let mut counted = parts.counted(Claim::FRESH)?.on(terms, &[self.service_tier, self.speed]);
        counted.is_guess |= !is_sure || self.unlisted.is_in_doubt();
        Ok(counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WriteTtl;
    use crate::record::value::read;

    #[test]
    fn a_stream_is_not_summed() {
        let mut block: AnthropicUsage = read(
            r#"{"input_tokens":25,"cache_creation_input_tokens":3072,"cache_read_input_tokens":18432,"cache_creation":
            {"ephemeral_5m_input_tokens":2048,"ephemeral_1h_input_tokens":1024},"output_tokens":1}"#,
        )
        .unwrap();
        block.absorb(
            &read(r#"{"input_tokens":1204,"cache_read_input_tokens":18432,"output_tokens":812}"#).unwrap(),
        );
        let counted = block.counted().unwrap();
        let u = counted.usage;
        assert_eq!(
            [u.input, u.cache_read, u.write_5m, u.write_1h, u.output].map(crate::units::Count::get),
            [Some(1204), Some(18432), Some(2048), Some(1024), Some(812)]
        );
        assert_eq!(counted.write_ttl, WriteTtl::Reported);
    }

    #[test]
    fn what_comes_later_erases_nothing_and_a_split_of_the_prompt_is_believed() {
        let after = |first: &str, then: &str| {
            let mut block: AnthropicUsage = read(first).unwrap();
            block.absorb(&read(then).unwrap());
            let u = block.counted().unwrap().usage;
            [u.input, u.cache_read, u.output].map(crate::units::Count::get)
        };
        let start = r#"{"input_tokens":15000,"cache_read_input_tokens":2000,"output_tokens":1}"#;
        for then in [
            r#"{"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":9}"#,
            r#"{"input_tokens":null,"output_tokens":9}"#,
            r#"{"input_tokens":1,"cache_read_input_tokens":2000,"output_tokens":9}"#,
        ] {
            assert_eq!(after(start, then), [Some(15000), Some(2000), Some(9)], "{then}");
        }
        let told = r#"{"input_tokens":4,"cache_read_input_tokens":2455,"output_tokens":23}"#;
        assert_eq!(
            after(r#"{"input_tokens":2600,"output_tokens":1}"#, told),
            [Some(4), Some(2455), Some(23)]
        );
    }

    #[test]
    fn a_total_tells_that_a_gateway_counts_otherwise() {
        let block: AnthropicUsage = read(
            r#"{"input_tokens":2459,"cache_read_input_tokens":2455,"output_tokens":23,"total_tokens":2482}"#,
        )
        .unwrap();
        assert_eq!(block.counted().unwrap().usage.input.get(), Some(4));
    }

    #[test]
    fn every_pass_of_the_model_is_billed_and_that_of_another_is_a_meter() {
        let block: AnthropicUsage = read(
            r#"{"input_tokens":23000,"output_tokens":1000,"iterations":[
            {"type":"compaction","input_tokens":180000,"output_tokens":3500,"cache_read_input_tokens":0,"cache_creation_input_tokens":0},
            {"type":"message","input_tokens":23000,"output_tokens":1000,"cache_creation":{"ephemeral_1h_input_tokens":7}},null]}"#,
        )
        .unwrap();
        let counted = block.counted().unwrap();
        let u = counted.usage;
        assert_eq!(
            [u.input, u.write_1h, u.output].map(crate::units::Count::get),
            [Some(203_000), Some(7), Some(4500)]
        );
        assert!(counted.terms.is_none());
        let advised: AnthropicUsage = read(
            r#"{"input_tokens":412,"output_tokens":531,"iterations":[{"type":"message","input_tokens":412,"output_tokens":89},
            {"type":"advisor_message","model":"claude-opus-4-6","input_tokens":823,"output_tokens":1612},
            {"type":"message","input_tokens":1348,"output_tokens":442}]}"#,
        )
        .unwrap();
        let counted = advised.counted().unwrap();
        assert_eq!(counted.usage.output.get(), Some(531));
        assert_eq!(counted.terms.meters().collect::<Vec<_>>(), [("advisor_message", 2435)]);
        for odd in
            [r#"{"output_tokens":1,"iterations":null}"#, r#"{"iterations":7}"#, r#"{"iterations":{"a":1}}"#]
        {
            assert!(read::<AnthropicUsage>(odd).unwrap().counted().is_ok(), "{odd}");
        }
    }

    #[test]
    fn writes_without_lifetimes_are_an_assumption() {
        let block: AnthropicUsage =
            read(r#"{"input_tokens":1,"cache_creation_input_tokens":3072,"cache_creation":null,"output_tokens":2}"#).unwrap();
        let counted = block.counted().unwrap();
        assert_eq!((counted.usage.write_5m.get(), counted.write_ttl), (Some(3072), WriteTtl::Assumed));
    }
}
