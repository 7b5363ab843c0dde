//! Certificates on Tune, and the best thresholds for what is typed there.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use pointsman::certificate::{Turn, Withdrawn};
use pointsman::console::screen::ScreenId;
use pointsman::session::{Command, Log, Player, Reading};
use pointsman::units::{PerMille, Span};

use super::{SIZES, Sandbox, log_of};

/// A route of which every answer was judged, good from a confidence of 400 up.
fn judged_log() -> Arc<Log> {
    log_of("judged.jsonl", judged("").into_bytes().leak())
}

/// The same behind some lines.
fn judged(before: &str) -> String {
    use std::fmt::Write as _;
    let mut text = before.to_owned();
    for at in 0..1500u32 {
        let confidence = at * 7 % 1001;
        let cheap = if at % 4 == 0 && confidence < 400 { 0 } else { 1000 };
        let (minute, second) = (at / 60, at % 60);
        writeln!(
            text,
            r#"{{"at":"2026-05-23T10:{minute:02}:{second:02}Z","task":"classification","confidence":{confidence},"model":"gpt-4.1","in":1000,"out":200,"labels":[{{"model":"mistral-small-2503","quality":{cheap},"output":200}},{{"model":"gpt-4.1","quality":1000}}]}}"#
        )
        .unwrap();
    }
    text
}

#[test]
fn a_certificate_ends_with_the_classifier_whose_confidences_it_is_about() {
    let policy = |at: &str, version: u32, classifier: &str| {
        let routes = r#"[{"route":"all","ladder":[{"model":"mistral-small-2503","threshold":400},{"model":"gpt-4.1"}]}]"#;
        format!(
            r#"{{"event":"policy","at":"2026-05-23T{at}Z","version":{version},"under":{{"classifier":"{classifier}"}},"name":"p","routes":{routes}}}"#
        ) + "\n"
    };
    for (second, withdrawn) in [("b 2", true), ("a 1", false)] {
        let log = judged(&(policy("09:00:00", 1, "a 1") + &policy("10:20:00", 2, second)));
        let log = log_of("judged.jsonl", log.into_bytes().leak());
        let mut player = Player::new(log, Reading::Recorded, Some(Span::hours(1)));
        player.handle(Command::SeekShare(PerMille::ONE));
        let proofs = player.snapshot().proofs;
        let turns = &proofs[0][0].turns;
        let is_it = |turn: &Turn| *turn == Turn::Withdrawn(Withdrawn::Classifier);
        assert!(
            !turns.is_empty() && turns.iter().any(|(_, turn)| is_it(turn)) == withdrawn,
            "{second}: {turns:?}"
        );
    }
}

#[test]
fn what_is_certified_is_drawn_at_every_size_and_left_only_when_asked_for_twice() {
    let log = judged_log();
    for size in SIZES {
        let mut sandbox = Sandbox::open(&log, ScreenId::Tune, size);
        sandbox.player.handle(Command::SeekShare(PerMille::ONE));
        sandbox.app.update(Arc::new(sandbox.player.snapshot()));
        let (route, rung) = sandbox.app.ui.tune.chosen(&sandbox.shown().policy);
        let from = sandbox.shown().certified(route, rung).unwrap().get();
        assert!((250..400).contains(&from), "{from}");
        let text = sandbox.text();
        assert!(text.contains(&format!("certified from {from}")) && text.contains("┃"), "{size:?}: {text}");

        sandbox.keys(&format!("{}", from - 1));
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        let before = sandbox.applied();
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(sandbox.applied(), before, "asked first");
        let text = sandbox.text();
        assert!(text.contains("would leave what is cert"), "{size:?}: {text}");
        // Another value is another question.
        sandbox.key(KeyCode::Left, KeyModifiers::NONE);
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(sandbox.applied(), before);
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(sandbox.applied(), from - 2);
        let what = &sandbox.shown().changes.last().unwrap().what;
        assert!(what.ends_with(&format!("(classification small below its certificate, {from})")), "{what}");
        // Once outside, going on is no crossing.
        sandbox.key(KeyCode::Left, KeyModifiers::NONE);
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(sandbox.applied(), from - 3);
    }
}

#[test]
fn a_certificate_is_the_same_however_one_got_there() {
    let log = judged_log();
    let at = |shares: &[u16]| {
        let mut player = Player::new(Arc::clone(&log), Reading::Recorded, Some(Span::hours(1)));
        let mut seen = None;
        for &share in shares {
            player.handle(Command::SeekShare(PerMille::new(share).unwrap()));
            seen = Some(player.snapshot().proofs);
        }
        seen.unwrap()
    };
    let straight = at(&[600]);
    assert_eq!(at(&[100, 300, 600]), straight);
    assert_eq!(at(&[1000, 50, 600]), straight);
    assert_ne!(at(&[100]), straight, "what lies ahead is not known");
}

#[test]
fn an_aim_stages_the_best_thresholds_and_says_what_is_out_of_reach() {
    let log = judged_log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Tune, (120, 36));
    sandbox.player.handle(Command::SeekShare(PerMille::ONE));
    sandbox.app.update(Arc::new(sandbox.player.snapshot()));
    let aim = |sandbox: &mut Sandbox, text: &str| {
        sandbox.keys("a");
        sandbox.keys(text);
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
    };
    aim(&mut sandbox, "q .999");
    assert!((350..500).contains(&sandbox.staged().unwrap()));
    let text = sandbox.text();
    assert!(text.contains("staged: $") && text.contains("(least cost at quality .999)"), "{text}");
    aim(&mut sandbox, "-20%");
    assert!(sandbox.staged().unwrap() < sandbox.applied(), "cheaper lets more through");
    aim(&mut sandbox, "certified");
    let (route, rung) = sandbox.app.ui.tune.chosen(&sandbox.shown().policy);
    // Of thresholds that let the same requests through, the highest is taken.
    let from = sandbox.shown().certified(route, rung).unwrap().get();
    assert!((from..400).contains(&sandbox.staged().unwrap()), "{from}");
    aim(&mut sandbox, "$0.01");
    assert!(sandbox.text().contains("out of reach"), "{}", sandbox.text());
    aim(&mut sandbox, "nonsense");
    assert!(sandbox.text().contains("is no aim"), "{}", sandbox.text());
    // An aim typed without its key is the aim, and not the threshold that its digits are.
    sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
    aim(&mut sandbox, "-20%");
    let aimed = sandbox.staged();
    // A number is taken whole or not at all.
    for (typed, staged) in
        [("-20%", aimed), ("20%", None), ("5.4", None), ("1e3", None), ("62o", None), ("10005", None)]
    {
        sandbox.key(KeyCode::Esc, KeyModifiers::NONE);
        assert_eq!(sandbox.staged(), None);
        sandbox.keys(typed);
        let text = sandbox.text();
        assert_eq!(text.contains(&format!("{typed} is no threshold")), staged.is_none(), "{typed}: {text}");
        sandbox.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(sandbox.staged(), staged, "{typed}");
    }
}
