//! What in a log is no call to a model though it looks like one: fetching, listing, deleting, cancelling, health checks.
//!
//! Invariant: only what is known to be no call is passed over; whatever is new counts as a call.

/// Why an entry that only looks up what was answered before is none.
const LOOKED_UP: &str = "fetches, lists, deletes or cancels what was answered before";
const UPKEEP: &str = "looks after files, batches or the like, and calls no model";
const TOOLS: &str = "calls or lists tools of an MCP server, and no model";
const HEALTH: &str = "a health check";
const COUNTED: &str = "only counts tokens";

/// What nearly all rows of `LiteLLM` are.
const CALLS: [&str; 6] =
    ["acompletion", "completion", "aresponses", "anthropic_messages", "aembedding", "atext_completion"];

/// Says why a kind of call as `LiteLLM` names it is no call to a model.
pub(super) fn by_call_type(name: &str) -> Option<&'static str> {
    if CALLS.contains(&name) {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    if lower.contains('/') {
        return by_endpoint("", &lower);
    }
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let has = |names: &[&str]| {
        // Asynchronous kinds have an `a` before their first word.
        let first = words.first().and_then(|word| word.strip_prefix('a'));
        words.iter().copied().chain(first).any(|word| names.contains(&word))
    };
    if has(&["health", "healthcheck"]) {
        return Some(HEALTH);
    }
    if has(&["get", "list", "retrieve", "delete", "cancel", "status"]) {
        return Some(LOOKED_UP);
    }
    if has(&["count"]) && has(&["tokens", "token"]) {
        return Some(COUNTED);
    }
    if has(&["mcp"]) {
        return Some(TOOLS);
    }
    let keeps = ["file", "files", "batch", "batches", "assistant", "assistants", "container", "containers"];
    let runs = has(&["run"]);
    let others = ["thread", "threads", "skill", "skills", "store", "tuning", "finetuning", "eval", "evals"];
    let made = has(&["video"]) && has(&["content"]);
    if has(&keeps) || (has(&others) && !runs) || (has(&["add"]) && has(&["message"])) || made {
        return Some(UPKEEP);
    }
    None
}

/// Says why a request by this method to this path or address is no call to a model.
pub(super) fn by_endpoint(method: &str, address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let path =
        path.split_once("://").map_or(path.as_str(), |(_, rest)| rest.split_once('/').map_or("", |(_, p)| p));
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let has = |names: &[&str]| parts.iter().any(|part| names.contains(part));
    let last = parts.last().copied().unwrap_or_default();
    if has(&["health", "healthz", "readyz", "livez", "readiness", "liveliness", "liveness", "ping"]) {
        return Some(HEALTH);
    }
    if last == "count_tokens" || last == "input_tokens" || last.ends_with(":counttokens") {
        return Some(COUNTED);
    }
    let method = method.to_ascii_uppercase();
    if !matches!(method.as_str(), "" | "POST") || last == "cancel" || last == "input_items" {
        return Some(LOOKED_UP);
    }
    let kept = [
        "files",
        "batches",
        "fine_tuning",
        "assistants",
        "vector_stores",
        "containers",
        "uploads",
        "evals",
        "skills",
    ];
    if has(&kept) || (has(&["threads"]) && !has(&["runs"])) {
        return Some(UPKEEP);
    }
    // `/v1/models` lists; Gemini and Azure have the name of a model, and what to do with it, behind such a word.
    if last == "models" {
        return Some(LOOKED_UP);
    }
    // What stands behind `responses` is the name of a stored one.
    let under = parts.iter().position(|part| *part == "responses").and_then(|at| parts.get(at + 1));
    (under.is_some_and(|name| name.starts_with("resp_"))).then_some(LOOKED_UP)
}

/// Says whether a kind of call or an address is of those that are billed by pictures, seconds, searches or the like, or of
/// those whose counts a gateway does not see: zeros say nothing there.
pub(super) fn is_billed_otherwise(name: &str) -> bool {
    let lower = name.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let kinds = [
        "image",
        "speech",
        "transcri",
        "translation",
        "audio",
        "rerank",
        "search",
        "video",
        "ocr",
        "realtime",
        "pass_through",
        "passthrough",
        ":predict",
    ];
    kinds.iter().any(|kind| lower.contains(kind))
}

/// Says whether an address is one of those that make embeddings, which have no answer to count.
pub(super) fn embeds(address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    let last = path.rsplit(['/', ':']).next().unwrap_or_default();
    matches!(last, "embeddings" | "embed" | "embedContent" | "batchEmbedContents")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_up_is_no_call_and_calling_is() {
        for name in [
            "aget_responses",
            "get_responses",
            "adelete_responses",
            "acancel_responses",
            "alist_input_items",
            "aretrieve_batch",
            "acreate_batch",
            "acancel_batch",
            "afile_content",
            "afile_retrieve",
            "acreate_file",
            "/health",
            "ahealth_check",
            "health_check",
            "alist_fine_tuning_jobs",
            "avector_store_search",
            "a_add_message",
            "aget_messages",
            "acreate_thread",
            "list_mcp_tools",
            "avideo_content",
            "avideo_list",
            "acount_tokens",
            "aget_assistants",
            "acreate_container",
        ] {
            assert!(by_call_type(name).is_some(), "{name}");
        }
        for name in [
            "",
            "acompletion",
            "completion",
            "aresponses",
            "responses",
            "anthropic_messages",
            "pass_through_endpoint",
            "aembedding",
            "atext_completion",
            "agenerate_content",
            "agenerate_content_stream",
            "arerank",
            "aspeech",
            "atranscription",
            "aimage_generation",
            "_arealtime",
            "arun_thread",
            "allm_passthrough_route",
            "acreate_video",
            "/v1/chat/completions",
            "something_new",
        ] {
            assert_eq!(by_call_type(name), None, "{name}");
        }
    }

    #[test]
    fn addresses_tell_what_was_asked_of_them() {
        for (method, address) in [
            ("GET", "/v1/chat/completions/chatcmpl-1"),
            ("GET", "/v1/responses/resp_1"),
            ("DELETE", "/v1/responses/resp_1"),
            ("", "https://api.openai.com/v1/responses/resp_1?include=x"),
            ("POST", "/v1/responses/resp_1/cancel"),
            ("", "/v1/models"),
            ("POST", "/v1/files"),
            ("", "https://api.openai.com/v1/batches/batch_1"),
            ("POST", "/v1/messages/count_tokens"),
            ("POST", "/v1beta/models/gemini-2.5-flash:countTokens"),
            ("", "/health/liveliness"),
            ("POST", "/v1/threads/thread_1/messages"),
        ] {
            assert!(by_endpoint(method, address).is_some(), "{method} {address}");
        }
        for (method, address) in [
            ("POST", "/v1/chat/completions"),
            ("post", "https://api.openai.com/v1/responses"),
            ("", ""),
            ("", "https://api.anthropic.com/v1/messages"),
            ("POST", "/v1/threads/thread_1/runs"),
            ("POST", "/v1beta/models/gemini-2.5-flash:generateContent"),
            ("", "https://gateway.example"),
            ("POST", "/openai/deployments/gpt-4.1/chat/completions"),
            ("POST", "/model/anthropic.claude/invoke"),
        ] {
            assert_eq!(by_endpoint(method, address), None, "{method} {address}");
        }
    }
}
