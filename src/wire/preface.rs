//! How a message begins, before it says anything: what a client may be told of it at once, and how another try goes on with it.
//!
//! Invariant: a client is told one beginning, and one id from it to the end, however many models were asked behind it.

use bytes::BytesMut;

use super::Dialect;
use super::error::Result;
use super::json::{Value, written};
use super::replay::with;
use super::sse::{self, Event, Splitter, event};

/// What a client was told of a message that had said nothing yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preface {
    /// The id that the client knows the message by; empty where it was told none.
    pub id: String,
    /// How many events were told, where they are numbered.
    pub events: u64,
    /// Whether the message has begun.
    pub(super) has_begun: bool,
    /// What the beginning of the try that goes on said of usage, which the client was not told.
    pub(super) usage: String,
}

impl Preface {
    /// Takes note of an event that a client is told before there is content.
    pub(super) fn note(&mut self, dialect: Dialect, data: &str) {
        let root = Value::of(data);
        if !root.is_object() || !begins(dialect, root) {
            return;
        }
        let (of, has_begun) = match dialect {
            Dialect::AnthropicMessages => (root.get("message"), true),
            Dialect::OpenAiResponses => (root.get("response"), true),
            _ => {
                let choices = root.list("choices");
                let mut deltas = choices.filter_map(|choice| choice.get("delta"));
                (Some(root), deltas.any(|delta| delta.get("role").is_some()))
            }
        };
        self.has_begun |= has_begun;
        if self.id.is_empty() {
            self.id = of.and_then(|of| of.text_of("id")).unwrap_or_default().into_owned();
        }
    }
}

/// Says whether messages of a dialect begin with an event that says nothing else.
pub(super) fn has_beginning(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::AnthropicMessages)
}

/// Says whether an event is only how a message begins.
pub(super) fn begins(dialect: Dialect, root: Value<'_>) -> bool {
    let kind = || root.text_of("type").unwrap_or_default();
    match dialect {
        Dialect::OpenAiChat => {
            let is_nothing = |value: Value<'_>| value.is_null() || matches!(value.raw(), "\"\"" | "[]");
            let says_nothing = |choice: Value<'_>| {
                choice.members().all(|(key, value)| match &*key {
                    "delta" => value.members().all(|(key, value)| key == "role" || is_nothing(value)),
                    "finish_reason" | "error" | "usage" => is_nothing(value),
                    _ => true,
                })
            };
            let is_bare = |name: &str| root.get(name).is_none_or(is_nothing);
            let choices = root.get("choices");
            choices.is_some_and(|choices| choices.items().all(says_nothing)) && is_bare("usage")
        }
        Dialect::AnthropicMessages => kind() == "message_start",
        Dialect::OpenAiResponses => {
            matches!(&*kind(), "response.created" | "response.in_progress" | "response.queued")
        }
        _ => false,
    }
}

/// Says whether an event may go to a client before there is content: it begins the message, or says nothing at all.
pub(super) fn is_early(dialect: Dialect, data: &str) -> bool {
    if data.is_empty() {
        return true;
    }
    let root = Value::of(data);
    let is_ping = || dialect == Dialect::AnthropicMessages && root.text_of("type").as_deref() == Some("ping");
    begins(dialect, root) || is_ping()
}

/// Writes an event of another try, of the client's own dialect, as one of the message that has begun already.
pub(super) fn go_on(dialect: Dialect, preface: &mut Preface, said: &Event<'_>, out: &mut BytesMut) {
    let root = Value::of(&said.data);
    if root.is_object() && begins(dialect, root) {
        if dialect == Dialect::AnthropicMessages {
            let usage = root.get("message").and_then(|message| message.get("usage"));
            usage.map(Value::raw).unwrap_or_default().clone_into(&mut preface.usage);
        }
        return;
    }
    let id = (!preface.id.is_empty()).then(|| serde_json::Value::from(&*preface.id).to_string());
    let name = said.name;
    match (dialect, id) {
        (Dialect::OpenAiChat, Some(id)) if root.get("id").is_some() => {
            event(out, name, |o| with(o, root, &[("id", &id)]));
        }
        (Dialect::OpenAiResponses, id) if root.is_object() => {
            let number = preface.events;
            preface.events += 1;
            event(out, name, |o| {
                for (key, value) in root.members() {
                    match (&*key, &id) {
                        ("sequence_number", _) => o.put(&key, number),
                        ("response", Some(id)) if value.is_object() => {
                            o.object(&key, |o| with(o, value, &[("id", id)]));
                        }
                        _ => o.put(&key, value),
                    }
                }
            });
        }
        (Dialect::AnthropicMessages, _) if let Some(usage) = used(&preface.usage, root) => {
            event(out, name, |o| with(o, root, &[("usage", &usage)]));
        }
        _ => sse::frame(out, name, said.data.as_bytes()),
    }
}

/// Returns the usage of a message's end with what its own beginning said of the prompt, where the end does not say so itself.
fn used(begun: &str, end: Value<'_>) -> Option<String> {
    /// What clients take from the end of a message over what its beginning said.
    const OF_PROMPT: [&str; 3] = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"];
    let said = end.get("usage").filter(|usage| usage.is_object() && !begun.is_empty())?;
    let begun = Value::of(begun);
    let missing = |key: &&str| said.get(key).is_none() && begun.get(key).is_some();
    let missing: Vec<&str> = OF_PROMPT.into_iter().filter(missing).collect();
    if missing.is_empty() {
        return None;
    }
    Some(written(|o| {
        for key in &missing {
            o.put(key, begun.get(key));
        }
        o.copy(said, |key| !missing.contains(&key));
    }))
}

/// Writes all the events of an answer that came whole as those of the message that has begun already.
pub(super) fn all_go_on(
    dialect: Dialect,
    preface: &mut Preface,
    events: &[u8],
    out: &mut BytesMut,
) -> Result<()> {
    let mut splitter = Splitter::default();
    splitter.push(events);
    while let Some(raw) = splitter.next()? {
        go_on(dialect, preface, &sse::parse(&raw)?, out);
    }
    Ok(())
}
