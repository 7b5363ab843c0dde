//! What the window would have cost had one model answered everything.
//!
//! Invariant: costs are those of [`visit`], as everywhere: seen where the log has that model's call, estimated where not.

use super::Snapshot;
use crate::outcome::{Choice, visit};
use crate::pricing::CostSum;
use crate::units::{ModelId, Pico};

/// The window on one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllOn {
    /// Requests.
    pub requests: u64,
    /// Those whose cost there is estimated, as the log has no call to it.
    pub estimated: u64,
    /// What they come to.
    pub cost: CostSum,
    /// The variance of the estimates, in square pico-dollars.
    variance: i128,
    /// Those whose quality on this model a label tells.
    pub labelled: u64,
    /// The sum of that quality, in per mille.
    pub quality: u64,
    /// Prompts longer than any that the log shows it with, where it shows any.
    pub longer: u64,
}

impl AllOn {
    /// Gives half the width of the 95 % interval of the cost, by answer lengths alone.
    pub fn cost_error(&self) -> Pico {
        let deviation = self.variance.max(0).unsigned_abs().isqrt();
        Pico(i128::try_from(deviation).unwrap_or(i128::MAX).saturating_mul(196) / 100)
    }
}

/// Adds up a snapshot's window as if `model` had answered every request of it; a rejected request stays as it was asked.
pub fn all_on(snapshot: &Snapshot, model: ModelId) -> AllOn {
    let (log, window) = (&snapshot.log, &snapshot.window);
    let outlook = log.outlook();
    let mut all = AllOn::default();
    let longest = (window.first..window.end)
        .filter_map(|at| log.history.evidence(at))
        .filter_map(|evidence| {
            evidence
                .observed(Choice::plain(model), outlook.prices)
                .filter_map(|seen| seen.call.usage.prompt())
                .max()
        })
        .max();
    for evidence in (window.first..window.end).filter_map(|at| log.history.evidence(at)) {
        all.requests += 1;
        let mut observed = true;
        let mut costs = arrayvec::ArrayVec::<_, 16>::new();
        for leg in visit(&evidence, Choice::plain(model), &outlook) {
            observed &= leg.observed;
            all.variance = all.variance.saturating_add(leg.variance);
            if longest.is_some_and(|longest| !leg.observed && leg.usage.prompt() > Some(longest)) {
                all.longer += 1;
            }
            let _ = costs.try_push(leg.cost);
        }
        all.estimated += u64::from(!observed);
        all.cost.add_operation(costs.into_iter());
        if let Some(quality) = evidence.label(model, outlook.prices).and_then(|label| label.quality) {
            all.labelled += 1;
            all.quality += u64::from(quality.get());
        }
    }
    all
}
