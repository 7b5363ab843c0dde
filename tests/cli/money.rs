//! Why cost changed, what a log comes to at other prices, and what a month will have cost.

use serde_json::Value;

use super::{json, sandbox};
use crate::program::Sandbox;

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/sample.jsonl.zst");

/// Reads dollars as whole pico-dollars.
fn pico(value: &Value) -> i128 {
    let text = value.as_str().expect("dollars as text");
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |text| (-1, text));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    sign * format!("{whole}{fraction:0<12}").parse::<i128>().expect("a number")
}

fn sum(parts: &Value) -> i128 {
    parts.as_object().expect("parts").values().map(pico).sum()
}

fn explained(sandbox: &Sandbox, args: &str) -> Value {
    let found = json(&sandbox.good(&format!("explain {args} --format json")));
    let change = pico(&found["change_usd"]);
    assert_eq!(change, pico(&found["after_usd"]) - pico(&found["before_usd"]));
    assert_eq!(sum(&found["parts"]), change, "the parts are the change, to the last digit");
    assert_eq!(sum(&found["mix"]), pico(&found["parts"]["mix"]));
    for slice in found["slices"].as_array().expect("slices") {
        assert_eq!(sum(&slice["parts"]), pico(&slice["change_usd"]), "{slice}");
    }
    found
}

fn slice<'a>(found: &'a Value, dimension: &str, value: &str) -> Option<&'a Value> {
    let is_it = |slice: &&Value| slice["dimension"] == dimension && slice["value"] == value;
    found["slices"].as_array().expect("slices").iter().find(is_it)
}

#[test]
fn the_storm_of_the_sample_is_explained_by_its_model_and_the_teams_it_hit() {
    let sandbox = Sandbox::new();
    let found = explained(&sandbox, &format!("{SAMPLE} --before 14:45..15:05 --after 15:05..15:25"));
    assert!(pico(&found["parts"]["escalation"]) > 0, "{found}");
    let failing = &found["failing"][0];
    assert_eq!((&failing["model"], &failing["mostly"]), (&"gemini-2.5-flash".into(), &"rate_limited".into()));
    assert_eq!(failing["course"], "began");
    let hit: Vec<&str> =
        failing["teams_hit"].as_array().unwrap().iter().filter_map(|hit| hit["team"].as_str()).collect();
    assert!(hit.contains(&"payments") && hit.contains(&"search"), "{hit:?}");
    let flash = slice(&found, "model", "gemini-2.5-flash").expect("what was placed on it is a slice");
    assert_eq!(flash["mostly"], "escalation");
    // The jump at 15:20, in the midst of it, and its end.
    for (windows, course) in
        [("--before 15:15..15:20 --after 15:20..15:25", "went_on"), ("--after 15:25..15:45", "eased")]
    {
        let found = explained(&sandbox, &format!("{SAMPLE} {windows}"));
        let failing = &found["failing"][0];
        assert_eq!((&failing["model"], &failing["course"]), (&"gemini-2.5-flash".into(), &course.into()));
    }
}

#[test]
fn the_runaway_of_the_sample_is_explained_by_its_project() {
    let sandbox = Sandbox::new();
    let found = explained(&sandbox, &format!("{SAMPLE} --before 15:34..16:10 --after 16:14..16:50"));
    let first = &found["slices"][0];
    assert_eq!((&first["dimension"], &first["value"]), (&"project".into(), &"crawler".into()));
    assert!(first["also"].as_array().unwrap().iter().any(|part| part["value"] == "research"), "{first}");
    assert!(pico(&first["change_usd"]) * 10 > pico(&found["change_usd"]) * 8, "{first}");
    // The time just before, as long, is what a window is compared with where nothing is said.
    let same = explained(&sandbox, &format!("{SAMPLE} --after 16:14..16:50 --before 36m"));
    assert_eq!(same["before"], explained(&sandbox, &format!("{SAMPLE} --after 16:14..16:50"))["before"]);
}

