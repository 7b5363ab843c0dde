//! What the chosen route costs and buys under the policy in force, under the staged one, and the difference.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::explored;
use crate::alert::Level;
use crate::console::format::{self, Short, UNKNOWN, short};
use crate::console::paint::{self, Look};
use crate::console::screen::Scene;
use crate::console::screens::figures::{self, Good, verdict};
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::pricing::CostSum;
use crate::routing::{Mode, RouteId};
use crate::session::{RerunState, Snapshot, TriedLimit, TriedSide, is_within_error, quality_between};
use crate::telemetry::Forecast;
use crate::units::{Instant, PerMille, Pico, Span, counted};

/// Budgets, and alerts, that are listed.
const LISTED: usize = 4;

/// A line of the table: name, applied, staged, change, and how the change looks.
struct Line {
    name: Short,
    applied: Short,
    staged: Short,
    change: Short,
    role: Role,
    style: Option<Style>,
    /// The difference is smaller than its error.
    within: bool,
    /// Where there is no room for all, those of the greatest number go first: 0 is cost, share and quality.
    yields: u8,
}

impl Line {
    fn new(name: Short, [applied, staged, change]: [Short; 3], role: Role) -> Self {
        Self { name, applied, staged, change, role, style: None, within: false, yields: 0 }
    }

    fn yielding(self, yields: u8) -> Self {
        Self { yields, ..self }
    }

    fn styled(self, style: Style) -> Self {
        Self { style: Some(style), ..self }
    }

    /// Says that the difference, where there is one, is smaller than its error: it gets no colour.
    fn within_error(&mut self) {
        if self.change.is_empty() {
            return;
        }
        self.within = true;
        self.role = Role::Muted;
    }
}

/// A month's cost at the window's rate: its name, under the policy in force, under the staged one, and the change; nothing
/// where the log tells no times.
fn month_line(name: &str, sides: [(&CostSum, u64); 2], covered: Option<Span>) -> Line {
    let rate = |(cost, requests)| figures::at_rate(cost, requests, covered?, Span::days(30));
    let [applied, staged] = sides.map(|(cost, _)| cost);
    let more = if applied.unknown >= staged.unknown { applied } else { staged };
    let name = short!("{name}{}", figures::besides(more));
    let both = (rate(sides[0]), rate(sides[1]));
    money_line(&name, both, (applied, staged), |a, b| format::money_change(b - a))
}

fn key(words: &str) -> Short {
    short!("{words}")
}

/// Returns dollars per 1,000 requests over those of known or estimated cost.
fn per_thousand(forecast: &Forecast) -> Option<Pico> {
    figures::per_thousand(&forecast.cost, forecast.requests)
}

fn money_line(
    name: &str,
    (applied, tried): (Option<Pico>, Option<Pico>),
    (of_applied, of_tried): (&CostSum, &CostSum),
    change: impl Fn(Pico, Pico) -> Short,
) -> Line {
    let both = applied.zip(tried);
    let change = both.map_or_else(Short::new, |(a, b)| change(a, b));
    let cells = [figures::amount(applied, of_applied), figures::amount(tried, of_tried), change];
    Line::new(key(name), cells, both.map_or(Role::Muted, |(a, b)| verdict(a.0, b.0, Good::Less)))
}

fn count_line(name: &str, applied: u64, tried: u64, good: Good) -> Line {
    let difference =
        i64::try_from(tried).unwrap_or(i64::MAX).saturating_sub(i64::try_from(applied).unwrap_or(i64::MAX));
    let cells = [format::count(applied), format::count(tried), format::count_change(difference)];
    Line::new(key(name), cells, verdict(applied, tried, good))
}

fn quality(forecast: &Forecast) -> Option<i64> {
    let mean =
        (forecast.labelled > 0).then(|| (forecast.quality + forecast.labelled / 2) / forecast.labelled)?;
    i64::try_from(mean).ok()
}

fn quality_text(value: i64) -> Short {
    short!("{}.{:03}", value / 1000, value % 1000)
}

