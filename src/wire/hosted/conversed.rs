//! An answer of Bedrock's Converse, whole or in events, told as Anthropic would have told it.
//!
//! Invariant: tokens that Converse does not count are not told.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use crate::wire::WireError;
use crate::wire::error::Result;
use crate::wire::json::{self, Array, Object, Value, check, put, written};
use crate::wire::messages::{SIGNATURE, block_delta, block_start, block_stop, event};
use crate::wire::order::HELD;
use crate::wire::sse::LONGEST;

/// Puts a whole answer of the model `model` into Anthropic's form; what is none is left as it is.
pub fn conversed(body: &Bytes, id: &str, model: &str) -> Bytes {
    let Ok(root) = check(body) else { return body.clone() };
    let Some(message) = root.get("output").and_then(|output| output.get("message")) else {
        return body.clone();
    };
    json::body(body.len() + 128, |o| {
        head(o, id, model);
        o.array("content", |a| message.list("content").for_each(|block| whole(a, block)));
        let has_calls = message.list("content").filter_map(|block| block.get("toolUse")).any(is_clients);
        stopped(o, root, has_calls);
        if let Some(usage) = root.get("usage") {
            o.object("usage", |o| counted(o, usage, root));
        }
    })
    .into()
}

fn head(o: &mut Object<'_>, id: &str, model: &str) {
    put!(o, "id": &format!("msg_bdrk_{id}"), "type": "message", "role": "assistant", "model": model);
}

fn whole(a: &mut Array<'_>, block: Value<'_>) {
    let [text, call, thought, cited, image] =
        block.pick(["text", "toolUse", "reasoningContent", "citationsContent", "image"]);
    if let Some(text) = text.and_then(Value::text) {
        a.object(|o| put!(o, "type": "text", "text": &text));
    } else if let Some(call) = call {
        let input = call.get("input").unwrap_or(Value::of("{}"));
        a.object(|o| {
            put!(o, "type": "tool_use", "id": call.text_of("toolUseId").unwrap_or_default());
            put!(o, "name": call.text_of("name").unwrap_or_default(), "input": input);
        });
    } else if let Some(thought) = thought {
        let shown = thought.get("reasoningText");
        a.object(|o| {
            if let (None, Some(data)) = (shown, thought.text_of("redactedContent")) {
                return put!(o, "type": "redacted_thinking", "data": data);
            }
            let said = |name| shown.and_then(|shown| shown.text_of(name)).unwrap_or_default();
            put!(o, "type": "thinking", "thinking": said("text"), "signature": said("signature"));
        });
    } else if let Some(cited) = cited {
        let text: String = cited.list("content").filter_map(|part| part.text_of("text")).collect();
        a.object(|o| {
            put!(o, "type": "text", "text": &text);
            put!(o, "citations": [|a| cited.list("citations").for_each(|one| a.object(|o| citation(o, one)))]);
        });
    } else if let Some(bytes) = image.and_then(|image| image.get("source")?.text_of("bytes")) {
        let kind = image.and_then(|image| image.text_of("format")).unwrap_or_default();
        a.object(|o| picture(o, &kind, &bytes));
    } else {
        block.members().take(1).for_each(|(kind, _)| a.object(|o| put!(o, "type": &kind)));
    }
}

/// Says whether a call is the client's to answer.
fn is_clients(call: Value<'_>) -> bool {
    call.text_of("type").as_deref() != Some("server_tool_use")
}

fn picture(o: &mut Object<'_>, format: &str, bytes: &str) {
    put!(o, "type": "image", "source": {
        "type": "base64", "media_type": &format!("image/{format}"), "data": bytes,
    });
}

