//! What is wrong in a settings file, in the words of whoever writes it.
//!
//! Invariant: no word of the parser's types is passed on; where values may be secrets, none comes back.

use std::fmt::{self, Write as _};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::{Fault, clean, line_of, nearest};

/// The most characters of a value that are quoted.
const QUOTED: usize = 40;

/// What the parser says of a text that is no TOML, by its beginning, and what to do about it.
const SYNTAX: [(&str, &str); 12] = [
    (
        "string values must be quoted",
        "a value is missing or not in quotes; write name = \"text\", a number, true or false",
    ),
    ("invalid boolean", "this is neither true nor false; put a text in quotes, \"..\""),
    ("key with no value", "a name without a value; write name = value"),
    ("duplicate key", "this name stands twice; keep one of them"),
    ("invalid basic string", "the quotes are not closed; write \"..\" on one line"),
    ("invalid literal string", "the quotes are not closed; write '..' on one line"),
    ("unclosed array", "a list is not closed; write [.., ..]"),
    ("unclosed inline table", "a table is not closed; write { name = value }"),
    ("unclosed table", "the head of a table is not closed; write [name]"),
    (
        "unexpected key or value",
        "something stands behind the value; write one setting a line, numbers without commas",
    ),
    ("unexpected leading zero", "a number begins with 0; write it without"),
    ("missing escaped value", "a \\ in quotes begins a sign of its own; write \\\\, or put the text in '..'"),
];

/// A slip in a TOML text: where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The setting, with the tables around it; empty where it is no setting's.
    pub setting: String,
    /// What is wrong and how to mend it, with the setting.
    pub what: String,
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

impl Slip {
    /// Tells what the parser complains about, and quotes what stands there.
    pub fn of(text: &str, error: impl Into<Fault>) -> Self {
        Self::told(text, &error.into(), true)
    }

    /// The same for files where a value may be a secret.
    pub fn without_values(text: &str, error: impl Into<Fault>) -> Self {
        Self::told(text, &error.into(), false)
    }

    fn told(text: &str, fault: &Fault, quote: bool) -> Self {
        let span = fault.span.clone().unwrap_or_default();
        let (line, column) = line_and_column(text, span.start);
        let setting = setting_at(text, &span);
        let said = Said::of(&fault.message);
        let what = said.in_words(&setting, found(text, &span, &said, quote).as_str());
        Self { line, column, setting, what }
    }
}

/// Returns line and column of a place, from 1.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (line_of(text, at), before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

