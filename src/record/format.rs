//! The formats that can be read.

use std::fmt;
use std::str::FromStr;

macro_rules! formats {
    ($own:ident $own_name:literal $own_about:literal, $($variant:ident $name:literal $about:literal,)*) => {
        /// A format of request logs.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum InputFormat {
            #[doc = $own_about]
            #[default]
            $own,
            $(#[doc = $about] $variant,)*
            /// A log of one's own shape, read by a mapping.
            Mapped,
        }

        impl InputFormat {
            /// Every format that can be named.
            pub const ALL: &[Self] = &[Self::$own, $(Self::$variant,)*];

            /// Returns the name used on the command line.
            pub const fn name(self) -> &'static str {
                match self { Self::$own => $own_name, $(Self::$variant => $name,)* Self::Mapped => "mapped" }
            }

            /// Says in one line what it is.
            pub const fn description(self) -> &'static str {
                match self {
                    Self::$own => $own_about,
                    $(Self::$variant => $about,)*
                    Self::Mapped => "A log of one's own shape, read by a mapping.",
                }
            }
        }
    };
}

formats! {
    Native "pointsman" "Pointsman's own log: JSON lines, version 1.",
    LiteLlmSpend "litellm" "LiteLLM spend logs (table dump or /spend/logs?summarize=false).",
    LiteLlmPayload "litellm-payload" "LiteLLM standard logging payload (callbacks, cold storage).",
    Otel "otel" "OpenTelemetry GenAI spans as OTLP/JSON, one document or one export a line.",
    OpenAi "openai" "OpenAI-style answers, chat or responses (also Mistral, vLLM, OpenRouter and others).",
    Anthropic "anthropic" "Anthropic messages.",
    Gemini "gemini" "Gemini generateContent answers.",
    Ollama "ollama" "Ollama chat and generate answers.",
    ClaudeCode "claude-code" "Claude Code session logs (JSON lines under ~/.claude/projects).",
    Codex "codex" "Codex session logs (rollouts, JSON lines under ~/.codex/sessions).",
    OpenCode "opencode" "opencode messages (its database, or its older message files).",
    GeminiCli "gemini-cli" "Gemini CLI session files (under ~/.gemini/tmp).",
    Langfuse "langfuse" "Langfuse observations (blob-storage export or API).",
    Helicone "helicone" "Helicone request export.",
    Portkey "portkey" "Portkey logs export.",
    TensorZero "tensorzero" "TensorZero model inference rows.",
    OpenRouter "openrouter" "OpenRouter generation records.",
    Azure "azure" "Azure LLM inference trace (CSV; times and tokens only).",
    BurstGpt "burstgpt" "BurstGPT trace, both CSV layouts.",
    Mooncake "mooncake" "Mooncake trace (JSON lines with prefix hashes).",
    AgentCsv "agent-csv" "Coding-agent sessions as CSV, one request a row.",
    AgentJson "agent-json" "Coding-agent sessions as JSON, one session a document.",
}

/// A name that is no format's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no log format; choose one of: {list}", list = names())]
pub struct UnknownName(pub String);

/// Lists the names of all formats.
pub(crate) fn names() -> String {
    InputFormat::ALL.iter().map(|format| format.name()).collect::<Vec<_>>().join(", ")
}

impl FromStr for InputFormat {
    type Err = UnknownName;
    /// Reads a format's name; the names of servers that speak OpenAI's dialect are understood, too.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let lower = text.trim().to_ascii_lowercase();
        if let Some(format) = Self::ALL.iter().find(|format| format.name() == lower) {
            return Ok(*format);
        }
        match lower.as_str() {
            "mistral" | "vllm" | "deepseek" | "openai-chat" | "openai-responses" => Ok(Self::OpenAi),
            "litellm-spend" => Ok(Self::LiteLlmSpend),
            "otlp" | "opentelemetry" => Ok(Self::Otel),
            "jsonl" | "native" => Ok(Self::Native),
            _ => Err(UnknownName(text.to_owned())),
        }
    }
}

impl fmt::Display for InputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl InputFormat {
    /// Says whether times are relative to sessions, so that where one stands depends on those before it.
    pub(crate) fn is_relative(self) -> bool {
        matches!(self, Self::AgentCsv | Self::AgentJson)
    }

    /// Says whether an entry means the same whatever stands before it.
    pub(crate) fn stands_alone(self) -> bool {
        !self.is_relative() && !self.is_coding_agent() && !matches!(self, Self::Otel | Self::Langfuse)
    }

    /// Says whether rows are comma-separated under a header.
    pub(crate) fn is_csv(self) -> bool {
        matches!(self, Self::Azure | Self::BurstGpt | Self::AgentCsv)
    }

    /// Says whether it is what a coding agent keeps of its sessions, whose calls are known by name over all files.
    pub fn is_coding_agent(self) -> bool {
        matches!(self, Self::ClaudeCode | Self::Codex | Self::OpenCode | Self::GeminiCli)
    }

    /// Says whether its calls may have names to be known by.
    pub fn names_calls(self) -> bool {
        !self.is_csv() && !matches!(self, Self::AgentJson | Self::Mooncake)
    }

    /// Names the keys of a surrounding object whose list holds the entries.
    pub(crate) fn wrappers(self) -> &'static [&'static str] {
        match self {
            Self::Otel => &["resourceSpans"],
            Self::LiteLlmSpend
            | Self::LiteLlmPayload
            | Self::Langfuse
            | Self::Helicone
            | Self::Portkey
            | Self::TensorZero
            | Self::OpenRouter => &["data"],
            _ => &[],
        }
    }

    /// Lists the columns that a CSV format cannot do without.
    pub(crate) fn needed_columns(self) -> &'static [&'static str] {
        match self {
            Self::Azure => &["timestamp", "contexttokens", "generatedtokens"],
            Self::BurstGpt => &["timestamp", "model", "request tokens", "response tokens"],
            Self::AgentCsv => &["trace_id", "t", "input_tokens", "output_tokens", "cached_prefix_tokens"],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for format in InputFormat::ALL {
            assert_eq!(format.name().parse(), Ok(*format));
            assert!(format.description().ends_with('.'));
        }
        let error = "nginx".parse::<InputFormat>().unwrap_err().to_string();
        assert!(error.contains("nginx") && error.contains("litellm"), "{error}");
    }
}
