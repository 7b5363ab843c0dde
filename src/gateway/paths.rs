//! Which path is for what: the one table of the surface.
//!
//! Invariant: what is not in the table is served nowhere, and nothing in a path decides what a caller may do.

use http::{HeaderMap, Method};

use crate::access::Scope;
use crate::wire::Dialect;

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Generate(Dialect),
    CountTokens(Dialect),
    Models,
    Stored,
    Feedback,
    Health,
    Ready,
    Metrics,
    Feed,
    Log,
    Rights,
    Policy,
    Budgets,
    Corrections,
    Alerts,
    Runaways,
    Rollouts,
    /// Limits that are steered towards.
    Steering,
    Automations,
    Unknown,
}

impl Endpoint {
    /// Says whether operators speak there, and no client's traffic.
    pub(super) fn is_operators(self) -> bool {
        OWN.iter().any(|(path, endpoint, _)| *endpoint == self && path.starts_with("/operator/"))
    }
}

/// The calls of the API with what each is for, without what clients put before them.
const CALLS: [(&str, Endpoint); 9] = [
    ("chat/completions", Endpoint::Generate(Dialect::OpenAiChat)),
    ("completions", Endpoint::Generate(Dialect::OpenAiCompletions)),
    ("responses", Endpoint::Generate(Dialect::OpenAiResponses)),
    ("embeddings", Endpoint::Generate(Dialect::OpenAiEmbeddings)),
    ("messages", Endpoint::Generate(Dialect::AnthropicMessages)),
    ("messages/count_tokens", Endpoint::CountTokens(Dialect::AnthropicMessages)),
    ("responses/input_tokens", Endpoint::CountTokens(Dialect::OpenAiResponses)),
    ("models", Endpoint::Models),
    ("feedback", Endpoint::Feedback),
];

/// The gateway's own paths: what each is for, and the methods that it takes. Who reads needs other rights than who sends orders.
const OWN: [(&str, Endpoint, &str); 14] = [
    ("/healthz", Endpoint::Health, "GET, HEAD"),
    ("/readyz", Endpoint::Ready, "GET, HEAD"),
    ("/metrics", Endpoint::Metrics, "GET, HEAD"),
    ("/operator/v1/feed", Endpoint::Feed, "GET"),
    ("/operator/v1/log", Endpoint::Log, "GET"),
    ("/operator/v1/rights", Endpoint::Rights, "GET, HEAD"),
    ("/operator/v1/policy", Endpoint::Policy, "GET, POST"),
    ("/operator/v1/budgets", Endpoint::Budgets, "GET"),
    ("/operator/v1/corrections", Endpoint::Corrections, "POST"),
    ("/operator/v1/alerts", Endpoint::Alerts, "GET, POST"),
    ("/operator/v1/runaways", Endpoint::Runaways, "GET, POST"),
    ("/operator/v1/rollouts", Endpoint::Rollouts, "GET, POST"),
    ("/operator/v1/steering", Endpoint::Steering, "GET, POST"),
    ("/operator/v1/automations", Endpoint::Automations, "GET"),
];

/// Headers that clients of Google's alone send.
const GOOGLES: [&str; 2] = ["x-goog-api-key", "x-goog-api-client"];

/// What is said of a path that is not served.
pub(super) const SERVED: &str = "POST /v1/chat/completions, /v1/completions, /v1/responses, /v1/embeddings, /v1/messages, \
     /v1/messages/count_tokens, /v1/responses/input_tokens, /v1/feedback; GET /v1/models, /v1/models/NAME, /v1/responses/ID; \
     Gemini's /v1beta/models/MODEL:generateContent, :streamGenerateContent, :countTokens, :embedContent, :batchEmbedContents; \
     Azure's /openai/v1/... and /openai/deployments/NAME/...; /healthz, /readyz, /metrics";

