//! Whose money a call is, and how much of it at most, where the client's request alone does not say: what rungs write into it, what
//! is billed as another model, what nobody bills as it was made up, and what soft limits do once they are spent.

use std::fs;

use serde_json::{Value, json};

use crate::budgets::{stands, usd};
use crate::client::{Answer, Ask};
use crate::front::{Front, Sandbox, Setup};
use crate::replayed::pico;
use crate::rungs::{follow, read, save};
use crate::stage::{metrics, price};
use crate::upstream::{At, Fault, Framing, Reply, Tokens, Upstream};

fn sandbox(setup: &Setup, budgets: &str) -> Sandbox {
    let sandbox = Sandbox::new(setup);
    fs::write(sandbox.path().join("config/budgets.toml"), budgets).unwrap();
    sandbox
}

fn ladder(rungs: &str) -> String {
    format!(
        "name = \"p\"\nbaseline = \"gpt-4.1\"\n[[route]]\nname = \"all\"\nmode = \"active\"\nladder = [{rungs}]\n"
    )
}

fn ask(front: &Front<'_>, model: &str, more: &Value) -> Answer {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "x"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Ask::post("/v1/chat/completions", &body).header("pointsman-confidence", "0").send(front.address())
}

fn spent(front: &Front<'_>) -> i128 {
    usd(&stands(front, "all are over", |found| found["open_holds"] == 0)["budgets"][0]["spent"])
}

fn with_tokens(input: u64, output: u64) -> Reply {
    Reply { tokens: Some(Tokens { input, output, ..Tokens::default() }), ..Reply::text("Monday.") }
}

#[test]
fn what_a_rung_writes_into_a_request_is_held_for() {
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url());
    for (with, asked, fits) in [
        // 1,000 tokens are $0.008, and in a hurry $0.014.
        ("", json!({"max_tokens": 1000}), true),
        ("service_tier = \"priority\"", json!({"max_tokens": 1000}), false),
        ("service_tier = \"flex\"", json!({"max_tokens": 1000, "service_tier": "priority"}), true),
        ("", json!({"max_tokens": 1000, "service_tier": "priority"}), false),
        ("", json!({"max_tokens": 1000, "service_tier": "auto"}), false),
        ("", json!({"max_tokens": 1000, "service_tier": "default"}), true),
        ("max_output = 1000", json!({"max_tokens": 30_000}), true),
        ("max_output = 1000", json!({"max_tokens": 30_000, "n": 2}), false),
    ] {
        setup.policy = ladder(&format!("{{ rung = \"large\", model = \"gpt-4.1\", with = {{ {with} }} }}"));
        let sandbox = sandbox(&setup, "[budget.all]\nlimit = { day = \"0.012\" }\n");
        let front = sandbox.serve(&setup);
        let answer = ask(&front, "auto", &asked);
        assert_eq!(answer.status(), if fits { 200 } else { 429 }, "{with} {asked}: {}", answer.text());
    }
}

/// Whoever is over a limit that refuses nothing spends the least that can be spent.
#[test]
fn a_soft_limit_that_is_spent_sends_requests_to_the_cheapest_rung() {
    let upstream = Upstream::with(|_| with_tokens(100, 500));
    let mut setup = Setup::of(&upstream.url());
    setup.policy = ladder(
        "{ rung = \"small\", model = \"gpt-4.1-nano\", threshold = 500 }, { rung = \"mid\", model = \"gpt-4.1-mini\", threshold = 100 }, \
         { rung = \"large\", model = \"gpt-4.1\" }",
    );
    let sandbox = sandbox(&setup, "[budget.all]\nlimit = { day = \"0.006\" }\nmode = \"soft\"\n");
    let front = sandbox.serve(&setup);
    let models: Vec<String> = (0..8)
        .map(|_| {
            let answer = ask(&front, "auto", &json!({"max_tokens": 600}));
            assert_eq!(answer.status(), 200, "a soft limit refuses nothing: {}", answer.text());
            answer.header("pointsman-model").unwrap().to_owned()
        })
        .collect();
    assert_eq!(models[0], "gpt-4.1", "{models:?}");
    let down = models.iter().position(|model| model != "gpt-4.1").unwrap();
    assert!(models[down..].iter().all(|model| model != "gpt-4.1"), "back to the dearest one: {models:?}");
    assert_eq!(models.last().unwrap(), "gpt-4.1-nano", "{models:?}");
}

