//! What estimates rest on: labels, the usage that other models' tokens are taken from, the order of a loaded log.

mod held;
mod lengths;
mod weather;

use super::*;
use crate::pricing::{Cost, PriceBook, PriceRow, PriceTable, Rates, Tier, Usage};
use crate::routing::Circumstances;
use crate::units::{Count, Instant, ModelId, Names, PerMille, Pico, PicoPerMillion};

const SMALL: ModelId = ModelId(0);
const LARGE: ModelId = ModelId(1);
const LARGE_BY_DATE: ModelId = ModelId(2);

/// `small` at $1 and $2 for a million tokens, `large`, also by a dated name, at $3 and $4.
fn prices() -> PriceTable {
    let price = |usd: &str| PicoPerMillion::from_usd_per_million(usd).unwrap();
    let row = |input: &str, output: &str| PriceRow {
        standard: Rates {
            base: Tier { input: price(input), output: price(output), ..Tier::default() },
            above: vec![],
        },
        ..PriceRow::default()
    };
    let mut book = PriceBook::default();
    book.add_row("small", row("1", "2"));
    book.add_row("large", row("3", "4"));
    let mut names = Names::default();
    let ids = ["small", "large", "large-2026-04-14"].map(|name| names.intern_model(name));
    assert_eq!(ids, [SMALL, LARGE, LARGE_BY_DATE]);
    PriceTable::new(&book, &names)
}

fn call(model: ModelId, usage: Usage) -> Observed {
    Observed { usage, model, ..Observed::default() }
}

fn plain(input: u64, output: u64) -> Usage {
    Usage::plain(input, output).unwrap()
}

fn label(model: ModelId, output: Option<u32>) -> ModelLabel {
    ModelLabel { model, quality: PerMille::new(700), output, source: LabelSource::Told }
}

#[test]
fn a_label_is_that_of_the_model_under_any_of_its_names_and_of_no_other() {
    let prices = prices();
    let operation = Operation::default();
    let extra = Extra { labels: vec![label(LARGE_BY_DATE, Some(40))], ..Extra::default() };
    let evidence = Evidence { operation: &operation, extra: Some(&extra) };
    assert_eq!(evidence.label(LARGE, &prices).as_ref(), extra.labels.first());
    assert_eq!(evidence.label(SMALL, &prices), None);
    assert_eq!(Evidence { extra: None, ..evidence }.label(LARGE, &prices), None);
}

#[test]
fn a_judge_counts_only_where_nobody_else_spoke_and_the_latest_word_of_each_counts() {
    use LabelSource::{Feedback, Judge, Person};
    let prices = prices();
    let operation = Operation::default();
    let said = |said: &[(LabelSource, u16)]| {
        let mut extra = Extra::default();
        for &(source, quality) in said {
            extra.judge(ModelLabel { model: LARGE, quality: PerMille::new(quality), output: None, source });
        }
        let evidence = Evidence { operation: &operation, extra: Some(&extra) };
        let counts = evidence.label(LARGE, &prices).and_then(|label| label.quality);
        (counts.map(PerMille::get), extra.labels.len())
    };
    assert_eq!(said(&[(Judge, 100), (Judge, 900)]), (Some(900), 1));
    assert_eq!(said(&[(Judge, 100), (Person, 700)]), (Some(700), 2));
    assert_eq!(said(&[(Person, 700), (Judge, 100)]), (Some(700), 2), "it may come later");
    assert_eq!(said(&[(Person, 700), (Feedback, 0), (Judge, 100)]), (Some(0), 3));
    assert_eq!(said(&[(Feedback, 0), (Judge, 100), (Feedback, 1000)]), (Some(1000), 2));
    let words = [
        "",
        "feedback by ci",
        "label by ann",
        "judge gpt-5",
        "judge gpt-5 (simulated)",
        "check json",
        "somebody",
    ];
    assert_eq!(words.map(LabelSource::of), LabelSource::ALL);
    // What people say of answers that were made up proves no more.
    assert_eq!(LabelSource::of("label by ann (simulated)"), LabelSource::Simulated);
    // What was made up says nothing of a request that somebody real answered.
    let made_up = ModelLabel { source: LabelSource::Simulated, ..label(LARGE, Some(40)) };
    assert_eq!([made_up.about(false).quality, made_up.about(true).quality], [None, made_up.quality]);
    assert_eq!(label(LARGE, Some(40)).about(false), label(LARGE, Some(40)));
}

