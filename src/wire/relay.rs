//! Relays a provider's stream to the client's dialect, however the bytes are cut.
//!
//! Invariants: what comes out depends on the stream, never on where it was cut; for a client of the same dialect events
//! are passed on as their raw bytes, but for what the client did not ask for or cannot read (`answer::own_form`); an event that cannot be
//! read, or that reports an error, is not passed on, but for a response's own that it failed, which ends its stream; usage
//! is the last running total that was said, never a sum.

use bytes::BytesMut;

use super::calls::unfit_call;
use super::error::Result;
use super::fence::Fences;
use super::finish::{ended_empty, unended};
use super::halves::Halves;
use super::json::{BYTE_ORDER_MARK, Value, check};
use super::plain::{Form, is_event};
use super::preface::{self, Preface};
use super::replay;
use super::reply::{Choice, Delta, LeftOut, Seen, Source};
use super::sse::{self, Event, Splitter};
use super::story::Story;
use super::translate::{Translation, source};
use super::{ApiError, Ask, Dialect, Finish, WireError, answer, faults};
use crate::checks::Said;
use crate::record::usage::Counted;
use crate::routing::Check;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// The answer was whole.
    Complete,
    /// The stream broke off before the answer was whole.
    Truncated,
}

/// Relays one stream.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the stream by itself")]
pub struct Relay {
    from: Dialect,
    ask: Ask,
    form: Form,
    splitter: Splitter,
    source: Box<dyn Source>,
    halves: Halves,
    /// Puts the answer into the client's dialect; none where that is the provider's.
    translation: Option<Translation>,
    /// The fences around JSON that was asked for in words.
    fences: Fences,
    hides_usage: bool,
    hides_logprobs: bool,
    story: Story,
    /// What an answer used that did not come as a stream.
    usage: Option<Counted>,
    /// What has been told of how the message begins; of responses that are passed on, how many events were.
    preface: Preface,
    /// Whether the client was told that by an earlier try.
    goes_on: bool,
    /// The bytes written that may go out before there is content, unless something else came first.
    early: usize,
    is_early: bool,
    /// What was left out, as the client's dialect has no place for it.
    left_out: LeftOut,
    /// Why an answer that ended is not fit to be given: its end is kept from the client.
    unfit: Option<WireError>,
    /// The event by which such a stream said that it failed.
    failed: Option<String>,
    /// Whether the event that said so told the usage too.
    is_accounted: bool,
}

/// Returns what tells a client that a stream is alive: an event where its dialect has one for that, else a comment, which
/// readers of events pass over; Google's own package does not, but it does pass over empty lines.
pub const fn ping(to: Dialect) -> &'static [u8] {
    match to {
        Dialect::AnthropicMessages => b"event: ping\ndata: {\"type\": \"ping\"}\n\n",
        Dialect::Gemini => b"\n\n",
        _ => b": ping\n\n",
    }
}

/// Writes an error as an event; `number` counts the events of a stream of responses.
pub fn error_event(to: Dialect, error: &ApiError, number: u64) -> BytesMut {
    let mut out = BytesMut::with_capacity(256 + error.message.len() * 2);
    let is_named = matches!(to, Dialect::AnthropicMessages | Dialect::OpenAiResponses);
    let name = if is_named { "error" } else { "" };
    sse::event(&mut out, name, |o| faults::write_event(o, to, error, number));
    out
}

impl Relay {
    /// Starts relaying an answer to `ask` from a provider that speaks `from`.
    pub fn new(from: Dialect, ask: &Ask) -> Self {
        Self {
            from,
            ask: ask.clone(),
            form: Form::Unknown,
            splitter: Splitter::default(),
            source: source(from),
            halves: Halves::default(),
            translation: ask.is_translated(from).then(|| Translation::new(ask)),
            fences: Fences::new(ask.is_translated(from) && ask.measures().wants_json),
            hides_usage: !ask.wants_stream_usage(),
            hides_logprobs: false,
            story: Story::new(ask),
            usage: None,
            preface: Preface::default(),
            goes_on: false,
            early: 0,
            is_early: preface::has_beginning(ask.dialect()),
            left_out: LeftOut::default(),
            unfit: None,
            failed: None,
            is_accounted: false,
        }
    }

    /// Goes on with a message that an earlier try has begun: it is not begun again, and keeps its id.
    pub fn go_on(&mut self, preface: Preface) {
        if !preface.has_begun {
            return;
        }
        if let Some(translation) = &mut self.translation {
            translation.sink.go_on(&preface);
        }
        self.preface = preface;
        self.goes_on = true;
        self.is_early = false;
    }

