//! One pass over a request in Gemini's form, whose model and manner of answering stand in the address.

use std::collections::HashSet;

use super::measures::AskMeasures;
use super::scan::{Member, Scan, is_reminder, once, plain};
use super::weigh;
use crate::wire::error::Result;
use crate::wire::gemini::names::{camel, member, text_of};
use crate::wire::json::Value;
use crate::wire::{WireError, embeddings};

/// Reads what routing needs from a checked body.
pub(super) fn scan(body: &[u8], root: Value<'_>, model: &str) -> Result<Scan> {
    let mut scan = begun(root, model)?;
    let mut seen = HashSet::new();
    let mut bytes = 0;
    let mut has_contents = false;
    let mut members = root.members();
    while let Some((key, value)) = members.next() {
        plain(&key, members.key())?;
        scan.members.push(Member { key: members.key().span_in(body), value: value.span_in(body) });
        let key = camel(&key);
        once(&mut seen, key.clone().into_owned())?;
        match &*key {
            "contents" if !value.is_null() => {
                has_contents = true;
                bytes += contents(value, body, &mut scan)?;
            }
            "cachedContent" if !value.is_null() => scan.measures.is_elsewhere = true,
            "systemInstruction" => bytes += weigh::bytes(value),
            "tools" => {
                bytes += weigh::bytes(value);
                for (kind, _) in value.each().flat_map(Value::members) {
                    let kind = camel(&kind);
                    scan.measures.is_elsewhere |= is_hosted(&kind);
                    let kind = Some(&*kind).filter(|kind| *kind != "functionDeclarations");
                    scan.measures.beside += weigh::of_tool(kind);
                }
                // Functions one by one; each tool of Google's own is one as well.
                let count: usize = value.each().flat_map(Value::members).map(count).sum();
                scan.measures.tools = u32::try_from(count).unwrap_or(u32::MAX);
                scan.measures.beside += if count > 0 { weigh::TOOL_USE } else { 0 };
            }
            "generationConfig" => {
                scan.measures.beside += weigh::bytes(value);
                settings(value, body, &mut scan)?;
            }
            _ => scan.measures.beside += weigh::bytes(value),
        }
    }
    if !has_contents {
        return Err(WireError::invalid("contents", "is missing"));
    }
    scan.measures.estimated_prompt_tokens = bytes.div_ceil(4);
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

/// Reads the turns; returns their bytes, a picture counted as what it stands for.
fn contents(value: Value<'_>, body: &[u8], scan: &mut Scan) -> Result<u64> {
    if !value.is_array() && !value.is_object() {
        return Err(WireError::invalid("contents", "has to be a list"));
    }
    let mut bytes = 0;
    let mut user_turns = 0u32;
    let mut asked = None;
    for (at, turn) in value.each().enumerate() {
        if !turn.is_object() {
            return Err(WireError::invalid(format!("contents[{at}]"), "has to be an object"));
        }
        let before = bytes;
        bytes += weigh::bytes(turn);
        let parts = member(turn, "parts");
        for part in parts.into_iter().flat_map(Value::each) {
            let result = member(part, "functionResponse").and_then(|result| member(result, "parts"));
            for part in std::iter::once(part).chain(result.into_iter().flat_map(Value::each)) {
                let Some(weight) = weight(part) else { continue };
                scan.measures.has_images |= weight.is_picture;
                scan.measures.is_elsewhere |= weight.is_elsewhere;
                scan.measures.beside += weight.most;
                bytes = bytes.saturating_sub(part.raw().len() as u64).saturating_add(weight.bytes);
            }
        }
        let is_users = member(turn, "role").and_then(Value::text).is_none_or(|role| role == "user");
        let gives_results =
            || parts.into_iter().flat_map(Value::each).any(|p| member(p, "functionResponse").is_some());
        if !is_users && !gives_results() {
            scan.last_turn = vec![turn.span_in(body)];
        }
        scan.turns = at + 1;
        if let Some(parts) = parts.filter(|parts| is_users && has_text(*parts)) {
            user_turns = user_turns.saturating_add(1);
            scan.ask = Some(parts.span_in(body));
            scan.first_ask.get_or_insert_with(|| parts.span_in(body));
            scan.measures.earlier_bytes = before;
            asked = Some(bytes);
        }
    }
    scan.measures.later_bytes = asked.map_or(0, |asked: u64| bytes.saturating_sub(asked));
    scan.measures.earlier_user_turns = user_turns.saturating_sub(1);
    Ok(bytes)
}

/// Returns what a part weighs that is no text.
fn weight(part: Value<'_>) -> Option<weigh::Weight> {
    let inline = member(part, "inlineData");
    let data = inline.or_else(|| member(part, "fileData"))?;
    let size = inline.and_then(|data| member(data, "data")).map_or(0, |data| data.raw().len() as u64);
    let kind = text_of(data, "mimeType").unwrap_or_default();
    if inline.is_none() && !kind.starts_with("image/") {
        return Some(weigh::Weight {
            is_elsewhere: true,
            ..weigh::of_media(&kind, size).unwrap_or_default()
        });
    }
    weigh::of_media(&kind, size)
}

/// Says whether Google runs a tool, so that what it finds is part of the prompt.
fn is_hosted(kind: &str) -> bool {
    !matches!(kind, "functionDeclarations" | "computerUse")
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
                let limit = value.number();
                let what = "has to be a whole number that is not negative";
                let wrong = || WireError::invalid("generationConfig.maxOutputTokens", what);
                scan.measures.max_output = Some(limit.ok_or_else(wrong)?);
                scan.limits.push(("maxOutputTokens", value.span_in(body)));
            }
            "thinkingConfig" => {
                let budget = member(value, "thinkingBudget").and_then(Value::number);
                scan.measures.thoughts = budget.unwrap_or(0);
            }
            "candidateCount" => {
                let count =
                    value.number().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=128).contains(n));
                let wrong =
                    || WireError::invalid("generationConfig.candidateCount", "has to be from 1 to 128");
                scan.measures.choices = count.ok_or_else(wrong)?;
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
