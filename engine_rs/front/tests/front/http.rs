//! Clients of HTTP, and where Python would be, a server that tells what it was handed.

use super::gateway::{GRACE, Gateway, WAITS, wait_until};
use reviva_core::intake::hash_key;
use reviva_front::{Front, Heads, Options, Refusals, Window};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::iter;
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Where nothing more is asked for so long, answers are held back.
const HELD_BACK: Duration = Duration::from_millis(500);
const MEGABYTE: usize = 1 << 20;
const EVENT: &str = r#"{"event_type":"page_view","anonymous_id":"v"}"#;

/// What an HTTP client does, and what Python would.
impl Gateway {
    fn connect(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.front.ports().0)).unwrap();
        stream.set_read_timeout(Some(GRACE)).unwrap();
        BufReader::new(stream)
    }

    fn connect_grpc(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.front.ports().1)).unwrap();
        stream.set_read_timeout(Some(GRACE)).unwrap();
        stream
    }

    /// What is answered to a request on a connection of its own.
    fn ask(&self, request: &str) -> Answer {
        let mut client = self.connect();
        client.get_mut().write_all(request.as_bytes()).unwrap();
        Answer::read(&mut client)
    }

    /// Tells of each request that is handed on, and answers it with 418.
    fn python(&self) -> Receiver<String> {
        self.python_saying(b"HTTP/1.1 418 Teapot\r\ncontent-length: 3\r\n\r\ntea")
    }

    /// The same with another answer.
    fn python_saying(&self, answer: &[u8]) -> Receiver<String> {
        let listener = UnixListener::bind(self.directory.path().join("http")).unwrap();
        let answer = answer.to_owned();
        let (tell, told) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (tell, answer) = (tell.clone(), answer.clone());
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream.unwrap());
                    while let Some(request) = read_message(&mut stream) {
                        // Either fails once the test is over.
                        let _ = tell.send(request);
                        let _ = stream.get_mut().write_all(&answer);
                    }
                });
            }
        });
        told
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    fn read(stream: &mut impl BufRead) -> Self {
        let text = read_message(stream).unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, text }
    }
}

/// Head and body as they came; `None` where the other side has ended.
fn read_message(stream: &mut impl BufRead) -> Option<String> {
    let mut message = String::new();
    let mut length = 0;
    loop {
        let start = message.len();
        if stream.read_line(&mut message).unwrap() == 0 {
            return None;
        }
        let line = message[start..].to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    message.push_str(str::from_utf8(&body).unwrap());
    Some(message)
}

fn post(body: &str) -> String {
    post_with("authorization: Bearer key", body)
}

fn post_with(line: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\n{line}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn a_plain_request_is_answered_without_python() {
    let gateway = Gateway::start();
    let mut client = gateway.connect();
    for _ in 0..3 {
        client.get_mut().write_all(post(EVENT).as_bytes()).unwrap();
        let answer = Answer::read(&mut client);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            answer
                .text
                .ends_with(r#"{"accepted":1,"rejections":[],"violations":[]}"#)
        );
    }
    let tally = gateway.front.take_tally();
    assert_eq!(
        (tally.accepted, tally.requests["json"], tally.acks),
        (3, 3, vec![3, 0])
    );
    assert_eq!(gateway.front.take_tally().accepted, 0);
    assert_eq!(gateway.shared.inflight.bytes(), 0);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let gateway = Gateway::start();
    let mut client = gateway.connect();
    let two = format!("[{EVENT},{EVENT}]");
    let requests = post(EVENT) + &post(&two) + &post(EVENT);
    client.get_mut().write_all(requests.as_bytes()).unwrap();
    for accepted in [1, 2, 1] {
        let answer = Answer::read(&mut client);
        assert!(
            answer.text.contains(&format!("\"accepted\":{accepted}")),
            "{answer:?}"
        );
    }
}

#[test]
fn an_answer_does_not_wait_for_what_stands_behind_the_request() {
    for behind in ["\r\n", "POST /v1/events HTTP/1.1\r\nho"] {
        let gateway = Gateway::start();
        let mut client = gateway.connect();
        let request = post(EVENT) + behind;
        client.get_mut().write_all(request.as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut client).status, 200, "{behind:?}");
    }
}

#[test]
fn who_reads_no_answers_is_not_answered_for_ever() {
    const REQUESTS: usize = 100;
    let gateway = Gateway::start();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {MEGABYTE}\r\n\r\n");
    let python = gateway.python_saying(&[head.as_bytes(), &[b'x'; MEGABYTE]].concat());
    let mut client = gateway.connect();
    let request = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(REQUESTS);
    client.get_mut().write_all(request.as_bytes()).unwrap();
    let asked = iter::from_fn(|| python.recv_timeout(HELD_BACK).ok()).count();
    assert!(asked < REQUESTS);
}

#[test]
fn what_is_not_plain_is_handed_on_as_it_came() {
    let gateway = Gateway::start();
    let python = gateway.python();
    let mut client = gateway.connect();
    let unknown = post_with(
        "authorization: Bearer nobody\r\nx-reviva-peer: 6.6.6.6",
        EVENT,
    );
    let broken = post("{");
    let other = "GET /metrics?a=1 HTTP/1.1\r\nhost: x\r\nkeep-alive: 5\r\n\r\n".to_owned();
    for request in [unknown, broken, other] {
        client.get_mut().write_all(request.as_bytes()).unwrap();
        let answer = Answer::read(&mut client);
        assert_eq!(answer.status, 418, "{answer:?}");
        assert!(answer.text.ends_with("tea"));
        let handed = python.recv().unwrap();
        assert_eq!(handed.lines().next(), request.lines().next());
        assert_eq!(handed.rsplit("\r\n").next(), request.rsplit("\r\n").next());
        assert!(handed.contains("x-reviva-peer: 127.0.0.1\r\n") && !handed.contains("6.6.6.6"));
        assert!(!handed.contains("keep-alive"));
    }
    assert_eq!(gateway.front.take_tally().requests.len(), 0);
}

#[test]
fn an_upgrade_to_another_protocol_than_websocket_is_ignored() {
    let h2c = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk";
    let websocket = "connection: Upgrade\r\nupgrade: websocket";
    let gateway = Gateway::start();
    let python = gateway.python();
    let mut client = gateway.connect();
    for lines in [h2c, websocket] {
        let plain = post_with(&format!("authorization: Bearer key\r\n{lines}"), EVENT);
        client.get_mut().write_all(plain.as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut client).status, 200, "{lines}");
        let other = post_with(lines, EVENT);
        client.get_mut().write_all(other.as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut client).status, 418, "{lines}");
        let handed = python.recv().unwrap();
        assert!(handed.ends_with(EVENT));
        for name in ["connection", "upgrade", "http2-settings"] {
            assert!(!handed.contains(name), "{handed}");
        }
    }
}

