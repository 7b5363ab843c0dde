//! How likely the words of an answer were: asked for where a check wants it, read, and kept from a client that did not ask.

use bytes::{Bytes, BytesMut};
use pointsman::checks::{Others, Words};
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

/// What else might have stood there: chances of .7, .2 and .1, as a provider lists them and out of order.
fn others(name: &str) -> Value {
    let one = |text: &str, chance: f64| json!({"token": text, name: chance.ln()});
    json!([one("b", 0.2), one("a", 0.7), one("c", 0.1)])
}

/// The likeliest is .5 ahead; -.7 ln .7 - .2 ln .2 - .1 ln .1 is .802 nats.
const OTHERS: Option<Others> = Some(Others { margin: 500, entropy: 802 });

#[test]
fn a_check_that_wants_it_has_the_provider_asked_and_no_other() {
    for dialect in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
        let sent = |with: &Parameters, accent, to| {
            let sending = Sending { with, accent, ..Sending::default() };
            let sent = ask(dialect, &json!({})).body_for(to, "m", &sending).unwrap();
            let sent = serde_json::from_slice::<Value>(&sent.body).unwrap();
            [sent["logprobs"].clone(), sent["top_logprobs"].clone()]
        };
        let nobody = [Value::Null, Value::Null];
        assert_eq!(
            sent(&LOGPROBS, Accent::OpenAi, Dialect::OpenAiChat),
            [json!(true), json!(5)],
            "{dialect}"
        );
        assert_eq!(sent(&LOGPROBS, Accent::Mistral, Dialect::OpenAiChat), nobody, "{dialect}");
        assert_eq!(sent(&LOGPROBS, Accent::OpenAi, Dialect::AnthropicMessages), nobody, "{dialect}");
        assert_eq!(sent(&Parameters::NONE, Accent::OpenAi, Dialect::OpenAiChat), nobody, "{dialect}");
    }
}

/// A client that asks for two others, or for none, would else be sent five.
#[test]
fn a_client_that_asks_itself_is_asked_for_as_it_asked() {
    let sending = Sending { with: &LOGPROBS, ..Sending::default() };
    let sent = |dialect: Dialect, to, body: &Value| {
        let named = (dialect == Dialect::Gemini).then_some("m");
        let ask = Ask::read_for(dialect, Bytes::from(body.to_string()), named).unwrap();
        assert!(ask.wants_logprobs(), "{body}");
        serde_json::from_slice::<Value>(&ask.body_for(to, "gpt-4.1", &sending).unwrap().body).unwrap()
    };
    let turns = json!([{"role": "user", "content": "x"}]);
    for top in [Value::Null, json!(2)] {
        let mut chat = json!({"model": "m", "messages": turns, "logprobs": true});
        let mut responses = json!({"model": "m", "input": "x", "include": ["message.output_text.logprobs"]});
        let mut gemini = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}],
            "generationConfig": {"responseLogprobs": true}});
        if !top.is_null() {
            chat["top_logprobs"] = top.clone();
            responses["top_logprobs"] = top.clone();
            gemini["generationConfig"]["logprobs"] = top.clone();
        }
        assert_eq!(sent(Dialect::OpenAiChat, Dialect::OpenAiChat, &chat)["top_logprobs"], top);
        assert_eq!(sent(Dialect::OpenAiChat, Dialect::Gemini, &chat)["generationConfig"]["logprobs"], top);
        let got = sent(Dialect::OpenAiResponses, Dialect::OpenAiResponses, &responses);
        assert_eq!((&got["top_logprobs"], &got["include"]), (&top, &responses["include"]));
        assert_eq!(sent(Dialect::Gemini, Dialect::Gemini, &gemini)["generationConfig"]["logprobs"], top);
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
    assert_eq!(told, [Some(Words { mean: 650, worst: 2_500, tail: 250, others: None }); 2]);
    // Where others are told of a word, how near they came.
    let mut with_others = unsure;
    with_others[2]["top_logprobs"] = others("logprob");
    // One by itself tells nothing.
    with_others[3]["top_logprobs"] = json!([{"token": "day", "logprob": -0.1}]);
    let told = said_of(&ask, &with_others);
    assert_eq!(told, [Some(Words { mean: 650, worst: 2_500, tail: 250, others: OTHERS }); 2]);
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
        assert_eq!(got["generationConfig"]["logprobs"], json!(5), "{dialect}: {got}");
    }
    let responses = json!({"model": "m", "input": "x", "include": ["reasoning.encrypted_content"]});
    let got = sent(Dialect::OpenAiResponses, Dialect::OpenAiResponses, responses.clone());
    let word = "message.output_text.logprobs";
    assert_eq!(got["include"], json!(["reasoning.encrypted_content", word]), "{got}");
    assert_eq!(got["top_logprobs"], json!(5), "{got}");

    let half = (0.5f64).ln();
    let mut told = json!([token("Mon", half), token("day", half)]);
    told[0]["top_logprobs"] = others("logprob");
    let part = json!({"type": "output_text", "text": "Monday", "annotations": [], "logprobs": told});
    let item = json!({"id": "i", "type": "message", "role": "assistant", "content": [part]});
    let usage = json!({"input_tokens": 1, "output_tokens": 2, "total_tokens": 3});
    let response = json!({"id": "r", "object": "response", "model": "m", "status": "completed", "output": [item], "usage": usage, "top_logprobs": 5});
    let tokens = json!({"topCandidates": [{"candidates": others("logProbability")}, {"candidates": []}], "chosenCandidates":
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
    let begun = json!({"response": {"id": "r", "object": "response", "model": "m", "status": "in_progress", "output": [], "top_logprobs": 5}});
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
        assert_eq!(said[0].words.unwrap().others, OTHERS, "{dialect} from {from}");
        let got = String::from_utf8(got.body.to_vec()).unwrap();
        let told = ["\"logprob\"", "logProbability", "\"top_logprobs\":5"];
        let is_told = |text: &str| told.iter().any(|word| text.contains(word));
        assert!(!is_told(&got) && got.contains("Monday"), "{dialect} from {from}: {got}");
        let mut relay = Relay::new(from, &ask);
        relay.keep_said(false);
        let mut out = BytesMut::new();
        relay.push(stream.as_bytes(), &mut out).unwrap();
        assert_eq!(relay.said()[0].sureness.map(PerMille::get), Some(500), "{dialect} from {from}, streamed");
        assert_eq!(relay.said()[0].words.unwrap().others, OTHERS, "{dialect} from {from}, streamed");
        let got = String::from_utf8(out.to_vec()).unwrap();
        assert!(!is_told(&got) && got.contains("Monday"), "{dialect} from {from}, streamed: {got}");
    }
}
