#!/usr/bin/env python3
"""Write the articles that no training saw as test collections in BEIR layout, for calibrating the scores and fitting the blend.

usage: make_held_out.py --groups GROUPS.jsonl.gz --out FOLDER [--queries 120]

One collection a kind: FOLDER/<kind>/{corpus.jsonl, queries.jsonl, qrels.tsv}. Documents are all passages of the held-out groups of the
kind's sources; a question's only judged one is its positive, so measured probabilities err on the low side.
"""
import argparse
import json
import random
from pathlib import Path

import data
import groups

SEED = 17
KINDS = {"questions-en": ("squad",), "abstracts": ("pubmedqa", "covidqa"), "medical": ("medquad",), "notes-en": ("md",), "questions-zh": ("zhqa",), "notes-zh": ("zhmd", "lctt"), "across": ("lctt-en",)}


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--groups", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--queries", type=int, default=120, help="of each kind")
    args = args.parse_args()
    rng = random.Random(SEED)
    held_out = groups.load(args.groups).validation
    for kind, sources in KINDS.items():
        members = [g for g in held_out if g.source in sources]
        corpus: dict[tuple[str, str], int] = {}
        for g in members:
            for passage in g.passages:
                corpus.setdefault(passage, len(corpus))
        asked: dict[str, int] = {}
        for g in members:
            query = rng.choice(g.queries)
            if g.source in groups.PLAIN_SOURCES and rng.random() < groups.KEYWORDS:
                query = groups.keywords(query, rng)
            asked.setdefault(query, corpus[g.passages[0]])
        chosen = rng.sample(sorted(asked), min(args.queries, len(asked)))
        folder = args.out / kind
        folder.mkdir(parents=True, exist_ok=True)

        def write(name: str, lines) -> None:
            (folder / name).write_text("".join(line + "\n" for line in lines), "utf8")

        # A title that is the question itself would give the answer away, as in training.
        shown = lambda title: "" if kind in ("notes-zh", "across") else title
        write("corpus.jsonl", (json.dumps({"_id": str(i), "title": shown(title), "text": text}, ensure_ascii=False) for (title, text), i in corpus.items()))
        write("queries.jsonl", (json.dumps({"_id": str(n), "text": q}, ensure_ascii=False) for n, q in enumerate(chosen)))
        write("qrels.tsv", ["query-id\tcorpus-id\tscore", *(f"{n}\t{asked[q]}\t1" for n, q in enumerate(chosen))])
        print(f"{kind}: {len(corpus)} passages, {len(chosen)} questions, {sum(map(data.is_chinese, chosen))} of them Chinese")


if __name__ == "__main__":
    main()
