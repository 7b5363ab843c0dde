//! One pass over a request: its top-level members, and of each message its role, its size and whether it holds text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use memchr::memmem;

use super::measures::AskMeasures;
use super::weigh;
use crate::wire::error::Result;
use crate::wire::gemini::names::camel;
use crate::wire::json::Value;
use crate::wire::{Dialect, WireError, tools};

/// What the pass found. Spans are byte ranges of the body.
#[derive(Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the body by itself")]
pub(super) struct Scan {
    pub(super) model: String,
    pub(super) model_span: Range<usize>,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) stream_options: Option<Range<usize>>,
    /// The limits of output as they stand in the body: key and place of the value.
    pub(super) limits: Vec<(&'static str, Range<usize>)>,
    /// Limits of output that are `null`.
    pub(super) null_limits: Vec<(&'static str, Range<usize>)>,
    pub(super) ask: Option<Range<usize>>,
    /// What the user said first.
    pub(super) first_ask: Option<Range<usize>>,
    pub(super) schema: Option<Range<usize>>,
    pub(super) user: Option<String>,
    /// Whether tools are offered that are no functions.
    pub(super) has_other_tools: bool,
    /// Whether functions are offered in the form that came before tools.
    pub(super) has_functions: bool,
    /// Whether a message of Anthropic's dialect has the role `system`.
    pub(super) has_system_turns: bool,
    /// Whether the assistant has the last word.
    pub(super) ends_with_assistant: bool,
    /// The assistant's last turn; of responses the calls of it, one by one.
    pub(super) last_turn: Vec<Range<usize>>,
    /// How many turns there are.
    pub(super) turns: usize,
    /// Every top-level member, in its order.
    pub(super) members: Vec<Member>,
    pub(super) measures: AskMeasures,
}

/// Where a member stands in the body.
#[derive(Clone)]
pub(super) struct Member {
    /// Its name, quotes included.
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// Returns the name that stands at a place, without its quotes.
pub(super) fn name_of<'b>(body: &'b [u8], key: &Range<usize>) -> &'b [u8] {
    body.get(key.start + 1..key.end.saturating_sub(1)).unwrap_or_default()
}

/// Says whether a name as it was written is that name; only Google's names have capitals.
pub(super) fn is_named(written: &[u8], name: &str) -> bool {
    let is_googles = || name.bytes().any(|byte| byte.is_ascii_uppercase());
    written == name.as_bytes()
        || (written.contains(&b'_')
            && is_googles()
            && std::str::from_utf8(written).is_ok_and(|written| camel(written) == name))
}

