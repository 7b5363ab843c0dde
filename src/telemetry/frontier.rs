//! The what-if frontier of one route: what every setting of its thresholds would have cost and bought.
//!
//! Confidence and thresholds live on the same grid of 1,001 values, so a threshold only cuts bins. For every value and
//! rung the frontier keeps integer sums over the requests of that confidence as if they had started on that rung; any
//! setting of thresholds is then a sum of a few prefix differences, exactly equal to re-deciding every request.

use std::collections::BTreeMap;

use super::grid::{BINS, LatencyGrid, NONE};
use super::latency::{LatencyBuckets, bucket};
use super::lots::{Exploring, Lots};
use super::pairs::Pairs;
use super::sign::Summed as _;
use super::sums::{Moved, Sums};
use super::visit::Visit;
use super::{Cascade, Sign};
use crate::outcome::{Evidence, Outlook, Settled, Spread};
use crate::pricing::CostSum;
use crate::routing::{Explore, Follows, MAX_RUNGS, Next, Reach, Route, Rung, WhenFailed, after_attempt};
use crate::units::{PerMille, Pico};

/// The frontier of one route.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    rungs: usize,
    no_signal: usize,
    /// The first rung that is no fallback.
    lowest: usize,
    /// `rungs * BINS`, rung by rung.
    sums: Vec<Sums>,
    latency: Vec<LatencyGrid>,
    counts: Vec<u32>,
    /// By bin and two rungs, the requests that start on one and the same rung whichever of the two a threshold says, since
    /// guards bar what lies between.
    unmoved: BTreeMap<(usize, (usize, usize)), u32>,
    /// Judged requests, by rung but the last.
    pairs: Vec<Pairs>,
    /// How the route explores, and what was drawn.
    explore: Option<Explore>,
    lots: Lots,
}

/// What a setting of thresholds gives.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Forecast {
    /// Operations.
    pub requests: u64,
    /// Their cost.
    pub cost: CostSum,
    /// How far off the estimated part may be.
    pub spread: Spread,
    /// Operations that start on each rung.
    pub placed: [u64; MAX_RUNGS],
    /// Operations that start on the very model that their client named.
    pub kept: u64,
    /// Operations answered by each rung, after escalation.
    pub answered: [u64; MAX_RUNGS],
    /// Operations that went up the ladder.
    pub escalated: u64,
    /// Operations that start below the strongest rung, and whether that pays.
    pub cascade: Cascade,
    /// Operations that end without an answer.
    pub errors: u64,
    /// Sum of known quality in per mille over `labelled` operations.
    pub quality: u64,
    /// Operations whose answering model has a label.
    pub labelled: u64,
    /// Those that start on another rung than they did under the thresholds in force.
    pub moved: Moved,
    /// Prompt tokens.
    pub input: u64,
    /// Answer tokens.
    pub output: u64,
    /// Latencies where known or estimated.
    pub latency: LatencyBuckets,
    /// What exploring comes to at most.
    pub exploring: Exploring,
}

/// One point of the cost curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurvePoint {
    /// The threshold.
    pub threshold: PerMille,
    /// The cost.
    pub cost: CostSum,
    /// Requests that start on the rung whose threshold moves.
    pub placed: u64,
    /// Requests that start on the last rung.
    pub strongest: u64,
    /// Sum of known quality in per mille over `labelled` operations.
    pub quality: u64,
    /// Operations with a label.
    pub labelled: u64,
}

impl CurvePoint {
    /// Adds what other requests come to at the same threshold.
    pub fn join(&mut self, other: &Self) {
        self.cost += &other.cost;
        self.placed += other.placed;
        self.strongest += other.strongest;
        self.quality += other.quality;
        self.labelled += other.labelled;
    }
}

/// Prefix sums of a frontier: any setting of thresholds in a few subtractions.
#[derive(Clone, Debug)]
pub struct Prefix {
    rungs: usize,
    /// `rungs * (VALUES + 1)`: sums of bins below an index.
    sums: Vec<Sums>,
    unsure: Sums,
}

