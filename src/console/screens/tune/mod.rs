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
mod explored;
mod routes;

use std::fmt::Write as _;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::screen::{Ask, Asks, FiguresOf, Pointer, Scene, Screen, View};
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::histogram::{self, Histogram, Marker, MarkerKind};
use crate::console::widgets::panel::Panel;
use crate::console::{format, paint, text};
use crate::routing::{Policy, Route, RouteId};
use crate::session::{Command, Snapshot};
use crate::units::{PerMille, counted};

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The chosen route.
    pub route: usize,
    /// The chosen rung.
    pub rung: usize,
    /// What was typed of a number so far.
    pub typed: String,
    /// Whether the mouse holds the marker.
    pub dragging: bool,
    /// Whether a threshold was chosen; until then the busiest route's is.
    pub picked: bool,
    /// The policy that was to be applied although it leaves what is certified: applied when it is asked for once more.
    pub confirming: Option<Arc<Policy>>,
}

/// Returns the route with the most requests in the window among those that have a threshold; the first of equals.
fn busiest(snapshot: &Snapshot) -> usize {
    let requests = |at: usize| snapshot.consequences.routes.get(at).map_or(0, |one| one.applied.requests);
    let routes = snapshot.policy.routes.iter().enumerate().filter(|(_, route)| !route.movable().is_empty());
    routes.map(|(at, _)| at).rev().max_by_key(|&at| requests(at)).unwrap_or(0)
}

impl State {
    /// Returns the chosen route and rung, kept inside the policy.
    pub fn chosen(&self, policy: &Policy) -> (RouteId, usize) {
        let route = self.route.min(policy.routes.len().saturating_sub(1));
        let movable = policy.routes.get(route).map_or(0..0, Route::movable);
        let most = movable.end.saturating_sub(1);
        (RouteId(u8::try_from(route).unwrap_or(0)), self.rung.clamp(movable.start.min(most), most))
    }
}

/// Where the panels lie: routes, confidence, consequences, curve, changes.
fn layout(area: Rect) -> [Rect; 5] {
    let none = Rect { width: 0, height: 0, ..area };
    let narrow = area.width < 100;
    let upper = if area.height < 20 { area.height / 2 } else { (area.height * 3 / 7).max(9) };
    let (top, bottom) = paint::split_top(area, upper);
    let (routes, confidence) = paint::split_left(top, if narrow { 26 } else { 34 });
    if narrow {
        let (left, curve) = paint::split_left(bottom, 54.min(area.width));
        let has_curve = curve.width >= 20;
        let (consequences, curve) = if has_curve { (left, curve) } else { (bottom, none) };
        return [routes, confidence, consequences, curve, none];
    }
    let wide = area.width >= 150;
    let (consequences, rest) = paint::split_left(bottom, if wide { area.width * 2 / 5 } else { 64 });
    // Without room at the side, the changes stand below the curve, where there is height for both.
    let (curve, changes) = match rest.height {
        _ if wide => paint::split_left(rest, rest.width * 3 / 5),
        16.. => paint::split_top(rest, rest.height - 6),
        _ => (rest, none),
    };
    [routes, confidence, consequences, curve, changes]
}

fn confidence_area(view: View, area: Rect) -> Rect {
    if view.zoomed && view.focus == 1 { area } else { layout(area)[1] }
}

