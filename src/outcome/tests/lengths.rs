//! What a log's calls teach of models: how long they take, how long they write, how their tokens compare.

use super::*;
use crate::classifier::TaskClass;
use crate::units::Millis;

/// Fits what so many calls of a model show.
fn fitted(calls: impl IntoIterator<Item = Observed>) -> Profiles {
    let (prices, mut fit) = (prices(), ProfileFit::default());
    for served in calls {
        let operation = Operation { served, ..Operation::default() };
        fit.add(&Evidence { operation: &operation, extra: None }, &prices);
    }
    fit.finish()
}

fn timed(model: ModelId, output: u64, millis: u64) -> Observed {
    Observed { latency: Millis::new(millis), ..call(model, plain(100, output)) }
}

#[test]
fn latency_is_what_it_takes_to_begin_and_what_each_token_takes() {
    let profiles = fitted((1..=20).map(|n| timed(SMALL, n * 10, 300 + n * 70)));
    let after = |model, tokens| profiles.latency(model, Count::new(tokens).unwrap()).get();
    assert_eq!(
        [after(SMALL, 0), after(SMALL, 100), after(SMALL, 1_000)],
        [Some(300), Some(1_000), Some(7_300)]
    );
    assert_eq!(after(LARGE, 100), None, "of a model that was not seen nothing is known");
    assert_eq!(profiles.latency(SMALL, Count::UNKNOWN), Millis::UNKNOWN);
}

#[test]
fn too_few_calls_failures_and_silence_teach_nothing_of_latency() {
    let after = |calls: Vec<Observed>| fitted(calls).latency(SMALL, Count::new(100).unwrap()).get();
    let made = |n: u64| (1..=n).map(|n| timed(SMALL, n * 10, 300 + n * 70));
    assert_eq!(after(made(19).collect()), None);
    assert_eq!(after(made(20).collect()), Some(1_000));
    let failed = |one: Observed| Observed { status: crate::routing::Status::Timeout, ..one };
    assert_eq!(after(made(20).map(failed).collect()), None);
    let silent = |one: Observed| Observed { latency: Millis::UNKNOWN, ..one };
    assert_eq!(after(made(20).map(silent).collect()), None);
    let mixed = made(20).chain(made(40).map(silent)).chain(made(40).map(failed));
    assert_eq!(after(mixed.collect()), Some(1_000), "they do not count among those timed");
}

#[test]
fn answers_of_one_length_take_their_mean_and_no_time_runs_backwards() {
    let flat = fitted((0..20).map(|n| timed(SMALL, 50, 400 + n % 2 * 200)));
    assert_eq!(flat.latency(SMALL, Count::new(9_000).unwrap()).get(), Some(500));
    let falling = fitted((1..=20).map(|n| timed(SMALL, n * 10, 3_000 - n * 100)));
    assert_eq!(
        falling.latency(SMALL, Count::new(9_000).unwrap()).get(),
        Some(1_950),
        "longer is never faster"
    );
    let steep = fitted((1..=20).map(|n| timed(SMALL, n * 10, n * n * 10)));
    assert_eq!(steep.latency(SMALL, Count::ZERO).get(), Some(0), "nothing takes less than no time");
}

#[test]
fn the_spread_of_answers_is_their_standard_deviation_or_that_of_all() {
    // Half 40, half 160: 60 from their mean.
    let lengths = |model| (0..20).map(move |n| call(model, plain(100, if n % 2 == 0 { 40 } else { 160 })));
    let profiles = fitted(lengths(SMALL));
    assert_eq!(profiles.output_spread(SMALL), 60);
    assert_eq!(profiles.output_spread(LARGE), 60, "of a model hardly seen, that of all");
    let both = fitted(lengths(SMALL).chain((0..20).map(|_| call(LARGE, plain(100, 100)))));
    assert_eq!((both.output_spread(SMALL), both.output_spread(LARGE)), (60, 0));
    assert_eq!(fitted([]).output_spread(SMALL), 0);
    assert_eq!(fitted(lengths(LARGE_BY_DATE)).output_spread(LARGE), 60, "one model under all its names");
}

