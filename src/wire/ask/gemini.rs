//! One pass over a request in Gemini's form, whose model and manner of answering stand in the address.

use std::collections::HashSet;

use super::measures::AskMeasures;
use super::scan::{Member, Prompt, Scan, choices, is_reminder, limit, once, plain};
use super::weigh;
use crate::wire::error::Result;
use crate::wire::gemini::names::{camel, member, text_of};
use crate::wire::json::Value;
use crate::wire::{Dialect, WireError, embeddings};

/// Reads what routing needs from a checked body.
pub(super) fn scan(body: &[u8], root: Value<'_>, model: &str) -> Result<Scan> {
    let mut scan = begun(root, model)?;
    let mut seen = HashSet::new();
    let mut prompt = Prompt::new(Dialect::Gemini, body);
    let mut members = root.members();
    while let Some((key, value)) = members.next() {
        plain(&key, members.key)?;
        scan.members.push(Member { key: members.key.span_in(body), value: value.span_in(body) });
        let key = camel(&key);
        once(&mut seen, key.clone().into_owned())?;
        match &*key {
            "contents" if !value.is_null() => {
                prompt.is_there = true;
                contents(value, &mut prompt, &mut scan)?;
            }
            "cachedContent" if !value.is_null() => scan.measures.is_elsewhere = true,
            "systemInstruction" => prompt.bytes += weigh::bytes(value),
            "tools" => {
                prompt.bytes += weigh::bytes(value);
                for (kind, _) in value.each().flat_map(Value::members) {
                    let kind = camel(&kind);
                    // What Google finds by its own tools is part of the prompt.
                    scan.measures.is_elsewhere |= !matches!(&*kind, "functionDeclarations" | "computerUse");
                    let kind = Some(&*kind).filter(|kind| *kind != "functionDeclarations");
                    scan.measures.beside += weigh::of_tool(kind);
                }
                // Functions one by one; each tool of Google's own is one as well.
                let count: usize = value.each().flat_map(Value::members).map(count).sum();
                scan.measures.tools = u32::try_from(count).unwrap_or(u32::MAX);
            }
            "generationConfig" => {
                scan.measures.beside += weigh::bytes(value);
                settings(value, body, &mut scan)?;
            }
            _ => scan.measures.beside += weigh::bytes(value),
        }
    }
    if !prompt.is_there {
        return Err(WireError::invalid("contents", "is missing"));
    }
    prompt.into(&mut scan);
    Ok(scan)
}

/// Reads what routing needs from a request for embeddings.
pub(super) fn scan_embeddings(body: &[u8], root: Value<'_>, model: &str) -> Result<Scan> {
    let mut scan = begun(root, model)?;
    embeddings::names(root, model)?;
    let content = embeddings::content(root)?;
    scan.ask = Some(content.span_in(body));
    scan.measures.estimated_prompt_tokens = weigh::bytes(content).div_ceil(4);
    Ok(scan)
}

fn begun(root: Value<'_>, model: &str) -> Result<Scan> {
    if !root.is_object() {
        return Err(WireError::NotJson("the body has to be an object".to_owned()));
    }
    if model.is_empty() {
        let what = "stands in the address: /v1beta/models/MODEL:generateContent";
        return Err(WireError::invalid("model", what));
    }
    Ok(Scan {
        model: model.to_owned(),
        measures: AskMeasures { choices: 1, ..AskMeasures::default() },
        ..Scan::default()
    })
}

/// Reads the turns, a picture counted as what it stands for.
fn contents(value: Value<'_>, prompt: &mut Prompt<'_>, scan: &mut Scan) -> Result<()> {
    if !value.is_array() && !value.is_object() {
        return Err(WireError::invalid("contents", "has to be a list"));
    }
    for (at, turn) in value.each().enumerate() {
        if !turn.is_object() {
            return Err(WireError::invalid(format!("contents[{at}]"), "has to be an object"));
        }
        let before = prompt.turns;
        prompt.turns += weigh::bytes(turn);
        let parts = member(turn, "parts");
        for part in parts.into_iter().flat_map(Value::each) {
            let result = member(part, "functionResponse").and_then(|result| member(result, "parts"));
            for part in std::iter::once(part).chain(result.into_iter().flat_map(Value::each)) {
                let Some(weight) = weight(part) else { continue };
                scan.measures.has_images |= weight.is_picture;
                scan.measures.is_elsewhere |= weight.is_elsewhere;
                scan.measures.beside += weight.most;
                let size = part.raw().len() as u64;
                prompt.turns = prompt.turns.saturating_sub(size).saturating_add(weight.bytes);
            }
        }
        let is_users = member(turn, "role").and_then(Value::text).is_none_or(|role| role == "user");
        let gives_results =
            || parts.into_iter().flat_map(Value::each).any(|p| member(p, "functionResponse").is_some());
        if !is_users && !gives_results() {
            scan.last_turn = vec![turn.span_in(prompt.body)];
        }
        scan.turns = at + 1;
        if let Some(parts) = parts.filter(|parts| is_users && has_text(*parts)) {
            prompt.asks(parts, before, scan);
        }
    }
    Ok(())
}

/// Returns what a part weighs that is no text.
fn weight(part: Value<'_>) -> Option<weigh::Weight> {
    let inline = member(part, "inlineData");
    let data = inline.or_else(|| member(part, "fileData"))?;
    let size = inline.and_then(|data| member(data, "data")).map_or(0, |data| data.raw().len() as u64);
    let kind = text_of(data, "mimeType").unwrap_or_default();
    let weight = weigh::of_media(&kind, size);
    if inline.is_none() && !kind.starts_with("image/") {
        return Some(weigh::Weight { is_elsewhere: true, ..weight.unwrap_or_default() });
    }
    weight
}

/// Counts the tools that a member of a tool declares.
fn count((key, value): (std::borrow::Cow<'_, str>, Value<'_>)) -> usize {
    match &*camel(&key) {
        "functionDeclarations" => value.each().count(),
        _ => usize::from(!value.is_null()),
    }
}

/// Says whether a user's turn holds text of its own, not results of tools and reminders alone.
fn has_text(parts: Value<'_>) -> bool {
    let is_own = |part: Value<'_>| part.get("text").is_some_and(Value::is_text) && !is_reminder(part);
    parts.each().any(is_own)
}

fn settings(config: Value<'_>, body: &[u8], scan: &mut Scan) -> Result<()> {
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match &*camel(&key) {
            "maxOutputTokens" => {
                scan.measures.max_output = Some(limit(value, "generationConfig.maxOutputTokens")?);
                scan.limits.push(("maxOutputTokens", value.span_in(body)));
            }
            "thinkingConfig" => {
                let budget = member(value, "thinkingBudget").and_then(Value::number);
                scan.measures.thoughts = budget.unwrap_or(0);
            }
            "candidateCount" => {
                scan.measures.choices = choices(value, "generationConfig.candidateCount")?;
            }
            "responseMimeType" => {
                scan.measures.wants_json |= value.text().as_deref() == Some("application/json");
            }
            "responseSchema" | "responseJsonSchema" => scan.schema = Some(value.span_in(body)),
            _ => {}
        }
    }
    Ok(())
}
