//! Lines of our format that are no requests: the header, price changes and notes.

use std::borrow::Cow;

use super::budgets::BudgetFiles;
use super::request;
use crate::pricing::{Charged, Hours, HoursError, PriceRow, Rates, Tier, thousandths};
use crate::record::skip::Refusal;
use crate::record::value::Object;
use crate::record::{Correction, Entry, LateLabel, PolicyChange, PriceChange, Signal, Under};
use crate::routing::{
    Caching, CanarySpec, Effort, Mode, Parameters, Policy, PolicySpec, RouteSpec, RungSpec, WhenFailed,
    WhenFull,
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

/// Reads a header line; `None` where the line is something else.
pub(crate) fn header(text: &str) -> Option<Result<Header, Refusal>> {
    header_of(&Object::read(text).ok()?)
}

/// Reads a header; `None` where it is something else.
pub(super) fn header_of(line: &Object<'_>) -> Option<Result<Header, Refusal>> {
    line.maybe_text("pointsman").ok()??;
    Some(match line.count("v").ok()?.0 {
        Some(0) | None => Err(Refusal::bad("v: missing; a header says which version of the format follows")),
        Some(v) if v > VERSION => Err(Refusal::Bad(format!(
            "v: the log has version {v} of the format, this program reads up to {VERSION}"
        ))),
        Some(_) => header_keys(line),
    })
}

fn header_keys(line: &Object<'_>) -> Result<Header, Refusal> {
    let mut later = Vec::new();
    // A file of budgets that replaced another.
    for change in line.objects("budget_changes")? {
        let at = Instant::parse(&change.text("at")?);
        let at = at.map_err(|error| Refusal::Bad(format!("budget_changes: at: {error}")))?;
        later.push((at, change.text("text")?.into_owned()));
    }
    crate::units::sort_by_key(&mut later, |(at, _)| *at);
    Ok(Header {
        source: line.maybe_text("source")?.unwrap_or_default(),
        simulated: line.texts("simulated")?,
        budgets: BudgetFiles { first: line.maybe_text("budgets")?.unwrap_or_default(), later },
    })
}

/// Reads an event.
pub(super) fn read<'a>(line: &Object<'a>) -> Result<Entry<'a>, Refusal> {
    let moment = |key: &str| {
        let text = line.text(key)?;
        let at = (!text.is_empty()).then(|| Instant::parse(&text)).transpose();
        at.map_err(|error| Refusal::Bad(format!("{key}: {error}")))
    };
    let at = moment("at")?;
    let needed = |what: &str| at.ok_or_else(|| Refusal::Bad(format!("at: missing; {what}")));
    match &*line.text("event")? {
        "note" => Ok(Entry::Note {
            at: needed("a note needs its moment")?,
            text: line.text("text")?,
            simulated: line.flag("simulated")?.unwrap_or(false),
        }),
        "price" => price(line, at),
        "label" => {
            let at = needed("a label needs its moment")?;
            let id = said(line, "id", "a label names the request whose answer it judges")?;
            Ok(Entry::Label(Box::new(LateLabel { at, id, label: request::label(line)? })))
        }
        "correction" => correction(line, needed("a correction needs its moment")?),
        "signal" => {
            let at = needed("a signal needs its moment")?;
            let model = said(line, "model", "a signal is about a model")?;
            Ok(Entry::Signal(Signal { at, model, until: moment("down_until")?, why: line.text("why")? }))
        }
        "policy" => policy(line, needed("a policy needs the moment it came into force")?),
        other => Err(Refusal::Bad(format!(
            "event: `{other}` is neither policy, price, signal, label, correction nor note"
        ))),
    }
}

/// Reads a text that has to be there; `why` says what for.
fn said<'a>(line: &Object<'a>, key: &str, why: &str) -> Result<Cow<'a, str>, Refusal> {
    let text = line.text(key)?;
    if text.is_empty() { Err(Refusal::Bad(format!("{key}: missing; {why}"))) } else { Ok(text) }
}

