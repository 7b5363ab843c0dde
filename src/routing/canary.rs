//! Canaries: a route that decides a share of another's sessions in its place.
//!
//! Invariants: a canary takes what its route takes, and is never laxer in what it requires; what it does not say it has from
//! its route; what two arms differ in is what the canary says, and nothing else.

use std::sync::Arc;

use super::lot::hash;
use super::{CanarySpec, Lot, PolicyError, RouteSpec};
use crate::units::{Names, PerMille, RouteTag};

/// A share of a route's sessions, in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The route whose sessions they are.
    pub of: Arc<str>,
    /// That name as an id.
    pub tag: RouteTag,
    /// How many of a thousand; none while it only looks on.
    pub share: PerMille,
    key: u64,
}

impl Canary {
    /// Says whether it decides a request of its route with this lot.
    pub fn draws(&self, lot: Lot) -> bool {
        lot.is_within(self.key, self.share)
    }

    /// Returns the same at another share.
    #[must_use]
    pub fn at(&self, share: PerMille) -> Self {
        Self { share, ..self.clone() }
    }

    pub(super) fn compile(name: &str, spec: &CanarySpec, names: &mut Names) -> Result<Self, PolicyError> {
        let share = u16::try_from(spec.share).ok().and_then(PerMille::new).ok_or_else(|| PolicyError {
            field: format!("route.{name}.canary.share"),
            problem: "is a share of sessions in per mille, 0 (it looks on) to 1000 (all of them)".to_owned(),
        })?;
        let of: Arc<str> = spec.of.as_str().into();
        Ok(Self { tag: names.intern_route(&of), of, share, key: hash(name) })
    }

    pub(super) fn spec(&self) -> CanarySpec {
        CanarySpec { of: self.of.to_string(), share: i64::from(self.share.get()) }
    }
}

/// Fills in what canaries have from their routes.
pub(super) fn inherit(routes: &[RouteSpec]) -> Result<Vec<RouteSpec>, PolicyError> {
    let filled = routes.iter().enumerate().map(|(at, route)| match &route.canary {
        None => Ok(route.clone()),
        Some(canary) => over(route, canary, routes.get(at + 1)),
    });
    filled.collect()
}

