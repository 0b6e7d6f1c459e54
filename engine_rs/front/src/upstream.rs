//! The way to Python: every client's connection has, once it needs one, a connection of its own to a Unix socket there.
//!
//! So flow control reaches from end to end, and no client waits behind what another does not read.

use crate::Local;
use crate::head::PEER;
use crate::payload::Payload;
use hyper::body::{Body, Incoming};
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::HeaderValue;
use hyper::http::uri::Uri;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use tokio::net::UnixStream;
use tokio::task::spawn_local;

/// Windows of HTTP/2, bytes: a batch fits into one.
pub const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// All streams of a connection together.
pub const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const OF_ONE_CONNECTION: [HeaderName; 7] = [
    EXPECT,
    HTTP2_SETTINGS,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
];

/// Python cannot be reached.
#[derive(Debug)]
pub struct Unreachable;

type Answer = Result<Response<Incoming>, Unreachable>;

/// HTTP/1.1, one request at a time.
pub struct Http {
    socket: PathBuf,
    idle: RefCell<Option<http1::SendRequest<Payload>>>,
}

impl Http {
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            idle: RefCell::default(),
        }
    }

    /// Hands a request on; an upgrade too, which the two ends have to agree on.
    pub async fn send(&self, mut request: Request<Payload>, peer: &str) -> Answer {
        rewrite_for_http(&mut request, peer);
        let before = self.idle.borrow_mut().take();
        if let Some(mut before) = before
            && before.ready().await.is_ok()
        {
            match before.try_send_request(request).await {
                Ok(response) => {
                    *self.idle.borrow_mut() = Some(before);
                    return Ok(response);
                }
                // It was closed in the meantime, and the request never sent.
                Err(error) => request = unsent(error)?,
            }
        }
        let mut fresh = self.connect().await?;
        let response = fresh.send_request(request).await;
        *self.idle.borrow_mut() = Some(fresh);
        response.map_err(|_| Unreachable)
    }

    async fn connect(&self) -> Result<http1::SendRequest<Payload>, Unreachable> {
        let stream = connect(&self.socket).await?;
        let (sender, connection) = http1::handshake(stream).await.map_err(|_| Unreachable)?;
        spawn_local(connection.with_upgrades());
        Ok(sender)
    }
}

/// HTTP/2, all streams of a client on one connection.
pub struct Grpc {
    socket: PathBuf,
    open: RefCell<Option<http2::SendRequest<Payload>>>,
}

impl Grpc {
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
            open: RefCell::default(),
        }
    }

    /// Hands a call on.
    pub async fn send(&self, mut request: Request<Payload>, peer: &str) -> Answer {
        set_peer(&mut request, peer);
        let before = self.open.borrow().clone().filter(|it| !it.is_closed());
        if let Some(mut before) = before
            && before.ready().await.is_ok()
        {
            match before.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(error) => request = unsent(error)?,
            }
        }
        let mut fresh = self.connect().await?;
        *self.open.borrow_mut() = Some(fresh.clone());
        fresh.send_request(request).await.map_err(|_| Unreachable)
    }

    async fn connect(&self) -> Result<http2::SendRequest<Payload>, Unreachable> {
        let stream = connect(&self.socket).await?;
        let (sender, connection) = http2::Builder::new(Local)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .handshake(stream)
            .await
            .map_err(|_| Unreachable)?;
        spawn_local(connection);
        Ok(sender)
    }
}

/// Whether it asks for a WebSocket. Other upgrades are ignored: not all parsers agree where a body ends that stands behind one.
pub fn is_upgrade(request: &Request<Payload>) -> bool {
    let wanted = request.headers().get(UPGRADE);
    let is_websocket = wanted.is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"websocket"));
    is_websocket && request.method() == Method::GET && request.body().is_end_stream()
}

async fn connect(socket: &Path) -> Result<TokioIo<UnixStream>, Unreachable> {
    let stream = UnixStream::connect(socket).await;
    stream.map(TokioIo::new).map_err(|_| Unreachable)
}

fn unsent(mut error: TrySendError<Request<Payload>>) -> Result<Request<Payload>, Unreachable> {
    error.take_message().ok_or(Unreachable)
}

fn set_peer(request: &mut Request<Payload>, peer: &str) {
    match HeaderValue::from_str(peer) {
        Ok(peer) => request.headers_mut().insert(PEER, peer),
        Err(_) => request.headers_mut().remove(PEER),
    };
}

/// What holds for one connection only is not handed on. Being asked for the body is the front's business.
fn rewrite_for_http(request: &mut Request<Payload>, peer: &str) {
    let is_upgrade = is_upgrade(request);
    let headers = request.headers_mut();
    for name in OF_ONE_CONNECTION {
        headers.remove(name);
    }
    if !is_upgrade {
        headers.remove(CONNECTION);
        headers.remove(UPGRADE);
    }
    if request.method() == Method::CONNECT {
        // Where a body ends that stands behind it is read differently, too.
        request.headers_mut().remove(CONTENT_LENGTH);
        *request.body_mut() = Payload::default();
    }
    set_peer(request, peer);
    let path = request
        .uri()
        .path_and_query()
        .map(|it| it.as_str().to_owned());
    *request.uri_mut() = path
        .and_then(|it| Uri::try_from(it).ok())
        .unwrap_or_default();
    *request.version_mut() = hyper::Version::HTTP_11;
}
