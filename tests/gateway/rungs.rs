//! What rungs write into requests, whom guards let serve, and modes of routes: from the client to the upstream, the feed and
//! the replay.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Answer, Ask, Line};
use crate::front::{Front, Sandbox, Setup};
use crate::replayed::pico;
use crate::stage::{metrics, nothing_held};
use crate::upstream::{At, Fault, Reply, Upstream};

pub(crate) fn setup(upstream: &Upstream, policy: &str) -> Setup {
    let mut setup = Setup::of(&upstream.url());
    policy.clone_into(&mut setup.policy);
    setup
}

/// Starts to read the live log.
pub(crate) fn follow(front: &Front<'_>) -> Line {
    let mut line = Line::open(front.address());
    line.write(&Ask::get("/operator/v1/feed").wire()).unwrap();
    assert_eq!(line.head().unwrap().status, 200);
    line
}

/// Reads the live log until so many requests have been told of; gives all its lines but those of the gateway's state.
pub(crate) fn read(line: &mut Line, requests: usize) -> Vec<Value> {
    let (mut text, mut found) = (String::new(), Vec::new());
    let is_request = |line: &Value| line.get("id").is_some();
    // The gateway tells of its state once a second, so that this ends.
    for _ in 0..30 {
        text += &String::from_utf8(line.chunk().unwrap()).unwrap();
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.split_off(whole);
        found.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        text = rest;
        if found.iter().filter(|line| is_request(line)).count() >= requests {
            found.retain(|line| line.get("status").is_none_or(Value::is_string));
            return found;
        }
    }
    panic!("{requests} requests were not told of: {found:#?}");
}

pub(crate) fn save(sandbox: &Sandbox, lines: &[Value]) {
    let text = lines.iter().fold(String::new(), |all, line| all + &line.to_string() + "\n");
    fs::write(sandbox.path().join("live.jsonl"), text).unwrap();
}

pub(crate) fn replay(sandbox: &Sandbox, reading: &str) -> Value {
    let args = ["replay", "live.jsonl", "--as", reading, "--format", "json", "--strict"];
    serde_json::from_str(&sandbox.must(&args)).unwrap()
}

pub(crate) fn chat(members: &Value) -> Ask {
    let mut body =
        json!({"model": "auto", "messages": [{"role": "user", "content": "What is due, and when?"}]});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    Ask::post("/v1/chat/completions", &body)
}

const EFFORTS: &str = r#"
name = "efforts"

[[route]]
name = "everything"
ladder = [
  { rung = "quick", model = "gpt-5.2", threshold = 0, with = { effort = "low", temperature = 0.2 } },
  { rung = "thorough", model = "gpt-5.2", with = { effort = "high", max_output = 4000 } },
]
no_signal = "quick"
"#;

