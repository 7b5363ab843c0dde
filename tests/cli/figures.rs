//! Every figure is the one that a hand computes, whichever way it is asked for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::program::Desk;
use super::{desk, json, report, snapshot};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Gives one text field of every row, by the row's name.
fn column<'a>(rows: &'a Value, name: &str, field: &str) -> BTreeMap<&'a str, &'a str> {
    let rows = rows.as_array().expect("rows");
    rows.iter().map(|row| (row[name].as_str().unwrap_or("-"), row[field].as_str().expect("text"))).collect()
}

#[test]
fn a_replay_gives_the_documented_fields_and_exact_figures() {
    let desk = desk();
    let report = report(&desk, "small.jsonl");
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
        BTreeMap::from([("gpt-4.1", "0.026912"), ("gemini-2.5-flash", "0.00135"), ("house-model", "0")])
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
    let desk = desk();
    let report = report(&desk, "small.jsonl --as routed");
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
    let desk = desk();
    let costs = |args: &str| {
        let report = report(&desk, &format!("small.jsonl {args}"));
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
    let desk = Desk::new();
    desk.write(
        "bare.jsonl",
        "{\"at\":\"2026-05-23T10:00:00Z\",\"in\":1000,\"out\":100}\n\
         {\"at\":\"2026-05-23T10:00:01Z\",\"model\":\"gpt-4.1-nano\",\"in\":1000,\"out\":100}\n",
    );
    let without = report(&desk, "bare.jsonl");
    assert_eq!((&without["cost_usd"], &without["cost_unknown_requests"]), (&"0.00014".into(), &1.into()));
    let with = report(&desk, "bare.jsonl --assume-model gpt-4.1");
    assert_eq!(with["cost_usd"], "0.00294");
    assert_eq!(with["cost_estimated_usd"], "0.0028", "an assumed model gives an estimate");
    assert_eq!(with["cost_unknown_requests"], 0);
}

#[test]
fn another_price_book_and_baseline_change_the_bill() {
    let desk = desk();
    // The guide's table has no cached price and one price for in and out: 2 $/1M on gpt-4.1, 0.15 on flash.
    let report = report(&desk, "small.jsonl --prices guide-2026 --baseline claude-opus-4-6");
    let models = column(&report["by_model"], "model", "cost_usd");
    assert_eq!(models["gemini-2.5-flash"], "0.000345");
    assert_eq!(report["scope"]["baseline_model"], "claude-opus-4-6");
    for (args, said) in [
        ("--prices nobook", "known books are list, guide-2026"),
        ("--baseline nomodel", "`pointsman prices list`"),
    ] {
        let message = desk.refused(&format!("replay small.jsonl {args}"));
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn a_what_if_tells_both_sides_and_the_difference() {
    let desk = desk();
    let answer = json(&desk.good("whatif small.jsonl --set extraction.flash=680 --format json"));
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
    snapshot("whatif_table", &desk.good("whatif small.jsonl --set extraction.flash=680"));

    // A policy with these thresholds, replayed in full, costs the same.
    let policy = desk.good("config --print policy").replace("threshold = 620", "threshold = 680");
    desk.write("mine.toml", policy);
    assert_eq!(report(&desk, "small.jsonl --as routed --policy mine.toml")["cost_usd"], "0.01311316");
}

#[test]
fn the_frontier_holds_every_threshold_and_agrees_with_a_replay() {
    let desk = desk();
    let csv = desk.good("frontier small.jsonl --route extraction --format csv");
    let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1001);
    assert!(rows.iter().enumerate().all(|(at, row)| row[0] == at.to_string()));
    let applied: Vec<_> = rows.iter().filter(|row| row.last() == Some(&"applied")).collect();
    let routed = report(&desk, "small.jsonl --as routed");
    let cost = column(&routed["by_route"], "route", "cost_usd")["extraction"];
    assert_eq!((applied.len(), applied[0][0], applied[0][3]), (1, "620", cost));
    assert!(
        rows.windows(2)
            .all(|pair| { pair[0][1].parse::<u64>().unwrap() >= pair[1][1].parse::<u64>().unwrap() })
    );
    // Elsewhere on the curve too: each point is what a policy with that threshold gives.
    let policy = desk.good("config --print policy");
    for threshold in [180, 600, 651, 701, 1000] {
        desk.write("mine.toml", policy.replace("threshold = 620", &format!("threshold = {threshold}")));
        let routed = report(&desk, "small.jsonl --as routed --policy mine.toml");
        let cost = column(&routed["by_route"], "route", "cost_usd")["extraction"];
        assert_eq!(rows[threshold][3], cost, "at {threshold}");
    }
    let stepped = desk.good("frontier small.jsonl --route extraction --format csv --step 100");
    assert_eq!(stepped.lines().count(), 1 + 11 + 1, "every hundredth, and the applied one");
}

#[test]
fn an_imported_log_costs_what_its_origin_did() {
    let desk = Desk::new();
    let origin = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records/litellm_array.json");
    let origin = origin.to_str().unwrap();
    let run = desk.run(&format!("import {origin} -o own.jsonl.zst"));
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (Some(0), "", "5 entries imported\n"));
    assert_eq!(report(&desk, "own.jsonl.zst")["cost_usd"], report(&desk, origin)["cost_usd"]);
}

/// Five calls as each format tells them: gpt-4.1 with cached input 0.016912, Claude Opus 4.6 with both kinds of cache
/// writes 0.058576, Gemini 2.5 Flash with thoughts 0.00283204, Mistral Small 0.000135, and a refused call 0.
#[test]
fn the_five_reference_calls_cost_to_the_last_digit() {
    let desk = Desk::new();
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
        let report = report(&desk, &format!("{} --prices list", path.display()));
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
    let desk = Desk::new();
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
        let report = report(&desk, path.to_str().unwrap());
        assert_eq!(
            (&report["cost_known_usd"], &report["cost_estimated_usd"]),
            (&cost.into(), &"0".into()),
            "{file}"
        );
    }
}
