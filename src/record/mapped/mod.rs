//! Logs of one's own shape: a mapping says where in an entry each field of ours stands.
//!
//! Invariants: a mapping is read once and refused as a whole where it makes no sense; what it does not find is unknown,
//! never zero; where it finds what cannot be meant, the entry is bad, and the reason names path and value.

mod date;
mod field;
mod names;
mod path;
mod propose;
mod read;
mod shape;
mod value;

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::units::{Slip, from_toml, is_tag_name, line_of, nearest};

pub(super) use date::{civil, wants_order};
pub(crate) use field::Field;
use field::{FIELDS, Unit};
use path::Path;
pub(crate) use propose::propose;
pub(crate) use read::{check, entry};
pub(crate) use shape::{Cut, Shape};

/// Where in the entries of a log the fields of ours stand.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Mapping {
    places: Vec<Place>,
    /// Tags by name.
    tags: Vec<(String, Vec<Path>)>,
    /// The list that holds the entries, where told.
    rows: Option<Path>,
    /// What stands between the fields of a row, where told.
    delimiter: Option<u8>,
}

/// Where one field stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    field: Field,
    unit: Option<Unit>,
    /// The first path under which something stands holds.
    paths: Vec<Path>,
}

/// Why a mapping makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MappingError(String);

/// A mapping as its file has it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write a path in quotes, \"usage.in\", or a list of them to try")]
enum Paths {
    One(String),
    Several(Vec<String>),
}

impl Mapping {
    /// Reads `at=ts,model=req.model,in=usage.prompt`; a field named again has another path to try.
    ///
    /// # Errors
    /// Where a field is none of ours or has no path.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let mut mapping = Self::default();
        for part in split(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let (name, path) = part.split_once('=').ok_or_else(|| {
                MappingError(format!("`{part}` is no FIELD=PATH; write it like model=req.model"))
            })?;
            mapping.add(name.trim(), path.trim().trim_matches('"'))?;
        }
        mapping.checked()
    }

    /// Reads a mapping's file, `origin` for messages: TOML with a path, or a list of paths to try, for each field.
    ///
    /// # Errors
    /// Where it is no TOML, a field is none of ours or has no path.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, MappingError> {
        let fields: BTreeMap<String, toml::Spanned<Paths>> =
            from_toml(text).map_err(|error| MappingError(format!("{origin}:{}", Slip::of(text, &error))))?;
        let mut mapping = Self::default();
        for (name, paths) in fields {
            let line = line_of(text, paths.span().start);
            let paths = match paths.into_inner() {
                Paths::One(path) => vec![path],
                Paths::Several(paths) => paths,
            };
            for path in paths {
                mapping
                    .add(&name, &path)
                    .map_err(|MappingError(why)| MappingError(format!("{origin}:{line}: {why}")))?;
            }
        }
        mapping.checked().map_err(|MappingError(why)| MappingError(format!("{origin}: {why}")))
    }

    fn add(&mut self, name: &str, path: &str) -> Result<(), MappingError> {
        if name == "delimiter" {
            self.delimiter = Some(delimiter(path)?);
            return Ok(());
        }
        let path = Path::new(path);
        if path.is_empty() {
            return Err(MappingError(format!(
                "{name}: the path is missing; write it like {name}=usage.{name}"
            )));
        }
        if name == "rows" {
            self.rows = Some(path);
            return Ok(());
        }
        if let Some(tag) = name.strip_prefix("tag.").or_else(|| name.strip_prefix("tag:")) {
            if !is_tag_name(tag) {
                return Err(MappingError(format!(
                    "{name}: no name of a tag; write it like tag.env={}",
                    path.as_str()
                )));
            }
            match self.tags.iter_mut().find(|(known, _)| known == tag) {
                Some((_, paths)) => paths.push(path),
                None => self.tags.push((tag.to_owned(), vec![path])),
            }
            return Ok(());
        }
        let Some((field, unit)) = Field::named(name) else { return Err(unknown(name)) };
        match self.places.iter_mut().find(|place| place.field == field) {
            Some(place) if place.unit == unit => place.paths.push(path),
            Some(_) => return Err(MappingError(format!("{name}: told in two units"))),
            None => self.places.push(Place { field, unit, paths: vec![path] }),
        }
        Ok(())
    }

    fn checked(self) -> Result<Self, MappingError> {
        if self.places.is_empty() {
            return Err(MappingError(
                "it names no field; write it like at=ts,model=req.model,in=usage.prompt".to_owned(),
            ));
        }
        for (one, other) in [(Field::In, Field::Fresh), (Field::Out, Field::Answer)] {
            if self.place(one).is_some() && self.place(other).is_some() {
                let (one, other) = (one.name(), other.name());
                return Err(MappingError(format!(
                    "`{one}` and `{other}` tell the same tokens in two ways; name one"
                )));
            }
        }
        Ok(self)
    }

    fn place(&self, field: Field) -> Option<&Place> {
        self.places.iter().find(|place| place.field == field)
    }

    /// Writes it as it is told on the command line.
    pub fn text(&self) -> String {
        let quoted = |path: &Path| match path.as_str() {
            plain if plain.contains(',') => format!("\"{plain}\""),
            plain => plain.to_owned(),
        };
        let rows = self.rows.iter().map(|rows| format!("rows={}", quoted(rows)));
        let places = self.places.iter().flat_map(|place| {
            let unit = place.unit.map(|unit| format!("_{}", unit.suffix())).unwrap_or_default();
            let name = format!("{}{unit}", place.field.name());
            place.paths.iter().map(move |path| format!("{name}={}", quoted(path)))
        });
        let tags = self
            .tags
            .iter()
            .flat_map(|(name, paths)| paths.iter().map(move |path| format!("tag.{name}={}", quoted(path))));
        rows.chain(places).chain(tags).collect::<Vec<_>>().join(",")
    }
}

