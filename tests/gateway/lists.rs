//! What is asked beside the traffic: lists of models and counts of tokens. Nothing of it is charged.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::upstream::{At, Call, Fault, Reply, Upstream};

/// Lists as each provider gives them.
fn lists(call: &Call) -> Reply {
    if call.path.starts_with("/v1beta/models?") {
        let does = json!(["generateContent", "countTokens"]);
        return Reply::json(&json!({"models": [
            {"name": "models/gemini-2.5-flash", "displayName": "Gemini 2.5 Flash", "supportedGenerationMethods": does},
            {"name": "models/gemini-voice", "supportedGenerationMethods": ["bidiGenerateContent"]},
        ]}));
    }
    if call.path.starts_with("/v1/models?limit=") {
        let model = |id: &str, name: &str| json!({"type": "model", "id": id, "display_name": name, "created_at": "2026-02-05T00:00:00Z"});
        return Reply::json(
            &json!({"data": [model("claude-opus-4-6", "Claude Opus 4.6"), model("claude-haiku-4-5", "Haiku")],
            "has_more": false, "first_id": "claude-opus-4-6", "last_id": "claude-haiku-4-5"}),
        );
    }
    if call.path == "/v1/models" {
        let model =
            |id: &str| json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "system"});
        let all =
            ["gpt-4.1-mini", "gpt-4.1", "dall-e-3", "claude-of-others", "mistral-small-2503"].map(model);
        return Reply::json(&json!({"object": "list", "data": all}));
    }
    Reply::default()
}

fn ids(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect()
}

#[test]
fn models_that_patterns_serve_are_listed_as_their_provider_lists_them() {
    let upstream = Upstream::with(lists);
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let list = Ask::get("/models").send(front.address()).json();
    let found = ids(&list);
    assert_eq!(&found[..4], ["auto", "auto/everything", "gpt-4.1", "gpt-4.1-nano"]);
    for id in
        ["gpt-4.1-mini", "claude-opus-4-6", "claude-haiku-4-5", "gemini-2.5-flash", "mistral-small-2503"]
    {
        assert_eq!(found.iter().filter(|known| **known == id).count(), 1, "{id} in {found:?}");
    }
    for id in ["dall-e-3", "claude-of-others", "gemini-voice"] {
        assert!(!found.contains(&id), "{id} would not be served by whoever lists it");
    }
    let mini = list["data"].as_array().unwrap().iter().find(|model| model["id"] == "gpt-4.1-mini").unwrap();
    assert_eq!((&mini["owned_by"], &mini["created"]), (&json!("up-chat"), &json!(1_700_000_000)));
    let asked = upstream.served().len();
    assert_eq!(asked, 4, "each provider is asked once");

    let anthropic =
        |path: &str| Ask::get(path).header("anthropic-version", "2023-06-01").send(front.address());
    let (mut after, mut seen) = (String::new(), Vec::new());
    loop {
        let page = anthropic(&format!("/v1/models?limit=3{after}")).json();
        seen.extend(ids(&page).into_iter().map(str::to_owned));
        assert_eq!(page["last_id"], json!(seen.last()));
        if page["has_more"] == false {
            break;
        }
        after = format!("&after_id={}", seen.last().unwrap().replace('/', "%2F"));
        assert!(seen.len() < 100);
    }
    assert_eq!(seen, found);
    let opus = anthropic("/v1/models/claude-opus-4-6").json();
    assert_eq!((&opus["display_name"], &opus["type"]), (&json!("Claude Opus 4.6"), &json!("model")));
    let gemini = Ask::get("/v1beta/models/gemini-2.5-flash").send(front.address()).json();
    assert_eq!(gemini["name"], "models/gemini-2.5-flash");

    // Served, though nobody lists it: by pattern, by its provider's name, as a route.
    for name in
        ["gpt-9", "up-chat%2Fgpt-4.1", "up-messages/claude-opus-4-6", "auto/everything", "auto%2Feverything"]
    {
        for path in [format!("/v1/models/{name}"), format!("/models/{name}/")] {
            let answer = Ask::get(&path).send(front.address());
            assert_eq!(answer.status(), 200, "{path}");
            assert_eq!(answer.json()["id"], name.replace("%2F", "/"));
        }
    }
    for name in ["dall-e-3", "auto/nowhere", "nobody/gpt-4.1"] {
        let answer = Ask::get(&format!("/v1/models/{name}")).send(front.address());
        assert_eq!(answer.status(), 404, "{name}");
        assert_eq!(answer.json()["error"]["code"], "model_not_found");
        let answer = anthropic(&format!("/v1/models/{name}"));
        assert_eq!(answer.json()["error"]["type"], "not_found_error");
    }
    assert_eq!(upstream.served().len(), asked, "what was told holds for a while");
    assert!(front.settle().is_empty(), "a list costs nothing");
}

