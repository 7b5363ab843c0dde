//! What explored requests say of the staged thresholds, and what exploring costs at worst.

use crate::certificate::{Estimate, OffPolicy};
use crate::console::format::{self, Short, short};
use crate::console::paint::Look;
use crate::console::theme::Role;
use crate::session::RouteConsequences;
use crate::units::{Pico, counted};

/// A line: its name, three cells, how the last one looks, and whether it is smaller than its error.
pub(super) type Told = (Short, [Short; 3], Role, bool);

/// Says what exploring costs at worst, and what it found.
pub(super) fn lines(one: &RouteConsequences, look: Look<'_>) -> Vec<Told> {
    let mut lines = Vec::new();
    let (applied, staged) = (one.applied.exploring, one.staged.exploring);
    if applied.requests.max(staged.requests) > 0 {
        let name = short!("exploring, at most");
        let cells = [format::money(applied.worst), format::money(staged.worst), Short::new()];
        lines.push((name, cells, Role::Muted, false));
    }
    let Some(found) = &one.explored else { return lines };
    lines.extend(estimate("explored: $ change", found.cost, look, dollars, -1.0));
    lines.extend(estimate("explored: quality", found.quality, look, thousandths, 1.0));
    lines.extend(unexplored(found));
    lines
}

fn estimate(
    name: &str,
    estimate: Estimate,
    look: Look<'_>,
    write: impl Fn(f64) -> Short,
    better: f64,
) -> Option<Told> {
    let worth = |effective: u64| short!("n {}", format::count(effective));
    let name = short!("{name}");
    match estimate {
        Estimate::Nothing => None,
        Estimate::Short { effective, more, .. } => {
            let missing = short!("{} more", format::count(more));
            Some((name, [worth(effective), short!("too few"), missing], Role::Muted, false))
        }
        Estimate::Told { change, half, effective } => {
            let error = short!("{}{}", look.glyphs.plus_minus(), write(half));
            let sign = if change < 0.0 { "-" } else { "+" };
            let change_text = short!("{sign}{}", write(change.abs()));
            let role = if change * better > 0.0 { Role::Better } else { Role::Worse };
            Some((name, [worth(effective), error, change_text], role, change.abs() <= half))
        }
    }
}

fn unexplored(found: &OffPolicy) -> Option<Told> {
    let (from, to) = (found.unexplored.first()?.0, found.unexplored.last()?.1);
    let name = short!("  never explored");
    let band = short!("{from} to {to}");
    Some((name, [Short::new(), band, short!("{}", counted(found.uncovered, "flip"))], Role::Warn, false))
}

#[expect(clippy::cast_possible_truncation, reason = "dollars of a window, for display")]
fn dollars(amount: f64) -> Short {
    format::money(Pico((amount * 1e12).round() as i128))
}

fn thousandths(quality: f64) -> Short {
    short!("{quality:.3}")
}
