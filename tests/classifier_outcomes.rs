//! Holds the built-in classifier against public outcome sets that are not part of the repository.
//!
//! Skips itself, saying so, where they are absent. With `POINTSMAN_FEATURES_OUT` set to a file name it also writes the
//! features of every question as tab-separated lines, for fitting weights elsewhere; no prompt is written.

#![expect(clippy::unwrap_used, reason = "a test that reads known files and prints what it measured")]

#[path = "outcomes/estimates.rs"]
mod estimates;
#[path = "outcomes/trained.rs"]
mod trained;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use pointsman::classifier::{Basis, Classifier, FeatureId, Measures};
use serde_json::Value;

/// One set with the pair of models that is compared in it.
const SETS: [(&str, &str, &str); 4] = [
    ("routellm_gsm8k", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"),
    ("routellm_mmlu", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"),
    ("routerarena_sub10", "claude-3-haiku-20240307", "gemini-2.0-flash-001"),
    ("llmrouter_dcrouter", "mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"),
];

struct Row {
    confidence: Option<u16>,
    length: usize,
    gain: f64,
    is_held_out: bool,
}

fn folder() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");
    let root = std::env::var_os("POINTSMAN_SHARED").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    Some(root.join("data/outcomes")).filter(|folder| folder.is_dir())
}

fn rows(made: &Classifier, set: (&str, &str, &str), dump: &mut String) -> Vec<Row> {
    let file = File::open(folder().unwrap().join(format!("{}.jsonl.gz", set.0))).unwrap();
    let mut rows = Vec::new();
    for line in BufReader::new(GzDecoder::new(file)).lines() {
        let entry: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let quality = |model: &str| entry["outcomes"][model]["quality"].as_f64();
        let (Some(prompt), Some(cheap), Some(strong)) =
            (entry["prompt"].as_str(), quality(set.1), quality(set.2))
        else {
            continue;
        };
        let key = entry["split_key"].as_str().unwrap();
        let is_held_out = u64::from_str_radix(&key[key.len() - 4..], 16).unwrap() % 10 >= 7;
        let opinion = made.classify(Some(prompt), &Measures::default());
        let (features, basis, _) = made.features(Some(prompt), &Measures::default());
        if basis == Basis::Text {
            let score = made.score(&features, basis);
            write!(
                dump,
                "{}\t{}\t{cheap}\t{strong}\t{}\t{score}",
                set.0,
                u8::from(is_held_out),
                prompt.len()
            )
            .unwrap();
            for id in FeatureId::all() {
                write!(dump, "\t{}", features.get(id)).unwrap();
            }
            dump.push('\n');
        }
        let confidence = opinion.confidence.map(pointsman::units::PerMille::get);
        rows.push(Row { confidence, length: prompt.len(), gain: strong - cheap, is_held_out });
    }
    rows
}

/// The area under the share of the gain that is recovered as the strong model's share grows; ties are drawn together.
fn apgr(rows: &[&Row], hard: impl Fn(&Row) -> i64) -> f64 {
    let mut order: Vec<(i64, f64)> = rows.iter().map(|row| (hard(row), row.gain)).collect();
    order.sort_by_key(|(hard, _)| std::cmp::Reverse(*hard));
    let total: f64 = order.iter().map(|(_, gain)| gain).sum();
    let (mut area, mut recovered) = (0.0, 0.0);
    for tied in order.chunk_by(|a, b| a.0 == b.0) {
        let gain: f64 = tied.iter().map(|(_, gain)| gain).sum();
        area += tied.len() as f64 * (recovered + gain / 2.0);
        recovered += gain;
    }
    area / (total * order.len() as f64)
}

/// The chance that a question where the cheap answer did is trusted more than one where it did not.
fn auc(rows: &[&Row]) -> f64 {
    let (mut wins, mut pairs) = (0.0, 0.0);
    for good in rows.iter().filter(|row| row.gain <= 0.0) {
        for bad in rows.iter().filter(|row| row.gain > 0.0) {
            pairs += 1.0;
            wins += match good.confidence.cmp(&bad.confidence) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    wins / pairs
}

#[test]
fn beats_chance_on_questions_it_was_not_fitted_on() {
    if folder().is_none() {
        println!(
            "skipped: no outcome sets beside the project (POINTSMAN_SHARED names the folder that holds data/outcomes)"
        );
        return;
    }
    let made = Classifier::builtin();
    let mut dump = String::from("set\theld_out\tcheap\tstrong\tlength\tscore");
    for id in FeatureId::all() {
        write!(dump, "\t{}", id.name()).unwrap();
    }
    dump.push('\n');
    let hard = |row: &Row| -row.confidence.map_or(-1, i64::from);
    let mut mean = 0.0;
    for set in SETS {
        let all = rows(&made, set, &mut dump);
        let held: Vec<&Row> = all.iter().filter(|row| row.is_held_out).collect();
        let (ours, length) = (apgr(&held, hard), apgr(&held, |row| i64::try_from(row.length).unwrap()));
        mean += ours / SETS.len() as f64;
        // A question without a signal goes to the strong model, so what is promised is promised for the others.
        let told: Vec<_> = held.iter().filter_map(|row| Some((row.confidence?, row.gain <= 0.0))).collect();
        let said = told.iter().map(|(confidence, _)| f64::from(*confidence)).sum::<f64>()
            / told.len() as f64
            / 1000.0;
        let was = told.iter().filter(|(_, did)| *did).count() as f64 / told.len() as f64;
        let silent: Vec<_> = held.iter().filter(|row| row.confidence.is_none()).collect();
        let silent_was = silent.iter().filter(|row| row.gain <= 0.0).count();
        println!(
            "{:19} n {:4}  APGR {ours:.3}  length only {length:.3}  random .500  AUC {:.3}  said {said:.3}  was {was:.3}  \
             no signal {}, of which the cheap answer did {silent_was}",
            set.0,
            held.len(),
            auc(&held),
            silent.len()
        );
        assert!(
            said < was,
            "{}: a cold start must not promise more ({said:.3}) than was seen ({was:.3})",
            set.0
        );
    }
    println!("mean APGR {mean:.3}");
    if let Some(path) = std::env::var_os("POINTSMAN_FEATURES_OUT") {
        std::fs::write(path, dump).unwrap();
    }
    assert!(mean > 0.52, "no better than chance: {mean:.3}");
}
