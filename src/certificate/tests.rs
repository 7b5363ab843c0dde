//! Golden values are `SciPy` 1.17.1's, or plain `NumPy`'s for the betting, computed once.

use std::sync::Arc;

use super::tails::{betting, hoeffding_bentkus};
use super::{
    Alarm, Drift, Given, Judge, Kept, Label, Loss, Losses, Promise, Reference, Scope, Spread, Steps, Terms,
    Watch, Withdrawn, certify, needed, needed_at_rate,
};
use crate::calibration::special::binomial_at_most;
use crate::units::{Instant, PerMille, Span};

fn per_mille(value: u16) -> PerMille {
    PerMille::new(value).unwrap_or_default()
}

fn near(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() <= wanted.abs() * 1e-9
}

fn promise(epsilon: f64) -> Promise {
    Promise {
        epsilon,
        delta: 0.05,
        scope: Scope::All,
        loss: Loss::Acceptable(per_mille(500)),
        from: None,
        judge: None,
    }
}

/// So many labels of a confidence, of which some fail.
fn group(confidence: u16, n: u16, failures: u16) -> impl Iterator<Item = Label> {
    let cheap = move |at| if at < failures { PerMille::ZERO } else { PerMille::ONE };
    (0..n).map(move |at| Label::fair(per_mille(confidence), cheap(at), PerMille::ONE))
}

#[test]
fn so_many_failures_are_allowed_as_the_tables_say() {
    let allowed =
        |epsilon: f64, n: u64| (0..n).take_while(|&k| binomial_at_most(k, n, epsilon) <= 0.05).last();
    for (epsilon, wanted) in [
        (0.01, [None, Some(0), Some(1), Some(4), Some(12), Some(38)]),
        (0.02, [Some(0), Some(1), Some(4), Some(12), Some(29), Some(83)]),
        (0.05, [Some(4), Some(8), Some(16), Some(38), Some(83), Some(224)]),
    ] {
        assert_eq!([200, 300, 500, 1000, 2000, 5000].map(|n| allowed(epsilon, n)), wanted, "{epsilon}");
    }
    for (epsilon, n0) in [(0.01, 299), (0.02, 149), (0.03, 99), (0.05, 59), (0.10, 29)] {
        assert_eq!(needed(0, 0, epsilon, 0.05), Some(n0), "{epsilon}");
    }
}

#[test]
fn the_lowest_threshold_before_the_first_failure_is_certified() {
    let labels: Vec<Label> =
        [group(900, 500, 3), group(700, 300, 5), group(600, 100, 20), group(300, 100, 0)]
            .into_iter()
            .flatten()
            .collect();
    let found = certify(&labels, &promise(0.02));
    let certified = found.certified.unwrap_or_else(|| panic!("{found:?}"));
    // 8 of 1,000 pass; the whole group at 600 fails together; what lies below is never looked at.
    assert_eq!((certified.threshold.get(), certified.n, certified.failures), (601, 1000, 8));
    assert!(certified.p_value <= 0.05 && certified.bound <= 0.02 && certified.needed == Some(0));
    let failed = found.failed.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!((failed.threshold.get(), failed.failures, failed.needed_at_rate), (600, 28, None));
    assert_eq!(failed.needed, needed(28, 1000, 0.02, 0.05));
    assert!(binomial_at_most(28, 1000 + failed.needed.unwrap_or(0), 0.02) <= 0.05);
}

#[test]
fn too_few_labels_certify_nothing_and_say_how_many_are_missing() {
    let labels: Vec<Label> = group(800, 100, 0).collect();
    let found = certify(&labels, &promise(0.02));
    assert_eq!(found.certified, None);
    let failed = found.failed.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!((failed.threshold.get(), failed.n, failed.needed), (1000, 100, Some(49)));
    assert_eq!(certify(&[], &promise(0.02)).failed.and_then(|test| test.needed), Some(149));
    assert_eq!(needed_at_rate(1, 100, 0.02, 0.05).map(|more| more > 400), Some(true));
    assert_eq!(needed_at_rate(3, 100, 0.02, 0.05), None, "a rate above epsilon is never certified");
}

