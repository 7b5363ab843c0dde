//! Answers that a provider keeps: fetched at no cost by whom they belong to, refused in words where nobody keeps them, and
//! charged once where they were made in the background.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::front::{Front, Sandbox, Setup};
use crate::stage::price;
use crate::upstream::{Call, Dialect, PATIENCE, Reply, Tokens, Upstream};

/// A provider of OpenAI's responses beside one of Anthropic's.
fn setup(upstream: &Upstream) -> Setup {
    let mut setup = Setup::of(&upstream.url());
    setup.providers =
        setup.providers.replace("name = \"up-chat\"\n", "name = \"up-chat\"\nresponses = true\n");
    setup
}

/// Keeps what it answered.
fn keeps(call: &Call) -> Reply {
    if call.dialect == Dialect::Responses {
        return Reply::default();
    }
    let path = call.path.strip_prefix("/v1/responses/").unwrap_or_default();
    match path.split_once('?').map_or(path, |(path, _)| path).split_once('/') {
        _ if path.starts_with("resp_lost") => {
            let error = json!({"error": {"message": "no such response", "type": "invalid_request_error"}});
            Reply { status: 404, ..Reply::json(&error) }
        }
        None if !path.is_empty() => {
            Reply::json(&json!({"id": path, "object": "response", "status": "completed"}))
        }
        Some((_, "input_items")) => Reply::json(
            &json!({"object": "list", "data": [{"type": "message", "id": "msg_listed"}], "path": call.path}),
        ),
        Some((id, "cancel")) => Reply::json(&json!({"id": id, "status": "cancelled"})),
        _ => Reply::default(),
    }
}

