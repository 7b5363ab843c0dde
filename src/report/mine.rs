//! What the calls of coding agents came to: by agent, project, session, sub-agent and model, by day, and by plan window.
//!
//! Invariants: a call of unknown cost is counted apart and never as nothing; sums by any dimension equal the whole.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures;
use super::sheet::{Column, Format, Sheet, exact, render};
use super::text::{cost, count, dollars_rounded, passed_over};
use crate::pricing::{Cost, CostSum, Usage};
use crate::units::{Instant, Span};

/// How long a plan window is open from its first call.
const WINDOW: Span = Span::hours(5);
/// Rows of a dimension that a table shows.
const SHOWN: usize = 20;
/// Bad lines that are quoted.
const QUOTED: usize = 20;

/// A place where an agent keeps logs.
#[derive(Clone, Debug, Serialize)]
pub struct AgentPlace {
    /// The agent.
    pub agent: String,
    /// Its folder or database.
    pub path: String,
    /// How many files are in it.
    pub files: u64,
}

impl AgentPlace {
    /// Names a place.
    pub fn new(agent: &str, path: &str, files: u64) -> Self {
        Self { agent: agent.to_owned(), path: path.to_owned(), files }
    }
}

/// One call of an agent.
#[derive(Clone, Copy, Debug)]
pub struct AgentCall<'c> {
    /// When.
    pub at: Instant,
    /// Which agent.
    pub agent: &'c str,
    /// In which project.
    pub project: &'c str,
    /// In which session.
    pub session: &'c str,
    /// By which sub-agent, or the main one.
    pub sub_agent: &'c str,
    /// Which model answered.
    pub model: &'c str,
    /// What it took.
    pub usage: Usage,
    /// What it cost.
    pub cost: Cost,
    /// Whether it failed.
    pub is_failed: bool,
}

/// What some calls came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Spend {
    /// What they have in common; empty for all.
    pub name: String,
    /// The agent, where the name belongs to one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent: String,
    /// Calls.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Cost in USD of those whose cost is known or estimated; null where it is of none.
    pub cost_usd: Option<String>,
    /// The estimated part of it.
    pub estimated_usd: String,
    /// Calls of unknown cost, which are not in it.
    pub unknown_calls: u64,
    /// Fresh prompt tokens.
    pub input: u64,
    /// Prompt tokens read from cache.
    pub cache_read: u64,
    /// Prompt tokens written to cache.
    pub cache_write: u64,
    /// Answer tokens.
    pub output: u64,
    /// The share of prompt tokens that came from cache, per mille; null where there were none.
    pub cache_share_per_mille: Option<u64>,
    /// The first call.
    pub first_at: String,
    /// The last call.
    pub last_at: String,
    #[serde(skip)]
    sum: CostSum,
    #[serde(skip)]
    span: Option<(Instant, Instant)>,
}

impl Spend {
    fn add(&mut self, call: &AgentCall<'_>) {
        self.calls += 1;
        self.failed += u64::from(call.is_failed);
        self.sum.add(call.cost);
        let usage = &call.usage;
        self.input += usage.input.or_zero();
        self.cache_read += usage.cache_read.or_zero();
        self.cache_write += usage.write_5m.or_zero() + usage.write_1h.or_zero();
        self.output += usage.output.or_zero();
        let (first, last) = self.span.unwrap_or((call.at, call.at));
        self.span = Some((first.min(call.at), last.max(call.at)));
    }

    fn finish(&mut self) {
        self.cost_usd = self.sum.usd();
        self.estimated_usd = self.sum.estimated.usd();
        self.unknown_calls = self.sum.unknown;
        let prompt = self.input + self.cache_read + self.cache_write;
        self.cache_share_per_mille = (self.cache_read * 1000).checked_div(prompt);
        if let Some((first, last)) = self.span {
            (self.first_at, self.last_at) = (first.rfc3339(), last.rfc3339());
        }
    }
}

/// What an agent told last of its plan.
#[derive(Clone, Debug, Serialize)]
pub struct PlanState {
    /// The agent.
    pub agent: String,
    /// How long its window is, in minutes.
    pub window_minutes: u64,
    /// How much of it was used, in percent as told.
    pub used_percent: String,
    /// When it starts anew, as told.
    pub resets_at: String,
    /// When that was told.
    pub told_at: String,
}

