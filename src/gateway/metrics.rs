//! Figures for Prometheus: counters of everything since the start, gauges of the moment.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::{Gateway, now};
use crate::budget::Standing;
use crate::ledger::Health;
use crate::pricing::CostSum;
use crate::session::MadeUpCosts;
use crate::telemetry::{BreakerState, Cell};
use crate::units::{Names, Pico, is_safe};

/// Writes the text exposition.
pub(super) fn render(gateway: &Gateway) -> String {
    let (snapshot, names) = gateway.live.snapshot();
    let mut out = Page(String::with_capacity(8192));
    let all = &snapshot.totals.all;
    out.head("pointsman_requests_total", "counter", "Requests settled.");
    out.line("pointsman_requests_total", &[], &all.requests.to_string());
    out.head("pointsman_request_errors_total", "counter", "Requests that ended without an answer.");
    out.line("pointsman_request_errors_total", &[], &all.errors.to_string());
    out.head("pointsman_escalations_total", "counter", "Requests that went up their ladder.");
    out.line("pointsman_escalations_total", &[], &all.escalated.to_string());
    out.head("pointsman_refused_total", "counter", "Requests turned away at the gate, by reason.");
    for (reason, count) in gateway.turned_away.all() {
        out.line("pointsman_refused_total", &[("reason", reason)], &count.to_string());
    }
    out.head("pointsman_checks_total", "counter", "Verdicts of checks, by check and what it said.");
    for ((check, says), count) in gateway.checkers.counts() {
        out.line("pointsman_checks_total", &[("check", &*check), ("says", says.name())], &count.to_string());
    }
    out.head("pointsman_requests_in_flight", "gauge", "Requests being served.");
    out.line("pointsman_requests_in_flight", &[], &gateway.in_flight().to_string());
    let made_up = gateway.live.made_up();
    models(&mut out, &names, &snapshot.totals.models, &made_up);
    out.head(
        "pointsman_team_cost_usd_total",
        "counter",
        "Cost by team; kind is known, estimated or simulated.",
    );
    for (at, cell) in snapshot.totals.teams.0.iter().enumerate() {
        let team = names.teams().get(at).map_or("-", |name| name);
        let made_up = made_up.teams.get(&Some(at));
        out.cost("pointsman_team_cost_usd_total", ("team", team), &cell.cost, made_up);
    }
    // So that teams add up to models.
    if snapshot.totals.teams.1.requests > 0 {
        let made_up = made_up.teams.get(&None);
        out.cost("pointsman_team_cost_usd_total", ("team", ""), &snapshot.totals.teams.1.cost, made_up);
    }
    out.head("pointsman_names_shared_total", "counter", "Requests under a name that is counted as (others).");
    for (kind, roll) in [("team", &gateway.teams), ("project", &gateway.projects)] {
        out.line("pointsman_names_shared_total", &[("kind", kind)], &roll.shared().to_string());
    }
    gateway.budget.note_beside(gateway.held_beside());
    out.head(
        "pointsman_memory_held_bytes",
        "gauge",
        "Bytes held by requests, answers, streams and backlogs.",
    );
    out.line("pointsman_memory_held_bytes", &[], &gateway.budget.held().to_string());
    out.head("pointsman_memory_limit_bytes", "gauge", "How many they may hold (limits.memory).");
    out.line("pointsman_memory_limit_bytes", &[], &gateway.budget.most().to_string());
    out.head("pointsman_memory_refused_total", "counter", "Times that there was no room for more.");
    out.line("pointsman_memory_refused_total", &[], &gateway.budget.refused().to_string());
    out.head("pointsman_cache_marks_total", "counter", "Calls marked for a provider's prompt cache.");
    out.line("pointsman_cache_marks_total", &[], &gateway.marks.placed().to_string());
    caches(&mut out, gateway);
    out.head("pointsman_policy_version", "gauge", "The policy in force.");
    out.line("pointsman_policy_version", &[], &snapshot.policy.version.to_string());
    health(&mut out, gateway);
    budgets(&mut out, gateway);
    alerts(&mut out, gateway);
    let state = gateway.ledger.state();
    out.head("pointsman_ledger_ok", "gauge", "Whether the ledger is being written.");
    let fails = matches!(state.health, Health::Failing { .. });
    out.line("pointsman_ledger_ok", &[], if fails { "0" } else { "1" });
    out.head("pointsman_ledger_lost_total", "counter", "Entries that had to be given up.");
    out.line("pointsman_ledger_lost_total", &[], &state.lost.to_string());
    out.head("pointsman_uptime_seconds", "gauge", "Seconds since the start.");
    out.line("pointsman_uptime_seconds", &[], &gateway.began.elapsed().as_secs().to_string());
    out.0
}

