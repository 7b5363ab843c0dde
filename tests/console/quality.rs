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
    log_of("judged.jsonl", judged().into_bytes().leak())
}

fn judged() -> String {
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
    text
}

/// The same and then, an hour later, requests of which the confidence lies from `least` up; every tenth was judged.
fn judged_and_then(least: u32, count: u32) -> Arc<Log> {
    use std::fmt::Write as _;
    let mut text = judged();
    for at in 0..count {
        let confidence = least + at * 7 % (1001 - least);
        let (minute, second) = (at / 60, at % 60);
        let labels = r#"[{"model":"mistral-small-2503","quality":1000},{"model":"gpt-4.1","quality":1000}]"#;
        let labels = if at % 10 == 0 { labels } else { "[]" };
        writeln!(
            text,
            r#"{{"id":"s-{at}","at":"2026-05-23T12:{minute:02}:{second:02}Z","task":"classification","confidence":{confidence},"model":"mistral-small-2503","in":1000,"out":200,"labels":{labels}}}"#
        )
        .unwrap();
    }
    log_of("later.jsonl", text.into_bytes().leak())
}

/// The panel of the certificate with the whole screen to itself.
fn alone(sandbox: &mut Sandbox) -> String {
    sandbox.key(KeyCode::Tab, KeyModifiers::NONE);
    sandbox.keys("z");
    sandbox.text()
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

#[test]
fn drift_is_told_with_what_chance_reaches_and_with_the_error_since_the_certificate() {
    let log = judged_and_then(0, 1000);
    for size in SIZES {
        let mut sandbox = at_the_end(&log, size);
        let proof = sandbox.shown().proofs[0][0].clone();
        let reading = proof.standing.drift.unwrap();
        assert!(proof.standing.given.is_some() && !reading.has_drifted && reading.n == 1000, "{reading:?}");
        let text = alone(&mut sandbox);
        let [then, now] = &proof.quality.since;
        assert!(then.n() > 0 && now.n() >= 100, "{} and {}", then.n(), now.n());
        let steady = format!("steady, PSI {:.3}", reading.psi);
        assert!(text.contains(&steady), "{size:?}: no {steady}: {text}");
        // Where there is no room for more it is one line among those of the certificate.
        if size.1 <= 24 {
            continue;
        }
        for words in [
            format!("{:.3}", reading.critical),
            format!("{:.3}, chance {}", reading.ks, chance(reading.ks_critical)),
            "1,000".to_owned(),
            format!("{:.3} of {}", then.ece_debiased(), pointsman::console::format::count(then.n())),
            format!("{:.3} of {}", now.ece_debiased(), pointsman::console::format::count(now.n())),
        ] {
            assert!(text.contains(&words), "{size:?}: no {words}: {text}");
        }
        for name in
            ["Drift", "confidences", "chance reaches PSI", "KS D", "error when certified", "since then"]
        {
            assert!(text.contains(name), "{size:?}: no {name}: {text}");
        }
    }
}

/// What D stays below, as the screen has it.
fn chance(critical: Option<f64>) -> String {
    critical.map_or_else(|| "any".to_owned(), |most| format!("{most:.3}"))
}

#[test]
fn confidences_that_drifted_are_told_and_take_the_certificate_with_them() {
    let log = judged_and_then(600, 1000);
    // Where it is found does not hang on the size: it is looked for from the start once.
    let mut from = 500;
    for size in SIZES {
        let mut sandbox = Sandbox::open(&log, ScreenId::Quality, size);
        // Between two looks at it the certificate still stands, and the screen says already what it will fall by.
        let found = (from..=1000).find(|share| {
            sandbox.player.handle(Command::SeekShare(PerMille::new(*share).unwrap()));
            let proofs = sandbox.player.snapshot().proofs;
            proofs[0][0].standing.drift.as_ref().is_some_and(|reading| reading.has_drifted)
        });
        assert!(found.is_some(), "{size:?}: nothing drifted");
        from = found.unwrap_or(from);
        sandbox.app.update(Arc::new(sandbox.player.snapshot()));
        let reading = sandbox.shown().proofs[0][0].standing.drift.unwrap();
        assert!(reading.psi > reading.critical && reading.ks > 0.1, "{reading:?}");
        let text = alone(&mut sandbox);
        assert!(text.contains(&format!("drifted, PSI {:.3}", reading.psi)), "{size:?}: {text}");

        let mut sandbox = at_the_end(&log, size);
        assert!(sandbox.shown().proofs[0][0].standing.given.is_none());
        let text = alone(&mut sandbox);
        assert!(text.contains("withdrawn") && text.contains("confidences drifted"), "{size:?}: {text}");
    }
}

#[test]
fn nothing_is_said_of_drift_before_there_is_anything_to_compare() {
    let line = br#"{"at":"2026-05-23T10:00:00Z","task":"code","confidence":500,"model":"mistral-small-2503","in":1000,"out":200,"labels":[{"model":"mistral-small-2503","quality":1000},{"model":"gpt-4.1","quality":1000}]}"#;
    let few = log_of("few.jsonl", line);
    for size in SIZES {
        let text = alone(&mut at_the_end(&few, size));
        assert!(
            text.contains("too few yet") && !text.contains("steady") && !text.contains("PSI 0"),
            "{text}"
        );
    }
}
