//! What a text rests on reaches the client, at the stretch that it is about, whole and streamed; what has no place is told.

use bytes::Bytes;
use pointsman::wire::Dialect::{
    self, AnthropicMessages, Gemini, OpenAiChat, OpenAiCompletions, OpenAiResponses,
};
use pointsman::wire::{Ask, Sending, StreamEnd, answer};
use serde_json::{Value, json};

use super::{ask, asked, relayed};

/// A citation as a client reads it: its address, and the stretch of text where the dialect tells one.
type Cited = (String, Option<String>);

fn request(to: Dialect, is_stream: bool) -> Ask {
    match to {
        Gemini => {
            let body = json!({"contents":[{"role":"user","parts":[{"text":"x"}]}]});
            Ask::read_for(to, Bytes::from(body.to_string()), Some("m")).unwrap()
        }
        OpenAiCompletions => ask(to, &json!({"model":"m","prompt":"x","stream":is_stream})),
        _ => asked(to, is_stream),
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The stretch of a text that two numbers of characters tell.
fn stretch(text: &str, start: &Value, end: &Value) -> String {
    let [start, end] = [start, end].map(|at| usize::try_from(at.as_u64().unwrap()).unwrap());
    text.chars().skip(start).take(end - start).collect()
}

/// The citations of a whole answer.
fn of_whole(to: Dialect, body: &Value) -> Vec<Cited> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match to {
        OpenAiChat => {
            let message = &body["choices"][0]["message"];
            let text = text_of(&message["content"]);
            let notes = list(&message["annotations"]);
            let read = |note: &Value| {
                assert_eq!(note["type"], "url_citation");
                let note = &note["url_citation"];
                (text_of(&note["url"]), Some(stretch(&text, &note["start_index"], &note["end_index"])))
            };
            notes.iter().map(read).collect()
        }
        OpenAiResponses => {
            let parts = list(&body["output"]).into_iter().flat_map(|item| list(&item["content"]));
            let notes = parts.flat_map(|part| {
                let text = text_of(&part["text"]);
                list(&part["annotations"]).into_iter().map(move |note| {
                    if note["type"] == "file_citation" {
                        return (text_of(&note["file_id"]), None);
                    }
                    (text_of(&note["url"]), Some(stretch(&text, &note["start_index"], &note["end_index"])))
                })
            });
            notes.collect()
        }
        AnthropicMessages => {
            let blocks = list(&body["content"]).into_iter();
            blocks.flat_map(|b| list(&b["citations"])).map(|one| (text_of(&one["url"]), None)).collect()
        }
        _ => {
            let candidate = &body["candidates"][0];
            let parts = list(&candidate["content"]["parts"]);
            let text: String = parts.iter().map(|part| text_of(&part["text"])).collect();
            of_gemini(&candidate["groundingMetadata"], &text)
        }
    }
}

fn of_gemini(grounds: &Value, text: &str) -> Vec<Cited> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let chunks = list(&grounds["groundingChunks"]);
    let supports = list(&grounds["groundingSupports"]);
    let read = |(at, chunk): (usize, &Value)| {
        let support = supports.iter().find(|support| support["groundingChunkIndices"] == json!([at]));
        let stretch = support.map(|support| {
            let at = |name: &str| usize::try_from(support["segment"][name].as_u64().unwrap()).unwrap();
            let part = &text[at("startIndex")..at("endIndex")];
            assert_eq!(support["segment"]["text"], part);
            part.to_owned()
        });
        let named = [&chunk["web"]["uri"], &chunk["retrievedContext"]["text"]];
        (named.into_iter().find_map(|name| name.as_str()).unwrap_or_default().to_owned(), stretch)
    };
    chunks.iter().enumerate().map(read).collect()
}

