//! Invariants of the core over random logs and policies: what-if equals re-deciding, parts add up, seeking is playing.

#![expect(clippy::unwrap_used, reason = "a test's own scaffolding may fail the test")]

#[path = "engine/anomalies.rs"]
mod anomalies;
#[path = "engine/in_order.rs"]
mod in_order;
#[path = "engine/labelled.rs"]
mod labelled;
#[path = "engine/live.rs"]
mod live;
#[path = "engine/loops.rs"]
mod loops;
#[path = "engine/policies.rs"]
mod policies;
#[path = "engine/steering.rs"]
mod steering;
#[path = "engine/threads.rs"]
mod threads;
#[path = "engine/warm.rs"]
mod warm;
#[path = "engine/world.rs"]
mod world;

use std::sync::Arc;

use pointsman::classifier::TaskClass;
use pointsman::engine::{Arrival, Engine, Event};
use pointsman::outcome::{Attempt, Choice, Extra, Observed, Operation, Spread, on_model};
use pointsman::pricing::{Cost, CostSum, Unpriced, Usage};
use pointsman::routing::{Check, ConfidenceSource, NO_RUNG, Policy, RouteId, Status, Thresholds};
use pointsman::session::{Command, Player, Reading};
use pointsman::telemetry::Sign;
use pointsman::units::{Count, Millis, ModelId, PerMille, Pico, Span};
use proptest::prelude::*;
use world::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// The promise of the screen Tune: moving a threshold gives exactly what deciding every request again would give.
    #[test]
    fn what_if_equals_re_deciding_every_request(log in log(), applied in policy(), tried in policy()) {
        let world = World::of(&log);
        let frontiers = world.frontiers(&log, &compile(&applied));
        // A route that observes is asked what it would do.
        let staged = active(compile(&with_constraints(tried, &applied)));
        for (index, route) in staged.routes.iter().enumerate() {
            let thresholds = route.thresholds();
            let forecast = frontiers[index].forecast(&frontiers[index].prefix(), &thresholds);
            let mut cost = CostSum::default();
            let (mut requests, mut escalated, mut errors, mut quality, mut labelled, mut known_latency) = (0, 0, 0, 0, 0, 0);
            let mut placed = [0u64; 8];
            let mut answered = [0u64; 8];
            let mut spread = Spread::NONE;
            for entry in &log {
                let settled = world.settle(entry, &staged, Reading::Routed);
                let is_kept = entry.0.pinned && staged.routes[index].pins(entry.0.class);
                if settled.route.index() != index || is_kept {
                    continue;
                }
                requests += 1;
                cost.add_operation(settled.costs());
                escalated += u64::from(settled.escalated);
                errors += u64::from(!settled.status.is_ok());
                if settled.first_rung != NO_RUNG {
                    placed[usize::from(settled.first_rung)] += 1;
                    answered[usize::from(settled.rung)] += 1;
                }
                settled.attempts.iter().for_each(|attempt| spread.add(attempt.spread));
                known_latency += u64::from(settled.latency.get().is_some());
                if let Some(value) = settled.quality {
                    quality += u64::from(value.get());
                    labelled += 1;
                }
            }
            prop_assert_eq!(forecast.cost, cost);
            prop_assert_eq!(forecast.requests, requests);
            prop_assert_eq!(forecast.escalated, escalated);
            prop_assert_eq!(forecast.errors, errors);
            prop_assert_eq!((forecast.quality, forecast.labelled), (quality, labelled));
            prop_assert_eq!(forecast.placed, placed);
            prop_assert_eq!(forecast.answered, answered);
            prop_assert_eq!(forecast.spread, spread);
            prop_assert_eq!(forecast.latency.known(), known_latency);
        }
    }

    #[test]
    fn two_frontiers_merged_are_the_frontier_of_both(a in log(), b in log(), policy in policy()) {
        let policy = compile(&policy);
        let both: Vec<Entry> = a.iter().chain(&b).cloned().collect();
        let world = World::of(&both);
        let mut merged = world.frontiers(&a, &policy);
        for (mine, theirs) in merged.iter_mut().zip(world.frontiers(&b, &policy)) {
            mine.merge(&theirs);
        }
        prop_assert_eq!(merged, world.frontiers(&both, &policy));
    }

    #[test]
    fn what_leaves_the_window_leaves_no_trace(kept in log(), gone in log(), policy in policy()) {
        let policy = compile(&policy);
        let both: Vec<Entry> = gone.iter().chain(&kept).cloned().collect();
        let world = World::of(&both);
        let mut frontiers = world.frontiers(&both, &policy);
        let mut totals = world.totals(&both, &policy, Reading::Routed);
        for entry in &gone {
            let settled = world.settle(entry, &policy, Reading::Routed);
            totals.apply(&evidence(entry), &settled, Sign::Minus);
            let route = settled.route.index();
            frontiers[route].apply(&evidence(entry), &policy.routes[route], &world.outlook(), Sign::Minus);
        }
        let only = world.totals(&kept, &policy, Reading::Routed);
        prop_assert_eq!(&totals.all, &only.all);
        for (index, frontier) in world.frontiers(&kept, &policy).iter().enumerate() {
            let thresholds = policy.routes[index].thresholds();
            prop_assert_eq!(
                frontiers[index].forecast(&frontiers[index].prefix(), &thresholds),
                frontier.forecast(&frontier.prefix(), &thresholds)
            );
        }
    }

    /// Raising a threshold never lowers the share of the strongest rung, anywhere on the curve.
    #[test]
    fn the_strongest_share_grows_along_the_curve(log in log(), policy in policy()) {
        let policy = compile(&policy);
        let world = World::of(&log);
        for (frontier, route) in world.frontiers(&log, &policy).iter().zip(&policy.routes) {
            let thresholds = route.thresholds();
            let prefix = frontier.prefix();
            let last = thresholds.len() - 1;
            let curve = prefix.curve(&thresholds, last);
            prop_assert_eq!(curve.len(), 1001);
            for pair in curve.windows(2) {
                prop_assert!(pair[1].strongest >= pair[0].strongest);
            }
            let here = curve[thresholds[last].bin()];
            let forecast = prefix.forecast(&thresholds);
            prop_assert_eq!(here.cost, forecast.cost);
            prop_assert_eq!(here.quality, forecast.quality);
        }
    }

    #[test]
    fn flips_are_the_requests_that_start_elsewhere(log in log(), applied in policy(), tried in policy()) {
        let (before, after) = (active(compile(&applied)), active(compile(&with_constraints(tried, &applied))));
        let world = World::of(&log);
        let flips: u64 = world.frontiers(&log, &before).iter().zip(before.routes.iter().zip(&after.routes))
            .map(|(frontier, (a, b))| frontier.flips(&a.thresholds(), &b.thresholds())).sum();
        let moved = log.iter().filter(|entry| {
            let circumstance = world.circumstances.get(entry.0.circumstance);
            let rung = |policy| pointsman::routing::decide(policy, &entry.0.signals(), circumstance).rung;
            rung(&before) != rung(&after)
        }).count() as u64;
        prop_assert_eq!(flips, moved);
    }

    #[test]
    fn parts_add_up_to_the_whole(log in log(), policy in policy()) {
        let policy = compile(&policy);
        let world = World::of(&log);
        for reading in [Reading::Recorded, Reading::Routed] {
            let totals = world.totals(&log, &policy, reading);
            let sum = |cells: &mut dyn Iterator<Item = &pointsman::telemetry::Cell>| {
                let mut all = pointsman::telemetry::Cell::default();
                cells.for_each(|cell| all.merge(cell));
                all
            };
            prop_assert_eq!(&sum(&mut totals.teams.0.iter().chain([&totals.teams.1])), &totals.all);
            prop_assert_eq!(&sum(&mut totals.projects.0.iter().chain([&totals.projects.1])), &totals.all);
            prop_assert_eq!(&sum(&mut totals.routes.iter()), &totals.all);
            prop_assert_eq!(&sum(&mut totals.tasks.iter()), &totals.all);
            // Models hold calls rather than operations; calls, tokens and answers add up all the same.
            let models = sum(&mut totals.models.iter().chain([&totals.unnamed_model]));
            prop_assert_eq!(models.requests, totals.all.requests);
            prop_assert_eq!(models.attempts, totals.all.attempts);
            prop_assert_eq!(models.tokens, totals.all.tokens);
            // Money too, also of operations of which one call's cost is unknown.
            prop_assert_eq!((models.cost.known, models.cost.estimated), (totals.all.cost.known, totals.all.cost.estimated));
        }
    }

    /// The engine, driven by events alone, gives what settling each request on its own gives; and a log cut in two gives
    /// the same as the whole.
    #[test]
    fn the_engine_is_the_sum_of_its_requests(log in log(), policy in policy(), cut in 0usize..60) {
        let policy = Arc::new(compile(&policy));
        let world = World::of(&log);
        let engine = || Engine::new(Arc::clone(&policy), Arc::new(world.prices.clone()));
        let mut whole = engine();
        drive(&mut whole, &world, &log);
        prop_assert_eq!(whole.totals(), &world.totals(&log, &policy, Reading::Routed));
        let cut = cut.min(log.len());
        let (mut first, mut second) = (engine(), engine());
        drive(&mut first, &world, &log[..cut]);
        drive(&mut second, &world, &log[cut..]);
        let mut joined = first.totals().all.clone();
        joined.merge(&second.totals().all);
        prop_assert_eq!(&joined, &whole.totals().all);
        drive(&mut first, &world, &log[cut..]);
        prop_assert_eq!(first.totals(), whole.totals());
    }

    /// Attempts of unknown operations, arrivals twice, attempts after the answer: counted, never feared.
    #[test]
    fn no_order_of_events_panics(log in log(), policy in policy(), order in proptest::collection::vec((0u8..4, 0usize..60, 0u64..8), 0..200)) {
        let policy = Arc::new(compile(&policy));
        let world = World::of(&log);
        let mut engine = Engine::new(Arc::clone(&policy), Arc::new(world.prices.clone()));
        for (kind, which, key) in order {
            let entry = &log[which % log.len()];
            match kind {
                0 => {
                    let circumstance = world.circumstances.get(entry.0.circumstance);
                    drop(engine.apply(Event::Arrived(Arrival { key, operation: entry.0, circumstance, claims: None, whose: None, prompt: None })));
                }
                1 => {
                    let attempt: Attempt = on_model(&evidence(entry), Choice::plain(ModelId(u16::try_from(which % 5).unwrap())), &world.outlook());
                    engine.apply(Event::Attempted { key, attempt, evidence: None });
                }
                _ => {
                    let next = Policy { version: engine.policy().version + u32::try_from(key % 2).unwrap(), ..(*policy).clone() };
                    engine.apply(Event::PolicyChanged(Arc::new(next)));
                }
            }
        }
        let picture = engine.snapshot();
        prop_assert!(picture.totals.all.requests + picture.open as u64 <= picture.applied);
    }

    /// However one gets to a place in a log, it looks the same: played, sought from the front, from the back, by steps.
    #[test]
    fn seeking_is_playing(log in log(), policy in policy(), places in proptest::collection::vec(0usize..60, 1..8), window in 0usize..3, routed in any::<bool>()) {
        let reading = if routed { Reading::Routed } else { Reading::Recorded };
        let window = [None, Some(Span::mins(5)), Some(Span::mins(1))][window];
        let memory = memory_log(&log, compile(&policy));
        let mut wanderer = Player::new(Arc::clone(&memory), reading, window);
        let look = |player: &mut Player| {
            let picture = player.snapshot();
            (picture.head, picture.clock, picture.window, picture.totals.all.clone(), picture.to_date.all.clone(),
             picture.consequences.routes.clone(), picture.policy.version)
        };
        for place in places {
            let place = place.min(log.len());
            wanderer.handle(Command::SeekEvent(place));
            let mut direct = Player::new(Arc::clone(&memory), reading, window);
            direct.handle(Command::SeekEvent(place));
            let mut walker = Player::new(Arc::clone(&memory), reading, window);
            for _ in 0..place {
                walker.handle(Command::Step(1));
            }
            let there = look(&mut direct);
            prop_assert_eq!(&look(&mut wanderer), &there);
            prop_assert_eq!(&look(&mut walker), &there);
        }
    }

    /// A change applied at a place holds from there on, whichever way the place is left and come back to.
    #[test]
    fn a_change_holds_from_where_it_was_made(log in log(), policy in policy(), at in 1usize..50, value in 0u16..=1000) {
        let memory = memory_log(&log, compile(&policy));
        let at = at.min(log.len());
        let mut player = Player::new(Arc::clone(&memory), Reading::Routed, None);
        player.handle(Command::SeekEvent(at));
        player.handle(Command::SetThreshold(RouteId(0), 0, PerMille::new(value).unwrap()));
        player.handle(Command::Apply);
        player.handle(Command::Follow);
        let after = player.snapshot();
        player.handle(Command::SeekEvent(0));
        let start = player.snapshot();
        prop_assert_eq!(start.policy.version, 1, "before the change the old policy holds");
        player.handle(Command::Follow);
        let again = player.snapshot();
        prop_assert_eq!(&again.to_date.all, &after.to_date.all);
        prop_assert_eq!(&again.totals.all, &after.totals.all);
        prop_assert_eq!(again.policy.version, after.policy.version);
        // Reading the log the other way and back changes nothing, also where the change was made.
        player.handle(Command::SeekEvent(at));
        let here = player.snapshot();
        player.handle(Command::Read(Reading::Recorded));
        prop_assert_eq!(player.snapshot().policy.version, here.policy.version);
        player.handle(Command::Read(Reading::Routed));
        prop_assert_eq!(&player.snapshot().totals.all, &here.totals.all);
        prop_assert_eq!(here.policy.version, after.policy.version);
        if after.policy.version > 1 {
            player.handle(Command::Undo);
            prop_assert_eq!(player.snapshot().policy.routes[0].thresholds(), memory.policy.routes[0].thresholds());
        }
    }
}

