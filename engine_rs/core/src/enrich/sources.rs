//! Which well-known sites are search engines, social networks, video sites, shops and assistants.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What kind of site sends a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// A search engine.
    Search,
    /// A social network, forum or messenger.
    Social,
    /// A video site.
    Video,
    /// A shop, marketplace or price comparison.
    Shopping,
    /// An assistant that answers with links.
    Assistant,
    /// A part of one of these sites that is none of it, such as a search engine's documents.
    Other,
}

/// The table, made once of `sources.txt`.
static SOURCES: LazyLock<HashMap<&[u8], Category>> =
    LazyLock::new(|| entries(include_str!("sources.txt")).collect());

/// Sections `[category]` of words.
fn entries(text: &'static str) -> impl Iterator<Item = (&'static [u8], Category)> {
    let mut category = Category::Other;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .flat_map(str::split_whitespace)
        .filter_map(move |word| {
            if let Some(name) = word.strip_prefix('[') {
                category = section(name.trim_end_matches(']'));
                return None;
            }
            Some((word.as_bytes(), category))
        })
}

fn section(name: &str) -> Category {
    match name {
        "search" => Category::Search,
        "social" => Category::Social,
        "video" => Category::Video,
        "shopping" => Category::Shopping,
        "assistant" => Category::Assistant,
        _ => Category::Other,
    }
}

/// The category of a referrer's host or a `utm_source`, in lower case; `None` for all the rest of the world.
///
/// A domain of the table stands for its subdomains too, unless they have an entry of their own; `google.*` stands for that
/// name under every public suffix.
#[must_use]
pub fn category(source: &[u8]) -> Option<Category> {
    let mut name = source;
    loop {
        if let Some(&category) = SOURCES.get(name) {
            return Some(category);
        }
        match memchr::memchr(b'.', name) {
            Some(dot) => name = &name[dot + 1..],
            None => return brand_category(source),
        }
    }
}

fn brand_category(host: &[u8]) -> Option<Category> {
    const LONGEST: usize = 32;
    let domain = psl::domain(host)?;
    let brand = domain.as_bytes().strip_suffix(domain.suffix().as_bytes())?;
    let mut key = [b'*'; LONGEST];
    key.get_mut(..brand.len())?.copy_from_slice(brand);
    SOURCES.get(key.get(..=brand.len())?).copied()
}
