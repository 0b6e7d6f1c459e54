//! The journal as the front sees it: append now, and hear of it once the disk has it.

use reviva_core::journal::{JournalError, JournalWriter};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

/// One lane, and all who wait for what they appended to it.
pub struct Durable {
    writer: JournalWriter,
    waiting: RefCell<VecDeque<(u64, oneshot::Sender<()>)>>,
}

/// Is done once the records are durable; an error where they may never be.
pub type Ticket = oneshot::Receiver<()>;

impl Durable {
    pub fn new(writer: JournalWriter) -> Rc<Self> {
        Rc::new(Self {
            writer,
            waiting: RefCell::default(),
        })
    }

    /// Queues frames of records.
    pub fn append(&self, frames: &[u8], records: u32) -> Result<Ticket, JournalError> {
        let offset = self.writer.append(frames, records)?;
        let (tell, ticket) = oneshot::channel();
        self.waiting.borrow_mut().push_back((offset, tell));
        Ok(ticket)
    }

    /// Tells everybody whom a group commit has covered, until the lane fails.
    pub async fn watch(self: Rc<Self>) -> std::io::Result<()> {
        // SAFETY: the eventfd is open for as long as the writer, which outlives what borrows from it here.
        #[allow(unsafe_code)]
        let event =
            unsafe { AsyncFd::register_with_interest(self.writer.event(), Interest::READABLE) }?;
        loop {
            event.readable().await?.clear_ready();
            let Ok(durable) = self.writer.durable() else {
                self.waiting.borrow_mut().clear();
                return Ok(());
            };
            self.tell(durable);
        }
    }

    fn tell(&self, durable: u64) {
        let mut waiting = self.waiting.borrow_mut();
        while waiting
            .front()
            .is_some_and(|&(offset, _)| offset <= durable)
        {
            if let Some((_, tell)) = waiting.pop_front() {
                // Fails where the client has gone.
                let _ = tell.send(());
            }
        }
    }
}