proptest! {
    /// What is applied further back takes the place of what lay ahead: that is said, and nothing is left to take back of it.
    #[test]
    fn a_change_that_lies_ahead_is_dropped_aloud(log in log(), policy in policy(), value in 0u16..=1000, undoes in any::<bool>()) {
        let memory = memory_log(&log, compile(&policy));
        let mut player = Player::new(Arc::clone(&memory), Reading::Routed, None);
        player.handle(Command::SeekEvent(log.len()));
        player.handle(Command::SetThreshold(RouteId(0), 0, PerMille::new(value).unwrap()));
        player.handle(Command::Apply);
        prop_assume!(player.snapshot().undoable == 1 && log.len() > 1);
        player.handle(Command::SeekEvent(0));
        if !undoes {
            player.handle(Command::SetThreshold(RouteId(0), 0, PerMille::new(value).unwrap()));
        }
        player.handle(if undoes { Command::Undo } else { Command::Apply });
        let shown = player.snapshot();
        prop_assert!(shown.message.as_deref().is_some_and(|words| words.contains("dropped")), "{:?}", shown.message);
        prop_assert_eq!(shown.undoable, usize::from(!undoes));
        prop_assert_eq!(shown.changes.iter().filter(|change| change.version > 1).count(), usize::from(!undoes));
        player.handle(Command::Undo);
        prop_assert_eq!(player.snapshot().policy.routes[0].thresholds(), memory.policy.routes[0].thresholds());
    }
}

