//! What a gateway does not see at first: what was spent before a limit was in force, answers that are deleted before their
//! end, that break off, or are worked on while it stops; and whatever else of a prompt is billed beside its text.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::budgets::{sandbox, standings, stands, usd};
use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::stage::{TROUBLE, chat, price};
use crate::upstream::{At, Dialect, Fault, Framing, Reply, Tokens, Upstream};

/// Works on every response in the background until it is let go on.
fn background(done: &'static AtomicBool) -> Upstream {
    Upstream::with(move |call| {
        let status = if done.load(Ordering::Relaxed) { "completed" } else { "in_progress" };
        let mut ticket = json!({"id": "resp_bg", "object": "response", "status": status, "model": "gpt-4.1",
            "output": [], "usage": null, "background": true});
        if call.dialect == Dialect::Responses {
            ticket["status"] = json!("queued");
        } else if call.path.ends_with("/cancel") {
            ticket["status"] = json!("cancelled");
        } else if status == "completed" {
            ticket["output"] = json!([{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "text": "Monday.", "annotations": []}]}]);
            ticket["usage"] = json!({"input_tokens": 100, "output_tokens": 10, "total_tokens": 110});
        }
        Reply::json(&ticket)
    })
}

/// Where one may spend ten dollars a day, and responses are kept.
fn keeping(upstream: &Upstream) -> (Setup, Sandbox) {
    let (setup, sandbox) = sandbox(upstream, "[budget.all]\nlimit = { day = 10 }\n");
    let providers = setup.providers.replace("name = \"up-chat\"\n", "name = \"up-chat\"\nresponses = true\n");
    fs::write(sandbox.path().join("config/providers.toml"), providers).unwrap();
    (setup, sandbox)
}

fn ask() -> Ask {
    let body =
        json!({"model": "gpt-4.1", "input": "What is due?", "background": true, "max_output_tokens": 5000});
    Ask::post("/v1/responses", &body)
}

/// What 5,000 tokens of output cost at least.
const MOST: i128 = 5_000 * 8_000_000;

#[test]
fn an_answer_that_its_client_reads_and_deletes_at_once_is_charged_whole() {
    static DONE: AtomicBool = AtomicBool::new(false);
    let upstream = background(&DONE);
    let (setup, sandbox) = keeping(&upstream);
    let front = sandbox.serve(&setup);
    assert_eq!(ask().send(front.address()).json()["status"], "queued");
    // The gateway looks seldom once it has looked a few times; the client looks at this moment.
    upstream.wait("it is looked for", |state| state.served.len() > 3);
    DONE.store(true, Ordering::Relaxed);
    let delete = Ask::get("/v1/responses/resp_bg").method("DELETE").send(front.address());
    assert_eq!(delete.status(), 200);
    let rows = front.settle();
    let whole = price("gpt-4.1", Tokens { input: 100, output: 10, ..Tokens::default() });
    assert_eq!((rows.len(), rows[0].kind.as_str(), rows[0].amount), (1, "known", Some(whole)), "{rows:#?}");
}

#[test]
fn an_answer_whose_end_nobody_saw_counts_as_the_longest_that_it_may_have_been() {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let upstream = Upstream::with(|call| {
        let error = json!({"error": {"message": "no such response", "type": "invalid_request_error"}});
        if call.path.starts_with("/v1/responses/") {
            return Reply { status: 404, ..Reply::json(&error) };
        }
        Reply::json(&json!({"id": "resp_bg", "object": "response", "status": "queued", "model": "gpt-4.1",
            "output": [], "usage": null, "background": true}))
    });
    let (setup, sandbox) = keeping(&upstream);
    let front = sandbox.serve(&setup);
    assert_eq!(ask().send(front.address()).status(), 200);
    let found = stands(&front, "it is over", |found| found["open_holds"] == 0);
    assert!(usd(&found["budgets"][0]["spent"]) >= MOST, "{found:#}");
    let rows = front.settle();
    assert_eq!(
        (rows[0].kind.as_str(), rows[0].operation_status.as_str()),
        ("estimated", "cancelled"),
        "{rows:#?}"
    );

    // So does one that is worked on while the gateway stops.
    let upstream = background(&NEVER);
    let (setup, sandbox) = keeping(&upstream);
    let front = sandbox.serve(&setup);
    assert_eq!(ask().send(front.address()).status(), 200);
    upstream.wait("it is looked for", |state| state.served.len() > 1);
    front.kill();
    let front = sandbox.serve(&setup);
    let found = standings(&front);
    assert!(usd(&found["budgets"][0]["spent"]) >= MOST, "{found:#}");
}

