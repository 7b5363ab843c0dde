//! Estimates from explored requests, tried on drawn worlds whose true change is known.

use std::collections::VecDeque;

use super::simulated::Draws;
use super::{Estimate, Explored, OffPolicy, off_policy};
use crate::routing::{ExploreSpec, Policy, PolicySpec, Route, RouteId, RouteSpec, RungSpec, Rungs};
use crate::telemetry::{Lot, Lots};
use crate::units::{Names, PerMille, Pico};

const WORLDS: u64 = 500;
const REQUESTS: u64 = 8000;

fn route(threshold: i64, share: i64) -> Route {
    let rung = |model: &str, threshold| RungSpec { model: model.into(), threshold, ..RungSpec::default() };
    let route = RouteSpec {
        name: "r".into(),
        ladder: vec![rung("cheap", Some(threshold)), rung("strong", None)],
        explore: Some(ExploreSpec { share, below: Some(60), above: None }),
        ..RouteSpec::default()
    };
    let spec = PolicySpec { routes: vec![route], ..PolicySpec::default() };
    Policy::compile(&spec, 1, &mut Names::default()).unwrap().route(RouteId(0)).clone()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made up above zero, and small")]
fn whole(number: f64) -> u64 {
    number as u64
}

/// A world under a threshold of 620, and what 590 would truly have changed in it: cost in dollars, quality on average.
fn world(draws: &mut Draws, share: u64, judged: f64, bad: f64) -> (Lots, f64, f64) {
    let (mut rows, mut sure) = (VecDeque::new(), vec![0; PerMille::VALUES]);
    let (mut cost, mut quality) = (0.0, 0.0);
    for _ in 0..REQUESTS {
        let confidence = 500 + draws.next() % 200;
        let value = PerMille::clamped(i64::try_from(confidence).unwrap());
        // Longer requests are less sure, and lengths have a heavy tail.
        let length = 600.0 * (-draws.chance().max(1e-9).ln()).powf(1.5);
        let prompt = u32::try_from(whole(length)).unwrap() + 50;
        let spent =
            |draws: &mut Draws, per: f64| f64::from(prompt) * per * (0.5 + 2.0 * draws.chance().powi(3));
        let each = [spent(draws, 1e-7), spent(draws, 4e-6)];
        let doubt = (700 - confidence) as f64 / 200.0;
        let good = [draws.chance() >= bad * 2.0 * doubt, draws.chance() >= bad / 4.0];
        if (590..620).contains(&confidence) {
            cost += each[0] - each[1];
            quality += f64::from(i8::from(good[0]) - i8::from(good[1]));
        }
        if !(560..620).contains(&confidence) {
            sure[value.bin()] += 1;
            continue;
        }
        let start = usize::from(draws.next() % 1000 >= share);
        rows.push_back(Lot {
            confidence: value,
            open: Rungs::all(2),
            start: u8::try_from(start).unwrap(),
            fold: u8::try_from(draws.next() % 5).unwrap(),
            prompt,
            cost: Some(Pico(i128::from(whole(each[start] * 1e12)))),
            quality: (draws.chance() < judged)
                .then(|| if good[start] { PerMille::ONE } else { PerMille::ZERO }),
        });
    }
    (Lots::new(rows, sure), cost, quality / REQUESTS as f64)
}

fn estimated(lots: &Lots, share: i64, to: i64) -> OffPolicy {
    let (logged, tried) = (route(620, share), route(to, share));
    let one = Explored { lots, logged: &logged, tried: &tried, requests: REQUESTS };
    off_policy(std::iter::once(one)).expect("lots were drawn")
}

/// An interval that says 95% and covers less would have operators trust what was not seen.
#[test]
fn intervals_cover_what_they_say() {
    for (share, judged, bad) in [(150, 1.0, 0.02), (200, 0.8, 0.1), (500, 0.5, 0.3)] {
        let mut draws = Draws(share);
        let (mut told, mut covered, mut bias, mut width) = ([0u64; 2], [0u64; 2], [0.0; 2], [0.0; 2]);
        for _ in 0..WORLDS {
            let (lots, cost, quality) = world(&mut draws, share, judged, bad);
            let found = estimated(&lots, i64::try_from(share).unwrap(), 590);
            for (at, (estimate, truth)) in
                [(found.cost, cost), (found.quality, quality)].into_iter().enumerate()
            {
                let Estimate::Told { change, half, .. } = estimate else { continue };
                told[at] += 1;
                covered[at] += u64::from((change - truth).abs() <= half);
                bias[at] += change - truth;
                width[at] += half;
            }
        }
        for at in 0..2 {
            let rate = covered[at] as f64 / told[at] as f64;
            println!(
                "share {share}, judged {judged}, bad {bad}: {} told, {rate:.3} covered, bias over half width {:.3}",
                told[at],
                bias[at] / width[at]
            );
            assert!(told[at] > WORLDS / 2, "{told:?} of {WORLDS} worlds tell anything");
            // Three standard errors of a rate of .95 below it.
            assert!(rate >= 0.95 - 3.0 * (0.95 * 0.05 / told[at] as f64).sqrt(), "{rate} of {}", told[at]);
            assert!(
                (bias[at] / width[at]).abs() < 0.1,
                "the estimate leans to one side: {bias:?} of {width:?}"
            );
        }
    }
}

#[test]
fn too_little_is_refused_with_what_is_missing_and_what_was_never_explored_is_marked() {
    let (lots, ..) = world(&mut Draws(7), 20, 1.0, 0.05);
    let found = estimated(&lots, 20, 590);
    let Estimate::Short { effective, more, requests } = found.cost else { panic!("{found:?}") };
    assert!(
        effective < 100 && effective + more >= 99 && requests.is_some_and(|more| more > REQUESTS),
        "{found:?}"
    );
    assert_eq!((found.uncovered, found.unexplored.len()), (0, 0), "all of it lies in the band");
    let wider = estimated(&lots, 20, 480);
    let seen: u64 = lots.sure().filter(|(at, _)| at.get() < 560).map(|(_, count)| u64::from(count)).sum();
    assert_eq!((wider.uncovered, wider.unexplored.len()), (seen, 1), "{wider:?}");
    assert_eq!((wider.unexplored[0].0.get(), wider.unexplored[0].1.get()), (500, 600));
    assert_eq!(estimated(&lots, 20, 620).cost, Estimate::Nothing);
}
