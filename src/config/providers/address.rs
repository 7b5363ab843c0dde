//! Addresses of servers: which may stand in a file, and which stay on this machine.

/// Checks an address; what is wrong with it comes without the address, for a password may stand in it.
pub fn check(text: &str) -> Result<(), (&'static str, &'static str)> {
    const LIKE: &str = "write it like \"https://host/v1\"";
    let url = reqwest::Url::parse(text).map_err(|_| ("is no address", LIKE))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(("has a name or password in it", "say where the key is with `key`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(("has a query or fragment in it", "leave out everything from `?` or `#` on"));
    }
    match url.scheme() {
        "https" | "http" if url.has_host() => Ok(()),
        _ => Err(("is neither http:// nor https://", LIKE)),
    }
}

/// Says whether an address stays on this machine.
pub fn is_loopback(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