/// What the same calls would have cost under a policy.
#[derive(Clone, Debug, Serialize)]
pub struct OtherPolicy {
    /// The policy.
    pub policy: String,
    /// Cost in USD of those whose cost is known or estimated; null where it is of none.
    pub cost_usd: Option<String>,
    /// The estimated part of it.
    pub estimated_usd: String,
    /// Half the width of a 95% interval of that; null where nothing is known of how far off it is.
    pub error_usd: Option<String>,
    /// Calls of unknown cost.
    pub unknown_calls: u64,
    /// How the calls are spread over models.
    pub models: Vec<(String, u64)>,
}

/// What agents' calls came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MineReport {
    /// The form of what follows.
    pub schema: &'static str,
    /// Where the logs are.
    pub places: Vec<AgentPlace>,
    /// The price book.
    pub prices: String,
    /// Calls.
    pub calls: u64,
    /// All of them.
    pub all: Spend,
    /// By agent.
    pub by_agent: Vec<Spend>,
    /// By model.
    pub by_model: Vec<Spend>,
    /// By project.
    pub by_project: Vec<Spend>,
    /// By session.
    pub by_session: Vec<Spend>,
    /// By sub-agent.
    pub by_sub_agent: Vec<Spend>,
    /// By day in UTC.
    pub by_day: Vec<Spend>,
    /// Windows of five hours from their first call, one after another for each agent, as plans count them.
    pub windows: Vec<Spend>,
    /// What agents told last of their plans.
    pub plans: Vec<PlanState>,
    /// What another policy would have cost.
    pub other_policy: Option<OtherPolicy>,
    /// Why things were passed over, and how many.
    pub passed_over: BTreeMap<String, u64>,
    /// Bad lines.
    pub skipped_lines: u64,
    /// The first of them.
    pub skipped: Vec<String>,
    #[serde(skip)]
    sums: [BTreeMap<(String, String), Spend>; 6],
    /// What windows are made of, as calls need not come in order of time.
    #[serde(skip)]
    minutes: BTreeMap<(String, i64), Spend>,
}

impl MineReport {
    /// Starts a report.
    pub fn new(prices: String, places: Vec<AgentPlace>) -> Self {
        Self { schema: "pointsman.mine/1", places, prices, ..Self::default() }
    }

    /// Adds a call.
    pub fn add(&mut self, call: &AgentCall<'_>) {
        self.calls += 1;
        self.all.add(call);
        let day = call.at.date();
        let names = [
            ("", call.agent),
            ("", call.model),
            (call.agent, call.project),
            (call.agent, call.session),
            (call.agent, call.sub_agent),
            ("", day.as_str()),
        ];
        for (sums, (agent, name)) in self.sums.iter_mut().zip(names) {
            let spend = || Spend { name: name.to_owned(), agent: agent.to_owned(), ..Spend::default() };
            sums.entry((agent.to_owned(), name.to_owned())).or_insert_with(spend).add(call);
        }
        let minute = (call.agent.to_owned(), call.at.0.div_euclid(60_000_000));
        self.minutes.entry(minute).or_default().add(call);
    }

    /// Counts a bad line.
    pub fn skip(&mut self, file: &str, line: u64, reason: &str) {
        self.skipped_lines += 1;
        if self.skipped.len() < QUOTED {
            self.skipped.push(format!("{file}:{line}: {reason}"));
        }
    }

    /// Draws up the tables.
    pub fn finish(&mut self) {
        self.all.finish();
        let by_cost = |sums: &mut BTreeMap<(String, String), Spend>| {
            let mut rows: Vec<Spend> = std::mem::take(sums).into_values().collect();
            rows.iter_mut().for_each(Spend::finish);
            crate::units::sort_by(&mut rows, |one, other| {
                let order = other.sum.total().cmp(&one.sum.total()).then(other.calls.cmp(&one.calls));
                order.then_with(|| one.name.cmp(&other.name))
            });
            rows
        };
        let [agents, models, projects, sessions, sub_agents, days] = &mut self.sums;
        self.by_agent = by_cost(agents);
        self.by_model = by_cost(models);
        self.by_project = by_cost(projects);
        self.by_session = by_cost(sessions);
        self.by_sub_agent = by_cost(sub_agents);
        self.by_day = by_cost(days);
        crate::units::sort_by(&mut self.by_day, |one, other| one.name.cmp(&other.name));
        self.windows = windows(std::mem::take(&mut self.minutes));
    }