/// How far a mean may be off to the side to which its interval is wider, in thousandths.
fn quality_off(forecast: &Forecast) -> f64 {
    let mean = forecast.quality as f64 / 1000.0 / forecast.labelled.max(1) as f64;
    quality_between(forecast).map_or(0.0, |(low, high)| (high - mean).max(mean - low) * 1000.0)
}

/// Writes an interval so that it fits the narrowest column: `.76-.94`; rounded outwards where it has two digits.
fn interval_text(interval: Option<(f64, f64)>, figure: u16) -> Short {
    let Some((low, high)) = interval else { return key(UNKNOWN) };
    let (scale, digits) = if figure > 9 { (1000.0, 3) } else { (100.0, 2) };
    let side = |value: f64| {
        if value >= scale { short!("1.{:0digits$}", 0) } else { short!(".{value:0digits$.0}") }
    };
    let (low, high) = match digits {
        2 => ((low * scale).floor(), (high * scale).ceil()),
        _ => ((low * scale).round(), (high * scale).round()),
    };
    short!("{}-{}", side(low), side(high))
}

fn latency_line(name: &str, applied: &Forecast, tried: &Forecast, per_mille: u64) -> Line {
    let (a, b) = (applied.latency.quantile(per_mille), tried.latency.quantile(per_mille));
    let both = a.zip(b);
    let change = both.filter(|(a, b)| a != b).map_or_else(Short::new, |(a, b)| {
        let sign = if b > a { '+' } else { '-' };
        short!("{sign}{}", figures::millis(a.abs_diff(b)))
    });
    // Nobody knows how far off an estimated latency is, so a change of it is no better and no worse.
    Line::new(key(name), [figures::latency(a), figures::latency(b), change], Role::Estimated)
}

/// What labels say of the answers, where there are any, and between what that lies: at every size.
fn quality_lines(applied: &Forecast, tried: &Forecast, figure: u16, look: Look<'_>) -> Vec<Line> {
    if applied.labelled.max(tried.labelled) == 0 {
        let none = key(if figure > 9 { "no labels" } else { "unknown" });
        let line = Line::new(key("quality"), [none, none, Short::new()], Role::Muted);
        return vec![line.styled(look.style(Role::Unknown))];
    }
    let least = applied.labelled.min(tried.labelled);
    let name = short!("quality ({})", counted(least, "label"));
    let (a, b) = (quality(applied), quality(tried));
    let both = a.zip(b);
    let change = both.filter(|(a, b)| a != b).map_or_else(Short::new, |(a, b)| {
        let sign = if b < a { '-' } else { '+' };
        short!("{sign}{}", quality_text((b - a).abs()))
    });
    let role = both.map_or(Role::Muted, |(a, b)| verdict(a, b, Good::More));
    let cells = [a, b].map(|value| format::or_unknown(value, quality_text));
    let mut line = Line::new(name, [cells[0], cells[1], change], role);
    let off = quality_off(applied).max(quality_off(tried));
    if both.is_some_and(|(a, b)| a != b && a.abs_diff(b) as f64 <= off) {
        line.within_error();
    }
    let between = [applied, tried].map(|side| interval_text(quality_between(side), figure));
    let between = Line::new(key("  95 %"), [between[0], between[1], Short::new()], Role::Muted);
    vec![line, between.styled(look.style(Role::Muted))]
}

/// Says whether the chosen threshold is certified, before and after; none where no answer was judged.
fn certificate_line(scene: Scene<'_>, id: RouteId) -> Option<Line> {
    let (snapshot, rung) = (scene.snapshot, scene.snapshot.consequences.rung);
    let standing = &snapshot.proof(id, rung)?.standing;
    figures::certificate(standing)?;
    let at = |policy: &crate::routing::Policy| policy.route(id).ladder.get(rung).map(|rung| rung.threshold);
    let (now, then) = (at(&snapshot.policy)?, at(snapshot.tried())?);
    let is_inside = |threshold| standing.given.is_some_and(|given| threshold >= given.threshold);
    let word = |threshold| key(if is_inside(threshold) { "yes" } else { "no" });
    let change = match standing.given {
        Some(given) => short!("from {}", given.threshold),
        None => short!("{} more", format::count(standing.needed)),
    };
    let role = match (is_inside(now), is_inside(then)) {
        (true, false) => Role::Worse,
        (false, true) => Role::Better,
        _ => Role::Muted,
    };
    Some(Line::new(key("certified (loss 2 %)"), [word(now), word(then), change], role).yielding(1))
}

