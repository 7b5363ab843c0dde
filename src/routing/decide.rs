//! The decision: a pipeline of small pure stages, each of which adds one line to the reason trail.

use super::adapting::adapt;
use super::affinity::stay;
use super::follows::go_on;
use super::guard::{afford, avail, constrain, hold_back, hold_out, lacking};
use super::in_flight::admit;
use super::{
    Bar, Check, Circumstance, NO_RUNG, Policy, Route, RouteId, Rungs, Short, Signals, Status, Step, Trail,
    WhenFailed, Why, match_route,
};
use crate::runaway::Then;
use crate::units::{ModelId, PerMille};

/// Where a request goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The route that took it.
    pub route: RouteId,
    /// The rung it starts on; [`NO_RUNG`] where the client's own model serves, and where none may.
    pub rung: u8,
    /// The model of that rung; none where no model may serve.
    pub model: ModelId,
    /// The rungs it may be served by.
    pub open: Rungs,
    /// The fallback, where it may come to that once all of those have failed.
    pub reserve: Option<u8>,
    /// Where the ladder would have started it, had the route not only observed.
    pub would: Option<u8>,
    /// Whether no model may serve it.
    pub refused: bool,
    /// The probability with which this rung was chosen; 1000 where nothing was drawn.
    pub propensity: PerMille,
    /// The version of the policy that decided.
    pub policy_version: u32,
    /// The reasons.
    pub trail: Trail,
}

/// Decides where a request goes: classify, find the route, ask the guards, place.
pub fn decide(policy: &Policy, signals: &Signals, circumstance: &Circumstance) -> Decision {
    let mut trail = Trail::new();
    trail.push(Step::Classified {
        class: signals.class,
        confidence: signals.confidence,
        source: signals.source,
    });
    let id = match_route(policy, signals);
    trail.push(Step::Route(id));
    let route = policy.route(id);
    let mut decision = Decision {
        route: id,
        rung: NO_RUNG,
        model: ModelId::NONE,
        open: Rungs::all(route.ladder.len()),
        reserve: None,
        would: None,
        refused: false,
        propensity: PerMille::ONE,
        policy_version: policy.version,
        trail,
    };
    if route.serves_as_named(signals) {
        pin(policy, route, signals, circumstance, &mut decision);
        return decision;
    }
    let trail = &mut decision.trail;
    let open = constrain(route, circumstance, trail);
    let open = avail(route, circumstance, open, trail);
    let open = hold_out(route, circumstance, open, trail);
    let open = hold_back(open, circumstance, trail);
    decision.open = open;
    let by = route.placed_by(signals.confidence, signals.draw, circumstance);
    let mut steps = Trail::new();
    let placed = start(route, (by, signals.confidence), (circumstance, open), &mut steps);
    if let Some(ways) = route.ways(signals.confidence, signals.draw, circumstance) {
        decision.propensity = chance(route, (ways, signals.confidence), (circumstance, open), placed);
    }
    if decision.propensity < PerMille::ONE {
        let placed_as = by.filter(|_| by != signals.confidence);
        trail.push(Step::Lot { placed_as, chance: decision.propensity });
    }
    trail.extend(steps);
    if let Some(rung) = placed {
        decision.open = route.escalates_to(circumstance, open, rung);
        decision.reserve = route.in_reserve(circumstance, open);
        decision.rung = rung;
        decision.model = route.ladder[usize::from(rung)].model;
    } else {
        trail.push(Step::Refused);
        decision.refused = true;
    }
    decision
}

/// Finds the rung that a request starts on by a confidence, its own or one that a lot put in its place; what was learnt, caps on
/// calls and budgets are asked.
fn start(
    route: &Route,
    (confidence, own): (Option<PerMille>, Option<PerMille>),
    (circumstance, open): (&Circumstance, Rungs),
    trail: &mut Trail,
) -> Option<u8> {
    let (rung, step) = place(route, confidence, open)?;
    trail.push(step);
    let learns = confidence.filter(|_| confidence == own);
    let rung = adapt(route, learns, (circumstance, open), rung, trail);
    let rung = go_on(route, circumstance, open, rung, trail);
    let rung = stay(route, circumstance, open, rung, trail);
    let rung = admit(route, circumstance, open, rung, trail)?;
    afford(route, circumstance, (rung, open), trail)
}