#[test]
fn two_rungs_may_be_one_model_at_two_efforts_live_and_replayed() {
    let upstream = Upstream::with(|call| match call.body["reasoning_effort"].as_str() {
        Some("low") => Reply::text("no JSON at all"),
        _ => Reply::text(r#"{"due":"INV-7"}"#),
    });
    let setup = setup(&upstream, EFFORTS);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let answer = chat(&json!({"response_format": {"type": "json_object"}, "reasoning_effort": "medium"}));
    let answer = answer.send(front.address());
    assert_eq!((answer.status(), answer.said().as_str()), (200, r#"{"due":"INV-7"}"#), "{}", answer.text());
    assert_eq!(answer.header("pointsman-rung"), Some("thorough"));
    assert_eq!(answer.header("pointsman-reason"), Some("escalated: check failed"));
    let plain = chat(&json!({})).send(front.address());
    assert_eq!(plain.header("pointsman-rung"), Some("quick"));
    assert_eq!(plain.header("pointsman-left-out"), Some("temperature"), "beside an effort it is refused");
    let bodies: Vec<Value> = upstream.served().into_iter().map(|served| served.call.body).collect();
    let said: Vec<&Value> = bodies.iter().map(|body| &body["reasoning_effort"]).collect();
    assert_eq!(said, ["low", "high", "low"], "the rung's word, not the client's");
    assert!(bodies.iter().all(|body| body.get("temperature").is_none()));
    assert_eq!(bodies[1]["max_completion_tokens"], 4000);
    let lines = read(&mut feed, 2);
    save(&sandbox, &lines);
    let escalated =
        lines.iter().find(|line| line["attempts"].as_array().is_some_and(|all| all.len() == 2)).unwrap();
    let efforts: Vec<&Value> =
        escalated["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["effort"]).collect();
    assert_eq!(efforts, ["low", "high"], "{escalated}");
    nothing_held(&front);
    let rows = front.settle();
    let known: i128 = rows.iter().filter_map(|row| row.amount).sum();
    assert!(known > 0 && rows.iter().all(|row| row.kind == "known"), "{rows:#?}");
    let why = sandbox.must(&["why", "live.jsonl", escalated["id"].as_str().unwrap()]);
    assert!(why.contains("quick (gpt-5.2)") && why.contains("thorough (gpt-5.2)"), "{why}");
    for (at, reading) in ["recorded", "routed", "recorded", "routed"].into_iter().enumerate() {
        if at == 2 {
            // The ledger tells the same as the feed.
            fs::remove_file(sandbox.path().join("live.jsonl")).unwrap();
            sandbox.must(&["ledger", "export", "-o", "live.jsonl"]);
        }
        let report = replay(&sandbox, reading);
        assert_eq!(report["attempts"], 3, "{reading}");
        assert_eq!(report["escalated"], 1, "{reading}");
        assert_eq!(report["estimated_requests"], 0, "{reading}: all of it was seen");
        assert_eq!(pico(&report["cost_known_usd"]), known, "{reading}");
    }
}

const LABELLED: &str = r#"
name = "labelled"

[model."gpt-4.1-nano"]
vision = false
tools = false
context = 2000
max_output = 500
labels = ["zdr"]

[[route]]
name = "european"
match.team = ["eu"]
require = ["region=eu"]
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 0 },
  { rung = "large", model = "gpt-4.1", region = "eu" },
]

[[route]]
name = "nowhere"
match.team = ["moon"]
require = ["region=moon"]
ladder = [{ model = "gpt-4.1-nano" }]

[[route]]
name = "everything"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 0 },
  { rung = "large", model = "gpt-4.1" },
]
no_signal = "small"
"#;

#[test]
fn a_request_starts_on_the_first_rung_that_takes_it_and_the_reason_is_told() {
    let upstream = Upstream::start();
    let setup = setup(&upstream, LABELLED);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let picture = json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "https://a/b.png"}}]}]});
    let tool =
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]});
    let long = json!({"messages": [{"role": "user", "content": "due ".repeat(4000)}]});
    for (members, team, rung, model, reason) in [
        (json!({}), "", "small", "gpt-4.1-nano", ""),
        (picture, "", "large", "gpt-4.1", "takes no pictures"),
        (tool, "", "large", "gpt-4.1", "calls no tools"),
        (long, "", "large", "gpt-4.1", "takes 2000 tokens"),
        (json!({"max_tokens": 600}), "", "large", "gpt-4.1", "answers with 500 tokens at most"),
        (json!({"max_tokens": 500}), "", "small", "gpt-4.1-nano", ""),
        (json!({}), "eu", "large", "gpt-4.1", "lacks region=eu"),
    ] {
        let answer = chat(&members).header("pointsman-team", team).send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let told = (answer.header("pointsman-rung").unwrap(), answer.header("pointsman-model").unwrap());
        assert_eq!(told, (rung, model), "{reason}");
        let said = answer.header("pointsman-reason").unwrap();
        assert!(said.contains(reason) && said.contains('(') != reason.is_empty(), "{reason}: {said}");
    }
    let lines = read(&mut feed, 7);
    save(&sandbox, &lines);
    front.settle();
    let check = &replay(&sandbox, "recorded")["constraints"];
    assert_eq!(
        (&check["checked"], &check["broken_calls"], &check["broken"]),
        (&json!(7), &json!(0), &json!([]))
    );
    // A log in which one went elsewhere.
    let is_eu = |line: &&mut Value| line["team"] == "eu";
    let mut lines = lines;
    let line = lines.iter_mut().find(is_eu).unwrap();
    let id = line["id"].clone();
    *line = serde_json::from_str(&line.to_string().replace("\"gpt-4.1\"", "\"gpt-4.1-nano\"")).unwrap();
    save(&sandbox, &lines);
    for (reading, strict) in [("recorded", false), ("recorded", true), ("routed", true)] {
        let mut args = vec!["replay", "live.jsonl", "--as", reading, "--format", "json"];
        args.extend(strict.then_some("--strict"));
        let output = sandbox.run(&args);
        assert_eq!(output.status.success(), !strict, "{reading}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let broken = &report["constraints"]["broken"][0];
        assert_eq!(report["constraints"]["broken_calls"], 1, "{reading}");
        assert_eq!(
            (&broken["request"], &broken["route"], &broken["model"], &broken["why"]),
            (&id, &json!("european"), &json!("gpt-4.1-nano"), &json!("lacks region=eu")),
        );
    }
    let table = sandbox.must(&["replay", "live.jsonl"]);
    assert!(
        table.contains("Calls that should not have been made") && table.contains("lacks region=eu"),
        "{table}"
    );
}