#[test]
fn what_stands_behind_connect_is_not_handed_on() {
    let gateway = Gateway::start();
    let python = gateway.python();
    let behind = "GET /behind HTTP/1.1\r\n\r\n";
    let length = behind.len();
    let head = format!("CONNECT x:80 HTTP/1.1\r\nhost: x\r\ncontent-length: {length}");
    assert_eq!(gateway.ask(&format!("{head}\r\n\r\n{behind}")).status, 418);
    let handed = python.recv().unwrap();
    assert!(handed.starts_with("CONNECT ") && !handed.contains("content-length"));
    assert!(!handed.contains(behind));
}

#[test]
fn trailers_are_not_handed_on() {
    let gateway = Gateway::start();
    let python = gateway.python();
    let head =
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: x-forwarded-for";
    gateway.ask(&format!(
        "{head}\r\n\r\n0\r\nx-forwarded-for: 6.6.6.6\r\n\r\n"
    ));
    let handed = python.recv().unwrap();
    assert!(!handed.contains("trailer") && !handed.contains("6.6.6.6"));
}

#[test]
fn without_a_journal_or_a_token_nothing_is_taken() {
    let gateway = Gateway::start();
    let python = gateway.python();
    let key = hash_key("key");
    gateway
        .shared
        .leases
        .set_limited(HashSet::from([key.clone()]));
    assert_eq!(gateway.ask(&post(EVENT)).status, 418);
    gateway.shared.leases.add(&key, 1.0);
    assert_eq!(gateway.ask(&post(EVENT)).status, 200);
    gateway.shared.leases.set_limited(HashSet::new());
    gateway.front.use_journal(None);
    assert_eq!(gateway.ask(&post(EVENT)).status, 418);
    assert_eq!(python.try_iter().count(), 2);
}

#[test]
fn a_body_that_dawdles_is_handed_on_and_not_counted_twice() {
    let gateway = Gateway::start();
    let python = gateway.python();
    let request = post(EVENT);
    let (start, end) = request.split_at(request.len() - 10);
    let mut client = gateway.connect();
    client.get_mut().write_all(start.as_bytes()).unwrap();
    let inflight = &gateway.shared.inflight;
    wait_until(|| inflight.bytes() > 0);
    wait_until(|| inflight.bytes() == 0);
    client.get_mut().write_all(end.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut client).status, 418);
    assert!(python.recv().unwrap().ends_with(EVENT));
}

#[test]
fn a_head_that_does_not_come_is_waited_for_no_longer_than_need_be() {
    let gateway = Gateway::start();
    let mut idle = gateway.connect();
    idle.get_mut().write_all(post(EVENT).as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut idle).status, 200);
    let mut silent = gateway.connect();
    let mut slow = gateway.connect();
    slow.get_mut().write_all(b"POST /v1/ev").unwrap();
    let began = Instant::now();
    for client in [&mut silent, &mut slow] {
        assert!(read_message(client).is_none());
        assert!(began.elapsed() > WAITS.head);
    }
    idle.get_mut().write_all(post(EVENT).as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut idle).status, 200);
}

