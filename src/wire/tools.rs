//! Tools that are no functions, as functions and back: custom and namespaced tools, a shell, patches, a search for tools.
//!
//! Invariant: the name under which a tool goes to a model is made from the request alone, so a later turn and the answer
//! find the same tool without anything kept in between.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Dialect;
use super::gemini::names::{member, text_of};
use super::json::{Object, Value, is_json, put, written};
use super::prompt::Tool;
use super::reply::Call;
use crate::units::{Sha256, hex};

/// The longest name of a function that every provider takes.
const LONGEST_NAME: usize = 64;

const CUSTOM: &str = r#"{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as plain text."}},"required":["input"],"additionalProperties":false}"#;
const LOCAL_SHELL: &str = r#"{"type":"object","properties":{"command":{"type":"array","items":{"type":"string"},"description":"The program and its arguments."},"working_directory":{"type":"string"},"timeout_ms":{"type":"integer"}},"required":["command"],"additionalProperties":false}"#;
const SHELL: &str = r#"{"type":"object","properties":{"commands":{"type":"array","items":{"type":"string"},"description":"The commands, in their order."},"timeout_ms":{"type":"integer"},"max_output_length":{"type":"integer"}},"required":["commands"],"additionalProperties":false}"#;
const APPLY_PATCH: &str = r#"{"type":"object","properties":{"type":{"type":"string","enum":["create_file","update_file","delete_file"]},"path":{"type":"string"},"diff":{"type":"string","description":"A V4A diff; none where a file is deleted."}},"required":["type","path"],"additionalProperties":false}"#;
const SEARCH: &str = r#"{"type":"object","properties":{"query":{"type":"string"}},"required":["query"]}"#;

/// What a function stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToolKind {
    /// A function, within a namespace.
    Function,
    /// A tool whose input is plain text.
    Custom,
    /// OpenAI's `local_shell`.
    LocalShell,
    /// OpenAI's `shell` on the client's machine.
    Shell,
    /// OpenAI's `apply_patch`.
    ApplyPatch,
    /// OpenAI's `tool_search` that the client executes.
    Search,
}

/// The tool that a function stands for, as its client names it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ToolOrigin {
    pub(super) kind: ToolKind,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
}

/// The functions of a request that stand for other tools, by the names under which they were sent.
#[derive(Clone, Default)]
pub(super) struct ToolKinds(HashMap<String, ToolOrigin>);

/// What becomes of a tool.
pub(super) enum Offered<'a> {
    /// It is offered as a function.
    Function { tool: Tool<'a>, origin: Option<ToolOrigin> },
    /// No other model can have it.
    Nowhere { kind: Cow<'a, str> },
    /// Its description lacks something.
    Incomplete { what: &'static str },
}

impl ToolKinds {
    /// Reads the tools of a request.
    pub(super) fn of(dialect: Dialect, root: Value<'_>) -> Self {
        let mut kinds = Self::default();
        let mut note = |offered: Offered<'_>| {
            if let Offered::Function { tool, origin: Some(origin) } = offered {
                kinds.0.entry(tool.name.into_owned()).or_insert(origin);
            }
        };
        let tools = root.list("tools");
        match dialect {
            Dialect::OpenAiResponses => {
                tools.for_each(|tool| responses(tool, &mut note));
                for item in root.list("input") {
                    if brings_tools(item) {
                        item.list("tools").for_each(|tool| responses(tool, &mut note));
                    }
                }
            }
            Dialect::OpenAiChat => tools.filter_map(custom_of_chat).for_each(note),
            _ => {}
        }
        kinds
    }

    /// Returns the tool that a function stands for; nothing where it is an ordinary function.
    pub(super) fn origin(&self, sent: &str) -> Option<&ToolOrigin> {
        self.0.get(sent)
    }
}

/// Says whether an item of a responses request brings tools of its own.
pub(super) fn brings_tools(item: Value<'_>) -> bool {
    matches!(item.text_of("type").as_deref(), Some("tool_search_output" | "additional_tools"))
}

/// Returns the functions for a tool of a responses request: one, or all those of a namespace.
pub(super) fn responses<'a>(tool: Value<'a>, note: &mut impl FnMut(Offered<'a>)) {
    if tool.text_of("type").as_deref() != Some("namespace") {
        return note(responses_tool(tool, None));
    }
    let Some(namespace) = tool.text_of("name") else {
        return note(Offered::Incomplete { what: "name" });
    };
    for inner in tool.list("tools") {
        note(responses_tool(inner, Some(&namespace)));
    }
}

fn responses_tool<'a>(tool: Value<'a>, namespace: Option<&str>) -> Offered<'a> {
    let kind = tool.text_of("type").unwrap_or(Cow::Borrowed("function"));
    let made = |kind: ToolKind, name: Cow<'a, str>, description: Option<Cow<'a, str>>, schema: &'a str| {
        let (parameters, is_deferred) = (Some(Value::of(schema)), is_deferred(tool));
        let tool = Tool { name, description, parameters, strict: None, is_deferred, cache: None };
        offered(kind, namespace, tool)
    };
    let says = |what: &'static str| Some(Cow::Borrowed(what));
    match &*kind {
        "function" => {
            let Some(name) = tool.text_of("name") else { return Offered::Incomplete { what: "name" } };
            let (strict, is_deferred) = (tool.get("strict").and_then(Value::flag), is_deferred(tool));
            let (description, parameters) = (tool.text_of("description"), tool.get("parameters"));
            let tool = Tool { name, description, parameters, strict, is_deferred, cache: None };
            if namespace.is_none() {
                return Offered::Function { tool, origin: None };
            }
            offered(ToolKind::Function, namespace, tool)
        }
        "custom" => match tool.text_of("name") {
            Some(name) => made(ToolKind::Custom, name, Some(custom_description(tool)), CUSTOM),
            None => Offered::Incomplete { what: "name" },
        },
        "local_shell" => {
            let what = "Runs a command on the user's machine.";
            made(ToolKind::LocalShell, kind, says(what), LOCAL_SHELL)
        }
        "shell" if !is_hosted(tool) => {
            let what = "Runs commands in a shell on the user's machine.";
            made(ToolKind::Shell, kind, says(what), SHELL)
        }
        "apply_patch" => {
            let what = "Creates, changes or deletes a file by a diff.";
            made(ToolKind::ApplyPatch, kind, says(what), APPLY_PATCH)
        }
        "tool_search" if tool.text_of("execution").as_deref() == Some("client") => {
            let description =
                tool.text_of("description").or(says("Finds tools that may be called afterwards."));
            let schema = tool.get("parameters").map_or(SEARCH, Value::raw);
            made(ToolKind::Search, kind, description, schema)
        }
        _ => Offered::Nowhere { kind },
    }
}

