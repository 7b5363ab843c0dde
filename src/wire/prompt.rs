//! A request as every dialect has it, on its way from one to another. Requests that stay in their dialect never take
//! this form.
//!
//! Invariants: reading a request into this form accounts for every member, as the table says (`table`): it is carried, it
//! is left out and told, or it is refused by its own name; arguments of calls are JSON objects once they are here.

use std::borrow::Cow;
use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::Hasher as _;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::branches;
use super::effort::Effort;
use super::error::Result;
use super::json::{Value, put, written};
use super::known::{Change, place};
use super::logprobs::TOP;
use super::reply::Call;
use super::{Accent, Dialect};

pub(super) use super::reader::{Reader, pieces as read_pieces};

/// A request.
#[derive(Default)]
pub(super) struct Prompt<'a> {
    pub(super) system: Vec<Text<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) choice: Option<ToolChoice<'a>>,
    /// Whether the model may call several tools at once.
    pub(super) parallel: Option<bool>,
    pub(super) max_output: Option<u64>,
    pub(super) stop: Vec<Cow<'a, str>>,
    pub(super) format: Format<'a>,
    pub(super) effort: Option<Effort>,
    /// The member in which the client states the effort.
    pub(super) effort_member: &'static str,
    /// Whether policy states the effort, not the client.
    pub(super) is_effort_policys: bool,
    /// The most tokens of thought, where the client states it so.
    pub(super) budget: Option<u64>,
    /// Whether the client asks to be told the thoughts.
    pub(super) wants_thoughts: bool,
    pub(super) user: Option<Cow<'a, str>>,
    /// The service tier, in the target's words.
    pub(super) tier: Option<Cow<'a, str>>,
    /// Members that go along as they were written, by chat's names.
    pub(super) passed: Vec<(&'static str, Value<'a>)>,
    pub(super) stream: bool,
    /// Where tools stand that may be brought more than once.
    pub(super) offered: HashMap<String, usize>,
    called: RefCell<Called>,
}

/// The calls of the turns so far, so that nobody walks through all of them for each result.
#[derive(Default)]
struct Called {
    /// The turn and its part from which on nothing is known yet.
    turn: usize,
    part: usize,
    names: HashMap<Rc<str>, Rc<str>>,
    ids: HashMap<Rc<str>, Rc<str>>,
}

impl Called {
    fn read(&mut self, turns: &[Turn<'_>]) {
        while let Some(turn) = turns.get(self.turn) {
            for part in turn.parts.iter().skip(self.part) {
                if let Piece::Call { call, .. } = part {
                    let (id, name): (Rc<str>, Rc<str>) = (Rc::from(&*call.id), Rc::from(&*call.name));
                    self.names.insert(Rc::clone(&id), Rc::clone(&name));
                    self.ids.insert(name, id);
                }
            }
            self.part = turn.parts.len();
            // The last one may still grow.
            if self.turn + 1 == turns.len() {
                return;
            }
            (self.turn, self.part) = (self.turn + 1, 0);
        }
    }
}

/// A text, and the mark up to which Anthropic is to cache.
#[derive(Clone, Default)]
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) cache: Option<Value<'a>>,
}

/// What one side says.
pub(super) struct Turn<'a> {
    pub(super) is_user: bool,
    pub(super) parts: Vec<Piece<'a>>,
}

impl Turn<'_> {
    /// Says whether it says anything, as somebody sees it.
    pub(super) fn says(&self, is_said: impl Fn(&str) -> bool) -> bool {
        self.parts.iter().any(|part| match part {
            Piece::Text(text) | Piece::System(text) => is_said(&text.text),
            _ => true,
        })
    }
}

/// A piece of a turn.
pub(super) enum Piece<'a> {
    Text(Text<'a>),
    /// What the model thought, where it wants that back; stands in a turn of the assistant's.
    Thought(Cow<'a, str>),
    /// What the system says in the middle of the conversation; stands in a turn of the user's.
    System(Text<'a>),
    Image {
        data: Data<'a>,
        detail: Option<Cow<'a, str>>,
        cache: Option<Value<'a>>,
    },
    File {
        data: Data<'a>,
        name: Option<Cow<'a, str>>,
        cache: Option<Value<'a>>,
    },
    Call {
        call: Call<'a>,
        cache: Option<Value<'a>>,
    },
    Result(Box<ToolResult<'a>>),
}

/// What a tool gave back.
pub(super) struct ToolResult<'a> {
    pub(super) call: Cow<'a, str>,
    pub(super) parts: Vec<Piece<'a>>,
    pub(super) is_error: bool,
    pub(super) cache: Option<Value<'a>>,
}

impl ToolResult<'_> {
    /// Returns its texts, one a line.
    pub(super) fn text(&self) -> String {
        let text = |part: &Piece<'_>| match part {
            Piece::Text(said) => Some(said.text.to_string()),
            _ => None,
        };
        self.parts.iter().filter_map(text).collect::<Vec<_>>().join("\n")
    }
}

