use super::*;
use crate::head::{Heads, Path, headers};
use reviva_core::enrich::bots::Bots;
use reviva_core::enrich::user_agent::UserAgents;
use reviva_core::intake::Options;
use reviva_core::journal::{JournalWriter, WriterOptions};
use std::collections::HashMap;
use std::future::ready;
use std::sync::mpsc;
use tokio::runtime;

const BODY: &[u8] = b"\x1f\x8bno gzip";

fn ingest(directory: &std::path::Path) -> Ingest {
    let user_agents = UserAgents::new(None, Bots::new::<&str>(&[]).unwrap()).unwrap();
    let shared = Shared {
        intake: Arc::new(Intake::new(Options::default(), user_agents, None)),
        inflight: Arc::new(Inflight::new(1 << 20)),
        leases: Arc::default(),
        samples: Arc::new(Samples::new(0)),
    };
    let writer = JournalWriter::open(directory, 0, WriterOptions::default()).unwrap();
    let ingest = Ingest::new(shared, Vec::new(), Arc::default());
    ingest.use_journal(Some(Durable::new(writer)));
    ingest
}

fn head_of_compressed() -> Head<'static> {
    let path = Path {
        format: None,
        event_kind: String::new(),
    };
    let heads = Heads {
        paths: HashMap::from([("/".to_owned(), path)]),
        ..Heads::default()
    };
    let mut parts = hyper::Request::post("/").body(()).unwrap().into_parts().0;
    parts.headers = headers(&[("content-encoding".to_owned(), "gzip".to_owned())]).unwrap();
    heads.read_http(&parts, "").unwrap().into_owned()
}

#[test]
fn a_body_counts_until_it_is_decoded_even_where_nobody_waits_for_that() {
    let directory = tempfile::tempdir().unwrap();
    let ingest = ingest(directory.path());
    let inflight = ingest.inflight();
    let mut runtime = runtime::Builder::new_current_thread();
    let runtime = runtime.max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let (go_on, wait) = mpsc::channel::<()>();
        let the_only_thread = spawn_blocking(move || wait.recv().unwrap());
        let mut held = Held::none(inflight);
        assert!(held.admit(BODY.len()));
        let body = Bytes::from_static(BODY);
        tokio::select! {
            biased;
            _ = ingest.begin(head_of_compressed(), &body, held, Instant::now()) => unreachable!(),
            () = ready(()) => {}
        }
        assert_eq!(inflight.bytes(), BODY.len());
        go_on.send(()).unwrap();
        the_only_thread.await.unwrap();
        spawn_blocking(|| ()).await.unwrap();
        assert_eq!(inflight.bytes(), 0);
    });
}