    /// Returns what a client knows of the message that has had what was written so far.
    pub fn preface(&self) -> Preface {
        let told = self.translation.as_ref().map(|translation| translation.sink.preface());
        told.unwrap_or_else(|| self.preface.clone())
    }

    /// Returns how many bytes at the front of what was written since it was last asked only begin the message: a client may
    /// have them at once. Where another try is made after all, [`Self::go_on`] tells it what they said.
    pub fn take_early(&mut self) -> usize {
        std::mem::take(&mut self.early)
    }

    /// Takes the next bytes of the provider's stream and writes what the client gets.
    ///
    /// After an error the stream is not followed further; what was written before it stands. Call [`Self::fail`] to tell
    /// the client.
    pub fn push(&mut self, chunk: &[u8], out: &mut BytesMut) -> Result<()> {
        if let Some(failure) = &self.story.failure {
            return Err(failure.clone());
        }
        if self.story.is_over {
            return Ok(());
        }
        let outcome = self.read(chunk, out);
        if let Err(failure) = &outcome {
            self.story.failure = Some(failure.clone());
        }
        outcome
    }

    /// Counts the bytes that are kept of the stream.
    pub fn held(&self) -> usize {
        let waiting = match &self.form {
            Form::Plain(plain) => plain.held(),
            Form::Unknown | Form::Events => self.splitter.held(),
        };
        let translated = self.translation.as_ref().map_or(0, Translation::held);
        let held = self.story.held().saturating_add(self.fences.held());
        waiting.saturating_add(held).saturating_add(translated)
    }

    fn read(&mut self, chunk: &[u8], out: &mut BytesMut) -> Result<()> {
        if let Form::Unknown = self.form {
            self.form = Form::of(chunk);
        }
        match &mut self.form {
            Form::Unknown => self.splitter.push(chunk),
            Form::Events => {
                self.splitter.push(chunk);
                // What follows the last word is no part of the stream.
                while !self.story.is_over
                    && let Some(raw) = self.splitter.next()?
                {
                    self.event(&raw, out)?;
                }
            }
            Form::Plain(plain) => {
                plain.push(chunk)?;
                while !self.story.is_over
                    && let Form::Plain(plain) = &mut self.form
                    && let Some(line) = plain.line()
                {
                    self.plain(&line, out)?;
                }
            }
        }
        Ok(())
    }

    fn event(&mut self, raw: &[u8], out: &mut BytesMut) -> Result<()> {
        let raw = answer::readable(raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(raw));
        let raw = raw.as_bytes();
        let event = sse::parse(raw)?;
        if event.data.is_empty() && raw.trim_ascii_start().first() == Some(&b'{') {
            return self.plain(raw, out);
        }
        let before = out.len();
        let seen = self.tell(&event, out)?;
        if self.story.is_unfit && self.translation.is_none() {
            // What follows tells the usage at most.
            self.unfit.get_or_insert_with(unfit_call);
            self.is_early = false;
            return Ok(());
        }
        let is_counted = self.translation.is_none() && self.from == Dialect::AnthropicMessages;
        let used = if is_counted { (self.usage(), self.written_bytes()) } else { (None, 0) };
        let (left_out, hides) = (&mut self.left_out, self.hides_logprobs);
        let hidden = answer::own_form(self.from, &self.ask, hides, &event.data, used, left_out);
        let numbered = self.source.numbered(hidden.as_deref().unwrap_or(&event.data));
        let hidden = numbered.filter(|_| self.translation.is_none()).or(hidden);
        let framed = hidden.as_ref().map(|data| {
            let mut framed = BytesMut::with_capacity(data.len() + 16);
            sse::frame(&mut framed, event.name, data.as_bytes());
            framed
        });
        let (raw, event) = match (&framed, hidden) {
            (Some(framed), Some(data)) => (&framed[..], Event { name: event.name, data: data.into() }),
            _ => (raw, event),
        };
        if self.translation.is_none() && !(seen == Seen::UsageOnly && self.hides_usage) {
            if self.goes_on && !event.data.is_empty() {
                preface::go_on(self.from, &mut self.preface, &event, out);
            } else {
                out.extend_from_slice(raw);
                self.passed(&event.data);
            }
            self.story.is_closed |= seen == Seen::End;
        }
        if self.is_early {
            self.note_early(&event.data, out.len() - before);
        }
        Ok(())
    }