/// Bytes of a picture or a file.
#[derive(Clone)]
pub(super) enum Data<'a> {
    Url(Cow<'a, str>),
    Base64 { kind: Cow<'a, str>, bytes: Cow<'a, str> },
}

/// A tool that the model may call.
pub(super) struct Tool<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) description: Option<Cow<'a, str>>,
    /// A JSON schema.
    pub(super) parameters: Option<Value<'a>>,
    pub(super) strict: Option<bool>,
    /// Whether the client leaves it to a search to find it.
    pub(super) is_deferred: bool,
    pub(super) cache: Option<Value<'a>>,
}

impl<'a> Tool<'a> {
    /// Returns the schema of what it takes as Anthropic and OpenAI want it: of an object, whatever it leaves unsaid.
    pub(super) fn schema(&self) -> Cow<'a, str> {
        const NONE: &str = r#"{"type":"object","properties":{}}"#;
        let Some(schema) = self.parameters else { return Cow::Borrowed(NONE) };
        if !schema.is_object() || schema.get("type").is_some() {
            return Cow::Borrowed(schema.raw());
        }
        if schema.members().all(|(key, _)| key == "type") {
            return Cow::Borrowed(NONE);
        }
        Cow::Owned(written(|o| {
            put!(o, "type": "object");
            o.copy(schema, |key| key != "type");
        }))
    }

    /// Returns it as those take it who want an object without a choice at its top.
    pub(super) fn rooted_schema(&self) -> Cow<'a, str> {
        let schema = self.schema();
        branches::folded(Value::of(&schema)).map_or(schema, Cow::Owned)
    }
}

/// Which tools the model has to call.
#[derive(PartialEq, Eq)]
pub(super) enum ToolChoice<'a> {
    Auto,
    None,
    Any,
    Named(Cow<'a, str>),
}

/// What form the answer has to have.
#[derive(Default)]
pub(super) enum Format<'a> {
    #[default]
    Text,
    Json,
    Schema {
        name: Cow<'a, str>,
        schema: Value<'a>,
        strict: Option<bool>,
    },
}

impl Format<'_> {
    /// Returns the words that ask for that form, for a model that has no mode for it.
    pub(super) fn instruction(&self) -> Option<Cow<'static, str>> {
        const ALONE: &str = "and nothing else: no words around it and no code fence.";
        match self {
            Self::Json => Some(format!("Answer with one JSON object {ALONE}").into()),
            Self::Schema { schema, .. } => {
                let schema = schema.raw();
                Some(format!("Answer with JSON that fits this JSON schema, {ALONE}\n{schema}").into())
            }
            Self::Text => None,
        }
    }
}

impl<'a> Piece<'a> {
    /// Makes a piece of text.
    pub(super) fn text(text: impl Into<Cow<'a, str>>, cache: Option<Value<'a>>) -> Self {
        Self::Text(Text { text: text.into(), cache })
    }

    /// Makes a piece of what a tool gave back.
    pub(super) fn result(call: Cow<'a, str>, parts: Vec<Self>) -> Self {
        Self::Result(Box::new(ToolResult { call, parts, is_error: false, cache: None }))
    }
}

impl<'a> Data<'a> {
    /// Reads an address that may carry the bytes itself.
    pub(super) fn of_url(url: Cow<'a, str>) -> Self {
        let is_data = url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"));
        let parsed = url.get(5..).filter(|_| is_data).and_then(|rest| rest.split_once(','));
        match parsed {
            Some((head, bytes)) if head.to_ascii_lowercase().ends_with(";base64") => {
                Self::bytes(head.split(';').next().unwrap_or_default(), bytes.to_owned().into())
            }
            _ => Self::Url(url),
        }
    }

    /// Reads a file: an address that carries it, or its bytes alone.
    pub(super) fn of_file(file: Cow<'a, str>) -> Self {
        if file.contains(':') { Self::of_url(file) } else { Self::bytes("", file) }
    }

