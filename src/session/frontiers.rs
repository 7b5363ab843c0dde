//! The frontiers of a window, one for every setting of a route that was in force within it.
//!
//! Routes are known by their names, whatever place a policy gives them. What was in force at a request counts as applied;
//! a staged change holds in every setting that has the rung.

use std::sync::Arc;

use super::settled::settle_one;
use super::snapshot::{Reading, RouteConsequences};
use crate::certificate::{Explored, OffPolicy, off_policy};
use crate::outcome::{Evidence, Outlook, Settled, Spread};
use crate::pricing::CostSum;
use crate::routing::{Mode, Policy, Route, RouteId, Rung, Thresholds};
use crate::telemetry::{CurvePoint, Forecast, Frontier, Pairs, Prefix, Sign};
use crate::units::{Instant, PerMille, RouteTag};

/// Settings of one route that are kept apart within a window; of more, the oldest count as the one after them.
pub(super) const MOST: usize = 32;

/// A route as one or more policies have it, and what it would make of the requests that it took.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) route: Arc<Route>,
    pub(super) frontier: Frontier,
    /// Where it only observes: what became of its requests.
    actual: Forecast,
    /// What became of requests whose clients named their model, which no threshold moves.
    pinned: Forecast,
    /// The moment of its first request.
    first: Option<Instant>,
    prefix: Option<Prefix>,
    histogram: Option<Arc<Vec<u32>>>,
}

impl Setting {
    fn new(route: &Route) -> Self {
        Self {
            first: None,
            route: Arc::new(route.clone()),
            frontier: Frontier::new(route),
            actual: Forecast::default(),
            pinned: Forecast::default(),
            prefix: None,
            histogram: None,
        }
    }

    fn is_of(&self, route: &Route) -> bool {
        same_rungs(&self.route, route) && self.route.thresholds() == route.thresholds()
    }

    /// Says what was in force gave.
    pub(super) fn in_force(&mut self) -> Forecast {
        if tells_actual(&self.route) {
            return self.actual.clone();
        }
        let own = self.route.thresholds();
        self.at(&own)
    }

    /// Says what thresholds give.
    pub(super) fn at(&mut self, thresholds: &[PerMille]) -> Forecast {
        let own = self.route.thresholds();
        let (frontier, prefix) = self.parts();
        Forecast { moved: prefix.judged_moved(&own, thresholds), ..frontier.forecast(prefix, thresholds) }
    }

    /// Says how far off the cost of what thresholds move may be, where it starts and where it would. A route whose requests went by
    /// other rules is compared as a whole.
    pub(super) fn moved(&mut self, thresholds: &[PerMille]) -> [Spread; 2] {
        let own = self.route.thresholds();
        if own.as_slice() == thresholds {
            return [Spread::NONE; 2];
        }
        if tells_actual(&self.route) {
            return [self.actual.spread, self.at(thresholds).spread];
        }
        self.parts().1.moved(&own, thresholds)
    }

    fn parts(&mut self) -> (&Frontier, &Prefix) {
        (&self.frontier, self.prefix.get_or_insert_with(|| self.frontier.prefix()))
    }
}

/// Says whether what became of a route's requests is more than its thresholds tell: its clients' models serve, or calls are
/// capped.
fn tells_actual(route: &Route) -> bool {
    route.mode == Mode::Observe || route.remembers()
}

/// Says whether two routes have one name, the same mode and the same rungs, which make the same calls, whatever their thresholds.
fn same_rungs(one: &Route, other: &Route) -> bool {
    one.mode == other.mode
        && one.require == other.require
        && one.no_signal == other.no_signal
        && one.explore == other.explore
        && one.adapt == other.adapt
        && one.when_failed == other.when_failed
        && same_names(one, other)
        && one.ladder.iter().zip(&other.ladder).all(|(a, b)| a.same_call(b))
}

