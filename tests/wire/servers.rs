//! What servers refuse in a request of their own dialect, or of a client whose dialect knows no such bound: long ids, users' names,
//! words right after results, kinds of pictures; and what lies elsewhere, whatever form it is written in.

use bytes::Bytes;
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Accent, Ask, Form, Known, Sending, framed, is_answered_whole};
use serde_json::{Value, json};

use super::{ask, refused, sent};

fn put(from: Dialect, body: &Value, to: Dialect, model: &str, known: &Known) -> Value {
    let sending = Sending { known, ..Sending::default() };
    serde_json::from_slice(&ask(from, body).body_for(to, model, &sending).unwrap().body).unwrap()
}

/// vLLM's ids have 46 characters: each later turn of a conversation that it began would be a 400 at OpenAI.
#[test]
fn long_ids_of_calls_are_short_for_openai_and_results_find_their_calls() {
    let id = format!("chatcmpl-tool-{}", "0123456789abcdef".repeat(2));
    let call = json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": id, "content": "y"}]});
    let own = Known { is_openais: true, ..Known::default() };
    let got = put(OpenAiChat, &chat, OpenAiChat, "gpt-4.1", &own);
    let short = got["messages"][1]["tool_calls"][0]["id"].as_str().unwrap();
    assert!(short.len() <= 40 && got["messages"][2]["tool_call_id"] == short, "{got}");
    assert_eq!(
        put(OpenAiChat, &chat, OpenAiChat, "m", &Known::default())["messages"],
        chat["messages"],
        "vLLM knows it"
    );
    let long = "f".repeat(70);
    let items = json!({"model": "m", "input": [{"role": "user", "content": "x"},
        {"type": "function_call", "call_id": long, "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": long, "output": "y"}]});
    let got = put(OpenAiResponses, &items, OpenAiResponses, "gpt-5", &own);
    assert!(got["input"][1]["call_id"].as_str().unwrap().len() <= 64, "{got}");
    assert_eq!(got["input"][1]["call_id"], got["input"][2]["call_id"]);
}

/// Claude Code names its user by an object in a text: `DeepSeek`, Zhipu and others answer that with 400 at every request.
#[test]
fn an_end_user_has_a_plain_name_at_servers_that_want_one() {
    let names = ["{\"device_id\":\"d\",\"session_id\":\"s\"}", "me@corp.example", "u", "user_0123"];
    for (name, stays) in names.into_iter().zip([false, false, false, true]) {
        let body = json!({"model": "m", "max_tokens": 9, "metadata": {"user_id": name, "k": 1}, "messages": [{"role": "user", "content": "x"}]});
        let plain = Known { plain_users: true, ..Known::default() };
        let got = put(AnthropicMessages, &body, AnthropicMessages, "m", &plain);
        let user = got["metadata"]["user_id"].as_str().unwrap();
        assert_eq!(user == name, stays, "{got}");
        assert!(
            (6..=128).contains(&user.len()) && user.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
            "{user}"
        );
        assert_eq!(got["metadata"]["k"], 1);
        assert_eq!(
            put(AnthropicMessages, &body, AnthropicMessages, "m", &Known::default())["metadata"],
            body["metadata"]
        );
    }
}

/// 400 "Unexpected role 'user' after role 'tool'" at the second turn of every loop, whoever serves such a model.
#[test]
fn models_that_take_no_word_after_results_get_a_turn_between() {
    let known = Known { wants_turn_after_tools: true, ..Known::default() };
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let chat = |more: Value| {
        let mut turns = json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "y"}]);
        turns.as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
        json!({"model": "m", "messages": turns})
    };
    let messages = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "y"}, {"type": "text", "text": "hint"}]}]});
    let roles = |body: &Value| -> Vec<String> {
        body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|said| said["role"].as_str().unwrap().to_owned())
            .collect()
    };
    let between = ["user", "assistant", "tool", "assistant", "user"];
    let said = chat(json!([{"role": "user", "content": "hint"}]));
    assert_eq!(roles(&put(OpenAiChat, &said, OpenAiChat, "devstral", &known)), between);
    assert_eq!(roles(&put(AnthropicMessages, &messages, OpenAiChat, "devstral", &known)), between);
    let told = chat(json!([{"role": "system", "content": "hint"}]));
    assert_eq!(
        roles(&put(OpenAiChat, &told, OpenAiChat, "devstral", &known)),
        ["user", "assistant", "tool", "assistant", "system"]
    );
    let older = Known { older_chat: true, ..known.clone() };
    assert_eq!(roles(&put(OpenAiChat, &told, OpenAiChat, "mixtral", &older)), between);
    let goes_on = chat(json!([{"role": "assistant", "content": "done"}]));
    assert_eq!(put(OpenAiChat, &goes_on, OpenAiChat, "devstral", &known)["messages"], goes_on["messages"]);
}

