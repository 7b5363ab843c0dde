//! The addresses of a model at its provider.
//!
//! Invariant: a model's name leads to no other path than its own, and to no other host.

use reqwest::Url;

use super::auth::encoded;
use crate::config::providers::{Hosting, Platform, ProviderSpec, Speaks};

/// The addresses of one model, by what is asked there.
#[derive(Default)]
pub(super) struct Addresses {
    pub(super) chat: Option<Url>,
    pub(super) chat_stream: Option<Url>,
    pub(super) responses: Option<Url>,
    pub(super) embeddings: Option<Url>,
    pub(super) completions: Option<Url>,
    pub(super) gemini_embeddings: Option<Url>,
}

/// Returns the addresses of the model that its provider at `base` calls `upstream`.
pub(super) fn of(spec: &ProviderSpec, base: &Url, upstream: &str) -> Addresses {
    let at = |parts: &[&str]| Some(below(base, parts));
    match (spec.hosting.platform, spec.speaks) {
        (_, Speaks::Simulated) => Addresses::default(),
        (Platform::Azure, _) => azure(&spec.hosting, base, upstream),
        (Platform::Vertex, _) => vertex(&spec.hosting, spec.speaks, base, upstream),
        (Platform::Bedrock, Speaks::OpenAi) => {
            Addresses { chat: at(&["openai", "v1", "chat", "completions"]), ..Addresses::default() }
        }
        (Platform::Bedrock, _) => {
            let [whole, stream] = match spec.speaks {
                Speaks::Converse => ["converse", "converse-stream"],
                _ => ["invoke", "invoke-with-response-stream"],
            };
            let call = |what| Some(below(base, &["model", upstream, what]));
            Addresses { chat: call(whole), chat_stream: call(stream), ..Addresses::default() }
        }
        (Platform::Own, Speaks::OpenAi | Speaks::Mistral) => Addresses {
            chat: at(&["chat", "completions"]),
            responses: at(&["responses"]),
            embeddings: at(&["embeddings"]),
            completions: at(&["completions"]),
            ..Addresses::default()
        },
        (Platform::Own, Speaks::Anthropic | Speaks::Converse) => {
            let has_version = base.path().trim_end_matches('/').ends_with("/v1");
            let chat = if has_version { at(&["messages"]) } else { at(&["v1", "messages"]) };
            Addresses { chat, ..Addresses::default() }
        }
        (Platform::Own, Speaks::Gemini) => {
            let mut version = vec!["v1beta"];
            version.retain(|_| base.path() == "/");
            let call = |method: &str| {
                let model = format!("{}:{method}", upstream.trim_start_matches("models/"));
                at(&[version.as_slice(), &["models", &model]].concat())
            };
            Addresses {
                chat: call("generateContent"),
                chat_stream: call("streamGenerateContent").map(as_events),
                gemini_embeddings: call("batchEmbedContents"),
                embeddings: at(&[version.as_slice(), &["openai", "embeddings"]].concat()),
                ..Addresses::default()
            }
        }
    }
}

/// Returns where calls of a model may run, by its name at the provider: Bedrock's profiles name the places among which a call may go
/// in front of the model, of which `global` is none, also behind their ARN; else the region that the provider is set to.
pub fn region<'s>(hosting: &'s Hosting, upstream: &'s str) -> Option<&'s str> {
    const PROFILES: [&str; 6] = ["us", "eu", "apac", "jp", "au", "us-gov"];
    let region = hosting.region.as_deref()?;
    // Of an application's profile nobody knows where it leads.
    if hosting.platform == Platform::Bedrock && upstream.contains(":application-inference-profile/") {
        return None;
    }
    let upstream = upstream.rsplit_once(":inference-profile/").map_or(upstream, |(_, profile)| profile);
    match upstream.split_once('.').filter(|_| hosting.platform == Platform::Bedrock) {
        Some(("global", _)) => None,
        Some((profile, _)) if PROFILES.contains(&profile) => Some(profile),
        _ => Some(region),
    }
}

/// Returns the meter by which the place of a model in a cloud is billed: regions within the United States and Europe have a
/// price together.
pub(super) fn place(hosting: &Hosting, upstream: &str) -> Option<String> {
    let place = region(hosting, upstream).filter(|_| hosting.platform != Platform::Own)?;
    match place.split('-').next().unwrap_or_default() {
        _ if place.starts_with("us-gov") => Some(format!("region:{place}")),
        "global" => None,
        "us" => Some("region:us".to_owned()),
        "eu" | "europe" => Some("region:eu".to_owned()),
        _ => Some(format!("region:{place}")),
    }
}

