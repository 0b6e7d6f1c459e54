//! Streams before a front that has no Python behind it.

use super::gateway::{GRACE, Gateway, wait_until};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use reviva_core::intake::QUICK_BYTES;
use reviva_front::{Options, Window};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::timeout;

const WINDOW: &[u8] = b"window";
const PREFIX_BYTES: usize = 5;
const MOMENT: Duration = Duration::from_millis(500);

/// An `IngestStreamResponse` with the ack of one event.
fn ack(sequence: u8) -> Vec<u8> {
    vec![0x12, 6, 0x08, sequence, 0x12, 2, 0x08, 1]
}

/// An `IngestStreamRequest` with one event.
fn batch(sequence: u8) -> Vec<u8> {
    let event = [&field(2, b"page_view")[..], &field(5, b"visitor")].concat();
    [&[0x08, sequence], &field(2, &field(1, &event))[..]].concat()
}

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, content.len() as u8], content].concat()
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}

/// What a client says, for as long as it has not said all.
struct Said(mpsc::UnboundedReceiver<Bytes>);

impl Body for Said {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let chunk = self.0.poll_recv(context);
        chunk.map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk))))
    }
}

#[derive(Clone)]
struct Local;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}

/// The client's end of an open stream.
struct Stream {
    say: Option<mpsc::UnboundedSender<Bytes>>,
    answers: Incoming,
    read: BytesMut,
    trailers: HeaderMap,
}

impl Stream {
    async fn open(gateway: &Gateway) -> Self {
        Self::open_with(gateway, "key").await
    }

    async fn open_with(gateway: &Gateway, key: &str) -> Self {
        let address = ("127.0.0.1", gateway.front.ports().1);
        let socket = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut client, connection) = http2::handshake(Local, socket).await.unwrap();
        spawn_local(connection);
        let (say, said) = mpsc::unbounded_channel();
        let request = Request::post("http://x/reviva.v1.IngestService/IngestStream")
            .header("authorization", format!("Bearer {key}"))
            .body(Said(said))
            .unwrap();
        let response = client.send_request(request).await.unwrap();
        let mut stream = Self {
            say: Some(say),
            answers: response.into_body(),
            read: BytesMut::new(),
            trailers: HeaderMap::new(),
        };
        assert_eq!(stream.hear().await.unwrap(), WINDOW);
        stream
    }

    fn say(&self, message: &[u8]) {
        self.say_raw(framed(message));
    }

    fn say_raw(&self, bytes: Bytes) {
        self.say.as_ref().unwrap().send(bytes).unwrap();
    }

    /// The next answer; `None` at the end of the stream.
    async fn hear(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(mut prefix) = self.read.get(1..5) {
                let length = prefix.get_u32() as usize;
                if self.read.len() >= 5 + length {
                    return Some(self.read.split_to(5 + length)[5..].to_vec());
                }
            }
            let frame = timeout(GRACE, self.answers.frame()).await.unwrap()?;
            match frame.unwrap().into_data() {
                Ok(data) => self.read.extend_from_slice(&data),
                Err(frame) => self.trailers = frame.into_trailers().unwrap(),
            }
        }
    }

    /// How the stream ends, and why.
    async fn end(&mut self) -> (&str, &str) {
        assert_eq!(self.hear().await, None);
        let text = |name| {
            self.trailers
                .get(name)
                .map_or("", |it| it.to_str().unwrap())
        };
        (text("grpc-status"), text("grpc-message"))
    }
}

fn gateway(batches: usize) -> Gateway {
    gateway_with(batches, |_| {})
}

fn gateway_with(batches: usize, change: impl FnOnce(&mut Options)) -> Gateway {
    Gateway::with(|options| {
        options.window = Window {
            batches,
            bytes: 1_000,
            message: Bytes::from_static(WINDOW),
        };
        change(options);
    })
}

async fn until(holds: impl Fn() -> bool) {
    let holding = async {
        while !holds() {
            yield_now().await;
        }
    };
    timeout(GRACE, holding).await.unwrap();
}

fn on_one_thread(test: impl Future<Output = ()>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.unwrap(), test);
}

#[test]
fn plain_batches_are_acknowledged_without_python() {
    let gateway = gateway(2);
    on_one_thread(async {
        let mut stream = Stream::open(&gateway).await;
        (1..10).for_each(|sequence| stream.say(&batch(sequence)));
        for sequence in 1..10 {
            assert_eq!(stream.hear().await.unwrap(), ack(sequence));
        }
        stream.say = None;
        assert_eq!(stream.end().await, ("0", ""));
    });
    let tally = gateway.front.take_tally();
    assert_eq!((tally.accepted, tally.requests["proto"]), (9, 9));
    assert_eq!(tally.acks, [9, 0]);
    assert_eq!(gateway.shared.inflight.bytes(), 0);
}

