//! What a window comes to beside others: what was saved in it, what its units cost, and why it costs more or less than the time
//! before. Worked out stretch by stretch, so that whoever draws is never held up.
//!
//! Invariant: what comes out is what [`savings`](super::savings), [`unit_costs`](super::unit_costs) and
//! [`compare`](super::compare) say of the same requests.

use std::sync::Arc;

use super::{Log, Play, PolicySpan, Reading, Snapshot, settle_one};
use crate::outcome::Settled;
use crate::savings::{Against, Savings, Tally};
use crate::telemetry::{Dimension, Unit, UnitCell};
use crate::units::{Instant, ModelId, PerMille, Span};
use crate::variance::{Explained, Window, explain};

/// Operations of one stretch.
const STRETCH: usize = 4096;
/// Parts of the traffic that explain a change.
const SLICES: usize = 5;
/// While time runs a study is of the last twentieth of its window at most.
const STALE: i64 = 20;

/// What a window is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Beside {
    /// The time just before it, as long.
    #[default]
    Before,
    /// The same hours a week earlier.
    WeekAgo,
}

/// What is asked: of which window, beside what, told apart by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    reading: Reading,
    policy: u32,
    first: usize,
    end: usize,
    from: Instant,
    to: Instant,
    window: Option<Span>,
    inserts: u64,
    beside: Beside,
    by: Dimension,
}

impl Topic {
    /// Asks of the window of a snapshot.
    pub fn of(snapshot: &Snapshot, beside: Beside, by: Dimension) -> Self {
        let window = &snapshot.window;
        Self {
            reading: snapshot.reading,
            policy: snapshot.policy.version,
            first: window.first,
            end: window.end,
            from: window.from,
            to: window.to,
            window: window.window,
            inserts: snapshot.log.inserts.count(),
            beside,
            by,
        }
    }

    /// Says whether what is known of another topic will do for this one: while time runs, that of a moment ago.
    fn is_served_by(&self, known: &Self, play: Play) -> bool {
        if matches!(play, Play::Paused | Play::Ended) {
            return self == known;
        }
        let passed = (self.to - known.to).0;
        let enough = ((self.to - self.from).0 / STALE).max(1_000_000);
        let Self { first, end, from, to, inserts, .. } = *known;
        let same = Self { first, end, from, to, inserts, ..self.clone() };
        same == *known && (0..enough).contains(&passed)
    }

    /// Returns the two stretches of time that are compared, the later one last.
    fn stretches(&self) -> [(Instant, Instant); 2] {
        let after_all = Instant(self.to.0.saturating_add(1));
        match (self.window, self.beside) {
            // All so far has nothing before it: its halves are compared.
            (None, _) => {
                let middle = self.from + Span((self.to - self.from).0 / 2);
                [(self.from, middle), (middle, after_all)]
            }
            (Some(span), Beside::Before) => [(self.from - span, self.from), (self.from, after_all)],
            (Some(_), Beside::WeekAgo) => {
                let week = Span::days(7);
                [(self.from - week, after_all - week), (self.from, after_all)]
            }
        }
    }
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Found {
    /// The model that savings are beside.
    pub baseline: ModelId,
    /// What was saved.
    pub savings: Savings,
    /// What the units of the whole window cost.
    pub all: UnitCell,
    /// What they are told apart by.
    pub by: Dimension,
    /// Their rows, the most expensive first.
    pub units: Vec<(String, UnitCell)>,
    /// Why the second stretch costs more or less than the first.
    pub explained: Explained,
    /// The stretches compared.
    pub stretches: [(Instant, Instant); 2],
}

/// A study under way.
#[derive(Clone, Debug)]
struct Study {
    topic: Topic,
    log: Arc<Log>,
    policies: Arc<Vec<PolicySpan>>,
    /// The requests that are to be read yet, and those of the two stretches.
    left: Vec<(usize, usize)>,
    places: [(usize, usize); 2],
    tally: Tally,
    units: Unit,
    windows: [Window; 2],
    settled: Settled,
}

impl Study {
    fn new(snapshot: &Snapshot, topic: Topic) -> Self {
        let log = Arc::clone(&snapshot.log);
        let mut places =
            topic.stretches().map(|(from, to)| (log.history.first_at(from), log.history.first_at(to)));
        // What has not been played yet is in no window.
        for (from, to) in &mut places {
            (*from, *to) = ((*from).min(topic.end), (*to).min(topic.end));
        }
        let mut left = vec![(topic.first, topic.end)];
        // The earlier stretch is read apart from the window where it is no part of it.
        if topic.window.is_some() && places[0].0 < places[0].1 {
            left.push((places[0].0, places[0].1.min(topic.first)));
        }
        let mut tally = Tally::new(Against::Model(snapshot.policy.baseline));
        // What is asked about the very first request comes before it.
        let from = if topic.first <= log.history.start() { Instant(i64::MIN) } else { topic.from };
        let (calls, cost) = log.shadowed.second_stage(from, topic.to);
        tally.classified_again(calls, &cost);
        let (calls, cost) = log.shadowed.shadow_runs(from, topic.to);
        tally.ran_beside(calls, &cost);
        Self {
            log,
            policies: Arc::clone(&snapshot.policies),
            left,
            places,
            tally,
            units: Unit::new(vec![topic.by.clone()], PerMille::clamped(i64::from(Unit::GOOD))),
            windows: [Window::default(), Window::default()],
            settled: Settled::default(),
            topic,
        }
    }

