//! A client's request, read as far as routing needs it.
//!
//! Invariants: the body is kept byte for byte; for a provider of the same dialect only the documented splices touch it
//! (`splice`); for another it is translated, and the table (`table`) says what becomes of each member.

mod edits;
mod gemini;
mod parameters;
mod prefill;
mod refused;
mod returned;
mod scan;
mod splice;
mod system;
mod weigh;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::json::{Value, check, quote};
use super::known::Known;
use super::reader::{Notes, Reader};
use super::tools::ToolKinds;
use super::{Dialect, WireError, chat, embeddings, translate};
use crate::routing::Parameters;
use crate::wire::error::Result;
use scan::Scan;

/// A client's request.
#[derive(Clone)]
pub struct Ask {
    dialect: Dialect,
    body: Bytes,
    scan: Scan,
    received: u64,
    /// Whether an answer of its own dialect is in a form that the client does not know.
    is_put_back: bool,
}

/// What can be measured of a request without understanding it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskMeasures {
    /// The prompt in tokens, estimated as a quarter of its bytes; a picture counts as 1,024, a page of a document as
    /// 2,000.
    pub estimated_prompt_tokens: u64,
    /// The user's turns before this one, not counting results of tools.
    pub earlier_user_turns: u32,
    /// The tools that the model may call, those that the provider runs among them.
    pub tools: u32,
    /// The bytes of the turns before this one.
    pub earlier_bytes: u64,
    /// Whether a picture or a film is part of the prompt, also within the result of a tool.
    pub has_images: bool,
    /// The most tokens of output that the client allows.
    pub max_output: Option<u64>,
    /// The number of answers asked for.
    pub choices: u32,
    /// Whether the answer has to be JSON.
    pub wants_json: bool,
}

/// A request as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The body.
    pub body: Bytes,
    /// The names of what was left out of it, as the client calls them.
    pub left_out: Vec<String>,
    /// The service tier that policy asks for in it.
    pub tier: Option<Arc<str>>,
}

/// How a request is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending<'k> {
    /// What is known of the model.
    pub known: &'k Known,
    /// What policy writes into it, in place of the client's own; of limits of output the lower one holds.
    pub with: &'k Parameters,
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

impl Default for Sending<'_> {
    fn default() -> Self {
        const NOTHING: &Known = &Known::NOTHING;
        const UNCHANGED: &Parameters = &Parameters::NONE;
        Self { known: NOTHING, with: UNCHANGED, default_max_output: 8192, accent: Accent::OpenAi }
    }
}

impl Sending<'_> {
    /// Returns the limit to send, of what the client allows and what policy allows.
    pub(super) fn limit(&self, asked: Option<u64>) -> Option<u64> {
        match (asked, self.with.max_output.map(u64::from)) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }
}

impl Ask {
    /// Reads a client's request.
    pub fn read(dialect: Dialect, body: Bytes) -> Result<Self> {
        Self::read_for(dialect, body, None)
    }

    /// Reads a client's request whose path names a model, as Gemini's do and Azure's; where the body of Azure's names none,
    /// it is that one.
    pub fn read_for(dialect: Dialect, body: Bytes, named: Option<&str>) -> Result<Self> {
        if matches!(dialect, Dialect::Gemini | Dialect::GeminiEmbeddings) {
            let root = check(&body)?;
            let scan = match dialect {
                Dialect::Gemini => gemini::scan(&body, root, named.unwrap_or_default())?,
                _ => gemini::scan_embeddings(&body, root, named.unwrap_or_default())?,
            };
            return Ok(Self { dialect, body, scan, received: 0, is_put_back: false });
        }
        let root = check(&body)?;
        let lacks_name = || root.is_object() && !root.members().any(|(key, _)| key == "model");
        let Some(name) = named.filter(|_| lacks_name()) else {
            let scan = scan::scan(dialect, &body, root)?;
            return Ok(Self { dialect, body, scan, received: 0, is_put_back: false });
        };
        let rest = root.raw().get(1..).unwrap_or_default();
        let mut out = Vec::with_capacity(rest.len() + name.len() + 16);
        out.extend_from_slice(br#"{"model":"#);
        quote(&mut out, name);
        out.extend_from_slice(if root.members().next().is_some() { b"," } else { b"" });
        out.extend_from_slice(rest.as_bytes());
        Self::read(dialect, out.into())
    }

    /// Reads a request whose tokens are to be counted; Gemini's may stand within another.
    pub fn read_to_count(dialect: Dialect, body: &Bytes, named: &str) -> Result<Self> {
        let within = match dialect {
            Dialect::Gemini => super::gemini::names::member(check(body)?, "generateContentRequest"),
            _ => None,
        };
        let span = within.map(|within| within.span_in(body));
        let body = span.map_or_else(|| body.clone(), |span| body.slice(span));
        Self::read_for(dialect, body, Some(named).filter(|name| !name.is_empty()))
    }

    /// Notes that the path asks for a stream.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.scan.stream = true;
        self
    }

    /// Notes when the request came, in seconds since 1970; answers made by translation say so in `created`.
    #[must_use]
    pub fn received_at(mut self, unix_seconds: u64) -> Self {
        self.received = unix_seconds;
        self
    }

    /// Returns the time noted by [`Self::received_at`].
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Returns the client's dialect.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns the model as the client named it.
    pub fn model(&self) -> &str {
        &self.scan.model
    }

    /// Says whether the client wants the answer as a stream of events.
    pub fn stream(&self) -> bool {
        self.scan.stream
    }

