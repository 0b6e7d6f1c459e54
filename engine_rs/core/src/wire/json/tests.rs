use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value};

/// The whole text as serde_json's value, read by our parser.
fn read(parser: &mut Parser<'_>, arena: &Bump) -> Parsed<Value> {
    Ok(match parser.kind()? {
        Kind::Object => {
            parser.open();
            let (mut map, mut first) = (Map::new(), true);
            while let Some(key) = parser.key(&mut first, arena)? {
                let key = String::from_utf8(key.to_vec()).unwrap();
                let value = read(parser, arena)?;
                map.insert(key, value);
            }
            Value::Object(map)
        }
        Kind::Array => {
            parser.open();
            let (mut list, mut first) = (Vec::new(), true);
            while parser.element(&mut first)? {
                list.push(read(parser, arena)?);
            }
            Value::Array(list)
        }
        Kind::Text => String::from_utf8(parser.text(arena)?.to_vec())
            .unwrap()
            .into(),
        Kind::Number => match parser.number()? {
            Number::Int(value) => value.into(),
            Number::UInt(value) => value.into(),
            Number::Float(value) => value.into(),
        },
        Kind::Bool => parser.bool()?.into(),
        Kind::Null => {
            parser.null()?;
            Value::Null
        }
    })
}

fn whole(text: &[u8]) -> Parsed<Value> {
    let arena = Bump::new();
    let mut parser = Parser::new(text);
    let value = read(&mut parser, &arena)?;
    parser.end()?;
    Ok(value)
}

fn skipped(text: &[u8]) -> Parsed<()> {
    let mut parser = Parser::new(text);
    parser.skip()?;
    parser.end()
}

/// JSON-like soup: fragments that are likely to make or break a text.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\""),
        Just("\\"),
        Just("\"a\""),
        Just("\"\\u00e9\""),
        Just("\"\\ud83d\\ude00\""),
        Just("1"),
        Just("-"),
        Just("0"),
        Just("."),
        Just("e"),
        Just("+"),
        Just("true"),
        Just("null"),
        Just(" "),
        Just("\n"),
        Just("é"),
        Just("\u{1}"),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_serde_json_writes_is_read(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        prop_assert_eq!(whole(&text), Ok(value));
        prop_assert_eq!(skipped(&text), Ok(()));
    }

    #[test]
    fn what_serde_json_refuses_is_refused(text in soup()) {
        // serde_json also refuses lone surrogates and infinite numbers, which this soup can hardly make.
        let ours = whole(text.as_bytes());
        let theirs = serde_json::from_str::<Value>(&text);
        if let Ok(theirs) = &theirs {
            prop_assert_eq!(ours.as_ref(), Ok(theirs));
        } else if !theirs.unwrap_err().to_string().contains("surrogate") {
            prop_assert!(ours.is_err(), "{text}");
        }
        prop_assert_eq!(ours.is_ok(), skipped(text.as_bytes()).is_ok());
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = skipped(&bytes);
    }
}

#[test]
fn numbers_keep_64_bits_and_fall_back_to_doubles() {
    let number = |text: &str| Parser::new(text.as_bytes()).number();
    assert_eq!(number("-9223372036854775808"), Ok(Number::Int(i64::MIN)));
    assert_eq!(
        number("-9223372036854775809"),
        Ok(Number::Float(-9_223_372_036_854_775_808.0))
    );
    assert_eq!(number("18446744073709551615"), Ok(Number::UInt(u64::MAX)));
    assert_eq!(
        number("18446744073709551616"),
        Ok(Number::Float(1.8446744073709552e19))
    );
    assert_eq!(number("1e400"), Ok(Number::Float(f64::INFINITY)));
    assert!(matches!(number("-0"), Ok(Number::Float(zero)) if zero.is_sign_negative()));
    for wrong in ["01", "-", "1.", "1e", "1e+", "-01", "-a"] {
        assert!(number(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn lone_surrogates_become_replacement_characters() {
    for (text, meaning) in [
        (r#""\ud83d""#, "\u{fffd}"),
        (r#""\ude00x""#, "\u{fffd}x"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (
            r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z""#,
            "a\"\\/\u{8}\u{c}\n\r\té😀z",
        ),
    ] {
        assert_eq!(whole(text.as_bytes()), Ok(meaning.into()));
    }
}

#[test]
fn skipping_is_not_recursive() {
    let deep = "[".repeat(1_000_000);
    assert_eq!(skipped(deep.as_bytes()).unwrap_err().at, 1_000_000);
    let closed = format!("{deep}{}", "]".repeat(1_000_000));
    assert_eq!(skipped(closed.as_bytes()), Ok(()));
}

#[test]
fn positions_count_lines_and_characters() {
    let text = "{\n  \"é\": x}".as_bytes();
    let error = whole(text).unwrap_err();
    assert_eq!(error.position(text), (2, 8));
}
