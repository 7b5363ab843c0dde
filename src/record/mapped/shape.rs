//! What the beginning of a log looks like: how its entries are to be cut, which keys they have, and some of them.

use serde_json::Value;

use super::Mapping;
use super::path::Told;
use crate::record::csv::Columns;
use crate::record::cut::{Elements, MAX_ENTRY, Piece};
use crate::record::json::{end_of_text, is_too_deep};
use crate::record::rows::Rows;

/// How many entries are looked at, how many keys are gathered, and how deep.
const SAMPLES: usize = 200;
const KEYS: usize = 200;
const DEEPEST: usize = 6;
/// Keys that are shown.
const SHOWN: usize = 24;

/// How a log is cut into entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// One object a line.
    Lines,
    /// JSON values over several lines, or the members of a list; the keys around it, where there are any.
    Values(Vec<String>),
    /// Rows under a header, with what stands between their fields.
    Rows(u8),
}

/// What a log looks like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// How it is cut.
    pub(crate) cut: Cut,
    /// The first entries as text.
    pub(crate) entries: Vec<String>,
    /// That of rows; empty for JSON.
    pub(crate) header: Columns,
    /// The paths of its keys, in the order in which they were met.
    pub(crate) keys: Vec<String>,
}

impl Shape {
    /// Looks at the beginning of a log; `None` where it is neither JSON nor rows under a header.
    pub(crate) fn of(start: &[u8], mapping: Option<&Mapping>) -> Option<Self> {
        let rows = mapping.and_then(|mapping| mapping.rows.as_ref()).map(|rows| rows.steps.clone());
        let text = start.trim_ascii_start();
        if !matches!(text.first()?, b'{' | b'[') {
            return Self::rows(text, mapping.and_then(|mapping| mapping.delimiter));
        }
        let cut = match rows {
            Some(keys) => Cut::Values(keys),
            None if text.first() == Some(&b'[') => Cut::Values(Vec::new()),
            None if is_lines(text) => Cut::Lines,
            None => Cut::Values(longest_list(text)),
        };
        let around = if let Cut::Values(keys) = &cut { keys.clone() } else { Vec::new() };
        let (mut data, mut pieces) = (Vec::new(), Vec::new());
        Elements::new(around, MAX_ENTRY, 1).feed(text, &mut data, &mut pieces);
        let whole = |piece: &Piece| {
            let bytes = data.get(piece.start..piece.end).filter(|_| !piece.giant)?;
            std::str::from_utf8(bytes).ok().map(str::to_owned)
        };
        let entries: Vec<String> =
            pieces.iter().filter_map(whole).filter(|text| text.starts_with('{')).take(SAMPLES).collect();
        let mut keys = Vec::new();
        for entry in &entries {
            if let Ok(value) = serde_json::from_str(entry) {
                gather(&value, "", DEEPEST, &mut keys);
            }
        }
        Some(Self { cut, entries, header: Columns::default(), keys })
    }

    /// Reads a table: as many fields in one of its first rows as in its header, the most that any delimiter gives.
    fn rows(text: &[u8], told: Option<u8>) -> Option<Self> {
        let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
        let first = std::str::from_utf8(text.get(..end)?).ok()?.trim();
        let below = text.get((end + 1).min(text.len())..).unwrap_or_default();
        let table = |delimiter: u8| {
            let (mut data, mut pieces) = (Vec::new(), Vec::new());
            Rows::new(delimiter, MAX_ENTRY, 2).feed(below, &mut data, &mut pieces);
            let row = |piece: &Piece| {
                let row = std::str::from_utf8(data.get(piece.start..piece.end)?).ok()?;
                (!row.trim().is_empty()).then(|| row.to_owned())
            };
            let entries: Vec<String> = pieces.iter().filter_map(row).take(SAMPLES).collect();
            let header = Columns::read(first, delimiter);
            // Prose has commas, too, but not as many in the lines below.
            let is_row = |row: &String| header.row(row).check().is_ok();
            let fits = header.len() > 1 && (entries.is_empty() || entries.iter().any(is_row));
            fits.then_some((delimiter, header, entries))
        };
        let told = told.map_or_else(|| vec![b',', b'\t', b';', b'|'], |told| vec![told]);
        let (delimiter, header, entries) =
            told.into_iter().filter_map(table).max_by_key(|(by, header, _)| (header.len(), *by == b','))?;
        let keys = Columns::exact(first, delimiter).names;
        Some(Self { cut: Cut::Rows(delimiter), entries, header, keys })
    }

