//! Charges that an operator sets right: what the provider's bill says, or a report of usage that came late.
//!
//! Invariants: all of a body is taken or nothing of it; what was charged stays in the ledger, the correction stands beside it;
//! each is audited.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value, json};

use super::body::Reply;
use super::respond::answer;
use super::{Gateway, now};
use crate::access::Caller;
use crate::ledger::{self, ChargedCalls};
use crate::pricing::Cost;
use crate::record::{self, Correction, Entry};
use crate::units::{Instant, Pico};
use crate::wire::{ApiError, ErrorKind};

/// The most of them in one body.
const MOST: usize = 10_000;

const FORM: &str = "send correction events, one object a line: \
     {\"id\":\"op-…\",\"call\":1,\"charged\":\"0.0124\",\"source\":\"bill of May\"}";

/// Takes them.
pub(super) async fn take(
    gateway: &Arc<Gateway>,
    body: &Bytes,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    let text = std::str::from_utf8(body).map_err(|_| ApiError::invalid("the body is not UTF-8"))?;
    let told = read(text, now()).map_err(ApiError::invalid)?;
    let ids: Vec<String> = told.iter().map(|one| one.id.to_string()).collect();
    let known = calls(gateway, ids).await;
    let (mut all, mut latest) = (Vec::with_capacity(told.len()), FxHashMap::default());
    for (line, (correction, known)) in (1..).zip(told.into_iter().zip(known)) {
        let mut one = placed(gateway, correction, known)
            .map_err(|error| ApiError { message: format!("line {line}: {}", error.message), ..error })?;
        // What the same body corrected stood there last.
        one.before = latest.insert((one.seq, one.told.call), one.cost).or(one.before);
        all.push(one);
    }
    let mut corrected = Vec::with_capacity(all.len());
    for one in all {
        corrected.push(one.written());
        one.apply(gateway, caller);
    }
    Ok(answer(&json!({ "corrected": corrected })))
}

/// Reads the lines of a body; `at` is the moment of the first, each next one is a microsecond later.
fn read(text: &str, at: Instant) -> Result<Vec<Correction<'static>>, String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() {
        return Err(format!("the body is empty; {FORM}"));
    }
    if lines.len() > MOST {
        return Err(format!("{} corrections; send at most {MOST} at once", lines.len()));
    }
    let read = |(place, line): (i64, &&str)| {
        let mut event: Map<String, Value> = serde_json::from_str(line)
            .map_err(|error| format!("line {}: not the expected JSON: {error}; {FORM}", place + 1))?;
        if event.get("event").is_some_and(|event| event != "correction") {
            return Err(format!("line {}: no correction; {FORM}", place + 1));
        }
        event.insert("event".to_owned(), "correction".into());
        event.insert("at".to_owned(), Instant(at.0.saturating_add(place)).to_string().into());
        let mut found = Err(FORM.to_owned());
        record::each_line(&Value::Object(event).to_string(), |_, entry| {
            found = match entry {
                Ok(Entry::Correction(correction)) => Ok(correction.into_owned()),
                Ok(_) => Err(FORM.to_owned()),
                // It counts columns of a line that nobody wrote.
                Err(skip) => Err(skip.reason.split(" (column ").next().unwrap_or_default().to_owned()),
            };
        });
        found.map_err(|problem| format!("line {}: {problem}", place + 1))
    };
    (0..).zip(&lines).map(read).collect()
}

/// Looks up what was charged for each request; `None` where the ledger does not know it.
async fn calls(gateway: &Gateway, ids: Vec<String>) -> Vec<Option<ChargedCalls>> {
    // What was answered a moment ago may still be on its way there.
    let _ = gateway.ledger.commit().await;
    let count = ids.len();
    let found = gateway.look_up("charges to correct", move |file| file.charged(&ids)).await;
    found.unwrap_or_else(|| vec![None; count])
}

/// A correction, and the operation that it is about.
struct Placed {
    told: Correction<'static>,
    seq: u64,
    cost: Cost,
    /// What was charged before it; none where the ledger does not say.
    before: Option<Cost>,
}