#[test]
fn estimates_rest_on_the_served_call_or_else_on_the_first_that_tells_something() {
    let half = Usage { output: Count::UNKNOWN, ..plain(900, 1) };
    let earlier =
        vec![call(SMALL, half), call(SMALL, plain(0, 0)), call(SMALL, plain(7, 0)), call(SMALL, plain(8, 8))];
    let extra = Extra { earlier, ..Extra::default() };
    let basis = |served: Usage, extra| {
        let operation = Operation { served: call(LARGE, served), ..Operation::default() };
        Evidence { operation: &operation, extra }.basis().map(|basis| basis.call.usage)
    };
    assert_eq!(basis(plain(5, 6), Some(&extra)), Some(plain(5, 6)));
    assert_eq!(basis(plain(5, 0), Some(&extra)), Some(plain(5, 0)), "a prompt alone tells something");
    assert_eq!(basis(plain(0, 6), Some(&extra)), Some(plain(0, 6)), "so does an answer alone");
    for hollow in [Usage::UNKNOWN, Usage::NONE, half] {
        assert_eq!(basis(hollow, Some(&extra)), Some(plain(7, 0)), "{hollow:?}");
        assert_eq!(basis(hollow, None), None);
    }
}

#[test]
fn a_length_that_a_label_measured_is_no_guess() {
    let prices = prices();
    let mut fit = ProfileFit::default();
    for tokens in 1..=20 {
        let operation = Operation { served: call(SMALL, plain(100, tokens * 10)), ..Operation::default() };
        fit.add(&Evidence { operation: &operation, extra: None }, &prices);
    }
    let outlook = Outlook {
        prices: &prices,
        profiles: &fit.finish(),
        circumstances: &Circumstances::default(),
        weather: None,
    };
    let operation = Operation { served: call(SMALL, plain(100, 50)), ..Operation::default() };
    let estimate = |labels: Vec<ModelLabel>| {
        let extra = Extra { labels, ..Extra::default() };
        let evidence = Evidence { operation: &operation, extra: Some(&extra) };
        on_model(&evidence, Choice::plain(LARGE), &outlook)
    };
    let dollars = |usd: &str| Cost::Estimated(Pico::from_usd(usd).unwrap());

    let guessed = estimate(vec![label(SMALL, Some(40)), label(LARGE, None)]);
    assert_eq!((guessed.usage.output.get(), guessed.cost), (Some(50), dollars("0.0005")));
    assert!(guessed.spread.chance > 0, "how long it would have been is not known");
    let measured = estimate(vec![label(SMALL, Some(40)), label(LARGE, Some(20))]);
    assert_eq!((measured.usage.output.get(), measured.cost), (Some(20), dollars("0.00038")));
    let of_prompt = Pico::from_usd("0.00003").unwrap().0;
    assert_eq!(measured.spread.chance, of_prompt * of_prompt, "only what a tokenizer makes of the prompt");
    assert_eq!(measured.spread.habit, of_prompt * 3 / 2);
    assert!(!measured.observed && !guessed.observed);
}

#[test]
fn sorting_keeps_everything_together_and_counts_what_came_late() {
    let mut history = History::default();
    assert_eq!(history.sort(), 0);
    // More than one chunk of them, each third of which carries something more.
    let count = 5000;
    let moment = |index: usize| i64::try_from(index / 2 * 7919 % 2500).unwrap();
    for index in 0..count {
        let operation = Operation { at: Instant(moment(index)), ..Operation::default() };
        let error = format!("e{index}");
        let extra = (index % 3 == 0).then(|| Extra { error: error.into(), ..Extra::default() });
        history.push(&index.to_string(), operation, extra);
    }
    let late = (1..count).filter(|&index| moment(index) < moment(index - 1)).count();
    assert_eq!(history.sort(), late);

    let mut expected: Vec<usize> = (0..count).collect();
    expected.sort_by_key(|&index| moment(index));
    assert_eq!(history.len(), count);
    for (place, index) in expected.into_iter().enumerate() {
        let recalled = history.recall(place).unwrap();
        let evidence = recalled.evidence();
        assert_eq!(
            (history.id(place), evidence.operation.at),
            (index.to_string().as_str(), Instant(moment(index)))
        );
        let error = evidence.extra.map(|extra| extra.error.to_string());
        assert_eq!(error, (index % 3 == 0).then(|| format!("e{index}")));
    }
    assert_eq!(history.sort(), 0, "what is in order stays as it is");
}

