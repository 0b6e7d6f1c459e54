//! A visitor's id as their client stated it. Most are UUIDs or hashes, of which half the characters are kept, in place.

/// Where the dashes of a UUID are.
const DASHES: [usize; 4] = [8, 13, 18, 23];
const UUID_BYTES: usize = 36;
const HEX_BYTES: usize = 32;

/// The anonymous id, or else the user id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity(Form);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    /// 8-4-4-4-12 hexadecimal digits in lower case.
    Uuid([u8; 16]),
    /// 32 of them without dashes.
    Hex([u8; 16]),
    Text(Box<[u8]>),
}

impl Identity {
    /// Keeps `text`.
    pub fn new(text: &[u8]) -> Self {
        let packed = match text.len() {
            UUID_BYTES => without_dashes(text).and_then(pack).map(Form::Uuid),
            HEX_BYTES => pack(text.iter().copied()).map(Form::Hex),
            _ => None,
        };
        Self(packed.unwrap_or_else(|| Form::Text(text.into())))
    }

    /// What was kept.
    pub fn text(&self) -> Box<[u8]> {
        match &self.0 {
            Form::Uuid(packed) => {
                let mut text = Vec::with_capacity(UUID_BYTES);
                for digit in unpack(packed) {
                    if DASHES.contains(&text.len()) {
                        text.push(b'-');
                    }
                    text.push(digit);
                }
                text.into()
            }
            Form::Hex(packed) => unpack(packed).collect(),
            Form::Text(text) => text.clone(),
        }
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Form::Uuid(_) | Form::Hex(_) => 0,
            Form::Text(text) => text.len(),
        }
    }
}

fn without_dashes(text: &[u8]) -> Option<impl Iterator<Item = u8>> {
    let is_dashed = DASHES.iter().all(|&place| text[place] == b'-');
    let digits = text.iter().enumerate();
    is_dashed.then(|| {
        digits
            .filter(|(place, _)| !DASHES.contains(place))
            .map(|(_, &digit)| digit)
    })
}

fn pack(mut digits: impl Iterator<Item = u8>) -> Option<[u8; 16]> {
    let mut packed = [0; 16];
    for byte in &mut packed {
        *byte = nibble(digits.next()?)? << 4 | nibble(digits.next()?)?;
    }
    Some(packed)
}

fn unpack(packed: &[u8; 16]) -> impl Iterator<Item = u8> + '_ {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    packed
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| DIGITS[usize::from(nibble)])
}

/// Upper case would not come back as it was.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_comes_back(
            text in prop_oneof![
                "[0-9a-fA-F-]{30,38}",
                "[0-9a-f]{32}",
                "[0-9a-fg]{8}-[0-9a-fA]{4}-[0-9a-f]{4}-[0-9a-f]{4}[-0][0-9a-f]{12}",
                ".*",
            ]
        ) {
            let identity = Identity::new(text.as_bytes());
            prop_assert_eq!(&*identity.text(), text.as_bytes());
        }
    }

    #[test]
    fn usual_ids_take_nothing_from_the_heap() {
        for usual in [
            "018f3c1e-7b5a-7c3d-9e2f-0123456789ab",
            "0123456789abcdef0123456789abcdef",
        ] {
            let identity = Identity::new(usual.as_bytes());
            assert_eq!(identity.heap_bytes(), 0);
            assert_eq!(&*identity.text(), usual.as_bytes());
        }
        assert_eq!(Identity::new(b"customer-7").heap_bytes(), 10);
    }
}
