//! What somebody sees first, takes along, and is refused.

use super::*;
use pointsman::rollout::Order;
use pointsman::session::TurnedAway;

fn done(rig: &mut Rig, key: char) -> Vec<Do> {
    rig.app.event(&Event::Key(KeyEvent::new(KeyCode::Char(key), KeyModifiers::NONE)))
}

#[test]
fn an_empty_live_console_says_where_to_send_and_gives_a_first_request_to_copy() {
    for (screen, size) in [(ScreenId::Overview, (80, 24)), (ScreenId::Traffic, (120, 36))] {
        let mut rig = Rig::open(screen, size, &[]);
        let text = rig.text();
        for words in [
            "http://127.0.0.1:4141/v1",
            "curl http://127.0.0.1:4141/v1/chat/completions",
            "-H 'authorization: Bearer YOUR-KEY'",
            "OPENAI_BASE_URL=http://127.0.0.1:4141/v1",
            "ANTHROPIC_BASE_URL=http://127.0.0.1:4141 ",
            "pointsman keys add",
            "SIMULATED",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let copied = done(&mut rig, 'y');
        let [Do::Copy(command)] = copied.as_slice() else { panic!("{copied:?}") };
        assert!(command.starts_with("curl http://127.0.0.1:4141/v1/chat/completions -H "), "{command}");
        assert!(!command.contains('\n') && command.contains(r#""model":"auto""#), "{command}");
        // Without keys none is asked for.
        rig.player.set_status(Arc::new(LiveStatus { keys: 0, ..status(rig.now) }));
        rig.update();
        assert!(!rig.text().contains("YOUR-KEY"));
        rig.feed(&lines()[..1]);
        assert!(!rig.text().contains("A first request"), "the first request takes its place");
    }
}

#[test]
fn the_detail_of_a_live_request_shows_what_the_classifier_saw() {
    let line = r#"{"id":"op-1","at":"2026-05-23T12:00:00Z","task":"extraction","confidence":700,"saw":"asks_extract=123 code_fence=-80","model":"gpt-4.1","in":10,"out":5,"latency_ms":900}"#;
    let mut rig = Rig::open(ScreenId::Traffic, (120, 36), &[line.to_owned()]);
    rig.key(KeyCode::Enter);
    let text = rig.text();
    for words in [
        "by the classifier, when it arrived",
        "What the classifier saw",
        "asks to extract",
        "+1.23",
        "code fence",
        "-0.80",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn ids_that_begin_alike_show_what_differs() {
    let line = |n: u32| {
        format!(
            r#"{{"id":"op-d7953aa8c1-{n}","at":"2026-05-23T12:00:{n:02}Z","model":"gpt-4.1","in":10,"out":5,"latency_ms":900}}"#
        )
    };
    let fed: Vec<String> = (10..20).map(line).collect();
    for size in [(120, 36), (200, 60)] {
        let text = Rig::open(ScreenId::Traffic, size, &fed).text();
        for n in 10..20 {
            assert!(text.contains(&format!("c1-{n} ")), "{n} at {size:?}: {text}");
        }
    }
}

#[test]
fn a_refusal_is_marked_as_one() {
    let mut rig = Rig::open(ScreenId::Tune, (120, 36), &lines()[..500]);
    rig.app.ui.view.read_only = true;
    for key in ["7", "P", "u"] {
        rig.keys(key);
        let text = rig.text();
        let foot = text.lines().last().unwrap();
        assert!(!foot.contains('✓'), "{key}: {foot}");
    }
    rig.keys("7");
    assert!(rig.text().lines().last().unwrap().trim_start().starts_with("! read-only"), "{}", rig.text());
}

#[test]
fn any_panel_leaves_as_markdown_and_the_list_as_a_file() {
    let mut rig = Rig::open(ScreenId::Overview, (120, 36), &lines()[..500]);
    let copied = done(&mut rig, 'y');
    let [Do::Copy(text)] = copied.as_slice() else { panic!("{copied:?}") };
    assert!(
        text.starts_with("### Spend · ") && text.contains("```text\n") && text.contains("so far"),
        "{text}"
    );
    assert!(!text.contains('│') && !text.contains('╭'), "{text}");
    let mut rig = Rig::open(ScreenId::Traffic, (120, 36), &lines()[..500]);
    assert_eq!(done(&mut rig, 'Y'), [Do::CopyList]);
    assert_eq!(done(&mut rig, 'X'), [Do::Export("csv")]);
    let row = done(&mut rig, 'y');
    assert!(matches!(row.as_slice(), [Do::Copy(row)] if row.contains('\t')), "{row:?}");
}

#[test]
fn ascii_writes_errors_with_two_signs() {
    let mut rig = Rig::open(ScreenId::Tune, (120, 36), lines());
    let glyphs = Glyphs::of(GlyphSet::Ascii);
    rig.app.set_settings(Settings { glyphs, ..settings("dark") });
    rig.key(KeyCode::Right);
    let text = rig.text();
    assert!(text.contains("+/-") && text.is_ascii(), "{text}");
}

#[test]
fn a_ledger_that_is_not_written_is_told_at_every_width() {
    let lines = lines();
    for width in [60, 80, 100, 120, 160, 200] {
        let mut rig = Rig::open(ScreenId::Overview, (width, 30), &lines[..400]);
        let text = "NOT WRITING since 14:03:22: no space left on device; 12 entries wait".to_owned();
        let ledger = LedgerState { text, severity: Severity::Failure };
        rig.player.set_status(Arc::new(LiveStatus { ledger, draining: true, ..status(rig.now) }));
        rig.update();
        let head = rig.text().lines().next().unwrap().to_owned();
        for words in ["LIVE", "LEDGER NOT WRITING"] {
            assert!(head.contains(words), "{width}: {words}: {head}");
        }
        assert_eq!(head.contains("since 14:03:22"), width >= 160, "{width}: {head}");
        assert!(width < 80 || head.contains("DRAINING"), "{width}: {head}");
    }
}

#[test]
fn what_was_refused_at_the_gate_is_told_by_reason_and_apart_from_the_requests() {
    let lines = lines();
    let away = |reason: &str, count| TurnedAway { reason: reason.into(), count };
    let turned_away = vec![away("not found", 8), away("no valid key", 4)];
    for (size, words) in [
        ((80, 24), "refused    12 besides: 8 not"),
        ((160, 45), "refused    12 besides: 8 not found, 4 no valid key"),
    ] {
        let mut rig = Rig::open(ScreenId::Overview, size, lines);
        let requests = rig.player.snapshot().totals.all.requests;
        rig.player.set_status(Arc::new(LiveStatus { turned_away: turned_away.clone(), ..status(rig.now) }));
        rig.update();
        let text = rig.text();
        assert!(text.contains(words.split(": ").next().unwrap()), "{text}");
        assert!(size.0 < 100 || text.contains(words) && text.contains("12 refused"), "{text}");
        assert_eq!(rig.player.snapshot().totals.all.requests, requests);
    }
    // Where no request has come through, that is the first thing to know.
    let mut rig = Rig::open(ScreenId::Overview, (100, 30), &[]);
    rig.player.set_status(Arc::new(LiveStatus { turned_away, ..status(rig.now) }));
    rig.update();
    assert!(rig.text().contains("Refused at the gate so far: 8 not found, 4 no valid key"), "{}", rig.text());
}

#[test]
fn a_rollout_shows_both_sides_and_what_its_next_step_lacks() {
    use pointsman::session::{ArmRow, RolloutRow};
    let arm = |requests, usd: &str| ArmRow {
        requests,
        usd_per_thousand: Some(usd.to_owned()),
        failed: Some(4),
        escalated: Some(31),
        mean_ms: Some(812),
        judged: 40,
        quality: Some(930),
        quality_within: Some((830, 972)),
    };
    let row = RolloutRow {
        name: "cheaper-code".into(),
        route: "code".into(),
        change: "gpt-4.1-nano from 550‰".into(),
        phase: "running".into(),
        stage: 3,
        stages: vec![0, 10, 50, 250, 500, 1000],
        share: 50,
        by: "anna".into(),
        lacks: vec!["30 judged answers of the canary".into(), "time, until 15:03:00".into()],
        canary: arm(212, "1.23"),
        base: arm(4012, "1.6"),
        ..RolloutRow::default()
    };
    for size in SIZES {
        let mut rig = Rig::open(ScreenId::Rollout, size, &lines()[..20]);
        assert!(rig.text().contains("Nothing is rolled out"), "{}", rig.text());
        rig.player.set_status(Arc::new(LiveStatus { rollouts: vec![row.clone()], ..status(rig.now) }));
        rig.update();
        let text = rig.text();
        let words = [
            "cheaper-code",
            "stage 3 of 6, 50‰, lacks 2 things",
            "gpt-4.1-nano from 550‰, on route code",
            "route beside",
            "$1.23",
            "930‰ (830–972), 40",
            "30 judged answers of the canary",
            "250‰ lacks",
        ];
        for words in words {
            assert!(text.contains(words), "{size:?} {words}: {text}");
        }
        // What changes traffic is asked why, said and confirmed.
        assert_eq!(done(&mut rig, 's'), []);
        assert!(rig.text().contains("skip a step of cheaper-code, because"), "{}", rig.text());
        rig.keys("labels");
        rig.key(KeyCode::Enter);
        let asked = rig.text();
        assert!(asked.contains("250‰ of the sessions of route code, now 50‰"), "{asked}");
        assert!(asked.contains("; passed") && asked.contains("judged answers of the canary;"), "{asked}");
        assert_eq!(done(&mut rig, 'q'), [], "nothing but y does it");
        let skip = |why: &str| Do::Send(Command::Rollout("cheaper-code".into(), Order::Skip, why.into()));
        assert_eq!(done(&mut rig, 'y'), [skip("labels")]);
        // What changes nothing is done with its reason.
        done(&mut rig, 'h');
        let enter = Event::Key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE));
        let held = Do::Send(Command::Rollout("cheaper-code".into(), Order::Hold, String::new()));
        assert_eq!(rig.app.event(&enter), [held]);
        done(&mut rig, 'b');
        rig.key(KeyCode::Enter);
        rig.key(KeyCode::Esc);
        let copied = done(&mut rig, 'y');
        assert!(matches!(copied.as_slice(), [Do::Copy(_)]), "it was left, and y copies again: {copied:?}");
        // Only a rollout that is held goes on.
        done(&mut rig, 'r');
        assert!(rig.text().contains("is not held"), "{}", rig.text());
    }
}

#[test]
fn steering_and_automations_say_what_they_propose_and_a_key_accepts_it() {
    use pointsman::session::{AutomationRow, Moved, SteerRow};
    use pointsman::units::PerMille;
    let move_row = Moved {
        route: "extraction".into(),
        rung: "flash".into(),
        from: PerMille::clamped(620),
        to: PerMille::clamped(588),
    };
    let steering = SteerRow {
        limit: "company/month".into(),
        aim_permille: 990,
        spent_usd: "12".into(),
        limit_usd: "60".into(),
        heading: "moves".into(),
        expected_requests: Some(900),
        now_per_1000_usd: Some("8.4".into()),
        wanted_per_1000_usd: Some("7.2".into()),
        best_per_1000_usd: Some("7.1".into()),
        moves: vec![move_row],
        ..SteerRow::default()
    };
    let automation = AutomationRow {
        name: "spare".into(),
        signal: "quota left at anthropic, ‰".into(),
        reading: Some(120),
        told: "12.0 % of the quota at anthropic is left".into(),
        on: 150,
        off: 400,
        is_on: true,
        route: "code".into(),
        to: "large".into(),
        share: 250,
        most: 500,
        ..AutomationRow::default()
    };
    for size in SIZES {
        let mut rig = Rig::open(ScreenId::Rollout, size, &lines()[..20]);
        let (steering, automations) = (vec![steering.clone()], vec![automation.clone()]);
        rig.player.set_status(Arc::new(LiveStatus { steering, automations, ..status(rig.now) }));
        rig.update();
        let text = rig.text();
        for words in [
            "proposes 1 move",
            "dry run, would shift 250‰ of 500‰",
            "extraction flash from 620 to 588",
            "~$8.40",
        ] {
            assert!(text.contains(words), "{size:?} {words}: {text}");
        }
        assert_eq!(done(&mut rig, 'a'), []);
        assert!(rig.text().contains("thresholds move: extraction flash 620 to 588"), "{}", rig.text());
        let accepted = Do::Send(Command::AcceptSteering("company/month".into()));
        assert_eq!(done(&mut rig, 'y'), [accepted]);
        rig.key(KeyCode::Down);
        let text = rig.text();
        for words in [
            "12.0 % of the quota",
            "a dry run: it only proposes",
            "on from 150, off from 400; on now",
            "last changed",
        ] {
            assert!(text.contains(words), "{size:?} {words}: {text}");
        }
        done(&mut rig, 'a');
        assert!(rig.text().contains("choose a limit that is steered towards"), "{}", rig.text());
        // Where nothing may be changed from here, that is said.
        rig.player.tell(|view| view.read_only = Some("the key lacks the scope `operate`".into()));
        rig.key(KeyCode::Up);
        done(&mut rig, 'a');
        let text = rig.text();
        assert!(text.contains("not from here: the key lacks") && text.contains("read only"), "{text}");
    }
}

#[test]
fn a_plan_of_the_folder_is_listed_and_started_once_that_is_confirmed() {
    use pointsman::config::rollouts;
    use pointsman::console::screens::rollout::Plans;
    const PLAN: &str = "[rollout.cheaper]\nroute = \"code\"\nset = { \"4.1\" = 500 }\n";
    for size in SIZES {
        let mut rig = Rig::open(ScreenId::Rollout, size, &lines()[..20]);
        let list = rollouts::parse(PLAN, "rollouts.toml").unwrap();
        let plans = Plans { origin: "rollouts.toml".into(), list, problem: String::new() };
        rig.app.ui.rollout.set_plans(plans);
        let text = rig.text();
        for words in
            ["not begun, for route code", "4.1 from 500‰", "0, 10, 50, 250, 500, 1000 ‰", "S starts it"]
        {
            assert!(text.contains(words), "{size:?} {words}: {text}");
        }
        assert_eq!(done(&mut rig, 'S'), []);
        assert!(rig.text().contains("begins beside the traffic of route code"), "{}", rig.text());
        let start = Command::StartRollout { name: "cheaper".into(), plan: PLAN.into() };
        assert_eq!(done(&mut rig, 'y'), [Do::Send(start)]);
    }
}
