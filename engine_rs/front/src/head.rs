//! What a request says before its body, as far as it is ordinary: everything else is Python's to read.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, ORIGIN, UPGRADE, USER_AGENT,
};
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use ipnet::IpNet;
use reviva_core::intake::Request;
use reviva_core::wire::Format;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// Carries a client's address from here to Python.
pub const PEER: HeaderName = HeaderName::from_static("x-reviva-peer");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const GPC: HeaderName = HeaderName::from_static("sec-gpc");
const HISTORY: HeaderName = HeaderName::from_static("x-reviva-history");
const KEY: HeaderName = HeaderName::from_static("x-reviva-key");
const RPC: &str = "/reviva.v1.IngestService/Ingest";

/// What a path takes by POST.
#[derive(Debug, Clone)]
pub struct Path {
    /// `None` where the request itself says.
    pub format: Option<Format>,
    /// What Segment's single-call path says.
    pub event_kind: String,
}

/// By which rules heads are read.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    /// Where events are taken over HTTP.
    pub paths: HashMap<String, Path>,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins of web pages that may read answers; `None`: all.
    pub origins: Option<HashSet<String>>,
    /// What their answers carry beside the origin.
    pub exposing: HeaderMap,
}

/// What the engine wants to know beside the body.
#[derive(Debug, PartialEq)]
pub struct Head<'p> {
    /// The API key, where it does not stand in the body.
    pub key: Option<Cow<'p, str>>,
    /// Of the body.
    pub format: Format,
    event_kind: &'p str,
    content_encoding: &'p str,
    remote_ip: Cow<'p, str>,
    user_agent: &'p str,
    gpc: bool,
    history: bool,
}

impl Head<'_> {
    /// The request as the engine wants it.
    pub fn request(&self, now_ms: i64) -> Request<'_> {
        Request {
            key: self.key.as_deref(),
            event_kind: self.event_kind,
            content_encoding: self.content_encoding,
            remote_ip: &self.remote_ip,
            user_agent: self.user_agent,
            gpc: self.gpc,
            history: self.history,
            ..Request::new(self.format, now_ms)
        }
    }

    /// Whether a small body may be a large one.
    pub fn is_encoded(&self) -> bool {
        !self.content_encoding.is_empty()
    }
}

