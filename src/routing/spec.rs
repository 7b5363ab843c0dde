//! The policy as people write it: plain text and numbers, not yet checked.

use std::sync::Arc;

use super::{AdaptSpec, Effort, ExploreSpec, FactsSpec, StreamLimits};
use crate::checks::{CheckSpec, CheckWhen};
use crate::units::words;

/// A policy as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicySpec {
    /// The policy's name.
    pub name: String,
    /// The model that savings are measured against; the strongest of the last route where absent.
    pub baseline: Option<String>,
    /// The hash of the classifier that its thresholds were fitted on; with any other the policy is refused.
    pub classifier: Option<String>,
    /// What becomes of requests that name a model, where a route says nothing else.
    pub mode: Option<Mode>,
    /// What is known of models, wherever a rung names them.
    pub models: Vec<(String, FactsSpec)>,
    /// Routes in order of precedence.
    pub routes: Vec<RouteSpec>,
}

/// A route as written; empty lists match everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouteSpec {
    /// The route's name.
    pub name: String,
    /// Teams it takes.
    pub teams: Vec<String>,
    /// Projects it takes.
    pub projects: Vec<String>,
    /// Kinds of work it takes.
    pub tasks: Vec<String>,
    /// Model names or aliases asked for that it takes.
    pub asked: Vec<String>,
    /// Of which route it decides a share of the sessions; it then has from that one what it does not say.
    pub canary: Option<CanarySpec>,
    /// What becomes of requests that name a model.
    pub mode: Option<Mode>,
    /// Labels that whoever serves it has to carry.
    pub require: Vec<String>,
    /// What becomes of requests whose model is full.
    pub when_full: Option<WhenFull>,
    /// Rungs, cheapest first.
    pub ladder: Vec<RungSpec>,
    /// The rung for requests without a confidence; the last one where absent.
    pub no_signal: Option<String>,
    /// What becomes of requests whose strongest rung failed.
    pub when_failed: Option<WhenFailed>,
    /// Whether it minds what prompt caches hold.
    pub cache: Option<Caching>,
    /// How much more than never changing a session's changes may cost, in per mille.
    pub switch_cap: Option<i64>,
    /// The share of sessions, in per mille, that go to the strongest rung whatever their confidence.
    pub holdout: Option<i64>,
    /// How requests near a threshold are explored; not at all where absent.
    pub explore: Option<ExploreSpec>,
    /// How it learns from verdicts; not at all where absent.
    pub adapt: Option<AdaptSpec>,
    /// How slow its streams may be.
    pub stream: StreamLimits,
    /// When its answers are checked.
    pub check: Option<CheckWhen>,
    /// What is checked of them.
    pub checks: Vec<CheckSpec>,
}

/// A canary as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CanarySpec {
    /// The route that stands right after it.
    pub of: String,
    /// How many of a thousand sessions it decides.
    pub share: i64,
}

/// A rung as written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RungSpec {
    /// The rung's name; the model's where absent.
    pub name: Option<String>,
    /// The model that serves it.
    pub model: String,
    /// The least confidence it serves; absent on the last rung and on a fallback only.
    pub threshold: Option<i64>,
    /// Whether it is the fallback: the first rung of its ladder, which serves where no other can.
    pub fallback: bool,
    /// How slow its streams may be, where that differs from its route.
    pub stream: StreamLimits,
    /// What is known of the model as this rung calls it, over what is known of it anyway.
    pub facts: FactsSpec,
    /// What is written into the request.
    pub with: Parameters,
}

/// What becomes of requests whose client names a model that the route does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// That model serves; no ladder applies.
    #[default]
    Pinned,
    /// That model serves, unchanged, and where the ladder would have sent the request is told.
    Observe,
    /// The ladder applies to them as to all others.
    Active,
}

words!(Mode { Pinned = "pinned", Observe = "observe", Active = "active" });

/// What becomes of a request whose strongest rung failed in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum WhenFailed {
    /// Its client hears of the failure.
    #[default]
    End,
    /// It goes down to the nearest cheaper rung that was not asked yet.
    Fall,
}

words!(WhenFailed { End = "end", Fall = "fall" });

/// Whether a route minds what prompt caches hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Caching {
    /// It does not.
    #[default]
    Blind,
    /// A session stays where it is warm, unless to go is expected to cost less.
    Aware,
}

words!(Caching { Blind = "blind", Aware = "aware" });

/// What becomes of a request that is placed on a rung whose model has as many calls in flight as it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum WhenFull {
    /// It starts on the next rung with room; where there is none it is refused.
    #[default]
    Next,
    /// It is refused.
    Refuse,
}

words!(WhenFull { Next = "next", Refuse = "refuse" });

/// What a rung writes into the request, where its model takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Parameters {
    /// How hard the model is to think.
    pub effort: Option<Effort>,
    /// The service tier to ask for.
    pub service_tier: Option<Arc<str>>,
    /// The most tokens of the answer; a lower limit of the client stays.
    pub max_output: Option<u32>,
    /// The temperature in thousandths.
    pub temperature: Option<u32>,
    /// Whether the provider is asked how likely its words were, for a check of the route.
    pub logprobs: bool,
}

impl Parameters {
    /// Nothing.
    pub const NONE: Self =
        Self { effort: None, service_tier: None, max_output: None, temperature: None, logprobs: false };

    /// Checks that a provider could take them.
    ///
    /// # Errors
    /// The key that is wrong, and how to mend it.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.max_output == Some(0) {
            return Err(("max_output", "0 would allow no answer; leave it out"));
        }
        if self.temperature.is_some_and(|thousandths| thousandths > 2000) {
            return Err(("temperature", "is no number from 0 to 2 with three decimals at most"));
        }
        if self.service_tier.as_deref().is_some_and(str::is_empty) {
            return Err(("service_tier", "names no tier; leave it out"));
        }
        Ok(())
    }

    /// Returns what of them an answer goes by: who asks for another tier, or how likely words were, gets the same answers.
    #[must_use]
    pub fn of_answers(&self) -> Self {
        Self { service_tier: None, logprobs: false, ..self.clone() }
    }

    /// Says whether nothing is written.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Writes the temperature as a number: `0.2`.
    pub fn temperature_text(&self) -> Option<String> {
        let thousandths = self.temperature?;
        let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
        let short = text.trim_end_matches('0');
        Some(short.strip_suffix('.').unwrap_or(short).to_owned())
    }
}
