//! The second stage: a small model is asked about requests near a threshold, on its own account, and no longer than may be waited.

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Front, Sandbox, Setup};
use crate::replayed::pico;
use crate::shadowed::says;
use crate::stage::{metrics, nothing_held};
use crate::upstream::{At, Fault, Reply, Upstream};

const ASKED: &str = "mistral-small-2503";

const POLICY: &str = r#"
name = "test"
baseline = "gpt-4.1"

[[route]]
name = "everything"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 500 },
  { rung = "large", model = "gpt-4.1" },
]
"#;

fn setup(upstream: &Upstream, deadline: &str, most: &str) -> Setup {
    let text = format!(
        "[second.everything]\nband = 500\ndeadline = \"{deadline}\"\nmax-spend-per-day = \"{most}\"\n"
    );
    Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()).gateway(&text) }
}

fn ask(front: &Front<'_>, model: &str, prompt: &str, confidence: Option<&str>) -> String {
    let body = json!({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": prompt}]});
    let ask = Ask::post("/v1/chat/completions", &body);
    let ask = match confidence {
        Some(confidence) => ask.header("pointsman-confidence", confidence),
        None => ask,
    };
    ask.send(front.address()).said()
}

fn upstream(verdict: impl Fn(bool) -> Reply + Send + Sync + 'static) -> Upstream {
    Upstream::with(move |call| match call.model.as_str() {
        ASKED => verdict(call.body.to_string().contains("easy")),
        "gpt-4.1" => Reply::text("from the large one"),
        _ => Reply::text("from the small one"),
    })
}

/// How long the model takes.
const WAIT: std::time::Duration = std::time::Duration::from_millis(300);

const EASY: &str = "Is this easy review positive or negative? 'Great product.' Answer with one word.";
const HARD: &str = "Prove that the square root of two is irrational, and discuss every step in depth.";

#[test]
fn what_a_small_model_says_decides_near_a_threshold_and_a_replay_asks_nobody() {
    let upstream =
        upstream(|is_easy| says(if is_easy { r#"{"likelihood": 100}"# } else { r#"{"likelihood": 0}"# }));
    let setup = setup(&upstream, "30s", "5");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    assert_eq!(ask(&front, "auto", EASY, None), "from the small one");
    assert_eq!(ask(&front, "auto", HARD, None), "from the large one");
    // Whoever brings a score or names a model has said what there is to say.
    assert_eq!(ask(&front, "auto", HARD, Some("900")), "from the small one");
    assert_eq!(ask(&front, "gpt-4.1", EASY, None), "from the large one");
    upstream.wait_idle();
    nothing_held(&front);
    assert_eq!(upstream.served().iter().filter(|call| call.call.model == ASKED).count(), 2);
    let live = metrics(&front, "pointsman_cost_usd_total");
    let rows = front.settle();
    assert_eq!(rows.len(), 6, "every call has its account: {rows:#?}");
    sandbox.must(&["ledger", "export", "-o", "log.jsonl", "--with-prices"]);
    sandbox.must(&["ledger", "check"]);
    sandbox.must(&["ledger", "check", "log.jsonl"]);
    let log = std::fs::read_to_string(sandbox.path().join("log.jsonl")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_users: Vec<&Value> =
        lines.iter().filter(|line| line["id"].is_string() && line["key"] != "(shadow)").collect();
    let confidences: Vec<&Value> = of_users.iter().take(3).map(|line| &line["confidence"]).collect();
    assert_eq!(confidences, [&json!(1000), &json!(0), &json!(900)], "{of_users:#?}");
    let is_told = |line: &&&Value| line["down"].to_string().contains("second:");
    assert_eq!(of_users.iter().filter(is_told).count(), 2, "what the classifier had said is told");
    let users: i128 =
        rows.iter().filter(|row| !row.session.starts_with("op-")).filter_map(|row| row.amount).sum();
    let told: i128 = live.iter().map(|(_, value)| pico(&Value::from(value.as_str()))).sum();
    assert_eq!(told, users, "users' figures are without it");
    for reading in ["recorded", "routed"] {
        let report = sandbox.must(&["replay", "log.jsonl", "--as", reading, "--format", "json", "--strict"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!((&report["requests"], pico(&report["cost_known_usd"])), (&json!(4), users), "{reading}");
    }
    let saved: Value =
        serde_json::from_str(&sandbox.must(&["savings", "log.jsonl", "--format", "json"])).unwrap();
    let lines = saved["lines"].as_array().unwrap();
    let line = lines.iter().find(|line| line["name"] == "classifier").unwrap();
    let asked: i128 =
        rows.iter().filter(|row| row.session.starts_with("op-")).filter_map(|row| row.amount).sum();
    assert!(asked > 0 && line["is"] == "observed", "{line}");
    assert_eq!(pico(&line["usd"]), asked, "savings are net of it");
}

#[test]
fn where_nothing_clear_comes_in_time_or_money_is_short_the_classifier_decides() {
    let decided = {
        let upstream = upstream(|_| unreachable!("nobody is asked"));
        let setup = Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()) };
        let sandbox = Sandbox::new(&setup);
        let front = sandbox.serve(&setup);
        [EASY, HARD].map(|prompt| ask(&front, "auto", prompt, None))
    };
    for (verdict, deadline, most, calls) in [
        (says as fn(&str) -> Reply, "30s", "5", 2),
        (|_| Reply::status(500), "30s", "5", 2),
        (|_| Reply::fault(At::BeforeHeaders, Fault::Stall), "50ms", "5", 2),
        (says, "30s", "0.0000001", 0),
    ] {
        let upstream = upstream(move |_| verdict("It depends."));
        let setup = setup(&upstream, deadline, most);
        let sandbox = Sandbox::new(&setup);
        let front = sandbox.serve(&setup);
        let got = [EASY, HARD].map(|prompt| ask(&front, "auto", prompt, None));
        assert_eq!(got, decided, "{deadline} {most}");
        let asked = || upstream.served().iter().filter(|call| call.call.model == ASKED).count();
        assert!(asked() <= calls, "{} were asked of {calls}", asked());
    }
}

/// A gateway that is started again and again would ask without a cap.
#[test]
fn the_day_has_its_cap_after_a_restart_also_where_nobody_told_what_a_call_cost() {
    let upstream = upstream(|_| Reply::fault(At::AfterHeaders, Fault::Close));
    let setup = setup(&upstream, "30s", "0.0003");
    let sandbox = Sandbox::new(&setup);
    let asked = || upstream.served().iter().filter(|call| call.call.model == ASKED).count();
    let mut counts = Vec::new();
    for start in 0..2 {
        let front = sandbox.serve(&setup);
        for at in 0..6 {
            ask(&front, "auto", &format!("{EASY} {start} {at}"), None);
        }
        nothing_held(&front);
        front.settle();
        counts.push(asked());
    }
    assert!((1..6).contains(&counts[0]) && counts[1] == counts[0], "{counts:?}");
}

#[test]
fn who_waits_for_a_second_opinion_has_waited_in_every_figure() {
    let upstream = upstream(|_| {
        std::thread::sleep(WAIT);
        says(r#"{"likelihood": 100}"#)
    });
    let setup = setup(&upstream, "30s", "5");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    assert_eq!(ask(&front, "auto", EASY, None), "from the small one");
    front.settle();
    let log = sandbox.must(&["ledger", "export"]);
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = lines.rfind(|line| line["id"].is_string() && line["key"] != "(shadow)").unwrap();
    assert!(u128::from(ours["began_us"].as_u64().unwrap()) >= WAIT.as_micros(), "{ours}");
}

#[test]
fn a_classifier_that_is_tried_decides_nothing_and_is_told_to_whoever_looks_later() {
    let upstream = upstream(|_| unreachable!("nobody is asked"));
    let setup = Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()) };
    let decided = |setup: &Setup| {
        let sandbox = Sandbox::new(setup);
        let front = sandbox.serve(setup);
        let said = [EASY, HARD].map(|prompt| ask(&front, "auto", prompt, None));
        front.settle();
        (sandbox, said)
    };
    let (_, alone) = decided(&setup);
    let (sandbox, tried) = decided(&setup.args(&["--try-classifier", "public"]));
    assert_eq!(tried, alone, "it decides nothing");
    sandbox.must(&["ledger", "check"]);
    sandbox.must(&["ledger", "export", "-o", "log.jsonl"]);
    sandbox.must(&["ledger", "check", "log.jsonl"]);
    let log = std::fs::read_to_string(sandbox.path().join("log.jsonl")).unwrap();
    let requests = log.lines().filter(|line| line.contains("\"attempts\"") || line.contains("\"model\""));
    assert_eq!(requests.filter(|line| line.contains("tried:c3086f2e:")).count(), 2, "{log}");
    for reading in ["recorded", "routed"] {
        let report = sandbox.must(&["replay", "log.jsonl", "--as", reading, "--format", "json", "--strict"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["requests"], 2, "{reading}");
    }
    // The log holds no prompt, and yet a console has what the other weights thought.
    assert!(!log.contains("square root"));
    let mut names = pointsman::units::Names::default();
    let policy = pointsman::config::policy::parse(POLICY, "policy.toml", &mut names).unwrap();
    let ingest = pointsman::session::Ingest::new(
        names,
        pointsman::classifier::Classifier::builtin(),
        &pointsman::session::IngestOptions::default(),
    );
    let input = pointsman::record::Input::bytes("log.jsonl", log.into_bytes());
    let source = pointsman::record::open(&input, &pointsman::record::ReadOptions::default()).unwrap();
    let book = pointsman::config::prices::builtin("list").unwrap();
    let log =
        pointsman::session::Log::load("log".into(), source, ingest, policy.into(), &book, |_| true).unwrap();
    let mut player = pointsman::session::Player::new(log.into(), pointsman::session::Reading::Recorded, None);
    player.handle(pointsman::session::Command::SeekShare(pointsman::units::PerMille::ONE));
    player.handle(pointsman::session::Command::StageClassifier);
    assert_eq!(player.snapshot().second.as_deref(), Some("c3086f2e"), "{:?}", player.snapshot().message);
}

#[test]
fn a_model_without_a_key_places_no_request_that_somebody_real_answers() {
    let upstream = upstream(|_| panic!("it has no provider"));
    let mut setup = setup(&upstream, "30s", "5");
    setup.providers = setup.providers.replace("\"mistral-*\"", "\"none-*\"");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for prompt in [EASY, HARD] {
        assert!(ask(&front, "auto", prompt, None).starts_with("from the "));
    }
    // It does answer who asks for it by name, as what it is.
    assert!(!ask(&front, ASKED, EASY, None).is_empty());
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!((rows.len(), upstream.served().len()), (3, 2), "{rows:#?}");
    assert_eq!(rows.iter().filter(|row| !row.simulated.is_empty()).count(), 1, "{rows:#?}");
}

/// "Nothing is sent until an operator lifts it", and what a budget refuses costs nothing.
#[test]
fn nobody_is_asked_about_what_is_refused_in_any_case() {
    let upstream = upstream(|_| says(r#"{"likelihood": 50}"#));
    let setup = setup(&upstream, "30s", "5");
    for (budgets, stop) in [("", true), ("[budget.all]\nlimit = { day = \"0.0000001\" }\n", false)] {
        let sandbox = Sandbox::new(&setup);
        std::fs::write(sandbox.path().join("config/budgets.toml"), budgets).unwrap();
        let front = sandbox.serve(&setup);
        if stop {
            let order = Ask::post("/operator/v1/runaways", &json!({"stop": "all"})).send(front.address());
            assert_eq!(order.status(), 200);
        }
        let body =
            json!({"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": EASY}]});
        let answer = Ask::post("/v1/chat/completions", &body).send(front.address());
        assert_eq!(answer.status(), 429, "{}", answer.text());
    }
    assert!(upstream.served().is_empty(), "a prompt left the house");
}
