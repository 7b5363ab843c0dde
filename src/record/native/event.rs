//! Lines of our format that are no requests: the header, price changes and notes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::budgets::BudgetFiles;
use super::line::LabelKeys;
use super::request;
use crate::checks::{CheckSpec, CheckWhen};
use crate::pricing::{Charged, Hours, HoursError, PriceRow, Rates, Tier, thousandths};
use crate::record::json::{self, Num, Text};
use crate::record::skip::Refusal;
use crate::record::{Correction, Entry, LateLabel, PolicyChange, PriceChange, Signal, Under};
use crate::routing::{
    AdaptSpec, Caching, CanarySpec, Effort, ExploreSpec, FactsSpec, Mode, Parameters, Policy, PolicySpec,
    RouteSpec, RungSpec, StreamLimits, WhenFailed, WhenFull,
};
use crate::units::{Instant, Names, PicoPerMillion};

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u64 = 2;

/// The first line of a log in our format.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Where the traffic comes from, for people.
    pub source: String,
    /// What in the log is synthetic, one name each; empty for real traffic.
    pub simulated: Vec<String>,
    /// The files of budgets that the traffic was under, as written; empty where not told.
    pub budgets: BudgetFiles,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HeaderMark {
    pointsman: Option<String>,
    v: Num,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HeaderKeys {
    source: Option<String>,
    simulated: Option<Vec<String>>,
    budgets: Option<String>,
    budget_changes: Option<Vec<BudgetKeys>>,
}

/// A file of budgets that replaced another.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BudgetKeys {
    at: String,
    text: String,
}

fn budgets(keys: &mut HeaderKeys) -> Result<BudgetFiles, Refusal> {
    let mut later = Vec::new();
    for BudgetKeys { at, text } in keys.budget_changes.take().unwrap_or_default() {
        let at = Instant::parse(&at).map_err(|error| Refusal::Bad(format!("budget_changes: at: {error}")))?;
        later.push((at, text));
    }
    crate::units::sort_by_key(&mut later, |(at, _)| *at);
    Ok(BudgetFiles { first: keys.budgets.take().unwrap_or_default(), later })
}

/// Reads a header line; `None` where the line is something else.
pub(crate) fn header(text: &str) -> Option<Result<Header, Refusal>> {
    let mark: HeaderMark = json::read(text).ok()?;
    mark.pointsman?;
    Some(match mark.v.0 {
        Some(0) | None => Err(Refusal::bad("v: missing; a header says which version of the format follows")),
        Some(v) if v > VERSION => Err(Refusal::Bad(format!(
            "v: the log has version {v} of the format, this program reads up to {VERSION}"
        ))),
        Some(_) => json::read(text).map_err(Refusal::Bad).and_then(|mut keys: HeaderKeys| {
            Ok(Header {
                budgets: budgets(&mut keys)?,
                source: keys.source.unwrap_or_default(),
                simulated: keys.simulated.unwrap_or_default(),
            })
        }),
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EventKeys<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    at: Text<'a>,
    #[serde(borrow)]
    down_until: Text<'a>,
    #[serde(borrow)]
    why: Text<'a>,
    #[serde(borrow)]
    model: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    source: Option<String>,
    #[serde(flatten, borrow)]
    base: TierKeys<'a>,
    above: Option<Vec<AboveKeys<'a>>>,
    batch: Option<RatesKeys<'a>>,
    tiers: Option<BTreeMap<String, RatesKeys<'a>>>,
    #[serde(borrow)]
    meters: Option<BTreeMap<String, Text<'a>>>,
    #[serde(borrow)]
    factors: Option<BTreeMap<String, Text<'a>>>,
    hours: Option<Vec<HoursKeys>>,
    simulated: Option<bool>,
}

/// The prices of a tier, in the order of [`Tier::PRICES`].
#[derive(Debug, Default)]
struct TierKeys<'a>([Text<'a>; Tier::PRICES.len()]);

impl<'de: 'a, 'a> Deserialize<'de> for TierKeys<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Prices;
        impl<'de> Visitor<'de> for Prices {
            type Value = TierKeys<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("prices")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut keys = TierKeys::default();
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    let named = Tier::PRICES.iter().zip(&mut keys.0).find(|(name, _)| **name == key.0);
                    match named {
                        Some((_, price)) => *price = map.next_value()?,
                        None => _ = map.next_value::<IgnoredAny>()?,
                    }
                }
                Ok(keys)
            }
        }
        deserializer.deserialize_map(Prices)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AboveKeys<'a> {
    prompt: Num,
    #[serde(flatten, borrow)]
    tier: TierKeys<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RatesKeys<'a> {
    #[serde(flatten, borrow)]
    base: TierKeys<'a>,
    above: Option<Vec<AboveKeys<'a>>>,
}