/// Says whether two routes are one to whoever reads figures: by their names and those of their rungs and models, whatever
/// their thresholds and modes and whatever is said of the models.
pub(super) fn same_names(one: &Route, other: &Route) -> bool {
    one.tag == other.tag
        && one.ladder.len() == other.ladder.len()
        && one.ladder.iter().zip(&other.ladder).all(|(a, b)| a.name == b.name && a.known_as == b.known_as)
}

/// The frontiers of a window.
#[derive(Clone, Debug, Default)]
pub struct Frontiers {
    /// The settings held.
    pub(super) held: Vec<Setting>,
    /// The policies met, with the place in `held` of each of their routes.
    met: Vec<(Arc<Policy>, Vec<Option<usize>>)>,
    /// Whether settings of a route were too many to keep apart, so that the oldest count as the one after them.
    pub(super) are_joined: bool,
    /// What requests cost whose clients named their model, which no threshold moves.
    pub(super) kept: CostSum,
}

impl Frontiers {
    /// Adds or takes away one operation of a route of the policy that was in force at it.
    pub fn apply(
        &mut self,
        policy: &Arc<Policy>,
        evidence: &Evidence<'_>,
        route: RouteId,
        outlook: &Outlook<'_>,
        sign: Sign,
    ) {
        let Some(place) = self.place(policy, route.index()) else { return };
        let Some(setting) = self.held.get_mut(place) else { return };
        let at = evidence.operation.at;
        setting.first = Some(setting.first.map_or(at, |first| first.min(at)));
        setting.frontier.apply(evidence, &setting.route, outlook, sign);
        let is_kept = evidence.operation.pinned && setting.route.pins(evidence.operation.class);
        if tells_actual(&setting.route) || is_kept {
            // What this policy makes of it, whichever reading the sums beside it have.
            let mut routed = Settled::default();
            settle_one(evidence, Reading::Routed, policy, outlook, &mut routed);
            let side = if is_kept { &mut setting.pinned } else { &mut setting.actual };
            side.account(&routed, sign);
            match sign {
                _ if !is_kept => {}
                Sign::Plus => self.kept.add_operation(routed.costs()),
                Sign::Minus => self.kept.remove_operation(routed.costs()),
            }
        }
        (setting.prefix, setting.histogram) = (None, None);
    }

    fn place(&mut self, policy: &Arc<Policy>, route: usize) -> Option<usize> {
        let at = self.met.iter().rposition(|(met, _)| met == policy).unwrap_or_else(|| {
            self.met.push((Arc::clone(policy), vec![None; policy.routes.len()]));
            self.met.len() - 1
        });
        let known = self.met.get(at)?.1.get(route)?;
        if known.is_some() {
            return *known;
        }
        let wanted = policy.routes.get(route)?;
        let place = self.held.iter().position(|setting| setting.is_of(wanted)).unwrap_or_else(|| {
            self.held.push(Setting::new(wanted));
            self.held.len() - 1
        });
        if let Some(slot) = self.met.get_mut(at).and_then(|(_, places)| places.get_mut(route)) {
            *slot = Some(place);
        }
        self.bound(wanted);
        self.met.get(at)?.1.get(route).copied()?
    }

    /// Lets the oldest setting of a route count as its next where there are too many to keep apart.
    fn bound(&mut self, route: &Route) {
        let mut same =
            self.held.iter().enumerate().filter(|(_, one)| same_rungs(&one.route, route)).map(|(at, _)| at);
        let (Some(oldest), Some(next)) = (same.next(), same.next()) else { return };
        if same.count() + 2 <= MOST {
            return;
        }
        self.are_joined = true;
        let gone = self.held.remove(oldest);
        if let Some(next) = self.held.get_mut(next - 1) {
            next.frontier.merge(&gone.frontier);
            next.actual.merge(&gone.actual);
            next.pinned.merge(&gone.pinned);
            (next.prefix, next.histogram) = (None, None);
        }
        for place in self.met.iter_mut().flat_map(|(_, places)| places).flatten() {
            *place = if *place == oldest { next - 1 } else { *place - usize::from(*place > oldest) };
        }
    }

