#!/usr/bin/env python3
"""What trimming the vocabulary costs: tokens a text, unknown tokens, change of the embeddings, retrieval before and after.

usage: check_trim.py --data DATA --full FULL_MODEL_DIR --trimmed BI_ENCODER_DIR

scifact-train's abstracts were not counted when the vocabulary was chosen; the other texts were.
"""
import argparse
import random
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

import data
import retrieval

SEED, N_TEXTS, N_EMBEDDED, N_QUESTIONS = 3, 1000, 60, 300
UNKNOWN = 3


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "full", "trimmed"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args = args.parse_args()
    rng = random.Random(SEED)
    folders = {"full": args.full, "trimmed": args.trimmed}
    tokenizers = {k: Tokenizer.from_file(str(f / "tokenizer.json")) for k, f in folders.items()}
    embedders = {k: retrieval.Embedder(f) for k, f in folders.items()}
    sets = {
        "scifact abstracts": data.read_eval(args.data, "scifact-train").docs,
        "til notes": list(data.read_notes(args.data, "til-en.tar.gz").values()),
        "lctt articles": [t[:1500] for t in data.read_notes(args.data, "lctt-zh.tar.gz").values()],
        "drcd-dev paragraphs": data.read_eval(args.data, "drcd-dev").docs,
    }
    for name, texts in sets.items():
        texts = rng.sample(texts, min(N_TEXTS, len(texts)))
        ids = {k: [e.ids for e in t.encode_batch(texts)] for k, t in tokenizers.items()}
        lengths = {k: sum(map(len, i)) for k, i in ids.items()}
        unknown = {k: sum(t.count(UNKNOWN) for t in i) / lengths[k] for k, i in ids.items()}
        vectors = {k: e(texts[:N_EMBEDDED], "passage: ") for k, e in embedders.items()}
        cosine = (vectors["full"] * vectors["trimmed"]).sum(1)
        print(
            f"{name}: {len(texts)} texts, {lengths['full'] / len(texts):.1f} -> {lengths['trimmed'] / len(texts):.1f} tokens"
            f" ({lengths['trimmed'] / lengths['full'] - 1:+.2%}), unknown {unknown['full']:.4%} -> {unknown['trimmed']:.4%};"
            f" cosine mean {cosine.mean():.4f}, 5th percentile {np.quantile(cosine, 0.05):.4f}, min {cosine.min():.4f} ({N_EMBEDDED} texts)",
            flush=True,
        )
    s = data.read_eval(args.data, "drcd-dev")
    chosen = sorted(rng.sample(range(len(s.queries)), N_QUESTIONS))
    pool = sorted({d for i in chosen for d in s.judged[i]}, key=s.doc_ids.index)
    passages = [s.docs[s.doc_ids.index(d)] for d in pool]
    for k, embedder in embedders.items():
        scores = embedder([s.queries[i] for i in chosen], "query: ") @ embedder(passages, "passage: ").T
        ranked = [[pool[d] for d in np.argsort(-row)[:10]] for row in scores]
        first = np.mean([r[0] in s.judged[i] for r, i in zip(ranked, chosen)])
        gain = np.mean([retrieval.ndcg(r, s.judged[i]) for r, i in zip(ranked, chosen)])
        print(f"drcd-dev, {len(chosen)} questions over {len(pool)} paragraphs, {k}: recall@1 {first:.4f}, nDCG@10 {gain:.4f}", flush=True)


if __name__ == "__main__":
    main()
