#!/usr/bin/env bash
# Runs every fuzz target for the given number of seconds.
set -euo pipefail
cd "$(dirname "$0")/../engine_rs/fuzz"

if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "Fuzzing needs a nightly compiler and cargo-fuzz:" >&2
    echo "  rustup toolchain install nightly && cargo install cargo-fuzz" >&2
    exit 1
fi
for target in $(cargo +nightly fuzz list); do
    cargo +nightly fuzz run "$target" -- -max_total_time="$1"
done
