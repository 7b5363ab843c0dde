//! Requests one by one, as table, CSV, JSON or Markdown; written as they come, so that a million take no memory.
//!
//! Invariant: what is not known is empty or null, never zero; only the table for people is rounded.

use std::io::{self, Write};

use serde::Serialize;

use super::json::safe;
use super::sheet::{Format, Sheet, exact, render};
use super::text::{count, dollars_rounded};
use crate::outcome::{Operation, Settled};
use crate::pricing::Cost;
use crate::routing::Route;
use crate::units::{Names, PerMille, Pico, members};

members! {
    /// One request with its outcome.
    #[derive(Clone, Debug, Serialize)]
    pub struct RequestRow<'a>;
    /// Draws up one.
    pub fn new(id: &'a str, operation: &Operation, settled: &Settled, route: &'a Route, names: &'a Names) {
        let usage = settled.attempts.last().map(|attempt| attempt.usage).unwrap_or_default();
        let told: Pico = settled.attempts.iter().filter_map(|attempt| attempt.cost.amount()).sum();
        let is_part = settled.cost.amount().is_none() && told > Pico::ZERO;
    }
    /// Its id.
    pub id: &'a str = id,
    /// When it arrived.
    pub at: String = operation.at.rfc3339(),
    /// The team; null where not named. So with what follows.
    pub team: Option<&'a str> = operation.team.is_some().then(|| names.team(operation.team)),
    /// The project.
    pub project: Option<&'a str> = operation.project.is_some().then(|| names.project(operation.project)),
    /// The session.
    pub session: Option<&'a str> = Some(names.session(operation.session)).filter(|name| !matches!(*name, "" | "-")),
    /// The kind of work.
    pub task: &'a str = operation.class.name(),
    /// The route that takes it.
    pub route: &'a str = &route.name,
    /// The confidence, 0 to 1000.
    pub confidence: Option<u16> = operation.confidence().map(PerMille::get),
    /// Where the confidence comes from.
    pub confidence_from: &'static str = operation.source.text(),
    /// The model that answered.
    pub model: Option<&'a str> = settled.model.is_some().then(|| names.model(settled.model)),
    /// The rung that answered.
    pub rung: Option<&'a str> = route.ladder.get(usize::from(settled.rung)).map(|rung| &*rung.name),
    /// How it ended.
    pub status: &'static str = settled.status.name(),
    /// Whether it went up the ladder.
    pub escalated: bool = settled.escalated,
    /// Calls to models.
    pub calls: usize = settled.attempts.len(),
    /// Fresh prompt tokens of the answering call. The tokens that follow are that call's, too.
    pub input: Option<u64> = usage.input.get(),
    /// Prompt tokens read from cache.
    pub cache_read: Option<u64> = usage.cache_read.get(),
    /// Prompt tokens written to cache, both lifetimes.
    pub cache_write: Option<u64> = usage.write_5m.get().zip(usage.write_1h.get()).map(|(a, b)| a + b),
    /// Answer tokens.
    pub output: Option<u64> = usage.output.get(),
    /// How long it took, all calls together.
    pub latency_ms: Option<u64> = settled.latency.get(),
    /// What all its calls cost; null where any of them is unknown.
    pub cost_usd: Option<String> = settled.cost.amount().map(Pico::usd),
    /// `known`, `estimated` or `unknown`.
    pub cost_kind: &'static str = match settled.cost {
        Cost::Known(_) => "known",
        Cost::Estimated(_) => "estimated",
        Cost::Unknown(_) => "unknown",
    },
    /// What the answering call's tokens would have cost on the baseline.
    pub baseline_usd: Option<String> = settled.baseline.amount().map(Pico::usd),
    /// Whether any call is an estimate of what another model would have done.
    pub estimated: bool = settled.estimated,
    /// Whether it was synthetic for a demonstration.
    pub simulated: bool = operation.simulated,
    /// What is known of a cost that is not: the sum of those of its calls whose cost is told; null where there is none.
    pub known_part_usd: Option<String> = is_part.then(|| told.usd()),
}

