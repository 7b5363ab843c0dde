//! What a cache could have served of a log's prompts, beside what was served, model by model.
//!
//! Invariants: no hit is longer than its prompt; a longer life never gives fewer hits; a call of which nobody knows what its
//! prompt has in common with others is in no share; what one model holds changes nothing for another.

use std::collections::BTreeMap;

use super::{Held, Rule, Survival, Warm};
use crate::pricing::{Cost, Rates, Tier, Usage, charge};
use crate::units::{Draw, Instant, ModelId, Pico, Span};

/// How long the ideal cache holds what was last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ttl {
    /// For ever.
    #[default]
    Infinite,
    /// For so long, written at the price of a short or of a long life.
    For(Span),
}

impl Ttl {
    fn holds(self, idle: Span) -> bool {
        match self {
            Self::Infinite => true,
            Self::For(span) => idle <= span,
        }
    }

    fn is_long(self) -> bool {
        matches!(self, Self::For(span) if span > Span::mins(5))
    }
}

/// Where the blocks end that a log's hashes are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends<'a> {
    /// After so many tokens each.
    Tokens(u32),
    /// At bytes of the prompt, one more than there are hashes: tokens are worked out by their share, rounded down.
    Bytes(&'a [u64]),
}

impl Ends<'_> {
    /// Returns the tokens of the first `count` of `all` blocks of a prompt.
    fn tokens(self, count: usize, all: usize, prompt: u64) -> u64 {
        let tokens = match self {
            _ if count == 0 => 0,
            Self::Tokens(each) => u64::from(each).saturating_mul(u64::try_from(count).unwrap_or(u64::MAX)),
            Self::Bytes(ends) => {
                let end = |place: usize| ends.get(place).or(ends.last()).copied().unwrap_or(0);
                let share = u128::from(prompt) * u128::from(end(count - 1));
                share.checked_div(u128::from(end(all))).and_then(|it| u64::try_from(it).ok()).unwrap_or(0)
            }
        };
        tokens.min(prompt)
    }
}

/// A call as the study takes it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The model, by its identity.
    pub model: ModelId,
    /// When its request came.
    pub at: Instant,
    /// Its tokens.
    pub usage: &'a Usage,
    /// Hashes of its prompt's beginnings, the shortest first.
    pub blocks: &'a [u64],
    /// What those are of.
    pub ends: Ends<'a>,
    /// Its conversation as a number; `None` where the log names none.
    pub session: Option<u64>,
    /// Whether the log says what was read from the cache.
    pub tells: bool,
    /// Whether what it says is what was there to be read, rather than what was.
    pub is_ceiling: bool,
    /// The prices of its time.
    pub rates: Option<&'a Rates>,
    /// How its model's cache works.
    pub rule: Option<&'a Rule>,
}

/// Sums of one model, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls whose prompt has a known length.
    pub calls: u64,
    /// Calls of unknown length, in no other figure.
    pub unknown: u64,
    /// Calls compared by hashes, by the turn before in their session, and not at all.
    pub by_hash: u64,
    /// See there.
    pub by_session: u64,
    /// See there.
    pub unfounded: u64,
    /// Tokens of all prompts.
    pub prompt: u64,
    /// Tokens of the prompts that were compared.
    pub compared: u64,
    /// Tokens that an ideal cache would have served of them.
    pub ideal: u64,
    /// Tokens that the provider's own rules would have let it serve, of the prompts of models with a rule.
    pub reachable: u64,
    /// Tokens of those prompts.
    pub ruled: u64,
    /// Tokens that were read from the cache, of the prompts that were compared and of the others.
    pub observed: [u64; 2],
    /// Tokens of the prompts of which that is told, likewise.
    pub told: [u64; 2],
    /// Compared calls with a price, and what their prompts cost: without a cache, with the ideal one, as it was.
    pub priced: u64,
    /// See there.
    pub without_cost: Pico,
    /// See there.
    pub ideal_cost: Pico,
    /// See there; only of calls of which that is told.
    pub observed_cost: Pico,
    /// What the ideal cache would have cost for those.
    pub ideal_of_told: Pico,
    /// How long prefixes survive.
    pub survival: Survival,
}

