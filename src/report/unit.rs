//! What a request, a session and a good answer cost, for people and programs.
//!
//! Invariants: amounts are exact but in tables for people; what is unknown is null or empty; sub-rows of a session are its own
//! requests told apart, so they add up to it.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::figures::{self, By, Cell, Figures};
use super::sheet::{Column, Format, render};
use super::text::{count, dollars_rounded};
use crate::telemetry::UnitCell;
use crate::units::{OTHERS, Pico};

/// What a report on unit costs is about.
#[derive(Clone, Debug, Serialize)]
pub struct UnitScope {
    /// The logs.
    pub logs: Vec<String>,
    /// The reading.
    pub reading: &'static str,
    /// The price book: name and date.
    pub prices: String,
    /// What it is told apart by.
    pub by: Vec<String>,
    /// The least quality that counts as good, in per mille.
    pub good_permille: u16,
}

/// A row: its values, its sums, and who took part in it.
#[derive(Clone, Debug)]
pub struct UnitRow {
    by: By,
    sums: UnitCell,
    /// Of a session: agents and sub-agents. Of an agent: the tools whose results its requests brought.
    within: Vec<UnitRow>,
}

/// What units cost.
#[derive(Clone, Debug, Serialize)]
pub struct UnitReport {
    schema: &'static str,
    #[serde(flatten)]
    scope: UnitScope,
    total: UnitRow,
    rows: Vec<UnitRow>,
}

impl UnitRow {
    fn new(by: By, sums: UnitCell) -> Self {
        Self { by, sums, within: Vec::new() }
    }

    fn figures(&self) -> Figures {
        let sums = &self.sums;
        vec![
            ("requests", Cell::Count(sums.requests)),
            ("sessions", Cell::Count(sums.sessions)),
            ("cost_usd", Cell::Usd((sums.cost.usd().is_some()).then(|| sums.cost.total()))),
            ("cost_unknown_requests", Cell::Count(sums.cost.unknown)),
            ("per_request_usd", Cell::Usd(sums.per_requests(1))),
            ("per_1000_usd", Cell::Usd(sums.per_requests(1000))),
            ("per_session_usd", Cell::Usd(sums.per_session())),
            ("per_good_answer_usd", Cell::Usd(sums.per_good())),
            ("good_answers", Cell::Count(sums.good)),
            ("judged_requests", Cell::Count(sums.judged)),
            ("failed_requests", Cell::Count(sums.failed)),
            ("escalation_usd", Cell::Usd(Some(sums.escalation))),
            ("retries_usd", Cell::Usd(Some(sums.retries))),
            ("wasted_usd", Cell::Usd(Some(sums.wasted))),
        ]
    }

    fn for_people(&self) -> Vec<String> {
        figures::row(&self.by, &self.sums, PEOPLE)
    }
}

fn usd(sums: &UnitCell, amount: Option<Pico>, none: &str) -> String {
    let about = if sums.cost.estimated == Pico::ZERO { "" } else { "~" };
    amount.map_or_else(|| none.to_owned(), |amount| format!("{about}{}", dollars_rounded(&amount.usd())))
}

fn some(sums: &UnitCell, amount: Pico) -> String {
    usd(sums, (amount != Pico::ZERO).then_some(amount), "-")
}

/// What people look at.
const PEOPLE: &[Column<'_, UnitCell>] = &[
    (">requests", &|sums| count(sums.requests)),
    (">sessions", &|sums| if sums.sessions == 0 { "-".to_owned() } else { count(sums.sessions) }),
    (">cost", &|sums| usd(sums, sums.cost.usd().is_some().then(|| sums.cost.total()), "unknown")),
    (">per 1,000", &|sums| usd(sums, sums.per_requests(1000), "unknown")),
    (">per session", &|sums| usd(sums, sums.per_session(), if sums.sessions == 0 { "-" } else { "unknown" })),
    (">per good answer", &|sums| {
        usd(sums, sums.per_good(), if sums.judged == sums.failed { "-" } else { "unknown" })
    }),
    (">escalation", &|sums| some(sums, sums.escalation)),
    (">retries", &|sums| some(sums, sums.retries)),
    (">wasted", &|sums| some(sums, sums.wasted)),
];

impl Serialize for UnitRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        figures::write(&mut map, &self.by, &self.figures())?;
        if let Some((name, _)) = self.within.first().and_then(|row| row.by.first()) {
            map.serialize_entry(&format!("{name}s"), &self.within)?;
        }
        map.end()
    }
}

type Named = Vec<(Vec<String>, UnitCell)>;

fn name_at(names: &[String], place: usize) -> &str {
    names.get(place).map_or("", String::as_str)
}