/// A path, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place<'p> {
    pub(super) endpoint: Endpoint,
    /// What the path itself names, as it is written there: a model, a deployment, or a response and what is asked of it.
    pub(super) name: &'p str,
    /// Whether the path is one of Gemini's.
    pub(super) gemini: bool,
    /// Whether it is one on which answers come as a stream.
    pub(super) streams: bool,
}

/// Finds what a path is for.
pub(super) fn place(path: &str) -> Place<'_> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if let Some((_, endpoint, _)) = OWN.iter().find(|(known, ..)| *known == path) {
        return Place { endpoint: *endpoint, name: "", gemini: false, streams: false };
    }
    let Before { call, deployment, gemini } = before(path);
    let of = |endpoint, name| Place { endpoint, name, gemini, streams: false };
    if let Some((_, endpoint)) = CALLS.iter().find(|(known, _)| *known == call) {
        let fits = deployment.is_empty() || matches!(endpoint, Endpoint::Generate(_));
        return of(if fits { *endpoint } else { Endpoint::Unknown }, deployment);
    }
    if let Some((name, endpoint, streams)) = call.strip_prefix("models/").and_then(of_gemini) {
        let fits = deployment.is_empty();
        return Place {
            endpoint: if fits { endpoint } else { Endpoint::Unknown },
            name,
            gemini: true,
            streams,
        };
    }
    match call.split_once('/') {
        Some(("models", name)) if deployment.is_empty() && !name.is_empty() => of(Endpoint::Models, name),
        Some(("responses", name)) if deployment.is_empty() && is_stored(name) => of(Endpoint::Stored, name),
        _ => of(Endpoint::Unknown, ""),
    }
}

/// Reads `MODEL:generateContent` and its like: the model, what is asked of it, and whether as a stream.
fn of_gemini(path: &str) -> Option<(&str, Endpoint, bool)> {
    let (model, method) = path.rsplit_once(':').or_else(|| path.rsplit_once("%3A"))?;
    let (endpoint, streams) = match method {
        "generateContent" => (Endpoint::Generate(Dialect::Gemini), false),
        "streamGenerateContent" => (Endpoint::Generate(Dialect::Gemini), true),
        "countTokens" => (Endpoint::CountTokens(Dialect::Gemini), false),
        "embedContent" | "batchEmbedContents" => (Endpoint::Generate(Dialect::GeminiEmbeddings), false),
        _ => return None,
    };
    (!model.is_empty()).then_some((model, endpoint, streams))
}

/// Says whether this is the id of a response, or one of the two things that may be asked of it.
fn is_stored(name: &str) -> bool {
    let (id, what) = name.split_once('/').unwrap_or((name, ""));
    // Calls of their own: one is not served, the other is no answer.
    let is_other = matches!(id, "compact" | "input_tokens");
    !id.is_empty() && !is_other && matches!(what, "" | "cancel" | "input_items")
}

/// A path with what stands before its call taken off.
struct Before<'p> {
    call: &'p str,
    deployment: &'p str,
    gemini: bool,
}

/// Takes off what clients put before a call: `/v1`, also twice, as those do whose base URL has it already; nothing;
/// Azure's `/openai/v1` and `/openai/deployments/NAME`; Gemini's `/v1beta`, and `/v1beta/openai` for its OpenAI manner.
fn before(path: &str) -> Before<'_> {
    // A base URL that ends in a slash gives two.
    let path = path.trim_start_matches('/');
    let deployed = path.strip_prefix("openai/deployments/").and_then(|rest| rest.split_once('/'));
    if let Some((deployment, call)) = deployed.filter(|(deployment, _)| !deployment.is_empty()) {
        return Before { call, deployment, gemini: false };
    }
    let of = |call, gemini| Before { call, deployment: "", gemini };
    if let Some(call) = path.strip_prefix("v1beta/openai/") {
        return of(call, false);
    }
    if let Some(call) = path.strip_prefix("v1beta/").or_else(|| path.strip_prefix("v1alpha/")) {
        return of(call, true);
    }
    let path = path.strip_prefix("openai/").unwrap_or(path);
    let path = path.strip_prefix("v1/").unwrap_or(path);
    of(path.strip_prefix("v1/").unwrap_or(path), false)
}

