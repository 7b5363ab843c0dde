//! What every attempt needs, answered in one piece or as a stream: how it is written, what it comes to, how it ends early.

use std::sync::Arc;
use std::time::Instant as Moment;

use http::HeaderMap;
use tokio::time::Instant as Clock;

use super::audience::Audience;
use super::estimate;
use super::operation::{Attempted, Operation, Outcome};
use super::refusals::told;
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

    /// The same where nobody told what it took: the prompt is an estimate, the answer unknown.
    pub(super) fn untold(&self, operation: &Operation) -> Called {
        let written = estimate::cut_off(&operation.ask, &self.dispatch.model, (0, 0));
        let prompt = operation.ask.measures().estimated_prompt_tokens;
        self.unanswered(operation, estimate::complete(None, prompt, written))
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

/// Ends a call whose client left and which is not read to its end: what it told by then, where it told something.
pub(super) fn client_gone(
    operation: &Operation,
    attempt: &Attempt<'_>,
    permit: Permit,
    called: Option<Called>,
) -> Attempted {
    let called = called.unwrap_or_else(|| attempt.untold(operation));
    report(operation, permit, Status::Cancelled, Some(&called.usage), None);
    Attempted {
        called: Called { status: Status::Cancelled, error: "the client went away".to_owned(), ..called },
        outcome: Outcome::Failed(ApiError::new(ErrorKind::Timeout, "the client went away")),
        retry: None,
    }
}

/// Returns what a call came to of which nothing came but its provider's word that it failed, under a good status: nothing, as
/// where the status says so.
pub(super) fn refused(error: &WireError) -> Option<Took> {
    matches!(error, WireError::Upstream(_)).then_some((Usage::NONE, WriteTtl::Reported, false))
}

/// Ends a call that failed before the client had anything.
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
    let called = called.unwrap_or_else(|| attempt.untold(operation));
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
