//! What is known of models, what they may not serve, and how many calls they have under way.

use super::facts::{by_identity, labels, said_of};
use super::guard::{avail, constrain, forbids, hold_back, is_constrained};
use super::*;
use crate::runaway::Then;
use crate::units::{LabelId, ModelId, Names};

fn ladder(rungs: Vec<RungSpec>) -> RouteSpec {
    RouteSpec { name: "rest".into(), ladder: rungs, ..RouteSpec::default() }
}

fn rung(model: &str, threshold: Option<i64>, facts: FactsSpec) -> RungSpec {
    RungSpec { model: model.into(), threshold, facts, ..RungSpec::default() }
}

/// `small` sees no pictures and takes 1,000 tokens, `middle` is certified and answers 100 at most, `large` takes everything.
fn policy(names: &mut Names) -> Policy {
    let small = FactsSpec { vision: Some(false), context: Some(1_000), ..FactsSpec::default() };
    let middle = FactsSpec { labels: vec!["zdr".into()], max_output: Some(100), ..FactsSpec::default() };
    let rungs = vec![
        rung("small", Some(600), small),
        rung("middle", Some(300), middle),
        rung("large", None, FactsSpec::default()),
    ];
    let spec = PolicySpec { name: "t".into(), routes: vec![ladder(rungs)], ..PolicySpec::default() };
    Policy::compile(&spec, 1, names).unwrap()
}

fn asking(change: impl FnOnce(&mut Circumstance)) -> Circumstance {
    let mut circumstance = Circumstance::PLAIN.clone();
    change(&mut circumstance);
    circumstance
}

/// A request that a model cannot take is an error at the provider: it has to start above.
#[test]
fn rungs_that_cannot_take_a_request_are_barred_with_the_reason() {
    let mut names = Names::default();
    let policy = policy(&mut names);
    let route = policy.route(RouteId(0));
    let zdr = Labels::of(&["zdr"], &mut names);
    let open = |circumstance: &Circumstance| {
        let mut trail = Trail::new();
        let left = constrain(route, circumstance, &mut trail);
        assert_eq!(trail.len(), 3 - [0, 1, 2].into_iter().filter(|at| left.has(*at)).count());
        [0, 1, 2].map(|at| left.has(at))
    };
    assert_eq!(open(Circumstance::PLAIN), [true; 3]);
    let vision = Capabilities::NONE.with(Capability::Vision);
    assert_eq!(open(&asking(|c| c.needs.capabilities = vision)), [false, true, true]);
    let tools = Capabilities::NONE.with(Capability::Tools);
    assert_eq!(open(&asking(|c| c.needs.capabilities = tools)), [true; 3], "nobody says that it cannot");
    assert_eq!(open(&asking(|c| c.needs.window = 1_000)), [true; 3], "as much as it takes");
    assert_eq!(open(&asking(|c| c.needs.window = 1_001)), [false, true, true]);
    assert_eq!(open(&asking(|c| c.needs.output = 100)), [true; 3]);
    assert_eq!(open(&asking(|c| c.needs.output = 101)), [true, false, true]);
    assert_eq!(open(&asking(|c| c.needs.labels = zdr)), [false, true, false]);
}

/// Whoever audits who saw what asks this of requests that were served long ago.
#[test]
fn a_model_that_should_not_have_served_is_told_and_why() {
    let mut names = Names::default();
    let policy = policy(&mut names);
    let [small, middle, other] = ["small", "middle", "other"].map(|name| names.intern_model(name));
    let zdr = Labels::of(&["zdr"], &mut names);
    let plain = Signals::default();
    let asked = |circumstance: &Circumstance, model| {
        forbids(&policy, &plain, circumstance, (model, None), |one, other| one == other)
    };
    assert_eq!(asked(Circumstance::PLAIN, small), None);
    let long = asking(|c| c.needs.window = 5_000);
    assert_eq!(asked(&long, small), Some(Bar::Window { needs: 5_000, takes: 1_000 }));
    assert_eq!((asked(&long, middle), asked(&long, other)), (None, None));
    let labelled = asking(|c| c.needs.labels = zdr);
    assert_eq!(asked(&labelled, middle), None);
    assert!(matches!(asked(&labelled, small), Some(Bar::Lacks(_))));
    assert!(matches!(asked(&labelled, other), Some(Bar::Lacks(_))), "of a model of no rung nothing is known");
    assert!(
        is_constrained(&policy, &plain, &labelled) && is_constrained(&policy, &plain, Circumstance::PLAIN)
    );
    let pinned = Signals { pinned: true, ..plain };
    assert!(is_constrained(&policy, &pinned, &labelled), "a label is required of whoever names a model, too");
    assert!(policy.constrains());
    let free = PolicySpec {
        name: "t".into(),
        routes: vec![ladder(vec![rung("large", None, FactsSpec::default())])],
        ..PolicySpec::default()
    };
    let free = Policy::compile(&free, 1, &mut names).unwrap();
    assert!(!free.constrains() && !is_constrained(&free, &plain, Circumstance::PLAIN));
}