#[test]
fn an_unknown_cost_is_never_zero_and_an_explicit_zero_is_known() {
    let world = World::of(&[]);
    let policy = compile(&(vec![0, 0], vec![0, 0, 0], vec![0], 0));
    let entry = |usage: Usage, model: ModelId| {
        (Operation { served: Observed { usage, model, ..Observed::default() }, ..Operation::default() }, None)
    };
    let cost = |usage, model| world.settle(&entry(usage, model), &policy, Reading::Recorded).cost;
    assert_eq!(cost(Usage::UNKNOWN, ModelId(0)), Cost::Unknown(Unpriced::NoUsage));
    assert_eq!(cost(Usage::plain(10, 10).unwrap(), ModelId(4)), Cost::Unknown(Unpriced::NoPrice));
    assert_eq!(cost(Usage::plain(10, 10).unwrap(), ModelId::NONE), Cost::Unknown(Unpriced::NoModel));
    assert_eq!(cost(Usage::NONE, ModelId(4)), Cost::Known(Pico::ZERO));
    let input_only = Usage { output: Count::UNKNOWN, ..Usage::plain(10, 0).unwrap() };
    assert_eq!(cost(input_only, ModelId(0)), Cost::Unknown(Unpriced::NoUsage));
}

#[test]
fn a_call_that_was_not_made_is_no_quick_call_and_waits_count() {
    let world = World::of(&[]);
    let policy = compile(&(vec![500, 0], vec![0, 0, 0], vec![0], 0));
    let call = |status, latency, waited| Observed {
        model: ModelId(1),
        usage: if status == Status::Ok { Usage::plain(1000, 10).unwrap() } else { Usage::NONE },
        status,
        latency,
        waited,
        ..Observed::default()
    };
    let entry = |served, earlier| {
        let extra = Extra { earlier, ..Extra::default() };
        (Operation { served, ..Operation::default() }, Some(extra))
    };
    let never = entry(call(Status::Unavailable, Millis::new(0), 0), vec![]);
    let late = entry(
        call(Status::Ok, Millis::new(100), 1000),
        vec![call(Status::ServerError, Millis::new(3), 0), call(Status::Unavailable, Millis::UNKNOWN, 5)],
    );
    assert_eq!(world.settle(&never, &policy, Reading::Recorded).latency, Millis::UNKNOWN);
    assert_eq!(world.settle(&late, &policy, Reading::Recorded).latency, Millis::new(1108));
    let totals = world.totals(&[never, late], &policy, Reading::Recorded);
    let model = &totals.models[1];
    assert_eq!((model.attempts, model.errors, model.not_made, model.answered), (2, 1, 2, 1));
    assert_eq!(model.latency.percentiles().unwrap().known, 2, "only calls that were made have a latency");
    assert_eq!((totals.all.attempts, totals.all.not_made), (2, 2));
}

