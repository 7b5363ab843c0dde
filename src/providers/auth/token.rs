//! A token that a program prints or a file holds: as it is, or in the JSON that clouds' tools and servers write.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::super::wait;
use super::credential::{Credential, Fresh};

/// A token as Google and Azure write it; `expires_on` of Azure's tool is in seconds since 1970.
#[derive(Deserialize)]
struct Written {
    #[serde(alias = "accessToken", alias = "token")]
    access_token: SecretString,
    expires_in: Option<serde_json::Value>,
    expires_on: Option<serde_json::Value>,
}

/// Reads a token; one that does not say when it ends is good for `renew`.
pub(super) fn read(text: &SecretString, renew: Duration) -> Result<Fresh, String> {
    let text = text.expose_secret().trim();
    if !text.starts_with('{') {
        return Ok(Fresh { credential: Credential::token(text)?, life: Some(renew) });
    }
    let invalid = |_| "what is there is JSON, but holds no access_token".to_owned();
    let written: Written = serde_json::from_str(text).map_err(invalid)?;
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
        let fresh = read(&SecretString::from(text), Duration::from_secs(600)).ok()?;
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
