//! One client of gRPC.

use crate::Serving;
use crate::body::{self, Read};
use crate::inflight::Held;
use crate::listen::Stopping;
use crate::messages::{self, PREFIX_BYTES};
use crate::payload::Payload;
use crate::refusals::{GRPC_STATUS, not_ready};
use crate::{stream, upstream};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Instant;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

pub const UNREACHABLE: &str = "the gateway cannot be reached; try again";

/// A connection.
pub struct Client {
    pub serving: Rc<Serving>,
    pub peer: Rc<str>,
    pub upstream: upstream::Grpc,
    pub stopping: Stopping,
}

impl Client {
    /// Answers one call.
    pub async fn serve(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Payload>, Infallible> {
        Ok(self.answer(request).await)
    }

    async fn answer(self: &Rc<Self>, request: Request<Incoming>) -> Response<Payload> {
        let began = Instant::now();
        let serving = &*self.serving;
        let (parts, body) = request.into_parts();
        let Some(head) = serving.heads.read_grpc(&parts, &self.peer) else {
            return self.hand_on(parts, body.into()).await;
        };
        if head.is_stream() {
            let head = head.into_owned();
            return stream::open(self, parts, head, body);
        }
        let mut held = Held::none(serving.ingest.inflight());
        let most = serving.max_body_bytes + PREFIX_BYTES;
        let body = match body::read(body, most, &mut held).await {
            Read::Whole(body) => body,
            Read::Unfinished(payload) => {
                drop(held); // Python counts what it is handed
                return self.hand_on(parts, payload).await;
            }
            Read::Broken => return unavailable(),
        };
        let taken = match messages::only_one(&body) {
            Some(message) => serving.ingest.take(head, &message, held, began).await,
            None => None,
        };
        let Some(taken) = taken else {
            return self.hand_on(parts, Payload::whole(body)).await;
        };
        let message = messages::framed(&taken.answer);
        response(Payload::whole(message).with_trailers(ok()))
    }

    async fn hand_on(&self, parts: Parts, body: Payload) -> Response<Payload> {
        let request = Request::from_parts(parts, body);
        match self.upstream.send(request, &self.peer).await {
            Ok(response) => response.map(Payload::from),
            Err(_) => unavailable(),
        }
    }
}

/// One that begins well.
pub fn response(payload: Payload) -> Response<Payload> {
    let mut response = Response::new(payload);
    response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
    response
}

/// How a call ends well.
pub fn ok() -> HeaderMap {
    HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))])
}

fn unavailable() -> Response<Payload> {
    let mut response = response(Payload::default());
    let headers = response.headers_mut();
    headers.extend(not_ready(UNREACHABLE));
    response
}
