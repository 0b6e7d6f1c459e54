//! What is counted of the requests that were taken in here.

use reviva_core::intake::Intaken;
use reviva_core::wire::Format;
use std::collections::BTreeMap;
use std::time::Duration;

/// Counts since they were fetched last.
#[derive(Debug, Default)]
pub struct Tally {
    /// Requests by format.
    pub requests: BTreeMap<&'static str, u64>,
    /// Bytes of bodies.
    pub received_bytes: u64,
    /// Bytes of records.
    pub appended_bytes: u64,
    /// Events that were accepted.
    pub accepted: u64,
    /// Events that were not, by code.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Accepted events that break a plan, by project.
    pub violations: BTreeMap<String, u64>,
    /// Acknowledgements by how long they took: up to each of the bounds, then the others.
    pub acks: Vec<u64>,
    /// How long all of them took together.
    pub ack_seconds: f64,
}

impl Tally {
    /// Counts a request that was taken in.
    pub fn count(&mut self, format: Format, body_bytes: usize, intaken: &Intaken) {
        *self.requests.entry(format.name()).or_default() += 1;
        self.received_bytes += body_bytes as u64;
        self.appended_bytes += intaken.frames.len() as u64;
        self.accepted += intaken.accepted as u64;
        if !intaken.rejections.is_empty() {
            for (code, events) in intaken.rejected_by_code() {
                *self.rejected.entry(code).or_default() += events as u64;
            }
        }
        if !intaken.violations.is_empty() {
            let violations = self.violations.entry(intaken.project_id.clone());
            *violations.or_default() += intaken.violations.len() as u64;
        }
    }

    /// Counts an acknowledgement; `bounds` are seconds, rising.
    pub fn count_ack(&mut self, took: Duration, bounds: &[f64]) {
        let seconds = took.as_secs_f64();
        self.acks.resize(bounds.len() + 1, 0);
        self.acks[bounds.partition_point(|&bound| bound < seconds)] += 1;
        self.ack_seconds += seconds;
    }
}