#[test]
fn what_no_model_may_serve_is_refused_in_the_words_of_the_client_and_costs_nothing() {
    let upstream = Upstream::start();
    let setup = setup(&upstream, LABELLED);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let said = json!([{"role": "user", "content": "x"}]);
    let asks = [
        Ask::post("/v1/chat/completions", &json!({"model": "auto", "messages": said})),
        Ask::post("/v1/chat/completions", &json!({"model": "auto", "messages": said, "stream": true})),
        // Pinned models have to carry what is required as well.
        Ask::post("/v1/chat/completions", &json!({"model": "gpt-4.1", "messages": said})),
        Ask::post("/v1/completions", &json!({"model": "auto", "prompt": "x"})),
        Ask::post("/v1/responses", &json!({"model": "auto", "input": "x"})),
        Ask::post("/v1/messages", &json!({"model": "auto", "max_tokens": 9, "messages": said})),
        Ask::post("/v1beta/models/auto:generateContent", &json!({"contents": [{"parts": [{"text": "x"}]}]})),
    ];
    let count = asks.len();
    for ask in asks {
        let answer = ask.header("pointsman-team", "moon").send(front.address());
        assert_eq!(answer.status(), 400, "{}", answer.text());
        let body = answer.json();
        let error = &body["error"];
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains("no model of route nowhere") && message.contains("lacks region=moon"),
            "{message}"
        );
        assert!(body.to_string().contains("no_model_may_serve"), "{body}");
        assert!(answer.header("pointsman-reason").unwrap().contains("lacks region=moon"));
        assert_eq!(answer.header("pointsman-cost-usd").map(|cost| cost.trim_matches(['0', '.'])), Some(""));
        assert_eq!(answer.header("pointsman-rung"), None);
    }
    assert!(upstream.served().is_empty(), "nobody is called");
    let lines = read(&mut feed, count);
    save(&sandbox, &lines);
    let refused: Vec<&Value> =
        lines.iter().filter(|line| line.to_string().contains(r#""refused""#)).collect();
    assert_eq!(refused.len(), count, "one line each: {lines:#?}");
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!(rows.len(), count);
    assert!(rows.iter().all(|row| row.operation_status == "refused" && row.amount == Some(0)), "{rows:#?}");
    for reading in ["recorded", "routed"] {
        let report = replay(&sandbox, reading);
        assert_eq!((&report["requests"], &report["errors"]), (&count.into(), &count.into()), "{reading}");
        assert_eq!(report["cost_usd"].as_str().unwrap().trim_matches(['0', '.']), "", "{reading}");
    }
}

#[test]
fn a_key_may_require_labels() {
    let upstream = Upstream::start();
    let policy = r#"
name = "keys"

[[route]]
name = "everything"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 0 },
  { rung = "large", model = "gpt-4.1", labels = ["zdr"] },
]
no_signal = "small"
"#;
    let setup = setup(&upstream, policy);
    let sandbox = Sandbox::new(&setup);
    let (strict, plain) = (sandbox.key(&["strict", "--require", "zdr"]), sandbox.key(&["plain"]));
    let front = sandbox.serve(&setup);
    let ask = |key: &str, model: &str| {
        let ask = chat(&json!({"model": model})).header("authorization", &format!("Bearer {key}"));
        ask.send(front.address())
    };
    assert_eq!(ask(&plain, "auto").header("pointsman-rung"), Some("small"));
    assert_eq!(ask(&strict, "auto").header("pointsman-rung"), Some("large"));
    assert_eq!(ask(&plain, "claude-opus-4-6").status(), 200);
    let refused = ask(&strict, "claude-opus-4-6");
    assert_eq!((refused.status(), &refused.json()["error"]["code"]), (400, &json!("no_model_may_serve")));
    front.settle();
}

