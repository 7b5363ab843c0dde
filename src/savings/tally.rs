//! The sums of savings, request by request, against one baseline.

use std::collections::BTreeMap;

use super::interval::Interval;
use super::warm::Warm;
use crate::outcome::{Attempt, Evidence, Outlook, Settled, Spread, spread_of};
use crate::pricing::{CostSum, PriceTable, Terms, Usage, elsewhere};
use crate::routing::Policy;
use crate::units::{Count, Instant, ModelId, Pico, RouteTag};

/// What traffic is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Against {
    /// One model that does everything.
    Model(ModelId),
    /// The rung of each route that would have cost most.
    #[default]
    MostExpensive,
}

/// What a figure of savings rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// What calls cost that the log has.
    Known(Pico),
    /// Worked out.
    Estimated(Pico),
    /// Nobody can say, and why.
    Unknown(&'static str),
    /// There is none of it, and why.
    Absent(&'static str),
}

impl Line {
    /// Returns the amount where there is one.
    pub fn amount(self) -> Option<Pico> {
        match self {
            Self::Known(amount) | Self::Estimated(amount) => Some(amount),
            Self::Unknown(_) | Self::Absent(_) => None,
        }
    }
}

/// The sums beside one baseline model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    requests: u64,
    baseline: Pico,
    answers: Pico,
    escalation: Pico,
    retries: Pico,
    cache: Pico,
    /// Whether any of answers, escalation and retries is estimated.
    estimated: [bool; 3],
    spread: Spread,
    /// Estimates whose error is not known.
    unspread: u64,
}

impl Sums {
    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.baseline += other.baseline;
        self.answers += other.answers;
        self.escalation += other.escalation;
        self.retries += other.retries;
        self.cache += other.cache;
        for (all, one) in self.estimated.iter_mut().zip(other.estimated) {
            *all |= one;
        }
        self.spread.add(other.spread);
        self.unspread += other.unspread;
    }
}

/// A route's sums: of requests that stay with the model that their client named, and beside each baseline.
#[derive(Clone, Debug, Default)]
struct OfRoute {
    named: Sums,
    beside: BTreeMap<ModelId, Sums>,
}

/// Adds savings up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    against: Against,
    routes: BTreeMap<RouteTag, OfRoute>,
    warm: Warm,
    requests: u64,
    spend: CostSum,
    shadow: CostSum,
    shadow_calls: u64,
    judged: u64,
    second: (u64, CostSum),
    beside: (u64, CostSum),
}

/// What was saved, and what that figure stands on.
#[derive(Clone, Debug, PartialEq)]
pub struct Savings {
    /// All requests.
    pub requests: u64,
    /// What all of them cost.
    pub spend: CostSum,
    /// Those with a cost and a baseline.
    pub compared: u64,
    /// What those cost.
    pub spend_compared: Pico,
    /// What they would have cost on the baseline.
    pub baseline: Pico,
    /// What the calls cost that answered them.
    pub answers: Pico,
    /// Whether any of that is estimated.
    pub is_estimated: bool,
    /// What it cost to come by those answers, by name; each is taken off.
    pub lines: Vec<(&'static str, Line)>,
    /// What was saved: the baseline less the answers less the lines.
    pub net: Pico,
    /// Where that lies, by the lengths of answers that nobody saw; none where how those spread is not known.
    pub interval: Option<Interval>,
    /// The models of the baseline, by route; one under no route where it is one for all.
    pub models: Vec<(RouteTag, ModelId)>,
    /// Calls of shadow runs: those on the books, their judge's among them; else those that labels tell of.
    pub shadow_calls: u64,
    /// Calls that classified a request a second time.
    pub second_calls: u64,
}

impl Savings {
    /// Returns what the answers alone saved, before anything is taken off.
    pub fn gross(&self) -> Pico {
        self.baseline - self.answers
    }
}

impl Tally {
    /// Starts with nothing.
    pub fn new(against: Against) -> Self {
        Self { against, ..Self::default() }
    }