fn draw_confidence(scene: Scene<'_>, (id, rung): (RouteId, usize), area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let route = snapshot.policy.route(id);
    let tried = snapshot.tried().route(id);
    let consequences = snapshot.consequences.routes.get(id.index());
    let requests = consequences.map_or(0, |one| one.applied.requests);
    let unsure = consequences.map_or(0, |one| one.unsure);
    let mut scope = counted(requests, "request");
    if unsure > 0 {
        let _ = write!(scope, " · {} without confidence", format::count(u64::from(unsure)));
    }
    if let Some(words) = snapshot.proof(id, rung).and_then(|proof| figures::certificate(&proof.standing)) {
        // What may be done is said first, where there is no room for both.
        let room = usize::from(area.width).saturating_sub(text::width(&route.name) + 20);
        let both = format!("{words} · {scope}");
        scope = if text::width(&both) <= room { both } else { words };
    }
    let title = format!("Confidence · {}", route.name);
    let panel = Panel { title: &title, scope: &scope, focus: scene.view.focus == 1 };
    let inside = panel.page(area, buf, scene.look);
    let Some(consequences) = consequences else { return };
    if requests == 0 {
        return figures::nothing(scene, "no requests of this route in the window", inside, buf);
    }
    let segments = figures::segments(scene, tried);
    let mut markers = Vec::new();
    let thresholds = route.placing_thresholds().zip(tried.placing_thresholds());
    for (at, (now, then)) in (route.movable().start..).zip(thresholds) {
        markers.push(Marker { at: now, kind: MarkerKind::Applied, chosen: at == rung && now == then });
        if now != then {
            markers.push(Marker { at: then, kind: MarkerKind::Staged, chosen: at == rung });
        }
    }
    let certified = snapshot.certified(id, rung);
    let histogram =
        Histogram { bins: &consequences.histogram, segments: &segments, markers: &markers, certified };
    histogram.render(inside, buf, scene.look);
}

fn draw_changes(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let scope = match snapshot.undoable {
        0 => "none to undo".to_owned(),
        count => format!("u undoes · {count}"),
    };
    let panel = Panel { title: "Changes", scope: &scope, focus: scene.view.focus == 4 };
    let inside = panel.page(area, buf, scene.look);
    let look = scene.look;
    if snapshot.changes.is_empty() {
        look.text(buf, paint::nth_row(inside, 0), "no change yet; Enter applies what is staged", Role::Muted);
        return;
    }
    let mut below = inside;
    let clock = if figures::spans_days(snapshot) { 15 } else { 9 };
    for change in snapshot.changes.iter().rev() {
        if below.height == 0 {
            break;
        }
        let who = if change.who.is_empty() { String::new() } else { format!("{}: ", change.who) };
        let words = format!("{who}{}", change.what);
        let words = text::clean(&words);
        // The reason stands at the end, so a change takes as many rows as it needs.
        let wide = usize::from(below.width.saturating_sub(4 + clock)).max(8);
        let rows = u16::try_from(text::wrap(&words, wide).count()).unwrap_or(1).max(1);
        let (at, rest) = paint::split_top(below, rows);
        let (version, at) = paint::split_left(at, 4);
        let (time, what) = paint::split_left(at, clock);
        look.text(buf, version, &format!("v{}", change.version), Role::Applied);
        look.text(buf, time, &figures::moment(snapshot, change.at), Role::Muted);
        look.wrapped(buf, what, &words, Role::Text);
        below = rest;
    }
}

const REFUSED: &str = "read-only: thresholds cannot be moved";

impl State {
    fn nudge(&self, by: i32, snapshot: &Snapshot) -> Asks {
        let (route, rung) = self.chosen(&snapshot.policy);
        vec![Ask::Send(Command::Nudge(route, rung, by))]
    }

    fn commit(&mut self, snapshot: &Snapshot) -> Asks {
        let (route, rung) = self.chosen(&snapshot.policy);
        let set = |value| Ask::Send(Command::SetThreshold(route, rung, value));
        let ask = self.threshold().map_or_else(Ask::Refuse, set);
        self.typed.clear();
        vec![ask]
    }

    /// What is typed is a threshold as a whole or not at all.
    fn threshold(&self) -> Result<PerMille, String> {
        let typed = &self.typed;
        let words =
            || format!("{typed} is no threshold, 0 to 1000; Esc clears it; a aims: -20%, $900, q .97");
        typed.parse().ok().and_then(PerMille::new).ok_or_else(words)
    }

    /// Goes along all thresholds of all routes, so that one key reaches every one of them.
    fn step_rung(&mut self, snapshot: &Snapshot, forward: bool) -> Asks {
        let policy = &snapshot.policy;
        // A route without a threshold is come by all the same.
        let rungs = |route: &Route| {
            let movable = route.movable();
            if movable.is_empty() { 0..1 } else { movable }
        };
        let routes = policy.routes.iter().enumerate();
        let places: Vec<(usize, usize)> =
            routes.flat_map(|(at, route)| rungs(route).map(move |rung| (at, rung))).collect();
        let (route, rung) = self.chosen(policy);
        let now = places.iter().position(|&place| place == (route.index(), rung)).unwrap_or(0);
        let next = if forward { (now + 1) % places.len() } else { (now + places.len() - 1) % places.len() };
        self.choose(places[next].0, places[next].1, snapshot)
    }