#[test]
fn each_attempt_is_billed_at_its_own_model_and_counted_once() {
    let world = World::of(&[]);
    let policy = compile(&(vec![500, 0], vec![0, 0, 0], vec![0], 0));
    let call = |model: u16, status, check| Observed {
        usage: Usage::plain(1_000_000, 0).unwrap(),
        model: ModelId(model),
        status,
        check,
        latency: Millis::new(100),
        ..Observed::default()
    };
    let mut operation = Operation {
        served: call(2, Status::Ok, Check::Passed),
        class: TaskClass::Code,
        ..Operation::default()
    };
    operation.set_confidence(PerMille::new(700), ConfidenceSource::Recorded);
    let extra = Extra { earlier: vec![call(1, Status::Ok, Check::Failed)], ..Extra::default() };
    let entry = (operation, Some(extra));
    for reading in [Reading::Recorded, Reading::Routed] {
        let settled = world.settle(&entry, &policy, reading);
        // Flash $0.30 (failed its check), then mid: 1M tokens is above its 20k tier, $4.
        assert_eq!(settled.cost, Cost::Known(Pico::from_usd("4.3").unwrap()), "{reading:?}");
        assert!(settled.escalated);
        let totals = world.totals(std::slice::from_ref(&entry), &policy, reading);
        assert_eq!((totals.all.requests, totals.all.attempts), (1, 2));
        assert_eq!(totals.models[1].cost.known, Pico::from_usd("0.3").unwrap());
        assert_eq!(totals.models[2].requests, 1);
        assert_eq!(totals.models[1].requests, 0);
    }
}

#[test]
fn staged_thresholds_stop_at_their_neighbours() {
    let memory =
        memory_log(&[(Operation::default(), None)], compile(&(vec![600, 200], vec![0, 0, 0], vec![0], 0)));
    let mut player = Player::new(memory, Reading::Routed, None);
    player.handle(Command::SetThreshold(RouteId(0), 0, PerMille::new(100).unwrap()));
    let picture = player.snapshot();
    let expected: Thresholds = [200, 200].into_iter().filter_map(PerMille::new).collect();
    assert_eq!(picture.staged.unwrap().routes[0].thresholds(), expected);
    assert!(picture.message.unwrap().starts_with("stops at 200"));
    player.handle(Command::Nudge(RouteId(0), 1, 1000));
    assert_eq!(player.snapshot().staged.unwrap().routes[0].thresholds(), expected);
    player.handle(Command::Nudge(RouteId(0), 2, 1));
    assert!(player.snapshot().message.unwrap().contains("last rung"));
}