impl Frontier {
    /// Starts an empty frontier for a route.
    pub fn new(route: &Route) -> Self {
        let rungs = route.ladder.len();
        Self {
            rungs,
            no_signal: usize::from(route.no_signal),
            lowest: usize::from(route.has_fallback()),
            sums: vec![Sums::default(); rungs * BINS],
            latency: vec![LatencyGrid::default(); rungs],
            counts: vec![0; BINS],
            unmoved: BTreeMap::new(),
            pairs: vec![Pairs::default(); rungs.saturating_sub(1)],
            explore: route.explore,
            lots: Lots::default(),
        }
    }

    /// Adds or takes away one operation of this route: every rung it might have started on.
    pub fn apply(&mut self, evidence: &Evidence<'_>, route: &Route, outlook: &Outlook<'_>, sign: Sign) {
        if evidence.operation.pinned && route.pins(evidence.operation.class) {
            // No threshold moves a request whose client named its model.
            return;
        }
        let operation = evidence.operation;
        let circumstance = outlook.circumstances.get(operation.circumstance);
        // Who is drawn to explore lies where the confidence does by which he is placed.
        let own = route.placed_by(operation.confidence(), operation.draw, circumstance);
        // A turn of a tool loop goes at least where the turns before went: where the least confidence of them all places it,
        // but not below where one without any was placed.
        let (by, follows) =
            operation.least.map_or((own, circumstance.follows), |least| (least.confidence(), Follows::NONE));
        let is_unsure = operation.least.is_some_and(|least| least.is_unsure() && by.is_some());
        let floor = if is_unsure { self.no_signal } else { 0 };
        let bin = by.map_or(NONE, PerMille::bin);
        let mut visits: arrayvec::ArrayVec<Visit, MAX_RUNGS> =
            route.ladder.iter().map(|rung| Visit::new(evidence, rung.into(), outlook)).collect();
        for ((at, visit), rung) in visits.iter_mut().enumerate().zip(&route.ladder) {
            visit.quality = visit.quality.filter(|_| {
                let effort = evidence.effort_of(rung.model, outlook.prices);
                operation.confidence().is_none_or(|by| route.answers_alone(at, by, effort))
            });
        }
        let open = route.open(circumstance);
        let reserve = route.in_reserve(circumstance, open);
        sign.one(&mut self.counts[bin]);
        let begins: arrayvec::ArrayVec<Option<usize>, MAX_RUNGS> = (0..self.rungs)
            .map(|start| route.begin_after(circumstance, open, start.max(floor), follows).map(usize::from))
            .collect();
        for pair in stuck(&begins) {
            sign.one(self.unmoved.entry((bin, pair)).or_default());
        }
        self.judge(evidence, route, outlook, sign);
        for (start, &begun) in begins.iter().enumerate() {
            let mut one = Sums { requests: 1, ..Sums::default() };
            let (mut latency, mut called) = (Some(0u64), false);
            // Where no rung may serve it, it is an error that costs nothing.
            let mut rung = begun.unwrap_or(MAX_RUNGS);
            one.errors = u64::from(begun.is_none());
            if let Some(begun) = begun {
                one.begun[begun] = 1;
                let named = route.ladder.get(begun).map(|rung| rung.model);
                one.kept = u64::from(
                    !evidence.operation.pinned
                        || named.is_some_and(|model| {
                            model == evidence.operation.asked
                                || outlook.prices.same(model, evidence.operation.asked)
                        }),
                );
            }
            while let Some(visit) = visits.get(rung) {
                one.known += visit.known;
                one.estimated += visit.estimated;
                one.unknown |= u64::from(visit.unknown);
                one.spread.add(visit.spread);
                one.input += visit.input;
                one.output += visit.output;
                latency = latency.zip(visit.latency).map(|(a, b)| a + b);
                called |= visit.called;
                let at = u8::try_from(rung).unwrap_or(u8::MAX);
                let first = begun.and_then(|begun| u8::try_from(begun).ok()).unwrap_or(at);
                let open = route.escalates_to(circumstance, open, first);
                let reach = Reach { first, open, falls: route.when_failed == WhenFailed::Fall, reserve };
                match after_attempt(at, reach, visit.status, visit.check) {
                    Next::Escalate { to, .. } => rung = usize::from(to),
                    Next::Answer => {
                        one.errors = u64::from(!visit.status.is_ok());
                        one.answered[rung] = 1;
                        if let Some(quality) = visit.quality {
                            one.quality = quality;
                            one.labelled = 1;
                        }
                        break;
                    }
                }
            }
            if one.unknown > 0 {
                one.partial = one.known + one.estimated;
            }
            one.escalated = u64::from(begun.is_some_and(|begun| begun != rung));
            if let (Some(first), Some(strongest)) = (begun.and_then(|begun| visits.get(begun)), visits.last())
                && begun != Some(self.rungs - 1)
                && !(first.unknown || strongest.unknown)
            {
                let cost = |visit: &Visit| Pico(visit.known + visit.estimated);
                one.cascade = Cascade {
                    requests: 1,
                    escalated: one.escalated,
                    first: cost(first),
                    strongest: cost(strongest),
                };
            }
            if self.explore.is_some() && start == route.rung_for(by) {
                self.lots.apply(evidence, route, outlook, (open, &one), sign);
            }
            let sums = &mut self.sums[start * BINS + bin];
            sums.sum(&one, sign);
            if let Some(millis) = latency.filter(|_| called) {
                self.latency[start].apply(bin, millis, sign);
            }
        }
    }

