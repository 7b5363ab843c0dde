//! What a request becomes on its way to a provider of another dialect, and what is refused on it.

use bytes::Bytes;
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Accent, Ask, Sending, Sent, WireError};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ask, refused, sent, words};

fn chat_request() -> Value {
    json!({"model":"auto","messages":[
        {"role":"system","content":"Be brief."},
        {"role":"developer","content":[{"type":"text","text":"No jokes.","cache_control":{"type":"ephemeral"}}]},
        {"role":"user","content":[{"type":"text","text":"Weather here?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO","detail":"low"}}]},
        {"role":"assistant","content":"I look.","tool_calls":[
            {"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Basel\",\"n\":1.5}"}},
            {"id":"call.2","type":"function","function":{"name":"clock","arguments":""}}]},
        {"role":"tool","tool_call_id":"call_1","content":"12 degrees"},
        {"role":"tool","tool_call_id":"call.2","content":"noon"},
        {"role":"user","content":"And tomorrow?"}],
        "tools":[{"type":"function","function":{"name":"weather","description":"Looks it up.","strict":true,"parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}},
                 {"type":"function","function":{"name":"clock"}}],
        "tool_choice":"required","max_completion_tokens":300,"temperature":0.70,"top_p":0.9,"stop":["END"],"seed":7,"stream":true,
        "presence_penalty":0,"user":"u-1","metadata":{"a":"b"},"store":true,"n":1,"logprobs":false,"logit_bias":{}})
}

