//! JSON objects, one a line, to a Native block with the column `json`: what the tests compare with ClickHouse's own reading.

use std::io::{self, BufRead, Write};

use reviva_core::block::JsonColumn;
use reviva_core::block::native::{Put, block};
use reviva_core::value;
use serde_json::Value;

fn main() -> io::Result<()> {
    let mut column = JsonColumn::<256>::default();
    let mut rows = 0;
    for line in io::stdin().lock().lines() {
        let mut section = Vec::new();
        put_entries(&mut section, "", &serde_json::from_str(&line?)?);
        column.put(rows, &section);
        rows += 1;
    }
    io::stdout().write_all(&block(rows, &mut [("json", &mut column)]))
}

fn put_entries(out: &mut Vec<u8>, prefix: &str, object: &serde_json::Map<String, Value>) {
    for (key, value) in object {
        let path = format!("{prefix}{key}");
        match value {
            Value::Null => {}
            Value::Object(inner) => put_entries(out, &format!("{path}."), inner),
            value => {
                value::put_path(out, path.as_bytes());
                put_value(out, value);
            }
        }
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => value::put_null(out),
        Value::Bool(value) => value::put_bool(out, *value),
        Value::Number(number) => {
            if let Some(value) = number.as_i64() {
                value::put_int(out, value);
            } else if let Some(value) = number.as_u64() {
                value::put_uint(out, value);
            } else if let Some(value) = number.as_f64() {
                value::put_float(out, value);
            }
        }
        Value::String(text) => value::put_str(out, text.as_bytes()),
        Value::Array(elements) => {
            let mark = value::begin_array(out);
            for element in elements {
                put_value(out, element);
            }
            value::end_array(out, mark, elements.len() as u32);
        }
        Value::Object(inner) => {
            let mark = value::begin_object(out);
            put_entries(out, "", inner);
            value::end_object(out, mark);
        }
    }
}
