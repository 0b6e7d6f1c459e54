//! What can go wrong with a journal, told for the person who has to mend it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the journal could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// As much is queued or unreleased as may be; nothing was appended. Try again once the reader has got on.
    #[error("the journal's lane {lane} is full: {held} bytes are held, the limit is {limit}")]
    Full {
        /// The lane.
        lane: u32,
        /// Bytes queued in memory or unreleased on disk, whichever is over its limit.
        held: u64,
        /// That limit.
        limit: u64,
    },
    /// Another process, or another writer of this one, has the lane.
    #[error("{} is in use by another writer; give every gateway process a lane of its own", .lane.display())]
    Locked {
        /// The lane's directory.
        lane: PathBuf,
    },
    /// Stored bytes are not what was written. Nothing was cut or changed.
    #[error("{} is damaged at byte {position}: {reason}; restore it from a copy, or move it away and lose what follows", .file.display())]
    Corrupt {
        /// The damaged file.
        file: PathBuf,
        /// Where in it the damage begins.
        position: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// A write or fsync has failed. After that nobody can know what is on disk, so the writer takes no more: open it anew.
    #[error("cannot {doing} {}: {cause}; the lane takes no more until it is opened again", .file.display())]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        file: PathBuf,
        /// What the system said.
        cause: Arc<io::Error>,
    },
    /// [`close`](super::JournalWriter::close) has been called.
    #[error("the journal's writer is closed")]
    Closed,
    /// The bytes given to append are not as many whole records as was said.
    #[error("the bytes to append are not {records} whole records")]
    NotRecords {
        /// How many they were said to be.
        records: u32,
    },
    /// A position lies before what is kept.
    #[error(
        "lane {lane} begins at record {oldest}: record {position} has been released and deleted"
    )]
    Released {
        /// The lane.
        lane: u32,
        /// The offset asked for.
        position: u64,
        /// The oldest one there is.
        oldest: u64,
    },
    /// A position lies behind what was ever written: the directory is not the one that the position was taken from.
    #[error(
        "lane {lane} ends at record {end}, before the position {position}: this is not the journal that the position was taken from, or a part of it was lost"
    )]
    BeyondEnd {
        /// The lane.
        lane: u32,
        /// The offset asked for.
        position: u64,
        /// Where the lane ends.
        end: u64,
    },
    /// Any other failure of the file system.
    #[error("cannot {doing} {}: {cause}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl JournalError {
    /// For `map_err`: says what was being done, with which file.
    pub(super) fn io<E: Into<io::Error>>(
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        move |cause| Self::Io {
            doing,
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    /// What the system said, where it was the system.
    #[must_use]
    pub fn cause(&self) -> Option<&io::Error> {
        match self {
            Self::Failed { cause, .. } => Some(cause),
            Self::Io { cause, .. } => Some(cause),
            _ => None,
        }
    }
}
