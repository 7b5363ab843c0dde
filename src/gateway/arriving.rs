//! A request is taken in: what the engine hears of it, what the ledger keeps.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant as Moment};

use http::HeaderMap;

use super::gate::InFlight;
use super::headers::Tags;
use super::operation::Operation;
use super::taken::Taken;
use super::{Gateway, estimate, now, second};
use crate::access::Caller;
use crate::classifier::{self, Measures, TaskClass};
use crate::ledger::{Entry, Opened, Prompt, Prompted};
use crate::pricing::{costs_more, may_cost_more};
use crate::prompt_cache::{Prompt as CachedPrompt, Tie, session_number};
use crate::routing::{AskId, AtMost, ConfidenceSource, up_to_grid};
use crate::session::{Arriving, Wants};
use crate::units::Span;
use crate::wire::{ApiError, Ask, AskMeasures, Dialect, prefix_ends};

/// How late a request may be said to have arrived: where clocks step back further, that is taken for the time.
const LATE: Duration = Duration::from_millis(1_800);

/// Hashes of a prompt.
pub(super) struct Hashes {
    /// Of all of the body.
    pub(super) prompt: [u8; 32],
    /// Of its beginnings.
    pub(super) prefix: Arc<[u64]>,
}

/// Takes a request in: the engine decides, the ledger hears of it.
///
/// # Errors
/// Where it waited for room in a budget until the gateway was about to end.
pub(super) async fn open(
    gateway: &Arc<Gateway>,
    ask: Ask,
    pinned: bool,
    headers: HeaderMap,
    caller: &Caller,
    (place, hashes): (InFlight, Hashes),
) -> Result<Operation, ApiError> {
    let tags = gateway.tags(&headers, caller, ask.user());
    let id = gateway.next_id();
    let mut arriving = Arriving {
        id: Arc::clone(&id),
        pinned,
        prefix: Arc::clone(&hashes.prefix),
        tags: gateway.tagged.read(&headers, caller, &ask),
        ..arriving(gateway, &ask, &tags, caller)
    };
    arriving.wants.at_most = bound(&ask, gateway.settings.max_output_default);
    if gateway.live.has_budgets() && arriving.wants.max_output.is_none() && !is_embedding(&ask) {
        arriving.wants.cap = u32::try_from(gateway.settings.max_output_default).ok();
    }
    let mut turns = None;
    if gateway.live.compares_calls() {
        let before;
        (arriving.call, before) = gateway.call_before(&ask);
        turns = Some(before).filter(|_| ask.dialect() == Dialect::OpenAiResponses);
    }
    arriving.after_tools = ask.is_after_tools();
    let whose = [&*caller.name, &*tags.session, &*tags.user];
    let hash = ask.ask_hash(&gateway.prefix_key, whose);
    arriving.ask = hash.map(|hash| AskId::new(hash, arriving.after_tools)).unwrap_or_default();
    if gateway.live.minds_caches() {
        (arriving.beginnings, arriving.tie) = (beginnings(&hashes.prefix), tie(&ask));
        arriving.blocked = gateway.providers.blocked_accounts(Moment::now()).into();
    }
    go_on(gateway, &ask, &mut arriving);
    let mut waited = Duration::ZERO;
    if !gateway.settings.second.is_empty() {
        let began = Moment::now();
        // In a box of its own: few wait, and all would carry it about.
        Box::pin(second::ask(gateway, &mut arriving)).await;
        waited = began.elapsed();
    }
    let (asked, measures) = (Arc::clone(&arriving.asked), arriving.measures);
    // It had arrived before that was asked; what arrived meanwhile stays before it, and so far back nobody looks.
    let before = Span(i64::try_from(waited.min(LATE).as_micros()).unwrap_or(0));
    let at = now() + Span(-before.0);
    let placed = gateway.take_in(arriving, at).await?;
    if !placed.trips.is_empty() {
        gateway.record_trips(&placed.trips, placed.send.as_ref().err().and_then(|why| why.stop.as_deref()));
    }
    if ask.dialect() == Dialect::OpenAiResponses {
        let (operation, class) = (Arc::clone(&id), placed.class);
        let taken = Taken { operation, class, confidence: placed.confidence, ask: placed.ticket.ask() };
        if let Some(conversation) = ask.conversation() {
            gateway.judged.note(&conversation.into(), taken.clone());
        }
        gateway.judged.note(&id, taken);
    }
    let needs = placed.ticket.needs();
    gateway.ledger.record_quietly(Entry::Opened(Box::new(Opened {
        seq: placed.seq,
        id: Arc::clone(&id),
        at: placed.at,
        team: Arc::clone(&tags.team),
        project: tags.project,
        user: tags.user,
        session: tags.session,
        key: Arc::clone(&caller.name),
        asked,
        pinned,
        task: Some(placed.class),
        confidence: placed.confidence,
        classified: match placed.source {
            ConfidenceSource::None => "none",
            ConfidenceSource::Recorded | ConfidenceSource::Judged => "recorded",
            ConfidenceSource::Text => "text",
            ConfidenceSource::Measures => "measures",
        }
        .into(),
        turn: measures.turn,
        tools: measures.tools,
        history: measures.history,
        prompt_hash: Some(hashes.prompt),
        prefix: Arc::clone(&hashes.prefix),
        prompt_bytes: ask.body().len() as u64,
        route: Arc::clone(&placed.route),
        rung: placed.send.as_ref().ok().and_then(|send| send.rung),
        policy_version: placed.policy_version,
        reason: placed.reason.as_str().into(),
        simulated: "".into(),
        window: needs.window,
        max_output: needs.output,
        vision: needs.vision,
        require: Arc::clone(&caller.require),
        down: needs.down.iter().map(|model| Arc::from(&**model)).collect(),
    })));
    let kept = &gateway.settings.ledger;
    let keeps = kept.keep_prompts.iter().any(|route| **route == *placed.route);
    if keeps && gateway.budget.held() > gateway.budget.most() / 2 {
        // A ledger that cannot be written would fill memory with them.
        tracing::warn!(operation = %id, "prompt not kept: more than half of limits.memory is in use");
    } else if keeps {
        gateway.ledger.record(Entry::Prompt(Box::new(Prompt {
            seq: placed.seq,
            kind: "prompt".into(),
            body: ask.ask_text().into(),
            expires_at: at + Span::days(i64::from(kept.keep_days)),
        })));
    }
    let ask = ask.received_as(Arc::clone(&id), u64::try_from(at.0 / 1_000_000).unwrap_or(0));
    let whose = (tags.team, Arc::clone(&caller.name));
    let mut operation =
        Operation::new(gateway, (ask, headers, id), placed, (hashes.prefix, turns), whose, place);
    // What it waited for is in its latency.
    operation.began = operation.began.checked_sub(waited).unwrap_or(operation.began);
    Ok(operation)
}

