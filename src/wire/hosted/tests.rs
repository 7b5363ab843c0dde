//! What comes out of Bedrock's forms, wherever a stream is cut.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;

fn asked(body: &Value, model: &str) -> Result<(Value, Vec<String>)> {
    let (sent, left_out) = framed(Form::Converse, Bytes::from(body.to_string()), model, &[])?;
    Ok((serde_json::from_slice(&sent).unwrap(), left_out))
}

#[test]
fn what_converse_has_no_place_for_is_refused_or_told() {
    let turn =
        |content: Value| json!({ "max_tokens": 9, "messages": [{ "role": "user", "content": content }] });
    let url = json!([{ "type": "image", "source": { "type": "url", "url": "https://a/b.png" } }]);
    let error = asked(&turn(url), "amazon.nova-pro-v1:0").unwrap_err();
    assert!(
        error.is_clients() && error.to_string().starts_with("messages[0].content[0].source: "),
        "{error}"
    );
    let mut search = turn(json!("hi"));
    search["tools"] = json!([{ "type": "web_search_20250305", "name": "web_search" }]);
    let error = asked(&search, "amazon.nova-pro-v1:0").unwrap_err();
    assert!(error.is_clients() && error.to_string().contains("web_search_20250305"), "{error}");
    let mut claudes = turn(json!("hi"));
    claudes["thinking"] = json!({ "type": "enabled", "budget_tokens": 1024 });
    claudes["service_tier"] = json!("auto");
    let (sent, left_out) = asked(&claudes, "amazon.nova-pro-v1:0").unwrap();
    assert_eq!(
        (sent.get("additionalModelRequestFields"), left_out),
        (None, vec!["service_tier".into(), "thinking".into()])
    );
    let (sent, left_out) = asked(&claudes, "eu.anthropic.claude-opus-4-6").unwrap();
    assert_eq!(sent["additionalModelRequestFields"]["thinking"], claudes["thinking"]);
    assert_eq!(left_out, ["service_tier"]);
}

#[test]
fn no_tool_is_offered_where_none_may_be_called_but_those_of_earlier_calls_are_told() {
    let tools = json!([{ "name": "t", "input_schema": { "type": "object" } }]);
    let none = json!({ "max_tokens": 9, "tools": tools, "tool_choice": { "type": "none" },
        "messages": [{ "role": "user", "content": "hi" }] });
    assert_eq!(asked(&none, "m").unwrap().0.get("toolConfig"), None);
    let mut later = none;
    later["messages"] = json!([{ "role": "assistant", "content": [{ "type": "tool_use", "id": "1", "name": "t", "input": {} }] }]);
    let (sent, left_out) = asked(&later, "m").unwrap();
    assert_eq!((sent["toolConfig"].get("toolChoice"), left_out), (None, vec!["tool_choice".into()]));
}

/// 400 "Input tag `web_search_20250305` .. does not match any of the expected tags", and "`output_format`: Extra inputs are not permitted".
#[test]
fn what_anthropic_alone_runs_stays_out_of_clouds_and_the_form_of_an_answer_goes_where_they_know_it() {
    let format = json!({ "type": "json_schema", "schema": { "type": "object" } });
    let body = json!({ "max_tokens": 9, "messages": [{ "role": "user", "content": "x" }], "output_format": format,
        "output_config": { "effort": "low" }, "container": "c", "tools": [{ "type": "web_search_20250305", "name": "web_search" },
        { "name": "t", "input_schema": { "type": "object" }, "allowed_callers": ["direct"] }] });
    let put = |form, body: &Value| {
        framed(form, Bytes::from(body.to_string()), "claude-opus-4-6", &["compact-2026-01-12"])
    };
    let (sent, left_out) = put(Form::Bedrock, &body).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    assert_eq!(sent["output_config"], json!({ "effort": "low", "format": format }));
    assert_eq!(sent["tools"], json!([{ "name": "t", "input_schema": { "type": "object" } }]));
    assert!(sent.get("output_format").is_none() && sent.get("container").is_none(), "{sent}");
    assert_eq!(sent["anthropic_beta"], json!(["compact-2026-01-12"]));
    assert_eq!(left_out, ["tools.allowed_callers", "tools (web_search_20250305)", "container"]);
    let (vertex, _) = put(Form::Vertex, &body).unwrap();
    assert!(String::from_utf8_lossy(&vertex).contains("web_search_20250305"), "Vertex has the search");
    let mut forced = body;
    forced["tool_choice"] = json!({ "type": "tool", "name": "web_search" });
    assert!(put(Form::Bedrock, &forced).unwrap_err().is_clients());
}