#[test]
fn a_provider_that_gives_no_list_takes_nothing_from_the_others() {
    let upstream = Upstream::with(|call| match call.path.as_str() {
        "/v1/models" => Reply { status: 500, ..Reply::json(&json!({"error": {"message": "no"}})) },
        path if path.contains("limit=") => Reply::json(&json!("nonsense")),
        _ => lists(call),
    });
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let list = Ask::get("/v1/models").send(front.address()).json();
    let real: Vec<&str> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|model| {
            !model["owned_by"].as_str().unwrap().contains("SIMULATED") && model["id"] != "simulated"
        })
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    assert_eq!(real, ["auto", "auto/everything", "gpt-4.1", "gpt-4.1-nano", "gemini-2.5-flash"]);
}

#[test]
fn without_keys_the_models_that_would_be_made_up_are_listed() {
    let mut setup = Setup::of("http://127.0.0.1:9");
    setup.providers = "[simulated]\nspeed = 0\n".to_owned();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let list = Ask::get("/v1/models").send(front.address()).json();
    for id in ["auto", "gpt-4.1", "claude-opus-4-6", "gemini-2.5-flash", "simulated"] {
        assert!(ids(&list).contains(&id), "{id} is not in {list}");
    }
    for path in ["/v1/models/gpt-4.1", "/v1/models/claude-opus-4-6", "/v1/models/gpt-of-tomorrow"] {
        let model = Ask::get(path).send(front.address()).json();
        assert!(model["owned_by"].as_str().unwrap().ends_with("(SIMULATED)"), "{model}");
        let model = Ask::get(path).header("anthropic-version", "2023-06-01").send(front.address()).json();
        assert!(model["display_name"].as_str().unwrap().ends_with("(SIMULATED)"), "{model}");
    }
}

fn count(model: &str) -> Ask {
    let body = json!({"model": model, "system": "Be brief.", "messages": [{"role": "user", "content": "What is due?"}],
        "tools": [{"name": "t", "description": "d", "input_schema": {"type": "object"}}]});
    Ask::post("/v1/messages/count_tokens", &body).header("anthropic-beta", "token-efficient-tools-2025-02-19")
}

#[test]
fn tokens_are_counted_by_the_provider_that_would_get_the_request() {
    let upstream = Upstream::with(|call| match call.path.as_str() {
        "/v1/messages/count_tokens" => Reply::json(&json!({"input_tokens": 4_321})),
        path if path.ends_with(":countTokens") => Reply::json(&json!({"totalTokens": 77})),
        _ => Reply::default(),
    });
    let mut setup = Setup::of(&upstream.url());
    setup.policy = setup.policy.replace("gpt-4.1-nano", "claude-haiku-4-5");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for (model, tokens, by) in [
        ("claude-opus-4-6", Some(4_321), "provider"),
        ("auto", Some(4_321), "provider"),
        ("gemini-2.5-flash", Some(77), "provider"),
        ("gpt-4.1", None, "estimate"),
    ] {
        let answer = count(model).send(front.address());
        assert_eq!((answer.status(), answer.header("pointsman-count")), (200, Some(by)), "{model}");
        let told = answer.json()["input_tokens"].as_u64().unwrap();
        assert!(tokens.is_none_or(|tokens| tokens == told) && told > 0, "{model}: {told}");
    }
    let served = upstream.served();
    let models: Vec<&str> = served.iter().map(|served| served.call.model.as_str()).collect();
    assert_eq!(models, ["claude-opus-4-6", "claude-haiku-4-5", "gemini-2.5-flash"]);
    assert_eq!(served[0].header("anthropic-beta"), Some("token-efficient-tools-2025-02-19"));
    assert!(served[0].call.body.get("max_tokens").is_none(), "{}", served[0].call.body);
    let wrapped = &served[2].call.body["generateContentRequest"];
    assert_eq!(wrapped["model"], "models/gemini-2.5-flash");
    assert!(wrapped["contents"].is_array() && wrapped["tools"].is_array(), "{wrapped}");
    assert!(front.settle().is_empty(), "a count costs nothing");
}

#[test]
fn tokens_of_a_response_are_counted_by_openai_or_estimated() {
    let upstream = Upstream::with(|call| match call.path.as_str() {
        "/v1/responses/input_tokens" => {
            Reply::json(&json!({"object": "response.input_tokens", "input_tokens": 11}))
        }
        "/v1/messages/count_tokens" => Reply::json(&json!({"input_tokens": 4_321})),
        _ => Reply::default(),
    });
    let mut setup = Setup::of(&upstream.url());
    let open = format!(
        "[[provider]]\nname = \"keeps\"\ndialect = \"openai\"\nbase_url = \"{}/v1\"\nmodels = [\"keeps-*\"]\nresponses = true\n",
        upstream.url()
    );
    setup.providers += &open;
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for (model, tokens, by) in [
        ("keeps-1", Some(11), "provider"),
        ("claude-opus-4-6", Some(4_321), "provider"),
        ("gpt-4.1", None, "estimate"),
    ] {
        let body =
            json!({"model": model, "input": "Tell me a joke.", "instructions": "Be brief.", "stream": true});
        let answer = Ask::post("/v1/responses/input_tokens", &body).send(front.address());
        assert_eq!((answer.status(), answer.header("pointsman-count")), (200, Some(by)), "{model}");
        let told = answer.json();
        assert_eq!(told["object"], "response.input_tokens");
        let count = told["input_tokens"].as_u64().unwrap();
        assert!(tokens.is_none_or(|tokens| tokens == count) && count > 0, "{model}: {told}");
    }
    let counted = &upstream.served()[0].call.body;
    assert_eq!(
        counted,
        &json!({"model": "keeps-1", "input": "Tell me a joke.", "instructions": "Be brief."})
    );
    let none = Ask::get("/v1/responses/input_tokens").send(front.address());
    assert_eq!(none.status(), 405);
    assert!(front.settle().is_empty(), "a count costs nothing");
}