#[test]
fn a_limit_that_comes_into_force_late_knows_what_was_spent_before() {
    let upstream = Upstream::start();
    let of = |text: &str| format!("[budget.{text}\n");
    let (setup, sandbox) = sandbox(&upstream, &of("all]\nlimit = { day = 10 }\neach = \"team\""));
    let front = sandbox.serve(&setup);
    for team in ["search", "ads", "ads"] {
        let answer = chat("gpt-4.1", false).header("pointsman-team", team).send(front.address());
        assert_eq!(answer.status(), 200);
    }
    let both = stands(&front, "all are over", |found| {
        let all = found["budgets"].as_array().unwrap();
        all.len() == 2 && found["open_holds"] == 0
    });
    let of_team = |team: &str| {
        let all = both["budgets"].as_array().unwrap();
        usd(&all.iter().find(|one| one["member"] == team).unwrap()["spent"])
    };
    let (search, ads) = (of_team("search"), of_team("ads"));
    assert!(search > 0 && ads > search);
    let edit = |text: &str, sum: i128, what: &str| {
        fs::write(sandbox.path().join("config/budgets.toml"), of(text)).unwrap();
        stands(&front, what, |found| {
            let all = found["budgets"].as_array().unwrap();
            all.len() == 1 && usd(&all[0]["spent"]) == sum
        });
    };
    edit("all]\nlimit = { day = 10 }", search + ads, "all together");
    edit("other]\nlimit = { day = 10 }", search + ads, "under another name");
    edit("other]\nlimit = { month = 10 }", search + ads, "in another window");
    edit("other]\nlimit = { month = 10 }\nteam = [\"ads\"]", ads, "of one team");
    let more = chat("gpt-4.1", false).header("pointsman-team", "ads").send(front.address());
    assert_eq!(more.status(), 200);
    let grown = stands(&front, "it grew", |found| usd(&found["budgets"][0]["spent"]) > ads);
    let more = usd(&grown["budgets"][0]["spent"]) - ads;
    edit(
        "all]\nlimit = { day = 10 }",
        search + ads + more,
        "what was in force once is counted all the while",
    );
    front.stop();
    let front = sandbox.serve(&setup);
    let after = usd(&standings(&front)["budgets"][0]["spent"]);
    assert_eq!(after, search + ads + more, "after a restart it stands where it stood");
}

