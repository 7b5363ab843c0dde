//! How tool loops stood at the end of a log that says where its requests went.
//!
//! Invariant: who served is what the log says, not what would be decided anew; only whether a lot chose it is decided again, by
//! the policy of its time; what nobody answered moved no loop.

use super::Log;
use crate::engine::{Loops, is_answered};
use crate::routing::{NO_RUNG, decide};

/// Reads the past of a gateway again: where its tool loops were served last.
pub fn loops_of(log: &Log) -> Loops {
    let mut loops = Loops::default();
    for (index, recalled) in log.history.range(log.history.start(), log.history.len()) {
        let operation = recalled.evidence().operation;
        let served = &operation.served;
        if operation.ask.key().is_none() || !is_answered(served.status, &served.usage) {
            continue;
        }
        let policy = log.policy_at(index);
        let circumstance = log.circumstances.get(operation.circumstance);
        let signals = operation.signals_by(&log.prices);
        let decision = decide(policy, &signals, circumstance);
        let mut moved = loops.decided((operation.ask, signals.known_as), policy, &decision, circumstance);
        if decision.rung == NO_RUNG {
            continue;
        }
        let is_served = |at: &usize| {
            let rung = policy.route(decision.route).ladder.get(*at);
            rung.is_some_and(|rung| {
                log.prices.same(served.model, rung.model) && served.effort == rung.with.effort
            })
        };
        let ladder = &policy.route(decision.route).ladder;
        // Of rungs that make the same call it is the one where it began, else the first.
        let first = usize::from(decision.rung);
        if !is_served(&first)
            && let Some(last) = (0..ladder.len()).find(is_served).and_then(|at| ladder.get(at))
        {
            loops.moved(operation.ask, last, &mut moved);
        }
    }
    loops
}
