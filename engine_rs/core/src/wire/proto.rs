//! Native protobuf: `reviva.v1.IngestRequest` and `IngestStreamRequest`, read straight into the draft of each event.

mod event;
mod reader;
mod tree;
mod value;

pub use tree::sections;

use crate::verdict::{Code, RequestError};
use crate::wire::draft::{Envelope, Target};
use crate::wire::{Events, Found};
use event::Timestamp;
use reader::{Malformed, Reader, len, varint};
use std::borrow::Cow;

/// What stands around the events of a request.
///
/// # Errors
/// `invalid_protobuf`.
pub fn envelope(batch: &[u8]) -> Result<Envelope<'_>, RequestError> {
    read_envelope(batch).map_err(|malformed| refused(&malformed))
}

fn read_envelope(batch: &[u8]) -> Result<Envelope<'_>, Malformed> {
    let (mut envelope, mut sent_at) = (Envelope::default(), None);
    let mut reader = Reader::new(batch);
    while let Some(tag) = reader.tag()? {
        match tag {
            EVENT => drop(reader.bytes()?),
            SENT_AT => Timestamp::merge(&mut sent_at, &mut reader)?,
            HISTORY => envelope.history = reader.varint()? != 0,
            LIBRARY => read_library(reader.bytes()?, &mut envelope)?,
            other => reader.skip_unknown(other, 4)?,
        }
    }
    envelope.sent_at_ms = Timestamp::ms(sent_at)?;
    Ok(envelope)
}

fn read_library<'b>(message: &'b [u8], envelope: &mut Envelope<'b>) -> Result<(), Malformed> {
    let mut reader = Reader::new(message);
    while let Some(tag) = reader.tag()? {
        match tag {
            LIBRARY_NAME => envelope.library_name = reader.text("library.name")?,
            LIBRARY_VERSION => envelope.library_version = reader.text("library.version")?,
            other => reader.skip_unknown(other, 2)?,
        }
    }
    Ok(())
}

const EVENT: u32 = len(1);
const SENT_AT: u32 = len(2);
const HISTORY: u32 = varint(3);
const LIBRARY: u32 = len(4);
const LIBRARY_NAME: u32 = len(1);
const LIBRARY_VERSION: u32 = len(2);

/// The sequence number and the batch of an `IngestStreamRequest`; of a batch in several parts, these joined.
///
/// # Errors
/// `invalid_protobuf`.
pub fn unwrap_sequenced(body: &[u8]) -> Result<(u64, Cow<'_, [u8]>), RequestError> {
    const SEQUENCE: u32 = varint(1);
    const BATCH: u32 = len(2);
    let read = || {
        let (mut sequence, mut batch) = (0, Cow::Borrowed(&[][..]));
        let mut reader = Reader::new(body);
        while let Some(tag) = reader.tag()? {
            match tag {
                SEQUENCE => sequence = reader.varint()?,
                BATCH if batch.is_empty() => batch = Cow::Borrowed(reader.bytes()?),
                BATCH => batch.to_mut().extend_from_slice(reader.bytes()?),
                other => reader.skip_unknown(other, 2)?,
            }
        }
        Ok((sequence, batch))
    };
    read().map_err(|malformed| refused(&malformed))
}

/// The events of one `IngestRequest`, whose [`envelope`] has been read: its fields' bounds are known to be intact.
#[derive(Debug)]
pub struct ProtoEvents<'b>(Reader<'b>);

impl<'b> ProtoEvents<'b> {
    /// Stands before the first event.
    #[must_use]
    pub fn new(batch: &'b [u8]) -> Self {
        Self(Reader::new(batch))
    }

    fn next_event(&mut self) -> Result<Option<&'b [u8]>, Malformed> {
        while let Some(tag) = self.0.tag()? {
            if tag == EVENT {
                return self.0.bytes().map(Some);
            }
            self.0.skip(tag)?;
        }
        Ok(None)
    }
}

impl<'b> Events<'b> for ProtoEvents<'b> {
    fn next<'e>(&mut self, target: &mut Target<'e, '_>) -> Result<Option<Found<'b>>, RequestError>
    where
        'b: 'e,
    {
        let next = self.next_event().map_err(|malformed| refused(&malformed))?;
        Ok(next.map(|original| Found {
            original,
            read: event::read(original, target),
        }))
    }
}

#[cold]
fn refused(malformed: &Malformed) -> RequestError {
    RequestError::new(
        Code::InvalidProtobuf,
        format!("the body is not an IngestRequest: {}", malformed.what()),
    )
}
