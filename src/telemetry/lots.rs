//! What lots decided near the thresholds of a route that explores: for each such request the chance it had, and what became of it.
//!
//! Invariants: all is taken away as it was added; what became of a request is kept only where the log's own first call is that
//! of the rung drawn, so that nothing estimated passes for seen.

use std::collections::VecDeque;

use super::Sign;
use super::sign::sums;
use super::sums::Sums;
use crate::outcome::{Choice, Evidence, Outlook};
use crate::routing::{Route, Rungs};
use crate::units::{PerMille, Pico};

/// A request for which a lot was drawn that could have placed it elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lot {
    /// Its own confidence.
    pub confidence: PerMille,
    /// The rungs that might serve it.
    pub open: Rungs,
    /// The rung that it was drawn to start on.
    pub start: u8,
    /// A number from 0 to 4 that has nothing to do with what became of it.
    pub fold: u8,
    /// The tokens of its prompt; 0 where not known.
    pub prompt: u32,
    /// What all its calls cost, where all of that is known.
    pub cost: Option<Pico>,
    /// How good its answer is known to be.
    pub quality: Option<PerMille>,
}

/// The requests of a route by whether a lot was drawn for them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Lots {
    rows: VecDeque<Lot>,
    /// By confidence, those whose lot could not have changed anything; empty where the route explores nothing.
    sure: Vec<u32>,
}

impl Lots {
    /// Makes one of requests, and of those by confidence whose lot changed nothing.
    pub fn new(rows: VecDeque<Lot>, sure: Vec<u32>) -> Self {
        Self { rows, sure }
    }

    /// Says whether nothing was drawn.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Lists the requests for which a lot was drawn.
    pub fn rows(&self) -> impl Iterator<Item = &Lot> {
        self.rows.iter()
    }

    /// Lists the confidences of those whose lot could not have changed anything, with how many they are.
    pub fn sure(&self) -> impl Iterator<Item = (PerMille, u32)> {
        let at = |(at, count): (usize, &u32)| Some((PerMille::new(u16::try_from(at).ok()?)?, *count));
        self.sure.iter().enumerate().filter(|(_, count)| **count > 0).filter_map(at)
    }

    /// Adds others of the same route.
    pub(super) fn merge(&mut self, other: &Self) {
        self.rows.extend(&other.rows);
        if self.sure.is_empty() {
            self.sure.clone_from(&other.sure);
        } else {
            for (mine, theirs) in self.sure.iter_mut().zip(&other.sure) {
                *mine = mine.saturating_add(*theirs);
            }
        }
    }

    /// Adds or takes away a request of a route that explores; `became` is what the rung made of it that it was drawn to.
    pub(super) fn apply(
        &mut self,
        evidence: &Evidence<'_>,
        route: &Route,
        outlook: &Outlook<'_>,
        (open, became): (Rungs, &Sums),
        sign: Sign,
    ) {
        let operation = evidence.operation;
        let Some(confidence) = operation.confidence() else { return };
        let circumstance = outlook.circumstances.get(operation.circumstance);
        let start = |by| route.place(Some(by), open);
        let by = route.placed_by(Some(confidence), operation.draw, circumstance).unwrap_or(confidence);
        let own = start(by);
        let ways = route.ways(Some(confidence), operation.draw, circumstance);
        let is_drawn = |ways: [(PerMille, u16); 3]| ways.iter().any(|(way, _)| start(*way) != own);
        let drawn = own.filter(|_| ways.is_some_and(is_drawn));
        let Some((own, rung)) = drawn.and_then(|own| Some((own, route.ladder.get(own)?))) else {
            if self.sure.is_empty() {
                self.sure = vec![0; PerMille::VALUES];
            }
            if let Some(count) = self.sure.get_mut(confidence.bin()) {
                sign.one(count);
            }
            return;
        };
        let choice = Choice::from(rung);
        let first = evidence.attempts().next();
        let is_seen = first.is_some_and(|call| {
            call.effort == choice.with.effort && outlook.prices.same(call.model, rung.model)
        });
        let is_known = is_seen && became.estimated == 0 && became.unknown == 0;
        let quality = u16::try_from(became.quality).ok().and_then(PerMille::new);
        let lot = Lot {
            confidence,
            open,
            start: u8::try_from(own).unwrap_or(u8::MAX),
            fold: u8::try_from(operation.at.0.rem_euclid(5)).unwrap_or(0),
            prompt: first
                .and_then(|call| call.usage.prompt())
                .and_then(|tokens| u32::try_from(tokens).ok())
                .unwrap_or(0),
            cost: is_known.then_some(Pico(became.known)),
            quality: quality.filter(|_| is_seen && became.labelled > 0),
        };
        match sign {
            Sign::Plus => self.rows.push_back(lot),
            Sign::Minus => {
                // The oldest goes first, so that it is found at once.
                if let Some(at) = self.rows.iter().position(|row| *row == lot) {
                    let _ = self.rows.remove(at);
                }
            }
        }
    }
}

sums! {
    /// What exploring comes to at most.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Exploring {
        /// Requests near enough to a threshold to be drawn.
        pub requests: u64,
        /// What drawing costs beyond not drawing, at worst: every cheaper answer is thrown away and paid for besides.
        pub worst: Pico,
    }
}
