//! A front whose Python is the test's business.

use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::intake::{self, Intake, hash_key};
use reviva_core::journal::{JournalWriter, WriterOptions};
use reviva_front::{
    Front, Heads, Inflight, Options, Path, Refusals, Samples, Shared, Waits, Window,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const GRACE: Duration = Duration::from_secs(5);
pub const WAITS: Waits = Waits {
    head: Duration::from_secs(1),
    idle: Duration::from_secs(60),
    body: Duration::from_secs(60),
};

pub struct Gateway {
    pub directory: TempDir,
    pub shared: Shared,
    pub front: Front,
}

impl Gateway {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Options)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let user_agents = UserAgents::new(None, Bots::new::<&str>(&[]).unwrap()).unwrap();
        let intake = Intake::new(intake::Options::default(), user_agents, None);
        intake.set_keys(HashMap::from([(hash_key("key"), "demo".to_owned())]));
        let shared = Shared {
            intake: Arc::new(intake),
            inflight: Arc::new(Inflight::new(1 << 20)),
            leases: Arc::default(),
            samples: Arc::new(Samples::new(2)),
        };
        let any = || ("127.0.0.1".to_owned(), 0);
        let path = Path {
            format: None,
            event_kind: String::new(),
        };
        let mut options = Options {
            http: any(),
            grpc: any(),
            upstream: (directory.path().join("http"), directory.path().join("grpc")),
            heads: Heads {
                paths: HashMap::from([("/v1/events".to_owned(), path)]),
                ..Heads::default()
            },
            max_body_bytes: 100_000,
            max_connections: 10,
            ack_bounds: vec![10.0],
            waits: WAITS,
            window: Window::default(),
            refusals: Refusals {
                unavailable: "{\"error\":\"away\"}".into(),
                too_many_connections: "{\"error\":\"crowd\"}".into(),
            },
        };
        change(&mut options);
        let front = Front::new(shared.clone(), options).unwrap();
        let writer = JournalWriter::open(directory.path(), 0, WriterOptions::default()).unwrap();
        front.use_journal(Some(writer));
        front.listen().unwrap();
        Self {
            directory,
            shared,
            front,
        }
    }
}

pub fn wait_until(holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < GRACE);
        thread::yield_now();
    }
}
