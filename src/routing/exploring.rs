//! Which requests of a route are explored, and by which confidences they may be placed.

use super::{Circumstance, Draw, Explore, Policy, Route, Short};
use crate::runaway::Then;
use crate::units::PerMille;

impl Route {
    /// Says how a request is explored: not at all where it was held out, its sender is a runaway, or budgets were short.
    fn explores(&self, circumstance: &Circumstance) -> Option<Explore> {
        let is_short = || circumstance.over.iter().any(|(_, short)| *short != Short::Later);
        let is_held = circumstance.drawn.is_some_and(|drawn| drawn.held);
        self.explore.filter(|_| !is_held && circumstance.runaway == Then::Tell && !is_short())
    }

    /// Returns the confidence by which a request is placed: its own, unless its lot is to explore.
    pub fn placed_by(
        &self,
        confidence: Option<PerMille>,
        draw: Draw,
        circumstance: &Circumstance,
    ) -> Option<PerMille> {
        let Some(explore) = self.explores(circumstance).filter(|_| draw != Draw::NONE) else {
            return confidence;
        };
        confidence.map(|confidence| explore.shifted(confidence, draw))
    }

    /// Lists the confidences by which a request of that lot may have been placed, each with its chance; none where nothing is
    /// drawn.
    pub fn ways(
        &self,
        confidence: Option<PerMille>,
        draw: Draw,
        circumstance: &Circumstance,
    ) -> Option<[(PerMille, u16); 3]> {
        let explore = self.explores(circumstance).filter(|_| draw != Draw::NONE)?;
        Some(explore.ways(confidence?))
    }
}

impl Policy {
    /// Says whether any of its routes explores.
    pub fn explores(&self) -> bool {
        self.routes.iter().any(|route| route.explore.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{
        Decision, Drawn, ExploreSpec, Policy, PolicyError, PolicySpec, RouteSpec, RungSpec, Signals, Step,
        chance_told, decide, propensity_told,
    };
    use crate::units::Names;
    use proptest::prelude::*;

    fn policy(thresholds: &[i64], explore: ExploreSpec) -> Result<Policy, PolicyError> {
        let rung = |at: usize| RungSpec {
            model: format!("m{at}"),
            threshold: thresholds.get(at).copied(),
            ..RungSpec::default()
        };
        let ladder = (0..=thresholds.len()).map(rung).collect();
        let route = RouteSpec { name: "r".into(), ladder, explore: Some(explore), ..RouteSpec::default() };
        let spec = PolicySpec { routes: vec![route], ..PolicySpec::default() };
        Policy::compile(&spec, 1, &mut Names::default())
    }

    fn decided(policy: &Policy, confidence: u16, lot: u16, circumstance: &Circumstance) -> Decision {
        let signals =
            Signals { confidence: PerMille::new(confidence), draw: Draw(lot), ..Signals::default() };
        decide(policy, &signals, circumstance)
    }

    const SPEC: ExploreSpec = ExploreSpec { share: 20, below: Some(60), above: None };

    #[test]
    fn only_the_band_is_explored_and_its_chances_are_told() {
        let policy = policy(&[620], SPEC).unwrap();
        let told = |confidence, lot| {
            let decision = decided(&policy, confidence, lot, Circumstance::PLAIN);
            (decision.rung, decision.propensity.get())
        };
        assert_eq!((told(560, 19), told(560, 20)), ((0, 20), (1, 980)));
        assert_eq!((told(559, 0), told(620, 0), told(900, 0)), ((1, 1000), (0, 1000), (0, 1000)));
        assert_eq!(told(600, u16::MAX), (1, 1000), "a request without an id is not explored");
        let explored = decided(&policy, 600, 0, Circumstance::PLAIN);
        let as_told = PerMille::new(660);
        assert!(
            explored
                .trail
                .iter()
                .any(|step| matches!(step, Step::Lot { placed_as, .. } if *placed_as == as_told))
        );
    }

    #[test]
    fn who_is_held_out_is_not_explored() {
        let policy = policy(&[620], SPEC).unwrap();
        let drawn = Some(Drawn { held: true, share: PerMille::new(50).unwrap() });
        let held = Circumstance { drawn, ..Circumstance::default() };
        assert_eq!(decided(&policy, 600, 0, &held).propensity, PerMille::ONE);
    }

    #[test]
    fn what_explores_nothing_or_everything_is_refused_with_its_key() {
        for (spec, key) in [
            (ExploreSpec { share: 0, ..SPEC }, "share"),
            (ExploreSpec { share: 501, ..SPEC }, "share"),
            (ExploreSpec { below: None, ..SPEC }, "below"),
            (ExploreSpec { above: Some(1001), ..SPEC }, "above"),
        ] {
            assert_eq!(policy(&[620], spec).unwrap_err().field, format!("route.r.explore.{key}"));
        }
    }

    #[test]
    fn a_share_of_ids_is_drawn_on_either_side() {
        let lots: Vec<u16> = (0..20_000).map(|n| Draw::of(&format!("req-{n}")).0).collect();
        let (low, high) = (lots.iter().filter(|lot| **lot < 20), lots.iter().filter(|lot| **lot >= 980));
        for count in [low.count(), high.count()] {
            assert!((300..=500).contains(&count), "{count} of 20000 at 20 per mille");
        }
        assert_eq!((Draw::of("a"), Draw::of("")), (Draw::of("a"), Draw::NONE));
        assert_eq!(chance_told(["gpt-4.1", "chance:20"]), PerMille::new(20));
        let told = |words: &[&str]| propensity_told(words).map(PerMille::get);
        assert_eq!(
            (told(&["chance:20"]), told(&["turn:8"]), told(&["lot:5f3a9c12"])),
            (Some(20), Some(1000), None)
        );
        // A turn has no lot of its own, and where its ask had one it is no sure thing either.
        assert_eq!(told(&["undrawn:tools", "turn:8", "stays:-:gpt-4.1"]), None);
        assert_eq!(told(&["turn:8", "follows:-:gpt-4.1"]), Some(1000), "nothing explores here");
    }

    proptest! {
        /// Whoever weighs by these chances would else weigh wrongly: over all lots they are how often each rung is chosen.
        #[test]
        fn the_chance_told_is_how_often_the_rung_is_drawn(
            mut t in proptest::array::uniform2(0i64..=1000), confidence in 0u16..=1000,
            share in 1i64..=500, below in 1i64..=1000, above in 1i64..=1000,
        ) {
            t.sort_unstable_by(|a, b| b.cmp(a));
            let policy = policy(&t, ExploreSpec { share, below: Some(below), above: Some(above) }).unwrap();
            let all: Vec<Decision> =
                (0..1000).map(|lot| decided(&policy, confidence, lot, Circumstance::PLAIN)).collect();
            for rung in 0..3u8 {
                let drawn = all.iter().filter(|decision| decision.rung == rung).count();
                for decision in all.iter().filter(|decision| decision.rung == rung) {
                    prop_assert_eq!(usize::from(decision.propensity.get()), drawn);
                }
            }
        }
    }
}