fn correction<'a>(line: &Object<'a>, at: Instant) -> Result<Entry<'a>, Refusal> {
    let call = line.get("call")?.number()?;
    let id = said(line, "id", "a correction names the request whose charge it sets right")?;
    if call == Some(0) {
        return Err(Refusal::bad("call: 0; the calls of a request count from 1"));
    }
    let charged = request::charged(&line.text("charged")?, &line.text("charged_as")?)?;
    if charged == Charged::NONE {
        return Err(Refusal::bad(
            "charged: missing; a correction says what was charged, or in `charged_as` why nobody knows",
        ));
    }
    Ok(Entry::Correction(Box::new(Correction { at, id, call, charged, source: line.text("source")? })))
}

/// Reads a word by its name; `wrong` says what is due.
fn named<T>(
    of: &Object<'_>,
    key: &str,
    read: impl Fn(&str) -> Option<T>,
    wrong: &str,
) -> Result<Option<T>, String> {
    let read = |word: String| read(&word).ok_or_else(|| format!("{key}: `{word}` is {wrong}"));
    of.maybe_text(key)?.map(read).transpose()
}

fn policy<'a>(line: &Object<'a>, at: Instant) -> Result<Entry<'a>, Refusal> {
    let version = line.get("version")?.number()?;
    let version = version.ok_or_else(|| Refusal::bad("version: missing; a policy has a version"))?;
    let models = line.objects("models")?;
    let known = |model: &Object<'_>| Ok((model.text("model")?.into_owned(), model.whole()?));
    let spec = PolicySpec {
        name: line.maybe_text("name")?.unwrap_or_default(),
        baseline: line.maybe_text("baseline")?,
        classifier: line.maybe_text("classifier")?,
        mode: named(line, "mode", Mode::from_name, "no mode")?,
        models: models.iter().map(known).collect::<Result<_, String>>()?,
        routes: line.objects("routes")?.iter().map(route).collect::<Result<_, _>>()?,
    };
    Policy::compile(&spec, version, &mut Names::default())
        .map_err(|error| Refusal::Bad(error.to_string()))?;
    let under = line.object("under")?;
    Ok(Entry::Policy(Box::new(PolicyChange {
        version,
        at,
        who: line.text("who")?,
        what: line.text("what")?,
        undo: line.flag("undo")?.unwrap_or(false),
        under: Under {
            gateway: under.text("gateway")?,
            classifier: under.text("classifier")?,
            prices: under.text("prices")?,
        },
        spec,
    })))
}

fn route(route: &Object<'_>) -> Result<RouteSpec, String> {
    let canary = |canary: Object<'_>| {
        let share = canary.integer("share")?.unwrap_or_default();
        Ok::<_, String>(CanarySpec { of: canary.text("of")?.into_owned(), share })
    };
    Ok(RouteSpec {
        name: route.text("route")?.into_owned(),
        teams: route.texts("team")?,
        projects: route.texts("project")?,
        tasks: route.texts("task")?,
        asked: route.texts("asked")?,
        mode: named(route, "mode", Mode::from_name, "no mode")?,
        require: route.texts("require")?,
        when_full: named(route, "when_full", WhenFull::from_name, "neither next nor refuse")?,
        ladder: route.objects("ladder")?.iter().map(rung).collect::<Result<_, _>>()?,
        when_failed: named(route, "when_failed", WhenFailed::from_name, "neither end nor fall")?,
        cache: named(route, "cache", Caching::from_name, "neither blind nor aware")?,
        switch_cap: route.integer("switch_cap")?,
        no_signal: route.maybe_text("no_signal")?,
        holdout: route.integer("holdout")?,
        explore: route.get("explore")?.structure()?,
        adapt: route.get("adapt")?.structure()?,
        canary: if route.says("canary")? { Some(canary(route.object("canary")?)?) } else { None },
        stream: route.get("stream")?.structure()?.unwrap_or_default(),
        check: route.get("check")?.typed()?,
        checks: route.get("checks")?.structures()?,
    })
}