/// A coding agent is within a loop in nearly every request: it would have no thinking from the second one on.
#[test]
fn an_effort_holds_in_the_midst_of_calls_where_claude_thinks_as_it_sees_fit() {
    let body = json!({"model": "m", "reasoning": {"effort": "medium"}, "input": [{"role": "user", "content": "x"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "y"}]});
    let got = sent(OpenAiResponses, &body, AnthropicMessages, "claude-opus-4-8");
    assert_eq!(
        (&got["thinking"]["type"], &got["output_config"]["effort"]),
        (&json!("adaptive"), &json!("medium")),
        "{got}"
    );
    let got = sent(OpenAiResponses, &body, AnthropicMessages, "claude-sonnet-4-5");
    assert!(got.get("thinking").is_none(), "a budget wants a thought before the calls: {got}");
}

/// The turn stands in the history: each later one would be a 400 there, and a rung that takes it would not be asked.
#[test]
fn pictures_that_claude_and_converse_do_not_take_are_refused_by_name() {
    let picture = |kind: &str, bytes: &str| {
        json!({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": format!("data:{kind};base64,{bytes}")}}]}]})
    };
    assert!(
        refused(OpenAiChat, &picture("image/heic", "AAAAGGZ0"), AnthropicMessages).contains("image/heic")
    );
    let got =
        sent(OpenAiChat, &picture("application/octet-stream", "iVBORw0KGgoAAA"), AnthropicMessages, "m");
    assert_eq!(
        got["messages"][0]["content"][0]["source"]["media_type"], "image/png",
        "its bytes say what it is"
    );
    assert!(
        sent(OpenAiChat, &picture("image/heic", "AAAAGGZ0"), Gemini, "gemini-2.5-flash")
            .to_string()
            .contains("heic")
    );
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/heic", "data": "AAAA"}}]}]});
    let told = framed(Form::Converse, Bytes::from(body.to_string()), "claude-opus-4-6", &[])
        .unwrap_err()
        .to_string();
    assert!(told.contains("media_type"), "{told}");
}

/// "Unsupported MIME type: image/jpg", and a document whose address is the document.
#[test]
fn what_bytes_are_is_decided_where_they_are_read() {
    let of = |to: Dialect, from: Dialect, part: Value| {
        let turn = json!([{"role": "user", "content": [part]}]);
        let body = match from {
            Gemini => json!({"contents": [{"parts": [part]}]}),
            AnthropicMessages => json!({"model": "m", "max_tokens": 9, "messages": turn}),
            _ => json!({"model": "m", "messages": turn}),
        };
        let ask = Ask::read_for(from, Bytes::from(body.to_string()), Some("m")).unwrap();
        let model = if to == Gemini { "gemini-2.5-flash" } else { "m" };
        let sending = Sending {
            accent: if to == OpenAiChat { Accent::Mistral } else { Accent::OpenAi },
            ..Sending::default()
        };
        ask.body_for(to, model, &sending)
            .map(|sent| String::from_utf8(sent.body.to_vec()).unwrap())
            .map_err(|error| error.to_string())
    };
    let (jpeg, png, pdf) = ("/9j/4AAQSkZJRg==", "iVBORw0KGgo=", "JVBERi0xLjQK");
    let image = |url: String| json!({"type": "image_url", "image_url": {"url": url}});
    let block =
        |kind: &str| json!({"type": "image", "source": {"type": "base64", "media_type": kind, "data": jpeg}});
    let file = |data: &str| json!({"type": "file", "file": {"file_data": data, "filename": "a.pdf"}});
    let inline = |kind: &str| json!({"inlineData": {"mimeType": kind, "data": jpeg}});
    for (to, from, part, want) in [
        (Gemini, OpenAiChat, image(format!("data:image/jpg;base64,{jpeg}")), "\"mimeType\":\"image/jpeg\""),
        (Gemini, OpenAiChat, image("data:image/jpg;base64,AAAA".to_owned()), "\"mimeType\":\"image/jpeg\""),
        (Gemini, OpenAiChat, image(format!("data:;base64,{png}")), "\"mimeType\":\"image/png\""),
        (
            Gemini,
            OpenAiChat,
            image(format!("data:application/octet-stream;base64,{png}")),
            "\"mimeType\":\"image/png\"",
        ),
        (Gemini, AnthropicMessages, block("image/jpg"), "\"mimeType\":\"image/jpeg\""),
        (
            AnthropicMessages,
            OpenAiChat,
            image(format!("DATA:image/png;base64,{png}")),
            "\"media_type\":\"image/png\"",
        ),
        (AnthropicMessages, OpenAiChat, file(pdf), "\"media_type\":\"application/pdf\""),
        (AnthropicMessages, Gemini, inline("image/jpg"), "\"media_type\":\"image/jpeg\""),
        (OpenAiChat, Gemini, inline("image/jpg"), "data:image/jpeg;base64,/9j"),
        (OpenAiChat, AnthropicMessages, block("image/jpg"), "data:image/jpeg;base64,/9j"),
    ] {
        let got = of(to, from, part.clone()).unwrap();
        assert!(got.contains(want), "{from} to {to}, {part}: {got}");
    }
    let by = |kind: Option<&str>, uri: &str| {
        let mut data = json!({"fileUri": uri});
        if let Some(kind) = kind {
            data["mimeType"] = json!(kind);
        }
        json!({"fileData": data})
    };
    for (part, place) in [
        (by(None, "https://www.youtube.com/watch?v=9hE5-98ZeCg"), "fileData.mimeType"),
        (by(Some("audio/mpeg"), "https://a/v.mp3"), "fileData.mimeType"),
        (by(Some("video/mp4"), "https://a/v.mp4"), "fileData.mimeType"),
        (by(Some("image/svg+xml"), "https://a/p.svg"), "fileData.mimeType"),
    ] {
        for to in [AnthropicMessages, OpenAiChat] {
            let told = of(to, Gemini, part.clone()).unwrap_err();
            assert!(told.contains(place), "{to} {part}: {told}");
        }
    }
    assert!(
        of(AnthropicMessages, Gemini, by(Some("application/pdf"), "https://a/p.pdf"))
            .unwrap()
            .contains("\"url\":\"https://a/p.pdf\"")
    );
    for part in [image("iVBORw0KGgo=".to_owned()), file("not:an address")] {
        assert!(of(AnthropicMessages, OpenAiChat, part).is_err(), "what is no address is not sent as one");
    }
    assert!(of(Gemini, OpenAiChat, image("data:;base64,AAAA".to_owned())).is_err());
}

#[test]
fn llama_is_asked_whole_at_converse_where_tools_are_offered() {
    let with = |tools: Value| {
        let body = json!({"model": "m", "max_tokens": 9, "tools": tools, "messages": [{"role": "user", "content": "say \"toolConfig\":{"}]});
        framed(Form::Converse, Bytes::from(body.to_string()), "meta.llama4-scout", &[]).unwrap().0
    };
    let (tools, none) = (with(json!([{"name": "f", "input_schema": {"type": "object"}}])), with(json!([])));
    assert!(is_answered_whole("meta.llama4-scout", &tools) && !is_answered_whole("meta.llama4-scout", &none));
    assert!(!is_answered_whole("us.anthropic.claude-opus-4-6", &tools));
}

/// A hard budget would hold next to nothing for what may be of any length.
#[test]
fn what_lies_elsewhere_is_known_in_every_form() {
    let is_elsewhere =
        |body: &Value| Ask::read(OpenAiChat, Bytes::from(body.to_string())).unwrap().measures().is_elsewhere;
    let part = |part: Value| json!({"model": "m", "messages": [{"role": "user", "content": [part]}]});
    let more = |name: &str, value: Value| json!({"model": "m", "messages": [{"role": "user", "content": "x"}], name: value});
    for (body, want) in [
        (part(json!({"type": "document_url", "document_url": "https://a.example/x.pdf"})), true),
        (part(json!({"type": "document_url", "document_url": "data:application/pdf;base64,AAAA"})), false),
        (part(json!({"type": "input_audio", "input_audio": "https://a.example/x.mp3"})), true),
        (
            part(
                json!({"type": "input_audio", "input_audio": {"data": "https://a.example/x.mp3", "format": "mp3"}}),
            ),
            true,
        ),
        (part(json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}})), false),
        (part(json!({"type": "audio_url", "audio_url": {"url": "https://a.example/x.mp3"}})), true),
        (part(json!({"type": "audio_url", "audio_url": {"url": "data:audio/mp3;base64,AAAA"}})), false),
        (part(json!({"type": "file", "file": {"file_data": "https://a.example/x.pdf"}})), true),
        (part(json!({"type": "file", "file": {"file_data": "", "file_id": "f"}})), true),
        (part(json!({"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}})), false),
        (part(json!({"type": "input_file", "file_id": "f", "file_data": "AAAA"})), true),
        (more("data_sources", json!([{"type": "azure_search"}])), true),
        (more("search_parameters", json!({"mode": "auto"})), true),
        (more("search_parameters", json!({"mode": "off"})), false),
        (more("enable_search", json!(true)), true),
        (more("enable_search", json!(false)), false),
        (more("data_sources", Value::Null), false),
    ] {
        assert_eq!(is_elsewhere(&body), want, "{body}");
    }
}

/// Claude Code defers what its servers offer: with many of them every request would be a 400 at OpenAI, though it offers few.
#[test]
fn deferred_tools_are_left_out_where_openai_takes_no_more() {
    let tool = |nth: usize| json!({"name": format!("t{nth}"), "input_schema": {"type": "object"}, "defer_loading": nth >= 20});
    let tools: Vec<Value> = (0..200).map(tool).collect();
    let body = json!({"model": "m", "max_tokens": 9, "tools": tools, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "t199", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "y"}]}]});
    let known = Known { is_openais: true, ..Known::default() };
    let sending = Sending { known: &known, ..Sending::default() };
    let told = ask(AnthropicMessages, &body).body_for(OpenAiChat, "gpt-4.1", &sending).unwrap();
    let got: Value = serde_json::from_slice(&told.body).unwrap();
    let names: Vec<&str> = got["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!((names.len(), names[0], names[127]), (128, "t0", "t199"), "what was called stays: {names:?}");
    assert!(told.left_out.contains(&"tools (more than 128)".to_owned()), "{:?}", told.left_out);
    assert_eq!(
        sent(AnthropicMessages, &body, OpenAiChat, "m")["tools"].as_array().unwrap().len(),
        200,
        "others take them"
    );
}

