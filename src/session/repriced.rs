//! What a log was charged, and what the same calls come to at other prices: two figures that are never mixed.
//!
//! Invariant: what was charged does not depend on the prices that are tried.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::Log;
use crate::outcome::{Seen, priced, seen_attempt};
use crate::pricing::{Cost, CostSum, PriceTable};
use crate::units::{Instant, ModelId, Pico};

/// Two figures of the same calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Twice {
    /// Requests; at a model, calls.
    pub count: u64,
    /// As charged: what the log tells, else the prices of the moment.
    pub charged: CostSum,
    /// At the other prices.
    pub repriced: CostSum,
    /// How many of which both are there.
    pub compared: u64,
    /// What the calls of which both are there cost more at the other prices.
    pub change: Pico,
}

impl Twice {
    fn compare(&mut self, charged: Cost, repriced: Cost) {
        self.count += 1;
        self.compared += u64::from(charged.amount().is_some() && repriced.amount().is_some());
    }

    /// Adds what a call costs more, where both its figures are there, as they are in both sums then.
    fn changes(&mut self, charged: Cost, repriced: Cost) {
        if let (Some(charged), Some(repriced)) = (charged.amount(), repriced.amount()) {
            self.change += repriced - charged;
        }
    }
}

/// A log priced twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repriced {
    /// All of it, by request.
    pub all: Twice,
    /// By model, by call.
    pub models: BTreeMap<ModelId, Twice>,
    /// Requests whose log tells what was charged.
    pub told: u64,
    /// Requests that are in none of it: simulated for want of a key, so that nobody was charged.
    pub left_out: u64,
}

/// Prices a log once more: each call at the prices of its moment, or at those of one moment.
pub fn reprice(log: &Log, prices: &PriceTable, at: Option<Instant>) -> Repriced {
    let mut found = Repriced::default();
    for (_, recalled) in log.history.range(log.history.start(), log.len()) {
        let evidence = recalled.evidence();
        if evidence.seen().any(|seen| evidence.stands_in(seen.call.model)) {
            found.left_out += 1;
            continue;
        }
        let moment = evidence.operation.at;
        let calls = evidence.seen().map(|seen| {
            let charged = seen_attempt(seen, moment, &log.prices).cost;
            (seen, charged, priced(seen, at.unwrap_or(moment), prices))
        });
        let calls: SmallVec<[(Seen<'_>, Cost, Cost); 4]> = calls.collect();
        found.told += u64::from(calls.iter().any(|(seen, ..)| seen.call.charged.cost().is_some()));
        let zero = Cost::Known(Pico::ZERO);
        let (charged, repriced) = calls.iter().fold((zero, zero), |(charged, repriced), (_, one, other)| {
            (charged.plus(*one), repriced.plus(*other))
        });
        found.all.compare(charged, repriced);
        found.all.charged.add_operation(calls.iter().map(|(_, charged, _)| *charged));
        found.all.repriced.add_operation(calls.iter().map(|(.., repriced)| *repriced));
        for (seen, charged, repriced) in &calls {
            found.all.changes(*charged, *repriced);
            let is_nothing = |cost: &Cost| cost.amount() == Some(Pico::ZERO);
            if !seen.call.status.is_call() && is_nothing(charged) && is_nothing(repriced) {
                continue;
            }
            let model = found.models.entry(log.prices.identity(seen.call.model)).or_default();
            model.compare(*charged, *repriced);
            model.changes(*charged, *repriced);
            model.charged.add(*charged);
            model.repriced.add(*repriced);
        }
    }
    found
}
