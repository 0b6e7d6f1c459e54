//! Takes a URL apart, forgivingly: whatever a client calls a URL has some host, path and query.

use super::Arena;
use memchr::{memchr, memrchr};

/// The parts of a URL that events keep, each possibly empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Url<'a> {
    /// Lower case, without user, port and trailing dot; IPv6 in brackets. Empty for a relative URL.
    pub host: &'a [u8],
    /// From the first slash on; `/` where the URL names a host and no path.
    pub path: &'a [u8],
    /// Without the question mark.
    pub query: &'a [u8],
}

impl<'a> Url<'a> {
    /// Takes `text` apart. Only a host in upper case is copied (into `arena`).
    #[must_use]
    pub fn parse(text: &'a [u8], arena: &'a Arena) -> Self {
        let text = text.trim_ascii();
        let text = &text[..memchr(b'#', text).unwrap_or(text.len())];
        let (place, query) = match memchr(b'?', text) {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &text[text.len()..]),
        };
        let Some(rest) = after_scheme(place) else {
            return Self {
                host: b"",
                path: place,
                query,
            };
        };
        let (authority, path) = rest.split_at(memchr(b'/', rest).unwrap_or(rest.len()));
        Self {
            host: lower(host_of(authority), arena),
            path: if path.is_empty() { b"/" } else { path },
            query,
        }
    }
}

/// What follows `scheme://` or `//`, or all of it where the scheme is missing and a host stands first; `None` for a URL
/// without a host.
fn after_scheme(place: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = place.strip_prefix(b"https://") {
        return Some(rest);
    }
    match memchr(b':', place) {
        Some(colon) if is_scheme(&place[..colon]) && place[colon + 1..].starts_with(b"//") => {
            Some(&place[colon + 3..])
        }
        _ if place.starts_with(b"//") => Some(&place[2..]),
        _ if starts_with_host(place) => Some(place),
        _ => None,
    }
}

fn is_scheme(text: &[u8]) -> bool {
    text.first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

/// `example.com/path`: the first segment has dots and ends in a known public suffix. A bare `index.html` has none.
fn starts_with_host(place: &[u8]) -> bool {
    let segment = &place[..memchr(b'/', place).unwrap_or(place.len())];
    let host = &segment[..memchr(b':', segment).unwrap_or(segment.len())];
    memchr(b'.', host).is_some_and(|dot| dot > 0)
        && host
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
        && psl::suffix(host).is_some_and(|suffix| suffix.is_known())
}

/// The host of `user:password@host:port`.
fn host_of(authority: &[u8]) -> &[u8] {
    let host = &authority[memrchr(b'@', authority).map_or(0, |at| at + 1)..];
    if host.first() == Some(&b'[') {
        return &host[..memchr(b']', host).map_or(host.len(), |end| end + 1)];
    }
    let host = &host[..memchr(b':', host).unwrap_or(host.len())];
    host.strip_suffix(b".").unwrap_or(host)
}

fn lower<'a>(host: &'a [u8], arena: &'a Arena) -> &'a [u8] {
    if !host.iter().any(u8::is_ascii_uppercase) {
        return host;
    }
    let copy = arena.alloc_slice_copy(host);
    copy.make_ascii_lowercase();
    copy
}

/// Whether two hosts belong to one site: they are equal, or have the same registrable domain.
#[must_use]
pub fn same_site(one: &[u8], other: &[u8]) -> bool {
    if one.is_empty() || other.is_empty() {
        return false;
    }
    one == other
        || match (psl::domain(one), psl::domain(other)) {
            (Some(one), Some(other)) => one.suffix().is_known() && one == other,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> (String, String, String) {
        let arena = Arena::new();
        let url = Url::parse(text.as_bytes(), &arena);
        let [host, path, query] =
            [url.host, url.path, url.query].map(|part| String::from_utf8(part.to_vec()).unwrap());
        (host, path, query)
    }

    #[test]
    fn every_shape_of_url_comes_apart() {
        for (text, host, path, query) in [
            (
                "https://example.com/a/b?x=1#top",
                "example.com",
                "/a/b",
                "x=1",
            ),
            ("https://example.com", "example.com", "/", ""),
            ("https://example.com?x=1", "example.com", "/", "x=1"),
            (
                "HTTP://User:Pa@ss@Shop.Example.COM:8443/a",
                "shop.example.com",
                "/a",
                "",
            ),
            ("http://[2001:DB8::1]:8080/a", "[2001:db8::1]", "/a", ""),
            ("http://[2001:db8::1", "[2001:db8::1", "/", ""),
            ("//cdn.example.com./x", "cdn.example.com", "/x", ""),
            ("/services?id=7", "", "/services", "id=7"),
            (
                "/go?to=https://example.com/",
                "",
                "/go",
                "to=https://example.com/",
            ),
            ("example.com/path", "example.com", "/path", ""),
            ("www.example.co.uk:443", "www.example.co.uk", "/", ""),
            ("index.html", "", "index.html", ""),
            ("../up.html?a", "", "../up.html", "a"),
            ("about:blank", "", "about:blank", ""),
            (
                "mailto:someone@example.com",
                "",
                "mailto:someone@example.com",
                "",
            ),
            ("file:///home/page.html", "", "/home/page.html", ""),
            (
                "android-app://com.google.android.gm/",
                "com.google.android.gm",
                "/",
                "",
            ),
            ("  https://example.com/a \n", "example.com", "/a", ""),
            ("https://", "", "/", ""),
            ("?q=1", "", "", "q=1"),
            ("", "", "", ""),
        ] {
            let expected = (host.into(), path.into(), query.into());
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn a_site_is_its_registrable_domain() {
        assert!(same_site(b"www.example.com", b"shop.example.com"));
        assert!(same_site(b"localhost", b"localhost"));
        assert!(!same_site(b"one.co.uk", b"two.co.uk"));
        assert!(!same_site(b"one.github.io", b"two.github.io"));
        assert!(!same_site(b"a.corp", b"b.corp"));
        assert!(!same_site(b"10.0.0.1", b"10.1.0.1"));
        assert!(!same_site(b"", b""));
    }

    proptest! {
        #[test]
        fn any_bytes_come_apart(one: Vec<u8>, other: Vec<u8>) {
            let arena = Arena::new();
            let url = Url::parse(&one, &arena);
            prop_assert!(url.host.len() + url.query.len() <= one.len());
            let _ = same_site(&one, &other);
        }

        #[test]
        fn anything_like_a_url_comes_apart(text in "[a-z]{0,5}:?/{0,3}[a-zA-Z0-9.@:\\[\\]-]{0,12}[/?#a-z=&%]{0,12}") {
            let arena = Arena::new();
            let url = Url::parse(text.as_bytes(), &arena);
            prop_assert!(!url.host.iter().any(u8::is_ascii_uppercase));
            prop_assert!(!url.path.contains(&b'?') && !url.query.contains(&b'#'));
        }
    }
}