/// "Too many strict tools (30). The maximum number of strict tools supported is 20": agents' kits mark every tool so.
#[test]
fn claude_is_held_to_no_more_than_anthropic_compiles() {
    let tool = |nth: usize, properties: &Value, required: &Value| {
        json!({"type": "function", "function": {"name": format!("f{nth}"), "strict": true, "parameters":
            {"type": "object", "properties": properties, "required": required, "additionalProperties": false}}})
    };
    let put = |tools: Vec<Value>| {
        let body = json!({"model": "m", "tools": tools, "messages": [{"role": "user", "content": "x"}]});
        let told = ask(OpenAiChat, &body)
            .body_for(AnthropicMessages, "claude-sonnet-4-6", &Sending::default())
            .unwrap();
        let got: Value = serde_json::from_slice(&told.body).unwrap();
        let strict = got["tools"].as_array().unwrap().iter().filter(|tool| tool["strict"] == true).count();
        (strict, told.left_out.contains(&"tools.strict".to_owned()))
    };
    let one = (json!({"a": {"type": "string"}}), json!(["a"]));
    assert_eq!(put((0..20).map(|nth| tool(nth, &one.0, &one.1)).collect()), (20, false));
    assert_eq!(put((0..30).map(|nth| tool(nth, &one.0, &one.1)).collect()), (0, true));
    let names: Vec<String> = (0..8).map(|nth| format!("p{nth}")).collect();
    let each =
        |schema: Value| Value::Object(names.iter().map(|name| (name.clone(), schema.clone())).collect());
    assert_eq!(
        put((0..5).map(|nth| tool(nth, &each(json!({"type": "string"})), &json!([]))).collect()),
        (0, true),
        "optional"
    );
    let nullable = each(json!({"type": ["string", "null"]}));
    assert_eq!(put((0..5).map(|nth| tool(nth, &nullable, &json!(names))).collect()), (0, true), "nullable");
    let many: Value =
        Value::Object((0..40).map(|nth| (format!("p{nth}"), json!({"type": ["string", "null"]}))).collect());
    let required: Vec<String> = (0..40).map(|nth| format!("p{nth}")).collect();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema",
        "json_schema": {"name": "a", "schema": {"type": "object", "properties": many, "required": required, "additionalProperties": false}}}});
    let got = sent(OpenAiChat, &body, AnthropicMessages, "claude-sonnet-4-6");
    assert!(got.get("output_config").is_none() && got["system"].to_string().contains("JSON schema"), "{got}");
}

