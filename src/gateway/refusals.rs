//! What a refusal of a provider's is about: the account, what the request says, its length, the client's own things, the model.
//!
//! Invariant: what one client can bring about by a request closes no account and no model for others.

use crate::routing::Status;
use crate::wire::ApiError;

/// Says whether an error is about the gateway's own key or its account there, so that another account may serve. Of a message
/// only what it begins with counts where the status may be about the request: further on it may quote the client.
pub(super) fn is_account(error: &ApiError) -> bool {
    const CODES: [&str; 11] = [
        "api_key_invalid",
        "invalid_api_key",
        "incorrect_api_key",
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "account_deactivated",
        "organization_restricted",
        "billing_error",
        "arrearage",
        "authentication_error",
    ];
    const BEGINNINGS: [&str; 8] = [
        "api key not valid",
        "api key expired",
        "your credit balance is too low",
        "billing hard limit has been reached",
        "your account is not active",
        "you exceeded your current quota",
        "you have reached your specified api usage limits",
        "this organization has been disabled",
    ];
    /// What a 403 says that is about a key or an account. Other words may be about anything: breakers count them.
    const KNOWN: [&str; 21] = [
        "api key",
        "api-key",
        "key limit",
        "your key",
        "credit",
        "billing",
        "payment",
        "balance",
        "quota",
        "spending limit",
        "subscription",
        "your account",
        "account has been",
        "suspended",
        "disabled",
        "deactivated",
        "flagged",
        "revoked",
        "expired",
        "security token",
        "unregistered callers",
    ];
    let message = error.message.to_ascii_lowercase();
    let begins = |words: &&str| message.trim_start().starts_with(words);
    let code = error.code.as_deref().unwrap_or_default().to_ascii_lowercase();
    let is_named = || CODES.contains(&&*code) || BEGINNINGS.iter().any(begins);
    match error.status {
        401 => !is_elsewhere(error),
        402 => !is_too_dear(error),
        403 => {
            let is_known = || KNOWN.iter().any(|words| message.contains(words));
            let is_others = || is_clients_own(error) || is_demanded(error) || message.contains("model");
            !is_content(error) && (is_named() || (is_known() && !is_others()))
        }
        400 => is_named(),
        412 => is_named() || (begins(&"account ") && message.contains("suspended")),
        _ => false,
    }
}

/// Says whether it was another server that refused: one that the client has the provider call, with the client's own key.
fn is_elsewhere(error: &ApiError) -> bool {
    let message = error.message.to_ascii_lowercase();
    matches!(error.code.as_deref(), Some("http_error" | "external_connector_error"))
        || ["mcp server", "mcp_server", "tool list"].iter().any(|words| message.contains(words))
}

/// Says whether a 403 speaks of what this request demands: its length, a tool, a way to be served.
fn is_demanded(error: &ApiError) -> bool {
    const DEMANDED: [&str; 18] = [
        "length",
        "max_tokens",
        "token count",
        "tokens",
        "too large",
        "too long",
        "context",
        " tool",
        "skill",
        " file",
        " search",
        " image",
        "fast mode",
        "feature",
        "beta",
        "parameter",
        "reasoning",
        "must be verified",
    ];
    let message = error.message.to_ascii_lowercase();
    error.param.as_deref().is_some_and(|param| param != "model")
        || DEMANDED.iter().any(|words| message.contains(words))
}

/// Says whether a 401, 403 or 404 is about this request alone, so that nothing is wrong with account and model.
pub(super) fn is_requests(error: &ApiError, upstream: &str) -> bool {
    match error.status {
        401 => is_elsewhere(error),
        403 => {
            let is_invalid = error.code.as_deref() == Some("invalid_request_error");
            !names_model(error) && (is_demanded(error) || is_invalid)
        }
        404 => !is_models(error, upstream),
        _ => false,
    }
}

/// Says whether a 403 is about who may have the model.
fn names_model(error: &ApiError) -> bool {
    const ACCESS: [&str; 8] = [
        "access to model",
        "access to the model",
        "access to this model",
        "access to the requested model",
        "use model",
        "use the model",
        "use this model",
        "invoke this model",
    ];
    let message = error.message.to_ascii_lowercase();
    error.code.as_deref() == Some("model_not_found") || ACCESS.iter().any(|words| message.contains(words))
}

