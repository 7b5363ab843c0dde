//! What calls are signed with, and how it is read.
//!
//! Invariant: it has no `Debug` form.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::super::wait;
use crate::units::Instant;

/// What calls are signed with for a while.
pub(in crate::providers) struct Credential {
    /// The name of AWS's key; empty for a token.
    pub(super) id: String,
    pub(super) secret: SecretString,
    pub(super) session: Option<SecretString>,
    /// A token as its header has it.
    pub(super) value: Option<HeaderValue>,
    /// Whether a call with it was answered.
    pub(super) has_served: AtomicBool,
}

/// What was asked for.
pub(super) struct Fresh {
    pub(super) credential: Credential,
    /// How long it is good; `None` where it does not end.
    pub(super) life: Option<Duration>,
}

impl Credential {
    pub(super) fn token(text: &str) -> Result<Self, String> {
        Ok(Self {
            id: String::new(),
            secret: SecretString::from(text),
            session: None,
            value: Some(secret_value(&format!("Bearer {text}"))?),
            has_served: AtomicBool::new(false),
        })
    }
}

/// Returns the value of a header that stands in no `Debug` form.
pub(in crate::providers) fn secret_value(text: &str) -> Result<HeaderValue, String> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_| "it has characters that no header may have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// AWS's keys in the JSON that its tools print (`credential_process`) and that everything else is put into.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenKeys {
    access_key_id: String,
    secret_access_key: SecretString,
    #[serde(alias = "Token")]
    session_token: Option<SecretString>,
    expiration: Option<String>,
}

/// Reads AWS's keys, with how long they are good.
pub(super) fn aws_keys(text: &SecretString, now: Instant) -> Result<Fresh, String> {
    let invalid = |_| {
        "are no keys of AWS: write them as the JSON of `credential_process` (AccessKeyId, SecretAccessKey, SessionToken, \
         Expiration), as `aws configure export-credentials --format process` prints it"
            .to_owned()
    };
    let written: WrittenKeys = serde_json::from_str(text.expose_secret().trim()).map_err(invalid)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric();
    if written.access_key_id.is_empty() || !written.access_key_id.chars().all(is_plain) {
        return Err(
            "the name of AWS's key (AccessKeyId) has other characters than letters and digits".to_owned()
        );
    }
    let until = match written.expiration.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Some(Instant::parse(text).map_err(|_| "their Expiration is no moment".to_owned())?),
        None => None,
    };
    let life = until.map(|until| Duration::from_micros(u64::try_from((until - now).0).unwrap_or(0)));
    let credential = Credential {
        id: written.access_key_id,
        secret: written.secret_access_key,
        session: written.session_token.filter(|token| !token.expose_secret().is_empty()),
        value: None,
        has_served: AtomicBool::new(false),
    };
    Ok(Fresh { credential, life })
}

/// A token as Google and Azure write it; `expires_on` of Azure's tool is in seconds since 1970.
#[derive(Deserialize)]
struct WrittenToken {
    #[serde(alias = "accessToken", alias = "token")]
    access_token: SecretString,
    expires_in: Option<serde_json::Value>,
    expires_on: Option<serde_json::Value>,
}

/// Reads a token that a program prints or a file holds, as it is or in the JSON of clouds' tools; one that does not say when it ends is good for `renew`.
pub(super) fn token(text: &SecretString, renew: Duration) -> Result<Fresh, String> {
    let text = text.expose_secret().trim();
    if !text.starts_with('{') {
        return Ok(Fresh { credential: Credential::token(text)?, life: Some(renew) });
    }
    let invalid = |_| "what is there is JSON, but holds no access_token".to_owned();
    let written: WrittenToken = serde_json::from_str(text).map_err(invalid)?;
    let left = written.expires_in.as_ref().and_then(seconds);
    let until = written.expires_on.as_ref().and_then(seconds);
    let now = u64::try_from(wait::wall().0 / 1_000_000).unwrap_or(0);
    let life = left.or(until.map(|until| until.saturating_sub(now))).map(Duration::from_secs);
    let credential = Credential::token(written.access_token.expose_secret())?;
    Ok(Fresh { credential, life: Some(life.unwrap_or(renew)) })
}

/// Reads a number of seconds, also one in quotes.
fn seconds(value: &serde_json::Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(text: &str) -> Option<u64> {
        let fresh = token(&SecretString::from(text), Duration::from_secs(600)).ok()?;
        assert_eq!(fresh.credential.secret.expose_secret(), "tok");
        fresh.life.map(|life| life.as_secs())
    }

    #[test]
    fn tokens_are_read_as_the_clouds_tools_write_them() {
        assert_eq!(life("tok\n"), Some(600));
        assert_eq!(life(r#"{"access_token":"tok","expires_in":3599,"token_type":"Bearer"}"#), Some(3599));
        assert_eq!(life(r#"{"access_token":"tok","expires_in":"3599"}"#), Some(3599));
        assert_eq!(life(r#"{"token":"tok"}"#), Some(600));
        let azure = r#"{"accessToken":"tok","expiresOn":"2020-01-01 00:00:00","expires_on":1577836800}"#;
        assert_eq!(life(azure), Some(0), "it ended long ago");
        for none in ["{", "{}", r#"{"access_token":1}"#, "two\nlines"] {
            assert_eq!(life(none), None, "{none}");
        }
    }
}
