//! The inputs of the fuzz targets (`engine_rs/fuzz/corpus`), on stable Rust.

use crate::fuzz;
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
