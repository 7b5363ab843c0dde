//! What a log comes to in a world that is not as it was, branch by branch beside what it came to.
//!
//! Invariant: every branch is of the same requests, but for those that the world itself brings; what is estimated says so.

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::chart::{Bar, by_name, escaped, money};
use super::page::{cells, heads, opened};
use super::replay::Latency;
use super::sheet::{Format, Sheet, render};
use super::text::{count, simulated};
use crate::budget::StandingRow;
use crate::outcome::Spread;
use crate::pricing::as_factor;
use crate::runaway::Trip;
use crate::telemetry::{Cell, Totals};
use crate::units::{Instant, Names, Pico, Span, counted, members};
use crate::world::{Change, Quote, Seen, What, World};

/// What the branches are of.
#[derive(Clone, Debug, Serialize)]
pub struct BranchScope {
    /// The world's title.
    pub world: String,
    /// Where it was read.
    pub file: String,
    /// What it assumes.
    pub about: String,
    /// What chance is drawn from.
    pub seed: u64,
    /// The logs.
    pub logs: Vec<String>,
    /// `routed`: in a world that is not as it was, what happened is no answer.
    pub reading: &'static str,
    /// The price book.
    pub prices: String,
    /// Requests of the log whose answers were simulated: their part of the costs nobody bills.
    pub simulated_requests: u64,
}

/// A stretch of time.
#[derive(Clone, Debug, Serialize)]
pub struct StretchRow {
    /// The first moment.
    pub from: String,
    /// The first moment after it.
    pub to: String,
}

/// The comparison.
#[derive(Clone, Debug, Serialize)]
pub struct BranchReport {
    /// The version of this object's layout.
    pub schema: &'static str,
    /// What it is of.
    #[serde(flatten)]
    pub scope: BranchScope,
    /// From the first thing that the world has otherwise to the last; null where nothing is.
    pub incident: Option<StretchRow>,
    /// What is otherwise, in words.
    pub changes: Vec<String>,
    /// The place of the branch that changes are against: the log as it was or, where limits stand that the world does not bring,
    /// under them.
    pub base: usize,
    /// The branches, the log as it was first.
    pub branches: Vec<BranchRow>,
}

members! {
    /// One branch.
    #[derive(Clone, Debug, Serialize)]
    pub struct BranchRow;
    /// Draws one up.
    pub fn new(
        (branch, policy): (String, String),
        (whole, incident): (Figures, Option<Figures>),
        seen: Seen,
        (moved, waited, budgets): (u64, u64, Vec<StandingRow>),
        trips: &[Arc<Trip>],
    ) {
        let trip = |trip: &Arc<Trip>| TripRow { at: trip.at.rfc3339(), what: trip.words() };
    }
    /// Its name.
    pub branch: String = branch,
    /// The policies that decided.
    pub policy: String = policy,
    /// All of the log.
    pub whole: Figures = whole,
    /// The incident alone.
    pub incident: Option<Figures> = incident,
    /// Calls that failed because of the world.
    pub failed_calls: u64 = seen.failed_calls,
    /// Requests at whose arrival it kept a model from being called.
    pub barred_requests: u64 = seen.barred_requests,
    /// Calls that found cold what had been warm.
    pub cold_calls: u64 = seen.cold_calls,
    /// Requests without a session while caches were otherwise; they are counted as they were.
    pub unknown_sessions: u64 = seen.unknown_sessions,
    /// Requests that budgets moved to another rung.
    pub moved_requests: u64 = moved,
    /// Requests that waited for room in a budget.
    pub waited_requests: u64 = waited,
    /// Windows of budgets that anything was spent in.
    pub budgets: Vec<StandingRow> = budgets,
    /// Rules against runaways that tripped.
    pub trips: Vec<TripRow> = trips.iter().map(trip).collect(),
}

/// A rule that tripped.
#[derive(Clone, Debug, Serialize)]
pub struct TripRow {
    /// When.
    pub at: String,
    /// In words.
    pub what: String,
}

