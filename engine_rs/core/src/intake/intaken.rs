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
    /// How accepted events break tracking plans that only report, by rising index.
    pub violations: Vec<Rejection>,
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
            violations: Vec::new(),
            frames: Vec::with_capacity(body_bytes * 2),
        }
    }

    pub(super) fn reject(&mut self, flaw: Flaw) {
        self.rejections.push(Rejection {
            index: self.events() as u32,
            flaw,
        });
    }

    /// Tells of the event that is being accepted.
    pub(super) fn report(&mut self, flaw: Flaw) {
        self.violations.push(Rejection {
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
        for (field, verdicts) in [(2, &self.rejections), (3, &self.violations)] {
            for verdict in verdicts {
                put_bytes(&mut out, field, &proto_verdict(verdict));
            }
        }
        out
    }

    fn json_response(&self, first: &str) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(format!("{{{first}\"accepted\":{}", self.accepted).as_bytes());
        for (name, verdicts) in [
            ("rejections", &self.rejections),
            ("violations", &self.violations),
        ] {
            out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
            for (place, verdict) in verdicts.iter().enumerate() {
                out.extend_from_slice(if place > 0 { b"," } else { b"" });
                put_json_verdict(&mut out, verdict);
            }
            out.push(b']');
        }
        out.push(b'}');
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

fn proto_verdict(verdict: &Rejection) -> Vec<u8> {
    let mut message = Vec::new();
    put_number(&mut message, 1, u64::from(verdict.index));
    put_text(&mut message, 2, verdict.flaw.code.name());
    put_text(&mut message, 3, &verdict.flaw.path);
    put_text(&mut message, 4, &verdict.flaw.message);
    message
}

fn put_json_verdict(out: &mut Vec<u8>, verdict: &Rejection) {
    let Rejection { index, flaw } = verdict;
    out.extend_from_slice(format!("{{\"index\":{index},\"code\":\"{}\"", flaw.code).as_bytes());
    for (name, text) in [("path", &flaw.path), ("message", &flaw.message)] {
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        live::put_text(out, text.as_bytes());
    }
    out.push(b'}');
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
