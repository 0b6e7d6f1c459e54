//! What a request says before its body, as far as it is ordinary: everything else is Python's to read.

use crate::forwarded::Proxies;
use crate::query::{Query, is_set};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, ORIGIN, USER_AGENT,
};
use hyper::http::HeaderValue;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use reviva_core::intake::Request;
use reviva_core::wire::Format;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Carries a client's address from here to Python.
pub const PEER: HeaderName = HeaderName::from_static("x-reviva-peer");

const GPC: HeaderName = HeaderName::from_static("sec-gpc");
const HISTORY: HeaderName = HeaderName::from_static("x-reviva-history");
const KEY: HeaderName = HeaderName::from_static("x-reviva-key");
const UNARY: &str = "/reviva.v1.IngestService/Ingest";
const STREAM: &str = "/reviva.v1.IngestService/IngestStream";

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
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: Proxies,
    /// Origins of web pages that may read answers; `None`: all.
    pub origins: Option<HashSet<String>>,
    /// What their answers carry beside the origin.
    pub exposing: HeaderMap,
}

/// What the engine wants to know beside the body.
#[derive(Debug, Clone, PartialEq)]
pub struct Head<'p> {
    /// The API key, where it does not stand in the body.
    pub key: Option<Cow<'p, str>>,
    /// Of the body.
    pub format: Format,
    event_kind: Cow<'p, str>,
    /// The header of that name, may be empty.
    pub content_encoding: Cow<'p, str>,
    remote_ip: Cow<'p, str>,
    user_agent: Cow<'p, str>,
    gpc: bool,
    history: bool,
    sequenced: bool,
}

impl Head<'_> {
    /// The request as the engine wants it.
    pub fn request(&self, now_ms: i64) -> Request<'_> {
        Request {
            key: self.key.as_deref(),
            event_kind: &self.event_kind,
            content_encoding: &self.content_encoding,
            remote_ip: &self.remote_ip,
            user_agent: &self.user_agent,
            gpc: self.gpc,
            history: self.history,
            sequenced: self.sequenced,
            ..Request::new(self.format, now_ms)
        }
    }

    /// Whether messages follow, each with a batch.
    pub fn is_stream(&self) -> bool {
        self.sequenced
    }

    /// One that can go to another thread.
    pub fn into_owned(self) -> Head<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Head {
            key: self.key.map(owned),
            event_kind: owned(self.event_kind),
            content_encoding: owned(self.content_encoding),
            remote_ip: owned(self.remote_ip),
            user_agent: owned(self.user_agent),
            ..self
        }
    }
}

impl Heads {
    /// Reads an HTTP request's head; `None` where it is none that brings events, or not an ordinary one.
    pub fn read_http<'p>(&'p self, parts: &'p Parts, peer: &'p str) -> Option<Head<'p>> {
        let path = self.paths.get(parts.uri.path())?;
        if parts.method != Method::POST {
            return None;
        }
        let query = Query::read(parts.uri.query().unwrap_or_default());
        if query.replay {
            return None;
        }
        let text = |name| text(&parts.headers, name);
        let media_type = text(CONTENT_TYPE)?;
        let by_itself = || query.format.unwrap_or_else(|| native_format(media_type));
        Some(Head {
            key: key_of(&parts.headers)?.or(query.key.map(Cow::Owned)),
            format: path.format.unwrap_or_else(by_itself),
            event_kind: Cow::Borrowed(&path.event_kind),
            content_encoding: Cow::Borrowed(text(CONTENT_ENCODING)?),
            remote_ip: Cow::Borrowed(self.proxies.remote_ip(&parts.headers, peer)?),
            user_agent: Cow::Borrowed(text(USER_AGENT)?),
            gpc: last(&parts.headers, GPC).is_some_and(|value| value == "1"),
            history: query.history || is_set(text(HISTORY)?),
            sequenced: false,
        })
    }

    /// Reads the head of a call that brings events; `None` where it is another call, or not an ordinary one.
    pub fn read_grpc<'p>(&'p self, parts: &'p Parts, peer: &'p str) -> Option<Head<'p>> {
        let sequenced = match parts.uri.path() {
            UNARY => false,
            STREAM => true,
            _ => return None,
        };
        Some(Head {
            key: key_of(&parts.headers)?,
            format: Format::Proto,
            event_kind: Cow::Borrowed(""),
            content_encoding: Cow::Borrowed(""),
            remote_ip: Cow::Borrowed(peer),
            // That of gRPC names a library, not a visitor's browser: events must carry their own.
            user_agent: Cow::Borrowed(""),
            gpc: false,
            history: is_set(text(&parts.headers, HISTORY)?),
            sequenced,
        })
    }

    /// The headers by which the web page that sent the request may read its answer.
    pub fn exposing(&self, headers: &HeaderMap) -> HeaderMap {
        let Some(origin) = last(headers, ORIGIN) else {
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
fn last(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    headers.get_all(name).iter().next_back()
}

/// Its text, empty where it is missing; `None` where it is none that can be read.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    last(headers, name).map_or(Some(""), |value| value.to_str().ok())
}

/// The key as Bearer, as Basic's user name or in a header of our own. The outer `None`: it cannot be read.
fn key_of(headers: &HeaderMap) -> Option<Option<Cow<'_, str>>> {
    let authorization = text(headers, AUTHORIZATION)?;
    let (scheme, credentials) = authorization.split_once(' ').unwrap_or_default();
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !credentials.is_empty() {
        return Some(Some(Cow::Borrowed(credentials)));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = String::from_utf8(BASE64_STANDARD.decode(credentials).ok()?).ok()?;
        let key = decoded.split(':').next().filter(|key| !key.is_empty())?;
        return Some(Some(Cow::Owned(key.to_owned())));
    }
    let own = text(headers, KEY)?;
    Some((!own.is_empty()).then_some(Cow::Borrowed(own)))
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
mod tests;