/// Reads what routing needs from a checked body.
pub(super) fn scan(dialect: Dialect, body: &[u8], root: Value<'_>) -> Result<Scan> {
    if !root.is_object() {
        return Err(WireError::NotJson("the body has to be an object".to_owned()));
    }
    let mut scan = Scan { measures: AskMeasures { choices: 1, ..AskMeasures::default() }, ..Scan::default() };
    let mut prompt = Prompt::new(dialect, body);
    let mut seen = HashSet::new();
    let mut has_model = false;
    let (mut prompts, mut best_of) = (1, 1);
    scan.members.reserve(16);
    let mut members = root.members();
    while let Some((key, value)) = members.next() {
        let key = &*key;
        let span = value.span_in(body);
        scan.members.push(Member { key: members.key.span_in(body), value: span });
        once(&mut seen, key.to_owned())?;
        plain(key, members.key)?;
        match key {
            "model" => {
                let name = value.text().filter(|name| !name.is_empty());
                scan.model =
                    name.ok_or_else(|| WireError::invalid("model", "has to be a name"))?.into_owned();
                scan.model_span = value.span_in(body);
                has_model = true;
            }
            "stream_options" => {
                scan.stream_options = Some(value.span_in(body));
                scan.include_usage = value.get("include_usage").and_then(Value::flag) == Some(true);
            }
            _ if value.is_null() => {
                if let Some(name) = limits_of(dialect).iter().find(|name| **name == key) {
                    scan.null_limits.push((name, value.span_in(body)));
                }
            }
            "stream" if dialect != Dialect::OpenAiEmbeddings => {
                scan.stream =
                    value.flag().ok_or_else(|| WireError::invalid("stream", "has to be true or false"))?;
            }
            "messages" if matches!(dialect, Dialect::OpenAiChat | Dialect::AnthropicMessages) => {
                prompt.turns("messages", value, &mut scan)?;
            }
            "input" if dialect == Dialect::OpenAiResponses => {
                if value.is_text() {
                    prompt.sole(value, &mut scan);
                } else {
                    prompt.turns("input", value, &mut scan)?;
                }
            }
            "input" if dialect == Dialect::OpenAiEmbeddings => prompt.sole(value, &mut scan),
            "prompt" if dialect == Dialect::OpenAiCompletions => {
                prompt.sole(value, &mut scan);
                prompts = prompts_of(value);
            }
            "system" | "instructions" => prompt.bytes += weigh::bytes(value),
            "function_call" => scan.has_functions = true,
            "tools" | "functions" => {
                prompt.bytes += weigh::bytes(value);
                scan.has_functions |= key == "functions";
                for tool in value.items() {
                    let kind = kind_of(tool, key)?;
                    scan.measures.beside += weigh::of_tool(kind.as_deref());
                    scan.measures.tools = scan.measures.tools.saturating_add(1);
                    scan.has_other_tools |= kind.as_deref().is_some_and(|kind| kind != "function");
                    scan.measures.is_elsewhere |= is_run_elsewhere(tool, key)?;
                    scan.measures.other_models |= tools::names_model(tool);
                }
            }
            "max_tokens" | "max_completion_tokens" | "max_output_tokens" => {
                if let Some(name) = limits_of(dialect).iter().find(|name| **name == key) {
                    let limit = limit(value, key)?;
                    scan.limits.push((name, value.span_in(body)));
                    scan.measures.max_output = scan.measures.max_output.max(Some(limit));
                }
            }
            "n" if matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiCompletions) => {
                scan.measures.choices = choices(value, key)?;
            }
            "best_of" if dialect == Dialect::OpenAiCompletions => {
                let n = value.number().and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
                best_of = best_of.max(n.min(MOST_CHOICES));
            }
            // What was said before, or stands in a prompt of the provider's, lies there.
            "previous_response_id" | "conversation" | "prompt" if dialect == Dialect::OpenAiResponses => {
                scan.measures.is_elsewhere = true;
            }
            "user" => scan.user = value.text().map(Cow::into_owned),
            "metadata" if dialect == Dialect::AnthropicMessages => {
                scan.user = value.text_of("user_id").map(Cow::into_owned);
            }
            "web_search_options" | "mcp_servers" | "plugins" | "data_sources" | "dataSources" => {
                scan.measures.is_elsewhere = true;
            }
            // The provider searches: xAI, Qwen.
            "search_parameters" => {
                scan.measures.is_elsewhere |= value.text_of("mode").as_deref() != Some("off");
            }
            "enable_search" => scan.measures.is_elsewhere |= value.flag() != Some(false),
            // Anthropic, and OpenRouter; Qwen counts thoughts apart from the answer.
            "thinking" | "reasoning" | "thinking_budget" => {
                scan.measures.beside += weigh::bytes(value);
                let within = value.get("budget_tokens").or_else(|| value.get("max_tokens"));
                let budget = within.unwrap_or(value).number().unwrap_or(0);
                scan.measures.thoughts = scan.measures.thoughts.max(budget);
                scan.measures.thinks_beside |= key == "thinking_budget";
            }
            "prediction" => scan.measures.predicted = weigh::bytes(value),
            "response_format" | "text" | "output_config" | "output_format" => {
                scan.measures.beside += weigh::bytes(value);
                format(dialect, key, value, body, &mut scan);
            }
            // Some models are shown more than the prompt: documents, what comes after a gap.
            _ => scan.measures.beside += weigh::bytes(value),
        }
    }
    if !has_model {
        return Err(WireError::invalid("model", "is missing; name a model, or \"auto\""));
    }
    let wanted = match dialect {
        Dialect::OpenAiChat | Dialect::AnthropicMessages => Some("messages"),
        Dialect::OpenAiEmbeddings => Some("input"),
        Dialect::OpenAiCompletions => Some("prompt"),
        // A response may build on an earlier one and say nothing new.
        Dialect::OpenAiResponses | Dialect::Gemini | Dialect::GeminiEmbeddings => None,
    };
    if let Some(wanted) = wanted
        && !prompt.is_there
    {
        return Err(WireError::invalid(wanted, "is missing"));
    }
    prompt.into(&mut scan);
    // All that are drawn are billed, however few are given.
    scan.measures.choices = scan.measures.choices.max(best_of).saturating_mul(prompts);
    Ok(scan)
}

