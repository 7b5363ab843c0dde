//! Where in an entry something stands: a dotted path through JSON, a column of a row, or a path through JSON in a column.
//!
//! Invariant: what is not there, what is there and empty, and what is there stay three different things.

use std::borrow::Cow;

use serde_json::Value;

use crate::record::csv::Row;

/// A path, as written: `usage.prompt_tokens`, `choices.0.model`, `choices[0].model`, `Request tokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    /// Also the keys around a list of entries.
    pub(crate) steps: Vec<String>,
}

/// One entry of a log.
#[derive(Debug)]
pub(crate) enum Told<'t> {
    /// A JSON value.
    Json(Value),
    /// A row under a header.
    Row(Row<'t>),
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Found {
    /// The key or column is not there.
    Absent,
    /// It is there, and empty: `null`, empty text, a word for nothing.
    Empty,
    /// Text, a number or a truth value, as it prints.
    Word(String),
    /// A list or an object.
    Nested(Value),
}

impl Path {
    /// Reads a path.
    pub(crate) fn new(text: &str) -> Self {
        let text = text.trim();
        let dotted = text.strip_prefix("$.").unwrap_or(text).replace('[', ".").replace(']', "");
        let steps = dotted.split('.').filter(|step| !step.is_empty()).map(str::to_owned).collect();
        Self { text: text.to_owned(), steps }
    }

    /// Returns the path as written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Says whether it leads nowhere at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Looks at an entry.
    pub(crate) fn look(&self, entry: &Told<'_>) -> Found {
        match entry {
            Told::Json(value) => found(lookup(value, &self.steps).as_deref()),
            Told::Row(row) => self.cell(row),
        }
    }

    fn cell(&self, row: &Row<'_>) -> Found {
        let whole = self.text.to_lowercase();
        if let Some(cell) = row.find(&whole) {
            return word(cell);
        }
        // JSON within a column.
        for end in (1..self.steps.len()).rev() {
            let (column, rest) = self.steps.split_at(end);
            if let Some(cell) = row.find(&column.join(".").to_lowercase()) {
                let Some(value) = embedded(cell) else { continue };
                return found(lookup(&value, rest).as_deref());
            }
        }
        Found::Absent
    }
}

/// Follows a path; keys that hold dots themselves are found, too.
fn lookup<'v>(value: &'v Value, steps: &[String]) -> Option<Cow<'v, Value>> {
    let Some((first, rest)) = steps.split_first() else { return Some(Cow::Borrowed(value)) };
    match value {
        Value::Object(map) => {
            if let Some(found) = map.get(first.as_str()).and_then(|inner| lookup(inner, rest)) {
                return Some(found);
            }
            (2..=steps.len()).find_map(|end| {
                let (joined, rest) = steps.split_at(end);
                lookup(map.get(&joined.join("."))?, rest)
            })
        }
        Value::Array(list) => {
            let at: i64 = first.parse().ok()?;
            let place = usize::try_from(at)
                .ok()
                .or_else(|| list.len().checked_sub(usize::try_from(at.unsigned_abs()).ok()?))?;
            lookup(list.get(place)?, rest)
        }
        Value::String(text) => {
            let inner = embedded(text)?;
            lookup(&inner, steps).map(|found| Cow::Owned(found.into_owned()))
        }
        _ => None,
    }
}

/// Reads JSON that stands within text.
fn embedded(text: &str) -> Option<Value> {
    let text = text.trim();
    text.starts_with(['{', '[']).then(|| serde_json::from_str(text).ok()).flatten()
}

fn found(value: Option<&Value>) -> Found {
    match value {
        None => Found::Absent,
        Some(Value::Null) => Found::Empty,
        Some(Value::Bool(yes)) => Found::Word(yes.to_string()),
        Some(Value::Number(number)) => Found::Word(number.to_string()),
        Some(Value::String(text)) => word(text),
        Some(nested) => Found::Nested(nested.clone()),
    }
}

fn word(text: &str) -> Found {
    let text = text.trim();
    if text.is_empty()
        || ["null", "none", "nan", "n/a", "-", "\\n"].iter().any(|no| text.eq_ignore_ascii_case(no))
    {
        return Found::Empty;
    }
    Found::Word(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::csv::Columns;

    #[test]
    fn paths_find_what_is_there_and_nothing_else() {
        let text =
            r#"{"a":{"b":[{"c":1.50},{"c":null}]},"x.y":2,"raw":"{\"n\":12345678901234567890}","e":""}"#;
        let entry = Told::Json(serde_json::from_str(text).unwrap());
        let look = |path: &str| Path::new(path).look(&entry);
        let is = |text: &str| Found::Word(text.to_owned());
        assert_eq!(look("a.b.0.c"), is("1.50"));
        assert_eq!(look("$.a.b[0].c"), is("1.50"));
        assert_eq!(look("a.b.-1.c"), Found::Empty);
        assert_eq!(look("a.b.-3.c"), Found::Absent);
        assert_eq!(look("x.y"), is("2"));
        assert_eq!(look("raw.n"), is("12345678901234567890"), "no digit is lost");
        assert_eq!((look("e"), look("f"), look("e.f")), (Found::Empty, Found::Absent, Found::Absent));
        assert!(matches!(look("a"), Found::Nested(_)));
        let columns = Columns::read("Request Tokens;usage", b';');
        let row = Told::Row(columns.row(r#"5;"{""in"":7}""#));
        assert_eq!(Path::new("request tokens").look(&row), is("5"));
        assert_eq!(Path::new("usage.in").look(&row), is("7"));
        assert_eq!(Path::new("usage.out").look(&row), Found::Absent);
    }
}
