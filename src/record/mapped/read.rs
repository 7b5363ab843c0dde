//! One entry of a log of one's own shape, read by its mapping.

use std::borrow::Cow;

use serde_json::Value;

use super::field::{Field, Unit};
use super::path::{Found, Path, Told as Standing};
use super::shape::Shape;
use super::{Mapping, value};
use crate::classifier::TaskClass;
use crate::pricing::Terms;
use crate::record::attempts::some_terms;
use crate::record::csv::Columns;
use crate::record::foreign::{TRACE_EPOCH, Tags, by_column, by_name, millis_between, tag_words};
use crate::record::known::Told;
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts, Writes, or_refused};
use crate::record::{Attempt, Attempts, Check, Error, InputFormat, Record, RecordedNeeds, Timing, plausible};
use crate::routing::Status;
use crate::units::{Count, Instant, PerMille, Span, nearest};

/// An entry, and where to look in it.
struct Reading<'m, 't> {
    mapping: &'m Mapping,
    entry: Standing<'t>,
}

/// A count that may be there.
#[derive(Clone, Copy, Default)]
struct Said {
    tokens: Option<u64>,
    /// Whether its key is there and holds nothing, which is unknown; a key that is not there may be none.
    is_empty: bool,
}

/// Reads an entry; `line` dates the entries of a log that tells no times.
pub(crate) fn entry(mapping: &Mapping, columns: &Columns, text: &str, line: u64) -> Result<Told, Refusal> {
    let entry = if columns.is_empty() {
        let value: Value =
            serde_json::from_str(text).map_err(|error| Refusal::Bad(format!("not JSON: {error}")))?;
        if !value.is_object() && !value.is_array() {
            return Err(Refusal::bad("not an object; each entry is one, with a key for each field"));
        }
        Standing::Json(value)
    } else {
        let row = columns.row(text);
        row.check()?;
        Standing::Row(row)
    };
    let mut record = Reading { mapping, entry }.record(line)?;
    let id = &record.id;
    record.attempts.iter_mut().for_each(|attempt| {
        by_column(InputFormat::Mapped, attempt);
        by_name(attempt, id);
        attempt.usage = plausible(attempt.usage, attempt.charged).0;
    });
    Ok(Told::from(record))
}

