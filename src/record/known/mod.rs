//! What a reading has met so far, so that the same answer told twice counts once.
//!
//! Invariants: an answer is known by the id that its provider or gateway gave it (and what else its format needs to set
//! apart); entries without one are never taken for each other; of an answer told several times in a row the telling that
//! says most counts; memory is bounded, however long the log. What comes out keeps its order.

mod ids;
mod join;
mod nest;
mod told;

use std::collections::VecDeque;
use std::ops::ControlFlow;

use ids::{Ids, KEPT};
pub(crate) use ids::{answer_key, id_of, names_nothing};
pub(crate) use join::hear;
pub(crate) use nest::{AROUND, Nest, Nested, SpanTold, Standing, names_one};
use nest::{Joined, SUMMED};
pub(crate) use told::{NAMED_TWICE, REPEATED, Sink, Told};

use super::foreign::{Coding, TRACE_EPOCH, Within};
use super::skip::Refusal;
use super::{Record, Timing};
use crate::pricing::Usage;
use crate::units::Instant;

/// How many requests are held back, so that a later telling of one of them may still add to it.
const WINDOW: usize = 256;

/// What a reading has met so far.
#[derive(Debug, Default)]
pub struct Known {
    ids: Ids,
    /// The latest moment of our own format, and what came in ascending order without being looked up.
    latest: Option<Instant>,
    ascending: VecDeque<u64>,
    held: VecDeque<(u64, Told)>,
    /// The last moment that the file has told.
    dated: Option<Instant>,
    /// How many requests got an id of their own.
    apart: u64,
    pub(crate) nest: Nest,
    pub(crate) coding: Coding,
    /// The moment, where logs are read while they are written: answers whose end may still come wait for it.
    now: Option<Instant>,
}

impl Known {
    /// Takes a request in, and returns on what has been held long enough.
    pub(crate) fn take(
        &mut self,
        line: u64,
        mut told: Told,
        give: &mut dyn FnMut(u64, Result<Record<'static>, Refusal>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if let Some(nested) = &mut told.nested {
            self.join(std::mem::take(&mut nested.joined), give)?;
        }
        if let Some(again) = told.nested.as_ref().and_then(|nested| nested.again) {
            hear(self.held.iter_mut().map(|(_, held)| held), *told.record, again);
            return give(line, Err(again.refusal()));
        }
        self.date(&mut told.record);
        // One that tells no moment waits for a neighbour that does.
        let waits = told.record.timing == Timing::Placed;
        if told.keys == [None, None] && !waits {
            let dated = self.dated;
            self.flush(give)?;
            self.dated = dated;
            return give(line, Ok(told.given()));
        }
        let mut is_new = true;
        for key in told.keys.into_iter().flatten() {
            is_new &= self.ids.insert(key);
        }
        if !is_new {
            let shares = |held: &Told| held.keys.iter().flatten().any(|key| told.keys.contains(&Some(*key)));
            if let Some((_, held)) = self.held.iter_mut().rev().find(|(_, held)| shares(held)) {
                if told.nested.is_some() {
                    held.nested().repeats.extend(told.keys[0]);
                }
                let mut other = told.record;
                if says(&other) > says(&held.record) {
                    std::mem::swap(&mut other, &mut held.record);
                    held.record.at = other.at;
                    held.open = told.open;
                }
                let other = other.attempts.last_mut().map(std::mem::take);
                if let (Some(known), Some(other)) = (held.record.attempts.last_mut(), other) {
                    join::add(known, other);
                }
            }
            return give(line, Err(REPEATED));
        }
        if let Some(Nested { around: Some(outer), completes: true, is_in_sum, .. }) = told.nested {
            if self.give_way(outer, is_in_sum, give)? {
                told.is_sure();
            } else if is_in_sum {
                told.nested = Some(Nested { is_doubtful: true, ..Nested::default() });
            } else {
                return give(line, Err(AROUND));
            }
        }
        self.held.push_back((line, told));
        if self.held.len() > WINDOW
            && let Some((line, told)) = self.held.pop_front()
        {
            return give(line, Ok(told.given()));
        }
        ControlFlow::Continue(())
    }

    /// Places a request that tells no moment beside its neighbours that do: failed lines of a batch are of its day.
    fn date(&mut self, record: &mut Record<'_>) {
        let place = |record: &mut Record<'_>, at| (record.at, record.timing) = (at, Timing::Told);
        // A moment of zero is what a writer has who knows none.
        if record.timing == Timing::Told && record.at.0 <= 0 {
            (record.at, record.timing) = (TRACE_EPOCH, Timing::Placed);
        }
        match (record.timing, self.dated) {
            (Timing::Placed, Some(at)) => place(record, at),
            (Timing::Told, before) => {
                self.dated = Some(record.at);
                if before.is_none() {
                    let held = self.held.iter_mut().map(|(_, held)| &mut *held.record);
                    held.filter(|held| held.timing == Timing::Placed).for_each(|held| place(held, record.at));
                }
            }
            _ => {}
        }
    }

