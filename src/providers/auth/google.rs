//! A token that Google gives for a service account, or for a person who logged in with its tool.
//!
//! Invariant: the private key signs here and goes nowhere.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::super::error::safe;
use super::super::wait;
use super::credential::{self, Fresh};
use super::post::post;

/// What a token is asked for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Where one is asked for, where the file does not say.
const TOKENS: &str = "https://oauth2.googleapis.com/token";
/// How long what is signed holds, in seconds: the most that is taken.
const HOLDS: i64 = 3600;

/// The file of an account.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Account {
    ServiceAccount {
        client_email: String,
        private_key: SecretString,
        private_key_id: Option<String>,
        token_uri: Option<String>,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: SecretString,
        refresh_token: SecretString,
        token_uri: Option<String>,
    },
}

/// Says what is wrong with what is kept, as far as that can be told without asking.
pub(super) fn check(text: &SecretString) -> Result<(), String> {
    match read(text.expose_secret())? {
        Some(Account::ServiceAccount { private_key, .. }) => key(&private_key).map(drop),
        _ => Ok(()),
    }
}

/// Reads an account; `None` where it is no JSON, but a token.
fn read(text: &str) -> Result<Option<Account>, String> {
    if !text.trim_start().starts_with('{') || text.contains("\"access_token\"") || text.contains("\"token\"")
    {
        return Ok(None);
    }
    // What is wrong is told without what stands there.
    let invalid = |_| {
        "is no file of a service account (type, client_email, private_key) or of gcloud's application default login; \
         for other kinds have a program print a token: key = { command = [\"gcloud\", \"auth\", \"print-access-token\"] }"
            .to_owned()
    };
    serde_json::from_str(text).map(Some).map_err(invalid)
}

fn key(pem: &SecretString) -> Result<RsaKeyPair, String> {
    let invalid = |what: &str| format!("the private_key of the service account {what}");
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose_secret().as_bytes())
        .map_err(|_| invalid("is no PEM of a PRIVATE KEY"))?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| invalid("is no RSA key of 2048 to 4096 bits"))
}

/// Asks for a token.
pub(super) async fn ask(text: SecretString, renew: Duration, connect: Duration) -> Result<Fresh, String> {
    let Some(account) = read(text.expose_secret())? else { return credential::token(&text, renew) };
    let now = wait::wall().0 / 1_000_000;
    let (url, form) = match &account {
        Account::ServiceAccount { client_email, private_key, private_key_id, token_uri } => {
            let url = token_uri.as_deref().unwrap_or(TOKENS);
            let signed = assertion(client_email, private_key, private_key_id.as_deref(), url, now)?;
            let form = format!(
                "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={signed}"
            );
            (url, form)
        }
        Account::AuthorizedUser { client_id, client_secret, refresh_token, token_uri } => {
            let mut form = reqwest::Url::parse("form:").map_err(|_| String::new())?;
            form.query_pairs_mut()
                .append_pair("grant_type", "refresh_token")
                .append_pair("client_id", client_id)
                .append_pair("client_secret", client_secret.expose_secret())
                .append_pair("refresh_token", refresh_token.expose_secret());
            (token_uri.as_deref().unwrap_or(TOKENS), form.query().unwrap_or_default().to_owned())
        }
    };
    let (status, body) = post(url, form, connect).await?;
    let body = SecretString::from(String::from_utf8_lossy(&body).into_owned());
    if status != 200 {
        return Err(format!("no token was given: {status}{}", said(body.expose_secret())));
    }
    credential::token(&body, renew)
}

/// Returns what an error says of itself.
fn said(body: &str) -> String {
    let Ok(root) = serde_json::from_str::<serde_json::Value>(body) else { return String::new() };
    let text = |name| root.get(name).and_then(serde_json::Value::as_str).map(safe);
    let said = [text("error"), text("error_description")];
    said.into_iter().flatten().fold(String::new(), |all, one| format!("{all}, {one}"))
}

/// Signs who asks (RFC 7523).
fn assertion(
    email: &str,
    pem: &SecretString,
    key_id: Option<&str>,
    audience: &str,
    now: i64,
) -> Result<String, String> {
    let mut head = serde_json::json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(id) = key_id {
        head["kid"] = id.into();
    }
    let claims =
        serde_json::json!({ "iss": email, "scope": SCOPE, "aud": audience, "iat": now, "exp": now + HOLDS });
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&head), part(&claims));
    let key = key(pem)?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)
        .map_err(|_| "the private_key of the service account cannot sign".to_owned())?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
