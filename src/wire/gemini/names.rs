//! Names of members, which Google takes in two ways: `systemInstruction` and `system_instruction`.

use std::borrow::Cow;

use crate::wire::json::Value;

/// The members by which clients of Vertex have it choose another model.
pub(in crate::wire) const ELSEWHERE: [&str; 2] =
    ["generationConfig.routingConfig", "generationConfig.modelSelectionConfig"];

/// Returns a name in the manner that Google documents.
pub(in crate::wire) fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    let mut is_after = false;
    for letter in name.chars() {
        if letter == '_' && !out.is_empty() {
            is_after = true;
        } else {
            out.push(if std::mem::take(&mut is_after) { letter.to_ascii_uppercase() } else { letter });
        }
    }
    Cow::Owned(out)
}

/// Returns the last member of that name, in either manner, that is not `null`.
pub(in crate::wire) fn member<'a>(value: Value<'a>, name: &str) -> Option<Value<'a>> {
    let found = value.members().filter(|(key, _)| camel(key) == name).last();
    found.map(|(_, value)| value).filter(|value| !value.is_null())
}

/// Returns the text of a member.
pub(in crate::wire) fn text_of<'a>(value: Value<'a>, name: &str) -> Option<Cow<'a, str>> {
    member(value, name)?.text()
}
