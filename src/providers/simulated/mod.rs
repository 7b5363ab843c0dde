//! The simulated provider: synthetic answers where no key is configured. It says so in every answer.
//!
//! Speaks OpenAI's chat and embeddings without a network. Invariant: length, delay, fault and text of an answer follow
//! from the seed, the request's bytes and the number of the try alone.

mod asked;
mod chat;
mod draws;
mod embeddings;
mod schema;
mod simulation;
mod tools;

use http::{HeaderValue, header};
use serde_json::Value;
use tokio::time::{Instant as Clock, sleep, timeout_at};

use super::call::Call;
use super::error::CallError;
use super::provider::Slot;
use super::reply::{Deadlines, Reply};
use crate::config::providers::SimulatedSpec;
use crate::wire::Dialect;
use draws::Draws;

pub(super) use simulation::Simulation;

/// Makes up an answer and waits for its head.
pub(super) async fn call(slot: &Slot, spec: &SimulatedSpec, call: Call) -> Result<Reply, CallError> {
    let to = slot.provider.to.clone();
    let Some(simulation) = simulate(&slot.upstream, spec, &call) else {
        return Err(CallError::Unsupported(to, call.dialect.name()));
    };
    let deadlines = Deadlines::new(slot.provider.spec.timeouts, call.stream, Clock::now());
    if !simulation.first.is_zero() && timeout_at(deadlines.head(), sleep(simulation.first)).await.is_err() {
        return Err(deadlines.missed_head(to));
    }
    Ok(Reply::simulated(simulation, to, deadlines))
}

/// Makes up an answer; `None` where it is asked for in a dialect that is not simulated.
fn simulate(model: &str, spec: &SimulatedSpec, call: &Call) -> Option<Simulation> {
    let draws = Draws::new(spec.seed, &call.body, call.attempt);
    let Ok(request @ Value::Object(_)) = serde_json::from_slice(&call.body) else {
        return Some(Simulation::invalid("invalid_json", "the body is no JSON object"));
    };
    if let Some(fault) = fault(spec, &draws) {
        return Some(fault);
    }
    match call.dialect {
        Dialect::OpenAiChat => Some(chat::answer(model, spec, &draws, &request)),
        Dialect::OpenAiEmbeddings => Some(embeddings::answer(model, spec, &draws, &request)),
        _ => None,
    }
}

fn fault(spec: &SimulatedSpec, draws: &Draws) -> Option<Simulation> {
    if draws.hits(spec.rate_limited, draws::RATE_LIMITED) {
        let mut fault =
            Simulation::error(429, "rate_limit_error", "rate_limit_exceeded", "too many requests for now");
        let seconds = 1 + draws.below(5, draws::RETRY_AFTER);
        fault.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Some(fault);
    }
    if draws.hits(spec.server_error, draws::SERVER_ERROR) {
        let status = if draws.below(2, draws::WHICH_ERROR) == 0 { 500 } else { 503 };
        return Some(Simulation::error(status, "server_error", "server_error", "the server failed"));
    }
    None
}

#[cfg(test)]
mod tests;
