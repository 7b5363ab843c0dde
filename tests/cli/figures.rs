//! Every figure is the one that a hand computes, whichever way it is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::program::Sandbox;
use super::{json, report, sandbox, snapshot};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Returns one text field of every row, by the row's name.
pub(super) fn column<'a>(rows: &'a Value, name: &str, field: &str) -> BTreeMap<&'a str, &'a str> {
    let rows = rows.as_array().expect("rows");
    rows.iter()
        .map(|row| (row[name].as_str().unwrap_or("-"), row[field].as_str().unwrap_or("unknown")))
        .collect()
}

#[test]
fn a_replay_gives_the_documented_fields_and_exact_figures() {
    let sandbox = sandbox();
    let report = report(&sandbox, "small.jsonl");
    for field in [
        "requests",
        "skipped_lines",
        "first_at",
        "last_at",
        "cost_usd",
        "cost_unknown_requests",
        "baseline_usd",
        "saved_usd",
        "escalated",
        "by_model",
        "by_route",
        "by_team",
        "by_project",
    ] {
        assert!(keys(&report).contains(&field), "{field} is missing");
    }
    assert_eq!(report["requests"], 4);
    assert_eq!(report["attempts"], 5);
    assert_eq!(report["skipped_lines"], 1);
    assert_eq!(report["first_at"], "2026-05-23T10:00:00.000Z");
    assert_eq!(report["last_at"], "2026-05-23T10:00:30.000Z");
    assert_eq!(report["cost_usd"], "0.028262");
    assert_eq!(report["cost_known_usd"], "0.028262");
    assert_eq!(report["cost_estimated_usd"], "0");
    assert_eq!(report["cost_unknown_requests"], 1);
    // The baseline answers r-1, r-2 and r-3 once each; r-4 is not compared, as its cost is unknown.
    assert_eq!(report["baseline_usd"], "0.026912");
    assert_eq!(report["saved_usd"], "-0.00135");
    assert_eq!(report["escalated"], 1);
    assert_eq!(report["errors"], 0);

    let models = &report["by_model"];
    for field in ["model", "requests", "tokens", "cost_usd", "latency_ms"] {
        assert!(keys(&models[0]).contains(&field), "{field} is missing");
    }
    assert_eq!(keys(&models[0]["tokens"]), ["cache_read", "cache_write", "input", "output", "reasoning"]);
    assert_eq!(keys(&models[0]["latency_ms"]), ["known", "p50", "p95", "p99"]);
    let gpt = models.as_array().unwrap().iter().find(|row| row["model"] == "gpt-4.1").unwrap();
    assert_eq!(gpt["requests"], 3);
    assert_eq!(gpt["tokens"]["input"], 6808);
    assert_eq!(gpt["tokens"]["cache_read"], 8192);
    assert_eq!(gpt["tokens"]["cache_write"], 0);
    assert_eq!(gpt["tokens"]["output"], 1150);
    assert_eq!(
        (&gpt["latency_ms"]["p50"], &gpt["latency_ms"]["p99"]),
        (&Value::from(80), &Value::from(100)),
        "60, 80 and 100 ms"
    );
    assert_eq!(
        column(models, "model", "cost_usd"),
        BTreeMap::from([
            ("gpt-4.1", "0.026912"),
            ("gemini-2.5-flash", "0.00135"),
            ("house-model", "unknown")
        ])
    );
    assert_eq!(
        column(&report["by_route"], "route", "cost_usd"),
        BTreeMap::from([("extraction", "0.025462"), ("classification", "0.0028")])
    );
    assert_eq!(
        column(&report["by_team"], "team", "cost_usd"),
        BTreeMap::from([("payments", "0.019712"), ("search", "0.00855")])
    );
    assert_eq!(
        column(&report["by_project"], "project", "cost_usd"),
        BTreeMap::from([("invoices", "0.016912"), ("refunds", "0.0028"), ("-", "0.00855")])
    );
}

