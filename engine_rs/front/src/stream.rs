//! One open IngestStream: batches in, answers out in the same order, never more on the way than the window says.
//!
//! The front takes batches for as long as they are plain. The first one that is not, and all that follow it, are Python's: what
//! the client is owed for the ones before is given first, then what Python says is passed on.

use crate::grpc::{Client, UNREACHABLE, ok, response};
use crate::head::Head;
use crate::inflight::{Held, Inflight};
use crate::ingest::Begun;
use crate::messages::{Messages, Next, PREFIX_BYTES, framed};
use crate::payload::Payload;
use crate::refusals::{GRPC_STATUS, not_ready, too_slow};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response};
use reviva_core::intake::QUICK_BYTES;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::task::spawn_local;

/// How many answers wait for a client that does not read them, before its window keeps them back.
const UNREAD_ANSWERS: usize = 16;

const NOT_WRITTEN: &str = "the journal cannot be written; try again";
const STOPPING: &str = "the server is stopping; try again";

/// How much of a stream may be unacknowledged.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Batches.
    pub batches: usize,
    /// Bytes of their messages; one may be larger, where it is alone.
    pub bytes: u32,
    /// The `IngestStreamResponse` that tells the client, which opens a stream.
    pub message: Bytes,
}

/// Answers a call of IngestStream.
pub fn open(
    client: &Rc<Client>,
    parts: Parts,
    head: Head<'static>,
    body: Incoming,
) -> Response<Payload> {
    let (answers, unread) = mpsc::channel(UNREAD_ANSWERS);
    let window = &client.serving.window;
    let stream = Stream {
        client: Rc::clone(client),
        parts,
        head,
        batches: Semaphore::new(window.batches),
        bytes: Semaphore::new(window.bytes as usize),
        answers,
    };
    spawn_local(stream.serve(body));
    response(Payload::later(unread))
}

struct Stream {
    client: Rc<Client>,
    parts: Parts,
    head: Head<'static>,
    /// What is left of the window.
    batches: Semaphore,
    bytes: Semaphore,
    answers: mpsc::Sender<Frame<Bytes>>,
}

/// What the client is to hear next.
enum Owed<'s> {
    /// That a batch is durable.
    Ack(Begun, Share<'s>),
    /// That the stream is over.
    End(HeaderMap),
    /// What Python says to what is left of the body.
    Rest(Payload),
}

/// What a batch takes of its stream's window, until it is acknowledged.
type Share<'s> = (SemaphorePermit<'s>, SemaphorePermit<'s>);

/// The client has gone.
struct Gone;

impl Stream {
    async fn serve(self, body: Incoming) {
        let (owe, owed) = mpsc::unbounded_channel();
        let mut answering = pin!(self.answer(owed));
        // The client may have gone, and who can no longer be answered is not read from.
        let _ = tokio::select! {
            ended = &mut answering => ended,
            () = self.take(body, owe) => answering.await,
        };
    }

    /// Takes batches, as many as there is room for.
    async fn take<'s>(&'s self, body: Incoming, owe: mpsc::UnboundedSender<Owed<'s>>) {
        let serving = &self.client.serving;
        let mut messages = Messages::new(body, serving.ingest.inflight());
        let mut stopping = self.client.stopping.clone();
        let end = loop {
            let Ok(batch) = self.batches.acquire().await else {
                return;
            };
            let next = tokio::select! {
                biased;
                _ = stopping.wait_for(|&is_stopping| is_stopping) => break Owed::End(not_ready(STOPPING)),
                next = messages.next(self.most(), serving.waits.body) => next,
            };
            let (message, held) = match next {
                Next::Plain(message, held) => (message, held),
                Next::Other if self.is_known() => break Owed::Rest(messages.into_rest([])),
                // Python refuses whatever this key sends, so it need not be much.
                Next::Other => break Owed::Rest(Payload::whole(framed(b""))),
                Next::Late => break Owed::End(too_slow()),
                Next::End => break Owed::End(ok()),
                Next::Broken => return,
            };
            let size = message.len().min(serving.window.bytes as usize) as u32;
            let Ok(bytes) = self.bytes.acquire_many(size).await else {
                return;
            };
            let Some(begun) = self.begin(&message, held).await else {
                break Owed::Rest(messages.into_rest([message]));
            };
            // Fails where the stream is over.
            let _ = owe.send(Owed::Ack(begun, (batch, bytes)));
        };
        let _ = owe.send(end);
    }

    async fn begin(&self, message: &Bytes, held: Held) -> Option<Begun> {
        let began = Instant::now();
        let batch = message.slice(PREFIX_BYTES..);
        let ingest = &self.client.serving.ingest;
        ingest.begin(self.head.clone(), &batch, held, began).await
    }

    /// Size of a message.
    fn most(&self) -> usize {
        let most = self.client.serving.max_body_bytes;
        if self.is_known() {
            most
        } else {
            most.min(QUICK_BYTES)
        }
    }

    fn is_known(&self) -> bool {
        self.client.serving.ingest.knows(&self.head)
    }

    async fn answer(&self, mut owed: mpsc::UnboundedReceiver<Owed<'_>>) -> Result<(), Gone> {
        let serving = &self.client.serving;
        self.say(&serving.window.message).await?;
        while let Some(next) = owed.recv().await {
            match next {
                Owed::Ack(begun, share) => {
                    let Some(taken) = serving.ingest.finish(begun).await else {
                        return self.end(not_ready(NOT_WRITTEN)).await;
                    };
                    self.say(&taken.answer).await?;
                    drop(share);
                }
                Owed::End(trailers) => return self.end(trailers).await,
                Owed::Rest(rest) => return self.hand_on(rest).await,
            }
        }
        Err(Gone)
    }

    async fn hand_on(&self, rest: Payload) -> Result<(), Gone> {
        let request = Request::from_parts(self.parts.clone(), rest);
        let client = &self.client;
        let away = || not_ready(UNREACHABLE);
        let Ok(response) = client.upstream.send(request, &client.peer).await else {
            return self.end(away()).await;
        };
        let (mut parts, body) = response.into_parts();
        if parts.headers.contains_key(GRPC_STATUS) {
            parts.headers.remove(CONTENT_TYPE);
            return self.end(parts.headers).await;
        }
        let mut answers = Messages::new(body, &Arc::new(Inflight::new(usize::MAX)));
        let Next::Plain(_window, _) = answers.next(usize::MAX, Duration::MAX).await else {
            return self.end(answers.trailers.unwrap_or_else(away)).await;
        };
        let mut answers = answers.into_rest([]);
        while let Some(frame) = answers.frame().await {
            self.send(frame.map_err(|_| Gone)?).await?;
        }
        Ok(())
    }

    async fn say(&self, message: &[u8]) -> Result<(), Gone> {
        self.send(Frame::data(framed(message))).await
    }

    async fn end(&self, trailers: HeaderMap) -> Result<(), Gone> {
        self.send(Frame::trailers(trailers)).await
    }

    async fn send(&self, frame: Frame<Bytes>) -> Result<(), Gone> {
        self.answers.send(frame).await.map_err(|_| Gone)
    }
}
