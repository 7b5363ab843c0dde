//! What providers' caches hold, as far as calls tell: which prompts' beginnings are warm at which model and account, where each
//! session is, how long prefixes survive, how long answers are. A fold over turns that are placed and calls that end.
//!
//! Invariants: memory is bounded, whatever comes; what a provider did not report is taken for nothing; no hash or length of a
//! prompt leaves this but as a count.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::held::Recent;
use super::runs::Runs;
use super::study::{mixed, short};
use super::{Rule, RuleTable, Survival, Tie};
use crate::pricing::{Cost, PriceTable, Rates, Usage};
use crate::units::{Instant, ModelId, Names, Pico, RouteTag, Span};

/// The most beginnings of prompts that are remembered; 40 bytes each, and 17 for where they lie.
const BEGINNINGS: usize = 400_000;
/// The most places where sessions are that are remembered.
const SESSIONS: usize = 100_000;
/// From so many calls on what was seen of a model before counts half.
const LONG: u64 = 1000;
/// Tokens of an answer where none was seen.
const ANSWER: u64 = 500;
/// The kind of key under which a session is found by its name alone.
const NAMED: u64 = 1 << 40;

/// A prompt as caches see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Its session as a number; 0 where none is named.
    pub session: u64,
    /// Hashes of its beginnings, the shortest first, and the tokens of each.
    pub beginnings: Arc<[(u64, u32)]>,
    /// Its tokens, counted or estimated.
    pub tokens: u64,
    /// Whether anything was said before in it.
    pub has_past: bool,
    /// Why it cannot change its model.
    pub tie: Option<Tie>,
}

/// Who might take a turn: a rung's model.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The id that has its prices.
    pub model: ModelId,
    /// The id that stands for it under all its names.
    pub known_as: ModelId,
    /// Its prices.
    pub rates: Option<&'a Rates>,
}

/// A beginning that an account holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) at: Instant,
    pub(super) tokens: u32,
    pub(super) account: u32,
}

/// Where a session is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    pub(super) model: ModelId,
    /// Where it was first, and would be had it never changed.
    pub(super) first: ModelId,
    pub(super) account: u32,
    pub(super) at: Instant,
    /// The time between its last two turns.
    pub(super) pause: Span,
    /// The tokens of its last prompt, as billed and as they were estimated.
    pub(super) billed: u32,
    pub(super) estimated: u32,
    /// What it has cost, and what it would have on its first model.
    pub(super) cost: Pico,
    pub(super) never: Pico,
    /// The rung that its last turn asked for.
    pub(super) wanted: u8,
    /// Whether it is known by a beginning.
    is_hashed: bool,
}

/// What was seen of a model.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) survival: Survival,
    answers: u64,
    answered: u64,
    /// Calls long enough for its cache, and those that read or wrote it.
    long: u64,
    cached: u64,
}

impl Seen {
    fn ages(&mut self) {
        if self.answers >= LONG {
            (self.answers, self.answered) = (self.answers / 2, self.answered / 2);
            (self.long, self.cached) = (self.long / 2, self.cached / 2);
        }
    }

    /// Returns the tokens that an answer is expected to have.
    pub(super) fn answer(&self) -> u64 {
        (self.answered + ANSWER) / (self.answers + 1)
    }

    /// Returns the share of calls that use its cache, in thousandths.
    pub(super) fn uses(&self) -> u64 {
        (self.cached + 1) * 1000 / (self.long + 1)
    }
}

/// What a turn is known by from its arrival to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Underway {
    /// Its prompt.
    pub prompt: Prompt,
    /// The rung that its confidence asked for.
    pub wanted: u8,
    /// The account that was called, as a number; 0 where a provider has but one.
    pub account: u32,
}

/// A call that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The model, by the id that has its prices.
    pub model: ModelId,
    /// When its request arrived.
    pub at: Instant,
    /// Its tokens.
    pub usage: &'a Usage,
    /// What it cost.
    pub cost: Cost,
    /// The prices.
    pub prices: &'a PriceTable,
}

/// What the caches hold.
#[derive(Clone, Debug)]
pub struct Caches {
    pub(super) rules: RuleTable,
    warm: Recent<Kept>,
    stands: Recent<Stand>,
    models: BTreeMap<ModelId, Seen>,
    runs: FxHashMap<RouteTag, Runs>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            rules: RuleTable::default(),
            warm: Recent::new(BEGINNINGS),
            stands: Recent::new(SESSIONS),
            models: BTreeMap::new(),
            runs: FxHashMap::default(),
        }
    }
}

impl Caches {
    /// Knows these rules; what is warm stays.
    pub fn rule(&mut self, rules: RuleTable) {
        self.rules = rules;
    }