/// Lists the rows whose names begin as those of the row above them, where there is more to tell apart than "none".
fn rows_below(head: &str, above: &[String], rows: &Named) -> Vec<UnitRow> {
    let own = rows.iter().filter(|(names, _)| names.starts_with(above));
    let row = |(names, sums): &(Vec<String>, UnitCell)| {
        UnitRow::new(vec![(head.into(), name_at(names, above.len()).to_owned())], *sums)
    };
    let own: Vec<UnitRow> = own.map(row).collect();
    let tells = own.iter().any(|row| row.by.iter().any(|(_, name)| !name.is_empty()));
    if tells { own } else { Vec::new() }
}

/// Sets a row below another, so many steps in.
fn below(mut cells: Vec<String>, depth: usize) -> Vec<String> {
    if let Some(name) = cells.first_mut() {
        *name = format!("{}└ {name}", "  ".repeat(depth));
    }
    cells
}

impl UnitReport {
    /// Draws it up of rows and, of each session, of its agents and of the tools whose results they brought (session's name first), the most expensive first, in order of time where it is told apart by that, at most
    /// `limit` with the rest as one.
    pub fn new(
        scope: UnitScope,
        all: UnitCell,
        mut rows: Named,
        agents: &Named,
        tools: &Named,
        limit: Option<usize>,
    ) -> Self {
        if let Some(limit) = limit.filter(|limit| *limit < rows.len()) {
            let mut others = UnitCell::default();
            rows.drain(limit..).for_each(|(_, sums)| others.merge(&sums));
            rows.push((vec![OTHERS.to_owned(); scope.by.len()], others));
        }
        if scope.by.iter().any(|by| matches!(by.as_str(), "hour" | "day" | "month")) {
            let is_rest = |names: &[String]| names.iter().all(|name| name == OTHERS);
            rows.sort_by(|(one, _), (other, _)| (is_rest(one), one).cmp(&(is_rest(other), other)));
        }
        let session = |session: &str| -> Vec<UnitRow> {
            let own = agents.iter().filter(|(names, _)| name_at(names, 0) == session);
            let own: Vec<UnitRow> = own
                .map(|(names, sums)| UnitRow {
                    within: rows_below("tool", names, tools),
                    ..UnitRow::new(vec![("agent".into(), name_at(names, 1).to_owned())], *sums)
                })
                .collect();
            // One row alone says nothing that the one above it does not.
            if own.len() > 1 || own.iter().any(|agent| !agent.within.is_empty()) { own } else { Vec::new() }
        };
        let heads: Vec<Arc<str>> = scope.by.iter().map(|by| by.as_str().into()).collect();
        let row = |(values, sums): (Vec<String>, UnitCell)| {
            let within = match (scope.by.as_slice(), values.first()) {
                ([by], Some(name)) if by == "session" && !name.is_empty() => session(name),
                _ => Vec::new(),
            };
            UnitRow { within, ..UnitRow::new(heads.iter().cloned().zip(values).collect(), sums) }
        };
        let rows = rows.into_iter().map(row).collect();
        Self { schema: "pointsman.unit/1", total: UnitRow::new(Vec::new(), all), rows, scope }
    }

    /// Writes it as table, CSV or Markdown.
    pub fn text(&self, format: Format) -> String {
        if format == Format::Csv {
            let rows = self.rows.iter().map(|row| (row.by.clone(), row.figures()));
            return render(&[figures::sheet(&self.scope.by, &self.total.figures(), rows)], format);
        }
        let title =
            format!("{} · {} · prices {}", self.scope.logs.join(", "), self.scope.reading, self.scope.prices);
        let mut sheet = figures::table(title, &self.scope.by, PEOPLE);
        for row in &self.rows {
            sheet.push(row.for_people());
            for agent in &row.within {
                // Sub-agents stand below the agent that called them, tools below the agent that had them run.
                let depth = agent.by.first().map_or(0, |(_, name)| name.matches('/').count()) + 1;
                sheet.push(below(agent.for_people(), depth));
                for tool in &agent.within {
                    sheet.push(below(tool.for_people(), depth + 1));
                }
            }
        }
        sheet.push(figures::whole(&self.scope.by, self.total.for_people()));
        let mut text = render(&[sheet], format);
        if self.total.sums.good == 0 {
            text.push_str("\nno label says that an answer was good, so the cost of one is not known\n");
        }
        text
    }

    /// Says what is in no amount; nothing where all costs are known.
    pub fn remark(&self) -> Option<String> {
        let unknown = self.total.sums.cost.unknown;
        (unknown > 0)
            .then(|| format!("the cost of {} requests is unknown; it is in no amount", count(unknown)))
    }
}
