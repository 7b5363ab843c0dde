//! The languages that clients and providers of models speak.

use crate::units::words;
use std::fmt;

/// A request and answer format, as the provider that invented it documents it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// `POST /v1/chat/completions`: OpenAI, Mistral, and every compatible server.
    OpenAiChat,
    /// `POST /v1/responses`.
    OpenAiResponses,
    /// `POST /v1/embeddings`.
    OpenAiEmbeddings,
    /// `POST /v1/messages`.
    AnthropicMessages,
    /// `models/MODEL:generateContent` and `:streamGenerateContent?alt=sse`.
    Gemini,
    /// `models/MODEL:embedContent` and `:batchEmbedContents`.
    GeminiEmbeddings,
    /// `POST /v1/completions`: OpenAI's older form, which servers of open models still have.
    OpenAiCompletions,
}

words!(Dialect {
    OpenAiChat = "OpenAI chat completions", OpenAiResponses = "OpenAI responses",
    OpenAiEmbeddings = "OpenAI embeddings", AnthropicMessages = "Anthropic messages",
    Gemini = "Gemini generateContent", GeminiEmbeddings = "Gemini embedContent",
    OpenAiCompletions = "OpenAI completions",
});

impl Dialect {
    /// Returns the member that says why an answer ended.
    pub(super) const fn finish_field(self) -> &'static str {
        match self {
            Self::AnthropicMessages => "stop_reason",
            Self::Gemini | Self::GeminiEmbeddings => "finishReason",
            Self::OpenAiResponses => "status",
            Self::OpenAiChat | Self::OpenAiEmbeddings | Self::OpenAiCompletions => "finish_reason",
        }
    }

    /// Says whether a request of this dialect can be put to a provider that speaks `to`.
    ///
    /// A particular request may still hold a field that cannot be carried.
    pub const fn reaches(self, to: Self) -> bool {
        match (self, to) {
            (Self::OpenAiResponses, Self::OpenAiResponses)
            | (Self::OpenAiEmbeddings, Self::OpenAiEmbeddings)
            | (Self::GeminiEmbeddings, Self::GeminiEmbeddings | Self::OpenAiEmbeddings)
            | (Self::OpenAiCompletions, Self::OpenAiCompletions) => true,
            (Self::OpenAiEmbeddings | Self::GeminiEmbeddings, _) => false,
            (_, to) => matches!(to, Self::OpenAiChat | Self::AnthropicMessages | Self::Gemini),
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
