//! What a conversation asks for, read as far as a synthetic answer can follow: a text to repeat, tools to call, results to
//! mention.

use serde_json::Value;

/// The longest text of a person that is looked into, in bytes.
const READ: usize = 16 * 1024;
/// The most letters of a tool's result that are repeated.
const MENTIONED: usize = 200;

/// What the last turns say.
#[derive(Default)]
pub(super) struct Asked {
    /// What the person said last, without what a coding agent wraps around it.
    pub(super) text: String,
    /// Its words in lower case.
    pub(super) words: Vec<String>,
    /// What tools gave back since the model last spoke: name and text.
    pub(super) results: Vec<(String, String)>,
    /// Whether the model has called a tool since it last answered in words.
    pub(super) has_called: bool,
}

impl Asked {
    pub(super) fn read(messages: &[Value]) -> Self {
        let is_by = |message: &Value, role: &str| message.get("role").and_then(Value::as_str) == Some(role);
        let mut asked = messages.iter().rev().filter(|message| is_by(message, "user"));
        let text = asked.find_map(own_text).unwrap_or_default();
        let called = messages.iter().rposition(has_calls);
        let spoke = messages.iter().rposition(|message| is_by(message, "assistant") && !has_calls(message));
        let has_called = called.is_some() && called > spoke;
        let name_of = |id: &str| {
            let calls = messages.iter().rev().filter_map(|message| message.get("tool_calls")?.as_array());
            let is_it = |call: &&Value| call.get("id").and_then(Value::as_str) == Some(id);
            calls.flatten().find(is_it).and_then(call_name)
        };
        let after = called.filter(|_| has_called).map_or(messages.len(), |at| at + 1);
        let results = messages.get(after..).unwrap_or_default().iter();
        let results = results.filter(|message| is_by(message, "tool") || is_by(message, "function"));
        let results = results.map(|message| {
            let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
            let name = name_of(id).or_else(|| message.get("name")?.as_str()).unwrap_or("a tool");
            (name.to_owned(), brief(message.get("content")))
        });
        Self { words: words(&text), results: results.collect(), has_called, text }
    }

    /// Says whether one of these words was said.
    pub(super) fn says(&self, wanted: &[&str]) -> bool {
        self.words.iter().any(|word| wanted.contains(&word.as_str()))
    }

    /// Says how many calls at once are asked for.
    pub(super) fn calls(&self) -> usize {
        let counted = |number: &str| {
            let of = |word: &str| {
                word.starts_with("tool") || word.starts_with("call") || word.starts_with("function")
            };
            self.words.windows(3).any(|said| matches!(said, [n, a, b] if n == number && (of(a) || of(b))))
        };
        match () {
            () if counted("three") || counted("3") => 3,
            () if self.says(&["two", "both", "twice", "parallel"]) || counted("2") || self.names_a_pair() => {
                2
            }
            () => 1,
        }
    }

    /// Says whether two names are joined: `Paris and Rome`, `in Paris and in Rome`.
    fn names_a_pair(&self) -> bool {
        let is_name = |word: &&str| word.chars().next().is_some_and(char::is_uppercase);
        let words: Vec<&str> = self.text.split_whitespace().collect();
        words.iter().enumerate().filter(|(_, word)| **word == "and").any(|(at, _)| {
            let before = at.checked_sub(1).and_then(|at| words.get(at));
            let after = words.get(at + 1..).unwrap_or_default().iter().take(2);
            before.is_some_and(is_name) && after.into_iter().any(is_name)
        })
    }

    /// Returns the text that is to be repeated to the letter, where the person asks for one.
    pub(super) fn exactly(&self) -> Option<String> {
        exactly(&self.text).map(|(_, said)| said)
    }

    /// Says whether a text to repeat is all that is asked for: nothing before it speaks of tools.
    pub(super) fn wants_text_alone(&self, of_tools: &[&str]) -> bool {
        let before = exactly(&self.text).and_then(|(at, _)| self.text.get(..at));
        before.is_some_and(|before| !words(before).iter().any(|word| of_tools.contains(&word.as_str())))
    }
}

fn has_calls(message: &Value) -> bool {
    let listed = message.get("tool_calls").and_then(Value::as_array);
    listed.is_some_and(|calls| !calls.is_empty())
        || message.get("function_call").is_some_and(Value::is_object)
}

/// Returns the name that a call or a choice of a tool names.
pub(super) fn call_name(call: &Value) -> Option<&str> {
    call.pointer("/function/name").or_else(|| call.pointer("/custom/name"))?.as_str()
}

