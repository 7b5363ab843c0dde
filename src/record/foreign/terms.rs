//! Service tiers and meters that are told beside the usage: next to it in an answer, among its items, in attributes of a span.
//!
//! Invariant: nothing here refuses an entry; what cannot be read says nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memmem;
use serde::Deserialize;

use super::served::bill_by;
use crate::pricing::Terms;
use crate::record::json::{self, Word, nullable};
use crate::record::usage::{Grounding, Offered, SESSIONS, Said, ServerBlocks, ShownItem};
use crate::record::{Attempt, InputFormat, Record, some_terms};

/// What stands in the text of an entry that has something to say here; nearly all others are passed over at once. First what
/// many have.
const HINTS: [&str; 19] = [
    "api_base",
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
    "_model_name",
    "_filter_results\":",
    "fp_ollama",
    "address",
];

/// Adds to the last attempt of an entry what its text says of tier and meters outside the usage block; `read` says
/// whether that is a guess.
pub(super) fn add(record: &mut Record<'_>, read: impl FnOnce(&mut Attempt<'_>, &mut Terms) -> bool) {
    let Some(last) = record.attempts.last_mut() else { return };
    let mut terms = last.terms.as_deref().copied().unwrap_or_default();
    last.estimated |= read(last, &mut terms) && last.usage.is_known();
    last.terms = some_terms(&terms);
}

/// Says whether a text may have something to say here.
pub(super) fn is_hinted(text: &str) -> bool {
    static FINDERS: LazyLock<[memmem::Finder<'static>; 19]> =
        LazyLock::new(|| HINTS.map(memmem::Finder::new));
    FINDERS.iter().any(|hint| hint.find(text.as_bytes()).is_some())
}

/// Adds what an answer says, by its dialect.
pub(super) fn of_answer(format: InputFormat, text: &str, record: &mut Record<'_>) {
    if !is_hinted(text) {
        return;
    }
    add(record, |last, terms| match format {
        InputFormat::OpenAi => {
            // What only the servers of these hosts add to an answer.
            for (mark, host) in [("\"prompt_filter_results\":", "azure"), ("\"fp_ollama\"", "ollama")] {
                if has(text, mark) {
                    bill_by(last, host);
                }
            }
            openai(text, terms)
        }
        InputFormat::Gemini => gemini(text, terms),
        InputFormat::Anthropic => ServerBlocks::of_message(text).tell(terms),
        _ => false,
    });
}

fn has(text: &str, mark: &str) -> bool {
    memmem::find(text.as_bytes(), mark.as_bytes()).is_some()
}

/// Reads a part of an entry; what does not fit says nothing.
pub(super) fn part<T: Default + for<'de> Deserialize<'de>>(text: &str) -> T {
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
pub(super) struct Tier {
    pub(super) service_tier: Said,
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

/// Takes the first tier that is told, else the first that was asked for, and says whether it was that: whoever is short of
/// one serves another.
pub(super) fn serve_or_ask(
    terms: &mut Terms,
    told: impl Iterator<Item = Said>,
    asked: impl Iterator<Item = Said>,
) -> bool {
    let mut told = told.filter(|said| !said.as_str().is_empty()).peekable();
    let is_told = told.peek().is_some() || !terms.tier().is_empty();
    serve_first(terms, told);
    !is_told && serve_first(terms, asked)
}

/// Takes the first tier that is said, unless the usage told one; says whether it took any but the ordinary one.
pub(super) fn serve_first(terms: &mut Terms, mut told: impl Iterator<Item = Said>) -> bool {
    let said = told.find(|said| !matches!(said.as_str(), "" | "auto" | "standard_only"));
    let Some(said) = said.filter(|_| terms.tier().is_empty()) else { return false };
    terms.serve(said.as_str());
    !terms.tier().is_empty()
}

/// Attributes of spans that tell the tier that served.
pub(super) const TIER: &[&str] = &[
    "openai.response.service_tier",
    "gen_ai.openai.response.service_tier",
    "gen_ai.response.service_tier",
    "gen_ai.usage.service_tier",
    "gen_ai.usage.details.service_tier",
    "llm.response.service_tier",
];
/// Those that tell the one that was asked for.
pub(super) const TIER_ASKED: &[&str] =
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
