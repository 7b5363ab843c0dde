//! A client's request, read as far as routing needs it.
//!
//! Invariants: the body is kept byte for byte; for a provider of the same dialect only the documented splices touch it
//! (`splice`); for another it is translated, and the table (`table`) says what becomes of each member.

mod called;
mod clearing;
mod edits;
mod gemini;
mod ids;
mod looped;
mod measures;
mod older;
mod parameters;
mod prefill;
mod prefix;
mod refused;
mod request;
mod returned;
mod scan;
mod splice;
mod system;
mod weigh;

use std::sync::Arc;

use bytes::Bytes;

use super::json::{Value, check, quoted};
use super::reader::{Notes, Reader};
use super::sending::{Accent, Sending, Sent};
use super::{Dialect, WireError, chat, embeddings, translate};
use crate::pricing::costs_more;
use crate::wire::error::Result;

pub use called::hash_calls;
pub use measures::AskMeasures;
pub use prefix::{PrefixKey, prefix_ends};
pub use request::Ask;

impl Ask {
    /// Reads a client's request.
    pub fn read(dialect: Dialect, body: Bytes) -> Result<Self> {
        Self::read_for(dialect, body, None)
    }

    /// Reads a client's request whose path names a model, as Gemini's do and Azure's; where the body of Azure's names none,
    /// it is that one.
    pub fn read_for(dialect: Dialect, body: Bytes, named: Option<&str>) -> Result<Self> {
        let root = check(&body)?;
        let has_no_model = || root.is_object() && !root.members().any(|(key, _)| key == "model");
        let scan = match (dialect, named) {
            (Dialect::Gemini, _) => gemini::scan(&body, root, named.unwrap_or_default())?,
            (Dialect::GeminiEmbeddings, _) => {
                gemini::scan_embeddings(&body, root, named.unwrap_or_default())?
            }
            (_, Some(name)) if has_no_model() => return Self::read(dialect, with_model(root, name)),
            _ => scan::scan(dialect, &body, root)?,
        };
        Ok(Self { dialect, body, scan, id: Arc::default(), received: 0, is_put_back: false })
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

    /// Returns the body to send to a provider that speaks `to`, for its model `model`, and what was left out of it.
    pub fn body_for(&self, to: Dialect, model: &str, sending: &Sending<'_>) -> Result<Sent> {
        let notes = Notes::default();
        let known_as = sending.known.name.as_deref().unwrap_or(model);
        let reader =
            Reader { from: self.dialect, to, model: known_as, upstream: model, sending, notes: &notes };
        let rewritten = if to == self.dialect && !sending.with.is_none() {
            parameters::written(self, reader)
        } else {
            None
        };
        let body = match rewritten {
            Some(body) => {
                let ask = Self::read_for(self.dialect, body, Some(&self.scan.model))?;
                let ask = if self.scan.stream { ask.streamed() } else { ask };
                ask.written(reader)?
            }
            None => self.written(reader)?,
        };
        let body = match (self.dialect, to) {
            (Dialect::AnthropicMessages, Dialect::AnthropicMessages) => clearing::settle(self, body, reader),
            _ => body,
        };
        self.tell_limit(reader);
        self.tell_tier(reader);
        let is_generation = !matches!(self.dialect, Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings);
        let is_tier_written = is_generation && !notes.lacks_tier.get();
        let tier = sending.with.service_tier.as_ref().filter(|_| is_tier_written).cloned();
        Ok(Sent { body, left_out: notes.names.into_inner(), tier })
    }

    /// Tells of a limit of output that is lower than the client's.
    fn tell_limit(&self, reader: Reader<'_>) {
        let most = reader.sending.with.max_output.map(u64::from);
        let is_lowered = |most: &u64| self.scan.measures.max_output.is_some_and(|asked| asked > *most);
        if let (Some(most), Some((name, _))) = (most.filter(is_lowered), self.scan.limits.first()) {
            reader.leave_out(&format!("{name} (above {most})"));
        }
    }

    /// Tells of a tier that costs more than the ordinary one, which is asked for in its place.
    fn tell_tier(&self, reader: Reader<'_>) {
        if reader.sending.with.service_tier.as_deref() == Some("standard") {
            let dearer = self.tier_members().filter(|(_, tier)| costs_more(tier));
            dearer.for_each(|(name, _)| reader.leave_out(name));
        }
    }

    /// Writes the body that it goes as.
    fn written(&self, reader: Reader<'_>) -> Result<Bytes> {
        let (to, accent) = (reader.to, reader.sending.accent);
        Ok(if self.dialect == Dialect::GeminiEmbeddings {
            embeddings::write(self.root(), reader)?
        } else if self.is_older_than(accent, to) {
            translate::request(self, reader)?
        } else if to == self.dialect && to == Dialect::OpenAiChat && accent == Accent::Mistral {
            chat::mistral::write(self, reader)?.into()
        } else if to == self.dialect {
            splice::splice(self, reader)
        } else if self.dialect.reaches(to) {
            translate::request(self, reader)?
        } else {
            return Err(WireError::Unsupported { from: self.dialect, to });
        })
    }
}

/// Returns a body that names a model in its first member.
fn with_model(root: Value<'_>, name: &str) -> Bytes {
    let comma = if root.members().next().is_some() { "," } else { "" };
    let rest = root.raw().get(1..).unwrap_or_default();
    format!(r#"{{"model":{}{comma}{rest}"#, quoted(name)).into()
}
