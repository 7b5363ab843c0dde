//! Budgets in a what-if: limits as they are tried, and whom they would have turned away or moved.
//!
//! Invariant: a limit is written as a budget file has it, so it means the same here and there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Serialize;

use crate::app::{Cancel, Progress};
use crate::budget::{Dimension, Limit, LimitHistory, Period};
use crate::cli::alert_rules;
use crate::cli::brought::brought_limits;
use crate::config::budgets;
use crate::record::BudgetFiles;
use crate::report::{Format, Sheet, count};
use crate::routing::Policy;
use crate::session::{BudgetsTried, Log, TriedAlert, TriedRow, TriedSide, try_budgets};
use crate::units::{Instant, Pico};

/// Requests turned away or moved that a table lists; JSON has as many as were kept.
const LISTED: usize = 20;

/// The limits of both sides.
#[derive(Debug)]
pub(super) struct Limits {
    applied: LimitHistory,
    staged: LimitHistory,
    /// Whether those in force are the log's own.
    is_brought: bool,
    is_changed: bool,
}

impl Limits {
    /// Reads what is asked of budgets, a file or those that the log brings and changes to them; none where nothing is.
    pub(super) fn read(
        file: Option<&Path>,
        changes: &[String],
        brought: &BudgetFiles,
    ) -> anyhow::Result<Option<Self>> {
        let is_brought = file.is_none() && !brought.is_empty();
        if file.is_none() && changes.is_empty() && !is_brought {
            return Ok(None);
        }
        let applied = match file {
            None if is_brought => brought_limits(brought)?,
            None => LimitHistory::default(),
            Some(path) => {
                let name = path.display().to_string();
                let text = std::fs::read_to_string(path).with_context(|| name.clone())?;
                budgets::parse(&text, &name)?.into()
            }
        };
        // A budget that was not there at all times is changed where it was.
        let last = changed(applied.last(), changes)?;
        let later = |limits: &[Limit]| changed(limits, changes).unwrap_or_else(|_| limits.to_vec());
        let staged = if applied.later().is_empty() { last.into() } else { applied.map(later) };
        Ok(Some(Self { applied, staged, is_brought, is_changed: !changes.is_empty() }))
    }

    /// Says whether any limit is tried.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }
}

/// Returns limits with all changes made.
fn changed(limits: &[Limit], changes: &[String]) -> anyhow::Result<Vec<Limit>> {
    let mut limits = limits.to_vec();
    for text in changes {
        change(&mut limits, text)?;
    }
    Ok(limits)
}

/// Changes a limit, or adds one.
fn change(limits: &mut Vec<Limit>, text: &str) -> anyhow::Result<()> {
    let split = text.rsplit_once('=').and_then(|(whose, rest)| Some((whose.trim(), rest.split_once('/')?)));
    let Some((whose, (amount, window))) = split else {
        bail!("--budget {text}: write whose, US dollars and a window, like team:search=50/day");
    };
    let amount = amount.trim().trim_start_matches('$');
    let told = Pico::from_usd(amount).ok().filter(|amount| *amount >= Pico::ZERO);
    let Some(told) = told else { bail!("--budget {text}: `{amount}` is no amount in US dollars") };
    let window = window.trim();
    let Some(period) = Period::parse(window) else {
        bail!(
            "--budget {text}: `{window}` is no window; write hour, day, week, month, quarter, year, lifetime or 6h"
        );
    };
    if let Some(known) = limits.iter_mut().find(|limit| *limit.budget == *whose && limit.period == period) {
        known.amount = told;
        return Ok(());
    }
    let like = limits.iter().find(|limit| *limit.budget == *whose).cloned();
    if let Some(like) = like {
        limits.push(Limit { period, amount: told, special: BTreeMap::new(), ..like });
        return Ok(());
    }
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut file =
        format!("[budget.{}]\nlimit = {{ {} = {} }}\n", quoted(whose), quoted(window), quoted(amount));
    match whose.split_once(':') {
        None if whose == "all" => {}
        Some(("each", dimension)) => _ = writeln!(file, "each = {}", quoted(dimension)),
        Some((dimension, value)) if Dimension::parse(dimension).is_some() && !value.is_empty() => {
            _ = writeln!(file, "{dimension} = [{}]", quoted(value));
        }
        _ => bail!(
            "--budget {text}: no budget is called `{whose}`; write one of the file's, all, team:search or each:team (team, project, user, key, session, route, model, task)"
        ),
    }
    limits.extend(budgets::parse(&file, &format!("--budget {text}"))?);
    Ok(())
}