#[test]
fn all_traffic_is_certified_where_nothing_fails() {
    let labels: Vec<Label> = group(10, 150, 0).collect();
    let found = certify(&labels, &promise(0.02));
    assert_eq!(found.certified.map(|test| test.threshold), Some(PerMille::ZERO));
    assert_eq!(found.failed, None);
}

#[test]
fn a_loss_needs_an_acceptable_strong_answer() {
    let label = |cheap, strong| Label::fair(PerMille::ONE, per_mille(cheap), per_mille(strong));
    let loss = Loss::Acceptable(per_mille(500));
    assert_eq!(loss.of(&label(0, 1000)), PerMille::ONE);
    assert_eq!(loss.of(&label(499, 500)), PerMille::ONE);
    assert_eq!(loss.of(&label(500, 1000)), PerMille::ZERO);
    assert_eq!(loss.of(&label(0, 499)), PerMille::ZERO, "neither would have done");
    assert_eq!(Loss::Graded.of(&label(300, 1000)), per_mille(700));
    assert_eq!(Loss::Graded.of(&label(900, 400)), PerMille::ZERO);
}

#[test]
fn graded_losses_have_the_published_chances() {
    assert!(near(hoeffding_bentkus(10.0, 1000, 0.02), 0.027_825_822_848_830_367));
    assert!(near(hoeffding_bentkus(0.0, 100, 0.02), 0.132_619_555_894_754_97));
    assert!(near(hoeffding_bentkus(12.5, 1000, 0.02), 0.174_584_681_044_046_84));
    let losses = (0..600).map(|at| match (at % 40, at % 25) {
        (7, _) => per_mille(500),
        (_, 3) => per_mille(250),
        _ => PerMille::ZERO,
    });
    let found = betting(losses, 600, (0.05, 0.05), 1e-300);
    assert!(near(found, 3.648_107_654_158_939_7e-6), "{found}");
}

/// Bets are won or lost in an order, and a file that has its bad answers at the end was certified for what came before them.
#[test]
fn graded_promises_do_not_depend_on_how_a_file_is_sorted() {
    let worse = Label::fair(per_mille(700), per_mille(200), PerMille::ONE);
    let good = Label::fair(per_mille(700), PerMille::ONE, PerMille::ONE);
    let graded = Promise { loss: Loss::Graded, ..promise(0.02) };
    let good_first = [vec![good; 400], vec![worse; 100]].concat();
    let good_last = [vec![worse; 100], vec![good; 400]].concat();
    for labels in [good_first, good_last] {
        let found = certify(&labels, &graded);
        // Above all confidences nothing is served, and nothing lost.
        assert_eq!(found.certified.map(|test| test.threshold.get()), Some(701), "{found:?}");
        let failed = found.failed.unwrap();
        assert!(failed.bound > 0.16 && failed.needed > Some(100), "{failed:?}");
    }
}

#[test]
fn served_requests_alone_can_be_promised() {
    let labels: Vec<Label> = [group(900, 100, 0), group(500, 900, 90)].into_iter().flatten().collect();
    let of_served = Promise { scope: Scope::Served, ..promise(0.05) };
    let found = certify(&labels, &of_served);
    let certified = found.certified.unwrap_or_else(|| panic!("{found:?}"));
    assert_eq!((certified.threshold.get(), certified.n), (501, 100));
    assert!((found.least_kept(0.05) - 0.04 / 0.95).abs() < 1e-12);
    // A start named ahead that too few reach is no certificate.
    let early = Promise { from: Some(per_mille(950)), ..of_served };
    assert_eq!(certify(&labels, &early).certified, None);
}

#[test]
fn what_a_judge_may_hide_is_taken_off_the_promise() {
    let labels: Vec<Label> = group(900, 1000, 0).collect();
    let with = |checked, wrong| {
        certify(&labels, &Promise { judge: Some(Judge { checked, wrong }), ..promise(0.02) })
    };
    assert!(with(2000, 2).certified.is_some());
    let short = with(100, 0);
    assert_eq!((short.certified, short.failed.and_then(|test| test.needed)), (None, None));
    assert!(short.hidden > 0.02);
}

