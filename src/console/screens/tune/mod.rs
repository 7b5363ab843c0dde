//! Tune: move a threshold and see at once what it costs and buys.
//!
//! ```text
//! ╭ Routes ──────────────────────╮╭ Confidence · extraction ────────────────── last 15m · 12,408 requests ╮
//! │   route          rung   thr  ││                                            ▂▅▇█▇▅▂                    │
//! │ ▸ extraction     flash  588* ││        ▁▂▄▅██▆▄▂▁      ▁▂▂▁       ▁▁▂▃▄▄▅▆▇▇████▆▃▁                   │
//! │                  4.1    180  ││ ◀─ opus ──▶▲◀────── gpt-4.1 ─────▶△▲◀─────── flash ─────────────────▶ │
//! ╰──────────────────────────────╯╰──────────────────────────────────────────────────────────────────────╯
//! ╭ Consequences ────────── exact ╮╭ Cost against threshold ─────╮╭ Changes ────────────────────────────╮
//! │            applied   staged   ││                             ││ v2 14:03:22 extraction · flash …     │
//! ╰───────────────────────────────╯╰─────────────────────────────╯╰─────────────────────────────────────╯
//! ```

mod consequences;
mod curve;
mod routes;

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::format::{self, Short};
use crate::console::paint;
use crate::console::screens::figures;
use crate::console::text;
use crate::console::theme::Role;
use crate::console::ui::{Ask, Asks, Pointer, Scene, Ui};
use crate::console::widgets::histogram::{self, Histogram, Marker, MarkerKind, Segment};
use crate::console::widgets::panel::Panel;
use crate::routing::{MAX_RUNGS, Policy, RouteId};
use crate::session::{Command, Snapshot};
use crate::units::{ModelId, PerMille, counted};

/// Panels that can be given the keys: routes, confidence, consequences, curve, changes.
pub const PANELS: usize = 5;

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The chosen route.
    pub route: usize,
    /// The chosen rung.
    pub rung: usize,
    /// Digits typed so far.
    pub typed: String,
    /// Whether the mouse holds the marker.
    pub dragging: bool,
    /// Whether a threshold was chosen; until then the busiest route's is.
    pub picked: bool,
}

/// Returns the route with the most requests in the window among those that have a threshold; the first of equals.
pub fn busiest(snapshot: &Snapshot) -> usize {
    let requests = |at: usize| snapshot.consequences.routes.get(at).map_or(0, |one| one.applied.requests);
    let routes = snapshot.policy.routes.iter().enumerate().filter(|(_, route)| route.ladder.len() > 1);
    routes.map(|(at, _)| at).rev().max_by_key(|&at| requests(at)).unwrap_or(0)
}

impl State {
    /// Returns the chosen route and rung, kept inside the policy.
    pub fn chosen(&self, policy: &Policy) -> (RouteId, usize) {
        let route = self.route.min(policy.routes.len().saturating_sub(1));
        let most = policy.routes.get(route).map_or(0, |route| route.ladder.len().saturating_sub(2));
        (RouteId(u8::try_from(route).unwrap_or(0)), self.rung.min(most))
    }
}

/// The policy being looked at: the staged one where there is one.
pub(super) fn staged(snapshot: &Snapshot) -> &Policy {
    snapshot.staged.as_deref().unwrap_or(&snapshot.policy)
}

/// Where the panels lie.
struct Layout {
    routes: Rect,
    confidence: Rect,
    consequences: Rect,
    curve: Rect,
    changes: Rect,
}

fn layout(area: Rect) -> Layout {
    let none = Rect { width: 0, height: 0, ..area };
    let narrow = area.width < 100;
    let upper = if area.height < 20 { area.height / 2 } else { (area.height * 9 / 20).max(9) };
    let (top, bottom) = paint::split_top(area, upper);
    let left = if narrow { 26 } else { 34 };
    let (routes, confidence) = paint::split_left(top, left);
    if narrow {
        let (consequences, curve) = paint::split_left(bottom, 54.min(area.width));
        let curve = if curve.width < 20 { none } else { curve };
        let consequences = if curve.width == 0 { bottom } else { consequences };
        return Layout { routes, confidence, consequences, curve, changes: none };
    }
    let wide = area.width >= 150;
    let (consequences, rest) = paint::split_left(bottom, if wide { area.width * 2 / 5 } else { 64 });
    if wide {
        let (curve, changes) = paint::split_left(rest, rest.width * 3 / 5);
        return Layout { routes, confidence, consequences, curve, changes };
    }
    // Without room at the side, the changes stand below the curve, where there is height for both.
    let (curve, changes) =
        if rest.height >= 16 { paint::split_top(rest, rest.height - 6) } else { (rest, none) };
    Layout { routes, confidence, consequences, curve, changes }
}

