//! Alerts over HTTP: what fires, what was told, and what an operator does about it.

use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::Reply;
use super::respond::answer;
use super::{Gateway, now};
use crate::access::Caller;
use crate::alert::{Alert, Silence};
use crate::ledger::Delivery;
use crate::notify::Told;
use crate::units::{Instant, Span, members};
use crate::wire::ApiError;

/// What a body has to be.
const FORM: &str = "send {\"do\":\"ack\",\"id\":\"..\"}, {\"do\":\"silence\",\"rule\":\"budget\",\"scope\":\"teams/*\",\"for\":\"2h\"} or \
                    {\"do\":\"test\",\"receiver\":\"..\"}";
/// How long alerts may be silenced.
const LONGEST: Span = Span::days(366);

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
enum Deed {
    Ack {
        id: String,
    },
    Silence {
        #[serde(default)]
        rule: String,
        #[serde(default)]
        scope: String,
        #[serde(rename = "for")]
        span: Option<String>,
        until: Option<String>,
    },
    Test {
        receiver: String,
    },
}

members! {
    /// An alert as it is told.
    #[derive(Serialize, Deserialize)]
    pub struct AlertRow;
    /// Returns it as it is told.
    pub fn from(alert: &Alert) {}
    /// Which it is.
    pub id: String = alert.id.clone(),
    /// The rule that fires.
    pub rule: String = alert.rule.to_string(),
    source: String = alert.source.name().to_owned(),
    /// How grave it is.
    pub level: String = alert.level.name().to_owned(),
    scope: String = alert.scope.to_string(),
    threshold: String = alert.threshold.to_string(),
    window: Option<String> = (alert.window.0 != i64::MIN).then(|| alert.window.rfc3339()),
    /// When it fired.
    pub fired: String = alert.at.rfc3339(),
    /// When it was over.
    pub resolved: Option<String> = alert.resolved.map(Instant::rfc3339),
    /// Who took it on.
    pub acknowledged_by: Option<String> = alert.acked.clone(),
    /// Whether nobody is told.
    pub silenced: bool = alert.silenced,
    /// What is told.
    pub text: String = alert.words.clone(),
}

members! {
    /// How a receiver was told.
    #[derive(Serialize, Deserialize)]
    pub struct DeliveryRow;
    fn from(one: &Delivery) {}
    /// The alert.
    pub alert: String = one.alert.clone(),
    /// What was told of it.
    pub news: String = one.news.name().to_owned(),
    /// Who was told.
    pub receiver: String = one.receiver.to_string(),
    /// What became of it.
    pub state: String = one.state.name().to_owned(),
    /// How often it was tried.
    pub tries: u32 = one.tries,
    /// When.
    pub at: String = one.at.rfc3339(),
    /// What the receiver answered.
    pub answer: String = one.answer.clone(),
}

fn silence_row(silence: &Silence) -> Value {
    json!({ "rule": &*silence.rule.0, "scope": &*silence.scope.0, "until": silence.until.rfc3339(), "who": silence.who })
}

/// Answers what is known of alerts.
pub(super) fn list(gateway: &Gateway) -> Response<Reply> {
    let Told { alerts, deliveries, silences, receivers } = gateway.alerts.told();
    let receivers: Vec<Value> = (receivers.iter())
        .map(|(name, way, least)| json!({ "name": &**name, "kind": way, "least": least.name() }))
        .collect();
    answer(&json!({
        "schema": "pointsman.alerts/1",
        "at": now().rfc3339(),
        "alerts": alerts.iter().map(AlertRow::from).collect::<Vec<_>>(),
        "deliveries": deliveries.iter().map(DeliveryRow::from).collect::<Vec<_>>(),
        "silences": silences.iter().map(silence_row).collect::<Vec<_>>(),
        "receivers": receivers,
    }))
}

/// Does what an operator asks for.
pub(super) async fn act(
    gateway: &Gateway,
    body: &Bytes,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    let deed: Deed = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("not the expected JSON: {error}; {FORM}")))?;
    match deed {
        Deed::Ack { id } => {
            let alert = gateway.alerts.ack(&id, &caller.name).map_err(ApiError::invalid)?;
            Ok(answer(&json!(AlertRow::from(&alert))))
        }
        Deed::Silence { rule, scope, span, until } => {
            let until = match (span, until) {
                (Some(span), None) => Span::parse(&span).map(|span| now() + span),
                (None, Some(until)) => Instant::parse(&until).ok(),
                _ => None,
            };
            let ahead = until.filter(|until| *until > now() && *until <= now() + LONGEST);
            let Some(until) = ahead else {
                return Err(ApiError::invalid(
                    "say for how long, such as \"for\":\"2h\", or \"until\" a moment ahead; a year at most",
                ));
            };
            let silence = Told::silence(&rule, &scope, until, &caller.name);
            gateway.alerts.silence(silence.clone());
            Ok(answer(&silence_row(&silence)))
        }
        Deed::Test { receiver } => {
            let outcome = gateway.alerts.test(&receiver).await.map_err(ApiError::invalid)?;
            let told =
                json!({ "receiver": receiver, "delivered": outcome.delivered, "answer": outcome.answer });
            Ok(answer(&told))
        }
    }
}
