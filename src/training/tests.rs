//! What training and measuring promise: the same bytes again, no row judged by what it taught itself, figures that others get too.

use super::examples::Examples;
use super::fit::{Plan, TrainError, train};
use super::forest::Binned;
use super::{Judged, evaluate};
use crate::classifier::{Basis, Classifier, FeatureId, Measures, Tags};
use crate::units::Draw;

const TASKS: [&str; 3] = ["invoices", "proofs", "chat"];
const EASY: [&str; 4] = ["list the names", "say hello politely", "copy this line", "name the month"];
const HARD: [&str; 4] =
    ["prove the theorem", "derive the bound", "integrate over the sphere", "find all roots"];

/// Synthetic questions: those with hard words, and those of one task, mostly need the strong model.
fn questions(count: u64, flipped: Option<u64>) -> Examples {
    let reader = Classifier::cold_start();
    let mut examples = Examples::new(2);
    for row in 0..count {
        let (text, measures, cheap) = question(row, flipped == Some(row));
        examples.push(Some(&text), &measures, key(row), &[Some(cheap), Some(1.0)], &reader);
    }
    examples
}

fn key(row: u64) -> u64 {
    Draw::new(row).next()
}

fn question(row: u64, is_flipped: bool) -> (String, Measures, f32) {
    let mut draw = Draw::new(row + 7);
    let task = draw.below(TASKS.len());
    let is_hard = draw.below(2) == 1;
    let words = if is_hard { HARD } else { EASY };
    let text = format!("Please {} for case {} and {}.", words[draw.below(4)], row % 10, words[draw.below(4)]);
    let needs = 2 * usize::from(is_hard) + 3 * usize::from(task == 1);
    let fails = draw.below(10) < 1 + needs;
    let cheap = if fails == is_flipped { 1.0 } else { 0.0 };
    (text, Measures { tags: Tags::of(TASKS[task], ""), ..Measures::default() }, cheap)
}

fn plan(seed: u64) -> Plan {
    Plan { name: "made-up".to_owned(), ladder: vec!["small".into(), "large".into()], seed, ..Plan::default() }
}

fn trained(examples: &Examples, seed: u64) -> Classifier {
    train(examples, &plan(seed), &Classifier::cold_start(), &|_, _| {}).unwrap()
}

#[test]
fn the_same_rows_and_seed_give_the_same_bytes() {
    let examples = questions(400, None);
    let one = trained(&examples, 5).to_toml().unwrap();
    assert!(one.len() < 1 << 20, "{} bytes", one.len());
    assert_eq!(one, trained(&examples, 5).to_toml().unwrap());
    assert_ne!(one, trained(&examples, 6).to_toml().unwrap());
    let read = Classifier::from_toml(&one).unwrap();
    assert_eq!(read.to_toml().unwrap(), one, "what is written is read back the same");
    assert_eq!(read.hash(), trained(&examples, 5).hash());
}

#[test]
fn it_finds_what_is_hard_and_says_why() {
    let made = trained(&questions(600, None), 1);
    let of = |text: &str, task: &str| {
        made.classify(Some(text), &Measures { tags: Tags::of(task, ""), ..Measures::default() })
    };
    let (easy, hard) = (
        of("Please copy this line for case 3.", "chat"),
        of("Please derive the bound for case 3.", "proofs"),
    );
    assert!(easy.confidence > hard.confidence, "{easy:?} {hard:?}");
    assert_eq!(hard.basis, Basis::Text);
    assert!(
        hard.top().iter().any(|part| part.feature == FeatureId::PART_TASK && part.milli_logits < 0),
        "{hard:?}"
    );
    let about = made.about().unwrap();
    let [apgr, low, high] = about.apgr.unwrap();
    assert!(apgr > 560 && low < apgr && apgr < high, "{about:?}");
    assert!(about.quantised.unwrap()[0] <= 10, "whole numbers moved a confidence by more than 10 per mille");
    assert!(about.has_seen(key(3)) && !about.has_seen(key(1_000_003)));
}

