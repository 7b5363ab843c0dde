//! A request as every dialect has it, on its way from one to another. Requests that stay in their dialect never take
//! this form.
//!
//! Invariant: reading a request into this form accounts for every member: it is carried, it stands on the reader's
//! `LEFT_OUT` list (hints, bookkeeping, storage: what does not change the answer's meaning), or it is refused.

use std::borrow::Cow;

use super::effort::Effort;
use super::json::Value;
use super::reply::Call;
use super::{Accent, Dialect, WireError};

/// A request.
#[derive(Debug, Default)]
pub(super) struct Prompt<'a> {
    pub(super) system: Vec<Text<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) choice: Option<ToolChoice<'a>>,
    /// Whether the model may call several tools at once.
    pub(super) parallel: Option<bool>,
    pub(super) max_output: Option<u64>,
    pub(super) temperature: Option<Value<'a>>,
    pub(super) top_p: Option<Value<'a>>,
    pub(super) top_k: Option<Value<'a>>,
    pub(super) stop: Vec<Cow<'a, str>>,
    pub(super) seed: Option<Value<'a>>,
    pub(super) presence_penalty: Option<Value<'a>>,
    pub(super) frequency_penalty: Option<Value<'a>>,
    pub(super) format: Format<'a>,
    pub(super) effort: Option<Effort>,
    pub(super) user: Option<Cow<'a, str>>,
    pub(super) stream: bool,
}

/// A text, and the mark up to which Anthropic is to cache.
#[derive(Clone, Debug, Default)]
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) cache: Option<Value<'a>>,
}

/// What one side says.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) is_user: bool,
    pub(super) parts: Vec<Piece<'a>>,
}

/// A piece of a turn.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    Text(Text<'a>),
    Image { data: Data<'a>, detail: Option<Cow<'a, str>>, cache: Option<Value<'a>> },
    File { data: Data<'a>, name: Option<Cow<'a, str>>, cache: Option<Value<'a>> },
    Call { call: Call<'a>, cache: Option<Value<'a>> },
    Result(Box<ToolResult<'a>>),
}

/// What a tool gave back.
#[derive(Debug)]
pub(super) struct ToolResult<'a> {
    pub(super) call: Cow<'a, str>,
    pub(super) parts: Vec<Piece<'a>>,
    pub(super) is_error: bool,
    pub(super) cache: Option<Value<'a>>,
}

/// Bytes of a picture or a file.
#[derive(Clone, Debug)]
pub(super) enum Data<'a> {
    Url(Cow<'a, str>),
    Base64 { kind: Cow<'a, str>, bytes: Cow<'a, str> },
}

/// A tool that the model may call.
#[derive(Debug)]
pub(super) struct Tool<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) description: Option<Cow<'a, str>>,
    /// A JSON schema.
    pub(super) parameters: Option<Value<'a>>,
    pub(super) strict: Option<bool>,
    pub(super) cache: Option<Value<'a>>,
}

/// Which tools the model has to call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ToolChoice<'a> {
    Auto,
    None,
    Any,
    Named(Cow<'a, str>),
}

/// What form the answer has to have.
#[derive(Debug, Default)]
pub(super) enum Format<'a> {
    #[default]
    Text,
    Json,
    Schema {
        name: Cow<'a, str>,
        schema: Value<'a>,
        strict: Option<bool>,
    },
}

impl<'a> Data<'a> {
    /// Reads an address that may carry the bytes itself.
    pub(super) fn of_url(url: Cow<'a, str>) -> Self {
        let parsed = url.strip_prefix("data:").and_then(|rest| rest.split_once(','));
        match parsed {
            Some((head, bytes)) if head.ends_with(";base64") => {
                let kind = head.split(';').next().unwrap_or_default().to_owned();
                Self::Base64 { kind: kind.into(), bytes: bytes.to_owned().into() }
            }
            _ => Self::Url(url),
        }
    }

    /// Gives one address, with the bytes in it where they are not elsewhere.
    pub(super) fn url(&self) -> Cow<'_, str> {
        match self {
            Self::Url(url) => Cow::Borrowed(url),
            Self::Base64 { kind, bytes } => Cow::Owned(format!("data:{kind};base64,{bytes}")),
        }
    }
}

impl<'a> Prompt<'a> {
    /// Adds to the last turn where the same side speaks on; otherwise a new turn begins.
    pub(super) fn say(&mut self, is_user: bool, parts: Vec<Piece<'a>>) {
        if parts.is_empty() {
            return;
        }
        match self.turns.last_mut().filter(|last| last.is_user == is_user) {
            Some(last) => last.parts.extend(parts),
            None => self.turns.push(Turn { is_user, parts }),
        }
    }

    /// Gives the name of the tool that was called under an id, the latest first.
    pub(super) fn tool_called(&self, id: &str) -> Option<&str> {
        self.turns.iter().rev().flat_map(|turn| turn.parts.iter().rev()).find_map(|part| match part {
            Piece::Call { call, .. } if call.id == id => Some(&*call.name),
            _ => None,
        })
    }
}

/// Where a reader is, and for whom it reads: what it needs to refuse something by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    /// The dialect that the request is going to.
    pub(super) to: Dialect,
    /// How the provider has it.
    pub(super) accent: Accent,
}

impl Reader {
    /// Refuses a field that the target has no counterpart for.
    pub(super) fn refuse<T>(self, field: impl Into<String>) -> Result<T, WireError> {
        Err(WireError::Untranslatable { field: field.into(), to: self.to })
    }
}

/// Reads one text or a list of texts.
pub(super) fn texts(value: Value<'_>) -> Vec<Cow<'_, str>> {
    if value.is_text() {
        value.text().into_iter().collect()
    } else {
        value.items().filter_map(Value::text).collect()
    }
}

/// Says whether a penalty or bias is so that it does nothing.
pub(super) fn is_zero(value: Value<'_>) -> bool {
    value.measure() == Some(0.0)
}

/// Says whether arguments of a call are a JSON object; none at all count as an empty one.
pub(super) fn arguments<'c>(call: &'c Call<'_>) -> Result<&'c str, WireError> {
    let text = call.arguments.trim();
    if text.is_empty() {
        return Ok("{}");
    }
    let is_object = text.starts_with('{') && crate::record::json::read::<serde::de::IgnoredAny>(text).is_ok();
    if is_object {
        Ok(text)
    } else {
        Err(WireError::invalid(
            format!("the arguments of call {} in an earlier turn", super::faults::clean(&call.id)),
            "have to be a JSON object",
        ))
    }
}

/// Makes an id that every provider takes: letters, digits, `_` and `-`.
pub(super) fn safe_id(id: &str) -> Cow<'_, str> {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !id.is_empty() && id.chars().all(is_safe) {
        return Cow::Borrowed(id);
    }
    let replaced: String = id.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
    Cow::Owned(if replaced.is_empty() { "call".to_owned() } else { replaced })
}