fn with_mode(mode: &str) -> String {
    format!(
        r#"
name = "modes"
mode = "{mode}"

[[route]]
name = "everything"
ladder = [
  {{ rung = "small", model = "gpt-4.1-nano", threshold = 0, with = {{ temperature = 0.2 }} }},
  {{ rung = "large", model = "gpt-4.1" }},
]
no_signal = "small"
"#
    )
}

#[test]
fn a_route_that_observes_changes_nothing_and_one_that_is_active_routes_what_names_a_model() {
    let sent = |mode: &str, model: &str| -> (Answer, Option<Value>) {
        let upstream = Upstream::start();
        let setup = setup(&upstream, &with_mode(mode));
        let sandbox = Sandbox::new(&setup);
        let front = sandbox.serve(&setup);
        let answer = chat(&json!({"model": model, "temperature": 0.7})).send(front.address());
        let seen = upstream.served().pop().map(|served| served.call.body);
        front.settle();
        (answer, seen)
    };
    let (pinned, as_pinned) = sent("pinned", "gpt-4.1");
    let (observed, as_observed) = sent("observe", "gpt-4.1");
    assert_eq!(as_pinned, as_observed, "the provider sees the same");
    assert_eq!(pinned.header("pointsman-would-be"), None);
    assert_eq!(observed.header("pointsman-would-be"), Some("small"));
    assert_eq!(observed.header("pointsman-model"), Some("gpt-4.1"));
    assert!(observed.header("pointsman-reason").unwrap().starts_with("observed"));
    let (active, as_active) = sent("active", "gpt-4.1");
    assert_eq!((active.header("pointsman-rung"), active.header("pointsman-would-be")), (Some("small"), None));
    let as_active = as_active.unwrap();
    assert_eq!((&as_active["model"], &as_active["temperature"]), (&json!("gpt-4.1-nano"), &json!(0.2)));
    for mode in ["pinned", "observe", "active"] {
        let (auto, as_auto) = sent(mode, "auto");
        assert_eq!(auto.header("pointsman-rung"), Some("small"), "{mode}");
        assert_eq!(auto.header("pointsman-would-be"), None, "{mode}");
        assert_eq!(as_auto.unwrap()["temperature"], 0.2, "{mode}");
        let (unknown, _) = sent(mode, "somebodys-model-9");
        assert_eq!(unknown.status(), if mode == "active" { 200 } else { 404 }, "{mode}: {}", unknown.text());
    }
}

