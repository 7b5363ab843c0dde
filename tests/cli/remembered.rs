//! What the engine remembers, asked for on the command line: files in any order, routes that observe, what could not be called.

use std::fmt::Write as _;

use super::{json, report, sandbox};

const POLICY: &str = "name = \"house\"\nbaseline = \"gpt-4.1\"\n[[route]]\nname = \"rest\"\n\
    ladder = [{ model = \"gpt-4.1-nano\", threshold = 500 }, { model = \"gpt-4.1-mini\", threshold = 200 }, { model = \"gpt-4.1\" }]\n";

/// Two files of one log: who answers in the later one is slower, so that estimates differ by what is read first.
#[test]
fn files_of_one_log_are_one_log_in_whatever_order_they_are_named() {
    let sandbox = sandbox();
    let file = |from: u64, slow: u64| {
        (from..from + 34_000).fold(String::new(), |mut text, n| {
            let (hour, minute, second) = (n / 36_000, n / 600 % 60, n / 10 % 60);
            let _ = writeln!(
                text,
                r#"{{"id":"r-{n}","at":"2026-05-23T{hour:02}:{minute:02}:{second:02}.{}Z","confidence":{},"model":"gpt-4.1","in":100,"out":{},"latency_ms":{}}}"#,
                n % 10, n % 1001, 10 + n % 50, slow * (10 + n % 50)
            );
            text
        })
    };
    sandbox.write("a.jsonl", file(0, 10));
    sandbox.write("b.jsonl", file(34_000, 90));
    sandbox.write("p.toml", POLICY);
    let asked = |logs: &str| report(&sandbox, &format!("{logs} --as routed --policy p.toml"));
    let (one, other) = (asked("a.jsonl b.jsonl"), asked("b.jsonl a.jsonl"));
    for part in ["cost_usd", "latency_ms", "by_model", "by_route", "saved_usd"] {
        assert_eq!(one[part], other[part], "{part}");
    }
}

/// A client that names its model gets it from a route that observes; what the ladder would have done is told beside it, and
/// is what the route does once it is on.
#[test]
fn a_route_that_observes_tells_what_it_would_have_done() {
    let sandbox = sandbox();
    let line = |n| {
        format!(
            "{{\"id\":\"r-{n}\",\"at\":\"2026-05-23T10:{:02}:00Z\",\"asked\":\"gpt-4.1\",\"pinned\":true,\"confidence\":{},\"model\":\"gpt-4.1\",\"in\":1000,\"out\":100}}\n",
            n % 60,
            n * 10
        )
    };
    let log = (0..100).map(line).collect::<Vec<_>>().concat();
    sandbox.write("l.jsonl", &log);
    sandbox.write("observe.toml", format!("mode = \"observe\"\n{POLICY}"));
    sandbox.write("active.toml", format!("mode = \"active\"\n{POLICY}"));
    sandbox.write("pinned.toml", POLICY);
    let seen = json(&sandbox.good("whatif l.jsonl --policy observe.toml --format json"));
    // Asked: 1,000 at $2 and 100 at $8 a million, a hundred times. On: 50 on nano, 30 on mini, 20 as asked.
    assert_eq!(seen["applied"]["cost_usd"], "0.28");
    assert_eq!(seen["staged"]["cost_usd"], "0.0798");
    assert_eq!((&seen["flipped_requests"], &seen["by_route"][0]["observes"]), (&80.into(), &true.into()));
    let routed = |policy: &str| {
        report(&sandbox, &format!("l.jsonl --as routed --policy {policy}"))["cost_usd"].clone()
    };
    assert_eq!(routed("observe.toml"), "0.28", "clients are served as they ask");
    assert_eq!(routed("active.toml"), "0.0798", "what is promised is what comes");
    assert_eq!(routed("pinned.toml"), "0.28");
    // What the ladder serves anyway goes nowhere else.
    let free = log.replace("\"asked\":\"gpt-4.1\",\"pinned\":true,", "\"asked\":\"auto\",");
    sandbox.write("auto.jsonl", free + &log.replace("\"r-", "\"p-"));
    let seen = json(&sandbox.good("whatif auto.jsonl --policy observe.toml --format json"));
    assert_eq!(seen["flipped_requests"], 80);
    assert_eq!(seen["by_route"][0]["applied"]["split"][0]["starts"], 50);
    let told = sandbox.refused("whatif l.jsonl --policy pinned.toml");
    assert!(told.contains("no route of the policy observes"), "{told}");
}