/// Refuses a name that is written with escapes: who compares names as they are written would take it for another one.
pub(super) fn plain(key: &str, written: Value<'_>) -> Result<()> {
    if key.is_ascii() && written.raw().len() != key.len() + 2 {
        return Err(WireError::invalid(key, "is a name written with escapes; write it plainly"));
    }
    Ok(())
}

/// Refuses a name that was there already: readers would disagree on which of the two counts.
pub(super) fn once(seen: &mut HashSet<String>, key: String) -> Result<()> {
    if seen.contains(&key) {
        return Err(WireError::invalid(key, "given twice; give it once"));
    }
    seen.insert(key);
    Ok(())
}

/// Reads a limit of output.
pub(super) fn limit(value: Value<'_>, field: &str) -> Result<u64> {
    let what = "has to be a whole number that is not negative";
    value.number().ok_or_else(|| WireError::invalid(field, what))
}

/// Reads how many answers are asked for.
pub(super) fn choices(value: Value<'_>, field: &str) -> Result<u32> {
    let count = value.number().and_then(|count| u32::try_from(count).ok());
    let count = count.filter(|count| (1..=MOST_CHOICES).contains(count));
    count.ok_or_else(|| WireError::invalid(field, "has to be from 1 to 128"))
}

/// Counts the prompts of a request for completions: a list of texts, or of lists of tokens, is several.
fn prompts_of(value: Value<'_>) -> u32 {
    let each = value.items().filter(|item| item.is_text() || item.is_array()).count();
    u32::try_from(each).unwrap_or(u32::MAX).max(1)
}

/// Returns the keys under which a dialect states the most tokens of output, the newer one last.
pub(super) fn limits_of(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::OpenAiChat => &["max_tokens", "max_completion_tokens"],
        Dialect::OpenAiResponses => &["max_output_tokens"],
        Dialect::AnthropicMessages | Dialect::OpenAiCompletions => &["max_tokens"],
        Dialect::OpenAiEmbeddings | Dialect::Gemini | Dialect::GeminiEmbeddings => &[],
    }
}

/// Reads whether the answer has to be JSON, and by which schema.
fn format(dialect: Dialect, key: &str, value: Value<'_>, body: &[u8], scan: &mut Scan) {
    let (format, nested) = match (dialect, key) {
        (Dialect::OpenAiChat, "response_format") => (Some(value), Some("json_schema")),
        (Dialect::OpenAiResponses, "text") | (Dialect::AnthropicMessages, "output_config") => {
            (value.get("format"), None)
        }
        (Dialect::AnthropicMessages, "output_format") => (Some(value), None),
        _ => return,
    };
    let Some(format) = format else { return };
    if matches!(format.text_of("type").as_deref(), Some("json_object" | "json_schema")) {
        scan.measures.wants_json = true;
        scan.measures.wants_object = format.text_of("type").as_deref() == Some("json_object");
        let holder = nested.map_or(Some(format), |name| format.get(name));
        scan.schema = holder.and_then(|holder| holder.get("schema")).map(|schema| schema.span_in(body));
    }
}

