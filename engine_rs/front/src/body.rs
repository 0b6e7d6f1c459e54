//! Reads the bodies that are the front's: small enough, and here within a moment. Python waits for the others.

use crate::inflight::Held;
use crate::payload::Payload;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::timeout;

/// Whoever takes longer for a body is left to Python's patience.
const MOMENT: Duration = Duration::from_secs(1);

/// What came of reading a body.
pub enum Read {
    Whole(Bytes),
    /// To be handed on: what was read, and what is still to come.
    Unfinished(Payload),
    /// The client has gone.
    Broken,
}

/// Reads up to `most` bytes, which `held` counts.
pub async fn read(mut body: Incoming, most: usize, held: &mut Held) -> Read {
    let mut chunks = VecDeque::new();
    if body.size_hint().lower() > most as u64 {
        return Read::Unfinished(Payload::of(chunks, body));
    }
    match timeout(MOMENT, gather(&mut body, &mut chunks, most, held)).await {
        Ok(Gathered::All) => Read::Whole(join(chunks)),
        Ok(Gathered::Broken) => Read::Broken,
        Ok(Gathered::Enough) | Err(_) => Read::Unfinished(Payload::of(chunks, body)),
    }
}

enum Gathered {
    All,
    Enough,
    Broken,
}

async fn gather(
    body: &mut Incoming,
    chunks: &mut VecDeque<Bytes>,
    most: usize,
    held: &mut Held,
) -> Gathered {
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Gathered::Broken;
        };
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        size += chunk.len();
        let is_admitted = held.admit(chunk.len());
        chunks.push_back(chunk);
        if size > most || !is_admitted {
            return Gathered::Enough;
        }
    }
    Gathered::All
}

fn join(mut chunks: VecDeque<Bytes>) -> Bytes {
    if chunks.len() < 2 {
        return chunks.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(chunks.iter().map(Bytes::len).sum());
    for chunk in chunks {
        whole.extend_from_slice(&chunk);
    }
    whole.freeze()
}
