//! Savings, unit costs, where budgets are heading, and budgets in a what-if, from a shell.

use serde_json::Value;

use super::program::Sandbox;
use super::{json, sandbox};

/// By the list prices of gpt-4.1 (2, 8 $/1M) and gemini-2.5-flash (0.3, 2.5): u-1 costs 0.55; u-2 0.3 on flash, whose check fails,
/// and then 2.8; u-3 2, for nothing.
const UNITS: &str = r#"{"pointsman":"log","v":1,"source":"a test"}
{"id":"u-1","at":"2026-05-23T10:00:00Z","team":"a","session":"s1","user":"main","task":"code","model":"gemini-2.5-flash","in":1000000,"out":100000,"labels":[{"model":"gemini-2.5-flash","quality":900}]}
{"id":"u-2","at":"2026-05-23T11:00:00Z","team":"a","session":"s1","user":"main/helper","task":"code","attempts":[{"model":"gemini-2.5-flash","in":1000000,"out":0,"check":"failed"},{"model":"gpt-4.1","in":1000000,"out":100000}]}
{"id":"u-3","at":"2026-05-23T12:30:00Z","team":"b","session":"s2","user":"main","task":"extraction","model":"gpt-4.1","status":"timeout","in":1000000,"out":0}
"#;

fn units() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("units.jsonl", UNITS);
    sandbox
}

fn run(sandbox: &Sandbox, args: &str) -> Value {
    json(&sandbox.good(&format!("{args} --format json")))
}

fn line<'v>(report: &'v Value, name: &str) -> &'v Value {
    let lines = report["lines"].as_array().expect("lines");
    lines.iter().find(|line| line["name"] == name).expect(name)
}

#[test]
fn what_routing_saved_is_told_line_by_line() {
    let report = run(&units(), "savings units.jsonl --baseline gpt-4.1");
    // On gpt-4.1 u-1 would have cost 2.8; u-2 was answered by it, u-3 came to nothing there.
    for (key, usd) in [
        ("baseline_usd", "7.6"),
        ("answers_usd", "5.35"),
        ("gross_usd", "2.25"),
        ("net_usd", "1.95"),
        ("compared_spend_usd", "5.65"),
    ] {
        assert_eq!(report[key], usd, "{key}: {report}");
    }
    assert_eq!(line(&report, "escalation")["usd"], "0.3");
    assert_eq!(
        (&report["answers_estimated"], &line(&report, "escalation")["is"]),
        (&false.into(), &"observed".into())
    );
    // What the policy decides instead is not told as what calls cost.
    let elsewhere = Sandbox::new();
    elsewhere.write(
        "dear.jsonl",
        r#"{"id":"d","at":"2026-05-23T10:00:00Z","task":"extraction","confidence":900,"model":"gpt-4.1","in":1000,"out":100}"#,
    );
    let routed = run(&elsewhere, "savings dear.jsonl --as routed --baseline gpt-4.1");
    assert_eq!(routed["answers_estimated"], true, "{routed}");
    assert_eq!(line(&report, "judge")["usd"], Value::Null, "labels do not tell what judging cost");
    assert_eq!(line(&report, "judge")["is"], "unknown");
    assert_eq!(line(&report, "shadow")["is"], "absent");
    assert_eq!(report["holdout"], Value::Null);
    let dearest = run(&units(), "savings units.jsonl --against most-expensive");
    assert_eq!(dearest["against"], "most-expensive");
    // What nobody can price is in no sum, and counted.
    let small = run(&sandbox(), "savings small.jsonl --baseline gpt-4.1");
    assert_eq!((&small["requests"], &small["compared_requests"]), (&Value::from(4), &Value::from(3)));
    assert_eq!(small["net_usd"], "-0.00135", "one escalation, and nothing saved");
    let table = units().good("savings units.jsonl --baseline gpt-4.1");
    assert!(table.contains("less escalation") && table.contains("unknown"), "{table}");
}

