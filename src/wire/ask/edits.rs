//! Changes to a body that stays byte for byte what it was everywhere else.

use std::ops::Range;

use bytes::Bytes;

use super::request::Ask;
use super::scan::{Member, is_named};
use crate::wire::json::{Value, quote, spliced};

/// Changes to a request's body.
pub(super) struct Edits<'b> {
    pub(super) ask: &'b Ask,
    /// Text in place of a stretch of the body.
    spans: Vec<(Range<usize>, Vec<u8>)>,
    /// Members that are added, each with a comma before it.
    added: Vec<u8>,
    /// The places of members that go.
    pub(super) removed: Vec<usize>,
}

impl<'b> Edits<'b> {
    /// Changes nothing yet.
    pub(super) fn new(ask: &'b Ask) -> Self {
        Self { ask, spans: Vec::new(), added: Vec::new(), removed: Vec::new() }
    }

    /// Returns the value at a path.
    pub(super) fn at(&self, path: &str) -> Option<Value<'b>> {
        let mut names = path.split('.');
        let outer = self.ask.member(names.next()?)?;
        names.try_fold(outer, |value, name| {
            let found = value.members().filter(|(key, _)| is_named(key.as_bytes(), name)).last();
            found.map(|(_, value)| value)
        })
    }

    /// Puts text in place of a stretch of the body.
    pub(super) fn replace(&mut self, span: Range<usize>, text: impl Into<Vec<u8>>) {
        self.spans.push((span, text.into()));
    }

    /// Adds a member.
    pub(super) fn add(&mut self, name: &str, json: &[u8]) {
        member(&mut self.added, true, name, json);
    }

    /// Gives a top-level member another name; where something stands under that already, the first goes.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let ask = self.ask;
        let Some(at) = ask.find(from) else { return };
        if ask.member(to).is_some_and(|value| !value.is_null()) {
            return self.removed.push(at);
        }
        self.removed.extend(ask.find(to));
        if let Some(member) = ask.scan.members.get(at) {
            self.replace(member.key.clone(), format!("\"{to}\""));
        }
    }

    /// Takes a top-level member out by its name; says whether there was one.
    pub(super) fn remove_named(&mut self, name: &str) -> bool {
        let found = self.ask.find(name);
        self.removed.extend(found);
        found.is_some()
    }

    /// Takes members out of an object within the body, each with the comma before it; the first ones with the comma after
    /// them.
    pub(super) fn remove_from(&mut self, members: &[Member], mut removed: Vec<usize>) {
        removed.sort_unstable();
        removed.dedup();
        let mut cuts: Vec<Range<usize>> = Vec::with_capacity(removed.len());
        for (nth, &at) in removed.iter().enumerate() {
            let Some(member) = members.get(at) else { continue };
            let stays_before = at > nth;
            let before = at.checked_sub(1).and_then(|before| members.get(before));
            let (from, to) = if let Some(before) = before.filter(|_| stays_before) {
                (before.value.end, member.value.end)
            } else {
                // Where nothing stays before it, the comma after it goes instead of the one before.
                let rest = self.ask.body.get(member.value.end..).unwrap_or_default();
                let comma = members.get(at + 1).and_then(|_| rest.iter().position(|byte| *byte == b','));
                (member.key.start, member.value.end + comma.map_or(0, |comma| comma + 1))
            };
            cuts.push(from..to);
        }
        // They stand in order, and none reaches into another.
        self.spans.retain(|(span, _)| {
            let cut = cuts.get(cuts.partition_point(|cut| cut.end < span.end));
            cut.is_none_or(|cut| span.start < cut.start || span.end > cut.end)
        });
        self.spans.extend(cuts.into_iter().map(|cut| (cut, Vec::new())));
    }

    /// Returns the body with the changes; where there are none, the same bytes.
    pub(super) fn done(mut self) -> Bytes {
        let removed = std::mem::take(&mut self.removed);
        let members = &self.ask.scan.members;
        self.remove_from(members, removed);
        if !self.added.is_empty() {
            let end = members.last().map_or(0, |member| member.value.end);
            let added = std::mem::take(&mut self.added);
            self.replace(end..end, added);
        }
        apply(&self.ask.body, self.spans)
    }
}

/// Writes a member.
pub(super) fn member(out: &mut Vec<u8>, is_after: bool, name: &str, json: &[u8]) {
    out.extend_from_slice(if is_after { b"," } else { b"" });
    quote(out, name);
    out.push(b':');
    out.extend_from_slice(json);
}

/// Puts texts in place of stretches of a body; where there are none, it is the same bytes.
pub(super) fn apply(body: &Bytes, spans: Vec<(Range<usize>, Vec<u8>)>) -> Bytes {
    if spans.is_empty() { body.clone() } else { spliced(body, spans).into() }
}
