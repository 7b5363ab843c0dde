//! A client's request as it is kept: its body byte for byte, and what was found in it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use memchr::memmem;

use super::measures::AskMeasures;
use super::scan::{self, Scan, is_named, name_of};
use crate::wire::Dialect;
use crate::wire::gemini::names::{ELSEWHERE, member};
use crate::wire::gemini::read_schema::Schemas;
use crate::wire::json::{Value, spliced, written};
use crate::wire::sending::Accent;
use crate::wire::table;
use crate::wire::tools::{self, ToolKinds};

/// A client's request.
#[derive(Clone)]
pub struct Ask {
    pub(super) dialect: Dialect,
    pub(super) body: Bytes,
    pub(super) scan: Scan,
    pub(in crate::wire) id: Arc<str>,
    pub(in crate::wire) received: u64,
    /// Whether an answer of its own dialect is in a form that the client does not know.
    pub(super) is_put_back: bool,
}

impl Ask {
    /// Notes that the path asks for a stream.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.scan.stream = true;
        self
    }

    /// Notes by which id the request is known and when it came, in seconds since 1970: answers made by translation have that id
    /// where the provider gives none, and say in `created` when.
    #[must_use]
    pub fn received_as(mut self, id: Arc<str>, unix_seconds: u64) -> Self {
        (self.id, self.received) = (id, unix_seconds);
        self
    }

    /// Returns the request without what a model thought before, which only who gave it can read; nothing where there is none of it.
    #[must_use]
    pub fn without_reasoning(&self) -> Option<Self> {
        self.with_reasoning(|_| None)
    }

    /// Returns the request with what a model thought before as it was sealed alone, by no id; nothing where none is sealed.
    #[must_use]
    pub fn without_reasoning_ids(&self) -> Option<Self> {
        let has_sealed = memmem::find(&self.body, b"\"encrypted_content\"").is_some();
        let without_id = |item: Value<'_>| {
            item.text_of("encrypted_content").filter(|sealed| !sealed.is_empty())?;
            Some(written(|o| o.copy(item, |key| key != "id")))
        };
        self.with_reasoning(without_id).filter(|_| has_sealed)
    }

    /// Returns the request with each reasoning item as it is to be, if at all; nothing where there is none.
    fn with_reasoning(&self, rewritten: impl Fn(Value<'_>) -> Option<String>) -> Option<Self> {
        if self.dialect != Dialect::OpenAiResponses {
            return None;
        }
        let input = self.root().get("input")?;
        let is_reasoning = |item: Value<'_>| item.text_of("type").as_deref() == Some("reasoning");
        if !input.items().any(is_reasoning) {
            return None;
        }
        let kept = input.items().filter_map(|item| {
            if is_reasoning(item) { rewritten(item).map(Cow::Owned) } else { Some(Cow::Borrowed(item.raw())) }
        });
        let kept: Vec<Cow<'_, str>> = kept.collect();
        let span = input.span_in(&self.body);
        let body = spliced(&self.body, vec![(span, format!("[{}]", kept.join(",")).into_bytes())]);
        let ask = Self::read(self.dialect, body.into()).ok()?;
        Some(Self { id: Arc::clone(&self.id), received: self.received, is_put_back: self.is_put_back, ..ask })
    }

    /// Says whether the request names files or stores of them that one provider alone keeps.
    pub fn names_kept(&self) -> bool {
        let names = |member: &str, mark: &[u8]| {
            memmem::find_iter(&self.body, member.as_bytes()).any(|at| {
                let rest = self.body.get(at + member.len()..).unwrap_or_default();
                let is_between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b':' | b'[');
                let begin = rest.iter().position(|byte| !is_between(byte)).unwrap_or(rest.len());
                begin > 0 && rest.get(begin..).is_some_and(|value| value.starts_with(mark))
            })
        };
        names("\"file_id\"", b"\"file") || names("\"vector_store_ids\"", b"\"vs_")
    }

    /// Returns the client's dialect.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Returns the model as the client named it.
    pub fn model(&self) -> &str {
        &self.scan.model
    }

    /// Says whether the client wants the answer as a stream of events.
    pub fn stream(&self) -> bool {
        self.scan.stream
    }

    /// Says whether the client asked for usage at the end of a stream; other dialects than chat and completions always
    /// carry it.
    pub fn wants_stream_usage(&self) -> bool {
        self.scan.include_usage || !matches!(self.dialect, Dialect::OpenAiChat | Dialect::OpenAiCompletions)
    }

    /// Says whether the client asks how likely the words of the answer were.
    pub fn wants_logprobs(&self) -> bool {
        let root = self.root();
        match self.dialect {
            Dialect::OpenAiChat => root.get("logprobs").and_then(Value::flag) == Some(true),
            Dialect::OpenAiCompletions => root.get("logprobs").is_some(),
            Dialect::OpenAiResponses => {
                let is_match = |one: Value<'_>| one.text().as_deref() == Some("message.output_text.logprobs");
                root.get("top_logprobs").is_some()
                    || root.get("include").is_some_and(|list| list.items().any(is_match))
            }
            Dialect::Gemini => {
                let config = member(root, "generationConfig");
                config.and_then(|config| member(config, "responseLogprobs")).and_then(Value::flag)
                    == Some(true)
            }
            _ => false,
        }
    }

    /// Names a member by which the client says that others than the model's provider see the request, or where it is worked on.
    pub fn hands_on(&self) -> Option<&'static str> {
        const MEMBERS: [&str; 8] = [
            "mcp_servers",
            "inference_geo",
            "provider",
            "plugins",
            "data_sources",
            "dataSources",
            "providerOptions",
            "moderation",
        ];
        let root = self.root();
        let says = |name: &&str| {
            root.get(name).is_some_and(|value| {
                let is_nothing = value.is_array() && value.items().next().is_none();
                !is_nothing && !table::says_nothing(name, value)
            })
        };
        let brought = || root.list("input").filter(|item| tools::brings_tools(*item));
        let config = member(root, "generationConfig").filter(|_| self.dialect == Dialect::Gemini);
        let is_there = |path: &&str| {
            let name = path.rsplit('.').next().unwrap_or_default();
            config.is_some_and(|config| member(config, name).is_some())
        };
        let found = MEMBERS.into_iter().find(says);
        let found = found.or_else(|| ELSEWHERE.into_iter().find(is_there));
        // A stored prompt brings tools of its own.
        let is_stored = |prompt: Value<'_>| prompt.is_object() && self.dialect == Dialect::OpenAiResponses;
        let found = found.or_else(|| root.get("prompt").is_some_and(is_stored).then_some("prompt"));
        let tools = root.get("tools");
        let has_servers = || tools.is_some_and(|tools| has_server(tools) || tools.items().any(has_server));
        let found = found.or_else(|| has_servers().then_some("tools"));
        found.or_else(|| brought().flat_map(|item| item.list("tools")).any(has_server).then_some("input"))
    }

    /// Says whether a provider adds question and answer to a conversation that it keeps.
    pub fn is_said_into_conversation(&self) -> bool {
        self.dialect == Dialect::OpenAiResponses && self.root().get("conversation").is_some()
    }

    /// Returns the conversation that its provider keeps, by its id.
    pub fn conversation(&self) -> Option<Cow<'_, str>> {
        let conversation =
            self.root().get("conversation").filter(|_| self.dialect == Dialect::OpenAiResponses)?;
        conversation.text_or("id")
    }

    /// Names what a request for responses asks of a provider that keeps answers: the member, and what stands there where
    /// it is text.
    pub fn leans_on(&self) -> Option<(&'static str, Option<Cow<'_, str>>)> {
        if self.dialect != Dialect::OpenAiResponses {
            return None;
        }
        let root = self.root();
        if let Some(earlier) = root.get("previous_response_id") {
            return Some(("previous_response_id", earlier.text()));
        }
        if root.get("conversation").is_some() {
            return Some(("conversation", None));
        }
        self.wants_background().then_some(("background", None))
    }

    /// Lists the ids of items that stand for what the provider keeps of earlier turns.
    pub fn kept_items(&self) -> Vec<String> {
        let root = self.root();
        let items = root.list("input").filter(|_| self.dialect == Dialect::OpenAiResponses);
        let kept = items.filter(|item| scan::is_kept_item(*item, item.text_of("type").as_deref()));
        kept.filter_map(|item| Some(item.text_of("id")?.into_owned())).collect()
    }

    /// Says whether the provider is to answer with a ticket, and to work in the background.
    pub fn wants_background(&self) -> bool {
        self.dialect == Dialect::OpenAiResponses
            && self.root().get("background").and_then(Value::flag) == Some(true)
    }

    /// Says whether the provider is told not to keep its answer.
    pub fn keeps_nothing(&self) -> bool {
        let of = |span: &Range<usize>| self.body.get(span.clone());
        let store = |member: &&scan::Member| of(&member.key) == Some(b"\"store\"");
        self.scan.members.iter().rfind(store).is_some_and(|member| of(&member.value) == Some(b"false"))
    }

    /// Returns the body as it came.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the text of the last message that a person wrote; turns that only carry results of tools are passed over.
    pub fn ask_text(&self) -> Cow<'_, str> {
        self.scan.ask.as_ref().and_then(|span| self.value(span)).map(scan::text_within).unwrap_or_default()
    }

    /// Returns what can be measured of the request.
    pub fn measures(&self) -> AskMeasures {
        self.scan.measures
    }

    /// Returns the end user whom the client names.
    pub fn user(&self) -> Option<&str> {
        self.scan.user.as_deref()
    }

    /// Returns the service tier that the client asks for by name; none where it leaves that to the provider.
    pub fn tier(&self) -> Option<Cow<'_, str>> {
        self.tiers().find(|word| !matches!(&**word, "" | "auto" | "default" | "standard" | "standard_only"))
    }

    /// Lists the service tiers that the client asks for, each in its own words.
    pub fn tiers(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.tier_members().map(|(_, tier)| tier)
    }

    /// Lists them with the members that name them.
    pub(super) fn tier_members(&self) -> impl Iterator<Item = (&'static str, Cow<'_, str>)> {
        self.scan.members.iter().filter_map(|member| {
            let name = match self.body.get(member.key.clone())? {
                b"\"service_tier\"" => "service_tier",
                b"\"speed\"" => "speed",
                b"\"serviceTier\"" => "serviceTier",
                _ => return None,
            };
            Some((name, self.value(&member.value)?.text()?))
        })
    }

    /// Returns what a client says under a name in the members that are for that.
    pub fn metadata(&self, name: &str) -> Option<Cow<'_, str>> {
        let is_one = |member: &&scan::Member| {
            matches!(self.body.get(member.key.clone()), Some(b"\"metadata\"" | b"\"labels\""))
        };
        self.scan.members.iter().filter(is_one).find_map(|member| self.value(&member.value)?.text_of(name))
    }

    /// Returns the schema that a JSON answer has to fit, as JSON Schema, where the request names one.
    pub fn schema(&self) -> Option<String> {
        let span = self.scan.schema.as_ref()?;
        let older = (self.dialect == Dialect::Gemini).then(|| Schemas::of(self.root()).answer).flatten();
        older.or_else(|| Some(self.value(span)?.raw().to_owned()))
    }

    /// Returns the keys that a JSON answer must have, from the schema that came with the request.
    pub(in crate::wire) fn required_keys(&self) -> Vec<String> {
        let schema = self.scan.schema.as_ref().and_then(|span| self.value(span));
        let required = schema.and_then(|schema| schema.get("required"));
        required
            .into_iter()
            .flat_map(Value::items)
            .filter_map(|key| key.text().map(Cow::into_owned))
            .collect()
    }

    /// Says whether functions are offered in the form that came before tools, so that calls are expected in it too.
    pub(in crate::wire) fn offers_functions(&self) -> bool {
        self.scan.has_functions && self.dialect == Dialect::OpenAiChat
    }

    /// Says whether a provider of the same dialect knows only tools where the client speaks of functions.
    pub(super) fn is_older_than(&self, accent: Accent, to: Dialect) -> bool {
        accent == Accent::Mistral && to == Dialect::OpenAiChat && self.offers_functions()
    }

    /// Returns the request as it is for who reads the answer of a provider that speaks `from` like this.
    pub fn put_to(&self, from: Dialect, accent: Accent) -> Cow<'_, Self> {
        if self.is_older_than(accent, from) {
            Cow::Owned(Self { is_put_back: true, ..self.clone() })
        } else {
            Cow::Borrowed(self)
        }
    }

    /// Says whether an answer in `from` has to be put into the client's form.
    pub fn is_translated(&self, from: Dialect) -> bool {
        from != self.dialect || self.is_put_back
    }

    /// Returns the functions that stand for tools of other kinds, for answers that were translated.
    pub(in crate::wire) fn tool_kinds(&self) -> ToolKinds {
        if self.scan.has_other_tools {
            ToolKinds::of(self.dialect, self.root())
        } else {
            ToolKinds::default()
        }
    }

    /// Returns the client's own name for a function that was sent by another.
    pub(in crate::wire) fn own_name(&self, sent: &str) -> Option<String> {
        tools::own_name(self.dialect, self.root(), sent)
    }

    /// Returns the whole body as a value.
    pub(in crate::wire) fn root(&self) -> Value<'_> {
        self.value(&(0..self.body.len())).unwrap_or(Value::of("null"))
    }

    pub(super) fn value(&self, span: &Range<usize>) -> Option<Value<'_>> {
        std::str::from_utf8(self.body.get(span.clone())?).ok().map(Value::of)
    }

    /// Finds a top-level member by its name, which Google takes in two ways; of one that stands there twice the first.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.scan.members.iter().position(|member| is_named(name_of(&self.body, &member.key), name))
    }

    /// Returns the value of a top-level member.
    pub(super) fn member(&self, name: &str) -> Option<Value<'_>> {
        self.value(&self.scan.members.get(self.find(name)?)?.value)
    }
}

/// Says whether a tool is, or holds, one by which a third party's server or another model is asked.
fn has_server(tool: Value<'_>) -> bool {
    // As Gemini has them.
    let is_asked = |retrieval: Value<'_>| retrieval.get("externalApi").is_some();
    // What others search, with a key of the client's own.
    if ["mcpServers", "mcp_servers", "parallelAiSearch", "parallel_ai_search"]
        .iter()
        .any(|name| tool.get(name).is_some())
        || tool.get("retrieval").is_some_and(is_asked)
    {
        return true;
    }
    match tool.text_of("type").as_deref() {
        // What paints is a model of its own, whether it is named or not.
        Some("mcp" | "mcp_toolset" | "image_generation") => true,
        Some("namespace") => tool.list("tools").any(has_server),
        // OpenRouter's own servers hand them on, but for the clock.
        Some(kind) if kind.starts_with("openrouter:") => kind != "openrouter:datetime",
        _ => tools::names_model(tool) || tool.get("parameters").is_some_and(tools::names_model),
    }
}

impl std::fmt::Debug for Ask {
    /// Says the measures only: prompts do not belong into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask")
            .field("dialect", &self.dialect)
            .field("model", &self.scan.model)
            .field("stream", &self.scan.stream)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
