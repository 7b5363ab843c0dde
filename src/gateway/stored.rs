//! Answers that a provider keeps: whose they are, and how they are fetched, cancelled and deleted there.
//!
//! Invariants: fetching is no call: it costs nothing, and neither ledger nor log hears of it; nobody gets what another team
//! paid for; what no provider keeps is refused in words, never invented.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, Method, Response, StatusCode};

use super::body::Reply;
use super::gate::InFlight;
use super::keeper::{self, Watch, is_id};
use super::paths::decoded;
use super::respond::json;
use super::{Gateway, background, run};
use crate::access::Caller;
use crate::ledger::Kept;
use crate::providers::{CallError, Told};
use crate::units::marked;
use crate::wire::{ApiError, Ask, Dialect, ErrorKind, read_error};

/// The parameters of a query that go along; streaming is none of them.
const PARAMETERS: [&str; 7] = ["include", "include[]", "include%5B%5D", "limit", "order", "after", "before"];

/// Runs a request for OpenAI's responses: what it leans on has to be there, and where its answer is kept is remembered.
pub(super) async fn run(
    gateway: &Arc<Gateway>,
    ask: Ask,
    pinned: bool,
    headers: HeaderMap,
    caller: &Caller,
    place: InFlight,
) -> Result<Response<Reply>, ApiError> {
    check(gateway, &ask, pinned, caller).await?;
    let team = gateway.tags(&headers, caller, None).team;
    let is_stored = !ask.keeps_nothing();
    let waits = ask.wants_background() && !ask.stream();
    let conversation = ask.conversation().filter(|id| is_id(id)).map(Cow::into_owned);
    // What it names of others' is not its own.
    let asked = (is_stored && ask.kept_items().is_empty()).then(|| ask.body().clone());
    let operation = run::run(gateway, ask, pinned, headers, caller, place);
    let mut response = if waits { background::run(operation).await? } else { operation.await? };
    if response.status() == StatusCode::OK
        && let Some(watch) = Watch::over(gateway, response.headers(), (&team, &caller.name), is_stored)
    {
        // What was asked is kept by its items, too.
        if let Some(asked) = asked {
            watch.clone().items(&asked);
        }
        // Whoever speaks in a conversation first is whose it is.
        if let Some(id) = conversation
            && keeper::find(gateway, &id).await.is_none()
        {
            watch.owns(&id);
        }
        response.extensions_mut().insert(watch);
    }
    Ok(response)
}

/// Refuses what nobody could do for this request: to go on from an answer that is kept elsewhere or nowhere, or to keep one
/// where that is not done.
pub(super) async fn check(
    gateway: &Arc<Gateway>,
    ask: &Ask,
    pinned: bool,
    caller: &Caller,
) -> Result<(), ApiError> {
    let items = if caller.sees_all() { Vec::new() } else { ask.kept_items() };
    for id in items.iter().filter(|id| is_id(id)) {
        if let Some(kept) = keeper::find(gateway, id).await
            && !caller.owns(&kept.team, &kept.key)
        {
            let message = format!("input: no item {id} of your team is known here");
            return Err(ApiError::invalid(message).at("input"));
        }
    }
    let Some((member, earlier)) = ask.leans_on() else { return Ok(()) };
    let invalid = |message: String| Err(ApiError::invalid(message).at(member));
    if let Some(id) = ask.conversation().filter(|id| is_id(id))
        && let Some(kept) = keeper::find(gateway, &id).await
        && !caller.owns(&kept.team, &kept.key)
    {
        return invalid(format!("{member}: no conversation {id} of your team is known here"));
    }
    let kept = match earlier.as_deref().filter(|id| is_id(id)) {
        Some(id) => keeper::find(gateway, id).await.map(|kept| (id, kept)),
        None => None,
    };
    if let Some((id, kept)) = &kept {
        if !caller.owns(&kept.team, &kept.key) {
            return invalid(format!("{member}: no response {id} of your team is known here"));
        }
        if kept.provider.is_none() {
            return invalid(format!("{member}: {}", nowhere(id, kept)));
        }
    }
    let Some(target) = gateway.providers.target(ask.model()).filter(|_| pinned) else { return Ok(()) };
    let provider = target.provider();
    if target.simulated() {
        return invalid(format!(
            "{member}: answers of {} are simulated for want of a key, and nothing of them is kept; leave it out",
            ask.model()
        ));
    }
    if target.dialect_for(Dialect::OpenAiResponses) != Some(Dialect::OpenAiResponses) {
        return invalid(format!(
            "{member}: {} is served by {provider}, which is asked by translation, answers at once and keeps nothing; \
             leave it out, or ask for a model of a provider of OpenAI's responses",
            ask.model()
        ));
    }
    match kept {
        Some((id, Kept { provider: Some(keeper), .. })) if keeper != *provider => invalid(format!(
            "{member}: {id} is kept by {keeper}, and {} is served by {provider}",
            ask.model()
        )),
        _ => Ok(()),
    }
}

