//! Members that OpenAI's chat, completions and responses have alike.

use super::row::Row;

/// How a model samples, and whether it streams: in all three forms.
pub(super) const SAMPLING: &[Row] = rows! {
    "stream" [= = = ~] "true", "for Gemini in the address";
    "temperature" [= = = "generationConfig.temperature"] "0.5", "above 1 it is left out for Anthropic, whose range ends there";
    "top_p" [= = = "generationConfig.topP"] "0.9";
    "top_k" [= - = "generationConfig.topK"] "7", "not OpenAI's own, but many servers take it";
    "stop" [= = "stop_sequences" "generationConfig.stopSequences"] r#"["END"]"#, "such as are blank are left out and told for Anthropic, which refuses them";
    "seed" [= "random_seed" - "generationConfig.seed"] "7";
    "presence_penalty" [= = - "generationConfig.presencePenalty"] "0.5";
    "frequency_penalty" [= = - "generationConfig.frequencyPenalty"] "0.5";
};

/// More of that, in chat and in completions.
pub(super) const OPEN: &[Row] = rows! {
    "min_p" [= - - -] "0.1";
    "repetition_penalty" [= - - -] "1.1";
    "logit_bias" [= - - -] r#"{"1":5}"#, "tokens have other numbers elsewhere";
    "n" [= = ! "generationConfig.candidateCount"] "2", "Anthropic gives one answer to a request: send one for each";
};

/// Who asks, and how he is served: in chat and in responses.
pub(super) const SERVICE: &[Row] = rows! {
    "parallel_tool_calls" [= = "tool_choice.disable_parallel_tool_use" -] "false";
    "user" [= - "metadata.user_id" -] r#""u-1""#;
    "safety_identifier" [= - "metadata.user_id" -] r#""u-1""#, "where `user` says nothing";
    "prompt_cache_key" [= = - -] r#""k""#;
    "prompt_cache_retention" [= - - -] r#""24h""#;
    "prompt_cache_options" [= - - -] r#"{"ttl":"30m"}"#;
    "service_tier" [= - - "serviceTier"] r#""flex""#, "`auto` and `default` are what holds anyway";
    "moderation" [= - - -] r#"{"model":"omni-moderation-latest"}"#;
};