#[test]
fn the_price_change_of_the_sample_is_price() {
    let sandbox = Sandbox::new();
    let found = explained(&sandbox, &format!("{SAMPLE} --before 17:00..17:30 --after 17:30..18:00"));
    assert!(pico(&found["parts"]["price"]) > 0);
    let before = explained(&sandbox, &format!("{SAMPLE} --before 16:50..17:10 --after 17:10..17:30"));
    assert_eq!(before["parts"]["price"], "0", "no price changed before it");
}

#[test]
fn unknown_costs_are_told_and_empty_windows_said() {
    let sandbox = sandbox();
    let found = explained(&sandbox, "small.jsonl --before 10:00..10:00:20 --after 10:00:20..10:00:40");
    assert_eq!((&found["before"]["requests"], &found["after"]["requests"]), (&2.into(), &2.into()));
    assert_eq!(found["after"]["cost_unknown_requests"], 1);
    let all = "small.jsonl --before 10:00:25..10:00:50 --after 10:00..10:00:25 --format json";
    let all = json(&sandbox.good(&format!("explain {all}")));
    assert_eq!((&all["before_usd"], &all["change_usd"]), (&Value::Null, &Value::Null));
    for format in ["table", "csv", "md"] {
        let text = sandbox.good(&format!("explain small.jsonl --after 10:00:20..10:00:40 --format {format}"));
        assert!(text.contains("mix"), "{text}");
    }
    let empty = sandbox.run("explain small.jsonl --after 2026-05-23 --before 1d");
    assert!(empty.err.contains("has no request: all of the change is volume"), "{}", empty.err);
    assert!(empty.out.contains("volume"), "{}", empty.out);
    for (args, said) in [
        ("explain small.jsonl", "--after"),
        ("explain small.jsonl --after noon", "`noon` is no window"),
        ("explain small.jsonl --after 2026-06-01..2026-06-02 --before 1d", "no request in either window"),
        ("explain small.jsonl --after 2026-06-02..2026-06-01", "is not before"),
    ] {
        let message = sandbox.refused(args);
        assert!(message.contains(said), "{args}: `{said}` is not in {message}");
    }
}

/// A book with one model at other prices.
const BOOK: &str =
    "name = \"negotiated\"\ndated = \"2026-05-01\"\n\n[models.\"gpt-4.1\"]\ninput = 1\noutput = 4\n";

#[test]
fn what_was_charged_stands_whatever_it_is_priced_at() {
    let sandbox = sandbox();
    sandbox.write("other.toml", BOOK);
    let charged = "0.028262";
    for book in ["other.toml", "only:other.toml"] {
        let found = json(&sandbox.good(&format!("reprice small.jsonl --prices {book} --format json")));
        assert_eq!((&found["charged_usd"], &found["charged_unknown"]), (&charged.into(), &1.into()));
        assert_eq!(found["requests"], 4);
    }
    let found = json(&sandbox.good("reprice small.jsonl --prices only:other.toml --format json"));
    // 3808 + 8192 + 1000 + 2000 prompt tokens at 1, and 1150 of answers at 4; what flash did has no price there.
    assert_eq!(found["repriced_usd"], "0.0196");
    assert_eq!(found["repriced_unknown"], 2);
    assert_eq!(found["compared"], 2);
    let gpt = found["by_model"].as_array().unwrap().iter().find(|row| row["model"] == "gpt-4.1").unwrap();
    assert_eq!(
        (&gpt["calls"], &gpt["charged_usd"], &gpt["repriced_usd"]),
        (&3.into(), &"0.026912".into(), &"0.0196".into())
    );
    assert_eq!(
        json(&sandbox.good("reprice small.jsonl --format json"))["repriced_usd"],
        charged,
        "by the list"
    );
    // What the log tells of its charges is what was charged.
    let told = super::LOG.replace("\"latency_ms\":60", "\"latency_ms\":60,\"charged\":\"0.5\"");
    sandbox.write("told.jsonl", told);
    let found = json(&sandbox.good("reprice told.jsonl --at 2026-05-23 --format json"));
    assert_eq!((&found["charged_told_requests"], &found["charged_usd"]), (&1.into(), &"0.525462".into()));
    assert_eq!(found["repriced_usd"], charged);
}

