//! Spend by any list of dimensions, for people and programs.
//!
//! Invariants: every amount is exact but in the table for people; what is unknown is null, empty or counted, never zero; the
//! total is that of the replay report.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::figures::{self, By, Cell, Figures};
use super::parquet::{Column, parquet};
use super::sheet::{self, Format, Sheet, render};
use super::text::{cost, count, dollars_rounded};
use crate::pricing::CostSum;
use crate::telemetry::{Spend, SpendCell, SpendTable};
use crate::units::{Instant, Names, OTHERS, Pico, counted};

/// What a report on spend is about.
#[derive(Clone, Debug, Serialize)]
pub struct SpendScope {
    /// The logs.
    pub logs: Vec<String>,
    /// What it is told apart by.
    pub by: Vec<String>,
    /// The first request's moment.
    pub first_at: Option<String>,
    /// The last request's moment.
    pub last_at: Option<String>,
    /// The price book: name and date.
    pub prices: String,
    /// Whether every call is priced by the book, also where the log tells what was charged.
    pub repriced: bool,
    /// The model that savings are measured against.
    pub baseline_model: String,
    /// What a reader should know of the times; null where the log tells them.
    pub times: Option<String>,
    /// Lines of the log that could not be used.
    pub skipped_lines: u64,
}

/// One row, or the whole.
#[derive(Clone, Debug)]
pub struct SpendRow {
    /// Dimensions and their values; an empty value is not named.
    pub by: By,
    /// The sums.
    pub sums: SpendCell,
}

/// Spend by a list of dimensions.
#[derive(Clone, Debug, Serialize)]
pub struct SpendReport {
    schema: &'static str,
    /// What it is about.
    pub scope: SpendScope,
    /// The whole.
    pub total: SpendRow,
    /// The rows: in order of time where a dimension is one, else the most expensive first.
    pub rows: Vec<SpendRow>,
}

impl SpendRow {
    fn figures(&self) -> Figures {
        let SpendCell { tokens, cost, charged, .. } = &self.sums;
        let amount = |sum: &CostSum| (!sum.is_unknown()).then(|| sum.total());
        let charged = Some(charged).filter(|_| self.sums.charged_requests > 0).and_then(amount);
        let compared = |amount: Pico| (self.sums.comparable > 0).then_some(amount);
        let simulated =
            Some(&self.sums.simulated).filter(|_| self.sums.simulated_requests > 0).and_then(amount);
        vec![
            ("requests", Cell::Count(self.sums.requests)),
            ("calls", Cell::Count(self.sums.calls)),
            ("failed_calls", Cell::Count(self.sums.failed)),
            ("input", Cell::Count(tokens.input)),
            ("cache_read", Cell::Count(tokens.cache_read)),
            ("cache_write_5m", Cell::Count(tokens.write_5m)),
            ("cache_write_1h", Cell::Count(tokens.write_1h)),
            ("output", Cell::Count(tokens.output)),
            ("reasoning", Cell::Count(tokens.reasoning)),
            ("tokens_unknown_calls", Cell::Count(self.sums.tokens_unknown)),
            ("cost_usd", Cell::Usd(amount(cost))),
            ("cost_known_usd", Cell::Usd(Some(cost.known))),
            ("cost_estimated_usd", Cell::Usd(Some(cost.estimated))),
            ("cost_unknown_requests", Cell::Count(cost.unknown)),
            ("cost_unknown_calls", Cell::Count(self.sums.unknown_calls)),
            ("as_charged_usd", Cell::Usd(charged)),
            ("as_charged_requests", Cell::Count(self.sums.charged_requests)),
            ("baseline_usd", Cell::Usd(compared(self.sums.baseline))),
            ("saved_usd", Cell::Usd(compared(self.sums.baseline - self.sums.compared))),
            ("simulated_requests", Cell::Count(self.sums.simulated_requests)),
            ("simulated_usd", Cell::Usd(simulated)),
        ]
    }

    fn for_people(&self) -> Vec<String> {
        figures::row(&self.by, &self.sums, PEOPLE)
    }
}