/// Draws the screen.
pub fn draw(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let parts = layout(area);
    let draw_one = |panel: usize, at: Rect, buf: &mut Buffer| match panel {
        0 => routes::draw(scene, at, buf),
        1 => draw_confidence(scene, at, buf),
        2 => consequences::draw(scene, at, buf),
        3 => curve::draw(scene, at, buf),
        _ => draw_changes(scene, at, buf),
    };
    if scene.ui.zoomed {
        draw_one(scene.ui.focus, area, buf);
        return;
    }
    for (panel, at) in [parts.routes, parts.confidence, parts.consequences, parts.curve, parts.changes]
        .into_iter()
        .enumerate()
    {
        draw_one(panel, at, buf);
    }
}

fn confidence_area(ui: &Ui, area: Rect) -> Rect {
    if ui.zoomed && ui.focus == 1 { area } else { layout(area).confidence }
}

/// Returns the bars' place, for drawing and for the mouse alike.
fn bars(inside: Rect) -> Rect {
    Rect { x: inside.x + 1.min(inside.width), width: inside.width.saturating_sub(2), ..inside }
}

fn draw_confidence(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let (id, rung) = scene.ui.tune.chosen(&snapshot.policy);
    let route = snapshot.policy.route(id);
    let tried = staged(snapshot).route(id);
    let consequences = snapshot.consequences.routes.get(id.index());
    let requests = consequences.map_or(0, |one| one.applied.requests);
    let unsure = consequences.map_or(0, |one| one.unsure);
    let mut scope = counted(requests, "request");
    if unsure > 0 {
        let _ = write!(scope, " · {} without confidence", format::count(u64::from(unsure)));
    }
    let title = format!("Confidence · {}", route.name);
    let panel = Panel { title: &title, scope: &scope, focus: scene.ui.focus == 1 };
    let inside = bars(panel.render(area, buf, scene.look));
    let Some(consequences) = consequences else { return };
    if requests == 0 {
        figures::nothing(scene, "no requests of this route in the window", inside, buf);
        return;
    }
    // Segments run in order of confidence: the last rung first.
    let mut segments = arrayvec::ArrayVec::<Segment<'_>, MAX_RUNGS>::new();
    for step in tried.ladder.iter().rev() {
        segments.push(Segment {
            from: step.threshold,
            name: &step.name,
            style: scene.look.theme.series(model_series(step.model)),
        });
    }
    let mut markers = arrayvec::ArrayVec::<Marker, { MAX_RUNGS * 2 }>::new();
    for (at, (now, then)) in route.thresholds().into_iter().zip(tried.thresholds()).enumerate() {
        markers.push(Marker { at: now, kind: MarkerKind::Applied, chosen: at == rung && now == then });
        if now != then {
            markers.push(Marker { at: then, kind: MarkerKind::Staged, chosen: at == rung });
        }
    }
    let histogram = Histogram { bins: &consequences.histogram, segments: &segments, markers: &markers };
    histogram.render(inside, buf, scene.look);
}

/// The colour of a model, the same on every screen.
pub(super) fn model_series(model: ModelId) -> usize {
    model.index().unwrap_or(0)
}

