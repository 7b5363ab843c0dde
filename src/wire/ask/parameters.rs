//! What a rung of the policy writes into a request of the client's own dialect, before that which its model refuses is left
//! out (`refused`).
//!
//! Invariants: a rung's parameter takes the place of the client's own; one that the provider has no word for is left out
//! and told; every other member stays byte for byte.

use std::borrow::Cow;

use bytes::Bytes;

use super::edits::Edits;
use super::request::Ask;
use super::scan::is_named;
use crate::routing::Parameters;
use crate::wire::Dialect;
use crate::wire::effort::{
    Claude, Effort, LEAST_BUDGET, claude, claude_word, gemini_always_thinks, gemini_budget,
};
use crate::wire::effort::{gemini_thinks, openai_word, thinking_type, thinks_before_answering};
use crate::wire::json::{Raw, Value, object, quoted};
use crate::wire::known::place;
use crate::wire::logprobs::TOP;
use crate::wire::prompt::{ORDINARY_TIER, Reader, gemini_tier, messages_tier};
use crate::wire::sending::{Accent, Sending};

/// A member by its path, and the JSON that is to stand there; nothing where it is to go.
type Setting<'s> = (&'s str, Option<Cow<'static, str>>);

/// What a request for a response includes to be told how likely its words were.
const LOGPROBS: &str = r#""message.output_text.logprobs""#;

/// Returns the body with what the rung writes; nothing where that changes nothing.
pub(super) fn written(ask: &Ask, reader: Reader<'_>) -> Option<Bytes> {
    let mut settings = Vec::new();
    match reader.to {
        Dialect::OpenAiChat => chat(ask, reader, &mut settings),
        Dialect::OpenAiResponses => responses(ask, reader, &mut settings),
        Dialect::OpenAiCompletions => completions(reader, &mut settings),
        Dialect::AnthropicMessages => messages(ask, reader, &mut settings),
        Dialect::Gemini => gemini(ask, reader, &mut settings),
        Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => {}
    }
    (!settings.is_empty()).then(|| put(ask, &settings))
}

fn temperature(path: &'static str, with: &Parameters, into: &mut Vec<Setting<'_>>) {
    into.extend(with.temperature_text().map(|text| (path, Some(text.into()))));
}

/// Notes a parameter of the rung's that is not sent.
fn leave_out(member: &str, reader: Reader<'_>) {
    reader.leave_out(place(reader.from, member));
}

/// Returns OpenAI's word for an effort, the nearest one that the model knows; of other models nothing is known.
fn effort_word(effort: Effort, reader: Reader<'_>) -> Cow<'static, str> {
    if !thinks_before_answering(reader.model) {
        return effort.quoted().into();
    }
    let word = openai_word(reader.model, effort);
    if word != effort.name() {
        leave_out("reasoning_effort", reader);
    }
    quoted(word).into()
}

/// Returns OpenAI's word for a service tier.
fn openai_tier(tier: &str) -> Cow<'static, str> {
    quoted(if tier == "standard" { "default" } else { tier }).into()
}

fn chat(ask: &Ask, reader: Reader<'_>, into: &mut Vec<Setting<'_>>) {
    let Sending { with, accent, .. } = reader.sending;
    if let Some(effort) = with.effort {
        let known = reader.sending.known;
        if known.takes_thinking {
            into.push(("thinking.type", Some(quoted(thinking_type(effort)).into())));
        }
        let has_word = !known.takes_thinking || (known.takes_effort && effort != Effort::None);
        into.push(("reasoning_effort", has_word.then(|| effort_word(effort, reader))));
        // As some servers have it as well.
        into.extend([("reasoning.effort", None), ("reasoning.max_tokens", None)]);
    }
    match with.service_tier.as_deref() {
        Some(_) if *accent == Accent::Mistral => reader.leave_out_tier(),
        tier => into.extend(tier.map(|tier| ("service_tier", Some(openai_tier(tier))))),
    }
    temperature("temperature", with, into);
    // A client that asks itself gets what it asked for, no more.
    if with.logprobs && *accent == Accent::OpenAi && !ask.wants_logprobs() {
        into.extend([("logprobs", Some("true".into())), ("top_logprobs", Some(TOP.into()))]);
    }
}

fn responses(ask: &Ask, reader: Reader<'_>, into: &mut Vec<Setting<'_>>) {
    let with = reader.sending.with;
    // Models that think before they answer tell nobody.
    if with.logprobs && !thinks_before_answering(reader.model) {
        into.push(("include", Some(with_logprobs(ask.member("include")).into())));
        into.extend((!ask.wants_logprobs()).then_some(("top_logprobs", Some(TOP.into()))));
    }
    into.extend(with.effort.map(|effort| ("reasoning.effort", Some(effort_word(effort, reader)))));
    into.extend(with.service_tier.as_deref().map(|tier| ("service_tier", Some(openai_tier(tier)))));
    temperature("temperature", with, into);
}

