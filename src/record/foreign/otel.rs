//! OpenTelemetry GenAI spans as OTLP/JSON. Only spans that are model calls count: agent and workflow spans repeat the
//! tokens of the calls below them.
//!
//! The conventions moved more than once, so every generation of attribute names is understood. Input should include
//! cached tokens; where more is cached than input, the writer sent exclusive numbers and is taken at that.

use std::borrow::Cow;
use std::ops::ControlFlow;

use serde::Deserialize;

use super::{Sink, attempt, claimed, maybe_moment, millis_between, moment, status_of};
use crate::record::json::{self, Measure, Num, Word, nullable};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Parts, Writes};
use crate::record::{Attempts, Record};
use crate::routing::Status;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Document {
    #[serde(deserialize_with = "nullable")]
    resource_spans: Vec<ResourceSpans>,
    // A document that was opened up gives its parts one by one.
    #[serde(deserialize_with = "nullable")]
    resource: Resource,
    #[serde(deserialize_with = "nullable")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceSpans {
    #[serde(deserialize_with = "nullable")]
    resource: Resource,
    #[serde(deserialize_with = "nullable", alias = "instrumentationLibrarySpans")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    #[serde(deserialize_with = "nullable")]
    attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ScopeSpans {
    #[serde(deserialize_with = "nullable")]
    spans: Vec<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Span {
    trace_id: Word,
    #[serde(rename = "spanId")]
    id: Word,
    start_time_unix_nano: Word,
    end_time_unix_nano: Word,
    #[serde(deserialize_with = "nullable")]
    attributes: Attributes,
    #[serde(deserialize_with = "nullable")]
    status: SpanStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SpanStatus {
    code: Word,
    message: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct Attributes(Vec<Attribute>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attribute {
    key: Word,
    #[serde(deserialize_with = "nullable")]
    value: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Value {
    #[serde(rename = "stringValue")]
    text: Word,
    #[serde(rename = "intValue")]
    whole: Word,
    #[serde(rename = "doubleValue")]
    real: Word,
    #[serde(rename = "boolValue")]
    truth: Word,
}

impl Attributes {
    /// Gives the first of the named attributes that says something.
    fn get(&self, names: &[&str]) -> Word {
        let find = |name: &&str| {
            let value = &self.0.iter().find(|attribute| attribute.key.as_str() == *name)?.value;
            let word = Word::first([&value.text, &value.whole, &value.real, &value.truth]);
            (!word.is_empty()).then_some(Word(word))
        };
        names.iter().find_map(find).unwrap_or_default()
    }

    fn count(&self, names: &[&str]) -> Result<Num, Refusal> {
        let word = self.get(names);
        if word.is_empty() {
            return Ok(Num(None));
        }
        let field = names.first().copied().unwrap_or_default();
        word.as_str()
            .parse()
            .map(|tokens| Num(Some(tokens)))
            .map_err(|_| Refusal::Bad(format!("{field}: `{}` is not a whole number", word.as_str())))
    }
}

const INPUT: &[&str] = &[
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
];
const OUTPUT: &[&str] = &[
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
];
const READ: &[&str] = &[
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.cached_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.usage.cache_read_input_tokens",
];
const WRITE: &[&str] = &[
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
];
const REASONING: &[&str] = &[
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
];
const SERVED: &[&str] = &["gen_ai.response.model", "llm.response.model"];
const ASKED: &[&str] = &["gen_ai.request.model", "llm.request.model", "llm.model_name"];
const PROVIDER: &[&str] = &["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"];
const SESSION: &[&str] = &["gen_ai.conversation.id", "session.id", "langfuse.session.id"];
const USER: &[&str] = &["user.id", "enduser.id", "langfuse.user.id"];
const COST: &[&str] = &["gen_ai.usage.cost", "llm.cost.total", "gen_ai.cost.total_tokens"];

/// Reads every model call of a document.
pub(super) fn spans(text: &str, sink: &mut Sink<'_, '_>) -> ControlFlow<()> {
    let document: Document = match json::read(text) {
        Ok(document) => document,
        Err(reason) => return sink(Err(Refusal::Bad(reason))),
    };
    let loose = ResourceSpans { resource: document.resource, scope_spans: document.scope_spans };
    for part in document.resource_spans.iter().chain([&loose]) {
        for span in part.scope_spans.iter().flat_map(|scope| &scope.spans) {
            sink(call(span, &part.resource.attributes))?;
        }
    }
    ControlFlow::Continue(())
}

fn is_call(span: &Span) -> bool {
    let attributes = &span.attributes;
    let operation = attributes.get(&["gen_ai.operation.name"]);
    if !operation.is_empty() {
        return matches!(
            operation.as_str(),
            "chat"
                | "text_completion"
                | "completion"
                | "generate_content"
                | "embeddings"
                | "responses"
                | "message"
        );
    }
    let kind = attributes.get(&["openinference.span.kind", "traceloop.span.kind"]);
    if !kind.is_empty() {
        return matches!(kind.as_str(), "LLM" | "EMBEDDING");
    }
    let named = !attributes.get(SERVED).is_empty() || !attributes.get(ASKED).is_empty();
    named && !(attributes.get(INPUT).is_empty() && attributes.get(PROVIDER).is_empty())
}

fn call<'b>(span: &Span, resource: &Attributes) -> Result<Record<'b>, Refusal> {
    if !is_call(span) {
        return Err(Refusal::NotACall("a span that is no model call"));
    }
    let of = &span.attributes;
    let at = moment("startTimeUnixNano", &span.start_time_unix_nano)?;
    let end = maybe_moment("endTimeUnixNano", &span.end_time_unix_nano)?;
    let error = of.get(&["error.type", "http.response.status_code"]);
    let failed =
        matches!(span.status.code.as_str(), "2" | "STATUS_CODE_ERROR") || !of.get(&["error.type"]).is_empty();
    let status = match (failed, status_of(error.as_str())) {
        (false, _) => Status::Ok,
        (true, Status::Failed) => status_of(span.status.message.as_str()),
        (true, known) => known,
    };
    let counted = Parts {
        input: of.count(INPUT)?.0,
        read: of.count(READ)?.or_zero(),
        writes: Writes { total: of.count(WRITE)?.0, ..Writes::default() },
        output: of.count(OUTPUT)?.0,
        reasoning: of.count(REASONING)?.0,
        ..Parts::default()
    }
    .counted(Claim::WHOLE)?;

    let (served, asked) = (of.get(SERVED), of.get(ASKED));
    let mut only = attempt(Word::first([&served, &asked]), counted, status);
    only.provider = Cow::Owned(of.get(PROVIDER).0);
    only.latency_ms = millis_between(at, end);
    let seconds = of.get(&["gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"]);
    only.ttft_ms = Measure(seconds.as_str().parse().ok()).scaled(1000.0);
    if failed {
        only.error = Cow::Owned(Word::first([&error, &span.status.message]));
    }
    let id = of.get(&["gen_ai.response.id"]);
    Ok(Record {
        id: Cow::Owned(Word::first([&id, &span.id])),
        at,
        team: Cow::Owned(Word::first([
            &of.get(&["team", "team.name"]),
            &resource.get(&["team", "service.namespace"]),
        ])),
        project: Cow::Owned(resource.get(&["service.name"]).0),
        user: Cow::Owned(of.get(USER).0),
        session: Cow::Owned(Word::first([&of.get(SESSION), &span.trace_id])),
        asked: if served.is_empty() || served == asked { Cow::Borrowed("") } else { Cow::Owned(asked.0) },
        attempts: Attempts::one(only),
        claimed_usd: claimed(of.get(COST)),
        ..Record::default()
    })
}
