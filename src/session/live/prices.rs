//! The prices of a live session, and how they change while it runs.
//!
//! Invariant: a change has a place in the order of events: what arrived before it is charged as before.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::{Called, Core, Live, Ticket, line_of, lock};
use crate::outcome::{Attempt, Observed, Seen, Timeline, seen_attempt};
use crate::pricing::{Amended, Amendment, Charged, Cost, PriceBook};
use crate::record::{self, Entry, WriteTtl};
use crate::units::{Instant, Millis, ModelId, Pico};

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

impl Live {
    /// Returns what an operation costs whose last call this is, before that is ended.
    pub fn cost_with(&self, ticket: &Ticket, last: &Called) -> Cost {
        let book = self.book();
        let last = lock(&self.core).charged(ticket, last, &book).cost;
        ticket.calls.iter().map(|(_, cost)| *cost).fold(Cost::Known(Pico::ZERO), Cost::plus).plus(last)
    }
}

impl Core {
    /// Charges a call of an operation at the prices in force.
    pub(super) fn charged(&mut self, ticket: &Ticket, call: &Called, book: &PriceBook) -> Attempt {
        let mut timeline = Timeline::default();
        for (before, _) in &ticket.calls {
            timeline.wait(Some(before.began_us), Millis::from_option(before.latency_ms));
        }
        let waited = timeline.wait(Some(call.began_us), Millis::from_option(call.latency_ms));
        self.priced(call, waited, ticket.operation.at, book)
    }

    /// Charges a call that waited so long to begin, at the prices of a moment.
    pub(super) fn priced(&mut self, call: &Called, waited: u32, at: Instant, book: &PriceBook) -> Attempt {
        let model = self.model(&call.model, book);
        let billed = call.billed.as_deref().map_or_else(Default::default, |name| self.model(name, book));
        self.price_new_models(book);
        let observed = Observed {
            charged: Charged::NONE,
            usage: call.usage,
            latency: Millis::from_option(call.latency_ms),
            waited,
            ttft: Millis::from_option(call.ttft_ms),
            model,
            billed,
            status: call.status,
            check: call.check,
            effort: call.effort,
            assumed: call.estimated,
            is_lifetime_assumed: call.write_ttl == WriteTtl::Assumed,
        };
        let seen = Seen { call: &observed, terms: &call.terms };
        seen_attempt(seen, at, self.decider.prices())
    }
}
