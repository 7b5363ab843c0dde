//! What is chosen, in full: stages and both sides of a rollout, the course of a limit, the signal of an automation, a plan.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::items::Item;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::table::{Column, Slot, Table, TableState, Width};
use crate::console::{format, paint, text};
use crate::rollout::Plan;
use crate::session::{ArmRow, AutomationRow, RolloutRow, Snapshot, SteerRow};
use crate::units::{Instant, Pico, counted};

/// The columns that names of facts have.
const NAMES: u16 = 14;

/// Facts written one below the other.
struct Page<'a, 'b> {
    scene: Scene<'a>,
    left: Rect,
    buf: &'b mut Buffer,
}

impl Page<'_, '_> {
    /// Writes a name and what is said of it, over as many rows as that takes.
    fn fact(&mut self, name: &str, value: &str, role: Role) {
        let look = self.scene.look;
        let value = text::clean(value);
        let room = usize::from(self.left.width.saturating_sub(NAMES)).max(8);
        for (at, piece) in text::wrap(&value, room).enumerate() {
            let (row, rest) = paint::split_top(self.left, 1);
            self.left = rest;
            let (head, body) = paint::split_left(row, NAMES);
            if at == 0 {
                look.text(self.buf, head, name, Role::Muted);
            }
            look.text(self.buf, body, piece, role);
        }
    }

    fn gap(&mut self) {
        let roomy = u16::from(self.left.height > 6);
        self.left = paint::split_top(self.left, roomy).1;
    }
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, item: &Item<'_>, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let scope = match item {
        Item::Rollout(row) => format!("since {} UTC, begun by {}", minute(snapshot, row.since), row.by),
        Item::Steering(row) => match (row.at, row.ends) {
            (Some(at), Some(ends)) => {
                format!("seen {} UTC, ends {}", minute(snapshot, at), ends.date())
            }
            _ => String::new(),
        },
        Item::Automation(row) => {
            row.since.map(|at| format!("since {} UTC", minute(snapshot, at))).unwrap_or_default()
        }
        Item::Plan(..) => "not begun".to_owned(),
    };
    let title = format!("{} {}", item.kind(), text::clean(item.name()));
    let left = figures::page(scene, 1, &title, &text::clean(&scope), area, buf);
    let page = Page { scene, left, buf };
    match item {
        Item::Rollout(row) => rollout(page, row),
        Item::Steering(row) => steering(page, row),
        Item::Automation(row) => automation(page, row),
        Item::Plan(plan, slip) => planned(page, plan, slip.as_deref()),
    }
}

fn rollout(mut page: Page<'_, '_>, row: &RolloutRow) {
    page.fact("changes", &format!("{}, on route {}", row.change, row.route), Role::Text);
    stages(&mut page, row);
    if !row.is_open() {
        let role = if row.phase == "done" { Role::Ok } else { Role::Warn };
        page.fact("over", &row.phase, role);
        if !row.why.is_empty() {
            page.fact("why", &row.why, Role::Text);
        }
        return;
    }
    if row.phase == "held" {
        page.fact(
            "held",
            "no step comes by itself; r lets it go on, evidence may still take it back",
            Role::Warn,
        );
    }
    page.gap();
    let (at, rest) = paint::split_top(page.left, 3);
    page.left = rest;
    sides(page.scene, row, at, page.buf);
    page.gap();
    let next = row.stages.get(row.stage).map_or_else(|| "the end".to_owned(), |next| format!("{next}‰"));
    if row.lacks.is_empty() {
        page.fact(&next, "lacks nothing, and comes with the next look", Role::Ok);
    }
    for (at, lack) in row.lacks.iter().enumerate() {
        let name = if at == 0 { format!("{next} lacks") } else { String::new() };
        page.fact(&name, lack, Role::Text);
    }
}

