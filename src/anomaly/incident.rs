//! Incidents: what was unlike its past at one time, told once, with the part of the traffic that carries most of it.
//!
//! Which part explains a change goes by two measures of each: the share of the change that it carries, and how much more that
//! is than its share of the traffic (after Bhagwan et al., "Adtributor", NSDI 2014). Where all parts change alike, none does.

use super::metric::{Metric, float};
use super::scope::{Dimension, Scope};
use super::survey::{Signal, Survey};
use super::tally::Tally;
use super::watch::Onset;
use crate::units::{Instant, Pico};

/// Figures that begin within so many slots of each other belong to one incident.
const TOGETHER: i64 = 5;
/// Slots before an incident that it is compared with: as many as it has, within these.
const COMPARED: (i64, i64) = (30, 240);
/// Days before, at the same hours, that it is compared with instead, where there are two at least.
const DAYS: i64 = 7;
/// A part that carries less than this share of the change is not told.
const LEAST_CARRIED: f64 = 0.1;
/// Points by which a share has to change, for each per cent that other figures have to.
const POINTS: f64 = 0.04;
/// A part explains nothing where its share of the change is about its share of the traffic.
const LEAST_SHIFT: f64 = 0.01;
/// Slots after the end of a signal within which the same beginning anew is no incident of its own.
const AGAIN: i64 = 10;
/// Parts told.
const CAUSES: usize = 5;

/// A part of the traffic and what it carries of a change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cause {
    /// The part.
    pub scope: Scope,
    /// Its share of the change; more than one where others fell meanwhile.
    pub share: f64,
    /// Its sums before, in as many slots as the incident's.
    pub before: Window,
    /// Its sums during the incident.
    pub during: Window,
    surprise: f64,
}

/// Sums over some slots.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Window {
    /// The sums.
    pub sums: Tally,
    /// Over how many slots.
    pub slots: u64,
}

/// One figure of one part of the traffic that was unlike its past in an incident.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Changed {
    /// Whose.
    pub scope: Scope,
    /// The figure.
    pub metric: Metric,
    /// Before.
    pub before: Window,
    /// During the incident.
    pub during: Window,
}

/// Something that went wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// The beginning of its first slot.
    pub start: Instant,
    /// The slot in which it was worst.
    pub peak: Instant,
    /// The end of its last slot; `None` while it goes on.
    pub end: Option<Instant>,
    /// How it came.
    pub onset: Onset,
    /// The figure that changed most, of the widest part of the traffic that shows it, and how.
    pub lead: Changed,
    /// The same in its worst slot.
    pub worst: Window,
    /// What was spent beyond the usual, in all traffic.
    pub extra: Pico,
    /// What explains it, the best explanation first.
    pub causes: Vec<Cause>,
    /// The other figures that changed with it.
    pub also: Vec<Changed>,
}

impl Window {
    /// Returns the money a slot, as of so many slots.
    fn cost_of(&self, slots: u64) -> Pico {
        self.sums.cost.ratio(i128::from(slots), i128::from(self.slots.max(1)))
    }

    /// Returns a figure; of what is spent and how much is asked, that of one slot.
    pub fn figure(&self, metric: Metric) -> Option<f64> {
        let figure = metric.figure(&self.sums)?;
        match metric {
            Metric::Spend | Metric::Requests => (self.slots > 0).then(|| figure / float(self.slots)),
            _ => Some(figure),
        }
    }

    fn excess(&self, metric: Metric, usual: f64) -> f64 {
        metric.excess(&self.sums, usual) / float(self.slots.max(1))
    }
}

impl Changed {
    /// Returns the change as a share of what was usual; nothing where that was nothing.
    pub fn change(&self) -> Option<f64> {
        let (before, during) = (self.before.figure(self.metric)?, self.during.figure(self.metric)?);
        (before > 0.0).then(|| during / before - 1.0)
    }
}

impl Survey {
    /// Returns what went wrong so far, by its start; what is too small to be told is left out.
    pub fn incidents(&self) -> Vec<Incident> {
        let mut groups: Vec<Vec<Signal>> = Vec::new();
        for signal in self.signals().into_iter().filter(|signal| self.is_large(signal)) {
            match groups.iter_mut().rev().find(|group| belongs(&signal, group)) {
                Some(group) => group.push(signal),
                None => groups.push(vec![signal]),
            }
        }
        let mut told: Vec<(Vec<Signal>, Incident)> = Vec::new();
        for group in groups {
            let Some(incident) = self.incident(&group) else { continue };
            // What the same part explains at the same time is the same, though it was seen sooner or later.
            let same = told.iter_mut().rev().find(|(_, other)| {
                let cause = |one: &Incident| one.causes.first().map(|cause| cause.scope);
                cause(other).is_some()
                    && cause(other) == cause(&incident)
                    && other.end.is_none_or(|end| incident.start < end)
            });
            let Some((signals, other)) = same else {
                told.push((group, incident));
                continue;
            };
            signals.extend(group);
            if let Some(both) = self.incident(signals) {
                *other = both;
            }
        }
        let mut told: Vec<Incident> = told.into_iter().map(|(_, incident)| incident).collect();
        crate::units::sort_by_key(&mut told, |incident| incident.start);
        told
    }

