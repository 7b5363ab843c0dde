//! What every attempt needs, answered in one piece or as a stream: how it is written, what it comes to, how it ends early.

use std::sync::Arc;
use std::time::Instant as Moment;

use http::HeaderMap;
use tokio::time::Instant as Clock;

use super::audience::Audience;
use super::estimate;
use super::operation::{Attempted, Operation, Outcome};
use super::unquoted::unquoted;
use crate::config::providers::Speaks;
use crate::pricing::{PriceBook, Usage};
use crate::providers::{Failure, Outcome as Told, Permit, Target};
use crate::record::WriteTtl;
use crate::record::usage::Counted;
use crate::routing::{Check, Parameters, Status};
use crate::session::{Called, Dispatch};
use crate::wire::{self, Accent, ApiError, Ask, Dialect, ErrorKind, Form, Sending, Sent, WireError};

/// Which call this is.
#[derive(Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) dispatch: &'a Dispatch,
    pub(super) target: &'a Target,
    pub(super) dialect: Dialect,
    pub(super) started: Clock,
}

/// What a call took: its tokens, how long its provider keeps what was written, and whether that is an estimate.
pub(super) type Took = (Usage, WriteTtl, bool);

impl Attempt<'_> {
    /// Starts the account of the call, which took so much.
    pub(super) fn took(&self, (usage, write_ttl, estimated): Took) -> Called {
        let Self { dispatch, target, .. } = self;
        Called {
            model: Arc::clone(&dispatch.model),
            provider: Arc::clone(target.provider()),
            simulated: target.simulated(),
            effort: dispatch.with.effort,
            usage,
            write_ttl,
            estimated,
            ..Called::default()
        }
    }

    /// The same where an answer says by which terms it is billed, and names its model.
    pub(super) fn billed(
        &self,
        operation: &Operation,
        took: Took,
        counted: Option<Counted>,
        model: Option<&str>,
    ) -> Called {
        let (terms, is_assumed) = operation.terms(counted);
        let (usage, write_ttl, estimated) = took;
        let billed = billed(&operation.gateway.live.book(), &self.dispatch.model, model);
        Called { billed, terms, ..self.took((usage, write_ttl, estimated || is_assumed)) }
    }

    /// The same where nothing was answered; what took nothing is billed by no terms.
    pub(super) fn unanswered(&self, operation: &Operation, took: Took) -> Called {
        if took.0 == Usage::NONE { self.took(took) } else { self.billed(operation, took, None, None) }
    }
}

/// Says how a target speaks chat.
pub(super) fn accent(target: &Target) -> Accent {
    if target.speaks() == Speaks::Mistral { Accent::Mistral } else { Accent::OpenAi }
}

/// Writes a request for a target; a provider that demands a limit gets `most` where the client names none. Of the client's
/// headers those are looked at that some targets want in the body.
pub(super) fn written(
    ask: &Ask,
    with: &Parameters,
    (target, dialect): (&Target, Dialect),
    most: u64,
    headers: &HeaderMap,
) -> Result<Sent, WireError> {
    let needs_limit = target.form() != Form::Converse;
    let sending = Sending {
        known: target.known(),
        with,
        default_max_output: most,
        needs_limit,
        accent: accent(target),
    };
    let mut sent = ask.body_for(dialect, target.upstream(), &sending)?;
    if target.form() != Form::Plain {
        let betas = headers.get_all("anthropic-beta").iter().filter_map(|value| value.to_str().ok());
        let betas: Vec<&str> = betas.collect();
        let (body, left_out) = wire::framed(target.form(), sent.body, target.known_as(), &betas)?;
        sent.body = body;
        sent.left_out.extend(left_out);
    }
    Ok(sent)
}

/// Says whether a rung behind this one can take the request at all. One that cannot is no better than an answer that did not
/// pass its check.
pub(super) fn can_escalate(operation: &Operation, dispatch: &Dispatch) -> bool {
    let takes = |next: &Dispatch| {
        let target = operation.gateway.providers.target(&next.model)?;
        let dialect = target.dialect_for(operation.ask.dialect())?;
        let most = operation.gateway.settings.max_output_default;
        written(&operation.ask, &next.with, (&target, dialect), most, &operation.headers).ok()
    };
    // Where the provider adds each question and answer to a conversation that it keeps, another would be said into it, too.
    !dispatch.top
        && !operation.ask.is_said_into_conversation()
        && operation
            .gateway
            .live
            .later(&operation.placed.ticket, dispatch.rung)
            .iter()
            .any(|next| takes(next).is_some())
}