impl Sums {
    /// Adds those of another model; survival stays what it was.
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.calls, other.calls),
            (&mut self.unknown, other.unknown),
            (&mut self.by_hash, other.by_hash),
            (&mut self.by_session, other.by_session),
            (&mut self.unfounded, other.unfounded),
            (&mut self.prompt, other.prompt),
            (&mut self.compared, other.compared),
            (&mut self.ideal, other.ideal),
            (&mut self.reachable, other.reachable),
            (&mut self.ruled, other.ruled),
            (&mut self.priced, other.priced),
        ];
        let tells = self.observed.iter_mut().zip(other.observed).chain(self.told.iter_mut().zip(other.told));
        for (sum, more) in pairs.into_iter().chain(tells) {
            *sum = sum.saturating_add(more);
        }
        self.without_cost += other.without_cost;
        self.ideal_cost += other.ideal_cost;
        self.observed_cost += other.observed_cost;
        self.ideal_of_told += other.ideal_of_told;
    }
}

/// What of a prompt was warm.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// Tokens that the ideal cache holds, and those of them that it had written for the first read.
    ideal: u64,
    first_read: u64,
    /// Tokens held where nothing is ever forgotten, and since when they were not used.
    ever: u64,
    idle: Span,
    /// Tokens that the model's own rule still holds.
    ruled: u64,
}

/// A log under study.
#[derive(Clone, Debug)]
pub struct Study {
    ttl: Ttl,
    warm: Warm,
    models: BTreeMap<ModelId, Sums>,
    /// Whether prompts come with hashes: a short one without any then has none.
    hashed: bool,
}

/// Prompts this short have no hash where others have.
const SHORT: u64 = 1024;

impl Study {
    /// Begins with nothing warm.
    pub fn new(ttl: Ttl, most: usize) -> Self {
        Self { ttl, warm: Warm::new(most), models: BTreeMap::new(), hashed: false }
    }

    /// Returns the sums by model.
    pub fn models(&self) -> &BTreeMap<ModelId, Sums> {
        &self.models
    }

    /// Counts prefixes that were dropped because too many were warm: from the first on hits are missed.
    pub fn dropped(&self) -> u64 {
        self.warm.dropped()
    }

    /// Takes a call.
    pub fn call(&mut self, call: &Call<'_>) {
        let Some(prompt) = call.usage.prompt() else {
            self.models.entry(call.model).or_default().unknown += 1;
            return;
        };
        if prompt == 0 {
            return;
        }
        self.hashed |= !call.blocks.is_empty();
        let read = call.usage.cache_read.or_zero().min(prompt);
        let by_hash = !call.blocks.is_empty() || (self.hashed && prompt < SHORT);
        let found = if by_hash {
            Some(self.by_hash(call, prompt))
        } else {
            call.session.map(|session| self.by_session(call, session, prompt, read))
        };
        let sums = self.models.entry(call.model).or_default();
        sums.calls += 1;
        sums.prompt = sums.prompt.saturating_add(prompt);
        if call.tells {
            let place = usize::from(found.is_none());
            sums.told[place] = sums.told[place].saturating_add(prompt);
            sums.observed[place] = sums.observed[place].saturating_add(read);
        }
        let Some(mut found) = found else {
            sums.unfounded += 1;
            return;
        };
        if by_hash {
            sums.by_hash += 1;
        } else {
            sums.by_session += 1;
        }
        // What was read was there, whatever is thought of it.
        if call.tells && !call.is_ceiling {
            found.ideal = found.ideal.max(read);
            found.ruled = found.ruled.max(read);
        }
        sums.compared = sums.compared.saturating_add(prompt);
        sums.ideal = sums.ideal.saturating_add(found.ideal);
        if let Some(rule) = call.rule {
            sums.ruled = sums.ruled.saturating_add(prompt);
            let told = if call.tells && !call.is_ceiling { read.min(found.ruled) } else { 0 };
            // Of what the ideal cache holds: no rule leaves more of it than there is.
            let usable = rule.usable(found.ruled.min(found.ideal), prompt).max(told);
            sums.reachable = sums.reachable.saturating_add(usable);
        }
        let expected = call.rule.map_or(found.ever, |rule| rule.usable(found.ever, prompt));
        if call.tells && !call.is_ceiling && expected >= SHORT {
            sums.survival.saw(found.idle, expected, read);
        }
        if let Some(rates) = call.rates {
            price(sums, call, rates, prompt, &found, self.ttl.is_long());
        }
    }