fn rung(rung: &Object<'_>) -> Result<RungSpec, String> {
    let with = rung.object("with")?;
    Ok(RungSpec {
        stream: rung.get("stream")?.structure()?.unwrap_or_default(),
        name: rung.maybe_text("rung")?,
        model: rung.text("model")?.into_owned(),
        threshold: rung.integer("threshold")?,
        fallback: rung.flag("fallback")?.unwrap_or(false),
        facts: rung.whole()?,
        with: Parameters {
            effort: named(&with, "effort", Effort::from_name, "no effort")
                .map_err(|reason| format!("with.{reason}"))?,
            service_tier: with.maybe_text("service_tier")?.map(Into::into),
            max_output: with.get("max_output")?.number()?,
            temperature: with.get("temperature_thousandths")?.number()?,
            logprobs: false,
        },
    })
}

fn price<'a>(line: &Object<'a>, from: Option<Instant>) -> Result<Entry<'a>, Refusal> {
    let model = said(line, "model", "a price change needs a model")?;
    let batch = line.says("batch")?.then(|| rates(&line.object("batch")?)).transpose()?;
    let (tiers, meters, factors) = (line.object("tiers")?, line.object("meters")?, line.object("factors")?);
    let tiers = tiers.members().map(|(name, of)| Ok((name.to_owned(), rates(&of.object()?)?)));
    // USD for one of each.
    let meters =
        meters.members().map(|(name, price)| match PicoPerMillion::from_usd_per_token(&price.text()?) {
            Ok(price) => Ok((name.to_owned(), price)),
            Err(error) => Err(Refusal::Bad(format!("meters: {name}: {error}"))),
        });
    let factors = factors.members().map(|(name, factor)| {
        let text = factor.text()?;
        let wrong = || Refusal::Bad(format!("factors: {name}: `{text}` is no factor like 1.1"));
        Ok((name.to_owned(), thousandths(&text).ok_or_else(wrong)?))
    });
    let row = PriceRow {
        from,
        standard: rates(line)?,
        batch,
        tiers: tiers.collect::<Result<_, Refusal>>()?,
        meters: meters.collect::<Result<_, Refusal>>()?,
        factors: factors.collect::<Result<_, Refusal>>()?,
        scheduled: Vec::new(),
        source: line.maybe_text("source")?,
    };
    let refused = |error: HoursError| Refusal::Bad(format!("hours: {error}"));
    // Hours in which a price is another.
    let hours = line.objects("hours")?.into_iter().map(|keys| {
        let times = keys.text("times")?;
        let times = thousandths(&times)
            .ok_or_else(|| Refusal::Bad(format!("hours: times: `{times}` is no factor")))?;
        Ok((Hours::parse(&keys.text("utc")?, &keys.text("days")?).map_err(refused)?, times))
    });
    let row = row.schedule(hours.collect::<Result<_, Refusal>>()?).map_err(refused)?;
    let simulated = line.flag("simulated")?.unwrap_or(false);
    Ok(Entry::Price(Box::new(PriceChange { model, row, simulated })))
}

fn rates(of: &Object<'_>) -> Result<Rates, Refusal> {
    let mut above = Vec::new();
    for keys in of.objects("above")? {
        let prompt = keys.count("prompt")?.0;
        let prompt =
            prompt.ok_or_else(|| Refusal::bad("above: a tier needs `prompt`, the tokens it starts above"))?;
        above.push((prompt, tier(&keys)?));
    }
    if !above.is_sorted_by_key(|(prompt, _)| *prompt) {
        return Err(Refusal::bad("above: tiers are not in ascending order of `prompt`"));
    }
    Ok(Rates { base: tier(of)?, above })
}

fn tier(keys: &Object<'_>) -> Result<Tier, Refusal> {
    Tier::build(
        |field| {
            let text = keys.text(field)?;
            let price = (!text.is_empty()).then(|| PicoPerMillion::from_usd_per_million(&text)).transpose();
            price.map_err(|error| Refusal::Bad(format!("{field}: {error}")))
        },
        |field| Refusal::Bad(format!("{field}: missing; write USD per 1M tokens, like \"2.00\"")),
    )
}
