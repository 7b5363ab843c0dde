//! How pairs came out, who judged them, and how far models that judge agree with people.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::answers::{Row, share, sources};
use crate::calibration::Agreement;
use crate::console::format;
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures::{self, Line, List, line};
use crate::console::theme::Role;
use crate::session::{Quality, Shadowed};

fn outcomes(quality: &Quality) -> List {
    let mut out = List::new();
    let verdicts = &quality.verdicts;
    let all = quality.diagram.n();
    let mut put = |key, count: u64, role| {
        let words = line(format_args!("{}  {}", format::count(count), format::percent(count, all)));
        let _ = out.try_push((key, words, role));
    };
    put("both acceptable", verdicts.both, Role::Text);
    put("only the strong one: lost", verdicts.only_strong, Role::Worse);
    put("only the cheap one", verdicts.only_cheap, Role::Better);
    put("neither", verdicts.neither, Role::Muted);
    out
}

fn agreement(quality: &Quality, of: &Agreement, shadowed: &Shadowed) -> List {
    let mut out = List::new();
    let mut put = |key, value: Line, role| {
        let _ = out.try_push((key, value, role));
    };
    put("cheap answers", sources(&quality.cheap), Role::Text);
    put("strong answers", sources(&quality.strong), Role::Text);
    if shadowed.calls > 0 {
        let (cost, role) = figures::cost(&shadowed.cost);
        let calls = figures::plural(shadowed.calls, "call");
        put("shadow runs, all routes", line(format_args!("{calls}, {cost}")), role);
    }
    if of.n() == 0 {
        put("judge and people", line(format_args!("no answer judged by both")), Role::Muted);
        return out;
    }
    let alike = format::percent(of.alike(), of.n());
    put("judge and people agree", line(format_args!("{alike} of {}", format::count(of.n()))), Role::Text);
    match of.kappa() {
        Some(kappa) => {
            let role = if kappa.low > 0.4 { Role::Ok } else { Role::Warn };
            let sign = if kappa.value < 0.0 { "-" } else { "" };
            let low = if kappa.low < 0.0 { "-" } else { "" };
            let words = line(format_args!(
                "{sign}{} ({low}{} to {})",
                share(kappa.value.abs()),
                share(kappa.low.abs()),
                share(kappa.high)
            ));
            put("beyond chance (kappa)", words, role);
        }
        None => put("beyond chance (kappa)", line(format_args!("one always says the same")), Role::Unknown),
    }
    let wrong = line(format_args!("--judge {}/{}", of.only_first(), of.n()));
    put("bad answers it called good", wrong, Role::Text);
    out
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, row: &Row<'_>, area: Rect, buf: &mut Buffer) {
    let inner = paint::margin(figures::frame(scene, 3, "Pairs and judges", "", area, buf));
    let Some(proof) = row.proof else {
        figures::nothing(scene, "choose a rung with a threshold", inner, buf);
        return;
    };
    let below = figures::list(scene, &outcomes(&proof.quality), inner, buf);
    figures::list(
        scene,
        &agreement(&proof.quality, &proof.quality.agreement, &scene.snapshot.log.shadowed),
        below,
        buf,
    );
}
