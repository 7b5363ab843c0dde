//! What calls are signed with.
//!
//! Invariant: it has no `Debug` form.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;

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
pub(super) fn secret_value(text: &str) -> Result<HeaderValue, String> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_| "it has characters that no header may have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