/// Adds up the chances of all lots that start a request where it was placed.
fn chance(
    route: &Route,
    (ways, own): ([(PerMille, u16); 3], Option<PerMille>),
    on: (&Circumstance, Rungs),
    placed: Option<u8>,
) -> PerMille {
    let is_same_start =
        |(by, _): &(PerMille, u16)| start(route, (Some(*by), own), on, &mut Trail::new()) == placed;
    let sum = ways.iter().filter(|way| is_same_start(way)).map(|(_, chance)| chance).sum();
    PerMille::new(sum).unwrap_or(PerMille::ONE)
}

/// Lets the client's own model serve, where it carries what is required; a route that observes says where the request would
/// have gone.
fn pin(policy: &Policy, route: &Route, signals: &Signals, circumstance: &Circumstance, into: &mut Decision) {
    let required = route.require.and(circumstance.needs.labels);
    let facts = policy.facts(signals.known_as);
    let is_full = facts.max_in_flight.is_some() && circumstance.is_full(signals.known_as);
    let stopped = || (circumstance.runaway == Then::Freeze).then_some(Bar::Runaway(Then::Freeze));
    let full = || is_full.then_some(Bar::Full);
    let short = circumstance.short(signals.known_as);
    let over = || short.filter(|short| *short != Short::Soft).map(Bar::Budget);
    if let Some(why) = stopped().or_else(|| lacking(&facts, required)).or_else(full).or_else(over) {
        into.trail.push(Step::Barred { rung: NO_RUNG, why });
        into.trail.push(Step::Refused);
        (into.open, into.refused) = (Rungs::NONE, true);
        return;
    }
    into.model = signals.asked;
    if route.pins(signals.class) {
        into.trail.push(Step::Pinned { model: signals.asked });
        return;
    }
    let open = constrain(route, circumstance, &mut into.trail);
    let open = avail(route, circumstance, open, &mut into.trail);
    into.open = hold_back(open, circumstance, &mut into.trail);
    if let Some((rung, step)) = place(route, signals.confidence, into.open) {
        into.trail.push(step);
        into.would = Some(rung);
    }
    into.trail.push(Step::Observed { model: signals.asked, would: into.would });
}

/// Finds the rung among those that may serve, and says why it is that one.
fn place(route: &Route, confidence: Option<PerMille>, open: Rungs) -> Option<(u8, Step)> {
    let rung = route.place(confidence, open)?;
    let at = u8::try_from(rung).unwrap_or(0);
    let threshold = route.ladder[rung].threshold;
    let step = match confidence {
        _ if route.ladder[rung].fallback => Step::Fallback { rung: at },
        None => Step::NoSignal { rung: at },
        Some(confidence) if rung + 1 < route.ladder.len() && confidence >= threshold => {
            Step::Placed { rung: at, threshold }
        }
        Some(_) => {
            let before = (0..rung).rev().find(|&before| open.has(before));
            Step::Last { rung: at, missed: before.map(|before| route.ladder[before].threshold) }
        }
    };
    Some((at, step))
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The client gets this answer (or this error).
    Answer,
    /// The request goes up to this rung.
    Escalate {
        /// The rung.
        to: u8,
        /// The reason.
        why: Why,
    },
}

/// Where a request may go after the rung on which it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The rung on which it started.
    pub first: u8,
    /// The rungs that may serve it.
    pub open: Rungs,
    /// Whether it goes down where the strongest of them failed.
    pub falls: bool,
    /// The fallback, which serves where all of them failed.
    pub reserve: Option<u8>,
}