/// Draws numbers that are the same on every machine.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Draws a length around a mean whose long ones are five times as long.
    fn length(&mut self, mean: u64) -> u64 {
        let spread = 50 + self.below(100);
        let tail = if self.below(20) == 0 { 5 } else { 1 };
        mean * spread * tail / 120
    }
}

/// What all requests would have cost on a model that answered half of them, against the truth.
#[test]
fn an_interval_of_95_percent_holds_what_a_model_would_have_cost() {
    let prices = prices();
    let (mut within, draws) = (0, 400);
    for seed in 0..draws {
        let mut draw = Draws(seed * 77 + 5);
        let (wordier, longer) = (40 + draw.below(200), 85 + draw.below(30));
        let (mut fit, mut hidden) = (ProfileFit::default(), Vec::new());
        for _ in 0..300 {
            let (prompt, answer) = (draw.length(1000), draw.length(300));
            let own = plain(prompt * longer / 100, draw.length(300 * wordier / 100));
            let (served, truth) = if draw.below(2) == 0 {
                (call(LARGE, own), None)
            } else {
                (call(SMALL, plain(prompt, answer)), Some(own))
            };
            let operation = Operation { served, ..Operation::default() };
            fit.add(&Evidence { operation: &operation, extra: None }, &prices);
            hidden.extend(truth.map(|truth| (operation, truth)));
        }
        let outlook = Outlook {
            prices: &prices,
            profiles: &fit.finish(),
            circumstances: &Circumstances::default(),
            weather: None,
        };
        let (mut guess, mut truth, mut spread) = (Pico::ZERO, Pico::ZERO, Spread::NONE);
        for (operation, own) in &hidden {
            let evidence = Evidence { operation, extra: None };
            let attempt = on_model(&evidence, Choice::plain(LARGE), &outlook);
            guess += attempt.cost.amount().unwrap();
            spread.add(attempt.spread);
            truth += Pico(
                i128::from(own.input.or_zero()) * 3_000_000 + i128::from(own.output.or_zero()) * 4_000_000,
            );
        }
        within += u64::from((guess - truth).0.abs() <= spread.half_width().0);
        assert!(spread.half_width().0 < truth.0 / 2, "so wide an interval would say nothing");
    }
    assert!((draws * 92 / 100..=draws * 995 / 1000).contains(&within), "{within} of {draws}");
}

#[test]
fn a_write_whose_lifetime_nobody_told_is_a_guess_only_where_lifetimes_have_prices() {
    let price = |usd: &str| PicoPerMillion::from_usd_per_million(usd).unwrap();
    let mut book = PriceBook::default();
    for (name, write_1h) in [("one-price", None), ("two-prices", Some(price("10")))] {
        let base = Tier {
            input: price("5"),
            output: price("30"),
            write_5m: Some(price("6.25")),
            write_1h,
            ..Tier::default()
        };
        let standard = Rates { base, above: vec![] };
        book.add_row(name, PriceRow { standard, ..PriceRow::default() });
    }
    let mut names = Names::default();
    let ids = ["one-price", "two-prices"].map(|name| names.intern_model(name));
    let prices = PriceTable::new(&book, &names);
    let usage = Usage { write_5m: Count::new(3072).unwrap(), ..plain(1204, 812) };
    let cost = |model, is_lifetime_assumed| {
        let seen = Observed { is_lifetime_assumed, ..call(model, usage) };
        priced(Seen { call: &seen, terms: &crate::pricing::Terms::NONE }, Instant(0), &prices)
    };
    let amount = Pico::from_usd("0.04958").unwrap();
    assert_eq!([true, false].map(|assumed| cost(ids[0], assumed)), [Cost::Known(amount); 2]);
    assert_eq!(
        [true, false].map(|assumed| cost(ids[1], assumed)),
        [Cost::Estimated(amount), Cost::Known(amount)]
    );
}
