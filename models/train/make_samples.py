#!/usr/bin/env python3
"""Write parts of test collections that a slow machine can measure: some questions, what is judged for them, and the documents that BM25
finds first for them, so that the part is about as hard as the whole.

usage: make_samples.py --out FOLDER DATA/eval/vaswani HELD_OUT/medical ... [--queries 25] [--recalled 12]

FOLDER/<set>/{corpus.jsonl, queries.jsonl, qrels.tsv}, BEIR layout as what is read. Figures are higher than on the full set all the same,
and those of words, and of what builds on them, suffer beside those of vectors: the documents that mislead BM25 are all there.
"""
import argparse
import json
import random
from pathlib import Path

import numpy as np

import data
import retrieval

SEED = 3


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--queries", type=int, default=25)
    args.add_argument("--recalled", type=int, default=12, help="documents a question")
    args.add_argument("sets", type=Path, nargs="+")
    args = args.parse_args()
    for source in args.sets:
        rng, folder = random.Random(SEED), args.out / source.name
        header, *judgements = (source / "qrels.tsv").read_text("utf8").splitlines()
        judged = [line for line in judgements if int(line.split("\t")[2]) > 0]
        known = {line.split("\t")[0] for line in judged}
        asked = [q for q in data.jsonl(source / "queries.jsonl") if q["_id"] in known]
        asked = rng.sample(asked, min(args.queries, len(asked)))
        kept = [line for line in judged if line.split("\t")[0] in {q["_id"] for q in asked}]
        wanted = {line.split("\t")[1] for line in kept}
        corpus = list(data.jsonl(next(source.glob("corpus.jsonl*"))))
        scores = retrieval.Bm25([f"{d.get('title', '')}\n{d['text']}" for d in corpus]).scores([q["text"] for q in asked])
        wanted.update(corpus[i]["_id"] for row in scores for i in np.argsort(-row, kind="stable")[: args.recalled])
        docs = [d for d in corpus if d["_id"] in wanted]
        folder.mkdir(parents=True, exist_ok=True)
        for file, rows in (("corpus.jsonl", docs), ("queries.jsonl", asked)):
            (folder / file).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf8")
        (folder / "qrels.tsv").write_text("\n".join([header, *kept]) + "\n", "utf8")
        print(f"{source.name}: {len(docs)} documents, {len(asked)} questions, {len(kept)} judgements")


if __name__ == "__main__":
    main()