    /// Says whether its keys are those of what providers report of a day or an hour: no log has them.
    pub(crate) fn is_report(&self) -> bool {
        const MARKS: [&str; 3] = ["num_model_requests", "amount_value", "billedcost"];
        // Of these one alone may be somebody's own.
        const TOGETHER: [&str; 3] = ["starting_at", "ending_at", "uncached_input_tokens"];
        let has = |mark: &&str| {
            let is_it =
                |key: &String| key.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case(mark));
            self.keys.iter().any(is_it)
        };
        MARKS.iter().any(has) || TOGETHER.iter().filter(|mark| has(mark)).count() > 1
    }

    /// Says whether it is rows under a header.
    pub(crate) fn is_rows(&self) -> bool {
        matches!(self.cut, Cut::Rows(_))
    }

    /// Returns the first entries.
    pub(crate) fn samples(&self) -> Vec<Told<'_>> {
        let entries = self.entries.iter();
        if self.is_rows() {
            return entries.map(|text| Told::Row(self.header.row(text))).collect();
        }
        entries.filter_map(|text| serde_json::from_str(text).ok().map(Told::Json)).collect()
    }

    /// Says in one line what it is.
    pub(crate) fn describe(&self) -> String {
        let mut shown = self.keys.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        if self.keys.len() > SHOWN {
            shown.push_str(", ..");
        }
        match &self.cut {
            Cut::Lines => format!("JSON lines with keys {shown}"),
            Cut::Values(around) if around.is_empty() => format!("a list of JSON objects with keys {shown}"),
            Cut::Values(around) => {
                format!("JSON with a list under {} of objects with keys {shown}", around.join("."))
            }
            Cut::Rows(b',') => format!("CSV with columns {shown}"),
            Cut::Rows(b'\t') => format!("TSV with columns {shown}"),
            Cut::Rows(by) => format!("CSV (between fields `{}`) with columns {shown}", char::from(*by)),
        }
    }
}

/// Says whether a text is one object a line: two lines are, or the only one is and holds no list of most of it.
fn is_lines(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let is_object = |line: &[u8]| {
        line.first() == Some(&b'{')
            && line.last() == Some(&b'}')
            && !is_too_deep(line)
            && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
    };
    match (lines.next(), lines.next()) {
        (Some(one), Some(other)) => is_object(one) || is_object(other),
        (Some(only), None) => is_object(only) && longest_list(only).is_empty(),
        _ => false,
    }
}