/// Says whether the client leaves it to a search to find a tool.
fn is_deferred(tool: Value<'_>) -> bool {
    tool.get("defer_loading").and_then(Value::flag) == Some(true)
}

/// Returns the name of a function, or of a custom tool, of a chat request.
pub(super) fn name_of_chat(tool: Value<'_>) -> Option<Cow<'_, str>> {
    tool.get("function").or_else(|| tool.get("custom"))?.text_of("name")
}

/// Returns the function for a custom tool of a chat request.
pub(super) fn custom_of_chat(tool: Value<'_>) -> Option<Offered<'_>> {
    let custom = tool.get("custom").filter(|_| tool.text_of("type").as_deref() == Some("custom"))?;
    let Some(name) = custom.text_of("name") else { return Some(Offered::Incomplete { what: "custom.name" }) };
    let (description, parameters) = (Some(custom_description(custom)), Some(Value::of(CUSTOM)));
    let tool = Tool { name, description, parameters, strict: None, is_deferred: false, cache: None };
    Some(offered(ToolKind::Custom, None, tool))
}

/// Offers a function under the name under which it goes to a model.
fn offered<'a>(kind: ToolKind, namespace: Option<&str>, tool: Tool<'a>) -> Offered<'a> {
    let sent = sent_name(namespace, &tool.name);
    let name = tool.name.into_owned();
    let origin = ToolOrigin { kind, name, namespace: namespace.map(str::to_owned) };
    Offered::Function { tool: Tool { name: sent.into(), ..tool }, origin: Some(origin) }
}

/// Says whether a tool names a model besides the one that is asked: one that advises it, one that paints.
pub(super) fn names_model(tool: Value<'_>) -> bool {
    tool.get("model").is_some_and(Value::is_text)
}

/// Says whether a shell runs at the provider's.
pub(super) fn is_hosted(tool: Value<'_>) -> bool {
    tool.get("environment").and_then(|place| place.text_of("type")).is_some_and(|kind| kind != "local")
}

/// Returns what a custom tool says of itself, and by which grammar its input goes.
fn custom_description(tool: Value<'_>) -> Cow<'_, str> {
    let said = tool.text_of("description").unwrap_or_default();
    let Some(format) = tool.get("format") else { return said };
    // Chat has the grammar one level deeper.
    let grammar = format.get("grammar").unwrap_or(format);
    let Some(definition) = grammar.text_of("definition") else { return said };
    let syntax = grammar.text_of("syntax").unwrap_or(Cow::Borrowed("lark"));
    let gap = if said.is_empty() { "" } else { "\n\n" };
    Cow::Owned(format!("{said}{gap}`input` has to follow this {syntax} grammar:\n{definition}"))
}

/// Returns the name under which a tool goes to a model. Gemini's begin with no digit.
pub(super) fn sent_name(namespace: Option<&str>, name: &str) -> String {
    let whole = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}__{name}"));
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let safe: String = whole.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
    let lead = if whole.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    if safe.len() <= LONGEST_NAME && safe == whole && lead.is_empty() {
        return whole;
    }
    let digest = Sha256::digest(whole.as_bytes());
    let kept: String = safe.chars().take(LONGEST_NAME - 9 - lead.len()).collect();
    format!("{lead}{kept}_{}", hex(digest.get(..4).unwrap_or_default()))
}