fn to_mistral(from: Dialect, body: &Value, to: Dialect) -> (Value, Vec<String>) {
    let sending = Sending { accent: Accent::Mistral, ..Sending::default() };
    let sent = Ask::read_for(from, Bytes::from(body.to_string()), Some("m")).unwrap();
    let sent = sent.body_for(to, "m", &sending).unwrap();
    (serde_json::from_slice(&sent.body).unwrap(), sent.left_out)
}

/// 422 "Extra inputs are not permitted": of messages, those of tools alone have a name.
#[test]
fn mistral_gets_of_a_message_what_it_knows_of_who_says_it() {
    let call = json!({"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": "s", "name": "sys"}, {"role": "user", "content": "u", "name": "bob", "prefix": true, "tool_call_id": "x"},
        {"role": "assistant", "content": "a", "name": "ann", "tool_calls": [call]},
        {"role": "tool", "content": "t", "name": "f", "tool_call_id": "abcdefghi"}]});
    let (sent, left_out) = to_mistral(OpenAiChat, &body, OpenAiChat);
    assert_eq!(
        sent["messages"],
        json!([{"role": "system", "content": "s"}, {"role": "user", "content": "u"},
            {"role": "assistant", "content": "a", "tool_calls": [call]},
            {"role": "tool", "content": "t", "name": "f", "tool_call_id": "abcdefghi"}])
    );
    assert_eq!(left_out, ["messages.name", "messages.prefix", "messages.tool_call_id"]);
}