#[test]
fn the_routed_reading_says_what_is_estimated() {
    let sandbox = sandbox();
    let report = report(&sandbox, "small.jsonl --as routed");
    // r-1 at 700 goes to flash: 3808 and 8192 cached and 650 tokens at 0.3, 0.03 and 2.5 $/1M are 0.00301316, and r-4's
    // 10 + 10 tokens on gpt-4.1 are 0.0001; no model was seen to answer them. r-2 and r-3 stay as they were.
    assert_eq!(report["cost_usd"], "0.01446316");
    assert_eq!(report["cost_estimated_usd"], "0.00311316");
    assert_eq!(report["cost_known_usd"], "0.01135");
    assert_eq!(report["estimated_requests"], 2);
    assert_eq!(report["cost_unknown_requests"], 0);
}

#[test]
fn a_stretch_of_time_is_half_open() {
    let sandbox = sandbox();
    let costs = |args: &str| {
        let report = report(&sandbox, &format!("small.jsonl {args}"));
        (report["requests"].as_u64().unwrap(), report["cost_usd"].as_str().unwrap().to_owned())
    };
    assert_eq!(costs("--from 2026-05-23T10:00:10Z --to 2026-05-23T10:00:20Z"), (1, "0.0028".to_owned()));
    assert_eq!(
        costs("--from 2026-05-23T12:00:10+02:00 --to 2026-05-23T12:00:20+02:00"),
        (1, "0.0028".to_owned())
    );
    assert_eq!(costs("--from 2026-05-23 --to 2026-05-24"), (4, "0.028262".to_owned()));
    assert_eq!(costs("--to 2026-05-23T10:00:20Z"), (2, "0.019712".to_owned()));
    assert_eq!(costs("--from 2026-05-23T10:00Z"), (4, "0.028262".to_owned()));
}

#[test]
fn a_model_is_assumed_only_where_none_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "bare.jsonl",
        "{\"at\":\"2026-05-23T10:00:00Z\",\"in\":1000,\"out\":100}\n\
         {\"at\":\"2026-05-23T10:00:01Z\",\"model\":\"gpt-4.1-nano\",\"in\":1000,\"out\":100}\n",
    );
    let without = report(&sandbox, "bare.jsonl");
    assert_eq!((&without["cost_usd"], &without["cost_unknown_requests"]), (&"0.00014".into(), &1.into()));
    let with = report(&sandbox, "bare.jsonl --assume-model gpt-4.1");
    assert_eq!(with["cost_usd"], "0.00294");
    assert_eq!(with["cost_estimated_usd"], "0.0028", "an assumed model gives an estimate");
    assert_eq!(with["cost_unknown_requests"], 0);
}

