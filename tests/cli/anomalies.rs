//! `pointsman anomalies`: series scored point by point, and a log's incidents.

use serde_json::Value;

use super::program::Sandbox;
use super::{json, snapshot};

const SAMPLE: &[u8] = include_bytes!("../../assets/sample.jsonl.zst");

/// A day of a quiet series with one value that is not there, and one that is far out.
fn series() -> String {
    let mut text = "timestamp,value\n".to_owned();
    for minute in 0..288u32 {
        let at = format!("2014-04-01 {:02}:{:02}:00", minute / 12, minute % 12 * 5);
        let value = match minute {
            100 => String::new(),
            200 => "95".to_owned(),
            _ => (20 + minute * 7 % 5).to_string(),
        };
        text.extend([at.as_str(), ",", value.as_str(), "\n"]);
    }
    text
}

#[test]
fn each_point_of_a_series_has_one_score_and_its_own_timestamp() {
    let sandbox = Sandbox::new();
    sandbox.write("a.csv", series());
    let report = json(&sandbox.good("anomalies a.csv --format json"));
    assert_eq!((&report["schema"], &report["file"]), (&"pointsman.series/1".into(), &"a.csv".into()));
    let points = report["points"].as_array().expect("points");
    assert_eq!(points.len(), 288);
    assert_eq!(points[3]["timestamp"], "2014-04-01 00:15:00");
    assert_eq!(points[3]["value"], 21.0);
    assert_eq!((&points[100]["value"], &points[100]["score"]), (&Value::Null, &Value::Null));
    let score = |at: usize| points[at]["score"].as_f64().expect("a score");
    assert!(score(200) > 0.5, "{}", score(200));
    let others = (0..288).filter(|at| ![100, 200].contains(at)).map(score);
    assert!(others.clone().all(|score| (0.0..=1.0).contains(&score)));
    assert!(others.fold(0.0, f64::max) < score(200));
    snapshot("anomalies_of_a_series", &sandbox.good("anomalies a.csv"));
    let csv = sandbox.good("anomalies a.csv --format csv");
    assert_eq!(csv.lines().count(), 289);
    assert!(csv.starts_with("timestamp,value,score\n2014-04-01 00:00:00,20,0\n"), "{csv:.100}");
    assert!(csv.contains("\n2014-04-01 08:20:00,,\n"), "{csv:.4000}");
}

#[test]
fn series_come_by_pipe_and_several_at_once() {
    let sandbox = Sandbox::new();
    sandbox.write("a.csv", series()).write("b.csv", series());
    let piped = sandbox.run_with("anomalies - --format csv", series().as_bytes());
    assert_eq!((piped.code, piped.out), (Some(0), sandbox.good("anomalies a.csv --format csv")));
    let both = json(&sandbox.good("anomalies a.csv b.csv --format json"));
    assert_eq!(both["series"].as_array().map(Vec::len), Some(2));
    assert_eq!(both["series"][1]["file"], "b.csv");
    assert!(
        sandbox.good("anomalies a.csv b.csv --format csv").starts_with("file,timestamp,value,score\na.csv,")
    );
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    let sandbox = Sandbox::new();
    sandbox.write("a.csv", series()).write("bad.csv", "timestamp,value\n2014-04-01 00:00:00,1\nsoon,2\n");
    sandbox.write("small.jsonl", super::LOG);
    let message = sandbox.refused("anomalies bad.csv");
    assert!(message.contains("bad.csv:3: `soon` in column `timestamp` is no moment"), "{message}");
    let message = sandbox.refused("anomalies a.csv small.jsonl");
    assert!(message.contains("a.csv is a series and small.jsonl is none"), "{message}");
    for wrong in
        ["--false-alarms 0", "--false-alarms never", "--slot 2", "--least-usd x", "--least-percent -1"]
    {
        assert!(sandbox.run(&format!("anomalies a.csv {wrong}")).code == Some(2), "{wrong}");
    }
    assert!(sandbox.run("anomalies none.csv").code == Some(2));
}

#[test]
fn the_sample_has_its_storm_and_its_runaway_and_nothing_else() {
    let sandbox = Sandbox::new();
    sandbox.write("sample.jsonl.zst", SAMPLE);
    let report = json(&sandbox.good("anomalies sample.jsonl.zst --format json"));
    let incidents = report["incidents"].as_array().expect("incidents");
    let told = |at: usize, name: &str| incidents[at][name].as_str().expect("text").to_owned();
    assert_eq!(incidents.len(), 2, "{report:#}");
    // Google answers 429 from 15:05 to 15:25.
    assert_eq!(incidents[0]["metric"], "error_rate");
    assert_eq!(incidents[0]["explained_by"][0]["by"], "model");
    assert_eq!(incidents[0]["explained_by"][0]["name"], "gemini-2.5-flash");
    assert!(
        ("2026-05-23T15:03".."2026-05-23T15:08").contains(&told(0, "start").as_str()),
        "{}",
        told(0, "start")
    );
    assert!(
        ("2026-05-23T15:20".."2026-05-23T15:30").contains(&told(0, "end").as_str()),
        "{}",
        told(0, "end")
    );
    // Project crawler loops from 16:10 to 16:40.
    assert_eq!(incidents[1]["explained_by"][0]["name"], "crawler");
    assert_eq!(incidents[1]["explained_by"][0]["by"], "project");
    assert!(
        ("2026-05-23T16:08".."2026-05-23T16:15").contains(&told(1, "start").as_str()),
        "{}",
        told(1, "start")
    );
    assert!(told(1, "extra_usd").parse::<f64>().expect("dollars") > 40.0);
    snapshot("anomalies_of_the_sample", &sandbox.good("anomalies sample.jsonl.zst"));
    snapshot("anomalies_of_the_sample_as_csv", &sandbox.good("anomalies sample.jsonl.zst --format csv"));
}

#[test]
fn a_log_too_short_to_tell_is_not_called_quiet() {
    let sandbox = Sandbox::new();
    sandbox.write("short.jsonl", super::LOG.replace("this is no log line\n", ""));
    let text = sandbox.good("anomalies short.jsonl");
    assert!(text.starts_with("short.jsonl: too short to tell (0 slots"), "{text}");
}

#[test]
fn the_quiet_part_of_the_sample_is_silent() {
    let sandbox = Sandbox::new();
    sandbox.write("sample.jsonl.zst", SAMPLE);
    let text = sandbox.good("anomalies sample.jsonl.zst --from 17:00");
    assert!(text.contains("nothing unusual"), "{text}");
    assert_eq!(
        json(&sandbox.good("anomalies sample.jsonl.zst --to 15:00 --format json"))["incidents"],
        Value::Array(Vec::new())
    );
}
