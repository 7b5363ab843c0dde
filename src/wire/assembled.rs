//! The events of an answer put together in their own dialect, for a client of it who asked for the answer in one piece.
//!
//! Invariant: what an event adds stands in the whole as its provider wrote it, whether or not anything here knows what it is.

use super::Dialect;
use super::gathered::each;
use super::json::{Put, Raw, Value, array, is_json, object, put, quote, quoted, written};

/// JSON that grows; what nothing was added to stays as it was written.
enum Tree {
    Leaf(String),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

/// What is said whole each time it is said, within what else grows.
const WHOLE: [&str; 6] = ["id", "type", "role", "name", "format", "index"];

impl Tree {
    const fn none() -> Self {
        Self::Leaf(String::new())
    }

    fn of(value: Value<'_>) -> Self {
        Self::Leaf(value.raw().to_owned())
    }

    fn is_none(&self) -> bool {
        matches!(self, Self::Leaf(raw) if matches!(&**raw, "" | "null"))
    }

    /// Opens what is to grow.
    fn open(&mut self) {
        let Self::Leaf(raw) = self else { return };
        let value = Value::of(raw);
        let opened = if let Some(text) = value.text() {
            Self::Text(text.into_owned())
        } else if value.is_array() {
            Self::List(value.items().map(Self::of).collect())
        } else if value.is_object() {
            Self::Object(value.members().map(|(key, value)| (key.into_owned(), Self::of(value))).collect())
        } else {
            return;
        };
        *self = opened;
    }

    /// Changes a member, which is none at first where it is missing.
    fn at(&mut self, key: &str, change: impl FnOnce(&mut Self)) {
        if self.is_none() {
            *self = Self::Object(Vec::new());
        }
        self.open();
        let Self::Object(members) = self else { return };
        if let Some((_, member)) = members.iter_mut().find(|(known, _)| known == key) {
            return change(member);
        }
        let mut member = Self::none();
        change(&mut member);
        members.push((key.to_owned(), member));
    }

    /// Sets a member, unless it is said to be none.
    fn set(&mut self, key: &str, value: Value<'_>) {
        if !value.is_null() {
            self.at(key, |member| *member = Self::of(value));
        }
    }

    fn push(&mut self, one: Self) {
        if self.is_none() {
            *self = Self::List(Vec::new());
        }
        self.open();
        if let Self::List(list) = self {
            list.push(one);
        }
    }

    /// Adds what is said further: texts go on, lists become longer, what has a number in its list is found by it.
    fn grow(&mut self, value: Value<'_>) {
        if value.is_null() || self.is_none() {
            if !value.is_null() {
                *self = Self::of(value);
            }
            return;
        }
        self.open();
        match self {
            Self::Object(_) if value.is_object() => {
                for (key, value) in value.members() {
                    if !WHOLE.contains(&&*key) {
                        self.at(&key, |member| member.grow(value));
                    } else if value.text().is_none_or(|text| !text.is_empty()) {
                        self.set(&key, value);
                    }
                }
            }
            Self::List(list) if value.is_array() => {
                for item in value.items() {
                    let index = item.get("index").and_then(Value::number);
                    let known = list.iter_mut().rev().find(|one| index.is_some() && one.index() == index);
                    match known {
                        Some(one) => one.grow(item),
                        None => list.push(Self::of(item)),
                    }
                }
            }
            Self::Text(text) if value.is_text() => text.push_str(&value.text().unwrap_or_default()),
            // Some servers tell thoughts in a list, and then the text as a text.
            Self::List(list) if value.is_text() => list.push(Self::Leaf(part(value.raw()))),
            Self::Text(text) if value.is_array() => {
                let said = Self::Leaf(part(&quoted(text)));
                let said = (!text.is_empty()).then_some(said);
                *self = Self::List(said.into_iter().chain(value.items().map(Self::of)).collect());
            }
            _ => *self = Self::of(value),
        }
    }