/// Draws up the table of the chosen route.
fn lines(scene: Scene<'_>, id: RouteId, figure: u16) -> Vec<Line> {
    let snapshot = scene.snapshot;
    let Some(one) = snapshot.consequences.routes.get(id.index()) else { return Vec::new() };
    // What clients pinned costs the same on both sides, and is part of what the route costs.
    let whole = |side: &Forecast| {
        let mut whole = side.clone();
        whole.merge(&one.pinned);
        whole
    };
    let (moved, of_moved) = (&one.applied, &one.staged);
    let (applied, tried) = (&whole(moved), &whole(of_moved));
    let covered = snapshot.log.rated(snapshot.window.covered());
    let mut lines = vec![
        money_line(
            "$ per 1,000 requests",
            (per_thousand(applied), per_thousand(tried)),
            (&applied.cost, &tried.cost),
            |a, b| format::percent_change(a.0, b.0),
        ),
        month_line(
            if covered.is_some() { "$ per month (rate)" } else { "$ per month: no times" },
            [(&applied.cost, applied.requests), (&tried.cost, tried.requests)],
            covered,
        ),
    ];
    let (every_applied, every_tried) = snapshot.consequences.costs();
    let requests = snapshot.consequences.requests();
    let every = [(&every_applied, requests), (&every_tried, requests)];
    let mut all_routes = month_line("  all routes", every, covered);
    // What the estimates' own error covers is no difference that anybody has seen.
    if is_within_error(std::iter::once(one)) {
        lines.iter_mut().for_each(Line::within_error);
    }
    if is_within_error(snapshot.consequences.routes.iter()) {
        all_routes.within_error();
    }
    lines.push(all_routes.yielding(4));
    if one.pinned.requests > 0 {
        let name = short!("  {} pinned, not moved", format::count(one.pinned.requests));
        let cost = figures::amount(Some(one.pinned.cost.total()), &one.pinned.cost);
        lines.push(Line::new(name, [cost, cost, Short::new()], Role::Muted).yielding(1));
    }
    if applied.cost.estimated != Pico::ZERO || tried.cost.estimated != Pico::ZERO {
        let part = |forecast| format::percent(share(forecast), 1000);
        // The error of the change, in the unit of the change above it.
        let by_month = |covered: Span| {
            let error = one.change_error().ratio(i128::from(Span::days(30).0), i128::from(covered.0));
            figures::error(error, scene.look)
        };
        let is_told = applied.cost.total() != tried.cost.total();
        let error = covered.filter(|covered| is_told && *covered >= Span::mins(1)).map(by_month);
        let name = match error {
            Some(_) => short!("  estimated, {} a month", scene.look.glyphs.plus_minus()),
            None => key("  estimated part"),
        };
        let cells = [part(applied), part(tried), error.unwrap_or_default()];
        let line = Line::new(name, cells, Role::Estimated);
        lines.push(line.styled(scene.look.style(Role::Estimated)).yielding(3));
    }
    if applied.cost.unknown + tried.cost.unknown > 0 {
        let (now, then) = (applied.cost.unknown, tried.cost.unknown);
        lines.push(count_line("  of unknown cost", now, then, Good::Neither).yielding(1));
    }
    // What clients asked for starts on no rung.
    let observes = snapshot.policy.route(id).mode == Mode::Observe;
    let ladder = &snapshot.tried().route(id).ladder;
    for (at, rung) in ladder.iter().enumerate() {
        // A fallback is told of where it serves anybody.
        if rung.fallback && moved.placed[at].max(of_moved.placed[at]) == 0 {
            continue;
        }
        let share = |forecast: &Forecast| (forecast.placed[at], forecast.requests);
        let placed = |forecast: &Forecast| format::percent(forecast.placed[at], forecast.requests);
        let now = if observes && moved.placed[at] == 0 { key("-") } else { placed(moved) };
        let change =
            if observes { Short::new() } else { format::points_change(share(moved), share(of_moved)) };
        let name = short!("{:.20} share", rung.name);
        let line = Line::new(name, [now, placed(of_moved), change], Role::Muted);
        lines.push(line.styled(figures::series(scene.look, rung.model)));
    }
    lines.extend(quality_lines(applied, tried, figure, scene.look));
    // What is certified is so by the confidences in force.
    lines.extend(certificate_line(scene, id).filter(|_| snapshot.second.is_none()));
    for (name, cells, role, within) in explored::lines(one, scene.look) {
        let mut line = Line::new(name, cells, role).yielding(2);
        if within {
            line.within_error();
        }
        lines.push(line);
    }
    lines.push(latency_line("p50 latency (est.)", applied, tried, 500).yielding(7));
    lines.push(latency_line("p95 latency (est.)", applied, tried, 950).yielding(2));
    // An answer nobody saw is taken to have failed no check, so fewer of these is no promise: no colour says "better".
    let escalated = count_line("escalated (where seen)", applied.escalated, tried.escalated, Good::Neither);
    lines.push(escalated.yielding(6));
    lines.extend(cascade_line(applied, tried).map(|line| line.yielding(6)));
    lines.push(count_line("failed (where seen)", applied.errors, tried.errors, Good::Neither).yielding(8));
    lines.extend(cache_lines(snapshot));
    lines.extend(budget_lines(snapshot));
    lines
}