members! {
    /// What requests came to.
    #[derive(Clone, Debug, Serialize)]
    pub struct Figures;
    /// Draws figures up.
    pub fn new(totals: &Totals, refused: u64, apart: [Spread; 2], names: &Names) {
        let all = &totals.all;
        let row = |name: Option<&Arc<str>>, cell: &Cell| ModelRow {
            model: name.map(ToString::to_string),
            calls: cell.attempts,
            answered: cell.answered,
            failed_calls: cell.errors,
            cost_usd: cell.cost.usd(),
        };
        let named = totals.models.iter().enumerate().map(|(at, cell)| (names.models().get(at), cell));
        let mut by_model: Vec<(Pico, ModelRow)> = named
            .chain([(None, &totals.unnamed_model)])
            .filter(|(_, cell)| cell.attempts > 0)
            .map(|(name, cell)| (cell.cost.total(), row(name, cell)))
            .collect();
        crate::units::sort_by(&mut by_model, |(one, a), (other, b)| {
            other.cmp(one).then_with(|| a.model.cmp(&b.model))
        });
    }
    /// Requests.
    pub requests: u64 = all.requests,
    /// Calls to models.
    pub calls: u64 = all.attempts,
    /// Known and estimated cost in dollars; null where nothing of it is known.
    pub cost_usd: Option<String> = all.cost.usd(),
    /// The estimated part.
    pub cost_estimated_usd: String = all.cost.estimated.usd(),
    /// Half-width of a 95% interval of that part, as far as it comes from estimated tokens.
    pub cost_error_usd: String = all.cost_error().usd(),
    /// The same of its difference to the first branch, request by request: what is estimated alike in both adds nothing.
    pub change_error_usd: String = Spread::apart(apart).usd(),
    /// Requests whose cost is unknown.
    pub cost_unknown_requests: u64 = all.cost.unknown,
    /// Requests that ended without an answer, those refused left out.
    pub failed: u64 = all.errors.saturating_sub(refused),
    /// Requests that budgets, rules or the policy refused.
    pub refused: u64 = refused,
    /// Requests that went up their ladder.
    pub escalated: u64 = all.escalated,
    /// Latency; null where none is known.
    pub latency_ms: Option<Latency> = all.latency.percentiles().map(Latency::from),
    /// By model, the most expensive first.
    pub by_model: Vec<ModelRow> = by_model.into_iter().map(|(_, row)| row).collect(),
}

/// One model's part.
#[derive(Clone, Debug, Serialize)]
pub struct ModelRow {
    /// Its name; null where the log names none.
    pub model: Option<String>,
    /// Calls.
    pub calls: u64,
    /// Requests that ended there.
    pub answered: u64,
    /// Calls that failed.
    pub failed_calls: u64,
    /// Cost in dollars; null where nothing of it is known.
    pub cost_usd: Option<String>,
}

/// Lists what each branch has of one kind, with the branch's name.
fn each<'r, T>(
    rows: &'r [BranchRow],
    of: fn(&'r BranchRow) -> &'r [T],
) -> impl Iterator<Item = (&'r str, &'r T)> {
    rows.iter().flat_map(move |row| of(row).iter().map(|one| (row.branch.as_str(), one)))
}

impl BranchReport {
    /// Starts a comparison.
    pub fn new(scope: BranchScope, world: &World, bounds: (Instant, Instant), base: usize) -> Self {
        let incident = world.incident(bounds);
        let row = |(from, to): (Instant, Instant)| StretchRow { from: from.rfc3339(), to: to.rfc3339() };
        let mut changes: Vec<String> = world.changes.iter().map(|change| words(change, bounds.0)).collect();
        changes.extend(world.starts.map(|starts| format!("the log begins at {}", starts.rfc3339())));
        changes.extend(world.repeats.iter().map(|repeat| {
            let grows = if repeat.grows > 0 {
                format!(", each {} tokens longer", repeat.grows)
            } else {
                String::new()
            };
            format!(
                "session {}: {} besides, {}{grows}",
                repeat.session,
                counted(repeat.times.into(), "request"),
                if repeat.every == Span::ZERO {
                    "all at once".to_owned()
                } else {
                    format!("one every {}", repeat.every)
                }
            )
        }));
        changes.extend(world.amounts.iter().map(|amount| {
            format!(
                "{} is ${}{}",
                amount.limit,
                amount.amount.usd(),
                stretch(amount.stretch.within(bounds.0), bounds.0)
            )
        }));
        let branches = Vec::new();
        Self { schema: "pointsman.branches/1", scope, incident: incident.map(row), changes, base, branches }
    }

    /// Says behind changes why nothing comes of them, one by one in their order.
    pub fn remark(&mut self, idle: impl Iterator<Item = Option<&'static str>>) {
        for (change, why) in self.changes.iter_mut().zip(idle) {
            if let Some(why) = why {
                *change = format!("{change}: {why}");
            }
        }
    }

    /// Says which branches of the world this policy has no thresholds for.
    pub fn leave_out(&mut self, untried: &[(String, String)]) {
        self.changes.extend(untried.iter().map(|(name, why)| format!("branch {name} is left out: {why}")));
    }

