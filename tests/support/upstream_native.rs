//! The answers of the two model APIs that speak a language of their own: Anthropic's messages and Gemini's
//! generateContent.

use serde_json::{Value, json};

use super::super::upstream_script::{Report, Tokens};
use super::{Frame, Mark, Says, Told, event, halves, named};

impl Says<'_> {
    /// Returns the usage block; an answer in progress has counted one token of it.
    fn anthropic_usage(&self, output: u64) -> Option<Value> {
        let block = |t: Tokens, output: u64| {
            json!({"input_tokens": t.input, "cache_creation_input_tokens": t.write_5m,
                "cache_read_input_tokens": t.cache_read,
                "cache_creation": {"ephemeral_5m_input_tokens": t.write_5m, "ephemeral_1h_input_tokens": 0},
                "output_tokens": output, "service_tier": "standard"})
        };
        Some(match self.reply.report {
            // The prompt of this dialect does not include cached tokens, so none can be too many.
            Report::Exact | Report::CachedOverPrompt => block(self.tokens, output),
            Report::Missing => return None,
            Report::Null => Value::Null,
            Report::Zeros => block(Tokens::default(), 0),
            Report::HalfMissing => json!({"input_tokens": self.tokens.input}),
            Report::Negative => json!({"input_tokens": -5, "output_tokens": -1}),
            Report::Huge => json!({"input_tokens": 1_u64 << 62, "output_tokens": 1_u64 << 62}),
            Report::Words => json!({"input_tokens": "many", "output_tokens": {}}),
        })
    }

    fn message(&self, content: &Value, reason: &Value, usage: Option<Value>) -> Value {
        let mut message = json!({"id": self.id("msg_"), "type": "message", "role": "assistant",
            "model": self.call.model, "content": content, "stop_reason": reason, "stop_sequence": null});
        if let Some(usage) = usage {
            message["usage"] = usage;
        }
        message
    }

    pub(super) fn anthropic(&self) -> Value {
        let usage = self.anthropic_usage(self.tokens.output);
        if let Some((name, arguments)) = self.tool() {
            let input: Value = serde_json::from_str(&arguments).unwrap_or(Value::Null);
            let call = json!([{"type": "tool_use", "id": self.id("toolu_"), "name": name, "input": input}]);
            self.message(&call, &json!("tool_use"), usage)
        } else {
            let text = json!([{"type": "text", "text": self.pieces().concat()}]);
            self.message(&text, &json!("end_turn"), usage)
        }
    }

    pub(super) fn anthropic_stream(&self) -> Vec<Frame> {
        let mut frames = Vec::new();
        let mut say = |name: &str, mut value: Value, mark: Mark, told: Told, text: &str| {
            value["type"] = json!(name);
            frames.push(named(name, &value, mark, told, text));
        };
        let first = self.anthropic_usage(1);
        let told_first = match self.told() {
            Told::Counts(_) if first.is_some() => Told::Part,
            other => other,
        };
        let start = json!({"message": self.message(&json!([]), &Value::Null, first)});
        say("message_start", start, Mark::Opening, told_first, "");
        let (block, pieces, kind, key, reason) = match self.tool() {
            Some((name, arguments)) => (
                json!({"type": "tool_use", "id": self.id("toolu_"), "name": name, "input": {}}),
                halves(&arguments).map(str::to_owned).to_vec(),
                "input_json_delta",
                "partial_json",
                "tool_use",
            ),
            None => (json!({"type": "text", "text": ""}), self.pieces(), "text_delta", "text", "end_turn"),
        };
        let open = json!({"index": 0, "content_block": block});
        say("content_block_start", open, Mark::Text, Told::Nothing, "");
        say("ping", json!({}), Mark::Text, Told::Nothing, "");
        for piece in &pieces {
            let mut delta = json!({"type": kind});
            delta[key] = json!(piece);
            let delta = json!({"index": 0, "delta": delta});
            say("content_block_delta", delta, Mark::Text, Told::Nothing, piece);
        }
        say("content_block_stop", json!({"index": 0}), Mark::Text, Told::Nothing, "");
        let mut delta = json!({"delta": {"stop_reason": reason, "stop_sequence": null}});
        if let Some(usage) = self.anthropic_usage(self.tokens.output) {
            // The first event told the prompt; this one tells the answer, and the prompt once more.
            delta["usage"] = usage;
        }
        say("message_delta", delta, Mark::Usage, self.told(), "");
        say("message_stop", json!({}), Mark::End, Told::Nothing, "");
        frames
    }

    /// Returns the usage block after so much of the answer.
    fn gemini_usage(&self, output: u64, reasoning: u64) -> Option<Value> {
        let t = self.tokens;
        let prompt = t.input + t.cache_read;
        let block = |prompt: u64, cached: u64, output: u64, reasoning: u64| {
            json!({"promptTokenCount": prompt, "cachedContentTokenCount": cached,
                "candidatesTokenCount": output - reasoning, "thoughtsTokenCount": reasoning,
                "totalTokenCount": prompt + output})
        };
        Some(match self.reply.report {
            Report::Exact => block(prompt, t.cache_read, output, reasoning),
            Report::Missing => return None,
            Report::Null => Value::Null,
            Report::Zeros => block(0, 0, 0, 0),
            Report::HalfMissing => json!({"promptTokenCount": prompt}),
            Report::Negative => json!({"promptTokenCount": -5, "candidatesTokenCount": -1}),
            Report::Huge => block(1 << 62, 0, 1 << 62, 0),
            Report::CachedOverPrompt => block(prompt, prompt + 1, output, reasoning),
            Report::Words => json!({"promptTokenCount": "many", "candidatesTokenCount": "few"}),
        })
    }

    fn candidate(&self, parts: &Value, reason: Option<&str>, usage: Option<Value>) -> Value {
        let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
        let text = parts[0]["text"].as_str().map(str::to_owned);
        if let Some(words) = text.and_then(|text| self.gemini_words(&[text])) {
            candidate["logprobsResult"] = words;
        }
        if let Some(reason) = reason {
            candidate["finishReason"] = json!(reason);
        }
        let mut answer = json!({"candidates": [candidate], "modelVersion": self.call.model,
            "responseId": self.id("g")});
        if let Some(usage) = usage {
            answer["usageMetadata"] = usage;
        }
        answer
    }

    /// Returns the call to a tool as a part; this dialect sends it in one piece.
    fn function_call(&self) -> Option<Value> {
        let (name, arguments) = self.tool()?;
        let args: Value = serde_json::from_str(&arguments).unwrap_or(Value::Null);
        Some(json!({"functionCall": {"name": name, "args": args}}))
    }

    pub(super) fn gemini(&self) -> Value {
        let usage = self.gemini_usage(self.tokens.output, self.tokens.reasoning);
        let part = self.function_call().unwrap_or_else(|| json!({"text": self.pieces().concat()}));
        self.candidate(&json!([part]), Some("STOP"), usage)
    }

    pub(super) fn gemini_stream(&self) -> Vec<Frame> {
        let parts: Vec<(Value, String)> = match self.function_call() {
            Some(call) => vec![(call, String::new())],
            None => self.pieces().into_iter().map(|piece| (json!({"text": piece}), piece)).collect(),
        };
        let last = parts.len().saturating_sub(1);
        let mut frames = Vec::new();
        for (at, (part, text)) in parts.into_iter().enumerate() {
            let parts = json!([part]);
            let (chunk, mark, told) = if at == last {
                let usage = self.gemini_usage(self.tokens.output, self.tokens.reasoning);
                (self.candidate(&parts, Some("STOP"), usage), Mark::Usage, self.told())
            } else {
                let told = if matches!(self.told(), Told::Counts(_)) { Told::Part } else { self.told() };
                let so_far = (at as u64 + 1).min(self.tokens.output);
                (self.candidate(&parts, None, self.gemini_usage(so_far, 0)), Mark::Text, told)
            };
            frames.push(event(&chunk, mark, told, &text));
        }
        frames
    }
}
