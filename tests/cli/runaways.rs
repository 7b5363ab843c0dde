//! `pointsman runaways`: who runs away in a log, and that nobody else does.

use super::json;
use super::program::Sandbox;

#[test]
fn the_runaway_of_the_sample_is_found_within_minutes_with_its_project_and_nobody_else() {
    let sandbox = Sandbox::new();
    sandbox.write("sample.jsonl.zst", include_bytes!("../../assets/sample.jsonl.zst"));
    let found = json(&sandbox.good("runaways sample.jsonl.zst --format json"));
    let trips = found["trips"].as_array().expect("trips");
    assert_eq!(trips.len(), 1, "{found:#}");
    let trip = &trips[0];
    assert_eq!((trip["team"].as_str(), trip["project"].as_str()), (Some("research"), Some("crawler")));
    let at = trip["at"].as_str().expect("a moment");
    assert!(("2026-05-23T16:10".."2026-05-23T16:20").contains(&at), "it began at 16:10, and tripped at {at}");
    let saved: f64 = trip["saved_usd"].as_str().expect("an amount").parse().expect("dollars");
    assert!(saved > 50.0, "{trip}");
    sandbox.write("rules.toml", "[runaways.cap]\neach = \"session\"\ncalls = 40\nthen = \"freeze\"\n");
    let capped = json(&sandbox.good("runaways sample.jsonl.zst --rules rules.toml --format json"));
    let trips = capped["trips"].as_array().expect("trips");
    assert_eq!(trips.len(), 18, "each of its loops");
    assert!(trips.iter().all(|trip| trip["project"] == "crawler" && trip["then"] == "freeze"));
    sandbox.write("wrong.toml", "[runaways.cap]\neach = \"session\"\ncals = 40\n");
    let said = sandbox.run("runaways sample.jsonl.zst --rules wrong.toml");
    assert!(
        said.err.contains("wrong.toml:3:1: `cals` is no setting of runaways.cap; did you mean `calls`?"),
        "{}",
        said.err
    );
}
