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
