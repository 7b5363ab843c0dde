//! The prices of a live session, and how they change while it runs.
//!
//! Invariant: a change has a place in the order of events: what arrived before it is charged as before.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::{Core, Live, line_of, lock};
use crate::pricing::{Amended, Amendment, PriceBook};
use crate::record::{self, Entry};
use crate::units::{Instant, ModelId};

impl Live {
    /// Returns the price book.
    pub fn book(&self) -> Arc<PriceBook> {
        Arc::clone(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the prices of another book for all that arrives from now on; what came before stays at its own.
    pub fn reprice(&self, new: &PriceBook, now: Instant) -> Amended {
        let mut core = lock(&self.core);
        let at = core.event_at(now);
        let mut book = PriceBook::clone(&self.book());
        let amended = book.amend(new, at);
        // Models that nobody has named yet are priced by the book as it is now.
        let mut named: BTreeMap<&str, ModelId> = BTreeMap::new();
        for (index, name) in core.names.models().iter().enumerate() {
            if let (Some((listed, _)), Ok(id)) = (book.find_named(name), u16::try_from(index)) {
                named.entry(listed).or_insert(ModelId(id));
            }
        }
        for Amendment { model, row, .. } in &amended.changes {
            if let Some(&id) = named.get(model.as_str()) {
                core.decider.change_price(id, row.clone());
            }
            let change =
                record::PriceChange { model: model.as_str().into(), row: row.clone(), simulated: false };
            lock(&self.outlet).price(&line_of(&Entry::Price(Box::new(change))));
        }
        *self.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
        amended
    }
}

impl Core {
    /// Looks up the prices of models that were named since.
    pub(super) fn price_new_models(&mut self, book: &PriceBook) {
        if self.decider.prices().len() < self.names.models().len() {
            let mut prices = (**self.decider.prices()).clone();
            prices.extend(book, &self.names);
            self.decider.load_prices(Arc::new(prices));
            self.decider.caches_mut().know(&self.names);
        }
    }
}
