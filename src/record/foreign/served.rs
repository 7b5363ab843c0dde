//! Who served a model, where a log tells by a column, an address or the name of the answer: a cloud or a host bills by
//! prices of its own, whatever the model.
//!
//! Invariant: the rule for each is that for a prefix in the name. A cloud or host makes the model billed `host/model`, which
//! a book has to list; a word or an address that nobody here knows makes the cost an estimate.

use crate::pricing::Usage;
use crate::record::known::names_one;
use crate::record::{Attempt, InputFormat};

/// Words within a column that name a cloud or a host, and the prefix that stands for it in names of models.
const HOSTS: [(&str, &str); 34] = [
    ("azure", "azure"),
    ("az.ai", "azure"),
    ("bedrock", "bedrock"),
    ("aws", "bedrock"),
    ("amazon", "bedrock"),
    ("sagemaker", "sagemaker"),
    ("vertex", "vertex_ai"),
    ("ollama", "ollama"),
    ("hosted_vllm", "hosted_vllm"),
    ("vllm", "vllm"),
    ("sglang", "sglang"),
    ("llamafile", "llamafile"),
    ("llama_cpp", "llama_cpp"),
    ("llamacpp", "llama_cpp"),
    ("lm_studio", "lm_studio"),
    ("lmstudio", "lm_studio"),
    ("xinference", "xinference"),
    ("together", "together_ai"),
    ("fireworks", "fireworks_ai"),
    ("groq", "groq"),
    ("deepinfra", "deepinfra"),
    ("replicate", "replicate"),
    ("huggingface", "huggingface"),
    ("databricks", "databricks"),
    ("watsonx", "watsonx"),
    ("snowflake", "snowflake"),
    ("sambanova", "sambanova"),
    ("cerebras", "cerebras"),
    ("nebius", "nebius"),
    ("novita", "novita"),
    ("github", "github"),
    ("cloudflare", "cloudflare"),
    ("nvidia", "nvidia_nim"),
    ("oracle", "oci"),
];

/// Words for the makers of models, and how the names of their models begin.
const MAKERS: [(&[&str], &[&str]); 10] = [
    (
        &["openai", "text-completion-openai", "open_ai"],
        &["gpt-", "chatgpt", "o1", "o3", "o4", "text-embedding-3", "text-embedding-ada"],
    ),
    (&["anthropic", "anthropic_text", "claude"], &["claude"]),
    (
        &[
            "google",
            "gemini",
            "gcp.gemini",
            "gcp.gen_ai",
            "google.generative-ai",
            "google_genai",
            "google_generative_ai",
            "googleai",
            "google_ai",
            "google ai studio",
            "google_ai_studio",
            "google_ai_studio_gemini",
            "gcp",
        ],
        &["gemini", "gemma"],
    ),
    (
        &["mistral", "mistralai", "mistral_ai", "codestral", "text-completion-codestral"],
        &["mistral", "ministral", "codestral", "magistral", "pixtral", "devstral", "voxtral"],
    ),
    (&["xai", "x-ai", "x_ai", "x.ai"], &["grok"]),
    (&["deepseek"], &["deepseek"]),
    (&["cohere", "cohere_chat"], &["command", "embed-", "rerank-"]),
    (&["voyage", "voyageai"], &["voyage"]),
    (&["perplexity"], &["sonar"]),
    (&["moonshot", "moonshotai", "moonshot ai"], &["kimi", "moonshot"]),
];

/// What a column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// Whoever made the model bills it, or somebody who passes those prices on.
    Maker,
    /// A cloud or a host, by the prefix that names it.
    Host(&'static str),
    /// Somebody, by prices that nobody here knows.
    Somebody,
}