#[test]
fn chat_becomes_messages() {
    let got = sent(OpenAiChat, &chat_request(), AnthropicMessages, "claude-opus-4-6");
    let want = json!({"model":"claude-opus-4-6","max_tokens":300,
        "system":[{"type":"text","text":"Be brief."},{"type":"text","text":"No jokes.","cache_control":{"type":"ephemeral"}}],
        "messages":[
            {"role":"user","content":[{"type":"text","text":"Weather here?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}]},
            {"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"call_1","name":"weather","input":{"city":"Basel","n":1.5}},{"type":"tool_use","id":"call_2_c38e6639","name":"clock","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"12 degrees"},{"type":"tool_result","tool_use_id":"call_2_c38e6639","content":"noon"},{"type":"text","text":"And tomorrow?"}]}],
        "tools":[{"name":"weather","description":"Looks it up.","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false},"strict":true},
                 {"name":"clock","input_schema":{"type":"object","properties":{}}}],
        "tool_choice":{"type":"any"},"temperature":0.70,"top_p":0.9,"stop_sequences":["END"],"metadata":{"user_id":"u-1"},"stream":true});
    assert_eq!(got, want);
    let sent = ask(OpenAiChat, &chat_request())
        .body_for(AnthropicMessages, "claude-opus-4-6", &Sending::default())
        .unwrap();
    assert_eq!(sent.left_out, ["metadata", "seed", "store", "detail"]);
}

#[test]
fn chat_becomes_gemini() {
    let got = sent(OpenAiChat, &chat_request(), Gemini, "gemini-2.5-flash");
    let want = json!({"systemInstruction":{"parts":[{"text":"Be brief."},{"text":"No jokes."}]},
        "contents":[
            {"role":"user","parts":[{"text":"Weather here?"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]},
            {"role":"model","parts":[{"text":"I look."},{"functionCall":{"name":"weather","args":{"city":"Basel","n":1.5}}},{"functionCall":{"name":"clock","args":{}}}]},
            {"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"output":"12 degrees"}}},{"functionResponse":{"name":"clock","response":{"output":"noon"}}},{"text":"And tomorrow?"}]}],
        "tools":[{"functionDeclarations":[{"name":"weather","description":"Looks it up.","parametersJsonSchema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"clock","description":""}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY"}},
        "generationConfig":{"maxOutputTokens":300,"temperature":0.70,"topP":0.9,"seed":7,"stopSequences":["END"]}});
    assert_eq!(got, want);
    let marked = sent(OpenAiChat, &chat_request(), Gemini, "gemini-3-pro");
    assert_eq!(marked["contents"][1]["parts"][1]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(marked["contents"][1]["parts"][2].get("thoughtSignature"), None);
}

#[test]
fn a_schema_for_the_answer_arrives_in_its_own_order() {
    let schema = r#"{"type":"object","properties":{"zeta":{"type":"string"},"alpha":{"type":"number"}},"required":["zeta"],"additionalProperties":false}"#;
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"response_format":{{"type":"json_schema","json_schema":{{"name":"n","strict":true,"schema":{schema}}}}}}}"#
    );
    let asked = Ask::read(OpenAiChat, Bytes::from(body)).unwrap();
    for (to, around) in [
        (
            AnthropicMessages,
            format!(r#""output_config":{{"format":{{"type":"json_schema","schema":{schema}}}}}"#),
        ),
        (Gemini, format!(r#""responseMimeType":"application/json","responseJsonSchema":{schema}"#)),
    ] {
        let body = asked.body_for(to, "claude-opus-4-6", &Sending::default()).unwrap().body;
        assert!(std::str::from_utf8(&body).unwrap().contains(&around), "{body:?}");
    }
}

fn messages_request() -> Value {
    json!({"model":"auto","max_tokens":500,"system":[{"type":"text","text":"One.","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"Two."}],
        "messages":[{"role":"user","content":"Hi"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Hello"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"b":1,"a":[2]}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]},{"type":"text","text":"Go on","cache_control":{"type":"ephemeral"}}]}],
        "tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
        "stop_sequences":["Z"],"temperature":0.5,"metadata":{"user_id":"u"},"thinking":{"type":"enabled","budget_tokens":4096},"stream":true})
}

#[test]
fn messages_become_chat() {
    let got = sent(AnthropicMessages, &messages_request(), OpenAiChat, "gpt-4.1");
    let want = json!({"model":"gpt-4.1","messages":[
        {"role":"system","content":"One.\n\nTwo."},{"role":"user","content":"Hi"},
        {"role":"assistant","content":"Hello","tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"f","arguments":"{\"a\":[2],\"b\":1}"}}]},
        {"role":"tool","tool_call_id":"toolu_1","content":"Error: no"},
        {"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}},{"type":"text","text":"Go on"}]}],
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],
        "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
        "max_tokens":500,"temperature":0.5,"stop":["Z"],"user":"u","stream":true,"stream_options":{"include_usage":true}});
    assert_eq!(got, want);
    let thinker = sent(AnthropicMessages, &messages_request(), OpenAiChat, "o4-mini");
    assert_eq!(
        (&thinker["reasoning_effort"], &thinker["max_completion_tokens"]),
        (&json!("medium"), &json!(500))
    );
    assert_eq!(thinker.get("max_tokens"), None);
}

#[test]
fn mistral_gets_chat_as_it_takes_it() {
    let mistral = Sending { accent: Accent::Mistral, ..Sending::default() };
    let read = |sent: Sent| -> Value { serde_json::from_slice(&sent.body).unwrap() };
    let got =
        read(ask(OpenAiChat, &chat_request()).body_for(OpenAiChat, "mistral-small-2503", &mistral).unwrap());
    let mut want = chat_request();
    want["model"] = json!("mistral-small-2503");
    want["messages"][1] = json!({"role":"system","content":[{"type":"text","text":"No jokes."}]});
    for (place, id) in [(0, "call_1"), (1, "call.2")] {
        let short = got["messages"][3]["tool_calls"][place]["id"].as_str().unwrap();
        assert!(short.len() == 9 && short.chars().all(|c| c.is_ascii_alphanumeric()), "{short}");
        assert_eq!(got["messages"][4 + place]["tool_call_id"], short, "the result of {id} finds its call");
        want["messages"][3]["tool_calls"][place]["id"] = json!(short);
        want["messages"][4 + place]["tool_call_id"] = json!(short);
    }
    // The user says something right after its tools.
    let between = json!({"role":"assistant","content":"..."});
    want["messages"].as_array_mut().unwrap().insert(6, between);
    let none = json!({"type":"object","properties":{}});
    want["messages"][3]["tool_calls"][1]["function"]["arguments"] = json!("{}");
    want["tools"][1]["function"]["parameters"] = none;
    let said = want.as_object_mut().unwrap();
    for unknown in
        ["max_completion_tokens", "seed", "user", "store", "n", "logprobs", "logit_bias", "presence_penalty"]
    {
        said.remove(unknown);
    }
    said.insert("max_tokens".into(), json!(300));
    said.insert("random_seed".into(), json!(7));
    assert_eq!(got, want);
    let other = read(
        ask(AnthropicMessages, &messages_request())
            .body_for(OpenAiChat, "mistral-small-2503", &mistral)
            .unwrap(),
    );
    assert_eq!(other.get("stream_options"), None);
    assert_eq!(other["messages"][2]["tool_calls"][0]["id"], other["messages"][3]["tool_call_id"]);
    assert_eq!(other["messages"][3]["tool_call_id"].as_str().unwrap().len(), 9);
}

/// Mistral refuses a system message behind the assistant's, calls without arguments and functions without parameters, and has
/// documents under a name of its own.
#[test]
fn what_mistral_takes_in_another_form_reaches_it_in_that_from_every_client() {
    let mistral = Sending { accent: Accent::Mistral, ..Sending::default() };
    let pdf = "data:application/pdf;base64,AAAA";
    let chat = json!({"model":"auto","messages":[
        {"role":"system","content":"Be kind."},
        {"role":"user","content":[{"type":"text","text":"Read it."},{"type":"file","file":{"filename":"a.pdf","file_data":pdf}}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":""}}]},
        {"role":"tool","tool_call_id":"c1","content":"2"},
        {"role":"assistant","content":"Done."},
        {"role":"developer","content":[{"type":"text","text":"Be short."}]}],
        "tools":[{"type":"function","function":{"name":"look","description":"Looks."}}]});
    let messages = json!({"model":"auto","max_tokens":9,"system":"Be kind.","messages":[
        {"role":"user","content":[{"type":"text","text":"Read it."},
            {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"AAAA"},"title":"a.pdf"},
            {"type":"document","source":{"type":"url","url":"https://example.com/b.pdf"}}]},
        {"role":"assistant","content":[{"type":"tool_use","id":"c1","name":"look","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":"2"}]},
        {"role":"assistant","content":"Done."},
        {"role":"system","content":"Be short."},
        {"role":"user","content":"x"}],
        "tools":[{"name":"look","description":"Looks.","input_schema":{"type":"object","properties":{}}}]});
    for (dialect, body) in [(OpenAiChat, chat), (AnthropicMessages, messages)] {
        let sent = ask(dialect, &body).body_for(OpenAiChat, "mistral-small-2503", &mistral).unwrap();
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        let said = &sent["messages"];
        assert_eq!(said[0], json!({"role":"system","content":"Be kind."}));
        assert_eq!(
            said[1]["content"][1],
            json!({"type":"document_url","document_url":pdf,"document_name":"a.pdf"})
        );
        if dialect == AnthropicMessages {
            let by_address = json!({"type":"document_url","document_url":"https://example.com/b.pdf"});
            assert_eq!(said[1]["content"][2], by_address);
        }
        assert_eq!(said[2]["tool_calls"][0]["function"], json!({"name":"look","arguments":"{}"}));
        assert_eq!(said[5]["role"], "user");
        assert!(said[5].to_string().contains("<system-reminder>\\nBe short.\\n</system-reminder>"), "{said}");
        let parameters = json!({"type":"object","properties":{}});
        assert_eq!(
            sent["tools"][0]["function"],
            json!({"name":"look","description":"Looks.","parameters":parameters})
        );
    }
}

#[test]
fn responses_become_all_three() {
    let body = json!({"model":"auto","instructions":"Be kind.","input":[
        {"role":"user","content":[{"type":"input_text","text":"Sum"},{"type":"input_image","image_url":"data:image/gif;base64,R0","detail":"auto"}]},
        {"type":"reasoning","id":"rs","summary":[]},
        {"type":"function_call","call_id":"c1","name":"add","arguments":"{\"a\":1}"},
        {"type":"function_call_output","call_id":"c1","output":"2"}],
        "tools":[{"type":"function","name":"add","parameters":{"type":"object"},"strict":false}],"tool_choice":"auto",
        "reasoning":{"effort":"low"},"text":{"format":{"type":"json_object"}},"max_output_tokens":4000,"store":false,"include":["reasoning.encrypted_content"]});
    let chat = sent(OpenAiResponses, &body, OpenAiChat, "gpt-4.1");
    assert_eq!(
        chat,
        json!({"model":"gpt-4.1","messages":[{"role":"system","content":"Be kind."},
            {"role":"user","content":[{"type":"text","text":"Sum"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0","detail":"auto"}}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}}]},
            {"role":"tool","tool_call_id":"c1","content":"2"}],
            "tools":[{"type":"function","function":{"name":"add","parameters":{"type":"object"}}}],"tool_choice":"auto","max_tokens":4000,
            "response_format":{"type":"json_object"}})
    );
    let messages = sent(OpenAiResponses, &body, AnthropicMessages, "claude-opus-4-6");
    assert_eq!(
        messages["messages"][2]["content"][0],
        json!({"type":"tool_result","tool_use_id":"c1","content":"2"})
    );
    assert_eq!(messages["thinking"]["type"], "adaptive", "it thinks in the middle of calls, too");
    let budget = sent(OpenAiResponses, &body, AnthropicMessages, "claude-sonnet-4-5");
    assert_eq!(budget.get("thinking"), None, "not in the middle of calls whose thoughts were not kept");
    let gemini = sent(OpenAiResponses, &body, Gemini, "gemini-3-flash");
    assert_eq!(
        gemini["generationConfig"],
        json!({"maxOutputTokens":4000,"responseMimeType":"application/json","thinkingConfig":{"thinkingBudget":1024}})
    );
    let short = sent(
        OpenAiResponses,
        &json!({"model":"m","input":"Hi","reasoning":{"effort":"high"}}),
        AnthropicMessages,
        "claude-sonnet-4-5",
    );
    assert_eq!(short["thinking"], json!({"type":"enabled","budget_tokens":4096}));
    assert_eq!(short["max_tokens"], 8192, "a provider that demands a limit gets the policy's");
}

#[test]
fn what_the_answer_would_be_wrong_without_is_refused_by_its_own_name() {
    let chat = |key: &str, value: Value| {
        let mut body = json!({"model":"m","messages":[{"role":"user","content":"x"}]});
        body[key] = value;
        body
    };
    let image = json!([{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://x"}}]}]);
    let file = json!([{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]);
    let audio = json!([{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]);
    let cases = [
        (chat("n", json!(2)), AnthropicMessages, "n:"),
        (chat("functions", json!([{}])), Gemini, "functions[0].name:"),
        (
            chat("messages", json!([{"role":"function","name":"f","content":"x"}])),
            AnthropicMessages,
            "messages[0].name: no earlier turn calls that function",
        ),
        (chat("tools", json!([{"type":"custom","custom":{}}])), AnthropicMessages, "tools[0].custom.name:"),
        (chat("tools", json!([{"type":"function","function":{}}])), Gemini, "tools[0].function.name:"),
        (chat("tool_choice", json!({"type":"function","function":{"name":"f"}})), Gemini, "tool_choice:"),
        (chat("messages", image), Gemini, "messages[0].content[1].image_url.url:"),
        (chat("messages", file), Gemini, "messages[0].content[0].file.file_id:"),
        (chat("messages", audio), AnthropicMessages, "messages[0].content[0].input_audio:"),
        (chat("messages", json!([])), AnthropicMessages, "messages: is empty"),
        (
            chat("messages", json!([{"role":"tool","tool_call_id":"1","content":"x"}])),
            Gemini,
            "messages[0].tool_call_id: no earlier turn makes that call",
        ),
    ];
    for (body, to, want) in cases {
        let said = refused(OpenAiChat, &body, to);
        assert!(said.starts_with(want), "{said}");
    }
    let unsupported =
        ask(OpenAiChat, &chat("n", json!(1))).body_for(OpenAiResponses, "m", &Sending::default());
    assert!(matches!(unsupported, Err(WireError::Unsupported { .. })));
}

#[test]
fn what_nobody_knows_is_left_out_and_told_in_letters_that_fit_a_header() {
    let body = json!({"model":"m","messages":[{"role":"user","content":"x"}],"something_new":{},"täst\n":1,"nothing":null});
    let sent = ask(OpenAiChat, &body).body_for(Gemini, "m", &Sending::default()).unwrap();
    assert_eq!(sent.left_out, ["something_new", "t?st?"]);
}

#[test]
fn a_temperature_above_anthropics_range_is_left_out() {
    let body = json!({"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1.5});
    let sent = ask(OpenAiChat, &body).body_for(AnthropicMessages, "m", &Sending::default()).unwrap();
    assert_eq!(sent.left_out, ["temperature"]);
    assert_eq!(sent_body(&sent).get("temperature"), None);
}

#[test]
fn json_is_asked_for_in_words_where_a_model_has_no_mode_for_it() {
    let schema =
        json!({"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}}}});
    let with = |format: Value| json!({"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"x"}],"response_format":format});
    let plain = sent(OpenAiChat, &with(json!({"type":"json_object"})), AnthropicMessages, "claude-opus-4-6");
    assert_eq!(plain["system"][0]["text"], "S");
    assert!(plain["system"][1]["text"].as_str().unwrap().contains("JSON object"), "{plain}");
    let named = with(json!({"type":"json_schema","json_schema":{"name":"n","schema":schema}}));
    let old = sent(OpenAiChat, &named, AnthropicMessages, "claude-3-5-haiku-20241022");
    assert_eq!(old.get("output_config"), None);
    assert!(old["system"][1]["text"].as_str().unwrap().contains(r#""properties""#), "{old}");
    // Anthropic wants it said that nothing more may come; what fits the narrower schema fits the one given.
    let new = sent(OpenAiChat, &named, AnthropicMessages, "claude-opus-4-6");
    let closed = json!({"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}},"additionalProperties":false}},"additionalProperties":false});
    assert_eq!(new["output_config"]["format"]["schema"], closed);
}

#[test]
fn a_long_name_of_a_user_arrives_short() {
    let user = "u".repeat(200);
    let body = json!({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],"metadata":{"user_id":user}});
    let name = sent(AnthropicMessages, &body, OpenAiChat, "gpt-4.1")["user"].as_str().unwrap().to_owned();
    assert!(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
}

#[test]
fn arguments_that_are_no_object_arrive_as_text_and_are_told() {
    let body = json!({"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{oops"}}]},{"role":"user","content":"x"}]});
    let sent = ask(OpenAiChat, &body).body_for(AnthropicMessages, "m", &Sending::default()).unwrap();
    assert_eq!(sent.left_out, ["messages[1].tool_calls[0].function.arguments"]);
    assert_eq!(sent_body(&sent)["messages"][1]["content"][0]["input"], json!({"input":"{oops"}));
}

#[test]
fn more_than_a_lot_of_effort_arrives_where_it_is_known() {
    let body = json!({"model":"m","messages":[{"role":"user","content":"x"}],"reasoning_effort":"xhigh"});
    for (model, want, told) in
        [("claude-opus-4-8", "xhigh", &[][..]), ("claude-opus-4-6", "high", &["reasoning_effort"])]
    {
        let sent = ask(OpenAiChat, &body).body_for(AnthropicMessages, model, &Sending::default()).unwrap();
        assert_eq!(sent.left_out, told, "{model}");
        assert_eq!(sent_body(&sent)["output_config"]["effort"], want, "{model}");
    }
    let none = json!({"model":"m","messages":[{"role":"user","content":"x"}],"reasoning_effort":"none"});
    let sent = ask(OpenAiChat, &none).body_for(Gemini, "gemini-2.5-pro", &Sending::default()).unwrap();
    assert_eq!(sent.left_out, ["reasoning_effort"]);
    // Where nothing is said it thinks as much as it likes.
    assert_eq!(sent_body(&sent)["generationConfig"]["thinkingConfig"], json!({"thinkingBudget": 128}));
}

#[test]
fn mistral_gets_allowed_tools_a_turn_and_a_prefix() {
    let mistral = Sending { accent: Accent::Mistral, ..Sending::default() };
    let tool =
        |name: &str| json!({"type":"function","function":{"name":name,"parameters":{"type":"object"}}});
    let body = json!({"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}],
        "tools":[tool("f"),tool("g")],"top_k":3,
        "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[tool("g")]}}});
    let sent = ask(OpenAiChat, &body).body_for(OpenAiChat, "mistral-small", &mistral).unwrap();
    assert_eq!(sent.left_out, ["top_k"]);
    let got = sent_body(&sent);
    assert_eq!((&got["tools"], &got["tool_choice"]), (&json!([tool("g")]), &json!("any")));
    assert_eq!(got["messages"][1]["prefix"], true);
    let none = json!({"model":"m","messages":[{"role":"user","content":"x"}],"tools":[tool("f")],
        "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[tool("g")]}}});
    let sent = ask(OpenAiChat, &none).body_for(OpenAiChat, "mistral-small", &mistral).unwrap();
    assert_eq!((sent_body(&sent).get("tools"), sent_body(&sent).get("tool_choice")), (None, None));
    let alone = json!({"model":"m","messages":[{"role":"system","content":"S"}]});
    let sent = ask(OpenAiChat, &alone).body_for(OpenAiChat, "mistral-small", &mistral).unwrap();
    assert_eq!(sent_body(&sent)["messages"], json!([{"role":"user","content":"S"}]));
}

fn sent_body(sent: &Sent) -> Value {
    serde_json::from_slice(&sent.body).unwrap()
}

proptest! {
    #[test]
    fn a_conversation_survives_the_way_there_and_back(
        turns in prop::collection::vec((words(), words(), prop::collection::btree_map("[a-z]{1,3}", words(), 0..3), words()), 1..5),
        system in words(),
    ) {
        let mut messages = vec![json!({"role":"system","content":system})];
        for (at, (user, said, arguments, result)) in turns.iter().enumerate() {
            messages.push(json!({"role":"user","content":user}));
            messages.push(json!({"role":"assistant","content":said,"tool_calls":[{"id":format!("call_{at}"),"type":"function","function":{"name":"f","arguments":json!(arguments).to_string()}}]}));
            messages.push(json!({"role":"tool","tool_call_id":format!("call_{at}"),"content":result}));
        }
        let body = json!({"model":"m","messages":messages});
        let there = sent(OpenAiChat, &body, AnthropicMessages, "m");
        let back = sent(AnthropicMessages, &there, OpenAiChat, "m");
        prop_assert_eq!(&back["messages"], &body["messages"]);
    }

    #[test]
    fn no_request_panics_on_its_way(key in "[a-z_]{1,12}", value in prop_oneof![Just(json!(null)), Just(json!([{}])), Just(json!({"type":7})), Just(json!([[1]])), Just(json!("x")), Just(json!(-1.5))], which in 0usize..14) {
        let known = ["messages", "tools", "tool_choice", "response_format", "stop", "system", "input", "text", "reasoning", "thinking", "output_config", "metadata", "max_tokens", "user"];
        for from in [OpenAiChat, OpenAiResponses, AnthropicMessages] {
            for name in [known[which], key.as_str()] {
                let mut body = json!({"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}],"input":[{"type":"message"}]});
                body[name] = value.clone();
                if let Ok(asked) = Ask::read(from, Bytes::from(body.to_string())) {
                    for to in Dialect::ALL {
                        let _ = asked.body_for(to, "m", &Sending::default());
                    }
                }
            }
        }
    }
}

#[test]
fn a_text_that_is_empty_reaches_nobody_who_refuses_it() {
    let chat = json!({"model":"m","messages":[
        {"role":"system","content":""},
        {"role":"user","content":"go"},
        {"role":"assistant","content":"","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"c1","content":""},
        {"role":"assistant","content":""},
        {"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"and?"}]}]});
    let messages = json!({"model":"m","max_tokens":9,"system":[{"type":"text","text":""}],"messages":[
        {"role":"user","content":"go"},
        {"role":"assistant","content":[{"type":"text","text":""},{"type":"tool_use","id":"c1","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c1","content":""},{"type":"text","text":""}]},
        {"role":"assistant","content":[{"type":"text","text":""}]},
        {"role":"user","content":"and?"}]});
    let responses = json!({"model":"m","instructions":"","input":[
        {"role":"user","content":"go"},
        {"role":"assistant","content":[{"type":"output_text","text":""}]},
        {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
        {"type":"function_call_output","call_id":"c1","output":""},
        {"role":"user","content":"and?"}]});
    for (client, body) in [(OpenAiChat, &chat), (AnthropicMessages, &messages), (OpenAiResponses, &responses)]
    {
        for (to, model) in [(AnthropicMessages, "claude-haiku-4-5"), (Gemini, "gemini-2.5-flash")] {
            if client == to {
                continue;
            }
            let there = sent(client, body, to, model).to_string();
            assert!(!there.contains(r#""text":"""#) && !there.contains(r#""parts":[]"#), "{client}: {there}");
            assert!(there.contains("and?") && !there.contains("systemInstruction"), "{client}: {there}");
        }
    }
}