    /// Looks up the models that were named since.
    pub fn know(&mut self, names: &Names) {
        self.rules.extend(names);
    }

    /// Counts the beginnings that are remembered.
    pub fn beginnings(&self) -> usize {
        self.warm.count()
    }

    /// Returns the model and the account where the session of a prompt is; none where it is not known.
    pub fn place(&self, prompt: &Prompt) -> Option<(ModelId, u32)> {
        self.stand(prompt).map(|stand| (stand.model, stand.account))
    }

    /// Returns where the session of a prompt is, for a prompt that goes on from one that was answered.
    pub(super) fn stand(&self, prompt: &Prompt) -> Option<Stand> {
        // Without a session's name two that begin alike cannot be told apart at their first turn.
        if prompt.session == 0 && !prompt.has_past {
            return None;
        }
        let known = |(hash, _): &(u64, u32)| self.stands.get(mixed(prompt.session, *hash));
        if let Some(stand) = prompt.beginnings.iter().rev().find_map(known) {
            return Some(stand);
        }
        let named = (prompt.session != 0).then(|| self.stands.get(mixed(NAMED, prompt.session)))??;
        // A prompt that has become shorter is another one, and one with beginnings would have been found by them.
        let goes_on = u64::from(named.estimated) <= prompt.tokens;
        (goes_on && (prompt.beginnings.is_empty() || !named.is_hashed)).then_some(named)
    }

    /// Returns the tokens of a prompt that a model was sent before, since when it was not, and at which account.
    pub(super) fn warm(&self, model: ModelId, prompt: &Prompt, now: Instant) -> (u64, Span, u32) {
        let nothing = (0, Span::ZERO, 0);
        let found = |kept: Kept, tokens: u32| {
            (u64::from(tokens).min(prompt.tokens), (now - kept.at).max(Span::ZERO), kept.account)
        };
        let known = |(hash, tokens): &(u64, u32)| Some(found(self.warm.get(key(model, *hash))?, *tokens));
        if !prompt.beginnings.is_empty() {
            return prompt.beginnings.iter().rev().find_map(known).unwrap_or(nothing);
        }
        let named = (prompt.session != 0).then(|| self.warm.get(key(model, mixed(NAMED, prompt.session))));
        let longer = |kept: &Kept| u64::from(kept.tokens) <= prompt.tokens;
        named.flatten().filter(longer).map_or(nothing, |kept| found(kept, kept.tokens))
    }

    /// Returns what was seen of a model.
    pub(super) fn seen(&self, model: ModelId) -> Seen {
        self.models.get(&model).copied().unwrap_or_default()
    }

    pub(super) fn runs(&self, route: RouteTag) -> Runs {
        self.runs.get(&route).copied().unwrap_or_default()
    }

    /// Takes a turn that was placed: the rung that it asked for.
    pub fn placed(&mut self, route: RouteTag, prompt: &Prompt, wanted: u8) {
        if prompt.session != 0 || prompt.has_past {
            let before = self.stand(prompt).map(|stand| stand.wanted);
            self.runs.entry(route).or_default().saw(wanted, before);
        }
    }

    /// Takes a call that was answered.
    pub fn answered(&mut self, turn: &Underway, call: &Answered<'_>) {
        let &Answered { model, at, usage, .. } = call;
        let (prompt, Some(billed)) = (&turn.prompt, usage.prompt()) else { return };
        let rule = self.rules.get(model).cloned();
        // Each account has caches of its own.
        let (before, idle, account) = self.warm(model, prompt, at);
        let before = if account == turn.account { before } else { 0 };
        let stand = self.stand(prompt);
        let read = usage.cache_read.or_zero().min(billed);
        let seen = self.models.entry(model).or_default();
        seen.ages();
        seen.answers += 1;
        seen.answered += usage.output.or_zero();
        let is_used = usage.cached() > 0;
        let is_long = rule.as_ref().is_some_and(|rule| billed >= u64::from(rule.minimum));
        if is_long {
            seen.long += 1;
            seen.cached += u64::from(is_used);
        }
        if let Some(rule) = rule.as_ref().filter(|rule| is_used || !rule.asked) {
            seen.survival.saw(idle, rule.usable(before.min(billed), billed), read);
        }
        // What a client has to ask for is there where it was read or written.
        if rule.is_some_and(|rule| is_long && (is_used || !rule.asked)) {
            self.keep(model, turn, billed, at);
        }
        self.stands_at(turn, call, stand, billed);
    }