/// Writes what a text rests on as Anthropic cites: a page, else a document.
fn citation(o: &mut Object<'_>, told: Value<'_>) {
    let [title, source, content, location] = told.pick(["title", "source", "sourceContent", "location"]);
    let quote: String =
        content.into_iter().flat_map(Value::items).filter_map(|part| part.text_of("text")).collect();
    let page = location.and_then(|location| location.get("web")?.text_of("url"));
    let kind = if page.is_some() { "web_search_result_location" } else { "search_result_location" };
    put!(o, "type": kind, "cited_text": &quote, "title": title, "source"?: source, "url"?: page.as_deref());
    put!(o, "encrypted_index"?: page.is_some().then_some(SIGNATURE));
}

/// Writes why it ended: where calls wait for their results, for them. A word that is none of Anthropic's stays, so that it is known
/// for a failure.
fn stopped(o: &mut Object<'_>, told: Value<'_>, has_calls: bool) {
    let reason = told.text_of("stopReason").map(|reason| match &*reason {
        "guardrail_intervened" | "content_filtered" => Cow::Borrowed("refusal"),
        "end_turn" if has_calls => Cow::Borrowed("tool_use"),
        _ => reason,
    });
    let besides = told.get("additionalModelResponseFields");
    put!(o, "stop_reason": reason);
    put!(o, "stop_sequence": besides.and_then(|besides| besides.text_of("stop_sequence")));
}

