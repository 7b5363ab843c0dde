//! One automation as an operator writes it.

use std::fmt;
use std::sync::Arc;

use crate::rollout::{Change, Needs, Plan};
use crate::routing::PolicySpec;
use crate::units::{Instant, PerMille, Span, grouped, took};

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Whether a model cannot be called: its breaker is open, or its quota spent.
    Down(Arc<str>),
    /// How many of a thousand calls to a model failed in the last minutes.
    Errors(Arc<str>),
    /// How many milliseconds a call to a model took in the last minutes, on average.
    Latency(Arc<str>),
    /// How many thousandths of a provider's quota are left: requests, tokens or a window, whichever is least.
    Headroom(Arc<str>),
    /// How many thousandths of a budget's limit are spent.
    Spend(Arc<str>),
    /// How fast a budget's limit is spent: thousandths of the even pace, at which it lasts exactly until its window ends.
    Pace(Arc<str>),
    /// Whether it is between two hours of the day (UTC).
    Hours(u8, u8),
}

impl Signal {
    /// Returns the model that is looked at, where it is one.
    pub fn model(&self) -> Option<&Arc<str>> {
        match self {
            Self::Down(model) | Self::Errors(model) | Self::Latency(model) => Some(model),
            _ => None,
        }
    }

    /// Says whether a log tells it; else only a gateway knows.
    pub fn is_in_logs(&self) -> bool {
        !matches!(self, Self::Headroom(_) | Self::Spend(_) | Self::Pace(_))
    }

    /// Returns what the clock says, where that is all that is looked at.
    pub fn by_clock(&self, at: Instant) -> Option<u64> {
        let Self::Hours(from, to) = *self else { return None };
        let hour = u8::try_from((at.0 - at.day_start().0) / Span::hours(1).0).unwrap_or(0);
        let is_within = if from <= to { (from..to).contains(&hour) } else { hour >= from || hour < to };
        Some(u64::from(is_within))
    }
}

/// Writes thousandths of a whole as a share in per cent.
fn share(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

impl Signal {
    /// Says in a sentence what a reading tells.
    pub fn told(&self, reading: Option<u64>) -> String {
        let Some(reading) = reading else { return format!("{self}: not known") };
        let yes = |word: &str| if reading > 0 { word.to_owned() } else { format!("not {word}") };
        match self {
            Self::Down(model) => format!("{model} is {}", yes("down")),
            Self::Errors(model) => format!("{} of 1,000 calls of {model} failed", grouped(reading)),
            Self::Latency(model) => format!("a call of {model} takes {}", took(reading)),
            Self::Headroom(provider) => format!("{} of the quota at {provider} is left", share(reading)),
            Self::Spend(limit) => format!("{} of {limit} is spent", share(reading)),
            Self::Pace(limit) => {
                format!("{limit} is spent at {}.{:03} of the even pace", reading / 1000, reading % 1000)
            }
            Self::Hours(..) => format!("{self}: {}", if reading > 0 { "yes" } else { "no" }),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(model) => write!(f, "{model} down"),
            Self::Errors(model) => write!(f, "failed calls of {model}, ‰"),
            Self::Latency(model) => write!(f, "ms a call of {model}"),
            Self::Headroom(provider) => write!(f, "quota left at {provider}, ‰"),
            Self::Spend(limit) => write!(f, "spent of {limit}, ‰"),
            Self::Pace(limit) => write!(f, "pace of {limit}, ‰ of the even one"),
            Self::Hours(from, to) => write!(f, "{from:02}:00 to {to:02}:00 UTC"),
        }
    }
}

/// From which reading on a signal says so, and until which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// From here on.
    pub on: u64,
    /// Until here.
    pub off: u64,
    /// Whether high readings say so.
    pub is_above: bool,
}

impl Bounds {
    /// Of what either is or is not.
    pub const YES: Self = Self { on: 1, off: 0, is_above: true };

    /// Says whether a reading turns it on or off; neither between the two.
    pub fn turns(&self, reading: u64) -> Option<bool> {
        let (on, off) = if self.is_above {
            (reading >= self.on, reading <= self.off)
        } else {
            (reading <= self.on, reading >= self.off)
        };
        if on { Some(true) } else { off.then_some(false) }
    }
}

/// One automation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, which the canary bears.
    pub name: Arc<str>,
    /// What is looked at.
    pub signal: Signal,
    /// When that says so.
    pub bounds: Bounds,
    /// The route.
    pub route: Arc<str>,
    /// The rung that shifted sessions start on.
    pub to: Arc<str>,
    /// The share of sessions that is shifted in the end.
    pub share: PerMille,
    /// The most that it changes at once.
    pub step: PerMille,
    /// How long a share stays at least.
    pub dwell: Span,
    /// Whether it acts; else it only proposes.
    pub acts: bool,
}

impl Rule {
    /// Says whether it could shift anything of a policy: a slip in a name is else found when it is needed.
    ///
    /// # Errors
    /// Where the policy has no such route or rung, and which it has.
    pub fn check(&self, spec: &PolicySpec) -> Result<(), String> {
        // Its own canary is no stranger, be it of the route that the rule was about before.
        let mut spec = spec.clone();
        spec.routes.retain(|route| route.name != *self.name || route.canary.is_none());
        let tried = self.plan(self.share).staged(&spec, 0);
        tried.map(drop).map_err(|why| format!("automation {}: {why}", self.name))
    }

    /// Returns the change of policy that it makes at a share.
    pub fn plan(&self, share: PerMille) -> Plan {
        Plan {
            name: Arc::clone(&self.name),
            route: Arc::clone(&self.route),
            change: Change { from: Some(self.to.to_string()), ..Change::default() },
            stages: vec![share],
            needs: Needs::default(),
            text: Arc::from(""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{RouteSpec, RungSpec};

    /// A slip in an incident's rule would else be found in the incident.
    #[test]
    fn a_rule_about_what_the_policy_has_not_is_told_with_what_it_has() {
        let rung = |model: &str| RungSpec { model: model.to_owned(), ..RungSpec::default() };
        let route = RouteSpec {
            name: "code".to_owned(),
            ladder: vec![rung("small"), rung("large")],
            ..RouteSpec::default()
        };
        let spec = PolicySpec { routes: vec![route], ..PolicySpec::default() };
        let told = |route: &str, to: &str| {
            let rule = Rule {
                name: "failing".into(),
                signal: Signal::Errors("small".into()),
                bounds: Bounds { on: 200, off: 50, is_above: true },
                route: route.into(),
                to: to.into(),
                share: PerMille::ONE,
                step: PerMille::ONE,
                dwell: Span::mins(5),
                acts: false,
            };
            let staged = rule.plan(PerMille::ONE).staged(&spec, 0);
            // While it shifts, its own canary is no other's.
            assert!(staged.is_err() || rule.check(&staged.unwrap()).is_ok());
            rule.check(&spec).err().unwrap_or_default()
        };
        assert_eq!(told("code", "large"), "");
        let why = told("code", "huge");
        assert!(why.contains("automation failing") && why.contains("no rung `huge`"), "{why}");
        let why = told("cod", "large");
        assert!(why.contains("no route `cod`") && why.contains("code"), "{why}");
    }
}
