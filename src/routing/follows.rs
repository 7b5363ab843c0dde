//! The guard of tool loops: turns that hand in what tools returned go on where the turn before was served, so that no model
//! continues another's calls because a confidence says so.
//!
//! Invariants: what it says depends on how the loop stood at the request's arrival alone, which is kept with the request; the rung that
//! served is the least, and the only one where a lot or a second stage chose it; a rung that other guards bar holds nobody.

use super::{Effort, Route, Rungs, Step, Trail};
use crate::units::ModelId;

/// The user's ask that a request with tools is, or goes on with: a keyed hash, never the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct AskId(u64);

/// How a log writes an ask with tools, among what could not be called: `ask:0123456789abcdef`.
const ASK: &str = "ask:";
/// How it writes a request that hands in what tools returned to one: `turn:0123456789abcdef`.
const TURN: &str = "turn:";

impl AskId {
    /// Whether a request is a later turn of its ask.
    const IS_TURN: u64 = 1;
    /// Whether a second stage spoke of it.
    const IS_SECONDED: u64 = 2;

    /// Makes one of a hash, of which 62 bits are kept.
    pub fn new(hash: u64, is_turn: bool) -> Self {
        // Never nothing, which is no ask.
        Self((hash & !3).max(4) | u64::from(is_turn))
    }

    /// Returns what is the same for all turns of an ask; none where there is no ask.
    pub fn key(self) -> Option<u64> {
        Some(self.0 & !3).filter(|key| *key != 0)
    }

    /// Says whether it is a later turn of its ask.
    pub fn is_turn(self) -> bool {
        self.0 & Self::IS_TURN != 0
    }

    /// Returns the later turns of the same ask.
    #[must_use]
    pub fn turn(self) -> Self {
        Self(self.0 | Self::IS_TURN)
    }

    /// Says whether a second stage spoke of it.
    pub fn is_seconded(self) -> bool {
        self.0 & Self::IS_SECONDED != 0
    }

    /// Returns it as one of which a second stage spoke.
    #[must_use]
    pub fn seconded(self) -> Self {
        Self(if self.0 == 0 { 0 } else { self.0 | Self::IS_SECONDED })
    }

    /// Writes it as a log does; none where there is no ask.
    pub fn word(self) -> Option<String> {
        let key = self.key()?;
        Some(format!("{}{key:016x}", if self.is_turn() { TURN } else { ASK }))
    }

    /// Reads what a log writes.
    pub fn parse(word: &str) -> Option<Self> {
        let (hash, is_turn) = match word.strip_prefix(ASK) {
            Some(hash) => (hash, false),
            None => (word.strip_prefix(TURN)?, true),
        };
        let hash = u64::from_str_radix(hash, 16).ok().filter(|key| *key != 0 && key.trailing_zeros() >= 2)?;
        Some(Self::new(hash, is_turn))
    }
}

/// Where the turn before was served, of a turn of a tool loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Follows {
    /// The model, by the id that stands for it under all its names; none where there was no turn before, or nobody knows.
    pub model: ModelId,
    /// How hard its rung told it to think.
    pub effort: Option<Effort>,
    /// Whether the loop stays there whatever its confidence says: a lot or a second stage chose that rung.
    pub stays: bool,
}

/// How a log writes where the turn before was served, among what could not be called: `follows:-:gpt-4.1`, with how hard it was told
/// to think in place of the dash.
const SERVED: &str = "follows:";
/// How it writes the same of a loop that stays there.
const STAYS: &str = "stays:";

impl Follows {
    /// Nobody before.
    pub const NONE: Self = Self { model: ModelId::NONE, effort: None, stays: false };

    /// Writes it as a log does.
    pub fn word(self, name: &str) -> String {
        let word = if self.stays { STAYS } else { SERVED };
        format!("{word}{}:{name}", self.effort.map_or("-", Effort::name))
    }

    /// Reads what a log writes; the model's name stands beside.
    pub fn parse(word: &str) -> Option<(Self, &str)> {
        let (rest, stays) = match word.strip_prefix(SERVED) {
            Some(rest) => (rest, false),
            None => (word.strip_prefix(STAYS)?, true),
        };
        let (effort, name) = rest.split_once(':')?;
        let effort = if effort == "-" { None } else { Some(Effort::from_name(effort)?) };
        Some((Self { model: ModelId::NONE, effort, stays }, name))
    }
}

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

    /// Returns the rung on which a turn of a tool loop goes on that was placed on one.
    pub(super) fn goes_on(&self, follows: Follows, open: Rungs, placed: u8) -> u8 {
        let Some(last) = self.followed(follows) else { return placed };
        if follows.stays && open.has(usize::from(last)) {
            return last;
        }
        let least = open.at_or_after(usize::from(last)).and_then(|least| u8::try_from(least).ok());
        least.map_or(placed, |least| least.max(placed))
    }
}

/// Lets a turn of a tool loop go on where the turn before was served. Returns the rung.
pub(super) fn go_on(route: &Route, follows: Follows, open: Rungs, placed: u8, trail: &mut Trail) -> u8 {
    let rung = route.goes_on(follows, open, placed);
    if rung != placed {
        trail.push(Step::GoesOn { rung, placed, stays: follows.stays });
    }
    rung
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{
        Circumstance, Policy, PolicySpec, RouteId, RouteSpec, RungSpec, Signals, Step, decide,
    };
    use crate::units::{Names, PerMille};
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
                    let begun = route.begin(&circumstance, open, route.rung_for(by));
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
