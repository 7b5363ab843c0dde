//! Incidents of a log as table, JSON, CSV or Markdown.

use serde::Serialize;

use super::sheet::{Format, Sheet, render};
use super::text::{count, dollars_rounded};
use crate::anomaly::{Cause, Changed, Incident, Knobs, Metric, Onset, Scope, Window};
use crate::units::{Names, Span, members};

/// A figure: money as decimal text, anything else as a number; null where unknown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Figure {
    /// Dollars, exact.
    Usd(String),
    /// Requests, tokens, milliseconds, or a share from 0 to 1.
    Number(f64),
    /// Unknown.
    Unknown(()),
}

members! {
    /// A figure of a part of the traffic, before and during an incident.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct ChangedRow;
    fn new(naming: &Naming<'_>, changed: &Changed) {
        let (by, name) = naming.scope(changed.scope);
    }
        /// `all`, `team`, `project`, `route` or `model`.
        pub by: &'static str = by,
        /// Its name; empty for all.
        pub name: String = name,
        /// The figure.
        pub metric: &'static str = changed.metric.name(),
        /// What it is counted in.
        pub unit: &'static str = unit(changed.metric),
        /// What was usual.
        pub usual: Figure = naming.figure(changed.metric, &changed.before),
        /// What it was.
        pub during: Figure = naming.figure(changed.metric, &changed.during),
        /// The change in per cent of what was usual; null where that was nothing.
        pub change_percent: Option<f64> = changed.change().map(|change| rounded(change * 100.0)),
}

members! {
    /// A part of the traffic that explains an incident.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct CauseRow;
    fn new(naming: &Naming<'_>, metric: Metric, cause: &Cause) {
        let (by, name) = naming.scope(cause.scope);
    }
    /// `team`, `project`, `route` or `model`.
    pub by: &'static str = by,
    /// Its name.
    pub name: String = name,
    /// Its share of the change, in per cent; more than 100 where others fell meanwhile.
    pub share_percent: f64 = rounded(cause.share * 100.0),
    /// What was usual of it.
    pub usual: Figure = naming.figure(metric, &cause.before),
    /// What it was.
    pub during: Figure = naming.figure(metric, &cause.during),
}

members! {
    /// One incident.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct IncidentRow;
    /// Draws up one incident.
    pub fn new(naming: &Naming<'_>, incident: &Incident) {
        let metric = incident.lead.metric;
        let causes = incident.causes.iter().map(|cause| CauseRow::new(naming, metric, cause));
        let explained_by: Vec<CauseRow> = causes.collect();
        let what_to_do = naming.what_to_do(incident, explained_by.first());
    }
        /// When it began.
        pub start: String = incident.start.rfc3339(),
        /// When it was worst.
        pub peak: String = incident.peak.rfc3339(),
        /// When it ended; null where it went on at the log's end.
        pub end: Option<String> = incident.end.map(crate::units::Instant::rfc3339),
        /// `sudden` or `drift`.
        pub onset: &'static str = match incident.onset {
            Onset::Sudden => "sudden",
            Onset::Drift => "drift",
        },
        /// The figure that changed most.
        #[serde(flatten)]
        pub lead: ChangedRow = ChangedRow::new(naming, &incident.lead),
        /// The same in its worst slot.
        pub worst: Figure = naming.figure(metric, &incident.worst),
        /// Requests in it.
        pub requests: u64 = incident.lead.during.sums.requests,
        /// What was spent beyond the usual by what it is of: a model's own money where it is a model's incident.
        pub extra_usd: String = incident.extra.usd(),
        /// What explains it, the best explanation first.
        pub explained_by: Vec<CauseRow> = explained_by,
        /// What else changed.
        pub also: Vec<ChangedRow> = incident.also.iter().map(|changed| ChangedRow::new(naming, changed)).collect(),
        /// What can be done.
        pub what_to_do: Vec<String> = what_to_do,
}

