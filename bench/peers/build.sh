#!/bin/sh
# Builds every peer into bench/peers/target/peers. Needs Rust, a C compiler with make, and Go 1.26.
set -eu
cd "$(dirname "$0")"
cargo build --release --locked
mkdir -p target/peers
cp target/release/peer-rdkafka target/release/peer-rdkafka-produce target/release/peer-kacrab target/release/chaos-rdkafka target/peers/
(cd go && go build -trimpath -o ../target/peers/peer-franz . && go build -trimpath -o ../target/peers/peer-franz-produce ./produce)
ls target/peers