#[derive(Debug, Serialize)]
struct SideReport {
    limit_usd: String,
    spent_usd: String,
    refused_requests: u64,
    moved_requests: u64,
    waited_requests: u64,
    ran_out: Option<String>,
}

#[derive(Debug, Serialize)]
struct WindowReport {
    limit: String,
    starts: Option<String>,
    applied: Option<SideReport>,
    staged: Option<SideReport>,
}

#[derive(Debug, Serialize)]
struct Turned {
    id: String,
    at: String,
    limit: String,
    model: String,
    refused: bool,
    /// Whether it was turned so in force, too.
    as_before: bool,
}

/// What budgets come to on both sides.
#[derive(Debug, Serialize)]
pub(super) struct BudgetsReport {
    /// `in_order`: every request was decided in order of arrival, on how the budgets stood then.
    decided: &'static str,
    /// Where the limits in force are from: `file`, `log` (it brings them), or `none`.
    in_force: &'static str,
    applied_refused_requests: u64,
    staged_refused_requests: u64,
    applied_moved_requests: u64,
    staged_moved_requests: u64,
    /// Those that would have waited for room.
    applied_waited_requests: u64,
    staged_waited_requests: u64,
    windows: Vec<WindowReport>,
    turned: Vec<Turned>,
    applied_alerts: usize,
    staged_alerts: usize,
    /// Those that would have fired on one side alone, or at another moment.
    alerts: Vec<AlertReport>,
}

#[derive(Debug, Serialize)]
struct AlertReport {
    alert: String,
    level: &'static str,
    applied: Option<String>,
    staged: Option<String>,
}

/// Runs the log on both sides.
pub(super) fn tried(
    log: &Log,
    policies: (&Policy, &Policy),
    limits: &Limits,
) -> anyhow::Result<BudgetsReport> {
    let (mut progress, cancel) = (Progress::new("budgets", None), Cancel::on_interrupt());
    let steps = (log.len() as u64).div_ceil(4096) * 2;
    let mut step = 0;
    let rules = alert_rules::rules()?;
    let found = try_budgets(log, policies, ([&limits.applied, &limits.staged], Some(&rules)), || {
        step += 1;
        progress.step(step, steps);
        !cancel.is_raised()
    });
    progress.finish();
    let Some([applied, staged]) = found else { bail!("cancelled") };
    let both = BudgetsTried::beside(&applied, &staged);
    let side = |side: TriedSide| SideReport {
        limit_usd: side.limit.usd(),
        spent_usd: side.spent.usd(),
        refused_requests: side.refused,
        moved_requests: side.moved,
        waited_requests: side.waited,
        ran_out: side.ran_out.map(Instant::rfc3339),
    };
    let window = |row: &TriedRow| WindowReport {
        limit: row.name.clone(),
        starts: row.starts.map(Instant::rfc3339),
        applied: row.applied.map(side),
        staged: row.staged.map(side),
    };
    let alert = |one: &TriedAlert| {
        let [applied, staged] = one.fired.map(|at| at.map(Instant::rfc3339));
        AlertReport { alert: one.name.clone(), level: one.level.name(), applied, staged }
    };
    let (applied, staged) = (applied.budgets, staged.budgets);
    let before: BTreeSet<(usize, bool)> = applied.turned.iter().map(|one| (one.index, one.refused)).collect();
    let turned = staged.turned.iter().map(|one| Turned {
        id: log.history.id(one.index).to_owned(),
        at: one.at.rfc3339(),
        limit: one.limit.clone(),
        model: log.names.model(one.model).to_owned(),
        refused: one.refused,
        as_before: before.contains(&(one.index, one.refused)),
    });
    Ok(BudgetsReport {
        decided: "in_order",
        in_force: match (limits.is_brought, limits.applied.is_empty()) {
            (true, _) => "log",
            (_, true) => "none",
            _ => "file",
        },
        applied_refused_requests: both.refused.0,
        staged_refused_requests: both.refused.1,
        applied_moved_requests: both.moved.0,
        staged_moved_requests: both.moved.1,
        applied_waited_requests: both.waited.0,
        staged_waited_requests: both.waited.1,
        turned: turned.collect(),
        windows: both.rows.iter().map(window).collect(),
        applied_alerts: both.alerts.map_or(0, |(applied, _)| applied),
        staged_alerts: both.alerts.map_or(0, |(_, staged)| staged),
        alerts: both.told.iter().map(alert).collect(),
    })
}