#[test]
fn another_price_book_and_baseline_change_the_bill() {
    let sandbox = sandbox();
    // The guide's table has no cached price and one price for in and out: 2 $/1M on gpt-4.1, 0.15 on flash.
    let report = report(&sandbox, "small.jsonl --prices guide-2026 --baseline claude-opus-4-6");
    let models = column(&report["by_model"], "model", "cost_usd");
    assert_eq!(models["gemini-2.5-flash"], "0.000345");
    assert_eq!(report["scope"]["baseline_model"], "claude-opus-4-6");
    for (args, said) in [
        ("--prices nobook", "write one of list, guide-2026"),
        ("--baseline nomodel", "`pointsman prices list`"),
    ] {
        let message = sandbox.refused(&format!("replay small.jsonl {args}"));
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_what_if_tells_both_sides_and_the_difference() {
    let sandbox = sandbox();
    let answer = json(&sandbox.good("whatif small.jsonl --set extraction.flash=680 --format json"));
    assert_eq!(answer["requests"], 4);
    assert_eq!(answer["flipped_requests"], 1, "only r-3 lies between 620 and 680");
    assert_eq!(answer["applied"]["cost_usd"], "0.01446316");
    assert_eq!(answer["staged"]["cost_usd"], "0.01311316", "r-3 is spared its failed attempt on flash");
    assert_eq!(answer["change"]["cost_usd"], "-0.00135");
    assert_eq!(answer["change"]["cost_percent"], "-9.3");
    assert_eq!(answer["change"]["escalated"], -1);
    let route =
        &answer["by_route"].as_array().unwrap().iter().find(|row| row["route"] == "extraction").unwrap();
    let starts: Vec<_> = [&route["applied"], &route["staged"]]
        .map(|side| {
            side["split"].as_array().unwrap().iter().map(|rung| rung["starts"].as_u64().unwrap()).collect()
        })
        .into_iter()
        .collect::<Vec<Vec<u64>>>();
    assert_eq!(starts, [[2, 1, 0], [1, 2, 0]]);
    snapshot("whatif_table", &sandbox.good("whatif small.jsonl --set extraction.flash=680"));

    // A policy with these thresholds, replayed in full, costs the same.
    let policy = sandbox.good("config --print policy").replace("threshold = 620", "threshold = 680");
    sandbox.write("mine.toml", policy);
    assert_eq!(report(&sandbox, "small.jsonl --as routed --policy mine.toml")["cost_usd"], "0.01311316");
}

#[test]
fn the_frontier_holds_every_threshold_and_agrees_with_a_replay() {
    let sandbox = sandbox();
    let csv = sandbox.good("frontier small.jsonl --route extraction --format csv");
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1001);
    assert!(rows.iter().enumerate().all(|(at, row)| row[0] == at.to_string()));
    let applied: Vec<_> = rows.iter().filter(|row| row.last() == Some(&"applied")).collect();
    let routed = report(&sandbox, "small.jsonl --as routed");
    let cost = column(&routed["by_route"], "route", "cost_usd")["extraction"];
    assert_eq!((applied.len(), applied[0][0], applied[0][3]), (1, "620", cost));
    assert!(
        rows.windows(2)
            .all(|pair| { pair[0][1].parse::<u64>().unwrap() >= pair[1][1].parse::<u64>().unwrap() })
    );
    // Elsewhere on the curve too: each point is what a policy with that threshold gives.
    let policy = sandbox.good("config --print policy");
    for threshold in [180, 600, 651, 701, 1000] {
        sandbox.write("mine.toml", policy.replace("threshold = 620", &format!("threshold = {threshold}")));
        let routed = report(&sandbox, "small.jsonl --as routed --policy mine.toml");
        let cost = column(&routed["by_route"], "route", "cost_usd")["extraction"];
        assert_eq!(rows[threshold][3], cost, "at {threshold}");
    }
    let stepped = sandbox.good("frontier small.jsonl --route extraction --format csv --step 100");
    assert_eq!(stepped.lines().count(), 1 + 11 + 1, "every hundredth, and the applied one");
}

#[test]
fn an_imported_log_costs_what_its_origin_did() {
    let sandbox = Sandbox::new();
    let origin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records/litellm_array.json");
    let origin = origin.to_str().unwrap();
    let run = sandbox.run(&format!("import {origin} -o own.jsonl.zst"));
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), "", "5 entries imported\n"));
    assert_eq!(report(&sandbox, "own.jsonl.zst")["cost_usd"], report(&sandbox, origin)["cost_usd"]);
}

/// Five calls as each format tells them: gpt-4.1 with cached input 0.016912, Claude Opus 4.6 with both kinds of cache
/// writes 0.058576, Gemini 2.5 Flash with thoughts 0.00283204, Mistral Small 0.000135, and a refused call 0.
#[test]
fn the_five_reference_calls_cost_to_the_last_digit() {
    let sandbox = Sandbox::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    for (file, known, estimated) in [
        ("native.jsonl", "0.07845504", "0"),
        ("litellm_array.json", "0.07845504", "0"),
        ("litellm_data.json", "0.07845504", "0"),
        ("litellm_dump.jsonl", "0.07845504", "0"),
        ("litellm_payload.jsonl", "0.07845504", "0"),
        ("openai_chat.json", "0.016912", "0"),
        ("anthropic.json", "0.058576", "0"),
        ("gemini.json", "0.00283204", "0"),
        ("gemini_stream.json", "0.00283204", "0"),
        // These tell one number for all cache writes: taken at the price of short ones, as an estimate.
        ("helicone.jsonl", "0.016912", "0.054736"),
        ("tensorzero.jsonl", "0", "0.054736"),
    ] {
        let path = folder.join(file);
        let report = report(&sandbox, &format!("{} --prices list", path.display()));
        assert_eq!(
            (report["cost_known_usd"].as_str().unwrap(), report["cost_estimated_usd"].as_str().unwrap()),
            (known, estimated),
            "{file}"
        );
        assert_eq!(report["cost_unknown_requests"], 0, "{file}");
    }
}