/// Finds the keys around the list of objects that takes most of a text, which may be cut off; empty where none takes
/// half of it.
fn longest_list(text: &[u8]) -> Vec<String> {
    /// What surrounds the place: an object with the key read last, or a list with where it begins.
    enum Around {
        Object(String),
        List(usize, Vec<String>),
    }
    let (mut around, mut best): (Vec<Around>, (usize, Vec<String>)) = (Vec::new(), (0, Vec::new()));
    let (mut at, mut word) = (0, (0, 0));
    let path = |around: &[Around]| {
        around
            .iter()
            .map(|one| if let Around::Object(key) = one { Some(key.clone()) } else { None })
            .collect::<Option<Vec<_>>>()
    };
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => {
                word.0 = at;
                at = end_of_text(text, at);
                word.1 = at.min(text.len());
                at += 1;
            }
            b':' => {
                if let Some(Around::Object(key)) = around.last_mut() {
                    *key = String::from_utf8_lossy(text.get(word.0..word.1).unwrap_or_default()).into_owned();
                }
            }
            b'{' if around.len() < 64 => around.push(Around::Object(String::new())),
            b'[' if around.len() < 64 => {
                let inside = text.get(at..).unwrap_or_default().trim_ascii_start().first() == Some(&b'{');
                let keys = path(&around).filter(|_| inside).unwrap_or_default();
                around.push(Around::List(at, keys));
            }
            b'}' | b']' => {
                if let Some(Around::List(start, keys)) = around.pop()
                    && !keys.is_empty()
                    && at - start > best.0
                {
                    best = (at - start, keys);
                }
                if around.is_empty() {
                    // The first object tells.
                    break;
                }
            }
            _ => {}
        }
    }
    let end = at;
    // A list that the beginning does not reach the end of is the one.
    for open in around {
        if let Around::List(start, keys) = open
            && !keys.is_empty()
            && end.saturating_sub(start) > best.0
        {
            best = (end - start, keys);
        }
    }
    if best.0 * 2 > end { best.1 } else { Vec::new() }
}

/// Gathers the paths of words in a value.
fn gather(value: &Value, path: &str, left: usize, keys: &mut Vec<String>) {
    let Some(left) = left.checked_sub(1) else { return };
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                gather(inner, &below(key), left, keys);
            }
        }
        // What stands in a list has its place in it, which is seldom a field.
        Value::Array(list) => {
            if let Some(first @ Value::Object(_)) = list.first().filter(|_| list.len() == 1) {
                gather(first, &below("0"), left, keys);
            }
        }
        Value::String(text) if text.starts_with('{') => match serde_json::from_str::<Value>(text) {
            Ok(inner @ Value::Object(_)) => gather(&inner, path, left, keys),
            _ => note(path, keys),
        },
        _ => note(path, keys),
    }
}

fn note(path: &str, keys: &mut Vec<String>) {
    if !path.is_empty() && keys.len() < KEYS && !keys.iter().any(|key| key == path) {
        keys.push(path.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Option<(Cut, Vec<String>, usize)> {
        Shape::of(text.as_bytes(), None)
            .map(|shape| (shape.cut.clone(), shape.keys.clone(), shape.entries.len()))
    }

    #[test]
    fn every_arrangement_is_seen() {
        let keys = || vec!["a".to_owned(), "u.b".to_owned()];
        let one = r#"{"a":1,"u":{"b":2}}"#;
        let values = |around: &[&str]| Cut::Values(around.iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(shape(&format!("{one}\n{one}\n")), Some((Cut::Lines, keys(), 2)));
        assert_eq!(shape(&format!("[{one},{one}]")), Some((values(&[]), keys(), 2)));
        assert_eq!(
            shape(&format!("{{\"n\":2,\"r\":{{\"items\":[{one},{one}]}}}}")),
            Some((values(&["r", "items"]), keys(), 2))
        );
        assert_eq!(
            shape(&format!("{{\n\"items\": [\n{one},\n{one}")),
            Some((values(&["items"]), keys(), 2)),
            "cut off"
        );
        assert_eq!(shape("{\n \"a\":1,\n \"u\":{\"b\":2}\n}\n{\"a\":1}"), Some((values(&[]), keys(), 2)));
        assert_eq!(shape("a;b\n1;2\n"), Some((Cut::Rows(b';'), vec!["a".into(), "b".into()], 1)));
        assert_eq!(shape("a\tb,c\n1\t2\n"), Some((Cut::Rows(b'\t'), vec!["a".into(), "b,c".into()], 1)));
        assert_eq!(shape("hello, my dear friend, how are you\nI am well\n"), None);
        assert!(shape("a,b,c\n1,2\n1,2,3\n").is_some(), "one short row is one bad line");
        assert_eq!(shape("hello\n"), None);
        assert_eq!(shape(""), None);
    }
}
