//! The counts of Ollama. A count that is zero or came from its cache is left out, so an absent one stays unknown.

use super::{Claim, Counted, Parts, UsageError};
use crate::record::json::Num;
use crate::record::value::{FromValue, Value};

/// Usage as Ollama reports it, flat beside the answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct OllamaUsage {
    prompt_eval_count: Num,
    eval_count: Num,
}

impl FromValue for OllamaUsage {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let answer = value.object()?;
        Ok(Self {
            prompt_eval_count: answer.count("prompt_eval_count")?,
            eval_count: answer.count("eval_count")?,
        })
    }
}

impl OllamaUsage {
    /// Turns the counts into disjoint buckets.
    pub fn counted(&self) -> Result<Counted, UsageError> {
        Parts { input: self.prompt_eval_count.0, output: self.eval_count.0, ..Parts::default() }
            .counted(Claim::WHOLE)
    }
}
