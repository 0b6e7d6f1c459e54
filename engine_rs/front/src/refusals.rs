//! What the front itself says over HTTP where it cannot hand on.

use crate::payload::Payload;
use bytes::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use hyper::http::HeaderValue;
use hyper::{Response, StatusCode};

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

fn refuse(document: &Bytes) -> Response<Payload> {
    let mut response = Response::new(Payload::whole(document.clone()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}
