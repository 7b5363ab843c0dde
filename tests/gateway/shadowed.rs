//! Shadow runs: a share of what a cheap model answered is asked again of a strong one and graded by a judge, beside the traffic.

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Front, Row, Sandbox, Setup};
use crate::replayed::pico;
use crate::stage::{Speaks, nothing_held, price};
use crate::upstream::{Reply, Tokens, Upstream};

const JUDGE: &str = "mistral-small-2503";

fn shadow(most: &str) -> String {
    format!(
        "[shadow.everything]\nshare = \"100%\"\nmodel = \"gpt-4.1\"\njudge = \"{JUDGE}\"\nmax-spend-per-day = \"{most}\"\n"
    )
}

/// An upstream whose judge finds the strong answer good and the cheap one not, wherever they stand.
fn upstream(verdict: fn(bool) -> Reply) -> Upstream {
    Upstream::with(move |call| match call.model.as_str() {
        JUDGE => {
            let asked = call.body.to_string();
            let (cheap, strong) =
                (asked.find("from the cheap").unwrap(), asked.find("from the strong").unwrap());
            verdict(cheap < strong)
        }
        "gpt-4.1" => Reply::text("from the strong one"),
        _ => Reply::text("from the cheap one"),
    })
}

/// A judge's answer as it is, whatever schema was asked for.
pub(crate) fn says(text: &str) -> Reply {
    Reply::json(&json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": JUDGE,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 200, "completion_tokens": 9, "total_tokens": 209}
    }))
}

fn is_beside(row: &Row) -> bool {
    row.session.starts_with("op-")
}

fn ask_all(front: &Front<'_>) -> usize {
    let asks = Speaks::ALL.iter().flat_map(|speaks| [false, true].map(|stream| speaks.ask("auto", stream)));
    asks.map(|ask| assert_eq!(ask.send(front.address()).said(), "from the cheap one")).count()
}