/// What people look at.
const PEOPLE: &[sheet::Column<'_, SpendCell>] = &[
    (">requests", &|sums| count(sums.requests)),
    (">calls", &|sums| count(sums.calls)),
    (">input", &|sums| count(sums.tokens.input)),
    (">cache read", &|sums| count(sums.tokens.cache_read)),
    (">cache write", &|sums| count(sums.tokens.cache_write())),
    (">output", &|sums| count(sums.tokens.output)),
    (">cost", &|sums| {
        let about = if sums.cost.estimated == Pico::ZERO { "" } else { "~" };
        format!("{about}{}", sum_text(&sums.cost))
    }),
    (">estimated", &|sums| match sums.cost.estimated {
        Pico::ZERO => String::new(),
        some => dollars_rounded(&some.usd()),
    }),
    (">unknown", &|sums| if sums.cost.unknown == 0 { String::new() } else { count(sums.cost.unknown) }),
    (">as charged", &|sums| if sums.charged_requests == 0 { String::new() } else { sum_text(&sums.charged) }),
];

fn sum_text(sum: &CostSum) -> String {
    cost(sum.usd().as_deref())
}

impl Serialize for SpendRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        figures::write(&mut map, &self.by, &self.figures())?;
        map.end()
    }
}

/// Lists the rows of a table by the names of their values, at most `limit` with the rest as one; the most expensive first, in
/// order of time where a dimension is one.
pub fn spend_rows(spend: &Spend, table: &SpendTable, names: &Names, limit: Option<usize>) -> Vec<SpendRow> {
    // Two numbers may have one name: that of the others.
    let mut named: BTreeMap<Vec<String>, SpendCell> = BTreeMap::new();
    for (key, sums) in &table.rows {
        let texts = table.by.iter().zip(key).map(|(dimension, value)| spend.text(dimension, *value, names));
        named.entry(texts.collect()).or_default().merge(sums);
    }
    let mut rows: Vec<(Vec<String>, SpendCell)> = named.into_iter().collect();
    let by_cost = |rows: &mut Vec<(Vec<String>, SpendCell)>| {
        crate::units::sort_by(rows, |(one, a), (other, b)| {
            (b.cost.total(), b.requests).cmp(&(a.cost.total(), a.requests)).then_with(|| one.cmp(other))
        });
    };
    let is_in_time = table.by.iter().any(|dimension| dimension.period().is_some());
    by_cost(&mut rows);
    if let Some(limit) = limit.filter(|limit| *limit < rows.len()) {
        let mut others = SpendCell::default();
        rows.drain(limit..).for_each(|(_, sums)| others.merge(&sums));
        let name = vec![OTHERS.to_owned(); table.by.len()];
        match rows.iter_mut().find(|(texts, _)| *texts == name) {
            Some((_, sums)) => sums.merge(&others),
            None => rows.push((name, others)),
        }
    }
    if is_in_time {
        // What is left out has no moment.
        let is_rest = |name: &[String]| name.iter().all(|text| text == OTHERS);
        crate::units::sort_by(&mut rows, |(one, _), (other, _)| {
            (is_rest(one), one).cmp(&(is_rest(other), other))
        });
    }
    let heads: Vec<Arc<str>> = table.by.iter().map(|dimension| dimension.name().into()).collect();
    let row = |(texts, sums): (Vec<String>, SpendCell)| SpendRow {
        by: heads.iter().cloned().zip(texts).collect(),
        sums,
    };
    rows.into_iter().map(row).collect()
}

impl SpendReport {
    /// Draws up the report of the first table.
    pub fn new(mut scope: SpendScope, spend: &Spend, names: &Names, limit: Option<usize>) -> Self {
        let moment = |at: Option<Instant>| at.map(Instant::rfc3339);
        scope.first_at = moment(spend.within.map(|(first, _)| first));
        scope.last_at = moment(spend.within.map(|(_, last)| last));
        let table = spend.tables.first();
        scope.by =
            table.map(|table| table.by.iter().map(|by| by.name().to_owned()).collect()).unwrap_or_default();
        let rows = table.map(|table| spend_rows(spend, table, names, limit)).unwrap_or_default();
        let total = SpendRow { by: Vec::new(), sums: spend.all };
        Self { schema: "pointsman.report/1", scope, total, rows }
    }