/// Hours in which a price is another.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HoursKeys {
    utc: String,
    days: String,
    times: String,
}

fn scheduled(row: PriceRow, hours: Vec<HoursKeys>) -> Result<PriceRow, Refusal> {
    let refused = |error: HoursError| Refusal::Bad(format!("hours: {error}"));
    let hours = hours.into_iter().map(|keys| {
        let times = thousandths(&keys.times)
            .ok_or_else(|| Refusal::Bad(format!("hours: times: `{}` is no factor", keys.times)))?;
        Ok((Hours::parse(&keys.utc, &keys.days).map_err(refused)?, times))
    });
    row.schedule(hours.collect::<Result<_, Refusal>>()?).map_err(refused)
}

/// The key that makes a line an event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Kind<'a> {
    #[serde(borrow)]
    event: Option<Text<'a>>,
}

/// What a line is that is no request.
#[expect(clippy::large_enum_variant, reason = "passed on at once, and rare")]
pub(super) enum Special<'a> {
    /// The header, which is no entry.
    Header,
    /// A price change, a policy or a note.
    Event(Entry<'a>),
    /// Neither.
    Not,
}

/// Reads a header or an event.
pub(super) fn parse(text: &str) -> Result<Special<'_>, Refusal> {
    if let Some(header) = header(text) {
        return header.map(|_| Special::Header);
    }
    // A line that is not even JSON is explained by the caller, who has read it as a request.
    match json::read::<Kind<'_>>(text) {
        Ok(Kind { event: Some(_) }) => {}
        _ => return Ok(Special::Not),
    }
    let keys: EventKeys<'_> = json::read(text).map_err(Refusal::Bad)?;
    let at = match &*keys.at.0 {
        "" => None,
        text => Some(Instant::parse(text).map_err(|error| Refusal::Bad(format!("at: {error}")))?),
    };
    let simulated = keys.simulated.unwrap_or(false);
    match &*keys.event.0 {
        "note" => {
            let at = at.ok_or_else(|| Refusal::bad("at: missing; a note needs its moment"))?;
            Ok(Special::Event(Entry::Note { at, text: or_empty(keys.text), simulated }))
        }
        "price" => {
            if keys.model.0.is_empty() {
                return Err(Refusal::bad("model: missing; a price change needs a model"));
            }
            let row = PriceRow {
                from: at,
                standard: rates(&keys.base, keys.above)?,
                batch: keys.batch.map(|batch| rates(&batch.base, batch.above)).transpose()?,
                tiers: keys
                    .tiers
                    .unwrap_or_default()
                    .into_iter()
                    .map(|(name, keys)| Ok((name, rates(&keys.base, keys.above)?)))
                    .collect::<Result<_, Refusal>>()?,
                meters: meters(keys.meters.unwrap_or_default())?,
                factors: factors(keys.factors.unwrap_or_default())?,
                scheduled: Vec::new(),
                source: keys.source,
            };
            let row = scheduled(row, keys.hours.unwrap_or_default())?;
            Ok(Special::Event(Entry::Price(Box::new(PriceChange { model: keys.model.0, row, simulated }))))
        }
        "label" => label(at, text),
        "correction" => correction(at, text),
        "signal" => {
            let at = at.ok_or_else(|| Refusal::bad("at: missing; a signal needs its moment"))?;
            if keys.model.0.is_empty() {
                return Err(Refusal::bad("model: missing; a signal is about a model"));
            }
            let until = match &*keys.down_until.0 {
                "" => None,
                text => {
                    Some(Instant::parse(text).map_err(|error| Refusal::Bad(format!("down_until: {error}")))?)
                }
            };
            let signal = Signal { at, model: keys.model.0, until, why: or_empty(Some(keys.why)) };
            Ok(Special::Event(Entry::Signal(signal)))
        }
        "policy" => {
            let at =
                at.ok_or_else(|| Refusal::bad("at: missing; a policy needs the moment it came into force"))?;
            policy(at, text)
        }
        other => Err(Refusal::Bad(format!(
            "event: `{other}` is neither policy, price, signal, label, correction nor note"
        ))),
    }
}

