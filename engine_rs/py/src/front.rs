//! `Front`, and what it shares with Python's own way of taking requests in.

use crate::call::{collect, detached};
use crate::errors::{Error, value};
use crate::intake::{Intake, Intaken, format_named};
use crate::journal_writer::JournalWriter;
use ipnet::IpNet;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping};
use reviva_front::{Heads, Options, Path, Proxies, Refusals, Shared, Waits, Window};
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How many bytes of bodies are on their way.
#[pyclass(frozen, module = "reviva._engine")]
pub struct Inflight(Arc<reviva_front::Inflight>);

#[pymethods]
impl Inflight {
    #[new]
    fn new(limit: usize) -> Self {
        Self(Arc::new(reviva_front::Inflight::new(limit)))
    }

    fn admit(&self, size: usize) -> bool {
        self.0.admit(size)
    }

    fn release(&self, size: usize) {
        self.0.release(size);
    }

    #[getter]
    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

/// Tokens of rate limits that this process has leased.
#[pyclass(frozen, module = "reviva._engine")]
pub struct Leases(Arc<reviva_front::Leases>);

#[pymethods]
impl Leases {
    #[new]
    fn new() -> Self {
        Self(Arc::default())
    }

    fn set_limited(&self, key_hashes: HashSet<String>) {
        self.0.set_limited(key_hashes);
    }

    fn add(&self, key_hash: &str, tokens: f64) {
        self.0.add(key_hash, tokens);
    }

    fn leased(&self, key_hash: &str) -> f64 {
        self.0.leased(key_hash)
    }

    fn take(&self, key_hash: &str, events: usize) -> bool {
        self.0.take(key_hash, events)
    }
}

/// Samples of what is accepted of watched projects.
#[pyclass(frozen, module = "reviva._engine")]
pub struct Samples(Arc<reviva_front::Samples>);

#[pymethods]
impl Samples {
    #[new]
    fn new(events_per_s: usize) -> Self {
        Self(Arc::new(reviva_front::Samples::new(events_per_s)))
    }

    fn set_watched(&self, project_ids: HashSet<String>) {
        self.0.set_watched(project_ids);
    }

    fn offer(&self, intaken: &Intaken) {
        self.0.offer(intaken.inner());
    }

    fn fetch<'py>(&self, py: Python<'py>) -> Vec<(String, Bound<'py, PyBytes>, usize)> {
        let samples = self.0.fetch().into_iter();
        samples
            .map(|it| (it.project_id, PyBytes::new(py, &it.lines), it.skipped))
            .collect()
    }
}

/// Reads the gateway's sockets.
#[pyclass(frozen, module = "reviva._engine")]
pub struct Front(reviva_front::Front);

#[pymethods]
impl Front {
    #[new]
    #[pyo3(signature = (
        intake,
        inflight,
        leases,
        samples,
        *,
        http,
        grpc,
        upstream,
        paths,
        trusted_proxies,
        origins,
        exposing,
        max_body_bytes,
        max_connections,
        head_patience_s,
        idle_patience_s,
        body_patience_s,
        window,
        ack_bounds,
        unavailable,
        too_many_connections,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        intake: &Intake,
        inflight: &Inflight,
        leases: &Leases,
        samples: &Samples,
        http: (String, u16),
        grpc: (String, u16),
        upstream: (PathBuf, PathBuf),
        paths: &Bound<'_, PyMapping>,
        trusted_proxies: Vec<String>,
        origins: Option<HashSet<String>>,
        exposing: Vec<(String, String)>,
        max_body_bytes: usize,
        max_connections: usize,
        head_patience_s: f64,
        idle_patience_s: f64,
        body_patience_s: f64,
        window: (usize, u32, Vec<u8>),
        ack_bounds: Vec<f64>,
        unavailable: Vec<u8>,
        too_many_connections: Vec<u8>,
    ) -> Result<Self, Error> {
        let shared = Shared {
            intake: intake.share(),
            inflight: Arc::clone(&inflight.0),
            leases: Arc::clone(&leases.0),
            samples: Arc::clone(&samples.0),
        };
        let networks = trusted_proxies.iter().map(|network| network.parse());
        let networks = networks.collect::<Result<Vec<IpNet>, _>>().map_err(value)?;
        let heads = Heads {
            paths: paths_of(paths)?,
            proxies: Proxies::new(networks),
            origins,
            exposing: reviva_front::headers(&exposing).map_err(value)?,
        };
        let options = Options {
            http,
            grpc,
            upstream,
            heads,
            max_body_bytes,
            max_connections,
            waits: Waits {
                head: Duration::try_from_secs_f64(head_patience_s).map_err(value)?,
                idle: Duration::try_from_secs_f64(idle_patience_s).map_err(value)?,
                body: Duration::try_from_secs_f64(body_patience_s).map_err(value)?,
            },
            window: Window {
                batches: window.0,
                bytes: window.1,
                message: window.2.into(),
            },
            ack_bounds,
            refusals: Refusals {
                unavailable: unavailable.into(),
                too_many_connections: too_many_connections.into(),
            },
        };
        detached(py, || reviva_front::Front::new(shared, options)).map(Self)
    }

    #[getter]
    fn ports(&self) -> (u16, u16) {
        self.0.ports()
    }

    fn use_journal(&self, writer: Option<&JournalWriter>) -> Result<(), Error> {
        let writer = writer.map(JournalWriter::another).transpose()?;
        self.0.use_journal(writer);
        Ok(())
    }

    fn listen(&self) -> Result<(), Error> {
        Ok(self.0.listen()?)
    }

    fn stop_accepting(&self) {
        self.0.stop_accepting();
    }

    fn stop(&self, py: Python<'_>, grace_s: f64) {
        py.detach(|| self.0.stop(Duration::from_secs_f64(grace_s)));
    }

    fn take_tally<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let tally = self.0.take_tally();
        let events = std::iter::once(("accepted", tally.accepted)).chain(tally.rejected);
        let bytes = [
            ("received", tally.received_bytes),
            ("appended", tally.appended_bytes),
        ];
        let counts = PyDict::new(py);
        counts.set_item("requests", tally.requests)?;
        counts.set_item("events", events.collect::<HashMap<_, _>>())?;
        counts.set_item("plan_violations", tally.violations)?;
        counts.set_item("bytes", HashMap::from(bytes))?;
        let all = PyDict::new(py);
        all.set_item("counters", counts)?;
        all.set_item("acks", tally.acks)?;
        all.set_item("ack_seconds", tally.ack_seconds)?;
        Ok(all)
    }
}

fn paths_of(paths: &Bound<'_, PyMapping>) -> Result<HashMap<String, Path>, Error> {
    let stated: Vec<(String, (Option<String>, String))> = collect(paths).map_err(value)?;
    let paths = stated.into_iter().map(|(path, (format, event_kind))| {
        let format = format.as_deref().map(format_named).transpose()?;
        Ok((path, Path { format, event_kind }))
    });
    paths.collect()
}
