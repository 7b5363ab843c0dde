//! Budgets in a what-if: limits as they are tried, and whom they would have turned away or moved.
//!
//! Invariant: a limit is written as a budget file has it, so it means the same here and there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::bail;
use serde::Serialize;

use super::rates::{per_month, percent};
use crate::budget::{Dimension, Limit, LimitHistory, Period};
use crate::cli::alert_rules;
use crate::cli::brought::brought_limits;
use crate::cli::output;
use crate::config::{budgets, named_text};
use crate::record::BudgetFiles;
use crate::report::{Format, Sheet, count};
use crate::routing::Policy;
use crate::session::{BudgetsTried, CameTo, Log, TriedAlert, TriedRow, TriedRun, TriedSide, try_budgets};
use crate::units::{Instant, Pico, Span, members};

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
                let (name, text) = named_text(path, "")?;
                budgets::parse(&text, &name)?.into()
            }
        };
        // A budget that was not there at all times is changed where it was.
        let last = changed(applied.last(), changes)?;
        let later = |limits: &[Limit]| changed(limits, changes).unwrap_or_else(|_| limits.to_vec());
        let staged = if applied.later().is_empty() { last.into() } else { applied.map(later) };
        Ok(Some(Self { applied, staged, is_brought, is_changed: !changes.is_empty() }))
    }

    /// Lists all limits, those in force and those that are tried.
    pub(super) fn all(&self) -> impl Iterator<Item = &Limit> {
        self.applied.all().chain(self.staged.all())
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

members! {
    #[derive(Debug, Serialize)]
    struct SideReport;
    fn new(side: TriedSide) {}
    limit_usd: String = side.limit.usd(),
    spent_usd: String = side.spent.usd(),
    refused_requests: u64 = side.refused,
    moved_requests: u64 = side.moved,
    waited_requests: u64 = side.waited,
    ran_out: Option<String> = side.ran_out.map(Instant::rfc3339),
}

members! {
    #[derive(Debug, Serialize)]
    struct WindowReport;
    fn new(row: &TriedRow) {}
    limit: String = row.name.clone(),
    starts: Option<String> = row.starts.map(Instant::rfc3339),
    applied: Option<SideReport> = row.applied.map(SideReport::new),
    staged: Option<SideReport> = row.staged.map(SideReport::new),
}

members! {
    #[derive(Debug, Serialize)]
    struct Turned;
    fn new(one: &crate::session::Turned, log: &Log, before: &BTreeSet<(usize, bool)>) {}
    id: String = log.history.id(one.index).to_owned(),
    at: String = one.at.rfc3339(),
    limit: String = one.limit.clone(),
    model: String = log.names.model(one.model).to_owned(),
    refused: bool = one.refused,
    /// Whether it was turned so in force, too.
    as_before: bool = before.contains(&(one.index, one.refused)),
}

members! {
    #[derive(Debug, Serialize)]
    struct CameToReport;
    fn new(side: CameTo, span: Option<Span>) {
        let total = Some(side.cost.total()).filter(|_| !side.cost.is_unknown());
    }
    requests: u64 = side.requests,
    cost_usd: Option<String> = side.cost.usd(),
    cost_unknown_requests: u64 = side.cost.unknown,
    cost_per_month_usd: Option<String> =
        total.and_then(|total| per_month(total, span)).map(|amount| amount.usd_rounded(2).replace(',', "")),
    failed_requests: u64 = side.failed,
}

members! {
    /// What budgets come to on both sides.
    #[derive(Debug, Serialize)]
    pub(super) struct BudgetsReport;
    fn new((log, span): (&Log, Option<Span>), limits: &Limits, applied: TriedRun, staged: TriedRun) {
        let both = BudgetsTried::beside(&applied, &staged);
        let [in_force, tried] = both.came_to.map(|side| CameToReport::new(side, span));
        let (applied, staged) = (applied.budgets, staged.budgets);
        let before: BTreeSet<(usize, bool)> = applied.turned.iter().map(|one| (one.index, one.refused)).collect();
        let turned = staged.turned.iter().map(|one| Turned::new(one, log, &before));
    }
    /// `in_order`: every request was decided in order of arrival, on how the budgets stood then.
    decided: &'static str = "in_order",
    /// Where the limits in force are from: `file`, `log` (it brings them), or `none`.
    in_force: &'static str = match (limits.is_brought, limits.applied.is_empty()) {
        (true, _) => "log",
        (_, true) => "none",
        _ => "file",
    },
    applied_refused_requests: u64 = both.refused.0,
    staged_refused_requests: u64 = both.refused.1,
    applied_moved_requests: u64 = both.moved.0,
    staged_moved_requests: u64 = both.moved.1,
    /// Those that would have waited for room.
    applied_waited_requests: u64 = both.waited.0,
    staged_waited_requests: u64 = both.waited.1,
    /// What all requests come to under the limits: in force, and tried.
    applied: CameToReport = in_force,
    staged: CameToReport = tried,
    windows: Vec<WindowReport> = both.rows.iter().map(WindowReport::new).collect(),
    turned: Vec<Turned> = turned.collect(),
    applied_alerts: usize = both.alerts.map_or(0, |(applied, _)| applied),
    staged_alerts: usize = both.alerts.map_or(0, |(_, staged)| staged),
    /// Those that would have fired on one side alone, or at another moment.
    alerts: Vec<AlertReport> = both.told.iter().map(AlertReport::new).collect(),
}