    fn step_route(&mut self, snapshot: &Snapshot, by: isize) -> Asks {
        let count = snapshot.policy.routes.len().max(1);
        let (route, _) = self.chosen(&snapshot.policy);
        let next = (route.index() + count).saturating_add_signed(by) % count;
        self.choose(next, 0, snapshot)
    }

    /// Chooses a threshold and tells the session which curve is wanted.
    fn choose(&mut self, route: usize, rung: usize, snapshot: &Snapshot) -> Asks {
        (self.route, self.rung, self.picked) = (route, rung, true);
        self.typed.clear();
        let (route, rung) = self.chosen(&snapshot.policy);
        vec![Ask::Send(Command::Focus(route, rung))]
    }

    /// Applies what is staged; what leaves a certificate has to be asked for twice.
    fn apply(&mut self, snapshot: &Snapshot) -> Asks {
        let confirmed = self.confirming.take();
        let left = snapshot.uncertified();
        let (Some((route, rung, from)), Some(staged)) = (left.first(), &snapshot.staged) else {
            return vec![Ask::Send(Command::Apply)];
        };
        if confirmed.is_some_and(|confirmed| confirmed == *staged) {
            return vec![Ask::Send(Command::Apply)];
        }
        self.confirming = Some(Arc::clone(staged));
        let route = staged.route(*route);
        let rung = route.ladder.get(*rung).map_or("", |rung| &rung.name);
        let more = match left.len() {
            1 => String::new(),
            more => format!(" and {} more", more - 1),
        };
        vec![Ask::Refuse(format!(
            "{} {rung}{more} would leave what is certified, from {from} up: Enter once more applies it all the same",
            route.name
        ))]
    }
}

impl Screen for State {
    /// Routes, confidence, consequences, curve, changes.
    fn panels(&self) -> usize {
        5
    }

    fn figures_of(&self) -> FiguresOf {
        FiguresOf::WhatIf
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        let chosen = self.chosen(&scene.snapshot.policy);
        let draw_panel = |panel: usize, at: Rect, buf: &mut Buffer| match panel {
            0 => routes::draw(scene, chosen, &self.typed, at, buf),
            1 => draw_confidence(scene, chosen, at, buf),
            2 => consequences::draw(scene, chosen.0, at, buf),
            3 => curve::draw(scene, chosen, at, buf),
            _ => draw_changes(scene, at, buf),
        };
        if scene.view.zoomed {
            draw_panel(scene.view.focus, area, buf);
            return;
        }
        for (panel, at) in layout(area).into_iter().enumerate() {
            draw_panel(panel, at, buf);
        }
    }

    fn act(&mut self, view: View, action: Action, snapshot: &Snapshot) -> Asks {
        let changes_policy = matches!(
            action,
            Action::NudgeDown
                | Action::NudgeUp
                | Action::NudgeDownTen
                | Action::NudgeUpTen
                | Action::Apply
                | Action::Aim
                | Action::Undo
                | Action::TurnOn
        );
        if view.read_only && changes_policy {
            return vec![Ask::Refuse("read-only: the policy cannot be changed".to_owned())];
        }
        match action {
            Action::NudgeDown => self.nudge(-1, snapshot),
            Action::NudgeUp => self.nudge(1, snapshot),
            Action::NudgeDownTen => self.nudge(-10, snapshot),
            Action::NudgeUpTen => self.nudge(10, snapshot),
            Action::RungNext => self.step_rung(snapshot, true),
            Action::RungPrevious => self.step_rung(snapshot, false),
            Action::RouteNext => self.step_route(snapshot, 1),
            Action::RoutePrevious => self.step_route(snapshot, -1),
            Action::Apply if !self.typed.is_empty() => self.commit(snapshot),
            Action::Apply => self.apply(snapshot),
            Action::Aim => vec![Ask::Aim(String::new())],
            Action::Drop if !self.typed.is_empty() => {
                self.typed.clear();
                Asks::new()
            }
            Action::Drop if snapshot.staged.is_some() || !snapshot.limits.is_empty() => {
                vec![Ask::Send(Command::Stage(None))]
            }
            Action::Drop if snapshot.second.is_some() => vec![Ask::Send(Command::StageClassifier)],
            Action::StageClassifier => vec![Ask::Send(Command::StageClassifier)],
            Action::Drop => vec![Ask::Back],
            Action::TurnOn => vec![Ask::Send(Command::TurnOn(self.chosen(&snapshot.policy).0))],
            Action::Undo => vec![Ask::Send(Command::Undo)],
            Action::Flipped if snapshot.staged.is_none() && snapshot.second.is_none() => {
                vec![Ask::Refuse("nothing is staged: move a threshold first".to_owned())]
            }
            Action::Flipped => vec![Ask::ListFlips],
            _ => Asks::new(),
        }
    }

