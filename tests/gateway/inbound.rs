//! Clients of Gemini's and of completions at the gateway: their paths, their keys, both of their streams, and agents' loops
//! on the simulator.

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::upstream::{Reply, Upstream};

fn hello() -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": "What is due?" }] }] })
}

fn text_of(chunks: &[Value]) -> String {
    let part =
        |chunk: &Value| chunk.pointer("/candidates/0/content/parts/0/text")?.as_str().map(str::to_owned);
    chunks.iter().filter_map(part).collect()
}

#[test]
fn geminis_clients_find_their_paths_keys_and_streams() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let key = sandbox.key(&["google"]);
    let front = sandbox.serve(&setup);
    let want = Reply::default().whole_text();
    for model in ["auto", "auto/everything", "gpt-4.1", "claude-opus-4-6", "gemini-2.5-flash"] {
        let at = |method: &str| format!("/v1beta/models/{model}:{method}");
        let whole = Ask::post(&at("generateContent"), &hello()).header("x-goog-api-key", &key);
        let whole = whole.send(front.address());
        assert_eq!(
            (whole.status(), text_of(&[whole.json()])),
            (200, want.clone()),
            "{model}: {}",
            whole.text()
        );
        assert!(whole.header("pointsman-cost-usd").is_some());
        let events = Ask::post(&format!("{}?alt=sse&key={key}", at("streamGenerateContent")), &hello());
        let events = events.send(front.address());
        assert!(events.header("content-type").unwrap().starts_with("text/event-stream"));
        assert_eq!(text_of(&events.chunks()), want, "{model}");
        assert!(
            !events.text().lines().any(|line| line.starts_with(':')),
            "Google's package reads no comments"
        );
        let list = Ask::post(&at("streamGenerateContent"), &hello()).header("x-goog-api-key", &key);
        let list = list.send(front.address());
        assert_eq!((list.header("content-type"), list.sound), (Some("application/json"), true));
        let Value::Array(chunks) = list.json() else { panic!("a list: {}", list.text()) };
        assert_eq!(text_of(&chunks), want, "{model}");
        let counted = Ask::post(&at("countTokens"), &json!({ "generateContentRequest": hello() }));
        let counted = counted.header("x-goog-api-key", &key).send(front.address());
        assert!(counted.json()["totalTokens"].as_u64().unwrap() > 0, "{}", counted.text());
    }
    for path in ["/v1beta/models", "/v1/models"] {
        let models = Ask::get(path).header("x-goog-api-key", &key).send(front.address()).json();
        assert_eq!(models["models"][0]["name"], "models/auto", "{path}");
    }
    let stranger = Ask::post("/v1beta/models/auto:generateContent", &hello()).send(front.address());
    assert_eq!((stranger.status(), &stranger.json()["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
    let got =
        Ask::get("/v1beta/models/auto:generateContent").header("x-goog-api-key", &key).send(front.address());
    assert_eq!(got.status(), 405);
    // The model stands in the address, and the body goes to Gemini as it came.
    let sent =
        upstream.served().into_iter().find(|served| served.call.path.contains("gemini-2.5-flash:generate"));
    assert_eq!(sent.unwrap().call.body, hello());
    front.settle();
}

#[test]
fn completions_go_as_chat_or_as_they_came() {
    let native = json!({ "id": "cmpl-1", "object": "text_completion", "model": "open-1", "choices": [{ "index": 0, "text": "ab",
        "finish_reason": "stop", "logprobs": null }], "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 } });
    let body = native.to_string().into_bytes();
    let upstream = Upstream::with(move |call| {
        if call.path.ends_with("/v1/completions") {
            return Reply { body: Some(body.clone()), ..Reply::default() };
        }
        Reply::default()
    });
    let mut setup = Setup::of(&upstream.url());
    let open = format!(
        "[[provider]]\nname = \"open\"\ndialect = \"openai\"\nbase_url = \"{}/v1\"\nmodels = [\"open-*\"]\ncompletions = true\n",
        upstream.url()
    );
    setup.providers += &open;
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for path in ["/v1/completions", "/completions"] {
        let answer =
            Ask::post(path, &json!({ "model": "gpt-4.1", "prompt": "Once" })).send(front.address()).json();
        assert_eq!(answer["object"], "text_completion");
        assert_eq!(answer["choices"][0]["text"], Reply::default().whole_text().as_str());
    }
    let asked = json!({ "model": "open-1", "prompt": ["Once", "Twice"], "logprobs": 2 });
    let answer = Ask::post("/v1/completions", &asked).send(front.address());
    assert_eq!(answer.json(), native);
    assert_eq!(upstream.served().last().unwrap().call.body, asked);
    let refused = json!({ "model": "gpt-4.1", "prompt": ["Once", "Twice"] });
    let refused = Ask::post("/v1/completions", &refused).send(front.address());
    assert_eq!(
        (refused.status(), &refused.json()["error"]["param"]),
        (400, &json!("prompt")),
        "{}",
        refused.text()
    );
    front.settle();
}

#[test]
fn a_client_of_functions_is_served_by_mistral() {
    let upstream = Upstream::with(|call| {
        assert!(call.is_mistral());
        Reply::json(&json!({"id": "c1", "object": "chat.completion", "model": "mistral-small-2503",
            "usage": {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14},
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "",
                "tool_calls": [{"id": "a1b2c3d4e", "function": {"name": "due", "arguments": "{\"day\":1}"}}]}}]}))
    });
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for stream in [false, true] {
        let body = json!({"model": "mistral-small-2503", "stream": stream, "messages": [{"role": "user", "content": "x"}],
            "functions": [{"name": "due", "parameters": {"type": "object"}}]});
        let answer = Ask::post("/v1/chat/completions", &body).send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let events = if stream { answer.chunks() } else { vec![answer.json()] };
        let said = |key: &str| {
            let at = format!("/choices/0/{}/function_call/{key}", if stream { "delta" } else { "message" });
            let part = |event: &Value| event.pointer(&at)?.as_str().map(str::to_owned);
            events.iter().filter_map(part).collect::<String>()
        };
        assert_eq!((said("name").as_str(), said("arguments").as_str()), ("due", "{\"day\":1}"), "{stream}");
        let ends = |event: &Value| event["choices"][0]["finish_reason"] == "function_call";
        assert!(events.iter().any(ends) && !answer.text().contains("tool_calls"), "{}", answer.text());
    }
    assert_eq!(front.settle().len(), 2);
}

/// An answer to either kind of request for embeddings: as many vectors as there are texts.
fn vectors(path: &str, body: &Value) -> Reply {
    let list = body["requests"].as_array().or_else(|| body["input"].as_array());
    let count = list.map_or(0, Vec::len);
    let vector = |at: usize| json!([at, 0.5]);
    if path.ends_with(":batchEmbedContents") {
        let all: Vec<Value> = (0..count).map(|at| json!({ "values": vector(at) })).collect();
        return Reply::json(&json!({ "embeddings": all, "usageMetadata": { "promptTokenCount": 3 } }));
    }
    let all: Vec<Value> = (0..count).map(|at| json!({ "index": at, "embedding": vector(at) })).collect();
    Reply::json(
        &json!({ "object": "list", "data": all, "model": "e", "usage": { "prompt_tokens": 3, "total_tokens": 3 } }),
    )
}

#[test]
fn embeddings_in_geminis_form_are_had_of_every_provider_that_has_any() {
    let upstream = Upstream::with(|call| vectors(&call.path, &call.body));
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let text = |text: &str| json!({ "parts": [{ "text": text }] });
    for (model, told) in [("gemini-embedding-001", None), ("text-embedding-3-small", Some("taskType"))] {
        let named = format!("models/{model}");
        let one = json!({ "content": text("a"), "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 2, "model": named });
        let many = json!({ "requests": [
            { "model": named, "content": text("a"), "output_dimensionality": 2 },
            { "model": named, "content": text("b"), "output_dimensionality": 2 },
        ] });
        let at = |method: &str| format!("/v1beta/models/{model}:{method}");
        let answer = Ask::post(&at("embedContent"), &one).send(front.address());
        assert_eq!(answer.status(), 200, "{model}: {}", answer.text());
        assert_eq!(answer.json()["embedding"], json!({ "values": [0, 0.5] }), "{model}");
        assert_eq!(answer.json()["usageMetadata"]["promptTokenCount"], 3, "{model}");
        assert_eq!(answer.header("pointsman-left-out"), told, "{model}");
        let answer = Ask::post(&at("batchEmbedContents"), &many).send(front.address());
        let want = json!([{ "values": [0, 0.5] }, { "values": [1, 0.5] }]);
        assert_eq!(answer.json()["embeddings"], want, "{model}");
    }
    let bodies: Vec<Value> = upstream.served().into_iter().map(|served| served.call.body).collect();
    let native = &bodies[0]["requests"][0];
    assert_eq!(
        (&native["model"], &native["taskType"]),
        (&json!("models/gemini-embedding-001"), &json!("RETRIEVAL_QUERY"))
    );
    assert_eq!(
        bodies[3],
        json!({ "model": "text-embedding-3-small", "input": ["a", "b"], "encoding_format": "float", "dimensions": 2 })
    );
    let picture =
        json!({ "content": { "parts": [{ "inlineData": { "mimeType": "image/png", "data": "AA" } }] } });
    let refused =
        Ask::post("/v1beta/models/text-embedding-3-small:embedContent", &picture).send(front.address());
    assert_eq!((refused.status(), &refused.json()["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
    assert!(refused.text().contains("content.parts"), "{}", refused.text());
    let lines = front.settle();
    let charged: Vec<&str> = lines.iter().map(|row| row.kind.as_str()).collect();
    assert_eq!(charged, ["known"; 5], "vectors are no tokens of output: {lines:?}");
}

#[test]
fn an_agents_loop_runs_on_the_simulator_in_every_dialect() {
    let mut setup = Setup::of("http://127.0.0.1:9");
    setup.providers = "[simulated]\nspeed = 0\n".to_owned();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let schema = json!({ "type": "object", "properties": { "command": { "type": "string" } }, "required": ["command"] });
    let prompt = "List the files here";

    let tool = json!({ "name": "Bash", "input_schema": schema });
    let mut body = json!({ "model": "simulated", "max_tokens": 999, "tools": [tool], "messages": [{ "role": "user", "content": prompt }] });
    let first = Ask::post("/v1/messages", &body).send(front.address()).json();
    assert_eq!(first["stop_reason"], "tool_use", "{first}");
    let call = first["content"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&call["name"], &call["input"]), (&json!("Bash"), &json!({ "command": "ls" })));
    let result = json!({ "type": "tool_result", "tool_use_id": call["id"], "content": "Cargo.toml" });
    body["messages"].as_array_mut().unwrap().extend([
        json!({ "role": "assistant", "content": first["content"] }),
        json!({ "role": "user", "content": [result] }),
    ]);
    let last = Ask::post("/v1/messages", &body).send(front.address()).json();
    let said = last["content"][0]["text"].as_str().unwrap();
    assert!(said.starts_with("SIMULATED") && said.contains("Cargo.toml"), "{last}");

    let tool = json!({ "type": "function", "name": "shell", "parameters": schema });
    let mut body =
        json!({ "model": "simulated", "input": [{ "role": "user", "content": prompt }], "tools": [tool] });
    let first = Ask::post("/v1/responses", &body).send(front.address()).json();
    let call = first["output"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["type"] == "function_call")
        .unwrap()
        .clone();
    let output =
        json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "Cargo.toml" });
    body["input"].as_array_mut().unwrap().extend([call, output]);
    let last = Ask::post("/v1/responses", &body).send(front.address()).json();
    assert!(last["output"].to_string().contains("Cargo.toml"), "{last}");

    let tool =
        json!({ "functionDeclarations": [{ "name": "run_shell_command", "parametersJsonSchema": schema }] });
    let mut body =
        json!({ "contents": [{ "role": "user", "parts": [{ "text": prompt }] }], "tools": [tool] });
    let path = "/v1beta/models/simulated:generateContent";
    let first = Ask::post(path, &body).send(front.address()).json();
    let content = first["candidates"][0]["content"].clone();
    let call = &content["parts"][0]["functionCall"];
    assert_eq!(call["args"], json!({ "command": "ls" }), "{first}");
    let result =
        json!({ "functionResponse": { "name": call["name"], "response": { "output": "Cargo.toml" } } });
    body["contents"]
        .as_array_mut()
        .unwrap()
        .extend([content.clone(), json!({ "role": "user", "parts": [result] })]);
    let last = Ask::post(path, &body).send(front.address()).json();
    assert!(text_of(std::slice::from_ref(&last)).contains("Cargo.toml"), "{last}");
    front.settle();
}

/// Agents take answers, and calls of tools, of one id for one: what they log of parallel requests would be counted once.
#[test]
fn answers_that_a_provider_gives_no_id_have_one_of_their_own() {
    let whole = json!({ "object": "chat.completion", "model": "gpt-4.1", "choices": [{ "index": 0, "finish_reason": "tool_calls",
        "message": { "role": "assistant", "content": null,
            "tool_calls": [{ "type": "function", "function": { "name": "look", "arguments": "{}" } }] } }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13 } });
    let upstream = Upstream::with(move |_| Reply::json(&whole));
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let look = json!({ "type": "object", "properties": {} });
    let (messages, responses, gemini) =
        ("/v1/messages", "/v1/responses", "/v1beta/models/gpt-4.1:generateContent");
    for (path, body, id, call) in [
        (
            messages,
            json!({ "model": "gpt-4.1", "max_tokens": 9, "messages": [{ "role": "user", "content": "x" }],
                "tools": [{ "name": "look", "input_schema": look }] }),
            "/id",
            "/content/0/id",
        ),
        (
            responses,
            json!({ "model": "gpt-4.1", "input": "x", "tools": [{ "type": "function", "name": "look", "parameters": look }] }),
            "/id",
            "/output/0/call_id",
        ),
        (
            gemini,
            json!({ "contents": [{ "role": "user", "parts": [{ "text": "x" }] }],
                "tools": [{ "functionDeclarations": [{ "name": "look" }] }] }),
            "/responseId",
            "/candidates/0/content/parts/0/functionCall/id",
        ),
    ] {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let answer = Ask::post(path, &body).send(front.address()).json();
            for place in [id, call] {
                let id = answer
                    .pointer(place)
                    .and_then(|id| id.as_str())
                    .unwrap_or_else(|| panic!("{path}: {answer}"));
                assert!(seen.insert(id.to_owned()), "{path}: {id} twice");
            }
        }
    }
    front.settle();
}
