//! Which offered tools a synthetic answer calls.
//!
//! Invariants: a tool that has to be called is; of its own accord the simulator calls nothing whose name says that it
//! changes something unless it is asked for by name, and nothing at all between a call and its next words, so that every
//! agent's loop comes to an end.

use serde_json::Value;

use super::asked::{Asked, call_name, words};
use super::draws::{Draws, TOOL};
use super::schema;

/// What is said by somebody who wants tools to be used.
const WANTS_TOOLS: [&str; 14] = [
    "tool",
    "tools",
    "function",
    "functions",
    "call",
    "list",
    "ls",
    "files",
    "file",
    "folder",
    "directory",
    "run",
    "shell",
    "command",
];
/// What a name has in it of which the work cannot be taken back.
const CHANGES: [&str; 22] = [
    "write",
    "edit",
    "delete",
    "remove",
    "patch",
    "kill",
    "drop",
    "destroy",
    "send",
    "pay",
    "transfer",
    "deploy",
    "push",
    "commit",
    "overwrite",
    "uninstall",
    "create",
    "update",
    "todo",
    "rename",
    "move",
    "insert",
];
/// What runs commands; the command is `ls`.
const SHELLS: [&str; 14] = [
    "bash",
    "shell",
    "exec_command",
    "shell_command",
    "local_shell",
    "run_shell_command",
    "run_terminal_cmd",
    "execute_command",
    "run_command",
    "run_in_terminal",
    "container.exec",
    "terminal",
    "exec",
    "powershell",
];
/// What looks around.
const LISTS: [&str; 6] = ["ls", "list", "list_dir", "list_directory", "list_files", "glob"];
/// What reads one thing.
const READS: [&str; 5] = ["read", "read_file", "view", "view_file", "cat"];

/// A tool on offer.
#[derive(Clone, Copy)]
pub(super) struct Tool<'r> {
    pub(super) name: &'r str,
    schema: &'r Value,
    /// Takes one text, not an object.
    pub(super) is_custom: bool,
}

/// A call to be made.
pub(super) struct Call<'r> {
    pub(super) tool: Tool<'r>,
    pub(super) arguments: String,
}

/// Decides which tools are called.
///
/// # Errors
/// Where a tool has to be called that is not on offer.
pub(super) fn calls<'r>(
    request: &'r Value,
    asked: &Asked,
    draws: &Draws,
) -> Result<Vec<Call<'r>>, &'static str> {
    let mut tools = offered(request);
    let choice = request.get("tool_choice");
    let mut word = choice.and_then(Value::as_str).unwrap_or("auto");
    let named = choice.and_then(call_name);
    if let Some(allowed) = choice.and_then(|choice| choice.get("allowed_tools")) {
        word = allowed.get("mode").and_then(Value::as_str).unwrap_or("auto");
        let listed = offered(allowed);
        tools.retain(|tool| listed.iter().any(|one| one.name == tool.name));
    }
    let mut most = asked.calls();
    if request.get("parallel_tool_calls").and_then(Value::as_bool) == Some(false) {
        most = 1;
    }
    if let Some(named) = named {
        let tool = tools.into_iter().find(|tool| tool.name == named);
        let tool = tool.ok_or("tool_choice names a tool that is not among the tools")?;
        return Ok(made(&[tool], 1));
    }
    let liked = liked(&tools, asked);
    match word {
        "none" => Ok(Vec::new()),
        "required" | "any" => {
            let first = tools.first().ok_or("tool_choice demands a call, but there are no tools")?;
            let others = tools.iter().filter(|tool| !changes(tool.name));
            let rest: Vec<Tool<'r>> = if liked.is_empty() { vec![*first] } else { liked };
            Ok(made(&padded(&rest, others.copied(), most, asked), most))
        }
        _ if asked.has_called || asked.wants_text_alone(&WANTS_TOOLS) => Ok(Vec::new()),
        _ => {
            let wants = asked.says(&WANTS_TOOLS);
            // Where the answer has to have a form, only a word of the person's puts a call before it.
            let is_free = request
                .get("response_format")
                .is_none_or(|format| format.get("type").and_then(Value::as_str) == Some("text"));
            let by_chance = is_free && draws.text(TOOL).is_multiple_of(3);
            let picked: Vec<Tool<'r>> = match () {
                () if !liked.is_empty() => liked,
                () if wants || by_chance => unasked(&tools, asked),
                () => Vec::new(),
            };
            let others =
                tools.iter().filter(|tool| most > 1 && rank(tool.name).is_none() && !changes(tool.name));
            let has_ranked = tools.iter().any(|tool| rank(tool.name).is_some());
            let others = others.filter(|_| !has_ranked).copied();
            Ok(made(&padded(&picked, others, most, asked), most))
        }
    }
}

fn offered(holder: &Value) -> Vec<Tool<'_>> {
    holder.get("tools").and_then(Value::as_array).into_iter().flatten().filter_map(tool).collect()
}