/// A column: its head, and what a request has there.
type Column = (&'static str, &'static dyn Fn(&RequestRow<'_>) -> String);

/// All that is known, exact.
const EXACT: &[Column] = exact! {
    id at team project session task route confidence confidence_from model rung status escalated calls input cache_read
    cache_write output latency_ms cost_usd cost_kind baseline_usd estimated simulated known_part_usd
};

fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

fn counted(n: Option<u64>) -> String {
    n.map_or_else(|| "-".to_owned(), count)
}

/// What people look at.
const PEOPLE: &[Column] = &[
    ("at", &|row| row.at.clone()),
    ("id", &|row| row.id.to_owned()),
    ("team", &|row| or_dash(row.team)),
    ("task", &|row| row.task.to_owned()),
    (">conf", &|row| counted(row.confidence.map(u64::from))),
    ("model", &|row| or_dash(row.model)),
    ("status", &|row| format!("{}{}", row.status, if row.escalated { ", escalated" } else { "" })),
    (">in", &|row| {
        let parts = [row.input, row.cache_read, row.cache_write];
        counted(parts.into_iter().try_fold(0, |sum: u64, part| part.map(|part| sum.saturating_add(part))))
    }),
    (">out", &|row| counted(row.output)),
    (">latency", &|row| row.latency_ms.map_or_else(|| "-".to_owned(), |ms| format!("{} ms", count(ms)))),
    (">cost", &|row| match (&row.cost_usd, &row.known_part_usd) {
        (Some(usd), _) if row.cost_kind == "estimated" => format!("~{}", dollars_rounded(usd)),
        (Some(usd), _) => dollars_rounded(usd),
        (None, Some(part)) => format!("{} + unknown", dollars_rounded(part)),
        (None, None) => "unknown".to_owned(),
    }),
];

fn columns(format: Format) -> &'static [Column] {
    if format == Format::Csv { EXACT } else { PEOPLE }
}

/// What a list of requests is about.
#[derive(Clone, Debug, Serialize)]
pub struct RequestsScope {
    /// The log.
    pub log: String,
    /// `recorded` or `routed`.
    pub reading: &'static str,
    /// The filter; empty for none.
    pub filter: String,
    /// The price book: name and date.
    pub prices: String,
}

/// Writes requests as they come.
#[derive(Debug)]
pub struct RequestsWriter<W: Write> {
    out: W,
    format: Format,
    rows: Vec<Vec<String>>,
    written: u64,
}

/// Rows written at once; the table for people, whose columns fit all rows, is written as a whole.
const BATCH: usize = 4096;

impl<W: Write> RequestsWriter<W> {
    /// Starts.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn new(mut out: W, format: Format, scope: &RequestsScope) -> io::Result<Self> {
        if format == Format::Json {
            let scope = serde_json::to_string(scope).map_err(io::Error::from)?;
            write!(out, "{{\"schema\":\"pointsman.requests/1\",\"scope\":{},\"requests\":[", safe(&scope))?;
        }
        Ok(Self { out, format, rows: Vec::new(), written: 0 })
    }

    /// Writes a request.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn push(&mut self, row: &RequestRow<'_>) -> io::Result<()> {
        match self.format {
            Format::Json => {
                let comma = if self.written > 0 { "," } else { "" };
                let row = serde_json::to_string(row).map_err(io::Error::from)?;
                write!(self.out, "{comma}\n{}", safe(&row))?;
                self.written += 1;
            }
            format => self.rows.push(columns(format).iter().map(|(_, cell)| cell(row)).collect()),
        }
        if self.rows.len() >= BATCH && self.format != Format::Table { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let heads: Vec<&'static str> = columns(self.format).iter().map(|(head, _)| *head).collect();
        let first = self.written == 0;
        self.written += self.rows.len() as u64;
        let mut sheet = Sheet::new("", &heads);
        sheet.rows = std::mem::take(&mut self.rows);
        let text = render(&[sheet], self.format);
        // The heads stand above the first stretch only.
        let above = match self.format {
            _ if first => 0,
            Format::Md => 2,
            _ => 1,
        };
        let rest = text.split_inclusive('\n').skip(above);
        rest.into_iter().try_for_each(|line| self.out.write_all(line.as_bytes()))
    }

    /// Writes what is left, and returns the output back.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        if self.format == Format::Json {
            self.out.write_all(b"\n]}\n")?;
        } else if !self.rows.is_empty() || self.written == 0 {
            self.flush()?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str) -> RequestRow<'_> {
        RequestRow {
            id,
            at: "2026-05-23T10:00:00Z".to_owned(),
            team: Some("a,\"b\""),
            project: None,
            session: None,
            task: "question",
            route: "general",
            confidence: Some(700),
            confidence_from: "recorded",
            model: None,
            rung: None,
            status: "ok",
            escalated: false,
            calls: 1,
            input: Some(1234),
            cache_read: Some(0),
            cache_write: None,
            output: None,
            latency_ms: Some(1500),
            cost_usd: None,
            cost_kind: "unknown",
            baseline_usd: Some("0.002468".to_owned()),
            estimated: false,
            simulated: true,
            known_part_usd: None,
        }
    }

    fn written(format: Format, count: usize) -> String {
        let scope = RequestsScope {
            log: "x.jsonl".to_owned(),
            reading: "recorded",
            filter: "team:a".to_owned(),
            prices: "list 2026".to_owned(),
        };
        let mut out = RequestsWriter::new(Vec::new(), format, &scope).unwrap();
        for _ in 0..count {
            out.push(&row("r-1")).unwrap();
        }
        String::from_utf8(out.finish().unwrap()).unwrap()
    }

    #[test]
    fn every_form_holds_every_row_once_and_one_line_of_heads() {
        for count in [0, 1, BATCH, 2 * BATCH + 1] {
            let csv = written(Format::Csv, count);
            assert_eq!(csv.lines().count(), count + 1, "{count}");
            assert_eq!(csv.matches("confidence_from").count(), 1, "{count}");
            assert_eq!(written(Format::Md, count).lines().count(), count + 2, "{count}");
            assert_eq!(written(Format::Table, count).lines().count(), count + 1, "{count}");
            let json: serde_json::Value = serde_json::from_str(&written(Format::Json, count)).unwrap();
            assert_eq!(json["requests"].as_array().unwrap().len(), count);
        }
    }

    #[test]
    fn the_unknown_is_empty_or_null_and_never_zero() {
        let csv = written(Format::Csv, 1);
        assert!(csv.contains("\"a,\"\"b\"\"\",,,question"), "{csv}");
        assert!(csv.contains(",1234,0,,,1500,,unknown,0.002468,false,true,"), "{csv}");
        let json: serde_json::Value = serde_json::from_str(&written(Format::Json, 1)).unwrap();
        assert!(json["requests"][0]["cost_usd"].is_null() && json["requests"][0]["output"].is_null());
        assert!(written(Format::Table, 1).contains("unknown"));
    }

    #[test]
    fn what_is_known_of_an_unknown_cost_is_shown_with_it() {
        let row = RequestRow { known_part_usd: Some("0.0028".to_owned()), ..row("r-1") };
        let told = |columns: &[Column], named: &str| {
            columns.iter().find(|(head, _)| *head == named).map(|(_, cell)| cell(&row)).unwrap()
        };
        assert_eq!(told(PEOPLE, ">cost"), "$0.002800 + unknown");
        assert_eq!(told(EXACT, "known_part_usd"), "0.0028");
        assert_eq!(told(EXACT, "cost_usd"), "");
    }
}
