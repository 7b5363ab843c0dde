//! How each format is recognised by its content, and how its entries are to be cut.

use super::InputFormat;
use super::csv::Columns;
use super::json;

/// How many of the first lines are looked at for one that tells the format: sessions of agents may begin with many that do not.
const LINES: usize = 1 << 14;
/// How many of the first lines are looked at for how entries are cut.
const CUT_LINES: usize = 32;

/// Recognises a format by the beginning of a log; `None` where nothing known is in it.
pub(crate) fn recognise(start: &[u8]) -> Option<InputFormat> {
    let text = start.trim_ascii_start();
    if is_stream(text) {
        return dialect(text);
    }
    if text.first().is_some_and(|byte| matches!(byte, b'{' | b'[')) {
        // In a log of one object a line the first lines may be broken; any sound one tells the format.
        let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        return by_keys(&Keys::of(text)).or_else(|| {
            let mut objects = lines.take(LINES).filter(|line| line.first() == Some(&b'{'));
            objects.find_map(|line| by_keys(&Keys::of(line))).or_else(|| of_error(text))
        });
    }
    let header = String::from_utf8_lossy(text.split(|&byte| byte == b'\n').next()?);
    let columns = Columns::read(header.trim_end(), b',');
    let mut csv = InputFormat::ALL.iter().copied().filter(|format| format.is_csv());
    let csv = csv.find(|format| format.needed_columns().iter().all(|name| columns.has(name)));
    csv.or_else(|| table(text).map(|(format, _)| format)).or_else(|| {
        let lines = text.split(|&byte| byte == b'\n').take(LINES).map(<[u8]>::trim_ascii);
        lines.filter(|line| line.first() == Some(&b'{')).find_map(|line| by_keys(&Keys::of(line)))
    })
}

/// Recognises rows under a header that stand for the objects of a format, as tables are exported, and what is between
/// their fields.
pub(super) fn table(start: &[u8]) -> Option<(InputFormat, u8)> {
    let text = start.trim_ascii_start();
    if matches!(text.first()?, b'{' | b'[') {
        return None;
    }
    let header = std::str::from_utf8(text.split(|&byte| byte == b'\n').next()?).ok()?;
    let exported = |format: &InputFormat| format.wrappers().contains(&"data");
    [b',', b'\t', b';'].into_iter().find_map(|delimiter| {
        let columns = Columns::exact(header.trim_end(), delimiter);
        Some((by_names(&|name| columns.has(name)).filter(exported)?, delimiter))
    })
}

fn by_keys(keys: &Keys<'_>) -> Option<InputFormat> {
    let has = |name: &str| keys.top.contains(&name.as_bytes());
    if let Some(format) = by_names(&has) {
        // A moment called `at` makes a line ours, unless its tokens stand where ours never do.
        let is_strange = |key: &&[u8]| {
            ["token", "usage", "completion"]
                .iter()
                .any(|word| memchr::memmem::find(key, word.as_bytes()).is_some())
        };
        let is_ours = ["pointsman", "attempts", "in", "out", "event"].iter().any(|name| has(name));
        return (format != InputFormat::Native || is_ours || !keys.top.iter().any(is_strange))
            .then_some(format);
    }
    let inner = |name: &str| keys.under_data.contains(&name.as_bytes());
    has("data").then(|| by_names(&inner)).flatten()
}

/// Says whether a log begins like sessions of agents do, with what tells no format: further on there may be more.
pub(crate) fn may_be_session(start: &[u8]) -> bool {
    let line = start.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).find(|line| !line.is_empty());
    let keys = Keys::of(line.unwrap_or_default()).top;
    keys.contains(&b"type".as_slice()) && keys.contains(&b"sessionId".as_slice())
}

