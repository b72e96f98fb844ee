#!/usr/bin/env python3
"""nDCG@10 on the development sets: first stages, cross-encoder, blends.

usage: evaluate.py --data DATA --bi BI_ENCODER_DIR --cross CROSS_ENCODER_DIR --cache CACHE_DIR [--depth 30] [--queries 150]

To be affordable on a busy machine, a set keeps its judged documents and a sample of the others up to `MAX_DOCS` (figures are therefore
higher than on the full set), and at most `--queries` queries are asked. Document vectors are kept in CACHE_DIR.
"""
import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

import data
import retrieval
from train_cross import Pairs, logits

SEED = 3
MAX_DOCS = 3300
PAIR_TOKENS = 192
CE_WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7)


def sample(s: data.EvalSet, max_queries: int) -> data.EvalSet:
    rng = random.Random(SEED)
    chosen = sorted(rng.sample(range(len(s.queries)), min(max_queries, len(s.queries))))
    judged_docs = {d for j in s.judged for d in j}
    others = [i for i, d in enumerate(s.doc_ids) if d not in judged_docs]
    kept = [i for i, d in enumerate(s.doc_ids) if d in judged_docs]
    kept = sorted(kept + rng.sample(others, min(len(others), max(0, MAX_DOCS - len(kept)))))
    return data.EvalSet(s.name, [s.doc_ids[i] for i in kept], [s.docs[i] for i in kept], [s.queries[i] for i in chosen], [s.judged[i] for i in chosen])


def cosines(s: data.EvalSet, embedder, cache: Path) -> np.ndarray:
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / f"{s.name}-{len(s.docs)}-{len(s.queries)}.npz"
    if not file.exists():
        np.savez(file, docs=embedder(s.docs, "passage: "), queries=embedder(s.queries, "query: "))
    vectors = np.load(file)
    return vectors["queries"] @ vectors["docs"].T


def cross_scores(model, pairs: Pairs, query: str, passages: list[str]) -> np.ndarray:
    """Passages are cut at the end here, as the app does, not around the best window."""
    query_ids = pairs.ids([query])[0][:64]
    room = PAIR_TOKENS - len(query_ids) - 4
    with torch.inference_mode():
        return logits(model, [[0, *query_ids, 2, 2, *p[:room], 2] for p in pairs.ids(passages)]).numpy()


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--data", type=Path, required=True)
    args.add_argument("--bi", type=Path, required=True)
    args.add_argument("--cross", type=Path)
    args.add_argument("--cache", type=Path, required=True)
    args.add_argument("--depth", type=int, default=30)
    args.add_argument("--queries", type=int, default=150)
    args.add_argument("--sets", nargs="+", default=data.DEVELOPMENT_SETS)
    args = args.parse_args()

    embedder = retrieval.Embedder(args.bi)
    if args.cross:
        model = AutoModelForSequenceClassification.from_pretrained(args.cross, dtype=torch.float32).eval()
        pairs = Pairs(Tokenizer.from_file(str(args.cross / "tokenizer.json")))
    for name in args.sets:
        s = sample(data.read_eval(args.data, name), args.queries)
        cosine, bm25 = cosines(s, embedder, args.cache), retrieval.Bm25(s.docs).scores(s.queries)
        results: dict[str, list[float]] = {}

        def add(system: str, order, judged) -> None:
            results.setdefault(system, []).append(retrieval.ndcg([s.doc_ids[i] for i in order], judged))

        for q, judged in enumerate(s.judged):
            first = retrieval.hybrid(cosine[q], bm25[q])
            add("embeddings", np.argsort(-cosine[q])[:10], judged)
            add("bm25", np.argsort(-bm25[q], kind="stable")[:10], judged)
            add("hybrid", np.argsort(-first)[:10], judged)
            if args.cross:
                top = np.argsort(-first)[: args.depth]
                cross = cross_scores(model, pairs, s.queries[q], [s.docs[i] for i in top])
                add("cross-encoder", top[np.argsort(-cross)], judged)
                zc, zh = retrieval.z_scores(cross), retrieval.z_scores(first[top])
                for w in CE_WEIGHTS:
                    add(f"blend {w}", top[np.argsort(-(w * zc + (1 - w) * zh))], judged)
        print(json.dumps({"set": name, "docs": len(s.docs), "queries": len(s.queries), **{k: round(float(np.mean(v)), 4) for k, v in results.items()}}), flush=True)


if __name__ == "__main__":
    main()