fn ask(model: &str, more: &Value) -> Ask {
    let mut body = json!({"model": model, "input": "What is due?"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Ask::post("/v1/responses", &body)
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let stream = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
    let first = if stream { answer.chunks()[0]["response"].clone() } else { answer.json() };
    first["id"].as_str().unwrap().to_owned()
}

fn get(front: &Front<'_>, path: &str) -> Answer {
    Ask::get(&format!("/v1/responses/{path}")).send(front.address())
}

#[test]
fn what_a_provider_keeps_is_fetched_there_at_no_cost() {
    let upstream = Upstream::with(keeps);
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for stream in [false, true] {
        let id = id(&ask("gpt-4.1", &json!({"stream": stream})).send(front.address()));
        let whole = get(&front, &id);
        assert_eq!((whole.status(), &whole.json()["id"]), (200, &json!(id)));
        let items = get(&front, &format!("{id}/input_items?limit=5&key=x&order=asc")).json();
        assert_eq!(items["path"], format!("/v1/responses/{id}/input_items?limit=5&order=asc"));
        let cancelled = ask("gpt-4.1", &json!({})).send(front.address());
        assert_eq!(cancelled.status(), 200);
        let cancel = Ask::post(&format!("/v1/responses/{id}/cancel"), &json!({})).send(front.address());
        assert_eq!(cancel.json()["status"], "cancelled");
        let delete = Ask::get(&format!("/responses/{id}")).method("DELETE").send(front.address());
        assert_eq!(delete.status(), 200);
    }
    let streamed = get(&front, "resp_1?stream=true");
    assert_eq!((streamed.status(), &streamed.json()["error"]["param"]), (400, &json!("stream")));
    let lost = get(&front, "resp_lost");
    assert_eq!(lost.status(), 404);
    assert!(lost.text().contains("no such response"), "{}", lost.text());
    for odd in ["..%2Fmodels", "%2e%2e", "a%20b"] {
        assert_eq!(get(&front, odd).status(), 404, "{odd}");
    }
    let broken = get(&front, "resp_a%0D%0Ab").json();
    let message = broken["error"]["message"].as_str().unwrap();
    assert!(!message.contains('\\') && !message.contains('\r'), "{message}");
    let put = Ask::get("/v1/responses/resp_1").method("PUT").send(front.address());
    assert_eq!((put.status(), put.header("allow")), (405, Some("GET, HEAD, DELETE")));
    assert!(upstream.served().iter().all(|served| served.call.path.starts_with("/v1/responses")));
    assert_eq!(front.settle().len(), 4, "four answers were made; fetching them is no call");
}

#[test]
fn what_nobody_keeps_is_refused_in_words() {
    let upstream = Upstream::with(keeps);
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for stream in [false, true] {
        let made = id(&ask("claude-opus-4-6", &json!({"stream": stream})).send(front.address()));
        let answer = get(&front, &made);
        assert_eq!(answer.status(), 404);
        assert!(answer.text().contains("kept nowhere") && answer.text().contains("claude-opus-4-6"));
        let further = ask("gpt-4.1", &json!({"previous_response_id": made})).send(front.address());
        assert_eq!(
            (further.status(), &further.json()["error"]["param"]),
            (400, &json!("previous_response_id"))
        );
    }
    for more in [
        json!({"background": true}),
        json!({"conversation": "conv_1"}),
        json!({"previous_response_id": "resp_0"}),
    ] {
        let answer = ask("claude-opus-4-6", &more).send(front.address());
        let error = &answer.json()["error"];
        assert_eq!(answer.status(), 400, "{more}");
        assert_eq!(error["param"].as_str(), more.as_object().unwrap().keys().next().map(String::as_str));
        assert!(error["message"].as_str().unwrap().contains("up-messages"), "{error}");
    }
    assert_eq!(front.settle().len(), 2);
    let mut setup = Setup::of("http://127.0.0.1:9");
    setup.providers = "[simulated]\nspeed = 0\n".to_owned();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let answer = ask("gpt-4.1", &json!({"background": true})).send(front.address());
    assert_eq!(answer.status(), 400);
    assert!(answer.text().contains("simulated"), "{}", answer.text());
    let unknown = get(&front, "resp_1");
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().contains("no provider here keeps answers"), "{}", unknown.text());
}

#[test]
fn nobody_gets_what_another_team_paid_for() {
    let upstream = Upstream::with(keeps);
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let key = |team: &str| format!("Bearer {}", sandbox.key(&[team, "--team", team]));
    let (ours, theirs) = (key("ours"), key("theirs"));
    let operators = format!("Bearer {}", sandbox.key(&["all", "--scope", "route,operate"]));
    let nobodys = format!("Bearer {}", sandbox.key(&["none"]));
    let front = sandbox.serve(&setup);
    let with = |ask: Ask, key: &str| ask.header("authorization", key).send(front.address());
    let made = id(&with(ask("gpt-4.1", &json!({})), &ours));
    let path = format!("/v1/responses/{made}");
    assert_eq!(with(Ask::get(&path), &ours).status(), 200);
    assert_eq!(with(Ask::get(&path), &operators).status(), 200);
    for other in [&theirs, &nobodys] {
        assert_eq!(with(Ask::get(&path), other).status(), 404);
        assert_eq!(with(Ask::get("/v1/responses/resp_guessed"), other).status(), 404);
    }
    assert_eq!(with(Ask::get("/v1/responses/resp_guessed"), &operators).status(), 200);
    assert_eq!(with(Ask::get(&path).method("DELETE"), &theirs).status(), 404);
    assert_eq!(Ask::get(&path).send(front.address()).status(), 401);
    let own = id(&with(ask("gpt-4.1", &json!({})), &nobodys));
    assert_eq!(with(Ask::get(&format!("/v1/responses/{own}")), &nobodys).status(), 200);
    let further = json!({"previous_response_id": made});
    assert_eq!(with(ask("gpt-4.1", &further), &theirs).status(), 400);
    assert_eq!(with(ask("gpt-4.1", &further), &ours).status(), 200);
    assert_eq!(front.settle().len(), 3);
}

/// Three keys: of one team, of another, and one that may operate.
fn keys(sandbox: &Sandbox) -> [String; 3] {
    let teams = [&["ours", "--team", "ours"], &["theirs", "--team", "theirs"]];
    let [ours, theirs] = teams.map(|args| format!("Bearer {}", sandbox.key(args)));
    [ours, theirs, format!("Bearer {}", sandbox.key(&["all", "--scope", "route,operate"]))]
}

#[test]
fn after_a_restart_an_answer_belongs_to_the_team_that_paid_for_it() {
    let upstream = Upstream::with(keeps);
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let [ours, theirs, operators] = keys(&sandbox);
    let nobodys = format!("Bearer {}", sandbox.key(&["none"]));
    let with =
        |front: &Front<'_>, ask: Ask, key: &str| ask.header("authorization", key).send(front.address());
    let front = sandbox.serve(&setup);
    let made =
        [false, true].map(|stream| id(&with(&front, ask("gpt-4.1", &json!({"stream": stream})), &ours)));
    let own = id(&with(&front, ask("gpt-4.1", &json!({})), &nobodys));
    let unkept = id(&with(&front, ask("gpt-4.1", &json!({"store": false})), &ours));
    front.stop();
    let front = sandbox.serve(&setup);
    let served = upstream.served().len();
    for (id, key) in made.iter().flat_map(|id| [(id, &theirs), (id, &nobodys)]).chain([(&own, &theirs)]) {
        for method in ["GET", "DELETE"] {
            let answer = with(&front, Ask::get(&format!("/v1/responses/{id}")).method(method), key);
            assert_eq!(
                (answer.status(), &answer.json()["error"]["code"]),
                (404, &json!("response_not_found"))
            );
            assert!(answer.text().contains("of your team"), "{}", answer.text());
        }
        let further = with(&front, ask("gpt-4.1", &json!({"previous_response_id": id})), key);
        let param = &further.json()["error"]["param"];
        assert_eq!((further.status(), param), (400, &json!("previous_response_id")));
    }
    let unkept = with(&front, Ask::get(&format!("/v1/responses/{unkept}")), &ours);
    assert_eq!(unkept.status(), 404);
    assert!(unkept.text().contains("was not to be kept"), "{}", unkept.text());
    assert_eq!(upstream.served().len(), served, "the provider was asked, or told to delete it");
    for (id, key) in made.iter().flat_map(|id| [(id, &ours), (id, &operators)]).chain([(&own, &nobodys)]) {
        let path = format!("/v1/responses/{id}");
        let fetched = with(&front, Ask::get(&path), key);
        assert_eq!((fetched.status(), &fetched.json()["id"]), (200, &json!(id)));
        assert_eq!(with(&front, Ask::get(&format!("{path}/input_items")), key).status(), 200);
        let cancelled = with(&front, Ask::post(&format!("{path}/cancel"), &json!({})), key);
        assert_eq!(cancelled.json()["status"], "cancelled");
        let further = with(&front, ask("gpt-4.1", &json!({"previous_response_id": id})), key);
        assert_eq!(further.status(), 200, "{}", further.text());
        assert_eq!(with(&front, Ask::get(&path).method("DELETE"), key).status(), 200);
    }
    assert_eq!(front.settle().len(), 9, "four answers and five that went on from them");
}

#[test]
fn without_a_ledger_it_is_said_that_nobody_knows_any_more_whose_an_answer_was() {
    let upstream = Upstream::with(keeps);
    let setup = setup(&upstream).args(&["--no-ledger"]);
    let sandbox = Sandbox::new(&setup);
    let [ours, theirs, operators] = keys(&sandbox);
    let front = sandbox.serve(&setup);
    let made = id(&ask("gpt-4.1", &json!({})).header("authorization", &ours).send(front.address()));
    front.stop();
    let front = sandbox.serve(&setup);
    let path = format!("/v1/responses/{made}");
    let served = upstream.served().len();
    for method in ["GET", "DELETE"] {
        for key in [&ours, &theirs] {
            let answer = Ask::get(&path).method(method).header("authorization", key).send(front.address());
            let error = &answer.json()["error"];
            assert_eq!((answer.status(), &error["code"]), (404, &json!("response_not_found")), "{method}");
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains(&made) && message.contains("before the gateway's last start"),
                "{message}"
            );
        }
    }
    assert_eq!(upstream.served().len(), served, "the provider was asked, or told to delete it");
    // Who sees everything needs no word of whose it was.
    let fetched = Ask::get(&path).header("authorization", &operators).send(front.address());
    assert_eq!((fetched.status(), &fetched.json()["id"]), (200, &json!(made)));
    front.stop();
}

