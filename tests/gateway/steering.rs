//! Limits that are steered towards at the gateway: thresholds are proposed and accepted, or moved, and the session is its replay.

use std::fs;

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Front, Sandbox, Setup};
use crate::replayed::pico;
use crate::upstream::{Reply, Upstream};

/// All goes to the large model: no confidence is that high.
const POLICY: &str = r#"
name = "steered"
baseline = "gpt-4.1"
[[route]]
name = "everything"
no_signal = "small"
ladder = [{ rung = "small", model = "gpt-4.1-nano", threshold = 1000 }, { rung = "large", model = "gpt-4.1" }]
"#;

/// So little that no thresholds cost it.
fn budgets(acts: bool) -> String {
    format!(
        "[budget.all]\nmode = \"observe\"\nlimit = {{ day = \"0.001\" }}\nsteer = {{ act = {acts}, dwell = \"10s\", step = 1000 }}\n"
    )
}

fn sandbox(upstream: &Upstream, acts: bool) -> (Setup, Sandbox) {
    let mut setup = Setup::of(&upstream.url());
    POLICY.clone_into(&mut setup.policy);
    let sandbox = Sandbox::new(&setup);
    fs::write(sandbox.path().join("config/budgets.toml"), budgets(acts)).unwrap();
    (setup, sandbox)
}

fn traffic(front: &Front<'_>, count: usize) {
    for _ in 0..count {
        let body = json!({"model": "auto", "max_tokens": 50,
            "messages": [{"role": "user", "content": "Prove that the square root of two is irrational."}]});
        assert_eq!(Ask::post("/v1/chat/completions", &body).send(front.address()).status(), 200);
    }
}

fn threshold(front: &Front<'_>) -> u64 {
    let policy = Ask::get("/operator/v1/policy").send(front.address()).json();
    policy["routes"][0]["ladder"][0]["threshold"].as_u64().unwrap()
}

/// Waits until what is steered stands so.
fn until(front: &Front<'_>, so: impl Fn(&Value) -> bool) -> Value {
    let end = std::time::Instant::now() + crate::upstream::PATIENCE;
    loop {
        let answer = Ask::get("/operator/v1/steering").send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let found = answer.json()["steering"].clone();
        if so(&found[0]) {
            return found[0].clone();
        }
        assert!(std::time::Instant::now() < end, "{found:#}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
}

#[test]
fn what_is_proposed_moves_nothing_until_it_is_accepted_and_the_session_is_its_replay() {
    let upstream = Upstream::with(|_| Reply::default());
    let (setup, sandbox) = sandbox(&upstream, false);
    let front = sandbox.serve(&setup);
    until(&front, |row| row["heading"] == "learning");
    let accept =
        |limit: &str| Ask::post("/operator/v1/steering", &json!({"accept": limit})).send(front.address());
    assert_eq!(accept("all/day").status(), 409, "nothing is proposed yet");
    assert!(accept("al/day").text().contains("did you mean `all/day`"), "{}", accept("al/day").text());
    traffic(&front, 120);
    let row = until(&front, |row| row["moves"].as_array().is_some_and(|moves| !moves.is_empty()));
    assert_eq!(
        (&row["heading"], &row["moves"][0]["from"]),
        (&json!("out of reach"), &json!(1000)),
        "{row:#}"
    );
    assert_eq!(threshold(&front), 1000, "a proposal moves nothing");
    let shown = sandbox.must(&["steer", "show", "--url", &front.url()]);
    assert!(
        shown.contains("all/day") && shown.contains("proposes") && shown.contains("small 1000 to"),
        "{shown}"
    );
    sandbox.must(&["steer", "accept", "all/day", "--url", &front.url()]);
    assert_eq!(json!(threshold(&front)), row["moves"][0]["to"]);
    assert_eq!(accept("all/day").status(), 409, "it was taken");
    traffic(&front, 5);
    upstream.wait_idle();
    let rows = front.settle();
    assert_eq!(rows.iter().filter(|row| row.model == "gpt-4.1-nano").count(), 5);
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    let sum: i128 = rows.iter().filter(|row| row.kind == "known").filter_map(|row| row.amount).sum();
    let report = sandbox.must(&["replay", "live.jsonl", "--as", "routed", "--format", "json", "--strict"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(pico(&report["cost_known_usd"]), sum, "a replay has the policies and needs no steering");
}

#[test]
fn where_it_acts_thresholds_move_by_themselves_and_the_audit_says_who() {
    let upstream = Upstream::with(|_| Reply::default());
    let (setup, sandbox) = sandbox(&upstream, true);
    let front = sandbox.serve(&setup);
    traffic(&front, 120);
    until(&front, |_| threshold(&front) < 1000);
    traffic(&front, 5);
    upstream.wait_idle();
    let rows = front.settle();
    // It may have acted while the first requests were still under way.
    assert!(
        rows.len() >= 125 && rows.iter().rev().take(5).all(|row| row.model == "gpt-4.1-nano"),
        "{rows:#?}"
    );
    let log = sandbox.must(&["ledger", "export", "-o", "-"]);
    assert!(
        log.contains("steering all/day") && log.contains("towards all/day: everything small 1000"),
        "who and why"
    );
}
