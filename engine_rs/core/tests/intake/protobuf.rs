//! Our protobuf reader against prost: what prost writes is read as it was meant, and what prost refuses is refused.

use crate::fuzz::by_prost;
use crate::proto::{self, Kind};
use crate::support::{events, intake, records, request, take};
use proptest::prelude::*;
use prost::Message;
use reviva_core::intake::{Options, Request};
use reviva_core::verdict::Code;
use reviva_core::wire::Format;
use std::collections::BTreeMap;

fn value() -> impl Strategy<Value = proto::Value> {
    let leaf = prop_oneof![
        Just(None),
        any::<bool>().prop_map(|flag| Some(Kind::Bool(flag))),
        any::<i64>().prop_map(|number| Some(Kind::Int(number))),
        (-1e300..1e300).prop_map(|number| Some(Kind::Double(number))),
        any::<String>().prop_map(|text| Some(Kind::Text(text))),
    ];
    let leaf = leaf.prop_map(|kind| proto::Value { kind });
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|values| proto::Value {
                kind: Some(Kind::List(proto::ListValue { values }))
            }),
            proptest::collection::btree_map("[a-z]{1,3}", inner, 0..4).prop_map(|fields| {
                proto::Value {
                    kind: Some(Kind::Map(proto::MapValue { fields })),
                }
            }),
        ]
    })
}

fn map() -> impl Strategy<Value = BTreeMap<String, proto::Value>> {
    proptest::collection::btree_map("[a-zé]{1,5}", value(), 0..6)
}

prop_compose! {
    fn event()(
        texts in proptest::collection::vec("\\PC{0,9}", 12),
        seconds in 1_700_000_000i64..1_795_349_000,
        nanos in 0..1_000_000_000i32,
        sizes: [u16; 4],
        click: Option<(i32, i32)>,
        revenue in -1e9..1e9f64,
        maps in [map(), map(), map()],
        purposes in proptest::collection::vec("[a-z]{1,4}", 0..3),
    ) -> proto::Event {
        let [properties, traits, context] = maps;
        let text = |index: usize| texts[index].clone();
        proto::Event {
            event_id: text(0),
            event_type: "click_event".into(),
            event_name: text(1),
            timestamp: Some(proto::Timestamp { seconds, nanos }),
            anonymous_id: "a".into(),
            user_id: text(2),
            client_session_id: text(3),
            group_id: text(4),
            previous_id: text(5),
            page: Some(proto::Page { title: text(6), ..Default::default() }),
            campaign: Some(proto::Campaign { source: text(7), term: text(8), ..Default::default() }),
            client: Some(proto::Client {
                locale: text(9),
                screen_width: sizes[0].into(),
                screen_height: sizes[1].into(),
                viewport_width: sizes[2].into(),
                viewport_height: sizes[3].into(),
                ..Default::default()
            }),
            element: Some(proto::Element {
                selector: text(10),
                text: text(11),
                x: click.map(|click| click.0),
                y: click.map(|click| click.1),
            }),
            revenue,
            properties,
            traits,
            context,
            consent: Some(proto::Consent { decision: 2, granted: purposes, denied: vec![], gpc: true }),
            ..Default::default()
        }
    }
}

fn body(events: Vec<proto::Event>) -> Vec<u8> {
    proto::IngestRequest {
        events,
        ..Default::default()
    }
    .encode_to_vec()
}

proptest! {
    #[test]
    fn what_prost_writes_is_read(sent in event()) {
        let taken = take(Format::Proto, body(vec![sent.clone()])).unwrap();
        prop_assert_eq!(&taken.rejections, &vec![]);
        by_prost::event(&sent.encode_to_vec()).unwrap().assert_is(&events(&taken)[0]);
    }

    #[test]
    fn no_bytes_panic_and_what_prost_refuses_is_refused(
        sent in event(), cut in any::<proptest::sample::Index>(), bent: u8,
    ) {
        let mut event = sent.encode_to_vec();
        let place = cut.index(event.len());
        event[place] = bent;
        let mut body = vec![0x0a];
        prost::encoding::encode_varint(event.len() as u64, &mut body);
        body.extend_from_slice(&event);
        let taken = take(Format::Proto, &body).unwrap();
        if let Err(refusal) = proto::Event::decode(event.as_slice()) {
            prop_assert_eq!(taken.accepted, 0, "{}", refusal);
        }
        let _ = take(Format::Proto, &body[..cut.index(body.len())]);
    }

    #[test]
    fn any_bytes_get_an_answer(bytes: Vec<u8>) {
        for format in Format::ALL {
            let _ = take(format, &bytes);
        }
    }
}

#[test]
fn one_broken_event_leaves_the_others() {
    let good = proto::Event {
        event_type: "x".into(),
        user_id: "u".into(),
        ..Default::default()
    };
    let mut bytes = body(vec![good.clone()]);
    bytes.extend_from_slice(&[0x0a, 2, 0x32, 9]);
    bytes.extend(body(vec![good]));
    let taken = take(Format::Proto, &bytes).unwrap();
    assert_eq!((taken.accepted, taken.rejections[0].index), (2, 1));
    assert_eq!(taken.rejections[0].flaw.code, Code::InvalidProtobuf);
    assert_eq!(records(&taken).len(), 3);
}

#[test]
fn a_stream_request_is_acknowledged_under_its_number() {
    let event = proto::Event {
        event_type: "x".into(),
        ..Default::default()
    };
    let batch = Some(proto::IngestRequest {
        events: vec![event],
        library: Some(proto::Library {
            name: "lib".into(),
            version: "1".into(),
        }),
        ..Default::default()
    });
    let body = proto::IngestStreamRequest {
        sequence: 300,
        batch,
    }
    .encode_to_vec();
    let request = Request {
        sequenced: true,
        ..request(Format::Proto)
    };
    let taken = intake(Options::default()).decode(&body, request).unwrap();
    assert_eq!(taken.sequence, Some(300));
    let answer = taken.response(Format::Proto);
    let ack = proto::IngestStreamResponse::decode(answer.as_slice())
        .unwrap()
        .ack
        .unwrap();
    assert_eq!(ack.sequence, 300);
    let rejection = &ack.result.unwrap().rejections[0];
    assert_eq!(
        (rejection.index, rejection.code.as_str()),
        (0, "missing_identity")
    );
}
