//! The counts of Ollama. A count that is zero or came from its cache is left out, so an absent one stays unknown.

use serde::Deserialize;

use super::{Claim, Counted, Parts, UsageError};
use crate::record::json::Num;

/// Usage as Ollama reports it, flat beside the answer.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OllamaUsage {
    prompt_eval_count: Num,
    eval_count: Num,
}

impl OllamaUsage {
    /// Takes over what another chunk of the same stream says.
    pub fn absorb(&mut self, then: &Self) {
        absorb!(then into self: prompt_eval_count eval_count);
    }

    /// Turns the counts into disjoint buckets.
    pub fn counted(&self) -> Result<Counted, UsageError> {
        Parts { input: self.prompt_eval_count.0, output: self.eval_count.0, ..Parts::default() }
            .counted(Claim::WHOLE)
    }
}
