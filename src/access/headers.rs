//! What headers say of a sender: the key, which each kind of client puts elsewhere, and whether a web page sent it.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::KEY_PREFIX;

/// Where a browser says that a request comes from: the same origin, the same site, another one, or nobody's page.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Finds the key that a request presents: `Authorization: Bearer`, `x-api-key` (Anthropic's clients), `api-key` (Azure's)
/// or `x-goog-api-key` (Google's).
///
/// Some clients fill two of them, one with a placeholder: the first that looks like a key of ours wins, else the first.
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers
        .get_all(AUTHORIZATION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(after_bearer);
    let plain = ["x-api-key", "api-key", "x-goog-api-key"]
        .into_iter()
        .flat_map(|name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::trim));
    let mut first = None;
    for candidate in bearer.chain(plain).filter(|key| !key.is_empty()) {
        if candidate.starts_with(KEY_PREFIX) {
            return Some(candidate);
        }
        first = first.or(Some(candidate));
    }
    first
}

fn after_bearer(value: &str) -> Option<&str> {
    let (scheme, key) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Says whether a request comes from a web page of another site: a browser names the page's origin, and a page that had
/// its own name point at this machine (DNS rebinding) still sends that name as the host.
///
/// A gateway without keys answers whoever reaches it, and a page that somebody merely visits must not be among them. One
/// whose origin the operator named is (`named`), as long as its host is this machine.
pub fn is_from_elsewhere(headers: &HeaderMap, named: bool) -> bool {
    let origins =
        headers.get_all(ORIGIN).iter().map(|value| uri_host(value).is_some_and(|host| is_here(&host)));
    let hosts =
        headers.get_all(HOST).iter().map(|value| authority_host(value).is_some_and(|host| is_here(&host)));
    let origins = origins.map(|here| here || named);
    // A request that names no origin says by this where it comes from; a page of this machine says "same-site".
    let sites = headers.get_all(FETCH_SITE).iter().map(|value| named || is_near(value));
    !origins.chain(hosts).chain(sites).all(|here| here)
}

fn is_near(site: &HeaderValue) -> bool {
    let site = site.as_bytes().trim_ascii();
    [&b"same-origin"[..], b"same-site", b"none"].into_iter().any(|near| site.eq_ignore_ascii_case(near))
}

fn uri_host(value: &HeaderValue) -> Option<String> {
    // `null`, which sandboxed pages send, has no host.
    let uri = Uri::try_from(value.as_bytes()).ok()?;
    uri.scheme().and_then(|_| uri.host().map(str::to_owned))
}

fn authority_host(value: &HeaderValue) -> Option<String> {
    Some(Authority::try_from(value.as_bytes()).ok()?.host().to_owned())
}

fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn find(headers: &[(&'static str, &'static str)]) -> Option<String> {
        presented(&map(headers)).map(str::to_owned)
    }

    #[test]
    fn pages_of_other_sites_are_told_from_programs_of_this_machine() {
        for here in [
            &[][..],
            &[("host", "127.0.0.1:4141")],
            &[("host", "localhost:4141"), ("origin", "http://localhost:3000")],
            &[("host", "[::1]:4141")],
            &[("host", "127.0.0.1:4141"), ("sec-fetch-site", "same-origin")],
            &[
                ("host", "127.0.0.1:4141"),
                ("sec-fetch-site", "same-site"),
                ("origin", "http://127.0.0.1:3000"),
            ],
            &[("host", "127.0.0.1:4141"), ("sec-fetch-site", "none")],
        ] {
            assert!(!is_from_elsewhere(&map(here), false), "{here:?}");
        }
        for elsewhere in [
            &[("host", "127.0.0.1:4141"), ("origin", "https://evil.example")][..],
            &[("host", "127.0.0.1:4141"), ("origin", "null")],
            &[("host", "rebound.example:4141")],
            &[("host", "localhost.evil.example")],
            &[("host", "")],
            &[("host", "127.0.0.1:4141"), ("sec-fetch-site", "cross-site")],
            &[
                ("host", "127.0.0.1:4141"),
                ("sec-fetch-site", "Cross-Site"),
                ("origin", "http://localhost:3000"),
            ],
            &[("host", "127.0.0.1:4141"), ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
            &[("host", "127.0.0.1"), ("origin", "http://127.0.0.1"), ("origin", "http://evil.example")],
        ] {
            assert!(is_from_elsewhere(&map(elsewhere), false), "{elsewhere:?}");
        }
    }

    #[test]
    fn a_named_origin_is_let_in_but_no_foreign_host() {
        let page = ("origin", "https://tools.example");
        assert!(!is_from_elsewhere(&map(&[("host", "127.0.0.1:4141"), page]), true));
        let site = ("sec-fetch-site", "cross-site");
        assert!(!is_from_elsewhere(&map(&[("host", "127.0.0.1:4141"), page, site]), true));
        assert!(is_from_elsewhere(&map(&[("host", "tools.example"), page]), true));
    }

    #[test]
    fn every_kind_of_client_is_understood() {
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[("authorization", "bearer  pm_a ")]).unwrap(), "pm_a");
        assert_eq!(find(&[("x-api-key", "pm_b")]).unwrap(), "pm_b");
        assert_eq!(find(&[("x-goog-api-key", "pm_c")]).unwrap(), "pm_c");
        assert_eq!(find(&[("api-key", "pm_e"), ("authorization", "Bearer ey.token")]).unwrap(), "pm_e");
        assert_eq!(find(&[("authorization", "Bearer unused"), ("x-api-key", "pm_d")]).unwrap(), "pm_d");
        assert_eq!(find(&[("authorization", "Bearer sk-x"), ("x-api-key", "none")]).unwrap(), "sk-x");
    }

    #[test]
    fn what_is_no_key_is_none() {
        assert_eq!(find(&[("authorization", "Basic cG06cG0=")]), None);
        assert_eq!(find(&[("authorization", "Bearer ")]), None);
        assert_eq!(find(&[("x-api-key", "")]), None);
    }
}
