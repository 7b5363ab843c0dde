//! One call to a model within an operation: as it happened, or as it is estimated to have gone.

use super::habits::ONE;
use super::{Choice, Evidence, Observed, Profiles, Scale, Scales, Seen, Spread, Weather};
use crate::pricing::{Charged, Cost, PriceTable, Rates, Recharge, Terms, Unpriced, Usage, bill, elsewhere};
use crate::routing::{Check, Circumstances, Status};
use crate::units::{Count, Instant, Millis, ModelId, Pico};

/// One call within an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    /// The model billed.
    pub model: ModelId,
    /// Tokens, observed or estimated.
    pub usage: Usage,
    /// What it costs.
    pub cost: Cost,
    /// How long it took; unknown where it was not made.
    pub latency: Millis,
    /// For how many milliseconds nobody was called before it.
    pub waited: u32,
    /// How it ended.
    pub status: Status,
    /// What a check said.
    pub check: Check,
    /// Whether this happened, or is an estimate.
    pub observed: bool,
    /// How far off an estimated cost may be.
    pub spread: Spread,
}

impl Attempt {
    /// Says whether its cost is an estimate: it was not seen, or its model or terms are assumed.
    pub fn is_estimate(&self) -> bool {
        !self.observed || matches!(self.cost, Cost::Estimated(_))
    }
}

impl Attempt {
    /// No call at all: no model may serve the request.
    pub const REFUSED: Self = Self {
        model: ModelId::NONE,
        usage: Usage::NONE,
        cost: Cost::Known(Pico::ZERO),
        latency: Millis::UNKNOWN,
        waited: 0,
        status: Status::Refused,
        check: Check::None,
        observed: true,
        spread: Spread::NONE,
    };
}

/// Everything that an estimate needs besides the evidence.
#[derive(Clone, Copy, Debug)]
pub struct Outlook<'a> {
    /// Prices by model.
    pub prices: &'a PriceTable,
    /// What is known of models' speed and length of answers.
    pub profiles: &'a Profiles,
    /// How things stood when requests arrived.
    pub circumstances: &'a Circumstances,
    /// What a changed world does to the calls of the current request; none where the world is as it was.
    pub weather: Option<&'a Weather>,
}

impl Outlook<'_> {
    /// Writes an observed call as an attempt, as the world is.
    fn seen(&self, seen: Seen<'_>, at: Instant) -> Attempt {
        let Some(weather) = self.weather else { return seen_attempt(seen, at, self.prices) };
        let identity = self.prices.identity(seen.call.model);
        let mut attempt = match weather.changed(identity, seen.call, at, self.prices) {
            None => seen_attempt(seen, at, self.prices),
            Some(call) => {
                let attempt = seen_attempt(Seen { call: &call, terms: seen.terms }, at, self.prices);
                Attempt { cost: attempt.cost.as_estimate(), ..attempt }
            }
        };
        attempt.latency = weather.latency(identity, attempt.latency);
        attempt
    }

    /// Returns the call that fails in place of a model's; none where the world lets it be.
    fn failed(&self, model: ModelId) -> Option<Attempt> {
        let (status, takes) = self.weather?.fails(self.prices.identity(model))?;
        let latency = Millis::new(u64::from(takes));
        Some(Attempt { model, status, latency, observed: false, ..Attempt::REFUSED })
    }
}

/// Writes an observed call as a attempt, billed at its own model: as it was charged, where the log tells.
pub fn seen_attempt(seen: Seen<'_>, at: Instant, prices: &PriceTable) -> Attempt {
    let charged = if prices.reprices() { None } else { seen.call.charged.cost() };
    let cost = charged.unwrap_or_else(|| priced(seen, at, prices));
    let seen = seen.call;
    Attempt {
        model: seen.model,
        usage: seen.usage,
        cost,
        latency: if seen.status.is_call() { seen.latency } else { Millis::UNKNOWN },
        waited: seen.waited,
        status: seen.status,
        check: seen.check,
        observed: true,
        spread: Spread::NONE,
    }
}

