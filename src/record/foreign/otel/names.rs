//! The names that attributes of spans go by: every generation of the conventions, and the frameworks' own.
//!
//! Invariant: all names of one list tell the same thing, so of several that are there the one that says most holds.

/// Prompt tokens.
pub(super) const INPUT: &[&str] = &[
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "llm.usage.input_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
    "ai.prompt_tokens.used",
];
/// Answer tokens.
pub(super) const OUTPUT: &[&str] = &[
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "llm.usage.output_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
    "ai.completion_tokens.used",
];
/// Prompt tokens read from the provider's cache.
pub(super) const READ: &[&str] = &[
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
    "gen_ai.usage.input_tokens.cached",
    "gen_ai.usage.input_tokens.cache_read",
    "gen_ai.usage.input_cached_tokens",
    "gen_ai.usage.cached_input_tokens",
    "gen_ai.usage.cached_tokens",
    "gen_ai.usage.prompt_tokens_details.cached_tokens",
    "gen_ai.usage.input_tokens_details.cached_tokens",
    "gen_ai.usage.input_token_details.cache_read",
    "gen_ai.usage.details.cache_read_input_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "gen_ai.usage.details.cached_tokens",
    "gen_ai.usage.details.cached_content_tokens",
    "gen_ai.usage.details.input_cached_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cached_tokens",
    "llm.usage.cache_read_input_tokens",
    "llm.usage.cached_tokens",
    "ai.usage.cachedInputTokens",
    "ai.usage.inputTokenDetails.cacheReadTokens",
];
/// Prompt tokens written to the provider's cache.
pub(super) const WRITE: &[&str] = &[
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_input_tokens",
    "gen_ai.usage.cache_write_tokens",
    "gen_ai.usage.input_tokens.cache_write",
    "gen_ai.usage.input_tokens.cache_creation",
    "gen_ai.usage.input_token_details.cache_creation",
    "gen_ai.usage.details.cache_creation_input_tokens",
    "gen_ai.usage.details.cache_creation_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.token_count.prompt_details.cache_creation",
    "llm.usage.cache_creation_input_tokens",
    "ai.usage.inputTokenDetails.cacheWriteTokens",
];
/// Prompt tokens that came from no cache, where they are told by themselves.
pub(super) const FRESH: &[&str] = &["ai.usage.inputTokenDetails.noCacheTokens"];
/// Reasoning tokens.
pub(super) const REASONING: &[&str] = &[
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.output_tokens.reasoning",
    "gen_ai.usage.completion_tokens_details.reasoning_tokens",
    "gen_ai.usage.output_tokens_details.reasoning_tokens",
    "gen_ai.usage.output_token_details.reasoning",
    "gen_ai.usage.details.reasoning_tokens",
    "gen_ai.usage.details.thoughts_tokens",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
    "ai.usage.reasoningTokens",
    "ai.usage.outputTokenDetails.reasoningTokens",
];
/// All tokens.
pub(super) const TOTAL: &[&str] = &[
    "gen_ai.usage.total_tokens",
    "llm.token_count.total",
    "llm.usage.total_tokens",
    "ai.usage.totalTokens",
    "ai.total_tokens.used",
];
/// The model that served.
pub(super) const SERVED: &[&str] = &["gen_ai.response.model", "llm.response.model", "ai.response.model"];
/// The model that was asked for.
pub(super) const ASKED: &[&str] = &[
    "gen_ai.request.model",
    "llm.request.model",
    "llm.model_name",
    "embedding.model_name",
    "reranker.model_name",
    "ai.model.id",
    "ai.model_id",
    "langfuse.observation.model.name",
    "mlflow.llm.model",
];
/// Who serves it.
pub(super) const PROVIDER: &[&str] = &[
    "gen_ai.provider.name",
    "gen_ai.system",
    "llm.provider",
    "llm.system",
    "ai.model.provider",
    "mlflow.llm.provider",
];
/// The answer's own id.
pub(super) const ANSWER: &[&str] = &["gen_ai.response.id", "llm.response.id", "ai.response.id"];
/// Why the answer ended.
pub(super) const ENDED: &[&str] =
    &["gen_ai.response.finish_reasons", "gen_ai.completion.0.finish_reason", "ai.response.finishReason"];