    /// Brings what came in any order into the order of time; says whether that is all it takes to be the same.
    pub(super) fn by_time(&mut self) -> bool {
        crate::units::sort_by_key(&mut self.held, |setting| setting.first);
        self.met.clear();
        !self.are_joined
    }

    /// Says what was in force and what a staged policy give for every route: those of the policy in force now in its order,
    /// then earlier ones that it does not have, or has with other rungs.
    pub fn consequences(&mut self, now: &Policy, staged: &Policy) -> Vec<RouteConsequences> {
        let mut rows: Vec<RouteConsequences> = now.routes.iter().map(RouteConsequences::none).collect();
        for setting in &mut self.held {
            let then = carried(&setting.route, now, staged);
            let own = setting.route.thresholds();
            // What a route did while it observed stays with it when it is turned on.
            let row = row_of(&mut rows, &setting.route);
            let histogram = Arc::clone(
                setting.histogram.get_or_insert_with(|| Arc::new(setting.frontier.histogram().to_vec())),
            );
            let observes = setting.route.mode == Mode::Observe;
            let actual = tells_actual(&setting.route).then(|| setting.actual.clone());
            row.pinned.merge(&setting.pinned);
            let (frontier, prefix) = setting.parts();
            let applied = frontier.forecast(prefix, &own);
            let changed = (own != then).then(|| Forecast {
                moved: prefix.judged_moved(&own, &then),
                ..frontier.forecast(prefix, &then)
            });
            // Where nothing is changed, what was in force stands, caps on calls included.
            let unchanged = actual.as_ref().filter(|_| !observes).unwrap_or(&applied);
            let staged = changed.as_ref().unwrap_or(unchanged);
            row.flips += if observes {
                // What would go elsewhere than its client sent it.
                staged.requests.saturating_sub(staged.kept)
            } else {
                frontier.flips(&own, &then)
            };
            // A route whose requests went by other rules is compared as a whole.
            let moved = match &actual {
                Some(actual) => [actual.spread, staged.spread],
                None => prefix.moved(&own, &then),
            };
            row.moved.iter_mut().zip(moved).for_each(|(side, more)| side.add(more));
            row.unsure += frontier.without_confidence();
            row.staged.join(staged);
            row.applied.join(actual.as_ref().unwrap_or(&applied));
            row.add_histogram(histogram);
        }
        for row in &mut rows {
            row.explored = self.explored(row, now, staged);
        }
        rows.retain(|row| {
            row.applied.requests + row.pinned.requests > 0
                || now.routes.iter().any(|route| same_names(route, &row.setting))
        });
        rows
    }

    /// Says what explored requests of a route tell of what is staged.
    fn explored(&self, row: &RouteConsequences, now: &Policy, staged: &Policy) -> Option<OffPolicy> {
        let is_told =
            |setting: &&Setting| same_names(&row.setting, &setting.route) && !tells_actual(&setting.route);
        let own = self.held.iter().filter(is_told);
        let tried: Vec<(&Setting, Route)> = own
            .map(|setting| {
                let mut route = (*setting.route).clone();
                // They descend by construction: cannot be refused.
                let _ = route.set_thresholds(&carried(&route, now, staged));
                (setting, route)
            })
            .collect();
        let moves = |(setting, tried): &(&Setting, Route)| setting.route.thresholds() != tried.thresholds();
        if !tried.iter().any(moves) {
            return None;
        }
        off_policy(tried.iter().map(|(setting, tried)| Explored {
            lots: setting.frontier.lots(),
            logged: &setting.route,
            tried,
            requests: setting.frontier.requests(),
        }))
    }