    /// Adds or takes away what labels say of the answers.
    fn judge(&mut self, evidence: &Evidence<'_>, route: &Route, outlook: &Outlook<'_>, sign: Sign) {
        let Some(confidence) = evidence.operation.confidence() else { return };
        if evidence.extra.is_none_or(|extra| extra.labels.is_empty()) {
            return;
        }
        let quality = |at: usize, rung: &Rung| {
            let effort = evidence.effort_of(rung.model, outlook.prices);
            let is_its_own = route.answers_alone(at, confidence, effort);
            let label = evidence.label(rung.model, outlook.prices).filter(|_| is_its_own)?;
            label.quality
        };
        let Some((last, upper)) = route.ladder.split_last() else { return };
        let strong = quality(upper.len(), last);
        for (at, (pairs, rung)) in self.pairs.iter_mut().zip(upper).enumerate() {
            pairs.apply((confidence, rung.threshold), quality(at, rung), strong, sign);
        }
    }

    /// Returns the sums of a rung by confidence, then of the requests without one.
    pub(super) fn row(&self, rung: usize) -> &[Sums] {
        self.sums.get(rung * BINS..(rung + 1) * BINS).unwrap_or_default()
    }

    /// Returns by confidence, then for the requests without one, how far those of a rung are from 950 of 1,000 being over in time:
    /// above nothing where fewer are.
    pub(super) fn late(&self, rung: usize, millis: u64) -> impl Iterator<Item = i128> {
        let grid = self.latency.get(rung);
        (0..BINS).map(move |bin| {
            let (all, within) = grid.map_or((0, 0), |grid| grid.within(bin, millis));
            i128::from(all) * 950 - i128::from(within) * 1000
        })
    }

    /// Returns the number of rungs, the one on which requests without a confidence start, and the first that is no fallback.
    pub(super) fn shape(&self) -> (usize, usize, usize) {
        (self.rungs, self.no_signal, self.lowest)
    }

    /// Counts the requests that a rung would take, and those of them of which nobody knows what they would cost there.
    pub fn unknown_on(&self, rung: usize) -> (u64, u64) {
        self.row(rung)
            .iter()
            .fold((0, 0), |(all, unknown), sums| (all + sums.requests, unknown + sums.unknown))
    }

    /// Returns the judged requests of a rung; none of the last one.
    pub fn pairs(&self, rung: usize) -> Option<&Pairs> {
        self.pairs.get(rung)
    }