/// The conversation.
pub(super) const SESSION: &[&str] = &["gen_ai.conversation.id", "session.id", "langfuse.session.id"];
/// The user.
pub(super) const USER: &[&str] = &["user.id", "enduser.id", "langfuse.user.id"];
/// Tags as a list, or as JSON within text.
pub(super) const TAGS: &[&str] = &[
    "langfuse.trace.tags",
    "tag.tags",
    "metadata",
    "langfuse.trace.metadata",
    "langfuse.observation.metadata",
    "mlflow.trace.tags",
];
/// What stands before the name of a tag.
pub(super) const TAGGED: &[&str] = &[
    "langfuse.trace.metadata.",
    "langfuse.observation.metadata.",
    "traceloop.association.properties.",
    "ai.telemetry.metadata.",
    "langsmith.metadata.",
    "metadata.",
    "tag.",
];
/// The environment, which is a tag of every request.
pub(super) const ENVIRONMENT: &[&str] =
    &["deployment.environment.name", "deployment.environment", "langfuse.environment"];
/// What it cost, as the writer says.
pub(super) const COST: &[&str] = &["gen_ai.usage.cost", "llm.cost.total", "gen_ai.cost.total_tokens"];
/// What a model answered, as text or as JSON within text.
pub(super) const WRITTEN: &[&str] = &[
    "gen_ai.output.messages",
    "gen_ai.completion",
    "gen_ai.completion.0.content",
    "gen_ai.response.text",
    "llm.output_messages.0.message.content",
    "llm.completions.0.completion.text",
    "traceloop.entity.output",
    "langfuse.observation.output",
    "mlflow.spanOutputs",
    "output.value",
    "ai.response.text",
    "ai.response.object",
    "ai.response.toolCalls",
];
/// What kind of span it is, in the words of the frameworks that say.
pub(super) const KIND: &[&str] = &[
    "openinference.span.kind",
    "traceloop.span.kind",
    "langsmith.span.kind",
    "langfuse.observation.type",
    "mlflow.spanType",
];
/// The step of the AI SDK.
pub(super) const STEP: &[&str] = &["ai.operationId"];
/// Where the request went.
pub(in crate::record::foreign) const ADDRESS: &[&str] = &[
    "server.address",
    "url.full",
    "http.url",
    "net.peer.name",
    "gen_ai.openai.api_base",
    "llm.openai.api_base",
    "openai.api_base",
    "llm.request.api_base",
    "gen_ai.request.base_url",
    "gen_ai.request.api_base",
];
/// The namespace of a resource of Azure.
pub(super) const AZURE: &[&str] = &["azure.resource_provider.namespace", "az.namespace"];
/// The method of a request over HTTP.
pub(super) const METHOD: &[&str] = &["http.request.method", "http.method"];
/// Usage as JSON within text.
pub(super) const USAGE: &[&str] = &["mlflow.chat.tokenUsage", "usage_metadata", "langsmith.usage_metadata"];
/// Usage as JSON within text, in Langfuse's disjoint keys.
pub(super) const LANGFUSE_USAGE: &str = "langfuse.observation.usage_details";
/// What a provider says besides, as JSON within text.
pub(super) const PROVIDER_SAYS: &str = "ai.response.providerMetadata";
/// What counts of usage begin with.
pub(super) const COUNTS: &[&str] =
    &["gen_ai.usage.details.", "gen_ai.usage.", "llm.usage.", "llm.token_count.", "ai.usage."];
/// Every name that is read as a count, or holds such.
pub(super) const ALL: &[&[&str]] = &[INPUT, OUTPUT, READ, WRITE, FRESH, REASONING, TOTAL, COST, DETAILS];
/// Counts by kind, as JSON within text.
const DETAILS: &[&str] = &[
    "gen_ai.usage.input_token_details",
    "gen_ai.usage.prompt_tokens_details",
    "gen_ai.usage.output_token_details",
    "gen_ai.usage.completion_tokens_details",
];