impl Place<'_> {
    /// Returns the methods that a path of the gateway's own takes; nothing for the API that clients of models use.
    fn own(&self) -> Option<&'static str> {
        OWN.iter().find(|(_, endpoint, _)| *endpoint == self.endpoint).map(|(.., methods)| *methods)
    }

    /// Lists the methods that the path takes, as the header `allow` says them.
    pub(super) fn methods(&self) -> &'static str {
        match self.endpoint {
            Endpoint::Generate(_) | Endpoint::CountTokens(_) | Endpoint::Feedback => "POST",
            Endpoint::Stored if self.name.ends_with("/cancel") => "POST",
            Endpoint::Stored if self.name.ends_with("/input_items") => "GET, HEAD",
            Endpoint::Stored => "GET, HEAD, DELETE",
            _ => self.own().unwrap_or("GET, HEAD"),
        }
    }

    /// Returns the form in which a client expects errors: by path, and for shared paths by its headers.
    pub(super) fn form(&self, headers: &HeaderMap) -> Dialect {
        match self.endpoint {
            Endpoint::Generate(dialect) | Endpoint::CountTokens(dialect) => dialect,
            Endpoint::Stored => Dialect::OpenAiResponses,
            // Google's own package asks for `/v1/models`, as OpenAI's does.
            _ if self.gemini || GOOGLES.iter().any(|name| headers.contains_key(*name)) => Dialect::Gemini,
            _ if headers.contains_key("anthropic-version") => Dialect::AnthropicMessages,
            _ => Dialect::OpenAiChat,
        }
    }

    /// Returns what a key must allow for this; one of these is enough.
    pub(super) fn needs(&self, method: &Method) -> &'static [Scope] {
        if let Some(methods) = self.own() {
            let takes_orders =
                methods.ends_with("POST") && !(methods.starts_with("GET") && *method == Method::GET);
            return if takes_orders { &[Scope::Operate] } else { &[Scope::Read] };
        }
        match self.endpoint {
            // What was answered before costs nothing more.
            Endpoint::Feedback | Endpoint::Stored => &[Scope::Route, Scope::Operate],
            _ => &[Scope::Route],
        }
    }

    /// Says whether the path belongs to the API that clients of models use, as opposed to the operator's.
    pub(super) fn is_api(&self) -> bool {
        self.own().is_none()
    }
}

/// Resolves `%2F` and its like; what does not decode to text stays as it is.
pub(super) fn decoded(path: &str) -> String {
    let digit =
        |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = path.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let pair = (byte == b'%').then(|| Some((digit(bytes.get(at + 1))?, digit(bytes.get(at + 2))?)));
        if let Some(Some((high, low))) = pair {
            out.push(high * 16 + low);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| path.to_owned())
}

