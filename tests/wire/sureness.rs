//! How likely the words of an answer were: asked for where a check wants it, read, and kept from a client that did not ask.

use bytes::{Bytes, BytesMut};
use pointsman::checks::Words;
use pointsman::routing::Parameters;
use pointsman::units::PerMille;
use pointsman::wire::{Accent, Ask, Dialect, Relay, Sending, answer_and_said};
use serde_json::{Value, json};

const LOGPROBS: Parameters = Parameters { logprobs: true, ..Parameters::NONE };

fn ask(dialect: Dialect, more: &Value) -> Ask {
    let mut body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Ask::read(dialect, Bytes::from(body.to_string())).unwrap()
}

fn token(text: &str, logprob: f64) -> Value {
    json!({"token": text, "logprob": logprob, "bytes": null, "top_logprobs": []})
}

#[test]
fn a_check_that_wants_it_has_the_provider_asked_and_no_other() {
    for dialect in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
        let sent = |with: &Parameters, accent, to| {
            let sending = Sending { with, accent, ..Sending::default() };
            let sent = ask(dialect, &json!({})).body_for(to, "m", &sending).unwrap();
            serde_json::from_slice::<Value>(&sent.body).unwrap()["logprobs"].clone()
        };
        assert_eq!(sent(&LOGPROBS, Accent::OpenAi, Dialect::OpenAiChat), json!(true), "{dialect}");
        assert_eq!(sent(&LOGPROBS, Accent::Mistral, Dialect::OpenAiChat), Value::Null, "{dialect}");
        assert_eq!(sent(&LOGPROBS, Accent::OpenAi, Dialect::AnthropicMessages), Value::Null, "{dialect}");
        assert_eq!(sent(&Parameters::NONE, Accent::OpenAi, Dialect::OpenAiChat), Value::Null, "{dialect}");
    }
}

/// Answers whole and streamed with these tokens; returns what is said of the words.
fn said_of(ask: &Ask, tokens: &[Value]) -> [Option<Words>; 2] {
    let body = json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "x"}, "logprobs": {"content": tokens, "refusal": null}}]});
    let (_, whole) = answer_and_said(Dialect::OpenAiChat, ask, Bytes::from(body.to_string()), true).unwrap();
    let mut relay = Relay::new(Dialect::OpenAiChat, ask);
    relay.keep_said(false);
    let mut out = BytesMut::new();
    for token in tokens {
        let choice =
            json!({"index": 0, "delta": {"content": token["token"]}, "logprobs": {"content": [token]}});
        let event = format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]}));
        relay.push(event.as_bytes(), &mut out).unwrap();
    }
    [whole[0].words, relay.said()[0].words]
}

/// Answers whole and streamed with these tokens; returns how sure that was, and what the client got.
fn both(ask: &Ask, tokens: &[Value]) -> [(Option<u16>, String); 2] {
    let text: String = tokens.iter().map(|token| token["token"].as_str().unwrap()).collect();
    let whole = json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": text}, "logprobs": {"content": tokens, "refusal": null}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2}});
    let (answer, said) =
        answer_and_said(Dialect::OpenAiChat, ask, Bytes::from(whole.to_string()), true).unwrap();
    let mut relay = Relay::new(Dialect::OpenAiChat, ask);
    relay.keep_said(false);
    let mut out = BytesMut::new();
    let chunk = |delta: Value, told: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": told, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "c", "model": "m", "choices": [choice]}))
    };
    for token in tokens {
        let event = chunk(json!({"content": token["token"]}), json!({"content": [token]}), Value::Null);
        relay.push(event.as_bytes(), &mut out).unwrap();
    }
    let end = chunk(json!({}), Value::Null, json!("stop")) + "data: [DONE]\n\n";
    relay.push(end.as_bytes(), &mut out).unwrap();
    let sure = |said: &[pointsman::checks::Said]| said[0].sureness.map(PerMille::get);
    let streamed = String::from_utf8(out.to_vec()).unwrap();
    assert_eq!(said[0].text, text);
    [(sure(&said), String::from_utf8(answer.body.to_vec()).unwrap()), (sure(&relay.said()), streamed)]
}

#[test]
fn it_is_the_mean_over_what_an_answer_says_and_no_client_gets_it_unasked() {
    let half = (0.5f64).ln();
    let plain =
        [token("```", 0.0), token("\n", 0.0), token("Mon", half), token("day", half), token(" ", 0.0)];
    // Of JSON the values alone.
    let in_json = [
        token("{\"", 0.0),
        token("day", 0.0),
        token("\":", 0.0),
        token(" \"", 0.0),
        token("Mon", half),
        token("day", half),
        token("\",\"n\":", 0.0),
        token("12", half),
        token("}", 0.0),
    ];
    for tokens in [&plain[..], &in_json[..]] {
        for dialect in [Dialect::OpenAiChat, Dialect::AnthropicMessages, Dialect::OpenAiCompletions] {
            let more = if dialect == Dialect::OpenAiCompletions { json!({"prompt": "x"}) } else { json!({}) };
            for (sure, got) in both(&ask(dialect, &more), tokens) {
                assert_eq!(sure, Some(500), "{dialect}: {tokens:?}");
                assert!(!got.contains("\"logprob\"") && got.contains("day"), "{dialect}: {got}");
            }
        }
    }
    for (sure, got) in both(&ask(Dialect::OpenAiChat, &json!({"logprobs": true})), &plain) {
        assert_eq!(sure, Some(500));
        assert!(got.contains("\"logprob\""), "whoever asks is told: {got}");
    }
    // One word in four of which it was unsure: the mean hides it, the worst and the tail tell.
    let unsure = [token("It", 0.0), token(" is", 0.0), token(" Mon", -2.5), token("day", -0.1)];
    let ask = ask(Dialect::OpenAiChat, &json!({}));
    let told = said_of(&ask, &unsure);
    assert_eq!(told, [Some(Words { mean: 650, worst: 2_500, tail: 250 }); 2]);
    let nothing = both(&ask, &[token(" ", -1.0)]);
    assert!(nothing.iter().all(|(sure, _)| sure.is_none()), "{nothing:?}");
}

