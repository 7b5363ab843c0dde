//! Where to send: an address, and whether it is this machine.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

/// Where a gateway on this machine listens unless told otherwise.
const LIVE: &str = "http://127.0.0.1:4141";

/// The address of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where chat requests go.
    pub chat: Url,
    /// Whether that is this machine.
    pub is_loopback: bool,
}

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It cannot be read, or is not HTTP.
    #[error("--to: {0}\nhint: write `live` or an address like http://127.0.0.1:4141")]
    Address(String),
    /// It holds a name and password, which would end up in logs.
    #[error("--to: leave name and password out of the address\nhint: give a key with POINTSMAN_KEY")]
    Credentials,
}

impl Target {
    /// Reads `live`, `http://host:port`, or either with a path up to `/v1` or `/v1/chat/completions`.
    ///
    /// # Errors
    /// Where it is no HTTP address.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let text = if text == "live" { LIVE } else { text };
        let mut url = Url::parse(text).map_err(|error| TargetError::Address(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Address("only http and https are spoken".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(TargetError::Credentials);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let path = match path {
            done if done.ends_with("/chat/completions") => done,
            v1 if v1.ends_with("/v1") => format!("{v1}/chat/completions"),
            base => format!("{base}/v1/chat/completions"),
        };
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        // A name other than localhost may lead anywhere, whatever it resolves to just now.
        let is_loopback =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback());
        Ok(Self { chat: url, is_loopback })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.chat.as_str().trim_end_matches("/v1/chat/completions"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        for (text, chat) in [
            ("live", "http://127.0.0.1:4141/v1/chat/completions"),
            ("http://localhost:8080/", "http://localhost:8080/v1/chat/completions"),
            ("http://[::1]:1/v1", "http://[::1]:1/v1/chat/completions"),
            ("https://gw.example/llm/v1/chat/completions", "https://gw.example/llm/v1/chat/completions"),
        ] {
            assert_eq!(Target::parse(text).unwrap().chat.as_str(), chat);
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let loopback = |text: &str| Target::parse(text).unwrap().is_loopback;
        for near in
            ["live", "http://localhost", "http://127.9.9.9:1", "http://[::1]", "http://[::ffff:127.0.0.1]"]
        {
            assert!(loopback(near), "{near}");
        }
        for far in ["http://0.0.0.0", "http://10.0.0.1", "http://localhost.example", "http://[2001:db8::1]"] {
            assert!(!loopback(far), "{far}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_quoting_a_password() {
        for bad in ["", "127.0.0.1:4141", "ftp://127.0.0.1", "http://", "unix:/x"] {
            assert!(matches!(Target::parse(bad), Err(TargetError::Address(_))), "{bad}");
        }
        let error = Target::parse("http://me:hunter2@127.0.0.1").unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
    }
}