    /// Returns the curve of one rung's threshold, other staged changes in force.
    pub fn curve(&mut self, now: &Policy, staged: &Policy, route: &Route, rung: usize) -> Vec<CurvePoint> {
        let Some(moved) = route.ladder.get(rung).filter(|_| route.movable().contains(&rung)) else {
            return Vec::new();
        };
        let mut sum: Vec<CurvePoint> = Vec::new();
        for setting in &mut self.held {
            let of = &setting.route;
            let place = place_of(of, route, moved).filter(|place| of.movable().contains(place));
            let Some(place) = place else { continue };
            let thresholds = carried(of, now, staged);
            let (_, prefix) = setting.parts();
            let curve = prefix.curve(&thresholds, place);
            if sum.is_empty() {
                sum = curve;
            } else {
                sum.iter_mut().zip(&curve).for_each(|(point, more)| point.join(more));
            }
        }
        if sum.is_empty() { Frontier::new(route).prefix().curve(&route.thresholds(), rung) } else { sum }
    }

    /// Returns the judged requests of a route's rung beside its last one, whatever thresholds were in force.
    pub fn pairs(&self, route: &Route, rung: usize) -> Pairs {
        let mut all = Pairs::default();
        let (Some(cheap), Some(strong)) = (route.ladder.get(rung), route.ladder.last()) else { return all };
        for setting in &self.held {
            let of = &setting.route;
            let is_same = of.ladder.last().is_some_and(|last| last.model == strong.model);
            let place = place_of(of, route, cheap).filter(|_| is_same);
            if let Some(pairs) = place.and_then(|place| setting.frontier.pairs(place)) {
                all.merge(pairs);
            }
        }
        all
    }
}

/// Returns the row of a route, an empty one where it has none yet.
pub(super) fn row_of<'r>(rows: &'r mut Vec<RouteConsequences>, route: &Route) -> &'r mut RouteConsequences {
    let place = rows.iter().position(|row| row.is_of(route)).unwrap_or_else(|| {
        rows.push(RouteConsequences::none(route));
        rows.len() - 1
    });
    &mut rows[place]
}

/// Returns the place that a route's rung has in the same route as another policy has it.
fn place_of(of: &Route, route: &Route, rung: &Rung) -> Option<usize> {
    let place = of.ladder.iter().position(|one| one.name == rung.name && one.known_as == rung.known_as);
    place.filter(|_| of.tag == route.tag)
}

/// Returns the thresholds of a route as some policy has it once what is staged has been changed in it: the same rungs go to
/// the same values, and neighbours that would be crossed go along.
pub fn carried(route: &Route, now: &Policy, staged: &Policy) -> Thresholds {
    let thresholds = route.thresholds();
    let find = |policy: &Policy, tag: RouteTag| policy.routes.iter().find(|one| one.tag == tag).cloned();
    let (Some(before), Some(after)) = (find(now, route.tag), find(staged, route.tag)) else {
        return thresholds;
    };
    let mut changed: Vec<(usize, PerMille)> = Vec::new();
    for (old, new) in
        before.ladder.iter().zip(&after.ladder).filter(|(old, new)| old.threshold != new.threshold)
    {
        let rung =
            route.ladder.iter().position(|rung| rung.name == old.name && rung.known_as == old.known_as);
        changed.extend(rung.filter(|rung| *rung < thresholds.len()).map(|rung| (rung, new.threshold)));
    }
    moved_along(&thresholds, &changed)
}

/// Moves thresholds of a ladder; neighbours that would be crossed go along, but for those that are moved themselves.
pub fn moved_along(thresholds: &[PerMille], changed: &[(usize, PerMille)]) -> Thresholds {
    let mut thresholds: Thresholds = thresholds.iter().copied().collect();
    for &(at, to) in changed {
        for (place, slot) in thresholds.iter_mut().enumerate() {
            *slot = match place.cmp(&at) {
                std::cmp::Ordering::Less => (*slot).max(to),
                std::cmp::Ordering::Equal => to,
                std::cmp::Ordering::Greater => (*slot).min(to),
            };
        }
    }
    // What was named itself stays as named.
    for &(at, to) in changed {
        if let Some(slot) = thresholds.get_mut(at) {
            *slot = to;
        }
    }
    thresholds
}

