//! The small logs under tests/records, one of each format.

use std::path::{Path, PathBuf};

use pointsman::record::InputFormat;

/// Returns the path of a fixture.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records").join(name)
}

/// Every fixture with its format.
pub(crate) const FIXTURES: &[(&str, InputFormat)] = &[
    ("native.jsonl", InputFormat::Native),
    ("litellm_array.json", InputFormat::LiteLlmSpend),
    ("litellm_data.json", InputFormat::LiteLlmSpend),
    ("litellm_dump.jsonl", InputFormat::LiteLlmSpend),
    ("litellm_special.jsonl", InputFormat::LiteLlmSpend),
    ("litellm_payload.jsonl", InputFormat::LiteLlmPayload),
    ("otel.json", InputFormat::Otel),
    ("otel.jsonl", InputFormat::Otel),
    ("openai_chat.json", InputFormat::OpenAi),
    ("openai_mixed.jsonl", InputFormat::OpenAi),
    ("anthropic.json", InputFormat::Anthropic),
    ("gemini.json", InputFormat::Gemini),
    ("gemini_stream.json", InputFormat::Gemini),
    ("ollama.json", InputFormat::Ollama),
    ("claude_code.jsonl", InputFormat::ClaudeCode),
    (
        "home/.codex/sessions/2026/05/23/rollout-2026-05-23T08-00-00-01900000-aaaa-7000-8000-000000000001.jsonl",
        InputFormat::Codex,
    ),
    ("home/.local/share/opencode/storage/message/ses_a/msg_a1.json", InputFormat::OpenCode),
    ("home/.gemini/tmp/shop/chats/session-2026-05-23T13-00-gggggggg.json", InputFormat::GeminiCli),
    ("home/.gemini/tmp/shop/chats/session-2026-05-24T13-00-gggggggg.jsonl", InputFormat::GeminiCli),
    ("langfuse.jsonl", InputFormat::Langfuse),
    ("helicone.jsonl", InputFormat::Helicone),
    ("portkey.jsonl", InputFormat::Portkey),
    ("tensorzero.jsonl", InputFormat::TensorZero),
    ("openrouter.json", InputFormat::OpenRouter),
    ("azure.csv", InputFormat::Azure),
    ("burstgpt_1.csv", InputFormat::BurstGpt),
    ("burstgpt_3.csv", InputFormat::BurstGpt),
    ("mooncake.jsonl", InputFormat::Mooncake),
    ("agents.csv", InputFormat::AgentCsv),
    ("agents.json", InputFormat::AgentJson),
];
