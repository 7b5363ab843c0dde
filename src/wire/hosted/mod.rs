//! Requests and answers as clouds have them that host others' models: what stands around a body, how a stream is framed, and
//! Bedrock's Converse.
//!
//! Invariants: the rest of the program sees messages as Anthropic has them, whichever of these forms they travel in; of a
//! body only what a form names is touched.

mod betas;
mod converse;
mod conversed;
mod frames;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::error::Result;
use super::json::{self, check, put};
use super::sse;
use crate::wire::{Dialect, WireError};

pub use betas::betas_for_vertex;
pub use converse::is_answered_whole;
pub use conversed::conversed;

/// The form in which messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Form {
    /// As they are.
    #[default]
    Plain,
    /// As Vertex has them: the address names the model.
    Vertex,
    /// As Bedrock has them: the address names the model and says that it streams; streams are framed in binary.
    Bedrock,
    /// As Bedrock's Converse.
    Converse,
}

/// Puts a request for messages into the form in which it travels. `betas` are the client's, as its headers have them. Returns
/// besides what was left out.
pub fn framed(form: Form, body: Bytes, model: &str, betas: &[&str]) -> Result<(Bytes, Vec<String>)> {
    if form == Form::Plain {
        return Ok((body, Vec::new()));
    }
    let mut left_out = Vec::new();
    let mut flags: Vec<Cow<'_, str>> = Vec::new();
    let body = betas::with_format(body)?;
    let asked = body.clone();
    let asked = check(&asked)?;
    let own = asked.list("anthropic_beta").filter_map(super::json::Value::text);
    let own = own.filter(|_| form != Form::Vertex);
    let told = betas.iter().flat_map(|line| line.split(',')).map(|flag| Cow::Borrowed(flag.trim()));
    for flag in own.chain(told).filter(|flag| !flag.is_empty()) {
        let flag = if form != Form::Vertex && betas::is_searching(&flag, asked) {
            Cow::Borrowed(betas::TOOL_SEARCH)
        } else {
            flag
        };
        if !betas::knows(form == Form::Vertex, &flag) {
            left_out.push(format!("anthropic-beta: {flag}"));
        } else if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    let body = match form {
        Form::Converse if converse::is_marked(model) => betas::with_mark(body)?,
        Form::Converse => body,
        _ => betas::with_mark(betas::without_members(body, &flags, &mut left_out)?)?,
    };
    let root = check(&body)?;
    if form == Form::Converse {
        let sent = converse::request(root, model, &flags, &mut left_out)?;
        return Ok((sent.into(), left_out));
    }
    let is_vertex = form == Form::Vertex;
    let is_kept = |tool: &super::json::Value<'_>| !betas::is_anthropics(*tool, is_vertex);
    let all_kept = root.list("tools").all(|tool| is_kept(&tool));
    let has_tools = root.list("tools").any(|tool| is_kept(&tool));
    if !all_kept {
        let choice = root.get("tool_choice");
        let named = choice.and_then(|choice| choice.text_of("name"));
        let is_there = |name: &str| {
            root.list("tools").filter(is_kept).any(|tool| tool.text_of("name").as_deref() == Some(name))
        };
        let is_forced =
            choice.and_then(|choice| choice.text_of("type")).as_deref() == Some("any") && !has_tools;
        if is_forced || named.is_some_and(|name| !is_there(&name)) {
            return Err(WireError::Forced { to: Dialect::AnthropicMessages });
        }
        for tool in root.list("tools").filter(|tool| !is_kept(tool)) {
            left_out.push(format!("tools ({})", tool.text_of("type").unwrap_or_default()));
        }
    }
    let sent = json::body(body.len() + 64, |o| {
        let is_bedrock = form == Form::Bedrock;
        put!(o, "anthropic_version": if is_bedrock { "bedrock-2023-05-31" } else { "vertex-2023-10-16" });
        if is_bedrock && !flags.is_empty() {
            put!(o, "anthropic_beta": [for flag in &flags => flag]);
        }
        for (key, value) in root.members() {
            let is_elsewhere = matches!(&*key, "model" | "anthropic_version")
                || (is_bedrock && matches!(&*key, "stream" | "anthropic_beta"));
            if is_elsewhere || betas::is_unknown(&key, value) {
                continue;
            }
            match &*key {
                "tools" | "tool_choice" if !all_kept && !has_tools => {}
                "tools" if !all_kept => put!(o, "tools": [for tool in value.items().filter(is_kept) => tool]),
                key => o.put(key, value),
            }
        }
    });
    let is_said = |name: &&&str| root.get(name).is_some();
    left_out.extend(betas::UNKNOWN.iter().filter(is_said).map(|name| (*name).to_owned()));
    Ok((sent.into(), left_out))
}

/// Puts a request in Gemini's form as Vertex has it: the service tier, which stands in a header there, is taken out, and every turn
/// says whose it is ("Please use a valid role: user, model").
pub fn for_vertex(body: Bytes) -> (Bytes, Option<String>) {
    let Ok(root) = check(&body) else { return (body, None) };
    let is_tier = |key: &str| matches!(key, "serviceTier" | "service_tier");
    let lacks_role = |turn: json::Value<'_>| {
        matches!(turn.text_of("role").as_deref(), None | Some("" | "function" | "tool"))
    };
    let turns = || root.get("contents").into_iter().flat_map(json::Value::each);
    let tier = root.members().filter(|(key, _)| is_tier(key)).last().map(|(_, tier)| tier);
    if tier.is_none() && !turns().any(lacks_role) {
        return (body, None);
    }
    let tier = tier.and_then(json::Value::text).map(|tier| tier.to_ascii_lowercase());
    let sent = json::written(|o| {
        for (key, value) in root.members().filter(|(key, _)| !is_tier(key)) {
            if key != "contents" {
                o.put(&key, value);
                continue;
            }
            o.array("contents", |a| {
                for turn in turns() {
                    a.object(|o| {
                        put!(o, "role"?: lacks_role(turn).then_some("user"));
                        o.copy(turn, |key| key != "role" || !lacks_role(turn));
                    });
                }
            });
        }
    });
    (sent.into(), tier.filter(|tier| matches!(&**tier, "flex" | "priority")))
}

