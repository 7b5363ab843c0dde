//! The guard of tool loops: turns that hand in what tools returned go on where the turn before was served, so that no model
//! continues another's calls because a confidence says so.
//!
//! Invariants: what it says depends on how the loop stood at the request's arrival alone, which is kept with the request; the rung that
//! served is the least, and the only one where a lot or a second stage chose it; a rung that other guards bar holds nobody, and
//! neither does one whose cap or budget would turn the turn away that has room elsewhere.

use super::{Circumstance, Follows, Route, Rung, Rungs, Short, Step, Trail, WhenFull};
use crate::units::PerMille;

impl Route {
    /// Returns the rung that served the turn before, where it is one of this ladder.
    pub fn followed(&self, follows: Follows) -> Option<u8> {
        if !follows.model.is_some() {
            return None;
        }
        let is_it = |at: &usize| {
            let rung = self.ladder.get(*at);
            rung.is_some_and(|rung| rung.known_as == follows.model && rung.with.effort == follows.effort)
        };
        u8::try_from((0..self.ladder.len()).find(is_it)?).ok()
    }

    /// Returns what a turn of a tool loop goes on with where this ladder's thresholds served its loop: the least confidence of its turns,
    /// where any had one, and the rung of those without, where some had none.
    pub fn follows_by(&self, least: Option<PerMille>, is_unsure: bool) -> Follows {
        let by_least = least.map(|least| self.rung_for(Some(least)));
        let rung = by_least.max(is_unsure.then(|| self.rung_for(None)));
        let rung = rung.and_then(|rung| self.ladder.get(rung));
        rung.map_or(Follows::NONE, |rung| Follows {
            model: rung.known_as,
            effort: rung.with.effort,
            stays: false,
        })
    }

    /// Returns the rung on which a turn of a tool loop goes on that was placed on one.
    pub(super) fn goes_on(
        &self,
        (circumstance, follows): (&Circumstance, Follows),
        open: Rungs,
        placed: u8,
    ) -> u8 {
        let Some(last) = self.followed(follows) else { return placed };
        let place = usize::from(last);
        let is_full = |rung: &Rung| rung.facts.max_in_flight.is_some() && circumstance.is_full(rung.known_as);
        let full = |at: &usize| self.ladder.get(*at).is_some_and(is_full);
        let free = if circumstance.full.is_empty() {
            open
        } else {
            (0..self.ladder.len()).filter(full).fold(open, Rungs::without)
        };
        let to = if follows.stays && free.has(place) {
            last
        } else {
            // Up goes only who may pass a full model.
            let passes = free.has(place) || !open.has(place) || self.when_full == WhenFull::Next;
            let least = free.at_or_after(place).filter(|_| passes).and_then(|least| u8::try_from(least).ok());
            least.map_or(placed, |least| least.max(placed))
        };
        // Whoever would be turned away or wait there is held by nothing; others a budget passes on by itself.
        let short = self.ladder.get(usize::from(to)).and_then(|rung| circumstance.short(rung.known_as));
        if matches!(short, Some(Short::Refuse | Short::Queue)) { placed } else { to }
    }
}