/// Returns the client's own name for a function that went to a model by another, as not every provider takes its own.
pub(super) fn own_name(dialect: Dialect, root: Value<'_>, sent: &str) -> Option<String> {
    let is_digest = |end: &str| end.len() == 8 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Most names are sent as they are, and need not be looked for.
    sent.rsplit_once('_').filter(|(_, end)| is_digest(end))?;
    let mut found = None;
    let mut look = |name: Option<Cow<'_, str>>| {
        let name = name.filter(|name| found.is_none() && name != sent && sent_name(None, name) == sent);
        found = found.take().or(name.map(Cow::into_owned));
    };
    match dialect {
        Dialect::OpenAiChat => {
            let functions = root.list("tools").filter_map(|tool| tool.get("function"));
            functions.chain(root.list("functions")).for_each(|function| look(function.text_of("name")));
        }
        Dialect::AnthropicMessages => root.list("tools").for_each(|tool| look(tool.text_of("name"))),
        Dialect::Gemini => {
            let tools = member(root, "tools").into_iter().flat_map(Value::each);
            let functions = tools.filter_map(|tool| member(tool, "functionDeclarations"));
            functions.flat_map(Value::each).for_each(|function| look(text_of(function, "name")));
        }
        Dialect::OpenAiResponses => {
            let brought = root.list("input").filter(|item| brings_tools(*item));
            let brought = brought.flat_map(|item| item.list("tools"));
            root.list("tools").chain(brought).for_each(|tool| look(tool.text_of("name")));
        }
        Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings | Dialect::OpenAiCompletions => {}
    }
    found
}

/// Reads a call of such a tool in an earlier turn: the function's name and its arguments.
pub(super) fn earlier_call(item: Value<'_>) -> Option<(String, Cow<'_, str>)> {
    let namespace = item.text_of("namespace");
    let named = || Some(sent_name(namespace.as_deref(), &item.text_of("name")?));
    Some(match &*item.text_of("type")? {
        "custom_tool_call" => (named()?, Cow::Owned(custom_arguments(&item.text_of("input")?))),
        "local_shell_call" => ("local_shell".to_owned(), Cow::Borrowed(item.get("action")?.raw())),
        "shell_call" => ("shell".to_owned(), Cow::Borrowed(item.get("action")?.raw())),
        "apply_patch_call" => ("apply_patch".to_owned(), Cow::Borrowed(item.get("operation")?.raw())),
        "tool_search_call" => {
            ("tool_search".to_owned(), item.get("arguments").map_or(Cow::Borrowed("{}"), Value::told))
        }
        _ => return None,
    })
}

/// Returns the arguments of the function that stands for a custom tool.
pub(super) fn custom_arguments(input: &str) -> String {
    written(|o| put!(o, "input": input))
}

/// Returns the input of a custom tool from the arguments of the function that stood for it; where a model wrote something
/// else than asked, that as it is.
pub(super) fn custom_input(arguments: &str) -> Cow<'_, str> {
    let value = Value::of(arguments);
    let input = if value.is_object() && is_json(arguments) { value.text_of("input") } else { None };
    input.unwrap_or(Cow::Borrowed(arguments))
}

/// Writes the members that say what was called, for an item of a response: its type, its name, what it was called with.
pub(super) fn write_call(o: &mut Object<'_>, origin: &ToolOrigin, call: &Call<'_>) {
    let arguments = &*call.arguments;
    let ToolOrigin { kind, name, namespace } = origin;
    match kind {
        ToolKind::Function => {
            put!(o, "type": "function_call", "name": name, "namespace"?: namespace, "arguments": arguments);
        }
        ToolKind::Custom => {
            let input = custom_input(&call.arguments);
            put!(o, "type": "custom_tool_call", "name": name, "namespace"?: namespace, "input": input);
        }
        ToolKind::LocalShell => {
            put!(o, "type": "local_shell_call");
            o.object("action", |o| {
                put!(o, "type": "exec", "env": {});
                let line = line(arguments, &["command"]);
                if let Some(line) = &line {
                    put!(o, "command": [for word in ["bash", "-lc", &**line] => word]);
                }
                copy(o, arguments, &["type", "env", if line.is_some() { "command" } else { "" }]);
            });
        }
        ToolKind::Shell => put!(o, "type": "shell_call", "action": |o| {
            let line = line(arguments, &["commands", "command"]);
            if let Some(line) = &line {
                put!(o, "commands": [for line in [&**line] => line]);
            }
            copy(o, arguments, if line.is_some() { &["commands", "command"] } else { &[] });
        }),
        ToolKind::ApplyPatch => put!(o, "type": "apply_patch_call", "operation": |o| copy(o, arguments, &[])),
        ToolKind::Search => {
            put!(o, "type": "tool_search_call", "execution": "client");
            put!(o, "arguments": |o| copy(o, arguments, &[]));
        }
    }
}