    /// Says whether the client asked for usage at the end of a stream; other dialects than chat and completions always
    /// carry it.
    pub fn wants_stream_usage(&self) -> bool {
        self.scan.include_usage || !matches!(self.dialect, Dialect::OpenAiChat | Dialect::OpenAiCompletions)
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

    /// Says whether the provider is told not to keep its answer.
    pub fn keeps_nothing(&self) -> bool {
        let of = |span: &Range<usize>| self.body.get(span.clone());
        let store = |member: &&scan::Member| of(&member.key) == Some(b"\"store\"");
        self.scan.members.iter().rfind(store).is_some_and(|member| of(&member.value) == Some(b"false"))
    }

    /// Returns the body as it came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the text of the last message that a person wrote; turns that only carry results of tools are passed over.
    pub fn ask_text(&self) -> Cow<'_, str> {
        self.scan.ask.as_ref().and_then(|span| self.value(span)).map(scan::text_within).unwrap_or_default()
    }

    /// Returns what can be measured of the request.
    pub fn measures(&self) -> AskMeasures {
        self.scan.measures
    }

    /// Returns the end user whom the client names.
    pub fn user(&self) -> Option<&str> {
        self.scan.user.as_deref()
    }

    /// Returns the service tier that the client asks for by name; none where it leaves that to the provider.
    pub fn tier(&self) -> Option<Cow<'_, str>> {
        let named = |member: &&scan::Member| {
            matches!(
                self.body.get(member.key.clone()),
                Some(b"\"service_tier\"" | b"\"speed\"" | b"\"serviceTier\"")
            )
        };
        let words =
            self.scan.members.iter().filter(named).filter_map(|member| self.value(&member.value)?.text());
        words
            .into_iter()
            .find(|word| !matches!(&**word, "" | "auto" | "default" | "standard" | "standard_only"))
    }

    /// Returns the keys that a JSON answer must have, from the schema that came with the request.
    pub(super) fn required_keys(&self) -> Vec<String> {
        let schema = self.scan.schema.as_ref().and_then(|span| self.value(span));
        let required = schema.and_then(|schema| schema.get("required"));
        required
            .into_iter()
            .flat_map(Value::items)
            .filter_map(|key| key.text().map(Cow::into_owned))
            .collect()
    }

    /// Returns the body to send to a provider that speaks `to`, for its model `model`, and what was left out of it.
    pub fn body_for(&self, to: Dialect, model: &str, sending: &Sending<'_>) -> Result<Sent> {
        let notes = Notes::default();
        let reader = Reader { from: self.dialect, to, accent: sending.accent, notes: &notes };
        let rewritten = if to == self.dialect && !sending.with.is_none() {
            parameters::written(&self.body, &self.scan, model, sending, reader)
        } else {
            None
        };
        let body = match rewritten {
            Some(body) => {
                let ask = Self::read_for(self.dialect, body, Some(&self.scan.model))?;
                let ask = if self.scan.stream { ask.streamed() } else { ask };
                ask.written(model, sending, reader)?
            }
            None => self.written(model, sending, reader)?,
        };
        let is_generation = !matches!(self.dialect, Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings);
        let is_tier_written = is_generation && !notes.lacks_tier();
        let tier = sending.with.service_tier.as_ref().filter(|_| is_tier_written).cloned();
        Ok(Sent { body, left_out: notes.into_names(), tier })
    }

    /// Writes the body that it goes as.
    fn written(&self, model: &str, sending: &Sending<'_>, reader: Reader<'_>) -> Result<Bytes> {
        let to = reader.to;
        Ok(if self.dialect == Dialect::GeminiEmbeddings {
            embeddings::write(self.root(), model, reader)?
        } else if self.is_older_than(sending.accent, to) {
            translate::request(self.root(), self.scan.stream, model, sending, reader)?
        } else if to == self.dialect && to == Dialect::OpenAiChat && sending.accent == Accent::Mistral {
            let limit = sending.limit(self.scan.measures.max_output);
            chat::mistral::write(self.root(), model, limit, reader)?.into()
        } else if to == self.dialect {
            splice::splice(&self.body, &self.scan, model, sending, reader)
        } else if self.dialect.reaches(to) {
            translate::request(self.root(), self.scan.stream, model, sending, reader)?
        } else {
            return Err(WireError::Unsupported { from: self.dialect, to });
        })
    }

    /// Says whether functions are offered in the form that came before tools, so that calls are expected in it too.
    pub(super) fn offers_functions(&self) -> bool {
        self.scan.has_functions && self.dialect == Dialect::OpenAiChat
    }

    /// Says whether a provider of the same dialect knows only tools where the client speaks of functions.
    fn is_older_than(&self, accent: Accent, to: Dialect) -> bool {
        accent == Accent::Mistral && to == Dialect::OpenAiChat && self.offers_functions()
    }

    /// Returns the request as it is for who reads the answer of a provider that speaks `from` like this.
    pub fn put_to(&self, from: Dialect, accent: Accent) -> Cow<'_, Self> {
        if self.is_older_than(accent, from) {
            Cow::Owned(Self { is_put_back: true, ..self.clone() })
        } else {
            Cow::Borrowed(self)
        }
    }

    /// Says whether an answer in `from` has to be put into the client's form.
    pub fn is_translated(&self, from: Dialect) -> bool {
        from != self.dialect || self.is_put_back
    }

    /// Returns the functions that stand for tools of other kinds, for answers that were translated.
    pub(super) fn tool_kinds(&self) -> ToolKinds {
        if self.scan.has_other_tools {
            ToolKinds::of(self.dialect, self.root())
        } else {
            ToolKinds::default()
        }
    }

    /// Returns the whole body as a value.
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
