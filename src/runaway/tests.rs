//! Golden scenarios: who is a runaway, who is not, and what becomes of him.

use super::*;
use crate::units::{Pico, Span};

fn whose(key: &str, session: &str) -> Whose {
    Whose { key: key.into(), session: session.into(), project: "p".into(), ..Whose::default() }
}

fn rule(each: Kind, test: Test, then: Then) -> Rule {
    Rule { name: "r".into(), each, test, then }
}

fn looping(then: Then) -> Runaways {
    Runaways::new([rule(Kind::Session, Test::Loop { same: 6, among: 12 }, then)])
}

fn pace(then: Then) -> Runaways {
    let dollar = Pico(1_000_000_000_000);
    let test = Test::Pace { times: 4, minutes: 5, history: 30, calls: Some(60), spend: Some(dollar) };
    Runaways::new([rule(Kind::Key, test, then)])
}

fn call(hash: u64, turns: usize) -> Call {
    Call::new(hash << 16, turns)
}

fn at(seconds: i64) -> Instant {
    Instant(seconds * 1_000_000)
}

#[test]
fn a_loop_of_equal_calls_is_one_and_is_told_once() {
    let mut all = looping(Then::Tell);
    let mine = whose("k", "s");
    let trips: Vec<i64> =
        (0..20).filter(|n| !all.arrived(&mine, Some(call(7, 3)), at(*n)).trips.is_empty()).collect();
    assert_eq!(trips, [5], "with the sixth, and not again");
    let trip = all.trips().next().unwrap();
    assert_eq!((trip.whom.to_string().as_str(), trip.at), ("session k/s", at(5)));
    assert!(trip.words().contains("the same tool call 6 times among the last 6"), "{}", trip.words());
}

#[test]
fn a_loop_with_one_changing_argument_or_with_other_calls_between_is_none() {
    let mut all = looping(Then::Freeze);
    for n in 0..500 {
        let moment = at(i64::try_from(n).unwrap());
        assert_eq!(all.arrived(&whose("k", "changing"), Some(call(n, 3)), moment).stop, None);
        // Two of three are others: four in twelve are the same.
        let hash = if n % 3 == 0 { 7 } else { 1_000 + n };
        assert_eq!(all.arrived(&whose("k", "between"), Some(call(hash, 3)), moment).stop, None, "{n}");
    }
    // An alternation of two is as much of a loop.
    let ends = (0..30).find(|n| all.arrived(&whose("k", "two"), Some(call(n % 2, 3)), at(0)).stop.is_some());
    assert_eq!(ends, Some(10));
}

#[test]
fn sessions_are_apart_and_nobody_stops_anothers() {
    let mut all = looping(Then::Freeze);
    for n in 0..40 {
        let verdict = all.arrived(&whose("k", &format!("s{}", n % 8)), Some(call(7, 3)), at(n));
        assert_eq!(verdict.stop, None, "five of each");
    }
    for n in 0..10 {
        all.arrived(&whose("thief", "s-of-mine"), Some(call(7, 3)), at(n));
    }
    assert!(all.is_stopped(&whose("thief", "s-of-mine")));
    assert!(!all.is_stopped(&whose("k", "s-of-mine")), "a client names its sessions itself");
}

#[test]
fn without_a_session_only_a_conversation_that_goes_on_repeats_itself() {
    let mut all = looping(Then::Freeze);
    for n in 0..100 {
        let many_begin_alike = all.arrived(&whose("fleet", ""), Some(call(7, 3)), at(n));
        assert_eq!(many_begin_alike.stop, None);
    }
    let frozen =
        (0..10).find(|n| all.arrived(&whose("one", ""), Some(call(7, 3 + 2 * n)), at(0)).stop.is_some());
    assert_eq!(frozen, Some(5));
    assert_eq!(all.stops()[0].whom.to_string(), "key one");
}

#[test]
fn a_slow_honest_agent_and_a_new_key_are_left_alone() {
    let mut all = pace(Then::Freeze);
    let slow = whose("slow", "");
    for n in 0..2_000 {
        assert_eq!(all.arrived(&slow, None, at(n * 20)).stop, None);
        all.spent(&slow, Cost::Known(Pico(100_000_000_000)));
    }
    // A burst of somebody without a past: nothing is known that it could be far above.
    let new = whose("new", "");
    for n in 0..5_000 {
        assert_eq!(all.arrived(&new, None, at(n / 50)).stop, None);
        all.spent(&new, Cost::Known(Pico(1_000_000_000_000)));
    }
}