fn draw_changes(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let scope = if snapshot.undoable == 0 {
        "none to undo".to_owned()
    } else {
        format!("u undoes · {}", snapshot.undoable)
    };
    let panel = Panel { title: "Changes", scope: &scope, focus: scene.ui.focus == 4 };
    let inside = paint::margin(panel.render(area, buf, scene.look));
    let look = scene.look;
    if snapshot.changes.is_empty() {
        paint::text(
            buf,
            paint::nth_row(inside, 0),
            "no change yet; Enter applies what is staged",
            look.style(Role::Muted),
            look.glyphs.cut,
        );
        return;
    }
    for (row, change) in (0..inside.height).zip(snapshot.changes.iter().rev()) {
        let at = paint::nth_row(inside, row);
        let (version, rest) = paint::split_left(at, 4);
        let (time, what) = paint::split_left(rest, 9);
        paint::text(
            buf,
            version,
            &format!("v{}", change.version),
            look.style(Role::Applied),
            look.glyphs.cut,
        );
        paint::text(buf, time, &change.at.clock(), look.style(Role::Muted), look.glyphs.cut);
        let who = if change.who.is_empty() { String::new() } else { format!("{}: ", change.who) };
        let words = format!("{who}{}", change.what);
        paint::text(buf, what, &text::clean(&words), look.style(Role::Text), look.glyphs.cut);
    }
}

/// Takes a digit; Enter stages the number, and Enter again applies it.
pub fn digit(ui: &mut Ui, digit: char) -> Asks {
    if ui.read_only {
        return vec![Ask::Refuse("read-only: thresholds cannot be moved".to_owned())];
    }
    if !digit.is_ascii_digit() {
        return Asks::new();
    }
    // A digit that cannot be taken is told at once; it would be missing from what is refused later.
    if ui.tune.typed.len() >= 4 {
        return vec![Ask::Refuse(format!("{}{digit} is outside 0 to 1000; Esc clears it", ui.tune.typed))];
    }
    ui.tune.typed.push(digit);
    Asks::new()
}

fn commit(ui: &mut Ui, snapshot: &Snapshot) -> Asks {
    let typed = std::mem::take(&mut ui.tune.typed);
    let (route, rung) = ui.tune.chosen(&snapshot.policy);
    match typed.parse::<u16>().ok().and_then(PerMille::new) {
        Some(value) => vec![Ask::Send(Command::SetThreshold(route, rung, value))],
        None => vec![Ask::Refuse(format!("{typed} is outside 0 to 1000"))],
    }
}

/// Takes an action.
pub fn act(ui: &mut Ui, action: Action, snapshot: &Snapshot) -> Asks {
    let (route, rung) = ui.tune.chosen(&snapshot.policy);
    let changes_policy = matches!(
        action,
        Action::NudgeDown
            | Action::NudgeUp
            | Action::NudgeDownTen
            | Action::NudgeUpTen
            | Action::Apply
            | Action::Undo
            | Action::TurnOn
    );
    if ui.read_only && changes_policy {
        return vec![Ask::Refuse("read-only: the policy cannot be changed".to_owned())];
    }
    let nudge = |by| vec![Ask::Send(Command::Nudge(route, rung, by))];
    match action {
        Action::NudgeDown => nudge(-1),
        Action::NudgeUp => nudge(1),
        Action::NudgeDownTen => nudge(-10),
        Action::NudgeUpTen => nudge(10),
        Action::RungNext => step_rung(ui, snapshot, true),
        Action::RungPrevious => step_rung(ui, snapshot, false),
        Action::RouteNext => step_route(ui, snapshot, 1),
        Action::RoutePrevious => step_route(ui, snapshot, -1),
        Action::Apply if !ui.tune.typed.is_empty() => commit(ui, snapshot),
        Action::Apply => vec![Ask::Send(Command::Apply)],
        Action::Drop if !ui.tune.typed.is_empty() => {
            ui.tune.typed.clear();
            Asks::new()
        }
        Action::Drop if snapshot.staged.is_some() => vec![Ask::Send(Command::Stage(None))],
        Action::Drop => vec![Ask::Back],
        Action::TurnOn => vec![Ask::Send(Command::TurnOn(route))],
        Action::Undo => vec![Ask::Send(Command::Undo)],
        Action::Flipped if snapshot.staged.is_none() => {
            vec![Ask::Refuse("nothing is staged: move a threshold first".to_owned())]
        }
        Action::Flipped => vec![Ask::ListFlips],
        _ => Asks::new(),
    }
}

