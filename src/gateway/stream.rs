//! A stream from provider to client.
//!
//! Invariants: until there is content nothing is sent, so another model may still be asked; from then on the client gets
//! this answer or an error event; the stream is read to its end or dropped by policy, and gives one account.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use tokio::time::Instant as Clock;

use super::body::{self, Line};
use super::call::{billed, called, left, lost, report, watched};
use super::estimate;
use super::operation::{Attempted, Client, Operation, Outcome, millis};
use crate::config::gateway::OnDisconnect;
use crate::providers::{CallError, Permit, Reply as Upstream, Target};
use crate::record::usage::Counted;
use crate::routing::Status;
use crate::session::{Called, Dispatch};
use crate::wire::{ApiError, Dialect, ErrorKind, Relay, StreamEnd, WireError};

/// Pieces that may wait for a slow client before the provider is no longer read.
const WAITING: usize = 32;
/// How often the ledger hears how far a long stream has come.
const PROGRESS: Duration = Duration::from_secs(2);

/// Which call this is.
pub(super) struct Leg<'a> {
    pub(super) dispatch: &'a Dispatch,
    pub(super) target: &'a Target,
    pub(super) dialect: Dialect,
    pub(super) started: Clock,
}

/// Why a stream came to nothing, or broke off.
enum Break {
    Call(CallError),
    Wire(WireError),
    Cut,
}

impl Break {
    fn status(&self) -> Status {
        match self {
            Self::Call(error) => error.status(),
            Self::Wire(WireError::Upstream(told)) => match Status::from_http(told.status) {
                Status::Ok => Status::ServerError,
                status => status,
            },
            Self::Wire(_) | Self::Cut => Status::ServerError,
        }
    }

    fn error(&self) -> ApiError {
        match self {
            Self::Call(error) => {
                let kind =
                    if error.status() == Status::Timeout { ErrorKind::Timeout } else { ErrorKind::Server };
                ApiError::new(kind, error.to_string())
            }
            Self::Wire(error) => error.to_api(),
            Self::Cut => ApiError::new(ErrorKind::Server, "the provider's stream broke off before its end"),
        }
    }
}

/// Relays a stream to its end.
pub(super) async fn relay(
    operation: &mut Operation,
    leg: Leg<'_>,
    permit: Permit,
    mut upstream: Upstream,
    client: &mut Option<Client>,
) -> Attempted {
    let mut relay = Relay::new(leg.dialect, &operation.ask);
    let mut out = BytesMut::new();
    let mut ttft = None;
    // Before there is content.
    let ended = loop {
        let Some(piece) = watched(operation, client, upstream.chunk()).await else {
            let told = Some((relay.usage(), 0));
            return left(operation, leg.dispatch, leg.target, permit, told);
        };
        match piece {
            Ok(Some(piece)) => {
                ttft.get_or_insert_with(|| millis(leg.started.elapsed()));
                if let Err(error) = relay.push(&piece, &mut out) {
                    break Err(Break::Wire(error));
                }
                if relay.has_content() {
                    break Ok(None);
                }
            }
            Ok(None) => match relay.finish(&mut out) {
                StreamEnd::Complete => break Ok(Some(StreamEnd::Complete)),
                StreamEnd::Cut => break Err(Break::Cut),
            },
            Err(error) => break Err(Break::Call(error)),
        }
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(why) if !relay.has_content() => {
            let usage = relay.usage().map(|counted| {
                let prompt = operation.ask.measures().estimated_prompt_tokens;
                estimate::complete(Some(counted), prompt, 0)
            });
            return lost(operation, leg.dispatch, leg.target, permit, why.status(), why.error(), usage);
        }
        // Content and trouble in one piece: the client gets both.
        Err(why) => {
            let line = commit(operation, leg.dispatch, client);
            return cut(operation, leg, permit, relay, out, line, ttft, &why).await;
        }
    };
    let mut line = commit(operation, leg.dispatch, client);
    hand(operation, &mut line, &mut out).await;
    if ended.is_none() {
        let mut told = Clock::now();
        let drains = operation.gateway.settings.on_disconnect == OnDisconnect::Drain;
        let broke = loop {
            if line.is_none() && !drains {
                drop(upstream);
                let delivered = delivered(leg.dispatch, &relay).await;
                return left(operation, leg.dispatch, leg.target, permit, Some((relay.usage(), delivered)));
            }
            let piece = match &line {
                Some(open) if !drains => tokio::select! {
                    biased;
                    piece = upstream.chunk() => piece,
                    () = open.closed() => {
                        line = None;
                        continue;
                    }
                },
                _ => upstream.chunk().await,
            };
            match piece {
                Ok(Some(piece)) => {
                    let pushed = relay.push(&piece, &mut out);
                    if let Err(error) = pushed {
                        break Some(Break::Wire(error));
                    }
                    hand(operation, &mut line, &mut out).await;
                    operation.delivered = relay.delivered_bytes().div_ceil(4);
                    if told.elapsed() >= PROGRESS {
                        told = Clock::now();
                        operation.record_progress();
                    }
                }
                Ok(None) => match relay.finish(&mut out) {
                    StreamEnd::Complete => break None,
                    StreamEnd::Cut => break Some(Break::Cut),
                },
                // A stream that is whole has lost nothing when its connection breaks.
                Err(_) if relay.is_complete() => {
                    relay.finish(&mut out);
                    break None;
                }
                Err(error) => break Some(Break::Call(error)),
            }
        };
        if let Some(why) = broke {
            return cut(operation, leg, permit, relay, out, line, ttft, &why).await;
        }
        hand(operation, &mut line, &mut out).await;
    }
    let (usage, write_ttl, estimated) = account(operation, &leg, &relay).await;
    report(operation, permit, Status::Ok, Some(&usage), None);
    Attempted {
        called: Called {
            usage,
            write_ttl,
            terms: relay.usage().map(|counted| counted.terms).unwrap_or_default(),
            estimated,
            billed: billed(operation, leg.dispatch, relay.model()),
            ttft_ms: ttft,
            ..called(leg.dispatch, leg.target)
        },
        outcome: Outcome::Streamed(line),
        retry: None,
    }
}

