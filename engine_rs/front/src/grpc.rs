//! One client of gRPC.

use crate::Serving;
use crate::body::{self, Read};
use crate::inflight::Held;
use crate::payload::Payload;
use crate::upstream;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Instant;

/// Of a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
const OK: HeaderValue = HeaderValue::from_static("0");
const UNAVAILABLE: HeaderValue = HeaderValue::from_static("14");

/// A connection.
pub struct Client {
    pub serving: Rc<Serving>,
    pub peer: Rc<str>,
    pub upstream: upstream::Grpc,
}

impl Client {
    /// Answers one call.
    pub async fn serve(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Payload>, Infallible> {
        Ok(self.answer(request).await)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Payload> {
        let began = Instant::now();
        let serving = &*self.serving;
        let (parts, body) = request.into_parts();
        let Some(head) = serving.heads.read_grpc(&parts, &self.peer) else {
            return self.hand_on(parts, body.into()).await;
        };
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
        let taken = match plain_message(&body) {
            Some(message) => serving.ingest.take(head, &message, began).await,
            None => None,
        };
        let Some(taken) = taken else {
            drop(held);
            return self.hand_on(parts, Payload::whole(body)).await;
        };
        acknowledge(&taken.answer)
    }

    async fn hand_on(&self, parts: Parts, body: Payload) -> Response<Payload> {
        let request = Request::from_parts(parts, body);
        match self.upstream.send(request, &self.peer).await {
            Ok(response) => response.map(Payload::from),
            Err(_) => unavailable(),
        }
    }
}

/// The one message of a unary call; `None` where it is compressed, or not one.
fn plain_message(body: &Bytes) -> Option<Bytes> {
    let mut prefix = body.get(..PREFIX_BYTES)?;
    let is_compressed = prefix.get_u8() != 0;
    let message = body.slice(PREFIX_BYTES..);
    (!is_compressed && prefix.get_u32() as usize == message.len()).then_some(message)
}

fn acknowledge(message: &[u8]) -> Response<Payload> {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", OK);
    let payload = Payload::whole(framed.freeze()).with_trailers(trailers);
    let mut response = Response::new(payload);
    response.headers_mut().insert(CONTENT_TYPE, MEDIA_TYPE);
    response
}

fn unavailable() -> Response<Payload> {
    let mut response = Response::new(Payload::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, MEDIA_TYPE);
    headers.insert("grpc-status", UNAVAILABLE);
    headers.insert(
        "grpc-message",
        HeaderValue::from_static("the gateway cannot be reached; try again"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_plain_message_is_taken() {
        let plain = |bytes: &'static [u8]| plain_message(&Bytes::from_static(bytes));
        assert_eq!(plain(b"\0\0\0\0\x02ab").as_deref(), Some(&b"ab"[..]));
        assert_eq!(plain(b"\0\0\0\0\0").as_deref(), Some(&b""[..]));
        for other in [
            &b""[..],
            b"\0\0\0\0",
            b"\x01\0\0\0\x02ab",
            b"\0\0\0\0\x02abc",
        ] {
            assert_eq!(plain(other), None);
        }
    }
}
