//! Values as columns: counts that may be unknown, amounts as two integers, words for states.

use std::borrow::Cow;

use rusqlite::types::Type;
use rusqlite::{Connection, Params, Row, Rows};

use crate::checks::Verdict;
use crate::pricing::{Cost, Terms, Unpriced, Usage};
use crate::routing::Check;
use crate::units::{Count, Pico};

/// How many rows go by between two looks at the progress.
pub(super) const STRIDE: u64 = 4_096;

/// Collects what is read of every row that a question has.
pub(super) fn all<T, All: FromIterator<T>>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<All> {
    conn.prepare_cached(sql)?.query_map(params, read)?.collect()
}

/// Rows of what belongs to operations or to their calls, in the order of those, read beside them.
pub(super) struct Beside<'s, Key, T> {
    rows: Rows<'s>,
    /// What was read too early, and what it belongs to.
    ahead: Option<(Key, T)>,
    ended: bool,
}

impl<'s, Key: Ord, T> Beside<'s, Key, T> {
    pub(super) fn new(rows: Rows<'s>) -> Self {
        Self { rows, ahead: None, ended: false }
    }

    /// Returns what is read of the next row that belongs to a key; those before it belong to nobody.
    pub(super) fn next(
        &mut self,
        key: &Key,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<(Key, T)>,
    ) -> rusqlite::Result<Option<T>> {
        loop {
            if self.ahead.is_none() && !self.ended {
                self.ahead = self.rows.next()?.map(&mut read).transpose()?;
                self.ended = self.ahead.is_none();
            }
            match self.ahead.take_if(|(own, _)| *own <= *key) {
                Some((own, row)) if own == *key => return Ok(Some(row)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}

/// Returns a whole number as SQLite holds it; the few beyond its range are cut.
pub(super) fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Returns a number of the database that is never negative.
pub(super) fn plain(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Returns a count as a column: unknown is NULL.
pub(super) fn count(count: Count) -> Option<i64> {
    count.get().map(whole)
}

/// Returns the six buckets as columns.
pub(super) fn buckets(usage: &Usage) -> [Option<i64>; 6] {
    [usage.input, usage.cache_read, usage.write_5m, usage.write_1h, usage.output, usage.reasoning].map(count)
}

/// Says that a column holds something unreadable.
pub(super) fn unreadable(
    at: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}

/// Reads a whole number that cannot be negative.
pub(super) fn count_at(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(at)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, value))
}

/// Reads six buckets from columns that stand side by side.
pub(super) fn usage_at(row: &Row<'_>, first: usize) -> rusqlite::Result<Usage> {
    let count = |place: usize| -> rusqlite::Result<Count> {
        let at = first + place;
        let value: Option<i64> = row.get(at)?;
        let value = value
            .map(|value| {
                u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, value))
            })
            .transpose()?;
        Count::from_option(value).ok_or(rusqlite::Error::IntegralValueOutOfRange(at, i64::MAX))
    };
    Ok(Usage {
        input: count(0)?,
        cache_read: count(1)?,
        write_5m: count(2)?,
        write_1h: count(3)?,
        output: count(4)?,
        reasoning: count(5)?,
    })
}

/// Pico-dollars in a micro-dollar, the whole of which a column holds beside the rest.
const PICO: i128 = 1_000_000;

/// An amount as the columns `micro` and `pico`.
pub(super) fn amount(amount: Pico) -> rusqlite::Result<(i64, i64)> {
    let both = (i64::try_from(amount.0.div_euclid(PICO)), i64::try_from(amount.0.rem_euclid(PICO)));
    match both {
        (Ok(micro), Ok(pico)) => Ok((micro, pico)),
        (Err(error), _) | (_, Err(error)) => Err(rusqlite::Error::ToSqlConversionFailure(Box::new(error))),
    }
}

/// Reads an amount from two columns that stand side by side; none where both are NULL.
pub(super) fn amount_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Pico>> {
    match (row.get::<_, Option<i64>>(at)?, row.get::<_, Option<i64>>(at + 1)?) {
        (Some(micro), Some(pico)) if (0..1_000_000).contains(&pico) => {
            Ok(Some(Pico(i128::from(micro) * PICO + i128::from(pico))))
        }
        (None, None) => Ok(None),
        (_, pico) => Err(rusqlite::Error::IntegralValueOutOfRange(at + 1, pico.unwrap_or(-1))),
    }
}

/// A cost as the columns `kind` and `why`.
pub(super) fn kind(cost: Cost) -> (&'static str, Option<&'static str>) {
    match cost {
        Cost::Known(_) => ("known", None),
        Cost::Estimated(_) => ("estimated", None),
        Cost::Unknown(why) => ("unknown", Some(why.name())),
    }
}

/// Reads a cost from its columns; `None` where they hold none that was written here.
pub(super) fn read_cost(kind: &str, why: Option<&str>, amount: Option<Pico>) -> Option<Cost> {
    match kind {
        "known" => amount.map(Cost::Known),
        "estimated" => amount.map(Cost::Estimated),
        "unknown" if amount.is_none() => Unpriced::from_name(why?).map(Cost::Unknown),
        _ => None,
    }
}

/// Reads the charge of a row whose columns from `at` on are kind, why and amount; `None` where there is none, or none that was
/// written here.
pub(super) fn charge_at(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Cost>> {
    let Some(kind) = maybe(row, at)? else { return Ok(None) };
    let amount = amount_at(row, at + 2)?;
    Ok(read_cost(kind, maybe(row, at + 1)?, amount))
}

/// Reads a text that may be NULL, without a copy.
pub(super) fn maybe<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<Option<&'r str>> {
    Ok(row.get_ref(at)?.as_str_or_null()?)
}

/// What checks said, as a column: a word, and behind it each verdict where a route has checks of its own,
/// `failed [{"by":"schema","says":"failed"}]`; NULL where nobody checked.
pub(super) fn check_text(check: Check, verdicts: &[Verdict]) -> Option<Cow<'static, str>> {
    let word = match check {
        Check::None if verdicts.is_empty() => return None,
        Check::None => "none",
        Check::Passed => "passed",
        Check::Failed => "failed",
    };
    if verdicts.is_empty() {
        return Some(word.into());
    }
    // Texts and numbers, into memory: that cannot fail.
    Some(format!("{word} {}", serde_json::to_string(verdicts).unwrap_or_default()).into())
}