/// The citations of a stream, put together as clients do.
fn of_stream(to: Dialect, stream: &str) -> Vec<Cited> {
    let events: Vec<Value> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: ").filter(|data| *data != "[DONE]"))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match to {
        OpenAiChat => {
            let deltas = || events.iter().map(|event| &event["choices"][0]["delta"]);
            let text: String = deltas().map(|delta| text_of(&delta["content"])).collect();
            let notes: Vec<Value> = deltas().flat_map(|delta| list(&delta["annotations"])).collect();
            of_whole(to, &json!({"choices":[{"message":{"content":text,"annotations":notes}}]}))
        }
        OpenAiResponses => {
            let last = events.last().unwrap();
            let told = events.iter().filter(|event| event["type"] == "response.output_text.annotation.added");
            let all = of_whole(to, &last["response"]);
            let output = &last["response"]["output"];
            let mut count = 0;
            for event in told {
                let item = &output[usize::try_from(event["output_index"].as_u64().unwrap()).unwrap()];
                let nth = usize::try_from(event["annotation_index"].as_u64().unwrap()).unwrap();
                assert_eq!(item["id"], event["item_id"]);
                assert_eq!(item["content"][0]["annotations"][nth], event["annotation"]);
                count += 1;
            }
            assert_eq!(count, all.len(), "each is told by an event and stands in the whole: {stream}");
            all
        }
        AnthropicMessages => {
            let mut open = None;
            let mut all = Vec::new();
            for event in &events {
                match event["type"].as_str().unwrap() {
                    "content_block_start" => open = Some(event["content_block"]["type"].clone()),
                    "content_block_stop" => open = None,
                    "content_block_delta" if event["delta"]["type"] == "citations_delta" => {
                        assert_eq!(open, Some(json!("text")), "{stream}");
                        all.push((text_of(&event["delta"]["citation"]["url"]), None));
                    }
                    _ => {}
                }
            }
            all
        }
        _ => {
            let candidates = || events.iter().map(|event| &event["candidates"][0]);
            let parts = candidates().flat_map(|one| list(&one["content"]["parts"]));
            let text: String = parts.map(|part| text_of(&part["text"])).collect();
            let grounds = candidates().find(|one| one.get("groundingMetadata").is_some());
            grounds.map(|one| of_gemini(&one["groundingMetadata"], &text)).unwrap_or_default()
        }
    }
}

/// Puts an answer into a client's dialect, whole and streamed, and gives what it cites and what was left out of it.
fn got(from: Dialect, to: Dialect, whole: &Value, stream: &str) -> [(Vec<Cited>, Vec<String>); 2] {
    let answer = answer(from, &request(to, false), Bytes::from(whole.to_string())).unwrap();
    assert_eq!(answer.fault, None);
    let body = serde_json::from_slice(&answer.body).unwrap();
    let (text, end, relay) = relayed(from, &request(to, true), stream.as_bytes(), &[30, 77]);
    assert_eq!(end, StreamEnd::Complete, "{:?}", relay.failure());
    [(of_whole(to, &body), answer.left_out), (of_stream(to, &text), relay.left_out().to_vec())]
}

fn events(all: &[Value]) -> String {
    let lines: Vec<String> = all.iter().map(|event| format!("data: {event}\n\n")).collect();
    lines.concat()
}

fn is_placed(to: Dialect, cited: &[Cited], want: &[(&str, &str)]) {
    let addresses: Vec<&str> = cited.iter().map(|(url, _)| url.as_str()).collect();
    assert_eq!(addresses, want.iter().map(|(url, _)| *url).collect::<Vec<_>>(), "{to}");
    if to != AnthropicMessages {
        let parts: Vec<&str> = cited.iter().map(|(_, part)| part.as_deref().unwrap_or("?")).collect();
        assert_eq!(parts, want.iter().map(|(_, part)| *part).collect::<Vec<_>>(), "{to}");
    }
}