/// The keys of a policy event.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PolicyKeys<'a> {
    version: Option<u32>,
    #[serde(borrow)]
    who: Option<Text<'a>>,
    #[serde(borrow)]
    what: Option<Text<'a>>,
    undo: Option<bool>,
    #[serde(borrow)]
    under: UnderKeys<'a>,
    name: Option<String>,
    baseline: Option<String>,
    classifier: Option<String>,
    mode: Option<String>,
    models: Vec<ModelKeys>,
    routes: Vec<RouteKeys>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UnderKeys<'a> {
    #[serde(borrow)]
    gateway: Text<'a>,
    #[serde(borrow)]
    classifier: Text<'a>,
    #[serde(borrow)]
    prices: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RouteKeys {
    route: String,
    team: Vec<String>,
    project: Vec<String>,
    task: Vec<String>,
    asked: Vec<String>,
    mode: Option<String>,
    require: Vec<String>,
    when_full: Option<String>,
    when_failed: Option<String>,
    cache: Option<String>,
    switch_cap: Option<i64>,
    no_signal: Option<String>,
    holdout: Option<i64>,
    explore: Option<ExploreSpec>,
    adapt: Option<AdaptSpec>,
    canary: Option<CanaryKeys>,
    stream: StreamLimits,
    check: Option<CheckWhen>,
    checks: Vec<CheckSpec>,
    ladder: Vec<RungKeys>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CanaryKeys {
    of: String,
    share: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RungKeys {
    rung: Option<String>,
    model: String,
    threshold: Option<i64>,
    fallback: bool,
    stream: StreamLimits,
    #[serde(flatten)]
    facts: FactsSpec,
    with: ParameterKeys,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ModelKeys {
    model: String,
    #[serde(flatten)]
    facts: FactsSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ParameterKeys {
    effort: Option<String>,
    service_tier: Option<String>,
    max_output: Option<u32>,
    temperature_thousandths: Option<u32>,
}

impl ParameterKeys {
    fn parameters(self) -> Result<Parameters, Refusal> {
        let Self { effort, service_tier, max_output, temperature_thousandths } = self;
        let effort = effort.map(|word| {
            Effort::from_name(&word)
                .ok_or_else(|| Refusal::Bad(format!("with.effort: `{word}` is no effort")))
        });
        Ok(Parameters {
            effort: effort.transpose()?,
            service_tier: service_tier.map(Into::into),
            max_output,
            temperature: temperature_thousandths,
            logprobs: false,
        })
    }
}

fn mode(word: Option<String>) -> Result<Option<Mode>, Refusal> {
    let known = |word: String| {
        Mode::from_name(&word).ok_or_else(|| Refusal::Bad(format!("mode: `{word}` is no mode")))
    };
    word.map(known).transpose()
}

fn policy(at: Instant, text: &str) -> Result<Special<'_>, Refusal> {
    let keys: PolicyKeys<'_> = json::read(text).map_err(Refusal::Bad)?;
    let version = keys.version.ok_or_else(|| Refusal::bad("version: missing; a policy has a version"))?;
    let rung = |keys: RungKeys| {
        Ok(RungSpec {
            stream: keys.stream,
            name: keys.rung,
            model: keys.model,
            threshold: keys.threshold,
            fallback: keys.fallback,
            facts: keys.facts,
            with: keys.with.parameters()?,
        })
    };
    let route = |keys: RouteKeys| {
        Ok(RouteSpec {
            name: keys.route,
            teams: keys.team,
            projects: keys.project,
            tasks: keys.task,
            asked: keys.asked,
            mode: mode(keys.mode)?,
            require: keys.require,
            when_full: keys
                .when_full
                .map(|word| {
                    WhenFull::from_name(&word).ok_or_else(|| {
                        Refusal::Bad(format!("when_full: `{word}` is neither next nor refuse"))
                    })
                })
                .transpose()?,
            ladder: keys.ladder.into_iter().map(rung).collect::<Result<_, Refusal>>()?,
            when_failed: keys
                .when_failed
                .map(|word| {
                    WhenFailed::from_name(&word)
                        .ok_or_else(|| Refusal::Bad(format!("when_failed: `{word}` is neither end nor fall")))
                })
                .transpose()?,
            cache: keys
                .cache
                .map(|word| {
                    Caching::from_name(&word)
                        .ok_or_else(|| Refusal::Bad(format!("cache: `{word}` is neither blind nor aware")))
                })
                .transpose()?,
            switch_cap: keys.switch_cap,
            no_signal: keys.no_signal,
            holdout: keys.holdout,
            explore: keys.explore,
            adapt: keys.adapt,
            canary: keys.canary.map(|CanaryKeys { of, share }| CanarySpec { of, share }),
            stream: keys.stream,
            check: keys.check,
            checks: keys.checks,
        })
    };
    let known = |keys: ModelKeys| (keys.model, keys.facts);
    let spec = PolicySpec {
        name: keys.name.unwrap_or_default(),
        baseline: keys.baseline,
        classifier: keys.classifier,
        mode: mode(keys.mode)?,
        models: keys.models.into_iter().map(known).collect(),
        routes: keys.routes.into_iter().map(route).collect::<Result<_, Refusal>>()?,
    };
    Policy::compile(&spec, version, &mut Names::default())
        .map_err(|error| Refusal::Bad(error.to_string()))?;
    Ok(Special::Event(Entry::Policy(Box::new(PolicyChange {
        version,
        at,
        who: or_empty(keys.who),
        what: or_empty(keys.what),
        undo: keys.undo.unwrap_or(false),
        under: Under {
            gateway: keys.under.gateway.0,
            classifier: keys.under.classifier.0,
            prices: keys.under.prices.0,
        },
        spec,
    }))))
}

/// The keys of a label that came later.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LateLabelKeys<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(flatten, borrow)]
    label: LabelKeys<'a>,
}

fn label(at: Option<Instant>, text: &str) -> Result<Special<'_>, Refusal> {
    let at = at.ok_or_else(|| Refusal::bad("at: missing; a label needs its moment"))?;
    let keys: LateLabelKeys<'_> = json::read(text).map_err(Refusal::Bad)?;
    if keys.id.0.is_empty() {
        return Err(Refusal::bad("id: missing; a label names the request whose answer it judges"));
    }
    let label = request::label(keys.label)?;
    Ok(Special::Event(Entry::Label(Box::new(LateLabel { at, id: keys.id.0, label }))))
}

/// The keys of a correction.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CorrectionKeys<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    call: Option<u32>,
    #[serde(borrow)]
    charged: Text<'a>,
    #[serde(borrow)]
    charged_as: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
}

