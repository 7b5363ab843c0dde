//! Figures for Prometheus: counters of everything since the start, gauges of the moment.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::Arc;

use super::{Gateway, now};
use crate::budget::Standing;
use crate::ledger::Health;
use crate::pricing::CostSum;
use crate::session::MadeUpCosts;
use crate::telemetry::{Breaker, Cell};
use crate::units::{Names, Pico, is_safe};

/// Writes the text exposition.
pub(super) fn render(gateway: &Gateway) -> String {
    let (snapshot, names) = gateway.live.snapshot();
    let mut out = Page { text: String::with_capacity(8192), name: "" };
    let all = &snapshot.totals.all;
    out.count("pointsman_requests_total", "Requests settled.", all.requests);
    out.count("pointsman_request_errors_total", "Requests that ended without an answer.", all.errors);
    out.count("pointsman_escalations_total", "Requests that went up their ladder.", all.escalated);
    out.head("pointsman_refused_total", "counter", "Requests turned away at the gate, by reason.");
    for (reason, count) in gateway.turned_away.all() {
        out.line(&[("reason", reason)], count);
    }
    out.head("pointsman_checks_total", "counter", "Verdicts of checks, by check and what it said.");
    for ((check, says), count) in gateway.checkers.counts() {
        out.line(&[("check", &*check), ("says", says.name())], count);
    }
    out.gauge("pointsman_requests_in_flight", "Requests being served.", gateway.in_flight());
    let made_up = gateway.live.made_up();
    models(&mut out, &names, &snapshot.totals.models, &made_up);
    out.head(
        "pointsman_team_cost_usd_total",
        "counter",
        "Cost by team; kind is known, estimated or simulated.",
    );
    for (at, cell) in snapshot.totals.teams.0.iter().enumerate() {
        let team = names.teams().get(at).map_or("-", |name| name);
        out.cost(("team", team), &cell.cost, made_up.teams.get(&Some(at)));
    }
    // So that teams add up to models.
    if snapshot.totals.teams.1.requests > 0 {
        out.cost(("team", ""), &snapshot.totals.teams.1.cost, made_up.teams.get(&None));
    }
    out.head("pointsman_names_shared_total", "counter", "Requests under a name that is counted as (others).");
    for (kind, roll) in [("team", &gateway.teams), ("project", &gateway.projects)] {
        out.line(&[("kind", kind)], roll.shared());
    }
    let budget = &gateway.budget;
    budget.note_beside(gateway.held_beside());
    let help = "Bytes held by requests, answers, streams and backlogs.";
    out.gauge("pointsman_memory_held_bytes", help, budget.held());
    out.gauge("pointsman_memory_limit_bytes", "How many they may hold (limits.memory).", budget.most());
    out.count("pointsman_memory_refused_total", "Times that there was no room for more.", budget.refused());
    let placed = gateway.marks.placed();
    out.count("pointsman_cache_marks_total", "Calls marked for a provider's prompt cache.", placed);
    caches(&mut out, gateway);
    out.gauge("pointsman_policy_version", "The policy in force.", snapshot.policy.version);
    health(&mut out, gateway);
    budgets(&mut out, gateway);
    alerts(&mut out, gateway);
    let state = gateway.ledger.state();
    let is_written = !matches!(state.health, Health::Failing { .. });
    out.gauge("pointsman_ledger_ok", "Whether the ledger is being written.", u8::from(is_written));
    out.count("pointsman_ledger_lost_total", "Entries that had to be given up.", state.lost);
    out.gauge("pointsman_uptime_seconds", "Seconds since the start.", gateway.began.elapsed().as_secs());
    out.text
}

/// Writes what prompt caches hold, where any route minds them.
fn caches(out: &mut Page, gateway: &Gateway) {
    if !gateway.live.minds_caches() {
        return;
    }
    let (warm, beginnings) = gateway.live.warm(now());
    let help = "Sessions whose last prompt a model's cache may still hold.";
    out.head("pointsman_warm_sessions", "gauge", help);
    let mut by_model: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for one in warm {
        *by_model.entry(one.model).or_default() += one.sessions;
    }
    for (model, sessions) in by_model {
        out.line(&[("model", &*model)], sessions);
    }
    let help = "Beginnings of prompts that are remembered, bounded.";
    out.gauge("pointsman_warm_prefixes", help, beginnings);
}

