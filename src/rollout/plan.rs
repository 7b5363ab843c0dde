//! What a rollout changes, in which stages, and what each of them needs.

use std::sync::Arc;

use crate::routing::{CanarySpec, Mode, PolicySpec, RouteSpec, RungSpec};
use crate::units::{PerMille, Span, choice};

/// The stages where nothing else is said: beside the traffic, then so many of a thousand sessions.
pub const STAGES: [u16; 6] = [0, 10, 50, 250, 500, 1000];

/// A rollout as an operator plans it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name, which the canary bears.
    pub name: Arc<str>,
    /// The route that is changed.
    pub route: Arc<str>,
    /// What is changed.
    pub change: Change,
    /// Shares of sessions, rising; 0 is beside the traffic.
    pub stages: Vec<PerMille>,
    /// What each stage needs before the next.
    pub needs: Needs,
    /// The file it stands in, as it was written.
    pub text: Arc<str>,
}

/// What of a route is changed; what is left out stays.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Change {
    /// What becomes of requests that name a model.
    pub mode: Option<Mode>,
    /// The rung for requests without a confidence.
    pub no_signal: Option<String>,
    /// Thresholds by rung, of the ladder in force.
    pub thresholds: Vec<(String, i64)>,
    /// Another ladder.
    pub ladder: Vec<RungSpec>,
    /// The rung that all start on, with those above it behind.
    pub from: Option<String>,
}

impl Change {
    /// Says it in words: `small from 550‰, mode active`.
    pub fn words(&self) -> String {
        let mode = self.mode.map(|mode| format!("mode {}", mode.name()));
        let signal = self.no_signal.as_ref().map(|rung| format!("no signal: {rung}"));
        let set = self.thresholds.iter().map(|(rung, to)| format!("{rung} from {to}‰"));
        let ladder = self.ladder.iter().map(|rung| {
            let name = rung.name.as_ref().unwrap_or(&rung.model);
            match rung.threshold {
                Some(threshold) => format!("{name} from {threshold}‰"),
                None if rung.fallback => format!("{name} as fallback"),
                None => name.clone(),
            }
        });
        let ladder: Vec<String> = ladder.collect();
        let ladder = (!ladder.is_empty()).then(|| format!("ladder {}", ladder.join(" > ")));
        mode.into_iter().chain(signal).chain(set).chain(ladder).collect::<Vec<_>>().join(", ")
    }
}

/// What a stage needs before the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Requests of the canary.
    pub requests: u64,
    /// Judged answers of the canary; none of them beside the traffic, where it has no answers.
    pub labels: u64,
    /// How long it lasts at least.
    pub dwell: Span,
    /// What a request may cost at most, in thousandths of one on the route as it was.
    pub cost: u32,
    /// How many more of a thousand requests may fail.
    pub errors: PerMille,
    /// How many of a thousand judged answers may be unacceptable.
    pub unacceptable: PerMille,
}

impl Default for Needs {
    fn default() -> Self {
        Self {
            requests: 200,
            labels: 0,
            dwell: Span::hours(1),
            cost: 1050,
            errors: PerMille::clamped(20),
            unacceptable: PerMille::clamped(100),
        }
    }
}

impl Plan {
    /// Returns the share of a stage; all of it behind the last.
    pub fn share(&self, stage: usize) -> PerMille {
        self.stages.get(stage).copied().unwrap_or(PerMille::ONE)
    }

    /// Says whether the policy has the canary at a stage's share.
    pub fn is_at(&self, spec: &PolicySpec, stage: usize) -> bool {
        let share = i64::from(self.share(stage).get());
        self.canary(spec).is_some_and(|route| {
            route.canary.as_ref().is_some_and(|one| one.of == *self.route && one.share == share)
        })
    }

