//! OpenTelemetry GenAI spans as OTLP/JSON. Spans of agents and workflows repeat the tokens of the calls below them, and so
//! does a framework's span around the span of the library that it calls: they count where nothing is below them.
//!
//! Invariant: of the spans of one document that tell of one call the innermost counts, in whatever order they stand.

mod document;
mod names;
mod usage;

use std::borrow::Cow;
use std::ops::ControlFlow;

use rustc_hash::FxHashMap;

use document::{Attributes, Span};
pub(super) use names::ADDRESS;
use names::{
    ANSWER, ASKED, AZURE, COST, ENVIRONMENT, INPUT, KIND, METHOD, OUTPUT, PROVIDER, SERVED, SESSION, STEP,
    USER, WRITTEN,
};

use super::fields::{attempt, began, claimed, first, maybe_moment, millis_between, moment, owned, status_of};
use super::served::{bill_by, by_address, by_column};
use super::tagged::{self, Tags};
use super::terms;
use super::written::Written;
use crate::record::json::Measure;
use crate::record::known::{
    AROUND, Nest, Nested, Sink, SpanTold, Standing, Told, answer_key, hear, id_of, names_nothing,
};
use crate::record::skip::Refusal;
use crate::record::value::read;
use crate::record::{Attempts, InputFormat, Record, RecordedNeeds, some_terms};
use crate::routing::Status;

/// What a span that looks like a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One call.
    Call,
    /// One call that makes embeddings.
    Embedding,
    /// A step of a framework around one or several calls, with their sum.
    Around { is_embedding: bool },
    /// A run of an agent or a workflow, with the sum of its calls, of whichever models.
    Sum,
    /// One call that makes something else than text.
    Other,
}

/// Words of operations that make pictures, films and sound, or read them.
const MADE: [&str; 6] = ["image", "video", "speech", "audio", "transcri", "music"];

/// Reads every model call of a document.
pub(super) fn spans(text: &str, nest: &mut Nest, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let parts = match document::read(text) {
        Ok(parts) => parts,
        Err(reason) => return sink(Err(Refusal::Bad(reason))),
    };
    let mut read = Vec::new();
    for (resource, spans) in &parts {
        for span in spans {
            if let Some(own) = key(span, &span.id) {
                match (key(span, &span.parent_span_id), id_of(&[&span.trace_id, "trace"])) {
                    (None, Some(trace)) => nest.place_in(own, trace),
                    (parent, _) => nest.place(own, parent),
                }
            }
            read.push((span, call(span, resource)));
        }
    }
    let mut completed = Vec::new();
    for (place, key, told) in judged(&read, nest) {
        let standing = nest.judge(key, told);
        let Some((_, result)) = read.get_mut(place) else { continue };
        match (standing, result) {
            (Standing::Told(again), Ok((told, _))) => {
                told.nested = Some(Nested { again: Some(again), ..Nested::default() });
            }
            (Standing::Counts(nested), Ok((told, _))) => {
                let completes = nested.completes && !nested.is_in_sum;
                completed.extend(nested.around.filter(|_| completes));
                told.nested = Some(Nested { completes: nested.is_in_sum, ..nested });
            }
            _ => {}
        }
    }
    // They come in the order of the document: the last of them says that they are all.
    for outer in completed {
        let calls = read.iter_mut().filter_map(|(_, result)| result.as_mut().ok()?.0.nested.as_mut());
        if let Some(last) = calls.filter(|nested| nested.around == Some(outer)).last() {
            last.completes = true;
        }
    }
    tell_again(&mut read);
    // Before any of these pushes out what is held of them.
    if let Some(told) = read.iter_mut().find_map(|(_, result)| result.as_mut().ok()) {
        told.0.nested.get_or_insert_default().joined = nest.joined();
    }
    for (_, result) in read {
        sink(result.map(|(told, _)| told))?;
    }
    ControlFlow::Continue(())
}

