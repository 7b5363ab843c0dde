//! What follows the end of a call, what is held for it, and what fits nothing.

use std::sync::Arc;

use super::*;
use crate::budget::{Anchor, Budgets, Limit, Mode, OverLimit, Payer, Period, Scope, Unpriced, Zone};
use crate::outcome::{Attempt, Operation};
use crate::pricing::{Cost, PriceBook, PriceRow, Rates, Tier};
use crate::routing::{
    AskId, AtMost, Bar, Circumstance, ConfidenceSource, FactsSpec, Follows, Needs, PolicySpec, RouteSpec,
    RungSpec, Short, Status, Step,
};
use crate::units::{Instant, ModelId, Names, PerMille, Pico, PicoPerMillion};

const SMALL: ModelId = ModelId(0);
const LARGE: ModelId = ModelId(1);
const KEY: OperationKey = 1;

fn policy(version: u32, names: &mut Names) -> Policy {
    let facts = FactsSpec { max_in_flight: Some(1), ..FactsSpec::default() };
    let small = RungSpec { model: "small".into(), threshold: Some(500), ..RungSpec::default() };
    let large = RungSpec { model: "large".into(), ..RungSpec::default() };
    let route = RouteSpec { name: "rest".into(), ladder: vec![small, large], ..RouteSpec::default() };
    let models = vec![("small".to_owned(), facts)];
    let spec = PolicySpec { models, routes: vec![route], ..PolicySpec::default() };
    Policy::compile(&spec, version, names).unwrap()
}

/// A million tokens of a prompt cost $1 on `small` and $3 on `large`; `new` has no price.
fn decider(names: &mut Names) -> Decider {
    let policy = policy(1, names);
    let mut book = PriceBook::default();
    for (model, usd) in [("small", "1"), ("large", "3")] {
        let input = PicoPerMillion::from_usd_per_million(usd).unwrap();
        let base = Tier { input, output: input, ..Tier::default() };
        let standard = Rates { base, above: vec![] };
        book.add_row(model, PriceRow { standard, ..PriceRow::default() });
    }
    Decider::new(Arc::new(policy), Arc::new(PriceTable::new(&book, names)))
}

fn usd(dollars: &str) -> Pico {
    Pico::from_usd(dollars).unwrap()
}

fn operation() -> Operation {
    let mut operation = Operation { at: Instant(7), ..Operation::default() };
    operation.set_confidence(PerMille::new(900), ConfidenceSource::Recorded);
    operation
}

fn arrival(claims: Option<&Claims>) -> Arrival<'_> {
    Arrival {
        key: KEY,
        operation: operation(),
        circumstance: Circumstance::PLAIN,
        claims,
        whose: None,
        prompt: None,
    }
}

fn ended(model: ModelId, status: Status, cost: &str) -> Attempt {
    Attempt { model, status, cost: Cost::Known(usd(cost)), ..Attempt::REFUSED }
}

fn limit(amount: &str, mode: Mode, over: OverLimit) -> Limit {
    Limit {
        budget: "all".into(),
        scope: Arc::new(Scope::default()),
        period: Period::Lifetime,
        anchor: Anchor::default(),
        zone: Zone::utc(),
        amount: usd(amount),
        special: std::collections::BTreeMap::new(),
        mode,
        over,
        wait: Limit::WAIT,
        unpriced: Unpriced::Hold,
        steer: None,
    }
}

/// A prompt of a million tokens at most, and no answer.
fn million() -> Needs {
    let at_most = AtMost { prompt: 1_000_000, output: 0, ..AtMost::default() };
    Needs { at_most, ..Needs::default() }
}

/// A decider under a hard limit, with a request on its way to `small`, and what is spent and held.
fn under(amount: &str) -> (Decider, Claims) {
    let mut names = Names::default();
    let mut decider = decider(&mut names);
    *decider.budgets_mut() = Budgets::new([limit(amount, Mode::Hard, OverLimit::Cheaper)]);
    let (claims, _) =
        decider.claim(&operation(), &million(), (&Payer::default(), &names), (None, &|_| false));
    let course = decider.arrived(arrival(Some(&claims)));
    assert!(matches!(course, Some(Course::Call { rung: 0, model: SMALL, why: None })), "{course:?}");
    assert_eq!(account(&decider), (Pico::ZERO, usd("1")), "the most that it can cost is held");
    (decider, claims)
}

fn account(decider: &Decider) -> (Pico, Pico) {
    let [all] = &decider.budgets().standings(Instant(7), true)[..] else { panic!("one limit") };
    (all.account.spent, whole(all.account.held))
}

/// Returns an amount without what each line of a worst case is rounded up by.
fn whole(amount: Pico) -> Pico {
    Pico(amount.0 / 1_000_000 * 1_000_000)
}

