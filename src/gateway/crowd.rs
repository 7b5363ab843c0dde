//! The connections there are: where all places are taken, one that asks for nothing makes room for one that may.
//!
//! Invariant: a connection that is being answered is never closed for another; of the rest the one that has asked for nothing
//! for the longest time goes first, and one whose request still comes only when there is none of those.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use super::socket::{Phase, Rest};

/// The connections there are.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    all: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    next: u64,
    by_number: FxHashMap<u64, Member>,
}

#[derive(Debug)]
struct Member {
    phase: Phase,
    leave: Arc<Notify>,
    is_leaving: bool,
}

/// A connection's place among the others.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    number: u64,
    phase: Phase,
    leave: Arc<Notify>,
}

impl Crowd {
    /// Takes a connection in.
    pub(super) fn join(self: &Arc<Self>, phase: &Phase) -> Seat {
        let leave = Arc::new(Notify::new());
        let member = Member { phase: phase.clone(), leave: Arc::clone(&leave), is_leaving: false };
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let number = all.next;
        all.next += 1;
        all.by_number.insert(number, member);
        Seat { crowd: Arc::clone(self), number, phase: phase.clone(), leave }
    }

    /// Counts the connections.
    pub(super) fn len(&self) -> usize {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).by_number.len()
    }

    /// Asks one connection to leave, unless as many are about to as wait for a place; says whether any is about to.
    pub(super) fn make_room(&self, waiting: usize) -> bool {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let leaving = all.by_number.values().filter(|member| member.is_leaving).count();
        if leaving >= waiting {
            return leaving > 0;
        }
        let resting = all.by_number.values_mut().filter(|member| !member.is_leaving);
        let idlest = resting
            .filter_map(|member| Some((member.phase.rest()?, member)))
            .min_by_key(|(rest, _)| (rest.is_receiving, rest.since));
        let Some((_, member)) = idlest else { return leaving > 0 };
        member.is_leaving = true;
        member.leave.notify_one();
        true
    }
}

impl Seat {
    /// Waits until this connection has to leave. One that is being answered by then stays.
    pub(super) async fn leaves(&self) -> Rest {
        loop {
            self.leave.notified().await;
            if let Some(rest) = self.phase.rest() {
                return rest;
            }
            let mut all = self.crowd.all.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(member) = all.by_number.get_mut(&self.number) {
                member.is_leaving = false;
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crowd.all.lock().unwrap_or_else(PoisonError::into_inner).by_number.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn the_idlest_goes_and_nobody_who_is_answered() {
        let crowd = Arc::new(Crowd::default());
        let phases: Vec<Phase> = (0..4).map(|_| Phase::default()).collect();
        let seats: Vec<Seat> = phases.iter().map(|phase| crowd.join(phase)).collect();
        let leaving = || seats.iter().map(|seat| seat.leaves().now_or_never().is_some()).collect::<Vec<_>>();
        let answered = phases[0].serves(http::Version::HTTP_11);
        let receiving = phases[1].serves(http::Version::HTTP_11);
        let body = receiving.receives();
        drop(phases[2].serves(http::Version::HTTP_11));
        assert!(crowd.make_room(1));
        assert!(crowd.make_room(1), "one is about to leave, and one waits");
        assert_eq!(leaving(), [false, false, false, true], "the one that never asked for anything");
        assert!(crowd.make_room(2));
        assert_eq!(leaving(), [false, false, true, false], "the one that rests");
        assert!(crowd.make_room(3));
        assert_eq!(leaving(), [false, true, false, false], "the one whose request still comes");
        drop((body, seats));
        assert!(!crowd.make_room(4), "nobody is left who could go");
        drop((answered, receiving));
        assert_eq!(crowd.all.lock().unwrap().by_number.len(), 0);
    }

    #[test]
    fn one_that_is_answered_by_then_stays() {
        let crowd = Arc::new(Crowd::default());
        let phase = Phase::default();
        let seat = crowd.join(&phase);
        assert!(crowd.make_room(1));
        let answered = phase.serves(http::Version::HTTP_11);
        assert!(seat.leaves().now_or_never().is_none());
        drop(answered);
        assert!(crowd.make_room(1));
        assert!(seat.leaves().now_or_never().is_some());
    }
}
