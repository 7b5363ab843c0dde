//! Relays a provider's stream to the client's dialect, however the bytes are cut.
//!
//! Invariants: what comes out depends on the stream, never on where it was cut; for a client of the same dialect events
//! are passed on as their raw bytes, but for a chunk of usage that the client did not ask for; an event that cannot be
//! read, or that reports an error, is not passed on; usage is the last running total that was said, never a sum.

use bytes::BytesMut;

use super::answer::fits;
use super::reply::{Delta, Seen};
use super::sse::{self, Event, Splitter};
use super::translate::Sink;
use super::{ApiError, Ask, Dialect, Finish, WireError, chat, faults, gemini, messages, responses};
use crate::record::usage::Counted;
use crate::routing::Check;

/// The most bytes of delivered text that are kept.
const KEPT: usize = 1024 * 1024;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The answer was whole.
    Complete,
    /// The stream broke off before the answer was whole.
    Cut,
}

/// Relays one stream.
#[derive(Debug)]
pub struct Relay {
    splitter: Splitter,
    source: Source,
    /// Puts the answer into the client's dialect; none where that is the provider's.
    sink: Option<Sink>,
    client: Dialect,
    hides_usage: bool,
    choices: u32,
    /// The keys that a JSON answer must have; none where the answer need not be JSON.
    required: Option<Vec<String>>,
    story: Story,
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Story {
    has_content: bool,
    delivered: String,
    delivered_bytes: u64,
    calls: u32,
    model: Option<String>,
    finish: Option<Finish>,
    finished: u32,
    /// The last event has come.
    is_over: bool,
    /// The closing events, or an error, have been written.
    is_closed: bool,
    /// The stream could not be followed further.
    failure: Option<WireError>,
}

#[derive(Debug)]
enum Source {
    Chat(chat::stream::Source),
    Responses(responses::stream::Source),
    Messages(messages::stream::Source),
    Gemini(gemini::stream::Source),
}

impl Source {
    fn event(&mut self, event: &Event<'_>, tell: &mut dyn FnMut(Delta<'_>)) -> Result<Seen, WireError> {
        match self {
            Self::Chat(source) => source.event(event, tell),
            Self::Responses(source) => source.event(event, tell),
            Self::Messages(source) => source.event(event, tell),
            Self::Gemini(source) => source.event(event, tell),
        }
    }

    fn usage(&self) -> Option<Counted> {
        match self {
            Self::Chat(source) => source.usage(),
            Self::Responses(source) => source.usage(),
            Self::Messages(source) => source.usage(),
            Self::Gemini(source) => source.usage(),
        }
    }
}

/// Gives what tells a client that a stream is alive: an event where its dialect has one for that, else a comment, which
/// every reader of events passes over.
pub const fn ping(to: Dialect) -> &'static [u8] {
    match to {
        Dialect::AnthropicMessages => b"event: ping\ndata: {\"type\": \"ping\"}\n\n",
        _ => b": ping\n\n",
    }
}

/// Writes an error as an event; `number` counts the events of a stream of responses.
pub fn error_event(to: Dialect, error: &ApiError, number: u64) -> BytesMut {
    let body = faults::error_event(to, error, number);
    let mut out = BytesMut::with_capacity(body.len() + 32);
    if matches!(to, Dialect::AnthropicMessages | Dialect::OpenAiResponses) {
        out.extend_from_slice(b"event: error\n");
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&body);
    out.extend_from_slice(b"\n\n");
    out
}

impl Story {
    fn note(&mut self, delta: &Delta<'_>) {
        match delta {
            Delta::Start { model, .. } => {
                if !model.is_empty() && self.model.as_deref() != Some(*model) {
                    self.model = Some((*model).to_owned());
                }
            }
            Delta::Text(text) | Delta::Refusal(text) | Delta::CallArguments { text, .. } => self.keep(text),
            Delta::CallStart { name, .. } => {
                self.calls = self.calls.saturating_add(1);
                self.keep(name);
            }
            Delta::Thought(_) => {}
            Delta::Finish { finish, .. } => {
                self.has_content = true;
                self.finish = Some(*finish);
                self.finished = self.finished.saturating_add(1);
            }
        }
    }

    fn keep(&mut self, text: &str) {
        self.has_content = true;
        self.delivered_bytes = self.delivered_bytes.saturating_add(text.len() as u64);
        let mut room = KEPT.saturating_sub(self.delivered.len()).min(text.len());
        while !text.is_char_boundary(room) {
            room -= 1;
        }
        self.delivered.push_str(text.get(..room).unwrap_or_default());
    }
}

impl Relay {
    /// Starts relaying an answer to `ask` from a provider that speaks `from`.
    pub fn new(from: Dialect, ask: &Ask) -> Self {
        let source = match from {
            Dialect::OpenAiChat | Dialect::OpenAiEmbeddings => Source::Chat(chat::stream::Source::default()),
            Dialect::OpenAiResponses => Source::Responses(responses::stream::Source::default()),
            Dialect::AnthropicMessages => Source::Messages(messages::stream::Source::default()),
            Dialect::Gemini => Source::Gemini(gemini::stream::Source::default()),
        };
        Self {
            splitter: Splitter::default(),
            source,
            sink: (from != ask.dialect()).then(|| Sink::new(ask)),
            client: ask.dialect(),
            hides_usage: from == Dialect::OpenAiChat && !ask.wants_stream_usage(),
            choices: ask.measures().choices,
            required: ask.measures().wants_json.then(|| ask.required_keys()),
            story: Story::default(),
        }
    }