/// Returns the last text of a message that a person may have written.
fn own_text(message: &Value) -> Option<String> {
    let is_own = |text: &&str| !is_wrapping(text) && !text.trim().is_empty();
    let text = match message.get("content")? {
        Value::String(text) => Some(text.as_str()).filter(is_own),
        Value::Array(parts) => parts.iter().rev().filter_map(|part| part.get("text")?.as_str()).find(is_own),
        _ => None,
    }?;
    let mut end = text.len().min(READ);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Some(without_reminders(text.get(..end).unwrap_or_default()))
}

/// Says whether a text is what an agent adds of its own: one element of a markup, from end to end.
fn is_wrapping(text: &str) -> bool {
    let text = text.trim();
    let Some((tag, _)) = text.strip_prefix('<').and_then(|rest| rest.split_once('>')) else { return false };
    !tag.is_empty() && text.ends_with(&format!("</{tag}>"))
}

fn without_reminders(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<system-reminder>") {
        out.push_str(before);
        rest = after.split_once("</system-reminder>").map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out.trim().to_owned()
}

/// Returns the beginning of what a tool said, on one line.
fn brief(content: Option<&Value>) -> String {
    let texts: Vec<&str> = match content {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part.get("text")?.as_str()).collect(),
        _ => Vec::new(),
    };
    let mut said = String::new();
    for word in texts.iter().flat_map(|text| text.split_whitespace()) {
        if said.len() > MENTIONED {
            break;
        }
        if !said.is_empty() {
            said.push(' ');
        }
        said.push_str(word);
    }
    said.chars().take(MENTIONED).collect()
}

/// Cuts a text into words in lower case; `getWeather` and `get_weather` are two words each.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_small = false;
    for letter in text.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && was_small) {
            words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        was_small = letter.is_lowercase() || letter.is_ascii_digit();
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// What somebody says who wants to hear a certain text.
const VERBS: [&str; 9] =
    ["reply", "respond", "answer", "say", "output", "return", "print", "write", "repeat"];
/// What makes it the whole text.
const ONLY: [&str; 7] = ["exactly", "only", "just", "precisely", "verbatim", "nothing but", "literally"];
/// What may stand before the text itself.
const BEFORE: [&str; 22] = [
    "with",
    "the",
    "this",
    "these",
    "following",
    "single",
    "one",
    "word",
    "words",
    "text",
    "string",
    "phrase",
    "sentence",
    "message",
    "line",
    "token",
    "characters",
    "letters",
    "and",
    "exactly",
    "only",
    "just",
];
/// What begins a description of the answer (`just the number`, `only in French`), which is not the answer itself.
const DESCRIBES: [&str; 16] = [
    "the", "a", "an", "your", "its", "their", "that", "in", "as", "if", "when", "after", "valid", "json",
    "raw", "code",
];
/// What begins a remark after the text.
const AFTER: [&str; 16] = [
    " and nothing",
    ", nothing",
    " nothing else",
    ", and nothing",
    " with no ",
    ", no ",
    " without ",
    ", without ",
    " (no ",
    ". do not",
    ". don't",
    ". no ",
    ". nothing",
    ". output",
    ". then",
    ", only",
];

/// Finds the text that is to be said, and where the demand for it begins.
fn exactly(text: &str) -> Option<(usize, String)> {
    // Lower case of the same length, so that places agree.
    let low = text.to_ascii_lowercase();
    for (at, _) in low.char_indices().filter(|(at, _)| is_start(&low, *at)) {
        let Some(verb) = VERBS.iter().find(|verb| begins(&low, at, verb)) else { continue };
        let mut from = past_spaces(&low, at + verb.len());
        if begins(&low, from, "with") {
            from = past_spaces(&low, from + "with".len());
        }
        let Some(only) = ONLY.iter().find(|only| begins(&low, from, only)) else { continue };
        if let Some(said) =
            told(text, &low, from + only.len(), matches!(*only, "only" | "just" | "nothing but"))
        {
            return Some((at, said));
        }
    }
    None
}

fn is_start(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|before| !before.ends_with(char::is_alphanumeric))
}

/// Says whether a word stands there, not a part of a longer one.
fn begins(text: &str, at: usize, word: &str) -> bool {
    let rest = text.get(at..).and_then(|rest| rest.strip_prefix(word));
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}

fn past_spaces(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len()
}

