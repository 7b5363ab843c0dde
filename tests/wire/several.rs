//! Several answers to one request, how likely their tokens were, and calls in the form that came before tools: each from
//! every provider's dialect to every client's that has them.

use pointsman::wire::Dialect::{
    self, AnthropicMessages, Gemini, OpenAiChat, OpenAiCompletions, OpenAiResponses,
};
use pointsman::wire::{Accent, Sending, StreamEnd};
use serde_json::{Value, json};

use super::{answered, ask, relayed, sent};

/// A client that asks for two answers and for logprobs.
fn asks(dialect: Dialect, is_stream: bool) -> pointsman::wire::Ask {
    let body = match dialect {
        Gemini => json!({"contents":[{"role":"user","parts":[{"text":"x"}]}],
            "generationConfig":{"candidateCount":2,"responseLogprobs":true,"logprobs":1}}),
        OpenAiCompletions => json!({"model":"m","prompt":"x","n":2,"logprobs":1,"stream":is_stream}),
        _ => {
            json!({"model":"m","messages":[{"role":"user","content":"x"}],"n":2,"logprobs":true,"top_logprobs":1,"stream":is_stream})
        }
    };
    let read = pointsman::wire::Ask::read_for(dialect, body.to_string().into(), Some("m")).unwrap();
    if is_stream { read.streamed() } else { read }
}

fn chat_choice(at: u64, text: &str) -> Value {
    json!({"index":at,"message":{"role":"assistant","content":text},"finish_reason":"stop",
        "logprobs":{"content":[{"token":text,"logprob":-0.25,"bytes":[1],"top_logprobs":[{"token":"z","logprob":-1.5,"bytes":[122]}]}],"refusal":null}})
}

fn candidate(at: u64, text: &str) -> Value {
    json!({"index":at,"content":{"role":"model","parts":[{"text":text}]},"finishReason":"STOP",
        "logprobsResult":{"chosenCandidates":[{"token":text,"tokenId":7,"logProbability":-0.25}],
            "topCandidates":[{"candidates":[{"token":"z","logProbability":-1.5}]}]}})
}

fn two(from: Dialect) -> Value {
    match from {
        Gemini => json!({"candidates":[candidate(0, "one"), candidate(1, "two")],"responseId":"r"}),
        _ => json!({"id":"c","choices":[chat_choice(0, "one"), chat_choice(1, "two")]}),
    }
}

/// Returns text and logprobs of each answer in the client's dialect, from whole answers or chunks put together.
fn said(dialect: Dialect, parts: &[Value]) -> Vec<(String, Value)> {
    let mut all = vec![(String::new(), Value::Null); 2];
    let list = if dialect == Gemini { "candidates" } else { "choices" };
    for choice in parts.iter().flat_map(|part| part[list].as_array().into_iter().flatten()) {
        let kept = &mut all[usize::try_from(choice["index"].as_u64().unwrap_or(0)).unwrap()];
        let (text, told) = match dialect {
            Gemini => (&choice["content"]["parts"][0]["text"], &choice["logprobsResult"]),
            OpenAiCompletions => (&choice["text"], &choice["logprobs"]),
            _ if choice["message"].is_object() => (&choice["message"]["content"], &choice["logprobs"]),
            _ => (&choice["delta"]["content"], &choice["logprobs"]),
        };
        kept.0.push_str(text.as_str().unwrap_or_default());
        if told.is_object() {
            kept.1 = told.clone();
        }
    }
    all
}

fn wanted(dialect: Dialect, text: &str) -> Value {
    match dialect {
        Gemini => json!({"chosenCandidates":[{"token":text,"logProbability":-0.25}],
            "topCandidates":[{"candidates":[{"token":"z","logProbability":-1.5}]}]}),
        OpenAiCompletions => {
            json!({"tokens":[text],"token_logprobs":[-0.25],"top_logprobs":[{"z":-1.5}],"text_offset":[0]})
        }
        _ => json!({"content":[{"token":text,"logprob":-0.25,"bytes":text.as_bytes(),
            "top_logprobs":[{"token":"z","logprob":-1.5,"bytes":[122]}]}],"refusal":null}),
    }
}