members! {
    /// What a log was surveyed for, and what was found.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct AnomalyReport;
    /// Draws up what was found.
    pub fn new(logs: Vec<String>, prices: String, knobs: &Knobs, naming: &Naming<'_>, found: &[Incident]) {}
    /// The form of this object.
    pub schema: &'static str = "pointsman.anomalies/1",
    /// The logs.
    pub logs: Vec<String> = logs,
    /// The price book.
    pub prices: String = prices,
    /// The length of a slot.
    pub slot_seconds: i64 = naming.slot.0 / 1_000_000,
    /// How many slots the log has; the first 40 are learnt from only.
    pub slots: i64 = naming.slots,
    /// How many incidents a month may be told of for nothing.
    pub false_alarms_per_month: f64 = knobs.false_alarms,
    /// The least change in money that is told, for figures of money.
    pub least_usd: String = knobs.least_usd.usd(),
    /// The least change in per cent.
    pub least_percent: f64 = knobs.least_percent,
    /// The least number of requests.
    pub least_requests: u64 = knobs.least_requests,
    /// The incidents, by their start.
    pub incidents: Vec<IncidentRow> = found.iter().map(|incident| IncidentRow::new(naming, incident)).collect(),
}

/// Draws up incidents with names.
#[derive(Clone, Copy, Debug)]
pub struct Naming<'a> {
    /// The names.
    pub names: &'a Names,
    /// The length of a slot.
    pub slot: Span,
    /// How many there are.
    pub slots: i64,
    /// The log, to be named in advice.
    pub log: &'a str,
}

fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Spend => "usd_per_hour",
        Metric::Requests => "per_minute",
        Metric::CostPerRequest => "usd",
        Metric::TokensPerRequest => "tokens",
        Metric::Latency => "ms",
        Metric::Escalations | Metric::Errors | Metric::CacheHits => "share",
    }
}

fn in_words(metric: Metric) -> &'static str {
    match metric {
        Metric::Spend => "spend",
        Metric::Requests => "requests",
        Metric::CostPerRequest => "cost per request",
        Metric::TokensPerRequest => "tokens per request",
        Metric::Latency => "latency",
        Metric::Escalations => "escalations",
        Metric::Errors => "failed calls",
        Metric::CacheHits => "cache hits",
    }
}

fn rounded(number: f64) -> f64 {
    // Six digits: what is counted is known no better.
    format!("{number:.5e}").parse().unwrap_or(number)
}

impl Naming<'_> {
    fn scope(&self, scope: Scope) -> (&'static str, String) {
        let name = match scope {
            Scope::All => "",
            Scope::Team(id) => self.names.team(id),
            Scope::Project(id) => self.names.project(id),
            Scope::Route(id) => self.names.route(id),
            Scope::Model(id) => self.names.model(id),
        };
        (scope.dimension().map_or("all", crate::anomaly::Dimension::name), name.to_owned())
    }

    fn figure(&self, metric: Metric, window: &Window) -> Figure {
        let sums = &window.sums;
        let length = i128::from(self.slot.0) * i128::from(window.slots);
        match metric {
            Metric::Spend if length > 0 => Figure::Usd(sums.cost.ratio(3_600_000_000, length).usd()),
            Metric::CostPerRequest if sums.priced > 0 => {
                Figure::Usd(sums.whole.ratio(1, i128::from(sums.priced)).usd())
            }
            Metric::Spend | Metric::CostPerRequest => Figure::Unknown(()),
            Metric::Requests => window.figure(metric).map_or(Figure::Unknown(()), |each| {
                Figure::Number(rounded(each * 60.0 / self.slot.as_secs_f64()))
            }),
            _ => window.figure(metric).map_or(Figure::Unknown(()), |figure| Figure::Number(rounded(figure))),
        }
    }

    /// Says what can be done about an incident.
    fn what_to_do(&self, incident: &Incident, cause: Option<&CauseRow>) -> Vec<String> {
        let start = incident.start.rfc3339();
        let start = start.get(..19).unwrap_or(&start);
        let mut steps = vec![format!("look at it: pointsman {}, then t {start}Z", self.log)];
        let Some(cause) = cause else { return steps };
        let who = format!("{} {}", cause.by, cause.name);
        let step = match (incident.lead.metric, cause.by) {
            (Metric::Errors | Metric::Escalations | Metric::Latency, "model") => {
                format!(
                    "start routes a rung above {} while it lasts, or take it out of their ladders",
                    cause.name
                )
            }
            (Metric::Errors | Metric::Escalations | Metric::Latency, _) => {
                format!("see which model answers {who}, and move its threshold")
            }
            (Metric::CostPerRequest, "model") => {
                format!(
                    "see whether its price changed or its prompts grew: pointsman prices show {}",
                    cause.name
                )
            }
            (Metric::CacheHits, _) => format!("see what changed at the start of the prompts of {who}"),
            (_, "model") => {
                format!("see which team asks {} for more, and move the threshold above it", cause.name)
            }
            _ => format!("tighten the budget of {who}, or start it a rung lower, until its owner has looked"),
        };
        steps.push(step);
        steps
    }
}

