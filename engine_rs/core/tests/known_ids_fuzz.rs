//! The fuzz target `known_ids` on the stable compiler: its corpus, and other steps.

#[path = "support/known_ids.rs"]
mod known_ids;

use proptest::prelude::*;
use std::fs;
use std::path::Path;

#[test]
fn the_corpus_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/known_ids");
    let mut seeds = 0;
    for seed in fs::read_dir(corpus).unwrap() {
        known_ids::follow(&fs::read(seed.unwrap().path()).unwrap());
        seeds += 1;
    }
    assert!(seeds > 0);
}

fn step() -> impl Strategy<Value = [u8; 4]> {
    prop_oneof![
        1 => (0..32u8).prop_map(|hours| [0, hours, 0, 0]),
        1 => Just([1, 0, 0, 0]),
        1 => Just([2, 0, 0, 0]),
        20 => (3..7u8, 0..4u8, 0..4u8, any::<u8>()).prop_map(|(payload, shard, middle, last)| [payload, shard, middle, last]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_steps_hold(steps in proptest::collection::vec(step(), 0..100)) {
        known_ids::follow(&steps.concat());
    }
}
