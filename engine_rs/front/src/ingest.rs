//! A request's way from bytes to the journal, if nothing stands in it.

use crate::durable::Durable;
use crate::head::{Head, Heads};
use crate::inflight::Inflight;
use crate::leases::Leases;
use crate::samples::Samples;
use crate::tally::Tally;
use bytes::Bytes;
use hyper::http::request::Parts;
use reviva_core::intake::{Intake, Intaken};
use reviva_core::wire::Format;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::task::spawn_blocking;

/// Plain bodies up to this size are decoded where they are read: that takes less time than a hop to another thread.
pub const INLINE_BYTES: usize = 64 << 10;

const GZIP_MAGIC: &[u8] = b"\x1f\x8b";

/// What the front shares with Python's way of taking requests in.
#[derive(Clone)]
pub struct Shared {
    /// Decodes; knows the keys.
    pub intake: Arc<Intake>,
    /// Bodies on their way.
    pub inflight: Arc<Inflight>,
    /// Tokens of keys with limits.
    pub leases: Arc<Leases>,
    /// For live viewers.
    pub samples: Arc<Samples>,
}

/// Which of the two protocols a request came by.
#[derive(Clone, Copy)]
pub enum Protocol {
    Http,
    Grpc,
}

/// A request whose body has been read.
pub struct Inquiry {
    pub protocol: Protocol,
    pub parts: Parts,
    pub peer: Rc<str>,
    pub body: Bytes,
}

/// An answer, and the format of the question.
pub struct Taken {
    pub format: Format,
    pub answer: Vec<u8>,
}

/// Decodes, holds against limits, appends, shows to live viewers.
pub struct Ingest {
    shared: Shared,
    heads: Arc<Heads>,
    ack_bounds: Vec<f64>,
    journal: RefCell<Option<Rc<Durable>>>,
    tally: Arc<Mutex<Tally>>,
}

impl Ingest {
    pub fn new(
        shared: Shared,
        heads: Arc<Heads>,
        ack_bounds: Vec<f64>,
        tally: Arc<Mutex<Tally>>,
    ) -> Self {
        Self {
            shared,
            heads,
            ack_bounds,
            journal: RefCell::default(),
            tally,
        }
    }

    pub fn use_journal(&self, journal: Option<Rc<Durable>>) {
        *self.journal.borrow_mut() = journal;
    }

    pub fn inflight(&self) -> &Arc<Inflight> {
        &self.shared.inflight
    }

    /// Takes a request in; its answer, once its events are durable. `None`: nothing was kept, Python may find out why.
    pub async fn take(&self, inquiry: &Inquiry, began: Instant) -> Option<Taken> {
        let journal = self.journal.borrow().clone()?;
        let decoder = Decoder {
            intake: Arc::clone(&self.shared.intake),
            heads: Arc::clone(&self.heads),
        };
        let head = decoder.head(inquiry.protocol, &inquiry.parts, &inquiry.peer)?;
        let format = head.format;
        let intaken = if is_quick(&head, &inquiry.body) {
            decoder.decode(&head, &inquiry.body)?
        } else {
            let (parts, body) = (inquiry.parts.clone(), inquiry.body.clone());
            let (protocol, peer) = (inquiry.protocol, inquiry.peer.to_string());
            let decode = move || {
                let head = decoder.head(protocol, &parts, &peer)?;
                decoder.decode(&head, &body)
            };
            spawn_blocking(decode).await.ok()??
        };
        if !self.shared.leases.take(&intaken.key_hash, intaken.events()) {
            return None;
        }
        let durable = journal
            .append(&intaken.frames, intaken.events() as u32)
            .ok()?;
        self.tally().count(format, inquiry.body.len(), &intaken);
        self.shared.samples.offer(&intaken);
        durable.await.ok()?;
        self.tally().count_ack(began.elapsed(), &self.ack_bounds);
        Some(Taken {
            format,
            answer: intaken.response(format),
        })
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What can go to another thread.
struct Decoder {
    intake: Arc<Intake>,
    heads: Arc<Heads>,
}

impl Decoder {
    fn head<'p>(&'p self, protocol: Protocol, parts: &'p Parts, peer: &'p str) -> Option<Head<'p>> {
        match protocol {
            Protocol::Http => self.heads.read_http(parts, peer),
            Protocol::Grpc => self.heads.read_grpc(parts, peer),
        }
    }

    fn decode(&self, head: &Head<'_>, body: &[u8]) -> Option<Intaken> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_ms = now.map_or(0, |since| since.as_millis() as i64);
        // A panic is told by Python, to which it happens again.
        catch_unwind(AssertUnwindSafe(|| {
            self.intake.decode(body, head.request(now_ms))
        }))
        .ok()?
        .ok()
    }
}

fn is_quick(head: &Head<'_>, body: &[u8]) -> bool {
    // A small compressed body can be a large one.
    !head.is_encoded() && !body.starts_with(GZIP_MAGIC) && body.len() <= INLINE_BYTES
}