/// A frame of one string header, as Amazon's documentation lays it out.
fn frame(kind: &str, payload: &str) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [(":message-type", "event"), (":event-type", kind)] {
        headers.push(u8::try_from(name.len()).unwrap());
        headers.extend_from_slice(name.as_bytes());
        headers.push(7);
        headers.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        headers.extend_from_slice(value.as_bytes());
    }
    let sum = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum().to_be_bytes()
    };
    let mut out = u32::try_from(16 + headers.len() + payload.len()).unwrap().to_be_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(headers.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&sum(&out));
    out.extend_from_slice(&headers);
    out.extend_from_slice(payload.as_bytes());
    out.extend_from_slice(&sum(&out));
    out
}

#[test]
fn a_stream_says_the_same_wherever_it_is_cut_and_any_broken_byte_is_seen() {
    let stream = [
        frame("messageStart", r#"{"role":"assistant"}"#),
        frame("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}"#),
        frame(
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"s"}}}"#,
        ),
        frame("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"hi"}}"#),
        frame("messageStop", r#"{"stopReason":"guardrail_intervened"}"#),
    ]
    .concat();
    let read = |cut: usize| {
        let mut unframed = Unframed::new(Form::Converse, "r", "m");
        let (first, second) = stream.split_at(cut);
        let mut all = Vec::new();
        for piece in [first, second] {
            all.extend(unframed.take(piece).unwrap().unwrap_or_default());
        }
        all.extend(unframed.end().unwrap_or_default());
        String::from_utf8(all).unwrap()
    };
    let whole = read(0);
    let events: Vec<&str> = whole.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    let [start, open, delta, close] =
        ["message_start", "content_block_start", "content_block_delta", "content_block_stop"];
    assert_eq!(
        events,
        [start, open, delta, delta, close, open, delta, close, "message_delta", "message_stop"],
        "{whole}"
    );
    assert!(whole.contains(r#""stop_reason":"refusal""#) && whole.contains("signature_delta"), "{whole}");
    assert!((0..stream.len()).all(|cut| read(cut) == whole));
    for at in 0..stream.len() {
        let mut broken = stream.clone();
        broken[at] ^= 0x10;
        let mut unframed = Unframed::new(Form::Converse, "r", "m");
        let seen = unframed.take(&broken);
        assert!(seen.is_err(), "the byte at {at} is another");
    }
}

#[test]
fn tokens_that_a_model_counts_within_the_prompt_are_told_apart() {
    let usage = |total: u64, cached: u64| {
        let body = json!({ "output": { "message": { "content": [{ "text": "hi" }] } }, "stopReason": "end_turn",
            "usage": { "inputTokens": 100, "outputTokens": 5, "totalTokens": total, "cacheReadInputTokens": cached } });
        let told: Value =
            serde_json::from_slice(&conversed(&Bytes::from(body.to_string()), "r", "m")).unwrap();
        (told["usage"]["input_tokens"].as_u64(), told["usage"]["cache_read_input_tokens"].as_u64())
    };
    assert_eq!(usage(185, 80), (Some(100), Some(80)));
    assert_eq!(usage(105, 80), (Some(20), Some(80)));
    assert_eq!(usage(105, 500), (Some(100), Some(500)), "no more is within it than it has");
}

#[test]
fn how_converse_served_is_billed_by() {
    let usage = |beside: Value| {
        let mut body = json!({ "output": { "message": { "content": [{ "text": "hi" }] } }, "stopReason": "end_turn",
            "usage": { "inputTokens": 100, "outputTokens": 5, "cacheReadInputTokenCount": 80, "cacheWriteInputTokenCount": 7 } });
        body.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        let whole: Value =
            serde_json::from_slice(&conversed(&Bytes::from(body.to_string()), "r", "m")).unwrap();
        whole["usage"].clone()
    };
    let told =
        usage(json!({ "serviceTier": { "type": "flex" }, "performanceConfig": { "latency": "optimized" } }));
    assert_eq!((&told["service_tier"], &told["speed"]), (&json!("flex"), &json!("optimized")));
    assert_eq!(
        (&told["cache_read_input_tokens"], &told["cache_creation_input_tokens"]),
        (&json!(80), &json!(7)),
        "under their older names"
    );
    let plain = usage(json!({ "performanceConfig": { "latency": "standard" } }));
    assert_eq!((plain.get("service_tier"), plain.get("speed")), (None, None));
}

/// Frames of parallel calls that alternate: each call was closed when the next began, and both broke.
#[test]
fn blocks_that_alternate_are_told_one_behind_the_other() {
    let start = |at: u64| {
        frame("contentBlockStart", &json!({ "contentBlockIndex": at, "start": { "toolUse": { "toolUseId": format!("t{at}"), "name": "f" } } }).to_string())
    };
    let input = |at: u64, input: &str| {
        frame(
            "contentBlockDelta",
            &json!({ "contentBlockIndex": at, "delta": { "toolUse": { "input": input } } }).to_string(),
        )
    };
    let text = |at: u64, text: &str| {
        frame("contentBlockDelta", &json!({ "contentBlockIndex": at, "delta": { "text": text } }).to_string())
    };
    let stop = |at: u64| frame("contentBlockStop", &json!({ "contentBlockIndex": at }).to_string());
    let end = || frame("messageStop", r#"{"stopReason":"tool_use"}"#);
    let told = |frames: &[Vec<u8>]| {
        let mut unframed = Unframed::new(Form::Converse, "r", "m");
        let mut all = unframed.take(&frames.concat()).unwrap().unwrap_or_default().to_vec();
        all.extend(unframed.end().unwrap_or_default());
        let (mut blocks, mut open): (Vec<String>, Option<u64>) = (Vec::new(), None);
        for event in String::from_utf8(all).unwrap().lines().filter_map(|line| line.strip_prefix("data: ")) {
            let event: Value = serde_json::from_str(event).unwrap();
            let at = event["index"].as_u64();
            match event["type"].as_str().unwrap() {
                "content_block_start" => {
                    assert_eq!(open, None, "one block at a time");
                    open = at;
                    blocks.push(event["content_block"]["id"].as_str().unwrap_or("text").to_owned() + ":");
                }
                "content_block_delta" => {
                    assert_eq!(open, at);
                    let delta = &event["delta"];
                    let piece = delta["partial_json"].as_str().or(delta["text"].as_str()).unwrap();
                    blocks.last_mut().unwrap().push_str(piece);
                }
                "content_block_stop" => assert_eq!(std::mem::take(&mut open), at),
                _ => {}
            }
        }
        assert_eq!(open, None);
        blocks
    };
    let two = [
        start(0),
        start(1),
        input(0, r#"{"a":"#),
        input(1, r#"{"b":2}"#),
        input(0, "1}"),
        stop(0),
        stop(1),
        end(),
    ];
    assert_eq!(told(&two), [r#"t0:{"a":1}"#, r#"t1:{"b":2}"#]);
    let early = [start(0), start(1), input(1, "{}"), stop(1), text(2, "x"), input(0, "{}"), end()];
    assert_eq!(told(&early), ["t0:{}", "t1:{}", "text:x"]);
    let mixed = [text(0, "a"), start(1), input(1, "{}"), text(0, "b"), stop(1), stop(0), end()];
    assert_eq!(told(&mixed), ["text:ab", "t1:{}"]);
    let mut endless = Unframed::new(Form::Converse, "r", "m");
    endless.take(&[start(0), start(1)].concat()).unwrap();
    let much = input(1, &"x".repeat(1024 * 1024));
    assert!((0..8).any(|_| endless.take(&much).is_err()), "what is held back has an end");
}

/// What a model cites, and what it draws, was passed over without a word.
#[test]
fn content_of_every_kind_is_told() {
    let content = json!([
        { "citationsContent": { "content": [{ "text": "the " }, { "text": "answer" }],
            "citations": [{ "title": "T", "sourceContent": [{ "text": "q" }], "location": { "web": { "url": "https://a" } } },
                { "title": "D", "location": { "documentChar": { "documentIndex": 0 } } }] } },
        { "image": { "format": "png", "source": { "bytes": "iVBORw0KGgo=" } } },
        { "video": { "format": "mp4" } }
    ]);
    let body = json!({ "output": { "message": { "content": content } }, "stopReason": "end_turn", "usage": { "inputTokens": 9, "outputTokens": 5 } });
    let told: Value = serde_json::from_slice(&conversed(&Bytes::from(body.to_string()), "r", "m")).unwrap();
    assert_eq!(
        told["content"],
        json!([
            { "type": "text", "text": "the answer", "citations": [
                { "type": "web_search_result_location", "cited_text": "q", "title": "T", "url": "https://a",
                    "encrypted_index": "cG9pbnRzbWFuOm5vLXNpZ25hdHVyZQ==" },
                { "type": "search_result_location", "cited_text": "", "title": "D" }] },
            { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" } },
            { "type": "video" }
        ])
    );
    let mut unframed = Unframed::new(Form::Converse, "r", "m");
    let frames = [
        frame("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"x"}}"#),
        frame(
            "contentBlockDelta",
            r#"{"contentBlockIndex":0,"delta":{"citation":{"title":"T","location":{"web":{"url":"https://a"}}}}}"#,
        ),
        frame("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        frame("contentBlockStart", r#"{"contentBlockIndex":1,"start":{"image":{"format":"png"}}}"#),
        frame(
            "contentBlockDelta",
            r#"{"contentBlockIndex":1,"delta":{"image":{"source":{"bytes":"aGk="}}}}"#,
        ),
        frame("contentBlockStop", r#"{"contentBlockIndex":1}"#),
    ];
    let out = unframed.take(&frames.concat()).unwrap().unwrap();
    let out = String::from_utf8_lossy(&out);
    assert!(out.contains(r#""citation":{"type":"web_search_result_location""#), "{out}");
    assert!(out.contains(r#""content_block":{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}"#), "{out}");
}

#[test]
fn a_mark_at_the_top_goes_to_the_last_block_in_a_cloud() {
    let mark = json!({ "type": "ephemeral" });
    for (content, want) in [
        (json!("q"), json!([{ "type": "text", "text": "q", "cache_control": mark }])),
        (
            json!([{ "type": "text", "text": "q" }, { "type": "text", "text": "" }]),
            json!([{ "type": "text", "text": "q", "cache_control": mark }, { "type": "text", "text": "" }]),
        ),
    ] {
        let body = json!({ "max_tokens": 9, "cache_control": mark, "service_tier": "auto",
            "messages": [{ "role": "user", "content": content }] });
        let converse = |model| {
            framed(Form::Converse, Bytes::from(body.to_string()), model, &[])
                .map(|(sent, left_out)| (serde_json::from_slice::<Value>(&sent).unwrap(), left_out))
                .unwrap()
        };
        let (sent, left_out) = converse("claude-opus-4-6");
        assert_eq!(
            sent["messages"][0]["content"],
            json!([{ "text": "q" }, { "cachePoint": { "type": "default" } }])
        );
        assert_eq!(left_out, ["service_tier"]);
        assert_eq!(converse("meta.llama3").1, ["cache_control", "service_tier"]);
        for form in [Form::Vertex, Form::Bedrock] {
            let (sent, left_out) =
                framed(form, Bytes::from(body.to_string()), "claude-opus-4-6", &[]).unwrap();
            let sent: Value = serde_json::from_slice(&sent).unwrap();
            assert_eq!(sent["messages"][0]["content"], want);
            assert!(sent.get("cache_control").is_none() && sent.get("service_tier").is_none(), "{sent}");
            assert_eq!(left_out, ["service_tier"]);
        }
    }
}

#[test]
fn the_tier_of_gemini_stands_in_no_body_at_vertex() {
    let (sent, tier) = for_vertex(Bytes::from_static(br#"{"contents":[],"service_tier":"FLEX","a":1}"#));
    assert_eq!((&sent[..], tier.as_deref()), (&br#"{"contents":[],"a":1}"#[..], Some("flex")));
    let asked = Bytes::from_static(
        br#"{"contents":[{"parts":[]},{"role":"model","parts":[]},{"role":"function","parts":[]}]}"#,
    );
    let told = br#"{"contents":[{"role":"user","parts":[]},{"role":"model","parts":[]},{"role":"user","parts":[]}]}"#;
    assert_eq!(&for_vertex(asked).0[..], &told[..], "whose turn it is has to be said there");
    let (sent, tier) = for_vertex(Bytes::from_static(br#"{"contents":[]}"#));
    assert_eq!((&sent[..], tier), (&br#"{"contents":[]}"#[..], None));
}

/// A call without its input did something else than was said, and other makers' models refuse the thoughts of Claude's: every
/// conversation that Claude began ended there.
#[test]
fn what_an_earlier_turn_holds_goes_to_converse_as_it_takes_it() {
    let call = |input: Value| {
        let body = json!({ "max_tokens": 9, "messages": [{ "role": "user", "content": "x" },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "functions.f:0", "name": "f", "input": input }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "functions.f:0", "content": "r" }] }] });
        let (sent, left_out) = asked(&body, "amazon.nova-pro-v1:0").unwrap();
        let id = sent["messages"][1]["content"][0]["toolUse"]["toolUseId"].as_str().unwrap().to_owned();
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{id}");
        assert_eq!(sent["messages"][2]["content"][0]["toolResult"]["toolUseId"], json!(id));
        (sent["messages"][1]["content"][0]["toolUse"]["input"].clone(), left_out)
    };
    let told = vec!["messages[1].content[0].input".to_owned()];
    assert_eq!(call(json!("{\"a\":1}")), (json!({ "a": 1 }), vec![]));
    assert_eq!(call(json!({ "a": 1 })), (json!({ "a": 1 }), vec![]));
    assert_eq!(call(json!("abc")), (json!({ "input": "abc" }), told.clone()));
    assert_eq!(call(json!([1])), (json!({ "input": "[1]" }), told));
    let thought = |model: &str, thoughts: Value| {
        let body = json!({ "max_tokens": 9, "messages": [{ "role": "user", "content": "x" },
            { "role": "assistant", "content": thoughts }, { "role": "user", "content": "y" }] });
        let (sent, left_out) = asked(&body, model).unwrap();
        (sent["messages"][1]["content"].clone(), left_out)
    };
    let thoughts = json!([{ "type": "thinking", "thinking": "t", "signature": "s" }, { "type": "redacted_thinking", "data": "d" }]);
    for model in ["amazon.nova-pro-v1:0", "meta.llama3-70b", "deepseek.r1"] {
        let (content, left_out) = thought(model, thoughts.clone());
        assert_eq!(content, json!([{ "text": "..." }]), "{model}");
        assert_eq!(left_out, ["messages (redacted_thinking)", "messages (thinking)"]);
    }
    let (content, left_out) = thought("anthropic.claude-sonnet-4-5", thoughts);
    assert_eq!(
        (content[0]["reasoningContent"]["reasoningText"]["signature"].clone(), left_out),
        (json!("s"), vec![])
    );
}

#[test]
fn what_converse_takes_otherwise_is_told_or_named_as_it_takes_it() {
    let name = "mcp__a_server_of_a_long_name__and_a_tool_whose_name_is_even_longer_than_that";
    let body = json!({ "max_tokens": 9, "tools": [{ "name": name, "input_schema": { "type": "object" } }],
        "tool_choice": { "type": "tool", "name": name, "disable_parallel_tool_use": true },
        "messages": [{ "role": "user", "content": [{ "type": "document", "title": "T", "context": "C", "citations": { "enabled": true },
            "source": { "type": "text", "media_type": "text/plain", "data": "x" } }] }] });
    let (sent, left_out) = asked(&body, "anthropic.claude-sonnet-4-5").unwrap();
    let made = sent["toolConfig"]["tools"][0]["toolSpec"]["name"].as_str().unwrap();
    assert!(made.len() <= 64 && sent["toolConfig"]["toolChoice"]["tool"]["name"] == made, "{sent}");
    let document = &sent["messages"][0]["content"][0]["document"];
    assert_eq!((&document["context"], &document["citations"]), (&json!("C"), &json!({ "enabled": true })));
    assert_eq!(left_out, ["messages.title", "tool_choice.disable_parallel_tool_use"]);
    let (_, left_out) = asked(&body, "amazon.nova-pro-v1:0").unwrap();
    let all =
        ["messages.citations", "messages.context", "messages.title", "tool_choice.disable_parallel_tool_use"];
    assert_eq!(left_out, all);
    // The client hears its own name.
    let ask = crate::wire::Ask::read(
        Dialect::AnthropicMessages,
        Bytes::from({
            let mut body = body.clone();
            body["model"] = json!("auto");
            body.to_string()
        }),
    );
    let told = json!({ "output": { "message": { "content": [{ "toolUse": { "toolUseId": "t", "name": made, "input": {} } }] } },
        "stopReason": "end_turn", "usage": { "inputTokens": 9, "outputTokens": 5 } });
    let whole = conversed(&Bytes::from(told.to_string()), "r", "m");
    let read = crate::wire::answer(Dialect::AnthropicMessages, &ask.unwrap(), whole).unwrap();
    let read: Value = serde_json::from_slice(&read.body).unwrap();
    assert_eq!((&read["content"][0]["name"], &read["stop_reason"]), (&json!(name), &json!("tool_use")));
}

/// Anthropic's package counts blocks from nothing, and loops go on by the word `tool_use` alone.
#[test]
fn blocks_are_counted_by_whoever_writes_them_and_a_call_ends_as_one() {
    let frames = [
        frame("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"text":"x"}}"#),
        frame("contentBlockStop", r#"{"contentBlockIndex":3}"#),
        frame(
            "contentBlockStart",
            r#"{"contentBlockIndex":7,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#,
        ),
        frame("contentBlockStop", r#"{"contentBlockIndex":7}"#),
        frame("messageStop", r#"{"stopReason":"end_turn"}"#),
    ];
    let mut unframed = Unframed::new(Form::Converse, "r", "m");
    let mut out = unframed.take(&frames.concat()).unwrap().unwrap().to_vec();
    out.extend(unframed.end().unwrap());
    let out = String::from_utf8(out).unwrap();
    let events =
        out.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let places: Vec<u64> = events.filter_map(|event| event["index"].as_u64()).collect();
    assert_eq!(places, [0, 0, 0, 1, 1]);
    assert!(out.contains(r#""stop_reason":"tool_use""#), "{out}");
}
