//! How a model is in a live session: breaker, calls going on, quota, last error. In a replay there is nothing of it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format;
use crate::console::paint::{self, Look};
use crate::console::screen::Scene;
use crate::console::screens::figures::{Line, line, short};
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::gauge::Gauge;
use crate::session::Snapshot;
use crate::telemetry::{Breaker, Headroom, ModelHealth};
use crate::units::Instant;

/// Returns how a model is, where anybody says.
pub(super) fn of<'a>(snapshot: &'a Snapshot, name: &'a str) -> Option<&'a ModelHealth> {
    snapshot.live.as_ref()?.status.health(name)
}

fn now(scene: Scene<'_>) -> Instant {
    scene.snapshot.live.as_ref().map_or(scene.snapshot.clock, |live| live.now)
}

/// The breaker as sign, look and words: what it does and for how long yet.
pub(super) fn breaker(scene: Scene<'_>, health: &ModelHealth) -> (char, Role, format::Short) {
    let (wrong, look_at, well) = scene.look.glyphs.state;
    match health.breaker {
        Breaker::Closed => (well, Role::Ok, short(format_args!("closed"))),
        Breaker::HalfOpen => (look_at, Role::Warn, short(format_args!("probing"))),
        Breaker::Open { until } => {
            let left = (until - now(scene)).0.max(0) / 1_000_000;
            (wrong, Role::Error, short(format_args!("open {left} s")))
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
    Gauge { used, warn_from: 800 }.render(bar, buf, look);
    let words = short(format_args!("{} %", used / 10));
    look.text_right(buf, rest, &words, Role::Text);
}

/// What there is to say of a model's health: name, value and look.
pub(super) fn lines(scene: Scene<'_>, health: &ModelHealth, mut put: impl FnMut(&'static str, Line, Role)) {
    let (_, role, words) = breaker(scene, health);
    put("provider", cleaned(&health.provider), Role::Text);
    put("breaker", line(format_args!("{words}")), role);
    put("calls in flight", line(format_args!("{}", format::count(health.in_flight))), Role::Text);
    for (name, headroom) in [("requests left", health.requests), ("tokens left", health.tokens)] {
        let Some(headroom) = headroom else { continue };
        let left = format::count(headroom.left);
        let words = match headroom.limit {
            Some(limit) => line(format_args!("{left} of {}", format::count(limit))),
            None => line(format_args!("{left}")),
        };
        put(
            name,
            words,
            if used(headroom).is_some_and(|used| used >= 800) { Role::Warn } else { Role::Text },
        );
    }
    if let Some(resets) = health.resets {
        put("quota resets", line(format_args!("{}", resets.clock())), Role::Text);
    }
    let Some(live) = scene.snapshot.live.as_ref() else { return };
    for account in live.status.healths(&health.model) {
        let name = account.provider.split_once('/').map_or("", |(_, name)| name);
        let (wrong, look_at, well) = scene.look.glyphs.state;
        if !name.is_empty() {
            let (sign, role) = match account.breaker {
                Breaker::Closed => (well, Role::Ok),
                Breaker::HalfOpen => (look_at, Role::Warn),
                Breaker::Open { .. } => (wrong, Role::Error),
            };
            let calls = format::count(account.in_flight);
            put("account", line(format_args!("{name} {sign} {calls} in flight")), role);
        }
        if let Some(warm) = account.warm_sessions {
            let who = if name.is_empty() { "here" } else { name };
            put("sessions warm", line(format_args!("{} {who}", format::count(warm))), Role::Text);
        }
        for window in &account.windows {
            let share = format_args!("{}.{} %", window.used / 10, window.used % 10).to_string();
            let left = format::duration(window.resets - now(scene));
            let role = match window.used {
                _ if window.is_closed => Role::Error,
                800.. => Role::Warn,
                _ => Role::Text,
            };
            let who = if name.is_empty() { String::new() } else { format!("{name} ") };
            let label = text::clean(&window.name).to_string();
            put("window", line(format_args!("{who}{label}: {share}, anew in {left}")), role);
        }
    }
    if !health.last_error.is_empty() {
        put("last error", cleaned(&health.last_error), Role::Error);
    }
    if health.simulated {
        put("answers", line(format_args!("SIMULATED")), Role::Simulated);
    }
}

/// Makes foreign words safe, as many as a line holds.
fn cleaned(words: &str) -> Line {
    let mut out = Line::new();
    for letter in text::clean(words).chars() {
        if out.try_push(letter).is_err() {
            break;
        }
    }
    out
}