#[test]
fn an_answer_made_in_the_background_is_charged_once_when_it_is_there() {
    let looks = AtomicUsize::new(0);
    let tokens = Tokens { input: 100, output: 10, ..Tokens::default() };
    let upstream = Upstream::with(move |call| {
        let ticket = |status: &str| {
            json!({"id": "resp_bg", "object": "response", "status": status, "model": "gpt-4.1",
            "output": [], "usage": null, "background": true})
        };
        if call.dialect == Dialect::Responses {
            return Reply::json(&ticket("queued"));
        }
        if looks.fetch_add(1, Ordering::Relaxed) == 0 {
            return Reply::json(&ticket("in_progress"));
        }
        let mut whole = ticket("completed");
        whole["output"] = json!([{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": "Monday.", "annotations": []}]}]);
        whole["usage"] = json!({"input_tokens": 100, "output_tokens": 10, "total_tokens": 110});
        Reply::json(&whole)
    });
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let answer = ask("gpt-4.1", &json!({"background": true})).send(front.address());
    assert_eq!((answer.status(), &answer.json()["status"]), (200, &json!("queued")));
    for name in ["operation", "model", "policy"] {
        assert!(answer.header(&format!("pointsman-{name}")).is_some(), "{name}");
    }
    assert!(answer.header("pointsman-cost-usd").is_none(), "nobody knows it yet");
    upstream.wait("the gateway has looked twice", |state| state.served.len() > 2);
    let fetched = get(&front, "resp_bg");
    assert_eq!((fetched.status(), &fetched.json()["status"]), (200, &json!("completed")));
    let rows = front.settle();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(
        (rows[0].kind.as_str(), rows[0].amount),
        ("known", Some(price("gpt-4.1", tokens))),
        "{rows:#?}"
    );
    assert_eq!(rows[0].operation_status, "ok");
}

/// OpenAI adds question and answer of every call to the conversation: the user would find the question twice, and an answer that was
/// thrown away.
#[test]
fn a_conversation_that_the_provider_keeps_hears_each_question_once() {
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url());
    setup.providers =
        setup.providers.replace("name = \"up-chat\"\n", "name = \"up-chat\"\nresponses = true\n");
    setup.policy = "name = \"p\"\nbaseline = \"gpt-4.1\"\n[[route]]\nname = \"all\"\nno_signal = \"small\"\ncheck = \"before\"\n\
        checks = [{ kind = \"regex\", name = \"figures\", matches = '^[0-9]+$' }]\n\
        ladder = [{ rung = \"small\", model = \"gpt-4.1-nano\", threshold = 0 }, { rung = \"large\", model = \"gpt-4.1\" }]\n"
        .to_owned();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let ask = |more: Value| {
        let mut body = json!({"model": "auto", "input": "How many?"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Ask::post("/v1/responses", &body).send(front.address())
    };
    let within = || json!({"conversation": "conv_1"});
    // Its first answer stands, and the verdict is evidence.
    upstream.push(Reply::text("abc"));
    let answer = ask(within());
    assert_eq!(
        (answer.status(), answer.header("pointsman-model")),
        (200, Some("gpt-4.1-nano")),
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("abc"), "{}", answer.text());
    // What may have been kept is not asked again; what was refused at the door is.
    upstream.push(Reply::status(500));
    assert_eq!(ask(within()).status(), 500);
    assert_eq!(upstream.served().len(), 2);
    upstream.push(Reply::status(429).header("retry-after", "0"));
    upstream.push(Reply::text("12"));
    assert_eq!(ask(within()).status(), 200);
    assert_eq!(upstream.served().len(), 4);
    // Without one the ladder goes on as always.
    upstream.push(Reply::text("abc"));
    upstream.push(Reply::text("12"));
    assert_eq!(ask(json!({})).header("pointsman-model"), Some("gpt-4.1"));
    // What nobody got is not kept either.
    upstream.wait("it is deleted", |state| {
        state.served.iter().any(|served| served.call.path.starts_with("/v1/responses/"))
    });
    let rows = front.settle();
    assert!(rows[0].error.contains("did not pass its check"), "{rows:#?}");
}

/// Whoever knows the id of a conversation would have the model read it to him.
#[test]
fn a_conversation_belongs_to_the_team_that_spoke_in_it_first_also_after_a_restart() {
    let upstream = Upstream::start();
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let [ours, theirs, _] = keys(&sandbox);
    let front = sandbox.serve(&setup);
    let within = |front: &Front<'_>, key: &str, conversation: Value| {
        ask("gpt-4.1", &json!({"conversation": conversation}))
            .header("authorization", key)
            .send(front.address())
    };
    assert_eq!(within(&front, &ours, json!("conv_A")).status(), 200);
    front.settle();
    let front = sandbox.serve(&setup);
    for conversation in [json!("conv_A"), json!({"id": "conv_A"})] {
        let answer = within(&front, &theirs, conversation);
        assert_eq!(answer.status(), 400, "{}", answer.text());
        assert!(answer.text().contains("no conversation conv_A of your team"), "{}", answer.text());
    }
    assert_eq!(within(&front, &ours, json!("conv_A")).status(), 200);
    assert_eq!(within(&front, &theirs, json!("conv_B")).status(), 200);
    front.stop();
}

/// Whoever has seen the id of an item would have the model repeat it.
#[test]
fn items_of_an_answer_belong_to_the_team_that_paid_for_it_also_after_a_restart() {
    let upstream = Upstream::start();
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let [ours, theirs, _] = keys(&sandbox);
    let front = sandbox.serve(&setup);
    let answer = ask("gpt-4.1", &json!({})).header("authorization", &ours).send(front.address());
    let item = answer.json()["output"][0]["id"].as_str().unwrap().to_owned();
    front.settle();
    let front = sandbox.serve(&setup);
    let naming = |key: &str, item: Value| {
        ask("gpt-4.1", &json!({"input": [item, {"role": "user", "content": "Repeat it."}]}))
            .header("authorization", key)
            .send(front.address())
    };
    for named in [json!({"type": "item_reference", "id": item}), json!({"id": item})] {
        let answer = naming(&theirs, named.clone());
        assert_eq!(answer.status(), 400, "{named}: {}", answer.text());
        assert!(answer.text().contains("of your team"), "{}", answer.text());
        assert_eq!(naming(&ours, named).status(), 200);
    }
    assert_eq!(naming(&theirs, json!({"type": "item_reference", "id": "msg_unknown"})).status(), 200);
    front.stop();
}

/// By the ids that its client gave, and by those that it was told of it.
#[test]
fn items_of_what_was_asked_belong_to_the_team_that_asked() {
    let upstream = Upstream::with(keeps);
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let [ours, theirs, _] = keys(&sandbox);
    let front = sandbox.serve(&setup);
    let naming = |key: &str, item: Value| {
        ask("gpt-4.1", &json!({"input": [item, {"role": "user", "content": "Repeat it."}]}))
            .header("authorization", key)
            .send(front.address())
    };
    let said =
        json!({"input": [{"type": "message", "id": "msg_named", "role": "user", "content": "secret"}]});
    let asked = ask("gpt-4.1", &said).header("authorization", &ours).send(front.address());
    let items = format!("/v1/responses/{}/input_items", id(&asked));
    assert_eq!(Ask::get(&items).header("authorization", &ours).send(front.address()).status(), 200);
    for named in ["msg_named", "msg_listed"] {
        let named = json!({"type": "item_reference", "id": named});
        let until = std::time::Instant::now() + PATIENCE;
        while naming(&theirs, named.clone()).status() != 400 {
            assert!(std::time::Instant::now() < until, "{named} is read by another team");
            std::thread::yield_now();
        }
        assert_eq!(naming(&ours, named).status(), 200);
    }
    front.stop();
}

/// Libraries retry a 502 and report an outage; one that hears what is missing sends it anew.
#[test]
fn what_the_client_names_and_nobody_keeps_is_told_as_its_own_and_sent_to_nobody_else() {
    let upstream = Upstream::with(|call| {
        let about = call.body["input"][0]["id"].as_str().unwrap_or_default();
        let error = match about {
            "rs_9" => {
                json!({"message": "Item with id 'rs_9' not found. Items are not persisted when `store` is set to false.",
                "type": "invalid_request_error", "param": "input", "code": null})
            }
            _ => {
                json!({"message": "The model `gpt-4.1` does not exist", "type": "invalid_request_error", "param": null, "code": "model_not_found"})
            }
        };
        Reply { status: 404, ..Reply::json(&json!({"error": error})) }
    });
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let item =
        |at, id: &str| ask("gpt-4.1", &json!({"input": [{"type": "item_reference", "id": id}]})).send(at);
    let lost = item(front.address(), "rs_9");
    let error = lost.json()["error"].clone();
    assert_eq!((lost.status(), &error["param"]), (404, &json!("input")), "{}", lost.text());
    assert!(error["message"].as_str().unwrap().contains("not persisted"), "{error}");
    assert_eq!(
        item(front.address(), "rs_8").status(),
        502,
        "a model that is not there is the gateway's affair"
    );
    front.stop();
    // A few of them would close the model for everybody.
    let mut setup = setup;
    setup.providers = setup.providers.replace("failures = 1000000", "failures = 2");
    let front = sandbox.serve(&setup);
    for _ in 0..4 {
        assert_eq!(item(front.address(), "rs_9").status(), 404, "it is asked each time");
    }
    front.stop();
}

/// A coding agent's session would be a 400 at every turn from the first one on that another provider served.
#[test]
fn thoughts_that_another_provider_sealed_are_left_out_and_told() {
    let upstream = Upstream::with(|call| {
        let is_sealed = call.body["input"]
            .as_array()
            .is_some_and(|items| items.iter().any(|item| item["type"] == "reasoning"));
        if !is_sealed {
            return Reply::default();
        }
        let error = json!({"error": {"message": "The encrypted content gAAA.. could not be verified.", "type": "invalid_request_error",
            "code": "invalid_encrypted_content"}});
        Reply { status: 400, ..Reply::json(&error) }
    });
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for stream in [false, true] {
        let input = json!([{"role": "user", "content": "x"}, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "y"}]}, {"role": "user", "content": "z"}]);
        let answer =
            ask("gpt-4.1", &json!({"input": input, "store": false, "stream": stream})).send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert!(answer.header("pointsman-left-out").unwrap_or_default().contains("input (reasoning)"));
    }
    assert_eq!(upstream.served().len(), 4, "each was asked once more, and not again");
    front.settle();
}

/// The model would work without its thoughts in each later turn, though only their ids are gone.
#[test]
fn thoughts_that_are_not_kept_go_along_sealed_without_their_ids() {
    let upstream = Upstream::with(|call| {
        let has_id = |item: &Value| item["type"] == "reasoning" && item.get("id").is_some();
        if !call.body["input"].as_array().is_some_and(|items| items.iter().any(has_id)) {
            return Reply::default();
        }
        let error = json!({"error": {"message": "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.",
            "type": "invalid_request_error", "param": "input", "code": null}});
        Reply { status: 404, ..Reply::json(&error) }
    });
    let setup = setup(&upstream);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let input = json!([{"role": "user", "content": "x"}, {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"role": "user", "content": "z"}]);
    let answer = ask("gpt-4.1", &json!({"input": input, "store": false})).send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.header("pointsman-left-out"), Some("input (reasoning ids)"));
    let served = upstream.served();
    assert_eq!(served.len(), 2);
    let item = &served[1].call.body["input"][1];
    assert_eq!((&item["encrypted_content"], item.get("id")), (&json!("gAAA"), None), "{item}");
    front.settle();
}
