//! What would break: arithmetic that overflows or drifts, lessons that depend on who told them first, memory that grows.

use proptest::prelude::*;

use super::{Advice, Context, KEPT, LATE, Learners, Memory, Offer, Pending, SETTLES, Terms, key_of};
use crate::units::{Instant, ModelId, PerMille, Pico, Span};

fn per_mille(value: u16) -> PerMille {
    PerMille::new(value).unwrap()
}

fn terms(forgetting: u16) -> Terms {
    Terms { alpha: 1000, forgetting: per_mille(forgetting), least: 1 }
}

/// The same in floats, by elimination.
fn by_float(lessons: &[(u64, [f64; 3], f64)], arm: u64, x: [f64; 3], forgetting: f64) -> (f64, f64) {
    let mut a = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    let mut b = [0.0; 3];
    let weights = || (0..lessons.len()).map(|age| forgetting.powi(i32::try_from(age).unwrap()));
    let mean = lessons.iter().rev().zip(weights()).map(|(lesson, weight)| lesson.2 * weight).sum::<f64>()
        / weights().sum::<f64>();
    for (age, (_, x, reward)) in lessons.iter().rev().enumerate().filter(|(_, lesson)| lesson.0 == arm) {
        let weight = forgetting.powi(i32::try_from(age).unwrap());
        for i in 0..3 {
            b[i] += weight * (reward - mean) * x[i];
            for j in 0..3 {
                a[i][j] += weight * x[i] * x[j];
            }
        }
    }
    let solve = |mut a: [[f64; 3]; 3], mut y: [f64; 3]| {
        for i in 0..3 {
            let (row, value) = (a[i], y[i]);
            for j in (0..3).filter(|j| *j != i) {
                let factor = a[j][i] / row[i];
                a[j].iter_mut().zip(row).for_each(|(one, other)| *one -= factor * other);
                y[j] -= factor * value;
            }
        }
        [y[0] / a[0][0], y[1] / a[1][1], y[2] / a[2][2]]
    };
    let dot = |u: [f64; 3], v: [f64; 3]| u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>();
    (mean + dot(solve(a, b), x), dot(solve(a, x), x).sqrt() * 1000.0)
}