/// Of a log in which both models answered the same requests, an estimate would else be called as unsure as if nobody had.
#[test]
fn where_both_answers_are_known_the_spread_is_what_one_leaves_open_of_the_other() {
    let wrote = |pairs: u64, large: fn(u64) -> u64| {
        let (prices, mut fit) = (prices(), ProfileFit::default());
        for n in 0..400u64 {
            let small = 40 + n * 37 % 120;
            let label = ModelLabel {
                model: LARGE,
                quality: None,
                output: u32::try_from(large(small)).ok(),
                source: crate::outcome::LabelSource::Person,
            };
            let labels = if n < pairs { vec![label] } else { Vec::new() };
            let extra = Extra { labels, ..Extra::default() };
            let operation = Operation { served: call(SMALL, plain(100, small)), ..Operation::default() };
            fit.add(&Evidence { operation: &operation, extra: Some(&extra) }, &prices);
        }
        fit.finish().output_spread(SMALL)
    };
    let alone = wrote(0, |small| small);
    assert_eq!(alone, 34, "that of its answers: 120 lengths side by side");
    let alike = wrote(400, |small| 2 * small);
    assert!(alike * 10 < alone * 5, "twice as long each time leaves little open: {alike} of {alone}");
    let strangers = wrote(400, |small| small * 7_919 % 120);
    assert!(strangers > alone * 11 / 10, "what has nothing to do with it leaves more: {strangers}");
    let few = wrote(10, |small| 2 * small);
    assert!((alone * 8 / 10..=alone * 12 / 10).contains(&few), "a handful tells little: {few}");
}

#[test]
fn the_spread_of_prompts_is_a_tokenizers_or_that_of_the_models_own() {
    let prompts = |n: u64| call(LARGE, plain(if n.is_multiple_of(2) { 400 } else { 1_600 }, 10));
    let profiles = fitted((0..20).map(prompts));
    let spread = |model, thousandths: i128| {
        let scale = Scale { ratio: ONE_WHOLE * thousandths / 1_000, ..Scales::SAME.prompt };
        profiles.prompt_spread(model, scale, 5_000)
    };
    assert_eq!([spread(LARGE, 700), spread(LARGE, 1_000), spread(LARGE, 1_400)], [500; 3], "the same text");
    assert_eq!([spread(LARGE, 690), spread(LARGE, 1_410)], [600; 2], "other texts");
    assert_eq!(spread(SMALL, 2_000), 600, "that of all, where its own are unknown");
    let none = fitted([]).prompt_spread(SMALL, Scale { ratio: 0, ..Scales::SAME.prompt }, 5_000);
    assert_eq!(none, 500);
}

/// The whole, as scales count.
const ONE_WHOLE: i128 = super::super::habits::ONE;

/// Both did the same kind of work, one with twice the prompt and thrice the answer.
#[test]
fn two_models_are_compared_by_what_they_did_of_one_kind() {
    let pairs = |class: TaskClass, small: (u64, u64), large: (u64, u64)| {
        (0..400u64).flat_map(move |n| {
            let jitter = n % 5;
            [(SMALL, small), (LARGE, large)].map(|(model, (prompt, answer))| Operation {
                served: call(model, plain(prompt + jitter, answer + jitter)),
                class,
                ..Operation::default()
            })
        })
    };
    let compared = |operations: &mut dyn Iterator<Item = Operation>| {
        let (prices, mut fit) = (prices(), ProfileFit::default());
        for operation in operations {
            fit.add(&Evidence { operation: &operation, extra: None }, &prices);
        }
        fit.finish()
    };
    let near =
        |found: i128, wanted: i128| (found - wanted * ONE_WHOLE / 100).abs() < ONE_WHOLE * wanted / 100 / 4;
    let mut one = pairs(TaskClass::ALL[1], (1_000, 100), (2_000, 300));
    let known = compared(&mut one);
    let there = known.scales(SMALL, LARGE, TaskClass::ALL[1]);
    assert!(near(there.prompt.ratio, 200) && near(there.answer.ratio, 300), "{there:?}");
    let back = known.scales(LARGE, SMALL, TaskClass::ALL[1]);
    assert!(near(back.prompt.ratio, 50) && near(back.answer.ratio, 33), "{back:?}");
    let other = known.scales(SMALL, LARGE, TaskClass::ALL[2]);
    assert!(near(other.prompt.ratio, 200), "work that neither did is taken for like the rest: {other:?}");
    assert!(other.prompt.deviation > there.prompt.deviation, "and is less sure");
    let nobody = known.scales(SMALL, ModelId(9), TaskClass::ALL[1]);
    assert_eq!(nobody.prompt, Scale { ratio: ONE_WHOLE, deviation: 150_000 }, "nothing is known of either");
    let same = known.scales(SMALL, SMALL, TaskClass::ALL[1]);
    assert_eq!(same.prompt, Scales::SAME.prompt, "the same model reads the same prompt");

    // Two kinds of work, with other lengths: each kind by itself, and over all as the first one's share of each.
    let mut two = pairs(TaskClass::ALL[1], (1_000, 100), (2_000, 300)).chain(pairs(
        TaskClass::ALL[2],
        (3_000, 50),
        (3_000, 50),
    ));
    let known = compared(&mut two);
    let [first, second, unseen] =
        [1, 2, 3].map(|at| known.scales(SMALL, LARGE, TaskClass::ALL[at]).prompt.ratio);
    assert!(near(first, 200) && near(second, 100), "{first} {second}");
    assert!(near(unseen, 125), "2000 and 3000 beside 1000 and 3000: {unseen}");
}
