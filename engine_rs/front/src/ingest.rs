//! A request's way from bytes to the journal, if nothing stands in it.

use crate::durable::{Durable, Ticket};
use crate::head::Head;
use crate::inflight::{Held, Inflight};
use crate::leases::Leases;
use crate::samples::Samples;
use crate::tally::Tally;
use bytes::Bytes;
use reviva_core::intake::{Intake, Intaken, is_quick};
use reviva_core::wire::Format;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::task::spawn_blocking;

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

/// An answer, and the format of the question.
pub struct Taken {
    pub format: Format,
    pub answer: Vec<u8>,
}

/// A request whose events are in the journal's queue.
pub struct Begun {
    taken: Taken,
    durable: Ticket,
    began: Instant,
    /// Its body's share of what is in flight, until it is acknowledged.
    held: Held,
}

/// Decodes, holds against limits, appends, shows to live viewers.
pub struct Ingest {
    shared: Shared,
    ack_bounds: Vec<f64>,
    journal: RefCell<Option<Rc<Durable>>>,
    tally: Arc<Mutex<Tally>>,
}

impl Ingest {
    pub fn new(shared: Shared, ack_bounds: Vec<f64>, tally: Arc<Mutex<Tally>>) -> Self {
        Self {
            shared,
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

    /// Whether it is said by the head whose events they are.
    pub fn knows(&self, head: &Head<'_>) -> bool {
        let key = head.key.as_deref();
        key.is_some_and(|key| self.shared.intake.knows(key))
    }

    /// Takes a request in; its answer, once its events are durable. `None`: nothing was kept, Python may find out why.
    pub async fn take(
        &self,
        head: Head<'_>,
        body: &Bytes,
        held: Held,
        began: Instant,
    ) -> Option<Taken> {
        let begun = self.begin(head, body, held, began).await?;
        self.finish(begun).await
    }

    /// The first half of [`take`](Self::take): up to the journal's queue.
    pub async fn begin(
        &self,
        head: Head<'_>,
        body: &Bytes,
        held: Held,
        began: Instant,
    ) -> Option<Begun> {
        let journal = self.journal.borrow().clone()?;
        let format = head.format;
        let (intaken, held) = self.decode(head, body, held).await?;
        if !self.shared.leases.take(&intaken.key_hash, intaken.events()) {
            return None;
        }
        let durable = journal
            .append(&intaken.frames, intaken.events() as u32)
            .ok()?;
        self.tally().count(format, body.len(), &intaken);
        self.shared.samples.offer(&intaken);
        Some(Begun {
            taken: Taken {
                format,
                answer: intaken.response(format),
            },
            durable,
            began,
            held,
        })
    }

    /// The second half: until the events are durable. `None` where they may never be.
    pub async fn finish(&self, begun: Begun) -> Option<Taken> {
        begun.durable.await.ok()?;
        self.tally()
            .count_ack(begun.began.elapsed(), &self.ack_bounds);
        drop(begun.held);
        Some(begun.taken)
    }

    async fn decode(&self, head: Head<'_>, body: &Bytes, held: Held) -> Option<(Intaken, Held)> {
        let intake = &self.shared.intake;
        if is_quick(body, &head.content_encoding) {
            return decode(intake, &head, body).map(|intaken| (intaken, held));
        }
        let (intake, head, body) = (Arc::clone(intake), head.into_owned(), body.clone());
        // With what it holds: where the client goes meanwhile, the thread goes on nevertheless.
        let decode = move || decode(&intake, &head, &body).map(|intaken| (intaken, held));
        spawn_blocking(decode).await.ok()?
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decode(intake: &Intake, head: &Head<'_>, body: &[u8]) -> Option<Intaken> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_ms = now.map_or(0, |since| since.as_millis() as i64);
    // A panic is told by Python, to which it happens again.
    catch_unwind(AssertUnwindSafe(|| {
        intake.decode(body, head.request(now_ms))
    }))
    .ok()?
    .ok()
}

#[cfg(test)]
mod tests;
