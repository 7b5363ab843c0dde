//! One request: what was seen, how it was served, how the policy routes it and why.
//!
//! Invariant: everything shown comes from [`explain`], so this view, the table and `pointsman why` agree.

mod page;
mod ruler;

use std::cell::Cell;
use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(in crate::console) use page::{Line, wrapped};
pub(in crate::console) use ruler::ruler;

use self::page::side_by_side;
use super::traffic::{self, status_role};
use crate::console::action::Action;
use crate::console::glyphs::Glyphs;
use crate::console::screen::{Ask, Asks, Do, FiguresOf, Scene, Screen, View};
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::scrollbar;
use crate::console::{format, paint, text};
use crate::outcome::{Attempt, Operation};
use crate::pricing::{Cost, bill_lines};
use crate::routing::{Check, ConfidenceSource, Policy, decide};
use crate::session::{Explanation, Reading, Snapshot, cost_text, cost_text_of, explain, tokens_text};
use crate::units::Pico;

/// From this width on, what belongs together stands side by side.
const WIDE: u16 = 110;
/// Columns of a label.
const LABEL: usize = 12;

/// Which request, and how far it is scrolled.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Its index in the log.
    pub index: usize,
    /// Lines scrolled away.
    pub scroll: usize,
    /// How far the last drawing could be scrolled, and its page.
    room: Cell<(usize, usize)>,
}

impl State {
    /// Looks at a request from its top.
    pub fn of(index: usize) -> Self {
        Self { index, ..Self::default() }
    }

    /// Shows another request in the same place.
    pub fn show(&mut self, index: usize) {
        (self.index, self.scroll) = (index, 0);
    }
}

impl Screen for State {
    fn figures_of(&self) -> FiguresOf {
        FiguresOf::Played
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        let (snapshot, look) = (scene.snapshot, scene.look);
        let policy = snapshot.policy_at(self.index);
        let id = snapshot.log.history.id(self.index);
        let title = format!("Request {id}");
        let scope = format!("policy {} v{}", policy.name, policy.version);
        let inner = Panel { title: &title, scope: &scope, focus: true }.page(area, buf, look);
        let bar = u16::from(inner.width > 4);
        let body = Rect { width: inner.width.saturating_sub(2 * bar), ..inner };
        let lines = lines(snapshot, self.index, body.width, look.glyphs);
        let visible = usize::from(body.height);
        let most = lines.len().saturating_sub(visible);
        self.room.set((most, visible));
        let scroll = self.scroll.min(most);
        for (row, line) in (0..body.height).zip(lines.iter().skip(scroll)) {
            line.draw(paint::nth_row(body, row), buf, look);
        }
        if bar == 1 && most > 0 {
            let at = Rect { x: inner.right() - 1, width: 1, ..inner };
            scrollbar(buf, at, scroll, visible, lines.len(), look);
        }
    }

    fn act(&mut self, _: View, action: Action, snapshot: &Snapshot) -> Asks {
        let (most, page) = self.room.get();
        let scroll = self.scroll.min(most);
        let page = page.saturating_sub(1).max(1);
        self.scroll = match action {
            Action::Up => scroll.saturating_sub(1),
            Action::Down => (scroll + 1).min(most),
            Action::PageUp => scroll.saturating_sub(page),
            Action::PageDown => scroll.saturating_add(page).min(most),
            Action::First => 0,
            Action::Last => most,
            _ => scroll,
        };
        match action {
            Action::Close | Action::Back => vec![Ask::Close],
            Action::CopyRow => {
                let row = traffic::row_text(self.index, snapshot);
                row.map(|row| Ask::Do(Do::Copy(row))).into_iter().collect()
            }
            Action::NextRequest => vec![Ask::Neighbour(1)],
            Action::PreviousRequest => vec![Ask::Neighbour(-1)],
            _ => Asks::new(),
        }
    }
}

/// What the blocks are made from.
struct Page<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    operation: &'a Operation,
    found: Explanation,
    glyphs: &'a Glyphs,
}