impl Heads {
    /// Reads an HTTP request's head; `None` where it is none that brings events, or not an ordinary one.
    pub fn read_http<'p>(&'p self, parts: &'p Parts, peer: &'p str) -> Option<Head<'p>> {
        let path = self.paths.get(parts.uri.path())?;
        if parts.method != Method::POST || parts.headers.contains_key(UPGRADE) {
            return None;
        }
        let query = Query::read(parts.uri.query().unwrap_or_default());
        if query.replay {
            return None;
        }
        let text = |name: HeaderName| match last(&parts.headers, &name) {
            Some(value) => value.to_str().ok(),
            None => Some(""),
        };
        let media_type = text(CONTENT_TYPE)?;
        Some(Head {
            key: match key_of(&parts.headers)? {
                Some(key) => Some(key),
                None => query.key.map(Cow::Owned),
            },
            format: path
                .format
                .unwrap_or_else(|| query.format.unwrap_or_else(|| native_format(media_type))),
            event_kind: &path.event_kind,
            content_encoding: text(CONTENT_ENCODING)?,
            remote_ip: self.remote_ip(&parts.headers, peer)?,
            user_agent: text(USER_AGENT)?,
            gpc: last(&parts.headers, &GPC).is_some_and(|value| value == "1"),
            history: query.history || is_set(text(HISTORY)?),
        })
    }

    /// Reads the head of a unary call that brings events; `None` where it is another call, or not an ordinary one.
    pub fn read_grpc<'p>(&'p self, parts: &'p Parts, peer: &'p str) -> Option<Head<'p>> {
        let history = match last(&parts.headers, &HISTORY) {
            Some(value) => is_set(value.to_str().ok()?),
            None => false,
        };
        (parts.uri.path() == RPC).then_some(())?;
        Some(Head {
            key: key_of(&parts.headers)?,
            format: Format::Proto,
            event_kind: "",
            content_encoding: "",
            remote_ip: Cow::Borrowed(peer),
            // That of gRPC names a library, not a visitor's browser: events must carry their own.
            user_agent: "",
            gpc: false,
            history,
        })
    }

    /// The headers by which the web page that sent the request may read its answer.
    pub fn exposing(&self, headers: &HeaderMap) -> HeaderMap {
        let Some(origin) = last(headers, &ORIGIN) else {
            return HeaderMap::new();
        };
        let name = origin.as_bytes().to_ascii_lowercase();
        let is_welcome =
            |known: &HashSet<String>| str::from_utf8(&name).is_ok_and(|name| known.contains(name));
        if !self.origins.as_ref().is_none_or(is_welcome) {
            return HeaderMap::new();
        }
        let mut exposing = self.exposing.clone();
        exposing.insert("access-control-allow-origin", origin.clone());
        exposing
    }

    /// The nearest address that is no trusted proxy.
    fn remote_ip<'p>(&self, headers: &'p HeaderMap, peer: &'p str) -> Option<Cow<'p, str>> {
        if self.trusted_proxies.is_empty()
            || !headers.contains_key(FORWARDED_FOR)
            || !self.is_trusted(peer)
        {
            return Some(Cow::Borrowed(peer));
        }
        let mut farthest = None;
        // Proxies may add a header of their own instead of extending the one that is there.
        for value in headers.get_all(FORWARDED_FOR).iter().rev() {
            for hop in value.to_str().ok()?.rsplit(',').map(str::trim) {
                if !hop.is_empty() && !self.is_trusted(hop) {
                    return Some(Cow::Borrowed(hop));
                }
                farthest = Some(hop);
            }
        }
        let farthest = farthest.filter(|hop| !hop.is_empty());
        Some(Cow::Borrowed(farthest.unwrap_or(peer)))
    }

    fn is_trusted(&self, address: &str) -> bool {
        address.parse::<IpAddr>().is_ok_and(|address| {
            let mut trusted = self.trusted_proxies.iter();
            trusted.any(|network| network.contains(&address))
        })
    }
}

/// What may stand behind a path.
#[derive(Default)]
struct Query {
    key: Option<String>,
    format: Option<Format>,
    history: bool,
    replay: bool,
}

impl Query {
    /// Of a parameter that is repeated, the last counts.
    fn read(query: &str) -> Self {
        let (mut key, mut write_key, mut read) = (None, None, Self::default());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "key" => key = Some(value.into_owned()),
                "writeKey" => write_key = Some(value.into_owned()),
                "format" => read.format = native_named(&value),
                "history" => read.history = is_set(&value),
                "replay" => read.replay = is_set(&value),
                _ => {}
            }
        }
        let is_given = |key: &String| !key.is_empty();
        read.key = key.filter(is_given).or(write_key.filter(is_given));
        read
    }
}

/// Headers from their names and values.
///
/// # Errors
/// Where one of them cannot be one.
pub fn headers(lines: &[(String, String)]) -> Result<HeaderMap, hyper::http::Error> {
    let mut headers = HeaderMap::with_capacity(lines.len() + 1);
    for (name, value) in lines {
        headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(headers)
}

/// Of a header that is repeated, the last.
fn last<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    headers.get_all(name).iter().next_back()
}

