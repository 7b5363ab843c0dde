//! What a call is billed for is what its provider said at most, wherever in the answer it said so.

use std::fmt::Write as _;

use pointsman::units::Count;
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{answer, used};
use serde_json::{Value, json};

use super::{asked, relayed};

/// Relays events to a client of chat; gives fresh input, cached input and output as they are billed.
fn billed(from: Dialect, to: Dialect, events: &[Value]) -> [Option<u64>; 3] {
    let mut stream = String::new();
    for event in events {
        let name = event.get("type").and_then(Value::as_str).map(|name| format!("event: {name}\n"));
        let _ = write!(stream, "{}data: {event}\n\n", name.unwrap_or_default());
    }
    if from == OpenAiChat {
        stream.push_str("data: [DONE]\n\n");
    }
    let (_, _, relay) = relayed(from, &asked(to, true), stream.as_bytes(), &[]);
    relay.usage().map_or([None; 3], |counted| {
        [counted.usage.input, counted.usage.cache_read, counted.usage.output].map(Count::get)
    })
}

fn chunk(choices: &Value, more: Value) -> Value {
    let mut chunk = json!({"id":"c1","object":"chat.completion.chunk","created":1_777_629_600,"model":"m","choices":choices});
    if let (Some(chunk), Value::Object(more)) = (chunk.as_object_mut(), more) {
        chunk.extend(more);
    }
    chunk
}

fn chat(last: &[Value]) -> Vec<Value> {
    let text = chunk(&json!([{"index":0,"delta":{"role":"assistant","content":"hi"}}]), json!({}));
    [text].into_iter().chain(last.iter().cloned()).collect()
}

fn message(start: &Value, end: &Value) -> Vec<Value> {
    vec![
        json!({"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"usage":start}}),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":end}),
        json!({"type":"message_stop"}),
    ]
}

