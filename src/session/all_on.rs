//! What the window would have cost had one model answered everything, whether or not the log ever names it.
//!
//! Invariants: the same tokens on it are charged as the baseline is, so for the baseline model the two are one figure; its own
//! answers are those of [`visit`], as everywhere: seen where the log has that model's call, estimated where not.

use std::borrow::Cow;

use super::Snapshot;
use super::settled::settle_one;
use crate::outcome::{Choice, Outlook, Settled, Spread, visit};
use crate::pricing::{CostSum, PriceTable};
use crate::units::{ModelId, Pico};

/// The window on one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllOn {
    /// Requests.
    pub requests: u64,
    /// The tokens of the answers there were, at its price: what a baseline is.
    pub same_tokens: CostSum,
    /// Requests of which that and their own cost are known or estimated.
    pub compared: u64,
    /// Those whose cost there is estimated, as the log has no call to it.
    pub estimated: u64,
    /// What its own answers come to.
    pub cost: CostSum,
    /// How far off the estimates may be.
    spread: Spread,
    /// Those whose quality on this model a label tells.
    pub labelled: u64,
    /// The sum of that quality, in per mille.
    pub quality: u64,
    /// Prompts longer than any that the log shows it with, where it shows any.
    pub longer: u64,
}

impl AllOn {
    /// Returns half the width of the 95 % interval of the cost.
    pub fn cost_error(&self) -> Pico {
        self.spread.half_width()
    }
}

/// Adds up a snapshot's window as if the model of this name had answered every request of it; a rejected request stays as it
/// was asked. None where neither the price book nor the log knows the name.
pub fn all_on(snapshot: &Snapshot, name: &str) -> Option<AllOn> {
    let log = &snapshot.log;
    let named = || Some((Cow::Borrowed(&*log.prices), log.names.find_model(name)?));
    let priced = || log.prices.with(&log.catalog, name).map(|(prices, model)| (Cow::Owned(prices), model));
    let (prices, model) = named().or_else(priced)?;
    Some(added_up(snapshot, &prices, model))
}

fn added_up(snapshot: &Snapshot, prices: &PriceTable, model: ModelId) -> AllOn {
    let (log, window) = (&snapshot.log, &snapshot.window);
    let outlook = Outlook { prices, ..log.outlook() };
    let mut all = AllOn::default();
    let requests = || log.history.range(window.first, window.end);
    let longest = requests()
        .filter_map(|(_, recalled)| {
            let evidence = recalled.evidence();
            evidence.observed(Choice::plain(model), prices).filter_map(|seen| seen.call.usage.prompt()).max()
        })
        .max();
    let mut settled = Settled::default();
    for (at, recalled) in requests() {
        let evidence = recalled.evidence();
        all.requests += 1;
        settle_one(&evidence, snapshot.reading, snapshot.policy_at(at), &outlook, &mut settled);
        settled.conclude(&evidence, model, prices);
        if settled.cost.amount().and(settled.baseline.amount()).is_some() {
            all.compared += 1;
            all.same_tokens.add(settled.baseline);
        }
        let mut observed = true;
        let mut costs = arrayvec::ArrayVec::<_, 16>::new();
        for attempt in visit(&evidence, Choice::plain(model), &outlook) {
            observed &= attempt.observed;
            all.spread.add(attempt.spread);
            if longest.is_some_and(|longest| !attempt.observed && attempt.usage.prompt() > Some(longest)) {
                all.longer += 1;
            }
            let _ = costs.try_push(attempt.cost);
        }
        all.estimated += u64::from(!observed);
        all.cost.add_operation(costs.into_iter());
        if let Some(quality) = evidence.label(model, prices).and_then(|label| label.quality) {
            all.labelled += 1;
            all.quality += u64::from(quality.get());
        }
    }
    all
}
