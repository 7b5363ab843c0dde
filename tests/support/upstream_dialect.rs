//! What a model API answers, byte for byte: chat, responses, embeddings, Anthropic's messages and Gemini's
//! generateContent, whole and streamed, in frames that say what each of them tells.
//!
//! Written from the providers' public documentation and from nothing of the gateway's, so that both must be right.

use serde_json::{Value, json};

use super::upstream_script::{Call, Dialect, Reply, Report, Tokens};

/// What a frame is, for faults that strike at a certain place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Announces the answer.
    Opening,
    /// Carries text.
    Text,
    /// Carries the final usage.
    Usage,
    /// Ends the stream.
    End,
}

/// What the peer was told of its usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Told {
    /// Nothing.
    #[default]
    Nothing,
    /// A part of it, or counts that were not yet final.
    Part,
    /// Something that cannot be right.
    Nonsense,
    /// The final counts.
    Counts(Tokens),
}

/// A piece of a body that is written in one go.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// What it is.
    pub(crate) mark: Mark,
    /// What is known of the usage once it is written.
    pub(crate) told: Told,
    /// The text it carries.
    pub(crate) text: String,
}

/// A body in frames.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    /// Its type.
    pub(crate) content_type: &'static str,
    /// Its pieces.
    pub(crate) frames: Vec<Frame>,
    /// What was counted, as far as the dialect can tell it.
    pub(crate) tokens: Tokens,
}

/// Returns the body of an answer.
pub(crate) fn body(call: &Call, reply: &Reply) -> Body {
    let mut tokens = reply.tokens.unwrap_or_else(|| Tokens::of(call.number));
    if call.dialect != Dialect::Anthropic {
        tokens.write_5m = 0;
    }
    if call.is_mistral() {
        (tokens.cache_read, tokens.reasoning) = (0, 0);
    }
    if call.dialect == Dialect::Embeddings {
        tokens = Tokens { input: tokens.input, ..Tokens::default() };
    }
    if let Some(bytes) = &reply.body {
        return whole("application/json", bytes, Told::Nothing, "", tokens);
    }
    if reply.status != 200 {
        let error = error(call.dialect, reply.status).to_string();
        return whole("application/json", error.as_bytes(), Told::Nothing, "", tokens);
    }
    let says = Says { call, reply, tokens };
    let frames = match (call.dialect, call.stream) {
        (Dialect::Chat, true) => says.chat_stream(),
        (Dialect::Responses, true) => says.responses_stream(),
        (Dialect::Anthropic, true) => says.anthropic_stream(),
        (Dialect::Gemini, true) => says.gemini_stream(),
        (dialect, _) => {
            let answer = match dialect {
                Dialect::Chat => says.chat(),
                Dialect::Responses => says.responses(),
                Dialect::Embeddings => says.embeddings(),
                Dialect::Anthropic => says.anthropic(),
                Dialect::Gemini => says.gemini(),
                Dialect::Strange => json!({}),
            };
            let text = answer.to_string();
            return whole("application/json", text.as_bytes(), says.told(), &reply.whole_text(), tokens);
        }
    };
    Body { content_type: "text/event-stream", frames, tokens }
}

/// Cuts a body that is no stream into three, so that faults have a middle to strike at.
fn whole(content_type: &'static str, bytes: &[u8], told: Told, text: &str, tokens: Tokens) -> Body {
    let third = bytes.len().div_ceil(3).max(1);
    let mut frames: Vec<Frame> = bytes
        .chunks(third)
        .map(|part| Frame {
            bytes: part.to_vec(),
            mark: Mark::Text,
            told: Told::Nothing,
            text: String::new(),
        })
        .collect();
    if let Some(last) = frames.last_mut() {
        (last.mark, last.told, last.text) = (Mark::Usage, told, text.to_owned());
    }
    Body { content_type, frames, tokens }
}

