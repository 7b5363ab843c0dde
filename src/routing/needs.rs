//! What a request asks of whoever serves it, and how things stood when it arrived.
//!
//! Invariants: sizes stand on a grid, so that the circumstances of a million requests are a few hundred different ones;
//! the grid rounds down, so that it bars nothing that fits. Circumstances are kept with the request, not looked up later.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHashMap;

use super::{Capabilities, Drawn, Follows, Labels};
use crate::bandit::Advice;
use crate::prompt_cache::Standing;
use crate::runaway::Then;
use crate::units::{ModelId, TagsId, named};

/// What a request asks of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Needs {
    /// What the model has to be able to do.
    pub capabilities: Capabilities,
    /// Labels that whoever sent it requires.
    pub labels: Labels,
    /// The tokens of its prompt, rounded down; 0 where not known.
    pub window: u32,
    /// The tokens that its answer may have, rounded down; 0 where not limited.
    pub output: u32,
    /// The most tokens that it and its answer can come to, rounded up; nothing where nobody needed to know.
    pub at_most: AtMost,
}

/// The most tokens that a call can be billed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing by which a call may cost more")]
pub struct AtMost {
    /// Its prompt.
    pub prompt: u32,
    /// Its answer.
    pub output: u32,
    /// Whether part of the prompt lies elsewhere, so that what the model takes at most bounds it.
    pub is_elsewhere: bool,
    /// Whether a service tier was asked for, which may cost more than the ordinary one.
    pub any_tier: bool,
    /// Whether one that costs more was asked for by its name, so that nobody knows what it costs where no price is written for such.
    pub dearer_tier: bool,
    /// Whether another model's tokens are billed besides, which nobody can foretell.
    pub other_models: bool,
    /// How many answers were asked for, where more than one.
    pub choices: u32,
    /// The tokens of an answer that was foretold: part of `output`, and billed whatever the model writes.
    pub predicted: u32,
}

/// How a log writes, among what could not be called, the most tokens that a call can be billed for whose cost may stay unknown:
/// `most:4096+1024`, with `+context` where part of its prompt lies elsewhere and `+tier` where a dearer tier was asked
/// for and `+models` where other models are billed besides, `+answers:8` where so many were asked for, and `+foretold:512` where
/// so much of it is billed whatever the model writes.
const MOST: &str = "most:";

impl AtMost {
    /// Returns what a log writes of it.
    pub fn word(&self) -> String {
        let context = if self.is_elsewhere { "+context" } else { "" };
        let tier = if self.any_tier { "+tier" } else { "" };
        let models = if self.other_models { "+models" } else { "" };
        let counted = |name, count: u32| if count > 0 { format!("+{name}:{count}") } else { String::new() };
        let answers = counted("answers", self.choices.saturating_sub(1).min(1) * self.choices);
        let foretold = counted("foretold", self.predicted);
        format!("{MOST}{}+{}{context}{tier}{models}{answers}{foretold}", self.prompt, self.output)
    }

    /// Reads what a log writes.
    pub fn parse(word: &str) -> Option<Self> {
        let mut parts = word.strip_prefix(MOST)?.split('+');
        let mut tokens = || parts.next()?.parse().ok();
        let (prompt, output) = (tokens()?, tokens()?);
        let mut at_most = Self { prompt, output, ..Self::default() };
        for part in parts {
            at_most.is_elsewhere |= part == "context";
            at_most.any_tier |= part == "tier";
            at_most.other_models |= part == "models";
            let count = |name| part.strip_prefix(name)?.parse().ok();
            at_most.choices = count("answers:").unwrap_or(at_most.choices);
            at_most.predicted = count("foretold:").unwrap_or(at_most.predicted);
        }
        Some(at_most)
    }
}

/// Rounds a size up to the grid of [`on_grid`].
pub fn up_to_grid(tokens: u64) -> u32 {
    let down = u64::from(on_grid(tokens));
    if down >= tokens {
        return on_grid(tokens);
    }
    let bits = 64 - tokens.leading_zeros();
    let step = 1u64 << bits.saturating_sub(6);
    u32::try_from(down + step).unwrap_or(u32::MAX)
}

/// Rounds a size down to the grid: exact up to 32, then 32 steps to the double.
pub fn on_grid(tokens: u64) -> u32 {
    let bits = 64 - tokens.leading_zeros();
    let drop = bits.saturating_sub(6);
    u32::try_from(tokens >> drop << drop).unwrap_or(u32::MAX >> drop.min(26) << drop.min(26))
}

/// How a log writes that a model had as many calls under way as it may have, among what could not be called: `full:gpt-4.1`.
pub const FULL: &str = "full:";