impl Reach {
    /// Returns the next rung after one that failed; none where nothing is left.
    pub fn after_failure(self, rung: u8) -> Option<u8> {
        // Who was served by the model that its client named is on no ladder.
        if self.first == NO_RUNG || rung == NO_RUNG {
            return None;
        }
        let up = || self.open.at_or_after(usize::from(rung).saturating_add(1));
        if rung >= self.first
            && let Some(up) = up()
        {
            return u8::try_from(up).ok();
        }
        let below = || (0..usize::from(rung.min(self.first))).rev().find(|at| self.open.has(*at));
        let below = self.falls.then(below).flatten().and_then(|at| u8::try_from(at).ok());
        below.or_else(|| self.reserve.filter(|reserve| *reserve != rung))
    }
}

impl Decision {
    /// Says where the request may go after its first call, by the route that decided.
    pub fn reach(&self, route: &Route) -> Reach {
        let falls = route.when_failed == WhenFailed::Fall;
        Reach { first: self.rung, open: self.open, falls, reserve: self.reserve }
    }

    /// Takes a rung out of those that may serve.
    pub fn close(&mut self, rung: usize) {
        self.open = self.open.without(rung);
        self.reserve = self.reserve.filter(|reserve| usize::from(*reserve) != rung);
    }
}