    fn by_hash(&mut self, call: &Call<'_>, prompt: u64) -> Found {
        let all = call.blocks.len();
        let key = |hash: &u64| mixed(u64::from(call.model.0), *hash);
        let tokens = |count: usize| call.ends.tokens(count, all, prompt);
        let mut found = Found::default();
        let (mut ideal, mut ruled) = (true, true);
        let mut hits = 0;
        for (place, hash) in call.blocks.iter().enumerate() {
            let Some(held) = self.warm.get(key(hash)) else { break };
            let idle = apart(call.at, held.at);
            found.ever = tokens(place + 1);
            found.idle = found.idle.max(idle);
            ruled &= call.rule.is_none_or(|rule| idle <= rule.ttl);
            if ruled {
                found.ruled = found.ever;
            }
            ideal &= self.ttl.holds(idle);
            if ideal {
                found.ideal = found.ever;
                if held.unread > 0 {
                    found.first_read += found.ever - tokens(place);
                }
            }
            hits += usize::from(ideal);
        }
        // The end of a prompt goes before its beginning, which others share.
        for (place, hash) in call.blocks.iter().enumerate().rev() {
            let held = Held { at: call.at, tokens: 0, unread: u32::from(place >= hits) };
            self.warm.put(key(hash), held);
        }
        found
    }

    fn by_session(&mut self, call: &Call<'_>, session: u64, prompt: u64, read: u64) -> Found {
        let key = mixed(u64::from(call.model.0) | 1 << 32, session);
        let held = self.warm.get(key);
        let mut found = Found::default();
        if let Some(held) = held {
            let before = u64::from(held.tokens);
            // A log may tell its newest calls first. A prompt that has become shorter is another one.
            let (first, second) = if call.at < held.at { (prompt, before) } else { (before, prompt) };
            found.ever = if first <= second { first } else { 0 };
            found.idle = apart(call.at, held.at);
        }
        if call.is_ceiling && call.tells {
            found.ever = read;
        }
        if self.ttl.holds(found.idle) {
            found.ideal = found.ever;
            found.first_read = u64::from(held.map_or(0, |held| held.unread)).min(found.ever);
        }
        if call.rule.is_none_or(|rule| found.idle <= rule.ttl) {
            found.ruled = found.ever;
        }
        self.warm.put(key, Held { at: call.at, tokens: short(prompt), unread: short(prompt - found.ideal) });
        found
    }
}

/// Adds what a prompt costs three ways. The ideal cache knows what will be read again, and writes nothing else.
fn price(sums: &mut Sums, call: &Call<'_>, rates: &Rates, prompt: u64, found: &Found, long: bool) {
    let tier: &Tier = rates.for_prompt(prompt);
    let read = match (tier.cache_read, call.rule) {
        (Some(price), _) => price,
        (None, Some(rule)) => rule.side(tier).read,
        (None, None) => tier.input,
    };
    let write = if long { tier.write_1h.or(tier.write_5m) } else { tier.write_5m };
    let write = write.unwrap_or(tier.input);
    let without = tier.input.charge(prompt);
    let extra = write.charge(found.first_read) - tier.input.charge(found.first_read);
    let ideal = read.charge(found.ideal) + tier.input.charge(prompt - found.ideal) + extra;
    sums.priced += 1;
    sums.without_cost += without;
    sums.ideal_cost += ideal;
    if call.tells {
        let usage = Usage { output: Usage::NONE.output, reasoning: Usage::NONE.reasoning, ..*call.usage };
        if let Cost::Known(cost) | Cost::Estimated(cost) = charge(&usage, Some(rates)) {
            sums.observed_cost += cost;
            // A trace of what could be read tells no writes: neither side is charged for them.
            sums.ideal_of_told += if call.is_ceiling { ideal - extra } else { ideal };
        }
    }
}

/// Returns how far apart two calls are, whichever the log tells first.
fn apart(one: Instant, other: Instant) -> Span {
    Span((one - other).0.saturating_abs())
}

pub(super) fn short(tokens: u64) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