/// A figure of an account: its name, what it says, where it stands.
type Gauge = (&'static str, &'static str, fn(&Standing) -> String);

/// Accounts told one by one; a limit of every session would fill the page.
const ACCOUNTS: usize = 256;

/// Writes how budgets stand: the present window of each account.
fn budgets(out: &mut Page, gateway: &Gateway) {
    let standings = gateway.live.budgets(now());
    if standings.is_empty() {
        return;
    }
    let holds: u64 = standings.iter().map(|one| u64::from(one.account.holds)).sum();
    out.gauge("pointsman_budget_holds", "Holds of calls under way; 0 where there are none.", holds);
    let figures: [Gauge; 7] = [
        ("pointsman_budget_limit_usd", "How much may be spent in a window.", |one| one.amount.usd()),
        ("pointsman_budget_spent_usd", "What is spent in the present window.", |one| one.account.spent.usd()),
        ("pointsman_budget_held_usd", "What is held for calls under way.", |one| one.account.held.usd()),
        ("pointsman_budget_refused", "Requests refused in the present window.", |one| {
            one.account.refused.to_string()
        }),
        ("pointsman_budget_moved", "Requests moved to another rung in the present window.", |one| {
            one.account.moved.to_string()
        }),
        ("pointsman_budget_waited", "Requests that waited for room in the present window.", |one| {
            one.account.waited.to_string()
        }),
        ("pointsman_budget_waiting", "Requests that wait for room.", |one| one.waiting.to_string()),
    ];
    for (name, help, figure) in figures {
        out.head(name, "gauge", help);
        for one in standings.iter().take(ACCOUNTS) {
            let period = one.limit.period.to_string();
            let labels = [("budget", &*one.limit.budget), ("window", &period), ("member", &*one.member)];
            out.line(&labels, figure(one));
        }
    }
}

/// Writes what fires, and how well receivers are told.
fn alerts(out: &mut Page, gateway: &Gateway) {
    out.head("pointsman_alerts_firing", "gauge", "Alerts that fire, by level.");
    for (level, count) in gateway.alerts.firing() {
        out.line(&[("level", level.name())], count);
    }
    let counts = gateway.alerts.counts();
    out.count("pointsman_alerts_fired_total", "Alerts that fired.", counts.fired);
    let help = "Tries to tell a receiver, by what came of them.";
    out.head("pointsman_alert_deliveries_total", "counter", help);
    let all = [("delivered", counts.delivered), ("failed", counts.failed), ("given_up", counts.given_up)];
    for (outcome, count) in all {
        out.line(&[("outcome", outcome)], count);
    }
    out.gauge("pointsman_alert_deliveries_waiting", "Deliveries that wait.", counts.waiting);
}

/// An amount of a model: its name, what it adds up, where it stands.
type Amount = (&'static str, &'static str, fn(&Cell) -> Pico);

/// A counter of a model: its name, what it counts, where it stands.
type Counter = (&'static str, &'static str, fn(&Cell) -> u64);

