//! Charges that an operator sets right: in the feed, in the ledger, in its export, in every figure made of it, and in the audit.

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::front::{Sandbox, Setup};
use crate::stage::{chat, nothing_held};
use crate::upstream::Upstream;

fn keep(sandbox: &Sandbox, log: &str) {
    std::fs::write(sandbox.path().join("day.jsonl"), log).unwrap();
}

#[test]
fn what_an_operator_corrects_is_what_every_reader_counts() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let keys = ["operate", "read", "route"].map(|scope| sandbox.key(&[scope, "--scope", scope]));
    let front = sandbox.serve(&setup);
    let ask = |ask: Ask, key: &str| -> Answer {
        ask.header("authorization", &format!("Bearer {key}")).send(front.address())
    };
    let served = ask(chat("gpt-4.1", false), &keys[2]);
    let other = ask(chat("gpt-4.1", false), &keys[2]);
    let id = |answer: &Answer| answer.header("pointsman-operation").unwrap().to_owned();
    let (id, other) = (id(&served), id(&other));
    let path = "/operator/v1/corrections";
    let post = |body: &Value, key: &str| ask(Ask::post(path, body), key);

    let good = json!({"id": id, "charged": "0.75", "source": "bill of May"});
    assert_eq!((post(&good, &keys[1]).status(), post(&good, &keys[2]).status()), (403, 403));
    assert_eq!(ask(Ask::get(path), &keys[0]).status(), 405);
    for (body, status, told) in [
        (json!({"id": "op-nobody", "charged": "1"}), 404, "line 1: no such operation"),
        (json!({"id": id, "call": 2, "charged": "1"}), 400, "has 1 call"),
        (json!({"id": id, "charged": "-1"}), 400, "charged"),
        (json!({"id": id}), 400, "charged: missing"),
        (json!([1]), 400, "not the expected JSON"),
    ] {
        let answer = post(&body, &keys[0]);
        assert_eq!(answer.status(), status, "{}", answer.text());
        assert!(answer.text().contains(told), "{}", answer.text());
    }
    let answer = post(&good, &keys[0]);
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let done = &answer.json()["corrected"][0];
    assert_eq!((&done["call"], &done["charged"]), (&json!(1), &json!("0.75")));
    assert_eq!(done["before"].as_str(), served.header("pointsman-cost-usd"));
    // What was corrected before is what is corrected next.
    let again = post(&json!({"id": other, "call": 1, "charged": "0.5", "charged_as": "estimated"}), &keys[0]);
    assert_eq!(again.status(), 200, "{}", again.text());
    let again = post(&json!({"id": other, "charged": "0.25"}), &keys[0]).json();
    assert_eq!(again["corrected"][0]["before"], "0.5 estimated");
    let both = format!(
        "{}\n{}",
        json!({"id": other, "charged": "0.1"}),
        json!({"id": other, "call": 1, "charged": "0.25"})
    );
    let both = ask(Ask::bytes(path, both.as_bytes()), &keys[0]).json();
    let before = [0, 1].map(|at| both["corrected"][at]["before"].clone());
    assert_eq!(before, [json!("0.25"), json!("0.1")], "also within one body: {both}");

    front.settle();
    let log = sandbox.must(&["ledger", "export"]);
    assert_eq!(log.matches(r#"{"event":"correction""#).count(), 5, "{log}");
    assert!(log.contains(r#""charged":"0.75","source":"bill of May""#), "{log}");
    assert!(log.contains("correction by operate"), "{log}");
    keep(&sandbox, &log);
    for log in ["day.jsonl", sandbox.must(&["ledger", "path"]).trim()] {
        let report: Value =
            serde_json::from_str(&sandbox.must(&["replay", log, "--format", "json"])).unwrap();
        assert_eq!(report["cost_usd"], "1", "{log}");
        assert_eq!(report["cost_estimated_usd"], "0", "{log}");
    }
    assert!(sandbox.must(&["ledger", "check"]).contains("sound"));
    assert!(sandbox.must(&["ledger", "check", "day.jsonl"]).contains("sound"));
}

#[test]
fn prompts_that_begin_alike_share_the_hashes_of_their_beginnings_and_no_text() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let turns = |count: usize| -> Vec<Value> {
        let turn = |at: usize| json!({"role": "user", "content": format!("turn {at} ").repeat(300)});
        (0..count).map(turn).collect()
    };
    for count in [5, 8] {
        let body = json!({"model": "gpt-4.1", "messages": turns(count)});
        assert_eq!(Ask::post("/v1/chat/completions", &body).send(front.address()).status(), 200);
    }
    nothing_held(&front);
    front.settle();
    let log = sandbox.must(&["ledger", "export"]);
    assert!(!log.contains("turn 0"), "{log}");
    let prefixes: Vec<Vec<u64>> = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?.get("prefix").cloned())
        .map(|prefix| serde_json::from_value(prefix).unwrap())
        .collect();
    let [short, long] = &prefixes[..] else { panic!("{log}") };
    assert!(short.len() >= 3 && long.len() > short.len(), "{short:?} {long:?}");
    assert_eq!(short[..short.len() - 1], long[..short.len() - 1]);
    keep(&sandbox, &log);
    assert!(sandbox.must(&["ledger", "check", "day.jsonl"]).contains("sound"));
    keep(&sandbox, &log.replacen(&long[1].to_string(), "5", 1));
    assert!(!sandbox.run(&["ledger", "check", "day.jsonl"]).status.success());
}