/// What is compared differs in the model alone: searches, the batch discount and the cache writes of another provider go along.
#[test]
fn a_baseline_pays_for_what_the_request_has_on_any_model() {
    let head = "{\"pointsman\":\"log\",\"v\":1,\"source\":\"a test\"}\n";
    for (call, answers, baseline) in [
        // Two searches at $0.01 beside 0.0045 or 0.0028 for the tokens.
        (
            "\"model\":\"claude-sonnet-4-5\",\"in\":1000,\"out\":100,\"meters\":{\"web_search\":2}",
            "0.0245",
            "0.0228",
        ),
        ("\"model\":\"gpt-4.1-mini\",\"in\":1000,\"out\":100,\"tier\":\"batch\"", "0.00028", "0.0014"),
        // No such tier there: the ordinary service.
        (
            "\"model\":\"gpt-4.1-mini\",\"in\":1000,\"out\":100,\"tier\":\"odd\",\"charged\":\"0.001\"",
            "0.001",
            "0.0028",
        ),
        // An hour's write at $6, which gpt-4.1 has no price for: prompt.
        ("\"model\":\"claude-sonnet-4-5\",\"in\":1000,\"out\":0,\"write_1h\":500", "0.006", "0.003"),
    ] {
        let sandbox = Sandbox::new();
        let log = format!("{head}{{\"id\":\"b-1\",\"at\":\"2026-05-23T10:00:00Z\",{call}}}\n");
        sandbox.write("alike.jsonl", log);
        let report = run(&sandbox, "savings alike.jsonl --baseline gpt-4.1");
        assert_eq!(
            (&report["answers_usd"], &report["baseline_usd"]),
            (&answers.into(), &baseline.into()),
            "{call}"
        );
        let routed = run(&sandbox, "replay alike.jsonl --baseline gpt-4.1");
        assert_eq!(routed["baseline_usd"], baseline, "{call}: {routed}");
    }
}

#[test]
fn a_holdout_in_the_log_is_measured_beside() {
    let mut log = "{\"pointsman\":\"log\",\"v\":1,\"source\":\"a test\"}\n".to_owned();
    for at in 0..80 {
        // Every second session is held out and costs 3 $ a request more.
        let (word, model) = if at % 2 == 0 { ("holdout:500", "2.5") } else { ("routed:500", "0.5") };
        let charged = format!("{model}{}", at % 3);
        let _ = std::fmt::Write::write_fmt(
            &mut log,
            format_args!(
                "{{\"id\":\"h-{at}\",\"at\":\"2026-05-23T10:{:02}:00Z\",\"session\":\"s-{at}\",\"model\":\"gpt-4.1\",\"in\":10,\"out\":10,\"charged\":\"{charged}\",\"down\":[\"{word}\"]}}\n",
                at % 60
            ),
        );
    }
    let sandbox = Sandbox::new();
    sandbox.write("held.jsonl", log);
    let report = run(&sandbox, "savings held.jsonl");
    let holdout = &report["holdout"];
    assert_eq!(
        (&holdout["held_sessions"], &holdout["routed_requests"]),
        (&Value::from(40), &Value::from(40))
    );
    let saved: f64 = holdout["saved_usd"].as_str().expect("measured").parse().expect("a number");
    assert!((saved - 80.0).abs() < 0.1, "forty requests, two dollars each: {saved}");
    assert_eq!(holdout["interval"]["level_percent"], 95);
}