fn error(dialect: Dialect, status: u16) -> Value {
    let about = if status == 404 { "no such model: " } else { "" };
    let message = format!("{about}the upstream says {status}");
    match dialect {
        Dialect::Anthropic => {
            let kind = match status {
                401 => "authentication_error",
                404 => "not_found_error",
                429 => "rate_limit_error",
                529 => "overloaded_error",
                400..=499 => "invalid_request_error",
                _ => "api_error",
            };
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_upstream"})
        }
        Dialect::Gemini => {
            let kind = match status {
                429 => "RESOURCE_EXHAUSTED",
                400..=499 => "INVALID_ARGUMENT",
                _ => "UNAVAILABLE",
            };
            json!({"error": {"code": status, "message": message, "status": kind}})
        }
        _ => {
            let (kind, code) = match status {
                401 => ("invalid_request_error", "invalid_api_key"),
                404 => ("invalid_request_error", "model_not_found"),
                429 => ("requests", "rate_limit_exceeded"),
                400..=499 => ("invalid_request_error", "invalid_value"),
                _ => ("server_error", "server_error"),
            };
            json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
        }
    }
}

fn event(value: &Value, mark: Mark, told: Told, text: &str) -> Frame {
    Frame { bytes: format!("data: {value}\n\n").into_bytes(), mark, told, text: text.to_owned() }
}

fn named(name: &str, value: &Value, mark: Mark, told: Told, text: &str) -> Frame {
    Frame {
        bytes: format!("event: {name}\ndata: {value}\n\n").into_bytes(),
        mark,
        told,
        text: text.to_owned(),
    }
}

/// One answer in the making.
struct Says<'a> {
    call: &'a Call,
    reply: &'a Reply,
    tokens: Tokens,
}