/// The most answers that may be asked for at once.
const MOST_CHOICES: u32 = 128;
/// How many levels of parts within parts there are: a document within a tool's result holds the last.
const DEEPEST: u8 = 2;

/// What is known of the prompt so far, besides what the scan holds.
pub(super) struct Prompt<'b> {
    dialect: Dialect,
    pub(super) body: &'b [u8],
    pub(super) is_there: bool,
    pub(super) bytes: u64,
    pub(super) turns: u64,
    /// The turns up to what the user asked last.
    asked: Option<u64>,
    user_turns: u32,
    brings_tools: bool,
    /// Whether results followed the calls of a response that came last.
    is_answered: bool,
}

impl<'b> Prompt<'b> {
    pub(super) fn new(dialect: Dialect, body: &'b [u8]) -> Self {
        let (is_there, brings_tools, is_answered) = (false, false, false);
        let (bytes, turns, asked, user_turns) = (0, 0, None, 0);
        Self { dialect, body, is_there, bytes, turns, asked, user_turns, brings_tools, is_answered }
    }

    /// Takes the whole input as what the user asks.
    fn sole(&mut self, value: Value<'_>, scan: &mut Scan) {
        self.is_there = true;
        self.bytes += weigh::bytes(value);
        self.user_turns = 1;
        scan.ask = Some(value.span_in(self.body));
        scan.first_ask.clone_from(&scan.ask);
    }

    fn turns(&mut self, field: &str, value: Value<'_>, scan: &mut Scan) -> Result<()> {
        let dialect = self.dialect;
        self.is_there = true;
        if !value.is_array() {
            return Err(WireError::invalid(field, "has to be a list"));
        }
        for (at, turn) in value.items().enumerate() {
            if !turn.is_object() {
                return Err(WireError::invalid(format!("{field}[{at}]"), "has to be an object"));
            }
            let before = self.turns;
            let [role, content, output, kind] = turn.pick(["role", "content", "output", "type"]);
            let (role, kind) = (role.and_then(Value::text), kind.and_then(Value::text));
            if tools::brings_tools(turn) {
                self.brings_tools = true;
                for tool in turn.list("tools") {
                    scan.measures.beside += weigh::of_tool(kind_of(tool, "input.tools")?.as_deref());
                    scan.measures.is_elsewhere |= is_run_elsewhere(tool, "input.tools")?;
                    scan.measures.other_models |= tools::names_model(tool);
                }
            }
            scan.measures.is_elsewhere |= match dialect {
                Dialect::OpenAiResponses => is_kept_item(turn, kind.as_deref()),
                // What a model said aloud, by its id.
                Dialect::OpenAiChat => turn.get("audio").is_some_and(|audio| audio.get("id").is_some()),
                _ => false,
            };
            scan.ends_with_assistant = role.as_deref() == Some("assistant");
            scan.turns = at + 1;
            self.last_turn(turn, (scan.ends_with_assistant, kind.as_deref()), scan);
            scan.has_system_turns |=
                dialect == Dialect::AnthropicMessages && role.as_deref() == Some("system");
            if role.is_none() && dialect != Dialect::OpenAiResponses {
                return Err(WireError::invalid(format!("{field}[{at}].role"), "is missing"));
            }
            let excess = content.or(output).map_or(0, |content| self.others(content, scan));
            self.turns += weigh::bytes(turn).saturating_sub(excess);
            let is_message = kind.is_none_or(|kind| kind == "message");
            if is_message
                && role.as_deref() == Some("user")
                && let Some(content) = content.filter(|content| has_text(*content))
            {
                self.asks(content, before, scan);
            }
        }
        Ok(())
    }

