//! How pairs came out, who judged them, and how far models that judge agree with people.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::answers::{Row, share, sources};
use crate::console::format;
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures::{self, List};
use crate::console::theme::Role;
use crate::session::{Quality, Shadowed};

fn outcomes(quality: &Quality) -> List {
    let mut out = List::default();
    let verdicts = &quality.verdicts;
    let all = quality.diagram.n();
    let of = |count| format!("{}  {}", format::count(count), format::percent(count, all));
    out.put("both acceptable", of(verdicts.both), Role::Text);
    out.put("only the strong one: lost", of(verdicts.only_strong), Role::Worse);
    out.put("only the cheap one", of(verdicts.only_cheap), Role::Better);
    out.put("neither", of(verdicts.neither), Role::Muted);
    out
}

fn agreement(quality: &Quality, shadowed: &Shadowed) -> List {
    let of = &quality.agreement;
    let mut out = List::default();
    out.put("cheap answers", sources(&quality.cheap), Role::Text);
    out.put("strong answers", sources(&quality.strong), Role::Text);
    if shadowed.calls > 0 {
        let (cost, role) = figures::cost(&shadowed.cost);
        let calls = figures::plural(shadowed.calls, "call");
        out.put("shadow runs, all routes", format!("{calls}, {cost}"), role);
    }
    if of.n() == 0 {
        out.put("judge and people", "no answer judged by both", Role::Muted);
        return out;
    }
    let alike = format::percent(of.alike(), of.n());
    out.put("judge and people agree", format!("{alike} of {}", format::count(of.n())), Role::Text);
    match of.kappa() {
        Some(kappa) => {
            let role = if kappa.low > 0.4 { Role::Ok } else { Role::Warn };
            let sign = if kappa.value < 0.0 { "-" } else { "" };
            let low = if kappa.low < 0.0 { "-" } else { "" };
            let words = format!(
                "{sign}{} ({low}{} to {})",
                share(kappa.value.abs()),
                share(kappa.low.abs()),
                share(kappa.high)
            );
            out.put("beyond chance (kappa)", words, role);
        }
        None => out.put("beyond chance (kappa)", "one always says the same", Role::Unknown),
    }
    let wrong = format!("--judge {}/{}", of.only_first(), of.n());
    out.put("bad answers it called good", wrong, Role::Text);
    out
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, row: &Row<'_>, area: Rect, buf: &mut Buffer) {
    let inner = paint::margin(figures::frame(scene, 3, "Pairs and judges", "", area, buf));
    let Some(proof) = row.proof else {
        figures::nothing(scene, "choose a rung with a threshold", inner, buf);
        return;
    };
    let below = outcomes(&proof.quality).draw(scene, inner, buf);
    agreement(&proof.quality, &scene.snapshot.log.shadowed).draw(scene, below, buf);
}