fn tool(tool: &Value) -> Option<Tool<'_>> {
    let none = &Value::Null;
    if let Some(function) = tool.get("function") {
        let schema = function.get("parameters").unwrap_or(none);
        return Some(Tool { name: function.get("name")?.as_str()?, schema, is_custom: false });
    }
    let name = tool.pointer("/custom/name")?.as_str()?;
    Some(Tool { name, schema: none, is_custom: true })
}

/// Returns the tools that the person asks for: by name, or by a word of the name, the named ones first.
fn liked<'r>(tools: &[Tool<'r>], asked: &Asked) -> Vec<Tool<'r>> {
    let named: Vec<Tool<'r>> = tools.iter().filter(|tool| is_named(tool.name, asked)).copied().collect();
    // An agent's tools have everyday words for names; there only a harmless one is taken for a word.
    let is_agent = tools.iter().any(|tool| rank(tool.name).is_some());
    if !named.is_empty() || is_agent {
        return named;
    }
    let is_mentioned = |tool: &&Tool<'r>| {
        !changes(tool.name)
            && words(tool.name).iter().filter(|word| word.chars().count() > 3).any(|word| {
                asked.words.iter().any(|said| said == word || said.strip_suffix('s') == Some(word))
            })
    };
    tools.iter().filter(is_mentioned).copied().collect()
}

/// Says whether the person names a tool: as it is written, by all words of its name, or as `the NAME tool`.
fn is_named(name: &str, asked: &Asked) -> bool {
    let parts = words(name);
    if parts.len() > 1 {
        return asked.text.contains(name) || parts.iter().all(|part| asked.words.contains(part));
    }
    let Some(part) = parts.first() else { return false };
    let is_use_verb = |word: &str| matches!(word, "use" | "call" | "using" | "run" | "tool" | "function");
    asked.text.contains(&format!("`{name}`"))
        || asked.words.windows(2).any(|two| {
            let [a, b] = two else { return false };
            (b == part && is_use_verb(a)) || (a == part && matches!(b.as_str(), "tool" | "function"))
        })
        || asked
            .words
            .windows(3)
            .any(|three| matches!(three, [a, b, c] if c == part && b == "the" && is_use_verb(a)))
}

/// Returns what is called though nobody named it: with an agent what only looks, else the first that changes nothing.
fn unasked<'r>(tools: &[Tool<'r>], asked: &Asked) -> Vec<Tool<'r>> {
    let ranked = tools.iter().filter_map(|tool| Some((rank(tool.name)?, tool))).min_by_key(|(rank, _)| *rank);
    let first = ranked.map(|(_, tool)| tool).or_else(|| tools.iter().find(|tool| !changes(tool.name)));
    let any = || tools.first().filter(|_| asked.says(&["tool", "tools", "function", "call"]));
    first.or_else(any).copied().into_iter().collect()
}

/// Ranks what is known to only look when it is called with harmless arguments.
fn rank(name: &str) -> Option<usize> {
    // What stands before two strokes is a namespace that was put into the name.
    let name = name.rsplit("__").next().unwrap_or(name).to_ascii_lowercase();
    [&SHELLS[..], &LISTS[..], &READS[..]].iter().position(|names| names.contains(&name.as_str()))
}

fn changes(name: &str) -> bool {
    words(name).iter().any(|word| CHANGES.contains(&word.as_str()))
}

/// Adds further tools where more calls are asked for than tools are picked, and not the same one again.
fn padded<'r>(
    picked: &[Tool<'r>],
    others: impl Iterator<Item = Tool<'r>>,
    most: usize,
    asked: &Asked,
) -> Vec<Tool<'r>> {
    let mut all = picked.to_vec();
    if !all.is_empty() && !asked.says(&["twice", "times"]) {
        let more: Vec<Tool<'r>> =
            others.filter(|other| picked.iter().all(|tool| tool.name != other.name)).collect();
        all.extend(more.into_iter().take(most.saturating_sub(picked.len())));
    }
    all
}

/// What the tool of Codex takes that runs JavaScript.
const SCRIPT: &str = "text(await tools.exec_command({cmd:\"ls\"}))";

/// Makes the arguments of a call, as text.
fn arguments(tool: Tool<'_>) -> String {
    let is_script = rank(tool.name) == Some(0);
    if tool.is_custom {
        return if is_script { SCRIPT } else { "SIMULATED" }.to_owned();
    }
    let mut made = schema::arguments(tool.schema);
    if let Some(input) = made.get_mut("input").filter(|input| is_script && input.is_string()) {
        *input = SCRIPT.into();
    }
    made.to_string()
}

/// Makes the calls; with fewer tools than calls the first is called again.
fn made<'r>(tools: &[Tool<'r>], most: usize) -> Vec<Call<'r>> {
    let again = tools.first().into_iter().cycle().take(most.saturating_sub(tools.len()));
    let one = |tool: &Tool<'r>| Call { tool: *tool, arguments: arguments(*tool) };
    tools.iter().take(most).chain(again).map(one).collect()
}
