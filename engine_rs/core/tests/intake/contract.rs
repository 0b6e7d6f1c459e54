//! What real SDKs sent becomes what `tests/contract` expects.

use crate::support::{KEY, intake};
use flate2::Compression;
use flate2::write::GzEncoder;
use reviva_core::intake::{Options, Request};
use reviva_core::wire::Format;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contract/segment")
}

fn events_of(request: &Value) -> Vec<Value> {
    let header = |name: &str| request["headers"][name].as_str().unwrap_or_default();
    let mut body = serde_json::to_vec(&request["body"]).unwrap();
    if header("content-encoding") == "gzip" {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&body).unwrap();
        body = encoder.finish().unwrap();
    }
    let path = request["path"].as_str().unwrap();
    let taken = intake(Options::default()).decode(
        &body,
        Request {
            key: Some(KEY),
            content_encoding: header("content-encoding"),
            user_agent: header("user-agent"),
            event_kind: path.rsplit('/').next().unwrap(),
            ..Request::new(Format::Segment, request["received_at_ms"].as_i64().unwrap())
        },
    );
    let taken = taken.unwrap();
    assert!(taken.rejections.is_empty(), "{:?}", taken.rejections);
    let lines = taken.live_json(usize::MAX);
    let lines = lines
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn recorded_requests_become_the_expected_events() {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.to_str().unwrap().ends_with(".request.json"));
    assert!(files.len() >= 10, "the recorded requests are missing");
    for path in files {
        let requests: Vec<Value> = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let events: Vec<_> = requests.iter().flat_map(events_of).collect();
        let expected = PathBuf::from(path.to_str().unwrap().replace(".request.", ".expected."));
        if std::env::var_os("REVIVA_WRITE_CONTRACTS").is_some() {
            fs::write(
                &expected,
                serde_json::to_string_pretty(&events).unwrap() + "\n",
            )
            .unwrap();
        }
        let expected: Vec<Value> = serde_json::from_slice(&fs::read(expected).unwrap()).unwrap();
        assert_eq!(events.len(), expected.len(), "{}", path.display());
        for (event, expected) in events.iter().zip(&expected) {
            assert_eq!(event, expected, "{}", path.display());
        }
    }
}
