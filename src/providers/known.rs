//! What the rules of `parameters.toml` come to for one model.

use std::sync::Arc;

use reqwest::Url;

use super::names::matches;
use crate::config::parameters::{EffortSpec, Parameters, Patterns, RuleSpec, Speech, plain};
use crate::config::providers::{Platform, ProviderSpec, Speaks};
use crate::wire::{Dialect, Known, Rule, WithEffort};

/// Servers that refuse thoughts in what the assistant said, whatever they serve: by their names, or where they are.
/// <https://console.groq.com/docs/openai>, <https://inference-docs.cerebras.ai/resources/openai>
const WITHOUT_THOUGHTS: [&str; 2] = ["groq", "cerebras"];

/// The makers whose own servers have a model think or not by `thinking.type`, by their names or where they are.
const SWITCHED: [&str; 7] = ["deepseek", "zai", "z", "zhipu", "bigmodel", "moonshot", "kimi"];

/// OpenAI's models, by their names; those whose weights anybody may serve are among `older-chat`.
const OPENAIS: [&str; 3] = ["gpt-4*", "gpt-5*", "chatgpt-*"];

/// Returns what is known of a model at its provider: by the name that the provider has for it, or where that says nothing, by the one
/// under which it is served.
pub(super) fn known(parameters: &Parameters, provider: &ProviderSpec, upstream: &str, served: &str) -> Known {
    let says = |name: &str| {
        let of = of_model(parameters, name);
        of != Known::default() || crate::wire::may_think(name)
    };
    // Who may give it any name chooses one that may look like another model's.
    let is_free =
        provider.hosting.platform == Platform::Azure || upstream.contains(":application-inference-profile/");
    let names = if is_free { [served, upstream] } else { [upstream, served] };
    let model = base(names.into_iter().map(base).find(|name| says(name)).unwrap_or(upstream));
    let host = Url::parse(&provider.base_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let host = host.unwrap_or_default();
    let is_at = |names: &[&str]| {
        let name = provider.name.to_ascii_lowercase();
        names.iter().any(|one| name == *one || host.split('.').any(|part| part == *one))
    };
    // OpenAI's own models alone know the newer words for certain, also behind somebody's proxy.
    let is_openais = provider.hosting.platform == Platform::Azure
        || is_at(&["openai", "azure"])
        || OPENAIS.iter().any(|pattern| matches(&plain(pattern), &plain(model)));
    let found = of_model(parameters, model);
    let takes_thinking = found.takes_thinking && is_at(&SWITCHED);
    Known {
        // <https://api-docs.deepseek.com/guides/thinking_mode>
        takes_effort: found.takes_effort || (takes_thinking && is_at(&["deepseek"])),
        takes_thinking,
        name: (model != upstream).then(|| model.into()),
        refuses_thoughts: is_at(&WITHOUT_THOUGHTS),
        // <https://api-docs.deepseek.com/api/create-chat-completion>
        json_object_alone: is_at(&["deepseek"]),
        // <https://platform.openai.com/docs/api-reference/chat/create: service_tier>: `auto` unless said, as the project has it.
        chooses_tier: provider.speaks == Speaks::OpenAi
            && provider.hosting.platform == Platform::Own
            && is_at(&["openai"]),
        older_words: provider.speaks == Speaks::OpenAi && !is_openais,
        is_openais: provider.speaks == Speaks::OpenAi && is_openais,
        // <https://docs.anthropic.com/en/api/messages>: `metadata`, in clouds too.
        tags_users_alone: provider.speaks == Speaks::Anthropic
            && (provider.hosting.platform != Platform::Own || is_at(&["anthropic"])),
        // <https://ai.google.dev/api/generate-content>: Vertex alone has them.
        lacks_labels: provider.speaks == Speaks::Gemini
            && provider.hosting.platform == Platform::Own
            && is_at(&["google", "generativelanguage"]),
        // <https://github.com/deepseek-ai/DeepSeek-V3/issues/1277>
        plain_users: provider.speaks == Speaks::Anthropic
            && provider.hosting.platform == Platform::Own
            && !is_at(&["anthropic"]),
        ..found
    }
}

/// Returns the model that was tuned, of OpenAI's tuned ones: `ft:gpt-4.1-mini:org::id`.
fn base(name: &str) -> &str {
    name.strip_prefix("ft:").and_then(|tuned| tuned.split(':').next()).unwrap_or(name)
}

/// Returns what is known of a model wherever it is.
fn of_model(parameters: &Parameters, model: &str) -> Known {
    let model = plain(model);
    let fits = |patterns: &[String]| patterns.iter().any(|pattern| matches(&plain(pattern), &model));
    let fits_one =
        |patterns: &Patterns| fits(&patterns.own) || (fits(&patterns.known) && !fits(&patterns.except));
    let holds = |rule: &&RuleSpec| fits(&rule.models) && !fits(&rule.except);
    Known {
        rules: parameters.rules.iter().filter(holds).map(|rule| Arc::new(compiled(rule))).collect(),
        takes_system: fits_one(&parameters.takes_system),
        wants_thoughts: fits_one(&parameters.wants_thoughts),
        keeps_thoughts: fits_one(&parameters.keeps_thoughts),
        older_chat: fits_one(&parameters.older_chat),
        responses_alone: fits_one(&parameters.responses_alone),
        wants_turn_after_tools: fits_one(&parameters.wants_turn_after_tools),
        takes_effort: fits_one(&parameters.takes_effort),
        takes_thinking: fits_one(&parameters.takes_thinking),
        ..Known::default()
    }
}

fn compiled(rule: &RuleSpec) -> Rule {
    let dialect = |speech: &Speech| match speech {
        Speech::Chat => Dialect::OpenAiChat,
        Speech::Responses => Dialect::OpenAiResponses,
        Speech::Messages => Dialect::AnthropicMessages,
        Speech::Gemini => Dialect::Gemini,
    };
    Rule {
        members: rule.leave_out.clone(),
        dialects: rule.speaks.iter().map(dialect).collect(),
        with: rule.with.clone(),
        effort: match rule.effort {
            EffortSpec::Any => WithEffort::Any,
            EffortSpec::UnlessNone => WithEffort::UnlessNone,
            EffortSpec::Stated => WithEffort::Stated,
        },
        kind: rule.kind.clone(),
        keep: rule.keep.clone(),
        instead: rule.instead.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parameters::builtin;

    fn refused(model: &str) -> Vec<String> {
        let found = of_model(&builtin().unwrap(), model);
        let is_plain = |rule: &&Arc<Rule>| !rule.with.iter().any(|with| with.contains('='));
        found.rules.iter().filter(is_plain).flat_map(|rule| rule.members.clone()).collect()
    }

    /// Groq and Cerebras refuse thoughts of any model; a house's own name for one says nothing of its server.
    #[test]
    fn servers_are_known_by_their_names_and_where_they_are() {
        let at = |name: &str, base_url: &str, model: &str| {
            let providers = crate::config::providers::parse(&[]).unwrap().providers;
            let openai = providers.into_iter().find(|one| one.name == "openai").unwrap();
            let provider = ProviderSpec { name: name.to_owned(), base_url: base_url.to_owned(), ..openai };
            known(&builtin().unwrap(), &provider, model, model)
        };
        assert!(at("fast", "https://api.groq.com/openai/v1", "gpt-oss-120b").refuses_thoughts);
        assert!(!at("own", "http://10.0.0.1:8000/v1", "gpt-oss-120b").refuses_thoughts);
        assert!(at("own", "http://10.0.0.1:8000/v1", "devstral-small").older_words);
        for (name, model) in [("openai", "house"), ("own", "gpt-4.1"), ("own", "openai/gpt-5-mini")] {
            assert!(!at(name, "http://127.0.0.1:9/v1", model).older_words, "{model}");
        }
        assert!(at("ds", "https://api.deepseek.com", "deepseek-chat").json_object_alone);
    }

    /// A deployment of a house's own name would get `max_tokens`, no effort and no marks for caches: 400 at each request, or ten times
    /// the price.
    #[test]
    fn a_model_is_known_by_the_name_that_says_what_it_is() {
        let at = |platform: Platform, upstream: &str, served: &str| {
            let providers = crate::config::providers::parse(&[]).unwrap().providers;
            let mut provider = providers.into_iter().find(|one| one.name == "openai").unwrap();
            provider.hosting.platform = platform;
            known(&builtin().unwrap(), &provider, upstream, served).name.map(|name| name.to_string())
        };
        let profile = "arn:aws:bedrock:us-east-1:1:application-inference-profile/a1";
        for (platform, upstream, served, want) in [
            (Platform::Azure, "prod-mini", "gpt-5-mini", Some("gpt-5-mini")),
            (Platform::Azure, "gpt-5-dep", "gpt-4.1", Some("gpt-4.1")),
            (Platform::Azure, "gpt-5-nano", "my-fast", None),
            (Platform::Bedrock, profile, "claude-sonnet-4-5", Some("claude-sonnet-4-5")),
            (Platform::Own, "gpt-5-nano", "claude-sonnet-4-5", None),
            (Platform::Own, "house", "house", None),
            (
                Platform::Own,
                "ft:o4-mini-2025-04-16:org::x",
                "ft:o4-mini-2025-04-16:org::x",
                Some("o4-mini-2025-04-16"),
            ),
        ] {
            assert_eq!(at(platform, upstream, served).as_deref(), want, "{upstream} as {served}");
        }
    }

    #[test]
    fn a_list_of_ones_own_adds_and_trust_takes_out() {
        let text = "trust = [\"qwen*\"]\n[older-chat]\nmodels = [\"house\"]\nsource = \"tried\"\nsince = \"2026-11-01\"\n";
        let all = crate::config::parameters::parse("parameters.toml", text).unwrap();
        let is_older = |model: &str| of_model(&all, model).older_chat;
        assert_eq!(["house", "deepseek-chat", "qwen3-32b"].map(is_older), [true, true, false]);
    }

    #[test]
    fn models_are_known_by_whatever_name_a_provider_has_for_them() {
        let sampling = ["temperature", "top_p", "top_k"];
        for model in [
            "claude-opus-4-7",
            "anthropic/claude-opus-4.7",
            "us.anthropic.claude-opus-4-7-v1:0",
            "claude-sonnet-5",
        ] {
            assert!(sampling.iter().all(|name| refused(model).contains(&(*name).to_owned())), "{model}");
        }
        assert_eq!(refused("claude-sonnet-4-5-20250929"), ["top_p", "thinking", "output_config.effort"]);
        assert_eq!(refused("claude-opus-4-1-20250805"), ["top_p", "thinking", "output_config.effort"]);
        assert_eq!(refused("claude-opus-4-20250514"), ["thinking", "output_config.effort"]);
        for thinker in ["o3", "openai/o4-mini", "gpt-5", "gpt-5-mini", "gpt-5.6-sol", "gpt-6.2-sol"] {
            assert!(refused(thinker).contains(&"temperature".to_owned()), "{thinker}");
        }
        for plain in ["gpt-4.1", "gpt-4o", "gpt-5-chat-latest", "gpt-oss-120b", "llama-3", "qwen3-32b"] {
            assert!(!refused(plain).contains(&"temperature".to_owned()), "{plain}");
        }
        assert!(of_model(&builtin().unwrap(), "claude-opus-4-8").takes_system);
        assert!(!of_model(&builtin().unwrap(), "claude-sonnet-5").takes_system);
    }
}