members! {
    #[derive(Debug, Serialize)]
    struct AlertReport;
    fn new(one: &TriedAlert) {
        let [applied, staged] = one.fired.map(|at| at.map(Instant::rfc3339));
    }
    alert: String = one.name.clone(),
    level: &'static str = one.level.name(),
    applied: Option<String> = applied,
    staged: Option<String> = staged,
}

/// Runs the log on both sides.
pub(super) fn tried(
    log: &Log,
    policies: (&Policy, &Policy),
    limits: &Limits,
    span: Option<Span>,
) -> anyhow::Result<BudgetsReport> {
    let rules = alert_rules::rules()?;
    let [applied, staged] = output::long("budgets", (log.len() as u64).div_ceil(4096) * 2, |step| {
        let mut steps = 0;
        try_budgets(log, policies, ([&limits.applied, &limits.staged], Some(&rules)), || {
            steps += 1;
            step(steps)
        })
    })?;
    Ok(BudgetsReport::new((log, span), limits, applied, staged))
}

impl BudgetsReport {
    /// Makes the table of alerts that go another way; none where all fire as before.
    pub(super) fn told(&self, format: Format) -> Option<Sheet> {
        let title = format!("Alerts, {} then {}", self.applied_alerts, self.staged_alerts);
        let title = if format == Format::Csv { String::new() } else { title };
        let listed = self.alerts.iter().take(if format == Format::Csv { usize::MAX } else { LISTED });
        let sheet = Sheet::of(
            title,
            listed,
            &[
                ("alert", &|one| one.alert.clone()),
                ("level", &|one| one.level.to_owned()),
                ("applied", &|one| output::moment(one.applied.as_deref(), format)),
                ("staged", &|one| output::moment(one.staged.as_deref(), format)),
            ],
        );
        (!self.alerts.is_empty()).then_some(sheet)
    }

