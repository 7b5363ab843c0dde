//! LiteLLM: rows of its spend-log table, and the payload that its callbacks send.
//!
//! `prompt_tokens` includes cache reads and writes, also for Anthropic. A hit in LiteLLM's own response cache reached no
//! provider: it is an answer that used nothing, from provider `litellm-cache`. A fallback is an attempt at the original
//! model group that used nothing here, since its own row carries what it used.

mod plain;
mod row;

use crate::record::known::Told;
use crate::record::skip::Refusal;

/// Reads a row of `LiteLLM_SpendLogs`, or a `StandardLoggingPayload`.
pub(super) fn row(text: &str) -> Result<Told, Refusal> {
    plain::row(text).unwrap_or_else(|| row::forgiving(text))
}
