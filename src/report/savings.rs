//! What routing saved, for people and programs.
//!
//! Invariant: gross less the lines is net to the last digit; a line without an amount says why.

use serde::Serialize;

use super::sheet::{Format, Sheet, render};
use super::text::{count, dollars_rounded};
use crate::savings::{Against, Interval, Line, Measured, Savings};
use crate::units::{Names, Pico, RouteTag, members};

/// What a report on savings is about.
#[derive(Clone, Debug, Serialize)]
pub struct SavingsScope {
    /// The logs.
    pub logs: Vec<String>,
    /// The reading.
    pub reading: &'static str,
    /// The price book: name and date.
    pub prices: String,
}

#[derive(Clone, Debug, Serialize)]
struct ModelRow {
    /// The route; null where it is one model for all.
    route: Option<String>,
    model: String,
}

#[derive(Clone, Debug, Serialize)]
struct LineRow {
    name: &'static str,
    /// What is taken off; null where there is none of it, or nobody can say.
    usd: Option<String>,
    /// `observed`, `estimated`, `unknown` or `absent`.
    is: &'static str,
    /// Why there is no amount.
    why: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
struct IntervalRow {
    level_percent: u32,
    low_usd: String,
    high_usd: String,
    rests_on: &'static str,
}

impl IntervalRow {
    fn new(interval: Interval, rests_on: &'static str) -> Self {
        Self { level_percent: 95, low_usd: interval.low.usd(), high_usd: interval.high.usd(), rests_on }
    }
}

members! {
    #[derive(Clone, Debug, Serialize)]
    struct HoldoutRow;
    fn new(found: &Measured) {}
    held_requests: u64 = found.split.0,
    routed_requests: u64 = found.split.1,
    held_sessions: u64 = found.sessions.0,
    routed_sessions: u64 = found.sessions.1,
    cost_unknown_requests: u64 = found.unknown,
    held_usd: String = found.cost.0.usd(),
    routed_usd: String = found.cost.1.usd(),
    /// What routing saved on the routed requests; null where there are too few sessions to say.
    saved_usd: Option<String> = found.saved.map(|(saved, _)| saved.usd()),
    interval: Option<IntervalRow> = found.saved.map(|(_, interval)| IntervalRow::new(interval, SESSIONS)),
}

members! {
    /// What routing saved.
    #[derive(Clone, Debug, Serialize)]
    pub struct SavingsReport;
    /// Draws it up.
    pub fn new(
        scope: SavingsScope,
        (against, found): (Against, &Savings),
        holdout: Option<&Measured>,
        names: &Names,
    ) {
        let told = found.compared > 0;
        let usd = |amount: Pico| told.then(|| amount.usd());
        let model = |&(tag, model): &(RouteTag, crate::units::ModelId)| ModelRow {
            route: tag.index().map(|_| names.route(tag).to_owned()),
            model: names.model(model).to_owned(),
        };
        let line = |&(name, line): &(&'static str, Line)| {
            let (is, why) = match line {
                Line::Known(_) => ("observed", None),
                Line::Estimated(_) => ("estimated", None),
                Line::Unknown(why) => ("unknown", Some(why)),
                Line::Absent(why) => ("absent", Some(why)),
            };
            LineRow { name, usd: line.amount().map(Pico::usd), is, why }
        };
    }
    schema: &'static str = "pointsman.savings/1",
    #[serde(flatten)]
    scope: SavingsScope = scope,
    /// `model` or `most-expensive`.
    against: &'static str = match against {
        Against::Model(_) => "model",
        Against::MostExpensive => "most-expensive",
    },
    baseline: Vec<ModelRow> = found.models.iter().map(model).collect(),
    requests: u64 = found.requests,
    compared_requests: u64 = found.compared,
    spend_usd: Option<String> = found.spend.usd(),
    compared_spend_usd: String = found.spend_compared.usd(),
    baseline_usd: Option<String> = usd(found.baseline),
    answers_usd: Option<String> = usd(found.answers),
    /// Whether any of that is estimated.
    answers_estimated: bool = found.is_estimated,
    gross_usd: Option<String> = usd(found.gross()),
    lines: Vec<LineRow> = found.lines.iter().map(line).collect(),
    net_usd: Option<String> = usd(found.net),
    interval: Option<IntervalRow> = found.interval.map(|interval| IntervalRow::new(interval, LENGTHS)),
    holdout: Option<HoldoutRow> = holdout.map(HoldoutRow::new),
}