fn placed(
    gateway: &Gateway,
    mut told: Correction<'static>,
    known: Option<ChargedCalls>,
) -> Result<Placed, ApiError> {
    let cost = told.charged.cost().ok_or_else(|| ApiError::invalid(FORM))?;
    if cost.amount().is_some_and(|amount| amount < Pico::ZERO) {
        return Err(ApiError::invalid("charged: is negative"));
    }
    let Some(known) = known else {
        let Some(served) = gateway.served.find(&told.id) else {
            let message = "no such operation is known (its id is in the header pointsman-operation)";
            return Err(ApiError::new(ErrorKind::NotFound, message).coded("operation_not_found").at("id"));
        };
        return Ok(Placed { seq: served.seq, told, cost, before: None });
    };
    let last = u32::try_from(known.charges.len()).unwrap_or(u32::MAX);
    let call = *told.call.get_or_insert(last.max(1));
    let Some(before) = known.charges.get(call as usize - 1) else {
        return Err(ApiError::invalid(format!(
            "call: {call}; {} has {}",
            told.id,
            crate::units::counted(last.into(), "call")
        )));
    };
    Ok(Placed { seq: gateway.ledger.number_of(known.seq), told, cost, before: *before })
}

/// Returns a cost as people read it: an amount, or why there is none.
fn words(cost: Cost) -> String {
    match cost {
        Cost::Known(amount) => amount.usd(),
        Cost::Estimated(amount) => format!("{} estimated", amount.usd()),
        Cost::Unknown(why) => format!("unknown: {}", why.name()),
    }
}

impl Placed {
    fn written(&self) -> Value {
        json!({
            "id": self.told.id,
            "call": self.told.call,
            "before": self.before.map(words),
            "charged": words(self.cost),
        })
    }

    /// Tells readers of the log, the ledger and the audit.
    fn apply(self, gateway: &Gateway, caller: &Caller) {
        let Self { mut told, seq, cost, before } = self;
        if told.source.is_empty() {
            told.source = format!("correction by {}", caller.name).into();
        }
        let call = told.call.map_or_else(|| "last call".to_owned(), |call| format!("call {call}"));
        let what = format!("corrected {} of {} ({})", call, told.id, told.source);
        let before = before.map_or_else(String::new, words);
        gateway.audit(told.at, &caller.name, &what, (&before, &words(cost)));
        gateway.ledger.record(ledger::Entry::Correction(Box::new(ledger::Correction {
            seq,
            n: told.call.map(|call| call - 1),
            cost,
            source: (&*told.source).into(),
            at: told.at,
        })));
        gateway.live.correct(&told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_line_by_line_and_each_fault_says_where() {
        let at = Instant(5);
        let good = "{\"id\":\"a\",\"charged\":\"1\"}\n\n{\"event\":\"correction\",\"id\":\"b\",\"call\":2,\"charged_as\":\"no_usage\"}";
        let read_of = read(good, at).unwrap();
        assert_eq!(
            read_of.iter().map(|one| (one.at.0, one.call)).collect::<Vec<_>>(),
            [(5, None), (6, Some(2))]
        );
        for (body, told) in [
            ("", "empty"),
            ("[]", "line 1: not the expected JSON"),
            ("{\"id\":\"a\",\"charged\":\"1\"}\n{\"id\":\"a\"}", "line 2: charged: missing"),
            ("{\"charged\":\"1\"}", "line 1: id: missing"),
            ("{\"event\":\"label\",\"id\":\"a\",\"charged\":\"1\"}", "line 1: no correction"),
            ("{\"id\":\"a\",\"charged\":\"ten\"}", "line 1: charged"),
            ("{\"id\":\"a\",\"call\":0,\"charged\":\"1\"}", "count from 1"),
        ] {
            let fault = read(body, at).unwrap_err();
            assert!(fault.contains(told), "{body}: {fault}");
        }
    }
}