impl Reading<'_, '_> {
    fn record(&self, line: u64) -> Result<Record<'static>, Refusal> {
        let status = self.status()?;
        let latency = self.millis(Field::Latency)?;
        let (at, ended) = (self.moment(Field::At)?, self.moment(Field::Ended)?);
        let attempt = Attempt {
            latency_ms: latency.or_else(|| millis_between(at?, ended)),
            ttft_ms: self.millis(Field::FirstToken)?,
            ..self.attempt(status)?
        };
        let is_offset = || {
            let field = if at.is_some() { Field::At } else { Field::Ended };
            matches!(self.find(field), Some((_, unit, Found::Word(word))) if value::is_offset(&word, unit))
        };
        let timing = match (at, ended) {
            (None, None) => Timing::Placed,
            _ if is_offset() => Timing::Offset,
            _ => Timing::Told,
        };
        let at = match (at, ended) {
            (Some(at), _) => at,
            (None, Some(ended)) => Instant(ended.0.saturating_sub(i64::from(latency.unwrap_or(0)) * 1000)),
            (None, None) if self.is_dated() => {
                return Err(Refusal::Bad(format!(
                    "at: nothing stands at {}; a request needs its moment",
                    self.paths(Field::At)
                )));
            }
            // A log without times: a second for each line keeps the order.
            (None, None) => TRACE_EPOCH + Span::secs(i64::try_from(line).unwrap_or(i64::MAX / 2_000_000)),
        };
        let small = |count: Option<u64>| count.and_then(|count| u32::try_from(count).ok());
        Ok(Record {
            id: self.text(Field::Id)?,
            at,
            timing,
            team: self.text(Field::Team)?,
            project: self.text(Field::Project)?,
            user: self.text(Field::User)?,
            session: self.text(Field::Session)?,
            asked: self.text(Field::Asked)?,
            task: Some(self.text(Field::Task)?)
                .filter(|task| !task.is_empty())
                .map(|task| task.parse().unwrap_or(TaskClass::Other)),
            confidence: self.confidence()?,
            turn: small(self.count(Field::Turn)?.tokens),
            tools: self.tools()?,
            history: small(self.count(Field::History)?.tokens),
            prompt: self.prompt(),
            attempts: Attempts::one(attempt),
            needs: RecordedNeeds { down: self.tags(), ..RecordedNeeds::default() },
            claimed_usd: self.cost()?,
            ..Record::default()
        })
    }

    /// Reads the tags; what holds a list or an object is none.
    fn tags(&self) -> Vec<Cow<'static, str>> {
        let value = |paths: &[Path]| {
            paths.iter().find_map(|path| match path.look(&self.entry) {
                Found::Word(word) => Some(word),
                _ => None,
            })
        };
        let told = self.mapping.tags.iter().filter_map(|(name, paths)| Some((name.clone(), value(paths)?)));
        tag_words(&[&Tags::of_pairs(told)], &[])
    }

    /// Says whether the mapping tells where moments stand.
    fn is_dated(&self) -> bool {
        self.mapping.place(Field::At).is_some() || self.mapping.place(Field::Ended).is_some()
    }

    fn attempt(&self, status: Status) -> Result<Attempt<'static>, Refusal> {
        let cost = self.cost()?.unwrap_or_default();
        let counted = or_refused(self.usage()?.unless_billed(&cost, || false), status).answered(status);
        let Counted { usage, write_ttl, is_guess, .. } = counted;
        let mut terms = Terms::default();
        terms.serve(&self.text(Field::Tier)?);
        let error = self.error().filter(|_| !status.is_ok()).unwrap_or_default();
        Ok(Attempt {
            model: self.text(Field::Model)?,
            provider: self.text(Field::Provider)?,
            estimated: is_guess && usage.is_known(),
            usage,
            write_ttl,
            status,
            error: Cow::Owned(error.chars().take(200).collect()),
            check: self.checked()?,
            terms: some_terms(&terms),
            ..Attempt::default()
        })
    }

    fn usage(&self) -> Result<Counted, Refusal> {
        let (whole, fresh) = (self.count(Field::In)?, self.count(Field::Fresh)?);
        let (out, answer) = (self.count(Field::Out)?, self.count(Field::Answer)?);
        let (cached, reasoning) = (self.count(Field::Cached)?, self.count(Field::Reasoning)?);
        let (short, long) = (self.count(Field::CacheWrite)?, self.count(Field::CacheWriteHour)?);
        let is_split = self.mapping.place(Field::CacheWriteHour).is_some();
        let parts = Parts {
            input: whole.tokens.or(fresh.tokens),
            read: cached.tokens.unwrap_or(0),
            writes: Writes {
                total: short.tokens.filter(|_| !is_split),
                short: short.tokens.filter(|_| is_split),
                long: long.tokens,
            },
            output: out.tokens.or(answer.tokens),
            reasoning: reasoning.tokens,
            total: self.count(Field::Total)?.tokens,
            ..Parts::default()
        };
        let claim = Claim {
            is_cached_within: self.mapping.place(Field::Fresh).is_none(),
            is_reasoning_within: self.mapping.place(Field::Answer).is_none(),
            ..Claim::WHOLE
        };
        let mut counted = parts.counted(claim)?.believed(0);
        // What the log has a place for and leaves empty is unknown.
        for (said, bucket) in [
            (cached, &mut counted.usage.cache_read),
            (short, &mut counted.usage.write_5m),
            (long, &mut counted.usage.write_1h),
        ] {
            if said.is_empty {
                *bucket = Count::UNKNOWN;
            }
        }
        Ok(counted)
    }

    /// Finds what stands where a field is said to; the first path under which anything stands.
    fn find(&self, field: Field) -> Option<(&Path, Option<Unit>, Found)> {
        let place = self.mapping.place(field)?;
        let mut best = None;
        for path in &place.paths {
            match path.look(&self.entry) {
                Found::Absent => {}
                Found::Empty => best = best.or(Some((path, place.unit, Found::Empty))),
                found => return Some((path, place.unit, found)),
            }
        }
        best
    }

    /// Reads a word; `what` says what should stand there.
    fn word<T>(
        &self,
        field: Field,
        what: &str,
        read: impl Fn(&str, Option<Unit>) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some((path, unit, found)) = self.find(field) else { return Ok(None) };
        match found {
            Found::Absent | Found::Empty => Ok(None),
            Found::Word(word) => read(&word, unit).map(Some).ok_or_else(|| {
                let shown: String = word.chars().take(60).collect();
                Refusal::Bad(format!(
                    "{}: {} holds `{shown}`, which is no {what}",
                    field.name(),
                    path.as_str()
                ))
            }),
            Found::Nested(value) => {
                let inside = match &value {
                    Value::Object(map) => map.keys().next().map_or("0", String::as_str).to_owned(),
                    _ => "0".to_owned(),
                };
                Err(Refusal::Bad(format!(
                    "{}: {path} holds {}; name something in it, like {path}.{inside}",
                    field.name(),
                    if value.is_array() { "a list" } else { "an object" },
                    path = path.as_str(),
                )))
            }
        }
    }

    fn text(&self, field: Field) -> Result<Cow<'static, str>, Refusal> {
        Ok(self.word(field, "text", |word, _| Some(Cow::Owned(word.to_owned())))?.unwrap_or_default())
    }

    fn count(&self, field: Field) -> Result<Said, Refusal> {
        let tokens = self.word(field, "whole number that is not negative", |word, _| value::count(word))?;
        let is_empty = tokens.is_none() && self.find(field).is_some();
        Ok(Said { tokens, is_empty })
    }

    fn moment(&self, field: Field) -> Result<Option<Instant>, Refusal> {
        self.word(
            field,
            "time; tell its unit (at_ms=..), the order of its date (at_dmy=.., at_mdy=..) or write it like 2026-05-23T10:00:01.120Z",
            value::moment,
        )
    }

    fn millis(&self, field: Field) -> Result<Option<u32>, Refusal> {
        let unit_of = |told: Option<Unit>, path: &str| told.or_else(|| Unit::of_time_in(path));
        let Some((path, unit, _)) = self.find(field) else { return Ok(None) };
        let unit = unit_of(unit, path.as_str());
        let what = if unit.is_some() {
            "length of time"
        } else {
            "length of time with a unit; tell it (latency_ms=.., latency_s=..)"
        };
        self.word(field, what, |word, _| value::millis(word, unit))
    }

    fn error(&self) -> Option<String> {
        match self.find(Field::Error)?.2 {
            Found::Word(word)
                if !matches!(word.to_ascii_lowercase().as_str(), "false" | "0" | "no" | "[]" | "{}") =>
            {
                Some(word)
            }
            Found::Nested(Value::Object(map)) if !map.is_empty() => {
                let said =
                    ["code", "type", "status", "message"].iter().find_map(|key| map.get(*key)?.as_str());
                Some(said.unwrap_or("error").to_owned())
            }
            Found::Nested(Value::Array(list)) if !list.is_empty() => Some("error".to_owned()),
            _ => None,
        }
    }

    fn status(&self) -> Result<Status, Refusal> {
        if let Some(status) = self.word(Field::Status, "status", |word, _| Some(value::status(word)))? {
            return Ok(status);
        }
        Ok(self.error().map_or(Status::Ok, |error| match value::status(&error) {
            // An error is one, whatever it is called.
            Status::Ok => Status::Failed,
            status => status,
        }))
    }

    fn checked(&self) -> Result<Check, Refusal> {
        Ok(self.word(Field::Check, "yes or no", |word, _| value::checked(word))?.unwrap_or_default())
    }

    fn confidence(&self) -> Result<Option<PerMille>, Refusal> {
        self.word(Field::Confidence, "confidence from 0 to 1 or 0 to 1000", |word, _| {
            if word.contains('.') {
                PerMille::from_probability(word.parse().ok()?)
            } else {
                PerMille::new(word.parse().ok()?)
            }
        })
    }

    /// How many tools were offered: a number, or a list of them.
    fn tools(&self) -> Result<Option<u32>, Refusal> {
        if let Some((.., Found::Nested(Value::Array(list)))) = self.find(Field::Tools) {
            return Ok(u32::try_from(list.len()).ok());
        }
        Ok(self.count(Field::Tools)?.tokens.and_then(|count| u32::try_from(count).ok()))
    }

    fn cost(&self) -> Result<Option<Cow<'static, str>>, Refusal> {
        Ok(self.word(Field::Cost, "amount of money", value::dollars)?.map(Cow::Owned))
    }

    /// The last user message: text, or the last of a list of messages that is a user's.
    fn prompt(&self) -> Option<Cow<'static, str>> {
        match self.find(Field::Prompt)?.2 {
            Found::Word(word) => Some(Cow::Owned(word)),
            Found::Nested(Value::Array(messages)) => {
                let of_user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
                let last = messages.iter().rev().find(of_user)?;
                let text = match last.get("content")? {
                    Value::String(text) => text.clone(),
                    Value::Array(parts) => {
                        let texts = parts.iter().filter_map(|part| part.get("text")?.as_str());
                        texts.collect::<Vec<_>>().join("\n")
                    }
                    _ => return None,
                };
                Some(Cow::Owned(text))
            }
            _ => None,
        }
    }

    fn paths(&self, field: Field) -> String {
        let paths = |field| {
            self.mapping.place(field).into_iter().flat_map(|place| place.paths.iter().map(Path::as_str))
        };
        paths(field).chain(paths(Field::Ended)).collect::<Vec<_>>().join(", ")
    }
}

