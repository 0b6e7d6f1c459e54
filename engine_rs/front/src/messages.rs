//! The messages of a gRPC call whose body is still coming.

use crate::inflight::{Held, Inflight};
use crate::patience::SLOWEST_BYTES_S;
use crate::payload::Payload;
use crate::upstream::STREAM_WINDOW_BYTES;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Frame, Incoming};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};

/// Of a message: whether it is compressed, and its length.
pub const PREFIX_BYTES: usize = 5;

/// One message after the other.
pub struct Messages {
    body: Incoming,
    /// What has come of the next messages.
    read: BytesMut,
    /// Counts it.
    held: Held,
    /// What stood behind the last message.
    pub trailers: Option<HeaderMap>,
}

/// What comes next.
pub enum Next {
    /// Not compressed; with its prefix, and what counts it.
    Plain(Bytes, Held),
    /// Compressed, too large, cut short, or more than there is room for. It is still to be read.
    Other,
    /// It has begun, and does not go on.
    Late,
    End,
    /// The other side has gone.
    Broken,
}

impl Messages {
    pub fn new(body: Incoming, inflight: &Arc<Inflight>) -> Self {
        Self {
            body,
            read: BytesMut::new(),
            held: Held::none(inflight),
            trailers: None,
        }
    }

    /// Waits for the next message, of up to `most` bytes; for one that has begun, at most as `patience` says. Nothing is lost
    /// where it is not waited for to the end.
    pub async fn next(&mut self, most: usize, patience: Duration) -> Next {
        let mut began = None;
        loop {
            match take(&mut self.read, most) {
                Found::Whole(message) => {
                    let held = self.held.split(message.len());
                    return Next::Plain(message, held);
                }
                Found::Other => return Next::Other,
                Found::Beginning => {}
            }
            let Ok(frame) = self.frame(&mut began, patience).await else {
                return Next::Late;
            };
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => {
                        self.read.extend_from_slice(&data);
                        if !self.held.admit(data.len()) {
                            return Next::Other;
                        }
                    }
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Some(Err(_)) => return Next::Broken,
                None if self.read.is_empty() => return Next::End,
                None => return Next::Other,
            }
        }
    }

    async fn frame(
        &mut self,
        began: &mut Option<Instant>,
        patience: Duration,
    ) -> Result<Option<hyper::Result<Frame<Bytes>>>, Elapsed> {
        if self.read.is_empty() {
            return Ok(self.body.frame().await);
        }
        let began = began.get_or_insert_with(Instant::now);
        let allowed = patience.saturating_add(at_least(self.read.len()));
        let left = allowed.saturating_sub(began.elapsed());
        timeout(left, self.body.frame()).await
    }

    /// What is left of the body, behind messages that were read already.
    pub fn into_rest(self, read: impl IntoIterator<Item = Bytes>) -> Payload {
        let mut read: VecDeque<_> = read.into_iter().collect();
        read.push_back(self.read.freeze());
        read.retain(|chunk| !chunk.is_empty());
        Payload::of(read, self.body)
    }
}

/// What stands first in what has come.
#[derive(Debug, PartialEq)]
enum Found {
    Whole(Bytes),
    Other,
    Beginning,
}

/// The next message of `read`, once there is all of it.
fn take(read: &mut BytesMut, most: usize) -> Found {
    let Some(mut prefix) = read.get(..PREFIX_BYTES) else {
        return Found::Beginning;
    };
    let is_compressed = prefix.get_u8() != 0;
    let length = prefix.get_u32() as usize;
    if is_compressed || length > most {
        return Found::Other;
    }
    let whole = PREFIX_BYTES + length;
    if read.len() < whole {
        // No more than may come at once: a mere announcement is not to take memory.
        read.reserve((whole - read.len()).min(STREAM_WINDOW_BYTES as usize));
        return Found::Beginning;
    }
    Found::Whole(read.split_to(whole).freeze())
}

/// How long so much may take.
fn at_least(bytes: usize) -> Duration {
    Duration::from_secs((bytes / SLOWEST_BYTES_S) as u64)
}

/// The one message of a unary call, without its prefix; `None` where it is compressed, or not one.
pub fn only_one(body: &Bytes) -> Option<Bytes> {
    let mut prefix = body.get(..PREFIX_BYTES)?;
    let is_compressed = prefix.get_u8() != 0;
    let message = body.slice(PREFIX_BYTES..);
    (!is_compressed && prefix.get_u32() as usize == message.len()).then_some(message)
}

/// A message with its prefix.
pub fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(read: &mut BytesMut, most: usize) -> Option<Bytes> {
        match take(read, most) {
            Found::Whole(message) => Some(message.slice(PREFIX_BYTES..)),
            Found::Beginning => None,
            Found::Other => panic!("not a plain message"),
        }
    }

    #[test]
    fn messages_come_out_wherever_they_were_cut() {
        let sent: [&[u8]; 4] = [b"one", b"", b"three", &[7; 300]];
        let stream: Vec<u8> = sent.iter().flat_map(|message| framed(message)).collect();
        for size in 1..=stream.len() {
            let mut read = BytesMut::new();
            let mut seen = Vec::new();
            for chunk in stream.chunks(size) {
                read.extend_from_slice(chunk);
                seen.extend(std::iter::from_fn(|| plain(&mut read, 300)));
            }
            assert_eq!(seen, sent, "chunks of {size}");
            assert!(read.is_empty());
        }
    }

    #[test]
    fn a_large_message_that_is_only_announced_takes_little_memory() {
        let mut read = BytesMut::from(&b"\0\x40\0\0\0"[..]);
        assert_eq!(take(&mut read, 1 << 30), Found::Beginning);
        assert!(read.capacity() <= 2 * STREAM_WINDOW_BYTES as usize);
    }

    #[test]
    fn what_is_not_plain_is_left_unread() {
        for message in [&b"\x01\0\0\0\x02ab"[..], b"\0\0\0\0\x03ab"] {
            let mut read = BytesMut::from(message);
            assert_eq!(take(&mut read, 2), Found::Other);
            assert_eq!(&read[..], message);
        }
    }

    #[test]
    fn a_unary_call_has_one_message() {
        let plain = |bytes: &'static [u8]| only_one(&Bytes::from_static(bytes));
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