/// Returns the command that stands as one text where a list of them is due, or of its words.
fn line<'a>(arguments: &'a str, names: &[&str]) -> Option<Cow<'a, str>> {
    crate::record::json::read::<serde::de::IgnoredAny>(arguments).ok()?;
    names.iter().find_map(|name| Value::of(arguments).text_of(name))
}

/// Copies the members of an object; of what is none, nothing.
fn copy(o: &mut Object<'_>, arguments: &str, but: &[&str]) {
    if is_json(arguments) {
        o.copy(Value::of(arguments), |key| !but.contains(&key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"tools":[{"type":"custom","name":"apply_patch","description":"edit","format":{"type":"grammar","syntax":"lark","definition":"start: /.+/s"}},
        {"type":"namespace","name":"mcp__x","description":"d","tools":[{"type":"function","name":"look","parameters":{"type":"object"}},{"type":"custom","name":"say"}]},
        {"type":"function","name":"plain"},{"type":"local_shell"},{"type":"web_search"}],
        "input":[{"type":"tool_search_output","tools":[{"type":"namespace","name":"late","tools":[{"type":"function","name":"f"}]}]}]}"#;

    #[test]
    fn every_tool_finds_its_way_back() {
        let kinds = ToolKinds::of(Dialect::OpenAiResponses, Value::of(REQUEST));
        let origin = |name: &str| kinds.origin(name).map(|found| (found.kind, found.name.as_str()));
        assert_eq!(origin("apply_patch"), Some((ToolKind::Custom, "apply_patch")));
        assert_eq!(origin("mcp__x__look"), Some((ToolKind::Function, "look")));
        assert_eq!(origin("mcp__x__say"), Some((ToolKind::Custom, "say")));
        assert_eq!(origin("late__f"), Some((ToolKind::Function, "f")));
        assert_eq!(origin("local_shell"), Some((ToolKind::LocalShell, "local_shell")));
        assert_eq!((origin("plain"), origin("web_search")), (None, None));
    }

    #[test]
    fn what_a_custom_tool_is_given_arrives_as_text() {
        let input = "*** Begin Patch\n+\"x\"\n*** End Patch";
        assert_eq!(custom_input(&custom_arguments(input)), input);
        assert_eq!(custom_input("not json"), "not json");
        assert_eq!(custom_input(r#"{"other":1}"#), r#"{"other":1}"#);
    }

    #[test]
    fn names_fit_every_provider_and_stay_apart() {
        assert_eq!(sent_name(None, "look"), "look");
        assert_eq!(sent_name(Some("ns"), "look"), "ns__look");
        let (long, other) = (sent_name(Some("n"), &"x".repeat(90)), sent_name(Some("n"), &"x".repeat(91)));
        assert!(long.len() == 64 && other.len() == 64 && long != other);
        assert_ne!(sent_name(None, "a.b"), sent_name(None, "a/b"));
    }

    #[test]
    fn a_call_is_told_as_the_tool_that_was_offered() {
        let call = |arguments: &'static str| Call {
            id: "c".into(),
            name: "n".into(),
            arguments: Cow::Borrowed(arguments),
        };
        let told = |kind: ToolKind, arguments| {
            let origin = ToolOrigin { kind, name: "t".into(), namespace: Some("ns".into()) };
            let mut out = Vec::new();
            crate::wire::json::object(&mut out, |o| write_call(o, &origin, &call(arguments)));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            told(ToolKind::Custom, r#"{"input":"hi"}"#),
            r#"{"type":"custom_tool_call","name":"t","namespace":"ns","input":"hi"}"#
        );
        assert_eq!(
            told(ToolKind::LocalShell, r#"{"command":["ls"],"env":{"A":"b"}}"#),
            r#"{"type":"local_shell_call","action":{"type":"exec","env":{},"command":["ls"]}}"#
        );
        assert_eq!(
            told(ToolKind::Search, r#"{"query":"q"}"#),
            r#"{"type":"tool_search_call","execution":"client","arguments":{"query":"q"}}"#
        );
        assert_eq!(
            told(ToolKind::Function, ""),
            r#"{"type":"function_call","name":"t","namespace":"ns","arguments":""}"#,
            "as a call begins"
        );
    }
}