/// Recognises a log of nothing but errors by the first of them.
fn of_error(text: &[u8]) -> Option<InputFormat> {
    let keys = Keys::of(text).top;
    let has = |name: &str| keys.contains(&name.as_bytes());
    let beside: [&[u8]; 5] = [b"error", b"type", b"request_id", b"user_id", b"status"];
    if !has("error") || keys.iter().any(|key| !beside.contains(key)) {
        return None;
    }
    let names = |word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    Some(match () {
        () if has("type") => InputFormat::Anthropic,
        () if names("\"status\"") && names("\"code\"") => InputFormat::Gemini,
        () if names("\"message\"") => InputFormat::OpenAi,
        () => return None,
    })
}

fn by_names(has: &dyn Fn(&str) -> bool) -> Option<InputFormat> {
    use InputFormat as F;
    let all = |names: &[&str]| names.iter().all(|name| has(name));
    let any = |names: &[&str]| names.iter().any(|name| has(name));
    let rules = [
        (has("pointsman"), F::Native),
        (any(&["resourceSpans", "scopeSpans"]), F::Otel),
        (all(&["hash_ids", "input_length"]), F::Mooncake),
        (all(&["custom_id", "result"]), F::Anthropic),
        (all(&["custom_id", "response"]), F::OpenAi),
        (all(&["key", "response"]), F::Gemini),
        (all(&["sessionId", "uuid", "type"]) && any(&["parentUuid", "isSidechain"]), F::ClaudeCode),
        // A line may be cut off before its last keys.
        (all(&["sessionId", "type", "parentUuid", "isSidechain"]), F::ClaudeCode),
        // Written anew by another tool, with what that kept.
        (all(&["sessionId", "type", "message"]) && any(&["timestamp", "requestId"]), F::ClaudeCode),
        (all(&["type", "summary", "leafUuid"]) || all(&["type", "messageId", "snapshot"]), F::ClaudeCode),
        (all(&["timestamp", "type", "payload"]), F::Codex),
        (has("opencode") || (all(&["sessionID", "id"]) && any(&["role", "messageID"])), F::OpenCode),
        (all(&["sessionId", "projectHash"]), F::GeminiCli),
        (has("requests") && any(&["block_size", "hash_id_scope", "tool_tokens"]), F::AgentJson),
        (all(&["startTime", "request_id"]) && any(&["spend", "call_type", "api_key"]), F::LiteLlmSpend),
        (has("startTime") && any(&["response_cost", "litellm_call_id", "hidden_params"]), F::LiteLlmPayload),
        (any(&["native_tokens_prompt", "native_tokens_completion"]), F::OpenRouter),
        (any(&["usageMetadata", "usage_metadata", "candidates"]), F::Gemini),
        (has("choices") || all(&["object", "usage"]), F::OpenAi),
        (any(&["traceId", "trace_id"]) && all(&["type", "startTime"]), F::Langfuse),
        (any(&["traceId", "trace_id"]) && all(&["type", "start_time"]), F::Langfuse),
        (all(&["usage", "type"]) && any(&["role", "stop_reason", "content"]), F::Anthropic),
        (any(&["eval_count", "prompt_eval_count"]) || all(&["done", "created_at", "model"]), F::Ollama),
        (any(&["usage_details", "usageDetails", "provided_model_name", "providedModelName"]), F::Langfuse),
        (has("request_created_at"), F::Helicone),
        (has("ai_model") || (has("ai_provider") && any(&["request_tokens", "req_units"])), F::Portkey),
        (has("model_provider_name"), F::TensorZero),
        (has("at"), F::Native),
        // A price that holds from the beginning needs no moment.
        (all(&["event", "model", "input", "output"]), F::Native),
    ];
    rules.into_iter().find(|(fits, _)| *fits).map(|(_, format)| format)
}

/// The keys of the first object in a text, which may be cut off.
#[derive(Debug, Default)]
struct Keys<'t> {
    top: Vec<&'t [u8]>,
    /// Keys one level down, within `data`.
    under_data: Vec<&'t [u8]>,
}