/// Reads a stream of Bedrock's frames as the events that Anthropic would have sent.
pub struct Unframed {
    frames: frames::Frames,
    converse: Option<conversed::Events>,
}

impl Unframed {
    /// Starts a stream of the model `model`, whose call the provider names `id`.
    pub fn new(form: Form, id: &str, model: &str) -> Self {
        let converse = (form == Form::Converse).then(|| conversed::Events::new(id, model));
        Self { frames: frames::Frames::default(), converse }
    }

    /// Takes a piece of the stream and returns the events that it completes.
    pub fn take(&mut self, piece: &[u8]) -> Result<Option<Bytes>> {
        self.frames.push(piece);
        let mut out = BytesMut::new();
        while let Some(frame) = self.frames.next()? {
            if let Some(kind) = frame.failed() {
                failed(&mut out, kind, &frame.payload);
            } else if let Some(converse) = &mut self.converse {
                converse.take(&frame.kind, &frame.payload, &mut out)?;
            } else {
                inner(&frame.payload, &mut out)?;
            }
        }
        Ok((!out.is_empty()).then(|| out.freeze()))
    }

    /// Returns what is left to say at the end of the stream.
    pub fn end(&mut self) -> Option<Bytes> {
        let mut out = BytesMut::new();
        self.converse.as_mut()?.end(&mut out);
        (!out.is_empty()).then(|| out.freeze())
    }
}

/// Writes the event that a frame of an invoked model holds.
fn inner(payload: &[u8], out: &mut BytesMut) -> Result<()> {
    use base64::Engine as _;
    let invalid = || WireError::Malformed("a frame of the stream holds no event".to_owned());
    let held = check(payload).ok().and_then(|root| root.text_of("bytes").map(Cow::into_owned));
    let event = held.and_then(|held| base64::engine::general_purpose::STANDARD.decode(held).ok());
    let event = event.ok_or_else(invalid)?;
    let root = check(&event).map_err(|_| invalid())?;
    sse::frame(out, &root.text_of("type").unwrap_or_default(), &event);
    Ok(())
}

/// Writes an exception in a stream as the error event that Anthropic would have sent.
fn failed(out: &mut BytesMut, kind: &str, payload: &[u8]) {
    let word = match kind {
        "throttlingException" => "rate_limit_error",
        "serviceUnavailableException" | "modelNotReadyException" => "overloaded_error",
        "validationException" => "invalid_request_error",
        "modelTimeoutException" => "timeout_error",
        _ => "api_error",
    };
    let root = check(payload).ok();
    let said = root.and_then(|root| root.text_of("message").or_else(|| root.text_of("Message")));
    let message = said.map_or_else(|| kind.to_owned(), |said| format!("{kind}: {said}"));
    sse::event(out, "error", |o| {
        put!(o, "type": "error", "error": { "type": word, "message": &message });
    });
}

#[cfg(test)]
mod tests;
