//! Responses in one piece, as every endpoint makes them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use super::body::Reply;
use crate::wire::{ApiError, Dialect};

/// Makes a response of an error in the client's form.
pub(super) fn refuse(form: Dialect, error: &ApiError) -> Response<Reply> {
    let body = crate::wire::error_body(form, error);
    let mut response = json(StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_GATEWAY), body);
    if let Some(millis) = error.retry_after_ms {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000)));
        headers.insert("retry-after-ms", HeaderValue::from(millis));
    }
    response
}

/// Makes a response of JSON.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply::of(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Answers with what an object says.
pub(super) fn answer(body: &serde_json::Value) -> Response<Reply> {
    json(StatusCode::OK, body.to_string())
}

/// Makes a response of plain text.
pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply::of(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