/// Writes what prompt caches hold, where any route minds them.
fn caches(out: &mut Page, gateway: &Gateway) {
    if !gateway.live.minds_caches() {
        return;
    }
    let (warm, beginnings) = gateway.live.warm(now());
    out.head(
        "pointsman_warm_sessions",
        "gauge",
        "Sessions whose last prompt a model's cache may still hold.",
    );
    let mut by_model: BTreeMap<Arc<str>, u64> = BTreeMap::new();
    for one in warm {
        *by_model.entry(one.model).or_default() += one.sessions;
    }
    for (model, sessions) in by_model {
        out.line("pointsman_warm_sessions", &[("model", &*model)], &sessions.to_string());
    }
    out.head("pointsman_warm_prefixes", "gauge", "Beginnings of prompts that are remembered, bounded.");
    out.line("pointsman_warm_prefixes", &[], &beginnings.to_string());
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
    out.head("pointsman_budget_holds", "gauge", "Holds of calls under way; 0 where there are none.");
    out.line("pointsman_budget_holds", &[], &holds.to_string());
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
            out.line(name, &labels, &figure(one));
        }
    }
}

/// Writes what fires, and how well receivers are told.
fn alerts(out: &mut Page, gateway: &Gateway) {
    out.head("pointsman_alerts_firing", "gauge", "Alerts that fire, by level.");
    for (level, count) in gateway.alerts.firing() {
        out.line("pointsman_alerts_firing", &[("level", level.name())], &count.to_string());
    }
    let counts = gateway.alerts.counts();
    out.head("pointsman_alerts_fired_total", "counter", "Alerts that fired.");
    out.line("pointsman_alerts_fired_total", &[], &counts.fired.to_string());
    out.head(
        "pointsman_alert_deliveries_total",
        "counter",
        "Tries to tell a receiver, by what came of them.",
    );
    let all = [("delivered", counts.delivered), ("failed", counts.failed), ("given_up", counts.given_up)];
    for (outcome, count) in all {
        out.line("pointsman_alert_deliveries_total", &[("outcome", outcome)], &count.to_string());
    }
    out.head("pointsman_alert_deliveries_waiting", "gauge", "Deliveries that wait.");
    out.line("pointsman_alert_deliveries_waiting", &[], &counts.waiting.to_string());
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
            out.line(name, &[("model", model)], &read(cell).to_string());
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
            out.line("pointsman_tokens_total", &[("model", model), ("kind", kind)], &count.to_string());
        }
    }
    out.head("pointsman_cost_usd_total", "counter", "Cost by model; kind is known, estimated or simulated.");
    let named_too = cells.iter().enumerate().filter(|(_, cell)| cell.attempts > 0 || cell.not_made > 0);
    for (at, cell) in named_too {
        let model = names.models().get(at).map_or("-", |name| &**name);
        out.cost("pointsman_cost_usd_total", ("model", model), &cell.cost, made_up.models.get(&Some(at)));
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
                out.line(name, &[("model", model)], &read(cell).usd());
            }
        }
    }
    out.head("pointsman_cost_unknown_total", "counter", "Calls whose cost is unknown; they are in no sum.");
    for (model, cell) in named() {
        out.line("pointsman_cost_unknown_total", &[("model", model)], &cell.cost.unknown.to_string());
    }
    out.head("pointsman_model_latency_ms", "gauge", "Latency of calls since the start, by quantile.");
    for (model, cell) in named() {
        let Some(found) = cell.latency.percentiles() else { continue };
        for (quantile, millis) in [("0.5", found.p50), ("0.95", found.p95), ("0.99", found.p99)] {
            out.line(
                "pointsman_model_latency_ms",
                &[("model", model), ("quantile", quantile)],
                &millis.to_string(),
            );
        }
    }
}

fn health(out: &mut Page, gateway: &Gateway) {
    let models = gateway.providers.health(std::time::Instant::now());
    out.head("pointsman_breaker_open", "gauge", "Whether a model is left alone after failures.");
    for model in &models {
        let open = if model.breaker == BreakerState::Closed { "0" } else { "1" };
        out.line("pointsman_breaker_open", &[("provider", &model.provider), ("model", &model.model)], open);
    }
    out.head("pointsman_provider_in_flight", "gauge", "Calls under way.");
    for model in &models {
        let labels = [("provider", model.provider.as_str()), ("model", &model.model)];
        out.line("pointsman_provider_in_flight", &labels, &model.in_flight.to_string());
    }
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.0.push_str(name);
        for (at, (key, text)) in labels.iter().enumerate() {
            self.0.push(if at == 0 { '{' } else { ',' });
            let _ = write!(self.0, "{key}=\"");
            for c in text.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    c if !is_safe(c) => self.0.push(' '),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// Writes a cost; what was made up of it stands apart.
    fn cost(&mut self, name: &str, label: (&str, &str), cost: &CostSum, made_up: Option<&CostSum>) {
        let apart = made_up.copied().unwrap_or_default();
        self.line(name, &[label, ("kind", "known")], &(cost.known - apart.known).usd());
        self.line(name, &[label, ("kind", "estimated")], &(cost.estimated - apart.estimated).usd());
        if made_up.is_some() {
            self.line(name, &[label, ("kind", "simulated")], &apart.total().usd());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_the_page() {
        let mut page = Page(String::new());
        page.line("m", &[("model", "a\"} 1\n\\"), ("kind", "x")], "7");
        assert_eq!(page.0, "m{model=\"a\\\"} 1 \\\\\",kind=\"x\"} 7\n");
    }
}
