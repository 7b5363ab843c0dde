//! Rules: what is told of, how urgent it is, and to whom.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::anomaly::Knobs;
use crate::units::{Span, named};

/// What an alert comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A share of a limit is spent.
    Budget,
    /// A limit will not last its window.
    Forecast,
    /// A limit is being spent much faster than it can last.
    BurnRate,
    /// A figure is unlike its past.
    Anomaly,
    /// Calls are made whose cost nobody can know.
    Unpriced,
    /// A model fails, or cannot be called.
    Provider,
    /// A rule against runaways tripped.
    Runaway,
    /// A certificate of quality was withdrawn.
    Quality,
    /// Calls cost something else than was expected with what caches hold.
    Expected,
}

named!(Source {
    Budget = "budget", Forecast = "forecast", BurnRate = "burn-rate", Anomaly = "anomaly",
    Unpriced = "unpriced", Provider = "provider", Runaway = "runaway", Quality = "quality",
    Expected = "expected",
});

/// How urgent an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    #[default]
    Notice,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

named!(Level { Notice = "notice", Warning = "warning", Critical = "critical" });

/// Spending so many times faster than a limit can last, over a long stretch and the end of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burn {
    /// The long stretch.
    pub long: Span,
    /// The short one: that it goes on.
    pub short: Span,
    /// How many times faster, in tenths.
    pub rate: u32,
    /// How urgent that is.
    pub level: Level,
}

impl Burn {
    /// The stretches and rates of site reliability engineering, of which 14.4 for an hour is 2% of a month's limit.
    pub const USUAL: [Self; 4] = [
        Self { long: Span::hours(1), short: Span::mins(5), rate: 144, level: Level::Critical },
        Self { long: Span::hours(6), short: Span::mins(30), rate: 60, level: Level::Critical },
        Self { long: Span::days(1), short: Span::hours(2), rate: 30, level: Level::Warning },
        Self { long: Span::days(3), short: Span::hours(6), rate: 10, level: Level::Warning },
    ];

    /// Returns the rate as it is written: `14.4`.
    pub fn times(&self) -> String {
        let (whole, tenths) = (self.rate / 10, self.rate % 10);
        if tenths == 0 { whole.to_string() } else { format!("{whole}.{tenths}") }
    }

    /// Says whether a window is long enough: within one, so much would be more than all of it.
    pub fn suits(&self, window: Span) -> bool {
        self.long.0.saturating_mul(i64::from(self.rate)) <= window.0.saturating_mul(10)
    }
}

impl fmt::Display for Burn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x in {}", self.times(), self.long)
    }
}

/// What is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    /// What it looks at.
    pub source: Source,
    /// Of which scopes.
    pub scope: Pattern,
    /// Of a budget: the shares of the limit, in per cent.
    pub thresholds: Vec<u32>,
    /// How urgent that is; as the source says where absent.
    pub level: Option<Level>,
    /// Which receivers are told; all where none is named.
    pub to: Vec<Arc<str>>,
}

impl Rule {
    /// Makes the rule that a source has unless told otherwise.
    pub fn usual(source: Source) -> Self {
        let thresholds = if source == Source::Budget { vec![50, 75, 90, 100] } else { Vec::new() };
        Self {
            name: source.name().into(),
            source,
            scope: Pattern::any(),
            thresholds,
            level: None,
            to: Vec::new(),
        }
    }
}

/// All rules, and what they look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The rules, in the order of their names.
    pub rules: Vec<Rule>,
    /// What is too fast.
    pub burn: Vec<Burn>,
    /// What is unlike its past, and what is too small to be told.
    pub knobs: Knobs,
    /// The length of the slots in which figures are compared with their past.
    pub slot: Span,
    /// The share of a model's calls that fail, in per cent, from which on it is in trouble.
    pub failing: u32,
    /// The fewest calls that show it.
    pub least_calls: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            rules: Source::ALL.iter().map(|(_, source)| Rule::usual(*source)).collect(),
            burn: Burn::USUAL.to_vec(),
            knobs: Knobs::default(),
            slot: Span::mins(5),
            failing: 50,
            least_calls: 20,
        }
    }
}

impl Rules {
    /// Lists the rules of a source.
    pub fn of(&self, source: Source) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |rule| rule.source == source)
    }

    /// Finds a rule.
    pub fn find(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| &*rule.name == name)
    }
}

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub Arc<str>);

impl Pattern {
    /// Matches every name.
    pub fn any() -> Self {
        Self("*".into())
    }

    /// Says whether a name is of this pattern.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*", "teams/day of search", true),
            ("teams/*", "teams/day of search", true),
            ("*search", "teams/day of search", true),
            ("*day*", "teams/day of search", true),
            ("teams*of*search", "teams/day of search", true),
            ("teams", "teams/day", false),
            ("a*a", "a", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Pattern(pattern.into()).matches(name), fits, "{pattern} {name}");
        }
    }
}