fn correction(at: Option<Instant>, text: &str) -> Result<Special<'_>, Refusal> {
    let at = at.ok_or_else(|| Refusal::bad("at: missing; a correction needs its moment"))?;
    let keys: CorrectionKeys<'_> = json::read(text).map_err(Refusal::Bad)?;
    let CorrectionKeys { id: Text(id), call, charged, charged_as, source: Text(source) } = keys;
    if id.is_empty() {
        return Err(Refusal::bad("id: missing; a correction names the request whose charge it sets right"));
    }
    if call == Some(0) {
        return Err(Refusal::bad("call: 0; the calls of a request count from 1"));
    }
    let charged = request::charged(&charged.0, &charged_as.0)?;
    if charged == Charged::NONE {
        return Err(Refusal::bad(
            "charged: missing; a correction says what was charged, or in `charged_as` why nobody knows",
        ));
    }
    Ok(Special::Event(Entry::Correction(Box::new(Correction { at, id, call, charged, source }))))
}

/// Turns an option of text into text, absent as empty.
fn or_empty(text: Option<Text<'_>>) -> Cow<'_, str> {
    text.map(|text| text.0).unwrap_or_default()
}

fn rates(base: &TierKeys<'_>, above: Option<Vec<AboveKeys<'_>>>) -> Result<Rates, Refusal> {
    let mut tiers = Vec::new();
    for keys in above.unwrap_or_default() {
        let prompt = keys
            .prompt
            .0
            .ok_or_else(|| Refusal::bad("above: a tier needs `prompt`, the tokens it starts above"))?;
        tiers.push((prompt, tier(&keys.tier)?));
    }
    if !tiers.is_sorted_by_key(|(prompt, _)| *prompt) {
        return Err(Refusal::bad("above: tiers are not in ascending order of `prompt`"));
    }
    Ok(Rates { base: tier(base)?, above: tiers })
}

fn tier(keys: &TierKeys<'_>) -> Result<Tier, Refusal> {
    Tier::build(
        |field| {
            let text = Tier::PRICES.iter().zip(&keys.0).find(|(name, _)| **name == field);
            price(field, text.map_or("", |(_, text)| &text.0))
        },
        |field| Refusal::Bad(format!("{field}: missing; write USD per 1M tokens, like \"2.00\"")),
    )
}

fn price(field: &str, text: &str) -> Result<Option<PicoPerMillion>, Refusal> {
    let read = |text| PicoPerMillion::from_usd_per_million(text);
    let price = (!text.is_empty()).then(|| read(text)).transpose();
    price.map_err(|error| Refusal::Bad(format!("{field}: {error}")))
}

/// Reads meters: USD for one of each.
fn meters(keys: BTreeMap<String, Text<'_>>) -> Result<BTreeMap<String, PicoPerMillion>, Refusal> {
    let read = |(name, text): (String, Text<'_>)| match PicoPerMillion::from_usd_per_token(&text.0) {
        Ok(price) => Ok((name, price)),
        Err(error) => Err(Refusal::Bad(format!("meters: {name}: {error}"))),
    };
    keys.into_iter().map(read).collect()
}

/// Reads factors, like `1.1`.
fn factors(keys: BTreeMap<String, Text<'_>>) -> Result<BTreeMap<String, u32>, Refusal> {
    let read = |(name, text): (String, Text<'_>)| match crate::pricing::thousandths(&text.0) {
        Some(factor) => Ok((name, factor)),
        None => Err(Refusal::Bad(format!("factors: {name}: `{}` is no factor like 1.1", text.0))),
    };
    keys.into_iter().map(read).collect()
}
