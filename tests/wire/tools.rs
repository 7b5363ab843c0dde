//! Tools that are no functions, as Codex and Claude Code send them, and choices among them.

use std::fmt::Write as _;

use pointsman::wire::Dialect::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Accent, Sending};
use serde_json::{Value, json};

use super::grammar::heard;
use super::wholeness::chunks;
use super::{PROVIDERS, ask, asked, refused, relayed, sent};

/// As Codex begins for the models it knows best: its tools come as an item of the input.
fn codex() -> Value {
    json!({"model":"auto","stream":true,"store":false,"tool_choice":"auto","parallel_tool_calls":false,
        "reasoning":{"effort":"low","context":"all_turns"},"include":["reasoning.encrypted_content"],
        "prompt_cache_key":"k","text":{"verbosity":"low"},"client_metadata":{"a":"b"},
        "input":[
            {"type":"additional_tools","id":"at_1","role":"developer","tools":[
                {"type":"namespace","name":"functions","description":"d","tools":[
                    {"type":"custom","name":"exec","description":"Runs JavaScript.","format":{"type":"grammar","syntax":"lark","definition":"start: /x/"}},
                    {"type":"function","name":"wait","parameters":{"type":"object"}}]},
                {"type":"web_search","external_web_access":true}]},
            {"type":"message","id":"msg_1","role":"developer","content":[{"type":"input_text","text":"You are Codex."}]},
            {"type":"message","id":"msg_2","role":"user","content":[{"type":"input_text","text":"List the files."}]},
            {"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"x"},
            {"type":"custom_tool_call","call_id":"c1","namespace":"functions","name":"exec","input":"ls(\"a\")"},
            {"type":"custom_tool_call_output","call_id":"c1","output":"a.txt"},
            {"type":"function_call","call_id":"c2","namespace":"functions","name":"wait","arguments":"{}"},
            {"type":"function_call_output","call_id":"c2","output":"done"}]})
}

#[test]
fn a_coding_agent_of_openais_reaches_every_kind_of_model() {
    let chat = sent(OpenAiResponses, &codex(), OpenAiChat, "gpt-4.1");
    assert_eq!(
        chat["messages"],
        json!([{"role":"system","content":"You are Codex."},{"role":"user","content":"List the files."},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"functions__exec","arguments":"{\"input\":\"ls(\\\"a\\\")\"}"}}]},
            {"role":"tool","tool_call_id":"c1","content":"a.txt"},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c2","type":"function","function":{"name":"functions__wait","arguments":"{}"}}]},
            {"role":"tool","tool_call_id":"c2","content":"done"}])
    );
    let names: Vec<_> =
        chat["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["name"].clone()).collect();
    assert_eq!(names, ["functions__exec", "functions__wait"]);
    let exec = &chat["tools"][0]["function"];
    assert_eq!(exec["parameters"]["required"], json!(["input"]));
    assert!(exec["description"].as_str().unwrap().ends_with("lark grammar:\nstart: /x/"), "{exec}");
    assert_eq!((&chat["prompt_cache_key"], &chat["verbosity"]), (&json!("k"), &json!("low")));
    assert_eq!(chat["parallel_tool_calls"], false);
    let messages = sent(OpenAiResponses, &codex(), AnthropicMessages, "claude-opus-4-6");
    assert_eq!(messages["messages"][1]["content"][0]["input"], json!({"input":"ls(\"a\")"}));
    assert_eq!(messages["tool_choice"], json!({"type":"auto","disable_parallel_tool_use":true}));
    let gemini = sent(OpenAiResponses, &codex(), Gemini, "gemini-2.5-flash");
    assert_eq!(gemini["contents"][2]["parts"][0]["functionResponse"]["name"], "functions__exec");
    let told = ask(OpenAiResponses, &codex()).body_for(OpenAiChat, "gpt-4.1", &Sending::default()).unwrap();
    let names = [
        "client_metadata",
        "include",
        "tools (web_search)",
        "input (reasoning)",
        "reasoning.context",
        "reasoning.effort",
    ];
    assert_eq!(told.left_out, names);
}

