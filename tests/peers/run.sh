#!/bin/sh
# Times Nuthatch and its peers on the same weights, pairs and threads, and prints one table.
#
#   tests/peers/run.sh MODEL_DIR PAIRS.json [THREADS]
#
# MODEL_DIR is a cross-encoder in Hugging Face layout, PAIRS.json what `nuthatch bench --pairs` takes. The peers are installed
# from PyPI into target/peers (about 2 GB, most of it torch) and stay there; candle-transformers is built there.
set -eu
cd "$(dirname "$0")/../.."
venv=target/peers
[ -x $venv/bin/python ] || python3 -m venv $venv
$venv/bin/pip install --quiet --requirement tests/peers/requirements.txt
cargo build --release --manifest-path tests/peers/candle/Cargo.toml --target-dir target/peers/candle
cargo build --workspace
exec $venv/bin/python tests/peers/compare.py --model "$1" --pairs "$2" --threads "${3:-2}" --nuthatch target/debug/nuthatch