#[test]
fn a_count_that_cannot_be_had_is_estimated() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for reply in [
        Reply::status(404),
        Reply { status: 529, ..Reply::json(&json!({"error": {}})) },
        Reply::json(&json!({"input_tokens": "many"})),
        Reply::fault(At::BeforeHeaders, Fault::Reset),
        Reply { body: Some(b"{}".to_vec()), ..Reply::fault(At::BeforeHeaders, Fault::Stall) },
    ] {
        upstream.push(reply);
        let answer = count("claude-opus-4-6").send(front.address());
        assert_eq!((answer.status(), answer.header("pointsman-count")), (200, Some("estimate")));
        assert!(answer.json()["input_tokens"].as_u64().unwrap() > 10);
    }
    // A document is not as long as its bytes, nor text as its escapes.
    let data = "QUJD".repeat(50_000);
    let document = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}});
    let of = |content: Value| {
        let body = json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": content}]});
        let answer = Ask::post("/v1/messages/count_tokens", &body).send(front.address());
        answer.json()["input_tokens"].as_u64().unwrap()
    };
    let counted = of(json!([document, {"type": "text", "text": "Sum it up."}]));
    assert!((1_000..20_000).contains(&counted), "{counted}");
    let result = json!([{"type": "tool_result", "tool_use_id": "a", "content": [document]}]);
    assert!((1_000..20_000).contains(&of(result)));
    let plain = of(json!("東京に行きたいです。".repeat(50)));
    let mut escaped = String::new();
    for c in "東京に行きたいです。".repeat(50).chars() {
        let _ = write!(escaped, "\\u{:04x}", u32::from(c));
    }
    let body = format!(r#"{{"model":"gpt-4.1","messages":[{{"role":"user","content":"{escaped}"}}]}}"#);
    let answer = Ask::bytes("/v1/messages/count_tokens", body.as_bytes()).send(front.address());
    assert_eq!(answer.json()["input_tokens"].as_u64().unwrap(), plain);
}

#[test]
fn tokens_for_a_model_that_nobody_serves_are_not_counted() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let responses = json!({"model": "nobodys", "input": "x"});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]});
    for ask in [
        count("nobodys"),
        Ask::post("/v1/responses/input_tokens", &responses),
        Ask::post("/v1beta/models/nobodys:countTokens", &gemini),
        Ask::post("/v1beta/models/gpt-4.1:nope", &gemini),
    ] {
        assert_eq!(ask.send(front.address()).status(), 404);
    }
}

#[test]
fn an_answer_that_failed_its_check_is_handed_on_where_no_rung_behind_can_take_the_request() {
    let choice = |at: u64| json!({"index": at, "message": {"role": "assistant", "content": "no JSON"}, "finish_reason": "stop"});
    let whole = json!({"id": "c", "object": "chat.completion", "model": "gpt-4.1-nano", "choices": [choice(0), choice(1)],
        "usage": {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}});
    let upstream = Upstream::with(move |_| Reply::json(&whole));
    let mut setup = Setup::of(&upstream.url());
    setup.policy = setup
        .policy
        .replace("rung = \"large\", model = \"gpt-4.1\"", "rung = \"large\", model = \"claude-haiku-4-5\"");
    setup.policy = setup.policy.replace("no_signal", "stream = { hold = true }\nno_signal");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for stream in [false, true] {
        // Claude gives one answer alone.
        let body = json!({"model": "auto", "messages": [{"role": "user", "content": "x"}], "n": 2, "stream": stream,
            "response_format": {"type": "json_object"}});
        let answer = Ask::post("/v1/chat/completions", &body).send(front.address());
        assert_eq!((answer.status(), answer.header("pointsman-model")), (200, Some("gpt-4.1-nano")));
        assert_eq!(answer.text().matches("no JSON").count(), 2, "{}", answer.text());
    }
    assert_eq!(upstream.served().len(), 2);
    let rows = front.settle();
    assert_eq!(rows.iter().map(|row| row.model.as_str()).collect::<Vec<_>>(), ["gpt-4.1-nano"; 2]);
}