/// Writes the shares of all stages, with those behind and the present one told apart.
fn stages(page: &mut Page<'_, '_>, row: &RolloutRow) {
    let look = page.scene.look;
    let (line, rest) = paint::split_top(page.left, 1);
    page.left = rest;
    let (head, mut body) = paint::split_left(line, NAMES);
    look.text(page.buf, head, "stages", Role::Muted);
    for (at, share) in row.stages.iter().enumerate() {
        let (sign, role) = match (at + 1).cmp(&row.stage) {
            std::cmp::Ordering::Less => (look.glyphs.state.2, Role::Ok),
            std::cmp::Ordering::Equal if row.is_open() => (look.glyphs.chosen, Role::Accent),
            _ => (' ', Role::Muted),
        };
        let mut words = format!("{sign}{share}");
        if at + 1 == row.stages.len() {
            words.push_str(" ‰ of sessions");
        }
        let used = look.text(page.buf, body, words.trim_start(), role);
        body = paint::split_left(body, used.saturating_add(3)).1;
    }
}

const SIDES: [Column<'static>; 7] = [
    Column::left("", Width::Fixed(13), 0),
    Column::right("requests", 8, 0),
    Column::right("$ per 1,000", 11, 0),
    Column::right("failed", 6, 0),
    Column::right("escalated", 9, 2),
    Column::right("mean", 8, 1),
    Column::right("quality, labels", 22, 0),
];

/// Draws both sides in the stage; what the canary is only estimated at bears the mark.
fn sides(scene: Scene<'_>, row: &RolloutRow, area: Rect, buf: &mut Buffer) {
    let state = TableState::default();
    let table = Table { columns: &SIDES, rows: 2, sorted: None, state, focus: false };
    table.render(area, buf, scene.look, |buf, slot| {
        let (name, arm, is_canary) =
            if slot.row == 0 { ("canary", &row.canary, true) } else { ("route beside", &row.base, false) };
        side(name, arm, is_canary && row.estimated, slot, buf);
    });
}

fn side(name: &str, arm: &ArmRow, is_estimated: bool, slot: Slot<'_>, buf: &mut Buffer) {
    let absent = || slot.look.glyphs.absent.to_string();
    let mark = if is_estimated { "~" } else { "" };
    let role = if is_estimated { Role::Estimated } else { Role::Text };
    let permille = |share: Option<u64>| share.map_or_else(absent, |share| format!("{mark}{share}‰"));
    match slot.column {
        0 => slot.say(buf, name, Role::Muted),
        1 => slot.say(buf, &format::count_short(arm.requests), Role::Text),
        2 => {
            let usd = arm.usd_per_thousand.as_ref().map(|usd| {
                let told = Pico::from_usd(usd);
                told.map_or_else(|_| usd.clone(), |usd| format!("{mark}{}", format::money(usd)))
            });
            slot.say(buf, &usd.unwrap_or_else(absent), role);
        }
        3 => slot.say(buf, &permille(arm.failed), role),
        4 => slot.say(buf, &permille(arm.escalated), role),
        5 => {
            let mean = arm.mean_ms.map_or_else(absent, |ms| format!("{mark}{}", figures::millis(ms)));
            slot.say(buf, &mean, role);
        }
        _ => {
            let quality = arm.quality.zip(arm.quality_within).map(|(quality, (low, high))| {
                format!("{quality}‰ ({low}–{high}), {}", format::count_short(arm.judged))
            });
            slot.say(buf, &quality.unwrap_or_else(|| "no labels".to_owned()), Role::Text);
        }
    }
}

