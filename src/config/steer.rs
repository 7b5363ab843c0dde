//! How a budget is steered towards: `steer = { window = "month", act = true }`.

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::place::FileError;
use super::reading::Reading;
use crate::budget::{Dimension, Limit, Period, Steer};
use crate::units::{PerMille, Pico, Span};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SteerKeys {
    window: Option<Spanned<String>>,
    #[serde(default)]
    routes: Vec<String>,
    aim: Option<Spanned<i64>>,
    dwell: Option<Spanned<String>>,
    step: Option<Spanned<i64>>,
    #[serde(default)]
    certified: bool,
    within: Option<Spanned<String>>,
    #[serde(default)]
    act: bool,
}

impl SteerKeys {
    /// Reads which window is steered towards, and how.
    pub(super) fn read(
        &self,
        at: &Spanned<Self>,
        limit: &Limit,
        amounts: &[(Period, Pico)],
        reading: &Reading<'_>,
    ) -> Result<(Period, Arc<Steer>), FileError> {
        let budget = &limit.budget;
        let by_call = |dimension: &Dimension| matches!(dimension, Dimension::Model);
        if limit.scope.each.is_some() || limit.scope.lists.iter().any(|(dimension, _)| by_call(dimension)) {
            let what = format!(
                "budget {budget} cannot be steered towards: thresholds are everybody's, so it has no `each` and no `model`"
            );
            return Err(reading.wrong(at, what));
        }
        let period = match (&self.window, amounts) {
            (Some(word), _) => {
                let known = Period::parse(word.get_ref());
                let known = known.filter(|known| amounts.iter().any(|(period, _)| period == known));
                known.ok_or_else(|| {
                    let has: Vec<String> = amounts.iter().map(|(period, _)| period.to_string()).collect();
                    let what = format!(
                        "budget {budget} has no limit by `{}`; it has {}",
                        word.get_ref(),
                        has.join(", ")
                    );
                    reading.wrong(word, what)
                })?
            }
            (None, [(only, _)]) => *only,
            (None, _) => {
                let what = format!("budget {budget} has several windows; say which with window = \"month\"");
                return Err(reading.wrong(at, what));
            }
        };
        if period == Period::Lifetime {
            let what = format!("budget {budget} never ends, so nothing can be spread over its rest");
            return Err(reading.wrong(at, what));
        }
        let usual = Steer::default();
        let share = |told: &Option<Spanned<i64>>, usual: PerMille| {
            told.as_ref().map_or(Ok(usual), |told| reading.share(told, (1, 1000)))
        };
        let dwell = self.dwell.as_ref().map_or(Ok(usual.dwell), |told| {
            let what = "is no time for thresholds to stand; write \"15m\", at least \"10s\"";
            reading.length(told, |span| span >= Steer::SHORTEST, what)
        })?;
        let within = self.within.as_ref().map(|told| {
            let what = "is no time for answers; write \"8s\" or \"1500ms\", at most \"1h\"";
            let span = reading.length(told, |span| (Span(1_000)..=Span::hours(1)).contains(&span), what)?;
            Ok(u64::try_from(span.0 / 1000).unwrap_or_default())
        });
        let steer = Steer {
            within_ms: within.transpose()?,
            routes: self.routes.iter().map(|name| name.as_str().into()).collect(),
            aim: share(&self.aim, usual.aim)?,
            dwell,
            step: share(&self.step, usual.step)?,
            certified: self.certified,
            acts: self.act,
        };
        Ok((period, Arc::new(steer)))
    }
}

/// Finds a route that limits would steer which others steer already, with whose budget those are.
pub(super) fn contested(limits: &[Limit], more: &[Limit]) -> Option<(Arc<str>, String)> {
    let steered = |limits: &[Limit]| -> Vec<(Arc<str>, Arc<Steer>)> {
        let with = |limit: &Limit| Some((Arc::clone(&limit.budget), Arc::clone(limit.steer.as_ref()?)));
        limits.iter().filter_map(with).collect()
    };
    let mine = steered(more);
    for (budget, theirs) in steered(limits) {
        for (_, own) in &mine {
            let shared = own
                .routes
                .iter()
                .find(|name| theirs.moves(name))
                .or_else(|| theirs.routes.iter().find(|name| own.moves(name)));
            match shared {
                Some(name) => return Some((budget, format!("route {name}"))),
                None if own.routes.is_empty() && theirs.routes.is_empty() => {
                    return Some((budget, "all routes".to_owned()));
                }
                None => {}
            }
        }
    }
    None
}