/// Says whether a 404 is about the model, or about the address by which it is asked.
fn is_models(error: &ApiError, upstream: &str) -> bool {
    /// What routers say where they know the model, and nobody serves it as this request demands.
    const DEMANDED: [&str; 4] = [
        "no endpoints found that",
        "no endpoints found matching",
        "no endpoints available matching",
        "no allowed providers",
    ];
    const NAMED: [&str; 10] = [
        "model",
        "deployment",
        "endpoints found for",
        "engine",
        "invalid url",
        "unknown request url",
        "page not found",
        "cannot post",
        "no route",
        "and no message",
    ];
    const ALONE: [&str; 4] = ["not found", "404 not found", "resource not found", "not_found"];
    let message = error.message.to_ascii_lowercase();
    let message = message.trim().trim_end_matches('.');
    matches!(error.code.as_deref(), Some("model_not_found" | "DeploymentNotFound" | "unknown_url"))
        || (!DEMANDED.iter().any(|words| message.contains(words))
            && (ALONE.contains(&message)
                || NAMED.iter().any(|words| message.contains(words))
                || (!upstream.is_empty() && message.contains(&upstream.to_ascii_lowercase()))))
}

/// Says whether a provider will not serve a request for what it says: that is not for others to serve instead.
pub(super) fn is_content(error: &ApiError) -> bool {
    const CONTENT: [&str; 6] = [
        "content_policy",
        "content policy",
        "content_filter",
        "content management policy",
        "safety system",
        "moderation",
    ];
    /// What it says where the status may as well be about a key.
    const FORBIDDEN: [&str; 3] = ["usage guidelines", "safety_check", "usage policies"];
    /// What was flagged, where it is not an account.
    const FLAGGED: [&str; 4] = ["input", "prompt", "request", "content"];
    let says = |text: &str| {
        let text = text.to_ascii_lowercase();
        let is_flagged = || {
            text.contains("flagged")
                && !text.contains("account has been flagged")
                && FLAGGED.iter().any(|word| text.contains(word))
        };
        CONTENT.iter().any(|word| text.contains(word))
            || (error.status == 403 && (FORBIDDEN.iter().any(|word| text.contains(word)) || is_flagged()))
    };
    says(&without_quotes(&error.message)) || error.code.as_deref().is_some_and(says)
}

/// Returns a message without what stands in quotes: names of the client's tools and members.
fn without_quotes(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find(['\'', '"', '`']) {
        let (before, from) = rest.split_at(at);
        // An apostrophe opens nothing.
        let opens = !before.ends_with(char::is_alphanumeric);
        let end = from.chars().next().filter(|_| opens).and_then(|quote| from.get(1..)?.find(quote));
        let end = end.map_or(1, |end| end + 2);
        out.push_str(before);
        out.push(' ');
        rest = from.get(end..).unwrap_or_default();
    }
    out + rest
}

/// Says whether an account has not enough for a request of that length, but for a shorter one.
fn is_too_dear(error: &ApiError) -> bool {
    let message = error.message.to_ascii_lowercase();
    error.status == 402
        && ["can only afford", "fewer max_tokens", "tokens limit exceeded"]
            .iter()
            .any(|words| message.contains(words))
}

/// Says whether a refusal for quota is about one request, which is larger than all that the account may send.
pub(super) fn is_too_large(error: &ApiError) -> bool {
    let message = error.message.to_ascii_lowercase();
    let number = |word: &str| {
        message.match_indices(word).find_map(|(at, _)| {
            let rest = message.get(at + word.len()..)?.trim_start_matches([':', '=', ' ']);
            let digits = rest.chars().take_while(|c| c.is_ascii_digit() || *c == ',');
            digits.filter(char::is_ascii_digit).collect::<String>().parse::<u64>().ok()
        })
    };
    let is_beyond = || number("requested").zip(number("limit")).is_some_and(|(asked, most)| asked > most);
    let words = ["request too large", "request is too large", "long context requests"];
    error.status == 429 && (words.iter().any(|words| message.contains(words)) || is_beyond())
}