    /// Takes a span out that those within it add up to, while it is held, and says so; else it stands for them.
    fn give_way(
        &mut self,
        outer: u64,
        is_sum: bool,
        give: &mut dyn FnMut(u64, Result<Record<'static>, Refusal>) -> ControlFlow<()>,
    ) -> ControlFlow<(), bool> {
        if let Some((line, _)) = self.place_of(outer).and_then(|place| self.held.remove(place)) {
            give(line, Err(if is_sum { SUMMED } else { AROUND }))?;
            self.is_gone(outer);
            return ControlFlow::Continue(true);
        }
        while !is_sum
            && let Some(place) = self.held.iter().position(|(_, held)| held.is_within(outer))
            && let Some((line, _)) = self.held.remove(place)
        {
            give(line, Err(AROUND))?;
        }
        ControlFlow::Continue(false)
    }

    fn place_of(&self, span: u64) -> Option<usize> {
        self.held.iter().position(|(_, held)| held.is_of(span))
    }

    /// Leaves those within a span that counts no more without a doubt.
    fn is_gone(&mut self, outer: u64) {
        let within = self.held.iter_mut().filter(|(_, held)| held.is_within(outer));
        within.for_each(|(_, held)| held.is_sure());
    }

    /// Takes in that calls which were told before stand around each other: those that are one become one.
    pub(crate) fn join(
        &mut self,
        joined: Vec<Joined>,
        give: &mut dyn FnMut(u64, Result<Record<'static>, Refusal>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        for Joined { outer, again, calls } in joined {
            let around = self.place_of(outer);
            let Some(again) = again else {
                for (call, may_be_part) in calls.into_iter().flatten() {
                    let within = self.place_of(call).filter(|within| Some(*within) != around);
                    if let Some((_, held)) = within.and_then(|place| self.held.get_mut(place)) {
                        held.nested().around.get_or_insert(outer);
                    }
                    // The later one is in doubt.
                    if may_be_part
                        && let Some((_, held)) = within.max(around).and_then(|at| self.held.get_mut(at))
                    {
                        held.nested().is_doubtful = true;
                    }
                }
                continue;
            };
            let within: Vec<u64> = again.calls.into_iter().flatten().collect();
            let Some(around) = around else {
                // It is out already, and stands for them.
                for call in within {
                    let Some(place) = self.place_of(call) else { continue };
                    if again.is_sum
                        && let Some((_, held)) = self.held.get_mut(place)
                    {
                        held.nested().is_doubtful = true;
                    } else if let Some((line, _)) = self.held.remove(place) {
                        give(line, Err(AROUND))?;
                    }
                }
                continue;
            };
            if within.iter().any(|call| self.place_of(*call) == Some(around)) {
                continue;
            }
            if let Some((line, told)) = self.held.remove(around) {
                hear(self.held.iter_mut().map(|(_, held)| held), *told.record, again);
                self.is_gone(outer);
                give(line, Err(again.refusal()))?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Returns on all that is held, at the end of a file; what waits for its end in a log that is being written stays.
    pub(crate) fn flush(
        &mut self,
        give: &mut dyn FnMut(u64, Result<Record<'static>, Refusal>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let now = self.now;
        let waits = |told: &Told| {
            let (Some(now), Some(open)) = (now, told.open) else { return false };
            let at = told.record.at;
            at > now - open && at < now + open
        };
        self.dated = None;
        let mut waiting = VecDeque::new();
        while let Some((line, told)) = self.held.pop_front() {
            if waits(&told) {
                waiting.push_back((line, told));
            } else {
                give(line, Ok(told.given()))?;
            }
        }
        self.held = waiting;
        ControlFlow::Continue(())
    }

    /// Says that the logs are being written, and what time it is.
    pub fn written_at(&mut self, now: Instant) {
        self.now = Some(now);
    }

    /// Says whether anything waits for its end.
    pub fn waits(&self) -> bool {
        !self.held.is_empty()
    }

    /// Exchanges what the last file told that its later lines rest on, so that several can be read by turns.
    pub fn turn_to(&mut self, file: &mut OpenSession) {
        std::mem::swap(&mut self.coding.open, &mut file.0);
    }
}

/// What a file has told so far that its later lines rest on.
#[derive(Debug, Default)]
pub struct OpenSession(Within);

impl Known {
    /// Says whether a request of our own format is new.
    pub fn is_new(&mut self, key: Key) -> bool {
        let Key { at, id: Some(id) } = key else { return true };
        // Nothing of a moment that was never reached was told before, which makes this cheap for a log in order.
        if Some(at) > self.latest {
            self.latest = Some(at);
            if self.ascending.len() >= KEPT {
                self.ascending.pop_front();
            }
            self.ascending.push_back(id);
            return true;
        }
        for id in self.ascending.drain(..) {
            self.ids.insert(id);
        }
        self.ids.insert(id)
    }
}

/// What a request of our own format is known by: its id, its moment and its model, as ids of other programs may be short.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    at: Instant,
    id: Option<u64>,
}

impl Key {
    /// Returns that of a request.
    pub(crate) fn of(record: &Record<'_>) -> Self {
        let model = record.attempts.last().map_or("", |last| &last.model);
        let id = (!record.id.is_empty()).then(|| ids::id_at(&record.id, record.at, model));
        Self { at: record.at, id }
    }
}

impl Known {
    /// Gives a request that our own format would take for another one, since both have one id, moment and model, an id of
    /// its own.
    pub fn set_apart(&mut self, record: &mut Record<'_>) {
        if self.is_new(Key::of(record)) {
            return;
        }
        self.apart += 1;
        record.id = format!("{}~{}", record.id, self.apart + 1).into();
        self.is_new(Key::of(record));
    }
}

/// How much a telling says: an answer before none, one that is sure before an estimate, then the tokens it knows.
fn says(record: &Record<'_>) -> (bool, bool, u64, usize) {
    let usages = || record.attempts.iter().map(|attempt| &attempt.usage);
    let tokens = usages().map(Usage::told);
    let ended = record.attempts.last().is_some_and(|last| last.status.is_ok() && last.usage.is_known());
    let is_sure = record.attempts.iter().all(|attempt| !attempt.estimated);
    (ended, is_sure, tokens.fold(0, u64::saturating_add), usages().filter(|usage| usage.is_known()).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Attempt, Attempts};

    fn record(id: &str, out: u64) -> Record<'static> {
        let usage = Usage::plain(10, out).unwrap();
        let attempts = Attempts::one(Attempt { usage, ..Attempt::default() });
        Record { id: id.to_owned().into(), attempts, ..Record::default() }
    }

    fn run(records: impl IntoIterator<Item = Record<'static>>) -> (Vec<(u64, String, u64)>, usize) {
        let (mut known, mut got, mut repeats) = (Known::default(), Vec::new(), 0);
        let mut give = |line, result: Result<Record<'static>, Refusal>| {
            match result {
                Ok(record) => {
                    got.push((line, record.id.to_string(), record.attempts[0].usage.output.or_zero()));
                }
                Err(_) => repeats += 1,
            }
            ControlFlow::Continue(())
        };
        for (line, record) in (1..).zip(records) {
            let _ = known.take(line, record.into(), &mut give);
        }
        let _ = known.flush(&mut give);
        (got, repeats)
    }

    #[test]
    fn the_telling_that_says_most_counts_and_order_stays() {
        let got = run([
            record("a", 1),
            record("b", 5),
            record("a", 23),
            record("", 7),
            record("", 7),
            record("b", 2),
        ]);
        let want = [(1, "a", 23), (2, "b", 5), (4, "", 7), (5, "", 7)];
        assert_eq!(got, (want.map(|(line, id, out)| (line, id.to_owned(), out)).to_vec(), 2));
    }

    #[test]
    fn a_log_in_order_is_taken_as_it_comes_and_its_repeats_are_found() {
        let mut known = Known::default();
        let at = |id: &str, at| {
            Key::of(&Record { id: id.to_owned().into(), at: Instant(at), ..Record::default() })
        };
        assert!((0..500).all(|n| known.is_new(at("a", n))), "one id at many moments");
        assert!(known.ids.insert(1), "nothing was looked up");
        assert!((0..500).all(|n| !known.is_new(at("a", n))));
        assert!(known.is_new(at("b", 3)) && known.is_new(at("", 3)) && known.is_new(at("", 3)));
        assert!(known.is_new(at("c", 900)) && !known.is_new(at("c", 900)));
    }

    #[test]
    fn far_repeats_are_left_out_too() {
        let many = (1..=1000).map(|n| record(&n.to_string(), n));
        let (got, repeats) = run(many.clone().chain(many));
        assert_eq!((got.len(), repeats), (1000, 1000));
        assert!(got.is_sorted());
    }
}