    fn index(&self) -> Option<u64> {
        match self {
            Self::Leaf(raw) => Value::of(raw).get("index")?.number(),
            Self::Object(members) => match members.iter().find(|(key, _)| key == "index")? {
                (_, Self::Leaf(raw)) => Value::of(raw).number(),
                _ => None,
            },
            _ => None,
        }
    }
}

fn part(text: &str) -> String {
    written(|o| put!(o, "type": "text", "text": Raw(text)))
}

impl Put for &Tree {
    fn put(self, out: &mut Vec<u8>) {
        match self {
            Tree::Leaf(_) if self.is_none() => Raw("null").put(out),
            Tree::Leaf(raw) => Raw(raw).put(out),
            Tree::Text(text) => quote(out, text),
            Tree::List(list) => array(out, |a| list.iter().for_each(|one| a.put(one))),
            Tree::Object(members) => {
                object(out, |o| members.iter().for_each(|(key, member)| o.put(key, member)));
            }
        }
    }
}

/// The parts of an answer, by the numbers that its events give them.
#[derive(Default)]
struct Numbered(Vec<(u64, Tree)>);

impl Numbered {
    fn at(&mut self, number: u64, change: impl FnOnce(&mut Tree)) {
        if let Some((_, tree)) = self.0.iter_mut().rev().find(|(known, _)| *known == number) {
            return change(tree);
        }
        let mut tree = Tree::none();
        change(&mut tree);
        self.0.push((number, tree));
    }

    fn list(self) -> Tree {
        Tree::List(self.0.into_iter().map(|(_, tree)| tree).collect())
    }
}

/// Puts the events of a body together as one answer in the dialect of its provider.
pub(super) fn whole(from: Dialect, body: &[u8]) -> Vec<u8> {
    let (mut answer, mut parts) = (Tree::none(), Numbered::default());
    let mut take = |root: Value<'_>| match from {
        Dialect::AnthropicMessages => message(root, &mut answer, &mut parts),
        Dialect::OpenAiResponses => response(root, &mut answer, &mut parts),
        Dialect::Gemini => candidates(root, &mut answer, &mut parts),
        _ => choices(root, &mut answer, &mut parts),
    };
    // Whoever reads the answer has judged the events.
    let _ = each(from, body, &mut |data| {
        take(Value::of(data));
        Ok(false)
    });
    match from {
        Dialect::AnthropicMessages => {
            parts.0.iter_mut().for_each(|(_, block)| called(block));
            answer.at("content", |content| *content = parts.list());
        }
        Dialect::Gemini => answer.at("candidates", |all| *all = parts.list()),
        // What was told item by item is at times not told again.
        Dialect::OpenAiResponses => answer.at("output", |output| {
            output.open();
            if output.is_none() || matches!(output, Tree::List(list) if list.is_empty()) {
                *output = parts.list();
            }
        }),
        _ => {
            let is_text = from == Dialect::OpenAiCompletions;
            let kind = if is_text { "\"text_completion\"" } else { "\"chat.completion\"" };
            answer.at("object", |object| *object = Tree::Leaf(kind.to_owned()));
            if !is_text {
                parts.0.iter_mut().for_each(|(_, choice)| choice.at("message", said));
            }
            answer.at("choices", |choices| *choices = parts.list());
        }
    }
    let mut out = Vec::with_capacity(body.len());
    answer.put(&mut out);
    out
}

/// Adds what every message of chat has.
fn said(message: &mut Tree) {
    message.at("role", |role| {
        if role.is_none() {
            *role = Tree::Leaf("\"assistant\"".to_owned());
        }
    });
    message.at("content", |_| {});
}

fn choices(root: Value<'_>, answer: &mut Tree, choices: &mut Numbered) {
    for (key, value) in root.members() {
        if key != "choices" {
            answer.set(&key, value);
            continue;
        }
        for choice in value.items() {
            choices.at(choice.get("index").and_then(Value::number).unwrap_or(0), |known| {
                for (key, value) in choice.members() {
                    match &*key {
                        "delta" => known.at("message", |message| message.grow(value)),
                        "text" | "logprobs" => known.at(&key, |member| member.grow(value)),
                        _ => known.set(&key, value),
                    }
                }
            });
        }
    }
}

