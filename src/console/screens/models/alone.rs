//! What the window would have cost with one model alone, beside the policy, and what nobody knows of that.
//!
//! The model may be any that the price book has, whether or not the traffic ever saw it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::screen::Scene;
use crate::console::screens::figures::{self, List};
use crate::console::theme::Role;
use crate::console::{format, text};
use crate::session::{AllOn, Reading, Snapshot, all_on};
use crate::units::{Instant, Pico};

/// A model that was asked about, and the answer.
#[derive(Clone, Debug)]
pub(super) struct Alone {
    pub(super) name: String,
    pub(super) at: Instant,
    figures: AllOn,
}

impl Alone {
    /// Works it out; none where nobody knows the model.
    pub(super) fn of(name: &str, snapshot: &Snapshot) -> Option<Self> {
        let figures = all_on(snapshot, name)?;
        Some(Self { name: name.to_owned(), at: snapshot.clock, figures })
    }
}

/// Columns beyond which names and their figures stand too far apart.
const WIDEST: u16 = 60;

/// Returns the models that a typed piece may mean: those that begin with it first.
pub fn named_like(piece: &str, snapshot: &Snapshot) -> Vec<String> {
    let piece = piece.trim().to_lowercase();
    let log = &snapshot.log;
    let known = log.catalog.models.keys().map(String::as_str);
    let seen = snapshot.to_date.models.iter().zip(log.names.models());
    let seen = seen.filter(|(cell, _)| !cell.is_empty()).map(|(_, name)| &**name);
    let mut found: Vec<(bool, &str)> = seen
        .chain(known)
        .filter_map(|name| name.to_lowercase().find(&piece).map(|at| (at > 0, name)))
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|(_, name)| text::clean(name).into_owned()).collect()
}

/// Draws the panel of a model that is none of the table's.
pub(super) fn draw_panel(scene: Scene<'_>, asked: &Alone, area: Rect, buf: &mut Buffer) {
    let title = format!("All on {}", text::clean(&asked.name));
    let scope = format!("window to {}", figures::moment(scene.snapshot, asked.at));
    let inner = figures::page(scene, 1, &title, &scope, area, buf);
    let inside = Rect { width: inner.width.min(WIDEST), ..inner };
    let lines = lines(scene, &asked.figures, usize::from(inside.width));
    lines.draw(scene, inside, buf);
}

/// Draws the figures where they were asked for, and returns what is left below them.
pub(super) fn draw(scene: Scene<'_>, asked: Option<&Alone>, at: Rect, buf: &mut Buffer) -> Rect {
    let Some(Alone { name, at: moment, figures: all }) = asked else { return at };
    let moment = figures::moment(scene.snapshot, *moment);
    let name = text::clean(name);
    let title = format!("All on {name} {} window to {moment}", scene.look.glyphs.dot);
    let brief = format!("All on {name} to {moment}");
    let title = if text::width(&title) <= usize::from(at.width) { title } else { brief };
    let at = figures::heading(scene, &title, at, buf);
    lines(scene, all, usize::from(at.width)).draw(scene, at, buf)
}

fn lines(scene: Scene<'_>, all: &AllOn, room: usize) -> List {
    let mut out = List::default();
    let of = |count| format!("{} of {}", format::count_short(count), format::count_short(all.requests));
    let reading = match scene.snapshot.reading {
        Reading::Recorded => "the recorded tokens on it",
        Reading::Routed => "the routed tokens on it",
    };
    let (same, role) = figures::cost(&all.same_tokens);
    match all.compared {
        0 => out.put(reading, "unknown", Role::Unknown),
        _ => out.put(reading, format!("{same}"), role),
    }
    if all.compared > 0 && all.compared < all.requests {
        out.put("  compared", of(all.compared), Role::Muted);
    }
    let (cost, role) = figures::cost(&all.cost);
    let error = all.cost_error();
    let estimated = all.cost.estimated != Pico::ZERO;
    let sign = scene.look.glyphs.plus_minus();
    let bar = if estimated { format!(" {sign}{}", format::money(error)) } else { String::new() };
    out.put("its own answers", format!("{cost}{bar}"), role);
    if all.cost.unknown > 0 {
        let requests = figures::plural(all.cost.unknown, "request");
        out.put("  of unknown cost", requests, Role::Warn);
    }
    let (policy, _) = scene.snapshot.consequences.costs();
    let (policy_cost, role) = figures::cost(&policy);
    out.put("the policy, routed", policy_cost, role);
    if all.cost.unknown == 0 && policy.unknown == 0 && policy.total() > Pico::ZERO {
        let change = all.cost.total() - policy.total();
        let percent = format::percent_change(policy.total().0, all.cost.total().0);
        // A difference inside its error tells nothing.
        let (role, is_within) = figures::difference(change, Some(error));
        let within = if is_within { " within its error" } else { "" };
        let key = "  difference";
        let full = format!("{}  {percent}{within}", format::money_change(change));
        let brief = || format!("{percent}{within}");
        let fits = text::width(&full) + key.len() < room;
        out.put(key, if fits { full } else { brief() }, role);
    }
    out.put("never seen with it", of(all.estimated), Role::Estimated);
    match all.quality.checked_div(all.labelled) {
        None => out.put("its quality", "unknown: no labels", Role::Unknown),
        Some(mean) => {
            out.put(
                "its quality",
                format!("{}.{:03}  {}", mean / 1000, mean % 1000, of(all.labelled)),
                Role::Text,
            );
        }
    }
    if all.longer > 0 {
        out.put("beyond its longest", of(all.longer), Role::Warn);
    }
    out
}