/// Takes the text that is to be said: in quotes, after a colon, or to the end of its sentence.
fn told(text: &str, low: &str, from: usize, may_describe: bool) -> Option<String> {
    let mut at = past_spaces(low, from);
    let mut named = at;
    while let Some(word) = BEFORE.iter().find(|word| begins(low, named, word)) {
        named = past_spaces(low, named + word.len());
    }
    let has_colon = |at: usize| low.get(at..).is_some_and(|rest| rest.starts_with(':'));
    // `the word X` names X; `one moment` says itself.
    let between = low.get(at..named).unwrap_or_default();
    let has_noun = ["word", "text", "string", "phrase", "sentence", "message", "line", "token"]
        .iter()
        .any(|noun| between.contains(noun));
    let is_filler = |word: &str| matches!(word, "with" | "and" | "exactly" | "only" | "just");
    let names = has_noun || between.split_whitespace().all(is_filler);
    let is_colon = has_colon(at) || has_colon(named);
    if has_colon(named) {
        at = past_spaces(low, named + 1);
    } else if has_colon(at) {
        at = past_spaces(low, at + 1);
    } else if names {
        at = named;
    }
    let rest = text.get(at..)?;
    for (open, close) in [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('«', '»')] {
        if let Some((said, _)) = rest.strip_prefix(open).and_then(|rest| rest.split_once(close)) {
            return Some(said.to_owned()).filter(|said| !said.is_empty());
        }
    }
    if may_describe && !is_colon && !has_noun && DESCRIBES.iter().any(|word| begins(low, at, word)) {
        return None;
    }
    let line = rest.lines().next()?;
    let low = line.to_ascii_lowercase();
    let mut end = AFTER.iter().filter_map(|mark| low.find(mark)).min().unwrap_or(line.len());
    if !is_colon {
        end = end.min(low.find(". ").unwrap_or(end));
    }
    let said = line.get(..end)?.trim_end();
    let said = said.strip_suffix('.').filter(|said| !said.ends_with('.')).unwrap_or(said).trim();
    // Of `yes or no` one is the answer.
    let said = said.split_once(" or ").filter(|_| may_describe && !is_colon).map_or(said, |(first, _)| first);
    Some(said.to_owned()).filter(|said| !said.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_text_to_repeat_is_found_however_it_is_asked_for() {
        for (asked, want) in [
            ("Reply with exactly: pong", "pong"),
            ("reply exactly OK", "OK"),
            ("Reply with exactly OK.", "OK"),
            ("Please say only hi there", "hi there"),
            ("Respond with only the word BANANA and nothing else.", "BANANA"),
            ("Reply with exactly one word: ready", "ready"),
            ("Answer only with: 42", "42"),
            ("Just do it. Reply with exactly 'a b. C' please", "a b. C"),
            ("Say exactly \"Hello, World!\" now", "Hello, World!"),
            ("Reply with exactly this text:\nZürich 🙂", "Zürich 🙂"),
            ("Return exactly `{\"a\":1}`", "{\"a\":1}"),
            ("Reply exactly DONE. Do not use tools.", "DONE"),
            ("Reply with just the text pong, nothing else", "pong"),
            ("Reply with exactly: 1.5", "1.5"),
            ("Answer with only yes or no.", "yes"),
            ("Say just one moment", "one moment"),
            ("Reply with just: the number", "the number"),
        ] {
            assert_eq!(exactly(asked).map(|(_, said)| said).as_deref(), Some(want), "{asked}");
        }
        for asked in [
            "What is only a word?",
            "Reply in French",
            "essay exactly",
            "reply exactly",
            "say only: ",
            "What is 2+2? Answer with just the number.",
            "Respond only with valid JSON.",
            "Reply only in French, please",
            "Return only the code",
            "",
            "é",
        ] {
            assert_eq!(exactly(asked), None, "{asked}");
        }
    }

    #[test]
    fn what_an_agent_adds_is_not_what_the_person_asks() {
        let message = json!({ "role": "user", "content": [
            { "type": "text", "text": "List the files" },
            { "type": "text", "text": "<system-reminder>call two tools</system-reminder>" },
        ] });
        let asked = Asked::read(&[message]);
        assert_eq!((asked.text.as_str(), asked.calls()), ("List the files", 1));
        let text = "<system-reminder>x</system-reminder>\nGo <system-reminder>open";
        assert_eq!(Asked::read(&[json!({ "role": "user", "content": text })]).text, "Go");
    }

    #[test]
    fn results_carry_the_name_of_their_tool() {
        let call = json!({ "id": "c1", "type": "function", "function": { "name": "ls", "arguments": "{}" } });
        let asked = Asked::read(&[
            json!({ "role": "user", "content": "look" }),
            json!({ "role": "assistant", "content": null, "tool_calls": [call] }),
            json!({ "role": "tool", "tool_call_id": "c1", "content": "a.txt\n b.txt" }),
            json!({ "role": "user", "content": "<system-reminder>go on</system-reminder>" }),
        ]);
        assert_eq!(asked.results, [("ls".to_owned(), "a.txt b.txt".to_owned())]);
        assert!(asked.has_called);
    }

    #[test]
    fn names_fall_into_words() {
        assert_eq!(words("getWeather get_weather2 Zürich"), ["get", "weather", "get", "weather2", "zürich"]);
    }
}
