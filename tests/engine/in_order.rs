//! A log run anew as discrete events: what is under way at each arrival is what a slow, plain count finds.

use std::sync::Arc;

use pointsman::outcome::{Settled, routed};
use pointsman::routing::{Circumstance, FactsSpec, Policy, WhenFull, decide};
use pointsman::session::{Command, Fold, Player, Reading};
use pointsman::units::{Instant, ModelId, Span};
use proptest::prelude::*;

use super::world::{MODELS, World, compile, evidence, log, memory_log, names, policy, thresholds};

/// Caps on calls to every model, or none.
fn caps() -> impl Strategy<Value = (Vec<Option<u32>>, bool)> {
    (proptest::collection::vec(proptest::option::weighted(0.6, 1u32..4), MODELS.len()), any::<bool>())
}

fn capped(policy: &Policy, (caps, refuse): &(Vec<Option<u32>>, bool)) -> Policy {
    let mut spec = policy.spec(&names());
    spec.models = MODELS
        .iter()
        .zip(caps)
        .map(|(model, most)| {
            ((*model).to_owned(), FactsSpec { max_in_flight: *most, ..FactsSpec::default() })
        })
        .collect();
    for route in &mut spec.routes {
        route.when_full = refuse.then_some(WhenFull::Refuse);
    }
    Policy::compile(&spec, policy.version, &mut names()).unwrap()
}

proptest! {
    #[test]
    fn each_decision_is_made_on_the_state_of_its_instant(
        entries in log(), choices in policy(), caps in caps(), crowded in 1i64..400,
    ) {
        let mut entries = entries;
        // So close together that calls overlap.
        for (operation, _) in &mut entries {
            operation.at = Instant(operation.at.0 / crowded);
        }
        entries.sort_by_key(|(operation, _)| operation.at);
        let policy = capped(&compile(&choices), &caps);
        let world = World::of(&entries);
        let mut fold = Fold::default();
        // Every call that was begun: from, to, model.
        let mut calls: Vec<(Instant, Instant, ModelId)> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let at = entry.0.at;
            let under_way = |model| calls.iter().filter(|call| call.0 <= at && at < call.1 && call.2 == model).count();
            let mut full: Vec<ModelId> = policy
                .models
                .iter()
                .filter(|(model, facts)| facts.max_in_flight.is_some_and(|most| under_way(*model) >= most as usize))
                .map(|(model, _)| *model)
                .collect();
            full.sort_unstable();
            let told = world.circumstances.get(entry.0.circumstance);
            let circumstance = Circumstance { full, ..told.clone() };
            let decision = decide(&policy, &entry.0.signals(), &circumstance);
            let mut settled = Settled::default();
            routed(&evidence(entry), &policy, &decision, &world.outlook(), &mut settled);
            let (found, made) = fold.arrive(index, &evidence(entry), &policy, &world.outlook());
            prop_assert_eq!((found, made), (&circumstance, &settled), "request {}", index);
            if let Some(rung) = policy.route(decision.route).ladder.get(usize::from(decision.rung)) {
                let most = rung.facts.max_in_flight.unwrap_or(u32::MAX);
                prop_assert!(under_way(rung.model) < most as usize, "request {} starts on a full model", index);
            }
            let mut from = at;
            for attempt in &settled.attempts {
                let to = from + Span(i64::try_from(attempt.latency.get().unwrap_or(0)).unwrap() * 1000);
                calls.extend(attempt.status.is_call().then_some((from, to, attempt.model)));
                from = to;
            }
        }
    }

    #[test]
    fn what_is_staged_in_order_is_what_that_policy_makes_of_the_log(
        entries in log(), choices in policy(), other in thresholds(3), caps in caps(), crowded in 1i64..400,
    ) {
        let mut entries = entries;
        for (operation, _) in &mut entries {
            operation.at = Instant(operation.at.0 / crowded);
        }
        let applied = capped(&compile(&choices), &caps);
        let mut spec = applied.spec(&names());
        for (rung, threshold) in spec.routes[0].ladder.iter_mut().zip(&other) {
            rung.threshold = Some(i64::from(*threshold));
        }
        let staged = Arc::new(Policy::compile(&spec, applied.version, &mut names()).unwrap());
        prop_assume!(applied.remembers() && applied.routes[0].thresholds() != staged.routes[0].thresholds());
        prop_assume!(!applied.observes());
        let log = memory_log(&entries, applied.clone());
        let mut player = Player::new(Arc::clone(&log), Reading::Routed, None);
        player.handle(Command::SeekEvent(log.len()));
        player.handle(Command::Stage(Some(Arc::clone(&staged))));
        let rows = player.what_if_in_order().unwrap();
        // The same policy in force from the start on.
        let mut other = Player::new(log, Reading::Routed, None);
        other.handle(Command::Stage(Some(staged)));
        other.handle(Command::Apply);
        other.handle(Command::SeekEvent(entries.len()));
        let totals = other.snapshot().to_date;
        let pinned = |route: &pointsman::routing::Route| {
            entries.iter().any(|(operation, _)| operation.pinned && route.pins(operation.class))
        };
        for row in other.what_if() {
            // Nothing is staged, so nothing may differ.
            prop_assert_eq!(row.applied.cost, row.staged.cost, "route {}", row.setting.name);
        }
        for row in rows.iter().filter(|row| !pinned(&row.setting)) {
            let cell = totals.routes.get(row.setting.tag.index().unwrap());
            let (requests, cost, escalated) =
                cell.map_or_else(Default::default, |cell| (cell.requests, cell.cost, cell.escalated));
            prop_assert_eq!(
                (row.staged.requests, row.staged.cost, row.staged.escalated), (requests, cost, escalated),
                "route {}", row.setting.name
            );
        }
    }
}
