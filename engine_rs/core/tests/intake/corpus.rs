//! The inputs of the fuzz targets (`engine_rs/fuzz/corpus`), on stable Rust.

use crate::fuzz;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use reviva_core::wire::Format;
use std::fs;
use std::path::Path;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let inputs: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(!inputs.is_empty(), "the corpus of {target} is empty");
    inputs
}

#[test]
fn every_input_of_the_decoders_gets_an_answer() {
    for format in Format::ALL {
        for input in corpus(format.name()) {
            fuzz::decode(format, &input);
        }
    }
}

#[test]
fn every_plan_is_followed_or_told_of() {
    for input in corpus("plan") {
        fuzz::follow_plan(&input);
    }
}

#[test]
fn every_input_of_inflate_stays_under_the_limit() {
    for input in corpus("inflate") {
        fuzz::inflate_all(&input);
    }
}

/// An edit of an input: at a place, a byte is replaced, put in or taken out, or the rest of another input is put there.
type Edit = (Index, u8, u8);

/// What the JSON formats are made of.
const MARKS: &[u8] = b"{}[]:,\"\\\n0-.eE";

fn edit(input: &mut Vec<u8>, other: &[u8], (place, how, byte): Edit) {
    let place = place.index(input.len() + 1);
    match how % 8 {
        0 if place < input.len() => drop(input.remove(place)),
        1 => {
            input.truncate(place);
            input.extend_from_slice(&other[usize::from(byte) % (other.len() + 1)..]);
        }
        2 => input.insert(place, byte),
        3 => input.insert(place, MARKS[usize::from(byte) % MARKS.len()]),
        4 if place < input.len() => input[place] ^= 1 << (byte % 8),
        _ if place < input.len() => input[place] = byte,
        _ => {}
    }
}

proptest! {
    #[test]
    fn what_is_near_the_corpus_gets_an_answer(
        format in select(&Format::ALL[..]),
        inputs: (Index, Index),
        edits in proptest::collection::vec(any::<Edit>(), 1..12),
    ) {
        let corpus = corpus(format.name());
        let other: &Vec<u8> = inputs.1.get(&corpus);
        let mut input: Vec<u8> = inputs.0.get(&corpus).clone();
        for each in edits {
            edit(&mut input, other, each);
        }
        fuzz::decode(format, &input);
    }
}
