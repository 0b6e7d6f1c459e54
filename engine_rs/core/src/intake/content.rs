//! Hashes of what a client said, whatever the wire format and the order of keys; and whether a key stands twice.

use crate::event::{Event, Text};
use crate::text;
use crate::value::{Entries, Value};
use crate::varint;
use crate::verdict::{Code, Flaw};
use crate::wire::draft::Draft;
use crate::wire::section::Sections;

/// Each part's seed begins here, so that equal texts in different places count differently.
const PARTS: [u64; 5] = [
    0x9e37_79b9_7f4a_7c15,
    0xc2b2_ae3d_27d4_eb4f,
    0x1656_67b1_9e37_79f9,
    0x85eb_ca77_c2b2_ae63,
    0x27d4_eb2f_1656_67c5,
];

/// Hashes one event's content: each text with its number and each entry with its path, added up.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// The paths of the objects that are being hashed, as hashes.
    paths: Vec<u64>,
}

impl Content {
    /// The hash of all that the client said.
    ///
    /// # Errors
    /// `duplicate_key`.
    pub fn hash(
        &mut self,
        draft: &Draft<'_>,
        sections: &Sections,
        seed: u64,
    ) -> Result<u64, Box<Flaw>> {
        self.paths.clear();
        let mut sum = fields(draft, seed);
        let objects = [
            ("properties", &sections.properties.out),
            ("traits", &sections.traits.out),
            ("context", &sections.context.out),
        ];
        for ((name, section), part) in objects.into_iter().zip(PARTS) {
            if section.is_empty() {
                continue;
            }
            let hash = self.entries(Entries::new(section), part ^ seed);
            sum = sum.wrapping_add(hash.map_err(|flaw| flaw.below(name))?);
        }
        sum = sum.wrapping_add(run(&sections.consent_granted, PARTS[3] ^ seed));
        Ok(sum.wrapping_add(run(&sections.consent_denied, PARTS[4] ^ seed)))
    }

    fn entries(&mut self, entries: Entries<'_>, seed: u64) -> Result<u64, Box<Flaw>> {
        let base = self.paths.len();
        let mut sum = 0u64;
        for (path, value) in entries {
            let path_hash = text::hash(path, seed);
            self.paths.push(path_hash);
            sum = sum.wrapping_add(self.value(value, path_hash)?);
        }
        let twice = twice(&mut self.paths[base..]);
        self.paths.truncate(base);
        match twice {
            Some(hash) => Err(duplicate(entries, seed, hash)),
            None => Ok(sum),
        }
    }

    #[inline]
    fn value(&mut self, value: Value<'_>, seed: u64) -> Result<u64, Box<Flaw>> {
        Ok(match value {
            Value::Bool(value) => mix(seed, 1, u64::from(value)),
            Value::Int(value) => mix(seed, 2, value as u64),
            Value::UInt(value) => mix(seed, 3, value),
            Value::Float(value) => mix(seed, 4, value.to_bits()),
            Value::Str(value) => text::hash(value, seed),
            Value::Array(items) => {
                let start = mix(seed, 5, items.len() as u64);
                items.into_iter().try_fold(start, |hash, item| {
                    let next = mix(hash, 6, 0);
                    self.value(item, next)
                })?
            }
            Value::Object(entries) => mix(seed, 7, self.entries(entries, seed)?),
            Value::Null => mix(seed, 8, 0),
        })
    }
}

/// The texts and numbers with columns of their own.
fn fields(draft: &Draft<'_>, seed: u64) -> u64 {
    let event = &draft.event;
    let numbers = text::hash(&numbers(event, draft.timestamp_ms), seed);
    event.texts.present().fold(numbers, |sum, (number, text)| {
        let seed = seed ^ PARTS[2].wrapping_mul(number as u64 + 1);
        sum.wrapping_add(text::hash(text, seed))
    })
}

/// Folds a number into a seed: both halves of a 128-bit product.
#[inline]
fn mix(seed: u64, kind: u64, number: u64) -> u64 {
    let left = u128::from(seed ^ (kind.wrapping_mul(PARTS[0])));
    let right = u128::from(number ^ PARTS[1]) | 1 << 64;
    let product = left.wrapping_mul(right);
    let folded = (product as u64) ^ (product >> 64) as u64;
    (folded ^ (folded >> 29)).wrapping_mul(PARTS[2])
}

