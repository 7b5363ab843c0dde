//! Judgements of answers: which operation is meant, and whether the caller may judge it.
//!
//! Invariant: nobody judges what another team paid for.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;

use super::body::Reply;
use super::remembered::Judged;
use super::respond::answer;
use super::{Gateway, now};
use crate::access::Caller;
use crate::ledger::Label;
use crate::units::PerMille;
use crate::wire::{ApiError, ErrorKind};

#[derive(Deserialize)]
struct Feedback {
    operation: String,
    model: Option<String>,
    /// 0 to 1, or `true` and `false`.
    quality: Option<serde_json::Value>,
    good: Option<bool>,
}

/// The longest name of a model that is taken, in bytes.
const LONGEST: usize = 256;

fn wrong(param: &str, message: impl Into<String>) -> ApiError {
    ApiError::invalid(message).at(param)
}

fn read(body: &Bytes) -> Result<(Feedback, PerMille), ApiError> {
    let read: Feedback = serde_json::from_slice(body).map_err(|error| {
        let form = "send {\"operation\":\"op-…\",\"quality\":0.9}";
        ApiError::invalid(format!("not the expected JSON: {error}; {form}"))
    })?;
    let verdict = |good: bool| PerMille::clamped(if good { 1000 } else { 0 });
    let quality = match (&read.quality, read.good) {
        (Some(serde_json::Value::Bool(good)), _) => verdict(*good),
        (None, Some(good)) => verdict(good),
        (Some(serde_json::Value::Number(number)), None) => {
            let share = number.as_f64().filter(|share| (0.0..=1.0).contains(share));
            share
                .and_then(PerMille::from_probability)
                .ok_or_else(|| wrong("quality", format!("{number} is outside 0 to 1")))?
        }
        _ => return Err(wrong("quality", "give `quality` (0 to 1) or `good` (true or false)")),
    };
    if let Some(model) = &read.model
        && (model.is_empty() || model.len() > LONGEST || !model.chars().all(crate::units::is_safe))
    {
        return Err(wrong("model", "this is no name of a model"));
    }
    Ok((read, quality))
}

/// Takes a judgement.
pub(super) async fn take(
    gateway: &Arc<Gateway>,
    body: &Bytes,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    let (read, quality) = read(body)?;
    let judged = match gateway.served.find(&read.operation) {
        Some(judged) => Some(judged),
        None => from_ledger(gateway, &read.operation).await,
    };
    let Some(judged) = judged.filter(|judged| caller.owns(&judged.team, &judged.key)) else {
        let message = "no such operation is known (its id is in the header pointsman-operation)";
        return Err(ApiError::new(ErrorKind::NotFound, message).coded("operation_not_found").at("operation"));
    };
    let model: Arc<str> = read.model.map_or(judged.model, Into::into);
    if model.is_empty() {
        return Err(wrong("operation", "no model answered it, so there is no answer to judge"));
    }
    let source = format!("feedback by {}", caller.name).into();
    let (seq, quality) = (judged.seq, Some(quality));
    gateway.label(
        &read.operation,
        Label { seq, model: Arc::clone(&model), quality, output: None, source, at: now() },
    );
    let share = quality.map(|quality| f64::from(quality.get()) / 1000.0);
    Ok(answer(&serde_json::json!({ "operation": read.operation, "model": &*model, "quality": share })))
}

/// Looks for an operation that was served too long ago to be remembered.
async fn from_ledger(gateway: &Arc<Gateway>, id: &str) -> Option<Judged> {
    let id = id.to_owned();
    let found = gateway.look_up("an operation to judge", move |file| file.served(&id)).await??;
    Some(Judged {
        seq: gateway.ledger.number_of(found.seq),
        model: found.model.into(),
        team: found.team.into(),
        key: found.key.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judgements_are_shares_or_verdicts() {
        let of =
            |text: &'static str| read(&Bytes::from_static(text.as_bytes())).map(|(_, quality)| quality.get());
        for (text, quality) in [
            (r#"{"operation":"a","quality":0.25}"#, 250),
            (r#"{"operation":"a","quality":1}"#, 1000),
            (r#"{"operation":"a","quality":false}"#, 0),
            (r#"{"operation":"a","good":true}"#, 1000),
        ] {
            assert_eq!(of(text).unwrap(), quality, "{text}");
        }
        for text in [
            r#"{"operation":"a"}"#,
            r#"{"operation":"a","quality":1.01}"#,
            r#"{"operation":"a","quality":"good"}"#,
            r#"{"operation":"a","good":true,"model":"a\u001bb"}"#,
            r#"{"quality":1}"#,
        ] {
            assert!(of(text).is_err(), "{text}");
        }
    }
}
