//! What passes between client and provider of the same dialect, byte by byte, and what no bytes may do to the reader.

use bytes::{Bytes, BytesMut};
use pointsman::routing::{Check, Parameters};
use pointsman::wire::{Answer, Ask, Dialect, Finish, Relay, Sending, StreamEnd, WireError, answer};
use proptest::prelude::*;

use serde_json::{Value, json};

use super::{asked, relayed};

const CLIENTS: [Dialect; 4] =
    [Dialect::OpenAiChat, Dialect::OpenAiResponses, Dialect::OpenAiEmbeddings, Dialect::AnthropicMessages];

fn ask(dialect: Dialect, body: &str) -> Ask {
    Ask::read(dialect, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn sent(dialect: Dialect, body: &str, model: &str, sending: &Sending<'_>) -> String {
    let body = ask(dialect, body).body_for(dialect, model, sending).unwrap().body;
    String::from_utf8(body.to_vec()).unwrap()
}

pub(crate) fn answered(ask: &Ask, from: Dialect, body: &str) -> Answer {
    answer(from, ask, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

#[test]
fn only_the_model_is_replaced() {
    let cases = [
        (
            Dialect::OpenAiChat,
            r#"{ "messages" : [{"role":"user","content":"héllo"}],"x":{"unknown":[1.50,1e3]},  "model" : "auto" , "seed":12345678901234567890 }"#,
        ),
        (Dialect::OpenAiResponses, r#"{"model":"auto","input":"hello","stream":true,"x":null}"#),
        (Dialect::OpenAiEmbeddings, r#"{"input":["a","b"],"model":"auto","dimensions":3}"#),
        (
            Dialect::AnthropicMessages,
            r#"{"max_tokens":5,"messages":[{"content":"hi","role":"user"}],"stream":true,"model":"auto","system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]}"#,
        ),
    ];
    for (dialect, body) in cases {
        let want = body.replace("\"auto\"", "\"served \\\"x\\\"\"");
        assert_eq!(sent(dialect, body, "served \"x\"", &Sending::default()), want);
        assert_eq!(sent(dialect, body, "auto", &Sending::default()), body, "nothing to change");
    }
}

#[test]
fn a_chat_stream_asks_for_its_usage() {
    let with = |options: &str| format!(r#"{{"model":"m","messages":[],"stream":true{options}}}"#);
    let cases = [
        ("", r#","stream_options":{"include_usage":true}"#),
        (r#","stream_options":null"#, r#","stream_options":{"include_usage":true}"#),
        (r#","stream_options":{}"#, r#","stream_options":{"include_usage":true}"#),
        (r#","stream_options":{"a":1 }"#, r#","stream_options":{"a":1,"include_usage":true }"#),
        (
            r#","stream_options":{"include_usage":false,"a":1}"#,
            r#","stream_options":{"include_usage":true,"a":1}"#,
        ),
        (r#","stream_options":{"include_usage":true}"#, r#","stream_options":{"include_usage":true}"#),
    ];
    for (given, want) in cases {
        assert_eq!(sent(Dialect::OpenAiChat, &with(given), "m", &Sending::default()), with(want));
    }
}

#[test]
fn a_limit_of_policy_never_raises_that_of_the_client() {
    let most = |most| Parameters { max_output: Some(most), ..Parameters::NONE };
    let limits = [most(7), most(50), most(500)];
    let cap = |at: u32| {
        let with = limits.iter().find(|with| with.max_output == Some(at)).unwrap();
        Sending { with, ..Sending::default() }
    };
    let chat = r#"{"model":"m","messages":[],"max_tokens":100}"#;
    assert_eq!(sent(Dialect::OpenAiChat, chat, "m", &cap(50)), chat.replace("100", "50"));
    assert_eq!(sent(Dialect::OpenAiChat, chat, "m", &cap(500)), chat);
    let none = r#"{"model":"m","messages":[] }"#;
    assert_eq!(
        sent(Dialect::OpenAiChat, none, "m", &cap(50)),
        r#"{"model":"m","messages":[],"max_tokens":50 }"#
    );
    assert_eq!(
        sent(Dialect::OpenAiChat, chat, "o4-mini", &Sending::default()),
        r#"{"model":"o4-mini","messages":[],"max_completion_tokens":100}"#,
        "reasoning models know only the newer name"
    );
    assert_eq!(
        sent(Dialect::OpenAiChat, none, "o4-mini", &cap(50)),
        r#"{"model":"o4-mini","messages":[],"max_completion_tokens":50 }"#
    );
    let null = r#"{"model":"m","max_tokens":null,"messages":[]}"#;
    assert_eq!(sent(Dialect::OpenAiChat, null, "m", &cap(50)), null.replace("null", "50"), "not given twice");
    assert_eq!(sent(Dialect::OpenAiChat, null, "m", &Sending::default()), null);
    let responses = r#"{"model":"m","input":"x","max_output_tokens":9}"#;
    assert_eq!(sent(Dialect::OpenAiResponses, responses, "m", &cap(7)), responses.replace('9', "7"));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let cases = [
        (Dialect::OpenAiChat, "[]", "the body is not valid JSON: the body has to be an object"),
        (Dialect::OpenAiChat, r#"{"messages":[]}"#, "model: is missing; name a model, or \"auto\""),
        (Dialect::OpenAiChat, r#"{"model":"m"}"#, "messages: is missing"),
        (Dialect::OpenAiChat, r#"{"model":"m","messages":{}}"#, "messages: has to be a list"),
        (
            Dialect::OpenAiChat,
            r#"{"model":"m","messages":[{"content":"x"}]}"#,
            "messages[0].role: is missing",
        ),
        (Dialect::OpenAiChat, r#"{"model":"m","messages":[1]}"#, "messages[0]: has to be an object"),
        (Dialect::OpenAiChat, r#"{"model":7,"messages":[]}"#, "model: has to be a name"),
        (
            Dialect::OpenAiChat,
            r#"{"model":"m","messages":[],"stream":"yes"}"#,
            "stream: has to be true or false",
        ),
        (Dialect::OpenAiChat, r#"{"model":"m","messages":[],"n":0}"#, "n: has to be from 1 to 128"),
        (
            Dialect::AnthropicMessages,
            r#"{"model":"m","messages":[],"max_tokens":-1}"#,
            "max_tokens: has to be a whole number that is not negative",
        ),
        // A reader that takes the first and one that takes the last would see different models.
        (
            Dialect::OpenAiChat,
            r#"{"model":"cheap","messages":[],"mod\u0065l":"dear"}"#,
            "model: given twice; give it once",
        ),
    ];
    for (dialect, body, want) in cases {
        let error = Ask::read(dialect, Bytes::copy_from_slice(body.as_bytes())).unwrap_err();
        assert_eq!(error.to_string(), want, "{body}");
        assert_eq!(error.to_api().status, 400);
    }
    let deep = format!(r#"{{"model":"m","messages":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(Ask::read(Dialect::OpenAiChat, Bytes::from(deep)).unwrap_err(), WireError::TooDeep);
}

#[test]
fn the_ask_is_the_last_thing_a_person_wrote() {
    let chat = ask(
        Dialect::OpenAiChat,
        r#"{"model":"m","user":"u-1","messages":[{"role":"system","content":"s"},{"role":"user","content":"first"},{"role":"assistant","content":"a"},
        {"role":"user","content":[{"type":"text","text":"look \u00e9"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}},{"type":"text","text":"here"}]},
        {"role":"assistant","tool_calls":[]},{"role":"tool","tool_call_id":"1","content":"result"}],"tools":[{},{}],"max_completion_tokens":77,
        "response_format":{"type":"json_object"}}"#,
    );
    assert_eq!(chat.ask_text(), "look é\nhere");
    assert_eq!(chat.user(), Some("u-1"));
    let measures = chat.measures();
    assert_eq!((measures.earlier_user_turns, measures.tools, measures.max_output), (1, 2, Some(77)));
    assert!(measures.has_images && measures.wants_json && measures.earlier_bytes > 60);
    let messages = ask(
        Dialect::AnthropicMessages,
        r#"{"model":"m","max_tokens":9,"metadata":{"user_id":"u-2"},"messages":[{"role":"user","content":"what was asked"},
        {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"42"},{"type":"text","text":"<system-reminder>\nbe good\n</system-reminder>\n"}]}]}"#,
    );
    assert_eq!((&*messages.ask_text(), messages.user()), ("what was asked", Some("u-2")));
    assert_eq!(messages.measures().earlier_user_turns, 0);
    let responses = ask(
        Dialect::OpenAiResponses,
        r#"{"model":"m","instructions":"i","input":[{"role":"user","content":[{"type":"input_text","text":"one"}]},
        {"type":"function_call_output","call_id":"c","output":"x"}],"text":{"format":{"type":"json_schema","schema":{}}}}"#,
    );
    assert_eq!(responses.ask_text(), "one");
    assert!(responses.measures().wants_json);
    assert_eq!(ask(Dialect::OpenAiResponses, r#"{"model":"m","input":"plain"}"#).ask_text(), "plain");
    assert_eq!(ask(Dialect::OpenAiEmbeddings, r#"{"model":"m","input":["a","b"]}"#).ask_text(), "a\nb");
    assert_eq!(ask(Dialect::OpenAiEmbeddings, r#"{"model":"m","input":[[1,2]]}"#).ask_text(), "");
}

#[test]
fn a_picture_counts_as_a_picture_not_as_its_bytes() {
    let with = |bytes: usize| {
        let url = format!("data:image/png;base64,{}", "A".repeat(bytes));
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"{url}"}}}}]}}]}}"#
        );
        ask(Dialect::OpenAiChat, &body).measures().estimated_prompt_tokens
    };
    assert_eq!(with(10), with(1_000_000));
    assert!((1_024..1_100).contains(&with(10)));
}

#[test]
fn a_prompt_that_lies_in_part_elsewhere_is_known_as_one() {
    use Dialect::{AnthropicMessages as Messages, OpenAiChat as Chat, OpenAiResponses as Responses};
    let user = |part: &str| {
        format!(r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":[{part}]}}]}}"#)
    };
    let input = |part: &str| format!(r#"{{"model":"m","input":[{{"role":"user","content":[{part}]}}]}}"#);
    for (dialect, body, is_elsewhere) in [
        (Responses, r#"{"model":"m","input":"x","previous_response_id":"resp_1"}"#.to_owned(), true),
        (Responses, r#"{"model":"m","input":"x","conversation":{"id":"conv_1"}}"#.to_owned(), true),
        (Responses, r#"{"model":"m","input":"x","prompt":{"id":"pmpt_1"}}"#.to_owned(), true),
        (
            Responses,
            r#"{"model":"m","input":"x","previous_response_id":null,"prompt":null}"#.to_owned(),
            false,
        ),
        (Responses, r#"{"model":"m","input":[{"type":"item_reference","id":"msg_1"}]}"#.to_owned(), true),
        (Responses, input(r#"{"type":"input_file","file_id":"file_1"}"#), true),
        (Responses, input(r#"{"type":"input_file","file_url":"https://example.com/a.pdf"}"#), true),
        (Responses, input(r#"{"type":"input_file","filename":"a.pdf","file_data":"AAAA"}"#), false),
        (Chat, user(r#"{"type":"file","file":{"file_id":"file_1"}}"#), true),
        (Chat, user(r#"{"type":"file","file":{"filename":"a.pdf","file_data":"AAAA"}}"#), false),
        (Chat, user(r#"{"type":"video_url","video_url":{"url":"https://example.com/film"}}"#), true),
        (Chat, user(r#"{"type":"video_url","video_url":{"url":"data:video/mp4;base64,AAAA"}}"#), false),
        (Chat, user(r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}"#), false),
        (Messages, user(r#"{"type":"document","source":{"type":"file","file_id":"file_1"}}"#), true),
        (Messages, user(r#"{"type":"document","source":{"type":"text","data":"words"}}"#), false),
    ] {
        assert_eq!(ask(dialect, &body).measures().is_elsewhere, is_elsewhere, "{body}");
    }
}

#[test]
fn an_answer_in_the_clients_dialect_is_untouched_and_read() {
    let chat = ask(Dialect::OpenAiChat, r#"{"model":"m","messages":[]}"#);
    let body = r#"{"id":"1","model":"gpt-4.1-2025","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"length"}],
        "usage":{"prompt_tokens":12,"completion_tokens":0,"prompt_tokens_details":{"cached_tokens":8}}, "x": [1.0]}"#;
    let read = answered(&chat, Dialect::OpenAiChat, body);
    assert_eq!(read.body, body);
    let usage = read.usage.unwrap().usage;
    // Words that cost nothing: the zero is not believed.
    assert_eq!((usage.input.get(), usage.cache_read.get(), usage.output.get()), (Some(4), Some(8), None));
    assert_eq!(
        (read.model.as_deref(), read.finish, read.check),
        (Some("gpt-4.1-2025"), Finish::Length, Check::None)
    );
    assert_eq!(read.output_bytes, 5);
    let embed = ask(Dialect::OpenAiEmbeddings, r#"{"model":"m","input":"x"}"#);
    let body = r#"{"object":"list","data":[{"embedding":[0.1,-2e-3]}],"model":"e","usage":{"prompt_tokens":5,"total_tokens":5}}"#;
    let read = answered(&embed, Dialect::OpenAiEmbeddings, body);
    assert_eq!(
        (read.usage.unwrap().usage.output.get(), read.usage.unwrap().usage.input.get()),
        (Some(0), Some(5))
    );
    assert!(matches!(answer(Dialect::Gemini, &embed, Bytes::new()), Err(WireError::Unsupported { .. })));
    let error =
        answer(Dialect::OpenAiChat, &chat, Bytes::from_static(br#"{"error":{"message":"no","code":502}}"#));
    assert!(matches!(error, Err(WireError::Upstream(_))), "an error under status 200 is an error");
}

#[test]
fn answers_are_checked_where_that_can_be_done() {
    let plain = ask(Dialect::OpenAiChat, r#"{"model":"m","messages":[]}"#);
    let json = ask(
        Dialect::OpenAiChat,
        r#"{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"required":["a","b"]}}}}"#,
    );
    let check = |ask: &Ask, content: &str, calls: &str, finish: &str| {
        let body = format!(
            r#"{{"choices":[{{"message":{{"content":{content},"tool_calls":{calls}}},"finish_reason":"{finish}"}}]}}"#
        );
        answered(ask, Dialect::OpenAiChat, &body).check
    };
    let call = |arguments: &str| {
        format!(r#"[{{"id":"c","type":"function","function":{{"name":"f","arguments":"{arguments}"}}}}]"#)
    };
    assert_eq!(check(&plain, "\"words\"", "null", "stop"), Check::None);
    assert_eq!(check(&plain, "null", "null", "stop"), Check::Failed, "empty");
    assert_eq!(check(&plain, "\"  \"", "[]", "stop"), Check::Failed, "blank");
    assert_eq!(check(&plain, "null", &call(r#"{\"a\":1}"#), "tool_calls"), Check::Passed);
    assert_eq!(check(&plain, "null", &call(r#"{\"a\":"#), "tool_calls"), Check::Failed, "cut arguments");
    assert_eq!(check(&json, r#""{\"a\":1,\"b\":2}""#, "null", "stop"), Check::Passed);
    assert_eq!(check(&json, r#""{\"a\":1}""#, "null", "stop"), Check::Failed, "a key is missing");
    assert_eq!(check(&json, "\"words\"", "null", "stop"), Check::Failed);
    assert_eq!(check(&json, r#""{\"a\":1,\"b\":2}""#, "null", "length"), Check::Failed, "cut");
    assert_eq!(check(&json, "null", &call("{}"), "tool_calls"), Check::Passed, "the JSON comes later");
}

const CHAT: &str = "data: {\"id\":\"c\",\"model\":\"gpt-4.1-2025\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hé\"},\"finish_reason\":null}],\"usage\":null}\r\n\r\n: keep\n\ndata: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"🙂\"},\"finish_reason\":\"stop\"}]}\n\ndata: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
const MESSAGES: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude\",\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":7,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hé🙂\"}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"input_tokens\":120,\"output_tokens\":8}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
const RESPONSES: &str = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"model\":\"gpt-4.1\"}}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hé🙂\"}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"model\":\"gpt-4.1\",\"status\":\"completed\",\"usage\":{\"input_tokens\":9,\"output_tokens\":2}}}\n\n";

fn streaming(dialect: Dialect, more: &str) -> Ask {
    let prompt = if dialect == Dialect::OpenAiResponses { "\"input\":\"x\"" } else { "\"messages\":[]" };
    ask(dialect, &format!(r#"{{"model":"m",{prompt},"stream":true{more}}}"#))
}

#[test]
fn a_stream_in_the_clients_dialect_passes_byte_by_byte() {
    let asked = streaming(Dialect::OpenAiChat, r#","stream_options":{"include_usage":true}"#);
    let (out, end, relay) = relayed(Dialect::OpenAiChat, &asked, CHAT.as_bytes(), &[]);
    assert_eq!((out.as_str(), end), (CHAT, StreamEnd::Complete));
    assert_eq!(
        (relay.delivered(), relay.model(), relay.finish_reason()),
        ("Hé🙂", Some("gpt-4.1-2025"), Some(Finish::Stop))
    );
    let usage = relay.usage().unwrap().usage;
    assert_eq!((usage.input.get(), usage.output.get()), (Some(9), Some(2)));
    let (out, _, relay) =
        relayed(Dialect::OpenAiChat, &streaming(Dialect::OpenAiChat, ""), CHAT.as_bytes(), &[]);
    let without: String =
        CHAT.split_inclusive("\n\n").filter(|event| !event.contains("\"choices\":[],")).collect();
    assert_eq!(out, without, "usage that was not asked for is held back");
    assert!(relay.usage().is_some());
    for (dialect, stream, want) in
        [(Dialect::AnthropicMessages, MESSAGES, (120, 8)), (Dialect::OpenAiResponses, RESPONSES, (9, 2))]
    {
        let (out, end, relay) = relayed(dialect, &streaming(dialect, ""), stream.as_bytes(), &[]);
        assert_eq!((out.as_str(), end, relay.delivered()), (stream, StreamEnd::Complete, "Hé🙂"));
        let usage = relay.usage().unwrap().usage;
        assert_eq!((usage.input.or_zero(), usage.output.or_zero()), want, "the last total counts");
    }
}

#[test]
fn a_broken_stream_is_told_from_a_whole_one() {
    let asked = streaming(Dialect::OpenAiChat, "");
    let cut = CHAT.find("data: {\"id\":\"c\",\"choices\":[{").unwrap() + 40;
    let (out, end, relay) = relayed(Dialect::OpenAiChat, &asked, &CHAT.as_bytes()[..cut], &[]);
    assert_eq!((end, relay.delivered(), relay.usage()), (StreamEnd::Truncated, "Hé", None));
    assert!(!out.contains("[DONE]"), "half an event is not passed on");
    let done = CHAT.find("data: [DONE]").unwrap();
    let (out, end, _) = relayed(Dialect::OpenAiChat, &asked, &CHAT.as_bytes()[..done], &[]);
    assert_eq!(end, StreamEnd::Complete);
    assert!(out.ends_with("data: [DONE]\n\n"), "a missing end is added where the answer is whole");
    let (out, end, _) = relayed(Dialect::OpenAiChat, &asked, CHAT.trim_end().as_bytes(), &[]);
    assert_eq!((end, out.ends_with("data: [DONE]\n\n")), (StreamEnd::Complete, true));
}

#[test]
fn a_placeholder_is_no_count() {
    let asked = streaming(Dialect::AnthropicMessages, "");
    let cut = MESSAGES.find("event: message_delta").unwrap();
    let (_, end, relay) = relayed(Dialect::AnthropicMessages, &asked, &MESSAGES.as_bytes()[..cut], &[]);
    let usage = relay.usage().unwrap().usage;
    assert_eq!((end, usage.input.get(), usage.output.get()), (StreamEnd::Truncated, Some(25), None));
}

#[test]
fn a_streamed_answer_is_checked_once_it_is_whole() {
    let stream = |text: &str, finish: &str| {
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":{}}}}}]}}\n\ndata: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"{finish}\"}}]}}\n\ndata: [DONE]\n\n",
            serde_json::json!(text)
        )
    };
    let json = streaming(Dialect::OpenAiChat, r#","response_format":{"type":"json_object"}"#);
    let plain = streaming(Dialect::OpenAiChat, "");
    for (asked, text, finish, want) in [
        (&json, "{}", "stop", Check::Passed),
        (&json, "{}", "length", Check::Failed),
        (&json, "words", "stop", Check::Failed),
        (&plain, "words", "stop", Check::None),
        (&plain, " ", "stop", Check::Failed),
    ] {
        let (_, _, relay) = relayed(Dialect::OpenAiChat, asked, stream(text, finish).as_bytes(), &[]);
        assert_eq!(relay.check(), want, "{text} {finish}");
    }
}

#[test]
fn thoughts_that_a_client_sees_are_content() {
    let event = "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n";
    for client in [Dialect::AnthropicMessages, Dialect::OpenAiChat, Dialect::OpenAiResponses] {
        let (_, _, relay) =
            relayed(Dialect::AnthropicMessages, &streaming(client, ""), event.as_bytes(), &[]);
        assert_eq!((relay.has_content(), relay.has_answer(), relay.delivered()), (true, false, ""));
    }
}

#[test]
fn an_error_in_a_stream_is_not_passed_on_as_an_event() {
    let cases = [
        (
            Dialect::OpenAiChat,
            "data: {\"error\":{\"message\":\"boom\",\"code\":503}}\n\n",
            "data: {\"error\":{\"message\":\"boom\"",
        ),
        (
            Dialect::AnthropicMessages,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"boom\"}}\n\n",
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"boom\"}}\n\n",
        ),
        (
            Dialect::OpenAiResponses,
            "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"boom\"}\n\n",
            "event: error\ndata: {\"type\":\"error\",",
        ),
    ];
    for (dialect, event, told) in cases {
        let mut relay = Relay::new(dialect, &streaming(dialect, ""));
        let mut out = BytesMut::new();
        let Err(WireError::Upstream(error)) = relay.push(event.as_bytes(), &mut out) else {
            panic!("{event}")
        };
        assert_eq!((error.message.as_str(), out.len(), relay.has_content()), ("boom", 0, false));
        relay.fail(&error, &mut out);
        relay.fail(&error, &mut out);
        let out = String::from_utf8(out.to_vec()).unwrap();
        assert!(out.starts_with(told) && out.matches("\n\n").count() == 1, "{out}");
        assert_eq!(relay.finish(&mut BytesMut::new()), StreamEnd::Truncated);
    }
}

fn cuts(stream: &'static str) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..=stream.len(), 0..30).prop_map(|mut cuts| {
        cuts.sort_unstable();
        cuts
    })
}

proptest! {
    #[test]
    fn where_bytes_are_cut_changes_nothing(a in cuts(CHAT), b in cuts(MESSAGES), c in cuts(RESPONSES)) {
        for (dialect, stream, cuts) in [(Dialect::OpenAiChat, CHAT, &a), (Dialect::AnthropicMessages, MESSAGES, &b), (Dialect::OpenAiResponses, RESPONSES, &c)] {
            let asked = streaming(dialect, "");
            let (whole, ..) = relayed(dialect, &asked, stream.as_bytes(), &[]);
            let (out, end, relay) = relayed(dialect, &asked, stream.as_bytes(), cuts);
            prop_assert_eq!(out, whole);
            prop_assert_eq!((end, relay.delivered()), (StreamEnd::Complete, "Hé🙂"));
        }
    }

    #[test]
    fn whatever_else_a_request_says_stays_as_written(
        before in "[ \n\t]{0,3}", key in "[a-z]{1,8}", value in "(null|-?[1-9][0-9]{0,20}(\\.[0-9]{1,3})?|\"[a-z\\u00e9 ]{0,9}\"|\\[1, \\{\"a\" :[]]?\\}?\\]?)", after in "[ \n]{0,3}",
    ) {
        let body = format!(r#"{before}{{{before}"x_{key}"{after}: {value},"messages":[],{after}"model":{before}"auto"{after},"y":{value}}}{after}"#);
        for dialect in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
            if let Ok(read) = Ask::read(dialect, Bytes::from(body.clone())) {
                let sent = read.body_for(dialect, "served", &Sending::default()).unwrap().body;
                prop_assert_eq!(sent, body.replace("\"auto\"", "\"served\""));
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[{}\\[\\]\",:a-e0-9 \\\\\n]{0,120}") {
        let asked = streaming(Dialect::OpenAiChat, "");
        for body in [&bytes[..], text.as_bytes()] {
            for dialect in CLIENTS {
                if let Ok(ask) = Ask::read(dialect, Bytes::copy_from_slice(body)) {
                    let _ = (ask.ask_text().len(), ask.measures(), ask.body_for(dialect, "x", &Sending::default()));
                }
            }
            for from in Dialect::ALL {
                let _ = answer(from, &asked, Bytes::copy_from_slice(body));
                let _ = pointsman::wire::read_error(from, 500, body);
                relayed(from, &asked, body, &[]);
                let framed = [b"data: ", body, b"\n\n"].concat();
                relayed(from, &asked, &framed, &[]);
            }
        }
    }

    #[test]
    fn a_request_cut_anywhere_is_refused_not_misread(cut in 0usize..120) {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"a \"b\" \\ é"}],"tools":[{"a":[1,{"b":null}]}],"stream":true}"#;
        let cut = cut.min(body.len());
        let read = Ask::read(Dialect::OpenAiChat, Bytes::copy_from_slice(&body.as_bytes()[..cut]));
        prop_assert_eq!(read.is_ok(), cut == body.len());
    }
}

#[test]
fn nothing_that_follows_the_last_word_is_passed_on() {
    let chat = r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}

data: [DONE]

"#;
    let messages = r#"event: message_start
data: {"type":"message_start","message":{"id":"m","model":"x","usage":{"input_tokens":1}}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}

event: message_stop
data: {"type":"message_stop"}

"#;
    let responses = r#"event: response.output_text.delta
data: {"type":"response.output_text.delta","output_index":0,"delta":"hi","sequence_number":1}

event: response.completed
data: {"type":"response.completed","sequence_number":2,"response":{"id":"r","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}]}}

"#;
    let after = [
        "data: {\"id\":\"late\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"late\"}}]}\n\n",
        "data: {\"error\":{\"message\":\"late\"}}\n\n",
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"late\"}}\n\n",
        "late\n\n",
        "data: late",
    ];
    let dialects = [
        (Dialect::OpenAiChat, chat),
        (Dialect::AnthropicMessages, messages),
        (Dialect::OpenAiResponses, responses),
    ];
    for (dialect, stream) in dialects {
        for late in after {
            let all = format!("{stream}{late}");
            for cuts in [vec![], vec![stream.len()], (1..all.len()).collect()] {
                let (out, end, relay) = relayed(dialect, &asked(dialect, true), all.as_bytes(), &cuts);
                assert_eq!((out.as_str(), end), (stream, StreamEnd::Complete), "{dialect} {late:?}");
                assert!(relay.failure().is_none());
            }
        }
    }
}

#[test]
fn a_message_that_another_try_goes_on_with_ends_with_the_prompt_that_was_billed() {
    let start = |usage: &Value| json!({"type":"message_start","message":{"id":"m1","model":"x","role":"assistant","content":[],"usage":usage}});
    let billed = json!({"input_tokens":5,"cache_creation_input_tokens":700,"cache_read_input_tokens":90_000,"output_tokens":1});
    let body = |end: &Value| {
        [
            ("message_start", start(&billed)),
            (
                "content_block_delta",
                json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}),
            ),
            ("message_delta", json!({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":end})),
            ("message_stop", json!({"type":"message_stop"})),
        ]
        .map(|(name, data)| format!("event: {name}\ndata: {data}\n\n"))
        .concat()
    };
    let asked = asked(Dialect::AnthropicMessages, true);
    let ends = [
        (json!({"output_tokens":10}), (5, 700, 90_000)),
        (json!({"input_tokens":null,"output_tokens":10}), (5, 700, 90_000)),
        // What the end says itself is the last word.
        (json!({"input_tokens":6,"cache_read_input_tokens":0,"output_tokens":10}), (6, 700, 0)),
    ];
    for (end, (input, written, cached)) in ends {
        let mut first = Relay::new(Dialect::AnthropicMessages, &asked);
        let mut out = BytesMut::new();
        let begun = format!(
            "event: message_start\ndata: {}\n\n",
            start(&json!({"input_tokens":12,"cache_read_input_tokens":0,"output_tokens":1}))
        );
        first.push(begun.as_bytes(), &mut out).unwrap();
        let mut second = Relay::new(Dialect::AnthropicMessages, &asked);
        second.go_on(first.preface());
        let mut out = BytesMut::new();
        second.push(body(&end).as_bytes(), &mut out).unwrap();
        assert_eq!(second.finish(&mut out), StreamEnd::Complete);
        let out = String::from_utf8(out.to_vec()).unwrap();
        assert!(!out.contains("message_start"), "{out}");
        let told = out.lines().filter_map(|line| line.strip_prefix("data: "));
        let told = told.map(|data| serde_json::from_str::<Value>(data).unwrap());
        let usage = told.into_iter().find(|event| event["type"] == "message_delta").unwrap()["usage"].clone();
        assert_eq!(
            usage,
            json!({"input_tokens":input,"cache_creation_input_tokens":written,"cache_read_input_tokens":cached,"output_tokens":10})
        );
    }
}