/// What changes of model within sessions come to, where what is in force or staged minds prompt caches. All routes, decided in order
/// from the log's start on, so these lines come after the others.
fn cache_lines(snapshot: &Snapshot) -> Vec<Line> {
    let RerunState::Done { switching: Some(both), .. } = &snapshot.rerun else {
        return Vec::new();
    };
    let [applied, tried] = &**both;
    // What is estimated is off by nobody knows how much here: only what the log told is better or worse.
    let is_known = [applied, tried].iter().all(|side| side.cost.estimated == Pico::ZERO);
    let money = |name: &str, a: Pico, b: Pico| {
        let cells = [format::money(a), format::money(b), format::money_change(b - a)];
        let role = if is_known { verdict(a.0, b.0, Good::Less) } else { Role::Estimated };
        Line::new(key(name), cells, role)
    };
    vec![
        money("$ with caches run anew", applied.cost.total(), tried.cost.total()).yielding(1),
        count_line("changes of model", applied.switches, tried.switches, Good::Less).yielding(2),
        money("  warm prompts lost by them", applied.lost, tried.lost).yielding(2),
    ]
}

/// How many of the requests that start below the strongest rung go up, and below which share it pays to start them there.
fn cascade_line(applied: &Forecast, tried: &Forecast) -> Option<Line> {
    let (now, then) = (applied.cascade.rate()?, tried.cascade.rate()?);
    let most = tried.cascade.break_even()?;
    let part = |share: PerMille| format::percent(share.get().into(), 1000);
    let pays = short!("  pays below {}", part(most));
    let role = if then > most { Role::Warn } else { Role::Muted };
    Some(Line::new(pays, [part(now), part(then), Short::new()], role))
}

