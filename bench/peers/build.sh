#!/bin/sh
# Builds every peer into bench/peers/target/peers. Needs Rust, a C compiler with make, and Go 1.26.
set -eu
cd "$(dirname "$0")"
cargo build --release --locked
mkdir -p target/peers
cp target/release/peer-rdkafka target/release/peer-kacrab target/peers/
(cd go && go build -trimpath -o ../target/peers/peer-franz .)
ls target/peers
