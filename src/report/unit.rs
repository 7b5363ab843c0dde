//! What a request, a session and a good answer cost, for people and programs.
//!
//! Invariants: amounts are exact but in tables for people; what is unknown is null or empty; sub-rows of a session are its own
//! requests told apart, so they add up to it.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::sheet::{Format, Sheet, render};
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
    by: Vec<(Arc<str>, String)>,
    sums: UnitCell,
    /// Of a session: agents and sub-agents.
    agents: Vec<UnitRow>,
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

const FIGURES: [&str; 14] = [
    "requests",
    "sessions",
    "cost_usd",
    "cost_unknown_requests",
    "per_request_usd",
    "per_1000_usd",
    "per_session_usd",
    "per_good_answer_usd",
    "good_answers",
    "judged_requests",
    "failed_requests",
    "escalation_usd",
    "retries_usd",
    "wasted_usd",
];

enum Cell {
    Count(u64),
    Usd(Option<Pico>),
}

impl UnitRow {
    fn new(by: Vec<(Arc<str>, String)>, sums: UnitCell) -> Self {
        Self { by, sums, agents: Vec::new() }
    }

    fn figures(&self) -> [Cell; FIGURES.len()] {
        let sums = &self.sums;
        [
            Cell::Count(sums.requests),
            Cell::Count(sums.sessions),
            Cell::Usd((sums.cost.usd().is_some()).then(|| sums.cost.total())),
            Cell::Count(sums.cost.unknown),
            Cell::Usd(sums.per_requests(1)),
            Cell::Usd(sums.per_requests(1000)),
            Cell::Usd(sums.per_session()),
            Cell::Usd(sums.per_good()),
            Cell::Count(sums.good),
            Cell::Count(sums.judged),
            Cell::Count(sums.failed),
            Cell::Usd(Some(sums.escalation)),
            Cell::Usd(Some(sums.retries)),
            Cell::Usd(Some(sums.wasted)),
        ]
    }

    fn exact(&self) -> Vec<String> {
        let figures = self.figures().map(|cell| match cell {
            Cell::Count(count) => count.to_string(),
            Cell::Usd(amount) => amount.map(Pico::usd).unwrap_or_default(),
        });
        self.by.iter().map(|(_, value)| value.clone()).chain(figures).collect()
    }

    fn for_people(&self) -> Vec<String> {
        let sums = &self.sums;
        let about = if sums.cost.estimated == Pico::ZERO { "" } else { "~" };
        let usd = |amount: Option<Pico>, none: &str| {
            amount.map_or_else(
                || none.to_owned(),
                |amount| format!("{about}{}", dollars_rounded(&amount.usd())),
            )
        };
        let some = |amount: Pico| if amount == Pico::ZERO { "-".to_owned() } else { usd(Some(amount), "") };
        let named = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        let cost = sums.cost.usd().is_some().then(|| sums.cost.total());
        let figures = [
            count(sums.requests),
            if sums.sessions == 0 { "-".to_owned() } else { count(sums.sessions) },
            usd(cost, "unknown"),
            usd(sums.per_requests(1000), "unknown"),
            usd(sums.per_session(), if sums.sessions == 0 { "-" } else { "unknown" }),
            usd(sums.per_good(), if sums.judged == sums.failed { "-" } else { "unknown" }),
            some(sums.escalation),
            some(sums.retries),
            some(sums.wasted),
        ];
        self.by.iter().map(|(_, value)| named(value)).chain(figures).collect()
    }
}

impl Serialize for UnitRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.by {
            map.serialize_entry(name, &(!value.is_empty()).then_some(value))?;
        }
        for (name, cell) in FIGURES.iter().zip(self.figures()) {
            match cell {
                Cell::Count(count) => map.serialize_entry(name, &count)?,
                Cell::Usd(amount) => map.serialize_entry(name, &amount.map(Pico::usd))?,
            }
        }
        if !self.agents.is_empty() {
            map.serialize_entry("agents", &self.agents)?;
        }
        map.end()
    }
}

type Named = Vec<(Vec<String>, UnitCell)>;

impl UnitReport {
    /// Draws it up of rows and of the agents of each session (its name first), the most expensive first, at most `limit` with
    /// the rest as one.
    pub fn new(
        scope: UnitScope,
        all: UnitCell,
        mut rows: Named,
        agents: &Named,
        limit: Option<usize>,
    ) -> Self {
        if let Some(limit) = limit.filter(|limit| *limit < rows.len()) {
            let mut others = UnitCell::default();
            rows.drain(limit..).for_each(|(_, sums)| others.merge(&sums));
            rows.push((vec![OTHERS.to_owned(); scope.by.len()], others));
        }
        let of = |session: &str| -> Vec<UnitRow> {
            let own = agents.iter().filter(|(names, _)| names.first().is_some_and(|name| name == session));
            let own: Vec<UnitRow> = own
                .map(|(names, sums)| {
                    UnitRow::new(vec![("agent".into(), names.get(1).cloned().unwrap_or_default())], *sums)
                })
                .collect();
            if own.len() > 1 { own } else { Vec::new() }
        };
        let heads: Vec<Arc<str>> = scope.by.iter().map(|by| by.as_str().into()).collect();
        let row = |(values, sums): (Vec<String>, UnitCell)| {
            let agents = match (scope.by.as_slice(), values.first()) {
                ([by], Some(session)) if by == "session" && !session.is_empty() => of(session),
                _ => Vec::new(),
            };
            UnitRow { agents, ..UnitRow::new(heads.iter().cloned().zip(values).collect(), sums) }
        };
        let rows = rows.into_iter().map(row).collect();
        Self { schema: "pointsman.unit/1", total: UnitRow::new(Vec::new(), all), rows, scope }
    }

    /// Writes it as table, CSV or Markdown.
    pub fn text(&self, format: Format) -> String {
        if format == Format::Csv {
            let mut sheet = Sheet::by("", &self.scope.by, &FIGURES);
            sheet.rows.extend(self.rows.iter().map(UnitRow::exact));
            return render(&[sheet], format);
        }
        let title =
            format!("{} · {} · prices {}", self.scope.logs.join(", "), self.scope.reading, self.scope.prices);
        let heads = [
            ">requests",
            ">sessions",
            ">cost",
            ">per 1,000",
            ">per session",
            ">per good answer",
            ">escalation",
            ">retries",
            ">wasted",
        ];
        let mut sheet = Sheet::by(title, &self.scope.by, &heads);
        for row in &self.rows {
            sheet.push(row.for_people());
            for agent in &row.agents {
                let mut cells = agent.for_people();
                if let Some(name) = cells.first_mut() {
                    // Sub-agents stand below the agent that called them.
                    let depth = name.matches('/').count();
                    *name = format!("{}└ {name}", "  ".repeat(depth + 1));
                }
                sheet.push(cells);
            }
        }
        let mut total: Vec<String> = self
            .scope
            .by
            .iter()
            .enumerate()
            .map(|(at, _)| if at == 0 { "all" } else { "" }.to_owned())
            .collect();
        total.extend(self.total.for_people());
        sheet.push(total);
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