#[test]
fn a_budget_of_a_model_pays_what_is_billed_as_that_model_also_after_a_restart_and_in_a_replay() {
    let upstream = Upstream::with(|_| {
        Reply::json(&json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4.1",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}))
    });
    let setup = Setup::of(&upstream.url());
    let budgets = "[budget.a_billed]\nlimit = { day = 10 }\nmodel = [\"gpt-4.1\"]\n[budget.b_called]\nlimit = { day = 10 }\nmodel = [\"gpt-4.1-mini\"]\n";
    let sandbox = sandbox(&setup, budgets);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    assert_eq!(ask(&front, "gpt-4.1-mini", &json!({"max_tokens": 1000})).status(), 200);
    let one = price("gpt-4.1", Tokens { input: 1000, output: 100, ..Tokens::default() });
    let paid = |front: &Front<'_>| -> Vec<i128> {
        let found = stands(front, "it is over", |found| found["open_holds"] == 0);
        found["budgets"].as_array().unwrap().iter().map(|row| usd(&row["spent"])).collect()
    };
    assert_eq!(paid(&front), [one, 0]);
    let beyond = &stands(&front, "it is over", |found| found["open_holds"] == 0)["budgets"][0]["beyond"];
    assert_eq!(beyond, 1, "it is seen that less was held than that model costs");
    save(&sandbox, &read(&mut feed, 1));
    front.stop();
    let front = sandbox.serve(&setup);
    assert_eq!(paid(&front), [one, 0], "after a restart");
    let args = [
        "budgets",
        "show",
        "live.jsonl",
        "--budgets",
        "config/budgets.toml",
        "--as",
        "recorded",
        "--format",
        "json",
    ];
    let report: Value = serde_json::from_str(&sandbox.must(&args)).unwrap();
    let rows: Vec<i128> =
        report["budgets"].as_array().unwrap().iter().map(|row| usd(&row["spent"])).collect();
    assert_eq!(rows, [one, 0], "{report:#}");
}

/// A key that is missing for an hour would fill teams' budgets, and the finance department's books, with money that nobody spent.
#[test]
fn what_is_made_up_for_want_of_a_key_is_nobodys_money() {
    let upstream = Upstream::with(|_| with_tokens(1000, 100));
    let mut setup = Setup::of(&upstream.url());
    setup.providers = setup.providers.replace(
        "name = \"up-messages\"\n",
        "name = \"up-messages\"\nkey = { env = \"POINTSMAN_NOBODY_HAS_THIS\" }\n",
    );
    setup.providers.push_str("[simulated]\nspeed = 0\n");
    let budgets = "[budget.all]\nlimit = { day = \"0.05\" }\n";
    let sandbox = sandbox(&setup, budgets);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    // Its hold alone would be more than there is.
    for _ in 0..3 {
        let answer = ask(&front, "claude-opus-4-6", &json!({"max_tokens": 20_000}));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.header("pointsman-cost-kind"), Some("simulated"));
    }
    assert_eq!(spent(&front), 0, "nobody spent anything");
    assert_eq!(
        ask(&front, "gpt-4.1", &json!({"max_tokens": 1000})).header("pointsman-cost-kind"),
        Some("known")
    );
    let one = price("gpt-4.1", Tokens { input: 1000, output: 100, ..Tokens::default() });
    assert_eq!(spent(&front), one);
    let by_kind = |kind: &str| -> i128 {
        let lines = metrics(&front, "pointsman_team_cost_usd_total{");
        let of_kind = lines.iter().filter(|(name, _)| name.contains(&format!("kind=\"{kind}\"")));
        of_kind.map(|(_, value)| pico(&Value::from(value.as_str()))).sum()
    };
    assert_eq!(by_kind("known") + by_kind("estimated"), one);
    assert!(by_kind("simulated") > 0, "it is told apart");
    let lines = read(&mut feed, 4);
    save(&sandbox, &lines);
    front.stop();
    let front = sandbox.serve(&setup);
    assert_eq!(spent(&front), one, "after a restart");
    front.stop();

    let args = [
        "budgets",
        "show",
        "live.jsonl",
        "--budgets",
        "config/budgets.toml",
        "--as",
        "recorded",
        "--format",
        "json",
    ];
    let report: Value = serde_json::from_str(&sandbox.must(&args)).unwrap();
    assert_eq!(usd(&report["budgets"][0]["spent"]), one, "in a replay: {report:#}");
    for log in ["live.jsonl", "data/ledger.db"] {
        for format in ["table", "md", "html"] {
            let text = sandbox.must(&["report", log, "--by", "model", "--format", format]);
            assert!(text.contains("of which simulated: 3 requests"), "{log} {format}: {text}");
        }
        let json: Value =
            serde_json::from_str(&sandbox.must(&["report", log, "--by", "model", "--format", "json"]))
                .unwrap();
        assert_eq!(json["total"]["simulated_requests"], 3, "{json:#}");
        assert!(usd(&json["total"]["simulated_usd"]) > 0, "{json:#}");
        let csv = sandbox.must(&["report", log, "--by", "model", "--format", "csv"]);
        assert!(csv.lines().next().unwrap().ends_with(",simulated_requests,simulated_usd"), "{csv}");
        let focus = sandbox.run(&["report", log, "--format", "focus"]);
        let (rows, said) =
            (String::from_utf8(focus.stdout).unwrap(), String::from_utf8(focus.stderr).unwrap());
        assert!(!rows.contains("claude"), "{rows}");
        assert!(said.contains("left out: 3 calls simulated"), "{said}");
    }
}

