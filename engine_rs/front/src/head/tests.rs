use super::*;

fn heads() -> Heads {
    let path = |format, event_kind: &str| Path {
        format,
        event_kind: event_kind.to_owned(),
    };
    Heads {
        paths: HashMap::from([
            ("/v1/events".to_owned(), path(None, "")),
            ("/v1/t".to_owned(), path(Some(Format::Segment), "t")),
        ]),
        proxies: Proxies::default(),
        origins: Some(HashSet::from(["https://shop.example".to_owned()])),
        exposing: headers(&[("vary".to_owned(), "Origin".to_owned())]).unwrap(),
    }
}

fn parts(method: &str, uri: &str, lines: &[(&str, &str)]) -> Parts {
    let mut request = hyper::Request::builder().method(method).uri(uri);
    for &(name, value) in lines {
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

fn key_in(uri: &str, lines: &[(&str, &str)]) -> Option<String> {
    let (heads, parts) = (heads(), parts("POST", uri, lines));
    let head = heads.read_http(&parts, "192.0.2.1").unwrap();
    head.key.map(Cow::into_owned)
}

fn format_of(uri: &str, lines: &[(&str, &str)]) -> Format {
    let (heads, parts) = (heads(), parts("POST", uri, lines));
    heads.read_http(&parts, "192.0.2.1").unwrap().format
}

#[test]
fn keys_are_found_where_clients_put_them() {
    let key = Some("secret".to_owned());
    for (uri, lines) in [
        ("/v1/events", [("authorization", "Bearer secret")]),
        ("/v1/events", [("authorization", "bearer  secret ")]),
        ("/v1/events", [("authorization", "Basic c2VjcmV0Og==")]),
        ("/v1/events", [("authorization", "BASIC c2VjcmV0OnB3")]),
        ("/v1/events", [("x-reviva-key", "secret")]),
        ("/v1/events?key=secret", [("x-reviva-key", "")]),
        (
            "/v1/events?key=&writeKey=se%63ret",
            [("authorization", "Digest x")],
        ),
    ] {
        assert_eq!(key_in(uri, &lines), key, "{uri} {lines:?}");
    }
    assert_eq!(key_in("/v1/events?x=1", &[]), None);
}

#[test]
fn the_format_is_as_query_media_type_or_path_say() {
    let ndjson = [("content-type", "Application/X-NDJSON; charset=utf-8")];
    assert_eq!(format_of("/v1/events", &ndjson), Format::Ndjson);
    assert_eq!(format_of("/v1/events?format=proto", &ndjson), Format::Proto);
    assert_eq!(
        format_of("/v1/events?format=segment", &ndjson),
        Format::Ndjson
    );
    assert_eq!(format_of("/v1/t", &ndjson), Format::Segment);
    let text = [("content-type", "text/plain;charset=UTF-8")];
    assert_eq!(format_of("/v1/events", &text), Format::Json);
    assert_eq!(
        format_of("/v1/events", &[("content-type", "application/protobuf")]),
        Format::Proto
    );
}

#[test]
fn what_is_not_plain_is_left_to_python() {
    for (method, uri, line) in [
        ("GET", "/v1/events", ("accept", "*/*")),
        ("POST", "/v1/other", ("accept", "*/*")),
        ("POST", "/v1/%65vents", ("accept", "*/*")),
        ("POST", "/v1/events?replay=1", ("accept", "*/*")),
        ("POST", "/v1/events", ("authorization", "Basic ???")),
        ("POST", "/v1/events", ("user-agent", "caf\u{e9}")),
    ] {
        let (heads, parts) = (heads(), parts(method, uri, &[line]));
        assert_eq!(
            heads.read_http(&parts, "192.0.2.1"),
            None,
            "{method} {uri} {line:?}"
        );
    }
}

#[test]
fn pages_of_welcome_origins_may_read_answers() {
    let exposed = |origin: &str| {
        let parts = parts("POST", "/v1/events", &[("origin", origin)]);
        heads().exposing(&parts.headers)
    };
    let welcome = exposed("https://SHOP.example");
    assert_eq!(
        welcome["access-control-allow-origin"],
        "https://SHOP.example"
    );
    assert_eq!(welcome["vary"], "Origin");
    assert!(exposed("https://evil.example").is_empty());
    assert!(heads().exposing(&HeaderMap::new()).is_empty());
}

#[test]
fn calls_that_bring_events_are_read() {
    let heads = heads();
    let metadata = [
        ("authorization", "Bearer secret"),
        ("x-reviva-history", "true"),
    ];
    for (path, is_stream) in [(UNARY, false), (STREAM, true)] {
        let parts = parts("POST", &format!("http://host{path}"), &metadata);
        let head = heads.read_grpc(&parts, "2001:db8::1").unwrap();
        assert_eq!(head.key.as_deref(), Some("secret"));
        assert!(head.history && head.format == Format::Proto);
        let request = head.request(0);
        assert_eq!(request.remote_ip, "2001:db8::1");
        assert_eq!(
            (request.sequenced, head.is_stream()),
            (is_stream, is_stream)
        );
    }
    let other = parts("POST", "http://host/grpc.health.v1.Health/Check", &metadata);
    assert_eq!(heads.read_grpc(&other, "2001:db8::1"), None);
}