/// Says what the given prices make of a call, whatever was charged for it.
pub fn priced(seen: Seen<'_>, at: Instant, prices: &PriceTable) -> Cost {
    let Seen { call: seen, terms } = seen;
    let cost = if !seen.status.is_call() {
        // Nobody was called.
        Cost::Known(Pico::ZERO)
    } else if seen.model.is_some() {
        let billed = if seen.billed.is_some() { seen.billed } else { seen.model };
        bill(&seen.usage, terms, prices.row(billed, at))
    } else {
        // What used nothing costs nothing, whoever was called and in whatever tier.
        match bill(&seen.usage, terms, None) {
            Cost::Unknown(_) => Cost::Unknown(Unpriced::NoModel),
            nothing => nothing,
        }
    };
    let assumes_lifetime = || {
        let billed = if seen.billed.is_some() { seen.billed } else { seen.model };
        let rates = prices.row(billed, at).map(|row| &row.standard);
        rates.is_none_or(|rates| rates.for_prompt(seen.usage.prompt().unwrap_or(0)).write_1h.is_some())
    };
    let is_guess = seen.assumed || (seen.is_lifetime_assumed && assumes_lifetime());
    if is_guess { cost.as_estimate() } else { cost }
}

/// Adds what an operation was charged to the account of such charges.
pub fn recharge(evidence: &Evidence<'_>, prices: &PriceTable, into: &mut Recharge) {
    // Most logs tell no charges, and their operations are many.
    if evidence.operation.served.charged == Charged::NONE && evidence.extra.is_none() {
        return;
    }
    let at = evidence.operation.at;
    into.add(|| {
        evidence.seen().filter_map(|seen| Some((seen.call.charged.cost()?, priced(seen, at, prices))))
    });
}

/// Says what a choice did with this request: every attempt that was made (retries included), or one estimate. The last one
/// decides what follows.
pub fn visit<'a>(
    evidence: &Evidence<'a>,
    choice: Choice<'_>,
    outlook: &Outlook<'a>,
) -> impl Iterator<Item = Attempt> + use<'a> {
    let (at, outlook) = (evidence.operation.at, *outlook);
    let failed = outlook.failed(choice.model);
    let observed = failed.is_none().then(|| evidence.observed(choice, outlook.prices));
    let mut seen = observed.into_iter().flatten().peekable();
    let estimate =
        seen.peek().is_none().then(|| failed.unwrap_or_else(|| on_model(evidence, choice, &outlook)));
    let warm = choice.warm;
    seen.map(move |seen| match warm {
        None => outlook.seen(seen, at),
        Some(warm) => {
            let rates = outlook.prices.rates(seen.call.model, at);
            let usage = rewarmed(seen.call.usage, warm, rates);
            let call = Observed { usage, charged: Charged::NONE, ..*seen.call };
            let attempt = outlook.seen(Seen { call: &call, terms: seen.terms }, at);
            Attempt { cost: attempt.cost.as_estimate(), ..attempt }
        }
    })
    .chain(estimate)
}

/// Returns the tokens of a call of whose prompt so many are warm: those are read; the rest is written, where its model has prices
/// of writes, or sent as it is.
fn rewarmed(usage: Usage, warm: u32, rates: Option<&Rates>) -> Usage {
    let Some(prompt) = usage.prompt() else { return usage };
    let read = u64::from(warm).min(prompt);
    let count = |tokens| Count::new(tokens).unwrap_or(Count::UNKNOWN);
    let mut usage = Usage {
        input: Count::ZERO,
        cache_read: count(read),
        write_5m: Count::ZERO,
        write_1h: Count::ZERO,
        ..usage
    };
    let writes = rates.is_some_and(|rates| rates.base.prices_writes());
    *(if writes { &mut usage.write_5m } else { &mut usage.input }) = count(prompt - read);
    usage
}

/// Says what the model that the client named made of its request: all that happened, where that model was called or the
/// log does not say which one was; else an estimate.
pub fn calls<'a>(
    evidence: &Evidence<'a>,
    asked: ModelId,
    outlook: &Outlook<'a>,
) -> impl Iterator<Item = Attempt> + use<'a> {
    let (at, prices, outlook) = (evidence.operation.at, outlook.prices, *outlook);
    // What turned it away then, before any model was chosen, does not do so now.
    let is_refused = |seen: Seen<'_>| seen.call.status == Status::Refused && !seen.call.model.is_some();
    let is_own = |seen: Seen<'_>| {
        !is_refused(seen) && (!seen.call.status.is_call() || prices.same(seen.call.model, asked))
    };
    let failed = outlook.failed(asked);
    let happened = failed.is_none() && (!asked.is_some() || evidence.seen().any(is_own));
    let seen = happened.then(|| evidence.seen()).into_iter().flatten();
    let estimate =
        (!happened).then(|| failed.unwrap_or_else(|| on_model(evidence, Choice::plain(asked), &outlook)));
    seen.map(move |seen| outlook.seen(seen, at)).chain(estimate)
}

