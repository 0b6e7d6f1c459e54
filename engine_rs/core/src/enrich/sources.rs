//! Which well-known sites are search engines, social networks, video sites, shops and assistants.

use crate::text;
use hashbrown::HashTable;
use memchr::memchr;
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
static SOURCES: LazyLock<HashTable<(&[u8], Category)>> = LazyLock::new(|| {
    let mut table = HashTable::new();
    for entry in entries(include_str!("sources.txt")) {
        table.insert_unique(text::hash(entry.0, 0), entry, |entry| {
            text::hash(entry.0, 0)
        });
    }
    table
});

fn listed(word: &[u8]) -> Option<Category> {
    let entry = SOURCES.find(text::hash(word, 0), |entry| entry.0 == word);
    entry.map(|&(_, category)| category)
}

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
    if !source.contains(&b'.') {
        return listed(source);
    }
    let mut domain = source;
    while let Some(dot) = memchr(b'.', domain) {
        if let Some(category) = listed(domain) {
            return Some(category);
        }
        domain = &domain[dot + 1..];
    }
    brand_category(source)
}

/// The category of `google.*`, for a host such as `www.google.co.uk`.
fn brand_category(host: &[u8]) -> Option<Category> {
    const LONGEST: usize = 32;
    let domain = psl::domain(host)?;
    let brand = domain.as_bytes().strip_suffix(domain.suffix().as_bytes())?;
    let mut key = [b'*'; LONGEST];
    key.get_mut(..brand.len())?.copy_from_slice(brand);
    listed(key.get(..=brand.len())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_table_is_clean() {
        let text = include_str!("sources.txt");
        let words: Vec<_> = entries(text).collect();
        assert!(words.len() > 500);
        let distinct: HashSet<_> = words.iter().map(|(word, _)| word).collect();
        assert_eq!(words.len(), distinct.len(), "a word stands there twice");
        for (word, _) in words {
            let word = std::str::from_utf8(word).unwrap();
            let plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.*".contains(c);
            assert!(word.chars().all(plain), "{word}");
            let brand = word
                .strip_suffix(".*")
                .is_none_or(|brand| !brand.contains('.'));
            assert!(brand, "{word}: only a name can stand before .*");
        }
        for section in text.lines().filter(|line| line.starts_with('[')) {
            assert!(
                [
                    "[search]",
                    "[social]",
                    "[video]",
                    "[shopping]",
                    "[assistant]",
                    "[other]"
                ]
                .contains(&section)
            );
        }
    }

    #[test]
    fn domains_stand_for_their_subdomains() {
        for (source, expected) in [
            ("google", Some(Category::Search)),
            ("www.google.com.br", Some(Category::Search)),
            ("gemini.google.com", Some(Category::Assistant)),
            ("docs.google.com", Some(Category::Other)),
            ("de.search.yahoo.com", Some(Category::Search)),
            ("out.reddit.com", Some(Category::Social)),
            ("reddit.com.example.org", None),
            ("notreddit.com", None),
            ("blog.google", None),
            (".", None),
            ("", None),
        ] {
            assert_eq!(category(source.as_bytes()), expected, "{source}");
        }
    }
}
