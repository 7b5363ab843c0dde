//! Answers of a log that a check scored and somebody judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Log;
use crate::calibration::JudgedWords;
use crate::checks::Says;
use crate::routing::match_route;
use crate::units::PerMille;

/// Answers of one model on one route.
#[derive(Clone, Debug, Default)]
pub struct Scored {
    /// Each score, and whether the answer was acceptable.
    pub judged: Vec<(PerMille, bool)>,
    /// Those of them of which it is told how unlikely their words were.
    pub words: Vec<JudgedWords>,
    /// Answers with a score, judged or not.
    pub scored: u64,
}

/// Finds the answers that a check scored, by route and model; `acceptable` is the least quality of a good one. What abstained has no score.
pub fn scored(log: &Log, check: &str, acceptable: PerMille) -> BTreeMap<(Arc<str>, Arc<str>), Scored> {
    let mut all: BTreeMap<(Arc<str>, Arc<str>), Scored> = BTreeMap::new();
    for (index, recalled) in log.history.range(log.history.start(), log.len()) {
        let evidence = recalled.evidence();
        let Some(extra) = evidence.extra else { continue };
        let policy = log.policy_at(index);
        for (call, told) in evidence.attempts().zip(&extra.particulars) {
            let of_check =
                told.verdicts.iter().find(|verdict| *verdict.by == *check && verdict.says != Says::Abstained);
            let Some((score, words)) = of_check.and_then(|verdict| Some((verdict.score?, verdict.words)))
            else {
                continue;
            };
            let route = policy.route(match_route(policy, &evidence.operation.signals_by(&log.prices)));
            let model: Arc<str> = log.names.model(call.model).into();
            let found = all.entry((Arc::clone(&route.name), model)).or_default();
            found.scored += 1;
            let label = evidence.label(call.model, &log.prices).and_then(|label| label.quality);
            let good = label.map(|quality| quality >= acceptable);
            found.judged.extend(good.map(|good| (score, good)));
            found.words.extend(words.zip(good).map(|(words, good)| (score, words, good)));
        }
    }
    all
}