/// What budgets would have come to: whom they turn away, and when the first that goes another way would have run out. Decided in
/// order from the log's start on, which takes a moment, so these lines come after the others.
fn budget_lines(snapshot: &Snapshot) -> Vec<Line> {
    let mut lines: Vec<Line> = snapshot.limits.iter().map(limit_line).collect();
    let (RerunState::Done { budgets: Some(budgets), .. } | RerunState::Tried(budgets)) = &snapshot.rerun
    else {
        return lines;
    };
    let (refused, moved) = (budgets.refused, budgets.moved);
    let [then, now] = &budgets.came_to;
    if !budgets.rows.is_empty() {
        // The lines above know of no limit.
        let role = if is_known(&then.cost) && is_known(&now.cost) {
            verdict(then.cost.total().0, now.cost.total().0, Good::Less)
        } else {
            Role::Estimated
        };
        let cells = [then, now].map(|side| figures::cost(&side.cost).0);
        let change = format::percent_change(then.cost.total().0, now.cost.total().0);
        let cells = [cells[0], cells[1], change];
        lines.push(Line::new(key("$ all, under budgets"), cells, role).yielding(1));
    }
    // Where a limit is tried, this is the question asked.
    let yields = if snapshot.limits.is_empty() { 4 } else { 1 };
    if !budgets.rows.is_empty() {
        lines.push(count_line("budgets refuse", refused.0, refused.1, Good::Less).yielding(yields));
        lines.push(count_line("budgets move", moved.0, moved.1, Good::Neither).yielding(yields));
        if budgets.waited != (0, 0) {
            let (then, now) = budgets.waited;
            lines.push(count_line("wait for room", then, now, Good::Less).yielding(yields));
        }
    }
    let moment = |at: Option<Instant>| match at {
        Some(at) => key(at.clock().get(..5).unwrap_or_default()),
        None => key("never"),
    };
    let ran_out = |side: Option<TriedSide>| moment(side.and_then(|side| side.ran_out));
    for (nth, row) in (0..).zip(budgets.changed().take(LISTED)) {
        let name = short!("{:.28} runs out", text::clean(&row.name));
        let cells = [ran_out(row.applied), ran_out(row.staged), Short::new()];
        lines.push(Line::new(name, cells, Role::Muted).yielding(yields + nth));
    }
    if let Some((applied, staged)) = budgets.alerts.filter(|both| *both != (0, 0)) {
        let line = count_line("alerts fire", applied as u64, staged as u64, Good::Less);
        lines.push(line.yielding(4));
    }
    for (nth, alert) in (0..).zip(budgets.told.iter().take(LISTED)) {
        let name = short!("  {:.34}", text::clean(&alert.name));
        let [applied, staged] = alert.fired.map(moment);
        let role = if alert.level == Level::Critical { Role::Warn } else { Role::Muted };
        lines.push(Line::new(name, [applied, staged, Short::new()], role).yielding(5 + nth));
    }
    lines
}

/// Says whether a sum has only what the log told.
fn is_known(cost: &CostSum) -> bool {
    cost.estimated == Pico::ZERO && cost.unknown == 0
}

/// Says which limit is tried, beside its amount in force.
fn limit_line(tried: &TriedLimit) -> Line {
    let name = short!("limit {:.28}", text::clean(&tried.aim.name()));
    let cells = [format::money(tried.in_force), format::money(tried.aim.amount), Short::new()];
    Line::new(name, cells, Role::Muted).yielding(1)
}

/// The estimated part of a cost, in thousandths.
fn share(forecast: &Forecast) -> u64 {
    let total = forecast.cost.total().0.max(1);
    u64::try_from(forecast.cost.estimated.0.saturating_mul(1000) / total).unwrap_or(0)
}

fn took(duration: Duration) -> Short {
    match duration.as_micros() {
        micros @ ..1000 => short!("{micros} µs"),
        micros => short!("{}.{} ms", micros / 1000, micros % 1000 / 100),
    }
}

/// Says which figure is shown: the instant one, or the instant one confirmed by deciding every request again.
fn rerun_text(snapshot: &Snapshot) -> (String, Role) {
    match &snapshot.rerun {
        RerunState::Idle | RerunState::Tried(_) if snapshot.staged_remembers() => {
            (format!("before caps, caches, loops, {}", took(snapshot.consequences.took)), Role::Muted)
        }
        RerunState::Idle | RerunState::Tried(_) => {
            (format!("exact sums, {}", took(snapshot.consequences.took)), Role::Muted)
        }
        RerunState::Running { done, total } => {
            (format!("deciding again {} %", done * 100 / (*total).max(1)), Role::Muted)
        }
        RerunState::Done { requests, cost, in_order: true, .. } => (
            format!("{} decided in order: {}", format::count(*requests), format::money(cost.total())),
            Role::Ok,
        ),
        RerunState::Done { agrees: true, .. } if snapshot.consequences.is_joined => {
            ("too many policies: the oldest count as later ones".to_owned(), Role::Warn)
        }
        RerunState::Done { requests, agrees: true, took, .. } => (
            format!("{} decided again in {:.2} s: equal", format::count(*requests), took.as_secs_f64()),
            Role::Ok,
        ),
        RerunState::Done { requests, cost, agrees: false, .. } => (
            format!("{} decided again: {} instead", format::count(*requests), format::money(cost.total())),
            Role::Error,
        ),
    }
}

