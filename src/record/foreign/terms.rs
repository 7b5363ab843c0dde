//! Service tiers and meters that formats tell beside their usage: next to it in an answer, among its items, in a row's
//! parameters, in attributes of a span.
//!
//! Invariant: nothing here refuses an entry; what cannot be read says nothing.

use std::collections::BTreeMap;

use memchr::memmem;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::pricing::Terms;
use crate::record::entry::some_terms;
use crate::record::json::{self, Embedded, Num, Word, nullable};
use crate::record::usage::{Said, billed_item, unlisted_key};
use crate::record::{InputFormat, Record};

/// What stands in the text of an entry that has something to say here; nearly all others are passed over at once.
const HINTS: [&str; 9] = [
    "service_tier",
    "serviceTier",
    "_call\"",
    "url_citation",
    "webSearchQueries",
    "audio",
    "image",
    "search",
    "video",
];

/// Adds to the last attempt of an entry what its text says of tier and meters outside the usage block.
pub(super) fn complete(format: InputFormat, text: &str, record: &mut Record<'_>) {
    use InputFormat as F;
    let has = |hint: &str| memmem::find(text.as_bytes(), hint.as_bytes()).is_some();
    if !HINTS.iter().any(|hint| has(hint)) {
        return;
    }
    let Some(last) = record.attempts.last_mut() else { return };
    let mut terms = last.terms.as_deref().copied().unwrap_or_default();
    match format {
        F::OpenAi => openai(text, &mut terms),
        F::Gemini => gemini(text, &mut terms),
        F::LiteLlmSpend | F::LiteLlmPayload => litellm(text, &mut terms),
        F::Langfuse => langfuse(text, &mut terms),
        F::Helicone => helicone(text, &mut terms),
        F::OpenRouter => openrouter(text, &mut terms),
        _ => return,
    }
    last.terms = some_terms(&terms);
}

/// Reads a part of an entry; what does not fit says nothing.
fn part<T: Default + for<'de> Deserialize<'de>>(text: &str) -> T {
    json::read(text).unwrap_or_default()
}