    /// Adds a settled operation, in order of arrival.
    pub fn add(
        &mut self,
        evidence: &Evidence<'_>,
        settled: &Settled,
        policy: &Policy,
        outlook: &Outlook<'_>,
    ) {
        if evidence.is_nobodys_money(settled) {
            return;
        }
        self.requests += 1;
        // What was made up in a provider's place is nobody's money, and was not saved either.
        let is_paid = |call: &&Attempt| !evidence.stands_in(call.model);
        self.spend.add_operation(settled.attempts.iter().filter(is_paid).map(|call| call.cost));
        if !settled.attempts.iter().all(|call| is_paid(&call)) {
            return;
        }
        self.judge(evidence, settled, outlook.prices);
        let Some(last) = settled.attempts.last() else { return };
        let operation = evidence.operation;
        let lost = self.warm.call(operation.session, operation.at, last, outlook.prices);
        let (Some(whole), Some(answer)) = (settled.cost.amount(), last.cost.amount()) else { return };
        let before = settled.attempts.iter().rev().skip(1);
        let again = before.filter(|call| outlook.prices.same(call.model, last.model));
        let retries: Pico = again.filter_map(|call| call.cost.amount()).sum();
        let mut estimated = [last.is_estimate(), false, false];
        for call in settled.attempts.iter().rev().skip(1).filter(|call| call.is_estimate()) {
            estimated[if outlook.prices.same(call.model, last.model) { 2 } else { 1 }] = true;
        }
        let mut spread = Spread::NONE;
        settled.attempts.iter().for_each(|call| spread.add(call.spread));
        let own = Sums {
            requests: 1,
            baseline: answer,
            answers: answer,
            escalation: whole - answer - retries,
            retries,
            estimated,
            spread,
            ..Sums::default()
        };
        let route = policy.route(settled.route);
        let sums = self.routes.entry(settled.tag).or_default();
        if self.against == Against::MostExpensive && route.serves_as_named(&operation.signals()) {
            sums.named.merge(&own);
            return;
        }
        let mut beside = |model: ModelId| {
            let Some(found) = on(model, evidence, last, lost, outlook) else { return };
            let mut spread = own.spread;
            spread.add(found.spread);
            let one = Sums {
                baseline: found.cost,
                cache: found.cache,
                spread,
                unspread: u64::from(found.unspread),
                ..own
            };
            sums.beside.entry(outlook.prices.identity(model)).or_default().merge(&one);
        };
        match self.against {
            Against::Model(model) => beside(model),
            Against::MostExpensive => {
                // Nobody would have had all of the traffic on the model that steps in where no other can be called.
                let rungs = || route.ladder.iter().filter(|rung| !rung.fallback);
                for (at, rung) in rungs().enumerate() {
                    // Rungs of one model are one baseline.
                    let same = |other: &crate::routing::Rung| outlook.prices.same(other.model, rung.model);
                    if !rungs().take(at).any(same) {
                        beside(rung.model);
                    }
                }
            }
        }
    }

    /// Counts what labels tell of: calls made beside the traffic, and judgements.
    fn judge(&mut self, evidence: &Evidence<'_>, settled: &Settled, prices: &PriceTable) {
        let at = evidence.operation.at;
        for label in evidence.extra.map_or(&[][..], |extra| extra.labels.as_slice()) {
            self.judged += u64::from(label.quality.is_some());
            let called = evidence.attempts().map(|call| call.model);
            let mut called = called.chain(settled.attempts.iter().map(|call| call.model));
            let Some(output) = label.output.filter(|_| !called.any(|model| prices.same(model, label.model)))
            else {
                continue;
            };
            let basis = evidence.basis();
            let usage =
                Usage { output: length(output), ..basis.map_or(Usage::UNKNOWN, |basis| basis.call.usage) };
            let terms = basis.map_or(&Terms::NONE, |basis| basis.terms);
            self.shadow_calls += 1;
            self.shadow.add(elsewhere(&usage, terms, prices.row(label.model, at)));
        }
    }

    /// Ends it.
    pub fn end(self) -> Savings {
        let mut all = Sums::default();
        let mut models = Vec::new();
        for (tag, route) in &self.routes {
            all.merge(&route.named);
            // The first of those that cost the same.
            let most_expensive = route.beside.iter().rev().max_by_key(|(_, sums)| sums.baseline);
            if let Some((model, sums)) = most_expensive {
                all.merge(sums);
                let tag = if self.against == Against::MostExpensive { *tag } else { RouteTag::NONE };
                models.push((tag, *model));
            }
        }
        models.dedup();
        let lines = self.lines(&all);
        let taken: Pico = lines.iter().filter_map(|(_, line)| line.amount()).sum();
        let net = all.baseline - all.answers - taken;
        Savings {
            requests: self.requests,
            spend: self.spend,
            compared: all.requests,
            spend_compared: all.answers + all.escalation + all.retries,
            baseline: all.baseline,
            answers: all.answers,
            is_estimated: all.estimated[0],
            lines,
            net,
            interval: (all.unspread == 0 && all.requests > 0)
                .then(|| Interval::around(net, all.spread.half_width())),
            models,
            shadow_calls: if self.beside.0 > 0 { self.beside.0 } else { self.shadow_calls },
            second_calls: self.second.0,
        }
    }