    /// Lays the comparison out as sheets.
    pub fn sheets(&self, format: Format) -> Vec<Sheet> {
        let of_them = simulated(self.scope.simulated_requests);
        let title = format!("{} · {}{of_them}", self.scope.world, self.scope.logs.join(", "));
        let mut sheets = vec![self.figures(title, format, |row| Some(&row.whole))];
        if let Some(StretchRow { from, to }) = &self.incident {
            let title = format!("From {from} to {to}");
            sheets.push(self.figures(title, format, |row| row.incident.as_ref()));
        }
        let minute = |at: &str| at.get(..16).unwrap_or(at).replace('T', " ");
        let or_dash = |at: &Option<String>| at.as_deref().map_or_else(|| "-".to_owned(), minute);
        let models = Sheet::of(
            "By model",
            each(&self.branches, |row| &row.whole.by_model),
            &[
                ("branch", &|(branch, _)| (*branch).to_owned()),
                ("model", &|(_, row)| row.model.clone().unwrap_or_else(|| "-".to_owned())),
                (">calls", &|(_, row)| count(row.calls)),
                (">answered", &|(_, row)| count(row.answered)),
                (">failed calls", &|(_, row)| count(row.failed_calls)),
                (">cost USD", &|(_, row)| dollars(row.cost_usd.as_deref(), format)),
            ],
        );
        let windows = Sheet::of(
            "Budgets",
            each(&self.branches, |row| &row.budgets),
            &[
                ("branch", &|(branch, _)| (*branch).to_owned()),
                ("limit", &|(_, row)| format!("{}/{}", row.budget, row.window)),
                ("of", &|(_, row)| row.member.clone()),
                ("starts", &|(_, row)| or_dash(&row.starts)),
                ("ends", &|(_, row)| or_dash(&row.ends)),
                (">limit USD", &|(_, row)| row.limit.clone()),
                (">spent", &|(_, row)| dollars(Some(&row.spent), format)),
                (">refused", &|(_, row)| count(row.refused)),
                (">moved", &|(_, row)| count(row.moved)),
                (">waited", &|(_, row)| count(row.waited)),
                ("ran out", &|(_, row)| or_dash(&row.ran_out)),
            ],
        );
        let done = |row: &&BranchRow| {
            row.failed_calls + row.barred_requests + row.cold_calls + row.unknown_sessions > 0
        };
        let world = Sheet::of(
            "What the world did",
            self.branches.iter().filter(done),
            &[
                ("branch", &|row| row.branch.clone()),
                (">calls failed", &|row| count(row.failed_calls)),
                (">requests barred", &|row| count(row.barred_requests)),
                (">cold calls", &|row| count(row.cold_calls)),
                (">no session told", &|row| count(row.unknown_sessions)),
            ],
        );
        let trips = Sheet::of(
            "Runaways",
            each(&self.branches, |row| &row.trips),
            &[
                ("branch", &|(branch, _)| (*branch).to_owned()),
                ("at", &|(_, row)| minute(&row.at)),
                ("what", &|(_, row)| row.what.clone()),
            ],
        );
        sheets.extend([models, windows, world, trips].into_iter().filter(|sheet| !sheet.rows.is_empty()));
        sheets
    }

    fn figures<'a>(
        &'a self,
        title: String,
        format: Format,
        of: impl Fn(&'a BranchRow) -> Option<&'a Figures>,
    ) -> Sheet {
        // For programs exact, and nothing where nothing is known.
        let exact = format == Format::Csv;
        let number = |n: u64| if exact { n.to_string() } else { count(n) };
        let none = || if exact { String::new() } else { "-".to_owned() };
        let cost = |figures: &Figures| figures.cost_usd.as_deref().and_then(|usd| Pico::from_usd(usd).ok());
        let first = self.branches.get(self.base).and_then(&of).and_then(cost);
        let change = |place: usize, figures: &Figures| {
            let first = first.filter(|first| place >= self.base && first.0 != 0);
            let (cost, first) = cost(figures).zip(first)?;
            let tenths = Pico((cost - first).0.saturating_mul(1000)).ratio(1, first.0.abs()).0;
            let sign = if tenths < 0 { "-" } else { "+" };
            if exact {
                return Some(format!("{sign}{}.{:03}", tenths.abs() / 1000, tenths.abs() % 1000));
            }
            let error = Pico::from_usd(&figures.change_error_usd).unwrap_or_default();
            let is_within = cost != first && (cost - first).0.abs() <= error.0;
            let within = if is_within { ", within error" } else { "" };
            Some(format!("{sign}{}.{} %{within}", tenths.abs() / 10, tenths.abs() % 10))
        };
        let unknown = |figures: &Figures| match figures.cost_unknown_requests {
            0 => String::new(),
            _ if exact => String::new(),
            unknown => format!(" and {} unknown", count(unknown)),
        };
        let p95 = |figures: &Figures| figures.latency_ms.as_ref().map(|latency| latency.p95.to_string());
        Sheet::of(
            title,
            self.branches.iter().enumerate().filter_map(|(place, row)| Some(((place, row), of(row)?))),
            &[
                ("branch", &|((_, row), _)| row.branch.clone()),
                (">requests", &|(_, of)| number(of.requests)),
                (">cost USD", &|(_, of)| dollars(of.cost_usd.as_deref(), format) + &unknown(of)),
                (">change", &|((place, _), of)| change(*place, of).unwrap_or_else(none)),
                (">estimated", &|(_, of)| dollars(Some(&of.cost_estimated_usd), format)),
                (">failed", &|(_, of)| number(of.failed)),
                (">refused", &|(_, of)| number(of.refused)),
                (">escalated", &|(_, of)| number(of.escalated)),
                (">p95 ms", &|(_, of)| p95(of).unwrap_or_else(none)),
                ("policy", &|((_, row), _)| row.policy.clone()),
            ],
        )
    }