/// Where what tools returned comes alone, behind an answer that a provider keeps, the ask is not there to be read: it is what it was
/// taken for when it came.
fn go_on(gateway: &Gateway, ask: &Ask, arriving: &mut Arriving<'_>) {
    if !arriving.prompt.trim().is_empty() {
        return;
    }
    let Some((_, Some(earlier))) = ask.leans_on() else { return };
    arriving.after_tools = true;
    if let Some(Taken { class, confidence, ask, .. }) = gateway.judged.find(&earlier) {
        arriving.measures.task = arriving.measures.task.or(Some(class));
        arriving.confidence = arriving.confidence.or(confidence);
        arriving.ask = ask.turn();
    }
    arriving.goes_on = gateway.stored.find(&earlier).map(|kept| kept.model);
}

/// Says what the engine hears of a request.
pub(super) fn arriving<'a>(gateway: &Gateway, ask: &'a Ask, tags: &Tags, caller: &Caller) -> Arriving<'a> {
    let found = ask.measures();
    let embeds = matches!(ask.dialect(), Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings);
    Arriving {
        team: Arc::clone(&tags.team),
        project: Arc::clone(&tags.project),
        user: Arc::clone(&tags.user),
        session: Arc::clone(&tags.session),
        asked: ask.model().into(),
        prompt: ask.ask_text(),
        measures: Measures {
            prompt_tokens: Some(found.estimated_prompt_tokens),
            turn: Some(found.earlier_user_turns),
            tools: Some(found.tools),
            history: Some(u32::try_from(found.earlier_bytes / 4).unwrap_or(u32::MAX)),
            after: found.later_bytes.div_ceil(4),
            task: if embeds { Some(TaskClass::Embedding) } else { tags.task },
            tags: classifier::Tags::of(&tags.task_words, &tags.project),
        },
        confidence: tags.confidence,
        wants: Wants {
            vision: found.has_images,
            max_output: found.max_output,
            require: Arc::clone(&caller.require),
            key: Arc::clone(&caller.name),
            unreached: gateway.unreached(ask.dialect()),
            ..Wants::default()
        },
        ..Arriving::default()
    }
}