#[test]
fn a_failed_call_goes_up_the_ladder_and_leaves_its_place_to_the_next() {
    let mut names = Names::default();
    let mut decider = decider(&mut names);
    assert!(decider.full().is_empty());
    assert!(decider.arrived(arrival(None)).is_some());
    assert_eq!((decider.open(), decider.full()), (1, vec![SMALL]), "one call is as many as it may have");
    assert_eq!(decider.at, Instant(7));
    let course = decider.attempted(KEY, ended(SMALL, Status::ServerError, "1"), None).unwrap();
    assert!(matches!(course, Course::Call { rung: 1, model: LARGE, why: Some(_) }), "{course:?}");
    assert!(decider.full().is_empty() && decider.open() == 1);
    let Course::Over(closed) = decider.attempted(KEY, ended(LARGE, Status::Ok, "3"), None).unwrap() else {
        panic!("it was answered")
    };
    assert_eq!((closed.settled.status, closed.settled.escalated, closed.settled.rung), (Status::Ok, true, 1));
    assert_eq!(closed.settled.cost, Cost::Known(usd("4")), "the call that failed was paid for, too");
    assert_eq!(decider.open(), 0);
}

#[test]
fn what_fits_nothing_is_counted_and_changes_nothing() {
    let mut names = Names::default();
    let mut decider = decider(&mut names);
    assert!(decider.attempted(KEY, ended(SMALL, Status::Ok, "1"), None).is_err());
    assert!(decider.retried(KEY, ended(SMALL, Status::Timeout, "1")).is_err());
    assert!(decider.arrived(arrival(None)).is_some());
    assert!(decider.arrived(arrival(None)).is_none(), "its key is taken");
    for version in [0, 1, 3, 2] {
        decider.change_policy(Arc::new(policy(version, &mut names)));
    }
    let Unexpected { unknown_operations, repeated_arrivals, stale_policies } = decider.unexpected();
    assert_eq!((unknown_operations, repeated_arrivals, stale_policies), (2, 1, 3));
    assert_eq!((decider.policy().version, decider.open()), (3, 1));
    assert_eq!(decider.decision(KEY).map(|(policy, _)| policy.version), Some(1), "under way under its own");
    decider.seen(Instant(3));
    assert_eq!(decider.at, Instant(7), "time does not go back");
}

#[test]
fn a_rung_that_a_budget_has_no_room_for_is_not_asked() {
    let (mut poor, _) = under("3.5");
    let course = poor.attempted(KEY, ended(SMALL, Status::ServerError, "1"), None).unwrap();
    let Course::Over(closed) = course else { panic!("$1 is spent, and $3 do not fit: {course:?}") };
    let barred = Step::Barred { rung: 1, why: Bar::Budget(Short::Hard) };
    assert!(closed.decision.trail.contains(&barred), "why says so");
    assert_eq!((account(&poor), poor.budgets().open_holds()), ((usd("1"), Pico::ZERO), 0));

    let (mut rich, _) = under("4.1");
    let course = rich.attempted(KEY, ended(SMALL, Status::ServerError, "1"), None).unwrap();
    assert!(matches!(course, Course::Call { rung: 1, .. }), "{course:?}");
    assert_eq!(account(&rich), (usd("1"), usd("3")));

    let (mut spared, _) = under("3.5");
    let course = spared.attempted(KEY, ended(SMALL, Status::Unavailable, "0"), None).unwrap();
    assert!(matches!(course, Course::Call { rung: 1, .. }), "what was not called cost nothing: {course:?}");
    assert_eq!(account(&spared), (Pico::ZERO, usd("3")));
}

#[test]
fn the_same_model_is_asked_again_only_while_there_is_room() {
    let failed = ended(SMALL, Status::Timeout, "1");
    let (mut rich, _) = under("2.1");
    assert_eq!(rich.retried(KEY, failed), Ok(None));
    assert_eq!(account(&rich), (usd("1"), usd("1")));
    let (mut poor, _) = under("1.5");
    let course = poor.retried(KEY, failed).unwrap();
    let Some(Course::Over(closed)) = course else { panic!("no room for any other call: {course:?}") };
    let barred: Vec<_> =
        closed.decision.trail.iter().filter(|step| matches!(step, Step::Barred { .. })).collect();
    assert_eq!(barred.len(), 2, "neither for itself nor for the next rung: {barred:?}");
    let [all] = &poor.budgets().standings(Instant(7), true)[..] else { panic!("one limit") };
    assert_eq!(all.account.moved, 1, "it is one request, however often it found no room");
    assert_eq!((account(&poor), poor.open()), ((usd("1"), Pico::ZERO), 0));
}

