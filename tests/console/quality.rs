//! The screen Quality: labels and who made them, certificates, reliability, judges beside people.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use pointsman::console::screen::ScreenId;
use pointsman::session::{Command, Log};
use pointsman::units::PerMille;

use super::{SIZES, Sandbox, log, log_of};

fn at_the_end(log: &Arc<Log>, size: (u16, u16)) -> Sandbox {
    let mut sandbox = Sandbox::open(log, ScreenId::Quality, size);
    sandbox.player.handle(Command::SeekShare(PerMille::ONE));
    sandbox.app.update(Arc::new(sandbox.player.snapshot()));
    sandbox
}

/// Requests judged by a model, a quarter of them by people too, who find a few bad that it called good.
fn judged_log() -> Arc<Log> {
    use std::fmt::Write as _;
    let mut text = String::new();
    for at in 0..1200u32 {
        let confidence = at * 7 % 1001;
        let (minute, second) = (at / 60, at % 60);
        let judge = if at % 4 == 0 && confidence < 400 { 100 } else { 1000 };
        writeln!(
            text,
            r#"{{"id":"r-{at}","at":"2026-05-23T10:{minute:02}:{second:02}Z","task":"classification","confidence":{confidence},"model":"mistral-small-2503","in":1000,"out":200}}"#
        )
        .unwrap();
        let mut label = |model: &str, quality: u32, source: &str| {
            writeln!(
                text,
                r#"{{"event":"label","at":"2026-05-23T11:00:00Z","id":"r-{at}","model":"{model}","quality":{quality},"source":"{source}"}}"#
            )
            .unwrap();
        };
        label("mistral-small-2503", judge, "judge claude-opus-4-6");
        label("gpt-4.1", 1000, "judge claude-opus-4-6");
        if at % 4 == 0 {
            let person = if at % 160 == 0 { 0 } else { judge };
            label("mistral-small-2503", person, "label by ann");
        }
    }
    log_of("judged.jsonl", text.into_bytes().leak())
}

#[test]
fn every_figure_of_a_rung_is_there_at_every_size() {
    let log = judged_log();
    for size in SIZES {
        let mut sandbox = at_the_end(&log, size);
        let given = sandbox.shown().proofs[0][0].clone();
        let threshold = given.standing.given.unwrap().threshold;
        let text = sandbox.text();
        let lower = text.to_lowercase();
        assert!(lower.contains("drift") && lower.contains("psi"), "{size:?}: {text}");
        for words in ["Answers judged", "certified from", "Said and done", "calibration error", "promise"] {
            assert!(text.contains(words), "{size:?}: no {words}: {text}");
        }
        assert!(text.contains(&format!("from {threshold} up")), "{size:?}: {text}");
        // The last panel has the whole screen to itself where there is no room beside the others.
        for _ in 0..3 {
            sandbox.key(KeyCode::Tab, KeyModifiers::NONE);
        }
        sandbox.keys("z");
        let text = sandbox.text();
        let agreement = given.quality.agreement;
        assert_eq!(agreement.n(), 300);
        assert!(
            text.contains("both acceptable") && text.contains("judge 1,200, people 300"),
            "{size:?}: {text}"
        );
        let wrong = format!("--judge {}/300", agreement.only_first());
        assert!(agreement.only_first() > 0 && text.contains(&wrong), "{size:?}: {text}");
        let kappa = agreement.kappa().unwrap();
        assert!(kappa.low > 0.5 && kappa.high < 1.0, "{kappa:?}");
    }
}

#[test]
fn a_row_opens_its_threshold_and_the_last_rung_has_none() {
    let log = judged_log();
    let mut sandbox = at_the_end(&log, (120, 36));
    sandbox.key(KeyCode::Down, KeyModifiers::NONE);
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(sandbox.app.ui.view.screen, ScreenId::Quality);
    assert!(sandbox.text().contains("the last rung has no threshold"));
    sandbox.key(KeyCode::Up, KeyModifiers::NONE);
    sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(sandbox.app.ui.view.screen, ScreenId::Tune);
}

#[test]
fn without_labels_it_says_how_they_come() {
    let line = br#"{"at":"2026-05-23T10:00:00Z","task":"code","confidence":500,"model":"gpt-4.1","in":1000,"out":200}"#;
    let bare = log_of("bare.jsonl", line);
    for size in SIZES {
        let text = at_the_end(&bare, size).text();
        assert!(
            text.contains("no labels yet")
                && text.contains("pointsman label")
                && text.contains("/v1/feedback"),
            "{text}"
        );
    }
    // The sample has some.
    assert!(!at_the_end(&log(), (80, 24)).text().contains("no labels yet"));
}