    /// Counts its requests.
    pub fn requests(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }

    /// Returns what was drawn for requests near the thresholds.
    pub fn lots(&self) -> &Lots {
        &self.lots
    }

    /// Adds another frontier of the same route.
    pub fn merge(&mut self, other: &Self) {
        if self.sums.is_empty() {
            self.clone_from(other);
            return;
        }
        for (mine, theirs) in self.sums.iter_mut().zip(&other.sums) {
            mine.sum(theirs, Sign::Plus);
        }
        for (mine, theirs) in self.latency.iter_mut().zip(&other.latency) {
            mine.merge(theirs);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        for (mine, theirs) in self.pairs.iter_mut().zip(&other.pairs) {
            mine.merge(theirs);
        }
        self.lots.merge(&other.lots);
        for (&key, &theirs) in &other.unmoved {
            *self.unmoved.entry(key).or_default() += theirs;
        }
    }

    /// Returns the requests per confidence value, 1,001 bins.
    pub fn histogram(&self) -> &[u32] {
        self.counts.get(..PerMille::VALUES).unwrap_or(&[])
    }

    /// Counts the requests without a confidence.
    pub fn without_confidence(&self) -> u32 {
        self.counts.get(NONE).copied().unwrap_or(0)
    }

    /// Builds the prefix sums.
    pub fn prefix(&self) -> Prefix {
        let mut sums = Vec::with_capacity(self.rungs * BINS);
        for rung in 0..self.rungs {
            let mut running = Sums::default();
            sums.push(running);
            for bin in 0..PerMille::VALUES {
                running.sum(&self.sums[rung * BINS + bin], Sign::Plus);
                sums.push(running);
            }
        }
        let unsure = self.sums.get(self.no_signal * BINS + NONE).copied().unwrap_or_default();
        Prefix { rungs: self.rungs, sums, unsure }
    }

    /// Says what thresholds give, latency included. `prefix` must be of this frontier.
    pub fn forecast(&self, prefix: &Prefix, thresholds: &[PerMille]) -> Forecast {
        let mut forecast = prefix.forecast(thresholds);
        for (rung, from, to) in bands(thresholds, self.rungs) {
            if let Some(grid) = self.latency.get(rung) {
                grid.collect(from, to, &mut forecast.latency.0);
            }
        }
        if let Some(grid) = self.latency.get(self.no_signal) {
            grid.collect(NONE, BINS, &mut forecast.latency.0);
        }
        forecast.exploring =
            self.explore.map(|explore| self.exploring(explore, thresholds)).unwrap_or_default();
        forecast
    }

    /// Counts the requests that start on another rung under the second setting than under the first.
    pub fn flips(&self, applied: &[PerMille], staged: &[PerMille]) -> u64 {
        let rung = |thresholds: &[PerMille], bin: usize| {
            thresholds.iter().position(|threshold| bin >= threshold.bin()).unwrap_or(thresholds.len())
        };
        let mut flips = 0;
        for (bin, &count) in self.histogram().iter().enumerate().filter(|(_, count)| **count > 0) {
            let (before, after) = (rung(applied, bin), rung(staged, bin));
            if before != after {
                let pair = (before.min(after), before.max(after));
                let unmoved = self.unmoved.get(&(bin, pair)).copied().unwrap_or(0);
                flips += u64::from(count.saturating_sub(unmoved));
            }
        }
        flips
    }
}

/// Lists the pairs of rungs between which a threshold moves nothing, by where a request begins that is placed on each.
fn stuck(begins: &[Option<usize>]) -> impl Iterator<Item = (usize, usize)> {
    begins.iter().enumerate().flat_map(|(low, begun)| {
        let same = begins.iter().enumerate().skip(low + 1).filter(move |(_, other)| *other == begun);
        same.map(move |(high, _)| (low, high))
    })
}

/// Returns the band of confidence bins (`from..to`) that each rung serves.
fn bands(thresholds: &[PerMille], rungs: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut to = PerMille::VALUES;
    (0..rungs).map(move |rung| {
        let from = if rung + 1 == rungs { 0 } else { thresholds.get(rung).map_or(0, |t| t.bin()).min(to) };
        let band = (rung, from, to);
        to = from;
        band
    })
}

impl Prefix {
    fn band(&self, rung: usize, from: usize, to: usize) -> Sums {
        let row = rung * BINS;
        let mut sums = self.sums.get(row + to).copied().unwrap_or_default();
        if let Some(below) = self.sums.get(row + from) {
            sums.sum(below, Sign::Minus);
        }
        sums
    }