/// Says who serves a model by what a column says.
fn by(provider: &str, model: &str) -> By {
    let of = |word: &str| MAKERS.iter().position(|(words, _)| words.contains(&word));
    // As nearly all columns have it; no word for a maker holds one for a host.
    if let Some(maker) = of(provider) {
        return made_by(maker, model);
    }
    let word = provider.trim().to_ascii_lowercase();
    let plain = word.replace([' ', '-'], "_");
    let host = HOSTS.iter().find(|(part, _)| plain.contains(part));
    if let Some((_, host)) = host {
        return By::Host(host);
    }
    // The AI SDK says which of a maker's interfaces it speaks: `openai.responses`.
    let bare = word.split('.').next().unwrap_or_default();
    let Some(maker) = of(&word).or_else(|| of(bare)) else {
        return if plain == "openrouter" { By::Maker } else { By::Somebody };
    };
    made_by(maker, model)
}

/// Says who serves a model that a maker is said to serve: somebody, where it is another's.
fn made_by(maker: usize, model: &str) -> By {
    let name = model.rsplit('/').next().unwrap_or(model).as_bytes();
    let is_start =
        |start: &&str| name.get(..start.len()).is_some_and(|has| has.eq_ignore_ascii_case(start.as_bytes()));
    let made_by = MAKERS.iter().position(|(_, names)| names.iter().any(&is_start));
    if made_by.is_some_and(|other| other != maker) { By::Somebody } else { By::Maker }
}

/// Addresses of makers that bill by their lists.
const LISTED: [&str; 13] = [
    "api.openai.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "api.mistral.ai",
    "codestral.mistral.ai",
    "api.x.ai",
    "api.deepseek.com",
    "api.cohere.ai",
    "api.cohere.com",
    "api.voyageai.com",
    "api.perplexity.ai",
    "api.moonshot.ai",
    "api.moonshot.cn",
];
/// Gateways that pass a call on to whoever was named.
const PASSING: [&str; 3] = ["openrouter.ai", "helicone.ai", "portkey.ai"];
/// Ends of the addresses of clouds whose names are not in them.
const CLOUDS: [(&str, &str); 3] =
    [("amazonaws.com", "bedrock"), ("aiplatform.googleapis.com", "vertex_ai"), ("azure-api.net", "azure")];

/// Says who is at an address; nothing where it names no host.
fn at(address: &str) -> Option<By> {
    let address = address.trim();
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
    match host {
        "" => return None,
        host if LISTED.contains(&host) => return Some(By::Maker),
        _ => {}
    }
    let host = host.to_ascii_lowercase();
    let host = host.as_str();
    let is_within =
        |end: &str| host.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    // A maker's own servers in one region have prices of their own.
    if LISTED.contains(&host) || PASSING.iter().any(|gateway| is_within(gateway)) {
        return Some(By::Maker);
    }
    let cloud = CLOUDS.iter().find(|(end, _)| is_within(end) || host.ends_with(&format!("-{end}")));
    let named = HOSTS.iter().find(|(part, _)| host.contains(part) && !host.starts_with("gateway."));
    Some(cloud.or(named).map_or(By::Somebody, |(_, host)| By::Host(host)))
}

/// Keeps the list price away from a call that, as its row says, went to an address of another than the maker of the model.
pub(super) fn by_address(attempt: &mut Attempt<'_>, address: &str) {
    match at(address) {
        Some(By::Host(host)) => bill_by(attempt, host),
        Some(By::Somebody) => attempt.estimated |= attempt.usage.is_known(),
        Some(By::Maker) | None => {}
    }
}

/// Keeps the list price away from a call whose answer was named by a cloud.
pub(in crate::record) fn by_name(attempt: &mut Attempt<'_>, id: &str) {
    match id.get(..9) {
        Some("msg_bdrk_") => bill_by(attempt, "bedrock"),
        Some("msg_vrtx_") => bill_by(attempt, "vertex_ai"),
        _ => {}
    }
}

