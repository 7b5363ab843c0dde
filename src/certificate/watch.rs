//! One rung's certificate over time: given when there is evidence enough, withdrawn when something speaks against it.
//!
//! Invariant: a fold over requests in their order. What it says may be read at any moment; what happens after a withdrawal
//! rests on labels after it alone.

use std::sync::Arc;

use super::drift::{Drift, DriftReading, Reference};
use super::evidence::{Alarm, Steps};
use super::kept::{Kept, Losses};
use super::label::{Label, Loss};
use super::spread::Spread;
use super::standing::Withdrawn;
use crate::units::{Instant, PerMille, Span};

/// Confidences that drift is looked for in.
const WINDOW: usize = 1000;
/// Events remembered.
const TURNS: usize = 32;
/// Requests between two looks.
const LOOK: u64 = 100;

/// What is promised, and for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The most loss, of all requests.
    pub epsilon: f64,
    /// The chance that a certificate is wrong.
    pub delta: f64,
    /// Answers of this quality or better are acceptable.
    pub acceptable: PerMille,
    /// How long a certificate stands at most.
    pub lasts: Span,
    /// Series among which false alarms of drift are divided.
    pub series: u32,
}

impl Default for Terms {
    fn default() -> Self {
        let acceptable = PerMille::clamped(500);
        Self { epsilon: 0.02, delta: 0.05, acceptable, lasts: Span::days(30), series: 8 }
    }
}

/// A certificate that stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Given {
    /// When it was given.
    pub at: Instant,
    /// The lowest threshold it covers.
    pub threshold: PerMille,
}

/// What became of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It was given, from a threshold on.
    Given(PerMille),
    /// It was withdrawn.
    Withdrawn(Withdrawn),
}

/// What can be said of a rung.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The certificate, where one stands.
    pub given: Option<Given>,
    /// Labels since evidence began.
    pub n: u64,
    /// Of those, lost at or above the certified threshold, or at 1000 where none is.
    pub losses: u64,
    /// The chance of so few by luck, however often it was looked at: where a certificate stands, no more than it was given for.
    pub p_value: f64,
    /// What the loss there stays below: where a certificate stands, no more than it promises.
    pub bound: f64,
    /// Labels that are missing for a certificate; of one that stands, for a threshold one lower.
    pub needed: u64,
    /// When the last one was withdrawn, and why.
    pub withdrawn: Option<(Instant, Withdrawn)>,
    /// How far confidences are from how they were when it was given; without one, from how they were at first.
    pub drift: Option<DriftReading>,
}

/// One rung beside the strongest, watched.
#[derive(Clone, Debug)]
pub struct Watch {
    terms: Terms,
    steps: Steps,
    given: Option<Given>,
    alarm: Alarm,
    spread: Spread,
    told: Losses,
    kept: Option<Kept>,
    drift: Option<Drift>,
    seen: u64,
    /// Whether anything could have been lost since evidence began: some strong answer was acceptable.
    may_lose: bool,
    withdrawn: Option<(Instant, Withdrawn)>,
    turns: Vec<(Instant, Turn)>,
}

