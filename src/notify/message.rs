//! What receivers are sent.

use serde_json::{Value, json};

use crate::alert::{Alert, Level};
use crate::ledger::News;
use crate::units::{Instant, clean};

/// Returns what tells deliveries apart: a receiver may get one twice, after a crash or an answer that was lost.
pub(super) fn key(alert: &Alert, news: News) -> String {
    format!("{}-{}", alert.id, news.name())
}

/// Writes an alert for programs.
pub(super) fn plain(alert: &Alert, news: News, is_test: bool) -> Value {
    json!({
        "schema": "pointsman.alert/1",
        "id": alert.id,
        "dedupe_id": key(alert, news),
        "status": news.name(),
        "rule": &*alert.rule,
        "source": alert.source.name(),
        "level": alert.level.name(),
        "scope": &*alert.scope,
        "threshold": &*alert.threshold,
        "window": (alert.window.0 != i64::MIN).then(|| alert.window.rfc3339()),
        "fired_at": alert.at.rfc3339(),
        "resolved_at": alert.resolved.filter(|_| news == News::Resolved).map(Instant::rfc3339),
        "text": clean(&alert.words),
        "test": is_test,
    })
}

/// Writes it as a message of Slack's.
pub(super) fn slack(alert: &Alert, news: News, is_test: bool) -> Value {
    let sign = match (news, alert.level) {
        (News::Resolved, _) => ":white_check_mark: over:",
        (News::Firing, Level::Critical) => ":red_circle: *critical*:",
        (News::Firing, Level::Warning) => ":large_orange_circle: *warning*:",
        (News::Firing, Level::Notice) => ":large_blue_circle: notice:",
    };
    let test = if is_test { "TEST " } else { "" };
    // Names come from clients; none may call a channel together or make up a link.
    let words = clean(&alert.words).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": format!("{test}{sign} {words}\nrule {}, alert {}", alert.rule, alert.id) })
}
