//! How a request is sent to a provider, and what is sent.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::known::Known;
use crate::routing::Parameters;

/// A request as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The body.
    pub body: Bytes,
    /// The names of what was left out of it, as the client calls them.
    pub left_out: Vec<String>,
    /// The service tier that policy asks for in it.
    pub tier: Option<Arc<str>>,
}

/// How a request is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending<'k> {
    /// What is known of the model.
    pub known: &'k Known,
    /// What policy writes into it, in place of the client's own; of limits of output the lower one holds.
    pub with: &'k Parameters,
    /// The limit for a provider that demands one, where the client names none.
    pub default_max_output: u64,
    /// Whether a provider of Anthropic's dialect demands one: Converse does not, and some of its models give less.
    pub needs_limit: bool,
    /// How a provider that speaks chat has it.
    pub accent: Accent,
}

/// How a provider speaks chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Accent {
    /// As OpenAI does, or taking whatever OpenAI takes.
    #[default]
    OpenAi,
    /// As Mistral does, which refuses members it does not know: no `stream_options` (usage comes anyway), `max_tokens`
    /// alone, `random_seed`, and ids of calls of nine letters or digits.
    Mistral,
}

impl Default for Sending<'_> {
    fn default() -> Self {
        static NOTHING: LazyLock<Known> = LazyLock::new(Known::default);
        const UNCHANGED: &Parameters = &Parameters::NONE;
        Self {
            known: &NOTHING,
            with: UNCHANGED,
            default_max_output: 8192,
            needs_limit: true,
            accent: Accent::OpenAi,
        }
    }
}

impl Sending<'_> {
    /// Returns the limit to send, of what the client allows and what policy allows.
    pub(super) fn limit(&self, asked: Option<u64>) -> Option<u64> {
        match (asked, self.with.max_output.map(u64::from)) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }
}