    /// Adds up what thresholds give.
    fn sums(&self, thresholds: &[PerMille]) -> Sums {
        let mut all = self.unsure;
        for (rung, from, to) in bands(thresholds, self.rungs) {
            all.sum(&self.band(rung, from, to), Sign::Plus);
        }
        all
    }

    /// Adds up what starts on another rung: where it started, and where it would.
    fn moved_sums(&self, applied: &[PerMille], staged: &[PerMille]) -> [Sums; 2] {
        let mut moved = [Sums::default(); 2];
        for (was, from, to) in bands(applied, self.rungs) {
            for (will, first, end) in bands(staged, self.rungs).filter(|(will, ..)| *will != was) {
                let (first, end) = (from.max(first), to.min(end));
                if first < end {
                    moved[0].sum(&self.band(was, first, end), Sign::Plus);
                    moved[1].sum(&self.band(will, first, end), Sign::Plus);
                }
            }
        }
        moved
    }

    /// Says how far off the cost of what starts on another rung may be: where it started, and where it would.
    pub fn moved(&self, applied: &[PerMille], staged: &[PerMille]) -> [Spread; 2] {
        self.moved_sums(applied, staged).map(|sums| sums.spread)
    }

    /// Counts what starts on another rung, with what labels say of it there.
    pub fn judged_moved(&self, applied: &[PerMille], staged: &[PerMille]) -> Moved {
        let [_, Sums { requests, labelled, quality, .. }] = self.moved_sums(applied, staged);
        Moved { requests, labelled, quality }
    }

    /// Says what thresholds give, without latency.
    pub fn forecast(&self, thresholds: &[PerMille]) -> Forecast {
        let all = self.sums(thresholds);
        Forecast {
            requests: all.requests,
            cost: all.cost(),
            spread: all.spread,
            placed: all.begun,
            kept: all.kept,
            answered: all.answered,
            escalated: all.escalated,
            cascade: all.cascade,
            errors: all.errors,
            quality: all.quality,
            labelled: all.labelled,
            moved: Moved::default(),
            input: all.input,
            output: all.output,
            latency: LatencyBuckets::default(),
            exploring: Exploring::default(),
        }
    }

