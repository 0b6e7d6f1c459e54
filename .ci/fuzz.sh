#!/usr/bin/env bash
# Runs every fuzz target for the given number of seconds, from the committed corpus on. New inputs gather in
# engine_rs/fuzz/found, what breaks a target in engine_rs/fuzz/artifacts: that goes into the corpus with its mending.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzz=engine_rs/fuzz

if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "Fuzzing needs a nightly compiler and cargo-fuzz:" >&2
    echo "  rustup toolchain install nightly && cargo install cargo-fuzz" >&2
    exit 1
fi
cp Cargo.lock "$fuzz/" # what is shipped is what is fuzzed
for target in $(cargo +nightly fuzz list --fuzz-dir "$fuzz"); do
    mkdir -p "$fuzz/found/$target"
    cargo +nightly fuzz run --fuzz-dir "$fuzz" "$target" "$fuzz/found/$target" "$fuzz/corpus/$target" -- \
        -max_total_time="$1" -timeout=25
done
