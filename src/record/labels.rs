//! Lines of labels: a confidence, and how good the cheap and the strong answer were; no requests, so no log format.
//!
//! Invariant: a outcome that is not there is unknown, never bad; a line that is none is told with its place.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::Deserialize;
use serde_json::Value;

use super::beginning::bare;
use super::cut::BLOCK;
use super::{Error, Input};
use crate::units::PerMille;

/// Lines by which it is known what is read.
const LOOKED_AT: usize = 64;
/// Bad lines that are told one by one.
const TOLD: usize = 5;

/// One line: what it does not say is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// How sure the classifier was.
    pub confidence: Option<PerMille>,
    /// The quality of the cheap answer.
    pub cheap: Option<PerMille>,
    /// The quality of the strong answer.
    pub strong: Option<PerMille>,
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgements {
    /// The lines in their order.
    pub lines: Vec<Judgement>,
    /// Lines that could not be used.
    pub bad: u64,
    /// The first of them, each with its file, its line and what is wrong.
    pub told: Vec<String>,
    /// Lines in whose place a later one with the same `id` counts: the same request told twice is no more evidence than once.
    pub again: u64,
}

#[derive(Deserialize)]
struct Line {
    /// Whose labels they are, where the line says.
    #[serde(default)]
    id: Value,
    #[serde(default)]
    confidence: Value,
    #[serde(default)]
    cheap: Value,
    #[serde(default)]
    strong: Value,
    /// Only logs have it.
    #[serde(default)]
    at: Value,
}

impl Judgements {
    /// Reads the first part of an input, plain or packed; `None` where it is none of these, but perhaps a log.
    ///
    /// # Errors
    /// Where it cannot be read, or where a line is bad and every one has to be good.
    pub fn open(input: &Input, is_strict: bool) -> Result<Option<Self>, Error> {
        let Some(stream) = input.open(0, &Arc::new(AtomicU64::new(0))) else { return Ok(None) };
        let stream = stream?;
        let (name, most) = (stream.name.clone(), ("labels of more than", "cut them into files"));
        let read = stream.all(most, &mut |bytes, is_all| {
            if !is_all && bytes.len() < BLOCK && !bytes.contains(&b'\n') {
                return None;
            }
            looks_like_labels(bytes).or_else(|| (is_all || bytes.len() >= BLOCK).then_some(false))
        });
        let Some(bytes) = read? else { return Ok(None) };
        let (mut found, mut places) = (Self::default(), HashMap::new());
        let text = bare(&bytes);
        for (line, row) in (1u64..).zip(text.split(|byte| *byte == b'\n')) {
            if row.trim_ascii().is_empty() {
                continue;
            }
            match judgement(row) {
                Ok((id, judgement)) => {
                    let place = id.map(|id| *places.entry(id).or_insert(found.lines.len()));
                    match place.and_then(|place| found.lines.get_mut(place)) {
                        Some(known) => (*known, found.again) = (judgement, found.again + 1),
                        None => found.lines.push(judgement),
                    }
                }
                Err(reason) if is_strict => return Err(Error::Bad { file: name, line, reason }),
                Err(reason) => {
                    found.bad += 1;
                    if found.told.len() < TOLD {
                        found.told.push(format!("{name}:{line}: {reason}"));
                    }
                }
            }
        }
        Ok(Some(found))
    }
}

/// Says whether one of the first lines is a label; `None` where none tells.
fn looks_like_labels(bytes: &[u8]) -> Option<bool> {
    let bytes = bare(bytes);
    let whole = memchr::memrchr(b'\n', bytes).map_or(bytes, |end| bytes.get(..end).unwrap_or_default());
    let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.take(LOOKED_AT).find_map(|line| {
        let line: Line = serde_json::from_slice(line).ok()?;
        let has_outcome = !line.cheap.is_null() || !line.strong.is_null();
        (has_outcome || !line.at.is_null()).then_some(line.at.is_null())
    })
}

