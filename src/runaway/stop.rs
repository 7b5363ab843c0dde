//! Who is stopped: one key, session, user, project or team, or everything.
//!
//! Invariant: a stop holds until it is lifted under the name it was made under.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Kind, Trip, Whom, Whose};
use crate::units::Instant;

/// One that is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Who.
    pub whom: Whom,
    /// Since when.
    pub at: Instant,
    /// By whom: a key's name, or the rule.
    pub who: Arc<str>,
    /// The rule that did it; none where an operator did.
    pub rule: Option<Arc<str>>,
    /// Why; empty where nobody said.
    pub why: String,
}

impl Stop {
    /// How the one who stopped is named where it was a rule.
    const RULE: &'static str = "rule ";

    /// Makes one of what a rule saw.
    pub(super) fn by_rule(trip: &Trip) -> Self {
        Self {
            whom: trip.whom.clone(),
            at: trip.at,
            who: format!("{}{}", Self::RULE, trip.rule).into(),
            rule: Some(Arc::clone(&trip.rule)),
            why: trip.seen.clone(),
        }
    }

    /// Makes one that was written down.
    pub fn told(whom: Whom, at: Instant, who: &str, why: &str) -> Self {
        Self {
            whom,
            at,
            who: who.into(),
            rule: who.strip_prefix(Self::RULE).map(Into::into),
            why: why.to_owned(),
        }
    }

    /// Names the rule as clients are told it.
    pub fn rule_name(&self) -> &str {
        self.rule.as_deref().unwrap_or("kill-switch")
    }

    /// Returns the command that lifts it.
    pub fn lifted_by(&self) -> String {
        match self.whom.kind {
            Kind::All => "pointsman lift --all".to_owned(),
            kind => format!("pointsman lift --{} {}", kind.name(), self.whom.name),
        }
    }

    /// Says it in words.
    pub fn words(&self) -> String {
        let why = if self.why.is_empty() { String::new() } else { format!(" ({})", self.why) };
        let whom = if self.whom.kind == Kind::All { "everything".to_owned() } else { self.whom.to_string() };
        format!(
            "{whom} is stopped since {} by {}{why}; nothing is sent until an operator lifts it: {}",
            self.at.rfc3339(),
            self.who,
            self.lifted_by()
        )
    }
}

/// Everyone who is stopped.
#[derive(Clone, Debug, Default)]
pub struct Stops {
    all: Option<Arc<Stop>>,
    named: FxHashMap<(Kind, Arc<str>), Arc<Stop>>,
}

impl Stops {
    /// Says whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.named.is_empty()
    }

    /// Finds what stops a request: the widest first.
    pub fn find(&self, whose: &Whose) -> Option<&Arc<Stop>> {
        if self.all.is_some() || self.named.is_empty() {
            return self.all.as_ref();
        }
        let of = |kind, name: &Arc<str>| self.named.get(&(kind, Arc::clone(name)));
        let Whose { team, project, user, key, session } = whose;
        let session_of = || {
            let bare = of(Kind::Session, session);
            bare.or_else(|| of(Kind::Session, &whose.name(Kind::Session)?))
        };
        of(Kind::Team, team)
            .or_else(|| of(Kind::Project, project))
            .or_else(|| of(Kind::User, user))
            .or_else(|| of(Kind::Key, key))
            .or_else(session_of)
    }

    /// Stops someone; returns the stop that stands.
    pub fn stop(&mut self, stop: Stop) -> Arc<Stop> {
        if stop.whom.kind == Kind::All {
            return Arc::clone(self.all.get_or_insert_with(|| Arc::new(stop)));
        }
        let place = (stop.whom.kind, Arc::clone(&stop.whom.name));
        Arc::clone(self.named.entry(place).or_insert_with(|| Arc::new(stop)))
    }

    /// Lets someone go; returns what had stopped him.
    pub fn lift(&mut self, whom: &Whom) -> Option<Arc<Stop>> {
        match whom.kind {
            Kind::All => self.all.take(),
            kind => self.named.remove(&(kind, Arc::clone(&whom.name))),
        }
    }

    /// Lists them, the latest first.
    pub fn list(&self) -> Vec<Arc<Stop>> {
        let mut list: Vec<_> = self.all.iter().chain(self.named.values()).cloned().collect();
        crate::units::sort_by(&mut list, |a, b| (b.at, &a.whom).cmp(&(a.at, &b.whom)));
        list
    }
}
