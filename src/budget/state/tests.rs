//! Holds and charges: what a limit promises, however calls interleave.

use std::collections::BTreeMap;
use std::sync::{Barrier, Mutex};

use proptest::prelude::*;

use super::*;
use crate::budget::{Anchor, Dimension, OverLimit, Period, Scope, Unpriced, Zone};
use crate::pricing::Unpriced as NoPrice;

fn usd(text: &str) -> Pico {
    Pico::from_usd(text).unwrap()
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn limit(budget: &str, period: Period, amount: Pico, scope: Scope) -> Limit {
    Limit {
        budget: budget.into(),
        scope: Arc::new(scope),
        period,
        anchor: Anchor::default(),
        zone: Zone::utc(),
        amount,
        special: BTreeMap::new(),
        mode: Mode::Hard,
        over: OverLimit::Cheaper,
        wait: Limit::WAIT,
        unpriced: Unpriced::Refuse,
        steer: None,
    }
}

fn team(name: &str) -> Payer<'_> {
    Payer { team: name, ..Payer::default() }
}

fn of_team(name: &str) -> Scope {
    Scope { lists: vec![(Dimension::Team, vec![name.into()])], each: None }
}

#[test]
fn the_call_that_would_break_the_limit_is_refused_not_before_not_after() {
    let mut budgets = Budgets::new([limit("all", Period::Lifetime, usd("10"), Scope::default())]);
    let each = usd("0.004");
    for _ in 0..2500 {
        let draws = budgets.draws(&team("a"));
        let hold = budgets.hold(&draws, each, Instant(0)).unwrap();
        budgets.settle(hold, Cost::Known(each));
    }
    let draws = budgets.draws(&team("a"));
    let over = budgets.hold(&draws, each, Instant(0)).unwrap_err();
    assert_eq!(
        (over.spent, over.held, over.amount, over.resets_at),
        (usd("10"), Pico::ZERO, usd("10"), None)
    );
    assert!(budgets.hold(&draws, Pico::ZERO, Instant(0)).is_ok(), "what costs nothing fits");
}

#[test]
fn a_limit_without_room_keeps_the_others_untouched() {
    let mut budgets = Budgets::new([
        limit("all", Period::Day, usd("100"), Scope::default()),
        limit("search", Period::Day, usd("1"), of_team("search")),
    ]);
    let draws = budgets.draws(&team("search"));
    assert_eq!(draws.len(), 2);
    let over = budgets.hold(&draws, usd("2"), Instant(0)).unwrap_err();
    assert_eq!(&*over.limit.budget, "search");
    assert_eq!(budgets.open_holds(), 0);
    assert!(budgets.standings(Instant(0), false).iter().all(|one| one.account.committed() == Pico::ZERO));
    assert_eq!(budgets.draws(&team("payments")).len(), 1);
}

#[test]
fn a_charge_belongs_to_the_window_of_its_hold() {
    let mut budgets = Budgets::new([limit("all", Period::Day, usd("1"), Scope::default())]);
    let draws = budgets.draws(&team("a"));
    let evening = at("2026-03-01T23:59:59Z");
    let hold = budgets.hold(&draws, usd("1"), evening).unwrap();
    let morning = at("2026-03-02T00:00:01Z");
    let next = budgets.hold(&draws, usd("1"), morning).unwrap();
    budgets.settle(hold, Cost::Known(usd("0.9")));
    budgets.release(next);
    let all = budgets.standings(morning, true);
    let spent: Vec<_> = all.iter().map(|one| one.account.spent).collect();
    assert_eq!(spent, [usd("0.9"), Pico::ZERO]);
    assert_eq!(budgets.open_holds(), 0);
}