    /// A press on a marker or the bars takes the nearest threshold, a drag moves it.
    fn point(&mut self, view: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let places = layout(area);
        let confidence = confidence_area(*view, area);
        let inside = paint::margin(Panel::inner(confidence));
        match pointer {
            Pointer::Press(x, y) if confidence.contains((x, y).into()) => {
                view.focus = 1;
                let Some(at) = histogram::hit(inside, x) else { return Asks::new() };
                if view.read_only {
                    return vec![Ask::Refuse(REFUSED.to_owned())];
                }
                let (route, _) = self.chosen(&snapshot.policy);
                let tried = snapshot.tried().route(route);
                let far = |rung: &usize| tried.ladder[*rung].threshold.get().abs_diff(at.get());
                let Some(rung) = tried.movable().min_by_key(far) else { return Asks::new() };
                self.dragging = true;
                self.choose(route.index(), rung, snapshot)
            }
            Pointer::Drag(x, _) if self.dragging => {
                let x = x.clamp(inside.left(), inside.right().saturating_sub(1).max(inside.left()));
                let (route, rung) = self.chosen(&snapshot.policy);
                let at = histogram::hit(inside, x);
                at.map(|at| Ask::Send(Command::SetThreshold(route, rung, at))).into_iter().collect()
            }
            Pointer::Release(..) => {
                self.dragging = false;
                Asks::new()
            }
            Pointer::Wheel(x, y, by) if confidence.contains((x, y).into()) && !view.read_only => {
                self.nudge(-i32::from(by), snapshot)
            }
            Pointer::Press(x, y) if !view.zoomed => {
                view.focus = places.iter().position(|at| at.contains((x, y).into())).unwrap_or(view.focus);
                let row = routes::hit(snapshot, Panel::inner(places[0]), y)
                    .filter(|_| places[0].contains((x, y).into()));
                row.map_or_else(Asks::new, |(route, rung)| self.choose(route, rung, snapshot))
            }
            _ => Asks::new(),
        }
    }

    fn types_digits(&self) -> bool {
        true
    }

    /// Enter stages the number typed, and Enter again applies it.
    fn digit(&mut self, view: View, digit: char) -> Asks {
        if view.read_only {
            return vec![Ask::Refuse(REFUSED.to_owned())];
        }
        // Signs of an aim begin one; within a number every sign stays, so that Enter takes no part of what was typed.
        match digit {
            '-' | '+' | '$' if self.typed.is_empty() => return vec![Ask::Aim(digit.to_string())],
            sign if self.typed.is_empty() && !sign.is_ascii_digit() => return Asks::new(),
            sign => self.typed.push(sign),
        }
        self.threshold().err().map(Ask::Refuse).into_iter().collect()
    }

    /// The curve drawn here is of the threshold chosen here.
    fn shown(&mut self, snapshot: &Snapshot) -> Option<Command> {
        if !self.picked {
            self.route = busiest(snapshot);
        }
        let (route, rung) = self.chosen(&snapshot.policy);
        Some(Command::Focus(route, rung))
    }
}
