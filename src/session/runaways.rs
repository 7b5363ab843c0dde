//! A log played against rules: where each would have tripped, for whom, and what was spent from there on.
//!
//! Invariant: every request stands as it was recorded; a charge counts when its call was over, as it does live.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::whose::whose_of;
use super::{Log, LogNote, NoteKind, Player, Reading, settle_one};
use crate::outcome::{Attempt, Settled};
use crate::pricing::{Cost, CostSum};
use crate::runaway::{Call, Kind, Rule, Runaways, Then, ToldTrip, Trip, Whom, Whose};
use crate::units::{Instant, Pico, Span};

/// The most trips that are followed to the end of the log.
const MOST: usize = 1000;

/// A rule that would have tripped.
#[derive(Clone, Debug)]
pub struct Tripped {
    /// What, when, who.
    pub trip: Arc<Trip>,
    /// The place of its request in the log.
    pub index: usize,
    /// Requests of the same one from there on.
    pub requests_after: u64,
    /// What they cost: what a stop there would have saved.
    pub cost_after: CostSum,
    /// When the last of them came.
    pub last: Instant,
}

/// What a log comes to under rules.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    /// Where they would have tripped, in order of time.
    pub tripped: Vec<Tripped>,
    /// Trips in all; more than are listed where there are very many.
    pub count: u64,
    /// Requests that follow a tool call that the log tells.
    pub calls_told: u64,
    /// Requests.
    pub requests: u64,
}

/// A charge that counts once its call is over: when, of which request and call, what, and whose.
type Due = Reverse<(Instant, usize, usize)>;

/// Plays a log against rules. `tick` hears how many requests are over, and may cancel by answering false, which gives none.
pub fn watched(log: &Log, rules: &[Rule], mut tick: impl FnMut(usize) -> bool) -> Option<Watched> {
    // Frozen is nobody, as the log shows what went on.
    let told = rules.iter().map(|rule| Rule { then: Then::Tell, ..rule.clone() });
    let mut runaways = Runaways::new(told);
    let mut found = Watched::default();
    let mut due: BinaryHeap<Due> = BinaryHeap::new();
    let mut charges: FxHashMap<(usize, usize), (Arc<Whose>, Cost)> = FxHashMap::default();
    let mut followed: FxHashMap<Whom, Vec<usize>> = FxHashMap::default();
    let mut settled = Settled::default();
    let outlook = log.outlook();
    for (index, recalled) in log.history.range(log.history.start(), log.history.len()) {
        let evidence = recalled.evidence();
        let at = evidence.operation.at;
        while let Some(Reverse((_, of, nth))) = due.peek().filter(|Reverse((end, ..))| *end <= at).copied() {
            due.pop();
            if let Some((whose, cost)) = charges.remove(&(of, nth)) {
                runaways.spent(&whose, cost);
            }
        }
        settle_one(&evidence, Reading::Recorded, log.policy_at(index), &outlook, &mut settled);
        // What was made up in a provider's place is nobody's money.
        let is_paid = |call: &&Attempt| !evidence.stands_in(call.model);
        let whose = Arc::new(whose_of(&log.names, &evidence));
        let call = Call::unpacked(evidence.operation.call);
        found.requests += 1;
        found.calls_told += u64::from(call.is_some());
        for trip in runaways.arrived(&whose, call, at).trips {
            found.count += 1;
            if found.tripped.len() < MOST {
                let then =
                    rules.iter().find(|rule| rule.name == trip.rule).map_or(trip.then, |rule| rule.then);
                let trip = Arc::new(Trip { then, ..(*trip).clone() });
                followed.entry(trip.whom.clone()).or_default().push(found.tripped.len());
                let after =
                    Tripped { trip, index, requests_after: 0, cost_after: CostSum::default(), last: at };
                found.tripped.push(after);
            }
        }
        if !followed.is_empty() {
            for kind in Kind::ALL.map(|(_, kind)| kind) {
                let Some(name) = whose.name(kind) else { continue };
                for place in followed.get(&Whom { kind, name }).into_iter().flatten() {
                    let Some(after) = found.tripped.get_mut(*place) else { continue };
                    after.requests_after += 1;
                    after.last = at;
                    for call in settled.attempts.iter().filter(is_paid) {
                        after.cost_after.add(call.cost);
                    }
                }
            }
        }
        let mut end = at;
        for (nth, call) in settled.attempts.iter().enumerate().filter(|(_, call)| call.status.is_call()) {
            let took = call.latency.get().unwrap_or(0).saturating_add(u64::from(call.waited));
            end = end + Span::millis(took);
            due.push(Reverse((end, index, nth)));
            let cost = if is_paid(&call) { call.cost } else { Cost::Known(Pico::ZERO) };
            charges.insert((index, nth), (Arc::clone(&whose), cost));
        }
        if index % 4096 == 0 && !tick(index) {
            return None;
        }
    }
    Some(found)
}

/// Plays a log against rules, unless it tells of trips itself: then those are what happened, and nothing is found.
pub fn would_trip(log: &Log, rules: &[Rule]) -> Watched {
    if log.notes.iter().any(|note| ToldTrip::parse(&note.text).is_some()) {
        return Watched::default();
    }
    watched(log, rules, |_| true).unwrap_or_default()
}

/// Does the same, unless the log is so long that whoever opens a console would wait for it.
pub fn would_trip_at_once(log: &Log, rules: &[Rule]) -> Watched {
    if log.len() <= AT_ONCE { would_trip(log, rules) } else { Watched::default() }
}

/// The most requests of a log that is looked through before its console opens.
const AT_ONCE: usize = 300_000;

impl Log {
    /// Marks where rules would have tripped, among its notes.
    pub fn mark_runaways(&mut self, found: &Watched) {
        for one in &found.tripped {
            let spent = one.cost_after.total().dollars();
            let mark = if one.cost_after.estimated > crate::units::Pico::ZERO { "~" } else { "" };
            let text = format!("{}; {mark}{spent} was spent from here on", one.trip.words());
            let place = self.notes.partition_point(|note| note.at <= one.trip.at);
            self.notes.insert(place, LogNote::new(one.trip.at, NoteKind::Runaway, text));
        }
    }
}

impl Player {
    /// Marks where rules would have tripped in the log, among its events.
    pub fn mark_runaways(&mut self, found: &Watched) {
        if !found.tripped.is_empty() {
            Arc::make_mut(&mut self.log).mark_runaways(found);
        }
    }
}