const PAIRS: [(Dialect, Dialect); 4] = [
    (OpenAiChat, Gemini),
    (Gemini, OpenAiChat),
    (OpenAiCompletions, OpenAiChat),
    (OpenAiCompletions, Gemini),
];

#[test]
fn every_answer_that_was_asked_for_arrives_with_its_logprobs() {
    for (client, provider) in PAIRS {
        let (whole, _) = answered(&asks(client, false), provider, &two(provider));
        let want = |text: &str| (text.to_owned(), wanted(client, text));
        assert_eq!(said(client, &[whole]), [want("one"), want("two")], "{provider} to {client}");
    }
}

fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[test]
fn they_arrive_in_a_stream_and_where_a_stream_comes_whole() {
    for (client, provider) in PAIRS {
        let asked = asks(client, true);
        let mixed: String = match provider {
            Gemini => [(0, "o"), (1, "t"), (0, "ne"), (1, "wo")]
                .map(|(at, text)| {
                    let mut piece = candidate(at, text);
                    if text.len() < 2 {
                        piece.as_object_mut().unwrap().remove("finishReason");
                    }
                    format!("data: {}\n\n", json!({"candidates":[piece]}))
                })
                .concat(),
            _ => [(0, "o"), (1, "t"), (0, "ne"), (1, "wo")]
                .map(|(at, text)| {
                    let told = chat_choice(at, text);
                    let finish = (text.len() == 2).then_some("stop");
                    let choice = json!({"index":at,"delta":{"content":text},"logprobs":told["logprobs"],"finish_reason":finish});
                    format!("data: {}\n\n", json!({"id":"c","choices":[choice]}))
                })
                .concat() + "data: [DONE]\n\n",
        };
        for stream in [mixed, two(provider).to_string()] {
            let (out, end, _) = relayed(provider, &asked, stream.as_bytes(), &[]);
            assert_eq!(end, StreamEnd::Complete, "{provider} to {client}: {out}");
            let all = said(client, &events(&out));
            assert_eq!(
                (all[0].0.as_str(), all[1].0.as_str()),
                ("one", "two"),
                "{provider} to {client}: {out}"
            );
            assert!(all.iter().all(|(_, told)| told.is_object()), "{provider} to {client}: {out}");
            let word =
                if client == Gemini { "\"finishReason\":\"STOP\"" } else { "\"finish_reason\":\"stop\"" };
            assert_eq!(out.matches(word).count(), 2, "{provider} to {client}: {out}");
        }
    }
}

#[test]
fn several_candidates_of_geminis_own_are_a_whole_stream() {
    let stream = format!("data: {}\n\n", two(Gemini));
    let (out, end, _) = relayed(Gemini, &asks(Gemini, true), stream.as_bytes(), &[]);
    assert_eq!((out, end), (stream, StreamEnd::Complete));
}

