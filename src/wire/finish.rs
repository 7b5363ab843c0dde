//! Why an answer ended, in the words of every dialect.

use super::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat};
use super::WireError;
use super::faults::clean;
use crate::checks::Ended;

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Finish {
    /// The model was done, or met a stop sequence.
    Stop,
    /// The limit of output was reached.
    Length,
    /// The model wants tools to be called.
    ToolCalls,
    /// The turn is not at its end: the provider goes on with it once it is sent back.
    Paused,
    /// The provider held the answer back, or the model refused.
    Filtered,
    /// The provider did not say.
    #[default]
    Other,
    /// As no whole answer ends: the provider says that it went wrong, or a word that nobody knows.
    Failed,
}

/// The words that providers end an answer with; any other is a failure (`MALFORMED_FUNCTION_CALL`: what the model wrote is
/// nothing to go on with). A turn of Anthropic's that is paused, or about to be compacted, goes on with the client's next
/// request; other dialects have no word for that but the one for an answer that was cut short, after which clients go on
/// or tell, while at any other they take it for whole. Servers that are compatible with a dialect have words of their own, and let words of others through.
#[rustfmt::skip]
const WORDS: [(Dialect, Finish, &str); 13] = [
    (OpenAiChat, Finish::Stop, "stop eos eos_token end_turn end stop_sequence complete completed done finished normal"),
    (OpenAiChat, Finish::Paused, "pause_turn compaction"),
    (OpenAiChat, Finish::Length, "length max_tokens max_length max_output_tokens max_output model_length model_context_window_exceeded"),
    (OpenAiChat, Finish::ToolCalls, "tool_calls tool_call tool_use function_call"),
    (OpenAiChat, Finish::Filtered, "content_filter refusal safety recitation sensitive"),
    (AnthropicMessages, Finish::Stop, "end_turn stop_sequence stop eos"),
    (AnthropicMessages, Finish::Paused, "pause_turn compaction"),
    (AnthropicMessages, Finish::Length, "max_tokens model_context_window_exceeded length"),
    (AnthropicMessages, Finish::ToolCalls, "tool_use tool_calls function_call"),
    (AnthropicMessages, Finish::Filtered, "refusal content_filter"),
    (Gemini, Finish::Stop, "STOP"),
    (Gemini, Finish::Length, "MAX_TOKENS"),
    (Gemini, Finish::Filtered, "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII MODEL_ARMOR IMAGE_SAFETY \
                                IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION"),
];

impl Finish {
    /// Returns it as checks see it.
    pub(super) fn ended(self) -> Ended {
        match self {
            Self::Stop | Self::ToolCalls => Ended::Well,
            Self::Length | Self::Paused => Ended::Truncated,
            Self::Filtered => Ended::Filtered,
            Self::Other | Self::Failed => Ended::Unsaid,
        }
    }

    /// Reads a provider's word. An empty one says nothing, and a server that never says another has not ended.
    pub(super) fn read(from: Dialect, word: &str) -> Self {
        // Gemini's compatible server adds its own reason: `content_filter: SAFETY`. Some write in capitals.
        let chat = || word.split([':', ' ']).next().unwrap_or_default().to_ascii_lowercase();
        let word = if from == OpenAiChat { &chat() } else { word };
        if word.is_empty() {
            return Self::Other;
        }
        let is_it =
            |known: &&(Dialect, Self, &str)| known.0 == from && known.2.split(' ').any(|one| one == word);
        WORDS.iter().find(is_it).map_or(Self::Failed, |(_, finish, _)| *finish)
    }

