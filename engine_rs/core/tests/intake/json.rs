//! Properties in JSON against serde_json.

use crate::support::{events, take};
use proptest::prelude::*;
use reviva_core::wire::Format;
use serde_json::{Map, Value, json};

/// The object with nested ones flattened to dotted paths and nulls left out, as a record has it.
fn flat(object: &Map<String, Value>, prefix: &str, out: &mut Map<String, Value>) {
    for (key, value) in object {
        let path = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Null => {}
            Value::Object(inner) => flat(inner, &path, out),
            value => drop(out.insert(path, inside(value))),
        }
    }
}

/// Inside arrays objects stay, flattened each by itself; whole floats are whole numbers.
fn inside(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(inside).collect(),
        Value::Object(object) => {
            let mut out = Map::new();
            flat(object, "", &mut out);
            out.into()
        }
        Value::Number(number) if number.is_f64() => whole(number.as_f64().unwrap()),
        other => other.clone(),
    }
}

fn whole(float: f64) -> Value {
    let is_whole = float == float.trunc() && float.abs() <= 9_007_199_254_740_992.0;
    if is_whole && float.to_bits() != (-0.0f64).to_bits() {
        (float as i64).into()
    } else {
        float.into()
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // serde_json reads longer fractions not always to the nearest double.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "\\PC{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z\"]{1,3}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn properties_are_what_serde_json_reads(
        properties in proptest::collection::btree_map("[a-zé]{1,5}", value(), 0..6),
    ) {
        let properties: Map<String, Value> = properties.into_iter().collect();
        let body = json!({"event_type": "x", "user_id": "u", "properties": properties}).to_string();
        let taken = take(Format::Json, body).unwrap();
        prop_assert_eq!(&taken.rejections, &vec![]);
        let live: Value = serde_json::from_slice(&taken.live_json(1)).unwrap();
        let mut expected = Map::new();
        flat(&properties, "", &mut expected);
        let found = live.get("properties").cloned().unwrap_or_else(|| json!({}));
        prop_assert_eq!(found, Value::Object(expected));
    }

    #[test]
    fn any_envelope_finds_its_events(before in value(), after in value(), tail in "[\\[\\]{}\", a]{0,8}") {
        let body = format!(
            r#"{{"a": {before}, "events": [{{"event_type": "x", "user_id": "u"}}], "sent_at": 1795350000000, "b": {after}, "c": {}}}"#,
            Value::from(tail)
        );
        let taken = take(Format::Json, body).unwrap();
        prop_assert_eq!(events(&taken)[0].sent_at_ms, Some(1_795_350_000_000));
    }
}