    /// Makes the table of what all requests come to under the limits.
    pub(super) fn came_to(&self, format: Format) -> Sheet {
        let exact = format == Format::Csv;
        let title = if exact { "" } else { "All requests under the budgets, decided in order" };
        let mut sheet = Sheet::new(title, &["", ">applied", ">staged", ">change"]);
        let money = |usd: &Option<String>| match usd {
            Some(usd) if exact => usd.clone(),
            Some(usd) => output::money(usd),
            None if exact => String::new(),
            None => "unknown".to_owned(),
        };
        let amount = |side: &CameToReport| side.cost_usd.as_deref().and_then(|usd| Pico::from_usd(usd).ok());
        let change = amount(&self.applied).zip(amount(&self.staged)).and_then(|(a, b)| percent(a, b));
        let change = change.map_or_else(String::new, |percent| format!("{percent} %"));
        let mut row = |name: &str, of: &dyn Fn(&CameToReport) -> String, change: String| {
            sheet.push(vec![name.into(), of(&self.applied), of(&self.staged), change]);
        };
        row("cost", &|side| money(&side.cost_usd), change);
        row("per month at this rate", &|side| money(&side.cost_per_month_usd), String::new());
        let number = |number: u64| if exact { number.to_string() } else { count(number) };
        row("without an answer", &|side| number(side.failed_requests), String::new());
        sheet
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
            // Calls are held at what they cost, which no gateway can: near a limit this is not what it did.
            let (brought, anew) = if self.in_force == "log" {
                (" that the log brings", " anew, not as the gateway did (that is in `replay --as routed`)")
            } else {
                ("", "")
            };
            format!(
                "Budgets{brought}, decided in order{anew} · refused {} then {}, moved {} then {}{waited}",
                count(self.applied_refused_requests),
                count(self.staged_refused_requests),
                count(self.applied_moved_requests),
                count(self.staged_moved_requests)
            )
        };
        let money = |usd: &str| match Pico::from_usd(usd) {
            Ok(amount) if !exact => {
                let is_small = amount != Pico::ZERO && amount.0.abs() < Pico::USD.0;
                amount.usd_rounded(if is_small { 6 } else { 2 })
            }
            _ => usd.to_owned(),
        };
        let none = || if exact { String::new() } else { "-".to_owned() };
        let told = |side: &Option<SideReport>, cell: &dyn Fn(&SideReport) -> String| {
            side.as_ref().map_or_else(none, cell)
        };
        let amount = |side: &Option<SideReport>| told(side, &|side| money(&side.limit_usd));
        let spent = |side: &Option<SideReport>| told(side, &|side| money(&side.spent_usd));
        let refused = |side: &Option<SideReport>| told(side, &|side| side.refused_requests.to_string());
        let moved = |side: &Option<SideReport>| told(side, &|side| side.moved_requests.to_string());
        let ran_out =
            |side: &Option<SideReport>| told(side, &|side| output::moment(side.ran_out.as_deref(), format));
        Sheet::of(
            title,
            &self.windows,
            &[
                ("limit", &|row| row.limit.clone()),
                ("starts", &|row| output::moment(row.starts.as_deref(), format)),
                (">applied USD", &|row| amount(&row.applied)),
                (">spent", &|row| spent(&row.applied)),
                (">refused", &|row| refused(&row.applied)),
                (">moved", &|row| moved(&row.applied)),
                ("ran out", &|row| ran_out(&row.applied)),
                (">staged USD", &|row| amount(&row.staged)),
                (">spent", &|row| spent(&row.staged)),
                (">refused", &|row| refused(&row.staged)),
                (">moved", &|row| moved(&row.staged)),
                ("ran out", &|row| ran_out(&row.staged)),
            ],
        )
    }

    /// Makes the table of requests that go another way than before.
    pub(super) fn turned(&self, format: Format) -> Sheet {
        let new = || self.turned.iter().filter(|one| !one.as_before);
        let title = format!("Turned away or moved by what is tried: the first {}", LISTED.min(new().count()));
        Sheet::of(
            title,
            new().take(LISTED),
            &[
                ("request", &|one| one.id.clone()),
                ("at", &|one| output::moment(Some(&one.at), format)),
                ("limit", &|one| one.limit.clone()),
                ("no room for", &|one| one.model.clone()),
                ("what became of it", &|one| if one.refused { "refused" } else { "moved" }.to_owned()),
            ],
        )
    }
}