fn message(root: Value<'_>, answer: &mut Tree, blocks: &mut Numbered) {
    let index = root.get("index").and_then(Value::number).unwrap_or(0);
    let kind = root.text_of("type").unwrap_or_default();
    match &*kind {
        "message_start" => answer.grow(root.get("message").unwrap_or(Value::of("{}"))),
        "content_block_start" => {
            blocks.0.extend(root.get("content_block").map(|block| (index, Tree::of(block))));
        }
        "content_block_delta" => {
            let Some(delta) = root.get("delta") else { return };
            let kind = delta.text_of("type").unwrap_or_default();
            blocks.at(index, |block| {
                if block.is_none() {
                    // Some servers begin no block.
                    let kind = quoted(kind.strip_suffix("_delta").unwrap_or(&kind));
                    block.at("type", |known| *known = Tree::Leaf(kind));
                }
                for (key, value) in delta.members().filter(|(key, _)| key != "type") {
                    match &*key {
                        "partial_json" => block.at("input", |input| argue(input, value)),
                        "citation" => block.at("citations", |all| all.push(Tree::of(value))),
                        _ => block.at(&key, |member| member.grow(value)),
                    }
                }
            });
        }
        "message_delta" => {
            let delta = root.get("delta").into_iter().flat_map(Value::members);
            let besides = root.members().filter(|(key, _)| !matches!(&**key, "type" | "delta" | "usage"));
            delta.chain(besides).for_each(|(key, value)| answer.set(&key, value));
            let used = root.get("usage").into_iter().flat_map(Value::members);
            answer.at("usage", |usage| used.for_each(|(key, value)| usage.set(&key, value)));
        }
        _ => {}
    }
}

/// Ends the arguments of a call; half of them are none.
fn called(block: &mut Tree) {
    if let Tree::Object(members) = block
        && let Some((_, input)) = members.iter_mut().find(|(key, _)| key == "input")
        && let Tree::Text(written) = input
    {
        let written = std::mem::take(written);
        *input = Tree::Leaf(if is_json(&written) { written } else { "{}".to_owned() });
    }
}

/// Adds to the arguments of a call, which are a text until they are whole.
fn argue(input: &mut Tree, value: Value<'_>) {
    if !matches!(input, Tree::Text(_)) && value.text().is_some_and(|text| !text.is_empty()) {
        *input = Tree::Text(String::new());
    }
    if let Tree::Text(_) = input {
        input.grow(value);
    }
}

fn response(root: Value<'_>, answer: &mut Tree, items: &mut Numbered) {
    if let Some(response) = root.get("response").filter(|response| response.is_object()) {
        *answer = Tree::of(response);
    }
    if root.text_of("type").as_deref() == Some("response.output_item.done") {
        items.0.extend(root.get("item").map(|item| (0, Tree::of(item))));
    }
}

fn candidates(root: Value<'_>, answer: &mut Tree, candidates: &mut Numbered) {
    for (key, value) in root.members() {
        if key != "candidates" {
            answer.set(&key, value);
            continue;
        }
        for candidate in value.items() {
            candidates.at(candidate.get("index").and_then(Value::number).unwrap_or(0), |known| {
                for (key, value) in candidate.members() {
                    if key != "content" {
                        known.set(&key, value);
                        continue;
                    }
                    known.at("content", |content| {
                        for (key, value) in value.members() {
                            if key == "parts" {
                                content.at("parts", |parts| value.items().for_each(|one| join(parts, one)));
                            } else {
                                content.set(&key, value);
                            }
                        }
                    });
                }
            });
        }
    }
}

/// Adds a part: a text goes on where it stands alone and is of the kind of the one before it.
fn join(parts: &mut Tree, part: Value<'_>) {
    parts.open();
    if let Tree::List(list) = parts
        && let Some(last) = list.last_mut()
        && let Some(said) = part.get("text").filter(|_| is_plain(part.members().map(|(key, _)| key)))
    {
        last.open();
        let thinks = |flag: Option<&str>| flag == Some("true");
        if let Tree::Object(members) = last
            && is_plain(members.iter().map(|(key, _)| key))
        {
            let thought = members.iter().find_map(|(key, member)| match member {
                Tree::Leaf(raw) if key == "thought" => Some(&**raw),
                _ => None,
            });
            if thinks(thought) == thinks(part.get("thought").map(Value::raw)) {
                return last.at("text", |text| text.grow(said));
            }
        }
    }
    parts.push(Tree::of(part));
}

/// Says whether nothing but a text stands in a part.
fn is_plain<K: AsRef<str>>(mut keys: impl Iterator<Item = K>) -> bool {
    keys.all(|key| matches!(key.as_ref(), "text" | "thought"))
}