/// Awaits a step of a call while the client is kept waiting in good order; `None` where it left and policy says that
/// nobody waits for the step then.
pub(super) async fn watched<T>(
    operation: &Operation,
    dispatch: &Dispatch,
    audience: &mut Audience,
    step: impl Future<Output = T>,
) -> Option<T> {
    audience.during(&dispatch.model, |headers| operation.sign(headers, dispatch), step).await
}

/// Returns the status of a call whose answer under a good HTTP status is none.
pub(super) fn unfit(error: &wire::WireError) -> Status {
    match error {
        wire::WireError::Upstream(error) => match told(error) {
            Status::Ok => Status::ServerError,
            status => status,
        },
        _ => Status::ServerError,
    }
}

/// Returns the model to bill where the answer names one that the book prices under another name than the one asked.
pub(super) fn billed(book: &PriceBook, asked: &str, said: Option<&str>) -> Option<Arc<str>> {
    let said = said.filter(|said| *said != asked)?;
    let (name, _) = book.find_named(said)?;
    let same = book.find_named(asked).is_some_and(|(asked, _)| asked == name);
    (!same).then(|| said.into())
}

/// Tells the provider's keeper how a call ended.
pub(super) fn report(
    operation: &Operation,
    permit: Permit,
    status: Status,
    usage: Option<&Usage>,
    error: Option<String>,
) {
    let tokens = usage.and_then(|usage| Some(usage.prompt()?.saturating_add(usage.output.get()?)));
    operation.gateway.providers.report(permit, &Told { status, tokens, error }, Moment::now());
}

/// Ends a call whose client left and which is not read to its end: what it told by then, and of which model, and how many
/// tokens had come.
pub(super) fn client_gone(
    operation: &Operation,
    attempt: &Attempt<'_>,
    permit: Permit,
    (counted, model, delivered): (Option<Counted>, Option<&str>, u64),
) -> Attempted {
    let prompt = operation.ask.measures().estimated_prompt_tokens;
    let (usage, write_ttl, _) = estimate::complete(counted, prompt, delivered);
    report(operation, permit, Status::Cancelled, Some(&usage), None);
    Attempted {
        called: Called {
            status: Status::Cancelled,
            error: "the client went away".to_owned(),
            ..attempt.billed(operation, (usage, write_ttl, true), counted, model)
        },
        outcome: Outcome::Failed(ApiError::new(ErrorKind::Timeout, "the client went away")),
        retry: None,
    }
}

/// Returns what a call came to that its provider refused under a good status: nothing, as where the status says so.
pub(super) fn refused(error: &WireError) -> Option<Took> {
    let WireError::Upstream(told) = error else { return None };
    matches!(told.status, 400..500 | 503 | 529).then_some((Usage::NONE, WriteTtl::Reported, false))
}

/// Ends a call that failed before the client had anything. Where nothing is known of what it took, that is an estimate.
pub(super) fn failed(
    operation: &Operation,
    attempt: &Attempt<'_>,
    permit: Permit,
    status: Status,
    mut error: ApiError,
    called: Option<Called>,
) -> Attempted {
    let target = attempt.target;
    // Part of it may be the provider's own words.
    error.message = target.redact(&error.message).into_owned();
    let prompt = operation.ask.measures().estimated_prompt_tokens;
    let called = called.unwrap_or_else(|| attempt.unanswered(operation, estimate::complete(None, prompt, 0)));
    let failure = Failure { status, begun: false, retry_after: None, should_retry: None };
    let said = unquoted(&error.message, operation.ask.body()).into_owned();
    report(operation, permit, status, Some(&called.usage), Some(said.clone()));
    // Where the provider stands is for the operator alone.
    error.message = target.conceal(&error.message).into_owned();
    Attempted {
        called: Called { status, error: said, ..called },
        retry: operation.gateway.providers.retry(target, operation.tries, &failure, Moment::now()),
        outcome: Outcome::Failed(error),
    }
}

/// Ends a call whose answer is fit for nothing, and of which the client has had nothing. Where no rung behind it can take the
/// request either, this is what it hears.
pub(super) fn hollow(
    operation: &Operation,
    attempt: &Attempt<'_>,
    permit: Permit,
    mut error: ApiError,
    called: Called,
) -> Attempted {
    let Attempt { dispatch, target, .. } = attempt;
    report(operation, permit, Status::Ok, Some(&called.usage), None);
    let told = target.redact(&error.message).into_owned();
    error.message = target.conceal(&told).into_owned();
    let said = unquoted(&told, operation.ask.body()).into_owned();
    let stays = !dispatch.top && !can_escalate(operation, dispatch);
    let (status, check) = if stays { (Status::Truncated, Check::None) } else { (Status::Ok, Check::Failed) };
    Attempted {
        called: Called { status, check, error: said, ..called },
        outcome: Outcome::Failed(error),
        retry: None,
    }
}

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