impl Says<'_> {
    fn told(&self) -> Told {
        match self.reply.report {
            Report::Exact => Told::Counts(self.tokens),
            Report::Zeros => Told::Counts(Tokens::default()),
            Report::Missing | Report::Null => Told::Nothing,
            Report::HalfMissing => Told::Part,
            Report::CachedOverPrompt if self.call.dialect == Dialect::Anthropic => Told::Counts(self.tokens),
            Report::Negative | Report::Huge | Report::CachedOverPrompt | Report::Words => Told::Nonsense,
        }
    }

    fn id(&self, prefix: &str) -> String {
        format!("{prefix}{:08}", self.call.number)
    }

    /// Returns the text, fitted to a schema where one was asked for.
    fn pieces(&self) -> Vec<String> {
        let schema =
            ["/response_format/json_schema/schema", "/text/format/schema", "/output_config/format/schema"]
                .iter()
                .chain(&["/output_format/schema", "/generationConfig/responseSchema"])
                .chain(&["/generationConfig/responseJsonSchema"])
                .find_map(|at| self.call.body.pointer(at));
        match schema {
            Some(schema) => {
                let text = instance(schema, 0).to_string();
                let cut = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
                vec![text[..cut].to_owned(), text[cut..].to_owned()]
            }
            None => self.reply.pieces.clone(),
        }
    }

    /// Returns name and arguments of the tool to call; none where no tool was offered or its result is already here.
    fn tool(&self) -> Option<(String, String)> {
        let arguments = self.reply.tool_arguments.clone()?;
        let body = &self.call.body;
        let first = body.pointer("/tools/0")?;
        let name = ["/function/name", "/name", "/functionDeclarations/0/name"]
            .iter()
            .find_map(|at| first.pointer(at)?.as_str())?;
        let said =
            body.get("messages").or_else(|| body.get("input")).or_else(|| body.get("contents"))?.to_string();
        let answered = ["\"role\":\"tool\"", "tool_result", "function_call_output", "functionResponse"];
        (!answered.iter().any(|mark| said.contains(mark))).then(|| (name.to_owned(), arguments))
    }

    fn open_ai_usage(&self) -> Option<Value> {
        let t = self.tokens;
        let prompt = t.input + t.cache_read;
        let block = |prompt: u64, cached: u64, output: u64, reasoning: u64| {
            json!({"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
                "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0}})
        };
        Some(match self.reply.report {
            Report::Exact => block(prompt, t.cache_read, t.output, t.reasoning),
            Report::Missing => return None,
            Report::Null => Value::Null,
            Report::Zeros => block(0, 0, 0, 0),
            Report::HalfMissing => json!({"prompt_tokens": prompt}),
            Report::Negative => json!({"prompt_tokens": -5, "completion_tokens": -1, "total_tokens": -6}),
            Report::Huge => block(1 << 62, 0, 1 << 62, 0),
            Report::CachedOverPrompt => block(prompt, prompt + 1, t.output, 0),
            Report::Words => json!({"prompt_tokens": "many", "completion_tokens": "few", "total_tokens": {}}),
        })
    }

    fn chat(&self) -> Value {
        let message = match self.tool() {
            Some((name, arguments)) => json!({"role": "assistant", "content": null, "refusal": null,
                "tool_calls": [{"id": self.id("call_"), "type": "function",
                    "function": {"name": name, "arguments": arguments}}]}),
            None => json!({"role": "assistant", "content": self.pieces().concat(), "refusal": null}),
        };
        let reason = if self.tool().is_some() { "tool_calls" } else { "stop" };
        let words = if self.tool().is_some() { Value::Null } else { self.chat_words(&self.pieces()) };
        let wanted = self.call.body.get("n").and_then(Value::as_u64).unwrap_or(1).min(8);
        let choices: Vec<Value> = (0..wanted)
            .map(|at| json!({"index": at, "message": message, "logprobs": words, "finish_reason": reason}))
            .collect();
        let mut answer = json!({"id": self.id("chatcmpl-"), "object": "chat.completion", "created": 1_750_000_000,
            "model": self.call.model, "system_fingerprint": "fp_upstream", "choices": choices});
        if let Some(usage) = self.open_ai_usage() {
            answer["usage"] = usage;
        }
        answer
    }

    fn chat_stream(&self) -> Vec<Frame> {
        let chunk = |choices: Value, usage: Option<Value>| {
            let mut chunk = json!({"id": self.id("chatcmpl-"), "object": "chat.completion.chunk",
                "created": 1_750_000_000, "model": self.call.model, "system_fingerprint": "fp_upstream",
                "choices": choices});
            if let Some(usage) = usage {
                chunk["usage"] = usage;
            } else if self.call.wants_usage {
                chunk["usage"] = Value::Null;
            }
            chunk
        };
        let choice = |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": reason}]);
        let text = |delta: Value, text: &str| {
            event(&chunk(choice(delta, Value::Null), None), Mark::Text, Told::Nothing, text)
        };
        let opening = choice(json!({"role": "assistant", "content": "", "refusal": null}), Value::Null);
        let mut frames = vec![event(&chunk(opening, None), Mark::Opening, Told::Nothing, "")];
        let reason = if let Some((name, arguments)) = self.tool() {
            let first = json!({"index": 0, "id": self.id("call_"), "type": "function",
                "function": {"name": name, "arguments": ""}});
            frames.push(text(json!({"tool_calls": [first]}), ""));
            for part in halves(&arguments) {
                let call = json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]});
                frames.push(text(call, part));
            }
            "tool_calls"
        } else {
            frames.extend(self.pieces().iter().map(|piece| {
                let mut choice = choice(json!({"content": piece}), Value::Null);
                choice[0]["logprobs"] = self.chat_words(std::slice::from_ref(piece));
                event(&chunk(choice, None), Mark::Text, Told::Nothing, piece)
            }));
            "stop"
        };
        // Mistral tells its usage unasked, together with the reason why it ended.
        let unasked = if self.call.is_mistral() { self.open_ai_usage() } else { None };
        let told = if unasked.is_some() { self.told() } else { Told::Nothing };
        let mark = if self.call.is_mistral() { Mark::Usage } else { Mark::Text };
        let last = chunk(choice(json!({}), json!(reason)), unasked);
        frames.push(event(&last, mark, told, ""));
        if self.call.wants_usage
            && !self.call.is_mistral()
            && let Some(usage) = self.open_ai_usage()
        {
            frames.push(event(&chunk(json!([]), Some(usage)), Mark::Usage, self.told(), ""));
        }
        frames.push(Frame {
            bytes: b"data: [DONE]\n\n".to_vec(),
            mark: Mark::End,
            told: Told::Nothing,
            text: String::new(),
        });
        frames
    }

    fn responses_usage(&self) -> Value {
        let t = self.tokens;
        let prompt = t.input + t.cache_read;
        let block = |prompt: u64, cached: u64, output: u64, reasoning: u64| {
            json!({"input_tokens": prompt, "input_tokens_details": {"cached_tokens": cached},
                "output_tokens": output, "output_tokens_details": {"reasoning_tokens": reasoning},
                "total_tokens": prompt + output})
        };
        match self.reply.report {
            Report::Exact => block(prompt, t.cache_read, t.output, t.reasoning),
            Report::Missing | Report::Null => Value::Null,
            Report::Zeros => block(0, 0, 0, 0),
            Report::HalfMissing => json!({"input_tokens": prompt}),
            Report::Negative => json!({"input_tokens": -5, "output_tokens": -1, "total_tokens": -6}),
            Report::Huge => block(1 << 62, 0, 1 << 62, 0),
            Report::CachedOverPrompt => block(prompt, prompt + 1, t.output, 0),
            Report::Words => json!({"input_tokens": "many", "output_tokens": "few", "total_tokens": {}}),
        }
    }

    fn response(&self, status: &str, output: &Value, usage: &Value) -> Value {
        json!({"id": self.id("resp_"), "object": "response", "created_at": 1_750_000_000, "status": status,
            "error": null, "incomplete_details": null, "instructions": null, "metadata": {},
            "model": self.call.model, "output": output, "parallel_tool_calls": true, "temperature": 1.0,
            "tool_choice": "auto", "tools": [], "top_logprobs": self.others().unwrap_or(0), "top_p": 1.0,
            "usage": usage})
    }

    fn response_item(&self) -> Value {
        match self.tool() {
            Some((name, arguments)) => {
                json!({"type": "function_call", "id": self.id("fc_"), "status": "completed",
                "call_id": self.id("call_"), "name": name, "arguments": arguments})
            }
            None => {
                json!({"type": "message", "id": self.id("msg_"), "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "text": self.pieces().concat(), "annotations": [],
                    "logprobs": self.words(&self.pieces()).unwrap_or_else(|| json!([]))}]})
            }
        }
    }

    fn responses(&self) -> Value {
        self.response("completed", &json!([self.response_item()]), &self.responses_usage())
    }

    fn responses_stream(&self) -> Vec<Frame> {
        let mut place = 0;
        let mut frames = Vec::new();
        let mut say = |name: &str, mut value: Value, mark: Mark, told: Told, text: &str| {
            value["type"] = json!(name);
            value["sequence_number"] = json!(place);
            place += 1;
            frames.push(named(name, &value, mark, told, text));
        };
        let open = json!({"response": self.response("in_progress", &json!([]), &Value::Null)});
        say("response.created", open.clone(), Mark::Opening, Told::Nothing, "");
        say("response.in_progress", open, Mark::Opening, Told::Nothing, "");
        let item = self.response_item();
        let id = item["id"].clone();
        let at = |more: Value| {
            let mut place = json!({"output_index": 0, "item_id": id});
            for (key, value) in more.as_object().into_iter().flatten() {
                place[key] = value.clone();
            }
            place
        };
        let mut opened = item.clone();
        opened["status"] = json!("in_progress");
        if let Some((_, arguments)) = self.tool() {
            opened["arguments"] = json!("");
            let added = json!({"output_index": 0, "item": opened});
            say("response.output_item.added", added, Mark::Text, Told::Nothing, "");
            for part in halves(&arguments) {
                let delta = at(json!({"delta": part}));
                say("response.function_call_arguments.delta", delta, Mark::Text, Told::Nothing, part);
            }
            let done = at(json!({"arguments": arguments}));
            say("response.function_call_arguments.done", done, Mark::Text, Told::Nothing, "");
        } else {
            opened["content"] = json!([]);
            let added = json!({"output_index": 0, "item": opened});
            say("response.output_item.added", added, Mark::Text, Told::Nothing, "");
            let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
            let first = at(json!({"content_index": 0, "part": part("")}));
            say("response.content_part.added", first, Mark::Text, Told::Nothing, "");
            for piece in self.pieces() {
                let words = self.words(std::slice::from_ref(&piece)).unwrap_or_else(|| json!([]));
                let delta = at(json!({"content_index": 0, "delta": piece, "logprobs": words}));
                say("response.output_text.delta", delta, Mark::Text, Told::Nothing, &piece);
            }
            let text = self.pieces().concat();
            let words = self.words(&self.pieces()).unwrap_or_else(|| json!([]));
            let done = at(json!({"content_index": 0, "text": text, "logprobs": words}));
            say("response.output_text.done", done, Mark::Text, Told::Nothing, "");
            let last = at(json!({"content_index": 0, "part": part(&text)}));
            say("response.content_part.done", last, Mark::Text, Told::Nothing, "");
        }
        let done = json!({"output_index": 0, "item": item});
        say("response.output_item.done", done, Mark::Text, Told::Nothing, "");
        say("response.completed", json!({"response": self.responses()}), Mark::Usage, self.told(), "");
        frames
    }

    fn embeddings(&self) -> Value {
        let inputs = match self.call.body.get("input") {
            Some(Value::Array(many)) if many.first().is_some_and(|first| !first.is_number()) => many.len(),
            _ => 1,
        };
        let data: Vec<Value> = (0..inputs)
            .map(|at| json!({"object": "embedding", "index": at, "embedding": [0.5, -0.25, 0.125]}))
            .collect();
        let mut answer = json!({"object": "list", "data": data, "model": self.call.model});
        let tokens = self.tokens.input;
        match self.reply.report {
            Report::Missing => {}
            Report::Null => answer["usage"] = Value::Null,
            Report::Zeros => answer["usage"] = json!({"prompt_tokens": 0, "total_tokens": 0}),
            Report::Negative => answer["usage"] = json!({"prompt_tokens": -5, "total_tokens": -5}),
            _ => answer["usage"] = json!({"prompt_tokens": tokens, "total_tokens": tokens}),
        }
        answer
    }
}

#[path = "upstream_native.rs"]
mod upstream_native;
#[path = "upstream_words.rs"]
mod upstream_words;

/// Cuts a text in two between characters.
fn halves(text: &str) -> [&str; 2] {
    let cut = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    [&text[..cut], &text[cut..]]
}

/// Makes up something that fits a JSON schema of the kinds that clients send.
fn instance(schema: &Value, depth: usize) -> Value {
    if depth > 8 {
        return Value::Null;
    }
    if let Some(first) = schema.pointer("/enum/0") {
        return first.clone();
    }
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or("object").to_lowercase();
    match kind.as_str() {
        "string" => json!("Zoë"),
        "integer" => json!(7),
        "number" => json!(2.5),
        "boolean" => json!(true),
        "array" => json!([instance(schema.get("items").unwrap_or(&Value::Null), depth + 1)]),
        _ => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let made =
                properties.into_iter().flatten().map(|(key, of)| (key.clone(), instance(of, depth + 1)));
            Value::Object(made.collect())
        }
    }
}