#[test]
fn limits_turn_models_away_as_they_say_and_a_model_without_a_price_at_the_most_of_any() {
    let mut names = Names::default();
    let mut decider = decider(&mut names);
    let mut claimed = |limits: Vec<Limit>, needs: &Needs| {
        *decider.budgets_mut() = Budgets::new(limits);
        decider.claim(&operation(), needs, (&Payer::default(), &names), (None, &|_| false))
    };
    for (mode, over, want) in [
        (Mode::Hard, OverLimit::Cheaper, Short::Hard),
        (Mode::Hard, OverLimit::Refuse, Short::Refuse),
        (Mode::Hard, OverLimit::Queue, Short::Queue),
        (Mode::Soft, OverLimit::Refuse, Short::Soft),
    ] {
        let (claims, lacking) = claimed(vec![limit("2", mode, over)], &million());
        assert_eq!(lacking, [(LARGE, want)], "$1 fits, $3 do not");
        assert!(claims.over(SMALL).is_none() && claims.over(LARGE).map(short) == Some(want));
    }
    let (_, lacking) = claimed(vec![limit("0.5", Mode::Hard, OverLimit::Cheaper)], &million());
    assert_eq!(lacking, [(SMALL, Short::Hard), (LARGE, Short::Hard)]);
    let (claims, lacking) = claimed(vec![], &million());
    assert!(lacking.is_empty() && claims.over(LARGE).is_none(), "without limits nothing is claimed");

    let at_most = AtMost { prompt: 500_000, output: 500_000, ..AtMost::default() };
    let prices = decider.prices();
    assert_eq!(most(prices, SMALL, Instant(7), at_most).map(whole), Some(usd("1")));
    assert_eq!(most(prices, ModelId(2), Instant(7), at_most), None);
    assert_eq!(whole(of_any(prices, Instant(7), at_most)), usd("3"));
}

#[test]
fn sums_hold_what_is_over_and_time_what_was_seen() {
    let mut names = Names::default();
    let decider = decider(&mut names);
    let mut engine = Engine::new(Arc::clone(decider.policy()), Arc::clone(decider.prices()));
    let sent = engine.apply(Event::Arrived(arrival(None)));
    assert!(matches!(sent, Some(Effect::Send { key: KEY, rung: 0, model: SMALL })), "{sent:?}");
    assert_eq!(engine.totals().all.requests, 0, "it is under way");
    let answered =
        engine.apply(Event::Attempted { key: KEY, attempt: ended(SMALL, Status::Ok, "1"), evidence: None });
    assert!(matches!(answered, Some(Effect::Answer { key: KEY, .. })), "{answered:?}");
    assert_eq!((engine.totals().all.requests, engine.totals().all.cost.known), (1, usd("1")));
    engine.decider.signal(Instant(100), LARGE, Some(Instant(1000)));
    assert_eq!(engine.decider.down_at(Instant(999)), [LARGE]);
    assert!(engine.decider.down_at(Instant(1000)).is_empty(), "it is back when it said");
    let picture = engine.snapshot();
    assert_eq!((picture.at, picture.applied, picture.open), (Instant(100), 2, 0));
    assert_eq!(picture.totals, *engine.totals());
}

/// A short outage of all models would else send each loop that was running to the dearest one for good.
#[test]
fn a_turn_that_nobody_answered_moves_no_loop() {
    let mut names = Names::default();
    let mut decider = decider(&mut names);
    let ask = AskId::new(64, false);
    let on = |model| Follows { model, ..Follows::NONE };
    let mut turn = |key: u64, ask: AskId, ends: &[(ModelId, Status)]| {
        let before = decider.follows(&Operation { ask: ask.turn(), ..operation() });
        let arrival = Arrival { key, operation: Operation { ask, ..operation() }, ..arrival(None) };
        assert!(decider.arrived(arrival).is_some());
        for (model, status) in ends {
            decider.attempted(key, ended(*model, *status, "1"), None).unwrap();
        }
        assert_eq!(decider.open(), 0);
        (before, decider.follows(&Operation { ask: ask.turn(), ..operation() }))
    };
    let (bad, ok) = (Status::ServerError, Status::Ok);
    assert_eq!(turn(1, ask, &[(SMALL, bad), (LARGE, bad)]), (Follows::NONE, Follows::NONE));
    assert_eq!(turn(2, ask, &[(SMALL, ok)]), (Follows::NONE, on(SMALL)));
    assert_eq!(turn(3, ask.turn(), &[(SMALL, bad), (LARGE, bad)]), (on(SMALL), on(SMALL)));
    assert_eq!(turn(4, ask.turn(), &[(SMALL, bad), (LARGE, Status::Cancelled)]), (on(SMALL), on(SMALL)));
    assert_eq!(turn(5, ask.turn(), &[(SMALL, bad), (LARGE, ok)]), (on(SMALL), on(LARGE)));
}