const LENGTHS: &str = "how lengths of answers that nobody saw may differ, each by itself and by habit";
const SESSIONS: &str = "how sessions differ";

impl SavingsReport {
    /// Writes it as table, CSV or Markdown.
    pub fn text(&self, format: Format) -> String {
        let exact = format == Format::Csv;
        let usd = |usd: &str| if exact { usd.to_owned() } else { dollars_rounded(usd) };
        let told = |amount: &Option<String>| {
            amount.as_deref().map_or_else(|| if exact { String::new() } else { "unknown".to_owned() }, usd)
        };
        let number = |n: u64| if exact { n.to_string() } else { count(n) };
        let title = if exact {
            String::new()
        } else {
            format!("{} · {} · prices {}", self.scope.logs.join(", "), self.scope.reading, self.scope.prices)
        };
        let mut sheet = Sheet::new(title, &["figure", ">amount", "note"]);
        let mut line = |name: &str, amount: String, note: String| sheet.push(vec![name.into(), amount, note]);
        let models: Vec<String> = self
            .baseline
            .iter()
            .map(|row| match &row.route {
                Some(route) => format!("{route}: {}", row.model),
                None => row.model.clone(),
            })
            .collect();
        let models = if models.is_empty() { "no model with a price".to_owned() } else { models.join(", ") };
        line("baseline", told(&self.baseline_usd), models);
        let note = if self.answers_estimated {
            "the calls that answered, estimated"
        } else {
            "the calls that answered"
        };
        line("answers", told(&self.answers_usd), note.into());
        line("gross", told(&self.gross_usd), String::new());
        for row in &self.lines {
            let name = format!("less {}", row.name.replace('_', " "));
            let amount = match (&row.usd, row.is) {
                (Some(amount), _) => usd(amount),
                (None, "unknown") if !exact => "unknown".to_owned(),
                (None, _) if exact => String::new(),
                (None, _) => "-".to_owned(),
            };
            let note = row.why.map_or_else(|| row.is.to_owned(), str::to_owned);
            line(&name, amount, note);
        }
        line("net", told(&self.net_usd), "what was saved".into());
        match &self.interval {
            Some(row) => {
                line("net, low", usd(&row.low_usd), format!("95 % interval, by {}", row.rests_on));
                line("net, high", usd(&row.high_usd), String::new());
            }
            None => line("interval", told(&None), "how lengths of answers spread is not known".into()),
        }
        let whole = format!("of {} requests", number(self.requests));
        line("compared", number(self.compared_requests), whole);
        let spend = self.spend_usd.as_deref().map_or_else(|| "unknown".to_owned(), usd);
        line("compared spend", usd(&self.compared_spend_usd), format!("of {spend}"));
        if let Some(row) = &self.holdout {
            let split = format!(
                "{} routed requests of {} sessions, {} held out of {}",
                number(row.routed_requests),
                number(row.routed_sessions),
                number(row.held_requests),
                number(row.held_sessions)
            );
            line("measured by the holdout", told(&row.saved_usd), split);
            match &row.interval {
                Some(row) => {
                    line("measured, low", usd(&row.low_usd), format!("95 % interval, by {}", row.rests_on));
                    line("measured, high", usd(&row.high_usd), String::new());
                }
                None => line("interval", told(&None), "it takes 30 sessions on either side".into()),
            }
        }
        render(&[sheet], format)
    }
}
