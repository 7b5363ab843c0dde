//! The state machine of one automation.

use std::sync::Arc;

use super::Rule;
use crate::units::{Instant, PerMille};

/// A share that an automation wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The automation.
    pub name: Arc<str>,
    /// The share of sessions.
    pub share: PerMille,
    /// In words: from what to what, and why.
    pub words: String,
    /// Whether it is to be done; else it is only said.
    pub acts: bool,
}

/// One automation.
#[derive(Clone, Debug)]
pub struct Automation {
    /// The rule.
    pub rule: Arc<Rule>,
    /// The share at present; of one that only proposes, the share that it would have come to.
    pub share: PerMille,
    /// Since when; none before the first change.
    pub since: Option<Instant>,
    /// Whether the signal says so.
    pub is_on: bool,
    /// The last reading.
    pub reading: Option<u64>,
    /// Why it could not act; empty where it could.
    pub refused: String,
}

impl Automation {
    /// Starts one at a share that is in force already.
    pub fn new(rule: Arc<Rule>, share: PerMille) -> Self {
        let is_on = share > PerMille::ZERO;
        Self { rule, share, since: None, is_on, reading: None, refused: String::new() }
    }

    /// Hears a reading; what nobody knows changes nothing.
    pub fn hear(&mut self, reading: Option<u64>) {
        self.reading = reading;
        if let Some(is_on) = reading.and_then(|reading| self.rule.bounds.turns(reading)) {
            self.is_on = is_on;
        }
    }

    /// Lets time reach a moment: the share that it wants now, where that is another; none while nobody knows the reading.
    pub fn pass(&self, at: Instant) -> Option<Proposal> {
        let stays = self.since.is_some_and(|since| at - since < self.rule.dwell);
        let goal = if self.is_on { self.rule.share } else { PerMille::ZERO };
        if stays || goal == self.share || self.reading.is_none() {
            return None;
        }
        let (now, goal) = (i64::from(self.share.get()), i64::from(goal.get()));
        let step = i64::from(self.rule.step.get()).max(1);
        let share = PerMille::clamped(now + (goal - now).clamp(-step, step));
        let Rule { name, signal, route, to, acts, .. } = &*self.rule;
        let done = if *acts { "automation" } else { "proposal of automation" };
        let words = format!(
            "{done} {name}: {now}‰ to {share}‰ of route {route} start on {to}; {}",
            signal.told(self.reading)
        );
        Some(Proposal { name: Arc::clone(name), share, words, acts: *acts })
    }

    /// Notes that a share is in force, or would be.
    pub fn shifted(&mut self, share: PerMille, at: Instant) {
        (self.share, self.since) = (share, Some(at));
        self.refused.clear();
    }

    /// Notes why it could not act; says whether that is news. It asks again after as long as a share stays.
    pub fn refuse(&mut self, why: &str, at: Instant) -> bool {
        let is_new = self.refused != why;
        why.clone_into(&mut self.refused);
        self.since = Some(at);
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bounds, Signal};
    use super::*;
    use crate::units::Span;
    use proptest::prelude::*;

    fn rule() -> Arc<Rule> {
        Arc::new(Rule {
            name: "spare".into(),
            signal: Signal::Headroom("anthropic".into()),
            bounds: Bounds { on: 150, off: 400, is_above: false },
            route: "code".into(),
            to: "large".into(),
            share: PerMille::clamped(500),
            step: PerMille::clamped(200),
            dwell: Span::mins(5),
            acts: true,
        })
    }

    #[test]
    fn it_goes_in_steps_stays_between_its_bounds_and_comes_back() {
        let (mut one, mut at) = (Automation::new(rule(), PerMille::ZERO), Instant(0));
        let mut shares = Vec::new();
        for reading in [600, 160, 149, 149, 200, 399, 399, 400, 900, 900, 900] {
            one.hear(Some(reading));
            if let Some(proposal) = one.pass(at) {
                one.shifted(proposal.share, at);
            }
            assert!(one.pass(at + Span::mins(4)).is_none(), "a share stays for a while");
            shares.push(one.share.get());
            at = at + Span::mins(5);
        }
        assert_eq!(shares, [0, 0, 200, 400, 500, 500, 500, 300, 100, 0, 0]);
    }

    #[test]
    fn what_nobody_knows_changes_nothing_and_a_refusal_is_told_once() {
        let mut one = Automation::new(rule(), PerMille::ZERO);
        one.hear(None);
        assert_eq!(one.pass(Instant(0)), None);
        one.hear(Some(0));
        // It stood over the bound while the share had to stay, and is not known when it may go: nothing is shifted on it.
        one.hear(None);
        assert_eq!(one.pass(Instant(0)), None);
        one.hear(Some(0));
        assert!(
            one.pass(Instant(0)).unwrap().words.ends_with(
                "0‰ to 200‰ of route code start on large; 0.0 % of the quota at anthropic is left"
            )
        );
        assert!(
            one.refuse("route code is rolled out", Instant(0))
                && !one.refuse("route code is rolled out", Instant(1))
        );
        assert_eq!((one.share, one.pass(Instant(0) + Span::mins(1))), (PerMille::ZERO, None));
    }

    #[test]
    fn hours_go_over_midnight() {
        let at = |hour: i64| Instant(0) + Span::hours(hour);
        let night = Signal::Hours(22, 6);
        let within: Vec<i64> = (0..24).filter(|hour| night.by_clock(at(*hour)) == Some(1)).collect();
        assert_eq!(within, [0, 1, 2, 3, 4, 5, 22, 23]);
        assert_eq!(Signal::Hours(9, 17).by_clock(at(12) + Span::days(20_000)), Some(1));
    }

    proptest! {
        #[test]
        fn no_change_is_larger_than_a_step_or_comes_sooner_than_it_may(readings in proptest::collection::vec((proptest::option::of(0u64..1000), 1i64..400), 0..200)) {
            let (mut one, mut at, mut last) = (Automation::new(rule(), PerMille::ZERO), Instant(0), None);
            for (reading, later) in readings {
                at = at + Span::secs(later);
                one.hear(reading);
                if let Some(proposal) = one.pass(at) {
                    prop_assert!(proposal.share.get().abs_diff(one.share.get()) <= 200 && proposal.share.get() <= 500);
                    prop_assert!(last.is_none_or(|last| at - last >= Span::mins(5)));
                    one.shifted(proposal.share, at);
                    last = Some(at);
                }
            }
        }
    }
}
