//! What the front itself says where it cannot hand on.

use crate::payload::Payload;
use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use hyper::http::HeaderValue;
use hyper::{HeaderMap, Response, StatusCode};

pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const CODE: HeaderName = HeaderName::from_static("reviva-code");
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// Documents of HTTP's 503, in JSON.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    /// Python cannot be reached.
    pub unavailable: Bytes,
    /// As many connections are open as there may be.
    pub too_many_connections: Bytes,
}

impl Refusals {
    pub(crate) fn unavailable(&self) -> Response<Payload> {
        refuse(&self.unavailable)
    }

    /// Ends the connection.
    pub(crate) fn too_many_connections(&self) -> Response<Payload> {
        let mut response = refuse(&self.too_many_connections);
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// How a call of gRPC ends where the server cannot go on.
pub(crate) fn not_ready(why: &'static str) -> HeaderMap {
    try_again("not_ready", why)
}

/// How one ends whose client does not go on.
pub(crate) fn too_slow() -> HeaderMap {
    let why = "the rest of the message did not come in time; try again";
    try_again("request_timeout", why)
}

fn try_again(code: &'static str, why: &'static str) -> HeaderMap {
    HeaderMap::from_iter([
        (GRPC_STATUS, HeaderValue::from_static("14")),
        (GRPC_MESSAGE, HeaderValue::from_static(why)),
        (CODE, HeaderValue::from_static(code)),
        (PUSHBACK, HeaderValue::from_static("1000")),
    ])
}

fn refuse(document: &Bytes) -> Response<Payload> {
    let mut response = Response::new(Payload::whole(document.clone()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