    /// Writes it as table, CSV or Markdown.
    pub fn text(&self, format: Format) -> String {
        if format == Format::Csv {
            return render(&[self.flat()], format);
        }
        let mut sheets = vec![self.summary()];
        let dimensions = [
            ("By agent", &self.by_agent),
            ("By model", &self.by_model),
            ("By project", &self.by_project),
            ("By session", &self.by_session),
            ("By sub-agent", &self.by_sub_agent),
        ];
        for (title, rows) in dimensions {
            sheets.push(table(title, rows.iter().take(SHOWN), rows.len()));
        }
        let newest = |rows: &[Spend]| rows.len().saturating_sub(SHOWN);
        sheets.push(table("By day (UTC)", self.by_day.iter().skip(newest(&self.by_day)), self.by_day.len()));
        let windows = self.windows.iter().skip(newest(&self.windows));
        sheets.push(table("Windows of 5 hours", windows, self.windows.len()));
        if !self.plans.is_empty() {
            sheets.push(Sheet::of(
                "Plan, as told last",
                &self.plans,
                &[
                    ("agent", &|plan| plan.agent.clone()),
                    (">window", &|plan| format!("{} h", plan.window_minutes / 60)),
                    (">used", &|plan| format!("{} %", plan.used_percent)),
                    ("starts anew", &|plan| plan.resets_at.clone()),
                    ("told at", &|plan| plan.told_at.clone()),
                ],
            ));
        }
        sheets.extend(passed_over(&self.passed_over));
        if !self.skipped.is_empty() {
            sheets.push(Sheet::lines(format!("Skipped lines ({})", self.skipped_lines), &self.skipped));
        }
        render(&sheets, format)
    }

    fn summary(&self) -> Sheet {
        let mut sheet = Sheet::new("Coding agents on this machine", &["", ">", ""]);
        for place in &self.places {
            let files =
                if place.files == 1 { "1 file".to_owned() } else { format!("{} files", count(place.files)) };
            sheet.push(vec![place.agent.clone(), files, place.path.clone()]);
        }
        let all = &self.all;
        let when =
            if all.calls == 0 { String::new() } else { format!("{} to {}", all.first_at, all.last_at) };
        sheet.push(vec!["calls".into(), count(all.calls), when]);
        let mut note = format!("at the prices of {}", self.prices);
        if all.estimated_usd != "0" {
            note = format!("{note}; {} of it estimated", dollars_rounded(&all.estimated_usd));
        }
        if all.unknown_calls > 0 {
            note = format!("{note}; {} calls of unknown cost are not in it", count(all.unknown_calls));
        }
        sheet.push(vec!["cost".into(), cost(all.cost_usd.as_deref()), note]);
        sheet.push(vec![
            "cache share".into(),
            share(all),
            "of prompt tokens came from the provider's cache".into(),
        ]);
        if let Some(other) = &self.other_policy {
            let models: Vec<String> = other
                .models
                .iter()
                .take(4)
                .map(|(name, calls)| format!("{name} {}", count(*calls)))
                .collect();
            let mut note = format!("under policy {}: {}", other.policy, models.join(", "));
            let is_estimate = other.estimated_usd != "0";
            if is_estimate {
                let off = other.error_usd.as_deref().map_or_else(
                    || "error not known".to_owned(),
                    |error| format!("±{}", dollars_rounded(error)),
                );
                note = format!("{note}; {} of it estimated ({off})", dollars_rounded(&other.estimated_usd));
            }
            if other.unknown_calls > 0 {
                note = format!("{note}; {} of unknown cost not in it", count(other.unknown_calls));
            }
            let mark = if is_estimate && other.cost_usd.is_some() { "~" } else { "" };
            sheet.push(vec!["if routed".into(), format!("{mark}{}", cost(other.cost_usd.as_deref())), note]);
        }
        sheet
    }

    /// One flat table with exact figures.
    fn flat(&self) -> Sheet {
        let all = std::slice::from_ref(&self.all);
        let dimensions: [(&str, &[Spend]); 8] = [
            ("all", all),
            ("agent", &self.by_agent),
            ("model", &self.by_model),
            ("project", &self.by_project),
            ("session", &self.by_session),
            ("sub_agent", &self.by_sub_agent),
            ("day", &self.by_day),
            ("window", &self.windows),
        ];
        let columns: &[Column<'_, Spend>] = exact! {
            name agent calls failed cost_usd estimated_usd unknown_calls input cache_read cache_write output first_at last_at
        };
        let mut sheet = figures::table(String::new(), &["dimension".to_owned()], columns);
        for (name, rows) in dimensions {
            let by = vec![("dimension".into(), name.to_owned())];
            sheet.rows.extend(rows.iter().map(|row| figures::row(&by, row, columns)));
        }
        sheet
    }
}

