//! The best thresholds of all routes, beside what trying every setting finds.

use super::*;

fn per_mille(value: u16) -> PerMille {
    PerMille::new(value).unwrap_or_default()
}

/// A route of two rungs: at each of a few confidences, what starting on the cheap one saves and loses.
fn menu(groups: &[(u16, i128, i128)], base: Outcome) -> Menu {
    let mut steps = vec![Outcome::default(); PerMille::VALUES];
    for &(confidence, saves, loses) in groups {
        for step in steps.iter_mut().take(usize::from(confidence) + 1) {
            *step = *step + Outcome { cost: -saves, quality: -loses, late: 0 };
        }
    }
    Menu { base, steps: vec![steps], floors: Thresholds::new(), applied: Thresholds::new() }
}

fn given(cost: i128, quality: i128) -> Outcome {
    Outcome { cost, quality, late: 0 }
}

/// Numbers by counting.
fn drawn(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

fn worlds(seed: &mut u64) -> Vec<Menu> {
    (0..3)
        .map(|_| {
            let groups: Vec<(u16, i128, i128)> = (0..8u16)
                .map(|at| (at * 120 + 50, i128::from(drawn(seed, 1000)), i128::from(drawn(seed, 1000)) - 200))
                .collect();
            menu(&groups, given(9000, 9000))
        })
        .collect()
}

/// Every setting of three routes that differs in anything.
fn all_of(menus: &[Menu]) -> Vec<Outcome> {
    let distinct = |menu: &Menu| {
        let mut steps = menu.steps[0].clone();
        steps.dedup();
        steps.into_iter().map(|step| menu.base + step).collect::<Vec<_>>()
    };
    let [a, b, c] = menus else { panic!("three routes") };
    let (a, b, c) = (distinct(a), distinct(b), distinct(c));
    let pairs = a.iter().flat_map(|a| b.iter().map(move |b| *a + *b)).collect::<Vec<_>>();
    pairs.iter().flat_map(|ab| c.iter().map(move |c| *ab + *c)).collect()
}

#[test]
fn it_is_what_trying_every_setting_finds_or_says_by_how_much_not() {
    let mut seed = 3;
    let (mut exact, mut tried) = (0, 0);
    for _ in 0..60 {
        let menus = worlds(&mut seed);
        let every = all_of(&menus);
        for share in [20, 40, 60, 80] {
            let (low, high) = (
                every.iter().map(|one| one.cost).min().unwrap_or(0),
                every.iter().map(|one| one.cost).max().unwrap_or(0),
            );
            let limit = low + (high - low) * share / 100;
            let best = every.iter().filter(|one| one.cost <= limit).map(|one| one.quality).max().unwrap_or(0);
            let found = optimise(&menus, Goal::Cost(limit));
            assert!(found.is_feasible && found.choice.outcome.cost <= limit);
            assert!(found.choice.outcome.quality <= best);
            assert!(found.choice.outcome.quality + found.gap >= best, "the gap is a bound");
            tried += 1;
            exact += u32::from(found.choice.outcome.quality == best);

            let cheapest = every.iter().filter(|one| one.quality >= best).map(|one| one.cost).min();
            let found = optimise(&menus, Goal::Quality(best));
            assert!(found.is_feasible && found.choice.outcome.quality >= best);
            assert!(cheapest.is_some_and(|cost| found.choice.outcome.cost - found.gap <= cost));
        }
    }
    assert!(exact * 10 >= tried * 9, "{exact} of {tried} exact");
}

#[test]
fn what_cannot_be_kept_is_said_with_what_comes_nearest() {
    let menus = [menu(&[(500, 100, 50)], given(1000, 900))];
    let found = optimise(&menus, Goal::Cost(800));
    assert!(!found.is_feasible);
    assert_eq!(found.choice.outcome, given(900, 850));
    let found = optimise(&menus, Goal::Quality(950));
    assert!(!found.is_feasible && found.choice.outcome.quality == 900);
    let free = optimise(&menus, Goal::Cost(5000));
    assert_eq!((free.is_feasible, free.price), (true, None));
    assert_eq!(free.choice.thresholds[0][0].get(), 1000, "of equal ones the safest");
}

/// A route whose requests are late by so much from a confidence on, where they start on its first rung.
fn late(route: &mut Menu, rung: usize, from: u16, by: i128) {
    for step in route.steps[rung].iter_mut().take(usize::from(from) + 1) {
        step.late += by;
    }
}

#[test]
fn what_is_late_is_had_at_no_price_and_does_not_stay_though_it_is_in_force() {
    let mut route = menu(&[(500, 100, 1), (800, 100, 1)], given(1000, 900));
    route.applied.push(per_mille(700));
    // Those of a confidence of 800 are late, and in time again with those of 500.
    late(&mut route, 0, 800, 10);
    late(&mut route, 0, 500, -10);
    for (goal, at) in [(Goal::Quality(0), 500), (Goal::Quality(899), 1000), (Goal::Cost(950), 500)] {
        let found = optimise(std::slice::from_ref(&route), goal);
        let to = found.choice.thresholds[0][0].get();
        assert_eq!((to, found.is_feasible), (at, true), "{goal:?}");
    }
    // Where every setting is late, that is all the same: whoever asked is told.
    route.base.late = 1000;
    let found = optimise(std::slice::from_ref(&route), Goal::Quality(899));
    assert_eq!(found.choice.outcome, Outcome { cost: 900, quality: 899, late: 1010 });
}

/// Neither threshold moved by itself is in time, and both together are.
#[test]
fn thresholds_that_are_in_time_only_together_are_found() {
    let mut seed = 5;
    let (mut near, mut tried) = (0, 0);
    for world in 0..40 {
        let mut route = worlds(&mut seed).swap_remove(0);
        let second = worlds(&mut seed).swap_remove(0).steps.swap_remove(0);
        route.steps.push(second);
        route.base.late = 30;
        for rung in 0..2 {
            for at in 0..8u16 {
                late(&mut route, rung, at * 120 + 50, i128::from(drawn(&mut seed, 40)) - 20);
            }
        }
        let every: Vec<Outcome> = (0..=1000u16)
            .step_by(10)
            .flat_map(|upper| (0..=upper).step_by(10).map(move |lower| [per_mille(upper), per_mille(lower)]))
            .map(|setting| route.outcome(&setting))
            .collect();
        let in_time = || every.iter().filter(|one| one.late <= 0);
        let Some(best) = in_time().map(|one| one.quality).max() else { continue };
        let low = in_time().map(|one| one.cost).min().unwrap_or(0);
        let found = optimise(std::slice::from_ref(&route), Goal::Cost(i128::MAX / 4));
        assert!(found.choice.outcome.late <= 0, "{world}: {:?}", found.choice);
        let thresholds = &found.choice.thresholds[0];
        assert!(thresholds[0] >= thresholds[1], "{thresholds:?}");
        tried += 1;
        near += u32::from(found.choice.outcome.quality * 100 >= best * 95);
        assert!(found.choice.outcome.quality + found.gap >= best, "{world}: the gap is a bound");
        let least = optimise(std::slice::from_ref(&route), Goal::Quality(i128::MIN / 4));
        assert!(least.choice.outcome.late <= 0 && least.choice.outcome.cost >= low, "{world}");
    }
    assert!(tried > 20 && near * 10 >= tried * 8, "{near} of {tried} within a twentieth of the best");
}

#[test]
fn a_floor_is_kept_and_a_setting_that_is_as_good_stays() {
    let mut route = menu(&[(500, 100, 1), (800, 100, 1)], given(1000, 900));
    route.floors.push(per_mille(600));
    route.applied.push(per_mille(700));
    let found = optimise(std::slice::from_ref(&route), Goal::Quality(0));
    assert_eq!(found.choice.thresholds[0][0].get(), 700, "700 and 601 to 800 give the same");
    assert_eq!(found.choice.outcome.cost, 900, "the saving at 500 lies below the floor");
    let found = optimise(&[route], Goal::Cost(850));
    assert!(!found.is_feasible);
}

#[test]
fn thresholds_of_more_rungs_stay_in_order() {
    let mut seed = 9;
    let mut route = worlds(&mut seed).swap_remove(0);
    let second = worlds(&mut seed).swap_remove(0).steps.swap_remove(0);
    route.steps.push(second);
    let every: Vec<Outcome> = (0..=1000u16)
        .step_by(10)
        .flat_map(|upper| (0..=upper).step_by(10).map(move |lower| [per_mille(upper), per_mille(lower)]))
        .map(|setting| route.outcome(&setting))
        .collect();
    let low = every.iter().map(|one| one.cost).min().unwrap_or(0);
    for more in [0, 300, 900, 2000] {
        let best = every.iter().filter(|one| one.cost <= low + more).map(|one| one.quality).max();
        let found = optimise(std::slice::from_ref(&route), Goal::Cost(low + more));
        let thresholds = &found.choice.thresholds[0];
        assert!(thresholds[0] >= thresholds[1], "{thresholds:?}");
        assert!(found.choice.outcome.cost <= low + more);
        assert!(best.is_some_and(|best| found.choice.outcome.quality + found.gap >= best));
    }
}
