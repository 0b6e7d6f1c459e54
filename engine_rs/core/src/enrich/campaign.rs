//! What a landing URL says about the advertisement or link that led there.

use super::Arena;
use crate::record::hash128;
use memchr::{memchr, memchr2};

/// A campaign as the page's URL or the client names it. Texts are UTF-8, decoded, each possibly empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Campaign<'a> {
    /// `utm_source`.
    pub source: &'a [u8],
    /// `utm_medium`.
    pub medium: &'a [u8],
    /// `utm_campaign`, or `utm_id` where only that is there.
    pub name: &'a [u8],
    /// `utm_term`.
    pub term: &'a [u8],
    /// `utm_content`.
    pub content: &'a [u8],
    /// Which click id it has, as its parameter is spelt: `gclid`, `fbclid`, ...
    pub click_id_type: &'a [u8],
    /// The click id itself.
    pub click_id: &'a [u8],
}

/// A parameter that an advertiser or platform adds to links, and what having it says.
pub(super) struct ClickId {
    pub name: &'static str,
    /// The `utm_source` that such a link would have.
    pub source: &'static str,
    /// The `utm_medium` that such a link would have; `referral` where free links carry the parameter too.
    pub medium: &'static str,
}

macro_rules! click_ids {
    ($($name:literal $source:literal $medium:literal,)*) => {
        /// Sorted by name, in lower case.
        const CLICK_IDS: &[ClickId] = &[$(ClickId { name: $name, source: $source, medium: $medium },)*];
    };
}

click_ids! {
    "_hsenc" "hubspot" "email",
    "_kx" "klaviyo" "email",
    "cjevent" "cj" "affiliate",
    "dclid" "google" "display",
    "dicbo" "outbrain" "cpc",
    "epik" "pinterest" "referral",
    "fbclid" "facebook" "referral",
    "gbraid" "google" "cpc",
    "gclid" "google" "cpc",
    "igsh" "instagram" "referral",
    "igshid" "instagram" "referral",
    "irclickid" "impact" "affiliate",
    "li_fat_id" "linkedin" "cpc",
    "mc_eid" "mailchimp" "email",
    "mkt_tok" "marketo" "email",
    "msclkid" "bing" "cpc",
    "obclid" "outbrain" "cpc",
    "qclid" "quora" "cpc",
    "ransiteid" "rakuten" "affiliate",
    "rdt_cid" "reddit" "cpc",
    "sccid" "snapchat" "cpc",
    "srsltid" "google-shopping" "organic",
    "tblci" "taboola" "cpc",
    "ttclid" "tiktok" "cpc",
    "twclid" "twitter" "cpc",
    "wbraid" "google" "cpc",
    "yclid" "yandex" "cpc",
}

const LONGEST_CLICK_ID: usize = 9;

/// By length, the first letters (a bit each, by their low five bits) of the click ids: most parameters fail this look.
const FIRST_LETTERS: [u32; LONGEST_CLICK_ID + 1] = {
    let mut letters = [0; LONGEST_CLICK_ID + 1];
    let mut index = 0;
    while index < CLICK_IDS.len() {
        let name = CLICK_IDS[index].name.as_bytes();
        letters[name.len()] |= 1 << (name[0] & 31);
        index += 1;
    }
    letters
};

/// The click id of that name.
pub(super) fn click_id(name: &[u8]) -> Option<&'static ClickId> {
    let letters = FIRST_LETTERS.get(name.len())?;
    if letters >> (name.first()? & 31) & 1 == 0 {
        return None;
    }
    let mut lower = [0; LONGEST_CLICK_ID];
    let lower = &mut lower[..name.len()];
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let found = CLICK_IDS.binary_search_by(|known| known.name.as_bytes().cmp(lower));
    found.ok().map(|index| &CLICK_IDS[index])
}

impl<'a> Campaign<'a> {
    /// What `query` (a URL's, without the question mark) says. Of a repeated parameter, and of several click ids, the
    /// first counts. Decoded texts are put into `arena`; those that need no decoding stay in `query`.
    #[must_use]
    pub fn of_query(query: &'a [u8], arena: &'a Arena) -> Self {
        let mut found = Self::default();
        let mut id: &[u8] = b"";
        let mut rest = query;
        while !rest.is_empty() {
            let parameter = take_until(&mut rest, b'&');
            let mut value = parameter;
            let name = take_until(&mut value, b'=');
            // Links that were escaped for HTML twice have `&amp;` between their parameters.
            let name = name.strip_prefix(b"amp;").unwrap_or(name);
            if value.is_empty() {
                continue;
            }
            if name.len() > 4 && name[..4].eq_ignore_ascii_case(b"utm_") {
                let field = match &name[4..] {
                    name if name.eq_ignore_ascii_case(b"source") => &mut found.source,
                    name if name.eq_ignore_ascii_case(b"medium") => &mut found.medium,
                    name if name.eq_ignore_ascii_case(b"campaign") => &mut found.name,
                    name if name.eq_ignore_ascii_case(b"term") => &mut found.term,
                    name if name.eq_ignore_ascii_case(b"content") => &mut found.content,
                    name if name.eq_ignore_ascii_case(b"id") => &mut id,
                    _ => continue,
                };
                if field.is_empty() {
                    *field = decode(value, arena);
                }
            } else if found.click_id.is_empty()
                && let Some(known) = click_id(name)
            {
                found.click_id_type = known.name.as_bytes();
                found.click_id = decode(value, arena);
            }
        }
        if found.name.is_empty() {
            found.name = id;
        }
        found
    }