/// Returns what a response is asked to include, how likely its words were among it.
fn with_logprobs(asked: Option<Value<'_>>) -> String {
    let mut all: Vec<&str> = asked.into_iter().flat_map(Value::items).map(Value::raw).collect();
    if !all.contains(&LOGPROBS) {
        all.push(LOGPROBS);
    }
    format!("[{}]", all.join(","))
}

fn completions(reader: Reader<'_>, into: &mut Vec<Setting<'_>>) {
    let with = reader.sending.with;
    if with.effort.is_some() {
        leave_out("reasoning_effort", reader);
    }
    if with.service_tier.is_some() {
        reader.leave_out_tier();
    }
    temperature("temperature", with, into);
}

fn messages(ask: &Ask, reader: Reader<'_>, into: &mut Vec<Setting<'_>>) {
    let Reader { model, sending, .. } = reader;
    let with = sending.with;
    match with.service_tier.as_deref().map(messages_tier) {
        Some(Some(word)) => into.extend([("service_tier", Some(word.into())), ("speed", None)]),
        Some(None) => reader.leave_out_tier(),
        None => {}
    }
    match with.temperature {
        // Anthropic's range ends at 1.
        Some(1001..) => leave_out("temperature", reader),
        _ => temperature("temperature", with, into),
    }
    let most = sending.limit(ask.scan.measures.max_output).unwrap_or(u64::MAX);
    let thinking = ask.member("thinking");
    let kind = thinking.and_then(|thinking| thinking.text_of("type"));
    let budget = thinking.and_then(|thinking| thinking.get("budget_tokens")).and_then(Value::number);
    let is_thinking = matches!(kind.as_deref(), Some("enabled" | "adaptive"));
    let may_think = |is_by_budget: bool| {
        let is_midway = || is_by_budget && is_midway(ask);
        is_thinking || (with.temperature.is_none() && may_think(ask) && !is_midway())
    };
    match (with.effort, claude(model)) {
        (Some(Effort::None), Claude::Budget | Claude::Adaptive) => {
            into.extend([("thinking", None), ("output_config.effort", None)]);
        }
        (Some(effort), Claude::Adaptive) => {
            let word = claude_word(model, effort);
            if word != effort.name() {
                leave_out("reasoning_effort", reader);
            }
            into.push(("output_config.effort", Some(quoted(word).into())));
            if !is_thinking && may_think(false) {
                into.push(("thinking", Some(r#"{"type":"adaptive"}"#.into())));
            }
        }
        (Some(effort), Claude::Budget) if most / 2 >= LEAST_BUDGET && may_think(true) => {
            let budget = effort.budget().clamp(LEAST_BUDGET, most / 2);
            into.push(("thinking.type", Some(r#""enabled""#.into())));
            into.push(("thinking.budget_tokens", Some(budget.to_string().into())));
            // The client's own word for it, which Opus 4.5 takes beside a budget.
            into.push(("output_config.effort", None));
            return;
        }
        (Some(_), _) => leave_out("reasoning_effort", reader),
        (None, _) => {}
    }
    // A budget has to be less than the limit, where that is the rung's.
    let is_rungs = with.max_output.map(u64::from) == Some(most) && with.effort != Some(Effort::None);
    match budget.filter(|budget| is_rungs && *budget >= most) {
        Some(_) if most / 2 >= LEAST_BUDGET => {
            into.push(("thinking.budget_tokens", Some((most / 2).to_string().into())));
        }
        Some(_) => {
            reader.leave_out("thinking");
            into.push(("thinking", None));
        }
        None => {}
    }
}

/// Says whether thinking that the client did not ask for goes together with its request: as when translated, not with a
/// forced tool or set sampling.
fn may_think(ask: &Ask) -> bool {
    let is_said = |name| ask.member(name).is_some_and(|value| !value.is_null());
    let choice = ask.member("tool_choice").and_then(|choice| choice.text_of("type"));
    let is_forced = matches!(choice.as_deref(), Some("any" | "tool"));
    let is_sampled = ["temperature", "top_p", "top_k"].into_iter().any(is_said);
    !is_forced && !is_sampled
}

/// Says whether it stands in the middle of calls whose thoughts may not be there: thinking by a budget wants them.
fn is_midway(ask: &Ask) -> bool {
    let is_result = |block: Value<'_>| block.text_of("type").as_deref() == Some("tool_result");
    let last = ask.member("messages").and_then(|turns| turns.items().last());
    ask.scan.ends_with_assistant
        || last.and_then(|turn| turn.get("content")).is_some_and(|content| content.items().any(is_result))
}

fn gemini(ask: &Ask, reader: Reader<'_>, into: &mut Vec<Setting<'_>>) {
    let Reader { model, sending, .. } = reader;
    let with = sending.with;
    match with.service_tier.as_deref().map(gemini_tier) {
        Some(Some(ORDINARY_TIER)) => into.push(("serviceTier", None)),
        Some(Some(word)) => into.push(("serviceTier", Some(word.into()))),
        Some(None) => reader.leave_out_tier(),
        None => {}
    }
    temperature("generationConfig.temperature", with, into);
    if with.logprobs && !ask.wants_logprobs() {
        into.push(("generationConfig.responseLogprobs", Some("true".into())));
        into.push(("generationConfig.logprobs", Some(TOP.into())));
    }
    if let Some(most) = with.max_output.filter(|_| ask.scan.limits.is_empty()) {
        into.push(("generationConfig.maxOutputTokens", Some(most.to_string().into())));
    }
    let Some(effort) = with.effort else { return };
    if !gemini_thinks(model) {
        return leave_out("reasoning_effort", reader);
    }
    if effort.is_beyond_high() || (effort == Effort::None && gemini_always_thinks(model)) {
        leave_out("reasoning_effort", reader);
    }
    // Thoughts count against the limit of output; half of it is left for the answer.
    let room = sending.limit(ask.scan.measures.max_output).map_or(u64::MAX, |limit| limit / 2);
    let budget = gemini_budget(model, effort.budget().min(room));
    if budget == 0 {
        into.push(("generationConfig.thinkingConfig.includeThoughts", None));
    }
    into.push(("generationConfig.thinkingConfig.thinkingBudget", Some(budget.to_string().into())));
    into.push(("generationConfig.thinkingConfig.thinkingLevel", None));
}

/// Puts settings into a body.
fn put(ask: &Ask, settings: &[Setting<'_>]) -> Bytes {
    let mut edits = Edits::new(ask);
    for head in heads(settings) {
        let at = ask.find(head);
        let there = at.and_then(|at| ask.scan.members.get(at));
        let old = there.and_then(|member| ask.value(&member.value));
        match (there, settled(old, &below(settings, head))) {
            (Some(member), Some(json)) => edits.replace(member.value.clone(), json),
            (None, Some(json)) => edits.add(head, &json),
            (_, None) => edits.removed.extend(at),
        }
    }
    edits.done()
}

/// Lists what paths begin with, each once.
fn heads<'s>(settings: &[Setting<'s>]) -> Vec<&'s str> {
    let mut heads: Vec<&str> = Vec::new();
    for (path, _) in settings {
        let head = path.split('.').next().unwrap_or(path);
        if !heads.contains(&head) {
            heads.push(head);
        }
    }
    heads
}

/// Returns the settings within a member, and that of the member itself under an empty path.
fn below<'s>(settings: &[Setting<'s>], head: &str) -> Vec<Setting<'s>> {
    let within = |(path, json): &Setting<'s>| {
        let rest = path.strip_prefix(head)?;
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix('.')? };
        Some((rest, json.clone()))
    };
    settings.iter().filter_map(within).collect()
}

/// Returns a member as it is once its settings hold; nothing where it goes, or nothing is left in it.
fn settled(old: Option<Value<'_>>, settings: &[Setting<'_>]) -> Option<Vec<u8>> {
    if let Some((_, json)) = settings.iter().find(|(path, _)| path.is_empty()) {
        return json.as_deref().map(|json| json.as_bytes().to_vec());
    }
    let old = || old.into_iter().flat_map(Value::members);
    let heads = heads(settings);
    let (mut out, mut is_empty) = (Vec::new(), true);
    object(&mut out, |o| {
        let is_set = |key: &str| heads.iter().any(|head| is_named(key.as_bytes(), head));
        for (key, value) in old().filter(|(key, _)| !is_set(key)) {
            o.put(&key, value);
            is_empty = false;
        }
        for head in &heads {
            let inner = old().filter(|(key, _)| is_named(key.as_bytes(), head)).last();
            let json = settled(inner.map(|(_, value)| value), &below(settings, head));
            if let Some(json) = json.as_deref().and_then(|json| std::str::from_utf8(json).ok()) {
                o.put(head, Raw(json));
                is_empty = false;
            }
        }
    });
    (!is_empty).then_some(out)
}