/// Labels and regions are required, windows and pictures filter by themselves, and what was down then is passed over.
#[test]
fn constraints_and_what_was_down_decide_before_the_threshold() {
    let sandbox = sandbox();
    sandbox.write(
        "p.toml",
        "name = \"house\"\n[model.\"gpt-4.1-nano\"]\ncontext = 2000\nvision = false\n[model.\"gpt-4.1\"]\nregion = \"eu\"\n\
         [[route]]\nname = \"rest\"\nladder = [{ model = \"gpt-4.1-nano\", threshold = 500 }, { model = \"gpt-4.1-mini\", threshold = 200 }, { model = \"gpt-4.1\" }]\n",
    );
    let line = |id: &str, more: &str| {
        format!(
            "{{\"id\":\"{id}\",\"at\":\"2026-05-23T10:00:00Z\",\"confidence\":900,\"model\":\"gpt-4.1\",\"in\":100,\"out\":10{more}}}\n"
        )
    };
    let log = line("plain", "")
        + &line("long", ",\"window\":4096")
        + &line("picture", ",\"vision\":true")
        + &line("eu", ",\"require\":[\"region=eu\"]")
        + &line("us", ",\"require\":[\"region=us\"]")
        + &line("down", ",\"down\":[\"gpt-4.1-nano\"]");
    sandbox.write("l.jsonl", &log);
    let why = |id: &str| sandbox.run(&format!("why l.jsonl {id} --policy p.toml")).out;
    assert!(why("plain").contains("reaches threshold 500"), "{}", why("plain"));
    for (id, reason, rung) in [
        ("long", "gpt-4.1-nano takes 2000 tokens, the prompt has 4096 or more", "200‰ of gpt-4.1-mini"),
        ("picture", "gpt-4.1-nano takes no pictures", "200‰ of gpt-4.1-mini"),
        ("eu", "gpt-4.1-mini lacks region=eu", "gpt-4.1"),
        ("us", "gpt-4.1 lacks region=us", "no model may serve it"),
        ("down", "gpt-4.1-nano could not be called then", "200‰ of gpt-4.1-mini"),
    ] {
        let told = why(id);
        assert!(told.contains(reason) && told.contains(rung), "{id}: {told}");
    }
    let report = report(&sandbox, "l.jsonl --as routed --policy p.toml");
    assert_eq!(
        (&report["requests"], &report["errors"]),
        (&6.into(), &1.into()),
        "whoever may be served by none is refused"
    );
}

/// What a policy says of a model, and what could not be called, holds under all its names; what a reseller passes on is its own.
#[test]
fn what_is_known_of_a_model_holds_under_all_its_names() {
    let sandbox = sandbox();
    let policy = |known: &str, rung: &str| {
        format!(
            "name = \"house\"\n[model.\"{known}\"]\ncontext = 2000\nvision = false\nregion = \"eu\"\nmax_in_flight = 1\n\
             [[route]]\nname = \"rest\"\nladder = [{{ model = \"{rung}\", threshold = 500 }}, {{ model = \"claude-opus-4-6\" }}]\n"
        )
    };
    let line = |id: &str, more: &str| {
        format!(
            "{{\"id\":\"{id}\",\"at\":\"2026-05-23T10:00:00Z\",\"confidence\":900,\"model\":\"gpt-4.1\",\"in\":100,\"out\":10,\"latency_ms\":100{more}}}\n"
        )
    };
    let names = ["gpt-4.1", "gpt-4.1-2025-04-14", "openai/gpt-4.1"];
    for (known, rung, down) in [
        (names[0], names[1], names[2]),
        (names[1], names[0], names[0]),
        (names[2], names[0], names[1]),
        (names[0], names[2], names[2]),
    ] {
        sandbox.write("p.toml", policy(known, rung));
        let lines = [
            line("long", ",\"window\":4096"),
            line("picture", ",\"vision\":true"),
            line("eu", ",\"require\":[\"region=eu\"]"),
            line("down", &format!(",\"down\":[\"{down}\"]")),
        ];
        for one in &lines {
            sandbox.write("l.jsonl", one);
            let id = one.split('"').nth(3).unwrap();
            let told = sandbox.run(&format!("why l.jsonl {id} --policy p.toml")).out;
            let stays = id == "eu";
            assert_eq!(
                told.contains(&format!("of {rung}")) && !told.contains("could not"),
                stays,
                "{known} {rung} {id}: {told}"
            );
            let routed = report(&sandbox, "l.jsonl --as routed --policy p.toml");
            let by_model = &routed["by_model"][0]["model"];
            assert_eq!(by_model == "claude-opus-4-6", !stays, "{known} {rung} {id}: {by_model}");
        }
        // Two at once: the cap is the model's, whichever name calls it.
        sandbox.write("crowd.jsonl", line("a", "") + &line("b", ""));
        let routed = report(&sandbox, "crowd.jsonl --as routed --policy p.toml");
        assert_eq!(routed["by_model"].as_array().map(Vec::len), Some(2), "{known} {rung}");
    }
    // A client that names it, by a third name.
    sandbox.write("p.toml", policy(names[0], names[1]));
    sandbox.write(
        "l.jsonl",
        line("eu", &format!(",\"require\":[\"region=eu\"],\"asked\":\"{}\",\"pinned\":true", names[2])),
    );
    assert_eq!(report(&sandbox, "l.jsonl --as routed --policy p.toml")["errors"], 0);
    sandbox.write("p.toml", policy(names[0], "openrouter/openai/gpt-4.1"));
    sandbox.write("l.jsonl", line("eu", ",\"require\":[\"region=eu\"]"));
    assert_eq!(report(&sandbox, "l.jsonl --as routed --policy p.toml")["errors"], 1);
}

