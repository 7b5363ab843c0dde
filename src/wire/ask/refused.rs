//! What a model is known to refuse, taken out of a request of its own dialect, however deep it stands.
//!
//! Invariant: what is left stays byte for byte, and every change is told by the path that the client's dialect has for it.

use super::edits::{Edits, member};
use super::scan::{Member, is_named, name_of};
use crate::wire::Dialect;
use crate::wire::gemini::names::ELSEWHERE;
use crate::wire::json::{Value, written};
use crate::wire::known::{Change, place};
use crate::wire::prompt::Reader;

/// An object within the body from which members are taken.
struct Holder {
    path: String,
    members: Vec<Member>,
    removed: Vec<usize>,
}

/// Makes the changes.
pub(super) fn leave_out(edits: &mut Edits<'_>, reader: Reader<'_>) {
    let (to, body) = (reader.to, &edits.ask.body);
    let mut holders: Vec<Holder> = Vec::new();
    let server = reader.sending.known;
    if to == Dialect::AnthropicMessages && server.tags_users_alone {
        keep_user(edits, reader);
    }
    let known = server.changes(to, &|name| edits.at(place(to, name)));
    let unknown = match to {
        // "The 'metadata' parameter is only allowed when 'store' is enabled."
        Dialect::OpenAiChat if server.is_openais && edits.at("store").and_then(Value::flag) != Some(true) => {
            edits.at("metadata").filter(|tags| tags.members().next().is_some()).map(|_| "metadata")
        }
        Dialect::Gemini if server.lacks_labels => Some("labels"),
        _ => None,
    };
    let elsewhere = ELSEWHERE.iter().filter(|_| to == Dialect::Gemini).copied().chain(unknown);
    let elsewhere = elsewhere.map(|member| Change { member, instead: None });
    for change in known.into_iter().chain(elsewhere) {
        let path = place(to, change.member);
        let found = if let Some((outer, name)) = path.rsplit_once('.') {
            let Some(object) = edits.at(outer).filter(|object| object.is_object()) else { continue };
            let members = members(body, object);
            let named = |at: &&Member| is_named(name_of(body, &at.key), name);
            let found = members.iter().find(named).map(|found| found.value.clone());
            match (&found, change.instead) {
                (Some(_), None) => {
                    let all = members.iter().enumerate().filter(|(_, at)| named(at)).map(|(at, _)| at);
                    if let Some(holder) = holders.iter_mut().find(|holder| holder.path == outer) {
                        holder.removed.extend(all);
                    } else {
                        let removed = all.collect();
                        holders.push(Holder { path: outer.to_owned(), members, removed });
                    }
                }
                (Some(value), Some(json)) => edits.replace(value.clone(), json),
                (None, Some(json)) => {
                    let mut text = Vec::new();
                    member(&mut text, !members.is_empty(), name, json.as_bytes());
                    let end = object.span_in(body).end.saturating_sub(1);
                    edits.replace(end..end, text);
                }
                (None, None) => {}
            }
            found.is_some()
        } else {
            let found = edits.ask.find(path);
            match (found, change.instead) {
                (Some(at), None) => edits.removed.push(at),
                (Some(at), Some(json)) => {
                    if let Some(member) = edits.ask.scan.members.get(at) {
                        edits.replace(member.value.clone(), json);
                    }
                }
                (None, Some(json)) => edits.add(path, json.as_bytes()),
                (None, None) => {}
            }
            found.is_some()
        };
        if found {
            reader.leave_out(path);
        }
    }
    for holder in holders {
        edits.remove_from(&holder.members, holder.removed);
    }
}

/// Leaves of a request's tags what names its user: "metadata.team: Extra inputs are not permitted".
fn keep_user(edits: &mut Edits<'_>, reader: Reader<'_>) {
    let Some(tags) = edits.at("metadata").filter(|tags| tags.is_object()) else { return };
    let others: Vec<_> = tags.members().map(|(key, _)| key).filter(|key| key != "user_id").collect();
    if others.is_empty() {
        return;
    }
    for key in others {
        reader.leave_out(&format!("metadata.{key}"));
    }
    let kept = written(|o| o.copy(tags, |key| key == "user_id"));
    edits.replace(tags.span_in(&edits.ask.body), kept);
}

/// Returns the places of an object's members.
fn members(body: &[u8], object: Value<'_>) -> Vec<Member> {
    let mut found = Vec::new();
    let mut members = object.members();
    while let Some((_, value)) = members.next() {
        found.push(Member { key: members.key.span_in(body), value: value.span_in(body) });
    }
    found
}