#[test]
fn what_is_unlike_anything_learned_gets_no_confidence_and_the_reason() {
    let made = trained(&questions(400, None), 1);
    let strange =
        made.classify(Some("Quousque tandem abutere Catilina patientia nostra"), &Measures::default());
    assert_eq!((strange.confidence, strange.basis), (None, Basis::NoSignal));
    assert_eq!(strange.top().first().map(|part| part.feature), Some(FeatureId::PART_UNLIKE));
    let tags = |task| Measures { tags: Tags::of(task, ""), ..Measures::default() };
    assert_eq!(
        made.classify(None, &tags("chat")).basis,
        Basis::Measures,
        "without a text a known tag is something to go by"
    );
    assert_eq!(made.classify(None, &tags("never met")).confidence, None);
}

#[test]
fn what_a_row_teaches_is_not_what_it_is_judged_by() {
    let (told, flipped) = (questions(300, None), questions(300, Some(17)));
    let unseen = |examples: &Examples| {
        let binned = Binned::of(&examples.surfaces);
        super::fit::unseen(examples, &binned, &plan(3), 17)
    };
    assert_eq!(unseen(&told), unseen(&flipped), "its own answer moved what it was thought to need");
}

#[test]
fn too_little_or_nothing_to_learn_is_told() {
    let over = Classifier::cold_start();
    let few = train(&questions(20, None), &plan(1), &over, &|_, _| {}).unwrap_err();
    assert!(matches!(few, TrainError::TooFew { rows: 20, .. }), "{few}");
    let mut alike = Examples::new(2);
    for row in 0..50 {
        alike.push(Some("the same"), &Measures::default(), row, &[Some(1.0), Some(1.0)], &over);
    }
    let none = train(&alike, &plan(1), &over, &|_, _| {}).unwrap_err();
    assert!(none.to_string().contains("nothing to learn"), "{none}");
    // Rows without prompts all pass for one question.
    let mut same = Examples::new(2);
    for row in 0..50u8 {
        same.push(None, &Measures::default(), 7, &[Some(f32::from(row % 2)), Some(1.0)], &over);
    }
    let none = train(&same, &plan(1), &over, &|_, _| {}).unwrap_err();
    assert!(none.to_string().contains("50 rows ask only 1 different"), "{none}");
}

#[test]
fn a_ladder_of_three_learns_from_each_pair_where_it_is_known() {
    let reader = Classifier::cold_start();
    let mut examples = Examples::new(3);
    for row in 0..300 {
        let (text, measures, cheap) = question(row, false);
        // Every third question was never put to the middle model.
        let middle = (row % 3 != 0).then_some(cheap.max(0.5));
        examples.push(Some(&text), &measures, key(row), &[Some(cheap), middle, Some(1.0)], &reader);
    }
    let plan = Plan { ladder: vec!["a".into(), "b".into(), "c".into()], ..plan(1) };
    let made = train(&examples, &plan, &reader, &|_, _| {}).unwrap();
    assert!(made.about().unwrap().apgr.unwrap()[0] > 550);
}

fn weights() -> String {
    trained(&questions(100, None), 1).to_toml().unwrap()
}

#[test]
fn a_file_that_was_damaged_or_is_of_another_version_is_refused() {
    let good = weights();
    let line = |field: &str| good.lines().find(|line| line.starts_with(field)).unwrap().to_owned();
    for (field, to, said) in [
        ("surface", "surface = 99".to_owned(), "`surface`: made for surface 99"),
        ("lexicon", "lexicon = \"00\"".to_owned(), "another lexicon"),
        ("buckets", "buckets = \"AAAA\"".to_owned(), "wrong number of weights"),
        ("buckets", "buckets = \"?\"".to_owned(), "not base64"),
        ("known", "known = \"AAAA\"".to_owned(), "cut short"),
        ("curve", "curve = \"\"".to_owned(), "knots are needed"),
        ("unit", "unit = 99999999999".to_owned(), "out of range"),
        ("trees", String::new(), "`trees` is missing"),
    ] {
        let told = Classifier::from_toml(&good.replace(&line(field), &to)).unwrap_err().to_string();
        assert!(told.contains(said), "{field}: {told}");
    }
    let mean = line("mean");
    let other = Classifier::from_toml(&good.replace(&mean, "mean = 1")).unwrap();
    assert_ne!(other.hash(), Classifier::from_toml(&good).unwrap().hash(), "what decides is in the hash");
}