    /// Takes note of whether what an event gave the client only begins the message.
    fn note_early(&mut self, data: &str, written: usize) {
        let Story { has_content, finish, is_over, .. } = self.story;
        let is_early = !has_content && finish.is_none() && !is_over;
        // A translation writes nothing else before there is content.
        self.is_early =
            is_early && (self.translation.is_some() || written == 0 || preface::is_early(self.from, data));
        if self.is_early {
            self.early += written;
            if self.translation.is_none() {
                self.preface.note(self.from, data);
            }
        }
    }

    /// Reads an event and tells what it adds; to a client of the same dialect that is the caller's to do.
    fn tell(&mut self, event: &Event<'_>, out: &mut BytesMut) -> Result<Seen> {
        let (story, translation, left_out) = (&mut self.story, &mut self.translation, &mut self.left_out);
        let hides_logprobs = self.hides_logprobs;
        let is_hidden = |delta: &Delta<'_>| hides_logprobs && matches!(delta, Delta::Logprobs(_));
        let (ask, to) = (&self.ask, self.ask.dialect());
        let mut write = |delta: Delta<'_>| {
            if translation.is_some() && left_out.takes(&delta, to) {
                return;
            }
            let mut own = None;
            let delta = match delta {
                Delta::CallStart { call, id, name } if translation.is_some() => {
                    let name = ask.own_name(name).map_or(name, |known| own.insert(known));
                    Delta::CallStart { call, id, name }
                }
                delta => delta,
            };
            story.note(&delta);
            if let Some(translation) = translation.as_mut().filter(|_| !is_hidden(&delta)) {
                translation.write(delta, out);
            }
        };
        let fences = &mut self.fences;
        let mut tell = |delta: Delta<'_>| fences.take(delta, &mut write);
        let data = self.halves.join(&event.data);
        let seen = match data.trim() {
            "" => Ok(Seen::Some),
            "[DONE]" => self.source.done(),
            _ => sse::json(&data).and_then(|root| self.source.event(root, &mut tell)),
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(fault) => {
                self.broke(&event.data);
                return Err(fault);
            }
        };
        if let Some(fault) = translation.as_mut().and_then(|translation| translation.fault.take()) {
            return Err(fault);
        }
        if seen == Seen::End {
            if !story.has_ended() {
                let is_nothing = !story.has_answer && self.left_out.0.is_empty();
                return Err(if is_nothing { ended_empty() } else { unended(self.from) });
            }
            story.is_over = true;
            if self.translation.is_some() {
                self.close(out)?;
            }
        }
        Ok(seen)
    }

    /// Reads JSON that came without the frame of an event: an event, a whole answer, or an error.
    fn plain(&mut self, text: &[u8], out: &mut BytesMut) -> Result<()> {
        let text = answer::readable(text.trim_ascii());
        let text = text.as_bytes();
        if text == b"[DONE]" {
            self.tell(&Event { name: "", data: "[DONE]".into() }, out)?;
            return self.close(out);
        }
        let unreadable = |_| faults::unreadable(text, "it is neither a stream of events nor JSON");
        let root = check(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)).map_err(unreadable)?;
        if root.is_array() {
            return root
                .items()
                .try_for_each(|item| if self.story.is_over { Ok(()) } else { self.value(item, out) });
        }
        self.value(root, out)
    }

    fn value(&mut self, root: Value<'_>, out: &mut BytesMut) -> Result<()> {
        if !is_event(self.from, root) {
            return self.whole(root, out);
        }
        // From here on it is an event as any other, in the frame that it came without.
        self.is_early = false;
        let mut framed = BytesMut::with_capacity(root.raw().len() + 64);
        sse::frame(&mut framed, &root.text_of("type").unwrap_or_default(), root.raw().as_bytes());
        self.event(&framed, out)
    }

    /// Takes note of the number of an event that was passed on.
    fn passed(&mut self, data: &str) {
        if self.from == Dialect::OpenAiResponses
            && let Some(number) = Value::of(data).get("sequence_number").and_then(Value::number)
        {
            self.preface.events = number.saturating_add(1);
        }
    }

    /// Takes note of an event that broke the stream, where it is how a response says that it failed.
    fn broke(&mut self, data: &str) {
        if self.from != Dialect::OpenAiResponses {
            return;
        }
        let Ok(root) = check(data.as_bytes()) else { return };
        let response = root.get("response").filter(|response| response.is_object());
        let Some(response) = response else { return };
        self.is_accounted = response.get("usage").is_some_and(Value::is_object);
        if self.translation.is_none() && root.text_of("type").as_deref() == Some("response.failed") {
            self.failed = Some(data.to_owned());
        }
    }

    /// Tells a whole answer as a stream; to a client of the provider's dialect with everything in it as it came.
    fn whole(&mut self, root: Value<'_>, out: &mut BytesMut) -> Result<()> {
        let ask = &self.ask;
        let (mut reply, fault) = answer::read(self.from, ask, root)?;
        self.usage = reply.usage;
        let used = (reply.usage, reply.choices.iter().map(Choice::bytes).sum());
        self.left_out = std::mem::take(&mut reply.left_out);
        match fault {
            Some(fault) if fault.is_models() => self.unfit = Some(fault),
            Some(fault) => return Err(fault),
            None => {}
        }
        let (story, translation) = (&mut self.story, &mut self.translation);
        let hides_logprobs = self.hides_logprobs;
        let is_hidden = |delta: &Delta<'_>| hides_logprobs && matches!(delta, Delta::Logprobs(_));
        let hidden = answer::own_form(self.from, ask, hides_logprobs, root.raw(), used, &mut self.left_out);
        let root = hidden.as_deref().map_or(root, Value::of);
        let mut tell = |delta: Delta<'_>| {
            story.note(&delta);
            if let Some(translation) = translation.as_mut().filter(|_| !is_hidden(&delta)) {
                translation.write(delta, out);
            }
        };
        reply.tell(&mut tell);
        story.is_over = true;
        if self.unfit.is_none() && self.translation.is_none() {
            if self.goes_on {
                let mut whole = BytesMut::new();
                replay::write(ask, root, &reply, &mut whole);
                preface::all_go_on(self.from, &mut self.preface, &whole, out)?;
            } else {
                replay::write(ask, root, &reply, out);
            }
            self.story.is_closed = true;
        }
        self.close(out)
    }

    /// Takes note that the provider's stream has ended, and writes the closing events where the answer is whole.
    ///
    /// Of a stream that was cut [`Self::failure`] may say why.
    pub fn finish(&mut self, out: &mut BytesMut) -> StreamEnd {
        if self.story.failure.is_none() {
            let ended =
                self.last(out).and_then(|()| if self.is_complete() { self.close(out) } else { Ok(()) });
            self.story.failure = ended.err();
        }
        if self.is_complete() { StreamEnd::Complete } else { StreamEnd::Truncated }
    }

    /// Reads what is left: the last event may lack its empty line; half an event says nothing.
    fn last(&mut self, out: &mut BytesMut) -> Result<()> {
        if self.story.is_over {
            return Ok(());
        }
        if let Form::Plain(plain) = &mut self.form {
            return plain.rest().map_or(Ok(()), |rest| self.plain(&rest, out));
        }
        let Some(raw) = self.splitter.rest() else { return Ok(()) };
        let before = out.len();
        self.event(&raw, out)?;
        if self.translation.is_none() && out.len() > before {
            let end: &[u8] = if raw.ends_with(b"\n") { b"\n" } else { b"\n\n" };
            out.extend_from_slice(end);
        }
        Ok(())
    }

    /// Writes the closing events that are still missing.
    fn close(&mut self, out: &mut BytesMut) -> Result<()> {
        if self.unfit.is_none() && !self.story.has_answer && self.story.finish != Some(Finish::Filtered) {
            self.unfit = self.left_out.all(self.ask.dialect());
        }
        if self.unfit.is_some() || std::mem::replace(&mut self.story.is_closed, true) {
            return Ok(());
        }
        let usage = self.usage();
        let closed = if let Some(translation) = &mut self.translation {
            let closed = translation.close(usage, out);
            if translation.has_lost() {
                self.left_out.note("citations");
            }
            closed
        } else {
            out.extend_from_slice(match self.ask.dialect() {
                Dialect::OpenAiChat | Dialect::OpenAiCompletions => b"data: [DONE]\n\n",
                Dialect::AnthropicMessages => {
                    b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n".as_slice()
                }
                _ => b"",
            });
            Ok(())
        };
        // The client is still to be told.
        self.story.is_closed = closed.is_ok();
        match closed {
            Err(fault @ WireError::Unfit(_)) => self.unfit = Some(fault),
            closed => closed?,
        }
        Ok(())
    }

    /// Writes an error event, for a stream that broke after the client had its first bytes; the stream is over then. A client
    /// of responses is given the provider's own event that its response failed, with the message that `error` has.
    pub fn fail(&mut self, error: &ApiError, out: &mut BytesMut) {
        if std::mem::replace(&mut self.story.is_closed, true) {
            return;
        }
        if let Some(data) = self.failed.take() {
            if !self.goes_on {
                return replay::failed(&data, &error.message, out);
            }
            let mut event = BytesMut::new();
            replay::failed(&data, &error.message, &mut event);
            // What was written here can be read.
            let _ = preface::all_go_on(self.from, &mut self.preface, &event, out);
            return;
        }
        out.extend_from_slice(&error_event(self.ask.dialect(), error, self.preface().events));
    }

    /// Says whether the client has been shown something of the answer: text, a call, thoughts. Until then what was written may be held
    /// back, and thrown away when another model is asked; an answer may also end without any, and is not fit for use then.
    pub fn has_content(&self) -> bool {
        self.story.has_content
    }

    /// Says whether there was an answer: text that is not blank, a refusal, a call. Thoughts alone are none.
    pub fn has_answer(&self) -> bool {
        self.story.has_answer
    }

    /// Returns the usage that the provider has said so far; of a stream that was cut, as far as its last running total went.
    pub fn usage(&self) -> Option<Counted> {
        self.usage.or_else(|| Some(self.source.usage()?.believed(self.written_bytes())))
    }

    /// Says whether the event that broke the stream told the usage, which nothing revises then.
    pub fn is_accounted(&self) -> bool {
        self.is_accounted
    }

    /// Returns what was delivered, arguments of calls included; of very much the first MiB.
    pub fn delivered(&self) -> &str {
        &self.story.delivered
    }

    /// Returns the bytes of the thoughts that were shown so far.
    pub fn thought_bytes(&self) -> u64 {
        self.story.thought_bytes
    }

    /// Returns the bytes that the model has written so far: what was delivered, and its thoughts.
    pub fn written_bytes(&self) -> u64 {
        self.story.written_bytes()
    }

    /// Says whether a whole answer is fit for use: not empty, calls with arguments that can be read, and JSON where that was
    /// asked for; JSON of more than a MiB is not looked into.
    pub fn check(&self) -> Check {
        let is_unfit = self.unfit.is_some();
        if is_unfit { Check::Failed } else { self.story.check(&self.ask.required_keys()) }
    }

    /// Keeps the answer for checks from now on; `wants_json` says that one that is no JSON fails them. What they look at and the
    /// client did not ask for, how likely words were, it does not get.
    pub fn keep_said(&mut self, wants_json: bool) {
        self.hides_logprobs = !self.ask.wants_logprobs();
        self.story.keep(wants_json);
    }

    /// Keeps the calls of the answer from now on, and no text.
    pub fn keep_calls(&mut self) {
        self.story.keep_calls();
    }

    /// Returns the answers so far as checks see them, where they are kept.
    pub fn said(&self) -> Vec<Said> {
        self.story.said()
    }

    /// Says whether an answer that has to be JSON cannot become any more, whatever follows. Where tools are offered, words may
    /// stand before a call.
    pub fn is_doomed(&self) -> bool {
        self.story.is_no_json && self.ask.measures().tools == 0
    }

    /// Returns the model that the provider says it used.
    pub fn model(&self) -> Option<&str> {
        self.story.model.as_deref()
    }

    /// Returns why the answer ended, once it has.
    pub fn finish_reason(&self) -> Option<Finish> {
        self.story.finish
    }

    /// Says whether the answer is whole: its last event, or the end of every choice, has come.
    pub fn is_complete(&self) -> bool {
        self.story.is_complete()
    }

    /// Says whether the provider has said its last word (`[DONE]`, `message_stop`, `response.completed`, or a whole answer in
    /// place of a stream): nothing that follows counts, and the connection need not be read further.
    ///
    /// Gemini has no such word, and a chat server may leave it out: what is complete is over there when usage has come,
    /// which may stand in the same event or in one behind it.
    pub fn is_over(&self) -> bool {
        self.story.failure.is_none() && self.story.is_over
    }

    /// Returns why an answer that ended, and was read to its end, is not fit to be given. The client has had nothing of its
    /// end: where it had what came before, [`Self::fail`] tells it.
    pub fn unfit(&self) -> Option<&WireError> {
        self.unfit.as_ref()
    }

    /// Returns the names of what was left out, as the client's dialect has no place for it.
    pub fn left_out(&self) -> &[String] {
        &self.left_out.0
    }

    /// Returns why the stream could not be followed further.
    pub fn failure(&self) -> Option<&WireError> {
        self.story.failure.as_ref()
    }
}