fn shown(figure: &Figure, unit: &str) -> String {
    match figure {
        Figure::Usd(text) if unit == "usd_per_hour" => format!("{}/h", dollars_rounded(text)),
        Figure::Usd(text) => dollars_rounded(text),
        Figure::Number(number) if unit == "share" => format!("{:.1} %", number * 100.0),
        Figure::Number(number) if unit == "per_minute" => format!("{number:.1}/min"),
        Figure::Number(number) if unit == "ms" => format!("{number:.0} ms"),
        Figure::Number(number) => format!("{number:.0}"),
        Figure::Unknown(()) => "-".to_owned(),
    }
}

fn exact(figure: &Figure) -> String {
    match figure {
        Figure::Usd(text) => text.clone(),
        Figure::Number(number) => number.to_string(),
        Figure::Unknown(()) => String::new(),
    }
}

impl AnomalyReport {
    /// Writes the report as table, CSV or Markdown.
    pub fn text(&self, format: Format) -> String {
        if format == Format::Csv {
            return render(&[self.flat()], format);
        }
        let found = match self.incidents.len() {
            0 if self.slots <= LEARNT => {
                format!("too short to tell ({} slots, the first {LEARNT} are learnt from)", self.slots)
            }
            0 => "nothing unusual".to_owned(),
            1 => "1 incident".to_owned(),
            many => format!("{} incidents", count(many as u64)),
        };
        let mut all = Sheet::of(
            format!(
                "{}: {found}; slots of {} s, false alarms a month at most {}",
                self.logs.join(", "),
                self.slot_seconds,
                self.false_alarms_per_month
            ),
            &self.incidents,
            &[
                ("when", &|row| row.when()),
                ("what", &|row| row.lead.what()),
                (">usual", &|row| shown(&row.lead.usual, row.lead.unit)),
                (">during", &|row| shown(&row.lead.during, row.lead.unit)),
                (">worst", &|row| shown(&row.worst, row.lead.unit)),
                ("explained by", &|row| row.cause()),
                (">beyond the usual", &|row| dollars_rounded(&row.extra_usd)),
            ],
        );
        if self.incidents.is_empty() {
            all.heads.clear();
        }
        let mut sheets = vec![all];
        for incident in &self.incidents {
            sheets.extend([incident.sheet(), Sheet::lines("What to do", &incident.what_to_do)]);
        }
        render(&sheets, format)
    }

    fn flat(&self) -> Sheet {
        let cause = |row: &IncidentRow, of: fn(&CauseRow) -> String| {
            row.explained_by.first().map(of).unwrap_or_default()
        };
        Sheet::of(
            "",
            &self.incidents,
            &[
                ("start", &|row| row.start.clone()),
                ("peak", &|row| row.peak.clone()),
                ("end", &|row| row.end.clone().unwrap_or_default()),
                ("onset", &|row| row.onset.to_owned()),
                ("by", &|row| row.lead.by.to_owned()),
                ("name", &|row| row.lead.name.clone()),
                ("metric", &|row| row.lead.metric.to_owned()),
                ("unit", &|row| row.lead.unit.to_owned()),
                (">usual", &|row| exact(&row.lead.usual)),
                (">during", &|row| exact(&row.lead.during)),
                (">worst", &|row| exact(&row.worst)),
                (">change_percent", &|row| {
                    row.lead.change_percent.map(|percent| percent.to_string()).unwrap_or_default()
                }),
                (">requests", &|row| row.requests.to_string()),
                (">extra_usd", &|row| row.extra_usd.clone()),
                ("explained_by", &|row| cause(row, |cause| cause.by.to_owned())),
                ("explained_name", &|row| cause(row, |cause| cause.name.clone())),
                (">explained_percent", &|row| cause(row, |cause| cause.share_percent.to_string())),
            ],
        )
    }
}