#[test]
fn mistral_gets_embeddings_in_its_own_words() {
    use pointsman::wire::Dialect::{GeminiEmbeddings, OpenAiEmbeddings};
    let chat =
        json!({"model": "m", "input": ["a"], "encoding_format": "float", "dimensions": 512, "user": "u"});
    let (sent, left_out) = to_mistral(OpenAiEmbeddings, &chat, OpenAiEmbeddings);
    assert_eq!(
        sent,
        json!({"model": "m", "input": ["a"], "encoding_format": "float", "output_dimension": 512})
    );
    assert_eq!(left_out, ["user"]);
    let gemini = json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 512});
    let (sent, _) = to_mistral(GeminiEmbeddings, &gemini, OpenAiEmbeddings);
    assert_eq!(
        sent,
        json!({"model": "m", "input": ["a"], "encoding_format": "float", "output_dimension": 512})
    );
}

/// Claude's models take one of the two; both were left out where the temperature was above Anthropic's range.
#[test]
fn what_is_refused_beside_a_member_stays_where_that_is_not_sent() {
    let rule = |members: &[&str], with: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        std::sync::Arc::new(pointsman::wire::Rule {
            members: owned(members),
            with: owned(with),
            ..pointsman::wire::Rule::default()
        })
    };
    let beside = Known { rules: vec![rule(&["top_p"], &["temperature"])], ..Known::default() };
    let none = Known {
        rules: vec![rule(&["temperature"], &[]), rule(&["top_p"], &["temperature"])],
        ..Known::default()
    };
    let body = |heat: f64| json!({"model": "m", "max_tokens": 9, "temperature": heat, "top_p": 0.5, "messages": [{"role": "user", "content": "x"}]});
    for (from, heat, known, want) in [
        (OpenAiChat, 1.5, &beside, [None, Some(0.5)]),
        (OpenAiChat, 0.5, &beside, [Some(0.5), None]),
        (OpenAiChat, 0.5, &none, [None, Some(0.5)]),
        (AnthropicMessages, 0.5, &beside, [Some(0.5), None]),
        (AnthropicMessages, 0.5, &none, [None, Some(0.5)]),
    ] {
        let sent = put(from, &body(heat), AnthropicMessages, "claude-haiku-4-5", known);
        assert_eq!([&sent["temperature"], &sent["top_p"]].map(Value::as_f64), want, "{from} {heat} {sent}");
    }
}
