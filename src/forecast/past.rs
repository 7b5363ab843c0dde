//! The hours that a forecast learns from, and how far it would have been off on them.

use super::profile::{Level, Profile, WEEK};
use crate::units::{Draw, Pico};

/// Thousandths of an hour, the unit in which time is left: a whole hour is 1000.
pub const HOUR: u64 = 1000;
/// A ratio of one, as actual over expected.
pub(super) const ONE: u64 = 1_000_000;
/// A ratio beyond which nothing is told apart any more.
const MOST: u64 = 1000 * ONE;
const DAY: usize = 24;
/// Days whose scatter is looked at, and moments from which the method is tried, one a day.
const DAYS: usize = 56;
/// Draws of what is left, for its range.
const DRAWS: usize = 400;

/// What whole hours cost, one after another without a gap; an hour without traffic cost nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours(Vec<Pico>);

/// How far a method was off when it was tried on the past: from one moment a day, each time over so many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackTest {
    /// The mean error of a total, in per mille of it, without its sign.
    pub mape: u64,
    /// How often it was tried.
    pub tries: usize,
    /// How many days ahead each time.
    pub days: usize,
    /// The ratio of actual to expected that one in ten tries stayed below, and one in ten went above.
    pub(super) low: u64,
    pub(super) high: u64,
}

/// What is known at a moment of the past.
#[derive(Debug)]
pub(super) struct Model {
    profile: Profile,
    level: Level,
    at: usize,
}

impl Model {
    /// Returns what is expected of the rest of the hour under way and of the whole hours after it.
    pub(super) fn ahead(&self, rest: u64, hours: usize) -> Pico {
        let mut at = self.at;
        let mut sum = Pico::ZERO;
        if rest > 0 {
            sum += self.level.of(self.profile.share(at)).proportion([rest], [HOUR]);
            at += 1;
        }
        let all: u64 = (0..WEEK).map(|hour| self.profile.share(hour)).sum();
        let weeks = (hours / WEEK) as u64;
        let left: u64 = (0..hours % WEEK).map(|hour| self.profile.share(at + hour)).sum();
        sum += self.level.of(all.saturating_mul(weeks).saturating_add(left));
        sum
    }

    /// Lists what is expected of each day to come, of a year at most; the last may be short.
    pub(super) fn days_ahead(&self, rest: u64, hours: usize) -> Vec<Pico> {
        let hours = hours.min(366 * DAY);
        let mut days = Vec::new();
        let (mut reached, mut taken) = (Pico::ZERO, 0);
        while taken < hours || days.is_empty() {
            taken = (taken + DAY).min(hours);
            let sum = self.ahead(rest, taken);
            days.push(sum - reached);
            reached = sum;
        }
        days
    }
}

impl Hours {
    /// Takes hours in order.
    pub fn new(hours: Vec<Pico>) -> Self {
        Self(hours)
    }

    /// Counts them.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what the last one cost.
    pub fn last(&self) -> Pico {
        self.0.last().copied().unwrap_or(Pico::ZERO)
    }

    pub(super) fn profile(&self) -> Option<Profile> {
        Profile::learn(&self.0)
    }

    pub(super) fn total(&self) -> Pico {
        self.0.iter().copied().sum()
    }

    /// Learns from the hours before a moment; none where they are less than a week, or cost nothing.
    pub(super) fn model(&self, at: usize) -> Option<Model> {
        let hours = self.0.get(..at)?;
        let profile = Profile::learn(hours)?;
        let level = Level::find(hours, &profile)?;
        Some(Model { profile, level, at })
    }

    pub(super) fn sum(&self, from: usize, to: usize) -> Pico {
        self.0.get(from..to).unwrap_or_default().iter().copied().sum()
    }

