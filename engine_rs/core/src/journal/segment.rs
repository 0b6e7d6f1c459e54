//! Segment files: their names, their header, and how one comes into being.

use super::error::JournalError;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Bytes of a segment's header.
pub(super) const HEADER_BYTES: usize = 40;

const MAGIC: [u8; 8] = *b"revivaJ1";
const EXTENSION: &str = "seg";
const UNFINISHED: &str = "new";

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub lane: u32,
    /// Offset of its first record.
    pub first: u64,
    /// See [`super::group`].
    pub seal: u64,
}

impl Header {
    fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&self.lane.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.seal.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..32]);
        bytes[32..36].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let header = Self {
            lane: u32::from_le_bytes(bytes[8..12].try_into().ok()?),
            first: u64::from_le_bytes(bytes[16..24].try_into().ok()?),
            seal: u64::from_le_bytes(bytes[24..32].try_into().ok()?),
        };
        (header.encode() == *bytes).then_some(header)
    }
}

/// Where the segment that begins with record `first` lies.
pub(super) fn path(lane: &Path, first: u64) -> PathBuf {
    lane.join(format!("{first:020}.{EXTENSION}"))
}

/// The first offsets of all segments of a lane, in order.
pub(super) fn list(lane: &Path) -> Result<Vec<u64>, JournalError> {
    let entries = fs::read_dir(lane).map_err(JournalError::io("list", lane))?;
    let mut firsts = Vec::new();
    for entry in entries {
        let name = entry.map_err(JournalError::io("list", lane))?.file_name();
        let name = Path::new(&name);
        if name
            .extension()
            .is_some_and(|extension| extension == EXTENSION)
            && let Some(first) = name
                .file_stem()
                .and_then(|stem| stem.to_str()?.parse().ok())
        {
            firsts.push(first);
        }
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Makes an empty segment, durably. It gets its name only once its header is on disk, so that a segment without a whole
/// header is never the work of a crash.
pub(super) fn create(lane: &Path, header: Header) -> io::Result<File> {
    let path = path(lane, header.first);
    let unfinished = path.with_extension(UNFINISHED);
    let mut file = File::create(&unfinished)?;
    file.write_all(&header.encode())?;
    file.sync_all()?;
    fs::rename(&unfinished, &path)?;
    File::open(lane)?.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_any_flipped_bit_is_noticed() {
        let header = Header {
            lane: 3,
            first: 812,
            seal: 0x1234_5678_9abc_def0,
        };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Some(header));
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&bent), None, "bit {bit}");
        }
    }

    #[test]
    fn segments_are_listed_in_order_and_nothing_else_is() {
        let lane = tempfile::tempdir().unwrap();
        for first in [1000, 0, 20] {
            create(
                lane.path(),
                Header {
                    lane: 0,
                    first,
                    seal: 1,
                },
            )
            .unwrap();
        }
        fs::write(lane.path().join("00000000000000000077.new"), b"").unwrap();
        fs::write(lane.path().join("lock"), b"").unwrap();
        assert_eq!(list(lane.path()).unwrap(), [0, 20, 1000]);
    }
}
