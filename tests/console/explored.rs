//! Tune where a route explores, and where another classifier is staged.

use std::fmt::Write as _;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use pointsman::classifier::Classifier;
use pointsman::config::{policy, prices};
use pointsman::console::screen::ScreenId;
use pointsman::record::{self, Input, ReadOptions};
use pointsman::routing::{Circumstance, Draw, Signals, decide};
use pointsman::session::{Command, Ingest, IngestOptions, Log};
use pointsman::units::{Names, PerMille};

use super::{SIZES, Sandbox};

const EXPLORES: &str = "name = \"p\"\n[[route]]\nname = \"all\"\nexplore = { share = 200, below = 60 }\n\
                        ladder = [\n  { rung = \"cheap\", model = \"gpt-4.1-nano\", threshold = 620 },\n  { rung = \"strong\", model = \"gpt-4.1\" },\n]\n";

fn load(text: String, policy: &str, second: Option<Classifier>) -> Arc<Log> {
    let mut names = Names::default();
    let policy = Arc::new(policy::parse(policy, "p.toml", &mut names).unwrap());
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let ingest = match second {
        Some(second) => ingest.beside(second),
        None => ingest,
    };
    let bytes: &'static [u8] = text.into_bytes().leak();
    let source = record::open(&Input::bytes("log.jsonl", bytes), &ReadOptions::default()).unwrap();
    let book = prices::builtin("list").unwrap();
    Arc::new(Log::load("log.jsonl".into(), source, ingest, policy, &book, |_| true).unwrap())
}

/// A log as the policy above would have made it, every answer judged.
fn explored(requests: u32) -> Arc<Log> {
    let policy = policy::parse(EXPLORES, "p.toml", &mut Names::default()).unwrap();
    let mut text = String::new();
    for at in 0..requests {
        let (id, confidence) = (format!("r-{at}"), 500 + at * 37 % 200);
        let confidence_of = u16::try_from(confidence).ok().and_then(PerMille::new);
        let signals = Signals { confidence: confidence_of, draw: Draw::of(&id), ..Signals::default() };
        let rung = usize::from(decide(&policy, &signals, Circumstance::PLAIN).rung);
        let (model, quality) =
            (["gpt-4.1-nano", "gpt-4.1"][rung], if rung == 0 && at % 4 == 0 { 0 } else { 1000 });
        writeln!(
            text,
            r#"{{"id":"{id}","at":"2026-05-23T10:{:02}:{:02}.{:03}Z","task":"code","confidence":{confidence},"model":"{model}","in":{},"out":100,"labels":[{{"model":"{model}","quality":{quality}}}]}}"#,
            at / 200, at / 4 % 50, at % 4 * 200, 400 + at * 91 % 3000
        )
        .unwrap();
    }
    load(text, EXPLORES, None)
}

fn tune(log: &Arc<Log>, size: (u16, u16)) -> Sandbox {
    let mut sandbox = Sandbox::open(log, ScreenId::Tune, size);
    sandbox.player.handle(Command::SeekShare(PerMille::ONE));
    sandbox.app.update(Arc::new(sandbox.player.snapshot()));
    sandbox
}

#[test]
fn what_exploring_costs_and_tells_stands_on_tune() {
    let log = explored(8000);
    for size in SIZES {
        let mut sandbox = tune(&log, size);
        let worst = sandbox.shown().consequences.routes[0].applied.exploring;
        assert!(worst.requests > 2000 && worst.worst.0 > 0, "{worst:?}");
        sandbox.keys("590");
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        let found = sandbox.shown().consequences.routes[0].explored.clone().expect("lots were drawn");
        assert_eq!((found.requests, found.uncovered), (8000, 0));
        let text = sandbox.text();
        if size.1 > 24 {
            for words in ["exploring, at most", "explored: $ change", "explored: quality"] {
                assert!(text.contains(words), "{size:?}: no {words}: {text}");
            }
        }
        sandbox.keys("500");
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        let found = sandbox.shown().consequences.routes[0].explored.clone().expect("lots were drawn");
        assert!(found.uncovered > 0 && size.1 <= 24 || sandbox.text().contains("never explored"), "{size:?}");
    }
}

#[test]
fn another_classifier_is_set_beside_and_is_not_applied_by_a_key() {
    let mut text = String::new();
    for at in 0..60 {
        let prompt = if at % 2 == 0 {
            "Prove that the square root of two is irrational, and discuss every step in depth."
        } else {
            "Is this review positive or negative? Answer with one word."
        };
        writeln!(
            text,
            r#"{{"id":"r-{at}","at":"2026-05-23T10:00:{at:02}Z","task":"question","confidence":990,"model":"gpt-4.1-nano","in":900,"out":100,"prompt":"{prompt}"}}"#
        )
        .unwrap();
    }
    let plain = EXPLORES.replace("explore = { share = 200, below = 60 }\n", "");
    let without = load(text.clone(), &plain, None);
    let mut sandbox = tune(&without, (120, 36));
    sandbox.keys("C");
    assert!(
        sandbox.shown().second.is_none() && sandbox.text().contains("--try-classifier"),
        "{}",
        sandbox.text()
    );

    let log = load(text, &plain, Classifier::shipped("public"));
    for size in SIZES {
        let mut sandbox = tune(&log, size);
        let before = sandbox.shown().consequences.routes[0].applied.clone();
        sandbox.keys("C");
        let row = sandbox.shown().consequences.routes[0].clone();
        assert_eq!(row.applied, before, "what was in force stays");
        assert_eq!(row.staged.requests, 60);
        let moved = row.staged.placed[1];
        assert_eq!((row.flips, row.applied.placed[0]), (moved, 60), "{size:?}");
        assert!(sandbox.text().contains("classifier"), "{size:?}: {}", sandbox.text());
        if moved > 0 {
            sandbox.keys("x");
            sandbox.draw();
            assert!(sandbox.text().contains(&format!("{moved} of ")), "{size:?}: {}", sandbox.text());
            sandbox.keys("2");
        }
        let version = sandbox.shown().policy.version;
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(sandbox.shown().policy.version, version, "a key applies no classifier");
        sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
        assert!(sandbox.shown().second.is_none(), "{size:?}");
    }
}