/// A staged change holds in every policy that has the rung, by whichever name it calls the model.
#[test]
fn a_rung_is_the_same_by_any_name_of_its_model() {
    let sandbox = sandbox();
    let policy = |hour: u32, version: u32, model: &str| {
        format!(
            "{{\"event\":\"policy\",\"at\":\"2026-05-23T{hour}:00:00Z\",\"version\":{version},\"name\":\"p\",\"routes\":[{{\"route\":\"all\",\"ladder\":[{{\"rung\":\"a\",\"model\":\"{model}\",\"threshold\":700}},{{\"rung\":\"b\",\"model\":\"claude-opus-4-6\"}}]}}]}}\n"
        )
    };
    let request = |hour: u32| {
        format!(
            "{{\"id\":\"q{hour}\",\"at\":\"2026-05-23T{hour}:30:00Z\",\"task\":\"code\",\"confidence\":500,\"model\":\"gpt-4.1\",\"in\":1000,\"out\":100}}\n"
        )
    };
    let log = policy(10, 1, "gpt-4.1") + &request(10) + &policy(11, 2, "gpt-4.1-2025-04-14") + &request(11);
    sandbox.write("l.jsonl", &log);
    let found = json(&sandbox.good("whatif l.jsonl --set all.a=300 --format json"));
    assert_eq!(found["flipped_requests"], 2, "{found}");
    assert_eq!(found["by_route"].as_array().map(Vec::len), Some(1), "{found}");
}

/// A label makes a headless replay read the log once more; what policies of the log name is called the same then.
#[test]
fn a_log_that_is_read_once_more_keeps_its_names() {
    let sandbox = sandbox();
    let request = |id: &str, second: u32, model: &str| {
        format!(
            "{{\"id\":\"{id}\",\"at\":\"2026-05-01T00:00:0{second}Z\",\"confidence\":900,\"model\":\"{model}\",\"in\":1000,\"out\":100}}\n"
        )
    };
    let log = request("a", 1, "claude-opus-4-6")
        + "{\"event\":\"policy\",\"at\":\"2026-05-01T00:00:00Z\",\"version\":1,\"name\":\"p\",\"routes\":[{\"route\":\"alpha\",\"ladder\":[{\"model\":\"gpt-4.1-nano\",\"threshold\":500},{\"model\":\"gpt-4.1\"}]}]}\n"
        + &request("b", 2, "gpt-4.1");
    let label = "{\"event\":\"label\",\"at\":\"2026-05-01T00:03:00Z\",\"id\":\"b\",\"model\":\"gpt-4.1\",\"quality\":900}\n";
    sandbox.write("plain.jsonl", &log);
    sandbox.write("judged.jsonl", log + label);
    for reading in ["recorded", "routed"] {
        let [plain, judged] =
            ["plain", "judged"].map(|name| report(&sandbox, &format!("{name}.jsonl --as {reading}")));
        for part in ["cost_usd", "baseline_usd", "by_model", "by_route"] {
            let bare = |report: &serde_json::Value| {
                let mut rows = report[part].clone();
                for row in rows.as_array_mut().into_iter().flatten() {
                    row.as_object_mut()
                        .unwrap()
                        .retain(|key, _| !key.contains("quality") && !key.contains("label"));
                }
                rows
            };
            assert_eq!(bare(&plain), bare(&judged), "{reading} {part}");
        }
        assert_eq!(judged["by_route"][0]["route"], "alpha");
    }
}