/// Adds what spans that do not count say to those of the document that do in their place.
fn tell_again(read: &mut [Read<'_>]) {
    let is_again = |told: &Told| told.nested.as_ref().is_some_and(|nested| nested.again.is_some());
    let (mut places, mut others) = (FxHashMap::default(), Vec::new());
    for (place, (_, result)) in read.iter().enumerate() {
        let Ok((told, _)) = result else { continue };
        if is_again(told) {
            others.push(place);
        } else if let Some(key) = told.keys[0] {
            places.insert(key, place);
        }
    }
    let take = |read: &mut [Read<'_>], place: usize| {
        let (_, result) = read.get_mut(place)?;
        std::mem::replace(result, Err(AROUND)).ok()
    };
    for place in others {
        let Some((other, kind)) = take(read, place) else { continue };
        let again = other.nested.as_ref().and_then(|nested| nested.again).unwrap_or_default();
        let found = again.calls.iter().flatten().filter_map(|key| places.get(key).copied());
        let mut calls: Vec<_> = found.filter_map(|place| Some((place, take(read, place)?))).collect();
        if calls.is_empty() {
            // They came in an earlier document.
            calls.push((place, (other, kind)));
        } else {
            if let Some((_, result)) = read.get_mut(place) {
                *result = Err(again.refusal());
            }
            hear(calls.iter_mut().map(|(_, (told, _))| told), *other.record, again);
        }
        for (place, call) in calls {
            if let Some((_, result)) = read.get_mut(place) {
                *result = Ok(call);
            }
        }
    }
}

type Read<'d> = (&'d Span<'d>, Result<(Told, Kind), Refusal>);

/// Lists the calls of a document in the order in which they are judged: those that tell tokens before those that do not,
/// calls before what only stands around them, the innermost first.
fn judged(read: &[Read<'_>], nest: &Nest) -> Vec<(usize, u64, SpanTold)> {
    let mut calls: Vec<_> = Vec::new();
    for (place, (span, result)) in read.iter().enumerate() {
        let (Ok((told, kind)), Some(key)) = (result, key(span, &span.id)) else { continue };
        let Some(only) = told.record.attempts.first() else { continue };
        let tokens = only.usage.total();
        // A call that failed without a word of tokens is one of several tries, and stands for itself.
        if tokens.is_none() && !only.status.is_ok() {
            continue;
        }
        let told = SpanTold {
            model: only.model.to_string(),
            tokens,
            is_embedding: matches!(kind, Kind::Embedding | Kind::Around { is_embedding: true }),
            is_wrapper: matches!(kind, Kind::Around { .. } | Kind::Sum),
            is_sum: *kind == Kind::Sum,
        };
        calls.push((place, key, told));
    }
    let order = |(_, key, told): &(usize, u64, SpanTold)| {
        (told.tokens.is_none(), told.is_wrapper, std::cmp::Reverse(nest.depth(*key)))
    };
    calls.sort_by_cached_key(order);
    calls
}

fn key(span: &Span<'_>, id: &str) -> Option<u64> {
    id_of(&[id, &span.trace_id])
}

fn kind(span: &Span<'_>) -> Option<Kind> {
    let of = &span.attributes;
    let step = of.get(STEP);
    if !step.is_empty() {
        let is_embedding = step.starts_with("ai.embed");
        return match step.rsplit('.').next() {
            Some("doGenerate" | "doStream") => Some(Kind::Call),
            Some("doEmbed") => Some(Kind::Embedding),
            Some(
                "generateText" | "streamText" | "generateObject" | "streamObject" | "embed" | "embedMany",
            ) => of.has(INPUT).then_some(Kind::Around { is_embedding }),
            _ => None,
        };
    }
    if !matches!(of.get(METHOD), "" | "POST") {
        return None;
    }
    let sum = || (of.has(INPUT) || of.has(OUTPUT)).then_some(Kind::Sum);
    let operation = of.get(&["gen_ai.operation.name"]);
    if !operation.is_empty() {
        return match operation {
            "chat" | "text_completion" | "completion" | "generate_content" | "responses" | "message" => {
                Some(Kind::Call)
            }
            "embeddings" => Some(Kind::Embedding),
            "invoke_agent" | "invoke_workflow" => sum(),
            "create_agent" | "execute_tool" | "retrieval" => None,
            made if MADE.iter().any(|word| made.contains(word)) => Some(Kind::Other),
            _ => (of.has(INPUT) || of.has(OUTPUT)).then_some(Kind::Other),
        };
    }
    let kind = of.get(KIND);
    if !kind.is_empty() {
        return match kind.to_ascii_lowercase().as_str() {
            "llm" | "generation" | "chat_model" => Some(Kind::Call),
            "embedding" => Some(Kind::Embedding),
            "agent" | "chain" | "workflow" => sum(),
            _ => None,
        };
    }
    let named = of.has(SERVED) || of.has(ASKED);
    (named && (of.has(INPUT) || of.has(OUTPUT) || of.has(PROVIDER))).then_some(Kind::Call)
}

/// Returns how much an attribute says was answered: what its JSON holds, or its text.
fn written(text: &str) -> u64 {
    read::<Written>(text).map_or(text.len() as u64, |Written(bytes)| bytes)
}

fn call(span: &Span<'_>, resource: &Attributes<'_>) -> Result<(Told, Kind), Refusal> {
    let kind = kind(span).ok_or(Refusal::NotACall("a span that is no model call"))?;
    let of = &span.attributes;
    let at = moment("startTimeUnixNano", &span.started)?;
    let end = maybe_moment("endTimeUnixNano", &span.ended)?;
    let error = of.get(&["error.type", "http.response.status_code"]);
    let failed = matches!(&*span.code, "2" | "STATUS_CODE_ERROR") || !of.get(&["error.type"]).is_empty();
    let status = match (failed, status_of(error)) {
        (false, _) if of.went_wrong() => Status::Failed,
        (false, _) => Status::Ok,
        (true, Status::Failed) => status_of(&span.message),
        (true, known) => known,
    };
    let (served, asked) = (of.get(SERVED), of.get(ASKED));
    let provider = of.get(PROVIDER);
    let model = first(&[served, asked]);
    let counted = usage::counted(of, &provider.to_ascii_lowercase(), &model)?;
    let is_embedding = matches!(kind, Kind::Embedding | Kind::Around { is_embedding: true });
    let written = if is_embedding { 0 } else { written(of.get(WRITTEN)) };
    let counted = counted.believed(written).without_answer(is_embedding);
    let counted = counted.unless_billed(of.get(COST), || false);
    let mut only = attempt(&model, counted, status);
    for name in ADDRESS {
        by_address(&mut only, of.get(&[name]));
    }
    if of.has(AZURE) {
        bill_by(&mut only, "azure");
    }
    only.provider = owned(provider);
    // Another span of the document may tell more of the same call.
    by_column(InputFormat::Otel, &mut only);
    let mut terms = only.terms.as_deref().copied().unwrap_or_default();
    let is_guess = terms::of_span(|names| of.get(names), &mut terms);
    only.estimated |= is_guess && only.usage.is_known();
    of.unlisted().for_each(|(name, count)| terms.meter(name, count));
    // What pictures, sound and whatever is new cost, tokens alone do not tell.
    if kind == Kind::Other && terms.meters().next().is_none() && only.usage.is_known() {
        terms.meter(of.get(&["gen_ai.operation.name"]), 1);
    }
    // How long each prompt of a run was, and who answered it, the sum does not tell.
    only.estimated |= kind == Kind::Sum && only.usage.is_known();
    only.terms = some_terms(&terms);
    only.latency_ms = millis_between(at, end);
    let seconds = of.get(&["gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"]);
    let millis = of.get(&["ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"]);
    let number = |word: &str| Measure(word.parse().ok());
    only.ttft_ms = number(seconds).scaled(1000.0).or(number(millis).scaled(1.0));
    if failed {
        only.error = first(&[error, &span.message]);
    }
    let place = first(&[of.get(ENVIRONMENT), resource.get(ENVIRONMENT)]);
    let around = Tags::of_pairs([("environment".to_owned(), place.into_owned())]);
    let id = of.get(ANSWER);
    // The same answer in two spans of one trace; long ids are unique wherever they stand.
    let within = || id_of(&[id, "answer", &span.trace_id]);
    let keys = [key(span, &span.id), answer_key(id).or_else(within)];
    let record = Record {
        id: first(&[id, &span.id]),
        at: began(at, end),
        team: first(&[of.get(&["team", "team.name"]), resource.get(&["team", "service.namespace"])]),
        project: owned(resource.get(&["service.name"])),
        user: owned(of.get(USER)),
        session: first(&[
            of.get(SESSION),
            Some(&*span.trace_id).filter(|id| !names_nothing(id)).unwrap_or_default(),
        ]),
        asked: if served.is_empty() || served == asked { Cow::Borrowed("") } else { owned(asked) },
        attempts: Attempts::one(only),
        needs: RecordedNeeds { down: tagged::words(&[&of.tags(), &around], &[]), ..RecordedNeeds::default() },
        claimed_usd: claimed(of.get(COST)),
        ..Record::default()
    };
    Ok((Told::new(record, keys), kind))
}
