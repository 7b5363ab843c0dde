//! The gate that every request comes through: whose it is, whether there is room for it, and whether its model is served.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::HeaderMap;

use super::{Gateway, now};
use crate::access::{Caller, Denied, Scope};
use crate::config::gateway::WhenFailing;
use crate::routing::AUTO;
use crate::wire::{ApiError, ErrorKind};

/// Counts a request as in flight until it is over.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Gateway>);

impl InFlight {
    /// Takes a place; none where all are taken.
    pub(super) fn take(gateway: &Arc<Gateway>) -> Option<Self> {
        let most = gateway.settings.limits.requests;
        let taken = gateway.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(gateway));
        (taken < most).then_some(place)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Lets a caller in: by key, or as the local operator where no key was ever made. `named` says that the operator named the
/// origin of the page that it comes from.
pub(super) fn admit(
    gateway: &Gateway,
    headers: &HeaderMap,
    needs: &[Scope],
    named: bool,
) -> Result<Caller, ApiError> {
    let denied = |denied: Denied| {
        if denied.is_forbidden() {
            return ApiError::new(ErrorKind::Permission, denied.to_string());
        }
        ApiError::new(ErrorKind::Authentication, denied.to_string()).coded("invalid_api_key")
    };
    let caller = gateway.access.admit(headers, named, now()).map_err(denied)?;
    // Where none is enough, the first is named.
    let may = needs.iter().map(|scope| caller.may(*scope)).min_by_key(Result::is_err);
    may.unwrap_or(Ok(())).map_err(denied)?;
    Ok(caller)
}

/// Returns a request its place in flight, unless the gateway is about to end, is full, or may spend nothing.
pub(super) fn let_in(gateway: &Arc<Gateway>) -> Result<InFlight, ApiError> {
    let place = InFlight::take(gateway).ok_or_else(|| all_taken(gateway))?;
    may_enter(gateway)?;
    Ok(place)
}

/// Refuses a request that would not be let in now.
pub(super) fn may_enter(gateway: &Gateway) -> Result<(), ApiError> {
    if gateway.is_draining() {
        return Err(ending());
    }
    gateway.budget.note_beside(gateway.held_beside());
    if !gateway.budget.has_room(0) {
        return Err(gateway.budget.full());
    }
    if gateway.in_flight() > gateway.settings.limits.requests {
        return Err(all_taken(gateway));
    }
    let needs_ledger = gateway.settings.ledger.when_failing == WhenFailing::Refuse;
    if needs_ledger && gateway.ledger.is_failing() {
        return Err(not_now("the ledger cannot be written, so nothing is spent".to_owned()));
    }
    Ok(())
}

/// Says that the gateway takes nothing in any more.
pub(super) fn ending() -> ApiError {
    not_now("the gateway is about to stop; try again shortly".to_owned())
}

fn all_taken(gateway: &Gateway) -> ApiError {
    let most = gateway.settings.limits.requests;
    not_now(format!("{most} requests are in flight already (limits.requests in gateway.toml)"))
}

fn not_now(message: String) -> ApiError {
    ApiError::new(ErrorKind::Overloaded, message).again_after(1000)
}

/// Says whether the client chose its model; an error where nobody serves it and no route has a ladder for such requests.
pub(super) fn pinned(gateway: &Gateway, model: &str) -> Result<bool, ApiError> {
    if model == AUTO {
        return Ok(false);
    }
    if let Some(route) = model.strip_prefix(AUTO).and_then(|rest| rest.strip_prefix('/')) {
        if gateway.live.has_route(route) {
            return Ok(false);
        }
        let (_, names) = gateway.live.offered();
        return Err(unknown(format!("there is no route `{route}`; ask for one of {}", names.join(", "))));
    }
    if !gateway.live.is_choice(model) {
        return Ok(false);
    }
    if gateway.providers.target(model).is_none() && !gateway.live.routes_named() {
        return Err(nobody_serves(model));
    }
    Ok(true)
}

pub(super) fn nobody_serves(model: &str) -> ApiError {
    unknown(format!("no provider serves `{model}`; ask for `auto`, or add the model to providers.toml"))
}

pub(super) fn unknown(message: String) -> ApiError {
    ApiError::new(ErrorKind::NotFound, message).coded("model_not_found").at("model")
}