fn models(out: &mut Page, names: &Names, cells: &[Cell], made_up: &MadeUpCosts) {
    let named = || {
        cells
            .iter()
            .enumerate()
            .filter(|(_, cell)| cell.attempts > 0 || cell.not_made > 0)
            .map(|(at, cell)| (names.models().get(at).map_or("-", |name| &**name), cell))
    };
    let counters: [Counter; 4] = [
        ("pointsman_model_calls_total", "Calls to a model.", |cell| cell.attempts),
        ("pointsman_model_errors_total", "Calls that ended without an answer.", |cell| cell.errors),
        ("pointsman_model_not_made_total", "Calls not made, for a breaker, a quota or a limit.", |cell| {
            cell.not_made
        }),
        ("pointsman_model_answers_total", "Requests that a model answered.", |cell| cell.answered),
    ];
    for (name, help, read) in counters {
        out.head(name, "counter", help);
        for (model, cell) in named() {
            out.line(&[("model", model)], read(cell));
        }
    }
    out.head("pointsman_tokens_total", "counter", "Tokens by disjoint kind.");
    for (model, cell) in named() {
        let tokens = &cell.tokens;
        let kinds = [
            ("input", tokens.input),
            ("cache_read", tokens.cache_read),
            ("cache_write_5m", tokens.write_5m),
            ("cache_write_1h", tokens.write_1h),
            ("output", tokens.output),
        ];
        for (kind, count) in kinds {
            out.line(&[("model", model), ("kind", kind)], count);
        }
    }
    out.head("pointsman_cost_usd_total", "counter", "Cost by model; kind is known, estimated or simulated.");
    for (at, cell) in cells.iter().enumerate().filter(|(_, cell)| cell.attempts > 0 || cell.not_made > 0) {
        let model = names.models().get(at).map_or("-", |name| &**name);
        out.cost(("model", model), &cell.cost, made_up.models.get(&Some(at)));
    }
    let foretold = || named().filter(|(_, cell)| cell.foretold > 0);
    if foretold().next().is_some() {
        let figures: [Amount; 2] = [
            (
                "pointsman_cost_expected_usd_total",
                "Expected cost of calls whose cost came to be known.",
                |cell| cell.expected,
            ),
            ("pointsman_cost_of_expected_usd_total", "What just those calls cost.", |cell| cell.billed),
        ];
        for (name, help, read) in figures {
            out.head(name, "counter", help);
            for (model, cell) in foretold() {
                out.line(&[("model", model)], read(cell).usd());
            }
        }
    }
    out.head("pointsman_cost_unknown_total", "counter", "Calls whose cost is unknown; they are in no sum.");
    for (model, cell) in named() {
        out.line(&[("model", model)], cell.cost.unknown);
    }
    out.head("pointsman_model_latency_ms", "gauge", "Latency of calls since the start, by quantile.");
    for (model, cell) in named() {
        let Some(found) = cell.latency.percentiles() else { continue };
        for (quantile, millis) in [("0.5", found.p50), ("0.95", found.p95), ("0.99", found.p99)] {
            out.line(&[("model", model), ("quantile", quantile)], millis);
        }
    }
}

fn health(out: &mut Page, gateway: &Gateway) {
    let models = gateway.providers.health(std::time::Instant::now(), super::now());
    out.head("pointsman_breaker_open", "gauge", "Whether a model is left alone after failures.");
    for model in &models {
        let is_open = model.breaker != Breaker::Closed;
        out.line(&[("provider", &model.provider), ("model", &model.model)], u8::from(is_open));
    }
    out.head("pointsman_provider_in_flight", "gauge", "Calls under way.");
    for model in &models {
        out.line(&[("provider", &model.provider), ("model", &model.model)], model.in_flight);
    }
}

/// A page that is being written, and the figure that its lines are of.
#[derive(Default)]
struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    /// Begins a figure.
    fn head(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes a counter that has no labels.
    fn count(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.line(&[], value);
    }

    /// Writes a gauge that has no labels.
    fn gauge(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.line(&[], value);
    }

    fn line(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(self.name);
        for (at, (key, text)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{key}=\"");
            for c in text.chars() {
                match c {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    c if !is_safe(c) => self.text.push(' '),
                    c => self.text.push(c),
                }
            }
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// Writes a cost; what was made up of it stands apart.
    fn cost(&mut self, label: (&str, &str), cost: &CostSum, made_up: Option<&CostSum>) {
        let apart = made_up.copied().unwrap_or_default();
        self.line(&[label, ("kind", "known")], (cost.known - apart.known).usd());
        self.line(&[label, ("kind", "estimated")], (cost.estimated - apart.estimated).usd());
        if made_up.is_some() {
            self.line(&[label, ("kind", "simulated")], apart.total().usd());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_the_page() {
        let mut page = Page { name: "m", ..Page::default() };
        page.line(&[("model", "a\"} 1\n\\"), ("kind", "x")], "7");
        assert_eq!(page.text, "m{model=\"a\\\"} 1 \\\\\",kind=\"x\"} 7\n");
    }
}
