//! What labels prove of thresholds, and the best thresholds for a cost or a quality.

use std::fmt::Write as _;

use serde_json::Value;

use super::json;
use super::program::Sandbox;

/// So many labels of a confidence, of which the first some were lost.
fn group(text: &mut String, confidence: u16, n: u32, lost: u32) {
    for at in 0..n {
        let cheap = if at < lost { 0 } else { 1000 };
        writeln!(text, r#"{{"confidence":{confidence},"cheap":{cheap},"strong":1000}}"#).expect("a text");
    }
}

fn labels() -> String {
    let mut text = String::new();
    for (confidence, n, lost) in [(900, 500, 3), (700, 300, 5), (600, 100, 20), (300, 100, 0)] {
        group(&mut text, confidence, n, lost);
    }
    text
}

#[test]
fn labels_certify_down_to_the_first_threshold_that_fails() {
    let sandbox = Sandbox::new();
    sandbox.write("l.jsonl", labels());
    let found = json(&sandbox.good("certify l.jsonl --epsilon .02 --delta .05 --format json"));
    assert_eq!(found["certified_threshold"], 601);
    assert_eq!((found["n"].as_u64(), found["failures"].as_u64()), (Some(1000), Some(8)));
    assert_eq!(found["needed_labels"], 0);
    // SciPy 1.17.1: binom.cdf(8, 1000, .02) and beta.ppf(.95, 9, 992).
    let near = |value: &Value, wanted: f64| value.as_f64().is_some_and(|found| (found - wanted).abs() < 1e-9);
    assert!(near(&found["p_value"], 0.001_933_685_964_319_412_6), "{found:#}");
    assert!(near(&found["bound"], 0.014_388_224_952_091_9), "{found:#}");
    assert_eq!(
        (&found["next"]["threshold"], &found["next"]["failures"]),
        (&Value::from(600), &Value::from(28))
    );
    // As a share and in per cent, from a pipe and packed, it is the same.
    let again =
        json(&sandbox.run_with("certify - --epsilon 2% --delta 5% --format json", labels().as_bytes()).out);
    assert_eq!(again["certified_threshold"], 601);
    let served = json(&sandbox.good("certify l.jsonl --selective --epsilon .02 --format json"));
    assert_eq!((&served["certified_threshold"], &served["n"]), (&Value::from(601), &Value::from(800)));
}

#[test]
fn too_few_labels_certify_nothing_and_say_how_many_are_missing() {
    let sandbox = Sandbox::new();
    let mut text = String::new();
    group(&mut text, 800, 100, 0);
    sandbox.write("l.jsonl", &text);
    let found = json(&sandbox.good("certify l.jsonl --epsilon .02 --delta .05 --format json"));
    assert_eq!(found["certified_threshold"], Value::Null);
    assert_eq!(
        (&found["needed_labels"], &found["n"], &found["failures"]),
        (&Value::from(49), &Value::from(100), &Value::from(0))
    );
    assert!(sandbox.good("certify l.jsonl").contains("49 more labels"));
}

/// Both would be a certificate that nothing stands behind.
#[test]
fn labels_told_twice_or_on_another_scale_certify_nothing() {
    let sandbox = Sandbox::new();
    let line = |at: u32, good: u32| {
        format!("{{\"id\":\"r-{at}\",\"confidence\":900,\"cheap\":{good},\"strong\":{good}}}\n")
    };
    let once: String = (0..100).map(|at| line(at, 1000)).collect();
    sandbox.write("twice.jsonl", once.repeat(2));
    let run = sandbox.run("certify twice.jsonl --format json");
    let found = json(&run.out);
    assert_eq!((&found["labels"], &found["certified_threshold"]), (&Value::from(100), &Value::Null));
    assert!(run.err.contains("100 lines with an `id` told before"), "{}", run.err);
    sandbox.write("shares.jsonl", (0..500).map(|at| line(at, at % 2)).collect::<String>());
    let told = sandbox.refused("certify shares.jsonl");
    assert!(told.contains("no quality is above 1 of 1000"), "{told}");
    sandbox.write("weak.jsonl", (0..500).map(|at| line(at, 400)).collect::<String>());
    let run = sandbox.run("certify weak.jsonl --format json");
    assert_eq!(json(&run.out)["strong_acceptable"], 0);
    assert!(run.err.contains("the certificate says nothing"), "{}", run.err);
}

/// A trial without keys is a rehearsal: what it makes up may not certify what is served.
#[test]
fn a_simulated_judge_certifies_nothing_of_real_requests() {
    let sandbox = Sandbox::new();
    let log = |source: &str, more: &str| -> String {
        let line = |at: u32| {
            let label = |model: &str| format!(r#"{{"model":"{model}","quality":1000,"source":"{source}"}}"#);
            format!(
                r#"{{"at":"2026-05-23T10:{:02}:{:02}Z","task":"classification","confidence":900{more},"model":"gpt-4.1","in":1000,"out":200,"labels":[{},{}]}}"#,
                at / 60,
                at % 60,
                label("mistral-small-2503"),
                label("gpt-4.1")
            ) + "\n"
        };
        (0..300).map(line).collect()
    };
    sandbox.write("real.jsonl", log("judge claude-opus-4-6", ""));
    assert_eq!(json(&sandbox.good("certify real.jsonl --format json"))["labels"], 300);
    sandbox.write("made-up.jsonl", log("judge claude-opus-4-6 (simulated)", ""));
    let told = sandbox.refused("certify made-up.jsonl");
    assert!(told.contains("verdicts of a simulated judge count for nothing"), "{told}");
    // Of requests that were simulated themselves they tell what they can.
    sandbox.write("rehearsal.jsonl", log("judge claude-opus-4-6 (simulated)", r#","simulated":"no key""#));
    assert_eq!(json(&sandbox.good("certify rehearsal.jsonl --format json"))["labels"], 300);
}

#[test]
fn labels_that_cannot_be_used_are_told_and_left_out() {
    let sandbox = Sandbox::new();
    let bad = "{\"confidence\":\"900\",\"cheap\":1000,\"strong\":1000}\n{\"confidence\":900,\"cheap\":1000}\n{\"cheap\":1000,\"strong\":0}\n";
    sandbox.write("l.jsonl", format!("{}{bad}", labels()));
    let run = sandbox.run("certify l.jsonl --format json");
    let (found, said) = (json(&run.out), run.err);
    assert_eq!(
        (&found["labels"], &found["bad_lines"], &found["half_labels"]),
        (&Value::from(1000), &Value::from(1), &Value::from(1))
    );
    assert!(said.contains("l.jsonl:1001: `confidence` has to be a whole number from 0 to 1000"), "{said}");
    assert!(said.contains("1 label with one of the two answers alone"), "{said}");
    assert!(said.contains("1 label without a confidence"), "{said}");
    sandbox.write("none.jsonl", "{\"confidence\":900,\"cheap\":1000}\n");
    assert!(sandbox.refused("certify none.jsonl").contains("no label has all of"));
    for wrong in ["--epsilon 0", "--epsilon 2", "--delta x", "--judge 3/2", "--start 1001"] {
        let said = sandbox.refused(&format!("certify l.jsonl {wrong}"));
        assert!(said.contains("error"), "{wrong}: {said}");
    }
}

/// Two routes whose cheap answers were judged beside the strong ones, all of them: the surer the better.
fn judged_log() -> String {
    let mut text = String::new();
    for at in 0..2000u32 {
        let (task, cheap) = if at % 2 == 0 {
            ("classification", "mistral-small-2503")
        } else {
            ("summarisation", "gemini-2.5-flash")
        };
        let confidence = at * 7 % 1001;
        let is_lost = at % 5 == 0 && confidence < 400;
        let minute = at / 60;
        writeln!(
            text,
            r#"{{"id":"r-{at}","at":"2026-05-23T{:02}:{:02}:{:02}Z","task":"{task}","confidence":{confidence},"model":"gpt-4.1","in":1000,"out":200,"labels":[{{"model":"{cheap}","quality":{},"output":200}},{{"model":"gpt-4.1","quality":1000}}]}}"#,
            10 + minute / 60,
            minute % 60,
            at % 60,
            if is_lost { 0 } else { 1000 }
        )
        .expect("a text");
    }
    text
}

#[test]
fn a_log_with_labels_is_certified_route_by_route() {
    let sandbox = Sandbox::new();
    sandbox.write("log.jsonl", judged_log());
    let found = json(&sandbox.good("certify log.jsonl --format json"));
    let routes = found["routes"].as_array().expect("routes");
    assert_eq!(routes.len(), 2);
    for route in routes {
        assert_eq!(route["labels"], 1000);
        let from = route["certified_threshold"].as_u64().expect("certified");
        assert!((300..400).contains(&from), "{route:#}");
    }
    let one = json(&sandbox.good("certify log.jsonl --route summarise --format json"));
    assert_eq!(
        (&one["route"], &one["rung"], &one["strong"]),
        (&Value::from("summarise"), &Value::from("flash"), &Value::from("gpt-4.1"))
    );
    assert!(sandbox.refused("certify log.jsonl --route nowhere").contains("no such route"));
}

#[test]
fn the_best_thresholds_keep_a_cost_or_a_quality_and_what_if_agrees() {
    let sandbox = Sandbox::new();
    sandbox.write("log.jsonl", judged_log());
    let cost =
        |value: &Value| value["cost_usd"].as_str().and_then(|cost| cost.parse::<f64>().ok()).expect("a cost");
    let quality = |value: &Value| {
        value["quality"].as_str().and_then(|text| text.parse::<f64>().ok()).expect("a quality")
    };

    let found = json(&sandbox.good("optimise log.jsonl --quality .99 --format json"));
    assert_eq!(found["feasible"], true);
    assert!(
        quality(&found["planned"]) >= 0.99 && cost(&found["planned"]) < cost(&found["applied"]),
        "{found:#}"
    );
    assert!(
        found["routes"].as_array().expect("routes").iter().all(|route| route["quality_from"] == "labels")
    );
    // What is said of the thresholds is what they give when they are tried.
    let set: Vec<String> = found["set"]
        .as_array()
        .expect("moves")
        .iter()
        .map(|one| format!("--set {}", one.as_str().expect("a move")))
        .collect();
    let tried = json(&sandbox.good(&format!("whatif log.jsonl {} --format json", set.join(" "))));
    assert_eq!(tried["staged"]["cost_usd"], found["planned"]["cost_usd"]);
    assert_eq!(tried["flipped_requests"], found["flipped_requests"]);

    // How sure that is: a thousand labels of each route, so a thirtieth of a half for each, and less for both together.
    let of = |side: &Value, key: &str| {
        side[key].as_str().and_then(|text| text.parse::<f64>().ok()).expect("a number")
    };
    let lies_within = |side: &Value, off: f64| {
        let (low, high) = (of(side, "quality_low"), of(side, "quality_high"));
        let quality = of(side, "quality");
        0.0 <= low && low < quality && quality <= high && high <= 1.0 && high - low < 2.0 * off
    };
    for route in found["routes"].as_array().expect("routes") {
        assert!(lies_within(&route["planned"], 0.98 / 1000_f64.sqrt()), "{route:#}");
    }
    assert!(lies_within(&found["planned"], 0.98 / 2000_f64.sqrt()), "{found:#}");
    // What started on GPT-4.1 in the log is an estimate on the cheaper model, but for the answer that labels measured.
    assert!(of(&found["planned"], "cost_error_usd") > 0.0 && of(&found["change"], "cost_error_usd") > 0.0);
    assert_eq!(found["change"]["cost_within_error"], false, "{found:#}");
    let table = sandbox.good("optimise log.jsonl --quality .99");
    assert!(table.contains(" ±$") && table.contains("quality") && !table.contains("±0.0"), "{table}");

    // For that cost there is no better quality.
    let budget = format!(
        "optimise log.jsonl --budget {} --format json",
        found["planned"]["cost_usd"].as_str().expect("a cost")
    );
    let same = json(&sandbox.good(&budget));
    assert!(
        quality(&same["planned"]) >= quality(&found["planned"])
            && cost(&same["planned"]) <= cost(&found["planned"])
    );

    let less = json(&sandbox.good("optimise log.jsonl --cost -10% --format json"));
    assert!(less["feasible"] == true && cost(&less["planned"]) <= cost(&less["applied"]) * 0.9);

    let run = sandbox.run("optimise log.jsonl --budget 0.01/month --format json");
    let said = run.err;
    assert_eq!(json(&run.out)["feasible"], false);
    assert!(said.contains("infeasible: no thresholds keep it; the least cost is $"), "{said}");

    let within = json(&sandbox.good("optimise log.jsonl --certified --format json"));
    for route in within["routes"].as_array().expect("routes") {
        assert_eq!(route["thresholds"][0]["certified"], true);
        let of = |key: &str| route["thresholds"][0][key].as_u64().expect("a threshold");
        // Of thresholds that let the same requests through, the highest is taken.
        assert!((of("certified_threshold")..400).contains(&of("threshold")), "{route:#}");
    }
    // A bound on time that nobody can look at is not called kept.
    let timed = json(&sandbox.good("optimise log.jsonl --quality .9 --within 3s --format json"));
    let untimed = timed["untimed"].as_array().map_or(0, Vec::len);
    assert_eq!(untimed, timed["routes"].as_array().map_or(0, Vec::len), "{timed:#}");
    assert!(sandbox.good("optimise log.jsonl --quality .9 --within 3s").contains("nobody knows how long"));
    assert!(sandbox.refused("optimise log.jsonl").contains("--budget"));
    assert!(sandbox.refused("optimise log.jsonl --quality 1.5").contains("no quality between 0 and 1"));
}

#[test]
fn advice_says_nothing_of_quality_without_labels() {
    let sandbox = Sandbox::new();
    sandbox.write("log.jsonl", judged_log());
    let found = json(&sandbox.good("advise log.jsonl --most 50 --format json"));
    let used = &found["models"][0];
    assert_eq!((&used["model"], &used["calls"]), (&Value::from("gpt-4.1"), &Value::from(2000)));
    // 2,000 calls of 1,000 and 200 tokens at 2 and 8 $/1M.
    assert_eq!(used["cost_usd"], "7.2");
    let of = |name: &str| {
        let all = used["candidates"].as_array().expect("candidates");
        all.iter().find(|one| one["model"] == name).unwrap_or_else(|| panic!("{name} in {used:#}")).clone()
    };
    // One of five below a confidence of 400 is lost: 8 %.
    let flash = of("gemini-2.5-flash");
    assert_eq!(
        (&flash["quality"], &flash["pairs"], &flash["needed_labels"]),
        (&Value::from("worse"), &Value::from(1000), &Value::Null)
    );
    let nano = of("gpt-4.1-nano");
    assert_eq!(
        (&nano["quality"], &nano["pairs"], &nano["needed_labels"]),
        (&Value::from("unknown"), &Value::from(0), &Value::from(149))
    );
    // Prompts of 0.2 dollars off by .15, answers of 0.16 by a half, as nobody has seen it read or write: times 1.96.
    assert_eq!(
        (&nano["cost_error_usd"], &nano["within_error"]),
        (&Value::from("0.2156"), &Value::from(false))
    );
    assert!(used["candidates"].as_array().expect("candidates").iter().all(|one| one["model"] != "gpt-4.1"));
    assert!(sandbox.good("advise log.jsonl").contains("unknown: 149 judged pairs are missing"));
}

#[test]
fn a_certificate_that_is_withdrawn_is_an_alert_until_one_is_given_again() {
    let sandbox = Sandbox::new();
    let mut log = r#"{"event":"policy","at":"2026-05-23T09:00:00Z","version":1,"name":"p","routes":[{"route":"all","ladder":[{"rung":"small","model":"mistral-small-2503","threshold":400},{"rung":"big","model":"gpt-4.1"}]}]}"#.to_owned() + "\n";
    for at in 0..4000u32 {
        // Good from a confidence of 400 up, until the cheap model gets worse at all of them.
        let confidence = at * 7 % 1001;
        let is_worse = at >= 2000 && at % 3 == 0;
        let cheap = if is_worse || at % 4 == 0 && confidence < 400 { 0 } else { 1000 };
        let (hour, minute, second) = (10 + at / 3600, at / 60 % 60, at % 60);
        let _ = writeln!(
            log,
            r#"{{"at":"2026-05-23T{hour}:{minute:02}:{second:02}Z","task":"classification","confidence":{confidence},"model":"gpt-4.1","in":1000,"out":200,"labels":[{{"model":"mistral-small-2503","quality":{cheap},"output":200}},{{"model":"gpt-4.1","quality":1000}}]}}"#
        );
    }
    sandbox.write("judged.jsonl", &log);
    let told = json(&sandbox.good("alerts replay judged.jsonl --format json"));
    let alerts = told["alerts"].as_array().expect("alerts");
    let quality: Vec<&Value> = alerts.iter().filter(|alert| alert["rule"] == "quality").collect();
    let [alert] = quality[..] else { panic!("{told:#}") };
    assert_eq!(
        (&alert["scope"], &alert["level"]),
        (&"route all/small".into(), &"critical".into()),
        "{alert:#}"
    );
    let at = alert["fired"].as_str().expect("a moment");
    assert!(("2026-05-23T10:33:20".."2026-05-23T11:00").contains(&at), "soon after it got worse: {at}");
    // With no rule for it nobody is told.
    sandbox.write("alerts.toml", "[rule.quality]\noff = true\n");
    let quiet = sandbox.good("alerts replay judged.jsonl --alerts alerts.toml --format csv");
    assert!(!quiet.contains("quality"), "{quiet}");
}

/// Clients judge the answers that were served, so a rung that serves little has no label in most logs: a plan must not throw the
/// labels of the others away for that, nor take one label for what a thousand requests are worth.
#[test]
fn labels_count_for_the_rung_that_they_are_of() {
    let sandbox = Sandbox::new();
    let line = |at: u32, more: &str| {
        let label = format!(
            "{{\"model\":\"gpt-4.1-nano\",\"quality\":{}}}",
            if at.is_multiple_of(2) { 1000 } else { 0 }
        );
        format!(
            "{{\"id\":\"n-{at}\",\"at\":\"2026-05-23T{:02}:{:02}:{:02}Z\",\"confidence\":{},\"model\":\"gpt-4.1-nano\",\"in\":100,\"out\":10,\"labels\":[{label}{more}]}}\n",
            10 + at / 3600,
            at / 60 % 60,
            at % 60,
            at * 7 % 1001
        )
    };
    let number = |side: &Value, key: &str| {
        side[key]
            .as_str()
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or_else(|| panic!("{key}: {side}"))
    };
    sandbox.write("some.jsonl", (0..1500).map(|at| line(at, "")).collect::<String>());
    let some = json(&sandbox.good("optimise some.jsonl --cost -90% --format json"));
    assert_eq!(some["routes"][0]["quality_from"], "labels in part", "{some:#}");
    assert!(some["planned"]["quality_low"].is_null(), "of other rungs nobody knows: {some:#}");
    let all_on_nano = "whatif some.jsonl --set general.nano=0 --set general.flash=0 --format json";
    let tried = json(&sandbox.good(all_on_nano));
    assert!((0.49..0.51).contains(&number(&tried["staged"], "quality")), "{tried:#}");
    assert!(!sandbox.good("optimise some.jsonl --cost -90%").contains("nobody judged"));
    // One good answer of the last rung and one bad one of the rung between.
    let more = |at| match at {
        700 => ",{\"model\":\"gpt-4.1\",\"quality\":1000}",
        701 => ",{\"model\":\"gemini-2.5-flash\",\"quality\":0}",
        _ => "",
    };
    sandbox.write("one.jsonl", (0..1500).map(|at| line(at, more(at))).collect::<String>());
    let one = json(&sandbox.good("optimise one.jsonl --quality .95 --format json"));
    assert_eq!(one["routes"][0]["quality_from"], "labels", "{one:#}");
    let planned = &one["planned"];
    assert!(number(planned, "quality") >= 0.95, "{one:#}");
    assert!(number(planned, "quality_low") < 0.4, "one label leaves most of it open: {one:#}");
    // The same thresholds are worth the same wherever they are asked of, as far as labels go.
    let set: Vec<String> = some["set"]
        .as_array()
        .expect("moves")
        .iter()
        .filter_map(|one| one.as_str())
        .map(|one| format!("--set {one}"))
        .collect();
    let tried = json(&sandbox.good(&format!("whatif some.jsonl {} --format json", set.join(" "))));
    assert_eq!(tried["staged"]["cost_usd"], some["planned"]["cost_usd"]);
}

/// Labels on another scale, or of a strong model that nobody found acceptable, would else certify everything.
#[test]
fn where_nothing_could_be_lost_nothing_is_certified() {
    let sandbox = Sandbox::new();
    sandbox.write("log.jsonl", judged_log().replace("\"quality\":1000", "\"quality\":1"));
    let run = sandbox.run("certify log.jsonl --format json");
    for route in json(&run.out)["routes"].as_array().expect("routes") {
        assert!(route["certified_threshold"].is_null(), "{route:#}");
    }
    let plan = json(&sandbox.good("optimise log.jsonl --certified --format json"));
    for route in plan["routes"].as_array().expect("routes") {
        assert!(route["thresholds"][0]["certified_threshold"].is_null(), "{route:#}");
    }
    let shown = sandbox.good("snapshot tune --log log.jsonl --size 120x36");
    assert!(!shown.contains("certified from"), "{shown}");
}

/// A log of one route with two rungs: `cheap` at a threshold of 600 and `strong`, each request with the labels of `judged`.
fn two_rungs(
    sandbox: &Sandbox,
    (cheap, strong): (&str, &str),
    mut judged: impl FnMut(u32) -> (String, String),
) {
    let policy = format!(
        "name = \"p\"\nbaseline = \"gpt-4.1\"\n[[route]]\nname = \"g\"\nladder = [{cheap}, {strong}]\n"
    );
    sandbox.write("p.toml", policy);
    let mut log = String::new();
    for at in 0..1000u32 {
        let (hour, minute, confidence) = (at / 60, at % 60, at * 577 % 1001);
        let (call, labels) = judged(confidence);
        writeln!(
            log,
            r#"{{"id":"r{at}","at":"2026-05-01T{hour:02}:{minute:02}:00Z","confidence":{confidence},{call},"in":100,"out":50,"labels":[{labels}]}}"#
        )
        .expect("a text");
    }
    sandbox.write("l.jsonl", log);
}

fn certified(sandbox: &Sandbox) -> Value {
    json(&sandbox.good("certify l.jsonl --policy p.toml --epsilon .02 --format json"))
}

/// An operator would else be told that thresholds may be moved to where no answer was ever looked at.
#[test]
fn nothing_is_certified_below_what_was_judged() {
    let sandbox = Sandbox::new();
    let rungs = (
        r#"{ rung = "nano", model = "gpt-4.1-nano", threshold = 600 }"#,
        r#"{ rung = "big", model = "gpt-4.1" }"#,
    );
    let both = r#"{"model":"gpt-4.1-nano","quality":1000},{"model":"gpt-4.1","quality":1000}"#;
    let call = |confidence: u32| {
        if confidence >= 600 { r#""model":"gpt-4.1-nano""# } else { r#""model":"gpt-4.1""# }.to_owned()
    };
    let labels = |is_judged: bool| if is_judged { both.to_owned() } else { String::new() };
    // As shadow runs judge: what the cheap model served.
    two_rungs(&sandbox, rungs, |confidence| (call(confidence), labels(confidence >= 600)));
    let found = certified(&sandbox);
    assert_eq!(
        (&found["certified_threshold"], &found["judged_from"]),
        (&Value::from(600), &Value::from(600))
    );
    let table = sandbox.good("certify l.jsonl --policy p.toml --epsilon .02");
    assert!(table.contains("no answer below it was judged"), "{table}");
    let plan = json(&sandbox.good("optimise l.jsonl --policy p.toml --certified --format json"));
    assert_eq!(plan["routes"][0]["thresholds"][0]["threshold"], 600, "{plan:#}");
    let screen = sandbox.good("snapshot quality --log l.jsonl --policy p.toml --size 120x36");
    assert!(screen.contains("certified from                             600"), "{screen}");
    // What was judged speaks for itself alone: of what moves below, quality is open.
    let moved = json(&sandbox.good("whatif l.jsonl --policy p.toml --set g=0 --format json"));
    let low = moved["staged"]["quality_low"].as_str().unwrap();
    assert!(low.parse::<f64>().unwrap() < 0.41, "{moved:#}");
    let plan = json(&sandbox.good("optimise l.jsonl --policy p.toml --quality .9 --format json"));
    assert!(plan["planned"]["quality_low"].as_str().unwrap() < "0.41", "{plan:#}");
    // A sample of all.
    two_rungs(&sandbox, rungs, |confidence| (call(confidence), labels(confidence % 3 == 0)));
    let found = certified(&sandbox);
    assert_eq!((&found["certified_threshold"], &found["judged_from"]), (&Value::from(0), &Value::Null));
}

/// Each label would else be the cheap and the strong answer in one, and nothing could ever be lost.
#[test]
fn labels_of_one_model_on_two_rungs_are_of_the_rung_that_served() {
    let sandbox = Sandbox::new();
    let rungs = (
        r#"{ rung = "low", model = "gpt-5", threshold = 600, with = { effort = "minimal" } }"#,
        r#"{ rung = "high", model = "gpt-5", with = { effort = "high" } }"#,
    );
    two_rungs(&sandbox, rungs, |confidence| {
        let quality = if confidence >= 600 && confidence % 3 == 0 { 0 } else { 1000 };
        let effort = if confidence >= 600 { "minimal" } else { "high" };
        (
            format!(r#""model":"gpt-5","effort":"{effort}""#),
            format!(r#"{{"model":"gpt-5","quality":{quality},"source":"feedback by a"}}"#),
        )
    });
    let found = certified(&sandbox);
    assert_eq!(
        (&found["certified_threshold"], &found["labels"], &found["half_labels"]),
        (&Value::Null, &Value::from(0), &Value::from(1000))
    );
}

/// What a model is asked makes other answers as another model does.
#[test]
fn a_certificate_goes_with_what_the_model_is_asked() {
    let sandbox = Sandbox::new();
    let policy = |version: u32, minute: u32, with: &str| {
        format!(
            r#"{{"event":"policy","at":"2026-05-01T{:02}:{:02}:00Z","version":{version},"name":"p","baseline":"gpt-5","routes":[{{"route":"g","ladder":[{{"rung":"nano","model":"gpt-5-nano","threshold":600,"with":{{{with}}}}},{{"rung":"big","model":"gpt-5"}}]}}]}}"#,
            minute / 60,
            minute % 60
        )
    };
    for (then, is_withdrawn) in [
        (r#""effort":"minimal""#, true),
        (r#""effort":"high","max_output":50"#, true),
        (r#""effort":"high","service_tier":"flex""#, false),
    ] {
        let mut log = policy(1, 0, r#""effort":"high""#);
        for at in 0..600u32 {
            if at == 400 {
                write!(log, "\n{}", policy(2, 400, then)).expect("a text");
            }
            write!(
                log,
                "\n{{\"id\":\"w{at}\",\"at\":\"2026-05-01T{:02}:{:02}:00Z\",\"confidence\":{},\"model\":\"gpt-5-nano\",\"in\":100,\"out\":50,\
                 \"labels\":[{{\"model\":\"gpt-5-nano\",\"quality\":1000}},{{\"model\":\"gpt-5\",\"quality\":1000}}]}}",
                at / 60,
                at % 60,
                600 + at % 400
            )
            .expect("a text");
        }
        sandbox.write("l.jsonl", log + "\n");
        let events = sandbox.good("snapshot events --log l.jsonl --size 160x40");
        assert_eq!(events.contains("a model is asked otherwise"), is_withdrawn, "{then}: {events}");
    }
}

#[test]
fn what_a_judge_may_hide_is_within_the_bound() {
    let sandbox = Sandbox::new();
    let mut text = String::new();
    group(&mut text, 800, 1000, 0);
    sandbox.write("l.jsonl", &text);
    let found = json(&sandbox.good("certify l.jsonl --epsilon .05 --judge 3/300 --format json"));
    // SciPy 1.17.1: beta.ppf(.975, 1, 1000) + beta.ppf(.975, 4, 297).
    let bound = found["bound"].as_f64().unwrap();
    assert!(
        (bound - (0.003_682_083_896_865_671 + found["judge_may_hide"].as_f64().unwrap())).abs() < 1e-9,
        "{found:#}"
    );
    assert_eq!(found["p_value_at_most"], 0.025);
}

/// The best plan would else send everything to the model of which nobody knows what it costs: "-100 %, feasible".
#[test]
fn nothing_is_cheap_because_its_price_is_unknown() {
    let sandbox = Sandbox::new();
    let rungs = (
        r#"{ rung = "unk", model = "unknown-y", threshold = 900 }, { rung = "nano", model = "gpt-4.1-nano", threshold = 600 }"#,
        r#"{ rung = "big", model = "gpt-4.1" }"#,
    );
    two_rungs(&sandbox, rungs, |confidence| {
        let model = if confidence >= 900 {
            "unknown-y"
        } else if confidence >= 600 {
            "gpt-4.1-nano"
        } else {
            "gpt-4.1"
        };
        let good = |model: &str| format!(r#"{{"model":"{model}","quality":1000}}"#);
        (format!(r#""model":"{model}""#), ["unknown-y", "gpt-4.1-nano", "gpt-4.1"].map(good).join(","))
    });
    let told = sandbox.run("optimise l.jsonl --policy p.toml --quality .9").err;
    assert!(told.contains("no price"), "{told}");
    let priced = "[[route]]\nname = \"code\"\nmatch.task = [\"code\"]\nladder = [{ rung = \"nano\", model = \"gpt-4.1-nano\", threshold = 600 }, { rung = \"big\", model = \"gpt-4.1\" }]\n[[route]]\nname = \"g\"";
    let policy = sandbox.read("p.toml").replacen("[[route]]\nname = \"g\"", priced, 1);
    sandbox.write("p.toml", policy);
    let log = sandbox.read("l.jsonl");
    let coded = log
        .lines()
        .take(200)
        .map(|line| line.replace("\"id\":\"r", "\"task\":\"code\",\"id\":\"c") + "\n")
        .collect::<String>();
    sandbox.write("l.jsonl", log.clone() + &coded);
    let plan = json(&sandbox.run("optimise l.jsonl --policy p.toml --quality .9 --format json").out);
    assert_eq!(plan["unpriced"], Value::from(vec!["g.unk"]), "{plan:#}");
    assert_eq!(plan["routes"].as_array().map(Vec::len), Some(1));
}