#[test]
fn a_month_is_foretold_by_the_week_or_says_that_it_is_not() {
    let sandbox = sandbox();
    let short = json(&sandbox.good(&format!("forecast {SAMPLE} --period day --format json")));
    assert_eq!(
        (&short["method"], &short["p10_usd"], &short["backtest"]),
        (&"run_rate".into(), &Value::Null, &Value::Null)
    );
    // A dollar an hour for twenty days.
    let line = |hour: u32| {
        let (day, hour) = (1 + hour / 24, hour % 24);
        let at = format!("2026-06-{day:02}T{hour:02}:00:00Z");
        format!("{{\"id\":\"{at}\",\"at\":\"{at}\",\"model\":\"gpt-4.1\",\"in\":500000,\"out\":0}}")
    };
    let lines: Vec<String> = (0..=20 * 24).map(line).collect();
    let log = format!("{{\"pointsman\":\"log\",\"v\":1}}\n{}\n", lines.join("\n"));
    sandbox.write("june.jsonl", log);
    let found = json(&sandbox.good("forecast june.jsonl --limit 600 --format json"));
    assert_eq!((&found["method"], &found["to"]), (&"profile".into(), &"2026-07-01T00:00:00.000Z".into()));
    assert_eq!(found["spent_usd"], "481");
    let expected = pico(&found["p50_usd"]);
    assert!((720_000_000_000_000..=722_000_000_000_000).contains(&expected), "{found}");
    assert!(pico(&found["p10_usd"]) <= expected && expected <= pico(&found["p90_usd"]));
    assert_eq!(found["backtest"]["mape_percent"], "0.0");
    assert!(found["runs_out_at"].as_str().unwrap().starts_with("2026-06-25T2"), "{found}");
    assert!(sandbox.good("forecast june.jsonl").contains("hour-of-week profile"));
    // A launch that is known: hours cost twice as much from the 26th on, five days of the month.
    let launched = json(&sandbox.good("forecast june.jsonl --step 2026-06-26T00:00:00Z=2 --format json"));
    let more = pico(&launched["p50_usd"]) - expected;
    assert!((119_000_000_000_000..=121_000_000_000_000).contains(&more), "{launched}");
    assert_eq!(launched["steps"][0]["times_permille"], 2000);
    let early = json(&sandbox.good("forecast june.jsonl --step 2026-06-22=3 --limit 600 --format json"));
    assert!(early["runs_out_at"].as_str().unwrap().starts_with("2026-06-23"), "{early}");
    assert!(sandbox.good("forecast june.jsonl --step 2026-06-22=1.2").contains("known to change"));
    let last = found["at"].as_str().expect("a moment");
    let wrong = sandbox.run(&format!("forecast june.jsonl --step {last}=2"));
    assert!(
        wrong.code == Some(2) && wrong.err.contains("no later than the log's last request"),
        "{}",
        wrong.err
    );
    assert!(sandbox.run("forecast june.jsonl --step 2026-06-30=zwei").err.contains("like 2026-11-15=1.2"));
    assert!(sandbox.refused("forecast june.jsonl --until 2026-06-01").contains("no later than"));
}

#[test]
fn names_from_a_log_are_made_safe_in_every_table() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "hostile.jsonl",
        "{\"id\":\"a\",\"at\":\"2026-05-23T10:00:00Z\",\"team\":\"t\\u001b]0;x\\u0007\",\"project\":\"p\\n\\u009b1m\",\
         \"model\":\"m\\u001b[2J\",\"in\":1,\"out\":1}\n",
    );
    for args in [
        "explain hostile.jsonl --after 2026-05-23 --before 1h",
        "reprice hostile.jsonl --at 2026-05-23",
        "forecast hostile.jsonl",
        "frontier hostile.jsonl --route general --step 500",
    ] {
        let run = sandbox.run(args);
        let control = |c: char| c.is_control() && c != '\n';
        assert!(
            !run.out.contains(control) && !run.err.contains(control),
            "{args}: {:?}{:?}",
            run.out,
            run.err
        );
        assert!(run.out.len() + run.err.len() > 0, "{args} says nothing");
    }
}

