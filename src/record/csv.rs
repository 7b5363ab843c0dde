//! Comma-separated rows: cut into fields and found by the names in the header.

use std::borrow::Cow;

use serde_json::Value;

use super::skip::Refusal;

/// The column names of a file, in order, in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub(crate) names: Vec<String>,
    /// What stands between fields.
    pub(crate) delimiter: u8,
}

impl Columns {
    /// Reads the header row; `delimiter` stands between its fields.
    pub(crate) fn read(row: &str, delimiter: u8) -> Self {
        let names = Self::exact(row, delimiter).names.iter().map(|name| name.to_lowercase()).collect();
        Self { names, delimiter }
    }

    /// Reads the header row of a table whose rows stand for objects: its names stay as they are.
    pub(crate) fn exact(row: &str, delimiter: u8) -> Self {
        let names: Vec<String> = split(row, delimiter).0.iter().map(|name| name.trim().to_owned()).collect();
        // Which of two columns of one name is meant is to be said.
        let apart = |(at, name): (usize, &String)| {
            let is_same = |other: &&String| !name.is_empty() && name.eq_ignore_ascii_case(other);
            let before = names.iter().take(at).filter(is_same).count();
            let is_one = names.iter().filter(is_same).count() < 2;
            if is_one { name.clone() } else { format!("{name}#{}", before + 1) }
        };
        Self { names: names.iter().enumerate().map(apart).collect(), delimiter }
    }

    /// Returns the number of columns.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    /// Says whether there are none, as in a log that is no table.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Says whether a column is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|column| column == name)
    }

    /// Cuts a row into its named fields.
    pub(crate) fn row<'r>(&'r self, text: &'r str) -> Row<'r> {
        let (fields, is_open) = split(text, self.delimiter);
        Row { columns: self, fields, is_open }
    }
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row<'r> {
    columns: &'r Columns,
    fields: Vec<Cow<'r, str>>,
    /// Whether a quote in it is never closed.
    is_open: bool,
}

impl Row<'_> {
    /// Returns a field, trimmed; empty where the column or the field is missing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// Returns a field, trimmed; `None` where the column is missing.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        let place = self.columns.names.iter().position(|column| column == name)?;
        Some(self.fields.get(place).map_or("", |field| field.trim()))
    }

    /// Reads a count; empty is unknown.
    pub(crate) fn count(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        // Some writers print whole numbers with a fraction of zero.
        let whole = text
            .split_once('.')
            .filter(|(_, zeros)| zeros.bytes().all(|b| b == b'0'))
            .map_or(text, |(n, _)| n);
        whole.parse().map(Some).map_err(|_| Refusal::Bad(format!("{name}: `{text}` is not a whole number")))
    }

    /// Reads seconds as microseconds; empty is unknown.
    pub(crate) fn micros(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let text = self.get(name);
        if text.is_empty() {
            return Ok(None);
        }
        let micros = text.parse().ok().and_then(micros_of);
        micros.map(Some).ok_or_else(|| Refusal::Bad(format!("{name}: `{text}` is not a number of seconds")))
    }

    /// Checks that the row has as many fields as the header.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        if self.is_open {
            return Err(Refusal::Bad("a quote opens a field and nothing closes it".to_owned()));
        }
        let (found, wanted) = (self.fields.len(), self.columns.names.len());
        if found == wanted {
            return Ok(());
        }
        Err(Refusal::Bad(format!("{found} fields where the header names {wanted}")))
    }
}

impl Row<'_> {
    /// Writes it as a JSON object, as a database exports the same row: what is empty is not there, and JSON within a field
    /// is what it says.
    pub(crate) fn object(&self) -> Result<String, Refusal> {
        self.check()?;
        let fields =
            self.columns.names.iter().zip(&self.fields).filter(|(_, field)| !field.trim().is_empty());
        let value = |field: &str| match field.trim() {
            word if word.eq_ignore_ascii_case("true") => Value::Bool(true),
            word if word.eq_ignore_ascii_case("false") => Value::Bool(false),
            word if word.starts_with(['{', '[']) => {
                serde_json::from_str(word).unwrap_or_else(|_| Value::from(field))
            }
            _ => Value::from(field),
        };
        let object = fields.map(|(name, field)| (name.clone(), value(field))).collect();
        Ok(Value::Object(object).to_string())
    }
}

/// Turns seconds into microseconds; `None` where they are negative or more than a thousand years.
pub(crate) fn micros_of(seconds: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "in range by the test before")]
    (seconds.is_finite() && (0.0..3.2e10).contains(&seconds)).then(|| (seconds * 1e6).round() as i64)
}

/// Cuts a row at its delimiters, and says whether a quote is never closed; fields that begin with a quote may hold delimiters and
/// doubled quotes.
fn split(row: &str, delimiter: u8) -> (Vec<Cow<'_, str>>, bool) {
    let delimiter = char::from(delimiter);
    if !row.contains('"') {
        return (row.split(delimiter).map(Cow::Borrowed).collect(), false);
    }
    let mut fields = Vec::new();
    let (mut field, mut quoted, mut is_start) = (String::new(), false, true);
    let mut chars = row.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if quoted => quoted = false,
            '"' if is_start => quoted = true,
            c if c == delimiter && !quoted => fields.push(Cow::Owned(std::mem::take(&mut field))),
            other => field.push(other),
        }
        is_start = c == delimiter && !quoted;
    }
    fields.push(Cow::Owned(field));
    (fields, quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_name_whatever_their_order() {
        let columns = Columns::read("Timestamp,\"Log, Type\",Request tokens", b',');
        let row = columns.row("5.0,\"a \"\"b\"\", c\",472.0");
        assert_eq!(row.get("log, type"), "a \"b\", c");
        assert_eq!(columns.row("\"\",,").check(), Ok(()), "empty fields are fields");
        assert_eq!(row.count("request tokens"), Ok(Some(472)));
        assert_eq!(row.micros("timestamp"), Ok(Some(5_000_000)));
        assert_eq!(row.get("absent"), "");
        assert_eq!(columns.row("5\" pipe,x,y").get("timestamp"), "5\" pipe", "as rows are cut");
        assert!(columns.row("1,x,\"open").check().is_err());
        assert!(columns.row("1,2").check().is_err());
        assert!(columns.row("x,y,-3").count("request tokens").is_err());
    }
}
