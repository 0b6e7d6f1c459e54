//! Sections of an event as trees, with what belongs into them from beside them, as [`Segment`] moves it.

use super::{Call, Segment};
use crate::verdict::Flaw;
use crate::wire::tree::{Original, members};
use serde_json::{Map, Value as Json};

/// The sections of `wanted` that an event has, traits never without the context; see [`crate::wire::tree::sections`].
pub fn sections(original: Original<'_>, wanted: &[&str]) -> Result<Map<String, Json>, Box<Flaw>> {
    const BESIDE: [&str; 3] = ["type", "category", "channel"];
    let mut found = members(original.bytes, wanted, &BESIDE, original.depth)?;
    let [name, category, channel] = BESIDE.map(|name| found.remove(name));
    let segment = Segment {
        path_call: original.path_call,
    };
    let name = name.as_ref().and_then(Json::as_str).unwrap_or_default();
    take_context_traits(segment.call(name.as_bytes())?, &mut found);
    for (section, key, text) in [
        ("properties", "category", category),
        ("context", "channel", channel),
    ] {
        if wanted.contains(&section) {
            add_missing(&mut found, section, key, text);
        }
    }
    Ok(found)
}

fn take_context_traits(call: Call, sections: &mut Map<String, Json>) {
    let has_traits = sections.get("traits").is_some_and(has_leaves);
    let context = sections.get_mut("context").and_then(Json::as_object_mut);
    if call.takes_context_traits(has_traits)
        && let Some(context) = context
        && context.get("traits").is_some_and(Json::is_object)
        && let Some(traits) = context.remove("traits")
    {
        sections.insert("traits".to_owned(), traits);
    }
}

fn add_missing(sections: &mut Map<String, Json>, name: &str, key: &str, text: Option<Json>) {
    let Some(text) = text.filter(|text| text != "") else {
        return;
    };
    let section = sections.entry(name).or_insert_with(|| Map::new().into());
    let member = &mut section[key];
    if !has_leaves(member) {
        *member = text;
    }
}

/// Whether anything is left of it when it is flattened.
fn has_leaves(tree: &Json) -> bool {
    match tree {
        Json::Null => false,
        Json::Object(members) => members.values().any(has_leaves),
        _ => true,
    }
}
