//! When a model is left alone and when it is tried again: a state machine that is told the time.
//!
//! Invariants: at most one probe is out at any time; a probe that ends without a verdict frees its place; a deadline only
//! ever moves later while the breaker is open, so that the longest one wins.

use std::time::{Duration, Instant};

use crate::config::providers::BreakerSpec;

/// The window is counted in this many slices, so that old failures leave it one slice at a time.
const SLICES: usize = 8;
/// The longest that a breaker stays open, however long a provider asks for.
const LONGEST: Duration = Duration::from_secs(600);
/// How many times the cool-down doubles at most.
const DOUBLINGS: u32 = 3;

/// How a call ended, as far as its model's health goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The model answers.
    Well,
    /// It does not; the provider may have asked to wait.
    Ill(Option<Duration>),
    /// The call says nothing about it.
    Unknown,
}

/// The state to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Calls go through.
    Closed,
    /// No call goes through until then.
    Open(Instant),
    /// One call may try, or is trying.
    HalfOpen,
}

#[derive(Clone, Copy, Default)]
struct Slice {
    number: u64,
    well: u32,
    ill: u32,
}

/// A breaker of one model at one provider.
pub(crate) struct Breaker {
    spec: BreakerSpec,
    origin: Instant,
    slices: [Slice; SLICES],
    open_until: Option<Instant>,
    probing: bool,
    /// How often it opened since it was last closed.
    opened: u32,
}

impl Breaker {
    pub(crate) fn new(spec: BreakerSpec, now: Instant) -> Self {
        let slices = [Slice::default(); SLICES];
        Self { spec, origin: now, slices, open_until: None, probing: false, opened: 0 }
    }

    /// Says whether a call may go out, and whether it would be the probe. Changes nothing: see [`Self::take`].
    ///
    /// As a last resort a probe may go out before its time, for there is nobody else to ask. Where none may, says when one
    /// may; nothing while one is out.
    pub(crate) fn may(&self, last_resort: bool, now: Instant) -> Result<bool, Option<Instant>> {
        match self.open_until {
            None => Ok(false),
            Some(_) if self.probing => Err(None),
            Some(until) if now >= until || last_resort => Ok(true),
            until => Err(until),
        }
    }

    /// Takes the probe's place, once the call is certain to go out.
    pub(crate) fn take(&mut self, probe: bool) {
        self.probing |= probe;
    }

    /// Hears how a call ended.
    pub(crate) fn ended(&mut self, probe: bool, verdict: Verdict, now: Instant) {
        if probe {
            self.probing = false;
        }
        match verdict {
            Verdict::Unknown => {}
            Verdict::Well => {
                // Calls from before it opened say nothing about now; only the probe closes it.
                if probe {
                    self.open_until = None;
                    self.opened = 0;
                    self.slices = [Slice::default(); SLICES];
                }
                if let Some(slice) = self.slice(now) {
                    slice.well = slice.well.saturating_add(1);
                }
            }
            Verdict::Ill(wait) => {
                if let Some(slice) = self.slice(now) {
                    slice.ill = slice.ill.saturating_add(1);
                }
                if probe || self.open_until.is_some() || self.too_many(now) {
                    self.open(probe, wait, now);
                }
            }
        }
    }

    /// Opens at once.
    pub(crate) fn open(&mut self, probe: bool, wait: Option<Duration>, now: Instant) {
        if probe || self.open_until.is_none() {
            self.opened = self.opened.saturating_add(1);
        }
        let doubled = 1 << self.opened.saturating_sub(1).min(DOUBLINGS);
        let cool_down =
            self.spec.cool_down.saturating_mul(doubled).max(wait.unwrap_or_default()).min(LONGEST);
        let until = now + cool_down;
        self.open_until = Some(self.open_until.map_or(until, |known| known.max(until)));
    }