#[test]
fn evidence_and_alarm_are_the_mixtures() {
    let mut steps = Steps::new(0.05, 0.05);
    (0..200).for_each(|at| steps.observe((PerMille::ONE, PerMille::ZERO), at == 50 || at == 120));
    assert!(near(-steps.p_value(PerMille::ONE).ln(), 3.938_844_708_900_978));
    assert_eq!((steps.n(), steps.certified()), (200, Some((PerMille::ZERO, 2))));
    let mut alarm = Alarm::new(0.05);
    for at in 0..200 {
        alarm.observe(if at > 150 && at % 4 == 0 { PerMille::ONE } else { PerMille::ZERO });
        assert!(at > 160 || !alarm.fires(0.05));
    }
    // From the start there is no case, since the change there is nearly one.
    assert!((alarm.log_wealth() - -1.555_775_614_628_842_6).abs() < 1e-9);
    for at in 0..40 {
        alarm.observe(if at % 3 == 0 { PerMille::ONE } else { PerMille::ZERO });
    }
    assert!(alarm.fires(0.05));
}

fn spread(confidences: impl IntoIterator<Item = u16>) -> Spread {
    let mut spread = Spread::default();
    confidences.into_iter().for_each(|confidence| spread.note(per_mille(confidence)));
    spread
}

/// So many of each tenth, in no order that means anything.
fn tenths(counts: [u16; 10]) -> Vec<u16> {
    let in_order: Vec<u16> = (0u16..)
        .zip(counts)
        .flat_map(|(bin, count)| (0..count).map(move |at| bin * 100 + at * 100 / count))
        .collect();
    (0..in_order.len()).map(|at| in_order[at * 619 % in_order.len()]).collect()
}

#[test]
fn drift_is_seen_by_the_chi_square_rule() {
    let even = spread((0..2000u32).map(|at| u16::try_from(at * 619 % 1000).unwrap()));
    let reference = Arc::new(Reference::new(&even, 1).unwrap_or_else(|| panic!("a reference")));
    let mut drift = Drift::new(Arc::clone(&reference), 1000);
    for round in 0..1000u32 {
        drift.observe(per_mille(u16::try_from(round * 619 % 1000).unwrap()));
    }
    let quiet = drift.read();
    assert!(!quiet.has_drifted && quiet.psi < 1e-9 && quiet.ks < 0.01, "{quiet:?}");
    assert!(near(quiet.critical, 0.041_815_747_306_884_85));
    let shifted = [30, 60, 70, 110, 90, 100, 120, 110, 160, 150];
    for confidence in tenths(shifted) {
        drift.observe(per_mille(confidence / 100 * 100 + 50));
    }
    let found = drift.read();
    assert!(near(found.psi, 0.170_491_082_620_313_3) && near(found.ks, 0.19), "{found:?}");
    assert!(found.has_drifted && found.n == 1000, "a thousand are looked at, however many came");
    let mut short = Drift::new(reference, 1000);
    (0..499).for_each(|_| short.observe(PerMille::ZERO));
    assert!(!short.read().has_drifted, "fewer than 500 say nothing");
    assert_eq!(Reference::new(&spread(0..10), 1), None);
    assert_eq!(Reference::new(&spread([700; 900]), 1), None, "what is all alike has no spread");
}