/// Mixes two numbers into a key.
pub(super) fn mixed(one: u64, other: u64) -> u64 {
    Draw::at(other, one).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(model: u16, seconds: i64, usage: &'a Usage, blocks: &'a [u64]) -> Call<'a> {
        Call {
            model: ModelId(model),
            at: Instant::from_secs(seconds),
            usage,
            blocks,
            ends: Ends::Tokens(512),
            session: None,
            tells: false,
            is_ceiling: false,
            rates: None,
            rule: None,
        }
    }

    fn plain(tokens: u64) -> Usage {
        Usage::plain(tokens, 10).unwrap()
    }

    fn ideal(study: &Study) -> u64 {
        study.models().values().map(|sums| sums.ideal).sum()
    }

    /// Traffic by rule: prompts that share beginnings of many lengths, on three models, at many distances.
    fn traffic(ttl: Ttl, models: &[u16]) -> Study {
        let mut study = Study::new(ttl, 10_000);
        let rule = Rule {
            minimum: 1024,
            step: 128,
            ttl: Span::mins(30),
            ttl_long: None,
            read: 100,
            write: 1000,
            write_long: None,
            storage: None,
            asked: false,
        };
        let mut draw = 1_u64;
        for turn in 0..3_000_i64 {
            draw = mixed(draw, 7);
            let model = u16::try_from(draw % 3).unwrap();
            let count = (draw >> 8) % 12 + 1;
            let family = (draw >> 16) % 9;
            let blocks: Vec<u64> = (0..count).map(|block| mixed(family, block)).collect();
            let usage = plain(count * 512 - (draw >> 24) % 512);
            if models.contains(&model) {
                let rule = Some(&rule);
                study.call(&Call { rule, ..call(model, turn * 17, &usage, &blocks) });
            }
        }
        study
    }

    #[test]
    fn a_longer_life_never_gives_fewer_hits_and_no_share_is_above_one() {
        let lives = [10, 60, 300, 3600].map(|seconds| Ttl::For(Span::secs(seconds)));
        let hits: Vec<u64> =
            lives.into_iter().chain([Ttl::Infinite]).map(|ttl| ideal(&traffic(ttl, &[0, 1, 2]))).collect();
        assert!(hits.is_sorted() && hits[0] < hits[4], "{hits:?}");
        let all = traffic(Ttl::Infinite, &[0, 1, 2]);
        assert!(all.models().values().all(|sums| sums.ideal <= sums.compared && sums.compared > 0));
        let is_less = |sums: &Sums| sums.ruled > 0 && sums.reachable <= sums.ideal;
        assert!(traffic(Ttl::For(Span::secs(60)), &[0]).models().values().all(is_less));
    }

    #[test]
    fn what_one_model_holds_changes_nothing_for_another() {
        let all = traffic(Ttl::For(Span::mins(5)), &[0, 1, 2]);
        for model in 0..3 {
            let alone = traffic(Ttl::For(Span::mins(5)), &[model]);
            assert_eq!(alone.models().get(&ModelId(model)), all.models().get(&ModelId(model)));
        }
    }

    #[test]
    fn a_prompt_is_read_up_to_the_first_block_that_is_cold_and_never_beyond_its_end() {
        let mut study = Study::new(Ttl::For(Span::mins(5)), 100);
        let (long, short) = (plain(2000), plain(1300));
        study.call(&call(0, 0, &long, &[1, 2, 3, 4]));
        study.call(&call(0, 60, &short, &[1, 2, 9]));
        assert_eq!(ideal(&study), 1024);
        study.call(&call(0, 350, &long, &[1, 2, 3, 4]));
        assert_eq!(ideal(&study), 2048, "what was read lives on, what was not has gone");
        study.call(&call(0, 360, &long, &[1, 2, 3, 4]));
        assert_eq!(ideal(&study), 4048);
    }

    #[test]
    fn without_hashes_the_turn_before_counts_and_without_a_session_nothing_does() {
        let told = |turns: [(i64, u64); 3]| {
            let mut study = Study::new(Ttl::Infinite, 100);
            for (seconds, tokens) in turns {
                study.call(&Call { session: Some(7), ..call(0, seconds, &plain(tokens), &[]) });
            }
            ideal(&study)
        };
        let turns = [(0, 5_000), (10, 6_000), (20, 2_000)];
        assert_eq!(told(turns), 5_000, "a prompt that has become shorter is another one");
        let growing = [(0, 5_000), (10, 6_000), (20, 7_000)];
        assert_eq!(told(growing), 11_000);
        assert_eq!(told([growing[2], growing[1], growing[0]]), 11_000, "whichever the log tells first");
        let mut study = Study::new(Ttl::Infinite, 100);
        study.call(&call(0, 0, &plain(5_000), &[]));
        study.call(&call(0, 1, &Usage::UNKNOWN, &[]));
        let sums = study.models().get(&ModelId(0)).unwrap();
        assert_eq!((sums.unfounded, sums.unknown, sums.compared, sums.prompt), (1, 1, 0, 5_000));
    }

    #[test]
    fn bytes_become_tokens_by_share_and_never_too_many() {
        let ends = [2048, 4096, 6144];
        let by = Ends::Bytes(&ends);
        assert_eq!([0, 1, 2].map(|count| by.tokens(count, 2, 1_500)), [0, 500, 1_000]);
        assert_eq!(by.tokens(900, 900, 1_500), 1_500);
        assert_eq!(Ends::Bytes(&[]).tokens(3, 3, 9), 0);
    }
}