    /// Notes what the user asks in a turn before which there are so many bytes.
    pub(super) fn asks(&mut self, content: Value<'_>, before: u64, scan: &mut Scan) {
        let span = content.span_in(self.body);
        self.user_turns = self.user_turns.saturating_add(1);
        scan.first_ask.get_or_insert_with(|| span.clone());
        scan.ask = Some(span);
        scan.measures.earlier_bytes = before;
        self.asked = Some(self.turns);
    }

    /// Notes the assistant's last turn. A response has each call as an item of its own; those that no result parts belong
    /// together.
    fn last_turn(&mut self, turn: Value<'_>, (is_assistants, kind): (bool, Option<&str>), scan: &mut Scan) {
        let is_call =
            self.dialect == Dialect::OpenAiResponses && kind.is_some_and(|kind| kind.ends_with("_call"));
        self.is_answered |= kind.is_some_and(|kind| kind.ends_with("_output"));
        if is_assistants || (is_call && self.is_answered) {
            scan.last_turn.clear();
            self.is_answered = false;
        }
        if is_assistants || is_call {
            scan.last_turn.push(turn.span_in(self.body));
        }
    }

    /// Notes the parts of a content list that weigh something else than their bytes; returns the bytes to take off for that.
    fn others(&mut self, content: Value<'_>, scan: &mut Scan) -> u64 {
        // What a tool of the client's screen gives is one part, not a list.
        let sole = Some(content).filter(|content| content.is_object());
        content.items().chain(sole).map(|part| self.part(part, DEEPEST, scan)).sum()
    }

    /// The same for one part and, so many levels down, for those within a tool's result or a document.
    fn part(&mut self, part: Value<'_>, levels: u8, scan: &mut Scan) -> u64 {
        if let Some(weight) = weigh::of_part(part) {
            let size = weigh::bytes(part);
            scan.measures.has_images |= weight.is_picture;
            scan.measures.is_elsewhere |= weight.is_elsewhere;
            scan.measures.beside += weight.most;
            self.turns += weight.bytes.saturating_sub(size);
            return size.saturating_sub(weight.bytes);
        }
        let within = match part.text_of("type").as_deref() {
            Some("tool_result") => part.get("content"),
            Some("document") => part.get("source").and_then(|source| source.get("content")),
            _ => None,
        };
        let Some(below) = levels.checked_sub(1) else { return 0 };
        within.into_iter().flat_map(Value::items).map(|part| self.part(part, below, scan)).sum()
    }

    pub(super) fn into(self, scan: &mut Scan) {
        scan.has_other_tools |= self.brings_tools;
        let measures = &mut scan.measures;
        measures.estimated_prompt_tokens = (self.bytes + self.turns).div_ceil(4);
        measures.earlier_user_turns = self.user_turns.saturating_sub(1);
        measures.later_bytes = self.asked.map_or(0, |asked| self.turns.saturating_sub(asked));
        // What the conversation itself brings nobody counts.
        measures.tools = measures.tools.max(u32::from(self.brings_tools));
        measures.beside += if measures.tools > 0 { weigh::TOOL_USE } else { 0 };
    }
}

/// Returns the kind of a tool, which it may have once.
fn kind_of<'a>(tool: Value<'a>, field: &str) -> Result<Option<Cow<'a, str>>> {
    let mut kinds = tool.members().filter(|(key, _)| key == "type").map(|(_, kind)| kind);
    let kind = kinds.next().and_then(Value::text);
    match kinds.next() {
        None => Ok(kind),
        Some(_) => Err(WireError::invalid(format!("{field}.type"), "given twice; give it once")),
    }
}

/// Says whether the provider runs a tool, or one of those within it.
fn is_run_elsewhere(tool: Value<'_>, field: &str) -> Result<bool> {
    Ok(match kind_of(tool, field)?.as_deref() {
        Some("namespace") => {
            let mut any = false;
            for inner in tool.list("tools") {
                any |= is_run_elsewhere(inner, field)?;
            }
            any
        }
        kind => kind.is_some_and(|kind| is_hosted(kind, tool)),
    })
}

