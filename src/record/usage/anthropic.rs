//! The usage block of Anthropic messages: input leaves cached tokens out, thinking is a part of the output.

use serde::Deserialize;

use super::{Counted, Parts, UsageError, Writes, later};
use crate::record::json::{Num, nullable};

/// Usage as Anthropic reports it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AnthropicUsage {
    input_tokens: Num,
    cache_creation_input_tokens: Num,
    cache_read_input_tokens: Num,
    #[serde(deserialize_with = "nullable")]
    cache_creation: Lifetimes,
    output_tokens: Num,
    #[serde(deserialize_with = "nullable")]
    output_tokens_details: Details,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Lifetimes {
    ephemeral_5m_input_tokens: Num,
    ephemeral_1h_input_tokens: Num,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    thinking_tokens: Num,
}

impl AnthropicUsage {
    /// Takes over what a later event of the same stream says; its counts are running totals, so they replace.
    pub fn absorb(&mut self, then: &Self) {
        later(&mut self.input_tokens, then.input_tokens);
        later(&mut self.cache_creation_input_tokens, then.cache_creation_input_tokens);
        later(&mut self.cache_read_input_tokens, then.cache_read_input_tokens);
        later(
            &mut self.cache_creation.ephemeral_5m_input_tokens,
            then.cache_creation.ephemeral_5m_input_tokens,
        );
        later(
            &mut self.cache_creation.ephemeral_1h_input_tokens,
            then.cache_creation.ephemeral_1h_input_tokens,
        );
        later(&mut self.output_tokens, then.output_tokens);
        later(&mut self.output_tokens_details.thinking_tokens, then.output_tokens_details.thinking_tokens);
    }

    /// Turns the block into disjoint buckets.
    pub fn counted(&self) -> Result<Counted, UsageError> {
        let writes = Writes {
            total: self.cache_creation_input_tokens.0,
            short: self.cache_creation.ephemeral_5m_input_tokens.0,
            long: self.cache_creation.ephemeral_1h_input_tokens.0,
        };
        Parts {
            input: self.input_tokens.0,
            read: self.cache_read_input_tokens.or_zero(),
            writes,
            output: self.output_tokens.0,
            reasoning: self.output_tokens_details.thinking_tokens.0,
        }
        .exclusive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WriteTtl;
    use crate::record::json::read;

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
    fn writes_without_lifetimes_are_an_assumption() {
        let block: AnthropicUsage =
            read(r#"{"input_tokens":1,"cache_creation_input_tokens":3072,"cache_creation":null,"output_tokens":2}"#).unwrap();
        let counted = block.counted().unwrap();
        assert_eq!((counted.usage.write_5m.get(), counted.write_ttl), (Some(3072), WriteTtl::Assumed));
    }
}
