#!/usr/bin/env python3
"""Make the folder that ships from a trained bi-encoder: word embeddings in 8 bits, and with `--centre` the vector that is taken from all of its vectors.

usage: finish_bi.py MODEL_DIR OUT_DIR [--centre TEXTS.jsonl --embed EMBED_BINARY --prefix "passage: "]
       finish_bi.py SHIPPED_DIR OUT_DIR --back                                                 # to train on from it: no tables in 8 bits

A table in 8 bits is `<name>` (int8) and `<name>_scale` (f32, one a row): whole numbers and what one of them stands for. TEXTS.jsonl holds one
JSON string a line.
"""
import argparse
import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from make_alignment import embed

TABLES = ("embeddings.word_embeddings.weight", "bert.embeddings.word_embeddings.weight")
FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "LICENSE")


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("model", type=Path)
    args.add_argument("out", type=Path)
    args.add_argument("--centre", type=Path)
    args.add_argument("--embed", type=Path)
    args.add_argument("--prefix", default="")
    args.add_argument("--back", action="store_true")
    args = args.parse_args()
    weights = load_file(args.model / "model.safetensors")
    if args.centre:
        texts = [args.prefix + json.loads(line) for line in args.centre.open(encoding="utf8")]
        weights["centre"] = embed(args.embed, args.model, texts, "int8").astype(np.float32).mean(0)
    if args.back:
        for name in [name for name in TABLES if name in weights]:
            weights[name] = weights[name] * weights.pop(f"{name}_scale")[:, None]
        weights.pop("centre", None)
    for name in [name for name in TABLES if name in weights and not args.back]:
        table = weights.pop(name).astype(np.float32)
        scale = np.maximum(np.abs(table).max(1), 1e-9) / 127
        weights[name] = np.rint(table / scale[:, None]).astype(np.int8)
        weights[f"{name}_scale"] = scale.astype(np.float32)
    args.out.mkdir(parents=True, exist_ok=True)
    half = {k: v.astype(np.float16) if v.dtype == np.float32 and v.ndim == 2 else v for k, v in weights.items()}
    save_file({k: np.ascontiguousarray(v) for k, v in half.items()}, args.out / "model.safetensors")
    for name in FILES:
        if (args.model / name).exists():
            shutil.copy(args.model / name, args.out / name)


if __name__ == "__main__":
    main()
