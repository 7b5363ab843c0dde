//! What the gateway says of itself: for the console's header and Models screen, and for those attached.

use std::sync::Arc;
use std::time::Duration;

use super::{Gateway, now};
use crate::ledger::{Entry, Health, Note};
use crate::session::{Breaker, Headroom, LedgerState, LiveStatus, ModelHealth, Severity};
use crate::telemetry::{BreakerState, QuotaLeft};
use crate::units::Span;

/// Tells of what becomes of the ledger, as long as the gateway serves: `say` hears it, and so do the readers of the log. What
/// was done about its files is written into the ledger too.
pub async fn tell_of_ledger(gateway: Arc<Gateway>, say: impl Fn(&str)) {
    let mut before = live_status(&gateway).ledger.severity;
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    loop {
        clock.tick().await;
        for remark in gateway.ledger.take_remarks() {
            let note = Note { at: now(), text: remark.as_str().into(), simulated: false };
            gateway.ledger.record(Entry::Note(Box::new(note)));
            gateway.live.note(&remark, now());
            say(&remark);
        }
        let LedgerState { text, severity } = live_status(&gateway).ledger;
        if std::mem::replace(&mut before, severity) != severity {
            let text = if text.is_empty() { "written again" } else { &text };
            let text = format!("ledger: {text}");
            gateway.live.note(&text, now());
            say(&text);
        }
    }
}

/// Gives the picture of this moment.
pub fn live_status(gateway: &Gateway) -> LiveStatus {
    let at = now();
    let in_ms = |millis: u64| at + Span(i64::try_from(millis.saturating_mul(1000)).unwrap_or(i64::MAX / 4));
    let room =
        |left: Option<QuotaLeft>| left.map(|left| Headroom { left: left.remaining, limit: Some(left.limit) });
    let found = gateway.providers.health(std::time::Instant::now());
    let models: Vec<ModelHealth> = found
        .into_iter()
        .map(|health| ModelHealth {
            breaker: match health.breaker {
                BreakerState::Closed if health.blocked_ms > 0 => {
                    Breaker::Open { until: in_ms(health.blocked_ms) }
                }
                BreakerState::Closed => Breaker::Closed,
                BreakerState::Open { for_ms } => Breaker::Open { until: in_ms(for_ms) },
                BreakerState::HalfOpen => Breaker::HalfOpen,
            },
            in_flight: u64::from(health.in_flight),
            requests: room(health.requests),
            tokens: room(health.tokens),
            resets: health.tokens.into_iter().chain(health.requests).map(|left| in_ms(left.resets_ms)).max(),
            last_error: health.last_error.map_or_else(String::new, |(text, _)| text),
            simulated: health.simulated,
            provider: health.provider,
            model: health.model,
        })
        .collect();
    let mut simulated_providers: Vec<String> =
        models.iter().filter(|model| model.simulated).map(|model| model.provider.clone()).collect();
    simulated_providers.dedup();
    let state = gateway.ledger.state();
    let (severity, text) = match &state.health {
        _ if !gateway.keeps_ledger => (Severity::Warning, "none kept (--no-ledger)".to_owned()),
        Health::Ok if state.lost > 0 => (Severity::Warning, format!("{} entries lost", state.lost)),
        Health::Ok => (Severity::Fine, String::new()),
        health @ Health::Behind { .. } => (Severity::Warning, health.to_string()),
        health @ Health::Failing { .. } => (Severity::Failure, health.to_string()),
    };
    LiveStatus {
        address: gateway.address().to_owned(),
        started: gateway.started,
        simulated: !simulated_providers.is_empty(),
        simulated_providers,
        models,
        open: gateway.live.open() as u64,
        ledger: LedgerState { text, severity },
        keys: gateway.access.usable(at) as u64,
        draining: gateway.is_draining(),
    }
}
