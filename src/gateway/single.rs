//! One call whose answer comes in one piece, from leave to account, whoever keeps the books of it.
//!
//! Invariant: a call that may have reached its provider is charged for, by estimate where nobody tells; what it wrote unseen is unknown.

use std::time::{Duration, Instant as Moment};

use http::HeaderMap;
use tokio::time::{Instant as Clock, timeout};

use super::account::{accent, billed, refused, written};
use super::estimate;
use super::pace::millis;
use super::unquoted::unquoted;
use crate::config::gateway::GatewaySettings;
use crate::pricing::{PriceBook, Usage};
use crate::providers::{Call, CallError, Outcome as Told, Permit, Providers, Target};
use crate::routing::{Parameters, Status};
use crate::session::Called;
use crate::wire::{self, Ask, Dialect, Sent};

/// The longest that one may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A call that may be made now.
pub(super) struct Ready<'a> {
    ask: &'a Ask,
    pub(super) target: Target,
    dialect: Dialect,
    sent: Sent,
    permit: Permit,
}

/// Why one may not, and how long until it may, where that is known.
pub(super) struct NotNow {
    pub(super) why: String,
    pub(super) wait: Option<Duration>,
}

impl From<String> for NotNow {
    fn from(why: String) -> Self {
        Self { why, wait: None }
    }
}

impl<'a> Ready<'a> {
    /// Finds who serves a model, writes the request for it, and asks for leave.
    pub(super) fn new(
        (providers, settings): (&Providers, &GatewaySettings),
        ask: &'a Ask,
        model: &str,
        with: &Parameters,
    ) -> Result<Self, NotNow> {
        let target = providers.target(model).ok_or_else(|| format!("no provider serves {model}"))?;
        let dialect = target.dialect_for(ask.dialect()).ok_or_else(|| {
            format!("{} cannot take requests in the form of {}", target.provider(), ask.dialect())
        })?;
        let sent = written(ask, with, (&target, dialect), settings.max_output_default, &HeaderMap::new())
            .map_err(|error| error.to_string())?;
        let tokens = ask.measures().estimated_prompt_tokens;
        let permit = providers.permit(&target, tokens, false, Moment::now());
        let permit = permit.map_err(|stands| NotNow { why: stands.why, wait: stands.retry_after })?;
        Ok(Self { ask, target: target.at_account(&permit), dialect, sent, permit })
    }

    /// Makes it, and says what came: the account, and the text where there was one. `hold` hears how much of the answer is
    /// held and says whether that may be.
    pub(super) async fn make(
        self,
        (providers, settings): (&Providers, &GatewaySettings),
        book: &PriceBook,
        mut hold: impl FnMut(usize) -> bool,
    ) -> (Called, Result<String, String>) {
        let Self { ask, target, dialect, sent, mut permit } = self;
        let tokens = ask.measures().estimated_prompt_tokens;
        let started = Clock::now();
        let sending = Call { dialect, body: sent.body, stream: false, headers: HeaderMap::new(), attempt: 0 };
        let came = timeout(PATIENCE, async {
            let reply = providers.send(&mut permit, sending).await?;
            let status = reply.status;
            Ok::<_, CallError>((status, reply.whole(settings.limits.answer, &mut hold).await?))
        });
        let mut called = Called {
            model: target.model().clone(),
            provider: target.provider().clone(),
            simulated: target.simulated(),
            left_out: sent.left_out.into_iter().map(Into::into).collect(),
            usage: Usage::NONE,
            ..Called::default()
        };
        let mut account = |counted, output: Option<u64>| {
            let (usage, write_ttl, estimated) = estimate::complete(counted, tokens, output);
            (called.usage, called.write_ttl, called.estimated) = (usage, write_ttl, estimated);
        };
        let text = match came.await {
            Err(_) => {
                account(None, None);
                called.status = Status::Timeout;
                Err("it took too long".to_owned())
            }
            Ok(Err(error)) => {
                if !error.is_untouched() {
                    account(None, None);
                }
                called.status = error.status();
                Err(error.to_string())
            }
            Ok(Ok((status, body))) if !(200..300).contains(&status) => {
                called.status = Status::from_http(status);
                Err(format!("{status}: {}", wire::read_error(dialect, status, &body).message))
            }
            Ok(Ok((_, body))) => {
                match wire::answer(dialect, &ask.put_to(dialect, accent(&target)), body.clone()) {
                    Ok(answer) => {
                        account(answer.usage, Some(answer.output_bytes.div_ceil(4)));
                        called.terms = answer.usage.map(|counted| counted.terms).unwrap_or_default();
                        if let Some(place) = target.place() {
                            called.terms.meter(place, 1);
                        }
                        called.billed = billed(book, &called.model, answer.model.as_deref());
                        wire::said(ask.dialect(), &answer.body)
                            .ok_or_else(|| "the answer has no text".to_owned())
                    }
                    Err(error) => {
                        let used = wire::used(dialect, &body);
                        if used.is_some() || refused(&error).is_none() {
                            account(used, None);
                        }
                        called.status = Status::ServerError;
                        Err(error.to_string())
                    }
                }
            }
        };
        called.latency_ms = Some(millis(started.elapsed()));
        if let Err(why) = &text {
            called.error = unquoted(&target.redact(why), ask.body()).into_owned();
        }
        let used =
            called.usage.prompt().zip(called.usage.output.get()).map(|(prompt, output)| prompt + output);
        let error = text.as_ref().err().cloned();
        providers.report(permit, &Told { status: called.status, tokens: used, error }, Moment::now());
        (called, text)
    }
}
