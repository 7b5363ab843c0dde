//! A window by the confidences of another classifier.
//!
//! Invariant: its frontiers are kept as long as window and policies are the same, so that a threshold moves them as quickly as the
//! others.

use super::Log;
use super::frontiers::Frontiers;
use super::log::PolicySpan;
use crate::outcome::{Evidence, Operation};
use crate::pricing::PriceTable;
use crate::routing::{Circumstances, Policy, Route, match_route};
use crate::telemetry::Sign;

/// The second classifier of a player.
#[derive(Debug, Default)]
pub(super) struct Second {
    pub(super) is_staged: bool,
    held: Option<Held>,
}

impl Second {
    /// Returns the frontiers of a window by its confidences.
    pub(super) fn frontiers(
        &mut self,
        log: &Log,
        range: (usize, usize),
        policies: &[PolicySpan],
    ) -> &mut Frontiers {
        let held = self.held.take().filter(|held| held.is_of(range, policies));
        &mut self.held.insert(held.unwrap_or_else(|| Held::new(log, range, policies))).frontiers
    }
}

/// Frontiers by its confidences, and what they are of.
#[derive(Debug)]
struct Held {
    range: (usize, usize),
    policies: Vec<PolicySpan>,
    frontiers: Frontiers,
}

impl Held {
    fn new(log: &Log, range: (usize, usize), policies: &[PolicySpan]) -> Self {
        let mut frontiers = Frontiers::default();
        let outlook = log.outlook();
        for (index, recalled) in log.history.range(range.0, range.1) {
            let evidence = recalled.evidence();
            let Some(policy) = PolicySpan::in_force(policies, index) else { continue };
            let other = evidence.operation.by_second().unwrap_or(*evidence.operation);
            let route = match_route(policy, &other.signals_by(&log.prices));
            let evidence = Evidence { operation: &other, ..evidence };
            frontiers.apply(policy, &evidence, route, &outlook, Sign::Plus);
        }
        Self { range, policies: policies.to_vec(), frontiers }
    }

    fn is_of(&self, range: (usize, usize), policies: &[PolicySpan]) -> bool {
        self.range == range && self.policies == policies
    }
}

/// Returns the route that takes a request and the rung on which it starts; a turn of a tool loop goes on where its loop would have been
/// served by this policy.
pub(super) fn start<'p>(
    policy: &'p Policy,
    operation: &Operation,
    (prices, circumstances): (&PriceTable, &Circumstances),
) -> (&'p Route, Option<u8>) {
    let signals = operation.signals_by(prices);
    let route = policy.route(match_route(policy, &signals));
    let circumstance = circumstances.get(operation.circumstance);
    let placed = route.rung_for(route.placed_by(signals.confidence, signals.draw, circumstance));
    let follows = operation.least.map_or(circumstance.follows, |least| least.follows(route));
    (route, route.begin_after(circumstance, route.open(circumstance), placed, follows))
}