#[test]
fn a_judge_that_is_no_arm_grades_both_answers_and_no_figure_of_the_users_knows_of_it() {
    let upstream = upstream(|is_cheap_first| {
        says(if is_cheap_first { r#"{"first": 3, "second": 9}"# } else { r#"{"first": 9, "second": 3}"# })
    });
    let setup = Setup::of(&upstream.url()).gateway(&shadow("5.00"));
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let asked = ask_all(&front);
    upstream.wait("every answer is judged", |state| state.served.len() == asked * 3 && state.busy() == 0);
    nothing_held(&front);
    let rows = front.settle();
    let (beside, of_users): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| is_beside(row));
    assert_eq!((of_users.len(), beside.len()), (asked, asked * 2), "all of it is on the books: {rows:#?}");
    assert!(beside.iter().all(|row| row.team.is_empty() && row.kind == "known" && row.amount > Some(0)));

    sandbox.must(&["ledger", "export", "-o", "log.jsonl", "--with-prices"]);
    let log = std::fs::read_to_string(sandbox.path().join("log.jsonl")).unwrap();
    let labels: Vec<Value> = log
        .lines()
        .filter(|line| line.contains(r#""event":"label""#))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(labels.len(), asked * 2, "{labels:#?}");
    for label in &labels {
        let quality = if label["model"] == "gpt-4.1" { 900 } else { 300 };
        assert_eq!(
            (&label["quality"], &label["source"]),
            (&json!(quality), &json!(format!("judge {JUDGE}")))
        );
        assert_eq!(
            label["output"].is_null(),
            label["model"] != "gpt-4.1",
            "how long the strong answer was is known"
        );
    }
    for reading in ["recorded", "routed"] {
        let report = sandbox.must(&["replay", "log.jsonl", "--as", reading, "--format", "json", "--strict"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["requests"], asked, "{reading}");
        let cost: i128 = of_users.iter().filter_map(|row| row.amount).sum();
        assert_eq!(pico(&report["cost_known_usd"]), cost, "{reading}: what users spent");
    }
}

#[test]
fn a_judge_that_says_nothing_clear_has_given_no_verdict() {
    for verdict in [
        (|_| says("Both are nice.")) as fn(bool) -> Reply,
        |_| says(r#"{"first": 30, "second": 2}"#),
        |_| Reply::status(500),
    ] {
        let upstream = upstream(verdict);
        let setup = Setup::of(&upstream.url()).gateway(&shadow("5.00"));
        let sandbox = Sandbox::new(&setup);
        let front = sandbox.serve(&setup);
        let asked = ask_all(&front);
        upstream.wait("every judge was asked", |state| state.served.len() == asked * 3 && state.busy() == 0);
        nothing_held(&front);
        assert_eq!(front.settle().iter().filter(|row| is_beside(row)).count(), asked * 2);
        assert!(!sandbox.must(&["ledger", "export"]).contains(r#""event":"label""#));
    }
}

#[test]
fn a_day_has_its_cap_which_holds_after_a_restart() {
    // A run may cost some 7 cents at most, and this one costs 21.
    let dear = |text: &str| Reply {
        tokens: Some(Tokens { input: 100_000, cache_read: 0, write_5m: 0, output: 10, reasoning: 0 }),
        ..Reply::text(text)
    };
    let upstream = Upstream::with(move |call| match call.model.as_str() {
        JUDGE => dear(r#"{"first": 5, "second": 5}"#),
        _ => dear("an answer"),
    });
    let setup = Setup::of(&upstream.url()).gateway(&shadow("0.25"));
    let sandbox = Sandbox::new(&setup);
    let ask =
        |front: &Front<'_>| assert_eq!(Speaks::Chat.ask("auto", false).send(front.address()).status(), 200);
    let front = sandbox.serve(&setup);
    ask(&front);
    upstream.wait("it is judged", |state| state.served.len() == 3 && state.busy() == 0);
    nothing_held(&front);
    ask(&front);
    nothing_held(&front);
    assert_eq!(
        front.settle().iter().filter(|row| is_beside(row)).count(),
        2,
        "what is left is not enough for another"
    );
    let front = sandbox.serve(&setup);
    ask(&front);
    nothing_held(&front);
    assert_eq!(front.settle().iter().filter(|row| is_beside(row)).count(), 2, "nor after a restart");
    assert_eq!(upstream.served().len(), 5);
    // Who waits for verdicts would else not know that none can come.
    let told = sandbox.must(&["ledger", "export"]);
    let told = told.matches("no shadow run of route everything until tomorrow").count();
    assert_eq!(told, 2, "once each time that it was started");
}

/// Verdicts that nobody gave certify thresholds and withdraw certificates.
#[test]
fn a_judge_without_a_key_grades_no_real_answer() {
    let upstream = upstream(|_| panic!("the judge has no provider"));
    let mut setup = Setup::of(&upstream.url()).gateway(&shadow("5.00"));
    setup.providers = setup.providers.replace("\"mistral-*\"", "\"none-*\"");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let asked = ask_all(&front);
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!((rows.len(), upstream.served().len()), (asked, asked), "{rows:#?}");
    assert!(!sandbox.must(&["ledger", "export"]).contains(r#""event":"label""#));
}

/// The strong model's answer would stand in the client's own conversation, and be kept in nobody's name.
#[test]
fn a_run_says_nothing_into_a_conversation_and_leaves_nothing_behind() {
    let upstream = upstream(|_| says(r#"{"first": 5, "second": 5}"#));
    let mut setup = Setup::of(&upstream.url()).gateway(&shadow("5.00"));
    setup.providers =
        setup.providers.replace("name = \"up-chat\"\n", "name = \"up-chat\"\nresponses = true\n");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let ask = |more: Value| {
        let mut body = json!({"model": "auto", "input": "What is due?"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = Ask::post("/v1/responses", &body).send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
    };
    ask(json!({"conversation": "conv_1"}));
    ask(
        json!({"input": [{"type": "item_reference", "id": "msg_1"}, {"role": "user", "content": "And then?"}]}),
    );
    ask(json!({"tools": [{"type": "web_search"}]}));
    nothing_held(&front);
    assert_eq!(
        upstream.served().len(),
        3,
        "what lies with the provider is not asked again: {:#?}",
        upstream.served()
    );
    ask(json!({"store": false, "service_tier": "priority"}));
    upstream.wait("it is judged", |state| state.served.len() == 6 && state.busy() == 0);
    nothing_held(&front);
    let again =
        upstream.served().into_iter().find(|served| served.call.model == "gpt-4.1").unwrap().call.body;
    assert_eq!(again["store"], json!(false), "the provider would keep it: {again}");
    assert_eq!(
        again.get("service_tier"),
        None,
        "a run is in no hurry, and is held for at the ordinary price"
    );
    front.settle();
}

/// A deployment that is redirected would be shadowed at a tenth of what it costs.
#[test]
fn a_shadow_run_is_charged_as_the_model_that_answered() {
    let upstream = Upstream::with(|call| match call.model.as_str() {
        JUDGE => says(r#"{"first": 5, "second": 5}"#),
        "gpt-4.1" => Reply::json(&json!({"id": "c", "object": "chat.completion", "model": "claude-opus-4-6",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "from the strong one"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}})),
        _ => Reply::text("from the cheap one"),
    });
    let setup = Setup::of(&upstream.url()).gateway(&shadow("5.00"));
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    assert_eq!(Speaks::Chat.ask("auto", false).send(front.address()).said(), "from the cheap one");
    upstream.wait("it is judged", |state| state.served.len() == 3 && state.busy() == 0);
    let rows = front.settle();
    let strong = rows.iter().find(|row| is_beside(row) && row.model == "claude-opus-4-6").unwrap();
    let tokens = Tokens { input: 1000, output: 100, ..Tokens::default() };
    assert_eq!(strong.amount, Some(price("claude-opus-4-6", tokens)), "{strong:#?}");
}