    /// Writes it as table, CSV or Markdown.
    pub fn text(&self, format: Format) -> String {
        if format == Format::Csv {
            let rows = self.rows.iter().map(|row| (row.by.clone(), row.figures()));
            return render(&[figures::sheet(&self.scope.by, &self.total.figures(), rows)], format);
        }
        let mut text = render(&[self.sheet()], format);
        for remark in self.remarks() {
            text.push('\n');
            text.push_str(&remark);
            text.push('\n');
        }
        text
    }

    /// Writes its rows as a Parquet file, with the columns of the CSV.
    ///
    /// # Errors
    /// Where a page of it cannot be packed.
    pub fn parquet(&self) -> io::Result<Vec<u8>> {
        let by = self.scope.by.iter().enumerate().map(|(at, name)| {
            let named = |row: &SpendRow| row.by.get(at).map(|(_, value)| value.clone());
            let values = self.rows.iter().map(|row| named(row).filter(|value| !value.is_empty()));
            (name.clone(), Column::Text(values.collect()))
        });
        let mut columns: Vec<(String, Column)> = by.collect();
        let first = columns.len();
        columns.extend(self.total.figures().into_iter().map(|(name, cell)| match cell {
            Cell::Count(_) => (name.to_owned(), Column::Count(Vec::new())),
            Cell::Usd(_) => (name.to_owned(), Column::Usd(Vec::new())),
        }));
        for row in &self.rows {
            for ((_, column), (_, cell)) in columns.iter_mut().skip(first).zip(row.figures()) {
                match (column, cell) {
                    (Column::Count(values), Cell::Count(count)) => values.push(Some(count)),
                    (Column::Usd(values), Cell::Usd(amount)) => values.push(amount),
                    _ => {}
                }
            }
        }
        parquet(&columns)
    }

    /// Makes the table for people; its last row is the whole.
    pub(super) fn sheet(&self) -> Sheet {
        let mut sheet = figures::table(self.title(), &self.scope.by, PEOPLE);
        sheet.rows.extend(self.rows.iter().map(SpendRow::for_people));
        sheet.push(figures::whole(&self.scope.by, self.total.for_people()));
        sheet
    }

    pub(super) fn title(&self) -> String {
        let when = |at: &Option<String>| at.clone().unwrap_or_else(|| "-".to_owned());
        let SpendScope { logs, first_at, last_at, prices, .. } = &self.scope;
        format!("{} · {} to {} · prices {prices}", logs.join(", "), when(first_at), when(last_at))
    }

    /// Says what a reader of the figures has to know.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let sums = &self.total.sums;
        if sums.simulated_requests > 0 {
            let amount = sums.simulated.usd();
            let amount = amount.map_or_else(|| "of unknown cost".to_owned(), |amount| format!("${amount}"));
            remarks.push(format!(
                "of which simulated: {}, {amount}, which nobody bills",
                counted(sums.simulated_requests, "request")
            ));
        }
        if sums.cost.unknown > 0 {
            remarks.push(format!(
                "the cost of {} of {} requests is unknown ({}); it is in no amount",
                count(sums.cost.unknown),
                count(sums.requests),
                counted(sums.unknown_calls, "call")
            ));
        }
        if self.scope.by.iter().any(|by| matches!(by.as_str(), "model" | "provider")) {
            let parts: u64 = self.rows.iter().map(|row| row.sums.requests).sum();
            if parts > sums.requests {
                remarks.push(
                    "a request that called several models counts in the row of each; calls, tokens and amounts add up"
                        .to_owned(),
                );
            }
        }
        if self.scope.skipped_lines > 0 {
            remarks
                .push(format!("{} of the log could not be used", counted(self.scope.skipped_lines, "line")));
        }
        remarks.extend(self.scope.times.clone());
        remarks
    }
}
