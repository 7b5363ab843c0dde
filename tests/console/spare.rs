//! A route with a fallback in the console: no key reaches it, no mark stands for it, nothing is proved of it.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use pointsman::console::screen::ScreenId;
use pointsman::session::{Command, Log};
use pointsman::units::PerMille;

use super::{SIZES, Sandbox, log_of};

/// Requests of which all answers were judged, under a policy with a fallback.
fn judged_log() -> Arc<Log> {
    use std::fmt::Write as _;
    let routes = r#"[{"route":"all","ladder":[{"rung":"spare","model":"claude-opus-4-6","fallback":true},{"rung":"small","model":"mistral-small-2503","threshold":600},{"rung":"big","model":"gpt-4.1"}]}]"#;
    let mut text = format!(
        r#"{{"event":"policy","at":"2026-05-23T09:00:00Z","version":3,"name":"p","routes":{routes}}}"#
    ) + "\n";
    for at in 0..1500u32 {
        let confidence = at * 7 % 1001;
        let cheap = if at % 4 == 0 && confidence < 400 { 0 } else { 1000 };
        let (minute, second) = (at / 60, at % 60);
        writeln!(
            text,
            r#"{{"at":"2026-05-23T10:{minute:02}:{second:02}Z","task":"code","confidence":{confidence},"model":"gpt-4.1","in":1000,"out":200,"labels":[{{"model":"mistral-small-2503","quality":{cheap},"output":200}},{{"model":"gpt-4.1","quality":1000}},{{"model":"claude-opus-4-6","quality":1000}}]}}"#
        )
        .unwrap();
    }
    log_of("judged.jsonl", text.into_bytes().leak())
}

fn at_the_end(log: &Arc<Log>, screen: ScreenId, size: (u16, u16)) -> Sandbox {
    let mut sandbox = Sandbox::open(log, screen, size);
    sandbox.player.handle(Command::SeekShare(PerMille::ONE));
    sandbox.app.update(Arc::new(sandbox.player.snapshot()));
    sandbox
}

#[test]
fn every_key_of_tune_moves_a_rung_that_has_a_threshold() {
    let log = judged_log();
    for size in SIZES {
        let mut sandbox = at_the_end(&log, ScreenId::Tune, size);
        let text = sandbox.text();
        assert!(text.contains("spare") && text.contains("certified from"), "{size:?}: {text}");
        for key in ["j", "j", "k", "r"] {
            sandbox.keys(key);
            assert_eq!(sandbox.app.ui.tune.chosen(&sandbox.shown().policy).1, 1, "{size:?} after {key}");
        }
        assert_eq!(sandbox.applied(), 600);
        sandbox.key(KeyCode::Left, KeyModifiers::SHIFT);
        assert_eq!(sandbox.staged(), Some(590));
        let spare = |sandbox: &Sandbox| sandbox.shown().tried().routes[0].ladder[0].threshold;
        assert_eq!(spare(&sandbox), PerMille::ONE);
        // Whoever asks for it in so many words is told.
        let route = sandbox.app.ui.tune.chosen(&sandbox.shown().policy).0;
        for command in [Command::Nudge(route, 0, -10), Command::SetThreshold(route, 0, PerMille::ZERO)] {
            sandbox.player.handle(command);
            let snapshot = sandbox.player.snapshot();
            let said = snapshot.message.clone().unwrap_or_default();
            assert!(said.contains("a fallback has no threshold"), "{said}");
            sandbox.app.update(Arc::new(snapshot));
            assert_eq!((spare(&sandbox), sandbox.staged()), (PerMille::ONE, Some(590)));
        }
    }
}

#[test]
fn nothing_is_certified_of_a_fallback_and_its_answers_are_told_all_the_same() {
    let log = judged_log();
    for size in SIZES {
        let mut sandbox = at_the_end(&log, ScreenId::Quality, size);
        let proofs = &sandbox.shown().proofs[0];
        assert!(proofs[0].standing.given.is_none() && proofs[0].turns.is_empty(), "{:?}", proofs[0].standing);
        assert_eq!(proofs[0].quality.cheap.n, 1500);
        assert!(proofs[1].standing.given.is_some());
        let text = sandbox.text();
        let row = text.lines().find(|line| line.contains("claude-opus-4-6")).unwrap();
        assert!(row.contains("1.000"), "its answers are good: {row}");
        assert!(size.0 < 100 || row.contains("a fallback"), "{row}");
        sandbox.key(KeyCode::Home, KeyModifiers::NONE);
        let text = sandbox.text();
        assert!(text.contains("a fallback has no threshold"), "{size:?}: {text}");
    }
}

#[test]
fn a_histogram_marks_no_threshold_of_a_fallback() {
    let log = judged_log();
    for size in SIZES {
        for screen in [ScreenId::Overview, ScreenId::Tune] {
            let mut sandbox = at_the_end(&log, screen, size);
            let text = sandbox.text();
            let marks = text.lines().filter(|line| line.contains('▲') && !line.contains("alert"));
            let most = marks.map(|line| line.matches('▲').count()).max().unwrap_or(0);
            assert!(most <= 1, "{screen:?} {size:?}: {text}");
            // Where nobody is served by it, no row says so.
            let told = text.lines().filter(|line| line.contains("spare share") || line.contains("spare 0"));
            assert_eq!(told.count(), 0, "{screen:?} {size:?}: {text}");
        }
    }
}