    /// Whether it says nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields().iter().all(|field| field.is_empty())
    }

    /// What tells one campaign from another; 0 where there is none.
    #[must_use]
    pub fn hash(&self) -> u64 {
        if self.is_empty() {
            0
        } else {
            (hash128(&self.fields()) as u64).max(1)
        }
    }

    fn fields(&self) -> [&'a [u8]; 7] {
        [
            self.source,
            self.medium,
            self.name,
            self.term,
            self.content,
            self.click_id_type,
            self.click_id,
        ]
    }
}

/// Takes what stands before the next `end` off the front of `rest`, and drops that `end`.
fn take_until<'a>(rest: &mut &'a [u8], end: u8) -> &'a [u8] {
    match memchr(end, rest) {
        Some(at) => {
            let taken = &rest[..at];
            *rest = &rest[at + 1..];
            taken
        }
        None => std::mem::take(rest),
    }
}

/// Undoes form encoding: `%20` and `+` are spaces. What is not UTF-8 then becomes U+FFFD.
fn decode<'a>(value: &'a [u8], arena: &'a Arena) -> &'a [u8] {
    if memchr2(b'%', b'+', value).is_none() {
        return valid(value, arena);
    }
    let out = arena.alloc_slice_copy(value);
    let (mut read, mut written) = (0, 0);
    while read < value.len() {
        let (byte, length) = match value[read..] {
            [b'+', ..] => (b' ', 1),
            [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(high) << 4 | hex(low), 3)
            }
            [byte, ..] => (byte, 1),
            [] => break,
        };
        out[written] = byte;
        read += length;
        written += 1;
    }
    valid(&out[..written], arena)
}

/// The value of a digit that is known to be hexadecimal.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

fn valid<'a>(text: &'a [u8], arena: &'a Arena) -> &'a [u8] {
    match String::from_utf8_lossy(text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(repaired) => arena.alloc_slice_copy(repaired.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn utm_fields_are_found_and_decoded() {
        let arena = Arena::new();
        let query = b"id=7&utm_source=news%20letter&UTM_Medium=e-mail&amp;utm_campaign=spring+sale%21&utm_term=&utm_term=caf%C3%A9&utm_content=50%&utm_source=second";
        let campaign = Campaign::of_query(query, &arena);
        assert_eq!(campaign.source, b"news letter");
        assert_eq!(campaign.medium, b"e-mail");
        assert_eq!(campaign.name, b"spring sale!");
        assert_eq!(campaign.term, "café".as_bytes());
        assert_eq!(campaign.content, b"50%");
        assert!(campaign.click_id.is_empty());
    }

    #[test]
    fn the_first_click_id_counts() {
        let arena = Arena::new();
        let campaign = Campaign::of_query(b"x=1&ScCid=a-b&gclid=Cj0%2B", &arena);
        assert_eq!(
            (campaign.click_id_type, campaign.click_id),
            (b"sccid".as_slice(), b"a-b".as_slice())
        );
        let campaign = Campaign::of_query(b"gclid=&wbraid=w", &arena);
        assert_eq!(campaign.click_id_type, b"wbraid");
    }

    #[test]
    fn an_id_stands_in_for_a_name() {
        let arena = Arena::new();
        assert_eq!(Campaign::of_query(b"utm_id=42", &arena).name, b"42");
        assert_eq!(
            Campaign::of_query(b"utm_id=42&utm_campaign=x", &arena).name,
            b"x"
        );
    }

    #[test]
    fn what_is_no_campaign_hashes_to_zero() {
        let arena = Arena::new();
        assert_eq!(
            Campaign::of_query(b"q=utm_source&page=2&utm_&utm_source", &arena).hash(),
            0
        );
        let one = Campaign::of_query(b"utm_source=a&utm_medium=b", &arena);
        let other = Campaign::of_query(b"utm_medium=b&utm_source=a", &arena);
        assert_eq!(one.hash(), other.hash());
        assert_ne!(
            one.hash(),
            Campaign::of_query(b"utm_source=b&utm_medium=a", &arena).hash()
        );
    }

    #[test]
    fn the_table_of_click_ids_can_be_searched() {
        assert!(CLICK_IDS.is_sorted_by_key(|known| known.name));
        assert_eq!(
            CLICK_IDS.iter().map(|known| known.name.len()).max(),
            Some(LONGEST_CLICK_ID)
        );
        for known in CLICK_IDS {
            assert_eq!(
                click_id(known.name.as_bytes()).map(|found| found.name),
                Some(known.name)
            );
        }
    }

    proptest! {
        #[test]
        fn any_query_gives_utf8(query in "(utm_source|utm_id|gclid|x)(=|%|[+&])".prop_map(String::into_bytes), tail: Vec<u8>) {
            let arena = Arena::new();
            let query = [query, tail].concat();
            for field in Campaign::of_query(&query, &arena).fields() {
                prop_assert!(std::str::from_utf8(field).is_ok());
            }
        }

        #[test]
        fn what_was_encoded_is_decoded(value in "\\PC{1,20}") {
            let encoded: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let arena = Arena::new();
            let query = format!("utm_source={encoded}");
            prop_assert_eq!(Campaign::of_query(query.as_bytes(), &arena).source, value.as_bytes());
        }
    }
}
