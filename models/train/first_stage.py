#!/usr/bin/env python3
"""How well a bi-encoder finds the right note for the development questions, by vectors alone, without the app.

usage: first_stage.py --data DATA --questions questions/ --embed EMBED_BINARY MODEL_DIR[=QUERY_PREFIX=PASSAGE_PREFIX] ...

A note counts by its best passage (`passages.cut`). Printed for each model: right note first / among five, by source and language of the
question, by kind, and the mean over sources.
"""
import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

import passages
import questions
from make_alignment import embed


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "questions", "embed"):
        args.add_argument(f"--{name}", type=Path, required=True)
    args.add_argument("models", nargs="+")
    args = args.parse_args()
    lines = [q for q in questions.read(args.questions, "development") if q["kind"] != "none"]
    for model in args.models:
        folder, query_prefix, passage_prefix = (model.split("=") + ["", ""])[:3]
        groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for source in passages.DEVELOPMENT:
            mine = [q for q in lines if q["source"] == source]
            cut = passages.all_passages(args.data, source)
            names = sorted({p.file for p in cut})
            note = np.array([names.index(p.file) for p in cut])
            p = embed(args.embed, Path(folder), [passage_prefix + passages.passage_text(x) for x in cut], "int8").astype(np.float32)
            q = embed(args.embed, Path(folder), [query_prefix + x["question"] for x in mine], "int8").astype(np.float32)
            best = np.full((len(mine), len(names)), -1.0, np.float32)
            np.maximum.at(best.T, note, (q @ p.T).T)
            for row, x in zip(best, mine):
                rank = int((row > row[names.index(x["file"])]).sum())
                over = "zh" if source.endswith("zh") else "en"
                for key in (f"{source} {x['language']}", f"{x['language']} over {over}, {'own words' if x['kind'] == 'own' else 'others'}", f"kind {x['kind']}", "all"):
                    groups[key].append((rank == 0, rank < 5))
        print(model)
        for key, ranks in sorted(groups.items()):
            first, five = np.mean(ranks, 0)
            print(f"  {key:28} {len(ranks):5} {first:.3f} {five:.3f}")


if __name__ == "__main__":
    main()