/// How a log writes that a model could not be asked in the form of the client's request, among what could not be called:
/// `unreached:gpt-5-codex`.
pub const UNREACHED: &str = "unreached:";

/// What budgets have to say of a call to a model: there is not enough room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Short {
    /// A soft limit would be broken: rather a cheaper rung.
    Soft,
    /// A hard limit could be broken: a rung that there is room for, or none.
    Hard,
    /// A hard limit could be broken that refuses at once.
    Refuse,
    /// A hard limit could be broken at which requests wait for room.
    Queue,
    /// A hard limit could have been broken when the request was to go up to it.
    Later,
}

// The word stands before the model's name under which a log writes it among what could not be called.
named!(Short {
    Soft = "over-soft:", Hard = "over:", Refuse = "over-refuse:", Queue = "over-queue:", Later = "over-later:",
});

impl Short {
    /// Reads what a log writes: what kind, and of which model.
    pub fn parse(text: &str) -> Option<(Self, &str)> {
        Self::ALL.iter().find_map(|(word, one)| Some((*one, text.strip_prefix(word)?)))
    }
}

/// How a request's tags stand before what could not be called for it, in a ledger: `tag:env=prod`.
pub const TAG: &str = "tag:";

/// How a log writes, among what could not be called, how many milliseconds a request waited for room in a budget: `waited:1250`.
pub const WAITED: &str = "waited:";

/// How a log writes, among what could not be called, what the classifier had said of a request before a second stage did: `second:540`.
pub const BEFORE: &str = "second:";

/// How a log writes, among what could not be called, that who sent a request was stopped: `stopped:key ci-bot`.
pub const STOPPED: &str = "stopped:";

/// How a log writes, among what could not be called, that a request had to be served more cheaply: `runaway:degrade`.
pub const RUNAWAY: &str = "runaway:";

/// How things stood when a request arrived, as far as guards look at it.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Circumstance {
    /// What the request asks for.
    pub needs: Needs,
    /// Models that could not be called (a breaker open, a quota spent), in ascending order.
    pub down: Vec<ModelId>,
    /// The ids that stand for them under all their names, in ascending order.
    pub down_as: Vec<ModelId>,
    /// The ids of models that had as many calls under way as the policy lets them, in ascending order.
    pub full: Vec<ModelId>,
    /// Models that could not be asked in the form of the client's request, in ascending order.
    pub unreached: Vec<ModelId>,
    /// The ids of models for a call to which budgets had no room, in ascending order.
    pub over: Vec<(ModelId, Short)>,
    /// What held for whoever sent it: [`Then::Freeze`] where he was stopped, [`Then::Tell`] where nothing did.
    pub runaway: Then,
    /// How a holdout drew the request; none where its route held nobody out.
    pub drawn: Option<Drawn>,
    /// What who sent it tagged it with; none where nobody did.
    pub tags: TagsId,
    /// How its session stood with prompt caches, as far as a route minded.
    pub standing: Standing,
    /// What verdicts said of its route's rungs, as far as that learns.
    pub advice: Advice,
    /// Where the turn before was served, of a turn of a tool loop.
    pub follows: Follows,
}

/// What most of them differ in goes into the hash; it is taken of every request that a log tells.
impl Hash for Circumstance {
    fn hash<H: Hasher>(&self, hash: &mut H) {
        let Needs { window, output, at_most, .. } = self.needs;
        hash.write_u64(u64::from(window) << 32 | u64::from(output));
        hash.write_u64(u64::from(at_most.prompt) << 32 | u64::from(at_most.output));
        (self.needs.capabilities, self.tags).hash(hash);
        self.down.iter().chain(&self.full).chain(&self.unreached).for_each(|model| model.hash(hash));
        self.over.iter().for_each(|short| short.hash(hash));
        if self.standing != Standing::NONE || self.advice != Advice::None {
            (&self.standing, &self.advice).hash(hash);
        }
        if self.follows != Follows::NONE {
            self.follows.hash(hash);
        }
    }
}

impl Circumstance {
    /// Nothing asked, everything up.
    pub const PLAIN: &Self = &Self {
        standing: Standing::NONE,
        advice: Advice::None,
        follows: Follows::NONE,
        needs: Needs {
            capabilities: Capabilities::NONE,
            labels: Labels::NONE,
            window: 0,
            output: 0,
            at_most: AtMost {
                prompt: 0,
                output: 0,
                is_elsewhere: false,
                any_tier: false,
                dearer_tier: false,
                other_models: false,
                choices: 0,
                predicted: 0,
            },
        },
        down: Vec::new(),
        down_as: Vec::new(),
        full: Vec::new(),
        unreached: Vec::new(),
        over: Vec::new(),
        runaway: Then::Tell,
        drawn: None,
        tags: TagsId::NONE,
    };