fn over(own: &RouteSpec, canary: &CanarySpec, next: Option<&RouteSpec>) -> Result<RouteSpec, PolicyError> {
    let wrong =
        |field: &str, problem: String| PolicyError { field: format!("route.{}.{field}", own.name), problem };
    let Some(base) = next.filter(|base| base.name == canary.of && base.canary.is_none()) else {
        let problem = format!(
            "is of `{}`, which has to be the route right after it, and no canary itself; move it there",
            canary.of
        );
        return Err(wrong("canary.of", problem));
    };
    let lists = [&own.teams, &own.projects, &own.tasks, &own.asked];
    if lists.iter().any(|list| !list.is_empty()) {
        return Err(wrong(
            "match",
            format!("is that of route `{}`, whose canary it is; remove it", base.name),
        ));
    }
    let ladder = if own.ladder.is_empty() { &base.ladder } else { &own.ladder };
    let has_rung = |name: &&String| {
        ladder.iter().any(|rung| rung.name.as_ref().unwrap_or(&rung.model) == *name) || *name == "strongest"
    };
    let cache = own.cache.or(base.cache);
    // A cap of switches goes together with minding caches alone.
    let caps = |cap: &i64| (cache == base.cache).then_some(*cap);
    // What was learnt is of rungs, and holds beside caches alone.
    let learns = cache == base.cache && ladder.len() == base.ladder.len();
    let more = own.require.iter().filter(|label| !base.require.contains(label));
    Ok(RouteSpec {
        name: own.name.clone(),
        canary: own.canary.clone(),
        mode: own.mode.or(base.mode),
        require: base.require.iter().chain(more).cloned().collect(),
        when_full: own.when_full.or(base.when_full),
        ladder: ladder.clone(),
        no_signal: own.no_signal.clone().or_else(|| base.no_signal.clone().filter(|name| has_rung(&name))),
        when_failed: own.when_failed.or(base.when_failed),
        cache,
        switch_cap: own.switch_cap.or_else(|| base.switch_cap.as_ref().and_then(caps)),
        explore: own.explore.or(base.explore),
        adapt: own.adapt.clone().or_else(|| base.adapt.clone().filter(|_| learns)),
        holdout: own.holdout.or(base.holdout),
        stream: if own.stream.is_none() { base.stream } else { own.stream },
        check: own.check.or(base.check),
        checks: if own.checks.is_empty() { base.checks.clone() } else { own.checks.clone() },
        ..base.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::TaskClass;
    use crate::routing::{
        Caching, Circumstance, ExploreSpec, Mode, Policy, PolicySpec, Route, RungSpec, Signals, WhenFailed,
        decide,
    };
    use proptest::prelude::*;

    fn rung(model: &str, threshold: Option<i64>) -> RungSpec {
        RungSpec { model: model.into(), threshold, ..RungSpec::default() }
    }

    fn spec(share: i64) -> PolicySpec {
        let base = RouteSpec {
            name: "code".into(),
            tasks: vec!["code".into()],
            require: vec!["eu".into()],
            mode: Some(Mode::Observe),
            ladder: vec![
                RungSpec { facts: labelled(), ..rung("small", Some(700)) },
                RungSpec { facts: labelled(), ..rung("large", None) },
            ],
            ..RouteSpec::default()
        };
        let canary = RouteSpec {
            name: "code-next".into(),
            canary: Some(CanarySpec { of: "code".into(), share }),
            mode: Some(Mode::Active),
            ladder: vec![
                RungSpec { facts: labelled(), ..rung("small", Some(300)) },
                RungSpec { facts: labelled(), ..rung("large", None) },
            ],
            ..RouteSpec::default()
        };
        let rest =
            RouteSpec { name: "rest".into(), ladder: vec![rung("large", None)], ..RouteSpec::default() };
        PolicySpec { name: "p".into(), routes: vec![canary, base, rest], ..PolicySpec::default() }
    }

    fn labelled() -> crate::routing::FactsSpec {
        crate::routing::FactsSpec { labels: vec!["eu".into()], ..crate::routing::FactsSpec::default() }
    }

    fn signals(session: &str, names: &mut Names) -> Signals {
        Signals {
            class: TaskClass::Code,
            confidence: PerMille::new(500),
            lot: Lot::of(session, "", "", ""),
            asked: names.intern_model("auto"),
            ..Signals::default()
        }
    }

    #[test]
    fn a_canary_decides_its_share_of_the_sessions_and_nobody_elses() {
        let mut names = Names::default();
        let policy = Policy::compile(&spec(250), 1, &mut names).unwrap();
        let mut drawn = 0;
        for at in 0..4_000 {
            let signals = signals(&format!("s{at}"), &mut names);
            let decision = decide(&policy, &signals, Circumstance::PLAIN);
            let route = policy.route(decision.route);
            match &*route.name {
                "code-next" => {
                    drawn += 1;
                    assert_eq!(names.model(decision.model), "small");
                }
                "code" => assert_eq!(names.model(decision.model), "large"),
                other => panic!("{other}"),
            }
            let elsewhere = Signals { class: TaskClass::Question, ..signals };
            assert_eq!(&*policy.route(decide(&policy, &elsewhere, Circumstance::PLAIN).route).name, "rest");
        }
        assert!((900..1_100).contains(&drawn), "{drawn} of 4000");
    }

    #[test]
    fn by_name_a_route_is_asked_for_with_its_canary_and_the_canary_by_none() {
        let mut names = Names::default();
        let policy = Policy::compile(&spec(1000), 1, &mut names).unwrap();
        let named = Signals { asked: names.intern_model("auto/code"), ..signals("s", &mut names) };
        let route = |signals: &Signals| {
            policy.route(decide(&policy, signals, Circumstance::PLAIN).route).name.clone()
        };
        assert_eq!(&*route(&named), "code-next");
        let canary =
            Signals { asked: names.intern_model("auto/code-next"), class: TaskClass::Question, ..named };
        assert_eq!(&*route(&canary), "rest", "who picked the canary would not compare with who was drawn");
    }

    #[test]
    fn what_a_canary_does_not_say_it_has_from_its_route_and_it_is_never_laxer() {
        let mut names = Names::default();
        let mut bare = spec(10);
        bare.routes[0].ladder.clear();
        let base = &mut bare.routes[1];
        (base.cache, base.switch_cap) = (Some(Caching::Aware), Some(50));
        base.explore = Some(ExploreSpec { share: 20, below: Some(60), ..ExploreSpec::default() });
        base.when_failed = Some(WhenFailed::Fall);
        let policy = Policy::compile(&bare, 1, &mut names).unwrap();
        let (canary, base) = (&policy.routes[0], &policy.routes[1]);
        assert_eq!((&canary.ladder, canary.require), (&base.ladder, base.require));
        assert_eq!((canary.mode, base.mode), (Mode::Active, Mode::Observe));
        let rest = |route: &Route| (route.cache, route.switch_cap, route.explore, route.when_failed);
        assert_eq!(rest(canary), rest(base));
        // One that says otherwise stays otherwise, written and read again.
        bare.routes[0].cache = Some(Caching::Blind);
        let blind = Policy::compile(&bare, 1, &mut names).unwrap();
        assert_eq!(blind.routes[0].switch_cap, None);
        assert_eq!(Policy::compile(&blind.spec(&names), 1, &mut names).unwrap(), blind);
        assert_eq!(Policy::compile(&policy.spec(&names), 1, &mut names).unwrap(), policy);
    }

    #[test]
    fn a_canary_that_cannot_be_says_why() {
        let error = |change: fn(&mut PolicySpec)| {
            let mut spec = spec(10);
            change(&mut spec);
            Policy::compile(&spec, 1, &mut Names::default()).unwrap_err()
        };
        assert_eq!(error(|spec| spec.routes.swap(0, 1)).field, "route.code-next.canary.of");
        assert_eq!(error(|spec| spec.routes[0].tasks = vec!["code".into()]).field, "route.code-next.match");
        let wide = error(|spec| spec.routes[0].canary = Some(CanarySpec { of: "code".into(), share: 1001 }));
        assert_eq!(wide.field, "route.code-next.canary.share");
    }

    proptest! {
        #[test]
        fn growing_the_share_only_adds_sessions(session in "[a-z0-9-]{1,24}", one in 0i64..=1000, other in 0i64..=1000) {
            let mut names = Names::default();
            let [less, more] = [one.min(other), one.max(other)].map(|share| Policy::compile(&spec(share), 1, &mut names).unwrap());
            let signals = signals(&session, &mut names);
            let route = |policy: &Policy| decide(policy, &signals, Circumstance::PLAIN).route;
            prop_assert!(route(&less).0 == 1 || route(&more).0 == 0);
        }
    }
}
