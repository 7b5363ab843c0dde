//! Whether a web page may call the gateway, and what its browser is told about that.
//!
//! Invariants: nothing is allowed unless gateway.toml names origins; the operator's paths are never opened to pages;
//! browsers are never told to send cookies along.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::body::Reply;
use super::headers::EXPOSED;
use super::paths::{Endpoint, Place};
use crate::config::gateway::{ANY_ORIGIN, CorsSettings};
use crate::wire::{ApiError, ErrorKind};

/// A browser asks whether a page of the open network may reach this one.
const ASKS_PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOWS_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// The longest list of headers that is repeated to a browser, in bytes.
const LONGEST: usize = 4096;

/// What a request says of the page that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// Nothing is set up for pages, or not on this path.
    Off,
    /// It comes from no page, or from one whose origin is not named.
    Stranger,
    /// Its origin is named.
    Named(HeaderValue),
    /// Every origin is let in.
    Anyone,
}

/// Reads where a request comes from.
pub(super) fn visit(settings: &CorsSettings, place: &Place<'_>, headers: &HeaderMap) -> Visit {
    if settings.origins.is_empty() || !place.is_api() {
        return Visit::Off;
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else { return Visit::Stranger };
    if settings.origins.iter().any(|named| named != ANY_ORIGIN && named.as_bytes() == origin.as_bytes()) {
        return Visit::Named(origin.clone());
    }
    if settings.origins.iter().any(|named| named == ANY_ORIGIN) { Visit::Anyone } else { Visit::Stranger }
}

impl Visit {
    /// Says whether the operator named the page's origin, so that it may use a gateway that asks for no key. Letting every
    /// origin in does not say that: then keys are what guards it.
    pub(super) fn is_trusted(&self) -> bool {
        matches!(self, Self::Named(_))
    }

    /// Answers a browser that asks before it sends a page's request; nothing where this is no such question.
    pub(super) fn preflight(
        &self,
        settings: &CorsSettings,
        place: &Place<'_>,
        method: &Method,
        headers: &HeaderMap,
    ) -> Option<Result<Response<Reply>, ApiError>> {
        let asks = *method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || *self == Self::Off {
            return None;
        }
        if *self == Self::Stranger {
            let message = "pages of this origin may not call the gateway: it is not among [cors] origins in gateway.toml";
            return Some(Err(ApiError::new(ErrorKind::Permission, message)));
        }
        let mut response = Response::new(Reply::of(bytes::Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let into = response.headers_mut();
        // What is not served is to be answered as such, so the page has to get there.
        let methods = match place.endpoint {
            Endpoint::Unknown => "GET, HEAD, POST, DELETE",
            _ => place.methods(),
        };
        into.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        // Libraries send headers of their own, and none of them is a danger: none means anything here but those that are
        // documented.
        let asked = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).filter(|asked| asked.len() <= LONGEST);
        let usual = HeaderValue::from_static("authorization, content-type");
        into.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.cloned().unwrap_or(usual));
        into.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(settings.max_age));
        if headers.contains_key(ASKS_PRIVATE) {
            into.insert(ALLOWS_PRIVATE, HeaderValue::from_static("true"));
        }
        Some(Ok(response))
    }

    /// Writes into an answer's headers what the browser has to know.
    pub(super) fn sign(self, into: &mut HeaderMap) {
        let origin = match self {
            Self::Off => return,
            Self::Stranger => None,
            Self::Named(origin) => Some(origin),
            Self::Anyone => Some(HeaderValue::from_static(ANY_ORIGIN)),
        };
        // Also for those who get no permission: what is kept of the answer must not be given to others.
        let varies = "origin, access-control-request-method, access-control-request-headers";
        into.append(VARY, HeaderValue::from_static(varies));
        if let Some(origin) = origin {
            into.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            into.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}