#[test]
fn an_older_request_of_codex_passes_too() {
    let body = json!({"model":"gpt-4.1","input":"hi","tools":[
        {"type":"function","name":"plain","strict":false,"parameters":{"type":"object"}},
        {"type":"custom","name":"apply_patch","description":"edit","format":{"type":"grammar","syntax":"lark","definition":"start: /.+/s"}},
        {"type":"namespace","name":"multi_agent_v1","description":"d","tools":[{"type":"function","name":"spawn","parameters":{"type":"object"}}]},
        {"type":"tool_search","execution":"client","description":"find","parameters":{"type":"object"}},
        {"type":"local_shell"},{"type":"web_search"}]});
    for to in PROVIDERS {
        let sent = ask(OpenAiResponses, &body).body_for(to, "m", &Sending::default()).unwrap();
        assert_eq!(sent.left_out, ["tools (web_search)"]);
        let text = String::from_utf8(sent.body.to_vec()).unwrap();
        for name in ["plain", "apply_patch", "multi_agent_v1__spawn", "tool_search", "local_shell"] {
            assert!(text.contains(&format!("\"{name}\"")), "{name} in {text}");
        }
    }
}

#[test]
fn tools_that_a_search_found_are_offered() {
    let body = json!({"model":"m","input":[{"role":"user","content":"x"},
        {"type":"tool_search_call","call_id":"c","execution":"client","arguments":{"query":"mail"}},
        {"type":"tool_search_output","call_id":"c","execution":"client","tools":[
            {"type":"namespace","name":"mail","description":"d","tools":[{"type":"function","name":"send","parameters":{"type":"object"}}]}]}],
        "tools":[{"type":"tool_search","execution":"client"}]});
    let got = sent(OpenAiResponses, &body, OpenAiChat, "m");
    assert!(got["tools"].as_array().unwrap().iter().any(|tool| tool["function"]["name"] == "mail__send"));
    assert_eq!(got["messages"][1]["tool_calls"][0]["function"]["arguments"], r#"{"query":"mail"}"#);
    assert_eq!(got["messages"][2]["content"], "Tools that may be called now: mail__send");
}

#[test]
fn of_two_tools_of_one_name_the_second_is_told_as_left_out() {
    let body = json!({"model":"m","input":"x","tools":[
        {"type":"function","name":"a__x","description":"one"},
        {"type":"namespace","name":"a","tools":[{"type":"function","name":"x","description":"other"}]}]});
    let sent = ask(OpenAiResponses, &body).body_for(AnthropicMessages, "m", &Sending::default()).unwrap();
    assert_eq!(sent.left_out, ["tools (a__x twice)"]);
}

#[test]
fn a_forced_tool_that_is_left_out_is_refused() {
    let responses = |choice: Value| json!({"model":"m","input":"x","tools":[{"type":"function","name":"f"},{"type":"web_search"}],"tool_choice":choice});
    for choice in [
        json!({"type":"web_search"}),
        json!({"type":"function","name":"g"}),
        json!({"type":"mcp","server_label":"s"}),
    ] {
        assert!(refused(OpenAiResponses, &responses(choice), OpenAiChat).starts_with("tool_choice:"));
    }
    let searched = json!({"model":"m","input":"x","tools":[{"type":"web_search"}],"tool_choice":"required"});
    assert!(refused(OpenAiResponses, &searched, Gemini).starts_with("tool_choice:"));
    let messages = json!({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"tool","name":"web_search"}});
    assert!(refused(AnthropicMessages, &messages, OpenAiChat).starts_with("tool_choice:"));
}

