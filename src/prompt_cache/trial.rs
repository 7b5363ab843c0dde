//! Sessions routed three ways between their own model and a cheaper one: never switching, without a thought for the cache, and
//! by expected dollars, as a gateway does.
//!
//! Invariants: all three answer the same turns with the same tokens; turns that need the session's own model get it in each.

use std::sync::Arc;

use super::caches::side;
use super::study::mixed;
use super::study::short;
use super::{
    Answered, Asking, Caches, Change, Held, Offer, Prompt, Rule, RuleTable, Rules, Turn, Underway, Warm,
};
use crate::pricing::{Cost, PriceTable, Usage};
use crate::units::{Count, Instant, ModelId, Names, Pico, RouteTag, words};

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

words!(Arm { Never = "never switching", Blind = "cache-blind", Aware = "cache-aware" });

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
    /// The session's own model and the cheaper one, with their rules.
    pub own: (Offer<'a>, &'a Rule),
    /// See there.
    pub cheap: (Offer<'a>, &'a Rule),
    /// All prices.
    pub prices: &'a PriceTable,
}

/// Sessions on trial.
#[derive(Clone, Debug)]
pub struct Trial {
    warm: Warm,
    /// What the way that goes by expected dollars knows: what a gateway does.
    caches: Caches,
    /// Turns tried.
    pub turns: u64,
    /// Those that the cheaper model may answer.
    pub easy: u64,
    sums: [ArmSums; 3],
}

impl Trial {
    /// Begins with nothing warm.
    pub fn new(rules: Arc<Rules>, most: usize) -> Self {
        let mut caches = Caches::default();
        caches.rule(RuleTable::new(rules));
        Self { warm: Warm::new(most), caches, turns: 0, easy: 0, sums: [ArmSums::default(); 3] }
    }

    /// Looks up the models that were named since.
    pub fn know(&mut self, names: &Names) {
        self.caches.know(names);
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
            let goes = match arm {
                Arm::Never => false,
                Arm::Blind => asked.easy,
                Arm::Aware => asked.easy && self.pays(asked),
            };
            let (what, (offer, rule), warm) =
                if goes { (1, asked.cheap, there) } else { (0, asked.own, here) };
            let Some(rates) = offer.rates else { continue };
            let cost = side(rates, Some(rule), asked.prompt).cost(turn(asked, warm), warm);
            self.warm.put(key(what), Held { at: asked.at, tokens: short(asked.prompt), unread: 0 });
            self.warm.put(key(2), Held { at: asked.at, tokens: u32::from(goes), unread: 0 });
            if arm == Arm::Aware {
                self.answered(asked, offer.model, warm, cost);
            }
            let Some(sums) = usize::try_from(place).ok().and_then(|place| self.sums.get_mut(place)) else {
                continue;
            };
            sums.cost += cost;
            sums.cheap += u64::from(goes);
            sums.switches += u64::from(stood.is_some() && goes != on_cheap);
            sums.read += warm;
        }
    }

    /// Says whether an easy turn goes to the cheaper model: where its session is new, is there already, or does better to go.
    fn pays(&self, asked: &Asked<'_>) -> bool {
        let prompt = prompt(asked);
        let ladder = [asked.cheap.0, asked.own.0];
        let (route, now) = (RouteTag::NONE, asked.at);
        let asking = Asking { prompt: &prompt, ladder: &ladder, route, cap: None, blocked: &[], now };
        let standing = self.caches.standing(&asking);
        let change = standing.change(asked.cheap.0.known_as);
        standing.here != asked.own.0.known_as || change.is_none_or(Change::goes)
    }

    /// Lets the way that goes by expected dollars know what became of a turn.
    fn answered(&mut self, asked: &Asked<'_>, model: ModelId, warm: u64, cost: Pico) {
        let count = |tokens| Count::new(tokens).unwrap_or(Count::UNKNOWN);
        let usage = Usage {
            cache_read: count(warm),
            write_5m: count(asked.prompt - warm),
            output: count(asked.output),
            ..Usage::NONE
        };
        let wanted = u8::from(!asked.easy);
        let prompt = prompt(asked);
        self.caches.placed(RouteTag::NONE, &prompt, wanted);
        let (cost, prices, at) = (Cost::Known(cost), asked.prices, asked.at);
        let call = Answered { model, at, usage: &usage, cost, prices };
        self.caches.answered(&Underway { prompt, wanted, account: 0 }, &call);
    }
}

fn prompt(asked: &Asked<'_>) -> Prompt {
    Prompt { session: asked.session, tokens: asked.prompt, has_past: true, ..Prompt::default() }
}

fn turn(asked: &Asked<'_>, warm: u64) -> Turn {
    Turn { prefix: warm, fresh: asked.prompt.saturating_sub(warm), output: asked.output }
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
