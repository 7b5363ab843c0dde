//! What of Anthropic's betas the clouds know, and the members that come with one, as Claude Code sends them.
//!
//! Invariant: a call is refused for a beta that is not known there, and for a member that needs one; where the answer is as good
//! without them they go, and are told.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::wire::error::Result;
use crate::wire::json::{Raw, Value, check, spliced, written};

/// Those that both know, as of 2026-11, that Bedrock alone does, and that Vertex alone does.
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages-request-response.html>
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude>
const BOTH: [&str; 10] = [
    "compact-2026-01-12",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "token-efficient-tools-2025-02-19",
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    TOOL_SEARCH,
    "fine-grained-tool-streaming-2025-05-14",
];
const BEDROCK: [&str; 3] = ["dev-full-thinking-2025-05-14", "effort-2025-11-24", TOOL_EXAMPLES];
const VERTEX: [&str; 1] = ["web-search-2025-03-05"];

/// The search for tools.
pub(super) const TOOL_SEARCH: &str = "tool-search-tool-2025-10-19";
/// Examples of what tools are called with.
const TOOL_EXAMPLES: &str = "tool-examples-2025-10-29";

/// Says whether Vertex, or else Bedrock, knows a beta.
pub(super) fn knows(is_vertex: bool, flag: &str) -> bool {
    BOTH.contains(&flag) || if is_vertex { VERTEX.contains(&flag) } else { BEDROCK.contains(&flag) }
}

/// Returns a header's betas without those that Vertex does not know; nothing where none is left.
pub fn betas_for_vertex(line: &str) -> Option<String> {
    let known: Vec<&str> = line.split(',').map(str::trim).filter(|flag| knows(true, flag)).collect();
    (!known.is_empty()).then(|| known.join(","))
}

