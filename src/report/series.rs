//! Scored series as table, JSON, CSV or Markdown.

use serde::Serialize;

use super::json::to_json;
use super::sheet::{Format, Sheet, render};
use super::text::count;

/// A score from which on a point is worth an alarm.
const ALARM: f64 = 0.5;

/// A point and its score.
#[derive(Clone, Debug, Serialize)]
pub struct ScoredPoint {
    /// The moment as it was given.
    pub timestamp: Box<str>,
    /// The value; null where none was given.
    pub value: Option<f64>,
    /// From 0 to 1; null where there is no value to score.
    pub score: Option<f64>,
}

/// A series, scored.
#[derive(Clone, Debug, Serialize)]
pub struct SeriesReport {
    /// Its file.
    pub file: String,
    /// All its points, in their order.
    pub points: Vec<ScoredPoint>,
}

impl SeriesReport {
    /// Returns the points at which something begins: worth an alarm, while the one before was not.
    fn onsets(&self) -> impl Iterator<Item = &ScoredPoint> {
        let is_alarm = |point: &ScoredPoint| point.score.is_some_and(|score| score >= ALARM);
        let before = std::iter::once(false).chain(self.points.iter().map(is_alarm));
        self.points
            .iter()
            .zip(before)
            .filter(move |(point, was)| is_alarm(point) && !was)
            .map(|(point, _)| point)
    }
}

#[derive(Serialize)]
struct Several<'a> {
    schema: &'static str,
    series: &'a [SeriesReport],
}

#[derive(Serialize)]
struct One<'a> {
    schema: &'static str,
    #[serde(flatten)]
    series: &'a SeriesReport,
}

const SCHEMA: &str = "pointsman.series/1";

/// Writes scored series: all points for programs, where something begins for people.
///
/// # Errors
/// Only where a value cannot be written as JSON, which no series has.
pub fn series_text(all: &[SeriesReport], format: Format) -> Result<String, serde_json::Error> {
    match (format, all) {
        (Format::Json, [series]) => to_json(&One { schema: SCHEMA, series }),
        (Format::Json, series) => to_json(&Several { schema: SCHEMA, series }),
        (Format::Csv, _) => Ok(rows(all)),
        (Format::Table | Format::Md, _) => Ok(summary(all, format)),
    }
}

fn rows(all: &[SeriesReport]) -> String {
    let heads: &[&str] = &["file", "timestamp", ">value", ">score"];
    let left_out = usize::from(all.len() == 1);
    let mut sheet = Sheet::new("", heads.get(left_out..).unwrap_or(heads));
    let number = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    for series in all {
        for point in &series.points {
            let cells =
                [series.file.clone(), point.timestamp.to_string(), number(point.value), number(point.score)];
            sheet.push(cells.into_iter().skip(left_out).collect());
        }
    }
    render(&[sheet], Format::Csv)
}

fn summary(all: &[SeriesReport], format: Format) -> String {
    let sheets: Vec<Sheet> = all
        .iter()
        .map(|series| {
            let onsets: Vec<&ScoredPoint> = series.onsets().collect();
            let points = count(series.points.len() as u64);
            let found = match onsets.len() {
                0 => "nothing unusual".to_owned(),
                found => format!("{} worth an alarm", count(found as u64)),
            };
            let mut sheet = Sheet::new(
                format!("{}: {points} points, {found}", series.file),
                &["timestamp", ">value", ">score"],
            );
            for point in onsets {
                let number = |number: Option<f64>| number.unwrap_or_default();
                sheet.push(vec![
                    point.timestamp.to_string(),
                    number(point.value).to_string(),
                    format!("{:.2}", number(point.score)),
                ]);
            }
            if sheet.rows.is_empty() && format == Format::Table {
                sheet.heads.clear();
            }
            sheet
        })
        .collect();
    render(&sheets, format)
}
