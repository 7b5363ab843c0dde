//! Models of the price book that nobody uses and that would cost less, each with what is known of its answers.
//!
//! Invariant: nothing is said of a model's quality but what labels show beside the model it would replace.

use std::collections::{BTreeMap, BTreeSet};

use super::Log;
use crate::calibration::special::clopper_pearson;
use crate::certificate::{Label, Loss, needed};
use crate::classifier::TaskClass;
use crate::outcome::{Scales, Spread};
use crate::pricing::{ModelPrices, Rates};
use crate::units::{Instant, ModelId, PerMille, Pico};

/// What is asked of answers.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The most loss beside the model in use.
    pub epsilon: f64,
    /// The chance that this is wrong.
    pub delta: f64,
    /// What counts as loss.
    pub loss: Loss,
    /// Since when prices are news; the start of the log where not said.
    pub since: Option<Instant>,
}

/// What labels say of a model beside the one in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// It loses at most epsilon.
    Proven,
    /// It loses more than epsilon.
    Worse,
    /// Nobody can say: so many more judged pairs are needed at least.
    Unknown(Option<u64>),
}

/// A model that would cost less.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its name in the price book.
    pub model: String,
    /// The same tokens at its prices.
    pub cost: Pico,
    /// Half the width of a 95% interval of that: wide, for nobody has seen what it reads and writes.
    pub error: Pico,
    /// What labels say of it.
    pub verdict: Verdict,
    /// Requests of which both answers were judged.
    pub pairs: u64,
    /// Of those, lost.
    pub lost: u64,
    /// What the loss stays below, but for a chance of delta.
    pub bound: f64,
}

/// A model in use, and what would cost less.
#[derive(Clone, Debug, PartialEq)]
pub struct InUse {
    /// Its name.
    pub model: String,
    /// Calls whose tokens are known.
    pub calls: u64,
    /// Their tokens at its own prices.
    pub cost: Pico,
    /// From when on it is no longer served, as the book says.
    pub deprecated: Option<String>,
    /// Models that nobody uses and that cost less, the proven ones first, then by cost.
    pub candidates: Vec<Candidate>,
}

/// A price that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceNews {
    /// The model.
    pub model: String,
    /// From when on.
    pub at: Instant,
    /// What all the log's tokens on it cost more at the new price; none for a model that is new.
    pub change: Option<Pico>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advice {
    /// Models in use, the most expensive first.
    pub models: Vec<InUse>,
    /// Prices that changed, and models that came.
    pub news: Vec<PriceNews>,
}

/// Tokens of calls of about one length.
#[derive(Clone, Copy, Default)]
struct Tokens {
    calls: u64,
    prompt: u64,
    input: u64,
    cache_read: u64,
    write_5m: u64,
    write_1h: u64,
    output: u64,
}

#[derive(Default)]
struct Use {
    by_length: BTreeMap<u32, Tokens>,
    longest: u64,
    /// Judged beside others, by the other model: pairs and losses.
    beside: BTreeMap<ModelId, (u64, u64)>,
}

impl Use {
    fn cost(&self, rates: &Rates) -> Pico {
        let [asked, answered] = self.costs(rates);
        asked + answered
    }

    /// Returns what prompts and answers cost.
    fn costs(&self, rates: &Rates) -> [Pico; 2] {
        let of = |tokens: &Tokens| {
            let tier = rates.for_prompt(tokens.prompt / tokens.calls.max(1));
            let or_input_price = |price: Option<_>| price.unwrap_or(tier.input);
            let asked = tier.input.charge(tokens.input)
                + or_input_price(tier.cache_read).charge(tokens.cache_read)
                + or_input_price(tier.write_5m).charge(tokens.write_5m)
                + or_input_price(tier.write_1h).charge(tokens.write_1h);
            [asked, tier.output.charge(tokens.output)]
        };
        self.by_length.values().map(of).fold([Pico::ZERO; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]])
    }

    /// Returns half the width of a 95% interval of what a model costs instead that reads and writes other lengths by habit.
    fn error(&self, rates: &Rates, scales: Scales) -> Pico {
        let unsure = self.costs(rates).into_iter().zip([scales.prompt, scales.answer]);
        let habit = unsure.map(|(cost, scale)| cost.ratio(scale.deviation, Scales::ONE)).sum::<Pico>().0;
        Spread { habit, ..Spread::NONE }.half_width()
    }
}