/// Says whether a provider does not have what the client names beside the model: an answer, an item, a conversation, a file. Nobody
/// else has it either, and the client can send it anew.
pub(super) fn is_clients_own(error: &ApiError) -> bool {
    const OWN: [&str; 13] = [
        "item with id",
        "items are not persisted",
        "conversation with id",
        "response with id",
        "no such file",
        "file not found",
        "file_id",
        "vector store",
        "prompt with id",
        "container",
        "cloud storage object",
        "cachedcontent not found",
        "permission to access the file",
    ];
    let code = error.code.as_deref().unwrap_or_default();
    let is_models = matches!(code, "model_not_found" | "DeploymentNotFound");
    let is_named = error.status != 403 && error.param.as_deref().is_some_and(|param| param != "model");
    let message = error.message.to_ascii_lowercase();
    !is_models && (is_named || OWN.iter().any(|words| message.contains(words)))
}

/// Says whether a provider cannot read, or does not have, what a model of another provider thought.
pub(super) fn is_sealed(error: &ApiError) -> bool {
    let message = error.message.to_ascii_lowercase();
    matches!(error.status, 400 | 404)
        && (error.code.as_deref() == Some("invalid_encrypted_content")
            || (message.contains("encrypted content") && message.contains("verif"))
            || message.contains("item with id 'rs_"))
}

