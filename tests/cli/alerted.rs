//! Alerts over a log, source by source: each fires where it should, once, and says what it is about.

use std::fmt::Write as _;

use serde_json::Value;

use super::json;
use super::program::Sandbox;

fn told(sandbox: &Sandbox, args: &str) -> Vec<Value> {
    let told = json(&sandbox.good(&format!("alerts replay {args} --format json")));
    told["alerts"].as_array().expect("alerts").clone()
}

fn of<'a>(all: &'a [Value], rule: &str) -> Vec<&'a Value> {
    all.iter().filter(|alert| alert["rule"] == rule).collect()
}

fn text<'a>(alert: &'a Value, name: &str) -> &'a str {
    alert[name].as_str().unwrap_or_default()
}

#[test]
fn a_provider_in_trouble_and_a_figure_unlike_its_past_are_told_once_with_who_explains_them() {
    let sandbox = Sandbox::new();
    sandbox.write("sample.jsonl.zst", include_bytes!("../../assets/sample.jsonl.zst"));
    let all = told(&sandbox, "sample.jsonl.zst");
    let provider = of(&all, "provider");
    assert_eq!(provider.len(), 1, "{provider:?}");
    assert!(text(provider[0], "text").contains("calls to model gemini-2.5-flash failed"), "{provider:?}");
    assert_eq!(
        (text(provider[0], "level"), &text(provider[0], "fired")[..15]),
        ("critical", "2026-05-23T15:1")
    );
    assert!(!provider[0]["resolved"].is_null(), "the storm is over by 15:30");
    let anomaly = of(&all, "anomaly");
    assert_eq!(anomaly.len(), 1, "{anomaly:?}");
    assert_eq!((text(anomaly[0], "scope"), text(anomaly[0], "threshold")), ("project crawler", "spend"));
    // The log is no gateway's and tells of no trip: what the built-in rules would have told is told.
    let runaway = of(&all, "runaway");
    assert_eq!(runaway.len(), 1, "{runaway:?}");
    assert_eq!(
        (text(runaway[0], "scope"), text(runaway[0], "threshold")),
        ("project crawler", "pace-of-project")
    );
    assert_eq!(
        (text(runaway[0], "level"), &text(runaway[0], "fired")[..16]),
        ("warning", "2026-05-23T16:17")
    );
}

#[test]
fn a_limit_that_will_not_last_and_traffic_without_a_price_are_told_once_a_window() {
    let sandbox = Sandbox::new();
    let mut log = String::new();
    // A dollar an hour for three days, and each day three calls to a model that no book has.
    for hour in 0..72 {
        let (day, of_day) = (1 + hour / 24, hour % 24);
        let model = |at: &str, model: &str| {
            format!(r#"{{"at":"2026-05-0{day}T{of_day:02}:{at}:00Z","model":"{model}","in":500000,"out":0}}"#)
        };
        let _ = writeln!(log, "{}", model("30", "gpt-4.1"));
        if of_day % 8 == 0 {
            let _ = writeln!(log, "{}", model("45", "house-model-x"));
        }
    }
    sandbox.write("log.jsonl", log);
    sandbox.write("budgets.toml", "[budget.all]\nlimit = { month = 100 }\n");
    let all = told(&sandbox, "log.jsonl --budgets budgets.toml");
    // From a day of past on, of which a fifth is spent; $744 are expected in May.
    let forecast = of(&all, "forecast");
    assert_eq!(forecast.len(), 1, "{forecast:?}");
    assert_eq!(
        (text(forecast[0], "threshold"), text(forecast[0], "window")),
        ("likely", "2026-05-01T00:00:00.000Z")
    );
    assert!(text(forecast[0], "text").contains("at the average rate so far"), "{forecast:?}");
    let windows: Vec<&str> =
        of(&all, "unpriced").into_iter().map(|alert| &text(alert, "window")[..10]).collect();
    assert_eq!(windows, ["2026-05-01", "2026-05-02", "2026-05-03"]);
    assert!(text(of(&all, "unpriced")[0], "text").contains("house-model-x"));
    // $72 are known, and for what is unknown as much counts as was held.
    let budget: Vec<&str> = of(&all, "budget").into_iter().map(|alert| text(alert, "threshold")).collect();
    assert_eq!(budget, ["50%", "75%", "90%", "100%"]);
}

/// Whoever is on call would else be woken for rungs that nobody needed, hours before anybody is turned away.
#[test]
fn that_a_rung_which_nobody_needs_has_no_room_wakes_nobody() {
    let sandbox = Sandbox::new();
    let line = |id: &str, second: u32, confidence: u32, more: &str| {
        format!(
            "{{\"id\":\"{id}\",\"at\":\"2026-05-23T10:00:{second:02}Z\",\"confidence\":{confidence},{more}}}\n"
        )
    };
    let over = "\"model\":\"gpt-4.1-nano\",\"in\":100,\"out\":10,\"down\":[\"over:gpt-4.1\",\"over:gemini-2.5-flash\"]";
    let log = line("a", 0, 100, "\"model\":\"gpt-4.1\",\"in\":50000,\"out\":0") + &line("b", 10, 900, over);
    sandbox.write("served.jsonl", log.clone());
    sandbox.write("moved.jsonl", log + &line("c", 20, 100, over));
    sandbox.write("b.toml", "[budget.company]\nlimit = { day = 0.105 }\n");
    let told = |log: &str| sandbox.run(&format!("alerts replay {log} --budgets b.toml")).out;
    assert!(told("served.jsonl").contains("90%"), "{}", told("served.jsonl"));
    assert!(!told("served.jsonl").contains("no room"), "it was served where it would have been anyway");
    assert!(told("moved.jsonl").contains("no room"), "{}", told("moved.jsonl"));
}
