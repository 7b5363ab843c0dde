//! What a log says at a moment that somebody should be told, or that is over: trips of runaways, certificates withdrawn.
//!
//! Invariant: it counts at its moment, among requests that are over, live as in a replay.

use crate::alert::{Level, Source};
use crate::certificate::{Turn, Withdrawn};
use crate::runaway::ToldTrip;
use crate::session::proof::Turned;
use crate::units::Span;

/// How long a trip is told that stops nobody.
const EPISODE: Span = Span::hours(1);

/// Something that fires, or is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It fires.
    Fires {
        source: Source,
        scope: String,
        threshold: String,
        ends: Option<Span>,
        level: Level,
        words: String,
    },
    /// It is over, whatever was passed.
    Over { source: Source, scope: String, thresholds: Vec<String> },
}

impl Said {
    /// Reads a note of the log. `rules` are the rules against runaways that tripped before.
    pub(super) fn note(text: &str, rules: &mut Vec<String>) -> Option<Self> {
        if let Some(trip) = ToldTrip::parse(text) {
            if !rules.iter().any(|known| known == trip.rule) && rules.len() < 64 {
                rules.push(trip.rule.to_owned());
            }
            let (level, ends) =
                if trip.freezes { (Level::Critical, None) } else { (Level::Warning, Some(EPISODE)) };
            let (scope, threshold) = (trip.whom.to_owned(), trip.rule.to_owned());
            return Some(Self::Fires {
                source: Source::Runaway,
                scope,
                threshold,
                ends,
                level,
                words: text.to_owned(),
            });
        }
        let (whom, _) = text.strip_prefix("lifted: ")?.split_once(" may call again")?;
        Some(Self::Over { source: Source::Runaway, scope: whom.to_owned(), thresholds: rules.clone() })
    }

    /// Reads what became of a certificate.
    pub(super) fn turned(turned: &Turned) -> Self {
        let scope = format!("route {}/{}", turned.route, turned.rung);
        match turned.turn {
            Turn::Given(_) => Self::Over {
                source: Source::Quality,
                scope,
                thresholds: Withdrawn::ALL.map(|why| why.word().to_owned()).to_vec(),
            },
            Turn::Withdrawn(why) => {
                let level = match why {
                    Withdrawn::Alarm => Level::Critical,
                    Withdrawn::Drift | Withdrawn::Calibration => Level::Warning,
                    Withdrawn::Classifier
                    | Withdrawn::Model
                    | Withdrawn::Parameters
                    | Withdrawn::Prices
                    | Withdrawn::Age => Level::Notice,
                };
                let words =
                    format!("{scope}: the certificate of its threshold is withdrawn: {}", why.reason());
                let threshold = why.word().to_owned();
                Self::Fires { source: Source::Quality, scope, threshold, ends: None, level, words }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trip_fires_until_it_is_lifted_and_one_that_stops_nobody_for_its_episode() {
        let mut rules = Vec::new();
        let text = "runaway: key ci-bot, team search: the same tool call: 12 times (rule loop; frozen until an operator lifts it)";
        let frozen = Said::note(text, &mut rules).unwrap();
        let Said::Fires { scope, threshold, ends, level, .. } = &frozen else { panic!("{frozen:?}") };
        assert_eq!(
            (scope.as_str(), threshold.as_str(), *ends, *level),
            ("key ci-bot", "loop", None, Level::Critical)
        );
        let told = Said::note(
            "runaway: project crawler: $9 within 5 min (rule pace-project; told only); ~$40 was spent from here on",
            &mut rules,
        );
        assert!(
            matches!(told, Some(Said::Fires { ends: Some(EPISODE), level: Level::Warning, .. })),
            "{told:?}"
        );
        let lifted =
            Said::note("lifted: key ci-bot may call again, by ann; stopped since 1 by rule loop", &mut rules)
                .unwrap();
        let Said::Over { scope, thresholds, .. } = &lifted else { panic!("{lifted:?}") };
        assert_eq!((scope.as_str(), thresholds.len()), ("key ci-bot", 2));
        assert_eq!(Said::note("provider announces an outage", &mut rules), None);
    }
}
