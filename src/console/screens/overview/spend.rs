//! What the traffic costs: so far, in the window, at that rate; and what it saves.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use crate::console::format::{self, Short, UNKNOWN, short};
use crate::console::paint::{self, Look};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::bars::{Bar, BarList};
use crate::console::widgets::key_values::{self, KeyValue};
use crate::routing::Mode;
use crate::session::{Snapshot, is_within_error};
use crate::telemetry::Cell;
use crate::units::{Pico, Span};

/// One line, and how soon it goes when there is no room.
struct Line {
    yields: u8,
    key: Short,
    value: Short,
    role: Role,
    strong: bool,
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, place: usize, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let all = &snapshot.totals.all;
    let inside = figures::page(scene, place, "Spend", "", area, buf);
    let mut lines = lines(scene);
    let bars = if usize::from(inside.height) >= lines.len() + 3 { 3 } else { 0 };
    figures::fit(&mut lines, usize::from(inside.height - bars), |line| line.yields);
    let rows: Vec<KeyValue<'_>> = lines
        .iter()
        .map(|line| {
            let style = scene.look.style(line.role);
            let style = if line.strong { style.add_modifier(Modifier::BOLD) } else { style };
            KeyValue { key: &line.key, value: &line.value, style }
        })
        .collect();
    key_values::render(&rows, inside, buf, scene.look);
    if bars > 0 {
        let used = u16::try_from(rows.len()).unwrap_or(0) + 1;
        against_baseline(scene, all, paint::split_top(inside, used).1, buf);
    }
}

fn lines(scene: Scene<'_>) -> Vec<Line> {
    let snapshot = scene.snapshot;
    let (all, to_date) = (&snapshot.totals.all, &snapshot.to_date.all);
    let covered = snapshot.log.rated(snapshot.window.covered());
    let total = all.cost.total();
    let mut out = Vec::new();
    let mut put = |yields, key: Short, (value, role): (Short, Role), strong| {
        out.push(Line { yields, key, value, role, strong });
    };
    let key = |words: &str| short!("{words}");
    let whole_log = snapshot.window.window.is_none();
    put(0, key("so far"), figures::cost(&to_date.cost), true);
    if !whole_log {
        put(6, key("  estimated"), estimated(to_date, scene.look), false);
        unknown(to_date, 5, &mut put);
        put(1, figures::window(snapshot), figures::cost(&all.cost), true);
    }
    put(2, key("  estimated"), estimated(all, scene.look), false);
    unknown(all, 1, &mut put);
    let at_rate = |over| figures::at_rate(&all.cost, all.requests, covered?, over);
    let rate = |over| match at_rate(over) {
        Some(amount) => {
            let more = figures::besides(&all.cost);
            (short!("~{}{more}", format::money(amount)), Role::Estimated)
        }
        _ => (key(if covered.is_none() { "no times" } else { UNKNOWN }), Role::Unknown),
    };
    put(3, key("an hour at this rate"), rate(Span::hours(1)), false);
    put(1, key("30 days at this rate"), rate(Span::days(30)), false);
    let thousand = figures::amount(figures::per_thousand(&all.cost, all.requests), &all.cost);
    put(7, key("per 1,000 requests"), (thousand, Role::Observed), false);
    let model = snapshot.log.names.model(snapshot.policy.baseline);
    let baseline = short!("all on {model:.26}");
    if is_incomparable(all) {
        put(2, baseline, (key("unknown"), Role::Unknown), false);
        if snapshot.totals.unnamed_model.requests == all.requests && all.requests > 0 {
            let how = short!("  --assume-model {model:.26}");
            put(0, how, (key("prices it"), Role::Muted), false);
        }
    } else {
        let (cost, role) = figures::cost(&all.baseline);
        // What could not be compared is in neither figure.
        let left_out = all.requests.saturating_sub(all.comparable);
        let cost = match left_out {
            0 => cost,
            _ if cost.contains('?') || role == Role::Unknown => cost,
            _ => short!("{cost} +?"),
        };
        put(2, baseline, (cost, role), false);
    }
    if let Some((words, value, role)) = observed(snapshot) {
        put(0, words, (value, role), true);
    }
    let is_extra = all.saved().0 < 0;
    put(0, key(if is_extra { "extra" } else { "saved" }), saved(all), true);
    if all.compared != total {
        let compared = short!("{} of {}", format::money(all.compared), format::money(total));
        put(4, key("  compared"), (compared, Role::Muted), false);
    }
    put(8, key("prices"), (short!("{}", truncated(&snapshot.log.book, 24)), Role::Muted), false);
    out
}