/// The key as Bearer, as Basic's user name or in a header of our own. The outer `None`: it cannot be read.
fn key_of(headers: &HeaderMap) -> Option<Option<Cow<'_, str>>> {
    if let Some(value) = last(headers, &AUTHORIZATION) {
        let (scheme, credentials) = value.to_str().ok()?.split_once(' ').unwrap_or_default();
        let credentials = credentials.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !credentials.is_empty() {
            return Some(Some(Cow::Borrowed(credentials)));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = String::from_utf8(BASE64_STANDARD.decode(credentials).ok()?).ok()?;
            let key = decoded.split(':').next().filter(|key| !key.is_empty())?;
            return Some(Some(Cow::Owned(key.to_owned())));
        }
    }
    let own = last(headers, &KEY).filter(|value| !value.is_empty());
    Some(match own {
        Some(value) => Some(Cow::Borrowed(value.to_str().ok()?)),
        None => None,
    })
}

fn is_set(value: &str) -> bool {
    ["1", "true", "yes"]
        .iter()
        .any(|yes| value.eq_ignore_ascii_case(yes))
}

fn native_named(name: &str) -> Option<Format> {
    Format::from_name(name).filter(|&format| format != Format::Segment)
}

/// Browsers send JSON as text/plain to spare themselves a preflight, so an unknown type means JSON too.
fn native_format(media_type: &str) -> Format {
    let name = media_type.split(';').next().unwrap_or_default().trim();
    let is = |known: &[&str]| known.iter().any(|known| name.eq_ignore_ascii_case(known));
    if is(&[
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
    ]) {
        Format::Ndjson
    } else if is(&[
        "application/x-protobuf",
        "application/protobuf",
        "application/vnd.google.protobuf",
    ]) {
        Format::Proto
    } else {
        Format::Json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads() -> Heads {
        let path = |format, event_kind: &str| Path {
            format,
            event_kind: event_kind.to_owned(),
        };
        Heads {
            paths: HashMap::from([
                ("/v1/events".to_owned(), path(None, "")),
                ("/v1/t".to_owned(), path(Some(Format::Segment), "t")),
            ]),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            origins: Some(HashSet::from(["https://shop.example".to_owned()])),
            exposing: headers(&[("vary".to_owned(), "Origin".to_owned())]).unwrap(),
        }
    }

    fn parts(method: &str, uri: &str, lines: &[(&str, &str)]) -> Parts {
        let mut request = hyper::Request::builder().method(method).uri(uri);
        for &(name, value) in lines {
            request = request.header(name, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn key_in(uri: &str, lines: &[(&str, &str)]) -> Option<String> {
        let (heads, parts) = (heads(), parts("POST", uri, lines));
        let head = heads.read_http(&parts, "192.0.2.1").unwrap();
        head.key.map(Cow::into_owned)
    }

    fn format_of(uri: &str, lines: &[(&str, &str)]) -> Format {
        let (heads, parts) = (heads(), parts("POST", uri, lines));
        heads.read_http(&parts, "192.0.2.1").unwrap().format
    }

    fn ip_of(peer: &str, forwarded: &[&str]) -> String {
        let lines: Vec<_> = forwarded
            .iter()
            .map(|&it| ("x-forwarded-for", it))
            .collect();
        let (heads, parts) = (heads(), parts("POST", "/v1/events", &lines));
        let head = heads.read_http(&parts, peer).unwrap();
        head.remote_ip.into_owned()
    }

    #[test]
    fn keys_are_found_where_clients_put_them() {
        let key = Some("secret".to_owned());
        for (uri, lines) in [
            ("/v1/events", [("authorization", "Bearer secret")]),
            ("/v1/events", [("authorization", "bearer  secret ")]),
            ("/v1/events", [("authorization", "Basic c2VjcmV0Og==")]),
            ("/v1/events", [("authorization", "BASIC c2VjcmV0OnB3")]),
            ("/v1/events", [("x-reviva-key", "secret")]),
            ("/v1/events?key=secret", [("x-reviva-key", "")]),
            (
                "/v1/events?key=&writeKey=se%63ret",
                [("authorization", "Digest x")],
            ),
        ] {
            assert_eq!(key_in(uri, &lines), key, "{uri} {lines:?}");
        }
        assert_eq!(key_in("/v1/events?x=1", &[]), None);
    }

    #[test]
    fn the_format_is_as_query_media_type_or_path_say() {
        let ndjson = [("content-type", "Application/X-NDJSON; charset=utf-8")];
        assert_eq!(format_of("/v1/events", &ndjson), Format::Ndjson);
        assert_eq!(format_of("/v1/events?format=proto", &ndjson), Format::Proto);
        assert_eq!(
            format_of("/v1/events?format=segment", &ndjson),
            Format::Ndjson
        );
        assert_eq!(format_of("/v1/t", &ndjson), Format::Segment);
        let text = [("content-type", "text/plain;charset=UTF-8")];
        assert_eq!(format_of("/v1/events", &text), Format::Json);
        assert_eq!(
            format_of("/v1/events", &[("content-type", "application/protobuf")]),
            Format::Proto
        );
    }

    #[test]
    fn what_is_not_plain_is_left_to_python() {
        for (method, uri, line) in [
            ("GET", "/v1/events", ("accept", "*/*")),
            ("POST", "/v1/other", ("accept", "*/*")),
            ("POST", "/v1/%65vents", ("accept", "*/*")),
            ("POST", "/v1/events?replay=1", ("accept", "*/*")),
            ("POST", "/v1/events", ("upgrade", "h2c")),
            ("POST", "/v1/events", ("authorization", "Basic ???")),
            ("POST", "/v1/events", ("user-agent", "caf\u{e9}")),
        ] {
            let (heads, parts) = (heads(), parts(method, uri, &[line]));
            assert_eq!(
                heads.read_http(&parts, "192.0.2.1"),
                None,
                "{method} {uri} {line:?}"
            );
        }
    }

    #[test]
    fn an_address_is_believed_as_far_as_trusted_proxies_wrote_it() {
        assert_eq!(ip_of("192.0.2.1", &["203.0.113.7"]), "192.0.2.1");
        assert_eq!(ip_of("10.0.0.1", &["203.0.113.7"]), "203.0.113.7");
        assert_eq!(
            ip_of("10.0.0.1", &["6.6.6.6, 203.0.113.7 , 10.9.9.9"]),
            "203.0.113.7"
        );
        assert_eq!(
            ip_of("10.0.0.1", &["6.6.6.6", "203.0.113.7", "10.2.2.2"]),
            "203.0.113.7"
        );
        assert_eq!(ip_of("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(ip_of("10.0.0.1", &[""]), "10.0.0.1");
    }

    #[test]
    fn pages_of_welcome_origins_may_read_answers() {
        let exposed = |origin: &str| {
            let parts = parts("POST", "/v1/events", &[("origin", origin)]);
            heads().exposing(&parts.headers)
        };
        let welcome = exposed("https://SHOP.example");
        assert_eq!(
            welcome["access-control-allow-origin"],
            "https://SHOP.example"
        );
        assert_eq!(welcome["vary"], "Origin");
        assert!(exposed("https://evil.example").is_empty());
        assert!(heads().exposing(&HeaderMap::new()).is_empty());
    }

    #[test]
    fn of_calls_only_the_unary_one_is_read() {
        let heads = heads();
        let metadata = [
            ("authorization", "Bearer secret"),
            ("x-reviva-history", "true"),
        ];
        let ours = parts("POST", &format!("http://host{RPC}"), &metadata);
        let head = heads.read_grpc(&ours, "2001:db8::1").unwrap();
        assert_eq!(head.key.as_deref(), Some("secret"));
        assert!(head.history && head.format == Format::Proto);
        assert_eq!(head.remote_ip, "2001:db8::1");
        let stream = parts("POST", &format!("http://host{RPC}Stream"), &metadata);
        assert_eq!(heads.read_grpc(&stream, "2001:db8::1"), None);
    }
}