#[test]
fn a_batch_that_is_python_s_ends_the_stream_where_python_is_away() {
    let gateway = gateway(4);
    on_one_thread(async {
        let mut stream = Stream::open(&gateway).await;
        stream.say(&batch(1));
        stream.say(b"no batch");
        stream.say(&batch(3));
        assert_eq!(stream.hear().await.unwrap(), ack(1));
        let (status, message) = stream.end().await;
        assert_eq!(status, "14");
        assert!(message.contains("cannot be reached"), "{message}");
    });
    assert_eq!(gateway.front.take_tally().accepted, 1);
}

#[test]
fn a_front_that_stops_ends_streams_once_they_are_acknowledged() {
    let gateway = gateway(4);
    on_one_thread(async {
        let mut stream = Stream::open(&gateway).await;
        stream.say(&batch(1));
        assert_eq!(stream.hear().await.unwrap(), ack(1));
        gateway.front.stop_accepting();
        let (status, message) = stream.end().await;
        assert_eq!(status, "14");
        assert!(message.contains("is stopping"), "{message}");
        assert_eq!(stream.trailers["reviva-code"], "not_ready");
        assert_eq!(stream.trailers["grpc-retry-pushback-ms"], "1000");
    });
}

#[test]
fn a_message_counts_as_it_comes() {
    let gateway = gateway(4);
    let inflight = &gateway.shared.inflight;
    on_one_thread(async {
        let stream = Stream::open(&gateway).await;
        let message = framed(&batch(1));
        let (start, rest) = message.split_at(7);
        stream.say_raw(Bytes::copy_from_slice(start));
        until(|| inflight.bytes() == start.len()).await;
        stream.say_raw(Bytes::copy_from_slice(rest));
        until(|| inflight.bytes() == 0).await;
        stream.say_raw(Bytes::copy_from_slice(start));
        until(|| inflight.bytes() == start.len()).await;
    });
    wait_until(|| inflight.bytes() == 0);
    assert_eq!(gateway.front.take_tally().accepted, 1);
}

#[test]
fn a_message_for_which_there_is_no_room_is_left_to_python_as_soon_as_it_comes() {
    let gateway = gateway(4);
    assert!(gateway.shared.inflight.admit(1 << 20));
    on_one_thread(async {
        let mut stream = Stream::open(&gateway).await;
        stream.say_raw(framed(&batch(1)).slice(..7));
        assert!(stream.end().await.1.contains("cannot be reached"));
    });
}

#[test]
fn who_does_not_go_on_with_a_message_is_given_up() {
    let gateway = gateway_with(4, |options| options.waits.body = MOMENT);
    on_one_thread(async {
        let mut stream = Stream::open(&gateway).await;
        stream.say(&batch(1));
        assert_eq!(stream.hear().await.unwrap(), ack(1));
        stream.say_raw(framed(&batch(2)).slice(..7));
        let (status, message) = stream.end().await;
        assert_eq!(status, "14");
        assert!(message.contains("did not come in time"), "{message}");
        assert_eq!(stream.trailers["reviva-code"], "request_timeout");
    });
}

#[test]
fn of_a_large_message_without_a_good_key_no_more_than_its_length_is_read() {
    let gateway = gateway_with(4, |options| options.max_body_bytes = 1 << 20);
    let large = framed(&[0; QUICK_BYTES + 1]);
    on_one_thread(async {
        let mut stream = Stream::open_with(&gateway, "unknown").await;
        stream.say_raw(large.slice(..PREFIX_BYTES));
        assert!(stream.end().await.1.contains("cannot be reached"));
        let stream = Stream::open(&gateway).await;
        stream.say_raw(large.slice(..PREFIX_BYTES + 1));
        until(|| gateway.shared.inflight.bytes() == PREFIX_BYTES + 1).await;
    });
}

#[test]
fn a_client_that_goes_leaves_nothing_behind() {
    let gateway = gateway(4);
    on_one_thread(async {
        let stream = Stream::open(&gateway).await;
        stream.say(&batch(1));
        let started = batch(2);
        stream.say_raw(framed(&started).slice(..7));
        yield_now().await;
    });
    wait_until(|| gateway.shared.inflight.bytes() == 0);
    gateway.front.stop_accepting();
    gateway.front.stop(GRACE);
}
