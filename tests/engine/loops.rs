//! Tool loops: each turn goes on where the turn before went, in the world at hand, whatever a slow, plain map says is the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use pointsman::engine::is_answered;
use pointsman::outcome::{Attempt, Settled, routed};
use pointsman::routing::{AskId, Circumstance, Draw, Follows, NO_RUNG, Policy, Rung, Step, decide};
use pointsman::session::{Command, Fold, Log, Player, Reading};
use pointsman::units::{ModelId, Span};
use proptest::prelude::*;

use super::world::{Entry, World, compile, evidence, log, memory_log, names, policy, thresholds};

/// For each request the loop that it belongs to, whether it is a later turn, and whether a second stage spoke.
fn loops() -> impl Strategy<Value = Vec<(u64, bool, bool)>> {
    proptest::collection::vec((0u64..6, proptest::bool::weighted(0.7), proptest::bool::weighted(0.1)), 60)
}

fn looped(mut entries: Vec<Entry>, loops: &[(u64, bool, bool)]) -> Vec<Entry> {
    entries.sort_by_key(|(operation, _)| operation.at);
    for ((operation, _), (of, is_turn, seconded)) in entries.iter_mut().zip(loops) {
        let ask = if *of == 0 { AskId::default() } else { AskId::new(of << 8, *is_turn) };
        operation.ask = if *seconded { ask.seconded() } else { ask };
        if operation.ask.is_turn() {
            operation.draw = Draw::NONE;
        }
    }
    entries
}

/// A log in memory in which a loop is told of, so that it is run anew in order.
fn told(entries: &[Entry], policy: Policy) -> Arc<Log> {
    let log = memory_log(entries, policy);
    let mut circumstances = (*log.circumstances).clone();
    let follows = Follows { model: ModelId(0), ..Follows::NONE };
    circumstances.intern(&Circumstance { follows, ..Circumstance::default() });
    Arc::new(Log { circumstances: Arc::new(circumstances), ..(*log).clone() })
}

proptest! {
    #[test]
    fn each_turn_goes_on_where_the_turn_before_went(
        entries in log(), loops in loops(), choices in policy(),
    ) {
        let entries = looped(entries, &loops);
        let (policy, world) = (compile(&choices), World::of(&entries));
        let (mut fold, mut last) = (Fold::default(), BTreeMap::<u64, Follows>::new());
        // Requests that nobody answers, by when they end: where their loops stood, and where they went.
        let mut unanswered = BTreeMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let ask = entry.0.ask;
            while let Some(first) = unanswered.first_entry().filter(|first| first.key() <= &(entry.0.at, usize::MAX)) {
                let (key, before, to): (u64, Follows, Follows) = first.remove();
                if last.get(&key).copied().unwrap_or_default() == to {
                    last.insert(key, before);
                }
            }
            let told = world.circumstances.get(entry.0.circumstance);
            let known = ask.key().filter(|_| ask.is_turn()).and_then(|key| last.get(&key).copied());
            let circumstance =
                Circumstance { follows: known.unwrap_or_default(), full: Vec::new(), ..told.clone() };
            let decision = decide(&policy, &entry.0.signals_by(&world.prices), &circumstance);
            let mut settled = Settled::default();
            routed(&evidence(entry), &policy, &decision, &world.outlook(), &mut settled);
            let (found, made) = fold.arrive(index, &evidence(entry), &policy, &world.outlook());
            prop_assert_eq!((found, made), (&circumstance, &settled), "request {}", index);
            let route = policy.route(decision.route);
            let stood = ask.key().and_then(|key| last.get(&key).copied()).unwrap_or_default();
            let mut end = entry.0.at;
            for attempt in &settled.attempts {
                let took = attempt.latency.get().unwrap_or(0) + u64::from(attempt.waited);
                end = end + Span(i64::try_from(took).unwrap() * 1000);
            }
            let nobody_answers = |call: &Attempt| !is_answered(call.status, &call.usage);
            let is_unanswered = settled.attempts.last().is_some_and(nobody_answers);
            let mut ends = |key: Option<u64>, to: Follows| {
                if let Some(key) = key.filter(|_| is_unanswered) {
                    unanswered.insert((end, index), (key, stood, to));
                }
            };
            let is_held = circumstance.drawn.is_some_and(|drawn| drawn.held);
            if decision.rung == NO_RUNG {
                let named = entry.0.signals_by(&world.prices).known_as;
                let is_named = |rung: &&Rung| rung.known_as == named && rung.with.effort.is_none();
                let is_pinned = decision.trail.iter().any(|step| matches!(step, Step::Pinned { .. }));
                let mut to = stood;
                if let (Some(rung), Some(key)) = (route.ladder.iter().find(is_named).filter(|_| is_pinned && !is_held), ask.key()) {
                    to = Follows { model: rung.known_as, effort: None, stays: false };
                    last.insert(key, to);
                }
                ends(ask.key(), to);
                continue;
            }
            let follows = circumstance.follows;
            let before = route.followed(follows).filter(|at| decision.open.has(usize::from(*at)));
            prop_assert!(
                before.is_none_or(|at| decision.rung >= at || !circumstance.over.is_empty()),
                "request {} goes down in its loop", index
            );
            let Some(key) = ask.key().filter(|_| !is_held || settled.rung != decision.rung) else {
                ends(ask.key(), stood);
                continue;
            };
            let rung = &route.ladder[usize::from(settled.rung)];
            let is_drawn = decision.trail.iter().any(|step| matches!(step, Step::Lot { placed_as: Some(_), .. }));
            let stayed = follows.stays && route.followed(follows) == Some(decision.rung);
            let stays = settled.rung == decision.rung && (is_drawn || stayed || ask.is_seconded());
            let to = Follows { model: rung.known_as, effort: rung.with.effort, stays };
            last.insert(key, to);
            ends(Some(key), to);
        }
    }

    /// A staged threshold is asked what its own decisions would have made of every loop, not those of the world that was.
    #[test]
    fn what_is_staged_over_loops_is_what_that_policy_makes_of_the_log(
        entries in log(), loops in loops(), choices in policy(), other in thresholds(3),
    ) {
        let entries = looped(entries, &loops);
        let applied = compile(&choices);
        let mut spec = applied.spec(&names());
        for (rung, threshold) in spec.routes[0].ladder.iter_mut().zip(&other) {
            rung.threshold = Some(i64::from(*threshold));
        }
        let staged = Arc::new(Policy::compile(&spec, applied.version, &mut names()).unwrap());
        prop_assume!(applied.routes[0].thresholds() != staged.routes[0].thresholds());
        prop_assume!(!applied.observes());
        let log = told(&entries, applied);
        let mut player = Player::new(Arc::clone(&log), Reading::Routed, None);
        player.handle(Command::SeekEvent(log.len()));
        player.handle(Command::Stage(Some(Arc::clone(&staged))));
        prop_assert!(player.snapshot().staged_remembers());
        let rows = player.what_if_in_order().unwrap();
        let mut other = Player::new(log, Reading::Routed, None);
        other.handle(Command::Stage(Some(staged)));
        other.handle(Command::Apply);
        other.handle(Command::SeekEvent(entries.len()));
        let totals = other.snapshot().to_date;
        let pinned = |route: &pointsman::routing::Route| {
            entries.iter().any(|(operation, _)| operation.pinned && route.pins(operation.class))
        };
        for row in other.what_if() {
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