    /// Lists the ratios of actual to expected totals over so many days, from one moment a day: those of the past at which a
    /// forecast could be made and was over by now.
    fn ratios(&self, days: usize) -> Vec<u64> {
        let hours = days * DAY;
        let tries = (0..DAYS).map_while(|day| self.len().checked_sub(hours + day * DAY));
        let ratio = |at: usize| {
            let expected = self.model(at)?.ahead(0, hours);
            let actual = self.sum(at, at + hours).0.max(0).saturating_mul(i128::from(ONE));
            (expected > Pico::ZERO)
                .then(|| u64::try_from(actual / expected.0).map_or(MOST, |ratio| ratio.min(MOST)))
        };
        tries.take_while(|at| *at >= WEEK).filter_map(ratio).collect()
    }

    /// Tries the method on the past, over so many days or over as many as leave enough moments to try it from.
    pub(super) fn back_test(&self, days: usize) -> Option<BackTest> {
        let whole = (self.len() / DAY).saturating_sub(WEEK / DAY);
        let days = days.min(whole / 2).max(1);
        let mut ratios = self.ratios(days);
        if ratios.len() < 2 {
            return None;
        }
        // Of the actual total, as errors are given: |expected - actual| / actual.
        let errors: Vec<u64> = ratios
            .iter()
            .filter(|ratio| **ratio > 0)
            .map(|ratio| {
                u64::try_from(u128::from(ratio.abs_diff(ONE)) * 1000 / u128::from(*ratio)).unwrap_or(u64::MAX)
            })
            .collect();
        let mape =
            errors.iter().fold(0u64, |sum, error| sum.saturating_add(*error)) / (errors.len() as u64).max(1);
        ratios.sort_unstable();
        let (low, high) = tenths(&ratios);
        Some(BackTest { mape, tries: ratios.len(), days, low, high })
    }

    /// Says how far what is left may be off: by trying the method on the past, and by the scatter of its days.
    pub(super) fn scatter(&self, model: &Model, rest: u64, hours: usize) -> (Option<BackTest>, (u64, u64)) {
        let backtest = self.back_test(hours.div_ceil(DAY).max(1));
        let (low, high) = self.range(model, &model.days_ahead(rest, hours));
        let wider = |test: &BackTest| (low.min(test.low), high.max(test.high));
        (backtest, backtest.as_ref().map_or((low, high), wider))
    }

    /// Returns the ratios to what is expected of the days to come that one in ten draws stays below, and one in ten goes
    /// above: each day drawn from how far single days of the past were off.
    pub(super) fn range(&self, model: &Model, days: &[Pico]) -> (u64, u64) {
        let mut ratios = self.ratios(1);
        if ratios.len() < 3 {
            // A day or two past the first week: how far its days were off the level at its end.
            ratios.extend((1..=WEEK / DAY).filter_map(|day| {
                let from = self.len().checked_sub(day * DAY)?;
                let share: u64 = (from..from + DAY).map(|hour| model.profile.share(hour)).sum();
                let (actual, expected) =
                    (self.sum(from, from + DAY).0.max(0), model.level.of(share).0.max(1));
                u64::try_from(actual.saturating_mul(i128::from(ONE)) / expected)
                    .ok()
                    .map(|ratio| ratio.min(MOST))
            }));
        }
        let whole: Pico = days.iter().copied().sum();
        if ratios.is_empty() || whole <= Pico::ZERO {
            return (ONE, ONE);
        }
        let mut draws: Vec<u64> = (0..DRAWS)
            .map(|draw| {
                let sum: Pico = days
                    .iter()
                    .enumerate()
                    .map(|(day, expected)| {
                        let which = Draw::at(0, (draw * 1009 + day) as u64).next() % ratios.len() as u64;
                        let ratio = ratios.get(usize::try_from(which).unwrap_or(0)).copied().unwrap_or(ONE);
                        expected.proportion([ratio], [ONE])
                    })
                    .sum();
                u64::try_from(sum.0.max(0).saturating_mul(i128::from(ONE)) / whole.0).unwrap_or(u64::MAX)
            })
            .collect();
        draws.sort_unstable();
        tenths(&draws)
    }
}

/// Returns the values at one and at nine tenths of sorted ones, one itself between them.
fn tenths(sorted: &[u64]) -> (u64, u64) {
    let last = sorted.len().saturating_sub(1);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(ONE);
    (at(last / 10).min(ONE), at(last - last / 10).max(ONE))
}