/// Returns the value of a query's parameter, decoded.
pub(super) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_are_decoded_where_they_are_text() {
        let cases = [
            ("gpt-4.1", "gpt-4.1"),
            ("auto%2Fcode", "auto/code"),
            ("a%", "a%"),
            ("%zz%4", "%zz%4"),
            ("%ff", "%ff"),
        ];
        for (path, name) in cases {
            assert_eq!(decoded(path), name);
        }
        assert_eq!(parameter(Some("alt=sse&key=pm_a%2Db"), "key").as_deref(), Some("pm_a-b"));
        assert_eq!(parameter(Some("monkey=1&key"), "key"), None);
    }

    #[test]
    fn clients_with_every_kind_of_base_url_arrive() {
        let chat = Endpoint::Generate(Dialect::OpenAiChat);
        let messages = Endpoint::Generate(Dialect::AnthropicMessages);
        let gemini = Endpoint::Generate(Dialect::Gemini);
        for (path, endpoint, name) in [
            ("/v1/chat/completions", chat, ""),
            ("/chat/completions/", chat, ""),
            ("//v1/chat/completions", chat, ""),
            ("/openai/v1/chat/completions", chat, ""),
            ("/v1beta/openai/chat/completions", chat, ""),
            ("/openai/deployments/my%2Dgpt/chat/completions", chat, "my%2Dgpt"),
            ("/messages", messages, ""),
            ("/v1/completions", Endpoint::Generate(Dialect::OpenAiCompletions), ""),
            ("/v1beta/models/gemini-x:generateContent", gemini, "gemini-x"),
            ("/v1/models/auto/code:streamGenerateContent", gemini, "auto/code"),
            ("/v1alpha/models/a%2Fb%3AgenerateContent", gemini, "a%2Fb"),
            ("/v1beta/models/auto:countTokens", Endpoint::CountTokens(Dialect::Gemini), "auto"),
            ("/v1beta/models/e:embedContent", Endpoint::Generate(Dialect::GeminiEmbeddings), "e"),
            ("/v1beta/models/e:batchEmbedContents", Endpoint::Generate(Dialect::GeminiEmbeddings), "e"),
            ("/v1/responses/input_tokens", Endpoint::CountTokens(Dialect::OpenAiResponses), ""),
            ("/v1/models/llama3:8b", Endpoint::Models, "llama3:8b"),
            ("/v1/v1/messages", messages, ""),
            ("/messages/count_tokens", Endpoint::CountTokens(Dialect::AnthropicMessages), ""),
            ("/models", Endpoint::Models, ""),
            ("/models/auto/code", Endpoint::Models, "auto/code"),
            ("/v1beta/models/gemini-x", Endpoint::Models, "gemini-x"),
            ("/openai/models", Endpoint::Models, ""),
            ("/v1/responses/resp_1", Endpoint::Stored, "resp_1"),
            ("/responses/resp_1/cancel", Endpoint::Stored, "resp_1/cancel"),
            ("/healthz", Endpoint::Health, ""),
            ("/operator/v1/log", Endpoint::Log, ""),
            ("/operator/v1/rights/", Endpoint::Rights, ""),
            ("/operator/v1/corrections", Endpoint::Corrections, ""),
            ("/operator/v1/rollouts", Endpoint::Rollouts, ""),
            ("/operator/v1/steering", Endpoint::Steering, ""),
        ] {
            let place = place(path);
            assert_eq!((place.endpoint, place.name), (endpoint, name), "{path}");
        }
    }

    #[test]
    fn what_is_the_operators_is_no_api_and_orders_take_another_right_than_a_look() {
        for (path, endpoint, methods) in OWN {
            let place = place(path);
            assert!(!place.is_api(), "{path}: pages of the web would get there");
            assert_eq!((place.endpoint, place.methods()), (endpoint, methods), "{path}");
            let (look, order) = (place.needs(&Method::GET), place.needs(&Method::POST));
            assert_eq!(look == [Scope::Read], methods.starts_with("GET"), "{path}");
            assert_eq!(order == [Scope::Operate], methods.ends_with("POST"), "{path}");
        }
        assert!(place("/v1/models").is_api() && place("/nowhere").is_api());
    }

    #[test]
    fn nothing_is_served_on_unknown_paths() {
        for path in [
            "/",
            "/v1",
            "/v1/chat/completions/x",
            "/v1/files",
            "/operator/v1/keys",
            "/v1/operator/v1/policy",
            "/v1/metrics",
            "/v1/modelsx",
            "/v1/v1/v1/models",
            "/v1/responses/a/b",
            "/v1/responses/compact",
            "/v1/responses//cancel",
            "/openai/deployments/x/models",
            "/openai/deployments/x",
            "/openai/deployments//models",
        ] {
            assert_eq!(place(path).endpoint, Endpoint::Unknown, "{path}");
        }
    }
}
