//! One request explained: what was seen, how it would be routed and why, what each call costs. The console's detail view
//! and `pointsman why` show the same.

use std::fmt::Write as _;
use std::sync::Arc;

use super::stream::drive;
use super::streamed::{One, StreamResult};
use super::{Log, Reading, settle_one};
use crate::engine::Engine;
use crate::outcome::{
    Attempt, Choice, Evidence, History, LabelSource, Operation, Outlook, Particulars, Seen, Settled,
    on_model, priced,
};
use crate::pricing::{Cost, Unpriced, unpriced};
use crate::routing::{Capability, Circumstance, ConfidenceSource, Decision, Policy, RouteId, Rung, Step};
use crate::runaway::Then;
use crate::units::{Instant, ModelId, PerMille};

/// One request explained.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Its place in the log.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// Facts: name and value.
    pub facts: Vec<(&'static str, String)>,
    /// The features behind a classified confidence, strongest first: name and weight in hundredths of a logit.
    pub features: Vec<(&'static str, i8)>,
    /// The route.
    pub route: RouteId,
    /// The reason trail of the policy: stage and text.
    pub trail: Vec<(&'static str, String)>,
    /// The rungs that it could have gone to, in the order of the ladder; none for a model that the client named.
    pub candidates: Vec<Candidate>,
    /// What happened.
    pub recorded: Settled,
    /// What the policy would have made of it.
    pub routed: Settled,
}

/// A rung that a request could have gone to.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its name.
    pub name: Arc<str>,
    /// The least confidence it serves; none of a fallback.
    pub threshold: Option<PerMille>,
    /// Whether the request starts here.
    pub is_chosen: bool,
    /// Whether guards keep the request from it.
    pub is_closed: bool,
    /// Its call alone, seen or estimated.
    pub alone: Attempt,
    /// What a label says of its answer's quality.
    pub quality: Option<PerMille>,
}

/// Lists what each rung would have made of a request by itself.
fn candidates(
    evidence: &Evidence<'_>,
    decision: &Decision,
    policy: &Policy,
    outlook: &Outlook<'_>,
) -> Vec<Candidate> {
    if evidence.operation.pinned {
        return Vec::new();
    }
    let ladder = (0..).zip(&policy.route(decision.route).ladder);
    let candidate = |(at, rung): (usize, &Rung)| Candidate {
        name: Arc::clone(&rung.name),
        threshold: (!rung.fallback).then_some(rung.threshold),
        is_chosen: at == usize::from(decision.rung),
        is_closed: !decision.open.has(at),
        alone: on_model(evidence, Choice::from(rung), outlook),
        quality: evidence.label(rung.model, outlook.prices).and_then(|label| label.quality),
    };
    ladder.map(candidate).collect()
}

/// Explains a request under a policy.
pub fn explain(log: &Log, index: usize, policy: &Policy) -> Option<Explanation> {
    let recalled = log.history.recall(index)?;
    let evidence = recalled.evidence();
    let operation = evidence.operation;
    let outlook = log.outlook();
    let mut engine = Engine::new(Arc::new(policy.clone()), Arc::clone(&log.prices));
    let (decision, routed) = drive(&mut engine, &outlook, 0, &evidence)?;
    let mut recorded_outcome = Settled::default();
    settle_one(&evidence, Reading::Recorded, policy, &outlook, &mut recorded_outcome);
    let names = &log.names;
    let mut facts = vec![
        ("arrived", operation.at.rfc3339()),
        ("team", names.team(operation.team).to_owned()),
        ("project", names.project(operation.project).to_owned()),
        ("session", names.session(operation.session).to_owned()),
        ("task", operation.class.name().to_owned()),
    ];
    if operation.asked.is_some() {
        facts.push(("asked for", names.model(operation.asked).to_owned()));
    }
    if operation.turn != u16::MAX {
        facts.push(("turn", operation.turn.to_string()));
    }
    let by = match operation.source {
        ConfidenceSource::Text | ConfidenceSource::Measures => format!(" by {}", log.classifier),
        _ if operation.ask.is_seconded() => ", as a second stage said".to_owned(),
        _ => String::new(),
    };
    let confidence = operation.confidence().map(|known| format!("{known}‰, {}{by}", operation.source.text()));
    facts.push(("confidence", confidence.unwrap_or_else(|| "none: no signal".to_owned())));
    facts.extend(asked_of(log, operation));
    facts.extend(evidence.seen().flat_map(|seen| doubts(log, operation.at, seen)));
    if let Some(extra) = evidence.extra {
        for particulars in &extra.particulars {
            facts.extend(told(particulars));
        }
        if !extra.simulated.is_empty() {
            facts.push(("SIMULATED", extra.simulated.to_string()));
        }
        if !extra.error.is_empty() {
            facts.push(("error", extra.error.to_string()));
        }
        for label in &extra.labels {
            let quality =
                label.quality.map_or_else(|| "-".to_owned(), |quality| format!("quality {quality}‰"));
            let output = label.output.map_or_else(String::new, |output| format!(", {output} tokens out"));
            let by = match label.source {
                LabelSource::Told => String::new(),
                source => format!(", by {}", source.name()),
            };
            facts.push(("label", format!("{}: {quality}{output}{by}", names.model(label.model))));
        }
    }
    let features = operation.saw.iter().map(|(feature, weight)| (feature.describe(), weight)).collect();
    Some(Explanation {
        index,
        id: log.history.id(index).to_owned(),
        facts,
        features,
        route: decision.route,
        trail: trail(&decision, &evidence, policy, log),
        candidates: candidates(&evidence, &decision, policy, &outlook),
        recorded: recorded_outcome,
        routed,
    })
}

/// Writes the reasons, and behind each call that was made what the checks said of its answer.
fn trail(
    decision: &Decision,
    evidence: &Evidence<'_>,
    policy: &Policy,
    log: &Log,
) -> Vec<(&'static str, String)> {
    let particulars = evidence.extra.map_or(&[][..], |extra| extra.particulars.as_slice());
    let mut seen = evidence.attempts().zip(particulars);
    let mut all = Vec::with_capacity(decision.trail.len());
    for step in &decision.trail {
        all.push((step.stage(), step.describe(decision.route, policy, &log.names)));
        if let Step::Attempted { model, status, observed: true, .. } = *step {
            let found = seen.find(|(call, _)| call.status == status && log.prices.same(call.model, model));
            let verdicts = found.map_or(&[][..], |(_, told)| &told.verdicts);
            all.extend(verdicts.iter().map(|verdict| ("check", verdict.describe())));
        }
    }
    all
}

/// A request explained, and the log as far as that takes.
#[derive(Debug)]
pub struct Answered {
    /// The log: in memory as a whole, or this one request of it.
    pub log: Log,
    /// The policy that decided it.
    pub policy: Arc<Policy>,
    /// What there is to say.
    pub explained: Explanation,
    /// When the request arrived.
    pub at: Instant,
    /// How many requests the log has.
    pub requests: usize,
}

impl Answered {
    /// Answers from a log in memory; `None` where it has no such request.
    pub fn loaded(log: Log, index: usize) -> Option<Self> {
        let policy = Arc::clone(log.policy_at(index));
        let explained = explain(&log, index, &policy)?;
        let at = log.history.at(index)?;
        Some(Self { policy, explained, at, requests: log.len(), log })
    }

    /// Answers from a log that was streamed for it; `None` where it was not found, calls are capped, or it
    /// has tool loops and no policies.
    pub fn streamed(
        title: String,
        (book, classifier): (String, String),
        found: StreamResult,
    ) -> Option<Self> {
        let StreamResult { names, skipped, profiles, one, .. } = found;
        let One { search, policies, prices, circumstances } = one?;
        // A log with its policies says how loops stood.
        let is_anew = circumstances.have_loops() && policies.len() == 1;
        if is_anew || policies.iter().any(|(_, policy)| policy.remembers()) {
            return None;
        }
        let (found, index) = search.found()?;
        let decides = policies.partition_point(|(from, _)| *from <= found.operation.at).checked_sub(1)?;
        let policy = Arc::clone(&policies.get(decides)?.1);
        let mut history = History::default();
        history.push(&found.id, found.operation, found.extra.clone());
        let prices = (*prices).clone();
        let log = Log::from_parts(title, history, names, prices, profiles, Arc::clone(&policy), skipped);
        let log = Log { circumstances: Arc::new(circumstances), book, classifier, ..log };
        let explained = Explanation { index, ..explain(&log, 0, &policy)? };
        Some(Self { log, policy, explained, at: found.operation.at, requests: search.len() })
    }
}

/// Says what the request asked of whoever was to serve it, and what could not be called then.
fn asked_of(log: &Log, operation: &Operation) -> Vec<(&'static str, String)> {
    let Circumstance { needs, down, full, unreached, over, runaway, drawn, .. } =
        log.circumstances.get(operation.circumstance);
    let mut asks: Vec<String> = needs.labels.names(&log.names);
    asks.extend(needs.capabilities.has(Capability::Vision).then(|| "pictures".to_owned()));
    asks.extend(needs.capabilities.has(Capability::Tools).then(|| "tools".to_owned()));
    asks.extend((needs.output > 0).then(|| format!("up to {} tokens of answer", needs.output)));
    let over: Vec<ModelId> = over.iter().map(|(model, _)| *model).collect();
    let named = |models: &[ModelId]| {
        models.iter().map(|model| log.names.model(*model)).collect::<Vec<&str>>().join(", ")
    };
    let facts = [
        ("asks for", asks.join(", ")),
        ("down then", named(down)),
        ("full then", named(full)),
        ("not in this form", named(unreached)),
        ("over budget", named(&over)),
        ("runaway", if *runaway == Then::Tell { String::new() } else { runaway.name().to_owned() }),
        (
            "holdout",
            drawn.map_or_else(String::new, |drawn| {
                let way = if drawn.held { "held out" } else { "routed" };
                format!("{way}; {}‰ of sessions are held out", drawn.share)
            }),
        ),
    ];
    facts.into_iter().filter(|(_, text)| !text.is_empty()).collect()
}

/// Says what of a call the given prices do not cover, and where they disagree with what was charged.
fn doubts(log: &Log, at: Instant, seen: Seen<'_>) -> Vec<(&'static str, String)> {
    let call = seen.call;
    let billed = if call.billed.is_some() { call.billed } else { call.model };
    let name = log.names.model(billed);
    let cost = priced(seen, at, &log.prices);
    let lacking = match (cost, log.prices.row(billed, at)) {
        (Cost::Unknown(Unpriced::NoPrice), Some(_)) => Some(format!("an hour's cache writes of {name}")),
        // Where the model itself has no price, the cost says so.
        (Cost::Unknown(Unpriced::NoPrice), _) => call.billed.is_some().then(|| format!("{name} is not")),
        (Cost::Unknown(Unpriced::NoTier), _) => Some(format!("tier `{}` of {name}", seen.terms.tier())),
        (_, Some(row)) => {
            let meters = unpriced(&call.usage, seen.terms, row);
            (!meters.is_empty()).then(|| format!("{} of {name}", meters.join(", ")))
        }
        _ => None,
    };
    let lacking = lacking.map(|what| ("not priced", format!("{what} in prices {}", log.book)));
    let mut all: Vec<_> = lacking.into_iter().collect();
    if let Some(charged) = call.charged.cost().filter(|charged| *charged != cost) {
        let (charged, cost) = (cost_text(charged), cost_text(cost));
        all.push(("book", format!("prices {} make {cost} of {name}, not {charged} as charged", log.book)));
    }
    all
}

/// Says what few calls have: tier, meters, parameters left out, the longest silence.
fn told(particulars: &Particulars) -> impl Iterator<Item = (&'static str, String)> {
    let Particulars { terms, left_out, gap, account, .. } = particulars;
    let tier = terms.tier();
    let meters: Vec<String> = terms.meters().map(|(name, count)| format!("{name} {count}")).collect();
    let silence = gap.get().map(|ms| format!("{ms} ms at most within the stream"));
    [
        ("tier", (!tier.is_empty()).then(|| tier.to_owned())),
        ("meters", (!meters.is_empty()).then(|| meters.join(", "))),
        ("left out", (!left_out.is_empty()).then(|| left_out.join(", "))),
        ("silence", silence),
        ("account", (!account.is_empty()).then(|| account.to_string())),
    ]
    .into_iter()
    .filter_map(|(name, text)| Some((name, text?)))
}

/// Writes a cost with what it is worth: `$0.016912`, `~$0.02 estimated`, `unknown: tokens not reported`.
pub fn cost_text(cost: Cost) -> String {
    match cost {
        Cost::Known(amount) => format!("${amount}"),
        Cost::Estimated(amount) => format!("~${amount} estimated"),
        Cost::Unknown(why) => format!("unknown: {}", why.text()),
    }
}

/// Writes a cost of a model at a moment as [`cost_text`] does; where it has prices but not all, says which it lacks.
pub fn cost_text_of(cost: Cost, model: ModelId, at: Instant, log: &Log) -> String {
    match cost {
        Cost::Unknown(Unpriced::NoPrice) if log.prices.row(model, at).is_some() => {
            "unknown: no price of an hour's cache writes".to_owned()
        }
        cost => cost_text(cost),
    }
}

/// Writes the tokens of a call.
pub fn tokens_text(attempt: &Attempt) -> String {
    let count = |count: crate::units::Count| count.get().map_or_else(|| "?".to_owned(), |n| n.to_string());
    let usage = &attempt.usage;
    let mut text = format!("in {}", count(usage.input));
    for (name, tokens) in
        [("cache read", usage.cache_read), ("write 5m", usage.write_5m), ("write 1h", usage.write_1h)]
    {
        if tokens.or_zero() > 0 {
            let _ = write!(text, " + {name} {}", count(tokens));
        }
    }
    let _ = write!(text, ", out {}", count(usage.output));
    if usage.reasoning.or_zero() > 0 {
        let _ = write!(text, " (reasoning {})", count(usage.reasoning));
    }
    text
}