    /// Takes bytes in base64 with what they are said to be. Pictures, and what is said to be nothing, are what their bytes are.
    pub(super) fn bytes(kind: &str, bytes: Cow<'a, str>) -> Self {
        let said = kind.trim().to_ascii_lowercase();
        let is_picture = said.starts_with("image/");
        let is_unsaid = matches!(&*said, "" | "application/octet-stream");
        let seen = signature(&bytes).filter(|seen| is_unsaid || (is_picture && seen.starts_with("image/")));
        let kind = match seen {
            Some(seen) => Cow::Borrowed(seen),
            None if said == "image/jpg" => Cow::Borrowed("image/jpeg"),
            None => Cow::Owned(said),
        };
        Self::Base64 { kind, bytes }
    }

    /// Returns one address, with the bytes in it where they are not elsewhere.
    pub(super) fn url(&self) -> Cow<'_, str> {
        match self {
            Self::Url(url) => Cow::Borrowed(url),
            Self::Base64 { kind, bytes } => Cow::Owned(format!("data:{kind};base64,{bytes}")),
        }
    }

    /// Returns the text that it is by its kind, where its bytes are.
    pub(super) fn text(&self) -> Option<String> {
        let Self::Base64 { kind, bytes } = self else { return None };
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_text = kind.starts_with("text/") || matches!(kind, "application/json" | "application/xml");
        let decoded = is_text.then(|| STANDARD.decode(bytes.as_bytes()).ok()).flatten()?;
        String::from_utf8(decoded).ok()
    }
}

impl<'a> Prompt<'a> {
    /// Adds to the last turn where the same side speaks on; otherwise a new turn begins.
    pub(super) fn say(&mut self, is_user: bool, parts: Vec<Piece<'a>>) {
        if parts.is_empty() {
            return;
        }
        match self.turns.last_mut().filter(|last| last.is_user == is_user) {
            Some(last) => last.parts.extend(parts),
            None => self.turns.push(Turn { is_user, parts }),
        }
    }

    /// Adds what the system says: before the first turn to the system prompt, later in its place.
    pub(super) fn say_system(&mut self, said: Vec<Piece<'a>>, place: &str, reader: Reader<'_>) -> Result<()> {
        for piece in said {
            match piece {
                Piece::Text(text) if self.turns.is_empty() => self.system.push(text),
                Piece::Text(text) => self.say(true, vec![Piece::System(text)]),
                _ => return reader.refuse(place),
            }
        }
        Ok(())
    }