#[test]
fn what_anthropic_cites_stands_at_its_block_with_every_client() {
    let web = json!({"type":"web_search_result_location","url":"https://a.example/é","title":"A","cited_text":"q","encrypted_index":"Eo8"});
    let found = json!({"type":"search_result_location","source":"https://b.example","title":null,"cited_text":"r","search_result_index":0,"start_block_index":0,"end_block_index":1});
    let page = json!({"type":"page_location","cited_text":"s","document_index":0,"document_title":"Book","start_page_number":1,"end_page_number":2,"file_id":null});
    let blocks = [
        json!({"type":"text","text":"Grüße: "}),
        json!({"type":"text","text":"the sky 🙂 is blue","citations":[web, found]}),
        json!({"type":"text","text":", and "}),
        json!({"type":"text","text":"water wet","citations":[page]}),
    ];
    let whole = json!({"id":"m","type":"message","role":"assistant","model":"m","content":blocks,
        "stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":5}});
    let mut told =
        vec![json!({"type":"message_start","message":{"id":"m","type":"message","role":"assistant",
        "model":"m","content":[],"usage":{"input_tokens":10,"output_tokens":1}}})];
    for (at, block) in blocks.iter().enumerate() {
        told.push(json!({"type":"content_block_start","index":at,"content_block":{"type":"text","text":""}}));
        // Anthropic tells some before the text that rests on them.
        for one in block["citations"].as_array().into_iter().flatten() {
            told.push(json!({"type":"content_block_delta","index":at,"delta":{"type":"citations_delta","citation":one}}));
        }
        told.push(json!({"type":"content_block_delta","index":at,"delta":{"type":"text_delta","text":block["text"]}}));
        told.push(json!({"type":"content_block_stop","index":at}));
    }
    told.push(json!({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}));
    told.push(json!({"type":"message_stop"}));
    let stream = events(&told);
    let both = [("https://a.example/é", "the sky 🙂 is blue"), ("https://b.example", "the sky 🙂 is blue")];
    for to in [OpenAiChat, OpenAiResponses] {
        for (cited, left_out) in got(AnthropicMessages, to, &whole, &stream) {
            is_placed(to, &cited, &both);
            assert_eq!(left_out, ["answer (page_location)"]);
        }
    }
    for (cited, left_out) in got(AnthropicMessages, Gemini, &whole, &stream) {
        is_placed(Gemini, &cited, &[both[0], both[1], ("s", "water wet")]);
        assert!(left_out.is_empty());
    }
    let kinds = ["web_search_result_location", "search_result_location", "page_location"];
    for (_, left_out) in got(AnthropicMessages, OpenAiCompletions, &whole, &stream) {
        assert_eq!(left_out, kinds.map(|kind| format!("answer ({kind})")));
    }
}

#[test]
fn a_document_that_is_a_file_is_one_to_a_client_of_responses() {
    let one = json!({"type":"char_location","cited_text":"s","document_index":0,"document_title":"Book","start_char_index":0,"end_char_index":1,"file_id":"file_1"});
    let whole = json!({"id":"m","type":"message","role":"assistant","model":"m",
        "content":[{"type":"text","text":"x","citations":[one]}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}});
    let answer =
        answer(AnthropicMessages, &request(OpenAiResponses, false), Bytes::from(whole.to_string())).unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        body["output"][0]["content"][0]["annotations"],
        json!([{"type":"file_citation","file_id":"file_1","filename":"Book","index":0}])
    );
    assert!(answer.left_out.is_empty());
}

#[test]
fn what_chat_annotates_keeps_its_stretch_in_every_form() {
    let text = "Grüße 🙂: the sky is blue";
    let note = |url: &str, start: u64, end: u64| json!({"type":"url_citation","url_citation":{"url":url,"title":"T","start_index":start,"end_index":end}});
    // The second as some servers have it, flat.
    let flat =
        json!({"type":"url_citation","url":"https://b.example","title":"B","start_index":9,"end_index":24});
    let notes = json!([note("https://a.example", 0, 7), flat, note("https://a.example", 0, 7)]);
    let message = json!({"role":"assistant","content":text,"annotations":notes});
    let usage = json!({"prompt_tokens":10,"completion_tokens":5});
    let whole = json!({"id":"c","model":"m","choices":[{"index":0,"message":message,"finish_reason":"stop"}],"usage":usage});
    let chunk = |delta: Value, word: Value| json!({"id":"c","model":"m","choices":[{"index":0,"delta":delta,"finish_reason":word}]});
    let stream = events(&[
        chunk(json!({"content":"Grüße 🙂: "}), Value::Null),
        chunk(json!({"content":"the sky is blue"}), Value::Null),
        chunk(json!({"annotations":notes}), Value::Null),
        chunk(json!({}), json!("stop")),
        json!({"id":"c","model":"m","choices":[],"usage":usage}),
    ]) + "data: [DONE]\n\n";
    for to in [OpenAiResponses, AnthropicMessages, Gemini] {
        for (cited, left_out) in got(OpenAiChat, to, &whole, &stream) {
            is_placed(
                to,
                &cited,
                &[("https://a.example", "Grüße 🙂"), ("https://b.example", "the sky is blue")],
            );
            assert!(left_out.is_empty(), "{left_out:?}");
        }
    }
}