/// Says how a call ended, or is estimated to have ended, with this request; of several attempts the last.
///
/// Estimated: the tokens of the answer there is, prompt and answer scaled as the two models' lengths in this class of work show
/// (the answer as a label measured it, where one did; no more than the rung allows), latency from the model's profile, no failure.
pub fn on_model(evidence: &Evidence<'_>, choice: Choice<'_>, outlook: &Outlook<'_>) -> Attempt {
    let at = evidence.operation.at;
    let Choice { model, with, warm } = choice;
    let row = outlook.prices.row(model, at);
    let rates = row.map(|row| &row.standard);
    let identity = outlook.prices.identity(model);
    if let Some(seen) = evidence.observed(choice, outlook.prices).last() {
        return outlook.seen(seen, at);
    }
    // Where nobody could be called, as the log says, neither could this one that it names: that was seen, and is no estimate.
    let circumstance = || outlook.circumstances.get(evidence.operation.circumstance);
    if outlook.weather.is_none()
        && evidence.operation.served.status == Status::Unavailable
        && evidence.attempts().all(|attempt| !attempt.status.is_call())
        && (circumstance().is_down(model) || circumstance().is_down_as(identity))
    {
        return Attempt { model, status: Status::Unavailable, ..Attempt::REFUSED };
    }
    let basis = evidence.basis();
    let scales = basis.map_or(Scales::SAME, |basis| {
        let from = outlook.prices.identity(basis.call.model);
        outlook.profiles.scales(from, identity, evidence.operation.class)
    });
    let mut usage = basis.map_or(Usage::UNKNOWN, |basis| scales.apply(&basis.call.usage));
    let label = evidence.label(model, outlook.prices);
    let measured = label.and_then(|label| label.output).and_then(|output| Count::new(u64::from(output)));
    if let Some(output) = measured {
        usage.output = output;
    }
    if let Some(most) = with.max_output.and_then(|most| Count::new(u64::from(most)))
        && usage.output.get() > most.get()
    {
        usage.output = most;
    }
    if let Some(warm) = warm {
        usage = rewarmed(usage, warm, rates);
    }
    if let Some(weather) = outlook.weather {
        usage = weather.usage(identity, usage, at, outlook.prices);
    }
    let terms = basis.map_or(&Terms::NONE, |basis| basis.terms);
    let cost = match &with.service_tier {
        None => elsewhere(&usage, terms, row),
        Some(tier) => bill(&usage, &terms.with_tier(tier), row),
    };
    // Fees are what they are: tokens alone may be other ones.
    let of_tokens = if terms.is_none() { cost } else { elsewhere(&usage, &Terms::NONE, row) };
    let spread = match (rates, of_tokens.amount()) {
        (Some(rates), Some(amount)) => {
            spread_of(&usage, (rates, amount), scales, (identity, measured.is_some()), outlook)
        }
        _ => Spread::NONE,
    };
    let latency = outlook.profiles.latency(identity, usage.output);
    Attempt {
        model,
        usage,
        cost: cost.as_estimate(),
        latency: outlook.weather.map_or(latency, |weather| weather.latency(identity, latency)),
        waited: 0,
        status: Status::Ok,
        check: Check::None,
        observed: false,
        spread,
    }
}

/// Says how far off an estimated cost may be: by chance as prompts and answers of a model spread, by habit as the scales are unsure.
pub fn spread_of(
    usage: &Usage,
    (rates, amount): (&Rates, Pico),
    scales: Scales,
    (model, is_measured): (ModelId, bool),
    outlook: &Outlook<'_>,
) -> Spread {
    let (Some(prompt), Some(output)) = (usage.prompt(), usage.output.get()) else { return Spread::NONE };
    let price = rates.for_prompt(prompt).output;
    let answered = price.charge(output).0.min(amount.0);
    let asked = amount.0 - answered;
    let by_prompt = outlook.profiles.prompt_spread(model, scales.prompt, prompt);
    let by_prompt = asked.saturating_mul(i128::from(by_prompt)) / i128::from(prompt.max(1));
    let by_answer = if is_measured { 0 } else { price.charge(outlook.profiles.output_spread(model)).0 };
    let unsure = |amount: i128, scale: Scale| amount.saturating_mul(scale.deviation) / ONE;
    let answer = if is_measured { 0 } else { unsure(answered, scales.answer) };
    Spread {
        chance: by_prompt.saturating_mul(by_prompt).saturating_add(by_answer.saturating_mul(by_answer)),
        habit: unsure(asked, scales.prompt).saturating_add(answer),
    }
}