fn steering(mut page: Page<'_, '_>, row: &SteerRow) {
    let role =
        if matches!(row.heading.as_str(), "out of reach" | "too slow") { Role::Warn } else { Role::Text };
    let money =
        |usd: &str| Pico::from_usd(usd).map_or_else(|_| usd.to_owned(), |usd| format::money(usd).to_string());
    page.fact("heading", &row.heading, role);
    if !row.limit_usd.is_empty() {
        let aim = format!(
            "{} of {}, aimed at {}‰ of it",
            money(&row.spent_usd),
            money(&row.limit_usd),
            row.aim_permille
        );
        page.fact("spent", &aim, Role::Text);
    }
    if let Some(expected) = row.expected_requests {
        page.fact("expected", &format!("{} until it ends", counted(expected, "request")), Role::Text);
    }
    let costs = [
        ("now", &row.now_per_1000_usd, "for a thousand requests"),
        ("would last", &row.wanted_per_1000_usd, "for a thousand requests"),
        (
            "proposed",
            &row.best_per_1000_usd,
            "for a thousand requests, at the best thresholds that are allowed",
        ),
    ];
    for (name, usd, words) in costs {
        if let Some(usd) = usd {
            page.fact(name, &format!("~{} {words}", money(usd)), Role::Estimated);
        }
    }
    let routes = if row.routes.is_empty() { "all routes".to_owned() } else { row.routes.join(", ") };
    let within = if row.certified { ", within their certificates" } else { "" };
    page.fact("moves", &format!("{routes}{within}"), Role::Text);
    page.gap();
    let who = if row.acts { "it moves them itself" } else { "a accepts what is proposed" };
    match row.moves.as_slice() {
        [] => page.fact("thresholds", "none is to be moved", Role::Muted),
        moves => {
            for (at, one) in moves.iter().enumerate() {
                let name = if at == 0 { "thresholds" } else { "" };
                let words = format!("{} {} from {} to {} ‰", one.route, one.rung, one.from, one.to);
                page.fact(name, &words, Role::Staged);
            }
            page.fact("", who, Role::Muted);
        }
    }
}

fn automation(mut page: Page<'_, '_>, row: &AutomationRow) {
    let mode = if row.acts { "it acts by itself" } else { "a dry run: it only proposes" };
    page.fact("mode", mode, if row.acts { Role::Text } else { Role::Muted });
    // A gateway of before tells no sentence.
    let signal = if row.told.is_empty() { &row.signal } else { &row.told };
    page.fact("signal", signal, Role::Text);
    let says = if row.is_on { "on" } else { "off" };
    page.fact("bounds", &format!("on from {}, off from {}; {says} now", row.on, row.off), Role::Text);
    let does = if row.acts { "start" } else { "would start" };
    let words = format!("{}‰ of {}‰ of route {} {does} on {}", row.share, row.most, row.route, row.to);
    page.fact("shift", &words, if row.share > 0 { Role::Accent } else { Role::Text });
    let since = row.since.map(|at| minute(page.scene.snapshot, at));
    let since = since.map_or_else(|| "never".to_owned(), |at| format!("{at} UTC"));
    page.fact("last changed", &since, Role::Text);
    if !row.refused.is_empty() {
        page.fact("refused", &row.refused, Role::Warn);
    }
}

fn planned(mut page: Page<'_, '_>, plan: &Plan, slip: Option<&str>) {
    page.fact("changes", &format!("{}, on route {}", plan.change.words(), plan.route), Role::Text);
    let shares: Vec<String> = plan.stages.iter().map(|share| share.get().to_string()).collect();
    page.fact("stages", &format!("{} ‰ of sessions", shares.join(", ")), Role::Text);
    let needs = &plan.needs;
    let labels = match needs.labels {
        0 => "no labels".to_owned(),
        many => counted(many, "label"),
    };
    let words = format!("{}, {labels} and {} in each", counted(needs.requests, "request"), needs.dwell);
    page.fact("needs", &words, Role::Text);
    let cost = i64::from(needs.cost) - 1000;
    let words = format!("cost {cost:+}‰, failures +{}‰; else it is taken back by itself", needs.errors.get());
    page.fact("at most", &words, Role::Text);
    page.gap();
    match slip {
        Some(why) => page.fact("", &format!("it cannot begin: {}", text::clean(why)), Role::Warn),
        None => page.fact("", "S starts it", Role::Muted),
    }
}

/// Returns the hour and minute of a moment, with the day before it where the log spans several.
fn minute(snapshot: &Snapshot, at: Instant) -> String {
    let told = figures::moment(snapshot, at);
    told.rsplit_once(':').map_or_else(|| told.to_string(), |(minute, _)| minute.to_owned())
}
