//! The chosen model: its calls and tokens, its latencies, its prices over time, the rungs it serves.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::alone::{self, Alone};
use super::columns::{Row, error_role, series, state_of};
use super::health;
use crate::console::format::{self, Short, UNKNOWN, short};
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures::{self, List};
use crate::console::theme::Role;
use crate::console::widgets::bars::{self, Bar, BarList};
use crate::pricing::{Rates, Tier, as_factor};
use crate::routing::Rung;
use crate::session::{NoteKind, warm_sessions};
use crate::telemetry::Cell;
use crate::units::Pico;

/// Draws the panel.
pub(super) fn draw(
    scene: Scene<'_>,
    row: Option<&Row<'_>>,
    asked: Option<&Alone>,
    area: Rect,
    buf: &mut Buffer,
) {
    if let Some(alone) = asked.filter(|asked| row.is_none_or(|row| row.name != asked.name)) {
        alone::draw_panel(scene, alone, area, buf);
        return;
    }
    let Some(row) = row else {
        let inner = figures::frame(scene, 1, "No model", "", area, buf);
        return figures::nothing(scene, "no model in this traffic and none on a ladder", inner, buf);
    };
    let inner = figures::page(scene, 1, row.name, "", area, buf);
    // Side by side where that is wide enough, else one over the other for as far as it goes.
    let columns = match inner.width {
        0..=63 => 1,
        64..=119 => 2,
        _ => 4,
    };
    let gap = 3;
    let mut rest = inner;
    let mut next = |of: u16| {
        let (at, more) = paint::split_left(rest, rest.width / of.max(1));
        rest = more;
        Rect { width: at.width.saturating_sub(if of > 1 { gap } else { 0 }), ..at }
    };
    match columns {
        1 => {
            calls_and_tokens(scene, row, asked, next(1), buf);
        }
        2 => {
            let (left, right) = (next(2), next(1));
            calls_and_tokens(scene, row, asked, left, buf);
            // Each as high as it must be, with a row between them.
            let most = |at: Rect| Rect { height: right.height.div_ceil(3).min(at.height), ..at };
            let below = |at: Rect, used: u16| paint::split_top(at, used + 1).1;
            let used =
                prices(scene, row, Rect { height: most(right).height.saturating_sub(1), ..right }, buf);
            let mut rest = below(right, used);
            if right.height >= 18 {
                let used = latency(scene, row, most(rest), buf);
                rest = below(rest, used);
            }
            ladder(scene, row, rest, buf);
        }
        _ => {
            calls_and_tokens(scene, row, asked, next(4), buf);
            latency(scene, row, next(3), buf);
            prices(scene, row, next(2), buf);
            ladder(scene, row, next(1), buf);
        }
    }
}

fn calls_and_tokens(scene: Scene<'_>, row: &Row<'_>, asked: Option<&Alone>, at: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let at = alone::draw(scene, asked, at, buf);
    let at = health_lines(scene, row, at, buf);
    // A heading with nothing below it is none.
    if at.height < 2 {
        return;
    }
    let at = figures::heading(scene, "Calls and tokens", at, buf);
    let Some(cell) = row.cell else {
        return figures::nothing(scene, "not seen in this window", at, buf);
    };
    let (_, state, words) = state_of(look, Some(cell));
    let mut lines = List::default();
    let count = format::count_short;
    lines.put("state in this window", words, state);
    let (cost, role) = figures::cost(&cell.cost);
    lines.put("cost", cost, role);
    if cell.cost.estimated != Pico::ZERO {
        let (amount, error) = (format::money(cell.cost.estimated), figures::error(cell.cost_error(), look));
        lines.put("  estimated", format!("~{amount} {error}"), Role::Estimated);
    }
    if cell.cost.unknown > 0 {
        let calls = figures::plural(cell.cost.unknown, "call");
        lines.put("  of unknown cost", calls, Role::Warn);
    }
    lines.put("calls", count(cell.attempts), Role::Text);
    lines.put("  of them failed", shared(cell.errors, cell.attempts), error_role(cell));
    lines.put("  of them estimated", shared(cell.estimated, cell.attempts), Role::Text);
    if cell.not_made > 0 {
        lines.put("calls not made (breaker, limit)", count(cell.not_made), Role::Warn);
    }
    lines.put("after escalation", shared(cell.escalated, cell.requests), Role::Text);
    lines.put("prompt tokens", count(cell.tokens.prompt()), Role::Text);
    lines.put("  read from cache", shared(cell.tokens.cache_read, cell.tokens.prompt()), Role::Text);
    lines.put("  written to cache", shared(cell.tokens.cache_write(), cell.tokens.prompt()), Role::Text);
    if let Some(sessions) = warm_sessions(scene.snapshot, row.model) {
        lines.put("  sessions warm now", count(sessions), Role::Text);
    }
    if let Some(bias) = cell.bias() {
        let [expected, billed] = [cell.expected, cell.billed].map(format::money);
        lines.put("cost expected", expected, Role::Text);
        let sign = if bias > 0 { '+' } else { '-' };
        let off = short!("{sign}{}.{} %", bias.abs() / 10, bias.abs() % 10);
        let role = if bias.abs() > 50 { Role::Warn } else { Role::Text };
        lines.put("  billed, expected beside it", format!("{billed}  {off:>7}"), role);
    }
    lines.put("answer tokens", count(cell.tokens.output), Role::Text);
    lines.put(
        "  of them reasoning, where told",
        shared(cell.tokens.reasoning, cell.tokens.output),
        Role::Text,
    );
    if cell.tokens_unknown > 0 {
        lines.put("calls of unknown tokens", count(cell.tokens_unknown), Role::Warn);
    }
    lines.draw(scene, at, buf);
}

