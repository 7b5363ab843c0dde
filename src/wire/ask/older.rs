//! A chat request for servers that know chat in its older form: one message of the system, at the beginning, by that role; no
//! thoughts in what the assistant said, but where the model wants them; a limit of output by its first name.

use super::edits::Edits;
use crate::wire::json::{Array, Value, array, put};
use crate::wire::prompt::{Reader, reminder};
use crate::wire::reply::content_text;

/// The members in which thoughts come back.
const THOUGHTS: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_details"];

/// Changes what has to be changed.
pub(super) fn settle(edits: &mut Edits<'_>, reader: Reader<'_>) {
    limit(edits);
    let Some(messages) = edits.ask.member("messages") else { return };
    let all: Vec<(Value<'_>, Role)> = messages.items().map(|said| (said, Role::of(said))).collect();
    let leading = all.iter().take_while(|(_, role)| role.is_system()).count();
    let drops =
        |said: Value<'_>| !reader.wants_thoughts() && THOUGHTS.iter().any(|name| said.get(name).is_some());
    let is_changed = all.iter().enumerate().any(|(at, (said, role))| match role {
        Role::Developer => true,
        Role::System => at > 0,
        Role::Assistant => drops(*said),
        Role::Tool | Role::User => false,
    });
    if !is_changed {
        return;
    }
    let mut out = Vec::with_capacity(messages.raw().len() + 64);
    array(&mut out, |list| {
        let texts: Vec<_> = all.iter().take(leading).map(|(said, _)| text(*said)).collect();
        match all.first().filter(|_| leading == 1).and_then(|(said, _)| said.get("content")) {
            Some(content) => list.object(|o| put!(o, "role": "system", "content": content)),
            None if leading > 0 => list.object(|o| put!(o, "role": "system", "content": &texts.join("\n\n"))),
            None => {}
        }
        let mut waiting = Vec::new();
        for (said, role) in all.iter().skip(leading) {
            if role.is_system() {
                waiting.push(text(*said));
                continue;
            }
            // What tools gave back stands right behind their calls.
            if *role != Role::Tool {
                remind(list, &mut waiting);
            }
            if *role == Role::Assistant && drops(*said) {
                reader.leave_out("messages.reasoning_content");
                let kept = said.members().filter(|(key, _)| !THOUGHTS.contains(&&**key));
                list.object(|o| kept.for_each(|(key, value)| o.put(&key, value)));
            } else {
                list.put(*said);
            }
        }
        remind(list, &mut waiting);
    });
    edits.replace(messages.span_in(&edits.ask.body), out);
}

/// Who says a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    System,
    Developer,
    Assistant,
    Tool,
    User,
}

impl Role {
    fn of(said: Value<'_>) -> Self {
        match said.text_of("role").as_deref() {
            Some("system") => Self::System,
            Some("developer") => Self::Developer,
            Some("assistant") => Self::Assistant,
            Some("tool" | "function") => Self::Tool,
            _ => Self::User,
        }
    }

    fn is_system(self) -> bool {
        matches!(self, Self::System | Self::Developer)
    }
}

fn text(said: Value<'_>) -> String {
    said.get("content").and_then(content_text).unwrap_or_default().into_owned()
}

/// Writes what the system said meanwhile as a turn of the user's.
fn remind(list: &mut Array<'_>, waiting: &mut Vec<String>) {
    let said = waiting.drain(..).filter(|text| !text.trim().is_empty()).collect::<Vec<_>>().join("\n\n");
    if !said.is_empty() {
        list.object(|o| put!(o, "role": "user", "content": &reminder(&said)));
    }
}

/// Gives the limit of output its first name; where both stand there, the newer goes.
fn limit(edits: &mut Edits<'_>) {
    let ask = edits.ask;
    let Some(at) = ask.find("max_completion_tokens") else { return };
    if ask.member("max_tokens").is_some_and(|value| !value.is_null()) {
        return edits.remove(at);
    }
    if let Some(older) = ask.find("max_tokens") {
        edits.remove(older);
    }
    if let Some(member) = ask.scan.members.get(at) {
        edits.replace(member.key.clone(), "\"max_tokens\"");
    }
}