impl ChangedRow {
    fn what(&self) -> String {
        let words = Metric::from_name(self.metric).map_or("", in_words);
        if self.name.is_empty() { words.to_owned() } else { format!("{words} of {} {}", self.by, self.name) }
    }
}

impl IncidentRow {
    fn when(&self) -> String {
        // Another day is told with its date.
        let is_same_day = self.end.as_deref().and_then(|end| end.get(..10)) == self.start.get(..10);
        let from = if is_same_day { 11 } else { 5 };
        let end = self.end.as_deref().and_then(|end| end.get(from..16)).unwrap_or("(goes on)");
        format!(
            "{} to {}",
            self.start.get(..16).unwrap_or(&self.start).replace('T', " "),
            end.replace('T', " ")
        )
    }

    fn cause(&self) -> String {
        self.explained_by.first().map_or_else(
            || "-".to_owned(),
            |cause| format!("{} {} ({:.0} %)", cause.by, cause.name, cause.share_percent),
        )
    }

    fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(
            format!("{} {}", self.start.get(..16).unwrap_or(&self.start).replace('T', " "), self.lead.what()),
            &["", "", ">usual", ">during", ">of the change"],
        );
        for cause in &self.explained_by {
            sheet.push(vec![
                "explained by".to_owned(),
                format!("{} {}", cause.by, cause.name),
                shown(&cause.usual, self.lead.unit),
                shown(&cause.during, self.lead.unit),
                format!("{:.0} %", cause.share_percent),
            ]);
        }
        for changed in self.also.iter().take(SHOWN) {
            sheet.push(vec![
                "also".to_owned(),
                changed.what(),
                shown(&changed.usual, changed.unit),
                shown(&changed.during, changed.unit),
                String::new(),
            ]);
        }
        if self.also.len() > SHOWN {
            let more = format!("and {} more", self.also.len() - SHOWN);
            sheet.push(vec![String::new(), more, String::new(), String::new(), String::new()]);
        }
        sheet
    }
}

/// Slots that are only learnt from.
const LEARNT: i64 = 40;
/// Other figures shown to people; programs get all.
const SHOWN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Instant;

    fn window(requests: u64) -> Window {
        Window { sums: crate::anomaly::Tally { requests, ..Default::default() }, slots: 1 }
    }

    /// In a log of several days a time of day alone leads to another day.
    #[test]
    fn an_incident_is_told_with_its_day_where_to_look_and_until_when() {
        let start = Instant::parse("2026-02-01T09:00:00Z").unwrap();
        let lead =
            Changed { scope: Scope::All, metric: Metric::Requests, before: window(1), during: window(9) };
        let incident = |end: &str| Incident {
            start,
            peak: start,
            end: Some(Instant::parse(end).unwrap()),
            onset: Onset::Sudden,
            lead,
            worst: window(9),
            extra: crate::units::Pico::ZERO,
            causes: Vec::new(),
            also: Vec::new(),
        };
        let names = Names::default();
        let naming = Naming { names: &names, slot: Span::mins(1), slots: 9, log: "a.jsonl" };
        let row = IncidentRow::new(&naming, &incident("2026-02-03T05:00:00Z"));
        assert_eq!(row.when(), "2026-02-01 09:00 to 02-03 05:00");
        assert_eq!(row.what_to_do, ["look at it: pointsman a.jsonl, then t 2026-02-01T09:00:00Z"]);
        let row = IncidentRow::new(&naming, &incident("2026-02-01T10:30:00Z"));
        assert_eq!(row.when(), "2026-02-01 09:00 to 10:30");
    }
}