/// Answers the client: from here on it gets this stream. Gives the line to it, if it is still there.
fn commit(operation: &Operation, dispatch: &Dispatch, client: &mut Option<Client>) -> Option<Line> {
    let (line, reply) = body::line(WAITING);
    let mut response = Response::new(reply);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    operation.sign(headers, dispatch);
    client.take()?.send(response).ok()?;
    // The client knows the id from here on, and may judge what it reads.
    operation.gateway.served.note(&operation.id, operation.placed.seq, &dispatch.model, &operation.team);
    Some(line)
}

/// Hands the client what is there; a client that is gone, or takes nothing for too long, loses its line.
async fn hand(operation: &Operation, line: &mut Option<Line>, out: &mut BytesMut) {
    if out.is_empty() {
        return;
    }
    let piece = out.split().freeze();
    let patience = Duration::from_secs(operation.gateway.settings.limits.write_seconds);
    if let Some(open) = line
        && !open.hand(piece, patience).await
    {
        *line = None;
    }
}

/// Ends a stream that broke after the client had a part of it.
#[expect(clippy::too_many_arguments, reason = "all that is known of the stream ends here")]
async fn cut(
    operation: &Operation,
    leg: Leg<'_>,
    permit: Permit,
    mut relay: Relay,
    mut out: BytesMut,
    mut line: Option<Line>,
    ttft: Option<u32>,
    why: &Break,
) -> Attempted {
    let mut error = why.error();
    error.message = leg.target.redact(&error.message).into_owned();
    relay.fail(&error, &mut out);
    hand(operation, &mut line, &mut out).await;
    let (usage, write_ttl, _) = account(operation, &leg, &relay).await;
    report(operation, permit, why.status(), Some(&usage), Some(error.message.clone()));
    Attempted {
        called: Called {
            usage,
            write_ttl,
            terms: relay.usage().map(|counted| counted.terms).unwrap_or_default(),
            // What was counted before the break may have been revised by what is missing.
            estimated: true,
            billed: billed(operation, leg.dispatch, relay.model()),
            status: Status::Cut,
            error: error.message,
            ttft_ms: ttft,
            ..called(leg.dispatch, leg.target)
        },
        outcome: Outcome::Streamed(line),
        retry: None,
    }
}

/// Gives the tokens of a stream: as reported, else as estimated.
async fn account(
    operation: &Operation,
    leg: &Leg<'_>,
    relay: &Relay,
) -> (crate::pricing::Usage, crate::record::WriteTtl, bool) {
    let counted: Option<Counted> = relay.usage();
    let told = counted.is_some_and(|counted| counted.usage.output.is_known());
    let tokens = if told { 0 } else { delivered(leg.dispatch, relay).await };
    estimate::complete(counted, operation.ask.measures().estimated_prompt_tokens, tokens)
}

/// Counts the tokens that were delivered, where that holds nobody up.
async fn delivered(dispatch: &Dispatch, relay: &Relay) -> u64 {
    let (text, bytes) = (relay.delivered().to_owned(), relay.delivered_bytes());
    let kept = text.len() as u64;
    let model = Arc::clone(&dispatch.model);
    let counted = tokio::task::spawn_blocking(move || estimate::tokens(&model, &text)).await;
    let counted = counted.unwrap_or(kept.div_ceil(4));
    counted.saturating_add(bytes.saturating_sub(kept).div_ceil(4))
}