/// Whoever tries budgets without any key sees them work, and a replay shows the same.
#[test]
fn a_trial_without_any_key_fills_its_budgets_and_they_are_empty_once_there_is_one() {
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url());
    let with_keys = |text: &str, key: &str| text.replace("base_url", &format!("key = {{ {key} }}\nbase_url"));
    let real = setup.providers.clone();
    setup.providers = with_keys(&real, "env = \"POINTSMAN_NOBODY_HAS_THIS\"") + "[simulated]\nspeed = 0\n";
    let sandbox = sandbox(&setup, "[budget.all]\nlimit = { day = 100 }\n");
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let answer = ask(&front, "gpt-4.1", &json!({"max_tokens": 1000}));
    assert_eq!(answer.header("pointsman-cost-kind"), Some("simulated"));
    let before = spent(&front);
    assert!(before > 0);
    save(&sandbox, &read(&mut feed, 1));
    let args = [
        "budgets",
        "show",
        "live.jsonl",
        "--budgets",
        "config/budgets.toml",
        "--as",
        "recorded",
        "--format",
        "json",
    ];
    let report: Value = serde_json::from_str(&sandbox.must(&args)).unwrap();
    assert_eq!(usd(&report["budgets"][0]["spent"]), before, "{report:#}");
    front.stop();
    let front = sandbox.serve(&setup);
    assert_eq!(spent(&front), before, "a trial goes on where it stood");
    front.stop();
    fs::write(sandbox.path().join("config/providers.toml"), &real).unwrap();
    let front = sandbox.serve(&setup);
    assert_eq!(spent(&front), 0, "what was made up is no money");
}

/// Such an answer is worked on whether or not anybody reads the stream, and can be fetched whole later.
#[test]
fn a_background_answer_whose_stream_is_given_up_counts_as_the_longest_that_it_may_be() {
    let upstream = Upstream::start();
    upstream.push(Reply::fault(At::Frame(4), Fault::Close));
    let mut setup = Setup::of(&upstream.url());
    setup.providers =
        setup.providers.replace("name = \"up-chat\"\n", "name = \"up-chat\"\nresponses = true\n");
    let sandbox = sandbox(&setup, "[budget.all]\nlimit = { day = 10 }\n");
    let front = sandbox.serve(&setup);
    let body = json!({"model": "gpt-4.1", "input": "x", "background": true, "stream": true, "max_output_tokens": 5000});
    let answer = Ask::post("/v1/responses", &body).send(front.address());
    assert!(answer.text().contains("error"), "the stream broke: {}", answer.text());
    assert!(spent(&front) >= 5000 * 8_000_000, "the answer may be that long");
}

/// Whoever leaves early would have the dearer model at the price of the one that it asked for.
#[test]
fn a_call_that_is_given_up_is_charged_as_the_model_that_had_begun_to_answer() {
    let chunk = json!({"id": "c", "object": "chat.completion.chunk", "model": "gpt-4.1",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Grand"}, "finish_reason": null}]});
    let stream = format!("data: {chunk}\n\n");
    let upstream = Upstream::with(move |_| Reply {
        body: Some(stream.clone().into_bytes()),
        ..Reply::fault(At::Frame(usize::MAX), Fault::Stall).framed(Framing::UntilClose)
    });
    let setup = Setup::of(&upstream.url()).gateway("on-disconnect = \"cancel\"");
    let sandbox = sandbox(&setup, "[budget.all]\nlimit = { day = 10 }\nmodel = [\"gpt-4.1\"]\n");
    let front = sandbox.serve(&setup);
    let mut line = crate::client::Line::open(front.address());
    line.write(&crate::stage::chat("gpt-4.1-mini", true).wire()).unwrap();
    assert_eq!(line.head().unwrap().status, 200);
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("Gr") {
        seen.extend(line.chunk().unwrap());
    }
    drop(line);
    stands(&front, "its model's budget pays", |found| {
        found["open_holds"] == 0 && usd(&found["budgets"][0]["spent"]) > 0
    });
}

/// Claude Code asks for 64,000 tokens in every request, of which many models can write a quarter: they refuse it, and nothing of it
/// need be held.
#[test]
fn no_model_is_asked_for_more_than_it_can_write() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    // 32,768 tokens of gpt-4.1 are $0.262144, 64,000 would be $0.512.
    let sandbox = sandbox(&setup, "[budget.all]\nlimit = { day = \"0.3\" }\n");
    let front = sandbox.serve(&setup);
    for (asked, sent) in [(64_000, 32_768), (1_000, 1_000)] {
        let answer = ask(&front, "gpt-4.1", &json!({"max_tokens": asked}));
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(upstream.served().last().unwrap().call.body["max_tokens"], sent);
    }
}