/// Has a call billed by the model that the provider's own answer names, where that is another than the row says. Clouds
/// and hosts have names of their own, but for Azure's deployments; a gateway may put the word that was asked for in.
pub(super) fn by_answer(attempt: &mut Attempt<'_>, said: &str, asked: &str) {
    let bare = said.rsplit('/').next().unwrap_or(said).to_ascii_lowercase();
    let is_known = MAKERS.iter().any(|(_, names)| names.iter().any(|start| bare.starts_with(start)));
    let is_one = |name: &str| names_one(name, said) || bare.starts_with(&format!("{name}-preview"));
    if !is_known || is_one(&attempt.model) || said == asked || !attempt.billed.is_empty() {
        return;
    }
    let host = attempt.model.split_once('/').map(|(prefix, _)| by(prefix, ""));
    match host {
        Some(By::Host("azure")) => attempt.billed = format!("azure/{bare}").into(),
        Some(By::Host(_)) => {}
        _ => attempt.billed = bare.into(),
    }
}

/// Keeps the list price away from a call to a model whose full name begins with a host.
pub(super) fn by_prefix(attempt: &mut Attempt<'_>, name: &str) {
    if let Some((prefix, _)) = name.split_once('/')
        && let By::Host(host) = by(prefix, "")
    {
        bill_by(attempt, host);
    }
}

/// Has a host bill a model by its own prices, unless the name says so already.
pub(super) fn bill_by(attempt: &mut Attempt<'_>, host: &'static str) {
    let prefix = attempt.model.split_once('/').map(|(prefix, _)| prefix);
    let is_told =
        prefix.is_some_and(|prefix| by(prefix, "") == By::Host(host)) || attempt.billed.contains('/');
    if !is_told && !attempt.model.is_empty() && attempt.usage.is_known() {
        let is_answers = host == "azure" && !attempt.billed.is_empty();
        let model = if is_answers { &attempt.billed } else { &attempt.model };
        attempt.billed = format!("{host}/{model}").into();
    }
}

/// Says whether whoever serves a model counts as the conventions for spans ask: cached tokens within the prompt, and
/// reasoning within the answer.
pub(super) fn keeps_conventions(provider: &str, model: &str) -> (bool, bool) {
    let word = provider.to_ascii_lowercase();
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let is = |words: &[&str], names: &[&str]| {
        words.iter().any(|part| word.contains(part)) || names.iter().any(|start| name.starts_with(start))
    };
    if is(&["anthropic", "bedrock", "aws", "amazon"], &["claude", "anthropic."]) {
        return (false, true);
    }
    let is_beside = is(&["google", "gemini", "gcp", "vertex", "xai", "x_ai"], &["gemini", "grok"]);
    let is_within = is(
        &["openai", "azure", "mistral", "deepseek"],
        &["gpt-", "o1", "o3", "o4", "text-embedding", "mistral", "codestral", "ministral", "deepseek"],
    );
    (is_beside || is_within, !is_beside)
}