    /// Reads a stretch; says whether that was the last.
    fn step(&mut self) -> bool {
        let Some((from, to)) = self.left.first().copied() else { return true };
        let until = to.min(from.saturating_add(STRETCH));
        let outlook = self.log.outlook();
        for (index, recalled) in self.log.history.range(from, until) {
            let evidence = recalled.evidence();
            let policy = self.log.policy_of(&self.policies, index);
            settle_one(&evidence, self.topic.reading, policy, &outlook, &mut self.settled);
            if (self.topic.first..self.topic.end).contains(&index) {
                self.tally.add(&evidence, &self.settled, policy, &outlook);
                self.units.add(&evidence, &self.settled, &outlook);
            }
            for ((from, to), window) in self.places.iter().zip(&mut self.windows) {
                if (*from..*to).contains(&index) {
                    window.add(&evidence, &self.settled, &self.log.prices);
                }
            }
        }
        if until < to {
            self.left[0].0 = until;
        } else {
            self.left.remove(0);
        }
        self.left.is_empty()
    }

    fn end(self, baseline: ModelId) -> Found {
        let rows = self.units.named(&self.log.names);
        let first =
            |(names, cell): (Vec<String>, UnitCell)| (names.into_iter().next().unwrap_or_default(), cell);
        Found {
            baseline,
            savings: self.tally.end(),
            all: self.units.all,
            by: self.topic.by.clone(),
            units: rows.into_iter().map(first).collect(),
            explained: explain(&self.windows[0], &self.windows[1], SLICES),
            stretches: self.topic.stretches(),
        }
    }
}

/// Keeps a study of the window that is looked at.
#[derive(Clone, Debug, Default)]
pub struct Studies {
    running: Option<Box<Study>>,
    found: Option<(Topic, Arc<Found>)>,
}

impl Studies {
    /// Returns the latest that came out.
    pub fn found(&self) -> Option<&Found> {
        self.found.as_ref().map(|(_, found)| &**found)
    }

    /// Reads a stretch for a topic; says whether there is more to read.
    pub fn work(&mut self, snapshot: &Snapshot, topic: Topic) -> bool {
        let still =
            self.running.as_ref().is_some_and(|study| topic.is_served_by(&study.topic, snapshot.play));
        if !still {
            let known =
                self.found.as_ref().is_some_and(|(known, _)| topic.is_served_by(known, snapshot.play));
            self.running = (!known).then(|| Box::new(Study::new(snapshot, topic)));
        }
        let Some(study) = &mut self.running else { return false };
        if !study.step() {
            return true;
        }
        if let Some(study) = self.running.take() {
            self.found = Some((study.topic.clone(), Arc::new(study.end(snapshot.policy.baseline))));
        }
        false
    }
}