/// Reads that column; `None` where it holds what was never written here.
pub(super) fn read_check(text: Option<&str>) -> Option<(Check, Vec<Verdict>)> {
    let Some(text) = text else { return Some((Check::None, Vec::new())) };
    let (word, verdicts) = text.split_once(' ').map_or((text, None), |(word, rest)| (word, Some(rest)));
    let verdicts: Vec<Verdict> = verdicts.map_or(Some(Vec::new()), |list| serde_json::from_str(list).ok())?;
    let check = match word {
        "none" => Check::None,
        "passed" => Check::Passed,
        "failed" => Check::Failed,
        _ => return None,
    };
    // Another text for the same would have another digest.
    (check_text(check, &verdicts).as_deref() == Some(text)).then_some((check, verdicts))
}

/// Returns meters as a column, `web_search=3 audio_input=900`; none is NULL.
pub(super) fn meters(terms: &Terms) -> Option<String> {
    let all: Vec<String> = terms.meters().map(|(name, count)| format!("{name}={count}")).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// Reads tier and meters from columns; `None` where they hold none that were written here.
pub(super) fn read_terms(tier: Option<&str>, meters: Option<&str>) -> Option<Terms> {
    let mut terms = Terms::NONE;
    terms.serve(tier.unwrap_or_default());
    for meter in meters.unwrap_or_default().split_ascii_whitespace() {
        let (name, count) = meter.split_once('=')?;
        terms.meter(name, count.parse().ok()?);
    }
    Some(terms)
}

/// Returns names as a column, a JSON list; none is NULL.
pub(super) fn list(names: &[impl AsRef<str>]) -> Option<String> {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    (!names.is_empty()).then(|| serde_json::to_string(&names).unwrap_or_default())
}

/// Reads that list; one that cannot be read is empty, and `check` tells of it.
pub(super) fn read_list(list: Option<String>) -> Vec<String> {
    list.and_then(|names| serde_json::from_str(&names).ok()).unwrap_or_default()
}

/// Returns text as a column: empty is NULL.
pub(super) fn word(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