    /// Takes models that could not be called, in any order.
    #[must_use]
    pub fn with_down(mut self, mut down: Vec<ModelId>, known_as: impl Fn(ModelId) -> ModelId) -> Self {
        if down.is_empty() {
            return self;
        }
        down.sort_unstable();
        down.dedup();
        self.down_as = down.iter().map(|&model| known_as(model)).collect();
        self.down_as.sort_unstable();
        self.down_as.dedup();
        self.down = down;
        self
    }

    /// Says what budgets had to say of a call to a model at the request's arrival; none where there was room.
    pub fn short(&self, model: ModelId) -> Option<Short> {
        let at_first =
            |(known, short): &(ModelId, Short)| (*known == model && *short != Short::Later).then_some(*short);
        self.over.iter().find_map(at_first)
    }

    /// Says whether budgets had no room for a call to a model when the request was to go up to it.
    pub fn is_short_later(&self, model: ModelId) -> bool {
        self.over.contains(&(model, Short::Later))
    }

    /// Says whether a model had as many calls under way as it may have.
    pub fn is_full(&self, model: ModelId) -> bool {
        !self.full.is_empty() && self.full.binary_search(&model).is_ok()
    }

    /// Says whether a model could not be asked in the form of the client's request.
    pub fn is_unreached(&self, model: ModelId) -> bool {
        !self.unreached.is_empty() && self.unreached.binary_search(&model).is_ok()
    }

    /// Says whether a model could not be called by a name.
    pub fn is_down(&self, model: ModelId) -> bool {
        !self.down.is_empty() && self.down.binary_search(&model).is_ok()
    }

    /// Says whether a model could not be called by one of its names.
    pub fn is_down_as(&self, known_as: ModelId) -> bool {
        self.down_as.binary_search(&known_as).is_ok()
    }
}

/// The number of a circumstance in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct CircumstanceId(u32);

impl CircumstanceId {
    /// Returns its place in tables.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Circumstances, each held once; number 0 is the plain one.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    ids: FxHashMap<Circumstance, u32>,
    list: Vec<Circumstance>,
    /// Whether any goes on in a tool loop.
    have_loops: bool,
}

impl Circumstances {
    /// Returns the number of a circumstance, making one at first sight.
    pub fn intern(&mut self, one: &Circumstance) -> CircumstanceId {
        if one == Circumstance::PLAIN {
            return CircumstanceId(0);
        }
        if let Some(&id) = self.ids.get(one) {
            return CircumstanceId(id);
        }
        self.have_loops |= one.follows != Follows::NONE;
        self.list.push(one.clone());
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.ids.insert(one.clone(), id);
        CircumstanceId(id)
    }

    /// Returns a circumstance; the plain one for a number of another table.
    pub fn get(&self, id: CircumstanceId) -> &Circumstance {
        (id.0 as usize).checked_sub(1).and_then(|at| self.list.get(at)).unwrap_or(Circumstance::PLAIN)
    }

    /// Says whether any goes on in a tool loop, so that what is decided depends on how requests before were.
    pub fn have_loops(&self) -> bool {
        self.have_loops
    }

    /// Counts them, the plain one left out.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Says whether there is none but the plain one.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Lists those from a place on, in order of their numbers.
    pub fn since(&self, len: usize) -> &[Circumstance] {
        self.list.get(len..).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_rounds_down_by_a_thirty_second_at_most_and_keeps_its_own() {
        for tokens in (0..70_000).chain([1 << 20, (1 << 20) + 12_345, u64::from(u32::MAX), u64::MAX]) {
            let kept = u64::from(on_grid(tokens));
            let whole = tokens.min(u64::from(u32::MAX));
            assert!(kept <= whole && whole - kept <= whole / 32, "{tokens} became {kept}");
            assert_eq!(u64::from(on_grid(kept)), kept, "{tokens}");
        }
    }

    #[test]
    fn a_circumstance_is_held_once() {
        let mut table = Circumstances::default();
        let long =
            Circumstance { needs: Needs { window: 9_000, ..Needs::default() }, ..Circumstance::default() };
        let down = Circumstance { down: vec![ModelId(1), ModelId(4)], ..long.clone() };
        assert_eq!(table.intern(&Circumstance::default()), CircumstanceId::default());
        let (a, b) = (table.intern(&long), table.intern(&down));
        assert!(a != b && table.intern(&long) == a && table.len() == 2);
        assert!(table.get(b).is_down(ModelId(4)) && !table.get(b).is_down(ModelId(2)));
        assert_eq!(table.get(CircumstanceId(9)), Circumstance::PLAIN);
    }
}