fn delimiter(word: &str) -> Result<u8, MappingError> {
    match word {
        "comma" | "" => Ok(b','),
        "tab" | "\\t" => Ok(b'\t'),
        "semicolon" => Ok(b';'),
        "pipe" => Ok(b'|'),
        one if one.len() == 1 && one.is_ascii() => Ok(one.bytes().next().unwrap_or(b',')),
        other => {
            Err(MappingError(format!("delimiter: `{other}` is none; write comma, tab, semicolon or pipe")))
        }
    }
}

fn unknown(name: &str) -> MappingError {
    let known: Vec<&str> = FIELDS.iter().map(|(_, name, _)| *name).collect();
    let near = nearest(name, known.iter().copied()).into_iter().next();
    let hint = near.map_or_else(|| ".".to_owned(), |near| format!("; did you mean `{near}`?"));
    MappingError(format!(
        "`{name}` is no field{hint} Fields: {}, tag.NAME, rows, delimiter; times take _s, _ms, _us, _ns, cost takes _cents",
        known.join(", ")
    ))
}

/// Cuts at commas outside of quotes.
fn split(text: &str) -> Vec<&str> {
    let mut is_quoted = false;
    text.split(move |c: char| {
        is_quoted ^= c == '"';
        (c == ',' || c == '\n') && !is_quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_the_same_on_the_command_line_and_in_a_file() {
        let line = Mapping::parse(
            "at=ts, model=req.model,model=model,in=usage.prompt,latency_ms=dur,team=\"Team, cost centre\",tag.env=labels.env",
        )
        .unwrap();
        let file = "at = \"ts\"\nmodel = [\"req.model\", \"model\"]\nin = \"usage.prompt\"\nlatency_ms = \"dur\"\nteam = \"Team, cost centre\"\n\"tag.env\" = \"labels.env\"\n";
        let mut file = Mapping::from_toml(file, "m.toml").unwrap();
        file.places.sort_by_key(|place| line.places.iter().position(|other| other == place));
        assert_eq!(line, file);
        assert_eq!(Mapping::parse(&line.text()).unwrap(), line);
    }

    #[test]
    fn what_makes_no_sense_is_told_with_what_would() {
        for (text, says) in [
            ("modle=m", "did you mean `model`?"),
            ("model", "FIELD=PATH"),
            ("model=", "path is missing"),
            ("", "names no field"),
            ("in=a,fresh=b", "name one"),
            ("latency_ms=a,latency_s=b", "two units"),
            ("delimiter=xx,model=m", "semicolon"),
            ("model=m,tag.=x", "tag.env"),
        ] {
            let error = Mapping::parse(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
        let error = Mapping::from_toml("at = \"ts\"\n\ncots = \"c\"\n", "m.toml").unwrap_err().to_string();
        assert!(error.starts_with("m.toml:3: ") && error.contains("cost"), "{error}");
    }
}