/// A bill that comes later sets a charge right, whatever reads the log and wherever the correction stands.
#[test]
fn a_correction_is_what_was_charged_in_truth() {
    let sandbox = sandbox();
    let call = |charged: &str| format!(r#"{{"model":"gpt-4.1","in":1000,"out":100,"charged":"{charged}"}}"#);
    let failed = r#"{"model":"gpt-4.1-nano","in":0,"out":0,"status":"rate_limited","charged":"0"}"#;
    let request = format!(
        r#"{{"id":"a","at":"2026-05-23T10:00:01Z","confidence":100,"propensity":1000,"attempts":[{failed},{}]}}"#,
        call("0.0028")
    );
    let other = r#"{"id":"b","at":"2026-05-23T10:00:02Z","confidence":100,"model":"gpt-4.1","in":1000,"out":100,"charged_as":"no_usage"}"#;
    let correction = |at: &str, more: &str| {
        format!(r#"{{"event":"correction","at":"2026-06-01T00:00:{at}Z",{more},"source":"bill of May"}}"#)
    };
    let early = correction("00", r#""id":"a","call":2,"charged":"9""#);
    let late = correction("05", r#""id":"a","call":2,"charged":"0.003""#);
    let first = correction("01", r#""id":"a","call":1,"charged":"0.0001","charged_as":"estimated""#);
    let last = correction("01", r#""id":"b","charged":"0.002""#);
    let none = correction("01", r#""id":"a","call":3,"charged":"77""#);
    let strange = correction("01", r#""id":"nobody","charged":"77""#);
    let all = [&request, other, &early, &late, &first, &last, &none, &strange];
    let mut turned = all;
    turned.reverse();
    for (name, lines) in [("after.jsonl", all), ("before.jsonl", turned)] {
        sandbox.write(name, lines.map(|line| format!("{line}\n")).concat());
        for reading in ["recorded", "routed"] {
            let found = report(&sandbox, &format!("{name} --as {reading}"));
            let costs =
                (&found["cost_known_usd"], &found["cost_estimated_usd"], &found["cost_unknown_requests"]);
            let want = ("0.005".into(), "0.0001".into(), 0.into());
            // Money that stands in no figure is told.
            let unmet =
                &found["passed_over"]["corrects the charge of a request or call that is not in the log"];
            assert_eq!(unmet, 2, "{name}");
            if reading == "recorded" {
                assert_eq!(costs, (&want.0, &want.1, &want.2), "{name}");
            } else {
                assert_eq!(costs.2, &want.2, "{name}");
            }
        }
        assert!(
            sandbox.good(&format!("why {name} a")).contains("$0.0031"),
            "{}",
            sandbox.good(&format!("why {name} a"))
        );
        // Our own format keeps them.
        assert_eq!(sandbox.run(&format!("import {name} -o again-{name}")).code, Some(0));
        assert_eq!(report(&sandbox, &format!("again-{name}"))["cost_usd"], "0.0051");
        assert!(sandbox.read(&format!("again-{name}")).contains(r#""propensity":1000"#));
    }
    for (line, told) in [
        (correction("00", r#""id":"a""#), "charged: missing"),
        (correction("00", r#""charged":"1""#), "id: missing"),
        (correction("00", r#""id":"a","call":0,"charged":"1""#), "count from 1"),
    ] {
        sandbox.write("bad.jsonl", format!("{request}\n{line}\n"));
        let told_of = sandbox.run("replay bad.jsonl --strict").err;
        assert!(told_of.contains(told), "{told_of}");
    }
}