/// Returns the address of what is asked beside a model: what it keeps, or counts. `None` where there is no such thing.
pub(super) fn beside(spec: &ProviderSpec, base: &Url, parts: &[&str]) -> Option<Url> {
    let path = base.path().trim_end_matches('/');
    let version = match (spec.hosting.platform, spec.speaks) {
        (Platform::Vertex | Platform::Bedrock, _) => return None,
        (Platform::Azure, _) => return Some(azures(&spec.hosting, base, parts)),
        (Platform::Own, Speaks::Anthropic) if !path.ends_with("/v1") => Some("v1"),
        (Platform::Own, Speaks::Gemini) if path.is_empty() => Some("v1beta"),
        _ => None,
    };
    let parts: Vec<&str> = version.iter().chain(parts).copied().collect();
    Some(below(base, &parts))
}

/// Returns an address below another. One segment a part, encoded, so that no part leads elsewhere; a colon stays only where
/// it names a method.
fn below(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    let mut path = base.path().trim_end_matches('/').to_owned();
    let last = parts.len().saturating_sub(1);
    for (at, part) in parts.iter().enumerate() {
        path.push('/');
        // A part of dots alone would be a step up.
        let is_dots = part.bytes().all(|byte| byte == b'.');
        let kept = if at == last { ":@" } else { "@" };
        path.push_str(&if is_dots { part.replace('.', "%252E") } else { encoded(part, kept) });
    }
    url.set_path(&path);
    url
}

fn as_events(mut url: Url) -> Url {
    url.set_query(Some("alt=sse"));
    url
}

/// Returns an address of Azure's: with its version in the query where one is set, else of the newer API that has none.
fn azures(hosting: &Hosting, base: &Url, parts: &[&str]) -> Url {
    let path = base.path().trim_end_matches('/');
    let root = path.strip_suffix("/v1").unwrap_or(path);
    let root = root.strip_suffix("/openai").unwrap_or(root).to_owned();
    let mut base = base.clone();
    base.set_path(&root);
    let Some(version) = &hosting.api_version else {
        return below(&base, &[&["openai", "v1"], parts].concat());
    };
    let mut url = below(&base, &[&["openai"], parts].concat());
    url.query_pairs_mut().append_pair("api-version", version);
    url
}

fn azure(hosting: &Hosting, base: &Url, deployment: &str) -> Addresses {
    let at = |parts: &[&str]| Some(azures(hosting, base, parts));
    let of = |parts: &[&str]| match &hosting.api_version {
        Some(_) => at(&[&["deployments", deployment], parts].concat()),
        None => at(parts),
    };
    Addresses {
        chat: of(&["chat", "completions"]),
        responses: at(&["responses"]),
        embeddings: of(&["embeddings"]),
        completions: of(&["completions"]),
        ..Addresses::default()
    }
}

fn vertex(hosting: &Hosting, speaks: Speaks, base: &Url, model: &str) -> Addresses {
    let (project, region) = (hosting.project.as_deref(), hosting.region.as_deref());
    let (Some(project), Some(region)) = (project, region) else { return Addresses::default() };
    let version: &[&str] = if base.path() == "/" { &["v1"] } else { &[] };
    let place = [version, &["projects", project, "locations", region]].concat();
    let publisher = match speaks {
        Speaks::Anthropic => "anthropic",
        Speaks::Mistral => "mistralai",
        Speaks::Gemini => "google",
        _ => {
            let chat = [place.as_slice(), &["endpoints", "openapi", "chat", "completions"]].concat();
            return Addresses { chat: Some(below(base, &chat)), ..Addresses::default() };
        }
    };
    let call = |method: &str| {
        let named = format!("{model}:{method}");
        Some(below(base, &[place.as_slice(), &["publishers", publisher, "models", &named]].concat()))
    };
    if speaks == Speaks::Gemini {
        let stream = call("streamGenerateContent").map(as_events);
        return Addresses { chat: call("generateContent"), chat_stream: stream, ..Addresses::default() };
    }
    Addresses { chat: call("rawPredict"), chat_stream: call("streamRawPredict"), ..Addresses::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request that has to stay in a region would go wherever a profile leads that the console names by its ARN.
    #[test]
    fn a_profile_leads_where_it_does_however_it_is_named() {
        let hosting = Hosting {
            platform: Platform::Bedrock,
            region: Some("eu-west-1".to_owned()),
            ..Hosting::default()
        };
        let arn = "arn:aws:bedrock:eu-west-1:123456789012";
        for (model, want) in [
            ("anthropic.claude-opus-4-6-v1".to_owned(), Some("eu-west-1")),
            ("global.anthropic.claude-opus-4-6-v1".to_owned(), None),
            (format!("{arn}:inference-profile/global.anthropic.claude-opus-4-6-v1"), None),
            (format!("{arn}:inference-profile/us.anthropic.claude-opus-4-6-v1"), Some("us")),
            (format!("{arn}:application-inference-profile/a1b2c3"), None),
        ] {
            assert_eq!(region(&hosting, &model), want, "{model}");
        }
    }
}
