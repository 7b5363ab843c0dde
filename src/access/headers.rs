//! Where clients put their key: each kind of client has its own header.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::KEY_PREFIX;

/// Finds the key that a request presents: `Authorization: Bearer`, `x-api-key` (Anthropic's clients) or
/// `x-goog-api-key` (Google's).
///
/// Some clients fill two of them, one with a placeholder: the first that looks like a key of ours wins, else the first.
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers
        .get_all(AUTHORIZATION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(after_bearer);
    let plain = ["x-api-key", "x-goog-api-key"]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn find(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let map: HeaderMap =
            headers.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        presented(&map).map(str::to_owned)
    }

    #[test]
    fn every_kind_of_client_is_understood() {
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[("authorization", "bearer  pm_a ")]).unwrap(), "pm_a");
        assert_eq!(find(&[("x-api-key", "pm_b")]).unwrap(), "pm_b");
        assert_eq!(find(&[("x-goog-api-key", "pm_c")]).unwrap(), "pm_c");
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