/// Counts something unless that was told before.
fn once(terms: &mut Terms, meter: &str, count: u64) {
    if terms.meters().all(|(known, _)| known != meter) {
        terms.meter(meter, count);
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tier {
    service_tier: Said,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Items {
    output: Vec<Item>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    #[serde(rename = "type")]
    kind: Said,
    #[serde(deserialize_with = "nullable")]
    action: Action,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Action {
    #[serde(rename = "type")]
    kind: Said,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choices {
    choices: Vec<Choice>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    message: Message,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    annotations: Vec<Action>,
}

fn openai(text: &str, terms: &mut Terms) {
    terms.serve(part::<Tier>(text).service_tier.as_str());
    let items = part::<Items>(text).output;
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for meter in items.iter().filter_map(|item| billed_item(item.kind.as_str(), item.action.kind.as_str())) {
        *calls.entry(meter).or_default() += 1;
    }
    for (meter, count) in calls {
        once(terms, meter, count);
    }
    let choices = part::<Choices>(text).choices;
    let mut notes = choices.iter().flat_map(|choice| &choice.message.annotations);
    if notes.any(|note| note.kind.as_str() == "url_citation") {
        once(terms, "web_search", 1);
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Candidates {
    candidates: Vec<Candidate>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Candidate {
    #[serde(rename = "groundingMetadata", alias = "grounding_metadata", deserialize_with = "nullable")]
    grounding: Grounding,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Grounding {
    #[serde(rename = "webSearchQueries", alias = "web_search_queries", deserialize_with = "nullable")]
    queries: Vec<IgnoredAny>,
}

fn gemini(text: &str, terms: &mut Terms) {
    let candidates = part::<Candidates>(text).candidates;
    once(terms, "web_search", candidates.iter().map(|one| one.grounding.queries.len() as u64).sum());
}

#[derive(Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are LiteLLM's")]
struct Breakdown {
    #[serde(deserialize_with = "nullable")]
    cost_breakdown: Tier,
    model_parameters: Embedded<Tier>,
    metadata: Embedded<Inner>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inner {
    #[serde(deserialize_with = "nullable")]
    cost_breakdown: Tier,
}

fn litellm(text: &str, terms: &mut Terms) {
    let row = part::<Breakdown>(text);
    let told = [row.cost_breakdown, row.metadata.0.cost_breakdown, row.model_parameters.0];
    serve_first(terms, told.iter().map(|tier| tier.service_tier));
}

/// Takes the first tier that is said, unless the usage told one.
fn serve_first(terms: &mut Terms, mut told: impl Iterator<Item = Said>) {
    let said = told.find(|said| !matches!(said.as_str(), "" | "auto" | "standard_only"));
    if let Some(said) = said.filter(|_| terms.tier().is_empty()) {
        terms.serve(said.as_str());
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Observation {
    #[serde(alias = "usageDetails")]
    usage_details: Embedded<BTreeMap<String, Num>>,
    #[serde(alias = "modelParameters")]
    model_parameters: Embedded<Tier>,
}

fn langfuse(text: &str, terms: &mut Terms) {
    let row = part::<Observation>(text);
    serve_first(terms, [row.model_parameters.0.service_tier].into_iter());
    for (key, count) in &row.usage_details.0 {
        let count = count.or_zero();
        let side = if key.starts_with("input") { "input" } else { "output" };
        let is_side = key.starts_with(side);
        match key.as_str() {
            key if is_side && key.contains("audio") => terms.meter(&format!("audio_{side}"), count),
            key if is_side && key.contains("image") => terms.meter(&format!("image_{side}"), count),
            key if key.contains("web_search") => terms.meter("web_search", count),
            _ if is_side || key.contains("cache") || key.contains("reasoning") => {}
            key => {
                if let Some(name) = unlisted_key(key) {
                    terms.meter(name.as_str(), count);
                }
            }
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HeliconeRow {
    prompt_audio_tokens: Num,
    completion_audio_tokens: Num,
}

fn helicone(text: &str, terms: &mut Terms) {
    let row = part::<HeliconeRow>(text);
    terms.meter("audio_input", row.prompt_audio_tokens.or_zero());
    terms.meter("audio_output", row.completion_audio_tokens.or_zero());
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Generation {
    service_tier: Said,
    num_search_results: Num,
    num_input_audio_prompt: Num,
    native_tokens_completion_images: Num,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wrapped {
    data: Option<Generation>,
}

fn openrouter(text: &str, terms: &mut Terms) {
    let row = part::<Wrapped>(text).data.unwrap_or_else(|| part(text));
    terms.serve(row.service_tier.as_str());
    terms.meter("search_results", row.num_search_results.or_zero());
    terms.meter("audio_prompts", row.num_input_audio_prompt.or_zero());
    terms.meter("image_output", row.native_tokens_completion_images.or_zero());
}

/// Reads what a span tells; `get` gives the first of the named attributes that says something.
pub(super) fn of_span(get: impl Fn(&[&str]) -> Word) -> Terms {
    const TIER: &[&str] = &[
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "gen_ai.usage.service_tier",
        "gen_ai.usage.details.service_tier",
        "llm.response.service_tier",
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
        "gen_ai.request.service_tier",
    ];
    const METERS: [(&str, &[&str]); 4] = [
        (
            "web_search",
            &[
                "gen_ai.usage.web_search_requests",
                "gen_ai.usage.details.web_search_requests",
                "gen_ai.usage.server_tool_use.web_search_requests",
                "gen_ai.usage.details.web_search",
            ],
        ),
        (
            "audio_input",
            &[
                "gen_ai.usage.audio.input_tokens",
                "gen_ai.usage.input_audio_tokens",
                "gen_ai.usage.details.input_audio_tokens",
                "llm.token_count.prompt_details.audio",
            ],
        ),
        (
            "audio_output",
            &[
                "gen_ai.usage.audio.output_tokens",
                "gen_ai.usage.output_audio_tokens",
                "gen_ai.usage.details.output_audio_tokens",
                "llm.token_count.completion_details.audio",
            ],
        ),
        ("image_output", &["gen_ai.usage.image.output_tokens", "gen_ai.usage.output_image_tokens"]),
    ];
    let mut terms = Terms::NONE;
    serve_first(&mut terms, [Said::new(get(TIER).as_str())].into_iter());
    for (meter, names) in METERS {
        terms.meter(meter, get(names).as_str().parse().unwrap_or(0));
    }
    terms
}