/// Goes along all thresholds of all routes, so that one key reaches every one of them.
fn step_rung(ui: &mut Ui, snapshot: &Snapshot, forward: bool) -> Asks {
    let policy = &snapshot.policy;
    let places: Vec<(usize, usize)> = policy
        .routes
        .iter()
        .enumerate()
        .flat_map(|(at, route)| (0..route.ladder.len().saturating_sub(1).max(1)).map(move |rung| (at, rung)))
        .collect();
    let (route, rung) = ui.tune.chosen(policy);
    let now = places.iter().position(|&place| place == (route.index(), rung)).unwrap_or(0);
    let next = if forward { (now + 1) % places.len() } else { (now + places.len() - 1) % places.len() };
    choose(ui, places[next].0, places[next].1, snapshot)
}

fn step_route(ui: &mut Ui, snapshot: &Snapshot, by: isize) -> Asks {
    let count = snapshot.policy.routes.len().max(1);
    let (route, _) = ui.tune.chosen(&snapshot.policy);
    let next = (route.index() + count).saturating_add_signed(by) % count;
    choose(ui, next, 0, snapshot)
}

/// Chooses a threshold and tells the session which curve is wanted.
pub fn choose(ui: &mut Ui, route: usize, rung: usize, snapshot: &Snapshot) -> Asks {
    ui.tune.route = route;
    ui.tune.rung = rung;
    ui.tune.picked = true;
    ui.tune.typed.clear();
    let (route, rung) = ui.tune.chosen(&snapshot.policy);
    vec![Ask::Send(Command::Focus(route, rung))]
}

/// Takes the mouse: a press on a marker or the bars takes the nearest threshold, a drag moves it.
pub fn point(ui: &mut Ui, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
    let parts = layout(area);
    let confidence = confidence_area(ui, area);
    let inside = bars(Panel::inner(confidence));
    match pointer {
        Pointer::Press(x, y) if confidence.contains((x, y).into()) => {
            ui.focus = 1;
            let Some(at) = histogram::hit(inside, x) else { return Asks::new() };
            if ui.read_only {
                return vec![Ask::Refuse("read-only: thresholds cannot be moved".to_owned())];
            }
            let (route, _) = ui.tune.chosen(&snapshot.policy);
            let thresholds = staged(snapshot).route(route).thresholds();
            let nearest = (0..thresholds.len()).min_by_key(|&rung| thresholds[rung].get().abs_diff(at.get()));
            let Some(rung) = nearest else { return Asks::new() };
            ui.tune.dragging = true;
            choose(ui, route.index(), rung, snapshot)
        }
        Pointer::Drag(x, _) if ui.tune.dragging => {
            let x = x.clamp(inside.left(), inside.right().saturating_sub(1).max(inside.left()));
            let (route, rung) = ui.tune.chosen(&snapshot.policy);
            histogram::hit(inside, x)
                .map_or_else(Asks::new, |at| vec![Ask::Send(Command::SetThreshold(route, rung, at))])
        }
        Pointer::Release(..) => {
            ui.tune.dragging = false;
            Asks::new()
        }
        Pointer::Wheel(x, y, by) if confidence.contains((x, y).into()) && !ui.read_only => {
            let (route, rung) = ui.tune.chosen(&snapshot.policy);
            vec![Ask::Send(Command::Nudge(route, rung, -i32::from(by)))]
        }
        Pointer::Press(x, y) if parts.routes.contains((x, y).into()) && !ui.zoomed => {
            ui.focus = 0;
            routes::hit(snapshot, Panel::inner(parts.routes), y)
                .map_or_else(Asks::new, |(route, rung)| choose(ui, route, rung, snapshot))
        }
        Pointer::Press(x, y) if !ui.zoomed => {
            let rest = [(2, parts.consequences), (3, parts.curve), (4, parts.changes)];
            if let Some((panel, _)) = rest.into_iter().find(|(_, at)| at.contains((x, y).into())) {
                ui.focus = panel;
            }
            Asks::new()
        }
        _ => Asks::new(),
    }
}

/// Writes a threshold, with what is being typed in its place.
pub(super) fn threshold_text(state: &State, chosen: bool, value: PerMille) -> Short {
    let mut text = Short::new();
    if chosen && !state.typed.is_empty() {
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{}_", state.typed));
    } else {
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!("{value}"));
    }
    text
}
