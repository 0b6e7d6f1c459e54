//! How long clients may take: one of HTTP/1.1 to begin a request, and to end its head. Bodies are timed by whoever reads them.

use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// To end a head it has begun.
    pub head: Duration,
    /// To begin the next request.
    pub idle: Duration,
    /// For a body, or a stream's message; more for one that comes at [`SLOWEST_BYTES_S`] or faster.
    pub body: Duration,
}

/// A body that comes at this rate is waited for.
pub const SLOWEST_BYTES_S: usize = 16 << 10;

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Nothing has come since the last answer, or since the connection was made.
    Idle,
    /// A head has begun.
    Head,
    /// A request is being read or answered.
    Busy,
}

/// What the client of a connection is at, and since when.
pub struct Patience {
    waits: Waits,
    at: Mutex<(State, Instant)>,
}

impl Patience {
    /// A new connection owes a head at once.
    pub fn new(waits: Waits) -> Arc<Self> {
        Arc::new(Self {
            waits,
            at: Mutex::new((State::Head, Instant::now())),
        })
    }

    /// A head has been read; the connection is busy until the guard is dropped.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.enter(State::Busy);
        Busy(Arc::clone(self))
    }

    /// Whether the client has taken too long.
    pub fn is_over(&self, now: Instant) -> bool {
        let (state, since) = *self.lock();
        let allowed = match state {
            State::Idle => self.waits.idle,
            State::Head => self.waits.head,
            State::Busy => return false,
        };
        now.duration_since(since) > allowed
    }

    fn note_read(&self) {
        let mut at = self.lock();
        if at.0 == State::Idle {
            *at = (State::Head, Instant::now());
        }
    }

    fn enter(&self, state: State) {
        *self.lock() = (state, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, (State, Instant)> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While a request is being read or answered.
pub struct Busy(Arc<Patience>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(State::Idle);
    }
}

/// A connection that notes when something comes.
pub struct Watched {
    stream: TcpStream,
    patience: Arc<Patience>,
}

impl Watched {
    pub fn new(stream: TcpStream, patience: &Arc<Patience>) -> TokioIo<Self> {
        TokioIo::new(Self {
            stream,
            patience: Arc::clone(patience),
        })
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.patience.note_read();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_waited_for_less_long_than_the_next_request() {
        let patience = Patience::new(Waits {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body: Duration::from_secs(30),
        });
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert!(!patience.is_over(later(9)) && patience.is_over(later(11)));
        let busy = patience.busy();
        assert!(!patience.is_over(later(1_000)));
        drop(busy);
        assert!(!patience.is_over(later(74)) && patience.is_over(later(76)));
        patience.note_read();
        assert!(patience.is_over(later(11)));
    }
}
