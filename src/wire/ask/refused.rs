//! What a model is known to refuse, taken out of a request of its own dialect, however deep it stands.
//!
//! Invariant: what is left stays byte for byte, and every change is told by the path that the client's dialect has for it.

use std::ops::Range;

use super::scan::{Member, Scan};
use super::splice::{Edit, find, is_named, remove, value_of};
use crate::wire::json::{Value, quote};
use crate::wire::known::{Known, place};
use crate::wire::prompt::Reader;

/// An object within the body from which members are taken.
struct Holder {
    path: String,
    members: Vec<Member>,
    removed: Vec<usize>,
}

/// Makes the changes; top-level members that go are added to `removed`.
pub(super) fn leave_out(
    body: &[u8],
    scan: &Scan,
    known: &Known,
    reader: Reader<'_>,
    edits: &mut Vec<Edit>,
    added: &mut Vec<u8>,
    removed: &mut Vec<usize>,
) {
    let to = reader.to;
    let mut holders: Vec<Holder> = Vec::new();
    for change in known.changes(to, &|name| at(body, scan, place(to, name))) {
        let path = place(to, change.member);
        let Some((outer, name)) = path.rsplit_once('.') else {
            match (find(body, scan, path), change.instead) {
                (Some(at), None) => removed.push(at),
                (Some(at), Some(json)) => {
                    edits.extend(scan.members.get(at).map(|member| (member.value.clone(), json.into())));
                }
                (None, Some(json)) => add(added, true, path, json),
                (None, None) => continue,
            }
            if find(body, scan, path).is_some() {
                reader.leave_out(path);
            }
            continue;
        };
        let Some(object) = at(body, scan, outer).filter(|object| object.is_object()) else { continue };
        let members = members(body, object);
        let found = members.iter().position(|member| is_named(name_of(body, &member.key), name));
        match (found, change.instead) {
            (Some(at), None) => match holders.iter_mut().find(|holder| holder.path == outer) {
                Some(holder) => holder.removed.push(at),
                None => holders.push(Holder { path: outer.to_owned(), members, removed: vec![at] }),
            },
            (Some(at), Some(json)) => {
                edits.extend(members.get(at).map(|member| (member.value.clone(), json.into())));
            }
            (None, Some(json)) => {
                let mut text = Vec::new();
                add(&mut text, !members.is_empty(), name, json);
                let end = object.span_in(body).end.saturating_sub(1);
                edits.push((end..end, text));
            }
            (None, None) => {}
        }
        if found.is_some() {
            reader.leave_out(path);
        }
    }
    for holder in holders {
        remove(body, &holder.members, holder.removed, edits);
    }
}

/// Returns the value at a path.
fn at<'b>(body: &'b [u8], scan: &Scan, path: &str) -> Option<Value<'b>> {
    let mut names = path.split('.');
    let outer = value_of(body, scan, names.next()?)?;
    names.try_fold(outer, |value, name| {
        let found = value.members().filter(|(key, _)| is_named(key.as_bytes(), name)).last();
        found.map(|(_, value)| value)
    })
}

/// Returns the places of an object's members.
fn members(body: &[u8], object: Value<'_>) -> Vec<Member> {
    let mut found = Vec::new();
    let mut members = object.members();
    while let Some((_, value)) = members.next() {
        found.push(Member { key: members.key().span_in(body), value: value.span_in(body) });
    }
    found
}

fn name_of<'b>(body: &'b [u8], key: &Range<usize>) -> &'b [u8] {
    body.get(key.start + 1..key.end.saturating_sub(1)).unwrap_or_default()
}

fn add(out: &mut Vec<u8>, is_after: bool, name: &str, json: &str) {
    if is_after {
        out.push(b',');
    }
    quote(out, name);
    out.push(b':');
    out.extend_from_slice(json.as_bytes());
}