/// Says how an error that a provider told sees to routing. What this model does not take, another may.
pub(super) fn told(error: &ApiError) -> Status {
    match error.status {
        402 if is_too_dear(error) => Status::Unfit,
        400 | 403 | 413 | 422 if is_content(error) => Status::Rejected,
        400 | 413 | 422 => Status::Unfit,
        status => Status::from_http(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ErrorKind;

    fn error(status: u16, message: &str) -> ApiError {
        ApiError { status, ..ApiError::new(ErrorKind::from_status(status), message) }
    }

    /// A tool's name would end a routed request that the next rung answers.
    #[test]
    fn what_is_refused_for_what_it_says_is_told_from_names_in_quotes() {
        for (message, want) in [
            ("Invalid schema for function 'moderation_lookup': object schema missing properties", false),
            ("Unknown parameter: 'moderation'.", false),
            ("Invalid schema: In context=('properties', 'content_filter'), 'oneOf' is not permitted", false),
            (
                "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
                true,
            ),
            ("Your request was rejected as a result of our safety system.", true),
            ("Your chosen model requires moderation and your input was flagged", true),
        ] {
            assert_eq!(is_content(&error(400, message)), want, "{message}");
        }
        assert!(is_content(&error(
            403,
            "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE"
        )));
        assert!(!is_content(&error(403, "Your account has been flagged for potential abuse.")));
    }

    fn coded(status: u16, code: &str, message: &str) -> ApiError {
        ApiError { code: Some(code.to_owned()), ..error(status, message) }
    }

    /// One such request would close every account, and everybody else would be sent to a dearer model.
    #[test]
    fn what_is_about_one_request_is_told_from_the_account_and_the_model() {
        #[derive(Debug, PartialEq)]
        enum Of {
            Account,
            Client,
            Request,
            Other,
        }
        let invalid = |message: &str| coded(403, "invalid_request_error", message);
        let param = |param: &str, error: ApiError| ApiError { param: Some(param.to_owned()), ..error };
        for (error, want) in [
            (error(403, "Key limit exceeded (monthly limit). Manage it using .."), Of::Account),
            (error(403, "Your newly created teams doesn't have any credits yet."), Of::Account),
            (error(403, "API has not been used in project 123 before or it is disabled."), Of::Account),
            (error(403, "Your account has been flagged for potential abuse."), Of::Account),
            (error(403, "OAuth token has been revoked. Please obtain a new token."), Of::Account),
            (error(403, "The security token included in the request is invalid."), Of::Account),
            (error(403, "Permission denied: Consumer 'api_key:..' has been suspended."), Of::Account),
            (error(403, "Your API key was reported as leaked. Please use another API key."), Of::Account),
            (coded(401, "invalid_api_key", "Incorrect API key provided"), Of::Account),
            (coded(401, "invalid_request_error", "You didn't provide an API key."), Of::Account),
            (error(402, "Payment required"), Of::Account),
            (invalid("Project does not have access to model `mb`"), Of::Other),
            (invalid("Your organization must be verified to use the model `o3`."), Of::Other),
            (error(403, "This service is not available in your region"), Of::Other),
            (error(403, "Country, region, or territory not supported"), Of::Other),
            (error(403, "<html><title>Just a moment..</title>"), Of::Other),
            (error(403, "The caller does not have permission"), Of::Other),
            (error(403, "Forbidden"), Of::Other),
            (
                invalid(
                    "The sum of the input token count and max_tokens parameter must be less than the context length of the model being queried.",
                ),
                Of::Request,
            ),
            (
                error(403, "Input token count + `max_tokens` parameter exceeds model context length"),
                Of::Request,
            ),
            (
                param(
                    "reasoning.summary",
                    invalid("Your organization must be verified to generate reasoning summaries."),
                ),
                Of::Request,
            ),
            (
                invalid("Hosted tool 'computer_use_preview' is not supported for your organization"),
                Of::Request,
            ),
            (coded(403, "permission_error", "Fast mode is not enabled for this organization"), Of::Request),
            (coded(403, "permission_error", "Skill skill_01 is not accessible"), Of::Request),
            (
                coded(
                    401,
                    "http_error",
                    "Error retrieving tool list from MCP server: 'x'. Http status code: 401 (Unauthorized)",
                ),
                Of::Request,
            ),
            (invalid("You do not have access to container cntr_1"), Of::Client),
            (error(403, "CachedContent not found (or permission denied)"), Of::Client),
            (
                coded(
                    403,
                    "PERMISSION_DENIED",
                    "x does not have storage.objects.get access to the Google Cloud Storage object.",
                ),
                Of::Client,
            ),
            (coded(404, "not_found_error", "Container container_01 not found"), Of::Client),
            (coded(404, "not_found_error", "File not found: file_011CN"), Of::Client),
            (coded(404, "prompt_not_found", "Prompt with id 'pmpt_1' not found."), Of::Client),
            (error(404, "Container is expired."), Of::Client),
            (param("url", error(404, "The URL could not be fetched: 404")), Of::Client),
            (
                error(
                    404,
                    "No endpoints found that support tool use. To learn more about provider routing, ...",
                ),
                Of::Request,
            ),
            (error(404, "No endpoints found that support image input"), Of::Request),
            (
                error(404, "No endpoints found matching your data policy (Free model publication)."),
                Of::Request,
            ),
            (error(404, "No allowed providers are available for the selected model."), Of::Request),
            (error(404, "No endpoints found for x/small."), Of::Other),
            (error(404, "The model `x/small` does not exist or you do not have access to it."), Of::Other),
            (coded(404, "not_found_error", "model: claude-haiku-4-5"), Of::Other),
            (
                coded(404, "DeploymentNotFound", "The API deployment for this resource does not exist."),
                Of::Other,
            ),
            (error(404, "models/x is not found for API version v1beta"), Of::Other),
            (error(404, "x/small: no such thing"), Of::Other),
            (error(404, "Not Found"), Of::Other),
            (error(404, "openai-chat answered with status 404 and no message"), Of::Other),
        ] {
            let is = if matches!(error.status, 403 | 404) && is_clients_own(&error) {
                Of::Client
            } else if is_account(&error) {
                Of::Account
            } else if is_requests(&error, "x/small") {
                Of::Request
            } else {
                Of::Other
            };
            assert_eq!(is, want, "{error:?}");
            assert!(want == Of::Account || !is_account(&error), "{error:?}");
        }
        // One long request would shut the account for everybody.
        let dear =
            error(402, "This request requires more credits, or fewer max_tokens. You can only afford 9500");
        assert!(
            !is_account(&dear) && told(&dear) == Status::Unfit && is_account(&error(402, "Payment required"))
        );
        let long = error(402, "Prompt tokens limit exceeded: 10582 > 2212. To increase, visit ..");
        assert!(!is_account(&long) && told(&long) == Status::Unfit);
        assert!(!is_account(&error(400, "Invalid value: 'billing hard limit has been reached'")));
    }

    #[test]
    fn a_429_with_more_asked_for_than_may_ever_be_is_about_the_size() {
        for (message, want) in [
            (
                "The request is too large for the deployment's rate limit; max tokens requested 90000 exceeds limit 50000",
                true,
            ),
            ("Quota exceeded for metric: input_token_count, limit: 1000, requested 4000", true),
            ("tokens per min (TPM): Limit 200,000, Requested 345,012.", true),
            ("Rate limit reached on tokens per min (TPM): Limit 10000, Used 9500, Requested 800.", false),
            ("Quota exceeded for metric: generate_requests, limit: 0", false),
        ] {
            assert_eq!(is_too_large(&error(429, message)), want, "{message}");
        }
    }
}