#[test]
fn a_choice_among_allowed_tools_offers_those_alone() {
    let body = json!({"model":"m","input":"x","tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"},{"type":"function","name":"g"}],
        "tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"f"},{"type":"custom","name":"c"}]}});
    let got = sent(OpenAiResponses, &body, OpenAiChat, "m");
    assert_eq!(got["tools"].as_array().unwrap().len(), 2);
    assert_eq!(got["tool_choice"], "required");
    let chat = json!({"model":"m","messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}],
        "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"g"}}]}}});
    let got = sent(OpenAiChat, &chat, AnthropicMessages, "m");
    assert_eq!(got["tools"], json!([{"name":"g","input_schema":{"type":"object","properties":{}}}]));
    assert_eq!(got["tool_choice"], json!({"type":"auto"}));
}

#[test]
fn a_custom_tool_that_is_forced_is_forced_as_a_function() {
    let body = json!({"model":"m","input":"x","tools":[{"type":"custom","name":"apply_patch"}],"tool_choice":{"type":"custom","name":"apply_patch"}});
    let got = sent(OpenAiResponses, &body, AnthropicMessages, "m");
    assert_eq!(got["tool_choice"], json!({"type":"tool","name":"apply_patch"}));
}

/// A client that adds deltas to what an item began with once read `{}{"q":1}`.
#[test]
fn a_streamed_call_adds_up_whatever_its_tool_is() {
    for tool in [
        json!({"type":"function","name":"f","parameters":{"type":"object"}}),
        json!({"type":"namespace","name":"fs","tools":[{"type":"function","name":"read","parameters":{"type":"object"}}]}),
        json!({"type":"custom","name":"patch"}),
        json!({"type":"local_shell"}),
        json!({"type":"shell"}),
        json!({"type":"tool_search","execution":"client"}),
    ] {
        let asked = ask(OpenAiResponses, &json!({"model":"m","input":"x","stream":true,"tools":[tool]}));
        let body = asked.body_for(OpenAiChat, "m", &Sending::default()).unwrap().body;
        let name = serde_json::from_slice::<Value>(&body).unwrap()["tools"][0]["function"]["name"].clone();
        let says = |call: Value| json!({"index":0,"delta":{"tool_calls":[call]},"finish_reason":null});
        let stream = chunks(&[
            says(json!({"index":0,"id":"c1","type":"function","function":{"name":name,"arguments":""}})),
            says(json!({"index":0,"function":{"arguments":"{\"input\":"}})),
            says(json!({"index":0,"function":{"arguments":"\"a\"}"}})),
            json!({"index":0,"delta":{},"finish_reason":"tool_calls"}),
        ]);
        let (out, ..) = relayed(OpenAiChat, &asked, stream.as_bytes(), &[]);
        let heard = heard(OpenAiResponses, &out);
        assert_eq!(heard.calls.len(), 1, "{name}: {out}");
    }
}

/// Anthropic refuses a schema that does not say it is of an object, and so does OpenAI.
#[test]
fn a_tools_schema_says_that_it_is_of_an_object() {
    let none = json!({"type":"object","properties":{}});
    let named = json!({"type":"object","properties":{"a":{"type":"string"}}});
    for (written, want) in [
        (json!(null), &none),
        (json!({}), &none),
        (json!({"type":null}), &none),
        (json!({"properties":{"a":{"type":"string"}}}), &named),
        (named.clone(), &named),
    ] {
        let chat = json!({"model":"m","messages":[{"role":"user","content":"x"}],
            "tools":[{"type":"function","function":{"name":"f","parameters":written}}]});
        assert_eq!(&sent(OpenAiChat, &chat, AnthropicMessages, "m")["tools"][0]["input_schema"], want);
        let responses =
            json!({"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":written}]});
        let tool = &sent(OpenAiResponses, &responses, OpenAiChat, "m")["tools"][0];
        assert_eq!(&tool["function"]["parameters"], want, "{written}");
    }
}

