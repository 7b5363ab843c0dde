//! The player's answer to an aim: the best thresholds of the window, staged.

use std::fmt::Write as _;
use std::sync::Arc;

use super::aim::AimBounds;
use super::plan::{GOOD, Keeping, Plan, Target};
use super::proof::leaving;
use super::{Aim, Player};
use crate::routing::{Policy, Route};
use crate::telemetry::Basis;
use crate::units::{PerMille, Pico, Span, took};

impl Player {
    /// Stages the best thresholds for an aim over the window, where so said within their certificates; or says what comes nearest.
    pub(super) fn aim(&mut self, aim: Aim, bounds: AimBounds) {
        let (first, end) = self.view.range();
        if first >= end {
            self.message = Some("no requests in the window to aim with".to_owned());
            return;
        }
        let start = self.log.bounds().map_or(self.clock, |(first, _)| first);
        let from = self.window.map_or(start, |span| (self.clock - span).max(start));
        let covered = Span((self.clock - from).0.max(1_000_000));
        let target = match aim.target(self.log.rated(covered)) {
            Ok(target) => target,
            Err(error) => {
                self.message = Some(error.to_string());
                return;
            }
        };
        let now = Arc::clone(self.policy());
        let proofs = Arc::clone(&self.proof.told);
        let floor = |route: &Route, rung: usize| {
            let at = now.routes.iter().position(|one| one.tag == route.tag)?;
            let given =
                proofs.get(at).and_then(|rungs| rungs.get(rung)).and_then(|proof| proof.standing.given);
            bounds.is_certified.then(|| given.map_or(PerMille::ONE, |given| given.threshold))
        };
        let keeping = Keeping { floor: &floor, within_ms: bounds.within_ms };
        let Some(plan) = self.view.frontiers.plan(&now, target, &keeping) else {
            self.message = Some("no threshold moves any request of the window".to_owned());
            return;
        };
        let staged = plan.staged(&now);
        (self.message, self.is_done) = (Some(words(&plan, aim, target)), plan.is_feasible);
        self.stage(staged);
        if self.staged.is_none() && plan.is_feasible {
            self.message = Some(format!("{aim}: the thresholds in force are the best"));
        }
    }

    /// Says which thresholds of a change leave their certificates; empty where none does.
    pub(super) fn leaving(&self, before: &Policy, after: &Policy) -> String {
        let mut words = String::new();
        for (route, rung, from) in leaving(&self.proof.told, before, after) {
            let route = before.route(route);
            let name = route.ladder.get(rung).map_or("", |rung| &rung.name);
            let start = if words.is_empty() { " (" } else { ", " };
            let _ = write!(words, "{start}{} {name} below its certificate, {from}", route.name);
        }
        if !words.is_empty() {
            words.push(')');
        }
        words
    }
}

fn words(plan: &Plan, aim: Aim, target: Target) -> String {
    let quality = plan.quality.1 / i128::from(plan.requests.max(1));
    let per_mille = |millionths: i128| format!("{}.{:03}", millionths / GOOD, millionths % GOOD / 1000);
    let between = plan.quality_between()[1];
    let quality = per_mille(quality)
        + &between.map_or_else(String::new, |(low, high)| format!(" ({low:.3}-{high:.3})"));
    let within = |is_within: bool| if is_within { " within error" } else { "" };
    let cost_error = match plan.cost_error().1 {
        Pico::ZERO => String::new(),
        error => format!(" ±${}", error.usd_rounded(2)),
    };
    let cost = plan.cost_after.total().usd_rounded(2) + &cost_error;
    let (near, as_good) =
        (within(plan.is_cost_within_error()), within(plan.is_quality_within_error() == Some(true)));
    let on = |basis| plan.routes.iter().filter(|route| route.basis == basis).count();
    let basis = match (on(Basis::Labels), on(Basis::Confidence)) {
        (labels, _) if labels == plan.routes.len() => "",
        (_, confidence) if confidence == plan.routes.len() => " by confidence alone, no labels",
        _ => " in part by confidence alone",
    };
    if !plan.too_slow.is_empty() {
        let slowest = plan.routes.iter().filter_map(|route| route.p95_ms.1).max().unwrap_or(0);
        return format!(
            "slower than that, wherever thresholds stand: {} (95 of 100 within {}); staged the best there are",
            plan.too_slow.join(", "),
            took(slowest)
        );
    }
    let untimed = match plan.untimed.as_slice() {
        [] => String::new(),
        routes => format!("; nobody knows how long requests of {} took", routes.join(", ")),
    };
    let unpriced: Vec<_> = plan.unpriced.iter().map(|(route, rung)| format!("{route}.{rung}")).collect();
    let unpriced = match unpriced.as_slice() {
        [] => String::new(),
        rungs => format!("; nobody knows what {} costs, so that is left as it is", rungs.join(", ")),
    };
    match (plan.is_feasible, target) {
        (true, _) => {
            format!(
                "staged: ${cost}{near} in the window, quality {quality}{as_good}{basis} ({aim}){untimed}{unpriced}"
            )
        }
        (false, Target::Quality(_) | Target::Least) => {
            format!("out of reach; staged what comes nearest: quality {quality}{basis} for ${cost}{unpriced}")
        }
        (false, _) => format!("out of reach; staged what comes nearest: ${cost} in the window{unpriced}"),
    }
}
