//! AWS's signature of a call (Signature Version 4).
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::fmt::Write as _;

use http::HeaderValue;
use reqwest::{Request, Url};
use ring::{digest, hmac};
use secrecy::ExposeSecret as _;

use super::credential::{Credential, secret_value};
use crate::units::{Instant, hex};

/// The headers that are signed, in order, besides those of AWS's own.
const SIGNED: [&str; 2] = ["content-type", "host"];

/// Signs a call: adds its time, its session and its signature.
pub(super) fn sign(
    request: &mut Request,
    credential: &Credential,
    region: &str,
    service: &str,
    now: Instant,
) -> Result<(), String> {
    let time = compact(now);
    let value = |text: &str| {
        HeaderValue::from_str(text).map_err(|_| "it has a sign that no header may have".to_owned())
    };
    request.headers_mut().insert("x-amz-date", value(&time)?);
    if let Some(session) = &credential.session {
        request.headers_mut().insert("x-amz-security-token", secret_value(session.expose_secret())?);
    }
    let host = host(request.url());
    let mut headers: Vec<(&str, &str)> = Vec::new();
    for name in SIGNED.into_iter().chain(["x-amz-date", "x-amz-security-token"]) {
        let there = request.headers().get(name).and_then(|value| value.to_str().ok());
        headers.extend(there.map(|value| (name, value)));
        headers.extend((name == "host" && there.is_none()).then_some((name, host.as_str())));
    }
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    let canonical = canonical(request.method().as_str(), request.url(), &headers, body);
    let names = names(&headers);
    let scope = format!("{}/{region}/{service}/aws4_request", time.get(..8).unwrap_or_default());
    let text = format!(
        "AWS4-HMAC-SHA256\n{time}\n{scope}\n{}",
        hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref())
    );
    let first = format!("AWS4{}", credential.secret.expose_secret());
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
    for part in scope.split('/') {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    let signature = hex(hmac::sign(&key, text.as_bytes()).as_ref());
    let id = &credential.id;
    let signed =
        format!("AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
    request.headers_mut().insert(http::header::AUTHORIZATION, secret_value(&signed)?);
    Ok(())
}

fn names(headers: &[(&str, &str)]) -> String {
    headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";")
}

/// Writes what of a call is signed.
fn canonical(method: &str, url: &Url, headers: &[(&str, &str)], body: &[u8]) -> String {
    let mut query: Vec<(String, String)> =
        url.query_pairs().map(|(key, value)| (encoded(&key, ""), encoded(&value, ""))).collect();
    query.sort_unstable();
    let query: Vec<String> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    // Its path goes encoded once more than it is sent.
    let path = encoded(url.path(), "/");
    let mut out = format!("{method}\n{path}\n{}\n", query.join("&"));
    for (name, value) in headers {
        let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
        let _ = writeln!(out, "{name}:{}", words.join(" "));
    }
    let _ = write!(out, "\n{}\n{}", names(headers), hex(digest::digest(&digest::SHA256, body).as_ref()));
    out
}

/// Returns the host as its header has it.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Encodes all but unreserved characters, and those of `kept`.
pub(in crate::providers) fn encoded(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let is_plain =
            byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || kept.as_bytes().contains(&byte);
        if is_plain {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Writes a moment as signatures have it: `20150830T123600Z`.
fn compact(now: Instant) -> String {
    let text = now.rfc3339();
    let digits = text.bytes().filter(u8::is_ascii_digit).map(char::from);
    let digits: String = digits.take(14).collect();
    let (day, time) = digits.split_at_checked(8).unwrap_or_default();
    format!("{day}T{time}Z")
}

#[cfg(test)]
mod tests {
    use reqwest::Method;
    use secrecy::SecretString;
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Signs as AWS's published test suite has it (aws-sig-v4-test-suite), and returns the signature.
    fn signature(
        method: Method,
        url: &str,
        headers: &[(&'static str, &str)],
        body: &str,
        session: Option<&str>,
    ) -> String {
        let mut request = Request::new(method, Url::parse(url).unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        if !body.is_empty() {
            *request.body_mut() = Some(body.to_owned().into());
        }
        let credential = Credential {
            id: "AKIDEXAMPLE".to_owned(),
            secret: SecretString::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session: session.map(SecretString::from),
            value: None,
            has_served: AtomicBool::new(false),
        };
        let now = Instant::parse("2015-08-30T12:36:00Z").unwrap();
        sign(&mut request, &credential, "us-east-1", "service", now).unwrap();
        let signed = request.headers()["authorization"].to_str().unwrap().to_owned();
        assert!(signed.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        ));
        signed.rsplit_once("Signature=").unwrap().1.to_owned()
    }

    #[test]
    fn awss_published_vectors_are_signed_as_published() {
        let at = |path: &str| format!("https://example.amazonaws.com/{path}");
        let plain = |method, path: &str| signature(method, &at(path), &[], "", None);
        let form = [("content-type", "application/x-www-form-urlencoded")];
        // get-vanilla, post-vanilla, get-vanilla-query-order-key-case, post-x-www-form-urlencoded
        assert_eq!(
            plain(Method::GET, ""),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        );
        assert_eq!(
            plain(Method::POST, ""),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
        );
        assert_eq!(
            plain(Method::GET, "?Param2=value2&Param1=value1"),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        );
        assert_eq!(
            signature(Method::POST, &at(""), &form, "Param1=value1", None),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }

    #[test]
    fn a_models_name_is_encoded_twice_where_it_is_signed() {
        let url =
            Url::parse("https://bedrock-runtime.eu-west-1.amazonaws.com/model/a.b-v1%3A0/converse").unwrap();
        let text = canonical("POST", &url, &[("host", "h")], b"");
        assert_eq!(text.lines().nth(1), Some("/model/a.b-v1%253A0/converse"));
    }
}
