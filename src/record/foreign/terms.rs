//! Service tiers and meters that formats tell beside their usage: next to it in an answer, among its items, in a row's
//! parameters, in attributes of a span.
//!
//! Invariant: nothing here refuses an entry; what cannot be read says nothing.

use std::collections::BTreeMap;

use memchr::memmem;
use serde::Deserialize;

use super::bodies::Body;
use super::langfuse::is_bucket;
use super::otel::ADDRESS;
use super::served::{bill_by, by_address, by_prefix};
use crate::pricing::Terms;
use crate::record::entry::some_terms;
use crate::record::json::{self, Embedded, Num, Word, nullable};
use crate::record::usage::{Grounding, Offered, SESSIONS, Said, ServerBlocks, ShownItem, is_known_key};
use crate::record::{InputFormat, Record};

/// What stands in the text of an entry that has something to say here; nearly all others are passed over at once.
const HINTS: [&str; 19] = [
    "service_tier",
    "serviceTier",
    "_call\"",
    "_citation\"",
    "grounding",
    "server_tool_use",
    "_tool_result",
    "\"container\"",
    "audio",
    "image",
    "search",
    "video",
    "_models",
    "tool_usage",
    "api_base",
    "_model_name",
    "_filter_results\":",
    "fp_ollama",
    "address",
];

/// Adds to the last attempt of an entry what its text says of tier and meters outside the usage block.
pub(super) fn complete(format: InputFormat, text: &str, record: &mut Record<'_>) {
    use InputFormat as F;
    let has = |hint: &str| memmem::find(text.as_bytes(), hint.as_bytes()).is_some();
    if format != F::OpenRouter && !HINTS.iter().any(|hint| has(hint)) {
        return;
    }
    let Some(last) = record.attempts.last_mut() else { return };
    let mut terms = last.terms.as_deref().copied().unwrap_or_default();
    let mut is_guess = false;
    let mut went = Vec::new();
    match format {
        F::OpenAi => {
            is_guess = openai(text, &mut terms);
            // What only the servers of these hosts add to an answer.
            for (mark, host) in [("\"prompt_filter_results\":", "azure"), ("\"fp_ollama\"", "ollama")] {
                if has(mark) {
                    bill_by(last, host);
                }
            }
        }
        F::Gemini => is_guess = gemini(text, &mut terms),
        F::Anthropic => is_guess = ServerBlocks::of_message(text).tell(&mut terms),
        F::LiteLlmSpend | F::LiteLlmPayload => (went, is_guess) = litellm(text, &mut terms),
        F::Langfuse => (went, is_guess) = langfuse(text, &mut terms),
        F::Helicone => helicone(text, &mut terms),
        F::Portkey | F::TensorZero => {}
        F::OpenRouter => openrouter(text, &mut terms),
        _ => return,
    }
    if matches!(format, F::LiteLlmSpend | F::LiteLlmPayload | F::Helicone | F::Portkey | F::TensorZero) {
        // Whoever is short of one serves another.
        is_guess |= part::<Bodies>(text).serve(&mut terms);
    }
    for Went { address, model } in &went {
        by_address(last, address.as_str());
        by_prefix(last, model.as_str());
    }
    last.estimated |= is_guess && last.usage.is_known();
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

/// The bodies that a row keeps of a call.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Bodies {
    #[serde(alias = "raw_request", alias = "request", alias = "proxy_server_request")]
    request_body: Body,
    #[serde(alias = "raw_response", alias = "response")]
    response_body: Body,
}

/// A body, or what holds it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    service_tier: Said,
    body: Embedded<Tier>,
}

