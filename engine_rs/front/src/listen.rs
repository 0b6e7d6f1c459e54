//! Sockets, and the connections that come by them.

use crate::grpc::Client as GrpcClient;
use crate::http::Client as HttpClient;
use crate::patience::{Patience, Watched};
use crate::upstream::{self, CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES};
use crate::{Local, Serving};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Cursor};
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, join};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};

/// Connections that may wait for being accepted.
pub const BACKLOG: i32 = 2048;
/// How often slow clients are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// After an error such as too many open files.
const PAUSE: Duration = Duration::from_millis(50);
/// What a client of HTTP/2 says first.
const PREFACE_BYTES: usize = 24;
const CONCURRENT_STREAMS: u32 = 1000;
const PING_EVERY: Duration = Duration::from_secs(60);

/// Binds a socket that several processes share; it does not listen yet. Also the port, where `port` is 0.
pub fn bind(host: &str, port: u16) -> io::Result<(Socket, u16)> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "no address has this name");
    let address = (host, port).to_socket_addrs()?.next().ok_or_else(missing)?;
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket().ok_or_else(missing)?;
    Ok((socket, bound.port()))
}

/// Whether no more is accepted, and connections end once they are idle.
pub type Stopping = watch::Receiver<bool>;

/// A connection that has been accepted.
pub struct Arrival {
    stream: TcpStream,
    peer: Rc<str>,
    /// One more than there may be.
    is_excess: bool,
}

/// Accepts until it is stopping, then waits for the connections.
pub async fn accept<Served: Future<Output = ()> + 'static>(
    socket: Socket,
    serving: Rc<Serving>,
    mut stopping: Stopping,
    serve: impl Fn(Rc<Serving>, Stopping, Arrival) -> Served,
) -> io::Result<()> {
    let listener = TcpListener::from_std(socket.into())?;
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopping.wait_for(|&is_stopping| is_stopping) => break,
        };
        let Ok((stream, address)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        // Only later than need be, where it fails.
        let _ = stream.set_nodelay(true);
        let arrival = Arrival {
            stream,
            peer: peer_of(address),
            is_excess: connections.len() >= serving.max_connections,
        };
        connections.spawn_local(serve(Rc::clone(&serving), stopping.clone(), arrival));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Serves a client of HTTP/1.1; one too many is told so.
pub async fn serve_http(serving: Rc<Serving>, mut stopping: Stopping, arrival: Arrival) {
    let patience = Patience::new(serving.waits);
    let stream = Watched::new(arrival.stream, &patience);
    let client = Rc::new(HttpClient {
        upstream: upstream::Http::new(&serving.http_upstream),
        peer: arrival.peer,
        patience: Arc::clone(&patience),
        is_excess: arrival.is_excess,
        serving,
    });
    let service = service_fn(move |request| Rc::clone(&client).serve(request));
    let connection = http1::Builder::new()
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut look = interval(LOOK);
    let mut is_ending = false;
    loop {
        tokio::select! {
            // What ends a connection in another way is its client's doing.
            _ = connection.as_mut() => return,
            now = look.tick() => if patience.is_over(now.into_std()) {
                return;
            },
            _ = stopping.wait_for(|&is_stopping| is_stopping), if !is_ending => {
                is_ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Serves a client of gRPC; one too many is cut off, after which gRPC's clients try again later. So is one that says nothing.
pub async fn serve_grpc(serving: Rc<Serving>, mut stopping: Stopping, arrival: Arrival) {
    if arrival.is_excess {
        return;
    }
    let begun = tokio::select! {
        begun = timeout(serving.waits.head, begin_grpc(arrival.stream)) => begun,
        _ = stopping.wait_for(|&is_stopping| is_stopping) => return,
    };
    let Ok(Ok(stream)) = begun else {
        return;
    };
    let client = Rc::new(GrpcClient {
        upstream: upstream::Grpc::new(&serving.grpc_upstream),
        peer: arrival.peer,
        stopping: stopping.clone(),
        serving,
    });
    let service = service_fn(move |request| Rc::clone(&client).serve(request));
    let connection = http2::Builder::new(Local)
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(CONCURRENT_STREAMS)
        .keep_alive_interval(PING_EVERY)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|&is_stopping| is_stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    // What ends a connection in another way is its client's doing.
    let _ = connection.await;
}

/// Waits for the preface, before which hyper has no patience that ends.
async fn begin_grpc(mut stream: TcpStream) -> io::Result<impl AsyncRead + AsyncWrite + Unpin> {
    let mut preface = [0; PREFACE_BYTES];
    stream.read_exact(&mut preface).await?;
    let (rest, writer) = stream.into_split();
    Ok(join(Cursor::new(preface).chain(rest), writer))
}

fn peer_of(address: SocketAddr) -> Rc<str> {
    // A client of IPv4 on a socket of IPv6 is still one of IPv4.
    address.ip().to_canonical().to_string().into()
}
