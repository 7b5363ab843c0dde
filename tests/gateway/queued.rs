//! Budgets that have requests wait for room: who is let in, in which order, who is not, and what a log says of it.

use std::fs;

use serde_json::{Value, json};

use crate::budgets::{at_once, sandbox, standings, stands, usd};
use crate::client::{Ask, Line};
use crate::front::{Sandbox, Setup};
use crate::stage::chat;
use crate::upstream::{At, Fault, Reply, Upstream};

/// Each call of the model could cost $0.0656 and more, so there is room for one at a time.
const ONE_AT_A_TIME: &str = "[budget.all]\nlimit = { lifetime = \"0.1\" }\nover = \"queue\"\nwait = \"5m\"\n";

fn waiting(found: &Value, count: u64) -> bool {
    found["budgets"][0]["waiting"] == count
}

#[test]
fn whoever_finds_no_room_waits_and_is_let_in_as_calls_end_the_first_first() {
    let upstream = Upstream::with(|_| Reply::fault(At::BeforeHeaders, Fault::Stall));
    let (setup, sandbox) = sandbox(&upstream, ONE_AT_A_TIME);
    let front = sandbox.serve(&setup);
    let mut lines = Vec::new();
    for at in 0..6 {
        let mut line = Line::open(front.address());
        let body =
            json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": format!("number {at}")}]});
        line.write(&Ask::post("/v1/chat/completions", &body).wire()).unwrap();
        stands(&front, "one more waits", |found| found["budgets"][0]["open"] == 1 && waiting(found, at));
        lines.push(line);
    }
    // One that waits goes away: nobody waits for it, and nobody behind it longer.
    drop(lines.remove(2));
    stands(&front, "one has left", |found| waiting(found, 4));
    let page = Ask::get("/metrics").send(front.address()).text();
    assert!(
        page.contains("pointsman_budget_waiting{budget=\"all\",window=\"lifetime\",member=\"\"} 4\n"),
        "{page}"
    );
    for (at, line) in lines.iter_mut().enumerate() {
        upstream.release_until("another call has ended", |state| {
            state.served.len() > at && state.busy() == 0 || state.served.len() > at + 1
        });
        let answer = line.answer().unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let reason = answer.header("pointsman-reason").unwrap();
        assert_eq!(reason.contains("ms for room in a budget"), at > 0, "{reason}");
    }
    let asked: Vec<String> = upstream
        .served()
        .iter()
        .map(|served| served.call.body["messages"][0]["content"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(asked, ["number 0", "number 1", "number 3", "number 4", "number 5"]);
    let found = standings(&front);
    let row = &found["budgets"][0];
    assert_eq!(
        (&row["waited"], &row["waiting"], &row["refused"], &row["open"]),
        (&json!(5), &json!(0), &json!(0), &json!(0))
    );
    drop(front.settle());
}

#[test]
fn who_waits_too_long_is_refused_as_is_who_could_never_be_let_in_and_an_edit_makes_room() {
    let upstream = Upstream::start();
    let (setup, sandbox) =
        sandbox(&upstream, "[budget.all]\nlimit = { day = \"0.0657\" }\nover = \"queue\"\nwait = \"50ms\"\n");
    let file = sandbox.path().join("config/budgets.toml");
    let front = sandbox.serve(&setup);
    let short = |most: u32| {
        let body = json!({"model": "gpt-4.1", "max_tokens": most, "messages": [{"role": "user", "content": "What is due?"}]});
        Ask::post("/v1/chat/completions", &body)
    };
    let first = short(8000).send(front.address());
    assert_eq!(first.status(), 200, "{}", first.text());
    let late = short(8000).send(front.address());
    assert_eq!(late.status(), 429, "{}", late.text());
    assert_eq!(late.json()["error"]["limit_source"], "all/day");
    let row = standings(&front)["budgets"][0].clone();
    assert_eq!(
        (&row["waited"], &row["refused"], &row["waiting"]),
        (&json!(1), &json!(1), &json!(0)),
        "{row}"
    );
    let huge = short(32_000).send(front.address());
    assert_eq!(huge.status(), 429, "{}", huge.text());
    assert_eq!(standings(&front)["budgets"][0]["waited"], 1, "it could cost more than may ever be spent");
    fs::write(&file, "[budget.all]\nlimit = { day = \"0.0657\" }\nover = \"queue\"\nwait = \"10m\"\n")
        .unwrap();
    let mut line = Line::open(front.address());
    stands(&front, "the edit is in force", |_| front.said().contains("budgets: 1 limit in force"));
    line.write(&short(8000).wire()).unwrap();
    stands(&front, "it waits", |found| waiting(found, 1));
    fs::write(&file, "[budget.all]\nlimit = { day = 1 }\nover = \"queue\"\n").unwrap();
    assert_eq!(line.answer().unwrap().status(), 200);
    // The end does not wait for those that wait.
    fs::write(&file, "[budget.all]\nlimit = { day = \"0.066\" }\nover = \"queue\"\nwait = \"10m\"\n# less\n")
        .unwrap();
    stands(&front, "the edit is in force", |found| found["budgets"][0]["limit"] == "0.066");
    let mut line = Line::open(front.address());
    line.write(&short(8000).wire()).unwrap();
    stands(&front, "it waits", |found| waiting(found, 1));
    front.signal("TERM");
    assert_eq!(line.answer().unwrap().status(), 503);
    let _ = front.wait();
}

#[test]
fn a_live_session_under_budgets_that_refuse_move_and_queue_is_its_replay() {
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url());
    setup.policy = setup
        .policy
        .replace("no_signal = \"small\"", "no_signal = \"large\"")
        .replace("threshold = 0", "threshold = 1000");
    let sandbox = Sandbox::new(&setup);
    let budgets = "[budget.queued]\nteam = [\"patient\"]\nlimit = { lifetime = \"0.2\" }\nover = \"queue\"\nwait = \"30s\"\n\
                   [budget.moved]\nmodel = [\"gpt-4.1\"]\nteam = [\"thrifty\"]\nlimit = { lifetime = \"0.15\" }\n\
                   [budget.refused]\nteam = [\"hasty\"]\nlimit = { lifetime = \"0.15\" }\nover = \"refuse\"\n";
    fs::write(sandbox.path().join("config/budgets.toml"), budgets).unwrap();
    let front = sandbox.serve(&setup);
    let asks: Vec<Ask> = (0..64)
        .map(|at| chat("auto", at % 2 == 0).header("pointsman-team", ["patient", "thrifty", "hasty"][at % 3]))
        .collect();
    let answers = at_once(&front, &asks);
    let refused = answers.iter().filter(|answer| answer.status() == 429).count();
    let waited = answers
        .iter()
        .filter(|answer| {
            answer.header("pointsman-reason").is_some_and(|reason| reason.contains("for room in a budget"))
        })
        .count();
    let moved =
        answers.iter().filter(|answer| answer.header("pointsman-model") == Some("gpt-4.1-nano")).count();
    assert!(refused > 0 && waited > 0 && moved > 0, "{refused} refused, {waited} waited, {moved} moved");
    assert!(answers.iter().step_by(3).all(|answer| answer.status() == 200), "whoever may wait is served");
    assert_eq!(standings(&front)["open_holds"], 0);
    let rows = front.settle();
    let charged: i128 = rows.iter().filter_map(|row| row.amount).sum();
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    assert_eq!(
        fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap().matches("\"waited:").count(),
        waited
    );
    let told: Vec<Value> = ["recorded", "routed"]
        .iter()
        .map(|reading| {
            let report =
                sandbox.must(&["replay", "live.jsonl", "--as", reading, "--format", "json", "--strict"]);
            serde_json::from_str(&report).unwrap()
        })
        .collect();
    for report in &told {
        let sum = usd(&report["cost_known_usd"]) + usd(&report["cost_estimated_usd"]);
        assert_eq!((&report["requests"], sum), (&json!(64), charged));
    }
    assert_eq!(told[0]["by_model"], told[1]["by_model"], "refusal by refusal, rung by rung");
    assert_eq!(told[0]["errors"], told[1]["errors"]);
}