#[test]
fn a_model_that_is_down_is_passed_by_unless_nothing_else_is_left() {
    let mut names = Names::default();
    let policy = policy(&mut names);
    let route = policy.route(RouteId(0));
    let ids = ["small", "middle", "large"].map(|name| names.intern_model(name));
    let left = |down: &[usize], open: Rungs| {
        let mut trail = Trail::new();
        let circumstance = asking(|c| {
            c.down = down.iter().map(|at| ids[*at]).collect();
            c.down_as.clone_from(&c.down);
        });
        let left = avail(route, &circumstance, open, &mut trail);
        ([0, 1, 2].map(|at| left.has(at)), trail.len())
    };
    let all = Rungs::all(3);
    assert_eq!(left(&[], all), ([true; 3], 0));
    assert_eq!(left(&[0], all), ([false, true, true], 1));
    assert_eq!(left(&[0, 2], all), ([false, true, false], 2));
    assert_eq!(left(&[0, 1, 2], all), ([true; 3], 0), "it may be up again by now");
    assert_eq!(left(&[0, 1], all.without(2)), ([true, true, false], 0), "what a guard barred stays barred");
    assert_eq!(left(&[0, 1], all.without(0)), ([false, false, true], 1), "and is not told twice");
}

#[test]
fn who_runs_away_is_held_to_what_his_rule_says() {
    let left = |runaway: Then, open: Rungs| {
        let mut trail = Trail::new();
        let left = hold_back(open, &asking(|c| c.runaway = runaway), &mut trail);
        ([0, 1, 2].map(|at| left.has(at)), trail.len())
    };
    let all = Rungs::all(3);
    assert_eq!(left(Then::Tell, all), ([true; 3], 0));
    assert_eq!(left(Then::Degrade, all), ([true, true, false], 1));
    assert_eq!(left(Then::Cheapest, all), ([true, false, false], 2));
    assert_eq!(left(Then::Freeze, all), ([false; 3], 3));
    let upper = all.without(0);
    assert_eq!(left(Then::Degrade, upper), ([false, true, false], 1));
    assert_eq!(left(Then::Cheapest, upper), ([false, true, false], 1), "the cheapest that is left");
    assert_eq!(left(Then::Degrade, upper.without(2)), ([false, true, false], 0), "the last one left stays");
}

/// A cap on calls is what keeps a small server alive.
#[test]
fn a_model_is_full_with_as_many_calls_as_its_policy_lets_it_have() {
    let mut names = Names::default();
    let capped = FactsSpec { max_in_flight: Some(2), ..FactsSpec::default() };
    let rungs =
        vec![rung("small", Some(600), FactsSpec::default()), rung("large", None, FactsSpec::default())];
    let mut spec = PolicySpec { name: "t".into(), routes: vec![ladder(rungs)], ..PolicySpec::default() };
    spec.models = vec![("small".into(), capped)];
    let policy = Policy::compile(&spec, 1, &mut names).unwrap();
    let [small, large] = ["small", "large"].map(|name| names.intern_model(name));
    let mut calls = InFlight::default();
    let full = |calls: &InFlight| calls.full(&policy, |model| model);
    for _ in 0..3 {
        calls.begin(large);
    }
    calls.begin(ModelId::NONE);
    assert_eq!((full(&calls), calls.calls(large), calls.calls(small)), (vec![], 3, 0));
    calls.begin(small);
    assert_eq!(full(&calls), []);
    calls.begin(small);
    assert_eq!((full(&calls), calls.calls(small)), (vec![small], 2));
    calls.end(small);
    assert_eq!((full(&calls), calls.calls(small)), (vec![], 1));
    calls.end(small);
    calls.end(small);
    assert_eq!(calls.calls(small), 0, "what ends twice owes nothing");
    assert!(policy.remembers() && policy.route(RouteId(0)).remembers());
    assert_eq!(policy.capped().collect::<Vec<_>>(), [(small, 2)]);
    spec.models.clear();
    let free = Policy::compile(&spec, 1, &mut names).unwrap();
    assert!(!free.remembers() && !free.route(RouteId(0)).remembers());
    spec.routes[0].cache = Some(Caching::Aware);
    let aware = Policy::compile(&spec, 1, &mut names).unwrap();
    assert!(aware.remembers() && aware.route(RouteId(0)).remembers() && aware.minds_caches());
}