/// What moves evenly over all tenths fills none of them much more, and D alone tells. Where confidences come in order, as a batch
/// that is sorted, the same D is nothing that the traffic did not do before.
#[test]
fn drift_that_the_index_misses_is_seen_by_d_unless_confidences_come_in_order() {
    let moved = tenths([78, 78, 78, 78, 78, 122, 122, 122, 122, 122]);
    let many = |order: fn(u32) -> u32| spread((0..20_000).map(|at| u16::try_from(order(at)).unwrap()));
    let looked = |spread: &Spread| {
        let mut drift = Drift::new(Arc::new(Reference::new(spread, 8).unwrap()), 1000);
        for confidence in &moved {
            drift.observe(per_mille(*confidence));
        }
        drift.look()
    };
    let mixed = looked(&many(|at| at * 619 % 1000));
    assert!(mixed.psi < 0.05 && mixed.ks > 0.1, "{mixed:?}");
    let critical = mixed.ks_critical.unwrap();
    // By hand: ln(4 / (.001/8)) and, at the first look, ln(4 / (.001/16)); twenty blocks of the window are alike as chance has it.
    let by_chance = (32_000f64.ln() / 40_000.0).sqrt() + (64_000f64.ln() / 2000.0).sqrt();
    assert!((by_chance..by_chance * 1.3).contains(&critical), "{critical} beside {by_chance}");
    assert!(mixed.ks > critical.max(0.1) && mixed.has_drifted, "{mixed:?}");
    let ordered = looked(&many(|at| at * 4 % 1000));
    assert!((ordered.ks - mixed.ks).abs() < 0.01, "{ordered:?}");
    assert!(ordered.ks_critical.is_none_or(|critical| critical > 0.4), "{ordered:?}");
    assert!(ordered.critical > 10.0 * mixed.critical, "nor would the index tell: {ordered:?}");
    // Between two looks it says what the next one goes by, which is less.
    let mut again = Drift::new(Arc::new(Reference::new(&many(|at| at * 619 % 1000), 8).unwrap()), 1000);
    for confidence in &moved {
        again.observe(per_mille(*confidence));
    }
    let (first, second) = (again.look(), again.read());
    assert!(second.ks_critical > first.ks_critical);
}

#[test]
fn confidences_that_hold_less_than_before_are_evidence_and_those_that_hold_more_are_none() {
    let mut before = Losses::default();
    let as_before = |confidence: u32| confidence * 7 % 1000 > confidence;
    (0..1000).for_each(|at| before.note(per_mille(u16::try_from(at).unwrap()), as_before(at)));
    let tried = |is_lost: fn(u32) -> bool| {
        let mut kept = Kept::new(&before).unwrap();
        (0..600u32).position(|at| {
            let confidence = at * 619 % 1000;
            kept.observe(per_mille(u16::try_from(confidence).unwrap()), is_lost(confidence));
            kept.is_broken()
        })
    };
    assert_eq!(tried(as_before), None, "as often as before");
    assert_eq!(tried(|_| false), None, "nothing lost any more");
    let worse = tried(|_| true).expect("all of them, however sure");
    assert!(worse < 300, "{worse}");
    let few = Losses::default();
    assert_eq!(Kept::new(&few), None);
}

#[test]
fn evidence_for_all_thresholds_is_that_of_each_alone() {
    let mut steps = Steps::new(0.05, 0.05);
    // The same, of one threshold after the other: ten stakes on the loss being below epsilon, their wealths' mean.
    let stakes = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99].map(|share: f64| share / 0.95);
    let mut each = vec![[1.0; 10]; 1001];
    let mut state = 5u32;
    for _ in 0..600 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let confidence = per_mille(u16::try_from((state >> 16) % 1001).unwrap_or(0));
        let is_lost = (state >> 8) % 1000 < 300 - u32::from(confidence.get()) * 3 / 10;
        steps.observe((confidence, PerMille::ZERO), is_lost);
        for (threshold, wealths) in (0u16..).zip(&mut each) {
            let loss = if is_lost && confidence.get() >= threshold { 1.0 } else { 0.0 };
            wealths.iter_mut().zip(stakes).for_each(|(wealth, stake)| *wealth *= 1.0 + stake * (0.05 - loss));
        }
    }
    let wanted = each.iter().position(|wealths| wealths.iter().sum::<f64>() / 10.0 >= 20.0);
    assert_eq!(steps.certified().map(|(threshold, _)| threshold.bin()), wanted);
    let (threshold, losses) = steps.certified().unwrap_or_else(|| panic!("{steps:?}"));
    assert_eq!((losses, steps.needed(threshold)), (steps.losses_from(threshold), 0));
    assert!(steps.bound(threshold) <= 0.05 && steps.bound(threshold) > losses as f64 / 600.0);
    assert_eq!(Steps::new(0.02, 0.05).needed(PerMille::ONE), 212, "as many as the tables say");
}

