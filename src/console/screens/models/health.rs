//! How a model is in a live session: breaker, calls going on, quota, last error. In a replay there is nothing of it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format::{self, short};
use crate::console::paint::{self, Look};
use crate::console::screen::Scene;
use crate::console::screens::figures::{self, List};
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::bars;
use crate::session::Snapshot;
use crate::telemetry::{Breaker, Headroom, ModelHealth};

/// Returns how a model is, where anybody says.
pub(super) fn of<'a>(snapshot: &'a Snapshot, name: &'a str) -> Option<&'a ModelHealth> {
    snapshot.live.as_ref()?.status.health(name)
}

/// The breaker as sign, look and words: what it does and for how long yet.
pub(super) fn breaker(scene: Scene<'_>, health: &ModelHealth) -> (char, Role, format::Short) {
    let (wrong, look_at, well) = scene.look.glyphs.state;
    match health.breaker {
        Breaker::Closed => (well, Role::Ok, short!("closed")),
        Breaker::HalfOpen => (look_at, Role::Warn, short!("probing")),
        Breaker::Open { until } => {
            let left = (until - scene.now()).0.max(0) / 1_000_000;
            (wrong, Role::Error, short!("open {left} s"))
        }
    }
}

fn used(headroom: Headroom) -> Option<u32> {
    let limit = headroom.limit.filter(|&limit| limit > 0)?;
    let used = limit.saturating_sub(headroom.left.min(limit));
    u32::try_from(u128::from(used) * 1000 / u128::from(limit)).ok()
}

/// The tightest of the quotas, in thousandths used.
fn tightest(health: &ModelHealth) -> Option<u32> {
    [health.requests, health.tokens].into_iter().flatten().filter_map(used).max()
}

/// Draws how much of the tightest quota is used.
pub(super) fn quota(health: &ModelHealth, at: Rect, buf: &mut Buffer, look: Look<'_>) {
    let Some(used) = tightest(health) else {
        look.text(buf, at, format::UNKNOWN, Role::Unknown);
        return;
    };
    let (bar, rest) = paint::split_left(at, at.width.saturating_sub(6));
    bars::gauge(buf, bar, used, look);
    let words = short!("{} %", used / 10);
    look.text_right(buf, rest, &words, Role::Text);
}

/// What there is to say of a model's health: name, value and look.
pub(super) fn lines(scene: Scene<'_>, health: &ModelHealth) -> List {
    let mut out = List::default();
    let (_, role, words) = breaker(scene, health);
    out.put("provider", cleaned(&health.provider), Role::Text);
    out.put("breaker", words, role);
    out.put("calls in flight", format::count(health.in_flight), Role::Text);
    for (name, headroom) in [("requests left", health.requests), ("tokens left", health.tokens)] {
        let Some(headroom) = headroom else { continue };
        let left = format::count(headroom.left);
        let words = match headroom.limit {
            Some(limit) => format!("{left} of {}", format::count(limit)),
            None => left.to_string(),
        };
        let is_tight = used(headroom).is_some_and(|used| used >= 800);
        out.put(name, words, if is_tight { Role::Warn } else { Role::Text });
    }
    if let Some(resets) = health.resets {
        out.put("quota resets", figures::moment(scene.snapshot, resets), Role::Text);
    }
    let Some(live) = scene.snapshot.live.as_ref() else { return out };
    for account in live.status.healths(&health.model) {
        let name = account.provider.split_once('/').map_or("", |(_, name)| name);
        if !name.is_empty() {
            let (sign, role, _) = breaker(scene, account);
            let calls = format::count(account.in_flight);
            out.put("account", format!("{name} {sign} {calls} in flight"), role);
        }
        if let Some(warm) = account.warm_sessions {
            let who = if name.is_empty() { "here" } else { name };
            out.put("sessions warm", format!("{} {who}", format::count(warm)), Role::Text);
        }
        for window in &account.windows {
            let share = format!("{}.{} %", window.used / 10, window.used % 10);
            let left = format::duration(window.resets - scene.now());
            let role = match window.used {
                _ if window.is_closed => Role::Error,
                800.. => Role::Warn,
                _ => Role::Text,
            };
            let who = if name.is_empty() { String::new() } else { format!("{name} ") };
            let label = text::clean(&window.name).to_string();
            out.put("window", format!("{who}{label}: {share}, anew in {left}"), role);
        }
    }
    if !health.last_error.is_empty() {
        out.put("last error", cleaned(&health.last_error), Role::Error);
    }
    if health.simulated {
        out.put("answers", "SIMULATED", Role::Simulated);
    }
    out
}

/// Makes foreign words safe, as many as a line holds.
fn cleaned(words: &str) -> String {
    text::clean(words).chars().take(480).collect()
}