fn lines(snapshot: &Snapshot, index: usize, width: u16, glyphs: &Glyphs) -> Vec<Line> {
    let policy = snapshot.policy_at(index);
    let log = &snapshot.log;
    let (Some(found), Some(operation)) = (explain(log, index, policy), log.history.get(index)) else {
        return vec![Line::default().with("there is no such request in the log", Role::Warn)];
    };
    let page = Page { snapshot, policy, operation: &operation, found, glyphs };
    let columns = usize::from(width);
    let mut all = Vec::new();
    if index >= snapshot.head {
        all.push(Line::default().with("not played yet at this moment", Role::Warn));
        all.push(Line::default());
    }
    if width >= WIDE {
        let middle = columns / 2 + 1;
        let half = middle.saturating_sub(2);
        let mut left = page.facts(half);
        left.extend(page.features(half));
        let mut right = page.reasons(half);
        right.extend(page.staged(half));
        all.extend(side_by_side(left, right, middle));
        all.push(Line::default());
        all.extend(side_by_side(
            page.outcome(Reading::Recorded, half),
            page.outcome(Reading::Routed, half),
            middle,
        ));
        all.extend(page.candidates(columns));
    } else {
        all.extend(page.reasons(columns));
        all.extend(page.staged(columns));
        all.push(Line::default());
        let (first, second) = match snapshot.reading {
            Reading::Recorded => (Reading::Recorded, Reading::Routed),
            Reading::Routed => (Reading::Routed, Reading::Recorded),
        };
        all.extend(page.outcome(first, columns));
        all.push(Line::default());
        all.extend(page.outcome(second, columns));
        all.extend(page.candidates(columns));
        all.push(Line::default());
        all.extend(page.facts(columns));
        all.extend(page.features(columns));
    }
    all
}

fn heading(words: &str) -> Line {
    Line::default().with(words, Role::Title)
}