    /// Returns the word of a client's dialect; completions have none for calls of tools, as there are no tools.
    pub(super) fn word(self, to: Dialect) -> &'static str {
        let [stop, length, calls, filtered, failed] = match to {
            AnthropicMessages => ["end_turn", "max_tokens", "tool_use", "refusal", "end_turn"],
            Gemini => ["STOP", "MAX_TOKENS", "STOP", "SAFETY", "OTHER"],
            Dialect::OpenAiCompletions => ["stop", "length", "stop", "content_filter", "stop"],
            _ => ["stop", "length", "tool_calls", "content_filter", "stop"],
        };
        match self {
            Self::Stop | Self::Other => stop,
            Self::Paused if to == AnthropicMessages => "pause_turn",
            Self::Length | Self::Paused => length,
            Self::ToolCalls => calls,
            Self::Filtered => filtered,
            Self::Failed => failed,
        }
    }

    /// Returns why an answer ended that has calls of tools, or none, whatever word its provider has for it.
    pub(super) fn beside(self, has_calls: bool) -> Self {
        match self {
            Self::Stop | Self::Other | Self::Paused if has_calls => Self::ToolCalls,
            Self::ToolCalls if !has_calls => Self::Stop,
            finish => finish,
        }
    }
}

/// The most characters of a provider's word that are told on.
const WORD: usize = 80;

/// What the words say that tell of a model which went wrong; at any other the provider did.
const MODELS: [&str; 3] = ["malformed_", "unexpected_tool_call", "too_many_tool_calls"];

/// Makes the error of an answer that ended as no whole one does, by the provider's word for it.
pub(super) fn ended(from: Dialect, word: &str) -> WireError {
    let word: String = clean(word).chars().take(WORD).collect();
    let is_models = MODELS.iter().any(|known| word.to_ascii_lowercase().contains(known));
    let why = format!("it ended with {} \"{word}\"", from.finish_field());
    if is_models { WireError::Unfit(why) } else { WireError::Ended(why) }
}

/// Makes the error of an answer whose provider did not say that it had ended: a null is none of its words for that.
pub(super) fn unended(from: Dialect) -> WireError {
    WireError::Ended(format!("it ended without a {}", from.finish_field()))
}

/// Makes the error of an answer that ends well and says nothing.
pub(super) fn ended_empty() -> WireError {
    WireError::Unfit("it ended without a word".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_providers_word_for_an_end_is_known_and_no_other() {
        for (from, finish, words) in [
            (OpenAiChat, Finish::Stop, "stop eos eos_token end_turn stop_sequence COMPLETE normal STOP"),
            (OpenAiChat, Finish::Paused, "pause_turn"),
            (AnthropicMessages, Finish::Paused, "pause_turn compaction"),
            (
                OpenAiChat,
                Finish::Length,
                "length max_tokens MAX_TOKENS model_length model_context_window_exceeded",
            ),
            (OpenAiChat, Finish::ToolCalls, "tool_calls tool_use function_call"),
            (
                OpenAiChat,
                Finish::Filtered,
                "content_filter refusal sensitive content_filter:PROHIBITED_CONTENT",
            ),
            (
                OpenAiChat,
                Finish::Failed,
                "error abort cancelled network_error insufficient_system_resource malformed_function_call null unknown x \
                 function_call_filter:MALFORMED_FUNCTION_CALL",
            ),
            (AnthropicMessages, Finish::Stop, "end_turn stop_sequence stop"),
            (AnthropicMessages, Finish::Length, "max_tokens model_context_window_exceeded length"),
            (AnthropicMessages, Finish::ToolCalls, "tool_use tool_calls"),
            (AnthropicMessages, Finish::Filtered, "refusal content_filter"),
            (AnthropicMessages, Finish::Failed, "error abort END_TURN null x"),
            (Gemini, Finish::Stop, "STOP"),
            (Gemini, Finish::Length, "MAX_TOKENS"),
            (
                Gemini,
                Finish::Filtered,
                "SAFETY RECITATION LANGUAGE BLOCKLIST PROHIBITED_CONTENT SPII MODEL_ARMOR IMAGE_SAFETY",
            ),
            (
                Gemini,
                Finish::Failed,
                "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE OTHER \
                 FINISH_REASON_UNSPECIFIED x",
            ),
        ] {
            for word in words.split_whitespace() {
                assert_eq!(Finish::read(from, word), finish, "{from}: {word}");
            }
            assert_eq!(Finish::read(from, ""), Finish::Other);
        }
        assert_eq!(Finish::read(OpenAiChat, "content_filter: SAFETY"), Finish::Filtered);
    }
}
