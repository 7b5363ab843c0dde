//! Requests that wait for room on a limit.
//!
//! Invariants: at each account they are called in the order in which they came, also those that came on from another account;
//! their number is bounded; who leaves, for whatever reason, has the next one called.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::Member;

/// An account: the number of a limit, and who draws on it.
pub(super) type Draw = (u16, Member);

/// The most requests that wait at a time, over all accounts.
const MOST: usize = 1024;

/// Who waits where.
#[derive(Clone, Debug, Default)]
pub(super) struct Queue {
    order: BTreeSet<(Draw, u64)>,
    places: FxHashMap<u64, Draw>,
    called: Vec<u64>,
    next: u64,
}

impl Queue {
    /// Says whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Counts those that wait at an account.
    pub(super) fn len(&self, draw: Draw) -> u32 {
        u32::try_from(self.order.range((draw, 0)..=(draw, u64::MAX)).count()).unwrap_or(u32::MAX)
    }

    /// Says whether somebody waits at an account who came before a request; a newcomer has no turn.
    pub(super) fn is_before(&self, draw: Draw, turn: Option<u64>) -> bool {
        self.first(draw).is_some_and(|first| turn.is_none_or(|turn| first < turn))
    }

    /// Has a request wait at an account; one that waits elsewhere moves and keeps its turn. None where too many wait already.
    /// Says besides whether it is new there.
    pub(super) fn join(&mut self, draw: Draw, turn: Option<u64>) -> Option<(u64, bool)> {
        let known = turn.filter(|turn| self.places.contains_key(turn));
        let turn = match known {
            Some(turn) => turn,
            None if self.places.len() >= MOST => return None,
            None => {
                self.next += 1;
                self.next
            }
        };
        let before = self.places.insert(turn, draw);
        if before == Some(draw) {
            return Some((turn, false));
        }
        self.order.insert((draw, turn));
        if let Some(before) = before {
            self.order.remove(&(before, turn));
            self.call(before);
        }
        Some((turn, true))
    }

    /// Lets a request go.
    pub(super) fn leave(&mut self, turn: u64) {
        if let Some(draw) = self.places.remove(&turn) {
            self.order.remove(&(draw, turn));
            self.call(draw);
        }
    }

    /// Calls whoever is first at an account.
    pub(super) fn call(&mut self, draw: Draw) {
        self.called.extend(self.first(draw));
    }

    /// Calls whoever is first at any account.
    pub(super) fn call_all(&mut self) {
        let mut last = None;
        for &(draw, turn) in &self.order {
            if last.replace(draw) != Some(draw) {
                self.called.push(turn);
            }
        }
    }

    /// Takes those that were called.
    pub(super) fn take_called(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.called)
    }

    fn first(&self, draw: Draw) -> Option<u64> {
        self.order.range((draw, 0)..=(draw, u64::MAX)).next().map(|(_, turn)| *turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_came_first_is_called_first_wherever_he_waited_before_and_their_number_is_bounded() {
        let (here, there) = ((0, Member(1)), (1, Member(0)));
        let mut queue = Queue::default();
        let turns: Vec<u64> = (0..3).map(|_| queue.join(here, None).unwrap().0).collect();
        let other = queue.join(there, None).unwrap().0;
        // The first one goes on to wait there, before whoever came after him.
        assert_eq!(queue.join(there, Some(turns[0])), Some((turns[0], true)));
        assert_eq!(queue.take_called(), [turns[1]]);
        assert!(queue.is_before(there, Some(other)) && !queue.is_before(there, Some(turns[0])));
        assert!(queue.is_before(here, None) && queue.is_before(here, Some(turns[2])));
        queue.leave(turns[0]);
        queue.leave(turns[1]);
        assert_eq!(queue.take_called(), [other, turns[2]]);
        queue.leave(turns[1]);
        queue.call_all();
        assert_eq!((queue.take_called(), queue.len(here)), (vec![turns[2], other], 1));
        let more = (0..2 * MOST).filter(|_| queue.join(here, None).is_some()).count();
        assert_eq!(more, MOST - 2);
    }
}