    /// Takes a member that means the same wherever it is; what is not known here goes along as it is.
    pub(super) fn take(&mut self, field: &'static str, value: Value<'a>, reader: Reader<'_>) {
        match field {
            // The caller knows.
            "model" | "stream" => {}
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" => {
                self.max_output = self.max_output.into_iter().chain(value.number()).min();
            }
            "stop" | "stop_sequences" => self.stop = texts(value),
            "user" => self.user = value.text(),
            // Chat has both.
            "safety_identifier" if reader.to != Dialect::OpenAiChat => {
                self.user = self.user.take().or(value.text());
            }
            "service_tier" => self.tier = value.text(),
            "parallel_tool_calls" => self.parallel = value.flag(),
            "reasoning_effort" | "reasoning.effort" | "output_config.effort" => {
                self.set_effort(field, value.text().as_deref());
            }
            "thinking" => self.set_thinking(value),
            _ => self.set(field, value),
        }
    }

    /// Sets a member that goes along as it is.
    pub(super) fn set(&mut self, name: &'static str, value: Value<'a>) {
        self.passed.retain(|(field, _)| *field != name);
        self.passed.push((name, value));
    }

    /// Returns a member that goes along as it is.
    pub(super) fn get(&self, name: &str) -> Option<Value<'a>> {
        self.passed.iter().find(|(field, _)| *field == name).map(|(_, value)| *value)
    }

    /// Takes an effort by its word.
    pub(super) fn set_effort(&mut self, member: &'static str, word: Option<&str>) {
        if let Some(effort) = word.and_then(Effort::from_name) {
            (self.effort, self.effort_member) = (Some(effort), member);
        }
    }

    /// Takes an effort stated in tokens.
    pub(super) fn set_budget(&mut self, member: &'static str, budget: u64) {
        (self.effort, self.effort_member) = (Some(Effort::from_budget(budget)), member);
        self.budget = Some(budget);
    }

    /// Takes what `thinking` says in the manner of Anthropic.
    fn set_thinking(&mut self, value: Value<'_>) {
        let kind = value.text_of("type");
        match (kind.as_deref(), value.get("budget_tokens").and_then(Value::number)) {
            (Some("enabled"), Some(budget)) => self.set_budget("thinking", budget),
            (Some("disabled"), _) => self.set_effort("thinking", Some("none")),
            // As the model sees fit; an effort that is stated beside it stays.
            (Some("enabled" | "adaptive"), _) if self.effort.is_none() => {
                self.set_effort("thinking", Some("medium"));
            }
            _ => {}
        }
        self.wants_thoughts = matches!(kind.as_deref(), Some("enabled" | "adaptive"))
            && value.text_of("display").as_deref() != Some("omitted");
    }

    /// Takes what policy writes into the request; `temperature` is its text.
    pub(super) fn follow(&mut self, temperature: Option<&'a str>, reader: Reader<'_>) {
        let with = reader.sending.with;
        if let Some(effort) = with.effort {
            reader.notes.forget(&EFFORTS);
            (self.effort, self.budget, self.is_effort_policys) = (Some(effort), None, true);
            self.effort_member = match reader.from {
                Dialect::OpenAiResponses => "reasoning.effort",
                Dialect::AnthropicMessages => "output_config.effort",
                Dialect::Gemini => "generationConfig.thinkingConfig",
                _ => "reasoning_effort",
            };
        }
        if let Some(temperature) = temperature {
            self.set("temperature", Value::of(temperature));
        }
        let is_openais = reader.to == Dialect::OpenAiChat && reader.sending.accent == Accent::OpenAi;
        // A client that asks itself gets what it asked for, no more.
        let asks = self.get("logprobs").and_then(Value::flag) == Some(true);
        if with.logprobs && !asks && (is_openais || reader.to == Dialect::Gemini) {
            self.set("logprobs", Value::of("true"));
            self.set("top_logprobs", Value::of(TOP));
        }
        let Some(tier) = with.service_tier.as_deref() else { return };
        reader.notes.forget(&["service_tier", "serviceTier"]);
        self.tier = None;
        self.passed.retain(|(field, _)| *field != "service_tier");
        match (reader.to, messages_tier(tier)) {
            (Dialect::AnthropicMessages, Some(word)) => self.set("service_tier", Value::of(word)),
            (Dialect::OpenAiChat, _) if reader.sending.accent == Accent::OpenAi => {
                self.tier = Some(if tier == "standard" { "default".into() } else { tier.to_owned().into() });
            }
            (Dialect::Gemini, _) if gemini_tier(tier).is_some() => self.tier = Some(tier.to_owned().into()),
            _ => reader.leave_out_tier(),
        }
    }

    /// Leaves out what the model is known to refuse.
    pub(super) fn obey(&mut self, reader: Reader<'_>) {
        // Anthropic's range ends at 1, which is also what holds where nothing is said.
        let is_hot = |name: &str| self.get(name).and_then(Value::measure).is_some_and(|heat| heat > 1.0);
        if reader.to == Dialect::AnthropicMessages && is_hot("temperature") {
            self.passed.retain(|(field, _)| *field != "temperature");
            reader.leave_out(place(reader.from, "temperature"));
        }
        let is_kept = self.get("store").and_then(Value::flag) == Some(true);
        if reader.to == Dialect::OpenAiChat && reader.sending.known.is_openais && !is_kept {
            let before = self.passed.len();
            self.passed.retain(|(field, _)| *field != "metadata");
            if self.passed.len() < before {
                reader.leave_out("metadata");
            }
        }
        for change in reader.sending.known.changes(reader.to, &|name| self.said(name)) {
            if let Some(told) = self.change(change, reader) {
                reader.leave_out(told);
            }
        }
    }

    /// Returns a value that stands for a member of the provider's, by the name that rules use.
    fn said(&self, name: &str) -> Option<Value<'a>> {
        let there = |is_there: bool| is_there.then(|| Value::of("true"));
        match name {
            "stop" => there(!self.stop.is_empty()),
            "tools" => there(!self.tools.is_empty()),
            "reasoning_effort" => self.effort.map(|effort| Value::of(effort.quoted())),
            name => self.get(name),
        }
    }

    /// Changes a member and returns the client's own name for it; nothing where nothing was there.
    fn change<'k>(&mut self, change: Change<'k>, reader: Reader<'_>) -> Option<&'k str>
    where
        'a: 'k,
    {
        let member = change.member;
        let was_there = match member {
            "stop" => !std::mem::take(&mut self.stop).is_empty(),
            "reasoning_effort" => {
                let told = self.effort.is_some_and(|effort| effort != Effort::None);
                self.effort = change.instead.and_then(|word| Effort::from_name(word.trim_matches('"')));
                return told.then_some(self.effort_member);
            }
            _ => {
                let before = self.passed.len();
                self.passed.retain(|(field, _)| *field != member);
                self.passed.len() < before
            }
        };
        was_there.then(|| place(reader.from, member))
    }

    /// Forgets what was read of calls so far, whose names and ids have changed.
    pub(super) fn forget_calls(&mut self) {
        self.called = RefCell::default();
    }

    /// Returns the name of the tool that was called under an id, the latest first.
    pub(super) fn tool_called(&self, id: &str) -> Option<Rc<str>> {
        self.called().names.get(id).cloned()
    }

    /// Returns the id under which a tool was called last.
    pub(super) fn called_as(&self, name: &str) -> Option<Rc<str>> {
        self.called().ids.get(name).cloned()
    }

    fn called(&self) -> RefMut<'_, Called> {
        let mut called = self.called.borrow_mut();
        called.read(&self.turns);
        called
    }
}