/// Reads a line: the id as it is written, where there is one, and what is said.
fn judgement(row: &[u8]) -> Result<(Option<String>, Judgement), String> {
    if !row.trim_ascii_start().starts_with(b"{") {
        return Err("not an object of a label".to_owned());
    }
    let line: Line =
        serde_json::from_slice(row).map_err(|error| format!("not an object of a label: {error}"))?;
    let id = (line.id.is_string() || line.id.is_number()).then(|| line.id.to_string());
    let judgement = Judgement {
        confidence: per_mille("confidence", &line.confidence)?,
        cheap: per_mille("cheap", &line.cheap)?,
        strong: per_mille("strong", &line.strong)?,
    };
    Ok((id.filter(|id| id != "\"\""), judgement))
}

fn per_mille(key: &str, value: &Value) -> Result<Option<PerMille>, String> {
    if value.is_null() {
        return Ok(None);
    }
    // A table in which some are missing is written with points: 1000.0.
    let text = value.to_string();
    let whole = text.strip_suffix(".0").unwrap_or(&text).parse().ok().and_then(PerMille::new);
    whole.map(Some).ok_or_else(|| {
        let found = if value.is_string() { "a text" } else { "this" };
        let mut text = value.to_string();
        if text.len() > 40 {
            text = text.chars().take(40).chain(std::iter::once('…')).collect();
        }
        format!("`{key}` has to be a whole number from 0 to 1000; {found} is not: {text}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Judgements> {
        Judgements::open(&Input::bytes("l.jsonl", text.to_owned().into_bytes()), false).unwrap()
    }

    #[test]
    fn labels_are_known_by_their_keys_and_logs_are_none() {
        let found = read("\u{feff}{\"confidence\":900,\"cheap\":1000,\"strong\":0,\"id\":\"x\"}\r\n\n{\"cheap\":1,\"confidence\":2}").unwrap();
        assert_eq!((found.lines.len(), found.bad), (2, 0));
        assert_eq!(found.lines[1].strong, None, "a outcome that is not there is unknown");
        assert_eq!(read("junk\n{\"confidence\":900,\"cheap\":1000,\"strong\":0}\n").unwrap().bad, 1);
        for log in [
            "",
            "{\"pointsman\":\"log\",\"v\":2}\n{\"at\":\"2026-01-01T00:00:00Z\",\"confidence\":5}\n",
            "{\"at\":\"2026-01-01T00:00:00Z\",\"cheap\":5,\"strong\":7}\n",
            "a,b\n1,2\n",
        ] {
            assert_eq!(read(log), None, "{log}");
        }
    }

    /// A file that was written twice into one would halve every chance of luck.
    #[test]
    fn the_same_id_counts_once_as_it_was_told_last() {
        let line = |id: &str, cheap: u16| {
            format!("{{\"id\":{id},\"confidence\":900,\"cheap\":{cheap},\"strong\":1000}}\n")
        };
        let found =
            read(&[line("\"a\"", 0), line("7", 1000), line("\"a\"", 1000), line("\"7\"", 0)].concat())
                .unwrap();
        assert_eq!((found.lines.len(), found.again), (3, 1), "7 and \"7\" are two");
        assert_eq!(found.lines[0].cheap, PerMille::new(1000));
        let without = read(&[line("null", 0), line("\"\"", 0), line("null", 0)].concat()).unwrap();
        assert_eq!((without.lines.len(), without.again), (3, 0), "whose they are is not told");
    }

    #[test]
    fn a_bad_line_is_told_with_its_place() {
        let text = "{\"confidence\":900,\"cheap\":1000,\"strong\":0}\n{\"confidence\":\"900\",\"cheap\":1,\"strong\":0}\n{\"confidence\":0.9,\"cheap\":1,\"strong\":0}\n{\"confidence\":9,\"cheap\":1001,\"strong\":0}\n[]\n";
        let found = read(text).unwrap();
        assert_eq!((found.lines.len(), found.bad), (1, 4));
        assert_eq!(
            found.told[0],
            "l.jsonl:2: `confidence` has to be a whole number from 0 to 1000; a text is not: \"900\""
        );
        let strict = Judgements::open(&Input::bytes("l.jsonl", text.to_owned().into_bytes()), true);
        assert!(strict.unwrap_err().to_string().starts_with("l.jsonl:2: "));
    }
}