fn nowhere(id: &str, kept: &Kept) -> String {
    format!(
        "the response {id} is kept nowhere: {} was asked by translation, after another call had begun to answer, or made it \
         up, and only a provider of OpenAI's responses keeps them",
        kept.model
    )
}

/// Answers a request for something that a provider keeps.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    name: &str,
    method: &Method,
    query: Option<&str>,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    let (id, what) = name.split_once('/').unwrap_or((name, ""));
    let id = decoded(id);
    if !is_id(&id) {
        return Err(absent(&format!("`{}` is no id of a response", marked(&id))));
    }
    if query.is_some_and(|query| query.split('&').any(|pair| pair == "stream=true")) {
        let message = "stream: what a provider keeps is given whole; leave it out";
        return Err(ApiError::invalid(message).at("stream"));
    }
    let keepers = keepers(gateway, &id, caller).await?;
    let query = passed(query);
    let mut last = None;
    for provider in keepers {
        let mut held = gateway.budget.hold();
        let hold = &mut |size| held.follow(size);
        // Once it is deleted nobody can tell any more what it cost.
        if *method == Method::DELETE && gateway.awaited.contains(&id) {
            let told = gateway.providers.stored(&provider, &Method::GET, &id, "", None, hold).await;
            if let Ok(told) = told
                && told.status == 200
            {
                gateway.awaited.bring(&id, held.tie(told.body));
            }
        }
        let mut held = gateway.budget.hold();
        let hold = &mut |size| held.follow(size);
        let told = gateway.providers.stored(&provider, method, &id, what, query.as_deref(), hold).await;
        match told.map(|told| Told { body: held.tie(told.body), ..told }) {
            Ok(told) if told.status == 404 => last = Some((provider, told)),
            Ok(told) => {
                // Whose an answer is, his are the items that are told of it.
                if told.status == 200
                    && let Some(kept) = keeper::find(gateway, &id).await
                {
                    Watch::of(gateway, kept).items(&told.body);
                }
                return forward(gateway, &provider, told);
            }
            Err(CallError::NoRoom { .. }) => return Err(gateway.budget.full()),
            Err(error) => {
                let message = gateway.providers.redact(&provider, &error.to_string());
                return Err(ApiError::new(ErrorKind::Server, message));
            }
        }
    }
    match last {
        Some((provider, told)) => forward(gateway, &provider, told),
        None => Err(absent("no provider here keeps answers (one with `responses = true` and a key would)")),
    }
}

/// Lists the providers that may have it: the one that is known to, else all that keep answers.
async fn keepers(gateway: &Arc<Gateway>, id: &str, caller: &Caller) -> Result<Vec<Arc<str>>, ApiError> {
    let Some(kept) = keeper::find(gateway, id).await else {
        // Whose it is cannot be told any more: where there are teams it may be another's.
        if !caller.sees_all() && (!caller.team.is_empty() || gateway.access.has_teams()) {
            let why = if gateway.keeps_ledger {
                "it is too long ago, was not to be kept, or was not made here"
            } else {
                "it is too long ago, or was before the gateway's last start, and no ledger is kept"
            };
            return Err(absent(&format!("no response {id} of your team is known here: {why}")));
        }
        return Ok(gateway.providers.keepers());
    };
    if !caller.owns(&kept.team, &kept.key) {
        return Err(absent(&format!("no response {id} of your team is known here")));
    }
    match &kept.provider {
        Some(provider) => Ok(vec![Arc::clone(provider)]),
        None => Err(absent(&nowhere(id, &kept))),
    }
}

fn absent(message: &str) -> ApiError {
    ApiError::new(ErrorKind::NotFound, message).coded("response_not_found")
}

/// Returns those parameters of a query that go along.
fn passed(query: Option<&str>) -> Option<String> {
    let known = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        PARAMETERS.contains(&name)
    };
    let kept: Vec<&str> = query?.split('&').filter(known).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

/// Forwards what the provider answered.
fn forward(gateway: &Gateway, provider: &str, told: Told) -> Result<Response<Reply>, ApiError> {
    if (200..300).contains(&told.status) {
        let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::OK);
        return Ok(json(status, told.body));
    }
    let mut error = read_error(Dialect::OpenAiResponses, told.status, &told.body);
    error.message = gateway.providers.redact(provider, &error.message);
    // What the provider thinks of our key is none of the client's doing.
    if matches!(told.status, 401..=403) || told.status < 400 {
        let message = format!("{provider} refused: {}", error.message);
        return Err(ApiError::new(ErrorKind::Server, message));
    }
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_goes_along_of_a_query() {
        assert_eq!(passed(Some("limit=2&key=pm_x&after=a%2Fb&x")).as_deref(), Some("limit=2&after=a%2Fb"));
        assert_eq!(passed(Some("key=pm_x")), None);
        assert_eq!(passed(None), None);
    }
}
