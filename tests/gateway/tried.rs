//! `pointsman trial`: requests of a log asked of a candidate and graded beside the model that served, by the operator's providers.

use std::process::Output;

use serde_json::{Value, json};

use crate::front::{Sandbox, Setup};
use crate::replayed::pico;
use crate::shadowed::says;
use crate::stage::Speaks;
use crate::upstream::upstream_script::Report;
use crate::upstream::{Reply, Tokens, Upstream};

const JUDGE: &str = "mistral-small-2503";

/// Requests of the strong model; those that cannot be asked again as they were stand among them.
fn log(count: u64) -> String {
    let line = |at: u64, more: Value| {
        let mut line = json!({
            "id": format!("r-{at}"), "at": format!("2026-05-23T10:{:02}:{:02}Z", at / 60, at % 60), "task": "extraction",
            "confidence": 500 + at, "model": "gpt-4.1", "in": 100, "out": 20, "prompt": format!("question {at}?"),
        });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string()
    };
    let mut lines = vec![r#"{"pointsman":"log","v":1,"source":"a test"}"#.to_owned()];
    lines.extend((0..count).map(|at| line(at, json!({}))));
    for (at, more) in [
        json!({"turn": 3}),
        json!({"tools": 2}),
        json!({"prompt": ""}),
        json!({"model": "gpt-4.1-nano"}),
        json!({"status": "server_error"}),
        json!({"require": ["eu"]}),
    ]
    .into_iter()
    .enumerate()
    {
        lines.push(line(100 + at as u64, more));
    }
    lines.join("\n") + "\n"
}

/// A judge that finds the candidate's answers good, and every other one of the served ones bad, wherever they stand.
fn upstream() -> Upstream {
    Upstream::with(|call| match call.model.as_str() {
        JUDGE => {
            let asked = call.body.to_string();
            let (ours, theirs) =
                (asked.find("from the candidate").unwrap(), asked.find("from the served").unwrap());
            says(if ours < theirs { r#"{"first": 9, "second": 3}"# } else { r#"{"first": 3, "second": 9}"# })
        }
        "gpt-4.1" => Reply::text("from the served one"),
        _ => Reply::text("from the candidate"),
    })
}

fn trial(sandbox: &Sandbox, log: &str, more: &[&str]) -> Output {
    let usual = ["trial", log, "--model", "gpt-4.1-nano", "--judge", JUDGE, "--format", "json"];
    sandbox.run(&[&usual, more].concat())
}

fn report(done: &Output) -> Value {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn what_is_there_is_not_asked_again_and_becomes_labels_and_pairs_for_people() {
    let upstream = upstream();
    let sandbox = Sandbox::new(&Setup::of(&upstream.url()));
    std::fs::write(sandbox.path().join("log.jsonl"), log(12)).unwrap();
    let first = report(&trial(&sandbox, "log.jsonl", &["--sample", "5", "--max-spend", "5", "--yes"]));
    assert_eq!(
        (&first["eligible"], &first["judged"], &first["end"]),
        (&json!(12), &json!(5), &json!("done"))
    );
    let left = first["left_out"].as_object().unwrap();
    assert_eq!((left.len(), left.values().all(|count| *count == 1)), (6, true), "{left:?}");
    assert_eq!(upstream.served().len(), 15);

    let second = report(&trial(&sandbox, "log.jsonl", &["--sample", "8", "--max-spend", "5", "--yes"]));
    assert_eq!((&second["judged"], &second["judged_now"]), (&json!(8), &json!(3)), "{second}");
    assert_eq!(upstream.served().len(), 24, "a larger sample holds the smaller one");
    let row = &second["models"][0];
    assert_eq!(
        [&row["served"], &row["better"], &row["candidate_acceptable"], &row["lost"]],
        [&json!("gpt-4.1"), &json!(8), &json!(8), &json!(0)]
    );
    let third = report(&trial(&sandbox, "log.jsonl", &["--sample", "8", "--max-spend", "5"]));
    assert_eq!(
        (&third["judged"], &third["spent_usd"]),
        (&json!(8), &json!("0")),
        "nothing to ask, so nobody has to agree"
    );
    assert_eq!(upstream.served().len(), 24);

    // One that only certain models may see would make `replay` say so.
    let open: String = log(12).split_inclusive('\n').filter(|line| !line.contains("require")).collect();
    std::fs::write(sandbox.path().join("open.jsonl"), open).unwrap();
    let replayed =
        sandbox.must(&["replay", "open.jsonl", "trial-labels.jsonl", "--format", "json", "--strict"]);
    let replayed: Value = serde_json::from_str(&replayed).unwrap();
    assert_eq!(replayed["requests"], 17, "labels are no requests: {replayed}");
    let certified =
        sandbox.must(&["certify", "open.jsonl", "--labels", "trial-labels.jsonl", "--format", "json"]);
    let certified: Value = serde_json::from_str(&certified).unwrap();
    assert_eq!(
        (&certified["labels"], &certified["cheap"]),
        (&json!(8), &json!("gpt-4.1-nano")),
        "{certified}"
    );
    let answers = std::fs::read_to_string(sandbox.path().join("trial-answers.jsonl")).unwrap();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(answers.iter().all(|line| line["outcomes"].as_object().is_some_and(|both| both.len() == 2)));
    let labelled = sandbox.run(&["label", "trial-answers.jsonl", "--as", "ann"]);
    let said = String::from_utf8_lossy(&labelled.stderr);
    assert!(said.contains("8 pairs to compare"), "{said}");
    let labels = std::fs::read_to_string(sandbox.path().join("trial-labels.jsonl")).unwrap();
    assert_eq!(labels.matches(&format!("judge {JUDGE}")).count(), 16, "{labels}");
}

#[test]
fn no_more_is_spent_than_was_allowed_and_the_next_run_goes_on() {
    // Each call uses far more than it usually would, and what is left is reckoned by that.
    let dear = |text: &str| Reply {
        tokens: Some(Tokens { input: 500, cache_read: 0, write_5m: 0, output: 8000, reasoning: 0 }),
        ..Reply::text(text)
    };
    let upstream = Upstream::with(move |call| match call.model.as_str() {
        JUDGE => says(r#"{"first": 5, "second": 5}"#),
        _ => dear("an answer"),
    });
    let sandbox = Sandbox::new(&Setup::of(&upstream.url()));
    std::fs::write(sandbox.path().join("log.jsonl"), log(12)).unwrap();
    let most = 500_000_000_000;
    let mut judged = 0;
    for _ in 0..12 {
        let before = upstream.served().len();
        let found = report(&trial(&sandbox, "log.jsonl", &["--max-spend", "0.5", "--yes"]));
        let spent = pico(&found["spent_usd"]);
        assert!(spent <= most, "{found}");
        // gpt-4.1 at 2 and 8 $/1M, nano at 0.1 and 0.4, the judge at 0.1 and 0.3: what the upstream served is what is told.
        let cost = |model: &str| match model {
            "gpt-4.1" => 500 * 2_000_000 + 8000 * 8_000_000,
            "gpt-4.1-nano" => 500 * 100_000 + 8000 * 400_000,
            _ => 200 * 100_000 + 9 * 300_000,
        };
        let served = upstream.served();
        assert_eq!(
            served[before..].iter().map(|served| cost(&served.call.model)).sum::<i128>(),
            spent,
            "{found}"
        );
        let now = found["judged"].as_u64().unwrap();
        assert!(now > judged, "{found}");
        judged = now;
        if found["end"] == "done" {
            break;
        }
        assert_eq!(found["end"], "capped", "{found}");
    }
    assert_eq!(judged, 12);
    assert_eq!(upstream.served().len(), 36, "nothing was asked twice");
}

/// A guess from what can be seen of an answer is not what it cost.
#[test]
fn a_cap_counts_what_nobody_told_at_its_most() {
    let upstream = Upstream::with(|call| match call.model.as_str() {
        JUDGE => says(r#"{"first": 5, "second": 5}"#),
        _ => Reply { report: Report::Missing, ..Reply::text("an answer") },
    });
    let sandbox = Sandbox::new(&Setup::of(&upstream.url()));
    std::fs::write(sandbox.path().join("log.jsonl"), log(3)).unwrap();
    let found = report(&trial(&sandbox, "log.jsonl", &["--max-spend", "5", "--yes"]));
    let (spent, assumed) = (pico(&found["spent_usd"]), pico(&found["assumed_usd"]));
    // Two models write 8,192 tokens at most, three times over.
    assert!(assumed >= 3 * 8_192 * (8_000_000 + 400_000) && assumed < spent, "{found}");
    assert_eq!(found["models"][0]["served_usd"], "0", "no cost of it is known: {found}");
}

#[test]
fn nothing_is_sent_before_somebody_agrees_and_a_log_without_prompts_says_how_to_get_one() {
    let upstream = upstream();
    let sandbox = Sandbox::new(&Setup::of(&upstream.url()));
    std::fs::write(sandbox.path().join("log.jsonl"), log(3)).unwrap();
    let bare = log(3).replace("\"prompt\"", "\"asked_text\"");
    std::fs::write(sandbox.path().join("bare.jsonl"), bare).unwrap();
    for (log, more, says) in [
        ("log.jsonl", &["--max-spend", "1"][..], "--yes"),
        ("bare.jsonl", &["--max-spend", "1", "--yes"], "keep-prompts"),
        ("log.jsonl", &["--max-spend", "0.000001", "--yes"], "raise --max-spend"),
        ("log.jsonl", &["--max-spend", "0", "--yes"], "above zero"),
    ] {
        let done = trial(&sandbox, log, more);
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(!done.status.success() && said.contains(says), "{says}: {said}");
    }
    let own =
        sandbox.run(&["trial", "log.jsonl", "--model", JUDGE, "--judge", JUDGE, "--max-spend", "1", "--yes"]);
    assert!(String::from_utf8_lossy(&own.stderr).contains("its own answers"));
    assert_eq!(upstream.served().len(), 0);
}

#[test]
fn a_ledger_that_keeps_prompts_is_a_log_to_try_on_and_the_judge_is_that_of_its_shadow_runs() {
    let upstream = upstream();
    let shadow = format!(
        "[ledger]\nkeep-prompts = [\"everything\"]\n[shadow.everything]\nshare = \"0%\"\nmodel = \"gpt-4.1\"\njudge = \"{JUDGE}\"\nmax-spend-per-day = 1\n"
    );
    let setup = Setup::of(&upstream.url()).gateway(&shadow);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    assert_eq!(Speaks::Chat.ask("auto", false).send(front.address()).status(), 200);
    front.settle();
    let ledger = sandbox.path().join("data/ledger.db");
    let done = sandbox.run(&[
        "trial",
        ledger.to_str().unwrap(),
        "--model",
        "gpt-4.1",
        "--max-spend",
        "1",
        "--yes",
        "--format",
        "json",
    ]);
    let found = report(&done);
    assert_eq!((&found["judged"], &found["judge"]), (&json!(1), &json!(JUDGE)), "{found}");
}

#[test]
fn without_keys_it_can_be_tried_and_says_that_it_proves_nothing() {
    let sandbox = Sandbox::new(&Setup { providers: String::new(), ..Setup::of("") });
    std::fs::remove_file(sandbox.path().join("config/providers.toml")).unwrap();
    std::fs::write(sandbox.path().join("log.jsonl"), log(4)).unwrap();
    let done = trial(&sandbox, "log.jsonl", &["--max-spend", "1"]);
    let found = report(&done);
    assert_eq!((&found["simulated"], &found["judged"]), (&json!(true), &json!(4)), "{found}");
    assert!(String::from_utf8_lossy(&done.stderr).contains("SIMULATED"));
    let labels = std::fs::read_to_string(sandbox.path().join("trial-labels.jsonl")).unwrap();
    assert_eq!(labels.matches("(simulated)").count(), 8, "{labels}");
    let answers = std::fs::read_to_string(sandbox.path().join("trial-answers.jsonl")).unwrap();
    assert_eq!(answers.matches("\"simulated\":true").count(), 8, "real models have not said that: {answers}");
}

/// An operator who stops a trial has paid for what was asked: losing it, or asking it again, would cost him twice.
#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_was_paid_for_and_the_next_run_asks_only_for_the_rest() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

    let (process, calls) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicUsize::new(0)));
    let whom = Arc::clone(&process);
    // In the middle of a call, so that something is under way.
    let upstream = Upstream::with(move |call| {
        if calls.fetch_add(1, Ordering::SeqCst) == 20 {
            let id = whom.load(Ordering::SeqCst).to_string();
            assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        }
        match call.model.as_str() {
            JUDGE => says(r#"{"first": 7, "second": 7}"#),
            _ => Reply::text("an answer"),
        }
    });
    let sandbox = Sandbox::new(&Setup::of(&upstream.url()));
    std::fs::write(sandbox.path().join("log.jsonl"), log(40)).unwrap();
    let args = ["trial", "log.jsonl", "--model", "gpt-4.1-nano", "--judge", JUDGE, "--sample", "40"];
    let args = [&args[..], &["--max-spend", "5", "--yes", "--format", "json"]].concat();
    let child = sandbox.begin(&args);
    process.store(child.id(), Ordering::SeqCst);
    let first = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&first.stderr);
    assert_eq!(first.status.code(), Some(130), "{said}");
    let found: Value = serde_json::from_slice(&first.stdout).unwrap();
    let judged = found["judged"].as_u64().unwrap();
    assert!(found["end"] == "stopped" && judged < 40, "{found}");
    let second = report(&sandbox.run(&args));
    assert_eq!((&second["judged"], &second["end"]), (&json!(40), &json!("done")), "{second}");
    assert_eq!(second["judged_now"].as_u64(), Some(40 - judged), "{second}");
    // Forty questions of two models, and forty verdicts: each asked once.
    assert_eq!(upstream.served().len(), 120);
    let labels = std::fs::read_to_string(sandbox.path().join("trial-labels.jsonl")).unwrap();
    assert_eq!(labels.matches(&format!("judge {JUDGE}")).count(), 80, "{labels}");
}
