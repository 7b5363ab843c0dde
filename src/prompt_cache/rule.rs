//! How a provider's cache works, as far as it says so: how long a prompt must be, how it is cut, how long it is held.

use std::sync::Arc;

use super::switch::Side;
use crate::pricing::Tier;
use crate::units::{Instant, ModelId, Names, PicoPerMillion, Span};

/// How the cache of some models works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The fewest tokens that are cached.
    pub minimum: u32,
    /// Hits are multiples of so many tokens; 1 where a hit ends where a breakpoint stands.
    pub step: u32,
    /// How long a prefix is held after its last use.
    pub ttl: Span,
    /// How long it is held where that is asked and paid for.
    pub ttl_long: Option<Span>,
    /// What a read costs of the input price, in thousandths.
    pub read: u32,
    /// What a write costs of it.
    pub write: u32,
    /// What a write costs of it that is held long.
    pub write_long: Option<u32>,
    /// What an hour of holding a million tokens costs, where that is billed.
    pub storage: Option<PicoPerMillion>,
    /// Whether a client has to ask for it.
    pub asked: bool,
}

impl Rule {
    /// Returns what of a warm prefix is read from the cache.
    pub fn usable(&self, warm: u64, prompt: u64) -> u64 {
        let cut = warm.min(prompt) / u64::from(self.step.max(1)) * u64::from(self.step.max(1));
        let least = u64::from(self.minimum);
        if prompt < least || cut < least { 0 } else { cut }
    }

    /// Says whether what was used last at a moment is still held.
    pub fn holds(&self, last: Instant, now: Instant) -> bool {
        now - last <= self.ttl
    }

    /// Returns the prices of a model as switching needs them, a price that the book lacks filled in by this rule.
    pub fn side(&self, tier: &Tier) -> Side {
        let of = |thousandths: u32| {
            let price = i128::from(tier.input.0) * i128::from(thousandths) / 1000;
            PicoPerMillion(i64::try_from(price).unwrap_or(i64::MAX))
        };
        Side {
            input: tier.input,
            read: tier.cache_read.unwrap_or_else(|| of(self.read)),
            write: tier.write_5m.unwrap_or_else(|| of(self.write)),
            output: tier.output,
        }
    }
}

/// The rules of all models known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Patterns of names (`*` at the end is any text) and the rule for them; the first that fits holds.
    pub rules: Vec<(Vec<String>, Rule)>,
}

impl Rules {
    /// Finds the rule for a model by its name.
    pub fn find(&self, model: &str) -> Option<&Rule> {
        let bare = model.rsplit('/').next().unwrap_or(model).to_lowercase().replace('.', "-");
        // Bedrock puts region and maker before the name.
        let bare = bare.find("anthropic-").and_then(|at| bare.get(at + 10..)).unwrap_or(&bare);
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => bare.starts_with(start),
            None => bare == pattern,
        };
        self.rules.iter().find(|(patterns, _)| patterns.iter().any(fits)).map(|(_, rule)| rule)
    }
}

/// Rules by model id.
#[derive(Clone, Debug, Default)]
pub struct RuleTable {
    rules: Arc<Rules>,
    found: Vec<Option<Arc<Rule>>>,
}

impl RuleTable {
    /// Knows these rules, and no model yet.
    pub fn new(rules: Arc<Rules>) -> Self {
        Self { rules, found: Vec::new() }
    }

    /// Looks up the models that were named since.
    pub fn extend(&mut self, names: &Names) {
        for name in names.models().iter().skip(self.found.len()) {
            self.found.push(self.rules.find(name).cloned().map(Arc::new));
        }
    }

    /// Returns the rule for a model; none where nothing is known of its cache.
    pub fn get(&self, model: ModelId) -> Option<&Rule> {
        self.found.get(model.index()?)?.as_deref()
    }
}
