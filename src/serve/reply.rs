//! HTTP responses.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::question::AskFault;

/// A response with a text.
pub(super) fn text(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// A response with a value as JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_string(value).expect("what is served has no keys that are no texts");
    text(status, "application/json", body)
}

/// A response that says which field of a question is wrong, and why.
pub(super) fn refused(status: StatusCode, fault: &AskFault) -> Response {
    json(status, fault)
}

/// A response that a client may keep if it asks each time whether it is still valid.
pub(super) fn tagged(tag: &str, value: &impl Serialize) -> Response {
    with_tag(json(StatusCode::OK, value), tag)
}

/// A response with status 304: the client already has the answer.
pub(super) fn unchanged(tag: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    with_tag(response, tag)
}

/// Adds a tag to a response.
pub(super) fn with_tag(mut response: Response, tag: &str) -> Response {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