    fn keep(&mut self, model: ModelId, turn: &Underway, billed: u64, at: Instant) {
        let (prompt, account) = (&turn.prompt, turn.account);
        let last = prompt.beginnings.len().saturating_sub(1);
        // The end of a prompt goes before its beginning, which others share.
        for (place, (hash, tokens)) in prompt.beginnings.iter().enumerate().rev() {
            if place == last || is_landmark(place) {
                self.warm.put(key(model, *hash), Kept { at, tokens: *tokens, account });
            }
        }
        if prompt.session != 0 && prompt.beginnings.is_empty() {
            let tokens = short(prompt.tokens.max(billed));
            self.warm.put(key(model, mixed(NAMED, prompt.session)), Kept { at, tokens, account });
        }
    }

    fn stands_at(&mut self, turn: &Underway, call: &Answered<'_>, before: Option<Stand>, billed: u64) {
        let prompt = &turn.prompt;
        if prompt.session == 0 && prompt.beginnings.is_empty() {
            return;
        }
        let cost = call.cost.amount().unwrap_or(Pico::ZERO);
        let first = before.filter(|stand| stand.first != call.model);
        let never = match first.and_then(|stand| Some((stand, call.prices.rates(stand.first, call.at)?))) {
            Some((stand, rates)) => {
                let old = u64::from(stand.billed).min(billed);
                let side = side(rates, self.rules.get(stand.first), billed);
                let turn =
                    super::Turn { prefix: old, fresh: billed - old, output: call.usage.output.or_zero() };
                side.cost(turn, old)
            }
            None => cost,
        };
        let sum = |of: fn(&Stand) -> Pico| before.as_ref().map_or(Pico::ZERO, of);
        let stand = Stand {
            model: call.model,
            first: before.map_or(call.model, |stand| stand.first),
            account: turn.account,
            at: call.at,
            pause: before.map_or(Span::ZERO, |stand| (call.at - stand.at).max(Span::ZERO)),
            billed: short(billed),
            estimated: short(prompt.tokens),
            cost: sum(|stand| stand.cost) + cost,
            never: sum(|stand| stand.never) + never,
            wanted: turn.wanted,
            is_hashed: !prompt.beginnings.is_empty(),
        };
        if let Some((hash, _)) = prompt.beginnings.last() {
            self.stands.put(mixed(prompt.session, *hash), stand);
        }
        if prompt.session != 0 {
            self.stands.put(mixed(NAMED, prompt.session), stand);
        }
    }

    /// Counts the sessions' places and the beginnings that each model and account may still hold at a moment.
    pub fn held(&self, now: Instant) -> BTreeMap<(ModelId, u32), u64> {
        let mut held: BTreeMap<(ModelId, u32), u64> = BTreeMap::new();
        for stand in self.stands.iter() {
            if self.rules.get(stand.model).is_some_and(|rule| rule.holds(stand.at, now)) {
                *held.entry((stand.model, stand.account)).or_default() += 1;
            }
        }
        held
    }
}

/// Beginnings that many prompts share lie anywhere, so those at some places are kept: few, and closer at the start.
fn is_landmark(place: usize) -> bool {
    let count = place + 1;
    count <= 4 || count.is_power_of_two() || (count / 3).is_power_of_two() && count.is_multiple_of(3)
}

/// Returns the prices of a model for a prompt, with what the book lacks filled in by its rule.
pub(super) fn side(rates: &Rates, rule: Option<&Rule>, prompt: u64) -> super::Side {
    let tier = rates.for_prompt(prompt);
    match rule {
        Some(rule) => rule.side(tier),
        None => super::Side {
            input: tier.input,
            read: tier.cache_read.unwrap_or(tier.input),
            write: tier.input,
            output: tier.output,
        },
    }
}

/// Returns the number of a session as caches know it, sub-agents apart, which have a context of their own; 0 where none is named.
pub fn session_number(session: &str, agent: &str) -> u64 {
    if session.is_empty() { 0 } else { hashed(session, hashed(agent, 7)).max(1) }
}

/// Returns the number of an account, by its name as `provider/account`; 0 where the provider has but one.
pub fn account_number(provider: &str) -> u32 {
    let number = || u32::try_from(hashed(provider, 11) >> 32).unwrap_or(1).max(1);
    if provider.contains('/') { number() } else { 0 }
}

fn hashed(text: &str, seed: u64) -> u64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    mixed(seed, hash)
}

fn key(model: ModelId, hash: u64) -> u64 {
    mixed(u64::from(model.0) | 1 << 20, hash)
}

impl Caches {
    /// Returns the bytes that it takes at most.
    pub const MOST_BYTES: usize = Recent::<Kept>::bytes(BEGINNINGS) + Recent::<Stand>::bytes(SESSIONS);
}
