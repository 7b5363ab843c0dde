//! What a call comes to that has ended.

use super::{Called, Core, Live, Ticket, lock};
use crate::outcome::{Attempt, Observed, Seen, Timeline, seen_attempt};
use crate::pricing::{Charged, Cost, PriceBook};
use crate::record::WriteTtl;
use crate::units::{Millis, Pico};

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
        let model = self.model(&call.model, book);
        let billed = call.billed.as_deref().map_or_else(Default::default, |name| self.model(name, book));
        self.price_new_models(book);
        let mut timeline = Timeline::default();
        for (before, _) in &ticket.calls {
            timeline.wait(Some(before.began_us), Millis::from_option(before.latency_ms));
        }
        let latency = Millis::from_option(call.latency_ms);
        let observed = Observed {
            charged: Charged::NONE,
            usage: call.usage,
            latency,
            waited: timeline.wait(Some(call.began_us), latency),
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
        seen_attempt(seen, ticket.operation.at, self.decider.prices())
    }
}