/// Says what follows an attempt on `rung`: a failed check or a failing provider sends the request up; the strongest rung's answer
/// stands; where that failed and the route lets it, the request goes down to the nearest rung that was not asked yet, and at the
/// very last to the fallback.
pub fn after_attempt(rung: u8, reach: Reach, status: Status, check: Check) -> Next {
    let Some(to) = reach.after_failure(rung) else { return Next::Answer };
    if status.is_retryable() {
        return Next::Escalate { to, why: Why::Provider(status) };
    }
    if status.is_ok() && check == Check::Failed && to > rung {
        return Next::Escalate { to, why: Why::Check };
    }
    Next::Answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::TaskClass;
    use crate::routing::{PolicySpec, RouteSpec, RungSpec};
    use crate::units::Names;
    use proptest::prelude::*;

    fn rung(model: &str, threshold: Option<i64>) -> RungSpec {
        RungSpec { model: model.into(), threshold, ..RungSpec::default() }
    }

    fn spec() -> PolicySpec {
        PolicySpec {
            name: "t".into(),
            routes: vec![
                RouteSpec {
                    name: "extraction".into(),
                    tasks: vec!["extraction".into()],
                    ladder: vec![rung("flash", Some(620)), rung("4.1", Some(180)), rung("opus", None)],
                    ..RouteSpec::default()
                },
                RouteSpec {
                    name: "rest".into(),
                    ladder: vec![rung("nano", Some(700)), rung("4.1", None)],
                    ..RouteSpec::default()
                },
            ],
            ..PolicySpec::default()
        }
    }

    fn served(confidence: Option<u16>, class: TaskClass) -> (String, Decision) {
        let mut names = Names::default();
        let policy = Policy::compile(&spec(), 1, &mut names).unwrap();
        let signals = Signals { class, confidence: confidence.and_then(PerMille::new), ..Signals::default() };
        let decision = decide(&policy, &signals, Circumstance::PLAIN);
        (names.model(decision.model).to_owned(), decision)
    }

    #[test]
    fn the_first_threshold_reached_serves() {
        for (confidence, model) in
            [(1000, "flash"), (620, "flash"), (619, "4.1"), (180, "4.1"), (179, "opus"), (0, "opus")]
        {
            assert_eq!(served(Some(confidence), TaskClass::Extraction).0, model, "confidence {confidence}");
        }
    }

    #[test]
    fn no_signal_goes_to_the_strongest_rung() {
        let (model, decision) = served(None, TaskClass::Extraction);
        assert_eq!(model, "opus");
        assert!(decision.trail.contains(&Step::NoSignal { rung: 2 }));
        assert_eq!(served(None, TaskClass::Code).0, "4.1");
    }

    #[test]
    fn a_failed_check_or_provider_escalates_but_a_wrong_request_does_not() {
        let reach = Reach { first: 0, open: Rungs::all(3), falls: false, reserve: None };
        let after = |rung, status, check| after_attempt(rung, reach, status, check);
        assert_eq!(after(0, Status::Ok, Check::Failed), Next::Escalate { to: 1, why: Why::Check });
        assert!(matches!(after(0, Status::RateLimited, Check::None), Next::Escalate { to: 1, .. }));
        assert_eq!(after(0, Status::Rejected, Check::None), Next::Answer);
        assert_eq!(after(0, Status::Cancelled, Check::None), Next::Answer);
        assert_eq!(after(2, Status::RateLimited, Check::Failed), Next::Answer);
    }

    #[test]
    fn who_may_fall_asks_every_rung_once_and_never_for_a_failed_check() {
        let reach = Reach { first: 2, open: Rungs::all(4).without(1), falls: true, reserve: None };
        let mut asked = vec![2];
        while let Some(to) = reach.after_failure(*asked.last().unwrap()) {
            asked.push(to);
        }
        assert_eq!(asked, [2, 3, 0], "up first, then down past those that were asked");
        let down = after_attempt(3, reach, Status::Timeout, Check::None);
        assert_eq!(down, Next::Escalate { to: 0, why: Why::Provider(Status::Timeout) });
        assert_eq!(after_attempt(3, reach, Status::Ok, Check::Failed), Next::Answer);
        let stays = Reach { falls: false, ..reach };
        assert_eq!(after_attempt(3, stays, Status::Timeout, Check::None), Next::Answer);
    }

    /// A ladder whose fallback is `spare`.
    fn with_fallback(names: &mut Names) -> Policy {
        let mut spec = spec();
        spec.routes[0].ladder.insert(0, RungSpec { fallback: true, ..rung("spare", None) });
        Policy::compile(&spec, 1, names).unwrap()
    }

    #[test]
    fn a_fallback_serves_only_where_no_other_rung_can_be_called() {
        let mut names = Names::default();
        let policy = with_fallback(&mut names);
        let id = |names: &Names, model: &str| names.find_model(model).unwrap();
        let served = |down: &[&str], confidence: u16| {
            let mut down: Vec<_> = down.iter().map(|model| id(&names, model)).collect();
            down.sort_unstable();
            let circumstance = Circumstance { down, ..Circumstance::PLAIN.clone() };
            let signals = Signals {
                class: TaskClass::Extraction,
                confidence: PerMille::new(confidence),
                ..Signals::default()
            };
            let decision = decide(&policy, &signals, &circumstance);
            (names.model(decision.model).to_owned(), decision)
        };
        for (confidence, model) in [(1000, "flash"), (620, "flash"), (619, "4.1"), (0, "opus")] {
            assert_eq!(served(&[], confidence).0, model, "nothing is down: {confidence}");
        }
        assert_eq!(served(&["flash", "4.1"], 1000).0, "opus", "another rung before the fallback");
        let (model, decision) = served(&["flash", "4.1", "opus"], 900);
        assert_eq!(model, "spare");
        assert!(decision.trail.contains(&Step::Fallback { rung: 0 }), "{:?}", decision.trail);
        assert_ne!(served(&["flash", "4.1", "opus", "spare"], 900).0, "spare", "it is out like the others");
        let route = &policy.routes[0];
        assert_eq!(route.rung_for(PerMille::new(1000)), 1, "no confidence reaches it");
        assert_eq!(route.placing_thresholds().map(PerMille::get).max(), Some(620), "nor is any near its own");
        assert_eq!(served(&["spare"], 0).1.reserve, None);
    }

    #[test]
    fn a_fallback_is_the_last_that_is_asked_and_never_for_a_failed_check() {
        let policy = with_fallback(&mut Names::default());
        let route = &policy.routes[0];
        let signals =
            Signals { class: TaskClass::Extraction, confidence: PerMille::new(300), ..Signals::default() };
        let reach = decide(&policy, &signals, Circumstance::PLAIN).reach(route);
        let mut asked = vec![reach.first];
        while let Some(to) = reach.after_failure(*asked.last().unwrap()) {
            asked.push(to);
            assert!(asked.len() < 9, "{asked:?}");
        }
        assert_eq!(asked, [2, 3, 0]);
        assert_eq!(after_attempt(3, reach, Status::Ok, Check::Failed), Next::Answer);
        let falls = Reach { falls: true, ..reach };
        assert_eq!(falls.after_failure(3), Some(1), "a rung of its own before the fallback");
        assert_eq!(falls.after_failure(1), Some(0));
        assert_eq!(falls.after_failure(0), None);
        let mut moved = policy.clone();
        assert!(moved.set_threshold(RouteId(0), 0, PerMille::ZERO).is_err());
        let unmovable: Vec<bool> = (0..5).map(|rung| route.unmovable(rung).is_some()).collect();
        assert_eq!((route.movable(), unmovable), (1..3, vec![true, false, false, true, true]));
        moved.routes[0].set_thresholds(&[500, 400, 300].map(PerMille::clamped)).unwrap();
        let stands: Vec<u16> = moved.routes[0].thresholds().iter().map(|at| at.get()).collect();
        assert_eq!(stands, [1000, 400, 300]);
    }

    #[test]
    fn wrong_policies_say_where() {
        let mut names = Names::default();
        let mut field = |change: fn(&mut PolicySpec)| {
            let mut spec = spec();
            change(&mut spec);
            Policy::compile(&spec, 1, &mut names).unwrap_err().field
        };
        assert_eq!(
            field(|s| s.routes[0].ladder[1].threshold = Some(700)),
            "route.extraction.ladder[1].threshold"
        );
        assert_eq!(
            field(|s| s.routes[0].ladder[0].threshold = Some(1001)),
            "route.extraction.ladder[0].threshold"
        );
        assert_eq!(
            field(|s| s.routes[0].ladder[2].threshold = Some(1)),
            "route.extraction.ladder[2].threshold"
        );
        assert_eq!(field(|s| s.routes[0].tasks = vec!["nonsense".into()]), "route.extraction.match.task");
        assert_eq!(field(|s| s.routes[0].ladder[1].fallback = true), "route.extraction.ladder[1].fallback");
        assert_eq!(field(|s| s.routes[0].ladder[0].fallback = true), "route.extraction.ladder[0].threshold");
        let spare = |s: &mut PolicySpec| {
            s.routes[0].ladder.insert(0, RungSpec { fallback: true, ..rung("spare", None) });
            s.routes[0].no_signal = Some("spare".to_owned());
        };
        assert_eq!(field(spare), "route.extraction.no_signal");
        assert_eq!(field(|s| s.routes[1].teams = vec!["a".into()]), "route.rest.match");
        assert_eq!(field(|s| s.routes[0].tasks.clear()), "route.extraction.match");
        assert_eq!(field(|s| s.routes[0].no_signal = Some("x".into())), "route.extraction.no_signal");
        assert_eq!(field(|s| s.routes[0].ladder.clear()), "route.extraction.ladder");
        assert_eq!(field(|s| s.routes.clear()), "route");
    }

    proptest! {
        #[test]
        fn raising_a_threshold_never_moves_a_request_to_a_cheaper_rung(
            confidence in proptest::option::of(0u16..=1000), mut t in proptest::array::uniform3(0u16..=1000), raise in 0u16..=1000, which in 0usize..3,
        ) {
            t.sort_unstable_by(|a, b| b.cmp(a));
            let ladder = ["a", "b", "c", "d"].iter().enumerate().map(|(i, m)| rung(m, t.get(i).map(|&v| i64::from(v)))).collect();
            let spec = PolicySpec { routes: vec![RouteSpec { name: "r".into(), ladder, ..RouteSpec::default() }], ..PolicySpec::default() };
            let policy = Policy::compile(&spec, 1, &mut Names::default()).unwrap();
            let (_, highest) = policy.routes[0].threshold_range(which);
            let to = PerMille::new((t[which] + raise).min(highest.get())).unwrap();
            let mut raised = policy.clone();
            raised.set_threshold(RouteId(0), which, to).unwrap();
            let signals = Signals { confidence: confidence.and_then(PerMille::new), ..Signals::default() };
            prop_assert!(decide(&raised, &signals, Circumstance::PLAIN).rung >= decide(&policy, &signals, Circumstance::PLAIN).rung);
        }
    }
}
