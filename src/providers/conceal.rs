//! Where a provider stands, taken out of what clients are told.
//!
//! Invariant: no text that passed here holds the address of a provider, nor one of a machine behind it; addresses of pages
//! for people (`https://`, a public name, no port) stay.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

/// Puts a provider's name in the place of its own address, and of any other that is none of a page.
pub(super) fn concealed<'t>(text: &'t str, host: Option<&str>, name: &str) -> Cow<'t, str> {
    let text = match host {
        Some(host) => without_host(text, host, name),
        None => Cow::Borrowed(text),
    };
    match without_inner(&text, name) {
        Some(changed) => Cow::Owned(changed),
        None => text,
    }
}

/// Puts a name in the place of addresses of machines; nothing where there are none.
fn without_inner(text: &str, name: &str) -> Option<String> {
    let mut out = String::new();
    let mut from = 0;
    let is_end = |c: char| c.is_whitespace() || "\"'<>()`,;|{}".contains(c);
    let mut at = 0;
    while let Some(word) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let len = word.find(is_end).unwrap_or(word.len());
        if len == 0 {
            at += word.chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let said = word.get(..len).unwrap_or_default();
        if let Some((start, end)) = inner(said) {
            out.push_str(text.get(from..at + start).unwrap_or_default());
            out.push_str(name);
            from = at + end;
        }
        at += len;
    }
    if from == 0 {
        return None;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Some(out)
}

/// Finds the address of a machine in a word without blanks: one with a scheme, or bare numbers.
fn inner(word: &str) -> Option<(usize, usize)> {
    let end = word.trim_end_matches(['.', ':', '!', '?']).len();
    let word = word.get(..end)?;
    if let Some(at) = word.find("://") {
        let before = word.get(..at)?;
        let start =
            before.rfind(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).map_or(0, |at| at + 1);
        let rest = word.get(at + 3..)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_page = before.get(start..)?.to_ascii_lowercase().starts_with("http") && is_public(authority);
        return (!is_page).then_some((start, end));
    }
    // Bare: `10.0.0.7`, `10.0.0.7:8000/v1`, `host=10.0.0.7`, `localhost:8000`, `[fd00::1]:80`.
    let start = word.rfind(['=', '@']).map_or(0, |at| at + 1);
    let bare = word.get(start..)?;
    let authority = bare.split('/').next().unwrap_or_default();
    is_machine(authority).then_some((start, end))
}

/// Says whether the host of an address is a name that anyone may know, without a port or a user.
fn is_public(authority: &str) -> bool {
    let host = authority.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    let inner = ["internal", "local", "localhost", "lan", "corp", "home", "intranet", "svc", "arpa", "test"];
    host.contains('.')
        && host.split('.').all(|label| !label.is_empty())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
        && last.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !inner.contains(&last)
}

/// Says whether a word without a scheme is the address of a machine: numbers with a port, private numbers, or a name of the
/// inside with a port.
fn is_machine(word: &str) -> bool {
    let (host, port) = match word.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (host, true)
        }
        _ => (word, false),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => port || is_private(address),
        // `1::2` alone may be anything.
        Ok(IpAddr::V6(_)) => port || word.contains("::") && host.len() > 6,
        Err(_) => {
            let is_inner = || host.contains('.') && !is_public(host) && is_name(host);
            port && (host.eq_ignore_ascii_case("localhost") || is_inner())
        }
    }
}

fn is_name(host: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    host.split('.').all(|label| !label.is_empty() && label.bytes().all(is_part))
        && host.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

fn is_private(address: Ipv4Addr) -> bool {
    address.is_private() || address.is_loopback() || address.is_link_local()
}

/// Puts a provider's name in the place of its address: the host, with scheme and port where they stand beside it.
fn without_host<'t>(text: &'t str, host: &str, name: &str) -> Cow<'t, str> {
    let lower = text.to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let mut out = String::new();
    let (mut from, mut searched) = (0, 0);
    while let Some(at) = lower.get(searched..).and_then(|rest| rest.find(&host)).map(|at| searched + at) {
        let mut end = at + host.len();
        searched = end;
        // Part of another name, it is another name.
        if is_part(at.checked_sub(1).and_then(|at| lower.as_bytes().get(at)))
            || is_part(lower.as_bytes().get(end))
        {
            continue;
        }
        let before = text.get(from..at).unwrap_or_default();
        let before_lower = lower.get(from..at).unwrap_or_default();
        let scheme = ["https://", "http://"].into_iter().find(|scheme| before_lower.ends_with(scheme));
        let before = before.get(..before.len() - scheme.map_or(0, str::len)).unwrap_or_default();
        if let Some(port) = lower.get(end..).and_then(|rest| rest.strip_prefix(':')) {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            end += if digits > 0 { digits + 1 } else { 0 };
        }
        let after = text.get(end..).unwrap_or_default();
        // As messages of ours say it: the name, and its host in brackets.
        if let (Some(before), true) = (before.strip_suffix(" ("), after.starts_with(')')) {
            out.push_str(before);
            end += 1;
        } else {
            out.push_str(before);
            out.push_str(name);
        }
        (from, searched) = (end, end);
    }
    if from == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_provider_stands_is_told_to_no_client() {
        let told = |text: &'static str| without_host(text, "llm.internal", "ours").into_owned();
        assert_eq!(told("cannot connect to ours (llm.internal): refused"), "cannot connect to ours: refused");
        assert_eq!(told("POST https://LLM.internal:8443/v1/chat: 502"), "POST ours/v1/chat: 502");
        assert_eq!(told("llm.internal: llm.internal:80."), "ours: ours.");
        for other in ["nothing of it", "my-llm.internal-api", "\u{e9}llm.interna\u{e9}"] {
            assert_eq!(told(other), other);
        }
        assert_eq!(without_host("at http://10.0.0.7:80/x", "10.0.0.7", "n"), "at n/x");
        assert_eq!(without_host("at 110.0.0.7", "10.0.0.7", "n"), "at 110.0.0.7");
    }

    #[test]
    fn nor_where_the_machines_behind_it_stand() {
        let told = |text: &'static str| concealed(text, Some("api.example.com"), "ours").into_owned();
        for (text, right) in [
            ("quota at http://10.1.2.3:99/secret", "quota at ours"),
            ("upstream (https://llm-7.svc.cluster.local/v1): 503.", "upstream (ours): 503."),
            ("dial tcp 10.1.2.3:8000: connect: refused", "dial tcp ours: connect: refused"),
            ("no route to 192.168.0.9", "no route to ours"),
            ("host=172.16.0.1, port=80", "host=ours, port=80"),
            (
                "HTTPConnectionPool(host='localhost', port=80) localhost:80/v1",
                "HTTPConnectionPool(host='localhost', port=80) ours",
            ),
            ("at http://user:word@db.example.com/x and grpc://inner:50051", "at ours and ours"),
            ("at [fd00::1]:8080!", "at ours!"),
            ("see https://api.example.com:8443/v1", "see ours/v1"),
        ] {
            assert_eq!(told(text), right);
        }
        for text in [
            "see https://platform.openai.com/docs/guides/error-codes.",
            "model gpt-4.1 takes 1:2 at 12:30:00, version 1.2.3.4, ratio 3.5:7",
            "std::io::Error at main.rs:12:5, a::b, http is not",
            "\u{e9}: \u{2026}, (x)",
        ] {
            assert_eq!(told(text), text);
        }
    }
}
