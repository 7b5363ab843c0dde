//! Which requests the table lists and in what order, kept up as the log plays, a stretch at a time.
//!
//! Invariant: what is listed is what the filter passes among the operations looked at so far, and the summary is the sum
//! of exactly those; no call does more than a stretch of work.

use std::sync::Arc;

use super::filter::{Figure, Filter};
use super::matcher::{Matcher, Row, figure_of};
use crate::outcome::Settled;
use crate::pricing::CostSum;
use crate::routing::Policy;
use crate::session::{Log, PolicySpan, Reading, Snapshot};

/// What one call may spend; a look at a row costs [`LOOK`], settling one [`SETTLE`]. About 30 ms on a slow core.
const BUDGET: usize = 1_000_000;
const LOOK: usize = 2;
const SETTLE: usize = 12;
/// More rows than this are not taken away one by one; the list is then made anew.
const MOST_TAKEN: usize = BUDGET / SETTLE / 2;

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Arrival, the newest first.
    #[default]
    Time,
    /// Cost, the most expensive first.
    Cost,
    /// Latency, the longest first.
    Latency,
    /// Confidence, the highest first.
    Confidence,
    /// Prompt and answer tokens, the most first.
    Tokens,
}

/// In their order: each, and its order in words, as it is and reversed.
const SORTS: [(SortBy, [&str; 2]); 5] = [
    (SortBy::Time, ["newest first", "oldest first"]),
    (SortBy::Cost, ["most expensive first", "cheapest first"]),
    (SortBy::Latency, ["slowest first", "fastest first"]),
    (SortBy::Confidence, ["surest first", "least sure first"]),
    (SortBy::Tokens, ["most tokens first", "fewest tokens first"]),
];

impl SortBy {
    /// Returns the sort after this one.
    #[must_use]
    pub fn next(self) -> Self {
        SORTS[(self as usize + 1) % SORTS.len()].0
    }

    /// Says the order in words.
    pub fn words(self, reversed: bool) -> &'static str {
        SORTS[self as usize].1[usize::from(reversed)]
    }
}

/// The sums of what is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests.
    pub requests: u64,
    /// Their cost.
    pub cost: CostSum,
    /// Those that ended without an answer.
    pub errors: u64,
}

/// What is still to be done before the list is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many per cent were searched.
    Searching(u64),
    /// So many per cent were ranked.
    Sorting(u64),
}

/// What a list was made from.
#[derive(Clone, Debug)]
struct Basis {
    log: Arc<Log>,
    reading: Reading,
    policies: Arc<Vec<PolicySpan>>,
    flips: Option<(Arc<Policy>, Option<Arc<Policy>>)>,
}

/// The list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    basis: Option<Basis>,
    matcher: Matcher,
    /// Rows `from..scanned` were looked at; of those in `found`, the ones from `low` on are listed.
    from: usize,
    scanned: usize,
    low: usize,
    found: Vec<u32>,
    start: usize,
    summary: Summary,
    /// The order by key; rows below `keyed` are in it.
    sort: (SortBy, bool),
    order: Vec<(u64, u32)>,
    keyed: usize,
    ranked: bool,
    scratch: Settled,
}

fn is_plain(filter: &Filter) -> bool {
    filter.terms.is_empty()
}

fn lowest(filter: &Filter, snapshot: &Snapshot) -> usize {
    let start = snapshot.log.history.start();
    if filter.window { snapshot.window.first.min(snapshot.head).max(start) } else { start }
}

/// Returns the first row that two lists of policies may decide differently.
fn first_changed(old: &[PolicySpan], new: &[PolicySpan]) -> usize {
    let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let from = |spans: &[PolicySpan]| spans.get(same).map_or(usize::MAX, |span| span.from);
    from(old).min(from(new))
}

impl Basis {
    fn of(filter: &Filter, snapshot: &Snapshot) -> Self {
        Self {
            log: Arc::clone(&snapshot.log),
            reading: snapshot.reading,
            policies: Arc::clone(&snapshot.policies),
            flips: filter.asks_flips().then(|| (Arc::clone(&snapshot.policy), snapshot.staged.clone())),
        }
    }

    /// Returns the row up to which what was found still holds.
    fn holds_until(&self, now: &Self) -> usize {
        if !self.is_same_log(now) || self.reading != now.reading || self.flips != now.flips {
            return 0;
        }
        if Arc::ptr_eq(&self.policies, &now.policies) {
            return usize::MAX;
        }
        first_changed(&self.policies, &now.policies)
    }