/// Says how the model is in a live session, and returns what is left below that.
fn health_lines(scene: Scene<'_>, row: &Row<'_>, at: Rect, buf: &mut Buffer) -> Rect {
    let Some(found) = health::of(scene.snapshot, row.name) else { return at };
    let at = figures::heading(scene, "Health now", at, buf);
    health::lines(scene, found).draw(scene, at, buf)
}

/// Writes a count with its share: `12  0.4 %`.
fn shared(part: u64, whole: u64) -> String {
    format!("{}  {:>7}", format::count_short(part), format::percent(part, whole).as_str())
}

/// Draws how fast it is, and returns the rows that takes.
fn latency(scene: Scene<'_>, row: &Row<'_>, at: Rect, buf: &mut Buffer) -> u16 {
    let at = figures::heading(scene, "Latency per call", at, buf);
    let Some(known) = row.percentiles() else {
        scene.look.text(buf, paint::nth_row(at, 0), "no latency is known", Role::Muted);
        return 2;
    };
    let values = [known.p50, known.p95, known.p99].map(figures::millis);
    let style = series(scene.look, row);
    let bar =
        |label, value, millis| Bar { label, value, filled: figures::thousandths(millis, known.p99), style };
    let bars = [
        bar("p50", values[0].as_str(), known.p50),
        bar("p95", values[1].as_str(), known.p95),
        bar("p99", values[2].as_str(), known.p99),
    ];
    BarList { bars: &bars, label_width: 4 }.render(at, buf, scene.look);
    let below = paint::split_top(at, 4).1;
    let calls = row.cell.map_or(0, |cell: &Cell| cell.attempts);
    let all = figures::plural(calls, "call");
    let words = match known.known {
        some if some < calls => format!("known of {} of {all}", format::count_short(some)),
        _ => format!("of {all}"),
    };
    scene.look.text(buf, below, &words, Role::Muted);
    if row.cell.is_none_or(|cell| cell.estimated == 0) {
        return 6;
    }
    let next = paint::split_top(below, 1).1;
    let words = "estimated calls: from this model's own pace";
    scene.look.text(buf, next, words, Role::Estimated);
    7
}

