//! The certificate of the chosen rung with its numbers, whether confidences drift away from it, how pairs came out, who judged them,
//! and how far models that judge agree with people.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::answers::{Row, share, sources};
use crate::calibration::Diagram;
use crate::certificate::{DriftReading, Terms};
use crate::console::format;
use crate::console::screen::Scene;
use crate::console::screens::figures::{self, List};
use crate::console::theme::Role;
use crate::session::{Quality, RungProof, Shadowed, Snapshot};
use crate::units::{PerMille, counted};

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// Writes a chance that may be very small.
fn chance(p: f64) -> String {
    if p > 0.0 && p < 0.0001 { "below .0001".to_owned() } else { format!("{p:.4}") }
}

fn numbers(row: &Row<'_>, proof: &RungProof, snapshot: &Snapshot) -> List {
    let (standing, terms) = (&proof.standing, Terms::default());
    let mut out = List::default();
    let threshold = row.rung.threshold;
    match standing.given {
        Some(given) => {
            out.put("certified from", given.threshold, Role::Ok);
            let is_inside = threshold >= given.threshold;
            let (words, role) = if is_inside { ("within", Role::Ok) } else { ("below it", Role::Warn) };
            out.put("threshold in force", format!("{threshold}, {words}"), role);
            out.put("since", figures::moment(snapshot, given.at), Role::Muted);
        }
        None if standing.n == 0 => out.put("certificate", "no pairs yet", Role::Muted),
        None => {
            out.put("needs", counted(standing.needed, "more label"), Role::Warn);
            out.put("threshold in force", threshold, Role::Text);
        }
    }
    if let Some((at, why)) = standing.withdrawn {
        let words = format!("{}, {}", why.reason(), figures::moment(snapshot, at));
        out.put("withdrawn", words, Role::Warn);
    }
    let (most, sure) = (terms.epsilon * 100.0, (1.0 - terms.delta) * 100.0);
    out.put("promise", format!("{most} % lost, {sure} % sure"), Role::Text);
    out.put("pairs judged", format::count(standing.n), Role::Text);
    if standing.n > 0 {
        let from = standing.given.map_or(PerMille::ONE, |given| given.threshold);
        let lost = |losses, at| format!("{} from {at} up", format::count(losses));
        out.put("  lost", lost(standing.losses, from), Role::Text);
        out.put("chance of so few", chance(standing.p_value), Role::Text);
        out.put("loss at most", percent(standing.bound), Role::Text);
        if from != threshold {
            out.put("  lost now", lost(proof.in_force.0, threshold), Role::Text);
            out.put("loss at most, now", percent(proof.in_force.1), Role::Text);
        }
    }
    if standing.given.is_some() && standing.needed > 0 {
        out.put("one lower takes", counted(standing.needed, "more label"), Role::Muted);
    }
    if proof.halves > 0 {
        out.put("one answer judged", format::count(proof.halves), Role::Muted);
    }
    out
}

/// Says in a word whether confidences drift, and by how much beside what chance reaches.
fn drifted(reading: Option<&DriftReading>) -> (&'static str, String, Role) {
    let Some(reading) = reading.filter(|reading| reading.n > 0) else {
        return ("drift", "too few yet".to_owned(), Role::Muted);
    };
    let (words, role) = if reading.has_drifted { ("drifted", Role::Warn) } else { ("steady", Role::Ok) };
    ("drift", format!("{words}, PSI {:.3}", reading.psi), role)
}

/// Writes a calibration error less what chance adds to it, and of how many it is.
fn error(diagram: &Diagram) -> String {
    format!("{:.3} of {}", diagram.ece_debiased(), format::count(diagram.n()))
}

fn drift(reading: Option<&DriftReading>, since: &[Diagram; 2]) -> List {
    let mut out = List::default();
    let (_, words, role) = drifted(reading);
    out.put("confidences", words, role);
    let Some(reading) = reading.filter(|reading| reading.n > 0) else { return out };
    out.put("chance reaches PSI", format!("{:.3}", reading.critical), Role::Text);
    let chance = reading.ks_critical.map_or_else(|| "any".to_owned(), |most| format!("{most:.3}"));
    out.put("KS D", format!("{:.3}, chance {chance}", reading.ks), Role::Text);
    out.put("  over the last", format::count(reading.n), Role::Muted);
    let [then, now] = since;
    if then.n() > 0 {
        out.put("error when certified", error(then), Role::Text);
        let words = if now.n() > 0 { error(now) } else { "no pairs since".to_owned() };
        out.put("  since then", words, if now.n() > 0 { Role::Text } else { Role::Muted });
    }
    out
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, row: &Row<'_>, area: Rect, buf: &mut Buffer) {
    let title = format!("Certificate · {} · {}", row.route.name, row.rung.name);
    let inner = figures::page(scene, 1, &title, "", area, buf);
    let Some(proof) = row.proof else {
        let words = if row.rung.fallback {
            "a fallback has no threshold"
        } else {
            "the last rung serves whatever is left"
        };
        return figures::nothing(scene, words, inner, buf);
    };
    let mut list = numbers(row, proof, scene.snapshot);
    let reading = proof.standing.drift.as_ref();
    // Where there is no room for more, drift is one line among the others.
    let errors = if proof.quality.since[0].n() > 0 { 2 } else { 0 };
    if usize::from(inner.height) < list.len() + 6 + errors {
        list.insert(2, drifted(reading));
        list.draw(scene, inner, buf);
        return;
    }
    let below = list.draw(scene, inner, buf);
    let at = figures::heading(scene, "Drift", below, buf);
    drift(reading, &proof.quality.since).draw(scene, at, buf);
}

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
            // Of what is written as nothing nobody should read which side of it that lies on.
            let sign_of = |value: f64| if value <= -0.0005 { "-" } else { "" };
            let (sign, low) = (sign_of(kappa.value), sign_of(kappa.low));
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

/// Draws the panel of pairs and judges.
pub(super) fn draw_judges(scene: Scene<'_>, row: &Row<'_>, area: Rect, buf: &mut Buffer) {
    let inner = figures::page(scene, 3, "Pairs and judges", "", area, buf);
    let Some(proof) = row.proof else {
        return figures::nothing(scene, "choose a rung with a threshold", inner, buf);
    };
    let below = outcomes(&proof.quality).draw(scene, inner, buf);
    agreement(&proof.quality, &scene.snapshot.log.shadowed).draw(scene, below, buf);
}
