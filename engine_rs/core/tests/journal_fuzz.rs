//! The fuzz target `journal_recovery` on the stable compiler: its corpus, and other bytes.

#[path = "support/recovery.rs"]
mod recovery;

use proptest::prelude::*;
use std::fs;

#[test]
fn the_corpus_holds() {
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../fuzz/corpus/journal_recovery"
    );
    let mut seeds = 0;
    for seed in fs::read_dir(corpus).unwrap() {
        recovery::recover(&fs::read(seed.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds > 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_bytes_hold(cut in prop_oneof![Just(0u8), any::<u8>()], forget: u8, tail: Vec<u8>) {
        recovery::recover(&[[cut, forget].as_slice(), &tail].concat());
    }
}