    fn canary<'s>(&self, spec: &'s PolicySpec) -> Option<&'s RouteSpec> {
        spec.routes.iter().find(|route| route.name == *self.name)
    }

    /// Returns a policy with the canary at a stage's share.
    ///
    /// # Errors
    /// Where the route is not there, is changed by somebody else, or has no such rung.
    pub fn staged(&self, spec: &PolicySpec, stage: usize) -> Result<PolicySpec, String> {
        let mut spec = self.without(spec);
        let at = spec.routes.iter().position(|route| route.name == *self.route && route.canary.is_none());
        let Some(at) = at else {
            let known: Vec<&str> = spec.routes.iter().map(|route| &*route.name).collect();
            return Err(format!("there is no route `{}`; {}", self.route, choice(&self.route, &known)));
        };
        if spec.routes.iter().any(|route| route.name == *self.name) {
            return Err(format!("`{}` is a route's name already; take another for this", self.name));
        }
        let before = at.checked_sub(1).and_then(|before| spec.routes.get(before));
        if let Some(other) = before.filter(|other| other.canary.is_some()) {
            return Err(format!(
                "route `{}` has the canary `{}` already: one writer a route; end that one first",
                self.route, other.name
            ));
        }
        let Some(base) = spec.routes.get(at) else { return Err("there is no route".to_owned()) };
        let share = i64::from(self.share(stage).get());
        let canary = RouteSpec {
            name: self.name.to_string(),
            canary: Some(CanarySpec { of: self.route.to_string(), share }),
            ..self.changed(base)?
        };
        let own = RouteSpec {
            teams: Vec::new(),
            projects: Vec::new(),
            tasks: Vec::new(),
            asked: Vec::new(),
            ..canary
        };
        spec.routes.insert(at, own);
        Ok(spec)
    }

    /// Returns a policy without the canary: as it was.
    pub fn without(&self, spec: &PolicySpec) -> PolicySpec {
        let mut spec = spec.clone();
        spec.routes.retain(|route| {
            route.name != *self.name || route.canary.as_ref().is_none_or(|one| one.of != *self.route)
        });
        spec
    }

    /// Returns a policy whose route is changed for good.
    ///
    /// # Errors
    /// As [`Plan::staged`].
    pub fn done(&self, spec: &PolicySpec) -> Result<PolicySpec, String> {
        let mut spec = self.without(spec);
        let known: Vec<String> = spec.routes.iter().map(|route| route.name.clone()).collect();
        let Some(route) = spec.routes.iter_mut().find(|route| route.name == *self.route) else {
            return Err(format!("there is no route `{}`; {}", self.route, choice(&self.route, &known)));
        };
        *route = self.changed(route)?;
        Ok(spec)
    }

    fn changed(&self, base: &RouteSpec) -> Result<RouteSpec, String> {
        let Change { mode, no_signal, thresholds, ladder, from } = &self.change;
        let mut route = base.clone();
        if !ladder.is_empty() {
            route.ladder.clone_from(ladder);
            // What the rung for no signal was is no rung of another ladder.
            route.no_signal = None;
        }
        for (rung, threshold) in thresholds {
            let named = |one: &&mut RungSpec| one.name.as_ref().unwrap_or(&one.model) == rung;
            route.ladder.iter_mut().find(named).ok_or_else(|| no_rung(base, rung))?.threshold =
                Some(*threshold);
        }
        if let Some(rung) = from {
            let at = route.ladder.iter().position(|one| one.name.as_ref().unwrap_or(&one.model) == rung);
            let at = at.ok_or_else(|| no_rung(base, rung))?;
            // A fallback serves where no other rung can, whichever those are.
            let kept = usize::from(route.ladder.first().is_some_and(|one| one.fallback)).min(at);
            route.ladder.drain(kept..at);
            let last = route.ladder.len().saturating_sub(1);
            for one in route.ladder.iter_mut().take(last) {
                // Who shifts to the fallback itself has it serve like any rung.
                one.fallback &= one.name.as_ref().unwrap_or(&one.model) != rung;
                one.threshold = (!one.fallback).then_some(0);
            }
            route.no_signal = Some(rung.clone());
        }
        route.mode = mode.or(route.mode);
        route.no_signal = no_signal.clone().or(route.no_signal);
        Ok(route)
    }
}

fn no_rung(base: &RouteSpec, rung: &str) -> String {
    let known: Vec<&str> = base.ladder.iter().map(|one| one.name.as_deref().unwrap_or(&one.model)).collect();
    format!("route `{}` has no rung `{rung}`; {}", base.name, choice(rung, &known))
}
