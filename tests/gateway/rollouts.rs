//! Rollouts at the gateway: steps come with evidence and are taken back where it turns, over a restart, and the session with a
//! rollout in it is its replay.

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::front::{Front, Row, Sandbox, Setup};
use crate::replayed::pico;
use crate::upstream::{Reply, Upstream};

/// All goes to the large model: no confidence is that high.
const POLICY: &str = r#"
name = "rolled"
baseline = "gpt-4.1"
[[route]]
name = "everything"
no_signal = "small"
ladder = [{ rung = "small", model = "gpt-4.1-nano", threshold = 1000 }, { rung = "large", model = "gpt-4.1" }]
"#;

const PLANS: &str = r#"
[rollout.cheaper]
route = "everything"
set = { small = 0 }
stages = [0, 500, 1000]
requests = 40
dwell = "0s"
cost = 0.9

[rollout.dear]
route = "everything"
ladder = [{ rung = "best", model = "claude-opus-4-6" }]
stages = [0, 500]
requests = 40
dwell = "0s"
"#;

fn order(front: &Front<'_>, body: &Value) -> Answer {
    Ask::post("/operator/v1/rollouts", body).send(front.address())
}

fn start(front: &Front<'_>, name: &str) -> Answer {
    order(front, &json!({ "start": name, "plan": PLANS }))
}

fn rollouts(front: &Front<'_>) -> Value {
    let answer = Ask::get("/operator/v1/rollouts").send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()["rollouts"].clone()
}

/// Sends requests, each of a session of its own.
fn traffic(front: &Front<'_>, name: &str, count: usize) {
    for at in 0..count {
        let body = json!({"model": "auto", "max_tokens": 50,
            "messages": [{"role": "user", "content": "Prove that the square root of two is irrational."}]});
        let ask =
            Ask::post("/v1/chat/completions", &body).header("pointsman-session", &format!("{name}-{at}"));
        assert_eq!(ask.send(front.address()).status(), 200);
    }
}