/// Says whether the provider runs a tool, so that what it finds is part of the prompt.
fn is_hosted(kind: &str, tool: Value<'_>) -> bool {
    const CLIENTS: [&str; 14] = [
        "function",
        "custom",
        "local_shell",
        "shell",
        "apply_patch",
        "namespace",
        "bash",
        "text_editor",
        "memory",
        "computer",
        "computer_use_preview",
        // What it finds are tools of the request.
        "tool_search",
        "tool_search_tool_regex",
        "tool_search_tool_bm25",
    ];
    // Anthropic's carry a date: `bash_20250124`.
    let dated = kind.rsplit_once('_').filter(|(_, date)| date.bytes().all(|byte| byte.is_ascii_digit()));
    !CLIENTS.contains(&dated.map_or(kind, |(name, _)| name)) || (kind == "shell" && tools::is_hosted(tool))
}

/// Says whether what an item of a response's input stands for lies with the provider: an item by its id alone, or one of an
/// earlier turn without what was thought or found.
pub(super) fn is_kept_item(item: Value<'_>, kind: Option<&str>) -> bool {
    let lacks = |name: &str| item.get(name).is_none();
    match kind {
        Some("item_reference" | "web_search_call") => true,
        None => lacks("role") && !lacks("id"),
        Some("reasoning") => lacks("encrypted_content") && !lacks("id"),
        Some("file_search_call") => lacks("results"),
        Some("code_interpreter_call") => lacks("outputs"),
        Some("image_generation_call") => lacks("result"),
        Some(_) => false,
    }
}

/// Says whether the content of a user's message holds text of its own, not results of tools and reminders alone.
fn has_text(content: Value<'_>) -> bool {
    let is_own = |part: Value<'_>| (part.is_text() || is_text_part(part)) && !is_reminder(part);
    if content.is_text() { !is_reminder(content) } else { content.items().any(is_own) }
}

/// Says whether a text, or a part of text, is what a coding agent adds to results of tools.
pub(super) fn is_reminder(part: Value<'_>) -> bool {
    const ENDS: &[u8] = b"system-reminder";
    let text = if part.is_text() { Some(part) } else { part.get("text").filter(|text| text.is_text()) };
    // Most texts are none, and long; little of those is read.
    let is_like = |text: &Value<'_>| {
        let raw = text.raw().as_bytes();
        memmem::find(raw.get(raw.len().saturating_sub(128)..).unwrap_or(raw), ENDS).is_some()
    };
    text.filter(is_like).and_then(Value::text).is_some_and(|text| {
        let text = text.trim();
        text.starts_with("<system-reminder>") && text.ends_with("</system-reminder>")
    })
}

fn is_text_part(part: Value<'_>) -> bool {
    match part.get("type") {
        Some(kind) => matches!(kind.text().as_deref(), Some("text" | "input_text")),
        // Gemini's parts have no type.
        None => part.get("text").is_some_and(Value::is_text),
    }
}

/// Returns the text of a message's content: a string, or its text parts, one a line.
pub(super) fn text_within(content: Value<'_>) -> Cow<'_, str> {
    text_but(content, |_| false)
}

/// Returns the same without the parts that a coding agent adds.
pub(super) fn own_text_within(content: Value<'_>) -> Cow<'_, str> {
    text_but(content, is_reminder)
}

/// Returns the text of a message's content but for the parts that are passed over.
fn text_but<'a>(content: Value<'a>, passes: impl Fn(Value<'a>) -> bool) -> Cow<'a, str> {
    if content.is_text() {
        return content.text().unwrap_or_default();
    }
    let is_text = |part: &Value<'a>| (part.is_text() || is_text_part(*part)) && !passes(*part);
    let mut parts = content.items().filter(is_text).map(|part| part.text_or("text"));
    let first = parts.next().flatten().unwrap_or_default();
    parts.flatten().fold(first, |mut all, part| {
        if !all.is_empty() {
            all.to_mut().push('\n');
        }
        all.to_mut().push_str(&part);
        all
    })
}
