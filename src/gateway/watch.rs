//! What the gateway says of itself: for the console's header and Models screen, and for those attached.

use std::sync::Arc;
use std::time::Duration;

use super::{Gateway, lock, now};
use crate::ledger::Health;
use crate::prompt_cache::account_number;
use crate::session::{AlertsView, BudgetsView, LedgerState, LiveStatus, Severity, Tries};
use crate::telemetry::{Breaker, ModelHealth};
use crate::units::{Instant, Span};

/// Tells of what becomes of the ledger, the file of keys and the clock, as long as the gateway serves: `say` hears it, and so do the readers
/// of the log. What was done about files, and what the clock did, is written into the ledger too.
pub async fn tell_of_ledger(gateway: Arc<Gateway>, say: impl Fn(&str)) {
    let mut before = ledger_state(&gateway).severity;
    let mut keys: Option<Arc<str>> = None;
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let mut clock = Clock { wall: now(), steady: std::time::Instant::now() };
    loop {
        ticks.tick().await;
        let stepped = clock.step(now(), std::time::Instant::now());
        let remarks = gateway.ledger.take_remarks().into_iter().chain(stepped);
        for remark in remarks.chain(gateway.alerts.take_remarks()) {
            gateway.remark(&remark);
            say(&remark);
        }
        lock(&gateway.billed).look();
        let limits = gateway.look_at_limits().await;
        let looked = [limits, gateway.look_at_automations(), gateway.look_at_prices()];
        let mut told: Vec<String> = looked.into_iter().flatten().collect();
        let trouble = gateway.access.trouble();
        if trouble != keys {
            told.push(format!("keys: {}", trouble.as_deref().unwrap_or("the file of keys is read again")));
            keys = trouble;
        }
        let LedgerState { text, severity } = ledger_state(&gateway);
        if std::mem::replace(&mut before, severity) != severity {
            told.push(format!("ledger: {}", if text.is_empty() { "written again" } else { &text }));
        }
        for text in told {
            gateway.live.note(&text, now());
            say(&text);
        }
    }
}

/// What the system's clock said, beside one that never jumps.
struct Clock {
    wall: Instant,
    steady: std::time::Instant,
}

impl Clock {
    /// A difference between the two that no drift makes within a second or so.
    const JUMP: Span = Span(2_000_000);

    /// Looks at both again; says what became of the clock where it was set.
    fn step(&mut self, wall: Instant, steady: std::time::Instant) -> Option<String> {
        let went = steady.saturating_duration_since(self.steady);
        let went = i64::try_from(went.as_micros()).unwrap_or(i64::MAX);
        let off = wall.0.saturating_sub(self.wall.0).saturating_sub(went);
        *self = Self { wall, steady };
        let seconds = off.unsigned_abs() / 1_000_000;
        match off {
            off if off > Self::JUMP.0 => Some(format!(
                "the clock went forward by {seconds} s (or the machine slept): dates follow it from here on"
            )),
            off if off < -Self::JUMP.0 => Some(format!(
                "the clock was set back by {seconds} s: dates follow it from here on, and some of those before lie ahead"
            )),
            _ => None,
        }
    }
}

/// Returns how each model at each provider is at this moment.
pub(super) fn model_health(gateway: &Gateway) -> Vec<ModelHealth> {
    let at = now();
    let mut models = gateway.providers.health(std::time::Instant::now(), at);
    let held = gateway.live.minds_caches().then(|| gateway.live.warm(at).0);
    // Each account has caches of its own; a provider with but one has the number 0.
    let warm = |model: &str, provider: &str| {
        let number = account_number(provider);
        let here = held.as_ref()?.iter().filter(|one| *one.model == *model && one.account == number);
        Some(here.map(|one| one.sessions).sum())
    };
    for health in &mut models {
        if let (Breaker::Closed, Some(until)) = (health.breaker, health.blocked) {
            health.breaker = Breaker::Open { until };
        }
        health.warm_sessions = warm(&health.model, &health.provider);
    }
    models
}

/// Returns the picture of this moment.
pub fn live_status(gateway: &Gateway) -> LiveStatus {
    let at = now();
    let models = model_health(gateway);
    let mut simulated_providers: Vec<String> =
        models.iter().filter(|model| model.simulated).map(|model| model.provider.clone()).collect();
    simulated_providers.dedup();
    // Nothing is asked where no budget is in force.
    let standings = if gateway.live.has_budgets() { gateway.live.budgets(at) } else { Vec::new() };
    LiveStatus {
        address: gateway.address().to_owned(),
        started: gateway.started,
        simulated: !simulated_providers.is_empty(),
        simulated_providers,
        models,
        open: gateway.live.open() as u64,
        ledger: ledger_state(gateway),
        budgets: BudgetsView::of(&standings, ""),
        budgets_file: lock(&gateway.limits).text(),
        tries: Tries {
            limits: gateway.live.limits().iter().map(|limit| (**limit).clone()).collect::<Vec<_>>().into(),
            rules: Some(gateway.alerts.rules()),
            now: Arc::default(),
        },
        billed: lock(&gateway.billed).told(),
        alerts: AlertsView::told(gateway.alerts.shown()),
        stopped: gateway.live.stopped(),
        rollouts: lock(&gateway.rollouts).rows(at),
        automations: lock(&gateway.automations).rows(),
        steering: lock(&gateway.steered).rows.clone(),
        keys: gateway.access.usable(at) as u64,
        turned_away: gateway.turned_away.told(),
        draining: gateway.is_draining(),
        memory_held: gateway.budget.held() as u64,
        memory_limit: gateway.budget.most() as u64,
    }
}

fn ledger_state(gateway: &Gateway) -> LedgerState {
    let state = gateway.ledger.state();
    let (severity, text) = match &state.health {
        // As its operator chose: to be said, but not as something wrong.
        _ if !gateway.keeps_ledger => (Severity::Fine, "none kept (--no-ledger)".to_owned()),
        Health::Ok if state.lost > 0 => (Severity::Warning, format!("{} entries lost", state.lost)),
        Health::Ok => (Severity::Fine, String::new()),
        health @ Health::Behind { .. } => (Severity::Warning, health.to_string()),
        health @ Health::Failing { .. } => (Severity::Failure, health.to_string()),
    };
    LedgerState { text, severity }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_told_once_and_one_that_drifts_is_not() {
        let (start, second) = (std::time::Instant::now(), Duration::from_secs(1));
        let mut clock = Clock { wall: Instant(0), steady: start };
        let year = 365 * 86_400_000_000;
        let walls = [1_000_000, 2_900_000, 3_000_000, year, year + 1_000_000, 6_000_000, 7_000_000];
        let mut said = Vec::new();
        for (at, wall) in (1..).zip(walls) {
            said.extend(clock.step(Instant(wall), start + second * at).map(|text| (at, text)));
        }
        let told: Vec<(u32, bool)> = said.iter().map(|(at, text)| (*at, text.contains("forward"))).collect();
        assert_eq!(told, [(4, true), (6, false)], "{said:?}");
        assert!(said[1].1.contains("set back by 31535996 s"), "{said:?}");
    }
}