    fn number(&self, now: Instant) -> u64 {
        let slice = (self.spec.window.as_nanos() / SLICES as u128).max(1);
        u64::try_from(now.saturating_duration_since(self.origin).as_nanos() / slice).unwrap_or(u64::MAX)
    }

    fn slice(&mut self, now: Instant) -> Option<&mut Slice> {
        let number = self.number(now);
        let at = usize::try_from(number % SLICES as u64).unwrap_or(0);
        let slice = self.slices.get_mut(at)?;
        if slice.number < number {
            *slice = Slice { number, ..Slice::default() };
        }
        Some(slice)
    }

    fn too_many(&self, now: Instant) -> bool {
        let oldest = self.number(now).saturating_sub(SLICES as u64 - 1);
        let fresh = self.slices.iter().filter(|slice| slice.number >= oldest);
        let (well, ill) = fresh.fold((0u32, 0u32), |(well, ill), slice| {
            (well.saturating_add(slice.well), ill.saturating_add(slice.ill))
        });
        ill >= self.spec.failures && ill >= well
    }

    pub(crate) fn phase(&self, now: Instant) -> Phase {
        match self.open_until {
            None => Phase::Closed,
            Some(_) if self.probing => Phase::HalfOpen,
            Some(until) if now >= until => Phase::HalfOpen,
            Some(until) => Phase::Open(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec() -> BreakerSpec {
        BreakerSpec { failures: 5, window: Duration::from_secs(30), cool_down: Duration::from_secs(15) }
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn opened(start: Instant) -> Breaker {
        let mut breaker = Breaker::new(spec(), start);
        for _ in 0..5 {
            breaker.ended(false, Verdict::Ill(None), start);
        }
        breaker
    }

    #[test]
    fn a_storm_of_failures_takes_a_model_out_at_once() {
        let start = Instant::now();
        let mut breaker = Breaker::new(spec(), start);
        for _ in 0..4 {
            breaker.ended(false, Verdict::Ill(None), start);
            assert_eq!(breaker.may(false, start), Ok(false));
        }
        breaker.ended(false, Verdict::Ill(None), start);
        assert_eq!(breaker.may(false, start), Err(Some(after(start, 15))));
        assert_eq!(breaker.phase(start), Phase::Open(after(start, 15)));
    }

    #[test]
    fn a_few_failures_among_many_answers_are_no_reason() {
        let start = Instant::now();
        let mut breaker = Breaker::new(spec(), start);
        for call in 0..1000 {
            let verdict = if call % 3 == 2 { Verdict::Ill(None) } else { Verdict::Well };
            breaker.ended(false, verdict, start);
            assert_eq!(breaker.may(false, start), Ok(false), "call {call}");
        }
    }

    #[test]
    fn failures_that_are_long_past_do_not_count() {
        let start = Instant::now();
        let mut breaker = Breaker::new(spec(), start);
        for call in 0..40 {
            let now = after(start, call * 10);
            breaker.ended(false, Verdict::Ill(None), now);
            assert_eq!(breaker.may(false, now), Ok(false), "a failure every 10 s stays below 5 in 30 s");
        }
    }

    #[test]
    fn one_probe_goes_out_and_its_answer_closes_the_breaker() {
        let start = Instant::now();
        let mut breaker = opened(start);
        let then = after(start, 15);
        assert_eq!(breaker.may(false, then), Ok(true));
        breaker.take(true);
        assert_eq!(breaker.may(false, then), Err(None));
        assert_eq!(breaker.may(true, then), Err(None), "not even as a last resort");
        breaker.ended(true, Verdict::Well, then);
        assert_eq!(breaker.may(false, then), Ok(false));
        assert_eq!(breaker.phase(then), Phase::Closed);
    }

    #[test]
    fn a_probe_that_fails_makes_the_wait_longer_up_to_a_bound() {
        let start = Instant::now();
        let mut breaker = opened(start);
        let mut waits = Vec::new();
        let mut now = start;
        for _ in 0..6 {
            let Phase::Open(until) = breaker.phase(now) else { panic!("should be open") };
            waits.push((until - now).as_secs());
            now = until;
            assert_eq!(breaker.may(false, now), Ok(true));
            breaker.take(true);
            breaker.ended(true, Verdict::Ill(None), now);
        }
        assert_eq!(waits, [15, 30, 60, 120, 120, 120]);
    }

    #[test]
    fn a_probe_whose_client_went_away_frees_its_place() {
        let start = Instant::now();
        let mut breaker = opened(start);
        let then = after(start, 20);
        breaker.take(true);
        breaker.ended(true, Verdict::Unknown, then);
        assert_eq!(breaker.may(false, then), Ok(true), "the next call may be the probe");
    }

    #[test]
    fn stragglers_move_the_deadline_later_never_earlier() {
        let start = Instant::now();
        let mut breaker = opened(start);
        breaker.ended(false, Verdict::Ill(Some(Duration::from_secs(60))), after(start, 1));
        assert_eq!(breaker.phase(after(start, 2)), Phase::Open(after(start, 61)));
        breaker.ended(false, Verdict::Ill(None), after(start, 3));
        assert_eq!(
            breaker.phase(after(start, 4)),
            Phase::Open(after(start, 61)),
            "the longest deadline wins"
        );
        breaker.ended(false, Verdict::Well, after(start, 5));
        assert_eq!(
            breaker.phase(after(start, 6)),
            Phase::Open(after(start, 61)),
            "an old call's luck is no probe"
        );
        breaker.ended(false, Verdict::Ill(Some(Duration::from_secs(172_800))), after(start, 7));
        assert_eq!(breaker.phase(after(start, 8)), Phase::Open(after(start, 7) + LONGEST), "never for ever");
    }

    #[test]
    fn as_a_last_resort_a_probe_goes_out_before_its_time() {
        let start = Instant::now();
        let mut breaker = opened(start);
        assert!(breaker.may(false, start).is_err());
        assert_eq!(breaker.may(true, start), Ok(true));
        breaker.take(true);
        breaker.ended(true, Verdict::Well, start);
        assert_eq!(breaker.may(false, start), Ok(false));
    }

    proptest! {
        /// Whatever happens: one probe at most, none lost, and time always heals.
        #[test]
        fn probes_neither_double_nor_leak(
            steps in prop::collection::vec((0u8..6, any::<bool>(), 0u64..20_000, 0u64..100_000), 1..200),
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut breaker = Breaker::new(spec(), start);
            let mut probes = 0u32;
            let mut calls = 0u32;
            let mut deadline: Option<Instant> = None;
            for (what, flag, millis, wait) in steps {
                now += Duration::from_millis(millis);
                let verdict = match wait % 4 {
                    0 => Verdict::Well,
                    1 => Verdict::Unknown,
                    2 => Verdict::Ill(None),
                    _ => Verdict::Ill(Some(Duration::from_millis(wait))),
                };
                match what {
                    0..=2 => if let Ok(probe) = breaker.may(flag, now) {
                        breaker.take(probe);
                        if probe { probes += 1 } else { calls += 1 }
                    },
                    3 if probes > 0 => { probes -= 1; breaker.ended(true, verdict, now); deadline = None; }
                    _ if calls > 0 => { calls -= 1; breaker.ended(false, verdict, now); }
                    _ => {}
                }
                prop_assert!(probes <= 1);
                prop_assert_eq!(breaker.probing, probes == 1);
                if let (Some(before), Some(until)) = (deadline, breaker.open_until) {
                    prop_assert!(until >= before, "a deadline moved earlier");
                }
                deadline = breaker.open_until;
            }
            if probes == 1 {
                breaker.ended(true, Verdict::Unknown, now);
            }
            prop_assert!(breaker.may(false, now + LONGEST).is_ok(), "time heals");
        }
    }
}