fn share(spend: &Spend) -> String {
    spend
        .cache_share_per_mille
        .map_or_else(|| "-".to_owned(), |share| format!("{}.{} %", share / 10, share % 10))
}

fn table<'s>(title: &str, rows: impl Iterator<Item = &'s Spend>, all: usize) -> Sheet {
    let title = if all > SHOWN { format!("{title} ({SHOWN} of {all})") } else { title.to_owned() };
    Sheet::of(
        title,
        rows,
        &[
            ("name", &|row| if row.name.is_empty() { "-".to_owned() } else { row.name.clone() }),
            ("agent", &|row| row.agent.clone()),
            (">calls", &|row| count(row.calls)),
            (">cost", &|row| cost(row.cost_usd.as_deref())),
            (">unknown", &|row| count(row.unknown_calls)),
            (">input", &|row| count(row.input)),
            (">cache read", &|row| count(row.cache_read)),
            (">cache write", &|row| count(row.cache_write)),
            (">output", &|row| count(row.output)),
            (">cached", &|row| share(row)),
            (">failed", &|row| count(row.failed)),
        ],
    )
}

/// Puts minutes together to windows: each begins at the full hour before its first call, and ends five hours later or
/// where nothing was called for as long.
fn windows(minutes: BTreeMap<(String, i64), Spend>) -> Vec<Spend> {
    const HOUR: i64 = 3_600_000_000;
    let mut found: Vec<Spend> = Vec::new();
    let mut open: Option<Instant> = None;
    for ((agent, _), minute) in minutes {
        let Some((first, last)) = minute.span else { continue };
        let goes_on = found.last().is_some_and(|window| {
            let since = window.span.map_or(Span::ZERO, |(_, last)| first - last);
            window.agent == agent && open.is_some_and(|start| first - start < WINDOW) && since < WINDOW
        });
        if !goes_on {
            let start = Instant(first.0.div_euclid(HOUR) * HOUR);
            open = Some(start);
            found.push(Spend { name: start.rfc3339(), agent, ..Spend::default() });
        }
        let Some(window) = found.last_mut() else { continue };
        window.calls += minute.calls;
        window.failed += minute.failed;
        window.input += minute.input;
        window.cache_read += minute.cache_read;
        window.cache_write += minute.cache_write;
        window.output += minute.output;
        window.sum += &minute.sum;
        let begun = window.span.map_or(first, |(begun, _)| begun);
        window.span = Some((begun, last));
    }
    found.iter_mut().for_each(Spend::finish);
    crate::units::sort_by(&mut found, |one, other| {
        one.name.cmp(&other.name).then_with(|| one.agent.cmp(&other.agent))
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::Unpriced;
    use crate::units::Pico;

    fn call(at: &str, cost: Cost) -> AgentCall<'static> {
        AgentCall {
            at: Instant::parse(at).unwrap(),
            agent: "codex",
            project: "shop",
            session: "s",
            sub_agent: "main",
            model: "gpt-5",
            usage: Usage {
                cache_read: crate::units::Count::new(30).unwrap(),
                ..Usage::plain(10, 5).unwrap()
            },
            cost,
            is_failed: false,
        }
    }

    #[test]
    fn windows_open_with_a_call_and_close_after_five_hours_in_whatever_order_calls_come() {
        let mut report = MineReport::default();
        let cent = Cost::Known(Pico(10_000_000_000));
        for at in
            ["2026-05-23T14:59:00Z", "2026-05-23T10:20:00Z", "2026-05-23T15:00:00Z", "2026-05-24T09:00:00Z"]
        {
            report.add(&call(at, cent));
        }
        report.add(&call("2026-05-24T09:01:00Z", Cost::Unknown(Unpriced::NoPrice)));
        report.finish();
        let shown: Vec<_> = report
            .windows
            .iter()
            .map(|w| (w.name.as_str(), w.calls, w.cost_usd.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(
            shown,
            [
                ("2026-05-23T10:00:00.000Z", 2, "0.02"),
                ("2026-05-23T15:00:00.000Z", 1, "0.01"),
                ("2026-05-24T09:00:00.000Z", 2, "0.01")
            ]
        );
        assert_eq!((report.all.unknown_calls, report.all.cache_share_per_mille), (1, Some(750)));
        assert_eq!(report.by_day.len(), 2);
    }
}
