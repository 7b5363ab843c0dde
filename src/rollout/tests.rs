//! Rollouts step by step: what lets a step come, what takes it back, and that none comes early.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::pricing::Cost;
use crate::routing::{Lot, Mode, PolicySpec, RouteSpec, RungSpec};
use crate::units::{Instant, Millis, PerMille, Pico, Span};

fn plan() -> Plan {
    Plan {
        name: "next".into(),
        route: "code".into(),
        change: Change { thresholds: vec![("small".into(), 500)], ..Change::default() },
        stages: STAGES.iter().filter_map(|share| PerMille::new(*share)).collect(),
        needs: Needs { requests: 60, dwell: Span::mins(10), ..Needs::default() },
        text: "".into(),
    }
}

fn spec() -> PolicySpec {
    let rung = |model: &str, threshold| RungSpec { model: model.into(), threshold, ..RungSpec::default() };
    let code = RouteSpec {
        name: "code".into(),
        tasks: vec!["code".into()],
        ladder: vec![rung("small", Some(700)), rung("large", None)],
        ..RouteSpec::default()
    };
    let rest = RouteSpec { name: "rest".into(), ladder: vec![rung("large", None)], ..RouteSpec::default() };
    PolicySpec { routes: vec![code, rest], ..PolicySpec::default() }
}

fn seen(session: usize, cost: i128, failed: bool) -> Seen {
    Seen {
        lot: Lot::of(&format!("s{session}"), "", "", ""),
        cost: Cost::Known(Pico(cost)),
        failed,
        escalated: false,
        latency: Millis::new(100),
    }
}

const START: Instant = Instant(1_000_000_000);

/// Gives both sides so many requests, each of a session of its own.
fn feed(rollout: &mut Rollout, at: Instant, count: usize, (canary, base): (i128, i128), failing: usize) {
    for session in 0..count {
        // Costs differ a little, as those of sessions do.
        let off = (session % 7) as i128 * 1_000;
        rollout.take(Side::Canary, at, &seen(session, canary + off, session < failing));
        rollout.take(Side::Base, at, &seen(session + count, base + off, false));
    }
}

fn begun() -> Rollout {
    Rollout::new(Arc::new(plan()), "anna", START)
}

#[test]
fn a_step_waits_for_time_requests_and_proof_of_cost_and_then_comes() {
    let mut rollout = begun();
    assert!(rollout.judged(START).lacks.contains(&Lack::Requests(60)));
    assert_eq!(rollout.pass(START + Span::hours(9)), None, "time alone is no evidence");
    feed(&mut rollout, START + Span::secs(1), 60, (1_000_000, 1_200_000), 0);
    assert_eq!(rollout.judged(START).lacks, [Lack::Dwell(START + Span::mins(10))]);
    assert_eq!(rollout.pass(START + Span::mins(9)), None);
    assert_eq!(rollout.pass(START + Span::mins(10)), Some(Turn::To(1)));
    rollout.turned(&Turn::To(1), START + Span::mins(10));
    assert_eq!(rollout.arms.canary.requests, 0, "each stage needs evidence of its own");
    assert_eq!(rollout.share().get(), 10);
}

#[test]
fn all_stages_end_with_the_route_changed_and_then_nothing_comes() {
    let (mut rollout, mut at) = (begun(), START);
    for stage in 0..STAGES.len() {
        assert_eq!(rollout.stage, stage);
        feed(&mut rollout, at, 80, (1_000_000, 1_200_000), 0);
        at = at + Span::mins(10);
        let turn = rollout.pass(at).unwrap();
        rollout.turned(&turn, at);
    }
    assert_eq!(rollout.phase, Phase::Done);
    assert_eq!(rollout.pass(at + Span::days(9)), None);
    assert!(rollout.order(Order::Skip, "anna", "").is_err());
}

#[test]
fn it_is_taken_back_where_it_costs_more_where_it_fails_and_where_the_alarm_rings() {
    let back = |rollout: &Rollout| match rollout.pass(START + Span::secs(2)) {
        Some(Turn::Back(why)) => why.to_string(),
        other => panic!("{other:?}"),
    };
    let mut dear = begun();
    feed(&mut dear, START, 60, (2_000_000, 1_000_000), 0);
    assert!(back(&dear).starts_with("cost: $"), "{}", back(&dear));
    let mut failing = begun();
    failing.turned(&Turn::To(1), START);
    feed(&mut failing, START, 200, (1_000_000, 1_200_000), 80);
    assert!(back(&failing).starts_with("failures: 400‰"), "{}", back(&failing));
    let mut poor = begun();
    poor.turned(&Turn::To(1), START);
    poor.judge(Side::Canary, START, PerMille::ZERO);
    poor.hear(true);
    assert!(back(&poor).starts_with("quality: 1 of 1"), "{}", back(&poor));
}

#[test]
fn a_held_rollout_takes_no_step_but_is_taken_back_all_the_same() {
    let mut rollout = begun();
    feed(&mut rollout, START, 60, (1_000_000, 1_200_000), 0);
    assert_eq!(rollout.order(Order::Hold, "anna", ""), Ok(None));
    assert_eq!(rollout.pass(START + Span::days(1)), None);
    assert_eq!(rollout.order(Order::Skip, "anna", ""), Ok(Some(Turn::To(1))));
    rollout.hear(true);
    assert!(matches!(rollout.pass(START), Some(Turn::Back(_))));
}