    /// Writes the comparison.
    pub fn text(&self, format: Format) -> String {
        if format == Format::Csv {
            return render(&self.sheets(format)[..1], format);
        }
        let mut text = String::new();
        if !self.scope.about.is_empty() {
            text = format!("{}\n\n", self.scope.about);
        }
        for change in &self.changes {
            let _ = writeln!(text, "{}{change}", if format == Format::Md { "- " } else { "  " });
        }
        text + "\n" + &render(&self.sheets(format), format)
    }

    /// Writes the comparison as a page by itself.
    pub fn page(&self) -> String {
        let mut page = opened(&self.scope.world);
        let _ = write!(page, "<p>{}</p><ul>", escaped(&self.scope.about));
        for change in &self.changes {
            let _ = write!(page, "<li>{}</li>", escaped(change));
        }
        page.push_str("</ul>");
        let bar = |row: &BranchRow| {
            let usd = |text: &str| Pico::from_usd(text).unwrap_or_default();
            let (all, estimated) =
                (row.whole.cost_usd.as_deref().map_or(Pico::ZERO, usd), usd(&row.whole.cost_estimated_usd));
            Bar { name: row.branch.clone(), known: all - estimated, estimated }
        };
        let bars: Vec<Bar> = self.branches.iter().map(bar).collect();
        let _ = write!(page, "<h2>Cost, known and estimated</h2>{}", by_name(&bars, "Cost by branch"));
        for sheet in self.sheets(Format::Md) {
            heads(&mut page, &sheet.title, &sheet.heads);
            for row in &sheet.rows {
                cells(&mut page, row, &sheet.heads);
            }
            page.push_str("</tbody></table>");
        }
        page.push_str("</body></html>\n");
        page
    }
}

fn dollars(usd: Option<&str>, format: Format) -> String {
    match (usd, usd.map(Pico::from_usd)) {
        (Some(usd), _) if format == Format::Csv => usd.to_owned(),
        (_, Some(Ok(amount))) => money(amount),
        _ => "unknown".to_owned(),
    }
}

/// Writes a moment to the second, as people read it.
fn second(at: Instant) -> String {
    format!("{} {}", at.date(), at.clock())
}

/// Says from when to when, where that is not always.
fn stretch((from, to): (Instant, Instant), start: Instant) -> String {
    let mut text = String::new();
    if from > start {
        let _ = write!(text, " from {}", second(from));
    }
    if to.0 != i64::MAX {
        let _ = write!(text, " to {}", second(to));
    }
    text
}

/// Says in words what is otherwise.
fn words(change: &Change, start: Instant) -> String {
    let mut names: Vec<&str> = change.models.names.iter().map(String::as_str).collect();
    names.extend(change.models.providers.iter().map(String::as_str));
    let whom = if names.is_empty() { "every model".to_owned() } else { names.join(", ") };
    let what = match &change.what {
        What::Price(Quote::Times(factor)) => format!("costs {} times as much", as_factor(*factor)),
        What::Price(Quote::Is(tier)) => {
            format!("costs {} in, {} out for a million tokens", tier.input.dollars(), tier.output.dollars())
        }
        What::Fails(share, status, _) => {
            format!("fails {} of 1,000 calls ({})", share.get(), status.name())
        }
        What::Slow(factor) => format!("takes {} times as long", as_factor(*factor)),
        What::Quota(calls, every) => format!("takes no more than {calls} calls in {every}"),
        What::Cache(lasts) if *lasts == Span::ZERO => "keeps no prompt warm".to_owned(),
        What::Cache(lasts) => format!("forgets a prompt {lasts} after it was last sent"),
    };
    format!("{whom} {what}{}", stretch(change.stretch.within(start), start))
}
