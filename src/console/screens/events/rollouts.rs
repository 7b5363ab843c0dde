//! Rollouts under way and lately over: where each stands, how both sides did, what its next step lacks; automations; limits that
//! are steered towards.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::text;
use crate::console::theme::Role;
use crate::session::{AutomationRow, RolloutRow, Snapshot, SteerRow};

/// The rows that the list of events keeps at least.
const LEAST: u16 = 8;

/// Returns the rollouts of a live session, the open ones first.
pub(super) fn rows(snapshot: &Snapshot) -> &[RolloutRow] {
    snapshot.live.as_ref().map_or(&[][..], |live| &live.status.rollouts)
}

/// Returns the automations of a live session.
fn automations(snapshot: &Snapshot) -> &[AutomationRow] {
    snapshot.live.as_ref().map_or(&[][..], |live| &live.status.automations)
}

/// Returns the limits of a live session that are steered towards.
fn steering(snapshot: &Snapshot) -> &[SteerRow] {
    snapshot.live.as_ref().map_or(&[][..], |live| &live.status.steering)
}

/// Divides an area into that of rollouts, none where there are none or no room, and that of events.
pub(super) fn split(snapshot: &Snapshot, area: Rect) -> (Option<Rect>, Rect) {
    let rows = rows(snapshot);
    let lines: usize = rows.iter().map(|row| row.lines().len()).sum();
    let lines = lines + automations(snapshot).len() + steering(snapshot).len();
    let wanted = u16::try_from(lines).unwrap_or(u16::MAX).saturating_add(2);
    let high = wanted.min(area.height.saturating_sub(LEAST).min(area.height / 2));
    if lines == 0 || high < 3 {
        return (None, area);
    }
    let (above, below) = paint::split_top(area, high);
    (Some(above), below)
}

/// Draws them.
pub(super) fn draw(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let rows = rows(scene.snapshot);
    let open = rows.iter().filter(|row| row.is_open()).count();
    let scope = match open {
        0 => "none under way".to_owned(),
        many => format!("{many} under way"),
    };
    // No panel of its own for the keys: they stay with the events.
    let automations = automations(scene.snapshot);
    let steering = steering(scene.snapshot);
    let parts =
        [("Rollouts", true), ("automations", !automations.is_empty()), ("steering", !steering.is_empty())];
    let parts: Vec<&str> =
        parts.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect();
    let mut below = paint::margin(figures::frame(scene, usize::MAX, &parts.join(" · "), &scope, area, buf));
    for row in steering {
        if below.is_empty() {
            return;
        }
        let (here, rest) = paint::split_top(below, 1);
        below = rest;
        let role = if row.heading == "out of reach" { Role::Warn } else { Role::Text };
        scene.look.text(buf, here, &text::clean(&format!("{}: {}", row.limit, row.words())), role);
    }
    for row in automations {
        if below.is_empty() {
            return;
        }
        let (here, rest) = paint::split_top(below, 1);
        below = rest;
        let role = match row {
            row if !row.refused.is_empty() => Role::Warn,
            row if row.share > 0 => Role::Title,
            _ => Role::Muted,
        };
        scene.look.text(buf, here, &text::clean(&row.words()), role);
    }
    for row in rows {
        for (at, line) in row.lines().iter().enumerate() {
            if below.is_empty() {
                return;
            }
            let (here, rest) = paint::split_top(below, 1);
            below = rest;
            let role = match (at, row.is_open()) {
                (0, true) => Role::Title,
                (0 | 1, false) if row.phase == "taken back" => Role::Warn,
                (1, true) if row.phase == "held" => Role::Warn,
                (1, _) => Role::Text,
                _ => Role::Muted,
            };
            let (_, here) = paint::split_left(here, if at == 0 { 0 } else { 2 });
            scene.look.text(buf, here, &text::clean(line), role);
        }
    }
}
