//! A client's request, read as far as routing needs it.
//!
//! Invariants: the body is kept byte for byte; for a provider of the same dialect only the documented splices touch it
//! (`splice`); for another it is translated, and a field without counterpart is refused or stands on the list of what
//! may be left out (`hub`).

mod scan;
mod splice;
mod weigh;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::json::{Value, check, quote};
use super::tools::ToolKinds;
use super::{Dialect, WireError, chat, translate};
use scan::Scan;

/// A client's request.
#[derive(Clone)]
pub struct Ask {
    dialect: Dialect,
    body: Bytes,
    scan: Scan,
    received: u64,
}

/// What can be measured of a request without understanding it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskMeasures {
    /// The prompt in tokens, estimated as a quarter of its bytes; a picture counts as 1,024, a page of a document as
    /// 2,000.
    pub estimated_prompt_tokens: u64,
    /// The user's turns before this one, not counting results of tools.
    pub earlier_user_turns: u32,
    /// The tools that the model may call.
    pub tools: u32,
    /// The bytes of the turns before this one.
    pub earlier_bytes: u64,
    /// Whether a picture is part of the prompt.
    pub has_images: bool,
    /// The most tokens of output that the client allows.
    pub max_output: Option<u64>,
    /// The number of answers asked for.
    pub choices: u32,
    /// Whether the answer has to be JSON.
    pub wants_json: bool,
}

/// How a request is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// The most tokens of output that policy allows; a lower limit of the client stays.
    pub max_output: Option<u64>,
    /// The limit for a provider that demands one, where the client names none.
    pub default_max_output: u64,
    /// How a provider that speaks chat has it.
    pub accent: Accent,
}

/// How a provider speaks chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Accent {
    /// As OpenAI does, or taking whatever OpenAI takes.
    #[default]
    OpenAi,
    /// As Mistral does, which refuses members it does not know: no `stream_options` (usage comes anyway), `max_tokens`
    /// alone, `random_seed`, and ids of calls of nine letters or digits.
    Mistral,
}

impl Default for Sending {
    fn default() -> Self {
        Self { max_output: None, default_max_output: 8192, accent: Accent::OpenAi }
    }
}

impl Sending {
    /// Gives the limit to send, of what the client allows and what policy allows.
    pub(super) fn limit(&self, asked: Option<u64>) -> Option<u64> {
        match (asked, self.max_output) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }
}

impl Ask {
    /// Reads a client's request.
    pub fn read(dialect: Dialect, body: Bytes) -> Result<Self, WireError> {
        let scan = scan::scan(dialect, &body, check(&body)?)?;
        Ok(Self { dialect, body, scan, received: 0 })
    }

    /// Reads a client's request whose path names a model, as Azure's do; where the body names none, it is that one.
    pub fn read_for(dialect: Dialect, body: Bytes, named: Option<&str>) -> Result<Self, WireError> {
        let Some(name) = named else { return Self::read(dialect, body) };
        let root = check(&body)?;
        if !root.is_object() || root.members().any(|(key, _)| key == "model") {
            return Self::read(dialect, body);
        }
        let rest = root.raw().get(1..).unwrap_or_default();
        let mut out = Vec::with_capacity(rest.len() + name.len() + 16);
        out.extend_from_slice(br#"{"model":"#);
        quote(&mut out, name);
        out.extend_from_slice(if root.members().next().is_some() { b"," } else { b"" });
        out.extend_from_slice(rest.as_bytes());
        Self::read(dialect, out.into())
    }

    /// Notes when the request came, in seconds since 1970; answers made by translation say so in `created`.
    #[must_use]
    pub fn received_at(mut self, unix_seconds: u64) -> Self {
        self.received = unix_seconds;
        self
    }

    /// Gives the time noted by [`Self::received_at`].
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Gives the client's dialect.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Gives the model as the client named it.
    pub fn model(&self) -> &str {
        &self.scan.model
    }

    /// Says whether the client wants the answer as a stream of events.
    pub fn stream(&self) -> bool {
        self.scan.stream
    }

    /// Says whether the client asked for usage at the end of a stream; other dialects than chat always carry it.
    pub fn wants_stream_usage(&self) -> bool {
        self.scan.include_usage || self.dialect != Dialect::OpenAiChat
    }

    /// Names what a request for responses asks of a provider that keeps answers: the member, and what stands there where
    /// it is text.
    pub fn leans_on(&self) -> Option<(&'static str, Option<Cow<'_, str>>)> {
        if self.dialect != Dialect::OpenAiResponses {
            return None;
        }
        let root = self.root();
        if let Some(earlier) = root.get("previous_response_id") {
            return Some(("previous_response_id", earlier.text()));
        }
        if root.get("conversation").is_some() {
            return Some(("conversation", None));
        }
        self.wants_background().then_some(("background", None))
    }

    /// Says whether the provider is to answer with a ticket, and to work in the background.
    pub fn wants_background(&self) -> bool {
        self.dialect == Dialect::OpenAiResponses
            && self.root().get("background").and_then(Value::flag) == Some(true)
    }

    /// Gives the body as it came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Gives the text of the last message that a person wrote; turns that only carry results of tools are passed over.
    pub fn ask_text(&self) -> Cow<'_, str> {
        self.scan.ask.as_ref().and_then(|span| self.value(span)).map(scan::text_within).unwrap_or_default()
    }

    /// Gives what can be measured of the request.
    pub fn measures(&self) -> AskMeasures {
        self.scan.measures
    }

    /// Gives the end user whom the client names.
    pub fn user(&self) -> Option<&str> {
        self.scan.user.as_deref()
    }

    /// Gives the keys that a JSON answer must have, from the schema that came with the request.
    pub(super) fn required_keys(&self) -> Vec<String> {
        let schema = self.scan.schema.as_ref().and_then(|span| self.value(span));
        let required = schema.and_then(|schema| schema.get("required"));
        required
            .into_iter()
            .flat_map(Value::items)
            .filter_map(|key| key.text().map(Cow::into_owned))
            .collect()
    }

    /// Gives the body to send to a provider that speaks `to`, for its model `model`.
    pub fn body_for(&self, to: Dialect, model: &str, sending: &Sending) -> Result<Bytes, WireError> {
        if to == self.dialect && to == Dialect::OpenAiChat && sending.accent == Accent::Mistral {
            let limit = sending.limit(self.scan.measures.max_output);
            return Ok(chat::mistral::write(self.root(), model, limit).into());
        }
        if to == self.dialect {
            return Ok(splice::splice(&self.body, &self.scan, to, model, sending));
        }
        if !self.dialect.reaches(to) {
            return Err(WireError::Unsupported { from: self.dialect, to });
        }
        translate::request(self.dialect, self.root(), to, model, sending)
    }

    /// Gives the functions that stand for tools of other kinds, for answers that were translated.
    pub(super) fn tool_kinds(&self) -> ToolKinds {
        if self.scan.has_other_tools {
            ToolKinds::of(self.dialect, self.root())
        } else {
            ToolKinds::default()
        }
    }

    /// Gives the whole body as a value.
    pub(super) fn root(&self) -> Value<'_> {
        self.value(&(0..self.body.len())).unwrap_or(Value::of("null"))
    }

    fn value(&self, span: &Range<usize>) -> Option<Value<'_>> {
        std::str::from_utf8(self.body.get(span.clone())?).ok().map(Value::of)
    }
}

impl std::fmt::Debug for Ask {
    /// Says the measures only: prompts do not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask")
            .field("dialect", &self.dialect)
            .field("model", &self.scan.model)
            .field("stream", &self.scan.stream)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