impl Watch {
    /// Starts with no evidence.
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            steps: Steps::new(terms.epsilon, terms.delta),
            given: None,
            alarm: Alarm::new(terms.epsilon),
            spread: Spread::default(),
            told: Losses::default(),
            kept: None,
            drift: None,
            seen: 0,
            may_lose: false,
            withdrawn: None,
            turns: Vec::new(),
        }
    }

    /// Takes the confidence of a request of the route.
    pub fn arrive(&mut self, at: Instant, confidence: PerMille) {
        if self.given.is_some_and(|given| at - given.at > self.terms.lasts) {
            self.withdraw(at, Withdrawn::Age);
        }
        self.seen += 1;
        // What a certificate is watched against is the traffic up to it; without one the first stretch there is.
        if self.drift.is_none() || self.given.is_none() {
            self.spread.note(confidence);
        }
        let is_look = self.seen.is_multiple_of(LOOK);
        match &mut self.drift {
            Some(drift) => drift.observe(confidence),
            None if is_look => self.remember(),
            None => {}
        }
        let is_watched = is_look && self.given.is_some();
        if is_watched && self.drift.as_mut().is_some_and(|drift| drift.look().has_drifted) {
            self.withdraw(at, Withdrawn::Drift);
        }
    }

    /// Takes what became known of both answers to a request.
    pub fn judge(&mut self, at: Instant, label: &Label) {
        let measure = Loss::Acceptable(self.terms.acceptable);
        let loss = measure.of(label);
        self.may_lose |= measure.may_be_any([label]);
        let is_lost = loss > PerMille::ZERO;
        if let Some(given) = self.given {
            let is_served = label.confidence >= given.threshold;
            self.alarm.observe(if is_served { loss } else { PerMille::ZERO });
            if self.alarm.fires(self.terms.delta) {
                self.withdraw(at, Withdrawn::Alarm);
                return;
            }
            if let Some(kept) = &mut self.kept {
                kept.observe(label.confidence, is_lost);
                if kept.is_broken() {
                    self.withdraw(at, Withdrawn::Calibration);
                    return;
                }
            }
        } else {
            self.told.note(label.confidence, is_lost);
        }
        self.steps.observe((label.confidence, label.judged_from), is_lost);
        let Some((threshold, _)) = self.steps.certified().filter(|_| self.may_lose) else { return };
        if let Some(given) = &mut self.given {
            given.threshold = given.threshold.min(threshold);
            return;
        }
        self.given = Some(Given { at, threshold });
        self.turn(at, Turn::Given(threshold));
        self.alarm = Alarm::new(self.terms.epsilon);
        self.kept = Kept::new(&self.told);
        self.remember();
    }

    /// Takes how confidences have been spread so far for how they are, if that is enough to tell.
    fn remember(&mut self) {
        let reference = Reference::new(&self.spread, self.terms.series);
        self.drift = reference.map(|reference| Drift::new(Arc::new(reference), WINDOW));
    }

    /// Begins anew, since what evidence rested on has changed; a certificate that stood is withdrawn.
    pub fn withdraw(&mut self, at: Instant, why: Withdrawn) {
        let withdrawn = if self.given.is_some() { Some((at, why)) } else { self.withdrawn };
        if self.given.is_some() {
            self.turn(at, Turn::Withdrawn(why));
        }
        let turns = std::mem::take(&mut self.turns);
        *self = Self { withdrawn, turns, ..Self::new(self.terms) };
    }

    fn turn(&mut self, at: Instant, turn: Turn) {
        if self.turns.len() >= TURNS {
            self.turns.remove(0);
        }
        self.turns.push((at, turn));
    }

    /// Lists what became of its certificates, the latest last.
    pub fn turns(&self) -> &[(Instant, Turn)] {
        &self.turns
    }

    /// Says whether a certificate stands.
    pub fn stands(&self) -> bool {
        self.given.is_some()
    }

    /// Counts the labels since evidence began.
    pub fn labels(&self) -> u64 {
        self.steps.n()
    }

    /// Counts the requests since evidence began.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Counts the losses at or above a threshold, and says what the loss there stays below.
    pub fn lost(&self, threshold: PerMille) -> (u64, f64) {
        (self.steps.losses_from(threshold), self.bound(threshold))
    }

    /// Returns what the loss at a threshold stays below. What was proved once stands, whatever evidence says later: all its moments
    /// hold together, so a threshold that is certified loses no more than that.
    fn bound(&self, threshold: PerMille) -> f64 {
        let now = self.steps.bound(threshold);
        match self.given {
            Some(given) if threshold >= given.threshold => now.min(self.terms.epsilon),
            _ => now,
        }
    }

    /// Says how it stands.
    pub fn standing(&self) -> Standing {
        let at = self.given.map_or(PerMille::ONE, |given| given.threshold);
        let lower = PerMille::new(at.get().saturating_sub(1)).unwrap_or_default();
        let wanted = if self.given.is_some() { lower } else { at };
        Standing {
            given: self.given,
            n: self.steps.n(),
            losses: self.steps.losses_from(at),
            p_value: self.steps.p_value(at).min(if self.given.is_some() { self.terms.delta } else { 1.0 }),
            bound: self.bound(at),
            needed: self.steps.needed(wanted),
            withdrawn: self.withdrawn,
            drift: self.drift.as_ref().map(Drift::read),
        }
    }
}