#[test]
fn who_has_to_be_refused_by_the_head_is_not_asked_for_the_body() {
    let gateway = Gateway::start();
    let mut client = gateway.connect();
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key\r\n";
    let request = format!("{head}expect: 100-continue\r\ncontent-length: 100001\r\n\r\n");
    client.get_mut().write_all(request.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut client).status, 503); // Python, which would refuse, is not there

    let mut client = gateway.connect();
    let length = EVENT.len();
    let request = format!("{head}expect: 100-continue\r\ncontent-length: {length}\r\n\r\n");
    client.get_mut().write_all(request.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut client).status, 100);
    client.get_mut().write_all(EVENT.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut client).status, 200);
}

#[test]
fn while_python_is_away_clients_are_told_to_come_again() {
    let gateway = Gateway::start();
    let answer = gateway.ask("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(answer.status, 503);
    assert!(
        answer.text.contains("retry-after: 1") && answer.text.ends_with("{\"error\":\"away\"}")
    );
    assert_eq!(gateway.ask(&post(EVENT)).status, 200);
}

#[test]
fn one_connection_too_many_is_told_so() {
    let gateway = Gateway::with(|options| options.max_connections = 1);
    let mut first = gateway.connect();
    first.get_mut().write_all(post(EVENT).as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut first).status, 200);
    let answer = gateway.ask(&post(EVENT));
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("connection: close") && answer.text.contains("crowd"));
}

#[test]
fn one_grpc_connection_too_many_is_cut_off() {
    let gateway = Gateway::with(|options| options.max_connections = 1);
    let no_settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let mut first = gateway.connect_grpc();
    first
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    first.write_all(&no_settings).unwrap();
    assert!(first.read(&mut [0; 9]).unwrap() > 0);
    assert_eq!(gateway.connect_grpc().read(&mut [0; 9]).unwrap(), 0);
}

#[test]
fn a_grpc_client_that_says_nothing_is_cut_off() {
    let gateway = Gateway::start();
    let mut silent = gateway.connect_grpc();
    let mut slow = gateway.connect_grpc();
    slow.write_all(b"PRI * HTTP/2.0").unwrap();
    let began = Instant::now();
    for client in [&mut silent, &mut slow] {
        assert_eq!(client.read(&mut [0; 9]).unwrap(), 0);
    }
    assert!(began.elapsed() > WAITS.head / 2);
}

#[test]
fn a_front_that_stops_waits_for_no_grpc_client_that_says_nothing() {
    let gateway = Gateway::with(|options| {
        options.max_connections = 1;
        options.waits.head = Duration::from_secs(60);
    });
    let _silent = gateway.connect_grpc();
    let one_too_many = gateway.connect_grpc().read(&mut [0; 9]).unwrap();
    assert_eq!(one_too_many, 0);
    let began = Instant::now();
    gateway.front.stop(GRACE);
    assert!(began.elapsed() < GRACE);
}

#[test]
fn live_viewers_see_a_sample() {
    let gateway = Gateway::start();
    gateway.ask(&post(EVENT));
    assert!(gateway.shared.samples.fetch().is_empty());
    gateway
        .shared
        .samples
        .set_watched(HashSet::from(["demo".to_owned()]));
    gateway.ask(&post(&format!("[{EVENT},{EVENT},{EVENT}]")));
    let samples = gateway.shared.samples.fetch();
    assert_eq!(samples.len(), 1);
    assert_eq!(
        (samples[0].project_id.as_str(), samples[0].skipped),
        ("demo", 1)
    );
    assert_eq!(samples[0].lines.split(|&byte| byte == b'\n').count(), 3);
}

#[test]
fn a_front_that_stops_ends_idle_connections_and_frees_its_port() {
    let gateway = Gateway::start();
    let mut idle = gateway.connect();
    idle.get_mut().write_all(post(EVENT).as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut idle).status, 200);
    gateway.front.stop_accepting();
    assert!(read_message(&mut idle).is_none());
    gateway.front.stop(GRACE);
    assert!(TcpStream::connect(("127.0.0.1", gateway.front.ports().0)).is_err());
}

#[test]
fn a_taken_address_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let options = Options {
        http: ("127.0.0.1".to_owned(), port),
        grpc: ("127.0.0.1".to_owned(), 0),
        upstream: Default::default(),
        heads: Heads::default(),
        max_body_bytes: 1,
        max_connections: 1,
        ack_bounds: Vec::new(),
        waits: WAITS,
        window: Window::default(),
        refusals: Refusals::default(),
    };
    let gateway = Gateway::start();
    let refused = Front::new(gateway.shared.clone(), options).err().unwrap();
    assert!(
        refused
            .to_string()
            .starts_with(&format!("HTTP cannot listen on 127.0.0.1:{port}"))
    );
}
