//! From one dialect to another: which reader and which writer meet.

use bytes::{Bytes, BytesMut};

use super::error::Result;
use super::gemini::read_schema::Schemas;
use super::order::Order;
use super::prompt::Reader;
use super::reply::{Delta, Reply, Source};
use super::sink::Sink;
use super::{Ask, Dialect, WireError, chat, completions, effort, gemini, messages, responses};
use crate::record::usage::Counted;

/// Puts a request into the dialect of the provider that `reader` reads it for.
pub(super) fn request(ask: &Ask, reader: Reader<'_>) -> Result<Bytes> {
    let Reader { from, to, .. } = reader;
    let root = ask.root();
    let temperature = reader.sending.with.temperature_text();
    let schemas = if from == Dialect::Gemini { Schemas::of(root) } else { Schemas::default() };
    let mut prompt = match from {
        Dialect::OpenAiChat => chat::read_request::read(root, reader)?,
        Dialect::OpenAiResponses => responses::read_request::read(root, reader)?,
        Dialect::AnthropicMessages => messages::read_request::read(root, reader)?,
        Dialect::Gemini => gemini::read_request::read(root, &schemas, reader)?,
        Dialect::OpenAiCompletions => completions::read_request::read(root, reader)?,
        _ => return Err(WireError::Unsupported { from, to }),
    };
    prompt.stream = ask.stream();
    if from == Dialect::OpenAiCompletions && !effort::may_think(reader.model) {
        prompt.max_output = prompt.max_output.or(Some(completions::USUAL_LIMIT));
    }
    prompt.follow(temperature.as_deref(), reader);
    prompt.obey(reader);
    if to == Dialect::OpenAiChat && reader.model.contains("kimi") {
        prompt.count_calls();
    }
    prompt.settle_pictures(reader);
    prompt.settle_prefill(reader);
    let body = match to {
        Dialect::OpenAiChat => chat::write_request::write(&prompt, reader)?,
        Dialect::AnthropicMessages => messages::write_request::write(&prompt, reader)?,
        Dialect::Gemini => gemini::write_request::write(&prompt, reader)?,
        _ => return Err(WireError::Unsupported { from, to }),
    };
    Ok(body.into())
}

/// Starts reading the answer of a provider.
pub(super) fn source(from: Dialect) -> Box<dyn Source> {
    match from {
        Dialect::OpenAiChat
        | Dialect::OpenAiEmbeddings
        | Dialect::GeminiEmbeddings
        | Dialect::OpenAiCompletions => Box::<chat::source::Chunks>::default(),
        Dialect::OpenAiResponses => Box::<responses::source::Events>::default(),
        Dialect::AnthropicMessages => Box::<messages::source::Events>::default(),
        Dialect::Gemini => Box::<gemini::source::Chunks>::default(),
    }
}

/// Starts a stream that answers `ask`.
fn sink(ask: &Ask) -> Box<dyn Sink> {
    match ask.dialect() {
        Dialect::OpenAiResponses => Box::new(responses::sink::Events::new(ask)),
        Dialect::AnthropicMessages => Box::new(messages::sink::Events::new(ask)),
        Dialect::Gemini => Box::new(gemini::sink::Chunks::new(ask)),
        Dialect::OpenAiCompletions => Box::new(completions::sink::Texts::new(ask)),
        Dialect::OpenAiChat | Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => {
            Box::new(chat::sink::Deltas::new(ask))
        }
    }
}

/// Writes a whole answer.
pub(super) fn whole(ask: &Ask, reply: &Reply) -> Bytes {
    let write = match ask.dialect() {
        Dialect::OpenAiResponses => responses::sink::whole,
        Dialect::AnthropicMessages => messages::sink::whole,
        Dialect::Gemini => gemini::sink::whole,
        Dialect::OpenAiCompletions => completions::sink::whole,
        Dialect::OpenAiChat | Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => chat::sink::whole,
    };
    write(ask, reply).into()
}

/// The most answers to one request.
const MOST: u32 = 128;

/// A stream on its way from one dialect to another.
pub(super) struct Translation {
    /// One for each answer that was asked for.
    orders: Vec<Order>,
    /// Which answer is being told, and how many have begun.
    at: usize,
    begun: usize,
    /// Of which answer each call is, and its number there.
    calls: Vec<(usize, usize)>,
    pub(super) sink: Box<dyn Sink>,
    /// What kept the answer from being written.
    pub(super) fault: Option<WireError>,
}

impl Translation {
    /// Starts a stream that answers `ask`.
    pub(super) fn new(ask: &Ask) -> Self {
        let choices =
            (0..ask.measures().choices.clamp(1, MOST) as usize).map(|choice| Order::new(ask, choice));
        Self { orders: choices.collect(), at: 0, begun: 1, calls: Vec::new(), sink: sink(ask), fault: None }
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
        self.sink.held().saturating_add(self.orders.iter().map(|order| order.held).sum())
    }

    /// Says whether a citation found no place.
    pub(super) fn has_lost(&self) -> bool {
        self.orders.iter().any(|order| order.lost)
    }

    /// Writes what was held back and the closing events.
    pub(super) fn close(&mut self, usage: Option<Counted>, out: &mut BytesMut) -> Result<()> {
        let Self { orders, begun, sink, .. } = self;
        for (choice, order) in orders.iter_mut().take(*begun).enumerate() {
            sink.choose(choice);
            order.end(&mut |delta| sink.write(delta, out))?;
        }
        sink.close(usage, out);
        Ok(())
    }
}