/// The pictures that everybody takes.
pub(super) const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// Returns the type of a picture or a document by its first bytes, as base64 has them.
fn signature(bytes: &str) -> Option<&'static str> {
    const SIGNATURES: [(&str, &str); 5] = [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("UklGR", "image/webp"),
        ("JVBERi0", "application/pdf"),
    ];
    SIGNATURES.iter().find(|(begin, _)| bytes.starts_with(begin)).map(|(_, kind)| *kind)
}

/// Reads one text or a list of texts.
pub(super) fn texts(value: Value<'_>) -> Vec<Cow<'_, str>> {
    value.text().into_iter().chain(value.items().filter_map(Value::text)).collect()
}

/// Returns the arguments that a call of an earlier turn is told with, as answers tell them, too: JSON within a text, or as it is;
/// `null` says that there are none.
pub(super) fn told_arguments(call: Value<'_>) -> Cow<'_, str> {
    let said = call.get("arguments").map(Value::told);
    said.filter(|said| said.trim() != "null").unwrap_or_default()
}

/// Returns the arguments of a call as a JSON object; none at all count as an empty one.
pub(super) fn arguments<'c>(call: &'c Call<'_>) -> &'c str {
    let text = call.arguments.trim();
    if text.is_empty() { "{}" } else { text }
}

/// Returns what the system says as text of the user's, for whoever takes no system message in the middle.
pub(super) fn reminder(text: &str) -> String {
    format!("<system-reminder>\n{text}\n</system-reminder>")
}

/// Returns the words that ask a model to go on with its last turn, for whoever does not do so by itself.
pub(super) fn go_on() -> String {
    reminder(
        "Your last message is unfinished. Go on exactly where it ends: repeat none of it, and say nothing before.",
    )
}

/// The members by which clients state an effort.
const EFFORTS: [&str; 6] = [
    "reasoning_effort",
    "reasoning",
    "reasoning.effort",
    "thinking",
    "output_config.effort",
    "generationConfig.thinkingConfig",
];

/// Returns Anthropic's word for a service tier, as JSON; nothing where it has none.
pub(super) fn messages_tier(tier: &str) -> Option<&'static str> {
    match tier {
        "auto" | "priority" => Some("\"auto\""),
        "standard_only" | "standard" | "default" => Some("\"standard_only\""),
        _ => None,
    }
}

/// Google's word for the ordinary tier, as JSON; it is said by saying nothing.
pub(super) const ORDINARY_TIER: &str = "\"standard\"";

/// Returns Google's word for a service tier, as JSON; nothing where there is no such tier.
pub(super) fn gemini_tier(tier: &str) -> Option<&'static str> {
    match tier {
        "flex" => Some("\"flex\""),
        "priority" | "fast" => Some("\"priority\""),
        "auto" | "default" | "standard" => Some(ORDINARY_TIER),
        _ => None,
    }
}

/// Makes an id that every provider takes: letters, digits, `_` and `-`.
pub(super) fn safe_id(id: &str) -> Cow<'_, str> {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !id.is_empty() && id.chars().all(is_safe) {
        return Cow::Borrowed(id);
    }
    let mut safe: String = id.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
    // Two ids that differ in what is not taken stay two.
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(id.as_bytes());
    let _ = write!(safe, "_{:08x}", hasher.finish() >> 32);
    Cow::Owned(safe)
}