    /// Takes what it cost to classify requests a second time: so many calls.
    pub fn classified_again(&mut self, calls: u64, cost: &CostSum) {
        self.second.0 += calls;
        self.second.1 += cost;
    }

    /// Takes what shadow runs cost, their judge's calls among them, where the log has those calls: labels are then not asked.
    pub fn ran_beside(&mut self, calls: u64, cost: &CostSum) {
        self.beside.0 += calls;
        self.beside.1 += cost;
    }

    fn lines(&self, all: &Sums) -> Vec<(&'static str, Line)> {
        let cache = if self.warm.named == 0 {
            Line::Unknown("no session is named")
        } else if self.warm.caches {
            Line::Estimated(all.cache)
        } else {
            Line::Absent("nothing is cached here")
        };
        let shadow = if self.beside.0 > 0 {
            booked(&self.beside.1, "calls of shadow runs have no price")
        } else if self.shadow_calls == 0 {
            Line::Absent("no label tells of any")
        } else if self.shadow.is_unknown() {
            Line::Unknown("models called have no price")
        } else {
            Line::Estimated(self.shadow.total())
        };
        let judge = match self.judged {
            _ if self.beside.0 > 0 => Line::Absent("its calls are in the line shadow"),
            0 => Line::Absent("nothing was judged"),
            _ => Line::Unknown("labels do not tell its cost"),
        };
        let classifier = match &self.second {
            (0, _) => Line::Absent("built in, it makes no call"),
            (_, cost) => booked(cost, "the second stage's calls have no price"),
        };
        vec![
            ("escalation", line(all.escalation, all.estimated[1])),
            ("retries", line(all.retries, all.estimated[2])),
            ("cache_loss", cache),
            ("shadow", shadow),
            ("judge", judge),
            ("classifier", classifier),
        ]
    }
}

fn line(amount: Pico, is_estimated: bool) -> Line {
    if is_estimated { Line::Estimated(amount) } else { Line::Known(amount) }
}

/// Says what calls on the books came to.
fn booked(cost: &CostSum, why: &'static str) -> Line {
    match cost {
        // Where one call has no price, the sum of the others is no answer.
        _ if cost.unknown > 0 => Line::Unknown(why),
        _ if cost.estimated == Pico::ZERO => Line::Known(cost.known),
        _ => Line::Estimated(cost.total()),
    }
}

fn length(output: u32) -> Count {
    Count::new(u64::from(output)).unwrap_or(Count::UNKNOWN)
}

struct Beside {
    cost: Pico,
    cache: Pico,
    spread: Spread,
    unspread: bool,
}

/// Says what a request would have cost on a model: the tokens of its answer at that model's prices, with the length that a label
/// measured where one did. A failure would have cost what it cost.
fn on(
    model: ModelId,
    evidence: &Evidence<'_>,
    last: &Attempt,
    lost: u64,
    outlook: &Outlook<'_>,
) -> Option<Beside> {
    let prices = outlook.prices;
    let at: Instant = evidence.operation.at;
    let rates = prices.rates(model, at);
    // Tokens that were sent anew are in the prompt at the full price; one model throughout would have read them from its cache.
    let cache = |usage: &Usage| {
        let tier = rates.map(|rates| rates.for_prompt(usage.prompt().unwrap_or(0)));
        let saves = tier.and_then(|tier| Some(tier.input.charge(lost) - tier.cache_read?.charge(lost)));
        Pico(saves.unwrap_or(Pico::ZERO).0.max(0))
    };
    if prices.same(last.model, model) || !last.status.is_ok() {
        let (cost, ok) = (last.cost.amount()?, last.status.is_ok());
        let cache = if ok { cache(&last.usage) } else { Pico::ZERO };
        return Some(Beside { cost, cache, spread: Spread::NONE, unspread: false });
    }
    let rates = rates?;
    let measured = evidence.label(model, prices).and_then(|label| label.output);
    let usage = match measured {
        Some(output) => Usage { output: length(output), reasoning: Count::UNKNOWN, ..last.usage },
        None => last.usage,
    };
    let row = prices.row(model, at);
    let terms = evidence.terms(last.model);
    let cost = elsewhere(&usage, terms, row).amount()?;
    let of_tokens = if terms.is_none() { cost } else { elsewhere(&usage, &Terms::NONE, row).amount()? };
    let (from, to) = (prices.identity(last.model), prices.identity(model));
    let scales = outlook.profiles.scales(from, to, evidence.operation.class);
    let spread = spread_of(&usage, (rates, of_tokens), scales, (to, measured.is_some()), outlook);
    let unspread = measured.is_none() && outlook.profiles.output_spread(to) == 0;
    Some(Beside { cost, cache: cache(&usage), spread, unspread })
}