#[test]
fn sets_of_labels_and_capabilities_hold_what_was_put_in() {
    let [a, b, z] = [LabelId(0), LabelId(1), LabelId(63)];
    let set = Labels::NONE.with(a).with(z).with(a).with(LabelId::NONE);
    assert_eq!(set.iter().collect::<Vec<_>>(), [a, z]);
    assert_eq!(set.without(Labels::NONE.with(z)), Labels::NONE.with(a));
    assert_eq!(set.without(Labels::NONE.with(b)), set);
    assert_eq!(set.and(Labels::NONE.with(b)).iter().collect::<Vec<_>>(), [a, b, z]);
    assert!(!set.is_empty() && Labels::NONE.is_empty());
    let both = Capabilities::NONE.with(Capability::Vision).with(Capability::Tools).with(Capability::Tools);
    assert!(Capability::ALL.into_iter().all(|one| both.has(one) && !Capabilities::NONE.has(one)));
    let tools = Capabilities::NONE.with(Capability::Tools);
    assert!(tools.has(Capability::Tools) && !tools.has(Capability::Vision));
}

#[test]
fn facts_are_written_as_they_were_read_and_words_that_are_no_labels_are_refused() {
    let mut names = Names::default();
    let spec = FactsSpec {
        labels: vec!["region=eu".into(), "zdr".into()],
        context: Some(8),
        max_output: Some(9),
        max_in_flight: Some(3),
        vision: Some(true),
        tools: Some(false),
    };
    let facts = Facts::compile(&spec, "f", &mut names).unwrap();
    assert_eq!(facts.spec(&names), spec);
    assert!(facts.limits());
    assert!(!Facts { can: facts.can, labels: facts.labels, ..Facts::default() }.limits());
    for one in [
        Facts { context: Some(1), ..Facts::default() },
        Facts { max_output: Some(1), ..Facts::default() },
        Facts { cannot: facts.cannot, ..Facts::default() },
    ] {
        assert!(one.limits(), "{one:?}");
    }
    for word in ["", " zdr", "a,b", "a\nb", "a\rb", "region=", "\u{7}"] {
        let refused = labels(&[word.to_owned()], "f.labels", &mut names).unwrap_err();
        assert_eq!(refused.field, "f.labels", "{word:?}");
    }
    let zero = Facts::compile(&FactsSpec { context: Some(0), ..FactsSpec::default() }, "f", &mut names);
    assert_eq!(zero.unwrap_err().field, "f.context");
}

/// What is said of a rung holds over what is said of its model, and of what neither says nothing is made up.
#[test]
fn facts_of_a_rung_lie_over_those_of_its_model() {
    let mut names = Names::default();
    let mut facts = |labels: &[&str], context, vision, tools| {
        let labels = labels.iter().map(|&label| label.to_owned()).collect();
        let spec =
            FactsSpec { labels, context, vision, tools, max_in_flight: Some(1), ..FactsSpec::default() };
        Facts::compile(&spec, "f", &mut names).unwrap()
    };
    let below = facts(&["region=us", "zdr"], Some(10), Some(true), Some(false));
    let plain = facts(&["batch"], None, None, None);
    let moved = facts(&["region=eu"], Some(20), Some(false), Some(true));
    let spec = plain.over(&below, &names).spec(&names);
    assert_eq!(spec.labels, ["batch", "region=us", "zdr"]);
    assert_eq!((spec.context, spec.vision, spec.tools), (Some(10), Some(true), Some(false)));
    let spec = moved.over(&below, &names).spec(&names);
    assert_eq!(spec.labels, ["region=eu", "zdr"], "a region of its own takes the place of the model's");
    assert_eq!((spec.context, spec.vision, spec.tools), (Some(20), Some(false), Some(true)));
    assert_eq!(spec.max_in_flight, below.max_in_flight, "a cap is the model's alone");

    let [one, other] = ["one", "other"].map(|name| names.intern_model(name));
    let said = [(one, plain), (other, moved), (one, below)];
    assert_eq!(said_of(one, &said, &names).spec(&names).labels, ["batch", "region=us", "zdr"]);
    let known = by_identity(&said, &names);
    assert_eq!(known.iter().map(|(model, _)| *model).collect::<Vec<_>>(), [one, other]);
    assert_eq!(known[1].1.spec(&names).labels, ["region=eu"]);
}