/// What nobody can price counts as what was held for it; a deployment would give the difference away.
#[test]
fn what_a_model_without_a_price_spent_is_held_after_a_restart_too() {
    let upstream = Upstream::start();
    let long = "y".repeat(60_000);
    for more in [
        json!({}),
        json!({"n": 3}),
        json!({"web_search_options": {}}),
        json!({"prediction": {"type": "content", "content": long}}),
        json!({"documents": [long]}),
    ] {
        let (setup, sandbox) =
            sandbox(&upstream, "[budget.all]\nlimit = { day = 100 }\nunpriced = \"hold\"\n");
        let front = sandbox.serve(&setup);
        let mut body = json!({"model": "gpt-nobody-knows", "max_tokens": 50, "messages": [{"role": "user", "content": "x"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = Ask::post("/v1/chat/completions", &body).send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let found = stands(&front, "it is over", |found| found["open_holds"] == 0);
        let before = usd(&found["budgets"][0]["spent"]);
        front.stop();
        let front = sandbox.serve(&setup);
        let after = usd(&standings(&front)["budgets"][0]["spent"]);
        assert!(
            before > 0 && after == before,
            "{after} after {before}: {}",
            more.to_string().split_at(20.min(more.to_string().len())).0
        );
    }
}

/// An editor that empties a file before it writes it, or a limit that is taken out for an hour, gives nothing away.
#[test]
fn what_is_spent_while_no_limit_is_in_force_counts_once_there_is_one_again() {
    let upstream = Upstream::start();
    let limits = "[budget.all]\nlimit = { day = 10 }\n";
    let (setup, sandbox) = sandbox(&upstream, limits);
    let front = sandbox.serve(&setup);
    let spent = |front: &crate::front::Front<'_>| {
        usd(&stands(front, "all are over", |found| found["open_holds"] == 0)["budgets"][0]["spent"])
    };
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    let one = spent(&front);
    let file = sandbox.path().join("config/budgets.toml");
    fs::write(&file, "").unwrap();
    stands(&front, "none is in force", |found| found["budgets"].as_array().unwrap().is_empty());
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    fs::write(&file, limits).unwrap();
    stands(&front, "it is back", |found| !found["budgets"].as_array().unwrap().is_empty());
    assert!(one > 0 && spent(&front) > one, "the second is counted");
}

#[test]
fn whatever_is_billed_beside_the_text_is_held_for() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "[budget.all]\nlimit = { day = \"0.05\" }\n");
    let front = sandbox.serve(&setup);
    let ask = |more: Value| {
        let mut body = json!({"model": "gpt-4.1", "max_completion_tokens": 10, "messages": [{"role": "user", "content": "x"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Ask::post("/v1/chat/completions", &body).send(front.address())
    };
    let long = "word ".repeat(24_000);
    let schema = json!({"type": "object", "description": long, "properties": {}});
    for (what, more) in [
        ("an answer that is foretold", json!({"prediction": {"type": "content", "content": long}})),
        (
            "the schema of the answer",
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}),
        ),
        ("what a search finds", json!({"web_search_options": {}})),
        ("what a server's tools give", json!({"tools": [{"type": "mcp", "server_label": "d"}]})),
    ] {
        let answer = ask(more);
        assert_eq!(answer.status(), 429, "{what}: {}", answer.text());
    }
    let body = r#"{"model":"gpt-4.1","max_tokens":10,"messages":[{"role":"user","content":"x"}],"service_t\u0069er":"priority"}"#;
    let answer = Ask::bytes("/v1/chat/completions", body.as_bytes()).send(front.address());
    assert_eq!(answer.status(), 400, "a name that others would read otherwise: {}", answer.text());
    assert_eq!(ask(json!({"tools": [{"type": "function", "function": {"name": "f"}}]})).status(), 200);
    assert_eq!(upstream.served().len(), 1);
}

#[test]
fn an_answer_that_breaks_off_is_charged_for_what_came() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "");
    let front = sandbox.serve(&setup);
    upstream.push(Reply::default().framed(Framing::TooLong));
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 502);
    let told = upstream.served()[0].tokens;
    let rows = front.settle();
    assert_eq!(rows[0].kind, "estimated", "{rows:#?}");
    assert_eq!(rows[0].amount, Some(price("gpt-4.1", told)), "its account had come: {rows:#?}");
}