impl Page<'_> {
    fn facts(&self, columns: usize) -> Vec<Line> {
        let mut lines = vec![heading("Facts")];
        for (name, value) in &self.found.facts {
            let role = match *name {
                "SIMULATED" => Role::Simulated,
                "error" => Role::Error,
                _ if value == "-" => Role::Unknown,
                _ => Role::Text,
            };
            lines.extend(wrapped(name, value, LABEL, columns, (Role::Muted, role)));
        }
        lines
    }

    /// The features behind a confidence, as bars to both sides of a line.
    fn features(&self, columns: usize) -> Vec<Line> {
        const HALF: usize = 8;
        let mut lines = vec![Line::default(), heading("What the classifier saw")];
        let found = &self.found.features;
        if found.is_empty() {
            let why = match self.operation.source {
                ConfidenceSource::Recorded => "nothing: the confidence is the log's own",
                ConfidenceSource::None => "no signal: neither text nor measures to go by",
                _ => "no single feature stands out",
            };
            lines.push(Line::default().with(why, Role::Muted));
            return lines;
        }
        let largest = found.iter().map(|(_, weight)| weight.unsigned_abs()).max().unwrap_or(1).max(1);
        let label = columns.saturating_sub(2 * HALF + 9).clamp(8, 28);
        let full = self.glyphs.right.last().copied().unwrap_or('#');
        for (name, weight) in found {
            let size = usize::from(weight.unsigned_abs());
            let long = (size * HALF).div_ceil(usize::from(largest)).min(HALF);
            let bar: String = std::iter::repeat_n(full, long).collect();
            let axis = self.glyphs.line.1.to_string();
            let start = label + 1;
            let line = Line::default().with(&text::truncate(name, label), Role::Text);
            let line = if *weight < 0 {
                line.right(&bar, start + HALF, Role::Series2).with(&axis, Role::ChartAxis)
            } else {
                line.to(start + HALF).with(&axis, Role::ChartAxis).with(&bar, Role::Series1)
            };
            let number = figures::weight(*weight);
            lines.push(line.right(&number, start + 2 * HALF + 7, Role::Text));
        }
        lines.push(Line::default().with("right: the small model will do; in logits", Role::Muted));
        lines
    }

    /// The reason trail and the place of the confidence among the thresholds.
    fn reasons(&self, columns: usize) -> Vec<Line> {
        let route = self.policy.route(self.found.route);
        let mut lines =
            vec![heading(&format!("Why, by policy {} v{}", self.policy.name, self.policy.version))];
        for (stage, words) in &self.found.trail {
            lines.extend(wrapped(stage, words, LABEL, columns, (Role::Muted, Role::Text)));
        }
        let staged = self.snapshot.staged.as_ref().filter(|staged| staged.same_shape(self.policy));
        let staged = staged.and_then(|staged| staged.routes.get(self.found.route.index()));
        let drawn =
            ruler(route, staged, self.operation.confidence(), columns.saturating_sub(2).min(80), self.glyphs);
        if route.ladder.len() > 1 && !drawn.is_empty() {
            lines.push(Line::default());
            lines.extend(drawn);
        }
        lines
    }

    /// Where the staged policy would send it.
    fn staged(&self, columns: usize) -> Vec<Line> {
        let Some(staged) = &self.snapshot.staged else { return Vec::new() };
        let names = &self.snapshot.log.names;
        let signals = self.operation.signals_by(&self.snapshot.log.prices);
        let circumstance = self.snapshot.log.circumstances.get(self.operation.circumstance);
        let decided = |policy| decide(policy, &signals, circumstance);
        let (now, then) = (decided(self.policy), decided(staged));
        let rung = |policy: &Policy, route, rung: u8| {
            let ladder = &policy.route(route).ladder;
            ladder.get(usize::from(rung)).map_or_else(String::new, |rung| {
                let model = names.model(rung.model);
                if *rung.name == *model { model.to_owned() } else { format!("{} ({model})", rung.name) }
            })
        };
        let to = rung(staged, then.route, then.rung);
        if (now.rung, now.model) == (then.rung, then.model) {
            let words = format!("the same rung: {to}");
            return wrapped("staged", &words, LABEL, columns, (Role::Staged, Role::Muted));
        }
        let outcome = self.snapshot.settled_as_tried(self.found.index).unwrap_or_default();
        let from = rung(self.policy, now.route, now.rung);
        let cost = figures::one_cost(outcome.cost).0;
        let mut words = format!("would go to {to} instead of {from}: {cost}");
        if let (Some(before), Some(after)) = (self.found.routed.cost.amount(), outcome.cost.amount()) {
            let mut spread = outcome.spread();
            spread.add(self.found.routed.spread());
            let is_within = figures::difference(after - before, Some(spread.half_width())).1;
            let within = if is_within { ", within error" } else { "" };
            let _ = write!(words, ", {} against this policy{within}", format::money_change(after - before));
        }
        wrapped("staged", &words, LABEL, columns, (Role::Staged, Role::Staged))
    }

    /// What each rung of the ladder makes of it by itself: its call as seen, or as estimated.
    fn candidates(&self, columns: usize) -> Vec<Line> {
        let names = &self.snapshot.log.names;
        let rungs = &self.found.candidates;
        if rungs.is_empty() {
            return Vec::new();
        }
        let widest =
            |words: &mut dyn Iterator<Item = usize>, least: usize| words.max().unwrap_or(0).max(least);
        let name = 2 + widest(&mut rungs.iter().map(|rung| text::width(&rung.name)), 4).min(16);
        let model = widest(&mut rungs.iter().map(|rung| text::width(names.model(rung.alone.model))), 5);
        let costs: Vec<_> = rungs.iter().map(|rung| figures::one_cost(rung.alone.cost)).collect();
        let cost = widest(&mut costs.iter().map(|(cost, _)| text::width(cost)), 4);
        let model = model.min(columns.saturating_sub(name + cost + 32).max(8));
        let from = name + 2 + model + 2 + 4;
        let (cost, latency) = (from + 2 + cost, from + 2 + cost + 2 + 8);
        let quality = latency + 2 + 7;
        let mut lines = vec![
            Line::default(),
            heading("Each rung by itself"),
            Line::default()
                .to(2)
                .with("rung", Role::Muted)
                .to(name + 2)
                .with("model", Role::Muted)
                .right("from", from, Role::Muted)
                .right("cost", cost, Role::Muted)
                .right("latency", latency, Role::Muted)
                .right("quality", quality, Role::Muted),
        ];
        for (rung, (words, cost_role)) in rungs.iter().zip(costs) {
            let shown = if rung.is_chosen { self.glyphs.point.0.to_string() } else { String::new() };
            let role = if rung.is_chosen { Role::Accent } else { Role::Text };
            let (time, time_role) = figures::one_latency(rung.alone.latency, rung.alone.observed);
            let threshold = rung.threshold.map_or_else(|| "spare".to_owned(), |from| from.to_string());
            let label = rung.quality.map_or_else(|| "-".to_owned(), |quality| format!("{quality}‰"));
            let line = Line::default()
                .with(&shown, Role::Accent)
                .to(2)
                .with(&text::truncate(&rung.name, name - 2), role)
                .to(name + 2)
                .with(&text::truncate(names.model(rung.alone.model), model), Role::Text)
                .right(&threshold, from, Role::Muted)
                .right(&words, cost, cost_role)
                .right(&time, latency, time_role)
                .right(&label, quality, if rung.quality.is_some() { Role::Observed } else { Role::Unknown });
            let note = if rung.is_closed { "  kept from it" } else { "" };
            lines.push(line.with(note, Role::Warn));
        }
        lines
    }

    /// Every call of a reading with what it is charged, and the sums.
    fn outcome(&self, reading: Reading, columns: usize) -> Vec<Line> {
        let settled = match reading {
            Reading::Recorded => &self.found.recorded,
            Reading::Routed => &self.found.routed,
        };
        let title = match reading {
            Reading::Recorded => "As recorded".to_owned(),
            Reading::Routed => format!("As routed by v{}", self.policy.version),
        };
        let shown = if reading == self.snapshot.reading { " · this reading" } else { "" };
        let mut lines = vec![heading(&title).with(shown, Role::Muted)];
        for (at, attempt) in settled.attempts.iter().enumerate() {
            lines.extend(self.call(at, attempt, columns));
        }
        let total = |name: &str, words: &str, role: Role| {
            Line::default().with(name, Role::Muted).to(LABEL).with(words, role)
        };
        lines.push(total("total", &cost_text(settled.cost), figures::one_cost(settled.cost).1));
        let (latency, role) = figures::one_latency(settled.latency, !settled.estimated);
        lines.push(total("latency", &latency, role));
        let log = &self.snapshot.log;
        let baseline = log.names.model(self.policy.baseline);
        let words = cost_text_of(settled.baseline, self.policy.baseline, self.operation.at, log);
        lines.push(
            total("baseline", &words, figures::one_cost(settled.baseline).1)
                .with(&format!("  all on {baseline}"), Role::Muted),
        );
        // How long the baseline's answer would have been, nobody knows.
        lines.push(change("vs baseline", (settled.cost, settled.baseline), None));
        if reading == Reading::Routed {
            let error = Some(settled.spread().half_width());
            lines.push(change("vs recorded", (settled.cost, self.found.recorded.cost), error));
        }
        lines
    }

    fn call(&self, at: usize, attempt: &Attempt, columns: usize) -> Vec<Line> {
        let log = &self.snapshot.log;
        let (latency, role) = figures::one_latency(attempt.latency, attempt.observed);
        let check = match attempt.check {
            Check::None => "",
            Check::Passed => "  check passed",
            Check::Failed => "  check failed",
        };
        let (basis, basis_role) =
            if attempt.observed { ("  observed", Role::Muted) } else { ("  estimated", Role::Estimated) };
        let status = attempt.status.name().replace('_', " ");
        let mut lines = vec![
            Line::default()
                .with(&format!("{} ", at + 1), Role::Muted)
                .with(log.names.model(attempt.model), Role::Text)
                .with("  ", Role::Text)
                .with(&status, status_role(attempt.status, attempt.observed))
                .with("  ", Role::Text)
                .with(&latency, role)
                .with(check, if attempt.check == Check::Failed { Role::Warn } else { Role::Ok })
                .with(basis, basis_role),
        ];
        let figure = figures::one_cost(attempt.cost).1;
        // Another service tier, a meter, another model billed, a charge of the past: the lines would not add up.
        let billed = bill_lines(&attempt.usage, log.prices.rates(attempt.model, self.operation.at))
            .filter(|lines| Some(lines.iter().map(|line| line.amount).sum()) == attempt.cost.amount());
        match (attempt.cost, billed) {
            (Cost::Unknown(why), _) => {
                let words = format!("cost unknown: {}", why.text());
                lines.extend(wrapped("  ", &words, 2, columns, (Role::Text, Role::Unknown)));
                lines.push(Line::default().with("  ", Role::Text).with(&tokens_text(attempt), Role::Muted));
            }
            (_, Some(billed)) => {
                if billed.is_empty() {
                    lines.push(Line::default().with("  no tokens, nothing charged", Role::Muted));
                }
                for line in &billed {
                    lines.push(
                        Line::default()
                            .with("  ", Role::Text)
                            .with(line.bucket, Role::Muted)
                            .right(&format::count(line.tokens), 26, figure)
                            .with(" x $", Role::Muted)
                            .with(&line.price.usd_per_million(), Role::Muted)
                            .with("/M", Role::Muted)
                            .to(38)
                            .with(" = ", Role::Muted)
                            .with(&format!("${}", line.amount), figure),
                    );
                }
                if billed.iter().any(|line| line.bucket.ends_with('*')) {
                    lines.push(Line::default().with("  * no price of its own, billed as input", Role::Muted));
                }
            }
            (cost, None) => {
                lines.push(Line::default().with("  ", Role::Text).with(&tokens_text(attempt), Role::Muted));
                lines.push(Line::default().with("  ", Role::Text).with(&cost_text(cost), figure));
            }
        }
        lines
    }
}

/// Compares a cost with another, where it is known how far off the difference may be: less is better; nothing is compared with what
/// nobody knows.
fn change(name: &str, (cost, with): (Cost, Cost), error: Option<Pico>) -> Line {
    let line = Line::default().with(name, Role::Muted).to(LABEL);
    let (Some(cost), Some(with)) = (cost.amount(), with.amount()) else {
        return line.with("unknown", Role::Unknown);
    };
    let difference = cost - with;
    let (role, is_within) = figures::difference(difference, error);
    let percent = format::percent_change(with.0, cost.0);
    let within = if is_within { "  within error" } else { "" };
    line.with(&format!("{}  {percent}{within}", format::money_change(difference)), role)
}