/// Looks for models that would cost less.
pub fn advise(log: &Log, asked: &Asked) -> Advice {
    let (mut uses, mut end) = (BTreeMap::<ModelId, Use>::new(), Instant(i64::MIN));
    let mut labelled = BTreeSet::new();
    for (_, recalled) in log.history.range(log.history.start(), log.history.len()) {
        let evidence = recalled.evidence();
        end = end.max(evidence.operation.at);
        for call in evidence.attempts() {
            let (usage, model) = (&call.usage, log.prices.identity(call.model));
            let (Some(prompt), Some(output)) = (usage.prompt(), usage.output.get()) else { continue };
            let of = uses.entry(model).or_default();
            of.longest = of.longest.max(prompt);
            let tokens = of.by_length.entry(prompt.checked_ilog2().unwrap_or(0)).or_default();
            tokens.calls += 1;
            tokens.prompt += prompt;
            tokens.input += usage.input.or_zero();
            tokens.cache_read += usage.cache_read.or_zero();
            tokens.write_5m += usage.write_5m.or_zero();
            tokens.write_1h += usage.write_1h.or_zero();
            tokens.output += output;
        }
        let labels = evidence.extra.map_or(&[][..], |extra| extra.labels.as_slice());
        let served = log.prices.identity(evidence.operation.served.model);
        let quality = |model| evidence.label(model, &log.prices).and_then(|label| label.quality);
        let Some(strong) = quality(served) else { continue };
        let judged: BTreeSet<ModelId> = labels.iter().map(|label| log.prices.identity(label.model)).collect();
        for other in judged {
            let Some(cheap) = quality(other).filter(|_| other != served) else { continue };
            labelled.insert(other);
            let (pairs, lost) = uses.entry(served).or_default().beside.entry(other).or_default();
            *pairs += 1;
            let label = Label::fair(PerMille::ONE, cheap, strong);
            *lost += u64::from(asked.loss.of(&label) > PerMille::ZERO);
        }
    }
    let is_used = |name: &str| {
        let id = log.names.find_model(name).map(|id| log.prices.identity(id));
        id.is_some_and(|id| uses.get(&id).is_some_and(|used| !used.by_length.is_empty()))
    };
    let unused: Vec<(&String, &ModelPrices)> =
        log.catalog.models.iter().filter(|(name, _)| !is_used(name)).collect();
    let mut models = Vec::new();
    for (&id, used) in uses.iter().filter(|(_, used)| !used.by_length.is_empty()) {
        // What it costs in hours of their own is no price for all of a log.
        let Some(row) = log.prices.dated(id, end) else { continue };
        let cost = used.cost(&row.standard);
        let cheaper = unused.iter().filter_map(|(name, prices)| {
            let is_too_short = prices.max_input.is_some_and(|most| most < used.longest);
            let rates = &prices.dated(end)?.standard;
            // What has no price for answers gives none (embeddings), or somebody else pays.
            let is_priced = rates.base.input.0 > 0 && rates.base.output.0 > 0;
            let is_gone = prices.deprecated.as_ref().is_some_and(|day| *day <= end.to_string());
            let there = used.cost(rates);
            if is_too_short || !is_priced || is_gone || there >= cost {
                return None;
            }
            let other = log.names.find_model(name).map(|id| log.prices.identity(id));
            let (pairs, lost) = other.and_then(|other| used.beside.get(&other)).copied().unwrap_or_default();
            let scales = log.profiles.scales(id, other.unwrap_or(ModelId::NONE), TaskClass::Other);
            let error = used.error(rates, scales);
            Some(Candidate { error, ..candidate(name, there, (pairs, lost), asked) })
        });
        let mut candidates: Vec<Candidate> = cheaper.collect();
        let rank = |verdict: Verdict| match verdict {
            Verdict::Proven => 0,
            Verdict::Unknown(_) => 1,
            Verdict::Worse => 2,
        };
        crate::units::sort_by(&mut candidates, |a, b| {
            (rank(a.verdict), a.cost, &a.model).cmp(&(rank(b.verdict), b.cost, &b.model))
        });
        let name = log.names.model(id).to_owned();
        let deprecated = log.catalog.find(&name).and_then(|prices| prices.deprecated.clone());
        let calls = used.by_length.values().map(|tokens| tokens.calls).sum();
        models.push(InUse { model: name, calls, cost, deprecated, candidates });
    }
    crate::units::sort_by(&mut models, |a, b| b.cost.cmp(&a.cost).then_with(|| a.model.cmp(&b.model)));
    Advice { models, news: news(log, &uses, asked) }
}

fn candidate(name: &str, cost: Pico, (pairs, lost): (u64, u64), asked: &Asked) -> Candidate {
    let bound = clopper_pearson(lost, pairs, asked.delta);
    // The other end: so many losses or more by luck, were the true loss epsilon.
    let is_worse = pairs > 0
        && lost > 0
        && 1.0 - crate::calibration::special::binomial_at_most(lost - 1, pairs, asked.epsilon) <= asked.delta;
    let verdict = match bound <= asked.epsilon {
        true => Verdict::Proven,
        false if is_worse => Verdict::Worse,
        false => Verdict::Unknown(needed(lost, pairs, asked.epsilon, asked.delta)),
    };
    Candidate { model: name.to_owned(), cost, error: Pico::ZERO, verdict, pairs, lost, bound }
}

/// Lists what changed in the price book and the log since a moment.
fn news(log: &Log, uses: &BTreeMap<ModelId, Use>, asked: &Asked) -> Vec<PriceNews> {
    let since = asked.since.or_else(|| log.bounds().map(|(first, _)| first));
    let mut news = Vec::new();
    let Some(since) = since else { return news };
    for (&id, used) in uses.iter().filter(|(_, used)| !used.by_length.is_empty()) {
        for row in log.prices.rows(id) {
            let Some(at) = row.from.filter(|from| *from >= since) else { continue };
            let before = log.prices.rows(id).iter().rev().find(|old| old.from < row.from);
            let change = before.map(|old| used.cost(&row.standard) - used.cost(&old.standard));
            news.push(PriceNews { model: log.names.model(id).to_owned(), at, change });
        }
    }
    for (name, prices) in &log.catalog.models {
        let first = prices.rows.iter().filter_map(|row| row.from).min();
        let is_dated = prices.rows.iter().all(|row| row.from.is_some());
        if let Some(at) = first.filter(|at| is_dated && *at >= since)
            && news.iter().all(|known| known.model != *name)
        {
            news.push(PriceNews { model: name.clone(), at, change: None });
        }
    }
    crate::units::sort_by(&mut news, |a, b| (a.at, &a.model).cmp(&(b.at, &b.model)));
    news
}
