//! Automations at the gateway: they act in steps where they may, only propose where not, leave a route to its one writer, and a
//! session with one in it is its replay.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Front, Sandbox, Setup};
use crate::replayed::pico;
use crate::upstream::{Reply, Upstream};

const POLICY: &str = r#"
name = "automated"
baseline = "gpt-4.1"
[[route]]
name = "everything"
ladder = [{ rung = "small", model = "gpt-4.1-nano", threshold = 1000 }, { rung = "large", model = "gpt-4.1" }]
"#;

/// Whatever is spent is too much.
fn rules(folder: &Path, acts: bool) {
    let text = format!(
        "[automation.thrift]\nwhen = {{ spend = \"all/lifetime\", above = 1, until = 0 }}\nroute = \"everything\"\nto = \"small\"\n\
         share = 1000\nstep = 500\ndwell = \"1s\"\nact = {acts}\n"
    );
    fs::write(folder.join("config/automations.toml"), text).unwrap();
}

fn sandbox(upstream: &Upstream) -> (Setup, Sandbox) {
    let mut setup = Setup::of(&upstream.url());
    POLICY.clone_into(&mut setup.policy);
    let sandbox = Sandbox::new(&setup);
    let budgets = "[budget.all]\nlimit = { lifetime = \"0.001\" }\nmode = \"observe\"\n";
    fs::write(sandbox.path().join("config/budgets.toml"), budgets).unwrap();
    rules(sandbox.path(), true);
    (setup, sandbox)
}

