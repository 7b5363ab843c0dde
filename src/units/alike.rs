//! Which names are one model's, by a rule that is given: a price book's aliases.
//!
//! Invariant: the first name that was seen of a model stands for all of them, whatever comes later.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::ModelId;

/// A list that knows models under several names.
pub trait Listing: std::fmt::Debug + Send + Sync {
    /// Returns the name under which a model is listed; none where it is not.
    fn listed(&self, model: &str) -> Option<&str>;
}

/// The id that stands for each model; without a listing every name is a model of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Alike {
    listing: Option<Arc<dyn Listing>>,
    first: FxHashMap<String, ModelId>,
    identities: Vec<ModelId>,
}

impl Alike {
    /// Starts one by a list, for the names seen so far.
    pub(super) fn by(listing: Arc<dyn Listing>, seen: &[Arc<str>]) -> Self {
        let mut alike = Self { listing: Some(listing), ..Self::default() };
        alike.see(seen);
        alike
    }

    /// Says whether names were seen that it has not been told of.
    pub(super) fn lacks(&self, seen: &[Arc<str>]) -> bool {
        self.listing.is_some() && self.identities.len() < seen.len()
    }

    /// Takes the names seen since.
    pub(super) fn see(&mut self, seen: &[Arc<str>]) {
        let Some(listing) = &self.listing else { return };
        for (at, name) in seen.iter().enumerate().skip(self.identities.len()) {
            let Ok(id) = u16::try_from(at).map(ModelId) else { return };
            let listed = listing.listed(name);
            let first = listed.map_or(id, |listed| *self.first.entry(listed.to_owned()).or_insert(id));
            self.identities.push(first);
        }
    }

    pub(super) fn identity(&self, model: ModelId) -> ModelId {
        model.index().and_then(|at| self.identities.get(at)).copied().unwrap_or(model)
    }
}
