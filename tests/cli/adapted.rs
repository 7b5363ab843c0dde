//! Routes that learn, over logs: what verdicts move, what they never move, and that all readings agree.

use std::fmt::Write as _;

use serde_json::Value;

use super::{json, report, sandbox};

fn policy(more: &str) -> String {
    format!(
        "name = \"house\"\nbaseline = \"gpt-4.1\"\n[[route]]\nname = \"rest\"\ncache = \"aware\"\n{more}\
         ladder = [{{ rung = \"small\", model = \"gpt-4.1-nano\", threshold = 800 }}, {{ rung = \"large\", model = \"gpt-4.1\" }}]\n"
    )
}

const LEARNS: &str =
    "adapt = { method = \"linucb\", worth = \"$0.05\", floors = [400], forgetting = 980, least = 20 }\n";

/// One request every ten seconds. Where it is not hard the small model's answers are good until the middle of the log, and bad
/// from there on; the large one's are good always. Every tenth request is one that no rung but the large may have.
fn log(requests: usize, late: bool) -> String {
    let mut text = String::new();
    for n in 0..requests {
        let at = format!("2026-05-23T{:02}:{:02}:{:02}", 6 + n / 360, n / 6 % 60, n % 6 * 10);
        let confidence = if n % 10 == 0 { 300 } else { 500 };
        let small = if n < requests / 2 { 950 } else { 100 };
        let labels = format!(
            "[{{\"model\":\"gpt-4.1-nano\",\"quality\":{small}}},{{\"model\":\"gpt-4.1\",\"quality\":900}}]"
        );
        let inline = if late { String::new() } else { format!(",\"labels\":{labels}") };
        let _ = writeln!(
            text,
            "{{\"id\":\"r-{n}\",\"at\":\"{at}Z\",\"confidence\":{confidence},\"model\":\"gpt-4.1\",\"in\":1000,\"out\":100,\"latency_ms\":500{inline}}}"
        );
        if late {
            for (model, quality) in [("gpt-4.1-nano", small), ("gpt-4.1", 900)] {
                let _ = writeln!(
                    text,
                    "{{\"event\":\"label\",\"at\":\"{at}.900Z\",\"id\":\"r-{n}\",\"model\":\"{model}\",\"quality\":{quality}}}"
                );
            }
        }
    }
    text
}

fn starts(report: &Value, model: &str) -> u64 {
    let found = report["by_model"].as_array().expect("models").iter().find(|row| row["model"] == model);
    found.map_or(0, |row| row["attempts"].as_u64().expect("a count"))
}

/// What verdicts promise most of serves, until it gets worse; below the floor it never does; and off nothing is moved at all.
#[test]
fn a_route_follows_verdicts_forgets_them_and_keeps_its_floor() {
    let sandbox = sandbox();
    sandbox.write("on.toml", policy(LEARNS));
    sandbox.write("off.toml", policy(""));
    for (name, late) in [("inline.jsonl", false), ("late.jsonl", true)] {
        sandbox.write(name, log(800, late));
        let off = report(&sandbox, &format!("{name} --as routed --policy off.toml"));
        assert_eq!(starts(&off, "gpt-4.1-nano"), 0, "{name}: no threshold is reached");
        let on = report(&sandbox, &format!("{name} --as routed --policy on.toml"));
        let small = starts(&on, "gpt-4.1-nano");
        assert!((250..500).contains(&small), "{name}: {small} of 800 on the small model");
        // Streamed for the sums, in memory for what-if: one figure.
        let staged = json(
            &sandbox.good(&format!("whatif {name} --policy on.toml --set rest.small=800 --format json")),
        );
        assert_eq!(staged["applied"]["cost_usd"], on["cost_usd"], "{name}");
        let why = |id: &str| sandbox.run(&format!("why {name} {id} --policy on.toml")).out;
        assert!(why("r-3").contains("nothing learnt yet: "), "{}", why("r-3"));
        let chosen = why("r-301");
        assert!(chosen.contains("learnt: small (gpt-4.1-nano) promises"), "{chosen}");
        let late = ["r-771", "r-776", "r-781", "r-786", "r-791", "r-796"].map(why);
        let stays = late
            .iter()
            .filter(|told| told.contains("stays on large (gpt-4.1): no other promises more"))
            .count();
        assert!(stays >= 4, "tried again now and then, and no more: {late:#?}");
        let hard = why("r-300");
        assert!(!hard.contains("learnt") && hard.contains("gpt-4.1"), "{hard}");
    }
}

/// Without a verdict the cheapest would always win, so nothing is moved.
#[test]
fn cost_alone_teaches_nothing() {
    let sandbox = sandbox();
    sandbox.write("on.toml", policy(LEARNS));
    let bare = log(200, true);
    let bare: Vec<&str> = bare.lines().filter(|line| !line.contains("\"event\"")).collect();
    sandbox.write("bare.jsonl", bare.join("\n"));
    let on = report(&sandbox, "bare.jsonl --as routed --policy on.toml");
    assert_eq!(starts(&on, "gpt-4.1-nano"), 0);
    let told = sandbox.run("why bare.jsonl r-199 --policy on.toml").out;
    assert!(told.contains("nothing learnt yet: 0 verdicts of 20, and cost alone teaches nothing"), "{told}");
}

/// What cannot hold is refused with its line, key and a way to mend it.
#[test]
fn what_cannot_hold_is_refused_in_words() {
    let sandbox = sandbox();
    sandbox.write("l.jsonl", log(1, false));
    for (written, told) in [
        (LEARNS.replace("linucb", "thompson"), "p.toml:6: route.rest.adapt.method: `thompson` is no method"),
        (LEARNS.replace("$0.05", "0"), "route.rest.adapt.worth: `0` is what a good answer is worth"),
        (LEARNS.replace("[400]", "[900]"), "route.rest.adapt.floors: 900 is above 800, the threshold"),
        (LEARNS.replace("[400]", "[400, 3]"), "route.rest.adapt.floors: has 2 entries"),
        (LEARNS.replace("980", "10"), "route.rest.adapt.forgetting: is what a verdict counts"),
        (LEARNS.replace("least = 20", "least = 0"), "route.rest.adapt.least: is how many verdicts"),
        (LEARNS.replace("least = 20", "from = \"checks\""), "it would learn from cost alone"),
        (LEARNS.replace("least", "lest"), "did you mean `least`?"),
    ] {
        sandbox.write("p.toml", policy(&written));
        let error = sandbox.refused("replay l.jsonl --as routed --policy p.toml");
        assert!(error.contains(told), "{told}: {error}");
    }
    sandbox.write("p.toml", policy(LEARNS).replace("cache = \"aware\"\n", ""));
    let error = sandbox.refused("replay l.jsonl --as routed --policy p.toml");
    assert!(error.contains("route.rest.adapt: needs cache = \"aware\" beside it"), "{error}");
}