/// Draws what it costs, and returns the rows that takes.
fn prices(scene: Scene<'_>, row: &Row<'_>, area: Rect, buf: &mut Buffer) -> u16 {
    let look = scene.look;
    let snapshot = scene.snapshot;
    let title = format!("Price per 1M tokens {} {}", look.glyphs.dot, snapshot.log.book);
    let mut at = figures::heading(scene, &title, area, buf);
    let mut used = 1;
    let mut put = |words: &str, role| {
        let (row, rest) = paint::split_top(at, 1);
        used += row.height;
        at = rest;
        look.text(buf, row, words, role);
    };
    let Some(rates) = snapshot.log.prices.rates(row.model, snapshot.clock) else {
        put("no price: what it costs is unknown", Role::Warn);
        return used;
    };
    tiers(rates, &mut put);
    // In which hours it is another, and whether it is now.
    let dated = snapshot.log.prices.dated(row.model, snapshot.clock);
    for one in dated.into_iter().flat_map(|dated| &dated.scheduled) {
        let is_now = one.hours.hold_at(snapshot.clock);
        let (now, role) = if is_now { (", now", Role::Text) } else { ("", Role::Muted) };
        let times = as_factor(one.times);
        put(&format!("x{times} {}{now}", one.hours.named_days()), role);
        put(&format!("  {} UTC", one.hours.utc()), role);
    }
    // What was said of this model's price in the log, the newest first.
    let known = snapshot.log.notes.iter().rev().filter(|note| note.kind == NoteKind::Price);
    let said = known.filter_map(|note| {
        let about = note.text.strip_prefix("price of ")?.strip_prefix(row.name)?;
        // What it is per, the heading says.
        Some((note.at, about.strip_prefix(" is now ")?.trim_end_matches(" per 1M")))
    });
    for (at, words) in said.take(8) {
        let (sign, role) = if at <= snapshot.clock { ("since", Role::Text) } else { ("from", Role::Muted) };
        put(&format!("{sign} {}: {words}", figures::moment(snapshot, at)), role);
    }
    used
}

fn tiers(rates: &Rates, put: &mut impl FnMut(&str, Role)) {
    let optional =
        |price: Option<crate::units::PicoPerMillion>| price.map_or_else(|| short!("as in"), figures::price);
    let write = |tier: &Tier| {
        let mut words = format!("in {}", figures::price(tier.input));
        let _ = write!(words, "  cached {}", optional(tier.cache_read));
        let _ = write!(words, "  out {}", figures::price(tier.output));
        words
    };
    put(&write(&rates.base), Role::Text);
    let base = &rates.base;
    let writes: Short = optional(base.write_5m);
    if base.write_5m.is_some() {
        put(&format!("cache write {writes}, 1 h {}", optional(base.write_1h)), Role::Text);
    }
    if let Some(reasoning) = base.reasoning {
        put(&format!("reasoning {}", figures::price(reasoning)), Role::Text);
    }
    for (above, tier) in &rates.above {
        put(&format!("prompts above {} tokens:", format::count(*above)), Role::Muted);
        put(&write(tier), Role::Text);
    }
}

/// The rungs the model serves, with the share of each route's requests that it answers under the policy in force.
fn ladder(scene: Scene<'_>, row: &Row<'_>, at: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let snapshot = scene.snapshot;
    let mut at = figures::heading(scene, "Rungs: share of the route answered", at, buf);
    let serves = |rung: &Rung| rung.model == row.model && row.model.is_some();
    let mut left =
        snapshot.policy.routes.iter().flat_map(|route| &route.ladder).filter(|rung| serves(rung)).count();
    if left == 0 {
        let words = "on no ladder of this policy";
        look.text(buf, paint::nth_row(at, 0), words, Role::Muted);
    }
    for (index, route) in snapshot.policy.routes.iter().enumerate() {
        for (place, rung) in route.ladder.iter().enumerate().filter(|(_, rung)| serves(rung)) {
            if at.height == 1 && left > 1 {
                paint::more(buf, at, left, look);
                return;
            }
            left -= 1;
            let (line_at, rest) = paint::split_top(at, 1);
            at = rest;
            let name = format!("{}.{}", route.name, rung.name);
            let words = if place + 1 == route.ladder.len() {
                "last rung".to_owned()
            } else if rung.fallback {
                "fallback".to_owned()
            } else {
                format!("from {}", format::per_mille(rung.threshold))
            };
            let forecast = snapshot.consequences.routes.get(index).map(|route| &route.applied);
            let answered = forecast.and_then(|forecast| forecast.answered.get(place)).copied().unwrap_or(0);
            let whole = forecast.map_or(0, |forecast| forecast.requests);
            let (name_at, right) = paint::split_left(line_at, line_at.width.saturating_sub(19).min(22));
            let (name_at, _) = paint::split_left(name_at, name_at.width.saturating_sub(1));
            look.text(buf, name_at, &name, Role::Text);
            let (middle, right) = paint::split_left(right, 11);
            look.text(buf, middle, &words, Role::Muted);
            let (bar, value) = paint::split_left(right, right.width.saturating_sub(8));
            bars::bar(buf, bar, figures::thousandths(answered, whole), series(look, row), look);
            let share = if whole == 0 { short!("{UNKNOWN}") } else { format::percent(answered, whole) };
            look.text_right(buf, value, &share, Role::Text);
        }
    }
}