#[test]
fn pages_beside_the_choices_are_told_once_though_every_chunk_repeats_them() {
    let lists = [
        json!({"citations":["https://a.example","https://b.example"]}),
        json!({"citations":["https://a.example","https://b.example"],
            "search_results":[{"title":"A","url":"https://a.example"},{"title":"B","url":"https://b.example","date":"2026-01-01"}]}),
    ];
    for beside in lists {
        let mut whole = json!({"id":"c","model":"m","choices":[{"index":0,"message":{"content":"all of it"},"finish_reason":"stop"}],
            "usage":{"prompt_tokens":10,"completion_tokens":5}});
        whole.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        let chunk = |text: &str, word: Value, has_pages: bool| {
            let mut chunk = json!({"id":"c","model":"m","choices":[{"index":0,"delta":{"content":text},"finish_reason":word}],
                "usage":{"prompt_tokens":10,"completion_tokens":5}});
            if has_pages {
                chunk.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
            }
            chunk
        };
        // As Perplexity tells them, and as xAI does: with all chunks, or with the last.
        for early in [true, false] {
            let all = [
                chunk("all ", Value::Null, early),
                chunk("of it", Value::Null, early),
                chunk("", json!("stop"), true),
            ];
            let stream = events(&all) + "data: [DONE]\n\n";
            for to in [OpenAiResponses, AnthropicMessages, Gemini] {
                for (cited, left_out) in got(OpenAiChat, to, &whole, &stream) {
                    is_placed(
                        to,
                        &cited,
                        &[("https://a.example", "all of it"), ("https://b.example", "all of it")],
                    );
                    assert!(left_out.is_empty(), "{left_out:?}");
                }
            }
        }
    }
}