/// What a parser's message says, taken apart.
enum Said<'a> {
    UnknownKey { name: &'a str, known: Vec<&'a str> },
    UnknownWord { name: &'a str, known: Vec<&'a str> },
    WrongValue { found: &'a str, expected: &'a str },
    Missing { name: &'a str },
    Other(&'a str),
}

impl<'a> Said<'a> {
    fn of(message: &'a str) -> Self {
        let quoted = |rest: &'a str| rest.strip_prefix('`')?.split_once('`');
        if let Some((name, rest)) = message.strip_prefix("unknown field ").and_then(quoted) {
            return Self::UnknownKey { name, known: names(rest) };
        }
        if let Some((name, rest)) = message.strip_prefix("unknown variant ").and_then(quoted) {
            return Self::UnknownWord { name, known: names(rest) };
        }
        if let Some((name, _)) = message.strip_prefix("missing field ").and_then(quoted) {
            return Self::Missing { name };
        }
        let value =
            message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
        match value.and_then(|rest| rest.rsplit_once(", expected ")) {
            Some((found, expected)) => Self::WrongValue { found, expected },
            None => Self::Other(message),
        }
    }

    fn in_words(&self, setting: &str, found: &str) -> String {
        let is =
            if setting.is_empty() { format!("{found} stands here") } else { format!("{setting} is {found}") };
        match self {
            Self::UnknownKey { name, known } => {
                let around =
                    setting.rsplit_once('.').map_or(String::new(), |(around, _)| format!(" of {around}"));
                format!("`{}` is no setting{around}; {}", clean(name), choice(name, known))
            }
            Self::UnknownWord { name, known } => format!("{is}; {}", choice(name, known)),
            Self::WrongValue { found: "map", expected: "a sequence" } if found.starts_with("a table") => {
                format!("{setting} is written [{setting}]; write [[{setting}]], once for each")
            }
            Self::WrongValue { expected, .. } => format!("{is}; {}", wanted(expected)),
            Self::Missing { name } if setting.is_empty() => format!("`{name}` is missing"),
            Self::Missing { name } => format!("{setting} lacks `{name}`"),
            Self::Other(message) => {
                let plain = SYNTAX.iter().find(|(theirs, _)| message.starts_with(theirs));
                let message = clean(plain.map_or(message, |(_, ours)| ours));
                if setting.is_empty() { message.into_owned() } else { format!("{setting}: {message}") }
            }
        }
    }
}

/// Returns the names in backquotes.
fn names(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Offers the names that may have been meant, or all.
pub fn choice<S: AsRef<str>>(written: &str, known: &[S]) -> String {
    let all = || known.iter().map(AsRef::as_ref);
    match nearest(written, all()).as_slice() {
        [] if known.is_empty() => "leave it out".to_owned(),
        [] => format!("write one of {}", all().collect::<Vec<_>>().join(", ")),
        [one] => format!("did you mean `{one}`?"),
        several => format!("did you mean one of {}?", several.join(", ")),
    }
}

/// Says what should stand there.
fn wanted(expected: &str) -> String {
    let most = match expected {
        "u8" => Some(u64::from(u8::MAX)),
        "u16" => Some(u64::from(u16::MAX)),
        "u32" => Some(u64::from(u32::MAX)),
        _ => None,
    };
    if let Some(most) = most {
        return format!("write a whole number from 0 to {most}");
    }
    match expected {
        "u64" | "usize" => "write a whole number from 0 on".to_owned(),
        "a nonzero u32" | "a nonzero u64" | "a nonzero usize" => "write a whole number from 1 on".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "write a whole number".to_owned(),
        "f32" | "f64" => "write a number such as 0.5".to_owned(),
        "a boolean" => "write true or false".to_owned(),
        "a string" | "a borrowed string" | "string" => "write a text in quotes, \"..\"".to_owned(),
        "a sequence" => "write a list, [\"..\", \"..\"]".to_owned(),
        table if table == "a map" || table.starts_with("struct ") => {
            "write a table, [name] with settings below it or { setting = value }".to_owned()
        }
        // Words of our own.
        told => format!("write {told}"),
    }
}

/// Says what stands there, as it is written or by its kind.
fn found(text: &str, span: &Range<usize>, said: &Said<'_>, quote: bool) -> String {
    let kind = match said {
        Said::WrongValue { found, .. } => kind(found),
        _ => "a text",
    };
    let written = text.get(span.clone()).unwrap_or_default();
    // A date is told as a table, too.
    let is_nested = matches!(kind, "a table" | "a list") && written.starts_with(['{', '[']);
    if !quote || written.is_empty() || written.contains('\n') || is_nested {
        return kind.to_owned();
    }
    let mut shown: String = clean(written).chars().take(QUOTED).collect();
    if written.chars().count() > QUOTED {
        shown.push_str("..");
    }
    shown
}

/// Names the kind of a value as the parser told it.
fn kind(found: &str) -> &'static str {
    match found.split(' ').next().unwrap_or_default() {
        "string" => "a text",
        "integer" | "floating" => "a number",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a table",
        _ => "something else",
    }
}

/// Returns the way to what stands at a place, such as `limits.body` or `route[2].ladder[0].threshold`.
fn setting_at(text: &str, span: &Range<usize>) -> String {
    // What is no TOML at all has no settings.
    let Ok(root) = DeTable::parse(text) else { return String::new() };
    let mut best: Option<(usize, String)> = None;
    search(root.get_ref(), "", span, &mut best);
    best.map_or_else(String::new, |(_, way)| way)
}

fn search(table: &DeTable<'_>, around: &str, span: &Range<usize>, best: &mut Option<(usize, String)>) {
    for (key, value) in table {
        let name = key.get_ref();
        let bare =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let mut way = around.to_owned();
        if !way.is_empty() {
            way.push('.');
        }
        if bare {
            way.push_str(name);
        } else {
            let _ = write!(way, "\"{}\"", clean(name));
        }
        if key.span() == *span {
            *best = Some((0, way.clone()));
        }
        look(value.get_ref(), &value.span(), way, span, best);
    }
}

fn look(
    value: &DeValue<'_>,
    place: &Range<usize>,
    way: String,
    span: &Range<usize>,
    best: &mut Option<(usize, String)>,
) {
    match value {
        DeValue::Table(table) => search(table, &way, span, best),
        DeValue::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                look(item.get_ref(), &item.span(), format!("{way}[{at}]"), span, best);
            }
        }
        _ => {}
    }
    let holds = place.start <= span.start && span.end <= place.end && !span.is_empty();
    if holds && best.as_ref().is_none_or(|(length, _)| place.len() < *length) {
        *best = Some((place.len(), way));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::super::from_toml;
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read for its errors")]
    struct File {
        name: String,
        #[serde(default)]
        part: Vec<Part>,
        #[serde(default)]
        table: BTreeMap<String, Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read for its errors")]
    struct Part {
        count: u8,
        #[serde(default)]
        list: Vec<bool>,
    }

    fn slip(text: &str) -> String {
        Slip::of(text, from_toml::<File>(text).unwrap_err()).to_string()
    }

    #[test]
    fn a_slip_is_told_in_the_writers_words() {
        for (text, said) in [
            ("\n name = 3", "2:9: name is 3; write a text in quotes, \"..\""),
            ("", "1:1: `name` is missing"),
            ("nam = \"x\"", "1:1: `nam` is no setting; did you mean `name`?"),
            ("name = \"x\"\npart = 1", "2:8: part is 1; write a list, [\"..\", \"..\"]"),
            (
                "name = \"x\"\n[[part]]\ncount = 256",
                "3:9: part[0].count is 256; write a whole number from 0 to 255",
            ),
            (
                "name = \"x\"\n[[part]]\ncount = 2\nlist = [true, 1]",
                "4:15: part[0].list[1] is 1; write true or false",
            ),
            ("name = \"x\"\n[[part]]\n", "2:1: part[0] lacks `count`"),
            (
                "name = \"x\"\n[table.\"a b\"]\ncuont = 2",
                "3:1: `cuont` is no setting of table.\"a b\"; did you mean `count`?",
            ),
            (
                "name = \"x\"\ntable.a = { zzzz = 1 }",
                "2:13: `zzzz` is no setting of table.a; write one of count, list",
            ),
        ] {
            assert_eq!(slip(text), said, "{text}");
        }
    }

    #[test]
    fn a_value_that_may_be_a_secret_is_never_told() {
        for text in [
            "name = \"x\"\npart = \"sk-1234\"",
            "name = [\"sk-1234\"]",
            "name = \"x\"\n[table]\na = \"sk-1234\"",
        ] {
            let slip = Slip::without_values(text, from_toml::<File>(text).unwrap_err()).to_string();
            assert!(!slip.contains("1234"), "{slip}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_stops_it_and_its_place_is_inside(text in "[a-z\\[\\]{}=\"#.,1 \n\u{e9}]{0,120}") {
            if let Err(error) = from_toml::<File>(&text) {
                let slip = Slip::of(&text, &error);
                proptest::prop_assert!(slip.line >= 1 && slip.line <= text.matches('\n').count() + 1);
            }
        }
    }
}
