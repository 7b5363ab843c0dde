//! A policy that an operator sends, as a policy event of the log.
//!
//! Invariant: it is read as strictly as a policy file; what is wrong with it is told in one answer, and what may be wrong
//! goes with the answer that it is in force.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use super::body::Reply;
use super::respond::json;
use super::{Gateway, now};
use crate::access::Caller;
use crate::record::{self, Entry, PolicyChange, UnknownKey};
use crate::routing::PolicySpec;
use crate::session::Deed;
use crate::wire::ApiError;

/// What a body has to be.
const FORM: &str =
    "send one policy event, as LOG-FORMAT.md describes it (GET the same address gives the one in force)";

/// Brings it into force.
pub(super) fn apply(gateway: &Gateway, body: &Bytes, caller: &Caller) -> Result<Response<Reply>, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| ApiError::invalid("the body is not UTF-8"))?;
    let change = read(text).map_err(ApiError::invalid)?;
    let (version, before) = gateway.live.policy_spec();
    if change.version != version.saturating_add(1) {
        let message = format!(
            "the policy is at version {version}, yours follows version {}; look again and apply anew",
            change.version.saturating_sub(1)
        );
        return Err(ApiError::invalid(message).with_status(409));
    }
    let spec = &change.spec;
    // One that is in force already was not named by anybody: it is that of the strongest rung.
    if let Some(baseline) = spec.baseline.as_ref().filter(|_| spec.baseline != before.baseline)
        && gateway.live.book().find(baseline).is_none()
    {
        return Err(ApiError::invalid(format!(
            "baseline: there is no price for `{baseline}` in book {}, so nothing can be measured against it",
            gateway.live.book().name
        )));
    }
    if let Some(named) = spec.classifier.as_deref().filter(|named| !gateway.live.is_classifier(named)) {
        return Err(ApiError::invalid(format!(
            "classifier: the thresholds were fitted on {named}, and {} decides; fit them again, or leave `classifier` away",
            gateway.live.classifier_tag()
        )));
    }
    // Whoever may send a policy may not thereby run programs on this machine.
    let commands = |spec: &PolicySpec| -> Vec<Vec<String>> {
        let checks = spec.routes.iter().flat_map(|route| &route.checks);
        checks.map(|check| check.command.clone()).filter(|command| !command.is_empty()).collect()
    };
    let known = commands(&before);
    if commands(spec).iter().any(|command| !known.contains(command)) {
        return Err(ApiError::invalid(
            "routes: a check runs a program that the policy in force does not; programs come with the policy file, never over the network",
        ));
    }
    // A share that a rollout or an automation gave up comes back with it alone, as nobody else guards it.
    let canaries = |spec: &PolicySpec| -> Vec<_> {
        let routes = spec.routes.iter().filter_map(|route| Some((route.name.clone(), route.canary.clone()?)));
        routes.collect()
    };
    if change.undo && canaries(spec) != canaries(&before) {
        return Err(ApiError::invalid(
            "a rollout or an automation has changed what is in force since: its shares of sessions are not put back by an undo; \
             `pointsman rollout` and automations.toml move them",
        )
        .with_status(409));
    }
    let deed = if change.undo { Deed::Undo(&change.what) } else { Deed::Change(&change.what) };
    let applied =
        gateway.apply(spec, &caller.name, deed).map_err(|error| ApiError::invalid(error.to_string()))?;
    let doubts = doubts(gateway, spec);
    for doubt in &doubts {
        tracing::warn!(doubt, "policy applied");
    }
    let line = applied.line.trim_end();
    let warned = (!doubts.is_empty()).then(|| line.strip_suffix('}')).flatten();
    let answer = warned.map(|open| format!("{open},\"warnings\":{}}}\n", Value::from(doubts)));
    Ok(json(StatusCode::OK, answer.unwrap_or_else(|| applied.line.to_string())))
}

/// Reads the event, or says all that is wrong with it.
fn read(text: &str) -> Result<PolicyChange<'static>, String> {
    let Ok(mut event) = serde_json::from_str::<Map<String, Value>>(text) else {
        return read_line(text);
    };
    let mut faults: Vec<String> = record::unknown_policy_keys(text).iter().map(unknown).collect();
    // The gateway writes down the moment at which it comes into force, whatever is said here.
    event.insert("at".to_owned(), now().to_string().into());
    if event.get("version").is_none_or(Value::is_null) {
        faults.push("version: missing; it is one more than the version in force".to_owned());
        event.insert("version".to_owned(), 1.into());
    }
    let read = read_line(&Value::Object(event).to_string());
    match (read, faults.is_empty()) {
        (Ok(change), true) => Ok(change),
        (Ok(_), false) => Err(faults.join("\n")),
        (Err(fault), _) => {
            // It counts columns of a line that nobody wrote.
            let fault = fault.split(" (column ").next().unwrap_or_default().to_owned();
            faults.push(fault);
            Err(faults.join("\n"))
        }
    }
}

fn read_line(text: &str) -> Result<PolicyChange<'static>, String> {
    let (mut found, mut lines) = (None, 0);
    record::each_line(text, |_, entry| {
        lines += 1;
        found.get_or_insert_with(|| match entry {
            Ok(Entry::Policy(change)) => Ok(PolicyChange {
                who: "".into(),
                what: change.what.to_string().into(),
                under: record::Under::default(),
                spec: change.spec.clone(),
                ..*change
            }),
            Ok(_) => Err(FORM.to_owned()),
            Err(skip) => Err(skip.reason),
        });
    });
    if lines > 1 {
        return Err(format!("the body has {lines} lines; {FORM}"));
    }
    found.unwrap_or_else(|| Err(FORM.to_owned()))
}

fn unknown(UnknownKey { place, key, known }: &UnknownKey) -> String {
    let at = if place.is_empty() { String::new() } else { format!("{place}: ") };
    format!("{at}`{key}` is no key here; known are {}", known.join(", "))
}

/// Says what a policy names that nobody knows, or nothing is known to price.
fn doubts(gateway: &Gateway, spec: &PolicySpec) -> Vec<String> {
    let trouble = |model: &str| {
        if gateway.live.book().find(model).is_some() {
            return None;
        }
        Some(match gateway.providers.target(model) {
            Some(target) => {
                format!(
                    "provider {} may serve it, but it has no price: what it costs will be unknown",
                    target.provider()
                )
            }
            None => "no price book and no provider knows it".to_owned(),
        })
    };
    let mut doubts = Vec::new();
    for route in &spec.routes {
        for (at, rung) in route.ladder.iter().enumerate() {
            if let Some(trouble) = trouble(&rung.model) {
                doubts.push(format!("route.{}.ladder[{at}].model: `{}`: {trouble}", route.name, rung.model));
            }
        }
        let labels = |rung: &crate::routing::RungSpec| {
            let of_model = spec.models.iter().find(|(model, _)| *model == rung.model);
            let of_model = of_model.map(|(_, facts)| facts.labels.clone()).unwrap_or_default();
            [rung.facts.labels.clone(), of_model].concat()
        };
        for label in &route.require {
            if !route.ladder.iter().any(|rung| labels(rung).contains(label)) {
                doubts.push(format!(
                    "route.{}.require: no rung carries `{label}`, so all of it is refused",
                    route.name
                ));
            }
        }
    }
    for (model, _) in &spec.models {
        let is_rung = spec.routes.iter().flat_map(|route| &route.ladder).any(|rung| rung.model == *model);
        if let Some(trouble) = trouble(model).filter(|_| !is_rung) {
            doubts.push(format!("model.{model}: {trouble}"));
        }
    }
    doubts
}
