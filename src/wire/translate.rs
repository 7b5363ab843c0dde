//! From one dialect to another: which reader and which writer meet.

use bytes::{Bytes, BytesMut};

use super::gemini::read_schema::Schemas;
use super::json::Value;
use super::order::Order;
use super::preface::Preface;
use super::prompt::Reader;
use super::reply::{Delta, Reply};
use super::{Ask, Dialect, Sending, WireError, chat, completions, effort, gemini, messages, responses};
use crate::record::usage::Counted;

/// Puts a request into the dialect of the provider that `reader` reads it for.
pub(super) fn request(
    root: Value<'_>,
    stream: bool,
    model: &str,
    sending: &Sending<'_>,
    reader: Reader<'_>,
) -> Result<Bytes, WireError> {
    let (from, to) = (reader.from, reader.to);
    let temperature = sending.with.temperature_text();
    let schemas = if from == Dialect::Gemini { Schemas::of(root) } else { Schemas::default() };
    let mut prompt = match from {
        Dialect::OpenAiChat => chat::read_request::read(root, reader)?,
        Dialect::OpenAiResponses => responses::read_request::read(root, reader)?,
        Dialect::AnthropicMessages => messages::read_request::read(root, reader)?,
        Dialect::Gemini => gemini::read_request::read(root, &schemas, reader)?,
        Dialect::OpenAiCompletions => completions::read_request::read(root, reader)?,
        Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => {
            return Err(WireError::Unsupported { from, to });
        }
    };
    prompt.stream = stream;
    if from == Dialect::OpenAiCompletions && !effort::may_think(model) {
        prompt.max_output = prompt.max_output.or(Some(completions::USUAL_LIMIT));
    }
    prompt.follow(sending.with, temperature.as_deref(), reader);
    prompt.obey(sending.known, reader);
    prompt.settle_prefill(sending.known, reader);
    let body = match to {
        Dialect::OpenAiChat => chat::write_request::write(&prompt, model, sending, reader)?,
        Dialect::AnthropicMessages => messages::write_request::write(&prompt, model, sending, reader)?,
        Dialect::Gemini => gemini::write_request::write(&prompt, model, sending, reader)?,
        Dialect::OpenAiResponses
        | Dialect::OpenAiEmbeddings
        | Dialect::GeminiEmbeddings
        | Dialect::OpenAiCompletions => {
            return Err(WireError::Unsupported { from, to });
        }
    };
    Ok(body.into())
}

/// Puts an answer into the client's dialect.
pub(super) fn answer(ask: &Ask, reply: &Reply<'_>) -> Bytes {
    let body = match ask.dialect() {
        Dialect::OpenAiResponses => responses::answer::write(ask, reply),
        Dialect::AnthropicMessages => messages::answer::write(ask, reply),
        Dialect::Gemini => gemini::write_answer::write(ask, reply),
        Dialect::OpenAiCompletions => completions::answer::write(ask, reply),
        Dialect::OpenAiChat | Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => {
            chat::answer::write(ask, reply)
        }
    };
    body.into()
}

/// Puts a stream into the client's dialect.
#[derive(Debug)]
pub(super) enum Sink {
    /// For a client that speaks chat.
    Chat(chat::sink::Sink),
    /// For a client that speaks responses.
    Responses(Box<responses::sink::Sink>),
    /// For a client that speaks messages.
    Messages(messages::sink::Sink),
    /// For a client that speaks Gemini's dialect.
    Gemini(gemini::sink::Sink),
    /// For a client that asks for completions.
    Completions(completions::sink::Sink),
}

impl Sink {
    /// Starts a stream that answers `ask`.
    pub(super) fn new(ask: &Ask) -> Self {
        match ask.dialect() {
            Dialect::OpenAiResponses => Self::Responses(Box::new(responses::sink::Sink::new(ask))),
            Dialect::AnthropicMessages => Self::Messages(messages::sink::Sink::new(ask)),
            Dialect::Gemini => Self::Gemini(gemini::sink::Sink::new(ask)),
            Dialect::OpenAiCompletions => Self::Completions(completions::sink::Sink::new(ask)),
            Dialect::OpenAiChat | Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => {
                Self::Chat(chat::sink::Sink::new(ask))
            }
        }
    }

    /// Turns to another of the answers, where the client's dialect has several.
    fn choose(&mut self, choice: usize) {
        match self {
            Self::Chat(sink) => sink.choose(choice),
            Self::Gemini(sink) => sink.choose(choice),
            Self::Completions(sink) => sink.choose(choice),
            Self::Responses(_) | Self::Messages(_) => {}
        }
    }