#[test]
fn what_was_drawn_on_a_limit_that_is_gone_is_listed_with_the_past_alone() {
    let mut budgets = Budgets::new([limit("all", Period::Day, usd("1"), Scope::default())]);
    let draws = budgets.draws(&team("a"));
    let hold = budgets.hold(&draws, usd("0.25"), Instant(0)).unwrap();
    budgets.settle(hold, Cost::Known(usd("0.2")));
    budgets.change([limit("other", Period::Day, usd("1"), Scope::default())]);
    let names = |all| {
        budgets.standings(Instant(0), all).iter().map(|one| one.limit.budget.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(false), ["other"]);
    assert_eq!(names(true), ["all", "other"]);
}

#[test]
fn unknown_costs_as_much_as_was_held_and_more_than_that_is_told() {
    let mut budgets = Budgets::new([limit("all", Period::Day, usd("1"), Scope::default())]);
    let draws = budgets.draws(&team("a"));
    let hold = budgets.hold(&draws, usd("0.25"), Instant(0)).unwrap();
    budgets.settle(hold, Cost::Unknown(NoPrice::NoUsage));
    let hold = budgets.hold(&draws, usd("0.25"), Instant(0)).unwrap();
    budgets.settle(hold, Cost::Known(usd("0.5")));
    let account = budgets.standings(Instant(0), false)[0].account;
    assert_eq!((account.spent, account.assumed, account.beyond), (usd("0.75"), usd("0.25"), 1));
}

#[test]
fn an_edit_takes_effect_at_once_and_never_resets_what_was_spent() {
    let mut budgets = Budgets::new([limit("all", Period::Day, usd("10"), Scope::default())]);
    let draws = budgets.draws(&team("a"));
    let hold = budgets.hold(&draws, usd("4"), Instant(0)).unwrap();
    budgets.change([limit("all", Period::Day, usd("5"), Scope::default())]);
    budgets.settle(hold, Cost::Known(usd("4")));
    let draws = budgets.draws(&team("a"));
    assert!(budgets.hold(&draws, usd("2"), Instant(0)).is_err());
    budgets.change([]);
    // It refuses nothing now, and is counted all the same: it may come back.
    let draws = budgets.draws(&team("a"));
    let hold = budgets.hold(&draws, usd("2"), Instant(0)).unwrap();
    budgets.settle(hold, Cost::Known(usd("2")));
    assert!(budgets.standings(Instant(0), false).is_empty());
    assert!(budgets.change([limit("all", Period::Day, usd("5"), Scope::default())]).is_empty());
    assert_eq!(budgets.standings(Instant(0), false)[0].account.spent, usd("6"));
    // About other people, or in another window, it is another one, of which nobody knows yet.
    let each = Scope { each: Some(Dimension::Team), ..Scope::default() };
    assert_eq!(budgets.change([limit("all", Period::Day, usd("5"), each)]), [1]);
    assert_eq!(budgets.change([limit("all", Period::Month, usd("5"), Scope::default())]), [2]);
}

#[test]
fn another_zone_counts_from_the_next_boundary_on() {
    let mut daily = limit("all", Period::Day, usd("10"), Scope::default());
    let mut budgets = Budgets::new([daily.clone()]);
    let draws = budgets.draws(&team("a"));
    let noon = at("2026-03-01T12:00:00Z");
    let hold = budgets.hold(&draws, usd("10"), noon).unwrap();
    budgets.settle(hold, Cost::Known(usd("10")));
    daily.zone = Zone::find("Asia/Tokyo").unwrap();
    budgets.change([daily]);
    // In Tokyo the next day began at 15:00; what has begun goes on to its own end.
    let over = budgets.hold(&draws, usd("1"), at("2026-03-01T16:00:00Z")).unwrap_err();
    assert_eq!(over.resets_at, Some(at("2026-03-02T00:00:00Z")));
    let next = budgets.standings(at("2026-03-02T01:00:00Z"), false)[0].account.window;
    assert_eq!((next.start, next.end), (at("2026-03-02T00:00:00Z"), Some(at("2026-03-02T15:00:00Z"))));
}

#[test]
fn each_member_has_the_limit_to_itself_and_some_have_their_own() {
    let scope = Scope { lists: Vec::new(), each: Some(Dimension::Team) };
    let mut each = limit("teams", Period::Day, usd("1"), scope);
    each.special.insert("search".into(), usd("3"));
    let mut budgets = Budgets::new([each]);
    for (name, room) in [("search", "3"), ("payments", "1"), ("", "1")] {
        let draws = budgets.draws(&team(name));
        let hold = budgets.hold(&draws, usd(room), Instant(0)).unwrap();
        assert!(budgets.hold(&draws, Pico(1), Instant(0)).is_err(), "{name}");
        budgets.settle(hold, Cost::Known(usd(room)));
    }
    assert_eq!(budgets.standings(Instant(0), false).len(), 3);
}

/// Every thread holds, waits for the others to have held, too, and settles, gives back or crashes.
#[test]
fn sixty_four_threads_at_once_never_overrun_and_are_never_refused_while_there_is_room() {
    const THREADS: u64 = 64;
    const ROUNDS: u64 = 200;
    let each = usd("0.004");
    // Room for exactly half of all that is ever asked for.
    let room = Pico(each.0 * i128::from(THREADS * ROUNDS) / 2);
    let budgets = Mutex::new(Budgets::new([
        limit("all", Period::Lifetime, room, Scope::default()),
        limit("month", Period::Month, Pico(room.0 * 2), Scope::default()),
        limit("a", Period::Lifetime, Pico(room.0 * 2), of_team("a")),
        limit(
            "each",
            Period::Lifetime,
            Pico(room.0 * 2),
            Scope { lists: Vec::new(), each: Some(Dimension::Team) },
        ),
    ]));
    let barrier = Barrier::new(usize::try_from(THREADS).unwrap());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (budgets, barrier) = (&budgets, &barrier);
            scope.spawn(move || {
                let mut random = thread.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
                barrier.wait();
                for _ in 0..ROUNDS {
                    let held = {
                        let mut budgets = budgets.lock().unwrap();
                        let draws = budgets.draws(&team("a"));
                        let before = budgets.standings(Instant(0), false)[0].account.committed();
                        let held = budgets.hold(&draws, each, Instant(0));
                        let fits = before.0 + each.0 <= room.0;
                        assert_eq!(held.is_ok(), fits, "{before:?} of {room:?}");
                        held
                    };
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    let Ok(hold) = held else { continue };
                    let mut budgets = budgets.lock().unwrap();
                    match random % 4 {
                        // The call was cancelled before it was made.
                        0 => budgets.release(hold),
                        // It crashed: nobody knows what it cost.
                        1 => budgets.settle(hold, Cost::Unknown(NoPrice::NoUsage)),
                        2 => budgets.settle(hold, Cost::Known(Pico(each.0 / 2))),
                        _ => budgets.settle(hold, Cost::Known(each)),
                    }
                    for one in budgets.standings(Instant(0), false) {
                        assert!(one.account.committed() <= one.amount, "{one:?}");
                    }
                }
            });
        }
    });
    let budgets = budgets.into_inner().unwrap();
    assert_eq!(budgets.open_holds(), 0);
    let standings = budgets.standings(Instant(0), false);
    assert!(standings.iter().all(|one| one.account.held == Pico::ZERO));
    // Four limits saw the same calls.
    assert!(standings.iter().all(|one| one.account.spent == standings[0].account.spent));
}