/// Writes what was used, and how it was served, which stands beside it.
fn counted(o: &mut Object<'_>, usage: Value<'_>, beside: Value<'_>) {
    let number = |name| usage.get(name).and_then(Value::number);
    let (input, output) = (number("inputTokens"), number("outputTokens"));
    // Their names once ended in `Count`.
    let read = number("cacheReadInputTokens").or_else(|| number("cacheReadInputTokenCount"));
    let written = number("cacheWriteInputTokens").or_else(|| number("cacheWriteInputTokenCount"));
    let cached = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
    // What was cached stands beside the rest of the prompt; the total tells where a model counts it within.
    let is_within = (1..=input.unwrap_or(0)).contains(&cached)
        && number("totalTokens").is_some()
        && number("totalTokens") == input.zip(output).map(|(input, output)| input.saturating_add(output));
    let input = input.map(|input| if is_within { input.saturating_sub(cached) } else { input });
    put!(o, "input_tokens"?: input, "cache_read_input_tokens"?: read, "cache_creation_input_tokens"?: written);
    if usage.list("cacheDetails").next().is_some() {
        let of = |ttl: &str| {
            let fits = usage.list("cacheDetails").filter(|one| one.text_of("ttl").as_deref() == Some(ttl));
            fits.filter_map(|one| one.get("inputTokens")?.number()).fold(0, u64::saturating_add)
        };
        put!(o, "cache_creation": { "ephemeral_5m_input_tokens": of("5m"), "ephemeral_1h_input_tokens": of("1h") });
    }
    put!(o, "output_tokens"?: output);
    let told = |part, name| beside.get(part).and_then(|part: Value<'_>| part.text_of(name));
    let latency = told("performanceConfig", "latency").filter(|latency| latency != "standard");
    put!(o, "service_tier"?: told("serviceTier", "type").as_deref(), "speed"?: latency.as_deref());
}

/// Reads events.
pub(super) struct Events {
    id: String,
    model: String,
    has_begun: bool,
    /// The block that is being told, and its place in the message: models leave numbers out.
    open: Option<(u64, u64)>,
    /// How many blocks have begun.
    blocks: u64,
    has_calls: bool,
    /// Pictures, which are told once they are whole.
    pictures: Vec<Picture>,
    /// Those that began before its end: one stands behind the other in a message.
    waiting: Vec<Waiting>,
    /// The members of the last event but one, which waits for the tokens.
    stopped: Option<String>,
}

/// A block that waits for the end of the one before it.
struct Waiting {
    at: u64,
    place: u64,
    /// What has come of it.
    events: BytesMut,
    has_ended: bool,
}

/// A picture that is coming.
struct Picture {
    at: u64,
    format: String,
    bytes: String,
}

impl Events {
    pub(super) fn new(id: &str, model: &str) -> Self {
        let (id, model) = (id.to_owned(), model.to_owned());
        let (waiting, pictures) = (Vec::new(), Vec::new());
        Self {
            id,
            model,
            has_begun: false,
            open: None,
            blocks: 0,
            has_calls: false,
            pictures,
            waiting,
            stopped: None,
        }
    }

    /// Takes an event.
    pub(super) fn take(&mut self, kind: &str, payload: &[u8], out: &mut BytesMut) -> Result<()> {
        let invalid = |_| WireError::Malformed("the payload of a frame is not JSON".to_owned());
        let root = check(payload).map_err(invalid)?;
        let at = root.get("contentBlockIndex").and_then(Value::number).unwrap_or(0);
        match kind {
            "messageStart" => self.begin(out),
            "contentBlockStart" => {
                self.begin(out);
                let start = root.get("start");
                if let Some(image) = start.and_then(|start| start.get("image")) {
                    let format = image.text_of("format").unwrap_or_default().into_owned();
                    self.pictures.push(Picture { at, format, bytes: String::new() });
                } else if let Some(call) = start.and_then(|start| start.get("toolUse")) {
                    self.has_calls |= is_clients(call);
                    self.open(at, out, |o| {
                        put!(o, "type": "tool_use", "id": call.text_of("toolUseId").unwrap_or_default());
                        put!(o, "name": call.text_of("name").unwrap_or_default(), "input": {});
                    });
                } else if let Some((kind, _)) = start.and_then(|start| start.members().next()) {
                    self.open(at, out, |o| put!(o, "type": &kind));
                }
            }
            "contentBlockDelta" => {
                self.begin(out);
                if let Some(delta) = root.get("delta") {
                    self.delta(at, delta, out);
                }
            }
            "contentBlockStop" => self.close(at, out),
            "messageStop" => {
                self.begin(out);
                while let Some(at) =
                    self.pictures.first().map(|picture| picture.at).or(self.open.map(|(at, _)| at))
                {
                    self.close(at, out);
                }
                self.stopped = Some(written(|o| stopped(o, root, self.has_calls)));
            }
            "metadata" => self.stop(Some(root), out),
            _ => {}
        }
        let held: usize = self.waiting.iter().map(|block| block.events.len()).sum();
        let drawn: usize = self.pictures.iter().map(|picture| picture.bytes.len()).sum();
        if held > HELD {
            return Err(WireError::TooMixed(HELD));
        }
        if drawn > LONGEST { Err(WireError::TooLong(LONGEST)) } else { Ok(()) }
    }

    /// Ends a stream whose tokens never came.
    pub(super) fn end(&mut self, out: &mut BytesMut) {
        self.stop(None, out);
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        event(out, "message_start", |o| {
            o.object("message", |o| {
                head(o, &self.id, &self.model);
                put!(o, "content": [], "stop_reason": null, "stop_sequence": null);
                // Libraries expect some; what it comes to is told at the end.
                put!(o, "usage": { "input_tokens": 0_u64, "output_tokens": 0_u64 });
            });
        });
    }

    /// Begins a block, unless it has begun, and returns where what comes of it is written, and its place.
    fn open<'o>(
        &'o mut self,
        at: u64,
        out: &'o mut BytesMut,
        fill: impl FnOnce(&mut Object<'_>),
    ) -> (&'o mut BytesMut, u64) {
        let known = self.waiting.iter().any(|block| block.at == at);
        let is_new = !known && self.open.is_none_or(|(open, _)| open != at);
        if is_new {
            let place = self.blocks;
            self.blocks += 1;
            if self.open.is_some() {
                self.waiting.push(Waiting { at, place, events: BytesMut::new(), has_ended: false });
            }
            self.open.get_or_insert((at, place));
        }
        let waits = self.waiting.iter_mut().find(|block| block.at == at);
        let open = self.open.map_or(0, |(_, place)| place);
        let (to, place) = waits.map_or((out, open), |block| (&mut block.events, block.place));
        if is_new {
            block_start(to, place, fill);
        }
        (to, place)
    }

    /// Ends a block, and tells those that waited for it.
    fn close(&mut self, at: u64, out: &mut BytesMut) {
        if let Some(drawn) = self.pictures.iter().position(|picture| picture.at == at) {
            let drawn = self.pictures.remove(drawn);
            self.open(at, out, |o| picture(o, &drawn.format, &drawn.bytes));
        }
        let Some((_, place)) = self.open.filter(|(open, _)| *open == at) else {
            self.waiting.iter_mut().filter(|block| block.at == at).for_each(|block| block.has_ended = true);
            return;
        };
        block_stop(out, place);
        self.open = None;
        while self.open.is_none() && !self.waiting.is_empty() {
            let next = self.waiting.remove(0);
            out.extend_from_slice(&next.events);
            if next.has_ended {
                block_stop(out, next.place);
            } else {
                self.open = Some((next.at, next.place));
            }
        }
    }

    fn delta(&mut self, at: u64, delta: Value<'_>, out: &mut BytesMut) {
        let [text, call, thought, cited, image] =
            delta.pick(["text", "toolUse", "reasoningContent", "citation", "image"]);
        // Only calls announce themselves.
        if let Some(text) = text.and_then(Value::text) {
            let (out, at) = self.open(at, out, |o| put!(o, "type": "text", "text": ""));
            block_delta(out, at, |o| put!(o, "type": "text_delta", "text": &text));
        } else if let Some(input) = call.and_then(|call| call.text_of("input")) {
            let (out, at) =
                self.open(at, out, |o| put!(o, "type": "tool_use", "id": "", "name": "", "input": {}));
            block_delta(out, at, |o| put!(o, "type": "input_json_delta", "partial_json": &input));
        } else if let Some(thought) = thought {
            let [text, signature, hidden] = thought.pick(["text", "signature", "redactedContent"]);
            if let Some(data) = hidden.and_then(Value::text) {
                self.open(at, out, |o| put!(o, "type": "redacted_thinking", "data": &data));
                return;
            }
            let (out, at) =
                self.open(at, out, |o| put!(o, "type": "thinking", "thinking": "", "signature": ""));
            if let Some(text) = text.and_then(Value::text) {
                block_delta(out, at, |o| put!(o, "type": "thinking_delta", "thinking": &text));
            } else if let Some(signature) = signature.and_then(Value::text) {
                block_delta(out, at, |o| put!(o, "type": "signature_delta", "signature": &signature));
            }
        } else if let Some(cited) = cited {
            let (out, at) = self.open(at, out, |o| put!(o, "type": "text", "text": ""));
            block_delta(out, at, |o| {
                put!(o, "type": "citations_delta", "citation": |o| citation(o, cited));
            });
        } else if let Some(bytes) = image.and_then(|image| image.get("source")?.text_of("bytes")) {
            if let Some(picture) = self.pictures.iter_mut().find(|picture| picture.at == at) {
                picture.bytes.push_str(&bytes);
            }
        } else if let Some((kind, _)) = delta.members().next() {
            self.open(at, out, |o| put!(o, "type": &kind));
        }
    }

    /// Tells the end, with the tokens where they came.
    fn stop(&mut self, told: Option<Value<'_>>, out: &mut BytesMut) {
        let Some(stopped) = self.stopped.take() else { return };
        event(out, "message_delta", |o| {
            put!(o, "delta": Value::of(&stopped));
            if let Some((told, usage)) = told.and_then(|told| Some((told, told.get("usage")?))) {
                o.object("usage", |o| counted(o, usage, told));
            }
        });
        event(out, "message_stop", |_| {});
    }
}
