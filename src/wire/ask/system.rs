//! Messages of role `system` in a request for Anthropic's messages, for models and places that take none.
//!
//! Those before the first turn become the system prompt, others text of the user's, in the tags by which coding agents
//! remind a model. One that the model takes where it stands stays as it is.

use super::edits::Edits;
use crate::wire::json::{Array, Value, array, put};
use crate::wire::prompt::{Reader, reminder};

/// Changes what has to be changed.
pub(super) fn settle(edits: &mut Edits<'_>, reader: Reader<'_>) {
    let takes = reader.sending.known.takes_system;
    let Some(messages) = edits.ask.member("messages") else { return };
    let turns: Vec<(Value<'_>, Role)> = messages.items().map(|turn| (turn, Role::of(turn))).collect();
    let first = turns.iter().take_while(|(_, role)| *role == Role::System).count();
    // Nothing but the system speaks: somebody has to.
    let leading = if first < turns.len() { first } else { 0 };
    let is_kept = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| turns.get(before)).map(|(_, role)| *role);
        let after = turns.get(at + 1).map(|(_, role)| *role);
        takes
            && matches!(before, Some(Role::User | Role::ServerTool))
            && matches!(after, None | Some(Role::Assistant | Role::ServerTool))
    };
    let is_changed = |at: usize, role: Role| role == Role::System && (at < leading || !is_kept(at));
    if !turns.iter().enumerate().any(|(at, (_, role))| is_changed(at, *role)) {
        return;
    }
    let mut out = Vec::with_capacity(messages.raw().len() + 64);
    array(&mut out, |list| {
        let mut waiting = Vec::new();
        for (at, (turn, role)) in turns.iter().enumerate().skip(leading) {
            if is_changed(at, *role) {
                waiting.extend(texts(*turn, reader).unwrap_or_default());
            } else if gives_results(*turn) {
                // What tools gave back stands right behind their calls.
                list.put(*turn);
                remind(list, &mut waiting);
            } else {
                remind(list, &mut waiting);
                list.put(*turn);
            }
        }
        remind(list, &mut waiting);
    });
    edits.replace(messages.span_in(&edits.ask.body), out);
    let hoisted: Vec<_> =
        turns.iter().take(leading).filter_map(|(turn, _)| texts(*turn, reader)).flatten().collect();
    if !hoisted.is_empty() {
        hoist(edits, &hoisted);
    }
}

/// Says whether a turn gives back what tools were called for.
fn gives_results(turn: Value<'_>) -> bool {
    turn.list("content").any(|part| part.text_of("type").as_deref() == Some("tool_result"))
}

/// Writes what the system said meanwhile as a turn of the user's.
fn remind(list: &mut Array<'_>, waiting: &mut Vec<Said<'_>>) {
    if waiting.is_empty() {
        return;
    }
    list.object(|o| {
        put!(o, "role": "user");
        o.array("content", |a| waiting.drain(..).for_each(|(text, cache)| block(a, &reminder(&text), cache)));
    });
}

/// Who says a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
    /// The assistant, and the last word is a tool's that Anthropic runs.
    ServerTool,
    System,
}

impl Role {
    fn of(turn: Value<'_>) -> Self {
        match turn.text_of("role").as_deref() {
            Some("system") => Self::System,
            Some("assistant") => {
                let last = turn.get("content").and_then(|content| content.items().last());
                let kind = last.and_then(|block| block.text_of("type")).unwrap_or_default();
                let is_server = kind == "server_tool_use" || kind.ends_with("_tool_result");
                if is_server { Self::ServerTool } else { Self::Assistant }
            }
            _ => Self::User,
        }
    }
}

/// A text, and its mark for the cache.
type Said<'a> = (std::borrow::Cow<'a, str>, Option<Value<'a>>);

/// Returns the texts of a message of the system; nothing where it says none.
fn texts<'a>(turn: Value<'a>, reader: Reader<'_>) -> Option<Vec<Said<'a>>> {
    let content = turn.get("content")?;
    if let Some(text) = content.text() {
        return (!text.trim().is_empty()).then(|| vec![(text, None)]);
    }
    let mut said = Vec::new();
    for part in content.items() {
        match part.text_of("text") {
            Some(text) if !text.trim().is_empty() => said.push((text, part.get("cache_control"))),
            Some(_) => {}
            None => {
                let kind = part.text_of("type").unwrap_or_default();
                reader.leave_out(&format!("messages ({kind})"));
            }
        }
    }
    (!said.is_empty()).then_some(said)
}

fn block(a: &mut Array<'_>, text: &str, cache: Option<Value<'_>>) {
    a.object(|o| put!(o, "type": "text", "text": text, "cache_control"?: cache));
}

/// Adds texts to the system prompt.
fn hoist(edits: &mut Edits<'_>, hoisted: &[Said<'_>]) {
    let system = edits.ask.member("system");
    let mut out = Vec::new();
    array(&mut out, |a| {
        if let Some(text) = system.and_then(Value::text) {
            block(a, &text, None);
        }
        system.into_iter().flat_map(Value::items).for_each(|part| a.put(part));
        for (text, cache) in hoisted {
            block(a, text, *cache);
        }
    });
    match system {
        Some(system) => edits.replace(system.span_in(&edits.ask.body), out),
        None => edits.add("system", &out),
    }
}