/// A provider's last event once wiped out a prompt of 15,000 tokens: 339 times too cheap, and called known.
#[test]
fn zeros_at_the_end_of_a_stream_erase_nothing() {
    let start = json!({"input_tokens":15_000,"cache_read_input_tokens":2000,"output_tokens":1});
    for end in [
        json!({"input_tokens":0,"cache_read_input_tokens":0,"output_tokens":9}),
        json!({"input_tokens":null,"output_tokens":9}),
        json!({"output_tokens":9}),
    ] {
        for to in [AnthropicMessages, OpenAiChat] {
            assert_eq!(
                billed(AnthropicMessages, to, &message(&start, &end)),
                [Some(15_000), Some(2000), Some(9)],
                "{end}"
            );
        }
    }
    let late = message(
        &json!({"input_tokens":0,"output_tokens":0}),
        &json!({"input_tokens":15_000,"output_tokens":9}),
    );
    assert_eq!(billed(AnthropicMessages, OpenAiChat, &late), [Some(15_000), Some(0), Some(9)]);

    let stop = json!([{"index":0,"delta":{},"finish_reason":"stop"}]);
    let told = json!({"usage":{"prompt_tokens":15_000,"completion_tokens":200,"total_tokens":15_200,"prompt_tokens_details":{"cached_tokens":5000}}});
    let zeros = json!({"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"prompt_tokens_details":{"cached_tokens":0}}});
    let events = chat(&[chunk(&stop, told), chunk(&json!([]), zeros.clone())]);
    assert_eq!(billed(OpenAiChat, OpenAiChat, &events), [Some(10_000), Some(5000), Some(200)]);
    // Nothing but zeros beside words that were delivered is no bill of zero.
    assert_eq!(billed(OpenAiChat, OpenAiChat, &chat(&[chunk(&stop, zeros)])), [None; 3]);

    let gemini = |text: &str, usage: Value| json!({"candidates":[{"content":{"role":"model","parts":[{"text":text}]},"index":0,"finishReason":if text == "!" { json!("STOP") } else { Value::Null }}],"modelVersion":"m","responseId":"g1","usageMetadata":usage});
    let events = [
        gemini("hi", json!({"promptTokenCount":15_000,"candidatesTokenCount":9,"totalTokenCount":15_009})),
        gemini("!", json!({"promptTokenCount":0,"totalTokenCount":0})),
    ];
    assert_eq!(billed(Gemini, OpenAiChat, &events), [Some(15_000), Some(0), Some(9)]);
}

#[test]
fn usage_is_found_in_a_choice_and_under_x_groq() {
    let usage = json!({"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,"cached_tokens":512});
    let plain = json!([{"index":0,"delta":{},"finish_reason":"stop"}]);
    let inside = json!([{"index":0,"delta":{},"finish_reason":"stop","usage":usage}]);
    for last in [
        chunk(&inside, json!({})),
        chunk(&inside, json!({"usage":null})),
        chunk(&json!([{"index":0,"delta":{"usage":usage},"finish_reason":"stop"}]), json!({})),
        chunk(&plain, json!({"x_groq":{"id":"r","usage":usage}})),
        chunk(&plain, json!({"usage":usage})),
    ] {
        assert_eq!(billed(OpenAiChat, AnthropicMessages, &chat(&[last])), [Some(488), Some(512), Some(200)]);
    }
    for body in [
        json!({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop","usage":usage}]}),
        json!({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"x_groq":{"usage":usage}}),
        json!({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","usage":usage},"finish_reason":"stop"}]}),
    ] {
        let read = answer(OpenAiChat, &asked(OpenAiChat, false), body.to_string().into()).unwrap();
        assert_eq!(read.usage.unwrap().usage.cache_read.get(), Some(512));
    }
}

/// Servers in between put what Anthropic counted elsewhere at the end of a stream; once it was estimated.
#[test]
fn the_end_of_a_message_tells_its_usage_wherever_it_stands() {
    let start = json!({"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":1000,"output_tokens":1}}});
    let told = json!({"output_tokens":200});
    for (delta, stop) in [
        (json!({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":told}), json!({})),
        (json!({"type":"message_delta","delta":{"stop_reason":"end_turn","usage":told}}), json!({})),
        (
            json!({"type":"message_delta","delta":{"stop_reason":"end_turn"},"message":{"usage":told}}),
            json!({}),
        ),
        (json!({"type":"message_delta","delta":{"stop_reason":"end_turn"}}), json!({"usage":told})),
        (
            json!({"type":"message_delta","delta":{"stop_reason":"end_turn"}}),
            json!({"message":{"usage":told}}),
        ),
    ] {
        let mut stop = stop;
        stop["type"] = json!("message_stop");
        let text = json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}});
        let block = json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}});
        let events = [start.clone(), block, text, delta, stop];
        let want = [Some(1000), Some(0), Some(200)];
        assert_eq!(billed(AnthropicMessages, OpenAiChat, &events), want, "{} {}", events[3], events[4]);
    }
}

/// Not every server of xAI's models counts reasoning alike; without a total, a guess was once called known.
#[test]
fn what_a_model_counts_in_two_ways_is_a_guess_live_as_in_a_log() {
    let told = |model: &str, total: Value| {
        let usage = json!({"prompt_tokens":100,"completion_tokens":500,"total_tokens":total,"completion_tokens_details":{"reasoning_tokens":400}});
        let body = json!({"id":"c","model":model,"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":usage});
        let counted =
            answer(OpenAiChat, &asked(OpenAiChat, false), body.to_string().into()).unwrap().usage.unwrap();
        (counted.usage.output.get(), counted.is_guess)
    };
    assert_eq!(told("grok-4", json!(null)), (Some(500), true));
    assert_eq!(told("grok-4", json!(600)), (Some(500), false));
    assert_eq!(told("grok-4", json!(1000)), (Some(900), false));
    assert_eq!(told("gpt-5", json!(null)), (Some(500), false));
}

/// A client that has to be told something is told what the ledger estimates, not zero.
#[test]
fn a_client_of_anthropics_is_told_tokens_that_no_provider_told() {
    let text = "a".repeat(40);
    let asked = asked(AnthropicMessages, false);
    let prompt = asked.measures().estimated_prompt_tokens;
    let body = json!({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":text},"finish_reason":"stop"}]});
    let read = answer(OpenAiChat, &asked, body.to_string().into()).unwrap();
    let told: Value = serde_json::from_slice(&read.body).unwrap();
    assert_eq!(
        (&told["usage"]["input_tokens"], &told["usage"]["output_tokens"]),
        (&json!(prompt), &json!(10))
    );
    assert!(read.usage.is_none(), "and nobody is billed by it as by a provider's word");
    let said = json!([{"index":0,"delta":{"role":"assistant","content":text}}]);
    let stop = json!([{"index":0,"delta":{},"finish_reason":"stop"}]);
    let stream =
        format!("data: {}\n\ndata: {}\n\ndata: [DONE]\n\n", chunk(&said, json!({})), chunk(&stop, json!({})));
    let (out, _, relay) = relayed(OpenAiChat, &super::asked(AnthropicMessages, true), stream.as_bytes(), &[]);
    assert!(out.contains("\"output_tokens\":10}"), "{out}");
    assert!(relay.usage().is_none());
}

#[test]
fn what_failed_on_the_way_is_billed_for_what_it_says() {
    let response = |status: &str| {
        json!({"id":"resp_1","object":"response","model":"m","status":status,"error":{"code":"server_error","message":"x"},"incomplete_details":{"reason":"max_output_tokens"},"output":[],
        "usage":{"input_tokens":1000,"output_tokens":200,"total_tokens":1200,"input_tokens_details":{"cached_tokens":512}}})
    };
    let want = [Some(488), Some(512), Some(200)];
    for kind in ["failed", "incomplete"] {
        let events = [
            json!({"type":"response.created","response":{"id":"resp_1","model":"m"}}),
            json!({"type":format!("response.{kind}"),"response":response(kind)}),
        ];
        assert_eq!(billed(OpenAiResponses, OpenAiResponses, &events), want, "{kind}");
    }
    let counted = used(OpenAiResponses, response("failed").to_string().as_bytes()).unwrap();
    assert_eq!([counted.usage.input, counted.usage.cache_read, counted.usage.output].map(Count::get), want);
    assert!(used(OpenAiChat, br#"{"error":{"message":"no"}}"#).is_none());
    assert!(used(OpenAiChat, b"not json").is_none());
}

/// What a provider ran itself was once billed as if it had cost nothing.
#[test]
fn tools_that_a_provider_ran_are_told_whole_and_streamed() {
    let told = |counted: Option<pointsman::record::usage::Counted>| {
        let counted = counted.unwrap();
        let meters: Vec<_> = counted.terms.meters().map(|(name, count)| format!("{name}={count}")).collect();
        (meters.join(" "), counted.is_guess)
    };
    let usage = json!({"input_tokens":9,"output_tokens":9});
    for (blocks, more, meters, is_guess) in [
        (
            json!([{"type":"server_tool_use","name":"web_search"},{"type":"web_search_tool_result","content":[]}]),
            json!({}),
            "web_search=1",
            true,
        ),
        (json!([{"type":"server_tool_use","name":"code_execution"}]), json!({}), "code_execution=1", true),
        (json!([{"type":"text","text":"x"}]), json!({"container":{"id":"c"}}), "code_execution=1", true),
        (json!([{"type":"text","text":"x"}]), json!({"container":null}), "", false),
    ] {
        let mut whole = json!({"id":"m1","type":"message","role":"assistant","model":"m","content":blocks,"stop_reason":"end_turn","usage":usage});
        let mut delta = json!({"stop_reason":"end_turn"});
        for (key, value) in more.as_object().unwrap() {
            whole[key] = value.clone();
            delta[key] = value.clone();
        }
        assert_eq!(
            told(used(AnthropicMessages, whole.to_string().as_bytes())),
            (meters.to_owned(), is_guess),
            "{whole}"
        );
        let mut events =
            vec![json!({"type":"message_start","message":{"id":"m1","model":"m","usage":usage}})];
        for (index, block) in blocks.as_array().unwrap().iter().enumerate() {
            events.push(json!({"type":"content_block_start","index":index,"content_block":block}));
            events.push(json!({"type":"content_block_stop","index":index}));
        }
        events.push(json!({"type":"message_delta","delta":delta,"usage":{"output_tokens":9}}));
        events.push(json!({"type":"message_stop"}));
        let mut stream = String::new();
        for event in &events {
            let _ = write!(stream, "data: {event}\n\n");
        }
        let (_, _, relay) =
            relayed(AnthropicMessages, &asked(AnthropicMessages, true), stream.as_bytes(), &[]);
        assert_eq!(told(relay.usage()), (meters.to_owned(), is_guess), "{stream}");
    }
    let ran = json!({"id":"r","object":"response","status":"completed","output":[{"type":"shell_call","environment":{"type":"container_reference"}}],"usage":{"input_tokens":9,"output_tokens":9}});
    assert_eq!(
        told(used(OpenAiResponses, ran.to_string().as_bytes())),
        ("code_interpreter=1".to_owned(), true)
    );
    for (kind, want) in [
        ("container_file_citation", ("code_interpreter=1", true)),
        ("url_citation", ("web_search=1", true)),
        ("file_citation", ("", false)),
    ] {
        let cited = json!({"id":"r","object":"response","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"x","annotations":[{"type":kind}]}]}],"usage":{"input_tokens":9,"output_tokens":9}});
        assert_eq!(
            told(used(OpenAiResponses, cited.to_string().as_bytes())),
            (want.0.to_owned(), want.1),
            "{kind}"
        );
    }
    let placed = json!({"candidates":[{"finishReason":"STOP","content":{"parts":[{"text":"x"}]},"groundingMetadata":{"groundingChunks":[{"maps":{}}]}}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":9}});
    assert_eq!(told(used(Gemini, placed.to_string().as_bytes())), ("maps_grounding=1".to_owned(), true));
}

/// Returns fresh and cached input, writes and output of a whole chat answer, and whether they are a guess.
fn chat_bill(usage: &Value) -> ([Option<u64>; 4], bool) {
    let body = json!({"id":"c","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":usage});
    let told = answer(OpenAiChat, &asked(OpenAiChat, false), body.to_string().into()).unwrap().usage;
    let told = told.unwrap_or_default();
    let u = told.usage;
    ([u.input, u.cache_read, u.write_5m, u.output].map(Count::get), told.is_guess)
}

/// One count of reasoning below zero once threw the whole bill away: 157 times too cheap by the bytes of the answer.
#[test]
fn an_odd_count_says_nothing_of_those_beside_it() {
    let with = |more: Value| {
        let mut usage = json!({"prompt_tokens":2000,"completion_tokens":10,"total_tokens":2010});
        usage.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chat_bill(&usage)
    };
    let plain = [Some(2000), Some(0), Some(0), Some(10)];
    for odd in [
        json!({"completion_tokens_details":{"reasoning_tokens":-1}}),
        json!({"prompt_tokens_details":{"cached_tokens":"n/a"}}),
        json!({"prompt_tokens_details":[{"modality":"TEXT","tokenCount":5}]}),
        json!({"server_tool_use":7,"cached_tokens":1.5}),
    ] {
        assert_eq!(with(odd.clone()), (plain, true), "{odd}");
    }
    assert_eq!(with(json!({})), (plain, false));
    let half = json!({"prompt_tokens_details":{"audio_tokens":-3,"cached_tokens":500}});
    assert_eq!(with(half), ([Some(1500), Some(500), Some(0), Some(10)], true));
    let message = json!({"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"x"}],"stop_reason":"end_turn",
        "usage":{"input_tokens":2000,"output_tokens":10,"iterations":[{"type":"message","input_tokens":-1}]}});
    let gemini = json!({"candidates":[{"finishReason":"STOP","content":{"parts":[{"text":"x"}]}}],
        "usageMetadata":{"promptTokenCount":2000,"candidatesTokenCount":10,"promptTokensDetails":{"modality":"TEXT"}}});
    for (from, body) in [(AnthropicMessages, message), (Gemini, gemini)] {
        let told = used(from, body.to_string().as_bytes()).unwrap();
        let counts = [told.usage.input, told.usage.output].map(Count::get);
        assert_eq!((counts, told.is_guess), ([Some(2000), Some(10)], true), "{body}");
    }
    let twice = r#"{"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":2000,"prompt_tokens":2000,"completion_tokens":10}}"#;
    assert_eq!(used(OpenAiChat, twice.as_bytes()).unwrap().usage.input.get(), Some(2000));
}

/// As Qwen has them, for whom the same names at the top were known.
#[test]
fn what_was_written_into_a_cache_is_known_by_its_name_wherever_it_stands() {
    for details in [
        json!({"cached_tokens":0,"cache_creation":{"ephemeral_5m_input_tokens":1605},"cache_creation_input_tokens":1605,"cache_type":"ephemeral"}),
        json!({"cache_creation_input_tokens":1605}),
        json!({"cache_creation":1605}),
        json!({"cache_write_input_tokens":1605}),
    ] {
        let usage = json!({"prompt_tokens":2000,"completion_tokens":10,"total_tokens":2010,"prompt_tokens_details":details});
        assert_eq!(chat_bill(&usage).0, [Some(395), Some(0), Some(1605), Some(10)], "{details}");
    }
    let read = json!({"prompt_tokens":2000,"completion_tokens":10,"total_tokens":2010,"prompt_tokens_details":{"cache_read_input_tokens":1605}});
    assert_eq!(chat_bill(&read).0, [Some(395), Some(1605), Some(0), Some(10)]);
}

/// A gateway's own streams begin with an estimate of the prompt; another gateway in front of it once charged that, as known.
#[test]
fn the_end_of_a_message_corrects_the_estimate_that_its_start_made_of_the_prompt() {
    for (start, end, want) in [
        (json!({"input_tokens":2408,"output_tokens":0}), json!({"input_tokens":300,"output_tokens":2}), 300),
        (json!({"input_tokens":2408,"output_tokens":1}), json!({"input_tokens":1,"output_tokens":2}), 2408),
        (json!({"input_tokens":2408,"output_tokens":1}), json!({"input_tokens":0,"output_tokens":2}), 2408),
        (json!({"input_tokens":300,"output_tokens":0}), json!({"input_tokens":2408,"output_tokens":2}), 2408),
    ] {
        let got = billed(AnthropicMessages, OpenAiChat, &message(&start, &end));
        assert_eq!(got, [Some(want), Some(0), Some(2)], "{start} {end}");
    }
}

/// Vertex tells usage in its last chunk alone, and the search in another: it was free once.
#[test]
fn what_is_billed_besides_tokens_is_counted_wherever_the_answer_shows_it() {
    let bill = |from: Dialect, events: &[Value]| {
        let stream: String = events.iter().fold(String::new(), |mut all, event| {
            let _ = write!(all, "data: {event}\n\n");
            all
        });
        let (_, _, relay) = relayed(from, &asked(OpenAiChat, true), stream.as_bytes(), &[]);
        let counted = relay.usage().unwrap();
        let meters: Vec<_> = counted.terms.meters().map(|(name, count)| format!("{name}={count}")).collect();
        (meters.join(" "), counted.is_guess)
    };
    let usage = json!({"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15});
    let grounds = json!({"webSearchQueries":["a","b"]});
    let chunk = |text: &str, more: Value, grounds: Value| {
        let mut chunk = json!({"candidates":[{"content":{"role":"model","parts":[{"text":text}]},"index":0,"groundingMetadata":grounds}],"modelVersion":"m"});
        if text == "." {
            chunk["candidates"][0]["finishReason"] = json!("STOP");
        }
        chunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chunk
    };
    let apart = [
        chunk("hi", json!({"serviceTier":"flex"}), grounds.clone()),
        chunk(".", json!({"usageMetadata":usage}), json!(null)),
    ];
    let together = [
        chunk("hi", json!({}), json!(null)),
        chunk(".", json!({"usageMetadata":usage,"serviceTier":"flex"}), grounds),
    ];
    assert_eq!(bill(Gemini, &apart), ("web_search=2".to_owned(), true));
    assert_eq!(bill(Gemini, &apart), bill(Gemini, &together));

    // Perplexity and xAI name the pages beside the choices.
    for beside in [json!({"citations":["http://x"]}), json!({"search_results":[{"url":"http://x"}]})] {
        let mut last = json!({"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5}});
        last.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        assert_eq!(bill(OpenAiChat, &[last]), ("web_search=1".to_owned(), true), "{beside}");
    }
}

/// Converse, and servers of Anthropic's dialect that count at the end alone: the client saw a context of nothing.
#[test]
fn a_message_that_begins_without_a_count_of_its_prompt_begins_with_an_estimate() {
    let asked = asked(AnthropicMessages, true);
    let estimate = asked.measures().estimated_prompt_tokens;
    let begins = |usage: Value| json!({"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"usage":usage}});
    for (usage, want) in [
        (json!({"input_tokens":0,"output_tokens":0}), estimate),
        (json!({"input_tokens":0,"cache_read_input_tokens":7,"output_tokens":0}), 0),
        (json!({"input_tokens":3,"output_tokens":0}), 3),
    ] {
        let start = begins(usage).to_string();
        let stream = format!("event: message_start\ndata: {start}\n\n");
        let (out, _, relay) = relayed(AnthropicMessages, &asked, stream.as_bytes(), &[]);
        let told: Value =
            serde_json::from_str(out.lines().nth(1).unwrap().strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(told["message"]["usage"]["input_tokens"], want, "{out}");
        assert!(out == stream || want == estimate, "what it counts goes on as it came");
        assert!(relay.usage().is_none_or(|told| told.usage.input.or_zero() <= 3), "nobody is billed by it");
    }
}
