//! The bodies of messages, on their way in either direction.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// What has been read or made already, then what is still to come, then trailers.
#[derive(Default)]
pub struct Payload {
    read: VecDeque<Bytes>,
    rest: Option<Incoming>,
    /// What is still being made.
    later: Option<mpsc::Receiver<Frame<Bytes>>>,
    /// The rest is not asked for, nor does the body end.
    is_unread: bool,
    trailers: Option<HeaderMap>,
    /// Dropped with the body: for whoever wants to know when it is over.
    guard: Option<Box<dyn std::any::Any>>,
}

impl Payload {
    /// Of known bytes.
    pub fn whole(bytes: Bytes) -> Self {
        Self {
            read: VecDeque::from([bytes]),
            ..Self::default()
        }
    }

    /// Of a message whose beginning has been read.
    pub fn of(read: VecDeque<Bytes>, rest: Incoming) -> Self {
        Self {
            read,
            rest: Some(rest),
            ..Self::default()
        }
    }

    /// Of what is made piece by piece; trailers are its last.
    pub fn later(later: mpsc::Receiver<Frame<Bytes>>) -> Self {
        Self {
            later: Some(later),
            ..Self::default()
        }
    }

    /// Of a message that is refused by its head.
    pub fn unread(rest: Incoming) -> Self {
        Self {
            is_unread: true,
            ..Self::from(rest)
        }
    }

    /// With trailers behind it.
    pub fn with_trailers(mut self, trailers: HeaderMap) -> Self {
        self.trailers = Some(trailers);
        self
    }

    /// With something that is dropped once the body is over.
    pub fn guarded(mut self, guard: impl std::any::Any) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }
}

impl From<Incoming> for Payload {
    fn from(body: Incoming) -> Self {
        Self::of(VecDeque::new(), body)
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(bytes) = self.read.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if self.is_unread {
            return Poll::Pending;
        }
        if let Some(rest) = &mut self.rest {
            return Pin::new(rest).poll_frame(context);
        }
        if let Some(later) = &mut self.later {
            return later.poll_recv(context).map(|frame| frame.map(Ok));
        }
        Poll::Ready(self.trailers.take().map(|it| Ok(Frame::trailers(it))))
    }

    fn is_end_stream(&self) -> bool {
        let is_rest_over = self.rest.as_ref().is_none_or(Body::is_end_stream);
        self.read.is_empty() && is_rest_over && self.later.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|chunk| chunk.len() as u64).sum();
        let rest = self.rest.as_ref().map(Body::size_hint).unwrap_or_default();
        let mut hint = SizeHint::new();
        hint.set_lower(read + rest.lower());
        let upper = match (&self.rest, &self.later) {
            (None, None) => Some(0),
            (Some(_), None) => rest.upper(),
            (_, Some(_)) => None,
        };
        if let Some(upper) = upper {
            hint.set_upper(read + upper);
        }
        hint
    }
}