fn shared() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let named = std::env::var_os("POINTSMAN_SHARED").map(PathBuf::from);
    named.into_iter().chain([beside]).find(|path| path.join("data/formats").is_dir())
}

#[test]
fn real_answers_cost_what_their_providers_charge() {
    let Some(shared) = shared() else {
        println!("skipped: no example data (data/formats below POINTSMAN_SHARED)");
        return;
    };
    let sandbox = Sandbox::new();
    for (file, cost) in [
        ("openai_chat_completion.json", "0.016912"),
        ("openai_responses_usage.json", "0.016912"),
        ("anthropic_message.json", "0.058576"),
        ("gemini_generate_content.json", "0.00283204"),
        ("mistral_chat.json", "0.000135"),
        ("litellm_spend_logs.json", "0.075488"),
        ("litellm_standard_logging_payload.json", "0.058576"),
        ("langfuse_observations_legacy_export.jsonl", "0.058576"),
    ] {
        let path = shared.join("data/formats").join(file);
        let report = report(&sandbox, path.to_str().unwrap());
        assert_eq!(
            (&report["cost_known_usd"], &report["cost_estimated_usd"]),
            (&cost.into(), &"0".into()),
            "{file}"
        );
    }
}

/// Writes a log beside the others of a sandbox.
pub(super) fn log(sandbox: &Sandbox, name: &str, lines: &[&str]) {
    sandbox.write(name, lines.join("\n") + "\n");
}

const PRICE: &str =
    r#"{"event":"price","at":"2026-05-23T10:00:00Z","model":"gpt-4.1","input":"100","output":"100"}"#;
const AT_ELEVEN: &str = r#"{"id":"q1","at":"2026-05-23T11:00:00Z","task":"code","confidence":100,"model":"gpt-4.1","in":1000,"out":0}"#;

pub(super) fn policy_event(at: &str, version: u32, name: &str, routes: &str) -> String {
    format!(
        r#"{{"event":"policy","at":"{at}","version":{version},"who":"x","what":"y","name":"{name}","baseline":"gpt-4.1","routes":[{routes}]}}"#
    )
}