/// The provider works on, and bills a whole answer: a hard limit would be passed by as much as one likes.
#[test]
fn an_answer_of_which_nothing_was_seen_counts_as_what_was_held() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "[budget.all]\nlimit = { day = 10 }\nmode = \"hard\"\n");
    let front = sandbox.serve(&setup);
    let foretold = json!({"prediction": {"type": "content", "content": "word ".repeat(9_000)}});
    for (stream, more) in [(false, json!({})), (true, json!({})), (false, json!({"n": 8})), (false, foretold)]
    {
        upstream.push(Reply::fault(At::AfterHeaders, Fault::Close));
        let mut ask = json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": "Prove it."}],
            "max_tokens": 5000, "stream": stream});
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = Ask::post("/v1/chat/completions", &ask).send(front.address());
        assert_eq!(answer.status(), 502, "{}", answer.text());
    }
    let found = stands(&front, "they are over", |found| found["open_holds"] == 0);
    let held = usd(&found["budgets"][0]["spent"]);
    assert!(held >= 11 * MOST, "{found:#}");
    assert_eq!(found["budgets"][0]["calls"], 4);
    let file = sandbox.path().join("config/budgets.toml");
    fs::write(&file, "[budget.other]\nlimit = { day = 10 }\nmode = \"hard\"\n").unwrap();
    let is_other = |found: &Value| found["budgets"].to_string().contains("other");
    stands(&front, "under another name", |found| {
        is_other(found) && usd(&found["budgets"][0]["spent"]) == held
    });
    let rows = front.settle();
    assert!(rows.iter().all(|row| row.kind == "unknown"), "{rows:#?}");
    let ledger = sandbox.must(&["ledger", "path"]);
    let shown = sandbox.must(&["budgets", "show", ledger.trim(), "--format", "json"]);
    assert!(shown.contains(&pointsman::units::Pico(held).usd()), "of its ledger: {shown}");
    let front = sandbox.serve(&setup);
    let found = standings(&front);
    assert_eq!(usd(&found["budgets"][0]["spent"]), held, "after a restart: {found:#}");
}

/// A proxy that is down for a minute would use up everybody's day.
#[test]
fn what_is_told_as_an_error_is_no_answer_whose_end_nobody_saw() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "[budget.all]\nlimit = { day = 10 }\nmode = \"hard\"\n");
    let front = sandbox.serve(&setup);
    let bodies = [
        r#"{"error":"overloaded"}"#,
        r#"{"detail":"no GPU"}"#,
        r#"{"object":"error","message":"m"}"#,
        r#"{"type":"error","error":{"type":"api_error","message":"m"}}"#,
        "<!doctype html><p>log in</p>",
    ];
    let event = |body: &&str| format!("data: {body}\n\n");
    let all = bodies.iter().map(|body| (*body).to_owned()).chain(bodies[..4].iter().map(event));
    for body in all {
        for stream in [false, true] {
            upstream.push(Reply { body: Some(body.as_bytes().to_vec()), ..Reply::default() });
            let ask = json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": "Prove it."}],
                "max_tokens": 5000, "stream": stream});
            let answer = Ask::post("/v1/chat/completions", &ask).send(front.address());
            assert!(TROUBLE.contains(&answer.status()), "{body}: {}", answer.text());
        }
    }
    let found = stands(&front, "they are over", |found| found["open_holds"] == 0);
    assert_eq!(found["budgets"][0]["spent"], "0", "{found:#}");
    let rows = front.settle();
    assert!(rows.iter().all(|row| row.amount == Some(0)), "{rows:#?}");
}

#[test]
fn what_was_refused_is_no_call_of_a_budget_after_a_restart_either() {
    let upstream = Upstream::start();
    let (setup, sandbox) = sandbox(&upstream, "[budget.all]\nlimit = { day = 0.01 }\nmode = \"hard\"\n");
    let front = sandbox.serve(&setup);
    for (most, status) in [(20, 200), (100_000, 429), (100_000, 429)] {
        let ask =
            json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": "x"}], "max_tokens": most});
        assert_eq!(Ask::post("/v1/chat/completions", &ask).send(front.address()).status(), status);
    }
    let live = stands(&front, "the call is over", |found| found["open_holds"] == 0);
    assert_eq!(live["budgets"][0]["calls"], 1);
    front.settle();
    let front = sandbox.serve(&setup);
    assert_eq!(standings(&front)["budgets"][0]["calls"], 1);
}
