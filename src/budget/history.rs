//! Limits over time: those that were in force at first, and those that replaced them.
//!
//! Invariant: changes stand in order of time, and each holds from its moment on.

use super::Limit;
use crate::units::Instant;

/// Limits as they were in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitHistory {
    first: Vec<Limit>,
    later: Vec<(Instant, Vec<Limit>)>,
}

impl LimitHistory {
    /// Makes one of limits and what replaced them, from a moment on each.
    pub fn new(first: Vec<Limit>, mut later: Vec<(Instant, Vec<Limit>)>) -> Self {
        crate::units::sort_by_key(&mut later, |(at, _)| *at);
        Self { first, later }
    }

    /// Returns the limits that were in force at first.
    pub fn first(&self) -> &[Limit] {
        &self.first
    }

    /// Returns what replaced them, in order of time.
    pub fn later(&self) -> &[(Instant, Vec<Limit>)] {
        &self.later
    }

    /// Returns the limits in force at a moment.
    pub fn at(&self, at: Instant) -> &[Limit] {
        let later = self.later.iter().rev().find(|(from, _)| *from <= at);
        later.map_or(&self.first, |(_, limits)| limits)
    }

    /// Returns a limit by its name as it was at a moment, or, where it was in force no longer, as it was last.
    pub fn then(&self, name: &str, at: Instant) -> Option<&Limit> {
        let earlier = self.later.iter().rev().filter(|(from, _)| *from <= at).map(|(_, limits)| &**limits);
        earlier.chain([&*self.first]).find_map(|limits| limits.iter().find(|limit| limit.name() == name))
    }

    /// Returns the limits that are in force at the end.
    pub fn last(&self) -> &[Limit] {
        self.later.last().map_or(&self.first, |(_, limits)| limits)
    }

    /// Lists all that ever were in force, one after another.
    pub fn all(&self) -> impl Iterator<Item = &Limit> {
        self.first.iter().chain(self.later.iter().flat_map(|(_, limits)| limits))
    }

    /// Says whether none ever was.
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Returns them changed alike at all times.
    #[must_use]
    pub fn map(&self, change: impl Fn(&[Limit]) -> Vec<Limit>) -> Self {
        let later = self.later.iter().map(|(at, limits)| (*at, change(limits))).collect();
        Self { first: change(&self.first), later }
    }
}

impl From<Vec<Limit>> for LimitHistory {
    fn from(first: Vec<Limit>) -> Self {
        Self { first, later: Vec::new() }
    }
}

impl From<&[Limit]> for LimitHistory {
    fn from(first: &[Limit]) -> Self {
        first.to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::budget::{Anchor, Mode, OverLimit, Period, Scope, Unpriced, Zone};
    use crate::units::{Pico, Span};

    fn limit(budget: &str, amount: i128) -> Limit {
        Limit {
            budget: budget.into(),
            scope: Arc::new(Scope::default()),
            period: Period::Day,
            anchor: Anchor::default(),
            zone: Zone::utc(),
            amount: Pico(amount),
            special: BTreeMap::new(),
            mode: Mode::Hard,
            over: OverLimit::Refuse,
            wait: Span(0),
            unpriced: Unpriced::Refuse,
            steer: None,
        }
    }

    /// A day of May is else listed beside the limit of June.
    #[test]
    fn each_moment_has_the_limits_that_were_in_force_then() {
        let later = vec![(Instant(20), vec![limit("b", 3)]), (Instant(10), vec![limit("a", 2)])];
        let history = LimitHistory::new(vec![limit("a", 1)], later);
        let amount = |name: &str, at| history.then(name, Instant(at)).map(|limit| limit.amount.0);
        assert_eq!([9, 10, 20].map(|at| history.at(Instant(at))[0].amount.0), [1, 2, 3]);
        assert_eq!(
            [amount("a/day", 9), amount("a/day", 10), amount("a/day", 99)],
            [Some(1), Some(2), Some(2)]
        );
        assert_eq!([amount("b/day", 19), amount("b/day", 20)], [None, Some(3)]);
        assert_eq!(
            (history.all().count(), history.is_empty(), history.last()[0].amount),
            (3, false, Pico(3))
        );
        let doubled =
            history.map(|limits| limits.iter().map(|one| limit(&one.budget, one.amount.0 * 2)).collect());
        assert_eq!(doubled.then("a/day", Instant(99)).map(|limit| limit.amount), Some(Pico(4)));
    }
}