fn figures(confidence: u16, tokens: u32) -> [f64; 3] {
    let confidence = i32::from(confidence) * 128 / 1000;
    let length = i32::try_from(32 - tokens.leading_zeros()).unwrap().min(20) * 128 / 20;
    [1.0, f64::from(confidence - 64) / 128.0, f64::from(length - 64) / 128.0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever reads an estimate would else read one that floats, or another machine, would not give.
    #[test]
    fn whole_numbers_give_what_floats_give(
        lessons in prop::collection::vec((0u64..3, 0u16..=1000, 0u32..2_000_000, -4000i32..=1000), 1..300),
        confidence in 0u16..=1000, tokens in 0u32..2_000_000, forgetting in 950u16..=1000,
    ) {
        let mut memory = Memory::default();
        let mut told = Vec::new();
        for (arm, confidence, tokens, reward) in lessons {
            memory.learn(arm, Context::of(per_mille(confidence), tokens), reward);
            told.push((arm, figures(confidence, tokens), f64::from(reward)));
        }
        let arms = [(0, 0), (1, 1), (2, 2), (3, 9)];
        let at = Context::of(per_mille(confidence), tokens);
        for Offer { rung, estimate, bonus } in memory.offers(terms(forgetting), &arms, at) {
            let arm = arms[usize::from(rung)].1;
            let gamma = f64::from(forgetting) / 1000.0;
            let (wanted, width) = by_float(&told, arm, figures(confidence, tokens), gamma);
            prop_assert!((f64::from(estimate) - wanted).abs() < 12.0, "{estimate} for {wanted}");
            prop_assert!((f64::from(bonus) - width).abs() < 6.0, "{bonus} for {width}");
        }
    }

    /// A restart that reads the past again in another order would else decide otherwise.
    #[test]
    fn it_makes_no_difference_who_told_first(
        mut lessons in prop::collection::vec((0i64..5_000_000, 0u16..=1000), 2..40),
    ) {
        let taught = |lessons: &[(usize, (i64, u16))]| {
            let mut learners = Learners::default();
            for (order, (at, quality)) in lessons {
                learners.teach(&pending(*order as u64, *at), per_mille(*quality), Instant(*at));
            }
            learners.reach(Instant(9_000_000));
            learners.memory(7).cloned()
        };
        lessons.sort_unstable();
        let mut told: Vec<_> = lessons.into_iter().enumerate().collect();
        let straight = taught(&told);
        told.reverse();
        prop_assert_eq!(straight, taught(&told));
    }
}

fn pending(order: u64, end: i64) -> Pending {
    Pending {
        route: 7,
        arm: 1,
        context: Context::of(per_mille(500), 1000),
        cost: Pico(1_000_000_000),
        worth: Pico(10_000_000_000),
        model: ModelId(3),
        end: Instant(end),
        order,
    }
}

#[test]
fn the_largest_sums_there_can_be_do_not_overflow() {
    let mut memory = Memory::default();
    for _ in 0..KEPT + 10 {
        memory.learn(0, Context::of(PerMille::ONE, u32::MAX), -4000);
    }
    assert_eq!(memory.len(), KEPT);
    let at = Context::of(PerMille::ONE, u32::MAX);
    let offers = memory.offers(terms(1000), &[(0, 0)], at);
    assert!((-4000..=-3990).contains(&offers[0].estimate), "{offers:?}");
    let other = Context::of(PerMille::ZERO, 0);
    let far = memory.offers(terms(1000), &[(0, 0)], other);
    assert!(far[0].bonus > offers[0].bonus, "what was not seen is less sure: {far:?}");
}

#[test]
fn what_got_worse_is_forgotten() {
    let mut memory = Memory::default();
    let at = Context::of(per_mille(500), 1000);
    let estimate =
        |memory: &mut Memory, forgetting| memory.offers(terms(forgetting), &[(0, 0)], at)[0].estimate;
    (0..1000).for_each(|_| memory.learn(0, at, 900));
    (0..300).for_each(|_| memory.learn(0, at, 100));
    let (forgets, remembers) = (estimate(&mut memory, 990), estimate(&mut memory, 1000));
    assert!(forgets < 200 && remembers > 650, "{forgets} against {remembers}");
    (0..300).for_each(|_| memory.learn(1, at, 500));
    let faded = memory.offers(terms(980), &[(0, 0)], at)[0];
    assert!(faded.bonus > 500, "who has not been tried for long is unsure again: {faded:?}");
}

#[test]
fn a_lesson_counts_once_it_has_settled_and_an_answer_teaches_once() {
    let mut learners = Learners::default();
    let end = Instant(1_000_000);
    learners.await_verdict(5, pending(1, end.0));
    learners.judged(5, PerMille::ONE, Instant(2_000_000), |model| model == ModelId(4));
    assert_eq!(learners.pending(), 1, "a verdict on another model's answer says nothing of this one");
    learners.judged(5, PerMille::ONE, Instant(2_000_000), |model| model == ModelId(3));
    learners.judged(5, PerMille::ZERO, Instant(2_500_000), |model| model == ModelId(3));
    learners.reach(Instant(2_000_000) + SETTLES + Span(-1));
    assert!(learners.memory(7).is_none_or(Memory::is_empty));
    learners.reach(Instant(2_000_000) + SETTLES);
    assert_eq!(learners.memory(7).unwrap().len(), 1);
    let advice = learners.advise(7, Terms { least: 2, ..terms(997) }, &[(0, 1)], pending(1, 0).context);
    assert_eq!(advice, Advice::Few { seen: 1, least: 2 });
}

#[test]
fn answers_that_nobody_judges_do_not_pile_up() {
    let mut learners = Learners::default();
    (0..LATE * 2).for_each(|n| learners.await_verdict(n, pending(n, 0)));
    assert_eq!(learners.pending() as u64, LATE);
}

#[test]
fn what_a_log_says_is_read_as_it_was_written() {
    let offers =
        vec![Offer { rung: 0, estimate: -512, bonus: 40 }, Offer { rung: 2, estimate: 603, bonus: 0 }];
    for advice in [Advice::Of(offers), Advice::Few { seen: 3, least: 50 }] {
        assert_eq!(Advice::parse(&advice.word().unwrap()), Some(advice));
    }
    assert_eq!(Advice::None.word(), None);
    for word in ["adapt:", "adapt:1", "adapt:1=2", "adapt:x/3", "gpt-4.1"] {
        assert_eq!(Advice::parse(word), None, "{word}");
    }
    assert!(key_of("a") != key_of("b"));
}