/// Checks that a mapping fits the beginning of a log, so that a slip of a key is told at once.
pub(crate) fn check(mapping: &Mapping, shape: &Shape, file: &str) -> Result<(), Error> {
    let entries = shape.samples();
    if entries.is_empty() {
        return Ok(());
    }
    let fields = mapping
        .places
        .iter()
        .map(|place| (place.field.name().to_owned(), &place.paths, place.field.is_needed()));
    let tags = mapping.tags.iter().map(|(name, paths)| (format!("tag.{name}"), paths, false));
    for (name, paths, is_needed) in fields.chain(tags) {
        let is_there = |path: &Path| entries.iter().any(|entry| path.look(entry) != Found::Absent);
        if paths.iter().any(is_there) {
            continue;
        }
        let Some(path) = paths.first() else { continue };
        let near = nearest(path.as_str(), shape.keys.iter().map(String::as_str)).into_iter().next();
        // A key that is seldom there may just not have come yet.
        if near.is_some() || is_needed || shape.is_rows() {
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            let reason = format!(
                "--map {name}={}: none of the first {} entries has it{hint}\nit holds {}",
                path.as_str(),
                entries.len(),
                shape.describe()
            );
            return Err(Error::Mapping { file: file.to_owned(), reason });
        }
    }
    Ok(())
}
