//! What weights are worth that were trained on one part of an outcome set, on the parts that they have not seen.

use std::io::{BufRead, BufReader};

use flate2::read::GzDecoder;
use pointsman::classifier::{Classifier, Measures, Tags};
use pointsman::training::{Examples, Judged, Plan, evaluate, train};
use pointsman::units::PerMille;
use serde_json::Value;

use super::folder;

/// Sets with the pair of models compared in each, and the share of the gap recovered that half of 2,000 questions must teach of the other half.
const SETS: [(&str, &str, &str, f64); 4] = [
    ("routellm_mmlu", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview", 0.66),
    ("llmrouter_dcrouter", "mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct", 0.72),
    ("bfcl_v1", "claude-3-haiku-20240307", "claude-3-5-sonnet-20240620", 0.78),
    ("routellm_gsm8k", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview", 0.62),
];

struct Question {
    prompt: String,
    measures: Measures,
    key: u64,
    cheap: f64,
    strong: f64,
}

impl Question {
    /// Returns the part that a question belongs to under a seed.
    fn part(&self, seed: u64, parts: u64) -> u64 {
        (spread(self.key ^ seed.wrapping_mul(0x1234_5678_9abc)) >> 40) % parts
    }
}

/// Spreads a number over all bits.
const fn spread(key: u64) -> u64 {
    let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 32)
}

/// Reads a set; of more than `most` questions, those whose keys are spread lowest.
fn questions(set: &str, cheap: &str, strong: &str, most: usize) -> Vec<Question> {
    let file = std::fs::File::open(folder().unwrap().join(format!("{set}.jsonl.gz"))).unwrap();
    let mut found = Vec::new();
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let entry: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let quality = |model: &str| entry["outcomes"][model]["quality"].as_f64();
        let (Some(prompt), Some(cheap), Some(strong)) =
            (entry["prompt"].as_str(), quality(cheap), quality(strong))
        else {
            continue;
        };
        let tools = entry["n_tools"].as_u64().and_then(|tools| u32::try_from(tools).ok());
        let tags = Tags::of(entry["task"].as_str().unwrap_or(""), "");
        found.push(Question {
            prompt: prompt.to_owned(),
            measures: Measures { tools, tags, ..Measures::default() },
            key: u64::from_str_radix(entry["split_key"].as_str().unwrap(), 16).unwrap(),
            cheap,
            strong,
        });
    }
    found.sort_by_key(|question| spread(question.key));
    found.truncate(most);
    found
}

/// What was found of a part: the share of the gap recovered, by tags alone, by length alone; the calibration error.
type Found = [f64; 4];

fn narrow(quality: f64) -> f32 {
    // Qualities have few digits.
    #[expect(clippy::cast_possible_truncation, reason = "quality needs no more digits")]
    let narrow = quality as f32;
    narrow
}

/// Trains on all parts but one and judges by that one, for every part and seed.
fn parts(questions: &[Question], parts: u64, seeds: u64) -> Vec<Found> {
    let reader = Classifier::cold_start();
    let mut found = Vec::new();
    for (seed, part) in (0..seeds).flat_map(|seed| (0..parts).map(move |part| (seed, part))) {
        let is_held = |question: &Question| question.part(seed, parts) == part;
        let mut examples = Examples::new(2);
        for one in questions.iter().filter(|one| !is_held(one)) {
            let qualities = [Some(narrow(one.cheap)), Some(narrow(one.strong))];
            examples.push(Some(&one.prompt), &one.measures, spread(one.key), &qualities, &reader);
        }
        let ladder = vec!["cheap".to_owned(), "strong".to_owned()];
        let plan = Plan { name: "part".to_owned(), ladder, seed: 1, ..Plan::default() };
        let made = train(&examples, &plan, &reader, &|_, _| {}).unwrap();
        let tables = made.tables().unwrap();
        let judge = |one: &Question| Judged {
            group: spread(one.key),
            cheap: one.cheap,
            strong: one.strong,
            confidence: made.classify(Some(&one.prompt), &one.measures).confidence.map(PerMille::get),
            length: one.prompt.len(),
            tagged: tables.parts(None, tables.tags_of(&one.measures)).tags[0],
            costs: None,
        };
        let judged: Vec<Judged> = questions.iter().filter(|one| is_held(one)).map(judge).collect();
        let told = evaluate(&judged, 1);
        let [tags, length] = [told.baselines.tags_only, told.baselines.length_only];
        found.push([told.apgr.unwrap(), tags.unwrap_or(0.5), length.unwrap(), told.ece.unwrap()]);
    }
    found
}

fn mean(found: &[Found]) -> Found {
    std::array::from_fn(|figure| found.iter().map(|one| one[figure]).sum::<f64>() / found.len() as f64)
}

const ABSENT: &str = "skipped: no outcome sets beside the project (POINTSMAN_SHARED names the folder that holds data/outcomes)";

#[test]
fn what_is_trained_recovers_its_share_of_questions_it_has_not_seen() {
    if folder().is_none() {
        println!("{ABSENT}");
        return;
    }
    for (set, cheap, strong, floor) in SETS {
        let questions = questions(set, cheap, strong, 2000);
        let [apgr, tags, length, error] = mean(&parts(&questions, 2, 1));
        println!(
            "{set:19} APGR {apgr:.3}, tags alone {tags:.3}, length alone {length:.3}, calibration error {error:.3}"
        );
        assert!(apgr >= floor, "{set}: {apgr:.3}, where {floor:.3} were reached");
        assert!(apgr > length, "{set}: no better than the length of the prompt");
    }
}

/// The table of docs/quality.md: four fifths of each set teach the fifth, for each fifth of four ways to cut it.
#[test]
#[ignore = "minutes unless it is optimised: cargo test --release --test classifier_outcomes -- --ignored --nocapture"]
fn every_fifth_by_the_other_four() {
    if folder().is_none() {
        println!("{ABSENT}");
        return;
    }
    for (set, cheap, strong, _) in SETS {
        let found = parts(&questions(set, cheap, strong, usize::MAX), 5, 4);
        let [apgr, tags, length, error] = mean(&found);
        let spread =
            (found.iter().map(|one| (one[0] - apgr).powi(2)).sum::<f64>() / found.len() as f64).sqrt();
        println!("| {set} | {apgr:.3} | {spread:.3} | {tags:.3} | {length:.3} | {error:.3} |");
    }
}