    /// Says whether a log is the same, or the same grown in a way that can be followed.
    fn is_same_log(&self, now: &Self) -> bool {
        let (old, new) = (&*self.log, &*now.log);
        Arc::ptr_eq(&self.log, &now.log)
            || old.inserts.same_log(&new.inserts)
                && old.history.start() == new.history.start()
                && new.inserts.since(old.inserts.count()).is_some()
                && old.prices == new.prices
                && (self.reading == Reading::Recorded || old.profiles == new.profiles)
    }

    /// Says whether names were met that a matcher made for this does not know.
    fn knows_names_of(&self, now: &Self) -> bool {
        let count = |log: &Log| {
            let names = &log.names;
            (names.teams().len(), names.projects().len(), names.models().len())
        };
        count(&self.log) == count(&now.log)
    }
}

fn row(snapshot: &Snapshot, index: usize) -> Option<Row<'_>> {
    let history = &snapshot.log.history;
    Some(Row { index, recalled: history.recall(index)?, id: history.id(index) })
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Listing {
    /// Forgets everything; the filter changed.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Does a stretch of work; says whether more is to do.
    pub fn work(&mut self, filter: &Filter, sort: (SortBy, bool), snapshot: &Snapshot) -> bool {
        self.reconcile(filter, sort, snapshot);
        let mut budget = BUDGET;
        if !is_plain(filter) {
            self.scan(snapshot, &mut budget);
        }
        self.rank(filter, snapshot, &mut budget);
        self.progress(filter, snapshot).is_some()
    }

    /// Takes away what no longer holds.
    fn reconcile(&mut self, filter: &Filter, sort: (SortBy, bool), snapshot: &Snapshot) {
        let now = Basis::of(filter, snapshot);
        let low = lowest(filter, snapshot);
        let until = self.basis.as_ref().map_or(0, |basis| basis.holds_until(&now));
        let known = self.basis.as_ref().is_some_and(|basis| basis.knows_names_of(&now));
        if until != usize::MAX || !known {
            self.matcher = Matcher::new(filter, snapshot);
        }
        let before = self.basis.replace(now);
        let plain = is_plain(filter);
        if until > 0
            && let Some(before) = before
        {
            self.take_inserts(before.log.inserts.count(), plain, snapshot);
        }
        let reached = if plain { self.keyed } else { self.scanned };
        let gone = self.found.len() - self.found.partition_point(|&at| (at as usize) < snapshot.head);
        let left = self.found.partition_point(|&at| (at as usize) < low).abs_diff(self.start);
        let anew = until < reached
            || low < self.from
            || low > self.scanned.max(self.from)
            || gone + left > MOST_TAKEN;
        if anew && !plain || until < reached {
            self.restart(low, sort);
        }
        if !plain {
            self.drop_from(snapshot.head, snapshot);
            self.move_low(low, snapshot);
        }
        if self.sort != sort || low < self.low {
            self.forget_order(low, sort);
        }
        if self.keyed > snapshot.head || low > self.low {
            let head = snapshot.head;
            self.order.retain(|&(_, at)| (low..head).contains(&index_of(at)));
            self.keyed = self.keyed.clamp(low, head.max(low));
        }
        self.low = low;
    }

    fn restart(&mut self, low: usize, sort: (SortBy, bool)) {
        self.from = low;
        self.scanned = low;
        self.low = low;
        self.found.clear();
        self.start = 0;
        self.summary = Summary::default();
        self.forget_order(low, sort);
    }

    fn forget_order(&mut self, low: usize, sort: (SortBy, bool)) {
        self.sort = sort;
        self.order = Vec::new();
        self.keyed = low;
        self.ranked = false;
    }

    /// Takes in the rows that a growing log took in between those looked at already.
    fn take_inserts(&mut self, seen: u64, plain: bool, snapshot: &Snapshot) {
        let Some(places) = snapshot.log.inserts.since(seen) else { return };
        let mut fresh: Vec<usize> = Vec::new();
        for place in places {
            let shift = |at: &mut usize| *at += usize::from(*at > place);
            for at in &mut fresh {
                *at += usize::from(*at >= place);
            }
            let reached = if plain { self.keyed } else { self.scanned };
            if place < reached {
                fresh.push(place);
            }
            let tail = self.found.partition_point(|&at| (at as usize) < place);
            self.found.iter_mut().skip(tail).for_each(|at| *at += 1);
            for (_, at) in &mut self.order {
                *at -= u32::from(index_of(*at) >= place);
            }
            for bound in [&mut self.from, &mut self.scanned, &mut self.low, &mut self.keyed] {
                shift(bound);
            }
        }
        for index in fresh {
            self.take_one(index, plain, snapshot);
        }
    }

    fn take_one(&mut self, index: usize, plain: bool, snapshot: &Snapshot) {
        let Some(row) = row(snapshot, index) else { return };
        if !plain {
            let verdict = self.matcher.verdict(&row, snapshot, &mut self.scratch);
            if !verdict.passes || index < self.from || index >= self.scanned {
                return;
            }
            let place = self.found.partition_point(|&at| (at as usize) < index);
            self.found.insert(place, narrow(index));
            if place < self.start || index < self.low {
                self.start += 1;
            } else {
                snapshot.settle(row.index, &row.recalled.evidence(), &mut self.scratch);
                self.sum(true);
            }
        }
        if self.sort.0 != SortBy::Time && (self.low..self.keyed).contains(&index) {
            let figure = self.figure(&row, snapshot);
            self.order.push((key(figure, self.sort.1), u32::MAX - narrow(index)));
            if self.ranked {
                self.put_in_order();
            }
        }
    }

    /// Returns what a row is ranked by.
    fn figure(&mut self, row: &Row<'_>, snapshot: &Snapshot) -> Option<i128> {
        let figure = match self.sort.0 {
            SortBy::Cost => Figure::Cost,
            SortBy::Latency => Figure::Latency,
            SortBy::Tokens => Figure::Tokens,
            SortBy::Time | SortBy::Confidence => {
                return row.recalled.operation.confidence().map(|value| i128::from(value.get()));
            }
        };
        snapshot.settle(row.index, &row.recalled.evidence(), &mut self.scratch);
        figure_of(figure, &self.scratch)
    }

    /// Takes away rows that are not played any more.
    fn drop_from(&mut self, head: usize, snapshot: &Snapshot) {
        while let Some(&at) = self.found.last().filter(|&&at| at as usize >= head) {
            self.found.pop();
            if self.found.len() >= self.start {
                self.count(at as usize, snapshot, false);
            }
        }
        self.start = self.start.min(self.found.len());
        self.scanned = self.scanned.min(head).max(self.from);
    }

    /// Moves the first row listed.
    fn move_low(&mut self, low: usize, snapshot: &Snapshot) {
        let to = self.found.partition_point(|&at| (at as usize) < low);
        let from = std::mem::replace(&mut self.start, to);
        for place in from.min(to)..from.max(to) {
            if let Some(&at) = self.found.get(place) {
                self.count(at as usize, snapshot, to < from);
            }
        }
    }

    fn count(&mut self, index: usize, snapshot: &Snapshot, enters: bool) {
        let Some(row) = row(snapshot, index) else { return };
        snapshot.settle(row.index, &row.recalled.evidence(), &mut self.scratch);
        self.sum(enters);
    }

    /// Adds what lies in the scratch to the summary, or takes it away.
    fn sum(&mut self, enters: bool) {
        let failed = u64::from(!self.scratch.status.is_ok());
        let sums = &mut self.summary;
        if enters {
            sums.requests += 1;
            sums.errors += failed;
            sums.cost.add_operation(self.scratch.costs());
        } else {
            sums.requests = sums.requests.saturating_sub(1);
            sums.errors = sums.errors.saturating_sub(failed);
            sums.cost.remove_operation(self.scratch.costs());
        }
    }

    fn scan(&mut self, snapshot: &Snapshot, budget: &mut usize) {
        while self.scanned < snapshot.head && *budget > SETTLE {
            let index = self.scanned;
            self.scanned += 1;
            *budget -= LOOK;
            let Some(row) = row(snapshot, index) else { continue };
            let verdict = self.matcher.verdict(&row, snapshot, &mut self.scratch);
            if verdict.passes && !verdict.settled {
                snapshot.settle(row.index, &row.recalled.evidence(), &mut self.scratch);
            }
            if verdict.passes || verdict.settled {
                *budget = budget.saturating_sub(SETTLE);
            }
            if verdict.passes {
                self.found.push(narrow(index));
                self.sum(true);
            }
        }
    }

    /// Returns the rows that can be ranked next: up to where the filter has looked.
    fn rank(&mut self, filter: &Filter, snapshot: &Snapshot, budget: &mut usize) {
        let (by, reversed) = self.sort;
        if by == SortBy::Time {
            return;
        }
        let plain = is_plain(filter);
        let end = if plain { snapshot.head } else { self.scanned };
        let mut place = self.found.partition_point(|&at| (at as usize) < self.keyed);
        let before = self.order.len();
        while self.keyed < end && *budget > SETTLE {
            let next = if plain { Some(self.keyed) } else { self.found.get(place).map(|&at| at as usize) };
            let Some(index) = next else {
                self.keyed = end;
                break;
            };
            place += 1;
            self.keyed = index + 1;
            let Some(row) = row(snapshot, index) else { continue };
            *budget -= if by == SortBy::Confidence { LOOK } else { SETTLE };
            let figure = self.figure(&row, snapshot);
            self.order.push((key(figure, reversed), u32::MAX - narrow(index)));
        }
        let whole = self.keyed >= end && (plain || self.scanned >= snapshot.head);
        if (self.ranked || whole) && (self.order.len() > before || !self.ranked) {
            self.put_in_order();
        }
        self.ranked |= whole;
    }

    #[expect(
        clippy::stable_sort_primitive,
        reason = "it merges what is in order already with a few new rows"
    )]
    fn put_in_order(&mut self) {
        self.order.sort();
    }

    /// Says what is still to be done.
    pub fn progress(&self, filter: &Filter, snapshot: &Snapshot) -> Option<Progress> {
        let low = lowest(filter, snapshot);
        let share = |done: usize| {
            let whole = snapshot.head.saturating_sub(low).max(1);
            (done.saturating_sub(low).min(whole) * 100 / whole) as u64
        };
        if !is_plain(filter) && (self.basis.is_none() || self.scanned < snapshot.head) {
            return Some(Progress::Searching(share(self.scanned)));
        }
        (self.sort.0 != SortBy::Time && self.keyed < snapshot.head.max(low))
            .then(|| Progress::Sorting(share(self.keyed)))
    }

    /// Counts the rows listed.
    pub fn len(&self, filter: &Filter, snapshot: &Snapshot) -> usize {
        if self.ranked {
            self.order.len()
        } else if is_plain(filter) {
            snapshot.head.saturating_sub(lowest(filter, snapshot))
        } else {
            self.found.len() - self.start.min(self.found.len())
        }
    }

    /// Returns the sums of the rows listed.
    pub fn summary(&self, filter: &Filter, snapshot: &Snapshot) -> Summary {
        if !is_plain(filter) {
            return self.summary;
        }
        let all = if filter.window { &snapshot.totals.all } else { &snapshot.to_date.all };
        Summary { requests: all.requests, cost: all.cost, errors: all.errors }
    }

    /// Returns the request in a row of the table; the top row is 0.
    pub fn at(&self, place: usize, filter: &Filter, snapshot: &Snapshot) -> Option<usize> {
        if self.ranked {
            return self.order.get(place).map(|&(_, at)| index_of(at));
        }
        let len = self.len(filter, snapshot);
        let nth = if self.is_oldest_first() { place } else { len.checked_sub(place + 1)? };
        if is_plain(filter) {
            return (nth < len).then(|| lowest(filter, snapshot) + nth);
        }
        self.found.get(self.start + nth).map(|&at| at as usize)
    }

    fn is_oldest_first(&self) -> bool {
        self.sort == (SortBy::Time, true)
    }

    /// Returns the row of a request, or of the one nearest to it in time where it is not listed.
    pub fn place(&self, index: usize, filter: &Filter, snapshot: &Snapshot) -> usize {
        if self.ranked {
            return self.order.iter().position(|&(_, at)| index_of(at) == index).unwrap_or(0);
        }
        let len = self.len(filter, snapshot);
        let nth = if is_plain(filter) {
            index.saturating_sub(lowest(filter, snapshot))
        } else {
            self.found.partition_point(|&at| (at as usize) < index).saturating_sub(self.start)
        };
        let nth = nth.min(len.saturating_sub(1));
        if self.is_oldest_first() { nth } else { len.saturating_sub(nth + 1) }
    }
}

fn index_of(at: u32) -> usize {
    (u32::MAX - at) as usize
}

/// Turns a figure into a rank: the most first, or the least where reversed; what nobody knows comes last either way.
fn key(figure: Option<i128>, reversed: bool) -> u64 {
    const MOST: u64 = u64::MAX - 1;
    match figure {
        None => u64::MAX,
        Some(figure) => {
            let figure = u64::try_from(figure.max(0)).unwrap_or(MOST).min(MOST);
            if reversed { figure } else { MOST - figure }
        }
    }
}