#[test]
fn what_nobody_serves_is_let_through_to_an_active_route_alone_and_embeddings_stay_with_their_model() {
    let policy = r#"
name = "partly"

[[route]]
name = "search"
match.team = ["search"]
mode = "active"
ladder = [{ model = "gpt-4.1-nano" }]

[[route]]
name = "everything"
ladder = [{ model = "gpt-4.1" }]
"#;
    let upstream = Upstream::start();
    let setup = setup(&upstream, policy);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let ask = |team: &str| {
        let ask = chat(&json!({"model": "somebodys-model-9"})).header("pointsman-team", team);
        ask.send(front.address())
    };
    assert_eq!(ask("search").header("pointsman-model"), Some("gpt-4.1-nano"));
    let unknown = ask("payments");
    assert_eq!((unknown.status(), &unknown.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(Ask::get("/v1/models/somebodys-model-9").send(front.address()).status(), 200);
    let body = json!({"model": "text-embedding-3-small", "input": "x"});
    let embedded =
        Ask::post("/v1/embeddings", &body).header("pointsman-team", "search").send(front.address());
    assert_eq!(embedded.header("pointsman-model"), Some("text-embedding-3-small"), "{}", embedded.text());
    assert_eq!(metrics(&front, "pointsman_requests_in_flight").len(), 1);
    front.settle();
}

#[test]
fn a_policy_that_is_posted_is_read_as_strictly_as_a_file() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let policy = Ask::get("/operator/v1/policy").send(front.address()).text();
    let next = |change: &dyn Fn(&mut Value)| {
        let mut event: Value = serde_json::from_str(&policy).unwrap();
        event["version"] = json!(event["version"].as_u64().unwrap() + 1);
        change(&mut event);
        event
    };
    for (said, event) in [
        ("`ladders` is no key", next(&|event| event["routes"][0]["ladders"] = json!([]))),
        (
            "routes[0].ladder[1].with: `temperature`",
            next(&|event| {
                event["routes"][0]["ladder"][1]["with"] = json!({"temperature": 0.2});
            }),
        ),
        ("no price for `gpt-nope`", next(&|event| event["baseline"] = json!("gpt-nope"))),
    ] {
        let answer = Ask::post("/operator/v1/policy", &event).send(front.address());
        assert_eq!(answer.status(), 400, "{said}");
        assert!(answer.text().contains(said), "{said}: {}", answer.text());
    }
    // All of it is told at once, and the moment is the gateway's to write.
    let several = next(&|event| {
        let event = event.as_object_mut().unwrap();
        event.remove("version");
        event.remove("at");
        event.insert("bseline".to_owned(), json!("gpt-4.1"));
        event["routes"][0]["ladder"][0]["max_in_flight"] = json!(99_999_999_999_u64);
    });
    let told = Ask::post("/operator/v1/policy", &several).send(front.address()).text();
    for said in ["`bseline` is no key", "version: missing", "`99999999999` is too large"] {
        assert!(told.contains(said), "{said}: {told}");
    }
    let doubtful = next(&|event| {
        event.as_object_mut().unwrap().remove("at");
        event["routes"][0]["ladder"][0]["model"] = json!("somebodys-llama");
        event["models"] = json!([{"model": "gpt-nope", "max_in_flight": 2}]);
        event["routes"][0]["require"] = json!(["nobody"]);
    });
    let answer = Ask::post("/operator/v1/policy", &doubtful).send(front.address());
    let warnings = answer.json()["warnings"].to_string();
    for said in ["`somebodys-llama`: no price book and no provider", "gpt-nope", "no rung carries `nobody`"] {
        assert!(answer.status() == 200 && warnings.contains(said), "{said}: {}", answer.text());
    }
    let policy = Ask::get("/operator/v1/policy").send(front.address()).text();
    assert!(!policy.contains("warnings"), "{policy}");
    let right = {
        let mut event: Value = serde_json::from_str(&policy).unwrap();
        event["version"] = json!(event["version"].as_u64().unwrap() + 1);
        event
    };
    let two = format!("{right}\n{right}\n");
    assert_eq!(Ask::bytes("/operator/v1/policy", two.as_bytes()).send(front.address()).status(), 400);
    assert_eq!(Ask::post("/operator/v1/policy", &right).send(front.address()).status(), 200);
}

#[test]
fn a_capped_model_takes_no_more_calls_than_it_may_and_the_replay_agrees() {
    let upstream = Upstream::with(|call| match &*call.model {
        "gpt-4.1-nano" => Reply::fault(At::BeforeHeaders, Fault::Stall),
        _ => Reply::text("here"),
    });
    let policy = r#"
name = "capped"
[model."gpt-4.1-nano"]
max_in_flight = 1
[[route]]
name = "strict"
match = { team = ["strict"] }
when_full = "refuse"
ladder = [{ rung = "small", model = "gpt-4.1-nano", threshold = 0 }, { rung = "large", model = "gpt-4.1" }]
no_signal = "small"
[[route]]
name = "rest"
ladder = [{ rung = "small", model = "gpt-4.1-nano", threshold = 0 }, { rung = "large", model = "gpt-4.1" }]
no_signal = "small"
"#;
    let setup = setup(&upstream, policy);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let mut first = Line::open(front.address());
    first.write(&chat(&json!({})).wire()).unwrap();
    upstream.wait("the first is under way", |state| state.busy() == 1);
    let second = chat(&json!({})).send(front.address());
    assert_eq!((second.status(), second.header("pointsman-rung")), (200, Some("large")), "{}", second.text());
    assert!(second.header("pointsman-reason").unwrap().contains("calls in flight"));
    for named in [json!({}), json!({"model": "gpt-4.1-nano"})] {
        let refused = chat(&named).header("pointsman-team", "strict").send(front.address());
        assert_eq!(refused.status(), 429, "{}", refused.text());
        assert!(refused.header("retry-after").is_some());
    }
    upstream.release_until("the first is answered", |state| state.busy() == 0);
    assert_eq!(first.answer().unwrap().status(), 200);
    let lines = read(&mut feed, 4);
    // Whoever reads the feed knows of each line what decided and priced it.
    let under = &lines[0]["under"];
    for key in ["gateway", "classifier", "prices"] {
        assert!(under[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {under}");
    }
    save(&sandbox, &lines);
    nothing_held(&front);
    front.settle();
    let mut starts = Vec::new();
    for source in ["live.jsonl", "data/ledger.db"] {
        let args = ["replay", source, "--as", "routed", "--format", "json"];
        let report: Value = serde_json::from_str(&sandbox.must(&args)).unwrap();
        starts.push((
            report["errors"].clone(),
            report["cost_usd"].clone(),
            report["cost_estimated_usd"].clone(),
        ));
    }
    let recorded = replay(&sandbox, "recorded");
    for start in &starts {
        assert_eq!(start, &(json!(2), recorded["cost_usd"].clone(), recorded["cost_estimated_usd"].clone()));
    }
}

/// A label says who may have a request; a client could otherwise have it handed on to anybody, or elsewhere.
#[test]
fn what_only_certain_models_may_have_is_handed_on_to_nobody_else() {
    let upstream = Upstream::start();
    let reserved = "name = \"p\"\n[[route]]\nname = \"all\"\nrequire = [\"zdr\"]\n\
        ladder = [{ model = \"claude-opus-4-6\", labels = [\"zdr\"] }]\n";
    let open = "name = \"p\"\n[[route]]\nname = \"all\"\nladder = [{ model = \"claude-opus-4-6\" }]\n";
    for (policy, status) in [(reserved, 400), (open, 200)] {
        let setup = setup(&upstream, policy);
        let sandbox = Sandbox::new(&setup);
        let front = sandbox.serve(&setup);
        let ask = |servers: Value, place: &str| {
            let body = json!({"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
                "mcp_servers": servers, "inference_geo": place});
            Ask::post("/v1/messages", &body).send(front.address())
        };
        let handed = ask(json!([{"type": "url", "url": "https://example.com", "name": "s"}]), "global");
        assert_eq!(handed.status(), status, "{}", handed.text());
        assert!(status == 200 || handed.text().contains("mcp_servers"), "{}", handed.text());
        assert_eq!(ask(json!([]), "us").status(), status, "worked on elsewhere");
        assert_eq!(ask(json!([]), "global").status(), 200, "what says nothing is no matter");
    }
}

/// The proof goes by what was billed: it is that model that had the prompt.
#[test]
fn the_proof_of_labels_looks_at_the_model_that_was_billed() {
    let upstream = Upstream::with(|_| {
        Reply::json(&json!({"id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4.1",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}}))
    });
    let policy = "name = \"p\"\n[[route]]\nname = \"all\"\nrequire = [\"zdr\"]\n\
        ladder = [{ model = \"gpt-4.1-mini\", labels = [\"zdr\"] }]\n";
    let setup = setup(&upstream, policy);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    assert_eq!(chat(&json!({})).send(front.address()).status(), 200);
    front.settle();
    let proof = sandbox.run(&["replay", "data/ledger.db", "--strict"]);
    assert!(!proof.status.success(), "{}", String::from_utf8_lossy(&proof.stdout));
}