fn numbers(event: &Event<'_>, timestamp_ms: Option<i64>) -> [u8; 36] {
    let mut bytes = [0; 36];
    bytes[0] = u8::from(timestamp_ms.is_some());
    bytes[1..9].copy_from_slice(&timestamp_ms.unwrap_or_default().to_le_bytes());
    bytes[9..12].copy_from_slice(&[
        event.event_type as u8,
        event.consent as u8,
        u8::from(event.flags.gpc),
    ]);
    let (x, y) = event.click.unwrap_or((i32::MIN, i32::MIN));
    bytes[12..16].copy_from_slice(&x.to_le_bytes());
    bytes[16..20].copy_from_slice(&y.to_le_bytes());
    let sizes = [
        event.screen.0,
        event.screen.1,
        event.viewport.0,
        event.viewport.1,
    ];
    for (place, size) in bytes[20..28].chunks_exact_mut(2).zip(sizes) {
        place.copy_from_slice(&size.to_le_bytes());
    }
    // Adding 0.0 makes -0.0 the same as 0.0, which absent is too.
    bytes[28..].copy_from_slice(&(event.revenue + 0.0).to_bits().to_le_bytes());
    bytes
}

/// Texts of a run, in any order.
fn run(mut bytes: &[u8], seed: u64) -> u64 {
    let mut sum = 0u64;
    while let Some(value) = varint::take_bytes(&mut bytes) {
        sum = sum.wrapping_add(text::hash(value, seed));
    }
    sum
}

/// One that stands twice among `hashes`, which may be reordered.
fn twice(hashes: &mut [u64]) -> Option<u64> {
    const FEW: usize = 16;
    if hashes.len() <= FEW {
        let repeated = |(index, hash): &(usize, &u64)| hashes[..*index].contains(hash);
        return hashes
            .iter()
            .enumerate()
            .find(repeated)
            .map(|(_, hash)| *hash);
    }
    hashes.sort_unstable();
    let pairs = hashes.windows(2);
    pairs
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .next()
}

#[cold]
fn duplicate(mut entries: Entries<'_>, seed: u64, hash: u64) -> Box<Flaw> {
    let path = entries
        .find(|(path, _)| text::hash(path, seed) == hash)
        .map_or(&[][..], |(path, _)| path);
    let shown = String::from_utf8_lossy(path);
    Flaw::new(
        Code::DuplicateKey,
        path,
        format!("the key or dotted path \"{shown}\" stands twice"),
    )
}

/// An id for an event that has none: 128 bits of its content and, where the content has no time, of its place.
pub(super) fn made_up_id(hashes: [u64; 2], place: Option<(i64, u32)>) -> [u8; 32] {
    let mut bytes = [0; 28];
    bytes[..8].copy_from_slice(&hashes[0].to_le_bytes());
    bytes[8..16].copy_from_slice(&hashes[1].to_le_bytes());
    if let Some((now_ms, index)) = place {
        bytes[16..24].copy_from_slice(&now_ms.to_le_bytes());
        bytes[24..].copy_from_slice(&index.to_le_bytes());
    }
    let id = crate::record::hash128(&[b"content", &bytes]);
    let digits = format!("{id:032x}");
    let mut text = [0; 32];
    text.copy_from_slice(digits.as_bytes());
    text
}

/// Ids and names longer than this are refused.
pub(super) const LONGEST_ID: usize = 200;

/// The lengths of ids and names.
///
/// # Errors
/// `id_too_long`.
pub(super) fn check_lengths(draft: &Draft<'_>) -> Result<(), Box<Flaw>> {
    const BOUNDED: [Text; 7] = [
        Text::EventId,
        Text::EventName,
        Text::AnonymousId,
        Text::UserId,
        Text::ClientSessionId,
        Text::GroupId,
        Text::PreviousId,
    ];
    let longest = BOUNDED
        .iter()
        .map(|&text| draft.event.text(text).len())
        .max();
    if longest.max(Some(draft.event_type.len())) <= Some(LONGEST_ID) {
        return Ok(());
    }
    let texts = BOUNDED.map(|text| (text.column(), draft.event.text(text)));
    let too_long = |(_, text): &(&str, &[u8])| text.len() > LONGEST_ID;
    let (name, text) = texts
        .into_iter()
        .find(too_long)
        .unwrap_or(("event_type", draft.event_type));
    let message = format!(
        "{name} has {} bytes; up to {LONGEST_ID} are taken",
        text.len()
    );
    Err(Flaw::new(Code::IdTooLong, name.as_bytes(), message))
}