    /// Returns the whole curve of one rung's threshold, 0 to 1000. Where it would cross a neighbour, the neighbour goes along.
    pub fn curve(&self, thresholds: &[PerMille], rung: usize) -> Vec<CurvePoint> {
        let mut setting: crate::routing::Thresholds = thresholds.iter().copied().collect();
        (0..=1000u16)
            .filter_map(PerMille::new)
            .map(|value| {
                for (at, slot) in setting.iter_mut().enumerate() {
                    let own = thresholds[at];
                    *slot = match at.cmp(&rung) {
                        std::cmp::Ordering::Less => own.max(value),
                        std::cmp::Ordering::Equal => value,
                        std::cmp::Ordering::Greater => own.min(value),
                    };
                }
                let all = self.sums(&setting);
                CurvePoint {
                    threshold: value,
                    cost: all.cost(),
                    placed: all.begun.get(rung).copied().unwrap_or(0),
                    strongest: all.begun.get(self.rungs.saturating_sub(1)).copied().unwrap_or(0),
                    quality: all.quality,
                    labelled: all.labelled,
                }
            })
            .collect()
    }
}

impl Forecast {
    /// Adds or takes away what became of one operation; one whose client's own model served starts on no rung.
    pub fn account(&mut self, settled: &Settled, sign: Sign) {
        let step = |count: &mut u64, by: u64| sign.step(count, by);
        match sign {
            Sign::Plus => self.cost.add_operation(settled.costs()),
            Sign::Minus => self.cost.remove_operation(settled.costs()),
        }
        step(&mut self.requests, 1);
        if let Some(slot) = self.placed.get_mut(usize::from(settled.first_rung)) {
            step(slot, 1);
        }
        if let Some(slot) = self.answered.get_mut(usize::from(settled.rung)) {
            step(slot, 1);
        }
        step(&mut self.escalated, u64::from(settled.escalated));
        step(&mut self.errors, u64::from(!settled.status.is_ok()));
        if let Some(quality) = settled.quality {
            step(&mut self.quality, u64::from(quality.get()));
            step(&mut self.labelled, 1);
        }
        for attempt in &settled.attempts {
            step(&mut self.input, attempt.usage.prompt().unwrap_or(0));
            step(&mut self.output, attempt.usage.output.or_zero());
            self.spread.sum(&attempt.spread, sign);
        }
        if let Some(slot) = settled.latency.get().and_then(|millis| self.latency.0.get_mut(bucket(millis))) {
            step(slot, 1);
        }
    }

    /// Adds another route's forecast; rungs keep their own meaning per route and are not added.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.kept += other.kept;
        self.cost += &other.cost;
        self.spread.add(other.spread);
        self.escalated += other.escalated;
        self.cascade.sum(&other.cascade, Sign::Plus);
        self.errors += other.errors;
        self.quality += other.quality;
        self.labelled += other.labelled;
        self.moved.add(other.moved);
        self.input += other.input;
        self.output += other.output;
        self.exploring.sum(&other.exploring, Sign::Plus);
        for (mine, theirs) in self.latency.0.iter_mut().zip(&other.latency.0) {
            *mine += theirs;
        }
    }

    /// Adds a forecast of the same rungs, so that they add up as well.
    pub fn join(&mut self, other: &Self) {
        self.merge(other);
        for (mine, theirs) in self.placed.iter_mut().zip(&other.placed) {
            *mine += theirs;
        }
        for (mine, theirs) in self.answered.iter_mut().zip(&other.answered) {
            *mine += theirs;
        }
    }

    /// Returns the half-width of a 95% interval of the cost.
    pub fn cost_error(&self) -> Pico {
        self.spread.half_width()
    }
}

impl Frontier {
    /// Says what exploring comes to at most under thresholds.
    pub(super) fn exploring(&self, explore: Explore, thresholds: &[PerMille]) -> Exploring {
        let start = |by: PerMille| {
            let first = thresholds.iter().position(|threshold| by >= *threshold).unwrap_or(thresholds.len());
            // No confidence leads to a fallback.
            first.max(self.shape().2)
        };
        let mut found = Exploring::default();
        let mut weighed = 0_i128;
        for (at, &count) in self.histogram().iter().enumerate().filter(|(_, count)| **count > 0) {
            let Some(confidence) = u16::try_from(at).ok().and_then(PerMille::new) else { continue };
            let own = start(confidence);
            let sums = |rung: usize| self.row(rung).get(at).copied().unwrap_or_default();
            let total = |rung: usize| sums(rung).known.saturating_add(sums(rung).estimated);
            let mut is_near = false;
            for (other, chance) in explore.ways(confidence).map(|(by, chance)| (start(by), chance)) {
                let more = match other.cmp(&own) {
                    std::cmp::Ordering::Equal => continue,
                    std::cmp::Ordering::Less => sums(other).cascade.first.0,
                    std::cmp::Ordering::Greater => total(other).saturating_sub(total(own)).max(0),
                };
                is_near = true;
                weighed = weighed.saturating_add(more.saturating_mul(chance.into()));
            }
            found.requests += u64::from(if is_near { count } else { 0 });
        }
        found.worst = Pico(weighed).ratio(1, 1000);
        found
    }
}