/// What can happen to two limits, in any order.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Hold(i128, i64),
    Settle(usize, i128),
    Lose(usize),
    Release(usize),
    Limit(i128),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        (0i128..60, 0i64..200_000).prop_map(|(amount, seconds)| Deed::Hold(amount, seconds)),
        (0usize..8, 0i128..60).prop_map(|(which, cost)| Deed::Settle(which, cost)),
        (0usize..8).prop_map(Deed::Lose),
        (0usize..8).prop_map(Deed::Release),
        (50i128..200).prop_map(Deed::Limit),
    ]
}

proptest! {
    #[test]
    fn accounts_are_what_the_deeds_add_up_to(deeds in proptest::collection::vec(deed(), 0..120)) {
        let of = |amount| [limit("all", Period::Day, Pico(amount), Scope::default()), limit("a", Period::Every(crate::units::Span::hours(5)), Pico(amount * 2), of_team("a"))];
        let mut budgets = Budgets::new(of(100));
        let mut open: Vec<(Hold, Pico)> = Vec::new();
        let mut most = Pico(200);
        let mut spent = Pico::ZERO;
        for deed in deeds {
            match deed {
                Deed::Hold(amount, seconds) => {
                    let draws = budgets.draws(&team("a"));
                    if let Ok(hold) = budgets.hold(&draws, Pico(amount), Instant::from_secs(seconds)) {
                        open.push((hold, Pico(amount)));
                    }
                }
                Deed::Settle(which, cost) if which < open.len() => {
                    let (hold, held) = open.remove(which);
                    let cost = Pico(cost.min(held.0));
                    spent += cost;
                    budgets.settle(hold, Cost::Known(cost));
                }
                Deed::Lose(which) if which < open.len() => {
                    let (hold, held) = open.remove(which);
                    spent += held;
                    budgets.settle(hold, Cost::Unknown(NoPrice::NoUsage));
                }
                Deed::Release(which) if which < open.len() => budgets.release(open.remove(which).0),
                Deed::Limit(amount) => {
                    most = most.max(Pico(amount * 2));
                    budgets.change(of(amount));
                }
                _ => {}
            }
            let all = budgets.standings(Instant(0), true);
            let held: i128 = open.iter().map(|(_, held)| held.0).sum();
            for name in ["all", "a"] {
                let of_it = all.iter().filter(|one| &*one.limit.budget == name);
                let sums = of_it.fold((0, 0), |sums, one| (sums.0 + one.account.spent.0, sums.1 + one.account.held.0));
                prop_assert_eq!(sums, (spent.0, held));
            }
            prop_assert!(all.iter().all(|one| one.account.committed() <= most));
            prop_assert_eq!(budgets.open_holds(), 2 * open.len() as u64);
        }
    }
}