#[test]
fn a_replay_tells_of_models_that_answer_for_others_and_of_those_that_end() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "book.toml",
        "name = \"book\"\ndated = \"2026-01-01\"\n[models.old]\nprovider = \"p\"\ndeprecated = \"2026-06-20\"\ninput = 1\noutput = 2\n",
    );
    sandbox.write(
        "log.jsonl",
        r#"{"id":"a","at":"2026-05-20T10:00:00Z","model":"old","in":10,"cache_read":0,"out":5}
{"id":"b","at":"2026-05-21T10:00:00Z","model":"old","in":10,"cache_read":0,"out":5}
{"id":"d","at":"2026-05-22T11:00:00Z","attempts":[{"model":"gpt-4.1","billed":"gpt-4.1-mini","in":10,"cache_read":0,"out":5}]}
{"id":"c","at":"2026-05-22T10:00:00Z","model":"old","in":10,"cache_read":0,"out":5}
{"id":"e","at":"2026-05-22T12:00:00Z","model":"gpt-4.1","billed":"azure/gpt-4.1","in":10,"cache_read":0,"out":5}
"#,
    );
    let told = json(&sandbox.good("replay log.jsonl --prices book.toml --format json"));
    let news = told["news"].as_array().expect("news");
    assert_eq!(news.len(), 2, "{told:#}");
    assert_eq!(news[0]["at"], "2026-05-21T10:00:00.000Z", "thirty days before its end");
    assert!(
        news[0]["text"].as_str().is_some_and(|text| text.contains("old is promised only until 2026-06-20"))
    );
    assert!(
        news[1]["text"].as_str().is_some_and(|text| text.contains("answered by gpt-4.1-mini")),
        "{told:#}"
    );
    let table = sandbox.good("replay log.jsonl --prices book.toml");
    assert!(table.contains("move its traffic to another model (from 2026-05-21 10:00 on)"), "{table}");
}

/// A call at a provider's peak costs what it asks then: in a replay, in `why`, and told by the log itself.
#[test]
fn calls_at_either_side_of_an_hour_are_charged_by_its_price() {
    let sandbox = Sandbox::new();
    let call = |id: &str, at: &str, model: &str| {
        format!(r#"{{"id":"{id}","at":"{at}","model":"{model}","in":1000000,"out":1000000}}"#)
    };
    let calls = [
        call("before", "2026-11-30T00:59:59.999Z", "deepseek-v4-flash"),
        call("peak", "2026-11-30T01:00:00Z", "deepseek/deepseek-v4-flash"),
        call("between", "2026-11-30T04:00:00Z", "deepseek-v4-flash"),
        call("weekend", "2026-12-05T02:00:00Z", "deepseek-v4-flash"),
    ];
    sandbox.write("edge.jsonl", calls.join("\n"));
    for (id, cost) in [("before", "$0.75"), ("peak", "$1.5"), ("between", "$0.75"), ("weekend", "$0.75")] {
        let why = sandbox.good(&format!("why edge.jsonl {id}"));
        assert!(why.contains(&format!("{cost}\n")) || why.contains(&format!("{cost} ")), "{id}: {why}");
    }
    let total = |args: &str| {
        let found = json(&sandbox.good(&format!("replay {args} --format json")));
        found["cost_usd"].as_str().expect("dollars").to_owned()
    };
    assert_eq!(total("edge.jsonl"), "3.75");
    // The log's own price holds from its moment on, in its own hours.
    let told = r#"{"event":"price","at":"2026-11-30T03:00:00Z","model":"deepseek-v4-flash","input":"1","output":"1","hours":[{"utc":"00:00-24:00","days":"sat","times":"0.5"}]}"#;
    sandbox.write("told.jsonl", format!("{}\n{told}\n", calls.join("\n")));
    assert_eq!(total("told.jsonl"), "5.25", "0.75 and 1.5, then 2 and 1");
    let bad = told.replace("sat", "caturday");
    sandbox.write("bad.jsonl", format!("{}\n{bad}\n", calls.join("\n")));
    let run = sandbox.run("replay bad.jsonl");
    assert!(
        run.err.contains("hours: `caturday` is no day of the week") || run.out.contains("hours: `caturday`"),
        "{} {}",
        run.out,
        run.err
    );
}