/// What routes that only observe would have cost, had they been on, against what their clients asked for.
fn observed(snapshot: &Snapshot) -> Option<(Short, Short, Role)> {
    let (mut asked, mut on, mut requests) = (Pico::ZERO, Pico::ZERO, 0);
    let observing = || snapshot.consequences.routes.iter().filter(|one| one.setting.mode == Mode::Observe);
    for one in observing() {
        asked += one.applied.cost.total();
        on += one.staged.cost.total();
        requests += one.applied.requests;
    }
    if requests == 0 {
        let nothing = (short!("OBSERVE"), short!("no requests"), Role::Warn);
        return snapshot.policy.observes().then_some(nothing);
    }
    let is_within = is_within_error(observing());
    let role = if on < asked && !is_within { Role::Better } else { Role::Muted };
    let change = format::percent_change(asked.0, on.0);
    let change = if is_within { "within error" } else { &*change };
    let value = short!("~{} {change}", format::money(on));
    Some((short!("OBSERVE, if on"), value, role))
}

fn truncated(words: &str, columns: usize) -> &str {
    let (kept, _) = crate::console::text::fit(words, columns);
    words.get(..kept).unwrap_or_default()
}

/// The estimated part with its error: `~$3.20 ±$0.10`.
fn estimated(cell: &Cell, look: Look<'_>) -> (Short, Role) {
    if cell.cost.estimated == Pico::ZERO {
        return (short!("none"), Role::Muted);
    }
    let amount = format::money(cell.cost.estimated);
    let error = figures::error(cell.cost_error(), look);
    (short!("~{amount} {error}"), Role::Estimated)
}

fn unknown(cell: &Cell, yields: u8, put: &mut impl FnMut(u8, Short, (Short, Role), bool)) {
    if cell.cost.unknown > 0 {
        let count = figures::plural(cell.cost.unknown, "request");
        put(yields, short!("  of unknown cost"), (count, Role::Warn), false);
    }
}

/// Says whether nothing can be compared with the baseline but what cost nothing: zero is then no amount.
fn is_incomparable(cell: &Cell) -> bool {
    cell.comparable == 0 || cell.comparable < cell.requests && cell.baseline.total() == Pico::ZERO
}

fn saved(cell: &Cell) -> (Short, Role) {
    let baseline = cell.baseline.total();
    if is_incomparable(cell) {
        return (short!("unknown"), Role::Unknown);
    }
    let saved = cell.saved();
    let size = Pico(saved.0.saturating_abs());
    let (role, is_within) = figures::saved(cell);
    if is_within {
        return (short!("within error"), role);
    }
    let percent = figures::money_share(size, baseline);
    (short!("~{}  {percent}", format::money(size)), role)
}

/// Two bars: what the baseline would have cost, and what was paid for the same requests.
fn against_baseline(scene: Scene<'_>, cell: &Cell, area: Rect, buf: &mut Buffer) {
    let baseline = cell.baseline.total();
    let most = baseline.max(cell.compared);
    if most.0 <= 0 {
        return;
    }
    let values = [format::money(baseline), format::money(cell.compared)];
    let bar = |label, value, amount, role| Bar {
        label,
        value,
        filled: figures::money_thousandths(amount, most),
        style: scene.look.style(role),
    };
    let bars = [
        bar("baseline", values[0].as_str(), baseline, Role::GaugeEmpty),
        bar(scene.snapshot.reading.name(), values[1].as_str(), cell.compared, Role::GaugeFill),
    ];
    BarList { bars: &bars, label_width: 10 }.render(area, buf, scene.look);
}