#[test]
fn prices_and_policies_count_from_their_own_moment_on_wherever_they_stand() {
    let sandbox = sandbox();
    log(&sandbox, "price.jsonl", &[PRICE]);
    log(&sandbox, "always.jsonl", &[&PRICE.replace(r#""at":"2026-05-23T10:00:00Z","#, "")]);
    log(&sandbox, "requests.jsonl", &[AT_ELEVEN]);
    // More than one batch of requests before the event, so that some were counted without it.
    let filler: Vec<String> = (0..9000)
        .map(|n| format!(r#"{{"id":"f{n}","at":"2026-05-23T09:00:00Z","model":"unlisted","in":1,"out":1}}"#))
        .chain([AT_ELEVEN.to_owned()])
        .chain((0..9000).map(|n| {
            format!(r#"{{"id":"g{n}","at":"2026-05-23T12:00:00Z","model":"unlisted","in":1,"out":1}}"#)
        }))
        .collect();
    log(&sandbox, "long.jsonl", &filler.iter().map(String::as_str).collect::<Vec<_>>());
    for order in [
        "price.jsonl requests.jsonl",
        "requests.jsonl price.jsonl",
        "long.jsonl price.jsonl",
        "always.jsonl requests.jsonl",
        "requests.jsonl always.jsonl",
    ] {
        assert_eq!(report(&sandbox, order)["cost_usd"], "0.1", "{order}");
    }

    let ladder = |threshold| {
        format!(
            r#"{{"route":"rest","ladder":[{{"model":"gpt-4.1-nano","threshold":{threshold}}},{{"model":"gpt-4.1"}}]}}"#
        )
    };
    let policies = [
        policy_event("2026-05-23T10:00:00Z", 1, "one", &ladder(500)),
        policy_event("2026-05-23T11:30:00Z", 2, "two", &ladder(50)),
    ];
    log(&sandbox, "policies.jsonl", &[&policies[0], &policies[1]]);
    for order in
        ["policies.jsonl requests.jsonl", "requests.jsonl policies.jsonl", "long.jsonl policies.jsonl"]
    {
        let report = report(&sandbox, &format!("{order} --as routed"));
        let models = column(&report["by_model"], "model", "cost_usd");
        assert_eq!(models.get("gpt-4.1"), Some(&"0.002"), "{order}: {models:?}");
    }
    // Several of one pipe cannot be read twice: what was counted without them is told.
    let piped =
        sandbox.run_with("replay - --format json", (filler.join("\n") + "\n" + PRICE + "\n").as_bytes());
    assert!(piped.err.contains("came after requests of their time"), "{}", piped.err);
}

#[test]
fn a_log_that_brings_its_policy_is_reported_under_it() {
    let sandbox = sandbox();
    let routes = r#"{"route":"mails","task":["code"],"ladder":[{"rung":"a","model":"gpt-4.1-nano","threshold":700},{"rung":"b","model":"gpt-4.1"}]},{"route":"other-work","ladder":[{"model":"gpt-4.1"}]}"#;
    let event = policy_event("2026-05-23T09:00:00Z", 5, "mine", routes)
        .replace("\"gpt-4.1\",\"routes", "\"claude-opus-4-6\",\"routes");
    let requests = [
        r#"{"id":"q1","at":"2026-05-23T10:00:00Z","task":"code","confidence":800,"model":"gpt-4.1-nano","in":1000,"out":100}"#,
        r#"{"id":"q2","at":"2026-05-23T10:01:00Z","task":"agent","confidence":800,"model":"gpt-4.1","in":1000,"out":100}"#,
    ];
    log(&sandbox, "own.jsonl", &[&event, requests[0], requests[1]]);
    let routed = report(&sandbox, "own.jsonl --as routed");
    assert_eq!(routed["scope"]["policy"], "mine v5");
    assert_eq!(routed["scope"]["baseline_model"], "claude-opus-4-6");
    let routes = column(&routed["by_route"], "route", "cost_usd");
    assert_eq!(routes.keys().copied().collect::<Vec<_>>(), ["mails", "other-work"]);
    assert_eq!(routed["baseline_usd"], "0.015");
    // 2 x (1,000 x $0.10 + 100 x $0.40) a million.
    assert_eq!(report(&sandbox, "own.jsonl --as routed --baseline gpt-4.1-nano")["baseline_usd"], "0.00028");
    let curve = json(&sandbox.good("frontier own.jsonl --route mails --step 500 --format json"));
    assert_eq!(curve["requests"], 1);
    let refused = sandbox.refused("frontier own.jsonl --route extraction");
    assert!(refused.contains("in policy mine v5; write one of mails, other-work"), "{refused}");
}

#[test]
fn routes_are_one_by_name_and_a_staged_change_holds_in_every_policy_that_has_the_rung() {
    let sandbox = sandbox();
    // The second policy has the routes in another order, and another threshold.
    let route = |name: &str, task: &str, threshold: u32| {
        format!(
            r#"{{"route":"{name}"{task},"ladder":[{{"rung":"a","model":"gpt-4.1-nano","threshold":{threshold}}},{{"rung":"b","model":"gpt-4.1"}}]}}"#
        )
    };
    let (code, agent) = (r#","task":["code"]"#, r#","task":["agent"]"#);
    let one = format!("{},{},{}", route("A", code, 700), route("B", agent, 700), route("rest", "", 700));
    let two = format!("{},{},{}", route("B", agent, 300), route("A", code, 300), route("rest", "", 700));
    let mut lines = vec![policy_event("2026-05-23T09:00:00Z", 1, "one", &one)];
    for n in 0..20 {
        if n == 10 {
            lines.push(policy_event("2026-05-23T11:00:00Z", 2, "two", &two));
        }
        let (hour, task) = (10 + n / 10 * 2, if n % 2 == 0 { "code" } else { "agent" });
        lines.push(format!(
            r#"{{"id":"q{n}","at":"2026-05-23T{hour}:00:{n:02}Z","task":"{task}","confidence":500,"model":"gpt-4.1","in":1000,"out":100}}"#
        ));
    }
    log(&sandbox, "two.jsonl", &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let routed = report(&sandbox, "two.jsonl --as routed");
    let requests: BTreeMap<_, _> = routed["by_route"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["route"].as_str().expect("a name"), row["requests"].as_u64().expect("a count")))
        .collect();
    assert_eq!(requests, BTreeMap::from([("A", 10), ("B", 10)]));
    let found = json(&sandbox.good("whatif two.jsonl --set A.a=250 --format json"));
    let by_route = found["by_route"].as_array().expect("rows");
    let row = |name: &str| by_route.iter().find(|row| row["route"] == name).expect("the route");
    assert_eq!((&row("A")["flipped_requests"], &row("B")["flipped_requests"]), (&5.into(), &0.into()));
    for (name, side, starts) in [
        ("A", "applied", [5, 5]),
        ("A", "staged", [10, 0]),
        ("B", "applied", [5, 5]),
        ("B", "staged", [5, 5]),
    ] {
        let split = &row(name)[side]["split"];
        assert_eq!([&split[0]["starts"], &split[1]["starts"]], [starts[0], starts[1]], "{name} {side}");
    }
    assert_eq!(found["applied"]["cost_usd"], routed["cost_usd"], "what was in force is what a replay routes");
}

#[test]
fn a_route_is_one_row_whatever_is_said_of_its_models_and_several_where_its_rungs_differ() {
    let sandbox = sandbox();
    let models =
        |cap: u32| format!(r#","models":[{{"model":"gpt-4.1","max_in_flight":{cap},"labels":["eu"]}}]"#);
    let rung = |name: &str, model: &str, threshold: &str| {
        format!(r#"{{"rung":"{name}","model":"{model}"{threshold},"max_output":{}}}"#, 1000 + threshold.len())
    };
    let route = |threshold: u32, middle: &str| {
        let first = rung("a", "gpt-4.1-nano", &format!(r#","threshold":{threshold}"#));
        format!(r#"{{"route":"A","ladder":[{first},{middle}{}]}}"#, rung("b", "gpt-4.1", ""))
    };
    let at = |hour: u32| format!("2026-05-23T{hour:02}:00:00Z");
    let event = |hour: u32, version: u32, route: &str, cap: u32| {
        let line = policy_event(&at(hour), version, "p", route);
        format!("{}{}}}", line.strip_suffix('}').expect("an object"), models(cap))
    };
    let call = |n: u32, hour: u32| {
        format!(
            r#"{{"id":"q{n}","at":"2026-05-23T{hour:02}:00:{n:02}Z","confidence":500,"model":"gpt-4.1","in":1000,"out":100}}"#
        )
    };
    let mut lines = vec![event(9, 1, &route(700, ""), 100), event(11, 2, &route(300, ""), 50)];
    lines.extend((0..5).map(|n| call(n, 10)).chain((5..10).map(|n| call(n, 12))));
    let text = |lines: &[String]| lines.iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
    log(&sandbox, "facts.jsonl", &text(&lines).iter().map(String::as_str).collect::<Vec<_>>());
    let frontier = json(&sandbox.good("frontier facts.jsonl --route A --step 1000 --format json"));
    assert_eq!((&frontier["requests"], &frontier["points"][0]["requests_on_rung"]), (&10.into(), &10.into()));
    let found = json(&sandbox.good("whatif facts.jsonl --set A.a=250 --format json"));
    assert_eq!(found["by_route"].as_array().expect("rows").len(), 1);
    assert_eq!(found["by_route"][0]["applied"]["requests"], 10);
    assert_eq!(found["by_route"][0].get("policies"), None);

    // A third policy puts a rung between: another row, and each says whose it is.
    lines.push(event(
        13,
        3,
        &route(300, &format!("{},", rung("m", "claude-haiku-4-5", r#","threshold":100"#))),
        50,
    ));
    lines.extend((10..14).map(|n| call(n, 14)));
    log(&sandbox, "rungs.jsonl", &text(&lines).iter().map(String::as_str).collect::<Vec<_>>());
    let frontier = json(&sandbox.good("frontier rungs.jsonl --route A --step 1000 --format json"));
    assert_eq!((&frontier["requests"], &frontier["points"][0]["requests_on_rung"]), (&14.into(), &14.into()));
    let found = json(&sandbox.good("whatif rungs.jsonl --set A.a=250 --format json"));
    let rows = found["by_route"].as_array().expect("rows").iter();
    let rows: Vec<_> =
        rows.map(|row| (row["policies"].as_str(), row["applied"]["requests"].as_u64())).collect();
    assert_eq!(rows, [(Some("p v3"), Some(4)), (Some("p v1, p v2"), Some(10))]);
    assert!(sandbox.good("whatif rungs.jsonl --set A.a=250").contains("A (policy p v1, p v2) · 10 requests"));
}

#[test]
fn a_model_is_one_under_all_its_names() {
    let sandbox = sandbox();
    let request = |model: &str| {
        format!(
            r#"{{"id":"q","at":"2026-05-01T00:00:00Z","task":"code","confidence":9,"model":"{model}","status":"server_error","in":1000,"out":0,"latency_ms":900}}"#
        )
    };
    sandbox.write("p.toml", "name=\"x\"\n[[route]]\nname=\"r\"\nladder=[{model=\"gpt-4.1\"}]\n");
    for model in ["gpt-4.1", "gpt-4.1-2025-04-14", "openai/gpt-4.1"] {
        log(&sandbox, "named.jsonl", &[&request(model)]);
        let routed = report(&sandbox, "named.jsonl --as routed --policy p.toml");
        assert_eq!((&routed["errors"], &routed["estimated_requests"]), (&1.into(), &0.into()), "{model}");
        assert_eq!(routed["latency_ms"]["known"], 1, "{model}");
        // Its price changes under whichever name.
        log(&sandbox, "priced.jsonl", &[PRICE, &request(model).replace("05-01", "05-24")]);
        assert_eq!(report(&sandbox, "priced.jsonl")["cost_usd"], "0.1", "{model}");
    }
}

#[test]
fn a_pinned_request_is_charged_once_however_it_failed() {
    let sandbox = sandbox();
    log(
        &sandbox,
        "pinned.jsonl",
        &[
            r#"{"id":"q","at":"2026-05-23T10:00:00Z","task":"code","confidence":800,"pinned":true,"model":"gpt-4.1-mini","status":"server_error","in":1000,"out":100}"#,
        ],
    );
    for reading in ["recorded", "routed"] {
        let report = report(&sandbox, &format!("pinned.jsonl --as {reading}"));
        assert_eq!(report["cost_usd"], "0.00056", "{reading}");
        assert_eq!((&report["attempts"], &report["escalated"]), (&1.into(), &0.into()), "{reading}");
    }
}

#[test]
fn what_is_assumed_counts_as_estimated_and_days_of_latency_are_not_cut() {
    let sandbox = sandbox();
    log(
        &sandbox,
        "nobody.jsonl",
        &[r#"{"id":"q","at":"2026-05-23T10:00:00Z","in":1000,"out":100,"latency_ms":36000000}"#],
    );
    let assumed = report(&sandbox, "nobody.jsonl --assume-model gpt-4.1");
    assert_eq!(assumed["estimated_requests"], 1);
    let p50 = assumed["latency_ms"]["p50"].as_u64().expect("a latency");
    assert!(p50.abs_diff(36_000_000) < 360_000, "{p50}");
    let table = sandbox.good("replay nobody.jsonl --assume-model gpt-4.1");
    assert!(table.lines().any(|line| line.starts_with("  gpt-4.1") && line.contains("~$")), "{table}");
}

#[test]
fn a_log_without_times_gives_no_rate() {
    let sandbox = sandbox();
    let answer = |at: usize| {
        let (id, usage) = (
            format!("chatcmpl-{at}"),
            serde_json::json!({"prompt_tokens": 1000 + at, "completion_tokens": 100}),
        );
        let choices = serde_json::json!([{"finish_reason": "stop"}]);
        serde_json::json!({"id": id, "object": "chat.completion", "model": "gpt-4.1", "choices": choices, "usage": usage})
            .to_string()
    };
    sandbox.write("undated.jsonl", (0..120).map(answer).collect::<Vec<_>>().join("\n"));
    assert_eq!(report(&sandbox, "undated.jsonl")["timing"]["kind"], "placed");
    let whatif =
        |log: &str| json(&sandbox.good(&format!("whatif {log} --set general.nano=700 --format json")));
    let is_placed = |log: &str| {
        let found = whatif(log);
        assert_eq!(found["applied"]["cost_per_month_usd"].is_null(), found["timing"] == "placed", "{log}");
        found["timing"] == "placed"
    };
    assert!(is_placed("undated.jsonl"), "two minutes of nothing but order are no rate");
    assert_eq!(sandbox.run("import undated.jsonl -o imported.jsonl").code, Some(0));
    assert!(is_placed("imported.jsonl"), "our own format keeps it");
    sandbox.write("dated.jsonl", sandbox.read("imported.jsonl").replace(r#","timing":"placed""#, ""));
    assert!(!is_placed("dated.jsonl"));
}

#[test]
fn a_stretch_is_the_same_in_every_command() {
    let sandbox = sandbox();
    let rows = |stretch: &str| {
        let found = json(&sandbox.good(&format!("requests small.jsonl {stretch} --format json")));
        found["requests"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((rows(""), rows("--from 10:00:10 --to 10:00:20")), (4, 1));
    assert_eq!(rows("--from 2026-05-23 --to 2026-05-23"), 4);
    assert!(sandbox.refused("requests small.jsonl --from 2026-05-24").contains("none in that stretch"));
    let report = |stretch: &str| report(&sandbox, &format!("small.jsonl {stretch}"));
    assert_eq!(report("--to 2026-05-23")["requests"], 4, "a day counts whole");
    assert_eq!(report("--from 10:00:10 --to 10:00:20")["requests"], 1);
    let whatif =
        json(&sandbox.good(
            "whatif small.jsonl --set extraction.flash=500 --from 10:00:10 --to 10:00:20 --format json",
        ));
    assert_eq!(whatif["requests"], 1);
    assert!(sandbox.good("why small.jsonl #1 --from 10:00:10").contains("#1 of 3"));
    let none = sandbox.refused("frontier small.jsonl --route agent --from 2027-01-01");
    assert!(none.contains("none in that stretch"));
    let shown = sandbox.good("snapshot overview --log small.jsonl --from 10:00:10 --to 10:00:20");
    assert!(shown.contains("1/1 requests"));
}

#[test]
fn what_is_known_of_a_cost_that_is_not_whole_stands_in_the_list_of_requests() {
    let sandbox = sandbox();
    // Of a request whose last call nobody can price, what the first one cost is told.
    std::fs::write(
        sandbox.path("part.jsonl"),
        r#"{"at":"2026-05-23T10:00:00Z","attempts":[{"model":"gpt-4.1","in":1000,"out":100,"status":"failed"},{"model":"gpt-4.1"}]}"#,
    )
    .unwrap();
    assert!(sandbox.good("requests part.jsonl").contains("$0.002800 + unknown"));
    let part: serde_json::Value =
        serde_json::from_str(&sandbox.good("requests part.jsonl --format json")).unwrap();
    let one = &part["requests"][0];
    assert!(one["cost_usd"].is_null() && one["known_part_usd"] == "0.0028", "{one}");
}
