//! Provider usage blocks turned into disjoint token buckets.
//!
//! Invariants: whether "input" includes cached tokens is decided by the format, never guessed; an explicit zero is zero
//! and a missing count is unknown; every block can absorb a later one of the same stream (last value said wins, no sums).

mod anthropic;
mod gemini;
mod ollama;
mod openai;

pub use anthropic::AnthropicUsage;
pub use gemini::GeminiUsage;
pub use ollama::OllamaUsage;
pub use openai::OpenAiUsage;

use super::WriteTtl;
use super::json::Num;
use crate::pricing::{Terms, Usage};
use crate::routing::Status;
use crate::units::Count;

/// Usage in disjoint buckets, and how sure its split of cache writes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counted {
    /// The buckets.
    pub usage: Usage,
    /// Where the lifetime of cache writes comes from.
    pub write_ttl: WriteTtl,
    /// The service tier that served, and what is billed besides tokens.
    pub terms: Terms,
}

impl Counted {
    /// A call that used nothing.
    pub const NOTHING: Self = Self { usage: Usage::NONE, write_ttl: WriteTtl::Reported, terms: Terms::NONE };
}

/// Why a usage block cannot be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A count is larger than any request can be.
    #[error("{field}: {tokens} tokens are more than one request can have ({most})", most = Count::MAX)]
    TooLarge {
        /// The bucket.
        field: &'static str,
        /// What was reported.
        tokens: u64,
    },
    /// More tokens read from cache than the prompt has, in a format whose prompt count includes them.
    #[error("{cached} cached tokens are more than the {prompt} of the whole prompt they are part of")]
    CacheExceedsPrompt {
        /// The cached tokens.
        cached: u64,
        /// The prompt.
        prompt: u64,
    },
}

/// Makes a bucket of a count that may be unknown.
pub(crate) fn bucket(field: &'static str, tokens: Option<u64>) -> Result<Count, UsageError> {
    Count::from_option(tokens).ok_or(UsageError::TooLarge { field, tokens: tokens.unwrap_or(u64::MAX) })
}

/// Cache writes as logs report them: one total, a split by lifetime, or both.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Writes {
    /// All writes in one number.
    pub(crate) total: Option<u64>,
    /// Writes that live 5 minutes.
    pub(crate) short: Option<u64>,
    /// Writes that live 1 hour.
    pub(crate) long: Option<u64>,
}

impl Writes {
    /// Splits by lifetime; whatever the split leaves out goes under 5 minutes, as an assumption.
    pub(crate) fn split(self) -> (u64, u64, WriteTtl) {
        let (short, long) = (self.short.unwrap_or(0), self.long.unwrap_or(0));
        let rest = self.total.unwrap_or(0).saturating_sub(short.saturating_add(long));
        let ttl = if rest > 0 { WriteTtl::Assumed } else { WriteTtl::Reported };
        (short.saturating_add(rest), long, ttl)
    }
}

/// The parts of a usage block, before they are made disjoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    /// Prompt tokens as reported.
    pub(crate) input: Option<u64>,
    /// Prompt tokens read from cache.
    pub(crate) read: u64,
    /// Prompt tokens written to cache.
    pub(crate) writes: Writes,
    /// Answer tokens with reasoning.
    pub(crate) output: Option<u64>,
    /// Reasoning tokens.
    pub(crate) reasoning: Option<u64>,
}

impl Parts {
    /// Makes buckets where the reported input leaves cached tokens out.
    pub(crate) fn exclusive(self) -> Result<Counted, UsageError> {
        let (short, long, write_ttl) = self.writes.split();
        self.build(self.input, short, long, write_ttl)
    }

    /// Makes buckets where the reported input is the whole prompt.
    ///
    /// Providers call the number of written tokens "unadjusted", so writes are cut to what the prompt has left;
    /// reads beyond the prompt are a fault.
    pub(crate) fn inclusive(self) -> Result<Counted, UsageError> {
        let (short, long, write_ttl) = self.writes.split();
        let Some(prompt) = self.input else { return self.build(None, short, long, write_ttl) };
        let Some(fresh) = prompt.checked_sub(self.read) else {
            return Err(UsageError::CacheExceedsPrompt { cached: self.read, prompt });
        };
        let long = long.min(fresh);
        let short = short.min(fresh - long);
        self.build(Some(fresh - long - short), short, long, write_ttl)
    }

    /// Makes buckets where the format says inclusive but writers are known to send exclusive numbers: more cached than
    /// prompt proves the latter.
    pub(crate) fn inclusive_unless_impossible(self) -> Result<Counted, UsageError> {
        let (short, long, _) = self.writes.split();
        let cached = self.read.saturating_add(short).saturating_add(long);
        if self.input.is_some_and(|prompt| cached > prompt) { self.exclusive() } else { self.inclusive() }
    }

    fn build(
        self,
        input: Option<u64>,
        short: u64,
        long: u64,
        write_ttl: WriteTtl,
    ) -> Result<Counted, UsageError> {
        // Nothing said of the prompt means nothing known of its cached part either, unless a part is named.
        let said = |tokens: u64| (input.is_some() || tokens > 0).then_some(tokens);
        let usage = Usage {
            input: bucket("input", input)?,
            cache_read: bucket("cache_read", said(self.read))?,
            write_5m: bucket("write_5m", said(short))?,
            write_1h: bucket("write_1h", said(long))?,
            output: bucket("output", self.output)?,
            reasoning: bucket("reasoning", self.reasoning)?,
        };
        Ok(Counted { usage, write_ttl, terms: Terms::NONE })
    }
}

/// Gives the usage of an attempt that ended so, where the log may have none: a call refused at the door used nothing.
pub(crate) fn or_refused(counted: Counted, status: Status) -> Counted {
    let refused = matches!(status, Status::RateLimited | Status::Rejected | Status::ServerError);
    if refused && !counted.usage.is_known() {
        return Counted::NOTHING;
    }
    counted
}

/// Takes the later of two counts of a stream where the later says something.
pub(crate) fn later(now: &mut Num, then: Num) {
    *now = then.or(*now);
}