impl BudgetsReport {
    /// Makes the table of alerts that go another way; none where all fire as before.
    pub(super) fn told(&self, format: Format) -> Option<Sheet> {
        let title = format!("Alerts, {} then {}", self.applied_alerts, self.staged_alerts);
        let title = if format == Format::Csv { String::new() } else { title };
        let mut sheet = Sheet::new(title, &["alert", "level", "applied", "staged"]);
        for one in self.alerts.iter().take(if format == Format::Csv { usize::MAX } else { LISTED }) {
            let [applied, staged] = [&one.applied, &one.staged].map(|at| moment(at.as_deref(), format));
            sheet.push(vec![one.alert.clone(), one.level.to_owned(), applied, staged]);
        }
        (!self.alerts.is_empty()).then_some(sheet)
    }

    /// Makes the table of windows.
    pub(super) fn sheet(&self, format: Format) -> Sheet {
        let exact = format == Format::Csv;
        let title = if exact {
            String::new()
        } else {
            let (then, now) = (self.applied_waited_requests, self.staged_waited_requests);
            let waited = if (then, now) == (0, 0) {
                String::new()
            } else {
                format!(", waited {} then {}", count(then), count(now))
            };
            let brought = if self.in_force == "log" { " that the log brings" } else { "" };
            format!(
                "Budgets{brought}, decided in order · refused {} then {}, moved {} then {}{waited}",
                count(self.applied_refused_requests),
                count(self.staged_refused_requests),
                count(self.applied_moved_requests),
                count(self.staged_moved_requests)
            )
        };
        let heads = [
            "limit",
            "starts",
            ">applied USD",
            ">spent",
            ">refused",
            ">moved",
            "ran out",
            ">staged USD",
            ">spent",
            ">refused",
            ">moved",
            "ran out",
        ];
        let mut sheet = Sheet::new(title, &heads);
        let money = |usd: &str| match Pico::from_usd(usd) {
            Ok(amount) if !exact => {
                let is_small = amount != Pico::ZERO && amount.0.abs() < Pico::USD.0;
                amount.usd_rounded(if is_small { 6 } else { 2 })
            }
            _ => usd.to_owned(),
        };
        let side = |side: &Option<SideReport>| match side {
            None => std::array::from_fn(|_| if exact { String::new() } else { "-".to_owned() }),
            Some(side) => [
                money(&side.limit_usd),
                money(&side.spent_usd),
                side.refused_requests.to_string(),
                side.moved_requests.to_string(),
                moment(side.ran_out.as_deref(), format),
            ],
        };
        for row in &self.windows {
            let mut cells = vec![row.limit.clone(), moment(row.starts.as_deref(), format)];
            cells.extend::<[String; 5]>(side(&row.applied));
            cells.extend::<[String; 5]>(side(&row.staged));
            sheet.push(cells);
        }
        sheet
    }

    /// Makes the table of requests that go another way than before.
    pub(super) fn turned(&self, format: Format) -> Sheet {
        let new = || self.turned.iter().filter(|one| !one.as_before);
        let title = format!("Turned away or moved by what is tried: the first {}", LISTED.min(new().count()));
        let mut sheet = Sheet::new(title, &["request", "at", "limit", "no room for", "what became of it"]);
        for one in new().take(LISTED) {
            let became = if one.refused { "refused" } else { "moved" };
            sheet.push(vec![
                one.id.clone(),
                moment(Some(&one.at), format),
                one.limit.clone(),
                one.model.clone(),
                became.to_owned(),
            ]);
        }
        sheet
    }
}

fn moment(text: Option<&str>, format: Format) -> String {
    match (text, format) {
        (None, Format::Csv) => String::new(),
        (None, _) => "-".to_owned(),
        (Some(text), Format::Csv) => text.to_owned(),
        (Some(text), _) => text.get(..16).unwrap_or(text).replace('T', " "),
    }
}
