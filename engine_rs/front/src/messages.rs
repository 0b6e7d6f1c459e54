//! The messages of a gRPC call whose body is still coming.

use crate::payload::Payload;
use crate::upstream::STREAM_WINDOW_BYTES;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::Incoming;
use std::collections::VecDeque;

/// Of a message: whether it is compressed, and its length.
pub const PREFIX_BYTES: usize = 5;

/// One message after the other.
pub struct Messages {
    body: Incoming,
    /// What has come of the next messages.
    read: BytesMut,
    /// Size of a message.
    most: usize,
    /// What stood behind the last message.
    pub trailers: Option<HeaderMap>,
}

/// What comes next.
pub enum Next {
    /// Not compressed; with its prefix.
    Plain(Bytes),
    /// Compressed, too large, or cut short. It is still to be read.
    Other,
    End,
    /// The other side has gone.
    Broken,
}

impl Messages {
    pub fn new(body: Incoming, most: usize) -> Self {
        Self {
            body,
            read: BytesMut::new(),
            most,
            trailers: None,
        }
    }

    /// Waits for the next message. Nothing is lost where it is not waited for to the end.
    pub async fn next(&mut self) -> Next {
        loop {
            if let Some(next) = take(&mut self.read, self.most) {
                return next;
            }
            match self.body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.read.extend_from_slice(&data),
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Some(Err(_)) => return Next::Broken,
                None if self.read.is_empty() => return Next::End,
                None => return Next::Other,
            }
        }
    }

    /// What is left of the body, behind messages that were read already.
    pub fn into_rest(self, read: impl IntoIterator<Item = Bytes>) -> Payload {
        let mut read: VecDeque<_> = read.into_iter().collect();
        read.push_back(self.read.freeze());
        read.retain(|chunk| !chunk.is_empty());
        Payload::of(read, self.body)
    }
}

/// The next message of `read`, once there is all of it.
fn take(read: &mut BytesMut, most: usize) -> Option<Next> {
    let mut prefix = read.get(..PREFIX_BYTES)?;
    let is_compressed = prefix.get_u8() != 0;
    let length = prefix.get_u32() as usize;
    if is_compressed || length > most {
        return Some(Next::Other);
    }
    let whole = PREFIX_BYTES + length;
    if read.len() < whole {
        // No more than may come at once: a mere announcement is not to take memory.
        read.reserve((whole - read.len()).min(STREAM_WINDOW_BYTES as usize));
        return None;
    }
    Some(Next::Plain(read.split_to(whole).freeze()))
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
            Some(Next::Plain(message)) => Some(message.slice(PREFIX_BYTES..)),
            None => None,
            Some(_) => panic!("not a plain message"),
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
        assert!(take(&mut read, 1 << 30).is_none());
        assert!(read.capacity() <= 2 * STREAM_WINDOW_BYTES as usize);
    }

    #[test]
    fn what_is_not_plain_is_left_unread() {
        for message in [&b"\x01\0\0\0\x02ab"[..], b"\0\0\0\0\x03ab"] {
            let mut read = BytesMut::from(message);
            assert!(matches!(take(&mut read, 2), Some(Next::Other)));
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
