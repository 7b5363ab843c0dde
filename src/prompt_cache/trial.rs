//! Sessions routed three ways between their own model and a cheaper one: never switching, without a thought for the cache, and
//! by expected dollars.
//!
//! Invariants: all three answer the same turns with the same tokens; turns that need the session's own model get it in each.

use super::study::mixed;
use super::{Choice, Held, Outlook, Rule, Side, Survival, Turn, Warm};
use crate::units::{Instant, PerMille, Pico, Span};

/// How a session is routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arm {
    /// Always on its own model.
    Never,
    /// To the cheaper model whenever a turn may go there.
    Blind,
    /// There where that is expected to cost less.
    Aware,
}

impl Arm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Never, Self::Blind, Self::Aware];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never switching",
            Self::Blind => "cache-blind",
            Self::Aware => "cache-aware",
        }
    }
}

/// What one way came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ArmSums {
    /// What it cost.
    pub cost: Pico,
    /// Turns on the cheaper model.
    pub cheap: u64,
    /// Changes of model within a session.
    pub switches: u64,
    /// Prompt tokens read from a cache.
    pub read: u64,
}

/// A turn of a session.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its session as a number.
    pub session: u64,
    /// When it came.
    pub at: Instant,
    /// Tokens of its prompt and of its answer.
    pub prompt: u64,
    /// See there.
    pub output: u64,
    /// Whether the cheaper model may answer it.
    pub easy: bool,
    /// The session's own model, and the cheaper one.
    pub own: (&'a Side, &'a Rule),
    /// See there.
    pub cheap: (&'a Side, &'a Rule),
    /// How long prefixes of its own model were seen to survive.
    pub survival: &'a Survival,
}

/// Sessions on trial.
#[derive(Clone, Debug)]
pub struct Trial {
    warm: Warm,
    /// The share of turns that may go to the cheaper model.
    share: PerMille,
    /// Turns tried.
    pub turns: u64,
    /// Those that the cheaper model may answer.
    pub easy: u64,
    sums: [ArmSums; 3],
}

impl Trial {
    /// Begins with nothing warm, expecting that share of turns to be easy.
    pub fn new(share: PerMille, most: usize) -> Self {
        Self { warm: Warm::new(most), share, turns: 0, easy: 0, sums: [ArmSums::default(); 3] }
    }

    /// Returns what each way came to.
    pub fn sums(&self) -> impl Iterator<Item = (Arm, ArmSums)> + '_ {
        Arm::ALL.into_iter().zip(self.sums)
    }

    /// Takes a turn.
    pub fn turn(&mut self, asked: &Asked<'_>) {
        self.turns += 1;
        self.easy += u64::from(asked.easy);
        for (place, arm) in (0_u64..).zip(Arm::ALL) {
            let key = |what: u64| mixed(place * 3 + what, asked.session);
            let stood = self.warm.get(key(2));
            let on_cheap = stood.is_some_and(|held| held.tokens == 1);
            let prefixes = [self.warm.get(key(0)), self.warm.get(key(1))];
            let [own, cheap] = prefixes;
            let there = held_tokens(cheap, asked.cheap.1, asked);
            let here = held_tokens(own, asked.own.1, asked);
            let goes = asked.easy
                && match arm {
                    Arm::Never => false,
                    Arm::Blind => true,
                    Arm::Aware => self.pays(asked, here, there),
                };
            let (what, (side, _), warm) = if goes { (1, asked.cheap, there) } else { (0, asked.own, here) };
            let cost = side.cost(turn(asked, warm), warm);
            self.warm.put(key(what), Held { at: asked.at, tokens: short(asked.prompt), unread: 0 });
            self.warm.put(key(2), Held { at: asked.at, tokens: u32::from(goes), unread: 0 });
            let Some(sums) = usize::try_from(place).ok().and_then(|place| self.sums.get_mut(place)) else {
                continue;
            };
            sums.cost += cost;
            sums.cheap += u64::from(goes);
            sums.switches += u64::from(stood.is_some() && goes != on_cheap);
            sums.read += warm;
        }
    }

    /// Says whether an easy turn is expected to cost less on the cheaper model, over the easy turns that may follow.
    fn pays(&self, asked: &Asked<'_>, here: u64, there: u64) -> bool {
        let hard = 1000 - u64::from(self.share.get());
        // Easy turns come in runs; how many follow is geometric.
        let turns = 1_000_000_u64.checked_div(hard).unwrap_or(MOST_TURNS).min(MOST_TURNS);
        let fresh = (asked.prompt - here.max(there)).min(asked.prompt / 20);
        let outlook = Outlook {
            turns,
            warm_here: here,
            warm_there: there,
            returns: if hard == 0 { PerMille::ZERO } else { RETURNS },
            alive_at_return: asked.survival.chance(PAUSE, Some(asked.own.1)),
            handoff: Pico::ZERO,
        };
        let turn = Turn { prefix: asked.prompt - fresh, fresh, output: asked.output };
        Choice::between(asked.own.0, asked.cheap.0, turn, &outlook).switches()
    }
}

/// The most easy turns in a row that are reckoned with, in thousandths.
const MOST_TURNS: u64 = 20_000;
/// The chance that a session goes on behind a run of easy turns, and needs its own model again.
const RETURNS: PerMille = match PerMille::new(900) {
    Some(chance) => chance,
    None => PerMille::ONE,
};
/// How long it is away, for how likely its prefix survives.
const PAUSE: Span = Span::mins(1);

fn turn(asked: &Asked<'_>, warm: u64) -> Turn {
    Turn { prefix: warm, fresh: asked.prompt.saturating_sub(warm), output: asked.output }
}

fn short(tokens: u64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

/// Returns what of the prompt a model still holds.
fn held_tokens(held: Option<Held>, rule: &Rule, asked: &Asked<'_>) -> u64 {
    match held {
        Some(held) if rule.holds(held.at, asked.at) && u64::from(held.tokens) <= asked.prompt => {
            rule.usable(held.tokens.into(), asked.prompt)
        }
        _ => 0,
    }
}
