//! One client of HTTP/1.1.

use crate::Serving;
use crate::body::{self, Read};
use crate::inflight::Held;
use crate::ingest::Taken;
use crate::patience::Patience;
use crate::payload::Payload;
use crate::upstream;
use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use reviva_core::intake::QUICK_BYTES;
use reviva_core::wire::Format;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::copy_bidirectional;
use tokio::task::spawn_local;

/// A connection.
pub struct Client {
    pub serving: Rc<Serving>,
    pub peer: Rc<str>,
    pub patience: Arc<Patience>,
    pub upstream: upstream::Http,
    /// One more than there may be.
    pub is_excess: bool,
}

impl Client {
    /// Answers one request.
    pub async fn serve(
        self: Rc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Payload>, Infallible> {
        let busy = self.patience.busy();
        let response = if self.is_excess {
            self.serving.refusals.too_many_connections()
        } else {
            self.answer(request).await
        };
        Ok(response.map(|payload| payload.guarded(busy)))
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Payload> {
        let began = Instant::now();
        let serving = &*self.serving;
        let (parts, body) = request.into_parts();
        let Some(head) = serving.heads.read_http(&parts, &self.peer) else {
            return self.hand_on(parts, body.into()).await;
        };
        if body.size_hint().lower() > serving.max_body_bytes as u64 {
            // Refused by its head: who asked whether the body is wanted is not told to send it.
            return self.hand_on(parts, Payload::unread(body)).await;
        }
        let most = if serving.ingest.knows(&head) {
            serving.max_body_bytes
        } else {
            QUICK_BYTES
        };
        let mut held = Held::none(serving.ingest.inflight());
        let body = match body::read(body, most, &mut held).await {
            Read::Whole(body) => body,
            Read::Unfinished(payload) => {
                drop(held); // Python counts what it is handed
                return self.hand_on(parts, payload).await;
            }
            Read::Broken => return serving.refusals.unavailable(),
        };
        let Some(taken) = serving.ingest.take(head, &body, held, began).await else {
            return self.hand_on(parts, Payload::whole(body)).await;
        };
        self.acknowledge(taken, &parts.headers)
    }

    fn acknowledge(&self, taken: Taken, asked: &HeaderMap) -> Response<Payload> {
        let mut response = Response::new(Payload::whole(Bytes::from(taken.answer)));
        *response.headers_mut() = self.serving.heads.exposing(asked);
        let media_type = HeaderValue::from_static(match taken.format {
            Format::Proto => "application/x-protobuf",
            _ => "application/json",
        });
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        response
    }

    async fn hand_on(&self, parts: Parts, body: Payload) -> Response<Payload> {
        let mut request = Request::from_parts(parts, body);
        let client = upstream::is_upgrade(&request).then(|| hyper::upgrade::on(&mut request));
        let Ok(mut response) = self.upstream.send(request, &self.peer).await else {
            return self.serving.refusals.unavailable();
        };
        if let Some(client) = client
            && response.status() == StatusCode::SWITCHING_PROTOCOLS
        {
            spawn_local(join(client, hyper::upgrade::on(&mut response)));
        }
        response.map(Payload::from)
    }
}

/// Lets both ends of an upgraded connection talk until one has enough.
async fn join(client: OnUpgrade, python: OnUpgrade) {
    let (Ok(client), Ok(python)) = (client.await, python.await) else {
        return;
    };
    // Whatever ends one end's connection ends the other's too.
    let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(python)).await;
}