/// Returns the body without members that need a beta which does not go along.
pub(super) fn without_members(
    body: Bytes,
    flags: &[Cow<'_, str>],
    left_out: &mut Vec<String>,
) -> Result<Bytes> {
    let root = check(&body)?;
    let mut out = Without { body: &body, flags, spans: Vec::new(), left_out };
    let searches = root.list("tools").any(is_search);
    out.cache(root);
    root.list("system").for_each(|block| out.block(block));
    root.list("messages").for_each(|turn| turn.list("content").for_each(|block| out.block(block)));
    root.list("tools").for_each(|tool| out.tool(tool, searches));
    let spans = out.spans;
    Ok(if spans.is_empty() { body } else { spliced(&body, spans).into() })
}

/// Members that no cloud knows.
pub(super) const UNKNOWN: [&str; 9] = [
    "speed",
    "mcp_servers",
    "container",
    "inference_geo",
    "cache_control",
    "service_tier",
    "diagnostics",
    "user_profile_id",
    "workspace_id",
];

/// Returns the body with its own mark for the prompt's cache at the last block that may have one, which is what Anthropic's API does
/// of itself; the same body where there is no such block.
pub(super) fn with_mark(body: Bytes) -> Result<Bytes> {
    let root = check(&body)?;
    let mark = root.get("cache_control").filter(|mark| mark.is_object());
    let last = root.list("messages").last().and_then(|turn| turn.get("content"));
    let Some((mark, content)) = mark.zip(last) else { return Ok(body) };
    let may_bear = |block: &Value<'_>| {
        let kind = block.text_of("type");
        let is_thought = matches!(kind.as_deref(), Some("thinking" | "redacted_thinking"));
        !is_thought && block.get("text").is_none_or(|text| text.text().is_some_and(|text| !text.is_empty()))
    };
    let gone = root.members().find_map(|(key, value)| (key == "cache_control").then_some(value));
    let nothing = gone.map(|value| (value.span_in(&body), "null".to_owned()));
    let marked = if content.text().is_some_and(|text| !text.is_empty()) {
        let block = format!(r#"[{{"type":"text","text":{},"cache_control":{}}}]"#, content.raw(), mark.raw());
        Some((content.span_in(&body), block))
    } else {
        content.items().filter(may_bear).last().filter(|block| block.get("cache_control").is_none()).map(
            |block| {
                let end = block.span_in(&body).end.saturating_sub(1);
                (end..end, format!(r#","cache_control":{}"#, mark.raw()))
            },
        )
    };
    Ok(match marked {
        Some(marked) => spliced(&body, std::iter::once(marked).chain(nothing).collect()).into(),
        None => body,
    })
}

/// Says whether a tool is run by Anthropic, in its own cloud alone; Vertex has its search as well.
pub(super) fn is_anthropics(tool: Value<'_>, is_vertex: bool) -> bool {
    const OWN: [&str; 4] = ["web_fetch_", "code_execution_", "advisor_", "mcp_toolset"];
    tool.text_of("type").is_some_and(|kind| {
        OWN.iter().any(|own| kind.starts_with(own)) || (!is_vertex && kind.starts_with("web_search_"))
    })
}

/// Returns the body with the form of the answer where the clouds know it, which take it there without a beta.
pub(super) fn with_format(body: Bytes) -> Result<Bytes> {
    let root = check(&body)?;
    let Some(format) = root.get("output_format").filter(|format| format.is_object()) else { return Ok(body) };
    let config = root.get("output_config");
    let sent = written(|o| {
        o.copy(root, |key| !matches!(key, "output_format" | "output_config"));
        o.object("output_config", |o| {
            if let Some(config) = config {
                o.copy(config, |key| key != "format");
            }
            o.put("format", format);
        });
    });
    Ok(sent.into())
}

/// Says whether a member of the body itself is not for a cloud.
pub(super) fn is_unknown(key: &str, value: Value<'_>) -> bool {
    match key {
        key if UNKNOWN.contains(&key) => true,
        "output_config" | "context_management" => value.is_object() && value.members().next().is_none(),
        _ => false,
    }
}

fn is_search(tool: Value<'_>) -> bool {
    tool.text_of("type").is_some_and(|kind| kind.starts_with("tool_search_tool"))
}

struct Without<'b, 'l> {
    body: &'b [u8],
    flags: &'b [Cow<'b, str>],
    spans: Vec<(Range<usize>, String)>,
    left_out: &'l mut Vec<String>,
}

impl Without<'_, '_> {
    fn note(&mut self, name: &str) {
        if !self.left_out.iter().any(|known| known == name) {
            self.left_out.push(name.to_owned());
        }
    }

    /// Looks at a block's mark for caches, and at those of the blocks within it.
    fn block(&mut self, block: Value<'_>) {
        self.cache(block);
        block.list("content").for_each(|within| self.cache(within));
    }

    fn cache(&mut self, block: Value<'_>) {
        let Some(cache) = block.get("cache_control") else { return };
        if let Some(mark) = unscoped(cache) {
            self.spans.push((cache.span_in(self.body), mark));
            self.note("cache_control.scope");
        }
    }

    fn tool(&mut self, tool: Value<'_>, searches: bool) {
        let has = |flag: &str| self.flags.iter().any(|known| known == flag);
        let goes = |key: &str| match key {
            "eager_input_streaming" | "allowed_callers" => true,
            "defer_loading" => !searches || !has(TOOL_SEARCH),
            "input_examples" => !has(TOOL_EXAMPLES),
            _ => false,
        };
        let gone: Vec<String> =
            tool.members().filter(|(key, _)| goes(key)).map(|(key, _)| format!("tools.{key}")).collect();
        if gone.is_empty() {
            return self.cache(tool);
        }
        let mark = tool.get("cache_control").and_then(unscoped);
        let kept = written(|o| {
            for (key, value) in tool.members().filter(|(key, _)| !goes(key)) {
                match mark.as_deref().filter(|_| key == "cache_control") {
                    Some(mark) => o.put(&key, Raw(mark)),
                    None => o.put(&key, value),
                }
            }
        });
        self.spans.push((tool.span_in(self.body), kept));
        for name in &gone {
            self.note(name);
        }
        if mark.is_some() {
            self.note("cache_control.scope");
        }
    }
}

/// Returns a mark for caches without its scope; nothing where it has none.
fn unscoped(cache: Value<'_>) -> Option<String> {
    cache.get("scope")?;
    Some(written(|o| o.copy(cache, |key| key != "scope")))
}

/// Says whether a beta of Anthropic's own is there for the search for tools, which has a name of its own at Bedrock.
pub(super) fn is_searching(flag: &str, root: Value<'_>) -> bool {
    flag == "advanced-tool-use-2025-11-20" && root.list("tools").any(is_search)
}