/// Lets a turn of a tool loop go on where the turn before was served. Returns the rung.
pub(super) fn go_on(
    route: &Route,
    circumstance: &Circumstance,
    open: Rungs,
    placed: u8,
    trail: &mut Trail,
) -> u8 {
    let rung = route.goes_on((circumstance, circumstance.follows), open, placed);
    if rung != placed {
        trail.push(Step::GoesOn { rung, placed, stays: circumstance.follows.stays });
    }
    rung
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{
        AskId, Effort, FactsSpec, Policy, PolicySpec, RouteId, RouteSpec, RungSpec, Signals, decide,
    };
    use crate::units::{ModelId, Names};
    use proptest::prelude::*;

    fn policy(names: &mut Names) -> Policy {
        let rung =
            |model: &str, threshold| RungSpec { model: model.into(), threshold, ..RungSpec::default() };
        let ladder = vec![rung("haiku", Some(600)), rung("sonnet", Some(300)), rung("opus", None)];
        let route = RouteSpec { name: "r".into(), ladder, ..RouteSpec::default() };
        Policy::compile(&PolicySpec { routes: vec![route], ..PolicySpec::default() }, 1, names).unwrap()
    }

    fn placed(confidence: u16, follows: Follows, down: &[u16]) -> (u8, bool) {
        let policy = policy(&mut Names::default());
        let signals = Signals { confidence: PerMille::new(confidence), ..Signals::default() };
        let down = down.iter().copied().map(ModelId).collect();
        let circumstance = Circumstance { follows, ..Circumstance::default() }.with_down(down, |model| model);
        let decision = decide(&policy, &signals, &circumstance);
        (decision.rung, decision.trail.iter().any(|step| matches!(step, Step::GoesOn { .. })))
    }

    #[test]
    fn the_rung_that_served_is_the_least_and_stays_where_a_lot_chose_it() {
        let after = |model, stays| Follows { model: ModelId(model), effort: None, stays };
        assert_eq!(placed(900, Follows::NONE, &[]), (0, false));
        assert_eq!(placed(900, after(1, false), &[]), (1, true), "it was escalated");
        assert_eq!(placed(100, after(1, false), &[]), (2, false), "its own confidence asks for more");
        assert_eq!(placed(100, after(0, true), &[]), (0, true), "it was explored below its threshold");
        assert_eq!(placed(900, after(1, false), &[1]), (2, true), "another cannot go on for it");
        assert_eq!(placed(900, after(2, false), &[2]), (0, false), "what cannot be called holds nobody");
        assert_eq!(placed(100, after(0, true), &[0]), (2, false));
        assert_eq!(placed(900, after(9, true), &[]), (0, false), "a model of no rung holds nobody");
        let thinks = Follows { effort: Some(Effort::High), ..after(1, false) };
        assert_eq!(placed(900, thinks, &[]), (0, false), "no rung has it think so hard");
    }

    /// An agent would else be refused, or kept waiting, for the whole of a budget's window.
    #[test]
    fn a_rung_that_budgets_turn_away_from_holds_nobody() {
        let policy = policy(&mut Names::default());
        let placed = |confidence, stays, over: &[(u16, Short)]| {
            let signals = Signals { confidence: PerMille::new(confidence), ..Signals::default() };
            let follows = Follows { model: ModelId(2), effort: None, stays };
            let over = over.iter().map(|(model, short)| (ModelId(*model), *short)).collect();
            let decision =
                decide(&policy, &signals, &Circumstance { over, follows, ..Circumstance::default() });
            (!decision.refused).then_some(decision.rung)
        };
        for stays in [false, true] {
            for short in [Short::Refuse, Short::Queue] {
                assert_eq!(placed(900, stays, &[(2, short)]), Some(0));
                assert_eq!(placed(900, stays, &[(0, short)]), Some(2), "it goes on where there is room");
                assert_eq!(placed(100, stays, &[(2, short)]), None, "its own confidence asks for that rung");
                assert_eq!(placed(900, stays, &[(0, short), (2, short)]), None);
            }
            assert_eq!(placed(900, stays, &[(2, Short::Hard)]), Some(1), "that budget passes it on");
        }
    }

    #[test]
    fn a_full_rung_holds_nobody() {
        let mut names = Names::default();
        let facts = FactsSpec { max_in_flight: Some(1), ..FactsSpec::default() };
        let models = ["haiku", "sonnet", "opus"].map(|model| (model.to_owned(), facts.clone()));
        let rung =
            |model: &str, threshold| RungSpec { model: model.into(), threshold, ..RungSpec::default() };
        let ladder = vec![rung("haiku", Some(600)), rung("sonnet", Some(300)), rung("opus", None)];
        for when_full in [WhenFull::Next, WhenFull::Refuse] {
            let route = RouteSpec {
                name: "r".into(),
                ladder: ladder.clone(),
                when_full: Some(when_full),
                ..RouteSpec::default()
            };
            let spec = PolicySpec { routes: vec![route], models: models.to_vec(), ..PolicySpec::default() };
            let policy = Policy::compile(&spec, 1, &mut names).unwrap();
            let placed = |confidence, last: &str, full: &[&str]| {
                let id = |model: &str| names.find_model(model).unwrap();
                let signals = Signals { confidence: PerMille::new(confidence), ..Signals::default() };
                let follows = Follows { model: id(last), ..Follows::NONE };
                let mut full: Vec<_> = full.iter().map(|model| id(model)).collect();
                full.sort_unstable();
                let decision =
                    decide(&policy, &signals, &Circumstance { full, follows, ..Circumstance::default() });
                (!decision.refused).then_some(decision.rung)
            };
            assert_eq!(placed(900, "opus", &["opus"]), Some(0), "{when_full:?}");
            let up = if when_full == WhenFull::Next { 2 } else { 0 };
            assert_eq!(placed(900, "sonnet", &["sonnet"]), Some(up), "{when_full:?}");
            assert_eq!(placed(900, "sonnet", &["haiku"]), Some(1), "{when_full:?}");
            assert_eq!(placed(100, "haiku", &["opus"]), None, "{when_full:?}");
        }
    }

    #[test]
    fn the_instant_figure_begins_where_the_decision_does() {
        let (mut names, none) = (Names::default(), Circumstance::PLAIN);
        let policy = policy(&mut names);
        let route = policy.route(RouteId(0));
        for model in 0..3 {
            for stays in [false, true] {
                let follows = Follows { model: ModelId(model), effort: None, stays };
                let circumstance = Circumstance { follows, ..none.clone() };
                for confidence in [900, 400, 100] {
                    let by = PerMille::new(confidence);
                    let open = route.open(&circumstance);
                    let begun = route.begin_after(&circumstance, open, route.rung_for(by), follows);
                    assert_eq!(begun, Some(placed(confidence, follows, &[]).0));
                }
            }
        }
    }

    #[test]
    fn words_that_are_none_are_not_taken_for_one() {
        for word in ["ask:", "ask:xyz", "ask:0", "turn:3", "follows:gpt", "follows:much:gpt", "stay:-:gpt"] {
            assert!(AskId::parse(word).is_none() && Follows::parse(word).is_none(), "{word}");
        }
        assert_eq!(AskId::default().seconded().word(), None);
    }

    proptest! {
        #[test]
        fn what_a_log_says_of_loops_is_read_as_it_was_written(hash: u64, is_turn: bool, stays: bool, effort in 0usize..8) {
            let ask = AskId::new(hash, is_turn);
            prop_assert_eq!(AskId::parse(&ask.word().unwrap()), Some(ask));
            prop_assert_eq!(ask.turn().key(), ask.seconded().key());
            let effort = Effort::ALL.get(effort).copied();
            let follows = Follows { model: ModelId::NONE, effort, stays };
            let word = follows.word("eu.a:b");
            prop_assert_eq!(Follows::parse(&word), Some((follows, "eu.a:b")));
        }
    }
}