#[test]
fn an_answer_that_nobody_asked_for_is_not_mixed_into_the_one_that_was() {
    let asked = super::asked(AnthropicMessages, true);
    let stream = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"},{\"index\":1,\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let (out, ..) = relayed(OpenAiChat, &asked, stream.as_bytes(), &[]);
    assert!(out.contains(r#""text":"a""#) && !out.contains(r#""text":"b""#), "{out}");
}

#[test]
fn a_response_has_the_logprobs_that_it_asked_for() {
    let asked = ask(
        OpenAiResponses,
        &json!({"model":"m","input":"x","top_logprobs":1,"include":["message.output_text.logprobs"]}),
    );
    let list = &wanted(OpenAiChat, "one")["content"];
    for provider in [OpenAiChat, Gemini] {
        let (whole, _) = answered(&asked, provider, &two(provider));
        assert_eq!(&whole["output"][0]["content"][0]["logprobs"], list, "{provider}");
        let stream = if provider == Gemini {
            format!("data: {}\n\n", json!({"candidates":[candidate(0, "one")]}))
        } else {
            let told = chat_choice(0, "one");
            let choice = json!({"index":0,"delta":{"content":"one"},"logprobs":told["logprobs"],"finish_reason":"stop"});
            format!("data: {}\n\ndata: [DONE]\n\n", json!({"id":"c","choices":[choice]}))
        };
        let streamed = ask(OpenAiResponses, &json!({"model":"m","input":"x","stream":true}));
        let (out, ..) = relayed(provider, &streamed, stream.as_bytes(), &[]);
        let last = events(&out).pop().unwrap();
        assert_eq!(&last["response"]["output"][0]["content"][0]["logprobs"], list, "{provider}: {out}");
    }
}

/// The example of OpenAI's documents for functions, two turns on.
fn older() -> Value {
    json!({"model":"m","messages":[
        {"role":"user","content":"What's the weather like in Boston?"},
        {"role":"assistant","content":null,"function_call":{"name":"get_current_weather","arguments":"{\"location\":\"Boston, MA\"}"}},
        {"role":"function","name":"get_current_weather","content":"{\"temperature\":\"22\"}"}],
        "functions":[{"name":"get_current_weather","description":"d","parameters":{"type":"object","properties":{"location":{"type":"string"}}}}],
        "function_call":"auto"})
}

#[test]
fn functions_of_the_older_form_are_tools_and_their_calls_come_back_in_it() {
    let there = sent(OpenAiChat, &older(), AnthropicMessages, "claude-sonnet-4-5");
    let content = |at: usize| &there["messages"][at]["content"][0];
    assert_eq!(there["tools"][0]["name"], "get_current_weather");
    assert_eq!(there["tool_choice"], json!({"type":"auto","disable_parallel_tool_use":true}));
    assert_eq!(
        (&content(1)["type"], &content(1)["input"]["location"]),
        (&json!("tool_use"), &json!("Boston, MA"))
    );
    assert_eq!(content(2)["tool_use_id"], content(1)["id"]);
    let there = sent(OpenAiChat, &older(), Gemini, "gemini-2.5-flash");
    assert_eq!(there["tools"][0]["functionDeclarations"][0]["name"], "get_current_weather");
    assert_eq!(there["contents"][2]["parts"][0]["functionResponse"]["name"], "get_current_weather");
    let mut forced = older();
    forced["function_call"] = json!({"name":"get_current_weather"});
    let there = sent(OpenAiChat, &forced, AnthropicMessages, "claude-sonnet-4-5");
    assert_eq!(there["tool_choice"]["name"], "get_current_weather");

    let called = json!({"id":"msg_1","type":"message","role":"assistant","content":[{"type":"tool_use","id":"t","name":"get_current_weather","input":{"location":"Boston, MA"}}],"stop_reason":"tool_use"});
    let (whole, _) = answered(&ask(OpenAiChat, &older()), AnthropicMessages, &called);
    let choice = &whole["choices"][0];
    assert_eq!(
        choice["message"]["function_call"],
        json!({"name":"get_current_weather","arguments":"{\"location\":\"Boston, MA\"}"})
    );
    assert_eq!(
        (&choice["finish_reason"], choice["message"].get("tool_calls")),
        (&json!("function_call"), None)
    );

    let mut streamed = older();
    streamed["stream"] = json!(true);
    let (out, ..) =
        relayed(AnthropicMessages, &ask(OpenAiChat, &streamed), called.to_string().as_bytes(), &[]);
    let deltas = events(&out);
    let of = |key: &str| {
        deltas
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["function_call"][key].as_str())
            .collect::<String>()
    };
    assert_eq!(
        (of("name").as_str(), of("arguments").as_str()),
        ("get_current_weather", "{\"location\":\"Boston, MA\"}")
    );
    assert!(out.contains(r#""finish_reason":"function_call""#), "{out}");
}

#[test]
fn mistral_is_told_of_tools_and_its_call_comes_back_in_the_older_form() {
    let there = |body: &Value| {
        let sending = Sending { accent: Accent::Mistral, ..Sending::default() };
        let sent = ask(OpenAiChat, body).body_for(OpenAiChat, "mistral-small-2503", &sending).unwrap();
        serde_json::from_slice::<Value>(&sent.body).unwrap()
    };
    let sent = there(&older());
    assert_eq!((sent.get("functions"), sent.get("function_call")), (None, None));
    assert_eq!(sent["tools"][0]["function"]["name"], "get_current_weather");
    assert_eq!((&sent["tool_choice"], &sent["parallel_tool_calls"]), (&json!("auto"), &json!(false)));
    let (call, result) = (&sent["messages"][1]["tool_calls"][0], &sent["messages"][2]);
    assert_eq!(call["function"]["arguments"], "{\"location\":\"Boston, MA\"}");
    assert_eq!((&result["role"], &result["tool_call_id"]), (&json!("tool"), &call["id"]));
    assert_eq!(call["id"].as_str().map(str::len), Some(9));
    let mut forced = older();
    forced["function_call"] = json!({"name":"get_current_weather"});
    assert_eq!(there(&forced)["tool_choice"]["function"]["name"], "get_current_weather");

    let called = |key: &str| {
        json!({"id":"c1","object":"chat.completion","model":"mistral-small-2503","choices":[{"index":0,"finish_reason":"tool_calls",
            key:{"role":"assistant","content":"","tool_calls":[{"id":"a1b2c3d4e","index":0,"function":{"name":"get_current_weather","arguments":"{\"location\":\"Boston, MA\"}"}}]}}],
            "usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}})
    };
    let function = json!({"name":"get_current_weather","arguments":"{\"location\":\"Boston, MA\"}"});
    let asked = ask(OpenAiChat, &older());
    let (whole, _) = answered(&asked.put_to(OpenAiChat, Accent::Mistral), OpenAiChat, &called("message"));
    let choice = &whole["choices"][0];
    assert_eq!(
        (&choice["message"]["function_call"], &choice["finish_reason"]),
        (&function, &json!("function_call"))
    );
    assert!(choice["message"].get("tool_calls").is_none(), "{whole}");
    // To a server that knows functions nothing changes, neither there nor back.
    assert!(!asked.put_to(OpenAiChat, Accent::OpenAi).is_translated(OpenAiChat));

    let mut streamed = older();
    streamed["stream"] = json!(true);
    let streamed = ask(OpenAiChat, &streamed);
    let stream = format!("data: {}\n\ndata: [DONE]\n\n", called("delta"));
    let (out, end, _) =
        relayed(OpenAiChat, &streamed.put_to(OpenAiChat, Accent::Mistral), stream.as_bytes(), &[]);
    assert_eq!(end, StreamEnd::Complete, "{out}");
    let of = |key: &str| {
        let said =
            |event: &Value| event["choices"][0]["delta"]["function_call"][key].as_str().map(str::to_owned);
        events(&out).iter().filter_map(said).collect::<String>()
    };
    assert_eq!(
        (json!(of("name")), json!(of("arguments"))),
        (function["name"].clone(), function["arguments"].clone())
    );
    assert!(out.contains(r#""finish_reason":"function_call""#) && !out.contains("tool_calls"), "{out}");
}

/// Two choices of which one never says why it ended, whichever that is.
fn unended(from: Dialect, without: u64) -> String {
    let mut out = String::new();
    for at in [0, 1] {
        let (mut candidate, mut choice) =
            (candidate(at, "text"), json!({"index":at,"delta":{"content":"text"},"finish_reason":"stop"}));
        if at == without {
            candidate.as_object_mut().unwrap().remove("finishReason");
            choice["finish_reason"] = Value::Null;
        }
        let event = match from {
            Gemini => json!({"candidates":[candidate]}),
            _ => json!({"id":"c","choices":[choice]}),
        };
        out.push_str(&["data: ", event.to_string().as_str(), "\n\n"].concat());
    }
    out + if from == Gemini { "" } else { "data: [DONE]\n\n" }
}

#[test]
fn an_answer_beside_others_that_never_ends_is_broken_off_and_no_end_is_made_up_for_it() {
    for (client, provider) in PAIRS.into_iter().chain([(OpenAiChat, OpenAiChat), (Gemini, Gemini)]) {
        for without in [0, 1] {
            let stream = unended(provider, without);
            let (out, end, relay) = relayed(provider, &asks(client, true), stream.as_bytes(), &[]);
            assert_eq!(
                (end, relay.is_complete()),
                (StreamEnd::Truncated, false),
                "{provider} to {client}: {out}"
            );
            assert!(!out.contains("[DONE]"), "{out}");
            for event in events(&out) {
                let list = event["candidates"].as_array().or(event["choices"].as_array());
                for choice in list.into_iter().flatten().filter(|choice| choice["index"] == without) {
                    let word = choice.get("finishReason").or(choice.get("finish_reason"));
                    assert!(word.is_none_or(Value::is_null), "{provider} to {client}: {choice}");
                }
            }
        }
    }
}

#[test]
fn of_several_answers_in_a_stream_each_has_to_be_json_where_that_was_asked_for() {
    use pointsman::routing::Check;
    let asked = ask(
        OpenAiChat,
        &json!({"model":"m","messages":[{"role":"user","content":"x"}],"n":2,"stream":true,
            "response_format":{"type":"json_object"}}),
    );
    let cases = [
        ([r#"{"a":1}"#, r#"{"b":2}"#], "stop", Check::Passed),
        ([r#"{"a":1}"#, "sorry, no"], "stop", Check::Failed),
        (["sorry, no", r#"{"a":1}"#], "stop", Check::Failed),
        ([r#"{"a":1}"#, ""], "stop", Check::Failed),
        ([r#"{"a":1}"#, r#"{"b":2}"#], "length", Check::Failed),
    ];
    for provider in [OpenAiChat, Gemini] {
        for (texts, word, check) in cases {
            let mut stream = String::new();
            for part in 0..3 {
                for (at, text) in texts.iter().enumerate() {
                    let (head, tail) = text.split_at(text.len() / 2);
                    let text = [head, tail, ""][part];
                    let (is_last, is_stop) = (part == 2, word == "stop");
                    let event = match provider {
                        Gemini => {
                            let word = is_last.then_some(if is_stop { "STOP" } else { "MAX_TOKENS" });
                            json!({"candidates":[{"index":at,"content":{"parts":[{"text":text}]},"finishReason":word}]})
                        }
                        _ => {
                            json!({"id":"c","choices":[{"index":at,"delta":{"content":text},"finish_reason":is_last.then_some(word)}]})
                        }
                    };
                    stream.push_str(&["data: ", event.to_string().as_str(), "\n\n"].concat());
                }
            }
            if provider == OpenAiChat {
                stream += "data: [DONE]\n\n";
            }
            let (out, end, relay) = relayed(provider, &asked, stream.as_bytes(), &[]);
            // Gemini's empty word is an answer that failed.
            let is_nothing = provider == Gemini && texts[1].is_empty();
            assert!(is_nothing || end == StreamEnd::Complete, "{provider} {texts:?}: {out}");
            let seen = if is_nothing { Check::Failed } else { relay.check() };
            assert_eq!(seen, check, "{provider} {texts:?} {word}");
        }
    }
}