/// The bytes after which prompts are hashed.
static ENDS: LazyLock<Vec<u64>> = LazyLock::new(prefix_ends);

/// Returns hashes of a prompt's beginnings with the tokens of each, estimated as those of the whole are.
fn beginnings(prefix: &[u64]) -> Arc<[(u64, u32)]> {
    let tokens = |bytes: u64| u32::try_from(bytes / 4).unwrap_or(u32::MAX);
    prefix.iter().zip(&*ENDS).map(|(hash, end)| (*hash, tokens(*end))).collect()
}

impl Gateway {
    /// Takes in prompts that were answered before a restart, so that what caches still hold is known again.
    pub fn recall(&self, prompts: &[Prompted]) {
        let minds = self.live.minds_caches();
        for one in prompts {
            let Some(target) = self.providers.target(&one.model) else { continue };
            self.marks.recall(&target, &one.provider, &one.prefix, one.at);
            if minds {
                let prompt = CachedPrompt {
                    session: session_number(&one.session, &one.user),
                    beginnings: beginnings(&one.prefix),
                    tokens: one.bytes / 4,
                    has_past: true,
                    tie: None,
                };
                self.live.recall(prompt, (&one.model, &one.provider), one.at, &one.usage);
            }
        }
    }
}

/// Says why a session cannot change its model: it sends what tools returned, or its provider keeps what was said before.
fn tie(ask: &Ask) -> Option<Tie> {
    if ask.leans_on().is_some() {
        return Some(Tie::State);
    }
    ask.has_called().then_some(Tie::Tools)
}

/// Returns how long all answers to a request may be together; one whose length the client leaves open is cut at `most`.
pub(super) fn most_output(found: AskMeasures, most: u64) -> u64 {
    let each = found.max_output.unwrap_or(most).saturating_mul(u64::from(found.choices.max(1)));
    each.saturating_add(unlimited_thoughts(found, most))
}

/// Returns how long an answer by a model may be at most, by what was asked for and by what it gives; none where neither says.
pub(super) fn longest(gateway: &Gateway, found: AskMeasures, model: &str) -> Option<u64> {
    let book = gateway.live.book();
    let gives = book.find_named(model).and_then(|(_, prices)| prices.max_output);
    let gives = gives.map(|each| each.saturating_mul(u64::from(found.choices.max(1))));
    let asked = found.max_output.map(|each| most_output(found, each));
    let least = gives.into_iter().chain(asked).min()?;
    Some(least.saturating_add(found.predicted))
}

/// Returns how long thoughts may be that the limit of an answer does not bound: those with a budget above it, or one beside it.
fn unlimited_thoughts(found: AskMeasures, most: u64) -> u64 {
    let is_within = !found.thinks_beside && found.thoughts <= found.max_output.unwrap_or(most);
    if is_within { 0 } else { found.thoughts.saturating_mul(u64::from(found.choices.max(1))) }
}

fn is_embedding(ask: &Ask) -> bool {
    matches!(ask.dialect(), Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings)
}

/// Returns the most that a call can be billed for. An answer whose length the client leaves open is cut at `most`.
fn bound(ask: &Ask, most: u64) -> AtMost {
    let found = ask.measures();
    let output = if is_embedding(ask) { 0 } else { most_output(found, most) };
    // No tokenizer makes more tokens of a text than it has bytes, and the estimate is a quarter of those.
    let prompt = found
        .estimated_prompt_tokens
        .saturating_mul(4)
        .saturating_add(found.beside)
        .saturating_add(estimate::TEMPLATE);
    // What is foretold wrongly is billed as what is written.
    let output = output.saturating_add(found.predicted);
    AtMost {
        prompt: up_to_grid(prompt),
        is_elsewhere: found.is_elsewhere,
        output: up_to_grid(output),
        any_tier: ask.tiers().any(|tier| may_cost_more(&tier)),
        dearer_tier: ask.tiers().any(|tier| costs_more(&tier)),
        other_models: found.other_models,
        choices: found.choices,
        predicted: up_to_grid(found.predicted.saturating_add(unlimited_thoughts(found, most))),
    }
}