impl Bodies {
    /// Takes the tier that was asked for, unless the answer tells one, the ordinary one included; says whether it did.
    fn serve(&self, terms: &mut Terms) -> bool {
        let answer = self.response_body.text();
        let is_told = !part::<Tier>(answer).service_tier.as_str().is_empty()
            || ["\"service_tier\":\"", "\"service_tier\": \""].iter().any(|told| answer.contains(told));
        let asked = || part::<Asked>(self.request_body.text());
        !is_told && {
            let asked = asked();
            serve_first(terms, [asked.service_tier, asked.body.0.service_tier].into_iter())
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Items {
    #[serde(deserialize_with = "nullable")]
    output: Vec<Item>,
    #[serde(deserialize_with = "nullable")]
    tools: Vec<Tool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tool {
    #[serde(rename = "type")]
    kind: Said,
    #[serde(deserialize_with = "nullable")]
    environment: Action,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    #[serde(rename = "type")]
    kind: Word,
    status: Said,
    #[serde(deserialize_with = "nullable")]
    action: Action,
    #[serde(deserialize_with = "nullable")]
    environment: Action,
}

/// The messages of a response, with their sources.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Cited {
    #[serde(deserialize_with = "nullable")]
    output: Vec<Citing>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Citing {
    #[serde(deserialize_with = "nullable")]
    content: Vec<Message>,
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
    #[serde(deserialize_with = "nullable")]
    choices: Vec<Choice>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    #[serde(deserialize_with = "nullable", alias = "delta")]
    message: Message,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    #[serde(deserialize_with = "nullable")]
    annotations: Vec<Action>,
}

/// Says whether something that is billed shows in the answer, which does not tell how much of it there was.
fn openai(text: &str, terms: &mut Terms) -> bool {
    terms.serve(part::<Tier>(text).service_tier.as_str());
    let Items { output, tools } = part(text);
    let mut offered = Offered::default();
    for tool in &tools {
        offered.add(tool.kind.as_str(), tool.environment.kind.as_str());
    }
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for item in &output {
        let meter = offered.meter(ShownItem {
            kind: item.kind.as_str(),
            action: item.action.kind.as_str(),
            status: item.status.as_str(),
            place: item.environment.kind.as_str(),
        });
        if let Some(meter) = meter {
            *calls.entry(meter).or_default() += 1;
        }
    }
    let cited = part::<Cited>(text).output;
    let sources = || cited.iter().flat_map(|item| &item.content).flat_map(|said| &said.annotations);
    if sources().any(|source| source.kind.as_str() == "container_file_citation") {
        calls.insert(SESSIONS, 1);
    }
    // A container is billed by the session, which its calls share.
    let mut is_guess = calls.get_mut(SESSIONS).map(|calls| *calls = 1).is_some();
    for (meter, count) in calls {
        once(terms, meter, count);
    }
    let choices = part::<Choices>(text).choices;
    let mut notes = choices.iter().flat_map(|choice| &choice.message.annotations).chain(sources());
    let is_searched = terms.meters().any(|(meter, _)| meter.contains("search"));
    if notes.any(|note| note.kind.as_str() == "url_citation") && !is_searched {
        terms.meter("web_search", 1);
        is_guess = true;
    }
    is_guess
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Candidates {
    #[serde(deserialize_with = "nullable")]
    candidates: Vec<Candidate>,
    #[serde(rename = "serviceTier", alias = "service_tier")]
    service_tier: Said,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Candidate {
    #[serde(rename = "groundingMetadata", alias = "grounding_metadata", deserialize_with = "nullable")]
    grounding: Grounding,
}

/// Says whether the answer rests on sources, whose price no answer tells for sure.
fn gemini(text: &str, terms: &mut Terms) -> bool {
    let Candidates { candidates, service_tier } = part(text);
    terms.serve(service_tier.as_str());
    let mut all = Grounding::default();
    for one in &candidates {
        all.add(one.grounding);
    }
    all.tell(terms)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LiteLlmRow {
    model_parameters: Embedded<Tier>,
    metadata: Embedded<Around>,
    response: Embedded<Tier>,
    #[serde(flatten)]
    row: Around,
}

/// What may stand in a row or in its metadata.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Around {
    service_tier: Said,
    cost_breakdown: Embedded<Breakdown>,
    hidden_params: Embedded<Hidden>,
    optional_params: Embedded<Tier>,
    usage_object: Embedded<Tier>,
    api_base: Word,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Breakdown {
    service_tier: Said,
    tool_usage_cost: Word,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Hidden {
    service_tier: Said,
    optional_params: Embedded<Tier>,
    #[serde(deserialize_with = "nullable")]
    batch_models: Vec<Word>,
    api_base: Word,
    litellm_model_name: Word,
}

impl Around {
    /// Returns the tiers that served, as it tells.
    fn tiers(&self) -> [Said; 4] {
        let (used, billed) = (self.usage_object.0.service_tier, self.cost_breakdown.0.service_tier);
        [used, billed, self.service_tier, self.hidden_params.0.service_tier]
    }

    /// Returns the tiers that were asked for.
    fn asked(&self) -> [Said; 2] {
        [self.hidden_params.0.optional_params.0.service_tier, self.optional_params.0.service_tier]
    }
}

/// Where a call went, as a row names it: an address, or a model with a host in front.
#[derive(Default)]
struct Went {
    address: Word,
    model: Word,
}

/// Tells the tier and meters of a row; gives where it says that the call went, and whether the tier was only asked for.
fn litellm(text: &str, terms: &mut Terms) -> (Vec<Went>, bool) {
    let LiteLlmRow { model_parameters, metadata, response, row } = part(text);
    let around = [&row, &metadata.0];
    let told = std::iter::once(response.0.service_tier).chain(around.iter().flat_map(|part| part.tiers()));
    let asked = around.iter().flat_map(|part| part.asked()).chain([model_parameters.0.service_tier]);
    let is_guess = serve_or_ask(terms, told, asked);
    let mut models: Vec<_> = around.iter().flat_map(|part| &part.hidden_params.0.batch_models).collect();
    models.sort_by_key(|model| model.as_str());
    models.dedup();
    if !models.is_empty() {
        terms.serve("batch");
    }
    if models.len() > 1 {
        // One row for calls of several models, each with a price of its own.
        terms.meter("batch_models", models.len() as u64);
    }
    let costs = |part: &&Around| is_charge(&part.cost_breakdown.0.tool_usage_cost);
    let is_told = terms.meters().any(|(meter, _)| !meter.contains("audio") && !meter.contains("image"));
    if around.iter().any(costs) && !is_told {
        terms.meter("tool_usage", 1);
    }
    let places = around.into_iter().flat_map(|part| {
        let Hidden { api_base, litellm_model_name, .. } = &part.hidden_params.0;
        let hidden = Went { address: api_base.clone(), model: litellm_model_name.clone() };
        [Went { address: part.api_base.clone(), ..Went::default() }, hidden]
    });
    (places.collect(), is_guess)
}

/// Takes the first tier that is told, else the first that was asked for, and says whether it was that: whoever is short of
/// one serves another.
fn serve_or_ask(
    terms: &mut Terms,
    told: impl Iterator<Item = Said>,
    asked: impl Iterator<Item = Said>,
) -> bool {
    let mut told = told.filter(|said| !said.as_str().is_empty()).peekable();
    let is_told = told.peek().is_some();
    let is_new = serve_first(terms, told);
    (!is_told && !is_new) && serve_first(terms, asked)
}

/// Takes the first tier that is said, unless the usage told one; says whether it took any but the ordinary one.
fn serve_first(terms: &mut Terms, mut told: impl Iterator<Item = Said>) -> bool {
    let said = told.find(|said| !matches!(said.as_str(), "" | "auto" | "standard_only"));
    let Some(said) = said.filter(|_| terms.tier().is_empty()) else { return false };
    terms.serve(said.as_str());
    !terms.tier().is_empty()
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Observation {
    #[serde(alias = "modelParameters")]
    model_parameters: Embedded<Tier>,
    metadata: Body,
}

/// What stands in an observation's metadata, which may be anything.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Beside {
    #[serde(alias = "serviceTier")]
    service_tier: Said,
    #[serde(alias = "apiBase", alias = "base_url")]
    api_base: Word,
    attributes: Embedded<BTreeMap<String, Word>>,
}

/// Tells the tier of an observation; gives where it says that the call went, and whether the tier was only asked for.
fn langfuse(text: &str, terms: &mut Terms) -> (Vec<Went>, bool) {
    let row = part::<Observation>(text);
    let beside = part::<Beside>(row.metadata.text());
    let attributes = beside.attributes.0;
    let said = |names: &'static [&str]| {
        names.iter().filter_map(|name| attributes.get(*name)).map(|word| Said::new(word.as_str()))
    };
    let (told, asked) = (said(TIER).chain([beside.service_tier]), said(TIER_ASKED));
    let is_guess = serve_or_ask(terms, told, asked.chain([row.model_parameters.0.service_tier]));
    let addresses = ADDRESS.iter().filter_map(|name| attributes.get(*name)).cloned();
    let went = addresses.chain([beside.api_base]).map(|address| Went { address, ..Went::default() });
    (went.collect(), is_guess)
}

/// Tells what keys of Langfuse's usage count besides plain tokens; every key counts something, so an unknown one is told.
pub(super) fn langfuse_meters(details: &BTreeMap<String, Num>, terms: &mut Terms) {
    for (key, count) in details {
        let (name, count) = (key.to_ascii_lowercase(), count.or_zero());
        let side = if name.starts_with("input") { "input" } else { "output" };
        let is_side = name.starts_with(side);
        match name.as_str() {
            name if is_bucket(name) => {}
            name if is_side && name.contains("audio") => terms.meter(&format!("audio_{side}"), count),
            name if is_side && name.contains("image") => terms.meter(&format!("image_{side}"), count),
            name if name.contains("web_search") => terms.meter("web_search", count),
            name if is_known_key(name) => {}
            name => terms.meter(name, count),
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
    num_fetches: Num,
    usage_web: Word,
    usage_file: Word,
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
    terms.meter("fetches", row.num_fetches.or_zero());
    // What it charged for searches and files by itself: how many there were, it does not always say.
    let is_counted = row.num_search_results.or_zero() > 0 || row.num_fetches.or_zero() > 0;
    if is_charge(&row.usage_web) && !is_counted {
        terms.meter("web_plugin", 1);
    }
    if is_charge(&row.usage_file) {
        terms.meter("file_plugin", 1);
    }
}

/// Says whether an amount is more than nothing.
fn is_charge(amount: &Word) -> bool {
    amount.as_str().parse().is_ok_and(|amount: f64| amount > 0.0)
}

/// Attributes of spans that tell the tier that served.
const TIER: &[&str] = &[
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
    "gen_ai.usage.service_tier",
    "gen_ai.usage.details.service_tier",
    "llm.response.service_tier",
];
/// Those that tell the one that was asked for.
const TIER_ASKED: &[&str] =
    &["openai.request.service_tier", "gen_ai.openai.request.service_tier", "gen_ai.request.service_tier"];
/// Attributes of spans that count what is billed apart, by meter.
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

/// Says whether an attribute is read here.
pub(super) fn is_told(key: &str) -> bool {
    TIER.contains(&key) || TIER_ASKED.contains(&key) || METERS.iter().any(|(_, names)| names.contains(&key))
}

/// Reads what a span tells, and says whether its tier was only asked for; `get` gives the first of the named attributes
/// that says something.
pub(super) fn of_span(get: impl Fn(&[&str]) -> Word, terms: &mut Terms) -> bool {
    let said = |names: &[&str]| std::iter::once(Said::new(get(names).as_str()));
    let is_guess = serve_or_ask(terms, said(TIER), said(TIER_ASKED));
    for (meter, names) in METERS {
        once(terms, meter, get(names).as_str().parse().unwrap_or(0));
    }
    is_guess
}
