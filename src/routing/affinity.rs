//! The guard of prompt caches: a session that is warm somewhere stays there, unless to go is expected to cost less.
//!
//! Invariants: what it says depends on how the session stood at the request's arrival alone, which is kept with the request;
//! who is to go up its ladder goes, whatever that costs, unless it is tied; a model that no guard before lets serve holds nobody.

use super::{Caching, Circumstance, Policy, Route, Rungs, Stay, Step, Trail};
use crate::prompt_cache::Way;

/// Lets a session stay on the rung where it is warm, or go to the one that was wanted. Returns the rung.
pub(super) fn stay(
    route: &Route,
    circumstance: &Circumstance,
    open: Rungs,
    wanted: u8,
    trail: &mut Trail,
) -> u8 {
    let standing = &circumstance.standing;
    if route.cache != Caching::Aware || !standing.here.is_some() {
        return wanted;
    }
    let is_here = |at: usize| route.ladder.get(at).is_some_and(|rung| rung.known_as == standing.here);
    let Some(wants) = route.ladder.get(usize::from(wanted)) else { return wanted };
    let here = (0..route.ladder.len()).find(|at| open.has(*at) && is_here(*at));
    let Some(here) = here.and_then(|at| u8::try_from(at).ok()) else { return wanted };
    if is_here(usize::from(wanted)) {
        return wanted;
    }
    if let Some(tie) = standing.tie {
        trail.push(Step::Session { rung: here, wanted, why: Stay::Tied(tie), stay: 0, go: 0 });
        return here;
    }
    let Some(change) = standing.change(wants.known_as) else { return wanted };
    let why = match change.way {
        Way::Up => Stay::Up,
        Way::Capped => Stay::Capped,
        Way::Down if change.goes() => Stay::Goes,
        Way::Down => Stay::Cheaper,
    };
    let rung = if change.goes() { wanted } else { here };
    let amount = |pico: i128| i64::try_from(pico).unwrap_or(i64::MAX);
    let (stay, go) = (amount(change.stay.0), amount(change.go.0));
    trail.push(Step::Session { rung, wanted, why, stay, go });
    rung
}

impl Policy {
    /// Says whether any of its routes minds prompt caches.
    pub fn minds_caches(&self) -> bool {
        self.routes.iter().any(|route| route.cache == Caching::Aware)
    }
}

#[cfg(test)]
mod tests {
    use crate::prompt_cache::{Change, Standing, Tie, Way};
    use crate::routing::{
        Caching, Circumstance, Policy, PolicySpec, RouteSpec, RungSpec, Signals, Stay, Step, decide,
    };
    use crate::units::{ModelId, Names, PerMille, Pico};

    fn policy(cache: Option<Caching>, names: &mut Names) -> Policy {
        let rung =
            |model: &str, threshold| RungSpec { model: model.into(), threshold, ..RungSpec::default() };
        let ladder = vec![rung("haiku", Some(600)), rung("sonnet", Some(300)), rung("opus", None)];
        let route = RouteSpec { name: "r".into(), ladder, cache, ..RouteSpec::default() };
        Policy::compile(&PolicySpec { routes: vec![route], ..PolicySpec::default() }, 1, names).unwrap()
    }

    fn placed(cache: Option<Caching>, confidence: u16, standing: &Standing) -> (u8, Option<Stay>) {
        let policy = policy(cache, &mut Names::default());
        let signals = Signals { confidence: PerMille::new(confidence), ..Signals::default() };
        let circumstance = Circumstance { standing: standing.clone(), ..Circumstance::default() };
        let decision = decide(&policy, &signals, &circumstance);
        let why = decision.trail.iter().find_map(|step| match step {
            Step::Session { why, .. } => Some(*why),
            _ => None,
        });
        (decision.rung, why)
    }

    #[test]
    fn a_session_stays_where_it_is_cheaper_and_goes_up_where_it_must() {
        let change = |to, way, stay, go| Change { to: ModelId(to), way, stay: Pico(stay), go: Pico(go) };
        let changes = [change(0, Way::Down, 10, 9), change(2, Way::Up, 100, 90)];
        let mut standing = Standing { here: ModelId(1), tie: None, changes: changes.into_iter().collect() };
        let aware = Some(Caching::Aware);
        assert_eq!(placed(None, 700, &standing), (0, None), "whoever does not mind caches is not held");
        assert_eq!(placed(aware, 700, &standing), (0, Some(Stay::Goes)));
        assert_eq!(placed(aware, 400, &standing), (1, None), "where it is anyway there is nothing to say");
        assert_eq!(placed(aware, 100, &standing), (2, Some(Stay::Up)));
        standing.changes[0] = change(0, Way::Down, 10, 10);
        assert_eq!(placed(aware, 700, &standing), (1, Some(Stay::Cheaper)));
        standing.changes[0] = change(0, Way::Capped, 10, 1);
        assert_eq!(placed(aware, 700, &standing), (1, Some(Stay::Capped)));
        standing.tie = Some(Tie::State);
        assert_eq!(placed(aware, 100, &standing), (1, Some(Stay::Tied(Tie::State))));
        standing.here = ModelId(9);
        assert_eq!(placed(aware, 700, &standing), (0, None), "a model of no rung holds nobody");
    }
}
