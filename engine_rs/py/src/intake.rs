//! `Intake` and what it makes of a request: `Intaken`.

use crate::call::{collect, detached, guarded};
use crate::errors::{Error, value};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMapping};
use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::geo::Geo;
use reviva_core::enrich::ip::KeepIp;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::intake::{self, Options, Request};
use reviva_core::plan;
use reviva_core::verdict;
use reviva_core::wire::Format;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Bodies below this are decoded sooner than the GIL is given away and fetched again from a busy thread.
const SMALL_BYTES: usize = 8 << 10;

/// Decodes, validates and enriches requests.
#[pyclass(frozen, module = "reviva._engine")]
pub struct Intake(Arc<intake::Intake>);

impl Intake {
    /// For another thread.
    pub fn share(&self) -> Arc<intake::Intake> {
        Arc::clone(&self.0)
    }
}

#[pymethods]
impl Intake {
    #[new]
    #[pyo3(signature = (
        *,
        user_agent_rules = None,
        bot_patterns = Vec::new(),
        geo_database = None,
        max_body_bytes = 16_777_216,
        max_inflated_bytes = 67_108_864,
        max_events = 10_000,
        max_event_bytes = 1_048_576,
        max_depth = 32,
        clock_tolerance_ms = 10_000,
        future_limit_ms = 86_400_000,
        keep_ip = "truncated",
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        user_agent_rules: Option<&[u8]>,
        bot_patterns: Vec<String>,
        geo_database: Option<&str>,
        max_body_bytes: usize,
        max_inflated_bytes: usize,
        max_events: usize,
        max_event_bytes: usize,
        max_depth: usize,
        clock_tolerance_ms: i64,
        future_limit_ms: i64,
        keep_ip: &str,
    ) -> Result<Self, Error> {
        let options = Options {
            max_body_bytes,
            max_inflated_bytes,
            max_events,
            max_event_bytes,
            max_depth,
            clock_tolerance_ms,
            future_limit_ms,
            keep_ip: keep_ip_named(keep_ip)?,
        };
        detached(py, || {
            let bots = Bots::new(&bot_patterns).map_err(value)?;
            let user_agents = UserAgents::new(user_agent_rules, bots).map_err(value)?;
            let geo = geo_database.map(|path| Geo::open(Path::new(path)));
            let geo = geo.transpose().map_err(value)?;
            Ok::<_, Error>(intake::Intake::new(options, user_agents, geo))
        })
        .map(|intake| Self(Arc::new(intake)))
    }

    fn set_keys(&self, keys: &Bound<'_, PyMapping>) -> PyResult<()> {
        self.0.set_keys(collect(keys)?);
        Ok(())
    }

    fn set_plans(&self, py: Python<'_>, plans: &str) -> Result<Vec<String>, Error> {
        detached(py, || {
            let plans = plan::parse(plans).map_err(value)?;
            let errors = self.0.set_plans(&plans);
            Ok::<_, Error>(errors.iter().map(ToString::to_string).collect())
        })
    }

    #[staticmethod]
    fn is_quick(body: &[u8], content_encoding: &str) -> bool {
        intake::is_quick(body, content_encoding)
    }

    #[pyo3(signature = (
        body,
        format,
        *,
        now_ms,
        key,
        content_encoding = "",
        event_kind = "",
        remote_ip = "",
        user_agent = "",
        gpc = false,
        history = false,
        sequenced = false,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn decode(
        &self,
        py: Python<'_>,
        body: &[u8],
        format: &str,
        now_ms: i64,
        key: Option<&str>,
        content_encoding: &str,
        event_kind: &str,
        remote_ip: &str,
        user_agent: &str,
        gpc: bool,
        history: bool,
        sequenced: bool,
    ) -> Result<Intaken, Error> {
        let request = Request {
            format: format_named(format)?,
            now_ms,
            key,
            content_encoding,
            event_kind,
            remote_ip,
            user_agent,
            gpc,
            history,
            sequenced,
        };
        let decode = || self.0.decode(body, request);
        let taken = if body.len() < SMALL_BYTES && content_encoding.is_empty() {
            guarded(decode)
        } else {
            detached(py, decode)
        };
        taken.map(Intaken)
    }
}

/// What became of one request.
#[pyclass(frozen, module = "reviva._engine")]
pub struct Intaken(intake::Intaken);

impl Intaken {
    /// As the engine knows it.
    pub fn inner(&self) -> &intake::Intaken {
        &self.0
    }

    /// The frames of its records, and how many they are.
    pub fn frames(&self) -> (&[u8], u32) {
        (&self.0.frames, self.0.events() as u32)
    }
}

#[pymethods]
impl Intaken {
    #[getter]
    fn project_id(&self) -> &str {
        &self.0.project_id
    }

    #[getter]
    fn key_hash(&self) -> &str {
        &self.0.key_hash
    }

    #[getter]
    fn sequence(&self) -> u64 {
        self.0.sequence.unwrap_or(0)
    }

    #[getter]
    fn events(&self) -> usize {
        self.0.events()
    }

    #[getter]
    fn accepted(&self) -> usize {
        self.0.accepted
    }

    #[getter]
    fn rejected(&self) -> usize {
        self.0.rejections.len()
    }

    #[getter]
    fn violations(&self) -> usize {
        self.0.violations.len()
    }

    #[getter]
    fn bytes(&self) -> usize {
        self.0.frames.len()
    }

    #[getter]
    fn rejected_by_code(&self) -> BTreeMap<&'static str, usize> {
        self.0.rejected_by_code()
    }

    fn response<'py>(&self, py: Python<'py>, format: &str) -> Result<Bound<'py, PyBytes>, Error> {
        let format = format_named(format)?;
        let response = guarded(|| Ok::<_, Error>(self.0.response(format)))?;
        Ok(PyBytes::new(py, &response))
    }

    fn live_json<'py>(&self, py: Python<'py>, limit: usize) -> Result<Bound<'py, PyBytes>, Error> {
        let lines = detached(py, || Ok::<_, Error>(self.0.live_json(limit)))?;
        Ok(PyBytes::new(py, &lines))
    }
}

/// Every verdict code with its meaning.
#[pyfunction]
pub fn list_codes() -> Vec<(&'static str, &'static str)> {
    verdict::list_codes().collect()
}

/// Whether a JSON Schema can be a plan's.
#[pyfunction]
pub fn check_schema(py: Python<'_>, schema: &str) -> Result<(), Error> {
    detached(py, || plan::check_schema(schema).map_err(value))
}

/// SHA-256 of an API key, hex.
#[pyfunction]
pub fn hash_key(key: &str) -> String {
    intake::hash_key(key)
}

pub fn format_named(name: &str) -> Result<Format, Error> {
    Format::from_name(name).ok_or_else(|| {
        let names = Format::ALL.map(Format::name).join(", ");
        Error::Value(format!("there is no format {name:?}; there are {names}"))
    })
}

fn keep_ip_named(name: &str) -> Result<KeepIp, Error> {
    match name {
        "none" => Ok(KeepIp::None),
        "truncated" => Ok(KeepIp::Truncated),
        "full" => Ok(KeepIp::Full),
        _ => Err(Error::Value(format!(
            "keep_ip is none, truncated or full, not {name:?}"
        ))),
    }
}