/// Ten rows with ties and one without a confidence. The figures were computed once in exact fractions by a program of its own.
#[test]
fn the_figures_are_those_that_anybody_gets() {
    let rows = [
        (Some(900), 1.0, 1.0),
        (Some(900), 0.0, 1.0),
        (Some(850), 1.0, 0.0),
        (Some(700), 0.0, 1.0),
        (Some(700), 0.0, 1.0),
        (Some(700), 1.0, 1.0),
        (Some(500), 0.0, 1.0),
        (Some(400), 0.5, 1.0),
        (Some(300), 0.0, 0.0),
        (None, 0.0, 1.0),
    ];
    let rows: Vec<Judged> = (0u64..)
        .zip(rows)
        .map(|(group, (confidence, cheap, strong))| Judged {
            group,
            cheap,
            strong,
            confidence,
            costs: Some((1, 10)),
            ..Judged::default()
        })
        .collect();
    let found = evaluate(&rows, 1);
    let close = |found: Option<f64>, wanted: f64| (found.unwrap() - wanted).abs() < 1e-9;
    assert!(close(found.apgr, 109.0 / 180.0), "{found:?}");
    assert!(close(found.cpt.0, 0.375) && close(found.cpt.1, 0.565), "{found:?}");
    assert!(close(found.share_at_95, 0.64) && close(found.saved_at_95, 0.324), "{found:?}");
    assert!((found.quality.0 - 0.35).abs() < 1e-9 && (found.quality.1 - 0.8).abs() < 1e-9);
    assert_eq!((found.n, found.silent, found.costed), (10, 1, 10));
}

#[test]
fn where_there_is_no_gap_there_is_no_figure() {
    let row = |cheap: f64, strong: f64| Judged { cheap, strong, confidence: Some(500), ..Judged::default() };
    let none = evaluate(&[row(1.0, 0.0), row(1.0, 1.0)], 1);
    assert_eq!((none.apgr, none.interval, none.cpt.0), (None, None, None));
    assert_eq!(none.share_at_95, Some(0.0), "the cheap model alone keeps the quality");
    assert_eq!(none.saved_at_95, None, "costs nobody told are unknown, not zero");
    assert_eq!(evaluate(&[], 1).n, 0);
}

/// Samples of a population whose APGR is known from a large draw: the interval has to hold it about as often as it says.
#[test]
fn the_interval_holds_the_truth_about_as_often_as_it_says() {
    let sample = |count: u64, seed: u64| -> Vec<Judged> {
        let mut draw = Draw::new(seed);
        (0..count)
            .map(|row| {
                let confidence = u16::try_from(draw.below(1000)).unwrap();
                let does = draw.below(1000) < usize::from(300 + confidence / 2);
                Judged {
                    group: seed << 32 | row,
                    cheap: f64::from(u8::from(does)),
                    strong: 1.0,
                    confidence: Some(confidence),
                    ..Judged::default()
                }
            })
            .collect()
    };
    let truth = evaluate(&sample(200_000, 1), 1).apgr.unwrap();
    let held = (0..60)
        .filter(|trial| {
            let (low, high) = evaluate(&sample(300, trial + 100), *trial).interval.unwrap();
            (low..=high).contains(&truth)
        })
        .count();
    assert!((52..=60).contains(&held), "held {held} of 60, where 57 are promised");
}

#[test]
fn the_shipped_weights_are_fit_for_this_program() {
    let made = Classifier::shipped("public").unwrap();
    let about = made.about().unwrap();
    assert!(
        about.data.len() >= 5 && about.data.iter().all(|(_, licence)| !licence.is_empty()),
        "{:?}",
        about.data
    );
    let text = made.to_toml().unwrap();
    assert!(text.len() < 1 << 20);
    assert_eq!(text, include_str!("../../config/classifier-public.toml"));
}