impl<'t> Keys<'t> {
    fn of(text: &'t [u8]) -> Self {
        let mut keys = Self::default();
        let Some(start) = text.iter().position(|&byte| byte == b'{') else { return keys };
        // Objects around the place count, lists do not: `{"data":[{…}]}` and `{"data":{…}}` are alike here.
        let (mut objects, mut at, mut in_data) = (0u32, start, false);
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b'{' => objects += 1,
                b'}' => {
                    objects = objects.saturating_sub(1);
                    if objects == 0 {
                        break;
                    }
                }
                b'"' => {
                    let word_start = at;
                    at = json::end_of_text(text, at);
                    let word = text.get(word_start..at.min(text.len())).unwrap_or_default();
                    at += 1;
                    let behind = text.get(at..).unwrap_or_default().trim_ascii_start();
                    if behind.first() == Some(&b':') {
                        match objects {
                            1 => {
                                in_data = word == b"data";
                                keys.top.push(word);
                            }
                            2 if in_data => keys.under_data.push(word),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        keys
    }
}

/// Says how the entries of a log that starts so are to be cut: by lines, or by JSON values over several lines.
pub(crate) fn is_by_line(format: InputFormat, start: &[u8]) -> bool {
    if format.is_csv() {
        return true;
    }
    if start.trim_ascii_start().first() == Some(&b'[') {
        return false;
    }
    let lines = start.split(|&byte| byte == b'\n').take(CUT_LINES);
    let whole = lines.filter(|line| is_whole_object(line)).collect::<Vec<_>>();
    let Some(first) = whole.first() else { return false };
    // An object around a list of entries is opened up even if it stands on one line.
    let keys = Keys::of(first);
    format == InputFormat::Otel
        || !(keys.top.contains(&b"data".as_slice()) && format.wrappers().contains(&"data"))
}

/// Says whether a line is one object from its first byte to its last.
fn is_whole_object(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    if line.first() != Some(&b'{') || line.last() != Some(&b'}') {
        return false;
    }
    let mut depth = 0u32;
    for (at, byte) in json::outside_texts(line) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1 == line.len();
                }
            }
            _ => {}
        }
    }
    false
}

/// Says whether text is what a server sends as events.
pub(crate) fn is_stream(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].iter().any(|start| text.starts_with(start))
}

/// Returns the dialect of a stream of events by its beginning.
pub(crate) fn dialect(start: &[u8]) -> Option<InputFormat> {
    let has = |word: &str| memchr::memmem::find(start, word.as_bytes()).is_some();
    if !is_stream(start) {
        None
    } else if has("message_start") || has("content_block") || has("\"type\":\"error\"") {
        Some(InputFormat::Anthropic)
    } else if has("\"candidates\"") || has("\"usageMetadata\"") {
        Some(InputFormat::Gemini)
    } else if has("\"choices\"") || has("response.") || has("\"object\"") || has("\"error\"") {
        Some(InputFormat::OpenAi)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_broken_first_line_does_not_hide_the_format() {
        let log = b"{\"at\":\"2026-0\n{\"at\":\"2026-05-23T10:00:00Z\",\"model\":\"m\"}\n";
        assert_eq!(recognise(log), Some(InputFormat::Native));
        assert!(is_by_line(InputFormat::Native, log));
        assert_eq!(recognise(b"hello,world\n1,2\n"), None);
        assert_eq!(recognise(b""), None);
        assert_eq!(recognise(b"data: {\"choices\":[]}\n"), Some(InputFormat::OpenAi));
        assert_eq!(recognise(b"event: message_start\n"), Some(InputFormat::Anthropic));
        assert_eq!(recognise(b": nothing but a comment\n\n"), None);
    }

    #[test]
    fn keys_deep_inside_do_not_mislead() {
        assert_eq!(recognise(br#"{"x":{"at":1,"resourceSpans":[]},"y":"\"choices\":"}"#), None);
    }

    proptest! {
        #[test]
        fn any_bytes_may_be_looked_at(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(format) = recognise(&bytes) {
                is_by_line(format, &bytes);
            }
        }
    }
}
