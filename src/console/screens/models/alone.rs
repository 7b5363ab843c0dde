//! What the window would have cost with one model alone, beside the policy, and what nobody knows of that.

use arrayvec::ArrayVec;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::chosen::heading;
use super::roster::Row;
use crate::console::format;
use crate::console::paint;
use crate::console::screens::figures::{self, Line, line};
use crate::console::theme::Role;
use crate::console::ui::Scene;
use crate::console::widgets::key_values::{self, KeyValue};
use crate::pricing::CostSum;
use crate::session::AllOn;
use crate::units::Pico;

/// Draws the figures where they were asked for this model, and gives what is left below them.
pub(super) fn draw(scene: Scene<'_>, row: &Row<'_>, at: Rect, buf: &mut Buffer) -> Rect {
    let asked = scene.ui.models.all_on.as_ref().filter(|(model, ..)| *model == row.model);
    let Some((_, moment, all)) = asked else { return at };
    let moment = figures::moment(scene.snapshot, *moment);
    let title = line(format_args!("All on this model {} window to {moment}", scene.look.glyphs.dot));
    let at = heading(scene, &title, at, buf);
    let lines = lines(scene, all);
    let rows: ArrayVec<KeyValue<'_>, 8> = lines
        .iter()
        .map(|(key, value, role)| KeyValue { key, value, style: scene.look.style(*role) })
        .collect();
    let used = u16::try_from(rows.len()).unwrap_or(8).min(at.height);
    let (here, rest) = paint::split_top(at, used);
    key_values::render(&rows, here, buf, scene.look);
    paint::split_top(rest, u16::from(rest.height > 12)).1
}

fn lines(scene: Scene<'_>, all: &AllOn) -> ArrayVec<(&'static str, Line, Role), 8> {
    let mut out: ArrayVec<(&'static str, Line, Role), 8> = ArrayVec::new();
    let mut put = |key, value: Line, role| {
        let _ = out.try_push((key, value, role));
    };
    let (cost, role) = figures::cost(&all.cost);
    let error = all.cost_error();
    let estimated = all.cost.estimated != Pico::ZERO;
    let sign = scene.look.glyphs.plus_minus();
    let bar = if estimated { line(format_args!(" {sign}{}", format::money(error))) } else { Line::new() };
    put("its cost", line(format_args!("{cost}{bar}")), role);
    if all.cost.unknown > 0 {
        put(
            "  unknown, besides",
            line(format_args!("{}", figures::plural(all.cost.unknown, "request"))),
            Role::Warn,
        );
    }
    let policy = scene.snapshot.consequences.routes.iter().fold(CostSum::default(), |mut sum, route| {
        sum += &route.applied.cost;
        sum
    });
    let (policy_cost, role) = figures::cost(&policy);
    put("the policy in force, routed", line(format_args!("{policy_cost}")), role);
    if all.cost.unknown == 0 && policy.unknown == 0 && policy.total() > Pico::ZERO {
        let change = all.cost.total() - policy.total();
        let percent = format::percent_change(policy.total().0, all.cost.total().0);
        // A difference inside its error tells nothing.
        let (role, within) = match change.0.saturating_abs() <= error.0 {
            true => (Role::Muted, " within its error"),
            false if change.0 < 0 => (Role::Better, ""),
            false => (Role::Worse, ""),
        };
        put("  difference", line(format_args!("{}  {percent}{within}", format::money_change(change))), role);
    }
    let of =
        |count| line(format_args!("{} of {}", format::count_short(count), format::count_short(all.requests)));
    put("estimated: it never had them", of(all.estimated), Role::Estimated);
    match all.quality.checked_div(all.labelled) {
        None => put("its quality on them", line(format_args!("nobody knows: no labels")), Role::Unknown),
        Some(mean) => {
            let known = of(all.labelled);
            put(
                "its quality, where labelled",
                line(format_args!(".{:03}  {known}", mean.min(999))),
                Role::Text,
            );
        }
    }
    if all.longer > 0 {
        put("prompts longer than it was seen with", of(all.longer), Role::Warn);
    }
    out
}