#[test]
fn spend_far_above_the_habit_trips_and_what_nobody_knows_is_no_money() {
    let mut all = pace(Then::Tell);
    let mine = whose("k", "");
    let cents = |cents: i128| Cost::Known(Pico(cents * 10_000_000_000));
    for minute in 0..60 {
        for n in 0..3 {
            all.arrived(&mine, None, at(minute * 60 + n * 20));
            all.spent(&mine, cents(5));
        }
    }
    assert_eq!(all.trips().count(), 0);
    let mut tripped_at = None;
    for n in 0..20 {
        let moment = at(3_600 + n * 20);
        if !all.arrived(&mine, None, moment).trips.is_empty() {
            tripped_at = Some(n);
        }
        all.spent(&mine, Cost::Unknown(crate::pricing::Unpriced::NoPrice));
        all.spent(&mine, cents(50));
    }
    assert_eq!(tripped_at, Some(6), "75 cents within five minutes were usual");
    assert_eq!(all.trips().count(), 1);
}

#[test]
fn a_session_over_its_cap_is_frozen_until_it_is_lifted_and_starts_anew() {
    let test = Test::Cap { calls: Some(5), spend: None };
    let mut all = Runaways::new([rule(Kind::Session, test, Then::Freeze)]);
    let mine = whose("k", "s");
    let served =
        |all: &mut Runaways| (0..20).filter(|n| all.arrived(&mine, None, at(*n)).stop.is_none()).count();
    assert_eq!(served(&mut all), 5);
    let whom = Whom::parse("session k/s").unwrap();
    assert_eq!(all.lift(&whom).unwrap().rule_name(), "r");
    assert_eq!((served(&mut all), all.lift(&Whom::parse("key k").unwrap())), (5, None));
}

#[test]
fn degrading_lasts_as_long_as_the_episode() {
    let mut all = looping(Then::Degrade);
    let mine = whose("k", "s");
    for n in 0..6 {
        all.arrived(&mine, Some(call(7, 3)), at(n));
    }
    assert_eq!(all.arrived(&mine, Some(call(7, 3)), at(9)).then, Some(Then::Degrade));
    assert_eq!(all.arrived(&mine, None, at(10)).then, Some(Then::Degrade), "also what follows no call");
    for n in 0..24 {
        all.arrived(&mine, Some(call(100 + n, 3)), at(11));
    }
    assert_eq!(all.arrived(&mine, Some(call(7, 3)), at(12)).then, None);
}

#[test]
fn the_kill_switch_stops_by_every_name_and_only_that_name_lifts_it() {
    let mine = Whose { team: "t".into(), user: "u".into(), ..whose("k", "s") };
    for name in ["all", "team t", "project p", "user u", "key k", "session k/s", "session s"] {
        let mut all = Runaways::default();
        let whom = Whom::parse(name).unwrap();
        all.stop(Stop::told(whom.clone(), at(1), "ops", "why"));
        let words = all.arrived(&mine, None, at(2)).stop.unwrap().words();
        assert!(words.contains("by ops (why)") && words.contains("pointsman lift --"), "{words}");
        assert_eq!(
            all.arrived(&whose("other", "o"), None, at(2)).stop.is_some(),
            name == "all" || name == "project p"
        );
        assert_eq!(all.lift(&Whom::parse("team else").unwrap()), None);
        assert!(all.lift(&whom).is_some() && all.is_idle(), "{name}");
    }
    assert_eq!((Whom::parse("all x"), Whom::parse("key "), Whom::parse("nobody x")), (None, None, None));
}

#[test]
fn memory_is_bounded_however_many_names_come() {
    let mut all = Runaways::new(built_in());
    for n in 0..40_000i64 {
        let mine = Whose { project: format!("p{n}").into(), ..whose(&format!("k{n}"), &format!("s{n}")) };
        all.arrived(&mine, Some(call(7, 3)), at(n));
    }
    assert!(all.watches.iter().all(|watch| watch.len() <= 1 << 14));
}

#[test]
fn a_tool_call_is_written_and_read_alike() {
    for one in [Call::new(0, 0), Call::new(u64::MAX, 12), Call::new(0x1234_5678_9abc_def0, 70_000)] {
        assert_eq!(Call::parse(&one.word()), Some(one), "{}", one.word());
        assert_eq!(Call::unpacked(Call::packed(Some(one))), Some(one));
    }
    for wrong in ["call:", "call:x@1", "call:1123456789abc@1", "call:01", "gpt-4.1"] {
        assert_eq!(Call::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn an_edit_of_a_rule_keeps_what_was_seen() {
    let mut all = looping(Then::Tell);
    let mine = whose("k", "s");
    for n in 0..5 {
        all.arrived(&mine, Some(call(7, 3)), at(n));
    }
    all.change([rule(Kind::Session, Test::Loop { same: 6, among: 12 }, Then::Freeze)]);
    assert!(all.arrived(&mine, Some(call(7, 3)), at(6)).stop.is_some());
    let late = Span(5);
    assert!(all.arrived(&mine, None, at(6) + late).stop.is_some(), "also after the rules are gone");
    all.change([]);
    assert!(all.is_stopped(&mine) && !all.is_idle());
}