#[test]
fn what_gemini_is_grounded_in_is_counted_in_characters_whatever_part_its_bytes_count_from() {
    let text = "Grüße 🙂: the sky is blue";
    let at = text.find("the").unwrap();
    let grounds = |start: usize| {
        json!({"webSearchQueries":["sky"],
        "groundingChunks":[{"web":{"uri":"https://a.example","title":"a.example"}},{"retrievedContext":{"uri":"https://b.example","title":"B","text":"blue"}},{"web":{"uri":"https://c.example","title":"C"}}],
        "groundingSupports":[
            {"segment":{"startIndex":start,"endIndex":start + 15,"text":"the sky is blue"},"groundingChunkIndices":[0, 1],"confidenceScores":[0.9, 0.8]},
            {"segment":{"endIndex":8,"text":"Grüße"},"groundingChunkIndices":[0, 99]}]})
    };
    let usage = json!({"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15});
    let thought = json!({"text":"Let me think.","thought":true});
    let whole = json!({"responseId":"r","candidates":[{"content":{"role":"model","parts":[thought, {"text":text}]},
        "groundingMetadata":grounds(at + 13),"finishReason":"STOP","index":0}],"usageMetadata":usage});
    let chunk = |parts: Value| json!({"responseId":"r","candidates":[{"content":{"role":"model","parts":parts},"index":0}]});
    let stream = events(&[
        chunk(json!([thought])),
        chunk(json!([{"text":"Grüße 🙂: the"}])),
        chunk(json!([{"text":" sky is blue"}])),
        json!({"responseId":"r","candidates":[{"content":{"role":"model","parts":[{"text":""}]},"groundingMetadata":grounds(at),"finishReason":"STOP","index":0}],"usageMetadata":usage}),
    ]);
    for to in [OpenAiChat, OpenAiResponses, AnthropicMessages] {
        for (cited, left_out) in got(Gemini, to, &whole, &stream) {
            let sky = "the sky is blue";
            let want = [
                ("https://a.example", sky),
                ("https://b.example", sky),
                ("https://a.example", "Grüße"),
                ("https://c.example", text),
            ];
            is_placed(to, &cited, &want);
            assert!(left_out.is_empty(), "{left_out:?}");
        }
    }
}

#[test]
fn what_comes_after_its_text_is_closed_is_added_to_it_or_told() {
    let chunk = |delta: Value, word: Value| json!({"id":"c","model":"m","choices":[{"index":0,"delta":delta,"finish_reason":word}]});
    let note = json!({"type":"url_citation","url_citation":{"url":"https://a.example","title":"T","start_index":0,"end_index":2}});
    let call = json!([{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]);
    let stream = events(&[
        chunk(json!({"content":"so it is"}), Value::Null),
        chunk(json!({"tool_calls":call}), Value::Null),
        chunk(json!({"annotations":[note]}), json!("tool_calls")),
    ]) + "data: [DONE]\n\n";
    for (to, want) in [(OpenAiResponses, true), (Gemini, true), (AnthropicMessages, false)] {
        let (text, end, relay) = relayed(OpenAiChat, &request(to, true), stream.as_bytes(), &[]);
        assert_eq!(end, StreamEnd::Complete);
        let told: &[&str] = if want { &[] } else { &["answer (citations)"] };
        assert_eq!(relay.left_out(), told, "{to}: {text}");
        let cited = of_stream(to, &text);
        let right: &[(&str, &str)] = if want { &[("https://a.example", "so")] } else { &[] };
        is_placed(to, &cited, right);
    }
}

#[test]
fn more_citations_than_anybody_reads_are_cut_and_told() {
    let notes: Vec<Value> = (0..3000)
        .map(|n| json!({"type":"url_citation","url_citation":{"url":format!("https://{n}.example"),"title":"T","start_index":0,"end_index":2}}))
        .collect();
    let whole = json!({"id":"c","model":"m","choices":[{"index":0,"message":{"content":"text","annotations":notes},"finish_reason":"stop"}]});
    let chunk = json!({"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"text","annotations":notes},"finish_reason":"stop"}]});
    let stream = events(&[chunk]) + "data: [DONE]\n\n";
    for (cited, left_out) in got(OpenAiChat, AnthropicMessages, &whole, &stream) {
        assert_eq!((cited.len(), left_out), (1024, vec!["answer (citations)".to_owned()]));
    }
}

#[test]
fn citations_of_ours_do_not_go_back_to_anthropic_which_could_not_read_their_index() {
    let whole = json!({"id":"c","model":"m","choices":[{"index":0,"message":{"content":"sky","annotations":[
        {"type":"url_citation","url_citation":{"url":"https://a.example","title":"T","start_index":0,"end_index":2}}]},"finish_reason":"stop"}]});
    let answer =
        answer(OpenAiChat, &request(AnthropicMessages, false), Bytes::from(whole.to_string())).unwrap();
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["content"][0]["citations"][0]["url"], "https://a.example");
    let theirs = json!({"type":"text","text":"b","citations":[{"type":"web_search_result_location","encrypted_index":"Eo8"}]});
    let body = json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":[told["content"][0], theirs]},{"role":"user","content":"y"}]});
    let sent = ask(AnthropicMessages, &body).body_for(AnthropicMessages, "m", &Sending::default()).unwrap();
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(sent["messages"][1]["content"], json!([{"type":"text","text":"sky"}, theirs]));
}

#[test]
fn a_picture_of_an_earlier_answer_never_ends_the_conversation() {
    let picture = json!({"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}});
    let chat = |assistant: Value| json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"draw"},assistant,{"role":"user","content":"now say"}]});
    let block = json!({"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}});
    let gemini = json!({"contents":[{"role":"user","parts":[{"text":"draw"}]},
        {"role":"model","parts":[{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]},{"role":"user","parts":[{"text":"now say"}]}]});
    let requests = [
        ask(OpenAiChat, &chat(json!({"role":"assistant","content":null,"images":[picture]}))),
        ask(OpenAiChat, &chat(json!({"role":"assistant","content":[picture]}))),
        ask(AnthropicMessages, &chat(json!({"role":"assistant","content":[block]}))),
        Ask::read_for(Gemini, Bytes::from(gemini.to_string()), Some("m")).unwrap(),
    ];
    for request in &requests {
        for to in super::PROVIDERS.into_iter().filter(|to| *to != request.dialect()) {
            let sent = request.body_for(to, "m", &Sending::default()).unwrap();
            let body = String::from_utf8(sent.body.to_vec()).unwrap();
            let what = format!("{} to {to}: {body}", request.dialect());
            assert!(body.contains("draw") && body.contains("now say"), "{what}");
            assert_eq!(body.contains("QUJD"), to == Gemini, "{what}");
            let member = if request.dialect() == Gemini { "contents" } else { "messages" };
            let told = if to == Gemini { vec![] } else { vec![format!("{member} (picture)")] };
            assert_eq!(sent.left_out, told, "{what}");
            assert!(to == Gemini || body.contains("\"...\""), "a turn says something: {what}");
        }
    }
    // What a client of Anthropic's form was given does not go back to Anthropic either.
    let drawn = json!({"candidates":[{"content":{"role":"model","parts":[{"text":"here"},{"inlineData":{"mimeType":"image/png","data":"QUJD"}}]},"finishReason":"STOP","index":0}]});
    let answer = answer(Gemini, &request(AnthropicMessages, false), Bytes::from(drawn.to_string())).unwrap();
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["content"][1]["source"]["data"], "QUJD");
    let back = ask(AnthropicMessages, &chat(json!({"role":"assistant","content":told["content"]})));
    let sent = back.body_for(AnthropicMessages, "m", &Sending::default()).unwrap();
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(sent["messages"][1]["content"], json!([{"type":"text","text":"here"}]));
}