/// Keeps the list price away from a call that, as its row says, another than the maker of the model has served.
pub(crate) fn by_column(format: InputFormat, attempt: &mut Attempt<'_>) {
    use InputFormat as F;
    let is_told = !matches!(format, F::Anthropic | F::Gemini | F::ClaudeCode) && !attempt.provider.is_empty();
    let is_nothing = attempt.usage == Usage::NONE || !attempt.usage.is_known();
    if !is_told || attempt.model.is_empty() || is_nothing {
        return;
    }
    match by(&attempt.provider, &attempt.model) {
        By::Maker => {}
        // What OpenRouter charges for a host is mostly, not always, what the maker does.
        By::Host(_) if matches!(format, F::OpenRouter | F::OpenAi) => attempt.estimated = true,
        By::Host(host) => bill_by(attempt, host),
        By::Somebody => attempt.estimated = true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_tell_makers_from_hosts_and_regions() {
        for (address, want) in [
            ("https://api.openai.com/v1", Some(By::Maker)),
            ("api.anthropic.com", Some(By::Maker)),
            ("https://api.anthropic.com:443/v1/messages", Some(By::Maker)),
            ("https://oai.helicone.ai/v1/chat/completions", Some(By::Maker)),
            ("https://eu.api.openai.com/v1", Some(By::Somebody)),
            ("https://eu-west-1.api.x.ai/v1", Some(By::Somebody)),
            ("https://my.openai.azure.com/openai/deployments/x", Some(By::Host("azure"))),
            ("https://x.services.ai.azure.com/models", Some(By::Host("azure"))),
            ("bedrock-runtime.us-east-1.amazonaws.com", Some(By::Host("bedrock"))),
            ("https://us-central1-aiplatform.googleapis.com/v1", Some(By::Host("vertex_ai"))),
            ("https://aiplatform.googleapis.com/v1", Some(By::Host("vertex_ai"))),
            ("https://api.groq.com/openai/v1", Some(By::Host("groq"))),
            ("http://localhost:8000/v1", Some(By::Somebody)),
            ("10.0.0.7", Some(By::Somebody)),
            ("https://api.openai.com.evil.example", Some(By::Somebody)),
            ("https://gateway.ai.cloudflare.com/v1/a/b/openai", Some(By::Somebody)),
            ("/v1/chat/completions", None),
            ("", None),
        ] {
            assert_eq!(at(address), want, "{address}");
        }
    }

    #[test]
    fn a_word_for_a_maker_is_none_for_a_host() {
        for word in MAKERS.iter().flat_map(|(words, _)| *words) {
            let plain = word.replace([' ', '-'], "_");
            assert!(HOSTS.iter().all(|(part, _)| !plain.contains(part)), "{word}");
        }
    }

    #[test]
    fn columns_of_every_kind_tell_makers_from_hosts() {
        for (provider, model, want) in [
            ("openai", "gpt-4.1", By::Maker),
            ("OPENAI", "gpt-4.1-2025-04-14", By::Maker),
            ("openai.responses", "o3", By::Maker),
            ("text-completion-openai", "gpt-3.5-turbo-instruct", By::Maker),
            ("google.generative-ai", "gemini-2.5-pro", By::Maker),
            ("gcp.gemini", "models/gemini-2.5-pro", By::Maker),
            ("Google AI Studio", "google/gemini-2.5-pro", By::Maker),
            ("mistral_ai", "mistral-small-2503", By::Maker),
            ("openrouter", "openai/gpt-4.1", By::Maker),
            ("anthropic.messages", "claude-haiku-4-5", By::Maker),
            ("azure", "gpt-4.1", By::Host("azure")),
            ("azure-openai.chat", "gpt-4.1", By::Host("azure")),
            ("azure_ai", "gpt-4.1", By::Host("azure")),
            ("az.ai.openai", "gpt-4.1", By::Host("azure")),
            ("azure.ai.inference", "gpt-4.1", By::Host("azure")),
            ("aws.bedrock", "anthropic.claude-haiku-4-5", By::Host("bedrock")),
            ("Amazon Bedrock", "claude-haiku-4-5", By::Host("bedrock")),
            ("gcp.vertex_ai", "gemini-2.5-pro", By::Host("vertex_ai")),
            ("google.vertex.chat", "gemini-2.5-pro", By::Host("vertex_ai")),
            ("vertex_ai-anthropic_models", "claude-haiku-4-5", By::Host("vertex_ai")),
            ("ollama_chat", "gpt-4.1", By::Host("ollama")),
            ("hosted_vllm", "gpt-4.1", By::Host("hosted_vllm")),
            ("GROQ", "gpt-4.1", By::Host("groq")),
            ("openai_like", "gpt-4.1", By::Somebody),
            ("openai", "claude-opus-4-6", By::Somebody),
            ("litellm_proxy", "gpt-4.1", By::Somebody),
            ("my-cloud", "gpt-4.1", By::Somebody),
        ] {
            assert_eq!(by(provider, model), want, "{provider} {model}");
        }
    }
}