    fn is_large(&self, signal: &Signal) -> bool {
        let changed = self.changed(signal, signal.firing.start, signal.firing.last);
        let knobs = &self.knobs;
        let enough =
            changed.during.sums.requests.max(changed.before.sums.requests / changed.before.slots.max(1))
                >= knobs.least_requests;
        let (before, during) = (changed.before.figure(signal.metric), changed.during.figure(signal.metric));
        let percent = changed.change().map(|change| change.abs() * 100.0);
        // A share of next to nothing may double without being anything.
        let points = during.zip(before).map_or(0.0, |(during, before)| (during - before).abs() * 100.0);
        let is_seen = !signal.metric.is_share() || points >= knobs.least_percent * POINTS;
        let money = match signal.metric {
            Metric::Spend | Metric::CostPerRequest => {
                let usual = changed.before.cost_of(changed.during.slots);
                (changed.during.sums.cost - usual).0.abs() >= knobs.least_usd.0
            }
            _ => true,
        };
        // Where nothing was before, any change is large.
        enough && money && is_seen && percent.is_none_or(|percent| percent >= knobs.least_percent)
    }

    fn incident(&self, group: &[Signal]) -> Option<Incident> {
        // What came at once is placed best in time; then the whole before its parts, and what was rarest.
        let lead = group.iter().max_by(|one, other| {
            let rank = |signal: &Signal| {
                let (sudden, whole) = (signal.firing.onset == Onset::Sudden, signal.scope == Scope::All);
                (sudden, whole)
            };
            rank(one).cmp(&rank(other)).then(one.firing.weight.total_cmp(&other.firing.weight))
        })?;
        // The same figure may end and begin anew, or go on longer in the part that it comes from than it is seen in the whole.
        let cause = self.causes(lead, lead.firing.start, lead.firing.last).first().map(|cause| cause.scope);
        let same = || {
            group.iter().filter(|signal| {
                signal.metric == lead.metric && (signal.scope == lead.scope || Some(signal.scope) == cause)
            })
        };
        let first = same().map(|signal| signal.firing.start).min()?;
        let last = same().map(|signal| signal.firing.last).max()?;
        // What no part explains is the whole's, also where a part was seen first: it would else be blamed for all others.
        let whole = Signal { scope: Scope::All, ..*lead };
        let is_nobodys =
            lead.scope != Scope::All && self.causes(lead, first, last).is_empty() && self.is_large(&whole);
        let shown = if is_nobodys { &whole } else { lead };
        let changed = self.changed(shown, first, last);
        // Its own money: what others spent meanwhile is no part of it.
        let own = self.window(shown.scope, first, last);
        let usual = self.before(shown.scope, first, last);
        let peak = self.worst(&changed, (first, last)).unwrap_or(lead.firing.peak);
        let mut also: Vec<Changed> = Vec::new();
        for signal in group.iter().filter(|signal| *signal != lead) {
            also.push(self.changed(signal, signal.firing.start, signal.firing.last));
        }
        Some(Incident {
            start: self.at(first),
            peak: self.at(peak),
            end: same().all(|signal| signal.is_over).then(|| self.at(last + 1)),
            onset: lead.firing.onset,
            lead: changed,
            worst: self.window(shown.scope, peak, peak),
            extra: own.sums.cost - usual.cost_of(own.slots),
            causes: self.causes(shown, first, last),
            also,
        })
    }

    /// Returns the slot whose figure lies farthest to the side to which it changed, the first of several.
    fn worst(&self, changed: &Changed, (first, last): (i64, i64)) -> Option<i64> {
        let figure = |window: &Window| window.figure(changed.metric);
        let usual = figure(&changed.before).unwrap_or(0.0);
        let sign = if figure(&changed.during)? < usual { -1.0 } else { 1.0 };
        let figures = (first..=last)
            .filter_map(|slot| Some((slot, sign * figure(&self.window(changed.scope, slot, slot))?)));
        let farther = |worst: (i64, f64), one: (i64, f64)| if one.1 > worst.1 { one } else { worst };
        figures.reduce(farther).map(|(slot, _)| slot)
    }

