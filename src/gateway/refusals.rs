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
    /// What a 403 says that is about the model, or a wall in front of the server, which looks at what the request says.
    const OTHERS: [&str; 14] = [
        " tool",
        "skill",
        "access to model",
        "access to the model",
        "access to this model",
        "access to the requested model",
        "use this model",
        "not available in your",
        "not supported in your",
        "territory not supported",
        "<html",
        "<!doctype",
        "cloudflare",
        "request blocked",
    ];
    let message = error.message.to_ascii_lowercase();
    let begins = |words: &&str| message.trim_start().starts_with(words);
    let code = error.code.as_deref().unwrap_or_default().to_ascii_lowercase();
    let is_named = || CODES.contains(&&*code) || BEGINNINGS.iter().any(begins);
    match error.status {
        401 => true,
        402 => !is_too_dear(error),
        403 => {
            let is_others = || is_clients_own(error) || OTHERS.iter().any(|words| message.contains(words));
            !is_content(error) && (is_named() || (!is_others() && message.trim() != "forbidden"))
        }
        400 => is_named(),
        412 => is_named() || (begins(&"account ") && message.contains("suspended")),
        _ => false,
    }
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
    error.status == 402 && ["can only afford", "fewer max_tokens"].iter().any(|words| message.contains(words))
}

/// Says whether a refusal for quota is about one request, which is larger than all that the account may send.
pub(super) fn is_too_large(error: &ApiError) -> bool {
    let message = error.message.to_ascii_lowercase();
    error.status == 429
        && ["request too large", "long context requests"].iter().any(|words| message.contains(words))
}

/// Says whether a provider does not have what the client names beside the model: an answer, an item, a conversation, a file. Nobody
/// else has it either, and the client can send it anew.
pub(super) fn is_clients_own(error: &ApiError) -> bool {
    const OWN: [&str; 12] = [
        "item with id",
        "items are not persisted",
        "conversation with id",
        "response with id",
        "no such file",
        "file not found",
        "file_id",
        "vector store",
        "container with id",
        "container not found",
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

    #[test]
    fn a_403_is_the_accounts_unless_it_is_about_something_else() {
        for (message, want) in [
            ("Key limit exceeded (monthly limit)", true),
            ("Your newly created teams doesn't have any credits yet.", true),
            ("API has not been used in project 123 before or it is disabled.", true),
            ("Your account has been flagged for potential abuse.", true),
            ("Project does not have access to model `mb`", false),
            ("This service is not available in your region", false),
            ("<html><title>Just a moment..</title>", false),
            ("CachedContent not found (or permission denied)", false),
        ] {
            assert_eq!(is_account(&error(403, message)), want, "{message}");
        }
        // One long request would shut the account for everybody.
        let dear =
            error(402, "This request requires more credits, or fewer max_tokens. You can only afford 9500");
        assert!(
            !is_account(&dear) && told(&dear) == Status::Unfit && is_account(&error(402, "Payment required"))
        );
        assert!(!is_account(&error(400, "Invalid value: 'billing hard limit has been reached'")));
    }
}
