//! Routes that earlier policies had, and caps on calls, whose figures depend on what came before.

use std::collections::BTreeMap;

use super::figures::{column, log, policy_event};
use super::{json, report, sandbox};

#[test]
fn a_route_that_only_an_earlier_policy_has_can_be_asked_for() {
    let sandbox = sandbox();
    let ladder = |name: &str, task: &str, threshold: u32| {
        format!(
            r#"{{"route":"{name}"{task},"ladder":[{{"rung":"a","model":"gpt-4.1-nano","threshold":{threshold}}},{{"rung":"b","model":"gpt-4.1"}}]}}"#
        )
    };
    let (one, rest) = (ladder("old", r#","task":["code"]"#, 700), ladder("rest", "", 600));
    let request = |id: &str, hour: u32| {
        format!(
            r#"{{"id":"{id}","at":"2026-05-23T{hour}:00:00Z","task":"code","confidence":500,"model":"gpt-4.1","in":1000,"out":100}}"#
        )
    };
    let lines = [
        policy_event("2026-05-23T09:00:00Z", 1, "one", &format!("{one},{rest}")),
        request("q1", 10),
        policy_event("2026-05-23T11:00:00Z", 2, "two", &rest),
        request("q2", 12),
    ];
    log(&sandbox, "old.jsonl", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let found = json(&sandbox.good("whatif old.jsonl --set old=300 --format json"));
    let rows = found["by_route"].as_array().expect("rows");
    let flips = |name: &str| {
        let row = rows.iter().find(|row| row["route"] == name).expect("the route");
        row["flipped_requests"].as_u64().expect("a count")
    };
    assert_eq!((flips("old"), flips("rest")), (1, 0), "{found}");
    let curve = json(&sandbox.good("frontier old.jsonl --route old --step 500 --format json"));
    assert_eq!(curve["requests"], 1, "{curve}");
    assert!(
        sandbox.refused("whatif old.jsonl --set older=300").contains("no such route; write one of rest, old")
    );
}

#[test]
fn a_neighbour_that_would_be_crossed_goes_along() {
    let sandbox = sandbox();
    let along = sandbox.good("whatif small.jsonl --set extraction.flash=100");
    assert_eq!(along, sandbox.good("whatif small.jsonl --set extraction.flash=100 --set extraction.4.1=100"));
}

#[test]
fn a_capped_model_passes_on_what_comes_while_it_is_full() {
    let sandbox = sandbox();
    let policy = |more: &str| {
        format!(
            "name = \"capped\"\n[model.\"gpt-4.1-nano\"]\nmax_in_flight = 1\n[[route]]\nname = \"all\"\n{more}\nladder = [\n  {{ rung = \"small\", model = \"gpt-4.1-nano\", threshold = 400 }},\n  {{ rung = \"large\", model = \"gpt-4.1\" }},\n]\n"
        )
    };
    sandbox.write("next.toml", policy(""));
    sandbox.write("refuse.toml", policy("when_full = \"refuse\""));
    let request = |id: &str, at: &str, millis: u32| {
        format!(
            r#"{{"id":"{id}","at":"2026-05-23T10:00:{at}Z","task":"code","confidence":500,"model":"gpt-4.1-nano","in":1000,"out":0,"latency_ms":{millis}}}"#
        )
    };
    // The second comes while the first is under way, the third at the instant of its end; the last is told first.
    let lines = [request("c", "02", 700), request("a", "00", 2000), request("b", "01", 500)];
    log(&sandbox, "crowd.jsonl", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let routed = report(&sandbox, "crowd.jsonl --as routed --policy next.toml");
    let costs = column(&routed["by_model"], "model", "cost_usd");
    assert_eq!(costs, BTreeMap::from([("gpt-4.1-nano", "0.0002"), ("gpt-4.1", "0.002")]));
    let why = sandbox.good("why crowd.jsonl b --policy next.toml");
    assert!(
        why.contains("had as many calls in flight as it may have") && why.contains("passed on to large"),
        "{why}"
    );
    assert!(!sandbox.good("why crowd.jsonl c --policy next.toml").contains("in flight"), "it had ended");
    let refused = report(&sandbox, "crowd.jsonl --as routed --policy refuse.toml");
    assert_eq!((&refused["errors"], &refused["cost_usd"]), (&1.into(), &"0.0002".into()), "{refused}");

    let found = json(&sandbox.good("whatif crowd.jsonl --policy next.toml --set all=500 --format json"));
    assert_eq!(found["in_order"], true);
    assert_eq!(found["staged"]["cost_usd"], "0.0022", "{found}");
    assert_eq!((&found["applied"], &found["flipped_requests"]), (&found["staged"], &0.into()));
    let found = json(&sandbox.good("whatif crowd.jsonl --policy next.toml --set all=600 --format json"));
    assert_eq!(
        (&found["staged"]["cost_usd"], &found["flipped_requests"]),
        (&"0.006".into(), &2.into()),
        "{found}"
    );
    sandbox.write("rung.toml", policy("").replace("threshold = 400", "threshold = 400, max_in_flight = 1"));
    let message = sandbox.refused("replay crowd.jsonl --policy rung.toml");
    assert!(message.contains("write it under [model.\"gpt-4.1-nano\"]"), "{message}");
}

/// What a cap turned away is not turned away where there is none: a request that named its model no less than one on a ladder.
#[test]
fn a_lifted_cap_brings_back_what_it_turned_away() {
    let sandbox = sandbox();
    let policy = |cap: &str, more: &str| {
        format!(
            "name = \"p\"\n{cap}[[route]]\nname = \"all\"\n{more}ladder = [\n  {{ model = \"gpt-4.1-nano\", threshold = 400 }},\n  {{ model = \"gpt-4.1\" }},\n]\n"
        )
    };
    sandbox.write("lifted.toml", policy("", ""));
    sandbox.write("capped.toml", policy("[model.\"gpt-4.1\"]\nmax_in_flight = 1\n", ""));
    sandbox.write("bound.toml", policy("", "require = [\"zdr\"]\n"));
    let line = |id: &str, second: u32, more: &str| {
        format!(r#"{{"id":"{id}","at":"2026-05-23T10:00:{second:02}Z","confidence":100,{more}}}"#)
    };
    let pinned = r#""asked":"gpt-4.1","pinned":true"#;
    let refused = r#""in":0,"out":0,"status":"refused","down":["full:gpt-4.1"]"#;
    let lines = [
        line("a", 0, &format!(r#"{pinned},"model":"gpt-4.1","in":1000,"out":100,"latency_ms":9000"#)),
        line("b", 1, &format!("{pinned},{refused}")),
        line("c", 2, refused),
    ];
    log(&sandbox, "turned.jsonl", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let figures = |policy: &str| {
        let found = report(&sandbox, &format!("turned.jsonl --as routed --policy {policy}"));
        (found["errors"].as_u64(), found["cost_unknown_requests"].as_u64(), found["constraints"].is_null())
    };
    assert_eq!(figures("lifted.toml"), (Some(0), Some(2), true), "nobody knows what they would have used");
    assert_eq!(figures("capped.toml"), (Some(2), Some(0), true), "a cap requires nothing of a model");
    assert!(!figures("bound.toml").2);
}

/// A policy holds from its moment on: a log that tells it behind its requests is held to it like any other.
#[test]
fn what_a_route_requires_is_proved_wherever_the_policy_stands() {
    let sandbox = sandbox();
    let event = r#"{"event":"policy","at":"2026-05-23T10:00:00Z","version":1,"name":"p","models":[{"model":"gpt-4.1","labels":["zdr"]}],"routes":[{"route":"all","require":["zdr"],"ladder":[{"model":"gpt-4.1"}]}]}"#;
    let call = |id: &str, second: u32, model: &str| {
        format!(
            r#"{{"id":"{id}","at":"2026-05-23T10:00:{second:02}Z","model":"{model}","in":1000,"out":100}}"#
        )
    };
    let calls = [call("x1", 1, "gpt-4.1-nano"), call("x2", 2, "gpt-4.1"), call("x3", 3, "gpt-4.1")];
    let [one, two, three] = &calls;
    for (name, lines) in [
        ("before.jsonl", [event, one, two, three]),
        ("between.jsonl", [one, two, event, three]),
        ("behind.jsonl", [one, two, three, event]),
    ] {
        log(&sandbox, name, &lines);
        let output = sandbox.run(&format!("replay {name} --strict --format json"));
        assert_eq!(output.code, Some(2), "{name}: {}", output.err);
        let check = &json(&output.out)["constraints"];
        assert_eq!((&check["checked"], &check["broken_calls"]), (&3.into(), &1.into()), "{name}");
        assert_eq!(check["broken"][0]["request"], "x1", "{name}");
    }
}

/// A gateway that is steered writes policies all day, and its ledger's figures would else be of policies that were not in force.
#[test]
fn a_log_of_many_policies_is_what_a_replay_makes_of_it() {
    let sandbox = sandbox();
    let ladder = |threshold: u32| {
        format!(
            r#"{{"route":"all","ladder":[{{"rung":"a","model":"gpt-4.1-nano","threshold":{threshold}}},{{"rung":"b","model":"gpt-4.1"}}]}}"#
        )
    };
    for policies in [20, 50] {
        let mut lines = Vec::new();
        for nth in 0..policies {
            let minute = |second: u32| format!("2026-05-23T10:{nth:02}:{second:02}Z");
            lines.push(policy_event(&minute(0), nth + 1, "p", &ladder(900 - nth * 10)));
            for second in 1..9 {
                lines.push(format!(
                    r#"{{"id":"q{nth}-{second}","at":"{}","confidence":{},"model":"gpt-4.1","in":1000,"out":100}}"#,
                    minute(second),
                    second * 110
                ));
            }
        }
        log(&sandbox, "many.jsonl", &lines.iter().map(String::as_str).collect::<Vec<_>>());
        let routed = report(&sandbox, "many.jsonl --as routed");
        let found = json(&sandbox.good("whatif many.jsonl --set all.a=500 --format json"));
        assert_eq!(found["applied"]["cost_usd"], routed["cost_usd"], "{policies}");
        let run = sandbox.run("optimise many.jsonl --cost -10%");
        assert_eq!(run.err.contains("more than 32 settings"), policies > 32, "{}", run.err);
    }
}

/// Whoever tries thresholds on a gateway's own ledger would else be shown a saving that is none.
#[test]
fn a_change_that_moves_nothing_costs_nothing_where_caches_are_minded() {
    let sandbox = sandbox();
    let policy = r#"{"route":"all","cache":"aware","ladder":[{"rung":"a","model":"gpt-4.1-nano","threshold":700},{"rung":"b","model":"gpt-4.1"}]}"#;
    let mut lines = vec![policy_event("2026-05-23T09:00:00Z", 1, "p", policy)];
    for n in 0..60 {
        lines.push(format!(
            r#"{{"id":"q{n}","at":"2026-05-23T10:{n:02}:00Z","session":"s{}","confidence":{},"model":"{}","in":{},"cache_read":{},"out":100}}"#,
            n % 4,
            if n % 3 == 0 { 900 } else { 300 },
            if n % 2 == 0 { "gpt-4.1" } else { "gpt-4.1-nano" },
            2000 + n * 10,
            n % 5 * 512
        ));
    }
    log(&sandbox, "aware.jsonl", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let found = json(&sandbox.good("whatif aware.jsonl --set all.a=701 --format json"));
    assert_eq!(found["flipped_requests"], 0, "{found}");
    assert_eq!(found["applied"]["cost_usd"], found["staged"]["cost_usd"], "{found}");
    assert_eq!(found["applied"]["cost_estimated_usd"], found["staged"]["cost_estimated_usd"], "{found}");
}