/// Returns a policy with the routes besides that only earlier ones have, each as it was last; they decide nothing.
pub fn with_earlier<'a>(now: &Policy, earlier: impl DoubleEndedIterator<Item = &'a Policy>) -> Policy {
    let mut all = now.clone();
    for route in earlier.rev().flat_map(|policy| &policy.routes) {
        if all.routes.len() < usize::from(u8::MAX) && all.routes.iter().all(|known| known.tag != route.tag) {
            all.routes.push(route.clone());
        }
    }
    all
}

/// Returns the policy that what is staged differs from: the one in force, with routes of earlier ones where those are staged.
pub(super) fn grounds<'a>(
    now: &Arc<Policy>,
    staged: &Policy,
    earlier: impl DoubleEndedIterator<Item = &'a Policy>,
) -> Arc<Policy> {
    let is_enough = staged.routes.len() <= now.routes.len();
    if is_enough { Arc::clone(now) } else { Arc::new(with_earlier(now, earlier)) }
}

/// Returns a policy of the log with what is staged changed in it.
pub(super) fn with_staged(policy: &Policy, now: &Policy, staged: &Policy) -> Policy {
    let mut changed = policy.clone();
    for route in &mut changed.routes {
        let thresholds = carried(route, now, staged);
        // They descend by construction: cannot be refused.
        let _ = route.set_thresholds(&thresholds);
    }
    changed
}

impl RouteConsequences {
    /// Says whether they are those of a route as a policy has it: by its name and those of its rungs and models.
    pub fn is_of(&self, route: &Route) -> bool {
        same_names(&self.setting, route)
    }

    /// Starts the consequences of a route that took nothing.
    pub(super) fn none(route: &Route) -> Self {
        Self {
            setting: Arc::new(route.clone()),
            histogram: Arc::new(vec![0; PerMille::VALUES]),
            unsure: 0,
            applied: Forecast::default(),
            staged: Forecast::default(),
            pinned: Forecast::default(),
            flips: 0,
            moved: [Spread::NONE; 2],
            explored: None,
        }
    }

    /// Says whether a route's threshold is among those that shape these consequences.
    pub fn moves_with(&self, route: &Route, rung: usize) -> bool {
        let own = &self.setting;
        let place = route.ladder.get(rung).and_then(|rung| place_of(own, route, rung));
        place.is_some_and(|place| own.movable().contains(&place))
    }

    fn add_histogram(&mut self, more: Arc<Vec<u32>>) {
        if self.histogram.iter().all(|&count| count == 0) {
            self.histogram = more;
            return;
        }
        for (count, more) in Arc::make_mut(&mut self.histogram).iter_mut().zip(more.iter()) {
            *count = count.saturating_add(*more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::is_within_error;
    use super::*;
    use crate::routing::{PolicySpec, RouteSpec, RungSpec};
    use crate::units::{Names, Pico};

    fn some_route() -> Route {
        let rung = RungSpec { model: "m".to_owned(), ..RungSpec::default() };
        let route = RouteSpec { name: "one".to_owned(), ladder: vec![rung], ..RouteSpec::default() };
        let spec = PolicySpec { name: "p".to_owned(), routes: vec![route], ..PolicySpec::default() };
        Policy::compile(&spec, 1, &mut Names::default()).unwrap().routes.remove(0)
    }

    #[test]
    fn a_change_is_weighed_against_the_error_of_what_changes() {
        let route = |applied: i128, staged: i128, error: i128| {
            let mut route = RouteConsequences::none(&some_route());
            (route.applied.cost.estimated, route.staged.cost.estimated) = (Pico(applied), Pico(staged));
            route.staged.spread.chance = i128::MAX;
            route.moved[1].chance = error * error;
            route
        };
        let (unsure, sure) = (route(1_000, 1_010, 100), route(1_000, 9_000, 10));
        let still = route(5_000, 5_000, 0);
        let within = |routes: &[&RouteConsequences]| is_within_error(routes.iter().copied());
        assert!(within(&[&unsure, &still]));
        assert!(!within(&[&sure, &still]), "what is the same on both sides adds no error");
        assert!(!within(&[&still]), "nothing changed");
    }
}