#[test]
fn labels_that_are_asked_for_are_waited_for_once_the_canary_answers() {
    let mut wanted = plan();
    wanted.needs.labels = 3;
    let mut rollout = Rollout::new(Arc::new(wanted), "anna", START);
    feed(&mut rollout, START, 60, (1_000_000, 1_200_000), 0);
    let at = START + Span::hours(1);
    assert_eq!(rollout.pass(at), Some(Turn::To(1)), "beside the traffic it has no answers to judge");
    rollout.turned(&Turn::To(1), at);
    feed(&mut rollout, at, 60, (1_000_000, 1_200_000), 0);
    assert!(rollout.judged(at).lacks.contains(&Lack::Labels(3)));
}

#[test]
fn a_plan_puts_its_canary_in_and_takes_it_out_and_nobody_elses() {
    let (plan, before) = (plan(), spec());
    let staged = plan.staged(&before, 2).unwrap();
    assert!(plan.is_at(&staged, 2) && !plan.is_at(&staged, 1) && !plan.is_at(&before, 0));
    assert_eq!(staged.routes[0].ladder[0].threshold, Some(500));
    assert_eq!(plan.staged(&staged, 3).unwrap().routes.len(), 3, "a step moves its canary");
    assert_eq!(plan.without(&staged), before);
    let done = plan.done(&staged).unwrap();
    assert_eq!((done.routes.len(), done.routes[0].ladder[0].threshold), (2, Some(500)));
    let other = Plan { name: "other".into(), ..plan.clone() };
    assert!(other.staged(&staged, 0).unwrap_err().contains("one writer a route"));
    let lost = Plan { route: "cod".into(), ..plan.clone() };
    assert!(lost.staged(&before, 0).unwrap_err().contains("did you mean `code`"));
    let slip = Change { thresholds: vec![("smal".into(), 1)], ..Change::default() };
    assert!(Plan { change: slip, ..plan.clone() }.staged(&before, 0).is_err());
    let active = Plan { change: Change { mode: Some(Mode::Active), ..Change::default() }, ..plan };
    assert_eq!(active.done(&before).unwrap().routes[0].mode, Some(Mode::Active));
}

#[test]
fn what_is_written_down_goes_on_where_it_stood() {
    let mut rollout = begun();
    rollout.turned(&Turn::To(3), START + Span::mins(40));
    rollout.order(Order::Hold, "anna", "").unwrap();
    let text = serde_json::to_string(&Saved::of(&rollout)).unwrap();
    let again = serde_json::from_str::<Saved>(&text).unwrap().rollout(Arc::new(plan()));
    assert_eq!((again.stage, again.since, &again.phase), (3, rollout.since, &Phase::Held));
    assert_eq!((again.began, again.who), (START, "anna".into()));
}

proptest! {
    /// Whatever comes, a share never grows without all that its stage needs, and what is over stays over.
    #[test]
    fn no_step_comes_early(
        costs in proptest::collection::vec((0usize..40, 1i128..5_000_000, any::<bool>(), any::<bool>()), 0..400),
        step in 1i64..400,
    ) {
        let (mut rollout, mut at) = (begun(), START);
        for (session, cost, is_canary, failed) in costs {
            at = at + Span::secs(step);
            let side = if is_canary { Side::Canary } else { Side::Base };
            rollout.take(side, at, &seen(session, cost, failed && session > 30));
            let before = (rollout.stage, rollout.phase.clone());
            if let Some(turn) = rollout.pass(at) {
                prop_assert!(before.1.is_open());
                if let Turn::To(stage) = turn {
                    prop_assert_eq!(stage, before.0 + 1);
                    prop_assert!(rollout.arms.canary.requests >= 60 && at - rollout.since >= Span::mins(10));
                }
                rollout.turned(&turn, at);
            }
        }
    }
}

/// Where all goes to the strong rung, an outage of that one still has somebody to step in.
#[test]
fn a_share_that_is_shifted_keeps_its_fallback() {
    let mut spec = spec();
    let spare = RungSpec { model: "spare".into(), fallback: true, ..RungSpec::default() };
    spec.routes[0].ladder.insert(0, spare);
    let plan = Plan { change: Change { from: Some("large".into()), ..Change::default() }, ..plan() };
    let done = plan.done(&spec).unwrap();
    let ladder: Vec<(&str, bool, Option<i64>)> =
        done.routes[0].ladder.iter().map(|rung| (&*rung.model, rung.fallback, rung.threshold)).collect();
    assert_eq!(ladder, [("spare", true, None), ("large", false, None)]);
    assert!(crate::routing::Policy::compile(&done, 1, &mut crate::units::Names::default()).is_ok());
    // To the fallback itself: it serves like any rung, and all of them.
    let plan = Plan { change: Change { from: Some("spare".into()), ..Change::default() }, ..plan };
    let done = plan.done(&spec).unwrap();
    let first = &done.routes[0].ladder[0];
    assert_eq!((&*first.model, first.fallback, first.threshold), ("spare", false, Some(0)));
    assert_eq!(done.routes[0].no_signal.as_deref(), Some("spare"));
    assert!(crate::routing::Policy::compile(&done, 1, &mut crate::units::Names::default()).is_ok());
}
