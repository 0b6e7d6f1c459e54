//! What clients that cannot set headers say in the query: `sendBeacon`, for one.

use reviva_core::wire::Format;

/// The parameters that are known; of one that is repeated, the last counts.
#[derive(Debug, Default, PartialEq)]
pub struct Query {
    /// `key`, or `writeKey` as Segment's clients name it.
    pub key: Option<String>,
    pub format: Option<Format>,
    pub history: bool,
    pub replay: bool,
}

impl Query {
    pub fn read(query: &str) -> Self {
        let (mut key, mut write_key, mut read) = (None, None, Self::default());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "key" => key = Some(value.into_owned()),
                "writeKey" => write_key = Some(value.into_owned()),
                "format" => read.format = native_named(&value),
                "history" => read.history = is_set(&value),
                "replay" => read.replay = is_set(&value),
                _ => {}
            }
        }
        let is_given = |key: &String| !key.is_empty();
        read.key = key.filter(is_given).or(write_key.filter(is_given));
        read
    }
}

/// Whether a switch in a header or query is on.
pub fn is_set(value: &str) -> bool {
    ["1", "true", "yes"]
        .iter()
        .any(|yes| value.eq_ignore_ascii_case(yes))
}

fn native_named(name: &str) -> Option<Format> {
    Format::from_name(name).filter(|&format| format != Format::Segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parameters_are_read_and_others_let_be() {
        let read = Query::read("x=1&format=ndjson&key=a&key=se%63ret&history=TRUE&replay=0");
        let expected = Query {
            key: Some("secret".to_owned()),
            format: Some(Format::Ndjson),
            history: true,
            replay: false,
        };
        assert_eq!(read, expected);
        assert_eq!(Query::read(""), Query::default());
    }

    #[test]
    fn an_empty_key_is_none() {
        assert_eq!(Query::read("key=&writeKey=b").key.as_deref(), Some("b"));
        assert_eq!(Query::read("key=").key, None);
    }

    #[test]
    fn what_segment_sends_is_told_by_the_path_alone() {
        assert_eq!(Query::read("format=segment").format, None);
    }
}
