//! What became of a request, and the answers that tell it.

use super::keys::Owner;
use super::live;
use crate::frame;
use crate::record::{self, Record};
use crate::varint;
use crate::verdict::{Flaw, Rejection};
use crate::wire::Format;
use std::collections::BTreeMap;

/// What became of one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Intaken {
    /// Whose it is.
    pub project_id: String,
    /// SHA-256 of the API key, hex.
    pub key_hash: String,
    /// Of the `IngestStreamRequest`, where it was one.
    pub sequence: Option<u64>,
    /// Events that were accepted.
    pub accepted: usize,
    /// The verdicts on all others, by rising index.
    pub rejections: Vec<Rejection>,
    /// Frames of records, one for each event, in their order.
    pub frames: Vec<u8>,
}

impl Intaken {
    /// `body_bytes`: of the request; its records take about twice as much, with their hashes and all that enrichment adds.
    pub(super) fn new(owner: &Owner, sequence: Option<u64>, body_bytes: usize) -> Self {
        Self {
            project_id: owner.project_id.clone(),
            key_hash: owner.key_hash.clone(),
            sequence,
            accepted: 0,
            rejections: Vec::new(),
            frames: Vec::with_capacity(body_bytes * 2),
        }
    }

    pub(super) fn reject(&mut self, flaw: Flaw) {
        self.rejections.push(Rejection {
            index: self.events() as u32,
            flaw,
        });
    }

    /// How many events the request held: each has a record.
    #[must_use]
    pub fn events(&self) -> usize {
        self.accepted + self.rejections.len()
    }

    /// How many were rejected, by code.
    #[must_use]
    pub fn rejected_by_code(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for rejection in &self.rejections {
            *counts.entry(rejection.flaw.code.name()).or_default() += 1;
        }
        counts
    }

    /// The answer in the request's format: `IngestResponse` as JSON (with `success` for Segment's clients), or as
    /// protobuf; of a sequenced request an `IngestStreamResponse`.
    #[must_use]
    pub fn response(&self, format: Format) -> Vec<u8> {
        match (format, self.sequence) {
            (Format::Proto, None) => self.proto_response(),
            (Format::Proto, Some(sequence)) => {
                let mut ack = Vec::new();
                put_number(&mut ack, 1, sequence);
                put_bytes(&mut ack, 2, &self.proto_response());
                let mut out = Vec::new();
                put_bytes(&mut out, 2, &ack);
                out
            }
            (Format::Segment, _) => self.json_response("\"success\":true,"),
            (Format::Json | Format::Ndjson, _) => self.json_response(""),
        }
    }

    fn proto_response(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, 1, self.accepted as u64);
        for rejection in &self.rejections {
            let mut message = Vec::new();
            put_number(&mut message, 1, u64::from(rejection.index));
            put_text(&mut message, 2, rejection.flaw.code.name());
            put_text(&mut message, 3, &rejection.flaw.path);
            put_text(&mut message, 4, &rejection.flaw.message);
            put_bytes(&mut out, 2, &message);
        }
        out
    }

    fn json_response(&self, first: &str) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(
            format!("{{{first}\"accepted\":{},\"rejections\":[", self.accepted).as_bytes(),
        );
        for (place, rejection) in self.rejections.iter().enumerate() {
            out.extend_from_slice(if place > 0 { b"," } else { b"" });
            let head = format!(
                "{{\"index\":{},\"code\":\"{}\"",
                rejection.index, rejection.flaw.code
            );
            out.extend_from_slice(head.as_bytes());
            for (name, text) in [
                ("path", &rejection.flaw.path),
                ("message", &rejection.flaw.message),
            ] {
                out.extend_from_slice(format!(",\"{name}\":").as_bytes());
                live::put_text(&mut out, text.as_bytes());
            }
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
        out
    }

    /// Up to `limit` of the accepted events, one JSON object a line, for the live tail.
    #[must_use]
    pub fn live_json(&self, limit: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut frames = self.frames.as_slice();
        let payloads = std::iter::from_fn(|| frame::take(&mut frames).ok());
        let events = payloads.filter_map(|payload| match record::decode(payload) {
            Ok(Record::Event(event)) => Some(event),
            _ => None,
        });
        for event in events.take(limit) {
            live::put_event(&mut out, &event);
            out.push(b'\n');
        }
        out
    }
}

fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    if number != 0 {
        varint::put(out, field << 3);
        varint::put(out, number);
    }
}

fn put_text(out: &mut Vec<u8>, field: u64, text: &str) {
    if !text.is_empty() {
        put_bytes(out, field, text.as_bytes());
    }
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint::put(out, field << 3 | 2);
    varint::put_bytes(out, bytes);
}
