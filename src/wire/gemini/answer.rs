//! A finished answer of Gemini, read.

use super::{finish_from, part};
use crate::record::usage::{GeminiUsage, Grounding};
use crate::wire::Dialect;
use crate::wire::json::Value;
use crate::wire::logprobs::Logprobs;
use crate::wire::reply::{Choice, Finish, Part, Reply, block, buckets, ended_empty, misended};

/// Reads an answer.
pub(in crate::wire) fn read(root: Value<'_>) -> Reply<'_> {
    let id = root.text_of("responseId").unwrap_or_default();
    let mut choices: Vec<Choice<'_>> = root
        .get("candidates")
        .into_iter()
        .flat_map(Value::items)
        .map(|value| candidate(value, &id))
        .collect();
    // A prompt that was blocked has no candidates.
    if choices.is_empty() && root.get("promptFeedback").and_then(|said| said.get("blockReason")).is_some() {
        choices.push(Choice { finish: Finish::Filtered, ..Choice::default() });
    }
    Reply {
        model: root.text_of("modelVersion").filter(|model| !model.is_empty()),
        usage: root
            .get("usageMetadata")
            .and_then(block::<GeminiUsage>)
            .and_then(|usage| buckets(searched(usage, root).counted())),
        choices,
        id,
    }
}

/// Adds what an answer rests on, and the tier that served.
pub(super) fn searched(mut usage: GeminiUsage, root: Value<'_>) -> GeminiUsage {
    let candidates = root.get("candidates").into_iter().flat_map(Value::items);
    let mut all = Grounding::default();
    candidates.filter_map(|one| block(one.get("groundingMetadata")?)).for_each(|one| all.add(one));
    usage.rest_on(all);
    usage.serve(&root.text_of("serviceTier").unwrap_or_default());
    usage
}

fn candidate<'a>(value: Value<'a>, id: &str) -> Choice<'a> {
    let mut parts = Vec::new();
    let mut calls = 0;
    let content = value.get("content").and_then(|content| content.get("parts"));
    for said in content.into_iter().flat_map(Value::items) {
        let Some(part) = part(said, id, calls) else { continue };
        calls += usize::from(matches!(part, Part::Call(_)));
        parts.push(part);
    }
    let word = value.text_of("finishReason");
    let finish = word.as_deref().map(finish_from).unwrap_or_default();
    let logprobs = Logprobs::of(Dialect::Gemini, value);
    let mut choice = Choice { parts, finish, logprobs, ..Choice::default() };
    choice.fault = misended("finishReason", word.as_deref(), finish);
    if finish == Finish::Stop && choice.is_empty() {
        choice.fault = Some(ended_empty());
    }
    choice
}