    /// Writes what is added.
    pub(super) fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        match self {
            Self::Chat(sink) => sink.write(delta, out),
            Self::Responses(sink) => sink.write(delta, out),
            Self::Messages(sink) => sink.write(delta, out),
            Self::Gemini(sink) => sink.write(delta, out),
            Self::Completions(sink) => sink.write(delta, out),
        }
    }

    /// Writes the closing events.
    pub(super) fn close(&mut self, usage: Option<Counted>, out: &mut BytesMut) {
        match self {
            Self::Chat(sink) => sink.close(usage, out),
            Self::Responses(sink) => sink.close(usage, out),
            Self::Messages(sink) => sink.close(usage, out),
            Self::Gemini(sink) => sink.close(usage, out),
            Self::Completions(sink) => sink.close(usage, out),
        }
    }

    /// Goes on with a message that has begun already.
    pub(super) fn go_on(&mut self, preface: &Preface) {
        match self {
            Self::Chat(sink) => sink.go_on(preface),
            Self::Responses(sink) => sink.go_on(preface),
            Self::Messages(sink) => sink.go_on(preface),
            Self::Gemini(_) | Self::Completions(_) => {}
        }
    }

    /// Gives the id that the message has.
    fn id(&self) -> &str {
        match self {
            Self::Chat(sink) => sink.id(),
            Self::Responses(sink) => sink.id(),
            Self::Messages(sink) => sink.id(),
            Self::Gemini(_) | Self::Completions(_) => "",
        }
    }

    /// Says whether the message has begun.
    fn has_begun(&self) -> bool {
        match self {
            Self::Chat(sink) => sink.has_begun(),
            Self::Responses(sink) => sink.has_begun(),
            Self::Messages(sink) => sink.has_begun(),
            Self::Gemini(_) | Self::Completions(_) => false,
        }
    }

    /// Gives the number of the next event, where events are numbered.
    pub(super) fn sequence(&self) -> u64 {
        match self {
            Self::Responses(sink) => sink.sequence(),
            Self::Chat(_) | Self::Messages(_) | Self::Gemini(_) | Self::Completions(_) => 0,
        }
    }
}

/// The most answers to one request.
const MOST: u32 = 128;

/// A stream on its way from one dialect to another.
#[derive(Debug)]
pub(super) struct Translation {
    /// One for each answer that was asked for.
    orders: Vec<Order>,
    /// Which answer is being told, and how many have begun.
    at: usize,
    begun: usize,
    /// Of which answer each call is, and its number there.
    calls: Vec<(usize, usize)>,
    sink: Sink,
    fault: Option<WireError>,
}

impl Translation {
    /// Starts a stream that answers `ask`.
    pub(super) fn new(ask: &Ask) -> Self {
        let choices =
            (0..ask.measures().choices.clamp(1, MOST) as usize).map(|choice| Order::new(ask, choice));
        Self {
            orders: choices.collect(),
            at: 0,
            begun: 1,
            calls: Vec::new(),
            sink: Sink::new(ask),
            fault: None,
        }
    }

    /// Writes what is added; what is of an answer that nobody asked for is passed over.
    pub(super) fn write(&mut self, delta: Delta<'_>, out: &mut BytesMut) {
        let Self { orders, at, begun, calls, sink, fault } = self;
        let delta = match delta {
            Delta::Choice(choice) => {
                *at = usize::try_from(choice).unwrap_or(usize::MAX);
                return;
            }
            Delta::CallStart { .. } => {
                calls.push((*at, calls.iter().filter(|(of, _)| of == at).count()));
                delta
            }
            Delta::CallArguments { call, text } => {
                let Some(&(of, call)) = calls.get(call) else { return };
                *at = of;
                Delta::CallArguments { call, text }
            }
            delta => delta,
        };
        if let Some(order) = orders.get_mut(*at).filter(|_| fault.is_none()) {
            *begun = (*begun).max(*at + 1);
            sink.choose(*at);
            *fault = order.take(delta, &mut |delta| sink.write(delta, out)).err();
        }
    }

    /// Counts the text that is kept.
    pub(super) fn held(&self) -> usize {
        let kept = match &self.sink {
            Sink::Responses(sink) => sink.held(),
            Sink::Gemini(sink) => sink.held(),
            Sink::Completions(sink) => sink.held(),
            Sink::Chat(_) | Sink::Messages(_) => 0,
        };
        kept.saturating_add(self.orders.iter().map(Order::held).sum())
    }

    /// Goes on with a message that has begun already.
    pub(super) fn go_on(&mut self, preface: &Preface) {
        self.sink.go_on(preface);
    }

    /// Gives what is told of a message that has begun.
    pub(super) fn preface(&self) -> Preface {
        Preface {
            id: self.sink.id().to_owned(),
            events: self.sink.sequence(),
            has_begun: self.sink.has_begun(),
            ..Preface::default()
        }
    }

    /// Says what kept the answer from being written, once.
    pub(super) fn fault(&mut self) -> Option<WireError> {
        self.fault.take()
    }

    /// Writes what was held back and the closing events.
    pub(super) fn close(&mut self, usage: Option<Counted>, out: &mut BytesMut) -> Result<(), WireError> {
        let Self { orders, begun, sink, .. } = self;
        for (choice, order) in orders.iter_mut().take(*begun).enumerate() {
            sink.choose(choice);
            order.end(&mut |delta| sink.write(delta, out))?;
        }
        sink.close(usage, out);
        Ok(())
    }

    /// Gives the number of the next event, where events are numbered.
    pub(super) fn sequence(&self) -> u64 {
        self.sink.sequence()
    }
}

/// Gives an id of the client's kind for an answer that a provider of another dialect called `id`.
pub(super) fn own_id(prefix: &str, id: &str, ask: &Ask) -> String {
    if id.is_empty() { format!("{prefix}{}", ask.received()) } else { as_own(prefix, id) }
}

/// Gives a provider's id the beginning that ids of the client's dialect have.
pub(super) fn as_own(prefix: &str, id: &str) -> String {
    if id.starts_with(prefix) { id.to_owned() } else { format!("{prefix}{id}") }
}