    /// Takes the next bytes of the provider's stream and writes what the client gets.
    ///
    /// After an error the stream is not followed further; what was written before it stands. Call [`Self::fail`] to tell
    /// the client.
    pub fn push(&mut self, chunk: &[u8], out: &mut BytesMut) -> Result<(), WireError> {
        if let Some(failure) = &self.story.failure {
            return Err(failure.clone());
        }
        self.splitter.push(chunk);
        let outcome = self.drain(out);
        if let Err(failure) = &outcome {
            self.story.failure = Some(failure.clone());
        }
        outcome
    }

    fn drain(&mut self, out: &mut BytesMut) -> Result<(), WireError> {
        while let Some(raw) = self.splitter.next()? {
            self.event(&raw, out)?;
        }
        Ok(())
    }

    fn event(&mut self, raw: &[u8], out: &mut BytesMut) -> Result<(), WireError> {
        let event = sse::parse(raw)?;
        let (story, sink) = (&mut self.story, &mut self.sink);
        let seen = self.source.event(&event, &mut |delta| {
            story.note(&delta);
            match sink {
                Some(sink) => sink.write(delta, out),
                // Thoughts are passed on within a dialect alone.
                None => story.has_content |= matches!(delta, Delta::Thought(_)),
            }
        })?;
        story.is_over |= seen == Seen::End;
        if sink.is_none() {
            if !(seen == Seen::UsageOnly && self.hides_usage) {
                out.extend_from_slice(raw);
            }
            story.is_closed |= seen == Seen::End;
        } else if seen == Seen::End {
            self.close(out);
        }
        Ok(())
    }

    /// Takes note that the provider's stream has ended, and writes the closing events where the answer is whole.
    pub fn finish(&mut self, out: &mut BytesMut) -> StreamEnd {
        // The last event may lack its empty line; half an event says nothing.
        if self.story.failure.is_none()
            && let Some(raw) = self.splitter.rest()
            && let Err(failure) = self.last(&raw, out)
        {
            self.story.failure = Some(failure);
        }
        if !self.is_complete() {
            return StreamEnd::Cut;
        }
        self.close(out);
        StreamEnd::Complete
    }

    fn last(&mut self, raw: &[u8], out: &mut BytesMut) -> Result<(), WireError> {
        let before = out.len();
        self.event(raw, out)?;
        if self.sink.is_none() && out.len() > before {
            let end: &[u8] = if raw.ends_with(b"\n") { b"\n" } else { b"\n\n" };
            out.extend_from_slice(end);
        }
        Ok(())
    }

    /// Writes the closing events that are still missing.
    fn close(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.story.is_closed, true) {
            return;
        }
        match &mut self.sink {
            Some(sink) => sink.close(self.source.usage(), out),
            None => match self.client {
                Dialect::OpenAiChat => out.extend_from_slice(b"data: [DONE]\n\n"),
                Dialect::AnthropicMessages => {
                    out.extend_from_slice(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
                }
                _ => {}
            },
        }
    }

    /// Writes an error event, for a stream that broke after the client had its first bytes; the stream is over then.
    pub fn fail(&mut self, error: &ApiError, out: &mut BytesMut) {
        if std::mem::replace(&mut self.story.is_closed, true) {
            return;
        }
        let number = self.sink.as_ref().map_or(0, Sink::sequence);
        out.extend_from_slice(&error_event(self.client, error, number));
    }

    /// Says whether the client has been given content: text, a call, thoughts it can see, or the end of the answer.
    ///
    /// Until then what was written is preamble alone; it may be held back, and thrown away when another model is asked.
    pub fn has_content(&self) -> bool {
        self.story.has_content
    }

    /// Gives the usage that the provider has said so far. Of a stream that was cut the output is unknown, or as far as the
    /// provider's last running total went; [`Self::delivered`] serves for an estimate.
    pub fn usage(&self) -> Option<Counted> {
        self.source.usage()
    }

    /// Gives what was delivered so far, arguments of calls included; of a very long answer the first MiB.
    pub fn delivered(&self) -> &str {
        &self.story.delivered
    }

    /// Gives the bytes delivered so far, also beyond what [`Self::delivered`] keeps.
    pub fn delivered_bytes(&self) -> u64 {
        self.story.delivered_bytes
    }

    /// Says whether a whole answer is fit for use: not empty, and JSON where that was asked for. Calls of tools and answers
    /// longer than [`Self::delivered`] keeps are not looked into.
    pub fn check(&self) -> Check {
        if !self.is_complete() {
            return Check::None;
        }
        if self.story.delivered.trim().is_empty() {
            return Check::Failed;
        }
        let is_kept = self.story.delivered.len() as u64 == self.story.delivered_bytes;
        match &self.required {
            Some(required) if is_kept && self.story.calls == 0 && self.choices == 1 => {
                let is_cut = self.story.finish == Some(Finish::Length);
                if !is_cut && fits(&self.story.delivered, required) { Check::Passed } else { Check::Failed }
            }
            _ => Check::None,
        }
    }

    /// Gives the model that the provider says it used.
    pub fn model(&self) -> Option<&str> {
        self.story.model.as_deref()
    }

    /// Gives why the answer ended, once it has.
    pub fn finish_reason(&self) -> Option<Finish> {
        self.story.finish
    }

    /// Says whether the last event has come, so that nothing need be waited for though the connection stays open.
    pub fn is_over(&self) -> bool {
        self.story.failure.is_none() && self.story.is_over
    }

    /// Says whether the answer is whole: its last event, or the end of every choice, has come.
    pub fn is_complete(&self) -> bool {
        self.story.failure.is_none() && (self.story.is_over || self.story.finished >= self.choices.max(1))
    }
}
