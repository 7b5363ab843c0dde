//! What can be measured of a request.

/// What can be measured of a request without understanding it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a request asks for")]
pub struct AskMeasures {
    /// The prompt in tokens, estimated as a quarter of its bytes; a picture counts as 1,024, a page of a document as
    /// 2,000.
    pub estimated_prompt_tokens: u64,
    /// The user's turns before this one, not counting results of tools.
    pub earlier_user_turns: u32,
    /// The tools that the model may call, those that the provider runs among them.
    pub tools: u32,
    /// The bytes of the turns before this one.
    pub earlier_bytes: u64,
    /// The bytes of the turns after it: calls of tools and what they returned.
    pub later_bytes: u64,
    /// Whether a picture or a film is part of the prompt, also within the result of a tool.
    pub has_images: bool,
    /// Whether part of the prompt lies elsewhere (an earlier response, a cached content, a file by its address, what a tool
    /// finds that the provider runs), so that nobody here knows how long it is.
    pub is_elsewhere: bool,
    /// Whether tools are offered by which another model works, too, which is billed at its own prices.
    pub other_models: bool,
    /// How many more tokens the prompt may have than the estimate allows for: by members beside it that models may be shown, such
    /// as the schema of the answer, and by sound and film that is packed densely.
    pub beside: u64,
    /// The tokens that the client lets a model think for.
    pub thoughts: u64,
    /// Whether those come on top of what the answer may have.
    pub thinks_beside: bool,
    /// The most tokens of an answer that the client foretells.
    pub predicted: u64,
    /// The most tokens of output that the client allows; the larger number where two names give one each, as providers differ
    /// in which they go by.
    pub max_output: Option<u64>,
    /// The number of answers asked for.
    pub choices: u32,
    /// Whether the answer has to be JSON.
    pub wants_json: bool,
    /// Whether it wants an object, whatever is in it.
    pub wants_object: bool,
}
