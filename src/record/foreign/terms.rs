//! Service tiers and meters that are told beside the usage: next to it in an answer, among its items, in attributes of a span.
//!
//! Invariant: nothing here refuses an entry; what cannot be read says nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use memchr::memmem;

use super::served::bill_by;
use crate::pricing::Terms;
use crate::record::usage::{Grounding, Offered, SESSIONS, Said, ServerBlocks, ShownItem};
use crate::record::value::Object;
use crate::record::{Attempt, InputFormat, Record, some_terms};

/// What stands in the text of an entry that has something to say here; nearly all others are passed over at once. First what
/// many have.
const HINTS: [&str; 19] = [
    "api_base",
    "service_tier",
    "serviceTier",
    "_call\"",
    "citation",
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

/// Says whether something stands in a text.
pub(super) fn has(text: &str, mark: &str) -> bool {
    memmem::find(text.as_bytes(), mark.as_bytes()).is_some()
}

/// Counts something unless that was told before.
fn once(terms: &mut Terms, meter: &str, count: u64) {
    if terms.meters().all(|(known, _)| known != meter) {
        terms.meter(meter, count);
    }
}

/// Says whether something that is billed shows in the answer, which does not tell how much of it there was.
fn openai(text: &str, terms: &mut Terms) -> bool {
    let Ok(answer) = Object::read(text) else { return false };
    terms.serve(tier(&answer).as_str());
    let word = |of: &Object<'_>, name: &str| of.word(name).unwrap_or_default().into_owned();
    let kind_of =
        |of: &Object<'_>, name: &str| of.object(name).map(|within| word(&within, "type")).unwrap_or_default();
    let (output, tools) = (listed(&answer, "output"), listed(&answer, "tools"));
    let mut offered = Offered::default();
    for tool in &tools {
        offered.add(&word(tool, "type"), &kind_of(tool, "environment"));
    }
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for item in &output {
        let meter = offered.meter(ShownItem {
            kind: &word(item, "type"),
            action: &kind_of(item, "action"),
            status: &word(item, "status"),
            place: &kind_of(item, "environment"),
        });
        if let Some(meter) = meter {
            *calls.entry(meter).or_default() += 1;
        }
    }
    // The messages of a response, with their sources.
    let said = output.iter().flat_map(|item| listed(item, "content"));
    let sources: Vec<Object<'_>> = said.flat_map(|said| listed(&said, "annotations")).collect();
    if sources.iter().any(|source| word(source, "type") == "container_file_citation") {
        calls.insert(SESSIONS, 1);
    }
    // A container is billed by the session, which its calls share.
    let mut is_guess = calls.get_mut(SESSIONS).map(|calls| *calls = 1).is_some();
    for (meter, count) in calls {
        once(terms, meter, count);
    }
    let choices = listed(&answer, "choices").into_iter();
    let messages = choices.filter_map(|choice| choice.object("message|delta").ok());
    let notes = messages.flat_map(|message| listed(&message, "annotations"));
    let is_searched = terms.meters().any(|(meter, _)| meter.contains("search"));
    let is_cited =
        notes.chain(sources).any(|note| word(&note, "type") == "url_citation") || rests_on_pages(&answer);
    if is_cited && !is_searched {
        terms.meter("web_search", 1);
        is_guess = true;
    }
    is_guess
}

/// Says whether an answer, or a chunk of one, names pages beside its choices.
pub(super) fn rests_on_pages(answer: &Object<'_>) -> bool {
    ["citations", "search_results"].iter().any(|name| answer.items(name).is_ok_and(|pages| !pages.is_empty()))
}

/// Lists the objects under a name; where anything else stands there, none.
fn listed<'a>(of: &Object<'a>, name: &str) -> Vec<Object<'a>> {
    of.objects(name).unwrap_or_default()
}

/// Says whether the answer rests on sources, whose price no answer tells for sure.
fn gemini(text: &str, terms: &mut Terms) -> bool {
    let Ok(answer) = Object::read(text) else { return false };
    terms.serve(tier(&answer).as_str());
    let mut all = Grounding::default();
    for one in listed(&answer, "candidates") {
        all.add(one.maybe("groundingMetadata|grounding_metadata").ok().flatten().unwrap_or_default());
    }
    all.tell(terms)
}

/// Returns the service tier that an object tells.
pub(super) fn tier(of: &Object<'_>) -> Said {
    of.maybe("service_tier|serviceTier").ok().flatten().unwrap_or_default()
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
pub(super) fn of_span<'s>(get: impl Fn(&[&str]) -> &'s str, terms: &mut Terms) -> bool {
    let said = |names: &[&str]| std::iter::once(Said::new(get(names)));
    let is_guess = serve_or_ask(terms, said(TIER), said(TIER_ASKED));
    for (meter, names) in METERS {
        once(terms, meter, get(names).parse().unwrap_or(0));
    }
    is_guess
}
