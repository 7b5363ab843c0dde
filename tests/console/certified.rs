//! Certificates on Tune, and the best thresholds for what is typed there.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyModifiers};
use pointsman::certificate::{Turn, Withdrawn};
use pointsman::console::screen::ScreenId;
use pointsman::session::{Command, Log, Player, Reading};
use pointsman::units::{PerMille, Span};

use super::{Desk, SIZES, log_of};

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
        let mut desk = Desk::open(&log, ScreenId::Tune, size);
        desk.player.handle(Command::SeekShare(PerMille::ONE));
        desk.app.update(Arc::new(desk.player.snapshot()));
        let (route, rung) = desk.app.ui.tune.chosen(&desk.shown().policy);
        let from = desk.shown().certified(route, rung).unwrap().get();
        assert!((250..400).contains(&from), "{from}");
        let text = desk.text();
        assert!(text.contains(&format!("certified from {from}")) && text.contains("┃"), "{size:?}: {text}");

        desk.keys(&format!("{}", from - 1));
        desk.key(KeyCode::Enter, KeyModifiers::NONE);
        let before = desk.applied();
        desk.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(desk.applied(), before, "asked first");
        let text = desk.text();
        assert!(text.contains("would leave what is cert"), "{size:?}: {text}");
        // Another value is another question.
        desk.key(KeyCode::Left, KeyModifiers::NONE);
        desk.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(desk.applied(), before);
        desk.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(desk.applied(), from - 2);
        let what = &desk.shown().changes.last().unwrap().what;
        assert!(what.ends_with(&format!("(classification small below its certificate, {from})")), "{what}");
        // Once outside, going on is no crossing.
        desk.key(KeyCode::Left, KeyModifiers::NONE);
        desk.key(KeyCode::Enter, KeyModifiers::NONE);
        assert_eq!(desk.applied(), from - 3);
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
    let mut desk = Desk::open(&log, ScreenId::Tune, (120, 36));
    desk.player.handle(Command::SeekShare(PerMille::ONE));
    desk.app.update(Arc::new(desk.player.snapshot()));
    let aim = |desk: &mut Desk, text: &str| {
        desk.keys("a");
        desk.keys(text);
        desk.key(KeyCode::Enter, KeyModifiers::NONE);
    };
    aim(&mut desk, "q .999");
    assert!((350..500).contains(&desk.staged().unwrap()));
    let text = desk.text();
    assert!(text.contains("staged, least cost at quality .999"), "{text}");
    aim(&mut desk, "-20%");
    assert!(desk.staged().unwrap() < desk.applied(), "cheaper lets more through");
    aim(&mut desk, "certified");
    let (route, rung) = desk.app.ui.tune.chosen(&desk.shown().policy);
    // Of thresholds that let the same requests through, the highest is taken.
    let from = desk.shown().certified(route, rung).unwrap().get();
    assert!((from..400).contains(&desk.staged().unwrap()), "{from}");
    aim(&mut desk, "$0.01");
    assert!(desk.text().contains("out of reach"), "{}", desk.text());
    aim(&mut desk, "nonsense");
    assert!(desk.text().contains("is no aim"), "{}", desk.text());
}