#[test]
fn units_cost_what_all_of_it_cost() {
    let report = run(&units(), "unit units.jsonl --by task");
    let total = &report["total"];
    for (key, usd) in [
        ("cost_usd", "5.65"),
        ("per_session_usd", "2.825"),
        ("per_1000_usd", "1883.333333333333"),
        ("per_good_answer_usd", "2.55"),
        ("escalation_usd", "0.3"),
        ("wasted_usd", "2"),
    ] {
        assert_eq!(total[key], usd, "{key}: {report}");
    }
    assert_eq!(report["rows"][0]["task"], "code");
    let by_session = run(&units(), "unit units.jsonl --by session");
    let first = &by_session["rows"][0];
    assert_eq!((&first["session"], &first["cost_usd"]), (&"s1".into(), &"3.65".into()));
    let agents: Vec<_> = first["agents"]
        .as_array()
        .expect("agents")
        .iter()
        .map(|agent| (agent["agent"].as_str().unwrap_or(""), agent["cost_usd"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(agents, [("main/helper", "3.1"), ("main", "0.55")]);
    let table = units().good("unit units.jsonl --by session");
    assert!(table.contains("└ main/helper"), "{table}");
    // The bar is the operator's to set; under it no answer was good, and the cost of one is not known.
    let hours = run(&units(), "unit units.jsonl --by hour");
    let hours = hours["rows"].as_array().expect("rows").iter().map(|row| row["hour"].to_string());
    assert!(hours.collect::<Vec<_>>().is_sorted(), "in order of time");
    let strict = run(&units(), "unit units.jsonl --by team --good 950");
    assert_eq!(strict["total"]["per_good_answer_usd"], Value::Null);
    units().refused("unit units.jsonl --by model");
}

#[test]
fn what_tools_results_cost_stands_below_the_agent_that_had_them_run() {
    let sandbox = Sandbox::new();
    let claude = |id: &str, minute: u32, block: &str| {
        format!(
            r#"{{"type":"assistant","timestamp":"2026-05-23T10:{minute:02}:00Z","sessionId":"s1","requestId":"r-{id}","cwd":"/srv/web","message":{{"id":"{id}","model":"claude-sonnet-4-5","stop_reason":"end_turn","content":[{block}],"usage":{{"input_tokens":1000,"output_tokens":10}}}}}}"#
        )
    };
    let user = |content: &str| {
        format!(
            r#"{{"type":"user","timestamp":"2026-05-23T10:00:00Z","sessionId":"s1","message":{{"role":"user","content":{content}}}}}"#
        )
    };
    let call = |name: &str| format!(r#"{{"type":"tool_use","id":"t","name":"{name}","input":{{}}}}"#);
    let result = r#"[{"type":"tool_result","tool_use_id":"t","content":"ok"}]"#;
    let words = r#"{"type":"text","text":"done"}"#;
    let session = [
        user(r#""fix it""#),
        // One answer, told in two lines: two tools at once.
        claude("m1", 1, &call("Read")),
        claude("m1", 1, &call("Bash")),
        user(result),
        claude("m2", 2, &call("Bash")),
        user(result),
        claude("m3", 3, words),
        // A person asks anew: nobody's result.
        user(r#""and now?""#),
        claude("m4", 4, words),
    ];
    sandbox.write("claude/s1.jsonl", session.join("\n") + "\n");
    let tools = |log: &str| -> Vec<(String, u64)> {
        let report = run(&sandbox, &format!("unit {log} --by session"));
        let word = |row: &Value| row["tool"].as_str().unwrap_or("-").to_owned();
        let of_agent = report["rows"][0]["agents"][0]["tools"].as_array().expect("tools").clone();
        of_agent.iter().map(|row| (word(row), row["requests"].as_u64().unwrap_or(0))).collect()
    };
    let expected = |rows: &[(&str, u64)]| {
        rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>()
    };
    assert_eq!(tools("claude/s1.jsonl"), expected(&[("-", 2), ("Bash", 1), ("Bash+Read", 1)]));
    let table = sandbox.good("unit claude/s1.jsonl --by session");
    assert!(table.contains("    └ Bash+Read"), "{table}");

    let codex = |second: u32, kind: &str, payload: &str| {
        format!(r#"{{"timestamp":"2026-05-23T10:00:{second:02}Z","type":"{kind}","payload":{payload}}}"#)
    };
    let count = |second: u32, total: u32| {
        codex(
            second,
            "event_msg",
            &format!(
                r#"{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{total},"output_tokens":0,"total_tokens":{total}}},"last_token_usage":{{"input_tokens":100,"output_tokens":0,"total_tokens":100}}}}}}"#
            ),
        )
    };
    let session = [
        codex(0, "session_meta", r#"{"id":"c1","timestamp":"2026-05-23T10:00:00Z","cwd":"/srv/web"}"#),
        codex(0, "turn_context", r#"{"model":"gpt-5","cwd":"/srv/web"}"#),
        codex(
            1,
            "response_item",
            r#"{"type":"function_call","name":"shell","arguments":"{}","call_id":"1"}"#,
        ),
        count(1, 100),
        codex(2, "response_item", r#"{"type":"function_call_output","call_id":"1","output":"ok"}"#),
        count(3, 200),
        count(4, 300),
    ];
    sandbox.write("codex/c1.jsonl", session.join("\n") + "\n");
    assert_eq!(tools("codex/c1.jsonl"), expected(&[("-", 2), ("shell", 1)]));

    let gemini = |id: u32, rest: &str| {
        format!(
            r#"{{"id":"g{id}","timestamp":"2026-05-23T10:00:0{id}Z","type":"gemini","model":"gemini-2.5-pro","content":"x","tokens":{{"input":100,"output":1,"cached":0,"thoughts":0,"tool":0,"total":101}}{rest}}}"#
        )
    };
    let session = format!(
        r#"{{"sessionId":"g","projectHash":"p","messages":[{},{}]}}"#,
        gemini(1, r#","toolCalls":[{"name":"read_file"}]"#),
        gemini(2, "")
    );
    sandbox.write("gemini/session-1.json", session);
    assert_eq!(tools("gemini/session-1.json"), expected(&[("-", 1), ("read_file", 1)]));
}

#[test]
fn limits_are_listed_with_where_they_are_heading() {
    let sandbox = units();
    sandbox.write("budgets.toml", "[budget.company]\nlimit = { day = 10, month = 900 }\n");
    let report = run(&sandbox, "budgets list units.jsonl --budgets budgets.toml");
    let day = &report["budgets"][0];
    // Two whole hours cost 3.65; half an hour is left of this one, and eleven hours after it.
    assert_eq!((&day["window"], &day["spent"]), (&"day".into(), &"5.65".into()));
    assert_eq!(day["expected"], "26.6375", "1.825 an hour for eleven and a half hours: {report}");
    assert_eq!(day["method"], "run_rate");
    // What is left, 4.35, lasts for less than two and a half of them.
    assert_eq!(day["runs_out"], "2026-05-23T15:00:00.000Z", "{report}");
    assert_eq!(report["budgets"][1]["runs_out"], Value::Null, "the month has room at this rate");
}

/// An unknown would else be told as nothing: eleven days at the pace of half an hour would cost nothing more.
#[test]
fn before_the_first_whole_hour_nothing_is_foretold_and_small_amounts_are_not_rounded_away() {
    let sandbox = Sandbox::new();
    let line = |minute: u32| {
        format!(
            "{{\"id\":\"f{minute}\",\"at\":\"2026-05-23T10:{minute:02}:00Z\",\"model\":\"gpt-4.1\",\"in\":1000,\"out\":0}}\n"
        )
    };
    sandbox.write("short.jsonl", (0..27).map(line).collect::<String>());
    let report = run(&sandbox, "forecast short.jsonl --limit 100");
    assert_eq!(
        [&report["p50_usd"], &report["method"], &report["runs_out_at"]],
        [&Value::Null; 3],
        "{report}"
    );
    assert_eq!(report["spent_usd"], "0.054");
    let table = sandbox.good("forecast short.jsonl --limit 100");
    for words in ["$0.054000", "nothing is foretold before the first whole hour", "spent: unknown"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    sandbox.write("b.toml", "[budget.small]\nlimit = { day = \"0.06\" }\n");
    let listed = sandbox.good("budgets list short.jsonl --budgets b.toml");
    let shown = sandbox.run("budgets show short.jsonl --budgets b.toml").out;
    for table in [listed, shown] {
        assert!(table.contains("$0.060000") && table.contains("$0.054000"), "{table}");
    }
}

/// A ledger whose limits came on the way, and let nothing through, would else show no limit and nobody refused.
#[test]
fn limits_that_came_late_count_what_was_refused_for_them() {
    let sandbox = Sandbox::new();
    let header = r#"{"pointsman":"log","v":2,"budget_changes":[{"at":"2026-05-23T11:00:00Z","text":"[budget.company]\nlimit = { day = 1 }\n"}]}"#;
    let line = |minute: u32, more: &str| {
        format!(
            "{{\"at\":\"2026-05-23T1{}:{:02}:00Z\",\"model\":\"gpt-4.1\",{more}}}\n",
            minute / 60,
            minute % 60
        )
    };
    let spent = (0..10).map(|minute| line(minute, "\"in\":50000,\"out\":100"));
    let refused = (70..75).map(|minute| {
        line(minute, "\"asked\":\"gpt-4.1\",\"pinned\":true,\"in\":0,\"out\":0,\"status\":\"refused\",\"down\":[\"over-refuse:gpt-4.1\"]")
    });
    let lines: String = spent.chain(refused).collect();
    sandbox.write("late.jsonl", format!("{header}\n{lines}"));
    let shown = run(&sandbox, "budgets show late.jsonl");
    let row = &shown["budgets"][0];
    assert_eq!((&row["spent"], &row["refused"]), (&"1.008".into(), &5.into()), "{shown}");
    assert_eq!(shown["refused_requests"], 5, "{shown}");
    assert!(sandbox.good("budgets list late.jsonl").contains("company"));
}

/// Whoever reads a table of comma-separated values reads it by names, and sums it up.
#[test]
fn comma_separated_values_are_exact_with_a_name_for_each_column() {
    let sandbox = Sandbox::new();
    let (mut log, mut at) = (String::new(), 0);
    for (day, hour) in (1..4).flat_map(|day| (0..24).map(move |hour| (day, hour))) {
        for model in ["gpt-4.1", "gemini-2.5-flash"] {
            at += 1;
            let quality =
                |model: &str, quality: u32| format!("{{\"model\":\"{model}\",\"quality\":{quality}}}");
            let labels = [quality("gpt-4.1", 900), quality("gemini-2.5-flash", 100 + at * 5)].join(",");
            let _ = std::fmt::Write::write_fmt(
                &mut log,
                format_args!(
                    "{{\"id\":\"c{at}\",\"at\":\"2026-05-{day:02}T{hour:02}:00:00Z\",\"task\":\"extraction\",\"confidence\":{},\"model\":\"{model}\",\"in\":1234,\"out\":777,\"labels\":[{labels}]}}\n",
                    at * 6
                ),
            );
        }
    }
    sandbox.write("c.jsonl", log);
    sandbox.write("b.toml", "[budget.all]\nlimit = { day = 9 }\n");
    for args in [
        "advise c.jsonl",
        "optimise c.jsonl --cost -20%",
        "certify c.jsonl",
        "drift c.jsonl",
        "forecast c.jsonl --limit 3",
        "reprice c.jsonl --at 2026-05-01",
        "budgets list c.jsonl --budgets b.toml",
        "budgets show c.jsonl --budgets b.toml",
    ] {
        let run = sandbox.run(&format!("{args} --format csv"));
        assert_eq!(run.code, Some(0), "{args}: {}", run.err);
        let mut lines = run.out.lines();
        let heads: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let mut names = heads.clone();
        names.sort_unstable();
        names.dedup();
        assert!(names.len() == heads.len() && !heads.contains(&""), "{args}: {}", run.out);
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        assert!(!rows.is_empty() && rows.iter().all(|row| row.len() == heads.len()), "{args}: {}", run.out);
        let cells = rows.concat();
        let is_for_people = |cell: &&str| cell.contains(['$', '‰', '±', '%', '\'']) || *cell == "-";
        assert!(!cells.iter().any(is_for_people), "{args}: {}", run.out);
    }
}

#[test]
fn a_tried_limit_says_whom_it_would_have_turned_away_and_when() {
    let sandbox = units();
    sandbox.write("budgets.toml", "[budget.company]\nlimit = { day = 1000 }\n");
    let report = run(&sandbox, "whatif units.jsonl --budgets budgets.toml --budget company=0.000001/day");
    let budgets = &report["budgets"];
    assert_eq!(budgets["decided"], "in_order");
    assert_eq!(
        (&budgets["applied_refused_requests"], &budgets["staged_refused_requests"]),
        (&0.into(), &3.into())
    );
    assert_eq!(budgets["turned"][0]["id"], "u-1");
    assert_eq!(budgets["windows"][0]["applied"]["ran_out"], Value::Null);
    assert_eq!(budgets["windows"][0]["staged"]["ran_out"], "2026-05-23T10:00:00.000Z");
    let team = run(&sandbox, "whatif units.jsonl --budget team:b=0.000001/day");
    assert_eq!(team["budgets"]["staged_refused_requests"], 1, "{team}");
    let table = sandbox.good("whatif units.jsonl --budget team:b=0.000001/day");
    assert!(table.contains("decided in order") && table.contains("u-3"), "{table}");
    for (wrong, says) in [
        ("company=5", "whose, US dollars and a window"),
        ("nobody=5/day", "no budget is called"),
        ("all=5/fortnight", "no window"),
        ("all=x/day", "no amount"),
    ] {
        assert!(sandbox.refused(&format!("whatif units.jsonl --budget {wrong}")).contains(says), "{wrong}");
    }
}

#[test]
fn a_log_that_brings_budgets_is_tried_with_those_in_force() {
    let sandbox = units();
    let own = r#"{"pointsman":"log","v":2,"budgets":"[budget.company]\nlimit = { day = 0.000001 }\nover = \"refuse\"\n"}"#;
    sandbox.write("brought.jsonl", format!("{own}\n{UNITS}"));
    let report = run(&sandbox, "whatif brought.jsonl --set extraction.flash=588");
    let budgets = &report["budgets"];
    assert_eq!(
        (&budgets["in_force"], &budgets["windows"][0]["limit"]),
        (&"log".into(), &"company/day".into())
    );
    assert_eq!(
        (&budgets["applied_refused_requests"], &budgets["staged_refused_requests"]),
        (&3.into(), &3.into()),
        "{report}"
    );
    let table = sandbox.good("whatif brought.jsonl --set extraction.flash=588");
    assert!(table.contains("Budgets that the log brings") && table.contains("company/day"), "{table}");
    // What is asked for goes before what is brought, and a limit of the log is tried by its name.
    let tried = run(&sandbox, "whatif brought.jsonl --budget company=1000/day");
    assert_eq!(
        (&tried["budgets"]["applied_refused_requests"], &tried["budgets"]["staged_refused_requests"]),
        (&3.into(), &0.into())
    );
    sandbox.write("budgets.toml", "[budget.company]\nlimit = { day = 1000 }\n");
    let file = run(&sandbox, "whatif brought.jsonl --set extraction.flash=588 --budgets budgets.toml");
    assert_eq!(
        (&file["budgets"]["in_force"], &file["budgets"]["applied_refused_requests"]),
        (&"file".into(), &0.into())
    );
    assert!(sandbox.refused("whatif brought.jsonl").contains("nothing to compare"));
}

#[test]
fn requests_wait_over_a_log_for_a_window_that_turns() {
    let sandbox = Sandbox::new();
    let line = |nth: u32| {
        format!(
            r#"{{"id":"w-{nth}","at":"2026-05-23T10:00:{nth:02}Z","model":"gpt-4.1","pinned":true,"in":1000,"out":1000,"latency_ms":100}}"#
        )
    };
    let log: Vec<String> = (1..=6).map(line).collect();
    sandbox.write("waits.jsonl", log.join("\n"));
    // A call costs a cent: two have room in each window of half a minute.
    let budgets =
        |wait: &str| format!("[budget.all]\nlimit = {{ 30s = 0.02 }}\nover = \"queue\"\nwait = \"{wait}\"\n");
    sandbox.write("budgets.toml", budgets("40s"));
    let found = run(&sandbox, "budgets show waits.jsonl --as routed --budgets budgets.toml");
    // Two go at once, two when the window turns; the last two have waited too long before the next one.
    assert_eq!((&found["waited_requests"], &found["refused_requests"]), (&4.into(), &2.into()), "{found}");
    assert_eq!(found["turned"][0]["at"], "2026-05-23T10:00:45.000Z", "{found}");
    sandbox.write("patient.toml", budgets("2m"));
    let report = run(&sandbox, "whatif waits.jsonl --budgets patient.toml --budget all=0.01/30s");
    let tried = &report["budgets"];
    assert_eq!(
        (&tried["applied_waited_requests"], &tried["staged_waited_requests"]),
        (&4.into(), &5.into()),
        "{report}"
    );
    assert_eq!(
        (&tried["applied_refused_requests"], &tried["staged_refused_requests"]),
        (&0.into(), &1.into())
    );
}