/// Returns the widths of a figure and of the change.
fn columns(width: u16, ascii: bool) -> (u16, u16) {
    let (figure, change) = match width {
        ..58 => (9, 10),
        58..70 => {
            // `+/-` is longer than its sign.
            let change = 10 + u16::from(ascii);
            (((width - change) * 28 / 100).clamp(13, 16), change)
        }
        _ => (((width - 13) * 29 / 100).clamp(13, 16), 13),
    };
    (figure.min(width), change.min(width))
}

fn draw_row(buf: &mut Buffer, at: Rect, cells: [(&str, Style); 4], look: Look<'_>) {
    let (figure, change) = columns(at.width, look.glyphs.is_ascii());
    let name = at.width.saturating_sub(change + 2 * figure);
    let (first, rest) = paint::split_left(at, name);
    let (second, rest) = paint::split_left(rest, figure);
    let (third, fourth) = paint::split_left(rest, figure);
    look.text(buf, first, cells[0].0, cells[0].1);
    for (at, (words, style)) in [second, third, fourth].into_iter().zip(cells.into_iter().skip(1)) {
        // A blank column keeps neighbours apart, however long they are.
        let (_, at) = paint::split_left(at, 1);
        look.text_right(buf, at, words, style);
    }
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, id: RouteId, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let look = scene.look;
    let route = snapshot.policy.route(id);
    let observes = route.mode == Mode::Observe;
    let title = format!("Consequences · {}{}", route.name, if observes { " · OBSERVE" } else { "" });
    let panel = Panel { title: &title, scope: "", focus: scene.view.focus == 2 };
    let inside = panel.page(area, buf, look);
    let (head, body) = paint::split_top(inside, 1);
    let (body, foot) = paint::split_top(body, body.height.saturating_sub(1));
    let (applied, tried) = (look.style(Role::Applied), look.style(Role::Staged));
    let judged = snapshot.second.as_ref().map(|second| format!("classifier {}", text::clean(second)));
    let turned = match snapshot.tried().route(id).mode {
        mode if mode == route.mode && snapshot.changed_within(id) => "each in its time",
        mode if mode == route.mode => "",
        Mode::Observe => "Enter: observe again",
        _ => "Enter turns it on",
    };
    // A route that observes always has a choice to show: its ladder, against what clients asked for.
    let nothing =
        snapshot.staged.is_none() && snapshot.limits.is_empty() && snapshot.second.is_none() && !observes;
    let tried = if nothing { look.style(Role::Muted) } else { tried };
    let (now, then) = if observes { ("as asked", "if on") } else { ("applied", "staged") };
    let name = judged.as_deref().unwrap_or(turned);
    draw_row(
        buf,
        head,
        [(name, tried), (now, applied), (then, tried), ("change", look.style(Role::Column))],
        look,
    );
    let (figure, change_room) = columns(body.width, look.glyphs.is_ascii());
    let mut lines = lines(scene, id, figure);
    figures::fit(&mut lines, usize::from(body.height), |line| line.yields);
    for (row, line) in (0..body.height).zip(lines) {
        let at = paint::nth_row(body, row);
        let text = look.style(Role::Text);
        let change = match line.within {
            _ if nothing => "",
            true if change_room >= 13 => "within error",
            true => "unclear",
            false => &line.change,
        };
        let staged = if nothing { "" } else { line.staged.as_str() };
        let shown = line.style.unwrap_or(text);
        let name = line.style.unwrap_or(look.style(Role::Muted));
        let change = (change, look.style(line.role));
        draw_row(buf, at, [(&line.name, name), (&line.applied, shown), (staged, shown), change], look);
    }
    let one = snapshot.consequences.routes.get(id.index());
    let flips = snapshot.consequences.flips();
    if nothing {
        let keys =
            if look.glyphs.is_ascii() { "left/right 1, shift 10" } else { "←/→ 1 ‰, shift 10 ‰" };
        let full = format!("move the threshold: {keys}, or type it");
        let fits = text::width(&full) <= usize::from(foot.width);
        let words = if fits { full } else { format!("{keys}, or type a threshold") };
        look.text(buf, foot, &words, Role::Muted);
        return;
    }
    let here = one.map_or(0, |one| one.flips);
    if observes && snapshot.staged.is_none() && snapshot.second.is_none() {
        let requests = format::count(one.map_or(0, |one| one.staged.requests));
        let here = format::count(here);
        let full = format!("{here} of {requests} would go elsewhere; O and Enter turn it on");
        let fits = text::width(&full) <= usize::from(foot.width);
        let words = if fits { full } else { format!("{here} elsewhere; O, Enter turn it on") };
        look.text(buf, foot, &words, Role::Staged);
        return;
    }
    let mut words = counted(here, "flip");
    let (text, role) = rerun_text(snapshot);
    // The verdict is never cut: what else there is to say is said where there is room for it.
    let room = usize::from(foot.width).saturating_sub(text.chars().count() + 2);
    let elsewhere = format!(" ({} in all routes)", format::count(flips));
    for more in [elsewhere.as_str(), ", x lists"] {
        if (flips != here || more != elsewhere) && words.chars().count() + more.chars().count() <= room {
            words.push_str(more);
        }
    }
    let used = look.text(buf, foot, &words, Role::Staged);
    look.text_right(buf, paint::split_left(foot, used + 2).1, &text, role);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_month_there_is_no_change_of_it() {
        let cost = CostSum { known: Pico::USD, unknown: 1, ..CostSum::default() };
        let line = |covered| {
            let mut line = month_line("month", [(&cost, 9), (&cost, 9)], covered);
            line.within_error();
            (line.name.to_string(), line.applied.to_string(), line.change.to_string(), line.within)
        };
        assert_eq!(line(None), ("month +?".into(), "–".into(), String::new(), false));
        let (name, applied, _, within) = line(Some(Span::days(30)));
        assert_eq!((name.as_str(), applied.as_str(), within), ("month +?", "$1.00", true));
    }

    /// "1.000 ±0.980" of one label would be a quality of nearly two, and no interval at all is none at 80 columns.
    #[test]
    fn quality_stands_between_nothing_and_one_at_every_width() {
        let judged = |labelled, quality| Forecast { quality, labelled, ..Forecast::default() };
        let written = |forecast: &Forecast, width| {
            let (figure, _) = columns(width, true);
            let text = interval_text(quality_between(forecast), figure).to_string();
            assert!(text.len() < usize::from(figure), "{width}: {text}");
            text
        };
        assert_eq!(written(&judged(1, 1000), 60), ".207-1.000");
        assert_eq!(written(&judged(1, 1000), 40), ".20-1.00");
        assert_eq!(written(&judged(100, 90_000), 90), ".826-.945");
        assert_eq!(written(&judged(100, 90_000), 40), ".82-.95");
        assert_eq!(written(&judged(1, 0), 40), ".00-.80");
        assert_eq!(written(&judged(0, 0), 40), UNKNOWN);
        let off = quality_off(&judged(1, 1000));
        assert!((793.0..794.0).contains(&off), "{off}");
    }

    #[test]
    fn figures_have_room_for_their_error_and_a_blank_before_them() {
        for width in 58..120 {
            let (figure, change) = columns(width, false);
            assert!(usize::from(figure) > "0.844 ±0.147".chars().count(), "{width}");
            assert!(width - change - 2 * figure >= 20, "{width}: no room for the names");
        }
    }
}