/// A rung that was certified, at the second of its last label.
fn certified() -> (Watch, i64) {
    let mut watch = Watch::new(Terms::default());
    let mut second = 0;
    for at in 0..1000u16 {
        second += 1;
        let confidence = per_mille(at.wrapping_mul(7) % 1000);
        watch.arrive(Instant::from_secs(second), confidence);
        if at % 2 == 0 {
            let label = Label::fair(confidence, PerMille::ONE, PerMille::ONE);
            watch.judge(Instant::from_secs(second), &label);
        }
    }
    (watch, second)
}

#[test]
fn a_certificate_is_given_when_there_is_evidence_and_says_what_is_missing() {
    let watch = Watch::new(Terms::default());
    assert_eq!((watch.standing().given, watch.standing().needed), (None, 212));
    let standing = certified().0.standing();
    // The 212th label came with the 423rd request.
    assert_eq!(standing.given, Some(Given { at: Instant::from_secs(423), threshold: PerMille::ZERO }));
    assert_eq!((standing.n, standing.losses, standing.withdrawn), (500, 0, None));
    assert!(standing.bound < 0.02);
}

/// Beside "2 % lost, certified" the screen would else say that up to 3 % may be.
#[test]
fn what_a_certificate_proved_is_not_unsaid_while_it_stands() {
    let (mut watch, second) = certified();
    let mut now = Steps::new(0.02, 0.05);
    for _ in 0..500 {
        now.observe((per_mille(900), PerMille::ZERO), false);
    }
    let lost = Label::fair(per_mille(900), PerMille::ZERO, PerMille::ONE);
    let mut passed = false;
    let kept = Label::fair(per_mille(900), PerMille::ONE, PerMille::ONE);
    // One in sixty is lost: less than what is promised, and too much to prove that anew.
    for nth in 1..3000 {
        let is_lost = nth % 60 == 0;
        watch.judge(Instant::from_secs(second + nth), if is_lost { &lost } else { &kept });
        now.observe((per_mille(900), PerMille::ZERO), is_lost);
        let standing = watch.standing();
        let Some(given) = standing.given else { break };
        passed |= now.bound(given.threshold) > 0.02;
        assert!(standing.bound <= 0.02 && standing.p_value <= 0.05, "{standing:?}");
        assert!(watch.lost(given.threshold).1 <= 0.02);
        assert!(standing.losses > 0 || nth < 60);
    }
    assert!(passed, "evidence of the moment alone would say more");
}

#[test]
fn a_certificate_dies_of_losses_drift_age_and_what_it_rests_on() {
    let lost = Label::fair(per_mille(900), PerMille::ZERO, PerMille::ONE);
    let (mut watch, second) = certified();
    let mut losses = 0;
    while watch.standing().withdrawn.is_none() && losses < 100 {
        losses += 1;
        watch.judge(Instant::from_secs(second + losses), &lost);
    }
    assert!(losses < 20, "{losses}");
    let standing = watch.standing();
    assert_eq!(standing.withdrawn, Some((Instant::from_secs(second + losses), Withdrawn::Alarm)));
    assert_eq!(
        (standing.given, standing.n, standing.needed),
        (None, 0, 212),
        "what was known is no longer so"
    );

    let (mut watch, second) = certified();
    (0..1000).for_each(|at| watch.arrive(Instant::from_secs(second + at), per_mille(300)));
    assert_eq!(watch.standing().withdrawn.map(|(_, why)| why), Some(Withdrawn::Drift));

    let (mut watch, _) = certified();
    watch.arrive(Instant::from_secs(423) + Span::days(30), per_mille(500));
    assert_eq!(watch.standing().withdrawn, None);
    watch.arrive(Instant::from_secs(424) + Span::days(30), per_mille(500));
    assert_eq!(watch.standing().withdrawn.map(|(_, why)| why), Some(Withdrawn::Age));

    let (mut watch, second) = certified();
    watch.withdraw(Instant::from_secs(second), Withdrawn::Prices);
    assert_eq!(watch.standing().withdrawn, Some((Instant::from_secs(second), Withdrawn::Prices)));
    let mut fresh = Watch::new(Terms::default());
    fresh.withdraw(Instant::from_secs(1), Withdrawn::Model);
    assert_eq!(fresh.standing().withdrawn, None, "where none stood, none is withdrawn");
}
