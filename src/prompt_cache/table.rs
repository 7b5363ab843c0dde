//! The rules of providers' caches by model id, for looking them up with every call.
//!
//! Invariant: a model keeps the rule of the name by which it was met first.

use std::sync::Arc;

use super::{Rule, Rules};
use crate::units::{ModelId, Names};

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
