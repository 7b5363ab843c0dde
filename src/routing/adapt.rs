//! How a route learns from verdicts, as its policy says.
//!
//! Invariant: what could learn from cost alone is refused.

use std::sync::Arc;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::{MAX_RUNGS, PolicyError};
use crate::bandit::{KEPT, Terms};
use crate::units::{PerMille, Pico, words};
/// How a route learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Method {
    /// A linear estimate for each rung, and a bonus for what is not known well.
    #[default]
    LinUcb,
}

words!(Method { LinUcb = "linucb" });

/// What a route learns from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum LearnFrom {
    /// What people, clients and judges say of answers.
    #[default]
    Labels,
    /// What the route's own checks say of them.
    Checks,
}

words!(LearnFrom { Labels = "labels", Checks = "checks" });

/// How a route learns, as written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct AdaptSpec {
    /// The method's name.
    pub method: String,
    /// What a good answer is worth, in dollars.
    pub worth: String,
    /// The least confidence with which a request may start on each rung but the last; the thresholds where absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<i64>,
    /// What it learns from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How much uncertainty counts in a rung's favour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<i64>,
    /// What a verdict counts beside the one after it, in per mille.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgetting: Option<i64>,
    /// The verdicts before which nothing is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<i64>,
}

/// What a route has beside that.
pub(super) struct Beside {
    /// Whether it minds prompt caches.
    pub minds_caches: bool,
    /// Whether it checks anything.
    pub has_checks: bool,
    /// Its rungs but the last, with their thresholds.
    pub rungs: Vec<(Arc<str>, PerMille)>,
}

/// How a route learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapt {
    /// The method.
    pub method: Method,
    /// What a good answer is worth.
    pub worth: Pico,
    /// The least confidence with which a request may start on each rung but the last, where it is not the threshold.
    floors: Option<ArrayVec<PerMille, MAX_RUNGS>>,
    /// What it learns from.
    pub from: LearnFrom,
    /// How estimates are made.
    pub terms: Terms,
}

const ALPHA: u32 = 200;
const FORGETTING: u16 = 997;
const LEAST: u32 = 50;

impl Adapt {
    /// Checks a spec against the route that it is of.
    pub(super) fn compile(spec: &AdaptSpec, route: &Beside, field: &str) -> Result<Self, PolicyError> {
        let wrong = |key: &str, problem: String| PolicyError { field: format!("{field}.{key}"), problem };
        let of = |value: Option<i64>, usual: u32, (least, most): (u32, u32)| match value {
            None => Some(usual),
            Some(value) => u32::try_from(value).ok().filter(|value| (least..=most).contains(value)),
        };
        if !route.minds_caches {
            let problem =
                "needs cache = \"aware\" beside it, so that a session within a tool loop stays where it is";
            return Err(PolicyError { field: field.to_owned(), problem: problem.into() });
        }
        let method = Method::from_name(&spec.method).ok_or_else(|| {
            wrong("method", format!("`{}` is no method known here; write \"linucb\"", spec.method))
        })?;
        let worth = Pico::from_usd(spec.worth.trim().trim_start_matches('$')).ok();
        let worth = worth.filter(|worth| worth.0 > 0).ok_or_else(|| {
            let problem = "is what a good answer is worth in dollars, above zero: \"0.05\"";
            wrong("worth", format!("`{}` {problem}", spec.worth))
        })?;
        let from = match spec.from.as_deref() {
            None => LearnFrom::default(),
            Some(word) => LearnFrom::from_name(word).ok_or_else(|| {
                wrong("from", format!("`{word}` is no verdict known here; write \"labels\" or \"checks\""))
            })?,
        };
        if from == LearnFrom::Checks && !route.has_checks {
            let problem = "is \"checks\", and the route checks nothing: it would learn from cost alone, which only ever \
                           finds the cheapest rung; give it `checks`, or learn from \"labels\"";
            return Err(wrong("from", problem.into()));
        }
        let alpha = of(spec.alpha, ALPHA, (0, 10_000)).ok_or_else(|| {
            wrong("alpha", "is how much uncertainty counts, in per mille, 0 to 10000".into())
        })?;
        let forgetting = of(spec.forgetting, FORGETTING.into(), (900, 1000))
            .and_then(|value| PerMille::new(u16::try_from(value).ok()?))
            .ok_or_else(|| {
                let problem = "is what a verdict counts beside the one after it, in per mille, 900 to 1000";
                wrong("forgetting", problem.into())
            })?;
        let most = u32::try_from(KEPT).unwrap_or(u32::MAX);
        let least = of(spec.least, LEAST, (1, most)).ok_or_else(|| {
            wrong(
                "least",
                format!("is how many verdicts come before anything is moved, 1 to {KEPT}: no more are kept"),
            )
        })?;
        let floors = Self::floors(spec, route, &|problem| wrong("floors", problem))?;
        Ok(Self { method, worth, floors, from, terms: Terms { alpha, forgetting, least } })
    }

    fn floors(
        spec: &AdaptSpec,
        route: &Beside,
        wrong: &dyn Fn(String) -> PolicyError,
    ) -> Result<Option<ArrayVec<PerMille, MAX_RUNGS>>, PolicyError> {
        if spec.floors.is_empty() {
            return Ok(None);
        }
        if spec.floors.len() != route.rungs.len() {
            let rungs = route.rungs.len();
            return Err(wrong(format!(
                "has {} entries; one for every rung but the last, which are {rungs}",
                spec.floors.len()
            )));
        }
        let mut floors = ArrayVec::new();
        for (at, &value) in spec.floors.iter().enumerate() {
            let floor = u16::try_from(value).ok().and_then(PerMille::new);
            let floor = floor.ok_or_else(|| wrong(format!("{value} is outside 0 to 1000 per mille")))?;
            let Some((name, threshold)) = route.rungs.get(at) else { break };
            if floor > *threshold {
                return Err(wrong(format!(
                    "{floor} is above {threshold}, the threshold of rung `{name}`, which starts requests there already"
                )));
            }
            floors.push(floor);
        }
        Ok(Some(floors))
    }

    /// Returns the floor of a rung, where that is not its threshold.
    pub(super) fn floor(&self, rung: usize) -> Option<PerMille> {
        self.floors.as_ref()?.get(rung).copied()
    }

    /// Writes it as a spec that compiles to it again.
    pub fn spec(&self) -> AdaptSpec {
        let Terms { alpha, forgetting, least } = self.terms;
        AdaptSpec {
            method: self.method.name().to_owned(),
            worth: self.worth.usd(),
            floors: self.floors.iter().flatten().map(|floor| i64::from(floor.get())).collect(),
            from: (self.from != LearnFrom::default()).then(|| self.from.name().to_owned()),
            alpha: (alpha != ALPHA).then(|| i64::from(alpha)),
            forgetting: (forgetting.get() != FORGETTING).then(|| i64::from(forgetting.get())),
            least: (least != LEAST).then(|| i64::from(least)),
        }
    }
}
