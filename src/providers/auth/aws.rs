//! AWS's keys, in the JSON that its tools print (`credential_process`) and that everything else is put into.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::credential::{Credential, Fresh};
use crate::units::Instant;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    access_key_id: String,
    secret_access_key: SecretString,
    #[serde(alias = "Token")]
    session_token: Option<SecretString>,
    expiration: Option<String>,
}

/// Reads keys, with how long they are good.
pub(super) fn read(text: &SecretString, now: Instant) -> Result<Fresh, String> {
    let invalid = |_| {
        "are no keys of AWS: write them as the JSON of `credential_process` (AccessKeyId, SecretAccessKey, SessionToken, \
         Expiration), as `aws configure export-credentials --format process` prints it"
            .to_owned()
    };
    let written: Written = serde_json::from_str(text.expose_secret().trim()).map_err(invalid)?;
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