/// Calls that all have the number 0 and no id, as Gemini's endpoint for chat and older servers send them, were glued into one.
#[test]
fn a_call_begins_with_a_name_where_the_one_before_has_all_its_arguments() {
    let part = |id: &str, name: &str, arguments: &str| json!({"index":0,"id":id,"type":"function","function":{"name":name,"arguments":arguments}});
    let bare = |arguments: &str| json!({"index":0,"function":{"arguments":arguments}});
    let f = || part("", "f", r#"{"x":1}"#);
    for (parts, want) in [
        (vec![f(), part("", "f", r#"{"x":2}"#)], vec![("f", r#"{"x":1}"#), ("f", r#"{"x":2}"#)]),
        (vec![f(), part("", "g", r#"{"x":2}"#)], vec![("f", r#"{"x":1}"#), ("g", r#"{"x":2}"#)]),
        (vec![f(), part("", "g", ""), bare("{}")], vec![("f", r#"{"x":1}"#), ("g", "{}")]),
        // Servers that say the name with every piece.
        (
            vec![part("c", "f", r#"{"x""#), part("c", "f", ":1}"), part("c", "f", "")],
            vec![("f", r#"{"x":1}"#)],
        ),
        (vec![part("", "f", r#"{"x""#), part("", "f", ":1}"), part("", "f", "")], vec![("f", r#"{"x":1}"#)]),
    ] {
        let mut stream = String::new();
        for part in &parts {
            let event = json!({"id":"c","model":"m","choices":[{"index":0,"delta":{"tool_calls":[part]}}]});
            let _ = write!(stream, "data: {event}\n\n");
        }
        let end =
            json!({"id":"c","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]});
        let _ = write!(stream, "data: {end}\n\ndata: [DONE]\n\n");
        let (out, _, relay) = relayed(OpenAiChat, &asked(AnthropicMessages, true), stream.as_bytes(), &[]);
        let mut got: Vec<(String, String)> = Vec::new();
        for event in out.lines().filter_map(|line| line.strip_prefix("data: ")) {
            let event: Value = serde_json::from_str(event).unwrap();
            if let Some(name) = event["content_block"]["name"].as_str() {
                got.push((name.to_owned(), String::new()));
            } else if let (Some(part), Some(last)) = (event["delta"]["partial_json"].as_str(), got.last_mut())
            {
                last.1.push_str(part);
            }
        }
        let got: Vec<_> = got.iter().map(|(name, arguments)| (name.as_str(), arguments.as_str())).collect();
        assert_eq!(got, want, "{out}");
        assert_eq!(relay.failure(), None);
        // Clients of chat add up by the number.
        let (out, _, _) = relayed(OpenAiChat, &asked(OpenAiChat, true), stream.as_bytes(), &[]);
        let mut got: Vec<(String, String)> = Vec::new();
        for event in out.lines().filter_map(|line| line.strip_prefix("data: {")) {
            let event: Value = serde_json::from_str(&format!("{{{event}")).unwrap();
            for call in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
                let (at, function) =
                    (usize::try_from(call["index"].as_u64().unwrap()).unwrap(), &call["function"]);
                got.resize(got.len().max(at + 1), <(String, String)>::default());
                if let Some(name) = function["name"].as_str() {
                    name.clone_into(&mut got[at].0);
                }
                got[at].1.push_str(function["arguments"].as_str().unwrap());
            }
        }
        let got: Vec<_> = got.iter().map(|(name, arguments)| (&**name, &**arguments)).collect();
        assert_eq!(got, want, "{out}");
        assert!(out == stream || want.len() > 1, "{out}");
    }
}

/// What clients hand back of an earlier turn is what servers answered: an object as it is, and `null` for no arguments.
#[test]
fn arguments_of_earlier_calls_are_read_however_they_are_written() {
    let parameters = json!({"type":"object"});
    for (arguments, want) in [
        (json!({"a":1}), json!({"a":1})),
        (json!("null"), json!({})),
        (json!(null), json!({})),
        (json!(""), json!({})),
        (json!("{\"a\":1}"), json!({"a":1})),
    ] {
        let chat = json!({"model":"m","max_tokens":9,"tools":[{"type":"function","function":{"name":"f","parameters":parameters}}],
            "messages":[{"role":"user","content":"x"},
            {"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":arguments}}]},
            {"role":"tool","tool_call_id":"a","content":"r"}]});
        let responses = json!({"model":"m","tools":[{"type":"function","name":"f","parameters":parameters}],"input":[{"role":"user","content":"x"},
            {"type":"function_call","call_id":"a","name":"f","arguments":arguments},{"type":"function_call_output","call_id":"a","output":"r"}]});
        for (from, body) in [(OpenAiChat, &chat), (OpenAiResponses, &responses)] {
            let claude = sent(from, body, AnthropicMessages, "claude-haiku-4-5");
            assert_eq!(claude["messages"][1]["content"][0]["input"], want, "{from} {arguments}");
            let gemini = sent(from, body, Gemini, "gemini-2.5-flash");
            assert_eq!(gemini["contents"][1]["parts"][0]["functionCall"]["args"], want, "{from} {arguments}");
        }
        let sending = Sending { accent: Accent::Mistral, ..Sending::default() };
        let mistral = ask(OpenAiChat, &chat).body_for(OpenAiChat, "mistral-small", &sending).unwrap().body;
        let mistral: Value = serde_json::from_slice(&mistral).unwrap();
        let told = mistral["messages"][1]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(told).unwrap(), want, "{mistral}");
    }
    let messages = json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":"{}"}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"r"}]}]});
    let gemini = sent(AnthropicMessages, &messages, Gemini, "gemini-2.5-flash");
    assert_eq!(gemini["contents"][1]["parts"][0]["functionCall"]["args"], json!({}));
}