/// Waits until the rollouts are so.
fn until(front: &Front<'_>, so: impl Fn(&Value) -> bool) -> Value {
    let end = std::time::Instant::now() + crate::upstream::PATIENCE;
    loop {
        let found = rollouts(front);
        if so(&found[0]) {
            return found[0].clone();
        }
        assert!(std::time::Instant::now() < end, "{found:#}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Waits until the ledger holds so many calls that are over: what is written an instant later, a kill may take.
fn written(sandbox: &Sandbox, calls: usize) -> Vec<Row> {
    let end = std::time::Instant::now() + crate::upstream::PATIENCE;
    loop {
        let rows = sandbox.ledger();
        if rows.len() >= calls && rows.iter().all(|row| !row.open) {
            return rows;
        }
        assert!(std::time::Instant::now() < end, "{} of {calls} calls are written", rows.len());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn sandbox(upstream: &Upstream) -> (Setup, Sandbox) {
    let mut setup = Setup::of(&upstream.url());
    POLICY.clone_into(&mut setup.policy);
    let sandbox = Sandbox::new(&setup);
    (setup, sandbox)
}

#[test]
fn steps_come_with_evidence_over_a_restart_and_the_session_is_its_replay() {
    let upstream = Upstream::with(|_| Reply::default());
    let (setup, sandbox) = sandbox(&upstream);
    let front = sandbox.serve(&setup);
    traffic(&front, "before", 5);
    let begun = start(&front, "cheaper");
    assert_eq!(begun.status(), 200, "{}", begun.text());
    let refused = start(&front, "dear");
    assert_eq!(refused.status(), 409);
    assert!(refused.text().contains("one writer a route"), "{}", refused.text());
    // Beside the traffic nothing is decided, and what is told is an estimate.
    traffic(&front, "shadow", 20);
    let stood = until(&front, |row| row["canary"]["requests"] == 20);
    assert_eq!((&stood["estimated"], &stood["share"]), (&json!(true), &json!(0)), "{stood:#}");
    assert!(stood["lacks"][0].as_str().unwrap().contains("20 requests"), "{stood:#}");
    assert!(written(&sandbox, 25).iter().all(|row| row.model == "gpt-4.1"));
    traffic(&front, "more", 25);
    until(&front, |row| row["stage"] == 2);
    // Half of the sessions now; a restart goes on in the same stage, with what was seen in it.
    traffic(&front, "half", 50);
    let seen = until(&front, |row| row["canary"]["requests"].as_u64() > Some(10));
    written(&sandbox, 100);
    front.kill();
    let front = sandbox.serve(&setup);
    let again =
        until(&front, |row| row["canary"]["requests"].as_u64() >= seen["canary"]["requests"].as_u64());
    assert_eq!(
        (&again["stage"], &again["share"], &again["phase"]),
        (&json!(2), &json!(500), &json!("running"))
    );
    // As many as make forty of the canary, whoever is drawn.
    traffic(&front, "rest", 160);
    until(&front, |row| row["stage"] == 3);
    traffic(&front, "all", 50);
    let done = until(&front, |row| row["phase"] == "done");
    assert_eq!(done["why"], "", "{done:#}");
    let policy = Ask::get("/operator/v1/policy").send(front.address()).json();
    assert_eq!(policy["routes"].as_array().unwrap().len(), 1, "{policy:#}");
    assert_eq!(policy["routes"][0]["ladder"][0]["threshold"], 0, "{policy:#}");
    let listed = sandbox.must(&["rollout", "list", "--url", &front.url(), "--format", "csv"]);
    assert!(listed.contains("cheaper,everything,small from 0‰,done"), "{listed}");
    upstream.wait_idle();
    let rows = front.settle();
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    let sum: i128 = rows.iter().filter(|row| row.kind == "known").filter_map(|row| row.amount).sum();
    for reading in ["recorded", "routed"] {
        let report = sandbox.must(&["replay", "live.jsonl", "--as", reading, "--format", "json", "--strict"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(pico(&report["cost_known_usd"]), sum, "{reading}");
        for model in report["by_model"].as_array().unwrap() {
            let name = model["model"].as_str().unwrap();
            let attempts = rows.iter().filter(|row| row.model == name).count();
            assert_eq!(model["attempts"], attempts, "{reading}: {name}");
        }
        let routes = report["by_route"].as_array().unwrap();
        assert!(
            routes.iter().any(|route| route["route"] == "cheaper"),
            "both sides are told apart: {routes:#?}"
        );
    }
}

#[test]
fn what_costs_too_much_is_taken_back_and_an_operator_may_hold_skip_and_take_back() {
    let upstream = Upstream::with(|_| Reply::default());
    let (setup, sandbox) = sandbox(&upstream);
    let front = sandbox.serve(&setup);
    assert_eq!(start(&front, "dear").status(), 200);
    assert_eq!(order(&front, &json!({"hold": "dear", "why": "until Monday"})).status(), 200);
    traffic(&front, "shadow", 45);
    let back = until(&front, |row| row["phase"] == "taken back");
    assert!(back["why"].as_str().unwrap().starts_with("cost: $"), "{back:#}");
    let models = written(&sandbox, 45);
    assert!(models.iter().all(|row| row.model == "gpt-4.1"), "it never decided anything");
    assert_eq!(order(&front, &json!({"skip": "dear"})).status(), 409, "it is over");
    assert_eq!(order(&front, &json!({"skip": "deer"})).status(), 409);
    assert_eq!(order(&front, &json!({"skip": "dear", "hold": "dear"})).status(), 400);
    assert_eq!(start(&front, "cheaper").status(), 200);
    let skipped = order(&front, &json!({"skip": "cheaper"}));
    assert!(skipped.json()["said"].as_str().unwrap().contains("500‰"), "{}", skipped.text());
    let policy = || Ask::get("/operator/v1/policy").send(front.address()).json();
    assert_eq!(policy()["routes"][0]["canary"], json!({"of": "everything", "share": 500}));
    assert_eq!(order(&front, &json!({"back": "cheaper", "why": "not today"})).status(), 200);
    assert_eq!(policy()["routes"].as_array().unwrap().len(), 1);
    let shown = sandbox.must(&["rollout", "show", "cheaper", "--url", &front.url()]);
    assert!(shown.contains("not today"), "{shown}");
    drop(front.settle());
}

#[test]
fn over_a_log_it_says_when_steps_would_have_come_and_that_nothing_of_it_happened() {
    let upstream = Upstream::with(|_| Reply::default());
    let (_, sandbox) = sandbox(&upstream);
    let line = |at: usize| {
        format!(
            r#"{{"id":"r-{at}","at":"2026-05-23T12:{:02}:{:02}Z","session":"s-{at}","task":"code","confidence":300,"model":"gpt-4.1","in":1000,"out":100,"latency_ms":900}}"#,
            at / 60,
            at % 60
        ) + "\n"
    };
    std::fs::write(sandbox.path().join("past.jsonl"), (0..600).map(line).collect::<String>()).unwrap();
    std::fs::write(sandbox.path().join("plans.toml"), PLANS).unwrap();
    std::fs::write(sandbox.path().join("p.toml"), POLICY).unwrap();
    let tried = |name: &str| -> Value {
        let args = [
            "rollout",
            "past.jsonl",
            "--plan",
            "plans.toml",
            "--name",
            name,
            "--policy",
            "p.toml",
            "--format",
            "json",
        ];
        serde_json::from_str(&sandbox.must(&args)).unwrap()
    };
    let (cheaper, dear) = (tried("cheaper"), tried("dear"));
    assert_eq!(
        (&cheaper["simulated"], &cheaper["last"]["phase"]),
        (&json!(true), &json!("done")),
        "{cheaper:#}"
    );
    let steps: Vec<&str> =
        cheaper["steps"].as_array().unwrap().iter().map(|step| step["what"].as_str().unwrap()).collect();
    let wanted = [
        "rollout cheaper: 500‰ of the sessions of route everything",
        "rollout cheaper: 1000‰ of the sessions of route everything",
        "rollout cheaper: done, route everything is changed",
    ];
    assert_eq!(steps, wanted);
    assert_eq!(cheaper["drawn"], cheaper["drawn_estimated"], "the log has no answer of the small model");
    assert_eq!(dear["last"]["phase"], "taken back", "{dear:#}");
    assert_eq!(tried("cheaper"), cheaper, "the same log says the same");
}

/// Nobody but users would notice: empty answers are quick and cheap, and their status is good.
#[test]
fn a_canary_whose_answers_fail_their_check_is_not_taken_live() {
    let upstream =
        Upstream::with(|call| if call.model == "gpt-4.1-nano" { Reply::text("") } else { Reply::default() });
    let (setup, sandbox) = sandbox(&upstream);
    let front = sandbox.serve(&setup);
    let plan = "[rollout.empty]\nroute = \"everything\"\nladder = [{ rung = \"best\", model = \"gpt-4.1-nano\" }]\n\
        stages = [500, 1000]\nrequests = 20\ndwell = \"0s\"\n";
    let begun = order(&front, &json!({ "start": "empty", "plan": plan }));
    assert_eq!(begun.status(), 200, "{}", begun.text());
    traffic(&front, "empty", 100);
    let stood = until(&front, |row| row["canary"]["failed"].as_u64().is_some_and(|failed| failed >= 10));
    assert_ne!(stood["share"], json!(1000), "{stood:#}");
}