#[test]
fn gemini_and_responses_are_asked_and_read_and_no_client_gets_it_unasked() {
    let sent = |dialect: Dialect, to, body: Value| {
        let sending = Sending { with: &LOGPROBS, ..Sending::default() };
        let named = (dialect == Dialect::Gemini).then_some("m");
        let asked = Ask::read_for(dialect, Bytes::from(body.to_string()), named).unwrap();
        serde_json::from_slice::<Value>(&asked.body_for(to, "gpt-4.1", &sending).unwrap().body).unwrap()
    };
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}]});
    for (dialect, body) in [(Dialect::OpenAiChat, &chat), (Dialect::Gemini, &gemini)] {
        let got = sent(dialect, Dialect::Gemini, body.clone());
        assert_eq!(got["generationConfig"]["responseLogprobs"], json!(true), "{dialect}: {got}");
    }
    let responses = json!({"model": "m", "input": "x", "include": ["reasoning.encrypted_content"]});
    let got = sent(Dialect::OpenAiResponses, Dialect::OpenAiResponses, responses.clone());
    let word = "message.output_text.logprobs";
    assert_eq!(got["include"], json!(["reasoning.encrypted_content", word]), "{got}");

    let half = (0.5f64).ln();
    let told = json!([token("Mon", half), token("day", half)]);
    let part = json!({"type": "output_text", "text": "Monday", "annotations": [], "logprobs": told});
    let item = json!({"id": "i", "type": "message", "role": "assistant", "content": [part]});
    let usage = json!({"input_tokens": 1, "output_tokens": 2, "total_tokens": 3});
    let response = json!({"id": "r", "object": "response", "model": "m", "status": "completed", "output": [item], "usage": usage});
    let tokens = json!({"topCandidates": [], "chosenCandidates":
        [{"token": "Mon", "logProbability": half}, {"token": "day", "logProbability": half}]});
    let candidate = json!({"content": {"role": "model", "parts": [{"text": "Monday"}]}, "finishReason": "STOP",
        "index": 0, "logprobsResult": tokens});
    let answer = json!({"candidates": [candidate], "modelVersion": "m",
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2, "totalTokenCount": 3}});
    let event = |name: &str, data: Value| {
        let mut data = data;
        data["type"] = json!(name);
        format!("event: {name}\ndata: {data}\n\n")
    };
    let begun = json!({"response": {"id": "r", "object": "response", "model": "m", "status": "in_progress", "output": []}});
    let delta =
        json!({"item_id": "i", "output_index": 0, "content_index": 0, "delta": "Monday", "logprobs": told});
    let done =
        json!({"item_id": "i", "output_index": 0, "content_index": 0, "text": "Monday", "logprobs": told});
    let stream = event("response.created", begun)
        + &event("response.output_text.delta", delta)
        + &event("response.output_text.done", done)
        + &event("response.content_part.done", json!({"output_index": 0, "content_index": 0, "part": part}))
        + &event("response.output_item.done", json!({"output_index": 0, "item": item}))
        + &event("response.completed", json!({"response": response}));
    for (dialect, from, asked, whole, stream) in [
        (Dialect::OpenAiResponses, Dialect::OpenAiResponses, &responses, &response, stream),
        (Dialect::Gemini, Dialect::Gemini, &gemini, &answer, format!("data: {answer}\n\n")),
        (Dialect::OpenAiChat, Dialect::Gemini, &chat, &answer, format!("data: {answer}\n\n")),
    ] {
        let named = (dialect == Dialect::Gemini).then_some("m");
        let ask = Ask::read_for(dialect, Bytes::from(asked.to_string()), named).unwrap();
        let (got, said) = answer_and_said(from, &ask, Bytes::from(whole.to_string()), true).unwrap();
        assert_eq!(said[0].sureness.map(PerMille::get), Some(500), "{dialect} from {from}");
        let got = String::from_utf8(got.body.to_vec()).unwrap();
        let is_told = |text: &str| text.contains("\"logprob\"") || text.contains("logProbability");
        assert!(!is_told(&got) && got.contains("Monday"), "{dialect} from {from}: {got}");
        let mut relay = Relay::new(from, &ask);
        relay.keep_said(false);
        let mut out = BytesMut::new();
        relay.push(stream.as_bytes(), &mut out).unwrap();
        assert_eq!(relay.said()[0].sureness.map(PerMille::get), Some(500), "{dialect} from {from}, streamed");
        let got = String::from_utf8(out.to_vec()).unwrap();
        assert!(!is_told(&got) && got.contains("Monday"), "{dialect} from {from}, streamed: {got}");
    }
}