fn traffic(front: &Front<'_>, name: &str, count: usize) {
    for at in 0..count {
        let body =
            json!({"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]});
        let ask =
            Ask::post("/v1/chat/completions", &body).header("pointsman-session", &format!("{name}-{at}"));
        assert_eq!(ask.send(front.address()).status(), 200);
    }
}

fn policy(front: &Front<'_>) -> Value {
    Ask::get("/operator/v1/policy").send(front.address()).json()
}

fn automation(front: &Front<'_>) -> Value {
    Ask::get("/operator/v1/automations").send(front.address()).json()["automations"][0].clone()
}

fn until(front: &Front<'_>, look: impl Fn(&Front<'_>) -> Value, so: impl Fn(&Value) -> bool) -> Value {
    let end = std::time::Instant::now() + crate::upstream::PATIENCE;
    loop {
        let found = look(front);
        if so(&found) {
            return found;
        }
        assert!(std::time::Instant::now() < end, "{found:#}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn it_shifts_in_steps_over_a_restart_only_proposes_where_told_and_the_session_is_its_replay() {
    let upstream = Upstream::with(|_| Reply::default());
    let (setup, sandbox) = sandbox(&upstream);
    let front = sandbox.serve(&setup);
    assert_eq!(policy(&front)["routes"].as_array().unwrap().len(), 1, "nothing is spent yet");
    traffic(&front, "first", 3);
    let half = until(&front, policy, |policy| policy["routes"][0]["route"] == "thrift");
    assert_eq!(half["routes"][0]["canary"], json!({"of": "everything", "share": 500}), "a step at once");
    assert!(half["what"].as_str().unwrap().contains("of all/lifetime is spent"), "{half:#}");
    assert_eq!(half["who"], "automation thrift");
    until(&front, policy, |policy| policy["routes"][0]["canary"]["share"] == 1000);
    traffic(&front, "second", 10);
    let plan = "[rollout.cheaper]\nroute = \"everything\"\nset = { small = 0 }\n";
    let refused =
        Ask::post("/operator/v1/rollouts", &json!({"start": "cheaper", "plan": plan})).send(front.address());
    assert!(refused.status() == 409 && refused.text().contains("one writer a route"), "{}", refused.text());
    let metrics = Ask::get("/metrics").send(front.address()).text().clone();
    let malformed = "pointsman_refused_total{reason=\"malformed\"} 0";
    assert!(metrics.contains(malformed), "an order that cannot be is no client's request: {metrics}");
    front.stop();
    let front = sandbox.serve(&setup);
    let stood = until(&front, automation, |row| row["reading"].is_u64());
    assert_eq!((&stood["share"], &stood["acts"]), (&json!(1000), &json!(true)), "{stood:#}");
    // A rule that was changed takes its canary with it, and one that only proposes changes nothing.
    rules(sandbox.path(), false);
    until(&front, automation, |row| row["acts"] == false && row["share"].as_u64() > Some(0));
    assert_eq!(policy(&front)["routes"].as_array().unwrap().len(), 1);
    traffic(&front, "third", 5);
    upstream.wait_idle();
    let rows = front.settle();
    let models: Vec<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    assert!(models.iter().filter(|model| **model == "gpt-4.1-nano").count() >= 10, "{models:?}");
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    let log = fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap();
    assert!(
        log.contains("proposal of automation thrift: 0‰ to 500‰"),
        "proposals are told apart from actions"
    );
    let sum: i128 = rows.iter().filter(|row| row.kind == "known").filter_map(|row| row.amount).sum();
    for reading in ["recorded", "routed"] {
        let report = sandbox.must(&["replay", "live.jsonl", "--as", reading, "--format", "json", "--strict"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(pico(&report["cost_known_usd"]), sum, "{reading}");
    }
}

/// A rule of the clock, so that it acts at once: for every hour but the one before this.
fn at_this_hour(folder: &Path, name: &str, route: &str) {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let from = since.as_secs() / 3600 % 24;
    let until = (from + 23) % 24;
    let text = format!(
        "[automation.{name}]\nwhen = {{ hours = \"{from}-{until}\" }}\nroute = \"{route}\"\nto = \"small\"\nshare = 600\nstep = 1000\n\
         dwell = \"1s\"\nact = true\n"
    );
    fs::write(folder.join("config/automations.toml"), text).unwrap();
}

/// Traffic would stay shifted for ever, and nothing would say so.
#[test]
fn a_rule_that_is_given_another_route_or_is_gone_after_a_restart_leaves_no_canary_behind() {
    let upstream = Upstream::with(|_| Reply::default());
    let mut setup = Setup::of(&upstream.url());
    let other = "[[route]]\nname = \"other\"\nmatch.task = [\"agent\"]\nladder = [\n  { rung = \"small\", model = \"gpt-4.1-nano\", threshold = 0 },\n\
                 { rung = \"large\", model = \"gpt-4.1\" },\n]\n\n[[route]]";
    setup.policy = POLICY.replacen("[[route]]", other, 1);
    let sandbox = Sandbox::new(&setup);
    at_this_hour(sandbox.path(), "night", "other");
    let front = sandbox.serve(&setup);
    let of = |policy: &Value| -> Vec<(String, String)> {
        let routes = policy["routes"].as_array().unwrap().iter().filter(|route| route["canary"].is_object());
        routes.map(|route| (route["route"].to_string(), route["canary"]["of"].to_string())).collect()
    };
    let is = |policy: &Value, wanted: &[(&str, &str)]| {
        of(policy)
            == wanted
                .iter()
                .map(|(name, of)| (format!("\"{name}\""), format!("\"{of}\"")))
                .collect::<Vec<_>>()
    };
    until(&front, policy, |policy| is(policy, &[("night", "other")]));
    at_this_hour(sandbox.path(), "night", "everything");
    until(&front, policy, |policy| is(policy, &[("night", "everything")]));
    // Of requests that nobody's name comes with, a share is shifted: not all of them, and not none.
    for _ in 0..40 {
        let body =
            json!({"model": "auto", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]});
        assert_eq!(Ask::post("/v1/chat/completions", &body).send(front.address()).status(), 200);
    }
    upstream.wait_idle();
    let rows = front.settle();
    let small = rows.iter().filter(|row| row.model == "gpt-4.1-nano").count();
    assert!((1..40).contains(&small), "{small} of 40");
    at_this_hour(sandbox.path(), "day", "other");
    let front = sandbox.serve(&setup);
    let left = until(&front, policy, |policy| is(policy, &[("day", "other")]));
    assert!(left["version"].as_u64() > Some(3), "{left:#}");
    front.stop();
    fs::remove_file(sandbox.path().join("config/automations.toml")).unwrap();
    let front = sandbox.serve(&setup);
    let none = until(&front, policy, |policy| is(policy, &[]));
    assert!(none["what"].as_str().unwrap().contains("automation day"), "it is said: {none:#}");
    front.stop();
}

#[test]
fn while_a_route_is_rolled_out_it_is_refused_and_says_so() {
    let upstream = Upstream::with(|_| Reply::default());
    let (setup, sandbox) = sandbox(&upstream);
    let front = sandbox.serve(&setup);
    let plan = "[rollout.other]\nroute = \"everything\"\nset = { small = 900 }\n";
    let begun =
        Ask::post("/operator/v1/rollouts", &json!({"start": "other", "plan": plan})).send(front.address());
    assert_eq!(begun.status(), 200, "{}", begun.text());
    traffic(&front, "s", 3);
    let row = until(&front, automation, |row| row["refused"] != "");
    assert!(row["refused"].as_str().unwrap().contains("one writer a route"), "{row:#}");
    assert_eq!(row["share"], 0);
    drop(front.settle());
}

#[test]
fn over_a_log_proposals_are_told_with_their_moment_and_what_no_log_tells_is_said() {
    let upstream = Upstream::with(|_| Reply::default());
    let (_, sandbox) = sandbox(&upstream);
    let line = |at: usize| {
        let status = if at < 100 { "server_error" } else { "ok" };
        format!(
            r#"{{"id":"r-{at}","at":"2026-05-23T12:{:02}:{:02}Z","task":"code","confidence":300,"model":"gpt-4.1-nano","in":10,"out":1,"latency_ms":90,"status":"{status}"}}"#,
            at / 60,
            at % 60
        ) + "\n"
    };
    fs::write(sandbox.path().join("past.jsonl"), (0..1200).map(line).collect::<String>()).unwrap();
    let rules = "[automation.failing]\nwhen = { errors = \"gpt-4.1-nano\", above = 200, until = 50 }\nroute = \"everything\"\nto = \"large\"\n\
                 share = 900\nstep = 300\ndwell = \"1m\"\nact = true\n\
                 [automation.spare]\nwhen = { headroom = \"openai\", below = 100, until = 200 }\nroute = \"other\"\nto = \"large\"\nshare = 10\n";
    fs::write(sandbox.path().join("rules.toml"), rules).unwrap();
    let other = "[[route]]\nname = \"other\"\nmatch.task = [\"agent\"]\nladder = [\n  { rung = \"small\", model = \"gpt-4.1-nano\", threshold = 0 },\n\
                 { rung = \"large\", model = \"gpt-4.1\" },\n]\n\n[[route]]";
    fs::write(sandbox.path().join("config/policy.toml"), POLICY.replacen("[[route]]", other, 1)).unwrap();
    let found = sandbox.must(&["automations", "past.jsonl", "--rules", "rules.toml", "--format", "json"]);
    let found: Value = serde_json::from_str(&found).unwrap();
    let shares: Vec<u64> =
        found["proposals"].as_array().unwrap().iter().map(|row| row["share"].as_u64().unwrap()).collect();
    assert_eq!(shares, [300, 600, 900, 600, 300, 0], "{found:#}");
    assert_eq!(found["simulated"], true);
    assert!(found["not_in_logs"][0].as_str().unwrap().starts_with("spare: quota left"), "{found:#}");
}
