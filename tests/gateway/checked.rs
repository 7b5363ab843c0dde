//! Answers that their route has checked: what fails goes up the ladder unseen or is only written down, what cannot be judged
//! is neither, and all of it can be read afterwards.

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::front::{Front, Sandbox, Setup};
use crate::replayed::pico;
use crate::stage::{Speaks, metrics, nothing_held};
use crate::upstream::{At, Fault, Reply, Upstream};

/// A ladder of two dialects.
fn policy(checks: &str) -> String {
    format!(
        "name = \"checked\"\nbaseline = \"claude-opus-4-6\"\n[[route]]\nname = \"everything\"\nno_signal = \"small\"\n{checks}\n\
         ladder = [{{ rung = \"small\", model = \"gpt-4.1-nano\", threshold = 0 }}, {{ rung = \"large\", model = \"claude-opus-4-6\" }}]\n"
    )
}

fn serve(upstream: &Upstream, checks: &str) -> (Setup, Sandbox) {
    let mut setup = Setup::of(&upstream.url());
    setup.policy = policy(checks);
    let sandbox = Sandbox::new(&setup);
    (setup, sandbox)
}

/// Returns the calls of all requests of the ledger's export, whose proof and replay hold.
fn calls(sandbox: &Sandbox, front: Front<'_>, upstream: &Upstream) -> Vec<Value> {
    upstream.wait_idle();
    nothing_held(&front);
    let rows = front.settle();
    sandbox.check();
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    sandbox.must(&["ledger", "check", "live.jsonl"]);
    let spent: i128 = rows.iter().filter_map(|row| row.amount).sum();
    for reading in ["recorded", "routed"] {
        let report = sandbox.must(&["replay", "live.jsonl", "--as", reading, "--format", "json", "--strict"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["attempts"], rows.len(), "{reading}");
        let sum = pico(&report["cost_known_usd"]) + pico(&report["cost_estimated_usd"]);
        assert_eq!(sum, spent, "{reading}");
    }
    let log = std::fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .filter(|line| line["event"].is_null() && line["pointsman"].is_null())
        .flat_map(|line| match line["attempts"].as_array() {
            Some(all) => all.clone(),
            None => vec![line],
        })
        .collect()
}

/// Returns what the checks of a call said, in short.
fn said(call: &Value) -> Vec<(&str, &str)> {
    let verdicts = call["verdicts"].as_array().map(Vec::as_slice).unwrap_or_default();
    verdicts.iter().map(|one| (one["by"].as_str().unwrap(), one["says"].as_str().unwrap())).collect()
}

const SCHEMA: &str =
    r#"checks = [{ kind = "finish" }, { kind = "schema", schema = '{"type":"object","required":["day"]}' }]"#;

fn in_json(speaks: Speaks, stream: bool) -> Ask {
    // No form is asked for: it is the route that wants one.
    speaks.ask("auto", stream)
}

fn escalated(answer: &Answer) -> bool {
    answer.header("pointsman-attempts") == Some("2")
        || answer.text().contains(": pointsman-model claude-opus-4-6")
}

#[test]
fn what_fails_its_check_goes_up_the_ladder_before_anybody_sees_it() {
    let upstream = Upstream::start();
    let (setup, sandbox) = serve(&upstream, SCHEMA);
    let front = sandbox.serve(&setup);
    for speaks in Speaks::ALL {
        for stream in [false, true] {
            upstream.push(Reply::text(r#"{"month":"March"}"#));
            upstream.push(Reply::text(r#"{"day":"Monday"}"#));
            let answer = in_json(speaks, stream).send(front.address());
            assert_eq!(answer.said(), r#"{"day":"Monday"}"#, "{speaks:?} {stream}");
            assert!(!answer.text().contains("March"), "{}", answer.text());
            assert!(escalated(&answer), "{:?}", answer.head);
            if !stream {
                let reason = answer.header("pointsman-reason");
                assert_eq!(reason, Some("escalated: check failed (schema)"), "{speaks:?}");
            }
            upstream.push(Reply::text(r#"{"day":"Friday"}"#));
            let answer = in_json(speaks, stream).send(front.address());
            assert_eq!(answer.said(), r#"{"day":"Friday"}"#, "{speaks:?} {stream}");
        }
    }
    let failed = metrics(&front, "pointsman_checks_total{check=\"schema\",says=\"failed\"}");
    assert_eq!(failed[0].1, "4");
    let calls = calls(&sandbox, front, &upstream);
    assert_eq!(calls.len(), 12);
    for three in calls.chunks(3) {
        assert_eq!(said(&three[0]), [("finish", "passed"), ("schema", "failed")]);
        assert_eq!(three[0]["verdicts"][1]["why"], "it lacks \"day\"");
        assert_eq!(three[0]["check"], "failed");
        for fit in &three[1..] {
            assert_eq!(said(fit), [("finish", "passed"), ("schema", "passed")]);
            assert_eq!(fit["check"], "passed");
        }
    }
    let id = std::fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap();
    let id = id.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let why = sandbox.must(&["why", "live.jsonl", &id]);
    assert!(why.contains("schema failed: it lacks \"day\""), "{why}");
}

#[test]
fn a_verdict_that_is_only_evidence_never_makes_a_second_call() {
    let upstream = Upstream::start();
    let after = format!("check = \"after\"\n{SCHEMA}");
    let record = SCHEMA.replace("kind = \"schema\"", "kind = \"schema\", on_fail = \"record\"");
    for checks in [after, record] {
        let (setup, sandbox) = serve(&upstream, &checks);
        let front = sandbox.serve(&setup);
        for stream in [false, true] {
            upstream.push(Reply::text("On Monday."));
            let answer = in_json(Speaks::Chat, stream).send(front.address());
            assert_eq!(answer.said(), "On Monday.", "{checks}");
            assert!(!escalated(&answer));
        }
        upstream.wait_idle();
        nothing_held(&front);
        front.settle();
        sandbox.must(&["ledger", "export", "-o", "live.jsonl"]);
        let log = std::fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap();
        let verdict = r#"{"by":"schema","says":"failed","why":"it is no JSON"}"#;
        assert_eq!(log.matches(verdict).count(), 2, "{log}");
        assert!(!log.contains(r#""check":"failed""#), "{log}");
    }
}

#[test]
fn a_stream_that_goes_wrong_unseen_is_not_waited_for() {
    let upstream = Upstream::start();
    let (setup, sandbox) = serve(&upstream, SCHEMA);
    let front = sandbox.serve(&setup);
    for speaks in Speaks::ALL {
        // It would hang for good behind its first words.
        let pieces = vec!["On Monday, ".to_owned(), "I think.".to_owned()];
        upstream.push(Reply { pieces, fault: Some((At::Frame(2), Fault::Stall)), ..Reply::default() });
        upstream.push(Reply::text(r#"{"day":"Monday"}"#));
        let answer = in_json(speaks, true).send(front.address());
        assert_eq!(answer.said(), r#"{"day":"Monday"}"#, "{speaks:?}");
    }
    let calls = calls(&sandbox, front, &upstream);
    assert_eq!(calls.len(), 4);
    for two in calls.chunks(2) {
        assert_eq!(said(&two[0]), [("answer", "failed")]);
        // What it had written by then is charged.
        assert_eq!(two[0]["charged_as"], "estimated", "{}", two[0]);
    }
}

#[cfg(unix)]
fn command(script: &str, more: &str) -> String {
    format!(
        "checks = [{{ kind = \"command\", name = \"lint\", command = [\"sh\", \"-c\", '''{script}''']{more} }}]"
    )
}

#[cfg(unix)]
#[test]
fn a_program_judges_and_one_that_is_broken_abstains() {
    let upstream = Upstream::start();
    let limit = ", time_limit = \"400ms\"";
    for (script, more, says, goes_up) in [
        ("grep -q Monday", "", "failed", true),
        ("grep -q day", "", "passed", false),
        (
            "if grep -q Monday; then echo '{\"score\":0.9}'; else echo '{\"score\":0.4}'; fi",
            ", least = 500",
            "failed",
            true,
        ),
        ("cat >/dev/null; echo '{\"score\":0.6}'", ", least = 500", "passed", false),
        // What it is told, and what it is not.
        (
            "test \"$POINTSMAN_ROUTE $POINTSMAN_FINISH\" = \"everything stop\" && test -z \"$POINTSMAN_DATA_DIR\"",
            "",
            "passed",
            false,
        ),
        // It ends, and leaves a child behind.
        ("sleep 600 & echo $! > pids; grep -q day", ", time_limit = \"60s\"", "passed", false),
        // It hangs, with a child; it crashes; it talks; it is not there; it never ends its talk.
        ("sleep 600 & echo $$ $! > pids; wait", limit, "abstained", false),
        ("kill -9 $$", "", "abstained", false),
        ("exit 2", "", "abstained", false),
        ("echo looks good to me", "", "abstained", false),
        ("printf '\\\\000\\\\377'", "", "abstained", false),
        ("yes", limit, "abstained", false),
    ] {
        let (setup, sandbox) = serve(&upstream, &command(script, more));
        let front = sandbox.serve(&setup);
        for stream in [false, true] {
            upstream.push(Reply::text("A day."));
            if goes_up {
                upstream.push(Reply::text("On Monday."));
            }
            let answer = in_json(Speaks::Chat, stream).send(front.address());
            assert_eq!(answer.said(), if goes_up { "On Monday." } else { "A day." }, "{script}");
        }
        let counted = format!("pointsman_checks_total{{check=\"lint\",says=\"{says}\"}}");
        assert_eq!(metrics(&front, &counted)[0].1, "2", "{script}");
        if let Ok(pids) = std::fs::read_to_string(sandbox.path().join("pids")) {
            // The signal has been sent; the system may take its time.
            let runs = |pid: &str| {
                let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                !state.is_empty() && !state.contains(") Z ")
            };
            let end = std::time::Instant::now() + crate::upstream::PATIENCE;
            while let Some(pid) = pids.split_whitespace().find(|pid| runs(pid)) {
                assert!(std::time::Instant::now() < end, "{pid} still runs");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
        upstream.wait_idle();
        nothing_held(&front);
        front.settle();
        sandbox.must(&["ledger", "export", "-o", "live.jsonl"]);
        let log = std::fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap();
        let expected = if goes_up { 2 } else { 0 };
        assert_eq!(log.matches(r#""check":"failed""#).count(), expected, "{script}: {log}");
    }
}

#[cfg(unix)]
#[test]
fn nobody_waits_for_a_verdict_from_which_nothing_follows() {
    let upstream = Upstream::start();
    // It says its word once the client has its answer.
    let script = "while ! test -e answered; do sleep 0.02; done; exit 1";
    let checks = format!("check = \"after\"\n{}", command(script, ", time_limit = \"60s\""));
    let (setup, sandbox) = serve(&upstream, &checks);
    let front = sandbox.serve(&setup);
    let streamed = in_json(Speaks::Messages, true).send(front.address());
    assert!(streamed.sound && streamed.text().contains("message_stop"), "{}", streamed.text());
    upstream.push(Reply::text("A day."));
    let answer = in_json(Speaks::Chat, false).send(front.address());
    assert_eq!(answer.said(), "A day.");
    let told = answer.header("pointsman-cost-usd").unwrap().to_owned();
    std::fs::write(sandbox.path().join("answered"), "").unwrap();
    let calls = calls(&sandbox, front, &upstream);
    assert_eq!(calls.iter().map(said).collect::<Vec<_>>(), [[("lint", "failed")]; 2]);
    let is_told = |call: &Value| pico(&Value::from(told.as_str())) == pico(&call["charged"]);
    assert!(calls.iter().any(is_told), "what the answer said it cost is charged: {told} {calls:?}");
}

#[cfg(unix)]
#[test]
fn however_many_answers_come_at_once_only_so_many_programs_run() {
    let upstream = Upstream::start();
    let script = "mkdir -p now && : > now/$$ && ls now | wc -l >> most; sleep 0.05; rm now/$$";
    let (setup, sandbox) = serve(&upstream, &command(script, ", time_limit = \"60s\""));
    let front = sandbox.serve(&setup);
    let to = front.address();
    let asks: Vec<_> = (0..64)
        .map(|at| std::thread::spawn(move || in_json(Speaks::ALL[at % 2], at % 4 < 2).send(to).status()))
        .collect();
    assert!(asks.into_iter().all(|ask| ask.join().unwrap() == 200));
    let most = std::fs::read_to_string(sandbox.path().join("most")).unwrap();
    let most = most.lines().map(|line| line.trim().parse::<u32>().unwrap());
    let (count, most) = most.fold((0, 0), |(count, most), now| (count + 1, most.max(now)));
    assert!(count == 64 && most <= 16, "{count} ran, {most} at once");
    assert_eq!(metrics(&front, "pointsman_checks_total{check=\"lint\",says=\"passed\"}")[0].1, "64");
    nothing_held(&front);
    front.settle();
}

#[test]
fn nobody_brings_a_program_in_over_the_network() {
    let upstream = Upstream::start();
    let checks = "checks = [{ kind = \"command\", command = [\"lint\", \"-q\"] }]";
    let (setup, sandbox) = serve(&upstream, checks);
    let front = sandbox.serve(&setup);
    let mut event = Ask::get("/operator/v1/policy").send(front.address()).json();
    event["version"] = json!(event["version"].as_u64().unwrap() + 1);
    let mut evil = event.clone();
    evil["routes"][0]["checks"][0]["command"] = json!(["sh", "-c", "true"]);
    let answer = Ask::post("/operator/v1/policy", &evil).send(front.address());
    assert_eq!(answer.status(), 400, "{}", answer.text());
    assert!(answer.text().contains("never over the network"), "{}", answer.text());
    // The one that is in force may stay.
    event["routes"][0]["ladder"][0]["threshold"] = json!(7);
    let answer = Ask::post("/operator/v1/policy", &event).send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    front.settle();
}

/// Whoever asks for no alternatives would else be sent five, and a check would not see how near other words came.
#[test]
fn how_near_other_words_came_is_read_of_every_dialect_and_sent_to_nobody_unasked() {
    let upstream = Upstream::start();
    let check = "checks = [{ kind = \"logprobs\", least = 400, on_fail = \"record\" }]";
    for model in ["gpt-4.1-nano", "gemini-2.0-flash"] {
        let mut setup = Setup::of(&upstream.url());
        setup.policy = policy(check).replace("gpt-4.1-nano", model);
        let sandbox = Sandbox::new(&setup);
        let front = sandbox.serve(&setup);
        let turns = json!([{"role": "user", "content": "Which day is it?"}]);
        let contents = json!([{"role": "user", "parts": [{"text": "Which day is it?"}]}]);
        let mut asked = Vec::new();
        for stream in [false, true] {
            asked.push(Ask::post(
                "/v1/chat/completions",
                &json!({"model": "auto", "messages": turns, "stream": stream}),
            ));
            asked.push(Ask::post(
                "/v1/messages",
                &json!({"model": "auto", "max_tokens": 99, "messages": turns, "stream": stream}),
            ));
            asked.push(Ask::post(
                "/v1/responses",
                &json!({"model": "auto", "input": "Which day is it?", "stream": stream}),
            ));
            let path = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
            asked.push(Ask::post(&format!("/v1beta/models/auto:{path}"), &json!({"contents": contents})));
        }
        for ask in &asked {
            upstream.push(Reply { pieces: vec!["Mon".to_owned(), "day".to_owned()], ..Reply::default() });
            let answer = ask.send(front.address());
            let text = answer.text();
            assert_eq!(answer.status(), 200, "{text}");
            assert!(text.contains("Mon"), "{text}");
            for unasked in ["\"logprob\":", "logProbability", "\"top_logprobs\":5", "logprobsResult\":{"] {
                assert!(!text.contains(unasked), "{model}: {unasked} in {text}");
            }
        }
        let calls = calls(&sandbox, front, &upstream);
        assert_eq!(calls.len(), asked.len());
        for call in &calls {
            let verdict = &call["verdicts"][0];
            // Each is a half, the next a quarter; what lies in the likeliest five: -sum of p ln p over 31 parts of 32.
            assert_eq!(verdict["score"], 500, "{call}");
            assert_eq!(verdict["words"], json!([693, 693, 0, 250, 1_243]), "{call}");
        }
    }
}

/// A check that only observes would send every request up the ladder.
#[test]
fn a_model_that_refuses_to_say_how_likely_its_words_were_answers_all_the_same() {
    let upstream = Upstream::with(|call| {
        if call.body["logprobs"] == true {
            let error = json!({"error": {"message": "Logprobs is not enabled for this model.", "type": "invalid_request_error"}});
            return Reply { status: 400, ..Reply::json(&error) };
        }
        Reply::default()
    });
    let (setup, sandbox) =
        serve(&upstream, "checks = [{ kind = \"logprobs\", least = 400, on_fail = \"record\" }]");
    let front = sandbox.serve(&setup);
    for stream in [false, true] {
        let body = json!({"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "Which day is it?"}]});
        let answer = Ask::post("/v1/chat/completions", &body).send(front.address());
        assert_eq!(
            (answer.status(), answer.header("pointsman-model")),
            (200, Some("gpt-4.1-nano")),
            "{}",
            answer.text()
        );
    }
    let own = json!({"model": "auto", "logprobs": true, "messages": [{"role": "user", "content": "Which day is it?"}]});
    let answer = Ask::post("/v1/chat/completions", &own).send(front.address());
    assert_eq!(
        answer.header("pointsman-model"),
        Some("claude-opus-4-6"),
        "what the client asks for is not taken away"
    );
    let calls = calls(&sandbox, front, &upstream);
    assert_eq!(calls.len(), 6, "{calls:#?}");
}

/// What a rung fails by is learnt from: a call that nobody can make is no stream that merely broke.
#[test]
fn a_streamed_call_that_is_no_json_fails_its_check_whoever_could_have_been_asked() {
    let upstream =
        Upstream::with(|_| Reply { tool_arguments: Some("{\"a\":".to_owned()), ..Reply::default() });
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    for model in ["gpt-4.1-nano", "auto"] {
        let body = json!({"model": model, "stream": true, "tools": tools, "messages": [{"role": "user", "content": "Go on."}]});
        let answer = Ask::post("/v1/chat/completions", &body).send(front.address());
        assert!(answer.text().contains("\"error\""), "{}", answer.text());
    }
    let rows = front.settle();
    let models: Vec<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(models, ["gpt-4.1-nano"; 2], "the client had it: nobody else is asked");
    sandbox.must(&["ledger", "export", "-o", "live.jsonl"]);
    let log = std::fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap();
    assert_eq!(log.matches(r#""check":"failed""#).count(), 2, "{log}");
    sandbox.must(&["replay", "live.jsonl", "--strict"]);
}