    fn changed(&self, signal: &Signal, first: i64, last: i64) -> Changed {
        Changed {
            scope: signal.scope,
            metric: signal.metric,
            before: self.before(signal.scope, first, last),
            during: self.window(signal.scope, first, last),
        }
    }

    fn window(&self, scope: Scope, first: i64, last: i64) -> Window {
        let slots = u64::try_from(last - first + 1).unwrap_or(0);
        Window { sums: self.sum(scope, first, last), slots }
    }

    /// Returns what some slots are compared with: the same hours of the days before, or the slots just before.
    fn before(&self, scope: Scope, first: i64, last: i64) -> Window {
        let day = (crate::units::Span::days(1).0 / self.length.0).max(1);
        let mut usual = Window::default();
        let days = (1..=DAYS).take_while(|days| first - days * day >= self.first);
        let days: Vec<i64> = days.filter(|days| days * day > last - first).collect();
        if days.len() >= 2 {
            for shift in days.iter().map(|days| days * day) {
                let window = self.window(scope, first - shift, last - shift);
                usual.sums += &window.sums;
                usual.slots += window.slots;
            }
            return usual;
        }
        let from = first - (last - first + 1).clamp(COMPARED.0, COMPARED.1);
        self.window(scope, from.max(self.first), first - 1)
    }

    /// Finds what explains a change: the parts of the dimension whose shares of the whole have changed most. The change of a part
    /// is explained so only where it is most of the whole's.
    fn causes(&self, lead: &Signal, first: i64, last: i64) -> Vec<Cause> {
        let metric = lead.metric;
        let usual = metric.usual(&self.before(Scope::All, first, last).sums);
        let own = (lead.scope != Scope::All).then(|| {
            let excess = |window: Window| window.excess(metric, usual);
            excess(self.window(lead.scope, first, last)) - excess(self.before(lead.scope, first, last))
        });
        let mut best: (f64, Vec<Cause>) = (0.0, Vec::new());
        for dimension in Dimension::ALL {
            let parts: Vec<(Scope, Window, Window)> = (self.scopes())
                .filter(|scope| scope.dimension() == Some(dimension))
                .map(|scope| (scope, self.before(scope, first, last), self.window(scope, first, last)))
                .collect();
            let grown = |before: &Window, during: &Window| {
                during.excess(metric, usual) - before.excess(metric, usual)
            };
            let change: f64 = parts.iter().map(|(_, before, during)| grown(before, during)).sum();
            let traffic: f64 = parts.iter().map(|(_, before, _)| metric.weight(&before.sums)).sum();
            if change.abs() <= f64::EPSILON || own.is_some_and(|own| own / change < 0.5) {
                continue;
            }
            let mut found: Vec<Cause> = parts
                .iter()
                .map(|(scope, before, during)| {
                    let share = grown(before, during) / change;
                    let of_traffic = metric.weight(&before.sums) / traffic.max(f64::MIN_POSITIVE);
                    let surprise = shift(of_traffic, share.clamp(0.0, 1.0));
                    Cause { scope: *scope, share, before: *before, during: *during, surprise }
                })
                .filter(|cause| cause.share >= LEAST_CARRIED)
                .collect();
            crate::units::sort_by(&mut found, |one, other| other.share.total_cmp(&one.share));
            found.truncate(CAUSES);
            // A dimension explains the better the more of the change its first part carries, and the less of the traffic it is.
            let weight = found.first().map_or(0.0, |first| first.surprise * first.share.min(1.0));
            if weight > best.0.max(LEAST_SHIFT) {
                best = (weight, found);
            }
        }
        best.1
    }
}

/// Says whether a signal is of an incident: it began with it, began anew just after, or drifts as it does.
fn belongs(signal: &Signal, group: &[Signal]) -> bool {
    let start = signal.firing.start;
    group.iter().any(|other| {
        let since = start - other.firing.last;
        let same = other.metric == signal.metric;
        let drift = |signal: &Signal| signal.firing.onset == Onset::Drift;
        start - other.firing.start <= TOGETHER
            || (same && other.scope == signal.scope && since <= AGAIN)
            || (same && since <= 0 && drift(other) && drift(signal))
    })
}

/// Says how far a share of the whole has moved: the Jensen-Shannon divergence's part of it.
fn shift(was: f64, is: f64) -> f64 {
    let middle = f64::midpoint(was, is);
    let part = |share: f64| if share > 0.0 { share * (share / middle).ln() } else { 0.0 };
    0.5 * (part(was) + part(is))
}
